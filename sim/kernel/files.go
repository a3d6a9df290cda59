package kernel

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// readOnly tells whether nothing can be changed at a place.
func (l loc) readOnly() bool { return l.mnt.flags&MS_RDONLY != 0 || l.mnt.sb.rdonly }

// create resolves name to a place where a new file may be made.
func (t *Task) create(name string) (loc, error) {
	w, last, err := t.walkParent(name)
	if err != nil {
		return loc{}, err
	}
	last = strings.TrimSuffix(last, "/")
	switch last {
	case "", ".", "..":
		return loc{}, EEXIST
	}
	if len(last) > nameMax {
		return loc{}, ENAMETOOLONG
	}
	dir, din := w.at, w.in
	at := loc{dir.mnt, path.Join(dir.path, last)}
	if _, err := dir.mnt.sb.get(t, at.path); err == nil {
		return at, EEXIST
	} else if err != ENOENT {
		return at, err
	}
	switch {
	case dir.readOnly():
		return at, EROFS
	case !t.permitted(din, mayWrite|mayExec):
		return at, EACCES
	}
	return at, nil
}

func (t *Task) newNode(mode uint32) *node {
	return &node{mode: mode, uid: t.Cred.FSUID, gid: t.Cred.FSGID}
}

// Mkdir is mkdir(2).
func (t *Task) Mkdir(name string, mode uint32) error {
	c := call{kind: "kernel.mkdir", line: fmt.Sprintf("mkdir(%q, %#o)", name, mode), args: map[string]string{"path": name, "mode": fmt.Sprintf("%#o", mode)}}
	return t.makeNode(c, "mkdir", name, t.newNode(fsys.S_IFDIR|mode))
}

// MkdirAll makes the directory and the missing ones above it, one call each, as Go's os.MkdirAll does.
func (t *Task) MkdirAll(name string, mode uint32) error {
	if fi, err := t.Stat(name); err == nil {
		if fi.IsDir() {
			return nil
		}
		return ENOTDIR
	}
	if dir := path.Dir(name); dir != name && dir != "." {
		if err := t.MkdirAll(dir, mode); err != nil {
			return err
		}
	}
	return t.Mkdir(name, mode)
}

// Mknod is mknod(2); dev is major<<8 | minor.
func (t *Task) Mknod(name string, mode, dev uint32) error {
	n := t.newNode(mode)
	n.rdev = dev
	kind := map[uint32]string{fsys.S_IFCHR: "S_IFCHR", fsys.S_IFBLK: "S_IFBLK", fsys.S_IFIFO: "S_IFIFO", fsys.S_IFSOCK: "S_IFSOCK"}[mode&fsys.S_IFMT]
	line := fmt.Sprintf("mknod(%q, %s|%#o)", name, kind, mode&0o7777)
	isDev := kind == "S_IFCHR" || kind == "S_IFBLK"
	if isDev {
		line = fmt.Sprintf("mknod(%q, %s|%#o, makedev(%s, %s))", name, kind, mode&0o7777, hex(dev>>8), hex(dev&0xff))
	}
	c := call{kind: "kernel.mknod", line: line, args: map[string]string{"path": name, "device": fmt.Sprintf("%d:%d", dev>>8, dev&0xff)}}
	// "EPERM mode requested creation of something other than a regular file, FIFO …, and the caller is
	// not privileged (Linux: does not have the CAP_MKNOD capability)" - mknod(2)
	if isDev && !(t.Cred.Effective.Has(CAP_MKNOD) && t.ns[UserNS].parent == nil) {
		return t.fail(c, "mknod(2)", EPERM)
	}
	return t.makeNode(c, "mknod", name, n)
}

// special answers for names that cannot be removed. rmdir(2) EINVAL, ENOTEMPTY, EBUSY; unlink(2) EISDIR.
func special(name, last string) error {
	last = strings.TrimSuffix(last, "/")
	switch {
	case last != "" && last != "." && last != "..":
		return nil
	case name == "unlink":
		return EISDIR
	case last == ".":
		return EINVAL
	case last == "..":
		return ENOTEMPTY
	}
	return EBUSY
}

// hex prints as strace does: zero has no prefix.
func hex(n uint32) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", n)
}

// Symlink is symlink(2).
func (t *Task) Symlink(target, name string) error {
	c := call{kind: "kernel.symlink", line: fmt.Sprintf("symlink(%q, %q)", target, name), args: map[string]string{"target": target, "path": name}}
	n := t.newNode(fsys.S_IFLNK | 0o777)
	n.target = target
	return t.makeNode(c, "symlink", name, n)
}

func (t *Task) makeNode(c call, name, path string, n *node) error {
	if e := t.blocked(name); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	at, err := t.create(path)
	if err != nil {
		return t.fail(c, name+"(2)", err)
	}
	at.mnt.sb.add(at.path, n)
	t.done(c, name+"(2)")
	return nil
}

// WriteFile makes or replaces a regular file. open(2) with O_CREAT|O_TRUNC, then write(2).
func (t *Task) WriteFile(name string, data []byte, mode uint32) error {
	c := call{kind: "kernel.write-file", line: fmt.Sprintf("open(%q, O_WRONLY|O_CREAT|O_TRUNC, %#o)", name, mode), args: map[string]string{"path": name, "size": strconv.Itoa(len(data))}}
	at, in, err := t.lookup(name, true)
	n := t.newNode(fsys.S_IFREG | mode)
	switch {
	case err == ENOENT:
		at, err = t.create(name)
	case err != nil:
	case in.isDir():
		err = EISDIR
	case at.readOnly():
		err = EROFS
	case !t.permitted(in, mayWrite):
		err = EACCES
	default:
		n.mode, n.uid, n.gid = in.mode, in.uid, in.gid
	}
	if err != nil {
		return t.fail(c, "open(2)", err)
	}
	n.data = slices.Clone(data)
	if n.mode&fsys.S_IFMT == fsys.S_IFREG {
		at.mnt.sb.add(at.path, n)
	}
	t.done(c, "open(2), write(2)")
	return nil
}

// MayWrite tells what open(2) with O_WRONLY|O_CREAT would answer, and does nothing.
func (t *Task) MayWrite(name string) error {
	at, in, err := t.lookup(name, true)
	switch {
	case err == ENOENT:
		_, err = t.create(name)
		return err
	case err != nil:
		return err
	case in.isDir():
		return EISDIR
	case in.isReg() && at.readOnly():
		return EROFS
	case !t.permitted(in, mayWrite):
		return EACCES
	}
	return nil
}

// Unlink is unlink(2).
func (t *Task) Unlink(name string) error {
	return t.removeNode("unlink", name, func(in *inode, _ loc) error {
		if in.isDir() {
			return EISDIR // "This is the non-POSIX value returned since Linux 2.1.132." - unlink(2)
		}
		return nil
	})
}

// Rmdir is rmdir(2).
func (t *Task) Rmdir(name string) error {
	return t.removeNode("rmdir", name, func(in *inode, at loc) error {
		if !in.isDir() {
			return ENOTDIR
		}
		if names, err := at.mnt.sb.list(t, at.path); err != nil || len(names) > 0 {
			return ENOTEMPTY
		}
		return nil
	})
}

func (t *Task) removeNode(name, path string, check func(*inode, loc) error) error {
	c := call{kind: trace.Kind("kernel." + name), line: fmt.Sprintf("%s(%q)", name, path), args: map[string]string{"path": path}}
	w, last, err := t.walkParent(path)
	if err == nil {
		err = special(name, last)
	}
	if err != nil {
		return t.fail(c, name+"(2)", err)
	}
	last, slash := strings.CutSuffix(last, "/") // a link at the end is not followed all the same
	dir, din := w.at, w.in
	err = w.step(last, false)
	switch {
	case err != nil:
	case slash && !w.in.isDir():
		err = ENOTDIR
	case dir.readOnly():
		err = EROFS
	case !t.permitted(din, mayWrite|mayExec):
		err = EACCES
	case w.at.mnt != dir.mnt:
		err = EBUSY // a mount point
	default:
		err = check(w.in, w.at)
	}
	if err != nil {
		return t.fail(c, name+"(2)", err)
	}
	w.at.mnt.sb.remove(w.at.path)
	t.done(c, name+"(2)")
	return nil
}

// Executable is what eaccess(3) with X_OK and a look at the type tell: a regular file that t may execute.
// What is no regular file is EPERM, as crun reports it.
func (t *Task) Executable(name string) error {
	at, in, err := t.lookup(name, true)
	switch {
	case err != nil:
		return err
	case !t.permitted(in, mayExec) || in.isReg() && at.mnt.flags.has(MS_NOEXEC):
		return EACCES
	case !in.isReg():
		return EPERM
	}
	return nil
}

// FlagsAt are the flags of the mount that name lies on, as statfs(2) tells them.
func (t *Task) FlagsAt(name string) MountFlags {
	at, _, err := t.lookup(name, true)
	if err != nil {
		return 0
	}
	return at.mnt.flags &^ MS_RELATIME
}

// FilesystemAt is what name lies on, or would: the type and the options of the file system, and where it is mounted.
func (t *Task) FilesystemAt(name string) (fstype, options, place string, err error) {
	at, _, err := t.lookup(name, true)
	if err == ENOENT {
		var w *walk
		if w, _, err = t.walkParent(name); err == nil {
			at = w.at
		}
	}
	if err != nil {
		return "", "", "", err
	}
	return at.mnt.sb.fstype, at.mnt.data, t.pathOf(loc{at.mnt, at.mnt.root}), nil
}
