package blob

import (
	"fmt"
	"io"
	"sort"
)

// Store holds the blobs of one opened image by name, counts what was read of the input and can record
// which ranges were used, so that a slice can be cut.
type Store struct {
	blobs map[string]*Blob
	order []*Blob
	saved map[string]*Saved // ranges kept by a slice, when the store was opened from one
	miss  *miss
	cache *cache
	quiet *bool // inside a read of [Store.Raw]

	siblings []func(name string) *Blob // the latest counts first
	beside   map[string]*Blob          // those that were found

	parent    *Store                // of a fork
	changed   []Span                // of the parent's blobs: what they do not hold in this run
	known     map[string]remembered // see Remember
	knownText int                   // bytes of its keys
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{blobs: map[string]*Blob{}, miss: &miss{}, quiet: new(bool)}
}

// Add names the size bytes of r and keeps them. A name that is taken gets " (2)" behind it. In a store opened
// from a slice the bytes are those that the slice kept.
func (s *Store) Add(name string, r io.ReaderAt, size int64, from func(off, n int64) []Span) *Blob {
	unique := s.free(name)
	if kept := s.saved[unique]; kept != nil {
		r = kept
	}
	return s.put(unique, r, size, from)
}

// free is the name, or what it becomes when it is taken.
func (s *Store) free(name string) string {
	unique := name
	for i := 2; s.blobs[unique] != nil; i++ {
		unique = fmt.Sprintf("%s (%d)", name, i)
	}
	return unique
}

func (s *Store) put(name string, r io.ReaderAt, size int64, from func(off, n int64) []Span) *Blob {
	b := New(name, r, size, from)
	b.log = &ranges{quiet: s.quiet}
	s.blobs[name] = b
	s.order = append(s.order, b)
	return b
}

// SetSiblings tells the store how to open the files that lie beside the input.
func (s *Store) SetSiblings(open func(name string) (r io.ReaderAt, size int64, err error)) {
	s.AddSiblings(func(name string) *Blob {
		r, size, err := open(name)
		if err != nil || r == nil {
			return nil
		}
		return s.Add(name, r, size, nil)
	})
}

// AddSiblings tells the store where else files are that an image may name: the members of the archive that
// it came in. find gives nil for a name that it does not know.
func (s *Store) AddSiblings(find func(name string) *Blob) { s.siblings = append(s.siblings, find) }

// Sibling is the file called name beside the input, which the input names: a part of a split disk, a backing
// file. It is nil when nobody gave it. A slice knows the siblings that its run read.
func (s *Store) Sibling(name string) *Blob {
	if s.parent != nil {
		return s.parent.Sibling(name)
	}
	if b := s.beside[name]; b != nil {
		return b
	}
	var found *Blob
	for i := len(s.siblings) - 1; i >= 0 && found == nil; i-- {
		found = s.siblings[i](name)
	}
	if kept := s.saved[name]; kept != nil && found == nil {
		found = s.Add(name, kept, kept.size, nil)
	}
	if found != nil {
		if s.beside == nil {
			s.beside = map[string]*Blob{}
		}
		s.beside[name] = found
	}
	return found
}

// Kept returns what a slice kept of the blob called name, nil when the store was not opened from a
// slice or the slice has nothing of it. Whoever would compute the blob asks first.
func (s *Store) Kept(name string) *Saved { return s.saved[name] }

// FromSlice tells whether the store was opened from a slice, which lacks what its runs did not read.
func (s *Store) FromSlice() bool { return s.saved != nil }

// Blob returns the blob called name, or nil.
func (s *Store) Blob(name string) *Blob {
	if b := s.blobs[name]; b != nil || s.parent == nil {
		return b
	}
	return s.parent.Blob(name)
}

// Blobs lists the blobs in the order in which they were added; of a fork those that its run derived.
func (s *Store) Blobs() []*Blob { return s.order }

// BytesRead is how many distinct bytes of the input files (blobs not derived from others) were read
// by name. Bytes that only a decompressor consumed are counted by their blob through [Raw].
func (s *Store) BytesRead() int64 {
	if s.parent != nil {
		return s.parent.BytesRead()
	}
	var n int64
	for _, b := range s.order {
		if b.from == nil {
			n += b.log.union(b.raw())
		}
	}
	return n
}

// Raw reads b for a computation whose result is itself a named blob: the bytes count as read but a
// slice does not keep them, because it keeps the result.
func Raw(b *Blob) io.ReaderAt { return rawReader{b} }

type rawReader struct{ b *Blob }

func (r rawReader) ReadAt(p []byte, off int64) (int, error) {
	log := r.b.log
	r.b.log = nil
	n, err := r.b.ReadAt(p, off)
	if r.b.log = log; log != nil {
		log.addRaw(off, int64(n))
	}
	return n, err
}

func (r rawReader) Size() int64                { return r.b.size }
func (r rawReader) Locate(off, n int64) []Span { return r.b.Locate(off, n) }

// Raw is [Raw] for a view: a file of a file system on a blob of the store. Whoever uses it has asked
// [Locate] for all of r first, so that what the file system needs to find the bytes is kept.
func (s *Store) Raw(r io.ReaderAt) io.ReaderAt { return rawView{s, r} }

type rawView struct {
	s *Store
	r io.ReaderAt
}

func (v rawView) ReadAt(p []byte, off int64) (int, error) {
	before := *v.s.quiet
	*v.s.quiet = true
	n, err := v.r.ReadAt(p, off)
	*v.s.quiet = before
	return n, err
}

func (b *Blob) raw() []run {
	if b.log == nil {
		return nil
	}
	return b.log.rawRuns
}

// run is a half-open range of offsets.
type run struct{ off, end int64 }

// ranges is a sorted set of runs.
type ranges struct {
	runs    []run
	rawRuns []run
	quiet   *bool
}

func (r *ranges) add(off, n int64) {
	if r.quiet != nil && *r.quiet {
		r.addRaw(off, n)
		return
	}
	r.runs = insert(r.runs, off, n)
}

func (r *ranges) addRaw(off, n int64) { r.rawRuns = insert(r.rawRuns, off, n) }

// union counts the bytes that either set covers.
func (r *ranges) union(other []run) int64 {
	all := append([]run(nil), r.runs...)
	for _, o := range other {
		all = insert(all, o.off, o.end-o.off)
	}
	var n int64
	for _, a := range all {
		n += a.end - a.off
	}
	return n
}

func insert(runs []run, off, n int64) []run {
	if n <= 0 {
		return runs
	}
	end := off + n
	i := sort.Search(len(runs), func(i int) bool { return runs[i].end >= off })
	j := i
	for j < len(runs) && runs[j].off <= end {
		off, end = min(off, runs[j].off), max(end, runs[j].end)
		j++
	}
	if i == j { // nothing touches: make room for one
		runs = append(runs, run{})
		copy(runs[i+1:], runs[i:])
		runs[i] = run{off, end}
		return runs
	}
	runs[i] = run{off, end}
	return append(runs[:i+1], runs[j:]...)
}

// Unlogged reads b without counting: a look at the bytes is not a part of the run.
func (b *Blob) Unlogged() io.ReaderAt { return unlogged{b} }

type unlogged struct{ b *Blob }

func (u unlogged) ReadAt(p []byte, off int64) (int, error) {
	log := u.b.log
	u.b.log = nil
	defer func() { u.b.log = log }()
	return u.b.ReadAt(p, off)
}
