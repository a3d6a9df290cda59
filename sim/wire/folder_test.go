package wire

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/scenario"
)

// unpacked gives the members of a tar as the files of a folder.
func unpacked(t *testing.T, folder string, archive []byte) []InputFile {
	var out []InputFile
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		out = append(out, InputFile{folder + "/" + h.Name, bytes.NewReader(data), h.Size})
	}
}

func TestAFolderIsReadLikeItsArchive(t *testing.T) {
	data := image(t, false)
	want, err := session(t, data).Run(scenario.RunSettings{})
	require.NoError(t, err)
	s, err := OpenFiles(unpacked(t, "image", data), Options{})
	require.NoError(t, err)
	in := s.Inspect()
	require.Equal(t, []string{"folder", "docker-archive"}, in.Formats)
	require.Equal(t, "image", in.Name)
	got, err := s.Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.Equal(t, want.Outcome.Message, got.Outcome.Message)
	require.Len(t, got.Steps, len(want.Steps))

	chunk, p, err := s.File(0, 0, "etc/secret", 0, 100)
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(p))
	chunk, _, err = s.Bytes(chunk.At[0].Blob, chunk.At[0].Off, chunk.At[0].Len)
	require.NoError(t, err)
	in1 := chunk.From[0]
	require.Equal(t, "image/1/layer.tar", in1.Blob, "the file that the bytes are in")
	_, same, err := s.Bytes(in1.Blob, in1.Off, in1.Len)
	require.NoError(t, err)
	require.Equal(t, p, same)

	var cut bytes.Buffer
	require.NoError(t, s.Slice(&cut, blob.Origin{}))
	again, err := session(t, cut.Bytes()).Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.Equal(t, got.Steps, again.Steps)
}

// onDisk lists the files of a folder as the command does.
func onDisk(t *testing.T, dir string) []InputFile {
	var out []InputFile
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(dir), path)
		out = append(out, InputFile{filepath.ToSlash(name), bytes.NewReader(data), int64(len(data))})
		return err
	}))
	return out
}

func TestFoldersThatSkopeoWrites(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("skopeo is not installed")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "image.tar")
	require.NoError(t, os.WriteFile(file, image(t, false), 0o644))
	for form, format := range map[string]string{"oci": "oci-archive", "dir": "dir"} {
		to := filepath.Join(dir, form)
		out, err := exec.Command("skopeo", "--insecure-policy", "copy", "-q", "docker-archive:"+file+":a:1", form+":"+to).CombinedOutput()
		require.NoError(t, err, string(out))
		s, err := OpenFiles(onDisk(t, to), Options{})
		require.NoError(t, err, form)
		in := s.Inspect()
		require.Equal(t, []string{"folder", format}, in.Formats)
		require.Equal(t, []string{"/bin/tool"}, in.Images[0].Cmd)
		require.Len(t, in.Images[0].Layers, 2)
		chunk, p, err := s.File(0, -1, "etc/motd", 0, 100)
		require.NoError(t, err)
		require.Equal(t, "hello again", string(p))
		require.NotEmpty(t, chunk.At)
	}
}

func TestFilesOfAFolderWithADisk(t *testing.T) {
	disk := make([]byte, 4096)
	disk[510], disk[511] = 0x55, 0xaa
	s, err := OpenFiles([]InputFile{
		{"vm/README", strings.NewReader("read me"), 7},
		{"vm/disk.img", bytes.NewReader(disk), int64(len(disk))},
	}, Options{})
	require.NoError(t, err)
	require.Equal(t, "disk.img", s.Inspect().Name)
}

func TestAFolderOfTooManyFiles(t *testing.T) {
	files := []InputFile{{"d/index.json", strings.NewReader("{}"), 2}}
	for i := range 20_000 {
		files = append(files, InputFile{fmt.Sprintf("d/%d", i), strings.NewReader(""), 0})
	}
	_, err := OpenFiles(files, Options{})
	require.ErrorIs(t, err, decode.ErrUnsupported)
}
