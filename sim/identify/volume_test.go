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
