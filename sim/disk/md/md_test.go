package md

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/tests/fixture"
)

var versions = []string{"0.90", "1.0", "1.1", "1.2"}

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Super1), 256))
	require.NoError(t, decode.CheckLayout(new(Super090), 0xf94))
}

func TestMembersAreWhatMdadmExamines(t *testing.T) {
	for _, v := range versions {
		b := fixture.Blob("disk0", fixture.Zst(t, "testdata/v"+v+".img.zst"))
		got, err := Read(b, b.Size())
		require.NoError(t, err, v)
		fixture.Cited(t, b.Size(), got.Cites...)
		report, err := os.ReadFile("testdata/v" + v + ".examine")
		require.NoError(t, err)
		field := func(pattern string) string {
			m := regexp.MustCompile(`(?m)^\s*` + pattern + ` : (\S+)`).FindStringSubmatch(string(report))
			require.Len(t, m, 2, pattern)
			return m[1]
		}
		require.Contains(t, field("Version"), v)
		require.Equal(t, v, got.Version)
		require.Equal(t, field("(?:Array )?UUID"), got.UUID)
		require.Equal(t, field("Raid Level"), got.Level)
		require.Equal(t, field("Raid Devices"), strconv.Itoa(got.Disks))
		if v != "0.90" {
			require.Equal(t, field("Name"), got.Name)
		}
	}
}

func TestDamage(t *testing.T) {
	for v, off := range map[string]int64{"0.90": 0xf0000 + 0x20, "1.2": 4096 + 0x48} {
		b := fixture.Blob("disk0", fixture.Zst(t, "testdata/v"+v+".img.zst"))
		_, err := Read(blob.Overlay(b, blob.Patch{Off: off, Data: []byte{0x77}}), b.Size())
		require.ErrorContains(t, err, "md superblock: Csum: at disk0[")
		require.NotErrorIs(t, err, decode.ErrFormat)
		_, err = Read(blob.Overlay(b, blob.Patch{Off: off &^ 0xfff, Data: []byte{0x77}}), b.Size())
		require.ErrorIs(t, err, decode.ErrFormat)
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range versions {
		data := fixture.Zst(f, "testdata/v"+v+".img.zst")
		f.Add(data[:8192])
		f.Add(data[0xf0000:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 128<<10 {
			return
		}
		b := fixture.Blob("disk0", data)
		if m, err := Read(b, b.Size()); err == nil {
			fixture.Cited(t, b.Size(), m.Cites...)
		}
		d := &disk.Disk{R: b, Size: b.Size(), Volumes: []disk.Volume{{R: b, Size: b.Size(), Type: "linux_raid_member"}}}
		for _, a := range Arrays(d) {
			if v := a.Volume(d); v.R != nil {
				require.True(t, v.Off >= 0 && v.Size >= 0 && v.Off+v.Size <= d.Size)
			}
		}
	})
}

func TestMirrorsArePutTogether(t *testing.T) {
	for _, v := range []string{"0.90", "1.0"} {
		data := fixture.Zst(t, "testdata/v"+v+".img.zst")
		b := fixture.Blob("disk0", data)
		m, err := Read(b, b.Size())
		require.NoError(t, err)
		require.True(t, m.InSync, v)
		require.EqualValues(t, 2, m.Disks)
		d := &disk.Disk{Name: "disk0", R: b, Size: b.Size(), Volumes: []disk.Volume{{Partition: 1, R: b, Size: b.Size(), Type: "linux_raid_member"}}}
		list := Arrays(d)
		require.Len(t, list, 1)
		require.NoError(t, list[0].Err)
		require.Equal(t, 1, list[0].Present)
		require.EqualValues(t, 0, list[0].At)
		vol := list[0].Volume(d)
		require.Equal(t, m.Size, vol.Size)
		require.NoError(t, vol.Err)
	}
	b := fixture.Blob("disk0", fixture.Zst(t, "testdata/v1.2.img.zst"))
	d := &disk.Disk{Name: "disk0", R: b, Size: b.Size(), Volumes: []disk.Volume{{Partition: 1, R: b, Size: b.Size(), Type: "linux_raid_member"}}}
	require.ErrorIs(t, Arrays(d)[0].Err, decode.ErrUnsupported)
	require.ErrorContains(t, Arrays(d)[0].Err, "raid5 of 3 devices")
	require.Nil(t, Arrays(d)[0].Volume(d).R)
}
