package union_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/fsys/union"
)

// layer makes a layer from lines "d PATH [MODE]", "f PATH CONTENT", "l PATH TARGET", "h PATH TARGET".
func layer(t testing.TB, name string, lines ...string) union.Layer {
	data := layerTar(t, lines...)
	tree, err := tarfs.Open(blob.NewStore().Add(name, bytes.NewReader(data), int64(len(data)), nil))
	require.NoError(t, err)
	return union.Layer{Name: name, FS: tree}
}

func layerTar(t testing.TB, lines ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range lines {
		f := append(strings.SplitN(line, " ", 3), "")
		h := tar.Header{Name: f[1], Mode: 0o644}
		switch f[0] {
		case "d":
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
			if f[2] != "" {
				_, err := fmt.Sscanf(f[2], "%o", &h.Mode)
				require.NoError(t, err)
			}
		case "f":
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f[2]))
		case "l":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f[2]
		case "h":
			h.Typeflag, h.Linkname = tar.TypeLink, f[2]
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, f[2])
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// list writes a tree one file a line: path, permissions, then content or target.
func list(t testing.TB, f fsys.FS) []string {
	out := []string{}
	require.NoError(t, fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if p == "." {
			return nil
		}
		fi, err := d.Info()
		require.NoError(t, err)
		line := p
		switch {
		case fi.IsDir():
			line += fmt.Sprintf("/ %o", fi.Mode().Perm())
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := f.ReadLink(p)
			require.NoError(t, err)
			line += " -> " + target
		default:
			data, err := fsys.ReadFile(f, p, 1<<20)
			require.NoError(t, err)
			line += " = " + string(data)
		}
		out = append(out, line)
		return nil
	}))
	return out
}

func names(lines []string) []string {
	var out []string
	for _, l := range lines {
		name, _, _ := strings.Cut(l, " ")
		out = append(out, strings.TrimSuffix(name, "/"))
	}
	return out
}

func TestLayerRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers [][]string
		want   []string
		hidden []string // path, layer, kind, hiding layer
		note   string
	}{
		{"no layers", nil, []string{}, nil, ""},
		{"an upper file replaces a lower one",
			[][]string{{"f a 1", "f b 1"}, {"f a 2"}}, []string{"a = 2", "b = 1"}, []string{"a 0 replaced 1"}, ""},
		{"directories merge and the upper attributes count",
			[][]string{{"d d 700", "f d/a 1"}, {"d d 755", "f d/b 2"}}, []string{"d/ 755", "d/a = 1", "d/b = 2"}, nil, ""},
		{"a directory that only its files imply keeps the lower attributes",
			[][]string{{"d d 700", "f d/a 1"}, {"f d/b 2"}}, []string{"d/ 700", "d/a = 1", "d/b = 2"}, nil, ""},
		{"a whiteout hides a file",
			[][]string{{"f d/a 1", "f d/b 1"}, {"f d/.wh.a "}}, []string{"d/ 755", "d/b = 1"}, []string{"d/a 0 whiteout 1"}, ""},
		{"a whiteout hides a tree",
			[][]string{{"f d/e/a 1", "f b 1"}, {"f .wh.d "}}, []string{"b = 1"},
			[]string{"d 0 whiteout 1", "d/e 0 whiteout 1", "d/e/a 0 whiteout 1"}, ""},
		{"a whiteout does not hide its own layer's file, whatever the order",
			[][]string{{"f a 1"}, {"f a 2", "f .wh.a "}, {"f .wh.b ", "f b 3"}}, []string{"a = 2", "b = 3"}, []string{"a 0 whiteout 1"}, ""},
		{"a whiteout does not hide layers above",
			[][]string{{"f a 1"}, {"f .wh.a "}, {"f a 3"}}, []string{"a = 3"}, []string{"a 0 whiteout 1"}, ""},
		{"a directory made anew does not show the removed one's files",
			[][]string{{"f d/a 1"}, {"f .wh.d "}, {"d d 711", "f d/b 3"}}, []string{"d/ 711", "d/b = 3"}, []string{"d 0 whiteout 1", "d/a 0 whiteout 1"}, ""},
		{"removed and made anew in one layer",
			[][]string{{"f d/a 1"}, {"f .wh.d ", "d d 711", "f d/b 2"}}, []string{"d/ 711", "d/b = 2"}, []string{"d 0 whiteout 1", "d/a 0 whiteout 1"}, ""},
		{"an opaque directory hides what is below it",
			[][]string{{"f d/a 1", "f d/e/x 1"}, {"f d/b 2"}, {"d d 750", "f d/.wh..wh..opq ", "f d/c 3"}}, []string{"d/ 750", "d/c = 3"},
			[]string{"d/a 0 opaque 2", "d/e 0 opaque 2", "d/e/x 0 opaque 2", "d/b 1 opaque 2"}, ""},
		{"an opaque root",
			[][]string{{"f a 1"}, {"f .wh..wh..opq ", "f b 2"}}, []string{"b = 2"}, []string{"a 0 opaque 1"}, ""},
		{"a file over a directory hides the tree, also for layers above",
			[][]string{{"f d/a 1"}, {"f d 2"}, {"f d/b 3"}}, []string{"d/ 755", "d/b = 3"},
			[]string{"d 0 replaced 1", "d/a 0 replaced 1", "d 1 replaced 2"}, ""},
		{"a directory over a file",
			[][]string{{"f d 1"}, {"f d/a 2"}}, []string{"d/ 755", "d/a = 2"}, []string{"d 0 replaced 1"}, ""},
		{"a lower link does not redirect an upper layer's files",
			[][]string{{"d usr/bin", "l bin usr/bin"}, {"f bin/sh 2"}}, []string{"bin/ 755", "bin/sh = 2", "usr/ 755", "usr/bin/ 755"}, []string{"bin 0 replaced 1"}, ""},
		{"a whiteout for nothing", [][]string{{"f a 1"}, {"f x/.wh.y "}}, []string{"a = 1", "x/ 755"}, nil, ""},
		{"AUFS's own files are skipped", [][]string{{"f .wh..wh.aufs ", "d .wh..wh.plnk", "f .wh..wh.plnk/1.2 x", "f a 1"}}, []string{"a = 1"}, nil, ""},
		{"a hard link inside a layer outlives its first name",
			[][]string{{"f a 1", "h b a"}, {"f .wh.a "}}, []string{"b = 1"}, []string{"a 0 whiteout 1"}, ""},
		{"a hard link to a lower layer's file",
			[][]string{{"f d/a 1"}, {"h d/b d/a"}}, []string{"d/ 755", "d/a = 1", "d/b = 1"}, nil, "of a lower layer"},
		{"a hard link to what a layer between has removed",
			[][]string{{"f a 1"}, {"f .wh.a "}, {"h b a"}}, []string{}, []string{"a 0 whiteout 1"}, "No such file or directory"},
		{"a hard link to a file that its own layer removes",
			[][]string{{"f a 1"}, {"f .wh.a ", "h b a"}}, []string{"b = 1"}, []string{"a 0 whiteout 1"}, "of a lower layer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var layers []union.Layer
			for i, l := range c.layers {
				layers = append(layers, layer(t, fmt.Sprintf("layer%d", i), l...))
			}
			f, err := union.New(layers...)
			require.NoError(t, err)
			got := list(t, f)
			require.Equal(t, c.want, got)
			require.NoError(t, fstest.TestFS(f, names(got)...))
			hidden, err := f.Hidden()
			require.NoError(t, err)
			var lines []string
			for _, h := range hidden {
				lines = append(lines, fmt.Sprintf("%s %d %s %d", h.Path, h.Layer, h.By.Kind, h.By.Layer))
			}
			require.Equal(t, c.hidden, lines)
			notes := strings.Join(f.Info().Notes, "\n")
			if c.note == "" {
				require.Empty(t, notes)
			}
			require.Contains(t, notes, c.note)
		})
	}
}

func TestAFileKnowsItsLayer(t *testing.T) {
	f, err := union.New(layer(t, "low", "f etc/a 1", "f etc/b 1"), layer(t, "top", "f etc/a 22", "f etc/.wh.b "))
	require.NoError(t, err)
	for name, want := range map[string]int{"etc/a": 1, "etc": 0} {
		n, err := f.LayerOf(name)
		require.NoError(t, err)
		require.Equal(t, want, n, name)
	}
	file, err := fsys.OpenFile(f, "etc/a")
	require.NoError(t, err)
	require.Equal(t, []blob.Span{{Blob: "top", Off: 512, Len: 2}}, file.Locate(0, 2))
	hidden, err := f.Hidden()
	require.NoError(t, err)
	require.Len(t, hidden, 2)
	require.Equal(t, "etc/.wh.b", hidden[1].By.Path)
	require.Equal(t, blob.Span{Blob: "top", Off: 1024, Len: 100}, hidden[1].By.Cites[0].Span)
	require.Equal(t, `"etc/.wh.b"`, hidden[1].By.Cites[0].Value)
	a, err := f.Stat("etc/a")
	require.NoError(t, err)
	require.EqualValues(t, 1, fsys.StatOf(a).Ino>>40, "inode numbers of layers do not meet")
}

func TestTheRootIsTheEngines(t *testing.T) {
	f, err := union.New(layer(t, "l", "d ./ 700", "f a 1"))
	require.NoError(t, err)
	fi, err := f.Stat(".")
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o755, fi.Mode(), "containerd and docker skip the entry of the root")
}

func TestEdit(t *testing.T) {
	base, err := union.New(layer(t, "l", "d etc 700", "f etc/passwd root", "f etc/group g", "d usr/bin", "f usr/bin/sh sh", "l bin usr/bin", "l etc/link passwd", "l nowhere gone/away"))
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		remove []string
		write  map[string][]byte
		want   []string
	}{
		{"nothing", nil, nil, list(t, base)},
		{"a file and a tree go", []string{"etc/group", "usr"}, nil,
			[]string{"bin -> usr/bin", "etc/ 700", "etc/link -> passwd", "etc/passwd = root", "nowhere -> gone/away"}},
		{"a path through a link, with a slash in front", []string{"/bin/sh"}, nil,
			[]string{"bin -> usr/bin", "etc/ 700", "etc/group = g", "etc/link -> passwd", "etc/passwd = root", "nowhere -> gone/away", "usr/ 755", "usr/bin/ 755"}},
		{"writing follows links", []string{"usr", "bin", "nowhere"}, map[string][]byte{"etc/link": []byte("new")},
			[]string{"etc/ 700", "etc/group = g", "etc/link -> passwd", "etc/passwd = new"}},
		{"a new file makes its parents", []string{"usr", "bin", "etc", "nowhere"}, map[string][]byte{"/a/b/c": []byte("x"), "a/d": nil},
			[]string{"a/ 755", "a/b/ 755", "a/b/c = x", "a/d = "}},
		{"removed and written", []string{"etc", "usr", "bin", "nowhere"}, map[string][]byte{"etc/passwd": []byte("x")},
			[]string{"etc/ 755", "etc/passwd = x"}},
		{"a file in place of a directory", []string{"usr", "bin", "nowhere"}, map[string][]byte{"etc": []byte("x")}, []string{"etc = x"}},
		{"a file in place of a parent", []string{"usr", "bin", "nowhere"}, map[string][]byte{"etc/passwd/x": []byte("x")},
			[]string{"etc/ 700", "etc/group = g", "etc/link -> passwd", "etc/passwd/ 755", "etc/passwd/x = x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := union.Edit(base, c.remove, c.write)
			got := list(t, f)
			require.Equal(t, c.want, got)
			require.NoError(t, fstest.TestFS(f, names(got)...))
		})
	}
	f := union.Edit(base, nil, map[string][]byte{"usr/bin/sh": []byte("x"), "new": nil})
	for name, mode := range map[string]fs.FileMode{"usr/bin/sh": 0o644, "new": 0o644} {
		fi, err := f.Stat(name)
		require.NoError(t, err)
		require.Equal(t, mode, fi.Mode())
	}
	file, err := fsys.OpenFile(f, "usr/bin/sh")
	require.NoError(t, err)
	require.Nil(t, file.Locate(0, 1), "bytes that are not the image's")
}

func FuzzUnion(f *testing.F) {
	f.Add(layerTar(f, "f d/a 1", "h b d/a"), layerTar(f, "f d/.wh..wh..opq ", "f .wh.b "))
	f.Add(layerTar(f, "d d", "l l d"), layerTar(f, "f d 1", "h x l", "f l/y 2"))
	f.Fuzz(func(t *testing.T, low, top []byte) {
		var layers []union.Layer
		for _, data := range [][]byte{low, top} {
			tree, err := tarfs.Open(blob.New("b", bytes.NewReader(data), int64(len(data)), nil))
			if err != nil {
				return
			}
			layers = append(layers, union.Layer{Name: "l", FS: tree})
		}
		u, err := union.New(layers...)
		require.NoError(t, err)
		require.NoError(t, fs.WalkDir(u, ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if _, err := u.LayerOf(p); err != nil {
				return err
			}
			_, err = d.Info()
			return err
		}))
		_, err = u.Hidden()
		require.NoError(t, err)
	})
}
