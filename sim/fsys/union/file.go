package union

import (
	"io/fs"
	"path"
	"time"

	"bootpath/sim/fsys"
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
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
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
		return fsys.NewFile(fi, file), nil
	}
	if fi.IsDir() {
		return fsys.NewDir(fi, func() ([]fs.DirEntry, error) { return f.ReadDir(name) }), nil
	}
	return fsys.NewSpecial(fi), nil
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
	if m.IsDir() && (len(m.n.parts) > 1 || s.Nlink == 0) { // of one layer alone it is right
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
