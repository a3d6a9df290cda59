// Package iso9660 reads the file system of optical media with its two extensions: Rock Ridge (POSIX names,
// modes, links) and Joliet (Unicode names).
//
// ECMA-119 4th edition; IEEE P1281 (SUSP) and P1282 (RRIP) 1.12; Microsoft's Joliet Specification. Which
// of the names are shown is decided as Linux does (fs/isofs): Rock Ridge, else Joliet, else the plain names
// in lower case and without version.
package iso9660

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// VolumeDescriptor is the primary volume descriptor, ECMA-119 section 8.4, or a supplementary one, 8.5.
// Numbers are stored in both byte orders; the little-endian ones are read.
type VolumeDescriptor struct {
	Type          uint8     `at:"0x000"` // 1 primary, 2 supplementary
	Identifier    [5]byte   `at:"0x001"` // "CD001"
	Version       uint8     `at:"0x006"`
	Flags         uint8     `at:"0x007"`
	SystemID      [32]byte  `at:"0x008"`
	VolumeID      [32]byte  `at:"0x028"`
	SpaceSize     uint32    `at:"0x050"` // blocks
	SpaceSizeBE   [4]byte   `at:"0x054"`
	Escape        [32]byte  `at:"0x058"` // supplementary: the character set; "%/@", "%/C", "%/E" is Joliet
	SetSize       uint16    `at:"0x078"`
	SequenceNum   uint16    `at:"0x07c"`
	BlockSize     uint16    `at:"0x080"`
	PathTableSize uint32    `at:"0x084"`
	PathTable     uint32    `at:"0x08c"`
	Root          dirRecord `at:"0x09c"`
	VolumeSetID   [128]byte `at:"0x0be"`
	PublisherID   [128]byte `at:"0x13e"`
	PreparerID    [128]byte `at:"0x1be"`
	ApplicationID [128]byte `at:"0x23e"`
	CopyrightFile [37]byte  `at:"0x2be"`
	AbstractFile  [37]byte  `at:"0x2e3"`
	BiblioFile    [37]byte  `at:"0x308"`
	Created       DateTime  `at:"0x32d"`
	Modified      DateTime  `at:"0x33e"`
	Expires       DateTime  `at:"0x34f"`
	Effective     DateTime  `at:"0x360"`
	Structure     uint8     `at:"0x371"` // file structure version: 1
}

// dirRecord is a directory record without its name. ECMA-119 section 9.1.
type dirRecord struct {
	Len        uint8   `at:"0x00"` // with name and system use area
	ExtAttrLen uint8   `at:"0x01"` // blocks before the data
	Extent     uint32  `at:"0x02"` // block
	ExtentBE   [4]byte `at:"0x06"`
	DataLen    uint32  `at:"0x0a"` // bytes
	DataLenBE  [4]byte `at:"0x0e"`
	Date       [7]byte `at:"0x12"`
	Flags      uint8   `at:"0x19"`
	UnitSize   uint8   `at:"0x1a"` // not zero: interleaved
	GapSize    uint8   `at:"0x1b"`
	Sequence   uint16  `at:"0x1c"`
	SequenceBE [2]byte `at:"0x1e"`
	NameLen    uint8   `at:"0x20"`
}

// File flags. ECMA-119 section 9.1.6.
const (
	flagDir         = 1 << 1
	flagAssociated  = 1 << 2
	flagMultiExtent = 1 << 7
)

// DateTime is sixteen digits and an offset from Greenwich in quarters of an hour. ECMA-119 section 8.4.26.1.
type DateTime [17]byte

// String gives blkid's form, without the offset: 2026-11-23-21-29-11-00. "" when the date is not set.
func (d DateTime) String() string {
	s := string(d[:16])
	if !d.set() || strings.IndexByte(s, 0) >= 0 {
		return ""
	}
	return s[0:4] + "-" + s[4:6] + "-" + s[6:8] + "-" + s[8:10] + "-" + s[10:12] + "-" + s[12:14] + "-" + s[14:16]
}

// set tells a date from "not specified": sixteen digits 0 and offset 0.
func (d DateTime) set() bool { return string(d[:16]) != "0000000000000000" || d[16] != 0 }

const (
	sectorSize     = 2048
	firstSector    = 16
	descriptorsMax = 16
	dirMax         = 4 << 20 // bytes of a directory that are believed
	dirsMax        = 1024    // directories kept parsed
	walkMax        = 1 << 16 // entries that PathAt looks at
)

// FS is an opened volume. It implements [fsys.FS].
type FS struct {
	r      io.ReaderAt
	size   int64
	block  int64
	vd     *VolumeDescriptor // primary
	rec    *decode.Record
	names  naming
	skip   int   // SUSP: bytes to skip in each system use area; LEN_SKP of SP
	left   int64 // bytes of continuations that may still be read for the directory in hand
	root   *entry
	dirs   map[*entry]*directory
	blocks map[uint32]*blob.WindowReader // of continuation areas
	info   fsys.Info
}

// naming says which names a volume shows.
type naming int

const (
	plain naming = iota
	rockRidge
	joliet
)

// Open reads the volume descriptors of a medium of size bytes.
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{r: r, size: size, dirs: map[*entry]*directory{}, blocks: map[uint32]*blob.WindowReader{}}
	svd, svdRec, err := f.descriptors()
	if err != nil {
		return nil, err
	}
	b := f.vd.BlockSize
	if b != 512 && b != 1024 && b != 2048 { // what Linux mounts (inode.c: "only 512, 1024 and 2048")
		return nil, f.rec.Errorf(&f.vd.BlockSize, "512, 1024 or 2048", "%d", b)
	}
	f.block = int64(b)
	f.identify(svd, svdRec)
	f.noteSessions()
	f.root = f.rootEntry(&f.vd.Root, f.rec.Cite(&f.vd.Root.Extent, &f.vd.Root.DataLen))
	switch f.findRockRidge(); {
	case f.names == rockRidge:
	case svd != nil:
		f.names = joliet
		f.root = f.rootEntry(&svd.Root, svdRec.Cite(&svd.Root.Extent, &svd.Root.DataLen))
	}
	return f, nil
}

// descriptors finds the primary descriptor and the first of Joliet. ECMA-119 section 6.7.1.
func (f *FS) descriptors() (svd *VolumeDescriptor, svdRec *decode.Record, err error) {
	for i := range int64(descriptorsMax) {
		off := (firstSector + i) * sectorSize
		w, err := blob.Window(f.r, off, sectorSize)
		if err != nil {
			return nil, nil, fmt.Errorf("volume descriptor: %w", err)
		}
		vd := new(VolumeDescriptor)
		rec, err := decode.Read(w, off, binary.LittleEndian, "ISO 9660 volume descriptor", vd)
		if err != nil && i == 0 {
			return nil, nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
		}
		if i == 0 && string(w.Bytes()[9:14]) == "CDROM" {
			return nil, nil, fmt.Errorf("High Sierra volume, the format before ISO 9660: %w", decode.ErrUnsupported)
		}
		if i == 0 && string(vd.Identifier[:]) != "CD001" {
			return nil, nil, fmt.Errorf("%w: %w", decode.ErrFormat, rec.Errorf(&vd.Identifier, `"CD001"`, "%q", vd.Identifier[:]))
		}
		if err != nil || vd.Type == 0xff || string(vd.Identifier[:]) != "CD001" {
			break
		}
		switch escape := string(vd.Escape[:3]); {
		case vd.Type == 1 && f.vd == nil:
			f.vd, f.rec = vd, rec
		case vd.Type == 2 && svd == nil && (escape == "%/@" || escape == "%/C" || escape == "%/E"):
			svd, svdRec = vd, rec
		}
	}
	if f.vd == nil {
		return nil, nil, fmt.Errorf("no primary volume descriptor: %w", decode.ErrFormat)
	}
	return svd, svdRec, nil
}

// identify fills what blkid prints (util-linux, libblkid/src/superblocks/iso9660.c): the date of the last
// modification serves as UUID, that of creation when there is none.
func (f *FS) identify(svd *VolumeDescriptor, svdRec *decode.Record) {
	vd := f.vd
	f.info = fsys.Info{Type: "iso9660", Size: int64(vd.SpaceSize) * f.block}
	f.info.UUID = vd.Modified.String()
	f.info.Cites = f.rec.Cite(&vd.Modified)
	if !vd.Modified.set() {
		f.info.UUID = vd.Created.String()
		f.info.Cites = f.rec.Cite(&vd.Created)
	}
	if svd == nil {
		f.info.Label = trim(string(vd.VolumeID[:]))
		f.info.Cites = append(f.info.Cites, f.rec.Cite(&vd.VolumeID)...)
	} else {
		f.info.Label = trim(mergeLabel(svd.VolumeID, vd.VolumeID))
		f.info.Cites = append(f.info.Cites, f.rec.Cite(&vd.VolumeID)...)
		f.info.Cites = append(f.info.Cites, svdRec.Cite(&svd.VolumeID)...)
	}
	if f.info.Size > f.size {
		f.note("ISO 9660: the descriptor counts %d bytes, the medium has %d", f.info.Size, f.size)
	}
}

// trim ends a text at its first zero and drops trailing white space.
func trim(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, " \t\n\v\f\r")
}

// mergeLabel restores a label from its two forms, as libblkid does: Joliet's holds 16 characters of any
// kind, the primary one 32 characters with '_' for those that it cannot write. When they do not belong
// together Joliet's is the label.
func mergeLabel(wide, narrow [32]byte) string {
	var units [16]uint16
	for i := range units {
		units[i] = binary.BigEndian.Uint16(wide[2*i:])
	}
	var out []uint16
	u, a := 0, 0
	for ; u < len(units) && a < len(narrow); u, a = u+1, a+1 {
		if utf16.IsSurrogate(rune(units[u])) && units[u] < 0xdc00 && u+1 < len(units) && units[u+1]>>10 == 0xdc00>>10 {
			out = append(out, units[u])
			u++
		}
		c := uint16(narrow[a])
		switch {
		case c == '_':
			out = append(out, units[u])
		case units[u] == '_':
			out = append(out, c)
		case units[u] < 0x100 && upper(c) == upper(units[u]):
			if upper(c) == c {
				c = units[u]
			}
			out = append(out, c)
		default:
			return string(utf16.Decode(units[:]))
		}
	}
	for ; a < len(narrow); a++ {
		out = append(out, uint16(narrow[a]))
	}
	return string(utf16.Decode(out))
}

func upper(c uint16) uint16 {
	if c < 0x80 {
		return uint16(unicode.ToUpper(rune(c)))
	}
	return c
}

// recordTime reads the seven bytes of a directory record. ECMA-119 section 9.1.5.
func recordTime(d []byte) time.Time {
	offset := int(int8(d[6])) * 15 * 60
	if offset < -48*15*60 || offset > 52*15*60 {
		offset = 0
	}
	t := time.Date(1900+int(d[0]), time.Month(d[1]), int(d[2]), int(d[3]), int(d[4]), int(d[5]), 0, time.UTC)
	return t.Add(-time.Duration(offset) * time.Second)
}

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info { return f.info }

// Descriptor returns the primary volume descriptor and its record.
func (f *FS) Descriptor() (*VolumeDescriptor, *decode.Record) { return f.vd, f.rec }

// Names tells which names the volume shows: "Rock Ridge", "Joliet" or "ISO 9660".
func (f *FS) Names() string {
	switch f.names {
	case rockRidge:
		return "Rock Ridge"
	case joliet:
		return "Joliet"
	}
	return "ISO 9660"
}
