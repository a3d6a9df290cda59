package openrc

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/conf/lsb"
)

// After openrc-run(8), "DEPENDENCIES".
const example = `#!/sbin/openrc-run
description="Example daemon"
name="example"
command=/usr/bin/exampled
depend() {
	need net
	use logger dns
	after firewall
	before netmount
	provide example-thing
	keyword -docker -lxc
	[ -n "$X" ] && need maybe
	need "$Y"
}
`

func service(t *testing.T, name, text string) *Service {
	f := lsb.Facilities{}
	f.Parse("$local_fs +mountall\n$remote_fs $local_fs +mountnfs\n")
	s, ok, err := Parse(name, text, f)
	require.NoError(t, err)
	require.True(t, ok)
	return s
}

func TestParse(t *testing.T) {
	s := service(t, "x", example)
	require.Equal(t, []string{"net"}, s.Need)
	require.Equal(t, []string{"logger", "dns"}, s.Use)
	require.Equal(t, []string{"firewall"}, s.After)
	require.Equal(t, []string{"netmount"}, s.Before)
	require.Equal(t, "/usr/bin/exampled", s.Command)
	require.Equal(t, "example", s.Label)
	require.True(t, s.Has("-lxc"))
	require.Equal(t, []string{"need maybe", "need"}, s.Unsure)
	require.Contains(t, example[s.Off:s.End], "depend()")
	_, ok, err := Parse("sh", "#!/bin/sh\necho\n", nil)
	require.False(t, ok, "a plain script is no service")
	require.NoError(t, err)
}

func TestLSB(t *testing.T) {
	s := service(t, "cron", "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: cron\n# Required-Start: $remote_fs udev\n# Should-Start: $network slapd\n# Short-Description: runs\n### END INIT INFO\n")
	require.True(t, s.LSB)
	require.Equal(t, []string{"udev"}, s.Need)
	require.Equal(t, []string{"mountall", "mountnfs", "slapd"}, s.Use)
	require.Equal(t, "runs", s.Description)
}

func names(list []Start) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.Name)
	}
	return out
}

func TestOrder(t *testing.T) {
	svc := func(name, depend string) *Service {
		return service(t, name, "#!/sbin/openrc-run\ndepend() {\n:\n"+depend+"\n}\n")
	}
	tree := NewTree([]*Service{svc("a", "need net"), svc("b", "before a\nuse idle"), svc("eth", "provide net\nafter c"), svc("c", ""),
		svc("idle", ""), svc("last", "after *"), svc("loop1", "need loop2"), svc("loop2", "need loop1"), svc("lost", "need nothing-there")})
	got := tree.Order([]string{"last", "a", "b", "c", "lost", "loop1"}, nil)
	require.Equal(t, []string{"c", "eth", "b", "a", "lost", "loop2", "loop1", "last"}, names(got))
	all := names(got)
	for _, pair := range [][2]string{{"eth", "a"}, {"b", "a"}, {"c", "last"}, {"lost", "last"}} {
		require.Less(t, slices.Index(all, pair[0]), slices.Index(all, pair[1]), "%v in %v", pair, all)
	}
	require.NotContains(t, all, "idle", "use starts nothing")
	require.Len(t, all, 8, "loops end")
	for _, s := range got {
		if s.Name == "eth" {
			require.Equal(t, "a", s.By)
		}
		if s.Name == "lost" {
			require.Equal(t, []string{"nothing-there"}, s.Missing)
		}
	}
	require.Empty(t, tree.Order([]string{"c"}, []string{"c"}))
}

func TestSettings(t *testing.T) {
	m, err := Settings("# rc_parallel=\"YES\"\nrc_parallel=\"NO\"\nif true; then x=1; fi\ny=$z\n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"rc_parallel": "NO"}, m)
	require.True(t, Yes("YES"))
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("#!/bin/sh\n### BEGIN INIT INFO\n# Provides: a\n# Required-Start: $all a\n### END INIT INFO\n")
	f.Fuzz(func(t *testing.T, text string) {
		Settings(text)
		s, ok, err := Parse("a", text, lsb.Facilities{})
		if !ok || err != nil {
			return
		}
		require.True(t, 0 <= s.Off && s.Off <= s.End && s.End <= len(text))
		o := *s
		o.Name = "b"
		require.LessOrEqual(t, len(NewTree([]*Service{s, &o}).Order([]string{"b", "a"}, nil)), 2)
	})
}
