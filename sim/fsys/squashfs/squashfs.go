// Package squashfs reads Squashfs 4.0 volumes: the compressed read-only file system of live media and snaps.
//
// Content and metadata lie in blocks that are compressed one by one with gzip (zlib), xz, lz4 or zstd; lzo
// and lzma are recognised and not unpacked. Where a byte comes from is known as far as compression
// lets it: a byte of a compressed block came from all bytes of that block, a byte of a block that is stored
// as it is from exactly one.
//
// Specification: the kernel's fs/squashfs and Documentation/filesystems/squashfs.rst, Linux 6.12. The index
// of large directories and the table for NFS are not needed and not read.
package squashfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
)

// Bounds on what one volume may make us keep.
const (
	metaBlocksMax  = 256     // unpacked blocks of metadata, 8 KiB each
	dataBytesMax   = 8 << 20 // unpacked blocks of content
	directoriesMax = 64
)

// FS is an opened volume; it implements [fsys.FS].
type FS struct {
	*fsys.Tree[uint64, *inode]
	r      io.ReaderAt
	sb     Superblock
	rec    *decode.Record
	size   int64 // Bytes_used
	unpack unpacker
	xattrs XattrIDTable // Xattr_ids is 0 when there are none
	info   fsys.Info

	metaBlocks  *fsys.Recent[int64, *metaBlock]
	dataBlocks  *fsys.Recent[extent, []byte]
	directories *fsys.Recent[uint64, *directory]
}

// Open reads the superblock of a volume of size bytes. Bytes without the magic wrap [decode.ErrFormat]; a
// version other than 4.0 and a compression that is not read wrap [decode.ErrUnsupported].
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{
		r: r, metaBlocks: fsys.NewRecent[int64, *metaBlock](metaBlocksMax),
		directories: fsys.NewRecent[uint64, *directory](directoriesMax),
	}
	s := &f.sb
	rec, err := decode.Read(r, 0, binary.LittleEndian, "squashfs superblock", s)
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w: %w", decode.ErrFormat, err)
	}
	f.rec = rec
	if string(s.S_magic[:]) != magic {
		return nil, fmt.Errorf("squashfs: %w: %w", decode.ErrFormat, rec.Errorf(&s.S_magic, `"hsqs"`, "%q", s.S_magic[:]))
	}
	if s.S_major != 4 || s.S_minor != 0 {
		return nil, fmt.Errorf("squashfs: %w: %w", decode.ErrUnsupported, rec.Errorf(&s.S_major, "version 4.0", "%d.%d", s.S_major, s.S_minor))
	}
	if err := f.checkGeometry(size); err != nil {
		return nil, err
	}
	f.dataBlocks = fsys.NewRecent[extent, []byte](max(2, dataBytesMax/int(s.Block_size)))
	name := fmt.Sprint(s.Compression)
	if int(s.Compression) < len(compressions) {
		name = compressions[s.Compression]
	}
	if f.unpack, err = newUnpacker(s.Compression, int(s.Block_size)); err != nil {
		return nil, fmt.Errorf("squashfs: %w: %w", err, rec.Errorf(&s.Compression, "gzip, xz, lz4 or zstd", "%s", name))
	}
	if err := f.openXattrs(); err != nil {
		return nil, err
	}
	f.info = fsys.Info{
		Type: "squashfs", Size: f.size, Notes: []string{"compressed with " + name},
		Cites: cite(rec, &s.S_magic, &s.S_major, &s.S_minor, &s.Compression, &s.Block_size, &s.Bytes_used, &s.Inodes),
	}
	f.Tree = fsys.NewTree(fsys.Source[uint64, *inode]{
		Root: f.sb.Root_inode, Inode: f.inode, Lookup: f.lookup, List: f.list, Content: f.content, Target: f.target, Stat: f.statOf,
	})
	return f, nil
}

// checkGeometry demands what the kernel's squashfs_fill_super demands.
func (f *FS) checkGeometry(size int64) error {
	s := &f.sb
	if s.Block_size < 4096 || s.Block_size > blockMax || bits.OnesCount32(s.Block_size) != 1 {
		return f.rec.Errorf(&s.Block_size, "a power of two from 4 KiB to 1 MiB", "%d", s.Block_size)
	}
	if s.Block_size>>(s.Block_log&31) != 1 || s.Block_log > 20 {
		return f.rec.Errorf(&s.Block_log, fmt.Sprintf("the logarithm of %d", s.Block_size), "%d", s.Block_log)
	}
	if s.Bytes_used > uint64(size) {
		return f.rec.Errorf(&s.Bytes_used, fmt.Sprintf("at most the volume's %d bytes", size), "%d", s.Bytes_used)
	}
	f.size = int64(s.Bytes_used)
	if s.Root_inode&0xffff > metadataSize {
		return f.rec.Errorf(&s.Root_inode, "an offset in a block of 8192 bytes", "%#x", s.Root_inode)
	}
	for _, p := range []*uint64{&s.Inode_table_start, &s.Directory_table_start, &s.Id_table_start} {
		if *p >= s.Bytes_used {
			return f.rec.Errorf(p, "a table inside the volume", "%#x", *p)
		}
	}
	return nil
}

// Info implements [fsys.FS].
func (f *FS) Info() fsys.Info { return f.info }

// Superblock returns the superblock and the memory of its bytes.
func (f *FS) Superblock() (Superblock, *decode.Record) { return f.sb, f.rec }

// cite is rec.Cite with the field names as the kernel spells them.
func cite(rec *decode.Record, ptrs ...any) []blob.Cite {
	out := rec.Cite(ptrs...)
	for i := range out {
		out[i].Name = strings.ToLower(out[i].Name[:1]) + out[i].Name[1:]
	}
	return out
}
