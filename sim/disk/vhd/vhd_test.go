package vhd

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Footer), 0x55))
	require.NoError(t, decode.CheckLayout(new(DynamicHeader), 0x240))
}

func data(t testing.TB, name string) []byte { return fixture.Zst(t, "testdata/"+name+".zst") }

func TestImagesAreWhatQemuImgSays(t *testing.T) {
	for _, name := range []string{"dynamic", "rounded", "fixed"} {
		t.Run(name, func(t *testing.T) {
			b := fixture.Blob("file", data(t, name+".vhd"))
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			fixture.CheckVirtualDisk(t, im, b, "testdata/"+name, data(t, "source.raw"))
			require.Empty(t, im.Notes)
			require.Equal(t, name != "fixed", im.Dynamic != nil)
			require.Equal(t, int64(8), im.Record.Cite(&im.Footer.CurrentSize)[0].Len)
		})
	}
}

// patched is an image with other bytes at off; a negative offset counts from the end.
func patched(t testing.TB, name string, off int, b ...byte) *blob.Blob {
	p := data(t, name)
	if off < 0 {
		off += len(p)
	}
	copy(p[off:], b)
	return fixture.Blob("file", p)
}

// signed computes the checksums of a dynamic image's footer copy and header again.
func signed(p []byte) []byte {
	for _, at := range [][3]int{{0, 512, 0x40}, {512, 1536, 0x24}} {
		part := p[at[0]:at[1]]
		copy(part[at[2]:], make([]byte, 4))
		sum := uint32(0)
		for _, b := range part {
			sum += uint32(b)
		}
		binary.BigEndian.PutUint32(part[at[2]:], ^sum)
	}
	return p
}

func TestADifferencingImageNamesItsParent(t *testing.T) {
	p := data(t, "dynamic.vhd")
	p[0x3f] = TypeDifferencing
	for i, c := range []byte("parent.vhd") {
		p[512+0x40+2*i+1] = c
	}
	b := fixture.Blob("file", signed(p))
	_, err := Open(b, b.Size())
	require.ErrorIs(t, err, decode.ErrUnsupported)
	require.EqualError(t, err, `vhd differencing image that needs its parent "parent.vhd": not supported`)
}

func TestDamage(t *testing.T) {
	edited := func(off int, bytes ...byte) *blob.Blob {
		p := data(t, "dynamic.vhd")
		copy(p[off:], bytes)
		return fixture.Blob("file", signed(p))
	}
	for want, b := range map[string]*blob.Blob{
		`not this format: vhd footer: Cookie: at file[`:                                                          patched(t, "fixed.vhd", -512, 'X'),
		"vhd footer: DiskType: at file[0x3c:+4]: want 2, 3 or 4, got 9":                                          edited(0x3f, 9),
		"vhd footer: DataOffset: at file[0x10:+8]: want an offset inside the file, got 0x10":                     edited(0x10, 0x10),
		"vhd footer: CurrentSize: at file[0x30:+8]: want whole sectors, at most 1 PiB, got ":                     edited(0x30, 0x10),
		`vhd dynamic header: Cookie: at file[0x200:+8]: want "cxsparse", got `:                                   edited(0x200, 'X'),
		"vhd dynamic header: BlockSize: at file[0x220:+4]: want a power of two from 512 to 268435456, got 3":     edited(0x220, 0, 0, 0, 3),
		"vhd dynamic header: MaxTableEntries: at file[0x21c:+4]: want at least 3, as the disk has 5244416 bytes": edited(0x21c, 0, 0, 0, 2),
		"vhd dynamic header: TableOffset: at file[0x210:+8]: want room for 3 entries in the file of ":            edited(0x210, 1),
	} {
		_, err := Open(b, b.Size())
		var bad *decode.Error
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, &bad)
	}
	b := edited(0x0d, 9)
	_, err := Open(b, b.Size())
	require.EqualError(t, err, "vhd version 9.0: not supported")
	// A block behind the end of the file is an error where it is read, and nowhere else.
	b = edited(0x600, 0x7f)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	_, err = im.ReadAt(make([]byte, 512), 0)
	require.ErrorContains(t, err, "vhd block allocation table entry: at file[0x600:+4]: want a block inside the file of ")
	_, err = im.ReadAt(make([]byte, 512), 2<<20)
	require.NoError(t, err)
	// Cut off: the fixed disk lost its start.
	p := data(t, "fixed.vhd")[4096:]
	_, err = Open(fixture.Blob("file", p), int64(len(p)))
	require.ErrorContains(t, err, "vhd footer: CurrentSize: at file[0x4ff630:+8]: want at most 5240320, what lies in front of the footer, got 5244416")
}

func TestEitherFooterIsEnough(t *testing.T) {
	source := data(t, "source.raw")
	for note, b := range map[string]*blob.Blob{
		"": patched(t, "dynamic.vhd", -512, make([]byte, 512)...),
		"vhd: the copy of the footer in the first sector is damaged, the footer itself is read": patched(t, "dynamic.vhd", 0x20, 0xff),
	} {
		im, err := Open(b, b.Size())
		require.NoError(t, err)
		require.Equal(t, note, append(im.Notes, "")[0])
		got, err := blob.ReadAll(im, 1<<30)
		require.NoError(t, err)
		require.True(t, bytes.Equal(source, got))
	}
	b := patched(t, "fixed.vhd", -512+0x20, 0xff)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"vhd: the checksum of the footer is wrong"}, im.Notes)

	p := data(t, "dynamic.vhd")
	p[0x20] = 0xff
	b = fixture.Blob("file", p[:len(p)-512])
	im, err = Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"vhd: the checksum of the footer's copy is wrong, the footer itself is missing"}, im.Notes)

	// "Versions previous to Microsoft Virtual PC 2004 create disk images that have a 511-byte disk footer."
	p = data(t, "fixed.vhd")
	b = fixture.Blob("file", p[:len(p)-1])
	im, err = Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, int64(len(source)), im.Size())
}

// Sectors whose bit is clear were never written, whatever bytes lie there.
func TestTheBitmapSaysWhichSectorsWereWritten(t *testing.T) {
	p := data(t, "dynamic.vhd")
	bitmap := int(binary.BigEndian.Uint32(p[0x600:])) * 512
	require.Equal(t, bytes.Repeat([]byte{255}, 16), p[bitmap:bitmap+16])
	p[bitmap] = 0b10111111
	b := fixture.Blob("file", p)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	want := data(t, "source.raw")[:2048]
	clear(want[512:1024])
	got := make([]byte, 2048)
	_, err = im.ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	data := int64(bitmap) + 512
	require.Equal(t, []blob.Span{{Blob: "file", Off: data + 100, Len: 412}, {Blob: "file", Off: data + 1024, Len: 1024}}, im.From(100, 1948))
}

func TestASliceKeepsTheDiskAndNotTheBlocks(t *testing.T) {
	fixture.CheckSlice(t, data(t, "dynamic.vhd"), 20000, 100, Open)
	fixture.CheckSlice(t, data(t, "fixed.vhd"), 20000, 100, Open)
}

// Every raw disk is asked for a footer; a slice of one neither keeps its end nor misses it.
func TestASliceOfARawDiskDoesNotMissItsEnd(t *testing.T) {
	raw := data(t, "source.raw")
	s := blob.NewStore()
	in := s.Add("input", bytes.NewReader(raw), int64(len(raw)), nil)
	_, err := Open(in, in.Size())
	require.ErrorIs(t, err, decode.ErrFormat)
	require.Zero(t, s.BytesRead())
	var out bytes.Buffer
	require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: "input", Size: in.Size()}))
	s, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	in = s.Add(o.Name, s.Kept(o.Name), o.Size, nil)
	_, err = Open(in, in.Size())
	require.ErrorIs(t, err, decode.ErrFormat)
	_, missed := s.Missed()
	require.False(t, missed)
}

func TestPeers(t *testing.T) { fixture.CheckPeers(t, ".vhd", Open, nil) }

func TestLabContent(t *testing.T) {
	t.Run("dynamic", func(t *testing.T) { fixture.CheckConversion(t, Open, "vpc") })
	t.Run("fixed", func(t *testing.T) {
		fixture.CheckConversion(t, Open, "vpc", "-o", "subformat=fixed,force_size=on")
	})
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"dynamic", "rounded", "fixed"} {
		p := data(f, name+".vhd")
		f.Add(p[:min(len(p), 16<<10)])
		f.Add(p[len(p)-1024:])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 1<<17 {
			return
		}
		b := fixture.Blob("file", p)
		if im, err := Open(b, b.Size()); err == nil {
			fixture.FuzzVirtualDisk(t, im, b, im.Record, im.RecordDynamic)
		}
	})
}
