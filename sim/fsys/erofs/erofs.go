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
)

// FS is an opened volume; it implements [fsys.FS].
type FS struct {
	*fsys.Tree[uint64, *inode]
	r         io.ReaderAt
	sb        Superblock
	rec       *decode.Record
	size      int64 // of the reader
	blockSize int64
	root      uint64
	info      fsys.Info

	inodes      *fsys.Recent[uint64, *inode]
	directories *fsys.Recent[uint64, *directory]
	unpacked    *fsys.Recent[place, []byte]
}

// Open reads the superblock of a volume of size bytes. Bytes without the magic wrap [decode.ErrFormat];
// features that are not known wrap [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{
		r: r, size: size,
		inodes:      fsys.NewRecent[uint64, *inode](inodesMax),
		directories: fsys.NewRecent[uint64, *directory](directoriesMax),
		unpacked:    fsys.NewRecentWeighed[place](unpackedMax, func(b []byte) int { return len(b) }),
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
	f.Tree = fsys.NewTree(fsys.Source[uint64, *inode]{
		Root: f.root, Inode: f.inode, Lookup: f.lookup, List: f.list, Target: f.target, Stat: f.statOf,
		Content: func(in *inode) (fsys.Content, error) { return f.content(in), nil }, // says why when it is read
	})
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
