package lvm

import (
	"cmp"
	"encoding/binary"
	"fmt"
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

// each calls fn for the entries of a tree in the order of their keys.
func (t *btree) each(block uint64, depth int, fn func(key, value uint64) error) error {
	if t.left--; t.left < 0 || depth > maxBtreeDepth {
		return fmt.Errorf("the tree of the pool's metadata has too many nodes")
	}
	if block > uint64(t.size/metaBlock) {
		return decode.Errorf(t.r, 0, 1, "thin pool metadata", "a block inside", "%d of %d", block, t.size/metaBlock)
	}
	at := int64(block) * metaBlock
	var h BtreeHeader
	rec, err := decode.Read(t.r, at, binary.LittleEndian, "node of a thin pool's metadata", &h)
	if err != nil {
		return err
	}
	if h.Blocknr != block || h.ValueSize != 8 || h.NrEntries > h.MaxEntries || h.MaxEntries > maxNode {
		return rec.Errorf(&h.NrEntries, fmt.Sprintf("block %d with values of 8 bytes", block), "block %d, %d of %d entries of %d bytes", h.Blocknr, h.NrEntries, h.MaxEntries, h.ValueSize)
	}
	data := make([]byte, int64(h.MaxEntries)*16) // the keys, then the values
	if _, err := io.ReadFull(io.NewSectionReader(t.r, at+32, int64(len(data))), data); err != nil {
		return err
	}
	for i := range int64(h.NrEntries) {
		key := binary.LittleEndian.Uint64(data[i*8:])
		value := binary.LittleEndian.Uint64(data[(int64(h.MaxEntries)+i)*8:])
		if h.Flags&innerNode != 0 {
			err = t.each(value, depth+1, fn)
		} else {
			err = fn(key, value)
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
	err = t.each(root, 0, func(key, value uint64) error {
		at := value >> 24 // the low bits are the time of the mapping
		if chunks++; chunks > maxChunks || at >= uint64(length/p.Chunk) || key >= 1<<40 {
			return fmt.Errorf("chunk %d of the thin volume lies at chunk %d of a pool of %d", key, at, length/p.Chunk)
		}
		from := int64(key) * p.Chunk
		if n := min(p.Chunk, s.Count*g.ExtentSize-from); n > 0 {
			for _, e := range shifted(data, s.Start*g.ExtentSize+from, int64(at)*p.Chunk, n) {
				out = appendExtent(out, e)
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
func (t *btree) device(chunk int64, id uint64) (root uint64, err error) {
	var sb ThinSuperblock
	rec, err := decode.Read(t.r, 0, binary.LittleEndian, "thin pool superblock", &sb)
	switch {
	case err != nil:
		return 0, err
	case sb.Magic != thinMagic:
		return 0, rec.Errorf(&sb.Magic, fmt.Sprint(thinMagic), "%d", sb.Magic)
	case sb.Flags&needsCheck != 0:
		return 0, rec.Errorf(&sb.Flags, "metadata that need no check", "%#x", sb.Flags)
	case int64(sb.DataBlockSize)*512 != chunk:
		return 0, rec.Errorf(&sb.DataBlockSize, fmt.Sprintf("chunks of %d bytes", chunk), "%d sectors", sb.DataBlockSize)
	}
	found := false
	err = t.each(sb.MappingRoot, 0, func(key, value uint64) error {
		if key == id {
			root, found = value, true
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
