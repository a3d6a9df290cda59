// Package erofs reads EROFS volumes, the "enhanced read-only file system" of phones, container images and
// newer live media.
//
// Files are read that are stored as they are, beside their inode, in chunks, or compressed with LZ4. Files
// compressed with something else, with their ends in the volume's packed inode, or on further devices are
// listed; reading them gives [decode.ErrUnsupported]. A byte of a compressed extent came from all its
// compressed bytes: that is as far as the evidence goes.
//
// Specification: Documentation/filesystems/erofs.rst and fs/erofs of Linux 6.12.
package erofs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on what one volume may make us keep.
const (
	inodesMax      = 256
	directoriesMax = 64
	unpackedMax    = 16 << 20
	parentsMax     = 1 << 20
)

// FS is an opened volume; it implements [fsys.FS].
type FS struct {
	r         io.ReaderAt
	sb        Superblock
	rec       *decode.Record
	size      int64 // of the reader
	blockSize int64
	root      uint64
	info      fsys.Info

	inodes      *recent[uint64, *inode]
	directories *recent[uint64, *directory]
	unpacked    *recent[place, []byte]
	parents     map[uint64]uint64 // directory: the directory it was first reached from
}

// Open reads the superblock of a volume of size bytes. Bytes without the magic wrap [decode.ErrFormat];
// features that are not known wrap [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{
		r: r, size: size, parents: map[uint64]uint64{},
		inodes:      newRecent[uint64](inodesMax, func(*inode) int { return 1 }),
		directories: newRecent[uint64](directoriesMax, func(*directory) int { return 1 }),
		unpacked:    newRecent[place](unpackedMax, func(b []byte) int { return len(b) }),
	}
	s := &f.sb
	rec, err := decode.Read(r, superOff, binary.LittleEndian, "erofs superblock", s)
	if err != nil {
		return nil, fmt.Errorf("erofs: %w: %w", decode.ErrFormat, err)
	}
	f.rec = rec
	if s.Magic != magic {
		return nil, fmt.Errorf("erofs: %w: %w", decode.ErrFormat, rec.Errorf(&s.Magic, fmt.Sprintf("%#x", uint32(magic)), "%#x", s.Magic))
	}
	if unknown := s.Feature_incompat &^ incompatAll; unknown != 0 {
		return nil, fmt.Errorf("erofs: %w: %w", decode.ErrUnsupported, rec.Errorf(&s.Feature_incompat, "features that are known", "%#x", unknown))
	}
	if s.Dirblkbits != 0 {
		return nil, fmt.Errorf("erofs: %w: %w", decode.ErrUnsupported, rec.Errorf(&s.Dirblkbits, "0", "%d", s.Dirblkbits))
	}
	if s.Blkszbits < 9 || s.Blkszbits > 16 {
		return nil, rec.Errorf(&s.Blkszbits, "from 9 to 16 (512 bytes to 64 KiB)", "%d", s.Blkszbits)
	}
	f.blockSize, f.root = 1<<s.Blkszbits, uint64(s.Root_nid)
	if err := f.checkSum(); err != nil {
		return nil, err
	}
	f.describe(size)
	return f, nil
}

// checkSum verifies the superblock's checksum as the kernel's erofs_superblock_csum_verify does: to the
// end of its block.
func (f *FS) checkSum() error {
	if f.sb.Feature_compat&compatSbChksum == 0 {
		return nil
	}
	n := f.blockSize
	if n > superOff {
		n -= superOff
	}
	raw := make([]byte, n)
	if got, err := f.r.ReadAt(raw, superOff); got < len(raw) {
		return fmt.Errorf("erofs superblock: %w", err)
	}
	clear(raw[4:8])
	// The kernel's crc32c does not invert at the end.
	if sum := ^crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)); sum != f.sb.Checksum {
		return f.rec.Errorf(&f.sb.Checksum, fmt.Sprintf("crc32c %#08x of the block", sum), "%#08x", f.sb.Checksum)
	}
	return nil
}

func (f *FS) describe(size int64) {
	s := &f.sb
	name, _, _ := bytes.Cut(s.Volume_name[:], []byte{0})
	f.info = fsys.Info{Type: "erofs", Label: string(name), Size: int64(s.Blocks) * f.blockSize}
	if u := s.Uuid; u != [16]byte{} {
		f.info.UUID = fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	}
	f.info.Cites = cite(f.rec, &s.Magic, &s.Blkszbits, &s.Blocks, &s.Uuid, &s.Volume_name, &s.Feature_compat, &s.Feature_incompat)
	if f.info.Size > size {
		f.info.Notes = append(f.info.Notes, fmt.Sprintf("the volume is %d bytes long, %d are there", f.info.Size, size))
	}
	if s.Extra_devices > 0 {
		f.info.Notes = append(f.info.Notes, fmt.Sprintf("%d further devices hold parts of files", s.Extra_devices))
	}
}

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info { return f.info }

// Superblock returns the superblock and the memory of its bytes.
func (f *FS) Superblock() (Superblock, *decode.Record) { return f.sb, f.rec }

// cite is rec.Cite with the field names as the kernel spells them.
func cite(rec *decode.Record, ptrs ...any) []blob.Cite {
	out := rec.Cite(ptrs...)
	for i := range out {
		out[i].Name = strings.ToLower(out[i].Name[:1]) + out[i].Name[1:]
	}
	return out
}

// recent keeps the values that were used last, up to a sum of weights; there are few, a search in order is
// quick.
type recent[K comparable, V any] struct {
	max    int
	weigh  func(V) int
	weight int
	keys   []K
	values []V
}

func newRecent[K comparable, V any](max int, weigh func(V) int) *recent[K, V] {
	return &recent[K, V]{max: max, weigh: weigh}
}

func (c *recent[K, V]) get(k K) (v V, ok bool) {
	for i := len(c.keys) - 1; i >= 0; i-- {
		if c.keys[i] == k {
			v = c.values[i]
			copy(c.keys[i:], c.keys[i+1:])
			copy(c.values[i:], c.values[i+1:])
			c.keys[len(c.keys)-1], c.values[len(c.keys)-1] = k, v
			return v, true
		}
	}
	return v, false
}

// put keeps a value whose key is not kept.
func (c *recent[K, V]) put(k K, v V) {
	c.weight += c.weigh(v)
	for len(c.keys) > 0 && c.weight > c.max {
		c.weight -= c.weigh(c.values[0])
		copy(c.keys, c.keys[1:])
		copy(c.values, c.values[1:])
		c.keys, c.values = c.keys[:len(c.keys)-1], c.values[:len(c.values)-1]
	}
	c.keys, c.values = append(c.keys, k), append(c.values, v)
}
