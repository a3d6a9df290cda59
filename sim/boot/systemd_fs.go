package boot

import (
	"io/fs"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
)

// taskFS is the mount tree as a process sees it, in the form that parsers read.
type taskFS struct {
	t    *kernel.Task
	root fsys.FS // of the root mount, for Info
}

func (f taskFS) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// abs is the task's name for a path of io/fs.
func (f taskFS) abs(name string) string {
	if name == "." {
		return "/"
	}
	return "/" + name
}

// Open implements [fs.FS]; like every file system here it follows no link at the end.
func (f taskFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, f.fail("open", name, fs.ErrInvalid)
	}
	file, err := f.t.OpenNoFollow("/" + name)
	switch err {
	case nil:
		return file, nil
	case kernel.ELOOP:
		err = fs.ErrInvalid
	}
	return nil, f.fail("open", name, err)
}

// Resolve implements [fsys.Resolver].
func (f taskFS) Resolve(name string) (string, error) {
	real, err := f.t.RealPath("/" + strings.Trim(name, "/"))
	if real = strings.TrimPrefix(real, "/"); real == "" {
		real = "."
	}
	return real, err
}

// Stat implements [fs.StatFS].
func (f taskFS) Stat(name string) (fs.FileInfo, error) { return f.Lstat(name) }

// Lstat implements [fs.ReadLinkFS].
func (f taskFS) Lstat(name string) (fs.FileInfo, error) {
	fi, err := f.t.Lstat(f.abs(name))
	if err != nil {
		return nil, f.fail("lstat", name, err)
	}
	return fi, nil
}

// ReadLink implements [fs.ReadLinkFS].
func (f taskFS) ReadLink(name string) (string, error) {
	s, err := f.t.ReadLink(f.abs(name))
	if err != nil {
		return "", f.fail("readlink", name, err)
	}
	return s, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f taskFS) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := f.t.ReadDir(f.abs(name))
	if err != nil {
		return nil, f.fail("readdir", name, err)
	}
	return list, nil
}

// Info implements [fsys.FS].
func (f taskFS) Info() fsys.Info {
	if f.root == nil {
		return fsys.Info{}
	}
	return f.root.Info()
}
