// Package ldlinux reads the boot programs of SYSLINUX's family: isolinux.bin, ldlinux.sys with its boot
// sector, and the master boot records that start them. Sources: core/isolinux.asm, core/diskstart.inc,
// libinstaller/syslinux.h, mbr/mbr.S and mbr/isohdpfx.S of SYSLINUX 6.04.
package ldlinux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Bounds in bytes.
const (
	headBytes  = 16 << 10 // of a program, where its banner is looked for
	maxImage   = 1 << 20  // of isolinux.bin: real mode cannot hold more
	maxName    = 512      // of ldlinux.sys's directory
	sectorSize = 512
	mbrCode    = 440
)

// HybridMagic stands at offset 64 of an isolinux.bin that a hybrid MBR may start.
const HybridMagic = 0x7078c0fb

// patchMagic is LDLINUX_MAGIC of libinstaller/syslinux.h.
const patchMagic = 0x3eb202fe

// Banner is how a program names itself.
type Banner struct {
	Text      string // "ISOLINUX 6.04 20200816 "
	Copyright string // " Copyright (C) 1994-2015 H. Peter Anvin et al"
	Cites     []blob.Cite
}

// Name returns the first word, "ISOLINUX".
func (b *Banner) Name() string {
	name, _, _ := strings.Cut(b.Text, " ")
	return name
}

// Version returns the second word, "6.04".
func (b *Banner) Version() string {
	if f := strings.Fields(b.Text); len(f) > 1 {
		return f[1]
	}
	return ""
}

// Major returns the number before the dot of the version, 0 when there is none.
func (b *Banner) Major() int {
	major, _, _ := strings.Cut(b.Version(), ".")
	n, _ := strconv.Atoi(major)
	return n
}

// readBanner finds the last banner of one of names near the start of r: ldlinux.sys has one in its first
// sector, which lacks the date, and one in the part that this loads.
func readBanner(r io.ReaderAt, names ...string) (*Banner, error) {
	head := make([]byte, headBytes)
	n, err := r.ReadAt(head, 0)
	if n == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	head = head[:n]
	for _, name := range names {
		at := bytes.LastIndex(head, []byte("\r\n"+name+" "))
		if at < 0 {
			continue
		}
		at += 2
		text, ok := cString(head[at:])
		if !ok {
			continue
		}
		text = strings.TrimRight(text, "\r\n\x1a")
		b := &Banner{Text: text, Cites: cite(r, at, text)}
		if at := bytes.Index(head, []byte(" Copyright (C)")); at >= 0 {
			if text, ok := cString(head[at:]); ok {
				b.Copyright = strings.TrimRight(text, "\r\n")
				b.Cites = append(b.Cites, cite(r, at, b.Copyright)...)
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("%w: no banner of %s", decode.ErrFormat, strings.Join(names, ", "))
}

// cString cuts a printable text at its NUL.
func cString(b []byte) (string, bool) {
	end := bytes.IndexByte(b[:min(len(b), 160)], 0)
	if end < 0 {
		return "", false
	}
	for _, c := range b[:end] {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != 0x1a {
			return "", false
		}
	}
	return string(b[:end]), true
}

func cite(r io.ReaderAt, at int, text string) []blob.Cite {
	var out []blob.Cite
	for _, s := range blob.Locate(r, int64(at), int64(len(text))) {
		out = append(out, blob.Cite{Span: s, Name: "message", Value: strconv.Quote(text)})
	}
	return out
}

// BootInfo is what mkisofs -boot-info-table writes into isolinux.bin.
type BootInfo struct {
	PVD      uint32 `at:"0x08"` // block of the primary volume descriptor
	File     uint32 `at:"0x0c"` // block where isolinux.bin starts; 0 without a table
	Length   uint32 `at:"0x10"` // bytes
	Checksum uint32 `at:"0x14"` // sum of the 32-bit words from byte 64 on
	Hybrid   uint32 `at:"0x40"` // HybridMagic
}

// ISOLINUX is an isolinux.bin.
type ISOLINUX struct {
	Info BootInfo
	Rec  *decode.Record
	Banner
}

// ReadISOLINUX reads an isolinux.bin that starts at r's first byte; an error that wraps
// [decode.ErrFormat] says that it is something else.
func ReadISOLINUX(r io.ReaderAt) (*ISOLINUX, error) {
	b, err := readBanner(r, "ISOLINUX")
	if err != nil {
		return nil, err
	}
	p := &ISOLINUX{Banner: *b}
	if p.Rec, err = decode.Read(r, 0, binary.LittleEndian, "boot information table", &p.Info); err != nil {
		return nil, err
	}
	return p, nil
}

// Sum adds up the image as isolinux.bin itself does before it goes on: whole words from byte 64 on, the
// last one filled with what follows on the medium.
func (p *ISOLINUX) Sum(r io.ReaderAt) (uint32, error) {
	if p.Info.Length < 64 || p.Info.Length > maxImage {
		return 0, p.Rec.Errorf(&p.Info.Length, fmt.Sprintf("64 to %d bytes", maxImage), "%d", p.Info.Length)
	}
	words := (int64(p.Info.Length) - 64 + 3) / 4
	buf := make([]byte, words*4)
	if n, err := r.ReadAt(buf, 64); n < len(buf) && err != nil && err != io.EOF {
		return 0, err
	}
	sum := uint32(0)
	for ; len(buf) >= 4; buf = buf[4:] {
		sum += binary.LittleEndian.Uint32(buf)
	}
	return sum, nil
}

// patchArea is struct patch_area, which the installer fills in.
type patchArea struct {
	Magic       uint32 `at:"0x00"` // LDLINUX_MAGIC
	Instance    uint32 `at:"0x04"`
	DataSectors uint16 `at:"0x08"`
	ADVSectors  uint16 `at:"0x0a"`
	Dwords      uint32 `at:"0x0c"`
	Checksum    uint32 `at:"0x10"`
	MaxTransfer uint16 `at:"0x14"`
	EPAOffset   uint16 `at:"0x16"` // of struct ext_patch_area in the file
}

// extPatchArea is struct ext_patch_area.
type extPatchArea struct {
	ADVPtr    uint16 `at:"0x00"`
	Dir       uint16 `at:"0x02"` // of the current directory's name in the file
	DirLen    uint16 `at:"0x04"`
	Subvol    uint16 `at:"0x06"`
	SubvolLen uint16 `at:"0x08"`
	SecPtr    uint16 `at:"0x0a"`
	SecPtrCnt uint16 `at:"0x0c"`
	Sect1Ptr0 uint16 `at:"0x0e"` // in the boot sector: low half of the sector where the file starts
	Sect1Ptr1 uint16 `at:"0x10"`
	RAID      uint16 `at:"0x12"`
}

// LDLINUX is an installed ldlinux.sys.
type LDLINUX struct {
	Dir   string // that the installer wrote: where the configuration is looked for first
	First string // how its first sector names itself: "SYSLINUX 6.04 "
	Cites []blob.Cite
	Banner
	sector1 [2]int64 // where the boot sector has the number of its first sector, in halves
}

// Screen is the line that it prints about itself. drive is how it reads the disk: "EDD" or "CHS".
func (l *LDLINUX) Screen(drive string) string {
	return l.First + drive + strings.TrimPrefix(l.Text, strings.TrimSpace(l.First)) + l.Copyright
}

// ReadLDLINUX reads an ldlinux.sys as it lies in its file system.
func ReadLDLINUX(r io.ReaderAt) (*LDLINUX, error) {
	b, err := readBanner(r, "SYSLINUX", "EXTLINUX")
	if err != nil {
		return nil, err
	}
	head := make([]byte, sectorSize)
	n, _ := r.ReadAt(head, 0)
	at := int64(-1)
	for i := 0; i+4 <= n; i += 4 {
		if binary.LittleEndian.Uint32(head[i:]) == patchMagic {
			at = int64(i)
			break
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, sectorSize, "ldlinux.sys: patch area", fmt.Sprintf("%#x", patchMagic), "none in the first sector"))
	}
	var area patchArea
	rec, err := decode.Read(r, at, binary.LittleEndian, "patch_area", &area)
	if err != nil {
		return nil, err
	}
	var ext extPatchArea
	erec, err := decode.Read(r, int64(area.EPAOffset), binary.LittleEndian, "ext_patch_area", &ext)
	if err != nil {
		return nil, err
	}
	l := &LDLINUX{Banner: *b, sector1: [2]int64{int64(ext.Sect1Ptr0), int64(ext.Sect1Ptr1)}}
	if first, err := readBanner(bytes.NewReader(head[:n]), "SYSLINUX", "EXTLINUX"); err == nil {
		l.First = first.Text
	}
	dir := make([]byte, min(int(ext.DirLen), maxName))
	n, _ = r.ReadAt(dir, int64(ext.Dir))
	text, ok := cString(append(dir[:n:n], 0))
	if !ok {
		return nil, erec.Errorf(&ext.Dir, "a directory's name", "other bytes at %#x", ext.Dir)
	}
	l.Dir = text
	l.Cites = append(rec.Cite(&area.EPAOffset), erec.Cite(&ext.Dir, &ext.Sect1Ptr0)...)
	return l, nil
}

// StartsAt tells whether a boot sector loads the file that starts at that sector of its volume.
func (l *LDLINUX) StartsAt(boot []byte, sector int64) bool {
	lo, hi := l.sector1[0], l.sector1[1]
	if lo+4 > int64(len(boot)) || hi+4 > int64(len(boot)) {
		return false
	}
	return int64(binary.LittleEndian.Uint32(boot[lo:]))|int64(binary.LittleEndian.Uint32(boot[hi:]))<<32 == sector
}

// Code is what the code of a boot sector is.
type Code int

// The kinds of boot code that SYSLINUX installs.
const (
	Other     Code = iota
	MBR            // mbr.bin: starts the active partition
	GPTMBR         // gptmbr.bin: starts the partition with the legacy BIOS bootable attribute
	IsoHybrid      // isohdp*.bin: starts isolinux.bin
	VBR            // loads ldlinux.sys
)

// Identify tells what a boot sector's code is by the messages in it. The name in front of "Boot error" is
// the one that the installer leaves in the field for the OEM.
func Identify(sector []byte) Code {
	has := func(part []byte, texts ...string) bool {
		for _, t := range texts {
			if !bytes.Contains(part, []byte(t)) {
				return false
			}
		}
		return true
	}
	if len(sector) < sectorSize {
		return Other
	}
	code := sector[:mbrCode]
	switch {
	case has(code, "isolinux.bin missing or corrupt."):
		return IsoHybrid
	case has(code, "Missing operating system.\r\n", "Multiple active partitions.\r\n", "Operating system load error.\r\n"):
		return MBR
	case has(code, "Missing OS\r\n", "Multiple active partitions\r\n", "Disk error\r\n"):
		return GPTMBR
	case string(sector[3:11]) == "SYSLINUX" && has(sector, "Boot error"):
		return VBR
	}
	return Other
}

// Hybrid is what isohybrid writes behind the code of its MBR.
type Hybrid struct {
	LBA uint64 `at:"0x1b0"` // 512-byte sector where isolinux.bin starts
}

// ReadHybrid reads it from the first sector.
func ReadHybrid(r io.ReaderAt) (*Hybrid, *decode.Record, error) {
	h := new(Hybrid)
	rec, err := decode.Read(r, 0, binary.LittleEndian, "hybrid MBR", h)
	return h, rec, err
}
