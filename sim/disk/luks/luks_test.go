package luks

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(Header1), 592))
	require.NoError(t, decode.CheckLayout(new(KeySlot1), 48))
	require.NoError(t, decode.CheckLayout(new(Header2), 4096))
}

func TestHeadersAreWhatCryptsetupPrints(t *testing.T) {
	for name, want := range map[string]string{"luks1": "LUKS1, aes-xts-plain64, 1 key slot", "luks2": "LUKS2, aes-xts-plain64, 1 key slot"} {
		b := fixture.Blob("disk0", fixture.Zst(t, "testdata/"+name+".img.zst"))
		got, err := Read(b)
		require.NoError(t, err)
		require.Equal(t, want, got.String())
		fixture.Cited(t, b.Size(), got.Cites...)
		dump, err := os.ReadFile("testdata/" + name + ".dump")
		require.NoError(t, err)
		field := func(pattern string) string {
			m := regexp.MustCompile(`(?m)^\s*` + pattern + `:\s*(\S+)`).FindStringSubmatch(string(dump))
			require.Len(t, m, 2, pattern)
			return m[1]
		}
		require.Equal(t, field("UUID"), got.UUID)
		if got.Version == 1 {
			require.Equal(t, field("Cipher name")+"-"+field("Cipher mode"), got.Cipher)
			require.Equal(t, strings.Count(string(dump), ": ENABLED"), got.KeySlots)
			continue
		}
		require.Equal(t, field("Label"), got.Label)
		require.Equal(t, field("cipher"), got.Cipher)
		require.Equal(t, strings.Count(string(dump), ": luks2"), got.KeySlots)
	}
}

func TestDamage(t *testing.T) {
	data := fixture.Zst(t, "testdata/luks2.img.zst")
	for name, tt := range map[string]struct {
		patch blob.Patch
		is    error
		want  string
	}{
		"no magic":      {blob.Patch{Off: 0, Data: []byte{0}}, decode.ErrFormat, "LUKS header: Magic"},
		"version 3":     {blob.Patch{Off: 7, Data: []byte{3}}, decode.ErrUnsupported, "want 1 or 2, got 3"},
		"mad size":      {blob.Patch{Off: 8, Data: []byte{1}}, nil, "LUKS2 header: Size: at disk0[0x8:+8]"},
		"changed label": {blob.Patch{Off: 0x18, Data: []byte("x")}, nil, "LUKS2 header: Csum: at disk0[0x1c0:+64]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(blob.Overlay(fixture.Blob("disk0", data), tt.patch))
			require.ErrorContains(t, err, tt.want)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, n := range []string{"luks1", "luks2"} {
		f.Add(fixture.Zst(f, "testdata/"+n+".img.zst")[:8192])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		b := fixture.Blob("disk0", data)
		if h, err := Read(b); err == nil {
			fixture.Cited(t, b.Size(), h.Cites...)
		}
	})
}
