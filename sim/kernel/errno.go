package kernel

import "strings"

// Errno is an error number of Linux.
type Errno int

// The numbers of asm-generic/errno-base.h and errno.h that the calls here answer with.
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2
	ESRCH        Errno = 3
	EIO          Errno = 5
	ENXIO        Errno = 6
	E2BIG        Errno = 7
	ENOEXEC      Errno = 8
	EBADF        Errno = 9
	EAGAIN       Errno = 11
	ENOMEM       Errno = 12
	EACCES       Errno = 13
	ENOTBLK      Errno = 15
	EBUSY        Errno = 16
	EEXIST       Errno = 17
	EXDEV        Errno = 18
	ENODEV       Errno = 19
	ENOTDIR      Errno = 20
	EISDIR       Errno = 21
	EINVAL       Errno = 22
	ETXTBSY      Errno = 26
	ENOSPC       Errno = 28
	EROFS        Errno = 30
	ENAMETOOLONG Errno = 36
	ENOSYS       Errno = 38
	ENOTEMPTY    Errno = 39
	ELOOP        Errno = 40
	ELIBBAD      Errno = 80
	EUSERS       Errno = 87
	EOPNOTSUPP   Errno = 95
)

// errnoTable gives each number's name and the text of glibc's strerror.
func errnoTable(e Errno) (name, text string) {
	switch e {
	case EPERM:
		return "EPERM", "Operation not permitted"
	case ENOENT:
		return "ENOENT", "No such file or directory"
	case ESRCH:
		return "ESRCH", "No such process"
	case EIO:
		return "EIO", "Input/output error"
	case ENXIO:
		return "ENXIO", "No such device or address"
	case E2BIG:
		return "E2BIG", "Argument list too long"
	case ENOEXEC:
		return "ENOEXEC", "Exec format error"
	case EBADF:
		return "EBADF", "Bad file descriptor"
	case EAGAIN:
		return "EAGAIN", "Resource temporarily unavailable"
	case ENOMEM:
		return "ENOMEM", "Cannot allocate memory"
	case EACCES:
		return "EACCES", "Permission denied"
	case ENOTBLK:
		return "ENOTBLK", "Block device required"
	case EBUSY:
		return "EBUSY", "Device or resource busy"
	case EEXIST:
		return "EEXIST", "File exists"
	case EXDEV:
		return "EXDEV", "Invalid cross-device link"
	case ENODEV:
		return "ENODEV", "No such device"
	case ENOTDIR:
		return "ENOTDIR", "Not a directory"
	case EISDIR:
		return "EISDIR", "Is a directory"
	case EINVAL:
		return "EINVAL", "Invalid argument"
	case ETXTBSY:
		return "ETXTBSY", "Text file busy"
	case ENOSPC:
		return "ENOSPC", "No space left on device"
	case EROFS:
		return "EROFS", "Read-only file system"
	case ENAMETOOLONG:
		return "ENAMETOOLONG", "File name too long"
	case ENOSYS:
		return "ENOSYS", "Function not implemented"
	case ENOTEMPTY:
		return "ENOTEMPTY", "Directory not empty"
	case ELOOP:
		return "ELOOP", "Too many levels of symbolic links"
	case ELIBBAD:
		return "ELIBBAD", "Accessing a corrupted shared library"
	case EUSERS:
		return "EUSERS", "Too many users"
	case EOPNOTSUPP:
		return "EOPNOTSUPP", "Operation not supported"
	}
	return "E?", "Unknown error"
}

// Name is the constant's name: "ENOENT".
func (e Errno) Name() string { n, _ := errnoTable(e); return n }

// Strerror is the text of C programs: "No such file or directory".
func (e Errno) Strerror() string { _, s := errnoTable(e); return s }

// Error is the text of Go programs, which is the same in lower case: "no such file or directory".
func (e Errno) Error() string { return strings.ToLower(e.Strerror()) }
