package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// runitDir is where runit looks for its stages and runsvchdir for its sets of services: both are built in.
const runitDir = "/etc/runit"

// runit is an init in three stages, each a program in /etc/runit, and services that are directories with a
// program "run": runit(8), runsvdir(8), runsv(8).
type runit struct {
	*initd
	scanned bool            // runsvdir has started
	up      int             // services that runsv has started
	unsure  []*trace.Reason // services that may show a login prompt
}

// runit is runit-init or runit itself as PID 1.
func (x *linux) runit(exe string) {
	if path.Base(exe) == "runit-init" { // runit-init(8): as process 1 it is replaced by runit
		next, cites := x.textIn(exe, "/sbin/runit")
		if next == "" {
			next, cites = x.textIn(exe, "/usr/bin/runit")
		}
		if next == "" {
			next = "/sbin/runit"
		}
		if _, err := x.pid1.Stat(next); err != nil {
			x.say("runit.no-runit", "init: fatal: unable to start runit: "+djbError(err), map[string]string{"path": next, "error": strerror(err)}, "runit-init(8)", cites)
			x.panic("Attempted to kill init! exitcode=0x00006f00", "kernel/exit.c, do_exit") // it exits 111
			return
		}
		exe = next
		x.pid1.Comm, x.pid1.Exe = "runit", exe
	}
	x.pid1.Actor = "runit"
	// the kernel's unknown parameters "name=value" are PID 1's environment: bootparam(7)
	r := &runit{initd: &initd{linux: x, exe: exe, args: x.initArgs, env: map[string]string{}}}
	for _, e := range x.params.InitEnv(kernelTakes) {
		name, value, _ := strings.Cut(e, "=")
		r.env[name] = value
	}
	r.own = r.programs
	id, cites := x.textIn(exe, "$Id: ")
	if id == "" {
		id = "$Id$"
	}
	greeting := "- runit: " + id + ": booting."
	if _, err := x.pid1.Stat("/dev/console"); err != nil && !x.mountedAt("/dev", "devtmpfs") {
		greeting += "\n- runit: warning: unable to open /dev/console: " + djbError(err)
	}
	x.say("runit.start", greeting, map[string]string{"version": id}, "runit(8)", cites)
	r.stages()
}

// stages are the three of runit(8). A stage that cannot be started ends like one that has returned.
func (r *runit) stages() {
	first := r.enter("1")
	if r.m.Ended() {
		return
	}
	skip := first == 100
	r.leaveStage("1", first)
	if skip {
		r.say("runit.skip-stage", "- runit: warning: skipping stage 2...", map[string]string{}, "runit(8), STAGE 1", nil)
		r.shutdown()
		return
	}
	second := r.enter("2")
	switch {
	case r.m.Ended():
	case r.scanned:
		r.settle()
	case r.left:
		r.cannotKnow(trace.Userspace, trace.Why("unknown.script-starts", "path", runitDir+"/2").For(r.doubts[len(r.doubts)-1]))
	case second == 111:
		r.say("runit.restart-stage", "- runit: warning: child failed: "+runitDir+"/2\n- runit: warning: killing all processes in stage 2...\n- runit: warning: restarting.",
			map[string]string{}, "runit(8), STAGE 2", nil)
		r.stop(trace.Userspace, "- runit: warning: restarting.")
	default:
		r.leaveStage("2", second)
		r.shutdown()
	}
}

// enter runs one stage to its end and returns its exit status.
func (r *runit) enter(n string) int {
	name := runitDir + "/" + n
	r.m.Wait(costInitProgram)
	r.say("runit.enter-stage", "- runit: enter stage: "+name, map[string]string{"stage": n, "path": name}, "runit(8), STAGE "+n, r.pid1.Evidence(name))
	_, err := r.executable(name)
	if err == nil {
		err = (&elRun{in: r.newProcess("runit", &budget{})}).interpreted(name, 0)
	}
	if err != nil {
		r.say("runit.no-stage", "- runit: fatal: unable to start child: "+name+": "+djbError(err), map[string]string{"path": name, "error": strerror(err)}, "runit(8)", nil)
		return 0
	}
	return r.follow("runit", []string{name})
}

func (r *runit) leaveStage(n string, status int) {
	name := runitDir + "/" + n
	line := "- runit: leave stage: " + name
	if n == "3" { // nobody asked for a reboot
		line += "\n- runit: sending KILL signal to all processes...\n- runit: power off..."
	}
	if status != 0 {
		line = "- runit: warning: child failed: " + name + "\n" + line
	}
	r.say("runit.leave-stage", line, map[string]string{"stage": n, "path": name, "status": strconv.Itoa(status)}, "runit(8)", nil)
}

// shutdown is stage 3: it was reached without anybody asking for it.
func (r *runit) shutdown() {
	r.enter("3")
	if r.m.Ended() {
		return
	}
	r.leaveStage("3", 0)
	r.stop(trace.Userspace, "- runit: power off...")
}

// settle ends a start whose services run.
func (r *runit) settle() {
	console := r.terminal()
	shown := slices.ContainsFunc(r.gettys, func(g getty) bool { return g.tty == console || g.tty == "console" })
	if !shown && len(r.unsure) > 0 {
		r.cannotKnow(trace.Userspace, trace.Why("unknown.login", "console", console).For(r.unsure[0]))
		return
	}
	if r.up == 0 {
		r.stop(trace.Userspace, "- runit: enter stage: "+runitDir+"/2")
		return
	}
	r.finish("- runit: enter stage: " + runitDir + "/2")
}

// programs are those that come with runit, and what its stages and run scripts are written with.
func (r *runit) programs(in *shProcess, found string, words []string) (ctl, bool) {
	dir, script := path.Split(words[0])
	switch name := path.Base(found); {
	case len(words) == 3 && words[1] == "start" && words[2] == "--force-sysv" && isServiceDir(dir) && r.depth < 4:
		r.service(linkedService(script), words[0]) // Debian's stage 1 starts the services of /etc/rcS.d
		return in.ok(), true
	case name == "hostname" && len(words) == 2 && !strings.HasPrefix(words[1], "-"):
		r.host = words[1]
		r.quietly(func() { _ = r.pid1.SetHostname(words[1]) }) // PID 1 may
		return in.ok(), true
	case name == "runsvdir":
		return r.runsvdir(in, words), true
	case name == "runsvchdir":
		return r.runsvchdir(in, words), true
	case name == "chpst":
		if rest := afterOptions(words, "uUbenl/mdopfcrt"); len(rest) > 0 {
			return in.program(rest), true // chpst(8): it changes its process's state and runs prog
		}
	case name == "async-timeout" && len(words) > 1:
		return in.program(words[1:]), true // of Debian: what takes longer than 90 seconds is left to itself
	case name == "utmpset" || name == "sv":
		return in.ok(), true
	case name == "install":
		return r.install(in, words)
	case name == "pgrep" && in.cwd != "/":
		return r.pgrep(in, words), true
	case isGetty(name) || isGetty(path.Base(words[0])):
		if in.cwd == "/" {
			return ctlNone, false
		}
		r.gettys = append(r.gettys, getty{tty: gettyTTY(words[1:], path.Base(in.cwd)), process: strings.Join(words, " ")})
		return in.ok(), true
	}
	return ctlNone, false
}

// linkedService is the service that a link in /etc/rcS.d starts: "S01hostname.sh" is hostname.sh.
func linkedService(link string) string {
	if len(link) > 3 && link[0] == 'S' && strings.Trim(link[1:3], "0123456789") == "" {
		return link[3:]
	}
	return link
}

// afterOptions leaves off the options before a program's name; those in valued take a word.
func afterOptions(words []string, valued string) []string {
	rest := words[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		o := rest[0]
		if rest = rest[1:]; o == "--" {
			break
		}
		if at := strings.IndexAny(o[1:], valued); at == len(o)-2 && len(rest) > 0 {
			rest = rest[1:]
		}
	}
	return rest
}

// install is install(1) as stage 1 uses it: it makes an empty file of a mode.
func (r *runit) install(in *shProcess, words []string) (ctl, bool) {
	_, values, rest := optArgs(words, "mog")
	if len(rest) != 2 || rest[0] != "/dev/null" {
		return ctlNone, false
	}
	mode, err := strconv.ParseUint(values['m'], 8, 12)
	if err != nil {
		mode = 0o755
	}
	if err := r.pid1.WriteFile(in.abs(rest[1]), nil, uint32(mode)); err != nil {
		in.err("install: cannot create regular file '%s': %s\n", rest[1], strerror(err))
		return in.failed(), true
	}
	return in.ok(), true
}

// pgrep is pgrep(1) in a getty's run script: whether another getty has that terminal already.
func (r *runit) pgrep(in *shProcess, words []string) ctl {
	tty := ""
	for i, w := range words[:len(words)-1] {
		if w == "-t" {
			tty = words[i+1]
		}
	}
	if tty == "" {
		return in.end("unknown.program-prints", "program", "pgrep")
	}
	return told(in, slices.ContainsFunc(r.gettys, func(g getty) bool { return g.tty == tty }))
}

// runsvchdir makes another set of services the current one. runsvchdir(8)
func (r *runit) runsvchdir(in *shProcess, words []string) ctl {
	if len(words) != 2 {
		return in.end("unknown.program-does", "program", "runsvchdir")
	}
	dir, name := runitDir+"/runsvdir/", words[1]
	fi, err := r.pid1.Stat(dir + name)
	switch {
	case strings.HasPrefix(name, "."):
		in.err("%s: fatal: %s: must not start with a dot.\n", words[0], name)
	case err != nil:
		in.err("%s: fatal: %s: %s\n", words[0], name, djbError(err))
	case !fi.IsDir():
		in.err("%s: fatal: %s: not a directory.\n", words[0], name)
	default:
		return r.current(in, dir, name)
	}
	in.status = 111
	return ctlNone
}

func (r *runit) current(in *shProcess, dir, name string) ctl {
	real, err := r.pid1.RealPath(dir + "current")
	want, _ := r.pid1.RealPath(dir + name)
	if err != nil {
		in.err("runsvchdir: fatal: unable to stat: current: %s\n", djbError(err))
		in.status = 111
		return ctlNone
	}
	if real == want {
		in.out("runsvchdir: %s: current.\n", name)
		return in.ok()
	}
	r.quietly(func() {
		if err = r.pid1.Unlink(dir + "current"); err == nil {
			err = r.pid1.Symlink(name, dir+"current")
		}
	})
	if err != nil {
		in.err("runsvchdir: fatal: unable to create: current.new -> %s: %s\n", name, djbError(err))
		in.status = 111
		return ctlNone
	}
	in.out("runsvchdir: %s: now current.\n", name)
	return in.ok()
}

// runsvdir starts a runsv for each directory in the services directory, up to 1000. runsvdir(8)
func (r *runit) runsvdir(in *shProcess, words []string) ctl {
	rest := afterOptions(words, "")
	if len(rest) == 0 {
		return in.end("unknown.program-does", "program", "runsvdir")
	}
	dir := in.abs(rest[0])
	list, err := r.pid1.ReadDir(dir)
	if err != nil { // it looks again every five seconds
		line := "runsvdir " + rest[0] + ": warning: unable to stat " + rest[0] + ": " + djbError(err)
		if len(rest) > 1 {
			line = "" // its argument log takes it
		}
		r.say("runit.no-services", line, map[string]string{"dir": dir, "error": strerror(err)}, "runsvdir(8)", nil)
		r.scanned = true
		return in.ok()
	}
	var names []string
	for _, e := range list {
		if fi, err := r.pid1.Stat(path.Join(dir, e.Name())); !strings.HasPrefix(e.Name(), ".") && err == nil && fi.IsDir() && len(names) < maxServices {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	r.scanned = true
	r.say("runit.scan-services", "", map[string]string{"dir": dir, "count": strconv.Itoa(len(names)), "services": strings.Join(names, " ")}, "runsvdir(8)", r.pid1.Evidence(dir))
	r.facts.Target = dir
	for _, n := range names {
		if r.m.Ended() {
			return ctlEnd
		}
		r.runsv(n, path.Join(dir, n), len(rest) < 2)
	}
	return in.ok()
}

// runsv looks after one service. errors tells whether what it writes to its error output is seen: with
// runsvdir's argument log it goes to a pipe that ps shows. runsv(8)
func (r *runit) runsv(name, dir string, errorsShown bool) {
	if real, err := r.pid1.RealPath(dir); err == nil {
		dir = real
	}
	st := trace.Step{Actor: "runsv", Stage: trace.Userspace, Kind: "runit.start-service", Rule: "runsv(8)", Cites: r.runFile(dir),
		Args: map[string]string{"service": name, "path": dir + "/run"}}
	if _, err := r.pid1.Stat(dir + "/down"); err == nil {
		st.Kind = "runit.service-down"
		r.k.Emit(st, serviceRow(name, name, "down"))
		return
	}
	r.m.Wait(costInitProgram)
	if _, err := r.executable(dir + "/run"); err != nil {
		st.Kind, st.Args["error"] = "runit.cannot-start", strerror(err)
		if errorsShown {
			st.Console = fmt.Sprintf("runsv %s: fatal: unable to start ./run: %s\n", name, djbError(err))
		}
		r.k.Emit(st, serviceRow(name, name, "failed"))
		return
	}
	step := r.k.Emit(st, serviceRow(name, name, "run"))
	r.up++
	r.running = append(r.running, name)
	r.facts.Units = append(r.facts.Units, name)
	src, err := r.text(dir+"/run", maxRCScript)
	if err != nil || !strings.Contains(src.text, "getty") {
		r.process(name)
		return
	}
	r.loginService(name, dir, src.text, step)
}

// loginService follows the run script of a service that starts a getty. All other services are programs
// that run beside it.
func (r *runit) loginService(name, dir, text string, step int) {
	before := len(r.gettys)
	words := []string{dir + "/run"}
	first, _, _ := strings.Cut(text, "\n")
	if by, env := strings.CutPrefix(first, "#!/usr/bin/env "); env && strings.HasPrefix(by, "/") {
		words = []string{strings.TrimSpace(by), dir + "/run"} // env(1) runs the script's interpreter
	}
	left, doubts := r.left, len(r.doubts)
	r.cwd = dir
	status := r.follow(name, words)
	r.cwd = ""
	switch {
	case len(r.gettys) > before:
		r.gettys[before].step = step
	case len(r.doubts) > doubts:
		r.unsure = append(r.unsure, r.doubts[len(r.doubts)-1])
	default:
		r.say("runit.service-ended", "", map[string]string{"service": name, "status": strconv.Itoa(status)}, "runsv(8)", nil)
	}
	r.left = left // a service that is left holds up nothing else
}

// runFile cites a service's program.
func (r *runit) runFile(dir string) []blob.Cite {
	return r.pid1.Evidence(dir + "/run")
}

// djbError is an error in the words of runit's own table: error_str.c.
func djbError(err error) string {
	for _, e := range [...]struct {
		errno kernel.Errno
		text  string
	}{{kernel.ENOENT, "file does not exist"}, {kernel.EACCES, "access denied"}, {kernel.EPERM, "permission denied"}, {kernel.ENOTDIR, "not a directory"},
		{kernel.EROFS, "read-only file system"}, {kernel.ELOOP, "symbolic link loop"}, {kernel.ENOEXEC, "exec format error"}} {
		if errors.Is(err, e.errno) {
			return e.text
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return "access denied"
	}
	return strings.ToLower(strerror(err))
}
