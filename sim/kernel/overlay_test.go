package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/machine"
)

// onTmpfs is PID 1 of a machine whose root is empty, with files made below /.
func onTmpfs(t *testing.T, files map[string]string, dirs ...string) *Task {
	p := New(machine.New(), Options{Version: "6.1.0", Arch: "amd64"}).Init()
	for _, d := range dirs {
		require.NoError(t, p.MkdirAll(d, 0o755))
	}
	for name, content := range files {
		require.NoError(t, p.WriteFile(name, []byte(content), 0o644))
	}
	return p
}

func TestOverlay(t *testing.T) {
	p := onTmpfs(t, map[string]string{"/a/etc/one": "a", "/a/both": "a", "/b/both": "b", "/up/rw/new": "up"}, "/a/etc", "/b", "/up/rw", "/up/work", "/mnt")
	require.NoError(t, p.Symlink("etc/one", "/a/link"))
	require.NoError(t, p.Mount("overlay", "/mnt", "overlay", 0, "lowerdir=/b:/a,upperdir=/up/rw,workdir=/up/work,redirect_dir=on"))
	for name, want := range map[string]string{"/mnt/etc/one": "a", "/mnt/both": "b", "/mnt/new": "up", "/mnt/link": "a"} {
		got, err := p.ReadFile(name)
		require.NoError(t, err, name)
		require.Equal(t, want, string(got), name)
	}
	list, err := p.ReadDir("/mnt")
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"both", "etc", "link", "new"}, names)

	require.NoError(t, p.WriteFile("/mnt/both", []byte("changed"), 0o644))
	got, _ := p.ReadFile("/b/both")
	require.Equal(t, "b", string(got), "a lower directory does not change")
	require.NoError(t, p.Unlink("/mnt/etc/one"))
	_, err = p.Stat("/mnt/etc/one")
	require.Equal(t, ENOENT, err)
}

func TestOverlayWithoutAnUpperDirectoryIsReadOnly(t *testing.T) {
	p := onTmpfs(t, map[string]string{"/a/f": "a"}, "/a", "/b", "/mnt")
	require.NoError(t, p.Mount("overlay", "/mnt", "overlay", 0, "lowerdir=/a:/b"))
	require.Equal(t, EROFS, p.WriteFile("/mnt/f", nil, 0o644))
}

func TestOverlaysOnOverlaysAreLimited(t *testing.T) {
	p := onTmpfs(t, nil, "/a", "/mnt")
	require.NoError(t, p.Mount("overlay", "/mnt", "overlay", 0, "lowerdir=/a"))
	require.NoError(t, p.Mount("overlay", "/mnt", "overlay", 0, "lowerdir=/mnt"))
	require.Equal(t, EINVAL, p.Mount("overlay", "/mnt", "overlay", 0, "lowerdir=/mnt"))
	require.Equal(t, "overlayfs: maximum fs stacking depth exceeded", p.k.Refusal())
}

func TestOverlayIsRefused(t *testing.T) {
	for _, c := range []struct {
		data, said string
		errno      Errno
	}{
		{"", "overlayfs: missing 'lowerdir'", EINVAL},
		{"lowerdir=/a,upperdir=/up/rw", "overlayfs: missing 'workdir'", EINVAL},
		{"lowerdir=/a" + strings.Repeat(":/a", 500), "overlayfs: too many lower directories, limit is 500", EINVAL},
		{"lowerdir=/no", "overlayfs: failed to resolve '/no': -2", ENOENT},
		{"lowerdir=/a/f", "overlayfs: '/a/f' not a directory", EINVAL},
		{"lowerdir=/a,size=1", `overlayfs: unrecognized mount option "size=1" or missing value`, EINVAL},
		{"lowerdir=/a,upperdir=/up/rw,workdir=/up/rw/w", "overlayfs: workdir and upperdir must be separate subtrees", EINVAL},
		{"lowerdir=/a,upperdir=/up/rw,workdir=/tmp", "overlayfs: workdir and upperdir must reside under the same mount", EINVAL},
	} {
		p := onTmpfs(t, map[string]string{"/a/f": ""}, "/a", "/up/rw/w", "/up/work", "/tmp", "/mnt")
		require.NoError(t, p.Mount("tmpfs", "/tmp", "tmpfs", 0, ""))
		require.Equal(t, c.errno, p.Mount("overlay", "/mnt", "overlay", 0, c.data), c.data)
		require.Equal(t, c.said, p.k.Refusal())
		require.Empty(t, p.k.Refusal())
	}
}
