package archive_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/archive"
	"bootpath/sim/blob"
	"bootpath/sim/oci"
)

func openFile(t testing.TB, name string) (*blob.Store, *blob.Blob) {
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	s := blob.NewStore()
	return s, s.Add(filepath.Base(name), f, fi.Size(), nil)
}

// packed runs a command that reads the file on standard input and keeps what it writes.
func packed(t *testing.T, from, to, name string, args ...string) string {
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("no ", name)
	}
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), to))
	require.NoError(t, err)
	defer out.Close()
	c := exec.Command(name, args...)
	c.Stdin, c.Stdout = in, out
	require.NoError(t, c.Run())
	return out.Name()
}

func truth(t *testing.T) string {
	dir := os.Getenv("BOOTPATH_TRUTH")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "truth")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no recordings: ", err)
	}
	return dir
}

func TestDockerSaveThroughAnyCompressor(t *testing.T) {
	image := filepath.Join(truth(t), "container", "images", "busybox.docker.tar")
	for name, want := range map[string]string{"gzip": "gzip", "xz": "xz", "zstd": "zstd", "bzip2": "bzip2", "lz4": "lz4"} {
		t.Run(name, func(t *testing.T) {
			store, in := openFile(t, packed(t, image, "busybox.docker.tar."+name, name, "-c"))
			res, err := archive.Unwrap(store, in)
			require.NoError(t, err)
			require.Equal(t, []string{want}, res.Formats)
			a, err := oci.Open(store, res.Blob)
			require.NoError(t, err)
			require.Equal(t, []string{"docker.io/library/busybox:1"}, a.Images[0].Refs)
			require.NoError(t, a.Images[0].Layers[0].Verify())
		})
	}
}
