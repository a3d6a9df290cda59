//go:build js && wasm

package main

import (
	"fmt"
	"io"
	"math"
	"syscall/js"
)

// scratchPart is how much goes into one Blob: the browser takes those out of memory when they add up.
const scratchPart = 4 << 20

// scratch keeps unpacked blocks in Blobs of the browser, because memory that wasm has grown to is never given
// back. It is written from front to back.
type scratch struct {
	parts []*file // of scratchPart bytes each
	kept  *cached // reads them
	tail  []byte  // what is not in a Blob yet
}

func newScratch() *scratch {
	s := &scratch{}
	s.kept = newBlocks(scratchBlocks, nil).of(partsReader{s}, math.MaxInt64)
	return s
}

// partsReader reads the full parts; reads do not cross their borders.
type partsReader struct{ s *scratch }

func (r partsReader) ReadAt(p []byte, off int64) (int, error) {
	return r.s.parts[off/scratchPart].ReadAt(p, off%scratchPart)
}

func (s *scratch) WriteAt(p []byte, off int64) (n int, err error) {
	end := int64(len(s.parts))*scratchPart + int64(len(s.tail))
	if off < end || off-end > scratchPart {
		return 0, fmt.Errorf("scratch: write at %#x, want %#x or a little more", off, end)
	}
	s.tail = append(s.tail, make([]byte, off-end)...)
	s.tail = append(s.tail, p...)
	defer func() { // a browser that has no room left throws
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("scratch: %v", r)
		}
	}()
	for len(s.tail) >= scratchPart {
		b := js.Global().Get("Blob").New([]any{toJS(s.tail[:scratchPart])})
		s.parts = append(s.parts, newFile(b))
		s.tail = append(s.tail[:0], s.tail[scratchPart:]...)
	}
	return len(p), nil
}

func (s *scratch) ReadAt(p []byte, off int64) (int, error) {
	full := int64(len(s.parts)) * scratchPart
	done := 0
	if off < full {
		n, err := s.kept.ReadAt(p[:min(int64(len(p)), full-off)], off)
		if done = n; err != nil || done == len(p) {
			return done, err
		}
		off += int64(n)
	}
	if off-full > int64(len(s.tail)) {
		return done, io.EOF
	}
	n := copy(p[done:], s.tail[off-full:])
	if done += n; done < len(p) {
		return done, io.EOF
	}
	return done, nil
}
