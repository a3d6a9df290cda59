// Package union lays directory trees over each other: the layers of a container image, as its engine
// shows them to the container. The rules are those of the OCI image specification, "Image Layer
// Filesystem Changeset", section "Applying Changesets" and "Whiteouts":
//
//   - a file ".wh.NAME" in a layer hides NAME of the layers below, never of its own;
//   - ".wh..wh..opq" hides everything below in its directory;
//   - a directory over a directory merges and the upper attributes count; anything else replaces.
//
// Each layer is a tree of its own, as with overlayfs: symbolic links of a lower layer do not redirect
// where an upper layer's files go.
package union

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// Whiteout names; OCI image specification, "Whiteouts".
const (
	WhiteoutPrefix = ".wh."
	OpaqueMarker   = ".wh..wh..opq"
)

// Layer is one tree. Its whiteouts are still files in it.
type Layer struct {
	Name string // for messages: "layer:0a1b2c3d4e5f"
	FS   fsys.FS
}

// FS is the merged tree.
type FS struct {
	layers []Layer
	dirs   map[string]*dir  // merged directories seen so far
	extra  map[string]*link // hard links to files of lower layers
	notes  []string
}

// link is a hard link in one layer whose target lies in a lower one.
type link struct {
	layer  int
	target node
}

// named is the file under the link's name.
func (l *link) named(base string) node {
	n := l.target
	n.info = renamed{n.info, base}
	return n
}

// node is a file of the merged tree: the layer it is from and its path there. A directory may have
// parts in several layers, uppermost first.
type node struct {
	layer int
	path  string
	info  fs.FileInfo
	parts []int
	// implied: the layer's archive has no entry for the directory, only for what is in it. Such a
	// directory takes the attributes of the one below (containerd archive.Apply, mkparent).
	implied bool
}

type dir struct {
	parts []int
	names []string
	nodes map[string]node
}

// Whiteout is what hides files: a whiteout file, an opaque marker, or a file in place of another.
type Whiteout struct {
	Layer int
	Path  string // of the whiteout file or of the replacing file
	Kind  string // "whiteout" | "opaque" | "replaced"
	Cites []blob.Cite
}

// HiddenEntry is a file of a layer that the merged tree does not show.
type HiddenEntry struct {
	Path  string
	Layer int
	By    Whiteout
}

// ErrLimit is wrapped when the merged tree is larger than accepted.
var ErrLimit = errors.New("more than accepted")

const (
	maxLayers = 1000
	inoBits   = 40 // an inode number is the layer's index above, the layer's own number below
)

// New merges layers, lowest first. Directories are merged when they are asked for.
func New(layers ...Layer) (*FS, error) {
	if len(layers) > maxLayers {
		return nil, fmt.Errorf("%d layers, at most %d: %w", len(layers), maxLayers, ErrLimit)
	}
	f := &FS{layers: slices.Clone(layers), dirs: map[string]*dir{}, extra: map[string]*link{}}
	f.adopt()
	return f, nil
}

// adopt resolves hard links into lower layers. The specification allows them to be written so, and an
// unpacker that works in one directory follows them; overlayfs drivers, which unpack each layer by
// itself, cannot.
func (f *FS) adopt() {
	for i, l := range f.layers {
		t, ok := l.FS.(*tarfs.FS)
		if !ok {
			continue
		}
		for e := range t.Orphans() {
			name, target := tarfs.Clean(e.Name), tarfs.Clean(e.Linkname)
			below := &FS{layers: f.layers[:i], dirs: map[string]*dir{}, extra: f.extra}
			n, err := below.find("link", target)
			if err != nil || n.info.IsDir() {
				f.note("%s: hard link %s: no file %s below it; an unpacker stops here: No such file or directory", l.Name, name, target)
				continue
			}
			f.note("%s: hard link %s to %s of a lower layer; engines that unpack each layer by itself refuse it", l.Name, name, target)
			f.extra[name] = &link{i, n}
		}
	}
}

func (f *FS) note(format string, args ...any) {
	if len(f.notes) < 100 {
		f.notes = append(f.notes, fmt.Sprintf(format, args...))
	}
}

// Layers is the number of layers.
func (f *FS) Layers() int { return len(f.layers) }

// Layer returns one layer, the lowest is 0.
func (f *FS) Layer(i int) Layer { return f.layers[i] }

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info {
	info := fsys.Info{Type: "overlay", Notes: slices.Clone(f.notes)}
	for _, l := range f.layers {
		for _, n := range l.FS.Info().Notes {
			info.Notes = append(info.Notes, l.Name+": "+n)
		}
	}
	return info
}

// LayerOf tells which layer the file at name comes from; for a merged directory the one whose attributes
// count.
func (f *FS) LayerOf(name string) (int, error) {
	n, err := f.find("stat", name)
	return n.layer, err
}

// exists looks a name up in one layer; nil when it is not there.
func (f *FS) exists(layer int, name string) fs.FileInfo {
	fi, err := f.layers[layer].FS.Lstat(name)
	if err != nil {
		return nil
	}
	return fi
}

func (f *FS) opaque(layer int, name string) bool {
	return f.exists(layer, path.Join(name, OpaqueMarker)) != nil
}

// implied tells whether a layer's directory has no entry of its own.
func (f *FS) implied(layer int, name string) bool {
	t, ok := f.layers[layer].FS.(*tarfs.FS)
	if !ok {
		return false
	}
	n, err := t.Lookup(name)
	return err == nil && n.Implied()
}

// dir merges the directory at name, whose parts are known.
func (f *FS) dir(name string, parts []int) (*dir, error) {
	if d := f.dirs[name]; d != nil {
		return d, nil
	}
	d := &dir{parts: parts, nodes: map[string]node{}}
	hidden := map[string]bool{} // names that a layer above hides from those below
	for _, layer := range parts {
		entries, err := f.layers[layer].FS.ReadDir(name)
		if err != nil {
			return nil, err
		}
		var hides []string
		for _, e := range entries {
			base := e.Name()
			if gone, ok := strings.CutPrefix(base, WhiteoutPrefix); ok {
				hides = append(hides, gone)
				continue
			}
			if hidden[base] {
				continue
			}
			fi, err := e.Info()
			if err != nil {
				return nil, err
			}
			n := d.nodes[base]
			hidden[base] = f.under(&n, layer, path.Join(name, base), fi)
			d.nodes[base] = n
		}
		for _, base := range f.extraNames(layer, name) {
			if !hidden[base] && d.nodes[base].info == nil {
				d.nodes[base], hidden[base] = f.extra[path.Join(name, base)].named(base), true
			}
		}
		for _, h := range hides {
			hidden[h] = true
		}
	}
	d.names = slices.Sorted(maps.Keys(d.nodes))
	f.dirs[name] = d
	return d, nil
}

// lookup finds what dir lists as base, without the rest of the directory; nothing shows when the node has no info.
func (f *FS) lookup(dir string, parts []int, base string) (n node, err error) {
	at := path.Join(dir, base)
	if strings.HasPrefix(base, WhiteoutPrefix) {
		return n, nil
	}
	for _, layer := range parts {
		fi, err := f.layers[layer].FS.Lstat(at)
		switch {
		case err == nil:
			if f.under(&n, layer, at, fi) {
				return n, nil
			}
		case !errors.Is(err, fs.ErrNotExist):
			return n, err
		case n.info == nil && f.extra[at] != nil && f.extra[at].layer == layer:
			return f.extra[at].named(base), nil
		}
		if f.exists(layer, path.Join(dir, WhiteoutPrefix+base)) != nil {
			return n, nil
		}
	}
	return n, nil
}

// under puts a layer's file under what the layers above gave; it tells whether that hides all further below.
func (f *FS) under(n *node, layer int, at string, fi fs.FileInfo) (last bool) {
	switch {
	case n.info != nil && !fi.IsDir(): // a directory over a file
		return true
	case n.info == nil || n.implied:
		n.layer, n.path, n.info, n.implied = layer, at, fi, f.implied(layer, at)
	}
	if !fi.IsDir() {
		return true
	}
	n.parts = append(n.parts, layer)
	return f.opaque(layer, at)
}

func (f *FS) extraNames(layer int, name string) []string {
	var out []string
	for p, l := range f.extra {
		if l.layer == layer && path.Dir(p) == name {
			out = append(out, path.Base(p))
		}
	}
	slices.Sort(out)
	return out
}

// root is the merged root directory. Engines make it themselves, root:root 0755; an entry "./" of a
// layer does not change it (containerd archive.Apply and moby archive.UnpackLayer skip it).
func (f *FS) root() node {
	n := node{path: ".", info: rootInfo{}}
	for i := len(f.layers) - 1; i >= 0; i-- {
		n.parts = append(n.parts, i)
		if f.opaque(i, ".") {
			break
		}
	}
	if len(n.parts) > 0 {
		n.layer = n.parts[0]
	}
	return n
}

// find walks to name without following links.
func (f *FS) find(op, name string) (node, error) {
	n := f.root()
	if name == "." {
		return n, nil
	}
	if tarfs.Clean(name) != name {
		return node{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		if !n.info.IsDir() {
			return node{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		next, err := f.lookup(at, n.parts, part)
		if err != nil {
			return node{}, err
		}
		if next.info == nil {
			return node{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		n, at = next, path.Join(at, part)
	}
	return n, nil
}
