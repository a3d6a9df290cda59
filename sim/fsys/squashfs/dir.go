package squashfs

import (
	"fmt"
	"strings"

	"bootpath/sim/fsys"
)

// Bounds on one directory; the first is the kernel's SQUASHFS_DIR_COUNT.
const (
	dirCountMax   = 256
	dirEntriesMax = 1 << 20
	nameMax       = 256
)

// dirent is an entry of a directory; it refers to the place of its inode.
type dirent = fsys.Dirent[uint64]

// directory is a directory in memory.
type directory struct{ fsys.Listing[uint64] }

// dotsLen is what "." and ".." add to the size of a directory without being stored.
const dotsLen = 3

// directory reads the entries of in.
func (f *FS) directory(in *inode) *directory {
	if d, ok := f.directories.Get(in.ref); ok {
		return d
	}
	d := &directory{}
	c := cursor{f, int64(f.sb.Directory_table_start) + in.start, int64(in.offset)}
	for left := in.size - dotsLen; left > 0 && d.Err == nil; {
		var n int64
		n, d.Err = d.run(&c, left)
		left -= n
		if d.Err == nil && len(d.Entries) > dirEntriesMax {
			d.Err = in.rec.Errorf(&in.base.Inode_number, fmt.Sprintf("a directory of at most %d entries", dirEntriesMax), "more")
		}
	}
	f.directories.Put(in.ref, d)
	return d
}

// run reads a header and the entries behind it, which take at most left bytes, and says how many they took.
func (d *directory) run(c *cursor, left int64) (int64, error) {
	var h DirHeader
	rec, err := c.record("squashfs directory header", &h)
	if err != nil {
		return 0, err
	}
	if h.Count >= dirCountMax {
		return 0, rec.Errorf(&h.Count, "less than 256", "%d", h.Count)
	}
	used := int64(12)
	for range h.Count + 1 {
		var e DirEntry
		rec, err := c.record("squashfs directory entry", &e)
		if err != nil {
			return used, err
		}
		size := int64(e.Size) + 1
		if size > nameMax || used+8+size > left {
			return used, rec.Errorf(&e.Size, "a name of at most 256 bytes inside the directory", "%d", size)
		}
		kind := kindOf(e.Type)
		if kind == 0 {
			return used, rec.Errorf(&e.Type, "a type from 1 to 7", "%d", e.Type)
		}
		b := make([]byte, size)
		if err := c.read(b); err != nil {
			return used, err
		}
		name := string(b)
		if name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return used, rec.Errorf(&e.Size, "a file name", "%q", name)
		}
		used += 8 + size
		d.Add(dirent{Ref: uint64(h.Start_block)<<16 | uint64(e.Offset), Mode: kind, Name: name})
	}
	return used, nil
}

// lookup finds name in a directory.
func (f *FS) lookup(in *inode, name string) (uint64, error) { return f.directory(in).Lookup(name) }

// list returns the entries of a directory in its own order.
func (f *FS) list(in *inode) ([]dirent, error) {
	d := f.directory(in)
	return d.Entries, d.Err
}
