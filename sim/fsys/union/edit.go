package union

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// Edit is f as it would be with the paths in remove gone, trees included, and those in write holding
// the given content. A written file keeps the attributes of the one it replaces; a new one is
// root:root 0644, its missing parents 0755. Writing follows symbolic links as a shell's ">" does, and
// happens after removing. The written bytes are no part of the image and have no spans.
//
// Of [fsys.Subvolumes] the paths are those of the tree shown, and every other tree in which that one hangs
// shows the edit too.
func Edit(f fsys.FS, remove []string, write map[string][]byte) fsys.FS {
	if s, ok := f.(fsys.Subvolumes); ok {
		return editTree(s, remove, write)
	}
	return edit(f, ".", remove, write)
}

// edit applies an edit whose paths begin at the directory place of f.
func edit(f fsys.FS, place string, remove []string, write map[string][]byte) *edited {
	e := &edited{FS: f, gone: map[string]bool{}, made: map[string]*made{}}
	below, shown := fsys.Sub(f, place), fsys.Sub(e, place)
	for _, p := range remove {
		if at, err := fsys.ResolveParent(below, p); err == nil && at != "." {
			e.gone[path.Join(place, at)] = true
		}
	}
	names := make([]string, 0, len(write))
	for p := range write {
		names = append(names, p)
	}
	slices.Sort(names)
	for _, p := range names {
		if at := target(shown, p); at != "." {
			e.write(path.Join(place, at), write[p])
		}
	}
	return e
}

// target is where writing to p goes.
func target(f fsys.FS, p string) string {
	at, err := fsys.Resolve(f, p)
	if err == nil {
		return at
	}
	p = tarfs.Clean(p)
	dir, err := fsys.Resolve(f, path.Dir(p))
	if err != nil {
		dir = path.Dir(p)
	}
	return path.Join(dir, path.Base(p))
}

type edited struct {
	fsys.FS
	gone map[string]bool
	made map[string]*made
}

// Unwrap is for [fsys.Original].
func (e *edited) Unwrap() fsys.FS { return e.FS }

// made is a file or directory that the edit brings.
type made struct {
	name string
	stat fsys.Stat
	data []byte
	old  fs.FileInfo // nil when the path is new
}

func (m *made) Name() string      { return m.name }
func (m *made) Size() int64       { return int64(len(m.data)) }
func (m *made) Mode() fs.FileMode { return fsys.Mode(m.stat.Mode) }
func (m *made) IsDir() bool       { return m.Mode().IsDir() }
func (m *made) Sys() any          { return &m.stat }
func (m *made) ModTime() time.Time {
	if m.old != nil {
		return m.old.ModTime()
	}
	return time.Unix(0, 0).UTC()
}

// madeIno starts the inode numbers of new files, above those that file systems use.
const madeIno = 1 << 60

func (e *edited) write(at string, data []byte) {
	m := &made{name: path.Base(at), data: data}
	if fi, err := e.Lstat(at); err == nil && !fi.IsDir() {
		m.old, m.stat = fi, *fsys.StatOf(fi)
		if !fi.Mode().IsRegular() {
			m.stat.Mode = m.stat.Mode&^fsys.S_IFMT | fsys.S_IFREG
		}
	} else {
		m.stat = fsys.Stat{Ino: madeIno + uint64(len(e.made)), Mode: fsys.S_IFREG | 0o644, Nlink: 1}
		e.gone[at] = true // a directory of that name
	}
	if m.stat.Mode == 0 {
		m.stat.Mode = fsys.S_IFREG | 0o644
	}
	e.parents(path.Dir(at))
	e.made[at] = m
}

// parents makes the directories that are missing up to dir.
func (e *edited) parents(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if fi, err := e.Lstat(dir); err == nil && fi.IsDir() {
			return
		}
		e.gone[dir] = true // a file of that name
		e.made[dir] = &made{name: path.Base(dir), stat: fsys.Stat{Ino: madeIno + uint64(len(e.made)), Mode: fsys.S_IFDIR | 0o755, Nlink: 2}}
	}
}

// hidden tells whether the path or a directory above it was removed from the file system below.
func (e *edited) hidden(name string) bool {
	for ; name != "."; name = path.Dir(name) {
		if e.gone[name] {
			return true
		}
	}
	return e.gone["."]
}

// Lstat implements [fs.ReadLinkFS].
func (e *edited) Lstat(name string) (fs.FileInfo, error) {
	if m := e.made[name]; m != nil {
		return m, nil
	}
	if name != "." && tarfs.Clean(name) == name && e.hidden(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return e.FS.Lstat(name)
}

// Stat implements [fs.StatFS]; symbolic links are not followed.
func (e *edited) Stat(name string) (fs.FileInfo, error) { return e.Lstat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (e *edited) ReadLink(name string) (string, error) {
	if e.made[name] != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if _, err := e.Lstat(name); err != nil {
		return "", err
	}
	return e.FS.ReadLink(name)
}

// ReadDir implements [fs.ReadDirFS].
func (e *edited) ReadDir(name string) ([]fs.DirEntry, error) {
	fi, err := e.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	var out []fs.DirEntry
	if !e.hidden(name) {
		below, err := e.FS.ReadDir(name)
		if err != nil {
			return nil, err
		}
		for _, d := range below {
			if at := path.Join(name, d.Name()); !e.gone[at] && e.made[at] == nil {
				out = append(out, d)
			}
		}
	}
	for at, m := range e.made {
		if path.Dir(at) == name {
			out = append(out, fs.FileInfoToDirEntry(m))
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Open implements [fs.FS].
func (e *edited) Open(name string) (fs.File, error) {
	fi, err := e.Lstat(name)
	if err != nil {
		return nil, err
	}
	if m, ok := fi.(*made); ok && !fi.IsDir() {
		return &memory{bytes.NewReader(m.data), m}, nil
	}
	if fi.IsDir() {
		return fsys.NewDir(fi, func() ([]fs.DirEntry, error) { return e.ReadDir(name) }), nil
	}
	return e.FS.Open(name)
}

// memory is an open written file.
type memory struct {
	*bytes.Reader
	info *made
}

func (m *memory) Stat() (fs.FileInfo, error)      { return m.info, nil }
func (m *memory) Close() error                    { return nil }
func (m *memory) Size() int64                     { return m.info.Size() }
func (m *memory) Locate(off, n int64) []blob.Span { return nil }

var _ io.ReaderAt = (*memory)(nil)
