package erofs

// The records of the file system; names are those of the kernel's fs/erofs/erofs_fs.h, Linux 6.12, all
// little-endian.

// Superblock is struct erofs_super_block, at offset 1024.
type Superblock struct {
	Magic                 uint32   `at:"0x00"` // 0xe0f5e1e2
	Checksum              uint32   `at:"0x04"` // crc32c of the rest of the block, with this field zero
	Feature_compat        uint32   `at:"0x08"`
	Blkszbits             uint8    `at:"0x0c"` // log2 of the block size
	Sb_extslots           uint8    `at:"0x0d"`
	Root_nid              uint16   `at:"0x0e"`
	Inos                  uint64   `at:"0x10"`
	Build_time            uint64   `at:"0x18"` // of compact inodes too
	Build_time_nsec       uint32   `at:"0x20"`
	Blocks                uint32   `at:"0x24"`
	Meta_blkaddr          uint32   `at:"0x28"` // block where inode 0 would lie
	Xattr_blkaddr         uint32   `at:"0x2c"` // block of shared attributes
	Uuid                  [16]byte `at:"0x30"`
	Volume_name           [16]byte `at:"0x40"`
	Feature_incompat      uint32   `at:"0x50"`
	U1                    uint16   `at:"0x54"` // available_compr_algs or lz4_max_distance
	Extra_devices         uint16   `at:"0x56"`
	Devt_slotoff          uint16   `at:"0x58"`
	Dirblkbits            uint8    `at:"0x5a"` // log2 of blocks per block of a directory
	Xattr_prefix_count    uint8    `at:"0x5b"`
	Xattr_prefix_start    uint32   `at:"0x5c"`
	Packed_nid            uint64   `at:"0x60"`
	Xattr_filter_reserved uint8    `at:"0x68"`
	Reserved2             [23]byte `at:"0x69"`
}

// InodeCompact is struct erofs_inode_compact.
type InodeCompact struct {
	I_format       uint16 `at:"0x00"`
	I_xattr_icount uint16 `at:"0x02"`
	I_mode         uint16 `at:"0x04"`
	I_nlink        uint16 `at:"0x06"`
	I_size         uint32 `at:"0x08"`
	I_reserved     uint32 `at:"0x0c"`
	I_u            uint32 `at:"0x10"` // raw_blkaddr, rdev, compressed_blocks or the format of chunks
	I_ino          uint32 `at:"0x14"`
	I_uid          uint16 `at:"0x18"`
	I_gid          uint16 `at:"0x1a"`
	I_reserved2    uint32 `at:"0x1c"`
}

// InodeExtended is struct erofs_inode_extended.
type InodeExtended struct {
	I_format       uint16   `at:"0x00"`
	I_xattr_icount uint16   `at:"0x02"`
	I_mode         uint16   `at:"0x04"`
	I_reserved     uint16   `at:"0x06"`
	I_size         uint64   `at:"0x08"`
	I_u            uint32   `at:"0x10"`
	I_ino          uint32   `at:"0x14"`
	I_uid          uint32   `at:"0x18"`
	I_gid          uint32   `at:"0x1c"`
	I_mtime        uint64   `at:"0x20"`
	I_mtime_nsec   uint32   `at:"0x28"`
	I_nlink        uint32   `at:"0x2c"`
	I_reserved2    [16]byte `at:"0x30"`
}

// Dirent is struct erofs_dirent; names lie behind all entries of a block.
type Dirent struct {
	Nid       uint64 `at:"0x0"`
	Nameoff   uint16 `at:"0x8"`
	File_type uint8  `at:"0xa"`
	Reserved  uint8  `at:"0xb"`
}

// XattrIbodyHeader is struct erofs_xattr_ibody_header, behind an inode with attributes; the numbers of
// shared attributes follow, then attributes.
type XattrIbodyHeader struct {
	H_name_filter  uint32  `at:"0x0"`
	H_shared_count uint8   `at:"0x4"`
	H_reserved2    [7]byte `at:"0x5"`
}

// XattrEntry is struct erofs_xattr_entry; name and value follow.
type XattrEntry struct {
	E_name_len   uint8  `at:"0x0"`
	E_name_index uint8  `at:"0x1"`
	E_value_size uint16 `at:"0x2"`
}

// ChunkIndex is struct erofs_inode_chunk_index.
type ChunkIndex struct {
	Advise    uint16 `at:"0x0"`
	Device_id uint16 `at:"0x2"`
	Blkaddr   uint32 `at:"0x4"`
}

// MapHeader is struct z_erofs_map_header, behind a compressed inode and its attributes.
type MapHeader struct {
	H_reserved1     uint16 `at:"0x0"`
	H_idata_size    uint16 `at:"0x2"` // of the end that lies beside the inode
	H_advise        uint16 `at:"0x4"`
	H_algorithmtype uint8  `at:"0x6"` // of HEAD1 in the low bits, of HEAD2 in the high ones
	H_clusterbits   uint8  `at:"0x7"`
}

// LclusterIndex is struct z_erofs_lcluster_index: one block of a compressed file.
type LclusterIndex struct {
	Di_advise     uint16    `at:"0x0"`
	Di_clusterofs uint16    `at:"0x2"`
	Di_u          [2]uint16 `at:"0x4"` // a block address, or distances to heads
}

const (
	superOff  = 1024 // EROFS_SUPER_OFFSET
	magic     = 0xe0f5e1e2
	inodeSlot = 32 // nids count these
	nullAddr  = 1<<32 - 1
)

// Bits of Feature_compat and Feature_incompat; the second word's have several meanings each, by version.
const (
	compatSbChksum = 0x1

	incompatZeroPadding = 0x1
	incompatAll         = 0x7f // EROFS_ALL_FEATURE_INCOMPAT
)

// Bits of I_format and the data layouts in it.
const (
	EROFS_I_ALL = 0xf

	EROFS_INODE_FLAT_PLAIN         = 0
	EROFS_INODE_COMPRESSED_FULL    = 1
	EROFS_INODE_FLAT_INLINE        = 2
	EROFS_INODE_COMPRESSED_COMPACT = 3
	EROFS_INODE_CHUNK_BASED        = 4
)

// Bits of the format of chunks.
const (
	EROFS_CHUNK_FORMAT_BLKBITS_MASK = 0x1f
	EROFS_CHUNK_FORMAT_INDEXES      = 0x20
)

// Bits of H_advise.
const (
	Z_EROFS_ADVISE_COMPACTED_2B        = 0x01
	Z_EROFS_ADVISE_BIG_PCLUSTER_1      = 0x02
	Z_EROFS_ADVISE_BIG_PCLUSTER_2      = 0x04
	Z_EROFS_ADVISE_INLINE_PCLUSTER     = 0x08
	Z_EROFS_ADVISE_INTERLACED_PCLUSTER = 0x10
	Z_EROFS_ADVISE_FRAGMENT_PCLUSTER   = 0x20
)

// Types of a block of a compressed file, and bits beside them.
const (
	Z_EROFS_LCLUSTER_TYPE_PLAIN   = 0
	Z_EROFS_LCLUSTER_TYPE_HEAD1   = 1
	Z_EROFS_LCLUSTER_TYPE_NONHEAD = 2
	Z_EROFS_LCLUSTER_TYPE_HEAD2   = 3

	Z_EROFS_LI_D0_CBLKCNT = 1 << 11

	Z_EROFS_PCLUSTER_MAX_SIZE  = 1 << 20
	Z_EROFS_PCLUSTER_MAX_DSIZE = 12 << 20
)

const xattrSecurity = 6 // EROFS_XATTR_INDEX_SECURITY
