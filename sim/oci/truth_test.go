package oci_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
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

func TestARealTreePassesTestFS(t *testing.T) {
	im := &open(t, filepath.Join(truth(t), "container", "images", "cases.oci.tar")).Images[0]
	root, err := im.RootFS()
	require.NoError(t, err)
	// Without the large files, which TestFS reads many times.
	edited := union.Edit(root, []string{"x", "bin/busybox", "locked"}, map[string][]byte{"etc/passwd": []byte("root\n"), "a/b": nil})
	require.NoError(t, fstest.TestFS(edited, "etc/passwd", "a/b", "data/null"))
}

// TestImagesOfPeers reads the archives that dive, osv-scalibr and containers/image test with; crane and skopeo
// said what is in them.
func TestImagesOfPeers(t *testing.T) {
	dir := filepath.Join(truth(t), "peers")
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	require.NoError(t, err)
	var files []struct {
		File     string
		Expected json.RawMessage
	}
	require.NoError(t, json.Unmarshal(raw, &files))
	n := 0
	for _, f := range files {
		var want struct {
			Transports map[string]struct {
				Tags      []string
				RootFS    []string                                 `json:"rootfs"`
				SkopeoRaw struct{ Config struct{ Digest string } } `json:"skopeo_raw"`
			}
		}
		if !strings.HasPrefix(f.File, "container/") {
			continue
		}
		require.NoError(t, json.Unmarshal(f.Expected, &want))
		docker, ok := want.Transports["docker-archive"]
		if !ok {
			_, err := oci.Open(openFile(t, filepath.Join(dir, "files", f.File)))
			require.ErrorIs(t, err, decode.ErrFormat, f.File)
			continue
		}
		n++
		t.Run(filepath.Base(f.File), func(t *testing.T) {
			im := &open(t, filepath.Join(dir, "files", f.File)).Images[0]
			require.Equal(t, docker.Tags, im.Refs)
			require.Equal(t, docker.SkopeoRaw.Config.Digest, im.ConfigDigest)
			root, err := im.RootFS()
			require.NoError(t, err)
			require.ElementsMatch(t, docker.RootFS, peerList(t, root))
		})
	}
	require.Greater(t, n, 5)
}

// peerList writes a tree as the manifest does: type, mode, size and SHA-256 of files, path, target.
func peerList(t *testing.T, root fsys.FS) []string {
	var out []string
	require.NoError(t, fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		fi, err := d.Info()
		require.NoError(t, err)
		mode := fsys.StatOf(fi).Mode & 0o7777
		switch {
		case p == ".":
		case fi.IsDir():
			out = append(out, fmt.Sprintf("d %o %s", mode, p))
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := root.ReadLink(p)
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("l %o %s -> %s", mode, p, target))
		default:
			data, err := fsys.ReadFile(root, p, 1<<20)
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("f %o %d %.8x %s", mode, len(data), sha256.Sum256(data), p))
		}
		return nil
	}))
	return out
}

// unpacked has skopeo and umoci unpack an archive and lists what they left; problem is what they said when
// they would not.
func unpacked(t *testing.T, archive string) (lines []string, problem string) {
	for _, tool := range []string{"umoci", "skopeo"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			t.Skip(tool + ", as root")
		}
	}
	dir := t.TempDir()
	transport := "oci-archive:"
	if strings.Contains(filepath.Base(archive), ".docker") {
		transport = "docker-archive:"
	}
	layout := filepath.Join(dir, "layout")
	for _, argv := range [][]string{
		{"skopeo", "--insecure-policy", "copy", "-q", "--override-os", "linux", "--override-arch", "amd64", transport + archive, "oci:" + layout + ":it"},
		{"umoci", "unpack", "--image", layout + ":it", filepath.Join(dir, "bundle")},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return nil, string(out)
		}
	}
	top := filepath.Join(dir, "bundle", "rootfs")
	require.NoError(t, filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if p != top {
			lines = append(lines, hostLine(t, top, p))
		}
		return nil
	}))
	return lines, ""
}

// TestUmociUnpacksTheSame has umoci unpack every image of the recordings and of the lab beside our merged
// tree: path, type, mode, owner, size, link target and link count.
func TestUmociUnpacksTheSame(t *testing.T) {
	dir := truth(t)
	var files []string
	for _, pattern := range []string{
		filepath.Join(dir, "container", "images", "*.tar"), filepath.Join(dir, "real", "*.oci.tar"),
		filepath.Join(os.Getenv("BOOTPATH_LAB"), "images", "*.tar"),
	} {
		more, _ := filepath.Glob(pattern)
		files = append(files, more...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if strings.Contains(file, "zstd") {
				t.Skip("umoci unpacks no zstd")
			}
			a := open(t, file)
			im, err := a.Select("linux/amd64", "")
			require.NoError(t, err)
			if len(a.Images) > 1 && !im.FromIndex {
				t.Skip("several images")
			}
			want, problem := unpacked(t, file)
			require.Empty(t, problem)
			root, err := im.RootFS()
			require.NoError(t, err)
			got := listTree(t, root)
			slices.Sort(want)
			slices.Sort(got)
			sameLines(t, want, got)
			for i := range im.Layers {
				require.NoError(t, im.Layers[i].Verify())
			}
		})
	}
}

// Names and links that would leave the root, or never end: what umoci leaves behind is what the merged tree
// has, and where it gives up a note says that an unpacker stops.
func TestHostileLayersEndAsUmociEndsThem(t *testing.T) {
	for name, entries := range map[string][]tar.Header{
		"a name that leads upwards":       {{Name: "../../up", Typeflag: tar.TypeReg}},
		"an absolute name":                {{Name: "/abs/file", Typeflag: tar.TypeReg}},
		"a link out of the root":          {{Name: "out", Linkname: "/", Typeflag: tar.TypeSymlink}, {Name: "out/inside", Typeflag: tar.TypeReg}},
		"a link upwards":                  {{Name: "out", Linkname: "../../..", Typeflag: tar.TypeSymlink}, {Name: "out/inside", Typeflag: tar.TypeReg}},
		"the same name twice":             {{Name: "a", Typeflag: tar.TypeReg, Mode: 0o600}, {Name: "a", Typeflag: tar.TypeDir, Mode: 0o700}, {Name: "a/b", Typeflag: tar.TypeReg}},
		"a directory, then a file":        {{Name: "a", Typeflag: tar.TypeDir, Mode: 0o700}, {Name: "a/b", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg, Mode: 0o600}},
		"a hard link upwards":             {{Name: "passwd", Linkname: "../../../../etc/passwd", Typeflag: tar.TypeLink}},
		"a hard link to nothing":          {{Name: "a", Linkname: "b", Typeflag: tar.TypeLink}},
		"a hard link to itself":           {{Name: "a", Typeflag: tar.TypeReg}, {Name: "a", Linkname: "a", Typeflag: tar.TypeLink}},
		"links in a circle":               {{Name: "a", Linkname: "b", Typeflag: tar.TypeSymlink}, {Name: "b", Linkname: "a", Typeflag: tar.TypeSymlink}},
		"a file below links in a circle":  {{Name: "a", Linkname: "b", Typeflag: tar.TypeSymlink}, {Name: "b", Linkname: "a", Typeflag: tar.TypeSymlink}, {Name: "a/x", Typeflag: tar.TypeReg}},
		"a file below a file":             {{Name: "a", Typeflag: tar.TypeReg}, {Name: "a/b", Typeflag: tar.TypeReg}},
		"a name that is too long":         {{Name: strings.Repeat("n", 300), Typeflag: tar.TypeReg}},
		"a whiteout of nothing":           {{Name: ".wh.nothing", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg}},
		"a whiteout of what is beside it": {{Name: "a", Typeflag: tar.TypeReg}, {Name: ".wh.a", Typeflag: tar.TypeReg}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range entries {
				require.NoError(t, w.WriteHeader(&h))
			}
			require.NoError(t, w.Close())
			file := filepath.Join(t.TempDir(), "image.docker.tar")
			require.NoError(t, os.WriteFile(file, dockerTar(t, b.Bytes()), 0o600))
			want, problem := unpacked(t, file)
			im := &open(t, file).Images[0]
			root, err := im.RootFS()
			require.NoError(t, err)
			got, notes := listTree(t, root), strings.Join(root.Info().Notes, "\n")
			t.Log(strings.TrimSpace(problem), "|", notes)
			if problem != "" {
				require.Contains(t, notes, "stops here", problem)
				return
			}
			require.NotContains(t, notes, "stops here")
			slices.Sort(want)
			slices.Sort(got)
			sameLines(t, want, got)
		})
	}
}

func run(t *testing.T, name string, args ...string) {
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// hostLine is a line of listTree about a file on this machine.
func hostLine(t *testing.T, top, p string) string {
	out, err := exec.Command("stat", "-c", "%f %u %g %s %h", p).Output()
	require.NoError(t, err)
	var mode, uid, gid, size, links int
	_, err = fmt.Sscanf(string(out), "%x %d %d %d %d", &mode, &uid, &gid, &size, &links)
	require.NoError(t, err)
	rel, err := filepath.Rel(top, p)
	require.NoError(t, err)
	kind, target := map[int]string{fsys.S_IFREG: "f", fsys.S_IFDIR: "d", fsys.S_IFLNK: "l", fsys.S_IFIFO: "p", fsys.S_IFCHR: "c", fsys.S_IFBLK: "b"}[mode&fsys.S_IFMT], ""
	switch kind {
	case "d":
		size = 0
	case "l":
		target, err = os.Readlink(p)
		require.NoError(t, err)
	}
	return fmt.Sprintf("%s %s 0%03o %d %d %d %s %d", rel, kind, mode&0o7777, uid, gid, size, target, links)
}

func TestEveryLayerOfRealImagesIsWhatItsDigestSays(t *testing.T) {
	dir := truth(t)
	for _, name := range []string{"real/alpine-3.20.oci.tar", "real/busybox-official-musl.oci.tar", "container/images/hello-multi.oci.tar"} {
		a := open(t, filepath.Join(dir, name))
		require.Empty(t, a.Notes)
		for i := range a.Images {
			require.Empty(t, a.Images[i].Refused)
			for j := range a.Images[i].Layers {
				require.NoError(t, a.Images[i].Layers[j].Verify())
			}
			_, err := a.Images[i].RootFS()
			require.NoError(t, err)
		}
	}
	im, err := open(t, filepath.Join(dir, "real/alpine-3.20.oci.tar")).Select("linux/arm64", "alpine:3.20")
	require.NoError(t, err)
	require.Equal(t, "linux/arm64/v8", im.Platform)
	root, err := im.RootFS()
	require.NoError(t, err)
	release, err := fsys.ReadFile(root, "etc/alpine-release", 100)
	require.NoError(t, err)
	require.Equal(t, "3.20.3\n", string(release))
}
