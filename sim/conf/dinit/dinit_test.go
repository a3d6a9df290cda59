package dinit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParse reads descriptions written after dinit-service(5).
func TestParse(t *testing.T) {
	s := Parse("# a comment\ntype = scripted\ncommand = /etc/x.sh \"a b\" c\\ d\ndepends-on = one\ndepends-on: two\nwaits-for = three\nwaits-for.d = boot.d\noptions = starts-on-console starts-rwfs\nnonsense\n@include other\n")
	require.Equal(t, "scripted", s.Type)
	require.Equal(t, []string{"/etc/x.sh", "a b", "c d"}, s.Command)
	require.Equal(t, []string{"one", "two"}, s.DependsOn)
	require.Equal(t, []string{"three"}, s.WaitsFor)
	require.Equal(t, []string{"boot.d"}, s.WaitsDir)
	require.Equal(t, []string{"starts-on-console", "starts-rwfs"}, s.Options)
	require.Equal(t, []string{"nonsense", "@include other"}, s.Unsure)
	require.Equal(t, "process", Parse("command = /bin/x\n").Type, "the type of a service that names none")
	require.Equal(t, []string{"/bin/x", "-a"}, Parse("command = /bin/x\ncommand += -a\n").Command)
}

// FuzzParse: no panic, and every setting lies inside the text.
func FuzzParse(f *testing.F) {
	f.Add("type = process\ncommand = /bin/x \"\n")
	f.Add("a:b\n=\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range Parse(text).Settings {
			require.True(t, v.Off >= 0 && v.Off <= v.End && v.End <= len(text))
		}
	})
}
