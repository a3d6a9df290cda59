// Package media compares simulated starts of boot media with what their screens showed under QEMU: drives that a BIOS makes
// of a CD's boot image, floppies, and systems other than Linux. make.sh builds the media, rec.sh and distill.py made recorded.txt.
package media

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/tests/truth/recorded"
)

//go:embed recorded.txt
var text string

//go:embed menus.txt
var menus string

// A run that stops has the whole screen; one that cannot know how it goes on has its beginning.
func TestScreens(t *testing.T) {
	each(t, text, func(t *testing.T, want, got string, o trace.Outcome) {
		if o.Verdict == trace.Unknown {
			want = want[:min(len(got), len(want))]
		}
		require.Equal(t, want, got, "%+v", o)
	})
}

// GRUB clears the screen before a menu and before an entry, so the recorded screens are the last of several: what an entry
// that fails leaves, the menu that comes back, the question for a user. grub.sh builds the disks; entries that run sleep for an hour.
func TestGRUBScreens(t *testing.T) {
	each(t, menus, func(t *testing.T, want, got string, o trace.Outcome) {
		if strings.HasPrefix(want, "GNU GRUB") {
			require.True(t, strings.HasSuffix(got, want), "%s\n%+v", got, o)
		}
		require.Contains(t, got, want, "%+v", o)
	})
}

// each runs the media of a recording that are there.
func each(t *testing.T, recording string, check func(t *testing.T, want, got string, o trace.Outcome)) {
	lab := os.Getenv("BOOTPATH_LAB")
	for _, part := range strings.Split(recording, "== ")[1:] {
		name, screen, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			im := recorded.Open(t, filepath.Join(lab, "media", "img", name), name)
			res, err := scenario.Run(im, nil, scenario.RunSettings{})
			require.NoError(t, err)
			var console strings.Builder
			for _, st := range res.Trace.Steps {
				if !strings.HasPrefix(st.Console, "SeaBIOS (") {
					console.WriteString(st.Console)
				}
			}
			check(t, squeeze(screen), squeeze(console.String()), res.Trace.Outcome)
		})
	}
}

// squeeze removes empty lines and spaces at the ends of lines.
func squeeze(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
