package btrfs

// Records as the kernel's include/uapi/linux/btrfs_tree.h and fs/btrfs/accessors.h have them; all numbers
// are little-endian and nothing is aligned.

// superOff is where the superblock lies; superMirrors are the places of its copies:
// btrfs_sb_offset.
const (
	superOff   = 0x10000
	superSize  = 0x1000
	superMagic = "_BHRfS_M"
)

var superMirrors = [...]int64{0x4000000, 0x4000000000}

// Key orders all items: struct btrfs_disk_key.
type Key struct {
	Objectid uint64 `at:"0x00"`
	Type     uint8  `at:"0x08"`
	Offset   uint64 `at:"0x09"`
}

// Types of keys.
const (
	BTRFS_INODE_ITEM_KEY  = 1
	BTRFS_XATTR_ITEM_KEY  = 24
	BTRFS_DIR_ITEM_KEY    = 84
	BTRFS_DIR_INDEX_KEY   = 96
	BTRFS_EXTENT_DATA_KEY = 108
	BTRFS_ROOT_ITEM_KEY   = 132
	BTRFS_ROOT_BACKREF    = 144
	BTRFS_ROOT_REF_KEY    = 156
	BTRFS_DEV_ITEM_KEY    = 216
	BTRFS_CHUNK_ITEM_KEY  = 228
)

// Well-known objects.
const (
	BTRFS_FS_TREE_OBJECTID          = 5
	BTRFS_FIRST_FREE_OBJECTID       = 256
	BTRFS_DEV_ITEMS_OBJECTID        = 1
	BTRFS_FIRST_CHUNK_TREE_OBJECTID = 256
	BTRFS_LAST_FREE_OBJECTID        = ^uint64(255) // -256
	BTRFS_EMPTY_SUBVOL_DIR_OBJECTID = 2
)

// DevItem is struct btrfs_dev_item: the device that the superblock lies on.
type DevItem struct {
	Devid        uint64   `at:"0x00"`
	Total_bytes  uint64   `at:"0x08"`
	Bytes_used   uint64   `at:"0x10"`
	Io_align     uint32   `at:"0x18"`
	Io_width     uint32   `at:"0x1c"`
	Sector_size  uint32   `at:"0x20"`
	Type         uint64   `at:"0x24"`
	Generation   uint64   `at:"0x2c"`
	Start_offset uint64   `at:"0x34"`
	Dev_group    uint32   `at:"0x3c"`
	Seek_speed   uint8    `at:"0x40"`
	Bandwidth    uint8    `at:"0x41"`
	Uuid         [16]byte `at:"0x42"`
	Fsid         [16]byte `at:"0x52"`
}

// Superblock is struct btrfs_super_block as far as it is read.
type Superblock struct {
	Csum                  [32]byte   `at:"0x00"`
	Fsid                  [16]byte   `at:"0x20"`
	Bytenr                uint64     `at:"0x30"`
	Flags                 uint64     `at:"0x38"`
	Magic                 [8]byte    `at:"0x40"`
	Generation            uint64     `at:"0x48"`
	Root                  uint64     `at:"0x50"`
	Chunk_root            uint64     `at:"0x58"`
	Log_root              uint64     `at:"0x60"`
	Total_bytes           uint64     `at:"0x70"`
	Bytes_used            uint64     `at:"0x78"`
	Root_dir_objectid     uint64     `at:"0x80"`
	Num_devices           uint64     `at:"0x88"`
	Sectorsize            uint32     `at:"0x90"`
	Nodesize              uint32     `at:"0x94"`
	Sys_chunk_array_size  uint32     `at:"0xa0"`
	Chunk_root_generation uint64     `at:"0xa4"`
	Compat_flags          uint64     `at:"0xac"`
	Compat_ro_flags       uint64     `at:"0xb4"`
	Incompat_flags        uint64     `at:"0xbc"`
	Csum_type             uint16     `at:"0xc4"`
	Root_level            uint8      `at:"0xc6"`
	Chunk_root_level      uint8      `at:"0xc7"`
	Dev_item              DevItem    `at:"0xc9"`
	Label                 [256]byte  `at:"0x12b"`
	Metadata_uuid         [16]byte   `at:"0x23b"`
	Sys_chunk_array       [2048]byte `at:"0x32b"`
}

// Bits of incompat_flags that decide whether the volume can be read. All below incompatKnown are known; of
// those, zoned volumes keep their superblock elsewhere.
const (
	BTRFS_FEATURE_INCOMPAT_METADATA_UUID = 1 << 10
	BTRFS_FEATURE_INCOMPAT_ZONED         = 1 << 12
	BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA  = 1 << 16
	incompatKnown                        = 1<<12 - 1 | BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA
)

// Types of checksums.
const (
	BTRFS_CSUM_TYPE_CRC32  = 0
	BTRFS_CSUM_TYPE_XXHASH = 1
	BTRFS_CSUM_TYPE_SHA256 = 2
	BTRFS_CSUM_TYPE_BLAKE2 = 3
)

// Header starts every node: struct btrfs_header.
type Header struct {
	Csum            [32]byte `at:"0x00"`
	Fsid            [16]byte `at:"0x20"`
	Bytenr          uint64   `at:"0x30"`
	Flags           uint64   `at:"0x38"`
	Chunk_tree_uuid [16]byte `at:"0x40"`
	Generation      uint64   `at:"0x50"`
	Owner           uint64   `at:"0x58"`
	Nritems         uint32   `at:"0x60"`
	Level           uint8    `at:"0x64"`
}

// Sizes of what follows the header: items of a leaf, pointers of an inner node.
const (
	headerLen = 0x65
	keyLen    = 0x11
	itemLen   = 0x19
	ptrLen    = 0x21
	levelsMax = 8 // BTRFS_MAX_LEVEL
)

// Chunk maps logical addresses: struct btrfs_chunk, before its stripes.
type Chunk struct {
	Length      uint64 `at:"0x00"`
	Owner       uint64 `at:"0x08"`
	Stripe_len  uint64 `at:"0x10"`
	Type        uint64 `at:"0x18"`
	Io_align    uint32 `at:"0x20"`
	Io_width    uint32 `at:"0x24"`
	Sector_size uint32 `at:"0x28"`
	Num_stripes uint16 `at:"0x2c"`
	Sub_stripes uint16 `at:"0x2e"`
}

// Stripe is struct btrfs_stripe.
type Stripe struct {
	Devid    uint64   `at:"0x00"`
	Offset   uint64   `at:"0x08"`
	Dev_uuid [16]byte `at:"0x10"`
}

// Bits of Compat_ro_flags.
const BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE = 1 << 0

// striped are the profiles in which one stripe does not hold the whole chunk: RAID0, RAID10, RAID5, RAID6.
const striped = 1<<3 | 1<<6 | 1<<7 | 1<<8

// Timespec is struct btrfs_timespec.
type Timespec struct {
	Sec  int64  `at:"0x00"`
	Nsec uint32 `at:"0x08"`
}

// InodeItem is struct btrfs_inode_item.
type InodeItem struct {
	Generation  uint64   `at:"0x00"`
	Transid     uint64   `at:"0x08"`
	Size        uint64   `at:"0x10"`
	Nbytes      uint64   `at:"0x18"`
	Block_group uint64   `at:"0x20"`
	Nlink       uint32   `at:"0x28"`
	Uid         uint32   `at:"0x2c"`
	Gid         uint32   `at:"0x30"`
	Mode        uint32   `at:"0x34"`
	Rdev        uint64   `at:"0x38"`
	Flags       uint64   `at:"0x40"`
	Sequence    uint64   `at:"0x48"`
	Atime       Timespec `at:"0x70"`
	Ctime       Timespec `at:"0x7c"`
	Mtime       Timespec `at:"0x88"`
	Otime       Timespec `at:"0x94"`
}

// RootItem is struct btrfs_root_item up to its level, behind its inode.
type RootItem struct {
	Generation uint64 `at:"0xa0"`
	Root_dirid uint64 `at:"0xa8"`
	Bytenr     uint64 `at:"0xb0"`
	Flags      uint64 `at:"0xd0"`
	Refs       uint32 `at:"0xd8"`
	Level      uint8  `at:"0xee"`
}

// DirItem is struct btrfs_dir_item; the name and, of an extended attribute, the value follow.
type DirItem struct {
	Location Key    `at:"0x00"`
	Transid  uint64 `at:"0x11"`
	Data_len uint16 `at:"0x19"`
	Name_len uint16 `at:"0x1b"`
	Type     uint8  `at:"0x1d"`
}

// RootRef is struct btrfs_root_ref: where a subvolume hangs in another; the name follows.
type RootRef struct {
	Dirid    uint64 `at:"0x00"`
	Sequence uint64 `at:"0x08"`
	Name_len uint16 `at:"0x10"`
}

// ExtentHead is the part of struct btrfs_file_extent_item that inline data follows.
type ExtentHead struct {
	Generation     uint64 `at:"0x00"`
	Ram_bytes      uint64 `at:"0x08"`
	Compression    uint8  `at:"0x10"`
	Encryption     uint8  `at:"0x11"`
	Other_encoding uint16 `at:"0x12"`
	Type           uint8  `at:"0x14"`
}

// ExtentBody follows ExtentHead when the data lies elsewhere.
type ExtentBody struct {
	Disk_bytenr    uint64 `at:"0x00"`
	Disk_num_bytes uint64 `at:"0x08"`
	Offset         uint64 `at:"0x10"`
	Num_bytes      uint64 `at:"0x18"`
}

// Types of extents, and of their compression.
const (
	BTRFS_FILE_EXTENT_INLINE   = 0
	BTRFS_FILE_EXTENT_REG      = 1
	BTRFS_FILE_EXTENT_PREALLOC = 2

	BTRFS_COMPRESS_NONE = 0
	BTRFS_COMPRESS_ZLIB = 1
	BTRFS_COMPRESS_LZO  = 2
	BTRFS_COMPRESS_ZSTD = 3
)
