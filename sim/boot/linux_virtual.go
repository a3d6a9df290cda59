package boot

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/fsys"
)

// made is a file that the kernel makes up, in /proc or /sys, or a link that udev makes in /dev.
type made struct {
	name string
	mode fs.FileMode
	size int64
}

func (f made) Name() string       { return f.name }
func (f made) Size() int64        { return f.size }
func (f made) Mode() fs.FileMode  { return f.mode }
func (f made) ModTime() time.Time { return time.Time{} }
func (f made) IsDir() bool        { return f.mode.IsDir() }
func (f made) Sys() any           { return nil }

// mountedAt tells whether a file system of that type lies on a directory.
func (x *linux) mountedAt(dir, fstype string) bool {
	data, err := x.pid1.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[1] == dir && f[2] == fstype {
			return true
		}
	}
	return false
}

// virtualFile is the content of the files of proc(5) and sysfs(5) that start scripts read.
func (x *linux) virtualFile(name string) (string, bool) {
	if !strings.HasPrefix(name, "/proc/") && !strings.HasPrefix(name, "/sys/") {
		return "", false
	}
	switch name {
	case "/proc/cmdline":
		return x.l.cmdline + "\n", x.mountedAt("/proc", "proc")
	case "/proc/uptime":
		up := (x.m.Now() - x.started).Seconds()
		return fmt.Sprintf("%.2f %.2f\n", up, up/2), x.mountedAt("/proc", "proc")
	case "/proc/consoles":
		return x.consoles() + "               -W- (EC p a)\n", x.mountedAt("/proc", "proc")
	case "/proc/sys/kernel/osrelease":
		return x.version + "\n", x.mountedAt("/proc", "proc")
	case "/proc/sys/kernel/hostname":
		return "(none)\n", x.mountedAt("/proc", "proc")
	case "/proc/partitions":
		out := "major minor  #blocks  name\n\n"
		for i, b := range x.blockDevices() {
			size := x.c.Disk.Size
			if b.part != nil {
				size = b.part.Size * 512
			}
			out += fmt.Sprintf(" %3d %8d %10d %s\n", 254, i, size>>10, b.name)
		}
		return out, x.mountedAt("/proc", "proc")
	case "/proc/misc": // of the character devices with a minor number of their own, the one that scripts ask for
		switch x.have("dm_mod") {
		case yes:
			return "236 device-mapper\n", x.mountedAt("/proc", "proc")
		case no:
			return "237 loop-control\n", x.mountedAt("/proc", "proc")
		}
		return "", false
	case "/proc/modules":
		out := ""
		for _, m := range x.loaded {
			out += m + " 16384 0 - Live 0x0000000000000000\n"
		}
		return out, x.mountedAt("/proc", "proc")
	case "/proc/tty/driver/serial":
		return x.serialPorts(), x.mountedAt("/proc", "proc")
	case "/sys/class/tty/console/active":
		return x.consoles() + "\n", x.mountedAt("/sys", "sysfs")
	}
	if file, ok := strings.CutPrefix(name, "/sys/class/net/lo/"); ok {
		return loopback(file), x.mountedAt("/sys", "sysfs") && loopback(file) != ""
	}
	if rest, ok := strings.CutPrefix(name, "/sys/block/"); ok {
		return x.sysBlock(rest)
	}
	return x.modalias(name)
}

// loopback is a file of /sys/class/net/lo, the one network interface that every machine has; those that images
// are started on have no other.
func loopback(file string) string {
	switch file {
	case "ifindex", "iflink":
		return "1\n"
	case "address":
		return "00:00:00:00:00:00\n"
	}
	return ""
}

// wholeDevices are the names in /sys/block, sorted: disks and loop devices, no partitions.
func (x *linux) wholeDevices() []string {
	var out []string
	for _, d := range x.k.Devices() {
		if d.Name == x.hw[0].name || x.loopNamed(d.Name) != nil || strings.HasPrefix(d.Name, "dm-") {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return out
}

// serialPorts is /proc/tty/driver/serial: the port that the console uses, when it does. drivers/tty/serial/serial_core.c
func (x *linux) serialPorts() string {
	text := "serinfo:1.0 driver revision:\n"
	if n := 0; strings.HasPrefix(x.consoles(), "ttyS") && scanInt(x.consoles()[4:], &n) {
		text += fmt.Sprintf("%d: uart:16550A port:000003F8 irq:4 tx:0 rx:0 RTS|CTS|DTR|DSR|CD\n", n)
	}
	return text
}

// sysBlock is a file of /sys/block/DISK or of one of its partitions.
func (x *linux) sysBlock(rest string) (string, bool) {
	dev, file, _ := strings.Cut(rest, "/")
	if part, of, ok := strings.Cut(file, "/"); ok && of == "dev" && strings.HasPrefix(part, dev) {
		dev, file = part, of
	}
	if l := x.loopNamed(dev); l != nil && file == "size" {
		return strconv.FormatInt(l.size/512, 10) + "\n", true
	}
	b, ok := x.device(dev)
	if !ok || b.part != nil && file != "dev" {
		return "", false
	}
	switch file {
	case "dev":
		return x.deviceNumber(dev) + "\n", true
	case "size":
		return strconv.FormatInt(x.c.Disk.Size/512, 10) + "\n", true
	case "removable":
		if dev == "sr0" || dev == "fd0" {
			return "1\n", true
		}
		return "0\n", true
	case "ro":
		if dev == "sr0" {
			return "1\n", true
		}
		return "0\n", true
	}
	return "", false
}

// registered is /proc/filesystems in an initramfs: what every kernel has that starts one, and the file systems
// whose drivers are there by now. proc(5)
func (x *linux) registered() string {
	var out strings.Builder
	for _, t := range [...]string{"sysfs", "tmpfs", "bdev", "proc", "cgroup", "cgroup2", "devtmpfs", "securityfs", "sockfs", "pipefs", "ramfs", "devpts"} {
		out.WriteString("nodev\t" + t + "\n")
	}
	if x.have("overlay") == yes {
		out.WriteString("nodev\toverlay\n")
	}
	for _, t := range [...]string{"ext3", "ext2", "ext4", "squashfs", "vfat", "msdos", "iso9660", "udf", "xfs", "btrfs", "f2fs", "erofs", "exfat", "ntfs3"} {
		if x.have(fsDriver(t)) == yes {
			out.WriteString("\t" + t + "\n")
		}
	}
	return out.String()
}

// deviceNumber is what a device's node has as major:minor. Documentation/admin-guide/devices.txt: 11 is for
// SCSI CD-ROMs; virtio disks take a number that is free.
func (x *linux) deviceNumber(dev string) string {
	if n := 0; strings.HasPrefix(dev, "sr") && scanInt(dev[2:], &n) {
		return fmt.Sprintf("11:%d", n)
	}
	fi, err := x.pid1.Stat("/dev/" + dev)
	if err != nil {
		return "254:0"
	}
	rdev := fsys.StatOf(fi).Rdev
	return fmt.Sprintf("%d:%d", rdev>>8, rdev&0xff)
}

// consoles is the console that /dev/console leads to: the last console= of the command line.
func (x *linux) consoles() string {
	name, ok := x.params.Get("console")
	if !ok {
		return "tty0"
	}
	name, _, _ = strings.Cut(name, ",")
	return name
}

// terminal is where a login prompt is seen on the console: tty0 is whichever of tty1 … is in front.
func (x *linux) terminal() string {
	if c := x.consoles(); c != "tty0" && c != "tty" {
		return c
	}
	return "tty1"
}

// virtual answers for paths below /sys, for udev's links in /dev/disk, and for proc files that only
// have content here.
func (x *linux) virtual(name string) (fs.FileInfo, bool) {
	file := func(mode fs.FileMode) (fs.FileInfo, bool) {
		return made{name: path.Base(name), mode: mode, size: 1}, true
	}
	if dev, ok := x.logicalLink(name); ok {
		return made{name: dev, mode: fs.ModeDevice | 0o660}, true
	}
	if tag, value, ok := diskLink(name); ok {
		if b, found := x.linkTarget(tag, value); found {
			return made{name: b.name, mode: fs.ModeDevice | 0o660}, true
		}
		return nil, false
	}
	if text, ok := x.virtualFile(name); ok {
		return made{name: path.Base(name), mode: 0o444, size: int64(len(text))}, true
	}
	if !strings.HasPrefix(name, "/sys/") || !x.mountedAt("/sys", "sysfs") {
		return nil, false
	}
	switch {
	case name == "/sys/firmware/efi" || strings.HasPrefix(name, "/sys/firmware/efi/"):
		if x.c.Firmware == "uefi" {
			return file(fs.ModeDir | 0o755)
		}
		return nil, false
	case name == "/sys/kernel/uevent_helper":
		if x.mods.config["CONFIG_UEVENT_HELPER"] == "y" {
			return file(0o644)
		}
		return nil, false
	case name == "/sys/power/resume":
		if x.mods.config["CONFIG_HIBERNATION"] == "y" {
			return file(0o644)
		}
		return nil, false
	case name == "/sys/class/net", name == "/sys/class/net/lo":
		return file(fs.ModeDir | 0o755)
	case strings.HasPrefix(name, "/sys/block/"), strings.HasPrefix(name, "/sys/class/block/"):
		dev, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "/sys/class/block/"), "/sys/block/"), "/")
		if _, ok := x.device(dev); ok && rest == "" {
			return file(fs.ModeDir | 0o755)
		}
		if b, ok := x.device(rest); ok && b.part != nil && strings.HasPrefix(rest, dev) {
			return file(fs.ModeDir | 0o755)
		}
		return nil, false
	case strings.HasPrefix(name, "/sys/module/"):
		mod, rest, _ := strings.Cut(strings.TrimPrefix(name, "/sys/module/"), "/")
		if rest == "" && (x.isLoaded(mod) || x.mods.builtin(moduleName(mod)) == yes) {
			return file(fs.ModeDir | 0o755)
		}
		return nil, false
	}
	return nil, false
}

// diskLink takes apart /dev/disk/by-TAG/VALUE. udev(7), 60-persistent-storage.rules.
func diskLink(name string) (tag, value string, ok bool) {
	rest, ok := strings.CutPrefix(name, "/dev/disk/by-")
	if !ok {
		return "", "", false
	}
	tag, value, ok = strings.Cut(rest, "/")
	return strings.ToUpper(tag), value, ok && value != ""
}

// linkTarget is the device that udev's link leads to, when udev runs.
func (x *linux) linkTarget(tag, value string) (blockDevice, bool) {
	if !x.udevd {
		return blockDevice{}, false
	}
	return x.lookup(tag, strings.ReplaceAll(value, `\x20`, " "))
}

// virtualDir lists directories of /sys.
func (x *linux) virtualDir(dir string) ([]string, bool) {
	if !strings.HasPrefix(dir, "/sys/") {
		return nil, false
	}
	switch dir {
	case "/sys/block":
		return x.wholeDevices(), len(x.k.Devices()) > 0
	case "/sys/class/net":
		return []string{"lo"}, x.mountedAt("/sys", "sysfs")
	case "/sys/class/net/lo":
		return []string{"address", "ifindex", "iflink"}, x.mountedAt("/sys", "sysfs")
	case "/sys/class/block":
		return strings.Fields(x.deviceNames()), true
	}
	if disk, ok := strings.CutPrefix(dir, "/sys/block/"); ok && !strings.Contains(disk, "/") {
		if b, ok := x.device(disk); !ok || b.part != nil {
			return nil, false
		}
		names := []string{"dev", "removable", "ro", "size"}
		for _, b := range x.blockDevices() {
			if b.part != nil && strings.HasPrefix(b.name, disk) {
				names = append(names, b.name)
			}
		}
		return names, true
	}
	return nil, false
}

func (x *linux) isLoaded(module string) bool {
	for _, m := range x.loaded {
		if m == module {
			return true
		}
	}
	return false
}

// modaliasFiles are the files of sysfs in which devices name themselves. Scripts read them and no more, so the
// directories are not those of a machine.
func (x *linux) modaliasFiles() []string {
	var out []string
	if x.mountedAt("/sys", "sysfs") {
		for _, h := range x.hw {
			for i := range h.chain[:min(h.bound+1, len(h.chain))] {
				out = append(out, "/sys/devices/"+h.name+"/"+strconv.Itoa(i)+"/modalias")
			}
		}
	}
	return out
}

// modalias is the content of such a file.
func (x *linux) modalias(name string) (string, bool) {
	parts := strings.Split(strings.TrimPrefix(name, "/sys/devices/"), "/")
	if len(parts) != 3 || parts[2] != "modalias" {
		return "", false
	}
	for _, h := range x.hw {
		n, err := strconv.Atoi(parts[1])
		if h.name == parts[0] && err == nil && n >= 0 && n < len(h.chain) && n <= h.bound {
			return h.chain[n].modalias + "\n", true
		}
	}
	return "", false
}
