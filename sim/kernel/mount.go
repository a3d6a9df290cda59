package kernel

import "bootpath/sim/fsys"

// MountFlags are the flags of mount(2).
type MountFlags uint64

const (
	MS_RDONLY      MountFlags = 1
	MS_NOSUID      MountFlags = 2
	MS_NODEV       MountFlags = 4
	MS_NOEXEC      MountFlags = 8
	MS_SYNCHRONOUS MountFlags = 16
	MS_REMOUNT     MountFlags = 32
	MS_NOATIME     MountFlags = 1024
	MS_NODIRATIME  MountFlags = 2048
	MS_BIND        MountFlags = 4096
	MS_MOVE        MountFlags = 8192
	MS_REC         MountFlags = 16384
	MS_SILENT      MountFlags = 32768
	MS_PRIVATE     MountFlags = 1 << 18
	MS_SLAVE       MountFlags = 1 << 19
	MS_SHARED      MountFlags = 1 << 20
	MS_RELATIME    MountFlags = 1 << 21
	MS_STRICTATIME MountFlags = 1 << 24
)

// UmountFlags are the flags of umount2(2).
type UmountFlags uint64

const (
	MNT_FORCE       UmountFlags = 1
	MNT_DETACH      UmountFlags = 2
	UMOUNT_NOFOLLOW UmountFlags = 8
)

// Mount is mount(2). A block device ("/dev/vda1") must have been registered with [Kernel.AddDevice].
func (t *Task) Mount(src, dst, fstype string, f MountFlags, data string) error { return ENOSYS }

// MountFS mounts a tree that no device stands behind: an overlay of layers, an image's root.
// options are as in /proc/mounts: "ro,nosuid,…".
func (t *Task) MountFS(f fsys.FS, dst, source, fstype, options string) error { return ENOSYS }

// Umount is umount2(2).
func (t *Task) Umount(path string, f UmountFlags) error { return ENOSYS }

// MoveMount is mount(2) with MS_MOVE.
func (t *Task) MoveMount(src, dst string) error { return t.Mount(src, dst, "", MS_MOVE, "") }

// PivotRoot is pivot_root(2).
func (t *Task) PivotRoot(newRoot, putOld string) error { return ENOSYS }

// Chroot is chroot(2).
func (t *Task) Chroot(path string) error { return ENOSYS }

// Chdir is chdir(2).
func (t *Task) Chdir(path string) error { return ENOSYS }
