// Package lvm reads the metadata of LVM2: the label and header of a physical volume, the text that describes
// its volume group, and the logical volumes whose bytes lie side by side on the disk, are mirrored ("raid1") or come from a thin pool.
//
// There is no standard; the layout is that of LVM2's lib/format_text/layout.h, lib/label/label.h and
// lib/format_text/import_vsn1.c. Volumes of other segment types (RAID with parity, caches, several stripes)
// are named and not read.
package lvm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// Label is the label header, in one of the first four sectors of a physical volume.
type Label struct {
	ID     [8]byte `at:"0x00"` // "LABELONE"
	Sector uint64  `at:"0x08"` // where the label lies, in sectors from the start of the volume
	CRC    uint32  `at:"0x10"` // of the rest of the sector, from Offset on
	Offset uint32  `at:"0x14"` // of the header of the physical volume, in bytes from the label
	Type   [8]byte `at:"0x18"` // "LVM2 001"
}

// Header is the fixed part of a physical volume's header; lists of areas follow it.
type Header struct {
	UUID       [32]byte `at:"0x00"` // without dashes
	DeviceSize uint64   `at:"0x20"` // bytes
}

// Area is an entry of the lists of data areas and metadata areas; each list ends with zeros.
type Area struct {
	Offset uint64 `at:"0x00"` // bytes from the start of the volume
	Size   uint64 `at:"0x08"` // bytes; of a data area 0 is "all that is left"
}

// AreaHeader starts a metadata area. The text lies behind it in a ring.
type AreaHeader struct {
	CRC      uint32      `at:"0x00"` // of the rest of the 512 bytes
	Magic    [16]byte    `at:"0x04"`
	Version  uint32      `at:"0x14"`
	Start    uint64      `at:"0x18"` // of the area, in bytes from the start of the volume
	Size     uint64      `at:"0x20"` // bytes
	Location [4]Location `at:"0x28"` // the first is the committed text
}

// Location says where a text lies in a metadata area.
type Location struct {
	Offset uint64 `at:"0x00"` // bytes from the start of the area
	Size   uint64 `at:"0x08"` // bytes
	CRC    uint32 `at:"0x10"` // of the text
	Flags  uint32 `at:"0x14"` // bit 0: the area is not used
}

const (
	areaHeaderSize = 512
	areaMagic      = " LVM2 x[5A%r0N*>"
	ignored        = 1
	maxAreas       = 16
	maxText        = 4 << 20 // bytes; lvm2's own areas are 1 MiB
)

// PV is a physical volume.
type PV struct {
	UUID  string // as pvs prints it
	Size  int64  // bytes, as the header says
	Group *Group // what its metadata says; nil when it belongs to no group or holds no metadata
	Err   error  // why Group is nil although there is a metadata area
	Cites []blob.Cite
}

// checksum is LVM's CRC: the polynomial of CRC-32 with another start and without the last inversion
// (lib/misc/crc.c).
func checksum(p []byte) uint32 {
	const initial = 0xf597a6cf
	return ^crc32.Update(^uint32(initial), crc32.IEEETable, p)
}

// ReadPV reads the label, header and metadata of a physical volume of size bytes. The error wraps
// [decode.ErrFormat] when there is no label; a label that is damaged gives a [*decode.Error].
func ReadPV(r io.ReaderAt, size int64) (*PV, error) {
	var damaged error
	for sector := range int64(4) {
		pv, err := readLabel(r, sector)
		if err == nil {
			return pv, nil
		}
		if !errors.Is(err, decode.ErrFormat) && damaged == nil {
			damaged = err
		}
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, disk.SectorSize, 8, "LVM2 label", `"LABELONE"`, "none in the first four sectors of %d bytes", size))
}

func readLabel(r io.ReaderAt, sector int64) (*PV, error) {
	at := sector * disk.SectorSize
	w, err := blob.Window(r, at, disk.SectorSize)
	if err != nil {
		return nil, decode.ErrFormat
	}
	var l Label
	rec, err := decode.Read(w, at, binary.LittleEndian, "LVM2 label", &l)
	if err != nil || string(l.ID[:]) != "LABELONE" || string(l.Type[:]) != "LVM2 001" {
		return nil, decode.ErrFormat
	}
	if l.Sector != uint64(sector) {
		return nil, rec.Errorf(&l.Sector, fmt.Sprint(sector), "%d", l.Sector)
	}
	data := make([]byte, disk.SectorSize)
	if n, err := w.ReadAt(data, at); n < len(data) {
		return nil, fmt.Errorf("LVM2 label: %w", err)
	}
	if got := checksum(data[0x14:]); got != l.CRC {
		return nil, rec.Errorf(&l.CRC, fmt.Sprintf("%#x", got), "%#x", l.CRC)
	}
	if l.Offset < 0x20 || l.Offset > disk.SectorSize-0x28 {
		return nil, rec.Errorf(&l.Offset, "a place in the sector", "%d", l.Offset)
	}
	return readHeader(r, w, at+int64(l.Offset), rec.Cite(&l.ID, &l.Type))
}

// readHeader reads the header in the window w at off, then the metadata areas that it lists.
func readHeader(r io.ReaderAt, w io.ReaderAt, off int64, cites []blob.Cite) (*PV, error) {
	var h Header
	rec, err := decode.Read(w, off, binary.LittleEndian, "LVM2 physical volume header", &h)
	if err != nil {
		return nil, err
	}
	pv := &PV{UUID: dashed(string(h.UUID[:])), Size: int64(h.DeviceSize & (1<<62 - 1)), Cites: append(cites, rec.Cite(&h.UUID, &h.DeviceSize)...)}
	off += decode.Size(&h)
	lists := 0
	for range 2 * maxAreas {
		var a Area
		if _, err := decode.Read(w, off, binary.LittleEndian, "LVM2 area", &a); err != nil {
			return pv, nil
		}
		off += decode.Size(&a)
		switch {
		case a.Offset == 0 && lists == 1:
			return pv, nil
		case a.Offset == 0:
			lists++
		case lists == 1:
			g, err := readArea(r, a)
			if err != nil && pv.Err == nil {
				pv.Err = err
			}
			if g != nil && (pv.Group == nil || g.Seqno > pv.Group.Seqno) {
				pv.Group = g
			}
		}
	}
	return pv, nil
}

// readArea reads the committed text of a metadata area; nil without an error when there is none.
func readArea(r io.ReaderAt, a Area) (*Group, error) {
	if a.Offset > 1<<62 {
		return nil, decode.Errorf(r, 0, 0, "LVM2 metadata area", "a place on the volume", "%#x", a.Offset)
	}
	at := int64(a.Offset)
	w, err := blob.Window(r, at, areaHeaderSize)
	if err != nil {
		return nil, fmt.Errorf("LVM2 metadata area: %w", err)
	}
	var h AreaHeader
	rec, err := decode.Read(w, at, binary.LittleEndian, "LVM2 metadata area", &h)
	if err != nil {
		return nil, err
	}
	data := make([]byte, areaHeaderSize)
	w.ReadAt(data, at)
	got, l := checksum(data[4:]), &h.Location[0]
	switch {
	case string(h.Magic[:]) != areaMagic:
		return nil, rec.Errorf(&h.Magic, fmt.Sprintf("%q", areaMagic), "%q", h.Magic[:])
	case got != h.CRC:
		return nil, rec.Errorf(&h.CRC, fmt.Sprintf("%#x", got), "%#x", h.CRC)
	case h.Version != 1:
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&h.Version, "1", "%d", h.Version))
	case h.Start != a.Offset:
		return nil, rec.Errorf(&h.Start, fmt.Sprint(a.Offset), "%d", h.Start)
	case l.Offset == 0 || l.Flags&ignored != 0:
		return nil, nil
	case h.Size > 1<<40 || h.Size <= areaHeaderSize:
		return nil, rec.Errorf(&h.Size, "more than 512 bytes and less than 1 TiB", "%d", h.Size)
	case l.Offset < areaHeaderSize || l.Offset >= h.Size:
		return nil, rec.Errorf(&l.Offset, "a place in the area", "%d", l.Offset)
	case l.Size > min(h.Size-areaHeaderSize, maxText):
		return nil, rec.Errorf(&l.Size, fmt.Sprintf("at most %d", min(h.Size-areaHeaderSize, maxText)), "%d", l.Size)
	}
	// The ring: what does not fit before the end goes on behind the header.
	first := min(int64(l.Size), int64(h.Size-l.Offset))
	ring := blob.Mapped(r, int64(l.Size), []blob.Extent{
		{Off: 0, Len: first, Phys: at + int64(l.Offset)},
		{Off: first, Len: int64(l.Size) - first, Phys: at + areaHeaderSize},
	})
	text := make([]byte, l.Size)
	if n, err := ring.ReadAt(text, 0); n < len(text) {
		return nil, fmt.Errorf("LVM2 metadata text at %#x: %w", at+int64(l.Offset), err)
	}
	if got := checksum(text); got != l.CRC {
		return nil, rec.Errorf(&l.CRC, fmt.Sprintf("%#x", got), "%#x", l.CRC)
	}
	return parseGroup(ring, text)
}

// dashed writes an identifier in LVM's groups of 6-4-4-4-4-4-6 characters.
func dashed(id string) string {
	if len(id) != 32 {
		return id
	}
	var out strings.Builder
	for i, c := range []byte(id) {
		if i >= 6 && (i-6)%4 == 0 && i < 30 {
			out.WriteByte('-')
		}
		if c < 0x20 || c > 0x7e {
			c = '?'
		}
		out.WriteByte(c)
	}
	return out.String()
}
