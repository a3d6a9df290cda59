// Package stream unpacks compressed streams: those that kernels, initramfs images and downloads come in.
//
// The format is told by its first bytes ([Sniff]), never by a file's name. Memory is bounded by
// [WindowMax]; a stream that needs a larger window wraps [decode.ErrUnsupported].
//
// Formats: RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.2.0, the LZMA_Alone format of
// lzma-file-format.txt, the LZ4 frame format 1.6.4 with its legacy frame, bzip2, and lzop, which is
// recognised only.
package stream

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	xz "github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"

	"bootpath/sim/decode"
)

// Kind names a compression; the names are those of the tools.
type Kind string

// The kinds that [Sniff] tells apart.
const (
	None  Kind = ""
	Gzip  Kind = "gzip"
	XZ    Kind = "xz"
	Zstd  Kind = "zstd"
	LZ4   Kind = "lz4"
	LZMA  Kind = "lzma"
	Bzip2 Kind = "bzip2"
	LZOP  Kind = "lzop"
)

// WindowMax bounds the history that a decoder keeps, in bytes.
const WindowMax = 128 << 20

// SniffLen is how many bytes [Sniff] wants to see.
const SniffLen = 16

const (
	magicGzip      = "\x1f\x8b\x08"
	magicXZ        = "\xfd7zXZ\x00"
	magicZstd      = "\x28\xb5\x2f\xfd"
	magicLZ4       = "\x04\x22\x4d\x18"
	magicLZ4Legacy = "\x02\x21\x4c\x18"
	magicBzip2     = "BZh"
	magicLZOP      = "\x89LZO\x00\r\n\x1a\n"
)

// Sniff tells the kind by the first bytes of a stream, [None] when it is none of them.
func Sniff(head []byte) Kind {
	is := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case is(magicGzip):
		return Gzip
	case is(magicXZ):
		return XZ
	case is(magicZstd):
		return Zstd
	case is(magicLZ4), is(magicLZ4Legacy):
		return LZ4
	case is(magicBzip2) && len(head) > 3 && head[3] >= '1' && head[3] <= '9':
		return Bzip2
	case is(magicLZOP):
		return LZOP
	case lzma.ValidHeader(head[:min(len(head), lzma.HeaderLen)]) && head[0] == 0x5d && head[1] == 0:
		// LZMA_Alone has no magic: these are the properties that every encoder writes by default.
		return LZMA
	}
	return None
}

// NewReader unpacks a stream of kind k to its end, across the frames (members, streams) that follow each
// other. [None] gives r itself.
func NewReader(k Kind, r io.Reader) (io.Reader, error) {
	if k == None {
		return r, nil
	}
	in := newInput(r)
	first, err := newFrame(k, in)
	if err != nil {
		return nil, err
	}
	return &frames{kind: k, in: in, now: first}, nil
}

// frames unpacks one frame after the other.
type frames struct {
	kind Kind
	in   *input
	now  io.Reader
	err  error
}

func (f *frames) Read(p []byte) (int, error) {
	for f.err == nil {
		n, err := f.now.Read(p)
		if err == nil || n > 0 && err == io.EOF {
			return n, nil
		}
		if err != io.EOF {
			f.err = err
			return n, err
		}
		f.err = f.next()
	}
	return 0, f.err
}

// next starts the next frame. What follows the last frame and is none is ignored, as the tools do after
// their warning "trailing garbage ignored".
func (f *frames) next() error {
	if f.kind == XZ { // stream padding: zeros, "Stream Padding" of the specification
		for {
			if b, err := f.in.b.Peek(1); err != nil || b[0] != 0 {
				break
			}
			f.in.ReadByte()
		}
	}
	head, err := f.in.b.Peek(SniffLen)
	if len(head) == 0 {
		if err == nil || err == bufio.ErrBufferFull {
			err = io.EOF
		}
		return err
	}
	if f.kind == LZMA || Sniff(head) != f.kind {
		return io.EOF
	}
	f.now, err = newFrame(f.kind, f.in)
	return err
}

// Frame unpacks exactly one frame of a stream and knows where it ended.
type Frame struct {
	r  io.Reader
	in *input
}

// NewFrame starts to unpack the first frame of r.
func NewFrame(k Kind, r io.Reader) (*Frame, error) {
	in := newInput(r)
	f, err := newFrame(k, in)
	return &Frame{f, in}, err
}

// Read implements [io.Reader].
func (f *Frame) Read(p []byte) (int, error) { return f.r.Read(p) }

// Used is how many bytes of the input belong to the frame, once it was read to its end.
func (f *Frame) Used() int64 { return f.in.used }

// Truncated tells whether the frame wanted more than the input has.
func (f *Frame) Truncated() bool { return f.in.ended }

// input counts what a decoder takes, byte by byte if it likes.
type input struct {
	b     *bufio.Reader
	used  int64
	ended bool
}

func newInput(r io.Reader) *input { return &input{b: bufio.NewReaderSize(r, 64<<10)} }

func (c *input) Read(p []byte) (int, error) {
	n, err := c.b.Read(p)
	c.used += int64(n)
	c.ended = c.ended || err == io.EOF
	return n, err
}

func (c *input) ReadByte() (byte, error) {
	b, err := c.b.ReadByte()
	if err == nil {
		c.used++
	}
	c.ended = c.ended || err == io.EOF
	return b, err
}

func newFrame(k Kind, in *input) (io.Reader, error) {
	var r io.Reader
	var err error
	switch k {
	case Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(in); err == nil {
			z.Multistream(false)
			r = z
		}
	case XZ:
		var z *xz.Reader
		if z, err = xz.NewReader(&parts{in: in, next: (&xzWalk{}).next}, WindowMax); err == nil {
			z.Multistream(false)
			r = z
		}
	case Zstd:
		r, err = zstd.NewReader(&parts{in: in, next: (&zstdWalk{}).next}, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(WindowMax))
	case LZ4:
		if head, _ := in.b.Peek(4); string(head) == magicLZ4Legacy {
			r = &lz4Legacy{in: in}
		} else {
			r = lz4.NewReader(&parts{in: in, next: (&lz4Walk{}).next})
		}
	case LZMA:
		r, err = lzma.ReaderConfig{DictCap: WindowMax}.NewReader(in)
	case Bzip2:
		r = &bzip2Frame{bzip2.NewReader(in), in}
	default:
		return nil, fmt.Errorf("%s stream: %w", k, decode.ErrUnsupported)
	}
	if err != nil {
		return nil, explain(k, err)
	}
	return &checked{k, r}, nil
}

// checked gives the errors of the libraries our form.
type checked struct {
	kind Kind
	r    io.Reader
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		err = explain(c.kind, err)
	}
	return n, err
}

func explain(k Kind, err error) error {
	var dict *lzma.ErrDictSize
	switch {
	case errors.As(err, &dict), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrWindowSizeTooSmall), errors.Is(err, xz.ErrMemlimit), errors.Is(err, xz.ErrOptions):
		return fmt.Errorf("%s stream: %w: %w", k, decode.ErrUnsupported, err)
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s stream: %w", k, err)
}

// bzip2Frame ends after one stream: the library goes on to the next and stumbles over anything else.
type bzip2Frame struct {
	r  io.Reader
	in *input
}

func (b *bzip2Frame) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == bzip2.StructuralError("bad magic value in continuation file") {
		b.in.used -= 2 // the two bytes it looked at
		err = io.EOF
	}
	return n, err
}

// lz4Legacy unpacks the legacy frame: a magic, then blocks of at most 8 MiB behind their compressed
// length. It has no end mark; a length that no block can have ends it, such as the size of the result
// that the kernel's build appends (scripts/Makefile.lib, size_append).
type lz4Legacy struct {
	in   *input
	left []byte // of the block at hand
	out  []byte
	next []byte
	err  error
}

const lz4LegacyBlock = 8 << 20

func (l *lz4Legacy) Read(p []byte) (int, error) {
	for len(l.left) == 0 {
		if l.err == nil {
			l.err = l.block()
		}
		if l.err != nil {
			return 0, l.err
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

func (l *lz4Legacy) block() error {
	var head [4]byte
	for {
		peek, _ := l.in.b.Peek(len(head))
		if len(peek) < len(head) {
			l.in.ended = true
			return io.EOF
		}
		copy(head[:], peek)
		if string(head[:]) != magicLZ4Legacy {
			break
		}
		if _, err := io.ReadFull(l.in, head[:]); err != nil {
			return err
		}
	}
	size := int(binary.LittleEndian.Uint32(head[:]))
	if size == 0 || size > lz4.CompressBlockBound(lz4LegacyBlock) {
		return io.EOF
	}
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return err
	}
	if l.out == nil {
		l.out, l.next = make([]byte, lz4LegacyBlock), make([]byte, lz4.CompressBlockBound(lz4LegacyBlock))
	}
	if _, err := io.ReadFull(l.in, l.next[:size]); err != nil {
		return io.ErrUnexpectedEOF
	}
	n, err := lz4.UncompressBlock(l.next[:size], l.out)
	if err != nil {
		return err
	}
	l.left = l.out[:n]
	return nil
}
