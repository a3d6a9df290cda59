package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPresetsEnableUnitsOnAFirstBoot(t *testing.T) {
	install := func(section string) string { return service("Description=x") + "[Install]\n" + section + "\n" }
	root := tree(map[string]string{
		"etc/systemd/system-preset/50-a.preset":     "# first match decides\nenable on.service\ndisable off.service\nenable t@.service one two\n; more\nenable alias.service\ndisable *\n",
		"usr/lib/systemd/system-preset/50-a.preset": "enable off.service\n", // hidden by the one in /etc
		"usr/lib/systemd/system-preset/90-b.preset": "enable off.service\n",
		lib + "on.service":                          install("WantedBy=multi-user.target\nAlso=also.socket"),
		lib + "also.socket":                         "[Socket]\nListenStream=/run/a\n[Install]\nRequiredBy=sockets.target\n",
		lib + "off.service":                         install("WantedBy=multi-user.target"),
		lib + "t@.service":                          install("WantedBy=multi-user.target"),
		lib + "alias.service":                       install("Alias=other.service"),
		lib + "static.service":                      service(""),
	})
	var got []string
	for _, l := range Presets(Env{Root: root}) {
		got = append(got, l.Path+" "+l.Target)
		require.NotEmpty(t, l.Cites, l.Path)
	}
	const dir, file = "/etc/systemd/system/", " /usr/lib/systemd/system/"
	require.Equal(t, []string{
		dir + "other.service" + file + "alias.service",
		dir + "multi-user.target.wants/on.service" + file + "on.service",
		dir + "sockets.target.requires/also.socket" + file + "also.socket",
		dir + "multi-user.target.wants/t@one.service" + file + "t@.service",
		dir + "multi-user.target.wants/t@two.service" + file + "t@.service",
	}, got)
}

func TestTheCommandLineRunsOneCommandInstead(t *testing.T) {
	m := NewManager(Env{Root: tree(map[string]string{"usr/lib/systemd/system-generators/systemd-run-generator*": "x", lib + "default.target": "[Unit]\n"}),
		Cmdline: `"systemd.run=/bin/a b" systemd.run=/bin/c systemd.run_failure_action=none`})
	u := m.Load("default.target")
	require.Equal(t, "kernel-command-line.target", u.ID)
	s := m.Load("kernel-command-line.service")
	require.Len(t, s.Service.Start, 2)
	require.Equal(t, []string{"/bin/a", "b"}, s.Service.Start[0].Argv)
	require.Equal(t, "exit", s.setting("Unit", "SuccessAction"))
	require.Equal(t, "none", s.setting("Unit", "FailureAction"))
}
