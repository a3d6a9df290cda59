package kernel

import "fmt"

// Chdir is chdir(2).
func (t *Task) Chdir(name string) error {
	c := call{kind: "kernel.chdir", line: fmt.Sprintf("chdir(%q)", name), args: map[string]string{"path": name}}
	at, err := t.directory(name)
	if e := t.blocked("chdir"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	if err != nil {
		return t.fail(c, "chdir(2)", err)
	}
	t.cwd = at
	t.done(c, "chdir(2)")
	return nil
}

// directory resolves name to a directory that t may search.
func (t *Task) directory(name string) (loc, error) {
	at, in, err := t.lookup(name, true)
	switch {
	case err != nil:
		return at, err
	case !in.isDir():
		return at, ENOTDIR
	case !t.permitted(in, mayExec):
		return at, EACCES
	}
	return at, nil
}

// Chroot is chroot(2).
func (t *Task) Chroot(name string) error {
	c := call{kind: "kernel.chroot", line: fmt.Sprintf("chroot(%q)", name), args: map[string]string{"path": name}}
	at, err := t.directory(name)
	switch {
	case t.blocked("chroot") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("chroot"))
	case err != nil:
		return t.fail(c, "chroot(2)", err)
	// "EPERM The caller has insufficient privilege." - chroot(2)
	case !t.capable(CAP_SYS_CHROOT, t.ns[UserNS]):
		return t.fail(c, "chroot(2)", EPERM)
	}
	t.root = at
	t.done(c, "chroot(2)")
	return nil
}

// Dir is a place that stays the same whatever is mounted or moved: what a descriptor of a directory
// names.
type Dir struct{ at loc }

// OpenDir opens a directory to come back to with [Task.Fchdir].
func (t *Task) OpenDir(name string) (Dir, error) {
	at, in, err := t.lookup(name, true)
	if err == nil && !in.isDir() {
		err = ENOTDIR
	}
	return Dir{at}, err
}

// Fchdir is fchdir(2).
func (t *Task) Fchdir(d Dir) error {
	c := call{kind: "kernel.chdir", line: fmt.Sprintf("fchdir(<%s>)", t.pathOf(d.at)), args: map[string]string{"path": t.pathOf(d.at)}}
	if e := t.blocked("fchdir"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	t.cwd = d.at
	t.done(c, "fchdir(2)")
	return nil
}

// PivotRoot is pivot_root(2). The order of the checks is that of the system call, fs/namespace.c.
func (t *Task) PivotRoot(newRoot, putOld string) error {
	c := call{kind: "kernel.pivot-root", line: fmt.Sprintf("pivot_root(%q, %q)", newRoot, putOld), args: map[string]string{"new_root": newRoot, "put_old": putOld}}
	switch {
	case t.blocked("pivot_root") != 0:
		return t.fail(c, "seccomp(2)", t.blocked("pivot_root"))
	// "EPERM The calling process does not have the CAP_SYS_ADMIN capability." - pivot_root(2)
	case !t.capable(CAP_SYS_ADMIN, t.ns[MountNS]):
		return t.fail(c, "pivot_root(2)", EPERM)
	}
	to, err := t.dirOnly(newRoot)
	if err != nil {
		return t.fail(c, "pivot_root(2)", err)
	}
	put, err := t.dirOnly(putOld)
	if err != nil {
		return t.fail(c, "pivot_root(2)", err)
	}
	// lock_mount: what is mounted over put_old counts, also when it was named as ".".
	for m := put.mnt.ns.mountedAt(put); m != nil; m = m.ns.mountedAt(put) {
		put = loc{m, m.root}
	}
	if err := t.pivotCheck(to, put); err != nil {
		return t.fail(c, "pivot_root(2)", err)
	}
	c.args["new_root"] = t.pathOf(to)
	old, parent, at := t.root, t.root.mnt.parent, t.root.mnt.at
	old.mnt.parent, old.mnt.at = put.mnt, put.path
	to.mnt.parent, to.mnt.at = parent, at
	t.k.showAgain()
	// "pivot_root() changes the root directory and the current working directory of each process or
	// thread in the same mount namespace to new_root if they point to the old root directory."
	for _, o := range t.k.tasks {
		if o.root == old {
			o.root = to
		}
		if o.cwd == old {
			o.cwd = to
		}
	}
	t.done(c, "pivot_root(2)")
	return nil
}

// dirOnly is a lookup with LOOKUP_DIRECTORY: "ENOTDIR new_root or put_old is not a directory."
func (t *Task) dirOnly(name string) (loc, error) {
	at, in, err := t.lookup(name, true)
	if err == nil && !in.isDir() {
		err = ENOTDIR
	}
	return at, err
}

func (t *Task) pivotCheck(to, put loc) error {
	ns, root := t.ns[MountNS], t.root
	shared := func(m *mount) bool { return m != nil && m.group != 0 }
	switch {
	// "EINVAL Either the mount point at new_root, or the parent mount of that mount point, has propagation
	// type MS_SHARED", "put_old is a mount point and has the propagation type MS_SHARED"
	case shared(put.mnt), shared(to.mnt.parent), shared(root.mnt.parent):
		return EINVAL
	case root.mnt.ns != ns, to.mnt.ns != ns:
		return EINVAL
	// "EBUSY new_root or put_old is on the current root mount."
	case to.mnt == root.mnt, put.mnt == root.mnt:
		return EBUSY
	// "EINVAL The current root directory is not a mount point (because of an earlier chroot(2))", "The
	// current root is on the rootfs (initial ramfs) mount."
	case root.path != root.mnt.root, root.mnt.parent == nil:
		return EINVAL
	// "EINVAL new_root is not a mount point."
	case to.path != to.mnt.root, to.mnt.parent == nil:
		return EINVAL
	// "EINVAL put_old is not at or underneath new_root."
	case !reachable(put, to), !reachable(to, root):
		return EINVAL
	}
	return nil
}

// reachable is is_path_reachable: at is root or lies below it.
func reachable(at, root loc) bool {
	for at.mnt != root.mnt && at.mnt.parent != nil {
		at = loc{at.mnt.parent, at.mnt.at}
	}
	return at.mnt == root.mnt && below(at.path, root.path)
}
