package stream

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/decode"
)

// text is what is packed: compressible, longer than a block of any of the formats' small modes.
func text(n int) []byte {
	r := rand.New(rand.NewSource(1))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(strings.Repeat("the quick brown fox ", r.Intn(4)))
		b.WriteByte(byte(r.Intn(256)))
	}
	return b.Bytes()[:n]
}

// tool packs data; it skips the test without the tool.
func tool(t testing.TB, data []byte, argv ...string) []byte {
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("%s is not installed", argv[0])
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

var tools = []struct {
	kind Kind
	argv []string
}{
	{Gzip, []string{"gzip", "-n"}},
	{XZ, []string{"xz", "--check=crc32"}},
	{XZ, []string{"xz", "-0", "--block-size=100000"}},
	{XZ, []string{"xz", "--check=sha256", "--x86", "--lzma2=dict=1MiB"}},
	{Zstd, []string{"zstd", "-q", "-19"}},
	{Zstd, []string{"zstd", "-q", "--no-check", "--fast"}},
	{LZ4, []string{"lz4", "-q", "-l", "-"}},
	{LZ4, []string{"lz4", "-q", "-"}},
	{LZMA, []string{"xz", "--format=lzma"}},
	{Bzip2, []string{"bzip2", "-1"}},
}

func TestStreamsOfTheTools(t *testing.T) {
	for _, c := range tools {
		t.Run(strings.Join(c.argv, " "), func(t *testing.T) {
			for _, data := range [][]byte{text(300_000), {}, []byte("x")} {
				packed := tool(t, data, c.argv...)
				require.Equal(t, c.kind, Sniff(packed))
				z, err := NewReader(c.kind, bytes.NewReader(packed))
				require.NoError(t, err)
				got, err := io.ReadAll(z)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
			}
		})
	}
}

func TestAFrameKnowsWhereItEnds(t *testing.T) {
	data := text(300_000)
	for _, c := range tools {
		t.Run(strings.Join(c.argv, " "), func(t *testing.T) {
			packed := tool(t, data, c.argv...)
			behind := append(bytes.Clone(packed), "\x00\x00\x00\x00behind it something else"...)
			f, err := NewFrame(c.kind, bytes.NewReader(behind))
			require.NoError(t, err)
			got, err := io.ReadAll(f)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			require.Equal(t, int64(len(packed)), f.Used())
			require.False(t, f.Truncated())
		})
	}
}

func TestFramesFollowEachOther(t *testing.T) {
	data := text(100_000)
	for _, c := range tools {
		if c.kind == LZMA {
			continue // has no magic to tell a second one by
		}
		t.Run(strings.Join(c.argv, " "), func(t *testing.T) {
			packed := tool(t, data, c.argv...)
			z, err := NewReader(c.kind, bytes.NewReader(append(bytes.Clone(packed), packed...)))
			require.NoError(t, err)
			got, err := io.ReadAll(z)
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(bytes.Clone(data), data...), got))
		})
	}
}

func TestTheKernelsAppendedSizeIsNoBlock(t *testing.T) {
	data := text(200_000)
	packed := append(tool(t, data, "lz4", "-q", "-l", "-"), 0x40, 0x0d, 0x03, 0xff)
	z, err := NewReader(LZ4, bytes.NewReader(packed))
	require.NoError(t, err)
	got, err := io.ReadAll(z)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
}

func TestACutStreamIsAnError(t *testing.T) {
	data := text(300_000)
	for _, c := range tools {
		t.Run(strings.Join(c.argv, " "), func(t *testing.T) {
			packed := tool(t, data, c.argv...)
			f, err := NewFrame(c.kind, bytes.NewReader(packed[:len(packed)/2]))
			require.NoError(t, err)
			_, err = io.ReadAll(f)
			require.Error(t, err)
			require.True(t, f.Truncated())
		})
	}
}

func TestKinds(t *testing.T) {
	for head, want := range map[string]Kind{
		"": None, "\x1f\x8b": None, "\x1f\x8b\x08": Gzip, "BZh0": None, "BZh9": Bzip2, "070701": None,
		"\x89LZO\x00\r\n\x1a\n": LZOP, "\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff": LZMA, "\x5d\x00\x00": None,
	} {
		require.Equal(t, want, Sniff([]byte(head)), "%q", head)
	}
	_, err := NewReader(LZOP, strings.NewReader(magicLZOP))
	require.ErrorIs(t, err, decode.ErrUnsupported)
	r, err := NewReader(None, strings.NewReader("as it is"))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "as it is", string(b))
}

func TestAWindowThatIsTooLargeIsNotSupported(t *testing.T) {
	// RFC 8878, 3.1.1.1.2: Window_Descriptor 0x90 is 2^(10+18) bytes.
	_, err := readAll(Zstd, []byte(magicZstd+"\x00\x90\x01\x00\x00"))
	require.ErrorIs(t, err, decode.ErrUnsupported)
	packed := tool(t, text(1000), "xz", "--check=crc32", "--lzma2=dict=256MiB")
	_, err = readAll(XZ, packed)
	require.ErrorIs(t, err, decode.ErrUnsupported)
}

func readAll(k Kind, b []byte) (int64, error) {
	z, err := NewReader(k, bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, io.LimitReader(z, 4<<20))
}

func FuzzReader(f *testing.F) {
	for _, c := range tools {
		if _, err := exec.LookPath(c.argv[0]); err == nil {
			f.Add(tool(f, text(3000), c.argv...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k := Sniff(b[:min(len(b), SniffLen)])
		if k == None {
			return
		}
		n, err := readAll(k, b)
		require.LessOrEqual(t, n, int64(4<<20))
		if err != nil {
			require.False(t, errors.Is(err, io.EOF), "an end that is no error: %v", err)
		}
		fr, err := NewFrame(k, bytes.NewReader(b))
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(fr, 4<<20))
			require.LessOrEqual(t, fr.Used(), int64(len(b)))
		}
	})
}
