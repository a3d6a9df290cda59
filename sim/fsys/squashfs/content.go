package squashfs

import (
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// content is what a regular file holds: whole blocks, one after the other in the volume, and perhaps an end
// in a fragment, a block that ends of several files share.
type content struct {
	f      *FS
	size   int64
	blocks []extent
	tail   extent // the fragment
	tailAt int64  // where the file's end begins in it
}

// extent is a block in the volume; one of no length is all zero.
type extent struct {
	off    int64
	n      int64
	packed bool
}

func makeExtent(off int64, size uint32) extent {
	return extent{off, int64(size &^ dataUncompressed), size&dataUncompressed == 0}
}

// content reads where the blocks of a regular file lie.
func (f *FS) content(in *inode) (fsys.Content, error) {
	c := &content{f: f, size: in.size}
	block := int64(f.sb.Block_size)
	n := in.size / block
	if in.fragment == none {
		n = (in.size + block - 1) / block
	} else if err := c.readFragment(in); err != nil {
		return nil, err
	}
	if n > fileBlocksMax {
		return nil, fmt.Errorf("inode %d: a file of %d blocks: %w", in.base.Inode_number, n, decode.ErrUnsupported)
	}
	at, list := in.start, in.rest
	for buf := make([]byte, min(n*4, metadataSize)); n > 0; {
		part := buf[:min(n*4, metadataSize)]
		place := list
		if err := list.read(part); err != nil {
			return nil, fmt.Errorf("inode %d: sizes of blocks: %w", in.base.Inode_number, err)
		}
		for i := 0; i < len(part); i += 4 {
			e := makeExtent(at, binary.LittleEndian.Uint32(part[i:]))
			if e.n > block || at > f.size-e.n {
				return nil, decode.Errorf(place, int64(i), 4, fmt.Sprintf("inode %d: block_list", in.base.Inode_number),
					"a block inside the volume, of the block size at most", "%d bytes at %#x", e.n, at)
			}
			c.blocks = append(c.blocks, e)
			at += e.n
		}
		n -= int64(len(part)) / 4
	}
	return c, nil
}

func (c *content) readFragment(in *inode) error {
	f := c.f
	if in.fragment >= f.sb.Fragments {
		return in.rec.Errorf(&in.base.Inode_number, fmt.Sprintf("a fragment below %d", f.sb.Fragments), "%d", in.fragment)
	}
	var e FragmentEntry
	place, err := f.entry(int64(f.sb.Fragment_table_start), int64(in.fragment), decode.Size(&e))
	if err != nil {
		return err
	}
	if _, err := place.record("squashfs fragment", &e); err != nil {
		return err
	}
	c.tail, c.tailAt = makeExtent(int64(e.Start_block), e.Size), int64(in.offset)
	return nil
}

// Size implements [blob.Sized].
func (c *content) Size() int64 { return c.size }

// each calls fn for the parts of the file from off: the block they lie in, nil for zeros, where they begin
// in it, their length, and the length that the block must have, 0 when any will do.
func (c *content) each(off, n int64, fn func(e *extent, at, n, size int64) error) error {
	block := int64(c.f.sb.Block_size)
	for n > 0 && off < c.size {
		i, at := off/block, off%block
		size := min(block, c.size-i*block)
		take := min(n, size-at)
		var err error
		switch {
		case i >= int64(len(c.blocks)):
			err = fn(&c.tail, c.tailAt+at, take, 0)
		case c.blocks[i].n == 0:
			err = fn(nil, at, take, size)
		default:
			err = fn(&c.blocks[i], at, take, size)
		}
		if err != nil {
			return err
		}
		off, n = off+take, n-take
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= c.size {
		return 0, io.EOF
	}
	done := 0
	err := c.each(off, int64(len(p)), func(e *extent, at, n, size int64) error {
		q := p[done : done+int(n)]
		if e == nil {
			clear(q)
			done += len(q)
			return nil
		}
		b, err := c.f.data(*e)
		if err != nil {
			return err
		}
		if size > 0 && int64(len(b)) != size || at+n > int64(len(b)) {
			return decode.Errorf(c.f.r, e.off, e.n, "data block", fmt.Sprintf("%d bytes unpacked", max(size, at+n)), "%d", len(b))
		}
		done += copy(q, b[at:])
		return nil
	})
	if err == nil && done < len(p) {
		err = io.EOF
	}
	return done, err
}

// Locate implements [blob.Locator]. Bytes of a compressed block came from the whole of it.
func (c *content) Locate(off, n int64) []blob.Span {
	if off < 0 {
		return nil
	}
	var out []blob.Span
	c.each(off, n, func(e *extent, at, n, _ int64) error {
		switch {
		case e == nil:
		case e.packed:
			out = append(out, blob.Locate(c.f.r, e.off, e.n)...)
		default:
			out = append(out, blob.Locate(c.f.r, e.off+at, min(n, e.n-at))...)
		}
		return nil
	})
	return blob.Join(out)
}

// data reads a block of content.
func (f *FS) data(e extent) ([]byte, error) {
	if b, ok := f.dataBlocks.Get(e); ok {
		return b, nil
	}
	b, err := f.readBlock(e.off, e.n, e.packed, int(f.sb.Block_size), "data block")
	if err == nil {
		f.dataBlocks.Put(e, b)
	}
	return b, err
}
