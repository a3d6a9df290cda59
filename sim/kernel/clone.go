package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Flags are the flags of clone(2) and unshare(2).
type Flags uint64

const (
	CLONE_NEWTIME   Flags = 0x80
	CLONE_VM        Flags = 0x100
	CLONE_FS        Flags = 0x200
	CLONE_FILES     Flags = 0x400
	CLONE_VFORK     Flags = 0x4000
	CLONE_PARENT    Flags = 0x8000
	CLONE_THREAD    Flags = 0x10000
	CLONE_NEWNS     Flags = 0x20000
	CLONE_NEWCGROUP Flags = 0x2000000
	CLONE_NEWUTS    Flags = 0x4000000
	CLONE_NEWIPC    Flags = 0x8000000
	CLONE_NEWUSER   Flags = 0x10000000
	CLONE_NEWPID    Flags = 0x20000000
	CLONE_NEWNET    Flags = 0x40000000

	CLONE_INTO_CGROUP Flags = 0x200000000 // clone3(2) only; set by [Task.CloneInto]

	newNamespaces = CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
)

// Clone makes a child of t, or a sibling with CLONE_PARENT. clone(2). The checks come in the order of
// copy_process, kernel/fork.c.
func (t *Task) Clone(f Flags) (*Task, error) {
	line := fmt.Sprintf("clone(flags=%s|SIGCHLD)", f)
	if f == 0 {
		line = "clone(flags=SIGCHLD)"
	}
	return t.clone(f, line, t.cgroup)
}

// CloneInto is clone3(2) with CLONE_INTO_CGROUP: the child starts in the control group at path of the unified
// hierarchy, so that nothing that it does is accounted elsewhere.
func (t *Task) CloneInto(path string, f Flags) (*Task, error) {
	f |= CLONE_INTO_CGROUP
	line := fmt.Sprintf("clone3({flags=%s, exit_signal=SIGCHLD, cgroup=</sys/fs/cgroup%s>}, 88)", f, path)
	return t.clone(f, line, path)
}

func (t *Task) clone(f Flags, line, group string) (*Task, error) {
	c := call{kind: "kernel.clone", line: line, args: map[string]string{"flags": f.String(), "child": "", "ns_pid": ""}}
	if t.k.cgroup(group) == nil && f.Has(CLONE_INTO_CGROUP) {
		return nil, t.fail(c, "clone3(2) CLONE_INTO_CGROUP", ENOENT)
	}
	if err := t.cloneCheck(f); err != nil {
		return nil, t.fail(c, "clone(2)", err)
	}
	k := t.k
	child := k.fork(t, f)
	child.cgroup = group
	c.args["child"], c.args["ns_pid"] = strconv.Itoa(child.PID), strconv.Itoa(child.NSPID)
	if f&newNamespaces != 0 {
		c.args["namespaces"] = created(f)
	}
	if !t.Quiet {
		t.report(c, strconv.Itoa(child.PID), "clone(2)")
	}
	return child, nil
}

func (t *Task) cloneCheck(f Flags) error {
	switch {
	case t.blocked("clone") != 0:
		return t.blocked("clone")
	// "EINVAL Both CLONE_FS and CLONE_NEWNS were specified in the flags mask." - clone(2)
	case f.Has(CLONE_FS | CLONE_NEWNS):
		return EINVAL
	// "EINVAL Both CLONE_NEWUSER and CLONE_FS were specified" - clone(2)
	case f.Has(CLONE_FS | CLONE_NEWUSER):
		return EINVAL
	// "EINVAL … CLONE_PARENT was specified and the caller is an init process." - clone(2)
	case f.Has(CLONE_PARENT) && t.NSPID == 1:
		return EINVAL
	// "EINVAL One (or both) of CLONE_NEWPID or CLONE_NEWUSER and one (or both) of CLONE_THREAD or
	// CLONE_PARENT were specified" holds for CLONE_THREAD since Linux 3.13. - clone(2)
	case f.Has(CLONE_THREAD) && f&(CLONE_NEWUSER|CLONE_NEWPID) != 0:
		return EINVAL
	// "EPERM CLONE_NEWCGROUP, … was specified by an unprivileged process" - clone(2)
	case f&newNamespaces != 0 && f&CLONE_NEWUSER == 0 && !t.capable(CAP_SYS_ADMIN, t.ns[UserNS]):
		return EPERM
	// "EAGAIN The system limit on the number of processes … pids cgroup" - fork(2)
	case t.k.pidsFull(t.cgroup):
		return EAGAIN
	}
	// "ENOMEM … the PID namespace's init has terminated" - fork(2)
	if n := t.childPIDNS(); n.dead {
		return ENOMEM
	}
	return nil
}

func (t *Task) childPIDNS() *Namespace {
	if t.nextPID != nil {
		return t.nextPID
	}
	return t.ns[PIDNS]
}

// created names the namespaces that f makes: "mnt, uts, pid".
func created(f Flags) string {
	out := ""
	for _, kind := range nsKinds() {
		if f.Has(kind.Flag) {
			if out != "" {
				out += ", "
			}
			out += string(kind.Type)
		}
	}
	return out
}

// fork copies t. The child's PID is taken in its namespace and in all above.
func (k *Kernel) fork(t *Task, f Flags) *Task {
	c := new(Task)
	*c = *t
	c.parent = t
	if f.Has(CLONE_PARENT) && t.parent != nil {
		c.parent = t.parent
	}
	c.PPID = c.parent.PID
	c.ns, c.limits = maps.Clone(t.ns), maps.Clone(t.limits)
	c.filters, c.Cred.Groups = slices.Clone(t.filters), slices.Clone(t.Cred.Groups)
	c.nextPID, c.State, c.Quiet = nil, "running", t.Quiet
	k.ids.pid++
	c.PID = k.ids.pid
	c.ns[PIDNS] = t.childPIDNS()
	k.tasks = append(k.tasks, c)
	c.enterNew(f)
	n := c.ns[PIDNS]
	if f.Has(CLONE_NEWPID) {
		n = k.newNS(PIDNS, c, n)
		c.ns[PIDNS] = n
		n.Owner = t.PID
	}
	if c.NSPID = n.nextPID; n.parent == nil {
		c.NSPID = c.PID
	}
	n.nextPID = c.NSPID + 1
	if n.reaper == nil {
		n.reaper = c
	}
	return c
}

// enterNew gives t the namespaces of f, the PID namespace excepted: that is for children. A user
// namespace comes first and owns the others. unshare(2).
func (t *Task) enterNew(f Flags) {
	for _, kind := range nsKinds() {
		if !f.Has(kind.Flag) || kind.Type == PIDNS {
			continue
		}
		old := t.ns[kind.Type]
		n := t.k.newNS(kind.Type, t, old)
		t.ns[kind.Type] = n
		switch kind.Type {
		case UserNS:
			// "The child process created by clone(2) with the CLONE_NEWUSER flag starts out with a
			// complete set of capabilities in the new user namespace." - user_namespaces(7)
			n.user = nil
			t.Cred.Permitted, t.Cred.Effective, t.Cred.Bounding = AllCaps, AllCaps, AllCaps
			t.Cred.Inheritable, t.Cred.Ambient = 0, 0
		case MountNS:
			t.copyMounts(old, n)
		case CgroupNS:
			// "its current cgroups directories become the cgroup root directories of the new
			// namespace" - cgroup_namespaces(7)
			n.cgroup = t.cgroup
		}
	}
}

// Unshare moves t into new namespaces; a new PID namespace takes effect for children. unshare(2).
func (t *Task) Unshare(f Flags) error {
	c := call{kind: "kernel.unshare", line: fmt.Sprintf("unshare(%s)", f), args: map[string]string{"flags": f.String(), "namespaces": created(f)}}
	switch {
	case t.blocked("unshare") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("unshare"))
	case f&^(newNamespaces|CLONE_FS|CLONE_FILES|CLONE_VM|CLONE_THREAD) != 0:
		return t.fail(c, "unshare(2)", EINVAL)
	// "EPERM The calling process did not have the required privileges for this operation." - unshare(2)
	case f&newNamespaces != 0 && f&CLONE_NEWUSER == 0 && !t.capable(CAP_SYS_ADMIN, t.ns[UserNS]):
		return t.fail(c, "unshare(2)", EPERM)
	}
	t.enterNew(f)
	if f.Has(CLONE_NEWPID) {
		t.nextPID = t.k.newNS(PIDNS, t, t.ns[PIDNS])
	}
	t.done(c, "unshare(2)")
	return nil
}

// Setns moves t into the namespaces of of that f names. setns(2).
func (t *Task) Setns(of *Task, f Flags) error {
	c := call{kind: "kernel.setns", line: fmt.Sprintf("setns(pidfd(%d), %s)", of.PID, f), args: map[string]string{"flags": f.String(), "of": strconv.Itoa(of.PID)}}
	for _, kind := range nsKinds() {
		if !f.Has(kind.Flag) {
			continue
		}
		n := of.ns[kind.Type]
		// "EPERM The calling thread did not have the required capability for this operation." - setns(2)
		if !t.capable(CAP_SYS_ADMIN, n) {
			return t.fail(c, "setns(2)", EPERM)
		}
		switch kind.Type {
		case PIDNS:
			// "reassociating the PID namespace … does not move the calling thread" - setns(2)
			t.nextPID = n
		case MountNS:
			t.ns[kind.Type] = n
			at := loc{n.rootMnt, n.rootMnt.root}
			for m := n.mountedAt(at); m != nil; m = n.mountedAt(at) {
				at = loc{m, m.root}
			}
			t.root, t.cwd = at, at
		default:
			t.ns[kind.Type] = n
		}
	}
	t.done(c, "setns(2)")
	return nil
}

// Exit ends t and is waited for by its parent; the children go to the init of its PID namespace, and all
// of the namespace end when t was that init. _exit(2), pid_namespaces(7).
func (t *Task) Exit(code int) {
	k := t.k
	c := call{kind: "kernel.exit", line: fmt.Sprintf("exit_group(%d)", code), args: map[string]string{"code": strconv.Itoa(code), "pid": strconv.Itoa(t.PID)}}
	if n := t.ns[PIDNS]; n.reaper == t {
		n.dead = true
		for _, o := range k.Tasks() {
			if o != t && o.visibleIn(n) {
				k.remove(o)
			}
		}
	}
	for _, o := range k.tasks {
		if o.parent == t {
			o.parent = t.ns[PIDNS].reaper
			o.PPID = o.parent.PID
		}
	}
	k.remove(t)
	if !t.Quiet {
		t.report(c, "?", "_exit(2)")
	}
}

// remove takes a task and the namespaces that nobody lives in any more.
func (k *Kernel) remove(t *Task) {
	k.removed = true
	k.tasks = slices.DeleteFunc(k.tasks, func(o *Task) bool { return o == t })
	for _, kind := range nsKinds() {
		n := t.ns[kind.Type]
		used := slices.ContainsFunc(k.tasks, func(o *Task) bool {
			return o.ns[kind.Type] == n || o.nextPID == n || kind.Type == PIDNS && o.visibleIn(n)
		})
		if !used {
			k.dropNS(n)
		}
	}
}

// Setsid makes t the leader of a new session. setsid(2).
func (t *Task) Setsid() error {
	c := call{kind: "kernel.setsid", line: "setsid()"}
	if e := t.blocked("setsid"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	// "EPERM The process group ID of any process equals the PID of the calling process." - setsid(2)
	if t.session == t.PID {
		return t.fail(c, "setsid(2)", EPERM)
	}
	t.session = t.PID
	if !t.Quiet {
		t.report(c, strconv.Itoa(t.NSPID), "setsid(2)")
	}
	return nil
}

// SetHostname is sethostname(2).
func (t *Task) SetHostname(name string) error {
	c := call{kind: "kernel.sethostname", line: fmt.Sprintf("sethostname(%q, %d)", name, len(name)), args: map[string]string{"hostname": name}}
	switch {
	case t.blocked("sethostname") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("sethostname"))
	// "EPERM the caller did not have the CAP_SYS_ADMIN capability in the user namespace associated with
	// its UTS namespace" - sethostname(2)
	case !t.capable(CAP_SYS_ADMIN, t.ns[UTSNS]):
		return t.fail(c, "sethostname(2)", EPERM)
	// "EINVAL len is negative or … larger than the maximum allowed size" (64) - sethostname(2)
	case len(name) > 64:
		return t.fail(c, "sethostname(2)", EINVAL)
	}
	t.ns[UTSNS].hostname = name
	t.done(c, "sethostname(2)")
	return nil
}

// Hostname is what gethostname(2) gives.
func (t *Task) Hostname() string { return t.ns[UTSNS].hostname }
