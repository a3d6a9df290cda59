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
	"iter"
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
	tree    *table
	links   map[uint32]uint32 // how many further names a file has, by its start
	orphans []uint32          // starts
	notes   []string
	stops   string // see [FS.Stops]
	entries int
	recent  *fsys.Recent[uint32, *Entry] // what [FS.entry] read last
}

// impliedMode is what unpackers give a directory that no entry describes.
const impliedMode = 0o755

// Limits of the tree.
const (
	maxNodes = 2 * maxEntries
	maxName  = 255 // bytes of one component: NAME_MAX, limits.h
	maxNotes = 100
	maxLinks = 255 // symbolic links followed on the way to one parent
	maxStart = noEntry * blockSize
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
	return &FS{r: r, tree: newTable(), links: map[uint32]uint32{}, recent: fsys.NewRecent[uint32, *Entry](entriesKept)}
}

const entriesKept = 256

// Len is the number of the archive's entries, also those that others replace.
func (f *FS) Len() int { return f.entries }

// Orphans lists the hard links whose target is not in this archive; they are not in the tree. A layer
// may mean a file of a lower layer by it.
func (f *FS) Orphans() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, start := range f.orphans {
			if e, err := f.entry(start); err != nil || !yield(e) {
				return
			}
		}
	}
}

// entry reads the headers of an entry again.
func (f *FS) entry(start uint32) (*Entry, error) {
	if e, ok := f.recent.Get(start); ok {
		return e, nil
	}
	s := scanner{r: f.r, off: int64(start) * blockSize}
	e, err := s.next()
	if err == nil {
		f.recent.Put(start, e)
	}
	return e, err
}

// Stops is why docker and podman give up unpacking the archive: the call that fails first, as Go's os package
// says it. "" when they do not. Both unpack with the layer as their root, so that names cannot lead out of it.
func (f *FS) Stops() string { return f.stops }

// stop notes the entry that cannot be made; why is strerror's text.
func (f *FS) stop(e *Entry, why string) {
	f.note("%q: an unpacker stops here: %s", clip(e.Name), why)
	if f.stops != "" {
		return
	}
	call, at := "open", "/"+Clean(e.Name)
	switch e.Type {
	case TypeDir:
		call = "mkdir"
	case TypeSymlink:
		call = "symlink " + e.Linkname
	case TypeLink:
		call = "link /" + Clean(e.Linkname)
	case TypeChar, TypeBlock, TypeFifo:
		call = "mknod"
	}
	f.stops = call + " " + at + ": " + strings.ToLower(why)
}

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
	if f.tree.count > maxNodes || e.start >= maxStart {
		return fmt.Errorf("tar: more than %d files and directories or %d bytes: %w", maxNodes, maxStart, blob.ErrTooLarge)
	}
	f.entries++
	name := Clean(e.Name)
	if strings.Contains(e.Name, "..") && slices.Contains(strings.Split(e.Name, "/"), "..") {
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
			f.tree.at(root).describe(e)
		}
		return nil
	}
	dir, why := f.parent(path.Dir(name), true)
	base := path.Base(name)
	if len(base) > maxName {
		why = "File name too long"
	}
	if why != "" {
		f.stop(e, why)
		return nil
	}
	f.place(dir, base, e)
	return nil
}

// place puts the entry at base of dir.
func (f *FS) place(dir id, base string, e *Entry) {
	t := f.tree
	old := t.child(dir, base)
	n := node{typ: e.Type}
	n.describe(e)
	switch {
	case e.Type == TypeLink:
		target := f.linkTarget(e.Linkname)
		if target == 0 {
			f.orphans = append(f.orphans, n.start)
			return
		}
		if target == old { // unpackers take the old name away before they link
			f.stop(e, "No such file or directory")
			return
		}
		n = *t.at(target)
		n.flags = linked
		f.links[n.start]++
	case e.Type == TypeDir && old != 0 && t.at(old).typ == TypeDir: // keeps its files, takes the attributes
		t.at(old).describe(e)
		return
	}
	if old != 0 {
		t.remove(old, f.unlink)
	}
	t.add(dir, base, n)
}

// describe takes the attributes of an entry.
func (n *node) describe(e *Entry) {
	n.start, n.mode, n.uid, n.gid = uint32(e.start/blockSize), uint16(e.Mode), e.UID, e.GID
	switch e.Type {
	case TypeReg:
		n.size = e.Size
	case TypeSymlink:
		n.size = int64(len(e.Linkname))
	}
}

// unlink counts a name of a file that goes.
func (f *FS) unlink(n *node) {
	if f.links[n.start] > 0 {
		f.links[n.start]--
	}
}

// linkTarget finds the file that a hard link means, 0 for none; links in its parents are followed, the last
// component is not.
func (f *FS) linkTarget(name string) id {
	p := Clean(name)
	dir, why := f.parent(path.Dir(p), false)
	if why != "" {
		return 0
	}
	if n := f.tree.child(dir, path.Base(p)); n != 0 && f.tree.at(n).typ != TypeDir {
		return n
	}
	return 0
}

// parent walks to the directory at p inside the tree, following symbolic links that never leave it.
// With create, missing directories are made: root:root 0755. why is the reason that an unpacker would
// give up.
func (f *FS) parent(p string, create bool) (dir id, why string) {
	t, here, links := f.tree, root, 0
	rest := len(p) // of p, what the name itself says: before that stands a link's target, which is not made
	for p != "" {
		var part string
		inLink := len(p) > rest
		part, p, _ = strings.Cut(p, "/")
		rest = min(rest, len(p))
		switch part {
		case "", ".":
			continue
		case "..":
			here = t.at(here).parent
			continue
		}
		next := t.child(here, part)
		switch {
		case next == 0 && (!create || inLink):
			return 0, "No such file or directory"
		case next == 0 && len(part) > maxName:
			return 0, "File name too long"
		case next == 0:
			next = t.add(here, part, node{typ: TypeDir, start: noEntry, mode: impliedMode})
		case t.at(next).typ == TypeSymlink:
			link, err := f.entry(t.at(next).start)
			if err != nil {
				return 0, "Input/output error"
			}
			if links++; links > maxLinks {
				return 0, "Too many levels of symbolic links"
			}
			if path.IsAbs(link.Linkname) {
				here = root
			}
			p = link.Linkname + "/" + p
			continue
		case t.at(next).typ != TypeDir:
			return 0, "Not a directory"
		}
		here = next
	}
	return here, ""
}

// find returns the node at an io/fs path; no link is followed.
func (f *FS) find(op, name string) (id, error) {
	fail := func(err error) (id, error) { return 0, &fs.PathError{Op: op, Path: name, Err: err} }
	if name == "." {
		return root, nil
	}
	if Clean(name) != name {
		return fail(fs.ErrInvalid)
	}
	n := root
	for part := range strings.SplitSeq(name, "/") {
		if n = f.tree.child(n, part); n == 0 {
			return fail(fs.ErrNotExist)
		}
	}
	return n, nil
}

// EntryOf returns the entry that the file at name has its attributes from; nil for a directory that no
// entry describes.
func (f *FS) EntryOf(name string) (*Entry, error) {
	n, err := f.Lookup(name)
	if err != nil {
		return nil, err
	}
	return n.Entry()
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
	if f.tree.at(n).typ != TypeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	e, err := f.entry(f.tree.at(n).start)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return e.Linkname, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if f.tree.at(n).typ != TypeDir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	return f.list(n), nil
}

// list is the directory's entries by name.
func (f *FS) list(dir id) []fs.DirEntry {
	out := []fs.DirEntry{}
	for n := range f.tree.children(dir) {
		out = append(out, fs.FileInfoToDirEntry(info{f, n}))
	}
	return out
}

// Open implements [fs.FS].
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	i := info{f, n}
	switch at := f.tree.at(n); at.typ {
	case TypeReg:
		e, err := f.entry(at.start)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return fsys.NewFile(i, e.Content(f.r)), nil
	case TypeDir:
		return fsys.NewDir(i, func() ([]fs.DirEntry, error) { return f.list(n), nil }), nil
	}
	return fsys.NewSpecial(i), nil
}

// info is the FileInfo of a node.
type info struct {
	f *FS
	n id
}

func (i info) node() *node { return i.f.tree.at(i.n) }

func (i info) Name() string {
	if i.n == root {
		return "."
	}
	return i.f.tree.name(i.n)
}

func (i info) Size() int64 {
	if i.IsDir() {
		return 0
	}
	return i.node().size
}

func (i info) Mode() fs.FileMode { return fsys.Mode(i.mode()) }
func (i info) IsDir() bool       { return i.node().typ == TypeDir }

// ModTime is that of the entry, 1970 of a directory without one.
func (i info) ModTime() time.Time {
	if e, err := (Node{i.f, i.n}).Entry(); err == nil && e != nil {
		return e.ModTime()
	}
	return time.Unix(0, 0).UTC()
}

// Sys gives the [*fsys.Stat], with the header's fields as evidence.
func (i info) Sys() any {
	n := i.node()
	s := &fsys.Stat{Mode: i.mode(), UID: n.uid, GID: n.gid, Nlink: 1 + i.f.links[n.start]}
	// Names with one entry are one file. A directory that no entry describes has a number above those.
	if s.Ino = uint64(n.start) + 1; n.start == noEntry {
		s.Ino = 1<<32 + uint64(i.n)
	}
	if n.typ == TypeDir {
		s.Nlink = 2 + uint32(n.size)
	}
	if e, err := (Node{i.f, i.n}).Entry(); err == nil && e != nil {
		s.Capability, s.Cites = e.Capability(), e.Cites(i.f.r)
		if e.Type == TypeChar || e.Type == TypeBlock {
			s.Rdev = e.Major<<8 | e.Minor
		}
	}
	return s
}

// mode is st_mode.
func (i info) mode() uint32 {
	perm := uint32(i.node().mode)
	switch i.node().typ {
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
