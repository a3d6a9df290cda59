package kernel

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
)

// Clone makes a child of t, or a sibling with CLONE_PARENT. clone(2).
func (t *Task) Clone(f Flags) (*Task, error) { return nil, ENOSYS }

// Unshare moves t into new namespaces; a new PID namespace takes effect for children. unshare(2).
func (t *Task) Unshare(f Flags) error { return ENOSYS }

// Setns moves t into the namespaces of of that f names. setns(2).
func (t *Task) Setns(of *Task, f Flags) error { return ENOSYS }

// Exit ends t. _exit(2).
func (t *Task) Exit(code int) {}
