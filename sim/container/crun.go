package container

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// crun creates the container and returns its init. It is a C program without threads, so one clone makes
// all namespaces; the order differs from runc's in places where the kernel allows both. src/libcrun/
// container.c, linux.c.
func (r *run) crun(main *kernel.Task) (*kernel.Task, error) {
	main.Actor, main.Stage = "crun", trace.Create
	seal(main, "/tmp/crun."+r.id[:6])
	main.MkdirAll(r.stateDir("crun"), 0o700)
	if r.engine() != "" { // "crun run" does not wait for a start
		main.Mknod(r.stateDir("crun")+"/exec.fifo", fsys.S_IFIFO|0o600, 0)
	}
	r.emit(trace.Step{Actor: main.Actor, Stage: trace.Create, Kind: "runc.join-keyring", Rule: "keyctl(2) KEYCTL_JOIN_SESSION_KEYRING",
		Args: map[string]string{"keyring": r.id}})
	if err := r.crunLimits(main); err != nil {
		return nil, err
	}
	if !r.cgroupV1() && !r.c.Rootless {
		main.MakeCgroup("", r.spec.CgroupPath)
	}
	init, err := r.crunClone(main)
	if err != nil {
		return nil, err
	}
	init.Comm, init.Actor = "crun:[2:INIT]", "crun:[init]"
	init.Setgroups(r.spec.Groups)
	if r.c.Rootless {
		if r.spec.CgroupPath != "" {
			r.delegate(main, init)
		}
	} else if r.cgroupV1() {
		r.makeCgroup(main, init)
	} else if r.userNS() {
		main.JoinCgroup("", r.spec.CgroupPath, init)
	}
	if err := r.cgroupLimits(main); err != nil {
		return nil, err
	}
	r.sysctls(init)
	init.Stage = trace.Mounts
	if err := r.crunMounts(init); err != nil {
		return nil, err
	}
	return init, r.crunReady(init)
}

// crunClone makes the container's first process, in one clone when it needs no user namespace. A group that
// exists already can be entered by clone3(2) with CLONE_INTO_CGROUP.
func (r *run) crunClone(main *kernel.Task) (*kernel.Task, error) {
	flags := r.spec.Namespaces &^ kernel.CLONE_NEWCGROUP
	switch {
	case r.userNS():
	case r.cgroupV1() || r.c.Rootless:
		return main.Clone(flags)
	default:
		return main.CloneInto(r.spec.CgroupPath, flags)
	}
	child, err := main.Clone(kernel.CLONE_NEWUSER)
	if err != nil {
		return nil, err
	}
	child.Comm, child.Actor = "crun:[1:CHILD]", "crun:[child]"
	if err := main.WriteIDMap(child, "gid_map", r.spec.GIDMap); err != nil {
		return nil, crunError(fmt.Sprintf("writing file `/proc/%d/gid_map`", child.PID), err)
	}
	if err := main.WriteIDMap(child, "uid_map", r.spec.UIDMap); err != nil {
		return nil, crunError(fmt.Sprintf("writing file `/proc/%d/uid_map`", child.PID), err)
	}
	child.Setuid(0)
	child.Setgid(0)
	if err := child.Unshare(flags &^ kernel.CLONE_NEWUSER); err != nil {
		return nil, crunError("unshare", err)
	}
	init, err := child.Clone(0)
	if err != nil {
		return nil, err
	}
	child.Exit(0)
	return init, nil
}

func (r *run) crunLimits(main *kernel.Task) error {
	for _, l := range r.spec.Limits {
		if err := main.Setrlimit(main, l.name, l.Limit); err != nil {
			return crunError("setrlimit `RLIMIT_"+l.name+"`", err)
		}
	}
	return nil
}

// crunError is crun's "what: strerror".
func crunError(what string, err error) *failure {
	text := err.Error()
	if e, ok := err.(kernel.Errno); ok {
		text = e.Strerror()
	}
	return &failure{text: what + ": " + text}
}

// later is a mount that is made read-only when all is in place.
type later struct {
	at    string
	flags kernel.MountFlags
}

// crunMounts is libcrun_set_mounts and what follows up to the new root. What shall be read-only is mounted
// writable and mounted again at the end, the latest first.
func (r *run) crunMounts(t *kernel.Task) error {
	if err := t.Mount("", "/", "", kernel.MS_REC|kernel.MS_PRIVATE, ""); err != nil {
		return crunError("make `/` private", err)
	}
	// pivot_root refuses a new root whose parent mount is shared.
	for at := r.dir; t.Mount("", at, "", kernel.MS_PRIVATE, "") != nil && at != "/"; {
		at = path.Dir(at)
	}
	if err := t.Mount(r.dir, r.dir, "", kernel.MS_BIND|kernel.MS_REC, ""); err != nil {
		return crunError("mount rootfs", err)
	}
	t.Mount("", r.dir, "", kernel.MS_REC|kernel.MS_PRIVATE, "")
	t.Mount("", r.dir, "", kernel.MS_BIND|kernel.MS_REMOUNT, "")
	var last []later
	if r.spec.ReadOnly {
		last = append(last, later{r.dir, kernel.MS_RDONLY})
	}
	if r.spec.Namespaces.Has(kernel.CLONE_NEWCGROUP) {
		t.Unshare(kernel.CLONE_NEWCGROUP)
	}
	for _, m := range r.spec.Mounts {
		more, err := r.crunMount(t, m)
		if err != nil {
			return crunError("mount `"+m.source+"` to `"+m.dest+"`", err)
		}
		last = append(last, more...)
	}
	r.crunDevices(t)
	// The working directory is made when it is missing, before the root is read-only.
	cwd := scoped(t, r.dir, r.spec.Cwd)
	if _, err := t.Stat(cwd); err != nil {
		t.MkdirAll(cwd, 0o755)
	}
	for _, p := range r.spec.Masked {
		last = append(last, r.crunMask(t, p)...)
	}
	for _, p := range r.spec.Guarded {
		at := scoped(t, r.dir, p)
		if _, err := t.Stat(at); err != nil {
			continue
		}
		t.Mount(at, at, "", kernel.MS_BIND|kernel.MS_REC, "")
		t.Mount("", at, "", kernel.MS_REC|kernel.MS_PRIVATE, "")
		last = append(last, later{at, kernel.MS_RDONLY})
	}
	for _, l := range slices.Backward(last) {
		t.Mount("", l.at, "", l.flags|kernel.MS_BIND|kernel.MS_REMOUNT, "")
	}
	return r.crunPivot(t)
}

// crunMount makes one mount of the config, without read-only.
func (r *run) crunMount(t *kernel.Task, m specMount) ([]later, error) {
	prop, options := propagation(m.options)
	flags, _ := kernel.ParseOptions(options)
	dest := scoped(t, r.dir, m.dest)
	if m.fstype == "cgroup" && r.cgroupV1() {
		return r.crunCgroupV1(t, dest, flags, prop)
	}
	m.options = dropOption(m.options, "ro")
	if err := r.mountEntry(t, m); err != nil {
		return nil, err
	}
	if flags&kernel.MS_RDONLY != 0 {
		return []later{{dest, flags}}, nil
	}
	return nil, nil
}

func (r *run) crunCgroupV1(t *kernel.Task, dest string, flags, prop kernel.MountFlags) ([]later, error) {
	if err := t.MkdirAll(dest, 0o755); err != nil {
		return nil, err
	}
	if err := t.Mount("cgroup", dest, "tmpfs", flags&^kernel.MS_RDONLY, "size=1024k"); err != nil {
		return nil, err
	}
	if prop != 0 {
		t.Mount("", dest, "", prop, "")
	}
	var last []later
	for _, h := range hierarchies() {
		at := path.Join(dest, h)
		t.Mkdir(at, 0o755)
		if err := t.Mount("/sys/fs/cgroup/"+h+r.spec.CgroupPath, at, "", flags&^kernel.MS_RDONLY|kernel.MS_BIND|kernel.MS_REC, ""); err != nil {
			return nil, err
		}
		t.Mount("", at, "", kernel.MS_REC|kernel.MS_PRIVATE, "")
		last = append(last, later{at, flags})
	}
	return last, nil
}

func (r *run) crunMask(t *kernel.Task, p string) []later {
	at := scoped(t, r.dir, p)
	fi, err := t.Stat(at)
	switch {
	case err != nil:
		return nil
	case fi.IsDir():
		t.Mount("tmpfs", at, "tmpfs", 0, "size=0k")
	default:
		t.Mount("/dev/null", at, "", kernel.MS_BIND, "")
	}
	return []later{{at, kernel.MS_RDONLY}}
}

func (r *run) crunDevices(t *kernel.Task) {
	dev := scoped(t, r.dir, "/dev")
	for _, name := range []string{"null", "zero", "full", "tty", "random", "urandom"} {
		for _, d := range kernel.CharDevices() {
			if d.Name == name && r.inUserNS() {
				r.bindDevice(t, name, path.Join(dev, name), kernel.MS_NOSUID|kernel.MS_NOEXEC)
			} else if d.Name == name {
				t.Mknod(path.Join(dev, name), fsys.S_IFCHR|d.Mode, d.Major<<8|d.Minor)
			}
		}
	}
	r.devLinks(t, dev, [][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"}, {"pts/ptmx", "ptmx"}})
}

// crunPivot is do_pivot: as runc's, but what is left of the old root is private.
func (r *run) crunPivot(t *kernel.Task) error {
	old, err := t.OpenDir("/")
	if err != nil {
		return crunError("open `/`", err)
	}
	here, err := t.OpenDir(r.dir)
	if err != nil {
		return crunError("open `"+r.dir+"`", err)
	}
	t.Fchdir(here)
	if err := t.PivotRoot(".", "."); err != nil {
		return crunError("pivot_root", err)
	}
	t.Fchdir(old)
	t.Mount("", ".", "", kernel.MS_REC|kernel.MS_PRIVATE, "")
	if err := t.Umount(".", kernel.MNT_DETACH); err != nil {
		return crunError("umount oldroot", err)
	}
	t.Chdir("/")
	t.Mount("", "/", "", kernel.MS_REC|kernel.MS_PRIVATE, "")
	return nil
}

// crunReady goes on to the point where crun waits for the start: environment, directory, the program, the
// session, the host name. The program is looked for as root.
func (r *run) crunReady(t *kernel.Task) error {
	t.Stage = trace.Exec
	s := &r.spec
	if _, has := getenv(s.Env, "HOME"); !has {
		s.Env = append(s.Env, "HOME="+homeOf(r.root, s.UID))
	}
	r.facts.Env = s.Env
	r.chdirLater = t.Chdir(s.Cwd) != nil
	name, f := r.crunFind(t)
	if f != nil {
		return f
	}
	r.found = name
	if err := t.Setsid(); err != nil {
		return crunError("setsid", err)
	}
	if err := t.SetHostname(s.Hostname); err != nil {
		return crunError("sethostname", err)
	}
	return nil
}

// dropPrivileges is the last that crun does before it waits for the start. A user that the user namespace does
// not have fails here.
func (r *run) dropPrivileges(t *kernel.Task) *failure {
	s := &r.spec
	if s.Seccomp != nil && !s.NoNewPrivs {
		r.filter(t)
	}
	t.DropBounding(t.Cred.Bounding &^ s.Caps)
	t.KeepCaps(true)
	if err := t.Setgid(s.GID); err != nil {
		return crunError(fmt.Sprintf("cannot setresgid to %d", s.GID), err)
	}
	if err := t.Setuid(s.UID); err != nil {
		return crunError(fmt.Sprintf("cannot setresuid to %d", s.UID), err)
	}
	t.Capset(s.Effective, s.Effective, s.Inheritable)
	t.SetAmbient(s.Inheritable)
	if s.NoNewPrivs {
		t.SetNoNewPrivs()
	}
	if r.chdirLater {
		if err := t.Chdir(s.Cwd); err != nil {
			return crunError("chdir", err)
		}
	}
	return nil
}

func dropOption(options, name string) string {
	list := slices.DeleteFunc(strings.Split(options, ","), func(o string) bool { return o == name })
	return strings.Join(list, ",")
}
