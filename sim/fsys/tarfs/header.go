package tarfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// blockSize is the unit of a tar archive, in bytes.
const blockSize = 512

// Header is the header block of an entry in the ustar form (POSIX.1-2017, pax, "ustar Interchange
// Format"). Numbers are octal text; GNU tar writes those that do not fit as base 256.
type Header struct {
	Name     [100]byte `at:"0"`
	Mode     [8]byte   `at:"100"`
	UID      [8]byte   `at:"108"`
	GID      [8]byte   `at:"116"`
	Size     [12]byte  `at:"124"`
	Mtime    [12]byte  `at:"136"`
	Chksum   [8]byte   `at:"148"` // of the block with this field as spaces
	Typeflag [1]byte   `at:"156"`
	Linkname [100]byte `at:"157"`
	Magic    [6]byte   `at:"257"` // "ustar" NUL; GNU tar: "ustar "
	Version  [2]byte   `at:"263"` // "00"; GNU tar: " " NUL
	Uname    [32]byte  `at:"265"`
	Gname    [32]byte  `at:"297"`
	Devmajor [8]byte   `at:"329"`
	Devminor [8]byte   `at:"337"`
	Prefix   [155]byte `at:"345"` // with the ustar magic; GNU tar keeps times and the sparse map here
	Pad      [12]byte  `at:"500"`
}

// sparseHeader is the part of a GNU header of type S that replaces the prefix (tar.h of GNU tar,
// struct oldgnu_header).
type sparseHeader struct {
	Atime      [12]byte        `at:"345"`
	Ctime      [12]byte        `at:"357"`
	Offset     [12]byte        `at:"369"`
	Longnames  [4]byte         `at:"381"`
	Unused     [1]byte         `at:"385"`
	Map        [4]sparseRegion `at:"386"`
	IsExtended [1]byte         `at:"482"`
	Realsize   [12]byte        `at:"483"`
}

// sparseBlock follows a header of type S whose map continues (struct sparse_header).
type sparseBlock struct {
	Map        [21]sparseRegion `at:"0"`
	IsExtended [1]byte          `at:"504"`
	Pad        [7]byte          `at:"505"`
}

type sparseRegion struct {
	Offset   [12]byte `at:"0"`
	Numbytes [12]byte `at:"12"`
}

// Type flags: POSIX.1-2017 and, in capitals, GNU tar.
const (
	TypeReg      = '0'
	TypeLink     = '1'
	TypeSymlink  = '2'
	TypeChar     = '3'
	TypeBlock    = '4'
	TypeDir      = '5'
	TypeFifo     = '6'
	TypeCont     = '7'
	typeRegV7    = 0
	typePax      = 'x'
	typeGlobal   = 'g'
	typeLongName = 'L'
	typeLongLink = 'K'
	typeSparse   = 'S'
)

// fill takes the fields from a block; they lie side by side.
func (h *Header) fill(b []byte) {
	for _, field := range [][]byte{
		h.Name[:], h.Mode[:], h.UID[:], h.GID[:], h.Size[:], h.Mtime[:], h.Chksum[:], h.Typeflag[:], h.Linkname[:],
		h.Magic[:], h.Version[:], h.Uname[:], h.Gname[:], h.Devmajor[:], h.Devminor[:], h.Prefix[:], h.Pad[:],
	} {
		b = b[copy(field, b):]
	}
}

// sum is the checksum of a header block, with bytes as unsigned and, as some old tars did it, as signed.
func sum(b []byte) (unsigned, signed int64) {
	const from, to = 148, 156 // the Chksum field
	for i, c := range b {
		if i >= from && i < to {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return unsigned, signed
}

// text is a field up to its first NUL.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// number reads octal text, or base 256 when the first bit is set; GNU tar manual, "Extensions to the
// ustar format".
func number(b []byte) (int64, bool) {
	if b[0]&0x80 == 0 {
		s := strings.Trim(text(bytes.TrimLeft(b, "\x00 ")), " ")
		if s == "" {
			return 0, true
		}
		n, err := strconv.ParseUint(s, 8, 63)
		return int64(n), err == nil
	}
	var invert byte
	if b[0]&0x40 != 0 {
		invert = 0xff
	}
	var n uint64
	for i, c := range b {
		c ^= invert
		if i == 0 {
			c &= 0x7f
		}
		if n>>56 != 0 {
			return 0, false
		}
		n = n<<8 | uint64(c)
	}
	if n>>63 != 0 {
		return 0, false
	}
	if invert != 0 {
		return ^int64(n), true
	}
	return int64(n), true
}

// record is one record of a pax extended header with the place of its value.
type record struct {
	key, value string
	off        int64 // of the value, in the archive
	gnu        bool  // a long name, which counts before pax
}

// paxRecords parses "%d %s=%s\n" records (POSIX.1-2017, pax, "pax Extended Header") that lie at off.
func paxRecords(r io.ReaderAt, data []byte, off int64) ([]record, error) {
	bad := func(at int, got string) error {
		return decode.Errorf(r, off+int64(at), 1, "pax extended header", `a record "LENGTH KEY=VALUE" and a newline`, "%s", got)
	}
	var out []record
	for at := 0; at < len(data); {
		digits, _, ok := bytes.Cut(data[at:], []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || n <= len(digits)+1 || n > len(data)-at {
			return nil, bad(at, fmt.Sprintf("length %q of %d bytes", clip(string(digits)), len(data)-at))
		}
		body := data[at+len(digits)+1 : at+n]
		key, value, ok := strings.Cut(strings.TrimSuffix(string(body), "\n"), "=")
		if !ok || key == "" || body[len(body)-1] != '\n' {
			return nil, bad(at, fmt.Sprintf("%q", clip(string(body))))
		}
		// NUL ends a name for some readers and not for others, so Go's archive/tar refuses it.
		names := key == "path" || key == "linkpath" || key == "uname" || key == "gname"
		if strings.Contains(key, "\x00") || (names && strings.Contains(value, "\x00")) {
			return nil, bad(at, "a NUL in "+strconv.Quote(clip(key)))
		}
		start := at + len(digits) + 1 + len(key) + 1
		out = append(out, record{key: key, value: value, off: off + int64(start)})
		at += n
	}
	return out, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// regions turns the map of a GNU sparse header into pairs; an entry without offset and length ends it.
func regions(m []sparseRegion) (out [][2]int64, more, ok bool) {
	for _, s := range m {
		if s.Numbytes[0] == 0 || s.Offset[0] == 0 {
			return out, false, true
		}
		off, ok1 := number(s.Offset[:])
		n, ok2 := number(s.Numbytes[:])
		if !ok1 || !ok2 {
			return nil, false, false
		}
		out = append(out, [2]int64{off, n})
	}
	return out, true, true
}

// gnuSparse reads the map of a header of type S at off: the regions, the file's size, and where the
// data starts.
func gnuSparse(r io.ReaderAt, off int64) (pairs [][2]int64, size, data int64, err error) {
	var h sparseHeader
	rec, err := decode.Read(r, off, binary.LittleEndian, "GNU sparse header", &h)
	if err != nil {
		return nil, 0, 0, err
	}
	pairs, _, ok := regions(h.Map[:])
	size, okSize := number(h.Realsize[:])
	if !ok || !okSize || size < 0 {
		return nil, 0, 0, rec.Errorf(&h.Realsize, "octal numbers", "%q", text(h.Realsize[:]))
	}
	data = off + blockSize
	for extended := h.IsExtended[0]; extended != 0; data += blockSize {
		var b sparseBlock
		rec, err := decode.Read(r, data, binary.LittleEndian, "GNU sparse map", &b)
		if err != nil {
			return nil, 0, 0, err
		}
		next, _, ok := regions(b.Map[:])
		if pairs = append(pairs, next...); !ok || len(pairs) > maxRegions {
			return nil, 0, 0, rec.Errorf(&b.IsExtended, fmt.Sprintf("at most %d regions", maxRegions), "%d", len(pairs))
		}
		extended = b.IsExtended[0]
	}
	return pairs, size, data, nil
}

// extents lays the regions of a sparse file over the data at off; stored is how many bytes lie there.
func extents(r io.ReaderAt, name string, pairs [][2]int64, size, off, stored int64) ([]blob.Extent, error) {
	var out []blob.Extent
	end, used := int64(0), int64(0)
	for _, p := range pairs {
		if p[0] < end || p[1] < 0 || p[0] > size || p[1] > size-p[0] || p[1] > stored-used {
			return nil, decode.Errorf(r, off, 1, "tar entry "+name+": sparse map", "regions in order inside the file and the data",
				"region at %d of %d bytes", p[0], p[1])
		}
		if p[1] > 0 {
			out = append(out, blob.Extent{Off: p[0], Len: p[1], Phys: off + used})
		}
		end, used = p[0]+p[1], used+p[1]
	}
	return out, nil
}
