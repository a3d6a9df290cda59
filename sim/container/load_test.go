package container

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

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
		{"podman", "podman", make([]byte, 512), trace.Stops, "Error: payload does not match any of the supported image formats (oci, oci-archive, dir, docker-archive)", 125},
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
