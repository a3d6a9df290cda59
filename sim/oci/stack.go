package oci

import (
	"cmp"
	"fmt"
	"slices"

	"bootpath/sim/fsys/tarfs"
)

// Stack tells what the layers of an image do to each other: which file each brings, changes or hides, and
// how many bytes an image carries that no container ever sees. Layers count from 0, the lowest.
//
// It keeps no tree of its own: what happens at a path follows from what the layers have there and from what
// hides files in the directories above, so that a walk from the root down knows it. See [spot].
type Stack struct {
	Layers []LayerStats
	// Efficiency and WastedBytes are what dive prints (dive/filetree/efficiency.go): of all paths that are
	// leaves of some layer's tree, the smallest copy's bytes divided by all copies' bytes; and the bytes of
	// all copies of the paths that more than one layer has, whiteouts counted as copies.
	Efficiency  float64
	WastedBytes int64
	HiddenBytes int64 // of files that layers above hide: what a rebuilt image would not have to carry

	image *Image
}

// LayerStats counts what one layer brings. Files are what is no directory.
type LayerStats struct {
	UnpackedSize int64 // of the tar
	ContentBytes int64 // of the files in it
	Entries      int   // members of the tar
	Added        int   // files at new paths
	Changed      int   // files in place of one of a layer below
	Removed      int   // files of layers below that are gone after this layer
	RemovedBytes int64
	HiddenFiles  int // files of this layer that a layer above hides
	HiddenBytes  int64
}

// Action is what a layer does at a path.
type Action string

// A layer adds, changes or removes what is below; a directory that only holds other changes is kept.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
	Kept    Action = "kept"
)

// spot is a path and what the layers have there. It is made on the way down, and what is kept of it is up to
// whoever walks.
type spot struct {
	name      string
	versions  []version // lowest layer first
	hides     []*hiding // what takes away what layers below have here, by layer; one for a layer
	whiteouts []*hiding // of these the path's own
}

// version is what one layer has at a path.
type version struct {
	tarfs.Node
	layer  int
	hider  int // the layer above that hides it; shown while the merged tree shows it
	how    method
	action Action
	// replaced is the size of the file of a layer below in whose place this one came.
	replaced int64
}

const shown = -1

// hiding is a layer's taking away of what the layers below have at a path and below it.
type hiding struct {
	layer   int
	how     method
	bytes   int64 // of the files that it hid so far
	hidADir bool
}

type method string // of hiding

// What hides a file: ".wh.NAME", ".wh..wh..opq" in its directory, another file of its name.
const (
	byWhiteout  method = "whiteout"
	byOpaque    method = "opaque"
	byReplacing method = "replaced"
)

// Stack works out what the layers do to each other, in one walk over all of them.
func (im *Image) Stack() (*Stack, error) {
	if im.stack != nil {
		return im.stack, nil
	}
	if _, err := im.RootFS(); err != nil {
		return nil, err
	}
	s := &Stack{image: im, Layers: make([]LayerStats, len(im.Layers))}
	for i := range im.Layers {
		tree, err := im.Layers[i].FS()
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		s.Layers[i].Entries, s.Layers[i].UnpackedSize = tree.Len(), tree.Info().Size
	}
	var dive diveScore
	s.root().each(func(q *spot) { s.count(q, &dive) })
	for _, st := range s.Layers {
		s.HiddenBytes += st.HiddenBytes
	}
	s.Efficiency, s.WastedBytes = dive.score(), dive.wasted
	im.stack = s
	return s, nil
}

// root is where every layer begins.
func (s *Stack) root() *spot {
	q := &spot{}
	for i := range s.image.Layers {
		if tree, err := s.image.Layers[i].FS(); err == nil {
			q.versions = append(q.versions, version{Node: tree.Root(), layer: i, hider: shown, action: Kept})
		}
	}
	return q
}

// count adds what happens at and below a path to the sums.
func (s *Stack) count(q *spot, dive *diveScore) {
	var copies diveCopies
	for i := range q.versions {
		v := &q.versions[i]
		if v.IsDir() {
			if isLeaf(v.Node) {
				copies.add(0)
			}
			continue
		}
		copies.add(v.Stored())
		st := &s.Layers[v.layer]
		st.ContentBytes += v.Stored()
		if v.action == Changed { // what it replaces counts as hidden, not as removed
			st.Changed++
			st.Removed--
			st.RemovedBytes -= v.replaced
		} else {
			st.Added++
		}
		if v.hider != shown {
			st.HiddenFiles++
			st.HiddenBytes += v.Stored()
			s.Layers[v.hider].Removed++
			s.Layers[v.hider].RemovedBytes += v.Stored()
		}
	}
	q.each(func(below *spot) { s.count(below, dive) })
	for _, w := range q.whiteouts {
		if w.hidADir {
			copies.add(w.bytes)
		} else {
			copies.add(0)
		}
	}
	dive.add(copies)
}

// settle works out what each layer finds and does at the path, from the lowest up. from is what hides files
// here because it does so in a directory above.
func (q *spot) settle(from []*hiding) {
	for _, w := range q.whiteouts {
		from = insert(from, w)
	}
	q.hides = from
	for i := range q.versions {
		v := &q.versions[i]
		// Whiteouts come first: they only concern the layers below (OCI image specification, "Whiteouts").
		for ; len(from) > 0 && from[0].layer <= v.layer; from = from[1:] {
			q.hide(i, from[0])
		}
		q.place(i)
	}
	for _, h := range from {
		q.hide(len(q.versions), h)
	}
}

// hide takes the lowest n versions out of the merged tree, as far as they show.
func (q *spot) hide(n int, h *hiding) {
	for i := range q.versions[:n] {
		v := &q.versions[i]
		if v.hider != shown {
			continue
		}
		v.hider, v.how = h.layer, h.how
		h.hidADir = h.hidADir || v.IsDir()
		h.bytes += v.Stored()
	}
}

// place puts version i over those below.
func (q *spot) place(i int) {
	v := &q.versions[i]
	v.action = Added
	below := q.below(i)
	if below == nil {
		return
	}
	if v.IsDir() == below.IsDir() {
		v.action = Changed
	}
	switch {
	case v.IsDir() && below.IsDir():
		if below.hider == shown && (v.Implied() || q.sameDir(i)) {
			v.action = Kept
		}
		return
	case v.action == Changed:
		v.replaced = below.Stored()
	}
	if below.hider == shown {
		h := &hiding{layer: v.layer, how: byReplacing}
		q.hide(i, h)
		q.hides = insert(q.hides, h)
	}
}

// below is the version that version i finds: one that shows, or that its own layer just hid.
func (q *spot) below(i int) *version {
	for j := i - 1; j >= 0; j-- {
		if b := &q.versions[j]; b.hider == shown || b.hider == q.versions[i].layer {
			return b
		}
	}
	return nil
}

// sameDir tells whether a directory's entry only repeats the attributes that the directory has below.
func (q *spot) sameDir(i int) bool {
	for j := i - 1; j >= 0; j-- {
		if b := &q.versions[j]; !b.Implied() && b.hider == shown {
			mode, uid, gid := q.versions[i].Attributes()
			m, u, g := b.Attributes()
			return mode == m && uid == u && gid == g
		}
	}
	return false
}

// insert adds a hiding to those sorted by layer. Of one layer the first counts: it leaves nothing to hide.
func insert(all []*hiding, h *hiding) []*hiding {
	i, found := slices.BinarySearchFunc(all, h.layer, func(a *hiding, layer int) int { return cmp.Compare(a.layer, layer) })
	if found {
		return all
	}
	return slices.Insert(slices.Clip(all), i, h)
}

// diveCopies is what dive counts of one path: the layers in which it is a leaf or a whiteout.
type diveCopies struct {
	n          int
	least, all int64
}

func (c *diveCopies) add(size int64) {
	if c.n == 0 || size < c.least {
		c.least = size
	}
	c.n++
	c.all += size
}

// diveScore adds up what dive's Efficiency adds up.
type diveScore struct{ least, all, wasted int64 }

func (d *diveScore) add(c diveCopies) {
	d.least += c.least
	d.all += c.all
	if c.n > 1 {
		d.wasted += c.all
	}
}

func (d *diveScore) score() float64 {
	if d.all == 0 {
		return 1
	}
	return float64(d.least) / float64(d.all)
}
