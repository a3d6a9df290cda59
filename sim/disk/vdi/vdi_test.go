package vdi

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Header), 0x1c8))
}

func data(t testing.TB, name string) []byte { return fixture.Zst(t, "testdata/"+name+".zst") }

func TestImagesAreWhatQemuImgSays(t *testing.T) {
	for _, name := range []string{"dynamic", "static"} {
		t.Run(name, func(t *testing.T) {
			b := fixture.Blob("file", data(t, name+".vdi"))
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			fixture.CheckVirtualDisk(t, im, b, "testdata/"+name, data(t, "source.raw"))
			require.Empty(t, im.Notes)
			require.Equal(t, blob.Span{Blob: "file", Off: 0x170, Len: 8}, im.Record.Cite(&im.Header.DiskSize)[0].Span)
		})
	}
}

// patched is the dynamic image with other bytes at off.
func patched(t testing.TB, off int, b ...byte) *blob.Blob {
	p := data(t, "dynamic.vdi")
	copy(p[off:], b)
	return fixture.Blob("file", p)
}

func TestWhatIsNotInTheFileIsNamed(t *testing.T) {
	link := patched(t, 0x4c, TypeDiff)
	link.Patch(blob.Patch{Off: 0x1a8, Data: []byte{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}})
	for want, b := range map[string]*blob.Blob{
		"vdi differencing image that needs its parent, the image with UUID 00010203-0405-0607-0809-0a0b0c0d0e0f: not supported": link,
		"vdi undo image, it holds only changes to another: not supported":                                                       patched(t, 0x4c, TypeUndo),
		"vdi version 0.1: not supported": patched(t, 0x46, 0),
	} {
		_, err := Open(b, b.Size())
		require.ErrorIs(t, err, decode.ErrUnsupported)
		require.EqualError(t, err, want)
	}
}

func TestDamage(t *testing.T) {
	for want, b := range map[string]*blob.Blob{
		"not this format: vdi header: Signature: at file[0x40:+4]: want 0xbeda107f":                        patched(t, 0x40, 1),
		"vdi header: ImageType: at file[0x4c:+4]: want 1 to 4, got 9":                                      patched(t, 0x4c, 9),
		"vdi header: SectorSize: at file[0x168:+4]: want 512, got 256":                                     patched(t, 0x168, 0, 1),
		"vdi header: BlockSize: at file[0x178:+4]: want a power of two from 512 to 268435456, got 1048577": patched(t, 0x178, 1),
		"vdi header: DiskSize: at file[0x170:+8]: want at most 6291456, what 6 blocks hold, got 18446":     patched(t, 0x174, 255, 255, 255, 255),
		"vdi header: OffBlocks: at file[0x154:+4]: want room for 6 entries in the file of ":                patched(t, 0x157, 0x7f),
		"vdi header: at file[0x0:+80]: want 456 bytes, got end after 80":                                   fixture.Blob("file", data(t, "dynamic.vdi")[:80]),
	} {
		_, err := Open(b, b.Size())
		var bad *decode.Error
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, &bad)
	}
	// A block behind the end of the file is an error where it is read, and nowhere else.
	b := patched(t, 0x200, 0x77)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	_, err = im.ReadAt(make([]byte, 512), 0)
	require.ErrorContains(t, err, "vdi block map entry: at file[0x200:+4]: want a block inside the file of ")
	_, err = im.ReadAt(make([]byte, 512), 1<<20)
	require.NoError(t, err)
}

// VirtualBox may keep bytes of its own in front of each block.
func TestExtraBytesInFrontOfABlockAreSkipped(t *testing.T) {
	p := data(t, "static.vdi")
	extra := append(bytes.Clone(p[:1024]), make([]byte, 0)...)
	extra[0x17d] = 2 // 512 bytes
	for off := 1024; off < len(p); off += 1 << 20 {
		extra = append(append(extra, bytes.Repeat([]byte{0xee}, 512)...), p[off:min(off+1<<20, len(p))]...)
	}
	b := fixture.Blob("file", extra)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	got, err := blob.ReadAll(im, 1<<30)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data(t, "source.raw"), got))
}

func TestASliceKeepsTheDiskAndNotTheBlocks(t *testing.T) {
	fixture.CheckSlice(t, data(t, "dynamic.vdi"), 20000, 100, Open)
}

func TestLabContent(t *testing.T) {
	fixture.CheckConversion(t, Open, "vdi")
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"dynamic", "static"} {
		p := data(f, name+".vdi")
		f.Add(p[:min(len(p), 32<<10)])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 1<<17 {
			return
		}
		b := fixture.Blob("file", p)
		if im, err := Open(b, b.Size()); err == nil {
			fixture.FuzzVirtualDisk(t, im, b, im.Record)
		}
	})
}
