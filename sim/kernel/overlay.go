package kernel

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/fsys/union"
)

// Limits of overlayfs: OVL_MAX_STACK of fs/overlayfs/super.c and FILESYSTEM_MAX_STACK_DEPTH of include/linux/fs.h.
const (
	maxLower = 500
	maxStack = 2
)

// overlay makes the file system that mount(2) with the type overlay is asked for: the directories of lowerdir= under
// one another and upperdir= over them, as one tree. Documentation/filesystems/overlayfs.rst.
//
// What is written to it later is kept with the overlay and does not show up in upperdir. Whiteouts of lower
// overlays (a character device 0:0) are shown as what they are.
func (t *Task) overlay(src, data string) (*super, error) {
	o := overlayOptions(data)
	if o.bad != "" {
		return nil, t.refuse(EINVAL, "overlayfs: unrecognized mount option \"%s\" or missing value", o.bad)
	}
	if len(o.lower) == 0 {
		return nil, t.refuse(EINVAL, "overlayfs: missing 'lowerdir'")
	}
	if len(o.lower) > maxLower {
		return nil, t.refuse(EINVAL, "overlayfs: too many lower directories, limit is %d", maxLower)
	}
	var layers []union.Layer
	depth := 0
	for _, dir := range o.lower { // the first is the topmost
		at, err := t.overlayDir(dir)
		if err != nil {
			return nil, err
		}
		layers = append([]union.Layer{{Name: dir, FS: t.tree(at)}}, layers...)
		depth = max(depth, at.mnt.sb.depth)
	}
	if o.upper != "" {
		upper, err := t.upperDir(o)
		if err != nil {
			return nil, err
		}
		depth = max(depth, upper.mnt.sb.depth)
		if names, err := upper.mnt.sb.list(t, upper.path); err == nil && len(names) > 0 {
			layers = append(layers, union.Layer{Name: o.upper, FS: t.tree(upper)})
		}
	}
	if depth++; depth > maxStack {
		return nil, t.refuse(EINVAL, "overlayfs: maximum fs stacking depth exceeded")
	}
	merged := layers[0].FS
	if len(layers) > 1 {
		var err error
		if merged, err = union.New(layers...); err != nil {
			return nil, EIO
		}
	}
	s := t.k.newSuper("overlay", src, merged)
	s.depth = depth
	s.rdonly = o.upper == "" // "the overlay filesystem will be read-only"
	return s, nil
}

// overlayDirs are the options of an overlay mount that name directories, and the first that is no option.
type overlayDirs struct {
	lower       []string
	upper, work string
	bad         string
}

func overlayOptions(data string) (o overlayDirs) {
	for word := range strings.SplitSeq(data, ",") {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "lowerdir":
			o.lower = strings.Split(value, ":")
		case "upperdir":
			o.upper = value
		case "workdir":
			o.work = value
		case "", "redirect_dir", "index", "metacopy", "xino", "nfs_export", "uuid", "userxattr", "volatile", "default_permissions", "verity":
		default:
			o.bad = word
			return o
		}
	}
	return o
}

// overlayDir resolves a directory that an option names; ovl_mount_dir_noesc of fs/overlayfs/super.c.
func (t *Task) overlayDir(name string) (loc, error) {
	at, in, err := t.lookup(name, true)
	if err != nil {
		e, ok := err.(Errno)
		if !ok {
			e = EIO
		}
		return at, t.refuse(e, "overlayfs: failed to resolve '%s': %d", name, -int(e))
	}
	if !in.isDir() {
		return at, t.refuse(EINVAL, "overlayfs: '%s' not a directory", name)
	}
	return at, nil
}

// upperDir checks where changes go: ovl_get_upper and ovl_get_workdir of fs/overlayfs/super.c.
func (t *Task) upperDir(o overlayDirs) (loc, error) {
	if o.work == "" {
		return loc{}, t.refuse(EINVAL, "overlayfs: missing 'workdir'")
	}
	upper, err := t.overlayDir(o.upper)
	if err != nil {
		return upper, err
	}
	work, err := t.overlayDir(o.work)
	switch {
	case err != nil:
		return upper, err
	case upper.readOnly():
		return upper, t.refuse(EINVAL, "overlayfs: upper fs is r/o, try multi-lower layers mount")
	case upper.mnt != work.mnt:
		return upper, t.refuse(EINVAL, "overlayfs: workdir and upperdir must reside under the same mount")
	case below(upper.path, work.path) || below(work.path, upper.path):
		return upper, t.refuse(EINVAL, "overlayfs: workdir and upperdir must be separate subtrees")
	}
	return upper, nil
}

// refuse keeps what a file system's driver writes to the kernel's log about a mount that it refuses.
func (t *Task) refuse(e Errno, format string, args ...any) Errno {
	t.k.refusal = fmt.Sprintf(format, args...)
	return e
}

// Refusal is what the driver of a file system wrote to the log about the latest mount that it refused; asking
// clears it.
func (k *Kernel) Refusal() string {
	text := k.refusal
	k.refusal = ""
	return text
}

// tree is what lies below a place, without what is mounted there, as a file system of its own.
func (t *Task) tree(at loc) fsys.FS {
	s := at.mnt.sb
	if s.lower == nil || len(s.made)+len(s.gone) > 0 {
		return &branch{t, s, at.path}
	}
	if at.path == "." {
		return s.lower
	}
	return fsys.Sub(s.lower, at.path)
}

// branch shows a directory of a file system that was changed since it was mounted.
type branch struct {
	t    *Task
	s    *super
	root string
}

func (b *branch) Info() fsys.Info {
	if b.s.lower != nil {
		return b.s.lower.Info()
	}
	return fsys.Info{Type: b.s.fstype}
}

func (b *branch) get(op, name string) (string, *inode, error) {
	if !fs.ValidPath(name) {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := path.Join(b.root, name)
	in, err := b.s.get(b.t, at)
	if err == ENOENT {
		err = fs.ErrNotExist
	}
	if err != nil {
		return at, nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return at, in, nil
}

// Stat implements [fs.StatFS]; symbolic links are not followed.
func (b *branch) Stat(name string) (fs.FileInfo, error) {
	_, in, err := b.get("stat", name)
	if err != nil {
		return nil, err
	}
	return info{path.Base(name), in}, nil
}

// Lstat implements [fs.ReadLinkFS].
func (b *branch) Lstat(name string) (fs.FileInfo, error) { return b.Stat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (b *branch) ReadLink(name string) (string, error) {
	at, in, err := b.get("readlink", name)
	switch {
	case err != nil:
		return "", err
	case !in.isLink():
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return b.s.readlink(b.t, at, in)
}

// ReadDir implements [fs.ReadDirFS].
func (b *branch) ReadDir(name string) ([]fs.DirEntry, error) {
	at, in, err := b.get("readdir", name)
	switch {
	case err != nil:
		return nil, err
	case !in.isDir():
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fsys.ErrNotDir}
	}
	names, err := b.s.list(b.t, at)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	var out []fs.DirEntry
	for _, n := range names {
		if fi, err := b.Stat(path.Join(name, n)); err == nil {
			out = append(out, fs.FileInfoToDirEntry(fi))
		}
	}
	return out, nil
}

// Open implements [fs.FS].
func (b *branch) Open(name string) (fs.File, error) {
	at, in, err := b.get("open", name)
	switch {
	case err != nil:
		return nil, err
	case in.isDir():
		return fsys.NewDir(info{path.Base(name), in}, func() ([]fs.DirEntry, error) { return b.ReadDir(name) }), nil
	case in.isReg():
		return b.s.open(b.t, at, in)
	}
	return fsys.NewSpecial(info{path.Base(name), in}), nil
}
