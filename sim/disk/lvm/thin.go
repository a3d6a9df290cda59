package lvm

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// ThinSuperblock starts the metadata of a thin pool: drivers/md/dm-thin-metadata.c, thin_disk_superblock.
type ThinSuperblock struct {
	Csum          uint32    `at:"0x00"`
	Flags         uint32    `at:"0x04"` // bit 0: the metadata need a check
	Blocknr       uint64    `at:"0x08"`
	UUID          [16]byte  `at:"0x10"`
	Magic         uint64    `at:"0x20"`
	Version       uint32    `at:"0x28"`
	Time          uint32    `at:"0x2c"`
	TransID       uint64    `at:"0x30"`
	HeldRoot      uint64    `at:"0x38"`
	DataSpaceMap  [128]byte `at:"0x40"`
	MetaSpaceMap  [128]byte `at:"0xc0"`
	MappingRoot   uint64    `at:"0x140"` // block of the tree: device → block of the device's own tree: chunk → chunk of the data
	DetailsRoot   uint64    `at:"0x148"`
	DataBlockSize uint32    `at:"0x150"` // sectors
}

// BtreeHeader starts a node of the trees of persistent-data: drivers/md/persistent-data/dm-btree-internal.h, node_header.
type BtreeHeader struct {
	Csum       uint32 `at:"0x00"`
	Flags      uint32 `at:"0x04"` // 1: inner node, 2: leaf
	Blocknr    uint64 `at:"0x08"`
	NrEntries  uint32 `at:"0x10"`
	MaxEntries uint32 `at:"0x14"`
	ValueSize  uint32 `at:"0x18"`
	Padding    uint32 `at:"0x1c"`
}

const (
	thinMagic  = 27022010
	metaBlock  = 4096 // bytes of a block of the metadata
	innerNode  = 1
	leafNode   = 2
	superSalt  = 160774 // SUPERBLOCK_CSUM_XOR
	nodeSalt   = 121107 // BTREE_CSUM_XOR
	needsCheck = 1
	maxNode    = (metaBlock - 32) / 16 // entries of 8 bytes for the key and 8 for the value

	maxBtreeDepth = 8
	maxBtreeNodes = 100_000
	maxChunks     = 4 << 20 // mapped chunks of one volume
)

// btree walks over the trees of a pool's metadata.
type btree struct {
	r    io.ReaderAt
	size int64
	left int // nodes
}

// entry is a key of a leaf with its value.
type entry struct {
	key, value uint64
	at         int64 // of the value
}

// walk is the reading of one tree.
type walk struct {
	*btree
	seen bool
	last uint64 // key
	fn   func(entry) error
}

// each calls fn for the entries of the tree whose root stands at from, in the order of their keys.
func (t *btree) each(root uint64, from int64, fn func(entry) error) error {
	w := &walk{btree: t, fn: fn}
	return w.node(entry{value: root, at: from}, 0)
}

// sealed tells whether a block of the metadata has the checksum that it says: dm_bm_checksum of
// drivers/md/persistent-data/dm-block-manager.c. The kernel reads no other.
func (t *btree) sealed(at int64, sum, salt uint32) (bool, error) {
	var block [metaBlock]byte
	if _, err := io.ReadFull(io.NewSectionReader(t.r, at, metaBlock), block[:]); err != nil {
		return false, err
	}
	return blockSum(block[:], salt) == sum, nil
}

func blockSum(block []byte, salt uint32) uint32 {
	return ^crc32.Checksum(block[4:], crc32.MakeTable(crc32.Castagnoli)) ^ salt
}

// node reads the block that to leads to. Keys that do not ascend end a tree that leads back into itself.
func (w *walk) node(to entry, depth int) error {
	if w.left--; w.left < 0 || depth > maxBtreeDepth {
		return decode.Errorf(w.r, to.at, 8, "thin pool metadata", fmt.Sprintf("a tree of at most %d levels and %d nodes in all", maxBtreeDepth+1, maxBtreeNodes), "more")
	}
	if to.value >= uint64(w.size/metaBlock) {
		return decode.Errorf(w.r, to.at, 8, "thin pool metadata: block", fmt.Sprintf("less than %d", w.size/metaBlock), "%d", to.value)
	}
	at := int64(to.value) * metaBlock
	var h BtreeHeader
	rec, err := decode.Read(w.r, at, binary.LittleEndian, "node of a thin pool's metadata", &h)
	if err != nil {
		return err
	}
	switch ok, err := w.sealed(at, h.Csum, nodeSalt); {
	case err != nil:
		return err
	case !ok:
		return rec.Errorf(&h.Csum, "the checksum of the block", "%#x", h.Csum)
	case h.Blocknr != to.value:
		return rec.Errorf(&h.Blocknr, fmt.Sprint(to.value), "%d", h.Blocknr)
	case h.ValueSize != 8 || h.NrEntries > h.MaxEntries || h.MaxEntries > maxNode:
		return rec.Errorf(&h.NrEntries, fmt.Sprintf("at most %d entries with values of 8 bytes", maxNode), "%d of %d of %d bytes", h.NrEntries, h.MaxEntries, h.ValueSize)
	case h.Flags != innerNode && h.Flags != leafNode:
		return rec.Errorf(&h.Flags, "1 or 2", "%d", h.Flags)
	}
	data := make([]byte, int64(h.MaxEntries)*16) // the keys, then the values
	if _, err := io.ReadFull(io.NewSectionReader(w.r, at+32, int64(len(data))), data); err != nil {
		return err
	}
	for i := range int64(h.NrEntries) {
		value := (int64(h.MaxEntries) + i) * 8
		e := entry{binary.LittleEndian.Uint64(data[i*8:]), binary.LittleEndian.Uint64(data[value:]), at + 32 + value}
		if h.Flags == innerNode {
			err = w.node(e, depth+1)
		} else if w.seen && e.key <= w.last {
			err = decode.Errorf(w.r, at+32+i*8, 8, "node of a thin pool's metadata: key", fmt.Sprintf("more than %d", w.last), "%d", e.key)
		} else {
			w.seen, w.last = true, e.key
			err = w.fn(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// thin is where the chunks of a thin volume lie; what was never written has none and reads as zeros.
func (g *Group) thin(r io.ReaderAt, members []Member, s Segment) ([]blob.Extent, error) {
	pool := g.logical(s.Parts[0])
	if pool == nil || len(pool.Segments) != 1 || pool.Segments[0].Type != "thin-pool" {
		return nil, fmt.Errorf("the group has no thin pool %s", s.Parts[0])
	}
	p := pool.Segments[0]
	if s.Creating || p.Creating {
		return nil, fmt.Errorf("the thin pool %s has a change to make", pool.Name)
	}
	meta, size, err := g.part(members, p.Parts[0])
	if err != nil {
		return nil, err
	}
	data, length, err := g.part(members, p.Parts[1])
	if err != nil {
		return nil, err
	}
	t := &btree{r: blob.Mapped(r, size, meta), size: size, left: maxBtreeNodes}
	root, err := t.device(p.Chunk, uint64(s.Device))
	if err != nil {
		return nil, err
	}
	var out []blob.Extent
	chunks := 0
	err = t.each(root.value, root.at, func(e entry) error {
		at := e.value >> 24 // the low bits are the time of the mapping
		if e.key > uint64(s.Count*g.ExtentSize-1)/uint64(p.Chunk) {
			return nil // the volume was larger
		}
		if chunks++; chunks > maxChunks || at >= uint64(length/p.Chunk) {
			return decode.Errorf(t.r, e.at, 8, "thin pool metadata: chunk", fmt.Sprintf("one of a pool of %d", length/p.Chunk), "%d for chunk %d", at, e.key)
		}
		from := int64(e.key) * p.Chunk
		if n := min(p.Chunk, s.Count*g.ExtentSize-from); n > 0 {
			for _, x := range shifted(data, s.Start*g.ExtentSize+from, int64(at)*p.Chunk, n) {
				out = appendExtent(out, x)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b blob.Extent) int { return cmp.Compare(a.Off, b.Off) })
	for i := 1; i < len(out) && err == nil; i++ {
		if out[i-1].Off+out[i-1].Len > out[i].Off {
			err = fmt.Errorf("the thin volume maps a chunk twice")
		}
	}
	return out, err
}

// device finds the tree of a thin volume.
func (t *btree) device(chunk int64, id uint64) (root entry, err error) {
	var sb ThinSuperblock
	rec, err := decode.Read(t.r, 0, binary.LittleEndian, "thin pool superblock", &sb)
	switch {
	case err != nil:
		return entry{}, err
	case sb.Magic != thinMagic:
		return entry{}, rec.Errorf(&sb.Magic, fmt.Sprint(thinMagic), "%d", sb.Magic)
	}
	switch ok, err := t.sealed(0, sb.Csum, superSalt); {
	case err != nil:
		return entry{}, err
	case !ok:
		return entry{}, rec.Errorf(&sb.Csum, "the checksum of the block", "%#x", sb.Csum)
	case sb.Flags&needsCheck != 0:
		return entry{}, rec.Errorf(&sb.Flags, "metadata that need no check", "%#x", sb.Flags)
	case int64(sb.DataBlockSize)*512 != chunk:
		return entry{}, rec.Errorf(&sb.DataBlockSize, fmt.Sprintf("chunks of %d bytes", chunk), "%d sectors", sb.DataBlockSize)
	}
	found := false
	err = t.each(sb.MappingRoot, 0x140, func(e entry) error {
		if e.key == id {
			root, found = e, true
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("the thin pool has no volume %d", id)
	}
	return root, err
}

// appendExtent appends an extent, to the last one when it continues that.
func appendExtent(out []blob.Extent, e blob.Extent) []blob.Extent {
	if n := len(out) - 1; n >= 0 && out[n].Off+out[n].Len == e.Off && out[n].Phys+out[n].Len == e.Phys {
		out[n].Len += e.Len
		return out
	}
	return append(out, e)
}
