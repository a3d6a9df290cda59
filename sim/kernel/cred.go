package kernel

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Cred is what the kernel decides permissions by. credentials(7), capabilities(7).
type Cred struct {
	UID, EUID, SUID, FSUID uint32
	GID, EGID, SGID, FSGID uint32
	Groups                 []uint32
	Inheritable            Caps
	Permitted              Caps
	Effective              Caps
	Bounding               Caps
	Ambient                Caps
	NoNewPrivs             bool
}

// RootCred is what the first task has.
func RootCred() Cred { return Cred{Permitted: AllCaps, Effective: AllCaps, Bounding: AllCaps} }

func (c *Cred) inGroup(gid uint32) bool { return c.FSGID == gid || slices.Contains(c.Groups, gid) }

// Cap is the number of a capability. include/uapi/linux/capability.h.
type Cap int

// Caps is a set of capabilities: bit n is capability n.
type Caps uint64

const (
	CAP_CHOWN Cap = iota
	CAP_DAC_OVERRIDE
	CAP_DAC_READ_SEARCH
	CAP_FOWNER
	CAP_FSETID
	CAP_KILL
	CAP_SETGID
	CAP_SETUID
	CAP_SETPCAP
	CAP_LINUX_IMMUTABLE
	CAP_NET_BIND_SERVICE
	CAP_NET_BROADCAST
	CAP_NET_ADMIN
	CAP_NET_RAW
	CAP_IPC_LOCK
	CAP_IPC_OWNER
	CAP_SYS_MODULE
	CAP_SYS_RAWIO
	CAP_SYS_CHROOT
	CAP_SYS_PTRACE
	CAP_SYS_PACCT
	CAP_SYS_ADMIN
	CAP_SYS_BOOT
	CAP_SYS_NICE
	CAP_SYS_RESOURCE
	CAP_SYS_TIME
	CAP_SYS_TTY_CONFIG
	CAP_MKNOD
	CAP_LEASE
	CAP_AUDIT_WRITE
	CAP_AUDIT_CONTROL
	CAP_SETFCAP
	CAP_MAC_OVERRIDE
	CAP_MAC_ADMIN
	CAP_SYSLOG
	CAP_WAKE_ALARM
	CAP_BLOCK_SUSPEND
	CAP_AUDIT_READ
	CAP_PERFMON
	CAP_BPF
	CAP_CHECKPOINT_RESTORE
)

// AllCaps holds every capability of Linux 5.9 and later.
const AllCaps Caps = 1<<(CAP_CHECKPOINT_RESTORE+1) - 1

// capNames lists the names by number.
func capNames() []string {
	return []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
		"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
		"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
		"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
		"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
		"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"}
}

// CapNamed returns the capability of that name ("CAP_CHOWN" or "chown"), false when there is none.
func CapNamed(name string) (Cap, bool) {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	i := slices.Index(capNames(), name)
	return Cap(i), i >= 0
}

func (c Cap) String() string { return capNames()[c] }

// SetOf makes a set.
func SetOf(caps ...Cap) Caps {
	var s Caps
	for _, c := range caps {
		s |= 1 << c
	}
	return s
}

// Has tells whether c is in the set.
func (s Caps) Has(c Cap) bool { return s&(1<<c) != 0 }

// Len is the number of capabilities in the set.
func (s Caps) Len() int { return bits.OnesCount64(uint64(s)) }

// List gives the members by number.
func (s Caps) List() []Cap {
	var out []Cap
	for c := CAP_CHOWN; c <= CAP_CHECKPOINT_RESTORE; c++ {
		if s.Has(c) {
			out = append(out, c)
		}
	}
	return out
}

// String names the members; "none", "all" for the extremes.
func (s Caps) String() string {
	switch s {
	case 0:
		return "none"
	case AllCaps:
		return "all"
	}
	var out []string
	for _, c := range s.List() {
		out = append(out, c.String())
	}
	return strings.Join(out, ", ")
}

// id prints a user or group ID.
func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// Setuid is setuid(2).
func (t *Task) Setuid(uid uint32) error {
	c := call{kind: "kernel.setuid", line: "setuid(" + id(uid) + ")", args: map[string]string{"uid": id(uid), "effective": t.Cred.Effective.String()}}
	if e := t.blocked("setuid"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	old, n := t.Cred, &t.Cred
	switch {
	// "EINVAL The user ID specified in uid is not valid in this user namespace." - setuid(2)
	case !t.ns[UserNS].maps(uid, (*Namespace).uids):
		return t.fail(c, "setuid(2)", EINVAL)
	case t.capable(CAP_SETUID, t.ns[UserNS]):
		n.UID, n.EUID, n.SUID = uid, uid, uid
	case uid == old.UID || uid == old.SUID:
		n.EUID = uid
	default:
		// "EPERM The user is not privileged … and uid does not match the real UID or saved set-user-ID of
		// the calling process." - setuid(2)
		return t.fail(c, "setuid(2)", EPERM)
	}
	n.FSUID = n.EUID
	t.afterSetuid(old)
	c.args["effective"] = t.Cred.Effective.String()
	t.done(c, "setuid(2)")
	return nil
}

// afterSetuid is what a change of user IDs does to capabilities. capabilities(7), "Effect of user ID
// changes on capabilities".
func (t *Task) afterSetuid(old Cred) {
	n := &t.Cred
	wasRoot := old.UID == 0 || old.EUID == 0 || old.SUID == 0
	isRoot := n.UID == 0 || n.EUID == 0 || n.SUID == 0
	if wasRoot && !isRoot {
		if !t.keepCaps {
			n.Permitted, n.Effective = 0, 0
		}
		n.Ambient = 0
	}
	if old.EUID == 0 && n.EUID != 0 {
		n.Effective = 0
	}
	if old.EUID != 0 && n.EUID == 0 {
		n.Effective = n.Permitted
	}
}

// Setgid is setgid(2).
func (t *Task) Setgid(gid uint32) error {
	c := call{kind: "kernel.setgid", line: "setgid(" + id(gid) + ")", args: map[string]string{"gid": id(gid)}}
	if e := t.blocked("setgid"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	n := &t.Cred
	switch {
	case !t.ns[UserNS].maps(gid, (*Namespace).gids):
		return t.fail(c, "setgid(2)", EINVAL)
	case t.capable(CAP_SETGID, t.ns[UserNS]):
		n.GID, n.EGID, n.SGID = gid, gid, gid
	case gid == n.GID || gid == n.SGID:
		n.EGID = gid
	default:
		return t.fail(c, "setgid(2)", EPERM)
	}
	n.FSGID = n.EGID
	t.done(c, "setgid(2)")
	return nil
}

// Setgroups is setgroups(2).
func (t *Task) Setgroups(gids []uint32) error {
	var list []string
	for _, g := range gids {
		list = append(list, id(g))
	}
	c := call{kind: "kernel.setgroups", line: fmt.Sprintf("setgroups(%d, [%s])", len(gids), strings.Join(list, " ")), args: map[string]string{"groups": strings.Join(list, ", ")}}
	switch {
	case t.blocked("setgroups") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("setgroups"))
	case !t.capable(CAP_SETGID, t.ns[UserNS]):
		return t.fail(c, "setgroups(2)", EPERM)
	case slices.ContainsFunc(gids, func(g uint32) bool { return !t.ns[UserNS].maps(g, (*Namespace).gids) }):
		return t.fail(c, "setgroups(2)", EINVAL)
	}
	t.Cred.Groups = slices.Sorted(slices.Values(gids)) // groups_sort
	t.done(c, "setgroups(2)")
	return nil
}

// DropBounding removes caps from the bounding set: one prctl(PR_CAPBSET_DROP) each, one step for all.
func (t *Task) DropBounding(caps Caps) error {
	c := call{kind: "kernel.drop-bounding", line: fmt.Sprintf("prctl(PR_CAPBSET_DROP, …) × %d", caps.Len()),
		args: map[string]string{"caps": caps.String(), "count": strconv.Itoa(caps.Len()), "left": (t.Cred.Bounding &^ caps).String()}}
	switch {
	case t.blocked("prctl") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("prctl"))
	// "EPERM … PR_CAPBSET_DROP, and the caller does not have the CAP_SETPCAP capability" - prctl(2)
	case caps != 0 && !t.capable(CAP_SETPCAP, t.ns[UserNS]):
		return t.fail(c, "prctl(2)", EPERM)
	}
	t.Cred.Bounding &^= caps
	t.done(c, "prctl(2) PR_CAPBSET_DROP")
	return nil
}

// KeepCaps is prctl(PR_SET_KEEPCAPS): a change of user IDs away from 0 leaves the permitted set.
func (t *Task) KeepCaps(on bool) error {
	v := "0"
	if on {
		v = "1"
	}
	c := call{kind: "kernel.keep-caps", line: "prctl(PR_SET_KEEPCAPS, " + v + ")", args: map[string]string{"value": v}}
	if e := t.blocked("prctl"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	t.keepCaps = on
	t.done(c, "prctl(2) PR_SET_KEEPCAPS")
	return nil
}

// SetNoNewPrivs is prctl(PR_SET_NO_NEW_PRIVS): execve grants nothing any more.
func (t *Task) SetNoNewPrivs() error {
	c := call{kind: "kernel.no-new-privs", line: "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)"}
	if e := t.blocked("prctl"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	t.Cred.NoNewPrivs = true
	t.done(c, "prctl(2) PR_SET_NO_NEW_PRIVS")
	return nil
}

// Capset is capset(2).
func (t *Task) Capset(effective, permitted, inheritable Caps) error {
	c := call{kind: "kernel.capset", line: fmt.Sprintf("capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=%#x, permitted=%#x, inheritable=%#x})", uint64(effective), uint64(permitted), uint64(inheritable)),
		args: map[string]string{"effective": effective.String(), "permitted": permitted.String(), "inheritable": inheritable.String(), "count": strconv.Itoa(effective.Len())}}
	o := t.Cred
	switch {
	case t.blocked("capset") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("capset"))
	// "EPERM An attempt was made to add a capability to the permitted set, or to set a capability in the
	// effective set that is not in the permitted set." - capset(2)
	case permitted&^o.Permitted != 0, effective&^permitted != 0:
		return t.fail(c, "capset(2)", EPERM)
	// "EPERM An attempt was made to add a capability to the inheritable set, and either … without
	// CAP_SETPCAP … or the capability was not in the caller's bounding set" - capset(2)
	case inheritable&^(o.Inheritable|o.Permitted) != 0 && !t.capable(CAP_SETPCAP, t.ns[UserNS]),
		inheritable&^(o.Inheritable|o.Bounding) != 0:
		return t.fail(c, "capset(2)", EPERM)
	}
	t.Cred.Effective, t.Cred.Permitted, t.Cred.Inheritable = effective, permitted, inheritable
	// "The ambient capability set obeys the invariant that no capability can ever be ambient if it is not
	// both permitted and inheritable." - capabilities(7)
	t.Cred.Ambient &= permitted & inheritable
	t.done(c, "capset(2)")
	return nil
}

// SetAmbient lowers every ambient capability and raises those of caps, one prctl(PR_CAP_AMBIENT) each,
// one step for all.
func (t *Task) SetAmbient(caps Caps) error {
	c := call{kind: "kernel.set-ambient", line: fmt.Sprintf("prctl(PR_CAP_AMBIENT, …) × %d", AllCaps.Len()), args: map[string]string{"caps": caps.String()}}
	switch {
	case t.blocked("prctl") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("prctl"))
	// "EPERM … PR_CAP_AMBIENT_RAISE, but either the capability specified in arg3 is not present in the
	// process's permitted and inheritable capability sets" - prctl(2)
	case caps&^(t.Cred.Permitted&t.Cred.Inheritable) != 0:
		return t.fail(c, "prctl(2)", EPERM)
	}
	t.Cred.Ambient = caps
	t.done(c, "prctl(2) PR_CAP_AMBIENT")
	return nil
}

// Setrlimit sets a limit of another task or of t itself: prlimit(2). name is without RLIMIT_.
func (t *Task) Setrlimit(of *Task, name string, l Limit) error {
	c := call{kind: "kernel.prlimit", line: fmt.Sprintf("prlimit64(%d, RLIMIT_%s, {rlim_cur=%d, rlim_max=%d}, NULL)", of.PID, name, l.Soft, l.Hard),
		args: map[string]string{"limit": name, "soft": strconv.FormatInt(l.Soft, 10), "hard": strconv.FormatInt(l.Hard, 10), "of": strconv.Itoa(of.PID)}}
	old, known := of.limits[name]
	switch {
	case t.blocked("prlimit64") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("prlimit64"))
	// "EINVAL rlim->rlim_cur was greater than rlim->rlim_max." - getrlimit(2)
	case l.Hard >= 0 && (l.Soft < 0 || l.Soft > l.Hard):
		return t.fail(c, "getrlimit(2)", EINVAL)
	// "EPERM An unprivileged process tried to raise the hard limit; the CAP_SYS_RESOURCE capability is
	// required to do this." - getrlimit(2); in the first user namespace: kernel/sys.c, do_prlimit
	case known && (l.Hard < 0 && old.Hard >= 0 || l.Hard > old.Hard && old.Hard >= 0) && !(t.Cred.Effective.Has(CAP_SYS_RESOURCE) && t.ns[UserNS].parent == nil):
		return t.fail(c, "getrlimit(2)", EPERM)
	}
	of.limits[name] = l
	t.done(c, "prlimit(2)")
	return nil
}
