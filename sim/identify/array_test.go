package identify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/tests/fixture"
)

// A member of a mirror holds all of its data: with metadata 1.0 a file system begins where the member does.
func TestOneMemberOfAMirrorIsEnough(t *testing.T) {
	member := fixture.Zst(t, "../disk/md/testdata/v1.0.img.zst")
	store := blob.NewStore()
	b := fixture.Blob("disk", member)
	im, err := Open(store, store.Add("member.img", b, b.Size(), nil), nil)
	require.NoError(t, err)
	require.Len(t, im.Disk.Volumes, 2)
	require.Equal(t, "linux_raid_member", im.Disk.Volumes[0].Type)
	require.NoError(t, im.Disk.Volumes[0].Err)
	array := im.Disk.Volumes[1]
	require.Equal(t, "md:b0070012000040008000000000000001", array.Name)
	require.EqualValues(t, 1024*512, array.Size)
	require.Zero(t, array.Off)

	member = fixture.Zst(t, "../disk/md/testdata/v1.2.img.zst")
	store, b = blob.NewStore(), fixture.Blob("disk", member)
	im, err = Open(store, store.Add("member.img", b, b.Size(), nil), nil)
	require.NoError(t, err)
	require.ErrorContains(t, im.Disk.Volumes[1].Err, "raid5 of 3 devices")
	require.ErrorContains(t, im.Disk.Volumes[0].Err, "raid5 of 3 devices")
}
