package boot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/identify"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
	"bootpath/tests/fixture"
)

// onDisk is like started, with a disk that is a fixture without a partition table.
func onDisk(t *testing.T, path string, patches []blob.Patch, line string, initramfs map[string]string) *linux {
	store, data := blob.NewStore(), fixture.Blob("disk0", fixture.Zst(t, path))
	im, err := identify.Open(store, store.Add("disk0", data, data.Size(), nil), patches)
	require.NoError(t, err)
	m := machine.New()
	x := &linux{start: &start{m: m, c: Config{Disk: im.Disk, Store: store, Firmware: "bios", Device: "disk"}}, params: cmdline.Parse(line), version: "6.1.0", l: loaded{cmdline: line}}
	x.k = kernel.New(m, kernel.Options{Version: x.version, Arch: "amd64", Cmdline: line})
	x.pid1 = x.k.Init()
	x.initrd = tree(t, store, "initramfs", initramfs)
	x.k.UnpackRootfs(x.initrd)
	x.mods = x.findModules()
	x.hw = x.attach()
	x.probe(x.mods.builtin, "linux")
	return x
}

const (
	lvmPlain = "../disk/lvm/testdata/plain.img.zst"
	lvmRule  = "IMPORT{program}=\"/sbin/lvm pvscan --cache\"\nRUN+=\"/sbin/lvm vgchange -aay --autoactivation event $env{LVM_VG_NAME_COMPLETE}\"\n"
)

func TestARootOnALogicalVolume(t *testing.T) {
	init := func(script string, more ...map[string]string) map[string]string {
		return with(append([]map[string]string{busybox(map[string]string{"init": "#!/bin/sh\nmount -t devtmpfs d /dev\n" + script,
			"bin/udevadm": tinyProgram, "lib/systemd/systemd-udevd": tinyProgram,
			"lib/modules/6.1.0/modules.builtin": builtinDrivers + "kernel/drivers/md/dm-mod.ko\n"})}, more...)...)
	}
	tools := map[string]string{"sbin/lvm": tinyProgram, "sbin/vgchange": "-> lvm"}
	rule := map[string]string{"lib/udev/rules.d/69-lvm.rules": lvmRule}
	udev := "/lib/systemd/systemd-udevd --daemon\nudevadm trigger --type=devices --action=add\nudevadm settle\n"
	root := "mount -t ext4 -o ro /dev/mapper/sys--tem-root /mnt || exec sh\nexec switch_root /mnt /sbin/init"
	const missing = "mount: mounting /dev/mapper/sys--tem-root on /mnt failed: No such file or directory"
	const works = "EXT4-fs (dm-0): mounted filesystem"
	for _, c := range []struct {
		name, disk string
		initramfs  map[string]string
		verdict    trace.Verdict
		says       string // message or what is missing
		console    string
	}{
		{"udev's rule activates the group", lvmPlain, init(udev+root, tools, rule), "", "", works},
		{"by the other link", lvmPlain, init(udev+strings.ReplaceAll(root, "/dev/mapper/sys--tem-root", "/dev/sys-tem/root"), tools, rule), "", "", works},
		{"by the file system's UUID", lvmPlain, init(udev+strings.ReplaceAll(root, "/dev/mapper/sys--tem-root", "$(findfs UUID=b0070010-0000-4000-8000-000000000003)"), tools, rule), "", "", works},
		{"a script activates the group", lvmPlain, init("vgchange -ay\n"+root, tools), "", "", "  1 logical volume(s) in volume group \"sys-tem\" now active\n"},
		{"no tools", lvmPlain, init(udev+root, rule), trace.Stops, missing, missing},
		{"no rule", lvmPlain, init(udev+root, tools), trace.Stops, missing, missing},
		{"no device-mapper", lvmPlain, init(udev+root, tools, rule, builtin610), trace.Stops, missing, missing},
		{"a filter in lvm.conf", lvmPlain, init(udev+root, tools, rule, map[string]string{"etc/lvm/lvm.conf": "devices {\n\t# filter = []\n\tfilter = [ \"r|.*|\" ]\n}\n"}), trace.Unknown,
			"unknown.lvm-conf setting=filter", ""},
		{"the other half is elsewhere", "../disk/lvm/testdata/pv0.img.zst", init(udev+root, tools, rule), trace.Stops, missing, missing},
		{"an encrypted disk", "../disk/luks/testdata/luks2.img.zst", init(udev + root), trace.Stops, missing, missing},
		{"an encrypted disk is opened", "../disk/luks/testdata/luks1.img.zst", init("cryptsetup luksOpen /dev/vda root\n"+root, map[string]string{"sbin/cryptsetup": tinyProgram}), trace.Unknown,
			`unknown.passphrase device="root (/dev/vda)"`, "Enter passphrase for /dev/vda: "},
		{"a member of an array", "../disk/md/testdata/v1.2.img.zst", init(udev + root), trace.Unknown, "unknown.array device=/dev/vda", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := onDisk(t, c.disk, nil, "root=/dev/mapper/sys--tem-root ro", c.initramfs)
			x.kernelInit()
			tr := x.m.Trace()
			require.NoError(t, tr.Check(func(string) (int64, bool) { return 1 << 40, true }))
			out := tr.Outcome
			require.Contains(t, shown(x), c.console)
			if c.verdict == "" {
				require.Equal(t, "/dev/dm-0", x.facts.Root)
				require.Equal(t, "sys--tem-root", x.m.Row(trace.Devices, "dm-0")["name"])
				return
			}
			require.Equal(t, c.verdict, out.Verdict, "%+v", out)
			require.Contains(t, out.Message+out.Unknown.String(), c.says)
		})
	}
}
