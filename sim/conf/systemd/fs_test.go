package systemd

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// memFS is a file system in memory whose files are blobs of their own.
type memFS struct{ fstest.MapFS }

func (m memFS) Info() fsys.Info { return fsys.Info{Type: "mem"} }

func (m memFS) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	if e := m.MapFS[name]; e != nil && e.Mode.IsRegular() {
		return memFile{f, blob.New(name, bytes.NewReader(e.Data), int64(len(e.Data)), nil)}, nil
	}
	return f, nil
}

type memFile struct {
	fs.File
	*blob.Blob
}

// tree builds a file system from path → content; a content "-> x" is a symbolic link, a trailing "*"
// in the path makes the file executable.
func tree(files map[string]string) memFS {
	m := fstest.MapFS{}
	for p, text := range files {
		e := &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		if len(text) > 3 && text[:3] == "-> " {
			e = &fstest.MapFile{Data: []byte(text[3:]), Mode: fs.ModeSymlink | 0o777}
		}
		if p[len(p)-1] == '*' {
			p, e.Mode = p[:len(p)-1], 0o755
		}
		m[p] = e
	}
	return memFS{m}
}

// edited lays files over a file system.
type edited struct {
	fsys.FS
	over memFS
}

func (e edited) Open(name string) (fs.File, error) {
	if e.over.MapFS[name] != nil {
		return e.over.Open(name)
	}
	return e.FS.Open(name)
}

func (e edited) Lstat(name string) (fs.FileInfo, error) {
	if e.over.MapFS[name] != nil {
		return e.over.Lstat(name)
	}
	return e.FS.Lstat(name)
}

// truthDir is the directory of recordings; the test is skipped without it.
func truthDir(t *testing.T) string {
	dir := os.Getenv("BOOTPATH_TRUTH")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "../../../../shared/truth")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no recordings: set BOOTPATH_TRUTH")
	}
	return dir
}

// labRoot is the root file system that the recordings were made with.
func labRoot(t *testing.T) fsys.FS {
	lab := os.Getenv("BOOTPATH_LAB")
	f, err := os.Open(filepath.Join(lab, "build/base-systemd.tar"))
	if lab == "" || err != nil {
		t.Skip("no rebuilt images: set BOOTPATH_LAB")
	}
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	root, err := tarfs.Open(blob.New("base-systemd.tar", f, fi.Size(), nil))
	require.NoError(t, err)
	return root
}
