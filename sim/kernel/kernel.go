// Package kernel is Linux, as far as starting things needs it: tasks, namespaces, the mount tree,
// credentials, execve. A machine's init and a container's entrypoint are started by the same code here.
//
// The caller (an actor of sim/boot or sim/container) plays the program: it makes system calls as methods
// of its [Task]. Each call that changes state appends one step to the machine's trace, with the clause of
// the manual that decided it; a call that fails appends one too, with its errno. Nothing is executed.
package kernel

import (
	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Options describe the kernel that runs.
type Options struct {
	Version  string // "6.1.0"
	Arch     string // as GOARCH: "amd64"
	Hostname string // of the first UTS namespace; "(none)" when empty, as Linux has it
	Cmdline  string
}

// Kernel is one running kernel.
type Kernel struct {
	m       *machine.Machine
	o       Options
	init    *Task
	tasks   []*Task
	devices []Device
	rootfs  *super
	ids     counters
}

// counters number what the kernel makes, in order.
type counters struct {
	pid, mount, namespace, super int
}

// Device is a block device that [Kernel.AddDevice] registered.
type Device struct {
	Name   string  // "vda1"
	FS     fsys.FS // nil when nothing on it can be read
	FSType string  // as blkid names it; what mount(2) must be told
	UUID   string
	Label  string
}

// New starts a kernel: PID 1 exists, its root is an empty rootfs. It emits nothing.
func New(m *machine.Machine, o Options) *Kernel {
	k := &Kernel{m: m, o: o}
	if k.o.Hostname == "" {
		k.o.Hostname = "(none)"
	}
	k.boot()
	return k
}

// Init is PID 1 of a machine; on a container host the process that starts things.
func (k *Kernel) Init() *Task { return k.init }

// Machine is where steps go.
func (k *Kernel) Machine() *machine.Machine { return k.m }

// Options returns what the kernel was started with.
func (k *Kernel) Options() Options { return k.o }

// AddDevice registers a block device; devtmpfs shows it and mount(2) finds its file system. The
// device's row is the caller's to emit.
func (k *Kernel) AddDevice(name string, f fsys.FS, fstype, uuid, label string) {
	k.devices = append(k.devices, Device{name, f, fstype, uuid, label})
}

// Devices lists the block devices in the order in which they were registered.
func (k *Kernel) Devices() []Device { return k.devices }

// UnpackRootfs puts the files of an initramfs into rootfs, the file system below every mount.
// ramfs-rootfs-initramfs.rst. It emits nothing: the actor that unpacks says so.
func (k *Kernel) UnpackRootfs(f fsys.FS) { k.rootfs.lower = f }

// emit appends a step of t.
func (t *Task) emit(st trace.Step, rows ...machine.Set) int {
	st.Actor, st.Stage = t.Actor, t.Stage
	if st.Actor == "" {
		st.Actor = t.Comm
	}
	if st.Stage == "" {
		st.Stage = trace.Kernel
	}
	n := t.k.m.Emit(st, rows...)
	return n
}

// fail appends a step that says that a call failed, and returns its errno.
func (t *Task) fail(kind trace.Kind, args map[string]string, e Errno, rule string, cites ...blob.Cite) error {
	if args == nil {
		args = map[string]string{}
	}
	args["result"] = e.Name()
	args["error"] = e.Strerror()
	t.emit(trace.Step{Kind: kind, Args: args, Rule: rule, Cites: cites})
	return e
}
