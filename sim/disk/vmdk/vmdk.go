// Package vmdk reads VMware's disk images: a sparse extent, whose grains a directory and tables find, plain
// (monolithicSparse) or compressed (streamOptimized, as in an OVA), and a descriptor with the files that it
// names (monolithicFlat, twoGbMaxExtentFlat, twoGbMaxExtentSparse).
//
// Specification: VMware, Virtual Disk Format 5.0. A disk with a parent and the sparse formats of ESX are
// refused by name.
package vmdk

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/sparse"
)

// Header is SparseExtentHeader; a stream repeats it in its footer. Section "Hosted Sparse Extents". All
// numbers are little-endian, offsets and sizes are in sectors of 512 bytes.
type Header struct {
	Magic              [4]byte `at:"0x00"` // "KDMV"
	Version            uint32  `at:"0x04"` // 1, 2 or 3
	Flags              uint32  `at:"0x08"`
	Capacity           uint64  `at:"0x0c"` // of the virtual disk
	GrainSize          uint64  `at:"0x14"`
	DescriptorOffset   uint64  `at:"0x1c"` // 0: no descriptor embedded
	DescriptorSize     uint64  `at:"0x24"`
	NumGTEsPerGT       uint32  `at:"0x2c"` // entries of a grain table
	RGDOffset          uint64  `at:"0x30"` // of the redundant grain directory
	GDOffset           uint64  `at:"0x38"` // of the grain directory; all ones: see the footer
	OverHead           uint64  `at:"0x40"`
	UncleanShutdown    uint8   `at:"0x48"`
	SingleEndLineChar  uint8   `at:"0x49"` // "\n", " ", "\r", "\n": broken by a transfer as text
	NonEndLineChar     uint8   `at:"0x4a"`
	DoubleEndLineChar1 uint8   `at:"0x4b"`
	DoubleEndLineChar2 uint8   `at:"0x4c"`
	CompressAlgorithm  uint16  `at:"0x4d"` // 0 none, 1 deflate
}

// Marker stands in front of a compressed grain, and with Size 0 of other parts of a stream. Section
// "Stream-Optimized Compressed Sparse Extents".
type Marker struct {
	Value uint64 `at:"0x00"` // sector on the virtual disk
	Size  uint32 `at:"0x08"` // bytes of data that follow
}

// endMarker is a marker whose Size is 0.
type endMarker struct {
	Value uint64 `at:"0x00"`
	Size  uint32 `at:"0x08"`
	Type  uint32 `at:"0x0c"` // 0 end of stream, 3 footer
}

// Flags of the header.
const (
	flagNewLineTest = 1 << 0
	flagZeroGrain   = 1 << 2
	flagCompressed  = 1 << 16
	flagMarkers     = 1 << 17
)

const (
	magic         = "KDMV"
	gdAtEnd       = 1<<64 - 1
	zeroGrain     = 1 // a table's entry
	sectorSize    = 512
	markerSize    = 12
	markerFooter  = 3
	grainMax      = 1 << 16 // sectors
	capacityMax   = 1 << 41 // sectors: 1 PiB
	gtesMax       = 512
	deflateAlgo   = 1
	grainsUnpack  = 16 << 20 // bytes of unpacked grains held
	packedExtra   = 4096     // bytes that deflate may add to a grain
	esxMagic      = "COWD"
	seSparseMagic = "\xbe\xba\xfe\xca\x00\x00\x00\x00"
)

// Image is an opened image; it reads as the virtual disk.
type Image struct {
	*sparse.Disk
	Header     Header // of a stream the footer
	Record     *decode.Record
	Descriptor *Descriptor // nil without one
	Notes      []string

	r, raw   io.ReaderAt
	fileSize int64
	grain    int64 // bytes
	tables   *sparse.Table
	markers  *sparse.Table
	unpacked *sparse.Cache
}

// Open reads the header of an image whose file has size bytes. The error wraps [decode.ErrFormat] when it
// is no VMDK file, and [decode.ErrUnsupported] when it is one that cannot be read alone.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	if err := probe(r, size); err != nil {
		return nil, err
	}
	im := &Image{r: r, raw: sparse.Raw(r), fileSize: size}
	if err := im.readHeader(0, "vmdk header"); err != nil {
		return nil, err
	}
	if err := im.readDescriptor(); err != nil {
		return nil, err
	}
	if im.Header.GDOffset == gdAtEnd {
		if err := im.readFooter(); err != nil {
			return nil, err
		}
	}
	if err := im.check(); err != nil {
		return nil, err
	}
	if im.Header.UncleanShutdown != 0 {
		im.Notes = append(im.Notes, "vmdk: its last writer did not close it")
	}
	im.tables = sparse.NewTable(r, "vmdk grain table", 4096)
	im.markers = sparse.NewTable(r, "vmdk grain marker", 16)
	im.unpacked = sparse.NewCache(int(grainsUnpack / im.grain))
	im.Disk = sparse.New(r, im.raw, int64(im.Header.Capacity)*sectorSize, im.lookup, im.unpack)
	return im, nil
}

// probe tells other files, and those of the format's relatives, from a hosted sparse extent.
func probe(r io.ReaderAt, size int64) error {
	var head [8]byte
	n, _ := r.ReadAt(head[:], 0)
	switch {
	case n == len(head) && string(head[:4]) == magic:
		return nil
	case n == len(head) && string(head[:4]) == esxMagic:
		return fmt.Errorf("vmdk sparse extent of ESX (%q): %w", esxMagic, decode.ErrUnsupported)
	case n == len(head) && string(head[:]) == seSparseMagic:
		return fmt.Errorf("vmdk space-efficient sparse extent of ESX: %w", decode.ErrUnsupported)
	case n > 0 && head[0] == '#' && isDescriptor(r):
		d, err := readDescriptor(r, 0, size)
		if err != nil {
			return err
		}
		return d.refuse(false)
	}
	return fmt.Errorf("%w: %w", decode.ErrFormat, decode.Errorf(r, 0, 4, "vmdk header: Magic", `"KDMV"`, "%q", head[:min(n, 4)]))
}

func (im *Image) readHeader(off int64, name string) error {
	w, err := blob.Window(im.r, off, sectorSize)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h := &im.Header
	if im.Record, err = decode.Read(w, off, binary.LittleEndian, name, h); err != nil {
		return err
	}
	switch {
	case string(h.Magic[:]) != magic:
		return im.Record.Errorf(&h.Magic, `"KDMV"`, "%q", h.Magic)
	case h.Version == 0 || h.Version > 3:
		return fmt.Errorf("vmdk version %d: %w", h.Version, decode.ErrUnsupported)
	case h.Flags&flagNewLineTest != 0 && [4]uint8{h.SingleEndLineChar, h.NonEndLineChar, h.DoubleEndLineChar1, h.DoubleEndLineChar2} != [4]uint8{'\n', ' ', '\r', '\n'}:
		return im.Record.Errorf(&h.SingleEndLineChar, "the line ends 0a 20 0d 0a, which a transfer as text changes", "%02x %02x %02x %02x",
			h.SingleEndLineChar, h.NonEndLineChar, h.DoubleEndLineChar1, h.DoubleEndLineChar2)
	}
	return nil
}

// readDescriptor reads the embedded descriptor, which tells whether this file is the whole disk.
func (im *Image) readDescriptor() error {
	h := &im.Header
	const without = "vmdk: no descriptor, the file may be one extent of several"
	if h.DescriptorOffset == 0 {
		im.Notes = append(im.Notes, without)
		return nil
	}
	if h.DescriptorOffset >= uint64(im.fileSize)/sectorSize {
		return im.Record.Errorf(&h.DescriptorOffset, fmt.Sprintf("a sector of the file's %d", im.fileSize/sectorSize), "%d", h.DescriptorOffset)
	}
	d, err := readDescriptor(im.r, int64(h.DescriptorOffset)*sectorSize, int64(min(h.DescriptorSize, descriptorMax/sectorSize))*sectorSize)
	if err != nil {
		return err
	}
	if d.CreateType == "" && len(d.Extents) == 0 && h.Capacity != 0 { // QEMU leaves room for one in every extent
		im.Notes = append(im.Notes, without)
		return nil
	}
	im.Descriptor = d
	return d.refuse(h.Capacity != 0) // without sectors of its own it is the descriptor only
}

// readFooter reads the header again from the footer of a stream: the three last sectors are a marker, the
// footer and the marker of the stream's end.
func (im *Image) readFooter() error {
	at := im.fileSize - 3*sectorSize
	if at <= 0 {
		return im.Record.Errorf(&im.Header.GDOffset, "a footer at the end of the stream", "a file of %d bytes", im.fileSize)
	}
	for _, want := range []struct {
		off int64
		typ uint32
	}{{at, markerFooter}, {at + 2*sectorSize, 0}} {
		m := new(endMarker)
		rec, err := decode.Read(im.r, want.off, binary.LittleEndian, "vmdk footer marker", m)
		if err != nil {
			return err
		}
		if m.Size != 0 || m.Type != want.typ {
			return rec.Errorf(&m.Type, fmt.Sprintf("size 0 and type %d around the footer at the end of the stream", want.typ), "size %d and type %d", m.Size, m.Type)
		}
	}
	if err := im.readHeader(at+sectorSize, "vmdk footer"); err != nil {
		return err
	}
	if im.Header.GDOffset == gdAtEnd {
		return im.Record.Errorf(&im.Header.GDOffset, "the sector of the grain directory", "%#x", im.Header.GDOffset)
	}
	return nil
}

// check holds the sizes against each other before any is believed.
func (im *Image) check() error {
	h, rec := &im.Header, im.Record
	switch {
	case h.GrainSize == 0 || h.GrainSize > grainMax || h.GrainSize&(h.GrainSize-1) != 0:
		return rec.Errorf(&h.GrainSize, fmt.Sprintf("a power of two up to %d", grainMax), "%d", h.GrainSize)
	case h.NumGTEsPerGT == 0 || h.NumGTEsPerGT > gtesMax:
		return rec.Errorf(&h.NumGTEsPerGT, fmt.Sprintf("1 to %d", gtesMax), "%d", h.NumGTEsPerGT)
	case h.Capacity > capacityMax:
		return rec.Errorf(&h.Capacity, fmt.Sprintf("at most %d sectors", int64(capacityMax)), "%d", h.Capacity)
	}
	im.grain = int64(h.GrainSize) * sectorSize
	perTable := h.GrainSize * uint64(h.NumGTEsPerGT)
	entries := (h.Capacity + perTable - 1) / perTable
	if h.GDOffset > uint64(im.fileSize)/sectorSize || int64(h.GDOffset)*sectorSize+int64(entries)*4 > im.fileSize {
		return rec.Errorf(&h.GDOffset, fmt.Sprintf("room for %d entries in the file of %d bytes", entries, im.fileSize), "sector %#x", h.GDOffset)
	}
	if h.Flags&flagCompressed == 0 {
		return nil
	}
	switch {
	case h.CompressAlgorithm != deflateAlgo:
		return fmt.Errorf("vmdk compression algorithm %d: %w", h.CompressAlgorithm, decode.ErrUnsupported)
	case h.Flags&flagMarkers == 0:
		return fmt.Errorf("vmdk compressed grains without markers: %w", decode.ErrUnsupported)
	}
	return nil
}

// lookup follows the grain directory and a grain table; both hold sectors of the file.
func (im *Image) lookup(off int64) (sparse.Run, error) {
	h := &im.Header
	index := off / im.grain
	in := off % im.grain
	run := sparse.Run{N: im.grain - in, Start: off - in}
	perTable := int64(h.NumGTEsPerGT)
	at := int64(h.GDOffset)*sectorSize + index/perTable*4
	table, err := im.entry(at)
	if err != nil {
		return run, err
	}
	if table == 0 {
		// The whole table is missing.
		run.N = perTable*im.grain - off%(perTable*im.grain)
		return run, nil
	}
	at = table*sectorSize + index%perTable*4
	grain, err := im.entry(at)
	if err != nil {
		return run, err
	}
	if grain == 0 || grain == zeroGrain && h.Flags&flagZeroGrain != 0 {
		return run, nil
	}
	run.Phys = grain * sectorSize
	if run.Phys >= im.fileSize {
		return run, decode.Errorf(im.r, at, 4, "vmdk grain table entry", fmt.Sprintf("a grain inside the file of %d bytes", im.fileSize), "sector %#x", grain)
	}
	if h.Flags&flagCompressed != 0 {
		return im.packed(run)
	}
	run.Kind, run.Phys = sparse.Stored, run.Phys+in
	return run, nil
}

func (im *Image) entry(at int64) (int64, error) {
	data, err := im.tables.At(at, 4)
	if err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint32(data)), nil
}

// packed reads the marker in front of a compressed grain.
func (im *Image) packed(run sparse.Run) (sparse.Run, error) {
	m := new(Marker)
	rec, err := decode.Read(im.markers, run.Phys, binary.LittleEndian, "vmdk grain marker", m)
	if err != nil {
		return run, err
	}
	switch {
	case m.Value != uint64(run.Start/sectorSize):
		return run, rec.Errorf(&m.Value, fmt.Sprintf("sector %d of the disk", run.Start/sectorSize), "%d", m.Value)
	case m.Size == 0 || int64(m.Size) > im.grain+packedExtra:
		return run, rec.Errorf(&m.Size, fmt.Sprintf("1 to %d bytes", im.grain+packedExtra), "%d", m.Size)
	}
	run.Kind, run.PhysLen = sparse.Packed, markerSize+int64(m.Size)
	return run, nil
}

// unpack inflates the grain that a run lies in.
func (im *Image) unpack(run sparse.Run) ([]byte, error) {
	if data := im.unpacked.Get(run.Phys); data != nil {
		return data, nil
	}
	in := make([]byte, run.PhysLen)
	n, err := im.raw.ReadAt(in, run.Phys)
	if err != nil && err != io.EOF && n < len(in) {
		return nil, err
	}
	out := make([]byte, min(im.grain, im.Size()-run.Start)) // the last grain may be shorter
	if n < markerSize {
		return nil, decode.Errorf(im.r, run.Phys, run.PhysLen, "vmdk compressed grain", fmt.Sprintf("%d bytes", run.PhysLen), "end after %d", n)
	}
	z, err := zlib.NewReader(bytes.NewReader(in[markerSize:n]))
	if err == nil {
		_, err = io.ReadFull(z, out)
	}
	if err != nil {
		return nil, decode.Errorf(im.r, run.Phys, run.PhysLen, "vmdk compressed grain", fmt.Sprintf("%d bytes", len(out)), "%v", err)
	}
	im.unpacked.Put(run.Phys, out)
	return out, nil
}
