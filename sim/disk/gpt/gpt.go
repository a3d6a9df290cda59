// Package gpt reads the GUID partition table: UEFI 2.10, section 5.3. It has two copies, one behind the
// protective MBR and one in the last sectors of the disk; either is enough.
package gpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/mbr"
)

// Header is the GPT header, at LBA 1 and in the last sector. UEFI 2.10, section 5.3.2.
type Header struct {
	Signature      [8]byte `at:"0x00"` // "EFI PART"
	Revision       uint32  `at:"0x08"`
	HeaderSize     uint32  `at:"0x0c"`
	HeaderCRC32    uint32  `at:"0x10"` // computed with this field zero
	Reserved       uint32  `at:"0x14"`
	MyLBA          uint64  `at:"0x18"`
	AlternateLBA   uint64  `at:"0x20"` // where the other copy lies
	FirstUsableLBA uint64  `at:"0x28"`
	LastUsableLBA  uint64  `at:"0x30"`
	DiskGUID       GUID    `at:"0x38"`
	EntriesLBA     uint64  `at:"0x48"` // PartitionEntryLBA
	NumEntries     uint32  `at:"0x50"` // NumberOfPartitionEntries
	EntrySize      uint32  `at:"0x54"` // SizeOfPartitionEntry: 128 × 2ⁿ
	EntriesCRC32   uint32  `at:"0x58"` // PartitionEntryArrayCRC32
}

// Entry is a partition entry. UEFI 2.10, section 5.3.3.
type Entry struct {
	Type       GUID   `at:"0x00"` // all zero: unused
	ID         GUID   `at:"0x10"` // UniquePartitionGUID
	First      uint64 `at:"0x20"` // StartingLBA
	Last       uint64 `at:"0x28"` // EndingLBA, inclusive
	Attributes uint64 `at:"0x30"`
	Name       Name   `at:"0x38"`
}

// Attribute bits. UEFI 2.10, table 5.8.
const (
	AttrRequired   = 1 << 0
	AttrNoBlockIO  = 1 << 1
	AttrLegacyBoot = 1 << 2 // Legacy BIOS Bootable
)

// GUID is stored with its first three parts in little-endian order.
type GUID [16]byte

// String gives the upper-case form that sfdisk prints.
func (g GUID) String() string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(g[0:4]), le.Uint16(g[4:6]), le.Uint16(g[6:8]), g[8:10], g[10:16])
}

// Name is a partition's name in UTF-16, ended by zero.
type Name [36]uint16

// String gives the name quoted, as evidence shows it.
func (n Name) String() string { return strconv.Quote(n.Text()) }

// Text is the name.
func (n Name) Text() string {
	for i, c := range n {
		if c == 0 {
			return string(utf16.Decode(n[:i]))
		}
	}
	return string(utf16.Decode(n[:]))
}

const (
	signature  = "EFI PART"
	headerMin  = 92
	entryMin   = 128
	entriesMax = 1 << 20 // bytes of the entry array that are believed; usual are 16 KiB
)

// Read reads the table of a disk of size bytes. The error wraps [decode.ErrFormat] when the MBR does
// not announce a GPT or neither copy is there; it is a [*decode.Error] about the primary header when a
// copy is there and none is valid. As sfdisk does, the backup is used when the primary is damaged.
func Read(r io.ReaderAt, size int64) (*disk.Table, error) {
	if err := announced(r); err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	last := size/disk.SectorSize - 1
	primary, err := readCopy(r, 1, last)
	if err == nil {
		t := primary.table()
		primary.checkBackup(t, last)
		return t, nil
	}
	backup, backupErr := readCopy(r, last, last)
	if backupErr == nil {
		t := backup.table()
		note(t, "the backup at sector %d is used, because the primary is damaged: %v", last, err)
		return t, nil
	}
	if !signed(r, 1) && !signed(r, last) {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	return nil, err
}

func note(t *disk.Table, format string, args ...any) {
	t.Notes = append(t.Notes, "GPT: "+fmt.Sprintf(format, args...))
}

// announced tells whether the MBR has an entry of type 0xee. sfdisk does not ask where it starts; UEFI
// and Linux do, which [mbr.BootSector.Protective] answers.
func announced(r io.ReaderAt) error {
	b, rec, err := mbr.ReadBootSector(r)
	if err != nil {
		return err
	}
	if b.Signature != mbr.Signature {
		return rec.Errorf(&b.Signature, "0xaa55", "%#x", b.Signature)
	}
	for i := range b.Entries {
		if b.Entries[i].Type == mbr.TypeProtective {
			return nil
		}
	}
	return rec.Errorf(&b.Entries[0].Type, "0xee in one of the entries", "%#x", b.Entries[0].Type)
}

func signed(r io.ReaderAt, lba int64) bool {
	var got [len(signature)]byte
	n, _ := r.ReadAt(got[:], lba*disk.SectorSize)
	return n == len(got) && string(got[:]) == signature
}

// copyOf is one valid copy of header and entries.
type copyOf struct {
	r       io.ReaderAt
	h       Header
	rec     *decode.Record
	entries *blob.WindowReader
}

// readCopy reads and checks the copy whose header is at lba of a disk whose last sector is last: UEFI
// 2.10, section 5.3.2, "The following test must be performed to determine if a GPT is valid".
func readCopy(r io.ReaderAt, lba, last int64) (*copyOf, error) {
	w, err := blob.Window(r, lba*disk.SectorSize, disk.SectorSize)
	if err != nil {
		return nil, err
	}
	c := &copyOf{r: r}
	h := &c.h
	if c.rec, err = decode.Read(w, lba*disk.SectorSize, binary.LittleEndian, "GPT header", h); err != nil {
		return nil, err
	}
	if string(h.Signature[:]) != signature {
		return nil, c.rec.Errorf(&h.Signature, strconv.Quote(signature), "%q", h.Signature[:])
	}
	if h.HeaderSize < headerMin || int(h.HeaderSize) > len(w.Bytes()) {
		return nil, c.rec.Errorf(&h.HeaderSize, "92 to 512", "%d", h.HeaderSize)
	}
	if sum := headerSum(w.Bytes()[:h.HeaderSize]); sum != h.HeaderCRC32 {
		return nil, c.rec.Errorf(&h.HeaderCRC32, fmt.Sprintf("%#x", sum), "%#x", h.HeaderCRC32)
	}
	if h.MyLBA != uint64(lba) {
		return nil, c.rec.Errorf(&h.MyLBA, strconv.FormatInt(lba, 10), "%d", h.MyLBA)
	}
	if h.FirstUsableLBA > h.LastUsableLBA || h.LastUsableLBA > uint64(last) {
		return nil, c.rec.Errorf(&h.LastUsableLBA, fmt.Sprintf("%d to %d", h.FirstUsableLBA, last), "%d", h.LastUsableLBA)
	}
	if h.EntrySize < entryMin || h.EntrySize%8 != 0 || uint64(h.NumEntries)*uint64(h.EntrySize) > entriesMax {
		return nil, c.rec.Errorf(&h.EntrySize, fmt.Sprintf("at least 128, all entries in %d bytes", entriesMax), "%d entries of %d", h.NumEntries, h.EntrySize)
	}
	n := int64(h.NumEntries) * int64(h.EntrySize)
	if h.EntriesLBA > uint64(last) {
		return nil, c.rec.Errorf(&h.EntriesLBA, fmt.Sprintf("at most %d", last), "%d", h.EntriesLBA)
	}
	if c.entries, err = blob.Window(r, int64(h.EntriesLBA)*disk.SectorSize, n); err != nil {
		return nil, fmt.Errorf("GPT entries: %w", err)
	}
	if sum := crc32.ChecksumIEEE(c.entries.Bytes()); int64(len(c.entries.Bytes())) < n || sum != h.EntriesCRC32 {
		return nil, c.rec.Errorf(&h.EntriesCRC32, fmt.Sprintf("%#x", sum), "%#x", h.EntriesCRC32)
	}
	return c, nil
}

// headerSum is the CRC of the header with its own field taken as zero.
func headerSum(header []byte) uint32 {
	sum := crc32.Update(0, crc32.IEEETable, header[:0x10])
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(sum, crc32.IEEETable, header[0x14:])
}

func (c *copyOf) table() *disk.Table {
	h := &c.h
	t := &disk.Table{Type: "gpt", ID: h.DiskGUID.String(), Cites: c.rec.Cite(&h.Signature, &h.DiskGUID, &h.EntriesLBA, &h.NumEntries)}
	for i := range int(h.NumEntries) {
		e := new(Entry)
		off := int64(h.EntriesLBA)*disk.SectorSize + int64(i)*int64(h.EntrySize)
		rec, err := decode.Read(c.entries, off, binary.LittleEndian, "GPT entry", e)
		if err != nil || e.Type == (GUID{}) {
			continue
		}
		if e.Last < e.First || e.Last >= 1<<54 { // a partition without sectors; sfdisk leaves it out too
			note(t, "entry %d is ignored: %v", i+1, rec.Errorf(&e.Last, fmt.Sprintf("at least %d", e.First), "%d", e.Last))
			continue
		}
		t.Partitions = append(t.Partitions, disk.Partition{
			Number: i + 1, Start: int64(e.First), Size: int64(e.Last-e.First) + 1,
			Type: e.Type.String(), UUID: e.ID.String(), Name: e.Name.Text(),
			Bootable: e.Attributes&AttrLegacyBoot != 0, Attributes: e.Attributes,
			Cites: rec.Cite(&e.Type, &e.ID, &e.First, &e.Last, &e.Attributes, &e.Name),
		})
	}
	if h.EntrySize != entryMin {
		note(t, "entries of %d bytes: Linux reads only tables with entries of 128 bytes", h.EntrySize)
	}
	if b, _, err := mbr.ReadBootSector(c.r); err == nil && !b.Protective() {
		note(t, "the protective MBR entry does not start at sector 1: UEFI and Linux do not accept it")
	}
	return t
}

// checkBackup notes what a repair tool would complain about although the primary is in use.
func (c *copyOf) checkBackup(t *disk.Table, last int64) {
	at := c.h.AlternateLBA
	switch {
	case at > uint64(last):
		note(t, "the backup header lies at sector %d, behind the end of the disk at %d", at, last)
	case !signed(c.r, int64(at)):
		note(t, "the backup header at sector %d is damaged, the primary is used", at)
	case at != uint64(last):
		note(t, "the backup header lies at sector %d, not in the last one, %d", at, last)
	}
}
