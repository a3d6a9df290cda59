package container

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// runc creates the container and returns its init, which has all that the config asks for and waits for
// execve. The order is runc's: main process and three stages of "runc init". libcontainer/
// container_linux.go, nsexec.c, standard_init_linux.go.
func (r *run) runc(main *kernel.Task) (*kernel.Task, error) {
	main.Actor, main.Stage = "runc", trace.Create
	if err := r.checkSpec(); err != nil {
		return nil, err
	}
	state := r.stateDir("runc")
	main.MkdirAll(state, 0o711)
	main.Mknod(state+"/exec.fifo", fsys.S_IFIFO|0o622, 0)
	init, err := r.stages(main, state)
	if err != nil {
		return nil, err
	}
	init.Stage = trace.Mounts
	if err := r.prepareRootfs(main, init); err != nil {
		return nil, initError(err)
	}
	if err := r.finishInit(main, init); err != nil {
		return nil, initError(err)
	}
	init.Stage = trace.Exec
	return init, r.finalizeNamespace(main, init)
}

// initError marks what init reports before it says that it is ready.
func initError(err error) error {
	var f *failure
	if errors.As(err, &f) {
		f.init = true
		return f
	}
	return &failure{text: err.Error(), init: true}
}

// checkSpec is what runc refuses before it makes a process. libcontainer/specconv, utils_linux.go
// validateProcessSpec.
func (r *run) checkSpec() error {
	early := func(text string, keys ...string) error {
		return &failure{text: text, early: true, cites: r.cite(keys...)}
	}
	s := &r.spec
	switch {
	case s.Cwd == "":
		return early("Cwd property must not be empty", "config.WorkingDir")
	case !path.IsAbs(s.Cwd):
		return early("Cwd must be an absolute path", "config.WorkingDir")
	case len(s.Args) == 0:
		return early("args must not be empty", "config.Entrypoint", "config.Cmd")
	}
	// libcontainer/configs/validate, sysctl: net. needs a network namespace of the container's own.
	for _, v := range s.Sysctl {
		key, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(key, "net.") && !s.Namespaces.Has(kernel.CLONE_NEWNET) {
			return early(fmt.Sprintf("sysctl %q is not allowed in the hosts network namespace", key))
		}
	}
	return nil
}

// stages are the processes of nsexec.c. A process cannot move itself into a new PID namespace, only its
// children, and a Go program has threads, with which user and mount namespaces cannot be entered: so C
// code clones twice before the Go runtime starts.
func (r *run) stages(main *kernel.Task, state string) (*kernel.Task, error) {
	parent, err := main.Clone(kernel.CLONE_VM | kernel.CLONE_VFORK)
	if err != nil {
		return nil, initError(err)
	}
	parent.Become("/usr/bin/runc", []string{"runc", "init"})
	parent.Comm, parent.Actor = "runc:[0:PARENT]", "runc:[0:PARENT]"
	parent.Chdir(r.dir)
	r.emit(trace.Step{Actor: parent.Actor, Stage: trace.Create, Kind: "runc.start-init", Rule: "runc libcontainer/nsenter/README.md", Args: map[string]string{"argv": "runc init"}})

	r.makeCgroup(main, parent)

	seal(parent, state+"/runc."+r.id[:6])

	child, err := parent.Clone(kernel.CLONE_PARENT)
	if err != nil {
		return nil, initError(err)
	}
	child.Comm, child.Actor = "runc:[1:CHILD]", "runc:[1:CHILD]"
	if r.spec.SharedNet {
		if err := child.Setns(r.host, kernel.CLONE_NEWNET); err != nil {
			return nil, initError(err)
		}
	}
	if err := r.userStage(parent, child); err != nil {
		return nil, initError(err)
	}
	if err := child.Unshare(r.spec.Namespaces &^ (kernel.CLONE_NEWCGROUP | kernel.CLONE_NEWUSER)); err != nil {
		return nil, initError(err)
	}
	init, err := child.Clone(kernel.CLONE_PARENT)
	if err != nil {
		return nil, initError(err)
	}
	init.Comm, init.Actor = "runc:[2:INIT]", "runc:[2:INIT]"
	child.Exit(0)
	init.Setsid()
	init.Setuid(0)
	init.Setgid(0)
	if r.inUserNS() {
		init.Setgroups(nil) // those of the host mean nothing here
	}
	// The cgroup namespace comes last: its root is where the process is now, inside the new group.
	if r.spec.Namespaces.Has(kernel.CLONE_NEWCGROUP) {
		init.Unshare(kernel.CLONE_NEWCGROUP)
	}
	parent.Exit(0)
	return init, nil
}

// seal has a runtime go on from a copy of its program that cannot be written: a container must not reach
// the host's binary through /proc/PID/exe and change it (CVE-2019-5736).
func seal(t *kernel.Task, at string) {
	t.Quiet = true
	t.WriteFile(at, nil, 0o600)
	t.Quiet = false
	t.Mount("/proc/self/exe", at, "", kernel.MS_BIND, "")
	t.Mount("", at, "", kernel.MS_BIND|kernel.MS_REMOUNT|kernel.MS_RDONLY, "")
	t.Umount(at, kernel.MNT_DETACH)
}

// makeCgroup puts init into its control group while it waits.
func (r *run) makeCgroup(main, init *kernel.Task) {
	if r.c.Rootless {
		if r.spec.CgroupPath != "" {
			r.delegate(main, init)
		}
		return
	}
	list := []string{""}
	if r.cgroupV1() {
		list = hierarchies()
	}
	for _, h := range list {
		main.MakeCgroup(h, r.spec.CgroupPath)
		main.JoinCgroup(h, r.spec.CgroupPath, init)
	}
}

// prepareRootfs builds the tree that will be the container's "/". rootfs_linux.go.
func (r *run) prepareRootfs(main, t *kernel.Task) error {
	r.emit(trace.Step{Actor: t.Actor, Stage: t.Stage, Kind: "runc.join-keyring", Rule: "keyctl(2) KEYCTL_JOIN_SESSION_KEYRING",
		Args: map[string]string{"keyring": "_ses." + r.id}})
	// Mounts made here must not appear on the host; unmounts there should appear here.
	if err := t.Mount("", "/", "", kernel.MS_REC|kernel.MS_SLAVE, ""); err != nil {
		return err
	}
	// pivot_root wants a mount point that is not the current root's.
	if err := t.Mount(r.dir, r.dir, "", kernel.MS_BIND|kernel.MS_REC, ""); err != nil {
		return err
	}
	for _, m := range r.spec.Mounts {
		if err := r.mountEntry(t, m); err != nil {
			return &failure{text: fmt.Sprintf("error mounting %q to rootfs at %q: %v", m.source, m.dest, err), init: true}
		}
	}
	r.devices(t)
	if err := r.cgroupLimits(main); err != nil {
		return &failure{text: "error setting cgroup config for procHooks process: " + err.Error()}
	}
	return r.pivot(t)
}

// mountEntry makes one mount of the config. The place is found inside the root: the image's links cannot
// lead the mount out of it.
func (r *run) mountEntry(t *kernel.Task, m specMount) error {
	prop, options := propagation(m.options)
	flags, data := kernel.ParseOptions(options)
	dest := scoped(t, r.dir, m.dest)
	if m.fstype == "bind" {
		return r.bindEntry(t, m, dest, flags, prop)
	}
	if err := t.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	fstype := m.fstype
	if fstype == "cgroup" {
		if r.cgroupV1() {
			return r.mountCgroupV1(t, dest, flags, prop)
		}
		fstype = "cgroup2"
	}
	source := m.source
	if r.runtime() == "crun" { // see bindEntry; do_mount_cgroup_v2
		flags |= prop & kernel.MS_REC
		if fstype == "cgroup2" {
			source = fstype
		}
	}
	if err := t.Mount(source, dest, fstype, flags, data); err != nil {
		return err
	}
	if prop != 0 {
		return t.Mount("", dest, "", prop, "")
	}
	return nil
}

// bindEntry mounts a file or directory of the host, which the engine has made before.
func (r *run) bindEntry(t *kernel.Task, m specMount, dest string, flags, prop kernel.MountFlags) error {
	r.hostFile(t, m, dest)
	if fi, err := r.host.Stat(m.source); err == nil && fi.IsDir() {
		if err := t.MkdirAll(dest, 0o755); err != nil {
			return err
		}
	} else if _, err := t.Stat(dest); err != nil {
		t.MkdirAll(dirOf(dest), 0o755)
		if err := t.WriteFile(dest, nil, 0o755); err != nil {
			return err
		}
	}
	source, rest := m.source, flags&^(kernel.MS_BIND|kernel.MS_REC)
	again := rest != 0
	if r.runtime() == "crun" {
		// crun takes MS_REC from "rprivate" too, and mounts again whatever the flags: get_mount_flags, do_mount.
		source, again = "", true
		flags |= prop & kernel.MS_REC
	}
	if content := r.copied[m.dest]; content != nil {
		if err := t.BindFS(content, m.source, dest, flags); err != nil {
			return err
		}
	} else if err := t.Mount(m.source, dest, "", flags, ""); err != nil {
		return err
	}
	if prop != 0 {
		if err := t.Mount("", dest, "", prop, ""); err != nil {
			return err
		}
	}
	// Flags of a bind mount take effect only when it is mounted again. mount(2), "Creating a bind mount"
	if again {
		return t.Mount(source, dest, "", rest|kernel.MS_BIND|kernel.MS_REMOUNT, "")
	}
	return nil
}

// hostFile makes sure that the source is there: the engine's hosts, hostname, resolv.conf, shm, or what a
// volume names. What a volume is mounted over tells whether that is a file; otherwise it is a directory, as
// docker makes one that is missing. Podman refuses that; here the host is taken to have it.
func (r *run) hostFile(in *kernel.Task, m specMount, dest string) {
	t, name := r.host, m.source
	if _, err := t.Stat(name); err == nil {
		return
	}
	t.Quiet = true
	defer func() { t.Quiet = false }()
	t.MkdirAll(dirOf(name), 0o700)
	switch path.Base(name) {
	case "docker-init", "catatonit":
		t.WriteFile(name, nil, 0o755)
	case "hostname":
		t.WriteFile(name, []byte(r.spec.Hostname+"\n"), 0o644)
	default:
		if fi, err := in.Stat(dest); (r.isVolume(m.dest) || path.Base(name) == "_data") && (err != nil || fi.IsDir()) {
			t.Mkdir(name, 0o755)
			return
		}
		t.WriteFile(name, nil, 0o644)
	}
}

// mountCgroupV1 shows the container its own group of each hierarchy.
func (r *run) mountCgroupV1(t *kernel.Task, dest string, flags, prop kernel.MountFlags) error {
	if err := t.Mount("tmpfs", dest, "tmpfs", kernel.MS_NOSUID|kernel.MS_NODEV|kernel.MS_NOEXEC, "mode=755"); err != nil {
		return err
	}
	if prop != 0 {
		t.Mount("", dest, "", prop, "")
	}
	for _, h := range hierarchies() {
		at, own := path.Join(dest, h), "/sys/fs/cgroup/"+h+r.spec.CgroupPath
		t.MkdirAll(at, 0o755)
		if err := t.Mount(own, at, "", flags|kernel.MS_BIND|kernel.MS_REC, ""); err != nil {
			return err
		}
		if prop != 0 {
			t.Mount("", at, "", prop, "")
		}
		t.Mount(own, at, "", flags|kernel.MS_BIND|kernel.MS_REC|kernel.MS_REMOUNT, "")
	}
	return nil
}

// devices makes the nodes and links of /dev. runtime-spec config-linux.md, "Default Devices", "Dev symbolic
// links".
func (r *run) devices(t *kernel.Task) {
	dev := scoped(t, r.dir, "/dev")
	for _, d := range kernel.CharDevices() {
		if r.inUserNS() {
			r.bindDevice(t, d.Name, path.Join(dev, d.Name), 0)
			continue
		}
		t.Mknod(path.Join(dev, d.Name), fsys.S_IFCHR|d.Mode, d.Major<<8|d.Minor)
	}
	r.devLinks(t, dev, [][2]string{{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}})
}

func (r *run) devLinks(t *kernel.Task, dev string, links [][2]string) {
	for _, l := range links {
		if _, err := t.Lstat(path.Join(dev, l[1])); err != nil {
			t.Symlink(l[0], path.Join(dev, l[1]))
		}
	}
}

// deviceRules limit which devices can be opened: files of the devices controller in version 1, a BPF
// program in version 2.
func (r *run) deviceRules(main *kernel.Task) error {
	if r.c.Rootless {
		return nil // a user may neither write the files nor load the program; permissions of the nodes have to do
	}
	how := "BPF_PROG_ATTACH BPF_CGROUP_DEVICE"
	if r.cgroupV1() {
		how = "devices.deny, devices.allow"
	}
	r.emit(trace.Step{Actor: main.Actor, Stage: trace.Mounts, Kind: "runc.limit-devices", Rule: "runtime-spec config-linux.md, Allowed Device list",
		Args: map[string]string{"how": how, "cgroup": r.spec.CgroupPath}})
	return nil
}

// pivot makes the tree the root. "pivot_root(".", ".") … In order to mount the old root onto the new one,
// so that no directory is needed for it" - pivot_root(2), NOTES.
func (r *run) pivot(t *kernel.Task) error {
	old, err := t.OpenDir("/")
	if err != nil {
		return err
	}
	if err := t.Chdir(r.dir); err != nil {
		return err
	}
	here, err := t.OpenDir(".")
	if err != nil {
		return err
	}
	t.Fchdir(here)
	if err := t.PivotRoot(".", "."); err != nil {
		return &failure{text: "pivot_root .: " + err.Error(), init: true}
	}
	// The old root now lies over the new one; what happens to it must not travel to the host.
	t.Fchdir(old)
	if err := t.Mount("", ".", "", kernel.MS_REC|kernel.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := t.Umount(".", kernel.MNT_DETACH); err != nil {
		return err
	}
	return t.Chdir("/")
}

// finishInit is the part of Init behind prepareRootfs, up to the message that init is ready.
func (r *run) finishInit(main, t *kernel.Task) error {
	s := &r.spec
	// runc makes the working directory before it makes the root read-only.
	if _, err := t.Stat(s.Cwd); err != nil {
		if err := t.MkdirAll(s.Cwd, 0o755); err != nil {
			return &failure{text: fmt.Sprintf("mkdir %s: %v", s.Cwd, err)}
		}
	}
	if s.ReadOnly {
		if err := t.Mount("", "/", "", kernel.MS_BIND|kernel.MS_REMOUNT|kernel.MS_RDONLY, ""); err != nil {
			return err
		}
	}
	if s.Hostname != "" {
		if err := t.SetHostname(s.Hostname); err != nil {
			return err
		}
	}
	r.sysctls(t)
	for _, p := range s.Guarded {
		r.guard(t, p)
	}
	for _, p := range s.Masked {
		r.mask(t, p)
	}
	if s.NoNewPrivs {
		t.SetNoNewPrivs()
	}
	return r.limits(main, t)
}

func (r *run) sysctls(t *kernel.Task) {
	for _, v := range r.spec.Sysctl {
		key, value, _ := strings.Cut(v, "=")
		r.emit(trace.Step{Actor: t.Actor, Stage: t.Stage, Kind: "runc.write-sysctl", Rule: "runtime-spec config-linux.md, Sysctl",
			Args: map[string]string{"key": key, "value": value, "path": "/proc/sys/" + strings.ReplaceAll(key, ".", "/")}})
	}
}

// guard makes a path read-only by a mount of it on itself; one that is not there is left out.
func (r *run) guard(t *kernel.Task, p string) {
	if t.Mount(p, p, "", kernel.MS_BIND|kernel.MS_REC, "") != nil {
		return
	}
	t.Mount(p, p, "", t.FlagsAt(p)|kernel.MS_BIND|kernel.MS_REMOUNT|kernel.MS_RDONLY, "")
}

// mask hides a path: a file behind /dev/null, a directory behind an empty file system.
func (r *run) mask(t *kernel.Task, p string) {
	if err := t.Mount("/dev/null", p, "", kernel.MS_BIND, ""); errors.Is(err, kernel.ENOTDIR) {
		t.Mount("tmpfs", p, "tmpfs", kernel.MS_RDONLY, "")
	}
}

// limits are set by the parent: a container's init may lack the right to raise them.
func (r *run) limits(main, t *kernel.Task) error {
	for _, l := range r.spec.Limits {
		if err := main.Setrlimit(t, l.name, l.Limit); err != nil {
			typ, _ := rlimitType(l.name)
			return &failure{text: fmt.Sprintf("error setting rlimits for ready process: error setting rlimit type %d: %v", typ, err)}
		}
	}
	return nil
}

// finalizeNamespace gives away what root had, in the only order that works: the filter while CAP_SYS_ADMIN
// is there, groups before the user, capabilities last. init_linux.go.
func (r *run) finalizeNamespace(main, t *kernel.Task) error {
	s := &r.spec
	// Without no_new_privs a filter needs CAP_SYS_ADMIN, so it comes before the capabilities go. seccomp(2)
	if s.Seccomp != nil && !s.NoNewPrivs {
		if err := r.filter(t); err != nil {
			return err
		}
	}
	again := false
	chdir := func(err error) error {
		return &failure{text: fmt.Sprintf("chdir to cwd (%q) set in config.json failed: %v", s.Cwd, err), cites: r.cite("config.WorkingDir")}
	}
	switch err := t.Chdir(s.Cwd); {
	case errors.Is(err, kernel.EPERM), errors.Is(err, kernel.EACCES):
		again = true // the container's user may be allowed to
	case err != nil:
		return chdir(err)
	}
	drop := t.Cred.Bounding &^ s.Caps
	if err := t.DropBounding(drop); err != nil {
		return &failure{text: "unable to apply bounding set: " + err.Error()}
	}
	t.KeepCaps(true)
	if err := r.setupUser(t); err != nil {
		return err
	}
	if again {
		if err := t.Chdir(s.Cwd); err != nil {
			return chdir(err)
		}
	}
	t.KeepCaps(false)
	if err := t.Capset(s.Effective, s.Effective, s.Inheritable); err != nil {
		return &failure{text: "unable to apply caps: " + err.Error()}
	}
	t.SetAmbient(s.Inheritable)
	if _, has := getenv(s.Env, "HOME"); !has {
		s.Env = append(s.Env, "HOME="+homeOf(r.root, s.UID))
	}
	r.facts.Env = s.Env
	return nil
}

// filter installs the seccomp filter. A profile that the learner named is a file of the host: what it lets
// pass from here on is not known.
func (r *run) filter(t *kernel.Task) error {
	f := r.spec.Seccomp
	if r.profile != "" {
		f = &kernel.Filter{Name: r.profile}
	}
	if err := t.Seccomp(f); err != nil {
		return &failure{text: "unable to init seccomp: " + err.Error()}
	}
	if r.profile != "" {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.seccomp-profile", "path", r.profile)})
	}
	return nil
}

func (r *run) setupUser(t *kernel.Task) error {
	s := &r.spec
	if err := t.Setgroups(s.Groups); err != nil {
		return &failure{text: "setgroups: " + err.Error()}
	}
	if err := t.Setgid(s.GID); err != nil {
		return &failure{text: "setgid: " + err.Error()}
	}
	if err := t.Setuid(s.UID); err != nil {
		return &failure{text: "setuid: " + err.Error()}
	}
	return nil
}
