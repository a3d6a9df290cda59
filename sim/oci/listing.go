package oci

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// Copy is what one layer has at a path.
type Copy struct {
	Layer    int
	Type     byte // as in a tar header: [tarfs.TypeReg], …
	Mode     uint32
	UID, GID uint32
	Size     int64  // of the content; 0 for a further name of a hard link
	Link     string // target of a symbolic link; of a hard link the name that brought the content
	HiddenBy int    // the layer that hides it; -1 when the merged tree shows it
	How      string // "whiteout" | "opaque" | "replaced"
	Action   Action // what the layer did to those below
	Cites    []blob.Cite
}

// Listed is a name of a merged directory with every copy that a layer has of it.
type Listed struct {
	Name   string
	Copies []Copy // uppermost first
}

// Gone tells a name that the merged tree does not show.
func (l *Listed) Gone() bool {
	return !slices.ContainsFunc(l.Copies, func(c Copy) bool { return c.HiddenBy == shown })
}

// List is the merged directory at name with what is hidden in it, by name; off and n choose a part of it,
// total is the number of names.
func (s *Stack) List(name string, off, n int) (part []Listed, total int, err error) {
	q := s.at(tarfs.Clean(name))
	if q == nil || !slices.ContainsFunc(q.versions, func(v version) bool { return v.IsDir() }) {
		return nil, 0, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
	}
	q.each(func(below *spot) {
		if len(below.versions) == 0 { // a whiteout of nothing
			return
		}
		if total >= off && total < off+n {
			l := Listed{Name: below.name}
			for _, v := range slices.Backward(below.versions) {
				l.Copies = append(l.Copies, v.copy())
			}
			part = append(part, l)
		}
		total++
	})
	return part, total, nil
}

func (v *version) copy() Copy {
	c := Copy{Layer: v.layer, Type: v.Type(), Size: v.Stored(), HiddenBy: v.hider, How: string(v.how), Action: v.action}
	c.Mode, c.UID, c.GID = v.Attributes()
	if e, err := v.Entry(); err == nil && e != nil {
		c.Link, c.Cites = e.Linkname, v.Cites(e)
		if v.Linked() {
			c.Link = tarfs.Clean(e.Name)
		}
	}
	return c
}

// Change is one thing that a layer does.
type Change struct {
	Path   string
	Action Action
	Copy   Copy   // what the layer brings; of a removal only the layer
	How    string // of a removal: "whiteout" | "opaque"
	Files  int    // of a removal: the files that go with it
	Bytes  int64  // and their bytes
}

// Changes lists what a layer does at and below a path, directories before what is in them; off and n choose
// a part, total is their number. Directories that are only on the way are left out.
func (s *Stack) Changes(layer int, prefix string, off, n int) (part []Change, total int, err error) {
	if layer < 0 || layer >= len(s.Layers) {
		return nil, 0, fmt.Errorf("layer %d of %d", layer, len(s.Layers))
	}
	top := tarfs.Clean(prefix)
	q := s.at(top)
	if q == nil {
		return nil, 0, &fs.PathError{Op: "list", Path: prefix, Err: fs.ErrNotExist}
	}
	q.changes(layer, top, func(c func() Change) {
		if total >= off && total < off+n {
			part = append(part, c())
		}
		total++
	})
	return part, total, nil
}

// changes lists those at a path and below it; those of the root are none.
func (q *spot) changes(layer int, at string, add func(func() Change)) {
	mine := slices.IndexFunc(q.versions, func(v version) bool { return v.layer == layer })
	gone := slices.IndexFunc(q.versions, func(v version) bool { return v.hider == layer && v.how != byReplacing })
	switch {
	case mine >= 0 && q.versions[mine].action != Kept:
		add(func() Change {
			return Change{Path: at, Action: q.versions[mine].action, Copy: q.versions[mine].copy()}
		})
	case mine < 0 && gone >= 0:
		add(func() Change {
			c := Change{Path: at, Action: Removed, Copy: Copy{Layer: layer, HiddenBy: shown}, How: string(q.versions[gone].how)}
			q.lost(layer, &c)
			return c
		})
		return // what was below goes with it
	}
	q.each(func(below *spot) { below.changes(layer, path.Join(at, below.name), add) })
}

// lost counts the files that a layer took away at and below a path.
func (q *spot) lost(layer int, c *Change) {
	for i := range q.versions {
		if v := &q.versions[i]; v.hider == layer && !v.IsDir() {
			c.Files++
			c.Bytes += v.Stored()
		}
	}
	q.each(func(below *spot) { below.lost(layer, c) })
}

// Open opens the regular file that a layer has at a path, whether the merged tree shows it or not.
func (s *Stack) Open(layer int, name string) (fsys.File, error) {
	if layer < 0 || layer >= len(s.Layers) {
		return nil, fmt.Errorf("layer %d of %d", layer, len(s.Layers))
	}
	tree, err := s.image.Layers[layer].FS()
	if err != nil {
		return nil, err
	}
	return fsys.OpenFile(tree, tarfs.Clean(name))
}
