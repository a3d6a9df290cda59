// Package btrfs reads Btrfs volumes: the default root file system of Fedora and openSUSE.
//
// An [FS] shows one subvolume and, as the kernel does, the ones that hang below it. [Open] shows the default
// subvolume, which Linux mounts when nothing else is asked for; Top shows the whole volume, as GRUB sees it;
// Select follows the options of a mount. Chunks of which a whole copy lies on the given device are read,
// which takes in single, DUP and RAID1 volumes; others are [decode.ErrUnsupported] and say which devices are
// missing. A node with a wrong checksum is an error, as for the kernel; a log tree is named and not replayed.
//
// Specification: "On-disk Format" of the Btrfs documentation, and Linux 6.12 fs/btrfs where that is silent.
package btrfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on what one volume may make us keep.
const (
	inodesMax   = 4096
	nodesMax    = 16 << 20 // bytes
	unpackedMax = 8 << 20  // bytes
	rootsMax    = 1024
	chunksMax   = 1 << 16
	notesMax    = 16
)

// volume is what all subvolumes share.
type volume struct {
	r        io.ReaderAt
	size     int64
	sb       Superblock
	rec      *decode.Record
	chunks   []chunk // sorted by logical address
	system   []chunk // those that the superblock lists
	metaUUID [16]byte
	info     fsys.Info
	noted    map[string]bool

	roots    *fsys.Recent[uint64, tree]
	nodes    *fsys.Recent[uint64, *node]
	inodes   *fsys.Recent[ref, *inode]
	unpacked *fsys.Recent[packed, []byte]
}

// FS is a subvolume of an opened volume; it implements [fsys.FS] and [fsys.Subvolumes].
type FS struct {
	*fsys.Tree[ref, *inode]
	v  *volume
	id uint64
}

// Open reads a volume of size bytes and shows its default subvolume. Bytes without the magic wrap
// [decode.ErrFormat]; what is not read wraps [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	v := &volume{
		r: r, size: size, noted: map[string]bool{},
		roots:    fsys.NewRecent[uint64, tree](rootsMax),
		nodes:    fsys.NewRecentWeighed[uint64](nodesMax, func(n *node) int { return len(n.raw) }),
		inodes:   fsys.NewRecent[ref, *inode](inodesMax),
		unpacked: fsys.NewRecentWeighed[packed](unpackedMax, func(b []byte) int { return len(b) }),
	}
	var magic [len(superMagic)]byte
	if n, _ := r.ReadAt(magic[:], superOff+0x40); n < len(magic) || string(magic[:]) != superMagic {
		return nil, fmt.Errorf("btrfs: %w: %w", decode.ErrFormat, decode.Errorf(r, superOff+0x40, int64(len(magic)), "btrfs superblock: Magic", superMagic, "%q", magic[:n]))
	}
	rec, err := decode.Read(r, superOff, binary.LittleEndian, "btrfs superblock", &v.sb)
	if err != nil {
		return nil, err
	}
	v.rec = rec
	for _, step := range []func() error{v.checkSuper, v.checkGeometry, v.readSystemChunks, v.readChunkTree} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	v.describe()
	id, err := v.defaultSubvolume()
	if err != nil {
		return nil, err
	}
	return v.subvolume(id)
}

// checkSuper verifies the checksum of the superblock. The kernel mounts by the first one only; whether a
// copy could help is said.
func (v *volume) checkSuper() error {
	s := &v.sb
	if s.Csum_type > BTRFS_CSUM_TYPE_BLAKE2 {
		return fmt.Errorf("btrfs: %w: %w", decode.ErrUnsupported, v.rec.Errorf(&s.Csum_type, "a type from 0 to 3", "%d", s.Csum_type))
	}
	raw := make([]byte, superSize)
	if n, err := v.r.ReadAt(raw, superOff); n < len(raw) {
		return fmt.Errorf("btrfs superblock: %w", err)
	}
	want, got, known := v.checksum(raw)
	if !known || bytes.Equal(want, got) {
		return nil
	}
	copies := ""
	for _, off := range superMirrors {
		if n, _ := v.r.ReadAt(raw, off); off < v.size && n == len(raw) && string(raw[0x40:0x48]) == superMagic {
			if want, got, _ := v.checksum(raw); bytes.Equal(want, got) {
				copies += fmt.Sprintf("; the copy at %#x is whole", off)
			}
		}
	}
	return v.rec.Errorf(&s.Csum, fmt.Sprintf("checksum % x", want), "% x%s", got, copies)
}

// checksum computes the checksum of a structure and tells what it holds; known is false for algorithms
// that are not computed.
func (v *volume) checksum(raw []byte) (want, got []byte, known bool) {
	switch v.sb.Csum_type {
	case BTRFS_CSUM_TYPE_CRC32:
		sum := crc32.Checksum(raw[32:], crc32.MakeTable(crc32.Castagnoli))
		return binary.LittleEndian.AppendUint32(nil, sum), raw[:4], true
	case BTRFS_CSUM_TYPE_SHA256:
		sum := sha256.Sum256(raw[32:])
		return sum[:], raw[:32], true
	}
	return nil, nil, false
}

// checkGeometry demands what the kernel's btrfs_validate_super demands.
func (v *volume) checkGeometry() error {
	s, rec := &v.sb, v.rec
	power := func(n uint32) bool { return n >= 4096 && n <= 65536 && n&(n-1) == 0 }
	if unknown := s.Incompat_flags &^ incompatKnown; unknown != 0 {
		return fmt.Errorf("btrfs: %w: %w", decode.ErrUnsupported, rec.Errorf(&s.Incompat_flags, "features that are read", "%#x", unknown))
	}
	switch {
	case !power(s.Sectorsize):
		return rec.Errorf(&s.Sectorsize, "a power of two from 4096 to 65536", "%d", s.Sectorsize)
	case !power(s.Nodesize) || s.Nodesize < s.Sectorsize:
		return rec.Errorf(&s.Nodesize, "a power of two from the sector size to 65536", "%d", s.Nodesize)
	case s.Root_level >= levelsMax:
		return rec.Errorf(&s.Root_level, "less than 8", "%d", s.Root_level)
	case s.Chunk_root_level >= levelsMax:
		return rec.Errorf(&s.Chunk_root_level, "less than 8", "%d", s.Chunk_root_level)
	case s.Sys_chunk_array_size > uint32(len(s.Sys_chunk_array)):
		return rec.Errorf(&s.Sys_chunk_array_size, "at most 2048", "%d", s.Sys_chunk_array_size)
	case s.Bytenr != superOff:
		return rec.Errorf(&s.Bytenr, "its own place 0x10000", "%#x", s.Bytenr)
	}
	v.metaUUID = s.Fsid
	if s.Incompat_flags&BTRFS_FEATURE_INCOMPAT_METADATA_UUID != 0 {
		v.metaUUID = s.Metadata_uuid
	}
	return nil
}

// describe fills Info.
func (v *volume) describe() {
	s := &v.sb
	label, _, _ := bytes.Cut(s.Label[:], []byte{0})
	v.info = fsys.Info{
		Type: "btrfs", Label: string(label), Size: int64(min(s.Total_bytes, 1<<62)),
		UUID:  uuid(s.Fsid),
		Cites: cite(v.rec, &s.Magic, &s.Fsid, &s.Label, &s.Total_bytes, &s.Num_devices, &s.Nodesize, &s.Incompat_flags, &s.Csum_type, &s.Root, &s.Chunk_root),
	}
	if s.Num_devices > 1 {
		v.note("the volume spreads over %d devices, this is device %d: Linux mounts it without the others only with \"degraded\"", s.Num_devices, s.Dev_item.Devid)
	} else if v.info.Size > v.size {
		v.note("the volume is %d bytes long, %d are there", v.info.Size, v.size)
	}
	if s.Log_root != 0 {
		v.note("the last writes before a crash lie in a log that Linux replays; here they are not read")
	}
	if name := map[uint16]string{BTRFS_CSUM_TYPE_XXHASH: "xxhash", BTRFS_CSUM_TYPE_BLAKE2: "blake2"}[s.Csum_type]; name != "" {
		v.note("checksums of type %s are not verified", name)
	}
}

// note keeps a remark for Info, each once.
func (v *volume) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !v.noted[n] && len(v.noted) < notesMax {
		v.noted[n] = true
		v.info.Notes = append(v.info.Notes, n)
	}
}

// Info implements [fsys.FS]. Notes grow while damaged structures are met.
func (f *FS) Info() fsys.Info { return f.v.info }

// Superblock returns the superblock and the memory of its bytes.
func (f *FS) Superblock() (Superblock, *decode.Record) { return f.v.sb, f.v.rec }

// cite is rec.Cite with the field names as the kernel spells them.
func cite(rec *decode.Record, ptrs ...any) []blob.Cite {
	out := rec.Cite(ptrs...)
	for i := range out {
		out[i].Name = string(out[i].Name[0]|0x20) + out[i].Name[1:]
	}
	return out
}
