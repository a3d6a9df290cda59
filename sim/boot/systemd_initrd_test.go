package boot

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/conf/cmdline"
	"bootpath/sim/trace"
)

// initrdUnits are the units of an initramfs with systemd, cut down to what decides.
func initrdUnits(script string) map[string]string {
	const lib = "usr/lib/systemd/system/"
	return with(builtin610, map[string]string{
		"init": "-> usr/lib/systemd/systemd", "usr/lib/systemd/systemd": tinyProgram, "usr/bin/systemctl": tinyProgram, "usr/bin/udevadm": tinyProgram, "usr/lib/systemd/systemd-udevd": tinyProgram,
		"usr/bin/dash": tinyProgram, "lib/systemd/systemd-fsck": tinyProgram, "bin/sh": "-> ../usr/bin/dash", "usr/bin/dracut-getarg": tinyProgram, "usr/bin/sleep": tinyProgram, "usr/bin/sulogin": tinyProgram,
		"etc/initrd-release": "PRETTY_NAME=\"Test (Initramfs)\"\n", "sysroot/": "", "dev/": "", "proc/": "", "sys/": "", "run/": "",
		"usr/lib/systemd/system-generators/systemd-fstab-generator": tinyProgram,
		lib + "initrd.target":             "[Unit]\nDescription=Initrd Default Target\nRequires=initrd-root-fs.target\nAfter=initrd-root-fs.target hook.service\nWants=initrd-cleanup.service udev.service hook.service\nAllowIsolate=yes\nOnFailure=emergency.target\n",
		lib + "initrd-root-fs.target":     "[Unit]\nDescription=Initrd Root File System\nDefaultDependencies=no\nOnFailure=emergency.target\n",
		lib + "initrd-root-device.target": "[Unit]\nDescription=Initrd Root Device\nDefaultDependencies=no\n",
		lib + "udev.service":              "[Unit]\nDescription=udev\nDefaultDependencies=no\nWants=systemd-udevd.service systemd-udev-trigger.service\n[Service]\nType=oneshot\nExecStart=/usr/bin/udevadm settle\n",
		lib + "systemd-udevd.service":     "[Unit]\nDescription=udevd\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-udevd\n",
		lib + "systemd-udev-trigger.service": "[Unit]\nDescription=trigger\nDefaultDependencies=no\nAfter=systemd-udevd.service\n" +
			"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/udevadm trigger\n",
		lib + "hook.service": "[Unit]\nDescription=hook\nDefaultDependencies=no\nAfter=systemd-udev-trigger.service\nBefore=sysroot.mount\n" +
			"[Service]\nType=oneshot\nRemainAfterExit=yes\nEnvironment=NEWROOT=/sysroot\nExecStart=-/usr/bin/hook\nStandardError=journal+console\n",
		"usr/bin/hook":                     script,
		lib + "initrd-cleanup.service":     "[Unit]\nDescription=cleanup\nDefaultDependencies=no\nAfter=initrd-root-fs.target hook.service\nRequires=initrd-root-fs.target\n[Service]\nType=oneshot\nExecStart=systemctl --no-block isolate initrd-switch-root.target\n",
		lib + "initrd-switch-root.target":  "[Unit]\nDescription=Switch Root\nDefaultDependencies=no\nRequires=initrd-switch-root.service\nAllowIsolate=yes\n",
		lib + "initrd-switch-root.service": "[Unit]\nDescription=Switch Root\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=systemctl --no-block switch-root /sysroot\n",
		lib + "emergency.target":           "[Unit]\nDescription=Emergency Mode\nAllowIsolate=yes\nRequires=emergency.service\n",
		lib + "emergency.service":          "[Unit]\nDescription=Emergency Shell\nDefaultDependencies=no\n[Service]\nType=idle\nExecStart=/usr/bin/sulogin\n",
	})
}

// TestSwitchRootIsRefused: what has no os-release is no system, and the emergency shell is the initramfs's own script. Recorded
// with Debian 12's dracut and no root= (its emergency.service is of Type=idle).
func TestSwitchRootIsRefused(t *testing.T) {
	units := with(initrdUnits("#!/bin/sh\n"), map[string]string{
		"usr/lib/systemd/system/initrd-switch-root.service": "[Unit]\nDescription=Switch Root\nDefaultDependencies=no\nOnFailure=emergency.target\nOnFailureJobMode=replace-irreversibly\n[Service]\nType=oneshot\nExecStart=systemctl --no-block switch-root /sysroot\n",
		"usr/lib/systemd/system/emergency.service":          "[Unit]\nDescription=Emergency Shell\nDefaultDependencies=no\n[Service]\nType=idle\nStandardInput=tty-force\nStandardOutput=inherit\nExecStart=/bin/dracut-emergency\n",
		"bin/dracut-emergency":                              "#!/bin/sh\necho 'Entering emergency mode. Exit the shell to continue.'\nexec sulogin\n",
	})
	x := started(t, "root=UUID=aaaa-bbbb", units, map[string]string{"sbin/init": tinyProgram, "dev/": "", "proc/": "", "sys/": "", "run/": ""})
	x.kernelInit()
	tr := x.m.Trace()
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	require.Equal(t, emergencyMode, tr.Outcome.Message)
	out := shown(x)
	require.Contains(t, out, "[FAILED] Failed to start Switch Root.\n")
	require.Contains(t, out, "Entering emergency mode. Exit the shell to continue.\nPress Enter for maintenance\n")
	require.NotContains(t, out, "You are in emergency mode")
}

func TestSystemdInAnInitramfs(t *testing.T) {
	const lib = "usr/lib/systemd/system/"
	root := map[string]string{"sbin/init": "-> ../usr/lib/systemd/systemd", "usr/lib/systemd/systemd": tinyProgram, "lib/": "", "etc/hostname": "box\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
		"etc/os-release": "PRETTY_NAME=Box\n", "dev/": "", "proc/": "", "sys/": "", "run/": "", lib + "default.target": "[Unit]\nDescription=The End\nAllowIsolate=yes\n"}
	for _, c := range []struct {
		name, cmdline, script string
		verdict               trace.Verdict
		stage                 trace.Stage
		message               string
		console               string
	}{
		{"mounts the root and gives it PID 1", "root=UUID=aaaa-bbbb", "#!/bin/sh\necho \"to $NEWROOT\" >&2\n", trace.Works, trace.Userspace, "Reached target The End.", "]: to /sysroot\n"},
		{"the root never comes", "root=UUID=dddd", "#!/bin/sh\n", trace.Stops, trace.Initramfs, "You are in emergency mode.", "[ TIME ] Timed out waiting for device /dev/disk/by-uuid/dddd.\n"},
		{"a program that waits for somebody holds its unit", "root=UUID=aaaa-bbbb", "#!/bin/sh\nsystemctl start emergency.service\necho after >&2\n", trace.Stops, trace.Initramfs, "", "Emergency Shell"},
		{"rd.systemd.unit= counts here", "root=UUID=aaaa-bbbb rd.systemd.unit=emergency.target", "#!/bin/sh\n", trace.Works, trace.Initramfs, "You are in emergency mode.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, c.cmdline, initrdUnits(c.script), root)
			x.kernelInit()
			tr := x.m.Trace()
			require.NoError(t, tr.Check(func(string) (int64, bool) { return 1 << 40, true }))
			require.Equal(t, c.verdict, tr.Outcome.Verdict, "%+v\n%s", tr.Outcome, shown(x))
			require.Equal(t, c.stage, tr.Outcome.Stage)
			if c.message != "" {
				require.Equal(t, c.message, tr.Outcome.Message)
			}
			require.Contains(t, shown(x), c.console)
			require.NotContains(t, shown(x), "]: after")
		})
	}
}

func TestGetarg(t *testing.T) {
	require.Equal(t, []string{"a=b c", "d", "e="}, kernelWords(`a="b c" d  e=`))
	require.Equal(t, []string{""}, kernelWords(`""`))
	require.Empty(t, kernelWords(" \n"))
}

func FuzzKernelWords(f *testing.F) {
	f.Add(`root="UUID=a b" ro quiet`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, w := range kernelWords(line) {
			require.NotContains(t, w, `"`)
		}
		cmdline.Parse(line)
	})
}
