package boot

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// sysKernelFile is as much of a kernel as a loader looks at.
func sysKernelFile(version uint16) string {
	b := make([]byte, 4096)
	le := binary.LittleEndian
	b[0x1f1] = 3
	le.PutUint16(b[0x1fe:], 0xaa55)
	copy(b[0x202:], "HdrS")
	le.PutUint16(b[0x206:], version)
	b[0x211] = 1
	le.PutUint32(b[0x22c:], 0x7fffffff)
	le.PutUint32(b[0x238:], 2047)
	le.PutUint32(b[0x260:], 0x100000)
	return string(b)
}

// startISOLINUX runs ISOLINUX, or what else name says, on a tree.
func startISOLINUX(t *testing.T, name string, files map[string]string) *trace.Trace {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	kind := map[string]string{"isolinux": "iso9660", "syslinux": "vfat", "extlinux": "ext4"}[name]
	vol := disk.Volume{FS: mapFS{tree, fsys.Info{Type: kind}}, Type: kind}
	s := &start{m: machine.New(), c: Config{Disk: &disk.Disk{Name: "disk", Volumes: []disk.Volume{vol}}, Store: blob.NewStore(), MemoryMiB: 1024}}
	x := &sysLinux{start: s, name: name, banner: &ldlinux.Banner{Text: "ISOLINUX 6.04 20200816 ", Copyright: " (C)"}, vol: s.c.Disk.Volume(0), cwd: "/"}
	if name == "isolinux" {
		x.run(isolinuxDirs(), []string{"isolinux.cfg", "syslinux.cfg"})
	} else {
		x.run([]string{"/boot/extlinux", "/boot/syslinux", "/syslinux", "/"}, []string{"extlinux.conf", "syslinux.cfg"})
	}
	tr := s.m.Trace()
	requireSentences(t, tr)
	return tr
}

// The console of the cases that stop is what SYSLINUX 6.04 showed in QEMU on media with these files.
func TestSYSLINUX(t *testing.T) {
	kernel := sysKernelFile(0x20f)
	for _, c := range []struct {
		name, loader string
		config       string
		files        map[string]string
		console      string // all of it
		stops        string
		missing      string // a part of what is unknown
		cmdline      string // handed to the kernel
	}{
		{name: "a label", config: "DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nAPPEND initrd=initrd.img console=ttyS0\n",
			console: "Loading vmlinuz... ok\nLoading initrd.img...ok\n", cmdline: "BOOT_IMAGE=vmlinuz initrd=initrd.img console=ttyS0"},
		{name: "serial, say and a prompt that runs out", config: "SERIAL 0 115200\nSAY hello\nSERIAL 0\nDEFAULT linux\nPROMPT 1\nTIMEOUT 20\nLABEL linux\nKERNEL vmlinuz\n",
			console: "ISOLINUX 6.04 20200816  (C)\nhello\nboot: \nLoading vmlinuz... ok\n", cmdline: "BOOT_IMAGE=vmlinuz "},
		{name: "a prompt without an end", config: "PROMPT 1\nDEFAULT vmlinuz\n", console: "boot: \nLoading vmlinuz... ok\n", cmdline: "BOOT_IMAGE=vmlinuz "},
		{name: "ontimeout", config: "PROMPT 1\nTIMEOUT 1\nDEFAULT nosuch\nONTIMEOUT vmlinuz b\n", console: "boot: \nLoading vmlinuz... ok\n", cmdline: "BOOT_IMAGE=vmlinuz b"},
		{name: "no label", config: "DEFAULT vmlinuz console=ttyS0 a=b\n", console: "Loading vmlinuz... ok\n", cmdline: "BOOT_IMAGE=vmlinuz console=ttyS0 a=b"},
		{name: "options behind a label", config: "DEFAULT l2 opt=1\nAPPEND console=ttyS0 global=1\nLABEL l2\nLINUX vmlinuz\nINITRD m.txt,m2.txt\n", files: map[string]string{"isolinux/m.txt": "a", "isolinux/m2.txt": "b"},
			console: "Loading vmlinuz... ok\nLoading m.txt...ok\nLoading m2.txt...ok\n", cmdline: "BOOT_IMAGE=vmlinuz console=ttyS0 global=1 initrd=m.txt,m2.txt opt=1"},
		{name: "quiet", config: "DEFAULT vmlinuz quiet initrd=initrd.img\n", console: "", cmdline: "BOOT_IMAGE=vmlinuz quiet initrd=initrd.img"},
		{name: "another case", config: "default /ISOLINUX/VMLINUZ\n", console: "Loading /ISOLINUX/VMLINUZ... ok\n", cmdline: "BOOT_IMAGE=/ISOLINUX/VMLINUZ "},
		{name: "config", config: "DEFAULT c\nLABEL c\nCONFIG /other/x.cfg /other\n", files: map[string]string{"other/x.cfg": "SAY second\nDEFAULT k\n", "other/k": kernel},
			console: "second\nLoading k... ok\n", cmdline: "BOOT_IMAGE=k "},
		{name: "extlinux", loader: "extlinux", files: map[string]string{"boot/extlinux/extlinux.conf": "DEFAULT ../k\n", "boot/extlinux/ldlinux.c32": "x", "boot/k": kernel},
			console: "Loading ../k... ok\n", cmdline: "BOOT_IMAGE=../k "},
		{name: "a menu", config: "UI menu.c32\nTIMEOUT 20\nMENU TITLE my menu\nLABEL one\nKERNEL nosuch\nLABEL linux\nMENU LABEL ^Start it\nMENU DEFAULT\nKERNEL vmlinuz\nAPPEND x=1\n",
			files:   map[string]string{"isolinux/menu.c32": "x", "isolinux/libutil.c32": "x"},
			console: "my menu\n\none\nStart it\n\nPress [Tab] to edit options\nAutomatic boot in 2 seconds...\nLoading vmlinuz... ok\n", cmdline: "BOOT_IMAGE=vmlinuz x=1"},
		{name: "display", config: "DISPLAY m.txt\nDEFAULT nosuch\n", files: map[string]string{"isolinux/m.txt": "\x0f07message file\nline 2\n\x1aX"},
			console: "message file\nline 2\nLoading nosuch... failed: No such file or directory\nboot: \n", stops: "Loading nosuch... failed: No such file or directory"},

		{name: "no kernel", config: "DEFAULT linux\nSAY hello\nLABEL linux\nKERNEL nosuch\n", console: "hello\nLoading nosuch... failed: No such file or directory\nboot: \n",
			stops: "Loading nosuch... failed: No such file or directory"},
		{name: "no initramfs", config: "DEFAULT vmlinuz initrd=nosuch.img\n", console: "Loading vmlinuz... ok\nLoading nosuch.img...failed: No such file or directory\nboot: \n",
			stops: "Loading nosuch.img...failed: No such file or directory"},
		{name: "nothing to start", config: "SAY hello\nLABEL linux\n", console: "hello\nNo DEFAULT or UI configuration directive found!\nboot: \n",
			stops: "No DEFAULT or UI configuration directive found!"},
		{name: "no configuration", console: "WARNING: No configuration file found\nboot: \n", stops: "WARNING: No configuration file found"},
		{name: "no ldlinux.c32", config: "DEFAULT vmlinuz\n", files: map[string]string{"isolinux/ldlinux.c32": ""}, console: "\nFailed to load ldlinux.c32\nBoot failed: press a key to retry...",
			stops: "Failed to load ldlinux.c32"},
		{name: "no module", config: "DEFAULT vesamenu.c32\n", console: "Failed to load COM32 file vesamenu.c32\nboot: \n", stops: "Failed to load COM32 file vesamenu.c32"},
		{name: "no library", config: "DEFAULT menu.c32\n", files: map[string]string{"isolinux/menu.c32": "x"}, console: "Failed to load libutil.c32\nFailed to load COM32 file menu.c32\nboot: \n",
			stops: "Failed to load COM32 file menu.c32"},
		{name: "not a kernel", config: "DEFAULT text\n", files: map[string]string{"isolinux/text": strings.Repeat("hello world\n", 500)},
			console: "Loading text... ok\nBooting kernel failed: Invalid argument\nboot: \n", stops: "Booting kernel failed: Invalid argument"},
		{name: "a small file", config: "DEFAULT text\n", files: map[string]string{"isolinux/text": "hello world"},
			console: "Loading text... ok\nBooting kernel failed: Invalid argument\nboot: \n", stops: "Booting kernel failed: Invalid argument"},

		{name: "another module", config: "DEFAULT chain.c32 hd0\n", files: map[string]string{"isolinux/chain.c32": "x"}, missing: "unknown.sys-module path=/isolinux/chain.c32"},
		{name: "localboot", config: "DEFAULT l\nLABEL l\nLOCALBOOT 0x80\n", missing: "unknown.next-drive word=0x80"},
		{name: "a disk image", config: "DEFAULT vmlinuz.img\n", missing: "unknown.sys-image path=vmlinuz.img type=fdimage"},
		{name: "sysappend", config: "SYSAPPEND 0x40000\nDEFAULT vmlinuz\n", missing: "unknown.sys-append"},
		{name: "endless includes", config: "INCLUDE isolinux.cfg\n", missing: "unknown.sys-problem path=/isolinux/isolinux.cfg"},
		{name: "endless configurations", config: "DEFAULT c\nLABEL c\nCONFIG isolinux.cfg\n", missing: "unknown.config-circle program=ISOLINUX"},
		{name: "a menu of menus", config: "UI menu.c32\nMENU BEGIN sub\nLABEL a\nMENU END\n", files: map[string]string{"isolinux/menu.c32": "x", "isolinux/libutil.c32": "x"}, missing: "unknown.menu-choice entry=sub program=ISOLINUX"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"isolinux/ldlinux.c32": "x", "isolinux/vmlinuz": kernel, "isolinux/initrd.img": "initrd"}
			if c.config != "" {
				files["isolinux/isolinux.cfg"] = c.config
			}
			for name, text := range c.files {
				if files[name] = text; text == "" {
					delete(files, name)
				}
			}
			loader := c.loader
			if loader == "" {
				loader = "isolinux"
			}
			tr := startISOLINUX(t, loader, files)
			text, cmdline := "", ""
			for _, s := range tr.Steps {
				if s.Stage == trace.Bootloader {
					require.Equal(t, loader, s.Actor)
					text += s.Console
				}
				if s.Kind == "syslinux.jump-kernel" {
					cmdline = s.Args["cmdline"]
				}
			}
			require.Equal(t, c.cmdline, cmdline)
			switch {
			case c.missing != "":
				require.Equal(t, trace.Unknown, tr.Outcome.Verdict, tr.Outcome.Message)
				require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
				return
			case c.stops != "":
				require.Equal(t, trace.Stops, tr.Outcome.Verdict, tr.Outcome.Unknown.String())
				require.Equal(t, trace.Bootloader, tr.Outcome.Stage)
				require.Equal(t, c.stops, tr.Outcome.Message)
			}
			require.Equal(t, c.console, text)
		})
	}
}

// Recorded: 1008 KiB of initramfs at 0x3fee1000 with 1 GiB of memory.
func TestWhereSYSLINUXPutsAnInitramfs(t *testing.T) {
	h := &setupHeader{Version: 0x20f, InitrdAddrMax: 0x7fffffff}
	at, ok := sysInitrdAddr(h, 1028353, 1<<30)
	require.True(t, ok)
	require.Equal(t, uint64(0x3fee1000), at)
	at, ok = sysInitrdAddr(h, 4096, 8<<30)
	require.True(t, ok)
	require.Equal(t, uint64(0x7ffff000), at)
	at, _ = sysInitrdAddr(&setupHeader{Version: 0x200}, 4096, 4<<30)
	require.Equal(t, uint64(0x37fff000), at)
	_, ok = sysInitrdAddr(h, 2<<30, 1<<30)
	require.False(t, ok)
}

// sysDisk is a disk with the code of a master boot record, and what follows is a case's business.
func sysDisk(texts string, edit func(b []byte)) []byte {
	b := bootable("\x33\xc0" + texts)
	if edit != nil {
		edit(b)
	}
	return b
}

// The texts were seen in QEMU: the code gives up with INT 18h, and SeaBIOS goes on.
func TestBootRecordsOfSYSLINUX(t *testing.T) {
	const mbr = "Missing operating system.\r\nMultiple active partitions.\r\nOperating system load error.\r\n"
	const next = "\nBooting from Floppy...\nBoot failed: could not read the boot disk\n"
	active := func(n int) func(b []byte) {
		return func(b []byte) {
			for i := range n {
				e := b[446+16*i:]
				e[0], e[4] = 0x80, 0x83
				binary.LittleEndian.PutUint32(e[8:], uint32(8+8*i))
				binary.LittleEndian.PutUint32(e[12:], 8)
			}
		}
	}
	for _, c := range []struct {
		name    string
		image   []byte
		console string
		missing string
	}{
		{name: "no active partition", image: sysDisk(mbr, nil), console: "Missing operating system." + next},
		{name: "two active partitions", image: sysDisk(mbr, active(2)), console: "Multiple active partitions." + next},
		{name: "no boot sector there", image: sysDisk(mbr, active(1)), console: "Missing operating system." + next},
		{name: "a boot sector of another", image: sysDisk(mbr, func(b []byte) { active(1)(b); b[8*512] = 0xfa; copy(b[8*512+510:], "\x55\xaa") }), missing: `unknown.boot-code where="test.img (LBA 8)"`},
		{name: "no isolinux.bin", image: sysDisk("isolinux.bin missing or corrupt.\r\n", nil), console: "isolinux.bin missing or corrupt." + next},
		{name: "signature without isolinux.bin", image: sysDisk("isolinux.bin missing or corrupt.\r\n", func(b []byte) {
			b[432] = 4
			binary.LittleEndian.PutUint32(b[4*512+64:], ldlinux.HybridMagic)
		}), missing: "unknown.isolinux-code sector=4"},
		{name: "no file system", image: sysDisk("", func(b []byte) { copy(b[3:], "SYSLINUX"); copy(b[450:], "Boot error\r\n") }), missing: "unknown.sys-loads because unknown.no-filesystem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := startImage(t, c.image, Config{Firmware: "bios"})
			if c.missing != "" {
				require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
				require.Contains(t, tr.Outcome.Unknown.String(), c.missing)
				return
			}
			require.Equal(t, trace.Stops, tr.Outcome.Verdict)
			require.Equal(t, "No bootable device.", tr.Outcome.Message)
			require.Contains(t, console(tr), c.console)
		})
	}
}

// A medium with the real loader, as a CD and as a disk. QEMU showed these lines of it.
func TestARealISOLINUXMedium(t *testing.T) {
	tools(t, "xorriso")
	root := t.TempDir()
	dir := filepath.Join(root, "isolinux")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, file := range []string{"/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32", "/usr/lib/ISOLINUX/isohdpfx.bin"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Skip("not installed: " + file)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "isolinux.cfg"), []byte("DEFAULT linux\nSAY hello\nLABEL linux\n KERNEL nosuch\n"), 0o644))
	iso := filepath.Join(t.TempDir(), "test.iso")
	runTool(t, "xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-o", iso, "-isohybrid-mbr", filepath.Join(dir, "isohdpfx.bin"), "-c", "isolinux/boot.cat",
		"-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", root)
	image, err := os.ReadFile(iso)
	require.NoError(t, err)
	for device, name := range map[string]string{"cdrom": "ETCD", "disk": "EHDD"} {
		tr := startImage(t, image, Config{Firmware: "bios", Device: device})
		require.Equal(t, "Loading nosuch... failed: No such file or directory", tr.Outcome.Message, tr.Outcome.Unknown.String())
		require.Regexp(t, `\nISOLINUX [\w.]+ [\w.-]* ?`+name+` Copyright \(C\) .*\nhello\nLoading nosuch\.\.\. failed: No such file or directory\nboot: \n$`, console(tr))
	}
	at := bytes.Index(image, []byte("Image checksum error"))
	require.Positive(t, at)
	image[at+30000] ^= 0xff
	tr := startImage(t, image, Config{Firmware: "bios", Device: "cdrom"})
	require.Equal(t, "Image checksum error, sorry...", tr.Outcome.Message)
}
