package kernel

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"

	"github.com/stretchr/testify/require"
)

// hostFS shows this machine's files as an image's.
type hostFS struct{}

type hostInfo struct{ fs.FileInfo }

func (i hostInfo) Sys() any {
	st := i.FileInfo.Sys().(*syscall.Stat_t)
	return &fsys.Stat{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Ino: st.Ino}
}

type hostFile struct {
	*os.File
	size int64
}

func (f hostFile) Size() int64                         { return f.size }
func (f hostFile) Locate(off, n int64) []blob.Span     { return nil }
func (hostFS) Info() fsys.Info                         { return fsys.Info{} }
func (hostFS) ReadLink(n string) (string, error)       { return os.Readlink("/" + n) }
func (hostFS) Stat(n string) (fs.FileInfo, error)      { return hostFS{}.Lstat(n) }
func (hostFS) ReadDir(n string) ([]fs.DirEntry, error) { return os.ReadDir("/" + n) }
func (hostFS) Lstat(n string) (fs.FileInfo, error) {
	fi, err := os.Lstat(path.Join("/", n))
	if err != nil {
		return nil, err
	}
	return hostInfo{fi}, nil
}
func (hostFS) Open(n string) (fs.File, error) {
	f, err := os.Open("/" + n)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return hostFile{f, fi.Size()}, nil
}

func hostTask(t *testing.T) *Task {
	task := New(machine.New(), Options{Version: "6.1.0", Arch: runtime.GOARCH}).Init()
	task.Kernel().UnpackRootfs(hostFS{})
	return task
}

var traced = regexp.MustCompile(`(?m)^\t(?:(\S+) => )?(/\S+) \(0x`)

// TestLibrariesAsTheLoaderFindsThem compares with what this machine's own dynamic loader loads.
func TestLibrariesAsTheLoaderFindsThem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	tried := 0
	for _, name := range []string{"sh", "ls", "git", "python3", "gcc", "qemu-img", "mount", "openssl", "perl", "file"} {
		prog, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.Command(prog)
		cmd.Env = []string{"LD_TRACE_LOADED_OBJECTS=1"}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), "=>") {
			continue
		}
		tried++
		task := hostTask(t)
		require.NoError(t, task.Execve(prog, []string{prog}, nil))
		l := task.Load()
		require.False(t, l.Failed, "%s: %s", prog, l.Message)
		var got []string
		m := task.Kernel().Machine()
		for i := range m.Last() + 1 {
			if st := m.Step(i); st.Kind == "process.load-library" {
				got = append(got, st.Args["path"])
			}
		}
		var want []string
		for _, g := range traced.FindAllStringSubmatch(string(out), -1) {
			real, err := filepath.EvalSymlinks(g[2])
			require.NoError(t, err)
			if !strings.HasPrefix(filepath.Base(real), "ld-") {
				want = append(want, real)
			}
		}
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(path.Base(s), "ld-") })
		slices.Sort(got)
		slices.Sort(want)
		require.Equal(t, want, got, prog)
	}
	if tried == 0 {
		t.Skip("no dynamic glibc programs here")
	}
}

// ldconfig lists the cache that it wrote.
func TestCacheAsLdconfigListsIt(t *testing.T) {
	b, err := os.ReadFile("/etc/ld.so.cache")
	tool, lookErr := exec.LookPath("ldconfig")
	if lookErr != nil {
		tool = "/sbin/ldconfig"
	}
	out, runErr := exec.Command(tool, "-p").Output()
	if err != nil || runErr != nil {
		t.Skip("needs ldconfig and its cache")
	}
	var want [][2]string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) \(([^)]*)\) => (\S+)$`).FindAllStringSubmatch(string(out), -1) {
		if !strings.Contains(m[2], "hwcap") {
			want = append(want, [2]string{m[1], m[3]})
		}
	}
	require.NotEmpty(t, want)
	require.Equal(t, want, readCache(b))
}

func FuzzLoaderCache(f *testing.F) {
	f.Add([]byte("glibc-ld.so.cache1.1" + strings.Repeat("\x01\x00\x00\x00", 20)))
	f.Add([]byte("ld.so-1.7.0\x00\xff\xff\xff\xff" + strings.Repeat("\x00", 64)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(readCache(b)); n > len(b)/24 {
			t.Fatalf("%d entries of %d bytes", n, len(b))
		}
	})
}
