package kernel

import (
	"io/fs"

	"bootpath/sim/fsys"
)

// maxFile bounds ReadFile, in bytes.
const maxFile = 16 << 20

// Stat is stat(2); Sys() of the result is a [*fsys.Stat].
func (t *Task) Stat(path string) (fs.FileInfo, error) { return nil, ENOSYS }

// Lstat is lstat(2): a link at the end is not followed.
func (t *Task) Lstat(path string) (fs.FileInfo, error) { return nil, ENOSYS }

// Open opens a regular file for reading. open(2) with O_RDONLY.
func (t *Task) Open(path string) (fsys.File, error) { return nil, ENOSYS }

// ReadFile reads a regular file of up to 16 MiB.
func (t *Task) ReadFile(path string) ([]byte, error) { return nil, ENOSYS }

// ReadLink is readlink(2).
func (t *Task) ReadLink(path string) (string, error) { return "", ENOSYS }

// ReadDir lists a directory by name.
func (t *Task) ReadDir(path string) ([]fs.DirEntry, error) { return nil, ENOSYS }

// RealPath is the path without links, from t's root, as realpath(3) gives it.
func (t *Task) RealPath(path string) (string, error) { return "", ENOSYS }

// Mkdir is mkdir(2).
func (t *Task) Mkdir(path string, mode uint32) error { return ENOSYS }

// Mknod is mknod(2); dev is major<<8 | minor.
func (t *Task) Mknod(path string, mode, dev uint32) error { return ENOSYS }

// Symlink is symlink(2).
func (t *Task) Symlink(target, path string) error { return ENOSYS }

// WriteFile makes or replaces a regular file. open(2) with O_CREAT|O_TRUNC, then write(2).
func (t *Task) WriteFile(path string, data []byte, mode uint32) error { return ENOSYS }

// Unlink is unlink(2).
func (t *Task) Unlink(path string) error { return ENOSYS }

// Rmdir is rmdir(2).
func (t *Task) Rmdir(path string) error { return ENOSYS }
