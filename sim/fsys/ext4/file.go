package ext4

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

// Path bounds: Linux's PATH_MAX, and the longest link target that is read.
const (
	pathMax   = 4096
	targetMax = 4096
)

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

// walk finds the inode that a path names, following no link.
func (f *FS) walk(op, name string) (*inode, error) {
	fail := func(err error) (*inode, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !validPath(name) {
		return fail(fs.ErrInvalid)
	}
	in, err := f.inode(rootIno)
	if err != nil {
		return fail(err)
	}
	if name == "." {
		return in, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if in.kind() != fsys.S_IFDIR {
			return fail(fsys.ErrNotDir)
		}
		n, err := f.lookup(in, part)
		if err != nil {
			return fail(err)
		}
		if in, err = f.child(in, n); err != nil {
			return fail(err)
		}
	}
	return in, nil
}

var (
	errNotLink = errors.New("not a symbolic link")
)

// child reads inode n, reached from a directory. A directory has one parent: a second way to it is damage
// that would let a walk never end (the kernel's d_splice_alias refuses the loop too).
func (f *FS) child(dir *inode, n uint32) (*inode, error) {
	in, err := f.inode(n)
	if err != nil || in.kind() != fsys.S_IFDIR {
		return in, err
	}
	switch parent, seen := f.parents[n]; {
	case n == rootIno || seen && parent != dir.ino:
		return nil, in.rec.Errorf(&in.raw.I_links_count, "one way to a directory", "inode %d names it again", dir.ino)
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
	info := f.fileInfo(in, path.Base(name))
	switch in.kind() {
	case fsys.S_IFREG:
		r, err := f.content(in)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return fsys.NewFile(info, r), nil
	case fsys.S_IFDIR:
		return fsys.NewDir(info, func() ([]fs.DirEntry, error) {
			list, err := f.readDir(in)
			if err != nil {
				err = &fs.PathError{Op: "readdir", Path: name, Err: err}
			}
			return list, err
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
	return f.fileInfo(in, path.Base(name)), nil
}

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	in, err := f.walk("readlink", name)
	if err != nil {
		return "", err
	}
	fail := func(err error) (string, error) {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	if in.kind() != fsys.S_IFLNK {
		return fail(errNotLink)
	}
	if in.size >= targetMax {
		return fail(in.rec.Errorf(&in.raw.I_size_lo, "a target shorter than 4096", "%d", in.size))
	}
	r, err := f.content(in)
	if err != nil {
		return fail(err)
	}
	target, err := blob.ReadAll(r, targetMax)
	if err != nil {
		return fail(err)
	}
	return text(target), nil
}

// ReadDir implements [fs.ReadDirFS]; entries are sorted by name. When the directory is damaged, the
// entries before the damage come with the error.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	in, err := f.walk("readdir", name)
	if err != nil {
		return nil, err
	}
	if in.kind() != fsys.S_IFDIR {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	out, err := f.readDir(in)
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return out, err
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

// Type is what the entry says; without file types (revision 0 volumes) what the inode says.
func (e *dirEntry) Type() fs.FileMode {
	if m, ok := e.d.mode(); ok {
		return fsys.Mode(m).Type()
	}
	in, err := e.f.inode(e.d.ino)
	if err != nil {
		return fs.ModeIrregular
	}
	return fsys.Mode(uint32(in.raw.I_mode)).Type()
}

func (e *dirEntry) Info() (fs.FileInfo, error) {
	in, err := e.f.child(e.dir, e.d.ino)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: e.d.name, Err: err}
	}
	return e.f.fileInfo(in, e.d.name), nil
}

func (e *dirEntry) String() string { return fs.FormatDirEntry(e) }

// fileInfo is an inode under a name.
type fileInfo struct {
	f    *FS
	in   *inode
	name string
}

func (f *FS) fileInfo(in *inode, name string) fileInfo { return fileInfo{f, in, name} }

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.in.size }
func (i fileInfo) Mode() fs.FileMode  { return fsys.Mode(uint32(i.in.raw.I_mode)) }
func (i fileInfo) ModTime() time.Time { return i.in.mtime }
func (i fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i fileInfo) Sys() any           { return i.f.statOf(i.in) }
func (i fileInfo) String() string     { return fs.FormatFileInfo(i) }
