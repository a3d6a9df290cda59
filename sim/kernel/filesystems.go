package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys"
)

// blockTypes are the file systems that want a device. The ones without are made by getSuper.
func blockTypes() []string {
	return []string{"ext2", "ext3", "ext4", "vfat", "msdos", "iso9660", "udf", "squashfs", "xfs", "btrfs", "erofs", "f2fs", "ntfs", "ntfs3", "exfat", "fuseblk"}
}

// getSuper finds or makes the file system that mount(2) is asked for.
func (t *Task) getSuper(src, fstype, data string) (*super, error) {
	k := t.k
	switch fstype {
	case "tmpfs", "ramfs", "rootfs":
		s := k.newSuper(fstype, src, nil)
		s.made["."].mode = fsys.S_IFDIR | dataMode(data, 0o1777)
		return s, nil
	case "proc":
		s := k.newSuper(fstype, src, nil)
		s.proc = &procfs{k: k, ns: t.ns[PIDNS]}
		return s, nil
	case "sysfs":
		return k.sys(src), nil
	case "devtmpfs":
		return k.dev(src), nil
	case "devpts":
		s := k.newSuper(fstype, src, nil)
		s.made["ptmx"] = &node{mode: fsys.S_IFCHR | 0o666, rdev: 5<<8 | 2}
		return s, nil
	case "cgroup2":
		return k.unified(src), nil
	case "mqueue", "cgroup", "securityfs", "debugfs", "tracefs", "pstore", "bpf", "configfs", "efivarfs", "hugetlbfs", "fusectl", "binfmt_misc", "autofs", "selinuxfs":
		return k.newSuper(fstype, src, nil), nil
	case "overlay":
		return t.overlay(src, data)
	}
	// "ENODEV filesystemtype not configured in the kernel." - mount(2)
	if !slices.Contains(blockTypes(), fstype) {
		return nil, ENODEV
	}
	return t.blockSuper(src, fstype, data)
}

func (t *Task) blockSuper(src, fstype, data string) (*super, error) {
	at, in, err := t.lookup(src, true)
	switch {
	case err != nil:
		return nil, err
	// "ENOTBLK source is not a block device (and a device was required)." - mount(2)
	case in.mode&fsys.S_IFMT != fsys.S_IFBLK:
		return nil, ENOTBLK
	// "EACCES … the block device source is located on a filesystem mounted with the MS_NODEV option" - mount(2)
	case at.mnt.flags.has(MS_NODEV):
		return nil, EACCES
	}
	d := t.k.deviceOf(in.rdev)
	if d == nil {
		return nil, ENXIO // "ENXIO The major number of the block device source is out of range." - mount(2)
	}
	same := d.FSType == fstype || strings.HasPrefix(fstype, "ext") && strings.HasPrefix(d.FSType, "ext")
	// "EINVAL source had an invalid superblock." - mount(2)
	if d.FS == nil || !same {
		return nil, EINVAL
	}
	if v, ok := d.FS.(fsys.Subvolumes); ok {
		return t.subvolume(d, v, src, fstype, data)
	}
	if d.sb == nil {
		d.sb = t.k.newSuper(fstype, src, d.FS)
	}
	return d.sb, nil
}

// subvolume finds what of a volume of several trees the options of a mount choose; btrfs(5).
func (t *Task) subvolume(d *Device, v fsys.Subvolumes, src, fstype, data string) (*super, error) {
	var chosen []string
	for o := range strings.SplitSeq(data, ",") {
		if strings.HasPrefix(o, "subvol=") || strings.HasPrefix(o, "subvolid=") || o == "degraded" {
			chosen = append(chosen, o)
		}
	}
	key := strings.Join(chosen, ",")
	if sb := d.subs[key]; sb != nil {
		return sb, nil
	}
	f, err := v.Select(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ENOENT
	case errors.Is(err, fs.ErrInvalid):
		return nil, EINVAL
	case errors.Is(err, fsys.ErrMissingDevice):
		return nil, t.k.noDevice()
	case err != nil:
		return nil, EIO
	}
	if d.subs == nil {
		d.subs = map[string]*super{}
	}
	d.subs[key] = t.k.newSuper(fstype, src, f)
	return d.subs[key], nil
}

// noDevice is what a mount of a Btrfs volume that lacks a device ends with: open_ctree of fs/btrfs/disk-io.c
// gave EINVAL for whatever went wrong, and since the mount interface of 6.8 the error itself.
func (k *Kernel) noDevice() Errno {
	var major, minor int
	fmt.Sscanf(k.o.Version, "%d.%d", &major, &minor)
	if major > 6 || major == 6 && minor >= 8 {
		return ENOENT
	}
	return EINVAL
}

// deviceOf finds the registered device of a number; see devNumber.
func (k *Kernel) deviceOf(rdev uint32) *Device {
	if i := int(rdev) - blockMajor<<8; i >= 0 && i < len(k.devices) {
		return &k.devices[i]
	}
	return nil
}

// blockMajor is the dynamic major number of virtio disks on the machines modelled; minor numbers follow
// the order of registration.
const blockMajor = 254

// dataMode reads mode= out of mount data.
func dataMode(data string, otherwise uint32) uint32 {
	for o := range strings.SplitSeq(data, ",") {
		if v, ok := strings.CutPrefix(o, "mode="); ok {
			if n, err := strconv.ParseUint(v, 8, 12); err == nil {
				return uint32(n)
			}
		}
	}
	return otherwise
}

// dev is the one devtmpfs: the kernel's own nodes and the block devices.
func (k *Kernel) dev(src string) *super {
	if k.devtmp == nil {
		k.devtmp = k.newSuper("devtmpfs", src, nil)
		k.devtmp.dev = k
		for _, d := range CharDevices() {
			k.devtmp.made[d.Name] = &node{mode: fsys.S_IFCHR | d.Mode, rdev: d.Major<<8 | d.Minor}
		}
		k.devtmp.made["console"] = &node{mode: fsys.S_IFCHR | 0o600, rdev: 5<<8 | 1}
		k.devtmp.made["kmsg"] = &node{mode: fsys.S_IFCHR | 0o644, rdev: 1<<8 | 11}
		for i := range 10 {
			k.devtmp.made["tty"+strconv.Itoa(i)] = &node{mode: fsys.S_IFCHR | 0o620, rdev: 4<<8 | uint32(i)}
		}
	}
	return k.devtmp
}

func (k *Kernel) devNode(p string) *node {
	for i, d := range k.devices {
		if d.Name == p {
			return &node{mode: fsys.S_IFBLK | 0o660, gid: 6, rdev: blockMajor<<8 + uint32(i)}
		}
	}
	return nil
}

// CharDevice is one of the devices that every Linux has.
type CharDevice struct {
	Name         string
	Mode         uint32
	Major, Minor uint32
}

// CharDevices lists them. Documentation/admin-guide/devices.txt.
func CharDevices() []CharDevice {
	return []CharDevice{{"null", 0o666, 1, 3}, {"random", 0o666, 1, 8}, {"full", 0o666, 1, 7}, {"tty", 0o666, 5, 0}, {"zero", 0o666, 1, 5}, {"urandom", 0o666, 1, 9}}
}

// sys is the one sysfs, as far as paths in it matter for mounts and masks.
func (k *Kernel) sys(src string) *super {
	if k.sysfs == nil {
		k.sysfs = k.newSuper("sysfs", src, nil)
		for _, p := range []string{"fs", "fs/cgroup", "fs/bpf", "fs/pstore", "fs/selinux", "firmware", "block", "bus", "class", "dev", "dev/block", "dev/char", "devices", "devices/virtual", "devices/virtual/powercap", "kernel", "kernel/debug", "kernel/config", "kernel/security", "kernel/tracing", "module", "power"} {
			if p == "fs/selinux" { // only when SELinux is enabled
				continue
			}
			k.sysfs.made[p] = &node{mode: fsys.S_IFDIR | 0o755}
		}
	}
	return k.sysfs
}

// procfs is a proc(5) instance: it shows the tasks of one PID namespace.
type procfs struct {
	k  *Kernel
	ns *Namespace
}

// dirs and files that do not depend on a task, as a Debian 6.1 kernel has them without a sound card.
// /proc/timer_stats went with 4.11 and /proc/sched_debug with 5.13; /proc/latency_stats wants
// CONFIG_LATENCYTOP.
func (p *procfs) fixed(name string) *node {
	switch name {
	case "acpi", "bus", "fs", "irq", "sys", "driver", "tty", "scsi", "sys/kernel", "sys/net", "sys/fs", "sys/vm", "sys/fs/binfmt_misc":
		return &node{mode: fsys.S_IFDIR | 0o555}
	case "sysrq-trigger":
		return &node{mode: fsys.S_IFREG | 0o200}
	case "kcore":
		return &node{mode: fsys.S_IFREG | 0o400}
	case "keys", "timer_list", "cpuinfo", "meminfo", "filesystems", "partitions":
		return &node{mode: fsys.S_IFREG | 0o444}
	case "cmdline":
		return &node{mode: fsys.S_IFREG | 0o444, data: []byte(p.k.o.Cmdline + "\n")}
	case "version":
		return &node{mode: fsys.S_IFREG | 0o444, data: []byte("Linux version " + p.k.o.Version + "\n")}
	case "mounts":
		return &node{mode: fsys.S_IFLNK | 0o777, target: "self/mounts"}
	}
	return nil
}

func (p *procfs) get(t *Task, name string) *node {
	if n := p.fixed(name); n != nil {
		return n
	}
	if name == "self" {
		if !t.visibleIn(p.ns) {
			return nil
		}
		return &node{mode: fsys.S_IFLNK | 0o777, target: strconv.Itoa(t.pidIn(p.ns))}
	}
	first, rest, _ := strings.Cut(name, "/")
	o := p.task(first)
	if o == nil {
		return nil
	}
	n := p.ofTask(t, o, rest)
	if n != nil {
		n.uid, n.gid = o.Cred.EUID, o.Cred.EGID
	}
	return n
}

func (p *procfs) ofTask(t, o *Task, rest string) *node {
	link := func(at loc) *node {
		return &node{mode: fsys.S_IFLNK | 0o777, target: t.pathOf(at), jump: &at}
	}
	switch {
	case rest == "" || rest == "fd" || rest == "ns":
		return &node{mode: fsys.S_IFDIR | 0o555}
	case rest == "exe" && o.exe != nil:
		return link(o.exe.at)
	case rest == "root":
		return link(o.root)
	case rest == "cwd":
		return link(o.cwd)
	case rest == "comm":
		return &node{mode: fsys.S_IFREG | 0o644, data: []byte(o.Comm + "\n")}
	case rest == "cmdline":
		return &node{mode: fsys.S_IFREG | 0o444, data: []byte(strings.Join(o.Argv, "\x00") + "\x00")}
	case rest == "cgroup":
		return &node{mode: fsys.S_IFREG | 0o444, data: []byte("0::" + o.cgroup + "\n")}
	case rest == "mounts":
		return &node{mode: fsys.S_IFREG | 0o444, data: []byte(o.mountsText())}
	case rest == "fd/0" || rest == "fd/1" || rest == "fd/2":
		return &node{mode: fsys.S_IFLNK | 0o700, target: "/dev/null"}
	case strings.HasPrefix(rest, "ns/"):
		n := o.ns[NSType(strings.TrimPrefix(rest, "ns/"))]
		if n == nil {
			return nil
		}
		return &node{mode: fsys.S_IFLNK | 0o777, target: fmt.Sprintf("%s:[%d]", n.Type, n.Number)}
	}
	return nil
}

// mountsText is /proc/PID/mounts: what lies below the task's root.
func (t *Task) mountsText() string {
	var b strings.Builder
	for _, m := range t.ns[MountNS].mounts {
		if at := (loc{m, m.root}); reachable(at, t.root) {
			fmt.Fprintf(&b, "%s %s %s %s 0 0\n", m.sb.source, t.pathOf(at), m.sb.fstype, m.options())
		}
	}
	return b.String()
}

// task finds the task of a directory's name.
func (p *procfs) task(name string) *Task {
	for _, o := range p.k.tasks {
		if o.visibleIn(p.ns) && strconv.Itoa(o.pidIn(p.ns)) == name {
			return o
		}
	}
	return nil
}

// pidIn is t's PID as n shows it. Namespaces between the first and the task's own are not numbered.
func (t *Task) pidIn(n *Namespace) int {
	if n == t.ns[PIDNS] {
		return t.NSPID
	}
	return t.PID
}

func (p *procfs) list(t *Task, dir string) []string {
	if dir != "." {
		return nil
	}
	out := []string{"self", "mounts"}
	for _, n := range []string{"acpi", "bus", "fs", "irq", "sys", "driver", "tty", "scsi", "sysrq-trigger", "kcore", "keys", "timer_list", "cpuinfo", "meminfo", "filesystems", "partitions", "cmdline", "version"} {
		out = append(out, path.Base(n))
	}
	for _, o := range p.k.tasks {
		if o.visibleIn(p.ns) {
			out = append(out, strconv.Itoa(o.pidIn(p.ns)))
		}
	}
	return out
}
