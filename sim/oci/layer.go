package oci

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys/tarfs"
)

// maxLayer bounds what one layer may unpack to, in bytes.
const maxLayer = 32 << 30

// Compression is how a layer is stored.
type Compression string

// The compressions that engines unpack; moby pkg/archive, DetectCompression.
const (
	None  Compression = ""
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Bzip2 Compression = "bzip2"
	XZ    Compression = "xz"
)

// Layer is one layer of an image.
type Layer struct {
	Digest    string // of the bytes as stored; "" when the archive does not say
	DiffID    string // of the unpacked tar
	Size      int64  // as stored, bytes
	MediaType string
	CreatedBy string // the build step

	image  *Image
	member member
	err    error // the stored bytes are missing
}

// layerData is what is shared by images with the same stored layer.
type layerData struct {
	compression Compression
	tar         io.ReaderAt // unpacked
	tree        *tarfs.FS
	err         error
	verified    bool
	verify      error
}

// Name is the layer's name as a blob: "layer:" and the start of its diff ID.
func (l *Layer) Name() string {
	h, err := v1.NewHash(orWord(l.DiffID, l.Digest))
	if err != nil || len(h.Hex) < 12 {
		return "layer:" + l.member.name
	}
	return "layer:" + h.Hex[:12]
}

// Compression tells how the layer is stored, by its first bytes; the media type is only a claim.
func (l *Layer) Compression() (Compression, error) {
	d, err := l.data()
	if err != nil {
		return None, err
	}
	return d.compression, nil
}

// sniff knows compressions by their magic numbers: RFC 1952, RFC 8878, the bzip2 and xz formats.
func sniff(r io.ReaderAt) Compression {
	var b [6]byte
	n, _ := r.ReadAt(b[:], 0)
	head := string(b[:n])
	for _, m := range []struct {
		magic string
		c     Compression
	}{{"\x1f\x8b", Gzip}, {"\x28\xb5\x2f\xfd", Zstd}, {"BZh", Bzip2}, {"\xfd7zXZ\x00", XZ}} {
		if len(head) >= len(m.magic) && head[:len(m.magic)] == m.magic {
			return m.c
		}
	}
	return None
}

// data opens the stored bytes.
func (l *Layer) data() (*layerData, error) {
	if l.err != nil {
		return nil, l.err
	}
	a := l.image.archive
	if d := a.layers[l.member.off]; d != nil {
		return d, nil
	}
	stored := a.section(l.member)
	d := &layerData{compression: sniff(stored), tar: stored}
	if d.compression != None {
		open := func() (io.Reader, error) {
			return unpack(d.compression, io.NewSectionReader(blob.Raw(a.input), l.member.off, l.member.size))
		}
		d.tar = a.store.Derive(l.Name(), open, maxLayer, blob.Locate(stored, 0, l.member.size))
	}
	a.layers[l.member.off] = d
	return d, nil
}

func unpack(c Compression, r io.Reader) (io.Reader, error) {
	r = bufio.NewReaderSize(r, 1<<16)
	switch c {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		// One goroutine less; windows up to what the zstd command accepts without --long.
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	case Bzip2:
		return bzip2.NewReader(r), nil
	case XZ:
		return xz.NewReader(r, xz.DefaultDictMax)
	}
	return r, nil
}

// Missing is the member of the archive that should have the layer, when the archive does not have it.
func (l *Layer) Missing() (name string, ok bool) {
	var missing *missingError
	if !errors.As(l.err, &missing) {
		return "", false
	}
	return missing.name, true
}

// Member is the name of the layer in the archive.
func (l *Layer) Member() string { return l.member.name }

// Reader is the layer's tar, unpacked.
func (l *Layer) Reader() (io.ReaderAt, error) {
	d, err := l.data()
	if err != nil {
		return nil, err
	}
	return d.tar, nil
}

// FS is the layer as a tree, with its whiteouts as files.
func (l *Layer) FS() (*tarfs.FS, error) {
	d, err := l.data()
	if err != nil {
		return nil, err
	}
	if d.tree == nil && d.err == nil {
		d.tree, d.err = tarfs.Open(d.tar)
		if errors.Is(d.err, decode.ErrFormat) && empty(d.tar) {
			d.tree, d.err = tarfs.New(d.tar), nil
		}
		if d.err != nil {
			d.err = fmt.Errorf("%s: %w", l.Name(), d.err)
		}
	}
	return d.tree, d.err
}

// empty tells whether a layer holds nothing: no bytes, or the blocks of zeros that end a tar.
func empty(r io.ReaderAt) bool {
	buf := make([]byte, 10240) // what tar pads an archive to
	n, err := r.ReadAt(buf, 0)
	for _, c := range buf[:n] {
		if c != 0 {
			return false
		}
	}
	return err == io.EOF || n == len(buf)
}

// Verify reads the whole layer and compares it with its digest and its diff ID; the error is what an
// engine says.
func (l *Layer) Verify() error {
	d, err := l.data()
	if err != nil {
		return err
	}
	if !d.verified {
		d.verified, d.verify = true, l.check(d)
	}
	return d.verify
}

// verifyMax is how many unpacked bytes of an image are hashed to predict whether an engine takes it: more
// would make a learner wait, and are believed.
const verifyMax = 128 << 20

// Refusal is what an engine says of the bytes of an image's layers when they are not those that the digests
// promise; "" when they are, or when the image is too large to tell or a slice has not kept the answer. An
// error is why a layer cannot be unpacked.
func (im *Image) Refusal() (string, error) {
	total := int64(0)
	for i := range im.Layers {
		tree, err := im.Layers[i].FS()
		if err != nil {
			return "", nil
		}
		if total += tree.Info().Size; total > verifyMax {
			return "", nil
		}
	}
	for i := range im.Layers {
		text := im.Layers[i].refusal()
		if why, ok := strings.CutPrefix(text, damaged); ok {
			return "", errors.New(why)
		}
		if text != "" {
			return text, nil
		}
	}
	return "", nil
}

const refusalMax = 4096 // bytes of text

// damaged marks an answer that is ours and no engine's: the layer cannot be unpacked.
const damaged = "damaged: "

// refusedError is an engine's answer.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// refusal remembers its answer under a name, so that a slice keeps the answer and not the layer.
func (l *Layer) refusal() string {
	a, name := l.image.archive, l.Name()+" verified"
	if a.store.FromSlice() && a.store.Kept(name) == nil {
		return ""
	}
	from := blob.Locate(a.section(l.member), 0, l.member.size)
	b := a.store.Derive(name, func() (io.Reader, error) {
		err := l.Verify()
		var said *refusedError
		switch {
		case errors.As(err, &said):
			return strings.NewReader(said.text), nil
		case err != nil:
			return strings.NewReader(damaged + err.Error()), nil
		}
		return strings.NewReader(""), nil
	}, refusalMax, from)
	text, err := blob.ReadAll(b, refusalMax)
	if err != nil {
		return ""
	}
	return string(text)
}

func (l *Layer) check(d *layerData) error {
	if d.compression != None && l.Digest != "" {
		want, err := v1.NewHash(l.Digest)
		if err != nil {
			return err
		}
		got, _, err := v1.SHA256(io.NewSectionReader(blob.Raw(l.image.archive.input), l.member.off, l.member.size))
		if err != nil {
			return err
		}
		if got != want {
			return &refusedError{refusal(want, got)}
		}
	}
	r, err := unpack(d.compression, io.NewSectionReader(blob.Raw(l.image.archive.input), l.member.off, l.member.size))
	if err != nil {
		return fmt.Errorf("%s: %w", l.Name(), err)
	}
	got, _, err := v1.SHA256(io.LimitReader(r, maxLayer))
	if err != nil {
		return fmt.Errorf("%s: %w", l.Name(), err)
	}
	if l.DiffID != "" && got.String() != l.DiffID {
		// moby image/tarexport/load.go, Load; %d counts from 0
		return &refusedError{fmt.Sprintf("invalid diffID for layer %d: expected %q, got %q", l.index(), l.DiffID, got.String())}
	}
	return nil
}

func (l *Layer) index() int {
	for i := range l.image.Layers {
		if l.image.Layers[i].member == l.member {
			return i
		}
	}
	return -1
}

// compressed brings an image of a layout into go-containerregistry's form.
type compressed struct {
	im    *Image
	media types.MediaType
}

func (c *compressed) RawConfigFile() ([]byte, error)      { return c.im.config.data, nil }
func (c *compressed) MediaType() (types.MediaType, error) { return c.media, nil }
func (c *compressed) RawManifest() ([]byte, error)        { return c.im.manifest.data, nil }
func (c *compressed) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for i := range c.im.Layers {
		if l := &c.im.Layers[i]; l.Digest == h.String() {
			return &stored{l}, nil
		}
	}
	return nil, &missingError{h.String()}
}

// uncompressed does so for an image of a docker-archive.
type uncompressed struct{ im *Image }

func (u *uncompressed) RawConfigFile() ([]byte, error)      { return u.im.config.data, nil }
func (u *uncompressed) MediaType() (types.MediaType, error) { return types.DockerManifestSchema2, nil }
func (u *uncompressed) LayerByDiffID(h v1.Hash) (partial.UncompressedLayer, error) {
	for i := range u.im.Layers {
		if l := &u.im.Layers[i]; l.DiffID == h.String() {
			return &stored{l}, nil
		}
	}
	return nil, &missingError{h.String()}
}

// stored is a layer in go-containerregistry's form.
type stored struct{ l *Layer }

func (s *stored) Digest() (v1.Hash, error)            { return v1.NewHash(s.l.Digest) }
func (s *stored) DiffID() (v1.Hash, error)            { return v1.NewHash(s.l.DiffID) }
func (s *stored) Size() (int64, error)                { return s.l.Size, s.l.err }
func (s *stored) MediaType() (types.MediaType, error) { return types.MediaType(s.l.MediaType), nil }

func (s *stored) Compressed() (io.ReadCloser, error) {
	if s.l.err != nil {
		return nil, s.l.err
	}
	return io.NopCloser(io.NewSectionReader(blob.Raw(s.l.image.archive.input), s.l.member.off, s.l.member.size)), nil
}

func (s *stored) Uncompressed() (io.ReadCloser, error) {
	r, err := s.l.Reader()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(r, 0, 1<<62)), nil
}
