package tarfs

import "bootpath/sim/blob"

// Node is a file or directory of the tree. Walking nodes costs less than going by paths.
type Node struct {
	f  *FS
	id id
}

// Root is the tree's root directory.
func (f *FS) Root() Node { return Node{f, root} }

// Lookup finds the file at an io/fs path; no link is followed.
func (f *FS) Lookup(name string) (Node, error) {
	n, err := f.find("lookup", name)
	return Node{f, n}, err
}

func (n Node) node() *node { return n.f.tree.at(n.id) }

// Name is the last component of the path; "" for the root.
func (n Node) Name() string { return n.f.tree.name(n.id) }

// IsDir tells a directory.
func (n Node) IsDir() bool { return n.node().typ == TypeDir }

// Type is the type flag: [TypeReg], [TypeDir], …
func (n Node) Type() byte { return n.node().typ }

// Attributes are the permission bits and the owner.
func (n Node) Attributes() (mode, uid, gid uint32) {
	return uint32(n.node().mode), n.node().uid, n.node().gid
}

// Implied tells a directory that no entry describes: unpackers make it for what is in it.
func (n Node) Implied() bool { return n.node().start == noEntry }

// Entry reads the entry that the attributes are from; nil for one that is implied.
func (n Node) Entry() (*Entry, error) {
	if n.Implied() {
		return nil, nil
	}
	return n.f.entry(n.node().start)
}

// Cites gives the header fields of the node's entry.
func (n Node) Cites(e *Entry) []blob.Cite { return e.Cites(n.f.r) }

// Stored is how many bytes of content this name brings: of a file with several names, hard links, only the
// first has any.
func (n Node) Stored() int64 {
	if n.node().typ != TypeReg || n.Linked() {
		return 0
	}
	return n.node().size
}

// Linked tells a hard link: a name whose content came with another one.
func (n Node) Linked() bool { return n.node().flags&linked != 0 }

// First is the first name in a directory, in their order.
func (n Node) First() (Node, bool) { return n.to(n.f.tree.head(n.id)) }

// Next is the name that follows in the same directory.
func (n Node) Next() (Node, bool) { return n.to(n.f.tree.after(n.id)) }

// Child finds a name in a directory.
func (n Node) Child(name string) (Node, bool) { return n.to(n.f.tree.child(n.id, name)) }

func (n Node) to(id id) (Node, bool) { return Node{n.f, id}, id != root }
