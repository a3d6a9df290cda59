package vhdx

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
	for v, size := range map[any]int64{
		new(Header): 0x50, new(RegionTable): 16, new(RegionEntry): 32, new(MetadataTable): 12, new(MetadataEntry): 28,
		new(FileParameters): 8, new(DiskSize): 8, new(SectorSize): 4, new(ParentLocator): 20, new(LocatorEntry): 12,
		new(LogEntryHeader): logEntry, new(Descriptor): descriptor, new(DataSector): logSector,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

func data(t testing.TB, name string) []byte { return fixture.Zst(t, "testdata/"+name+".zst") }

func TestImagesAreWhatQemuImgSays(t *testing.T) {
	for _, name := range []string{"dynamic", "fixed", "default"} {
		t.Run(name, func(t *testing.T) {
			b := fixture.Blob("file", data(t, name+".vhdx"))
			im, err := Open(b, b.Size())
			require.NoError(t, err)
			fixture.CheckVirtualDisk(t, im, b, "testdata/"+name, data(t, "source.raw"))
			require.Empty(t, im.Notes)
			require.Equal(t, int64(8), im.RecordSize.Cite(&im.DiskSize.VirtualDiskSize)[0].Len)
		})
	}
}

// sign computes the checksums of headers and region tables again.
func sign(p []byte) []byte {
	for _, at := range [][2]int{{64 << 10, headerSize}, {128 << 10, headerSize}, {192 << 10, tableSize}, {256 << 10, tableSize}} {
		part := p[at[0]:][:at[1]]
		binary.LittleEndian.PutUint32(part[4:], checksum(part))
	}
	return p
}

// edited is the dynamic image with other bytes at off, in both copies of what there are two of.
func edited(t testing.TB, off int, b ...byte) *blob.Blob {
	p := data(t, "dynamic.vhdx")
	copy(p[off:], b)
	if start := off >> 16; start == 1 || start == 3 {
		copy(p[off+(64<<10):], b)
	}
	return fixture.Blob("file", sign(p))
}

// item is where the entry of a metadata item lies and the item itself.
func item(t testing.TB, p []byte, id string) (entry, at int) {
	const region = 3 << 20
	for i := region + entrySize; i < region+tableSize; i += entrySize {
		var e MetadataEntry
		_, err := decode.Read(bytes.NewReader(p), int64(i), binary.LittleEndian, "", &e)
		require.NoError(t, err)
		if e.ItemID.String() == id {
			return i, region + int(e.Offset)
		}
	}
	t.Fatal("no item " + id)
	return 0, 0
}

func TestWhatIsNotInTheFileIsNamed(t *testing.T) {
	p := data(t, "dynamic.vhdx")
	_, params := item(t, p, itemFileParameters)
	_, sector := item(t, p, itemLogicalSectorSize)
	disk, _ := item(t, p, itemDiskID)
	for want, b := range map[string]*blob.Blob{
		"vhdx differencing image that needs its parent: not supported":                                           edited(t, params+4, flagHasParent),
		"vhdx disk with sectors of 4096 bytes: not supported":                                                    edited(t, sector, 0, 0x10),
		"vhdx version 2: not supported":                                                                          edited(t, 64<<10+0x42, 2),
		"vhdx log version 1: not supported":                                                                      edited(t, 64<<10+0x40, 1),
		`vhdx image with the unknown required metadata item BECA1200-B2E6-4523-93EF-C309E000C746: not supported`: edited(t, disk, 0),
		`vhdx differencing image that needs its parent ".\\base.vhdx": not supported`:                            child(t),
	} {
		_, err := Open(b, b.Size())
		require.ErrorIs(t, err, decode.ErrUnsupported, want)
		require.EqualError(t, err, want)
	}
}

// child is the dynamic image as one that has a parent: the locator takes the place of the disk's identifier.
func child(t testing.TB) *blob.Blob {
	p := data(t, "dynamic.vhdx")
	_, params := item(t, p, itemFileParameters)
	p[params+4] = flagHasParent
	entry, at := item(t, p, itemDiskID)
	utf16 := func(s string) (out []byte) {
		for i := range len(s) {
			out = append(out, s[i], 0)
		}
		return out
	}
	key, value := utf16("relative_path"), utf16(`.\base.vhdx`)
	le := binary.LittleEndian
	locator := make([]byte, 20)
	locator[18] = 1
	locator = le.AppendUint32(locator, 32)
	locator = le.AppendUint32(locator, 32+uint32(len(key)))
	locator = le.AppendUint16(locator, uint16(len(key)))
	locator = le.AppendUint16(locator, uint16(len(value)))
	locator = append(append(locator, key...), value...)
	copy(p[entry:], []byte{0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c})
	le.PutUint32(p[entry+0x14:], uint32(len(locator)))
	copy(p[at:], locator)
	return fixture.Blob("file", p)
}

func TestDamage(t *testing.T) {
	p := data(t, "dynamic.vhdx")
	params, paramsAt := item(t, p, itemFileParameters)
	_, sector := item(t, p, itemLogicalSectorSize)
	_, size := item(t, p, itemDiskSize)
	unsigned := data(t, "dynamic.vhdx")
	unsigned[64<<10+0x20] ^= 1
	unsigned[128<<10+0x20] ^= 1
	for want, b := range map[string]*blob.Blob{
		`not this format: vhdx file type identifier: at file[0x0:+8]: want "vhdxfile", got "Xhdxfile"`:          edited(t, 0, 'X'),
		`vhdx header: Signature: at file[0x10000:+4]: want "head", got "Xead"`:                                  edited(t, 64<<10, 'X'),
		"vhdx header: Checksum: at file[0x10004:+4]: want 0x":                                                   fixture.Blob("file", unsigned),
		`vhdx region table: Signature: at file[0x30000:+4]: want "regi", got "Xegi"`:                            edited(t, 192<<10, 'X'),
		"vhdx region table: EntryCount: at file[0x30008:+4]: want at most 2047, got 65282":                      edited(t, 192<<10+9, 255),
		"vhdx region table: EntryCount: at file[0x30008:+4]: want an entry for the region 8B7CA206":             edited(t, 192<<10+8, 1),
		"vhdx region entry: FileOffset: at file[0x30020:+8]: want whole MiB inside the file of ":                edited(t, 192<<10+0x20, 1),
		`vhdx metadata table: Signature: at file[0x300000:+8]: want "metadata", got "Xetadata"`:                 edited(t, 3<<20, 'X'),
		"vhdx metadata table: EntryCount: at file[0x30000a:+2]: want file parameters, virtual disk size and lo": edited(t, 3<<20+0xa, 1),
		"vhdx metadata entry: Offset: at file[0x300030:+4]: want an item behind the table and inside the regi":  edited(t, params+0x10, 0, 0, 0, 0),
		"vhdx file parameters: BlockSize: at file[0x310000:+4]: want a power of two from 1048576 to 268435456":  edited(t, paramsAt, 1),
		"vhdx virtual disk size: VirtualDiskSize: at file[0x310008:+8]: want whole sectors, at most 64 TiB":     edited(t, size, 1),
		"vhdx logical sector size: LogicalSectorSize: at file[0x3":                                              edited(t, sector, 1),
		"vhdx region entry: Length: at file[0x3":                                                                edited(t, size+5, 0x10),
		"vhdx header: at offset 0x10000: want 4096 bytes, got end after 0":                                      fixture.Blob("file", p[:4096]),
	} {
		_, err := Open(b, b.Size())
		var bad *decode.Error
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, &bad, want)
	}
	for want, b := range map[string]*blob.Blob{
		"vhdx block allocation table entry: at file[0x200000:+8]: want the state of a block without parent: 0 to 3 or 6, got 7": edited(t, 2<<20, 7),
		"vhdx block allocation table entry: at file[0x200000:+8]: want a block inside the file of ":                             edited(t, 2<<20+5, 1),
	} {
		im, err := Open(b, b.Size())
		require.NoError(t, err)
		_, err = im.ReadAt(make([]byte, 512), 0)
		require.ErrorContains(t, err, want)
		_, err = im.ReadAt(make([]byte, 512), 1<<20)
		require.NoError(t, err)
	}
}

func TestOneOfTwoCopiesIsEnough(t *testing.T) {
	for off, note := range map[int]string{
		64<<10 + 9:  "vhdx: one of the two headers is damaged, the other is read",
		128<<10 + 9: "vhdx: one of the two headers is damaged, the other is read",
		192<<10 + 9: "vhdx: the first region table is damaged, its copy is read",
	} {
		p := data(t, "dynamic.vhdx")
		p[off] ^= 1
		b := fixture.Blob("file", p)
		im, err := Open(b, b.Size())
		require.NoError(t, err)
		require.Equal(t, []string{note}, im.Notes)
		got, err := blob.ReadAll(im, 1<<30)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data(t, "source.raw"), got[:5244416]))
	}
}

func TestTheLogIsReplayed(t *testing.T) {
	p := data(t, "log.vhdx")
	b := fixture.Blob("file", p)
	im, err := Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"vhdx: its last writer did not close it, 1 log entries are replayed"}, im.Notes)
	got, err := blob.ReadAll(im, 1<<30)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data(t, "log.raw"), got))
	require.NotZero(t, got[0])
	fixture.CheckSlice(t, p, 20000, 100, Open)

	const log = 1 << 20
	for want, change := range map[string]func(p []byte){
		"vhdx header: LogGUID: at file[0x":           func(p []byte) { p[log+8192-1] ^= 1 }, // a torn write
		"vhdx header: LogOffset: at file[0x":         func(p []byte) { p[64<<10+0x48] = 1; p[128<<10+0x48] = 1; sign(p) },
		"vhdx log entry: FlushedFileOffset: at file": func(p []byte) { p[log+0x35] = 1; resign(p[log:]) },
		"a log that zeroes over 16777216 bytes: not supported": func(p []byte) {
			copy(p[log+64:], "zero")
			p[log+64+0xf] = 1
			resign(p[log:])
		},
		"a log that writes behind the end of the file: not supported": func(p []byte) { p[log+64+0x15] = 1; resign(p[log:]) },
		"vhdx image with a log of 33554432 bytes to replay: not supp": func(p []byte) {
			for _, at := range []int{64 << 10, 128 << 10} {
				binary.LittleEndian.PutUint32(p[at+0x44:], 32<<20)
			}
			sign(p)
		},
	} {
		p := data(t, "log.vhdx")
		change(p)
		_, err := Open(fixture.Blob("file", p), int64(len(p)))
		require.ErrorContains(t, err, want)
	}
}

// resign computes the checksum of a log entry again.
func resign(p []byte) {
	n := binary.LittleEndian.Uint32(p[8:])
	binary.LittleEndian.PutUint32(p[4:], checksum(p[:n]))
}

// A ring of entries: the newest sequence counts, from the tail that its head names, also around the end.
func TestTheActiveSequence(t *testing.T) {
	log := make([]byte, 1<<20)
	guid := Header{}.LogGUID
	guid[0] = 7
	put := func(pos int, seq uint64, tail int) {
		e := log[pos:][:4096]
		clear(e)
		copy(e, "loge")
		le := binary.LittleEndian
		le.PutUint32(e[8:], 4096)
		le.PutUint32(e[12:], uint32(tail))
		le.PutUint64(e[16:], seq)
		copy(e[32:], guid[:])
		resign(e)
	}
	sequence := func() (out []uint64) {
		for _, e := range activeSequence(log, guid) {
			out = append(out, e.SequenceNumber)
		}
		return out
	}
	require.Empty(t, sequence())
	put(4096, 5, 4096)
	require.Equal(t, []uint64{5}, sequence())
	put(8192, 6, 4096)
	require.Equal(t, []uint64{5, 6}, sequence())
	put(12288, 7, 8192)
	require.Equal(t, []uint64{6, 7}, sequence(), "the entry in front of the tail is done with")
	put(12288, 7, 32768)
	require.Empty(t, sequence(), "the tail is not there")
	put(12288, 9, 12288)
	require.Equal(t, []uint64{9}, sequence(), "a newer sequence")
	end := len(log) - 4096
	put(end, 20, end)
	put(0, 21, end)
	put(4096, 22, end)
	require.Equal(t, []uint64{20, 21, 22}, sequence())
	guid[0] = 8
	require.Empty(t, sequence(), "of another session")
}

func TestASliceKeepsTheDiskAndNotTheBlocks(t *testing.T) {
	fixture.CheckSlice(t, data(t, "dynamic.vhdx"), 20000, 100, Open)
}

func TestPeers(t *testing.T) { fixture.CheckPeers(t, ".vhdx", Open, nil) }

func TestLabContent(t *testing.T) { fixture.CheckConversion(t, Open, "vhdx") }

// The tables lie MiB apart, so they are laid over an image; the checksums are right, or nothing behind them
// would be reached.
func FuzzOpen(f *testing.F) {
	dynamic, log := data(f, "dynamic.vhdx"), data(f, "log.vhdx")
	for _, p := range [][]byte{dynamic, log} {
		f.Add(p[64<<10:][:0x50], p[192<<10:][:80], p[1<<20:][:8192], p[2<<20:][:64], p[3<<20:][:256], p[3<<20+64<<10:][:64])
	}
	f.Fuzz(func(t *testing.T, header, regions, log, bat, metadata, items []byte) {
		p := bytes.Clone(dynamic)
		copy(p[64<<10:][:headerSize], header)
		copy(p[192<<10:][:tableSize], regions)
		copy(p[1<<20:][:1<<20], log)
		copy(p[2<<20:][:1<<20], bat)
		copy(p[3<<20:][:64<<10], metadata)
		copy(p[3<<20+64<<10:][:64<<10], items)
		if n := binary.LittleEndian.Uint32(p[1<<20+8:]); n >= 64 && n <= 1<<20 {
			resign(p[1<<20:])
		}
		b := fixture.Blob("file", sign(p))
		if im, err := Open(b, b.Size()); err == nil {
			fixture.FuzzVirtualDisk(t, im, b, im.Record, im.RecordParam, im.RecordSize)
		}
	})
}
