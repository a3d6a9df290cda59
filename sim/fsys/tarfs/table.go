package tarfs

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"strings"
)

// A tree may have a million names. So it is kept as a table of records of 40 bytes that hold no pointers and
// refer to each other by number, and the names lie one behind the other:
//
//	node 0  the root      first ──► node 5 ─next─► node 1 ─next─► 0, the end
//	node 1  "usr"         first ──► node 2 …
//
// A record has what walking the tree and stacking layers take. All else that an entry says (times, pax records,
// the target of a link, where the content lies) is read from its headers again when someone asks: see [FS.entry].
type table struct {
	chunks [][]node // of chunkNodes each: a table that grows copies nothing
	count  int
	names  names
	index  []id // a hash table over directory and name, open addressing; 0 is a free place
	seed   maphash.Seed
}

// id is the number of a node. The root is 0; as it is in no directory, 0 also ends a list of children.
type id uint32

const root id = 0

// node is a name in the tree.
type node struct {
	size     int64 // of a regular file's content, of a symbolic link's target; how many directories are in one
	name     ref
	parent   id
	first    id     // of a directory: one of the names in it, which links to the others
	next     id     // in the same directory
	start    uint32 // the block of the archive where the entry's headers begin; noEntry without one
	uid, gid uint32
	mode     uint16 // permission bits, 07777
	typ      byte   // TypeReg, TypeDir, …
	flags    flags
}

// noEntry is the start of a directory that no entry describes.
const noEntry = math.MaxUint32

type flags uint8

const (
	linked flags = 1 << iota // a further name of a file: the content came with another one
	gone                     // taken away again; the name may come back
	listed                   // in the list of its directory
	sorted                   // of a directory: the list is in the order of names
)

const chunkNodes = 1 << 12

func newTable() *table {
	t := &table{seed: maphash.MakeSeed(), index: make([]id, 64)}
	t.push(node{name: t.names.add(""), typ: TypeDir, start: noEntry, mode: impliedMode})
	return t
}

func (t *table) at(n id) *node { return &t.chunks[n/chunkNodes][n%chunkNodes] }

func (t *table) name(n id) string { return t.names.at(t.at(n).name) }

func (t *table) push(n node) id {
	if t.count%chunkNodes == 0 {
		t.chunks = append(t.chunks, make([]node, chunkNodes))
	}
	at := id(t.count)
	t.count++
	*t.at(at) = n
	return at
}

// slot is the place in the index where a name is or would be.
func (t *table) slot(dir id, name string) *id {
	mask := uint64(len(t.index) - 1)
	hash := maphash.String(t.seed, name) + uint64(dir)*math.MaxUint32 // an odd number: directories do not meet
	for i := hash & mask; ; i = (i + 1) & mask {
		n := t.index[i]
		if n == 0 || (t.at(n).parent == dir && t.name(n) == name) {
			return &t.index[i]
		}
	}
}

// child finds a name in a directory; 0 when it is not there.
func (t *table) child(dir id, name string) id {
	if n := *t.slot(dir, name); n != 0 && t.at(n).flags&gone == 0 {
		return n
	}
	return 0
}

// add puts what n says under a name of a directory that does not have it, or no more.
func (t *table) add(dir id, name string, n node) id {
	if t.count >= len(t.index)/4*3 {
		t.grow()
	}
	slot := t.slot(dir, name)
	at, old := *slot, node{}
	if at == 0 {
		old.name = t.names.add(name)
		at = t.push(node{})
		*slot = at
	} else {
		old = *t.at(at)
	}
	n.parent, n.name, n.next = dir, old.name, old.next
	n.flags |= listed
	if old.flags&listed == 0 {
		d := t.at(dir)
		n.next, d.first = d.first, at
		d.flags &^= sorted
	}
	*t.at(at) = n
	if n.typ == TypeDir {
		t.at(dir).size++
	}
	return at
}

func (t *table) grow() {
	t.index = make([]id, 2*len(t.index))
	for n := id(1); int(n) < t.count; n++ {
		*t.slot(t.at(n).parent, t.name(n)) = n
	}
}

// remove takes a name away and, of a directory, what is in it. Each file that goes is told.
func (t *table) remove(n id, file func(*node)) {
	t.at(n).flags |= gone
	if t.at(n).typ == TypeDir {
		t.at(t.at(n).parent).size--
	}
	for rest := []id{n}; len(rest) > 0; {
		v := t.at(rest[len(rest)-1])
		rest = rest[:len(rest)-1]
		if v.typ != TypeDir {
			file(v)
			continue
		}
		for c := v.first; c != 0; c = t.at(c).next {
			below := t.at(c)
			if below.flags&gone == 0 {
				rest = append(rest, c)
			}
			below.flags = below.flags&^listed | gone
		}
		v.first = 0
	}
}

// children are what a directory has, in the order of names.
func (t *table) children(dir id) iter.Seq[id] {
	return func(yield func(id) bool) {
		for n := t.head(dir); n != 0; n = t.after(n) {
			if !yield(n) {
				return
			}
		}
	}
}

// head is the first name in a directory, after the one that follows; 0 at the end.
func (t *table) head(dir id) id {
	if t.at(dir).flags&sorted == 0 {
		t.sort(dir)
	}
	return t.there(t.at(dir).first)
}

func (t *table) after(n id) id { return t.there(t.at(n).next) }

func (t *table) there(n id) id {
	for n != 0 && t.at(n).flags&gone != 0 {
		n = t.at(n).next
	}
	return n
}

func (t *table) sort(dir id) {
	var all []id
	for n := t.at(dir).first; n != 0; n = t.at(n).next {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b id) int { return strings.Compare(t.name(b), t.name(a)) })
	next := id(0)
	for _, n := range all { // the last comes first, so that each finds its follower
		t.at(n).next = next
		next = n
	}
	t.at(dir).first = next
	t.at(dir).flags |= sorted
}

// names keeps names of up to 255 bytes, each behind a byte with its length. A builder never moves what it has
// room for, so that a part of its string can be handed out.
type names struct{ chunks []*strings.Builder }

// ref is where a name lies: the chunk in the upper half, the place in it in the lower.
type ref uint32

const chunkBytes = 1 << 16

func (s *names) add(name string) ref {
	last := len(s.chunks) - 1
	if last < 0 || s.chunks[last].Len()+1+len(name) > chunkBytes {
		last++
		b := &strings.Builder{}
		b.Grow(chunkBytes)
		s.chunks = append(s.chunks, b)
	}
	b := s.chunks[last]
	r := ref(last*chunkBytes + b.Len())
	b.WriteByte(byte(len(name)))
	b.WriteString(name)
	return r
}

func (s *names) at(r ref) string {
	chunk := s.chunks[r/chunkBytes].String()[r%chunkBytes:]
	return chunk[1 : 1+int(chunk[0])]
}
