package qcow2

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Fields of L1 and L2 entries. Sections "L1 table entry", "Standard Cluster Descriptor".
const (
	offsetMask     = 0x00fffffffffffe00
	flagCompressed = 1 << 62
	flagCopied     = 1 << 63
	flagZero       = 1 << 0 // version 3 without subclusters
	subclusters    = 32
)

type kind int

const (
	hole      kind = iota // unallocated or zero: reads as zeros, no bytes behind
	stored                // at phys of the file
	packed                // compressed, physLen bytes at phys
	inBacking             // the backing file's bytes at the same place
)

// run is a part of the virtual disk that is of one kind.
type run struct {
	kind    kind
	off, n  int64 // on the virtual disk
	phys    int64
	physLen int64 // of packed
}

// lookup tells about the cluster, or the subclusters of one kind in it, that off lies in; the run starts
// at off.
func (im *Image) lookup(off int64) (run, error) {
	index := off >> im.Header.ClusterBits
	in := off & (im.clusterSize - 1)
	r := run{kind: im.unallocated, off: off, n: im.clusterSize - in}
	l1, err := im.tables.entry(int64(im.Header.L1TableOffset) + index/im.l2Entries*8)
	if err != nil {
		return r, fmt.Errorf("qcow2 L1 table: %w", err)
	}
	l2 := int64(l1 & offsetMask)
	if l2 == 0 {
		// The whole table is missing.
		perTable := im.l2Entries * im.clusterSize
		r.n = perTable - off%perTable
		return r, nil
	}
	if l2&(im.clusterSize-1) != 0 {
		return r, decode.Errorf(im.r, int64(im.Header.L1TableOffset)+index/im.l2Entries*8, 8, "qcow2 L1 entry", "the start of a cluster", "%#x", l2)
	}
	at := l2 + index%im.l2Entries*im.l2EntrySize
	e, err := im.tables.entry(at)
	if err != nil {
		return r, fmt.Errorf("qcow2 L2 table: %w", err)
	}
	if e&flagCompressed != 0 {
		// Section "Compressed Clusters Descriptor": the offset's width depends on the cluster size.
		x := 62 - (im.Header.ClusterBits - 8)
		r.kind, r.phys = packed, int64(e&(1<<x-1))
		sectors := int64(e>>x)&(1<<(62-x)-1) + 1
		r.physLen = sectors*512 - r.phys&511
		return r, nil
	}
	host := int64(e & offsetMask)
	if host&(im.clusterSize-1) != 0 {
		return r, decode.Errorf(im.r, at, 8, "qcow2 L2 entry", "the start of a cluster", "%#x", host)
	}
	if im.l2EntrySize == 16 {
		bitmap, err := im.tables.entry(at + 8)
		if err != nil {
			return r, fmt.Errorf("qcow2 L2 table: %w", err)
		}
		return im.subcluster(r, in, host, bitmap, at)
	}
	switch zero := im.V3 != nil && e&flagZero != 0; {
	case zero:
		r.kind = hole
	case host != 0 || im.data != nil && e&flagCopied != 0: // in a data file a cluster may lie at 0
		r.kind, r.phys = stored, host+in
	}
	return r, nil
}

// subcluster narrows a run to the subclusters of one kind. Section "Extended L2 Entries": bit x tells
// that subcluster x is allocated, bit 32+x that it reads as zeros; both are invalid.
func (im *Image) subcluster(r run, in, host int64, bitmap uint64, at int64) (run, error) {
	size := im.clusterSize / subclusters
	i := in / size
	alloc, zero := uint32(bitmap), uint32(bitmap>>32)
	if alloc&zero != 0 || alloc != 0 && host == 0 && im.data == nil {
		return r, decode.Errorf(im.r, at+8, 8, "qcow2 subcluster bitmap", "allocated or zero, not both", "%#x", bitmap)
	}
	same := alloc >> i
	switch {
	case same&1 != 0:
		r.kind, r.phys = stored, host+in
	case zero>>i&1 != 0:
		r.kind, same = hole, zero>>i
	default:
		same = ^(alloc | zero) >> i
	}
	count := min(int64(bits.TrailingZeros32(^same)), subclusters-i)
	r.n = (i+count)*size - in
	return r, nil
}

// each calls fn for the runs that cover [off, off+n); stored ones that follow each other in the file are
// one.
func (im *Image) each(off, n int64, fn func(run) error) error {
	var last run
	for end := off + n; off < end; {
		r, err := im.lookup(off)
		if err != nil {
			return err
		}
		r.n = min(r.n, end-off)
		off += r.n
		joined := last.n > 0 && last.kind == r.kind && (r.kind == hole || r.kind == inBacking || r.kind == stored && last.phys+last.n == r.phys)
		if joined {
			last.n += r.n
			continue
		}
		if last.n > 0 {
			if err := fn(last); err != nil {
				return err
			}
		}
		last = r
	}
	if last.n > 0 {
		return fn(last)
	}
	return nil
}

// ReadAt reads the virtual disk. As in QEMU, clusters behind the end of the file read as zeros.
func (im *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= im.Size() {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > im.Size()-off {
		p, eof = p[:im.Size()-off], io.EOF
	}
	done := int64(0)
	err := im.each(off, int64(len(p)), func(r run) error {
		q := p[done : done+r.n]
		switch r.kind {
		case hole:
			clear(q)
		case stored:
			from := im.raw
			if im.data != nil {
				from = im.data
			}
			if err := readOrZero(from, q, r.phys); err != nil {
				return err
			}
		case inBacking:
			if err := readOrZero(im.backing, q, r.off); err != nil {
				return err
			}
		case packed:
			data, err := im.unpack(r)
			if err != nil {
				return err
			}
			copy(q, data[r.off&(im.clusterSize-1):])
		}
		done += r.n
		return nil
	})
	if err != nil {
		return int(done), err
	}
	return len(p), eof
}

// readOrZero reads what is there of p; the rest are zeros.
func readOrZero(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if err != nil && err != io.EOF && n < len(p) {
		return err
	}
	clear(p[n:])
	return nil
}

const spansMax = 1 << 16

// From tells which bytes of the file hold [off, off+n) of the virtual disk: for a compressed cluster its
// compressed bytes, for zeros none. At most 65536 spans are listed.
func (im *Image) From(off, n int64) []blob.Span {
	if off < 0 || off >= im.Size() {
		return nil
	}
	var spans []blob.Span
	im.each(off, min(n, im.Size()-off), func(r run) error {
		if len(spans) >= spansMax {
			return io.ErrShortBuffer // ends the walk
		}
		switch r.kind {
		case stored:
			if im.data != nil {
				spans = append(spans, im.data.From(r.phys, r.n)...)
				break
			}
			spans = append(spans, blob.Locate(im.r, r.phys, r.n)...)
		case inBacking:
			spans = append(spans, im.backing.From(r.off, r.n)...)
		case packed:
			spans = append(spans, blob.Locate(im.r, r.phys, r.physLen)...)
		}
		return nil
	})
	return blob.Join(spans)
}

// unpack returns the cluster that a packed run lies in.
func (im *Image) unpack(r run) ([]byte, error) {
	if data := im.unpacked.get(r.phys); data != nil {
		return data, nil
	}
	in := make([]byte, min(r.physLen, max(im.fileSize-r.phys, 0)))
	n, err := im.raw.ReadAt(in, r.phys)
	if err != nil && err != io.EOF && n < len(in) {
		return nil, err
	}
	out := make([]byte, im.clusterSize)
	// The last sector holds bytes of the next cluster too, so the stream's own end is not looked for.
	if err := im.inflate(out, in[:n]); err != nil {
		return nil, decode.Errorf(im.r, r.phys, int64(n), "qcow2 compressed cluster", fmt.Sprintf("%d bytes", len(out)), "%v", err)
	}
	im.unpacked.put(r.phys, out)
	return out, nil
}

func (im *Image) inflate(out, in []byte) error {
	if im.V3 != nil && im.V3.CompressionType == compressZstd {
		if im.zstd == nil {
			z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(64<<20))
			if err != nil {
				return err
			}
			im.zstd = z
		}
		if err := im.zstd.Reset(bytes.NewReader(in)); err != nil {
			return err
		}
		_, err := io.ReadFull(im.zstd, out)
		return err
	}
	if im.flate == nil {
		im.flate = flate.NewReader(nil)
	}
	if err := im.flate.(flate.Resetter).Reset(bytes.NewReader(in), nil); err != nil {
		return err
	}
	_, err := io.ReadFull(im.flate, out)
	return err
}

// pages caches parts of L1 and L2 tables. A table is read in large parts: a call costs more than bytes.
type pages struct {
	r    io.ReaderAt
	size int64
	data map[int64]*list.Element
	lru  *list.List
}

type page struct {
	off  int64
	data []byte
}

const (
	pageMax   = 64 << 10
	pagesHeld = 4 << 20 // bytes
)

func newPages(r io.ReaderAt, clusterSize int64) *pages {
	return &pages{r: r, size: min(clusterSize, pageMax), data: map[int64]*list.Element{}, lru: list.New()}
}

// entry reads the 64-bit number at off, which is a multiple of 8.
func (p *pages) entry(off int64) (uint64, error) {
	at := off &^ (p.size - 1)
	e := p.data[at]
	if e == nil {
		w, err := blob.Window(p.r, at, p.size)
		if err != nil {
			return 0, err
		}
		e = p.lru.PushFront(page{at, w.Bytes()})
		p.data[at] = e
		if int64(p.lru.Len())*p.size > pagesHeld {
			delete(p.data, p.lru.Remove(p.lru.Back()).(page).off)
		}
	}
	p.lru.MoveToFront(e)
	data := e.Value.(page).data
	if off-at+8 > int64(len(data)) {
		return 0, decode.Errorf(p.r, off, 8, "table entry", "8 bytes", "the end of the file")
	}
	return binary.BigEndian.Uint64(data[off-at:]), nil
}

// clusters caches unpacked clusters, the least recently used goes first.
type clusters struct {
	max  int
	data map[int64]*list.Element
	lru  *list.List
}

type cluster struct {
	phys int64
	data []byte
}

const clustersHeld = 16 << 20 // bytes

func newClusters(size int64) *clusters {
	return &clusters{max: max(int(clustersHeld/size), 1), data: map[int64]*list.Element{}, lru: list.New()}
}

func (c *clusters) get(phys int64) []byte {
	e := c.data[phys]
	if e == nil {
		return nil
	}
	c.lru.MoveToFront(e)
	return e.Value.(cluster).data
}

func (c *clusters) put(phys int64, data []byte) {
	if c.lru.Len() >= c.max {
		delete(c.data, c.lru.Remove(c.lru.Back()).(cluster).phys)
	}
	c.data[phys] = c.lru.PushFront(cluster{phys, data})
}
