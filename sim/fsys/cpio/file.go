package cpio

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

var (
	_ fsys.FS = (*FS)(nil)

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
			return fail(fsys.ErrNotDir)
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
		return fsys.NewFile(info, n.content()), nil
	case fsys.S_IFDIR:
		return fsys.NewDir(info, func() ([]fs.DirEntry, error) { return n.entries(), nil }), nil
	}
	return fsys.NewSpecial(info), nil
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
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
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
