package erofs

import (
	"encoding/binary"
	"fmt"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// inode is an inode in the form that both its layouts have in common.
type inode struct {
	nid      uint64
	rec      *decode.Record
	format   *uint16 // points into the record
	layout   uint16
	mode     uint32
	uid, gid uint32
	nlink    uint32
	size     int64
	u        uint32 // I_u
	mtime    time.Time
	cites    []blob.Cite
	xattrOff int64
	xattrLen int64
	stat     *fsys.Stat
}

func (in *inode) kind() uint32 { return in.mode & fsys.S_IFMT }

// An inode is an [fsys.Inode].
func (in *inode) Mode() uint32       { return in.mode }
func (in *inode) Size() int64        { return in.size }
func (in *inode) ModTime() time.Time { return in.mtime }
func (in *inode) Errorf(want, got string, args ...any) error {
	return in.rec.Errorf(in.format, want, got, args...)
}

// behind is where what follows the inode and its attributes lies.
func (in *inode) behind() int64 { return in.xattrOff + in.xattrLen }

// inode reads the inode of number nid: its place is its number.
func (f *FS) inode(nid uint64) (*inode, error) {
	if in, ok := f.inodes.Get(nid); ok {
		return in, nil
	}
	start := int64(f.sb.Meta_blkaddr) * f.blockSize
	if nid > uint64(f.size)/inodeSlot || start+int64(nid)*inodeSlot >= f.size {
		return nil, decode.Errorf(f.r, superOff, decode.Size(&f.sb), fmt.Sprintf("inode %d", nid), "a place inside the volume", "%d bytes", f.size)
	}
	off := start + int64(nid)*inodeSlot
	in := &inode{nid: nid}
	var c InodeCompact
	rec, err := decode.Read(f.r, off, binary.LittleEndian, "erofs inode", &c)
	if err != nil {
		return nil, err
	}
	in.rec, in.format = rec, &c.I_format
	if c.I_format&^EROFS_I_ALL != 0 {
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&c.I_format, "a format below 16", "%#x", c.I_format))
	}
	in.layout = c.I_format >> 1 & 7
	if in.layout > EROFS_INODE_CHUNK_BASED {
		return nil, fmt.Errorf("%w: %w", decode.ErrUnsupported, rec.Errorf(&c.I_format, "a data layout from 0 to 4", "%d", in.layout))
	}
	length := decode.Size(&c)
	if c.I_format&1 == 0 {
		in.mode, in.nlink, in.size, in.u = uint32(c.I_mode), uint32(c.I_nlink), int64(c.I_size), c.I_u
		in.uid, in.gid = uint32(c.I_uid), uint32(c.I_gid)
		in.mtime = time.Unix(int64(f.sb.Build_time), int64(f.sb.Build_time_nsec)).UTC()
		in.cites = append(cite(rec, &c.I_format, &c.I_mode, &c.I_nlink, &c.I_size, &c.I_u, &c.I_uid, &c.I_gid), cite(f.rec, &f.sb.Build_time)...)
	} else {
		var e InodeExtended
		if rec, err = decode.Read(f.r, off, binary.LittleEndian, "erofs inode", &e); err != nil {
			return nil, err
		}
		if e.I_size > 1<<62 {
			return nil, rec.Errorf(&e.I_size, "a size below 2^62", "%d", e.I_size)
		}
		in.mode, in.nlink, in.size, in.u = uint32(e.I_mode), e.I_nlink, int64(e.I_size), e.I_u
		in.uid, in.gid = e.I_uid, e.I_gid
		in.mtime = time.Unix(int64(e.I_mtime), int64(e.I_mtime_nsec)).UTC()
		in.cites = cite(rec, &e.I_format, &e.I_mode, &e.I_nlink, &e.I_size, &e.I_u, &e.I_uid, &e.I_gid, &e.I_mtime)
		length = decode.Size(&e)
	}
	in.xattrOff = off + length
	if c.I_xattr_icount > 0 {
		in.xattrLen = decode.Size(new(XattrIbodyHeader)) + 4*(int64(c.I_xattr_icount)-1)
	}
	for i := range in.cites {
		in.cites[i].Name = fmt.Sprintf("inode %d: %s", nid, in.cites[i].Name)
	}
	f.inodes.Put(nid, in)
	return in, nil
}

// statOf makes the *fsys.Stat of an inode, once.
func (f *FS) statOf(in *inode) *fsys.Stat {
	if in.stat != nil {
		return in.stat
	}
	in.stat = &fsys.Stat{Ino: in.nid, Mode: in.mode, UID: in.uid, GID: in.gid, Nlink: in.nlink, Cites: in.cites}
	switch in.kind() {
	case fsys.S_IFCHR, fsys.S_IFBLK:
		in.stat.Rdev = in.u
	case fsys.S_IFREG:
		in.stat.Capability = f.xattr(in, xattrSecurity, "capability")
	}
	return in.stat
}

// targetMax is Linux's PATH_MAX.
const targetMax = 4096

// target is where a symbolic link leads.
func (f *FS) target(in *inode) (string, error) {
	b, err := blob.ReadAll(f.content(in), targetMax)
	return string(b), err
}

// xattr returns the value of an attribute, nil when there is none or it cannot be read.
func (f *FS) xattr(in *inode, index uint8, name string) []byte {
	if in.xattrLen == 0 {
		return nil
	}
	var h XattrIbodyHeader
	if _, err := decode.Read(f.r, in.xattrOff, binary.LittleEndian, "erofs attributes", &h); err != nil {
		return nil
	}
	at := in.xattrOff + decode.Size(&h)
	for range h.H_shared_count {
		var id [4]byte
		if n, _ := f.r.ReadAt(id[:], at); n < len(id) || at >= in.behind() {
			return nil
		}
		place := int64(f.sb.Xattr_blkaddr)*f.blockSize + int64(binary.LittleEndian.Uint32(id[:]))*4
		if value, _ := f.xattrEntry(place, index, name); value != nil {
			return value
		}
		at += 4
	}
	for at < in.behind() {
		value, n := f.xattrEntry(at, index, name)
		if value != nil || n == 0 {
			return value
		}
		at += n
	}
	return nil
}

// xattrEntry returns the value of the attribute at off when it is the one that is looked for, and the
// length of the entry, 0 when it cannot be read.
func (f *FS) xattrEntry(off int64, index uint8, name string) ([]byte, int64) {
	var e XattrEntry
	if _, err := decode.Read(f.r, off, binary.LittleEndian, "erofs attribute", &e); err != nil {
		return nil, 0
	}
	off += decode.Size(&e)
	n := int64(e.E_name_len) + int64(e.E_value_size)
	raw := make([]byte, n)
	if got, _ := f.r.ReadAt(raw, off); got < len(raw) {
		return nil, 0
	}
	if e.E_name_index == index && string(raw[:e.E_name_len]) == name {
		return raw[e.E_name_len:], n
	}
	return nil, (decode.Size(&e) + n + 3) &^ 3
}
