package union

import (
	"fmt"
	"io/fs"

	"bootpath/sim/fsys"
)

// subvolume is a tree of an edited volume of several trees. Every tree is a directory of the whole, so one
// edit of the whole is seen from all of them.
type subvolume struct {
	fsys.FS                 // what is shown: a directory of whole
	below   fsys.Subvolumes // the same tree without the edit
	whole   *edited
}

func editTree(s fsys.Subvolumes, remove []string, write map[string][]byte) fsys.FS {
	place, err := s.Place()
	if err != nil {
		return unplaced{edit(s, ".", remove, write), s, err}
	}
	top, err := s.Top()
	if err != nil {
		return unplaced{edit(s, ".", remove, write), s, err}
	}
	whole := edit(top, place, remove, write)
	return &subvolume{fsys.Sub(whole, place), s, whole}
}

// show finds a tree in the edited whole, where it can have been removed.
func (v *subvolume) show(f fsys.FS, err error) (fsys.FS, error) {
	if err != nil {
		return nil, err
	}
	s, ok := f.(fsys.Subvolumes)
	if !ok {
		return nil, fmt.Errorf("%T is no subvolume: %w", f, fs.ErrInvalid)
	}
	place, err := s.Place()
	if err != nil {
		return nil, err
	}
	switch fi, err := v.whole.Lstat(place); {
	case err != nil:
		return nil, err
	case !fi.IsDir():
		return nil, fmt.Errorf("%s is no subvolume any more: %w", place, fs.ErrInvalid)
	}
	return &subvolume{fsys.Sub(v.whole, place), s, v.whole}, nil
}

// Unwrap is for [fsys.Original].
func (v *subvolume) Unwrap() fsys.FS { return v.below }

// ID implements [fsys.Subvolumes].
func (v *subvolume) ID() uint64 { return v.below.ID() }

// Place implements [fsys.Subvolumes].
func (v *subvolume) Place() (string, error) { return v.below.Place() }

// Select implements [fsys.Subvolumes].
func (v *subvolume) Select(options string) (fsys.FS, error) { return v.show(v.below.Select(options)) }

// Top implements [fsys.Subvolumes].
func (v *subvolume) Top() (fsys.FS, error) { return v.show(v.below.Top()) }

// unplaced is an edited tree of which damage hides where it hangs: which other trees show the edit cannot
// be known.
type unplaced struct {
	fsys.FS
	below fsys.Subvolumes
	err   error
}

func (u unplaced) Unwrap() fsys.FS                { return u.below }
func (u unplaced) ID() uint64                     { return u.below.ID() }
func (u unplaced) Place() (string, error)         { return "", u.err }
func (u unplaced) Select(string) (fsys.FS, error) { return nil, u.err }
func (u unplaced) Top() (fsys.FS, error)          { return nil, u.err }
