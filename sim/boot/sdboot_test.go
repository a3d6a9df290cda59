package boot

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/pe"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// efiProgram is a PE32+ program for x86-64 with sections, in the order of their names.
func efiProgram(sections map[string]string) string {
	b := make([]byte, 0x400)
	le := binary.LittleEndian
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x44:], pe.MachineAMD64)
	le.PutUint16(b[0x46:], uint16(len(sections)))
	le.PutUint16(b[0x54:], 0xf0)
	le.PutUint16(b[0x58:], pe.PE32Plus)
	le.PutUint16(b[0x58+0x2c:], 1) // MajorImageVersion
	le.PutUint16(b[0x58+0x44:], pe.SubsystemEFIApplication)
	for i, name := range slices.Sorted(maps.Keys(sections)) {
		h := b[0x148+40*i:]
		copy(h[:8], name)
		le.PutUint32(h[8:], uint32(len(sections[name])))
		le.PutUint32(h[16:], uint32(len(sections[name])))
		le.PutUint32(h[20:], uint32(len(b)))
		b = append(b, sections[name]...)
	}
	return string(b)
}

// tinyKernel has a setup header that names its version, behind a PE header: Documentation/arch/x86/boot.rst.
func tinyKernel(stub uint16) string {
	b := append([]byte(efiProgram(nil)), make([]byte, 0x1000)...)
	le := binary.LittleEndian
	le.PutUint16(b[0x58+0x2c:], stub)
	b[0x1f1] = 4
	le.PutUint16(b[0x1fe:], 0xaa55)
	copy(b[0x202:], "HdrS")
	le.PutUint16(b[0x206:], 0x20f)
	le.PutUint16(b[0x20e:], 0x300-0x200)
	b[0x236] = 1 // XLF_KERNEL_64
	copy(b[0x300:], "6.1.0-test (a@b) #1\x00")
	return string(b)
}

func sdProgram(version string) string {
	return efiProgram(map[string]string{".sdmagic": "#### LoaderInfo: systemd-boot " + version + " ####\x00"})
}

// startESP starts a disk whose partitions hold these files: an ESP and, when there are any, an XBOOTLDR.
func startESP(t *testing.T, esp, boot map[string]string) (*trace.Trace, Facts) {
	t.Helper()
	store := blob.NewStore()
	if esp["EFI/BOOT/BOOTX64.EFI"] == "" {
		esp = maps.Clone(esp)
		esp["EFI/BOOT/BOOTX64.EFI"] = sdProgram("252.39")
	}
	d := &disk.Disk{Name: "disk0", Size: 1 << 30, Table: &disk.Table{Type: "gpt", Partitions: []disk.Partition{
		{Number: 1, Start: 2048, Size: 1 << 16, Type: espType, UUID: "AA"}, {Number: 2, Start: 1 << 18, Size: 1 << 16, Type: xbootldrType, UUID: "BB"}}}}
	d.Volumes = []disk.Volume{{Partition: 1, FS: labelled{tree(t, store, "esp", esp)}, Type: "vfat"}}
	if boot != nil {
		d.Volumes = append(d.Volumes, disk.Volume{Partition: 2, FS: labelled{tree(t, store, "boot", boot)}, Type: "vfat"})
	} else {
		d.Volumes = append(d.Volumes, disk.Volume{Partition: 2, Type: "ext4"})
	}
	m := machine.New()
	facts := Run(m, Config{Disk: d, Store: store, Firmware: "uefi"})
	tr := m.Trace()
	require.NoError(t, tr.Check(func(name string) (int64, bool) {
		if b := store.Blob(name); b != nil {
			return b.Size(), true
		}
		return 0, false
	}))
	requireSentences(t, tr)
	return tr, facts
}

func has(tr *trace.Trace, kind trace.Kind) bool {
	return slices.ContainsFunc(tr.Steps, func(s trace.Step) bool { return s.Kind == kind })
}

// One rule of systemd-boot(7), loader.conf(5) or the Boot Loader Specification each.
func TestSystemdBoot(t *testing.T) {
	kernel := tinyKernel(1)
	entry := func(more string) string { return "linux /k/linux\n" + more }
	uki := efiProgram(map[string]string{".linux": kernel, ".osrel": "ID=x\nPRETTY_NAME=\"X 1\"\n", ".cmdline": "ro\nquiet", ".initrd": "cpio"})
	for _, c := range []struct {
		name      string
		esp, boot map[string]string
		cmdline   string // of the kernel that starts
		kernel    string
		message   string
		missing   string
		console   string
		kind      trace.Kind
	}{
		{name: "the default is a glob", esp: map[string]string{"loader/loader.conf": "default B*\n", "loader/entries/a.conf": entry("options a"), "loader/entries/b-1.conf": entry("options b")}, cmdline: "b", kind: "sdboot.choose-default"},
		{name: "without one the first of the order", esp: map[string]string{"loader/entries/a-9.conf": entry("options nine"), "loader/entries/a-10.conf": entry("options ten")}, cmdline: "ten", kind: "sdboot.choose-first"},
		{name: "a pattern that fits nothing", esp: map[string]string{"loader/loader.conf": "default x*\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.choose-first"},
		{name: "the saved entry is the machine's", esp: map[string]string{"loader/loader.conf": "default @saved\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.choose-first"},
		{name: "initrd and options", esp: map[string]string{"k/i1": "one", "k/i2": "two", "loader/entries/a.conf": entry("initrd /k/i1\ninitrd k/i2\noptions a=1\noptions b")}, cmdline: `initrd=\k\i1 initrd=k\i2 a=1 b`,
			console: "EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path\n"},
		{name: "an older systemd-boot leaves initrd= to the kernel", esp: map[string]string{"EFI/BOOT/BOOTX64.EFI": sdProgram("249.11"), "k/i1": "one", "loader/entries/a.conf": entry("initrd /k/i1\n")}, cmdline: `initrd=\k\i1`,
			console: "EFI stub: Loaded initrd from command line option\n"},
		{name: "an initrd is missing", esp: map[string]string{"loader/entries/a.conf": entry("initrd /k/none\n")}, message: "Error preparing initrd: Not Found",
			console: "Error preparing initrd: Not Found\nBdsDxe: failed to start Boot0002 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x2,0x0): Not Found\nBdsDxe: loading Boot0003"},
		{name: "systemd 253 has its own words", esp: map[string]string{"EFI/BOOT/BOOTX64.EFI": sdProgram("255.4"), "loader/entries/a.conf": entry("initrd /k/none\n")}, message: "Error preparing initrd: Not found"},
		{name: "the kernel is no program", esp: map[string]string{"k/text": "text", "loader/entries/a.conf": "linux /k/text\n"}, message: `Error loading \k\text: Unsupported`},
		{name: "an entry without its kernel is dropped", esp: map[string]string{"loader/entries/a.conf": "linux /k/none\n", "loader/entries/0.conf": entry("options zero")}, cmdline: "zero", kind: "sdboot.entry-dropped"},
		{name: "another machine's entry", esp: map[string]string{"loader/entries/b.conf": entry("architecture aa64\n"), "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.entry-other-machine"},
		{name: "an entry for systemd-boot", esp: map[string]string{"loader/entries/b.conf": "efi /efi/boot/bootx64.efi\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.entry-self"},
		{name: "an entry of nothing", esp: map[string]string{"loader/entries/b.conf": "title b\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.entry-without-loader"},
		{name: "names that are no entries", esp: map[string]string{"loader/entries/auto-z.conf": entry("options z"), "loader/entries/.z.conf": entry("options z"), "loader/entries/z.conf.bak": entry("options z"), "loader/entries/a.CONF": entry("options a")}, cmdline: "a"},
		{name: "nothing left", esp: map[string]string{}, message: "Reboot Into Firmware Interface", console: "Boot in 10 s.\n", kind: "sdboot.nothing-configured"},
		{name: "nothing left and no firmware entry", esp: map[string]string{"loader/loader.conf": "auto-firmware no\n"}, message: `No loader found. Configuration files in \loader\entries\*.conf are needed.`, kind: "sdboot.firmware-menu"},
		{name: "a bad setting", esp: map[string]string{"loader/loader.conf": "timeout soon\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", console: "Error parsing 'timeout' config option: soon\n"},
		{name: "the menu waits", esp: map[string]string{"loader/loader.conf": "timeout menu-force\n", "loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.press-enter"},
		{name: "no tries left comes last", esp: map[string]string{"loader/entries/z+0-3.conf": entry("options z"), "loader/entries/a.conf": entry("options a")}, cmdline: "a"},
		{name: "a try is counted", esp: map[string]string{"loader/entries/z+3.conf": entry("options z")}, cmdline: "z", kind: "sdboot.count-boot"},
		{name: "Windows is found", esp: map[string]string{"loader/loader.conf": "timeout 1\n", "EFI/Microsoft/Boot/bootmgfw.efi": efiProgram(map[string]string{".text": "x"})}, missing: "unknown.program path=/EFI/Microsoft/Boot/bootmgfw.efi", kind: "sdboot.add-loader"},
		{name: "the extended boot partition", boot: map[string]string{"k/linux": kernel, "loader/entries/a.conf": entry("options boot")}, cmdline: "boot", kind: "sdboot.open-xbootldr"},
		{name: "one that firmware cannot read", esp: map[string]string{"loader/entries/a.conf": entry("options a")}, cmdline: "a", kind: "sdboot.xbootldr-unreadable"},
		{name: "a driver might read it", esp: map[string]string{"EFI/systemd/drivers/ext4x64.efi": "x"}, missing: "drivers"},
		{name: "a unified kernel", esp: map[string]string{"EFI/Linux/x.efi": uki}, cmdline: "ro quiet", kernel: "/EFI/Linux/x.efi:.linux", kind: "sdboot.stub-kernel"},
		{name: "one that says nothing of itself", esp: map[string]string{"EFI/Linux/x.efi": efiProgram(map[string]string{".linux": kernel})}, message: "Reboot Into Firmware Interface", kind: "sdboot.unified-without-osrel"},
		{name: "a unified kernel as the boot program", esp: map[string]string{"EFI/BOOT/BOOTX64.EFI": uki}, cmdline: "ro quiet", kernel: "/EFI/BOOT/BOOTX64.EFI:.linux", kind: "sdboot.stub-cmdline"},
		{name: "a unified kernel beside credentials", esp: map[string]string{"EFI/BOOT/BOOTX64.EFI": uki, "loader/credentials/a.cred": "x"}, cmdline: "ro quiet", kernel: "/EFI/BOOT/BOOTX64.EFI:.linux", kind: "sdboot.stub-extra"},
		{name: "a kernel as the boot program", esp: map[string]string{"EFI/BOOT/BOOTX64.EFI": kernel}, kernel: "/EFI/BOOT/BOOTX64.EFI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.esp == nil {
				c.esp = map[string]string{}
			}
			c.esp["k/linux"] = kernel
			tr, facts := startESP(t, c.esp, c.boot)
			if c.kind != "" {
				require.True(t, has(tr, c.kind), "%s in\n%s", c.kind, console(tr))
			}
			require.Contains(t, console(tr), c.console)
			if c.message+c.missing != "" {
				require.Equal(t, c.message, tr.Outcome.Message)
				require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
				require.Equal(t, trace.Bootloader, tr.Outcome.Stage)
				return
			}
			if c.kernel == "" {
				c.kernel = "/k/linux"
			}
			require.Equal(t, c.kernel, facts.KernelPath, "%+v\n%s", tr.Outcome, console(tr))
			require.Equal(t, c.cmdline, facts.Cmdline)
			require.Equal(t, "6.1.0-test", facts.Kernel)
		})
	}
}

func TestSystemdBootMenu(t *testing.T) {
	tr, _ := startESP(t, map[string]string{"k/linux": tinyKernel(1), "loader/loader.conf": "timeout 2\nauto-firmware no\n",
		"loader/entries/b.conf": "title Same\nversion 2\nlinux /k/linux\n", "loader/entries/a.conf": "title Same\nlinux /k/linux\n"}, nil)
	require.Contains(t, console(tr), "\x1b[30;47m   Same (2)   \x1b[0m\n     Same     \nBoot in 2 s.\nBoot in 1 s.\n")

	tr, _ = startESP(t, map[string]string{"loader/loader.conf": "timeout 4000000000\n"}, nil)
	require.Less(t, strings.Count(console(tr), "Boot in "), 100)
}

// Files of an initramfs lie behind one another without a gap, and keep their names.
func TestSeveralInitrdsAreOnePiece(t *testing.T) {
	_, facts := startESP(t, map[string]string{"k/linux": tinyKernel(1), "k/a": "aaa", "k/b": "bb", "loader/entries/a.conf": "linux /k/linux\ninitrd /k/a\ninitrd /k/b\n"}, nil)
	require.Equal(t, []string{"/k/a", "/k/b"}, facts.Initrd)
	one := onePiece([]initrd{{path: "/k/a", file: strings.NewReader("aaa"), size: 3}, {path: "/k/b", file: strings.NewReader("bb"), size: 2}})
	require.Len(t, one, 1)
	got := make([]byte, 5)
	_, err := one[0].file.ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, "aaabb", string(got))
}

// What GRUB's chainloader is given behind the file's name is the command line of a unified kernel.
func TestChainloadedUnifiedKernelTakesOptions(t *testing.T) {
	store := blob.NewStore()
	uki := efiProgram(map[string]string{".linux": tinyKernel(1), ".cmdline": "own"})
	d := &disk.Disk{Name: "disk0", Size: 1 << 30, Volumes: []disk.Volume{{FS: labelled{tree(t, store, "esp", map[string]string{"x.efi": uki})}, Type: "vfat"}}}
	m := machine.New()
	s := &start{m: m, c: Config{Disk: d, Store: store, Firmware: "uefi", MemoryMiB: 64}}
	f, at, err := openEFI(d.Volume(0), `\x.efi`)
	require.NoError(t, err)
	s.given = efiGiven{by: "grub", options: "a b"}
	s.startEFI(d.Volume(0), "hd0", at, f)
	require.Equal(t, "a b", s.facts.Cmdline)
}

func TestTooManyEntries(t *testing.T) {
	tr, _ := startESP(t, map[string]string{"k/linux": tinyKernel(1), "loader/entries/a.conf": strings.Repeat("title a\n", 200_000)}, nil)
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
	require.Contains(t, tr.Outcome.Unknown.String(), "/loader/entries/a.conf")
}

// Whatever the files say, the run ends.
func FuzzSystemdBoot(f *testing.F) {
	f.Add("timeout 2\ndefault a*\n", "linux /k/linux\ninitrd /k/linux\noptions a\n", []byte("ID=x\x00"))
	f.Add("timeout menu-force\n", "efi /EFI/Linux/x.efi\nsort-key a\nversion 1~2\n", []byte(tinyKernel(0)))
	f.Fuzz(func(t *testing.T, conf, entry string, sections []byte) {
		if len(conf)+len(entry)+len(sections) > 1<<16 {
			return
		}
		startESP(t, map[string]string{"k/linux": tinyKernel(1), "loader/loader.conf": conf, "loader/entries/a+2.conf": entry, "loader/entries/b.conf": entry,
			"EFI/Linux/x.efi": efiProgram(map[string]string{".linux": string(sections), ".osrel": "ID=y\n", ".cmdline": conf, ".initrd": entry})}, nil)
	})
}
