package blob

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// forks is an input of numbered bytes and a counter of what was unpacked from it.
type forks struct {
	*Store
	in     *Blob
	opened int
}

func newForks() *forks {
	f := &forks{Store: NewStore()}
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i)
	}
	f.in = f.Add("in", bytes.NewReader(data), int64(len(data)), nil)
	return f
}

// derive unpacks 16 bytes at off under the name; from names the blob that it reads.
func (f *forks) derive(t *testing.T, s *Store, name string, from io.ReaderAt, off int64) []byte {
	raw := from
	if b, ok := from.(*Blob); ok {
		raw = Raw(b)
	}
	b := s.DeriveOf(name, func() (io.Reader, error) {
		f.opened++
		return io.NewSectionReader(raw, off, 16), nil
	}, 100, from, off, 16)
	got, err := ReadAll(b, 100)
	require.NoError(t, err)
	require.Equal(t, name, b.Name())
	require.Equal(t, b, s.Blob(name))
	return got
}

func TestForksShareWhatIsTheSame(t *testing.T) {
	f := newForks()
	first := f.Fork()
	want := f.derive(t, first, "initrd!", f.in, 64)

	again := f.Fork()
	require.Equal(t, want, f.derive(t, again, "initrd!", f.in, 64))
	require.Equal(t, 1, f.opened)

	other := f.Fork() // the file of that name lies elsewhere
	require.Equal(t, byte(128), f.derive(t, other, "initrd!", f.in, 128)[0])
	require.Equal(t, 2, f.opened)
	require.Equal(t, byte(64), f.derive(t, f.Fork(), "initrd!", f.in, 64)[0])
	require.Equal(t, 2, f.opened)
}

// What lies in a patch is unpacked again, and what was computed from that; what lies beside it is not.
func TestForksDoNotShareWhatIsChanged(t *testing.T) {
	f := newForks()
	first := f.Fork()
	f.derive(t, first, "a", f.in, 0)
	f.derive(t, first, "aa", first.Blob("a"), 0)
	f.derive(t, first, "b", f.in, 32)
	require.Equal(t, 3, f.opened)

	patched := f.Fork(Span{"in", 15, 1})
	view := Overlay(f.in, Patch{15, []byte{99}})
	require.Equal(t, byte(99), f.derive(t, patched, "a", view, 0)[15])
	require.Equal(t, byte(99), f.derive(t, patched, "aa", patched.Blob("a"), 0)[15])
	f.derive(t, patched, "b", f.in, 32)
	require.Equal(t, 5, f.opened)
	require.Equal(t, byte(15), f.derive(t, f.Fork(), "aa", f.Blob("a"), 0)[15])
}

// A run of an edited file leaves no stream behind that the next run of the pristine one would stumble over.
func TestForksDoNotShareWhatAnEditMade(t *testing.T) {
	f := newForks()
	edited := f.Fork()
	open := func() (io.Reader, error) { return bytes.NewReader([]byte("x")), nil }
	edited.Derive("boot/initrd!", open, 10, nil)
	require.Nil(t, f.Blob("boot/initrd!"))
	require.Len(t, f.derive(t, f.Fork(), "boot/initrd!", f.in, 0), 16)
}

// A run in a slice misses for itself.
func TestForksOfASlice(t *testing.T) {
	f := newForks()
	f.derive(t, f.Store, "kept!", f.in, 0)
	var slice bytes.Buffer
	require.NoError(t, f.WriteSlice(&slice, Origin{Name: "in", Size: 256}))
	s, _, err := OpenSlice(bytes.NewReader(slice.Bytes()), int64(slice.Len()))
	require.NoError(t, err)
	in := s.Add("in", nil, 256, nil)

	lost := s.Fork()
	in.ReadAt(make([]byte, 4), 200)
	at, missed := lost.Missed()
	require.True(t, missed)
	require.Equal(t, Span{"in", 200, 1}, at)

	kept := s.Fork()
	require.Len(t, f.derive(t, kept, "kept!", in, 0), 16)
	_, missed = kept.Missed()
	require.False(t, missed)

	patched := s.Fork(Span{"in", 3, 1}) // what it would unpack to is not in the slice
	b := patched.Derive("kept!", func() (io.Reader, error) { return io.NewSectionReader(in, 0, 16), nil }, 100, []Span{{"in", 0, 16}})
	_, err = ReadAll(b, 100)
	require.NoError(t, err)
	require.Zero(t, b.Size())
	_, missed = patched.Missed()
	require.True(t, missed)
}

// A value is computed once for all runs in which its bytes are the same, and its blobs come with it.
func TestRemember(t *testing.T) {
	f := newForks()
	ask := func(s *Store, r io.ReaderAt) string {
		return Remember(s, "sum", r, 0, 16, func() string { return fmt.Sprint(f.derive(t, s, "a", r, 0)) })
	}
	want := ask(f.Fork(), f.in)
	again := f.Fork()
	require.Equal(t, want, ask(again, f.in))
	require.Equal(t, 1, f.opened)
	require.NotNil(t, again.Blobs()[0])

	patched := Overlay(f.in, Patch{15, []byte{99}})
	require.NotEqual(t, want, ask(f.Fork(Span{"in", 15, 1}), patched))
	require.Equal(t, want, ask(f.Fork(Span{"in", 16, 1}), f.in))
	require.Equal(t, want, ask(f.Fork(), f.in))
	require.Equal(t, 2, f.opened)

	// The same bytes behind a hole are another file.
	holed := Mapped(f.in, 32, []Extent{{16, 16, 0}})
	require.Equal(t, "moved", Remember(f.Fork(Span{"in", 200, 1}), "sum", holed, 0, 32, func() string { return "moved" }))
	require.Equal(t, "written", Remember(f.Fork(), "sum", bytes.NewReader(nil), 0, 16, func() string { return "written" }))
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
