// Package elf reads of an ELF file what execve(2) and the dynamic loader look at: the header, the program
// headers, the interpreter's path, the libraries that are wanted and where they are searched.
// It does not look at sections, symbols or code. System V ABI, chapters 4 and 5; elf(5).
package elf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Limits on what is believed of a file.
const (
	maxPhdrs   = 65536 / 56 // the kernel reads at most 64 KiB of program headers
	maxDynamic = 4096       // entries
	maxString  = 4096       // bytes of one string
	maxNotes   = 64 << 10   // bytes of one note segment
)

// Ident is e_ident, 16 bytes.
type Ident struct {
	Magic      [4]byte `at:"0x0"` // "\x7fELF"
	Class      uint8   `at:"0x4"` // EI_CLASS: 1 is 32-bit, 2 is 64-bit
	Data       uint8   `at:"0x5"` // EI_DATA: 1 is little-endian, 2 is big-endian
	Version    uint8   `at:"0x6"`
	OSABI      uint8   `at:"0x7"`
	ABIVersion uint8   `at:"0x8"`
	Pad        [7]byte `at:"0x9"`
}

// Header64 is Elf64_Ehdr.
type Header64 struct {
	Ident     Ident  `at:"0x00"`
	Type      Type   `at:"0x10"`
	Machine   Mach   `at:"0x12"`
	Version   uint32 `at:"0x14"`
	Entry     uint64 `at:"0x18"`
	Phoff     uint64 `at:"0x20"`
	Shoff     uint64 `at:"0x28"`
	Flags     uint32 `at:"0x30"`
	Ehsize    uint16 `at:"0x34"`
	Phentsize uint16 `at:"0x36"`
	Phnum     uint16 `at:"0x38"`
	Shentsize uint16 `at:"0x3a"`
	Shnum     uint16 `at:"0x3c"`
	Shstrndx  uint16 `at:"0x3e"`
}

// Header32 is Elf32_Ehdr.
type Header32 struct {
	Ident     Ident  `at:"0x00"`
	Type      Type   `at:"0x10"`
	Machine   Mach   `at:"0x12"`
	Version   uint32 `at:"0x14"`
	Entry     uint32 `at:"0x18"`
	Phoff     uint32 `at:"0x1c"`
	Shoff     uint32 `at:"0x20"`
	Flags     uint32 `at:"0x24"`
	Ehsize    uint16 `at:"0x28"`
	Phentsize uint16 `at:"0x2a"`
	Phnum     uint16 `at:"0x2c"`
	Shentsize uint16 `at:"0x2e"`
	Shnum     uint16 `at:"0x30"`
	Shstrndx  uint16 `at:"0x32"`
}

// Phdr64 is Elf64_Phdr.
type Phdr64 struct {
	Type   PType  `at:"0x00"`
	Flags  uint32 `at:"0x04"`
	Offset uint64 `at:"0x08"`
	Vaddr  uint64 `at:"0x10"`
	Paddr  uint64 `at:"0x18"`
	Filesz uint64 `at:"0x20"`
	Memsz  uint64 `at:"0x28"`
	Align  uint64 `at:"0x30"`
}

// Phdr32 is Elf32_Phdr.
type Phdr32 struct {
	Type   PType  `at:"0x00"`
	Offset uint32 `at:"0x04"`
	Vaddr  uint32 `at:"0x08"`
	Paddr  uint32 `at:"0x0c"`
	Filesz uint32 `at:"0x10"`
	Memsz  uint32 `at:"0x14"`
	Flags  uint32 `at:"0x18"`
	Align  uint32 `at:"0x1c"`
}

// Dyn64 is Elf64_Dyn.
type Dyn64 struct {
	Tag uint64 `at:"0x0"`
	Val uint64 `at:"0x8"`
}

// Dyn32 is Elf32_Dyn.
type Dyn32 struct {
	Tag uint32 `at:"0x0"`
	Val uint32 `at:"0x4"`
}

// Type is e_type.
type Type uint16

// The types that matter here.
const (
	ET_REL  Type = 1
	ET_EXEC Type = 2
	ET_DYN  Type = 3
	ET_CORE Type = 4
)

func (t Type) String() string {
	switch t {
	case ET_REL:
		return "ET_REL"
	case ET_EXEC:
		return "ET_EXEC"
	case ET_DYN:
		return "ET_DYN"
	case ET_CORE:
		return "ET_CORE"
	}
	return fmt.Sprintf("unknown-%d", uint16(t))
}

// Mach is e_machine.
type Mach uint16

// The machines that Linux images are built for. elf(5), the ABI's register of machines.
const (
	EM_386       Mach = 3
	EM_486       Mach = 6
	EM_MIPS      Mach = 8
	EM_PPC       Mach = 20
	EM_PPC64     Mach = 21
	EM_S390      Mach = 22
	EM_ARM       Mach = 40
	EM_X86_64    Mach = 62
	EM_AARCH64   Mach = 183
	EM_RISCV     Mach = 243
	EM_LOONGARCH Mach = 258
)

func (m Mach) String() string {
	switch m {
	case EM_386:
		return "EM_386"
	case EM_486:
		return "EM_486"
	case EM_MIPS:
		return "EM_MIPS"
	case EM_PPC:
		return "EM_PPC"
	case EM_PPC64:
		return "EM_PPC64"
	case EM_S390:
		return "EM_S390"
	case EM_ARM:
		return "EM_ARM"
	case EM_X86_64:
		return "EM_X86_64"
	case EM_AARCH64:
		return "EM_AARCH64"
	case EM_RISCV:
		return "EM_RISCV"
	case EM_LOONGARCH:
		return "EM_LOONGARCH"
	}
	return fmt.Sprintf("unknown-%d", uint16(m))
}

// PType is p_type.
type PType uint32

// The segments that matter here.
const (
	PT_LOAD      PType = 1
	PT_DYNAMIC   PType = 2
	PT_INTERP    PType = 3
	PT_NOTE      PType = 4
	PT_TLS       PType = 7
	PT_GNU_STACK PType = 0x6474e551
)

func (p PType) String() string {
	switch p {
	case PT_LOAD:
		return "PT_LOAD"
	case PT_DYNAMIC:
		return "PT_DYNAMIC"
	case PT_INTERP:
		return "PT_INTERP"
	case PT_NOTE:
		return "PT_NOTE"
	case PT_TLS:
		return "PT_TLS"
	case PT_GNU_STACK:
		return "PT_GNU_STACK"
	}
	return fmt.Sprintf("%#x", uint32(p))
}

// Header is the header of either class, with its evidence.
type Header struct {
	Ident     Ident
	Type      Type
	Machine   Mach
	Entry     uint64
	Phoff     uint64
	Flags     uint32
	Phentsize uint16
	Phnum     uint16
	Cites     []blob.Cite // magic, class, type, machine
	PhCites   []blob.Cite // where the program headers are said to be
}

// Segment is one program header of either class.
type Segment struct {
	Type   PType
	Flags  uint32
	Offset uint64
	Vaddr  uint64
	Filesz uint64
	Memsz  uint64
	Align  uint64
	Cites  []blob.Cite
}

// File is an ELF file as far as it was asked for.
type File struct {
	Header
	r     io.ReaderAt
	order binary.ByteOrder
	is64  bool
}

// Is64 tells the class as which the file was read.
func (f *File) Is64() bool { return f.is64 }

// Read reads the header. It wraps [decode.ErrFormat] when the magic is not there.
func Read(r io.ReaderAt) (*File, error) {
	var id Ident
	rec, err := decode.Read(r, 0, binary.LittleEndian, "Elf_Ehdr", &id)
	if err != nil || string(id.Magic[:]) != "\x7fELF" {
		return nil, fmt.Errorf("ELF: %w", decode.ErrFormat)
	}
	switch {
	case id.Data != 1 && id.Data != 2:
		return nil, rec.Errorf(&id.Data, "1 (little-endian) or 2 (big-endian)", "%d", id.Data)
	case id.Class != 1 && id.Class != 2:
		return nil, rec.Errorf(&id.Class, "1 (32-bit) or 2 (64-bit)", "%d", id.Class)
	}
	return ReadAs(r, id.Class == 2, id.Data == 2)
}

// ReadAs reads the header as one class and byte order, whatever e_ident says of them: that is how most
// kernels read it.
func ReadAs(r io.ReaderAt, is64, bigEndian bool) (*File, error) {
	f := &File{r: r, order: binary.LittleEndian, is64: is64}
	if bigEndian {
		f.order = binary.BigEndian
	}
	read := f.read32
	if is64 {
		read = f.read64
	}
	if err := read(); err != nil {
		return nil, err
	}
	if string(f.Ident.Magic[:]) != "\x7fELF" {
		return nil, fmt.Errorf("ELF: %w", decode.ErrFormat)
	}
	return f, nil
}

func (f *File) read64() error {
	var h Header64
	rec, err := decode.Read(f.r, 0, f.order, "Elf64_Ehdr", &h)
	if err != nil {
		return err
	}
	f.Header = Header{Ident: h.Ident, Type: h.Type, Machine: h.Machine, Entry: h.Entry, Phoff: h.Phoff, Flags: h.Flags,
		Phentsize: h.Phentsize, Phnum: h.Phnum,
		Cites:   rec.Cite(&h.Ident.Magic, &h.Ident.Class, &h.Type, &h.Machine),
		PhCites: rec.Cite(&h.Phoff, &h.Phentsize, &h.Phnum)}
	return nil
}

func (f *File) read32() error {
	var h Header32
	rec, err := decode.Read(f.r, 0, f.order, "Elf32_Ehdr", &h)
	if err != nil {
		return err
	}
	f.Header = Header{Ident: h.Ident, Type: h.Type, Machine: h.Machine, Entry: uint64(h.Entry), Phoff: uint64(h.Phoff), Flags: h.Flags,
		Phentsize: h.Phentsize, Phnum: h.Phnum,
		Cites:   rec.Cite(&h.Ident.Magic, &h.Ident.Class, &h.Type, &h.Machine),
		PhCites: rec.Cite(&h.Phoff, &h.Phentsize, &h.Phnum)}
	return nil
}

// Segments reads the program headers. A table that is cut off, too long or of entries of another size is
// an error, as it is for the kernel.
func (f *File) Segments() ([]Segment, error) {
	size := decode.Size(&Phdr64{})
	if !f.Is64() {
		size = decode.Size(&Phdr32{})
	}
	if int64(f.Phentsize) != size || f.Phnum == 0 || f.Phnum > maxPhdrs {
		return nil, &decode.Error{What: "ELF: program headers", Off: int64(f.Phoff), Spans: spans(f.PhCites),
			Want: fmt.Sprintf("1 to %d entries of %d bytes", maxPhdrs, size), Got: fmt.Sprintf("%d of %d", f.Phnum, f.Phentsize)}
	}
	if f.Phoff > 1<<62 {
		return nil, &decode.Error{What: "ELF: e_phoff", Spans: spans(f.PhCites), Want: "an offset in the file", Got: fmt.Sprintf("%#x", f.Phoff)}
	}
	out := make([]Segment, 0, f.Phnum)
	for i := range int64(f.Phnum) {
		s, err := f.segment(int64(f.Phoff) + i*size)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (f *File) segment(off int64) (Segment, error) {
	if f.Is64() {
		var p Phdr64
		rec, err := decode.Read(f.r, off, f.order, "Elf64_Phdr", &p)
		if err != nil {
			return Segment{}, err
		}
		return Segment{p.Type, p.Flags, p.Offset, p.Vaddr, p.Filesz, p.Memsz, p.Align, rec.Cite(&p.Type, &p.Offset, &p.Filesz)}, nil
	}
	var p Phdr32
	rec, err := decode.Read(f.r, off, f.order, "Elf32_Phdr", &p)
	if err != nil {
		return Segment{}, err
	}
	return Segment{p.Type, p.Flags, uint64(p.Offset), uint64(p.Vaddr), uint64(p.Filesz), uint64(p.Memsz), uint64(p.Align), rec.Cite(&p.Type, &p.Offset, &p.Filesz)}, nil
}

func spans(c []blob.Cite) []blob.Span {
	var out []blob.Span
	for _, x := range c {
		out = append(out, x.Span)
	}
	return out
}

// Interp reads the path in a PT_INTERP segment, without its NUL.
func (f *File) Interp(s Segment) (string, []blob.Cite, error) {
	if s.Filesz < 2 || s.Filesz > maxString || s.Offset > 1<<62 {
		return "", nil, &decode.Error{What: "ELF: PT_INTERP size", Off: int64(s.Offset), Spans: spans(s.Cites), Want: "2 to 4096 bytes", Got: fmt.Sprint(s.Filesz)}
	}
	b := make([]byte, s.Filesz)
	if n, err := f.r.ReadAt(b, int64(s.Offset)); n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return "", nil, fmt.Errorf("ELF: PT_INTERP at %#x: %w", s.Offset, err)
	}
	if b[len(b)-1] != 0 {
		return "", nil, decode.Errorf(f.r, int64(s.Offset), int64(s.Filesz), "ELF: PT_INTERP", "a path that ends in NUL", "%q", b)
	}
	path, _, _ := strings.Cut(string(b), "\x00")
	return path, cite(f.r, int64(s.Offset), int64(s.Filesz), "PT_INTERP", path), nil
}

func cite(r io.ReaderAt, off, n int64, name, value string) []blob.Cite {
	var out []blob.Cite
	for _, s := range blob.Locate(r, off, n) {
		out = append(out, blob.Cite{Span: s, Name: name, Value: value})
	}
	return out
}

// String is a string of the dynamic section with its bytes.
type String struct {
	Value string
	Cites []blob.Cite
}

// Dynamic is what the loader reads in the dynamic section.
type Dynamic struct {
	Needed  []String // DT_NEEDED, in order
	Soname  String
	RPath   String // DT_RPATH
	RunPath String // DT_RUNPATH
	Flags1  uint64 // DT_FLAGS_1
	Flags   uint64

	tables tables
}

// tables are where the dynamic section says that symbols and their versions lie: offsets in the file, 0 for
// none.
type tables struct {
	strings, symbols  uint64
	hash              uint64
	verneed, verdef   uint64
	verneeds, verdefs uint64 // DT_VERNEEDNUM, DT_VERDEFNUM
}

// Flag bits of DT_FLAGS_1.
const (
	DF_1_NODEFLIB = 0x800
	DF_1_PIE      = 0x8000000
)

// Tags of dynamic entries. System V ABI, figure 5-10.
const (
	dtNull    = 0
	dtNeeded  = 1
	dtHash    = 4
	dtStrtab  = 5
	dtSymtab  = 6
	dtSoname  = 14
	dtRPath   = 15
	dtRunPath = 29
	dtFlags   = 30
	dtFlags1  = 0x6ffffffb

	dtVerdef    = 0x6ffffffc
	dtVerdefNum = 0x6ffffffd
	dtVerneed   = 0x6ffffffe
	dtVerneeds  = 0x6fffffff
)

// Dynamic reads the dynamic section that segs point at; nil when there is none.
func (f *File) Dynamic(segs []Segment) (*Dynamic, error) {
	for _, s := range segs {
		if s.Type == PT_DYNAMIC {
			return f.dynamic(s, segs)
		}
	}
	return nil, nil
}

func (f *File) dynamic(s Segment, segs []Segment) (*Dynamic, error) {
	type want struct {
		tag uint64
		off uint64
	}
	var names []want
	d, strtab := &Dynamic{}, uint64(0)
	step := int64(16)
	if !f.Is64() {
		step = 8
	}
	for i := int64(0); i < min(int64(s.Filesz)/step, maxDynamic); i++ {
		tag, val, err := f.dyn(int64(s.Offset) + i*step)
		if err != nil {
			return nil, err
		}
		switch tag {
		case dtNull:
			i = maxDynamic
		case dtStrtab:
			strtab = val
		case dtNeeded, dtSoname, dtRPath, dtRunPath:
			names = append(names, want{tag, val})
		case dtFlags:
			d.Flags = val
		case dtFlags1:
			d.Flags1 = val
		default:
			d.tables.set(segs, tag, val)
		}
	}
	base, ok := fileOffset(segs, strtab)
	d.tables.strings = base
	if !ok {
		if len(names) == 0 {
			return d, nil
		}
		return nil, decode.Errorf(f.r, int64(s.Offset), int64(s.Filesz), "ELF: DT_STRTAB", "an address inside a PT_LOAD segment", "%#x", strtab)
	}
	for _, n := range names {
		str, err := f.str(base, n.off)
		if err != nil {
			return nil, err
		}
		switch n.tag {
		case dtNeeded:
			str = named(str, "DT_NEEDED")
			d.Needed = append(d.Needed, str)
		case dtSoname:
			d.Soname = named(str, "DT_SONAME")
		case dtRPath:
			d.RPath = named(str, "DT_RPATH")
		case dtRunPath:
			d.RunPath = named(str, "DT_RUNPATH")
		}
	}
	return d, nil
}

func named(s String, name string) String {
	for i := range s.Cites {
		s.Cites[i].Name = name
	}
	return s
}

func (f *File) dyn(off int64) (tag, val uint64, err error) {
	if f.Is64() {
		var d Dyn64
		_, err := decode.Read(f.r, off, f.order, "Elf64_Dyn", &d)
		return d.Tag, d.Val, err
	}
	var d Dyn32
	_, err = decode.Read(f.r, off, f.order, "Elf32_Dyn", &d)
	return uint64(d.Tag), uint64(d.Val), err
}

// fileOffset turns an address into an offset through the segment that is loaded there.
func fileOffset(segs []Segment, addr uint64) (uint64, bool) {
	for _, s := range segs {
		if s.Type == PT_LOAD && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz {
			return s.Offset + addr - s.Vaddr, true
		}
	}
	return 0, false
}

func (f *File) str(base, off uint64) (String, error) {
	at := base + off
	if at > 1<<62 || at < base {
		return String{}, &decode.Error{What: "ELF: string", Off: int64(base), Want: "an offset in the file", Got: fmt.Sprintf("%#x", off)}
	}
	b := make([]byte, maxString)
	n, err := f.r.ReadAt(b[:256], int64(at))
	if n == 256 && bytes.IndexByte(b[:n], 0) < 0 {
		var more int
		more, err = f.r.ReadAt(b[n:], int64(at)+int64(n))
		n += more
	}
	i := bytes.IndexByte(b[:n], 0)
	if i < 0 {
		if err != nil && err != io.EOF {
			return String{}, fmt.Errorf("ELF: string at %#x: %w", at, err)
		}
		return String{}, decode.Errorf(f.r, int64(at), int64(max(n, 1)), "ELF: string", "text that ends in NUL", "%d bytes without", n)
	}
	return String{string(b[:i]), cite(f.r, int64(at), int64(i+1), "", string(b[:i]))}, nil
}

// KernelABI is the oldest kernel that the program says it runs on, from the GNU ABI note; false when it
// says nothing. Linux itself does not look; glibc's loader does ("FATAL: kernel too old").
func (f *File) KernelABI(segs []Segment) (version [3]uint32, cites []blob.Cite, ok bool) {
	for _, s := range segs {
		if s.Type != PT_NOTE || s.Filesz > maxNotes || s.Offset > 1<<62 {
			continue
		}
		b := make([]byte, s.Filesz)
		if n, _ := f.r.ReadAt(b, int64(s.Offset)); n < len(b) {
			continue
		}
		for off := 0; off+12 <= len(b); {
			nameLen, descLen := int64(f.order.Uint32(b[off:])), int64(f.order.Uint32(b[off+4:]))
			desc := int64(off) + 12 + (nameLen+3)&^3
			next := desc + (descLen+3)&^3
			if nameLen > maxNotes || descLen > maxNotes || next > int64(len(b)) {
				break
			}
			isABI := f.order.Uint32(b[off+8:]) == 1 && nameLen == 4 && string(b[off+12:off+16]) == "GNU\x00" && descLen == 16
			if isABI && f.order.Uint32(b[desc:]) == 0 { // ELF_NOTE_OS_LINUX
				for i := range version {
					version[i] = f.order.Uint32(b[desc+4+4*int64(i):])
				}
				text := fmt.Sprintf("Linux %d.%d.%d", version[0], version[1], version[2])
				return version, cite(f.r, int64(s.Offset)+desc, 16, "NT_GNU_ABI_TAG", text), true
			}
			off = int(next)
		}
	}
	return version, nil, false
}
