package blob

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// noise is a stream of n bytes that does not compress, computed from the offset.
func noise(n int64) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

// counted derives data and counts how often it is opened.
func counted(s *Store, name string, data []byte) (b *Blob, opened *int) {
	opened = new(int)
	b = s.Derive(name, func() (io.Reader, error) {
		*opened++
		return bytes.NewReader(data), nil
	}, 1<<40, []Span{{"in", 0, 1}})
	return b, opened
}

func readBackwards(t *testing.T, b *Blob, data []byte) {
	p := make([]byte, 100)
	for off := b.Size() - 100; off >= 0; off -= 3 * blockSize {
		_, err := b.ReadAt(p, off)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[off:off+100], p), "at %d", off)
	}
}

// memory is a scratch space for tests.
type memory struct {
	data []byte
	max  int64
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > m.max {
		return 0, errors.New("no space left on device")
	}
	if grow := off + int64(len(p)) - int64(len(m.data)); grow > 0 {
		m.data = append(m.data, make([]byte, grow)...)
	}
	return copy(m.data[off:], p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.data).ReadAt(p, off)
}

func TestAStreamLongerThanMemoryIsUnpackedOnceWhenThereIsScratchSpace(t *testing.T) {
	data := noise(2*(hotBudget+coldBudget) + 77)
	s := NewStore()
	s.SetScratch(func() (Scratch, error) { return &memory{max: 1 << 40}, nil })
	b, opened := counted(s, "long", data)
	require.Equal(t, int64(len(data)), b.Size())
	readBackwards(t, b, data)
	require.Equal(t, 1, *opened)
	require.LessOrEqual(t, s.cache.hotUsed, int64(hotBudget))
	require.Zero(t, s.cache.coldUsed)
}

func TestAFullScratchSpaceOnlyCostsTime(t *testing.T) {
	data := noise(hotBudget + coldBudget + 40*blockSize)
	for name, open := range map[string]func() (Scratch, error){
		"full": func() (Scratch, error) { return &memory{max: 10 * blockSize}, nil },
		"none": func() (Scratch, error) { return nil, errors.New("read-only file system") },
	} {
		s := NewStore()
		s.SetScratch(open)
		b, _ := counted(s, name, data)
		require.Equal(t, int64(len(data)), b.Size())
		p := make([]byte, 100)
		for _, off := range []int64{b.Size() - 100, 0, 30 * blockSize, hotBudget + coldBudget} {
			_, err := b.ReadAt(p, off)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[off:off+100], p), "%s at %d", name, off)
		}
	}
}

func TestWhatCompressesStaysInMemory(t *testing.T) {
	data := bytes.Repeat(pattern(1<<20), 2*(hotBudget+coldBudget)>>20)
	s := NewStore()
	b, opened := counted(s, "text", data)
	readBackwards(t, b, data)
	require.Equal(t, 1, *opened)
	require.LessOrEqual(t, s.cache.hotUsed, int64(hotBudget))
	require.LessOrEqual(t, s.cache.coldUsed, int64(coldBudget))
}

func TestZerosCostNothing(t *testing.T) {
	const size = 1 << 30
	s := NewStore()
	opened := 0
	b := s.Derive("sparse", func() (io.Reader, error) {
		opened++
		return io.MultiReader(io.LimitReader(zeroReader{}, size), bytes.NewReader([]byte("end"))), nil
	}, 1<<40, []Span{{"in", 0, 1}})
	require.Equal(t, int64(size+3), b.Size())
	p := make([]byte, 10)
	n, err := b.ReadAt(p, size-2)
	require.Equal(t, io.EOF, err)
	require.Equal(t, "\x00\x00end", string(p[:n]))
	_, err = b.ReadAt(p, 5)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 10), p)
	require.Equal(t, 1, opened)
	require.LessOrEqual(t, s.cache.hotUsed, int64(blockSize))

	half := s.Derive("half", func() (io.Reader, error) { return io.LimitReader(zeroReader{}, 70000), nil }, 1<<40, []Span{{"in", 0, 2}})
	all, err := ReadAll(half, 1<<20)
	require.NoError(t, err)
	require.Len(t, all, 70000)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
