// Package fsys says what bootpath's file systems have in common: they are read-only [io/fs.FS] over an
// [io.ReaderAt], and they can say which bytes of the image a name, an attribute or a content came from.
//
// A file system knows nothing of the mount tree: Open follows no symbolic link, paths are those of
// io/fs ("boot/vmlinuz", "." for the root). [Resolve] walks links the way a bootloader does; the
// simulated kernel walks its own mount tree.
package fsys

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"bootpath/sim/blob"
)

// FS is a file system of an image. Its files implement [File] when they are regular; every FileInfo's
// Sys() is a [*Stat]. Open, Stat and ReadDir do not follow symbolic links: Open of a link gives a file
// without content, ReadLink gives its target. Errors are [*fs.PathError].
type FS interface {
	fs.ReadDirFS
	fs.StatFS
	fs.ReadLinkFS
	// Info describes the volume.
	Info() Info
}

// Info is what blkid says about a volume.
type Info struct {
	Type  string      // "ext4", "vfat", "iso9660", … as blkid names them
	Label string      // "" when it has none
	UUID  string      // in blkid's spelling: "B007-0E51" for FAT
	Size  int64       // bytes, 0 when unknown
	Cites []blob.Cite // the fields that say so
	Notes []string    // what a reader should know: "journal needs recovery"
}

// Stat is the part of an inode that io/fs has no place for.
type Stat struct {
	Ino        uint64
	Mode       uint32 // as in st_mode: type and permission bits
	UID, GID   uint32
	Nlink      uint32
	Rdev       uint32 // major<<8 | minor for devices
	Cites      []blob.Cite
	Capability []byte // the security.capability attribute, when present
}

// File is an open regular file.
type File interface {
	fs.File
	io.ReaderAt
	blob.Locator
	blob.Sized
}

// st_mode type bits, inode(7).
const (
	S_IFMT   = 0o170000
	S_IFSOCK = 0o140000
	S_IFLNK  = 0o120000
	S_IFREG  = 0o100000
	S_IFBLK  = 0o060000
	S_IFDIR  = 0o040000
	S_IFCHR  = 0o020000
	S_IFIFO  = 0o010000
	S_ISUID  = 0o4000
	S_ISGID  = 0o2000
	S_ISVTX  = 0o1000
)

// Mode turns st_mode into io/fs's form.
func Mode(m uint32) fs.FileMode {
	out := fs.FileMode(m & 0o777)
	switch m & S_IFMT {
	case S_IFDIR:
		out |= fs.ModeDir
	case S_IFLNK:
		out |= fs.ModeSymlink
	case S_IFCHR:
		out |= fs.ModeDevice | fs.ModeCharDevice
	case S_IFBLK:
		out |= fs.ModeDevice
	case S_IFIFO:
		out |= fs.ModeNamedPipe
	case S_IFSOCK:
		out |= fs.ModeSocket
	}
	if m&S_ISUID != 0 {
		out |= fs.ModeSetuid
	}
	if m&S_ISGID != 0 {
		out |= fs.ModeSetgid
	}
	if m&S_ISVTX != 0 {
		out |= fs.ModeSticky
	}
	return out
}

// StatOf returns the *Stat behind a FileInfo; an empty one for file systems of the standard library.
func StatOf(fi fs.FileInfo) *Stat {
	if s, ok := fi.Sys().(*Stat); ok {
		return s
	}
	return &Stat{}
}

// ErrLoop is ELOOP: too many symbolic links.
var ErrLoop = errors.New("too many levels of symbolic links")

// MaxLinks is how many links one walk follows, as Linux's MAXSYMLINKS.
const MaxLinks = 40

// Resolve walks name from the root of f, following every symbolic link inside f, and returns the path of
// the file it ends at, without links. name may be absolute ("/boot/vmlinuz") or not. Links that lead
// above the root stay at the root.
func Resolve(f FS, name string) (string, error) { return resolve(f, name, true) }

// ResolveParent is Resolve that leaves the last component as it is, link or not.
func ResolveParent(f FS, name string) (string, error) { return resolve(f, name, false) }

// Resolver is a file system that knows its own way through links.
type Resolver interface {
	// Resolve is [Resolve]. Its errors are not shown: after one the way is gone again step by step.
	Resolve(name string) (string, error)
}

func resolve(f FS, name string, last bool) (string, error) {
	if r, ok := f.(Resolver); ok && last {
		if real, err := r.Resolve(name); err == nil {
			return real, nil
		}
	}
	rest := split(name)
	var at []string
	links := 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			if len(at) > 0 {
				at = at[:len(at)-1]
			}
			continue
		}
		here := strings.Join(append(at, part), "/")
		fi, err := f.Lstat(here)
		if err != nil {
			return "", err
		}
		if fi.Mode()&fs.ModeSymlink == 0 || (len(rest) == 0 && !last) {
			if len(rest) > 0 && !fi.IsDir() {
				return "", &fs.PathError{Op: "resolve", Path: name, Err: errors.New("not a directory")}
			}
			at = append(at[:len(at):len(at)], part)
			continue
		}
		if links++; links > MaxLinks {
			return "", &fs.PathError{Op: "resolve", Path: name, Err: ErrLoop}
		}
		target, err := f.ReadLink(here)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			at = nil
		}
		rest = append(split(target), rest...)
	}
	if len(at) == 0 {
		return ".", nil
	}
	return strings.Join(at, "/"), nil
}

func split(name string) []string {
	var out []string
	for p := range strings.SplitSeq(name, "/") {
		if p != "" && p != "." {
			out = append(out, p)
		}
	}
	return out
}

// ReadFile reads the whole regular file at name (a path without links, see [Resolve]); a file longer
// than limit bytes is refused.
func ReadFile(f FS, name string, limit int64) ([]byte, error) {
	file, err := OpenFile(f, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return blob.ReadAll(file, limit)
}

// OpenFile opens the regular file at name.
func OpenFile(f FS, name string) (File, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	if r, ok := file.(File); ok {
		return r, nil
	}
	file.Close()
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
}

// Subvolumes is a file system that holds several trees and shows one of them: Btrfs.
type Subvolumes interface {
	FS
	// ID is the number of the tree shown, as subvolid= of a mount names it.
	ID() uint64
	// Place is the path of the tree shown from the top, "." for the top itself.
	Place() (string, error)
	// Select shows what a mount with these options shows, [fs.ErrNotExist] and [fs.ErrInvalid] being
	// mount(2)'s ENOENT and EINVAL.
	Select(options string) (FS, error)
	// Top shows all of the volume, as GRUB does.
	Top() (FS, error)
}

// ErrMissingDevice is what [Subvolumes.Select] says of a volume that lacks one of its devices.
var ErrMissingDevice = errors.New("a device is missing")

// Original is f without the edits of a what-if: what its format says, whatever became of its files.
func Original(f FS) FS {
	for {
		e, ok := f.(interface{ Unwrap() FS })
		if !ok {
			return f
		}
		f = e.Unwrap()
	}
}
