package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
)

// The tree is that of the latest run, and says what its settings changed.
func TestTreeShowsWhatTheSettingsChanged(t *testing.T) {
	s := benchSession(t, "../../content/samples/debian-bios.slice")
	marks := func(dir string) map[string]string {
		l, err := s.Tree(0, dir, 0, 0)
		require.NoError(t, err)
		require.Equal(t, len(l.Entries), l.Total)
		out := map[string]string{}
		for _, e := range l.Entries {
			if e.Patched != "" {
				require.Equal(t, e.Patched == "removed", e.Gone, e.Name)
				out[e.Name] = e.Patched
			}
		}
		return out
	}
	text := func(path string, layer int) string {
		_, b, err := s.File(0, layer, path, 0, 20)
		require.NoError(t, err)
		return string(b)
	}
	came := text("/etc/fstab", -1)
	_, err := s.Run(scenario.RunSettings{Remove: []string{"/etc/hostname", "/bin/sh"}, Write: map[string]string{"/etc/fstab": "# nothing\n", "/etc/new/file": "x"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"hostname": "removed", "fstab": "written", "new": "added"}, marks("/etc"))
	require.Equal(t, map[string]string{"file": "added"}, marks("/etc/new"))
	require.Equal(t, map[string]string{"sh": "removed"}, marks("/bin"), "a link to usr/bin")
	require.Equal(t, "# nothing\n", text("/etc/fstab", -1))
	require.Equal(t, came, text("/etc/fstab", -2))

	_, err = s.Run(scenario.RunSettings{})
	require.NoError(t, err)
	require.Empty(t, marks("/etc"))
	require.Equal(t, came, text("/etc/fstab", -1))
}

// What-ifs reach the files of every volume, so their names are offered.
func TestTreeNamesWhatOtherVolumesHave(t *testing.T) {
	s := benchSession(t, "../../content/samples/debian-uefi.slice")
	top, err := s.Tree(0, "/", 0, 0)
	require.NoError(t, err)
	require.Contains(t, top.Elsewhere, "EFI/")
	below, err := s.Tree(0, "/EFI", 0, 0)
	require.NoError(t, err)
	require.Empty(t, below.Entries)
	require.Contains(t, below.Elsewhere, "BOOT/")
}
