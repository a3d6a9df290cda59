package btrfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// packedMax is the longest compressed extent, packed or unpacked: BTRFS_MAX_COMPRESSED is 128 KiB. An inline
// extent is shorter than a node.
const packedMax = 128 << 10

// content is what a file holds; its extents are looked up when they are read, and the last one is kept.
type content struct {
	v    *volume
	in   *inode
	last run
}

func (v *volume) content(in *inode) (fsys.Content, error) { return &content{v: v, in: in}, nil }

// Size is the length in bytes.
func (c *content) Size() int64 { return c.in.Size() }

// run is a piece of a file, from off to end: zeros, bytes of the device or of a node, or a part of
// something compressed.
type run struct {
	off, end int64
	zero     bool
	r        io.ReaderAt // of what is not compressed
	at       int64       // of off in r; in the unpacked bytes
	packed   packed
	inline   []byte // the compressed bytes when they lie in a node
	cites    []blob.Span
}

// packed is a compressed extent.
type packed struct {
	logical, n, size uint64
	algorithm        uint8
}

// runAt finds the piece that holds byte off.
func (c *content) runAt(off int64) (run, error) {
	if c.last.off <= off && off < c.last.end {
		return c.last, nil
	}
	p, err := c.findRun(off)
	if err == nil {
		c.last = p
	}
	return p, err
}

func (c *content) findRun(off int64) (run, error) {
	first := Key{c.in.ref.ino, BTRFS_EXTENT_DATA_KEY, 0}
	k := first
	k.Offset = uint64(off)
	it, ok, err := c.v.floor(c.in.t, k)
	if err != nil {
		return run{}, err
	}
	if ok && it.key.Objectid == first.Objectid && it.key.Type == first.Type {
		p, err := c.extent(it)
		if err != nil || p.end > off {
			return p, err
		}
	}
	// A hole, up to the next extent: with the feature NO_HOLES none stands for it.
	hole := run{off: off, end: c.Size(), zero: true}
	it, ok, err = c.v.ceiling(c.in.t, k)
	if ok && it.key.Objectid == first.Objectid && it.key.Type == first.Type && it.key.Offset > uint64(off) {
		hole.end = int64(min(it.key.Offset, uint64(hole.end)))
	}
	return hole, err
}

// extent decodes an item of a file's data.
func (c *content) extent(it item) (p run, err error) {
	var h ExtentHead
	rec, err := it.read(0, fmt.Sprintf("inode %d: extent", c.in.ref.ino), &h)
	if err != nil {
		return p, err
	}
	p.off = int64(it.key.Offset)
	p.packed = packed{size: h.Ram_bytes, algorithm: h.Compression}
	switch {
	case h.Compression > BTRFS_COMPRESS_ZSTD:
		return p, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&h.Compression, "zlib (1), lzo (2) or zstd (3)", "%d", h.Compression))
	case h.Encryption != 0 || h.Other_encoding != 0:
		return p, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&h.Encryption, "0", "%d, %d", h.Encryption, h.Other_encoding))
	case h.Compression != 0 && h.Ram_bytes > packedMax:
		return p, rec.Errorf(&h.Ram_bytes, "at most 128 KiB of compressed data", "%d", h.Ram_bytes)
	case h.Type == BTRFS_FILE_EXTENT_INLINE:
		n := it.size - decode.Size(&h)
		length := n
		if h.Compression != 0 {
			length = int64(h.Ram_bytes)
			p.inline, _ = it.bytes(decode.Size(&h), n)
		}
		p.end, p.r, p.at = p.off+length, it.n, it.off+decode.Size(&h)
		p.cites = it.n.Locate(p.at, n)
		return p, nil
	case h.Type > BTRFS_FILE_EXTENT_PREALLOC:
		return p, rec.Errorf(&h.Type, "a type from 0 to 2", "%d", h.Type)
	}
	return c.regular(p, it, h)
}

// regular decodes an extent whose bytes lie elsewhere.
func (c *content) regular(p run, it item, h ExtentHead) (run, error) {
	var b ExtentBody
	rec, err := it.read(decode.Size(&h), fmt.Sprintf("inode %d: extent", c.in.ref.ino), &b)
	if err != nil {
		return p, err
	}
	if b.Num_bytes == 0 || b.Num_bytes > 1<<62 || p.off > 1<<62 || b.Offset > 1<<62 {
		return p, rec.Errorf(&b.Num_bytes, "from 1 to 2^62", "%d at %d", b.Num_bytes, b.Offset)
	}
	p.end = p.off + int64(b.Num_bytes)
	p.zero = b.Disk_bytenr == 0 || h.Type == BTRFS_FILE_EXTENT_PREALLOC
	if p.zero {
		return p, nil
	}
	n := b.Disk_num_bytes
	switch {
	case h.Compression == 0 && (b.Offset > n || b.Num_bytes > n-b.Offset):
		return p, rec.Errorf(&b.Offset, fmt.Sprintf("a part of the %d bytes of the extent", n), "%d bytes at %d", b.Num_bytes, b.Offset)
	case h.Compression != 0 && (n > packedMax || b.Offset > h.Ram_bytes || b.Num_bytes > h.Ram_bytes-b.Offset):
		return p, rec.Errorf(&b.Offset, fmt.Sprintf("a part of %d bytes, of at most 128 KiB packed", h.Ram_bytes), "%d bytes at %d of %d", b.Num_bytes, b.Offset, n)
	}
	places, err := c.v.place(b.Disk_bytenr, n)
	if err != nil {
		return p, fmt.Errorf("inode %d: %w", c.in.ref.ino, err)
	}
	if h.Compression == BTRFS_COMPRESS_NONE {
		p.r, p.at = c.v.r, places[0]+int64(b.Offset)
		return p, nil
	}
	p.packed.logical, p.packed.n = b.Disk_bytenr, n
	p.r, p.at = blob.Section(c.v.r, places[0], int64(n)), int64(b.Offset)
	p.cites = blob.Locate(p.r, 0, int64(n))
	return p, nil
}

// read fills b with the bytes at off, which all lie in the run.
func (c *content) read(p run, b []byte, off int64) error {
	at := p.at + off - p.off
	switch {
	case p.zero:
		clear(b)
		return nil
	case p.packed.algorithm == BTRFS_COMPRESS_NONE:
		if n, err := p.r.ReadAt(b, at); n < len(b) {
			return fmt.Errorf("inode %d: %w", c.in.ref.ino, unexpected(err))
		}
		return nil
	case p.inline != nil:
		data, err := c.unpack(p, p.inline)
		if err == nil {
			copy(b, data[off-p.off:])
		}
		return err
	}
	data, ok := c.v.unpacked.Get(p.packed)
	if !ok {
		src := make([]byte, p.packed.n)
		if n, err := p.r.ReadAt(src, 0); n < len(src) {
			return fmt.Errorf("inode %d: %w", c.in.ref.ino, unexpected(err))
		}
		var err error
		if data, err = c.unpack(p, src); err != nil {
			return err
		}
		c.v.unpacked.Put(p.packed, data)
	}
	copy(b, data[at:])
	return nil
}

func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unpack decompresses an extent to its announced length. Its last sector may be filled up behind the data.
func (c *content) unpack(p run, src []byte) ([]byte, error) {
	out := make([]byte, p.packed.size)
	name := [...]string{"", "zlib", "lzo", "zstd"}[p.packed.algorithm]
	var err error
	switch p.packed.algorithm {
	case BTRFS_COMPRESS_ZLIB:
		var z io.ReadCloser
		if z, err = zlib.NewReader(bytes.NewReader(src)); err == nil {
			err = fill(out, z)
		}
	case BTRFS_COMPRESS_ZSTD:
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(1<<20))
		if err == nil {
			err = fill(out, z)
			z.Close()
		}
	default:
		err = unpackLZO(out, src, int(c.v.sb.Sectorsize))
	}
	if err != nil {
		return nil, &decode.Error{What: fmt.Sprintf("inode %d: extent at %d", c.in.ref.ino, p.off), Off: p.at, Spans: p.cites, Want: name + " data", Got: err.Error()}
	}
	return out, nil
}

// fill reads as much as there is; the kernel leaves zeros behind data that is shorter than announced. What
// fills the last sector behind a frame of zstd is not another frame.
func fill(out []byte, z io.Reader) error {
	n, err := io.ReadFull(z, out)
	if err == io.ErrUnexpectedEOF || err == io.EOF || n > 0 && errors.Is(err, zstd.ErrMagicMismatch) {
		return nil
	}
	return err
}

// ReadAt implements [io.ReaderAt].
func (c *content) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= c.Size() {
		return 0, io.EOF
	}
	want := int(min(int64(len(b)), c.Size()-off))
	done := 0
	for done < want {
		p, err := c.runAt(off)
		if err != nil {
			return done, err
		}
		n := int(min(int64(want-done), p.end-off))
		if err := c.read(p, b[done:done+n], off); err != nil {
			return done, err
		}
		done, off = done+n, off+int64(n)
	}
	if want < len(b) {
		return done, io.EOF
	}
	return done, nil
}

// Locate implements [blob.Locator]. Bytes of a compressed extent came from all its bytes.
func (c *content) Locate(off, n int64) []blob.Span {
	if off < 0 || off >= c.Size() || n <= 0 {
		return nil
	}
	var spans []blob.Span
	for end := off + min(n, c.Size()-off); off < end; {
		p, err := c.runAt(off)
		if err != nil {
			break
		}
		to := min(end, p.end)
		switch {
		case p.zero:
		case p.packed.algorithm != BTRFS_COMPRESS_NONE:
			spans = append(spans, p.cites...)
		default:
			spans = append(spans, blob.Locate(p.r, p.at+off-p.off, to-off)...)
		}
		off = to
	}
	return blob.Join(spans)
}
