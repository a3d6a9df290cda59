package boot

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/union"
	"bootpath/sim/trace"
	"bootpath/tests/fixture"
)

func btrfsVolume(t *testing.T, name string) *btrfs.FS {
	b := fixture.Blob(name, fixture.Zst(t, "../fsys/btrfs/testdata/"+name+".btrfs.zst"))
	f, err := btrfs.Open(b, b.Size())
	require.NoError(t, err)
	return f
}

// extVolume opens a fixture without checksums, so that its feature flags can be changed: bit 2 of
// s_feature_incompat is needs_recovery.
func extVolume(t *testing.T, name string, incompat byte) *ext4.FS {
	image := fixture.Xz(t, "../fsys/ext4/testdata/"+name+".img.xz")
	image[1024+0x60] |= incompat
	b := fixture.Blob(name, image)
	f, err := ext4.Open(b, b.Size())
	require.NoError(t, err)
	return f
}

// mounts is an initramfs that mounts the partition as the command line's rootflags say, and its drivers.
func mounts(options string) map[string]string {
	return with(busybox(map[string]string{"init": "#!/bin/sh\nmount -t devtmpfs d /dev\nmount -o " + options + " /dev/vda1 /mnt || exec sh\nls /mnt\nexec switch_root /mnt /sbin/init"}),
		map[string]string{"lib/modules/6.1.0/modules.builtin": builtinDrivers + "kernel/fs/btrfs/btrfs.ko\n"})
}

// The words about Btrfs are those of a Debian 12 under QEMU whose rootflags name no subvolume or whose volume
// lacks its second device; those about ext4 are of fs/ext4/super.c of Linux 6.1.
func TestWhatAMountSays(t *testing.T) {
	const banner = "Linux version 6.1.0 #1 SMP Debian 6.1.176-1 (2026-07-02)"
	const opened = "BTRFS info (device vda1): first mount of filesystem 66666666-2222-3333-4444-555555555555\n" +
		"BTRFS info (device vda1): using free space tree\n"
	full, one, home := btrfsVolume(t, "full"), btrfsVolume(t, "raid1"), []string{"big"}
	for _, c := range []struct {
		name, options string
		vol           fsys.FS
		banner        string
		console       string
		shows         []string // files in the root directory of what was mounted
	}{
		{"the default subvolume", "ro", full, banner, opened, home},
		{"a subvolume by name", "ro,subvol=@/nested", full, banner, opened, []string{"file"}},
		{"a subvolume by number", "ro,subvolid=258", full, banner, opened, []string{"file"}},
		{"with a what-if", "ro,subvol=@home", union.Edit(full, nil, map[string][]byte{"etc/new": nil}), banner, opened, []string{"big", "etc"}},
		{"other options say more", "ro,subvol=@home,compress=zstd", full, banner, "BTRFS info (device vda1): first mount of filesystem 66666666-2222-3333-4444-555555555555\n", home},
		{"an early kernel counts no mounts", "ro", full, "Linux version 6.1.0", "BTRFS info (device vda1): using free space tree\n", home},
		{"no subvolume", "ro,subvol=@none", full, banner, opened +
			"BTRFS info (device vda1): last unmount of filesystem 66666666-2222-3333-4444-555555555555\n" +
			"mount: mounting /dev/vda1 on /mnt failed: No such file or directory\n", nil},
		{"a directory", "ro,subvol=/@/zlib", full, banner, opened +
			"BTRFS error (device vda1): '/@/zlib' is not a valid subvolume\n" +
			"BTRFS info (device vda1): last unmount of filesystem 66666666-2222-3333-4444-555555555555\n" +
			"mount: mounting /dev/vda1 on /mnt failed: Invalid argument\n", nil},
		{"two that differ", "ro,subvol=@,subvolid=257", full, "Linux version 6.1.0", "BTRFS info (device vda1): using free space tree\n" +
			"BTRFS error (device vda1): subvol '@' does not match subvolid 257\n" +
			"mount: mounting /dev/vda1 on /mnt failed: Invalid argument\n", nil},
		{"one of two devices", "ro", one, banner, "BTRFS error (device vda1): devid 2 uuid " + secondDevice + " is missing\n" +
			"BTRFS error (device vda1): failed to read the system array: -2\nBTRFS error (device vda1): open_ctree failed: -22\n" +
			"mount: mounting /dev/vda1 on /mnt failed: Invalid argument\n", nil},
		{"one of two devices is enough", "ro,degraded", one, banner, "", []string{"few", "numbers"}},
		{"ext2", "ro", extVolume(t, "ext2", 0), banner, "EXT4-fs (vda1): mounting ext2 file system using the ext4 subsystem\n" +
			"EXT4-fs (vda1): mounted filesystem without journal. Quota mode: none.\n", nil},
		{"ext3 after a crash", "ro", extVolume(t, "ext3", 4), banner, "EXT4-fs (vda1): mounting ext3 file system using the ext4 subsystem\n" +
			"EXT4-fs (vda1): INFO: recovery required on readonly filesystem\nEXT4-fs (vda1): write access will be enabled during recovery\n" +
			"EXT4-fs (vda1): recovery complete\nEXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.\n", nil},
		{"to be written, edited", "rw,data=writeback", union.Edit(extVolume(t, "ext3", 4), []string{"etc"}, nil), banner,
			"EXT4-fs (vda1): mounting ext3 file system using the ext4 subsystem\nEXT4-fs (vda1): recovery complete\n" +
				"EXT4-fs (vda1): mounted filesystem with writeback data mode. Quota mode: none.\n", nil},
		{"the journal is left alone", "ro,noload", extVolume(t, "ext3", 4), banner, "EXT4-fs (vda1): mounting ext3 file system using the ext4 subsystem\n" +
			"EXT4-fs (vda1): mounted filesystem without journal. Quota mode: none.\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := startedOn(t, blob.NewStore(), "", mounts(c.options), c.vol)
			x.banner = c.banner
			x.kernelInit()
			require.NoError(t, x.m.Trace().Check(func(string) (int64, bool) { return 1 << 40, true }))
			require.Contains(t, unstamped(shown(x)), c.console)
			sentences(t, x.m.Trace())
			if c.shows == nil {
				return
			}
			entries, err := x.pid1.ReadDir("/mnt")
			require.NoError(t, err)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			require.Subset(t, names, c.shows)
		})
	}
}

// secondDevice is in the chunk tree of the fixture, as btrfs inspect-internal dump-tree shows it.
const secondDevice = "9d4b4286-1fb8-4ef4-9740-ba5ecf48d206"

func unstamped(console string) string { return anyTime.ReplaceAllString(console, "") }

func TestTheKernelMountsRootflags(t *testing.T) {
	full := btrfsVolume(t, "full")
	builtin := with(builtin610, map[string]string{"lib/modules/6.1.0/modules.builtin": builtinDrivers + "kernel/fs/btrfs/btrfs.ko\n"})
	for _, c := range []struct{ flags, version, message string }{
		{"subvol=@/zlib", "6.1.0", "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block"},
		{"subvol=@/zlib", "6.12.0", "Kernel panic - not syncing: VFS: Unable to mount root fs on \"/dev/vda1\" or unknown-block"},
		{"subvol=@none", "6.12.0", "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block"},
	} {
		x := startedOn(t, blob.NewStore(), "root=/dev/vda1 ro rootflags="+c.flags, builtin, full)
		x.version = c.version
		require.False(t, x.prepareNamespace())
		o := x.m.Trace().Outcome
		require.Equal(t, trace.Stops, o.Verdict, o.Unknown.String())
		require.Equal(t, c.message, o.Message)
		sentences(t, x.m.Trace())
	}
	x := startedOn(t, blob.NewStore(), "root=/dev/vda1 ro rootflags=subvol=@/nested", builtin, full)
	require.True(t, x.prepareNamespace())
	_, err := x.pid1.Stat("/file")
	require.NoError(t, err)
}

func TestGRUBWalksBtrfsFromItsTop(t *testing.T) {
	full := btrfsVolume(t, "full")
	for _, f := range []fsys.FS{full, union.Edit(full, nil, map[string][]byte{"x": nil})} {
		v := fromTop(&disk.Volume{FS: f, Type: "btrfs"})
		require.NoError(t, v.Err)
		_, err := v.FS.Lstat("@/nested/file")
		require.NoError(t, err)
	}
	ext := &disk.Volume{FS: extVolume(t, "ext2", 0), Type: "ext2"}
	require.Same(t, ext, fromTop(ext))
	require.Nil(t, fromTop(nil))
}
