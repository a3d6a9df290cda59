// Package vdi reads VirtualBox's disk images: a header, a map of one 32-bit number per block, the blocks.
//
// Specification: VirtualBox, src/VBox/Storage/VDICore.h (version 1.1 of the format); QEMU, block/vdi.c.
// Images that need another file (differencing, undo) are refused and say so.
package vdi

import (
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/sparse"
)

// Header is VDIPREHEADER and VDIHEADER1. All numbers are little-endian.
type Header struct {
	Text           [64]byte  `at:"0x00"` // "<<< Oracle VM VirtualBox Disk Image >>>\n" or the like
	Signature      uint32    `at:"0x40"` // 0xbeda107f
	Version        uint32    `at:"0x44"` // major in the upper half: 0x00010001
	HeaderSize     uint32    `at:"0x48"` // of VDIHEADER1, which starts here
	ImageType      uint32    `at:"0x4c"`
	ImageFlags     uint32    `at:"0x50"`
	Description    [256]byte `at:"0x54"`
	OffBlocks      uint32    `at:"0x154"` // of the block map in the file
	OffData        uint32    `at:"0x158"` // of the first block in the file
	Cylinders      uint32    `at:"0x15c"` // legacy geometry
	Heads          uint32    `at:"0x160"`
	Sectors        uint32    `at:"0x164"`
	SectorSize     uint32    `at:"0x168"`
	Unused         uint32    `at:"0x16c"`
	DiskSize       uint64    `at:"0x170"` // of the virtual disk, bytes
	BlockSize      uint32    `at:"0x178"`
	BlockExtra     uint32    `at:"0x17c"` // bytes in front of each block's data
	BlocksInImage  uint32    `at:"0x180"`
	BlocksAlloc    uint32    `at:"0x184"`
	UUIDCreate     [16]byte  `at:"0x188"`
	UUIDModify     [16]byte  `at:"0x198"` // UUID of the last snapshot in QEMU
	UUIDLink       [16]byte  `at:"0x1a8"` // of the parent image
	UUIDParentMods [16]byte  `at:"0x1b8"`
}

// Signature is VDI_IMAGE_SIGNATURE.
const Signature = 0xbeda107f

// Types of images: VDIIMAGETYPE.
const (
	TypeDynamic = 1
	TypeFixed   = 2
	TypeUndo    = 3
	TypeDiff    = 4
)

// Entries of the block map that stand for no block.
const (
	blockFree = 0xffffffff // never written
	blockZero = 0xfffffffe // written with zeros, or discarded
)

const (
	blockMin = 512
	blockMax = 256 << 20
)

// Image is an opened image; it reads as the virtual disk.
type Image struct {
	*sparse.Disk
	Header Header
	Record *decode.Record
	Notes  []string

	r        io.ReaderAt
	fileSize int64
	table    *sparse.Table
}

// Open reads the header of an image whose file has size bytes. The error wraps [decode.ErrFormat] when it
// is no VDI image, and [decode.ErrUnsupported] when it is one that cannot be read alone.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	im := &Image{r: r, fileSize: size}
	h := &im.Header
	var magic [4]byte
	if n, _ := r.ReadAt(magic[:], 0x40); n < len(magic) || binary.LittleEndian.Uint32(magic[:]) != Signature {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0x40, 4, "vdi header: Signature", "0xbeda107f", "% x", magic[:n]))
	}
	w, err := blob.Window(r, 0, 512)
	if err != nil {
		return nil, fmt.Errorf("vdi header: %w", err)
	}
	if im.Record, err = decode.Read(w, 0, binary.LittleEndian, "vdi header", h); err != nil {
		return nil, err
	}
	if h.Version>>16 != 1 {
		return nil, fmt.Errorf("vdi version %d.%d: %w", h.Version>>16, h.Version&0xffff, decode.ErrUnsupported)
	}
	if err := im.check(); err != nil {
		return nil, err
	}
	im.table = sparse.NewTable(r, "vdi block map", 4096)
	im.Disk = sparse.New(r, sparse.Raw(r), int64(h.DiskSize), im.lookup, nil)
	return im, nil
}

// check holds the fields against each other before any is believed.
func (im *Image) check() error {
	h, rec := &im.Header, im.Record
	switch h.ImageType {
	case TypeDynamic, TypeFixed:
	case TypeUndo:
		return fmt.Errorf("vdi undo image, it holds only changes to another: %w", decode.ErrUnsupported)
	case TypeDiff:
		return fmt.Errorf("vdi differencing image that needs its parent, the image with UUID %s: %w", uuid(h.UUIDLink), decode.ErrUnsupported)
	default:
		return rec.Errorf(&h.ImageType, "1 to 4", "%d", h.ImageType)
	}
	switch {
	case h.SectorSize != 512:
		return rec.Errorf(&h.SectorSize, "512", "%d", h.SectorSize)
	case h.BlockSize < blockMin || h.BlockSize > blockMax || h.BlockSize&(h.BlockSize-1) != 0:
		return rec.Errorf(&h.BlockSize, fmt.Sprintf("a power of two from %d to %d", blockMin, blockMax), "%d", h.BlockSize)
	case h.DiskSize > uint64(h.BlocksInImage)*uint64(h.BlockSize):
		return rec.Errorf(&h.DiskSize, fmt.Sprintf("at most %d, what %d blocks hold", uint64(h.BlocksInImage)*uint64(h.BlockSize), h.BlocksInImage), "%d", h.DiskSize)
	case h.OffBlocks%4 != 0 || int64(h.OffBlocks)+4*int64(h.BlocksInImage) > im.fileSize:
		return rec.Errorf(&h.OffBlocks, fmt.Sprintf("room for %d entries in the file of %d bytes", h.BlocksInImage, im.fileSize), "%#x", h.OffBlocks)
	}
	return nil
}

// lookup follows the map: an entry counts blocks from OffData on, each with its extra bytes in front.
func (im *Image) lookup(off int64) (sparse.Run, error) {
	h := &im.Header
	block, in := off/int64(h.BlockSize), off%int64(h.BlockSize)
	run := sparse.Run{N: int64(h.BlockSize) - in}
	at := int64(h.OffBlocks) + 4*block
	data, err := im.table.At(at, 4)
	if err != nil {
		return run, err
	}
	entry := binary.LittleEndian.Uint32(data)
	if entry == blockFree || entry == blockZero {
		return run, nil
	}
	start := int64(h.OffData) + int64(entry)*(int64(h.BlockSize)+int64(h.BlockExtra)) + int64(h.BlockExtra)
	if start >= im.fileSize {
		return run, decode.Errorf(im.r, at, 4, "vdi block map entry", fmt.Sprintf("a block inside the file of %d bytes", im.fileSize), "block %d, at %#x", entry, start)
	}
	run.Kind, run.Phys = sparse.Stored, start+in
	return run, nil
}

// uuid writes a UUID as VBoxManage does: the first three fields are little-endian in the file.
func uuid(b [16]byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b[:4]), le.Uint16(b[4:6]), le.Uint16(b[6:8]), b[8:10], b[10:])
}
