package iso9660

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/tests/fixture"
)

func notes(t *testing.T, data []byte) string {
	b := fixture.Blob("iso", data)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return strings.Join(f.Info().Notes, "\n")
}

func readFile(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func TestXorrisosSessionsAreNamed(t *testing.T) {
	fixture.Tool(t, "xorriso")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "one"), []byte("one"), 0o644))
	add := func(option, label, name string) []byte {
		fixture.Run(t, dir, "xorriso", option, "s.iso", "-volid", label, "-map", "one", name, "-commit")
		return readFile(t, filepath.Join(dir, "s.iso"))
	}
	require.Empty(t, notes(t, add("-outdev", "FIRST", "/one")))
	require.Contains(t, notes(t, add("-dev", "SECOND", "/two")), "2 sessions, block 16 describes the last")
	third := add("-dev", "THIRD", "/three")
	require.Contains(t, notes(t, third), "3 sessions")
	b := fixture.Blob("iso", third)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, "THIRD", f.Info().Label)
	for _, name := range []string{"one", "two", "three"} {
		_, err := f.Stat(name)
		require.NoError(t, err, name)
	}
}

func TestAppendedSessionsAreNamed(t *testing.T) {
	fixture.Tool(t, "genisoimage")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "one"), []byte("one"), 0o644))
	fixture.Run(t, dir, "genisoimage", "-quiet", "-R", "-V", "FIRST", "-o", "first.iso", "one")
	first := readFile(t, filepath.Join(dir, "first.iso"))
	require.Empty(t, notes(t, first))
	first = append(first, make([]byte, -len(first)&(appendedAlign*sectorSize-1))...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "two"), []byte("two"), 0o644))
	fixture.Run(t, dir, "genisoimage", "-quiet", "-R", "-V", "SECOND", "-C", "0,"+strconv.Itoa(len(first)/sectorSize), "-M", "first.iso", "-o", "second.iso", "two")
	both := append(first, readFile(t, filepath.Join(dir, "second.iso"))...)
	require.Contains(t, notes(t, both), "2 sessions, shown is the first")
}
