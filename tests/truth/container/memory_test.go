package container

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/container"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// memoryRun is one row of memory/recorded.json: what docker 20.10.24 did on a host without swap.
type memoryRun struct {
	Image     string   `json:"image"`
	Options   []string `json:"options"`
	Command   []string `json:"command"`
	ExitCode  any      `json:"exit_code"` // a number, or "running" after 20 s
	Stdout    string   `json:"stdout"`
	Stderr    []string `json:"stderr"`
	OOMKilled *bool    `json:"oom_killed"`
	Dmesg     []string `json:"dmesg"`
}

// TestRecordedMemory: a start that is predicted ends as recorded; the others say what is not known.
func TestRecordedMemory(t *testing.T) {
	data, err := os.ReadFile("memory/recorded.json")
	require.NoError(t, err)
	var rows []memoryRun
	require.NoError(t, json.Unmarshal(data, &rows))
	images := map[string]*opened{"busybox": openImage(t, filepath.Join(truthDir(), "container/images/busybox.docker.tar"))}
	if lab := os.Getenv("BOOTPATH_LAB"); lab != "" {
		images["debian-slim"] = openImage(t, filepath.Join(lab, "images/debian-slim.docker.tar"))
	}
	decided := 0
	for _, row := range rows {
		name := row.Image + " " + strings.Join(row.Options, " ") + " " + strings.Join(row.Command, " ")
		from := images[row.Image]
		if from == nil {
			continue
		}
		c := container.Config{Archive: from.Archive, Command: row.Command, Network: "none", Cgroup: "v1"}
		options(&c, row.Options)
		m := machine.New()
		f := container.Run(m, c)
		tr := m.Trace()
		require.NoError(t, tr.Check(from.size), name)
		if differs := row.compare(tr, f); differs != "" {
			t.Errorf("%s: %s", name, differs)
		}
		if o := tr.Outcome; o.Verdict == trace.Unknown || o.ExitCode == nil && row.ExitCode != "running" {
			t.Logf("%s: not decided (%s), recorded %v", name, o.Missing, row.ExitCode)
			continue
		}
		decided++
	}
	t.Logf("%d of %d recorded runs are predicted", decided, len(rows))
}

// compare tells what of a decided run was recorded otherwise.
func (row memoryRun) compare(tr *trace.Trace, f container.Facts) string {
	o := tr.Outcome
	switch {
	case o.Verdict == trace.Unknown, o.ExitCode == nil:
		return ""
	case row.ExitCode == "running" && f.Restart != nil && f.Restart.Restarts == "yes": // docker run stays
	case row.ExitCode == "running":
		return fmt.Sprintf("recorded running, simulated exit code %d", *o.ExitCode)
	case float64(*o.ExitCode) != row.ExitCode:
		return fmt.Sprintf("recorded exit code %v, simulated %d (%s)", row.ExitCode, *o.ExitCode, o.Message)
	case o.Stage == trace.Process && row.OOMKilled != nil && f.Memory != nil && f.Memory.OOMKilled != *row.OOMKilled:
		return fmt.Sprintf("recorded OOMKilled %v, simulated %v", *row.OOMKilled, f.Memory.OOMKilled)
	case o.Verdict == trace.Stops && o.Message != "SIGKILL" && !slices.Contains(row.Stderr, strings.TrimSuffix(o.Message, ".")): // the client that recorded ends without a full stop
		return fmt.Sprintf("recorded %q, simulated %q", row.Stderr, o.Message)
	}
	if f.Memory != nil && f.Memory.Log != "" && len(row.Dmesg) > 0 {
		head, _, _ := strings.Cut(f.Memory.Log, ": Killed process ")
		comm := f.Memory.Log[strings.LastIndex(f.Memory.Log, "("):]
		last := row.Dmesg[len(row.Dmesg)-1]
		if !strings.HasPrefix(last, head+": Killed process ") || !strings.Contains(last, comm+" total-vm:") {
			return fmt.Sprintf("recorded %q, simulated %q", last, f.Memory.Log)
		}
	}
	return row.compareConsole(tr)
}

// compareConsole holds what the program printed against both recorded streams, which came apart.
func (row memoryRun) compareConsole(tr *trace.Trace) string {
	recorded := append(strings.Split(row.Stdout, "\n"), row.Stderr...)
	if len(row.Stdout) >= 1000 {
		return ""
	}
	for _, st := range tr.Steps {
		if !strings.HasPrefix(string(st.Kind), "process.") {
			continue
		}
		for line := range strings.Lines(st.Console) {
			if !slices.Contains(recorded, strings.TrimSuffix(line, "\n")) {
				return fmt.Sprintf("recorded %q, simulated %q", recorded, line)
			}
		}
	}
	return ""
}

// options sets those of docker run that the recordings use.
func options(c *container.Config, list []string) {
	for i := 0; i < len(list); i++ {
		name, value := list[i], ""
		if name != "--init" && name != "--oom-kill-disable" && name != "--read-only" && i+1 < len(list) {
			i++
			value = list[i]
		}
		switch name {
		case "--memory":
			c.Memory = value
		case "--memory-swap":
			c.MemorySwap = value
		case "--tmpfs":
			c.Tmpfs = append(c.Tmpfs, value)
		case "-v":
			c.Volume = append(c.Volume, value)
		case "--oom-score-adj":
			c.OOMScoreAdj = value
		case "--oom-kill-disable":
			c.OOMKillDisable = true
		case "--restart":
			c.Restart = value
		case "--user":
			c.User = value
		case "--init":
			c.Init = true
		case "--workdir":
			c.Workdir = value
		case "--hostname":
			c.Hostname = value
		case "-e":
			c.Env = append(c.Env, value)
		case "--read-only":
			c.ReadOnly = true
		}
	}
}
