package btrfs

import (
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Subvolume is a subvolume or a snapshot.
type Subvolume struct {
	ID     uint64
	Parent uint64 // the subvolume that it hangs in
	Path   string // from the top of the volume
}

// root finds the tree of a subvolume.
func (v *volume) root(id uint64) (tree, error) {
	if t, ok := v.roots.Get(id); ok {
		return t, nil
	}
	top := tree{v.sb.Root, v.sb.Root_level}
	var found item
	err := v.each(top, Key{id, BTRFS_ROOT_ITEM_KEY, 0}, func(it item) (bool, error) {
		found = it // a snapshot's key has its generation for an offset
		return true, nil
	})
	if err != nil {
		return tree{}, err
	}
	if found.n == nil {
		return tree{}, fs.ErrNotExist
	}
	var r RootItem
	rec, err := found.read(0, fmt.Sprintf("btrfs root %d", id), &r)
	if err != nil {
		return tree{}, err
	}
	switch {
	case r.Refs == 0:
		return tree{}, fs.ErrNotExist // deleted, and not cleaned up yet
	case r.Level >= levelsMax:
		return tree{}, rec.Errorf(&r.Level, "less than 8", "%d", r.Level)
	}
	t := tree{r.Bytenr, r.Level}
	v.roots.Put(id, t)
	return t, nil
}

// subvolume shows subvolume id.
func (v *volume) subvolume(id uint64) (*FS, error) {
	if _, err := v.root(id); err != nil {
		return nil, fmt.Errorf("btrfs: subvolume %d: %w", id, err)
	}
	f := &FS{v: v, id: id}
	f.Tree = fsys.NewTree(fsys.Source[ref, *inode]{
		Root: ref{tree: id, ino: BTRFS_FIRST_FREE_OBJECTID}, Inode: v.inode, Lookup: v.lookup, List: v.list,
		Content: v.content, Target: v.target, Stat: v.statOf,
	})
	return f, nil
}

// nameHash is btrfs_name_hash: crc32c that starts from ~1 and inverts nothing.
func nameHash(name string) uint64 {
	return uint64(^crc32.Update(1, crc32.MakeTable(crc32.Castagnoli), []byte(name)))
}

// defaultSubvolume is what the entry "default" in the tree of roots names: get_default_subvol_objectid.
func (v *volume) defaultSubvolume() (uint64, error) {
	it, ok, err := v.get(tree{v.sb.Root, v.sb.Root_level}, Key{v.sb.Root_dir_objectid, BTRFS_DIR_ITEM_KEY, nameHash("default")})
	if err != nil || !ok {
		return BTRFS_FS_TREE_OBJECTID, err
	}
	id := uint64(BTRFS_FS_TREE_OBJECTID)
	err = it.eachDir(func(d DirItem, name string, _ []byte) bool {
		if name == "default" {
			id = d.Location.Objectid
		}
		return true
	})
	return id, err
}

// ID is the number of the subvolume shown.
func (f *FS) ID() uint64 { return f.id }

// Place implements [fsys.Subvolumes].
func (f *FS) Place() (string, error) {
	name, _, err := f.v.subvolumePath(f.id)
	return path.Clean(name), err
}

// Top shows the volume from its top, which is subvolume 5.
func (f *FS) Top() (fsys.FS, error) { return f.v.subvolume(BTRFS_FS_TREE_OBJECTID) }

// Subvolumes lists the subvolumes below the top in the order of their numbers.
func (f *FS) Subvolumes() ([]Subvolume, error) {
	top := tree{f.v.sb.Root, f.v.sb.Root_level}
	var out []Subvolume
	for id := uint64(BTRFS_FIRST_FREE_OBJECTID); len(out) < rootsMax; id++ {
		it, ok, err := f.v.ceiling(top, Key{id, BTRFS_ROOT_ITEM_KEY, 0})
		if err != nil || !ok || it.key.Objectid >= BTRFS_LAST_FREE_OBJECTID {
			return out, err
		}
		if id = it.key.Objectid; it.key.Type != BTRFS_ROOT_ITEM_KEY {
			continue
		}
		s := Subvolume{ID: id}
		if s.Path, s.Parent, err = f.v.subvolumePath(id); err == nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// subvolumePath follows the back references of a subvolume up to the top:
// btrfs_get_subvol_name_from_objectid.
func (v *volume) subvolumePath(id uint64) (name string, parent uint64, err error) {
	top := tree{v.sb.Root, v.sb.Root_level}
	for depth := 0; id != BTRFS_FS_TREE_OBJECTID; depth++ {
		it, ok, err := v.ceiling(top, Key{id, BTRFS_ROOT_BACKREF, 0})
		if err != nil {
			return "", 0, err
		}
		if !ok || it.key.Objectid != id || it.key.Type != BTRFS_ROOT_BACKREF || depth > fsys.MaxLinks {
			return "", 0, fs.ErrNotExist
		}
		if depth == 0 {
			parent = it.key.Offset
		}
		dir, last, err := it.rootRef()
		if err != nil {
			return "", 0, err
		}
		id = it.key.Offset
		name = strings.TrimSuffix(last+"/"+name, "/")
		if dir != BTRFS_FIRST_FREE_OBJECTID {
			above, err := v.dirPath(id, dir)
			if err != nil {
				return "", 0, err
			}
			name = above + "/" + name
		}
	}
	return name, parent, nil
}

// rootRef decodes a reference between subvolumes.
func (it item) rootRef() (dir uint64, name string, err error) {
	var r RootRef
	rec, err := it.read(0, "btrfs root reference", &r)
	if err != nil {
		return 0, "", err
	}
	b, ok := it.bytes(decode.Size(&r), int64(r.Name_len))
	if !ok {
		return 0, "", rec.Errorf(&r.Name_len, "a name inside the item", "%d", r.Name_len)
	}
	return r.Dirid, string(b), nil
}

// dirPath is the path of directory ino inside subvolume id, by the back references of inodes.
func (v *volume) dirPath(id, ino uint64) (string, error) {
	const inodeRef, nameAt = 12, 10 // BTRFS_INODE_REF_KEY; struct btrfs_inode_ref: index, name_len
	t, err := v.root(id)
	if err != nil {
		return "", err
	}
	name := ""
	for depth := 0; ino != BTRFS_FIRST_FREE_OBJECTID; depth++ {
		it, ok, err := v.ceiling(t, Key{ino, inodeRef, 0})
		if err != nil {
			return "", err
		}
		if !ok || it.key.Objectid != ino || it.key.Type != inodeRef || it.size < nameAt || depth > 256 {
			return "", fs.ErrNotExist
		}
		b, _ := it.bytes(nameAt, it.size-nameAt)
		name = strings.TrimSuffix(string(b)+"/"+name, "/")
		ino = it.key.Offset
	}
	return name, nil
}

// Select shows what a mount with these options shows: "subvol=" a path from the top, "subvolid=" a number,
// else the default subvolume; btrfs(5). A subvolume that is absent is [fs.ErrNotExist]; a path that is no
// subvolume, or not the one that subvolid= names, is [fs.ErrInvalid], mount's EINVAL. What the driver says of
// a refusal is in the [*MountError].
func (f *FS) Select(options string) (fsys.FS, error) {
	if err := f.v.complete(options); err != nil {
		return nil, err
	}
	name, id, byName, byID := "", uint64(0), false, false
	for o := range strings.SplitSeq(options, ",") {
		if v, ok := strings.CutPrefix(o, "subvol="); ok {
			name, byName = v, true
		}
		if v, ok := strings.CutPrefix(o, "subvolid="); ok {
			n, err := strconv.ParseUint(v, 0, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", o, fs.ErrInvalid)
			}
			if n == 0 {
				n = BTRFS_FS_TREE_OBJECTID
			}
			id, byID = n, true
		}
	}
	switch {
	case byName:
		found, err := f.v.byPath(name)
		if err != nil {
			return nil, err
		}
		if byID && found != id {
			return nil, &MountError{[]string{fmt.Sprintf("subvol '%s' does not match subvolid %d", name, id)}, fs.ErrInvalid}
		}
		return f.v.subvolume(found)
	case byID:
		return f.v.subvolume(id)
	}
	d, err := f.v.defaultSubvolume()
	if err != nil {
		return nil, err
	}
	return f.v.subvolume(d)
}

// byPath finds the subvolume at a path from the top.
func (v *volume) byPath(name string) (uint64, error) {
	top, err := v.subvolume(BTRFS_FS_TREE_OBJECTID)
	if err != nil {
		return 0, err
	}
	at, err := fsys.Resolve(top, name)
	if err != nil {
		return 0, err
	}
	in, err := top.Find(at)
	if err != nil {
		return 0, err
	}
	if in.ref.ino != BTRFS_FIRST_FREE_OBJECTID {
		return 0, &MountError{[]string{fmt.Sprintf("'%s' is not a valid subvolume", name)}, fs.ErrInvalid}
	}
	return in.ref.tree, nil
}
