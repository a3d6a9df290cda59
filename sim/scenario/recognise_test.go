package scenario

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestWordsLeaveOutWhatDiffers(t *testing.T) {
	r := newReader()
	for _, same := range [][2]string{
		{"[    1.734291] Kernel panic: unknown-block(0,0)", "Kernel panic: unknown-block(8,1)"},
		{"exec /x/dyn: no such file or directory", "exec ./bin/server: no such file or directory"},
		{`exec: "bash": not found`, `exec: "my tool": not found`},
		{"ALERT!  UUID=deadbeef-0000-4000-8000-000000000000 does not exist", "ALERT!  UUID=3f1c2d44-9d3e-4c1e-8a3b-0f5d2f1e7a11 does not exist"},
		{"container 0123456789ab failed", "container fedcba987654321 failed"},
	} {
		require.Equal(t, r.words(same[0]), r.words(same[1]))
	}
	require.NotEqual(t, r.words("error: file `/boot/vmlinuz' not found."), r.words("error: no such partition."))
}

// Any text is answered, in bounded time, with scores that fall.
func FuzzRecognise(f *testing.F) {
	gallery := []Named{{Name: "n", Expect: Expected{Kind: "a.b"}, Errors: []string{"exec /hello: exec format error", "GRUB GRUB"}}}
	printed := []Printed{{Kind: "c.d", Lines: []string{"Freeing initrd memory: 13008K"}}}
	f.Add("exec /x: exec format error\nGRUB GRUB GRUB")
	f.Add("\x1b[31m[ 1.0] 'a' \"b\" `c' //// 0x0000000")
	f.Fuzz(func(t *testing.T, text string) {
		last := 100
		for _, c := range Recognise(gallery, printed, text) {
			require.True(t, c.Score >= scoreMin && c.Score <= last, "%+v", c)
			last = c.Score
		}
	})
}

func TestTheGalleryIsReadStrictly(t *testing.T) {
	dir := fstest.MapFS{
		"index.json": {Data: []byte(`[{"theme":"a","title":{"en":"A","zh":"甲"},"scenarios":["one"]}]`)},
		"one.json":   {Data: []byte(`{"theme":"a","src":"s"}`)},
		"typo.json":  {Data: []byte(`{"theme":"a","sourc":"s"}`)},
	}
	all, err := Gallery(dir)
	require.NoError(t, err)
	require.Equal(t, []Named{{Name: "one", Theme: "a", Src: "s"}}, all)
	for _, name := range []string{"typo", "none", "index", "../one", ""} {
		_, err := Find(dir, name)
		require.Error(t, err, name)
	}
}

func TestSwitchesAreLaidOverAScenario(t *testing.T) {
	base := RunSettings{Firmware: "uefi", Set: map[string]string{"cmdline": "a"}, Remove: []string{"/x"}}
	got := base.With(RunSettings{MemoryMiB: 64, Set: map[string]string{"config.User": `"0"`}})
	require.Equal(t, RunSettings{Firmware: "uefi", MemoryMiB: 64, Set: map[string]string{"cmdline": "a", "config.User": `"0"`}, Remove: []string{"/x"}}, got)
	require.Equal(t, map[string]string{"cmdline": "a"}, base.Set, "the scenario's own map stays")
}
