package blob

import "slices"

// Fork is a store for one run over the same input as s. It sees the blobs of s and gives names to what the run
// derives as if it were alone; what s has under the same name, computed from the same bytes, is shared: the
// blob, its unpacked blocks, what was remembered of it ([Remember]). changed are the spans of blobs of s that
// the run reads with other bytes in them: whatever was computed from these is computed again.
//
// Runs follow each other: a fork is no longer used when the next one is made.
func (s *Store) Fork(changed ...Span) *Store {
	s.miss.at = nil
	return &Store{blobs: map[string]*Blob{}, saved: s.saved, miss: s.miss, quiet: s.quiet, cache: s.blocks(), parent: s, changed: changed}
}

// shared is the parent's stream of that name when it is computed from the same bytes. It becomes a blob of s.
func (s *Store) shared(name string, limit int64, from []Span) *Blob {
	if s.parent == nil || len(from) == 0 {
		return nil
	}
	b := s.parent.blobs[name]
	if b == nil || b.from == nil || !slices.Equal(b.from(0, 0), from) || !s.untouched(from) {
		return nil
	}
	if d, ok := b.r.(*derived); ok && d.limit != limit {
		return nil
	}
	s.blobs[name] = b
	s.order = append(s.order, b)
	return b
}

// untouched tells whether the spans hold what they hold in the parent: no changed byte, and no stream that had
// to be computed again from changed ones. It ends because a blob is computed from blobs that were there before.
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
		b := s.blobs[span.Blob]
		if b == nil || b == s.parent.blobs[span.Blob] {
			continue
		}
		if from := b.From(span.Off, span.Len); len(from) == 0 || !s.untouched(from) {
			return false
		}
	}
	return true
}

// Absorb takes over what a fork of s derived from unchanged bytes, for the runs that follow and for the slice
// that serves all of them.
func (s *Store) Absorb(fork *Store) {
	if fork.parent != s {
		return
	}
	for _, b := range fork.order {
		if s.blobs[b.name] != nil || b.from == nil {
			continue
		}
		if from := b.from(0, 0); len(from) > 0 && fork.untouched(from) {
			s.blobs[b.name] = b
			s.order = append(s.order, b)
		}
	}
}
