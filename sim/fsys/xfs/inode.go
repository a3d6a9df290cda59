package xfs

import (
	"encoding/binary"
	"fmt"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// inode is one decoded inode.
type inode struct {
	ino   uint64
	off   int64 // in the volume
	raw   Inode
	v3    InodeV3 // zero before version 3
	rec   *decode.Record
	forks int64 // where the forks start, in the inode
	size  int64
	mtime time.Time
	stat  *fsys.Stat
	data  fsys.Content // once opened
}

func (in *inode) kind() uint32 { return uint32(in.raw.Di_mode) & fsys.S_IFMT }

// An inode is an [fsys.Inode].
func (in *inode) Mode() uint32       { return uint32(in.raw.Di_mode) }
func (in *inode) Size() int64        { return in.size }
func (in *inode) ModTime() time.Time { return in.mtime }
func (in *inode) Errorf(want, got string, args ...any) error {
	return in.rec.Errorf(&in.raw.Di_nlink, want, got, args...)
}

// blockOff is where n blocks lie in the volume. A block number is that of the allocation group above
// sb_agblklog bits and the block in the group below; the blocks must be of one group.
func (f *FS) blockOff(fsb, n uint64) (int64, error) {
	s := &f.sb
	group, block := fsb>>s.Sb_agblklog, fsb&(1<<s.Sb_agblklog-1)
	first := group*uint64(s.Sb_agblocks) + block
	if group >= uint64(s.Sb_agcount) || n > uint64(s.Sb_agblocks) || block+n > uint64(s.Sb_agblocks) || first+n > s.Sb_dblocks {
		return 0, f.rec.Errorf(&s.Sb_agcount, "blocks inside an allocation group", "%d blocks at block %d of group %d", n, block, group)
	}
	return int64(first) * f.blockSize, nil
}

// inode reads inode number n, which says where it lies: the block, and the place in the block in the low
// sb_inopblog bits; "Inode Numbers".
func (f *FS) inode(n uint64) (*inode, error) {
	if in, ok := f.inodes.Get(n); ok {
		return in, nil
	}
	off, err := f.blockOff(n>>f.sb.Sb_inopblog, 1)
	if err != nil {
		return nil, fmt.Errorf("inode %d: %w", n, err)
	}
	in := &inode{ino: n, forks: inodeV2Size}
	in.off = off + int64(n&(1<<f.sb.Sb_inopblog-1))<<f.sb.Sb_inodelog
	raw := &in.raw
	if in.rec, err = decode.Read(f.meta, in.off, binary.BigEndian, fmt.Sprintf("inode %d", n), raw); err != nil {
		return nil, err
	}
	switch {
	case raw.Di_magic != inodeMagic:
		return nil, in.rec.Errorf(&raw.Di_magic, "0x494e", "%#x", raw.Di_magic)
	case f.v5 != (raw.Di_version == 3) || raw.Di_version == 0 || raw.Di_version > 3:
		return nil, in.rec.Errorf(&raw.Di_version, "3 in a volume of version 5, else 1 or 2", "%d", raw.Di_version)
	case raw.Di_mode == 0:
		return nil, in.rec.Errorf(&raw.Di_mode, "an inode in use", "0")
	case raw.Di_size > 1<<63-1:
		return nil, in.rec.Errorf(&raw.Di_size, "less than 2^63", "%#x", raw.Di_size)
	}
	if f.v5 {
		if err := f.readV3(in); err != nil {
			return nil, err
		}
	}
	if room := int64(f.sb.Sb_inodesize) - in.forks; int64(raw.Di_forkoff)*8 >= room {
		return nil, in.rec.Errorf(&raw.Di_forkoff, fmt.Sprintf("less than %d", room/8), "%d", raw.Di_forkoff)
	}
	in.size, in.mtime = int64(raw.Di_size), in.time(raw.Di_mtime)
	f.inodes.Put(n, in)
	return in, nil
}

// readV3 reads the fields of version 3, which name the inode's own number and volume.
func (f *FS) readV3(in *inode) error {
	in.forks = inodeV3Size
	v := &in.v3
	rec, err := decode.Read(f.meta, in.off+inodeV2Size, binary.BigEndian, in.rec.Name(), v)
	switch {
	case err != nil:
		return err
	case v.Di_ino != in.ino:
		return rec.Errorf(&v.Di_ino, fmt.Sprintf("%d, its own number", in.ino), "%d", v.Di_ino)
	case v.Di_uuid != f.uuid:
		return rec.Errorf(&v.Di_uuid, fmt.Sprintf("the volume's, % x", f.uuid), "% x", v.Di_uuid)
	}
	raw := make([]byte, f.sb.Sb_inodesize)
	if n, _ := f.meta.ReadAt(raw, in.off); n < len(raw) {
		return decode.Errorf(f.meta, in.off, int64(len(raw)), in.rec.Name(), fmt.Sprintf("%d bytes", len(raw)), "end after %d", n)
	}
	f.verify(raw, inodeCRC, in.rec.Name())
	return nil
}

// time decodes a timestamp: seconds and nanoseconds of 32 bits each, or, with bigtime, nanoseconds since
// 2^31 seconds before 1970: xfs_inode_from_disk_ts.
func (in *inode) time(v uint64) time.Time {
	if in.v3.Di_flags2&XFS_DIFLAG2_BIGTIME != 0 {
		return time.Unix(int64(v/1e9)-1<<31, int64(v%1e9)).UTC()
	}
	return time.Unix(int64(int32(v>>32)), int64(int32(v))).UTC()
}

// extents is how many extents the data fork, or the attribute fork, has.
func (in *inode) extents(attr bool) uint64 {
	switch big := in.v3.Di_flags2&XFS_DIFLAG2_NREXT64 != 0; {
	case big && attr:
		return uint64(in.raw.Di_nextents) // di_big_anextents
	case big:
		return in.raw.Di_big_nextents
	case attr:
		return uint64(in.raw.Di_anextents)
	}
	return uint64(in.raw.Di_nextents)
}

// fork is where a fork lies in the volume, its length and its format; n is 0 when there is none.
func (f *FS) fork(in *inode, attr bool) (off, n int64, format uint8) {
	split := int64(in.raw.Di_forkoff) * 8
	all := int64(f.sb.Sb_inodesize) - in.forks
	switch {
	case attr && split == 0:
		return 0, 0, 0
	case attr:
		return in.off + in.forks + split, all - split, in.raw.Di_aformat
	case split != 0:
		all = split
	}
	return in.off + in.forks, all, in.raw.Di_format
}

// statOf makes the *fsys.Stat of an inode, once.
func (f *FS) statOf(in *inode) *fsys.Stat {
	if in.stat != nil {
		return in.stat
	}
	r := &in.raw
	s := &fsys.Stat{
		Ino: in.ino, Mode: uint32(r.Di_mode), Nlink: r.Di_nlink, UID: r.Di_uid, GID: r.Di_gid,
		Cites: cite(in.rec, &r.Di_mode, &r.Di_uid, &r.Di_gid, &r.Di_size, &r.Di_nlink, &r.Di_mtime, &r.Di_format),
	}
	if r.Di_version == 1 {
		s.Nlink = uint32(r.Di_onlink)
	}
	for i := range s.Cites {
		s.Cites[i].Name = fmt.Sprintf("inode %d: %s", in.ino, s.Cites[i].Name)
	}
	switch in.kind() {
	case fsys.S_IFCHR, fsys.S_IFBLK:
		s.Rdev = f.rdev(in)
	case fsys.S_IFREG:
		s.Capability = f.xattr(in, attrSecure, "capability")
	}
	in.stat = s
	return s
}

// rdev decodes a device number, 14 bits of major above 18 of minor: sysv_major. Minors above 255 keep their
// place above the major, as in stat's st_rdev.
func (f *FS) rdev(in *inode) uint32 {
	var b [4]byte
	if n, _ := f.meta.ReadAt(b[:], in.off+in.forks); n < len(b) || in.raw.Di_format != XFS_DINODE_FMT_DEV {
		return 0
	}
	v := binary.BigEndian.Uint32(b[:])
	major, minor := v>>18, v&(1<<18-1)
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// content opens what an inode holds, once.
func (f *FS) content(in *inode) (r fsys.Content, err error) {
	if in.data == nil {
		in.data, err = f.open(in)
	}
	return in.data, err
}

func (f *FS) open(in *inode) (fsys.Content, error) {
	if in.kind() == fsys.S_IFREG && in.raw.Di_flags&XFS_DIFLAG_REALTIME != 0 {
		return nil, fmt.Errorf("inode %d: its data lies on the real-time device: %w", in.ino, decode.ErrUnsupported)
	}
	off, n, format := f.fork(in, false)
	switch {
	case format == XFS_DINODE_FMT_LOCAL && in.kind() == fsys.S_IFREG:
		// xfs_dinode_verify_fork: "no local regular files yet"
		return nil, in.rec.Errorf(&in.raw.Di_format, "extents or a tree", "1 (local)")
	case format == XFS_DINODE_FMT_LOCAL && in.size > n:
		return nil, in.rec.Errorf(&in.raw.Di_size, fmt.Sprintf("at most %d inside the inode", n), "%d", in.size)
	case format == XFS_DINODE_FMT_LOCAL:
		return blob.Section(f.meta, off, in.size), nil
	}
	c, err := f.forkContent(in, false)
	if err != nil {
		return nil, err
	}
	switch in.kind() {
	case fsys.S_IFLNK:
		return f.remoteTarget(in, c)
	case fsys.S_IFREG:
		c.r, c.size = f.r, in.size
	}
	return c, nil
}

// targetMax is XFS_SYMLINK_MAXLEN.
const targetMax = 1024

// remoteTarget lays the parts of a target side by side: in version 5 each extent starts with a header.
func (f *FS) remoteTarget(in *inode, c *content) (fsys.Content, error) {
	if in.size > targetMax {
		return nil, in.rec.Errorf(&in.raw.Di_size, "a target of at most 1024", "%d", in.size)
	}
	c.size = in.size
	if !f.v5 {
		return c, nil
	}
	var parts []blob.Extent
	for b, done := int64(0), int64(0); done < in.size; {
		start, n, err := c.run(b)
		if err != nil {
			return nil, err
		}
		if start < 0 || b > targetMax {
			return nil, in.rec.Errorf(&in.raw.Di_size, fmt.Sprintf("the %d bytes that are stored", done), "%d", in.size)
		}
		var h SymlinkHeader
		rec, err := decode.Read(f.meta, start, binary.BigEndian, fmt.Sprintf("inode %d: symlink", in.ino), &h)
		if err != nil {
			return nil, err
		}
		room := min(n*f.blockSize-symlinkSize, in.size-done)
		switch {
		case h.Sl_magic != symlinkMagic:
			return nil, rec.Errorf(&h.Sl_magic, "0x58534c4d", "%#x", h.Sl_magic)
		case int64(h.Sl_offset) != done:
			return nil, rec.Errorf(&h.Sl_offset, fmt.Sprint(done), "%d", h.Sl_offset)
		case h.Sl_bytes == 0 || int64(h.Sl_bytes) > room:
			return nil, rec.Errorf(&h.Sl_bytes, fmt.Sprintf("from 1 to %d", room), "%d", h.Sl_bytes)
		case h.Sl_owner != in.ino:
			return nil, rec.Errorf(&h.Sl_owner, fmt.Sprint(in.ino), "%d", h.Sl_owner)
		}
		raw := make([]byte, min(n, targetMax/f.blockSize+2)*f.blockSize)
		if got, _ := f.meta.ReadAt(raw, start); got == len(raw) {
			f.verify(raw, symlinkCRC, rec.Name())
		}
		parts = append(parts, blob.Extent{Off: done, Len: int64(h.Sl_bytes), Phys: start + symlinkSize})
		b, done = b+n, done+int64(h.Sl_bytes)
	}
	return blob.Mapped(f.meta, in.size, parts), nil
}

// target is where a symbolic link leads.
func (f *FS) target(in *inode) (string, error) {
	r, err := f.content(in)
	if err != nil {
		return "", err
	}
	target, err := blob.ReadAll(r, targetMax)
	return text(target), err
}
