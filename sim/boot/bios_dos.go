package boot

import (
	"bytes"
	"strings"

	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// foreignCode is boot code of other systems that is followed up to what their next file does.
//
// The boot sectors of the DOS family and of Windows load a file from the root directory of their FAT volume. They carry its
// name as a directory has it: eight and three characters, padded with spaces (Microsoft FAT specification, 2004, section 6).
func (s *start) foreignCode(v *disk.Volume, first []byte, off int64, drive uint8, cause int) bool {
	if at := bytes.Index(first, []byte(mtoolsCode)); at >= 0 {
		s.startsHardDisk(off+int64(at), drive, cause)
		return true
	}
	if at := bytes.Index(first, []byte("reading boot\x00")); at >= 0 && printsFirst(first, at) {
		s.foreignText(off+int64(at), "reading boot", "OpenBSD: sys/arch/i386/stand/biosboot/biosboot.S", cause)
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.foreign-loader", "program", "OpenBSD"))
		return true
	}
	for _, k := range [...]struct{ name, system string }{
		{"KERNEL  SYS", "FreeDOS"}, {"IO      SYS", "MS-DOS"}, {"IBMBIO  COM", "PC DOS or DR-DOS"}, {"WINBOOT SYS", "MS-DOS 7"}, {"DRBIO   SYS", "DR-DOS"},
		{"NTLDR      ", "Windows NT"}, {"BOOTMGR    ", "Windows"}, {"FREELDR SYS", "ReactOS"},
	} {
		at := bytes.Index(first, []byte(k.name))
		if at < 0 || v == nil || v.FS == nil || v.Type != "vfat" {
			continue
		}
		if name, ok := printsInline(first, "FreeDOS\x00"); ok {
			s.foreignText(off+int64(name), "FreeDOS", "FreeDOS kernel: boot/boot.asm", cause)
		}
		s.systemFile(v, k.name, k.system, at, cause)
		return true
	}
	return false
}

// mtoolsCode is what mformat puts into the boot sector of a floppy: it loads the first sector of the first hard disk and
// jumps there; an error leaves the turn to INT 19h. mtools, mformat.c: boot_prg.
const mtoolsCode = "\xb8\x01\x02\xbb\x00\x7c\xba\x80\x00\xb9\x01\x00\xcd\x13\x72\x05\xea\x00\x7c\x00\x00\xcd\x19"

// startsHardDisk is that code: the machine has no other disk than this one, so it comes back here.
func (s *start) startsHardDisk(at int64, drive uint8, cause int) {
	line := s.lastLine()
	step := trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.starts-itself", Cause: cause, Rule: "mtools, mformat.c: boot_prg",
		Cites: cite(s.c.Disk.R, at, int64(len(mtoolsCode)), "boot code", "int 13h; int 19h")}
	if drive < 0x80 {
		step.Kind, step.Console = "bios.no-hard-disk", line+"\n"
	}
	s.m.Emit(step)
	s.stop(trace.Bootloader, line)
}

// printsFirst tells OpenBSD's "mov esi, text; call putstr" in front of all other work.
func printsFirst(first []byte, at int) bool {
	return bytes.Contains(first[:sector/2], []byte{0x66, 0xbe, byte(at), byte(at >> 8), 0, 0, 0xe8})
}

// printsInline finds a text behind a call: its return address is where the text starts.
func printsInline(first []byte, text string) (int, bool) {
	at := bytes.Index(first, []byte(text))
	return at, at > 2 && first[at-3] == 0xe8
}

func (s *start) foreignText(at int64, text, rule string, cause int) {
	s.m.Emit(trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.code-prints", Cause: cause, Console: text, Args: map[string]string{"message": text},
		Cites: cite(s.c.Disk.R, at, int64(len(text)), "message", text), Rule: rule})
}

// systemFile is the file that a DOS boot sector names. What it does then is in its code.
func (s *start) systemFile(v *disk.Volume, name, system string, at, cause int) {
	file := strings.TrimSpace(name[:8])
	if ext := strings.TrimSpace(name[8:]); ext != "" {
		file += "." + ext
	}
	step := trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.system-file", Rule: "Microsoft FAT specification, section 6",
		Cause: cause, Args: map[string]string{"file": file, "system": system}, Cites: cite(s.c.Disk.R, v.Off+int64(at), int64(len(name)), "file name", name)}
	found, err := lookup(v, "/"+file)
	if err != nil {
		step.Kind = "bios.no-system-file"
		step.Cites = append(step.Cites, dirCites(v, "/"+file)...)
		s.m.Emit(step)
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.no-system-file", "program", system, "file", file))
		return
	}
	if fi, err := v.FS.Stat(found); err == nil {
		step.Args["size"] = bytesText(fi.Size())
		step.Cites = append(step.Cites, fsys.StatOf(fi).Cites...)
	}
	s.m.Emit(step, cpuRow("real", file))
	s.cannotKnow(trace.Bootloader, trace.Why("unknown.system-file", "program", system, "file", file))
}
