package blob

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// A what-if's store uses what the first unpacked when it lies in the same bytes, under its own name and
// counted as read; from other bytes it unpacks by itself.
func TestBorrow(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 64)
	opened := 0
	source := func() (*Store, *Blob) {
		s := NewStore()
		return s, s.Add("in", bytes.NewReader(data), int64(len(data)), nil)
	}
	derive := func(s *Store, in *Blob, off int64) string {
		b := s.Derive("in!", func() (io.Reader, error) {
			opened++
			return io.NewSectionReader(Raw(in), off, 32), nil
		}, 100, Locate(in, off, 32))
		got, err := ReadAll(b, 100)
		require.NoError(t, err)
		require.Equal(t, "in!", b.Name())
		require.Equal(t, []Span{{"in", off, 32}}, b.From(0, 1))
		return string(got)
	}
	first, in := source()
	in.ReadAt(make([]byte, 16), 512) // something else that only the first run read
	want := derive(first, in, 64)

	again, in := source()
	again.Borrow(first)
	require.Equal(t, want, derive(again, in, 64))
	require.Equal(t, 1, opened)
	require.Equal(t, int64(32), again.BytesRead())

	other, in := source()
	other.Borrow(first)
	require.Equal(t, string(data[128:160]), derive(other, in, 128))
	require.Equal(t, 2, opened)
	require.Equal(t, int64(32), other.BytesRead())
}

// A run of an edited file leaves no stream behind that the next run of the pristine one would stumble over.
func TestAbsorbLeavesWhatAnEditMade(t *testing.T) {
	pristine, edited := NewStore(), NewStore()
	open := func() (io.Reader, error) { return bytes.NewReader([]byte("x")), nil }
	edited.Derive("boot/initrd!", open, 10, nil)
	pristine.Absorb(edited)
	require.Nil(t, pristine.Blob("boot/initrd!"))
	require.Equal(t, "boot/initrd!", pristine.Derive("boot/initrd!", open, 10, []Span{{"disk0", 0, 1}}).Name())
}

func TestReopen(t *testing.T) {
	s := NewStore()
	in := s.Add("in", bytes.NewReader([]byte("kept and lost")), 13, nil)
	in.ReadAt(make([]byte, 4), 0)
	var slice bytes.Buffer
	require.NoError(t, s.WriteSlice(&slice, Origin{Name: "in", Size: 13}))
	first, _, err := OpenSlice(bytes.NewReader(slice.Bytes()), int64(slice.Len()))
	require.NoError(t, err)
	first.Add("in", nil, 13, nil).ReadAt(make([]byte, 4), 9)
	_, missed := first.Missed()
	require.True(t, missed)

	again := first.Reopen()
	p := make([]byte, 4)
	_, err = again.Add("in", nil, 13, nil).ReadAt(p, 0)
	require.NoError(t, err)
	require.Equal(t, "kept", string(p))
	_, missed = again.Missed()
	require.False(t, missed)
	require.Nil(t, NewStore().Reopen())
}
