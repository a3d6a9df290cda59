package vmdk

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Descriptor is the text that says what a disk consists of: a file of its own, or embedded behind the header
// of a sparse extent. Section "The Descriptor File".
type Descriptor struct {
	CreateType         string // "monolithicSparse", "twoGbMaxExtentSparse" …
	ParentCID          string // "ffffffff": no parent
	ParentFileNameHint string
	Encrypted          bool
	Extents            []Extent
}

// Extent is a line of the descriptor: RW 4192256 SPARSE "disk-s001.vmdk".
type Extent struct {
	Access  string // RW, RDONLY, NOACCESS
	Sectors int64
	Type    string // FLAT, SPARSE, ZERO, VMFS, VMFSSPARSE, SESPARSE …
	File    string // "" for ZERO
	Offset  int64  // of a flat extent in its file, sectors
}

const (
	descriptorMax = 256 << 10
	extentsMax    = 4096
)

// isDescriptor tells a descriptor file by its first line, a comment that all writers have.
func isDescriptor(r io.ReaderAt) bool {
	head := make([]byte, 64)
	n, _ := r.ReadAt(head, 0)
	line, _, _ := strings.Cut(strings.ToLower(string(head[:n])), "\n")
	return strings.HasPrefix(line, "#") && strings.HasPrefix(strings.TrimLeft(line, "# "), "disk descriptorfile")
}

// readDescriptor parses the n bytes at off.
func readDescriptor(r io.ReaderAt, off, n int64) (*Descriptor, error) {
	w, err := blob.Window(r, off, min(n, descriptorMax))
	if err != nil {
		return nil, fmt.Errorf("vmdk descriptor: %w", err)
	}
	text, _, _ := bytes.Cut(w.Bytes(), []byte{0})
	d := new(Descriptor)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if e, ok := parseExtent(line); ok && len(d.Extents) < extentsMax {
			d.Extents = append(d.Extents, e)
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch key = strings.TrimSpace(key); strings.ToLower(key) {
		case "createtype":
			d.CreateType = value
		case "parentcid":
			d.ParentCID = strings.ToLower(value)
		case "parentfilenamehint":
			d.ParentFileNameHint = value
		case "encryption.keysafe", "encryption.data":
			d.Encrypted = true
		}
	}
	return d, nil
}

func parseExtent(line string) (Extent, bool) {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[0] != "RW" && fields[0] != "RDONLY" && fields[0] != "NOACCESS" {
		return Extent{}, false
	}
	sectors, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return Extent{}, false
	}
	e := Extent{Access: fields[0], Sectors: sectors, Type: fields[2]}
	if _, rest, ok := strings.Cut(line, `"`); ok { // the name may have spaces
		var after string
		e.File, after, _ = strings.Cut(rest, `"`)
		if f := strings.Fields(after); len(f) > 0 {
			e.Offset, _ = strconv.ParseInt(f[0], 10, 64)
		}
	}
	return e, true
}

// files names what the extents lie in.
func (d *Descriptor) files() string {
	var names []string
	for _, e := range d.Extents {
		if e.File != "" {
			names = append(names, strconv.Quote(e.File))
		}
	}
	switch n := len(names); {
	case n == 0:
		return "files that it does not name"
	case n > 4:
		return fmt.Sprintf("%s and %d more files", strings.Join(names[:3], ", "), n-3)
	}
	return strings.Join(names, ", ")
}

// refuse names what a disk needs beside this file. embedded tells that the descriptor lies in the sparse
// extent that is its only one.
func (d *Descriptor) refuse(embedded bool) error {
	switch {
	case d.Encrypted:
		return fmt.Errorf("vmdk image that is encrypted: %w", decode.ErrUnsupported)
	case d.ParentCID != "" && d.ParentCID != "ffffffff":
		return fmt.Errorf("vmdk image that needs its parent %q: %w", d.ParentFileNameHint, decode.ErrUnsupported)
	case !embedded:
		return fmt.Errorf("vmdk descriptor of type %q, the disk itself lies in %s, give all files together: %w", d.CreateType, d.files(), decode.ErrUnsupported)
	case len(d.Extents) > 1:
		return fmt.Errorf("vmdk image of type %q that consists of %s: %w", d.CreateType, d.files(), decode.ErrUnsupported)
	}
	return nil
}
