package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// What the latest run changed about a name of a directory.
const (
	patchRemoved = "removed"
	patchWritten = "written"
	patchAdded   = "added"
)

// asItCame is the layer that means a file without what the settings changed.
const asItCame = -2

var errNoRoot = errors.New("the file has no root file system")

// seenRoot is the root file system as the latest run saw it, nil when there is none. Where a patch left none,
// it is that of the image.
func (s *Session) seenRoot() fsys.FS {
	if s.ran.Root != nil {
		return s.ran.Root
	}
	return s.image.Root
}

// listRoot lists a directory of a system's or a distribution's root file system: what the latest run saw, and
// what it was not let see.
func (s *Session) listRoot(out *TreeListing, most int) error {
	out.Elsewhere = s.elsewhere(out.Path)
	now := s.seenRoot()
	if now == nil {
		return errNoRoot
	}
	entries, err := dirOf(now, out.Path)
	var before []fs.DirEntry
	patched := now != s.image.Root && s.image.Root != nil
	if patched {
		var gone error
		if before, gone = dirOf(s.image.Root, out.Path); gone == nil {
			err = nil
		}
	}
	if err != nil && len(out.Elsewhere) == 0 {
		return err
	}
	var rows []TreeEntry
	for _, e := range entries {
		row, err := treeEntry(now, out.Path, e)
		if err != nil {
			return err
		}
		if patched {
			row.Patched = s.patchedHow(now, path.Join(out.Path, e.Name()), before)
		}
		rows = append(rows, row)
	}
	for _, e := range before {
		if slices.ContainsFunc(entries, func(n fs.DirEntry) bool { return n.Name() == e.Name() }) {
			continue
		}
		row, err := treeEntry(s.image.Root, out.Path, e)
		if err != nil {
			return err
		}
		row.Gone, row.Patched = true, patchRemoved
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	out.Total = len(rows)
	out.Entries = append(out.Entries, rows[min(out.Off, len(rows)):min(out.Off+most, len(rows))]...)
	return nil
}

// elsewhere names what other volumes of a disk have in a directory, folders with a slash: what-ifs reach it too.
func (s *Session) elsewhere(dir string) []string {
	var out []string
	if s.image.Disk == nil {
		return nil
	}
	for i := range s.image.Disk.Volumes {
		v := &s.image.Disk.Volumes[i]
		if v.FS == nil || v == s.image.RootVol {
			continue
		}
		entries, _ := dirOf(v.FS, dir)
		for _, e := range entries[:min(len(entries), maxRows)] {
			name := e.Name()
			if e.IsDir() {
				name += "/"
			}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func dirOf(f fsys.FS, name string) ([]fs.DirEntry, error) {
	at, err := fsys.Resolve(f, name)
	if err != nil {
		return nil, err
	}
	return f.ReadDir(at)
}

// patchedHow tells what the settings did to a file that the run saw; before is its directory as it came.
func (s *Session) patchedHow(now fsys.FS, name string, before []fs.DirEntry) string {
	if !slices.ContainsFunc(before, func(e fs.DirEntry) bool { return e.Name() == path.Base(name) }) {
		return patchAdded
	}
	// What was written lies nowhere in the image.
	a, errA := openAt(now, name)
	b, errB := openAt(s.image.Root, name)
	switch {
	case errA != nil || errB != nil:
		return ""
	case a.Size() != b.Size() || len(blob.Locate(a, 0, a.Size())) == 0 && len(blob.Locate(b, 0, b.Size())) > 0:
		return patchWritten
	}
	return ""
}

// openAt opens a regular file; a link at the end is not followed.
func openAt(f fsys.FS, name string) (fsys.File, error) {
	at, err := fsys.ResolveParent(f, name)
	if err != nil {
		return nil, err
	}
	return fsys.OpenFile(f, at)
}

// treeEntry describes a file; of one that a slice keeps nothing of, what its directory says.
func treeEntry(f fsys.FS, dir string, e fs.DirEntry) (TreeEntry, error) {
	fi, err := e.Info()
	if errors.Is(err, blob.ErrNotKept) {
		return TreeEntry{Name: e.Name(), Copies: []FileCopy{{Type: typeOf(e.Type()), HiddenBy: -1}}}, nil
	}
	if err != nil {
		return TreeEntry{}, err
	}
	st := fsys.StatOf(fi)
	c := FileCopy{
		Type: typeOf(fi.Mode()), Mode: fmt.Sprintf("%04o", st.Mode&0o7777), UID: st.UID, GID: st.GID,
		Size: fi.Size(), HiddenBy: -1, Cites: st.Cites,
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		if at, err := fsys.ResolveParent(f, path.Join(dir, e.Name())); err == nil {
			c.Link, _ = f.ReadLink(at)
		}
	}
	return TreeEntry{Name: e.Name(), Copies: []FileCopy{c}}, nil
}
