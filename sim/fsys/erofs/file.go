package erofs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/fsys"
)

var (
	_ fsys.FS     = (*FS)(nil)
	_ fsys.File   = (*file)(nil)
	_ fs.FileInfo = fileInfo{}
)

// pathMax is Linux's PATH_MAX.
const pathMax = 4096

var (
	errNotDir  = errors.New("not a directory")
	errIsDir   = errors.New("is a directory")
	errNotLink = errors.New("not a symbolic link")
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
	in, err := f.inode(f.root)
	if err != nil {
		return fail(err)
	}
	if in.kind() != fsys.S_IFDIR {
		return fail(in.rec.Errorf(in.format, "a directory at the root", "mode %#o", in.mode))
	}
	if name == "." {
		return in, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if in.kind() != fsys.S_IFDIR {
			return fail(errNotDir)
		}
		ref, err := f.lookup(in, part)
		if err != nil {
			return fail(err)
		}
		if in, err = f.child(in, ref); err != nil {
			return fail(err)
		}
	}
	return in, nil
}

// child reads the inode at ref, reached from a directory. A directory has one parent: a second way to it
// is damage that would let a walk never end.
func (f *FS) child(dir *inode, ref uint64) (*inode, error) {
	in, err := f.inode(ref)
	if err != nil || in.kind() != fsys.S_IFDIR {
		return in, err
	}
	switch parent, seen := f.parents[ref]; {
	case ref == f.root || seen && parent != dir.nid:
		return nil, in.rec.Errorf(in.format, "one way to a directory", "inode %d names it again", dir.nid)
	case !seen && len(f.parents) < parentsMax:
		f.parents[ref] = dir.nid
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
		return &file{info: info, reader: f.content(in)}, nil
	case fsys.S_IFDIR:
		list, err := f.readDir(in)
		return &dirFile{info: info, list: list, err: err}, nil
	}
	return special{info}, nil
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
		return "", &fs.PathError{Op: "readlink", Path: name, Err: errNotLink}
	}
	target, err := f.target(in)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// ReadDir implements [fs.ReadDirFS]; entries are sorted by name. When the directory is damaged, the
// entries before the damage come with the error.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	in, err := f.walk("readdir", name)
	if err != nil {
		return nil, err
	}
	if in.kind() != fsys.S_IFDIR {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDir}
	}
	out, err := f.readDir(in)
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return out, err
}

func (f *FS) readDir(in *inode) ([]fs.DirEntry, error) {
	d := f.directory(in)
	out := make([]fs.DirEntry, len(d.entries))
	for i, e := range d.entries {
		out[i] = &dirEntry{f, in, e}
	}
	slices.SortStableFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, d.err
}

// dirEntry is an entry that reads its inode when it must.
type dirEntry struct {
	f   *FS
	dir *inode
	d   dirent
}

func (e *dirEntry) Name() string      { return e.d.name }
func (e *dirEntry) IsDir() bool       { return e.Type().IsDir() }
func (e *dirEntry) Type() fs.FileMode { return fsys.Mode(e.d.kind).Type() }
func (e *dirEntry) String() string    { return fs.FormatDirEntry(e) }

func (e *dirEntry) Info() (fs.FileInfo, error) {
	in, err := e.f.child(e.dir, e.d.ref)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: e.d.name, Err: err}
	}
	return fileInfo{e.f, in, e.d.name}, nil
}

// fileInfo is an inode under a name.
type fileInfo struct {
	f    *FS
	in   *inode
	name string
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.in.size }
func (i fileInfo) Mode() fs.FileMode  { return fsys.Mode(i.in.mode) }
func (i fileInfo) ModTime() time.Time { return i.in.mtime }
func (i fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i fileInfo) Sys() any           { return i.f.statOf(i.in) }
func (i fileInfo) String() string     { return fs.FormatFileInfo(i) }

// file is an open regular file.
type file struct {
	info fileInfo
	reader
	off int64
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// dirFile is an open directory.
type dirFile struct {
	info fileInfo
	list []fs.DirEntry
	err  error // after the entries
}

func (d *dirFile) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dirFile) Close() error               { return nil }
func (d *dirFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errIsDir}
}

func (d *dirFile) ReadDir(n int) ([]fs.DirEntry, error) {
	out := d.list
	if n > 0 && n < len(out) {
		out = out[:n]
	}
	d.list = d.list[len(out):]
	if len(out) == 0 && n > 0 || n <= 0 {
		err := d.err
		if err == nil && n > 0 {
			err = io.EOF
		}
		return out, err
	}
	return out, nil
}

// special is an open link, device, pipe or socket; it has no content here.
type special struct{ info fileInfo }

func (s special) Stat() (fs.FileInfo, error) { return s.info, nil }
func (s special) Close() error               { return nil }
func (s special) Read([]byte) (int, error)   { return 0, io.EOF }
