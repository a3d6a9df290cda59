// Package archive takes off what a download comes in: a compression around one file, or a zip, tar, OVA or
// Vagrant box around one image. What container engines load themselves (docker-archive, oci-archive) and
// root file systems stay tars: packages oci and tarfs read those.
//
// Formats are told by content through mholt/archives, one format after the other in a fixed order. Its
// Identify is not used: it walks a map in random order and takes headerless formats by guess.
package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Limits on what is taken off.
const (
	minSize   = 64       // bytes; a smaller member is no image, not even a compressed one
	maxDepth  = 4        // wrappers inside wrappers
	maxStream = 64 << 30 // bytes that a stream may unpack to
	maxWindow = 128 << 20
)

// Result is what was inside.
type Result struct {
	Blob    *blob.Blob // the input itself when nothing was around it
	Formats []string   // of the wrappers, outermost first: "gzip", "zip", "tar", "ova" …
	Notes   []string
}

// Unwrap takes wrappers off until something else appears. A wrapper that holds no image or several gives
// an error that wraps [decode.ErrUnsupported]; so do formats that are recognised and not read.
func Unwrap(store *blob.Store, input *blob.Blob) (*Result, error) {
	res := &Result{Blob: input}
	for {
		inner, format, err := peel(store, res.Blob, res)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", res.Blob.Name(), err)
		}
		if inner == nil {
			return res, nil
		}
		if len(res.Formats) == maxDepth {
			return nil, fmt.Errorf("%s: wrapped more than %d times: %w", input.Name(), maxDepth, decode.ErrUnsupported)
		}
		res.Blob, res.Formats = inner, append(res.Formats, format)
	}
}

// peel takes one wrapper off b; inner is nil when there is none.
func peel(store *blob.Store, b *blob.Blob, res *Result) (inner *blob.Blob, format string, err error) {
	head := make([]byte, 512)
	n, err := b.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	head = head[:n]
	if c := compressionOf(head); c != nil {
		open := func() (io.Reader, error) {
			return c.open(io.NewSectionReader(blob.Raw(b), 0, 1<<62))
		}
		inner := store.Derive(strip(b.Name(), c.suffixes), open, maxStream, blob.Locate(b, 0, b.Size()))
		return inner, c.name, nil
	}
	switch {
	case isOVF(b.Name(), head):
		return fromOVF(store, b)
	case matches(archives.Zip{}, head):
		inner, err := fromZip(store, b)
		return inner, "zip", err
	case matches(archives.SevenZip{}, head):
		return nil, "", fmt.Errorf("7z archive: %w", decode.ErrUnsupported)
	case matches(archives.Rar{}, head):
		return nil, "", fmt.Errorf("RAR archive: %w", decode.ErrUnsupported)
	case matches(archives.Tar{}, head):
		return fromTar(store, b, res)
	}
	return nil, "", nil
}

// matches asks a format of mholt/archives about the first bytes of a stream.
func matches(f archives.Format, head []byte) bool {
	m, err := f.Match(context.Background(), "", bytes.NewReader(head))
	return err == nil && m.ByStream
}

// compression is a format around one file.
type compression struct {
	name     string
	suffixes []string // of file names; "tgz=tar" replaces
	format   archives.Compression
	magic    string // more than the library looks at
}

func compressions() []compression {
	zs := archives.Zstd{DecoderOptions: []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow),
	}}
	return []compression{
		{"gzip", []string{".tgz=.tar", ".gz"}, archives.Gz{}, "\x1f\x8b\x08"}, // RFC 1952: deflate is the only method
		{"xz", []string{".txz=.tar", ".xz"}, archives.Xz{}, ""},
		{"zstd", []string{".tzst=.tar", ".zst", ".zstd"}, zs, ""},
		{"bzip2", []string{".tbz2=.tar", ".tbz=.tar", ".bz2"}, archives.Bz2{}, ""},
		{"lz4", []string{".lz4"}, archives.Lz4{}, ""},
	}
}

func compressionOf(head []byte) *compression {
	for _, c := range compressions() {
		if matches(c.format, head) && bytes.HasPrefix(head, []byte(c.magic)) {
			return &c
		}
	}
	return nil
}

// open starts the decompressor; a panic inside it on hostile input becomes an error.
func (c *compression) open(r io.Reader) (out io.Reader, err error) {
	defer caught(c.name, &err)
	rc, err := c.format.OpenReader(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return &guarded{rc, c.name}, nil
}

// guarded reads a stream of a foreign decompressor.
type guarded struct {
	r    io.Reader
	name string
}

func (g *guarded) Read(p []byte) (n int, err error) {
	defer caught(g.name, &err)
	n, err = g.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", g.name, err)
	}
	return n, err
}

func caught(name string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: damaged stream: %v", name, p)
	}
}

// strip takes the suffix of a compression off a file name, or marks the name as unpacked.
func strip(name string, suffixes []string) string {
	for _, s := range suffixes {
		suffix, instead, _ := strings.Cut(s, "=")
		if base, ok := cutSuffixFold(name, suffix); ok && base != "" {
			return base + instead
		}
	}
	return name + "!"
}

func cutSuffixFold(name, suffix string) (string, bool) {
	if n := len(name) - len(suffix); n >= 0 && strings.EqualFold(name[n:], suffix) {
		return name[:n], true
	}
	return name, false
}

// choose picks the one image of a wrapper: the only one, or the one that names the others.
func choose(kind string, members []candidate) (*candidate, error) {
	var names []string
	best, rivals := -1, 0
	for i, m := range members {
		names = append(names, m.name)
		switch {
		case m.rank == 0:
		case best < 0 || m.rank > members[best].rank:
			best, rivals = i, 0
		case m.rank == members[best].rank:
			rivals++
		}
	}
	switch {
	case len(members) == 0:
		return nil, fmt.Errorf("%s without an image in it: %w", kind, decode.ErrUnsupported)
	case len(members) == 1:
		return &members[0], nil
	case best >= 0 && rivals == 0:
		return &members[best], nil
	}
	slices.Sort(names)
	return nil, fmt.Errorf("%s with %d images, give one of them: %s: %w", kind, len(names), strings.Join(names[:min(len(names), 10)], ", "), decode.ErrUnsupported)
}

// candidate is a member that is an image.
type candidate struct {
	name string
	size int64
	rank int         // see [Rank]
	view io.ReaderAt // nil when the bytes must be unpacked
}

// headSize is how much of a member is looked at: up to the first volume descriptor of ISO 9660
// (ECMA-119, section 6.2.1).
const (
	volumeOff = 0x8000
	headSize  = volumeOff + 8
)

// isImage tells by the first bytes of a file whether it is something that starts, or a wrapper of such.
func isImage(name string, head []byte, depth int) bool {
	for _, m := range []struct {
		off   int
		magic string
	}{
		{0, "QFI\xfb"}, {0, "KDMV"}, {0, "# Disk DescriptorFile"}, {0, "vhdxfile"}, {0, "conectix"}, {0x40, "\x7f\x10\xda\xbe"},
		{volumeOff + 1, "CD001"}, {510, "\x55\xaa"}, {0x438, "\x53\xef"}, {0, "XFSB"}, {0, "hsqs"}, {1024, "\xe2\xe1\xf5\xe0"},
	} {
		if len(head) >= m.off+len(m.magic) && string(head[m.off:m.off+len(m.magic)]) == m.magic {
			return true
		}
	}
	if len(head) >= 512 && matches(archives.Tar{}, head) {
		return true
	}
	c := compressionOf(head)
	if c == nil || depth == 0 {
		return false
	}
	r, err := c.open(bytes.NewReader(head))
	if err != nil {
		return false
	}
	inner := make([]byte, headSize)
	n, _ := io.ReadFull(r, inner)
	// What can be unpacked of the head may end before the place that tells, then the name must do.
	name = strip(name, c.suffixes)
	return isImage(name, inner[:n], depth-1) || (n > 0 && hasImageName(name))
}

// LooksLikeImage tells by its first bytes whether a file is something that starts, or a wrapper of such.
func LooksLikeImage(name string, r io.ReaderAt, size int64) bool {
	return isImage(name, headOf(io.NewSectionReader(r, 0, size)), 2)
}

// junk tells files that archivers add by themselves.
func junk(name string) bool {
	return strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(path.Base(name), "._")
}
