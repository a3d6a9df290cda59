package blob

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Find remembers a search through r under a name of its own: a slice keeps where the search ended, not all
// that it looked through. search gets r raw and returns where the hit lies; n is 0 when there is none.
// Reading the hit itself is up to the caller. Without a store the search is made and not remembered.
func (s *Store) Find(name string, r io.ReaderAt, search func(raw io.ReaderAt) (off, n int64)) (off, n int64) {
	if s == nil {
		return search(r)
	}
	size := int64(1)
	if sized, ok := r.(Sized); ok {
		size = sized.Size()
	}
	b := s.DeriveOf(name, func() (io.Reader, error) {
		off, n := search(s.Raw(r))
		return bytes.NewReader(binary.AppendVarint(binary.AppendVarint(nil, off), n)), nil
	}, 2*binary.MaxVarintLen64, r, 0, size)
	in := bytes.NewReader(nil)
	if data, err := ReadAll(b, 2*binary.MaxVarintLen64); err == nil {
		in.Reset(data)
	}
	off, err := binary.ReadVarint(in)
	if err != nil {
		return 0, 0
	}
	if n, err = binary.ReadVarint(in); err != nil || off < 0 || n < 0 {
		return 0, 0
	}
	return off, n
}
