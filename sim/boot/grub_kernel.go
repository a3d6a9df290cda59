package boot

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/exe/pe"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// setupHeader is the part of the Linux setup header that GRUB looks at: Documentation/arch/x86/boot.rst.
type setupHeader struct {
	SetupSects      uint8   `at:"0x1f1"`
	BootFlag        uint16  `at:"0x1fe"` // 0xaa55
	Header          [4]byte `at:"0x202"` // "HdrS"
	Version         uint16  `at:"0x206"`
	LoadFlags       uint8   `at:"0x211"`
	InitrdAddrMax   uint32  `at:"0x22c"`
	KernelAlignment uint32  `at:"0x230"`
	Relocatable     uint8   `at:"0x234"`
	CmdlineSize     uint32  `at:"0x238"`
	PrefAddress     uint64  `at:"0x258"`
	InitSize        uint32  `at:"0x260"`
}

// Constants of grub-core/loader/i386/linux.c and include/grub/i386/linux.h.
const (
	linuxBzimageAddr   = 0x100000
	linuxInitrdMaxAddr = 0x37ffffff
	linuxBigKernel     = 1 << 0 // LOADED_HIGH
	linuxMaxSetupSects = 64
	linuxParamsSize    = 4096
)

// grubOS is what a loader command left for boot.
type grubOS struct {
	path    string
	image   io.ReaderAt
	size    int64
	header  setupHeader
	rec     *decode.Record
	target  uint64 // where the protected-mode kernel goes
	space   uint64 // bytes that it needs there
	cmdline string
	memMax  uint64 // of mem= on the command line, 0 without
	initrds []initrd
	old     bool            // linux16
	stub    *pe.File        // of a kernel that GRUB hands to the firmware as a program
	chain   func(cause int) // chainloader: what boot starts instead of a kernel
}

// cmdLinux is "linux" and "initrd" with their variants.
func (g *grub) cmdLinux(c *grubCall) int {
	if strings.HasPrefix(c.name, "initrd") {
		return g.cmdInitrd(c)
	}
	g.os = nil // a loader that fails leaves nothing loaded
	if len(c.args) == 0 {
		return g.failf(c, "filename expected")
	}
	name := c.args[0]
	f, err := g.open(name)
	if err != nil {
		return g.fail(c, err)
	}
	os := &grubOS{path: slash(name[strings.IndexByte(name, ')')+1:]), image: f, size: f.Size(), old: c.name == "linux16"}
	if !g.allowed(c, os.path, f, f.Size()) {
		return errBadSignature
	}
	if g.platform == "arm64-efi" {
		return g.arm64Linux(c, os, name)
	}
	var e error
	if os.rec, e = decode.Read(f, 0, binary.LittleEndian, "setup_header", &os.header); e != nil {
		return g.fail(c, &grubError{msg: "premature end of file " + name, code: errBadOS})
	}
	if msg, cites := os.check(g.platform); msg != "" {
		return g.fail(c, &grubError{msg: msg, code: errBadOS, cites: cites})
	}
	os.stub = g.asProgram(f, f.Size())
	os.place()
	os.cmdline, os.memMax = loaderCmdline(c.args)
	if limit := int(os.header.CmdlineSize); os.header.Version >= 0x206 && limit > 0 && len(os.cmdline) > limit {
		os.cmdline = os.cmdline[:limit]
	}
	h := &os.header
	cites := machine.Cites(c.src.cite(c.node.Span), g.fileCites(name), os.rec.Cite(&h.BootFlag, &h.Header, &h.Version, &h.PrefAddress, &h.InitSize))
	g.m.Wait(cost(os.size, rateGRUB(g.platform)))
	g.os = os
	g.emit(g.efiKind("grub.load-kernel"), "", map[string]string{"path": os.path, "size": bytesText(os.size), "address": hex(os.target), "cmdline": os.cmdline,
		"protocol": fmt.Sprintf("%d.%02d", h.Version>>8, h.Version&0xff)}, "GRUB 2.06: loader/i386/linux.c; Linux boot protocol", cites,
		g.loaderRows(memoryRow(os.target, os.space, "Linux kernel, compressed", os.path))...)
	return grubOK
}

// asProgram is the kernel when GRUB lets firmware start it: from 2.12 on, when its EFI stub can fetch the initramfs
// from GRUB, which an image version of 1 promises. grub-core/loader/efi/linux.c; it is nil when GRUB places the kernel itself.
func (g *grub) asProgram(r io.ReaderAt, size int64) *pe.File {
	if g.platform != "x86_64-efi" || strings.HasPrefix(g.version, "2.0") || !g.says("linux", "LoadFile2 initrd loading") {
		return nil
	}
	img, err := pe.Read(r, size)
	if err != nil || img.Header.Machine != g.peMachine() || img.Optional.MajorImageVersion < 1 {
		return nil
	}
	return img
}

// check is the tests of grub_cmd_linux in its order; the words are GRUB's.
func (o *grubOS) check(platform string) (string, []blob.Cite) {
	h := &o.header
	try := ""
	if platform == "i386-pc" {
		try = " (try with `linux16')"
	}
	switch {
	case h.BootFlag != 0xaa55:
		return "invalid magic number", o.rec.Cite(&h.BootFlag)
	case h.SetupSects > linuxMaxSetupSects:
		return "too many setup sectors", o.rec.Cite(&h.SetupSects)
	case o.old:
		return "", nil
	case string(h.Header[:]) != "HdrS" || h.Version < 0x203:
		return "version too old for 32-bit boot" + try, o.rec.Cite(&h.Header, &h.Version)
	case h.LoadFlags&linuxBigKernel == 0:
		return "zImage doesn't support 32-bit boot" + try, o.rec.Cite(&h.LoadFlags)
	}
	return "", nil
}

// place decides where the kernel goes: at its preferred address when it can be moved.
func (o *grubOS) place() {
	h := &o.header
	setup := int64(h.SetupSects)
	if setup == 0 {
		setup = 4
	}
	o.target = linuxBzimageAddr
	if h.Version >= 0x20a && !o.old {
		o.space = pageAlign(uint64(h.InitSize))
		if h.Relocatable != 0 {
			o.target = h.PrefAddress
		}
		return
	}
	o.space = pageAlign(uint64(max(o.size-(setup+1)*sector, 0))) * 3
}

func pageAlign(n uint64) uint64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// loaderCmdline is grub_create_loader_cmdline behind "BOOT_IMAGE=": arguments with a space are quoted,
// quotes and backslashes escaped.
func loaderCmdline(args []string) (line string, memMax uint64) {
	var out []string
	for i, a := range args {
		a = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(a)
		if strings.Contains(a, " ") {
			a = `"` + a + `"`
		}
		out = append(out, a)
		if v, ok := strings.CutPrefix(a, "mem="); ok && i > 0 {
			n, unit := strtol(v)
			if len(unit) > 0 {
				switch unit[0] | 0x20 {
				case 'g':
					n <<= 30
				case 'm':
					n <<= 20
				case 'k':
					n <<= 10
				}
			}
			memMax = uint64(max(n, 0))
		}
	}
	return "BOOT_IMAGE=" + strings.Join(out, " "), memMax
}

// cmdInitrd loads one initramfs of one or more files.
func (g *grub) cmdInitrd(c *grubCall) int {
	if len(c.args) == 0 {
		return g.failf(c, "filename expected")
	}
	if g.os == nil || g.os.chain != nil {
		return g.failf(c, "you need to load the kernel first")
	}
	var files []initrd
	var cites []blob.Cite
	var total uint64
	for _, name := range c.args {
		if strings.HasPrefix(name, "newc:") {
			g.giveUp(trace.Why("unknown.grub-newc", "word", name))
			return grubFailed
		}
		f, err := g.openRaw(name)
		if err != nil {
			return g.fail(c, err)
		}
		total = (total + 3) &^ 3 // each file starts at a multiple of 4
		total += uint64(f.Size())
		files = append(files, initrd{path: slash(name[strings.IndexByte(name, ')')+1:]), file: f, size: f.Size()})
		cites = append(cites, g.fileCites(name)...)
	}
	addr, ok := g.os.initrdAddr(total, uint64(g.c.MemoryMiB)<<20)
	if !ok && !g.efiStub() {
		return g.fail(c, &grubError{msg: "the initrd is too big", code: errOutOfRange})
	}
	rows := []machine.Set{}
	if g.efiStub() { // linuxefi asks the firmware for memory, whose place nobody knows before
		addr = 0
	}
	names := make([]string, len(files))
	at := addr
	for i := range files {
		at = (at + 3) &^ 3
		files[i].addr = at
		if names[i] = files[i].path; addr == 0 {
			files[i].addr = 0
			continue
		}
		rows = append(rows, memoryRow(at, uint64(files[i].size), whatInitramfs, files[i].path))
		at += uint64(files[i].size)
	}
	g.os.initrds = files
	if rec := g.os.rec; rec != nil {
		cites = append(cites, rec.Cite(&g.os.header.InitrdAddrMax)...)
	}
	g.m.Wait(cost(int64(total), rateGRUB(g.platform)))
	rule := "GRUB 2.06: grub_cmd_initrd, GRUB_LINUX_INITRD_MAX_ADDRESS"
	if uint64(g.c.MemoryMiB)<<20 < linuxInitrdMaxAddr {
		rule += "; modelled: what firmware and GRUB use at the top of a small memory is left out"
	}
	g.emit(g.efiKind("grub.load-initrd"), "", map[string]string{"path": strings.Join(names, ", "), "size": bytesText(int64(total)), "address": hex(addr)}, rule, machine.Cites(c.src.cite(c.node.Span), cites), rows...)
	return grubOK
}

// initrdAddr is where grub_cmd_initrd puts n bytes. It computes the highest start below
// min(initrd_addr_max, 0x37ffffff) - 64 KiB and gives that to the allocator as the upper end, so the
// block ends there. memory bounds it on smaller machines (modelled: firmware's own use is left out).
func (o *grubOS) initrdAddr(n, memory uint64) (uint64, bool) {
	size := pageAlign(n)
	top := min(uint64(o.header.InitrdAddrMax), linuxInitrdMaxAddr)
	if o.memMax != 0 && o.memMax < top {
		top = o.memMax
	}
	top -= min(top, 0x10000)
	lowest := o.target + o.space
	if top < size+lowest {
		return 0, false
	}
	end := (top - size) &^ (pageSize - 1)
	end = min(end, memory)
	if end < size+lowest {
		return 0, false
	}
	return (end - size) &^ (pageSize - 1), true
}

// cmdBoot is "boot".
func (g *grub) cmdBoot(c *grubCall) int {
	if g.os == nil {
		return g.failf(c, "you need to load the kernel first")
	}
	g.boot(c.src.cite(c.node.Span))
	return grubOK
}

// boot is grub_loader_boot for Linux: video mode, parameters, jump.
func (g *grub) boot(cites []blob.Cite) {
	os := g.os
	if os.chain != nil {
		os.chain(g.m.Last())
		return
	}
	if g.platform == "x86_64-efi" && os.stub == nil && !g.hasVideo() {
		// Without a text mode to fall back to (ACCEPTS_PURE_TEXT is 0 on EFI) a driver has to be there.
		g.printed++
		g.emit("grub.no-video-mode", "error: no suitable video mode found.\nBooting in blind mode\n", nil, "GRUB 2.06: grub_linux_boot, grub_video_set_mode", cites)
	}
	mode, rule := "protected", "GRUB 2.06: grub_linux_boot, grub_relocator32_boot"
	switch {
	case os.stub != nil:
		mode, rule = "long", "GRUB 2.12: loader/efi/linux.c, grub_arch_efi_linux_boot_image"
	case g.efiStub():
		mode, rule = "long", "Red Hat's and Debian's GRUB: loader/i386/efi/linux.c, handover_linux"
	}
	rows := []machine.Set{cpuRow(mode, "Linux, "+os.path)}
	if g.platform == "arm64-efi" {
		g.bootArm64(os, cites)
		return
	}
	if g.platform == "i386-pc" {
		// BIOS: the parameters end at 0x90000, grub_linux_boot_mmap_find; the memory map takes two pages.
		params := uint64(0x90000) - pageAlign(2*pageSize+linuxParamsSize+uint64(os.header.CmdlineSize)+1)
		rows = append(rows, memoryRow(params, linuxParamsSize, whatParams, ""),
			memoryRow(params+2*pageSize+linuxParamsSize, uint64(len(os.cmdline))+1, whatCmdline, ""))
	}
	h := &os.header
	n := g.emit(g.efiKind("grub.jump-kernel"), "", map[string]string{"path": os.path, "address": hex(os.target), "cmdline": os.cmdline}, rule,
		machine.Cites(cites, os.rec.Cite(&h.PrefAddress)), rows...)
	if os.stub != nil {
		g.start.efiStub(os.stub, nil, os.path, efiGiven{by: "grub", initrds: os.initrds, options: os.cmdline, cause: n})
		return
	}
	if g.efiStub() {
		n = g.m.Emit(trace.Step{Actor: "linux", Stage: trace.Bootloader, Kind: "linux.efi-secure-boot", Console: efiStubText(os.cmdline, "UEFI Secure Boot is enabled."),
			Rule: "drivers/firmware/efi/libstub: efi_get_secureboot"})
	}
	g.linux(loaded{by: "grub", path: os.path, image: os.image, size: os.size, initrds: os.initrds, cmdline: os.cmdline, cause: n})
}

// efiStub tells whether the kernel is entered through its EFI stub: on arm64 always; on x86 when GRUB gives it to the
// firmware, and with Secure Boot, where Debian's, Ubuntu's and Red Hat's GRUB does that: linuxefi.
func (g *grub) efiStub() bool {
	return g.os != nil && g.os.stub != nil || g.platform == "arm64-efi" || g.secure() != nil && g.platform != "i386-pc"
}

func isEFI(platform string) bool { return strings.HasSuffix(platform, "-efi") }

// efiKind is the kind of a step that has another sentence when firmware chooses the place: grub.load-kernel-efi,
// grub.load-initrd-efi, grub.jump-kernel-efi.
func (g *grub) efiKind(kind trace.Kind) trace.Kind {
	if g.efiStub() {
		return kind + "-efi"
	}
	return kind
}

// loaderRows are rows for memory whose place GRUB chooses.
func (g *grub) loaderRows(rows ...machine.Set) []machine.Set {
	if g.efiStub() {
		return nil
	}
	return rows
}

// hasVideo tells whether a video driver is loaded: one of the adapters that all_video lists.
func (g *grub) hasVideo() bool {
	for _, name := range []string{"efi_gop", "efi_uga", "video_bochs", "video_cirrus", "vbe", "vga"} {
		if g.mods[name] {
			return true
		}
	}
	return false
}

// allowed asks shim whether a program may be started: the verifier shim_lock, which looks at kernels and boot
// programs when they are opened. It returns false when shim refuses, or when the run has ended.
func (g *grub) allowed(c *grubCall, path string, r io.ReaderAt, size int64) bool {
	b := g.secure()
	if b == nil || g.platform == "i386-pc" {
		return true
	}
	if !b.shim {
		g.ran(c, "grub.verify-kernel", nil)
		g.giveUp(trace.Why("unknown.grub-without-shim", "path", path))
		return false
	}
	img, err := pe.Read(r, size)
	ok := err == nil && g.shimTakes("grub", path, img)
	if !ok && !g.m.Ended() {
		g.fail(c, &grubError{msg: "bad shim signature", code: errBadSignature})
	}
	return ok
}

// cmdChainloader loads another boot program.
func (g *grub) cmdChainloader(c *grubCall) int {
	set, args, _ := options(c.args, []option{{"force", 'f', 0}, {"bpb", 0, 0}}, true)
	if len(args) == 0 {
		return g.failf(c, "filename expected")
	}
	name := args[0]
	if g.platform == "i386-pc" {
		return g.chainBIOS(c, name, len(set["force"]) > 0)
	}
	f, err := g.openRaw(name)
	if err != nil {
		return g.fail(c, err)
	}
	vol, at, _ := g.find(name)
	dev, _, _ := g.split(name)
	if !g.allowed(c, slash(at), f, f.Size()) {
		return errBadSignature
	}
	g.emit("grub.chainloader", "", map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "GRUB manual, chainloader", machine.Cites(c.src.cite(c.node.Span), g.fileCites(name)))
	g.os = &grubOS{path: slash(at), chain: func(cause int) {
		g.given = efiGiven{by: "grub", options: strings.Join(args[1:], " "), cause: cause} // grub_cmd_chainloader, LoadOptions
		g.startEFI(vol, dev, at, f)
	}}
	return grubOK
}

// arm64Linux is "linux" on arm64: grub-core/loader/arm64/linux.c. The kernel must be an Image with an EFI stub.
func (g *grub) arm64Linux(c *grubCall, os *grubOS, name string) int {
	img, err := bzimage.Read(os.image, os.size)
	switch {
	case err != nil || img.Format != bzimage.Raw || img.Stream != "":
		return g.fail(c, &grubError{msg: "invalid magic number", code: errBadOS, cites: cite(os.image, 0x38, 4, "magic", "")})
	case !img.EFI:
		return g.fail(c, &grubError{msg: "plain image kernel not supported - rebuild with CONFIG_(U)EFI_STUB enabled", code: errBadOS, cites: img.Cites()})
	}
	os.cmdline, _ = loaderCmdline(c.args)
	g.m.Wait(cost(os.size, rateGRUB(g.platform)))
	g.emit("grub.load-kernel-efi", "", map[string]string{"path": os.path, "size": bytesText(os.size), "cmdline": os.cmdline}, "GRUB 2.06: loader/arm64/linux.c",
		machine.Cites(c.src.cite(c.node.Span), g.fileCites(name), img.Cites()))
	g.os = os
	return grubOK
}

// bootArm64 is grub_arch_efi_linux_boot_image, and the kernel's EFI stub after it.
func (g *grub) bootArm64(os *grubOS, cites []blob.Cite) {
	g.emit("grub.jump-kernel-efi", "", map[string]string{"path": os.path, "cmdline": os.cmdline}, "GRUB 2.06: grub_arch_efi_linux_boot_image", cites)
	text := efiStubText(os.cmdline, "Booting Linux Kernel...")
	if g.secure() != nil {
		text += efiStubText(os.cmdline, "UEFI Secure Boot is enabled.")
	}
	text += efiStubText(os.cmdline, "Using DTB from configuration table") + efiStubText(os.cmdline, "Exiting boot services...")
	n := g.m.Emit(trace.Step{Actor: "linux", Stage: trace.Bootloader, Kind: "linux.efi-stub", Console: text, Rule: "drivers/firmware/efi/libstub: efi_pe_entry, allocate_new_fdt_and_exit_boot",
		Args: map[string]string{"path": os.path}})
	g.linux(loaded{by: "grub", path: os.path, image: os.image, size: os.size, initrds: os.initrds, cmdline: os.cmdline, cause: n})
}
