package fsys

import (
	"container/list"
	"io"

	"bootpath/sim/blob"
)

// Recent keeps the values that were used last, up to a sum of weights: the bound on what a volume makes us
// keep. It is not safe for several goroutines.
type Recent[K comparable, V any] struct {
	max, weight int
	weigh       func(V) int
	items       map[K]*list.Element
	order       *list.List // the last used first
}

type recentItem[K comparable, V any] struct {
	key   K
	value V
}

// NewRecent keeps at most max values.
func NewRecent[K comparable, V any](max int) *Recent[K, V] {
	return NewRecentWeighed[K](max, func(V) int { return 1 })
}

// NewRecentWeighed keeps values whose weights sum up to at most max, and the last one whatever it weighs.
func NewRecentWeighed[K comparable, V any](max int, weigh func(V) int) *Recent[K, V] {
	return &Recent[K, V]{max: max, weigh: weigh, items: map[K]*list.Element{}, order: list.New()}
}

// Get returns the value of k and makes it the last used.
func (c *Recent[K, V]) Get(k K) (v V, ok bool) {
	e := c.items[k]
	if e == nil {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(recentItem[K, V]).value, true
}

// Put keeps v as the value of k and forgets as many of the others as that takes.
func (c *Recent[K, V]) Put(k K, v V) {
	if e := c.items[k]; e != nil {
		c.drop(e)
	}
	c.weight += c.weigh(v)
	for c.weight > c.max && c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
	c.items[k] = c.order.PushFront(recentItem[K, V]{k, v})
}

func (c *Recent[K, V]) drop(e *list.Element) {
	old := c.order.Remove(e).(recentItem[K, V])
	delete(c.items, old.key)
	c.weight -= c.weigh(old.value)
}

// pageSize is the unit in which [Pages] reads and keeps, whatever the block size of the volume; pagesMax
// pages are kept at most.
const (
	pageSize = 4096
	pagesMax = 1024
)

// Pages reads metadata through a bounded cache of whole pages: neighbours in an inode table or a directory
// are read once.
type Pages struct {
	r    io.ReaderAt
	size int64
	kept *Recent[int64, []byte]
}

// NewPages reads the first size bytes of r.
func NewPages(r io.ReaderAt, size int64) *Pages {
	return &Pages{r, size, NewRecent[int64, []byte](pagesMax)}
}

// Size is the length in bytes.
func (c *Pages) Size() int64 { return c.size }

// ReadAt implements [io.ReaderAt].
func (c *Pages) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		if off < 0 || off >= c.size {
			return done, io.EOF
		}
		page, err := c.page(off / pageSize)
		if err != nil {
			return done, err
		}
		at := off % pageSize
		if at >= int64(len(page)) {
			return done, io.EOF
		}
		n := copy(p[done:], page[at:])
		done, off = done+n, off+int64(n)
	}
	return done, nil
}

func (c *Pages) page(i int64) ([]byte, error) {
	if p, ok := c.kept.Get(i); ok {
		return p, nil
	}
	buf := make([]byte, min(pageSize, c.size-i*pageSize))
	n, err := c.r.ReadAt(buf, i*pageSize)
	if n < len(buf) && err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	c.kept.Put(i, buf[:n])
	return buf[:n], nil
}

// Locate implements [blob.Locator].
func (c *Pages) Locate(off, n int64) []blob.Span { return blob.Locate(c.r, off, n) }
