package boot

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// elfProgram is the smallest thing that Linux executes: a static ELF file with one segment.
func elfProgram() string {
	b := make([]byte, 0x80)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[0x10:], 2)         // ET_EXEC
	le.PutUint16(b[0x12:], 62)        // EM_X86_64
	le.PutUint32(b[0x14:], 1)         // EV_CURRENT
	le.PutUint64(b[0x18:], 0x400078)  // entry
	le.PutUint64(b[0x20:], 64)        // program headers
	le.PutUint16(b[0x34:], 64)        // header size
	le.PutUint16(b[0x36:], 56)        // of a program header
	le.PutUint16(b[0x38:], 1)         // one of them
	le.PutUint32(b[64:], 1)           // PT_LOAD
	le.PutUint32(b[68:], 5)           // r-x
	le.PutUint64(b[64+16:], 0x400000) // address
	le.PutUint64(b[64+24:], 0x400000) // physical
	le.PutUint64(b[64+32:], 0x80)     // in the file
	le.PutUint64(b[64+40:], 0x80)     // in memory
	le.PutUint64(b[64+48:], 0x1000)   // alignment
	return string(b)
}

const unitDir = "usr/lib/systemd/system/"

// smallSystem is a small root file system: init, the basic targets, a login prompt on the serial line, and
// what a test adds. A nil-like value "-" takes a file out.
func smallSystem(more map[string]string) systemdTree {
	files := map[string]string{
		"usr/lib/systemd/systemd*": elfProgram(), "bin/prog*": elfProgram(), "sbin/agetty*": elfProgram(), "usr/lib/systemd/systemd-sulogin-shell*": elfProgram(),
		"etc/hostname": "box\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n", "etc/os-release": "PRETTY_NAME=\"Small OS 1\"\nID=small\n",
		"etc/issue": "Small OS \\n \\l\n\n", "etc/shadow": "root:*:1::::::\n", "etc/fstab": "UUID=1234 / ext4 defaults 0 0\n",
		"etc/systemd/system.conf":                                    "[Manager]\n#StatusUnitFormat=combined\n",
		"usr/lib/systemd/system-generators/systemd-fstab-generator*": elfProgram(), "usr/lib/systemd/system-generators/systemd-getty-generator*": elfProgram(),
		unitDir + "default.target":                    "-> multi-user.target",
		unitDir + "multi-user.target":                 "[Unit]\nDescription=Multi-User System\nRequires=basic.target\nAfter=basic.target\nWants=getty.target\nAllowIsolate=yes\n",
		unitDir + "basic.target":                      "[Unit]\nDescription=Basic System\nRequires=sysinit.target\nAfter=sysinit.target\n",
		unitDir + "sysinit.target":                    "[Unit]\nDescription=System Initialization\nWants=local-fs.target systemd-udevd.service systemd-udev-trigger.service\nAfter=local-fs.target\nConflicts=emergency.target\n",
		unitDir + "local-fs.target":                   "[Unit]\nDescription=Local File Systems\nDefaultDependencies=no\nOnFailure=emergency.target\nOnFailureJobMode=replace-irreversibly\n",
		unitDir + "getty.target":                      "[Unit]\nDescription=Login Prompts\n",
		unitDir + "serial-getty@.service":             "[Unit]\nDescription=Serial Getty on %I\nBindsTo=dev-%i.device\nAfter=dev-%i.device\n[Service]\nType=idle\nExecStart=/sbin/agetty\n",
		unitDir + "systemd-udevd.service":             "[Unit]\nDescription=Devices\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart=/bin/prog\n",
		unitDir + "systemd-udev-trigger.service":      "[Unit]\nDescription=Coldplug\nDefaultDependencies=no\nAfter=systemd-udevd.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/prog\n",
		unitDir + "emergency.target":                  "[Unit]\nDescription=Emergency Mode\nDefaultDependencies=no\nRequires=emergency.service\nAfter=emergency.service\nAllowIsolate=yes\n",
		unitDir + "emergency.service":                 "[Unit]\nDescription=Emergency Shell\nDefaultDependencies=no\n[Service]\nType=idle\nExecStart=-/usr/lib/systemd/systemd-sulogin-shell emergency\n",
		unitDir + "rescue.target":                     "[Unit]\nDescription=Rescue Mode\nRequires=rescue.service\nAfter=rescue.service\nAllowIsolate=yes\n",
		unitDir + "rescue.service":                    "[Unit]\nDescription=Rescue Shell\nDefaultDependencies=no\n[Service]\nType=idle\nExecStart=-/usr/lib/systemd/systemd-sulogin-shell rescue\n",
		unitDir + "multi-user.target.wants/a.service": "-> ../a.service",
		unitDir + "a.service":                         "[Unit]\nDescription=The A\n[Service]\nExecStart=/bin/prog\n",
	}
	for p, text := range more {
		files[p] = text
		if text == "-" {
			delete(files, p)
		}
	}
	return plant(files)
}

// runSmall starts the small system and checks the trace by the rules that hold for each.
func runSmall(t *testing.T, cmdline string, more map[string]string) (*trace.Trace, Facts, string) {
	root := smallSystem(more)
	tr, facts := startSystemd(t, root, strings.TrimSpace("console=ttyS0 "+cmdline), "6.1.0")
	require.NoError(t, tr.Check(func(blob string) (int64, bool) {
		f := root.MapFS[blob]
		if f == nil {
			return 0, false
		}
		return int64(len(f.Data)), true
	}))
	return tr, facts, consoleOf(tr)
}

// stepOf finds the step of a kind about a unit.
func stepOf(t *testing.T, tr *trace.Trace, kind trace.Kind, unit string) trace.Step {
	for _, st := range tr.Steps {
		if st.Kind == kind && (unit == "" || st.Args["unit"] == unit) {
			return st
		}
	}
	var have []string
	for _, st := range tr.Steps {
		have = append(have, string(st.Kind)+" "+st.Args["unit"])
	}
	t.Fatalf("no step %s about %s in\n%s", kind, unit, strings.Join(have, "\n"))
	return trace.Step{}
}

func TestASmallSystemReachesItsLoginPrompt(t *testing.T) {
	tr, facts, out := runSmall(t, "", nil)
	require.Equal(t, trace.Works, tr.Outcome.Verdict, "%+v\n%s", tr.Outcome, out)
	require.Equal(t, "box login:", tr.Outcome.Message)
	require.Equal(t, "multi-user.target", facts.Target)
	require.Contains(t, out, "\nWelcome to Small OS 1!\n\n")
	require.Contains(t, out, "systemd[1]: Hostname set to <box>.\n")
	require.Contains(t, out, "[  OK  ] Started a.service - The A.\n")
	require.Contains(t, out, "[  OK  ] Found device dev-ttyS0.device - /dev/ttyS0.\n")
	require.Contains(t, out, "[  OK  ] Reached target multi-user.target - Multi-User System.\n")
	require.True(t, strings.HasSuffix(out, "\nSmall OS box ttyS0\n\nbox login: "), out)

	a := stepOf(t, tr, "systemd.started", "a.service")
	require.Equal(t, "multi-user.target", a.Args["by"])
	require.Equal(t, "ExecStart", a.Cites[0].Name[len(a.Cites[0].Name)-9:])
	state := tr.At(len(tr.Steps) - 1)
	require.Equal(t, "active", state[trace.Units]["a.service"]["state"])
	var exes []string
	for _, p := range state[trace.Processes] {
		exes = append(exes, p["exe"])
	}
	require.Contains(t, exes, "/bin/prog", "the service's process is in the table")
}

func TestQuietHoldsStatusLinesBackUntilSomethingFails(t *testing.T) {
	_, _, out := runSmall(t, "quiet", nil)
	require.NotContains(t, out, "OK")
	require.NotContains(t, out, "systemd[1]")
	require.Contains(t, out, "box login: ")
	_, _, out = runSmall(t, "quiet", map[string]string{unitDir + "a.service": "[Unit]\nDescription=The A\n[Service]\nType=oneshot\nExecStart=/bin/none\n"})
	require.Contains(t, out, "[FAILED] Failed to start a.service - The A.\n")
	_, _, out = runSmall(t, "systemd.show_status=no", nil)
	require.NotContains(t, out, "OK")
}

func TestAProgramThatIsMissingFailsItsUnit(t *testing.T) {
	oneshot := "[Unit]\nDescription=The A\n[Service]\nType=oneshot\nExecStart=/bin/none\n"
	tr, _, out := runSmall(t, "", map[string]string{unitDir + "a.service": oneshot, unitDir + "multi-user.target.wants/b.service": "-> ../b.service",
		unitDir + "b.service": "[Unit]\nDescription=The B\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/prog\n"})
	require.Contains(t, out, "systemd[1]: a.service: Main process exited, code=exited, status=203/EXEC\n")
	require.Contains(t, out, "systemd[1]: a.service: Failed with result 'exit-code'.\n")
	require.Contains(t, out, "[FAILED] Failed to start a.service - The A.\n         See 'systemctl status a.service' for details.\n")
	require.Contains(t, out, "[DEPEND] Dependency failed for b.service - The B.\n")
	require.Equal(t, trace.Works, tr.Outcome.Verdict, "a service that is only wanted does not stop the start")
	st := stepOf(t, tr, "systemd.exec-failed", "a.service")
	require.Equal(t, "/bin/none", st.Cites[0].Value)
	require.Equal(t, "failed", tr.At(len(tr.Steps) - 1)[trace.Units]["a.service"]["state"])
	dep := stepOf(t, tr, "systemd.dependency-failed", "b.service")
	require.Equal(t, "a.service", dep.Args["needs"])

	// Type=simple counts as started before the program is known to be missing.
	tr, _, out = runSmall(t, "", map[string]string{unitDir + "a.service": "[Unit]\nDescription=The A\n[Service]\nExecStart=/bin/none\n"})
	require.Contains(t, out, "[  OK  ] Started a.service - The A.\n")
	stepOf(t, tr, "systemd.exec-failed", "a.service")

	// "If the executable path is prefixed with "-", an exit code … is considered success."
	_, _, out = runSmall(t, "", map[string]string{unitDir + "a.service": strings.Replace(oneshot, "=/bin", "=-/bin", 1)})
	require.Contains(t, out, "[  OK  ] Finished a.service - The A.\n")
}

func TestConditionsAreAskedWhenTheUnitStarts(t *testing.T) {
	for cond, met := range map[string]bool{
		"ConditionPathExists=/etc/hostname": true, "ConditionPathExists=!/etc/hostname": false, "ConditionPathExists=/nowhere": false,
		"ConditionFileNotEmpty=/etc/hostname": true, "ConditionDirectoryNotEmpty=/etc": true, "ConditionDirectoryNotEmpty=/dev/shm": false,
		"ConditionFileIsExecutable=/bin/prog": true, "ConditionFileIsExecutable=/etc/hostname": false, "ConditionPathIsDirectory=/etc": true,
		"ConditionPathIsSymbolicLink=/usr/lib/systemd/system/default.target": true, "ConditionPathIsMountPoint=/": true, "ConditionPathIsMountPoint=/etc": false,
		"ConditionPathExistsGlob=/etc/host*": true, "ConditionPathIsReadWrite=/": false, "ConditionPathIsReadWrite=/run": true,
		"ConditionVirtualization=vm": true, "ConditionVirtualization=!container": true, "ConditionVirtualization=qemu": true, "ConditionVirtualization=kvm": false,
		"ConditionKernelCommandLine=console=ttyS0": true, "ConditionKernelCommandLine=console": true, "ConditionKernelCommandLine=nosuch": false,
		"ConditionFirstBoot=yes": false, "ConditionFirstBoot=no": true, "ConditionCapability=CAP_SYS_ADMIN": true, "ConditionUser=root": true, "ConditionUser=1000": false,
		"ConditionArchitecture=x86-64": true, "ConditionArchitecture=arm64": false, "ConditionHost=box": true, "ConditionHost=other": false,
		"ConditionSecurity=tpm2": false, "ConditionFirmware=uefi": false, "ConditionMemory=>=512M": true, "ConditionMemory=2G": false, "ConditionCPUs=<2": true,
		"ConditionOSRelease=ID=small": true, "ConditionOSRelease=ID=big": false, "ConditionACPower=true": true,
		"ConditionPathExists=|/nowhere\nConditionPathExists=|/etc/hostname": true, "ConditionPathExists=|/nowhere\nConditionPathExists=|/nothing": false,
		"ConditionPathExists=/nowhere\nConditionPathExists=": true, "ConditionNeedsUpdate=/etc": false,
	} {
		tr, _, out := runSmall(t, "", map[string]string{unitDir + "a.service": "[Unit]\nDescription=The A\n" + cond + "\n[Service]\nExecStart=/bin/prog\n"})
		require.Equal(t, met, strings.Contains(out, "Started a.service"), "%s\n%s", cond, out)
		require.Equal(t, trace.Works, tr.Outcome.Verdict)
		if !met {
			st := stepOf(t, tr, "systemd.skipped", "a.service")
			require.NotEmpty(t, st.Cites, cond)
			require.Regexp(t, `a.service - The A was skipped because (of an unmet condition check \(Condition|no trigger condition checks were met)`, st.Console)
		}
	}
}

func TestAConditionThatCannotBeKnownIsSaid(t *testing.T) {
	tr, _, out := runSmall(t, "", map[string]string{unitDir + "a.service": "[Unit]\nDescription=The A\nConditionPathExists=/sys/class/thing\n[Service]\nExecStart=/bin/prog\n"})
	require.Equal(t, "ConditionPathExists=/sys/class/thing", stepOf(t, tr, "systemd.condition-unknown", "a.service").Args["condition"])
	require.Contains(t, out, "Started a.service")
	require.Equal(t, `unknown.condition condition=ConditionPathExists=/sys/class/thing unit=a.service`, stepOf(t, tr, "systemd.startup-finished", "").Assumed[0].String())
}

func TestAnAssertionFailsItsUnit(t *testing.T) {
	_, _, out := runSmall(t, "", map[string]string{unitDir + "a.service": "[Unit]\nDescription=The A\nAssertPathExists=/nowhere\n[Service]\nExecStart=/bin/prog\n"})
	require.Contains(t, out, "[ASSERT] Assertion failed for a.service - The A.\n")
}

func TestAMissingDefaultTargetFallsBackToRescue(t *testing.T) {
	tr, facts, out := runSmall(t, "", map[string]string{unitDir + "default.target": "-> gone.target"})
	require.Contains(t, out, "systemd[1]: Unit gone.target not found.\n")
	require.Contains(t, out, "systemd[1]: Falling back to rescue.target.\n")
	require.Equal(t, "rescue.target", facts.Target)
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	require.Contains(t, tr.Outcome.Message, "You are in rescue mode")
	require.Contains(t, out, "Cannot open access to console, the root account is locked.")

	tr, _, _ = runSmall(t, "rescue", nil)
	require.Equal(t, trace.Works, tr.Outcome.Verdict, "rescue mode that was asked for is what was wanted")

	tr, _, out = runSmall(t, "", map[string]string{unitDir + "default.target": "-", unitDir + "rescue.target": "-"})
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	require.Contains(t, out, "[!!!!!!] Failed to load rescue.target.\n")
}

func TestARequirementThatIsMissingStopsTheWholeStart(t *testing.T) {
	tr, _, out := runSmall(t, "", map[string]string{unitDir + "basic.target": "[Unit]\nRequires=sysinit.target gone.service\n"})
	require.Contains(t, out, "systemd[1]: Failed to isolate default target: Unit gone.service not found.\n")
	require.Contains(t, out, "[!!!!!!] Failed to isolate default target.\n")
	require.Contains(t, out, "Freezing execution.\n")
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	require.NotEmpty(t, stepOf(t, tr, "systemd.cannot-queue", "").Cites)
}

func TestAFileSystemThatNeverComes(t *testing.T) {
	tr, _, out := runSmall(t, "", map[string]string{"etc/fstab": "UUID=1234 / ext4 defaults 0 0\nUUID=beef /data ext4 defaults 0 0\n"})
	require.Contains(t, out, "[ TIME ] Timed out waiting for device ")
	require.Contains(t, out, "[DEPEND] Dependency failed for data.mount - /data.\n")
	require.Contains(t, out, "systemd[1]: Dependency failed for local-fs.target - Local File Systems.\n")
	require.Contains(t, out, "You are in emergency mode.")
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	st := stepOf(t, tr, "systemd.device-timeout", "dev-disk-by\\x2duuid-beef.device")
	require.GreaterOrEqual(t, st.At, deviceTimeout)

	for opts, verdict := range map[string]trace.Verdict{"nofail": trace.Works, "noauto": trace.Works, "nofail,x-systemd.device-timeout=1s": trace.Works} {
		tr, _, out := runSmall(t, "", map[string]string{"etc/fstab": "UUID=1234 / ext4 defaults 0 0\nUUID=beef /data ext4 " + opts + " 0 0\n"})
		require.Equal(t, verdict, tr.Outcome.Verdict, "%s\n%s", opts, out)
	}
	tr, _, _ = runSmall(t, "", map[string]string{"etc/fstab": "/dev/disk/by-id/x /data ext4 defaults 0 0\n"})
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict, "which serial number the disk has is not in the image")
}

func TestAMachineWithoutIdentity(t *testing.T) {
	for content, want := range map[string]string{"": "machine-id-transient", "uninitialized\n": "machine-id-transient", "-": "machine-id-missing", "0123456789abcdef0123456789abcdef\n": "machine-id"} {
		tr, _, out := runSmall(t, "", map[string]string{"etc/machine-id": content})
		stepOf(t, tr, trace.Kind("systemd."+want), "")
		require.Equal(t, want == "machine-id-transient", strings.Contains(out, "Installed transient /etc/machine-id file."), out)
	}
	_, _, out := runSmall(t, "", map[string]string{"etc/hostname": "-"})
	require.Contains(t, out, "systemd[1]: Hostname set to <localhost>.\n")
}

func TestLongLinesAreShortenedInTheMiddle(t *testing.T) {
	c := &sysdConsole{status: statusOn, version: 252}
	require.Equal(t, "[  OK  ] Started short.\n", c.line(wordOK, "Started short.", false))
	long := "Started " + strings.Repeat("a", 80)
	got := c.line(wordOK, long, false)
	require.Len(t, []rune(got), 9+statusColumns+1)
	require.Contains(t, got, "…")
	require.Equal(t, "a…", ellipsize("abc", 2, false))
	require.Equal(t, "ab", stripEscapes("a\x1b[0;1;39mb\x1b[0m"))
}
