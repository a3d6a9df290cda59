// Package qcow2 reads QEMU's copy-on-write disk images: the file holds only the clusters that were
// written, two levels of tables say where.
//
// Specification: QEMU, docs/interop/qcow2.rst (version 7.2). Images are only read, as QEMU reads them: one
// that is marked dirty or corrupt is, one that needs a passphrase, or another file that is not there, is not.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// Header is common to versions 2 and 3. Section "Header". All numbers are big-endian.
type Header struct {
	Magic                 [4]byte `at:"0x00"` // "QFI\xfb"
	Version               uint32  `at:"0x04"` // 2 or 3
	BackingFileOffset     uint64  `at:"0x08"` // 0: no backing file
	BackingFileSize       uint32  `at:"0x10"` // bytes of its name
	ClusterBits           uint32  `at:"0x14"` // log2 of the cluster size: 9 to 21
	Size                  uint64  `at:"0x18"` // of the virtual disk, bytes
	CryptMethod           uint32  `at:"0x20"` // 0 none, 1 AES, 2 LUKS
	L1Size                uint32  `at:"0x24"` // entries
	L1TableOffset         uint64  `at:"0x28"`
	RefcountTableOffset   uint64  `at:"0x30"`
	RefcountTableClusters uint32  `at:"0x38"`
	NbSnapshots           uint32  `at:"0x3c"`
	SnapshotsOffset       uint64  `at:"0x40"`
}

// HeaderV3 is what version 3 adds; offsets are those in the file. Section "Additional fields (version 3)".
type HeaderV3 struct {
	IncompatibleFeatures uint64 `at:"0x48"`
	CompatibleFeatures   uint64 `at:"0x50"`
	AutoclearFeatures    uint64 `at:"0x58"`
	RefcountOrder        uint32 `at:"0x60"`
	HeaderLength         uint32 `at:"0x64"`
	CompressionType      uint8  `at:"0x68"` // 0 deflate, 1 zstd; there when HeaderLength is over 104
}

// Incompatible features: who does not know one must not open the image.
const (
	featureDirty       = 1 << 0
	featureCorrupt     = 1 << 1
	featureDataFile    = 1 << 2
	featureCompression = 1 << 3
	featureExtendedL2  = 1 << 4
	featuresKnown      = 1<<5 - 1
)

const (
	compressDeflate = 0
	compressZstd    = 1
)

// Extension is a header extension. Section "Header extensions".
type Extension struct {
	Type uint32
	Name string // what the specification calls it
	Off  int64  // of its data in the file
	Len  int64
}

// Limits of QEMU (block/qcow2.h) and of sense.
const (
	clusterBitsMin = 9
	clusterBitsMax = 21
	l1Max          = 32 << 20 // bytes, QCOW_MAX_L1_SIZE
	extensionsMax  = 64
	backingNameMax = 1023
)

// Image is an opened image; it reads as the virtual disk.
type Image struct {
	Header     Header
	V3         *HeaderV3 // nil for version 2
	Record     *decode.Record
	RecordV3   *decode.Record
	Extensions []Extension
	Notes      []string

	r        io.ReaderAt // tables are read here
	raw      io.ReaderAt // and clusters here, so that a slice does not keep them twice
	fileSize int64

	clusterSize int64
	l2Entries   int64 // per table
	l2EntrySize int64 // 16 with subclusters
	tables      *pages
	unpacked    *clusters
	flate       io.ReadCloser
	zstd        *zstd.Decoder

	data        disk.Virtual // where clusters lie; nil: in this file
	backing     disk.Virtual // what unallocated clusters show; nil without a backing file
	unallocated kind
}

// Beside opens another file that an image names: format is "raw", "qcow2" … or "" when the image does not
// say.
type Beside func(name, format string) (disk.Virtual, error)

// Open is [OpenWith] without other files.
func Open(r io.ReaderAt, size int64) (*Image, error) { return OpenWith(r, size, nil) }

// OpenWith reads the header of an image whose file has size bytes, and opens the files that it needs. The
// error wraps [decode.ErrFormat] when it is no qcow2 image, and [decode.ErrUnsupported] when it is one that
// cannot be read.
func OpenWith(r io.ReaderAt, size int64, beside Beside) (*Image, error) {
	im := &Image{r: r, raw: r, fileSize: size}
	if b, ok := r.(*blob.Blob); ok {
		im.raw = blob.Raw(b)
	}
	h := &im.Header
	var magic [4]byte
	if n, _ := r.ReadAt(magic[:], 0); n < len(magic) || string(magic[:]) != "QFI\xfb" {
		return nil, fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, 4, "qcow2 header: Magic", `"QFI\xfb"`, "%q", magic[:n]))
	}
	w, err := blob.Window(r, 0, 512)
	if err != nil {
		return nil, fmt.Errorf("qcow2 header: %w", err)
	}
	if im.Record, err = decode.Read(w, 0, binary.BigEndian, "qcow2 header", h); err != nil {
		return nil, err
	}
	switch h.Version {
	case 2:
	case 3:
		im.V3 = new(HeaderV3)
		if im.RecordV3, err = decode.Read(w, 0, binary.BigEndian, "qcow2 header", im.V3); err != nil {
			return nil, err
		}
	case 1:
		return nil, fmt.Errorf("qcow image, the format before qcow2: %w", decode.ErrUnsupported)
	default:
		return nil, fmt.Errorf("qcow2 version %d: %w", h.Version, decode.ErrUnsupported)
	}
	if err := im.check(); err != nil {
		return nil, err
	}
	if err := im.extensions(); err != nil {
		return nil, err
	}
	if err := im.refuse(); err != nil {
		return nil, err
	}
	if err := im.openOthers(beside); err != nil {
		return nil, err
	}
	if h.NbSnapshots > 0 {
		im.Notes = append(im.Notes, fmt.Sprintf("qcow2: %d internal snapshots, the current state is read", h.NbSnapshots))
	}
	im.tables = newPages(r, im.clusterSize)
	im.unpacked = newClusters(im.clusterSize)
	return im, nil
}

// check holds the sizes against each other before any is believed.
func (im *Image) check() error {
	h := &im.Header
	if h.ClusterBits < clusterBitsMin || h.ClusterBits > clusterBitsMax {
		return im.Record.Errorf(&h.ClusterBits, "9 to 21", "%d", h.ClusterBits)
	}
	im.clusterSize = 1 << h.ClusterBits
	im.l2EntrySize = 8
	if v := im.V3; v != nil {
		if v.HeaderLength < 104 || int64(v.HeaderLength) > im.clusterSize || v.HeaderLength%8 != 0 {
			return im.RecordV3.Errorf(&v.HeaderLength, "a multiple of 8 from 104 to the cluster size", "%d", v.HeaderLength)
		}
		if v.HeaderLength == 104 {
			v.CompressionType = compressDeflate // the byte behind is not part of the header
		}
		if v.IncompatibleFeatures&featureExtendedL2 != 0 {
			im.l2EntrySize = 16
		}
	}
	im.l2Entries = im.clusterSize / im.l2EntrySize
	if int64(h.L1Size)*8 > l1Max {
		return im.Record.Errorf(&h.L1Size, fmt.Sprintf("at most %d entries", l1Max/8), "%d", h.L1Size)
	}
	covered := uint64(h.L1Size) * uint64(im.l2Entries) << h.ClusterBits
	if h.Size > covered || h.Size > 1<<62 {
		return im.Record.Errorf(&h.Size, fmt.Sprintf("at most %d, what %d L1 entries cover", covered, h.L1Size), "%d", h.Size)
	}
	if h.L1Size > 0 && (h.L1TableOffset%uint64(im.clusterSize) != 0 || h.L1TableOffset >= uint64(im.fileSize)) {
		return im.Record.Errorf(&h.L1TableOffset, "the start of a cluster of the file", "%#x", h.L1TableOffset)
	}
	return nil
}

// extensions lists the header extensions, which follow the header up to the first cluster's end.
func (im *Image) extensions() error {
	off, end := int64(72), im.clusterSize
	if im.V3 != nil {
		off = int64(im.V3.HeaderLength)
	}
	if im.Header.BackingFileOffset != 0 {
		end = min(end, int64(im.Header.BackingFileOffset&(1<<62-1)))
	}
	w, err := blob.Window(im.r, 0, min(im.clusterSize, 4096))
	if err != nil {
		return fmt.Errorf("qcow2 header extensions: %w", err)
	}
	for range extensionsMax {
		type head struct {
			Type uint32 `at:"0x00"`
			Len  uint32 `at:"0x04"`
		}
		h := new(head)
		if off+8 > end {
			return nil
		}
		if _, err := decode.Read(w, off, binary.BigEndian, "qcow2 header extension", h); err != nil || h.Type == 0 {
			return nil // QEMU writes the end marker always; the cluster's end ends the list too
		}
		if off+8+int64(h.Len) > end {
			return decode.Errorf(w, off+4, 4, "qcow2 header extension: Len", "an end inside the first cluster", "%d", h.Len)
		}
		im.Extensions = append(im.Extensions, Extension{h.Type, extensionName(h.Type), off + 8, int64(h.Len)})
		off += 8 + (int64(h.Len)+7)&^7
	}
	return nil
}

func extensionName(t uint32) string {
	switch t {
	case backingFormat:
		return "Backing file format name"
	case 0x6803f857:
		return "Feature name table"
	case 0x23852875:
		return "Bitmaps extension"
	case 0x0537be77:
		return "Full disk encryption header pointer"
	case dataFileName:
		return "External data file name"
	}
	return fmt.Sprintf("%#08x", t)
}

// decryptFirst is what to do with an encrypted image.
const decryptFirst = `"qemu-img convert" with its passphrase makes a plain one`

// refuse names what an image needs that is not in its file.
func (im *Image) refuse() error {
	h := &im.Header
	switch h.CryptMethod {
	case 0:
	case 1:
		return fmt.Errorf("qcow2 image encrypted with AES, %s: %w", decryptFirst, decode.ErrUnsupported)
	case 2:
		return fmt.Errorf("qcow2 image encrypted with LUKS, %s: %w", decryptFirst, decode.ErrUnsupported)
	default:
		return im.Record.Errorf(&h.CryptMethod, "0, 1 or 2", "%d", h.CryptMethod)
	}
	v := im.V3
	if v == nil {
		return nil
	}
	f := v.IncompatibleFeatures
	switch {
	case f&^featuresKnown != 0:
		return fmt.Errorf("qcow2 image with unknown incompatible features %#x%s: %w", f&^featuresKnown, im.featureNames(f&^featuresKnown), decode.ErrUnsupported)
	case v.CompressionType > compressZstd:
		return fmt.Errorf("qcow2 image with compression type %d: %w", v.CompressionType, decode.ErrUnsupported)
	}
	// Both only keep others from writing: QEMU opens such an image read-only (block/qcow2.c, qcow2_do_open).
	if f&featureCorrupt != 0 {
		im.Notes = append(im.Notes, "qcow2: marked corrupt; QEMU opens it read-only until qemu-img check -r repairs it")
	}
	if f&featureDirty != 0 {
		im.Notes = append(im.Notes, "qcow2: marked dirty, its last writer did not close it; QEMU repairs it before it writes")
	}
	return nil
}

// Extension types.
const (
	backingFormat = 0xe2792aca
	dataFileName  = 0x44415441
)

// openOthers opens the backing file and the external data file.
func (im *Image) openOthers(beside Beside) error {
	open := func(what, name, format string) (disk.Virtual, error) {
		if beside != nil {
			d, err := beside(name, format)
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				return d, err
			}
		}
		return nil, fmt.Errorf("qcow2 image that needs its %s %q: give both files together: %w", what, name, decode.ErrUnsupported)
	}
	h := &im.Header
	if h.BackingFileOffset != 0 {
		name := im.text(int64(h.BackingFileOffset&(1<<62-1)), min(int64(h.BackingFileSize), backingNameMax))
		below, err := open("backing file", name, im.extensionText(backingFormat))
		if err != nil {
			return err
		}
		im.backing, im.unallocated = below, inBacking
		im.Notes = append(im.Notes, fmt.Sprintf("qcow2: what it does not hold comes from its backing file %q", name))
	}
	if v := im.V3; v != nil && v.IncompatibleFeatures&featureDataFile != 0 {
		data, err := open("external data file", im.extensionText(dataFileName), "raw")
		if err != nil {
			return err
		}
		im.data = data
	}
	return nil
}

// text reads n bytes of text at off, as far as they are there.
func (im *Image) text(off, n int64) string {
	w, err := blob.Window(im.r, off, n)
	if err != nil {
		return ""
	}
	return string(w.Bytes())
}

func (im *Image) extensionText(kind uint32) string {
	for _, e := range im.Extensions {
		if e.Type == kind {
			return im.text(e.Off, min(e.Len, backingNameMax))
		}
	}
	return ""
}

// featureNames looks the bits up in the image's own feature name table: entries of 48 bytes, kind, bit,
// name.
func (im *Image) featureNames(bits uint64) string {
	table := im.extensionText(0x6803f857)
	var names []string
	for ; len(table) >= 48; table = table[48:] {
		if table[0] == 0 && table[1] < 64 && bits>>table[1]&1 != 0 {
			names = append(names, strings.TrimRight(table[2:48], "\x00"))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%q)", names)
}

// Size is the length of the virtual disk in bytes.
func (im *Image) Size() int64 { return int64(im.Header.Size) }

// ClusterSize is the unit of allocation in bytes.
func (im *Image) ClusterSize() int64 { return im.clusterSize }
