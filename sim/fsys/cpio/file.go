package cpio

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

var (
	_ fsys.FS   = (*FS)(nil)
	_ fsys.File = (*file)(nil)

	errNotDir  = errors.New("not a directory")
	errIsDir   = errors.New("is a directory")
	errNotLink = errors.New("not a symbolic link")
)

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info { return fsys.Info{Type: "cpio", Size: f.size} }

// find resolves a path of io/fs; links are not followed.
func (f *FS) find(op, name string) (*node, error) {
	n := f.root
	fail := func(err error) (*node, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fail(fs.ErrInvalid)
		}
		if n.kind() != fsys.S_IFDIR {
			return fail(errNotDir)
		}
		if n = n.children[part]; n == nil || n.builtin {
			return fail(fs.ErrNotExist)
		}
	}
	return n, nil
}

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	info := fileInfo{n, path.Base(name)}
	switch n.kind() {
	case fsys.S_IFREG:
		return &file{info: info, reader: n.content()}, nil
	case fsys.S_IFDIR:
		return &dirFile{info: info, rest: n.entries()}, nil
	}
	return &special{info}, nil
}

// Stat implements [fs.StatFS]; like Lstat, it follows no link.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name) }

// Lstat implements [fs.ReadLinkFS].
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name) }

func (f *FS) stat(op, name string) (fs.FileInfo, error) {
	n, err := f.find(op, name)
	if err != nil {
		return nil, err
	}
	return fileInfo{n, path.Base(name)}, nil
}

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name)
	if err != nil {
		return "", err
	}
	if n.kind() != fsys.S_IFLNK {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: errNotLink}
	}
	return n.target, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if n.kind() != fsys.S_IFDIR {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDir}
	}
	return n.entries(), nil
}

func (n *node) entries() []fs.DirEntry {
	out := make([]fs.DirEntry, 0, len(n.children))
	for name, c := range n.children {
		if !c.builtin {
			out = append(out, fs.FileInfoToDirEntry(fileInfo{c, name}))
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

// fileInfo is an inode under a name.
type fileInfo struct {
	n    *node
	name string
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.n.size }
func (i fileInfo) Mode() fs.FileMode  { return fsys.Mode(i.n.mode) }
func (i fileInfo) ModTime() time.Time { return time.Unix(int64(i.n.mtime), 0).UTC() }
func (i fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i fileInfo) String() string     { return fs.FormatFileInfo(i) }

// Sys returns a [*fsys.Stat]; its evidence is the header of the entry that made the file last.
func (i fileInfo) Sys() any {
	n := i.n
	s := &fsys.Stat{Ino: n.ino, Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: n.nlink, Rdev: n.rdev}
	if n.header == nil {
		return s
	}
	var h Header
	rec, err := decode.Read(n.header, n.header.off, binary.LittleEndian, "cpio header", &h)
	if err != nil {
		return s
	}
	s.Cites = rec.Cite(&h.C_mode, &h.C_uid, &h.C_gid, &h.C_mtime, &h.C_filesize)
	for k := range s.Cites {
		s.Cites[k].Name = "c" + strings.TrimPrefix(s.Cites[k].Name, "C")
	}
	return s
}

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
	rest []fs.DirEntry
}

func (d *dirFile) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dirFile) Close() error               { return nil }

func (d *dirFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errIsDir}
}

func (d *dirFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out, nil
}

// special is an open link, device, pipe or socket; it has no content here.
type special struct{ info fileInfo }

func (s *special) Stat() (fs.FileInfo, error) { return s.info, nil }
func (s *special) Close() error               { return nil }

func (s *special) Read([]byte) (int, error) { return 0, io.EOF }
