package cpio

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/stream"
)

// method is a compression as the kernel recognises it, by two bytes: compressed_formats of lib/decompress.c.
type method struct {
	magic     string
	kind      stream.Kind
	truncated string // what its decoder says of a stream that ends early
	corrupt   string // and of one that makes no sense
}

// The texts are those of lib/decompress_*.c. Where a decoder says nothing, unpack_to_rootfs says
// "decompressor failed". An LZ4 frame of today's format is not among them, only the legacy one.
var methods = [...]method{
	{"\x1f\x8b", stream.Gzip, "read error", "uncompression error"},
	{"\x1f\x9e", stream.Gzip, "Not a gzip file", "Not a gzip file"},
	{"BZ", stream.Bzip2, "decompressor failed", "decompressor failed"},
	{"\x5d\x00", stream.LZMA, "unexpected EOF", "decompressor failed"},
	{"\xfd7", stream.XZ, "XZ-compressed data is corrupt", "XZ-compressed data is corrupt"},
	{"\x89L", stream.LZOP, "", ""},
	{"\x02!", stream.LZ4, "data corrupted", "Decoding failed"},
	{"\x28\xb5", stream.Zstd, "ZSTD-compressed data is truncated", "ZSTD-compressed data is corrupt"},
}

// xzOptions is XZ_OPTIONS_ERROR of lib/decompress_unxz.c: among others for a check other than CRC32, such
// as the CRC64 that the tool xz makes unless told --check=crc32.
const xzOptions = "Input was encoded with settings that are not supported by this XZ decoder"

// compressed unpacks the stream at pos of the image and the archives in it, and returns where it ends.
func (u *unpacker) compressed(pos int64) int64 {
	u.open = false
	head := u.image.read(pos, stream.SniffLen)
	m := method{}
	for _, known := range methods {
		if strings.HasPrefix(string(head), known.magic) {
			m = known
		}
	}
	if m.kind == stream.None {
		u.fail(u.image, pos, 4, "invalid magic at start of compressed archive", nil)
		return pos
	}
	seg := Segment{Off: pos, Compression: m.kind, Cites: magicCites(u.image, pos, int64(len(m.magic)))}
	data, report := u.derive(pos, m)
	seg.Blob = data.Name()
	u.segments = append(u.segments, seg)

	s := &source{r: data, size: -1, blob: data.Name()}
	finished := u.inner(s)
	if u.err != nil {
		return pos
	}
	used, failure := report()
	switch {
	case failure == unsupported:
		u.err = fmt.Errorf("initramfs: %s stream at %#x: %w", m.kind, pos, decode.ErrUnsupported)
	case failure != "":
		u.fail(u.image, pos, int64(len(head)), failure, data.Err())
	case !finished:
		u.fail(s, s.end(), 0, "junk at the end of compressed archive", nil)
	}
	return pos + max(used, 1)
}

// inner reads the archives in a stream: flush_buffer. It tells whether the stream ends where an archive may
// end.
func (u *unpacker) inner(s *source) bool {
	pos := int64(0)
	if u.begun { // the state after an archive: zeros are skipped, then an archive starts
		at, c, ok := s.skipZeros(0)
		switch {
		case !ok:
			return true
		case at%4 != 0:
			u.fail(s, at, 1, "broken padding", nil)
			return false
		case c != '0':
			u.fail(s, at, 4, "junk within compressed archive", nil)
			return false
		}
		pos = at
	} else if !s.has(1) {
		return false
	}
	_, whole := u.archive(s, pos, true)
	return whole
}

// unsupported in a report stands for a stream that we cannot unpack and the kernel perhaps can.
const unsupported = "unsupported"

// derive names the unpacked stream, and a little blob beside it that tells how unpacking ended: how many
// bytes of the image the stream has and the kernel's message. A slice keeps both, so that replaying it needs
// no compressed bytes.
func (u *unpacker) derive(pos int64, m method) (*blob.Blob, func() (used int64, failure string)) {
	name := u.name + "!"
	if u.streams++; u.streams > 1 {
		name += strconv.Itoa(u.streams)
	}
	last := &unpacking{method: m}
	open := func() (io.Reader, error) {
		raw := u.store.Raw(u.image.r)
		*last = unpacking{method: m, in: io.NewSectionReader(raw, pos, u.size-pos)}
		last.start()
		return last, nil
	}
	data := u.store.DeriveOf(name, open, unpackedMax, u.image.r, pos, u.size-pos)
	end := u.store.DeriveOf(name+"end", func() (io.Reader, error) {
		data.Size() // unpacks what was not needed
		if errors.Is(data.Err(), blob.ErrTooLarge) {
			last.failure = unsupported
		}
		return strings.NewReader(fmt.Sprintf("%d %s", last.used(), last.failure)), nil
	}, pathMax, u.image.r, pos, u.size-pos)
	return data, func() (int64, string) {
		b := make([]byte, end.Size())
		n, _ := end.ReadAt(b, 0)
		used, failure, _ := strings.Cut(string(b[:n]), " ")
		v, err := strconv.ParseInt(used, 10, 64)
		if err != nil || v < 0 {
			return 0, unsupported
		}
		return v, failure
	}
}

// unpacking is one pass over a compressed stream; it remembers how it ended.
type unpacking struct {
	method
	in      *io.SectionReader
	frame   *stream.Frame
	err     error
	failure string // the kernel's message
}

func (u *unpacking) start() {
	head := make([]byte, stream.SniffLen)
	n, _ := u.in.ReadAt(head, 0)
	switch {
	case u.kind == stream.Gzip && stream.Sniff(head[:n]) != stream.Gzip:
		u.failure = "Not a gzip file"
	case u.kind == stream.XZ && n > 7 && stream.Sniff(head[:n]) == stream.XZ && head[7] > 1:
		u.failure = xzOptions
	case u.kind == stream.XZ && stream.Sniff(head[:n]) != stream.XZ:
		u.failure = "Input is not in the XZ format (wrong magic bytes)"
	case u.kind == stream.LZ4 && stream.Sniff(head[:n]) != stream.LZ4:
		u.failure = "invalid header"
	case u.kind == stream.Zstd && stream.Sniff(head[:n]) != stream.Zstd:
		u.failure = "Input is not in the ZSTD format (wrong magic bytes)"
	}
	if u.failure != "" {
		u.err = errors.New(u.failure)
		return
	}
	u.frame, u.err = stream.NewFrame(u.kind, u.in)
	u.explain()
}

func (u *unpacking) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.frame.Read(p)
	if errors.Is(err, gzip.ErrChecksum) { // the kernel steps over gzip's trailer
		err = io.EOF
	}
	if u.err = err; err != nil && err != io.EOF {
		u.explain()
	}
	return n, err
}

// explain turns the decoder's error into the kernel's message.
func (u *unpacking) explain() {
	switch {
	case u.err == nil:
	case errors.Is(u.err, decode.ErrUnsupported):
		u.failure = unsupported
	case u.frame != nil && u.frame.Truncated():
		u.failure = u.truncated
	default:
		u.failure = u.corrupt
	}
}

func (u *unpacking) used() int64 {
	if u.frame == nil {
		return 0
	}
	return u.frame.Used()
}
