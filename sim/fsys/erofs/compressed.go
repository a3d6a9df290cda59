package erofs

import (
	"encoding/binary"
	"fmt"
	"io"
	"sort"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// place is a run of compressed bytes and the length that they unpack to.
type place struct {
	off, n, size int64
}

// extent is a run of a compressed file that was packed at once.
type extent struct {
	off   int64 // in the file
	len   int64
	plain bool
	src   place
	algo  uint8 // of Z_EROFS_COMPRESSION_*
}

// packed is the content of a compressed file.
type packed struct {
	f    *FS
	size int64
	ext  []extent
}

// algorithms are the names of Z_EROFS_COMPRESSION_*.
var algorithms = [...]string{"lz4", "lzma", "deflate", "zstd"}

// lcluster is one block of a compressed file: where an extent begins, or what is said of the one at hand.
type lcluster struct {
	kind       uint8
	clusterofs int64
	pblk       int64
	blocks     int64 // of the extent at hand, when this one tells
}

func (l lcluster) head() bool { return l.kind != Z_EROFS_LCLUSTER_TYPE_NONHEAD }

// compressed finds the extents of a compressed file: fs/erofs/zmap.c.
func (f *FS) compressed(in *inode) (fsys.Content, error) {
	at := (in.behind() + 7) &^ 7
	var h MapHeader
	rec, err := decode.Read(f.r, at, binary.LittleEndian, "erofs map header", &h)
	if err != nil {
		return nil, err
	}
	at += decode.Size(&h)
	const elsewhere = Z_EROFS_ADVISE_FRAGMENT_PCLUSTER | Z_EROFS_ADVISE_INTERLACED_PCLUSTER
	switch {
	case h.H_clusterbits != 0:
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&h.H_clusterbits, "0: logical clusters of one block, outside the packed inode", "%#x", h.H_clusterbits))
	case h.H_advise&elsewhere != 0:
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&h.H_advise, "no end in the packed inode, no interlaced clusters", "%#x", h.H_advise))
	}
	n := (in.size + f.blockSize - 1) / f.blockSize
	if n > chunksMax {
		return nil, fmt.Errorf("a file of %d blocks: %w", n, decode.ErrUnsupported)
	}
	var all []lcluster
	if in.layout == EROFS_INODE_COMPRESSED_FULL {
		all, at, err = f.fullIndex(at+8, n) // 8 bytes are reserved
	} else {
		all, at, err = f.compactIndex(at, n, &h)
	}
	if err != nil {
		return nil, err
	}
	p := &packed{f: f, size: in.size}
	if err := p.join(all, &h, at); err != nil {
		return nil, err
	}
	return p, nil
}

// fullIndex reads n records of 8 bytes; it returns where they end.
func (f *FS) fullIndex(at, n int64) ([]lcluster, int64, error) {
	var out []lcluster
	for range n {
		var x LclusterIndex
		rec, err := decode.Read(f.r, at, binary.LittleEndian, "erofs block index", &x)
		if err != nil {
			return nil, 0, err
		}
		l := lcluster{kind: uint8(x.Di_advise & 3)}
		if l.head() {
			l.clusterofs, l.pblk = int64(x.Di_clusterofs), int64(x.Di_u[1])<<16|int64(x.Di_u[0])
			if l.clusterofs >= f.blockSize {
				return nil, 0, rec.Errorf(&x.Di_clusterofs, "an offset in a block", "%d", l.clusterofs)
			}
		} else if x.Di_u[0]&Z_EROFS_LI_D0_CBLKCNT != 0 {
			l.blocks = int64(x.Di_u[0] &^ Z_EROFS_LI_D0_CBLKCNT)
		}
		out = append(out, l)
		at += decode.Size(&x)
	}
	return out, at, nil
}

// compactIndex reads packs of 2 entries in 8 bytes and, when the file says so, of 16 in 32 where these are
// aligned; it returns where they end.
func (f *FS) compactIndex(at, n int64, h *MapHeader) ([]lcluster, int64, error) {
	// Packs of 8 bytes up to an alignment of 32.
	first := (32 - at%32) % 32 / 4
	small := int64(0)
	if h.H_advise&Z_EROFS_ADVISE_COMPACTED_2B != 0 && first < n {
		small = (n - first) &^ 15
	}
	if small > 0 && f.blockSize != 4096 || f.blockSize > 1<<14 {
		return nil, 0, fmt.Errorf("compact indexes of blocks of %d bytes: %w", f.blockSize, decode.ErrUnsupported)
	}
	var out []lcluster
	for i := int64(0); i < n; {
		size, count := int64(8), int64(2)
		if i >= first && i < first+small {
			size, count = 32, 16
		}
		raw := make([]byte, size)
		if got, err := f.r.ReadAt(raw, at); got < len(raw) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, 0, fmt.Errorf("compact index at %#x: %w", at, err)
		}
		out = append(out, f.unpackIndex(raw, count, h)...)
		i, at = i+count, at+size
	}
	return out[:n], at, nil
}

// unpackIndex decodes a pack of count entries: bit fields of a type and an offset or a distance, and at the
// end the address that its heads count from. Which blocks belong to heads before an entry decides about its
// own: unpack_compacted_index.
func (f *FS) unpackIndex(raw []byte, count int64, h *MapHeader) []lcluster {
	const addrLen = 4
	big := h.H_advise&Z_EROFS_ADVISE_BIG_PCLUSTER_1 != 0
	width := (int64(len(raw)) - addrLen) * 8 / count
	lobits := max(int64(f.sb.Blkszbits), 12) // room for Z_EROFS_LI_D0_CBLKCNT
	base := int64(binary.LittleEndian.Uint32(raw[len(raw)-addrLen:]))
	used := int64(0)
	if !big {
		used = 1
	}
	out := make([]lcluster, count)
	for i := range out {
		pos := int64(i) * width
		v := int64(binary.LittleEndian.Uint32(raw[pos/8:])) >> (pos & 7)
		lo := v & (1<<lobits - 1)
		l := lcluster{kind: uint8(v >> lobits & 3)}
		switch {
		case l.head():
			l.clusterofs, l.pblk = lo, base+used
			used++
		case lo&Z_EROFS_LI_D0_CBLKCNT != 0:
			l.blocks = lo &^ Z_EROFS_LI_D0_CBLKCNT
			used += l.blocks
			if i > 0 && out[i-1].head() {
				used-- // the head before counted as one
			}
		}
		out[i] = l
	}
	return out
}

// join makes extents of the blocks: each reaches to the next head. end is where the index ends: there lies
// the file's last extent when it is kept beside the inode.
func (p *packed) join(all []lcluster, h *MapHeader, end int64) error {
	f := p.f
	for i, l := range all {
		if !l.head() {
			if len(p.ext) == 0 {
				return fmt.Errorf("compressed block %d: %w", i, decode.Errorf(f.r, end, 1, "block index", "a head first", "a block of another"))
			}
			if i > 0 && all[i-1].head() && l.blocks > 0 {
				p.ext[len(p.ext)-1].src.n = l.blocks * f.blockSize
			}
			continue
		}
		e := extent{off: int64(i)*f.blockSize + l.clusterofs, plain: l.kind == Z_EROFS_LCLUSTER_TYPE_PLAIN}
		e.src = place{off: l.pblk * f.blockSize, n: f.blockSize}
		if e.algo = h.H_algorithmtype & 15; l.kind == Z_EROFS_LCLUSTER_TYPE_HEAD2 {
			e.algo = h.H_algorithmtype >> 4
		}
		if e.off < p.size {
			p.ext = append(p.ext, e)
		}
	}
	if len(p.ext) > 0 && p.ext[0].off != 0 {
		return decode.Errorf(f.r, end, 1, "block index", "a head at the file's start", "one at %d", p.ext[0].off)
	}
	for i := range p.ext {
		e := &p.ext[i]
		e.len = p.size - e.off
		if i+1 < len(p.ext) {
			e.len = p.ext[i+1].off - e.off
		} else if h.H_advise&Z_EROFS_ADVISE_INLINE_PCLUSTER != 0 {
			e.src.off, e.src.n = end, int64(h.H_idata_size)
		}
		e.src.size = e.len
		if err := p.check(e); err != nil {
			return err
		}
	}
	return nil
}

// check refuses an extent that cannot be, or cannot be unpacked.
func (p *packed) check(e *extent) error {
	what := "compressed extent"
	switch {
	case e.len <= 0 || e.len > Z_EROFS_PCLUSTER_MAX_DSIZE || e.plain && e.len > e.src.n:
		return decode.Errorf(p.f.r, e.src.off, e.src.n, what, "a length from 1 byte to 12 MiB", "%d", e.len)
	case e.src.n <= 0 || e.src.n > Z_EROFS_PCLUSTER_MAX_SIZE || e.src.off > p.f.size-e.src.n:
		return decode.Errorf(p.f.r, e.src.off, max(e.src.n, 1), what, "1 byte to 1 MiB inside the volume", "%d bytes at %#x", e.src.n, e.src.off)
	case !e.plain && e.algo != 0:
		name := fmt.Sprintf("algorithm %d", e.algo)
		if int(e.algo) < len(algorithms) {
			name = algorithms[e.algo]
		}
		return fmt.Errorf("compressed with %s: %w", name, decode.ErrUnsupported)
	case !e.plain && e.len > 256*e.src.n:
		return decode.Errorf(p.f.r, e.src.off, e.src.n, what, "at most 256 times its compressed bytes", "%d", e.len)
	}
	return nil
}

// Size implements [blob.Sized].
func (p *packed) Size() int64 { return p.size }

// each calls fn for the extents that hold the n bytes at off, with the part of each.
func (p *packed) each(off, n int64, fn func(e *extent, at, n int64) error) error {
	i := sort.Search(len(p.ext), func(i int) bool { return p.ext[i].off+p.ext[i].len > off })
	for ; n > 0 && i < len(p.ext); i++ {
		e := &p.ext[i]
		take := min(n, e.off+e.len-off)
		if err := fn(e, off-e.off, take); err != nil {
			return err
		}
		off, n = off+take, n-take
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (p *packed) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= p.size {
		return 0, io.EOF
	}
	done := 0
	err := p.each(off, int64(len(b)), func(e *extent, at, n int64) error {
		data, err := p.f.unpack(e)
		if err == nil {
			done += copy(b[done:], data[at:at+n])
		}
		return err
	})
	if err == nil && done < len(b) {
		err = io.EOF
	}
	return done, err
}

// Locate implements [blob.Locator]. Bytes of a compressed extent came from the whole of it.
func (p *packed) Locate(off, n int64) []blob.Span {
	if off < 0 || off >= p.size {
		return nil
	}
	var out []blob.Span
	p.each(off, n, func(e *extent, at, n int64) error {
		if e.plain {
			out = append(out, blob.Locate(p.f.r, e.src.off+at, n)...)
		} else {
			out = append(out, blob.Locate(p.f.r, e.src.off, e.src.n)...)
		}
		return nil
	})
	return blob.Join(out)
}

// unpack returns the bytes of an extent.
func (f *FS) unpack(e *extent) ([]byte, error) {
	if b, ok := f.unpacked.Get(e.src); ok {
		return b, nil
	}
	src := make([]byte, e.src.n)
	if n, err := f.r.ReadAt(src, e.src.off); n < len(src) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("compressed extent at %#x: %w", e.src.off, err)
	}
	out := src[:min(e.len, e.src.n)]
	if !e.plain {
		if f.sb.Feature_incompat&incompatZeroPadding != 0 { // zeros stand before the content
			for len(src) > 0 && src[0] == 0 {
				src = src[1:]
			}
		}
		out = make([]byte, e.len)
		if n := unLZ4(out, src); n < len(out) {
			return nil, decode.Errorf(f.r, e.src.off, e.src.n, "compressed extent", fmt.Sprintf("LZ4 data of %d bytes", len(out)), "an error after %d", n)
		}
	}
	f.unpacked.Put(e.src, out)
	return out, nil
}
