// Package container plays the container path: an engine resolves an image and writes a runtime config, a
// low-level runtime makes namespaces, mounts and credentials, and the program is started by execve. The
// kernel below is [bootpath/sim/kernel], the host's.
//
// The programs modelled are docker 20.10 over runc 1.1, podman 4.3 over crun 1.8 or runc 1.1, and the two
// runtimes alone with the config that their "spec" command writes: the versions of Debian 12.
package container

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// Config is what to run and how. Empty values mean the defaults of docker run.
type Config struct {
	Archive *oci.Archive // the images to choose from; nil for a bare root file system
	RootFS  fsys.FS      // taken instead of the image's merged layers, when not nil
	Image   *v1.Config   // taken instead of the image's config, when not nil
	Name    string       // of the input, for an image without a reference

	Engine      string // docker | podman | podman-runc | podman-crun | runc | crun
	Platform    string
	Ref         string
	Entrypoint  *string
	Command     []string
	User        string
	Workdir     string
	Env         []string
	CapAdd      []string
	CapDrop     []string
	SecurityOpt []string
	ReadOnly    bool
	Hostname    string
	Privileged  bool
	TTY         bool
	HostKernel  string
	HostArch    string
	Cgroup      string // v1 | v2

	// Limits and connections, as docker run takes them; see options.go.
	Memory     string // "512m"
	MemorySwap string // memory and swap together; "-1"
	PidsLimit  string
	Ulimit     []string // "nofile=1024:2048"
	Tmpfs      []string // "/run:size=64m"
	Volume     []string // "/srv/data:/data:ro"
	Network    string   // bridge | host | none | container:NAME | a name
	Sysctl     []string // "net.core.somaxconn=1024"

	OOMKillDisable bool
	OOMScoreAdj    string // "-1000" to "1000"
	Touches        string // of the learner: the program will touch so much memory, "300m"

	Init       bool
	StopSignal string

	Restart    string // no | on-failure[:N] | always | unless-stopped
	AutoRemove bool   // --rm
	NoHealth   bool
	HealthCmd  string
	Exec       []string // docker exec, when the program runs

	Interactive bool
	Stop        bool   // docker stop, when the program runs
	StopTimeout string // seconds until SIGKILL; -1 for never
	UserMaps    []kernel.IDMap
	UserNS      string          // --userns
	Rootless    bool            // the engine is called by a user, not by root
	HostUser    HostUser        // that user
	UsernsRemap bool            // docker's daemon has userns-remap
	Publish     []string        // "[IP:]HOST:CONTAINER[/PROTOCOL]"
	Binfmt      []kernel.Binfmt // of the host
}

// Facts are what a reader asks for first.
type Facts struct {
	Argv   []string
	Env    []string
	User   string // uid:gid
	Cwd    string
	Image  string // the reference and platform chosen
	Ref    string // the first reference of the image, or its config's digest
	Kernel string

	StopSignal string // what "stop" sends first
	Stop       *Stopped
	Upper      string // the host's directory that gets what the container writes; removed with it
	Volumes    []Volume
	Security   *Security
	UserNS     *UserNS // when the container's root is not the host's

	Ports   *Ports // once the program runs
	Memory  *Memory
	Health  *Health
	Exec    *Exec
	Restart *Restart
}

// run is one start on its way.
type run struct {
	m     *machine.Machine
	c     Config
	k     *kernel.Kernel
	host  *kernel.Task // the engine's process: docker's daemon, podman, or the shell that calls a runtime
	image *oci.Image
	conf  v1.Config
	root  fsys.FS
	id    string // of the container
	dir   string // where its root file system lies on the host
	spec  spec
	facts Facts

	options options
	copied  map[string]fsys.FS // anonymous volumes: what the image has there, by place

	shared   int64            // bytes of memory that files in a tmpfs hold
	filled   map[string]int64 // the same by the place of the tmpfs
	big      map[string]int64 // files that a program made, whose content is not kept: their sizes
	slept    float64          // seconds
	runs     int              // processes that scripts have started
	expanded int              // work of the scripts' expansions, up to [sh.MaxWork]
	umask    uint32

	attributes bool // a program has changed modes or owners, which are not kept

	profile    string // a seccomp profile that is not known
	found      string // crun: the program's path
	chdirLater bool   // crun: root could not enter the directory, the user may
}

// failure is why a start stops: what the innermost program says, before those around it wrap it.
type failure struct {
	text  string
	cites []blob.Cite
	early bool // the runtime refused the config: it has not started a process
	init  bool // the container's init failed before it said that it is ready

	load   bool // docker load refused the archive, before any container
	client bool // the engine's client refused the command line
	code   int  // podman: the exit code, when it is not the usual one
	usage  bool // docker's client adds where to find help
}

func (f *failure) Error() string { return f.text }

// Run starts the container on an empty machine and leaves outcome and steps in its trace.
func Run(m *machine.Machine, c Config) Facts {
	r := &run{m: m, c: c, filled: map[string]int64{}, big: map[string]int64{}, umask: 0o022}
	if r.c.Engine == "" {
		r.c.Engine = "docker"
	}
	if r.c.HostArch == "" {
		r.c.HostArch = "amd64"
	}
	if r.c.HostKernel == "" {
		r.c.HostKernel = "6.1.0"
	}
	if r.c.HostUser.UID == 0 {
		r.c.HostUser = firstUser()
	}
	r.c.Rootless = r.c.Rootless && r.engine() != ""
	r.start()
	return r.facts
}

// start is the story: choose, configure, create, execute.
func (r *run) start() {
	r.makeHost()
	if f := r.readOptions(); f != nil {
		r.refuse(f, trace.Resolve)
		return
	}
	if !r.resolve() || !r.configure() {
		return
	}
	r.mountRoot()
	if r.m.Ended() {
		return
	}
	init := r.launch()
	if init == nil || r.m.Ended() {
		return
	}
	r.execute(init)
}

// engine tells which front end is played: docker, podman, or "" for a runtime alone.
func (r *run) engine() string {
	if r.c.Engine == "docker" {
		return "docker"
	}
	if strings.HasPrefix(r.c.Engine, "podman") {
		return "podman"
	}
	return ""
}

// runtime tells which low-level runtime is played. Debian's podman prefers crun.
func (r *run) runtime() string {
	switch r.c.Engine {
	case "docker", "runc", "podman-runc":
		return "runc"
	}
	return "crun"
}

func (r *run) cgroupV1() bool { return r.c.Cgroup == "v1" }

// emit appends a step that is no system call.
func (r *run) emit(st trace.Step, rows ...machine.Set) int { return r.k.Emit(st, rows...) }

// mountRoot puts the image's tree where the engine keeps it: docker and podman mount an overlay of the
// layers, a bare bundle is a directory.
func (r *run) mountRoot() {
	t := r.host
	_, _, name := r.names()
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/diff,workdir=%s/work", r.lowerDirs(), path.Dir(r.dir), path.Dir(r.dir))
	t.Quiet = true
	t.MkdirAll(r.dir, 0o700)
	t.Quiet = false
	t.Actor, t.Stage = name, trace.Create
	if r.engine() == "podman" {
		r.podmanStore(t)
	}
	var err error
	if r.engine() == "" {
		t.Quiet = true
		err = t.MountFS(r.root, r.dir, r.dir, "ext4", "")
		t.Quiet = false
		r.emit(trace.Step{Actor: r.runtime(), Stage: trace.Create, Kind: "engine.bundle", Rule: "runtime-spec bundle.md",
			Args: map[string]string{"bundle": path.Dir(r.dir), "root": r.dir}})
	} else {
		r.ownLayers()
		err = r.mountOverlay(t, options)
		r.workdir(t)
		r.mtab(t)
	}
	if err != nil {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.container-root").For(kernel.Because(err))})
	}
}

// mountOverlay mounts the layers. In a user namespace the kernel allows it since 5.11, with marks that a user
// may set; before, a program does it by FUSE. overlayfs.rst, userxattr; fuse-overlayfs(1).
func (r *run) mountOverlay(t *kernel.Task, options string) error {
	if !r.c.Rootless {
		return t.MountFS(r.root, r.dir, "overlay", "overlay", options)
	}
	if !olderThan(r.c.HostKernel, 5, 11) {
		return t.MountFS(r.root, r.dir, "overlay", "overlay", options+",userxattr")
	}
	fuse := r.program(t, "shim.start-fuse", "/usr/bin/fuse-overlayfs", "-o", options, r.dir)
	return fuse.MountFS(r.root, r.dir, "fuse-overlayfs", "fuse.fuse-overlayfs", "nodev,nosuid")
}

// podmanStore is what podman does before it mounts the layers: nothing that is mounted in its store shall
// appear elsewhere, and /dev/shm is a file system that containers of a pod can share. containers/storage
// drivers/overlay, libpod container_internal_linux.go.
func (r *run) podmanStore(t *kernel.Task) {
	store, _, _ := r.names()
	store += "/overlay"
	if r.c.Rootless { // its first use in this mount namespace
		t.Quiet = true
		t.MkdirAll(store, 0o700)
		t.Quiet = false
		t.Mount(store, store, "", kernel.MS_BIND, "")
	}
	t.Mount("", store, "", kernel.MS_PRIVATE, "")
	for _, m := range r.spec.Mounts {
		if strings.HasSuffix(m.source, "/userdata/shm") {
			t.Quiet = true
			t.MkdirAll(m.source, 0o700)
			t.Quiet = false
			t.Mount("shm", m.source, "tmpfs", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "mode=1777,size=65536000")
		}
	}
	t.Mount("", store, "", kernel.MS_PRIVATE, "")
}

// mtab is made by podman in an image that has none. libpod container_internal.go, createMtab.
func (r *run) mtab(t *kernel.Task) {
	if r.engine() != "podman" || r.m.Ended() {
		return
	}
	etc := scoped(t, r.dir, "/etc")
	if _, err := t.Lstat(etc + "/mtab"); errors.Is(err, kernel.ENOENT) {
		t.Quiet = true
		t.MkdirAll(etc, 0o755)
		t.Quiet = false
		t.Symlink("/proc/mounts", etc+"/mtab")
	}
}

// workdir is made by the engine when the image has none: docker's SetupWorkingDirectory.
func (r *run) workdir(t *kernel.Task) {
	if r.spec.Cwd == "" || !path.IsAbs(r.spec.Cwd) || r.engine() != "docker" {
		return
	}
	at := scoped(t, r.dir, r.spec.Cwd)
	if _, err := t.Stat(at); errors.Is(err, kernel.ENOENT) {
		t.MkdirAll(at, 0o755)
	}
}

// names gives the directory where the engine keeps containers, where a container's root is mounted, and
// the actor's name.
func (r *run) names() (store, root, actor string) {
	switch r.engine() {
	case "docker":
		store = "/var/lib/docker"
		switch {
		case r.c.Rootless:
			store = home + "/.local/share/docker"
		case len(r.options.maps.uid) > 0:
			store = fmt.Sprintf("/var/lib/docker/%d.%d", r.options.maps.uid[0].Outside, r.options.maps.gid[0].Outside)
		}
		return store, store + "/overlay2/" + r.layerID() + "/merged", "dockerd"
	case "podman":
		store = "/var/lib/containers/storage"
		if r.c.Rootless {
			store = home + "/.local/share/containers/storage"
		}
		return store, store + "/overlay/" + r.layerID() + "/merged", "podman"
	}
	return "/run/bundle", "/run/bundle/rootfs", r.runtime()
}

func (r *run) layerID() string { return shortSum("layer of " + r.id) }

// shortSum stands for a random ID.
func shortSum(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:6])
}

// lowerDirs names the layers as overlay wants them, the top first.
func (r *run) lowerDirs() string {
	var out []string
	if r.image != nil {
		for _, l := range slices.Backward(r.image.Layers) {
			out = append(out, shortDigest(l.DiffID))
		}
	}
	return strings.Join(out, ":")
}

func shortDigest(d string) string {
	_, hexa, _ := strings.Cut(d, ":")
	return hexa[:min(len(hexa), 12)]
}

// containerID stands for the random ID that an engine draws, in its short form of 12 digits: it depends on
// the image and the command, so that the same inputs give the same trace.
func (r *run) containerID() string {
	digest := r.c.Name
	if r.image != nil {
		digest = r.image.ConfigDigest
	}
	return shortSum(digest + "\x00" + strings.Join(r.c.Command, "\x00"))
}

// scoped resolves name below root as if root were "/": links inside cannot lead out. It is what runc's
// securejoin and crun's openat2(RESOLVE_IN_ROOT) do. Missing components stay as they are.
func scoped(t *kernel.Task, root, name string) string {
	rest := strings.Split(name, "/")
	at, links := root, 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at != root {
				at = path.Dir(at)
			}
			continue
		}
		next := path.Join(at, part)
		target, err := t.ReadLink(next)
		if err != nil {
			at = next
			continue
		}
		if links++; links > 255 {
			return next
		}
		if path.IsAbs(target) {
			at = root
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at
}
