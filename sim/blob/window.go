package blob

import (
	"fmt"
	"io"
)

// Window reads n bytes at off of r once and serves them from memory; offsets stay those of r, so that
// what is decoded from the window is cited as if it came from r. Reads outside the window end in io.EOF.
// A reader that ends inside the window gives a shorter one.
func Window(r io.ReaderAt, off, n int64) (*WindowReader, error) {
	if off < 0 || n < 0 {
		return nil, fmt.Errorf("window of %d bytes at %d", n, off)
	}
	data := make([]byte, n)
	got, err := r.ReadAt(data, off)
	if err == io.EOF || err == io.ErrUnexpectedEOF || int64(got) == n {
		err = nil
	}
	return &WindowReader{r: r, off: off, data: data[:got]}, err
}

// WindowReader is a part of a reader that is kept in memory.
type WindowReader struct {
	r    io.ReaderAt
	off  int64
	data []byte
}

// Bytes are the window's bytes; they must not be changed.
func (w *WindowReader) Bytes() []byte { return w.data }

// ReadAt implements [io.ReaderAt] with the offsets of the reader below.
func (w *WindowReader) ReadAt(p []byte, off int64) (int, error) {
	if off < w.off || off-w.off >= int64(len(w.data)) {
		return 0, io.EOF
	}
	n := copy(p, w.data[off-w.off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Locate implements [Locator].
func (w *WindowReader) Locate(off, n int64) []Span { return Locate(w.r, off, n) }
