package boot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// seabiosVersion is a property of the simulated machine: the SeaBIOS of QEMU in Debian 12, package
// seabios 1.16.2-1, with which the boots in tests/truth were recorded.
const seabiosVersion = "1.16.2-debian-1.16.2-1"

// Where a boot sector goes: IBM PC BIOS, INT 19h.
const (
	bootSectorAddr = 0x7c00
	sector         = 512
	cdBlock        = 2048
)

// bios is SeaBIOS from its version line to the jump into a boot sector. It follows handle_19, boot_disk
// and cdrom_boot of SeaBIOS 1.16 (src/boot.c, src/cdrom.c).
func (s *start) bios() {
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.start", Rule: "SeaBIOS 1.16: maininit",
		Args: map[string]string{"version": seabiosVersion, "memory": fmt.Sprintf("%d MiB", s.c.MemoryMiB)}, Console: "SeaBIOS (version " + seabiosVersion + ")\n"},
		append(s.biosRows(), cpuRow("real", "SeaBIOS"))...)
	s.m.Wait(costPOST)
	// The machine's order puts the device that holds the image first; the rest is QEMU's default order
	// (hard disk, floppy, CD) of devices without a medium.
	switch s.c.Device {
	case "cdrom":
		_ = s.bootCD() || s.bootEmpty("Hard Disk", "could not read the boot disk\n") || s.bootEmpty("Floppy", "could not read the boot disk\n")
	case "floppy":
		_ = s.bootDisk("Floppy", 0x00)
	default:
		_ = s.bootDisk("Hard Disk", 0x80) || s.bootEmpty("Floppy", "could not read the boot disk\n") ||
			s.bootEmpty("DVD/CD", "Could not read from CDROM (code 0003)")
	}
	if s.m.Ended() {
		return
	}
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.no-bootable-device", Rule: "SeaBIOS 1.16: do_boot",
		Console: "No bootable device.\n"})
	s.stop(trace.Firmware, "No bootable device.")
}

func cpuRow(mode, what string) machine.Set {
	return machine.Set{Table: trace.CPU, ID: "cpu0", Row: trace.Row{"mode": mode, "what": what}}
}

// memoryRow says what a loader put at an address.
func memoryRow(addr, size uint64, what, from string) machine.Set {
	id := fmt.Sprintf("0x%08x", addr)
	return machine.Set{Table: trace.Memory, ID: id, Row: trace.Row{"start": id, "size": fmt.Sprint(size), "what": what, "from": from}}
}

// bootEmpty tries a device without a medium. It returns false: nothing was started.
func (s *start) bootEmpty(device, why string) bool {
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.device-empty", Rule: "SeaBIOS 1.16: do_boot; the machine's other drives hold nothing",
		Args: map[string]string{"device": device}, Console: "Booting from " + device + "...\nBoot failed: " + why + "\n"})
	return false
}

// bootDisk loads the first sector of the image and starts it when its last two bytes say that it is a
// boot sector. It returns false when the next device has its turn.
func (s *start) bootDisk(device string, drive uint8) bool {
	d := s.c.Disk
	var mbr struct {
		Code      [440]byte `at:"0x00"`
		Signature [2]byte   `at:"0x1fe"`
	}
	try := trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.try-disk", Rule: "SeaBIOS 1.16: boot_disk, INT 13h reads sector 1",
		Args: map[string]string{"device": device}, Console: "Booting from " + device + "...\n"}
	rec, err := decode.Read(d.R, 0, binary.LittleEndian, "boot sector", &mbr)
	if err != nil {
		s.m.Emit(try)
		s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.disk-unreadable", Rule: "SeaBIOS 1.16: boot_disk",
			Args: map[string]string{"device": device}, Console: "Boot failed: could not read the boot disk\n\n"})
		return false
	}
	try.Cites = cite(d.R, 0, sector, "boot sector", "")
	s.m.Emit(try)
	signature := trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.boot-signature", Cites: rec.Cite(&mbr.Signature),
		Rule: "SeaBIOS 1.16: boot_disk, bytes 510 and 511 are 0x55 0xaa", Args: map[string]string{"device": device, "found": fmt.Sprintf("%02x %02x", mbr.Signature[0], mbr.Signature[1])}}
	if mbr.Signature != [2]byte{0x55, 0xaa} {
		signature.Kind, signature.Console = "bios.no-boot-signature", "Boot failed: not a bootable disk\n\n"
		s.m.Emit(signature)
		return false
	}
	s.m.Emit(signature)
	jump := s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.jump", Rule: "SeaBIOS 1.16: call_boot_entry 0000:7c00, DL is the drive",
		Args: map[string]string{"address": "0000:7c00", "drive": fmt.Sprintf("%#02x", drive), "size": "512 bytes"}, Cites: cite(d.R, 0, 440, "boot code", "")},
		memoryRow(bootSectorAddr, sector, "boot sector", d.Name), cpuRow("real", "boot sector at 0000:7c00"))
	s.bootCode(drive, jump)
	return s.m.Ended() // code that gives up with INT 18h leaves the turn to the next device
}

// bootCode decides what the code of the first sector does.
func (s *start) bootCode(drive uint8, cause int) {
	d := s.c.Disk
	code := make([]byte, 440)
	d.R.ReadAt(code, 0)
	if allZero(code) {
		s.zeroCode(cause)
		return
	}
	if bs, err := grubcore.ReadBootSector(d.R); err == nil {
		s.grubBootSector(bs, drive, cause)
		return
	}
	first := make([]byte, sector)
	d.R.ReadAt(first, 0)
	if text, at := printsAndWaits(first); text != "" {
		s.messageCode(text, at, cause)
		return
	}
	switch ldlinux.Identify(first) {
	case ldlinux.IsoHybrid:
		s.isoHybrid(cause)
	case ldlinux.MBR:
		s.syslinuxMBR(false, cause)
	case ldlinux.GPTMBR:
		s.syslinuxMBR(true, cause)
	case ldlinux.VBR:
		s.syslinuxVBR(d.Volume(0), first, cause)
	default:
		s.cannotKnow(trace.Bootloader, bootCode(d.Name, code))
	}
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
func (s *start) zeroCode(cause int) {
	s.m.Emit(trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.zero-code", Cause: cause, Cites: cite(s.c.Disk.R, 0, 440, "boot code", "00 00 …"),
		Rule: "Intel SDM vol. 2, ADD: opcode 00 /r; 00 00 is add [bx+si], al"}, cpuRow("real", "zeros: add [bx+si], al"))
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
func (s *start) messageCode(text string, at, cause int) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	s.m.Emit(trace.Step{Actor: "boot sector", Stage: trace.Bootloader, Kind: "bios.message-code", Cause: cause, Console: text, Args: map[string]string{"message": oneLine(text)},
		Cites: cite(s.c.Disk.R, int64(at), int64(len(text)), "message", oneLine(text)), Rule: "dosfstools, mkfs.fat.c: dummy_boot_code; nobody presses a key"})
	s.stop(trace.Bootloader, oneLine(text))
}

// lastLine is what stands last on the screen.
func (s *start) lastLine() string {
	for i := s.m.Last(); i >= 0; i-- {
		if text := strings.TrimSpace(s.m.Step(i).Console); text != "" {
			return text[strings.LastIndexByte(text, '\n')+1:]
		}
	}
	return ""
}

// bootCode is boot code that is not followed; the messages inside tell whose it is.
func bootCode(where string, code []byte) *trace.Reason {
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

// bootRecord is the El Torito boot record volume descriptor, at block 17: El Torito 1.0, section 3.
type bootRecord struct {
	Type    uint8    `at:"0x00"`
	ID      [31]byte `at:"0x01"` // "CD001", 1, "EL TORITO SPECIFICATION", zeros
	Catalog uint32   `at:"0x47"` // block of the boot catalog
}

// bootCatalog is the validation entry and the initial entry of the catalog: sections 2.1 and 2.2.
type bootCatalog struct {
	HeaderID uint8  `at:"0x00"` // 1
	Platform uint8  `at:"0x01"` // 0: x86
	Key55    uint8  `at:"0x1e"`
	KeyAA    uint8  `at:"0x1f"`
	Boot     uint8  `at:"0x20"` // 0x88: bootable
	Media    uint8  `at:"0x21"` // 0: no emulation
	Segment  uint16 `at:"0x22"` // 0: 0x7c0
	Sectors  uint16 `at:"0x26"` // 512-byte sectors to load
	LBA      uint32 `at:"0x28"` // 2048-byte block of the boot image
}

// bootCD starts the medium's El Torito image. The numbers of the failures are those of cdrom_boot.
func (s *start) bootCD() bool {
	d := s.c.Disk
	fail := func(code int, rec []blob.Cite) bool {
		s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.cd-not-bootable", Cites: rec, Rule: "SeaBIOS 1.16: cdrom_boot",
			Args: map[string]string{"code": fmt.Sprintf("%04x", code)}, Console: fmt.Sprintf("Boot failed: Could not read from CDROM (code %04x)\n", code)})
		return false
	}
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.try-cd", Rule: "SeaBIOS 1.16: cdrom_boot; El Torito 1.0",
		Cites: cite(d.R, 17*cdBlock, cdBlock, "boot record volume descriptor", ""), Console: "Booting from DVD/CD...\n"})
	var br bootRecord
	rec, err := decode.Read(d.R, 17*cdBlock, binary.LittleEndian, "boot record", &br)
	switch {
	case err != nil:
		return fail(3, nil)
	case br.Type != 0:
		return fail(4, rec.Cite(&br.Type))
	case string(br.ID[:29]) != "CD001\x01EL TORITO SPECIFICATION" || br.ID[29] != 0:
		return fail(5, rec.Cite(&br.ID))
	}
	var cat bootCatalog
	crec, err := decode.Read(d.R, int64(br.Catalog)*cdBlock, binary.LittleEndian, "boot catalog", &cat)
	switch {
	case err != nil:
		return fail(7, rec.Cite(&br.Catalog))
	case cat.HeaderID != 1:
		return fail(8, crec.Cite(&cat.HeaderID))
	case cat.Platform != 0:
		return fail(9, crec.Cite(&cat.Platform))
	case cat.Key55 != 0x55 || cat.KeyAA != 0xaa:
		return fail(10, crec.Cite(&cat.Key55, &cat.KeyAA))
	case cat.Boot != 0x88:
		return fail(11, crec.Cite(&cat.Boot))
	}
	cites := machine.Cites(rec.Cite(&br.Catalog), crec.CiteAll())
	if cat.Media != 0 {
		s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.cd-emulation", Cites: cites, Rule: "El Torito 1.0, section 2.2",
			Args: map[string]string{"media": fmt.Sprint(cat.Media)}})
		s.cannotKnow(trace.Firmware, trace.Why("unknown.cd-emulation"))
		return true
	}
	return s.startCD(cat, cites, fail)
}

func (s *start) startCD(cat bootCatalog, cites []blob.Cite, fail func(int, []blob.Cite) bool) bool {
	d := s.c.Disk
	at := int64(cat.LBA) * cdBlock
	// SeaBIOS reads whole blocks.
	n := (int64(cat.Sectors)*sector + cdBlock - 1) / cdBlock * cdBlock
	if at+n > d.Size {
		return fail(12, cites)
	}
	segment := cat.Segment
	if segment == 0 {
		segment = bootSectorAddr >> 4
	}
	addr := fmt.Sprintf("%04x:0000", segment)
	if segment == bootSectorAddr>>4 {
		addr = "0000:7c00" // bootip = boot_segment << 4, called as 0000:7c00
	}
	jump := s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.jump", Cites: cites, Rule: "El Torito 1.0, section 2.2; SeaBIOS 1.16: cdrom_boot",
		Args: map[string]string{"address": addr, "drive": "0xe0", "size": fmt.Sprintf("%d bytes", n)}},
		memoryRow(uint64(segment)<<4, uint64(n), "El Torito boot image", d.Name), cpuRow("real", "boot image at "+addr))
	image := blob.Section(d.R, at, d.Size-at)
	head := make([]byte, min(n, 64<<10))
	got, _ := image.ReadAt(head, 0)
	head = head[:got]
	switch info, rec, err := grubcore.ReadCDBoot(image); {
	case err == nil:
		s.grubCDBoot(info, rec, jump)
	case allZero(head):
		s.zeroCode(jump)
	default:
		if p, err := ldlinux.ReadISOLINUX(image); err == nil {
			s.isolinux(p, at, "ETCD", jump)
			return true
		}
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.boot-code", "where", d.Name))
	}
	return true
}
