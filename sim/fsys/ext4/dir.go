package ext4

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on one directory.
const (
	dirBlocksMax  = 1 << 18
	dirEntriesMax = 1 << 20
)

// dirent is an entry of a directory: struct ext4_dir_entry_2; "Directory Entries".
type dirent struct {
	ino  uint32
	kind uint8 // file_type, 0 when unknown
	name string
}

// direntHead is the length of an entry before its name.
const direntHead = 8

// Values of file_type.
const (
	EXT4_FT_REG_FILE = 1
	EXT4_FT_DIR      = 2
	EXT4_FT_CHRDEV   = 3
	EXT4_FT_BLKDEV   = 4
	EXT4_FT_FIFO     = 5
	EXT4_FT_SOCK     = 6
	EXT4_FT_SYMLINK  = 7
	EXT4_FT_DIR_CSUM = 0xde // the checksum at the end of a block, in the form of an entry
)

// mode is what file_type says of a file, in st_mode's terms; 0 when it says nothing.
func (d dirent) mode() uint32 {
	kinds := [...]uint32{0, fsys.S_IFREG, fsys.S_IFDIR, fsys.S_IFCHR, fsys.S_IFBLK, fsys.S_IFIFO, fsys.S_IFSOCK, fsys.S_IFLNK}
	if d.kind == 0 || int(d.kind) >= len(kinds) {
		return 0
	}
	return kinds[d.kind]
}

// parseBlock calls fn for each entry of a directory block that is in use, until it returns false. off is
// where raw lies in the volume. It checks what the kernel's __ext4_check_dir_entry checks.
func (f *FS) parseBlock(in *inode, raw []byte, off int64, fn func(dirent) bool) error {
	for at := 0; at < len(raw); {
		if len(raw)-at < direntHead {
			return f.badDirent(in, off+int64(at), int64(len(raw)-at), "an entry of 8 bytes or more", fmt.Sprintf("%d bytes", len(raw)-at))
		}
		head := raw[at:]
		ino := binary.LittleEndian.Uint32(head)
		length := f.recLen(binary.LittleEndian.Uint16(head[4:]))
		nameLen, kind := int(head[6]), head[7]
		if !f.incompat(incompatFiletype) {
			kind = 0 // then it is the high byte of name_len
		}
		switch {
		case length < direntHead+4 || length%4 != 0 || length > len(raw)-at:
			return f.badDirent(in, off+int64(at)+4, 2, "rec_len: a multiple of 4 that stays in the block", fmt.Sprintf("%d", length))
		case (direntHead+nameLen+3)&^3 > length:
			return f.badDirent(in, off+int64(at)+6, 1, fmt.Sprintf("name_len: at most rec_len %d", length), fmt.Sprintf("%d", nameLen))
		case ino > f.sb.S_inodes_count:
			return f.badDirent(in, off+int64(at), 4, fmt.Sprintf("inode: at most %d", f.sb.S_inodes_count), fmt.Sprintf("%d", ino))
		}
		if ino != 0 && !fn(dirent{ino, kind, string(head[direntHead : direntHead+nameLen])}) {
			return nil
		}
		at += length
	}
	return nil
}

func (f *FS) badDirent(in *inode, off, n int64, want, got string) error {
	return decode.Errorf(f.meta, off, n, fmt.Sprintf("inode %d: directory entry", in.ino), want, "%s", got)
}

// recLen decodes rec_len, which has no room for 65536: ext4_rec_len_from_disk.
func (f *FS) recLen(v uint16) int {
	if f.blockSize < 65536 {
		return int(v)
	}
	if v == 0 || v == 65535 {
		return 65536
	}
	return int(v&65532) | int(v&3)<<16
}

// eachEntry calls fn for the entries of a directory in the order of its blocks, "." and ".." among them
// when they are stored, until fn returns false. A damaged block ends the walk with an error.
func (f *FS) eachEntry(in *inode, fn func(dirent) bool) error {
	if in.flag(EXT4_ENCRYPT_FL) {
		return fmt.Errorf("inode %d: encrypted directory: %w", in.ino, decode.ErrUnsupported)
	}
	if in.flag(EXT4_INLINE_DATA_FL) {
		return f.eachInline(in, fn)
	}
	r, err := f.content(in)
	if err != nil {
		return err
	}
	m, ok := r.(*content)
	if !ok {
		return in.rec.Errorf(&in.raw.I_mode, "a directory", "%#o", in.raw.I_mode)
	}
	more := true
	blocks := in.size / f.blockSize
	// No block belongs to a directory twice, so there cannot be more than the volume has.
	limit := int(min(dirBlocksMax, f.meta.Size()/f.blockSize+1))
	for b, seen := int64(0), 0; b < blocks && more; {
		phys, n, err := m.m.run(uint32(b))
		if err != nil {
			return err
		}
		if phys < 0 { // the kernel skips a hole in a directory with a complaint
			b += n
			continue
		}
		if seen++; seen > limit {
			return in.rec.Errorf(&in.raw.I_size_lo, fmt.Sprintf("a directory of at most %d blocks", limit), "%d", blocks)
		}
		raw, err := f.metaBlock(phys, fmt.Sprintf("inode %d: directory", in.ino))
		if err != nil {
			return err
		}
		f.checkDirBlock(in, raw, b)
		err = f.parseBlock(in, raw, phys*f.blockSize, func(d dirent) bool {
			more = fn(d)
			return more
		})
		if err != nil {
			return err
		}
		b++
	}
	return nil
}

// eachInline walks a directory that lies in its inode: the parent's number, then entries in i_block, then
// entries in the attribute system.data; "Inline Directories".
func (f *FS) eachInline(in *inode, fn func(dirent) bool) error {
	const parentLen = 4
	more := true
	walk := func(off, n int64) error {
		raw := make([]byte, n)
		if got, err := f.meta.ReadAt(raw, off); int64(got) < n {
			return fmt.Errorf("inode %d: inline directory: %w", in.ino, err)
		}
		return f.parseBlock(in, raw, off, func(d dirent) bool {
			more = fn(d)
			return more
		})
	}
	if err := walk(in.off+iBlockOff+parentLen, min(max(in.size, iBlockLen), iBlockLen)-parentLen); err != nil || !more {
		return err
	}
	off, n, ok := f.inodeXattr(in, xattrSystem, "data")
	if rest := min(n, in.size-iBlockLen); ok && rest > 0 {
		return walk(off, rest)
	}
	return nil
}

// checkDirBlock verifies the checksum at the end of a block of entries: struct ext4_dir_entry_tail. Nodes
// of a hash tree have theirs elsewhere; what stands at this place is left from before the tree was made.
func (f *FS) checkDirBlock(in *inode, raw []byte, b int64) {
	const tail = 12
	at := len(raw) - tail
	inner := in.flag(EXT4_INDEX_FL) && (b == 0 || f.recLen(binary.LittleEndian.Uint16(raw[4:])) == len(raw))
	if !f.ro(roMetadataCsum) || inner {
		return
	}
	t := raw[at:]
	if binary.LittleEndian.Uint32(t) != 0 || binary.LittleEndian.Uint16(t[4:]) != tail || t[6] != 0 || t[7] != EXT4_FT_DIR_CSUM {
		return
	}
	sum := crc32c(f.inodeSeed(in.ino, in.raw.I_generation), raw[:at])
	if got := binary.LittleEndian.Uint32(t[8:]); got != sum {
		f.note("inode %d: checksum of directory block %d is %#08x, computed %#08x", in.ino, b, got, sum)
	}
}

// lookup finds name in directory in: through the hash tree when there is one, else block by block.
func (f *FS) lookup(in *inode, name string) (uint32, error) {
	ino, done := uint32(0), false
	if f.compat(compatDirIndex) && in.flag(EXT4_INDEX_FL) && !in.flag(EXT4_INLINE_DATA_FL|EXT4_CASEFOLD_FL|EXT4_ENCRYPT_FL) {
		ino, done = f.lookupHashed(in, name)
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
		if in.flag(EXT4_CASEFOLD_FL) {
			return 0, fmt.Errorf("inode %d: no exact match in a casefolded directory: %w", in.ino, decode.ErrUnsupported)
		}
		return 0, fs.ErrNotExist
	}
	return ino, nil
}

// list returns the entries of a directory in its own order, without "." and "..". Names that no path can
// hold are left out. With an error it returns what came before.
func (f *FS) list(in *inode) ([]fsys.Dirent[uint32], error) {
	var out []fsys.Dirent[uint32]
	err := f.eachEntry(in, func(d dirent) bool {
		switch {
		case d.name == "." || d.name == "..":
			return true
		case d.name == "" || strings.ContainsAny(d.name, "/\x00"):
			f.note("inode %d: entry %q is no file name", in.ino, d.name)
			return true
		}
		out = append(out, fsys.Dirent[uint32]{Ref: d.ino, Mode: d.mode(), Name: d.name})
		return len(out) < dirEntriesMax
	})
	if err == nil && len(out) >= dirEntriesMax {
		err = in.rec.Errorf(&in.raw.I_size_lo, fmt.Sprintf("a directory of less than %d entries", dirEntriesMax), "more")
	}
	return out, err
}
