package oci

import (
	"fmt"
	"io/fs"
	"maps"
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
	if q == nil || (q != s.root && !slices.ContainsFunc(q.versions, func(v version) bool { return v.dir })) {
		return nil, 0, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
	}
	names := make([]string, 0, len(q.kids))
	for _, k := range slices.Sorted(maps.Keys(q.kids)) {
		if len(q.kids[k].versions) > 0 { // a whiteout of nothing leaves an empty place
			names = append(names, k)
		}
	}
	total = len(names)
	for _, k := range names[min(off, total):min(off+n, total)] {
		l := Listed{Name: k}
		for i := len(q.kids[k].versions) - 1; i >= 0; i-- {
			l.Copies = append(l.Copies, s.copyOf(&q.kids[k].versions[i]))
		}
		part = append(part, l)
	}
	return part, total, nil
}

func (s *Stack) copyOf(v *version) Copy {
	c := Copy{Layer: int(v.layer), Type: tarfs.TypeDir, Mode: 0o755, Size: v.size, HiddenBy: int(v.hider), Action: actions()[v.action]}
	if v.hider != shown {
		c.How = v.how.String()
	}
	if e := v.entry; e != nil {
		c.Type, c.Mode, c.UID, c.GID, c.Link = e.Type, e.Mode, e.UID, e.GID, e.Linkname
		if v.link {
			c.Link = tarfs.Clean(e.Name)
		}
		if tree, err := s.image.Layers[v.layer].FS(); err == nil {
			c.Cites = e.Cites(tree.Reader())
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
	s.changes(int32(layer), q, top, func(c func() Change) {
		if total >= off && total < off+n {
			part = append(part, c())
		}
		total++
	})
	return part, total, nil
}

func (s *Stack) changes(layer int32, q *place, at string, add func(func() Change)) {
	gone := func(v version) bool { return v.hider == layer && v.how != byReplacing }
	mine := slices.IndexFunc(q.versions, func(v version) bool { return v.layer == layer })
	switch {
	case mine >= 0 && (q.versions[mine].action != kept):
		add(func() Change {
			return Change{Path: at, Action: actions()[q.versions[mine].action], Copy: s.copyOf(&q.versions[mine])}
		})
	case mine < 0 && slices.ContainsFunc(q.versions, gone):
		add(func() Change {
			c := Change{Path: at, Action: Removed, Copy: Copy{Layer: int(layer), HiddenBy: shown}}
			c.How = q.versions[slices.IndexFunc(q.versions, gone)].how.String()
			q.lost(layer, &c)
			return c
		})
		return // what was below goes with it
	}
	for _, name := range slices.Sorted(maps.Keys(q.kids)) {
		s.changes(layer, q.kids[name], path.Join(at, name), add)
	}
}

// lost counts the files that a layer took away at and below q.
func (q *place) lost(layer int32, c *Change) {
	for _, v := range q.versions {
		if v.hider == layer && !v.dir {
			c.Files++
			c.Bytes += v.size
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.kids)) {
		q.kids[name].lost(layer, c)
	}
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
