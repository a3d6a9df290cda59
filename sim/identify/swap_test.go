package identify

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/tests/fixture"
)

func TestASwapAreaIsWhatBlkidPrints(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(swapHeader), 44))
	want := map[string]string{}
	for _, line := range fixture.Lines(t, "testdata/swap.blkid") {
		key, value, _ := strings.Cut(line, "=")
		want[key] = strings.ReplaceAll(value, `\ `, " ")
	}
	store, data := blob.NewStore(), fixture.Blob("disk", fixture.Zst(t, "testdata/swap.img.zst"))
	im, err := Open(store, store.Add("disk", data, data.Size(), nil), nil)
	require.NoError(t, err)
	require.Len(t, im.Disk.Volumes, 1)
	v := im.Disk.Volumes[0]
	require.Equal(t, want["TYPE"], v.Type)
	require.Equal(t, want["UUID"], v.UUID)
	require.Equal(t, want["LABEL"], v.Label)
	fixture.Cited(t, data.Size(), v.Cites...)
}

// Another version names nothing, and an area that ends early is none.
func TestDamagedSwapAreas(t *testing.T) {
	data := fixture.Zst(t, "testdata/swap.img.zst")
	data[1024] = 2
	var v disk.Volume
	nameSwap(&v, fixture.Blob("disk", data))
	nameSwap(&v, fixture.Blob("disk", data[:1024+43]))
	require.Zero(t, v)
}

func FuzzSwap(f *testing.F) {
	f.Add(fixture.Zst(f, "testdata/swap.img.zst")[1024 : 1024+44])
	f.Fuzz(func(t *testing.T, header []byte) {
		b := fixture.Blob("disk", append(make([]byte, 1024), header...))
		var v disk.Volume
		nameSwap(&v, b)
		require.LessOrEqual(t, len(v.Label), 16)
		fixture.Cited(t, b.Size(), v.Cites...)
	})
}
