package erofs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	for v, size := range map[any]int64{
		new(Superblock): 128, new(InodeCompact): 32, new(InodeExtended): 64, new(Dirent): 12, new(XattrIbodyHeader): 12,
		new(XattrEntry): 4, new(ChunkIndex): 8, new(MapHeader): 8, new(LclusterIndex): 8,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

func open(t testing.TB, name string) (*FS, *blob.Blob) {
	b := fixture.Blob("erofs", fixture.Zst(t, "testdata/"+name+".erofs.zst"))
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return f, b
}

var volumes = []string{"plain", "compact", "shared", "chunks", "lz4", "big", "tails", "legacy"}

// alike leaves the size of directories out, which each file system counts its own way, and what the
// options of compact.erofs changed.
func alike(name string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		p := strings.SplitN(l, " ", 9)
		if p[1] == "d" {
			p[4] = "-"
		}
		if name == "compact" {
			p[2], p[3], p[6], p[7] = "0", "0", "2023-11-14", "22:13"
		}
		out[i] = strings.Join(p, " ")
	}
	return out
}

func TestVolumesHoldTheirSource(t *testing.T) {
	for _, name := range volumes {
		t.Run(name, func(t *testing.T) {
			f, b := open(t, name)
			info := f.Info()
			require.Contains(t, fixture.Lines(t, "testdata/blkid"), "TYPE="+info.Type)
			require.Contains(t, fixture.Lines(t, "testdata/blkid"), "UUID="+info.UUID)
			require.Equal(t, b.Size(), info.Size)
			require.NotEmpty(t, info.Cites)
			fixture.Cited(t, b.Size(), info.Cites...)

			var got, regular []string
			require.NoError(t, fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
				require.NoError(t, err, name)
				fi, err := d.Info()
				require.NoError(t, err)
				require.Equal(t, d.Type(), fi.Mode().Type())
				got = append(got, fixture.FindLine(t, f, name, fi))
				require.NotEmpty(t, fsys.StatOf(fi).Cites)
				fixture.Cited(t, b.Size(), fsys.StatOf(fi).Cites...)
				if d.Type().IsRegular() {
					regular = append(regular, name)
				}
				return nil
			}))
			require.ElementsMatch(t, alike(name, fixture.Lines(t, "testdata/tree.list")), alike(name, got))
			fixture.CheckSums(t, f, "testdata/tree.sums")
			require.NoError(t, fstest.TestFS(f, regular...))
		})
	}
}

// The volumes exercise every way to keep a file.
func TestTheFixturesDiffer(t *testing.T) {
	layouts := map[string]map[uint16]bool{}
	for _, name := range volumes {
		f, _ := open(t, name)
		layouts[name] = map[uint16]bool{}
		fs.WalkDir(f, ".", func(path string, _ fs.DirEntry, err error) error {
			in, err := f.Find(path)
			require.NoError(t, err)
			layouts[name][in.layout] = true
			return nil
		})
	}
	require.True(t, layouts["plain"][EROFS_INODE_FLAT_PLAIN] && layouts["plain"][EROFS_INODE_FLAT_INLINE])
	require.True(t, layouts["chunks"][EROFS_INODE_CHUNK_BASED])
	require.True(t, layouts["lz4"][EROFS_INODE_COMPRESSED_COMPACT])
	require.True(t, layouts["legacy"][EROFS_INODE_COMPRESSED_FULL])
	f, b := open(t, "legacy")
	require.Zero(t, f.sb.Feature_incompat&incompatZeroPadding)

	for name, bit := range map[string]uint16{"lz4": Z_EROFS_ADVISE_COMPACTED_2B, "big": Z_EROFS_ADVISE_BIG_PCLUSTER_1, "tails": Z_EROFS_ADVISE_INLINE_PCLUSTER} {
		f, b := open(t, name)
		in, err := f.Find("mixed")
		require.NoError(t, err)
		var h MapHeader
		_, err = decode.Read(b, (in.behind()+7)&^7, binary.LittleEndian, "map header", &h)
		require.NoError(t, err)
		require.NotZero(t, h.H_advise&bit, "%s: %#x", name, h.H_advise)
	}
	f, b = open(t, "shared")
	in, err := f.Find("bin/ping")
	require.NoError(t, err)
	var h XattrIbodyHeader
	_, err = decode.Read(b, in.xattrOff, binary.LittleEndian, "attributes", &h)
	require.NoError(t, err)
	require.NotZero(t, h.H_shared_count)
}

func TestAttributes(t *testing.T) {
	for _, name := range []string{"plain", "shared", "lz4"} {
		f, _ := open(t, name)
		fi, err := f.Stat("bin/ping")
		require.NoError(t, err)
		// VFS_CAP_REVISION_2 with the effective flag, permitted 1 << CAP_NET_RAW; capabilities(7).
		require.Equal(t, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0x02000001), 1<<13),
			fsys.StatOf(fi).Capability[:8], name)
		disk, err := f.Stat("disk")
		require.NoError(t, err)
		require.Equal(t, uint32(259<<8|70000&0xff|(70000&^0xff)<<12), fsys.StatOf(disk).Rdev)
		one, err := f.Stat("etc/hello")
		require.NoError(t, err)
		two, err := f.Stat("etc/deep/er/hard")
		require.NoError(t, err)
		require.Equal(t, fsys.StatOf(one).Ino, fsys.StatOf(two).Ino)
	}
}

func TestBytesStoredAsTheyAreAreLocatedExactly(t *testing.T) {
	for _, name := range []string{"plain", "chunks"} {
		f, b := open(t, name)
		file, err := fsys.OpenFile(f, "noise")
		require.NoError(t, err)
		want, err := io.ReadAll(file)
		require.NoError(t, err)
		var got []byte
		for _, s := range file.Locate(0, file.Size()) {
			part := make([]byte, s.Len)
			_, err = b.ReadAt(part, s.Off)
			require.NoError(t, err)
			got = append(got, part...)
		}
		require.Equal(t, want, got)
	}
}

func TestACompressedExtentIsLocatedAsAWhole(t *testing.T) {
	f, b := open(t, "big")
	file, err := fsys.OpenFile(f, "numbers")
	require.NoError(t, err)
	spans := file.Locate(7, 1)
	require.Len(t, spans, 1)
	z := make([]byte, spans[0].Len)
	_, err = b.ReadAt(z, spans[0].Off)
	require.NoError(t, err)
	got, want := make([]byte, 1<<20), make([]byte, 100)
	_, err = lz4.UncompressBlock(bytes.TrimLeft(z, "\x00"), got)
	require.NoError(t, err)
	_, err = file.ReadAt(want, 0)
	require.NoError(t, err)
	require.Equal(t, want, got[:100])
}

func TestOurLZ4IsTheLibrarys(t *testing.T) {
	data := []byte(strings.Repeat("abcabcabc--", 3000) + strings.Repeat("x", 400) + fmt.Sprint(volumes))
	z := make([]byte, lz4.CompressBlockBound(len(data)))
	n, err := lz4.CompressBlock(data, z, nil)
	require.NoError(t, err)
	got := make([]byte, len(data))
	require.Equal(t, len(data), unLZ4(got, z[:n]))
	require.Equal(t, data, got)
	require.Equal(t, 1000, unLZ4(got[:1000], append(z[:n], "behind"...)))
	require.Equal(t, data[:1000], got[:1000])
}

func TestWhatIsNotRead(t *testing.T) {
	whole := fixture.Zst(t, "testdata/lz4.erofs.zst")
	with := func(at int, v ...byte) (*FS, error) {
		data := append([]byte{}, whole...)
		copy(data[superOff+8:], []byte{0}) // no checksum
		copy(data[superOff+at:], v)
		return Open(fixture.Blob("erofs", data), int64(len(data)))
	}
	var bad *decode.Error
	broken := append([]byte{}, whole...)
	broken[superOff+0x40] = 'x'
	_, err := Open(fixture.Blob("erofs", broken), int64(len(broken)))
	require.ErrorAs(t, err, &bad)
	require.Contains(t, bad.What, "Checksum")
	_, err = with(0, 'x')
	require.ErrorIs(t, err, decode.ErrFormat)
	_, err = with(0x50, 0x80)
	require.ErrorIs(t, err, decode.ErrUnsupported)
	_, err = with(0x0c, 30)
	require.ErrorAs(t, err, &bad)
	f, err := with(0x40, []byte("A label")...)
	require.NoError(t, err)
	require.Equal(t, "A label", f.Info().Label)

	// Another algorithm in one file's header: that file alone is not read.
	in, err := f.Find("numbers")
	require.NoError(t, err)
	data := append([]byte{}, whole...)
	data[(in.behind()+7)&^7+6] = 1
	f, err = Open(fixture.Blob("erofs", data), int64(len(data)))
	require.NoError(t, err)
	_, err = fsys.ReadFile(f, "numbers", 1<<20)
	require.ErrorIs(t, err, decode.ErrUnsupported)
	require.ErrorContains(t, err, "lzma")
	_, err = fsys.ReadFile(f, "mixed", 1<<20)
	require.NoError(t, err)
}

func FuzzOpen(f *testing.F) {
	for _, name := range volumes {
		f.Add(fixture.Zst(f, "testdata/"+name+".erofs.zst"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<19 {
			return
		}
		if len(data) > superOff+8 {
			data = append([]byte{}, data...)
			data[superOff+8] = 0 // no checksum
		}
		b := fixture.Blob("erofs", data)
		v, err := Open(b, b.Size())
		if err != nil {
			return
		}
		fixture.FuzzVolume(t, v, b, 100)
	})
}
