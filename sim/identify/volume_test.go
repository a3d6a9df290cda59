package identify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestCompressedVolumesAreOpened(t *testing.T) {
	for path, want := range map[string]struct {
		kind string
		err  error
	}{
		"squashfs/testdata/gzip.sqfs": {"squashfs", nil},
		"squashfs/testdata/lzo.sqfs":  {"squashfs", decode.ErrUnsupported},
		"erofs/testdata/lz4.erofs":    {"erofs", nil},
		"xfs/testdata/v5.img":         {"xfs", nil},
		"btrfs/testdata/full.btrfs":   {"btrfs", nil},
	} {
		store, data := blob.NewStore(), fixture.Blob("volume", fixture.Zst(t, "../fsys/"+path+".zst"))
		im, err := Open(store, store.Add("volume", data, data.Size(), nil), nil)
		require.NoError(t, err, path)
		require.Len(t, im.Disk.Volumes, 1)
		v := im.Disk.Volumes[0]
		require.Equal(t, want.kind, v.Type)
		require.ErrorIs(t, v.Err, want.err)
		require.Equal(t, want.err == nil, v.FS != nil)
	}
}

func TestALogicalVolumeIsAVolume(t *testing.T) {
	store, data := blob.NewStore(), fixture.Blob("disk", fixture.Zst(t, "../disk/lvm/testdata/pv0.img.zst"))
	im, err := Open(store, store.Add("disk", data, data.Size(), nil), nil)
	require.NoError(t, err)
	var names []string
	for _, v := range im.Disk.Volumes {
		names = append(names, v.Name+":"+v.Type)
	}
	require.Equal(t, []string{":LVM2_member", "vg-a/root:ext4", "vg-a/data_1:", "vg-a/fast:", "vg-a/nothing:"}, names)
	require.Equal(t, "B00700-0001-0001-0001-0001-0001-B00701", im.Disk.Volumes[0].UUID)
	require.ErrorContains(t, im.Disk.Volumes[2].Err, "is not on this disk")
	require.Equal(t, "vg-a/root", im.RootVol.Name)
	require.Same(t, &im.Disk.Volumes[0], im.Disk.Volume(0))
}

func TestVolumesInVolumesAreNamed(t *testing.T) {
	for path, want := range map[string]struct{ kind, uuid, says string }{
		"luks/testdata/luks1.img.zst": {"crypto_LUKS", "b0070011-0000-4000-8000-000000000001", "LUKS1, aes-xts-plain64, 1 key slot: what it holds cannot be known without its passphrase"},
		"luks/testdata/luks2.img.zst": {"crypto_LUKS", "b0070011-0000-4000-8000-000000000002", "LUKS2, aes-xts-plain64, 1 key slot"},
		"md/testdata/v1.2.img.zst":    {"linux_raid_member", "b0070012-0000-4000-8000-000000000001", "md 1.2, raid5 of 3 devices"},
	} {
		store, data := blob.NewStore(), fixture.Blob("disk", fixture.Zst(t, "../disk/"+path))
		im, err := Open(store, store.Add("disk", data, data.Size(), nil), nil)
		require.NoError(t, err, path)
		v := im.Disk.Volumes[0]
		require.Equal(t, want.kind, v.Type)
		require.Equal(t, want.uuid, v.UUID)
		require.ErrorContains(t, v.Err, want.says)
		require.ErrorIs(t, v.Err, decode.ErrUnsupported)
	}
}

// A member of a mirror holds all of it: the array is a volume of its own.
func TestAMirrorIsReadFromOneMember(t *testing.T) {
	store, data := blob.NewStore(), fixture.Blob("disk", fixture.Zst(t, "../disk/md/testdata/v0.90.img.zst"))
	im, err := Open(store, store.Add("disk", data, data.Size(), nil), nil)
	require.NoError(t, err)
	member, array := im.Disk.Volumes[0], im.Disk.Volumes[len(im.Disk.Volumes)-1]
	require.Equal(t, "linux_raid_member", member.Type)
	require.Equal(t, "b0070012-0000-4000-8000-000000000001", member.UUID)
	require.NoError(t, member.Err)
	require.Equal(t, "md:b0070012000040008000000000000001", array.Name)
}
