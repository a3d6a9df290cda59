package fsys

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Bounds on paths, and on what a tree keeps of the directories that it has walked.
const (
	pathMax     = 4096 // Linux's PATH_MAX
	dentriesMax = 8192
	statsMax    = 8192
	parentsMax  = 1 << 20
)

// Inode is a file apart from its names.
type Inode interface {
	Mode() uint32 // as in st_mode
	Size() int64
	ModTime() time.Time
	// Errorf is an error about the inode's record: what was wanted, what was got.
	Errorf(want, got string, args ...any) error
}

// Dirent is an entry of a directory.
type Dirent[R comparable] struct {
	Ref  R      // leads to the inode
	Mode uint32 // the type bits of st_mode; 0 when the entry does not say
	Name string
}

// Source is what a file system knows of its inodes. R is what entries of directories hold: a number, a
// place. Names are as they are stored, without "." and "..".
type Source[R comparable, N Inode] struct {
	Root  R
	Inode func(R) (N, error)
	// Lookup finds a name in a directory; it is fs.ErrNotExist that says that there is none.
	Lookup func(dir N, name string) (R, error)
	// List returns the entries of a directory; beside an error those before the damage. The caller
	// changes nothing of them.
	List    func(dir N) ([]Dirent[R], error)
	Content func(N) (Content, error)
	Target  func(N) (string, error) // of a symbolic link
	Stat    func(N) *Stat
	Name    func(N) string // as it is stored, where Lookup takes other spellings too; nil where it does not
}

// Tree gives a file system of inodes the methods of [FS], all but Info.
type Tree[R comparable, N Inode] struct {
	s        Source[R, N]
	dentries *Recent[dentry[R], entry[R]]
	stats    *Recent[R, *Stat]
	parents  map[R]R // directory: the directory it was first reached from
}

type dentry[R comparable] struct {
	dir  R
	name string
}

// entry is what a directory has under a name.
type entry[R comparable] struct {
	ref  R
	none bool // there is no such name
}

// NewTree walks the inodes of s.
func NewTree[R comparable, N Inode](s Source[R, N]) *Tree[R, N] {
	return &Tree[R, N]{s: s, dentries: NewRecent[dentry[R], entry[R]](dentriesMax), stats: NewRecent[R, *Stat](statsMax), parents: map[R]R{}}
}

// place is an inode and how directories refer to it.
type place[R comparable, N Inode] struct {
	ref R
	in  N
}

func kind(n Inode) uint32 { return n.Mode() & S_IFMT }

// ValidPath is [fs.ValidPath] that accepts names which are not UTF-8, as Linux does.
func ValidPath(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return len(name) < pathMax
}

// PathError is err with the operation and the path that it befell; nil stays nil.
func PathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// walk finds the inode that a path names, following no link.
func (t *Tree[R, N]) walk(op, name string) (at place[R, N], err error) {
	if !ValidPath(name) {
		return at, PathError(op, name, fs.ErrInvalid)
	}
	at.ref = t.s.Root
	if at.in, err = t.s.Inode(at.ref); err != nil {
		return at, PathError(op, name, err)
	}
	if kind(at.in) != S_IFDIR {
		return at, PathError(op, name, at.in.Errorf("a directory at the root", "mode %#o", at.in.Mode()))
	}
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if kind(at.in) != S_IFDIR {
			return at, PathError(op, name, ErrNotDir)
		}
		ref, err := t.lookup(at, part)
		if err == nil {
			at, err = t.child(at.ref, ref)
		}
		if err != nil {
			return at, PathError(op, name, err)
		}
	}
	return at, nil
}

func (t *Tree[R, N]) lookup(dir place[R, N], name string) (R, error) {
	key := dentry[R]{dir.ref, name}
	if e, ok := t.dentries.Get(key); ok {
		if e.none {
			return e.ref, fs.ErrNotExist
		}
		return e.ref, nil
	}
	ref, err := t.s.Lookup(dir.in, name)
	if err == nil || err == fs.ErrNotExist {
		t.dentries.Put(key, entry[R]{ref, err != nil})
	}
	return ref, err
}

// child reads the inode at ref, reached from a directory. A directory has one parent: a second way to it is
// damage that would let a walk never end (the kernel's d_splice_alias refuses the loop too).
func (t *Tree[R, N]) child(dir, ref R) (place[R, N], error) {
	in, err := t.s.Inode(ref)
	if err != nil || kind(in) != S_IFDIR {
		return place[R, N]{ref, in}, err
	}
	switch parent, seen := t.parents[ref]; {
	case ref == t.s.Root || seen && parent != dir:
		return place[R, N]{}, in.Errorf("one way to a directory", "inode %v names it again", dir)
	case !seen && len(t.parents) < parentsMax:
		t.parents[ref] = dir
	}
	return place[R, N]{ref, in}, nil
}

// Find returns the inode that a path names, following no link.
func (t *Tree[R, N]) Find(name string) (N, error) {
	at, err := t.walk("find", name)
	return at.in, err
}

// Open implements [fs.FS].
func (t *Tree[R, N]) Open(name string) (fs.File, error) {
	at, err := t.walk("open", name)
	if err != nil {
		return nil, err
	}
	info := inodeInfo[R, N]{t, at, t.base(at.in, name)}
	switch kind(at.in) {
	case S_IFREG:
		c, err := t.s.Content(at.in)
		if err != nil {
			return nil, PathError("open", name, err)
		}
		return NewFile(info, c), nil
	case S_IFDIR:
		return NewDir(info, func() ([]fs.DirEntry, error) {
			list, err := t.readDir(at)
			return list, PathError("readdir", name, err)
		}), nil
	}
	return NewSpecial(info), nil
}

// Stat implements [fs.StatFS]; like Lstat, it follows no link.
func (t *Tree[R, N]) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name) }

// Lstat implements [fs.ReadLinkFS].
func (t *Tree[R, N]) Lstat(name string) (fs.FileInfo, error) { return t.stat("lstat", name) }

func (t *Tree[R, N]) stat(op, name string) (fs.FileInfo, error) {
	at, err := t.walk(op, name)
	if err != nil {
		return nil, err
	}
	return inodeInfo[R, N]{t, at, t.base(at.in, name)}, nil
}

// base is the name of the inode that a path leads to.
func (t *Tree[R, N]) base(in N, name string) string {
	if t.s.Name != nil {
		return t.s.Name(in)
	}
	return path.Base(name)
}

// ReadLink implements [fs.ReadLinkFS].
func (t *Tree[R, N]) ReadLink(name string) (string, error) {
	at, err := t.walk("readlink", name)
	if err != nil {
		return "", err
	}
	if kind(at.in) != S_IFLNK {
		return "", PathError("readlink", name, ErrNotLink)
	}
	target, err := t.s.Target(at.in)
	return target, PathError("readlink", name, err)
}

// ReadDir implements [fs.ReadDirFS]; entries are sorted by name. When the directory is damaged, the
// entries before the damage come with the error.
func (t *Tree[R, N]) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := t.walk("readdir", name)
	if err != nil {
		return nil, err
	}
	if kind(at.in) != S_IFDIR {
		return nil, PathError("readdir", name, ErrNotDir)
	}
	out, err := t.readDir(at)
	return out, PathError("readdir", name, err)
}

func (t *Tree[R, N]) readDir(dir place[R, N]) ([]fs.DirEntry, error) {
	all, err := t.s.List(dir.in)
	out := make([]fs.DirEntry, len(all))
	for i, d := range all {
		out[i] = inodeEntry[R, N]{t, dir.ref, d}
	}
	slices.SortStableFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range out { // whoever lists looks up next
		d := e.(inodeEntry[R, N]).d
		t.dentries.Put(dentry[R]{dir.ref, d.Name}, entry[R]{ref: d.Ref})
	}
	return out, err
}

// inodeEntry is an entry that reads its inode when it must.
type inodeEntry[R comparable, N Inode] struct {
	t   *Tree[R, N]
	dir R
	d   Dirent[R]
}

func (e inodeEntry[R, N]) Name() string   { return e.d.Name }
func (e inodeEntry[R, N]) IsDir() bool    { return e.Type().IsDir() }
func (e inodeEntry[R, N]) String() string { return fs.FormatDirEntry(e) }

// Type is what the entry says, or else what the inode says.
func (e inodeEntry[R, N]) Type() fs.FileMode {
	if e.d.Mode != 0 {
		return Mode(e.d.Mode).Type()
	}
	in, err := e.t.s.Inode(e.d.Ref)
	if err != nil {
		return fs.ModeIrregular
	}
	return Mode(in.Mode()).Type()
}

func (e inodeEntry[R, N]) Info() (fs.FileInfo, error) {
	at, err := e.t.child(e.dir, e.d.Ref)
	if err != nil {
		return nil, PathError("lstat", e.d.Name, err)
	}
	return inodeInfo[R, N]{e.t, at, e.d.Name}, nil
}

// inodeInfo is an inode under a name.
type inodeInfo[R comparable, N Inode] struct {
	t    *Tree[R, N]
	at   place[R, N]
	name string
}

func (i inodeInfo[R, N]) Name() string       { return i.name }
func (i inodeInfo[R, N]) Size() int64        { return i.at.in.Size() }
func (i inodeInfo[R, N]) Mode() fs.FileMode  { return Mode(i.at.in.Mode()) }
func (i inodeInfo[R, N]) ModTime() time.Time { return i.at.in.ModTime() }
func (i inodeInfo[R, N]) IsDir() bool        { return i.Mode().IsDir() }
func (i inodeInfo[R, N]) String() string     { return fs.FormatFileInfo(i) }

// Sys is a [*Stat]; whoever gets it does not change it.
func (i inodeInfo[R, N]) Sys() any {
	if st, ok := i.t.stats.Get(i.at.ref); ok {
		return st
	}
	st := i.t.s.Stat(i.at.in)
	st.Cites = slices.Clip(st.Cites)
	i.t.stats.Put(i.at.ref, st)
	return st
}

// Listing is a directory in memory. Err is why it ends where it does.
type Listing[R comparable] struct {
	Entries []Dirent[R]
	Err     error
	byName  map[string]int
}

// Add appends an entry; a name that is there already stays what it was.
func (l *Listing[R]) Add(d Dirent[R]) {
	if l.byName == nil {
		l.byName = map[string]int{}
	}
	if _, twice := l.byName[d.Name]; !twice {
		l.byName[d.Name] = len(l.Entries)
		l.Entries = append(l.Entries, d)
	}
}

// Lookup finds a name. One that is not there may lie behind the damage.
func (l *Listing[R]) Lookup(name string) (ref R, err error) {
	if i, ok := l.byName[name]; ok {
		return l.Entries[i].Ref, nil
	}
	if l.Err != nil {
		return ref, l.Err
	}
	return ref, fs.ErrNotExist
}
