package btrfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"

	"bootpath/sim/decode"
)

// chunk is a run of logical addresses and its copies on the device at hand.
type chunk struct {
	logical, length uint64
	copies          []uint64 // where it begins on this device; none when it cannot be read from it alone
	missing         []device // other devices
}

// parseChunk reads a chunk item and its stripes at off of r, at most n bytes, and says how long it is.
func (v *volume) parseChunk(r io.ReaderAt, off, n int64, logical uint64) (int64, error) {
	var c Chunk
	rec, err := decode.Read(r, off, binary.LittleEndian, "btrfs chunk", &c)
	if err != nil {
		return 0, err
	}
	length := decode.Size(&c) + int64(c.Num_stripes)*decode.Size(new(Stripe))
	switch {
	case c.Num_stripes == 0 || length > n:
		return 0, rec.Errorf(&c.Num_stripes, fmt.Sprintf("stripes that fit %d bytes", n), "%d", c.Num_stripes)
	case c.Length == 0 || c.Length > 1<<62 || logical > 1<<62:
		return 0, rec.Errorf(&c.Length, "from 1 to 2^62", "%d at %d", c.Length, logical)
	case len(v.chunks) >= chunksMax:
		return 0, rec.Errorf(&c.Length, fmt.Sprintf("at most %d chunks", chunksMax), "more")
	}
	out := chunk{logical: logical, length: c.Length}
	for i := range int64(c.Num_stripes) {
		var s Stripe
		if _, err := decode.Read(r, off+decode.Size(&c)+i*decode.Size(&s), binary.LittleEndian, "btrfs stripe", &s); err != nil {
			return 0, err
		}
		switch {
		case s.Devid != v.sb.Dev_item.Devid:
			out.missing = append(out.missing, device{s.Devid, s.Dev_uuid})
		case c.Type&striped == 0 || c.Num_stripes == 1:
			out.copies = append(out.copies, s.Offset)
		}
	}
	at := sort.Search(len(v.chunks), func(i int) bool { return v.chunks[i].logical >= logical })
	if at < len(v.chunks) && v.chunks[at].logical == logical {
		v.chunks[at] = out // the chunk tree says again what the superblock said
		return length, nil
	}
	v.chunks = slices.Insert(v.chunks, at, out)
	return length, nil
}

// readSystemChunks reads the chunks that the superblock holds, which lead to the chunk tree.
func (v *volume) readSystemChunks() error {
	size := int64(v.sb.Sys_chunk_array_size)
	array := bytes.NewReader(v.sb.Sys_chunk_array[:size])
	for at := int64(0); at < size; {
		var k Key
		if _, err := decode.Read(array, at, binary.LittleEndian, "btrfs sys_chunk_array", &k); err != nil {
			return err
		}
		if k.Type != BTRFS_CHUNK_ITEM_KEY {
			return v.rec.Errorf(&v.sb.Sys_chunk_array, "keys of type 228", "%d at byte %d", k.Type, at)
		}
		at += keyLen
		n, err := v.parseChunk(array, at, size-at, k.Offset)
		if err != nil {
			return err
		}
		at += n
	}
	v.system = slices.Clone(v.chunks)
	return nil
}

// readChunkTree reads all other chunks.
func (v *volume) readChunkTree() error {
	t := tree{v.sb.Chunk_root, v.sb.Chunk_root_level}
	first := Key{BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY, 0}
	return v.each(t, first, func(it item) (bool, error) {
		_, err := v.parseChunk(it.n, it.off, it.size, it.key.Offset)
		return true, err
	})
}

// place finds the copies of n bytes at a logical address.
func (v *volume) place(logical, n uint64) ([]int64, error) {
	i := sort.Search(len(v.chunks), func(i int) bool { return v.chunks[i].logical > logical }) - 1
	if i < 0 || n > v.chunks[i].length || logical-v.chunks[i].logical > v.chunks[i].length-n {
		return nil, v.rec.Errorf(&v.sb.Chunk_root, fmt.Sprintf("a chunk that holds %d bytes at %#x", n, logical), "none")
	}
	c := v.chunks[i]
	if len(c.copies) == 0 {
		var ids []uint64
		for _, d := range c.missing {
			ids = append(ids, d.id)
		}
		return nil, fmt.Errorf("btrfs: bytes at %#x lie striped, also on devices %d: %w", logical, ids, decode.ErrUnsupported)
	}
	var out []int64
	for _, start := range c.copies {
		at := start + logical - c.logical
		if at < start || v.size < int64(n) || at > uint64(v.size)-n {
			return nil, v.rec.Errorf(&v.sb.Dev_item.Total_bytes, fmt.Sprintf("chunks inside the device's %d bytes", v.size), "one at %#x", at)
		}
		out = append(out, int64(at))
	}
	return out, nil
}
