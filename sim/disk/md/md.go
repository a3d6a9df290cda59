// Package md reads the superblock of a member of a Linux software RAID array, in the formats 0.90, 1.0, 1.1
// and 1.2. Mirrors are put together, for which one member is enough; other arrays are described.
//
// The layout is that of the kernel's include/uapi/linux/raid/md_p.h, the places and checksums those of
// drivers/md/md.c.
package md

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

const (
	magic       = 0xa92b4efc
	reserved090 = 64 << 10 // bytes: a superblock 0.90 lies in the last whole 64 KiB
	size090     = 4096
	roleSpare   = 0xffff
	recovering  = 2    // MD_FEATURE_RECOVERY_OFFSET
	maxRoles    = 1920 // what fits behind the header in 4096 bytes
)

// Super1 is a superblock of version 1, little-endian; the roles of the devices follow.
type Super1 struct {
	Magic        uint32    `at:"0x00"`
	Major        uint32    `at:"0x04"`
	Features     uint32    `at:"0x08"`
	Pad0         uint32    `at:"0x0c"`
	ArrayUUID    [16]byte  `at:"0x10"`
	Name         [32]byte  `at:"0x20"`
	Created      uint64    `at:"0x40"`
	Level        int32     `at:"0x48"`
	Layout       uint32    `at:"0x4c"`
	Size         uint64    `at:"0x50"` // sectors of each member that are used
	Chunk        uint32    `at:"0x58"` // sectors
	RaidDisks    uint32    `at:"0x5c"`
	Reshape      [32]byte  `at:"0x60"`
	DataOffset   uint64    `at:"0x80"` // sectors
	DataSize     uint64    `at:"0x88"` // sectors
	SuperOffset  uint64    `at:"0x90"` // sectors
	Recovery     uint64    `at:"0x98"`
	DeviceNumber uint32    `at:"0xa0"`
	Corrected    uint32    `at:"0xa4"`
	DeviceUUID   [16]byte  `at:"0xa8"`
	Flags        [8]uint8  `at:"0xb8"`
	Updated      uint64    `at:"0xc0"`
	Events       uint64    `at:"0xc8"`
	Resync       uint64    `at:"0xd0"`
	Csum         uint32    `at:"0xd8"`
	MaxDevices   uint32    `at:"0xdc"`
	Pad3         [32]uint8 `at:"0xe0"`
}

// Super090 is the start of a superblock of version 0.90, in the byte order of the machine that wrote it;
// only little-endian ones are read.
type Super090 struct {
	Magic     uint32 `at:"0x00"`
	Major     uint32 `at:"0x04"`
	Minor     uint32 `at:"0x08"`
	Patch     uint32 `at:"0x0c"`
	Words     uint32 `at:"0x10"`
	UUID0     uint32 `at:"0x14"`
	Created   uint32 `at:"0x18"`
	Level     int32  `at:"0x1c"`
	Size      uint32 `at:"0x20"` // KiB
	Disks     uint32 `at:"0x24"`
	RaidDisks uint32 `at:"0x28"`
	Preferred uint32 `at:"0x2c"`
	Volatile  uint32 `at:"0x30"`
	UUID1     uint32 `at:"0x34"`
	UUID2     uint32 `at:"0x38"`
	UUID3     uint32 `at:"0x3c"`
	State     uint32 `at:"0x84"`
	Active    uint32 `at:"0x88"`
	Working   uint32 `at:"0x8c"` // members in use, and spares
	Failed    uint32 `at:"0x90"`
	Spare     uint32 `at:"0x94"`
	Csum      uint32 `at:"0x98"`
	EventsLow uint32 `at:"0x9c"`
	EventsTop uint32 `at:"0xa0"`
	ThisState uint32 `at:"0xf90"` // of this member: bit 0 faulty, 1 active, 2 in sync
}

// Member is what a superblock says.
type Member struct {
	Version string // "0.90", "1.0", "1.1", "1.2"
	UUID    string // of the array, as mdadm prints it: four groups of eight digits
	Name    string // version 1 only
	Minor   int    // version 0.90 only: the number of the device that it last was
	Level   string // "raid1", "linear" …
	Disks   int    // that the array has when it is whole
	Cites   []blob.Cite

	Off, Size int64  // bytes: where on the member the array's data begins, and how much of it is used
	Events    uint64 // counts changes: the member with the highest count knows best
	InSync    bool   // it holds its part of the data: it is neither a spare nor failed nor being filled
	Working   int    // members that the array had when this was written
}

// Read looks for a superblock on a volume of size bytes in all places. The error wraps [decode.ErrFormat]
// when there is none; a damaged one gives a [*decode.Error].
func Read(r io.ReaderAt, size int64) (*Member, error) {
	sectors := size / disk.SectorSize
	var damaged error
	for _, at := range []struct {
		version string
		off     int64
	}{{"1.1", 0}, {"1.2", 4096}, {"1.0", (sectors - 16) &^ 7 * disk.SectorSize}, {"0.90", size&^(reserved090-1) - reserved090}} {
		if at.off < 0 || at.off+256 > size {
			continue
		}
		read := read1
		if at.version == "0.90" {
			read = read090
		}
		m, err := read(r, at.off)
		if err == nil {
			m.Version = at.version
			return m, nil
		}
		if !errors.Is(err, decode.ErrFormat) && damaged == nil {
			damaged = err
		}
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, fmt.Errorf("md superblock: %w", decode.ErrFormat)
}

func read1(r io.ReaderAt, off int64) (*Member, error) {
	var s Super1
	rec, err := decode.Read(r, off, binary.LittleEndian, "md superblock", &s)
	if err != nil || s.Magic != magic || s.Major != 1 {
		return nil, decode.ErrFormat
	}
	// "sb->super_offset != sb_start" and max_dev are what super_1_load refuses.
	if s.SuperOffset != uint64(off/disk.SectorSize) {
		return nil, decode.ErrFormat
	}
	if s.MaxDevices > maxRoles {
		return nil, rec.Errorf(&s.MaxDevices, "at most 1920", "%d", s.MaxDevices)
	}
	data := make([]byte, 256+2*s.MaxDevices)
	if n, err := r.ReadAt(data, off); n < len(data) {
		return nil, fmt.Errorf("md superblock: %w", err)
	}
	if got := sum1(data); got != s.Csum {
		return nil, rec.Errorf(&s.Csum, fmt.Sprintf("%#x", got), "%#x", s.Csum)
	}
	name, _, _ := strings.Cut(string(s.Name[:]), "\x00")
	u := s.ArrayUUID
	role := func(i uint32) uint32 {
		if i >= s.MaxDevices {
			return roleSpare
		}
		return uint32(binary.LittleEndian.Uint16(data[256+2*i:]))
	}
	working := 0
	for i := range s.MaxDevices {
		if role(i) < s.RaidDisks {
			working++
		}
	}
	const limit = 1 << 52 // sectors: no disk has more, and bytes stay countable
	return &Member{
		Off: int64(min(s.DataOffset, limit)) * disk.SectorSize, Size: int64(min(s.Size, limit)) * disk.SectorSize, Events: s.Events,
		InSync: role(s.DeviceNumber) < s.RaidDisks && s.Features&recovering == 0, Working: working,
		UUID: fmt.Sprintf("%x:%x:%x:%x", u[:4], u[4:8], u[8:12], u[12:]), Name: name, Level: level(s.Level), Disks: int(s.RaidDisks),
		Cites: rec.Cite(&s.Magic, &s.Major, &s.ArrayUUID, &s.Name, &s.Level, &s.RaidDisks),
	}, nil
}

// sum1 is calc_sb_1_csum: the 32-bit words, and the half word that may be left, without the checksum.
func sum1(data []byte) uint32 {
	var sum uint64
	for i := 0; i+4 <= len(data); i += 4 {
		if i != 0xd8 {
			sum += uint64(binary.LittleEndian.Uint32(data[i:]))
		}
	}
	if len(data)%4 == 2 {
		sum += uint64(binary.LittleEndian.Uint16(data[len(data)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

func read090(r io.ReaderAt, off int64) (*Member, error) {
	var s Super090
	rec, err := decode.Read(r, off, binary.LittleEndian, "md superblock", &s)
	if err != nil || s.Magic != magic || s.Major != 0 {
		return nil, decode.ErrFormat
	}
	data := make([]byte, size090)
	if n, err := r.ReadAt(data, off); n < len(data) {
		return nil, fmt.Errorf("md superblock: %w", err)
	}
	if got := sum090(data); got != s.Csum {
		return nil, rec.Errorf(&s.Csum, fmt.Sprintf("%#x", got), "%#x", s.Csum)
	}
	return &Member{
		UUID:  fmt.Sprintf("%08x:%08x:%08x:%08x", s.UUID0, s.UUID1, s.UUID2, s.UUID3),
		Level: level(s.Level), Disks: int(s.RaidDisks), Minor: int(s.Preferred),
		Size: int64(s.Size) << 10, Events: uint64(s.EventsTop)<<32 | uint64(s.EventsLow), InSync: s.ThisState&7 == 6, Working: int(s.Working),
		Cites: rec.Cite(&s.Magic, &s.Major, &s.Minor, &s.UUID0, &s.UUID1, &s.UUID2, &s.UUID3, &s.Level, &s.RaidDisks),
	}, nil
}

// sum090 is calc_sb_csum.
func sum090(data []byte) uint32 {
	var sum uint64
	for i := 0; i+4 <= len(data); i += 4 {
		if i != 0x98 {
			sum += uint64(binary.LittleEndian.Uint32(data[i:]))
		}
	}
	return uint32(sum) + uint32(sum>>32)
}

// level names a level as mdadm does.
func level(n int32) string {
	switch n {
	case -1:
		return "linear"
	case -4:
		return "multipath"
	case -5:
		return "faulty"
	case -6:
		return "container"
	}
	return fmt.Sprintf("raid%d", n)
}

// String says what the volume is part of: "md 1.2, raid1 of 2 devices, array …".
func (m *Member) String() string {
	return fmt.Sprintf("md %s, %s of %d devices, array %s", m.Version, m.Level, m.Disks, m.UUID)
}
