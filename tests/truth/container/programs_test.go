package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/container"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// programRun is one row of programs/recorded.json: what a script or a small program printed under docker 20.10.24,
// and its exit code.
type programRun struct {
	Image    string   `json:"image"`
	Options  []string `json:"options"`
	Command  []string `json:"command"`
	ExitCode int      `json:"exit_code"`
	Stdout   string   `json:"stdout"`
	Stderr   string   `json:"stderr"`
}

// TestRecordedPrograms: whatever is predicted to its end prints what was recorded, on each of both streams in that
// order, and ends with that code. What is not followed has printed the beginning of it.
func TestRecordedPrograms(t *testing.T) {
	data, err := os.ReadFile("programs/recorded.json")
	require.NoError(t, err)
	var rows []programRun
	require.NoError(t, json.Unmarshal(data, &rows))
	images := map[string]*opened{"busybox": openImage(t, filepath.Join(truthDir(), "container/images/busybox.docker.tar"))}
	if lab := os.Getenv("BOOTPATH_LAB"); lab != "" {
		images["debian-slim"] = openImage(t, filepath.Join(lab, "images/debian-slim.docker.tar"))
	}
	decided, tried := 0, 0
	for _, row := range rows {
		name := row.Image + " " + strings.Join(row.Options, " ") + " " + strings.Join(row.Command, " ")
		from := images[row.Image]
		if from == nil {
			continue
		}
		tried++
		c := container.Config{Archive: from.Archive, Command: row.Command, Network: "none", Cgroup: "v1"}
		options(&c, row.Options)
		m := machine.New()
		container.Run(m, c)
		tr := m.Trace()
		require.NoError(t, tr.Check(from.size), name)
		printed := ""
		for _, st := range tr.Steps {
			if strings.HasPrefix(string(st.Kind), "process.") {
				printed += st.Console
			}
		}
		if !interleaved(printed, row.Stdout, row.Stderr) {
			t.Errorf("%s: prints %q, recorded %q and %q", name, printed, row.Stdout, row.Stderr)
		}
		o := tr.Outcome
		if o.Verdict == trace.Unknown || o.ExitCode == nil {
			t.Logf("%s: not followed to its end", name)
			continue
		}
		decided++
		if *o.ExitCode != row.ExitCode {
			t.Errorf("%s: exit code %d (%s), recorded %d, %q", name, *o.ExitCode, o.Message, row.ExitCode, row.Stderr)
		}
		if missing := len(row.Stdout) + len(row.Stderr) - len(printed); missing != 0 && len(row.Stdout) < 600 && len(row.Stderr) < 600 && !strings.Contains(row.Stderr, " Killed ") {
			t.Errorf("%s: prints %q, recorded %q and %q", name, printed, row.Stdout, row.Stderr)
		}
	}
	t.Logf("%d of %d recorded programs are predicted", decided, tried)
}

// interleaved tells whether text is made of beginnings of both streams.
func interleaved(text, a, b string) bool {
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(a, line):
			a = a[len(line):]
		case strings.HasPrefix(b, line):
			b = b[len(line):]
		default:
			return false
		}
	}
	return true
}
