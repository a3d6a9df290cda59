package lsb

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The example of LSB 5.0, "Comment Conventions for Init Scripts", with insserv's addition.
const example = `#!/bin/sh
### BEGIN INIT INFO
# Provides: lsb-ourdb
# Required-Start: $local_fs $network $remote_fs
# Required-Stop: $local_fs $network $remote_fs
# Should-Start: apache
# X-Start-Before: gdm
# Default-Start:  2 3 4 5
# Default-Stop:   0 1 6
# Short-Description: start and stop OurDB
# Description: OurDB is a very fast and reliable database
#     Required-Start: not a keyword, a continued line
### END INIT INFO
echo
`

func TestParse(t *testing.T) {
	h, ok := Parse(example)
	require.True(t, ok)
	require.Equal(t, "### BEGIN INIT INFO", example[h.Off:h.Off+19])
	require.Equal(t, "### END INIT INFO", example[h.End-17:h.End])
	require.Equal(t, []string{"lsb-ourdb"}, h.Provides)
	require.Equal(t, []string{"$local_fs", "$network", "$remote_fs"}, h.RequiredStart)
	require.Equal(t, []string{"apache"}, h.ShouldStart)
	require.Equal(t, []string{"gdm"}, h.StartBefore)
	require.Equal(t, "start and stop OurDB", h.ShortDescription)
	_, ok = Parse("### BEGIN INIT INFO\n# Provides: a\n")
	require.False(t, ok, "a block without an end is none")
}

func TestFacilities(t *testing.T) {
	f := Facilities{}
	f.Parse("# comment\n$local_fs\t+mountall +umountfs\n$remote_fs $local_fs +mountnfs\n$loop $loop a\n")
	require.Equal(t, []Member{{"mountall", true}, {"umountfs", true}, {"mountnfs", true}}, f.Expand("$remote_fs"))
	require.Equal(t, []Member{{"a", false}}, f.Expand("$loop"))
	require.Equal(t, []Member{{"udev", false}}, f.Expand("udev"))
	require.Empty(t, f.Expand("$nothing"))
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("$a $b\n$b $a c\n")
	f.Fuzz(func(t *testing.T, text string) {
		if h, ok := Parse(text); ok {
			require.True(t, 0 <= h.Off && h.Off < h.End && h.End <= len(text))
		}
		fac := Facilities{}
		fac.Parse(text)
		for name := range fac {
			fac.Expand(name)
		}
	})
}
