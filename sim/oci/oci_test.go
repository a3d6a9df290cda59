package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/oci"
)

// fixture unpacks one of the archives that testdata/make.sh made.
func fixture(t testing.TB, name string) []byte {
	f, err := os.Open(filepath.Join("testdata", name+".tar.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return data
}

func openBytes(data []byte) (*oci.Archive, *blob.Store, error) {
	s := blob.NewStore()
	a, err := oci.Open(s, s.Add("image.tar", bytes.NewReader(data), int64(len(data)), nil))
	return a, s, err
}

func TestArchivesOfSkopeo(t *testing.T) {
	for _, file := range []string{"small.oci", "small.docker", "small.zstd.oci"} {
		t.Run(file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", file+".json"))
			require.NoError(t, err)
			var want struct {
				Inspect  struct{ Digest string }
				Manifest v1.Manifest
				Config   v1.ConfigFile
			}
			require.NoError(t, json.Unmarshal(raw, &want))
			data := fixture(t, file)
			a, store, err := openBytes(data)
			require.NoError(t, err)
			require.Empty(t, a.Notes)
			require.Len(t, a.Images, 1)
			im := &a.Images[0]
			require.Equal(t, want.Manifest.Config.Digest.String(), im.ConfigDigest)
			require.Equal(t, want.Config.Config, im.Config.Config)
			require.Equal(t, "linux/amd64", im.Platform)
			docker := file == "small.docker"
			if docker {
				require.Equal(t, oci.FormatDocker, a.Format)
				require.Equal(t, []string{"example.com/small:one", "docker.io/library/small:two"}, im.Refs)
				require.Empty(t, im.ManifestDigest)
			} else {
				require.Equal(t, oci.FormatOCI, a.Format)
				require.Equal(t, []string{"one"}, im.Refs)
				require.Equal(t, want.Inspect.Digest, im.ManifestDigest)
			}
			require.Len(t, im.Layers, len(want.Manifest.Layers))
			for i := range im.Layers {
				l, w := &im.Layers[i], want.Manifest.Layers[i]
				require.Equal(t, w.Digest.String(), l.Digest)
				require.Equal(t, w.Size, l.Size)
				require.Equal(t, want.Config.RootFS.DiffIDs[i].String(), l.DiffID)
				require.Equal(t, want.Config.History[i].CreatedBy, l.CreatedBy)
				if !docker { // skopeo names the type that it would push
					require.Equal(t, string(w.MediaType), l.MediaType)
				}
				require.NoError(t, l.Verify())
			}
			root, err := im.RootFS()
			require.NoError(t, err)
			tsv, err := os.ReadFile(filepath.Join("testdata", "small.files.tsv"))
			require.NoError(t, err)
			var lines []string
			for _, l := range strings.Split(strings.TrimSuffix(string(tsv), "\n"), "\n") {
				lines = append(lines, strings.ReplaceAll(l, "\t", " "))
			}
			got := listTree(t, root)
			sort.Strings(lines)
			sort.Strings(got)
			sameLines(t, lines, got)
			require.NoError(t, fstest.TestFS(root, "bin/hello", "opt/keep/inside"))

			hello, err := fsys.OpenFile(root, "bin/hello")
			require.NoError(t, err)
			span := hello.Locate(0, 10)
			require.Len(t, span, 1)
			text := make([]byte, 10)
			_, err = store.Blob(span[0].Blob).ReadAt(text, span[0].Off)
			require.NoError(t, err)
			require.Equal(t, "#!/bin/sh\n", string(text))
			if docker {
				require.Equal(t, "image.tar", span[0].Blob, "an uncompressed layer lies in the file itself")
			} else {
				require.Equal(t, im.Layers[0].Name(), span[0].Blob)
			}
		})
	}
}

func TestConfigKeysAreCited(t *testing.T) {
	data := fixture(t, "small.oci")
	a, _, err := openBytes(data)
	require.NoError(t, err)
	im := &a.Images[0]
	for key, want := range map[string]string{
		"config.Entrypoint": `["/bin/hello"]`, "config.Cmd[1]": `"two words"`, "config.Env[1]": `"A=b=c"`, "config.User": `"1000:1001"`,
		"config.WorkingDir": `"/opt"`, "architecture": `"amd64"`, "config.Labels.k": `"v"`, "config.entrypoint": `["/bin/hello"]`,
	} {
		c := im.Cite(key)
		require.Len(t, c, 1, key)
		require.Equal(t, want, string(data[c[0].Off:c[0].Off+c[0].Len]))
		require.Equal(t, want, c[0].Value)
	}
	require.Empty(t, im.Cite("config.Volumes"))
	require.Len(t, im.CiteManifest("layers", "Layers"), 1, "one value, one citation")
	s := im.ConfigSpan()
	require.Equal(t, im.ConfigRaw(), data[s[0].Off:s[0].Off+s[0].Len])
	c := im.CiteManifest("layers[2].digest")
	require.Equal(t, `"`+im.Layers[2].Digest+`"`, c[0].Value)
}

func TestSelectByPlatformAndName(t *testing.T) {
	a, _, err := openBytes(fixture(t, "multi.oci"))
	require.NoError(t, err)
	require.Len(t, a.Images, 3)
	require.Empty(t, a.Notes)
	for host, want := range map[string]string{
		"": "linux/amd64", "linux/amd64": "linux/amd64", "linux/amd64/v3": "linux/amd64", "linux/x86_64": "linux/amd64",
		"linux/arm64": "linux/arm64/v8", "linux/arm64/v8": "linux/arm64/v8", "linux/aarch64": "linux/arm64/v8", "linux/arm64/v9": "linux/arm64/v8",
		"linux/arm": "linux/arm/v7", "linux/arm/v7": "linux/arm/v7", "linux/arm/v8": "linux/arm/v7", "linux/armhf": "linux/arm/v7",
		"linux/arm/v6": "!linux/arm/v6", "linux/386": "!linux/386", "windows/amd64": "!windows/amd64", "linux/riscv64": "!linux/riscv64",
	} {
		im, err := a.Select(host, "")
		if missing, ok := strings.CutPrefix(want, "!"); ok {
			var none *oci.NoMatchError
			require.ErrorAs(t, err, &none, host)
			require.Equal(t, missing, none.Platform)
			require.EqualError(t, err, "no matching manifest for "+missing+" in the manifest list entries")
			continue
		}
		require.NoError(t, err, host)
		require.Equal(t, want, im.Platform, host)
	}
	_, err = a.Select("", "example.com/other")
	require.EqualError(t, err, "No such image: example.com/other:latest")
	im, err := a.Select("linux/arm64", "example.com/multi:1")
	require.NoError(t, err)
	require.Equal(t, "linux/arm64/v8", im.Platform)

	single, _, err := openBytes(fixture(t, "small.docker"))
	require.NoError(t, err)
	for _, ref := range []string{"small:two", "docker.io/library/small:two", "index.docker.io/library/small:two", "example.com/small:one", single.Images[0].ConfigDigest, single.Images[0].ConfigDigest[7:19]} {
		im, err := single.Select("linux/arm64", ref)
		require.NoError(t, err, ref)
		require.Equal(t, "linux/amd64", im.Platform, "the engine runs what is there")
	}
	require.True(t, oci.MatchPlatform("linux/amd64", "linux/386"))
	require.False(t, oci.MatchPlatform("linux/386", "linux/amd64"))
	require.False(t, oci.MatchPlatform("linux/amd64", "linux/arm64"))
}

func TestArmFallsBack(t *testing.T) {
	require.True(t, oci.MatchPlatform("linux/arm/v7", "linux/arm/v6"))
	require.True(t, oci.MatchPlatform("linux/arm64", "linux/arm/v5"))
	require.False(t, oci.MatchPlatform("linux/arm/v6", "linux/arm/v7"))
	require.Equal(t, "v8", oci.ParsePlatform("linux/arm64/v8").Variant)
	require.Equal(t, "", oci.ParsePlatform("linux/arm64").Variant)
}

// tarOf makes an uncompressed layer of files.
func tarOf(t testing.TB, files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := io.WriteString(w, files[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func layerOf(t testing.TB, files ...string) v1.Layer {
	data := tarOf(t, files...)
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	require.NoError(t, err)
	return l
}

func imageOf(t testing.TB, arch string, layers ...v1.Layer) v1.Image {
	im, err := mutate.AppendLayers(empty.Image, layers...)
	require.NoError(t, err)
	c, err := im.ConfigFile()
	require.NoError(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", arch
	im, err = mutate.ConfigFile(im, c)
	require.NoError(t, err)
	return im
}

// layoutTar writes an index as an image layout and packs it; edit changes the directory before.
func layoutTar(t testing.TB, idx v1.ImageIndex, edit func(dir string)) []byte {
	dir := t.TempDir()
	_, err := layout.Write(dir, idx)
	require.NoError(t, err)
	if edit != nil {
		edit(dir)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestArchivesOfGoContainerregistry(t *testing.T) {
	one, two := imageOf(t, "amd64", layerOf(t, "a", "1"), layerOf(t, ".wh.a", "", "b", "2")), imageOf(t, "arm64", layerOf(t, "a", "1"))
	var b bytes.Buffer
	refs := map[name.Reference]v1.Image{}
	for ref, im := range map[string]v1.Image{"one:1": one, "one:latest": one, "example.com/two": two} {
		r, err := name.ParseReference(ref)
		require.NoError(t, err)
		refs[r] = im
	}
	require.NoError(t, tarball.MultiRefWrite(refs, &b))
	a, _, err := openBytes(b.Bytes())
	require.NoError(t, err)
	require.Len(t, a.Images, 2)
	im, err := a.Select("linux/amd64", "one")
	require.NoError(t, err)
	require.Len(t, im.Refs, 2)
	c, err := im.Layers[0].Compression()
	require.NoError(t, err)
	require.Equal(t, oci.Gzip, c)
	compareV1(t, one, im)
	root, err := im.RootFS()
	require.NoError(t, err)
	require.Equal(t, []string{"b f 0644 0 0 1  1"}, listTree(t, root))
	im, err = a.Select("linux/amd64", "example.com/two:latest")
	require.NoError(t, err)
	compareV1(t, two, im)
}

// compareV1 holds our view of an image against the one it was written from.
func compareV1(t *testing.T, want v1.Image, im *oci.Image) {
	got := im.V1()
	wantName, err := want.ConfigName()
	require.NoError(t, err)
	gotName, err := got.ConfigName()
	require.NoError(t, err)
	require.Equal(t, wantName, gotName)
	wantLayers, err := want.Layers()
	require.NoError(t, err)
	gotLayers, err := got.Layers()
	require.NoError(t, err)
	require.Len(t, gotLayers, len(wantLayers))
	for i := range wantLayers {
		id, err := wantLayers[i].DiffID()
		require.NoError(t, err)
		r, err := gotLayers[i].Uncompressed()
		require.NoError(t, err)
		h, _, err := v1.SHA256(r)
		require.NoError(t, err)
		require.Equal(t, id, h)
		digest, err := wantLayers[i].Digest()
		require.NoError(t, err)
		require.Equal(t, digest.String(), im.Layers[i].Digest)
		require.NoError(t, im.Layers[i].Verify())
	}
	d, err := want.Digest()
	require.NoError(t, err)
	if im.ManifestDigest != "" {
		got, err := im.V1().Digest()
		require.NoError(t, err)
		require.Equal(t, d, got)
		require.Equal(t, d.String(), im.ManifestDigest)
	}
}

func add(im v1.Image, p *v1.Platform, annotations map[string]string) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: im, Descriptor: v1.Descriptor{Platform: p, Annotations: annotations}}
}

func TestImageLayouts(t *testing.T) {
	amd, arm := imageOf(t, "amd64", layerOf(t, "a", "1")), imageOf(t, "arm64", layerOf(t, "a", "2"))
	attest, err := random.Image(10, 1)
	require.NoError(t, err)
	inner := mutate.AppendManifests(empty.Index,
		add(amd, &v1.Platform{OS: "linux", Architecture: "amd64"}, nil),
		add(arm, &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, nil),
		add(attest, &v1.Platform{OS: "unknown", Architecture: "unknown"}, map[string]string{"vnd.docker.reference.type": "attestation-manifest"}))
	outer := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner, Descriptor: v1.Descriptor{Annotations: map[string]string{
		"org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/multi:1"}}})
	a, _, err := openBytes(layoutTar(t, outer, nil))
	require.NoError(t, err)
	require.Len(t, a.Images, 2)
	require.Len(t, a.Notes, 1)
	require.Contains(t, a.Notes[0], "attestation-manifest; set aside")
	require.Equal(t, []string{"docker.io/library/multi:1"}, a.Images[1].Refs)
	compareV1(t, amd, &a.Images[0])
	im, err := a.Select("linux/arm64", "multi:1")
	require.NoError(t, err)
	compareV1(t, arm, im)

	t.Run("docker save of Docker 25 has both forms", func(t *testing.T) {
		name, err := arm.ConfigName()
		require.NoError(t, err)
		layers, err := arm.Layers()
		require.NoError(t, err)
		l, err := layers[0].Digest()
		require.NoError(t, err)
		a, _, err := openBytes(layoutTar(t, outer, func(dir string) {
			m := fmt.Sprintf(`[{"Config":"blobs/sha256/%s","RepoTags":["multi:1","also:2"],"Layers":["blobs/sha256/%s"]}]`, name.Hex, l.Hex)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(m), 0o644))
		}))
		require.NoError(t, err)
		require.Equal(t, oci.FormatDocker, a.Format)
		require.Len(t, a.Images, 2)
		require.Equal(t, []string{"docker.io/library/multi:1", "also:2"}, a.Images[1].Refs)
	})
	t.Run("a platform that was not saved", func(t *testing.T) {
		d, err := arm.Digest()
		require.NoError(t, err)
		a, _, err := openBytes(layoutTar(t, outer, func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "blobs", "sha256", d.Hex)))
		}))
		require.NoError(t, err)
		require.Len(t, a.Images, 1)
		require.Contains(t, strings.Join(a.Notes, "\n"), "the index names the manifest for linux/arm64/v8, blobs/sha256/"+d.Hex+": not in the archive")
	})
	t.Run("a layer that was not saved", func(t *testing.T) {
		layers, err := amd.Layers()
		require.NoError(t, err)
		d, err := layers[0].Digest()
		require.NoError(t, err)
		a, _, err := openBytes(layoutTar(t, outer, func(dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "blobs", "sha256", d.Hex)))
		}))
		require.NoError(t, err)
		_, err = a.Images[0].RootFS()
		require.EqualError(t, err, "layer 1: blobs/sha256/"+d.Hex+": not in the archive")
		require.True(t, errors.Is(err, fs.ErrNotExist))
	})
	t.Run("a config that is not what its digest says", func(t *testing.T) {
		name, err := amd.ConfigName()
		require.NoError(t, err)
		a, _, err := openBytes(layoutTar(t, outer, func(dir string) {
			p := filepath.Join(dir, "blobs", "sha256", name.Hex)
			raw, err := os.ReadFile(p)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(p, bytes.Replace(raw, []byte("amd64"), []byte("amd65"), 1), 0o644))
		}))
		require.NoError(t, err)
		require.Contains(t, a.Images[0].Refused, "unexpected commit digest sha256:")
		require.Contains(t, a.Images[0].Refused, "expected "+name.String()+": failed precondition")
		require.Empty(t, a.Images[1].Refused)
	})
	t.Run("a layer that is not what its digest says", func(t *testing.T) {
		layers, err := amd.Layers()
		require.NoError(t, err)
		d, err := layers[0].Digest()
		require.NoError(t, err)
		a, _, err := openBytes(layoutTar(t, outer, func(dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "blobs", "sha256", d.Hex), tarOf(t, "z", "9"), 0o644))
		}))
		require.NoError(t, err)
		require.ErrorContains(t, a.Images[0].Layers[0].Verify(), "invalid diffID for layer 0: expected")
	})
}

func TestMoreLayersThanDiffIDs(t *testing.T) {
	im := imageOf(t, "amd64", layerOf(t, "a", "1"))
	c, err := im.ConfigFile()
	require.NoError(t, err)
	c = c.DeepCopy()
	c.RootFS.DiffIDs = nil
	bad, err := mutate.ConfigFile(im, c)
	require.NoError(t, err)
	a, _, err := openBytes(layoutTar(t, mutate.AppendManifests(empty.Index, add(bad, nil, nil)), nil))
	require.NoError(t, err)
	require.Equal(t, "invalid manifest, layers length mismatch: expected 1, got 0", a.Images[0].Refused)
}

func TestLayersOfEveryCompression(t *testing.T) {
	// The media type is only a claim: the bytes decide.
	raw := tarOf(t, "f", "hello")
	l := static.NewLayer(raw, types.OCILayer)
	im := imageOf(t, "amd64", l)
	a, _, err := openBytes(layoutTar(t, mutate.AppendManifests(empty.Index, add(im, nil, nil)), nil))
	require.NoError(t, err)
	c, err := a.Images[0].Layers[0].Compression()
	require.NoError(t, err)
	require.Equal(t, oci.None, c)
	root, err := a.Images[0].RootFS()
	require.NoError(t, err)
	data, err := fsys.ReadFile(root, "f", 10)
	require.NoError(t, err)
	require.Equal(t, "hello", string(data))
}

func TestOtherTars(t *testing.T) {
	for want, data := range map[string][]byte{
		"tar without manifest.json and index.json": tarOf(t, "a", "1", "b", "2"),
		"tar of a root file system":                tarOf(t, "bin/sh", "1", "etc/passwd", "2", "usr/bin/x", "3", "manifest.json", "[]"),
		"tar: 5 bytes":                             []byte("hello"),
		"tar: no header":                           bytes.Repeat([]byte("x"), 1024),
	} {
		_, _, err := openBytes(data)
		require.ErrorIs(t, err, decode.ErrFormat)
		require.ErrorContains(t, err, want)
	}
	for want, data := range map[string][]byte{
		"manifest.json: at image.tar[0x201:+1]: want JSON, got invalid character 'x'": tarOf(t, "manifest.json", "[x]"),
		"config: c.json: not in the archive":                                          tarOf(t, "manifest.json", `[{"Config":"c.json","Layers":[]}]`),
		"docker save archive of before 2016":                                          tarOf(t, "repositories", "{}"),
		"docker-archive without an image":                                             tarOf(t, "manifest.json", "[]"),
		"want an image config":                                                        tarOf(t, "manifest.json", `[{"Config":"c.json","Layers":[]}]`, "c.json", `{"rootfs":7}`),
		"index.json: at image.tar[0x400:+1]: want an image index":                     tarOf(t, "oci-layout", "", "index.json", `{"manifests":[{"digest":"nonsense"}]}`),
	} {
		_, _, err := openBytes(data)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, decode.ErrFormat)
	}
}

func TestATruncatedArchive(t *testing.T) {
	data := fixture(t, "small.docker")
	_, _, err := openBytes(data[:3000])
	var bad *decode.Error
	require.ErrorAs(t, err, &bad)
	require.Contains(t, bad.Error(), "bytes, got the end after 2488")
}

// TestABombIsNotUnpacked: a layer of zeros is no tar after its first blocks, whatever it claims to hold.
func TestABombIsNotUnpacked(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	for range 256 {
		w.Write(make([]byte, 1<<20))
	}
	w.Close()
	im := imageOf(t, "amd64", layerOf(t, "a", "1"))
	idx := mutate.AppendManifests(empty.Index, add(im, nil, nil))
	layers, err := im.Layers()
	require.NoError(t, err)
	d, err := layers[0].Digest()
	require.NoError(t, err)
	a, s, err := openBytes(layoutTar(t, idx, func(dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "blobs", "sha256", d.Hex), z.Bytes(), 0o644))
	}))
	require.NoError(t, err)
	_, err = a.Images[0].RootFS()
	require.NoError(t, err, "an empty tar")
	require.Less(t, s.BytesRead(), int64(z.Len()/2))
}

func TestASliceOfAnImageReplays(t *testing.T) {
	data := fixture(t, "small.zstd.oci")
	use := func(a *oci.Archive) []string {
		root, err := a.Images[0].RootFS()
		require.NoError(t, err)
		text, err := fsys.ReadFile(root, "bin/hello", 100)
		require.NoError(t, err)
		return append(listTree(t, root), string(text))
	}
	a, s, err := openBytes(data)
	require.NoError(t, err)
	want := use(a)
	var out bytes.Buffer
	require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: "image.tar", Size: int64(len(data)), Tool: "test"}))
	s2, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	kept := s2.Kept(o.Name)
	a2, err := oci.Open(s2, s2.Add(o.Name, kept, kept.Size(), nil))
	require.NoError(t, err)
	require.Equal(t, want, use(a2))
}

func FuzzOpen(f *testing.F) {
	f.Add(fixture(f, "small.docker"))
	f.Add(fixture(f, "multi.oci"))
	f.Add(tarOf(f, "manifest.json", `[{"Config":"c","RepoTags":["x"],"Layers":["l","l"]}]`, "c", `{"rootfs":{"diff_ids":[]},"history":[{}]}`, "l", ""))
	f.Add(tarOf(f, "index.json", `{"manifests":[{"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, _, err := openBytes(data)
		if err != nil {
			return
		}
		for i := range a.Images {
			im := &a.Images[i]
			for _, c := range append(im.Cite("config", "rootfs.diff_ids[0]"), im.CiteManifest("layers", "Layers")...) {
				require.LessOrEqual(t, c.Off+c.Len, int64(len(data)))
			}
			for j := range im.Layers {
				im.Layers[j].Compression()
			}
			if root, err := im.RootFS(); err == nil {
				root.ReadDir(".")
			}
			a.Select(im.Platform, "")
		}
	})
}

func TestAChartIsAnArtifact(t *testing.T) {
	config := `{"name":"web","version":"1.0.0"}`
	sum := sha256.Sum256([]byte(config))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:%x","size":%d},"layers":[]}`, sum, len(config))
	of := sha256.Sum256([]byte(manifest))
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%x","size":%d}]}`, of, len(manifest))
	a, _, err := openBytes(tarOf(t, "oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "index.json", index,
		fmt.Sprintf("blobs/sha256/%x", of), manifest, fmt.Sprintf("blobs/sha256/%x", sum), config))
	require.NoError(t, err)
	require.Empty(t, a.Images)
	require.Equal(t, []string{"application/vnd.cncf.helm.config.v1+json"}, a.Artifacts)
}
