// Package vhd reads the disk images of Virtual PC and Hyper-V: a footer in the last sector, behind the whole
// disk (fixed) or behind blocks that a table finds (dynamic).
//
// Specification: Microsoft, Virtual Hard Disk Image Format Specification, version 1.0 (2006). A differencing
// image needs its parent's file; it is refused and names it.
package vhd

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/sparse"
)

// Footer is in the last sector; a dynamic image has a copy in the first. Section "Hard Disk Footer Format".
// All numbers are big-endian.
type Footer struct {
	Cookie         [8]byte  `at:"0x00"` // "conectix"
	Features       uint32   `at:"0x08"`
	Version        uint32   `at:"0x0c"` // 0x00010000
	DataOffset     uint64   `at:"0x10"` // of the dynamic header; all ones in a fixed image
	TimeStamp      uint32   `at:"0x18"` // seconds since 2000-01-01
	CreatorApp     [4]byte  `at:"0x1c"`
	CreatorVersion uint32   `at:"0x20"`
	CreatorHostOS  [4]byte  `at:"0x24"`
	OriginalSize   uint64   `at:"0x28"` // of the virtual disk when it was made, bytes
	CurrentSize    uint64   `at:"0x30"`
	Cylinders      uint16   `at:"0x38"`
	Heads          uint8    `at:"0x3a"`
	Sectors        uint8    `at:"0x3b"` // per track
	DiskType       uint32   `at:"0x3c"`
	Checksum       uint32   `at:"0x40"` // ones' complement of the sum of the other bytes
	UniqueID       [16]byte `at:"0x44"`
	SavedState     uint8    `at:"0x54"`
}

// DynamicHeader follows the copy of the footer. Section "Dynamic Disk Header Format".
type DynamicHeader struct {
	Cookie            [8]byte   `at:"0x00"` // "cxsparse"
	DataOffset        uint64    `at:"0x08"` // unused, all ones
	TableOffset       uint64    `at:"0x10"` // of the block allocation table
	HeaderVersion     uint32    `at:"0x18"` // 0x00010000
	MaxTableEntries   uint32    `at:"0x1c"`
	BlockSize         uint32    `at:"0x20"` // bytes, without the block's bitmap
	Checksum          uint32    `at:"0x24"`
	ParentUniqueID    [16]byte  `at:"0x28"`
	ParentTimeStamp   uint32    `at:"0x38"`
	Reserved          uint32    `at:"0x3c"`
	ParentUnicodeName [512]byte `at:"0x40"` // UTF-16, big-endian
}

// Types of disks.
const (
	TypeFixed        = 2
	TypeDynamic      = 3
	TypeDifferencing = 4
)

const (
	footerSize        = 512
	dynamicHeaderSize = 1024
	noBlock           = 0xffffffff
	sectorSize        = 512
	blockMax          = 256 << 20
	maxGeometry       = 65535 * 16 * 255 // sectors: a larger disk's geometry says no more than that
)

const (
	footerCookie  = "conectix"
	dynamicCookie = "cxsparse"
)

// Image is an opened image; it reads as the virtual disk.
type Image struct {
	*sparse.Disk
	Footer        Footer
	Dynamic       *DynamicHeader // nil for a fixed image
	Record        *decode.Record
	RecordDynamic *decode.Record
	Notes         []string

	r          io.ReaderAt
	fileSize   int64
	bitmapSize int64 // bytes in front of each block
	table      *sparse.Table
	bitmaps    *sparse.Table
}

// Open reads the footer of an image whose file has size bytes. The error wraps [decode.ErrFormat] when it
// is no VHD image, and [decode.ErrUnsupported] when it is one that cannot be read alone.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	im := &Image{r: r, fileSize: size}
	end, err := im.readFooter()
	if err != nil {
		return nil, err
	}
	f := &im.Footer
	diskSize, err := im.diskSize()
	if err != nil {
		return nil, err
	}
	switch f.DiskType {
	case TypeFixed:
		if diskSize > end {
			return nil, im.Record.Errorf(&f.CurrentSize, fmt.Sprintf("at most %d, what lies in front of the footer", end), "%d", diskSize)
		}
		im.Disk = sparse.New(r, sparse.Raw(r), diskSize, func(off int64) (sparse.Run, error) {
			return sparse.Run{Kind: sparse.Stored, N: diskSize - off, Phys: off}, nil
		}, nil)
		return im, nil
	case TypeDynamic, TypeDifferencing:
		if err := im.dynamic(diskSize); err != nil {
			return nil, err
		}
		im.Disk = sparse.New(r, sparse.Raw(r), diskSize, im.lookup, nil)
		return im, nil
	}
	return nil, im.Record.Errorf(&f.DiskType, "2, 3 or 4", "%d", f.DiskType)
}

// readFooter finds the footer and returns where the one at the end starts. The copy in front decides as in
// QEMU; when it is broken or missing the one at the end does. "Versions previous to Microsoft Virtual PC
// 2004 create disk images that have a 511-byte disk footer."
func (im *Image) readFooter() (int64, error) {
	end := im.fileSize - footerSize
	copyAt := im.footerAt(0)
	if copyAt && im.checksum(im.r, 0, footerSize, 0x40) {
		return end, im.decodeFooter(0)
	}
	for _, at := range []int64{end, end + 1} {
		if at <= 0 || !im.footerAt(at) {
			continue
		}
		if err := im.decodeFooter(at); err != nil {
			return 0, err
		}
		switch {
		case !im.checksum(im.r, at, im.fileSize-at, 0x40):
			im.Notes = append(im.Notes, "vhd: the checksum of the footer is wrong")
		case im.Footer.DiskType != TypeFixed:
			im.Notes = append(im.Notes, "vhd: the copy of the footer in the first sector is damaged, the footer itself is read")
		}
		return at, nil
	}
	if copyAt {
		im.Notes = append(im.Notes, "vhd: the checksum of the footer's copy is wrong, the footer itself is missing")
		return end, im.decodeFooter(0)
	}
	return 0, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(im.r, max(end, 0), 8, "vhd footer: Cookie", `"conectix"`, "other bytes"))
}

// footerAt looks for the cookie without leaving a trace in a slice: every raw disk is asked.
func (im *Image) footerAt(off int64) bool {
	var cookie [8]byte
	if b, ok := im.r.(*blob.Blob); ok {
		return blob.Probe(b, cookie[:], off) && string(cookie[:]) == footerCookie
	}
	n, _ := im.r.ReadAt(cookie[:], off)
	return n == len(cookie) && string(cookie[:]) == footerCookie
}

func (im *Image) decodeFooter(off int64) error {
	w, err := blob.Window(im.r, off, min(footerSize, im.fileSize-off))
	if err != nil {
		return fmt.Errorf("vhd footer: %w", err)
	}
	im.Record, err = decode.Read(w, off, binary.BigEndian, "vhd footer", &im.Footer)
	if err == nil && im.Footer.Version>>16 != 1 {
		return fmt.Errorf("vhd version %d.%d: %w", im.Footer.Version>>16, im.Footer.Version&0xffff, decode.ErrUnsupported)
	}
	return err
}

// checksum tells whether the n bytes at off agree with the checksum at field of them. Section "Checksum".
func (im *Image) checksum(r io.ReaderAt, off, n, field int64) bool {
	w, err := blob.Window(r, off, n)
	if err != nil || int64(len(w.Bytes())) != n {
		return false
	}
	sum := uint32(0)
	for i, b := range w.Bytes() {
		if int64(i) < field || int64(i) >= field+4 {
			sum += uint32(b)
		}
	}
	return ^sum == binary.BigEndian.Uint32(w.Bytes()[field:])
}

// diskSize is CurrentSize, but where the creator gave its machine a disk of the geometry's size: Virtual PC,
// and QEMU when it says so ("qemu" and not "qem2"); QEMU, block/vpc.c, vpc_open. The largest geometry means
// that the disk may be larger.
func (im *Image) diskSize() (int64, error) {
	f := &im.Footer
	size := f.CurrentSize
	chs := uint64(f.Cylinders) * uint64(f.Heads) * uint64(f.Sectors)
	if app := string(f.CreatorApp[:]); (app == "vpc " || app == "qemu") && chs != maxGeometry && chs*sectorSize != size {
		size = chs * sectorSize
		im.Notes = append(im.Notes, fmt.Sprintf("vhd: the disk ends where its geometry %d/%d/%d does, as its creator %q reads it", f.Cylinders, f.Heads, f.Sectors, app))
	}
	if size > 1<<50 || size%sectorSize != 0 {
		return 0, im.Record.Errorf(&f.CurrentSize, "whole sectors, at most 1 PiB", "%d", size)
	}
	return int64(size), nil
}

// dynamic reads the header of an image with a block allocation table.
func (im *Image) dynamic(diskSize int64) error {
	f := &im.Footer
	if f.DataOffset > uint64(im.fileSize) {
		return im.Record.Errorf(&f.DataOffset, "an offset inside the file", "%#x", f.DataOffset)
	}
	h, off := new(DynamicHeader), int64(f.DataOffset)
	w, err := blob.Window(im.r, off, dynamicHeaderSize)
	if err != nil {
		return fmt.Errorf("vhd dynamic header: %w", err)
	}
	if im.RecordDynamic, err = decode.Read(w, off, binary.BigEndian, "vhd dynamic header", h); err != nil {
		return err
	}
	im.Dynamic = h
	rec := im.RecordDynamic
	if string(h.Cookie[:]) != dynamicCookie {
		return rec.Errorf(&h.Cookie, `"cxsparse"`, "%q", h.Cookie)
	}
	if f.DiskType == TypeDifferencing {
		return fmt.Errorf("vhd differencing image that needs its parent %q: %w", utf16Text(h.ParentUnicodeName[:]), decode.ErrUnsupported)
	}
	if !im.checksum(w, off, dynamicHeaderSize, 0x24) {
		im.Notes = append(im.Notes, "vhd: the checksum of the dynamic header is wrong")
	}
	size := int64(h.BlockSize)
	switch {
	case size < sectorSize || size > blockMax || size&(size-1) != 0:
		return rec.Errorf(&h.BlockSize, fmt.Sprintf("a power of two from %d to %d", sectorSize, blockMax), "%d", size)
	case diskSize > int64(h.MaxTableEntries)*size:
		return rec.Errorf(&h.MaxTableEntries, fmt.Sprintf("at least %d, as the disk has %d bytes", (diskSize+size-1)/size, diskSize), "%d", h.MaxTableEntries)
	case h.TableOffset%4 != 0 || h.TableOffset > uint64(im.fileSize) || int64(h.TableOffset)+(diskSize+size-1)/size*4 > im.fileSize:
		return rec.Errorf(&h.TableOffset, fmt.Sprintf("room for %d entries in the file of %d bytes", (diskSize+size-1)/size, im.fileSize), "%#x", h.TableOffset)
	}
	// Section "Block Allocation Table and Data Blocks": a bit per sector, padded to a sector.
	im.bitmapSize = (size/sectorSize/8 + sectorSize - 1) &^ (sectorSize - 1)
	im.table = sparse.NewTable(im.r, "vhd block allocation table", 4096)
	im.bitmaps = sparse.NewTable(im.r, "vhd sector bitmap", sectorSize)
	return nil
}

func utf16Text(b []byte) string {
	var units []uint16
	for ; len(b) >= 2 && b[0]|b[1] != 0; b = b[2:] {
		units = append(units, binary.BigEndian.Uint16(b))
	}
	return strings.ToValidUTF8(string(utf16.Decode(units)), "?")
}

// lookup follows the table to the block and its bitmap: a clear bit is a sector never written.
func (im *Image) lookup(off int64) (sparse.Run, error) {
	size := int64(im.Dynamic.BlockSize)
	in := off % size
	run := sparse.Run{N: size - in}
	at := int64(im.Dynamic.TableOffset) + off/size*4
	data, err := im.table.At(at, 4)
	if err != nil {
		return run, err
	}
	entry := binary.BigEndian.Uint32(data)
	if entry == noBlock {
		return run, nil
	}
	bitmap := int64(entry) * sectorSize
	if bitmap+im.bitmapSize >= im.fileSize {
		return run, decode.Errorf(im.r, at, 4, "vhd block allocation table entry", fmt.Sprintf("a block inside the file of %d bytes", im.fileSize), "sector %d", entry)
	}
	// One byte of the bitmap at a time is enough: runs are joined, and most bytes are all ones.
	sector := in / sectorSize
	bits, err := im.bitmaps.At(bitmap+sector/8, 1)
	if err != nil {
		return run, err
	}
	count := int64(1)
	has := func(i int64) bool { return bits[0]>>(7-i)&1 != 0 }
	for i := sector%8 + count; i < 8 && has(i) == has(sector%8); i++ {
		count++
	}
	run.N = min(run.N, (sector+count)*sectorSize-in)
	if has(sector % 8) {
		run.Kind, run.Phys = sparse.Stored, bitmap+im.bitmapSize+in
	}
	return run, nil
}
