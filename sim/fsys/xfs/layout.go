package xfs

// The records of "XFS Algorithms & Data Structures" (3rd edition) and of Linux 6.12
// fs/xfs/libxfs/xfs_format.h, big-endian except for checksums. Field names are the kernel's, with a capital
// as Go needs it.

// Superblock is struct xfs_dsb, at the start of the volume; "Superblocks".
type Superblock struct {
	Sb_magicnum    uint32   `at:"0x00"` // "XFSB"
	Sb_blocksize   uint32   `at:"0x04"`
	Sb_dblocks     uint64   `at:"0x08"`
	Sb_rblocks     uint64   `at:"0x10"` // of the real-time device
	Sb_rextents    uint64   `at:"0x18"`
	Sb_uuid        [16]byte `at:"0x20"`
	Sb_logstart    uint64   `at:"0x30"` // 0: the log is on another device
	Sb_rootino     uint64   `at:"0x38"`
	Sb_rbmino      uint64   `at:"0x40"`
	Sb_rsumino     uint64   `at:"0x48"`
	Sb_rextsize    uint32   `at:"0x50"`
	Sb_agblocks    uint32   `at:"0x54"`
	Sb_agcount     uint32   `at:"0x58"`
	Sb_rbmblocks   uint32   `at:"0x5c"`
	Sb_logblocks   uint32   `at:"0x60"`
	Sb_versionnum  uint16   `at:"0x64"` // version in the low four bits, features above
	Sb_sectsize    uint16   `at:"0x66"`
	Sb_inodesize   uint16   `at:"0x68"`
	Sb_inopblock   uint16   `at:"0x6a"`
	Sb_fname       [12]byte `at:"0x6c"` // the label
	Sb_blocklog    uint8    `at:"0x78"`
	Sb_sectlog     uint8    `at:"0x79"`
	Sb_inodelog    uint8    `at:"0x7a"`
	Sb_inopblog    uint8    `at:"0x7b"`
	Sb_agblklog    uint8    `at:"0x7c"`
	Sb_rextslog    uint8    `at:"0x7d"`
	Sb_inprogress  uint8    `at:"0x7e"`
	Sb_imax_pct    uint8    `at:"0x7f"`
	Sb_icount      uint64   `at:"0x80"`
	Sb_ifree       uint64   `at:"0x88"`
	Sb_fdblocks    uint64   `at:"0x90"`
	Sb_frextents   uint64   `at:"0x98"`
	Sb_uquotino    uint64   `at:"0xa0"`
	Sb_gquotino    uint64   `at:"0xa8"`
	Sb_qflags      uint16   `at:"0xb0"`
	Sb_flags       uint8    `at:"0xb2"`
	Sb_shared_vn   uint8    `at:"0xb3"`
	Sb_inoalignmt  uint32   `at:"0xb4"`
	Sb_unit        uint32   `at:"0xb8"`
	Sb_width       uint32   `at:"0xbc"`
	Sb_dirblklog   uint8    `at:"0xc0"` // a directory block is 1 << this file system blocks
	Sb_logsectlog  uint8    `at:"0xc1"`
	Sb_logsectsize uint16   `at:"0xc2"`
	Sb_logsunit    uint32   `at:"0xc4"`
	Sb_features2   uint32   `at:"0xc8"`
	Sb_bad_feat2   uint32   `at:"0xcc"` // sb_bad_features2
	// What follows is of version 5.
	Sb_features_compat       uint32   `at:"0xd0"`
	Sb_features_ro_compat    uint32   `at:"0xd4"`
	Sb_features_incompat     uint32   `at:"0xd8"`
	Sb_features_log_incompat uint32   `at:"0xdc"`
	Sb_crc                   uint32   `at:"0xe0"` // little-endian crc32c of the sector
	Sb_spino_align           uint32   `at:"0xe4"`
	Sb_pquotino              uint64   `at:"0xe8"`
	Sb_lsn                   uint64   `at:"0xf0"`
	Sb_meta_uuid             [16]byte `at:"0xf8"`
}

// Inode is the part of struct xfs_dinode that all versions have; "On-disk Inode".
type Inode struct {
	Di_magic         uint16 `at:"0x00"` // "IN"
	Di_mode          uint16 `at:"0x02"`
	Di_version       uint8  `at:"0x04"`
	Di_format        uint8  `at:"0x05"` // how the data fork is kept
	Di_onlink        uint16 `at:"0x06"` // link count of version 1
	Di_uid           uint32 `at:"0x08"`
	Di_gid           uint32 `at:"0x0c"`
	Di_nlink         uint32 `at:"0x10"`
	Di_projid_lo     uint16 `at:"0x14"`
	Di_projid_hi     uint16 `at:"0x16"`
	Di_big_nextents  uint64 `at:"0x18"` // with nrext64, else padding and di_flushiter
	Di_atime         uint64 `at:"0x20"`
	Di_mtime         uint64 `at:"0x28"` // seconds, nanoseconds; or, with bigtime, one count of nanoseconds
	Di_ctime         uint64 `at:"0x30"`
	Di_size          uint64 `at:"0x38"`
	Di_nblocks       uint64 `at:"0x40"`
	Di_extsize       uint32 `at:"0x48"`
	Di_nextents      uint32 `at:"0x4c"` // with nrext64: extents of the attribute fork
	Di_anextents     uint16 `at:"0x50"`
	Di_forkoff       uint8  `at:"0x52"` // the attribute fork starts at 8 times this, 0: there is none
	Di_aformat       uint8  `at:"0x53"`
	Di_dmevmask      uint32 `at:"0x54"`
	Di_dmstate       uint16 `at:"0x58"`
	Di_flags         uint16 `at:"0x5a"`
	Di_gen           uint32 `at:"0x5c"`
	Di_next_unlinked uint32 `at:"0x60"`
}

// InodeV3 is what version 3 adds, at 0x64 of the inode.
type InodeV3 struct {
	Di_crc         uint32   `at:"0x00"` // little-endian
	Di_changecount uint64   `at:"0x04"`
	Di_lsn         uint64   `at:"0x0c"`
	Di_flags2      uint64   `at:"0x14"`
	Di_cowextsize  uint32   `at:"0x1c"`
	Di_pad2        [12]byte `at:"0x20"`
	Di_crtime      uint64   `at:"0x2c"`
	Di_ino         uint64   `at:"0x34"`
	Di_uuid        [16]byte `at:"0x3c"`
}

// BtreeBlock is the head of struct xfs_btree_block with long pointers, for the extents of a fork; "Extent
// B+tree". Version 5 has 48 more bytes behind it.
type BtreeBlock struct {
	Bb_magic    uint32 `at:"0x00"` // "BMAP" or "BMA3"
	Bb_level    uint16 `at:"0x04"` // 0: leaf
	Bb_numrecs  uint16 `at:"0x06"`
	Bb_leftsib  uint64 `at:"0x08"`
	Bb_rightsib uint64 `at:"0x10"`
}

// SymlinkHeader is struct xfs_dsymlink_hdr, before each part of a remote target in version 5.
type SymlinkHeader struct {
	Sl_magic  uint32   `at:"0x00"` // "XSLM"
	Sl_offset uint32   `at:"0x04"`
	Sl_bytes  uint32   `at:"0x08"`
	Sl_crc    uint32   `at:"0x0c"`
	Sl_uuid   [16]byte `at:"0x10"`
	Sl_owner  uint64   `at:"0x20"`
	Sl_blkno  uint64   `at:"0x28"`
	Sl_lsn    uint64   `at:"0x30"`
}

// LogRecord is the start of struct xlog_rec_header; "Log Record Header".
type LogRecord struct {
	H_magicno    uint32 `at:"0x00"` // 0xfeedbabe
	H_cycle      uint32 `at:"0x04"`
	H_version    uint32 `at:"0x08"`
	H_len        uint32 `at:"0x0c"` // bytes behind the header
	H_lsn        uint64 `at:"0x10"`
	H_tail_lsn   uint64 `at:"0x18"`
	H_crc        uint32 `at:"0x20"`
	H_prev_block uint32 `at:"0x24"`
	H_num_logops uint32 `at:"0x28"`
	H_size       uint32 `at:"0x140"` // of the buffers in memory
}

const (
	superMagic   = 0x58465342
	inodeMagic   = 0x494e
	bmapMagic    = 0x424d4150
	bmap3Magic   = 0x424d4133
	symlinkMagic = 0x58534c4d
	logMagic     = 0xfeedbabe

	superCRC     = 0xe0
	inodeCRC     = 0x64
	inodeV2Size  = 0x64 // where the forks start
	inodeV3Size  = 0xb0
	bmapV4Size   = 24
	bmapV5Size   = 72
	bmapCRC      = 0x40
	symlinkSize  = 56
	symlinkCRC   = 0x0c
	extentSize   = 16
	dirLeafStart = 1 << 35 // XFS_DIR2_LEAF_OFFSET: names lie below, their hashes from here on
)

// Values of di_format: enum xfs_dinode_fmt.
const (
	XFS_DINODE_FMT_DEV     = 0
	XFS_DINODE_FMT_LOCAL   = 1
	XFS_DINODE_FMT_EXTENTS = 2
	XFS_DINODE_FMT_BTREE   = 3
)

// Bits of di_flags and di_flags2.
const (
	XFS_DIFLAG_REALTIME = 0x1
	XFS_DIFLAG2_BIGTIME = 0x8
	XFS_DIFLAG2_NREXT64 = 0x10
)

// Bits of sb_versionnum and sb_features2.
const (
	versionNumbits  = 0x000f
	versionLogV2    = 0x0400
	versionDirV2    = 0x2000
	versionBorg     = 0x4000 // names are matched without case
	versionMorebits = 0x8000
	version2Ftype   = 0x200
)

// Bits of sb_features_incompat.
const (
	incompatFtype       = 0x1
	incompatSpinodes    = 0x2
	incompatMetaUUID    = 0x4
	incompatBigtime     = 0x8
	incompatNeedsRepair = 0x10
	incompatNrext64     = 0x20
	incompatExchRange   = 0x40
	incompatParent      = 0x80
	incompatMetadir     = 0x100
)
