package blob

import (
	"errors"
	"fmt"
	"io"
)

// Open starts a stream from its beginning.
type Open func() (io.Reader, error)

// Derive names a stream that is computed from other blobs: unpacked on demand, readable at random.
// What was unpacked is kept within the store's budget; a read behind what was dropped unpacks again
// from the start. limit bounds the length that is believed, in bytes; a longer stream ends in an
// error there. from tells the spans that the whole stream came from; none for what is no part of the image,
// like a file that a learner wrote.
//
// Deriving the same name from the same spans again gives the blob that is there: two parts of a run that
// unpack one file share it, and so do runs (see [Store.Fork]). A store opened from a slice uses what the slice
// kept and never calls open.
func (s *Store) Derive(name string, open Open, limit int64, from []Span) *Blob {
	return s.derive(name, open, limit, source{spans: from})
}

// DeriveOf is [Store.Derive] from the n bytes at off of r alone. Where these are plain bytes of a blob, runs with
// patches elsewhere share the stream too.
func (s *Store) DeriveOf(name string, open Open, limit int64, r io.ReaderAt, off, n int64) *Blob {
	return s.derive(name, open, limit, sourceOf(r, off, n))
}

func (s *Store) derive(name string, open Open, limit int64, from source) *Blob {
	if b := s.blobs[name]; from.equal(b) {
		return b
	}
	name = s.free(name)
	if !s.shares(from) {
		return s.stream(name, open, limit, from.spans)
	}
	b := s.parent.blobs[name]
	switch {
	case b == nil:
		b = s.parent.stream(name, open, limit, from.spans)
	case !from.equal(b):
		return s.stream(name, open, limit, from.spans)
	}
	s.adopt(b)
	return b
}

// stream adds what open gives, or what a slice kept of it.
func (s *Store) stream(name string, open Open, limit int64, from []Span) *Blob {
	whole := func(off, n int64) []Span { return from }
	if kept := s.saved[name]; kept != nil && len(from) > 0 && s.untouched(from) {
		return s.put(name, kept, kept.size, whole)
	}
	d := &derived{open: open, limit: limit, cache: s.blocks(), blocks: map[int64]*block{}, size: -1}
	return s.put(name, d, -1, whole)
}

// derived is a stream made random access.
type derived struct {
	open   Open
	limit  int64
	cache  *cache
	blocks map[int64]*block
	zeros  []run // of block indexes: blocks of zeros
	size   int64 // -1 until the end was seen

	stream io.Reader
	next   int64 // index of the block that stream yields next
	err    error // why the stream ends at size although more was announced
}

// Size unpacks to the end when that was not done yet.
func (d *derived) Size() int64 {
	for d.size < 0 {
		if err := d.start(d.next); err != nil {
			return d.next * blockSize
		}
		d.advance(false)
	}
	return d.size
}

func (d *derived) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	done := 0
	for done < len(p) {
		b, err := d.block(off / blockSize)
		if err != nil {
			return done, err
		}
		at := off % blockSize
		if at >= int64(len(b)) {
			if d.err != nil {
				return done, d.err
			}
			return done, io.EOF
		}
		n := copy(p[done:], b[at:])
		done, off = done+n, off+int64(n)
	}
	return done, nil
}

// block returns the block of that index, an empty one past the end. It may be changed by the next call.
func (d *derived) block(i int64) ([]byte, error) {
	if d.size >= 0 && i*blockSize >= d.size {
		return nil, nil
	}
	if within(d.zeros, i) {
		return d.zeroBlock(i), nil
	}
	if b := d.blocks[i]; b != nil {
		if data := d.cache.get(b); data != nil {
			return data, nil
		}
		delete(d.blocks, i)
	}
	if err := d.start(i); err != nil {
		return nil, err
	}
	for d.next < i && d.stream != nil {
		d.advance(false)
	}
	if d.stream == nil {
		return nil, d.err
	}
	return d.advance(true), nil
}

// zeroBlock is as much of a block of zeros as the stream has.
func (d *derived) zeroBlock(i int64) []byte {
	n := int64(blockSize)
	if d.size >= 0 {
		n = min(n, d.size-i*blockSize)
	}
	return d.cache.zeros(int(n))
}

// start makes sure that the stream can be read on to block i: from its beginning when it is past that.
func (d *derived) start(i int64) error {
	if d.stream != nil && i >= d.next {
		return nil
	}
	r, err := d.open()
	if err != nil {
		return err
	}
	d.stream, d.next = r, 0
	return nil
}

// advance reads the stream's next block and keeps it.
func (d *derived) advance(wanted bool) []byte {
	buf := d.cache.buffer()
	n, err := io.ReadFull(d.stream, buf)
	data, i := buf[:n], d.next
	end := i*blockSize + int64(n)
	d.next++
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		d.finish(end, nil)
	case err != nil:
		d.finish(end, err)
	case end > d.limit:
		d.finish(end, fmt.Errorf("unpacked stream passes %d bytes: %w", d.limit, ErrTooLarge))
	}
	switch {
	case n == 0 || d.blocks[i] != nil: // nothing, or kept from the last time
		d.cache.release(buf)
		return nil
	case isZero(data):
		d.zeros = insert(d.zeros, i, 1)
		d.cache.release(buf)
		return d.zeroBlock(i)
	}
	d.cache.put(&block{owner: d, index: i, data: data}, wanted)
	return data
}

func (d *derived) finish(size int64, err error) {
	d.size, d.err, d.stream = size, err, nil
}

// Err tells why the stream of b ended before its own end marker, once it was read to there.
func (b *Blob) Err() error {
	if d, ok := b.r.(*derived); ok {
		return d.err
	}
	return nil
}
