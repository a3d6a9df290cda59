package boot

import (
	"fmt"
	"slices"
	"strings"

	"bootpath/sim/disk"
	"bootpath/sim/disk/md"
	"bootpath/sim/trace"
)

// mdArray is an array as the kernel knows it: with its members, and, once it runs, as a block device.
type mdArray struct {
	md.Array
	node    string // "md127"
	link    string // below /dev/md, "" without one
	vol     *disk.Volume
	running bool
	waits   bool // which was said
}

// udevMD has udev give each member to mdadm: 64-md-raid-assembly.rules, on a system that systemd does not run.
func (in *shProcess) udevMD() {
	if !in.x.udevd {
		return
	}
	for _, file := range [...]string{"/lib/udev/rules.d/64-md-raid-assembly.rules", "/usr/lib/udev/rules.d/64-md-raid-assembly.rules", "/usr/lib/udev/rules.d/65-md-incremental.rules"} {
		text, ok := in.readFile(file)
		if !ok || !strings.Contains(text, "mdadm --incremental") && !strings.Contains(text, "mdadm -I") {
			continue
		}
		if _, ok := in.find("/sbin/mdadm", true); ok {
			in.assembleArrays("udev", false)
			return
		}
	}
}

// assembleArrays gives the kernel the members that are here and starts what may start: an array that has as many
// members as it had when it last ran, or, when run says so, one that has enough. mdadm(8), --incremental and --run.
func (in *shProcess) assembleArrays(by string, run bool) {
	x := in.x
	for _, a := range md.Arrays(x.c.Disk) {
		at := slices.IndexFunc(x.arrays, func(have *mdArray) bool { return have.UUID == a.UUID })
		if at < 0 {
			if !in.membersPresent(&a) {
				continue
			}
			at = len(x.arrays)
			x.arrays = append(x.arrays, in.newArray(a))
		}
		if arr := x.arrays[at]; !arr.running {
			in.startArray(arr, by, run)
		}
	}
}

// isMember tells whether the volume of an array's member lies on a device itself, not on what is made of it.
func isMember(b blockDevice, member *disk.Volume) bool {
	return b.vol != nil && b.vol.Name == "" && b.vol.Type == member.Type && b.vol.Off == member.Off
}

// membersPresent tells whether the drivers of the members' devices are there.
func (in *shProcess) membersPresent(a *md.Array) bool {
	for _, i := range a.On {
		want := &in.x.c.Disk.Volumes[i]
		if !slices.ContainsFunc(in.x.blockDevices(), func(b blockDevice) bool { return isMember(b, want) }) {
			return false
		}
	}
	return len(a.On) > 0
}

// memberNames are the devices of an array's members.
func (in *shProcess) memberNames(a *md.Array) []string {
	var out []string
	for _, i := range a.On {
		for _, b := range in.x.blockDevices() {
			if isMember(b, &in.x.c.Disk.Volumes[i]) {
				out = append(out, b.name)
			}
		}
	}
	return out
}

// newArray names an array: as mdadm.conf(5) says, by its number when it is this host's, else from 127 downwards.
func (in *shProcess) newArray(a md.Array) *mdArray {
	arr := &mdArray{Array: a}
	for i := range in.x.c.Disk.Volumes {
		if v := &in.x.c.Disk.Volumes[i]; v.Name == a.VolumeName() {
			arr.vol = v
		}
	}
	name := ""
	if conf, ok := in.readFile("/etc/mdadm/mdadm.conf"); ok {
		name = arrayInConf(conf, &a)
	} else if conf, ok := in.readFile("/etc/mdadm.conf"); ok {
		name = arrayInConf(conf, &a)
	}
	rest, numbered := strings.CutPrefix(name, "/dev/md")
	rest = strings.TrimPrefix(rest, "/")
	if n := 0; numbered && scanInt(rest, &n) {
		arr.node, arr.link = fmt.Sprintf("md%d", n), rest
		return arr
	}
	if name != "" {
		arr.link = name[strings.LastIndexByte(name, '/')+1:]
	}
	for n := 127; n >= 0 && arr.node == ""; n-- {
		node := fmt.Sprintf("md%d", n)
		if !slices.ContainsFunc(in.x.arrays, func(have *mdArray) bool { return have.node == node }) {
			arr.node = node
		}
	}
	return arr
}

// arrayInConf is the device that a line "ARRAY DEVICE UUID=…" or "name=…" gives an array, "" without one.
func arrayInConf(conf string, a *md.Array) string {
	for line := range strings.Lines(conf) {
		words := strings.Fields(line)
		if len(words) < 2 || !strings.EqualFold(words[0], "ARRAY") {
			continue
		}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			if strings.EqualFold(key, "UUID") && strings.EqualFold(strings.NewReplacer(":", "", "-", "").Replace(value), strings.ReplaceAll(a.UUID, ":", "")) ||
				strings.EqualFold(key, "name") && value == a.Name && a.Name != "" {
				if strings.HasPrefix(words[1], "/dev/") {
					return words[1]
				}
				if !strings.Contains(words[1], "=") {
					return "/dev/md/" + words[1]
				}
			}
		}
	}
	return ""
}

// startArray starts an array, or says why it waits.
func (in *shProcess) startArray(arr *mdArray, by string, run bool) {
	x := in.x
	here := fmt.Sprintf("%d of %d", arr.Present, arr.Disks)
	args := map[string]string{"array": arr.node, "level": arr.Level, "members": here, "by": by}
	if arr.Level != "raid1" || arr.vol == nil || arr.vol.R == nil {
		if x.unsure == nil {
			x.unsure = trace.Why("unknown.array-level", "array", arr.UUID, "level", arr.Level, "members", fmt.Sprintf("%d/%d", arr.Present, arr.Disks))
		}
		return
	}
	if tree := x.moduleTree(); x.have("raid1") != yes && (tree == nil || !in.loadModule(tree, "raid1", by, 0)) {
		if x.unsure == nil && x.have("raid1") != no {
			x.unsure = trace.Why("unknown.driver-builtin", "driver", "raid1", "version", x.version)
		}
		return
	}
	if whole := arr.Present >= arr.Disks || arr.Present >= arr.Working; !whole && !run {
		if !arr.waits {
			arr.waits = true
			x.k.Emit(in.stepOf("initramfs.array-waits", "", args, "mdadm(8), --incremental", arr.Cites...))
		}
		return
	}
	arr.running = true
	x.addDevice(arr.node, arr.vol)
	x.k.Emit(in.stepOf("initramfs.start-array", "", args, "mdadm(8), --incremental, --run", arr.Cites...), deviceRow(arr.node, arr.Size, "raid1", arr.vol))
	for i, names := 1, in.memberNames(&arr.Array); i < len(names); i++ {
		x.emit("linux.array-warning", kernWarn, fmt.Sprintf("%s: WARNING: %s appears to be on the same physical disk as %s.\nTrue protection against single-disk failure might be compromised.", arr.node, names[i], names[i-1]),
			map[string]string{"array": arr.node, "member": names[i], "other": names[i-1]}, "drivers/md/md.c, md_run", nil)
	}
	x.emit("linux.start-array", kernInfo, fmt.Sprintf("md/raid1:%s: active with %d out of %d mirrors", arr.node, arr.Present, arr.Disks),
		map[string]string{"array": arr.node, "members": here}, "drivers/md/raid1.c, raid1_run", arr.Cites)
	x.emit("linux.array-size", kernInfo, fmt.Sprintf("%s: detected capacity change from 0 to %d", arr.node, arr.Size/disk.SectorSize),
		map[string]string{"array": arr.node, "size": bytesText(arr.Size)}, "block/genhd.c, set_capacity_and_notify", nil)
}

// mdadm is mdadm(8) as start scripts use it: to assemble what is described somewhere, or to start what waits.
func (in *shProcess) mdadm(words []string) ctl {
	if len(md.Arrays(in.x.c.Disk)) == 0 {
		return in.ok()
	}
	mode, scan, run, whole := "", false, false, false
	for _, w := range words[1:] {
		switch w {
		case "--assemble", "-A", "-As", "--incremental", "-I":
			mode = w
			scan = scan || w == "-As"
		case "--scan", "-s":
			scan = true
		case "--run", "-R":
			run = true
		case "--no-degraded":
			whole = true
		case "--auto=yes", "-q", "--quiet":
		default:
			if strings.HasPrefix(w, "-") {
				return in.end("unknown.program-does", "program", strings.Join(words, " "))
			}
		}
	}
	if mode == "" && !run {
		return in.end("unknown.program-does", "program", strings.Join(words, " "))
	}
	// Members that wait in an array are busy: only --run by name starts that, which is what scripts give.
	waiting := len(in.x.arrays) > 0
	in.assembleArrays("mdadm", run && !whole || scan && !whole && !waiting)
	if scan && waiting && !in.arraysInConf() {
		in.err("mdadm: No arrays found in config file or automatically\n") // mdadm.c, scan_assemble: all members are busy
		return in.failed()
	}
	return in.ok()
}

// arraysInConf tells whether mdadm.conf describes an array.
func (in *shProcess) arraysInConf() bool {
	conf, ok := in.readFile("/etc/mdadm/mdadm.conf")
	if !ok {
		conf, _ = in.readFile("/etc/mdadm.conf")
	}
	for line := range strings.Lines(conf) {
		if words := strings.Fields(line); len(words) > 1 && strings.EqualFold(words[0], "ARRAY") {
			return true
		}
	}
	return false
}

// inMirror tells whether a volume is a member of a mirror that can be read: it hides nothing.
func (s *start) inMirror(v *disk.Volume) bool {
	if v.Type != "linux_raid_member" {
		return false
	}
	m, err := md.Read(v.R, v.Size)
	return err == nil && slices.ContainsFunc(md.Arrays(s.c.Disk), func(a md.Array) bool { return a.UUID == m.UUID && a.Err == nil })
}

// arrayVolume is what an array that runs holds, by the name of its device.
func (s *start) arrayVolume(node string) *disk.Volume {
	for _, a := range s.arrays {
		if a.running && a.node == node {
			return a.vol
		}
	}
	return nil
}

// arrayLink is the device that a link below /dev/md leads to.
func (s *start) arrayLink(name string) (device string, ok bool) {
	for _, a := range s.arrays {
		if a.running && (a.link != "" && name == "/dev/md/"+a.link || strings.HasPrefix(name, "/dev/disk/by-id/md-uuid-"+a.UUID)) {
			return a.node, true
		}
	}
	return "", false
}
