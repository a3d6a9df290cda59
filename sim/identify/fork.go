package identify

import (
	"slices"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
)

// Fork is the image for one run: its file systems may be edited ([Image.EditFiles]) and what the run unpacks
// gets names of its own. What was learnt of the disk is shared: volumes, their caches, unpacked streams.
func (im *Image) Fork() *Image {
	out := *im
	out.Store, out.found = im.Store.Fork(), nil
	if im.Disk == nil {
		return &out
	}
	d := *im.Disk
	d.Volumes = slices.Clone(d.Volumes)
	out.Disk = &d
	if im.RootVol != nil {
		i := slices.IndexFunc(im.Disk.Volumes, func(v disk.Volume) bool { return v.Partition == im.RootVol.Partition && v.Name == im.RootVol.Name })
		out.RootVol = &d.Volumes[i]
	}
	return &out
}

// Patched is a fork with patches laid over the disk. The disk is read anew; of its volumes and of what was
// unpacked from it that is shared which lies outside the patches. ok is false for an image that is no disk:
// that has to be opened again.
func (im *Image) Patched(patches []blob.Patch) (out *Image, ok bool) {
	if im.Disk == nil {
		return nil, false
	}
	b := im.Store.Blob(im.Disk.Name)
	var changed []blob.Span
	for _, p := range patches {
		changed = append(changed, blob.Span{Blob: b.Name(), Off: p.Off, Len: int64(len(p.Data))})
	}
	out = &Image{Store: im.Store.Fork(changed...), Input: im.Input, Origin: im.Origin, stored: im.stored,
		Formats: im.Formats[:im.outer.formats:im.outer.formats], Notes: im.Notes[:im.outer.notes:im.outer.notes], outer: im.outer, before: im, patches: patches}
	return out, out.openDisk(b, patches, true) == nil
}

// outer counts what an image was named and noted before its disk was looked at: what it came wrapped in.
type outer struct{ formats, notes int }

// unchanged is a volume as it was before the patches, when none of them lies in it; nil otherwise.
func (im *Image) unchanged(partition int, off, size int64) *disk.Volume {
	if im.before == nil {
		return nil
	}
	for _, p := range im.patches {
		if p.Off < off+size && off < p.Off+int64(len(p.Data)) {
			return nil
		}
	}
	v := im.before.Disk.Volume(partition)
	if v == nil || v.Off != off || v.Size != size || isESP(im.before.Disk, partition) != isESP(im.Disk, partition) {
		return nil
	}
	return v
}
