// Package container compares simulated container starts with what real engines and runtimes did with the
// same images.
package container

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/container"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

var update = flag.Bool("update", false, "rewrite tests/truth/REPORT-container.md from this run; review the difference")

// caseConfig is how a case was made: the image's config, and what was given to the engine.
type caseConfig struct {
	Entrypoint []string `json:"entrypoint"`
	Cmd        []string `json:"cmd"`
	User       string   `json:"user"`
	Cwd        string   `json:"cwd"`
	Env        []string `json:"env"`
	NoEnv      bool     `json:"noenv"`
	Flags      string   `json:"flags"`
}

// recorded is one row of outcomes.json.
type recorded struct {
	Name        string     `json:"name"`
	Base        string     `json:"base"`
	Config      caseConfig `json:"config"`
	Runtime     string     `json:"runtime"`
	Cgroup      string     `json:"cgroup"`
	ExitCode    int        `json:"exit_code"`
	Message     string     `json:"message"`
	Stderr      string     `json:"stderr"`
	Started     bool       `json:"started"`
	Phase       string     `json:"phase"`
	Note        string     `json:"note"`
	Environment string     `json:"environment"`
}

// accepted are differences that stay, each with its reason. The key is case and runtime; "*" is all.
var accepted = map[[2]string]string{
	{"nofile-limit", "podman-crun"}: "the recording host lacks CAP_SYS_RESOURCE for podman's default of NPROC",
	{"nofile-limit", "podman-runc"}: "the recording host lacks CAP_SYS_RESOURCE for podman's default of NPROC",
	{"nofile-limit", "crun"}:        "crun sets the limit on itself before its mounts and has more than 16 files open then; how many is not modelled",
}

// opened is an archive with the blobs that its citations name.
type opened struct {
	*oci.Archive
	store *blob.Store
}

func (o *opened) size(name string) (int64, bool) {
	b := o.store.Blob(name)
	if b == nil {
		return 0, false
	}
	return b.Size(), true
}

// archives opens "cases", which lies beside the recordings, and "all", an image per case, which the recipe
// there builds.
func archives(t *testing.T) map[string]*opened {
	out := map[string]*opened{}
	open := func(key, file string) {
		if _, err := os.Stat(file); err == nil {
			out[key] = openImage(t, file)
		}
	}
	open("cases", filepath.Join(truthDir(), "container/images/cases.docker.tar"))
	if lab := os.Getenv("BOOTPATH_LAB"); lab != "" {
		for _, dir := range []string{"", "images", "conmake/images"} {
			open("all", filepath.Join(lab, dir, "cases-all.docker.tar"))
		}
	}
	if len(out) == 0 {
		t.Skip("no images beside the recordings; set BOOTPATH_TRUTH")
	}
	return out
}

// openImage opens an archive; where it is not, the test is skipped.
func openImage(t *testing.T, file string) *opened {
	f, err := os.Open(file)
	if err != nil {
		t.Skipf("no image: %v; set BOOTPATH_TRUTH", err)
	}
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	store := blob.NewStore()
	a, err := oci.Open(store, store.Add(filepath.Base(file), f, fi.Size(), nil))
	require.NoError(t, err)
	return &opened{a, store}
}

func TestRecordedOutcomes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(truthDir(), "container/outcomes.json"))
	if err != nil {
		t.Skipf("no recordings: %v", err)
	}
	var rows []recorded
	require.NoError(t, json.Unmarshal(data, &rows))
	images := archives(t)
	var report []string
	agree, open := 0, 0
	for _, row := range rows {
		if strings.Contains(row.Note, "invalid") {
			continue
		}
		c, from, ok := config(row, images)
		if !ok {
			open++
			continue
		}
		m := machine.New()
		container.Run(m, c)
		tr := m.Trace()
		require.NoError(t, tr.Check(from.size), "%s %s", row.Name, row.Runtime)
		diff := compare(row, tr)
		if diff == "" {
			agree++
			continue
		}
		reason := cmp.Or(accepted[[2]string{row.Name, row.Runtime}], accepted[[2]string{row.Name, "*"}])
		report = append(report, fmt.Sprintf("| %s | %s | %s | %s |", row.Name, row.Runtime, strings.ReplaceAll(diff, "|", "\\|"), reason))
		if reason == "" {
			t.Errorf("%s under %s: %s", row.Name, row.Runtime, diff)
		}
	}
	t.Logf("%d of %d recorded starts agree, %d differ, %d have no image here", agree, len(rows), len(report), open)
	if *update && open == 0 {
		page := fmt.Sprintf("# Recorded container starts\n\n%d recorded starts agree with the simulated ones in: whether the program started, the message, the exit code where it is predicted. Written by `go test ./tests/truth/container -update` with BOOTPATH_LAB set.\n\n| case | runtime | difference | reason |\n|---|---|---|---|\n%s\n", agree, strings.Join(report, "\n"))
		require.NoError(t, os.WriteFile(filepath.Join(repoRoot(), "tests/truth/REPORT-container.md"), []byte(page), 0o644))
	}
}

// config says the case in our settings. Images that are not here are left out.
func config(row recorded, images map[string]*opened) (container.Config, *opened, bool) {
	c := container.Config{Engine: row.Runtime, Cgroup: row.Cgroup, HostKernel: "6.1.0"}
	from := images["all"]
	if ref := "localhost/c-" + row.Name + ":1"; from != nil && hasRef(from.Archive, ref) {
		c.Ref = ref
	} else if from = images["cases"]; from != nil && row.Base == "cases" {
		c.Image = &v1.Config{Entrypoint: row.Config.Entrypoint, Cmd: long(row.Config.Cmd), User: row.Config.User, WorkingDir: row.Config.Cwd,
			Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}
		if row.Config.NoEnv {
			c.Image.Env = nil
		}
		for _, e := range row.Config.Env {
			if strings.HasPrefix(e, "PATH=") {
				c.Image.Env = nil
			}
		}
		c.Image.Env = append(c.Image.Env, row.Config.Env...)
	} else {
		return c, nil, false
	}
	c.Archive = from.Archive
	flags(&c, row)
	return c, from, true
}

// flags reads what was given to the engine. For a runtime alone the same was edited into the bundle's config;
// of that, limits, sysctls and the host name are taken.
func flags(c *container.Config, row recorded) {
	bare := row.Runtime == "runc" || row.Runtime == "crun"
	if !bare {
		c.Network = "none" // the recorder's
	}
	args := strings.Fields(row.Config.Flags)
	for i, a := range args {
		a, value, joined := strings.Cut(a, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch a {
		case "--hostname":
			c.Hostname = value
		case "--memory":
			c.Memory = value
		case "--memory-swap":
			c.MemorySwap = value
		case "--pids-limit":
			c.PidsLimit = value
		case "--ulimit":
			c.Ulimit = append(c.Ulimit, value)
		case "--sysctl":
			c.Sysctl = append(c.Sysctl, value)
		}
		if bare {
			continue
		}
		switch a {
		case "--security-opt":
			if !strings.HasPrefix(value, "seccomp") { // those profiles are files of the recorder
				c.SecurityOpt = append(c.SecurityOpt, value)
			}
		case "--cap-add":
			c.CapAdd = append(c.CapAdd, value)
		case "--cap-drop":
			c.CapDrop = append(c.CapDrop, value)
		case "--read-only":
			c.ReadOnly = true
		case "--tmpfs":
			c.Tmpfs = append(c.Tmpfs, value)
		case "--init":
			c.Init = true
		case "--stop-signal":
			c.StopSignal = value
		case "-t":
			c.TTY = true
		}
	}
}

// long gives the argument that the recorder made too long for execve.
func long(cmd []string) []string {
	cmd = slices.Clone(cmd)
	for i, a := range cmd {
		if a == "@LONG@" {
			cmd[i] = strings.Repeat("a", 200000)
		}
	}
	return cmd
}

func hasRef(a *oci.Archive, ref string) bool {
	return slices.ContainsFunc(a.Images, func(im oci.Image) bool { return slices.Contains(im.Refs, ref) })
}

// compare tells how the simulated start differs from the recorded one; "" when it does not.
func compare(row recorded, tr *trace.Trace) string {
	o := tr.Outcome
	started := o.Stage == trace.Process
	if o.Verdict == trace.Unknown {
		return "unknown: " + o.Unknown.String()
	}
	if started != row.Started {
		return fmt.Sprintf("started %v, simulated %v (%s: %s)", row.Started, started, o.Stage, o.Message)
	}
	if !row.Started {
		if want := unwrap(row.Message); o.Message != want {
			return fmt.Sprintf("message %q, simulated %q", want, o.Message)
		}
	} else if o.Verdict == trace.Stops && strings.TrimSpace(row.Stderr) != "" && !strings.HasPrefix(row.Stderr, o.Message) {
		return fmt.Sprintf("prints %q, simulated %q", row.Stderr, o.Message)
	}
	if o.ExitCode != nil && *o.ExitCode != row.ExitCode {
		return fmt.Sprintf("exit code %d, simulated %d", row.ExitCode, *o.ExitCode)
	}
	return ""
}

// unwrap takes the message out of the JSON that crun logs under podman.
func unwrap(message string) string {
	var line struct{ Msg string }
	if bytes.HasPrefix([]byte(message), []byte("{")) && json.Unmarshal([]byte(message), &line) == nil {
		return line.Msg
	}
	return message
}

func repoRoot() string {
	root, _ := filepath.Abs("../../..")
	return root
}

func truthDir() string {
	return cmp.Or(os.Getenv("BOOTPATH_TRUTH"), filepath.Join(repoRoot(), "../shared/truth"))
}
