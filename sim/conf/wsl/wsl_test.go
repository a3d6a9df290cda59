package wsl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	data := "# about\n[boot]\nsystemd=true # yes\n\n[user]\r\ndefault = \"ann\"\nnonsense\n[boot]\nSystemd = false\n"
	all := Parse([]byte(data))
	require.Len(t, all, 3)
	user, ok := Get(all, "user.default")
	require.True(t, ok)
	require.Equal(t, "ann", user.Value)
	require.Equal(t, `default = "ann"`, data[user.Off:user.Off+user.Len])
	systemd, _ := Get(all, "boot.systemd")
	require.Equal(t, "false", systemd.Value, "the last one counts")
	_, ok = Get(all, "boot.command")
	require.False(t, ok)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[boot]\nsystemd=true\n"))
	f.Add([]byte("]=[\n=\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range Parse(data) {
			require.LessOrEqual(t, s.Off+s.Len, int64(len(data)))
		}
	})
}
