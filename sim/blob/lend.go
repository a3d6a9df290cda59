package blob

import "slices"

// Borrow lets s use the streams that were unpacked for lender, a store over the same input whose bytes no
// patch changes in either: a what-if on files needs names of its own, but a file that it leaves alone lies
// where it lay and unpacks to what it did. Both share the memory for unpacked blocks. It comes before the
// first [Store.Derive].
func (s *Store) Borrow(lender *Store) {
	s.lender, s.cache = lender, lender.blocks()
}

// lent is the lender's stream of that name when it is computed from the same spans. What a slice kept is
// found without unpacking, and what it lacks is missed by each run for itself.
func (s *Store) lent(name string, limit int64, from []Span) *derived {
	if s.lender == nil || s.FromSlice() || len(from) == 0 {
		return nil
	}
	b := s.lender.blobs[name]
	if b == nil || b.from == nil {
		return nil
	}
	d, ok := b.r.(*derived)
	if !ok || d.limit != limit || !slices.Equal(b.from(0, 0), from) {
		return nil
	}
	s.lents = append(s.lents, from...)
	return d
}

// countLent counts as read what the lender read for its streams.
func (s *Store) countLent() {
	for _, span := range s.lents {
		s.countAs(span)
	}
}

// countAs counts the bytes of the span that the lender read, and those below that they were computed from.
// It ends because a blob is computed from blobs that were there before.
func (s *Store) countAs(span Span) {
	mine, theirs := s.blobs[span.Blob], s.lender.blobs[span.Blob]
	if mine == nil || theirs == nil {
		return
	}
	for _, runs := range [][]run{theirs.log.runs, theirs.log.rawRuns} {
		for _, r := range runs {
			off, end := max(r.off, span.Off), min(r.end, span.Off+span.Len)
			if off >= end {
				continue
			}
			mine.log.addRaw(off, end-off)
			if _, unpacked := mine.r.(*derived); unpacked {
				continue // counted where it was unpacked
			}
			for _, below := range mine.From(off, end-off) {
				s.countAs(below)
			}
		}
	}
}
