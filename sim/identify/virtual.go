package identify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/qcow2"
	"bootpath/sim/disk/vdi"
	"bootpath/sim/disk/vhd"
	"bootpath/sim/disk/vhdx"
	"bootpath/sim/disk/vmdk"
)

// maxBacking bounds how many images may lie behind each other.
const maxBacking = 8

// wrapper is a format that wraps disks.
type wrapper struct {
	name string
	open func(r io.ReaderAt, size int64) (disk.Virtual, []string, error)
}

func wrapperOf[D disk.Virtual](name string, open func(io.ReaderAt, int64) (D, error), notes func(D) []string) wrapper {
	return wrapper{name, func(r io.ReaderAt, size int64) (disk.Virtual, []string, error) {
		d, err := open(r, size)
		if err != nil {
			return nil, nil, err
		}
		return d, notes(d), nil
	}}
}

// wrappers are tried in turn; behind says how many images name the one that is opened.
func (im *Image) wrappers(behind int) []wrapper {
	return []wrapper{
		wrapperOf("qcow2", func(r io.ReaderAt, size int64) (*qcow2.Image, error) {
			return qcow2.OpenWith(r, size, func(name, format string) (disk.Virtual, error) { return im.behind(name, format, behind+1) })
		}, func(d *qcow2.Image) []string { return d.Notes }),
		wrapperOf("vdi", vdi.Open, func(d *vdi.Image) []string { return d.Notes }),
		{"vmdk", func(r io.ReaderAt, size int64) (disk.Virtual, []string, error) {
			return vmdk.OpenDisk(r, size, im.beside)
		}},
		wrapperOf("vhdx", vhdx.Open, func(d *vhdx.Image) []string { return d.Notes }),
		wrapperOf("vhd", vhd.Open, func(d *vhd.Image) []string { return d.Notes }), // last: it looks at the end of the file
	}
}

// beside is a file beside the input.
func (im *Image) beside(name string) (*blob.Blob, error) {
	if b := im.Store.Sibling(name); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// behind opens a disk that an image names. Directories in the name are those of the machine that wrote it.
func (im *Image) behind(name, format string, depth int) (disk.Virtual, error) {
	if depth > maxBacking {
		return nil, fmt.Errorf("%d images behind each other, at most %d: %w", depth, maxBacking, decode.ErrUnsupported)
	}
	b, err := im.beside(name[strings.LastIndexAny(name, `/\`)+1:])
	if err != nil {
		return nil, err
	}
	if format == "raw" {
		return disk.Raw(b), nil
	}
	d, _, err := im.openVirtual(b, depth)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Name(), err)
	}
	if d == nil {
		return disk.Raw(b), nil
	}
	return d, nil
}

// openVirtual opens the virtual disk in b; nil when b wraps none.
func (im *Image) openVirtual(b *blob.Blob, behind int) (d disk.Virtual, name string, err error) {
	for _, w := range im.wrappers(behind) {
		d, notes, err := w.open(b, b.Size())
		if errors.Is(err, decode.ErrFormat) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		im.Notes = append(im.Notes, notes...)
		return d, w.name, nil
	}
	return nil, "", nil
}

// unwrapDisk names the virtual disk in b; nil when b wraps none.
func (im *Image) unwrapDisk(b *blob.Blob) (*blob.Blob, error) {
	d, name, err := im.openVirtual(b, 0)
	if err != nil || d == nil {
		return nil, err
	}
	im.Formats = append(im.Formats, name)
	return im.Store.Add("disk0", d, d.Size(), d.From), nil
}
