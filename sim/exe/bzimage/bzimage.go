// Package bzimage reads the setup header of a Linux kernel file: what a boot loader looks at to load it.
//
// Specification: Documentation/arch/x86/boot.rst of Linux 6.12 (protocol 2.15) for x86, and
// Documentation/arch/arm64/booting.rst for the header of arm64's Image. The kernel inside is unpacked only
// for its banner.
package bzimage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/stream"
)

// SetupHeader is struct setup_header with the fields of the boot sector before it; "The Real-Mode Kernel
// Header". Fields exist from the protocol version on that the comment names.
type SetupHeader struct {
	Setup_sects           uint8   `at:"0x1f1"` // 0 means 4
	Root_flags            uint16  `at:"0x1f2"`
	Syssize               uint32  `at:"0x1f4"` // of the protected-mode code, in 16 bytes
	Ram_size              uint16  `at:"0x1f8"`
	Vid_mode              uint16  `at:"0x1fa"`
	Root_dev              uint16  `at:"0x1fc"`
	Boot_flag             uint16  `at:"0x1fe"` // 0xaa55
	Jump                  [2]byte `at:"0x200"` // its second byte says where the header ends
	Header                [4]byte `at:"0x202"` // "HdrS"
	Version               uint16  `at:"0x206"` // 0x020f is 2.15
	Realmode_swtch        uint32  `at:"0x208"`
	Start_sys_seg         uint16  `at:"0x20c"`
	Kernel_version        uint16  `at:"0x20e"` // where the version string lies, less 0x200
	Type_of_loader        uint8   `at:"0x210"`
	Loadflags             uint8   `at:"0x211"`
	Setup_move_size       uint16  `at:"0x212"`
	Code32_start          uint32  `at:"0x214"`
	Ramdisk_image         uint32  `at:"0x218"`
	Ramdisk_size          uint32  `at:"0x21c"`
	Bootsect_kludge       uint32  `at:"0x220"`
	Heap_end_ptr          uint16  `at:"0x224"` // 2.01
	Ext_loader_ver        uint8   `at:"0x226"` // 2.02
	Ext_loader_type       uint8   `at:"0x227"` // 2.02
	Cmd_line_ptr          uint32  `at:"0x228"` // 2.02
	Initrd_addr_max       uint32  `at:"0x22c"` // 2.03
	Kernel_alignment      uint32  `at:"0x230"` // 2.05
	Relocatable_kernel    uint8   `at:"0x234"` // 2.05
	Min_alignment         uint8   `at:"0x235"` // 2.10
	Xloadflags            uint16  `at:"0x236"` // 2.12
	Cmdline_size          uint32  `at:"0x238"` // 2.06
	Hardware_subarch      uint32  `at:"0x23c"` // 2.07
	Hardware_subarch_data uint64  `at:"0x240"` // 2.07
	Payload_offset        uint32  `at:"0x248"` // 2.08, in the protected-mode code
	Payload_length        uint32  `at:"0x24c"` // 2.08
	Setup_data            uint64  `at:"0x250"` // 2.09
	Pref_address          uint64  `at:"0x258"` // 2.10
	Init_size             uint32  `at:"0x260"` // 2.10
	Handover_offset       uint32  `at:"0x264"` // 2.11
	Kernel_info_offset    uint32  `at:"0x268"` // 2.15
}

// Arm64Header is the header of arm64's Image; "Call the kernel image".
type Arm64Header struct {
	Code0       uint32  `at:"0x00"`
	Code1       uint32  `at:"0x04"`
	Text_offset uint64  `at:"0x08"`
	Image_size  uint64  `at:"0x10"`
	Flags       uint64  `at:"0x18"`
	Magic       [4]byte `at:"0x38"` // "ARM\x64"
	Res5        uint32  `at:"0x3c"` // offset of the PE header
}

// peHeader is the part of the COFF header that names the machine.
type peHeader struct {
	Signature [4]byte `at:"0x00"` // "PE\0\0"
	Machine   uint16  `at:"0x04"`
}

const (
	bootFlag      = 0xaa55
	sectorSize    = 512
	defaultSects  = 4
	versionMax    = 256 // bytes of the version string
	versionBase   = 0x200
	peOffsetAt    = 0x3c
	machineAMD64  = 0x8664
	machineI386   = 0x14c
	machineARM64  = 0xaa64
	magicHdrS     = "HdrS"
	magicARM64    = "ARM\x64"
	elfMachineAt  = 18
	elfMachine64  = 62 // EM_X86_64
	elfMachine386 = 3  // EM_386
)

// Bits of loadflags and xloadflags.
const (
	LOADED_HIGH               = 1 << 0 // a bzImage, loaded at 1 MiB
	XLF_KERNEL_64             = 1 << 0 // has a 64-bit entry point at 0x200
	XLF_CAN_BE_LOADED_ABOVE4G = 1 << 1
	XLF_EFI_HANDOVER_32       = 1 << 2
	XLF_EFI_HANDOVER_64       = 1 << 3
)

// Image is a kernel file.
type Image struct {
	Arch   string      // "amd64", "386" or "arm64" as GOARCH; "" when nothing says
	Header SetupHeader // of x86
	Arm64  Arm64Header // of arm64
	EFI    bool        // it is a PE file too: firmware can start it ("EFI stub")
	Format string      // BzImage, Raw, Zboot or Vmlinux
	Zboot  ZbootHeader // of an EFI zboot image
	Entry  uint64      // of a vmlinux: physical address of its first instruction
	PVH    uint64      // of a vmlinux: its entry point for virtual machines, 0 for none
	Stream stream.Kind // compression of the whole file (arm64: Image.gz)
	Full   string      // the version string: "6.1.0-50-cloud-amd64 (user@host) #1 SMP …"
	rec    *decode.Record
	r      io.ReaderAt
	size   int64
	cites  []blob.Cite
}

// Read reads the header of a kernel file of size bytes. Other files wrap [decode.ErrFormat].
func Read(r io.ReaderAt, size int64) (*Image, error) {
	k := &Image{r: r, size: size}
	if k.isArm64() || k.isZboot() || k.isVmlinux() {
		return k, nil
	}
	k.Format, k.Arch, k.cites = BzImage, "", nil
	rec, err := decode.Read(r, 0, binary.LittleEndian, "setup header", &k.Header)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w: %w", decode.ErrFormat, err)
	}
	k.rec = rec
	h := &k.Header
	switch {
	case h.Boot_flag != bootFlag:
		return nil, fmt.Errorf("kernel: %w: %w", decode.ErrFormat, rec.Errorf(&h.Boot_flag, "0xaa55", "%#x", h.Boot_flag))
	case string(h.Header[:]) != magicHdrS:
		return nil, fmt.Errorf("kernel: %w: %w", decode.ErrFormat, rec.Errorf(&h.Header, `"HdrS"`, "% x", h.Header))
	}
	k.dropLater()
	k.Full = k.readVersion()
	k.Arch = k.arch()
	k.cites = k.cite()
	return k, nil
}

// dropLater zeroes the fields that the protocol version does not have.
func (k *Image) dropLater() {
	h := &k.Header
	for _, f := range []struct {
		since uint16
		zero  func()
	}{
		{0x203, func() { h.Initrd_addr_max = 0x37ffffff }}, // "assume 0x37FFFFFF"
		{0x205, func() { h.Kernel_alignment, h.Relocatable_kernel = 0, 0 }},
		{0x206, func() { h.Cmdline_size = 255 }},
		{0x207, func() { h.Hardware_subarch, h.Hardware_subarch_data = 0, 0 }},
		{0x208, func() { h.Payload_offset, h.Payload_length = 0, 0 }},
		{0x209, func() { h.Setup_data = 0 }},
		{0x20a, func() { h.Pref_address, h.Init_size, h.Min_alignment = 0, 0, 0 }},
		{0x20b, func() { h.Handover_offset = 0 }},
		{0x20c, func() { h.Xloadflags = 0 }},
		{0x20f, func() { h.Kernel_info_offset = 0 }},
	} {
		if h.Version < f.since {
			f.zero()
		}
	}
}

// SetupSize is the length of the boot sector and the real-mode code, in bytes: where the protected-mode
// code starts.
func (k *Image) SetupSize() int64 {
	sects := int64(k.Header.Setup_sects)
	if sects == 0 {
		sects = defaultSects
	}
	return (sects + 1) * sectorSize
}

// PayloadOff is where the compressed kernel lies in the file, 0 when the header does not say.
func (k *Image) PayloadOff() int64 {
	if k.Header.Payload_offset == 0 {
		return 0
	}
	return k.SetupSize() + int64(k.Header.Payload_offset)
}

// Version is the release as uname -r prints it: "6.1.0-50-cloud-amd64"; "" when the header has none.
func (k *Image) Version() string {
	v, _, _ := strings.Cut(k.Full, " ")
	return v
}

// IsLinux tells Linux from other programs that start by its boot protocol: Memtest86+, iPXE, wimboot. Linux's
// version string names who built it behind the release, "6.1.0-50-amd64 (builder@host) #1 SMP …"
// (arch/x86/boot/version.c); what has no version string may be anything.
func (k *Image) IsLinux() bool {
	release, rest, _ := strings.Cut(k.Full, " ")
	return k.Format != BzImage || k.Full == "" || release != "" && release[0] >= '0' && release[0] <= '9' && strings.HasPrefix(rest, "(")
}

// FullVersion is the whole version string of the header.
func (k *Image) FullVersion() string { return k.Full }

// Record remembers the bytes of the header; nil for arm64 in a compressed file.
func (k *Image) Record() *decode.Record { return k.rec }

// Cites is the evidence for what the header says: magic, version, entry.
func (k *Image) Cites() []blob.Cite { return k.cites }

// readVersion follows kernel_version; "it may be 0 if there is none", and must lie inside the setup.
func (k *Image) readVersion() string {
	p := int64(k.Header.Kernel_version)
	if p == 0 || p+versionBase >= k.SetupSize() {
		return ""
	}
	b := make([]byte, min(versionMax, k.SetupSize()-p-versionBase))
	n, _ := k.r.ReadAt(b, p+versionBase)
	text, _, ok := strings.Cut(string(b[:n]), "\x00")
	if !ok {
		return ""
	}
	return text
}

func (k *Image) cite() []blob.Cite {
	h := &k.Header
	out := k.rec.Cite(&h.Boot_flag, &h.Header, &h.Version, &h.Setup_sects, &h.Kernel_version, &h.Xloadflags, &h.Payload_offset)
	for i := range out {
		out[i].Name = strings.ToLower(out[i].Name[:1]) + out[i].Name[1:]
	}
	for _, s := range blob.Locate(k.r, int64(h.Kernel_version)+versionBase, int64(len(k.Full))) {
		out = append(out, blob.Cite{Span: s, Name: "kernel version", Value: k.Full})
	}
	return out
}

// arch tells 64-bit kernels by xloadflags (2.12 and later), by the PE header, or by the ELF header of the
// kernel inside.
func (k *Image) arch() string {
	machine := k.machine()
	k.EFI = machine != 0
	switch {
	case k.Header.Version >= 0x20c && k.Header.Xloadflags&XLF_KERNEL_64 != 0, machine == machineAMD64:
		return "amd64"
	case k.Header.Version >= 0x20c, machine == machineI386:
		return "386"
	}
	z, err := k.payload(k.r)
	if err != nil {
		return ""
	}
	head := make([]byte, elfMachineAt+2)
	if _, err := io.ReadFull(z, head); err != nil || string(head[:4]) != "\x7fELF" {
		return ""
	}
	switch binary.LittleEndian.Uint16(head[elfMachineAt:]) {
	case elfMachine64:
		return "amd64"
	case elfMachine386:
		return "386"
	}
	return ""
}

// machine is the COFF header's, 0 when the file is no PE file.
func (k *Image) machine() uint16 {
	var mz [2]byte
	var at [4]byte
	if n, _ := k.r.ReadAt(mz[:], 0); n < len(mz) || string(mz[:]) != "MZ" {
		return 0
	}
	if n, _ := k.r.ReadAt(at[:], peOffsetAt); n < len(at) {
		return 0
	}
	var pe peHeader
	_, err := decode.Read(k.r, int64(binary.LittleEndian.Uint32(at[:])), binary.LittleEndian, "PE header", &pe)
	if err != nil || string(pe.Signature[:]) != "PE\x00\x00" {
		return 0
	}
	return pe.Machine
}

// isArm64 recognises arm64's Image, plain or gzipped.
func (k *Image) isArm64() bool {
	read := func(r io.ReaderAt) bool {
		rec, err := decode.Read(r, 0, binary.LittleEndian, "arm64 Image header", &k.Arm64)
		if err != nil || string(k.Arm64.Magic[:]) != magicARM64 {
			return false
		}
		k.rec, k.Arch, k.Format = rec, "arm64", Raw
		k.cites = rec.Cite(&k.Arm64.Magic)
		return true
	}
	head := make([]byte, stream.SniffLen)
	n, _ := k.r.ReadAt(head, 0)
	if kind := stream.Sniff(head[:n]); kind == stream.Gzip {
		z, err := stream.NewReader(kind, io.NewSectionReader(k.r, 0, k.size))
		if err != nil {
			return false
		}
		b := make([]byte, decode.Size(&k.Arm64))
		n, _ := io.ReadFull(z, b)
		if !read(strings.NewReader(string(b[:n]))) {
			return false
		}
		k.Stream, k.rec = kind, nil
		return true
	}
	if read(k.r) {
		k.EFI = string(head[:2]) == "MZ"
		return true
	}
	return false
}

// payload unpacks the kernel inside, read through r.
func (k *Image) payload(r io.ReaderAt) (io.Reader, error) {
	off, n := k.PayloadOff(), int64(k.Header.Payload_length)
	if off == 0 || off >= k.size {
		return nil, errors.New("kernel: the header names no payload")
	}
	return payloadReader(r, off, min(n, k.size-off))
}

// payloadReader unpacks n bytes at off, whatever known compression they are in.
func payloadReader(r io.ReaderAt, off, n int64) (io.Reader, error) {
	head := make([]byte, stream.SniffLen)
	got, err := r.ReadAt(head, off)
	if got < 4 {
		return nil, fmt.Errorf("kernel payload: %w", err)
	}
	kind := stream.Sniff(head[:got])
	if kind == stream.None && string(head[:4]) != "\x7fELF" {
		return nil, decode.Errorf(r, off, 4, "kernel payload", "a compression that is known", "% x", head[:4])
	}
	return stream.NewReader(kind, io.NewSectionReader(r, off, n))
}
