package vmdk

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Header), 0x4f))
	require.NoError(t, decode.CheckLayout(new(Marker), 12))
	require.NoError(t, decode.CheckLayout(new(endMarker), 16))
}

func data(t testing.TB, name string) []byte { return fixture.Zst(t, "testdata/"+name+".zst") }

func TestImagesAreWhatQemuImgSays(t *testing.T) {
	for name, content := range map[string]string{"sparse": "source", "stream": "source", "footer": "source", "zero": "zero"} {
		t.Run(name, func(t *testing.T) {
			b := fixture.Blob("file", data(t, name+".vmdk"))
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			fixture.CheckVirtualDisk(t, im, b, "testdata/"+name, data(t, content+".raw"))
			require.Empty(t, im.Notes)
			header := map[bool]int64{false: 0, true: b.Size() - 1024}[name == "footer"]
			require.Equal(t, blob.Span{Blob: "file", Off: header + 0xc, Len: 8}, im.Record.Cite(&im.Header.Capacity)[0].Span)
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

func TestWhatIsNotInTheFileIsNamed(t *testing.T) {
	text := func(name string) *blob.Blob { return fixture.Blob("file", data(t, name)) }
	for want, b := range map[string]*blob.Blob{
		`vmdk image that needs its parent "parent.vmdk": not supported`:                                                                                                                                                        text("child.vmdk"),
		`vmdk descriptor of type "monolithicFlat", the disk itself lies in "monolithicFlat-flat.vmdk", give all files together: not supported`:                                                                                 text("monolithicFlat.vmdk"),
		`vmdk descriptor of type "twoGbMaxExtentFlat", the disk itself lies in "twoGbMaxExtentFlat-f001.vmdk", "twoGbMaxExtentFlat-f002.vmdk", "twoGbMaxExtentFlat-f003.vmdk", give all files together: not supported`:         text("twoGbMaxExtentFlat.vmdk"),
		`vmdk descriptor of type "twoGbMaxExtentSparse", the disk itself lies in "twoGbMaxExtentSparse-s001.vmdk", "twoGbMaxExtentSparse-s002.vmdk", "twoGbMaxExtentSparse-s003.vmdk", give all files together: not supported`: text("twoGbMaxExtentSparse.vmdk"),
		`vmdk version 9: not supported`:                            patched(t, "sparse.vmdk", 4, 9),
		`vmdk sparse extent of ESX ("COWD"): not supported`:        fixture.Blob("file", []byte("COWD\x01\x00\x00\x00")),
		`vmdk space-efficient sparse extent of ESX: not supported`: fixture.Blob("file", []byte(seSparseMagic)),
		`vmdk compression algorithm 2: not supported`:              patched(t, "stream.vmdk", 0x4d, 2),
		`vmdk compressed grains without markers: not supported`:    patched(t, "stream.vmdk", 0xa, 1),
		`vmdk image that is encrypted: not supported`:              patched(t, "sparse.vmdk", 0x200, []byte("#\nencryption.keySafe = \"vmware:key/list\"\n")...),
		`vmdk descriptor of type "x", the disk itself lies in "a b", "c", "d" and 2 more files, give all files together: not supported`: fixture.Blob("file", []byte("# Disk DescriptorFile\r\nversion=1\r\ncreateType=\"x\"\r\nRW 1 ZERO\r\n"+
			"RW 1 SPARSE \"a b\"\r\nRW 1 FLAT \"c\" 0\nRW 1 FLAT \"d\" 0\nRW 1 FLAT \"e\" 0\nRW 1 FLAT \"f\" 0")),
	} {
		_, err := Open(b, b.Size())
		require.ErrorIs(t, err, decode.ErrUnsupported, want)
		require.EqualError(t, err, want)
	}
}

func TestAnExtentWithoutDescriptorSaysSo(t *testing.T) {
	b := fixture.Blob("file", data(t, "twoGbMaxExtentSparse-s001.vmdk"))
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"vmdk: no descriptor, the file may be one extent of several"}, im.Notes)
	require.Equal(t, int64(2<<30), im.Size())
	b = patched(t, "sparse.vmdk", 0x48, 1)
	im, err = Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"vmdk: its last writer did not close it"}, im.Notes)
}

func TestDamage(t *testing.T) {
	footer := data(t, "footer.vmdk")
	for want, b := range map[string]*blob.Blob{
		`not this format: vmdk header: Magic: at file[0x0:+4]: want "KDMV", got "XDMV"`:                              patched(t, "sparse.vmdk", 0, 'X'),
		"vmdk header: SingleEndLineChar: at file[0x49:+1]: want the line ends 0a 20 0d 0a, which a transfer as text": patched(t, "sparse.vmdk", 0x4b, '\n'),
		"vmdk header: GrainSize: at file[0x14:+8]: want a power of two up to 65536, got 129":                         patched(t, "sparse.vmdk", 0x14, 129),
		"vmdk header: NumGTEsPerGT: at file[0x2c:+4]: want 1 to 512, got 514":                                        patched(t, "sparse.vmdk", 0x2c, 2),
		"vmdk header: Capacity: at file[0xc:+8]: want at most 2199023255552 sectors, got ":                           patched(t, "sparse.vmdk", 0x13, 0x10),
		"vmdk header: GDOffset: at file[0x38:+8]: want room for 1 entries in the file of ":                           patched(t, "sparse.vmdk", 0x3b, 0x10),
		"vmdk header: DescriptorOffset: at file[0x1c:+8]: want a sector of the file's ":                              patched(t, "sparse.vmdk", 0x20, 1),
		"vmdk footer marker: Type: at file[0x":                                                                       fixture.Blob("file", footer[:len(footer)-512]),
		`vmdk footer: Magic: at file[0x`:                                                                             patched(t, "footer.vmdk", -1024, 'X'),
		"vmdk footer: GDOffset: at file[0x":                                                                          patched(t, "footer.vmdk", -1024+0x38, 255, 255, 255, 255, 255, 255, 255, 255),
		"vmdk header: at file[0x0:+60]: want 79 bytes, got end after 60":                                             fixture.Blob("file", footer[:60]),
	} {
		_, err := Open(b, b.Size())
		var bad *decode.Error
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, &bad)
	}
}

func TestDamagedTablesAreErrorsWhereTheyAreUsed(t *testing.T) {
	for want, damage := range map[string]func(p []byte, gt, grain int){
		"vmdk grain table entry: at file[0x":   func(p []byte, gt, grain int) { p[gt+3] = 0x7f },
		"vmdk grain marker: Value: at file[0x": func(p []byte, gt, grain int) { p[grain] = 9 },
		"vmdk grain marker: Size: at file[0x":  func(p []byte, gt, grain int) { p[grain+10] = 9 },
		"vmdk compressed grain: at file[0x":    func(p []byte, gt, grain int) { p[grain+12] = 9 },
		"vmdk grain table: at offset 0xfe":     func(p []byte, gt, grain int) { p[gd(p)+3] = 0x7f },
	} {
		p := data(t, "stream.vmdk")
		gt := int(binary.LittleEndian.Uint32(p[gd(p):])) * 512
		damage(p, gt, int(binary.LittleEndian.Uint32(p[gt:]))*512)
		b := fixture.Blob("file", p)
		im, err := Open(b, b.Size())
		require.NoError(t, err)
		_, err = im.ReadAt(make([]byte, 512), 0)
		require.ErrorContains(t, err, want)
		var bad *decode.Error
		require.ErrorAs(t, err, &bad)
		im.From(0, 1<<20)
	}
}

// gd is where the grain directory lies.
func gd(p []byte) int { return int(binary.LittleEndian.Uint64(p[0x38:])) * 512 }

func TestASliceKeepsTheDiskAndNotTheGrains(t *testing.T) {
	for _, name := range []string{"sparse", "stream", "footer"} {
		fixture.CheckSlice(t, data(t, name+".vmdk"), 20000, 100, Open)
	}
}

func TestPeers(t *testing.T) {
	fixture.CheckPeers(t, ".vmdk", Open, map[string]string{
		"afl9.vmdk":                   "vmdk header: SingleEndLineChar: at file[0x49:+1]: want the line ends 0a 20 0d 0a", // QEMU looks at the size first
		"trivy-monolithicSparse.vmdk": "vmdk footer marker: Type: at file[0x20d:+4]: want size 0 and type 3",              // cut off; "Invalid footer"
	})
}

func TestLabContent(t *testing.T) {
	for _, kind := range []string{"monolithicSparse", "streamOptimized"} {
		t.Run(kind, func(t *testing.T) { fixture.CheckConversion(t, Open, "vmdk", "-o", "subformat="+kind) })
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"sparse", "stream", "footer", "zero", "child", "twoGbMaxExtentFlat"} {
		p := data(f, name+".vmdk")
		f.Add(p[:min(len(p), 96<<10)])
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

// What a descriptor says of its extents is hostile too.
func FuzzSplit(f *testing.F) {
	f.Add("# Disk DescriptorFile\ncreateType=\"monolithicFlat\"\nRW 2 FLAT \"a\" 0\nRW 3 ZERO\n")
	f.Add("# Disk DescriptorFile\nRW 1 FLAT \"C:\\x\\a\" 1\nRW 4 SPARSE \"a\"\n")
	beside := fixture.Blob("a", make([]byte, 2048))
	f.Fuzz(func(t *testing.T, text string) {
		b := fixture.Blob("file", []byte(text))
		d, _, err := OpenDisk(b, b.Size(), func(name string) (*blob.Blob, error) { return beside, nil })
		if err != nil {
			return
		}
		p := make([]byte, 600)
		for _, at := range []int64{0, 500, d.Size() - 100} {
			d.ReadAt(p, at)
			for _, s := range d.From(at, 600) {
				require.LessOrEqual(t, s.Off+s.Len, int64(2048))
			}
		}
	})
}
