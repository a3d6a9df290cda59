package boot

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// loop is a loop device: what shows a file as a block device. loop(4)
type loop struct {
	file string // that it shows; "" while it is free
	size int64  // in bytes
	vol  *disk.Volume
}

// maxLoops bounds the devices that a configuration can ask for.
const maxLoops = 64

// startLoops makes the free devices that the driver has from its start.
func (x *linux) startLoops() {
	n := 8 // CONFIG_BLK_DEV_LOOP_MIN_COUNT unless configured, drivers/block/Kconfig
	if set, err := strconv.Atoi(x.kconfig()["CONFIG_BLK_DEV_LOOP_MIN_COUNT"]); err == nil {
		n = max(0, min(set, maxLoops))
	}
	for i := len(x.loops); i < n; i++ {
		x.loops = append(x.loops, &loop{})
		x.k.AddDevice(loopName(i), nil, "", "", "")
	}
}

func loopName(i int) string { return "loop" + strconv.Itoa(i) }

// loopNamed finds a loop device by its node's name, "loop0".
func (s *start) loopNamed(name string) *loop {
	for i, l := range s.loops {
		if name == loopName(i) {
			return l
		}
	}
	return nil
}

// losetup is losetup(8): it gives a loop device a file, takes it away, or names a free device.
func (in *shProcess) losetup(words []string) ctl {
	flags, values, rest := optArgs(shortOptions(words), "obdj")
	find := strings.Contains(flags, "f")
	switch {
	case strings.Contains(flags, "H"):
		return in.losetupHelp()
	case in.x.have("loop") == unknown:
		return in.endFor(trace.Why("unknown.driver-builtin", "driver", "loop", "version", in.x.version))
	case strings.ContainsAny(flags, "alDcL") || values['j'] != "" || values['b'] != "":
		return in.end("unknown.program-does", "program", "losetup")
	case values['d'] != "":
		return in.freeLoops(append(rest, values['d']))
	case !find && len(rest) < 2:
		return in.end("unknown.program-prints", "program", "losetup")
	}
	device := in.x.freeLoop()
	if !find {
		device, rest = strings.TrimPrefix(in.abs(rest[0]), "/dev/"), rest[1:]
	}
	offset, err := strconv.ParseInt(cmp.Or(values['o'], "0"), 0, 64)
	switch {
	case device == "":
		in.err("losetup: cannot find an unused loop device\n")
		return in.failed()
	case len(rest) == 0:
		in.out("/dev/%s\n", device)
		return in.ok()
	case err != nil || offset < 0:
		in.err("losetup: failed to parse offset: '%s'\n", values['o'])
		return in.failed()
	}
	c := in.fillLoop(device, rest[0], offset, strings.Contains(flags, "r"))
	if c == ctlNone && in.status == 0 && strings.Contains(flags, "s") {
		in.out("/dev/%s\n", device)
	}
	return c
}

// shortOptions writes the long options of losetup as their short ones; -H stands for help.
func shortOptions(words []string) []string {
	short := map[string]string{"--read-only": "-r", "--find": "-f", "--show": "-s", "--partscan": "-P", "--offset": "-o", "--detach": "-d",
		"--detach-all": "-D", "--all": "-a", "--list": "-l", "--help": "-H", "--sizelimit": "-b", "--associated": "-j"}
	var out []string
	for _, w := range words {
		name, value, joined := strings.Cut(w, "=")
		if s, ok := short[name]; ok {
			if w = s; joined {
				w += value
			}
		}
		if name != "--direct-io" { // how the file is read, not what
			out = append(out, w)
		}
	}
	return out
}

// losetupHelp prints the options that scripts ask for before they use them: util-linux's losetup explains them
// one a line, BusyBox's names them in its usage.
func (in *shProcess) losetupHelp() ctl {
	switch {
	case in.stdout.kind == "console":
		return in.end("unknown.program-prints", "program", "losetup --help")
	case in.programIs("losetup", "busybox"):
		in.err("Usage: losetup [-rP] [-o OFS] {-f|LOOPDEV} FILE: associate loop devices\n")
		return in.ok()
	}
	in.out(" -o, --offset <num>            start at offset <num> into the file\n -r, --read-only               set up a read-only loop device\n")
	return in.ok()
}

// freeLoop is the first device without a file, "" when there is none.
func (x *linux) freeLoop() string {
	for i, l := range x.loops {
		if l.file == "" {
			return loopName(i)
		}
	}
	return ""
}

// freeLoops takes files away from devices.
func (in *shProcess) freeLoops(names []string) ctl {
	in.status = 0
	for _, name := range names {
		name = strings.TrimPrefix(in.abs(name), "/dev/")
		l := in.x.loopNamed(name)
		if l == nil || l.file == "" {
			in.err("losetup: /dev/%s: detach failed: No such device or address\n", name)
			in.status = 1
			continue
		}
		*l = loop{}
		in.x.k.FillDevice(name, nil, "", "", "")
	}
	return ctlNone
}

// fillLoop is the ioctl LOOP_CONFIGURE: from now on the device shows the file.
func (in *shProcess) fillLoop(device, name string, offset int64, readOnly bool) ctl {
	x := in.x
	l := x.loopNamed(device)
	refuse := func(e kernel.Errno) ctl {
		in.err("losetup: %s: failed to set up loop device: %s\n", name, e.Strerror())
		return in.failed()
	}
	switch {
	case l == nil:
		in.err("losetup: /dev/%s: failed to use device: No such device\n", device)
		return in.failed()
	case l.file != "":
		return refuse(kernel.EBUSY)
	}
	if b, ok := in.blockDevice(name); ok { // a disk can be shown from an offset on
		return in.end("unknown.device-offset", "device", "/dev/"+b.name)
	}
	file, err := x.pid1.Open(in.abs(name))
	if err != nil {
		return refuse(kernel.Errno(errno(err)))
	}
	content, ok := file.(fsys.File)
	if !ok {
		return refuse(kernel.EINVAL)
	}
	// The size is counted in sectors; a rest behind the last whole one is not seen. loop_get_size, drivers/block/loop.c
	size := max(0, content.Size()-offset) / disk.SectorSize * disk.SectorSize
	*l = loop{file: in.abs(name), size: size, vol: &disk.Volume{Size: size}}
	if x.c.OpenVolume != nil {
		*l.vol = x.c.OpenVolume(blob.Section(content, offset, size), size)
	}
	info := fsys.Info{UUID: l.vol.UUID, Label: l.vol.Label}
	if l.vol.FS != nil {
		info = l.vol.FS.Info()
	}
	x.k.FillDevice(device, l.vol.FS, l.vol.Type, info.UUID, info.Label)
	text := ""
	if x.newer(5, 11) { // set_capacity_and_notify, block/genhd.c
		text = fmt.Sprintf("%s: detected capacity change from 0 to %d", device, size/disk.SectorSize)
	}
	st := in.stepOf("linux.loop-device", x.printk(kernInfo, text),
		map[string]string{"device": device, "file": l.file, "size": bytesText(size), "type": l.vol.Type}, "loop(4), LOOP_CONFIGURE", info.Cites...)
	x.k.Emit(st, loopRow(device, l, readOnly))
	return in.ok()
}

// mountFile mounts a regular file: mount(8) of util-linux and BusyBox shows it through a loop device, one that has it
// already or the first that is free. klibc's leaves it to the kernel, which wants a device.
func (in *shProcess) mountFile(file, dst, fstype string, f kernel.MountFlags, data string) ctl {
	if in.klibc("mount") {
		return in.mountFailed(file, dst, kernel.ENOTBLK)
	}
	device := ""
	for i, l := range in.x.loops {
		if l.file == in.abs(file) {
			device = loopName(i)
		}
	}
	if device == "" {
		if device = in.x.freeLoop(); device == "" {
			return in.end("unknown.no-loop", "path", file)
		}
		if c := in.fillLoop(device, file, 0, f&kernel.MS_RDONLY != 0); c != ctlNone || in.status != 0 {
			return c
		}
	}
	options := strings.Split(data, ",")
	return in.mountDevice("/dev/"+device, dst, fstype, f, strings.Join(slices.DeleteFunc(options, func(o string) bool { return o == "loop" }), ","))
}

func loopRow(device string, l *loop, readOnly bool) machine.Set {
	set := deviceRow(device, l.size, "loop", l.vol)
	if set.Row["file"] = l.file; readOnly {
		set.Row["readonly"] = "yes"
	}
	return set
}

// damagedSquashfs tells whether a volume's driver refuses to mount it because its superblock contradicts the
// volume, as when the file was cut off: squashfs_fill_super of fs/squashfs/super.c, silently and with EINVAL.
func damagedSquashfs(v *disk.Volume) bool {
	var damaged *decode.Error
	return v != nil && v.Type == "squashfs" && v.FS == nil && errors.As(v.Err, &damaged)
}
