package union

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"bootpath/sim/fsys"
)

var (
	errNotDir = errors.New("not a directory")
	errIsDir  = errors.New("is a directory")
)

// Stat implements [fs.StatFS]; symbolic links are not followed.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return f.info(name, n), nil
}

// Lstat implements [fs.ReadLinkFS].
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.Stat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name)
	if err != nil {
		return "", err
	}
	return f.layers[n.layer].FS.ReadLink(n.path)
}

// ReadDir implements [fs.ReadDirFS].
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDir}
	}
	d, err := f.dir(name, n.parts)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, 0, len(d.names))
	for _, base := range d.names {
		out = append(out, fs.FileInfoToDirEntry(f.info(path.Join(name, base), d.nodes[base])))
	}
	return out, nil
}

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	fi := f.info(name, n)
	if n.info.Mode().IsRegular() {
		file, err := fsys.OpenFile(f.layers[n.layer].FS, n.path)
		if err != nil {
			return nil, err
		}
		return &regular{file, fi}, nil
	}
	return &special{info: fi, list: func() ([]fs.DirEntry, error) { return f.ReadDir(name) }}, nil
}

// regular is a layer's file under the name and number it has in the union.
type regular struct {
	fsys.File
	info fs.FileInfo
}

func (r *regular) Stat() (fs.FileInfo, error) { return r.info, nil }

// special is an open file without content: a directory, a link, a device.
type special struct {
	info fs.FileInfo
	list func() ([]fs.DirEntry, error)
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
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	rest := all[min(s.at, len(all)):]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	s.at += len(rest)
	return rest, nil
}

// info gives a file the inode number and link count that it has in the union.
func (f *FS) info(name string, n node) fs.FileInfo { return merged{n.info, f, name, n} }

type merged struct {
	fs.FileInfo
	f    *FS
	name string
	n    node
}

func (m merged) Sys() any {
	s := *fsys.StatOf(m.FileInfo)
	if s.Mode == 0 { // a layer that has no *fsys.Stat
		s.Mode, s.Nlink = posixMode(m.Mode()), 1
	}
	s.Ino += uint64(m.n.layer) << inoBits
	if m.IsDir() {
		s.Nlink = 2
		if d, err := m.f.dir(m.name, m.n.parts); err == nil {
			for _, c := range d.nodes {
				if c.info.IsDir() {
					s.Nlink++
				}
			}
		}
	}
	return &s
}

func posixMode(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	switch {
	case m.IsDir():
		return out | fsys.S_IFDIR
	case m&fs.ModeSymlink != 0:
		return out | fsys.S_IFLNK
	}
	return out | fsys.S_IFREG
}

// renamed is a file under another base name.
type renamed struct {
	fs.FileInfo
	base string
}

func (r renamed) Name() string { return r.base }

// rootInfo is the root directory that an engine makes.
type rootInfo struct{}

func (rootInfo) Name() string       { return "." }
func (rootInfo) Size() int64        { return 0 }
func (rootInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o755 }
func (rootInfo) ModTime() time.Time { return time.Unix(0, 0).UTC() }
func (rootInfo) IsDir() bool        { return true }
func (rootInfo) Sys() any           { return &fsys.Stat{Ino: 1, Mode: fsys.S_IFDIR | 0o755} }
