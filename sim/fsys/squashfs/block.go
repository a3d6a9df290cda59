package squashfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// compressions are the names of mksquashfs, by Compression.
var compressions = [...]string{"0", "gzip", "lzma", "lzo", "xz", "lz4", "zstd"}

// unpacker unpacks one block into dst and says how long it is; what does not fit is an error.
type unpacker func(dst, src []byte) (int, error)

var errTooLong = errors.New("the block is longer than announced")

// newUnpacker chooses by the superblock's Compression; what cannot be unpacked is decode.ErrUnsupported.
func newUnpacker(compression uint16, blockSize int) (unpacker, error) {
	switch compression {
	case ZLIB_COMPRESSION:
		var z io.ReadCloser
		return func(dst, src []byte) (n int, err error) {
			if z == nil {
				z, err = zlib.NewReader(bytes.NewReader(src))
			} else {
				err = z.(zlib.Resetter).Reset(bytes.NewReader(src), nil)
			}
			return fill(dst, z, err)
		}, nil
	case XZ_COMPRESSION:
		return func(dst, src []byte) (int, error) {
			// mksquashfs makes no dictionary larger than a block: -Xdict-size.
			z, err := xz.NewReader(bytes.NewReader(src), uint32(max(blockSize, metadataSize)))
			return fill(dst, z, err)
		}, nil
	case LZ4_COMPRESSION:
		return func(dst, src []byte) (int, error) { return lz4.UncompressBlock(src, dst) }, nil
	case ZSTD_COMPRESSION:
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		return func(dst, src []byte) (int, error) {
			out, err := z.DecodeAll(src, dst[:0:len(dst)])
			return len(out), err
		}, nil
	}
	return nil, decode.ErrUnsupported
}

// fill reads z to its end, which must come before dst is full or right then.
func fill(dst []byte, z io.Reader, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(dst) {
		m, err := z.Read(dst[n:])
		n += m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	switch _, err := io.ReadFull(z, make([]byte, 1)); err {
	case io.EOF:
		return n, nil
	case nil:
		return n, errTooLong
	default:
		return n, err
	}
}

// readBlock reads n bytes at off and unpacks them into at most limit bytes.
func (f *FS) readBlock(off, n int64, packed bool, limit int, what string) ([]byte, error) {
	if off < 0 || n <= 0 || off > f.size-n || n > int64(limit) {
		return nil, decode.Errorf(f.r, off, max(n, 1), what, fmt.Sprintf("1 to %d bytes inside the volume's %d", limit, f.size), "%d", n)
	}
	src := make([]byte, n)
	if got, err := f.r.ReadAt(src, off); got < len(src) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%s at %#x: %w", what, off, err)
	}
	if !packed {
		return src, nil
	}
	dst := make([]byte, limit)
	got, err := f.unpack(dst, src)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", decode.Errorf(f.r, off, n, what, compressions[f.sb.Compression]+" data", "%v", err), err)
	}
	return dst[:got:got], nil
}

// metaBlock is an unpacked block of metadata.
type metaBlock struct {
	data   []byte
	off, n int64 // of its content in the volume
	packed bool
	next   int64 // where the block behind it begins
}

// meta reads the block of metadata at off: a length of 16 bits, then content; "Metadata blocks".
func (f *FS) meta(off int64) (*metaBlock, error) {
	if b, ok := f.metaBlocks.Get(off); ok {
		return b, nil
	}
	var head [2]byte
	if off < 0 || off > f.size-int64(len(head)) {
		return nil, decode.Errorf(f.r, off, 2, "metadata block", fmt.Sprintf("a place inside the volume's %d bytes", f.size), "%#x", off)
	}
	if n, err := f.r.ReadAt(head[:], off); n < len(head) {
		return nil, fmt.Errorf("metadata block at %#x: %w", off, err)
	}
	v := binary.LittleEndian.Uint16(head[:])
	b := &metaBlock{off: off + 2, n: int64(v &^ metaUncompressed), packed: v&metaUncompressed == 0}
	b.next = b.off + b.n
	var err error
	if b.data, err = f.readBlock(b.off, b.n, b.packed, metadataSize, "metadata block"); err != nil {
		return nil, err
	}
	f.metaBlocks.Put(off, b)
	return b, nil
}

// cursor reads metadata on from a place, across blocks. As an [io.ReaderAt], offset 0 is its place.
type cursor struct {
	f     *FS
	block int64 // of the volume
	at    int64 // in the unpacked block
}

// walk calls fn for the parts of the n bytes at off from the cursor and leaves the cursor alone.
func (c cursor) walk(off, n int64, fn func(b *metaBlock, lo, hi int64)) error {
	at := c.at + off
	for block := c.block; n > 0; {
		b, err := c.f.meta(block)
		if err != nil {
			return err
		}
		size := int64(len(b.data))
		if at < size {
			take := min(n, size-at)
			fn(b, at, at+take)
			at, n = at+take, n-take
		}
		if n > 0 && size < metadataSize {
			return io.EOF // only the last block of a table is shorter
		}
		at, block = at-size, b.next
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (c cursor) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	err := c.walk(off, int64(len(p)), func(b *metaBlock, lo, hi int64) { done += copy(p[done:], b.data[lo:hi]) })
	return done, err
}

// Locate implements [blob.Locator]: a packed block counts as a whole.
func (c cursor) Locate(off, n int64) []blob.Span {
	var out []blob.Span
	c.walk(off, n, func(b *metaBlock, lo, hi int64) {
		if b.packed {
			out = append(out, blob.Locate(c.f.r, b.off, b.n)...)
			return
		}
		out = append(out, blob.Locate(c.f.r, b.off+lo, hi-lo)...)
	})
	return blob.Join(out)
}

// skip moves the cursor.
func (c *cursor) skip(n int64) error {
	for c.at += n; c.at >= metadataSize; c.at -= metadataSize {
		b, err := c.f.meta(c.block)
		if err != nil {
			return err
		}
		c.block = b.next
	}
	return nil
}

// read fills p and moves the cursor behind.
func (c *cursor) read(p []byte) error {
	n, err := c.ReadAt(p, 0)
	if n < len(p) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("metadata block at %#x: %w", c.block, err)
	}
	return c.skip(int64(n))
}

// record reads a record and moves the cursor behind.
func (c *cursor) record(name string, v any) (*decode.Record, error) {
	rec, err := decode.Read(*c, 0, binary.LittleEndian, name, v)
	if err != nil {
		return nil, err
	}
	return rec, c.skip(decode.Size(v))
}

// entry is the place of entry i, of size bytes, in a table whose blocks' positions lie at index.
func (f *FS) entry(index, i, size int64) (cursor, error) {
	at := i * size
	var p [8]byte
	off := index + at/metadataSize*int64(len(p))
	if off < 0 || off > f.size-int64(len(p)) {
		return cursor{}, decode.Errorf(f.r, off, 8, "table of metadata blocks", "a place inside the volume", "%#x", off)
	}
	if n, err := f.r.ReadAt(p[:], off); n < len(p) {
		return cursor{}, fmt.Errorf("table of metadata blocks at %#x: %w", off, err)
	}
	return cursor{f, int64(binary.LittleEndian.Uint64(p[:])), at % metadataSize}, nil
}
