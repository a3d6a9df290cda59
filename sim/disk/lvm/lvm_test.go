package lvm

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys/ext4"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Label), 32))
	require.NoError(t, decode.CheckLayout(new(Header), 40))
	require.NoError(t, decode.CheckLayout(new(Area), 16))
	require.NoError(t, decode.CheckLayout(new(AreaHeader), 136))
	require.NoError(t, decode.CheckLayout(new(Location), 24))
	require.NoError(t, decode.CheckLayout(new(ThinSuperblock), 0x154)) // read up to the size of a chunk
	require.NoError(t, decode.CheckLayout(new(BtreeHeader), 32))
	require.NoError(t, decode.CheckLayout(new(RaidSuperblock), 48)) // read up to the level
}

// both is a disk with the two physical volumes one behind the other.
func both(t testing.TB) (*blob.Blob, []Member) {
	one, two := fixture.Zst(t, "testdata/pv0.img.zst"), fixture.Zst(t, "testdata/pv1.img.zst")
	b := fixture.Blob("disk0", append(one[:len(one):len(one)], two...))
	var out []Member
	for _, p := range []struct{ off, size int }{{0, len(one)}, {len(one), len(two)}} {
		pv, err := ReadPV(blob.Section(b, int64(p.off), int64(p.size)), int64(p.size))
		require.NoError(t, err)
		require.NoError(t, pv.Err)
		out = append(out, Member{pv, int64(p.off)})
	}
	return b, out
}

func TestPhysicalVolumesAreWhatPvsPrints(t *testing.T) {
	var want struct {
		Report []struct {
			PV []struct {
				UUID   string `json:"pv_uuid"`
				Start  string `json:"pe_start"`
				Name   string `json:"vg_name"`
				Group  string `json:"vg_uuid"`
				Extent string `json:"vg_extent_size"`
			}
		}
	}
	fixture.JSON(t, "testdata/pvs.json", &want)
	b, got := both(t)
	require.Len(t, want.Report[0].PV, len(got))
	for i, w := range want.Report[0].PV {
		g := got[i].PV.Group
		require.Equal(t, w.UUID, got[i].PV.UUID)
		require.Equal(t, w.Name, g.Name)
		require.Equal(t, w.Group, g.UUID)
		require.Equal(t, w.Extent, strconv.FormatInt(g.ExtentSize, 10))
		require.Equal(t, w.UUID, g.Members[i].UUID)
		require.Equal(t, w.Start, strconv.FormatInt(g.Members[i].Start, 10))
		fixture.Cited(t, b.Size(), got[i].PV.Cites...)
		fixture.Cited(t, b.Size(), g.Cites...)
	}
}

func TestLogicalVolumesAreWhatLvsPrints(t *testing.T) {
	var want struct {
		Report []struct {
			Seg []struct {
				Name   string `json:"lv_full_name"`
				UUID   string `json:"lv_uuid"`
				Size   string `json:"lv_size"`
				Type   string `json:"segtype"`
				Start  string `json:"seg_start"`
				Ranges string `json:"seg_pe_ranges"`
			}
		}
	}
	fixture.JSON(t, "testdata/lvs.json", &want)
	b, members := both(t)
	got := map[string]Volume{}
	for _, v := range Open(b, members) {
		got[v.Name] = v
		fixture.Cited(t, b.Size(), v.Cites...)
	}
	require.Len(t, got, 4)
	base := map[string]int64{"pv0": members[0].Off, "pv1": members[1].Off}
	for _, w := range want.Report[0].Seg {
		v, ok := got[w.Name]
		require.True(t, ok, w.Name)
		require.Equal(t, w.UUID, v.UUID)
		require.Equal(t, w.Size, strconv.FormatInt(v.Size, 10))
		require.True(t, v.Visible)
		require.Equal(t, w.Type != "linear", v.Err != nil)
		if v.Err != nil {
			require.ErrorIs(t, v.Err, decode.ErrUnsupported)
			require.Nil(t, v.R)
			continue
		}
		name, extents, _ := strings.Cut(w.Ranges, ":")
		first, _, _ := strings.Cut(extents, "-")
		n, err := strconv.ParseInt(first, 10, 64)
		require.NoError(t, err)
		start, err := strconv.ParseInt(w.Start, 10, 64)
		require.NoError(t, err)
		require.Equal(t, base[name]+(1<<20)+n<<20, v.R.Locate(start, 1)[0].Off)
	}
	require.ErrorContains(t, got["vg-a/fast"].Err, "striped over 2")
	require.ErrorContains(t, got["vg-a/nothing"].Err, `type "zero"`)
}

func TestAFileSystemOnALogicalVolumeOpens(t *testing.T) {
	b, members := both(t)
	for _, v := range Open(b, members) {
		if v.Name == "vg-a/root" {
			f, err := ext4.Open(v.R, v.Size)
			require.NoError(t, err)
			require.Equal(t, "lvroot", f.Info().Label)
		}
	}
}

func TestAMissingPhysicalVolumeIsNamed(t *testing.T) {
	b, members := both(t)
	require.Empty(t, members[0].PV.Group.Missing(members))
	require.Equal(t, []string{"B00700-0001-0001-0001-0001-0001-B00702"}, members[0].PV.Group.Missing(members[:1]))
	for _, v := range Open(b, members[:1]) {
		switch v.Name {
		case "vg-a/root":
			require.NoError(t, v.Err)
		case "vg-a/data_1":
			require.ErrorContains(t, v.Err, "pv1 (B00700-0001-0001-0001-0001-0001-B00702) is not on this disk")
		}
	}
}

func TestDamage(t *testing.T) {
	data := fixture.Zst(t, "testdata/pv0.img.zst")
	for name, tt := range map[string]struct {
		patch blob.Patch
		want  string
		area  bool
	}{
		"no label":     {blob.Patch{Off: 512, Data: []byte{0}}, "none in the first four sectors", false},
		"wrong crc":    {blob.Patch{Off: 0x240, Data: []byte{0xff}}, "LVM2 label: CRC: at disk0[0x210:+4]", false},
		"wrong sector": {blob.Patch{Off: 0x208, Data: []byte{2}}, "LVM2 label: Sector: at disk0[0x208:+8]: want 1, got 2", false},
		"wrong area":   {blob.Patch{Off: 0x1030, Data: []byte{0xff}}, "LVM2 metadata area: CRC: at disk0[0x1000:+4]", true},
	} {
		t.Run(name, func(t *testing.T) {
			pv, err := ReadPV(blob.Overlay(fixture.Blob("disk0", data), tt.patch), int64(len(data)))
			if tt.area {
				require.NoError(t, err)
				require.Nil(t, pv.Group)
				err = pv.Err
			}
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, name == "no label", errors.Is(err, decode.ErrFormat))
		})
	}
}

func TestATextThatWrapsIsReadAsOne(t *testing.T) {
	text := "vg { id = \"x\" seqno = 1 extent_size = 8 # none\nlist = [ ] }"
	data := []byte(strings.Repeat(" ", 600))
	copy(data[580:], text[:20])
	copy(data[512:], text[20:])
	ring := blob.Mapped(fixture.Blob("disk0", data), int64(len(text)), []blob.Extent{{Len: 20, Phys: 580}, {Off: 20, Len: int64(len(text)) - 20, Phys: 512}})
	got := make([]byte, len(text))
	_, err := ring.ReadAt(got, 0)
	require.NoError(t, err)
	g, err := parseGroup(ring, got)
	require.NoError(t, err)
	require.Equal(t, int64(4096), g.ExtentSize)
	fixture.Cited(t, 600, g.Cites...)
}

func FuzzText(f *testing.F) {
	f.Add([]byte(`vg { id = "a-b" seqno = 3 extent_size = 8 physical_volumes { pv0 { id = "u" pe_start = 2048 pe_count = 9 } }
logical_volumes { root { id = "r" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 4 type = "striped" stripe_count = 1 stripes = ["pv0", 3] } } } }`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return
		}
		b := fixture.Blob("disk0", text)
		g, err := parseGroup(b, text)
		if err != nil {
			return
		}
		for _, v := range Open(b, []Member{{PV: &PV{UUID: "u", Group: g}}}) {
			require.GreaterOrEqual(t, v.Size, int64(0))
			require.Equal(t, v.Err == nil, v.R != nil)
			fixture.Cited(t, b.Size(), v.Cites...)
			if v.R != nil {
				v.R.ReadAt(make([]byte, 8), v.Size/2)
			}
		}
	})
}

func FuzzReadPV(f *testing.F) {
	data := fixture.Zst(f, "testdata/pv0.img.zst")
	f.Add(data[512:1024], data[4096:4608])
	f.Fuzz(func(t *testing.T, label, area []byte) {
		if len(label) > 512 || len(area) > 512 {
			return
		}
		disk := make([]byte, 64<<10)
		copy(disk[512:], label)
		copy(disk[4096:], area)
		b := fixture.Blob("disk0", disk)
		pv, err := ReadPV(b, b.Size())
		if err == nil {
			fixture.Cited(t, b.Size(), pv.Cites...)
		}
	})
}
