// Package kernel is Linux, as far as starting things needs it: tasks, namespaces, the mount tree,
// credentials, execve. A machine's init and a container's entrypoint are started by the same code here.
//
// The caller (an actor of sim/boot or sim/container) plays the program: it makes system calls as methods
// of its [Task]. Each call that changes state appends one step to the machine's trace, with the clause of
// the manual that decided it; a call that fails appends one too, with its errno. Nothing is executed.
package kernel

import (
	"fmt"
	"strings"

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
	FirstPID int // PID of the first child of PID 1; 2 when zero
	Binfmt   []Binfmt
	Store    *blob.Store // of the image: it remembers what programs are; may be nil
}

// Kernel is one running kernel.
type Kernel struct {
	m       *machine.Machine
	o       Options
	init    *Task
	tasks   []*Task
	spaces  []*Namespace
	cgroups []*cgroup
	devices []Device
	rootfs  *super
	devtmp  *super
	sysfs   *super
	cgroup2 *super
	ids     counters
	shown   []machine.Set // all rows as of the latest step
	spare   []machine.Set // room for those of the next
	removed bool          // a row went since shown
	damage  error
	refusal string // see Refusal
}

// counters number what the kernel makes, in order.
type counters struct {
	pid, mount, super, group int
}

// Device is a block device that [Kernel.AddDevice] registered.
type Device struct {
	Name   string  // "vda1"
	FS     fsys.FS // nil when nothing on it can be read
	FSType string  // as blkid names it; what mount(2) must be told
	UUID   string
	Label  string
	sb     *super
	subs   map[string]*super // of the subvolumes that were mounted, by the options that chose them
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
	k.devices = append(k.devices, Device{Name: name, FS: f, FSType: fstype, UUID: uuid, Label: label})
}

// FillDevice gives a registered device another content: a loop device its file, or nothing again.
func (k *Kernel) FillDevice(name string, f fsys.FS, fstype, uuid, label string) {
	for i := range k.devices {
		if k.devices[i].Name == name {
			k.devices[i] = Device{Name: name, FS: f, FSType: fstype, UUID: uuid, Label: label}
		}
	}
}

// Devices lists the block devices in the order in which they were registered.
func (k *Kernel) Devices() []Device { return k.devices }

// UnpackRootfs puts the files of an initramfs into rootfs, the file system below every mount.
// ramfs-rootfs-initramfs.rst. It emits nothing: the actor that unpacks says so.
func (k *Kernel) UnpackRootfs(f fsys.FS) {
	k.rootfs.lower = f
	delete(k.rootfs.made, ".")
}

// Emit appends a step together with all that changed in the kernel's tables since the last one: for the
// state that quiet tasks made, and for steps of actors that are not system calls.
func (k *Kernel) Emit(st trace.Step, more ...machine.Set) int {
	return k.m.Emit(st, append(k.rows(), more...)...)
}

// call is one system call on its way into the trace.
type call struct {
	kind  trace.Kind
	line  string // as strace prints it, without the result
	args  map[string]string
	cites []blob.Cite
}

// done emits a call that succeeded.
func (t *Task) done(c call, rule string) { t.report(c, "0", rule) }

// fail emits a call that failed and returns its errno. section names the manual's page: "mount(2)".
func (t *Task) fail(c call, section string, err error) error {
	e, ok := err.(Errno)
	if !ok {
		e = EIO
	}
	if c.args == nil {
		c.args = map[string]string{}
	}
	c.args["error"], c.args["errno"] = e.Strerror(), e.Name()
	t.report(c, fmt.Sprintf("-1 %s (%s)", e.Name(), e.Strerror()), section+" "+e.Name())
	return e
}

func (t *Task) report(c call, result, rule string) {
	if t.Quiet {
		return
	}
	if c.args == nil {
		c.args = map[string]string{}
	}
	c.args["call"] = c.line + " = " + result
	c.args["result"] = strings.Fields(strings.TrimPrefix(result, "-1 "))[0]
	st := trace.Step{Actor: t.Actor, Stage: t.Stage, Kind: c.kind, Args: c.args, Cites: c.cites, Rule: rule}
	if st.Actor == "" {
		st.Actor = fmt.Sprintf("%s[%d]", t.Comm, t.PID)
	}
	if st.Stage == "" {
		st.Stage = trace.Kernel
	}
	t.k.m.Wait(callCost(c.line))
	t.k.Emit(st)
}
