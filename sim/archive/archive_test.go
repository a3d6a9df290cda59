package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"bootpath/sim/archive"
	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

type member struct {
	name string
	data []byte
}

func add(data []byte, name string) (*blob.Store, *blob.Blob) {
	s := blob.NewStore()
	return s, s.Add(name, bytes.NewReader(data), int64(len(data)), nil)
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func zstded(data []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(data, nil)
}

func zipped(t testing.TB, method uint16, members ...member) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		require.NoError(t, err)
		_, err = f.Write(m.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func tarred(t testing.TB, members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: m.name, Size: int64(len(m.data)), Mode: 0o644}))
		_, err := w.Write(m.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// disk is a raw disk as far as the first look goes: a boot sector.
func disk(size int) []byte {
	b := make([]byte, size)
	for i := range b[1024:] {
		b[1024+i] = byte(i * 7)
	}
	copy(b[510:], "\x55\xaa")
	return b
}

func iso() []byte {
	b := make([]byte, 0x9000)
	copy(b[0x8000:], "\x01CD001\x01")
	return b
}

func qcow2() []byte {
	b := disk(4096)
	copy(b, "QFI\xfb\x00\x00\x00\x03")
	return b
}

func TestUnwrap(t *testing.T) {
	readme := member{"README", bytes.Repeat([]byte("read me\n"), 100)}
	rootfs := tarred(t, member{"bin/sh", []byte("x")}, member{"etc/passwd", []byte("y")}, member{"usr/bin/env", []byte("z")})
	ovf := []byte(`<Envelope><References><File ovf:href="second.vmdk"/><File ovf:href="first.vmdk"/></References></Envelope>`)
	vmdk := append([]byte("KDMV"), make([]byte, 1000)...)
	for _, c := range []struct {
		name    string
		file    string
		data    []byte
		formats []string
		blob    string
		want    []byte
		note    string
	}{
		{"a raw disk is not wrapped", "d.img", disk(4096), nil, "d.img", disk(4096), ""},
		{"gzip around a disk", "d.img.gz", gzipped(disk(4096)), []string{"gzip"}, "d.img", disk(4096), ""},
		{"a short name", "d.tgz", gzipped(rootfs), []string{"gzip"}, "d.tar", rootfs, ""},
		{"a name that says nothing", "download", zstded(disk(4096)), []string{"zstd"}, "download!", disk(4096), ""},
		{"a zip with a disk and a read-me", "pi.zip", zipped(t, zip.Deflate, readme, member{"out/pi.img", disk(9000)}), []string{"zip"}, "pi.img", disk(9000), ""},
		{"a stored member", "pi.zip", zipped(t, zip.Store, member{"pi.img", disk(9000)}), []string{"zip"}, "pi.img", disk(9000), ""},
		{"an ISO in a zip, and what a Mac adds", "x.zip", zipped(t, zip.Deflate, member{"x.iso", iso()}, member{"__MACOSX/._x.iso", iso()}), []string{"zip"}, "x.iso", iso(), ""},
		{"a compressed disk in a zip", "x.zip", zipped(t, zip.Store, member{"x.qcow2.gz", gzipped(qcow2())}, readme), []string{"zip", "gzip"}, "x.qcow2", qcow2(), ""},
		{"a root file system in a zip, as WSL's appx", "x.appx", zipped(t, zip.Store, member{"install.tar.gz", gzipped(rootfs)}, readme), []string{"zip", "gzip"}, "install.tar", rootfs, ""},
		{"a disk in a tar", "x.tar.gz", gzipped(tarred(t, readme, member{"disk.raw", disk(8192)})), []string{"gzip", "tar"}, "disk.raw", disk(8192), ""},
		{"a Vagrant box", "x.box", gzipped(tarred(t, member{"metadata.json", []byte("{}")}, member{"Vagrantfile", []byte("x")}, member{"box.img", qcow2()})), []string{"gzip", "box"}, "box.img", qcow2(), ""},
		{"an OVA's first disk is the one that its OVF names first", "x.ova", tarred(t, member{"x.ovf", ovf}, member{"first.vmdk", vmdk}, member{"second.vmdk", qcow2()}), []string{"ova"}, "second.vmdk", qcow2(), "several disks; this is the first, second.vmdk"},
		{"a root file system stays a tar", "r.tar", rootfs, nil, "r.tar", rootfs, ""},
		{"a container archive stays a tar", "c.tar", tarred(t, member{"blobs/sha256/x", disk(4096)}, member{"index.json", []byte("{}")}), nil, "c.tar",
			tarred(t, member{"blobs/sha256/x", disk(4096)}, member{"index.json", []byte("{}")}), ""},
		{"a tar of texts stays", "t.tar", tarred(t, readme), nil, "t.tar", tarred(t, readme), ""},
		{"an empty file", "e", nil, nil, "e", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, in := add(c.data, c.file)
			res, err := archive.Unwrap(store, in)
			require.NoError(t, err)
			require.Equal(t, c.formats, res.Formats)
			require.Equal(t, c.blob, res.Blob.Name())
			got, err := io.ReadAll(io.NewSectionReader(res.Blob, 0, 1<<40))
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.want, got))
			require.Contains(t, strings.Join(res.Notes, "\n"), c.note)
			if c.formats != nil {
				require.NotEmpty(t, res.Blob.From(0, 1))
			}
		})
	}
}

func TestUnwrapRefuses(t *testing.T) {
	nested := disk(4096)
	for range 5 {
		nested = gzipped(nested)
	}
	encrypted := zipped(t, zip.Store, member{"x.img", disk(4096)})
	// APPNOTE 4.4.4: bit 0 of the flags, in the local and in the central header
	encrypted[6] |= 1
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"too many wrappers", "x: wrapped more than 4 times", nested},
		{"a zip without an image", "x: zip without an image in it", zipped(t, zip.Deflate, member{"a.txt", bytes.Repeat([]byte("a"), 1000)})},
		{"a zip with two", "x: zip with 2 images, give one of them: a.img, b.iso", zipped(t, zip.Deflate, member{"b.iso", iso()}, member{"a.img", disk(4096)})},
		{"an encrypted member", "encrypted", encrypted},
		{"7z", "x: 7z archive", append([]byte("7z\xbc\xaf\x27\x1c"), make([]byte, 100)...)},
		{"RAR", "x: RAR archive", append([]byte("Rar!\x1a\x07\x01\x00"), make([]byte, 100)...)},
		{"a box without a disk", "box without an image", tarred(t, member{"Vagrantfile", []byte("x")})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := archive.Unwrap(add(c.data, "x"))
			require.ErrorIs(t, err, decode.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
		})
	}
	for name, data := range map[string][]byte{
		"gzip that breaks off":  gzipped(disk(100000))[:30],
		"gzip with a bad block": append(gzipped(nil)[:10], bytes.Repeat([]byte{0xff}, 50)...),
		"zip that breaks off":   zipped(t, zip.Deflate, member{"x.img", disk(4096)})[:200],
		"xz with nothing in it": []byte("\xfd7zXZ\x00garbage that is no block header"),
	} {
		_, err := archive.Unwrap(add(data, "x"))
		require.Error(t, err, name)
	}
}

// TestASparseDiskInATar: what Google's and other clouds take, a raw disk written by tar --sparse.
func TestASparseDiskInATar(t *testing.T) {
	// One region of 1024 bytes in a file of 1 MiB; tar.h of GNU tar, struct oldgnu_header.
	h := make([]byte, 512)
	copy(h, "disk.raw")
	for off, s := range map[int]string{100: "0000644\x00", 108: "0000000\x00", 116: "0000000\x00", 124: "00000002000\x00", 136: "00000000000\x00", 156: "S", 257: "ustar  \x00",
		386: "00000000000\x0000000002000\x00", 483: "00004000000\x00"} {
		copy(h[off:], s)
	}
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	data := append(h, disk(2048)[:1024]...)
	data = append(data, make([]byte, 1024)...)
	store, in := add(data, "image.tar")
	res, err := archive.Unwrap(store, in)
	require.NoError(t, err)
	require.Equal(t, []string{"tar"}, res.Formats)
	require.EqualValues(t, 1<<20, res.Blob.Size())
	var magic [2]byte
	_, err = res.Blob.ReadAt(magic[:], 510)
	require.NoError(t, err)
	require.EqualValues(t, 0xaa55, binary.LittleEndian.Uint16(magic[:]))
	require.Equal(t, []blob.Span{{Blob: "image.tar", Off: 512, Len: 10}}, res.Blob.From(0, 10))
	require.Empty(t, res.Blob.From(4096, 10), "a hole")
}

func TestLooksLikeRootFS(t *testing.T) {
	data := tarred(t, member{"./bin/sh", []byte("x")}, member{"./etc/passwd", []byte("y")}, member{"./usr/bin/env", []byte("z")})
	f, ok, err := archive.LooksLikeRootFS(add(data, "r.tar"))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, fstest.TestFS(f, "bin/sh", "etc/passwd"))
	f, ok, err = archive.LooksLikeRootFS(add(tarred(t, member{"src/main.c", []byte("x")}), "s.tar"))
	require.NoError(t, err)
	require.False(t, ok)
	require.Nil(t, f)
	_, _, err = archive.LooksLikeRootFS(add(data[:1100], "r.tar"))
	require.Error(t, err)
}

// TestASliceOfAWrappedImageReplays: the slice keeps what was read of the image inside, not its wrapping.
func TestASliceOfAWrappedImageReplays(t *testing.T) {
	for name, data := range map[string][]byte{
		"zip": zipped(t, zip.Deflate, member{"d.img", disk(1 << 20)}), "gz": gzipped(disk(1 << 20)),
		"tar": tarred(t, member{"d.img", disk(1 << 20)}),
	} {
		t.Run(name, func(t *testing.T) {
			use := func(s *blob.Store, in *blob.Blob) string {
				res, err := archive.Unwrap(s, in)
				require.NoError(t, err)
				p := make([]byte, 64)
				_, err = res.Blob.ReadAt(p, 300_000)
				require.NoError(t, err)
				return fmt.Sprintf("%v %s %x", res.Formats, res.Blob.Name(), p)
			}
			s, in := add(data, "d.img."+name)
			want := use(s, in)
			var out bytes.Buffer
			require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: in.Name(), Size: in.Size(), Tool: "test"}))
			require.Less(t, out.Len(), 20_000)
			s2, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
			require.NoError(t, err)
			kept := s2.Kept(o.Name)
			require.Equal(t, want, use(s2, s2.Add(o.Name, kept, kept.Size(), nil)))
		})
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(gzipped(disk(2048)))
	f.Add(zipped(f, zip.Deflate, member{"d.img", disk(2048)}))
	f.Add(gzipped(tarred(f, member{"x.ovf", []byte(`href="d.vmdk"`)}, member{"d.vmdk", disk(2048)})))
	f.Add(zstded(qcow2()))
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04"))
	f.Add([]byte("\x04\x22\x4d\x18"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, in := add(data, "x")
		res, err := archive.Unwrap(s, in)
		if err != nil {
			return
		}
		res.Blob.ReadAt(make([]byte, 512), 0)
		for _, span := range res.Blob.From(0, 1) {
			require.GreaterOrEqual(t, span.Off, int64(0))
		}
	})
}
