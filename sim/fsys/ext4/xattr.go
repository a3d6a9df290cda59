package ext4

import (
	"encoding/binary"
	"fmt"

	"bootpath/sim/decode"
)

// Indexes that stand for the prefixes of attribute names.
const (
	xattrSecurity = 6
	xattrSystem   = 7
)

// Bounds on attributes: the value of security.capability has 24 bytes at most, a kernel value 64 KiB.
const (
	xattrsMax     = 1024
	xattrValueMax = 64 << 10
	xattrEntryLen = 16
)

// xattr returns the value of an attribute, nil when there is none or it cannot be read.
func (f *FS) xattr(in *inode, index uint8, name string) []byte {
	off, n, ok := f.inodeXattr(in, index, name)
	if !ok {
		off, n, ok = f.blockXattr(in, index, name)
	}
	if !ok || n > xattrValueMax {
		return nil
	}
	value := make([]byte, n)
	if got, _ := f.meta.ReadAt(value, off); int64(got) < n {
		return nil
	}
	return value
}

// inodeXattr finds an attribute between the fields of a large inode and its end: where its value lies in
// the volume and its length.
func (f *FS) inodeXattr(in *inode, index uint8, name string) (off, n int64, ok bool) {
	start := in.off + goodInodeSize + int64(in.extra.I_extra_isize)
	end := in.off + f.inodeSize
	if f.inodeSize <= goodInodeSize || start+4 > end || !f.hasXattrMagic(start) {
		return 0, 0, false
	}
	// Offsets of values count from the first entry.
	return f.findXattr(start+4, start+4, end, index, name)
}

// blockXattr finds an attribute in the block that i_file_acl names.
func (f *FS) blockXattr(in *inode, index uint8, name string) (off, n int64, ok bool) {
	block := uint64(in.raw.L_i_file_acl_high)<<32 | uint64(in.raw.I_file_acl_lo)
	if block == 0 || block >= f.blocks {
		return 0, 0, false
	}
	start := int64(block) * f.blockSize
	if !f.hasXattrMagic(start) {
		return 0, 0, false
	}
	const header = 32 // struct ext4_xattr_header
	return f.findXattr(start+header, start, start+f.blockSize, index, name)
}

func (f *FS) hasXattrMagic(off int64) bool {
	var b [4]byte
	n, _ := f.meta.ReadAt(b[:], off)
	return n == len(b) && binary.LittleEndian.Uint32(b[:]) == xattrMagic
}

// findXattr walks entries from off to end; values lie at base plus their offset. A value kept in an inode
// of its own (ea_inode) is noted and not read.
func (f *FS) findXattr(off, base, end int64, index uint8, name string) (int64, int64, bool) {
	for range xattrsMax {
		var e XattrEntry
		if off+xattrEntryLen > end {
			return 0, 0, false
		}
		if _, err := decode.Read(f.meta, off, binary.LittleEndian, "extended attribute", &e); err != nil {
			return 0, 0, false
		}
		if e.E_name_len == 0 && e.E_name_index == 0 && e.E_value_offs == 0 {
			return 0, 0, false // four zero bytes end the list
		}
		buf := make([]byte, e.E_name_len)
		if n, _ := f.meta.ReadAt(buf, off+xattrEntryLen); n < len(buf) {
			return 0, 0, false
		}
		if e.E_name_index == index && string(buf) == name {
			value := base + int64(e.E_value_offs)
			if e.E_value_inum != 0 {
				f.note("the value of attribute %s lies in inode %d and is not read", name, e.E_value_inum)
				return 0, 0, false
			}
			if value+int64(e.E_value_size) > end {
				f.note("attribute %s at %s ends outside its block", name, fmt.Sprintf("%#x", off))
				return 0, 0, false
			}
			return value, int64(e.E_value_size), true
		}
		off += (xattrEntryLen + int64(e.E_name_len) + 3) &^ 3
	}
	return 0, 0, false
}
