package oci

import (
	"cmp"
	"container/heap"
	"strings"

	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/fsys/union"
)

// each calls fn for every name that a layer has in the directory or takes away there, in the order of names.
// The layers' listings, which are sorted, are read side by side.
func (q *spot) each(fn func(*spot)) {
	var all cursors
	for i := range q.versions {
		if v := &q.versions[i]; v.IsDir() {
			first, ok := v.First()
			all.start(cursor{node: first, layer: v.layer}, ok)
			all.start(cursor{node: first, layer: v.layer, whiteouts: true}, ok)
		}
	}
	heap.Init(&all)
	from := q.inherited()
	for len(all) > 0 {
		below := &spot{name: all[0].name}
		for len(all) > 0 && all[0].name == below.name {
			c := &all[0]
			if c.whiteouts {
				below.whiteouts = append(below.whiteouts, &hiding{layer: c.layer, how: byWhiteout})
			} else {
				below.versions = append(below.versions, version{Node: c.node, layer: c.layer, hider: shown})
			}
			all.advance()
		}
		below.settle(from)
		fn(below)
	}
}

// at walks to a path; nil when no layer has it.
func (s *Stack) at(name string) *spot {
	q := s.root()
	if name == "." {
		return q
	}
	for part := range strings.SplitSeq(name, "/") {
		if q = q.child(part); len(q.versions)+len(q.whiteouts) == 0 {
			return nil
		}
	}
	return q
}

// child is what [spot.each] gives for a name.
func (q *spot) child(name string) *spot {
	below := &spot{name: name}
	for i := range q.versions {
		v := &q.versions[i]
		if n, ok := v.Child(name); ok && !isWhiteout(name) {
			below.versions = append(below.versions, version{Node: n, layer: v.layer, hider: shown})
		}
		if _, ok := v.Child(union.WhiteoutPrefix + name); ok && !isMeta(union.WhiteoutPrefix+name) {
			below.whiteouts = append(below.whiteouts, &hiding{layer: v.layer, how: byWhiteout})
		}
	}
	below.settle(q.inherited())
	return below
}

// inherited is what hides files in the directory: what hides the directory, and opaque markers in it.
func (q *spot) inherited() []*hiding {
	from := q.hides
	for i := range q.versions {
		if _, ok := q.versions[i].Child(union.OpaqueMarker); ok {
			from = insert(from, &hiding{layer: q.versions[i].layer, how: byOpaque})
		}
	}
	return from
}

func isWhiteout(name string) bool { return strings.HasPrefix(name, union.WhiteoutPrefix) }

// isMeta tells the files of AUFS, which also the opaque marker is one of.
func isMeta(name string) bool {
	return strings.HasPrefix(name, union.WhiteoutPrefix+union.WhiteoutPrefix)
}

// isLeaf tells a directory with nothing in it that dive would see.
func isLeaf(dir tarfs.Node) bool {
	for n, ok := dir.First(); ok; n, ok = n.Next() {
		if !isMeta(n.Name()) {
			return false
		}
	}
	return true
}

// cursor walks one layer's listing of a directory: its files, or its whiteouts by the names that they hide.
type cursor struct {
	node      tarfs.Node
	name      string
	layer     int
	whiteouts bool
}

// settle moves on to the first node that the cursor is about, from node on if ok; false at the end.
func (c *cursor) settle(ok bool) bool {
	for ; ok; c.node, ok = c.node.Next() {
		c.name = c.node.Name()
		if hides, isHiding := strings.CutPrefix(c.name, union.WhiteoutPrefix); isHiding != c.whiteouts || isMeta(c.name) {
			continue
		} else if isHiding {
			c.name = hides
		}
		return true
	}
	return false
}

// cursors is a heap by name, then by layer.
type cursors []cursor

func (h cursors) Len() int      { return len(h) }
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h cursors) Less(i, j int) bool {
	return cmp.Or(strings.Compare(h[i].name, h[j].name), cmp.Compare(h[i].layer, h[j].layer)) < 0
}
func (h *cursors) Push(x any) { *h = append(*h, x.(cursor)) }
func (h *cursors) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (h *cursors) start(c cursor, ok bool) {
	if c.settle(ok) {
		*h = append(*h, c)
	}
}

// advance moves the first cursor on.
func (h *cursors) advance() {
	c := &(*h)[0]
	var ok bool
	if c.node, ok = c.node.Next(); c.settle(ok) {
		heap.Fix(h, 0)
	} else {
		heap.Pop(h)
	}
}
