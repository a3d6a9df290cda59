package boot

import (
	"fmt"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// prepareNamespace mounts the root file system without an initramfs: prepare_namespace of
// init/do_mounts.c. It tells whether the kernel has a root.
func (x *linux) prepareNamespace() bool {
	root, given := x.params.Get("root")
	if sec, ok := x.params.Get("rootdelay"); ok {
		n, _ := strconv.Atoi(sec)
		x.emit("linux.root-delay", kernInfo, fmt.Sprintf("Waiting %d sec before mounting root device...", n), map[string]string{"seconds": fmt.Sprint(n)},
			"init/do_mounts.c, prepare_namespace", nil)
		x.m.Wait(seconds(float64(min(n, 3600))))
	}
	if root == "/dev/nfs" || strings.HasPrefix(root, "mtd") || strings.HasPrefix(root, "ubi") || root == "/dev/cifs" {
		x.unknown(x.stage(), "what lies behind root="+root+", which is not in the image")
		return false
	}
	dev, ok := x.nameToDev(root)
	if !ok {
		if x.params.Has("rootwait") {
			// "rootwait: Wait (indefinitely) for root device to show up." - kernel-parameters.txt
			x.emit("linux.wait-root", kernInfo, "Waiting for root device "+root+"...", map[string]string{"root": root}, "init/do_mounts.c, rootwait", nil)
			x.deviceMissing("Waiting for root device " + root + "...")
			return false
		}
		x.noRootDevice(root, given)
		return false
	}
	return x.mountRoot(root, dev)
}

// nameToDev resolves root= as the kernel can: device nodes and partition identifiers, no UUID= and no
// LABEL= of file systems (init/do_mounts.c, name_to_dev_t; early_lookup_bdev since 6.5).
func (x *linux) nameToDev(root string) (blockDevice, bool) {
	tag, value, _ := strings.Cut(root, "=")
	switch {
	case tag == "PARTUUID":
		return x.lookup(tag, strings.ToLower(value))
	case tag == "PARTLABEL":
		return x.lookup(tag, value)
	case strings.HasPrefix(root, "/dev/"):
		name := strings.ReplaceAll(strings.TrimPrefix(root, "/dev/"), "/", "!")
		if b, ok := x.device(name); ok {
			return b, true
		}
	}
	x.doubt(tag)
	return blockDevice{}, false
}

// noRootDevice is the end of a kernel that cannot find its root: error -6 is ENXIO.
func (x *linux) noRootDevice(root string, given bool) {
	name := root
	switch {
	case !given && !x.newer(6, 5):
		name = "(null)"
	case strings.HasPrefix(root, "/dev/") && !x.newer(6, 5):
		name = strings.TrimPrefix(root, "/dev/") // the message has it without
	}
	args := map[string]string{"root": root, "devices": x.deviceNames()}
	x.emit("linux.no-root-device", kernWarn, "/dev/root: Can't open blockdev", args, "fs/super.c, get_tree_bdev", nil)
	x.emit("linux.no-root-device", kernWarn, fmt.Sprintf("VFS: Cannot open root device %q or unknown-block(0,0): error -6", name), args,
		"init/do_mounts.c, mount_block_root ENXIO", nil)
	x.emit("linux.list-partitions", kernWarn, "Please append a correct \"root=\" boot option; here are the available partitions:"+x.partitionLines(), args,
		"block/genhd.c, printk_all_partitions", x.mods.cites)
	if x.unsure != "" {
		x.unknown(x.stage(), x.unsure)
		return
	}
	x.panic("VFS: Unable to mount root fs on unknown-block(0,0)", "init/do_mounts.c, mount_block_root")
}

// deviceMissing ends a run that waits or gives up because a device is not there.
func (x *linux) deviceMissing(message string) {
	if x.unsure != "" {
		x.unknown(x.stage(), x.unsure)
		return
	}
	x.stop(x.stage(), message)
}

func (x *linux) deviceNames() string {
	var names []string
	for _, b := range x.blockDevices() {
		names = append(names, b.name)
	}
	return strings.Join(names, " ")
}

// partitionLines lists the devices whose numbers are fixed (Documentation/admin-guide/devices.txt). The
// major number of virtio-blk is given out at run time, so its lines are left out.
func (x *linux) partitionLines() string {
	var out strings.Builder
	for _, b := range x.blockDevices() {
		var dev, drv string
		switch b.name {
		case "sr0":
			dev, drv = "0b00", "sr"
		case "fd0":
			dev, drv = "0200", "floppy"
		default:
			continue
		}
		fmt.Fprintf(&out, "\n%-9s %10d %s \n driver: %s", dev, x.c.Disk.Size>>10, b.name, drv)
	}
	return out.String()
}

// mountRoot mounts the device: mount_block_root tries the file systems that the kernel has.
func (x *linux) mountRoot(root string, dev blockDevice) bool {
	fstype := dev.tag("TYPE")
	have := no
	if fstype != "" {
		have = x.mods.builtin(fsDriver(fstype))
	}
	if have == unknown {
		x.unknown(x.stage(), fmt.Sprintf("whether this kernel has the file system %s built in: the image has neither modules.builtin nor a configuration for %s", fstype, x.version))
		return false
	}
	if dev.volumeFS() == nil && have == yes {
		x.unknown(x.stage(), behind(dev.name, dev.vol))
		return false
	}
	args := map[string]string{"root": root, "device": dev.name, "type": fstype}
	if have == no {
		// The block device's numbers are given out at run time, so only the start of the line is known.
		x.emit("linux.no-root-fs", kernWarn, "", args, "init/do_mounts.c, mount_block_root", x.mods.cites)
		x.stop(x.stage(), "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block")
		return false
	}
	flags := kernel.MountFlags(0)
	if x.params.ReadOnly() {
		flags = kernel.MS_RDONLY
	}
	x.m.Wait(costMount)
	x.rootNode(dev.name)
	// "rootflags= [KNL] Set root filesystem mount option string" - kernel-parameters.txt
	options, _ := x.params.Get("rootflags")
	if err := x.pid1.Mount("/dev/root", "/root", fstype, flags, options); err != nil {
		x.unknown(x.stage(), "why the kernel cannot mount /dev/"+dev.name+": "+err.Error())
		return false
	}
	x.mounted(dev, fstype, x.params.ReadOnly())
	x.facts.Root = "/dev/" + dev.name
	x.pid1.Chdir("/root")
	if x.mods.config["CONFIG_DEVTMPFS_MOUNT"] == "y" {
		if x.pid1.Mount("devtmpfs", "dev", "devtmpfs", kernel.MS_SILENT, "") == nil {
			x.emit("linux.devtmpfs", kernInfo, "devtmpfs: mounted", map[string]string{}, "drivers/base/devtmpfs.c, devtmpfs_mount", nil)
		}
	}
	x.pid1.MoveMount(".", "/")
	x.pid1.Chroot(".")
	return true
}

// rootNode makes what the kernel's own initramfs holds (/dev and /root, usr/gen_init_cpio) and the node
// /dev/root for the device.
func (x *linux) rootNode(name string) {
	x.quietly(func() {
		t := x.pid1
		t.Mkdir("/dev", 0o755)
		t.Mkdir("/root", 0o700)
		if t.Mount("devtmpfs", "/dev", "devtmpfs", 0, "") != nil {
			return
		}
		fi, err := t.Stat("/dev/" + name)
		t.Umount("/dev", 0)
		if err == nil {
			t.Mknod("/dev/root", fsys.S_IFBLK|0o600, fsys.StatOf(fi).Rdev)
		}
	})
}

// mounted prints what the file system's driver says when it is mounted; nothing for those that are silent.
func (x *linux) mounted(dev blockDevice, fstype string, readOnly bool) {
	text := ""
	switch fstype {
	case "ext4", "ext3", "ext2":
		x.extMount(dev, fstype, readOnly)
		// fs/ext4/super.c: since 6.3 the UUID stands there, since 6.5 also how it is mounted.
		mode := "with ordered data mode"
		if fstype == "ext2" {
			mode = "without journal"
		}
		switch {
		case x.newer(6, 5):
			ro := "r/w"
			if readOnly {
				ro = "ro"
			}
			text = fmt.Sprintf("EXT4-fs (%s): mounted filesystem %s %s %s. Quota mode: none.", dev.name, strings.ToLower(dev.tag("UUID")), ro, mode)
		case x.newer(6, 3):
			text = fmt.Sprintf("EXT4-fs (%s): mounted filesystem %s %s. Quota mode: none.", dev.name, strings.ToLower(dev.tag("UUID")), mode)
		case x.newer(5, 12):
			text = fmt.Sprintf("EXT4-fs (%s): mounted filesystem %s. Quota mode: none.", dev.name, mode)
		default:
			text = fmt.Sprintf("EXT4-fs (%s): mounted filesystem %s. Opts: (null)", dev.name, mode)
		}
	}
	var cites []blob.Cite
	if f := dev.volumeFS(); f != nil {
		cites = f.Info().Cites
	}
	x.emit("linux.mounted", kernInfo, text, map[string]string{"device": dev.name, "type": fstype, "uuid": dev.tag("UUID")}, "mount(2)", cites)
}

// extMount tells what ext4 says before it has mounted a volume: that it does so for its predecessors, and
// that a journal was replayed, as after a crash; fs/ext4/super.c, ext4_load_journal.
func (x *linux) extMount(dev blockDevice, fstype string, readOnly bool) {
	args := map[string]string{"device": dev.name, "type": fstype}
	say := func(kind trace.Kind, text string, cites []blob.Cite) {
		x.emit(kind, kernInfo, fmt.Sprintf("EXT4-fs (%s): %s", dev.name, text), args, "fs/ext4/super.c", cites)
	}
	if fstype != "ext4" {
		say("linux.ext4-for-older", fmt.Sprintf("mounting %s file system using the ext4 subsystem", fstype), nil)
	}
	f, ok := dev.volumeFS().(fsys.Journaled)
	if !ok {
		return
	}
	if _, replay := f.Journal(); !replay {
		return
	}
	cites := f.Info().Cites
	if readOnly {
		say("linux.recover-journal", "INFO: recovery required on readonly filesystem", cites)
		say("linux.recover-journal", "write access will be enabled during recovery", cites)
	}
	say("linux.recover-journal", "recovery complete", cites)
}

// fsDriver is the module that registers a file system of blkid's name.
func fsDriver(fstype string) string {
	switch fstype {
	case "iso9660":
		return "isofs"
	case "ext2", "ext3": // ext4 takes them over: CONFIG_EXT4_USE_FOR_EXT2, and ext3 since 4.3
		return "ext4"
	}
	return fstype
}
