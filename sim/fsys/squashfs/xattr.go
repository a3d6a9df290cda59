package squashfs

import (
	"encoding/binary"
	"fmt"

	"bootpath/sim/decode"
)

// Bounds on the attributes of one inode.
const (
	xattrsMax     = 1024
	xattrValueMax = 64 << 10
)

// openXattrs reads the head of the table of attributes, when there is one.
func (f *FS) openXattrs() error {
	s := &f.sb
	if s.Xattr_id_table_start == nowhere {
		return nil
	}
	if s.Xattr_id_table_start >= s.Bytes_used {
		return f.rec.Errorf(&s.Xattr_id_table_start, "a table inside the volume", "%#x", s.Xattr_id_table_start)
	}
	rec, err := decode.Read(f.r, int64(s.Xattr_id_table_start), binary.LittleEndian, "squashfs xattr id table", &f.xattrs)
	if err != nil {
		return fmt.Errorf("squashfs: %w", err)
	}
	if f.xattrs.Xattr_table_start >= s.Bytes_used {
		return rec.Errorf(&f.xattrs.Xattr_table_start, "a table inside the volume", "%#x", f.xattrs.Xattr_table_start)
	}
	return nil
}

// xattr returns the value of an attribute among those of number id; nil when there is none or it cannot be
// read.
func (f *FS) xattr(id uint32, prefix uint16, name string) []byte {
	if id >= f.xattrs.Xattr_ids {
		return nil
	}
	c, err := f.entry(int64(f.sb.Xattr_id_table_start)+decode.Size(&f.xattrs), int64(id), decode.Size(new(XattrID)))
	if err != nil {
		return nil
	}
	var x XattrID
	if _, err := c.record("xattr id", &x); err != nil {
		return nil
	}
	c = f.xattrAt(x.Xattr)
	for range min(x.Count, xattrsMax) {
		var e XattrEntry
		if _, err := c.record("xattr entry", &e); err != nil {
			return nil
		}
		got := make([]byte, e.Size)
		if c.read(got) != nil {
			return nil
		}
		if e.Type&xattrPrefixMask == prefix && string(got) == name {
			return c.value(e.Type&xattrValueOOL != 0)
		}
		var v XattrVal
		if _, err := c.record("xattr value", &v); err != nil || v.Vsize > xattrValueMax || c.skip(int64(v.Vsize)) != nil {
			return nil
		}
	}
	return nil
}

// xattrAt is a place in the table of attributes.
func (f *FS) xattrAt(ref uint64) cursor {
	return cursor{f, int64(f.xattrs.Xattr_table_start) + int64(ref>>16&(1<<32-1)), int64(ref & 0xffff)}
}

// value reads the value at the cursor, or the one that it points at.
func (c cursor) value(elsewhere bool) []byte {
	var v XattrVal
	if _, err := c.record("xattr value", &v); err != nil || v.Vsize > xattrValueMax {
		return nil
	}
	b := make([]byte, v.Vsize)
	if c.read(b) != nil {
		return nil
	}
	if !elsewhere {
		return b
	}
	if len(b) != 8 {
		return nil
	}
	return c.f.xattrAt(binary.LittleEndian.Uint64(b)).value(false)
}
