package kernel

import (
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// Task is a process: what a program can ask the kernel for.
type Task struct {
	PID, PPID int // in the first PID namespace
	NSPID     int // in its own PID namespace
	Comm, Exe string
	Argv, Env []string
	Cred      Cred

	Actor string      // who the steps of this task are attributed to; Comm when empty
	Stage trace.Stage // of the steps; kernel when empty

	k *Kernel
}

// Cred is what the kernel decides permissions by. credentials(7), capabilities(7).
type Cred struct {
	UID, EUID, SUID, FSUID                               uint32
	GID, EGID, SGID, FSGID                               uint32
	Groups                                               []uint32
	Inheritable, Permitted, Effective, Bounding, Ambient Caps
	NoNewPrivs                                           bool
}

// Caps is a set of capabilities: bit n is capability n.
type Caps uint64

func (k *Kernel) boot() { k.rootfs = &super{}; k.init = &Task{PID: 1, k: k}; k.tasks = []*Task{k.init} }

// Kernel is the kernel that t runs on.
func (t *Task) Kernel() *Kernel { return t.k }

type super struct{ lower fsys.FS }
