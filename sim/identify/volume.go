package identify

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/luks"
	"bootpath/sim/disk/lvm"
	"bootpath/sim/disk/md"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/fsys/erofs"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/fsys/iso9660"
	"bootpath/sim/fsys/squashfs"
	"bootpath/sim/fsys/xfs"
)

// openVolume finds the file system in size bytes at off of the disk.
func (im *Image) openVolume(partition int, off, size int64) disk.Volume {
	if v := im.unchanged(partition, off, size); v != nil {
		return *v
	}
	d := im.Disk
	r := blob.Section(d.R, off, size)
	v := disk.Volume{Partition: partition, Off: off, Size: size, R: r}
	// What looks like a member in front of a partition table is a leftover.
	leftover := partition == 0 && d.Table != nil
	if leftover || isESP(d, partition) || !isMember(blob.Section(im.probe, off, size), size) || !openMember(&v, r) {
		openFS(&v, r)
	}
	return v
}

// Volume finds what a device of size bytes holds that is no part of the disk: a file behind a loop device.
func Volume(r io.ReaderAt, size int64) disk.Volume {
	v := disk.Volume{Size: size, R: r}
	if !openMember(&v, r) {
		openFS(&v, r)
	}
	return v
}

// isESP tells an EFI system partition: a mirror's member there is for the firmware a FAT file system.
func isESP(d *disk.Disk, partition int) bool {
	p := d.Partition(partition)
	return p != nil && (strings.EqualFold(p.Type, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B") || strings.EqualFold(p.Type, "ef"))
}

// prober reads for guesses that are mostly wrong: see [blob.Probe].
type prober struct{ b *blob.Blob }

func (p prober) ReadAt(data []byte, off int64) (int, error) {
	if !blob.Probe(p.b, data, off) {
		return 0, io.EOF
	}
	return len(data), nil
}

func (p prober) Size() int64 { return p.b.Size() }

// isMember tells whether openMember may find something.
func isMember(r io.ReaderAt, size int64) bool {
	_, raid := md.Read(r, size)
	_, crypt := luks.Read(r)
	_, pv := lvm.ReadPV(r, size)
	return !errors.Is(raid, decode.ErrFormat) || !errors.Is(crypt, decode.ErrFormat) || !errors.Is(pv, decode.ErrFormat)
}

// openMember recognises what holds other volumes; like blkid it asks before it asks for file systems, for
// the members of a mirror look like one.
func openMember(v *disk.Volume, r io.ReaderAt) bool {
	found := func(kind string, err error) bool {
		if errors.Is(err, decode.ErrFormat) {
			return false
		}
		v.Type, v.Err = kind, err
		return true
	}
	m, err := md.Read(r, v.Size)
	if found("linux_raid_member", err) {
		if err == nil {
			v.UUID, v.Label, v.Cites = dashedUUID(strings.ReplaceAll(m.UUID, ":", "")), m.Name, m.Cites
			v.Err = fmt.Errorf("%s: %w", m, decode.ErrUnsupported)
		}
		return true
	}
	h, err := luks.Read(r)
	if found("crypto_LUKS", err) {
		if err == nil {
			v.UUID, v.Label, v.Cites = h.UUID, h.Label, h.Cites
			v.Err = fmt.Errorf("%s: what it holds cannot be known without its passphrase: %w", h, decode.ErrUnsupported)
		}
		return true
	}
	pv, err := lvm.ReadPV(r, v.Size)
	if found("LVM2_member", err) {
		if err == nil {
			v.UUID, v.Cites, v.Err = pv.UUID, pv.Cites, pv.Err
		}
		return true
	}
	return false
}

// dashedUUID writes 32 hexadecimal digits in the groups that blkid prints.
func dashedUUID(s string) string {
	if len(s) != 32 {
		return s
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// openArrays adds the mirrors that have a member on the disk, and names why other arrays cannot be read.
func (im *Image) openArrays() {
	d := im.Disk
	for _, a := range md.Arrays(d) {
		v := a.Volume(d)
		if v.R != nil && !openMember(&v, v.R) {
			openFS(&v, v.R)
		}
		for _, i := range a.On {
			if v.R != nil {
				d.Volumes[i].Err = nil // what it holds is read, as part of the mirror
			}
		}
		d.Volumes = append(d.Volumes, v)
	}
}

// openLogical adds the logical volumes of the groups whose physical volumes are on the disk.
func (im *Image) openLogical() {
	d := im.Disk
	for _, l := range lvm.Open(d.R, lvm.Members(d)) {
		if !l.Visible {
			continue
		}
		v := disk.Volume{Name: l.Name, Size: l.Size, Cites: l.Cites, Err: l.Err}
		if l.R != nil {
			v.R = l.R
			openFS(&v, l.R)
		}
		d.Volumes = append(d.Volumes, v)
	}
}

// openFS finds the file system of a volume.
func openFS(v *disk.Volume, r io.ReaderAt) {
	size := v.Size
	try := func(kind string, open func() (fsys.FS, error)) bool {
		f, err := open()
		if err != nil && errors.Is(err, decode.ErrFormat) {
			return false
		}
		v.Type, v.Err = kind, err
		if err == nil {
			v.FS, v.Type = f, f.Info().Type
		}
		return true
	}
	switch {
	case try("iso9660", func() (fsys.FS, error) { return iso9660.Open(r, size) }):
	case try("ext4", func() (fsys.FS, error) { return ext4.Open(r, size) }):
	case try("xfs", func() (fsys.FS, error) { return xfs.Open(r, size) }):
	case try("squashfs", func() (fsys.FS, error) { return squashfs.Open(r, size) }):
	case try("erofs", func() (fsys.FS, error) { return erofs.Open(r, size) }):
	case try("vfat", func() (fsys.FS, error) { return fat.Open(r, size) }):
	case try("btrfs", func() (fsys.FS, error) { return btrfs.Open(r, size) }):
	default:
		for _, m := range magics {
			got := make([]byte, len(m.magic))
			if n, _ := r.ReadAt(got, m.off); n == len(got) && string(got) == m.magic {
				v.Type = m.name
				v.Err = fmt.Errorf("%s volume: %w", m.name, decode.ErrUnsupported)
				if m.name == "swap" {
					nameSwap(v, r)
				}
				break
			}
		}
	}
}

// magics names volumes that are recognised and not read; the names are blkid's, the places those of
// each format's superblock.
var magics = [...]struct {
	name  string
	off   int64
	magic string
}{
	{"crypto_LUKS", 0, "LUKS\xba\xbe"}, // on a logical volume
	{"ntfs", 3, "NTFS    "},
	{"BitLocker", 3, "-FVE-FS-"},
	{"exfat", 3, "EXFAT   "},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"swap", 4096 - 10, "SWAPSPACE2"},
	{"hfsplus", 1024, "H+"},
	{"ufs", 8192 + 1372, "\x54\x19\x01\x00"},
}

// swapHeader is the part of a swap area's header that names it; it lies behind 1024 bytes for a boot loader.
// include/linux/swap.h, union swap_header, and blkid's names of the two fields behind the counts.
type swapHeader struct {
	Version uint32   `at:"0x00"`
	Last    uint32   `at:"0x04"` // page
	Bad     uint32   `at:"0x08"` // pages
	UUID    [16]byte `at:"0x0c"`
	Label   [16]byte `at:"0x1c"`
}

// nameSwap reads the UUID and the label of a swap area.
func nameSwap(v *disk.Volume, r io.ReaderAt) {
	var h swapHeader
	rec, err := decode.Read(r, 1024, binary.LittleEndian, "swap header", &h)
	if err != nil || h.Version != 1 {
		return
	}
	if h.UUID != [16]byte{} {
		v.UUID = dashedUUID(hex.EncodeToString(h.UUID[:]))
	}
	label, _, _ := strings.Cut(string(h.Label[:]), "\x00")
	v.Label, v.Cites = label, append(v.Cites, rec.Cite(&h.UUID, &h.Label)...)
}
