package iso9660

import (
	"io/fs"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	e, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if e.dir() {
		list, err := f.list("open", name, e)
		if err != nil && len(list) == 0 {
			return nil, err
		}
		return fsys.NewDir(e, func() ([]fs.DirEntry, error) { return list, err }), nil
	}
	if e.stat.Mode&fsys.S_IFMT != fsys.S_IFREG {
		return fsys.NewSpecial(e), nil
	}
	return fsys.NewFile(e, &content{blob.Mapped(f.r, e.size, e.ext), e.err}), nil
}

// Stat implements [fs.StatFS].
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	e, err := f.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Lstat is Stat: neither follows links.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.Stat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	e, err := f.lookup("readlink", name)
	if err != nil {
		return "", err
	}
	if e.Mode()&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return e.target, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := f.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.dir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	return f.list("readdir", name, e)
}

func (f *FS) list(op, name string, e *entry) ([]fs.DirEntry, error) {
	d := f.directory(e)
	out := make([]fs.DirEntry, 0, len(d.entries))
	for _, e := range d.entries {
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if d.err != nil {
		return out, &fs.PathError{Op: op, Path: name, Err: d.err}
	}
	return out, nil
}

// An entry is both [fs.FileInfo] and [fs.DirEntry].

func (e *entry) Name() string               { return e.name }
func (e *entry) Size() int64                { return e.size }
func (e *entry) Mode() fs.FileMode          { return fsys.Mode(e.stat.Mode) }
func (e *entry) ModTime() time.Time         { return e.mtime }
func (e *entry) IsDir() bool                { return e.dir() }
func (e *entry) Sys() any                   { return &e.stat }
func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }
func (e *entry) String() string             { return fs.FormatDirEntry(e) }

// content is a file's extents; one that cannot be understood gives the reason.
type content struct {
	*blob.MappedReader
	err error
}

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	return c.MappedReader.ReadAt(p, off)
}
