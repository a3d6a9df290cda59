// Package grubcore reads GRUB's own pieces as they lie on a disk: the boot sector (boot.img), the first
// sector of the core image (diskboot.img) with its list of blocks, the decompressor, the kernel with its
// modules, and module files. The layouts are those of GRUB 2.06: grub-core/boot/i386/pc/*.S,
// include/grub/offsets.h, include/grub/kernel.h, util/mkimage.c.
package grubcore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// BootSector is boot.img: the code in the first sector, up to the partition table.
type BootSector struct {
	Jump       [3]byte `at:"0x00"` // jmp over the data, nop
	KernelAddr uint16  `at:"0x5a"` // GRUB_BOOT_MACHINE_KERNEL_ADDR: where the first core sector is put, 0x8000
	BootDrive  uint8   `at:"0x64"` // 0xff: the drive that the firmware started
	Signature  [2]byte `at:"0x1fe"`
}

// KernelSector is where the first core sector lies: at 0x5c of boot.img (GRUB_BOOT_MACHINE_KERNEL_SECTOR), at
// 0x1b0 of boot_hybrid.img, whose start is also a floppy's.
type KernelSector struct {
	LBA uint64 `at:"0x00"`
}

// Boot is a recognised boot sector with its evidence.
type Boot struct {
	Sector    BootSector
	Rec       *decode.Record
	Kernel    KernelSector
	KernelRec *decode.Record
}

// Cites is the evidence for what the sector loads and from where.
func (b *Boot) Cites() []blob.Cite {
	return append(b.KernelRec.CiteAll(), b.Rec.Cite(&b.Sector.KernelAddr, &b.Sector.BootDrive)...)
}

// KernelAddr is where boot.img puts the first sector of the core image.
const KernelAddr = 0x8000

const (
	loadAddr = 0x7c00 // where firmware puts the sector
	codeSize = 440    // up to the disk identifier
)

// ReadBootSector reads the first sector of r. Code that is not GRUB's wraps [decode.ErrFormat].
//
// boot.S fixes the places of the fields; its messages ("Geom", "Hard Disk", "Read", " Error") follow the
// code in this order, at places that differ between versions. Which sector is loaded stands where the code reads it:
// "movl kernel_sector, %ebx; movl %ebx, 8(%si)".
func ReadBootSector(r io.ReaderAt) (*Boot, error) {
	b := &Boot{}
	var err error
	if b.Rec, err = decode.Read(r, 0, binary.LittleEndian, "boot.img", &b.Sector); err != nil {
		return nil, err
	}
	if b.Sector.KernelAddr != KernelAddr {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, b.Rec.Errorf(&b.Sector.KernelAddr, "0x8000", "%#x", b.Sector.KernelAddr))
	}
	if _, ok := Find(r, "Geom\x00Hard Disk\x00Read\x00 Error", codeSize); !ok {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, codeSize, "boot.img: messages", `"Geom", "Hard Disk", "Read", " Error"`, "other bytes"))
	}
	code := make([]byte, codeSize)
	r.ReadAt(code, 0)
	at := int64(-1)
	for i := 0; i+9 <= len(code); i++ {
		if bytes.Equal(code[i:i+3], []byte{0x66, 0x8b, 0x1e}) && bytes.Equal(code[i+5:i+9], []byte{0x66, 0x89, 0x5c, 0x08}) {
			at = int64(binary.LittleEndian.Uint16(code[i+3:])) - loadAddr
			break
		}
	}
	if at < 0 || at > sectorSize-8 {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, codeSize, "boot.img: code", "the instruction that reads kernel_sector", "none"))
	}
	b.KernelRec, err = decode.Read(r, at, binary.LittleEndian, "boot.img: kernel_sector", &b.Kernel)
	return b, err
}

// Block is an entry of the block list in diskboot.img, struct grub_pc_bios_boot_blocklist.
type Block struct {
	Start   uint64 `at:"0x00"` // sector
	Len     uint16 `at:"0x08"` // sectors; 0 ends the list
	Segment uint16 `at:"0x0a"` // where they go in memory
}

const (
	sectorSize = 512
	blockSize  = 12
	firstBlock = sectorSize - blockSize // the list grows down from the end of the sector
	maxBlocks  = 20                     // the code needs the rest of the sector
)

// Blocks is the block list, in the order in which it is loaded.
type Blocks struct {
	List []Block
	Recs []*decode.Record
}

// ReadBlocks reads the block list of the diskboot.img sector at off.
func ReadBlocks(r io.ReaderAt, off int64) (*Blocks, error) {
	out := &Blocks{}
	for i := range maxBlocks {
		b := Block{}
		rec, err := decode.Read(r, off+firstBlock-int64(i)*blockSize, binary.LittleEndian, "block list", &b)
		if err != nil {
			return nil, err
		}
		if b.Len == 0 {
			return out, nil
		}
		out.List = append(out.List, b)
		out.Recs = append(out.Recs, rec)
	}
	return nil, decode.Errorf(r, off, sectorSize, "block list", "an entry of length 0 at its end", "%d entries", maxBlocks)
}

// Sectors is how many sectors the list names.
func (b *Blocks) Sectors() int64 {
	var n int64
	for _, e := range b.List {
		n += int64(e.Len)
	}
	return n
}

// Reader reads what the list names, as it lies side by side in memory. Blocks outside a disk of size
// bytes give an error.
func (b *Blocks) Reader(disk io.ReaderAt, size int64) (*blob.MappedReader, error) {
	var ext []blob.Extent
	var at int64
	for i, e := range b.List {
		n := int64(e.Len) * sectorSize
		if e.Start > uint64(size/sectorSize) || int64(e.Start)*sectorSize+n > size {
			return nil, decode.Errorf(disk, b.Recs[i].Off(), blockSize, "block list", fmt.Sprintf("sectors below %d", size/sectorSize), "%d + %d", e.Start, e.Len)
		}
		ext = append(ext, blob.Extent{Off: at, Len: n, Phys: int64(e.Start) * sectorSize})
		at += n
	}
	return blob.Mapped(disk, at, ext), nil
}

// BootInfo is the boot information table that the ISO's maker writes into the boot image, at 8:
// El Torito boot information table, mkisofs(8) -boot-info-table.
type BootInfo struct {
	PVD      uint32 `at:"0x08"` // LBA of the primary volume descriptor
	FileLBA  uint32 `at:"0x0c"` // of this boot image, 2048-byte blocks
	FileLen  uint32 `at:"0x10"` // bytes
	Checksum uint32 `at:"0x14"`
}

// CDBootSize is the size of cdboot.img, which goes before the core image on a CD.
const CDBootSize = 2048

// ReadCDBoot recognises cdboot.img at the start of an El Torito image by its messages and reads the boot
// information table. Other code wraps [decode.ErrFormat].
func ReadCDBoot(r io.ReaderAt) (*BootInfo, *decode.Record, error) {
	b := &BootInfo{}
	rec, err := decode.Read(r, 0, binary.LittleEndian, "boot information table", b)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := Find(r, "no boot info\x00cdrom read fails\x00", CDBootSize); !ok {
		return nil, nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, CDBootSize, "cdboot.img: messages", `"no boot info", "cdrom read fails"`, "other bytes"))
	}
	return b, rec, nil
}

// Find looks for text in the first limit bytes of r and returns where it starts.
func Find(r io.ReaderAt, text string, limit int64) (int64, bool) {
	const step = 64 << 10
	buf := make([]byte, min(limit, step)+int64(len(text)))
	for off := int64(0); off < limit; off += step {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), limit-off)], off)
		if i := bytes.Index(buf[:n], []byte(text)); i >= 0 {
			return off + int64(i), true
		}
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return 0, false
		}
	}
	return 0, false
}
