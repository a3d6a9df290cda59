package fsys

import (
	"errors"
	"io"
	"io/fs"

	"bootpath/sim/blob"
)

// Causes that file systems put into their [*fs.PathError]s, in the words of errno(3).
var (
	ErrNotDir  = errors.New("not a directory")
	ErrIsDir   = errors.New("is a directory")
	ErrNotLink = errors.New("not a symbolic link")
)

// Content is what stands behind a regular file.
type Content interface {
	io.ReaderAt
	blob.Locator
	blob.Sized
}

// NewFile opens a regular file: info is what Stat returns.
func NewFile(info fs.FileInfo, c Content) File { return &file{info: info, Content: c} }

// NewDir opens a directory. list is called at the first ReadDir; entries that it returns beside an error are
// given out before the error.
func NewDir(info fs.FileInfo, list func() ([]fs.DirEntry, error)) fs.ReadDirFile {
	return &dir{info: info, list: list}
}

// NewSpecial opens what has no content here: a symbolic link, a device, a pipe, a socket.
func NewSpecial(info fs.FileInfo) fs.File { return special{info} }

type file struct {
	info fs.FileInfo
	Content
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

type dir struct {
	info fs.FileInfo
	list func() ([]fs.DirEntry, error)
	rest []fs.DirEntry
	err  error
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }

func (d *dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: ErrIsDir}
}

func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.list != nil {
		d.rest, d.err = d.list()
		d.list = nil
	}
	if n <= 0 || n > len(d.rest) {
		if n > 0 && len(d.rest) == 0 {
			if d.err != nil {
				return nil, d.err
			}
			return nil, io.EOF
		}
		if n <= 0 {
			out := d.rest
			d.rest = nil
			return out, d.err
		}
		n = len(d.rest)
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}

type special struct{ info fs.FileInfo }

func (s special) Stat() (fs.FileInfo, error) { return s.info, nil }
func (s special) Close() error               { return nil }
func (s special) Read([]byte) (int, error)   { return 0, io.EOF }
