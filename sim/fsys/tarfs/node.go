package tarfs

import "iter"

// Node is a file or directory of the tree. Walking nodes costs less than going by paths.
type Node struct{ n *node }

// Root is the tree's root directory.
func (f *FS) Root() Node { return Node{f.root} }

// Name is the last component of the path; "" for the root.
func (n Node) Name() string { return n.n.name }

// IsDir tells a directory.
func (n Node) IsDir() bool { return n.n.typ == TypeDir }

// Type is the type flag: [TypeReg], [TypeDir], …
func (n Node) Type() byte { return n.n.typ }

// Entry is the entry that the attributes are from; nil for a directory that no entry describes.
func (n Node) Entry() *Entry { return n.n.entry }

// Stored is how many bytes of content this name brings: of a file with several names, hard links, only the
// first has any.
func (n Node) Stored() int64 {
	if n.n.typ != TypeReg || n.Linked() {
		return 0
	}
	return n.n.entry.Size
}

// Linked tells a hard link: a name whose content came with another one.
func (n Node) Linked() bool { return n.n.link }

// Children lists what is in a directory, by name.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for _, c := range n.n.byName() {
			if !yield(Node{c}) {
				return
			}
		}
	}
}
