package oci

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/fsys/union"
)

// Stack tells what the layers of an image do to each other: which file each brings, changes or hides, and
// how many bytes an image carries that no container ever sees. Layers count from 0, the lowest.
type Stack struct {
	Layers []LayerStats
	// Efficiency and WastedBytes are what dive prints (dive/filetree/efficiency.go): of all paths that are
	// leaves of some layer's tree, the smallest copy's bytes divided by all copies' bytes; and the bytes of
	// all copies of the paths that more than one layer has, whiteouts counted as copies.
	Efficiency  float64
	WastedBytes int64
	HiddenBytes int64 // of files that layers above hide: what a rebuilt image would not have to carry

	image *Image
	root  *place
	dive  diveScore
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

// place is a path of the merged tree or of one that some layer once had.
type place struct {
	name     string
	kids     map[string]*place
	versions []version // lowest layer first
	copies   int32     // layers in which the path is a leaf or a whiteout, as dive counts
	least    int64
	all      int64
}

// version is what one layer has at a path.
type version struct {
	layer  int32
	hider  int32 // the layer above that hides it; shown while the merged tree shows it
	how    hiding
	action uint8
	dir    bool
	link   bool         // a hard link: its content came with another name
	entry  *tarfs.Entry // nil for a directory that no entry describes
	size   int64
}

const shown = -1

type hiding uint8

const (
	byWhiteout hiding = iota
	byOpaque
	byReplacing
)

func (h hiding) String() string { return [...]string{"whiteout", "opaque", "replaced"}[h] }

func actions() [3]Action { return [...]Action{Added, Changed, Kept} }

const (
	added uint8 = iota
	changed
	kept
)

// Stack works out what the layers do to each other, in one pass over each layer's tree.
func (im *Image) Stack() (*Stack, error) {
	if im.stack != nil {
		return im.stack, nil
	}
	if _, err := im.RootFS(); err != nil {
		return nil, err
	}
	s := &Stack{image: im, root: &place{}, Layers: make([]LayerStats, len(im.Layers))}
	for i := range im.Layers {
		tree, err := im.Layers[i].FS()
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		st := &s.Layers[i]
		st.Entries, st.UnpackedSize = len(tree.Entries()), tree.Info().Size
		s.apply(int32(i), tree.Root(), s.root)
	}
	for _, st := range s.Layers {
		s.HiddenBytes += st.HiddenBytes
	}
	s.Efficiency, s.WastedBytes = s.dive.score(), s.dive.wasted
	im.stack = s
	return s, nil
}

// apply lays one directory of a layer over the place. Whiteouts come first: they only concern the layers
// below (OCI image specification, "Whiteouts").
func (s *Stack) apply(layer int32, dir tarfs.Node, at *place) {
	for c := range dir.Children() {
		switch name, ok := strings.CutPrefix(c.Name(), union.WhiteoutPrefix); {
		case c.Name() == union.OpaqueMarker:
			for _, name := range slices.Sorted(maps.Keys(at.kids)) {
				s.hide(at.kids[name], layer, byOpaque)
			}
		case ok && !isWhiteoutMeta(c.Name()):
			gone := int64(0)
			if q := at.kids[name]; q != nil {
				top := q.top()
				if bytes := s.hide(q, layer, byWhiteout); top != nil && top.dir {
					gone = bytes
				}
			}
			s.dive.count(at.kid(name), gone)
		}
	}
	leaf := true
	for c := range dir.Children() {
		leaf = leaf && isWhiteoutMeta(c.Name())
		if !strings.HasPrefix(c.Name(), union.WhiteoutPrefix) {
			s.place(layer, c, at.kid(c.Name()))
		}
	}
	if leaf && at != s.root {
		s.dive.count(at, 0)
	}
}

func isWhiteoutMeta(name string) bool {
	return strings.HasPrefix(name, union.WhiteoutPrefix+union.WhiteoutPrefix)
}

// place puts a file or directory of a layer over what is there.
func (s *Stack) place(layer int32, n tarfs.Node, q *place) {
	st := &s.Layers[layer]
	v := version{layer: layer, hider: shown, action: added, dir: n.IsDir(), link: n.Linked(), entry: n.Entry(), size: n.Stored()}
	if below := q.below(layer); below != nil {
		switch {
		case v.dir && below.dir && below.hider == shown && (n.Entry() == nil || q.sameDir(n.Entry())):
			v.action = kept
		case v.dir != below.dir:
			v.action = added
		default:
			v.action = changed
		}
		if below.hider == layer && !below.dir && !v.dir { // a whiteout and a new file: changed, not removed
			st.Removed--
			st.RemovedBytes -= below.size
		}
		if below.hider == shown && (!v.dir || !below.dir) {
			s.hide(q, layer, byReplacing)
			if !below.dir && !v.dir {
				st.Removed--
				st.RemovedBytes -= below.size
			}
		}
	}
	q.versions = append(q.versions, v)
	if v.dir {
		s.apply(layer, n, q)
		return
	}
	s.dive.count(q, v.size)
	st.ContentBytes += v.size
	if v.action == changed {
		st.Changed++
	} else {
		st.Added++
	}
}

// sameDir tells whether a directory's entry only repeats the attributes that the directory has below.
func (q *place) sameDir(e *tarfs.Entry) bool {
	for i := len(q.versions) - 1; i >= 0; i-- {
		if v := q.versions[i]; v.entry != nil && v.hider == shown {
			return v.entry.Mode == e.Mode && v.entry.UID == e.UID && v.entry.GID == e.GID
		}
	}
	return false
}

// hide takes everything that shows at q and below out of the merged tree; it returns the bytes of its files.
// What does not show has nothing below it that does, so that each file is hidden once at most.
func (s *Stack) hide(q *place, layer int32, how hiding) (bytes int64) {
	wasDir := false
	for i := range q.versions {
		v := &q.versions[i]
		if v.hider != shown {
			continue
		}
		v.hider, v.how = layer, how
		if v.dir {
			wasDir = true
			continue
		}
		bytes += v.size
		st := &s.Layers[v.layer]
		st.HiddenFiles++
		st.HiddenBytes += v.size
		s.Layers[layer].Removed++
		s.Layers[layer].RemovedBytes += v.size
	}
	if wasDir {
		for _, name := range slices.Sorted(maps.Keys(q.kids)) {
			bytes += s.hide(q.kids[name], layer, how)
		}
	}
	return bytes
}

func (q *place) kid(name string) *place {
	if q.kids == nil {
		q.kids = map[string]*place{}
	}
	k := q.kids[name]
	if k == nil {
		k = &place{name: name}
		q.kids[name] = k
	}
	return k
}

// top is the version that the merged tree shows, nil when none does.
func (q *place) top() *version {
	for i := len(q.versions) - 1; i >= 0; i-- {
		if q.versions[i].hider == shown {
			return &q.versions[i]
		}
	}
	return nil
}

// below is the version that a layer finds at its path: one that shows, or that the layer itself just hid.
func (q *place) below(layer int32) *version {
	for i := len(q.versions) - 1; i >= 0; i-- {
		if v := &q.versions[i]; v.hider == shown || v.hider == layer {
			return v
		}
	}
	return nil
}

// at walks to a path; nil when no layer has it.
func (s *Stack) at(name string) *place {
	q := s.root
	if name == "." {
		return q
	}
	for part := range strings.SplitSeq(name, "/") {
		if q = q.kids[part]; q == nil {
			return nil
		}
	}
	return q
}

// diveScore adds up what dive's Efficiency adds up.
type diveScore struct{ least, all, wasted int64 }

func (d *diveScore) count(q *place, size int64) {
	if q.copies == 0 || size < q.least {
		d.least += size - q.least
		q.least = size
	}
	q.copies++
	q.all += size
	d.all += size
	switch {
	case q.copies == 2:
		d.wasted += q.all
	case q.copies > 2:
		d.wasted += size
	}
}

func (d *diveScore) score() float64 {
	if d.all == 0 {
		return 1
	}
	return float64(d.least) / float64(d.all)
}
