// Package uboot reads the scripts that U-Boot starts from a disk, boot.scr: a text behind an image header, as mkimage(1)
// writes it with -T script. What the text means is said elsewhere; the newer FIT images are recognised and not read.
//
// Source: U-Boot, include/image.h, struct legacy_img_hdr; boot/image.c; cmd/source.c.
package uboot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Header is the image header, big-endian.
type Header struct {
	Magic      uint32   `at:"0x00"` // ih_magic
	HeaderCRC  uint32   `at:"0x04"` // of the header, with this field zero
	Time       uint32   `at:"0x08"`
	Size       uint32   `at:"0x0c"` // of the data, in bytes
	Load       uint32   `at:"0x10"`
	EntryPoint uint32   `at:"0x14"`
	DataCRC    uint32   `at:"0x18"`
	OS         uint8    `at:"0x1c"`
	Arch       uint8    `at:"0x1d"`
	Type       uint8    `at:"0x1e"`
	Comp       uint8    `at:"0x1f"`
	Name       [32]byte `at:"0x20"`
}

const (
	magic      = 0x27051956 // IH_MAGIC
	magicFIT   = 0xd00dfeed // of a flattened device tree
	typeScript = 6          // IH_TYPE_SCRIPT
	headerSize = 64
	maxScript  = 1 << 20 // bytes
)

// Script is a script with its place.
type Script struct {
	Name  string // what the header calls it
	Text  string
	Off   int64 // of the text in the file, in bytes
	Cites []blob.Cite
}

// Read reads a script of size bytes. It fails with [decode.ErrFormat] for what has no image header, with
// [decode.ErrUnsupported] for images of other kinds, and with a [*decode.Error] where U-Boot would say "Bad header crc",
// "Bad data crc" or refuse a size.
func Read(r io.ReaderAt, size int64) (*Script, error) {
	var h Header
	rec, err := decode.Read(r, 0, binary.BigEndian, "U-Boot image header", &h)
	switch {
	case err == nil && h.Magic == magicFIT:
		return nil, fmt.Errorf("U-Boot FIT image: %w", decode.ErrUnsupported)
	case err != nil || h.Magic != magic:
		return nil, fmt.Errorf("U-Boot image header: %w", decode.ErrFormat)
	}
	head := make([]byte, headerSize)
	if n, err := r.ReadAt(head, 0); n < headerSize {
		return nil, fmt.Errorf("U-Boot image header: %w", err)
	}
	copy(head[4:8], []byte{0, 0, 0, 0})
	if sum := crc32.ChecksumIEEE(head); sum != h.HeaderCRC {
		return nil, rec.Errorf(&h.HeaderCRC, fmt.Sprintf("%#x", sum), "%#x", h.HeaderCRC)
	}
	if h.Type != typeScript || h.Comp != 0 {
		return nil, fmt.Errorf("U-Boot image of type %d, compression %d: %w", h.Type, h.Comp, decode.ErrUnsupported)
	}
	n := int64(h.Size)
	if n > size-headerSize || n > maxScript || n < 8 {
		return nil, rec.Errorf(&h.Size, fmt.Sprintf("8 to %d", min(size-headerSize, maxScript)), "%d", n)
	}
	data := make([]byte, n)
	if got, err := r.ReadAt(data, headerSize); got < len(data) {
		return nil, fmt.Errorf("U-Boot script: %w", err)
	}
	if sum := crc32.ChecksumIEEE(data); sum != h.DataCRC {
		return nil, rec.Errorf(&h.DataCRC, fmt.Sprintf("%#x", sum), "%#x", h.DataCRC)
	}
	// The sizes of the parts come first and end with a zero; the text is the first part.
	parts := int64(1)
	for ; 4*(parts+1) <= n && binary.BigEndian.Uint32(data[4*(parts-1):]) != 0; parts++ {
	}
	first := int64(binary.BigEndian.Uint32(data))
	if at := 4 * parts; first > n-at {
		first = n - at
	}
	name := h.Name[:]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	return &Script{Name: string(name), Text: string(data[4*parts : 4*parts+first]), Off: headerSize + 4*parts,
		Cites: rec.Cite(&h.Magic, &h.HeaderCRC, &h.Size, &h.DataCRC, &h.Type, &h.Name)}, nil
}
