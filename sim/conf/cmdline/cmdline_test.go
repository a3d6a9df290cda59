package cmdline

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	l := Parse(`BOOT_IMAGE=/vmlinuz root=UUID=ab-cd ro  quiet dyndbg="file a.c +p" "x y=1 2" rootwait root=/dev/vda1 log_buf_len=1M rw -- 3 -x`)
	require.Equal(t, []Param{
		{"BOOT_IMAGE", "/vmlinuz", true}, {"root", "UUID=ab-cd", true}, {"ro", "", false}, {"quiet", "", false},
		{"dyndbg", "file a.c +p", true}, {"x y", "1 2", true}, {"rootwait", "", false}, {"root", "/dev/vda1", true},
		{"log_buf_len", "1M", true}, {"rw", "", false},
	}, l.Params)
	require.Equal(t, []string{"3", "-x"}, l.Init)
	root, ok := l.Get("root")
	require.True(t, ok)
	require.Equal(t, "/dev/vda1", root, "the last one counts")
	_, ok = l.Get("log-buf-len")
	require.True(t, ok, "- and _ are the same")
	require.False(t, l.ReadOnly())
	require.Equal(t, 4, l.LogLevel())
	require.Equal(t, 7, Parse("").LogLevel())
	require.Equal(t, []string{"single", "3", "-x"}, Parse("ro a.b single c=d -- 3 -x").InitArgs(func(n string) bool { return n == "ro" }))
}

func FuzzParse(f *testing.F) {
	f.Add(`a "b c"=d -- e`)
	f.Fuzz(func(t *testing.T, s string) { Parse(s) })
}
