package blob

import (
	"encoding/binary"
	"io"
	"slices"
)

// What a store remembers at most: values, and bytes of what they were made of. Then it forgets all of them.
const (
	rememberedMax  = 4096
	rememberedText = 8 << 20
)

// remembered is a value with the blobs that were derived to compute it.
type remembered struct {
	value any
	blobs []*Blob
}

// Remember gives what compute makes of the n bytes at off of r, and makes it only once for all runs in which
// these bytes are the same. compute looks at nothing else; its value is not changed afterwards. what tells
// apart what is made of the same bytes. Bytes that are no part of the image are computed with each time, and so
// is what a slice lacks.
func Remember[T any](s *Store, what string, r io.ReaderAt, off, n int64, compute func() T) T {
	if s == nil {
		return compute()
	}
	missed := s.miss.at
	from := sourceOf(r, off, n)
	s.miss.at = missed // to know where the bytes lie is no part of the run
	if !from.exact || !s.untouched(from.spans) {
		return compute()
	}
	root, key := s.root(), from.key(what)
	if m, ok := root.known[key]; ok && s.adopt(m.blobs...) {
		return m.value.(T)
	}
	before := len(s.order)
	value := compute()
	if missed == nil && s.miss.at == nil {
		root.keep(key, remembered{value, slices.Clone(s.order[before:])})
	}
	return value
}

// RememberText is [Remember] for what is made of a text, wherever that came from.
func RememberText[T any](s *Store, what, text string, compute func() T) T {
	if s == nil {
		return compute()
	}
	root, key := s.root(), what+"\x00\x00"+text
	m, ok := root.known[key]
	if !ok {
		m.value = compute()
		root.keep(key, m)
	}
	return m.value.(T)
}

func (s *Store) root() *Store {
	if s.parent != nil {
		return s.parent
	}
	return s
}

func (s *Store) keep(key string, m remembered) {
	if s.knownText += len(key); s.known == nil || len(s.known) >= rememberedMax || s.knownText > rememberedText {
		s.known, s.knownText = map[string]remembered{}, len(key)
	}
	s.known[key] = m
}

// key is the source and what is made of it.
func (from source) key(what string) string {
	k := append([]byte(what), 0)
	for _, span := range from.spans {
		k = append(k, span.Blob...)
		k = binary.AppendVarint(append(k, 0), span.Off)
		k = binary.AppendVarint(k, span.Len)
	}
	return string(k)
}
