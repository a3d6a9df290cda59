package cpio

import (
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// node is an inode of the tree.
type node struct {
	ino      uint64
	mode     uint32
	uid, gid uint32
	nlink    uint32
	rdev     uint32
	mtime    uint32
	header   *header // of the entry that made it last
	body     int64
	size     int64
	have     int64   // bytes of the body that the image has
	data     *source // of the content, nil for none
	target   string
	children map[string]*node
	parent   *node
	builtin  bool // made by the kernel itself, not by the image; shown once the image fills it
}

func (n *node) kind() uint32 { return n.mode & fsys.S_IFMT }

// FS is the unpacked tree; it implements [fsys.FS].
type FS struct {
	root *node
	next uint64
	size int64

	steps int
}

// newFS makes the tree that the kernel starts from: usr/default_cpio_list, which is built in when no other
// initramfs is. Its directories exist for what an image puts into them.
func newFS() *FS {
	f := &FS{}
	f.root = f.make(fsys.S_IFDIR | 0o755)
	for _, d := range []struct {
		name string
		mode uint32
	}{{"dev", 0o755}, {"root", 0o700}} {
		n := f.make(fsys.S_IFDIR | d.mode)
		n.builtin = true
		f.attach(f.root, d.name, n)
	}
	return f
}

func (f *FS) make(mode uint32) *node {
	f.next++
	n := &node{ino: f.next, mode: mode}
	if n.kind() == fsys.S_IFDIR {
		n.children, n.nlink = map[string]*node{}, 2
	}
	return n
}

func (f *FS) attach(dir *node, name string, n *node) {
	dir.children[name] = n
	if n.kind() == fsys.S_IFDIR {
		n.parent = dir
		dir.nlink++
	} else {
		n.nlink++
	}
	for d := dir; d != nil && !n.builtin && d.builtin; d = d.parent {
		d.builtin = false
	}
}

// walk finds the directory that a path ends in and the last component, following links in between. ok is
// false when there is no such directory: the kernel's call fails and the entry is lost.
func (f *FS) walk(path string) (dir *node, last string, ok bool) {
	if len(path) >= pathMax {
		return nil, "", false
	}
	dir = f.root
	rest := strings.Split(path, "/")
	for links := 0; ; {
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return dir, "", true // the directory itself
		}
		part := rest[0]
		rest = rest[1:]
		if f.steps++; f.steps > stepsMax {
			return nil, "", false
		}
		if part == ".." {
			if dir.parent != nil {
				dir = dir.parent
			}
			continue
		}
		if len(part) > nameMax {
			return nil, "", false
		}
		if !hasMore(rest) {
			return dir, part, true
		}
		next := dir.children[part]
		switch {
		case next == nil:
			return nil, "", false
		case next.kind() == fsys.S_IFLNK:
			if links++; links > fsys.MaxLinks {
				return nil, "", false
			}
			if strings.HasPrefix(next.target, "/") {
				dir = f.root
			}
			rest = append(strings.Split(next.target, "/"), rest...)
		case next.kind() == fsys.S_IFDIR:
			dir = next
		default:
			return nil, "", false
		}
	}
}

func hasMore(rest []string) bool {
	for _, r := range rest {
		if r != "" && r != "." {
			return true
		}
	}
	return false
}

// lookup finds the inode of a path without following a link at its end.
func (f *FS) lookup(path string) *node {
	dir, last, ok := f.walk(path)
	if !ok {
		return nil
	}
	if last == "" {
		return dir
	}
	return dir.children[last]
}

// clean is clean_path: what lies at path goes when it is of another type; a directory with something in it
// stays.
func (f *FS) clean(path string, mode uint32) {
	dir, last, ok := f.walk(path)
	if !ok || last == "" {
		return
	}
	old := dir.children[last]
	if old == nil || old.kind() == mode&fsys.S_IFMT {
		return
	}
	if old.kind() == fsys.S_IFDIR {
		if len(old.children) > 0 {
			return
		}
		dir.nlink--
	} else {
		old.nlink--
	}
	delete(dir.children, last)
}

// own sets owner and permissions and remembers where they are written.
func (n *node) own(e *entry) {
	n.mode = n.kind() | e.mode&^fsys.S_IFMT
	n.uid, n.gid, n.mtime, n.header = e.uid, e.gid, e.mtime, e.header
	n.builtin = false
}

func (f *FS) mkdir(e *entry) {
	dir, last, ok := f.walk(e.name)
	if !ok {
		return
	}
	n := dir
	if last != "" {
		if n = dir.children[last]; n == nil {
			n = f.make(e.mode)
			f.attach(dir, last, n)
		}
	}
	n.own(e) // also of one that exists: mkdir fails, chown and chmod do not
}

func (f *FS) mknod(e *entry) {
	dir, last, ok := f.walk(e.name)
	if !ok || last == "" {
		return
	}
	n := dir.children[last]
	if n == nil {
		n = f.make(e.mode)
		n.rdev = e.rdev
		f.attach(dir, last, n)
	}
	n.own(e)
}

func (f *FS) symlink(e *entry, target string) {
	dir, last, ok := f.walk(e.name)
	if !ok || last == "" {
		return
	}
	target, _, _ = strings.Cut(target, "\x00")
	n := dir.children[last]
	if n == nil {
		if target == "" {
			return // symlink(2) ENOENT
		}
		n = f.make(fsys.S_IFLNK | 0o777)
		n.target, n.size, n.header = target, int64(len(target)), e.header
		f.attach(dir, last, n)
	}
	n.uid, n.gid, n.mtime = e.uid, e.gid, e.mtime
}

// link makes name another name of old.
func (f *FS) link(old, name string) bool {
	n := f.lookup(old)
	dir, last, ok := f.walk(name)
	if n == nil || !ok || last == "" || dir.children[last] != nil || n.kind() == fsys.S_IFDIR {
		return false
	}
	f.attach(dir, last, n)
	return true
}

// write opens the file of an entry, makes it as long as its body and copies that: do_name and do_copy. It
// tells whether the file could be opened.
func (f *FS) write(e *entry, truncate bool) bool {
	dir, last, ok := f.walk(e.name)
	if !ok || last == "" {
		return false
	}
	n := dir.children[last]
	switch {
	case n == nil:
		n = f.make(e.mode)
		f.attach(dir, last, n)
	case n.kind() != fsys.S_IFREG: // a directory with something in it
		return false
	}
	n.own(e)
	switch {
	case e.size > 0:
		n.data, n.body, n.size, n.have = e.src, e.body, e.size, e.size
	case truncate:
		n.data, n.size = nil, 0
	}
	return true
}

// content is what a file holds. The part of a body that the image does not have reads as zeros, because the
// kernel makes the file as long as the header says first.
func (n *node) content() fsys.Content {
	if n.data == nil {
		return blob.Section(strings.NewReader(""), 0, 0)
	}
	return blob.Mapped(n.data.r, n.size, []blob.Extent{{Off: 0, Len: n.have, Phys: n.body}})
}
