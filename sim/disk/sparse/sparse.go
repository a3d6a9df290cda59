// Package sparse reads virtual disks whose blocks lie somewhere in a file, or nowhere: what VDI, VHD, VHDX
// and VMDK have in common once their tables are understood.
package sparse

import (
	"container/list"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Kind says what stands behind a run.
type Kind int

// Kinds of runs.
const (
	Hole   Kind = iota // reads as zeros, no bytes behind
	Stored             // at Phys of the file
	Packed             // compressed: PhysLen bytes at Phys of the file hold the block that starts at Start
)

// Run is a part of the virtual disk that is of one kind. Offsets and lengths are in bytes.
type Run struct {
	Kind    Kind
	Off, N  int64 // on the virtual disk
	Phys    int64
	PhysLen int64 // of Packed
	Start   int64 // of Packed, on the virtual disk
}

// Disk is a virtual disk of Size bytes.
type Disk struct {
	r, raw io.ReaderAt
	size   int64
	lookup func(off int64) (Run, error)
	unpack func(Run) ([]byte, error)
}

// New makes the disk of size bytes that lies in the file r. lookup tells about the run that starts at off,
// at most to the end of its block, which may pass the disk's end; unpack gives the block of a packed run
// and is nil when there are none. raw is [Raw] of r.
func New(r, raw io.ReaderAt, size int64, lookup func(off int64) (Run, error), unpack func(Run) ([]byte, error)) *Disk {
	return &Disk{r: r, raw: raw, size: size, lookup: lookup, unpack: unpack}
}

// Raw is how blocks are read: a slice keeps the virtual disk's ranges and not the same bytes of the file
// again.
func Raw(r io.ReaderAt) io.ReaderAt {
	if b, ok := r.(*blob.Blob); ok {
		return blob.Raw(b)
	}
	return r
}

// Size is the length of the virtual disk in bytes.
func (d *Disk) Size() int64 { return d.size }

// each calls fn for the runs that cover [off, off+n); runs that continue each other in the file are one.
func (d *Disk) each(off, n int64, fn func(Run) error) error {
	var last Run
	for end := off + n; off < end; {
		r, err := d.lookup(off)
		if err != nil {
			return err
		}
		r.Off, r.N = off, min(r.N, end-off)
		off += r.N
		if last.N > 0 && last.Kind == r.Kind && (r.Kind == Hole || r.Kind == Stored && last.Phys+last.N == r.Phys) {
			last.N += r.N
			continue
		}
		if last.N > 0 {
			if err := fn(last); err != nil {
				return err
			}
		}
		last = r
	}
	if last.N > 0 {
		return fn(last)
	}
	return nil
}

// ReadAt reads the virtual disk. The part of a block behind the end of the file reads as zeros: writers
// need not fill the last one.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= d.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > d.size-off {
		p, eof = p[:d.size-off], io.EOF
	}
	done := int64(0)
	err := d.each(off, int64(len(p)), func(r Run) error {
		q := p[done : done+r.N]
		switch r.Kind {
		case Hole:
			clear(q)
		case Stored:
			n, err := d.raw.ReadAt(q, r.Phys)
			if err != nil && err != io.EOF && n < len(q) {
				return err
			}
			clear(q[n:])
		case Packed:
			data, err := d.unpack(r)
			if err != nil {
				return err
			}
			clear(q[copy(q, data[min(r.Off-r.Start, int64(len(data))):]):])
		}
		done += r.N
		return nil
	})
	if err != nil {
		return int(done), err
	}
	return len(p), eof
}

const spansMax = 1 << 16

// From tells which bytes of the file hold [off, off+n) of the virtual disk: for a compressed block its
// compressed bytes, for zeros none. At most 65536 spans are listed.
func (d *Disk) From(off, n int64) []blob.Span {
	if off < 0 || off >= d.size {
		return nil
	}
	var spans []blob.Span
	d.each(off, min(n, d.size-off), func(r Run) error {
		if len(spans) >= spansMax {
			return io.ErrShortBuffer // ends the walk
		}
		switch r.Kind {
		case Stored:
			spans = append(spans, blob.Locate(d.r, r.Phys, r.N)...)
		case Packed:
			spans = append(spans, blob.Locate(d.r, r.Phys, r.PhysLen)...)
		}
		return nil
	})
	return blob.Join(spans)
}

// Table caches pages of the tables that say where blocks lie.
type Table struct {
	r     io.ReaderAt
	what  string
	page  int64
	pages *Cache
}

const tableHeld = 4 << 20 // bytes

// NewTable reads tables of r, page bytes at a time, a power of two. Errors name what.
func NewTable(r io.ReaderAt, what string, page int64) *Table {
	return &Table{r: r, what: what, page: page, pages: NewCache(int(min(tableHeld/page, 1<<14)))}
}

// At returns the n bytes at off, which lie in one page.
func (t *Table) At(off, n int64) ([]byte, error) {
	at := off &^ (t.page - 1)
	data := t.pages.Get(at)
	if data == nil {
		w, err := blob.Window(t.r, at, t.page)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.what, err)
		}
		data = w.Bytes()
		t.pages.Put(at, data)
	}
	if off-at+n > int64(len(data)) {
		return nil, decode.Errorf(t.r, off, n, t.what, fmt.Sprintf("%d bytes", n), "the end of the file")
	}
	return data[off-at:][:n], nil
}

// ReadAt implements [io.ReaderAt] for a record that lies in one page.
func (t *Table) ReadAt(p []byte, off int64) (int, error) {
	data, err := t.At(off, int64(len(p)))
	return copy(p, data), err
}

// Locate implements [blob.Locator].
func (t *Table) Locate(off, n int64) []blob.Span { return blob.Locate(t.r, off, n) }

// Cache keeps the blocks that were used last, by their offset in the file.
type Cache struct {
	max  int
	data map[int64]*list.Element
	lru  *list.List
}

type cached struct {
	off  int64
	data []byte
}

// NewCache holds at most count blocks, and at least one.
func NewCache(count int) *Cache {
	return &Cache{max: max(count, 1), data: map[int64]*list.Element{}, lru: list.New()}
}

// Get returns the block of that offset, nil when it is not held.
func (c *Cache) Get(off int64) []byte {
	e := c.data[off]
	if e == nil {
		return nil
	}
	c.lru.MoveToFront(e)
	return e.Value.(cached).data
}

// Put holds a block; the one used least recently goes when there are too many.
func (c *Cache) Put(off int64, data []byte) {
	if c.lru.Len() >= c.max {
		delete(c.data, c.lru.Remove(c.lru.Back()).(cached).off)
	}
	c.data[off] = c.lru.PushFront(cached{off, data})
}
