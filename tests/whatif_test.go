package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// What really happened when images were broken in these ways; the words are those of the recorded boots and
// container starts (docs/rationale.md, "Where do the expected messages come from?").
func TestBrokenSamplesSayWhatRealMachinesSaid(t *testing.T) {
	const docker = "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: "
	rm := func(paths ...string) scenario.RunSettings { return scenario.RunSettings{Remove: paths} }
	set := func(key, value string) scenario.RunSettings {
		return scenario.RunSettings{Set: map[string]string{key: value}}
	}
	for _, tt := range []struct {
		name, sample string
		settings     scenario.RunSettings
		verdict      trace.Verdict
		stage        trace.Stage
		message      string
	}{
		{"boot signature cleared", "debian-bios", scenario.RunSettings{Patch: []scenario.BytePatch{{Off: 510, Data: "0000"}}},
			trace.Stops, trace.Firmware, "No bootable device."},
		{"kernel missing", "debian-bios", rm("/boot/vmlinuz-6.1.0-50-cloud-amd64"),
			trace.Stops, trace.Bootloader, "error: file `/boot/vmlinuz-6.1.0-50-cloud-amd64' not found."},
		{"grub.cfg missing", "debian-bios", rm("/boot/grub/grub.cfg"), trace.Stops, trace.Bootloader, "grub>"},
		{"initramfs missing", "debian-bios", rm("/boot/initrd.img-6.1.0-50-cloud-amd64"),
			trace.Stops, trace.Kernel, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"},
		{"root= names a file system that is not there", "debian-bios", set("cmdline", "root=UUID=deadbeef-0000-4000-8000-000000000000 ro console=ttyS0"),
			trace.Stops, trace.Initramfs, "ALERT!  UUID=deadbeef-0000-4000-8000-000000000000 does not exist.  Dropping to a shell!"},
		{"/sbin/init missing: initramfs-tools goes on to /bin/sh", "debian-bios", rm("/sbin/init"),
			trace.Stops, trace.Init, "/bin/sh: 0: can't access tty; job control turned off"},
		{"a BIOS disk under UEFI", "debian-bios", scenario.RunSettings{Firmware: "uefi"},
			trace.Stops, trace.Firmware, `BdsDxe: failed to load Boot0002 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0): Not Found`},
		{"UEFI grub.cfg missing", "debian-uefi", scenario.RunSettings{Firmware: "uefi", Remove: []string{"/boot/grub/grub.cfg"}},
			trace.Stops, trace.Bootloader, "grub>"},
		{"one ISO, the other firmware", "busybox-iso", scenario.RunSettings{Firmware: "uefi"}, trace.Works, trace.Init, "bb-init: ready, exec sh"},

		{"entrypoint that does not exist", "hello-scratch", set("config.Entrypoint", `["/nope"]`),
			trace.Stops, trace.Create, docker + `unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown.`},
		{"a name that PATH does not find", "busybox", set("config.Entrypoint", `["nosuchcmd"]`),
			trace.Stops, trace.Create, docker + `unable to start container process: exec: "nosuchcmd": executable file not found in $PATH: unknown.`},
		{"a file that is not executable", "busybox", set("config.Entrypoint", `["/etc/passwd"]`),
			trace.Stops, trace.Create, docker + `unable to start container process: exec: "/etc/passwd": permission denied: unknown.`},
		{"another architecture", "hello-scratch", scenario.RunSettings{HostArch: "arm64"}, trace.Stops, trace.Exec, "exec /hello: exec format error"},
		{"the dynamic loader is missing", "alpine", rm("/lib/ld-musl-x86_64.so.1"), trace.Stops, trace.Exec, "exec /bin/sh: no such file or directory"},
		{"nothing to run", "hello-scratch", scenario.RunSettings{Set: map[string]string{"config.Entrypoint": "null", "config.Cmd": "null"}},
			trace.Stops, trace.Resolve, "docker: Error response from daemon: No command specified."},
		{"a user that the image does not know", "busybox", scenario.RunSettings{User: "bob"},
			trace.Stops, trace.Resolve, "docker: Error response from daemon: unable to find user bob: no matching entries in passwd file."},
		{"the index has the other platform", "alpine", scenario.RunSettings{HostArch: "arm64"}, trace.Works, trace.Process, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range samples(t) {
				if s.ID != tt.sample {
					continue
				}
				session := openSample(t, s)
				res, err := session.Run(tt.settings)
				require.NoError(t, err)
				require.Equal(t, tt.verdict, res.Outcome.Verdict, "%+v", res.Outcome)
				require.Equal(t, tt.message, res.Outcome.Message)
				require.Equal(t, tt.stage, res.Outcome.Stage)
				checkTrace(t, session, res)
				return
			}
			t.Fatalf("no sample %s", tt.sample)
		})
	}
}
