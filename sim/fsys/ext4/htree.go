package ext4

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"

	"bootpath/sim/decode"
)

// Values of dx_root_info.hash_version; the unsigned variants follow the first three.
const (
	hashLegacy = iota
	hashHalfMD4
	hashTEA
	hashUnsigned = 3
)

// s_flags: how the machine that made the volume sees char.
const flagUnsignedHash = 0x2

const (
	dxLevelsMax  = 3    // ext4_dir_htree_level with large_dir
	dxLeavesMax  = 1024 // leaves looked at for one hash
	dxRootInfo   = 0x18 // behind the entries "." and ".."
	dxNodeHead   = 8    // the fake entry of an inner node
	dxEntryLen   = 8
	dxInfoLength = 8
)

// dxFrame is a place in one level of the tree.
type dxFrame struct {
	entries []dxEntry
	at      int
}

// dxEntry: names with a hash from hash on lie below block. The lowest bit of hash says that the names of
// the block before continue here with the same hash.
type dxEntry struct{ hash, block uint32 }

// lookupHashed finds name through the hash tree: the kernel's ext4_dx_find_entry. done is false when the
// tree is damaged or of an unknown kind; the kernel then reads the directory block by block.
func (f *FS) lookupHashed(in *inode, name string) (ino uint32, done bool) {
	r, err := f.content(in)
	m, ok := r.(*content)
	if err != nil || !ok {
		return 0, false
	}
	frames, hash, err := f.dxProbe(in, m.m, name)
	if err != nil {
		f.note("directory hash tree not used: %v", err)
		return 0, false
	}
	for range dxLeavesMax {
		last := frames[len(frames)-1]
		raw, off, err := f.dirBlock(in, m.m, last.entries[last.at].block)
		if err != nil {
			return 0, false
		}
		f.checkDirBlock(in, raw, int64(last.entries[last.at].block))
		err = f.parseBlock(in, raw, off, func(d dirent) bool {
			if d.name == name {
				ino = d.ino
			}
			return ino == 0
		})
		if err != nil || ino != 0 {
			return ino, err == nil
		}
		more, err := f.dxNext(in, m.m, frames, hash)
		if err != nil || !more {
			return 0, err == nil
		}
	}
	return 0, false
}

// dirBlock reads logical block b of a directory.
func (f *FS) dirBlock(in *inode, m mapper, b uint32) ([]byte, int64, error) {
	what := fmt.Sprintf("inode %d: directory block %d", in.ino, b)
	if int64(b) >= in.size/f.blockSize {
		return nil, 0, in.rec.Errorf(&in.raw.I_size_lo, fmt.Sprintf("block %d of the hash tree inside the directory", b), "%d", in.size)
	}
	phys, _, err := m.run(b)
	if err != nil {
		return nil, 0, err
	}
	if phys < 0 {
		return nil, 0, fmt.Errorf("%s: a hole", what)
	}
	raw, err := f.metaBlock(phys, what)
	return raw, phys * f.blockSize, err
}

// dxProbe walks from the root to the leaf that name hashes to: the kernel's dx_probe.
func (f *FS) dxProbe(in *inode, m mapper, name string) ([]*dxFrame, uint32, error) {
	raw, off, err := f.dirBlock(in, m, 0)
	if err != nil {
		return nil, 0, err
	}
	var root DxRootInfo
	rec, err := decode.Read(bytesAt{raw, off, f.meta}, off+dxRootInfo, binary.LittleEndian, fmt.Sprintf("inode %d: dx_root_info", in.ino), &root)
	if err != nil {
		return nil, 0, err
	}
	version := uint32(root.Hash_version)
	switch {
	case version > hashTEA+hashUnsigned:
		return nil, 0, rec.Errorf(&root.Hash_version, "legacy, half MD4 or TEA", "%d", version)
	case root.Info_length != dxInfoLength:
		return nil, 0, rec.Errorf(&root.Info_length, "8", "%d", root.Info_length)
	case root.Unused_flags&1 != 0:
		return nil, 0, rec.Errorf(&root.Unused_flags, "no flags", "%#x", root.Unused_flags)
	case root.Indirect_levels >= dxLevelsMax:
		return nil, 0, rec.Errorf(&root.Indirect_levels, "less than 3 levels", "%d", root.Indirect_levels)
	}
	if version <= hashTEA && f.sb.S_flags&flagUnsignedHash != 0 {
		version += hashUnsigned
	}
	hash := dxHash(name, version, f.sb.S_hash_seed)
	frame, err := f.dxNode(in, raw, off, dxRootInfo+dxInfoLength)
	frames := []*dxFrame{}
	for level := 0; err == nil; level++ {
		frame.at = sort.Search(len(frame.entries), func(i int) bool { return i > 0 && frame.entries[i].hash > hash }) - 1
		frames = append(frames, frame)
		if level == int(root.Indirect_levels) {
			return frames, hash, nil
		}
		if raw, off, err = f.dirBlock(in, m, frame.entries[frame.at].block); err == nil {
			frame, err = f.dxNode(in, raw, off, dxNodeHead)
		}
	}
	return nil, 0, err
}

// dxNode reads the entries of a node, which start at byte at of the block. The first has a limit and a
// count instead of a hash: struct dx_countlimit.
func (f *FS) dxNode(in *inode, raw []byte, off int64, at int) (*dxFrame, error) {
	le := binary.LittleEndian
	limit, count := int(le.Uint16(raw[at:])), int(le.Uint16(raw[at+2:]))
	if room := (len(raw) - at) / dxEntryLen; count == 0 || count > limit || limit > room {
		return nil, decode.Errorf(f.meta, off+int64(at), 4, fmt.Sprintf("inode %d: dx_countlimit", in.ino),
			fmt.Sprintf("count from 1 to limit, limit up to %d", room), "count %d, limit %d", count, limit)
	}
	fr := &dxFrame{entries: make([]dxEntry, count)}
	for i := range fr.entries {
		e := raw[at+i*dxEntryLen:]
		fr.entries[i] = dxEntry{le.Uint32(e), le.Uint32(e[4:]) & 0x0fffffff}
	}
	fr.entries[0].hash = 0
	return fr, nil
}

// dxNext moves to the next leaf when names of this hash continue there: ext4_htree_next_block.
func (f *FS) dxNext(in *inode, m mapper, frames []*dxFrame, hash uint32) (bool, error) {
	level := len(frames) - 1
	for ; ; level-- {
		if level < 0 {
			return false, nil
		}
		if frames[level].at++; frames[level].at < len(frames[level].entries) {
			break
		}
	}
	if next := frames[level].entries[frames[level].at].hash; next&1 == 0 || next&^1 != hash {
		return false, nil
	}
	for ; level < len(frames)-1; level++ {
		raw, off, err := f.dirBlock(in, m, frames[level].entries[frames[level].at].block)
		if err != nil {
			return false, err
		}
		fr, err := f.dxNode(in, raw, off, dxNodeHead)
		if err != nil {
			return false, err
		}
		frames[level+1] = fr
	}
	return true, nil
}

// dxHash is ext4fs_dirhash: the hash of a name, its lowest bit free for the collision mark.
func dxHash(name string, version uint32, seed [4]uint32) uint32 {
	signed := version < hashUnsigned
	state := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	if seed != [4]uint32{} {
		state = seed
	}
	var hash uint32
	switch version % hashUnsigned {
	case hashLegacy:
		hash = legacyHash(name, signed)
	case hashHalfMD4:
		for rest := name; len(rest) > 0; rest = rest[min(32, len(rest)):] {
			halfMD4(&state, hashWords(rest, 8, signed))
		}
		hash = state[1]
	case hashTEA:
		for rest := name; len(rest) > 0; rest = rest[min(16, len(rest)):] {
			tea(&state, hashWords(rest, 4, signed))
		}
		hash = state[0]
	}
	hash &^= 1
	if const1 := uint32(0x7fffffff << 1); hash == const1 { // EXT4_HTREE_EOF_32BIT stands for the end
		hash = (0x7fffffff - 1) << 1
	}
	return hash
}

// char is a byte as a C char of that signedness, extended to 32 bits.
func char(c byte, signed bool) uint32 {
	if signed {
		return uint32(int32(int8(c)))
	}
	return uint32(c)
}

// hashWords packs the start of s into n words, the last bytes first, padded with the length: str2hashbuf.
func hashWords(s string, n int, signed bool) []uint32 {
	pad := uint32(len(s)) | uint32(len(s))<<8
	pad |= pad << 16
	out := make([]uint32, n)
	s = s[:min(len(s), n*4)]
	for i := range out {
		word := pad
		for j := i * 4; j < min(len(s), i*4+4); j++ {
			word = char(s[j], signed) + word<<8
		}
		out[i] = word
	}
	return out
}

// legacyHash is dx_hack_hash.
func legacyHash(name string, signed bool) uint32 {
	hash, before := uint32(0x12a3fe2d), uint32(0x37abe8f9)
	for i := range len(name) {
		next := before + (hash ^ char(name[i], signed)*7152373)
		if next&0x80000000 != 0 {
			next -= 0x7fffffff
		}
		before, hash = hash, next
	}
	return hash << 1
}

// halfMD4 is half_md4_transform: three rounds of eight steps of MD4's functions.
func halfMD4(state *[4]uint32, in []uint32) {
	a, b, c, d := state[0], state[1], state[2], state[3]
	choose := func(x, y, z uint32) uint32 { return z ^ x&(y^z) }
	majority := func(x, y, z uint32) uint32 { return x&y + (x^y)&z }
	parity := func(x, y, z uint32) uint32 { return x ^ y ^ z }
	round := func(fn func(x, y, z uint32) uint32, add uint32, order [8]int, rot [4]int) {
		for i, k := range order {
			a = bits.RotateLeft32(a+fn(b, c, d)+in[k]+add, rot[i%4])
			a, b, c, d = d, a, b, c
		}
	}
	round(choose, 0, [8]int{0, 1, 2, 3, 4, 5, 6, 7}, [4]int{3, 7, 11, 19})
	round(majority, 0x5a827999, [8]int{1, 3, 5, 7, 0, 2, 4, 6}, [4]int{3, 5, 9, 13})
	round(parity, 0x6ed9eba1, [8]int{3, 7, 2, 6, 1, 5, 0, 4}, [4]int{3, 9, 11, 15})
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}

// tea is TEA_transform: 16 rounds of the Tiny Encryption Algorithm.
func tea(state *[4]uint32, in []uint32) {
	const delta = 0x9e3779b9
	x, y, sum := state[0], state[1], uint32(0)
	for range 16 {
		sum += delta
		x += (y<<4 + in[0]) ^ (y + sum) ^ (y>>5 + in[1])
		y += (x<<4 + in[2]) ^ (x + sum) ^ (x>>5 + in[3])
	}
	state[0] += x
	state[1] += y
}
