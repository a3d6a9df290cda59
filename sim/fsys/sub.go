package fsys

import (
	"io/fs"
	"path"
)

// Sub shows the directory dir of f as a file system of its own: what a bind mount or a copy of it holds. dir
// is a path without links, see [Resolve]; links inside keep their targets.
func Sub(f FS, dir string) FS { return &sub{f, dir} }

type sub struct {
	f   FS
	dir string
}

func (s *sub) Info() Info { return s.f.Info() }

// in turns a name into one of the whole; the error is that of a name that io/fs does not allow.
func (s *sub) in(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(s.dir, name), nil
}

func (s *sub) Open(name string) (fs.File, error) {
	at, err := s.in("open", name)
	if err != nil {
		return nil, err
	}
	return s.f.Open(at)
}

func (s *sub) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := s.in("readdir", name)
	if err != nil {
		return nil, err
	}
	return s.f.ReadDir(at)
}

func (s *sub) Stat(name string) (fs.FileInfo, error) {
	at, err := s.in("stat", name)
	if err != nil {
		return nil, err
	}
	return s.f.Stat(at)
}

func (s *sub) Lstat(name string) (fs.FileInfo, error) {
	at, err := s.in("lstat", name)
	if err != nil {
		return nil, err
	}
	return s.f.Lstat(at)
}

func (s *sub) ReadLink(name string) (string, error) {
	at, err := s.in("readlink", name)
	if err != nil {
		return "", err
	}
	return s.f.ReadLink(at)
}
