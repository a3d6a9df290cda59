package boot

import (
	"bytes"
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/trace"
)

// bootCode decides what the code of the drive's first sector does.
func (s *start) bootCode(drive uint8, cause int) {
	s.sectorCode(s.c.Disk.Volume(0), 0, drive, cause)
}

// sectorCode decides what the code of a boot sector does: that of the disk, or of a partition, v, which starts at byte off.
func (s *start) sectorCode(v *disk.Volume, off int64, drive uint8, cause int) {
	d := s.c.Disk
	first := make([]byte, sector)
	d.R.ReadAt(first, off)
	code := first[:440]
	if allZero(code) {
		s.zeroCode(off, cause)
		return
	}
	if bs, err := grubcore.ReadBootSector(blob.Section(d.R, off, sector)); err == nil {
		s.grubBootSector(bs, off, drive, cause)
		return
	}
	if text, at := printsAndWaits(first); text != "" {
		s.messageCode(text, off+int64(at), cause)
		return
	}
	if s.foreignCode(v, first, off, drive, cause) || s.programCode(off, cause) {
		return
	}
	switch kind := ldlinux.Identify(first); {
	case kind == ldlinux.IsoHybrid && off == 0:
		s.isoHybrid(cause)
	case kind == ldlinux.MBR && off == 0:
		s.syslinuxMBR(false, drive, cause)
	case kind == ldlinux.GPTMBR && off == 0:
		s.syslinuxMBR(true, drive, cause)
	case kind == ldlinux.VBR:
		s.syslinuxVBR(v, first, cause)
	case off == 0:
		s.cannotKnow(trace.Bootloader, codeReason(d.Name, code))
	default:
		s.cannotKnow(trace.Bootloader, codeReason(fmt.Sprintf("%s (LBA %d)", d.Name, off/sector), code))
	}
}

// programCode is the boot sector of a program that also starts by Linux's boot protocol, whose header follows: Memtest86+ on a
// floppy names itself there.
func (s *start) programCode(off int64, cause int) bool {
	d := s.c.Disk
	img, err := bzimage.Read(blob.Section(d.R, off, d.Size-off), d.Size-off)
	if err != nil || img.Format != bzimage.BzImage || img.IsLinux() || img.FullVersion() == "" {
		return false
	}
	s.m.Emit(trace.Step{Actor: "program", Stage: trace.Bootloader, Kind: "bios.program-code", Cause: cause, Rule: "x86 boot protocol: kernel_version names the program", Cites: img.Cites(),
		Args: map[string]string{"program": img.FullVersion()}}, cpuRow("real", img.FullVersion()))
	s.cannotKnow(trace.Bootloader, trace.Why("unknown.program-named", "path", d.Name, "program", img.FullVersion()))
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// zeroCode is a boot sector that kept its signature and lost its code. Two zero bytes are the
// instruction "add [bx+si], al": the processor goes through them, through whatever follows in memory, around
// the end of the segment, and comes back to 0x7c00. Nothing prints and nothing stops it.
func (s *start) zeroCode(off int64, cause int) {
	s.m.Emit(trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.zero-code", Cause: cause, Cites: cite(s.c.Disk.R, off, 440, "boot code", "00 00 …"),
		Rule: "Intel SDM vol. 2, ADD"}, cpuRow("real", "zeros: add [bx+si], al"))
	s.stop(trace.Bootloader, s.lastLine())
}

// printsAndWaits recognises the code that mkfs.fat puts into the boot sector of a volume without a system: it prints a text
// with INT 10h, waits for a key with INT 16h and asks the BIOS for the next try with INT 19h. at is the text's place.
// dosfstools, src/mkfs.fat.c: dummy_boot_code.
func printsAndWaits(first []byte) (text string, at int) {
	if len(first) < sector || first[0] != 0xeb {
		return "", 0
	}
	const before, behind = "\x0e\x1f\xbe", "\xac\x22\xc0\x74\x0b\x56\xb4\x0e\xbb\x07\x00\xcd\x10\x5e\xeb\xf0\x32\xe4\xcd\x16\xcd\x19\xeb\xfe"
	code := string(first[2+int(first[1]):])
	if len(code) < len(before)+2+len(behind) || code[:3] != before || code[5:5+len(behind)] != behind {
		return "", 0
	}
	at = (int(code[3]) | int(code[4])<<8) - bootSectorAddr
	if at < 0 || at >= len(first) {
		return "", 0
	}
	text, _, _ = strings.Cut(string(first[at:]), "\x00")
	return text, at
}

// messageCode is a boot sector that only prints.
func (s *start) messageCode(text string, at int64, cause int) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	s.m.Emit(trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.message-code", Cause: cause, Console: text, Args: map[string]string{"message": oneLine(text)},
		Cites: cite(s.c.Disk.R, at, int64(len(text)), "message", oneLine(text)), Rule: "dosfstools, mkfs.fat.c: dummy_boot_code"})
	s.stop(trace.Bootloader, oneLine(text))
}

// codeReason is boot code that is not followed; the messages inside tell whose it is.
func codeReason(where string, code []byte) *trace.Reason {
	for _, k := range [...]struct{ text, name string }{
		{"SYSLINUX", "SYSLINUX"},
		{"LILO", "LILO"},
		{"BOOTMGR", "Windows"},
		{"NTLDR", "Windows"},
		{"FreeDOS", "FreeDOS"},
		{"reading boot", "OpenBSD"},
	} {
		if bytes.Contains(code, []byte(k.text)) {
			return trace.Why("unknown.boot-code-named", "where", where, "program", k.name)
		}
	}
	if bytes.Contains(code, []byte("Missing operating system")) || bytes.Contains(code, []byte("Invalid partition table")) {
		return trace.Why("unknown.boot-code-mbr", "where", where)
	}
	return trace.Why("unknown.boot-code", "where", where)
}
