// Package mbr reads the first sector of a disk: the boot code that BIOS starts and the DOS partition
// table with its chain of extended boot records.
//
// There is no standard; the layout is that of "Microsoft: Disk Concepts and Troubleshooting, Master Boot
// Record", the numbering of logical partitions that of Linux (block/partitions/msdos.c), and whether a
// sector holds a table at all is decided as libblkid does (util-linux, libblkid/src/partitions/dos.c).
package mbr

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/fsys/fat"
)

// Entry is one of the four entries of a table.
type Entry struct {
	BootIndicator uint8   `at:"0x00"` // 0x80 active, 0x00 not; anything else is no table
	StartCHS      [3]byte `at:"0x01"`
	Type          uint8   `at:"0x04"`
	EndCHS        [3]byte `at:"0x05"`
	Start         uint32  `at:"0x08"` // first sector; in an extended boot record relative, see walk
	Size          uint32  `at:"0x0c"` // sectors
}

// BootSector is the whole first sector. An extended boot record has the same layout.
type BootSector struct {
	Code      [440]byte `at:"0x000"`
	DiskID    uint32    `at:"0x1b8"`
	Reserved  uint16    `at:"0x1bc"`
	Entries   [4]Entry  `at:"0x1be"`
	Signature uint16    `at:"0x1fe"` // Signature, see the constant
}

// Signature is what BIOS wants in the last two bytes of a boot sector: 55 aa on the disk.
const Signature = 0xaa55

// Partition types that decide how a table is read.
const (
	TypeExtended      = 0x05
	TypeExtendedLBA   = 0x0f // "W95 Extended (LBA)"
	TypeExtendedLinux = 0x85
	TypeProtective    = 0xee // the disk is described by a GPT: UEFI 2.10, section 5.2.3
)

// ebrMax bounds the chain of extended boot records, as Linux does (msdos.c: 100 tables without data).
const ebrMax = 100

// partitionsMax is how many partitions a table can have in Linux (DISK_MAX_PARTS).
const partitionsMax = 255

// Extended tells an entry that points to a chain of further tables.
func (e *Entry) Extended() bool {
	return e.Type == TypeExtended || e.Type == TypeExtendedLBA || e.Type == TypeExtendedLinux
}

// Protective tells whether the table announces a GPT the way UEFI 2.10, section 5.2.3, and Linux
// (block/partitions/efi.c, pmbr_part_valid) demand it: an entry of type 0xee that starts at sector 1.
func (b *BootSector) Protective() bool {
	for _, e := range b.Entries {
		if e.Type == TypeProtective && e.Start == 1 {
			return b.Signature == Signature
		}
	}
	return false
}

// ReadBootSector reads the first sector as it is; its signature may be wrong. A disk shorter than a
// sector gives a [*decode.Error].
func ReadBootSector(r io.ReaderAt) (*BootSector, *decode.Record, error) {
	return readSector(r, 0, "boot sector")
}

func readSector(r io.ReaderAt, sector int64, name string) (*BootSector, *decode.Record, error) {
	w, err := blob.Window(r, sector*disk.SectorSize, disk.SectorSize)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	b := new(BootSector)
	rec, err := decode.Read(w, sector*disk.SectorSize, binary.LittleEndian, name, b)
	return b, rec, err
}

// Read reads the partition table of a disk of size bytes. The error wraps [decode.ErrFormat] when the
// first sector holds none: no signature, or a boot sector of FAT, NTFS or exFAT, or boot indicators that
// are neither 0 nor 0x80. A damaged chain of logical partitions ends where it is damaged; a note says so.
func Read(r io.ReaderAt, size int64) (*disk.Table, error) {
	b, rec, err := ReadBootSector(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	if err := check(r, b, rec); err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	w := &walk{r: r, size: size / disk.SectorSize, id: b.DiskID}
	w.table = disk.Table{Type: "dos", ID: fmt.Sprintf("0x%08x", b.DiskID), Cites: rec.Cite(&b.Signature, &b.DiskID)}
	protective := false
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Size != 0 { // Linux and sfdisk go by the size alone
			w.add(i+1, int64(e.Start), e, rec)
		}
		protective = protective || e.Type == TypeProtective
	}
	if protective {
		w.note("the table is protective, but no GPT was found")
	}
	w.next = 5
	for i := range b.Entries {
		if e := &b.Entries[i]; e.Size != 0 && e.Extended() {
			w.logical(int64(e.Start), int64(e.Size))
		}
	}
	return &w.table, nil
}

// check says why a sector is no partition table.
func check(r io.ReaderAt, b *BootSector, rec *decode.Record) error {
	if b.Signature != Signature {
		return rec.Errorf(&b.Signature, "0xaa55", "%#x", b.Signature)
	}
	if string(b.Code[3:11]) == "NTFS    " || string(b.Code[3:11]) == "EXFAT   " {
		return rec.Errorf(&b.Code, "boot code", "the boot sector of a file system: %q", b.Code[3:11])
	}
	for i := range b.Entries {
		if e := &b.Entries[i]; e.BootIndicator != 0 && e.BootIndicator != 0x80 {
			return rec.Errorf(&e.BootIndicator, "0 or 0x80", "%#x", e.BootIndicator)
		}
	}
	// A FAT boot sector has the same signature. What looks like FAT but has a usable first entry is a
	// table all the same (libblkid, vfat.c: "crazy FAT-like stuff … before MBR").
	if _, _, err := fat.ReadBPB(r); err == nil && b.Entries[0].Size == 0 {
		return rec.Errorf(&b.Code, "boot code", "the boot sector of a FAT file system")
	}
	return nil
}

// walk collects the partitions.
type walk struct {
	r     io.ReaderAt
	size  int64 // sectors of the disk
	id    uint32
	next  int // number of the next logical partition
	table disk.Table
}

func (w *walk) note(format string, args ...any) {
	w.table.Notes = append(w.table.Notes, "partition table: "+fmt.Sprintf(format, args...))
}

func (w *walk) add(number int, start int64, e *Entry, rec *decode.Record) {
	p := disk.Partition{
		Number: number, Start: start, Size: int64(e.Size),
		Type:     strconv.FormatUint(uint64(e.Type), 16),
		Bootable: e.BootIndicator == 0x80,
		Cites:    rec.Cite(&e.BootIndicator, &e.Type, &e.Start, &e.Size),
	}
	if w.id != 0 { // libblkid gives no PARTUUID without a disk identifier
		p.UUID = fmt.Sprintf("%08x-%02x", w.id, number)
	}
	if end := p.Start + p.Size; end > w.size {
		w.note("partition %d ends at sector %d, the disk at %d", number, end, w.size)
	}
	w.table.Partitions = append(w.table.Partitions, p)
}

// logical follows the chain of extended boot records in size sectors at start. Each has one logical
// partition, relative to the record, and a link to the next record, relative to the first.
func (w *walk) logical(start, size int64) {
	at, within := start, size
	for range ebrMax {
		b, rec, err := readSector(w.r, at, "extended boot record")
		if err == nil && b.Signature != Signature {
			err = rec.Errorf(&b.Signature, "0xaa55", "%#x", b.Signature)
		}
		if err != nil {
			w.note("%v", err)
			return
		}
		var link *Entry
		for i := range b.Entries {
			e := &b.Entries[i]
			if e.Size == 0 {
				continue
			}
			if e.Extended() {
				if link == nil {
					link = e
				}
				continue
			}
			// The third and fourth entry are used by OS/2 alone, else they hold rubbish.
			first := at + int64(e.Start)
			if i >= 2 && (int64(e.Start)+int64(e.Size) > within || first < start || first+int64(e.Size) > start+size) {
				continue
			}
			if len(w.table.Partitions) >= partitionsMax {
				w.note("more than %d partitions", partitionsMax)
				return
			}
			w.add(w.next, first, e, rec)
			w.next++
		}
		if link == nil {
			return
		}
		at, within = start+int64(link.Start), int64(link.Size)
	}
	w.note("more than %d extended boot records: a loop", ebrMax)
}
