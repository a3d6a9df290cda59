package md

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

var versions = []string{"0.90", "1.0", "1.1", "1.2"}

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Super1), 256))
	require.NoError(t, decode.CheckLayout(new(Super090), 0x9c))
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
	})
}
