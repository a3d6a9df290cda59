package grubcore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ulikunitz/xz/lzma"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Decompressor is the start of lzma_decompress.img, which the first core sector loads to 0x8200:
// startup_raw.S, GRUB_DECOMPRESSOR_MACHINE_* in offsets.h.
type Decompressor struct {
	Jump             [5]byte `at:"0x00"` // ljmp $0, codestart
	CompressedSize   uint32  `at:"0x08"` // bytes
	UncompressedSize uint32  `at:"0x0c"` // bytes
	Redundancy       uint32  `at:"0x10"` // bytes of Reed-Solomon code behind the compressed kernel
	NoReedSolomonLen uint16  `at:"0x14"` // bytes that the code does not protect
	BootDevice       [3]byte `at:"0x18"`
	BootDrive        uint8   `at:"0x1b"`
}

// Limits of what is believed, bytes. GRUB's kernel with all modules embedded stays below 4 MiB.
const (
	maxCore   = 16 << 20
	maxKernel = 64 << 20
)

// Core is the compressed core image.
type Core struct {
	Header Decompressor
	Rec    *decode.Record
	Off    int64       // where the compressed kernel starts
	Cites  []blob.Cite // what says so
}

// ReadCore reads the decompressor at the start of r. The compressed kernel follows its code; how long
// that is, only the code itself says: "movl compressed_size, %edx; addl $(decompressor_end -
// reed_solomon_part), %edx", where reed_solomon_part is NoReedSolomonLen.
func ReadCore(r io.ReaderAt, size int64) (*Core, error) {
	c := &Core{}
	var err error
	if c.Rec, err = decode.Read(r, 0, binary.LittleEndian, "decompressor", &c.Header); err != nil {
		return nil, err
	}
	h := &c.Header
	if h.Jump[0] != 0xea {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, c.Rec.Errorf(&h.Jump, "a far jump (ea)", "% x", h.Jump))
	}
	// mov edx, [0x8208]; add edx, imm32
	pattern := "\x8b\x15\x08\x82\x00\x00\x81\xc2"
	at, ok := Find(r, pattern, min(size, 4096))
	var imm struct {
		Length uint32 `at:"0x08"`
	}
	if !ok {
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, decode.Errorf(r, 0, 4096, "decompressor", "the instruction that adds up the compressed part", "none"))
	}
	rec, err := decode.Read(r, at, binary.LittleEndian, "decompressor code", &imm)
	if err != nil {
		return nil, err
	}
	c.Cites = append(c.Rec.Cite(&h.NoReedSolomonLen), rec.Cite(&imm.Length)...)
	c.Off = int64(h.NoReedSolomonLen) + int64(imm.Length)
	if int64(h.CompressedSize) > maxCore || c.Off+int64(h.CompressedSize) > size {
		return nil, c.Rec.Errorf(&h.CompressedSize, fmt.Sprintf("at most %d bytes behind %#x", size, c.Off), "%#x", h.CompressedSize)
	}
	if h.UncompressedSize > maxKernel {
		return nil, c.Rec.Errorf(&h.UncompressedSize, fmt.Sprintf("at most %#x", maxKernel), "%#x", h.UncompressedSize)
	}
	return c, nil
}

// Open starts the unpacked kernel, which is read from r: the reader that was given to ReadCore, or a raw
// view of it. grub-mkimage compresses with LZMA's lc=3 lp=0 pb=2 and leaves the
// stream's own header out (util/mkimage.c, compress_kernel_lzma), so it is put back here.
func (c *Core) Open(r io.ReaderAt) (io.Reader, error) {
	h := make([]byte, 13)
	h[0] = (2*5+0)*9 + 3
	binary.LittleEndian.PutUint32(h[1:], 1<<16)
	binary.LittleEndian.PutUint64(h[5:], uint64(c.Header.UncompressedSize))
	body := io.NewSectionReader(r, c.Off, int64(c.Header.CompressedSize))
	return lzma.NewReader(io.MultiReader(bytes.NewReader(h), body))
}

// Limit bounds the unpacked kernel, bytes.
func (c *Core) Limit() int64 { return int64(c.Header.UncompressedSize) }

// Types of struct grub_module_header, include/grub/kernel.h.
const (
	typeELF     = 0
	typeMemdisk = 1
	typeConfig  = 2
	typePrefix  = 3
)

// ModuleHeader precedes each embedded object.
type ModuleHeader struct {
	Type uint32 `at:"0x00"`
	Size uint32 `at:"0x04"` // with this header
}

type info32 struct {
	Magic  [4]byte `at:"0x00"` // "mimg"
	Offset uint32  `at:"0x04"` // of the first object
	Size   uint32  `at:"0x08"` // of all, with this header
}

type info64 struct {
	Magic   [4]byte `at:"0x00"`
	Padding uint32  `at:"0x04"`
	Offset  uint64  `at:"0x08"`
	Size    uint64  `at:"0x10"`
}

// Text is a string inside the image.
type Text struct {
	Value string
	Off   int64
	Set   bool
}

// Modules is what grub-mkimage embedded behind the kernel.
type Modules struct {
	Off      int64 // of grub_module_info
	List     []Module
	Config   Text
	Prefix   Text
	Memdisk  *blob.SectionReader
	Unknown  []uint32 // types of objects that are not followed: keys, device trees
	InfoCite []blob.Cite
}

const maxObjects = 4096

// ReadModules finds struct grub_module_info in r, of size bytes, at or behind from: 32-bit for i386-pc,
// where it ends with the image, 64-bit for x86_64-efi, where it starts the "mods" section.
func ReadModules(r io.ReaderAt, from, size int64, wide bool) (*Modules, error) {
	m := &Modules{}
	var first, end int64
	found := false
	for at := from; at < size && !found; at += 4 {
		i, ok := Find(blob.Section(r, at, size-at), "mimg", size-at)
		if !ok {
			break
		}
		at += i
		if at%4 != 0 {
			at -= at % 4
			continue
		}
		var cites []blob.Cite
		first, end, cites = readInfo(r, at, wide)
		// The kernel's code has the magic as an operand: the rest of a header must fit as well.
		if first > 0 && end <= size+3 && (wide || end >= size-3) {
			m.Off, m.InfoCite, found = at, cites, true
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, from, size-from, "module info", `"mimg" with a plausible header`, "none"))
	}
	for n, at := 0, first; at < end-7; n++ {
		var h ModuleHeader
		rec, err := decode.Read(r, at, binary.LittleEndian, "module header", &h)
		if err != nil {
			return nil, err
		}
		if h.Size < 8 || at+int64(h.Size) > end || n >= maxObjects {
			return nil, rec.Errorf(&h.Size, fmt.Sprintf("8 to %d", end-at), "%d", h.Size)
		}
		if err := m.add(r, at+8, int64(h.Size)-8, h.Type); err != nil {
			return nil, err
		}
		at += int64(h.Size)
	}
	return m, nil
}

func readInfo(r io.ReaderAt, at int64, wide bool) (first, end int64, cites []blob.Cite) {
	if !wide {
		var h info32
		rec, err := decode.Read(r, at, binary.LittleEndian, "grub_module_info32", &h)
		if err != nil || h.Offset != 12 {
			return 0, 0, nil
		}
		return at + 12, at + int64(h.Size), rec.CiteAll()
	}
	var h info64
	rec, err := decode.Read(r, at, binary.LittleEndian, "grub_module_info64", &h)
	if err != nil || h.Offset != 24 || h.Size > maxKernel {
		return 0, 0, nil
	}
	return at + 24, at + int64(h.Size), rec.CiteAll()
}

func (m *Modules) add(r io.ReaderAt, at, n int64, kind uint32) error {
	switch kind {
	case typeELF:
		mod, err := ReadModule(blob.Section(r, at, n))
		if err != nil {
			return err
		}
		mod.Off, mod.Size = at, n
		m.List = append(m.List, *mod)
	case typeMemdisk:
		m.Memdisk = blob.Section(r, at, n)
	case typeConfig, typePrefix:
		if n > 1<<20 {
			return decode.Errorf(r, at, n, "embedded text", "at most 1 MiB", "%d", n)
		}
		b := make([]byte, n)
		if k, err := r.ReadAt(b, at); k < len(b) {
			return err
		}
		text := string(b)
		if i := strings.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		t := Text{text, at, true}
		if kind == typeConfig {
			m.Config = t
		} else {
			m.Prefix = t
		}
	default:
		m.Unknown = append(m.Unknown, kind)
	}
	return nil
}

// Has tells whether a module of that name is embedded.
func (m *Modules) Has(name string) bool {
	for _, e := range m.List {
		if e.Name == name {
			return true
		}
	}
	return false
}

var errNotModule = errors.New("not a GRUB module")
