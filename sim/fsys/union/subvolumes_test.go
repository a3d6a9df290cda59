package union_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/fsys"
	"bootpath/sim/fsys/btrfs"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/union"
	"bootpath/tests/fixture"
)

// volume is the fixture whose default subvolume is @home, beside @, @/nested and @snap.
func volume(t testing.TB) *btrfs.FS {
	b := fixture.Blob("full", fixture.Zst(t, "../btrfs/testdata/full.btrfs.zst"))
	f, err := btrfs.Open(b, b.Size())
	require.NoError(t, err)
	return f
}

// pick shows what a mount with these options shows.
func pick(t testing.TB, f fsys.FS, options string) fsys.FS {
	out, err := f.(fsys.Subvolumes).Select(options)
	require.NoError(t, err)
	return out
}

func read(t testing.TB, f fsys.FS, name string) string {
	data, err := fsys.ReadFile(f, name, 1<<20)
	require.NoError(t, err)
	return string(data)
}

func TestEditOfASubvolumeIsSeenFromAllOfTheVolume(t *testing.T) {
	whole := volume(t)
	edited := union.Edit(pick(t, whole, "subvol=@"), []string{"/zlib/numbers", "many"}, map[string][]byte{
		"etc/hostname": []byte("other\n"), "nested/file": []byte("outside\n")})

	top, err := edited.(fsys.Subvolumes).Top()
	require.NoError(t, err)
	for prefix, f := range map[string]fsys.FS{
		"":   pick(t, edited, "subvol=@"),
		"@/": top,
	} {
		require.Equal(t, "other\n", read(t, f, prefix+"etc/hostname"))
		require.Equal(t, "outside\n", read(t, f, prefix+"nested/file"))
		_, err = f.Lstat(prefix + "zlib/numbers")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, fstest.TestFS(f, prefix+"etc/hostname"))
	}
	require.Equal(t, "outside\n", read(t, pick(t, edited, "subvolid=258"), "file"), "a subvolume inside the edited one")

	for _, options := range []string{"", "subvol=@home", "subvol=/@home,subvolid=257"} {
		f := pick(t, edited, options)
		place, err := f.(fsys.Subvolumes).Place()
		require.NoError(t, err)
		require.Equal(t, "@home", place, options)
		_, err = f.Lstat("big")
		require.NoError(t, err)
	}
	_, err = pick(t, edited, "subvol=@snap").Lstat("many")
	require.NoError(t, err, "a snapshot stays what it was")
}

func TestEditKeepsTheErrorsOfSelect(t *testing.T) {
	top, err := volume(t).Top()
	require.NoError(t, err)
	edited := union.Edit(top, []string{"@home"}, map[string][]byte{"@snap": nil})
	for options, want := range map[string]error{
		"subvol=@home":              fs.ErrNotExist, // removed
		"":                          fs.ErrNotExist, // it was the default
		"subvol=@snap":              fs.ErrInvalid,  // a file now
		"subvol=none":               fs.ErrNotExist,
		"subvol=@/zlib":             fs.ErrInvalid,
		"subvol=@,subvolid=257":     fs.ErrInvalid,
		"subvolid=12345":            fs.ErrNotExist,
		"compress=zstd,subvol=@":    nil,
		"subvol=@/nested,noatime":   nil,
		"subvolid=5,space_cache=v2": nil,
	} {
		_, err := edited.(fsys.Subvolumes).Select(options)
		require.ErrorIs(t, err, want, options)
	}
}

func TestEditsOfOneVolumeAddUp(t *testing.T) {
	f := union.Edit(pick(t, volume(t), "subvol=@"), nil, map[string][]byte{"one": []byte("1")})
	f = union.Edit(pick(t, f, ""), nil, map[string][]byte{"two": []byte("2")})
	require.Equal(t, "1", read(t, pick(t, f, "subvolid=256"), "one"))
	require.Equal(t, "2", read(t, pick(t, f, "subvolid=257"), "two"))
	require.EqualValues(t, 257, f.(fsys.Subvolumes).ID())
}

func TestOriginalKnowsTheJournal(t *testing.T) {
	image := fixture.Xz(t, "../ext4/testdata/ext3.img.xz")
	image[1024+0x60] |= 4 // s_feature_incompat, needs_recovery
	b := fixture.Blob("ext3", image)
	f, err := ext4.Open(b, b.Size())
	require.NoError(t, err)
	for _, f := range []fsys.FS{f, union.Edit(f, nil, map[string][]byte{"a": nil})} {
		exists, replay := fsys.Original(f).(*ext4.FS).Journal()
		require.True(t, exists && replay)
	}
}
