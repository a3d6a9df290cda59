// Package blob names immutable streams of bytes, so that whatever bootpath shows can be pointed at.
//
// A learner's file is a blob. What is computed from it (the virtual disk inside a qcow2 file, an
// unpacked initramfs, a gunzipped layer) is a blob too, and remembers which bytes of its parent it
// came from. Partitions, files and overlays are views: they have no name of their own and answer
// [Locator] with spans of the blob below them.
package blob

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
)

// Span is evidence: Len bytes at Off of the blob named Blob.
type Span struct {
	Blob string `json:"blob"`
	Off  int64  `json:"off"`
	Len  int64  `json:"len"`
}

// String gives the golden form: disk0[0x1fe:+2].
func (s Span) String() string { return fmt.Sprintf("%s[%#x:+%d]", s.Blob, s.Off, s.Len) }

// Cite is a span with its meaning: the field that lies there and the value read from it.
type Cite struct {
	Span
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// Locator is the optional ability of an [io.ReaderAt] to say where its bytes lie.
// A range that no bytes stand behind (a hole, zeros by definition) has no span.
type Locator interface {
	Locate(off, n int64) []Span
}

// Locate asks r where n bytes at off lie; a reader that cannot say has no spans.
func Locate(r io.ReaderAt, off, n int64) []Span {
	if l, ok := r.(Locator); ok && n > 0 {
		return l.Locate(off, n)
	}
	return nil
}

// Sized is the optional ability of an [io.ReaderAt] to know its length in bytes.
type Sized interface {
	Size() int64
}

// Blob is a named immutable stream with random access. Reading it is safe from one goroutine.
type Blob struct {
	name string
	size int64
	r    io.ReaderAt
	from func(off, n int64) []Span
	log  *ranges
}

// New names the size bytes of r. from says which spans of other blobs a range was computed from;
// it is nil for a file that the learner gave.
func New(name string, r io.ReaderAt, size int64, from func(off, n int64) []Span) *Blob {
	return &Blob{name: name, size: size, r: r, from: from}
}

// Name is the blob's name, unique within its [Store].
func (b *Blob) Name() string { return b.name }

// Size is the length in bytes. For a stream that is still being unpacked it unpacks the rest first.
func (b *Blob) Size() int64 {
	if b.size >= 0 {
		return b.size
	}
	return b.r.(Sized).Size()
}

// Locate implements [Locator]: a blob's bytes lie in itself.
func (b *Blob) Locate(off, n int64) []Span {
	off, n = clip(off, n, b.known())
	if n == 0 {
		return nil
	}
	return []Span{{b.name, off, n}}
}

// From tells which bytes of the parent blobs [off, off+n) was computed from; nil for an input file.
func (b *Blob) From(off, n int64) []Span {
	off, n = clip(off, n, b.known())
	if b.from == nil || n == 0 {
		return nil
	}
	return b.from(off, n)
}

// ReadAt implements [io.ReaderAt].
func (b *Blob) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("%s: negative offset %d", b.name, off)
	}
	size := b.known()
	if off >= size {
		return 0, io.EOF
	}
	short := false
	if int64(len(p)) > size-off {
		p, short = p[:size-off], true
	}
	n, err := b.r.ReadAt(p, off)
	if b.log != nil {
		b.log.add(off, int64(n))
	}
	if n == len(p) {
		err = nil
		if short {
			err = io.EOF
		}
	}
	return n, err
}

// known is the length as far as it is known without unpacking more.
func (b *Blob) known() int64 {
	if b.size < 0 {
		return math.MaxInt64
	}
	return b.size
}

func clip(off, n, size int64) (int64, int64) {
	if off < 0 || off >= size || n <= 0 {
		return 0, 0
	}
	return off, min(n, size-off)
}

// Section is the n bytes of r from off on: a partition, a cluster, a member of an archive.
func Section(r io.ReaderAt, off, n int64) *SectionReader {
	if n < 0 {
		n = 0
	}
	return &SectionReader{r: r, off: off, n: n}
}

// SectionReader is like [io.SectionReader] and keeps the ability to say where its bytes lie.
type SectionReader struct {
	r      io.ReaderAt
	off, n int64
}

// Size is the length in bytes.
func (s *SectionReader) Size() int64 { return s.n }

// ReadAt implements [io.ReaderAt].
func (s *SectionReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= s.n {
		return 0, io.EOF
	}
	if int64(len(p)) > s.n-off {
		n, err := s.r.ReadAt(p[:s.n-off], s.off+off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return s.r.ReadAt(p, s.off+off)
}

// Locate implements [Locator].
func (s *SectionReader) Locate(off, n int64) []Span {
	off, n = clip(off, n, s.n)
	return Locate(s.r, s.off+off, n)
}

// Extent is one run of a [Mapped] reader: Len bytes at Off that lie at Phys of the reader below, or
// zeros when Phys is negative.
type Extent struct {
	Off, Len, Phys int64
}

// Mapped lays extents of r side by side: a file made of blocks. Extents are sorted by Off and do not
// overlap; what none covers reads as zeros and has no span.
func Mapped(r io.ReaderAt, size int64, ext []Extent) *MappedReader {
	return &MappedReader{r: r, size: size, ext: ext}
}

// MappedReader reads a file through its extents.
type MappedReader struct {
	r    io.ReaderAt
	size int64
	ext  []Extent
}

// Size is the length in bytes.
func (m *MappedReader) Size() int64 { return m.size }

// each calls fn for the runs that cover [off, off+n); phys is negative for zeros.
func (m *MappedReader) each(off, n int64, fn func(off, n, phys int64) error) error {
	i := sort.Search(len(m.ext), func(i int) bool { return m.ext[i].Off+m.ext[i].Len > off })
	for n > 0 {
		run, phys := n, int64(-1)
		if i < len(m.ext) {
			if e := m.ext[i]; off < e.Off {
				run = min(run, e.Off-off)
			} else {
				run = min(run, e.Off+e.Len-off)
				if e.Phys >= 0 {
					phys = e.Phys + off - e.Off
				}
				i++
			}
		}
		if err := fn(off, run, phys); err != nil {
			return err
		}
		off, n = off+run, n-run
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (m *MappedReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= m.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > m.size-off {
		p, eof = p[:m.size-off], io.EOF
	}
	done := 0
	err := m.each(off, int64(len(p)), func(_, n, phys int64) error {
		q := p[done : done+int(n)]
		if phys < 0 {
			clear(q)
		} else if got, err := m.r.ReadAt(q, phys); got < len(q) {
			done += got
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		done += int(n)
		return nil
	})
	if err == nil {
		err = eof
	}
	return done, err
}

// Locate implements [Locator].
func (m *MappedReader) Locate(off, n int64) []Span {
	off, n = clip(off, n, m.size)
	var spans []Span
	m.each(off, n, func(_, n, phys int64) error {
		if phys >= 0 {
			spans = append(spans, Locate(m.r, phys, n)...)
		}
		return nil
	})
	return Join(spans)
}

// Join merges spans that continue each other.
func Join(spans []Span) []Span {
	var out []Span
	for _, s := range spans {
		if k := len(out) - 1; k >= 0 && out[k].Blob == s.Blob && out[k].Off+out[k].Len == s.Off {
			out[k].Len += s.Len
			continue
		}
		out = append(out, s)
	}
	return out
}

// Patch replaces the bytes at Off with Data.
type Patch struct {
	Off  int64
	Data []byte
}

// Overlay reads r with patches laid over it, later ones on top; r itself is not changed and its
// pristine bytes stay reachable. A fault that a learner makes is such a patch.
func Overlay(r io.ReaderAt, patches ...Patch) io.ReaderAt {
	if len(patches) == 0 {
		return r
	}
	return &overlay{r, patches}
}

// Patch lays patches over b: from now on it reads as if they were in it, and its citations stay. It is for
// whoever opened a store of its own for a what-if; the pristine blob lives on in the first one.
func (b *Blob) Patch(patches ...Patch) { b.r = Overlay(b.r, patches...) }

type overlay struct {
	r       io.ReaderAt
	patches []Patch
}

func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.r.ReadAt(p, off)
	for _, q := range o.patches {
		lo, hi := max(q.Off, off), min(q.Off+int64(len(q.Data)), off+int64(n))
		if lo < hi {
			copy(p[lo-off:hi-off], q.Data[lo-q.Off:])
		}
	}
	return n, err
}

func (o *overlay) Locate(off, n int64) []Span { return Locate(o.r, off, n) }

func (o *overlay) Size() int64 {
	if s, ok := o.r.(Sized); ok {
		return s.Size()
	}
	return -1
}

// ErrTooLarge is wrapped by [ReadAll] when the input says it is longer than the caller accepts.
var ErrTooLarge = errors.New("larger than accepted")

// ReadAll reads all of r, whose size it must know; more than limit bytes are refused.
func ReadAll(r io.ReaderAt, limit int64) ([]byte, error) {
	s, ok := r.(Sized)
	if !ok {
		return nil, errors.New("blob: reader of unknown size")
	}
	n := s.Size()
	if n > limit {
		return nil, fmt.Errorf("%d bytes, limit %d: %w", n, limit, ErrTooLarge)
	}
	p := make([]byte, n)
	got, err := r.ReadAt(p, 0)
	if int64(got) == n {
		err = nil
	}
	return p[:got], err
}
