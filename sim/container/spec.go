package container

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
)

// spec is the runtime config, as far as it matters here. runtime-spec config.md, config-linux.md.
type spec struct {
	Args, Env       []string
	Cwd             string
	UID, GID        uint32
	Groups          []uint32
	Caps            kernel.Caps // bounding
	Effective       kernel.Caps // and permitted
	Inheritable     kernel.Caps // and ambient
	NoNewPrivs      bool
	Limits          []rlimit
	Hostname        string
	ReadOnly        bool
	Terminal        bool
	Mounts          []specMount
	Namespaces      kernel.Flags
	Seccomp         *kernel.Filter
	Masked, Guarded []string // maskedPaths, readonlyPaths
	Sysctl          []string // "net.ipv4.ip_unprivileged_port_start=0"
	CgroupPath      string
	Memory, Swap    int64 // bytes; Swap is both together, -1 without limit; zero when not set
	PidsLimit       int64 // -1 without limit, zero when not set
	UIDMap, GIDMap  []kernel.IDMap
	SharedNet       bool // the namespace of the host's network is entered, not made
	AllDevices      bool
}

// specMount is an entry of mounts.
type specMount struct {
	dest, fstype, source string
	options              string
}

// defaultCaps are the capabilities that docker leaves. moby oci/caps/defaults.go.
func defaultCaps() kernel.Caps {
	return kernel.SetOf(kernel.CAP_CHOWN, kernel.CAP_DAC_OVERRIDE, kernel.CAP_FSETID, kernel.CAP_FOWNER, kernel.CAP_MKNOD,
		kernel.CAP_NET_RAW, kernel.CAP_SETGID, kernel.CAP_SETUID, kernel.CAP_SETFCAP, kernel.CAP_SETPCAP,
		kernel.CAP_NET_BIND_SERVICE, kernel.CAP_SYS_CHROOT, kernel.CAP_KILL, kernel.CAP_AUDIT_WRITE)
}

const allNamespaces = kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET

// bareSpec is what "runc spec" and "crun spec" write.
func (r *run) bareSpec() spec {
	s := spec{
		Env: []string{"PATH=" + defaultPath, "TERM=xterm"}, Cwd: "/", NoNewPrivs: true, Hostname: r.runtime(), ReadOnly: true,
		Caps:   kernel.SetOf(kernel.CAP_AUDIT_WRITE, kernel.CAP_KILL, kernel.CAP_NET_BIND_SERVICE),
		Limits: []rlimit{{"NOFILE", kernel.Limit{Soft: 1024, Hard: 1024}}}, Namespaces: allNamespaces, CgroupPath: "/" + r.id,
		Mounts: []specMount{
			{"/proc", "proc", "proc", ""},
			{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
			{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
			{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
			{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
			{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
			{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"},
		},
		Masked:  []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"},
		Guarded: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
	}
	if !r.cgroupV1() {
		s.Namespaces |= kernel.CLONE_NEWCGROUP
	}
	return s
}

// dockerSpec is what dockerd writes. moby oci/defaults.go, daemon/oci_linux.go.
func (r *run) dockerSpec() spec {
	files := "/var/lib/docker/containers/" + r.id
	s := spec{
		Cwd: "/", Caps: defaultCaps(), Hostname: r.id, Namespaces: allNamespaces, CgroupPath: "/docker/" + r.id,
		Mounts: []specMount{
			{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
			{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
			{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
			{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
			{"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"},
			{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
			{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=67108864"},
			{"/etc/resolv.conf", "bind", files + "/resolv.conf", "rbind,rprivate"},
			{"/etc/hostname", "bind", files + "/hostname", "rbind,rprivate"},
			{"/etc/hosts", "bind", files + "/hosts", "rbind,rprivate"},
		},
		Masked:  []string{"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"},
		Guarded: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		Sysctl:  []string{"net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 2147483647"},
	}
	if !r.cgroupV1() {
		s.Namespaces |= kernel.CLONE_NEWCGROUP
	}
	return s
}

// podmanCaps are the capabilities that podman leaves: the list of Debian's containers.conf. containers.conf(5),
// default_capabilities.
func podmanCaps() kernel.Caps {
	return defaultCaps() &^ kernel.SetOf(kernel.CAP_AUDIT_WRITE, kernel.CAP_MKNOD, kernel.CAP_NET_RAW)
}

// podmanSpec is what podman writes as root.
func (r *run) podmanSpec() spec {
	files := "/run/containers/storage/overlay-containers/" + r.id + "/userdata"
	store, _, _ := r.names()
	if r.c.Rootless {
		files = r.c.HostUser.runDir() + "/containers/overlay-containers/" + r.id + "/userdata"
	}
	s := spec{
		Cwd: "/", Caps: podmanCaps(), Hostname: r.id, Namespaces: allNamespaces, PidsLimit: 2048,
		CgroupPath: "/libpod_parent/libpod-" + r.id,
		Limits:     []rlimit{{"NOFILE", kernel.Limit{Soft: 1048576, Hard: 1048576}}, {"NPROC", kernel.Limit{Soft: 4194304, Hard: 4194304}}},
		Mounts: []specMount{
			{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
			{"/dev", "tmpfs", "tmpfs", "nosuid,noexec,strictatime,mode=755,size=65536k"},
			{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
			{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
			{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
			{"/etc/hosts", "bind", files + "/hosts", "bind,rprivate"},
			{"/dev/shm", "bind", store + "/overlay-containers/" + r.id + "/userdata/shm", "bind,rprivate,nosuid,noexec,nodev"},
			{"/run/.containerenv", "bind", files + "/.containerenv", "bind,rprivate"},
			{"/etc/resolv.conf", "bind", files + "/resolv.conf", "bind,rprivate"},
			{"/etc/hostname", "bind", files + "/hostname", "bind,rprivate"},
			{"/sys/fs/cgroup", "cgroup", "cgroup", "rprivate,nosuid,noexec,nodev,relatime,ro"},
		},
		Masked:  []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block"},
		Guarded: []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		Sysctl:  []string{"net.ipv4.ping_group_range=0 0"}, // containers.conf(5), default_sysctls
	}
	if !r.cgroupV1() {
		s.Namespaces |= kernel.CLONE_NEWCGROUP
	}
	if r.c.Network == "none" { // libpod container_internal_linux.go, makeBindMounts
		s.Mounts = slices.DeleteFunc(s.Mounts, func(m specMount) bool { return m.dest == "/etc/resolv.conf" })
	}
	return s
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// setenv adds or replaces a variable at its place.
func setenv(env []string, key, value string) []string {
	for i, e := range env {
		if k, _, _ := strings.Cut(e, "="); k == key {
			env[i] = key + "=" + value
			return env
		}
	}
	return append(env, key+"="+value)
}

// getenv looks a variable up; the first counts, as in C and Go.
func getenv(env []string, key string) (string, bool) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, key+"="); ok {
			return v, true
		}
	}
	return "", false
}

// applySecurity applies what the user may change: capabilities, seccomp, no_new_privs, privileged.
func (r *run) applySecurity(s *spec) *failure {
	if r.c.Privileged {
		s.Caps, s.Masked, s.Guarded, s.AllDevices = kernel.AllCaps, nil, nil, true
		for i, m := range s.Mounts {
			if m.fstype != "bind" && m.fstype != "tmpfs" {
				s.Mounts[i].options = dropOption(m.options, "ro")
			}
		}
	}
	var err *failure
	if s.Caps, err = r.tweakCaps(s.Caps, r.c.CapAdd, r.c.CapDrop); err != nil {
		return err
	}
	if s.Effective, s.Inheritable, err = r.effective(s); err != nil {
		return err
	}
	unconfined := r.c.Privileged || r.engine() == ""
	for _, o := range r.c.SecurityOpt {
		key, value, _ := strings.Cut(strings.Replace(o, ":", "=", 1), "=")
		switch key {
		case "no-new-privileges":
			s.NoNewPrivs = value != "false"
		case "seccomp":
			switch value {
			case "unconfined":
				unconfined = true
			case "", "builtin", "default":
			default:
				r.profile = value
			}
		}
	}
	if !unconfined {
		s.Seccomp = defaultFilter(r.engine(), s.Caps)
	}
	r.facts.Security = r.security(s, unconfined)
	return nil
}

// Security is what the container may not do.
type Security struct {
	Seccomp      string // the profile; unconfined
	Refused      []Refusal
	AppArmor     string // the profile, where the host has AppArmor; "" when a runtime alone names none
	NoNewPrivs   bool
	Bounding     string // capabilities that no program in it can have more of
	Effective    string // those that the program starts with
	Masked       []string
	ReadOnlyPath []string
}

func (r *run) security(s *spec, unconfined bool) *Security {
	out := &Security{Seccomp: "unconfined", NoNewPrivs: s.NoNewPrivs, Bounding: s.Caps.String(), Effective: s.Effective.String(), Masked: s.Masked, ReadOnlyPath: s.Guarded}
	switch {
	case unconfined:
	case r.profile != "":
		out.Seccomp = r.profile
	default:
		out.Seccomp, out.Refused = "default", refusals(r.engine(), s.Caps)
	}
	// moby daemon/container_operations.go: docker-default; containers/common pkg/apparmor.
	switch r.engine() {
	case "docker":
		out.AppArmor = "docker-default"
	case "podman":
		out.AppArmor = "containers-default"
	}
	if r.c.Privileged && out.AppArmor != "" {
		out.AppArmor = "unconfined"
	}
	for _, o := range r.c.SecurityOpt {
		if v, ok := strings.CutPrefix(strings.Replace(o, ":", "=", 1), "apparmor="); ok {
			out.AppArmor = v
		}
	}
	return out
}

// effective tells which capabilities the program has from the start. A user other than root gets none
// ("to match what execve does", moby oci.SetCapabilities); podman leaves it those that --cap-add named, also
// as ambient ones. A bundle says what it says.
func (r *run) effective(s *spec) (caps, ambient kernel.Caps, _ *failure) {
	if r.engine() == "" || s.UID == 0 {
		return s.Caps, 0, nil
	}
	if r.engine() == "docker" {
		return 0, 0, nil
	}
	caps, err := r.tweakCaps(0, r.c.CapAdd, nil)
	return caps, caps, err
}

// tweakCaps is --cap-add and --cap-drop. moby oci/caps/utils.go, TweakCapabilities; containers/common
// pkg/capabilities. podman splits at commas.
func (r *run) tweakCaps(base kernel.Caps, add, drop []string) (kernel.Caps, *failure) {
	all := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, "all") })
	}
	set := func(list []string, option string) (kernel.Caps, *failure) {
		var out kernel.Caps
		if r.engine() == "podman" {
			list = strings.Split(strings.Join(list, ","), ",")
		}
		for _, name := range list {
			if strings.EqualFold(name, "all") || name == "" && r.engine() == "podman" {
				continue
			}
			c, ok := kernel.CapNamed(name)
			switch {
			case !ok && r.engine() == "podman":
				return 0, &failure{text: fmt.Sprintf("%q: unknown capability", "CAP_"+strings.TrimPrefix(strings.ToUpper(name), "CAP_")), early: true}
			case !ok:
				return 0, &failure{text: fmt.Sprintf("invalid %s: unknown capability: %q", option, "CAP_"+strings.TrimPrefix(strings.ToUpper(name), "CAP_")), early: true}
			}
			out |= kernel.SetOf(c)
		}
		return out, nil
	}
	plus, err := set(add, "CapAdd")
	if err != nil {
		return 0, err
	}
	minus, err := set(drop, "CapDrop")
	if err != nil {
		return 0, err
	}
	switch {
	case all(add):
		return kernel.AllCaps &^ minus, nil
	case all(drop):
		return plus, nil
	}
	return base&^minus | plus, nil
}

// Refusal is what a seccomp profile answers some system calls.
type Refusal struct {
	Calls  []string
	Errno  string
	Unless string // the capability that opens them, "" for none
	When   string // the argument that decides, "" for all
}

// refusals are the engines' default profile, said by what it blocks: the documented list "Significant
// syscalls blocked by the default profile" of Docker's "Seccomp security profiles" and moby
// profiles/seccomp/default.json, without those that a capability of the container opens again. podman's
// profile blocks the same of these but for some that it lets the kernel decide.
func refusals(engine string, caps kernel.Caps) []Refusal {
	const eperm, enosys = "EPERM", "ENOSYS"
	groups := []struct {
		needs kernel.Cap
		calls []string
	}{
		{kernel.CAP_SYS_ADMIN, []string{"bpf", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree", "perf_event_open", "quotactl", "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare"}},
		{kernel.CAP_SYS_BOOT, []string{"reboot"}},
		{kernel.CAP_SYS_CHROOT, []string{"chroot"}},
		{kernel.CAP_SYS_MODULE, []string{"delete_module", "finit_module", "init_module"}},
		{kernel.CAP_SYS_PACCT, []string{"acct"}},
		{kernel.CAP_SYS_PTRACE, []string{"kcmp", "process_madvise", "process_vm_readv", "process_vm_writev"}},
		{kernel.CAP_SYS_RAWIO, []string{"ioperm", "iopl"}},
		{kernel.CAP_SYS_TIME, []string{"clock_settime", "settimeofday", "stime"}},
		{kernel.CAP_SYS_NICE, []string{"get_mempolicy", "mbind", "set_mempolicy"}},
		{kernel.CAP_DAC_READ_SEARCH, []string{"open_by_handle_at"}},
	}
	out := []Refusal{{Calls: []string{"add_key", "keyctl", "request_key", "kexec_load", "kexec_file_load", "move_pages", "nfsservctl", "pivot_root", "swapon", "swapoff", "sysfs", "_sysctl", "userfaultfd", "uselib", "ustat", "vm86", "vm86old"}, Errno: eperm}}
	for _, g := range groups {
		if !caps.Has(g.needs) {
			out = append(out, Refusal{Calls: g.calls, Errno: eperm, Unless: g.needs.String()})
		}
	}
	if !caps.Has(kernel.CAP_SYS_ADMIN) {
		out = append(out,
			Refusal{Calls: []string{"clone"}, Errno: eperm, Unless: "CAP_SYS_ADMIN", When: "flags & 0x7e020000: a new namespace"},
			Refusal{Calls: []string{"clone3"}, Errno: enosys, Unless: "CAP_SYS_ADMIN"})
	}
	out = append(out, Refusal{Calls: []string{"personality"}, Errno: eperm, When: "other than 0, 0x8, 0x20000, 0x20008, 0xffffffff"})
	if engine == "podman" { // each group keeps some
		for i := range out {
			out[i].Calls = slices.DeleteFunc(out[i].Calls, func(s string) bool {
				return slices.Contains([]string{"keyctl", "add_key", "request_key", "pivot_root", "mount", "umount", "umount2", "unshare"}, s)
			})
		}
	}
	return out
}

// defaultFilter is the profile as a filter; conditions on arguments are the learner's to see, no runtime's
// call meets them.
func defaultFilter(engine string, caps kernel.Caps) *kernel.Filter {
	f := &kernel.Filter{Name: engine + " default profile"}
	for _, r := range refusals(engine, caps) {
		errno := kernel.EPERM
		if r.Errno == "ENOSYS" {
			errno = kernel.ENOSYS
		}
		if r.When == "" {
			f.Rules = append(f.Rules, kernel.FilterRule{Calls: r.Calls, Errno: errno})
		}
	}
	return f
}

// ids turns "1000" or "1000:50" into numbers.
func ids(user string) (uid, gid uint32, ok bool) {
	u, g, both := strings.Cut(user, ":")
	n, err := strconv.ParseUint(u, 10, 31)
	if err != nil {
		return 0, 0, false
	}
	if !both {
		return uint32(n), 0, true
	}
	m, err := strconv.ParseUint(g, 10, 31)
	return uint32(n), uint32(m), err == nil
}

// propagation reads the flag of an option like "rprivate".
func propagation(options string) (kernel.MountFlags, string) {
	var f kernel.MountFlags
	var rest []string
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "private":
			f = kernel.MS_PRIVATE
		case "rprivate":
			f = kernel.MS_PRIVATE | kernel.MS_REC
		case "slave":
			f = kernel.MS_SLAVE
		case "rslave":
			f = kernel.MS_SLAVE | kernel.MS_REC
		case "shared":
			f = kernel.MS_SHARED
		case "rshared":
			f = kernel.MS_SHARED | kernel.MS_REC
		default:
			rest = append(rest, o)
		}
	}
	return f, strings.Join(rest, ",")
}

// dirOf is the directory above a destination.
func dirOf(p string) string { return path.Dir(p) }
