package xfs

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Magic numbers of the blocks of hashes, at byte 8 of struct xfs_da_blkinfo, of version 4 and 5.
const (
	leaf1Magic  = 0xd2f1
	leafNMagic  = 0xd2ff
	nodeMagic   = 0xfebe
	leaf1Magic3 = 0x3df1
	leafNMagic3 = 0x3dff
	nodeMagic3  = 0x3ebe
)

const (
	hashHead2 = 16 // struct xfs_da_blkinfo, count, stale or level
	hashHead3 = 64
	hashCRC   = 12
	// hashDepth is XFS_DA_NODE_MAXDEPTH, hashSame how many leaves may share the hash of one name.
	hashDepth = 5
	hashSame  = 64
)

// hashBlock is a block of the tree of hashes of a directory: pairs of a hash and, in a leaf, the place of the
// entry in units of 8 bytes; in a node the block of those hashes.
type hashBlock struct {
	raw  []byte
	leaf bool
	n    int
	next uint32 // forw
}

func (h *hashBlock) hash(i int) uint32  { return binary.BigEndian.Uint32(h.raw[i*8:]) }
func (h *hashBlock) value(i int) uint32 { return binary.BigEndian.Uint32(h.raw[i*8+4:]) }

// first is the first pair whose hash is not below h.
func (b *hashBlock) first(h uint32) int {
	return sort.Search(b.n, func(i int) bool { return b.hash(i) >= h })
}

// lookupHashed finds a name by its hash: "Leaf Directories" and "Node Directories". done is false when the
// directory has no such tree, when it is damaged, or when the volume hashes in another way; the caller then
// reads all names.
func (f *FS) lookupHashed(in *inode, name string) (ino uint64, done bool, err error) {
	if in.raw.Di_format == XFS_DINODE_FMT_LOCAL || in.size <= f.dirBlock || f.sb.Sb_versionnum&versionBorg != 0 {
		return 0, false, nil
	}
	r, err := f.content(in)
	if err != nil {
		return 0, false, err
	}
	c, ok := r.(*content)
	if !ok {
		return 0, false, nil
	}
	h := hashName(name)
	leaf := f.hashLeaf(in, c, h)
	for same := 0; leaf != nil && same < hashSame; same++ {
		i := leaf.first(h)
		for ; i < leaf.n && leaf.hash(i) == h; i++ {
			d, ok := f.entryByAddress(in, c, leaf.value(i))
			if !ok {
				return 0, false, nil
			}
			if d.name == name {
				return d.ino, true, nil
			}
		}
		if i < leaf.n || leaf.next == 0 {
			return 0, true, nil
		}
		if leaf = f.hashBlock(in, c, leaf.next); leaf != nil && !leaf.leaf {
			leaf = nil
		}
	}
	return 0, false, nil
}

// hashLeaf descends to the leaf that holds hash h, nil when the tree cannot be trusted.
func (f *FS) hashLeaf(in *inode, c *content, h uint32) *hashBlock {
	b := f.hashBlock(in, c, uint32(dirLeafStart/f.blockSize))
	for depth := 0; b != nil && !b.leaf; depth++ {
		i := b.first(h)
		if depth >= hashDepth || b.n == 0 {
			return nil
		}
		b = f.hashBlock(in, c, b.value(min(i, b.n-1)))
	}
	return b
}

// hashBlock reads the block of hashes at block number n of the directory.
func (f *FS) hashBlock(in *inode, c *content, n uint32) *hashBlock {
	start := int64(n) * f.blockSize
	if start < dirLeafStart {
		return nil
	}
	raw, err := f.dirBlockAt(in, c, start)
	if err != nil {
		return nil
	}
	be, head := binary.BigEndian, hashHead2
	b := &hashBlock{next: be.Uint32(raw)}
	count := raw[12:]
	switch magic := be.Uint16(raw[8:]); {
	case f.v5 && (magic == leaf1Magic3 || magic == leafNMagic3 || magic == nodeMagic3):
		b.leaf, head, count = magic != nodeMagic3, hashHead3, raw[56:]
		f.verify(raw, hashCRC, fmt.Sprintf("inode %d: hashes at block %d", in.ino, n))
	case !f.v5 && (magic == leaf1Magic || magic == leafNMagic || magic == nodeMagic):
		b.leaf = magic != nodeMagic
	default:
		return nil
	}
	b.n = int(be.Uint16(count))
	if b.raw = raw[head:]; b.n*8 > len(b.raw) {
		return nil
	}
	return b
}

// entryByAddress decodes the entry that a leaf points at.
func (f *FS) entryByAddress(in *inode, c *content, address uint32) (dirent, bool) {
	if address == 0 {
		return dirent{}, true // stale
	}
	off := int64(address) * 8
	block := off / f.dirBlock * f.dirBlock
	if block >= min(in.size, dirLeafStart) {
		return dirent{}, false
	}
	raw, err := f.dirBlockAt(in, c, block)
	if err != nil {
		return dirent{}, false
	}
	magic := binary.BigEndian.Uint32(raw)
	if f.v5 && magic != dirData3 || !f.v5 && magic != dirData2 {
		return dirent{}, false
	}
	if f.v5 {
		f.verify(raw, dirCRC, fmt.Sprintf("inode %d: directory block at %#x", in.ino, block))
	}
	d, _, ok := f.entryAt(raw[off-block:])
	return d, ok && d.ino != 0
}
