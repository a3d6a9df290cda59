package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"bootpath/sim/machine"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripts are lists of calls, each list run in a mount namespace of its own, on this machine's kernel and on
// the simulated one. $ is an empty tmpfs. The answers are the kernel's; nothing is written down here.
var scripts = map[string][]string{
	"pivot_root": {
		"pivot $/none $/none/old", "mkdir $/new", "mkdir $/new/old", "mkdir $/other", "write $/f",
		"pivot $/new $/new/old", "pivot / /", "pivot $/new /", "pivot $/f $/new", "pivot $/new $/f", "pivot $/f/x $/new",
		"mount tmpfs $/new tmpfs 0", "pivot $/new $/other", "mkdir $/new/old", "propagation $/new shared", "pivot $/new $/new/old",
		"propagation $/new private", "propagation $ shared", "pivot $/new $/new/old", "propagation $ private",
		"pivot $/new/old $/new/old", "pivot $/new $/new/old", "stat /old", "stat /old/proc", "pwd", "umount /old 0", "umount /old detach", "stat /old/proc",
		"pivot / /", "umount / 0", "chdir /old",
	},
	"pivot_root onto itself": {
		"mkdir $/root", "mkdir $/root/proc", "bind $/root $/root", "chdir $/root", "pivot . .", "stat proc", "umount . detach", "chdir /", "stat /proc", "mkdir /x", "stat ..", "pwd",
	},
	"pivot_root after chroot":                  {"mkdir $/a", "mkdir $/a/b", "chroot $/a", "chdir /", "mount tmpfs /b tmpfs 0", "mkdir /b/old", "pivot /b /b/old"},
	"pivot_root into a chroot that is a mount": {"mount tmpfs $ tmpfs 0", "mkdir $/b", "chroot $", "chdir /", "mount tmpfs /b tmpfs 0", "mkdir /b/old", "pivot /b /b/old", "stat /old"},
	"mount": {
		"mount tmpfs $/none tmpfs 0", "write $/f", "mkdir $/d", "mount tmpfs $/f tmpfs 0", "mount tmpfs $/f/x tmpfs 0", "bind $/d $/f", "bind $/f $/d", "bind $/none $/d", "bind $/d $/none",
		"mount none $/d nosuchfs 0", "remount $/d ro", "propagation $/d private", "propagation $ private,shared", "bind $/f $/f",
		"umount $/d 0", "umount $/none 0", "umount $/f 0", "umount $/f 0", "mount tmpfs $/d tmpfs 0", "mkdir $/d/e", "mount tmpfs $/d/e tmpfs 0", "umount $/d 0",
		"umount $/d/e 0", "chdir $/d", "umount $/d 0", "chdir $", "umount $/d 0", "mount tmpfs $/d tmpfs 0", "umount $/d detach",
		"mount tmpfs $/d tmpfs 0", "mount tmpfs $/d tmpfs 0", "umount $/d 0", "umount $/d 0", "umount $/d 0",
		"mount tmpfs $/d/ tmpfs 0", "mkdir $/d/x", "rmdir $/d", "remount $/d ro", "mkdir $/d/y", "rmdir $/d/x", "write $/d/z", "remount $/d rw", "mkdir $/d/y",
	},
	"bind of an unbindable mount": {"mkdir $/a", "mkdir $/b", "mount tmpfs $/a tmpfs 0", "propagation $/a unbindable", "bind $/a $/b", "propagation $/a private", "bind $/a $/b"},
	"move": {
		"mkdir $/a", "mkdir $/b", "write $/f", "move $/a $/b", "mount tmpfs $/a tmpfs 0", "mkdir $/a/c", "move $/a $/a/c", "move $/a $/a", "move $/a $/f", "move $/none $/b",
		"move $/a $/b", "stat $/b/c", "stat $/a/c", "propagation $ shared", "move $/b $/a", "propagation $ private", "move $/b $/a", "stat $/a/c", "move / $/b",
	},
	"recursive bind": {
		"mkdir $/a", "mkdir $/b", "mkdir $/c", "mount tmpfs $/a tmpfs 0", "mkdir $/a/x", "mount tmpfs $/a/x tmpfs 0", "write $/a/x/f",
		"bind $/a $/b", "stat $/b/x/f", "rbind $/a $/c", "stat $/c/x/f", "umount $/c 0", "umount $/c/x 0", "umount $/c 0", "stat $/a/x/f",
	},
	"shared": {
		"mkdir $/a", "mkdir $/b", "mount tmpfs $/a tmpfs 0", "propagation $/a shared", "mkdir $/a/x", "bind $/a $/b", "mount tmpfs $/a/x tmpfs 0", "write $/a/x/f", "stat $/b/x/f",
		"umount $/b/x 0", "stat $/a/x/f", "propagation $/b slave", "mount tmpfs $/a/x tmpfs 0", "write $/a/x/f", "stat $/b/x/f", "umount $/a/x 0", "stat $/b/x/f",
		"mount tmpfs $/b/x tmpfs 0", "write $/b/x/g", "stat $/a/x/g", "propagation $/b private", "umount $/b/x 0", "mount tmpfs $/a/x tmpfs 0", "write $/a/x/f", "stat $/b/x/f",
	},
	"names": {
		"mkdir $/d", "mkdir $/d", "mkdir $/d/", "mkdir $/n/m", "write $/f", "mkdir $/f/x", "mkdir $/new/", "mkdir $/d/.", "mkdir $/d/..", "mkdir /",
		"symlink nowhere $/l", "mkdir $/l", "symlink nowhere $/l", "stat $/l", "symlink l2 $/l1", "symlink l1 $/l2", "stat $/l1", "mkdir $/l1/x", "stat $/l1/", "stat $/f/", "stat $/f/.", "stat $/f/..",
		"symlink d $/ld", "mkdir $/ld/in", "stat $/d/in", "rmdir $/ld", "rmdir $/ld/", "rmdir $/d/.", "rmdir $/d/..", "rmdir /", "unlink $/d/.", "unlink $/d/..", "unlink /", "unlink $/d/", "unlink $/f/", "unlink $/none/", "rmdir $/none/", "rmdir $/d", "unlink $/d", "rmdir $/f", "unlink $/ld/", "unlink $/ld", "rmdir $/d/in", "rmdir $/d", "stat $/d", "unlink $/none", "unlink $/f/x",
		"symlink $/x/../f $/ldots", "stat $/ldots", "mkdir $/x", "stat $/ldots", "stat /../../$/f", "chdir $/f", "chdir $/x", "stat .", "stat ..", "stat ../f", "chdir ", "chroot $/f", "chroot $/none",
		"chroot $/x", "stat /f", "stat ..", "stat ../f", "pwd", "chdir /", "stat ../f",
		"mkdir " + strings.Repeat("n", 255), "mkdir " + strings.Repeat("n", 256), "stat " + strings.Repeat("n", 256) + "/x", "stat " + strings.Repeat("./", 2050),
	},
}

const scriptEnv = "BOOTPATH_TEST_SCRIPT"

func TestMain(m *testing.M) {
	if name := os.Getenv(scriptEnv); name != "" {
		runReal(name, os.Args[len(os.Args)-1])
		return
	}
	os.Exit(m.Run())
}

// runReal is the child in its own mount namespace.
func runReal(name, dir string) {
	runtime.LockOSThread()
	must := func(err error) {
		if err != nil {
			fmt.Println("setup:", err)
			os.Exit(3)
		}
	}
	must(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	must(os.Chdir(dir))
	for _, line := range scripts[name] {
		fmt.Println(answer(realCall(strings.Split(strings.ReplaceAll(line, "$", dir), " "))))
	}
}

func answer(err error) string {
	var e syscall.Errno
	var k Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &k):
		return k.Name()
	case errors.As(err, &e):
		return Errno(e).Name()
	}
	return err.Error()
}

func propagationFlags(names string) uintptr {
	var f uintptr
	for n := range strings.SplitSeq(names, ",") {
		f |= map[string]uintptr{"private": syscall.MS_PRIVATE, "shared": syscall.MS_SHARED, "slave": syscall.MS_SLAVE, "unbindable": syscall.MS_UNBINDABLE}[n]
	}
	return f
}

func realCall(f []string) error {
	switch f[0] {
	case "mount":
		return syscall.Mount(f[1], f[2], f[3], 0, "")
	case "bind":
		return syscall.Mount(f[1], f[2], "", syscall.MS_BIND, "")
	case "rbind":
		return syscall.Mount(f[1], f[2], "", syscall.MS_BIND|syscall.MS_REC, "")
	case "remount":
		flags := uintptr(syscall.MS_BIND | syscall.MS_REMOUNT)
		if f[2] == "ro" {
			flags |= syscall.MS_RDONLY
		}
		return syscall.Mount("", f[1], "", flags, "")
	case "propagation":
		return syscall.Mount("", f[1], "", propagationFlags(f[2]), "")
	case "move":
		return syscall.Mount(f[1], f[2], "", syscall.MS_MOVE, "")
	case "umount":
		flags := 0
		if f[2] == "detach" {
			flags = syscall.MNT_DETACH
		}
		return syscall.Unmount(f[1], flags)
	case "pivot":
		return syscall.PivotRoot(f[1], f[2])
	case "mkdir":
		return syscall.Mkdir(f[1], 0o755)
	case "write":
		fd, err := syscall.Open(f[1], syscall.O_CREAT|syscall.O_TRUNC|syscall.O_WRONLY, 0o644)
		if err == nil {
			syscall.Close(fd)
		}
		return err
	case "rmdir":
		return syscall.Rmdir(f[1])
	case "unlink":
		return syscall.Unlink(f[1])
	case "symlink":
		return syscall.Symlink(f[1], f[2])
	case "stat":
		var st syscall.Stat_t
		return syscall.Stat(f[1], &st)
	case "chdir":
		return syscall.Chdir(f[1])
	case "chroot":
		return syscall.Chroot(f[1])
	case "pwd":
		wd, err := os.Getwd()
		if err != nil {
			return err
		}
		return errors.New(wd)
	}
	return errors.New("unknown call " + f[0])
}

func simCall(t *Task, f []string) error {
	switch f[0] {
	case "mount":
		return t.Mount(f[1], f[2], f[3], 0, "")
	case "bind":
		return t.Mount(f[1], f[2], "", MS_BIND, "")
	case "rbind":
		return t.Mount(f[1], f[2], "", MS_BIND|MS_REC, "")
	case "remount":
		flags := MS_BIND | MS_REMOUNT
		if f[2] == "ro" {
			flags |= MS_RDONLY
		}
		return t.Mount("", f[1], "", flags, "")
	case "propagation":
		return t.Mount("", f[1], "", MountFlags(propagationFlags(f[2])), "")
	case "move":
		return t.MoveMount(f[1], f[2])
	case "umount":
		return t.Umount(f[1], map[string]UmountFlags{"detach": MNT_DETACH}[f[2]])
	case "pivot":
		return t.PivotRoot(f[1], f[2])
	case "mkdir":
		return t.Mkdir(f[1], 0o755)
	case "write":
		return t.WriteFile(f[1], nil, 0o644)
	case "rmdir":
		return t.Rmdir(f[1])
	case "unlink":
		return t.Unlink(f[1])
	case "symlink":
		return t.Symlink(f[1], f[2])
	case "stat":
		_, err := t.Stat(f[1])
		return err
	case "chdir":
		return t.Chdir(f[1])
	case "chroot":
		return t.Chroot(f[1])
	case "pwd":
		return errors.New(t.Cwd())
	}
	return errors.New("unknown call " + f[0])
}

// onHost is a task whose root is mounted over rootfs, as on every machine that has started.
func onHost(t *testing.T) *Task {
	task := New(machine.New(), Options{Version: "6.1.0", Arch: "amd64"}).Init()
	require.NoError(t, task.Mkdir("/root", 0o755))
	require.NoError(t, task.MountFS(nil, "/root", "/dev/vda1", "ext4", ""))
	require.NoError(t, task.Chdir("/root"))
	require.NoError(t, task.MoveMount(".", "/"))
	require.NoError(t, task.Chroot("."))
	require.NoError(t, task.Mkdir("/proc", 0o755))
	require.NoError(t, task.Mount("proc", "/proc", "proc", 0, ""))
	return task
}

func TestMountCallsAsLinuxAnswers(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, for mount namespaces of its own")
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "mounts")
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			cmd := exec.Command(os.Args[0], dir)
			cmd.Env = append(os.Environ(), scriptEnv+"="+name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			out, err := cmd.Output()
			if err != nil {
				t.Skipf("unshare -m: %v %s", err, out)
			}
			want := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Len(t, want, len(script))

			task := onHost(t)
			require.NoError(t, task.MkdirAll(dir, 0o755))
			require.NoError(t, task.Mount("tmpfs", dir, "tmpfs", 0, ""))
			require.NoError(t, task.Chdir(dir))
			for i, line := range script {
				got := answer(simCall(task, strings.Split(strings.ReplaceAll(line, "$", dir), " ")))
				assert.Equal(t, want[i], got, "%d: %.80s", i, line)
			}
		})
	}
}
