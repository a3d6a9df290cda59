package uboot

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

// image is what mkimage -A arm64 -T script -C none -n NAME writes.
func image(name, text string) []byte {
	data := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	data = append(binary.BigEndian.AppendUint32(data, 0), text...)
	h := Header{Magic: magic, Time: 1700000000, Size: uint32(len(data)), DataCRC: crc32.ChecksumIEEE(data), OS: 5, Arch: 22, Type: typeScript}
	copy(h.Name[:], name)
	head, _ := binary.Append(nil, binary.BigEndian, &h)
	h.HeaderCRC = crc32.ChecksumIEEE(head)
	head, _ = binary.Append(nil, binary.BigEndian, &h)
	return append(head, data...)
}

func TestLayout(t *testing.T) { require.NoError(t, decode.CheckLayout(new(Header), headerSize)) }

func TestScript(t *testing.T) {
	b := fixture.Blob("boot.scr", image("Debian boot script", "echo hello\n"))
	s, err := Read(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", s.Text)
	require.Equal(t, "Debian boot script", s.Name)
	require.EqualValues(t, 72, s.Off)
	fixture.Cited(t, b.Size(), s.Cites...)
	_, err = Read(blob.Overlay(b, blob.Patch{Off: 80, Data: []byte("!")}), b.Size())
	require.ErrorContains(t, err, "DataCRC")
	_, err = Read(blob.Overlay(b, blob.Patch{Off: 0x21, Data: []byte("!")}), b.Size())
	require.ErrorContains(t, err, "HeaderCRC")
	_, err = Read(blob.Overlay(b, blob.Patch{Off: 0, Data: []byte("#!/b")}), b.Size())
	require.ErrorIs(t, err, decode.ErrFormat)
}

func TestWhatMkimageWrites(t *testing.T) {
	tool, err := exec.LookPath("mkimage")
	if err != nil {
		t.Skip("mkimage is not installed")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "boot.cmd"), []byte("booti\n"), 0o644))
	require.NoError(t, exec.Command(tool, "-A", "arm64", "-T", "script", "-C", "none", "-n", "x", "-d", filepath.Join(dir, "boot.cmd"), filepath.Join(dir, "boot.scr")).Run())
	data, err := os.ReadFile(filepath.Join(dir, "boot.scr"))
	require.NoError(t, err)
	b := fixture.Blob("boot.scr", data)
	s, err := Read(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, "booti\n", s.Text)
}

func FuzzRead(f *testing.F) {
	f.Add(image("a", "echo hello\n"))
	f.Add([]byte("\xd0\x0d\xfe\xed"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := fixture.Blob("boot.scr", data)
		if s, err := Read(b, b.Size()); err == nil {
			fixture.Cited(t, b.Size(), s.Cites...)
			require.LessOrEqual(t, s.Off+int64(len(s.Text)), b.Size())
		}
	})
}
