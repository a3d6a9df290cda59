// Package cpio unpacks initramfs images the way Linux does: archives in cpio's "newc" format, one behind
// the other, plain or compressed, into one tree.
//
// It follows unpack_to_rootfs of init/initramfs.c (Linux 6.1; where later versions differ the comment says
// so) including what happens to a damaged image: the kernel keeps what came before the damage and prints
// why it stopped. Other cpio formats are refused in the kernel's words. File contents stay where they are:
// sections of the image, or of the stream unpacked from it.
//
// Specification: Documentation/driver-api/early-userspace/buffer-format.rst.
package cpio

import (
	"bytes"
	"encoding/binary"

	"fmt"
	"io"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/stream"
)

// Header is the header of one entry, all numbers in eight hexadecimal digits.
type Header struct {
	C_magic    [6]byte `at:"0"` // "070701", or "070702" with a checksum
	C_ino      [8]byte `at:"6"`
	C_mode     [8]byte `at:"14"`
	C_uid      [8]byte `at:"22"`
	C_gid      [8]byte `at:"30"`
	C_nlink    [8]byte `at:"38"`
	C_mtime    [8]byte `at:"46"`
	C_filesize [8]byte `at:"54"`
	C_maj      [8]byte `at:"62"`
	C_min      [8]byte `at:"70"`
	C_rmaj     [8]byte `at:"78"`
	C_rmin     [8]byte `at:"86"`
	C_namesize [8]byte `at:"94"`
	C_chksum   [8]byte `at:"102"`
}

// Bounds.
const (
	entriesMax  = 1_000_000
	unpackedMax = 2 << 30 // bytes of one unpacked stream
	checksumMax = 1 << 30 // bytes of one file whose checksum is verified
	pathMax     = 4096    // PATH_MAX
	nameMax     = 255     // NAME_MAX
	headerLen   = 110
	stepsMax    = 50_000_000 // components that all paths together lead through
)

// Segment is one archive of an image, or a compressed stream with what lies in it.
type Segment struct {
	Off         int64       // in the image
	Compression stream.Kind // "" for a plain archive
	Entries     int         // without trailers
	Blob        string      // of the unpacked stream, "" for a plain archive
	Cites       []blob.Cite // the magic that says what it is
}

// Error is why the kernel stops unpacking.
type Error struct {
	Msg   string // the kernel's words: "junk within compressed archive"
	Off   int64  // where in the image, or in the unpacked stream
	Blob  string // the unpacked stream, "" for the image
	Cites []blob.Cite
	Err   error // what the decoder of a compressed stream says, when it is that
}

func (e *Error) Error() string {
	text := fmt.Sprintf("initramfs: %s at offset %#x", e.Msg, e.Off)
	if e.Blob != "" {
		text += " of " + e.Blob
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the decoder's error.
func (e *Error) Unwrap() error { return e.Err }

// Unpack unpacks the size bytes of r, an initramfs image called name (a path). Compressed streams become
// blobs of the store named after it: name!, name!2, ….
//
// The tree and the segments are what the kernel has at the end, also when an error is returned: a [*Error]
// where the kernel stops with a message; an error that wraps [decode.ErrUnsupported] where we stop and the
// kernel might not.
func Unpack(store *blob.Store, name string, r io.ReaderAt, size int64) (*FS, []Segment, error) {
	// Raw reads leave no trace in a slice; what finds the bytes shall.
	blob.Locate(r, 0, size)
	u := blob.Remember(store, "cpio "+name, r, 0, size, func() *unpacker {
		u := &unpacker{store: store, name: name, size: size, fs: newFS(), links: map[link]string{}}
		u.image = &source{r: r, size: size}
		u.unpack()
		u.fs.size = size
		return u
	})
	return u.fs, u.segments, u.err
}

// source is a run of archives: the image, or a stream unpacked from it.
type source struct {
	r    io.ReaderAt
	size int64  // -1 when it is not known before its end
	blob string // name of the stream
}

// read returns up to n bytes at off, fewer at the end.
func (s *source) read(off int64, n int) []byte {
	if s.size >= 0 {
		n = int(max(0, min(int64(n), s.size-off)))
	}
	b := make([]byte, n)
	got, _ := s.r.ReadAt(b, off)
	return b[:got]
}

// has tells whether the source is at least n bytes long.
func (s *source) has(n int64) bool { return n <= 0 || len(s.read(n-1, 1)) == 1 }

// end is the length, known once the end was seen.
func (s *source) end() int64 {
	if b, ok := s.r.(*blob.Blob); ok && s.size < 0 {
		return b.Size()
	}
	return s.size
}

// skipZeros returns the offset of the first byte from off on that is not zero, and that byte; ok is false
// at the end.
func (s *source) skipZeros(off int64) (at int64, c byte, ok bool) {
	for n := 1; ; n = 4096 {
		b := s.read(off, n)
		if len(b) == 0 {
			return off, 0, false
		}
		for i, c := range b {
			if c != 0 {
				return off + int64(i), c, true
			}
		}
		off += int64(len(b))
	}
}

// link identifies a file with several names inside an archive.
type link struct{ major, minor, ino, kind uint32 }

type unpacker struct {
	store    *blob.Store
	name     string
	size     int64
	image    *source
	fs       *FS
	segments []Segment
	open     bool // the last segment is a plain archive whose trailer has not come
	streams  int
	links    map[link]string
	begun    bool // an entry was read: the kernel's state is no longer Start
	entries  int
	err      error
}

// fail notes the first error; the kernel keeps the first message too.
func (u *unpacker) fail(s *source, off, n int64, msg string, err error) {
	if u.err != nil {
		return
	}
	e := &Error{Msg: msg, Off: off, Blob: s.blob, Err: err}
	for _, span := range blob.Locate(s.r, off, n) {
		e.Cites = append(e.Cites, blob.Cite{Span: span, Name: "initramfs", Value: fmt.Sprintf("% x", s.read(off, int(min(n, 8))))})
	}
	u.err = e
}

// unpack is the loop of unpack_to_rootfs.
func (u *unpacker) unpack() {
	for pos := int64(0); pos < u.size && u.err == nil; {
		at, c, ok := u.image.skipZeros(pos)
		switch {
		case !ok:
			return
		case c == '0' && at%4 == 0:
			var whole bool
			if pos, whole = u.archive(u.image, at, false); !whole {
				return
			}
		default:
			pos = u.compressed(at)
		}
	}
}

// archive reads entries from pos on until something else than an entry follows, and returns where. whole is
// false when the source ends inside an entry or an error was noted.
func (u *unpacker) archive(s *source, pos int64, inner bool) (next int64, whole bool) {
	for {
		if !inner && !u.open {
			u.segments = append(u.segments, Segment{Off: pos, Blob: s.blob, Cites: magicCites(s, pos, 6)})
			u.open = true
		}
		u.begun = true
		pos, whole = u.entry(s, pos)
		if !whole {
			return pos, false
		}
		at, c, ok := s.skipZeros(pos)
		if !ok {
			return at, true
		}
		if at%4 != 0 {
			u.fail(s, at, 1, "broken padding", nil)
			return at, false
		}
		if c != '0' {
			if inner {
				u.fail(s, at, 4, "junk within compressed archive", nil)
			}
			return at, !inner
		}
		pos = at
	}
}

func magicCites(s *source, off, n int64) []blob.Cite {
	var out []blob.Cite
	for _, span := range blob.Locate(s.r, off, n) {
		out = append(out, blob.Cite{Span: span, Name: "magic", Value: fmt.Sprintf("% x", s.read(off, int(n)))})
	}
	return out
}

// entry is one parsed header with its name.
type entry struct {
	*header
	name      string
	ino, mode uint32
	uid, gid  uint32
	nlink     uint32
	mtime     uint32
	body      int64 // where the content starts
	size      int64
	maj, min  uint32
	rdev      uint32
	sum       uint32
	hasSum    bool
}

// header is the header of an entry with its place. The bytes are kept: reading them again could mean to
// unpack again.
type header struct {
	src *source
	off int64
	raw [headerLen]byte
}

// ReadAt implements [io.ReaderAt] at the place in the source.
func (h *header) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(h.raw[:]).ReadAt(p, off-h.off)
}

// Locate implements [blob.Locator].
func (h *header) Locate(off, n int64) []blob.Span { return blob.Locate(h.src.r, off, n) }

// nAlign is the kernel's N_ALIGN: the room of a name behind a header, which is 2 bytes short of a word.
func nAlign(n int64) int64 { return (n+1)&^3 + 2 }

// entry reads the entry at pos, applies it to the tree and returns where the next one starts: do_header,
// do_name, do_copy and do_symlink in the kernel.
func (u *unpacker) entry(s *source, pos int64) (next int64, whole bool) {
	if u.entries++; u.entries > entriesMax {
		u.err = fmt.Errorf("initramfs: more than %d entries: %w", entriesMax, decode.ErrUnsupported)
		return pos, false
	}
	raw := s.read(pos, headerLen)
	if len(raw) < headerLen {
		return s.end(), false
	}
	var h Header
	if _, err := decode.Read(bytes.NewReader(raw), 0, binary.LittleEndian, "cpio header", &h); err != nil {
		return pos, false
	}
	switch string(h.C_magic[:]) {
	case "070701", "070702": // before 5.18 the kernel knows the first only
	case "070707":
		u.fail(s, pos, 6, "incorrect cpio method used: use -H newc option", nil)
		return pos, false
	default:
		u.fail(s, pos, 6, "no cpio magic", nil)
		return pos, false
	}
	nameLen := int64(hex(h.C_namesize))
	e := &entry{
		header: &header{s, pos, [headerLen]byte(raw)}, ino: hex(h.C_ino), mode: hex(h.C_mode) & 0xffff, uid: hex(h.C_uid), gid: hex(h.C_gid),
		nlink: hex(h.C_nlink), mtime: hex(h.C_mtime), size: int64(hex(h.C_filesize)), maj: hex(h.C_maj), min: hex(h.C_min),
		rdev: rdev(hex(h.C_rmaj), hex(h.C_rmin)), sum: hex(h.C_chksum), hasSum: h.C_magic[5] == '2',
		body: pos + headerLen + nAlign(nameLen),
	}
	next = (e.body + e.size + 3) &^ 3
	// What the kernel has no buffer for it steps over: a name or a target longer than a path, a body of
	// something that has none.
	kind := e.mode & fsys.S_IFMT
	skip := nameLen == 0 || nameLen > pathMax || kind == fsys.S_IFLNK && e.size > pathMax ||
		kind != fsys.S_IFLNK && kind != fsys.S_IFREG && e.size > 0
	if !skip {
		name := s.read(pos+headerLen, int(nAlign(nameLen)))
		if int64(len(name)) < nAlign(nameLen) || kind == fsys.S_IFLNK && !s.has(e.body+e.size) {
			return s.end(), false
		}
		// Checked since 6.13; before, the name went on to the next zero.
		if name[nameLen-1] != 0 {
			u.fail(s, pos+headerLen, nameLen, "malformed archive", nil)
			return pos, false
		}
		e.name = string(name[:bytes.IndexByte(name, 0)])
		u.apply(e)
	}
	if u.fs.steps > stepsMax {
		u.err = fmt.Errorf("initramfs: paths through too many links: %w", decode.ErrUnsupported)
	}
	if u.err != nil {
		return pos, false
	}
	if !s.has(next) {
		if n := u.fs.lookup(e.name); !skip && n != nil && n.data == s && n.body == e.body {
			n.have = max(0, min(e.size, s.end()-e.body))
		}
		return s.end(), false
	}
	return next, true
}

// apply carries an entry out.
func (u *unpacker) apply(e *entry) {
	if e.name == "TRAILER!!!" && e.mode&fsys.S_IFMT != fsys.S_IFLNK {
		clear(u.links)
		u.open = false
		return
	}
	u.segments[len(u.segments)-1].Entries++
	switch e.mode & fsys.S_IFMT {
	case fsys.S_IFREG:
		u.fs.clean(e.name, e.mode)
		u.regular(e)
	case fsys.S_IFDIR:
		u.fs.clean(e.name, e.mode)
		u.fs.mkdir(e)
	case fsys.S_IFLNK:
		u.fs.clean(e.name, 0)
		u.fs.symlink(e, string(e.src.read(e.body, int(e.size))))
	case fsys.S_IFBLK, fsys.S_IFCHR, fsys.S_IFIFO, fsys.S_IFSOCK:
		u.fs.clean(e.name, e.mode)
		if linked, _ := u.link(e); !linked {
			u.fs.mknod(e)
		}
	}
}

// regular writes a file. A second name of one that the archive had before shares its inode; the content
// comes with any of them, usually the last.
func (u *unpacker) regular(e *entry) {
	linked, failed := u.link(e)
	if failed {
		return
	}
	if !u.fs.write(e, !linked) {
		return
	}
	if !e.hasSum || e.size > checksumMax {
		return
	}
	if sum, whole := e.checksum(); whole && sum != e.sum {
		u.fail(e.src, e.body, e.size, "bad data checksum", nil)
	}
}

// checksum adds up the bytes of the content.
func (e *entry) checksum() (sum uint32, whole bool) {
	for off := int64(0); off < e.size; {
		b := e.src.read(e.body+off, int(min(e.size-off, 64<<10)))
		if len(b) == 0 {
			return 0, false
		}
		for _, c := range b {
			sum += uint32(c)
		}
		off += int64(len(b))
	}
	return sum, true
}

// link is maybe_link: it makes e another name of the file that the archive had under the same numbers.
func (u *unpacker) link(e *entry) (linked, failed bool) {
	if e.nlink < 2 {
		return false, false
	}
	key := link{e.maj, e.min, e.ino, e.mode & fsys.S_IFMT}
	old, ok := u.links[key]
	if !ok {
		u.links[key] = e.name
		return false, false
	}
	u.fs.clean(e.name, 0)
	return true, !u.fs.link(old, e.name)
}

// hex is simple_strntoul in base 16: it stops at the first character that is no digit.
func hex(field [8]byte) uint32 {
	s := strings.ToLower(string(field[:]))
	if len(s) > 2 && s[:2] == "0x" && strings.IndexByte("0123456789abcdef", s[2]) >= 0 {
		s = s[2:]
	}
	end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
	if end >= 0 {
		s = s[:end]
	}
	v, _ := strconv.ParseUint(s, 16, 32) // fails for no digits only: 0
	return uint32(v)
}

// rdev is new_encode_dev(MKDEV(major, minor)).
func rdev(major, minor uint32) uint32 {
	major, minor = major&0xfff, minor&0xfffff
	return minor&0xff | major<<8 | (minor&^0xff)<<12
}
