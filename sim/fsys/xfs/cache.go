package xfs

import (
	"container/list"
	"io"

	"bootpath/sim/blob"
)

// recent keeps the most recently used values.
type recent[K comparable, V any] struct {
	max   int
	items map[K]*list.Element
	order *list.List
}

type recentItem[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](max int) *recent[K, V] {
	return &recent[K, V]{max, map[K]*list.Element{}, list.New()}
}

func (l *recent[K, V]) get(k K) (v V, ok bool) {
	e := l.items[k]
	if e == nil {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(recentItem[K, V]).value, true
}

func (l *recent[K, V]) put(k K, v V) {
	if e := l.items[k]; e != nil {
		e.Value = recentItem[K, V]{k, v}
		l.order.MoveToFront(e)
		return
	}
	if l.order.Len() >= l.max {
		old := l.order.Remove(l.order.Back()).(recentItem[K, V])
		delete(l.items, old.key)
	}
	l.items[k] = l.order.PushFront(recentItem[K, V]{k, v})
}

// pageSize is the unit in which metadata is read and kept, whatever the block size.
const pageSize = 4096

// pages reads r through a bounded cache of whole pages: neighbours in an inode chunk or a directory are read
// once.
type pages struct {
	r    io.ReaderAt
	size int64
	kept *recent[int64, []byte]
}

// ReadAt implements [io.ReaderAt].
func (c *pages) ReadAt(p []byte, off int64) (int, error) {
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

func (c *pages) page(i int64) ([]byte, error) {
	if p, ok := c.kept.get(i); ok {
		return p, nil
	}
	buf := make([]byte, min(pageSize, c.size-i*pageSize))
	n, err := c.r.ReadAt(buf, i*pageSize)
	if n < len(buf) && err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	c.kept.put(i, buf[:n])
	return buf[:n], nil
}

// Locate implements [blob.Locator].
func (c *pages) Locate(off, n int64) []blob.Span { return blob.Locate(c.r, off, n) }
