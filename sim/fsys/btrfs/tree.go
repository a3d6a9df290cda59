package btrfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// tree is where a B-tree begins.
type tree struct {
	root  uint64 // logical address
	level uint8
}

// node is a verified node in memory. It reads and locates its own bytes.
type node struct {
	v     *volume
	raw   []byte
	off   int64 // on the device
	count int
	level uint8
}

// ReadAt implements [io.ReaderAt].
func (n *node) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(n.raw).ReadAt(p, off) }

// Locate implements [blob.Locator].
func (n *node) Locate(off, length int64) []blob.Span { return blob.Locate(n.v.r, n.off+off, length) }

// entryLen is the length of what follows the header, once for each item or child.
func (n *node) entryLen() int {
	if n.level == 0 {
		return itemLen
	}
	return ptrLen
}

func (n *node) key(i int) Key {
	b := n.raw[headerLen+i*n.entryLen():]
	return Key{binary.LittleEndian.Uint64(b), b[8], binary.LittleEndian.Uint64(b[9:])}
}

// child is the address that an inner node points at.
func (n *node) child(i int) uint64 {
	return binary.LittleEndian.Uint64(n.raw[headerLen+i*ptrLen+keyLen:])
}

// floor is the last entry whose key is not behind k, -1 when all are.
func (n *node) floor(k Key) int {
	return sort.Search(n.count, func(i int) bool { return compare(n.key(i), k) > 0 }) - 1
}

// compare orders keys: btrfs_comp_cpu_keys.
func compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Objectid, b.Objectid), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Offset, b.Offset))
}

// readNode reads and verifies the node at a logical address, from its second copy when the first is damaged.
func (v *volume) readNode(logical uint64, level uint8) (*node, error) {
	if n, ok := v.nodes.Get(logical); ok && n.level == level {
		return n, nil
	}
	places, err := v.place(logical, uint64(v.sb.Nodesize))
	if err != nil {
		return nil, err
	}
	for i, off := range places {
		n, bad := v.readCopy(logical, off, level)
		if bad == nil {
			if i > 0 {
				v.note("the node at %#x was read from a copy: %v", logical, err)
			}
			v.nodes.Put(logical, n)
			return n, nil
		}
		if err == nil {
			err = bad
		}
	}
	return nil, err
}

// readCopy checks what the kernel's btree_read_extent_buffer and btrfs_check_node check.
func (v *volume) readCopy(logical uint64, off int64, level uint8) (*node, error) {
	n := &node{v: v, raw: make([]byte, v.sb.Nodesize), off: off, level: level}
	if got, err := v.r.ReadAt(n.raw, off); got < len(n.raw) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("btrfs node at %#x: %w", logical, err)
	}
	var h Header
	rec, err := decode.Read(n, 0, binary.LittleEndian, fmt.Sprintf("btrfs node at %#x", logical), &h)
	if err != nil {
		return nil, err
	}
	if want, got, known := v.checksum(n.raw); known && !bytes.Equal(want, got) {
		return nil, rec.Errorf(&h.Csum, fmt.Sprintf("checksum % x", want), "% x", got)
	}
	switch {
	case h.Bytenr != logical:
		return nil, rec.Errorf(&h.Bytenr, fmt.Sprintf("its own address %#x", logical), "%#x", h.Bytenr)
	case h.Fsid != v.metaUUID:
		return nil, rec.Errorf(&h.Fsid, fmt.Sprintf("the volume's, % x", v.metaUUID), "% x", h.Fsid)
	case h.Level != level:
		return nil, rec.Errorf(&h.Level, fmt.Sprint(level), "%d", h.Level)
	case int64(h.Nritems) > int64((len(n.raw)-headerLen)/n.entryLen()):
		return nil, rec.Errorf(&h.Nritems, "items that fit the node", "%d", h.Nritems)
	}
	n.count = int(h.Nritems)
	for i := 1; i < n.count; i++ {
		if compare(n.key(i-1), n.key(i)) >= 0 {
			return nil, rec.Errorf(&h.Nritems, "items in order", "item %d before item %d", i, i-1)
		}
	}
	return n, nil
}

// item is an item of a leaf: size bytes at off of n.
type item struct {
	key       Key
	n         *node
	off, size int64
}

// item decodes entry i of a leaf.
func (n *node) item(i int) (item, error) {
	b := n.raw[headerLen+i*itemLen+keyLen:]
	it := item{n.key(i), n, int64(binary.LittleEndian.Uint32(b)) + headerLen, int64(binary.LittleEndian.Uint32(b[4:]))}
	if it.off < int64(headerLen+n.count*itemLen) || it.size > int64(len(n.raw))-it.off {
		return it, decode.Errorf(n, int64(headerLen+i*itemLen+keyLen), 8, "btrfs item", "data behind the items, inside the leaf", "%d bytes at %d", it.size, it.off)
	}
	return it, nil
}

// leaf descends to the leaf that holds k or what is next before it: its last such entry, -1 when there is
// none, and the first key of what lies right of the leaf, ok when there is something.
func (v *volume) leaf(t tree, k Key) (n *node, at int, right Key, ok bool, err error) {
	if t.level >= levelsMax {
		return nil, 0, right, false, v.rec.Errorf(&v.sb.Root, "trees of less than 8 levels", "%d", t.level)
	}
	for addr, level := t.root, t.level; ; level-- {
		if n, err = v.readNode(addr, level); err != nil {
			return nil, 0, right, false, err
		}
		at = n.floor(k)
		if level == 0 {
			return n, at, right, ok, nil
		}
		if n.count == 0 {
			return nil, 0, right, false, decode.Errorf(n, 0, headerLen, "btrfs node", "an inner node with children", "none")
		}
		at = max(at, 0)
		if at+1 < n.count {
			right, ok = n.key(at+1), true
		}
		addr = n.child(at)
	}
}

// floor finds the last item whose key is not behind k.
func (v *volume) floor(t tree, k Key) (it item, ok bool, err error) {
	n, at, _, _, err := v.leaf(t, k)
	if err != nil || at < 0 {
		return it, false, err
	}
	it, err = n.item(at)
	return it, err == nil, err
}

// ceiling finds the first item whose key is not before k.
func (v *volume) ceiling(t tree, k Key) (it item, ok bool, err error) {
	for {
		n, at, right, more, err := v.leaf(t, k)
		if err != nil {
			return it, false, err
		}
		if at < 0 || compare(n.key(at), k) < 0 {
			at++
		}
		if at < n.count {
			it, err = n.item(at)
			return it, err == nil, err
		}
		if !more || compare(right, k) <= 0 { // the tree ends, or lies about its keys
			return it, false, nil
		}
		k = right
	}
}

// each calls fn for the items of first's object and type from first on, until it returns false.
func (v *volume) each(t tree, first Key, fn func(item) (bool, error)) error {
	for k := first; ; k.Offset++ {
		it, ok, err := v.ceiling(t, k)
		if err != nil || !ok || it.key.Objectid != first.Objectid || it.key.Type != first.Type || compare(it.key, k) < 0 {
			return err
		}
		if more, err := fn(it); err != nil || !more {
			return err
		}
		if k = it.key; k.Offset == math.MaxUint64 {
			return nil
		}
	}
}

// get finds the item of exactly this key.
func (v *volume) get(t tree, k Key) (item, bool, error) {
	it, ok, err := v.floor(t, k)
	return it, ok && it.key == k, err
}

// read decodes a record at off of an item, which must hold all of it.
func (it item) read(off int64, name string, rec any) (*decode.Record, error) {
	if n := decode.Size(rec); off < 0 || it.size-off < n {
		return nil, decode.Errorf(it.n, it.off, max(it.size, 1), name, fmt.Sprintf("%d bytes", off+n), "%d", it.size)
	}
	return decode.Read(it.n, it.off+off, binary.LittleEndian, name, rec)
}

// bytes are the n bytes at off of an item.
func (it item) bytes(off, n int64) ([]byte, bool) {
	if off < 0 || n < 0 || off > it.size-n {
		return nil, false
	}
	return it.n.raw[it.off+off:][:n], true
}
