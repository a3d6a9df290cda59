package blob

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"slices"
)

// blockSize is the unit in which unpacked streams are kept.
const blockSize = 64 << 10

// cacheBudget bounds what a store keeps of all unpacked streams together, in bytes.
const cacheBudget = 80 << 20

// Open starts a stream from its beginning.
type Open func() (io.Reader, error)

// Derive names a stream that is computed from other blobs: unpacked on demand, readable at random.
// What was unpacked is kept within the store's budget; a read behind what was dropped unpacks again
// from the start. limit bounds the length that is believed, in bytes; a longer stream ends in an
// error there. from tells the spans that the whole stream came from.
//
// Deriving the same name from the same spans again gives the blob that is there: two parts of a run that
// unpack one file share it. A store opened from a slice uses what the slice kept and never calls open.
func (s *Store) Derive(name string, open Open, limit int64, from []Span) *Blob {
	if b := s.blobs[name]; b != nil && b.from != nil && len(from) > 0 && slices.Equal(b.from(0, 0), from) {
		return b
	}
	if kept := s.Kept(name); kept != nil {
		return s.Add(name, kept, kept.size, func(off, n int64) []Span { return from })
	}
	if s.cache == nil {
		s.cache = &cache{lru: list.New()}
	}
	d := &derived{open: open, limit: limit, cache: s.cache, blocks: map[int64]*list.Element{}, size: -1}
	return s.Add(name, d, -1, func(off, n int64) []Span { return from })
}

// cache is the memory that a store's derived blobs share; the least recently used block goes first. A block
// that was only passed on the way to another is kept while there is room and pushes nothing out: an index
// pass over a long archive leaves the headers, and what lies beside them, in memory.
type cache struct {
	lru  *list.List
	used int64
}

type block struct {
	owner *derived
	index int64
	data  []byte
}

func (c *cache) put(b *block, wanted bool) *list.Element {
	if !wanted && c.used+int64(len(b.data)) > cacheBudget {
		return nil
	}
	c.used += int64(len(b.data))
	for c.used > cacheBudget && c.lru.Len() > 0 {
		old := c.lru.Remove(c.lru.Back()).(*block)
		c.used -= int64(len(old.data))
		delete(old.owner.blocks, old.index)
	}
	if !wanted {
		return c.lru.PushBack(b)
	}
	return c.lru.PushFront(b)
}

// derived is a stream made random access.
type derived struct {
	open   Open
	limit  int64
	cache  *cache
	blocks map[int64]*list.Element
	size   int64 // -1 until the end was seen

	stream io.Reader
	next   int64 // index of the block that stream yields next
	err    error // why the stream ends at size although more was announced
}

// Size unpacks to the end when that was not done yet.
func (d *derived) Size() int64 {
	for d.size < 0 {
		if _, err := d.block(d.next); err != nil && d.size < 0 {
			return d.next * blockSize
		}
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

// block returns the block of that index, an empty one past the end.
func (d *derived) block(i int64) ([]byte, error) {
	if e := d.blocks[i]; e != nil {
		d.cache.lru.MoveToFront(e)
		return e.Value.(*block).data, nil
	}
	if d.size >= 0 && i*blockSize >= d.size {
		return nil, nil
	}
	if d.stream == nil || i < d.next {
		r, err := d.open()
		if err != nil {
			return nil, err
		}
		d.stream, d.next = r, 0
	}
	var buf []byte
	for {
		if buf == nil {
			buf = make([]byte, blockSize)
		}
		n, err := io.ReadFull(d.stream, buf)
		got := &block{owner: d, index: d.next, data: buf[:n:n]}
		if n > 0 && d.blocks[d.next] == nil {
			if e := d.cache.put(got, got.index == i); e != nil {
				d.blocks[d.next], buf = e, nil
			}
		}
		end := d.next*blockSize + int64(n)
		d.next++
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			d.finish(end, nil)
		case err != nil:
			d.finish(end, err)
		case end > d.limit:
			d.finish(end, fmt.Errorf("unpacked stream passes %d bytes: %w", d.limit, ErrTooLarge))
		}
		if got.index == i {
			return got.data, nil
		}
		if d.stream == nil {
			return nil, d.err
		}
	}
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
