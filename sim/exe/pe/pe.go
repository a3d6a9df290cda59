// Package pe reads the headers of PE/COFF images, the format of EFI programs, and says which boot program
// an image is by the sections that such programs carry. Specification: "PE Format", Microsoft; UEFI 2.10,
// section 2.1.1.
package pe

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// DOSHeader is the MS-DOS stub's header, at the start of the file.
type DOSHeader struct {
	Magic    [2]byte `at:"0x00"` // e_magic, "MZ"
	PEOffset uint32  `at:"0x3c"` // e_lfanew
}

// FileHeader is the PE signature with the COFF file header behind it.
type FileHeader struct {
	Signature            [4]byte `at:"0x00"` // "PE\0\0"
	Machine              uint16  `at:"0x04"`
	NumberOfSections     uint16  `at:"0x06"`
	TimeDateStamp        uint32  `at:"0x08"`
	PointerToSymbolTable uint32  `at:"0x0c"`
	NumberOfSymbols      uint32  `at:"0x10"`
	SizeOfOptionalHeader uint16  `at:"0x14"`
	Characteristics      uint16  `at:"0x16"`
}

// Machines.
const (
	MachineI386  = 0x014c
	MachineAMD64 = 0x8664
	MachineARM64 = 0xaa64
)

// OptionalHeader is the part of the optional header that PE32 and PE32+ have in common from the entry
// point on, up to the number of data directories. ImageBase is that of PE32+.
type OptionalHeader struct {
	Magic               uint16 `at:"0x00"` // 0x10b PE32, 0x20b PE32+
	AddressOfEntryPoint uint32 `at:"0x10"`
	ImageBase           uint64 `at:"0x18"`
	SectionAlignment    uint32 `at:"0x20"`
	FileAlignment       uint32 `at:"0x24"`
	MajorImageVersion   uint16 `at:"0x2c"` // of a Linux kernel: what its EFI stub can do
	SizeOfImage         uint32 `at:"0x38"`
	SizeOfHeaders       uint32 `at:"0x3c"`
	CheckSum            uint32 `at:"0x40"`
	Subsystem           uint16 `at:"0x44"` // 10: EFI application
	DllCharacteristics  uint16 `at:"0x46"`
}

// Optional header magics and the subsystem of EFI applications.
const (
	PE32                    = 0x10b
	PE32Plus                = 0x20b
	SubsystemEFIApplication = 10
)

// DataDirectory is one entry of the optional header's table.
type DataDirectory struct {
	VirtualAddress uint32 `at:"0x00"` // of the certificate table: a file offset
	Size           uint32 `at:"0x04"`
}

// SectionHeader is a row of the section table.
type SectionHeader struct {
	Name             [8]byte `at:"0x00"`
	VirtualSize      uint32  `at:"0x08"`
	VirtualAddress   uint32  `at:"0x0c"`
	SizeOfRawData    uint32  `at:"0x10"`
	PointerToRawData uint32  `at:"0x14"`
	Characteristics  uint32  `at:"0x24"`
}

// Section is a section with its place in the file.
type Section struct {
	Name      string
	Off, Size int64 // in the file; Size without the padding behind the data
	Header    SectionHeader
	Rec       *decode.Record
}

// File is a parsed image.
type File struct {
	R           io.ReaderAt
	Size        int64
	DOS         DOSHeader
	Header      FileHeader
	Optional    OptionalHeader
	Certificate DataDirectory // the attribute certificate table: a signature, when Size is not 0
	Sections    []Section

	DOSRec, HeaderRec, OptionalRec, CertificateRec *decode.Record
}

// maxSections is what the Windows loader accepts; EFI programs have a dozen.
const maxSections = 96

// Read parses the headers. Something else than a PE image wraps [decode.ErrFormat].
func Read(r io.ReaderAt, size int64) (*File, error) {
	f := &File{R: r, Size: size}
	var err error
	if f.DOSRec, err = decode.Read(r, 0, binary.LittleEndian, "DOS header", &f.DOS); err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	if string(f.DOS.Magic[:]) != "MZ" {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, f.DOSRec.Errorf(&f.DOS.Magic, `"MZ"`, "%q", f.DOS.Magic[:]))
	}
	at := int64(f.DOS.PEOffset)
	if f.HeaderRec, err = decode.Read(r, at, binary.LittleEndian, "PE header", &f.Header); err != nil {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	if string(f.Header.Signature[:]) != "PE\x00\x00" {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, f.HeaderRec.Errorf(&f.Header.Signature, `"PE\0\0"`, "%q", f.Header.Signature[:]))
	}
	at += decode.Size(&f.Header)
	if f.OptionalRec, err = decode.Read(r, at, binary.LittleEndian, "optional header", &f.Optional); err != nil {
		return nil, err
	}
	directories := at + 0x70
	switch f.Optional.Magic {
	case PE32Plus:
	case PE32:
		directories = at + 0x60
	default:
		return nil, f.OptionalRec.Errorf(&f.Optional.Magic, "0x10b or 0x20b", "%#x", f.Optional.Magic)
	}
	// Entry 4 is the attribute certificate table.
	const certificate = 4
	if end := at + int64(f.Header.SizeOfOptionalHeader); directories+8*(certificate+1) <= end {
		f.CertificateRec, err = decode.Read(r, directories+8*certificate, binary.LittleEndian, "certificate table entry", &f.Certificate)
		if err != nil {
			return nil, err
		}
	}
	return f, f.readSections(at + int64(f.Header.SizeOfOptionalHeader))
}

func (f *File) readSections(at int64) error {
	n := int(f.Header.NumberOfSections)
	if n > maxSections {
		return f.HeaderRec.Errorf(&f.Header.NumberOfSections, fmt.Sprintf("at most %d", maxSections), "%d", n)
	}
	f.Sections = make([]Section, n)
	for i := range f.Sections {
		s := &f.Sections[i]
		var err error
		if s.Rec, err = decode.Read(f.R, at, binary.LittleEndian, "section header", &s.Header); err != nil {
			return err
		}
		at += 40
		s.Name = f.longName(strings.TrimRight(string(s.Header.Name[:]), "\x00"))
		s.Off, s.Size = int64(s.Header.PointerToRawData), int64(s.Header.SizeOfRawData)
		if v := int64(s.Header.VirtualSize); v > 0 && v < s.Size {
			s.Size = v
		}
		if s.Off > f.Size {
			s.Off, s.Size = f.Size, 0
		}
		s.Size = min(s.Size, f.Size-s.Off)
	}
	return nil
}

// longName looks up a name of more than 8 characters: "/26" is an offset into the string table, which
// follows the symbol table. PE Format, section "COFF String Table".
func (f *File) longName(name string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "/"), 10, 32)
	if err != nil || name[0] != '/' || f.Header.PointerToSymbolTable == 0 {
		return name
	}
	const symbolSize, longest = 18, 64
	at := int64(f.Header.PointerToSymbolTable) + symbolSize*int64(f.Header.NumberOfSymbols) + int64(n)
	b := make([]byte, longest)
	got, _ := f.R.ReadAt(b, at)
	if i := strings.IndexByte(string(b[:got]), 0); i > 0 {
		return string(b[:i])
	}
	return name
}

// Section returns the section of that name, nil when there is none.
func (f *File) Section(name string) *Section {
	for i := range f.Sections {
		if f.Sections[i].Name == name {
			return &f.Sections[i]
		}
	}
	return nil
}

// Data reads a section's content, at most limit bytes of it.
func (f *File) Data(s *Section, limit int64) ([]byte, error) {
	b := make([]byte, min(s.Size, limit))
	n, err := f.R.ReadAt(b, s.Off)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}

// Signed tells whether the image carries a certificate table; whether its signature is good is another
// question.
func (f *File) Signed() bool { return f.Certificate.Size > 0 }

// The boot programs that Program tells apart.
const (
	GRUB        = "grub"
	SystemdBoot = "systemd-boot"
	SystemdStub = "systemd-stub" // a unified kernel image
	Shim        = "shim"
	Linux       = "linux" // a kernel with its EFI stub
)

// Program says which boot program the image is, "" when it is none of these, and what says so.
//
// GRUB's grub-mkimage puts the modules into a section "mods"; systemd-boot and its stub carry ".sdmagic"
// with their name; a unified kernel image has the kernel in ".linux"; shim keeps the vendor's key in
// ".vendor_cert"; a Linux kernel has its boot protocol header at 0x1f1, magic "HdrS" at 0x202.
func (f *File) Program() (string, []blob.Cite) {
	if s := f.Section(".linux"); s != nil {
		return SystemdStub, s.Rec.Cite(&s.Header.Name)
	}
	if s := f.Section(".sdmagic"); s != nil {
		text, err := f.Data(s, 256)
		if err == nil && strings.Contains(string(text), "systemd-boot") {
			return SystemdBoot, f.cite(s.Off, min(s.Size, 64), ".sdmagic", strings.TrimRight(string(text), "\x00"))
		}
	}
	if s := f.Section("mods"); s != nil {
		if magic, err := f.Data(s, 4); err == nil && string(magic) == "mimg" {
			return GRUB, f.cite(s.Off, 4, "grub_module_info.magic", "mimg")
		}
	}
	if s := f.Section(".vendor_cert"); s != nil {
		return Shim, s.Rec.Cite(&s.Header.Name)
	}
	var magic [4]byte
	if n, _ := f.R.ReadAt(magic[:], 0x202); n == 4 && string(magic[:]) == "HdrS" {
		return Linux, f.cite(0x202, 4, "setup_header.header", "HdrS")
	}
	return "", nil
}

func (f *File) cite(off, n int64, name, value string) []blob.Cite {
	var out []blob.Cite
	for _, s := range blob.Locate(f.R, off, n) {
		out = append(out, blob.Cite{Span: s, Name: name, Value: value})
	}
	return out
}
