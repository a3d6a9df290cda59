package inittab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The example of inittab(5), shortened, with mistakes behind it.
const example = `# inittab for linux
id:1:initdefault:
rc::bootwait:/etc/rc
1:1:respawn:/etc/getty 9600 tty1
si::sysinit:/etc/init.d/rcS
l2:2:wait:/etc/init.d/rc 2
ca::ctrlaltdel:/sbin/shutdown -t1 -r now
T0:23:respawn:/sbin/getty -L ttyS0 115200 a:b
`

func TestParse(t *testing.T) {
	list, bad := Parse(example)
	require.Empty(t, bad)
	require.Len(t, list, 7)
	last := list[6]
	require.Equal(t, "T0:23:respawn:/sbin/getty -L ttyS0 115200 a:b", example[last.Off:last.End])
	require.Equal(t, "/sbin/getty -L ttyS0 115200 a:b", last.Process, "colons belong to the process")
	require.True(t, last.In("2"))
	require.False(t, last.In("4"))
	require.False(t, list[3].In("2"), "sysinit ignores runlevels")
	require.True(t, list[5].In("5"), "no level means every level")
	level, _, ok := Default(list)
	require.True(t, ok)
	require.Equal(t, "1", level)
}

func TestWhatInitRefuses(t *testing.T) {
	_, bad := Parse("a\nb:2\nc:2:wait\nlong5:2:wait:/x\nd:2:often:/x\ne:2:wait:/x\ne:2:wait:/y\n:2:wait:/x\n")
	var texts []string
	for _, p := range bad {
		texts = append(texts, p.Text)
	}
	require.Equal(t, []string{"missing runlevel field", "missing action field", "missing process field", "id field too long (max 4 characters)",
		"unknown action field", `duplicate ID field "e"`, "missing id field"}, texts)
	require.Equal(t, 7, bad[5].Line)
	_, _, ok := Default(nil)
	require.False(t, ok, "init asks for a runlevel")
}

func TestBusybox(t *testing.T) {
	list, bad := ParseBusybox("::sysinit:/etc/init.d/rcS\n::askfirst:-/bin/sh\n/dev/tty2::respawn:/sbin/getty 38400 tty2\n::initdefault:\n::boot:/x\n")
	require.Len(t, list, 3)
	require.Equal(t, "tty2", list[2].ID)
	require.Len(t, bad, 2, "other actions and empty processes are bad entries")
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("a:::\n:::::\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) ([]Entry, []Problem){Parse, ParseBusybox} {
			list, bad := parse(text)
			require.LessOrEqual(t, len(list)+len(bad), maxEntries)
			for _, e := range list {
				require.True(t, 0 <= e.Off && e.Off < e.End && e.End <= len(text))
				e.In("2")
			}
			for _, p := range bad {
				require.True(t, 0 <= p.Off && p.Off < p.End && p.End <= len(text))
			}
			Default(list)
		}
	})
}
