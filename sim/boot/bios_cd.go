package boot

import (
	"encoding/binary"
	"fmt"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

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
		return s.emulateDisk(cat, cites, fail)
	}
	return s.startCD(cat, cites, fail)
}

// loadCD reads the boot image's first blocks. It returns the address for people and the step of the jump, false when
// the medium ends before the image does.
func (s *start) loadCD(cat bootCatalog, drive string, cites []blob.Cite) (n int64, jump int, ok bool) {
	d := s.c.Disk
	n = (int64(cat.Sectors)*sector + cdBlock - 1) / cdBlock * cdBlock // SeaBIOS reads whole blocks
	if int64(cat.LBA)*cdBlock+n > d.Size {
		return 0, 0, false
	}
	segment := cat.Segment
	if segment == 0 {
		segment = bootSectorAddr >> 4
	}
	addr := fmt.Sprintf("%04x:0000", segment)
	if segment == bootSectorAddr>>4 {
		addr = "0000:7c00" // bootip = boot_segment << 4, called as 0000:7c00
	}
	jump = s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.jump", Cites: cites, Rule: "El Torito 1.0, section 2.2; SeaBIOS 1.16: cdrom_boot",
		Args: map[string]string{"address": addr, "drive": drive, "size": fmt.Sprintf("%d bytes", n)}},
		memoryRow(uint64(segment)<<4, uint64(n), "El Torito boot image", d.Name), cpuRow("real", "boot image at "+addr))
	return n, jump, true
}

// startCD starts a boot image without emulation.
func (s *start) startCD(cat bootCatalog, cites []blob.Cite, fail func(int, []blob.Cite) bool) bool {
	d := s.c.Disk
	at := int64(cat.LBA) * cdBlock
	n, jump, ok := s.loadCD(cat, "0xe0", cites)
	if !ok {
		return fail(12, cites)
	}
	image := blob.Section(d.R, at, d.Size-at)
	head := make([]byte, min(n, 64<<10))
	got, _ := image.ReadAt(head, 0)
	head = head[:got]
	switch info, rec, err := grubcore.ReadCDBoot(image); {
	case err == nil:
		s.grubCDBoot(info, rec, jump)
	case allZero(head):
		s.zeroCode(at, jump)
	default:
		if p, err := ldlinux.ReadISOLINUX(image); err == nil {
			s.isolinux(p, at, "ETCD", jump)
			return true
		}
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.boot-code", "where", d.Name))
	}
	return true
}

// geometry is how a BIOS numbers the sectors of a drive.
type geometry struct{ cylinders, heads, sectors int64 }

func (g geometry) size() int64 { return g.cylinders * g.heads * g.sectors * sector }

func (g geometry) String() string {
	return fmt.Sprintf("%d × %d × %d", g.cylinders, g.heads, g.sectors)
}

// lastCHS is where the first partition of an MBR ends, by cylinder, head and sector.
type lastCHS struct {
	Head   uint8 `at:"0x1c3"`
	Sector uint8 `at:"0x1c4"` // and the cylinder's two upper bits
	Cyl    uint8 `at:"0x1c5"`
}

// emulateDisk makes a drive of the boot image, as which its boot sector then starts: a floppy of the size that the
// catalog names, or a hard disk that ends with its first partition. Nothing asks for a boot sector's signature here.
// SeaBIOS 1.16, cdrom_boot; El Torito 1.0, sections 1.3 and 2.2.
func (s *start) emulateDisk(cat bootCatalog, cites []blob.Cite, fail func(int, []blob.Cite) bool) bool {
	cd := s.c.Disk
	image := blob.Section(cd.R, int64(cat.LBA)*cdBlock, max(cd.Size-int64(cat.LBA)*cdBlock, 0))
	drive, geo := uint8(0), geometry{cylinders: 80, heads: 2}
	switch cat.Media {
	case 1:
		geo.sectors = 15
	case 2:
		geo.sectors = 18
	case 3:
		geo.sectors = 36
	default:
		drive = 0x80
		var last lastCHS
		rec, err := decode.Read(image, 0, binary.LittleEndian, "partition table", &last)
		if err != nil {
			return fail(12, cites)
		}
		geo = geometry{int64(last.Cyl) | int64(last.Sector&0xc0)<<2 + 1, int64(last.Head) + 1, int64(last.Sector & 0x3f)}
		cites = machine.Cites(cites, rec.CiteAll())
	}
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "bios.cd-emulation", Cites: cites, Rule: "El Torito 1.0, section 2.2; SeaBIOS 1.16: cdrom_boot",
		Args: map[string]string{"media": fmt.Sprint(cat.Media), "size": bytesText(geo.size()), "geometry": geo.String(), "drive": fmt.Sprintf("%#02x", drive)}})
	_, jump, ok := s.loadCD(cat, fmt.Sprintf("%#02x", drive), cites)
	switch {
	case !ok:
		return fail(12, cites)
	case s.c.OpenDisk == nil || geo.sectors == 0:
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.emulated-geometry", "geometry", geo.String()))
		return true
	}
	size := min(geo.size(), cd.Size-int64(cat.LBA)*cdBlock)
	s.medium, s.track = cd, int(geo.sectors)
	s.c.Disk = s.c.OpenDisk(cd.Name, blob.Section(image, 0, size), size)
	if t := s.c.Disk.Table; drive >= 0x80 && t != nil {
		for _, p := range t.Partitions {
			if (p.Start+p.Size)*sector > size {
				s.cannotKnow(trace.Bootloader, trace.Why("unknown.emulated-end", "partition", fmt.Sprint(p.Number), "geometry", geo.String()))
				return true
			}
		}
	}
	s.bootCode(drive, jump)
	return s.m.Ended()
}
