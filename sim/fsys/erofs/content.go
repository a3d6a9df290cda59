package erofs

import (
	"encoding/binary"
	"fmt"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// chunksMax bounds the chunks and the compressed blocks of one file that are kept.
const chunksMax = 1 << 20

// content finds the bytes of a file. What cannot be read gives its reason when it is read.
func (f *FS) content(in *inode) fsys.Content {
	var r fsys.Content
	var err error
	switch in.layout {
	case EROFS_INODE_FLAT_PLAIN, EROFS_INODE_FLAT_INLINE:
		r, err = f.flat(in)
	case EROFS_INODE_CHUNK_BASED:
		r, err = f.chunks(in)
	default:
		r, err = f.compressed(in)
	}
	if err != nil {
		return unreadable{in.size, fmt.Errorf("inode %d: %w", in.nid, err)}
	}
	return r
}

// unreadable is content that we know the size of.
type unreadable struct {
	size int64
	err  error
}

func (u unreadable) Size() int64                       { return u.size }
func (u unreadable) Locate(off, n int64) []blob.Span   { return nil }
func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }

// flat is content in blocks one after the other; its end may lie behind the inode instead:
// erofs_map_blocks_flatmode.
func (f *FS) flat(in *inode) (fsys.Content, error) {
	start := int64(in.u) * f.blockSize
	whole := in.size
	var ext []blob.Extent
	if in.layout == EROFS_INODE_FLAT_INLINE {
		if whole = 0; in.size > 0 {
			whole = (in.size - 1) / f.blockSize * f.blockSize
		}
		tail := in.behind()
		if n := in.size - whole; tail%f.blockSize+n > f.blockSize {
			return nil, decode.Errorf(f.r, tail, n, "inline data", "an end inside the inode's block", "%d bytes", n)
		}
		ext = append(ext, blob.Extent{Off: whole, Len: in.size - whole, Phys: tail})
	}
	if whole > 0 {
		if start > f.size-whole {
			return nil, in.rec.Errorf(in.format, fmt.Sprintf("content inside the volume's %d bytes", f.size), "%d bytes at %#x", whole, start)
		}
		ext = append([]blob.Extent{{Len: whole, Phys: start}}, ext...)
	}
	return blob.Mapped(f.r, in.size, ext), nil
}

// chunks is content in pieces of one length: erofs_map_blocks.
func (f *FS) chunks(in *inode) (fsys.Content, error) {
	format := in.u & 0xffff
	if format&^(EROFS_CHUNK_FORMAT_BLKBITS_MASK|EROFS_CHUNK_FORMAT_INDEXES) != 0 {
		return nil, fmt.Errorf("chunk format %#x: %w", format, decode.ErrUnsupported)
	}
	size := f.blockSize << (format & EROFS_CHUNK_FORMAT_BLKBITS_MASK)
	unit := int64(4) // EROFS_BLOCK_MAP_ENTRY_SIZE
	if format&EROFS_CHUNK_FORMAT_INDEXES != 0 {
		unit = decode.Size(new(ChunkIndex))
	}
	n := (in.size + size - 1) / size
	if n > chunksMax {
		return nil, fmt.Errorf("a file of %d chunks: %w", n, decode.ErrUnsupported)
	}
	table := (in.behind() + unit - 1) / unit * unit
	if table+n*unit > f.size {
		return nil, decode.Errorf(f.r, table, 1, "chunk table", "a place inside the volume", "%d chunks", n)
	}
	raw := make([]byte, n*unit)
	if got, err := f.r.ReadAt(raw, table); got < len(raw) {
		return nil, fmt.Errorf("chunk table at %#x: %w", table, err)
	}
	var ext []blob.Extent
	for i := range n {
		e := raw[i*unit:][:unit]
		addr := binary.LittleEndian.Uint32(e[unit-4:])
		if unit > 4 && addr != nullAddr && binary.LittleEndian.Uint16(e[2:]) != 0 {
			return nil, fmt.Errorf("a chunk on another device: %w", decode.ErrUnsupported)
		}
		if addr == nullAddr {
			continue // a hole
		}
		length, at := min(size, in.size-i*size), int64(addr)*f.blockSize
		if at > f.size-length {
			return nil, decode.Errorf(f.r, table+i*unit, unit, "chunk", fmt.Sprintf("a place inside the volume's %d bytes", f.size), "%#x", at)
		}
		ext = append(ext, blob.Extent{Off: i * size, Len: length, Phys: at})
	}
	return blob.Mapped(f.r, in.size, ext), nil
}
