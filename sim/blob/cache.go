package blob

import (
	"bytes"
	"container/list"
	"io"
	"sort"

	"github.com/klauspost/compress/s2"
)

// blockSize is the unit in which unpacked streams are kept.
const blockSize = 64 << 10

// What a store keeps of all unpacked streams together, in bytes. Blocks in use are kept as they are, older
// ones in the scratch space when the store has one, else compressed. Blocks of zeros cost nothing.
const (
	hotBudget  = 24 << 20
	coldBudget = 40 << 20
	scratchMax = 16 << 30 // the disk may be full before
)

// Scratch is room outside memory, as a file without a name is: what was written can be read again.
type Scratch interface {
	io.ReaderAt
	io.WriterAt
}

// SetScratch gives the store room for unpacked blocks that memory has no place for; open is called when it
// is first needed. Without it such blocks are forgotten and unpacked again.
func (s *Store) SetScratch(open func() (Scratch, error)) { s.blocks().openScratch = open }

func (s *Store) blocks() *cache {
	if s.cache == nil {
		s.cache = &cache{hot: list.New(), cold: list.New()}
	}
	return s.cache
}

// cache is the memory that a store's derived blobs share. The least recently used block leaves first. A block
// that was only passed on the way to another pushes nothing out that was asked for.
type cache struct {
	hot, cold         *list.List // of *block, the latest in front
	hotUsed, coldUsed int64

	openScratch func() (Scratch, error)
	scratch     Scratch
	end         int64 // of what the scratch space holds

	spare [][]byte // buffers of blocks that left
	pack  []byte
	zero  []byte
}

// block is one block of a derived stream, as data, packed, or in the scratch space.
type block struct {
	owner   *derived
	index   int64
	data    []byte
	packed  []byte
	raw     bool // packed holds the data as it is: it does not get smaller
	size    int  // of the data
	spilled bool // it is at off of the scratch space
	off     int64
	elem    *list.Element
}

// buffer returns room for one block.
func (c *cache) buffer() []byte {
	if k := len(c.spare) - 1; k >= 0 {
		b := c.spare[k]
		c.spare = c.spare[:k]
		return b[:blockSize]
	}
	return make([]byte, blockSize)
}

// zeros is n bytes of zeros, at most a block.
func (c *cache) zeros(n int) []byte {
	if c.zero == nil {
		c.zero = make([]byte, blockSize)
	}
	return c.zero[:n]
}

func (c *cache) release(b []byte) {
	if cap(b) == blockSize && len(c.spare) < 8 {
		c.spare = append(c.spare, b)
	}
}

// put keeps a new block; wanted tells one that was asked for from one that was passed.
func (c *cache) put(b *block, wanted bool) {
	b.size = len(b.data)
	b.owner.blocks[b.index] = b
	if !wanted && c.hotUsed+blockSize > hotBudget {
		c.cool(b, false)
		return
	}
	if wanted {
		b.elem = c.hot.PushFront(b)
	} else {
		b.elem = c.hot.PushBack(b)
	}
	c.heat()
}

// heat counts a block that became hot and makes room for it.
func (c *cache) heat() {
	c.hotUsed += blockSize
	for c.hotUsed > hotBudget && c.hot.Len() > 1 {
		old := c.hot.Remove(c.hot.Back()).(*block)
		c.hotUsed -= blockSize
		c.cool(old, true)
	}
}

// cool takes a block's data out of memory, or packs it. One that was only passed is forgotten when packing
// it would push others out.
func (c *cache) cool(b *block, wanted bool) {
	spilled := c.spill(b)
	if !spilled {
		c.pack = s2.Encode(c.pack[:cap(c.pack)], b.data)
		if b.raw = len(c.pack) > len(b.data)-len(b.data)/8; b.raw {
			c.pack = append(c.pack[:0], b.data...)
		}
		b.packed = bytes.Clone(c.pack)
	}
	c.release(b.data)
	b.data, b.elem = nil, nil
	switch {
	case spilled:
		return
	case c.coldUsed+int64(len(b.packed)) > coldBudget && !wanted:
		delete(b.owner.blocks, b.index)
		return
	}
	c.coldUsed += int64(len(b.packed))
	b.elem = c.cold.PushFront(b)
	for c.coldUsed > coldBudget {
		old := c.cold.Remove(c.cold.Back()).(*block)
		c.coldUsed -= int64(len(old.packed))
		delete(old.owner.blocks, old.index)
	}
}

// spill writes a block to the scratch space; false when there is none or it is full.
func (c *cache) spill(b *block) bool {
	if b.spilled {
		return true
	}
	if c.scratch == nil && c.openScratch != nil {
		c.scratch, _ = c.openScratch()
		c.openScratch = nil
	}
	if c.scratch == nil || c.end+blockSize > scratchMax {
		return false
	}
	if n, err := c.scratch.WriteAt(b.data, c.end); err != nil || n < len(b.data) {
		c.scratch = nil // and what it holds is unpacked again
		return false
	}
	b.off, b.spilled = c.end, true
	c.end += blockSize
	return true
}

// get returns a kept block's bytes; nil when they are gone after all.
func (c *cache) get(b *block) []byte {
	if b.data != nil {
		c.hot.MoveToFront(b.elem)
		return b.data
	}
	data := c.buffer()[:b.size]
	if b.spilled {
		if c.scratch == nil {
			return nil
		}
		if n, _ := c.scratch.ReadAt(data, b.off); n < b.size {
			return nil
		}
	} else {
		c.cold.Remove(b.elem)
		c.coldUsed -= int64(len(b.packed))
		if b.raw {
			copy(data, b.packed)
		} else if out, err := s2.Decode(data, b.packed); err != nil || len(out) != b.size {
			return nil
		}
	}
	b.data, b.packed = data, nil
	b.elem = c.hot.PushFront(b)
	c.heat()
	return data
}

func isZero(b []byte) bool {
	for len(b) >= 64 {
		if *(*[64]byte)(b) != ([64]byte{}) {
			return false
		}
		b = b[64:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// within tells whether one of the sorted runs covers off.
func within(runs []run, off int64) bool {
	i := sort.Search(len(runs), func(i int) bool { return runs[i].end > off })
	return i < len(runs) && runs[i].off <= off
}
