package xfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/tests/fixture"
)

// volumes are the images of testdata/make.sh, all made from one tree.
var volumes = []string{"v5", "small", "v4", "v4ftype"}

var unpacked = map[string][]byte{}

func image(t testing.TB, name string) []byte {
	if unpacked[name] == nil {
		unpacked[name] = fixture.Zst(t, "testdata/"+name+".img.zst")
	}
	return unpacked[name]
}

func open(t testing.TB, b []byte) *FS {
	f, err := Open(fixture.Blob("vol", b), int64(len(b)))
	require.NoError(t, err)
	return f
}

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&Superblock{}, 264))
	require.NoError(t, decode.CheckLayout(&Inode{}, inodeV2Size))
	require.NoError(t, decode.CheckLayout(&InodeV3{}, inodeV3Size-inodeV2Size))
	require.NoError(t, decode.CheckLayout(&BtreeBlock{}, bmapV4Size))
	require.NoError(t, decode.CheckLayout(&SymlinkHeader{}, symlinkSize))
	require.NoError(t, decode.CheckLayout(&LogRecord{}, 324))
}

func TestInfo(t *testing.T) {
	for _, name := range volumes {
		info := open(t, image(t, name)).Info()
		require.Equal(t, "xfs", info.Type)
		require.Equal(t, "l-"+name, info.Label)
		require.Equal(t, "0123abcd-0000-4000-8000-0000000000ff", info.UUID)
		require.Equal(t, int64(len(image(t, name))), info.Size)
		require.Empty(t, info.Notes, name)
		require.NotEmpty(t, info.Cites)
	}
}

func sum(t testing.TB, f fsys.FS, name string) string {
	file, err := f.Open(name)
	require.NoError(t, err, name)
	h := sha256.New()
	_, err = io.Copy(h, file)
	require.NoError(t, err, name)
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestEveryFileIsThatOfTheTree(t *testing.T) {
	kinds := map[string]uint32{"f": fsys.S_IFREG, "d": fsys.S_IFDIR, "l": fsys.S_IFLNK, "c": fsys.S_IFCHR, "b": fsys.S_IFBLK, "p": fsys.S_IFIFO}
	list, err := os.ReadFile("testdata/tree.tsv")
	require.NoError(t, err)
	for _, name := range volumes {
		f := open(t, image(t, name))
		for line := range strings.Lines(string(list)) {
			c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			require.Len(t, c, 7)
			p, at := c[6], name+": "+c[6]
			if name == "v5" && (p == "moved" || p == "unwritten") {
				continue // changed by make.sh
			}
			fi, err := f.Lstat(p)
			require.NoError(t, err, at)
			st := fsys.StatOf(fi)
			mode, err := strconv.ParseUint(c[1], 8, 32)
			require.NoError(t, err)
			require.Equal(t, kinds[c[0]]|uint32(mode), st.Mode, at)
			require.Equal(t, c[2:4], []string{fmt.Sprint(st.UID), fmt.Sprint(st.GID)}, at)
			if c[4] != "-" {
				require.Equal(t, c[4], fmt.Sprint(fi.Size()), at)
			}
			switch c[0] {
			case "f":
				require.Equal(t, c[5], sum(t, f, p), at)
			case "l":
				target, err := f.ReadLink(p)
				require.NoError(t, err, at)
				require.Equal(t, c[5], target, at)
			}
		}
		require.Empty(t, f.Info().Notes, name)
	}
}

func TestDirectoriesOfEveryForm(t *testing.T) {
	for _, name := range volumes {
		f := open(t, image(t, name))
		for dir, count := range map[string]int{"dir": 2, "dir/sub": 0, "block": 12, "leaf": 100, "tree": 700} {
			list, err := f.ReadDir(dir)
			require.NoError(t, err, name)
			require.Len(t, list, count, "%s: %s", name, dir)
			in, err := f.Find(dir)
			require.NoError(t, err)
			hashed := 0
			for _, e := range list {
				ino, done, err := f.lookupHashed(in, e.Name())
				require.NoError(t, err)
				if done {
					require.NotZero(t, ino, "%s: %s", name, e.Name())
					hashed++
				}
				require.False(t, e.Type()&fs.ModeIrregular != 0)
			}
			if count > 500 {
				require.Equal(t, count, hashed, "%s: %s", name, dir)
				_, done, err := f.lookupHashed(in, "absent")
				require.True(t, done)
				require.NoError(t, err)
			}
			if dir == "tree" && (name == "small" || name == "v4") {
				require.Equal(t, uint8(XFS_DINODE_FMT_BTREE), in.raw.Di_format, name)
			}
		}
		require.Empty(t, f.Info().Notes, name)
	}
}

func TestWhatXfsDbSays(t *testing.T) {
	b, err := os.ReadFile("testdata/v5.db")
	require.NoError(t, err)
	report := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " = ")
		report[k] = v
	}
	f := open(t, image(t, "v5"))
	fi, err := f.Stat("hello")
	require.NoError(t, err)
	want, err := time.Parse("Mon Jan _2 15:04:05 2006", report["core.mtime.sec"])
	require.NoError(t, err)
	nsec, err := strconv.Atoi(report["core.mtime.nsec"])
	require.NoError(t, err)
	require.Equal(t, want.Add(time.Duration(nsec)), fi.ModTime())
	require.Equal(t, report["v3.inumber"], fmt.Sprint(fsys.StatOf(fi).Ino))
	require.Equal(t, "2 (extents)", report["core.aformat"], "capleaf has a leaf")
	for _, name := range []string{"cap", "capleaf"} {
		fi, err := f.Stat(name)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("v", 20), string(fsys.StatOf(fi).Capability), name)
	}
	require.Empty(t, f.Info().Notes)
}

func TestDevices(t *testing.T) {
	f := open(t, image(t, "v5"))
	for name, want := range map[string]uint32{"null": 1<<8 | 3, "disk": 259<<8 | 70000&0xff | (70000&^0xff)<<12} {
		fi, err := f.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, fsys.StatOf(fi).Rdev, name)
	}
}

func TestHolesAndUnwrittenExtentsHaveNoBytes(t *testing.T) {
	f := open(t, image(t, "v5"))
	data, err := fsys.ReadFile(f, "unwritten", 1<<20)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 8192), data)
	file, err := fsys.OpenFile(f, "unwritten")
	require.NoError(t, err)
	require.Empty(t, file.Locate(0, 8192))

	content, err := fsys.ReadFile(open(t, image(t, "v4")), "moved", 1<<20)
	require.NoError(t, err)
	data, err = fsys.ReadFile(f, "moved", 1<<20)
	require.NoError(t, err)
	want := make([]byte, 32000)
	copy(want[5*4096:], content)
	require.Equal(t, want, data)
	file, err = fsys.OpenFile(f, "moved")
	require.NoError(t, err)
	require.Empty(t, file.Locate(0, 5*4096))
	spans := file.Locate(0, 32000)
	require.Len(t, spans, 1)
	require.Equal(t, int64(8192), spans[0].Len)
	require.Equal(t, content, image(t, "v5")[spans[0].Off:][:8192])
}

func TestAFileSystemOfGo(t *testing.T) {
	for _, name := range volumes {
		require.NoError(t, fstest.TestFS(open(t, image(t, name)), "hello", "dir/sub", "tree/a-name-that-is-long-enough-to-fill-blocks-699"), name)
	}
}

func TestALookupReadsAFewBlocks(t *testing.T) {
	img := image(t, "v5")
	s := blob.NewStore()
	f, err := Open(s.Add("vol", bytes.NewReader(img), int64(len(img)), nil), int64(len(img)))
	require.NoError(t, err)
	before := s.BytesRead()
	_, err = f.Stat("tree/a-name-that-is-long-enough-to-fill-blocks-699")
	require.NoError(t, err)
	require.Less(t, s.BytesRead()-before, int64(8*4096), "the directory has 50 KiB")
}

// put writes bytes over a copy of the image.
func put(img []byte, off int64, v ...byte) []byte {
	out := bytes.Clone(img)
	copy(out[off:], v)
	return out
}

func TestDamage(t *testing.T) {
	v5, v4 := image(t, "v5"), image(t, "v4")
	try := func(b []byte) (*FS, error) { return Open(fixture.Blob("vol", b), int64(len(b))) }
	var bad *decode.Error
	for _, b := range [][]byte{put(v4, 0, 'Y'), v4[:100], nil} {
		_, err := try(b)
		require.ErrorIs(t, err, decode.ErrFormat)
	}
	_, err := try(put(v5, 0x6c, 'X'))
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "xfs superblock: Sb_crc", bad.What)
	_, err = try(put(v5, 0xd8, 0x80))
	require.ErrorIs(t, err, decode.ErrUnsupported)
	_, err = try(put(v4, 0x64, 0x14, 0x84))
	require.ErrorIs(t, err, decode.ErrUnsupported, "directories of version 1")
	for name, b := range map[string][]byte{
		"Sb_blocksize": put(v4, 0x04, 1), "Sb_agblklog": put(v4, 0x7c, 3), "Sb_inodesize": put(v4, 0x68, 9),
		"Sb_dblocks": put(v4, 0x08, 1), "Sb_agcount": put(v4, 0x58, 0, 0, 0, 0), "Sb_inprogress": put(v4, 0x7e, 1),
	} {
		_, err = try(b)
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, "xfs superblock: "+name, bad.What)
	}
	f, err := try(v4[:len(v4)-512])
	require.NoError(t, err)
	require.Contains(t, f.Info().Notes[0], "last sector read failed")

	hello, err := open(t, v5).Find("hello")
	require.NoError(t, err)
	f = open(t, put(v5, hello.off+8, 7))
	_, err = f.Stat("hello")
	require.NoError(t, err)
	require.Contains(t, f.Info().Notes[0], fmt.Sprintf("inode %d: checksum is", hello.ino))
	f = open(t, put(v5, hello.off+0x5b, XFS_DIFLAG_REALTIME))
	_, err = f.Open("hello")
	require.ErrorIs(t, err, decode.ErrUnsupported)
	require.ErrorContains(t, err, "real-time device")
	_, err = open(t, put(v5, hello.off, 0)).Stat("hello")
	require.ErrorAs(t, err, &bad)
	_, err = open(t, v5).Stat("nope")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = open(t, v5).Stat("hello/x")
	require.ErrorIs(t, err, fsys.ErrNotDir)
	_, err = open(t, v5).ReadLink("hello")
	require.ErrorIs(t, err, fsys.ErrNotLink)
}

func TestALogThatNeedsRecovery(t *testing.T) {
	for _, name := range volumes {
		img := image(t, name)
		f := open(t, img)
		off, err := f.blockOff(f.sb.Sb_logstart, 1)
		require.NoError(t, err)
		require.Equal(t, uint32(logMagic), binary.BigEndian.Uint32(img[off:]))
		f = open(t, put(img, off+logSector+9, 0)) // the operation is no unmount
		require.Len(t, f.Info().Notes, 1)
		require.Contains(t, f.Info().Notes[0], "log needs recovery")
	}
	f := open(t, put(image(t, "v4"), 0x30, make([]byte, 8)...))
	require.Contains(t, f.Info().Notes[0], "log is on another device")
}

// exercise opens what may be a volume, reads within bounds, and checks that evidence lies inside it. The
// superblock's checksum is set right, else every change ends there.
func exercise(t testing.TB, data []byte, entries int) {
	if len(data) >= 512 && data[0x65]&versionNumbits == 5 && binary.BigEndian.Uint16(data[0x66:]) == 512 {
		data = bytes.Clone(data)
		sum, _ := checksum(data[:512], superCRC)
		binary.LittleEndian.PutUint32(data[superCRC:], sum)
	}
	b := fixture.Blob("vol", data)
	v, err := Open(b, b.Size())
	if err != nil {
		return
	}
	fixture.FuzzVolume(t, v, b, entries)
}

func TestChangedBytes(t *testing.T) {
	for i := range 400 {
		chance := rand.New(rand.NewSource(int64(i)))
		data := bytes.Clone(image(t, volumes[i%len(volumes)])[:1<<20])
		for range 1 + chance.Intn(40) {
			data[chance.Intn(len(data)>>(i%3*5))] = byte(chance.Intn(256))
		}
		exercise(t, data, 1000)
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range volumes {
		f.Add(image(f, name)[:80<<10]) // the root directory lies at 64 KiB
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) <= 1<<18 {
			exercise(t, data, 60)
		}
	})
}
