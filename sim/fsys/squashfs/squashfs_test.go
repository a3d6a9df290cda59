package squashfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	for v, size := range map[any]int64{
		new(Superblock): 96, new(BaseInode): 16, new(RegInode): 16, new(LregInode): 40, new(DirInode): 16, new(LdirInode): 24,
		new(SymlinkInode): 8, new(DevInode): 8, new(LdevInode): 12, new(IpcInode): 4, new(LipcInode): 8, new(DirHeader): 12,
		new(DirEntry): 8, new(FragmentEntry): 16, new(XattrIDTable): 16, new(XattrID): 16, new(XattrEntry): 4, new(XattrVal): 4,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

func load(t testing.TB, name string) *blob.Blob {
	return fixture.Blob("sqfs", fixture.Zst(t, "testdata/"+name+".sqfs.zst"))
}

func open(t testing.TB, name string) (*FS, *blob.Blob) {
	b := load(t, name)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return f, b
}

// list writes a file the way unsquashfs -lln does.
func list(t *testing.T, f *FS, name string, fi fs.FileInfo) string {
	st := fsys.StatOf(fi)
	mode := []byte("?rwxrwxrwx")
	mode[0] = map[uint32]byte{fsys.S_IFDIR: 'd', fsys.S_IFREG: '-', fsys.S_IFLNK: 'l', fsys.S_IFBLK: 'b', fsys.S_IFCHR: 'c', fsys.S_IFIFO: 'p', fsys.S_IFSOCK: 's'}[st.Mode&fsys.S_IFMT]
	for i := range 9 {
		if st.Mode&(1<<(8-i)) == 0 {
			mode[1+i] = '-'
		}
	}
	if st.Mode&fsys.S_ISUID != 0 {
		mode[3] = 's'
	}
	if st.Mode&fsys.S_ISVTX != 0 {
		mode[9] = 't'
	}
	size := fmt.Sprint(fi.Size())
	if fi.Mode()&fs.ModeDevice != 0 {
		// The tool splits the number after 8 bits, whatever it is.
		size = fmt.Sprintf("%d,%3d", st.Rdev>>8, st.Rdev&0xff)
	}
	line := fmt.Sprintf("%s %d/%d", mode, st.UID, st.GID)
	line += fmt.Sprintf("%*s %s ", max(0, 38-len(line)), size, fi.ModTime().Format("2006-01-02 15:04"))
	if name != "." {
		line += "/" + name
	}
	if st.Mode&fsys.S_IFMT == fsys.S_IFLNK {
		target, err := f.ReadLink(name)
		require.NoError(t, err)
		line += " -> " + target
	}
	return line
}

func squeeze(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.Join(strings.Fields(l), " ")
	}
	return out
}

func TestVolumesHoldWhatUnsquashfsLists(t *testing.T) {
	for _, name := range []string{"gzip", "small", "xz", "zstd", "lz4", "plain"} {
		t.Run(name, func(t *testing.T) {
			held := map[bool]string{true: "few", false: "tree"}[name == "plain"]
			f, b := open(t, name)
			info := f.Info()
			require.Contains(t, fixture.Lines(t, "testdata/blkid"), "TYPE="+info.Type)
			require.Equal(t, []string{"", ""}, []string{info.Label, info.UUID})
			fixture.Cited(t, b.Size(), info.Cites...)
			require.NotEmpty(t, info.Cites)

			var got, regular []string
			require.NoError(t, fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
				require.NoError(t, err, name)
				fi, err := d.Info()
				require.NoError(t, err)
				require.Equal(t, d.Type(), fi.Mode().Type())
				got = append(got, list(t, f, name, fi))
				require.NotEmpty(t, fsys.StatOf(fi).Cites)
				fixture.Cited(t, b.Size(), fsys.StatOf(fi).Cites...)
				if d.Type().IsRegular() {
					regular = append(regular, name)
				}
				return nil
			}))
			require.ElementsMatch(t, squeeze(fixture.Lines(t, "testdata/"+held+".list")), squeeze(got))
			fixture.CheckSums(t, f, "testdata/"+held+".sums")
			require.NoError(t, fstest.TestFS(f, regular...))
		})
	}
}

func TestAttributesAndHardLinks(t *testing.T) {
	for _, name := range []string{"gzip", "plain"} {
		f, _ := open(t, name)
		fi, err := f.Stat("bin/ping")
		require.NoError(t, err)
		// VFS_CAP_REVISION_2 with the effective flag, permitted 1 << CAP_NET_RAW; capabilities(7).
		require.Equal(t, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0x02000001), 1<<13),
			fsys.StatOf(fi).Capability[:8])
		one, err := f.Stat("etc/hello")
		require.NoError(t, err)
		two, err := f.Stat("etc/deep/er/hard")
		require.NoError(t, err)
		require.Equal(t, fsys.StatOf(one).Ino, fsys.StatOf(two).Ino)
		require.Equal(t, uint32(2), fsys.StatOf(one).Nlink)
		disk, err := f.Stat("disk")
		require.NoError(t, err)
		require.Equal(t, uint32(259<<8|70000&0xff|(70000&^0xff)<<12), fsys.StatOf(disk).Rdev)
	}
}

func TestBytesStoredAsTheyAreAreLocatedExactly(t *testing.T) {
	f, b := open(t, "plain")
	file, err := fsys.OpenFile(f, "noise")
	require.NoError(t, err)
	spans := blob.Locate(file, 100, 5000)
	require.Len(t, spans, 1)
	want, got := make([]byte, 5000), make([]byte, 5000)
	_, err = file.ReadAt(want, 100)
	require.NoError(t, err)
	_, err = b.ReadAt(got, spans[0].Off)
	require.NoError(t, err)
	require.Equal(t, want, got)
	file, err = fsys.OpenFile(f, "sparse")
	require.NoError(t, err)
	require.Nil(t, blob.Locate(file, 0, 131072), "a hole has no bytes")
}

func TestACompressedBlockIsLocatedAsAWhole(t *testing.T) {
	f, b := open(t, "gzip")
	file, err := fsys.OpenFile(f, "numbers")
	require.NoError(t, err)
	first, second := blob.Locate(file, 5, 10), blob.Locate(file, 131072, 1)
	require.Len(t, first, 1)
	require.Equal(t, first, blob.Locate(file, 70000, 10))
	require.NotEqual(t, first, second)
	z := make([]byte, first[0].Len)
	_, err = b.ReadAt(z, first[0].Off)
	require.NoError(t, err)
	got, want := make([]byte, 131072), make([]byte, 131072)
	n, err := f.unpack(got, z)
	require.NoError(t, err)
	require.Equal(t, 131072, n)
	_, err = file.ReadAt(want, 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	all := blob.Locate(file, 0, file.Size())
	require.Equal(t, append(first, second...)[0].Off, all[0].Off)
}

func TestWhatIsNotRead(t *testing.T) {
	b := load(t, "lzo")
	_, err := Open(b, b.Size())
	require.ErrorIs(t, err, decode.ErrUnsupported)
	require.ErrorContains(t, err, "want gzip, xz, lz4 or zstd, got lzo")
	whole := fixture.Zst(t, "testdata/gzip.sqfs.zst")
	broken := func(at int, v ...byte) error {
		data := append([]byte{}, whole...)
		copy(data[at:], v)
		_, err := Open(fixture.Blob("sqfs", data), int64(len(data)))
		return err
	}
	require.ErrorIs(t, broken(0, 'x'), decode.ErrFormat)
	require.ErrorIs(t, broken(0x1c, 3), decode.ErrUnsupported)
	var bad *decode.Error
	for name, err := range map[string]error{
		"block size": broken(0x0c, 1), "block log": broken(0x16, 16), "tables": broken(0x40, 0, 0, 0, 1), "length": broken(0x28, 0, 0, 0, 1),
	} {
		require.ErrorAs(t, err, &bad, name)
	}
	_, err = Open(fixture.Blob("sqfs", whole[:90]), 90)
	require.ErrorIs(t, err, decode.ErrFormat)
}

func TestADamagedBlockIsAnErrorWithItsPlace(t *testing.T) {
	data := fixture.Zst(t, "testdata/gzip.sqfs.zst")
	f, err := Open(fixture.Blob("sqfs", data), int64(len(data)))
	require.NoError(t, err)
	file, err := fsys.OpenFile(f, "numbers")
	require.NoError(t, err)
	at := blob.Locate(file, 0, 1)[0]
	copy(data[at.Off+20:], bytes.Repeat([]byte{0xff}, 40))
	_, err = file.ReadAt(make([]byte, 10), 0)
	var bad *decode.Error
	require.ErrorAs(t, err, &bad)
	require.Equal(t, []blob.Span{at}, bad.Spans)
	_, err = file.ReadAt(make([]byte, 10), 131072)
	require.NoError(t, err, "the next block is whole")
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"gzip", "small", "xz", "lz4", "plain"} {
		f.Add(fixture.Zst(f, "testdata/"+name+".sqfs.zst"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<18 {
			return
		}
		b := fixture.Blob("sqfs", data)
		v, err := Open(b, b.Size())
		if err != nil {
			return
		}
		fixture.FuzzVolume(t, v, b, 100)
	})
}
