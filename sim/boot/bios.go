package boot

import (
	"encoding/binary"
	"fmt"
	"strings"

	"bootpath/sim/decode"
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
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.device-empty", Rule: "SeaBIOS 1.16: do_boot",
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
	try := trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.try-disk", Rule: "SeaBIOS 1.16: boot_disk, INT 13h",
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
		Rule: "SeaBIOS 1.16: boot_disk, MBR_SIGNATURE", Args: map[string]string{"device": device, "found": fmt.Sprintf("%02x %02x", mbr.Signature[0], mbr.Signature[1])}}
	if mbr.Signature != [2]byte{0x55, 0xaa} {
		signature.Kind, signature.Console = "bios.no-boot-signature", "Boot failed: not a bootable disk\n\n"
		s.m.Emit(signature)
		return false
	}
	s.m.Emit(signature)
	if drive < 0x80 {
		s.track = floppyTrack(d.Size)
	}
	jump := s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.jump", Rule: "SeaBIOS 1.16: call_boot_entry",
		Args: map[string]string{"address": "0000:7c00", "drive": fmt.Sprintf("%#02x", drive), "size": "512 bytes"}, Cites: cite(d.R, 0, 440, "boot code", "")},
		memoryRow(bootSectorAddr, sector, "boot sector", d.Name), cpuRow("real", "boot sector at 0000:7c00"))
	s.bootCode(drive, jump)
	return s.m.Ended() // code that gives up with INT 18h leaves the turn to the next device
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
