package boot

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/decode"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/identify"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

func TestFirmwareLayouts(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&bootRecord{}, 0x4b))
	require.NoError(t, decode.CheckLayout(&bootCatalog{}, 0x2c))
	require.NoError(t, decode.CheckLayout(&setupHeader{}, 0x264))
}

// start runs an image and checks what holds for every trace.
func startImage(t *testing.T, image []byte, c Config) *trace.Trace {
	t.Helper()
	d, store := openDisk(t, "test.img", bytes.NewReader(image), int64(len(image)))
	c.Disk, c.Store, c.OpenDisk = d, store, identify.Disk
	m := machine.New()
	Run(m, c)
	tr := m.Trace()
	require.NoError(t, tr.Check(func(name string) (int64, bool) {
		if b := store.Blob(name); b != nil {
			return b.Size(), true
		}
		return 0, false
	}))
	requireSentences(t, tr)
	return tr
}

// bootable is a disk whose first sector has the signature and some code.
func bootable(code string) []byte {
	b := make([]byte, 64*512)
	copy(b, code)
	b[510], b[511] = 0x55, 0xaa
	return b
}

// cd is a medium with an El Torito catalog at block 20 and a boot image at block 30.
func cd(edit func(b []byte)) []byte {
	b := make([]byte, 64*2048)
	copy(b[16*2048:], "\x01CD001\x01")
	copy(b[17*2048:], "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(b[17*2048+0x47:], 20)
	cat := b[20*2048:]
	cat[0], cat[0x1e], cat[0x1f], cat[0x20] = 1, 0x55, 0xaa, 0x88
	binary.LittleEndian.PutUint16(cat[0x26:], 4)
	binary.LittleEndian.PutUint32(cat[0x28:], 30)
	copy(b[30*2048:], "\xfa\xf4 some code")
	if edit != nil {
		edit(b)
	}
	return b
}

func TestBIOS(t *testing.T) {
	const cat = 20 * 2048
	for _, c := range []struct {
		name, device string
		image        []byte
		verdict      trace.Verdict
		stage        trace.Stage
		console      string // a part of it
		missing      string // a part of it
		bytes        string // the evidence of the step that decided, "" for none
	}{
		{name: "an empty disk has no signature", image: make([]byte, 4096), verdict: trace.Stops, stage: trace.Firmware,
			console: "Booting from Hard Disk...\nBoot failed: not a bootable disk\n\nBooting from Floppy...\nBoot failed: could not read the boot disk\n\nBooting from DVD/CD...\nBoot failed: Could not read from CDROM (code 0003)\nNo bootable device.\n"},
		{name: "a file shorter than a sector", image: make([]byte, 100), verdict: trace.Stops, stage: trace.Firmware, console: "could not read the boot disk\n\nBooting from Floppy"},
		{name: "signature without code", image: bootable(""), verdict: trace.Stops, stage: trace.Bootloader, bytes: "test.img[0x0:+440]"},
		{name: "code of nobody", image: bootable("\xfa\xf4"), verdict: trace.Unknown, stage: trace.Bootloader, missing: "unknown.boot-code where=test.img"},
		{name: "another loader is named", image: bootable("\xfa\xf4 LILO boot:"), verdict: trace.Unknown, stage: trace.Bootloader, missing: "unknown.boot-code-named program=LILO where=test.img"},
		{name: "a floppy", device: "floppy", image: bootable(""), verdict: trace.Stops, stage: trace.Bootloader, console: "Booting from Floppy...\n"},
		{name: "a CD with other code", device: "cdrom", image: cd(nil), verdict: trace.Unknown, stage: trace.Bootloader, console: "Booting from DVD/CD...\n", missing: "unknown.boot-code where=test.img"},
		{name: "a CD with zeros", device: "cdrom", image: cd(func(b []byte) { clear(b[30*2048:][:64]) }), verdict: trace.Stops, stage: trace.Bootloader},
		{name: "not El Torito", device: "cdrom", image: cd(func(b []byte) { b[17*2048+8] = 'X' }), verdict: trace.Stops, stage: trace.Firmware,
			console: "Boot failed: Could not read from CDROM (code 0005)\nBooting from Hard Disk...\nBoot failed: could not read the boot disk\n\nBooting from Floppy"},
		{name: "catalog past the end", device: "cdrom", image: cd(func(b []byte) { b[17*2048+0x48] = 9 }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 0007)"},
		{name: "bad validation entry", device: "cdrom", image: cd(func(b []byte) { b[cat] = 7 }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 0008)"},
		{name: "for another platform", device: "cdrom", image: cd(func(b []byte) { b[cat+1] = 0xef }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 0009)"},
		{name: "bad keys", device: "cdrom", image: cd(func(b []byte) { b[cat+0x1f] = 0 }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 000a)"},
		{name: "not bootable", device: "cdrom", image: cd(func(b []byte) { b[cat+0x20] = 0 }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 000b)"},
		{name: "boot image past the end", device: "cdrom", image: cd(func(b []byte) { b[cat+0x29] = 9 }), verdict: trace.Stops, stage: trace.Firmware, console: "(code 000c)"},
		{name: "an emulated floppy needs no signature", device: "cdrom", image: cd(func(b []byte) { b[cat+0x21] = 2 }), verdict: trace.Unknown, stage: trace.Bootloader, missing: "unknown.boot-code where=test.img"},
		{name: "an emulated floppy of zeros", device: "cdrom", image: cd(func(b []byte) { b[cat+0x21] = 1; clear(b[30*2048:][:64]) }), verdict: trace.Stops, stage: trace.Bootloader, bytes: "test.img[0xf000:+440]"},
		{name: "an emulated disk whose first partition ends nowhere", device: "cdrom", image: cd(func(b []byte) { b[cat+0x21] = 4 }), verdict: trace.Unknown, stage: trace.Bootloader, missing: "1 × 1 × 0"},
		{name: "an emulated disk that ends before its partition", device: "cdrom", image: cd(func(b []byte) {
			b[cat+0x21] = 4
			copy(b[30*2048+446:], "\x80\x01\x01\x00\x06\x01\x02\x00\x01\x00\x00\x00\x20\x00\x00\x00")
			copy(b[30*2048+510:], "\x55\xaa")
		}), verdict: trace.Unknown, stage: trace.Bootloader, missing: "unknown.emulated-end"},
		{name: "mformat's boot sector finds no hard disk", device: "floppy", image: bootable(mtoolsCode), verdict: trace.Stops, stage: trace.Bootloader, console: "Booting from Floppy...\nBooting from Floppy...\n"},
		{name: "mformat's boot sector on a disk starts itself", image: bootable(mtoolsCode), verdict: trace.Stops, stage: trace.Bootloader, console: "Booting from Hard Disk...\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := startImage(t, c.image, Config{Firmware: "bios", Device: c.device})
			require.Equal(t, c.verdict, tr.Outcome.Verdict)
			require.Equal(t, c.stage, tr.Outcome.Stage)
			require.Contains(t, console(tr), c.console)
			require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
			if c.bytes != "" {
				require.Equal(t, c.bytes, tr.Steps[tr.Outcome.Step].Cites[0].Span.String())
			}
		})
	}
}

// Recorded with grub-rescue-floppy.img of Debian 12 in QEMU: "GRUB loading...", three dots; its core image
// has 87 sectors from sector 589 on and the drive 36 to a track. The disks' have one dot.
func TestDotsOfDiskboot(t *testing.T) {
	require.Equal(t, 3, diskbootReads(grubcore.Block{Start: 589, Len: 87}, floppyTrack(1296384)))
	require.Equal(t, 1, diskbootReads(grubcore.Block{Start: 2, Len: 105}, 0))
	require.Equal(t, 2, diskbootReads(grubcore.Block{Start: 2, Len: 128}, 0))
	require.Equal(t, 18, floppyTrack(1474560))
}

// tools returns the paths of programs that a test needs, and skips it without them.
func tools(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skipf("%s is not installed", n)
		}
	}
}

func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// fatImage makes a FAT volume with files.
func fatImage(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	img := filepath.Join(dir, "fat.img")
	require.NoError(t, os.WriteFile(img, make([]byte, 4<<20), 0o644))
	runTool(t, "mkfs.vfat", "-n", "ESP", img)
	made := map[string]bool{}
	for name, data := range files {
		at := ""
		parts := strings.Split(name, "/")
		for _, p := range parts[:len(parts)-1] {
			if at += "/" + p; !made[at] {
				runTool(t, "mmd", "-i", img, "::"+at)
				made[at] = true
			}
		}
		src := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(src, data, 0o644))
		runTool(t, "mcopy", "-i", img, src, "::/"+name)
	}
	out, err := os.ReadFile(img)
	require.NoError(t, err)
	return out
}

// grubEFI is GRUB for UEFI with an embedded configuration, made by GRUB's own tool.
func grubEFI(t *testing.T, config string, modules ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	cfg, out := filepath.Join(dir, "cfg"), filepath.Join(dir, "efi")
	require.NoError(t, os.WriteFile(cfg, []byte(config), 0o644))
	if text, err := exec.Command("grub-mkimage", append([]string{"-O", "x86_64-efi", "-c", cfg, "-p", "/boot/grub", "-o", out}, modules...)...).CombinedOutput(); err != nil {
		t.Skipf("grub-mkimage: %s", text)
	}
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	return b
}

func TestUEFI(t *testing.T) {
	tools(t, "mkfs.vfat", "mmd", "mcopy", "grub-mkimage")
	good := grubEFI(t, "set x=1\n", "fat", "part_gpt")
	edit := func(f func(b []byte)) []byte { b := bytes.Clone(good); f(b); return b }
	pe := int(binary.LittleEndian.Uint32(good[0x3c:]))
	const path = "EFI/BOOT/BOOTX64.EFI"
	for _, c := range []struct {
		name    string
		files   map[string][]byte
		secure  bool
		verdict trace.Verdict
		stage   trace.Stage
		message string
		missing string
		console string
	}{
		{name: "nothing at the removable path", files: map[string][]byte{"EFI/debian/grubx64.efi": good}, verdict: trace.Stops, stage: trace.Firmware,
			message: `BdsDxe: failed to load Boot0002 "UEFI Non-Block Boot Device" from PciRoot(0x0)/Pci(0x2,0x0): Not Found`, console: "Shell> "},
		{name: "the path in other case", files: map[string][]byte{"efi/boot/bootx64.efi": good}, verdict: trace.Stops, stage: trace.Bootloader,
			message: "error: file `/boot/grub/x86_64-efi/normal.mod' not found.", console: "Welcome to GRUB!\n\nerror: file `/boot/grub/x86_64-efi/normal.mod' not found.\nEntering rescue mode...\ngrub rescue> "},
		{name: "no program", files: map[string][]byte{path: []byte("#!/bin/sh\n")}, verdict: trace.Stops, stage: trace.Firmware, console: ": Not Found\nBdsDxe: loading Boot0003"},
		{name: "for another processor", files: map[string][]byte{path: edit(func(b []byte) { b[pe+4], b[pe+5] = 0x64, 0xaa })}, verdict: trace.Stops, stage: trace.Firmware, console: ": Unsupported\n"},
		{name: "a Windows program", files: map[string][]byte{path: edit(func(b []byte) { b[pe+24+0x44] = 3 })}, verdict: trace.Stops, stage: trace.Firmware, console: ": Not Found\nBdsDxe: loading Boot0003"},
		{name: "a startup script", files: map[string][]byte{"startup.nsh": []byte("ls\n")}, verdict: trace.Unknown, stage: trace.Firmware, missing: "startup.nsh"},
		{name: "Secure Boot and no signature", files: map[string][]byte{path: good}, secure: true, verdict: trace.Stops, stage: trace.Firmware, console: ": Access Denied\n"},
		{name: "Secure Boot and a certificate table that is none", files: map[string][]byte{path: edit(func(b []byte) { b[pe+24+0x70+4*8+4] = 8 })}, secure: true, verdict: trace.Stops, stage: trace.Firmware, console: ": Access Denied\n"},
		{name: "an unknown program", files: map[string][]byte{path: bytes.Replace(good, []byte("mods\x00"), []byte("modx\x00"), 1)}, verdict: trace.Unknown, stage: trace.Bootloader, missing: "unknown.program path=/EFI/BOOT/BOOTX64.EFI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := startImage(t, fatImage(t, c.files), Config{Firmware: "uefi", SecureBoot: c.secure})
			require.Equal(t, c.verdict, tr.Outcome.Verdict, "%+v", tr.Outcome)
			require.Equal(t, c.stage, tr.Outcome.Stage)
			require.Contains(t, tr.Outcome.Message, c.message)
			require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
			require.Contains(t, console(tr), c.console)
			if c.verdict == trace.Stops {
				require.NotEmpty(t, tr.Outcome.Message)
			}
		})
	}
}

// A file that firmware is given by itself: GRUB alone has no volume to look at; what no boot program is cannot be known.
func TestUEFIProgramAlone(t *testing.T) {
	tools(t, "grub-mkimage")
	good := grubEFI(t, "set x=1\n", "fat", "part_gpt")
	for name, c := range map[string]struct {
		file    []byte
		arch    string
		missing string
	}{
		"grub":              {file: good, missing: "unknown.program-alone path=/test.img program=grub"},
		"other":             {file: bytes.Replace(good, []byte("mods\x00"), []byte("modx\x00"), 1), missing: "unknown.program path=/test.img"},
		"another processor": {file: good, arch: "arm64", missing: "unknown.other-machine arch=0x8664 machine=arm64"},
		"nothing":           {file: good[:40], missing: "unknown.file-content path=/test.img"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := startImage(t, c.file, Config{Kernel: &Direct{Name: "test.img", R: bytes.NewReader(c.file), Size: int64(len(c.file))}, Arch: c.arch})
			require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
			require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
		})
	}
}
