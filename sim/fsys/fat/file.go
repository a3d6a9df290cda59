package fat

import (
	"io/fs"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// tree gives the entries the methods of [fsys.FS]. An entry is its own inode.
func (f *FS) tree() *fsys.Tree[*entry, *entry] {
	return fsys.NewTree(fsys.Source[*entry, *entry]{Root: f.root, Inode: f.below, Lookup: f.lookup, List: f.list, Content: f.content,
		Target: func(*entry) (string, error) { return "", fsys.ErrNotLink }, Stat: func(e *entry) *fsys.Stat { return &e.stat }, Name: func(e *entry) string { return e.name }})
}

// below refuses a directory that begins where one above it begins.
func (f *FS) below(e *entry) (*entry, error) {
	for a := e.up; a != nil && e.dir(); a = a.up {
		if a.first == e.first {
			return nil, decode.Errorf(f.r, f.fatOff, 0, "directory "+e.name, "a cluster of its own", "cluster %d, which is that of a directory above", e.first)
		}
	}
	return e, nil
}

// lookup finds a name in a directory, whatever the case of its letters.
func (f *FS) lookup(dir *entry, name string) (*entry, error) {
	d := f.directory(dir)
	if e := d.find(name); e != nil {
		return e, nil
	}
	if d.err != nil {
		return nil, d.err
	}
	return nil, fs.ErrNotExist
}

func (f *FS) list(dir *entry) ([]fsys.Dirent[*entry], error) {
	d := f.directory(dir)
	out := make([]fsys.Dirent[*entry], len(d.entries))
	for i, e := range d.entries {
		out[i] = fsys.Dirent[*entry]{Ref: e, Mode: e.stat.Mode, Name: e.name}
	}
	return out, d.err
}

func (f *FS) content(e *entry) (fsys.Content, error) {
	ext, n, err := f.chain(e.first, e.size)
	return &content{blob.Mapped(f.r, min(n, e.size), ext), e.size, err}, nil
}

func (e *entry) Mode() uint32       { return e.stat.Mode }
func (e *entry) Size() int64        { return e.size }
func (e *entry) ModTime() time.Time { return e.mtime }

// Errorf implements [fsys.Inode].
func (e *entry) Errorf(want, got string, args ...any) error {
	return decode.Errorf(e.fs.r, e.fs.fatOff, 0, "directory "+e.name, want, got, args...)
}

// content is a file's clusters. The chain may hold less than the file's size says; a read there gives err.
type content struct {
	*blob.MappedReader
	size int64
	err  error
}

func (c *content) Size() int64 { return c.size }

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.MappedReader.ReadAt(p, off)
	if n < len(p) && c.err != nil && off+int64(n) < c.size {
		err = c.err
	}
	return n, err
}
