package iso9660

import (
	"errors"
	"io"
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
		return &dirFile{e: e, list: list, err: err}, nil
	}
	if e.stat.Mode&fsys.S_IFMT != fsys.S_IFREG {
		return special{e}, nil
	}
	return &file{m: blob.Mapped(f.r, e.size, e.ext), e: e}, nil
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
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
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

// special is an open file without content: a symbolic link, a device.
type special struct{ e *entry }

func (s special) Stat() (fs.FileInfo, error) { return s.e, nil }
func (s special) Close() error               { return nil }
func (s special) Read([]byte) (int, error)   { return 0, io.EOF }

// file is an open regular file.
type file struct {
	m   *blob.MappedReader
	e   *entry
	pos int64
}

func (f *file) Stat() (fs.FileInfo, error)      { return f.e, nil }
func (f *file) Close() error                    { return nil }
func (f *file) Size() int64                     { return f.e.size }
func (f *file) Locate(off, n int64) []blob.Span { return f.m.Locate(off, n) }

// ReadAt implements [io.ReaderAt]; a file whose content cannot be understood gives the reason.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.e.err != nil {
		return 0, f.e.err
	}
	return f.m.ReadAt(p, off)
}

func (f *file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.ReadAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// dirFile is an open directory.
type dirFile struct {
	e    *entry
	list []fs.DirEntry
	err  error // after the entries
}

func (d *dirFile) Stat() (fs.FileInfo, error) { return d.e, nil }
func (d *dirFile) Close() error               { return nil }
func (d *dirFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.e.name, Err: errors.New("is a directory")}
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
