package kernel

import (
	"path"
	"slices"
	"strconv"

	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Task is a process: what a program can ask the kernel for.
type Task struct {
	PID, PPID int // in the first PID namespace
	NSPID     int // in its own PID namespace
	Comm, Exe string
	Argv, Env []string
	Cred      Cred
	Secure    bool // the latest execve raised privileges: ld.so ignores the environment (AT_SECURE)
	State     string

	Actor string      // who the steps of this task are attributed to; Comm when empty
	Stage trace.Stage // of the steps; kernel when empty
	Quiet bool        // make no steps: the caller emits one for all with [Kernel.Emit]

	k        *Kernel
	parent   *Task
	ns       map[NSType]*Namespace
	nextPID  *Namespace // PID namespace of the children; nil for its own
	root     loc
	cwd      loc
	exe      *image // what execve loaded
	loaded   []*object
	died     string
	limits   map[string]Limit
	filters  []*Filter
	keepCaps bool
	session  int
	cgroup   string
	shown    trace.Row // the latest row
	shownAs  taskState // what it says
}

// taskState is what a row of the processes table says of a task.
type taskState struct {
	pid, ppid, nsPID  int
	comm, exe, state  string
	uid, gid, hostUID uint32
	mapped            bool // hostUID is another one
}

// Limit is a resource limit; -1 is unlimited. getrlimit(2).
type Limit struct{ Soft, Hard int64 }

func (k *Kernel) boot() {
	t := &Task{
		PID: 1, NSPID: 1, Comm: "swapper", k: k, State: "running", ns: map[NSType]*Namespace{},
		limits: map[string]Limit{"NOFILE": {1024, 4096}, "STACK": {8 << 20, -1}}, cgroup: "/",
	}
	t.Cred = RootCred()
	k.ids.pid = max(k.o.FirstPID, 2) - 1
	for _, kind := range nsKinds() {
		n := k.newNS(kind.Type, nil, nil)
		n.Owner, t.ns[kind.Type] = 1, n
	}
	for _, n := range t.ns {
		n.user = t.ns[UserNS]
	}
	t.ns[UTSNS].hostname = k.o.Hostname
	t.ns[CgroupNS].cgroup = "/"
	t.ns[PIDNS].reaper, t.ns[PIDNS].nextPID = t, k.ids.pid+1
	k.init, k.tasks = t, []*Task{t}
	k.rootfs = k.newSuper("rootfs", "rootfs", nil)
	m := k.newMount(k.rootfs, ".", t.ns[MountNS])
	t.ns[MountNS].rootMnt = m
	t.root, t.cwd = loc{m, "."}, loc{m, "."}
}

// Kernel is the kernel that t runs on.
func (t *Task) Kernel() *Kernel { return t.k }

// Tasks lists the living tasks in the order in which they were made.
func (k *Kernel) Tasks() []*Task { return slices.Clone(k.tasks) }

// Become makes t run a program that bootpath does not look at: one of the host's. It emits nothing.
func (t *Task) Become(exe string, argv []string) {
	t.Comm, t.Exe, t.Argv = path.Base(exe), exe, argv
	if len(argv) > 0 {
		t.Comm = path.Base(argv[0])
	}
	if at, in, err := t.lookup(exe, true); err == nil {
		t.exe = &image{at: at, in: in}
	}
}

// row is t's row of the processes table. It is made anew when it says something else: each step asks.
func (t *Task) row() trace.Row {
	s := taskState{pid: t.PID, ppid: t.PPID, nsPID: t.NSPID, comm: t.Comm, exe: t.Exe, state: t.State, uid: t.Cred.EUID, gid: t.Cred.EGID}
	if t.ns[UserNS].parent != nil {
		s.mapped, s.hostUID = true, t.HostUID()
	}
	if t.shown != nil && s == t.shownAs {
		return t.shown
	}
	t.shownAs = s
	t.shown = trace.Row{
		"pid": strconv.Itoa(s.pid), "ppid": strconv.Itoa(s.ppid), "comm": s.comm, "exe": s.exe,
		"uid": strconv.FormatUint(uint64(s.uid), 10), "gid": strconv.FormatUint(uint64(s.gid), 10),
		"state": s.state, "ns_pid": strconv.Itoa(s.nsPID),
	}
	if s.mapped {
		t.shown["host_uid"] = strconv.FormatUint(uint64(s.hostUID), 10)
	}
	return t.shown
}

// rows gives what may have changed since the step before: the machine keeps what did.
func (k *Kernel) rows() []machine.Set {
	before, now := k.shown, k.all(k.spare[:0])
	k.shown, k.spare = now, before
	var out []machine.Set
	if k.removed {
		k.removed, out = false, gone(before, now)
	}
	for i, s := range now {
		if i >= len(before) || !s.Is(before[i]) {
			out = append(out, s)
		}
	}
	return out
}

// all appends the whole state. A row that says what it said is the very same.
func (k *Kernel) all(out []machine.Set) []machine.Set {
	for _, t := range k.tasks {
		out = append(out, machine.Set{Table: trace.Processes, ID: strconv.Itoa(t.PID), Row: t.row()})
	}
	for _, n := range k.spaces {
		out = append(out, machine.Set{Table: trace.Namespaces, ID: n.ID(), Row: k.nsRow(n)})
	}
	out = k.mountRows(out)
	for _, c := range k.cgroups {
		out = append(out, machine.Set{Table: trace.Cgroups, ID: c.path, Row: k.cgroupRow(c)})
	}
	return out
}

// nsRow is a namespace's row; a user namespace has its maps, once they are written.
func (k *Kernel) nsRow(n *Namespace) trace.Row {
	owner, members, maps := strconv.Itoa(n.Owner), k.members(n), len(n.uidMap)+len(n.gidMap)
	if n.shown != nil && n.shown["owner"] == owner && n.shown["members"] == members && n.shownMaps == maps {
		return n.shown
	}
	row := trace.Row{"type": string(n.Type), "owner": owner, "members": members}
	n.shown, n.shownMaps = row, maps
	if len(n.uidMap) > 0 {
		row["uid_map"] = idMapText(n.uidMap)
	}
	if len(n.gidMap) > 0 {
		row["gid_map"] = idMapText(n.gidMap)
	}
	return row
}

// mountRows appends the mounts of all namespaces. As in /proc/mounts, rootfs is not among them once something
// is mounted over it: no process can see it.
func (k *Kernel) mountRows(out []machine.Set) []machine.Set {
	for _, n := range k.spaces {
		for _, m := range n.mounts {
			if m == n.rootMnt && n.mountedAt(loc{m, m.root}) != nil {
				continue
			}
			if m.shown == nil {
				m.shown = m.row()
			}
			out = append(out, machine.Set{Table: trace.Mounted, ID: strconv.Itoa(m.id), Row: m.shown})
		}
	}
	return out
}

// gone clears the rows that were shown before and are no more.
func gone(before, now []machine.Set) (out []machine.Set) {
	type key struct {
		table trace.Table
		id    string
	}
	here := map[key]bool{}
	for _, s := range now {
		here[key{s.Table, s.ID}] = true
	}
	for _, s := range before {
		if !here[key{s.Table, s.ID}] {
			out = append(out, machine.Set{Table: s.Table, ID: s.ID})
		}
	}
	return out
}
