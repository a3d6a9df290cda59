package container

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/kernel"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// The engine: what happens before any process of the container exists.

// resolve chooses the image: by name, then by platform. It tells whether the start goes on.
func (r *run) resolve() bool {
	_, _, actor := r.names()
	args := map[string]string{"engine": actor, "image": r.c.Name, "platform": "", "layers": "0"}
	step := trace.Step{Actor: actor, Stage: trace.Resolve, Kind: "engine.choose-image", Args: args, Rule: "image-spec image-index.md, platform"}
	if r.c.Archive != nil {
		platform := r.c.Platform
		if platform == "" {
			platform = "linux/" + r.c.HostArch
		}
		im, err := r.c.Archive.Select(platform, r.c.Ref)
		if err != nil {
			return r.noImage(err)
		}
		if r.c.Platform != "" && !oci.MatchPlatform(r.c.Platform, im.Platform) {
			return r.askRegistry(r.c.Ref+" for "+r.c.Platform, im.Cite("architecture", "os"))
		}
		r.image, r.conf = im, im.Config.Config
		args["image"], args["platform"], args["layers"] = strings.Join(im.Refs, ", "), im.Platform, strconv.Itoa(len(im.Layers))
		if args["image"] == "" {
			args["image"] = shortDigest(im.ConfigDigest)
		}
		r.facts.Ref = firstOf(append(slices.Clone(im.Refs), args["image"])...)
		step.Cites = append(im.CiteManifest("config", "Config", "layers", "Layers"), im.Cite("architecture", "os")...)
		if im.Refused != "" && r.engine() != "podman" {
			r.emit(step)
			return r.refuse(&failure{text: im.Refused, early: true, load: r.loaded()}, trace.Resolve)
		}
	}
	if r.c.Image != nil {
		r.conf = *r.c.Image
	}
	if r.image == nil {
		step.Kind = "engine.use-rootfs"
	}
	r.emit(step)
	if r.image != nil && r.c.RootFS == nil && r.engine() == "podman" && !r.podmanLoads() {
		return false
	}
	r.facts.Image = strings.TrimSpace(args["image"] + " " + args["platform"])
	r.warnPlatform(actor)
	return r.openRoot()
}

// noImage is an archive without an image of that name or platform.
func (r *run) noImage(err error) bool {
	var none *oci.NoMatchError
	if errors.As(err, &none) && none.Ref != "" {
		return r.askRegistry(none.Ref, nil)
	}
	if text, ok := r.noPlatform(err); ok {
		return r.refuseLoad(true, text, nil)
	}
	return r.refuse(&failure{text: err.Error(), early: true}, trace.Resolve)
}

// askRegistry: an image that is not there, or not for the platform that was asked for, is pulled; what a
// registry answers is not in the archive.
func (r *run) askRegistry(what string, cites []blob.Cite) bool {
	_, _, actor := r.names()
	st := trace.Step{Actor: actor, Stage: trace.Resolve, Kind: "engine.pull", Cites: cites, Rule: "docker run --pull missing", Args: map[string]string{"image": what}}
	if r.engine() == "docker" && cites == nil {
		st.Console = fmt.Sprintf("Unable to find image '%s' locally\n", what)
	}
	r.emit(st)
	r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Resolve, Unknown: trace.Why("unknown.registry", "image", strings.TrimSpace(what))})
	return false
}

// warnPlatform: an image of another platform that is alone under its name is run all the same.
func (r *run) warnPlatform(actor string) {
	host := "linux/" + r.c.HostArch
	if r.image == nil || oci.MatchPlatform(host, r.image.Platform) {
		return
	}
	st := trace.Step{Actor: actor, Stage: trace.Resolve, Kind: "engine.platform-mismatch", Cites: r.image.Cite("architecture", "os"),
		Rule: "moby daemon/images, platform check", Args: map[string]string{"image": r.image.Platform, "host": host}}
	switch r.engine() {
	case "docker":
		if r.c.Platform == "" {
			st.Console = fmt.Sprintf("WARNING: The requested image's platform (%s) does not match the detected host platform (%s) and no specific platform was requested\n", r.image.Platform, host)
		}
	case "podman":
		st.Console = fmt.Sprintf("WARNING: image platform (%s) does not match the expected platform (%s)\n", r.image.Platform, host)
	}
	r.emit(st)
}

// openRoot unpacks the layers into one tree.
func (r *run) openRoot() bool {
	if r.root = r.c.RootFS; r.root != nil {
		return true
	}
	if r.image == nil {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.no-root")})
		return false
	}
	root, err := r.image.RootFS()
	if err != nil {
		r.emit(trace.Step{Actor: "engine", Stage: trace.Resolve, Kind: "engine.layer-damaged", Args: map[string]string{"error": err.Error()}, Cites: r.image.CiteManifest("layers", "Layers"), Rule: "image-spec layer.md"})
		if text := r.loadFailure(); text != "" {
			return r.refuse(&failure{text: text, cites: r.image.CiteManifest("Layers"), early: true, load: true}, trace.Resolve)
		}
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.layers").For(kernel.Because(err))})
		return false
	}
	r.root = root
	if i, why := r.unpackStops(); why != "" {
		return r.refuseLayer(i, why)
	}
	if r.engine() == "podman" {
		return true
	}
	text, err := r.image.Refusal()
	if err != nil {
		r.emit(trace.Step{Actor: "engine", Stage: trace.Resolve, Kind: "engine.layer-damaged", Args: map[string]string{"error": err.Error()}, Cites: r.image.CiteManifest("layers", "Layers"), Rule: "image-spec layer.md"})
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.layers").For(kernel.Because(err))})
		return false
	}
	if text != "" {
		return r.refuse(&failure{text: text, cites: r.image.CiteManifest("layers", "Layers"), early: true, load: r.loaded()}, trace.Resolve)
	}
	return true
}

// configure turns the image's config and the command line into a runtime config.
func (r *run) configure() bool {
	r.id = r.containerID()
	_, r.dir, _ = r.names()
	argv := r.argv()
	if len(argv) == 0 && r.engine() != "" {
		text := "No command specified."
		if r.engine() == "podman" {
			text = "no command or entrypoint provided, and no CMD or ENTRYPOINT from image"
		}
		return r.refuse(&failure{text: text, cites: r.cite("config.Entrypoint", "config.Cmd"), early: true, usage: true}, trace.Resolve)
	}
	var s spec
	switch r.engine() {
	case "docker":
		s = r.dockerSpec()
	case "podman":
		s = r.podmanSpec()
	default:
		s = r.bareSpec()
	}
	s.Args, s.Terminal, s.ReadOnly = argv, r.c.TTY, s.ReadOnly || r.c.ReadOnly
	if wd := firstOf(r.c.Workdir, r.conf.WorkingDir); wd != "" {
		s.Cwd = wd
	}
	s.Hostname = firstOf(r.c.Hostname, s.Hostname)
	if r.c.Rootless {
		r.rootlessSpec(&s)
	}
	if f := r.makeAuto(); f != nil {
		return r.refuse(f, trace.Resolve)
	}
	r.applyUserNS(&s)
	r.imageVolumes()
	r.applyOptions(&s)
	r.ignoreLimits(&s)
	r.storage()
	who, err := r.user(&s)
	if err == nil {
		err = r.checkMapped(&s)
	}
	var known *failure
	switch {
	case errors.As(err, &known):
		return r.refuse(known, trace.Resolve)
	case err != nil:
		return r.refuse(&failure{text: err.Error(), cites: r.cite("config.User"), early: true}, trace.Resolve)
	}
	s.Env = r.environment(s, who)
	if f := r.applySecurity(&s); f != nil {
		return r.refuse(f, trace.Resolve)
	}
	r.spec = s
	r.facts.Argv, r.facts.Env, r.facts.Cwd = s.Args, s.Env, s.Cwd
	r.facts.StopSignal = firstOf(r.options.stopSignal, r.conf.StopSignal, "SIGTERM")
	r.facts.User = fmt.Sprintf("%d:%d", s.UID, s.GID)
	_, _, actor := r.names()
	cites := append(r.cite("config.Entrypoint", "config.Cmd", "config.Env", "config.User", "config.WorkingDir"), who.cites...)
	r.emit(trace.Step{Actor: actor, Stage: trace.Create, Kind: "engine.write-config", Cites: cites, Rule: "image-spec conversion.md; runtime-spec config.md",
		Args: map[string]string{"argv": strings.Join(s.Args, " "), "user": r.facts.User, "cwd": s.Cwd, "env": strings.Join(s.Env, " "), "caps": s.Caps.String(), "id": r.id}})
	return r.describeNetwork()
}

// cite is the evidence for keys of the image's config, where it was not replaced.
func (r *run) cite(keys ...string) []blob.Cite {
	if r.image == nil || r.c.Image != nil {
		return nil
	}
	return r.image.Cite(keys...)
}

func firstOf(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}

// argv merges ENTRYPOINT, CMD and the command line: a new entrypoint drops the image's CMD, a new command
// replaces it. moby daemon/commit.go, merge; daemon/create.go, mergeAndVerifyConfig.
func (r *run) argv() []string {
	entry, cmd := r.conf.Entrypoint, r.conf.Cmd
	if len(r.c.Command) > 0 {
		cmd = r.c.Command
	}
	if r.c.Entrypoint != nil {
		entry = nil
		if *r.c.Entrypoint != "" {
			entry = []string{*r.c.Entrypoint}
		}
		cmd = r.c.Command
	}
	if len(entry) == 1 && entry[0] == "" {
		entry = nil
	}
	return append(append([]string{}, entry...), cmd...)
}

// user finds the numbers for --user or USER. A bare bundle carries numbers only: names are looked up by
// whoever writes it, as here.
func (r *run) user(s *spec) (account, error) {
	maps := r.options.maps
	want := firstOf(r.c.User, r.conf.User, maps.user)
	if uid, gid, ok := ids(want); ok && r.engine() == "" {
		s.UID, s.GID = uid, gid
		return account{uid: uid, gid: gid, home: homeOf(r.root, uid)}, nil
	}
	a, err := lookupUser(r.root, want)
	if err != nil {
		return a, err
	}
	s.UID, s.GID, s.Groups = a.uid, a.gid, append(maps.groups, a.groups...)
	// The primary group too: docker since 20.10.18, podman since 4.2 for a user that was named (CVE-2022-2989).
	if r.engine() == "docker" || want != "" && !slices.Contains(s.Groups, a.gid) {
		s.Groups = append([]uint32{a.gid}, s.Groups...)
	}
	return a, nil
}

// environment merges the engine's variables, the image's and those of the command line; later ones win.
// moby container/container.go, CreateDaemonEnvironment.
func (r *run) environment(s spec, who account) []string {
	var env []string
	switch r.engine() {
	case "docker":
		env = []string{"PATH=" + defaultPath, "HOSTNAME=" + s.Hostname}
		if r.c.TTY {
			env = append(env, "TERM=xterm")
		}
	case "podman":
		env = []string{"PATH=" + defaultPath, "TERM=xterm", "container=podman"}
	default:
		env = append(env, s.Env...)
		if r.conf.Env == nil {
			env = env[1:] // the bundle's PATH is the image's
		}
	}
	for _, e := range append(append([]string{}, r.conf.Env...), r.c.Env...) {
		if k, v, ok := strings.Cut(e, "="); ok {
			env = setenv(env, k, v)
		}
	}
	if r.engine() == "podman" {
		if _, has := getenv(env, "HOME"); !has {
			env = append(env, "HOME="+who.home)
		}
		env = append(env, "HOSTNAME="+s.Hostname)
	}
	return env
}

// launch has the runtime create the container and start it, and returns its init, ready for execve; nil
// when the start ended.
func (r *run) launch() *kernel.Task {
	caller := r.shim()
	var init *kernel.Task
	var err error
	if r.runtime() == "runc" {
		init, err = r.runc(caller)
	} else {
		init, err = r.crun(caller)
	}
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			f = &failure{text: err.Error()}
		}
		r.refuse(f, trace.Create)
		return nil
	}
	return init
}

// refuse ends the run before the program started: each program around the one that failed adds its words.
// It returns false.
func (r *run) refuse(f *failure, stage trace.Stage) bool {
	if r.m.Ended() {
		return false
	}
	text, code := r.wrap(f)
	_, _, actor := r.names()
	kind := trace.Kind("engine.create-failed")
	if stage == trace.Resolve {
		kind = "engine.refused"
	}
	console := text + "\n"
	if f.usage && r.engine() == "docker" {
		console += "See 'docker run --help'.\n"
	}
	rule := ruleOf(r.engine())
	if f.load {
		rule = "moby 20.10 image/tarexport/load.go"
	}
	r.emit(trace.Step{Actor: actor, Stage: stage, Kind: kind, Console: console, Cites: f.cites, Rule: rule,
		Args: map[string]string{"message": text, "cause": f.text, "exit_code": strconv.Itoa(code)}})
	r.m.End(trace.Outcome{Verdict: trace.Stops, Stage: stage, Message: text, ExitCode: &code})
	return false
}

func ruleOf(engine string) string {
	switch engine {
	case "docker":
		return "docker run, exit status; docker/cli runStartContainerErr"
	case "podman":
		return "podman-run(1), exit status; libpod getOCIRuntimeError"
	}
	return "runc(8), crun(1)"
}

// wrap gives the message as the learner's terminal shows it, and the exit code of the command.
func (r *run) wrap(f *failure) (string, int) {
	switch r.engine() {
	case "docker":
		return r.wrapDocker(f)
	case "podman":
		return r.wrapPodman(f)
	}
	if r.runtime() == "crun" || !r.created(f) {
		return f.text, 1
	}
	return "runc run failed: " + runcText(f), 1
}

// runcText is what runc's own layers put in front. libcontainer/process_linux.go, container_linux.go.
func runcText(f *failure) string {
	switch {
	case f.early:
		return f.text
	case f.init:
		return "unable to start container process: error during container init: " + f.text
	}
	return "unable to start container process: " + f.text
}

func (r *run) wrapDocker(f *failure) (string, int) {
	switch {
	case f.load:
		return f.text, 1
	case f.client:
		return f.text, 125
	}
	text := f.text
	if r.created(f) {
		text = "failed to create shim task: OCI runtime create failed: runc create failed: " + runcText(f) + ": unknown."
	} else if !strings.HasSuffix(text, ".") {
		text += "."
	}
	text = "docker: Error response from daemon: " + text
	code := 125
	switch {
	case !r.created(f):
	case strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"), strings.Contains(text, "system cannot find the file specified"):
		code = 127
	case strings.Contains(text, kernel.EACCES.Error()):
		code = 126
	}
	return text, code
}

func (r *run) wrapPodman(f *failure) (string, int) {
	if !r.created(f) {
		code := cmp.Or(f.code, 125)
		if strings.HasPrefix(f.text, "unable to find") {
			code = 126
		}
		return "Error: " + f.text, code
	}
	name, text := "/usr/bin/crun", f.text
	if r.c.Engine == "podman" { // found by its name, not by --runtime
		name = "crun"
	}
	if r.runtime() == "runc" {
		name, text = "/usr/sbin/runc", "runc create failed: "+runcText(f)
	}
	low := strings.ToLower(text)
	switch {
	case strings.Contains(low, "permission denied"), strings.Contains(low, "operation not permitted"):
		return "Error: " + name + ": " + text + ": OCI permission denied", 126
	case strings.Contains(low, "executable file not found in"), strings.Contains(low, "no such file or directory"):
		return "Error: " + name + ": " + text + ": OCI runtime attempted to invoke a command that was not found", 127
	}
	return "Error: OCI runtime error: " + name + ": " + text, 126
}

// created tells whether the engine had come to call its runtime.
func (r *run) created(f *failure) bool { return !f.early || r.spec.Args != nil }
