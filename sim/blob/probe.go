package blob

// Probe reads p at off for a guess that is mostly wrong, like a trailer that few files have: the bytes do not
// count as read, a slice keeps nothing of it and does not miss it. It tells whether all of p is there.
func Probe(b *Blob, p []byte, off int64) bool {
	if kept, ok := b.r.(*Saved); ok {
		return off >= 0 && len(kept.ReadKept(p, off)) == 0
	}
	log := b.log
	b.log = nil
	n, _ := b.ReadAt(p, off)
	b.log = log
	return n == len(p)
}
