package archive

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// maxLooked bounds how many entries of a tar are looked at before it is taken for what it is.
const maxLooked = 1000

// ofContainer tells the names that archives of container images have at their root.
func ofContainer(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	switch top {
	case "blobs", "oci-layout", "index.json", "manifest.json", "repositories":
		return true
	}
	base, ext, _ := strings.Cut(top, ".")
	_, err := hex.DecodeString(base)
	return err == nil && len(base) == 64 && (ext == "" || ext == "json" || ext == "tar" || ext == "tar.gz")
}

// fromTar finds the one image in a tar; the tar stays when it is a container archive, a root file system
// or none of our business.
func fromTar(store *blob.Store, b *blob.Blob, res *Result) (*blob.Blob, string, error) {
	format, stays, seen := "tar", false, 0
	var found, others []candidate
	var ovf []byte
	roots := map[string]bool{}
	err := tarfs.Scan(b, func(e *tarfs.Entry) bool {
		name := tarfs.Clean(e.Name)
		seen++
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains(rootNames[:], top) {
			roots[top] = true
		}
		stays = ofContainer(name) || len(roots) >= minRoots || seen > maxLooked
		switch base := path.Base(name); {
		case strings.HasSuffix(strings.ToLower(base), ".ovf"):
			if format == "tar" {
				format = "ova" // DMTF DSP0243, section 5.3
			}
			ovf, _ = blob.ReadAll(e.Content(b), 1<<20)
		case base == "Vagrantfile" || (base == "metadata.json" && top == base):
			format = "box" // Vagrant documentation, "Box File Format"
		case e.Type == tarfs.TypeReg && e.Size >= minSize && !junk(name):
			// Through Raw: what is read of the inner blob is kept under its own name.
			c := candidate{name: name, size: e.Size, view: e.Content(blob.Raw(b))}
			others = append(others, c)
			if head := headOf(e.Content(b)); isImage(name, head, 2) {
				c.rank = Rank(name, bytes.NewReader(head), int64(len(head)))
				found = append(found, c)
			}
		}
		return !stays
	})
	if err != nil {
		return nil, "", err
	}
	if stays || (len(found) == 0 && format == "tar") {
		return nil, "", nil
	}
	if format == "ova" && len(found) > 1 {
		found = []candidate{found[max(0, firstDisk(ovf, found))]}
		res.Notes = append(res.Notes, fmt.Sprintf("%s has several disks; this is the first, %s", b.Name(), found[0].name))
	}
	if format == "box" && len(found) > 1 && !slices.ContainsFunc(found, func(c candidate) bool { return c.rank > 0 }) {
		slices.SortFunc(found, func(a, b candidate) int { return strings.Compare(a.name, b.name) }) // box_0.img is the first disk
		res.Notes = append(res.Notes, fmt.Sprintf("%s has several disks; this is the first, %s", b.Name(), found[0].name))
		found = found[:1]
	}
	c, err := choose(format, found)
	if err != nil {
		return nil, "", err
	}
	store.AddSiblings(func(name string) *blob.Blob {
		i := slices.IndexFunc(others, func(o candidate) bool { return path.Base(o.name) == name && o.name != c.name })
		if i < 0 {
			return nil
		}
		return others[i].add(store)
	})
	return c.add(store), format, nil
}

// add names a member of a tar.
func (c *candidate) add(store *blob.Store) *blob.Blob {
	from := func(off, n int64) []blob.Span { return blob.Locate(c.view, off, n) }
	return store.Add(path.Base(c.name), c.view, c.size, from)
}

// headOf reads the places of a member that tell what it is.
func headOf(r io.ReaderAt) []byte {
	head := make([]byte, headSize)
	n, err := r.ReadAt(head[:4096], 0)
	if err != nil {
		return head[:n]
	}
	if n, _ = r.ReadAt(head[volumeOff:], volumeOff); n == 0 {
		return head[:4096]
	}
	return head[:volumeOff+n]
}

// firstDisk is the index of the image that an OVF names as its first disk; -1 when it names none of them.
func firstDisk(ovf []byte, found []candidate) int {
	for _, name := range disksOf(ovf) {
		if i := slices.IndexFunc(found, func(c candidate) bool { return path.Base(c.name) == path.Base(name) }); i >= 0 {
			return i
		}
	}
	return -1
}

// rootNames are directories that the Filesystem Hierarchy Standard 3.0 puts into the root.
var rootNames = [...]string{"bin", "boot", "dev", "etc", "home", "lib", "lib64", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}

const minRoots = 3 // of them make a root file system

// LooksLikeRootFS opens a tar as a root file system: what "docker export", a WSL distribution or a
// debootstrap tarball is. ok is false when it is another tar.
func LooksLikeRootFS(_ *blob.Store, b *blob.Blob) (root fsys.FS, ok bool, err error) {
	tree, err := tarfs.Open(b)
	if err != nil {
		return nil, false, err
	}
	n := 0
	for _, name := range rootNames {
		if fi, err := tree.Stat(name); err == nil && !fi.Mode().IsRegular() {
			n++
		}
	}
	if n < minRoots {
		return nil, false, nil
	}
	return tree, true, nil
}
