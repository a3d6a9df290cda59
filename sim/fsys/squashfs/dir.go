package squashfs

import (
	"fmt"
	"io/fs"
	"strings"
)

// Bounds on one directory; the first is the kernel's SQUASHFS_DIR_COUNT.
const (
	dirCountMax   = 256
	dirEntriesMax = 1 << 20
	nameMax       = 256
)

// dirent is an entry of a directory.
type dirent struct {
	ref  uint64 // of the inode
	kind uint32 // as in st_mode
	name string
}

// directory is a directory in memory. err is why it ends where it does.
type directory struct {
	entries []dirent
	byName  map[string]int
	err     error
}

// dotsLen is what "." and ".." add to the size of a directory without being stored.
const dotsLen = 3

// directory reads the entries of in.
func (f *FS) directory(in *inode) *directory {
	if d, ok := f.directories.get(in.ref); ok {
		return d
	}
	d := &directory{byName: map[string]int{}}
	c := cursor{f, int64(f.sb.Directory_table_start) + in.start, int64(in.offset)}
	for left := in.size - dotsLen; left > 0 && d.err == nil; {
		var n int64
		n, d.err = d.run(&c, left)
		left -= n
		if d.err == nil && len(d.entries) > dirEntriesMax {
			d.err = in.rec.Errorf(&in.base.Inode_number, fmt.Sprintf("a directory of at most %d entries", dirEntriesMax), "more")
		}
	}
	f.directories.put(in.ref, d)
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
		if _, twice := d.byName[name]; !twice {
			d.byName[name] = len(d.entries)
			d.entries = append(d.entries, dirent{uint64(h.Start_block)<<16 | uint64(e.Offset), kind, name})
		}
	}
	return used, nil
}

// lookup finds name in a directory.
func (f *FS) lookup(in *inode, name string) (uint64, error) {
	d := f.directory(in)
	if i, ok := d.byName[name]; ok {
		return d.entries[i].ref, nil
	}
	if d.err != nil {
		return 0, d.err
	}
	return 0, fs.ErrNotExist
}
