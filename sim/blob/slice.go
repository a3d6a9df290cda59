package blob

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
)

// A slice is a small file that keeps exactly the ranges that a run read: of the input file and of every
// stream derived from it. Opening a slice gives the same run with the same evidence. Layout, all gzipped:
//
//	"bootpath slice 1\n"
//	one line of JSON: Origin and the table of blobs with their ranges
//	the bytes of the ranges, in the order of the table
const sliceMagic = "bootpath slice 1\n"

const (
	sliceMax      = 64 << 20 // bytes of data a slice may hold
	sliceTableMax = 16 << 20 // bytes of its table
)

// Origin says what a slice was cut from.
type Origin struct {
	Name   string `json:"name"`             // base name of the input
	Size   int64  `json:"size"`             // its length in bytes
	Read   int64  `json:"read"`             // distinct bytes of it that the recorded runs read
	SHA256 string `json:"sha256,omitempty"` // of the whole input, when whoever cut it knew
	Tool   string `json:"tool"`             // what cut it
	Date   string `json:"date,omitempty"`   // RFC 3339, day only
	Note   string `json:"note,omitempty"`   // how the input was made or where it is published
}

type sliceTable struct {
	Origin Origin      `json:"origin"`
	Blobs  []sliceBlob `json:"blobs"`
}

type sliceBlob struct {
	Name   string     `json:"name"`
	Size   int64      `json:"size"`
	Ranges [][2]int64 `json:"ranges"` // offset, length
}

// ErrNotKept is wrapped when a slice is asked for bytes that the recorded run had not read.
var ErrNotKept = errors.New("not kept in this slice")

// IsSlice tells whether a file starts like a slice: gzip, then the magic line.
func IsSlice(r io.ReaderAt) bool {
	head := make([]byte, 4096)
	n, _ := r.ReadAt(head, 0)
	z, err := gzip.NewReader(bytes.NewReader(head[:n]))
	if err != nil {
		return false
	}
	got := make([]byte, len(sliceMagic))
	_, err = io.ReadFull(z, got)
	return err == nil && string(got) == sliceMagic
}

// WriteSlice writes the ranges that were read of every blob of the store so far.
func (s *Store) WriteSlice(w io.Writer, o Origin) error {
	t := sliceTable{Origin: o}
	for _, b := range s.order {
		sb := sliceBlob{Name: b.name, Size: b.Size(), Ranges: [][2]int64{}}
		for _, r := range b.log.runs {
			sb.Ranges = append(sb.Ranges, [2]int64{r.off, r.end - r.off})
		}
		t.Blobs = append(t.Blobs, sb)
	}
	table, err := json.Marshal(t)
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(w, gzip.BestCompression)
	if _, err := fmt.Fprintf(z, "%s%s\n", sliceMagic, table); err != nil {
		return err
	}
	for i, b := range s.order {
		for _, r := range t.Blobs[i].Ranges {
			if _, err := io.Copy(z, io.NewSectionReader(b.r, r[0], r[1])); err != nil {
				return fmt.Errorf("%s at %#x: %w", b.name, r[0], err)
			}
		}
	}
	return z.Close()
}

// OpenSlice reads a slice and returns a store that knows its ranges, and the input blob's origin.
// The store has no blobs yet: opening the image again, with [Store.Kept] of the origin's name as its
// input, adds them.
func OpenSlice(r io.ReaderAt, size int64) (*Store, Origin, error) {
	z, err := gzip.NewReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, Origin{}, fmt.Errorf("slice: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(z, sliceMax+sliceTableMax))
	magic := make([]byte, len(sliceMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != sliceMagic {
		return nil, Origin{}, fmt.Errorf("slice: starts with %q, want %q", magic, sliceMagic)
	}
	line, err := in.ReadSlice('\n')
	for err == bufio.ErrBufferFull && len(line) < sliceTableMax {
		line = bytes.Clone(line)
		var more []byte
		more, err = in.ReadSlice('\n')
		line = append(line, more...)
	}
	if err != nil {
		return nil, Origin{}, fmt.Errorf("slice: table: %w", err)
	}
	var t sliceTable
	if err := json.Unmarshal(line, &t); err != nil {
		return nil, Origin{}, fmt.Errorf("slice: table: %w", err)
	}
	s := NewStore()
	s.saved = map[string]*Saved{}
	var total int64
	for _, b := range t.Blobs {
		saved := &Saved{name: b.Name, size: b.Size, miss: s.miss}
		end := int64(0)
		for _, r := range b.Ranges {
			if r[0] < end || r[1] <= 0 || r[1] > sliceMax || (b.Size >= 0 && r[0] > b.Size-r[1]) {
				return nil, Origin{}, fmt.Errorf("slice: %s: range %d+%d, want sorted ranges inside %d bytes", b.Name, r[0], r[1], b.Size)
			}
			if total += r[1]; total > sliceMax {
				return nil, Origin{}, fmt.Errorf("slice: more than %d bytes kept: %w", sliceMax, ErrTooLarge)
			}
			var data bytes.Buffer
			if _, err := io.CopyN(&data, in, r[1]); err != nil {
				return nil, Origin{}, fmt.Errorf("slice: %s at %#x: %w", b.Name, r[0], err)
			}
			saved.runs = append(saved.runs, savedRun{r[0], data.Bytes()})
			end = r[0] + r[1]
		}
		s.saved[b.Name] = saved
	}
	return s, t.Origin, nil
}

// Reopen is a store over the same slice that has no blobs yet, as [OpenSlice] gives it; nil for a store that
// was not opened from a slice. Both share the bytes.
func (s *Store) Reopen() *Store {
	if s.saved == nil {
		return nil
	}
	again := NewStore()
	again.saved = make(map[string]*Saved, len(s.saved))
	for name, kept := range s.saved {
		again.saved[name] = &Saved{name: kept.name, size: kept.size, runs: kept.runs, miss: again.miss}
	}
	return again
}

// Saved is what a slice kept of one blob.
type Saved struct {
	name string
	size int64
	runs []savedRun
	miss *miss
}

// miss is where the blobs of a slice were first asked for what it lacks.
type miss struct{ at *Span }

type savedRun struct {
	off  int64
	data []byte
}

// Size is the length of the blob that the ranges were kept of.
func (s *Saved) Size() int64 { return s.size }

// ReadAt implements [io.ReaderAt]; bytes that were not kept give [ErrNotKept].
func (s *Saved) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].off+int64(len(s.runs[i].data)) > off })
	for done < len(p) {
		if off >= s.size && s.size >= 0 {
			return done, io.EOF
		}
		if i >= len(s.runs) || s.runs[i].off > off {
			if s.miss.at == nil {
				s.miss.at = &Span{s.name, off, 1}
			}
			return done, fmt.Errorf("%s at %#x: %w", s.name, off, ErrNotKept)
		}
		n := copy(p[done:], s.runs[i].data[off-s.runs[i].off:])
		done, off, i = done+n, off+int64(n), i+1
	}
	return done, nil
}

// ReadKept fills p with the kept bytes from off on, zeros elsewhere, and returns the ranges of p (offset,
// length) that were not kept.
func (s *Saved) ReadKept(p []byte, off int64) (gaps [][2]int64) {
	clear(p)
	at, end := off, off+int64(len(p))
	for _, r := range s.runs {
		lo, hi := max(r.off, at), min(r.off+int64(len(r.data)), end)
		if lo >= hi {
			continue
		}
		if lo > at {
			gaps = append(gaps, [2]int64{at - off, lo - at})
		}
		copy(p[lo-off:hi-off], r.data[lo-r.off:])
		at = hi
	}
	if at < end {
		gaps = append(gaps, [2]int64{at - off, end - at})
	}
	return gaps
}

// Missed tells where a run first wanted bytes that the slice had not kept; ok is false when it had all.
func (s *Store) Missed() (at Span, ok bool) {
	if s.miss.at == nil {
		return Span{}, false
	}
	return *s.miss.at, true
}

// Ranges lists what was kept: offset and length, sorted.
func (s *Saved) Ranges() [][2]int64 {
	out := make([][2]int64, 0, len(s.runs))
	for _, r := range s.runs {
		out = append(out, [2]int64{r.off, int64(len(r.data))})
	}
	return out
}
