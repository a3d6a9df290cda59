// Package ext4 reads ext2, ext3 and ext4 volumes: the file systems that most Linux systems boot from.
//
// It reads and never writes, replays no journal and decrypts nothing; what that can hide from the reader
// is named in Info().Notes. Checksums are verified: a wrong one in the superblock refuses the volume, as
// Linux does; wrong ones elsewhere are noted and the bytes are read as they are.
//
// Specification: Documentation/filesystems/ext4 of Linux 6.12 and the kernel's fs/ext4 where that is
// silent. Names of features and the volume's type are those of e2fsprogs and libblkid.
package ext4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

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
	*fsys.Tree[uint32, *inode]
	r         io.ReaderAt
	meta      *fsys.Pages
	sb        Superblock
	rec       *decode.Record
	blockSize int64
	blocks    uint64 // of the volume
	groups    uint64
	descSize  int64
	inodeSize int64
	seed      uint32 // of metadata checksums
	info      fsys.Info

	inodes *fsys.Recent[uint32, *inode]
	nodes  *fsys.Recent[int64, *node]
	noted  map[string]bool
}

// Open reads the superblock of a volume of size bytes. Bytes without ext4's magic wrap
// [decode.ErrFormat]; a volume with features that nobody can read wraps [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{
		r: r, meta: fsys.NewPages(r, size),
		inodes: fsys.NewRecent[uint32, *inode](inodesMax), nodes: fsys.NewRecent[int64, *node](nodesMax),
		noted: map[string]bool{},
	}
	rec, err := decode.Read(f.meta, superOff, binary.LittleEndian, "ext4 superblock", &f.sb)
	if err != nil {
		return nil, fmt.Errorf("ext4: %w: %w", decode.ErrFormat, err)
	}
	f.rec = rec
	if f.sb.S_magic != magic {
		return nil, fmt.Errorf("ext4: %w: %w", decode.ErrFormat, rec.Errorf(&f.sb.S_magic, "0xef53", "%#x", f.sb.S_magic))
	}
	if err := f.checkFeatures(); err != nil {
		return nil, err
	}
	if err := f.checkGeometry(); err != nil {
		return nil, err
	}
	if err := f.checkSuper(); err != nil {
		return nil, err
	}
	f.describe(size)
	f.Tree = fsys.NewTree(fsys.Source[uint32, *inode]{
		Root: rootIno, Inode: f.inode, Lookup: f.lookup, List: f.list, Content: f.content, Target: f.target, Stat: f.statOf,
	})
	return f, nil
}

// readable are the incompatible features that this package knows.
const readable = incompatFiletype | incompatRecover | incompatMetaBG | incompatExtents | incompat64bit |
	incompatMMP | incompatFlexBG | incompatEAInode | incompatCsumSeed | incompatLargedir |
	incompatInlineData | incompatEncrypt | incompatCasefold

// checkFeatures refuses what changes the format in a way that we cannot read. Read-only compatible
// features do not, by their definition.
func (f *FS) checkFeatures() error {
	if f.sb.S_rev_level == 0 {
		// Revision 0 has no feature words: the kernel ignores them with a warning, libblkid reads them.
		return nil
	}
	unknown := f.sb.S_feature_incompat &^ readable
	if unknown == 0 {
		return nil
	}
	bad := f.rec.Errorf(&f.sb.S_feature_incompat, "features that are known",
		"%s", strings.Join(names(unknown, incompatFeatures[:], 'I'), " "))
	return fmt.Errorf("ext4: %w: %w", decode.ErrUnsupported, bad)
}

// names lists the features of word; bits without a name appear as e2fsprogs prints them: FEATURE_I20.
func names(word uint32, known []feature, class byte) []string {
	var out []string
	for bit := range 32 {
		if word&(1<<bit) == 0 {
			continue
		}
		name := fmt.Sprintf("FEATURE_%c%d", class, bit)
		for _, k := range known {
			if k.bit == 1<<bit {
				name = k.name
			}
		}
		out = append(out, name)
	}
	return out
}

// Features lists the volume's features under the names and in the order of dumpe2fs.
func (f *FS) Features() []string {
	out := names(f.sb.S_feature_compat, compatFeatures[:], 'C')
	out = append(out, names(f.sb.S_feature_incompat, incompatFeatures[:], 'I')...)
	return append(out, names(f.sb.S_feature_ro_compat, roFeatures[:], 'R')...)
}

func (f *FS) compat(bit uint32) bool   { return f.sb.S_feature_compat&bit != 0 }
func (f *FS) incompat(bit uint32) bool { return f.sb.S_feature_incompat&bit != 0 }
func (f *FS) ro(bit uint32) bool       { return f.sb.S_feature_ro_compat&bit != 0 }

// checkGeometry makes the sizes that everything else is computed from, with the limits of the kernel's
// ext4_fill_super.
func (f *FS) checkGeometry() error {
	s, rec := &f.sb, f.rec
	if s.S_log_block_size > 6 {
		return rec.Errorf(&s.S_log_block_size, "at most 6 (64 KiB blocks)", "%d", s.S_log_block_size)
	}
	f.blockSize = 1024 << s.S_log_block_size
	f.blocks = uint64(s.S_blocks_count_lo)
	f.descSize = 32
	if f.incompat(incompat64bit) {
		f.blocks |= uint64(s.S_blocks_count_hi) << 32
		f.descSize = int64(s.S_desc_size)
		if f.descSize < 64 || f.descSize > 1024 || f.descSize&(f.descSize-1) != 0 {
			return rec.Errorf(&s.S_desc_size, "a power of two from 64 to 1024", "%d", f.descSize)
		}
	}
	f.inodeSize = goodInodeSize
	if s.S_rev_level > 0 {
		f.inodeSize = int64(s.S_inode_size)
	}
	if f.inodeSize < goodInodeSize || f.inodeSize > f.blockSize || f.inodeSize&(f.inodeSize-1) != 0 {
		return rec.Errorf(&s.S_inode_size, "a power of two from 128 to the block size", "%d", f.inodeSize)
	}
	if f.blocks > 1<<62/uint64(f.blockSize) || f.blocks <= uint64(s.S_first_data_block) {
		return rec.Errorf(&s.S_blocks_count_lo, "more blocks than s_first_data_block, less than 2^62 bytes", "%d", f.blocks)
	}
	if s.S_blocks_per_group == 0 {
		return rec.Errorf(&s.S_blocks_per_group, "at least one block per group", "0")
	}
	if s.S_inodes_per_group == 0 || int64(s.S_inodes_per_group) > f.blockSize*8 {
		return rec.Errorf(&s.S_inodes_per_group, "from 1 to the bits of one block", "%d", s.S_inodes_per_group)
	}
	perGroup := uint64(s.S_blocks_per_group)
	f.groups = (f.blocks - uint64(s.S_first_data_block) + perGroup - 1) / perGroup
	return nil
}

// checkSuper verifies the superblock's checksum.
func (f *FS) checkSuper() error {
	if f.incompat(incompatCsumSeed) {
		f.seed = f.sb.S_checksum_seed
	} else {
		f.seed = crc32c(^uint32(0), f.sb.S_uuid[:])
	}
	if !f.ro(roMetadataCsum) {
		return nil
	}
	if f.sb.S_checksum_type != 1 {
		return fmt.Errorf("ext4: %w: %w", decode.ErrUnsupported,
			f.rec.Errorf(&f.sb.S_checksum_type, "1 (crc32c)", "%d", f.sb.S_checksum_type))
	}
	raw := make([]byte, decode.Size(&f.sb)-4)
	if _, err := f.meta.ReadAt(raw, superOff); err != nil {
		return err
	}
	if sum := crc32c(^uint32(0), raw); sum != f.sb.S_checksum {
		return f.rec.Errorf(&f.sb.S_checksum, fmt.Sprintf("crc32c %#08x of the superblock", sum), "%#08x", f.sb.S_checksum)
	}
	return nil
}

// describe fills Info.
func (f *FS) describe(size int64) {
	s := &f.sb
	f.info = fsys.Info{Type: f.kind(), Label: text(s.S_volume_name[:]), Size: int64(f.blocks) * f.blockSize}
	if s.S_uuid != [16]byte{} {
		u := s.S_uuid
		f.info.UUID = fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	}
	f.info.Cites = cite(f.rec, &s.S_magic, &s.S_feature_compat, &s.S_feature_incompat, &s.S_feature_ro_compat,
		&s.S_uuid, &s.S_volume_name, &s.S_blocks_count_lo, &s.S_log_block_size)
	if f.incompat(incompatRecover) {
		f.note("journal needs recovery: what it holds is not replayed here")
	}
	if s.S_state&1 == 0 && !f.compat(compatHasJournal) {
		f.note("not cleanly unmounted")
	}
	if s.S_state&2 != 0 {
		f.note("errors were recorded in the superblock")
	}
	if f.incompat(incompatEncrypt) {
		f.note("encrypted directories may exist: their names and contents are not readable")
	}
	if f.incompat(incompatCasefold) {
		f.note("casefolded directories may exist: names are matched exactly")
	}
	if f.info.Size > size {
		f.note("the volume is %d bytes long, %d are there: Linux says \"bad geometry: block count %d exceeds size of device (%d blocks)\"",
			f.info.Size, size, f.blocks, size/f.blockSize)
	}
}

// kind tells ext2, ext3 and ext4 apart as libblkid does (libblkid/src/superblocks/ext.c): by the
// features that the older drivers do not know.
func (f *FS) kind() string {
	const (
		ro  = roSparseSuper | roLargeFile | roBtreeDir
		old = incompatFiletype | incompatMetaBG
	)
	newer := f.sb.S_feature_ro_compat&^ro != 0 || f.sb.S_feature_incompat&^(old|incompatRecover) != 0
	switch {
	case newer:
		return "ext4"
	case f.compat(compatHasJournal):
		return "ext3"
	case f.incompat(incompatRecover):
		return "ext4" // no driver but ext4 accepts it
	}
	return "ext2"
}

// Info implements [fsys.FS]. Notes grow while damaged structures are met.
func (f *FS) Info() fsys.Info { return f.info }

// Journal tells whether there is a journal, and whether a mount replays it first, as after a crash.
func (f *FS) Journal() (exists, replay bool) {
	return f.compat(compatHasJournal), f.incompat(incompatRecover)
}

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
		out[i].Name = strings.ToLower(out[i].Name[:1]) + out[i].Name[1:]
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
