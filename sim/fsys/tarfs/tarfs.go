// Package tarfs reads a tar archive as a file system: what an unpacker would leave behind. It knows the
// forms ustar, pax and GNU with long names and sparse files, and the rules that container engines unpack
// by: a later entry replaces an earlier one, missing parents are made, nothing leaves the root.
//
// It does not know whiteouts; those are files like others here, see package union.
package tarfs

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// FS is the tree that an archive unpacks to.
type FS struct {
	r       io.ReaderAt
	root    *node
	entries []*Entry
	orphans []*Entry
	notes   []string
	nodes   int
	inodes  uint32
}

// node is a name in the tree; hard links share an inode.
type node struct {
	*inode
	name string
	link bool // a further name of the inode
}

// inode is small: an archive may have a million files.
type inode struct {
	entry *Entry // nil for a directory that no entry describes
	*directory
	stat  *fsys.Stat // made when asked for
	ino   uint32
	nlink uint32
	typ   byte
}

// directory is what only a directory has.
type directory struct {
	children map[string]*node
	sorted   []*node // children by name; nil until asked for
}

// Limits of the tree.
const (
	maxNodes = 2 * maxEntries
	maxName  = 255 // bytes of one component: NAME_MAX, limits.h
	maxNotes = 100
	maxLinks = 255 // symbolic links followed on the way to one parent
)

// Open indexes the archive r, whose length need not be known. Errors are those of [Scan].
func Open(r io.ReaderAt) (*FS, error) {
	f := New(r)
	var full error
	err := Scan(r, func(e *Entry) bool {
		full = f.Add(e)
		return full == nil
	})
	if err == nil {
		err = full
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// New makes the empty tree of an archive whose entries [FS.Add] brings.
func New(r io.ReaderAt) *FS {
	f := &FS{r: r}
	f.root = f.dir("", nil)
	return f
}

// Entries lists the members of the archive in order, also those that others replace.
func (f *FS) Entries() []*Entry { return f.entries }

// Orphans lists the hard links whose target is not in this archive; they are not in the tree. A layer
// may mean a file of a lower layer by it.
func (f *FS) Orphans() []*Entry { return f.orphans }

// Reader is the archive.
func (f *FS) Reader() io.ReaderAt { return f.r }

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info {
	info := fsys.Info{Type: "tar", Notes: slices.Clone(f.notes)}
	if z, ok := f.r.(blob.Sized); ok {
		info.Size = z.Size()
	}
	return info
}

func (f *FS) note(format string, args ...any) {
	if len(f.notes) < maxNotes {
		f.notes = append(f.notes, fmt.Sprintf(format, args...))
	}
}

// Clean is the path of an archive's member in io/fs form: absolute names and ".." stay inside the root.
func Clean(name string) string {
	if p := strings.TrimPrefix(path.Clean("/"+name), "/"); p != "" {
		return p
	}
	return "."
}

// Add unpacks one entry over what is there. The rules are those of containerd's archive.Apply and moby's
// archive.UnpackLayer, which agree on them.
func (f *FS) Add(e *Entry) error {
	f.entries = append(f.entries, e)
	name := Clean(e.Name)
	if slices.Contains(strings.Split(e.Name, "/"), "..") {
		f.note("%q: the name leads upwards; unpackers keep it below the root", clip(e.Name))
	}
	switch e.Type {
	case TypeReg, TypeLink, TypeSymlink, TypeChar, TypeBlock, TypeDir, TypeFifo:
	default:
		f.note("%q: an unpacker stops here: unhandled tar header type %d", clip(e.Name), e.Type)
		return nil
	}
	if name == "." {
		if e.Type == TypeDir {
			f.root.entry = e
		}
		return nil
	}
	dir, why := f.parent(path.Dir(name), true)
	base := path.Base(name)
	if len(base) > maxName {
		why = "File name too long"
	}
	if why != "" {
		f.note("%q: an unpacker stops here: %s", clip(e.Name), why)
		return nil
	}
	if f.nodes > maxNodes {
		return fmt.Errorf("tar: more than %d files and directories: %w", maxNodes, blob.ErrTooLarge)
	}
	f.place(dir, base, e)
	return nil
}

// place puts the entry at base of dir.
func (f *FS) place(dir *node, base string, e *Entry) {
	old := dir.children[base]
	if e.Type == TypeLink {
		target := f.linkTarget(e.Linkname)
		if target == nil {
			f.orphans = append(f.orphans, e)
			return
		}
		if target == old { // unpackers take the old name away before they link
			f.note("%q: an unpacker stops here: No such file or directory", clip(e.Name))
			return
		}
		f.remove(dir, base)
		target.nlink++
		f.insert(dir, &node{inode: target.inode, name: base, link: true})
		return
	}
	if e.Type == TypeDir && old != nil && old.typ == TypeDir { // keeps its files, takes the attributes
		old.entry = e
		return
	}
	f.remove(dir, base)
	if e.Type == TypeDir {
		f.insert(dir, f.dir(base, e))
		return
	}
	f.inodes++
	f.insert(dir, &node{inode: &inode{ino: f.inodes, nlink: 1, entry: e, typ: e.Type}, name: base})
}

func (f *FS) dir(name string, e *Entry) *node {
	f.inodes++
	return &node{inode: &inode{ino: f.inodes, nlink: 2, entry: e, typ: TypeDir, directory: &directory{children: map[string]*node{}}}, name: name}
}

func (f *FS) insert(dir, n *node) {
	dir.children[n.name], dir.sorted = n, nil
	f.nodes++
	if n.typ == TypeDir {
		dir.nlink++
	}
}

// remove takes a name and what is below it out of the tree.
func (f *FS) remove(dir *node, base string) {
	n := dir.children[base]
	if n == nil {
		return
	}
	delete(dir.children, base)
	dir.sorted = nil
	if n.typ == TypeDir {
		dir.nlink--
	}
	for below := []*node{n}; len(below) > 0; {
		last := below[len(below)-1]
		below = below[:len(below)-1]
		last.nlink--
		f.nodes--
		if last.typ != TypeDir {
			continue
		}
		for _, c := range last.children {
			below = append(below, c)
		}
	}
}

// linkTarget finds the file that a hard link means; links in its parents are followed, the last
// component is not.
func (f *FS) linkTarget(name string) *node {
	p := Clean(name)
	dir, why := f.parent(path.Dir(p), false)
	if why != "" {
		return nil
	}
	if n := dir.children[path.Base(p)]; n != nil && n.typ != TypeDir {
		return n
	}
	return nil
}

// parent walks to the directory at p inside the tree, following symbolic links that never leave it.
// With create, missing directories are made: root:root 0755. why is the reason that an unpacker would
// give up.
func (f *FS) parent(p string, create bool) (dir *node, why string) {
	rest := parts(p)
	at := []*node{f.root}
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		here := at[len(at)-1]
		if part == ".." {
			at = at[:max(1, len(at)-1)]
			continue
		}
		next := here.children[part]
		switch {
		case next == nil && !create:
			return nil, "No such file or directory"
		case next == nil && len(part) > maxName:
			return nil, "File name too long"
		case next == nil:
			next = f.dir(part, nil)
			f.insert(here, next)
		case next.typ == TypeSymlink:
			if links++; links > maxLinks {
				return nil, "Too many levels of symbolic links"
			}
			if path.IsAbs(next.entry.Linkname) {
				at = at[:1]
			}
			rest = append(parts(next.entry.Linkname), rest...)
			continue
		case next.typ != TypeDir:
			return nil, "Not a directory"
		}
		at = append(at, next)
	}
	return at[len(at)-1], ""
}

func parts(p string) []string {
	var out []string
	for s := range strings.SplitSeq(p, "/") {
		if s != "" && s != "." {
			out = append(out, s)
		}
	}
	return out
}

// find returns the node at an io/fs path; no link is followed.
func (f *FS) find(op, name string) (*node, error) {
	fail := func(err error) (*node, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if name == "." {
		return f.root, nil
	}
	if Clean(name) != name {
		return fail(fs.ErrInvalid)
	}
	n := f.root
	for part := range strings.SplitSeq(name, "/") {
		if n.typ != TypeDir {
			return fail(fs.ErrNotExist)
		}
		if n = n.children[part]; n == nil {
			return fail(fs.ErrNotExist)
		}
	}
	return n, nil
}

// EntryOf returns the entry that the file at name has its attributes from; nil for a directory that no
// entry describes.
func (f *FS) EntryOf(name string) (*Entry, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n.entry, nil
}

// Stat implements [fs.StatFS]; symbolic links are not followed.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{f, n}, nil
}

// Lstat implements [fs.ReadLinkFS].
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.Stat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name)
	if err != nil {
		return "", err
	}
	if n.typ != TypeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.entry.Linkname, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if n.typ != TypeDir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	return f.list(n), nil
}

// list is the directory's entries by name.
func (f *FS) list(n *node) []fs.DirEntry {
	out := make([]fs.DirEntry, 0, len(n.children))
	for _, c := range n.byName() {
		out = append(out, fs.FileInfoToDirEntry(info{f, c}))
	}
	return out
}

func (n *node) byName() []*node {
	if n.directory == nil {
		return nil
	}
	if n.sorted == nil {
		n.sorted = make([]*node, 0, len(n.children))
		for _, c := range n.children {
			n.sorted = append(n.sorted, c)
		}
		slices.SortFunc(n.sorted, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	}
	return n.sorted
}

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.typ == TypeReg {
		return fsys.NewFile(info{f, n}, n.entry.Content(f.r)), nil
	}
	if i := (info{f, n}); i.IsDir() {
		return fsys.NewDir(i, func() ([]fs.DirEntry, error) { return f.list(n), nil }), nil
	}
	return fsys.NewSpecial(info{f, n}), nil
}

// info is the FileInfo of a node.
type info struct {
	f *FS
	n *node
}

func (i info) Name() string {
	if i.n.name == "" {
		return "."
	}
	return i.n.name
}

func (i info) Size() int64 {
	switch {
	case i.n.typ == TypeReg:
		return i.n.entry.Size
	case i.n.typ == TypeSymlink:
		return int64(len(i.n.entry.Linkname))
	}
	return 0
}

func (i info) Mode() fs.FileMode { return fsys.Mode(i.mode()) }
func (i info) IsDir() bool       { return i.n.typ == TypeDir }

func (i info) ModTime() time.Time {
	if i.n.entry == nil {
		return time.Unix(0, 0).UTC()
	}
	return i.n.entry.ModTime()
}

// Sys gives the [*fsys.Stat], with the header's fields as evidence.
func (i info) Sys() any {
	if i.n.stat != nil {
		return i.n.stat
	}
	s := &fsys.Stat{Ino: uint64(i.n.ino), Mode: i.mode(), Nlink: i.n.nlink}
	if e := i.n.entry; e != nil {
		s.UID, s.GID, s.Capability, s.Cites = e.UID, e.GID, e.Capability(), e.Cites(i.f.r)
		if e.Type == TypeChar || e.Type == TypeBlock {
			s.Rdev = e.Major<<8 | e.Minor
		}
	}
	i.n.stat = s
	return s
}

// mode is st_mode.
func (i info) mode() uint32 {
	perm := uint32(0o755) // what unpackers give a parent that has no entry
	if i.n.entry != nil {
		perm = i.n.entry.Mode
	}
	switch i.n.typ {
	case TypeDir:
		return fsys.S_IFDIR | perm
	case TypeSymlink:
		return fsys.S_IFLNK | 0o777 // Linux keeps no permissions of a symbolic link
	case TypeChar:
		return fsys.S_IFCHR | perm
	case TypeBlock:
		return fsys.S_IFBLK | perm
	case TypeFifo:
		return fsys.S_IFIFO | perm
	}
	return fsys.S_IFREG | perm
}
