package tarfs

import (
	"errors"
	"io"
	"io/fs"
)

var (
	errNotDir = errors.New("not a directory")
	errIsDir  = errors.New("is a directory")
)

// file is an open regular file; it implements fsys.File.
type file struct {
	Content
	*io.SectionReader
	info info
}

func (f *file) Stat() (fs.FileInfo, error)              { return f.info, nil }
func (f *file) Close() error                            { return nil }
func (f *file) Size() int64                             { return f.Content.Size() }
func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.Content.ReadAt(p, off) }

// special is an open file without content: a directory, a link, a device.
type special struct {
	info info
	at   int
}

func (s *special) Stat() (fs.FileInfo, error) { return s.info, nil }
func (s *special) Close() error               { return nil }

func (s *special) Read([]byte) (int, error) {
	if s.info.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: s.info.Name(), Err: errIsDir}
	}
	return 0, io.EOF
}

// ReadDir implements [fs.ReadDirFile].
func (s *special) ReadDir(n int) ([]fs.DirEntry, error) {
	if !s.info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: s.info.Name(), Err: errNotDir}
	}
	rest := s.info.f.list(s.info.n)[s.at:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	s.at += len(rest)
	return append([]fs.DirEntry{}, rest...), nil
}
