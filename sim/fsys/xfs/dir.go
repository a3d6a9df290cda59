package xfs

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/bits"
	"strings"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on one directory.
const (
	dirBlocksMax  = 1 << 18
	dirEntriesMax = 1 << 20
)

// Magic numbers of directory blocks, of version 4 and 5; "Directories".
const (
	dirBlock2 = 0x58443242 // "XD2B": the only block, with the hashes of its names at the end
	dirData2  = 0x58443244 // "XD2D"
	dirBlock3 = 0x58444233 // "XDB3"
	dirData3  = 0x58444433 // "XDD3"
)

const (
	dirHead2 = 16
	dirHead3 = 64
	dirCRC   = 4
	freeTag  = 0xffff
)

// dirent is an entry of a directory.
type dirent struct {
	ino  uint64
	kind uint8 // ftype, 0 when unknown
	name string
}

// mode is what ftype says of a file, in st_mode's terms: XFS_DIR3_FT_REG_FILE and so on.
func (d dirent) mode() uint32 {
	kinds := [...]uint32{0, fsys.S_IFREG, fsys.S_IFDIR, fsys.S_IFCHR, fsys.S_IFBLK, fsys.S_IFIFO, fsys.S_IFSOCK, fsys.S_IFLNK}
	if d.kind == 0 || int(d.kind) >= len(kinds) {
		return 0
	}
	return kinds[d.kind]
}

// eachEntry calls fn for the entries of a directory in its own order, "." and ".." among them when they are
// stored, until fn returns false. Damage ends the walk with an error.
func (f *FS) eachEntry(in *inode, fn func(dirent) bool) error {
	r, err := f.content(in)
	if err != nil {
		return err
	}
	c, ok := r.(*content)
	if !ok {
		return f.eachShort(in, r, fn)
	}
	perBlock := f.dirBlock / f.blockSize
	last := min(in.size, dirLeafStart) / f.blockSize
	// No block belongs to a directory twice, so there cannot be more than the volume has.
	limit := min(dirBlocksMax, f.meta.Size()/f.dirBlock+1)
	for b, seen := int64(0), int64(0); b < last; {
		start, n, err := c.run(b)
		if err != nil {
			return err
		}
		if start < 0 && n >= perBlock {
			b += n / perBlock * perBlock
			continue
		}
		if seen++; seen > limit {
			return in.rec.Errorf(&in.raw.Di_size, fmt.Sprintf("a directory of at most %d blocks", limit), "%d", in.size)
		}
		raw, err := f.dirBlockAt(in, c, b*f.blockSize)
		if err != nil {
			return err
		}
		if more, err := f.parseBlock(in, c, raw, b*f.blockSize, fn); err != nil || !more {
			return err
		}
		b += perBlock
	}
	return nil
}

func (f *FS) badDirent(in *inode, c fsys.Content, off, n int64, want, got string, args ...any) error {
	return decode.Errorf(c, off, n, fmt.Sprintf("inode %d: directory", in.ino), want, got, args...)
}

// dirBlockAt reads the directory block at byte off of the directory.
func (f *FS) dirBlockAt(in *inode, c *content, off int64) ([]byte, error) {
	raw := make([]byte, f.dirBlock)
	if n, err := c.ReadAt(raw, off); n < len(raw) {
		return nil, fmt.Errorf("inode %d: directory: %w", in.ino, err)
	}
	return raw, nil
}

// parseBlock calls fn for each entry of a data block that lies at byte off of the directory; more says
// whether fn wants to go on.
func (f *FS) parseBlock(in *inode, c *content, raw []byte, off int64, fn func(dirent) bool) (more bool, err error) {
	be := binary.BigEndian
	magic, head, end := be.Uint32(raw), dirHead2, len(raw)
	single := magic == dirBlock2
	if f.v5 {
		head, single = dirHead3, magic == dirBlock3
	}
	if !single && (f.v5 && magic != dirData3 || !f.v5 && magic != dirData2) {
		return false, f.badDirent(in, c, off, 4, "the magic number of a directory block", "%#x", magic)
	}
	if f.v5 {
		f.verify(raw, dirCRC, fmt.Sprintf("inode %d: directory block at %#x", in.ino, off))
	}
	if single { // struct xfs_dir2_block_tail, and its leaf entries before it
		count := be.Uint32(raw[end-8:])
		if int64(count)*8 > int64(end-8-head) {
			return false, f.badDirent(in, c, off+int64(end)-8, 4, "leaf entries that fit the block", "%d", count)
		}
		end -= 8 + int(count)*8
	}
	for at := head; at < end; {
		d, n, ok := f.entryAt(raw[at:end])
		if !ok {
			return false, f.badDirent(in, c, off+int64(at), int64(min(8, end-at)), "an entry that ends inside the block", "% x", raw[at:min(at+9, end)])
		}
		if d.ino != 0 && !fn(d) {
			return false, nil
		}
		at += n
	}
	return true, nil
}

// entryAt decodes one entry, or one stretch of free space with ino 0, and its length: struct
// xfs_dir2_data_entry and xfs_dir2_data_unused.
func (f *FS) entryAt(raw []byte) (d dirent, n int, ok bool) {
	const fixed = 9 // inumber, namelen
	if len(raw) < 8 {
		return d, 0, false
	}
	if binary.BigEndian.Uint16(raw) == freeTag {
		n = int(binary.BigEndian.Uint16(raw[2:]))
		return d, n, n >= 8 && n%8 == 0 && n <= len(raw)
	}
	if len(raw) < fixed+2 {
		return d, 0, false
	}
	name := int(raw[8])
	end := fixed + name
	if f.ftype {
		end++
	}
	if n = (end + 2 + 7) &^ 7; name == 0 || n > len(raw) {
		return d, 0, false
	}
	d = dirent{ino: binary.BigEndian.Uint64(raw), name: string(raw[fixed : fixed+name])}
	if f.ftype {
		d.kind = raw[fixed+name]
	}
	return d, n, d.ino != 0
}

// eachShort walks a directory that lies in its inode: struct xfs_dir2_sf_hdr; "Short Form Directories".
func (f *FS) eachShort(in *inode, r fsys.Content, fn func(dirent) bool) error {
	raw := make([]byte, in.size)
	if n, err := r.ReadAt(raw, 0); n < len(raw) {
		return fmt.Errorf("inode %d: directory: %w", in.ino, err)
	}
	if len(raw) < 6 {
		return f.badDirent(in, r, 0, int64(len(raw)), "at least 6 bytes", "%d", len(raw))
	}
	count, inoLen := int(raw[0]), 4
	if raw[1] != 0 { // i8count: some numbers need 8 bytes, so all have them
		count, inoLen = max(count, int(raw[1])), 8
	}
	at := 2 + inoLen
	for range count {
		const fixed = 3 // namelen, offset
		if at+fixed > len(raw) || raw[at] == 0 {
			return f.badDirent(in, r, int64(at), 1, fmt.Sprintf("%d entries", count), "the end")
		}
		nameEnd := at + fixed + int(raw[at])
		inoAt := nameEnd
		if f.ftype {
			inoAt++
		}
		if inoAt+inoLen > len(raw) {
			return f.badDirent(in, r, int64(at), 1, "a name inside the directory", "%d bytes", raw[at])
		}
		d := dirent{name: string(raw[at+fixed : nameEnd])}
		if f.ftype {
			d.kind = raw[nameEnd]
		}
		for _, b := range raw[inoAt : inoAt+inoLen] {
			d.ino = d.ino<<8 | uint64(b)
		}
		if !fn(d) {
			return nil
		}
		at = inoAt + inoLen
	}
	return nil
}

// lookup finds name in directory in: through its hashes when it has more than one block, else entry by entry.
func (f *FS) lookup(in *inode, name string) (uint64, error) {
	ino, done, err := f.lookupHashed(in, name)
	if err != nil {
		return 0, err
	}
	if !done {
		err := f.eachEntry(in, func(d dirent) bool {
			if d.name == name {
				ino = d.ino
			}
			return ino == 0
		})
		if err != nil {
			return 0, err
		}
	}
	if ino == 0 {
		if f.sb.Sb_versionnum&versionBorg != 0 {
			return 0, fmt.Errorf("inode %d: no exact match in a volume without regard to case: %w", in.ino, decode.ErrUnsupported)
		}
		return 0, fs.ErrNotExist
	}
	return ino, nil
}

// list returns the entries of a directory in its own order, without "." and "..". Names that no path can
// hold are left out. With an error it returns what came before.
func (f *FS) list(in *inode) ([]fsys.Dirent[uint64], error) {
	var out []fsys.Dirent[uint64]
	err := f.eachEntry(in, func(d dirent) bool {
		switch {
		case d.name == "." || d.name == "..":
			return true
		case strings.ContainsAny(d.name, "/\x00"):
			f.note("inode %d: entry %q is no file name", in.ino, d.name)
			return true
		}
		out = append(out, fsys.Dirent[uint64]{Ref: d.ino, Mode: d.mode(), Name: d.name})
		return len(out) < dirEntriesMax
	})
	if err == nil && len(out) >= dirEntriesMax {
		err = in.rec.Errorf(&in.raw.Di_size, fmt.Sprintf("a directory of less than %d entries", dirEntriesMax), "more")
	}
	return out, err
}

// hashName is xfs_da_hashname.
func hashName(name string) uint32 {
	h := uint32(0)
	for ; len(name) >= 4; name = name[4:] {
		h = uint32(name[0])<<21 ^ uint32(name[1])<<14 ^ uint32(name[2])<<7 ^ uint32(name[3]) ^ bits.RotateLeft32(h, 28)
	}
	switch len(name) {
	case 3:
		return uint32(name[0])<<14 ^ uint32(name[1])<<7 ^ uint32(name[2]) ^ bits.RotateLeft32(h, 21)
	case 2:
		return uint32(name[0])<<7 ^ uint32(name[1]) ^ bits.RotateLeft32(h, 14)
	case 1:
		return uint32(name[0]) ^ bits.RotateLeft32(h, 7)
	}
	return h
}
