package fat

import (
	"encoding/binary"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// BPB is the start of the boot sector, common to all three kinds. "Microsoft FAT Specification", 2005,
// section 3.1; names are the specification's without their prefixes.
type BPB struct {
	JmpBoot        [3]byte `at:"0x00"`
	OEMName        [8]byte `at:"0x03"`
	BytesPerSector uint16  `at:"0x0b"` // BPB_BytsPerSec: 512 to 4096
	SectorsPerClus uint8   `at:"0x0d"` // BPB_SecPerClus: a power of two
	Reserved       uint16  `at:"0x0e"` // BPB_RsvdSecCnt: sectors before the first FAT
	NumFATs        uint8   `at:"0x10"`
	RootEntries    uint16  `at:"0x11"` // BPB_RootEntCnt: 0 for FAT32
	TotalSectors16 uint16  `at:"0x13"` // 0 when it does not fit
	Media          uint8   `at:"0x15"`
	FATSize16      uint16  `at:"0x16"` // sectors per FAT; 0 for FAT32
	SectorsPerTrk  uint16  `at:"0x18"`
	NumHeads       uint16  `at:"0x1a"`
	HiddenSectors  uint32  `at:"0x1c"` // sectors before the partition, as the formatter believed
	TotalSectors32 uint32  `at:"0x20"`
}

// ext16 follows the BPB of FAT12 and FAT16; offsets are those in the sector. Section 3.2.
type ext16 struct {
	DriveNumber uint8    `at:"0x24"`
	Reserved1   uint8    `at:"0x25"`
	BootSig     uint8    `at:"0x26"` // 0x29: the next three fields are there
	VolumeID    VolumeID `at:"0x27"`
	Label       [11]byte `at:"0x2b"`
	FSType      [8]byte  `at:"0x36"` // for people; says nothing about the kind
}

// ext32 follows the BPB of FAT32. Section 3.3.
type ext32 struct {
	FATSize32   uint32   `at:"0x24"`
	ExtFlags    uint16   `at:"0x28"` // bit 7: only the FAT in bits 0–3 is valid
	FSVersion   uint16   `at:"0x2a"`
	RootCluster uint32   `at:"0x2c"`
	FSInfo      uint16   `at:"0x30"` // sector of the FSInfo structure
	BackupBoot  uint16   `at:"0x32"`
	Reserved    [12]byte `at:"0x34"`
	DriveNumber uint8    `at:"0x40"`
	Reserved1   uint8    `at:"0x41"`
	BootSig     uint8    `at:"0x42"`
	VolumeID    VolumeID `at:"0x43"`
	Label       [11]byte `at:"0x47"`
	FSType      [8]byte  `at:"0x52"`
}

// VolumeID is the serial number that the formatter chose.
type VolumeID [4]byte

// String gives blkid's form: B007-0E51.
func (v VolumeID) String() string { return fmt.Sprintf("%02X%02X-%02X%02X", v[3], v[2], v[1], v[0]) }

// Largest cluster numbers that libblkid believes (vfat.c); the specification's limits for the kind are
// in kindOf.
const (
	fat16Max = 0xfff4
	fat32Max = 0x0ffffff6
)

// ReadBPB reads the BIOS parameter block at the start of a volume; the error wraps [decode.ErrFormat]
// when it is not one of FAT. Which values are believed is what libblkid believes (util-linux,
// libblkid/src/superblocks/vfat.c, fat_valid_superblock).
func ReadBPB(r io.ReaderAt) (*BPB, *decode.Record, error) {
	w, err := blob.Window(r, 0, 512)
	if err != nil {
		return nil, nil, fmt.Errorf("FAT boot sector: %w", err)
	}
	b := new(BPB)
	rec, err := decode.Read(w, 0, binary.LittleEndian, "FAT boot sector", b)
	if err == nil {
		err = b.check(rec, w)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", decode.ErrFormat, err)
	}
	return b, rec, nil
}

func (b *BPB) check(rec *decode.Record, w *blob.WindowReader) error {
	sector := w.Bytes()
	if len(sector) < 512 {
		return decode.Errorf(w, 0, 512, "FAT boot sector", "512 bytes", "end after %d", len(sector))
	}
	type16, type32 := string(sector[0x36:0x3e]), string(sector[0x52:0x5a])
	if !named(type16, type32) {
		// Without a name only the signature of a boot sector speaks for FAT, and JFS and HPFS have it too.
		if sector[510] != 0x55 || sector[511] != 0xaa {
			return decode.Errorf(w, 510, 2, "FAT boot sector: signature", "55 aa", "% x", sector[510:512])
		}
		if type16 == "JFS     " || type16 == "HPFS    " {
			return decode.Errorf(w, 0x36, 8, "FAT boot sector: file system type", "FAT", "%q", type16)
		}
	}
	switch {
	case b.NumFATs == 0:
		return rec.Errorf(&b.NumFATs, "at least 1", "0")
	case b.Reserved == 0:
		return rec.Errorf(&b.Reserved, "at least 1", "0")
	case b.Media < 0xf8 && b.Media != 0xf0:
		return rec.Errorf(&b.Media, "0xf0 or at least 0xf8", "%#x", b.Media)
	case !powerOfTwo(int(b.SectorsPerClus)):
		return rec.Errorf(&b.SectorsPerClus, "a power of two", "%d", b.SectorsPerClus)
	case !powerOfTwo(int(b.BytesPerSector)) || b.BytesPerSector < 512 || b.BytesPerSector > 4096:
		return rec.Errorf(&b.BytesPerSector, "512, 1024, 2048 or 4096", "%d", b.BytesPerSector)
	}
	most := int64(fat16Max)
	fatSize := int64(b.FATSize16)
	if fatSize == 0 {
		fatSize = int64(binary.LittleEndian.Uint32(sector[0x24:]))
		most = fat32Max
	}
	if fatSize == 0 {
		return rec.Errorf(&b.FATSize16, "sectors of a FAT", "0")
	}
	if n := b.clusters(fatSize); n < 0 || n > most {
		return rec.Errorf(&b.TotalSectors32, fmt.Sprintf("sectors for 0 to %d clusters", most), "sectors for %d", n)
	}
	return nil
}

// named tells whether one of the two places has a name that libblkid takes as proof.
func named(type16, type32 string) bool {
	switch type16 {
	case "FAT16   ", "FAT12   ", "FAT     ":
		return true
	}
	return type16[:5] == "MSDOS" || type32 == "FAT32   " || type32[:5] == "MSWIN"
}

func powerOfTwo(n int) bool { return n > 0 && n&(n-1) == 0 }

func (b *BPB) totalSectors() int64 {
	if b.TotalSectors16 != 0 {
		return int64(b.TotalSectors16)
	}
	return int64(b.TotalSectors32)
}

// rootSectors is the size of the root directory of FAT12 and FAT16.
func (b *BPB) rootSectors() int64 {
	sector := int64(b.BytesPerSector)
	return (int64(b.RootEntries)*entrySize + sector - 1) / sector
}

// dataSector is where cluster 2 starts.
func (b *BPB) dataSector(fatSize int64) int64 {
	return int64(b.Reserved) + int64(b.NumFATs)*fatSize + b.rootSectors()
}

// clusters is the count of data clusters, which alone decides the kind. Section 3.5.
func (b *BPB) clusters(fatSize int64) int64 {
	n := b.totalSectors() - b.dataSector(fatSize)
	if n < 0 {
		return -1
	}
	return n / int64(b.SectorsPerClus)
}
