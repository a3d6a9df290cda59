package identify

import (
	"errors"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/qcow2"
	"bootpath/sim/disk/vdi"
	"bootpath/sim/disk/vhd"
	"bootpath/sim/disk/vhdx"
	"bootpath/sim/disk/vmdk"
)

// virtualDisk is a disk wrapped in a file.
type virtualDisk interface {
	io.ReaderAt
	Size() int64
	From(off, n int64) []blob.Span
}

// wrapper is a format that wraps disks.
type wrapper struct {
	name string
	open func(r io.ReaderAt, size int64) (virtualDisk, []string, error)
}

func wrapperOf[D virtualDisk](name string, open func(io.ReaderAt, int64) (D, error), notes func(D) []string) wrapper {
	return wrapper{name, func(r io.ReaderAt, size int64) (virtualDisk, []string, error) {
		d, err := open(r, size)
		if err != nil {
			return nil, nil, err
		}
		return d, notes(d), nil
	}}
}

func wrappers() []wrapper {
	return []wrapper{
		wrapperOf("qcow2", qcow2.Open, func(d *qcow2.Image) []string { return d.Notes }),
		wrapperOf("vdi", vdi.Open, func(d *vdi.Image) []string { return d.Notes }),
		wrapperOf("vmdk", vmdk.Open, func(d *vmdk.Image) []string { return d.Notes }),
		wrapperOf("vhdx", vhdx.Open, func(d *vhdx.Image) []string { return d.Notes }),
		wrapperOf("vhd", vhd.Open, func(d *vhd.Image) []string { return d.Notes }), // last: it looks at the end of the file
	}
}

// unwrapDisk names the virtual disk in b; nil when b wraps none.
func (im *Image) unwrapDisk(b *blob.Blob) (*blob.Blob, error) {
	for _, w := range wrappers() {
		d, notes, err := w.open(b, b.Size())
		if errors.Is(err, decode.ErrFormat) {
			continue
		}
		if err != nil {
			return nil, err
		}
		im.Formats = append(im.Formats, w.name)
		im.Notes = append(im.Notes, notes...)
		return im.Store.Add("disk0", d, d.Size(), d.From), nil
	}
	return nil, nil
}
