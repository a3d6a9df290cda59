package union

import (
	"io/fs"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// Hidden lists the files of layers that the merged tree does not show, with what hides each: layer by
// layer from the lowest, in the order of their paths. What is below a hidden directory is listed too.
func (f *FS) Hidden() ([]HiddenEntry, error) {
	var out []HiddenEntry
	for i := range f.layers {
		if err := f.hiddenOf(i, ".", nil, &out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *FS) hiddenOf(layer int, dir string, by *Whiteout, out *[]HiddenEntry) error {
	entries, err := f.layers[layer].FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), WhiteoutPrefix) {
			continue
		}
		at, w := path.Join(dir, e.Name()), by
		if w == nil {
			w = f.hider(layer, dir, e)
		}
		if w != nil {
			*out = append(*out, HiddenEntry{at, layer, *w})
		}
		if e.IsDir() {
			if err := f.hiddenOf(layer, at, w, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// hider finds the lowest layer above that hides an entry whose directory is not hidden.
func (f *FS) hider(layer int, dir string, e fs.DirEntry) *Whiteout {
	for above := layer + 1; above < len(f.layers); above++ {
		opq, wh, at := path.Join(dir, OpaqueMarker), path.Join(dir, WhiteoutPrefix+e.Name()), path.Join(dir, e.Name())
		if fi := f.exists(above, opq); fi != nil {
			return &Whiteout{above, opq, "opaque", cites(fi)}
		}
		if fi := f.exists(above, wh); fi != nil {
			return &Whiteout{above, wh, "whiteout", cites(fi)}
		}
		if fi := f.exists(above, at); fi != nil && !(fi.IsDir() && e.IsDir()) {
			return &Whiteout{above, at, "replaced", cites(fi)}
		}
	}
	return nil
}

func cites(fi fs.FileInfo) []blob.Cite { return fsys.StatOf(fi).Cites }
