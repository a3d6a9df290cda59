package blob

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func TestAFileInAPartitionKnowsItsBytesOnTheDisk(t *testing.T) {
	data := pattern(4096)
	disk := New("disk0", bytes.NewReader(data), 4096, nil)
	part := Section(disk, 1024, 2048)
	file := Mapped(part, 1000, []Extent{{0, 512, 512}, {512, 256, -1}, {768, 232, 0}})

	got, err := ReadAll(file, 1000)
	require.NoError(t, err)
	want := append(append(append([]byte{}, data[1536:2048]...), make([]byte, 256)...), data[1024:1256]...)
	require.Equal(t, want, got)
	require.Equal(t, []Span{{"disk0", 1536, 512}, {"disk0", 1024, 232}}, Locate(file, 0, 1000), "the hole has no span")
	require.Equal(t, []Span{{"disk0", 1026, 3}}, Locate(file, 770, 3))
	require.Nil(t, Locate(file, 600, 10))
	require.Equal(t, "disk0[0x600:+512]", Locate(file, 0, 512)[0].String())
}

func TestReadsPastTheEndAreShort(t *testing.T) {
	b := New("b", bytes.NewReader(pattern(10)), 10, nil)
	for name, r := range map[string]io.ReaderAt{"blob": b, "section": Section(b, 0, 10), "mapped": Mapped(b, 10, []Extent{{0, 10, 0}})} {
		p := make([]byte, 8)
		n, err := r.ReadAt(p, 6)
		require.Equal(t, 4, n, name)
		require.Equal(t, io.EOF, err, name)
		n, err = r.ReadAt(p, 10)
		require.Zero(t, n, name)
		require.Equal(t, io.EOF, err, name)
	}
	_, err := ReadAll(b, 9)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestAPatchLeavesThePristineBytes(t *testing.T) {
	b := New("b", bytes.NewReader(pattern(16)), 16, nil)
	o := Overlay(b, Patch{2, []byte{0xaa, 0xbb}}, Patch{3, []byte{0xcc}}, Patch{15, []byte{1, 2, 3}})
	p := make([]byte, 16)
	n, err := o.ReadAt(p, 0)
	require.NoError(t, err)
	require.Equal(t, 16, n)
	require.Equal(t, []byte{0, 1, 0xaa, 0xcc, 4}, p[:5])
	require.Equal(t, byte(1), p[15], "a patch cannot make a blob longer")
	require.Equal(t, []Span{{"b", 2, 2}}, Locate(o, 2, 2))
	_, err = b.ReadAt(p, 0)
	require.NoError(t, err)
	require.Equal(t, pattern(16), p)
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func TestADerivedStreamIsReadAtRandomAndUnpackedAsNeeded(t *testing.T) {
	data := pattern(5*blockSize + 100)
	z := gzipped(data)
	s := NewStore()
	in := s.Add("in.gz", bytes.NewReader(z), int64(len(z)), nil)
	opened := 0
	open := func() (io.Reader, error) {
		opened++
		return gzip.NewReader(io.NewSectionReader(Raw(in), 0, in.Size()))
	}
	d := s.Derive("in", open, 1<<30, []Span{{"in.gz", 0, in.Size()}})
	for _, off := range []int64{3 * blockSize, 10, 5*blockSize + 90, blockSize - 5} {
		p := make([]byte, 10)
		_, err := d.ReadAt(p, off)
		require.NoError(t, err)
		require.Equal(t, data[off:off+10], p)
	}
	require.Equal(t, 1, opened)
	require.Equal(t, int64(len(data)), d.Size())
	require.Equal(t, in.Size(), s.BytesRead(), "each byte of the input counts once")
	require.Equal(t, []Span{{"in", 5, 5}}, d.Locate(5, 5))
	require.Equal(t, []Span{{"in.gz", 0, in.Size()}}, d.From(5, 5))

	bomb := s.Derive("bomb", open, blockSize, nil)
	require.LessOrEqual(t, bomb.Size(), int64(3*blockSize))
	require.ErrorIs(t, bomb.Err(), ErrTooLarge)
}

func TestASliceReplaysWhatWasReadAndNothingElse(t *testing.T) {
	data := pattern(4 * blockSize)
	z := gzipped(data)
	input := append([]byte("HEADER..."), z...)
	open := func(s *Store, in *Blob) *Blob {
		return s.Derive("inner", func() (io.Reader, error) {
			return gzip.NewReader(io.NewSectionReader(Raw(in), 9, in.Size()-9))
		}, 1<<30, []Span{{"in", 9, in.Size() - 9}})
	}
	use := func(s *Store, in *Blob) string {
		head, mid := make([]byte, 9), make([]byte, 7)
		_, err := in.ReadAt(head, 0)
		require.NoError(t, err)
		_, err = open(s, in).ReadAt(mid, 2*blockSize)
		require.NoError(t, err)
		return fmt.Sprintf("%s %x", head, mid)
	}
	s := NewStore()
	in := s.Add("in", bytes.NewReader(input), int64(len(input)), nil)
	want := use(s, in)
	var out bytes.Buffer
	origin := Origin{Name: "in", Size: in.Size(), Tool: "test"}
	require.NoError(t, s.WriteSlice(&out, origin))
	require.Less(t, out.Len(), 400, "the compressed stream is not kept, its result is")
	require.True(t, IsSlice(bytes.NewReader(out.Bytes())))
	require.False(t, IsSlice(bytes.NewReader(input)))

	s2, o2, err := OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Equal(t, origin, o2)
	kept := s2.Kept(o2.Name)
	in2 := s2.Add(o2.Name, kept, kept.Size(), nil)
	require.Equal(t, want, use(s2, in2))
	_, err = in2.ReadAt(make([]byte, 4), 100)
	require.True(t, errors.Is(err, ErrNotKept), "%v", err)
	require.Equal(t, int64(len(data)), s2.Blob("inner").Size())
	p := make([]byte, 20)
	require.Equal(t, [][2]int64{{9, 11}}, kept.ReadKept(p, 0))
	require.Equal(t, "HEADER...", string(p[:9]))
}

func TestRangesMerge(t *testing.T) {
	var r ranges
	for _, x := range [][2]int64{{10, 5}, {30, 5}, {15, 5}, {0, 2}, {12, 20}, {50, 0}} {
		r.add(x[0], x[1])
	}
	require.Equal(t, []run{{0, 2}, {10, 35}}, r.runs)
}

func FuzzOpenSlice(f *testing.F) {
	s := NewStore()
	in := s.Add("in", bytes.NewReader(pattern(100)), 100, nil)
	in.ReadAt(make([]byte, 10), 5)
	var out bytes.Buffer
	s.WriteSlice(&out, Origin{Name: "in", Size: 100})
	f.Add(out.Bytes())
	f.Add(gzipped([]byte(sliceMagic + `{"blobs":[{"name":"a","size":-1,"ranges":[[9223372036854775800,100]]}]}` + "\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, o, err := OpenSlice(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if k := s.Kept(o.Name); k != nil {
			p := make([]byte, 64)
			for _, off := range []int64{0, 5, k.Size() - 3} {
				if off >= 0 {
					k.ReadAt(p, off)
				}
			}
		}
	})
}
