package xfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// levelsMax is XFS_BTREE_MAXLEVELS.
const levelsMax = 9

// content reads a fork that is kept in blocks.
type content struct {
	f    *FS
	r    io.ReaderAt // what the blocks are read from
	in   *inode
	root *node
	size int64
}

// node is a decoded node of the tree of extents; a fork without a tree is one leaf.
type node struct {
	level   int
	entries []extent
}

// extent is an entry of a node. In a leaf: n blocks from block on lie at byte start of the volume; they are
// zeros when start is negative. In an index: the node at byte start covers from block on.
type extent struct {
	block, n uint64
	start    int64
}

// nodeKey tells apart the nodes that are kept: two parents may claim the same block.
type nodeKey struct {
	ino   uint64
	off   int64
	level int
}

// forkContent opens the blocks of a fork; the size of the result is without limit.
func (f *FS) forkContent(in *inode, attr bool) (*content, error) {
	off, n, format := f.fork(in, attr)
	c := &content{f: f, r: f.meta, in: in, size: math.MaxInt64}
	raw := make([]byte, n)
	if got, _ := f.meta.ReadAt(raw, off); got < len(raw) {
		return nil, decode.Errorf(f.meta, off, n, fmt.Sprintf("inode %d: fork", in.ino), fmt.Sprintf("%d bytes", n), "end after %d", got)
	}
	var err error
	switch format {
	case XFS_DINODE_FMT_EXTENTS:
		count := in.extents(attr)
		if count > uint64(n/extentSize) {
			return nil, in.rec.Errorf(&in.raw.Di_nextents, fmt.Sprintf("at most %d extents in the inode", n/extentSize), "%d", count)
		}
		c.root, err = f.leaf(in, raw[:count*extentSize], off)
	case XFS_DINODE_FMT_BTREE:
		c.root, err = f.treeRoot(in, raw, off)
	default:
		field := &in.raw.Di_format
		if attr {
			field = &in.raw.Di_aformat
		}
		err = in.rec.Errorf(field, "2 (extents) or 3 (tree)", "%d", format)
	}
	return c, err
}

// leaf decodes extents: "Data Extents". They must follow each other and lie in the volume, as
// xfs_bmap_validate_extent demands.
func (f *FS) leaf(in *inode, raw []byte, off int64) (*node, error) {
	n := &node{entries: make([]extent, len(raw)/extentSize)}
	end := uint64(0)
	for i := range n.entries {
		l0, l1 := binary.BigEndian.Uint64(raw[i*extentSize:]), binary.BigEndian.Uint64(raw[i*extentSize+8:])
		e := extent{block: l0 >> 9 & (1<<54 - 1), n: l1 & (1<<21 - 1)}
		start, err := f.blockOff(l0&(1<<9-1)<<43|l1>>21, e.n)
		if err != nil || e.n == 0 || e.block < end || e.block+e.n > uint64(math.MaxInt64/f.blockSize) {
			return nil, decode.Errorf(f.meta, off+int64(i)*extentSize, extentSize, fmt.Sprintf("inode %d: extent %d", in.ino, i),
				"blocks inside an allocation group, behind the extent before", "%d blocks for block %d, startblock %#x", e.n, e.block, l0&(1<<9-1)<<43|l1>>21)
		}
		if e.start = start; l0>>63 != 0 {
			e.start = -1 // preallocated and not yet written
		}
		end = e.block + e.n
		n.entries[i] = e
	}
	return n, nil
}

// treeRoot decodes the root of the tree, which lies in the inode: struct xfs_bmdr_block. The pointers start
// behind as many keys as there is room for.
func (f *FS) treeRoot(in *inode, raw []byte, off int64) (*node, error) {
	const head = 4
	if len(raw) < head {
		return nil, in.rec.Errorf(&in.raw.Di_forkoff, "room for the root of a tree", "%d bytes", len(raw))
	}
	level, count, room := int(binary.BigEndian.Uint16(raw)), int(binary.BigEndian.Uint16(raw[2:])), (len(raw)-head)/16
	if level == 0 || level > levelsMax || count == 0 || count > room {
		return nil, decode.Errorf(f.meta, off, head, fmt.Sprintf("inode %d: root of the extents", in.ino),
			fmt.Sprintf("level 1 to %d, 1 to %d records", levelsMax, room), "level %d, %d records", level, count)
	}
	return f.index(in, raw[head:], off+head, level, count, room)
}

// index decodes the keys and pointers of a node.
func (f *FS) index(in *inode, raw []byte, off int64, level, count, room int) (*node, error) {
	n := &node{level: level, entries: make([]extent, count)}
	for i := range n.entries {
		key, ptr := binary.BigEndian.Uint64(raw[i*8:]), binary.BigEndian.Uint64(raw[(room+i)*8:])
		start, err := f.blockOff(ptr, 1)
		if err != nil {
			return nil, fmt.Errorf("inode %d: pointer %d of the extents: %w", in.ino, i, err)
		}
		if key > uint64(math.MaxInt64/f.blockSize) || i > 0 && key <= n.entries[i-1].block {
			return nil, decode.Errorf(f.meta, off+int64(i)*8, 8, fmt.Sprintf("inode %d: key %d of the extents", in.ino, i), "a block behind the key before", "%d", key)
		}
		n.entries[i] = extent{block: key, start: start}
	}
	return n, nil
}

// child reads the node at byte off, whose level its parent demands.
func (f *FS) child(in *inode, off int64, level int) (*node, error) {
	key := nodeKey{in.ino, off, level}
	if n, ok := f.nodes.Get(key); ok {
		return n, nil
	}
	var h BtreeBlock
	name := fmt.Sprintf("inode %d: block of the extents", in.ino)
	rec, err := decode.Read(f.meta, off, binary.BigEndian, name, &h)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, f.blockSize)
	if got, _ := f.meta.ReadAt(raw, off); got < len(raw) {
		return nil, decode.Errorf(f.meta, off, f.blockSize, name, fmt.Sprintf("%d bytes", f.blockSize), "end after %d", got)
	}
	magic, head := uint32(bmapMagic), bmapV4Size
	if f.v5 {
		magic, head = bmap3Magic, bmapV5Size
	}
	room := (len(raw) - head) / 16
	switch {
	case h.Bb_magic != magic:
		return nil, rec.Errorf(&h.Bb_magic, fmt.Sprintf("%#x", magic), "%#x", h.Bb_magic)
	case int(h.Bb_level) != level:
		return nil, rec.Errorf(&h.Bb_level, fmt.Sprint(level), "%d", h.Bb_level)
	case h.Bb_numrecs == 0 || int(h.Bb_numrecs) > room:
		return nil, rec.Errorf(&h.Bb_numrecs, fmt.Sprintf("from 1 to %d", room), "%d", h.Bb_numrecs)
	}
	f.verify(raw, bmapCRC, name)
	var n *node
	if count, at := int(h.Bb_numrecs), off+int64(head); level == 0 {
		n, err = f.leaf(in, raw[head:head+count*extentSize], at)
	} else {
		n, err = f.index(in, raw[head:], at, level, count, room)
	}
	if err == nil {
		f.nodes.Put(key, n)
	}
	return n, err
}

// run returns the byte at which logical block b lies and how many blocks continue from there; a negative
// byte stands for n blocks of zeros.
func (c *content) run(b int64) (start, n int64, err error) {
	at, limit := c.root, uint64(math.MaxInt64/c.f.blockSize)+1
	for {
		i := sort.Search(len(at.entries), func(i int) bool { return at.entries[i].block > uint64(b) }) - 1
		if i+1 < len(at.entries) {
			limit = min(limit, at.entries[i+1].block)
		}
		if i < 0 {
			return -1, int64(limit) - b, nil
		}
		e := at.entries[i]
		if at.level > 0 {
			if at, err = c.f.child(c.in, e.start, at.level-1); err != nil {
				return 0, 0, err
			}
			continue
		}
		in := uint64(b) - e.block
		switch {
		case in >= e.n:
			return -1, int64(limit) - b, nil
		case e.start < 0:
			return -1, int64(min(limit, e.block+e.n)) - b, nil
		}
		return e.start + int64(in)*c.f.blockSize, int64(min(limit, e.block+e.n)) - b, nil
	}
}

// Size is the length in bytes.
func (c *content) Size() int64 { return c.size }

// each calls fn for the runs that cover [off, off+n); phys is negative for zeros.
func (c *content) each(off, n int64, fn func(n, phys int64) error) error {
	bs := c.f.blockSize
	for n > 0 {
		phys, count, err := c.run(off / bs)
		if err != nil {
			return err
		}
		in := off % bs
		run, left := n, bs-in // count*bs may not fit
		if n > left && count-1 < (n-left+bs-1)/bs {
			run = left + (count-1)*bs
		}
		if phys >= 0 {
			phys += in
		}
		if err := fn(run, phys); err != nil {
			return err
		}
		off, n = off+run, n-run
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= c.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > c.size-off {
		p, eof = p[:c.size-off], io.EOF
	}
	done := 0
	err := c.each(off, int64(len(p)), func(n, phys int64) error {
		q := p[done : done+int(n)]
		if phys < 0 {
			clear(q)
		} else if got, err := c.r.ReadAt(q, phys); got < len(q) {
			done += got
			if err == nil || err == io.EOF {
				err = decode.Errorf(c.r, phys, n, fmt.Sprintf("inode %d: data", c.in.ino), fmt.Sprintf("%d bytes", n), "end of the volume after %d", got)
			}
			return err
		}
		done += int(n)
		return nil
	})
	if err == nil {
		err = eof
	}
	return done, err
}

// Locate implements [blob.Locator].
func (c *content) Locate(off, n int64) []blob.Span {
	if off < 0 || off >= c.size || n <= 0 {
		return nil
	}
	var spans []blob.Span
	// What cannot be mapped has no bytes to show; reading it tells why.
	_ = c.each(off, min(n, c.size-off), func(n, phys int64) error {
		if phys >= 0 {
			spans = append(spans, blob.Locate(c.r, phys, n)...)
		}
		return nil
	})
	return blob.Join(spans)
}
