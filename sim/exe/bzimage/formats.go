package bzimage

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/exe/elf"
	"bootpath/sim/stream"
)

// The file formats of Linux kernels that Read tells apart.
const (
	BzImage = "bzImage" // x86: boot protocol header and compressed kernel
	Raw     = "Image"   // arm64: the kernel as it lies in memory, maybe gzipped
	Zboot   = "zboot"   // an EFI program that unpacks an Image
	Vmlinux = "vmlinux" // the ELF file that the linker made
)

// ZbootHeader starts an EFI zboot image: drivers/firmware/efi/libstub/zboot-header.S of Linux.
type ZbootHeader struct {
	Magic         [4]byte  `at:"0x00"` // "MZ\0\0"
	Type          [4]byte  `at:"0x04"` // "zimg"
	PayloadOffset uint32   `at:"0x08"`
	PayloadSize   uint32   `at:"0x0c"`
	Compression   [32]byte `at:"0x18"` // "gzip", "zstd", "xzkern" …
	LinuxMagic    uint32   `at:"0x38"` // 0x818223cd
	PEOffset      uint32   `at:"0x3c"`
}

// XEN_ELFNOTE_PHYS32_ENTRY is the type of the note that names the entry point of the PVH protocol:
// Documentation/virt of Xen, hvm.markdown; include/xen/interface/elfnote.h.
const XEN_ELFNOTE_PHYS32_ENTRY = 18

// maxNotes bounds what is read of a segment of notes, in bytes.
const maxNotes = 64 << 10

// isZboot recognises an EFI zboot image by its header.
func (k *Image) isZboot() bool {
	h := &k.Zboot
	rec, err := decode.Read(k.r, 0, binary.LittleEndian, "zboot header", h)
	if err != nil || string(h.Magic[:2]) != "MZ" || string(h.Type[:]) != "zimg" {
		return false
	}
	k.Format, k.EFI, k.rec, k.cites = Zboot, true, rec, rec.Cite(&h.Type, &h.PayloadOffset, &h.PayloadSize)
	switch k.machine() {
	case machineARM64:
		k.Arch = "arm64"
	case machineAMD64:
		k.Arch = "amd64"
	case 0x5064:
		k.Arch = "riscv64"
	case 0x6264:
		k.Arch = "loong64"
	}
	return true
}

// isVmlinux recognises the linker's output: a static ELF executable whose code lies where a kernel's does, in the
// upper half of the addresses.
func (k *Image) isVmlinux() bool {
	f, err := elf.Read(k.r)
	if err != nil || !f.Is64() {
		return false
	}
	switch f.Machine {
	case elf.EM_X86_64:
		k.Arch = "amd64"
	case elf.EM_AARCH64:
		k.Arch = "arm64"
	case elf.EM_RISCV:
		k.Arch = "riscv64"
	default:
		return false
	}
	segments, err := f.Segments()
	if err != nil {
		return false
	}
	kernelSpace := false
	for _, s := range segments {
		switch s.Type {
		case elf.PT_INTERP, elf.PT_DYNAMIC:
			return false
		case elf.PT_LOAD:
			kernelSpace = kernelSpace || s.Vaddr >= 1<<63
		case elf.PT_NOTE:
			if s.Offset < uint64(k.size) {
				k.pvh(int64(s.Offset), int64(min(s.Filesz, uint64(k.size)-s.Offset)))
			}
		}
	}
	if kernelSpace {
		k.Format, k.Entry, k.cites = Vmlinux, f.Entry, append(f.Header.Cites[:len(f.Header.Cites):len(f.Header.Cites)], k.cites...)
	}
	return kernelSpace
}

// pvh looks for the PVH entry point among ELF notes: name size, content size, type, then both padded to 4.
func (k *Image) pvh(off, n int64) {
	data := make([]byte, min(n, maxNotes))
	got, _ := k.r.ReadAt(data, off)
	data = data[:got]
	le := binary.LittleEndian
	for at := 0; at+12 <= len(data); {
		name, desc, kind := int(le.Uint32(data[at:])), int(le.Uint32(data[at+4:])), le.Uint32(data[at+8:])
		content := at + 12 + (name+3)&^3
		next := content + (desc+3)&^3
		if name > len(data) || desc > len(data) || next > len(data) || next <= at {
			return
		}
		if kind == XEN_ELFNOTE_PHYS32_ENTRY && name == 4 && string(data[at+12:at+15]) == "Xen" && desc >= 4 {
			k.PVH = uint64(le.Uint32(data[content:]))
			for _, s := range blob.Locate(k.r, off+int64(at), int64(next-at)) {
				k.cites = append(k.cites, blob.Cite{Span: s, Name: "PVH entry", Value: fmt.Sprintf("%#x", k.PVH)})
			}
		}
		at = next
	}
}

// packed is where the kernel lies in the file; n is 0 when no header says.
func (k *Image) packed() (off, n int64) {
	switch k.Format {
	case Raw, Vmlinux:
		return 0, k.size
	case Zboot:
		off, n = int64(k.Zboot.PayloadOffset), int64(k.Zboot.PayloadSize)
	default:
		if off = k.PayloadOff(); off > 0 {
			n = int64(k.Header.Payload_length)
		}
	}
	return off, max(min(n, k.size-off), 0)
}

// unpacked is the kernel as it lies in memory, read through r: the file, or its own bytes for a derived stream.
func (k *Image) unpacked(r io.ReaderAt) (io.Reader, error) {
	off, n := k.packed()
	switch {
	case n == 0:
		return nil, errors.New("kernel: the header names no payload")
	case k.Format == Vmlinux || k.Format == Raw && k.Stream == stream.None:
		return io.NewSectionReader(r, off, n), nil
	case k.Format == Raw:
		return stream.NewReader(k.Stream, io.NewSectionReader(r, off, n))
	}
	return payloadReader(r, off, n)
}

// bannerRelease is the version in a banner: "Linux version 6.1.0-56-cloud-arm64 (…".
func bannerRelease(banner string) string {
	rest, ok := strings.CutPrefix(banner, "Linux version ")
	release, _, found := strings.Cut(rest, " (")
	if !ok || !found || strings.ContainsAny(release, " %\x00") { // "Linux version %s" is there too
		return ""
	}
	return release
}

// Release is the version: the header's, or that of the banner when there is no such header.
func (k *Image) Release(store *blob.Store, name string) (string, []blob.Cite) {
	if v := k.Version(); v != "" {
		return v, k.cites
	}
	banner, cites, err := k.Banner(store, name)
	if err != nil {
		return "", nil
	}
	return bannerRelease(banner), cites
}

// Bounds of an embedded configuration, in bytes unpacked.
const configMax = 1 << 20

// Config is the configuration that CONFIG_IKCONFIG puts into the kernel itself, gzipped between the marks IKCFG_ST and
// IKCFG_ED: kernel/configs.c. An error when there is none.
func (k *Image) Config(store *blob.Store, name string) ([]byte, []blob.Cite, error) {
	off, n := k.packed()
	open := func() (io.Reader, error) {
		r, err := k.unpacked(store.Raw(k.r))
		if err != nil {
			return nil, err
		}
		rest, err := after(r, []byte("IKCFG_ST"))
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(rest)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return z, nil
	}
	b := store.DeriveOf(strings.TrimPrefix(name, "/")+"!config", open, configMax, k.r, off, n)
	data, err := blob.ReadAll(b, configMax)
	if err != nil || len(data) == 0 {
		return nil, nil, fmt.Errorf("kernel: no embedded configuration: %w", err)
	}
	cite := blob.Cite{Span: blob.Span{Blob: b.Name(), Off: 0, Len: int64(min(len(data), 64))}, Name: "IKCONFIG", Value: ""}
	return data, []blob.Cite{cite}, nil
}

// after reads up to a mark and returns what follows.
func after(r io.Reader, mark []byte) (io.Reader, error) {
	buf := make([]byte, 0, 256<<10)
	for total := 0; total < bannerSearch; {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf, total = buf[:len(buf)+n], total+n
		if i := bytes.Index(buf, mark); i >= 0 {
			return io.MultiReader(bytes.NewReader(buf[i+len(mark):]), r), nil
		}
		if err != nil {
			return nil, fmt.Errorf("kernel: %q not found: %w", mark, err)
		}
		if len(buf) > cap(buf)/2 {
			buf = append(buf[:0], buf[len(buf)-len(mark):]...)
		}
	}
	return nil, fmt.Errorf("kernel: %q is not in the first %d bytes", mark, bannerSearch)
}
