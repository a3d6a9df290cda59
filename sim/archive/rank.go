package archive

import (
	"io"
	"path"
	"strings"
)

// Rank tells how much a file looks like the one of several that names the others: more is more. What names
// others: a VMware descriptor, an OVF, an overlay of qcow2.
func Rank(name string, r io.ReaderAt, size int64) int {
	head := make([]byte, min(size, 512))
	n, _ := r.ReadAt(head, 0)
	text := string(head[:n])
	switch {
	case strings.EqualFold(path.Ext(name), ".ovf"):
		return 3
	case strings.HasPrefix(text, "# Disk DescriptorFile"):
		return 2
	case strings.HasPrefix(text, "QFI\xfb") && len(text) >= 16 && text[8:16] != "\x00\x00\x00\x00\x00\x00\x00\x00": // backing_file_offset
		return 1
	}
	return 0
}
