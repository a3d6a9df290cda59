// Package identify answers "what is this file?": it peels wrappers off, opens the disk or the archive
// inside, finds the volumes on it and the files that decide how it starts. It reads little: headers,
// tables, a few directories.
package identify

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/archive"
	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/eltorito"
	"bootpath/sim/disk/gpt"
	"bootpath/sim/disk/mbr"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/oci"
)

// Kind is the first answer.
type Kind string

const (
	Application Kind = "application" // a container image: user space for a kernel that someone else brings
	System      Kind = "system"      // a disk or medium that firmware can be given
	RootFS      Kind = "rootfs"      // a root file system without kernel or image config: WSL, docker export
	Other       Kind = "other"       // recognised, but neither: a kernel, an initramfs
)

// Image is an opened file.
type Image struct {
	Kind    Kind
	Formats []string // outermost first
	Store   *blob.Store
	Input   *blob.Blob
	Origin  *blob.Origin // set when Input is a slice
	Disk    *disk.Disk   // of a system image
	Archive *oci.Archive // of an application image
	Root    fsys.FS      // of a rootfs; of a system image the volume that holds its user space, nil when none does
	RootVol *disk.Volume
	Kernel  *bzimage.Image // of a file that is a kernel itself

	KernelBlob *blob.Blob // its bytes, unpacked from whatever they came in
	Notes      []string

	stored *blob.Blob
	found  *findings
	probe  io.ReaderAt // the disk, for guesses
	outer  outer

	before  *Image // of a patched disk: without the patches
	patches []blob.Patch
}

// maxStream bounds what an outer compressed stream may unpack to, in bytes.
const maxStream = 64 << 30

// Open finds out what input is. patches are laid over the disk (or the archive) before anything on it
// is parsed. An input that is none of the known kinds gives a [*decode.Error]; one that is recognised
// and cannot be read wraps [decode.ErrUnsupported].
func Open(store *blob.Store, input *blob.Blob, patches []blob.Patch) (*Image, error) {
	im := &Image{Store: store, Input: input}
	inner, err := archive.Unwrap(store, input)
	if err != nil {
		return nil, err
	}
	im.Formats = append(im.Formats, inner.Formats...)
	b := inner.Blob
	im.stored = b

	switch inside, err := im.unwrapDisk(b); {
	case err != nil:
		return nil, err
	case inside != nil:
		return im, im.openDisk(inside, patches, true)
	}
	if isTar(b) {
		b.Patch(patches...)
		return im, im.openTar(b)
	}
	if k, err := bzimage.Read(b, b.Size()); err == nil {
		b.Patch(patches...)
		im.Kind, im.Kernel, im.KernelBlob = Other, k, b
		im.Formats = append(im.Formats, "linux-kernel")
		if !k.IsLinux() {
			im.Formats[len(im.Formats)-1] = "boot-program" // Memtest86+ and the like
		}
		return im, nil
	}
	if other := recogniseOther(b); other != "" {
		b.Patch(patches...)
		im.Kind, im.Formats = Other, append(im.Formats, other)
		return im, nil
	}
	return im, im.openDisk(b, patches, len(patches) > 0)
}

// Stored is the input without what a download comes wrapped in (gzip, xz, zip …): the archive or the disk
// file that tools are given.
func (im *Image) Stored() *blob.Blob { return im.stored }

// openTar opens an application image or a root file system in a tar.
func (im *Image) openTar(b *blob.Blob) error {
	a, err := oci.Open(im.Store, b)
	if err == nil && len(a.Images) == 0 { // packed as an image is, and nothing to run
		im.Kind = Other
		im.Formats = append(im.Formats, a.Format, artifactName(a.Artifacts[0]))
		im.Notes = append(im.Notes, a.Notes...)
		return nil
	}
	if err == nil {
		im.Kind, im.Archive = Application, a
		im.Formats = append(im.Formats, a.Format)
		im.Notes = append(im.Notes, a.Notes...)
		im.nameApplication()
		return nil
	}
	if !errors.Is(err, decode.ErrFormat) {
		return err
	}
	root, ok, rootErr := archive.LooksLikeRootFS(im.Store, b)
	if rootErr != nil {
		return rootErr
	}
	if !ok {
		return err
	}
	im.Kind, im.Root = RootFS, root
	im.Formats = append(im.Formats, "tar")
	im.nameRootFS(im.Input.Name())
	return nil
}

// openDisk opens what firmware would be given. A disk that is known to be one may be empty or broken; of
// other bytes something must be recognised.
func (im *Image) openDisk(b *blob.Blob, patches []blob.Patch, known bool) error {
	im.outer = outer{len(im.Formats), len(im.Notes)}
	d := &disk.Disk{Name: b.Name(), R: blob.Overlay(b, patches...), Size: b.Size()}
	im.Disk, im.probe = d, blob.Overlay(prober{b}, patches...)
	var err error
	d.Table, err = readTable(d)
	switch {
	case err == nil:
		im.Notes = append(im.Notes, d.Table.Notes...)
	case !errors.Is(err, decode.ErrFormat):
		im.Notes = append(im.Notes, err.Error())
	}
	// A catalog with a wrong checksum still lists its entries: SeaBIOS does not look at the checksum.
	entries, cites, err := eltorito.Read(d.R)
	d.ElTorito, d.Catalog = entries, cites
	if err != nil && !errors.Is(err, decode.ErrFormat) {
		im.Notes = append(im.Notes, err.Error())
	}

	whole := im.openVolume(0, 0, d.Size)
	if whole.Type != "" {
		d.Volumes = append(d.Volumes, whole)
	}
	if d.Table != nil {
		for _, p := range d.Table.Partitions {
			if off, size, ok := extent(d, p); ok {
				d.Volumes = append(d.Volumes, im.openVolume(p.Number, off, size))
			}
		}
	}
	im.openArrays()
	im.openLogical()
	if !known && d.Table == nil && len(d.ElTorito) == 0 && len(d.Volumes) == 0 && !im.looksLikeDisk() {
		return unrecognised(b)
	}
	im.Kind = System
	d.Format = "raw"
	if whole.Type == "iso9660" {
		d.Format = "iso9660"
	}
	im.Formats = append(im.Formats, d.Format)
	im.findRoot()
	return nil
}

// readTable reads a disk's partition table.
func readTable(d *disk.Disk) (*disk.Table, error) {
	table, err := gpt.Read(d.R, d.Size)
	if errors.Is(err, decode.ErrFormat) {
		table, err = mbr.Read(d.R, d.Size)
	}
	return table, err
}

// extent is where a partition lies that may hold a volume, in bytes.
func extent(d *disk.Disk, p disk.Partition) (off, size int64, ok bool) {
	off, size = p.Start*disk.SectorSize, p.Size*disk.SectorSize
	return off, min(size, d.Size-off), off >= 0 && off < d.Size && !isExtended(p)
}

// Disk opens size bytes of an image that firmware shows as a disk of their own. What cannot be read is left out.
func Disk(name string, r io.ReaderAt, size int64) *disk.Disk {
	d := &disk.Disk{Name: name, Format: "raw", R: r, Size: size}
	if whole := Volume(r, size); whole.Type != "" {
		d.Volumes = append(d.Volumes, whole)
	}
	table, err := readTable(d)
	if err != nil {
		return d
	}
	d.Table = table
	for _, p := range table.Partitions {
		if off, size, ok := extent(d, p); ok {
			v := Volume(blob.Section(r, off, size), size)
			v.Partition, v.Off = p.Number, off
			d.Volumes = append(d.Volumes, v)
		}
	}
	return d
}

// looksLikeDisk accepts a first sector that a BIOS would run, and one that lost its signature but still
// lists a partition with a known volume on it: a broken disk is what a learner may bring.
func (im *Image) looksLikeDisk() bool {
	sector, _, err := mbr.ReadBootSector(im.Disk.R)
	if err != nil {
		return false
	}
	if sector.Signature == mbr.Signature {
		return true
	}
	for _, e := range sector.Entries {
		off, size := int64(e.Start)*disk.SectorSize, int64(e.Size)*disk.SectorSize
		if e.Type == 0 || off <= 0 || off+size > im.Disk.Size {
			continue
		}
		if v := im.openVolume(0, off, size); v.Type != "" {
			im.Notes = append(im.Notes, "the first sector lists partitions, its signature is missing")
			return true
		}
	}
	return false
}

func isExtended(p disk.Partition) bool {
	switch strings.ToLower(p.Type) {
	case "5", "05", "f", "0f", "85":
		return true
	}
	return false
}

// findRoot picks the volume that holds the user space: the first with an init or an os-release.
func (im *Image) findRoot() {
	for _, name := range []string{"sbin/init", "usr/lib/os-release", "etc/os-release", "etc/passwd", "bin/sh"} {
		for i := range im.Disk.Volumes {
			v := &im.Disk.Volumes[i]
			if v.FS == nil || v.Type == "vfat" {
				continue
			}
			for _, f := range trees(v.FS) {
				if _, err := fsys.ResolveParent(f, name); err == nil {
					im.Root, im.RootVol = f, v
					return
				}
			}
		}
	}
}

// trees are what of a volume can be a root: itself and, of Btrfs, the other subvolumes, for installers put the
// system into one ("@", "root") that is not the default.
func trees(f fsys.FS) []fsys.FS {
	out := []fsys.FS{f}
	v, ok := f.(*btrfs.FS)
	if !ok {
		return out
	}
	all, _ := v.Subvolumes() // what is damaged is not found here and named where it is mounted
	for _, s := range all {
		if sub, err := v.Select(fmt.Sprintf("subvolid=%d", s.ID)); err == nil && s.ID != v.ID() {
			out = append(out, sub)
		}
	}
	return out
}

// EditFiles replaces the file systems by what they are with the paths removed and written: the what-ifs
// `--rm` and `--write`. A path names every volume's file where it exists; a new file goes to the volume
// with the user space.
func (im *Image) EditFiles(edit func(f fsys.FS, isRoot bool) fsys.FS) error {
	if im.Disk == nil {
		if im.Root != nil {
			im.Root = edit(im.Root, true)
		}
		return nil
	}
	for i := range im.Disk.Volumes {
		v := &im.Disk.Volumes[i]
		if v.FS == nil {
			continue
		}
		isRoot, whole := v == im.RootVol, v.FS
		if isRoot && im.Root != whole {
			if err := im.editSubvolume(v, edit); err != nil {
				return fmt.Errorf("%s: %w", im.Input.Name(), err)
			}
			continue
		}
		v.FS = edit(whole, isRoot)
		if isRoot {
			im.Root = v.FS
		}
	}
	return nil
}

// editSubvolume edits a volume of which the root is another tree than the one shown. Paths from either
// count.
func (im *Image) editSubvolume(v *disk.Volume, edit func(f fsys.FS, isRoot bool) fsys.FS) (err error) {
	shown, ok := edit(im.Root, true).(fsys.Subvolumes)
	if !ok {
		return fmt.Errorf("the root is no subvolume of %s", v.Type)
	}
	if v.FS, err = shown.Select(""); err != nil {
		return err
	}
	v.FS = edit(v.FS, false)
	im.Root, err = v.FS.(fsys.Subvolumes).Select(fmt.Sprintf("subvolid=%d", shown.ID()))
	return err
}

// isTar tells a tar archive by its checksum field's magic at offset 257 ("ustar", POSIX.1-2017 pax).
func isTar(b io.ReaderAt) bool {
	var magic [5]byte
	_, err := b.ReadAt(magic[:], 257)
	return err == nil && string(magic[:]) == "ustar"
}

// recogniseOther names files that belong to a start without being an image.
func recogniseOther(b *blob.Blob) string {
	var head [12]byte
	b.ReadAt(head[:], 0)
	switch {
	case isFlatpakBundle(head[:]):
		return FormatFlatpak
	case string(head[:6]) == "070701" || string(head[:6]) == "070702":
		return "cpio"
	case string(head[:4]) == "\x7fELF":
		return "elf"
	}
	if f, err := pe.Read(b, b.Size()); err == nil {
		if f.Optional.Subsystem == pe.SubsystemEFIApplication {
			return FormatEFI
		}
		return "pe"
	}
	return ""
}

// unrecognised says what was looked for and what is there.
func unrecognised(b *blob.Blob) error {
	head := make([]byte, 16)
	n, _ := b.ReadAt(head, 0)
	got := fmt.Sprintf("% x", head[:n])
	if n == 0 {
		got = "an empty file"
	}
	return decode.Errorf(b, 0, int64(max(n, 1)), b.Name(),
		"a container archive (docker save, OCI), a disk image (raw, qcow2, VDI, VMDK, VHD, VHDX, ISO 9660) or a root file system", "%s", got)
}
