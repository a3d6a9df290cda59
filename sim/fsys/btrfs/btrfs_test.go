package btrfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand"
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
		new(Key): keyLen, new(DevItem): 98, new(Superblock): 0x32b + 2048, new(Header): headerLen, new(Chunk): 48, new(Stripe): 32,
		new(InodeItem): 160, new(RootItem): 239, new(DirItem): 30, new(RootRef): 18, new(ExtentHead): 21, new(ExtentBody): 32,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

func load(t testing.TB, name string) *blob.Blob {
	return fixture.Blob(name, fixture.Zst(t, "testdata/"+name+".btrfs.zst"))
}

func open(t testing.TB, name string) (*FS, *blob.Blob) {
	b := load(t, name)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return f, b
}

// walk checks everything that can be seen of a tree and returns the lines that find would print.
func walk(t *testing.T, f fsys.FS, b *blob.Blob) (lines, regular []string) {
	require.NoError(t, fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err, name)
		fi, err := d.Info()
		require.NoError(t, err)
		require.Equal(t, d.Type(), fi.Mode().Type())
		fixture.Cited(t, b.Size(), fsys.StatOf(fi).Cites...)
		lines = append(lines, fixture.FindLine(t, f, name, fi))
		if d.Type().IsRegular() {
			regular = append(regular, name)
		}
		return nil
	}))
	return lines, regular
}

func TestVolumesAreAsTheToolsSay(t *testing.T) {
	for _, name := range []string{"plain", "full", "raid1", "sha256", "xxhash", "blake2"} {
		f, b := open(t, name)
		info := f.Info()
		for _, l := range fixture.Lines(t, "testdata/"+name+".blkid") {
			key, value, _ := strings.Cut(l, "=")
			switch key {
			case "TYPE":
				require.Equal(t, value, info.Type)
			case "LABEL":
				require.Equal(t, strings.ReplaceAll(value, `\ `, " "), info.Label)
			case "UUID":
				require.Equal(t, value, info.UUID)
			}
		}
		super := map[string]string{}
		for _, l := range fixture.Lines(t, "testdata/"+name+".super") {
			if w := strings.Fields(l); len(w) > 1 {
				super[w[0]] = w[1]
			}
		}
		s, _ := f.Superblock()
		for key, value := range map[string]uint64{
			"generation": s.Generation, "root": s.Root, "chunk_root": s.Chunk_root, "num_devices": s.Num_devices, "nodesize": uint64(s.Nodesize),
			"sectorsize": uint64(s.Sectorsize), "dev_item.devid": s.Dev_item.Devid, "total_bytes": s.Total_bytes, "csum_type": uint64(s.Csum_type),
		} {
			require.Equal(t, super[key], fmt.Sprint(value), "%s: %s", name, key)
		}
		fixture.Cited(t, b.Size(), info.Cites...)
	}
}

func TestAVolumeFromADirectory(t *testing.T) {
	f, b := open(t, "plain")
	_, regular := walk(t, f, b)
	fixture.CheckSums(t, f, "testdata/plain.sums")
	require.Len(t, fixture.Lines(t, "testdata/plain.sums"), len(regular))
	require.NoError(t, fstest.TestFS(f, regular...))
	require.EqualValues(t, BTRFS_FS_TREE_OBJECTID, f.ID())
	target, err := f.ReadLink("etc/link")
	require.NoError(t, err)
	require.Equal(t, "passwd", target)
	require.Empty(t, f.Info().Notes)
}

// withoutTimes leaves out times that are not those of the recipe: of the root and of the snapshot.
func withoutTimes(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		p := strings.SplitN(l, " ", 9)
		if len(p) == 9 && (strings.HasPrefix(p[8], "@snap") || strings.HasPrefix(p[8], " ")) {
			p[6], p[7] = "-", "-"
		}
		out[i] = strings.Join(p, " ")
	}
	return out
}

func TestSubvolumesHoldWhatTheKernelShows(t *testing.T) {
	f, b := open(t, "full")
	top, err := f.Top()
	require.NoError(t, err)
	got, regular := walk(t, top, b)
	require.ElementsMatch(t, withoutTimes(fixture.Lines(t, "testdata/full.list")), withoutTimes(got))
	fixture.CheckSums(t, top, "testdata/full.sums")
	require.NoError(t, fstest.TestFS(top, regular...))
	require.Empty(t, f.Info().Notes)

	var lines []string
	all, err := f.Subvolumes()
	require.NoError(t, err)
	for _, s := range all {
		lines = append(lines, fmt.Sprintf("%d %d %s", s.ID, s.Parent, s.Path))
	}
	require.Equal(t, fixture.Lines(t, "testdata/full.subvolumes"), lines)

	list, err := f.ReadDir(".") // the default subvolume
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	require.Equal(t, fixture.Lines(t, "testdata/full.default"), names)

	fi, err := top.Lstat("@/disk")
	require.NoError(t, err)
	require.EqualValues(t, 254<<8|300&0xff|300&^0xff<<12, fsys.StatOf(fi).Rdev)
	fi, err = top.Lstat("@/able")
	require.NoError(t, err)
	require.Len(t, fsys.StatOf(fi).Capability, 20)
}

func TestSelect(t *testing.T) {
	f, _ := open(t, "full")
	for options, id := range map[string]uint64{
		"": 257, "subvol=@": 256, "rw,subvol=/@,noatime": 256, "subvol=/": 5, "subvolid=5": 5, "subvolid=0": 5, "subvol=@/nested": 258,
		"subvolid=0x103": 259, "subvolid=256,subvol=/@": 256,
	} {
		got, err := f.Select(options)
		require.NoError(t, err, options)
		require.Equal(t, id, got.(*FS).ID(), options)
	}
	for options, want := range map[string]error{
		"subvol=@none": fs.ErrNotExist, "subvolid=999": fs.ErrNotExist, "subvol=@/zlib": fs.ErrInvalid,
		"subvolid=257,subvol=/@": fs.ErrInvalid, "subvolid=x": fs.ErrInvalid,
	} {
		_, err := f.Select(options)
		require.ErrorIs(t, err, want, options)
	}
}

func TestEvidence(t *testing.T) {
	f, b := open(t, "full")
	top, err := f.Top()
	require.NoError(t, err)
	for name, spans := range map[string]int{"@/zlib/inline": 1, "@/holes": 1, "@home/big": 1, "@/nested/file": 1} {
		file, err := fsys.OpenFile(top, name)
		require.NoError(t, err)
		got := file.Locate(0, file.Size())
		fixture.Inside(t, b.Size(), got...)
		require.Len(t, got, spans, name)
	}
	file, err := fsys.OpenFile(top, "@home/big")
	require.NoError(t, err)
	at := file.Locate(1000, 50)[0]
	one, two := make([]byte, 50), make([]byte, 50)
	b.ReadAt(one, at.Off)
	file.ReadAt(two, 1000)
	require.Equal(t, one, two)
}

func TestSeveralDevices(t *testing.T) {
	f, _ := open(t, "raid1")
	fixture.CheckSums(t, f, "testdata/raid1.sums")
	require.Contains(t, f.Info().Notes[0], "spreads over 2 devices")
	f, _ = open(t, "raid0")
	_, err := fsys.ReadFile(f, "numbers", 1<<20)
	require.ErrorIs(t, err, decode.ErrUnsupported)
	require.ErrorContains(t, err, "devices [2]")
	data, err := fsys.ReadFile(f, "few", 1<<20) // inline, and metadata is mirrored
	require.NoError(t, err)
	require.Equal(t, "few\n", string(data))
}

func TestDamage(t *testing.T) {
	whole := fixture.Zst(t, "testdata/plain.btrfs.zst")
	damaged := func(at ...int64) (*FS, error) {
		data := bytes.Clone(whole)
		for _, at := range at {
			data[at] ^= 0xff
		}
		return Open(fixture.Blob("plain", data), int64(len(data)))
	}
	_, err := damaged(superOff + 0x40)
	require.ErrorIs(t, err, decode.ErrFormat)
	_, err = damaged(superOff + 0x48)
	require.ErrorContains(t, err, "the copy at 0x4000000 is whole")

	f, _ := open(t, "plain")
	places, err := f.v.place(f.v.sb.Root, 1)
	require.NoError(t, err)
	require.Len(t, places, 2, "metadata is DUP")
	f, err = damaged(places[0] + 200)
	require.NoError(t, err, "its copy is read")
	require.Contains(t, f.Info().Notes[0], "read from a copy")
	_, err = damaged(places[0]+200, places[1]+200)
	var bad *decode.Error
	require.ErrorAs(t, err, &bad)
	require.Equal(t, places[0], bad.Spans[0].Off)
}

// unsummed makes a volume's checksums ones that are not verified, so that changes reach the parser.
func unsummed(data []byte) []byte {
	data = bytes.Clone(data)
	if len(data) > superOff+superSize {
		binary.LittleEndian.PutUint16(data[superOff+0xc4:], BTRFS_CSUM_TYPE_XXHASH)
	}
	return data
}

func exercise(t testing.TB, data []byte, entries int) {
	b := fixture.Blob("vol", unsummed(data))
	f, err := Open(b, b.Size())
	if err != nil {
		return
	}
	fixture.FuzzVolume(t, f, b, entries)
	f.Subvolumes()
	if top, err := f.Select("subvol=/"); err == nil {
		fixture.FuzzVolume(t, top, b, entries)
	}
}

// used are the places of nodes that lead to files: a change elsewhere would not be read.
func used(f *FS) []int64 {
	var out []int64
	for _, id := range []uint64{5, 256} {
		if t, err := f.v.root(id); err == nil {
			if n, err := f.v.readNode(t.root, t.level); err == nil {
				out = append(out, n.off)
				for i := 0; n.level > 0 && i < n.count; i++ {
					if c, err := f.v.readNode(n.child(i), n.level-1); err == nil {
						out = append(out, c.off)
					}
				}
			}
		}
	}
	return out
}

func TestChangedBytes(t *testing.T) {
	whole := fixture.Zst(t, "testdata/full.btrfs.zst")
	b := fixture.Blob("full", whole)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	nodes := used(f)
	data := unsummed(whole)
	for i := range 120 {
		chance := rand.New(rand.NewSource(int64(i)))
		undo := map[int64]byte{}
		for range 1 + chance.Intn(20) {
			at := nodes[chance.Intn(len(nodes))] + int64(chance.Intn(16384))
			if i%10 == 0 {
				at = superOff + 0x30 + int64(chance.Intn(superSize-0x30))
			}
			if _, ok := undo[at]; !ok {
				undo[at] = data[at]
			}
			data[at] = byte(chance.Intn(256))
		}
		v := fixture.Blob("vol", data)
		if f, err := Open(v, v.Size()); err == nil {
			top, err := f.Top()
			if err == nil {
				fixture.FuzzVolume(t, top, v, 80)
			}
			f.Subvolumes()
		}
		for at, was := range undo {
			data[at] = was
		}
	}
}

func FuzzOpen(f *testing.F) {
	// What matters of a volume is too far apart for a seed: its superblock and its nodes are moved together.
	for _, name := range []string{"xxhash", "plain"} {
		f.Add(fixture.Zst(f, "testdata/"+name+".btrfs.zst")[superOff : superOff+superSize])
	}
	whole := unsummed(fixture.Zst(f, "testdata/xxhash.btrfs.zst"))
	f.Fuzz(func(t *testing.T, super []byte) {
		if len(super) > superSize {
			return
		}
		data := bytes.Clone(whole)
		copy(data[superOff:], super)
		exercise(t, data, 40)
	})
}

func FuzzLZO(f *testing.F) {
	f.Add([]byte{22, 'h', 'e', 'l', 'l', 'o', 0x11, 0, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		out := make([]byte, 4096)
		n, _ := lzo1x(out, src)
		require.LessOrEqual(t, n, len(out))
		unpackLZO(out, src, 4096)
	})
}

func TestNameHash(t *testing.T) {
	// btrfs-progs: "btrfs inspect-internal dump-tree" of any volume shows the key (ROOT_TREE_DIR DIR_ITEM
	// 2378154706) of "default".
	require.EqualValues(t, 2378154706, nameHash("default"))
}
