package kernel

import (
	"io/fs"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// PATH_MAX and NAME_MAX, limits.h; MAXSYMLINKS, include/linux/namei.h.
const (
	pathMax  = 4096
	nameMax  = 255
	maxLinks = 40
)

// maxFile bounds ReadFile, in bytes.
const maxFile = 16 << 20

// loc is a place: a file system's path as seen through a mount.
type loc struct {
	mnt  *mount
	path string // in the file system, io/fs form
}

// Access bits of inode_permission.
const (
	mayExec  = 1
	mayWrite = 2
	mayRead  = 4
)

// walk is one path walk, as fs/namei.c does it.
type walk struct {
	t     *Task
	at    loc
	in    *inode // of at
	links int
}

// lookup resolves name. A link in the last component is followed when follow says so. Errors come in
// Linux's order: search permission of a directory is asked before a name in it, a name that is not a
// directory matters only when something comes behind it.
func (t *Task) lookup(name string, follow bool) (loc, *inode, error) {
	w, last, err := t.walkParent(name)
	if err != nil {
		return loc{}, nil, err
	}
	if last != "" {
		if err := w.step(last, follow); err != nil {
			return loc{}, nil, err
		}
	}
	if strings.HasSuffix(name, "/") && !w.in.isDir() {
		return loc{}, nil, ENOTDIR
	}
	return w.at, w.in, nil
}

// walkParent walks to the directory that holds the last component of name and returns that component; it is
// empty when name leads to the root or a directory already.
func (t *Task) walkParent(name string) (*walk, string, error) {
	switch {
	case name == "":
		return nil, "", ENOENT
	case len(name) >= pathMax:
		return nil, "", ENAMETOOLONG
	}
	w := &walk{t: t, at: t.cwd}
	if name[0] == '/' {
		w.at = t.root
	}
	if err := w.load(); err != nil {
		return nil, "", err
	}
	parts := split(name)
	if len(parts) == 0 {
		return w, "", nil
	}
	if err := w.through(parts[:len(parts)-1]); err != nil {
		return nil, "", err
	}
	if !t.permitted(w.in, mayExec) {
		return nil, "", EACCES
	}
	// A trailing slash makes Linux follow a link at the end.
	last := parts[len(parts)-1]
	if strings.HasSuffix(name, "/") {
		last += "/"
	}
	return w, last, nil
}

func split(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// through walks components that something comes behind: each must end at a directory.
func (w *walk) through(parts []string) error {
	for _, p := range parts {
		if !w.t.permitted(w.in, mayExec) {
			return EACCES
		}
		if err := w.step(p, true); err != nil {
			return err
		}
		if !w.in.isDir() {
			return ENOTDIR
		}
	}
	return nil
}

// load fetches the inode of the present place.
func (w *walk) load() (err error) {
	if w.at.mnt == nil {
		return ENOENT
	}
	w.in, err = w.at.mnt.sb.get(w.t, w.at.path)
	return err
}

// step goes to one component of the present directory.
func (w *walk) step(name string, follow bool) error {
	if bare, slash := strings.CutSuffix(name, "/"); slash {
		name, follow = bare, true
	}
	switch {
	case name == ".":
		return nil
	case name == "..":
		w.up()
		w.down()
		return w.load()
	case len(name) > nameMax:
		return ENAMETOOLONG
	}
	dir := w.at
	next := loc{dir.mnt, under(dir.path, name)}
	in, err := dir.mnt.sb.get(w.t, next.path)
	if err != nil {
		return err
	}
	if in.isLink() && follow {
		return w.follow(next, in)
	}
	w.at, w.in = next, in
	if w.down(); w.at == next {
		return nil
	}
	return w.load()
}

// under is the path of a name in a directory; neither needs to be cleaned.
func under(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// up goes to the parent directory, through the roots of mounts, never above the task's root.
func (w *walk) up() {
	for w.at != w.t.root {
		if w.at.path != w.at.mnt.root {
			w.at.path = path.Dir(w.at.path)
			return
		}
		if w.at.mnt.parent == nil {
			return
		}
		w.at = loc{w.at.mnt.parent, w.at.mnt.at}
	}
}

// down enters what is mounted here, the topmost.
func (w *walk) down() {
	for m := w.at.mnt.ns.mountedAt(w.at); m != nil; m = m.ns.mountedAt(w.at) {
		w.at = loc{m, m.root}
	}
}

// follow goes where a link leads, seen from the directory that holds it.
func (w *walk) follow(link loc, in *inode) error {
	if w.links++; w.links > maxLinks {
		return ELOOP
	}
	if in.node != nil && in.node.jump != nil {
		w.at = *in.node.jump
		return w.load()
	}
	target, err := link.mnt.sb.readlink(w.t, link.path, in)
	if err != nil {
		return err
	}
	if target == "" {
		return ENOENT
	}
	if len(target) >= pathMax {
		return ENAMETOOLONG
	}
	if target[0] == '/' {
		w.at = w.t.root
		if err := w.load(); err != nil {
			return err
		}
	}
	parts := split(target)
	if len(parts) == 0 {
		return nil
	}
	if err := w.through(parts[:len(parts)-1]); err != nil {
		return err
	}
	if !w.t.permitted(w.in, mayExec) {
		return EACCES
	}
	if err := w.step(parts[len(parts)-1], true); err != nil {
		return err
	}
	if strings.HasSuffix(target, "/") && !w.in.isDir() {
		return ENOTDIR
	}
	return nil
}

// permitted is inode_permission: the class that fits first (owner, group, others) decides, then the
// capabilities that override it. Access control lists are not looked at. path_resolution(7),
// capabilities(7).
func (t *Task) permitted(in *inode, want uint32) bool {
	c := &t.Cred
	bits := in.mode
	switch {
	case c.FSUID == in.uid:
		bits >>= 6
	case c.inGroup(in.gid):
		bits >>= 3
	}
	if bits&want == want {
		return true
	}
	if in.isDir() {
		return c.Effective.Has(CAP_DAC_OVERRIDE) || want&mayWrite == 0 && c.Effective.Has(CAP_DAC_READ_SEARCH)
	}
	if want == mayRead && c.Effective.Has(CAP_DAC_READ_SEARCH) {
		return true
	}
	// "CAP_DAC_OVERRIDE: execute permission is granted only if at least one x bit is set."
	return c.Effective.Has(CAP_DAC_OVERRIDE) && (want&mayExec == 0 || in.mode&0o111 != 0)
}

// Stat is stat(2); Sys() of the result is a [*fsys.Stat].
func (t *Task) Stat(name string) (fs.FileInfo, error) { return t.stat(name, true) }

// Lstat is lstat(2): a link at the end is not followed.
func (t *Task) Lstat(name string) (fs.FileInfo, error) { return t.stat(name, false) }

func (t *Task) stat(name string, follow bool) (fs.FileInfo, error) {
	at, in, err := t.lookup(name, follow)
	if err != nil {
		return nil, err
	}
	return info{path.Base(at.path), in}, nil
}

// Evidence cites the bytes that make the file at name what it is: its directory entry and inode. It is
// empty when they do not come from an image.
func (t *Task) Evidence(name string) []blob.Cite {
	_, in, err := t.lookup(name, true)
	if err != nil {
		return nil
	}
	return in.cites()
}

// Open opens a regular file for reading. open(2) with O_RDONLY.
func (t *Task) Open(name string) (fsys.File, error) { return t.open(name, true) }

// OpenNoFollow is Open with O_NOFOLLOW: ELOOP for a symbolic link.
func (t *Task) OpenNoFollow(name string) (fsys.File, error) { return t.open(name, false) }

func (t *Task) open(name string, follow bool) (fsys.File, error) {
	at, in, err := t.lookup(name, follow)
	switch {
	case err != nil:
		return nil, err
	case in.isLink():
		return nil, ELOOP
	case !t.permitted(in, mayRead):
		return nil, EACCES
	case in.isDir():
		return nil, EISDIR
	case !in.isReg():
		return nil, ENXIO // nothing stands behind a device or a pipe here
	}
	return at.mnt.sb.open(t, at.path, in)
}

// ReadFile reads a regular file of up to 16 MiB.
func (t *Task) ReadFile(name string) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := blob.ReadAll(f, maxFile)
	if err != nil {
		return nil, t.k.lowerErr(err)
	}
	return b, nil
}

// ReadLink is readlink(2).
func (t *Task) ReadLink(name string) (string, error) {
	at, in, err := t.lookup(name, false)
	if err != nil {
		return "", err
	}
	// "EINVAL The named file is not a symbolic link." - readlink(2)
	if !in.isLink() {
		return "", EINVAL
	}
	return at.mnt.sb.readlink(t, at.path, in)
}

// ReadDir lists a directory by name.
func (t *Task) ReadDir(name string) ([]fs.DirEntry, error) {
	at, names, err := t.names(name)
	if err != nil {
		return nil, err
	}
	all, out := make([]entry, len(names)), make([]fs.DirEntry, 0, len(names))
	for i, n := range names {
		child, err := at.mnt.sb.get(t, under(at.path, n))
		if err != nil {
			continue
		}
		all[i].info = info{n, child}
		out = append(out, &all[i])
	}
	return out, nil
}

// ReadNames is ReadDir for who asks nothing of the files but their names, which are not changed.
func (t *Task) ReadNames(name string) ([]string, error) {
	_, names, err := t.names(name)
	return names, err
}

func (t *Task) names(name string) (loc, []string, error) {
	at, in, err := t.lookup(name, true)
	switch {
	case err != nil:
		return at, nil, err
	case !in.isDir():
		return at, nil, ENOTDIR
	case !t.permitted(in, mayRead):
		return at, nil, EACCES
	}
	names, err := at.mnt.sb.list(t, at.path)
	return at, names, err
}

// RealPath is the path without links, from t's root, as realpath(3) gives it.
func (t *Task) RealPath(name string) (string, error) {
	at, _, err := t.lookup(name, true)
	if err != nil {
		return "", err
	}
	return t.pathOf(at), nil
}

// Cwd is the working directory's path from t's root. getcwd(3).
func (t *Task) Cwd() string { return t.pathOf(t.cwd) }

// pathOf is d_path: the way from t's root to a place, or from the top of its mount tree when it lies
// outside that root.
func (t *Task) pathOf(at loc) string { return pathFrom(at, t.root) }

func pathFrom(at, root loc) string {
	var parts []string
	for at != root {
		if at.path != at.mnt.root {
			parts = append(parts, path.Base(at.path))
			at.path = path.Dir(at.path)
			continue
		}
		if at.mnt.parent == nil {
			break
		}
		at = loc{at.mnt.parent, at.mnt.at}
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString("/" + parts[i])
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}
