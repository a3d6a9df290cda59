package ext4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// mapper says where a file's blocks lie.
type mapper interface {
	// run returns the block that logical block b lies in and how many blocks continue from there; a
	// negative block stands for n blocks of zeros.
	run(b uint32) (block, n int64, err error)
}

// content reads a file through its mapper.
type content struct {
	f  *FS
	in *inode
	m  mapper
}

// Size is the length in bytes.
func (c *content) Size() int64 { return c.in.size }

// each calls fn for the runs that cover [off, off+n); phys is negative for zeros.
func (c *content) each(off, n int64, fn func(n, phys int64) error) error {
	bs := c.f.blockSize
	for n > 0 {
		block, count, err := c.m.run(uint32(off / bs))
		if err != nil {
			return err
		}
		in := off % bs
		run, phys := min(n, count*bs-in), int64(-1)
		if block >= 0 {
			phys = block*bs + in
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
	if off < 0 || off >= c.in.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > c.in.size-off {
		p, eof = p[:c.in.size-off], io.EOF
	}
	done := 0
	err := c.each(off, int64(len(p)), func(n, phys int64) error {
		q := p[done : done+int(n)]
		if phys < 0 {
			clear(q)
		} else if got, err := c.f.r.ReadAt(q, phys); got < len(q) {
			done += got
			if err == nil || err == io.EOF {
				err = decode.Errorf(c.f.r, phys, n, fmt.Sprintf("inode %d: data", c.in.ino), fmt.Sprintf("%d bytes", n), "end of the volume after %d", got)
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
	if off < 0 || off >= c.in.size || n <= 0 {
		return nil
	}
	var spans []blob.Span
	// What cannot be mapped has no bytes to show; reading it tells why.
	_ = c.each(off, min(n, c.in.size-off), func(n, phys int64) error {
		if phys >= 0 {
			spans = append(spans, blob.Locate(c.f.r, phys, n)...)
		}
		return nil
	})
	return blob.Join(spans)
}

// node is a decoded node of an extent tree.
type node struct {
	depth   uint16
	entries []extent
}

// extent is an entry of a node. In a leaf: n blocks from start on, zeros when start is negative. In an
// index: the node at block start covers from block on.
type extent struct {
	block uint32
	n     uint32
	start int64
}

// maxDepth is EXT4_MAX_EXTENT_DEPTH.
const maxDepth = 5

// uninitialised extents have this much added to their length: EXT_INIT_MAX_LEN.
const initMaxLen = 32768

// parseNode decodes raw, a node at off of the volume. depth is what its parent demands, -1 for the root.
// It checks what the kernel's ext4_ext_check and ext4_valid_extent_entries check.
func (f *FS) parseNode(in *inode, raw []byte, off int64, depth int) (*node, error) {
	var h ExtentHeader
	name := fmt.Sprintf("inode %d: extent header", in.ino)
	rec, err := decode.Read(bytesAt{raw, off, f.meta}, off, binary.LittleEndian, name, &h)
	if err != nil {
		return nil, err
	}
	room := len(raw)/extentEntryLen - 1
	switch {
	case h.Eh_magic != extentMagic:
		return nil, rec.Errorf(&h.Eh_magic, "0xf30a", "%#x", h.Eh_magic)
	case h.Eh_depth > maxDepth || depth >= 0 && int(h.Eh_depth) != depth:
		return nil, rec.Errorf(&h.Eh_depth, fmt.Sprintf("the depth below its parent, at most %d", maxDepth), "%d", h.Eh_depth)
	case h.Eh_max == 0 || int(h.Eh_max) > room:
		return nil, rec.Errorf(&h.Eh_max, fmt.Sprintf("from 1 to %d", room), "%d", h.Eh_max)
	case h.Eh_entries > h.Eh_max:
		return nil, rec.Errorf(&h.Eh_entries, fmt.Sprintf("at most eh_max, %d", h.Eh_max), "%d", h.Eh_entries)
	case h.Eh_entries == 0 && h.Eh_depth > 0:
		return nil, rec.Errorf(&h.Eh_entries, "at least one index", "0")
	}
	n := &node{depth: h.Eh_depth, entries: make([]extent, h.Eh_entries)}
	end := uint64(0)
	for i := range n.entries {
		at := (i + 1) * extentEntryLen
		e := readExtent(raw[at:at+extentEntryLen], h.Eh_depth == 0)
		blocks := uint64(max(e.n, 1))
		if uint64(e.block) < end || e.start >= 0 && (e.start == 0 || uint64(e.start)+blocks > f.blocks) || e.n == 0 && h.Eh_depth == 0 {
			return nil, decode.Errorf(f.meta, off+int64(at), extentEntryLen, fmt.Sprintf("inode %d: extent %d", in.ino, i),
				"blocks inside the volume, behind the extent before", "block %d, %d blocks at %d", e.block, e.n, e.start)
		}
		end = uint64(e.block) + blocks
		n.entries[i] = e
	}
	if depth >= 0 {
		f.checkNode(in, raw, int(h.Eh_max))
	}
	return n, nil
}

// readExtent decodes struct ext4_extent (leaf) or struct ext4_extent_idx; an uninitialised extent reads
// as zeros.
func readExtent(b []byte, leaf bool) extent {
	le := binary.LittleEndian
	e := extent{block: le.Uint32(b)}
	if !leaf {
		e.start = int64(le.Uint32(b[4:])) | int64(le.Uint16(b[8:]))<<32 // ei_leaf_lo, ei_leaf_hi
		return e
	}
	e.n = uint32(le.Uint16(b[4:]))                                  // ee_len
	e.start = int64(le.Uint16(b[6:]))<<32 | int64(le.Uint32(b[8:])) // ee_start_hi, ee_start_lo
	if e.n > initMaxLen {
		e.n, e.start = e.n-initMaxLen, -1
	}
	return e
}

// checkNode verifies the checksum behind a node's entries: struct ext4_extent_tail.
func (f *FS) checkNode(in *inode, raw []byte, max int) {
	at := (max + 1) * extentEntryLen
	if !f.ro(roMetadataCsum) || at+4 > len(raw) {
		return
	}
	sum := crc32c(f.inodeSeed(in.ino, in.raw.I_generation), raw[:at])
	if got := binary.LittleEndian.Uint32(raw[at:]); got != sum {
		f.note("inode %d: extent node checksum is %#08x, computed %#08x", in.ino, got, sum)
	}
}

// bytesAt reads bytes that are already here as if from their place in the volume.
type bytesAt struct {
	b   []byte
	off int64
	at  io.ReaderAt
}

func (r bytesAt) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(r.b).ReadAt(p, off-r.off)
}

func (r bytesAt) Locate(off, n int64) []blob.Span { return blob.Locate(r.at, off, n) }

// extentTree maps with extents; "Extent Tree".
type extentTree struct {
	f    *FS
	in   *inode
	root *node
}

func (t extentTree) run(b uint32) (int64, int64, error) {
	n, end := t.root, int64(math.MaxUint32)+1 // first block that is not covered by this node
	for {
		// The entry to use is the last one that starts at or before b.
		i := sort.Search(len(n.entries), func(i int) bool { return n.entries[i].block > b }) - 1
		if i+1 < len(n.entries) {
			end = min(end, int64(n.entries[i+1].block))
		}
		if i < 0 {
			return -1, end - int64(b), nil
		}
		e := n.entries[i]
		if n.depth == 0 {
			into := int64(b - e.block)
			switch {
			case into >= int64(e.n):
				return -1, end - int64(b), nil
			case e.start < 0:
				return -1, int64(e.n) - into, nil
			}
			return e.start + into, int64(e.n) - into, nil
		}
		child, err := t.f.node(t.in, e.start, int(n.depth)-1)
		if err != nil {
			return 0, 0, err
		}
		n = child
	}
}

// node reads the extent node in a block.
func (f *FS) node(in *inode, block int64, depth int) (*node, error) {
	if n, ok := f.nodes.Get(block); ok && int(n.depth) == depth {
		return n, nil
	}
	raw, err := f.metaBlock(block, fmt.Sprintf("inode %d: extent node", in.ino))
	if err != nil {
		return nil, err
	}
	n, err := f.parseNode(in, raw, block*f.blockSize, depth)
	if err == nil {
		f.nodes.Put(block, n)
	}
	return n, err
}

// metaBlock reads one block through the cache.
func (f *FS) metaBlock(block int64, what string) ([]byte, error) {
	raw := make([]byte, f.blockSize)
	n, err := f.meta.ReadAt(raw, block*f.blockSize)
	if n < len(raw) {
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("%s: block %d: %w", what, block, err)
		}
		return nil, decode.Errorf(f.meta, block*f.blockSize, f.blockSize, what, fmt.Sprintf("%d bytes", len(raw)), "end of the volume after %d", n)
	}
	return raw, nil
}

// blockMap maps with direct and indirect blocks, as ext2 and ext3 do; "Direct/Indirect Block Addressing".
type blockMap struct {
	f  *FS
	in *inode
}

const directBlocks = 12

func (m blockMap) run(b uint32) (int64, int64, error) {
	per := m.f.blockSize / 4
	if b < directBlocks {
		return m.scan(m.in.raw.I_block[:directBlocks*4], m.in.off+iBlockOff, int64(b), 1)
	}
	// span is how many blocks one pointer covers at the level at hand.
	rest, span := int64(b)-directBlocks, int64(1)
	level := 0
	for rest >= span*per {
		rest -= span * per
		span *= per
		if level++; level == 3 {
			return 0, 0, m.in.rec.Errorf(&m.in.raw.I_size_lo, "a size that the block map can address", "block %d", b)
		}
	}
	raw, off := m.in.raw.I_block[(directBlocks+level)*4:][:4], m.in.off+iBlockOff+int64(directBlocks+level)*4
	block, n, err := m.scan(raw, off, 0, span*per-rest)
	for err == nil && block >= 0 {
		raw, err = m.f.metaBlock(block, fmt.Sprintf("inode %d: indirect block", m.in.ino))
		if err != nil {
			return 0, 0, err
		}
		i := rest / span
		rest %= span
		block, n, err = m.scan(raw, block*m.f.blockSize, i, span-rest)
		if span == 1 {
			return block, n, err
		}
		span /= per
	}
	return block, n, err
}

// scan reads pointer i of an array of block numbers. A zero pointer is a hole of the given number of
// blocks. Where pointers lead to data, neighbours that continue the run are counted in.
func (m blockMap) scan(raw []byte, off, i, hole int64) (block, n int64, err error) {
	at := func(i int64) int64 { return int64(binary.LittleEndian.Uint32(raw[i*4:])) }
	block = at(i)
	if block == 0 {
		return -1, hole, nil
	}
	if uint64(block) >= m.f.blocks {
		return 0, 0, decode.Errorf(m.f.meta, off+i*4, 4, fmt.Sprintf("inode %d: block pointer", m.in.ino),
			fmt.Sprintf("a block below %d", m.f.blocks), "%d", block)
	}
	for n = 1; (i+n+1)*4 <= int64(len(raw)) && at(i+n) == block+n && uint64(block+n) < m.f.blocks; n++ {
	}
	return block, n, nil
}
