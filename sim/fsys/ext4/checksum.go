package ext4

import (
	"encoding/binary"
	"hash/crc32"
)

// crc32c continues the kernel's crc32c, which inverts neither at the start nor at the end.
func crc32c(sum uint32, b []byte) uint32 {
	return ^crc32.Update(^sum, crc32.MakeTable(crc32.Castagnoli), b)
}

// crc16 is the kernel's crc16 (polynomial x^16 + x^15 + x^2 + 1, reflected), of group descriptors
// without metadata_csum.
func crc16(sum uint16, b []byte) uint16 {
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			carry := sum & 1
			sum >>= 1
			if carry != 0 {
				sum ^= 0xa001
			}
		}
	}
	return sum
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// inodeSeed is what checksums of an inode and of what belongs to it start from.
func (f *FS) inodeSeed(ino, generation uint32) uint32 {
	return crc32c(crc32c(f.seed, le32(ino)), le32(generation))
}
