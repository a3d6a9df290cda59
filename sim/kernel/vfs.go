package kernel

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// super is one file system instance: the tree of an image, never changed, with what was made since laid
// over it in memory.
type super struct {
	id     int
	fstype string
	source string
	lower  fsys.FS
	seen   *fsys.Recent[string, *inode] // of lower, which never changes; nil for what it does not have
	listed map[string][]string          // its directories that were listed: names, sorted
	made   map[string]*node
	gone   map[string]bool // paths of lower that were removed
	rdonly bool
	proc   *procfs
	dev    *Kernel // devtmpfs: shows this kernel's devices
	depth  int     // overlays within one another
}

// node is a file made in memory.
type node struct {
	mode     uint32
	uid, gid uint32
	rdev     uint32
	target   string
	data     []byte
	jump     *loc // magic links of proc(5) lead here whatever their text says
}

// inode is what a path led to.
type inode struct {
	mode     uint32
	uid, gid uint32
	rdev     uint32
	size     int64
	node     *node      // nil for a file of the lower tree
	stat     *fsys.Stat // of the lower tree
	mtime    time.Time
}

func (i *inode) isDir() bool  { return i.mode&fsys.S_IFMT == fsys.S_IFDIR }
func (i *inode) isLink() bool { return i.mode&fsys.S_IFMT == fsys.S_IFLNK }
func (i *inode) isReg() bool  { return i.mode&fsys.S_IFMT == fsys.S_IFREG }

func (i *inode) cites() []blob.Cite {
	if i.stat == nil {
		return nil
	}
	return i.stat.Cites
}

// inodesKept bounds the inodes that are remembered of one tree, as the kernel's dentry cache does it.
const inodesKept = 4096

func (k *Kernel) newSuper(fstype, source string, lower fsys.FS) *super {
	k.ids.super++
	s := &super{id: k.ids.super, fstype: fstype, source: source, lower: lower, made: map[string]*node{}, gone: map[string]bool{},
		seen: fsys.NewRecent[string, *inode](inodesKept)}
	if lower == nil {
		s.made["."] = &node{mode: fsys.S_IFDIR | 0o755}
	}
	return s
}

// get returns the file at p, a path in io/fs form without links.
func (s *super) get(t *Task, p string) (*inode, error) {
	n := s.made[p]
	if n == nil && s.proc != nil {
		n = s.proc.get(t, p)
	}
	if n == nil && s.dev != nil {
		n = s.dev.devNode(p)
	}
	if n != nil {
		return &inode{mode: n.mode, uid: n.uid, gid: n.gid, rdev: n.rdev, size: int64(max(len(n.data), len(n.target))), node: n}, nil
	}
	if s.lower == nil || s.gone[p] {
		return nil, ENOENT
	}
	if in, ok := s.seen.Get(p); ok {
		if in == nil {
			return nil, ENOENT
		}
		return in, nil
	}
	fi, err := s.lower.Lstat(p)
	if err != nil {
		if err = t.k.lowerErr(err); err == ENOENT {
			s.seen.Put(p, nil)
		}
		return nil, err
	}
	st := fsys.StatOf(fi)
	st.Cites = slices.Clip(st.Cites)
	in := &inode{mode: st.Mode, uid: st.UID, gid: st.GID, rdev: st.Rdev, size: fi.Size(), stat: st, mtime: fi.ModTime()}
	if st.Mode == 0 { // a file system of the standard library
		in.mode = unixMode(fi.Mode())
	}
	s.seen.Put(p, in)
	return in, nil
}

// lowerErr gives the errno for an image that cannot be read there, and keeps the reason.
func (k *Kernel) lowerErr(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ENOENT
	}
	k.damage = err
	return EIO
}

// Damage is why the latest EIO happened: what the image's file system should have held where.
func (k *Kernel) Damage() error { return k.damage }

func unixMode(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	switch {
	case m.IsDir():
		out |= fsys.S_IFDIR
	case m&fs.ModeSymlink != 0:
		out |= fsys.S_IFLNK
	case m&fs.ModeCharDevice != 0:
		out |= fsys.S_IFCHR
	case m&fs.ModeDevice != 0:
		out |= fsys.S_IFBLK
	case m&fs.ModeNamedPipe != 0:
		out |= fsys.S_IFIFO
	case m&fs.ModeSocket != 0:
		out |= fsys.S_IFSOCK
	default:
		out |= fsys.S_IFREG
	}
	if m&fs.ModeSetuid != 0 {
		out |= fsys.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		out |= fsys.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		out |= fsys.S_ISVTX
	}
	return out
}

func (s *super) readlink(t *Task, p string, in *inode) (string, error) {
	if in.node != nil {
		return in.node.target, nil
	}
	target, err := s.lower.ReadLink(p)
	if err != nil {
		return "", t.k.lowerErr(err)
	}
	return target, nil
}

func (s *super) open(t *Task, p string, in *inode) (fsys.File, error) {
	if in.node != nil {
		return &memFile{info: info{path.Base(p), in}, Reader: strings.NewReader(string(in.node.data))}, nil
	}
	f, err := fsys.OpenFile(s.lower, p)
	if err != nil {
		return nil, t.k.lowerErr(err)
	}
	return f, nil
}

// list names the entries of directory p, sorted.
func (s *super) list(t *Task, p string) ([]string, error) {
	below, err := s.listLower(t, p)
	if err != nil {
		return nil, err
	}
	if len(s.made)+len(s.gone) == 0 && s.proc == nil && s.dev == nil {
		return below, nil
	}
	names := map[string]bool{}
	for _, n := range below {
		if len(s.gone) == 0 || !s.gone[under(p, n)] {
			names[n] = true
		}
	}
	for q := range s.made {
		if q != "." && parent(q) == p {
			names[path.Base(q)] = true
		}
	}
	if s.proc != nil {
		for _, n := range s.proc.list(t, p) {
			names[n] = true
		}
	}
	if s.dev != nil && p == "." {
		for _, d := range s.dev.devices {
			names[d.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// listLower names what the lower tree has in directory p.
func (s *super) listLower(t *Task, p string) ([]string, error) {
	if s.lower == nil || s.made[p] != nil {
		return nil, nil
	}
	if names, ok := s.listed[p]; ok {
		return names, nil
	}
	entries, err := s.lower.ReadDir(p)
	if err != nil {
		return nil, t.k.lowerErr(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if s.listed == nil {
		s.listed = map[string][]string{}
	}
	s.listed[p] = names
	return names, nil
}

// parent is path.Dir of a path that needs no cleaning.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return "."
}

// add makes n at p.
func (s *super) add(p string, n *node) {
	s.made[p] = n
	if s.lower != nil {
		s.gone[p] = true // should it be removed again, the image's file stays hidden
	}
}

func (s *super) remove(p string) {
	delete(s.made, p)
	s.gone[p] = true
}

// info is a FileInfo over an inode.
type info struct {
	name string
	in   *inode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.in.size }
func (i info) Mode() fs.FileMode  { return fsys.Mode(i.in.mode) }
func (i info) ModTime() time.Time { return i.in.mtime }
func (i info) IsDir() bool        { return i.in.isDir() }
func (i info) Sys() any {
	if i.in.stat != nil {
		return i.in.stat
	}
	return &fsys.Stat{Mode: i.in.mode, UID: i.in.uid, GID: i.in.gid, Nlink: 1, Rdev: i.in.rdev}
}

// entry is info as a directory lists it.
type entry struct{ info }

func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e *entry) Info() (fs.FileInfo, error) { return e.info, nil }
func (e *entry) String() string             { return fs.FormatDirEntry(e) }

// memFile reads a file made in memory: no bytes of the image stand behind it.
type memFile struct {
	info
	*strings.Reader
}

func (f *memFile) Stat() (fs.FileInfo, error)      { return f.info, nil }
func (f *memFile) Close() error                    { return nil }
func (f *memFile) Locate(off, n int64) []blob.Span { return nil }
func (f *memFile) Size() int64                     { return f.Reader.Size() }
func (f *memFile) Read(p []byte) (int, error)      { return f.Reader.Read(p) }
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.Size() {
		return 0, io.EOF
	}
	return f.Reader.ReadAt(p, off)
}
