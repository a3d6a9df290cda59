// Package vhdx reads Hyper-V's second disk format: two headers of which the newer counts, a region table, a
// table of metadata, a block allocation table, and a log that may have to be replayed first.
//
// Specification: Microsoft, [MS-VHDX], Virtual Hard Disk v2 (VHDX) File Format. A differencing image needs
// its parent's file; it is refused and names it.
package vhdx

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/gpt"
	"bootpath/sim/disk/sparse"
)

// Header is at 64 KiB and again at 128 KiB. Section 2.2.2. All numbers are little-endian.
type Header struct {
	Signature      [4]byte  `at:"0x00"` // "head"
	Checksum       uint32   `at:"0x04"` // CRC-32C of 4 KiB with this field zero
	SequenceNumber uint64   `at:"0x08"`
	FileWriteGUID  gpt.GUID `at:"0x10"`
	DataWriteGUID  gpt.GUID `at:"0x20"`
	LogGUID        gpt.GUID `at:"0x30"` // zero: the log is empty
	LogVersion     uint16   `at:"0x40"` // 0
	Version        uint16   `at:"0x42"` // 1
	LogLength      uint32   `at:"0x44"`
	LogOffset      uint64   `at:"0x48"`
}

// RegionTable is at 192 KiB and again at 256 KiB. Section 2.2.3.1.
type RegionTable struct {
	Signature  [4]byte `at:"0x00"` // "regi"
	Checksum   uint32  `at:"0x04"` // CRC-32C of 64 KiB with this field zero
	EntryCount uint32  `at:"0x08"`
	Reserved   uint32  `at:"0x0c"`
}

// RegionEntry follows the region table. Section 2.2.3.2.
type RegionEntry struct {
	GUID       gpt.GUID `at:"0x00"`
	FileOffset uint64   `at:"0x10"`
	Length     uint32   `at:"0x18"`
	Required   uint32   `at:"0x1c"` // bit 0: who does not know the region must not open the file
}

// MetadataTable starts the metadata region. Section 2.6.1.1.
type MetadataTable struct {
	Signature  [8]byte `at:"0x00"` // "metadata"
	Reserved   uint16  `at:"0x08"`
	EntryCount uint16  `at:"0x0a"`
}

// MetadataEntry says where an item lies. Section 2.6.1.2.
type MetadataEntry struct {
	ItemID gpt.GUID `at:"0x00"`
	Offset uint32   `at:"0x10"` // from the start of the region
	Length uint32   `at:"0x14"`
	Flags  uint32   `at:"0x18"` // bit 2: required
}

// FileParameters is a metadata item. Section 2.6.2.1.
type FileParameters struct {
	BlockSize uint32 `at:"0x00"` // bytes
	Flags     uint32 `at:"0x04"` // bit 1: has a parent
}

// DiskSize is a metadata item. Section 2.6.2.2.
type DiskSize struct {
	VirtualDiskSize uint64 `at:"0x00"` // bytes
}

// SectorSize is a metadata item. Section 2.6.2.4.
type SectorSize struct {
	LogicalSectorSize uint32 `at:"0x00"` // 512 or 4096
}

// Regions and metadata items, as [gpt.GUID] writes them.
const (
	regionBAT      = "2DC27766-F623-4200-9D64-115E9BFD4A08"
	regionMetadata = "8B7CA206-4790-4B9A-B8FE-575F050F886E"

	itemFileParameters     = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B"
	itemDiskSize           = "2FA54224-CD1B-4876-B211-5DBED83BF4B8"
	itemLogicalSectorSize  = "8141BF1D-A96F-4709-BA47-F233A8FAAB5F"
	itemPhysicalSectorSize = "CDA348C7-445D-4471-9CC9-E9885251C556"
	itemDiskID             = "BECA12AB-B2E6-4523-93EF-C309E000C746"
	itemParentLocator      = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C"
)

const (
	magic          = "vhdxfile"
	headerSize     = 4 << 10
	tableSize      = 64 << 10 // of the region table and of the metadata table
	entriesMax     = 2047
	entrySize      = 32
	blockMin       = 1 << 20
	blockMax       = 256 << 20
	diskMax        = 64 << 40
	flagHasParent  = 1 << 1
	flagRequired   = 1 << 2
	sectorsPerBits = 1 << 23 // sectors that a sector bitmap block describes
)

// States of a payload block. Section 2.5.1.1.
const (
	blockNotPresent = 0
	blockUndefined  = 1
	blockZero       = 2
	blockUnmapped   = 3
	blockPresent    = 6
	stateMask       = 7
)

// Image is an opened image; it reads as the virtual disk.
type Image struct {
	*sparse.Disk
	Header      Header
	Record      *decode.Record
	Parameters  FileParameters
	DiskSize    DiskSize
	SectorSize  SectorSize
	RecordParam *decode.Record
	RecordSize  *decode.Record
	Notes       []string

	r          io.ReaderAt
	fileSize   int64
	bat        RegionEntry
	batRecord  *decode.Record
	metadata   RegionEntry
	chunkRatio int64 // payload blocks per sector bitmap block
	table      *sparse.Table
}

// Open reads the tables of an image whose file has size bytes. The error wraps [decode.ErrFormat] when it
// is no VHDX image, and [decode.ErrUnsupported] when it is one that cannot be read alone.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	var head [len(magic)]byte
	if n, _ := r.ReadAt(head[:], 0); n < len(head) || string(head[:]) != magic {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, int64(len(head)), "vhdx file type identifier", `"vhdxfile"`, "%q", head[:n]))
	}
	im := &Image{r: r, fileSize: size}
	if err := im.readHeaders(); err != nil {
		return nil, err
	}
	raw := sparse.Raw(r)
	if im.Header.LogGUID != (gpt.GUID{}) {
		patches, err := im.replay()
		if err != nil {
			return nil, err
		}
		im.r, raw = blob.Overlay(r, patches...), blob.Overlay(raw, patches...)
	}
	if err := im.readRegions(); err != nil {
		return nil, err
	}
	if err := im.readMetadata(); err != nil {
		return nil, err
	}
	if err := im.check(); err != nil {
		return nil, err
	}
	im.table = sparse.NewTable(im.r, "vhdx block allocation table", 4096)
	im.Disk = sparse.New(im.r, raw, int64(im.DiskSize.VirtualDiskSize), im.lookup, nil)
	return im, nil
}

// structure reads the n bytes at off that start with a signature and carry a CRC-32C of themselves, and
// fills v from them.
func structure(r io.ReaderAt, off, n int64, name, signature string, v any) (*blob.WindowReader, *decode.Record, error) {
	w, err := blob.Window(r, off, n)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	data := w.Bytes()
	if int64(len(data)) < n {
		return nil, nil, decode.Errorf(r, off, n, name, fmt.Sprintf("%d bytes", n), "end after %d", len(data))
	}
	if string(data[:4]) != signature {
		return nil, nil, decode.Errorf(r, off, 4, name+": Signature", fmt.Sprintf("%q", signature), "%q", data[:4])
	}
	if sum := checksum(data); sum != binary.LittleEndian.Uint32(data[4:]) {
		return nil, nil, decode.Errorf(r, off+4, 4, name+": Checksum", fmt.Sprintf("%#08x, the CRC-32C of its %d bytes", sum, n), "%#08x", binary.LittleEndian.Uint32(data[4:]))
	}
	rec, err := decode.Read(w, off, binary.LittleEndian, name, v)
	return w, rec, err
}

// checksum is the CRC-32C of a structure whose checksum is at 4 and counts as zero.
func checksum(data []byte) uint32 {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	sum.Write(data[:4])
	sum.Write(make([]byte, 4))
	sum.Write(data[8:])
	return sum.Sum32()
}

// readHeaders takes the current header: "A header is current if it is the only valid header or if it is
// valid and its SequenceNumber field is greater than the other header's SequenceNumber field." Disk2vhd
// writes two that are equal.
func (im *Image) readHeaders() error {
	var current int64
	var newest Header
	var bad error
	for _, off := range []int64{64 << 10, 128 << 10} {
		h := new(Header)
		if _, _, err := structure(im.r, off, headerSize, "vhdx header", "head", h); err != nil {
			if bad == nil {
				bad = err
			}
			continue
		}
		if current == 0 || h.SequenceNumber > newest.SequenceNumber {
			current, newest = off, *h
		}
	}
	switch {
	case current == 0:
		return bad
	case bad != nil:
		im.Notes = append(im.Notes, "vhdx: one of the two headers is damaged, the other is read")
	}
	var err error
	if im.Record, err = decode.Read(im.r, current, binary.LittleEndian, "vhdx header", &im.Header); err != nil {
		return err
	}
	switch h := &im.Header; {
	case h.Version != 1:
		return fmt.Errorf("vhdx version %d: %w", h.Version, decode.ErrUnsupported)
	case h.LogVersion != 0:
		return fmt.Errorf("vhdx log version %d: %w", h.LogVersion, decode.ErrUnsupported)
	}
	return nil
}

// readRegions finds the metadata and the block allocation table. "The region table contains two copies":
// the second is for when the first is damaged.
func (im *Image) readRegions() error {
	const name = "vhdx region table"
	off, t := int64(192<<10), new(RegionTable)
	w, rec, err := structure(im.r, off, tableSize, name, "regi", t)
	if err != nil {
		first := err
		off = 256 << 10
		if w, rec, err = structure(im.r, off, tableSize, name, "regi", t); err != nil {
			return first
		}
		im.Notes = append(im.Notes, "vhdx: the first region table is damaged, its copy is read")
	}
	if t.EntryCount > entriesMax {
		return rec.Errorf(&t.EntryCount, fmt.Sprintf("at most %d", entriesMax), "%d", t.EntryCount)
	}
	found := map[string]bool{}
	for i := range int64(t.EntryCount) {
		e := new(RegionEntry)
		rec, err := decode.Read(w, off+16+i*entrySize, binary.LittleEndian, "vhdx region entry", e)
		if err != nil {
			return err
		}
		id := e.GUID.String()
		switch {
		case id != regionBAT && id != regionMetadata:
			if e.Required&1 != 0 {
				return fmt.Errorf("vhdx image with the unknown required region %s: %w", id, decode.ErrUnsupported)
			}
			continue
		case found[id]:
			return rec.Errorf(&e.GUID, "a region listed once", "%s again", id)
		case e.FileOffset < 1<<20 || e.FileOffset%(1<<20) != 0 || e.FileOffset >= uint64(im.fileSize):
			return rec.Errorf(&e.FileOffset, fmt.Sprintf("whole MiB inside the file of %d bytes", im.fileSize), "%#x", e.FileOffset)
		}
		if found[id] = true; id == regionBAT {
			im.batRecord, err = decode.Read(w, off+16+i*entrySize, binary.LittleEndian, "vhdx region entry", &im.bat)
		} else {
			im.metadata = *e
		}
		if err != nil {
			return err
		}
	}
	for _, id := range []string{regionBAT, regionMetadata} {
		if !found[id] {
			return rec.Errorf(&t.EntryCount, "an entry for the region "+id, "%d others", t.EntryCount)
		}
	}
	return nil
}

// readMetadata reads the items that the disk's layout depends on.
func (im *Image) readMetadata() error {
	off, t := int64(im.metadata.FileOffset), new(MetadataTable)
	w, err := blob.Window(im.r, off, min(tableSize, int64(im.metadata.Length)))
	if err != nil {
		return fmt.Errorf("vhdx metadata table: %w", err)
	}
	rec, err := decode.Read(w, off, binary.LittleEndian, "vhdx metadata table", t)
	switch {
	case err != nil:
		return err
	case string(t.Signature[:]) != "metadata":
		return rec.Errorf(&t.Signature, `"metadata"`, "%q", t.Signature)
	case t.EntryCount > entriesMax:
		return rec.Errorf(&t.EntryCount, fmt.Sprintf("at most %d", entriesMax), "%d", t.EntryCount)
	}
	var sector *decode.Record
	var parent []MetadataEntry
	for i := range int64(t.EntryCount) {
		e := new(MetadataEntry)
		rec, err := decode.Read(w, off+entrySize+i*entrySize, binary.LittleEndian, "vhdx metadata entry", e)
		if err != nil {
			return err
		}
		if e.Length > 0 && (e.Offset < tableSize || uint64(e.Offset)+uint64(e.Length) > uint64(im.metadata.Length)) {
			return rec.Errorf(&e.Offset, "an item behind the table and inside the region", "%#x", e.Offset)
		}
		at := off + int64(e.Offset)
		switch id := e.ItemID.String(); id {
		case itemFileParameters:
			im.RecordParam, err = decode.Read(im.r, at, binary.LittleEndian, "vhdx file parameters", &im.Parameters)
		case itemDiskSize:
			im.RecordSize, err = decode.Read(im.r, at, binary.LittleEndian, "vhdx virtual disk size", &im.DiskSize)
		case itemLogicalSectorSize:
			sector, err = decode.Read(im.r, at, binary.LittleEndian, "vhdx logical sector size", &im.SectorSize)
		case itemParentLocator:
			parent = append(parent, *e)
		case itemPhysicalSectorSize, itemDiskID:
		default:
			if e.Flags&flagRequired != 0 {
				return fmt.Errorf("vhdx image with the unknown required metadata item %s: %w", id, decode.ErrUnsupported)
			}
		}
		if err != nil {
			return err
		}
	}
	if im.RecordParam == nil || im.RecordSize == nil || sector == nil {
		return rec.Errorf(&t.EntryCount, "file parameters, virtual disk size and logical sector size among the items", "%d items without", t.EntryCount)
	}
	if im.Parameters.Flags&flagHasParent != 0 {
		return fmt.Errorf("vhdx differencing image that needs its parent%s: %w", im.parentName(parent), decode.ErrUnsupported)
	}
	switch im.SectorSize.LogicalSectorSize {
	case 512:
		return nil
	case 4096:
		return fmt.Errorf("vhdx disk with sectors of 4096 bytes: %w", decode.ErrUnsupported)
	}
	return sector.Errorf(&im.SectorSize.LogicalSectorSize, "512 or 4096", "%d", im.SectorSize.LogicalSectorSize)
}

// check holds the sizes against each other before any is believed.
func (im *Image) check() error {
	block, size := int64(im.Parameters.BlockSize), im.DiskSize.VirtualDiskSize
	switch {
	case block < blockMin || block > blockMax || block&(block-1) != 0:
		return im.RecordParam.Errorf(&im.Parameters.BlockSize, fmt.Sprintf("a power of two from %d to %d", blockMin, blockMax), "%d", block)
	case size == 0 || size > diskMax || size%512 != 0:
		return im.RecordSize.Errorf(&im.DiskSize.VirtualDiskSize, "whole sectors, at most 64 TiB", "%d", size)
	}
	im.chunkRatio = sectorsPerBits * 512 / block
	blocks := (int64(size) + block - 1) / block
	entries := blocks + (blocks-1)/im.chunkRatio
	if int64(im.bat.Length) < entries*8 {
		return im.batRecord.Errorf(&im.bat.Length, fmt.Sprintf("room for %d entries", entries), "%d bytes", im.bat.Length)
	}
	return nil
}

// lookup finds the entry of a payload block: behind those of each chunk stands one for a sector bitmap block.
func (im *Image) lookup(off int64) (sparse.Run, error) {
	size := int64(im.Parameters.BlockSize)
	block, in := off/size, off%size
	run := sparse.Run{N: size - in}
	at := int64(im.bat.FileOffset) + (block+block/im.chunkRatio)*8
	data, err := im.table.At(at, 8)
	if err != nil {
		return run, err
	}
	entry := binary.LittleEndian.Uint64(data)
	switch entry & stateMask {
	case blockNotPresent, blockUndefined, blockZero, blockUnmapped:
		return run, nil
	case blockPresent:
	default:
		return run, decode.Errorf(im.r, at, 8, "vhdx block allocation table entry", "the state of a block without parent: 0 to 3 or 6", "%d", entry&stateMask)
	}
	start := entry >> 20 << 20
	if start < 1<<20 || start >= uint64(im.fileSize) {
		return run, decode.Errorf(im.r, at, 8, "vhdx block allocation table entry", fmt.Sprintf("a block inside the file of %d bytes", im.fileSize), "%#x", start)
	}
	run.Kind, run.Phys = sparse.Stored, int64(start)+in
	return run, nil
}
