package btrfs

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on one directory and one link (Linux's PATH_MAX).
const (
	dirEntriesMax = 1 << 20
	targetMax     = 4096
)

// ref is an inode: its number in the tree of its subvolume. The directory that stands where a subvolume hung
// before a snapshot was made is number 2, with the subvolume that the snapshot is.
type ref struct {
	tree, ino, under uint64
}

// inode is one decoded inode.
type inode struct {
	ref   ref
	t     tree
	raw   InodeItem
	rec   *decode.Record
	mtime time.Time
	stat  *fsys.Stat
}

// An inode is an [fsys.Inode].
func (in *inode) Mode() uint32       { return in.raw.Mode }
func (in *inode) Size() int64        { return int64(in.raw.Size) }
func (in *inode) ModTime() time.Time { return in.mtime }
func (in *inode) Errorf(want, got string, args ...any) error {
	return in.rec.Errorf(&in.raw.Mode, want, got, args...)
}

func (in *inode) kind() uint32 { return in.raw.Mode & fsys.S_IFMT }

// kindOf is a type of a directory entry in st_mode's terms, 0 when there is none such: BTRFS_FT_REG_FILE
// and so on.
func kindOf(t uint8) uint32 {
	kinds := [...]uint32{0, fsys.S_IFREG, fsys.S_IFDIR, fsys.S_IFCHR, fsys.S_IFBLK, fsys.S_IFIFO, fsys.S_IFSOCK, fsys.S_IFLNK}
	if int(t) >= len(kinds) {
		return 0
	}
	return kinds[t]
}

// inode reads an inode.
func (v *volume) inode(r ref) (*inode, error) {
	if in, ok := v.inodes.Get(r); ok {
		return in, nil
	}
	if r.ino == BTRFS_EMPTY_SUBVOL_DIR_OBJECTID {
		// The kernel's new_simple_dir.
		raw := InodeItem{Nlink: 1, Mode: fsys.S_IFDIR | 0o755}
		return &inode{ref: r, raw: raw, rec: v.rec, mtime: time.Unix(0, 0).UTC()}, nil
	}
	t, err := v.root(r.tree)
	if err != nil {
		return nil, err
	}
	in := &inode{ref: r, t: t}
	it, ok, err := v.get(t, Key{r.ino, BTRFS_INODE_ITEM_KEY, 0})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, v.rec.Errorf(&v.sb.Root, fmt.Sprintf("inode %d in tree %d", r.ino, r.tree), "none")
	}
	if in.rec, err = it.read(0, fmt.Sprintf("inode %d", r.ino), &in.raw); err != nil {
		return nil, err
	}
	if in.raw.Size > math.MaxInt64 {
		return nil, in.rec.Errorf(&in.raw.Size, "less than 2^63", "%#x", in.raw.Size)
	}
	in.mtime = time.Unix(in.raw.Mtime.Sec, int64(in.raw.Mtime.Nsec)).UTC()
	v.inodes.Put(r, in)
	return in, nil
}

// statOf makes the *fsys.Stat of an inode, once.
func (v *volume) statOf(in *inode) *fsys.Stat {
	if in.stat != nil {
		return in.stat
	}
	r := &in.raw
	s := &fsys.Stat{Ino: in.ref.ino, Mode: r.Mode, UID: r.Uid, GID: r.Gid, Nlink: r.Nlink}
	if in.ref.ino != BTRFS_EMPTY_SUBVOL_DIR_OBJECTID {
		s.Cites = cite(in.rec, &r.Mode, &r.Uid, &r.Gid, &r.Size, &r.Nlink, &r.Mtime)
		for i := range s.Cites {
			s.Cites[i].Name = fmt.Sprintf("inode %d: %s", in.ref.ino, s.Cites[i].Name)
		}
	}
	switch in.kind() {
	case fsys.S_IFCHR, fsys.S_IFBLK:
		// The kernel's own dev_t: 12 bits of major above 20 of minor. Minors above 255 keep their place
		// above the major, as in stat's st_rdev.
		major, minor := uint32(r.Rdev>>20), uint32(r.Rdev)&(1<<20-1)
		s.Rdev = minor&0xff | major<<8 | minor&^0xff<<12
	case fsys.S_IFREG:
		s.Capability = v.xattr(in, "security.capability")
	}
	in.stat = s
	return s
}

// eachDir calls fn for the entries of an item of a directory, until it returns false; several names may
// have the same hash.
func (it item) eachDir(fn func(d DirItem, name string, value []byte) bool) error {
	for at := int64(0); at < it.size; {
		var d DirItem
		rec, err := it.read(at, "btrfs directory entry", &d)
		if err != nil {
			return err
		}
		at += decode.Size(&d)
		name, ok := it.bytes(at, int64(d.Name_len))
		value, fits := it.bytes(at+int64(d.Name_len), int64(d.Data_len))
		if !ok || !fits {
			return rec.Errorf(&d.Name_len, "a name inside the item", "%d and %d bytes", d.Name_len, d.Data_len)
		}
		if !fn(d, string(name), value) {
			return nil
		}
		at += int64(d.Name_len) + int64(d.Data_len)
	}
	return nil
}

// xattr returns the value of an attribute, nil when there is none or it cannot be read.
func (v *volume) xattr(in *inode, name string) (value []byte) {
	it, ok, err := v.get(in.t, Key{in.ref.ino, BTRFS_XATTR_ITEM_KEY, nameHash(name)})
	if err != nil || !ok {
		return nil
	}
	it.eachDir(func(_ DirItem, n string, data []byte) bool {
		if n == name {
			value = data
		}
		return n != name
	})
	return value
}

// target of an entry: an inode of the same tree, or the root of another. Where that does not hang here, as
// in a snapshot, the kernel shows an empty directory: fixup_tree_root_location.
func (v *volume) entryRef(dir *inode, d DirItem, name string) ref {
	if d.Location.Type != BTRFS_ROOT_ITEM_KEY {
		return ref{tree: dir.ref.tree, ino: d.Location.Objectid}
	}
	id := d.Location.Objectid
	it, ok, err := v.get(tree{v.sb.Root, v.sb.Root_level}, Key{dir.ref.tree, BTRFS_ROOT_REF_KEY, id})
	if err == nil && ok {
		if at, n, err := it.rootRef(); err == nil && at == dir.ref.ino && n == name {
			return ref{tree: id, ino: BTRFS_FIRST_FREE_OBJECTID}
		}
	}
	return ref{tree: id, ino: BTRFS_EMPTY_SUBVOL_DIR_OBJECTID, under: dir.ref.tree}
}

// lookup finds name in a directory.
func (v *volume) lookup(dir *inode, name string) (found ref, err error) {
	if dir.ref.ino == BTRFS_EMPTY_SUBVOL_DIR_OBJECTID {
		return found, fs.ErrNotExist
	}
	it, ok, err := v.get(dir.t, Key{dir.ref.ino, BTRFS_DIR_ITEM_KEY, nameHash(name)})
	if err != nil {
		return found, err
	}
	here := false
	if ok {
		err = it.eachDir(func(d DirItem, n string, _ []byte) bool {
			if n == name {
				found, here = v.entryRef(dir, d, n), true
			}
			return !here
		})
	}
	if err == nil && !here {
		err = fs.ErrNotExist
	}
	return found, err
}

// list returns the entries of a directory in the order of their making. Names that no path can hold are
// left out.
func (v *volume) list(dir *inode) (out []fsys.Dirent[ref], err error) {
	if dir.ref.ino == BTRFS_EMPTY_SUBVOL_DIR_OBJECTID {
		return nil, nil
	}
	err = v.each(dir.t, Key{dir.ref.ino, BTRFS_DIR_INDEX_KEY, 0}, func(it item) (bool, error) {
		err := it.eachDir(func(d DirItem, name string, _ []byte) bool {
			if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
				v.note("inode %d: entry %q is no file name", dir.ref.ino, name)
				return true
			}
			out = append(out, fsys.Dirent[ref]{Ref: v.entryRef(dir, d, name), Mode: kindOf(d.Type), Name: name})
			return true
		})
		if err == nil && len(out) >= dirEntriesMax {
			err = dir.Errorf(fmt.Sprintf("a directory of less than %d entries", dirEntriesMax), "more")
		}
		return true, err
	})
	return out, err
}

// target is where a symbolic link leads.
func (v *volume) target(in *inode) (string, error) {
	c, err := v.content(in)
	if err != nil {
		return "", err
	}
	b, err := blob.ReadAll(c, targetMax)
	return string(b), err
}
