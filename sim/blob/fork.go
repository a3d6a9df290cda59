package blob

import (
	"io"
	"slices"
)

// Fork is a store for one run over the same input as s. It sees the blobs of s and gives names to what the run
// derives as if it were alone. What is computed from bytes that are the same in every run belongs to s, and so
// the forks share it: the blob, its unpacked blocks, what was remembered of it ([Remember]). changed are the
// spans of blobs of s that this run reads with other bytes in them.
//
// Runs follow each other: a fork is no longer used when the next one is made.
func (s *Store) Fork(changed ...Span) *Store {
	s.miss.at = nil
	return &Store{blobs: map[string]*Blob{}, saved: s.saved, miss: s.miss, quiet: s.quiet, cache: s.blocks(), parent: s, changed: changed}
}

// shares tells whether what is computed from the source is the same in every run.
func (s *Store) shares(from source) bool {
	switch {
	case s.parent == nil:
		return false
	case len(s.changed) > 0 && !from.exact: // a patched file system may have put the same bytes elsewhere in the file
		return false
	}
	return len(from.spans) > 0 && s.untouched(from.spans)
}

// untouched tells whether the spans hold what they hold for the parent.
func (s *Store) untouched(spans []Span) bool {
	if s.parent == nil {
		return true
	}
	for _, span := range spans {
		for _, c := range s.changed {
			if c.Blob == span.Blob && c.Off < span.Off+span.Len && span.Off < c.Off+c.Len {
				return false
			}
		}
		if b := s.blobs[span.Blob]; b != nil && b != s.parent.blobs[span.Blob] {
			return false // computed for this run alone
		}
	}
	return true
}

// adopt makes blobs of the parent known to a run; false when it has others of their names.
func (s *Store) adopt(blobs ...*Blob) bool {
	for _, b := range blobs {
		if have := s.blobs[b.name]; have != nil && have != b {
			return false
		}
	}
	for _, b := range blobs {
		if s.blobs[b.name] == nil {
			s.blobs[b.name] = b
			s.order = append(s.order, b)
		}
	}
	return true
}

// source is what something is computed from.
type source struct {
	spans []Span
	exact bool // the spans are all of it, byte by byte: without holes, without what is packed
}

func sourceOf(r io.ReaderAt, off, n int64) source {
	from := source{spans: Locate(r, off, n)}
	total := int64(0)
	for _, span := range from.spans {
		total += span.Len
	}
	from.exact = total == n
	return from
}

// equal tells whether a stream was computed from the same.
func (from source) equal(b *Blob) bool {
	return b != nil && b.from != nil && len(from.spans) > 0 && slices.Equal(b.from(0, 0), from.spans)
}
