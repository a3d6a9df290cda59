package boot

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/trace"
)

// mounted prints what the file system's driver says when it is mounted; nothing for those that are silent.
func (x *linux) mounted(dev blockDevice, fstype string, readOnly bool, options string) {
	text := ""
	var cites []blob.Cite
	f := fsys.Original(dev.volumeFS())
	if f != nil {
		cites = f.Info().Cites
	}
	switch fstype {
	case "ext2", "ext3", "ext4":
		text = x.extMount(dev, fstype, readOnly, strings.Split(options, ","))
	case "btrfs":
		if f, ok := f.(*btrfs.FS); ok {
			text = x.btrfsMount(dev, f, strings.Split(options, ","))
		}
	}
	x.emit("linux.mounted", kernInfo, text, map[string]string{"device": dev.name, "type": fstype, "uuid": dev.tag("UUID")}, "mount(2)", cites)
}

// unmounted prints what the file system's driver says when a device is mounted nowhere any more: ext4 since 5.19, with
// the UUID since 6.3. fs/ext4/super.c, ext4_put_super
func (x *linux) unmounted(source string) {
	for _, row := range x.m.Rows(trace.Mounted) {
		if row["source"] == source {
			return
		}
	}
	dev, ok := x.device(strings.TrimPrefix(source, "/dev/"))
	if kind := dev.tag("TYPE"); !ok || !strings.HasPrefix(kind, "ext") || !x.newer(5, 19) {
		return
	}
	text := fmt.Sprintf("EXT4-fs (%s): unmounting filesystem", dev.name)
	if x.newer(6, 3) {
		text += " " + strings.ToLower(dev.tag("UUID"))
	}
	x.emit("linux.unmounted", kernInfo, text+".", map[string]string{"device": dev.name}, "fs/ext4/super.c, ext4_put_super", nil)
}

// extMount tells what ext4 says before it has mounted a volume: that it does so for its predecessors, and
// that a journal was replayed, as after a crash. It returns the line about the mount itself. fs/ext4/super.c,
// __ext4_fill_super and ext4_load_journal.
func (x *linux) extMount(dev blockDevice, fstype string, readOnly bool, options []string) string {
	args := map[string]string{"device": dev.name, "type": fstype}
	var cites []blob.Cite
	say := func(kind trace.Kind, text string) {
		x.emit(kind, kernInfo, fmt.Sprintf("EXT4-fs (%s): %s", dev.name, text), args, "fs/ext4/super.c", cites)
	}
	journal, replay := fstype != "ext2", false
	if f, ok := fsys.Original(dev.volumeFS()).(*ext4.FS); ok {
		journal, replay = f.Journal()
		cites = f.Info().Cites
	}
	if fstype != "ext4" {
		say("linux.ext4-for-older", fmt.Sprintf("mounting %s file system using the ext4 subsystem", fstype))
	}
	if slices.Contains(options, "noload") || slices.Contains(options, "norecovery") {
		journal, replay = false, false
	}
	if replay {
		if readOnly {
			say("linux.recover-journal", "INFO: recovery required on readonly filesystem")
			say("linux.recover-journal", "write access will be enabled during recovery")
		}
		say("linux.recover-journal", "recovery complete")
	}
	return fmt.Sprintf("EXT4-fs (%s): %s", dev.name, x.extMounted(dev, journal, readOnly, options))
}

// extMounted is ext4's line about a mount. Since 5.12 it tells of quotas, since 6.3 the UUID, since 6.5 whether
// the mount is read-only.
func (x *linux) extMounted(dev blockDevice, journal, readOnly bool, options []string) string {
	mode := "without journal"
	if journal {
		mode = "with ordered data mode"
		for _, o := range options {
			switch o {
			case "data=journal":
				mode = "with journalled data mode"
			case "data=writeback":
				mode = "with writeback data mode"
			}
		}
	}
	uuid := strings.ToLower(dev.tag("UUID"))
	ro := "r/w"
	if readOnly {
		ro = "ro"
	}
	switch {
	case x.newer(6, 5):
		return fmt.Sprintf("mounted filesystem %s %s %s. Quota mode: none.", uuid, ro, mode)
	case x.newer(6, 3):
		return fmt.Sprintf("mounted filesystem %s %s. Quota mode: none.", uuid, mode)
	case x.newer(5, 12):
		return fmt.Sprintf("mounted filesystem %s. Quota mode: none.", mode)
	}
	return fmt.Sprintf("mounted filesystem %s. Opts: (null)", mode)
}

// btrfsMount is what btrfs says of a mount, where that does not depend on the machine's processor; open_ctree
// of fs/btrfs/disk-io.c. Options other than those that choose a subvolume have it say more.
func (x *linux) btrfsMount(dev blockDevice, f *btrfs.FS, options []string) string {
	var lines []string
	info := func(text string) { lines = append(lines, fmt.Sprintf("BTRFS info (device %s): %s", dev.name, text)) }
	if x.btrfsCounts() {
		info("first mount of filesystem " + f.Info().UUID)
	}
	plain := !slices.ContainsFunc(options, func(o string) bool {
		return o != "" && !strings.HasPrefix(o, "subvol=") && !strings.HasPrefix(o, "subvolid=")
	})
	sb, _ := f.Superblock()
	tree := sb.Compat_ro_flags&btrfs.BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE != 0
	switch {
	case !plain || x.newer(6, 8):
	case tree:
		info("using free space tree")
	default:
		info("disk space caching is enabled")
	}
	return strings.Join(lines, "\n")
}

// btrfsCounts tells whether btrfs says when a volume is mounted first and unmounted last: since 6.8, and in
// later releases of older series.
func (x *linux) btrfsCounts() bool {
	return x.newer(6, 8) || x.stable(6, 6, 30) || x.stable(6, 1, 100)
}

// btrfsError is the number behind "open_ctree failed", which kernels since 6.14 and later releases of older series
// print: EINVAL or, since 6.8, what befell, ENOENT.
func (x *linux) btrfsError() string {
	switch {
	case x.newer(6, 14), x.stable(6, 12, 30):
		return ": -2"
	case x.stable(6, 6, 90), x.stable(6, 1, 150):
		return ": -22"
	}
	return ""
}

// refused prints what a driver says of a mount that it is going to refuse. Btrfs opens the volume, unless that
// lacks a device, and only then looks for the subvolume.
func (x *linux) refused(dev blockDevice, fstype, options string) {
	v, ok := dev.volumeFS().(fsys.Subvolumes)
	if !ok || v.Info().Type != fstype {
		return
	}
	_, err := v.Select(options)
	if err == nil {
		return
	}
	say := func(level int, reason, text string) {
		args := map[string]string{"device": dev.name, "type": fstype, "options": options, "reason": reason}
		x.emit("linux.mount-refused", level, text, args, "fs/btrfs/super.c, btrfs_mount", v.Info().Cites)
	}
	var told *btrfs.MountError
	errors.As(err, &told)
	f, opened := fsys.Original(v).(*btrfs.FS)
	if opened = opened && !errors.Is(err, fsys.ErrMissingDevice); opened {
		say(kernInfo, err.Error(), x.btrfsMount(dev, f, strings.Split(options, ",")))
	}
	if told != nil {
		for _, line := range told.Lines {
			if line == "open_ctree failed" {
				line += x.btrfsError()
			}
			say(kernErr, line, fmt.Sprintf("BTRFS error (device %s): %s", dev.name, line))
		}
	}
	if opened && x.btrfsCounts() {
		say(kernInfo, err.Error(), fmt.Sprintf("BTRFS info (device %s): last unmount of filesystem %s", dev.name, v.Info().UUID))
	}
}

// stable tells whether the kernel is one of a stable series from that release on: distributions name it in
// the banner ("Debian 6.1.176-1") when uname's release does not.
func (x *linux) stable(major, minor, patch int) bool {
	for _, v := range regexp.MustCompile(`\b\d+\.\d+\.\d+`).FindAllString(x.banner, -1) {
		var a, b, c int
		fmt.Sscanf(v, "%d.%d.%d", &a, &b, &c)
		if a == major && b == minor && c >= patch {
			return true
		}
	}
	return false
}
