package oci_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/oci"
)

// stackOf opens an image whose layers hold the given files: "path=content", "path/", "link->target".
func stackOf(t testing.TB, layers ...[]string) (*oci.Image, *oci.Stack) {
	var tars [][]byte
	for _, files := range layers {
		tars = append(tars, entriesTar(t, files))
	}
	a, _, err := openBytes(dockerTar(t, tars...))
	require.NoError(t, err)
	s, err := a.Images[0].Stack()
	require.NoError(t, err)
	return &a.Images[0], s
}

// dockerTar packs layers as docker save does.
func dockerTar(t testing.TB, layers ...[]byte) []byte {
	var names []string
	var files []string
	config := v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}}
	for i, l := range layers {
		name := fmt.Sprintf("%d/layer.tar", i)
		h, _, err := v1.SHA256(bytes.NewReader(l))
		require.NoError(t, err)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, h)
		names, files = append(names, name), append(files, name, string(l))
	}
	raw, err := json.Marshal(config)
	require.NoError(t, err)
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"a:b"}, "Layers": names}})
	require.NoError(t, err)
	return tarOf(t, append(files, "config.json", string(raw), "manifest.json", string(manifest))...)
}

func entriesTar(t testing.TB, files []string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f, Mode: 0o755, Typeflag: tar.TypeDir}
		name, content, isFile := strings.Cut(f, "=")
		link, target, isLink := strings.Cut(f, "->")
		switch {
		case isLink:
			h = &tar.Header{Name: link, Linkname: target, Typeflag: tar.TypeLink}
		case isFile:
			h = &tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}
		}
		if w.WriteHeader(h) != nil { // a name that the fuzzer made and no writer would
			continue
		}
		if isFile {
			_, err := w.Write([]byte(content))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWhatLayersDoToEachOther(t *testing.T) {
	_, s := stackOf(t,
		[]string{"etc/", "etc/a=aaaa", "etc/b=bb", "var/", "var/cache/", "var/cache/x=12345678", "var/cache/y=1", "bin=old"},
		[]string{"etc/", "etc/a=AAAAAA", "etc/.wh.b=", "etc/c=new", "etc/hard->etc/c"},
		[]string{"var/", "var/.wh.cache=", "bin/", "bin/sh=#!"},
		[]string{"etc/.wh..wh..opq=", "etc/a=a"},
	)
	require.Equal(t, 4, len(s.Layers))
	l := s.Layers
	require.Equal(t, []int{5, 0, 0}, []int{l[0].Added, l[0].Changed, l[0].Removed})
	require.Equal(t, 5, l[0].HiddenFiles)
	require.Equal(t, []int{2, 1, 1}, []int{l[1].Added, l[1].Changed, l[1].Removed})
	require.Equal(t, int64(2), l[1].RemovedBytes)
	require.Equal(t, []int{1, 0, 3}, []int{l[2].Added, l[2].Changed, l[2].Removed}, "the cache and the file that a directory replaced")
	require.Equal(t, []int{0, 1, 2}, []int{l[3].Added, l[3].Changed, l[3].Removed}, "an opaque directory hides all below it")

	names, total, err := s.List("etc", 0, 10)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Equal(t, []bool{false, true, true, true}, []bool{names[0].Gone(), names[1].Gone(), names[2].Gone(), names[3].Gone()})
	require.Equal(t, []int{3, 1, 0}, []int{names[0].Copies[0].Layer, names[0].Copies[1].Layer, names[0].Copies[2].Layer})
	require.Equal(t, "opaque", names[0].Copies[1].How)
	require.Equal(t, "replaced", names[0].Copies[2].How)
	require.Equal(t, "whiteout", names[1].Copies[0].How)
	require.Equal(t, "etc/c", names[3].Copies[0].Link)
	require.NotEmpty(t, names[0].Copies[0].Cites)

	deleted, err := s.Open(0, "/var/cache/x")
	require.NoError(t, err)
	data, err := blob.ReadAll(deleted, 100)
	require.NoError(t, err)
	require.Equal(t, "12345678", string(data), "the file you deleted is still here")

	changes, total, err := s.Changes(2, ".", 0, 10)
	require.NoError(t, err)
	require.Equal(t, 3, total)
	require.Equal(t, "bin", changes[0].Path)
	require.Equal(t, oci.Change{Path: "var/cache", Action: oci.Removed, How: "whiteout", Files: 2, Bytes: 9, Copy: oci.Copy{Layer: 2, HiddenBy: -1}}, changes[2])
	part, total, err := s.Changes(0, "var", 1, 1)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Equal(t, "var/cache", part[0].Path)
	_, _, err = s.List("etc/a", 0, 10)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = s.Changes(9, ".", 0, 1)
	require.Error(t, err)
}

// sameAsUnion compares the stack with the merged tree, which is worked out in another way.
func sameAsUnion(t testing.TB, im *oci.Image, s *oci.Stack) {
	root, err := im.RootFS()
	require.NoError(t, err)
	hidden := map[string]bool{}
	all, err := root.Hidden()
	require.NoError(t, err)
	for _, h := range all {
		hidden[path.Join("/", h.Path)+"@"+string(rune('0'+h.Layer))+h.By.Kind] = true
	}
	var walk func(dir string)
	walk = func(dir string) {
		names, _, err := s.List(dir, 0, 1<<30)
		require.NoError(t, err)
		var want, got []string
		if entries, err := root.ReadDir(dir); err == nil {
			for _, e := range entries {
				want = append(want, e.Name())
			}
		}
		for _, n := range names {
			at := path.Join(dir, n.Name)
			if !n.Gone() {
				got = append(got, n.Name)
				layer, err := root.LayerOf(at)
				require.NoError(t, err)
				top := n.Copies[slices.IndexFunc(n.Copies, func(c oci.Copy) bool { return c.HiddenBy < 0 })]
				if top.Type != '5' {
					require.Equal(t, layer, top.Layer, at)
				}
			}
			dir := false
			for _, c := range n.Copies {
				dir = dir || c.Type == '5'
				if c.HiddenBy >= 0 {
					key := path.Join("/", at) + "@" + string(rune('0'+c.Layer)) + c.How
					require.True(t, hidden[key], "%s is hidden by %s", key, c.How)
					delete(hidden, key)
				}
			}
			if dir {
				walk(at)
			}
		}
		require.Equal(t, want, got, dir)
	}
	walk(".")
	require.Empty(t, hidden)
}

func TestTheStackIsTheMergedTree(t *testing.T) {
	dir := filepath.Join(truth(t), "container", "images")
	for _, name := range []string{"busybox.oci", "cases.docker", "hello-multi.oci"} {
		a := open(t, filepath.Join(dir, name+".tar"))
		for i := range a.Images {
			s, err := a.Images[i].Stack()
			require.NoError(t, err)
			sameAsUnion(t, &a.Images[i], s)
		}
	}
}

// dive's own numbers about the same archives.
func TestDiveCountsTheSame(t *testing.T) {
	dive, err := exec.LookPath("dive")
	if err != nil {
		t.Skip("dive is not installed")
	}
	dir := filepath.Join(truth(t), "container", "images")
	files := []string{filepath.Join(dir, "busybox.docker.tar"), filepath.Join(dir, "cases.docker.tar"), filepath.Join(dir, "hello.docker.tar")}
	if lab := os.Getenv("BOOTPATH_LAB"); lab != "" {
		more, _ := filepath.Glob(filepath.Join(lab, "images", "*.docker.tar"))
		files = append(files, more...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a := open(t, file)
			if len(a.Images) != 1 {
				t.Skip("dive looks at one image of an archive")
			}
			out := filepath.Join(t.TempDir(), "dive.json")
			run(t, dive, "--json", out, "docker-archive://"+file)
			raw, err := os.ReadFile(out)
			require.NoError(t, err)
			var want struct {
				Layer []struct{ SizeBytes int64 }
				Image struct {
					InefficientBytes int64
					EfficiencyScore  float64
				}
			}
			require.NoError(t, json.Unmarshal(raw, &want))
			s, err := a.Images[0].Stack()
			require.NoError(t, err)
			require.Equal(t, want.Image.EfficiencyScore, s.Efficiency)
			require.Equal(t, want.Image.InefficientBytes, s.WastedBytes)
			for i, l := range want.Layer {
				require.Equal(t, l.SizeBytes, s.Layers[i].ContentBytes, "layer %d", i)
			}
		})
	}
}

func FuzzStack(f *testing.F) {
	f.Add("etc/\netc/a=1", "etc/.wh.a=\netc/a/", ".wh.etc=\nb->c")
	f.Add("a/\na/b=1", "a=2", "a/\na/.wh..wh..opq=\na/c=")
	f.Fuzz(func(t *testing.T, one, two, three string) {
		for _, text := range []string{one, two, three} {
			if len(text) > 300 || strings.ContainsAny(text, "\x00") {
				return
			}
		}
		if !validNames(one + "\n" + two + "\n" + three) {
			return
		}
		im, s := stackOf(t, strings.Split(one, "\n"), strings.Split(two, "\n"), strings.Split(three, "\n"))
		for i := range s.Layers {
			_, _, err := s.Changes(i, ".", 0, 100)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, s.Efficiency, 0.0)
		require.LessOrEqual(t, s.Efficiency, 1.0)
		if root, err := im.RootFS(); err == nil && len(root.Info().Notes) == 0 {
			sameAsUnion(t, im, s)
		}
	})
}

// validNames keeps the fuzzer to names that archive/tar writes.
func validNames(text string) bool {
	for _, line := range strings.Split(text, "\n") {
		name, _, _ := strings.Cut(strings.ReplaceAll(line, "->", "="), "=")
		if strings.Trim(name, "/.") == "" || len(name) > 90 || strings.HasSuffix(line, "->") {
			return false
		}
	}
	return true
}
