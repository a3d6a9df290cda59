package boot

import (
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Where GRUB for the BIOS puts its parts: include/grub/i386/pc/boot.h and memory.h.
const (
	diskbootAddr  = 0x8000   // GRUB_BOOT_MACHINE_KERNEL_ADDR
	coreAddr      = 0x8200   // behind the first core sector
	kernelImgAddr = 0x100000 // GRUB_MEMORY_MACHINE_DECOMPRESSION_ADDR
	diskbootStrs  = "Geom\x00Read\x00 Error"
	maxLBASectors = 0x7f // diskboot.S: the most that one INT 13h read asks for
)

// grubStep is a step of GRUB before its kernel runs.
func (s *start) grubStep(kind trace.Kind, cause int, console string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return s.m.Emit(trace.Step{Actor: "grub", Stage: trace.Bootloader, Kind: kind, Cause: cause, Console: console, Args: args, Rule: rule, Cites: cites}, rows...)
}

// grubBootSector is boot.img: it prints its name, reads one sector and jumps there. GRUB 2.06,
// grub-core/boot/i386/pc/boot.S.
func (s *start) grubBootSector(bs *grubcore.Boot, off int64, drive uint8, cause int) {
	d := s.c.Disk
	name := ""
	if _, ok := grubcore.Find(blob.Section(d.R, off, 440), "GRUB \x00", 440); ok {
		name = "GRUB " // versions built to boot quietly have no such message
	}
	if bs.Sector.BootDrive != 0xff {
		drive = bs.Sector.BootDrive
	}
	s.grubStep("grub.boot-image", cause, name, map[string]string{"sector": fmt.Sprint(bs.Kernel.LBA), "address": hex(diskbootAddr)},
		"GRUB 2.06: boot.S, kernel_sector and kernel_address", bs.Cites(),
		memoryRow(diskbootAddr, sector, "GRUB core image, first sector", d.Name))
	if bs.Kernel.LBA >= uint64(d.Size/sector) {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.past-end", "sector", fmt.Sprint(bs.Kernel.LBA)))
		return
	}
	at := int64(bs.Kernel.LBA) * sector
	first := make([]byte, sector)
	d.R.ReadAt(first, at)
	if allZero(first) {
		s.zeroCore(name, cite(d.R, at, sector, "first core sector", "00 00 …"))
		return
	}
	if !strings.Contains(string(first), diskbootStrs) {
		s.grubStep("grub.unknown-core", 0, "", map[string]string{"sector": fmt.Sprint(bs.Kernel.LBA)}, "GRUB 2.06: diskboot.S", cite(d.R, at, sector, "first core sector", ""))
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.sector-code", "sector", fmt.Sprint(bs.Kernel.LBA), "program", "GRUB"))
		return
	}
	s.grubDiskBoot(first, at, drive, name)
}

// zeroCore is a boot sector whose core image is zeros. boot.img jumps to 0x8000, where the processor
// finds "add [bx+si], al" up to the end of the segment, goes on at its start and, through the interrupt
// vectors and the BIOS data, comes to 0x7c00 again: boot.img runs once more, and prints its name once more.
func (s *start) zeroCore(name string, cites []blob.Cite) {
	again := strings.Repeat(name, 3)
	s.grubStep("grub.zero-core", 0, again, map[string]string{"address": hex(diskbootAddr)},
		"Intel SDM vol. 2, ADD", cites, cpuRow("real", "zeros: add [bx+si], al"))
	s.stop(trace.Bootloader, strings.TrimSpace(name+again))
}

// grubDiskBoot is diskboot.img: it loads the rest of the core image by its block list and prints a dot
// for every read.
func (s *start) grubDiskBoot(first []byte, at int64, drive uint8, name string) {
	d := s.c.Disk
	blocks, err := grubcore.ReadBlocks(d.R, at)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-blocks").For(kernel.Because(err)))
		return
	}
	core, err := blocks.Reader(d.R, d.Size)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.past-end-of").For(kernel.Because(err)))
		return
	}
	dots := ""
	var cites []blob.Cite
	for i, b := range blocks.List {
		dots += strings.Repeat(".", diskbootReads(b, s.track))
		cites = append(cites, blocks.Recs[i].CiteAll()...)
	}
	text := ""
	if name != "" && strings.Contains(string(first), "loading\x00") {
		text = "loading" + dots + "\n"
	}
	s.m.Wait(cost(core.Size(), rateBIOS))
	s.grubStep("grub.disk-boot", 0, text, map[string]string{"sectors": fmt.Sprint(blocks.Sectors()), "size": bytesText(core.Size()), "address": hex(coreAddr)},
		"GRUB 2.06: diskboot.S, blocklist", cites, memoryRow(coreAddr, uint64(core.Size()), "GRUB core image, compressed", d.Name))
	head := make([]byte, 64)
	core.ReadAt(head, 0)
	if allZero(head) {
		s.zeroCore(name+strings.TrimSuffix(text, "\n")+" ", cite(core, 0, 64, "core image", "00 00 …"))
		return
	}
	s.grubCore(core, core.Size(), drive)
}

// floppyTrack is the number of sectors on a track of the floppy that the machine takes an image for:
// by its size, and one of 2.88 MB for sizes that no format has (QEMU's fallback).
func floppyTrack(size int64) int {
	switch size {
	case 360 << 10, 720 << 10:
		return 9
	case 1200 << 10:
		return 15
	case 1440 << 10:
		return 18
	}
	return 36
}

// diskbootReads is how often diskboot.img calls the BIOS for a block: at most 127 sectors at a time and,
// without the LBA extension (a floppy), never past the end of a track.
func diskbootReads(b grubcore.Block, track int) int {
	n, at, left := 0, int64(b.Start), int64(b.Len)
	for left > 0 {
		chunk := min(left, maxLBASectors)
		if track > 0 {
			chunk = min(chunk, int64(track)-at%int64(track))
		}
		at, left, n = at+chunk, left-chunk, n+1
	}
	return n
}

// grubCDBoot is cdboot.img: it finds its own place and length in the boot information table, loads the
// rest and prints nothing. GRUB 2.06, cdboot.S.
func (s *start) grubCDBoot(info *grubcore.BootInfo, rec *decode.Record, cause int) {
	d := s.c.Disk
	if info.FileLen == 0 {
		s.grubStep("grub.cd-boot", cause, "no boot info", nil, "GRUB 2.06: cdboot.S", rec.Cite(&info.FileLen))
		s.stop(trace.Bootloader, "no boot info")
		return
	}
	at, n := int64(info.FileLBA)*cdBlock, int64(info.FileLen)
	if at+n > d.Size {
		s.grubStep("grub.cd-boot", cause, "cdrom read fails", nil, "GRUB 2.06: cdboot.S", rec.Cite(&info.FileLBA, &info.FileLen))
		s.stop(trace.Bootloader, "cdrom read fails")
		return
	}
	off := at + grubcore.CDBootSize + sector // the core image's own first sector is for disks
	core := blob.Section(d.R, off, at+n-off)
	s.m.Wait(cost(n, rateBIOS))
	s.grubStep("grub.cd-boot", cause, "", map[string]string{"block": fmt.Sprint(info.FileLBA), "size": bytesText(n), "address": hex(coreAddr)},
		"GRUB 2.06: cdboot.S; mkisofs(8) -boot-info-table", rec.Cite(&info.FileLBA, &info.FileLen),
		memoryRow(coreAddr, uint64(core.Size()), "GRUB core image, compressed", d.Name))
	s.grubCore(core, core.Size(), 0xe0)
}

// grubCore unpacks the core image: protected mode, A20, LZMA, then GRUB's kernel runs at 1 MiB.
func (s *start) grubCore(r io.ReaderAt, size int64, drive uint8) {
	core, err := grubcore.ReadCore(r, size)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-core").For(kernel.Because(err)))
		return
	}
	packed := s.c.Store.Raw(r)
	img := s.c.Store.DeriveOf("core.img!", func() (io.Reader, error) { return core.Open(packed) }, core.Limit(), r, core.Off, int64(core.Header.CompressedSize))
	if n := img.Size(); n != core.Limit() {
		s.grubStep("grub.core-damaged", 0, "", map[string]string{"unpacked": bytesText(n), "want": bytesText(core.Limit())}, "GRUB 2.06: startup_raw.S, LZMA",
			machine.Cites(core.Rec.Cite(&core.Header.UncompressedSize), core.Cites))
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-reed-solomon"))
		return
	}
	h := &core.Header
	s.grubStep("grub.unpack-core", 0, "", map[string]string{"compressed": bytesText(int64(h.CompressedSize)), "size": bytesText(img.Size()), "address": hex(kernelImgAddr)},
		"GRUB 2.06: startup_raw.S", machine.Cites(core.Rec.Cite(&h.CompressedSize, &h.UncompressedSize), core.Cites),
		memoryRow(kernelImgAddr, uint64(img.Size()), "GRUB kernel and modules", img.Name()), cpuRow("protected", "GRUB"))
	mods, err := grubcore.ReadModules(img, 0, img.Size(), false)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-modules").For(kernel.Because(err)))
		return
	}
	g := newGrub(s, "i386-pc", img, img.Size(), mods)
	g.bootDevice = fmt.Sprintf("hd%d", drive&0x7f)
	if drive < 0x80 {
		g.bootDevice = fmt.Sprintf("fd%d", drive)
	}
	g.devices()
	g.main("(" + g.bootDevice + ")")
}
