package identify

import (
	"errors"
	"fmt"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/erofs"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/fsys/iso9660"
	"bootpath/sim/fsys/squashfs"
	"bootpath/sim/fsys/xfs"
)

// openVolume finds the file system in size bytes at off of the disk.
func openVolume(d *disk.Disk, partition int, off, size int64) disk.Volume {
	r := blob.Section(d.R, off, size)
	v := disk.Volume{Partition: partition, Off: off, Size: size, R: r}
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
	default:
		for _, m := range magics {
			got := make([]byte, len(m.magic))
			if n, _ := r.ReadAt(got, m.off); n == len(got) && string(got) == m.magic {
				v.Type = m.name
				v.Err = fmt.Errorf("%s volume: %w", m.name, decode.ErrUnsupported)
				break
			}
		}
	}
	return v
}

// magics names volumes that are recognised and not read; the names are blkid's, the places those of
// each format's superblock.
var magics = [...]struct {
	name  string
	off   int64
	magic string
}{
	{"btrfs", 0x10040, "_BHRfS_M"},
	{"crypto_LUKS", 0, "LUKS\xba\xbe"},
	{"LVM2_member", 512 + 24, "LVM2 001"},
	{"ntfs", 3, "NTFS    "},
	{"BitLocker", 3, "-FVE-FS-"},
	{"exfat", 3, "EXFAT   "},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"swap", 4096 - 10, "SWAPSPACE2"},
	{"hfsplus", 1024, "H+"},
	{"ufs", 8192 + 1372, "\x54\x19\x01\x00"},
	{"linux_raid_member", 4096, "\xfc\x4e\x2b\xa9"},
}
