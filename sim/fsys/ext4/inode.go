package ext4

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// inode is one decoded inode.
type inode struct {
	ino   uint32
	off   int64 // in the volume
	raw   Inode
	extra InodeExtra // zero beyond i_extra_isize
	rec   *decode.Record
	size  int64
	mtime time.Time
	stat  *fsys.Stat
	data  fsys.Content // once opened
}

func (in *inode) kind() uint32         { return uint32(in.raw.I_mode) & fsys.S_IFMT }
func (in *inode) flag(bit uint32) bool { return in.raw.I_flags&bit != 0 }

// An inode is an [fsys.Inode].
func (in *inode) Mode() uint32       { return uint32(in.raw.I_mode) }
func (in *inode) Size() int64        { return in.size }
func (in *inode) ModTime() time.Time { return in.mtime }
func (in *inode) Errorf(want, got string, args ...any) error {
	return in.rec.Errorf(&in.raw.I_links_count, want, got, args...)
}

// hasSuper tells whether group g holds a copy of the superblock: ext4_bg_has_super.
func (f *FS) hasSuper(g uint64) bool {
	switch {
	case g == 0:
		return true
	case f.compat(compatSparseSuper2):
		return g == uint64(f.sb.S_backup_bgs[0]) || g == uint64(f.sb.S_backup_bgs[1])
	case g == 1 || !f.ro(roSparseSuper):
		return true
	}
	for _, base := range []uint64{3, 5, 7} {
		n := base
		for n < g {
			n *= base
		}
		if n == g {
			return true
		}
	}
	return false
}

// descOff is where the descriptor of group g lies: the kernel's descriptor_loc.
func (f *FS) descOff(g uint64) int64 {
	perBlock := uint64(f.blockSize / f.descSize)
	nr, in := g/perBlock, int64(g%perBlock)*f.descSize
	if !f.incompat(incompatMetaBG) || nr < uint64(f.sb.S_first_meta_bg) {
		return (superOff/f.blockSize+1+int64(nr))*f.blockSize + in
	}
	first := nr * perBlock
	block := first*uint64(f.sb.S_blocks_per_group) + uint64(f.sb.S_first_data_block)
	if f.hasSuper(first) {
		block++
	}
	if f.blockSize == superOff && nr == 0 && f.sb.S_first_data_block == 0 {
		block++ // bigalloc with 1 KiB blocks: block 0 is before the superblock
	}
	if hi, lo := bits.Mul64(block, uint64(f.blockSize)); hi != 0 || lo > 1<<62 {
		return 1 << 62
	}
	return int64(block)*f.blockSize + in
}

// inodeTable is the block at which the inode table of group g starts.
func (f *FS) inodeTable(g uint64) (uint64, error) {
	off := f.descOff(g)
	var d GroupDesc
	name := fmt.Sprintf("ext4 descriptor of group %d", g)
	rec, err := decode.Read(f.meta, off, binary.LittleEndian, name, &d)
	if err != nil {
		return 0, err
	}
	block := uint64(d.Bg_inode_table_lo)
	if f.descSize >= 64 {
		var hi GroupDescHigh
		if _, err := decode.Read(f.meta, off+32, binary.LittleEndian, name, &hi); err != nil {
			return 0, err
		}
		block |= uint64(hi.Bg_inode_table_hi) << 32
	}
	if block == 0 || block >= f.blocks {
		return 0, rec.Errorf(&d.Bg_inode_table_lo, fmt.Sprintf("a block below %d", f.blocks), "%d", block)
	}
	f.checkDesc(g, off, d.Bg_checksum)
	return block, nil
}

// checkDesc verifies a descriptor's checksum: ext4_group_desc_csum.
func (f *FS) checkDesc(g uint64, off int64, want uint16) {
	const at = 0x1e // of bg_checksum
	raw := make([]byte, f.descSize)
	if n, _ := f.meta.ReadAt(raw, off); n < len(raw) {
		return
	}
	var sum uint16
	switch {
	case f.ro(roMetadataCsum):
		clear(raw[at : at+2])
		sum = uint16(crc32c(crc32c(f.seed, le32(uint32(g))), raw))
	case f.ro(roGdtCsum):
		sum = crc16(crc16(crc16(^uint16(0), f.sb.S_uuid[:]), le32(uint32(g))), raw[:at])
		sum = crc16(sum, raw[at+2:])
	default:
		return
	}
	if sum != want {
		f.note("group %d: descriptor checksum is %#04x, computed %#04x", g, want, sum)
	}
}

// inode reads inode number n.
func (f *FS) inode(n uint32) (*inode, error) {
	if in, ok := f.inodes.Get(n); ok {
		return in, nil
	}
	if n == 0 || n > f.sb.S_inodes_count || uint64((n-1)/f.sb.S_inodes_per_group) >= f.groups {
		return nil, f.rec.Errorf(&f.sb.S_inodes_count, "an inode number within the volume", "%d", n)
	}
	table, err := f.inodeTable(uint64((n - 1) / f.sb.S_inodes_per_group))
	if err != nil {
		return nil, err
	}
	in := &inode{ino: n, off: int64(table)*f.blockSize + int64((n-1)%f.sb.S_inodes_per_group)*f.inodeSize}
	in.rec, err = decode.Read(f.meta, in.off, binary.LittleEndian, fmt.Sprintf("inode %d", n), &in.raw)
	if err != nil {
		return nil, err
	}
	if err := f.readExtra(in); err != nil {
		return nil, err
	}
	f.checkInode(in)
	in.size = int64(in.raw.I_size_lo)
	if in.kind() == fsys.S_IFREG || f.incompat(incompatLargedir) {
		in.size |= int64(in.raw.I_size_high) << 32
	}
	// A logical block number has 32 bits.
	if in.size < 0 || in.size > f.blockSize<<32 {
		return nil, in.rec.Errorf(&in.raw.I_size_high, fmt.Sprintf("a size up to %d", f.blockSize<<32), "%d", uint64(in.size))
	}
	// The two low bits of the extra word continue the seconds; negative seconds stay negative without.
	in.mtime = time.Unix(int64(in.raw.I_mtime)+int64(in.extra.I_mtime_extra&3)<<32, int64(in.extra.I_mtime_extra>>2)).UTC()
	f.inodes.Put(n, in)
	return in, nil
}

// readExtra reads the fields behind the first 128 bytes as far as i_extra_isize says that they exist.
func (f *FS) readExtra(in *inode) error {
	if f.inodeSize <= goodInodeSize {
		return nil
	}
	rec, err := decode.Read(f.meta, in.off+inodeExtraOff, binary.LittleEndian, fmt.Sprintf("inode %d", in.ino), &in.extra)
	if err != nil {
		return err
	}
	e := &in.extra
	if int64(e.I_extra_isize) > f.inodeSize-goodInodeSize || e.I_extra_isize%4 != 0 {
		// The kernel: "iget: bad extra_isize".
		return rec.Errorf(&e.I_extra_isize, fmt.Sprintf("a multiple of 4 up to %d", f.inodeSize-goodInodeSize), "%d", e.I_extra_isize)
	}
	if e.I_extra_isize < 4 {
		e.I_checksum_hi = 0
	}
	if e.I_extra_isize < 0x0c {
		e.I_mtime_extra = 0
	}
	return nil
}

// checkInode verifies the checksum of an inode: ext4_inode_csum.
func (f *FS) checkInode(in *inode) {
	if !f.ro(roMetadataCsum) {
		return
	}
	raw := make([]byte, f.inodeSize)
	if n, _ := f.meta.ReadAt(raw, in.off); n < len(raw) {
		return
	}
	const lo, hi = 0x7c, 0x82
	got, mask := uint32(in.raw.L_i_checksum_lo), uint32(0xffff)
	clear(raw[lo : lo+2])
	if in.extra.I_extra_isize >= 4 {
		got, mask = got|uint32(in.extra.I_checksum_hi)<<16, ^uint32(0)
		clear(raw[hi : hi+2])
	}
	if sum := crc32c(f.inodeSeed(in.ino, in.raw.I_generation), raw) & mask; sum != got {
		f.note("inode %d: checksum is %#08x, computed %#08x", in.ino, got, sum)
	}
}

// statOf makes the *fsys.Stat of an inode, once.
func (f *FS) statOf(in *inode) *fsys.Stat {
	if in.stat != nil {
		return in.stat
	}
	r := &in.raw
	s := &fsys.Stat{
		Ino: uint64(in.ino), Mode: uint32(r.I_mode), Nlink: uint32(r.I_links_count),
		UID:   uint32(r.L_i_uid_high)<<16 | uint32(r.I_uid),
		GID:   uint32(r.L_i_gid_high)<<16 | uint32(r.I_gid),
		Cites: cite(in.rec, &r.I_mode, &r.I_uid, &r.I_gid, &r.I_size_lo, &r.I_links_count, &r.I_mtime, &r.I_flags),
	}
	for i := range s.Cites {
		s.Cites[i].Name = fmt.Sprintf("inode %d: %s", in.ino, s.Cites[i].Name)
	}
	switch in.kind() {
	case fsys.S_IFCHR, fsys.S_IFBLK:
		s.Rdev = rdev(r.I_block[:])
	case fsys.S_IFREG:
		s.Capability = f.xattr(in, xattrSecurity, "capability")
	}
	in.stat = s
	return s
}

// rdev decodes a device number: the old form (8 bits each) in the first word, or else the new one in the
// second; new_decode_dev. Minors above 255 keep their place above the major, as in stat's st_rdev.
func rdev(block []byte) uint32 {
	if old := binary.LittleEndian.Uint32(block); old != 0 {
		return old & 0xffff
	}
	return binary.LittleEndian.Uint32(block[4:])
}

// isFastSymlink tells whether the target lies in the inode: ext4_inode_is_fast_symlink. A link whose
// only block holds extended attributes is one.
func (f *FS) isFastSymlink(in *inode) bool {
	own := int64(in.raw.I_blocks_lo)
	if in.raw.I_file_acl_lo != 0 {
		cluster := f.blockSize
		if f.ro(roBigalloc) && f.sb.S_log_cluster_size <= 20 {
			cluster = 1024 << f.sb.S_log_cluster_size
		}
		own -= cluster / 512
	}
	return in.kind() == fsys.S_IFLNK && in.size < iBlockLen && own == 0
}

// content opens what an inode holds, once.
func (f *FS) content(in *inode) (r fsys.Content, err error) {
	if in.data == nil {
		in.data, err = f.open(in)
	}
	return in.data, err
}

func (f *FS) open(in *inode) (fsys.Content, error) {
	switch {
	case in.flag(EXT4_ENCRYPT_FL):
		return nil, fmt.Errorf("inode %d: encrypted: %w", in.ino, decode.ErrUnsupported)
	case in.flag(EXT4_INLINE_DATA_FL):
		return f.inline(in)
	case f.isFastSymlink(in):
		return blob.Section(f.meta, in.off+iBlockOff, in.size), nil
	case in.flag(EXT4_EXTENTS_FL):
		root, err := f.parseNode(in, in.raw.I_block[:], in.off+iBlockOff, -1)
		if err != nil {
			return nil, err
		}
		return &content{f, in, extentTree{f, in, root}}, nil
	}
	return &content{f, in, blockMap{f, in}}, nil
}

// inline lays the two places of inline data side by side: i_block and the attribute system.data.
func (f *FS) inline(in *inode) (fsys.Content, error) {
	ext := []blob.Extent{{Off: 0, Len: min(in.size, iBlockLen), Phys: in.off + iBlockOff}}
	if in.size > iBlockLen {
		off, n, ok := f.inodeXattr(in, xattrSystem, "data")
		if !ok || n < in.size-iBlockLen {
			return nil, in.rec.Errorf(&in.raw.I_size_lo, fmt.Sprintf("at most %d, what system.data holds inline", iBlockLen+n), "%d", in.size)
		}
		ext = append(ext, blob.Extent{Off: iBlockLen, Len: in.size - iBlockLen, Phys: off})
	}
	return blob.Mapped(f.meta, in.size, ext), nil
}

// targetMax is Linux's PATH_MAX.
const targetMax = 4096

// target is where a symbolic link leads.
func (f *FS) target(in *inode) (string, error) {
	if in.size >= targetMax {
		return "", in.rec.Errorf(&in.raw.I_size_lo, "a target shorter than 4096", "%d", in.size)
	}
	r, err := f.content(in)
	if err != nil {
		return "", err
	}
	target, err := blob.ReadAll(r, targetMax)
	return text(target), err
}
