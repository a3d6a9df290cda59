package kernel

import (
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/trace"
)

// NSType is a kind of namespace, named as /proc/PID/ns does.
type NSType string

const (
	MountNS  NSType = "mnt"
	UTSNS    NSType = "uts"
	IPCNS    NSType = "ipc"
	PIDNS    NSType = "pid"
	NetNS    NSType = "net"
	CgroupNS NSType = "cgroup"
	UserNS   NSType = "user"
	TimeNS   NSType = "time"
)

// nsKinds pairs the flags with the types, in the order in which they are shown.
func nsKinds() []struct {
	Flag Flags
	Type NSType
} {
	return []struct {
		Flag Flags
		Type NSType
	}{
		{CLONE_NEWUSER, UserNS}, {CLONE_NEWNS, MountNS}, {CLONE_NEWUTS, UTSNS}, {CLONE_NEWIPC, IPCNS},
		{CLONE_NEWPID, PIDNS}, {CLONE_NEWNET, NetNS}, {CLONE_NEWCGROUP, CgroupNS}, {CLONE_NEWTIME, TimeNS},
	}
}

// Namespace is one instance of a kind. namespaces(7).
type Namespace struct {
	Type   NSType
	Number int
	Owner  int // host PID of the task that made it

	user     *Namespace // the user namespace that owns it
	parent   *Namespace // of user and pid namespaces
	hostname string     // uts
	nextPID  int        // pid
	reaper   *Task      // pid: its PID 1
	dead     bool       // pid: PID 1 is gone
	mounts   []*mount   // mnt
	rootMnt  *mount     // mnt
	cgroup   string     // cgroup: the path shown as /
	uidMap   []IDMap    // user
	gidMap   []IDMap    // user

	shown     trace.Row // the latest row
	shownMaps int       // ranges in the maps that it shows
}

// ID is the row's id: "mnt:2".
func (n *Namespace) ID() string { return string(n.Type) + ":" + strconv.Itoa(n.Number) }

// newNS makes a namespace for t, as a child of old where there is one.
func (k *Kernel) newNS(typ NSType, t *Task, old *Namespace) *Namespace {
	n := &Namespace{Type: typ, Number: 1, nextPID: 1}
	for _, o := range k.spaces {
		if o.Type == typ {
			n.Number = o.Number + 1
		}
	}
	if t != nil {
		n.Owner, n.user = t.PID, t.ns[UserNS]
	}
	if old != nil {
		n.hostname, n.parent, n.cgroup = old.hostname, old, old.cgroup
	}
	k.spaces = append(k.spaces, n)
	return n
}

// members lists the host PIDs of the tasks in n.
func (k *Kernel) members(n *Namespace) string {
	var out []string
	for _, t := range k.tasks {
		if t.ns[n.Type] == n || n.Type == PIDNS && t.visibleIn(n) {
			out = append(out, strconv.Itoa(t.PID))
		}
	}
	return strings.Join(out, ",")
}

// visibleIn tells whether t has a PID in n: it lives there or below.
func (t *Task) visibleIn(n *Namespace) bool {
	for p := t.ns[PIDNS]; p != nil; p = p.parent {
		if p == n {
			return true
		}
	}
	return false
}

// Namespace returns the namespace of that kind that t lives in.
func (t *Task) Namespace(typ NSType) *Namespace { return t.ns[typ] }

// capable tells whether t has capability c in the user namespace that owns n: it has it effective in its
// own namespace, or that namespace is the parent and t made the child. user_namespaces(7).
func (t *Task) capable(c Cap, n *Namespace) bool {
	owner := n
	if n.Type != UserNS {
		owner = n.user
	}
	for u := owner; u != nil; u = u.parent {
		if u == t.ns[UserNS] {
			return t.Cred.Effective.Has(c) || u != owner && t.PID == owner.Owner
		}
	}
	return false
}

// inDescendant tells whether user namespace n is a or lies below it.
func inDescendant(n, a *Namespace) bool {
	for ; n != nil; n = n.parent {
		if n == a {
			return true
		}
	}
	return false
}

func (f Flags) String() string {
	names := []struct {
		f Flags
		s string
	}{
		{CLONE_VM, "CLONE_VM"}, {CLONE_FS, "CLONE_FS"}, {CLONE_FILES, "CLONE_FILES"}, {CLONE_VFORK, "CLONE_VFORK"},
		{CLONE_PARENT, "CLONE_PARENT"}, {CLONE_THREAD, "CLONE_THREAD"}, {CLONE_NEWNS, "CLONE_NEWNS"},
		{CLONE_NEWCGROUP, "CLONE_NEWCGROUP"}, {CLONE_NEWUTS, "CLONE_NEWUTS"}, {CLONE_NEWIPC, "CLONE_NEWIPC"},
		{CLONE_NEWUSER, "CLONE_NEWUSER"}, {CLONE_NEWPID, "CLONE_NEWPID"}, {CLONE_NEWNET, "CLONE_NEWNET"}, {CLONE_NEWTIME, "CLONE_NEWTIME"},
		{CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"},
	}
	var out []string
	for _, n := range names {
		if f&n.f != 0 {
			out = append(out, n.s)
		}
	}
	if len(out) == 0 {
		return "0"
	}
	return strings.Join(out, "|")
}

// Has tells whether all flags of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

func (k *Kernel) dropNS(n *Namespace) {
	k.removed = true
	k.spaces = slices.DeleteFunc(k.spaces, func(o *Namespace) bool { return o == n })
}
