package squashfs

// The records of the file system; names are those of the kernel's fs/squashfs/squashfs_fs.h, Linux 6.12,
// all little-endian. Positions that count blocks of metadata are offsets of their first byte.

// Superblock is struct squashfs_super_block, at offset 0.
type Superblock struct {
	S_magic               [4]byte `at:"0x00"` // "hsqs"
	Inodes                uint32  `at:"0x04"`
	Mkfs_time             uint32  `at:"0x08"` // seconds since 1970
	Block_size            uint32  `at:"0x0c"` // bytes
	Fragments             uint32  `at:"0x10"`
	Compression           uint16  `at:"0x14"`
	Block_log             uint16  `at:"0x16"`
	Flags                 uint16  `at:"0x18"`
	No_ids                uint16  `at:"0x1a"`
	S_major               uint16  `at:"0x1c"`
	S_minor               uint16  `at:"0x1e"`
	Root_inode            uint64  `at:"0x20"` // block of the inode table << 16 | offset in it unpacked
	Bytes_used            uint64  `at:"0x28"`
	Id_table_start        uint64  `at:"0x30"`
	Xattr_id_table_start  uint64  `at:"0x38"`
	Inode_table_start     uint64  `at:"0x40"`
	Directory_table_start uint64  `at:"0x48"`
	Fragment_table_start  uint64  `at:"0x50"`
	Lookup_table_start    uint64  `at:"0x58"`
}

// BaseInode is struct squashfs_base_inode, the start of every inode.
type BaseInode struct {
	Inode_type   uint16 `at:"0x0"`
	Mode         uint16 `at:"0x2"` // permissions only
	Uid          uint16 `at:"0x4"` // index in the table of ids
	Guid         uint16 `at:"0x6"`
	Mtime        uint32 `at:"0x8"`
	Inode_number uint32 `at:"0xc"`
}

// RegInode is struct squashfs_reg_inode after its base; sizes of blocks follow.
type RegInode struct {
	Start_block uint32 `at:"0x0"`
	Fragment    uint32 `at:"0x4"`
	Offset      uint32 `at:"0x8"`
	File_size   uint32 `at:"0xc"`
}

// LregInode is struct squashfs_lreg_inode after its base; sizes of blocks follow.
type LregInode struct {
	Start_block uint64 `at:"0x00"`
	File_size   uint64 `at:"0x08"`
	Sparse      uint64 `at:"0x10"`
	Nlink       uint32 `at:"0x18"`
	Fragment    uint32 `at:"0x1c"`
	Offset      uint32 `at:"0x20"`
	Xattr       uint32 `at:"0x24"`
}

// DirInode is struct squashfs_dir_inode after its base.
type DirInode struct {
	Start_block  uint32 `at:"0x0"`
	Nlink        uint32 `at:"0x4"`
	File_size    uint16 `at:"0x8"` // bytes of entries and 3
	Offset       uint16 `at:"0xa"`
	Parent_inode uint32 `at:"0xc"`
}

// LdirInode is struct squashfs_ldir_inode after its base; an index follows, which is not needed.
type LdirInode struct {
	Nlink        uint32 `at:"0x00"`
	File_size    uint32 `at:"0x04"`
	Start_block  uint32 `at:"0x08"`
	Parent_inode uint32 `at:"0x0c"`
	I_count      uint16 `at:"0x10"`
	Offset       uint16 `at:"0x12"`
	Xattr        uint32 `at:"0x14"`
}

// SymlinkInode is struct squashfs_symlink_inode after its base; the target follows, and of the extended
// type the number of attributes after it.
type SymlinkInode struct {
	Nlink        uint32 `at:"0x0"`
	Symlink_size uint32 `at:"0x4"`
}

// DevInode is struct squashfs_dev_inode after its base.
type DevInode struct {
	Nlink uint32 `at:"0x0"`
	Rdev  uint32 `at:"0x4"`
}

// LdevInode is struct squashfs_ldev_inode after its base.
type LdevInode struct {
	Nlink uint32 `at:"0x0"`
	Rdev  uint32 `at:"0x4"`
	Xattr uint32 `at:"0x8"`
}

// IpcInode is struct squashfs_ipc_inode after its base: a pipe or a socket.
type IpcInode struct {
	Nlink uint32 `at:"0x0"`
}

// LipcInode is struct squashfs_lipc_inode after its base.
type LipcInode struct {
	Nlink uint32 `at:"0x0"`
	Xattr uint32 `at:"0x4"`
}

// DirHeader is struct squashfs_dir_header: what the entries behind it have in common.
type DirHeader struct {
	Count        uint32 `at:"0x0"` // of entries, less one
	Start_block  uint32 `at:"0x4"` // of their inodes
	Inode_number uint32 `at:"0x8"`
}

// DirEntry is struct squashfs_dir_entry; the name follows.
type DirEntry struct {
	Offset       uint16 `at:"0x0"`
	Inode_number int16  `at:"0x2"` // less the header's
	Type         uint16 `at:"0x4"`
	Size         uint16 `at:"0x6"` // of the name, less one
}

// FragmentEntry is struct squashfs_fragment_entry.
type FragmentEntry struct {
	Start_block uint64 `at:"0x0"`
	Size        uint32 `at:"0x8"`
	Unused      uint32 `at:"0xc"`
}

// XattrIDTable is struct squashfs_xattr_id_table; positions of its blocks follow.
type XattrIDTable struct {
	Xattr_table_start uint64 `at:"0x0"`
	Xattr_ids         uint32 `at:"0x8"`
	Unused            uint32 `at:"0xc"`
}

// XattrID is struct squashfs_xattr_id: the attributes of one inode.
type XattrID struct {
	Xattr uint64 `at:"0x0"` // block of the table of attributes << 16 | offset
	Count uint32 `at:"0x8"`
	Size  uint32 `at:"0xc"`
}

// XattrEntry is struct squashfs_xattr_entry; the name without its prefix follows, then a value.
type XattrEntry struct {
	Type uint16 `at:"0x0"`
	Size uint16 `at:"0x2"`
}

// XattrVal is struct squashfs_xattr_val; the value follows.
type XattrVal struct {
	Vsize uint32 `at:"0x0"`
}

const (
	magic        = "hsqs"
	metadataSize = 8192
	blockMax     = 1 << 20 // SQUASHFS_FILE_MAX_SIZE
	none         = 1<<32 - 1
	nowhere      = 1<<64 - 1 // of a table that is absent
)

// Values of Inode_type: these, and seven more for the extended forms.
const (
	SQUASHFS_DIR_TYPE     = 1
	SQUASHFS_REG_TYPE     = 2
	SQUASHFS_SYMLINK_TYPE = 3
	SQUASHFS_BLKDEV_TYPE  = 4
	SQUASHFS_CHRDEV_TYPE  = 5
	SQUASHFS_FIFO_TYPE    = 6
	SQUASHFS_SOCKET_TYPE  = 7

	extended = 7 // SQUASHFS_LDIR_TYPE less SQUASHFS_DIR_TYPE
)

// Values of Compression.
const (
	ZLIB_COMPRESSION = 1
	LZMA_COMPRESSION = 2
	LZO_COMPRESSION  = 3
	XZ_COMPRESSION   = 4
	LZ4_COMPRESSION  = 5
	ZSTD_COMPRESSION = 6
)

const (
	metaUncompressed = 1 << 15 // SQUASHFS_COMPRESSED_BIT
	dataUncompressed = 1 << 24 // SQUASHFS_COMPRESSED_BIT_BLOCK

	xattrSecurity   = 2      // SQUASHFS_XATTR_SECURITY
	xattrPrefixMask = 0xff   // SQUASHFS_XATTR_PREFIX_MASK
	xattrValueOOL   = 0x0100 // SQUASHFS_XATTR_VALUE_OOL: the value lies elsewhere
)
