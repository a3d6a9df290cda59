package oci_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/union"
	"bootpath/sim/oci"
)

// truth is the folder with recordings of real tools; tests that compare with it skip without it.
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

func openFile(t testing.TB, name string) (*blob.Store, *blob.Blob) {
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	s := blob.NewStore()
	return s, s.Add(filepath.Base(name), f, fi.Size(), nil)
}

func open(t testing.TB, name string) *oci.Archive {
	a, err := oci.Open(openFile(t, name))
	require.NoError(t, err)
	return a
}

type facts struct {
	ManifestDigest, ConfigDigest string
	Architecture                 string
	OS                           string
	Config                       struct {
		Entrypoint, Cmd, Env []string
		User, WorkingDir     string
	}
	Layers []struct {
		MediaType, Digest, DiffID string
		Size                      int64
	}
}

func TestFactsThatSkopeoAndUmociReport(t *testing.T) {
	dir := filepath.Join(truth(t), "container")
	for _, name := range []string{"busybox", "cases", "hello", "hello-arm64"} {
		raw, err := os.ReadFile(filepath.Join(dir, "facts", name+".json"))
		require.NoError(t, err)
		var want facts
		require.NoError(t, json.Unmarshal(raw, &want))
		for _, form := range []string{"oci", "docker", "zstd.oci"} {
			file := filepath.Join(dir, "images", name+"."+form+".tar")
			if _, err := os.Stat(file); err != nil {
				continue
			}
			t.Run(name+"."+form, func(t *testing.T) {
				a := open(t, file)
				require.Len(t, a.Images, 1)
				require.Empty(t, a.Notes)
				im := &a.Images[0]
				require.Equal(t, want.ConfigDigest, im.ConfigDigest)
				require.Equal(t, want.OS+"/"+want.Architecture, im.Platform)
				require.Equal(t, want.Config.Cmd, im.Config.Config.Cmd)
				require.Equal(t, want.Config.Env, im.Config.Config.Env)
				require.Len(t, im.Layers, len(want.Layers))
				for i := range im.Layers {
					l := &im.Layers[i]
					require.Equal(t, want.Layers[i].DiffID, l.DiffID)
					if form == "oci" {
						require.Equal(t, want.Layers[i].Digest, l.Digest)
						require.Equal(t, want.Layers[i].Size, l.Size)
						require.Equal(t, want.Layers[i].MediaType, l.MediaType)
						require.Equal(t, want.ManifestDigest, im.ManifestDigest)
					}
					require.NoError(t, l.Verify())
				}
				root, err := im.RootFS()
				require.NoError(t, err)
				sameLines(t, readTSV(t, filepath.Join(dir, "facts", name+".files.tsv.gz")), listTree(t, root))
			})
		}
	}
}

// sameLines compares line by line, so that a failure shows the line.
func sameLines(t *testing.T, want, got []string) {
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i])
	}
	require.Len(t, got, len(want))
}

// leftovers are in the recorded tree of "cases" because containers had run in it; no layer has them.
var leftovers = []string{"newfile", "srv", "srv/none"}

// readTSV reads path, type, mode, uid, gid, size, link target, links of the merged tree as umoci unpacks it.
func readTSV(t *testing.T, name string) []string {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var out []string
	for s := bufio.NewScanner(z); s.Scan(); {
		c := strings.Split(s.Text(), "\t")
		if slices.Contains(leftovers, c[0]) {
			continue
		}
		require.Len(t, c, 9, s.Text())
		if c[1] == "d" {
			c[5] = "0"
		}
		if c[1] == "l" {
			c[2] = "0777"
		}
		// No times: those of directories are when the recording unpacked.
		out = append(out, strings.Join([]string{c[0], c[1], c[2], c[3], c[4], c[5], c[7], c[8]}, " "))
	}
	return out
}

func listTree(t *testing.T, root fsys.FS) []string {
	var out []string
	require.NoError(t, fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if p == "." {
			return nil
		}
		fi, err := d.Info()
		require.NoError(t, err)
		s := fsys.StatOf(fi)
		kind, target := "f", ""
		switch fi.Mode().Type() {
		case fs.ModeDir:
			kind = "d"
		case fs.ModeSymlink:
			kind = "l"
			target, err = root.ReadLink(p)
			require.NoError(t, err)
		case fs.ModeNamedPipe:
			kind = "p"
		case fs.ModeDevice | fs.ModeCharDevice:
			kind = "c"
		case fs.ModeDevice:
			kind = "b"
		}
		out = append(out, fmt.Sprintf("%s %s 0%03o %d %d %d %s %d", p, kind, s.Mode&0o7777, s.UID, s.GID, fi.Size(), target, s.Nlink))
		return nil
	}))
	return out
}

func TestWholeTreesPassTestFS(t *testing.T) {
	im := &open(t, filepath.Join(truth(t), "container", "images", "cases.oci.tar")).Images[0]
	root, err := im.RootFS()
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(root, "bin/busybox", "x/loop1", "data/null"))
	tree, err := im.Layers[1].FS()
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(tree, "x/hello"))
	edited := union.Edit(root, []string{"x", "bin/sh"}, map[string][]byte{"etc/passwd": []byte("root\n"), "a/b": nil})
	require.NoError(t, fstest.TestFS(edited, "etc/passwd", "a/b"))
}
