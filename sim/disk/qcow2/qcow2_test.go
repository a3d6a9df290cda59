package qcow2

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/gpt"
	"bootpath/sim/disk/mbr"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/fsys/iso9660"
	"bootpath/tests/fixture"
)

var _ io.ReaderAt = (*Image)(nil)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Header), 72))
	require.NoError(t, decode.CheckLayout(new(HeaderV3), 0x69))
}

// info is what qemu-img info prints.
type info struct {
	VirtualSize    int64 `json:"virtual-size"`
	ClusterSize    int64 `json:"cluster-size"`
	FormatSpecific struct {
		Data struct {
			Compat      string
			Compression string `json:"compression-type"`
		}
	} `json:"format-specific"`
}

// extent is a line of qemu-img map.
type extent struct {
	Start, Length int64
	Zero, Data    bool
	Offset        *int64
}

func file(t testing.TB, name string) *blob.Blob {
	return fixture.Blob("file", fixture.Zst(t, "testdata/"+name+".qcow2.zst"))
}

// check compares an image with what qemu-img says about it and with its content.
func check(t *testing.T, im *Image, b *blob.Blob, want info, extents []extent, content []byte) {
	require.Equal(t, []int64{want.VirtualSize, want.ClusterSize}, []int64{im.Size(), im.ClusterSize()})
	require.Equal(t, want.FormatSpecific.Data.Compat, map[uint32]string{2: "0.10", 3: "1.1"}[im.Header.Version])
	got, err := blob.ReadAll(im, 1<<30)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got), "content differs")
	for _, at := range []int64{0, 511, 65530, 1<<20 - 3, 4<<20 + 7, im.Size() - 5} {
		part := make([]byte, 70000)
		n, err := im.ReadAt(part, at)
		wantN := min(int64(len(part)), im.Size()-at)
		require.Equal(t, wantN, int64(n))
		require.True(t, bytes.Equal(content[at:at+wantN], part[:n]), "at %d", at)
		require.Equal(t, wantN < int64(len(part)), err == io.EOF)
	}
	for _, e := range extents {
		if e.Start >= im.Size() {
			continue
		}
		spans := im.From(e.Start, e.Length)
		fixture.Inside(t, (b.Size()+511)&^511, spans...)
		switch {
		case !e.Data:
			require.Empty(t, spans, "%+v", e)
		case e.Offset != nil:
			require.Equal(t, []blob.Span{{Blob: b.Name(), Off: *e.Offset, Len: min(e.Length, im.Size()-e.Start, b.Size()-*e.Offset)}}, spans)
		default: // compressed: qemu-img does not say where
			require.NotEmpty(t, spans)
		}
	}
}

func TestImagesAreWhatQemuImgSays(t *testing.T) {
	source := fixture.Zst(t, "testdata/source.raw.zst")
	for _, name := range []string{"v2", "v2c", "v3", "v3c", "zstd", "c512", "c512c", "c4kz", "c2m", "c2mc", "sub", "subc", "zero", "subzero"} {
		t.Run(name, func(t *testing.T) {
			content := source
			if name == "zero" || name == "subzero" {
				content = fixture.Zst(t, "testdata/"+name+".raw.zst")
			}
			var want info
			var extents []extent
			fixture.JSON(t, "testdata/"+name+".info.json", &want)
			fixture.JSON(t, "testdata/"+name+".map.json", &extents)
			b := file(t, name)
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			check(t, im, b, want, extents, content)
			if name == "zero" {
				require.Equal(t, []string{"qcow2: 1 internal snapshots, the current state is read"}, im.Notes)
			} else {
				require.Empty(t, im.Notes)
			}
			if im.V3 != nil {
				require.Equal(t, want.FormatSpecific.Data.Compression, map[uint8]string{0: "zlib", 1: "zstd"}[im.V3.CompressionType])
				if im.ClusterSize() >= 64<<10 { // QEMU writes it only where there is much room
					require.Equal(t, "Feature name table", im.Extensions[0].Name)
				}
			}
			require.Equal(t, blob.Span{Blob: "file", Off: 0x18, Len: 8}, im.Record.Cite(&im.Header.Size)[0].Span)
		})
	}
}

// QEMU opens both read-only, so the disk can be read; the notes say what is wrong.
func TestDirtyAndCorruptImagesAreRead(t *testing.T) {
	dirty := file(t, "dirty")
	im, err := Open(dirty, dirty.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"qcow2: marked dirty, its last writer did not close it; QEMU repairs it before it writes"}, im.Notes)
	v3 := file(t, "v3")
	data := make([]byte, v3.Size())
	v3.ReadAt(data, 0)
	data[0x4f] |= featureCorrupt
	corrupt := fixture.Blob("file", data)
	im, err = Open(corrupt, corrupt.Size())
	require.NoError(t, err)
	require.Len(t, im.Notes, 1)
}

func TestWhatIsNotInTheFileIsNamed(t *testing.T) {
	v3 := file(t, "v3")
	data := make([]byte, v3.Size())
	v3.ReadAt(data, 0)
	patched := func(off int, b ...byte) *blob.Blob {
		p := bytes.Clone(data)
		copy(p[off:], b)
		return fixture.Blob("file", p)
	}
	for want, b := range map[string]*blob.Blob{
		`qcow2 image that needs its backing file "source.raw": give both files together: not supported`:            file(t, "backing"),
		`qcow2 image that needs its external data file "other.raw": give both files together: not supported`:       file(t, "datafile"),
		`qcow2 image encrypted with LUKS, "qemu-img convert" with its passphrase makes a plain one: not supported`: patched(0x23, 2),
		`qcow2 image encrypted with AES, "qemu-img convert" with its passphrase makes a plain one: not supported`:  patched(0x23, 1),
		`qcow2 image with unknown incompatible features 0x20: not supported`:                                       patched(0x4f, 0x20),
		`qcow2 image with compression type 7: not supported`:                                                       patched(0x68, 7),
		`qcow image, the format before qcow2: not supported`:                                                       patched(7, 1),
		`qcow2 version 9: not supported`:                                                                           patched(7, 9),
	} {
		_, err := Open(b, b.Size())
		require.ErrorIs(t, err, decode.ErrUnsupported, want)
		require.EqualError(t, err, want)
	}
	for want, b := range map[string]*blob.Blob{
		"not this format: qcow2 header: Magic: at file[0x0:+4]":                      patched(0, 'X'),
		"qcow2 header: ClusterBits: at file[0x14:+4]: want 9 to 21, got 40":          patched(0x17, 40),
		"qcow2 header: Size: at file[0x18:+8]: want at most":                         patched(0x18, 0x7f),
		"qcow2 header: L1Size: at file[0x24:+4]: want at most 4194304 entries":       patched(0x24, 0x7f),
		"qcow2 header: L1TableOffset: at file[0x28:+8]: want the start of a cluster": patched(0x2f, 1),
		"qcow2 header: HeaderLength: at file[0x64:+4]: want a multiple of 8":         patched(0x67, 3),
		"qcow2 header extension: Len: at file[0x74:+4]: want an end inside":          patched(0x74, 0x7f),
		"qcow2 header: at file[0x0:+20]: want 72 bytes, got end after 20":            fixture.Blob("file", data[:20]),
	} {
		_, err := Open(b, b.Size())
		require.ErrorContains(t, err, want)
		var bad *decode.Error
		require.ErrorAs(t, err, &bad)
	}
}

func TestDamagedTablesAreErrorsWhereTheyAreUsed(t *testing.T) {
	b := file(t, "v3")
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	l1 := int64(im.Header.L1TableOffset)
	var entry [8]byte
	b.ReadAt(entry[:], l1)
	l2 := int64(binary.BigEndian.Uint64(entry[:]) & offsetMask)
	var bad *decode.Error
	for want, p := range map[string]blob.Patch{
		"qcow2 L1 entry: at file[":         {Off: l1 + 6, Data: []byte{2}},
		"qcow2 L2 entry: at file[":         {Off: l2 + 6, Data: []byte{2}},
		"qcow2 L2 table: table entry: at ": {Off: l1, Data: []byte{0, 0x7f}},
		"qcow2 compressed cluster: at ":    {Off: l2, Data: []byte{0x40, 0, 0, 0, 0, 0, 0, 9}},
	} {
		im, err := Open(blob.Overlay(b, p), b.Size())
		require.NoError(t, err)
		n, err := im.ReadAt(make([]byte, 512), 0)
		require.Zero(t, n)
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, &bad, want)
		im.From(0, 1<<20)
	}
	// Clusters behind the end of the file read as zeros, as in QEMU.
	im, err = Open(blob.Overlay(b, blob.Patch{Off: l2, Data: []byte{0x80, 0, 0x7f, 0, 0, 0, 0, 0}}), b.Size())
	require.NoError(t, err)
	part := []byte("full of something")
	_, err = im.ReadAt(part, 0)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(part)), part)
}

// A slice of the file keeps the virtual disk's ranges; the clusters are read without being kept twice.
func TestASliceKeepsTheDiskAndNotTheClusters(t *testing.T) {
	data := fixture.Zst(t, "testdata/v3c.qcow2.zst")
	s := blob.NewStore()
	in := s.Add("v3c.qcow2", bytes.NewReader(data), int64(len(data)), nil)
	im, err := Open(in, in.Size())
	require.NoError(t, err)
	d := s.Add("disk0", im, im.Size(), im.From)
	want := make([]byte, 100)
	_, err = d.ReadAt(want, 1000)
	require.NoError(t, err)
	require.NotEmpty(t, d.From(1000, 100))
	var out bytes.Buffer
	require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: "v3c.qcow2", Size: in.Size()}))

	s, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	kept := s.Kept(o.Name)
	in = s.Add(o.Name, kept, kept.Size(), nil)
	im, err = Open(in, in.Size())
	require.NoError(t, err)
	spans := im.From(1000, 100)
	_, err = in.ReadAt(make([]byte, 8), spans[0].Off)
	require.ErrorIs(t, err, blob.ErrNotKept)
	d = s.Add("disk0", im, im.Size(), im.From)
	got := make([]byte, 100)
	_, err = d.ReadAt(got, 1000)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		if !strings.HasSuffix(p.File, ".qcow2") {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			b := fixture.Blob("file", p.Unpack(t))
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			got, err := blob.ReadAll(im, 1<<30)
			require.NoError(t, err)
			require.Equal(t, p.Expected.GuestSHA256, fmt.Sprintf("%x", sha256.Sum256(got)))
		})
	}
	require.NotZero(t, n)
}

// Rebuilt disks: the whole content as qemu-img reads it, and their tables as they were recorded.
func TestLab(t *testing.T) {
	fixture.AllFacts(t, func(t *testing.T, f *fixture.Facts, path string) {
		b := fixture.File(t, path)
		r, size := io.ReaderAt(b), b.Size()
		if filepath.Ext(path) == ".qcow2" {
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			d := blob.New("disk0", im, im.Size(), im.From)
			r, size = d, d.Size()
		}
		table, err := gpt.Read(r, size)
		if err != nil {
			table, err = mbr.Read(r, size)
		}
		if f.SFDisk == nil {
			require.ErrorIs(t, err, decode.ErrFormat)
			return
		}
		require.NoError(t, err)
		f.SFDisk.Equal(t, table)
		for _, want := range f.Blkid {
			number, _ := strings.CutPrefix(want["DEVNAME"], "diskp")
			vol := io.ReaderAt(r)
			for _, p := range table.Partitions {
				if fmt.Sprint(p.Number) == number {
					vol = blob.Section(r, p.Start*512, p.Size*512)
				}
			}
			var got fsys.FS
			switch want["TYPE"] {
			case "vfat":
				got, err = fat.Open(vol, size)
			case "iso9660":
				got, err = iso9660.Open(vol, size)
			default:
				continue
			}
			require.NoError(t, err)
			label := strings.ReplaceAll(want["LABEL"], `\ `, " ")
			require.Equal(t, []string{want["TYPE"], want["UUID"], label}, []string{got.Info().Type, got.Info().UUID, got.Info().Label})
		}
	})
}

func TestLabContent(t *testing.T) {
	fixture.Tool(t, "qemu-img")
	if testing.Short() {
		t.Skip("reads a gigabyte")
	}
	for _, name := range []string{"deb-bios.qcow2", "deb-uefi.qcow2"} {
		t.Run(name, func(t *testing.T) {
			path := fixture.Lab(t, "images", name)
			b := fixture.File(t, path)
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			raw := filepath.Join(t.TempDir(), "raw")
			fixture.Run(t, ".", "qemu-img", "convert", "-O", "raw", path, raw)
			want := fixture.File(t, raw)
			require.Equal(t, want.Size(), im.Size())
			p, q := make([]byte, 1<<20), make([]byte, 1<<20)
			for off := int64(0); off < im.Size(); off += int64(len(p)) {
				n, _ := im.ReadAt(p, off)
				m, _ := want.ReadAt(q, off)
				require.True(t, n == m && bytes.Equal(p[:n], q[:m]), "at %#x", off)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"c512c", "c4kz", "subzero", "backing"} {
		b := file(f, name)
		data := make([]byte, min(b.Size(), 32<<10))
		b.ReadAt(data, 0)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<17 {
			return
		}
		b := fixture.Blob("file", data)
		im, err := Open(b, b.Size())
		if err != nil {
			return
		}
		fixture.Cited(t, max(b.Size(), 512), im.Record.CiteAll()...)
		for _, off := range []int64{0, 100 << 10, im.Size() / 2, im.Size() - 4096} {
			im.ReadAt(make([]byte, 8192), max(off, 0))
			fixture.Inside(t, b.Size(), im.From(max(off, 0), 8192)...)
		}
	})
}
