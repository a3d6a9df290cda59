package xfs

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

var (
	_ fsys.FS     = (*FS)(nil)
	_ fs.FileInfo = fileInfo{}
)

// pathMax is Linux's PATH_MAX.
const pathMax = 4096

var errNotLink = errors.New("not a symbolic link")

// validPath is fs.ValidPath that accepts names which are not UTF-8, as Linux does.
func validPath(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return len(name) < pathMax
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// walk finds the inode that a path names, following no link.
func (f *FS) walk(op, name string) (*inode, error) {
	if !validPath(name) {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	in, err := f.inode(f.sb.Sb_rootino)
	if err != nil || name == "." {
		return in, pathError(op, name, err)
	}
	for part := range strings.SplitSeq(name, "/") {
		if in.kind() != fsys.S_IFDIR {
			return nil, pathError(op, name, fsys.ErrNotDir)
		}
		n, err := f.lookup(in, part)
		if err == nil {
			in, err = f.entryInode(in, n)
		}
		if err != nil {
			return nil, pathError(op, name, err)
		}
	}
	return in, nil
}

// entryInode reads inode n, reached from a directory. A directory has one parent: a second way to it is
// damage that would let a walk never end.
func (f *FS) entryInode(dir *inode, n uint64) (*inode, error) {
	in, err := f.inode(n)
	if err != nil || in.kind() != fsys.S_IFDIR {
		return in, err
	}
	switch parent, seen := f.parents[n]; {
	case n == f.sb.Sb_rootino || seen && parent != dir.ino:
		return nil, in.rec.Errorf(&in.raw.Di_nlink, "one way to a directory", "inode %d names it again", dir.ino)
	case !seen && len(f.parents) < parentsMax:
		f.parents[n] = dir.ino
	}
	return in, nil
}

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	in, err := f.walk("open", name)
	if err != nil {
		return nil, err
	}
	info := fileInfo{f, in, path.Base(name)}
	switch in.kind() {
	case fsys.S_IFREG:
		r, err := f.content(in)
		if err != nil {
			return nil, pathError("open", name, err)
		}
		return fsys.NewFile(info, r), nil
	case fsys.S_IFDIR:
		return fsys.NewDir(info, func() ([]fs.DirEntry, error) {
			list, err := f.readDir(in)
			return list, pathError("readdir", name, err)
		}), nil
	}
	return fsys.NewSpecial(info), nil
}

// Stat implements [fs.StatFS]; like Lstat, it follows no link.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name) }

// Lstat implements [fs.ReadLinkFS].
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name) }

func (f *FS) stat(op, name string) (fs.FileInfo, error) {
	in, err := f.walk(op, name)
	if err != nil {
		return nil, err
	}
	return fileInfo{f, in, path.Base(name)}, nil
}

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	in, err := f.walk("readlink", name)
	if err != nil {
		return "", err
	}
	if in.kind() != fsys.S_IFLNK {
		return "", pathError("readlink", name, errNotLink)
	}
	r, err := f.content(in)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	target, err := blob.ReadAll(r, targetMax)
	return text(target), pathError("readlink", name, err)
}

// ReadDir implements [fs.ReadDirFS]; entries are sorted by name. When the directory is damaged, the entries
// before the damage come with the error.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	in, err := f.walk("readdir", name)
	if err != nil {
		return nil, err
	}
	if in.kind() != fsys.S_IFDIR {
		return nil, pathError("readdir", name, fsys.ErrNotDir)
	}
	out, err := f.readDir(in)
	return out, pathError("readdir", name, err)
}

func (f *FS) readDir(in *inode) ([]fs.DirEntry, error) {
	all, err := f.list(in)
	slices.SortStableFunc(all, func(a, b dirent) int { return strings.Compare(a.name, b.name) })
	out := make([]fs.DirEntry, len(all))
	for i, d := range all {
		out[i] = &dirEntry{f: f, dir: in, d: d}
		f.dentries.put(dentry{in.ino, d.name}, d.ino) // whoever lists looks up next
	}
	return out, err
}

// dirEntry is an entry that reads its inode when it must.
type dirEntry struct {
	f   *FS
	dir *inode
	d   dirent
}

func (e *dirEntry) Name() string { return e.d.name }
func (e *dirEntry) IsDir() bool  { return e.Type().IsDir() }

// Type is what the entry says; without the feature ftype what the inode says.
func (e *dirEntry) Type() fs.FileMode {
	if m, ok := e.d.mode(); ok {
		return fsys.Mode(m).Type()
	}
	in, err := e.f.inode(e.d.ino)
	if err != nil {
		return fs.ModeIrregular
	}
	return fsys.Mode(uint32(in.raw.Di_mode)).Type()
}

func (e *dirEntry) Info() (fs.FileInfo, error) {
	in, err := e.f.entryInode(e.dir, e.d.ino)
	if err != nil {
		return nil, pathError("lstat", e.d.name, err)
	}
	return fileInfo{e.f, in, e.d.name}, nil
}

func (e *dirEntry) String() string { return fs.FormatDirEntry(e) }

// fileInfo is an inode under a name.
type fileInfo struct {
	f    *FS
	in   *inode
	name string
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.in.size }
func (i fileInfo) Mode() fs.FileMode  { return fsys.Mode(uint32(i.in.raw.Di_mode)) }
func (i fileInfo) ModTime() time.Time { return i.in.mtime }
func (i fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i fileInfo) Sys() any           { return i.f.statOf(i.in) }
func (i fileInfo) String() string     { return fs.FormatFileInfo(i) }
