package xfs

import (
	"encoding/binary"
	"fmt"
)

// attrSecure is XFS_ATTR_SECURE, the flag that stands for the prefix "security."; attrPrefix are all such
// flags.
const (
	attrLocal  = 0x01
	attrSecure = 0x04
	attrPrefix = 0x02 | attrSecure | 0x08
)

const (
	attrLeafMagic  = 0xfbee
	attrLeafMagic3 = 0x3bee
	attrLeafHead   = 32
	attrLeafHead3  = 80
)

// xattr returns the value of an attribute, nil when there is none or it cannot be read, which is noted.
func (f *FS) xattr(in *inode, prefix uint8, name string) []byte {
	off, n, format := f.fork(in, true)
	switch {
	case n == 0:
		return nil
	case format == XFS_DINODE_FMT_LOCAL:
		raw := make([]byte, n)
		if got, _ := f.meta.ReadAt(raw, off); got < len(raw) {
			return nil
		}
		return shortAttr(raw, prefix, name)
	case format == XFS_DINODE_FMT_EXTENTS && in.extents(true) == 0:
		return nil
	}
	value, ok := f.leafAttr(in, prefix, name)
	if !ok {
		f.note("inode %d: its extended attributes are not read", in.ino)
	}
	return value
}

// shortAttr finds an attribute inside the inode: struct xfs_attr_sf_hdr; "Short Form Attributes".
func shortAttr(raw []byte, prefix uint8, name string) []byte {
	const head, fixed = 4, 3
	count, at := int(raw[2]), head
	for range count {
		if at+fixed > len(raw) {
			return nil
		}
		nameLen, valueLen, flags := int(raw[at]), int(raw[at+1]), raw[at+2]
		at += fixed
		if at+nameLen+valueLen > len(raw) {
			return nil
		}
		if flags&attrPrefix == prefix && string(raw[at:at+nameLen]) == name {
			return raw[at+nameLen:][:valueLen:valueLen]
		}
		at += nameLen + valueLen
	}
	return nil
}

// leafAttr finds an attribute in the only block of the attribute fork: "Leaf Attributes". A tree of blocks and
// values in blocks of their own are not read: ok is false.
func (f *FS) leafAttr(in *inode, prefix uint8, name string) (value []byte, ok bool) {
	c, err := f.forkContent(in, true)
	if err != nil {
		return nil, false
	}
	raw := make([]byte, f.blockSize)
	if n, _ := c.ReadAt(raw, 0); n < len(raw) {
		return nil, false
	}
	be := binary.BigEndian
	magic, head, countAt := uint16(attrLeafMagic), attrLeafHead, 12
	if f.v5 {
		magic, head, countAt = attrLeafMagic3, attrLeafHead3, 56
	}
	if be.Uint16(raw[8:]) != magic {
		return nil, false
	}
	f.verify(raw, hashCRC, fmt.Sprintf("inode %d: attributes", in.ino))
	for i := range int(be.Uint16(raw[countAt:])) {
		const entry = 8 // hashval, nameidx, flags, pad
		at := head + i*entry
		if at+entry > len(raw) {
			return nil, false
		}
		where, flags := int(be.Uint16(raw[at+4:])), raw[at+6]
		if flags&attrPrefix != prefix || flags&attrLocal == 0 || where+3 > len(raw) {
			continue
		}
		valueLen, nameLen := int(be.Uint16(raw[where:])), int(raw[where+2]) // struct xfs_attr_leaf_name_local
		if where += 3; where+nameLen+valueLen > len(raw) {
			return nil, false
		}
		if string(raw[where:where+nameLen]) == name {
			return raw[where+nameLen:][:valueLen:valueLen], true
		}
	}
	return nil, true
}
