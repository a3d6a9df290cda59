package squashfs

import (
	"encoding/binary"
	"fmt"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds: of the sizes of one file's blocks that are kept, and of a link's target (Linux's PATH_MAX).
const (
	fileBlocksMax = 1 << 20
	targetMax     = 4096
)

// inode is an inode in the form that both its forms have in common.
type inode struct {
	ref   uint64 // block of the inode table << 16 | offset
	base  BaseInode
	rec   *decode.Record
	mode  uint32
	nlink uint32
	rdev  uint32
	size  int64
	xattr uint32
	cites []blob.Cite // of the part behind the base

	start    int64  // of a file's blocks in the volume, of a directory's entries in the directory table
	offset   uint32 // in the fragment, in the block of the directory table
	fragment uint32
	rest     cursor // what follows the fixed part: sizes of blocks, a link's target
}

func (in *inode) kind() uint32 { return in.mode & fsys.S_IFMT }

// An inode is an [fsys.Inode].
func (in *inode) Mode() uint32       { return in.mode }
func (in *inode) Size() int64        { return in.size }
func (in *inode) ModTime() time.Time { return time.Unix(int64(in.base.Mtime), 0).UTC() }
func (in *inode) Errorf(want, got string, args ...any) error {
	return in.rec.Errorf(&in.base.Inode_type, want, got, args...)
}

// kindOf is a type of inode or entry in st_mode's terms; 0 when there is none such.
func kindOf(t uint16) uint32 {
	kinds := [...]uint32{0, fsys.S_IFDIR, fsys.S_IFREG, fsys.S_IFLNK, fsys.S_IFBLK, fsys.S_IFCHR, fsys.S_IFIFO, fsys.S_IFSOCK}
	if int(t) >= len(kinds) {
		return 0
	}
	return kinds[t]
}

// inode reads the inode at a place of the inode table.
func (f *FS) inode(ref uint64) (*inode, error) {
	in := &inode{ref: ref, nlink: 1, xattr: none, fragment: none}
	c := cursor{f, int64(f.sb.Inode_table_start) + int64(ref>>16&(1<<32-1)), int64(ref & 0xffff)}
	var err error
	if in.rec, err = c.record("squashfs inode", &in.base); err != nil {
		return nil, err
	}
	t := in.base.Inode_type
	if t > SQUASHFS_SOCKET_TYPE {
		t -= extended
	}
	kind := kindOf(t)
	if kind == 0 || in.base.Inode_type > SQUASHFS_SOCKET_TYPE+extended {
		return nil, in.rec.Errorf(&in.base.Inode_type, "a type from 1 to 14", "%d", in.base.Inode_type)
	}
	in.mode = kind | uint32(in.base.Mode)&^fsys.S_IFMT
	if err := f.readKind(in, &c); err != nil {
		return nil, fmt.Errorf("inode %d: %w", in.base.Inode_number, err)
	}
	in.rest = c
	if in.base.Inode_type == SQUASHFS_SYMLINK_TYPE+extended {
		if err := c.skip(in.size); err != nil {
			return nil, err
		}
		var b [4]byte
		if err := c.read(b[:]); err != nil {
			return nil, err
		}
		in.xattr = binary.LittleEndian.Uint32(b[:])
	}
	return in, nil
}

// readKind reads what is peculiar to the type of an inode.
func (f *FS) readKind(in *inode, c *cursor) error {
	read := func(v any, cited ...any) error {
		rec, err := c.record("squashfs inode", v)
		if err == nil {
			in.cites = cite(rec, cited...)
		}
		return err
	}
	var err error
	switch in.base.Inode_type {
	case SQUASHFS_DIR_TYPE:
		var d DirInode
		err = read(&d, &d.File_size, &d.Nlink)
		in.start, in.nlink, in.size, in.offset = int64(d.Start_block), d.Nlink, int64(d.File_size), uint32(d.Offset)
	case SQUASHFS_DIR_TYPE + extended:
		var d LdirInode
		err = read(&d, &d.File_size, &d.Nlink)
		in.start, in.nlink, in.size, in.offset, in.xattr = int64(d.Start_block), d.Nlink, int64(d.File_size), uint32(d.Offset), d.Xattr
	case SQUASHFS_REG_TYPE:
		var g RegInode
		err = read(&g, &g.File_size, &g.Start_block, &g.Fragment)
		in.start, in.size, in.fragment, in.offset = int64(g.Start_block), int64(g.File_size), g.Fragment, g.Offset
	case SQUASHFS_REG_TYPE + extended:
		var g LregInode
		rec, e := c.record("squashfs inode", &g)
		if e != nil {
			return e
		}
		if g.File_size > 1<<62 || g.Start_block > 1<<62 {
			return rec.Errorf(&g.File_size, "a size below 2^62", "%d", g.File_size)
		}
		in.cites = cite(rec, &g.File_size, &g.Nlink, &g.Start_block, &g.Fragment)
		in.start, in.size, in.nlink = int64(g.Start_block), int64(g.File_size), g.Nlink
		in.fragment, in.offset, in.xattr = g.Fragment, g.Offset, g.Xattr
	case SQUASHFS_SYMLINK_TYPE, SQUASHFS_SYMLINK_TYPE + extended:
		var l SymlinkInode
		rec, e := c.record("squashfs inode", &l)
		if e != nil {
			return e
		}
		if l.Symlink_size > targetMax {
			return rec.Errorf(&l.Symlink_size, "a target of at most 4096 bytes", "%d", l.Symlink_size)
		}
		in.cites = cite(rec, &l.Symlink_size, &l.Nlink)
		in.nlink, in.size = l.Nlink, int64(l.Symlink_size)
	case SQUASHFS_BLKDEV_TYPE, SQUASHFS_CHRDEV_TYPE:
		var d DevInode
		err = read(&d, &d.Nlink, &d.Rdev)
		in.nlink, in.rdev = d.Nlink, d.Rdev
	case SQUASHFS_BLKDEV_TYPE + extended, SQUASHFS_CHRDEV_TYPE + extended:
		var d LdevInode
		err = read(&d, &d.Nlink, &d.Rdev)
		in.nlink, in.rdev, in.xattr = d.Nlink, d.Rdev, d.Xattr
	case SQUASHFS_FIFO_TYPE, SQUASHFS_SOCKET_TYPE:
		var i IpcInode
		err = read(&i, &i.Nlink)
		in.nlink = i.Nlink
	default:
		var i LipcInode
		err = read(&i, &i.Nlink)
		in.nlink, in.xattr = i.Nlink, i.Xattr
	}
	return err
}

// id is an entry of the table of user and group ids; one that is absent is 0 with no citation.
func (f *FS) id(i uint16) (uint32, []blob.Cite) {
	if i >= f.sb.No_ids {
		return 0, nil
	}
	c, err := f.entry(int64(f.sb.Id_table_start), int64(i), 4)
	var b [4]byte
	if err != nil || c.read(b[:]) != nil {
		return 0, nil
	}
	c, _ = f.entry(int64(f.sb.Id_table_start), int64(i), 4)
	v := binary.LittleEndian.Uint32(b[:])
	var cites []blob.Cite
	for _, s := range c.Locate(0, 4) {
		cites = append(cites, blob.Cite{Span: s, Name: fmt.Sprintf("id_table[%d]", i), Value: fmt.Sprint(v)})
	}
	return v, cites
}

// statOf makes the *fsys.Stat of an inode.
func (f *FS) statOf(in *inode) *fsys.Stat {
	s := &fsys.Stat{Ino: uint64(in.base.Inode_number), Mode: in.mode, Nlink: in.nlink, Rdev: in.rdev}
	s.Cites = append(cite(in.rec, &in.base.Inode_type, &in.base.Mode, &in.base.Uid, &in.base.Guid, &in.base.Mtime), in.cites...)
	var uid, gid []blob.Cite
	s.UID, uid = f.id(in.base.Uid)
	s.GID, gid = f.id(in.base.Guid)
	s.Cites = append(append(s.Cites, uid...), gid...)
	for i := range s.Cites {
		s.Cites[i].Name = fmt.Sprintf("inode %d: %s", in.base.Inode_number, s.Cites[i].Name)
	}
	if in.kind() == fsys.S_IFREG {
		s.Capability = f.xattr(in.xattr, xattrSecurity, "capability")
	}
	return s
}

// target is where a symbolic link leads.
func (f *FS) target(in *inode) (string, error) {
	b := make([]byte, in.size)
	c := in.rest
	err := c.read(b)
	return string(b), err
}
