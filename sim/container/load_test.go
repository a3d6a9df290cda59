package container

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// saved is a docker save archive with one layer, or without it.
func saved(t *testing.T, layer []byte) []byte { return savedAs(t, layer, sha256.Sum256(layer)) }

// savedAs is one whose config names the digest of what the layer unpacks to.
func savedAs(t *testing.T, layer []byte, diffID [sha256.Size]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(name string, data []byte) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		require.NoError(t, err)
	}
	put("c.json", fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Cmd":["/a"]},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, diffID))
	put("manifest.json", []byte(`[{"Config":"c.json","RepoTags":["a:1"],"Layers":["x/layer.tar"]}]`))
	if layer != nil {
		put("x/layer.tar", layer)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestLayersThatDockerLoadCannotUnpack(t *testing.T) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o755, Size: 3000}))
	_, err := w.Write(make([]byte, 3000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	whole := layer.Bytes()
	bad := bytes.Clone(whole)
	copy(bad[3584:], "not a header")
	const processing = "Error processing tar file(exit status 1): "
	for _, c := range []struct {
		name, engine string
		layer        []byte
		message      string
	}{
		{"cut in a file", "docker", whole[:2000], processing + "unexpected EOF"},
		{"cut in a header", "docker", append(whole[:3584:3584], whole[:100]...), processing + "unexpected EOF"},
		{"a broken header", "docker", bad, processing + "archive/tar: invalid tar header"},
		{"not there", "docker", nil, "open /var/lib/docker/tmp/docker-import-NNNNNNNNN/x/layer.tar: no such file or directory"},
		{"podman, which goes by what the file promises", "podman", whole[:2000], "docker-archive: writing blob: adding layer with blob \"sha256:72acd186e185459bd62eff5491414ec636cc53a549092bdc52bc188e52e4bf80\": processing tar file(unexpected EOF): exit status 1"},
	} {
		data := saved(t, c.layer)
		store := blob.NewStore()
		a, err := oci.Open(store, store.Add("a.tar", bytes.NewReader(data), int64(len(data)), nil))
		require.NoError(t, err, c.name)
		m := machine.New()
		Run(m, Config{Archive: a, Name: "a.tar", Engine: c.engine})
		o := m.Trace().Outcome
		require.Equal(t, c.message, o.Message, c.name)
		require.Equal(t, c.message == "", o.Verdict == trace.Unknown, c.name)
	}
}

// What docker 20.10 makes of a file is decided by archive/tar, which it uses itself: the first block is a header,
// the end of an archive, or neither.
func TestAFileThatIsNoImage(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}))
	require.NoError(t, w.Close())
	const empty = "open /var/lib/docker/tmp/docker-import-NNNNNNNNN/repositories: no such file or directory"
	for _, tt := range []struct {
		name    string
		engine  string
		data    []byte
		verdict trace.Verdict
		message string
		code    int
	}{
		{"a qcow2 file", "docker", append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 4096)...), trace.Stops, "Error processing tar file(exit status 1): archive/tar: invalid tar header", 1},
		{"an ISO whose first sectors are zero", "", make([]byte, 4096), trace.Stops, empty, 1},
		{"a file shorter than a block", "docker", []byte("short"), trace.Stops, "Error processing tar file(exit status 1): unexpected EOF", 1},
		{"a tar of something else", "docker", archive.Bytes(), trace.Stops, empty, 1},
		{"podman", "podman", make([]byte, 512), trace.Stops, "Error: payload does not match any of the supported image formats:", 125},
		{"runc takes a bundle", "runc", make([]byte, 512), trace.Stops, "JSON specification file config.json not found", 1},
		{"crun's words are not recorded", "crun", make([]byte, 512), trace.Unknown, "", 0},
	} {
		m := machine.New()
		store := blob.NewStore()
		Load(m, LoadConfig{Engine: tt.engine, Name: "disk.img", File: store.Add("disk.img", bytes.NewReader(tt.data), int64(len(tt.data)), nil)})
		o := m.Trace().Outcome
		require.Equal(t, tt.verdict, o.Verdict, tt.name)
		require.Equal(t, tt.message, o.Message, tt.name)
		if tt.verdict == trace.Stops {
			require.Equal(t, tt.code, *o.ExitCode, tt.name)
		}
		require.NoError(t, m.Trace().Check(func(string) (int64, bool) { return int64(len(tt.data)), true }), tt.name)
	}
}
