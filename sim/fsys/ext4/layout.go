package ext4

// The records of Documentation/filesystems/ext4 (Linux 6.12), all little-endian. Field names are the
// kernel's, with a capital as Go needs it.

// Superblock is struct ext4_super_block, at byte 1024 of the volume; "The Super Block".
type Superblock struct {
	S_inodes_count         uint32     `at:"0x00"`
	S_blocks_count_lo      uint32     `at:"0x04"`
	S_r_blocks_count_lo    uint32     `at:"0x08"`
	S_free_blocks_count_lo uint32     `at:"0x0c"`
	S_free_inodes_count    uint32     `at:"0x10"`
	S_first_data_block     uint32     `at:"0x14"`
	S_log_block_size       uint32     `at:"0x18"` // block size is 1024 << this
	S_log_cluster_size     uint32     `at:"0x1c"`
	S_blocks_per_group     uint32     `at:"0x20"`
	S_clusters_per_group   uint32     `at:"0x24"`
	S_inodes_per_group     uint32     `at:"0x28"`
	S_mtime                uint32     `at:"0x2c"`
	S_wtime                uint32     `at:"0x30"`
	S_mnt_count            uint16     `at:"0x34"`
	S_max_mnt_count        uint16     `at:"0x36"`
	S_magic                uint16     `at:"0x38"` // 0xef53
	S_state                uint16     `at:"0x3a"`
	S_errors               uint16     `at:"0x3c"`
	S_minor_rev_level      uint16     `at:"0x3e"`
	S_lastcheck            uint32     `at:"0x40"`
	S_checkinterval        uint32     `at:"0x44"`
	S_creator_os           uint32     `at:"0x48"`
	S_rev_level            uint32     `at:"0x4c"` // 0: fixed inode size and first inode
	S_def_resuid           uint16     `at:"0x50"`
	S_def_resgid           uint16     `at:"0x52"`
	S_first_ino            uint32     `at:"0x54"`
	S_inode_size           uint16     `at:"0x58"`
	S_block_group_nr       uint16     `at:"0x5a"`
	S_feature_compat       uint32     `at:"0x5c"`
	S_feature_incompat     uint32     `at:"0x60"`
	S_feature_ro_compat    uint32     `at:"0x64"`
	S_uuid                 [16]byte   `at:"0x68"`
	S_volume_name          [16]byte   `at:"0x78"`
	S_last_mounted         [64]byte   `at:"0x88"`
	S_algorithm_usage      uint32     `at:"0xc8"`
	S_prealloc_blocks      uint8      `at:"0xcc"`
	S_prealloc_dir_blocks  uint8      `at:"0xcd"`
	S_reserved_gdt_blocks  uint16     `at:"0xce"`
	S_journal_uuid         [16]byte   `at:"0xd0"`
	S_journal_inum         uint32     `at:"0xe0"`
	S_journal_dev          uint32     `at:"0xe4"`
	S_last_orphan          uint32     `at:"0xe8"`
	S_hash_seed            [4]uint32  `at:"0xec"`
	S_def_hash_version     uint8      `at:"0xfc"`
	S_jnl_backup_type      uint8      `at:"0xfd"`
	S_desc_size            uint16     `at:"0xfe"` // with 64bit
	S_default_mount_opts   uint32     `at:"0x100"`
	S_first_meta_bg        uint32     `at:"0x104"`
	S_mkfs_time            uint32     `at:"0x108"`
	S_jnl_blocks           [17]uint32 `at:"0x10c"`
	S_blocks_count_hi      uint32     `at:"0x150"`
	S_r_blocks_count_hi    uint32     `at:"0x154"`
	S_free_blocks_count_hi uint32     `at:"0x158"`
	S_min_extra_isize      uint16     `at:"0x15c"`
	S_want_extra_isize     uint16     `at:"0x15e"`
	S_flags                uint32     `at:"0x160"`
	S_raid_stride          uint16     `at:"0x164"`
	S_mmp_interval         uint16     `at:"0x166"`
	S_mmp_block            uint64     `at:"0x168"`
	S_raid_stripe_width    uint32     `at:"0x170"`
	S_log_groups_per_flex  uint8      `at:"0x174"`
	S_checksum_type        uint8      `at:"0x175"` // 1: crc32c
	S_kbytes_written       uint64     `at:"0x178"`
	S_backup_bgs           [2]uint32  `at:"0x24c"` // with sparse_super2
	S_encrypt_algos        [4]uint8   `at:"0x254"`
	S_checksum_seed        uint32     `at:"0x270"` // with metadata_csum_seed
	S_checksum             uint32     `at:"0x3fc"` // crc32c of what lies before
}

// GroupDesc is struct ext4_group_desc; "Block Group Descriptors". The second half exists with 64bit.
type GroupDesc struct {
	Bg_block_bitmap_lo      uint32 `at:"0x00"`
	Bg_inode_bitmap_lo      uint32 `at:"0x04"`
	Bg_inode_table_lo       uint32 `at:"0x08"`
	Bg_free_blocks_count_lo uint16 `at:"0x0c"`
	Bg_free_inodes_count_lo uint16 `at:"0x0e"`
	Bg_used_dirs_count_lo   uint16 `at:"0x10"`
	Bg_flags                uint16 `at:"0x12"`
	Bg_exclude_bitmap_lo    uint32 `at:"0x14"`
	Bg_block_bitmap_csum_lo uint16 `at:"0x18"`
	Bg_inode_bitmap_csum_lo uint16 `at:"0x1a"`
	Bg_itable_unused_lo     uint16 `at:"0x1c"`
	Bg_checksum             uint16 `at:"0x1e"`
}

// GroupDescHigh is the second half of struct ext4_group_desc, of which a reader needs one field.
type GroupDescHigh struct {
	Bg_block_bitmap_hi uint32 `at:"0x00"` // 0x20 of the descriptor
	Bg_inode_bitmap_hi uint32 `at:"0x04"`
	Bg_inode_table_hi  uint32 `at:"0x08"`
}

// Inode is the first 128 bytes of struct ext4_inode; "Index Nodes".
type Inode struct {
	I_mode            uint16   `at:"0x00"`
	I_uid             uint16   `at:"0x02"`
	I_size_lo         uint32   `at:"0x04"`
	I_atime           int32    `at:"0x08"`
	I_ctime           int32    `at:"0x0c"`
	I_mtime           int32    `at:"0x10"`
	I_dtime           uint32   `at:"0x14"`
	I_gid             uint16   `at:"0x18"`
	I_links_count     uint16   `at:"0x1a"`
	I_blocks_lo       uint32   `at:"0x1c"`
	I_flags           uint32   `at:"0x20"`
	I_version         uint32   `at:"0x24"` // l_i_version
	I_block           [60]byte `at:"0x28"` // block map, extent tree, link target or inline data
	I_generation      uint32   `at:"0x64"`
	I_file_acl_lo     uint32   `at:"0x68"`
	I_size_high       uint32   `at:"0x6c"`
	I_obso_faddr      uint32   `at:"0x70"`
	L_i_blocks_high   uint16   `at:"0x74"`
	L_i_file_acl_high uint16   `at:"0x76"`
	L_i_uid_high      uint16   `at:"0x78"`
	L_i_gid_high      uint16   `at:"0x7a"`
	L_i_checksum_lo   uint16   `at:"0x7c"`
}

// InodeExtra is what follows the first 128 bytes of a large inode, as far as i_extra_isize says.
type InodeExtra struct {
	I_extra_isize  uint16 `at:"0x00"` // 0x80 of the inode
	I_checksum_hi  uint16 `at:"0x02"`
	I_ctime_extra  uint32 `at:"0x04"`
	I_mtime_extra  uint32 `at:"0x08"` // nanoseconds << 2 | two more bits of seconds
	I_atime_extra  uint32 `at:"0x0c"`
	I_crtime       uint32 `at:"0x10"`
	I_crtime_extra uint32 `at:"0x14"`
	I_version_hi   uint32 `at:"0x18"`
	I_projid       uint32 `at:"0x1c"`
}

// ExtentHeader is struct ext4_extent_header, the first record of every node of an extent tree.
type ExtentHeader struct {
	Eh_magic      uint16 `at:"0x00"` // 0xf30a
	Eh_entries    uint16 `at:"0x02"`
	Eh_max        uint16 `at:"0x04"`
	Eh_depth      uint16 `at:"0x06"` // 0: leaf
	Eh_generation uint32 `at:"0x08"`
}

// DxRootInfo is struct dx_root_info with the count that follows it: the head of a hashed directory,
// behind the entries "." and ".." of its first block; "Hash Tree Directories".
type DxRootInfo struct {
	Reserved_zero   uint32 `at:"0x00"` // 0x18 of the block
	Hash_version    uint8  `at:"0x04"`
	Info_length     uint8  `at:"0x05"` // 8
	Indirect_levels uint8  `at:"0x06"`
	Unused_flags    uint8  `at:"0x07"`
}

// XattrEntry is struct ext4_xattr_entry; "Extended Attributes". The name follows.
type XattrEntry struct {
	E_name_len   uint8  `at:"0x00"`
	E_name_index uint8  `at:"0x01"`
	E_value_offs uint16 `at:"0x02"`
	E_value_inum uint32 `at:"0x04"`
	E_value_size uint32 `at:"0x08"`
	E_hash       uint32 `at:"0x0c"`
}

const (
	magic          = 0xef53
	superOff       = 1024
	extentMagic    = 0xf30a
	xattrMagic     = 0xea020000
	rootIno        = 2
	goodInodeSize  = 128 // of revision 0
	iBlockOff      = 0x28
	iBlockLen      = 60
	inodeExtraOff  = 0x80
	extentEntryLen = 12
)

// Bits of i_flags.
const (
	EXT4_ENCRYPT_FL     = 0x00000800
	EXT4_INDEX_FL       = 0x00001000
	EXT4_EXTENTS_FL     = 0x00080000
	EXT4_INLINE_DATA_FL = 0x10000000
	EXT4_CASEFOLD_FL    = 0x40000000
)

// Bits of the feature words that change how a reader works.
const (
	compatHasJournal    = 0x4
	compatDirIndex      = 0x20
	compatSparseSuper2  = 0x200
	incompatCompression = 0x1
	incompatFiletype    = 0x2
	incompatRecover     = 0x4
	incompatJournalDev  = 0x8
	incompatMetaBG      = 0x10
	incompatExtents     = 0x40
	incompat64bit       = 0x80
	incompatMMP         = 0x100
	incompatFlexBG      = 0x200
	incompatEAInode     = 0x400
	incompatCsumSeed    = 0x2000
	incompatLargedir    = 0x4000
	incompatInlineData  = 0x8000
	incompatEncrypt     = 0x10000
	incompatCasefold    = 0x20000
	roSparseSuper       = 0x1
	roLargeFile         = 0x2
	roBtreeDir          = 0x4
	roGdtCsum           = 0x10
	roBigalloc          = 0x200
	roMetadataCsum      = 0x400
)

// feature is one bit of a feature word under the name that e2fsprogs prints.
type feature struct {
	bit  uint32
	name string
}

// The names are those of ext4(5) and of e2fsprogs lib/e2p/feature.c.
var compatFeatures = [...]feature{
	{0x1, "dir_prealloc"}, {0x2, "imagic_inodes"}, {0x4, "has_journal"}, {0x8, "ext_attr"},
	{0x10, "resize_inode"}, {0x20, "dir_index"}, {0x40, "lazy_bg"}, {0x100, "snapshot_bitmap"},
	{0x200, "sparse_super2"}, {0x400, "fast_commit"}, {0x800, "stable_inodes"}, {0x1000, "orphan_file"},
}

var incompatFeatures = [...]feature{
	{0x1, "compression"}, {0x2, "filetype"}, {0x4, "needs_recovery"}, {0x8, "journal_dev"},
	{0x10, "meta_bg"}, {0x40, "extent"}, {0x80, "64bit"}, {0x100, "mmp"}, {0x200, "flex_bg"},
	{0x400, "ea_inode"}, {0x1000, "dirdata"}, {0x2000, "metadata_csum_seed"}, {0x4000, "large_dir"},
	{0x8000, "inline_data"}, {0x10000, "encrypt"}, {0x20000, "casefold"},
}

var roFeatures = [...]feature{
	{0x1, "sparse_super"}, {0x2, "large_file"}, {0x8, "huge_file"}, {0x10, "uninit_bg"},
	{0x20, "dir_nlink"}, {0x40, "extra_isize"}, {0x80, "snapshot"}, {0x100, "quota"}, {0x200, "bigalloc"},
	{0x400, "metadata_csum"}, {0x800, "replica"}, {0x1000, "read-only"}, {0x2000, "project"},
	{0x4000, "shared_blocks"}, {0x8000, "verity"}, {0x10000, "orphan_present"},
}
