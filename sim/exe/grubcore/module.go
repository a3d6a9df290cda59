package grubcore

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/decode"
)

// Module is a GRUB module: an ELF object with its name in .modname and what it needs in .moddeps.
type Module struct {
	Name      string
	Deps      []string
	Off, Size int64 // where it is embedded
}

type elfIdent struct {
	Magic [4]byte `at:"0x00"`
	Class uint8   `at:"0x04"` // 1: 32 bits, 2: 64
	Data  uint8   `at:"0x05"` // 1: little-endian
}

type elf32 struct {
	SHOff     uint32 `at:"0x20"`
	SHEntSize uint16 `at:"0x2e"`
	SHNum     uint16 `at:"0x30"`
	SHStrNdx  uint16 `at:"0x32"`
}

type elf64 struct {
	SHOff     uint64 `at:"0x28"`
	SHEntSize uint16 `at:"0x3a"`
	SHNum     uint16 `at:"0x3c"`
	SHStrNdx  uint16 `at:"0x3e"`
}

type section32 struct {
	Name   uint32 `at:"0x00"`
	Type   uint32 `at:"0x04"`
	Offset uint32 `at:"0x10"`
	Size   uint32 `at:"0x14"`
}

type section64 struct {
	Name   uint32 `at:"0x00"`
	Type   uint32 `at:"0x04"`
	Offset uint64 `at:"0x18"`
	Size   uint64 `at:"0x20"`
}

type section struct {
	name      uint32
	off, size uint64
}

const maxSections = 256

// ReadModule reads the name and the dependencies of a module.
func ReadModule(r io.ReaderAt) (*Module, error) {
	var id elfIdent
	rec, err := decode.Read(r, 0, binary.LittleEndian, "ELF header", &id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	if string(id.Magic[:]) != "\x7fELF" || id.Data != 1 {
		return nil, fmt.Errorf("%w: %w: %w", errNotModule, decode.ErrFormat, rec.Errorf(&id.Magic, `"\x7fELF", little-endian`, "% x", id.Magic))
	}
	sections, strings_, err := readSections(r, id.Class == 2)
	if err != nil {
		return nil, err
	}
	m := &Module{}
	for _, s := range sections {
		if s.size > 4096 {
			continue
		}
		name, err := text(r, strings_.off+uint64(s.name), 16)
		if err != nil || name != ".modname" && name != ".moddeps" {
			continue
		}
		b := make([]byte, s.size)
		if n, err := r.ReadAt(b, int64(s.off)); n < len(b) {
			return nil, err
		}
		list := strings.FieldsFunc(string(b), func(c rune) bool { return c == 0 })
		if name == ".moddeps" {
			m.Deps = list
		} else if len(list) > 0 {
			m.Name = list[0]
		}
	}
	if m.Name == "" {
		return nil, fmt.Errorf("%w: %w: no .modname", errNotModule, decode.ErrFormat)
	}
	return m, nil
}

func readSections(r io.ReaderAt, wide bool) ([]section, section, error) {
	var off uint64
	var size, num, names uint16
	if wide {
		var h elf64
		if _, err := decode.Read(r, 0, binary.LittleEndian, "ELF header", &h); err != nil {
			return nil, section{}, err
		}
		off, size, num, names = h.SHOff, h.SHEntSize, h.SHNum, h.SHStrNdx
	} else {
		var h elf32
		if _, err := decode.Read(r, 0, binary.LittleEndian, "ELF header", &h); err != nil {
			return nil, section{}, err
		}
		off, size, num, names = uint64(h.SHOff), h.SHEntSize, h.SHNum, h.SHStrNdx
	}
	if num > maxSections || names >= num || off > maxKernel {
		return nil, section{}, fmt.Errorf("%w: %d sections, names in %d", errNotModule, num, names)
	}
	out := make([]section, num)
	for i := range out {
		at := int64(off) + int64(i)*int64(size)
		var err error
		if wide {
			var s section64
			_, err = decode.Read(r, at, binary.LittleEndian, "section header", &s)
			out[i] = section{s.Name, s.Offset, s.Size}
		} else {
			var s section32
			_, err = decode.Read(r, at, binary.LittleEndian, "section header", &s)
			out[i] = section{s.Name, uint64(s.Offset), uint64(s.Size)}
		}
		if err != nil {
			return nil, section{}, err
		}
		if out[i].off > maxKernel {
			out[i] = section{}
		}
	}
	return out, out[names], nil
}

// text reads a string that ends in a zero byte within n bytes.
func text(r io.ReaderAt, off uint64, n int) (string, error) {
	b := make([]byte, n)
	k, err := r.ReadAt(b, int64(off))
	if i := strings.IndexByte(string(b[:k]), 0); i >= 0 {
		return string(b[:i]), nil
	}
	return "", err
}
