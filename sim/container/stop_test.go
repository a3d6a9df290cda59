package container

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/conf/sh"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// files makes a root file system of programs: their content by path.
func files(t *testing.T, content map[string]string, links map[string]string) fsys.FS {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, data := range content {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(data))}))
		_, err := w.Write([]byte(data))
		require.NoError(t, err)
	}
	for name, target := range links {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}))
	}
	require.NoError(t, w.Close())
	f, err := tarfs.Open(blob.NewStore().Add("rootfs.tar", bytes.NewReader(buf.Bytes()), int64(buf.Len()), nil))
	require.NoError(t, err)
	return f
}

func shells(t *testing.T) fsys.FS {
	p := program()
	return files(t, map[string]string{"bin/dash": p, "bin/bash": p, "bin/busybox": p, "bin/tini": p},
		map[string]string{"bin/sleep": "busybox", "bin/sh": "dash", "bin/ash": "busybox", "bin/echo": "busybox", "bin/tail": "busybox", "bin/cat": "busybox"})
}

func stopped(root fsys.FS, c Config) (*trace.Trace, Facts) {
	c.RootFS, c.Name, c.Stop = root, "rootfs.tar", true
	if c.Image == nil {
		c.Image = conf()
	}
	m := machine.New()
	f := Run(m, c)
	return m.Trace(), f
}

// TestStopAsRealShellsDo compares with testdata/stop.tsv, which make.sh there recorded.
func TestStopAsRealShellsDo(t *testing.T) {
	data, err := os.ReadFile("testdata/stop.tsv")
	require.NoError(t, err)
	root := shells(t)
	for line := range strings.Lines(string(data)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, row, 5)
		shell, how, comm, want, script := row[0], row[1], row[2], row[3], row[4]
		argv := append(strings.Fields(shell), "-c", script)
		if how == "tini" {
			argv = append([]string{"tini", "--"}, argv...)
		}
		if want == "lives" {
			want = "137"
		}
		tr, f := stopped(root, Config{Command: argv})
		require.Empty(t, tr.Outcome.Unknown.String(), line)
		require.NotNil(t, tr.Outcome.ExitCode, line)
		require.Equal(t, want, strconv.Itoa(*tr.Outcome.ExitCode), line)
		if comm != "-" && f.Stop != nil && f.Stop.To != "" && !strings.Contains(script, "trap") {
			base := filepath.Base(f.Stop.To)
			if base == "busybox" && comm == "sleep" {
				base = "sleep" // an applet
			}
			require.Equal(t, comm, base, line)
		}
	}
}

func TestStop(t *testing.T) {
	for _, row := range []struct {
		name   string
		c      Config
		code   int // -1: not known
		killed bool
		kind   trace.Kind // one of the steps
	}{
		{"a program without a handler is process 1", Config{Command: []string{"sleep", "60"}}, 137, true, "kernel.drop-signal"},
		{"it ends by itself in time", Config{Command: []string{"sleep", "4"}}, 0, false, "kernel.drop-signal"},
		{"an init passes the signal on", Config{Command: []string{"sleep", "60"}, Init: true}, 143, false, "process.forward-signal"},
		{"SIGINT behind an init", Config{Command: []string{"sleep", "60"}, Init: true, StopSignal: "SIGINT"}, 130, false, "process.die-of-signal"},
		{"SIGKILL needs no time", Config{Command: []string{"sleep", "60"}, StopSignal: "KILL"}, 137, true, "engine.stopped"},
		{"a shell without input is done", Config{Command: []string{"sh"}}, 0, false, "process.ends-input"},
		{"a shell at a terminal ignores SIGTERM", Config{Command: []string{"sh"}, TTY: true}, 137, true, "process.survive-signal"},
		{"a shell with input", Config{Command: []string{"sh"}, Interactive: true}, 137, true, "kernel.drop-signal"},
		{"cat without input", Config{Command: []string{"cat"}}, 0, false, "process.ends-input"},
		{"a static program says nothing", Config{Command: []string{"/bin/tini2"}}, -1, false, ""},
		{"a trap of another signal", Config{Command: []string{"sh", "-c", "trap 'exit 9' INT; sleep 60"}, StopSignal: "SIGINT", StopTimeout: "70"}, 9, false, "process.handle-signal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := program()
			root := files(t, map[string]string{"bin/dash": p, "bin/busybox": p, "bin/tini2": p}, map[string]string{"bin/sleep": "busybox", "bin/sh": "dash", "bin/cat": "busybox"})
			tr, f := stopped(root, row.c)
			if row.code < 0 {
				require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
				return
			}
			require.Equal(t, trace.Works, tr.Outcome.Verdict, tr.Outcome.Unknown.String())
			require.Equal(t, row.code, *tr.Outcome.ExitCode)
			require.Equal(t, row.killed, f.Stop.Killed)
			require.NotEmpty(t, calls(tr, row.kind, "exe"))
		})
	}
}

// A shell's words are those that dash 0.5.12, bash 5.2 and busybox 1.35 printed for the same commands.
func TestShellsThatCannotStartTheirCommand(t *testing.T) {
	root := shells(t)
	for _, row := range []struct {
		argv []string
		want string
		code int
	}{
		{[]string{"dash", "-c", "nosuch"}, "dash: 1: nosuch: not found", 127},
		{[]string{"dash", "-c", "true\nexec nosuch"}, "dash: 2: exec: nosuch: not found", 127},
		{[]string{"dash", "-c", "/nosuch/x"}, "dash: 1: /nosuch/x: not found", 127},
		{[]string{"bash", "-c", "nosuch"}, "bash: line 1: nosuch: command not found", 127},
		{[]string{"bash", "-c", "exec nosuch"}, "bash: line 1: exec: nosuch: not found", 127},
		{[]string{"bash", "-c", "/nosuch/x"}, "bash: line 1: /nosuch/x: No such file or directory", 127},
		{[]string{"ash", "-c", "nosuch"}, "ash: nosuch: not found", 127},
		{[]string{"ash", "-c", "exec nosuch"}, "ash: exec: line 0: nosuch: not found", 127},
		{[]string{"dash", "-c", "true; nosuch", "zero"}, "zero: 1: nosuch: not found", 127},
	} {
		m := machine.New()
		Run(m, Config{RootFS: root, Name: "r", Image: conf(), Command: row.argv})
		o := m.Trace().Outcome
		require.Equal(t, trace.Stops, o.Verdict, row.argv)
		require.Equal(t, row.want, o.Message)
		require.Equal(t, row.code, *o.ExitCode)
	}
	for shell, want := range map[string]string{"dash": "dash: 1: Cannot fork", "bash": "bash: fork: Resource temporarily unavailable", "ash": "ash: can't fork: Resource temporarily unavailable"} {
		m := machine.New()
		Run(m, Config{RootFS: root, Name: "r", Image: conf(), Command: []string{shell, "-c", "sleep 60; true"}, PidsLimit: "1"})
		require.Equal(t, want, m.Trace().Outcome.Message)
	}
}

// TestStopOfGoPrograms builds two: one never asks for signals.
func TestStopOfGoPrograms(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs go")
	}
	build := func(source string) string {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644))
		cmd := exec.Command(tool, "build", "-o", "p", "main.go")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64", "GOOS=linux")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		data, err := os.ReadFile(filepath.Join(dir, "p"))
		require.NoError(t, err)
		return string(data)
	}
	quiet := build("package main\nfunc main() { select {} }")
	asks := build("package main\nimport (\"os\"; \"os/signal\")\nfunc main() { c := make(chan os.Signal, 1); signal.Notify(c); <-c }")
	root := files(t, map[string]string{"quiet": quiet, "asks": asks}, nil)
	tr, f := stopped(root, Config{Command: []string{"/quiet"}})
	require.Equal(t, 2, *tr.Outcome.ExitCode) // as such a program did as process 1
	require.Equal(t, "yes", f.Stop.Handled)
	tr, _ = stopped(root, Config{Command: []string{"/asks"}})
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
	require.Contains(t, tr.Outcome.Unknown.String(), "unknown.signal-go path=/asks signal=SIGTERM")
}

func TestSignalNumbers(t *testing.T) {
	for name, n := range map[string]int{"SIGTERM": 15, "term": 15, "9": 9, "SIGRTMIN+3": 37, "RTMAX": 64, "SIGWINCH": 28, "SIGUSR1": 10, "nope": 0} {
		require.Equal(t, n, signalNumber(name), name)
	}
	require.Equal(t, "SIGRTMIN+3", signalName(37))
	require.Equal(t, "SIGCHLD", signalName(17))
}

func FuzzShellScript(f *testing.F) {
	f.Add("trap 'exit 3' TERM; while :; do sleep 1; done", uint8(0))
	f.Add("f() { f; f; }; trap f TERM; f; exec sleep 60 & wait", uint8(1))
	f.Add("{ true && (sleep 1m) || exit 300; }", uint8(2))
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		script, err := sh.Parse(text)
		if err != nil {
			return
		}
		s := &reader{shell: []string{"dash", "bash", "busybox"}[which%3], sig: 15, funcs: map[string]sh.Node{}, inline: which&4 != 0, text: text}
		s.list(script.Body, true)
		require.LessOrEqual(t, len(s.spots), 2*maxCommands)
	})
}
