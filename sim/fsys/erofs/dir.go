package erofs

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on one directory.
const (
	dirEntriesMax = 1 << 20
	dirSizeMax    = 256 << 20
)

// direntLen is the size of struct erofs_dirent.
const direntLen = 12

// dirent is an entry of a directory; it refers to the nid of its inode.
type dirent = fsys.Dirent[uint64]

// directory is a directory in memory.
type directory struct{ fsys.Listing[uint64] }

// kindOf is file_type in st_mode's terms; 0 when there is none such.
func kindOf(t uint8) uint32 {
	kinds := [...]uint32{0, fsys.S_IFREG, fsys.S_IFDIR, fsys.S_IFCHR, fsys.S_IFBLK, fsys.S_IFIFO, fsys.S_IFSOCK, fsys.S_IFLNK}
	if int(t) >= len(kinds) {
		return 0
	}
	return kinds[t]
}

// directory reads the entries of in, block by block.
func (f *FS) directory(in *inode) *directory {
	if d, ok := f.directories.Get(in.nid); ok {
		return d
	}
	d := &directory{}
	r := f.content(in)
	if in.size > dirSizeMax {
		d.Err = in.rec.Errorf(in.format, fmt.Sprintf("a directory of at most %d bytes", dirSizeMax), "%d", in.size)
	}
	for off := int64(0); off < in.size && d.Err == nil; off += f.blockSize {
		block := make([]byte, min(f.blockSize, in.size-off))
		if n, err := r.ReadAt(block, off); n < len(block) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			d.Err = fmt.Errorf("inode %d: directory: %w", in.nid, err)
			break
		}
		d.Err = d.block(in, r, off, block)
		if d.Err == nil && len(d.Entries) > dirEntriesMax {
			d.Err = in.rec.Errorf(in.format, fmt.Sprintf("a directory of at most %d entries", dirEntriesMax), "more")
		}
	}
	f.directories.Put(in.nid, d)
	return d
}

// block reads a block of a directory: entries, then their names, each up to the next; "Directories".
func (d *directory) block(in *inode, r io.ReaderAt, off int64, block []byte) error {
	bad := func(at, n int, want, got string, args ...any) error {
		return decode.Errorf(r, off+int64(at), int64(n), fmt.Sprintf("inode %d: directory entry", in.nid), want, got, args...)
	}
	nameoff := func(i int) int { return int(binary.LittleEndian.Uint16(block[i*direntLen+8:])) }
	if len(block) < direntLen {
		return bad(0, len(block), "an entry of 12 bytes", "%d bytes", len(block))
	}
	first := nameoff(0)
	if first < direntLen || first >= len(block) {
		return bad(8, 2, "nameoff: behind the entries, inside the block", "%d", first)
	}
	count := first / direntLen
	for i := range count {
		var e Dirent
		rec, err := decode.Read(r, off+int64(i)*direntLen, binary.LittleEndian, "erofs directory entry", &e)
		if err != nil {
			return err
		}
		end := len(block)
		if i+1 < count {
			end = nameoff(i + 1)
		}
		if start := int(e.Nameoff); start < first || end <= start || end > len(block) {
			return rec.Errorf(&e.Nameoff, "a name inside the block, before the next", "%d to %d", start, end)
		}
		name, _, _ := strings.Cut(string(block[e.Nameoff:end]), "\x00") // the last one may be padded
		kind := kindOf(e.File_type)
		switch {
		case name == "." || name == "..":
			continue
		case name == "" || len(name) > 255 || strings.Contains(name, "/"):
			return rec.Errorf(&e.Nameoff, "a file name", "%q", name)
		case kind == 0:
			return rec.Errorf(&e.File_type, "a type from 1 to 7", "%d", e.File_type)
		}
		d.Add(dirent{Ref: e.Nid, Mode: kind, Name: name})
	}
	return nil
}

// lookup finds name in a directory.
func (f *FS) lookup(in *inode, name string) (uint64, error) { return f.directory(in).Lookup(name) }

// list returns the entries of a directory in its own order.
func (f *FS) list(in *inode) ([]dirent, error) {
	d := f.directory(in)
	return d.Entries, d.Err
}
