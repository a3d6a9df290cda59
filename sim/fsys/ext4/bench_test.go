package ext4

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/tests/fixture"
)

// BenchmarkWalk mounts a volume and asks every file of it for its attributes. How to read it: the column
// ns/file is what counts. It stays near one value while the files grow tenfold; a column that grows with the
// number of files means that a directory, an inode table or a cache is searched from its start each time.
// bytes/file is what is read of the image, B/op what is kept and thrown away.
//
//	go test ./sim/fsys/ext4 -run '^$' -bench Walk -benchmem
func BenchmarkWalk(b *testing.B) {
	fixture.Tool(b, "mke2fs")
	for _, shape := range []struct {
		name, format string
		sizes        []int // mke2fs itself takes the square of a directory's length
	}{{"spread", "%[2]d/%[1]d", []int{1e3, 1e4, 1e5}}, {"one directory", "all/%[1]d", []int{1e3, 1e4}}} {
		for _, n := range shape.sizes {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) { walkAll(b, n, shape.format) })
		}
	}
}

// walkAll makes a volume of n files, whose names format makes of the number and of its hundreds.
func walkAll(b *testing.B, n int, format string) {
	dir := b.TempDir()
	for i := range n {
		name := filepath.Join(dir, "tree", fmt.Sprintf(format, i, i/100))
		if i%100 == 0 {
			require.NoError(b, os.MkdirAll(filepath.Dir(name), 0o755))
		}
		require.NoError(b, os.WriteFile(name, nil, 0o644))
	}
	fixture.Run(b, dir, "mke2fs", "-q", "-t", "ext4", "-N", fmt.Sprint(n+n/50+1000), "-d", "tree", "volume", fmt.Sprintf("%dK", 20000+n))
	image, err := os.ReadFile(filepath.Join(dir, "volume"))
	require.NoError(b, err)
	vol := fixture.Blob("volume", image)
	r := &counted{ReaderAt: vol}
	for b.Loop() {
		f, err := Open(r, vol.Size())
		require.NoError(b, err)
		seen := 0
		require.NoError(b, fs.WalkDir(f, ".", func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				_, err = d.Info()
				seen++
			}
			return err
		}))
		require.Equal(b, n, seen)
	}
	files := float64(b.N) * float64(n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/files, "ns/file")
	b.ReportMetric(float64(r.bytes)/files, "bytes/file")
}

// counted counts what is read.
type counted struct {
	io.ReaderAt
	bytes int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.bytes += int64(n)
	return n, err
}
