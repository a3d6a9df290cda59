package boot

import (
	"fmt"
	"strconv"
	"strings"

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
		x.cannotKnow(x.stage(), trace.Why("unknown.root-outside", "root", root))
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
	tag, value, tagged := strings.Cut(root, "=")
	if !tagged {
		tag = "" // a search for a device's name
	}
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
	if x.unsure != nil {
		x.cannotKnow(x.stage(), x.unsure)
		return
	}
	x.panic("VFS: Unable to mount root fs on unknown-block(0,0)", "init/do_mounts.c, mount_block_root")
}

// deviceMissing ends a run that waits or gives up because a device is not there.
func (x *linux) deviceMissing(message string) {
	if x.unsure != nil {
		x.cannotKnow(x.stage(), x.unsure)
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
		x.cannotKnow(x.stage(), trace.Why("unknown.fs-builtin", "fstype", fstype, "version", x.version))
		return false
	}
	if dev.volumeFS() == nil && have == yes {
		x.cannotKnow(x.stage(), behind(dev.name, dev.vol))
		return false
	}
	args := map[string]string{"root": root, "device": dev.name, "type": fstype}
	if have == no {
		// The block device's numbers are given out at run time, so only the start of the line is known.
		x.emit("linux.no-root-fs", kernWarn, "", args, "init/do_mounts.c, mount_block_root", x.mods.cites)
		x.cannotMount(root, kernel.ENODEV)
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
	if x.refusesOptions(dev, fstype, options) {
		x.cannotMount(root, kernel.EINVAL)
		return false
	}
	x.refused(dev, fstype, options)
	if err := x.pid1.Mount("/dev/root", "/root", fstype, flags, options); err != nil {
		if _, ok := dev.volumeFS().(fsys.Subvolumes); !ok || errno(err) == int(kernel.EIO) {
			x.cannotKnow(x.stage(), trace.Why("unknown.mount-refused", "device", "/dev/"+dev.name).For(kernel.Because(err)))
			return false
		}
		args["error"], args["options"] = strerror(err), options
		x.emit("linux.root-refused", kernWarn, "", args, "init/do_mounts.c, mount_block_root", dev.volumeFS().Info().Cites)
		x.cannotMount(root, kernel.Errno(errno(err)))
		return false
	}
	x.mounted(dev, fstype, x.params.ReadOnly(), options)
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

// cannotMount ends a kernel to which no file system type can mount the root: mount_block_root, since 6.5
// mount_root_generic. EINVAL has it try the next type, and after the last one the panic names the device; other
// errors end it at once. The numbers that follow are given out at run time.
func (x *linux) cannotMount(root string, e kernel.Errno) {
	message := "Kernel panic - not syncing: VFS: Unable to mount root fs on "
	if x.newer(6, 5) && (e == kernel.EINVAL || e == kernel.ENODEV) {
		message += fmt.Sprintf("%q or ", root)
	}
	x.stop(x.stage(), message+"unknown-block")
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
