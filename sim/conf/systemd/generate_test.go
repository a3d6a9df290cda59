package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/conf/cmdline"
)

// generators makes generators exist in the image, beside other files.
func generators(files map[string]string, names ...string) map[string]string {
	for _, n := range names {
		files["usr/lib/systemd/system-generators/"+n+"*"] = "\x7fELF"
	}
	return files
}

// bare is a unit without dependencies of its own.
const bare = "[Unit]\n" + noDefault

func TestFstabBecomesUnits(t *testing.T) {
	m := manager(generators(map[string]string{
		"sbin/fsck.ext4*": "x",
		"etc/fstab": "# comment\n" +
			"UUID=12-AB / ext4 defaults 0 1\n" +
			"LABEL=my\\040disk /data ext4 defaults 0 2\n" +
			"/dev/sdb1 /opt ext4 nofail,x-systemd.device-timeout=5s 0 0\n" +
			"/dev/sdc1 /lazy vfat noauto,x-systemd.automount 0 2\n" +
			"/dev/sdd1 /off xfs noauto 0 0\n" +
			"host:/x /net nfs defaults 0 0\n" +
			"proc /proc proc hidepid=2 0 0\n" +
			"UUID=99 none swap sw 0 0\n" +
			"/swapfile none swap nofail 0 0\n" +
			"/data/a /b none bind,x-systemd.requires=/off,x-systemd.wanted-by=my.target 0 0\n",
		lib + "local-fs.target": bare, lib + "remote-fs.target": bare, lib + "swap.target": bare, lib + "my.target": bare,
		lib + "systemd-fsck@.service": service(noDefault), lib + "systemd-fsck-root.service": service(noDefault), lib + "systemd-remount-fs.service": service(noDefault),
	}, "systemd-fstab-generator"))
	for _, c := range []struct {
		unit string
		dep  Dep
		want string
	}{
		{"local-fs.target", Requires, "-.mount data.mount lazy.automount"},
		{"local-fs.target", Wants, "opt.mount systemd-fsck-root.service systemd-remount-fs.service"},
		{"remote-fs.target", Requires, "net.mount"},
		{"swap.target", Requires, `dev-disk-by\x2duuid-99.swap`}, {"swap.target", Wants, "swapfile.swap"},
		{"my.target", Wants, "b.mount"},
		{"data.mount", BindsTo, `dev-disk-by\x2dlabel-my\x5cx20disk.device`},
		{"data.mount", Requires, `-.mount system.slice systemd-fsck@dev-disk-by\x2dlabel-my\x5cx20disk.service`},
		{"lazy.mount", BindsTo, "dev-sdc1.device"}, {"lazy.automount", Triggers, "lazy.mount"},
		{"b.mount", Requires, "-.mount data.mount off.mount system.slice"}, {"b.mount", BindsTo, ""},
	} {
		require.Equal(t, c.want, ids(m.Load(c.unit).Deps(c.dep)), "%s %v", c.unit, c.dep)
	}
	require.Equal(t, "5s", m.Load("dev-sdb1.device").JobRunningTimeout)
	require.Equal(t, "/etc/fstab", m.Load("data.mount").SourcePath)
	require.Equal(t, NotFound, m.Load("proc.mount").Load, "systemd mounts /proc by itself")
	why, ok := m.Load("local-fs.target").Has(Requires, m.Load("data.mount"))
	require.True(t, ok)
	require.Equal(t, `LABEL=my disk /data ext4 defaults 0 2`, why.Cites()[0].Value, "what a generator writes is backed by the line of fstab")
	require.Equal(t, Loaded, m.Load("off.mount").Load)
}

func TestNoFsckWithoutAChecker(t *testing.T) {
	m := manager(generators(map[string]string{"etc/fstab": "/dev/sdb1 /data ext4 defaults 0 2\n"}, "systemd-fstab-generator"))
	require.NotContains(t, ids(m.Load("data.mount").Deps(Requires)), "fsck")
}

func TestFstabCanBeSwitchedOff(t *testing.T) {
	files := generators(map[string]string{"etc/fstab": "/dev/sdb1 /data ext4 defaults 0 0\n"}, "systemd-fstab-generator")
	m := NewManager(Env{Root: tree(files), Cmdline: "fstab=no"})
	require.Equal(t, NotFound, m.Load("data.mount").Load)
}

func TestSerialConsolesGetALoginPrompt(t *testing.T) {
	files := generators(map[string]string{lib + "getty.target": bare, lib + "serial-getty@.service": service("Description=%I")}, "systemd-getty-generator")
	m := NewManager(Env{Root: tree(files), Consoles: []string{"tty0", "ttyS0"}, TTYs: []string{"hvc0"}})
	require.Equal(t, "serial-getty@hvc0.service serial-getty@ttyS0.service", ids(m.Load("getty.target").Deps(Wants)))
	m = NewManager(Env{Root: tree(files), Consoles: []string{"ttyS0"}, Cmdline: "systemd.getty_auto=0"})
	require.Empty(t, m.Load("getty.target").Deps(Wants))
}

func TestTheKernelCommandLineChangesUnits(t *testing.T) {
	files := generators(map[string]string{lib + "default.target": bare, lib + "a.service": service(""), lib + "b.service": service("")}, "systemd-debug-generator")
	m := NewManager(Env{Root: tree(files), Cmdline: "systemd.mask=a.service systemd.wants=b systemd.debug_shell"})
	require.Equal(t, Masked, m.Load("a.service").Load)
	require.Equal(t, "b.service debug-shell.service", ids(m.Load("default.target").Deps(Wants)))
}

func TestTheGoal(t *testing.T) {
	for line, want := range map[string]string{
		"ro quiet": "default.target", "systemd.unit=a.target": "a.target", "single": "rescue.target", "emergency": "emergency.target", "3": "multi-user.target",
		"systemd.unit=a.target rescue": "rescue.target", "ro -- s": "rescue.target", "systemd.unit=nonsense": "default.target", "systemd.unit=x.target init=/x": "x.target",
	} {
		require.Equal(t, want, DefaultUnit(cmdline.Parse(line), false), line)
	}
}

func TestInitScriptsBecomeUnits(t *testing.T) {
	m := manager(generators(map[string]string{
		"etc/init.d/old*": "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: old\n# Required-Start: $network $local_fs other\n# X-Start-Before: later\n" +
			"# Short-Description: an old one\n### END INIT INFO\nstart\n",
		"etc/rc3.d/S01old": "-> ../init.d/old", "etc/init.d/native*": "#!/bin/sh\n", lib + "native.service": service("Description=native"),
		"etc/init.d/off.sh*": "#!/bin/sh\n# pidfile: /run/off.pid\n", "etc/init.d/README": "x", lib + "multi-user.target": bare,
	}, "systemd-sysv-generator"))
	u := m.Load("old.service")
	require.Equal(t, "LSB: an old one", u.Description)
	require.Equal(t, "forking", u.Service.Type)
	require.True(t, u.Service.RemainAfterExit)
	require.Equal(t, []string{"/etc/init.d/old", "start"}, u.Service.Start[0].Argv)
	require.Contains(t, ids(u.Deps(After)), "network-online.target other.service")
	require.Contains(t, ids(u.Deps(Wants)), "network-online.target")
	require.Contains(t, ids(u.Deps(Before)), "later.service")
	require.Equal(t, "old.service", ids(m.Load("multi-user.target").Deps(Wants)))
	require.Equal(t, "native", m.Load("native.service").Description)
	require.Equal(t, "SYSV: off", m.Load("off.service").Description)
	require.False(t, m.Load("off.service").Service.RemainAfterExit)
}

func TestGeneratorsThatAreNotKnownAreNoted(t *testing.T) {
	m := manager(generators(map[string]string{"etc/veritytab": "x", "etc/systemd/system-generators/mine*": "x", "etc/systemd/system-generators/systemd-fstab-generator": "-> /dev/null"},
		"systemd-cryptsetup-generator", "systemd-veritysetup-generator", "mine", "systemd-fstab-generator"))
	require.Equal(t, []string{"mine", "systemd-veritysetup-generator"}, m.Notes)
}

func TestPartitionsAreMountedByTheirType(t *testing.T) {
	files := generators(map[string]string{lib + "local-fs.target": bare, lib + "swap.target": bare, "srv/data": "x"}, "systemd-gpt-auto-generator")
	parts := []Partition{
		{Node: "/dev/vda3", Type: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"}, {Node: "/dev/vda4", Type: "933AC7E1-2EB4-4F13-B844-0E14E2AEF915", FSType: "ext4"},
		{Node: "/dev/vda5", Type: "3B8F8425-20E0-4F3B-907F-1A25A76F98E8", FSType: "ext4"}, {Node: "/dev/vda6", Type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4"},
		{Node: "/dev/vda7", Type: "7EC6F557-3BC5-4ACA-B293-16EF5DF639D1", Attributes: gptNoAuto},
	}
	m := NewManager(Env{Root: tree(files), Partitions: parts})
	require.Equal(t, "dev-vda3.swap", ids(m.Load("swap.target").Deps(Wants)))
	require.Equal(t, "home.mount", ids(m.Load("local-fs.target").Deps(Requires)), "/srv is not empty")
	require.Equal(t, "dev-vda4.device", ids(m.Load("home.mount").Deps(BindsTo)))
	files["etc/fstab"] = "/swapfile none swap sw 0 0\n/dev/x /home ext4 defaults 0 0\n"
	m = NewManager(Env{Root: tree(files), Partitions: parts})
	require.Empty(t, m.Load("swap.target").Deps(Wants))
	require.Empty(t, m.Load("local-fs.target").Deps(Requires))
}
