// Package xfs reads XFS volumes of version 4 and 5: the default root file system of Red Hat's systems.
//
// It reads and never writes, and replays no log; what that can hide from the reader is named in
// Info().Notes. Checksums of version 5 are verified: a wrong one in the superblock refuses the volume, as
// Linux does; wrong ones elsewhere are noted and the bytes are read as they are. Files on a real-time device
// are refused: their blocks are not in the volume.
//
// Specification: "XFS Algorithms & Data Structures", 3rd edition, and Linux 6.12 fs/xfs/libxfs where that is
// silent.
package xfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on what one volume may make us keep.
const (
	inodesMax = 4096
	nodesMax  = 256
	notesMax  = 16
)

// FS is an opened volume; it implements [fsys.FS].
type FS struct {
	*fsys.Tree[uint64, *inode]
	r         io.ReaderAt
	meta      *fsys.Pages
	sb        Superblock
	rec       *decode.Record
	v5        bool
	ftype     bool // entries of directories hold the type of their file
	blockSize int64
	dirBlock  int64 // bytes
	uuid      [16]byte
	info      fsys.Info

	inodes *fsys.Recent[uint64, *inode]
	nodes  *fsys.Recent[nodeKey, *node]
	noted  map[string]bool
}

// Open reads the superblock of a volume of size bytes. Bytes without XFS's magic wrap [decode.ErrFormat]; a
// version or a feature that is not read wraps [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{
		r: r, meta: fsys.NewPages(r, size),
		inodes: fsys.NewRecent[uint64, *inode](inodesMax), nodes: fsys.NewRecent[nodeKey, *node](nodesMax),
		noted: map[string]bool{},
	}
	s := &f.sb
	rec, err := decode.Read(f.meta, 0, binary.BigEndian, "xfs superblock", s)
	var short *decode.Error
	if errors.As(err, &short) {
		return nil, fmt.Errorf("xfs: %w: %w", decode.ErrFormat, err)
	}
	if err != nil {
		return nil, err
	}
	f.rec = rec
	if s.Sb_magicnum != superMagic {
		return nil, fmt.Errorf("xfs: %w: %w", decode.ErrFormat, rec.Errorf(&s.Sb_magicnum, "0x58465342", "%#x", s.Sb_magicnum))
	}
	for _, check := range []func() error{f.checkVersion, f.checkGeometry, f.checkSuper} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	f.describe(size)
	f.Tree = fsys.NewTree(fsys.Source[uint64, *inode]{
		Root: f.sb.Sb_rootino, Inode: f.inode, Lookup: f.lookup, List: f.list, Content: f.content, Target: f.target, Stat: f.statOf,
	})
	return f, nil
}

// readable are the incompatible features that this package knows.
const readable = incompatFtype | incompatSpinodes | incompatMetaUUID | incompatBigtime | incompatNeedsRepair |
	incompatNrext64 | incompatExchRange | incompatParent | incompatMetadir

// checkVersion refuses versions and features that change the format in a way that is not read.
func (f *FS) checkVersion() error {
	s := &f.sb
	f.uuid = s.Sb_uuid
	refuse := func(field any, want string, got any) error {
		return fmt.Errorf("xfs: %w: %w", decode.ErrUnsupported, f.rec.Errorf(field, want, "%#x", got))
	}
	switch version := s.Sb_versionnum & versionNumbits; {
	case version == 5:
		f.v5, f.ftype = true, s.Sb_features_incompat&incompatFtype != 0
		if unknown := s.Sb_features_incompat &^ readable; unknown != 0 {
			return refuse(&s.Sb_features_incompat, "features that are known", unknown)
		}
		if s.Sb_features_incompat&incompatMetaUUID != 0 {
			f.uuid = s.Sb_meta_uuid
		}
	case version != 4:
		return refuse(&s.Sb_versionnum, "version 4 or 5", version)
	case s.Sb_versionnum&versionDirV2 == 0:
		return refuse(&s.Sb_versionnum, "directories of version 2 (0x2000)", s.Sb_versionnum)
	default:
		f.ftype = s.Sb_versionnum&versionMorebits != 0 && s.Sb_features2&version2Ftype != 0
	}
	return nil
}

// checkGeometry verifies the sizes that everything else is computed from, with the limits of the kernel's
// xfs_validate_sb_common.
func (f *FS) checkGeometry() error {
	s, rec := &f.sb, f.rec
	log := func(v uint64) uint8 { return uint8(bits.Len64(v - 1)) } // rounded up
	switch {
	case s.Sb_blocksize < 512 || s.Sb_blocksize > 65536 || s.Sb_blocksize&(s.Sb_blocksize-1) != 0:
		return rec.Errorf(&s.Sb_blocksize, "a power of two from 512 to 65536", "%d", s.Sb_blocksize)
	case s.Sb_blocklog != log(uint64(s.Sb_blocksize)):
		return rec.Errorf(&s.Sb_blocklog, "the logarithm of sb_blocksize", "%d", s.Sb_blocklog)
	case s.Sb_sectsize < 512 || s.Sb_sectsize > 32768 || s.Sb_sectsize&(s.Sb_sectsize-1) != 0:
		return rec.Errorf(&s.Sb_sectsize, "a power of two from 512 to 32768", "%d", s.Sb_sectsize)
	case s.Sb_inodesize < 256 || s.Sb_inodesize > 2048 || s.Sb_inodesize&(s.Sb_inodesize-1) != 0 || uint32(s.Sb_inodesize) > s.Sb_blocksize:
		return rec.Errorf(&s.Sb_inodesize, "a power of two from 256 to 2048 and the block size", "%d", s.Sb_inodesize)
	case s.Sb_inodelog != log(uint64(s.Sb_inodesize)):
		return rec.Errorf(&s.Sb_inodelog, "the logarithm of sb_inodesize", "%d", s.Sb_inodelog)
	case s.Sb_inopblog != s.Sb_blocklog-s.Sb_inodelog:
		return rec.Errorf(&s.Sb_inopblog, "sb_blocklog - sb_inodelog", "%d", s.Sb_inopblog)
	case s.Sb_dirblklog > 16-s.Sb_blocklog:
		return rec.Errorf(&s.Sb_dirblklog, "directory blocks of at most 64 KiB", "%d", s.Sb_dirblklog)
	case s.Sb_agcount == 0:
		return rec.Errorf(&s.Sb_agcount, "at least one allocation group", "0")
	case s.Sb_agblocks < 64 || s.Sb_agblocks > 1<<31:
		return rec.Errorf(&s.Sb_agblocks, "from 64 to 2^31", "%d", s.Sb_agblocks)
	case s.Sb_agblklog != log(uint64(s.Sb_agblocks)):
		return rec.Errorf(&s.Sb_agblklog, "the logarithm of sb_agblocks, rounded up", "%d", s.Sb_agblklog)
	case s.Sb_dblocks > uint64(s.Sb_agcount)*uint64(s.Sb_agblocks) || s.Sb_dblocks <= uint64(s.Sb_agcount-1)*uint64(s.Sb_agblocks) ||
		s.Sb_dblocks > 1<<62>>s.Sb_blocklog:
		return rec.Errorf(&s.Sb_dblocks, "the blocks of sb_agcount groups, less than 2^62 bytes", "%d", s.Sb_dblocks)
	case s.Sb_inprogress != 0:
		return rec.Errorf(&s.Sb_inprogress, "0", "%d: Linux says \"Offline file system operation in progress!\"", s.Sb_inprogress)
	}
	f.blockSize = int64(s.Sb_blocksize)
	f.dirBlock = f.blockSize << s.Sb_dirblklog
	return nil
}

// checkSuper verifies the superblock's checksum, which covers its sector.
func (f *FS) checkSuper() error {
	if !f.v5 {
		return nil
	}
	raw := make([]byte, f.sb.Sb_sectsize)
	if _, err := f.meta.ReadAt(raw, 0); err != nil {
		return fmt.Errorf("xfs superblock: %w", err)
	}
	if sum, got := checksum(raw, superCRC); sum != got {
		return f.rec.Errorf(&f.sb.Sb_crc, fmt.Sprintf("crc32c %#08x of the sector (little-endian)", sum), "%#08x", got)
	}
	return nil
}

// checksum computes the crc32c of a structure whose own sum lies at off, and tells what stands there:
// xfs_verify_cksum.
func checksum(raw []byte, off int) (sum, got uint32) {
	t := crc32.MakeTable(crc32.Castagnoli)
	sum = crc32.Update(0, t, raw[:off])
	sum = crc32.Update(sum, t, make([]byte, 4))
	return crc32.Update(sum, t, raw[off+4:]), binary.LittleEndian.Uint32(raw[off:])
}

// verify notes a wrong checksum of version 5.
func (f *FS) verify(raw []byte, off int, what string) {
	if !f.v5 {
		return
	}
	if sum, got := checksum(raw, off); sum != got {
		f.note("%s: checksum is %#08x, computed %#08x", what, got, sum)
	}
}

// describe fills Info.
func (f *FS) describe(size int64) {
	s, u := &f.sb, f.sb.Sb_uuid
	f.info = fsys.Info{
		Type: "xfs", Label: text(s.Sb_fname[:]), Size: int64(s.Sb_dblocks) * f.blockSize,
		Cites: cite(f.rec, &s.Sb_magicnum, &s.Sb_blocksize, &s.Sb_dblocks, &s.Sb_uuid, &s.Sb_fname, &s.Sb_versionnum, &s.Sb_rootino),
	}
	if u != [16]byte{} {
		f.info.UUID = fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	}
	if f.v5 {
		f.info.Cites = append(f.info.Cites, cite(f.rec, &s.Sb_features_incompat, &s.Sb_crc)...)
		if s.Sb_features_incompat&incompatNeedsRepair != 0 {
			f.note("the volume is marked as damaged: Linux refuses it with \"Filesystem needs repair.  Please run xfs_repair.\"")
		}
	}
	if s.Sb_rblocks != 0 {
		f.note("the volume has a real-time section: files there are not read")
	}
	if s.Sb_versionnum&versionBorg != 0 {
		f.note("names of this volume are matched without regard to case by Linux, exactly here")
	}
	if f.info.Size > size {
		f.note("the volume is %d bytes long, %d are there: Linux says \"last sector read failed\"", f.info.Size, size)
	}
	f.describeLog()
}

// Info implements [fsys.FS]. Notes grow while damaged structures are met.
func (f *FS) Info() fsys.Info { return f.info }

// Superblock returns the superblock and the memory of its bytes.
func (f *FS) Superblock() (Superblock, *decode.Record) { return f.sb, f.rec }

// note keeps a remark for Info, each once.
func (f *FS) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if f.noted[n] || len(f.noted) >= notesMax {
		return
	}
	f.noted[n] = true
	f.info.Notes = append(f.info.Notes, n)
}

// cite is rec.Cite with the field names as the kernel spells them.
func cite(rec *decode.Record, ptrs ...any) []blob.Cite {
	out := rec.Cite(ptrs...)
	for i := range out {
		out[i].Name = string(out[i].Name[0]|0x20) + out[i].Name[1:]
	}
	return out
}

// text is a C string in a fixed field.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
