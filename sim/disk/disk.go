// Package disk says what lies on a disk: a partition table, boot entries, volumes. The formats that say
// so (mbr, gpt, eltorito) and those that wrap a disk in a file (qcow2) are its subpackages.
package disk

import (
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// SectorSize is the unit of partition tables here, in bytes.
const SectorSize = 512

// Table is a partition table.
type Table struct {
	Type       string // "gpt" or "dos", as sfdisk names them
	ID         string // disk identifier, as sfdisk prints it: "0xb0070001" or an upper-case GUID
	Partitions []Partition
	Cites      []blob.Cite
	Notes      []string // what a reader should know: "backup header used: …"
}

// Partition is one entry of a table.
type Partition struct {
	Number   int    // as Linux counts: logical partitions from 5 on
	Start    int64  // first sector
	Size     int64  // sectors
	Type     string // "83" or an upper-case GUID
	UUID     string // GPT: upper-case GUID; dos: "b0070001-01" as blkid's PARTUUID
	Name     string // GPT only
	Bootable bool   // dos: active flag; gpt: legacy BIOS bootable attribute
	Cites    []blob.Cite

	Attributes uint64 // GPT only: UEFI 2.10, table 5.8
}

// BootEntry is an entry of an El Torito boot catalog.
type BootEntry struct {
	Platform    string // "bios", "uefi", "ppc", "mac"
	Bootable    bool
	Emulation   string // "none", "floppy-1.2", "floppy-1.44", "floppy-2.88", "hd"
	LoadSegment uint16 // 0 means 0x7c0
	SystemType  uint8
	Sectors     uint16 // 512-byte sectors that BIOS loads
	LBA         uint32 // 2048-byte block where the image starts
	Cites       []blob.Cite
}

// Volume is the whole disk (Partition 0) or one partition, with the file system found on it.
type Volume struct {
	Partition int
	Off, Size int64 // bytes on the disk
	R         io.ReaderAt
	FS        fsys.FS // nil when none is recognised or it cannot be read
	Type      string  // what blkid would say: "ext4", "vfat", "swap", "crypto_LUKS"; "" for nothing known
	Err       error   // why FS is nil although Type is known

	Name        string      // of a logical volume: "vg/lv"; its Partition and Off are 0
	UUID, Label string      // of what has no file system, as blkid prints them
	Cites       []blob.Cite // evidence for what holds or makes the volume: LUKS header, LVM metadata
}

// Disk is a system image as firmware sees it.
type Disk struct {
	Name     string // name of its blob
	Format   string // "raw", "qcow2", "iso9660" …
	R        io.ReaderAt
	Size     int64
	Table    *Table      // nil without one
	ElTorito []BootEntry // empty without a catalog
	Catalog  []blob.Cite // evidence for the El Torito boot record and validation entry
	Volumes  []Volume
}

// Volume returns the volume of that partition number (0 for the whole disk), nil when there is none.
// Logical volumes have no partition.
func (d *Disk) Volume(partition int) *Volume {
	for i := range d.Volumes {
		if d.Volumes[i].Partition == partition && d.Volumes[i].Name == "" {
			return &d.Volumes[i]
		}
	}
	return nil
}

// Partition returns the table's entry of that number, nil when there is none.
func (d *Disk) Partition(number int) *Partition {
	if d.Table == nil {
		return nil
	}
	for i := range d.Table.Partitions {
		if d.Table.Partitions[i].Number == number {
			return &d.Table.Partitions[i]
		}
	}
	return nil
}

// Virtual is a disk that is wrapped in a file, or in several.
type Virtual interface {
	io.ReaderAt
	Size() int64
	// From tells which bytes of the files hold [off, off+n) of the disk.
	From(off, n int64) []blob.Span
}

// Raw is a file that is the disk itself, as a part of another one: read without keeping the bytes twice.
func Raw(b *blob.Blob) Virtual { return rawDisk{blob.Raw(b), b} }

type rawDisk struct {
	io.ReaderAt
	b *blob.Blob
}

func (r rawDisk) Size() int64                   { return r.b.Size() }
func (r rawDisk) From(off, n int64) []blob.Span { return r.b.Locate(off, n) }
