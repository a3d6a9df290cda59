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

// A run that stops has the whole screen; one that cannot know how it goes on has its beginning.
func TestScreens(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	for _, part := range strings.Split(text, "== ")[1:] {
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
			got, want := squeeze(console.String()), squeeze(screen)
			if res.Trace.Outcome.Verdict == trace.Unknown {
				want = want[:min(len(got), len(want))]
			}
			require.Equal(t, want, got, "%+v", res.Trace.Outcome)
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
