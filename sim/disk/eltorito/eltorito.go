// Package eltorito reads the boot catalog of an optical medium: "El Torito" Bootable CD-ROM Format
// Specification, version 1.0, 1995.
package eltorito

import (
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// blockSize is that of the medium, in bytes.
const blockSize = 2048

// bootRecord is the boot record volume descriptor. Figure 7; the specification wants it in block 17.
type bootRecord struct {
	Type       uint8    `at:"0x00"` // 0
	Identifier [5]byte  `at:"0x01"` // "CD001"
	Version    uint8    `at:"0x06"` // 1
	BootSystem [32]byte `at:"0x07"` // "EL TORITO SPECIFICATION"
	CatalogLBA uint32   `at:"0x47"`
}

// validation is the first entry of the catalog. Figure 2.
type validation struct {
	HeaderID uint8    `at:"0x00"` // 1
	Platform uint8    `at:"0x01"`
	Reserved uint16   `at:"0x02"`
	ID       [24]byte `at:"0x04"` // who made it
	Checksum uint16   `at:"0x1c"` // makes the sum of all words zero
	Key55    uint8    `at:"0x1e"`
	KeyAA    uint8    `at:"0x1f"`
}

// bootEntry is the initial entry or one of a section. Figures 3 and 5.
type bootEntry struct {
	Indicator   uint8    `at:"0x00"` // 0x88 bootable, 0 not
	Media       uint8    `at:"0x01"` // bits 0–3: emulation; bit 5: an extension follows
	LoadSegment uint16   `at:"0x02"` // 0: 0x7c0
	SystemType  uint8    `at:"0x04"` // from the partition table of the image
	Unused      uint8    `at:"0x05"`
	SectorCount uint16   `at:"0x06"` // of 512 bytes
	LoadRBA     uint32   `at:"0x08"` // block where the image starts
	Selection   [20]byte `at:"0x0c"` // of section entries: selection criteria
}

// sectionHeader precedes the entries for a platform. Figure 4.
type sectionHeader struct {
	Indicator uint8    `at:"0x00"` // 0x90: more headers follow; 0x91: the last
	Platform  uint8    `at:"0x01"`
	Count     uint16   `at:"0x02"` // entries that follow
	ID        [28]byte `at:"0x04"`
}

const (
	entrySize     = 32
	bootSystem    = "EL TORITO SPECIFICATION"
	bootable      = 0x88
	sectionMore   = 0x90
	sectionLast   = 0x91
	extension     = 0x44
	hasExtension  = 1 << 5
	descriptorMax = 16   // volume descriptors that are looked at
	catalogMax    = 1024 // entries that are looked at; usual are under ten
)

// platform names the platform IDs of figure 2; 0xef is from UEFI 2.10, section 13.3.2.1.
func platform(id uint8) string {
	switch id {
	case 0x00:
		return "bios"
	case 0x01:
		return "ppc"
	case 0x02:
		return "mac"
	case 0xef:
		return "uefi"
	}
	return fmt.Sprintf("%#02x", id)
}

func emulation(media uint8) string {
	switch media & 0xf {
	case 0:
		return "none"
	case 1:
		return "floppy-1.2"
	case 2:
		return "floppy-1.44"
	case 3:
		return "floppy-2.88"
	case 4:
		return "hd"
	}
	return fmt.Sprintf("%#x", media&0xf)
}

// Read lists the entries of the boot catalog, the initial one first, and cites the boot record and the
// validation entry. The error wraps [decode.ErrFormat] when there is no boot record.
//
// A catalog whose checksum alone is wrong gives the entries beside the [*decode.Error]: SeaBIOS boots it,
// EDK2 does not.
func Read(r io.ReaderAt) ([]disk.BootEntry, []blob.Cite, error) {
	br, rec, err := findRecord(r)
	if err != nil {
		return nil, nil, err
	}
	cites := rec.Cite(&br.BootSystem, &br.CatalogLBA)
	c := &catalog{r: r, off: int64(br.CatalogLBA) * blockSize}
	if c.w, err = blob.Window(r, c.off, blockSize); err != nil {
		return nil, cites, fmt.Errorf("boot catalog: %w", err)
	}
	v := new(validation)
	rec, err = decode.Read(c.w, c.off, binary.LittleEndian, "El Torito validation entry", v)
	if err != nil {
		return nil, cites, err
	}
	cites = append(cites, rec.Cite(&v.HeaderID, &v.Platform, &v.Checksum, &v.Key55, &v.KeyAA)...)
	switch {
	case v.HeaderID != 1:
		return nil, cites, rec.Errorf(&v.HeaderID, "1", "%#x", v.HeaderID)
	case v.Key55 != 0x55:
		return nil, cites, rec.Errorf(&v.Key55, "0x55", "%#x", v.Key55)
	case v.KeyAA != 0xaa:
		return nil, cites, rec.Errorf(&v.KeyAA, "0xaa", "%#x", v.KeyAA)
	}
	if err := c.entry(1, v.Platform); err != nil {
		return nil, cites, err
	}
	if err := c.sections(2); err != nil {
		return c.entries, cites, err
	}
	var sum uint16
	for i := 0; i < entrySize; i += 2 {
		sum += binary.LittleEndian.Uint16(c.w.Bytes()[i:])
	}
	if sum != 0 {
		return c.entries, cites, rec.Errorf(&v.Checksum, fmt.Sprintf("%#x", v.Checksum-sum), "%#x", v.Checksum)
	}
	return c.entries, cites, nil
}

// findRecord looks through the volume descriptors, which start at block 16.
func findRecord(r io.ReaderAt) (*bootRecord, *decode.Record, error) {
	for i := range int64(descriptorMax) {
		br := new(bootRecord)
		rec, err := decode.Read(r, (16+i)*blockSize, binary.LittleEndian, "boot record volume descriptor", br)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
		}
		if string(br.Identifier[:]) != "CD001" || br.Type == 0xff {
			break
		}
		if br.Type == 0 && string(br.BootSystem[:len(bootSystem)]) == bootSystem {
			return br, rec, nil
		}
	}
	return nil, nil, fmt.Errorf("no El Torito boot record: %w", decode.ErrFormat)
}

// catalog is the catalog while it is read.
type catalog struct {
	r       io.ReaderAt
	off     int64
	w       *blob.WindowReader
	entries []disk.BootEntry
}

// at makes sure that the entry of that index is in the window and returns its offset.
func (c *catalog) at(index int) (int64, error) {
	off := c.off + int64(index)*entrySize
	if end := int64(index+1) * entrySize; end > int64(len(c.w.Bytes())) && int64(len(c.w.Bytes())) == blockSize {
		w, err := blob.Window(c.r, c.off, catalogMax*entrySize) // rare: more entries than a block holds
		if err != nil {
			return 0, fmt.Errorf("boot catalog: %w", err)
		}
		c.w = w
	}
	return off, nil
}

func (c *catalog) entry(index int, platformID uint8) error {
	off, err := c.at(index)
	if err != nil {
		return err
	}
	e := new(bootEntry)
	rec, err := decode.Read(c.w, off, binary.LittleEndian, "El Torito boot entry", e)
	if err != nil {
		return err
	}
	if e.Indicator != bootable && e.Indicator != 0 {
		return rec.Errorf(&e.Indicator, "0x88 or 0", "%#x", e.Indicator)
	}
	c.entries = append(c.entries, disk.BootEntry{
		Platform: platform(platformID), Bootable: e.Indicator == bootable, Emulation: emulation(e.Media),
		LoadSegment: e.LoadSegment, SystemType: e.SystemType, Sectors: e.SectorCount, LBA: e.LoadRBA,
		Cites: rec.Cite(&e.Indicator, &e.Media, &e.LoadSegment, &e.SystemType, &e.SectorCount, &e.LoadRBA),
	})
	return nil
}

// sections reads the section headers from index on, each with its entries and their extensions.
func (c *catalog) sections(index int) error {
	for index < catalogMax {
		off, err := c.at(index)
		if err != nil {
			return err
		}
		h := new(sectionHeader)
		if _, err := decode.Read(c.w, off, binary.LittleEndian, "El Torito section header", h); err != nil {
			return nil // a catalog without sections may end with the medium
		}
		if h.Indicator != sectionMore && h.Indicator != sectionLast {
			return nil
		}
		index++
		for range int(h.Count) {
			if index >= catalogMax {
				return nil
			}
			if err := c.entry(index, h.Platform); err != nil {
				return err
			}
			index++
			index = c.skipExtensions(index)
		}
		if h.Indicator == sectionLast {
			return nil
		}
	}
	return nil
}

// skipExtensions passes the extension entries, which carry selection criteria only.
func (c *catalog) skipExtensions(index int) int {
	for index < catalogMax {
		off, err := c.at(index)
		var head [2]byte
		if err != nil {
			return index
		}
		if _, err := c.w.ReadAt(head[:], off); err != nil || head[0] != extension {
			return index
		}
		index++
		if head[1]&hasExtension == 0 {
			return index
		}
	}
	return index
}
