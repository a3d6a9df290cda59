package wire

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

func tarOf(t testing.TB, files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o755, Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// image is a docker save archive of two layers: the second deletes a file and changes one. wrong makes its
// digest another one.
func image(t testing.TB, wrong bool) []byte {
	one := tarOf(t, "etc/secret", "hunter2", "etc/motd", "hello", "bin/tool", "#!/bin/tool\n")
	two := tarOf(t, "etc/.wh.secret", "", "etc/motd", "hello again")
	ids := fmt.Sprintf(`"sha256:%x","sha256:%x"`, sha256.Sum256(one), sha256.Sum256(two))
	if wrong {
		two = tarOf(t, "etc/.wh.secret", "", "etc/motd", "HELLO AGAIN")
	}
	config := `{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/tool"]},"rootfs":{"type":"layers","diff_ids":[` + ids + `]},
		"history":[{"created_by":"COPY . /"},{"created_by":"ENV A=b","empty_layer":true},{"created_by":"RUN rm /etc/secret"}]}`
	return tarOf(t, "1/layer.tar", string(one), "2/layer.tar", string(two), "config.json", config,
		"manifest.json", `[{"Config":"config.json","RepoTags":["a:1","b:2"],"Layers":["1/layer.tar","2/layer.tar"]}]`)
}

func session(t testing.TB, data []byte) *Session {
	s, err := Open("image.tar", bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	return s
}

func TestTheFileYouDeletedIsStillHere(t *testing.T) {
	s := session(t, image(t, false))
	in := s.Inspect()
	require.Len(t, in.Images, 2, "one row a name")
	im := in.Images[1]
	require.Equal(t, "b:2", im.Ref)
	require.Equal(t, []int{0, -1, 1}, []int{im.History[0].Layer, im.History[1].Layer, im.History[2].Layer})
	require.Equal(t, int64(len("hunter2")+len("hello")), im.HiddenBytes)
	require.Equal(t, []int{3, 0, 2}, []int{im.Layers[0].Added, im.Layers[0].Changed, im.Layers[0].HiddenFiles})
	require.Equal(t, []int{0, 1, 1}, []int{im.Layers[1].Added, im.Layers[1].Changed, im.Layers[1].Removed})
	require.Equal(t, "RUN rm /etc/secret", im.Layers[1].CreatedBy)

	tree, err := s.Tree(1, "/etc", 0, 0)
	require.NoError(t, err)
	require.Equal(t, 2, tree.Total)
	require.Equal(t, "motd", tree.Entries[0].Name)
	require.Len(t, tree.Entries[0].Copies, 2)
	secret := tree.Entries[1]
	require.True(t, secret.Gone)
	require.Equal(t, []any{0, 1, "whiteout"}, []any{secret.Copies[0].Layer, secret.Copies[0].HiddenBy, secret.Copies[0].Hiding})

	changes, err := s.Changes(0, 1, "", 0, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"/etc/motd changed", "/etc/secret removed"},
		[]string{changes.Changes[0].Path + " " + changes.Changes[0].Action, changes.Changes[1].Path + " " + changes.Changes[1].Action})

	chunk, p, err := s.File(0, 0, "etc/secret", 0, 100)
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(p))
	require.Len(t, chunk.At, 1)
	_, same, err := s.Bytes(chunk.At[0].Blob, chunk.At[0].Off, chunk.At[0].Len)
	require.NoError(t, err)
	require.Equal(t, p, same)
	_, _, err = s.File(0, -1, "etc/secret", 0, 100)
	require.Error(t, err)
	_, p, err = s.File(0, -1, "etc/motd", 6, 100)
	require.NoError(t, err)
	require.Equal(t, "again", string(p))
	for _, bad := range []error{second(s.Tree(7, "/", 0, 0)), second(s.Tree(-1, "/", 0, 0)), second(s.Changes(0, 2, "/", 0, 0)), second(s.Tree(0, "/etc/motd", 0, 0))} {
		require.Error(t, bad)
	}
}

func second[T any](_ T, err error) error { return err }

func TestALayerThatIsNotWhatItsDigestSays(t *testing.T) {
	good, err := session(t, image(t, false)).Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.NotEqual(t, trace.Resolve, good.Outcome.Stage)
	s := session(t, image(t, true))
	bad, err := s.Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.Equal(t, trace.Stops, bad.Outcome.Verdict)
	require.Contains(t, bad.Outcome.Message, "invalid diffID for layer 1: expected")

	var cut bytes.Buffer
	require.NoError(t, s.Slice(&cut, blob.Origin{}))
	again, err := session(t, cut.Bytes()).Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.Equal(t, bad.Outcome, again.Outcome, "a slice keeps the answer")
}

func TestFilesOpenedTogether(t *testing.T) {
	descriptor := "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"d-flat.vmdk\" 0\n"
	flat := strings.Repeat("x", 8*512)
	s, err := OpenFiles([]InputFile{
		{"d-flat.vmdk", strings.NewReader(flat), int64(len(flat))},
		{"d.vmdk", strings.NewReader(descriptor), int64(len(descriptor))},
	}, Options{})
	require.NoError(t, err)
	in := s.Inspect()
	require.Equal(t, "d.vmdk", in.Name)
	require.Equal(t, int64(4096), in.VirtualSize)
	_, err = OpenFiles(nil, Options{})
	require.Error(t, err)
}
