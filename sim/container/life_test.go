package container

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

func lived(t *testing.T, c Config) (*trace.Trace, Facts) {
	c.RootFS, c.Name = shells(t), "rootfs.tar"
	if c.Image == nil {
		c.Image = conf()
	}
	m := machine.New()
	f := Run(m, c)
	require.NoError(t, m.Trace().Check(func(string) (int64, bool) { return 1 << 40, true }))
	return m.Trace(), f
}

func TestPorts(t *testing.T) {
	sleep := []string{"/bin/sleep", "60"}
	for _, row := range []struct {
		name     string
		c        Config
		low, why string
		from     int
	}{
		{"docker frees every port", Config{User: "1000"}, "allowed", "start", 0},
		{"podman does not", Config{Engine: "podman", User: "1000"}, "refused", "none", 1024},
		{"root of podman has the capability", Config{Engine: "podman"}, "allowed", "capability", 1024},
		{"unless it is dropped", Config{Engine: "podman", CapDrop: []string{"NET_BIND_SERVICE"}}, "refused", "none", 1024},
		{"the host's setting", Config{User: "1000", Network: "host"}, "unknown", "", -1},
		{"a setting of the learner's", Config{User: "1000", Sysctl: []string{"net.ipv4.ip_unprivileged_port_start=80"}}, "refused", "none", 80},
	} {
		row.c.Command = sleep
		_, f := lived(t, row.c)
		require.Equal(t, &Ports{Low: row.low, Why: row.why, From: row.from}, f.Ports, row.name)
	}
}

func TestMemoryIsNeverGuessed(t *testing.T) {
	tr, f := lived(t, Config{Command: []string{"/bin/sleep", "60"}, Memory: "16m"})
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.Equal(t, int64(16<<20), f.Memory.Limit)
	require.Equal(t, int64(16<<20), f.Memory.Swap)
	require.Equal(t, 137, f.Memory.ExitCode)
	require.Positive(t, f.Memory.Mapped)
}

func TestHealth(t *testing.T) {
	check := func(h *v1.HealthConfig, c Config) *Health {
		c.Image, c.Command = conf(), []string{"/bin/sleep", "60"}
		c.Image.Healthcheck = h
		_, f := lived(t, c)
		return f.Health
	}
	h := check(&v1.HealthConfig{Test: []string{"CMD", "curl", "-f", "http://localhost"}, Interval: 10 * time.Second}, Config{})
	require.Equal(t, "unhealthy", h.Status)
	require.Equal(t, 30, h.Seconds)
	require.Contains(t, h.Message, `exec: "curl": executable file not found in $PATH`)
	h = check(&v1.HealthConfig{Test: []string{"CMD-SHELL", "curl -f http://localhost"}}, Config{})
	require.Equal(t, &Health{Command: []string{"/bin/sh", "-c", "curl -f http://localhost"}, Interval: "30s", Timeout: "30s", StartPeriod: "0s", Retries: 3, Program: "/bin/sh", Status: "unknown"}, h)
	require.Nil(t, check(&v1.HealthConfig{Test: []string{"NONE"}}, Config{}))
	require.Nil(t, check(&v1.HealthConfig{Test: []string{"CMD", "sleep"}}, Config{NoHealth: true}))
	require.Nil(t, check(&v1.HealthConfig{Test: []string{"CMD", "sleep"}}, Config{Engine: "runc"}))
	require.Equal(t, "/bin/sh", check(nil, Config{HealthCmd: "true"}).Program)
}

// TestExec has the words of runc 1.1.5's exec on a container of the same programs.
func TestExec(t *testing.T) {
	for _, row := range []struct {
		argv    []string
		message string // of runc
		code    int    // of runc; -1 when it runs and that is not known
	}{
		{[]string{"nosuch"}, `exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH`, 255},
		{[]string{"/bin/nosuch"}, `exec failed: unable to start container process: exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory`, 255},
		{[]string{"/bin"}, `exec failed: unable to start container process: exec: "/bin": permission denied`, 255},
		{[]string{"/bin/bad"}, "exec /bin/bad: exec format error", 1},
		{[]string{"echo", "hi"}, "", 0},
		{[]string{"/bin/sleep", "9"}, "", -1},
	} {
		for _, engine := range []string{"runc", "docker"} {
			p := program()
			root := files(t, map[string]string{"bin/busybox": p, "bin/bad": "garbage"}, map[string]string{"bin/sleep": "busybox", "bin/echo": "busybox"})
			m := machine.New()
			f := Run(m, Config{RootFS: root, Name: "rootfs.tar", Image: conf(), Engine: engine, Command: []string{"sleep", "100"}, Exec: row.argv})
			tr := m.Trace()
			if row.message == "" {
				require.Equal(t, trace.Works, tr.Outcome.Verdict, row.argv)
				require.True(t, f.Exec.Started)
				require.Equal(t, row.code >= 0, f.Exec.ExitCode != nil, row.argv)
				require.NotEqual(t, "1", f.Exec.PID)
				require.NotEmpty(t, calls(tr, "kernel.setns", "flags"))
				continue
			}
			message, code := row.message, row.code
			if engine == "docker" && code == 255 {
				message, code = "OCI runtime exec failed: "+message+": unknown", 126
			}
			require.Equal(t, message, tr.Outcome.Message)
			require.Equal(t, code, *tr.Outcome.ExitCode)
		}
	}
	tr, f := lived(t, Config{Command: []string{"echo", "hi"}, Exec: []string{"sh"}})
	require.Contains(t, tr.Outcome.Message, "is not running")
	require.Equal(t, 1, *f.Exec.ExitCode)
	tr, _ = lived(t, Config{Engine: "podman", Command: []string{"sleep", "9"}, Exec: []string{"sh"}})
	require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
}

func TestRestart(t *testing.T) {
	for _, row := range []struct {
		name     string
		c        Config
		restarts string
		why      string
		delays   int
	}{
		{"always, whatever the code", Config{Command: []string{"echo"}, Restart: "always"}, "yes", "", 11},
		{"on-failure and no failure", Config{Command: []string{"echo"}, Restart: "on-failure"}, "no", "exit-code", 0},
		{"on-failure with a limit", Config{Command: []string{"sh", "-c", "exit 3"}, Restart: "on-failure:4"}, "yes", "", 4},
		{"a command that the shell does not find", Config{Command: []string{"sh", "-c", "nosuch"}, Restart: "unless-stopped"}, "yes", "", 11},
		{"docker stop", Config{Command: []string{"sleep", "60"}, Restart: "always", Stop: true}, "no", "stopped", 0},
		{"podman does not wait", Config{Engine: "podman", Command: []string{"echo"}, Restart: "always"}, "yes", "", 1},
		{"no", Config{Command: []string{"echo"}, Restart: "no"}, "no", "policy", 0},
	} {
		_, f := lived(t, row.c)
		require.NotNil(t, f.Restart, row.name)
		require.Equal(t, row.restarts, f.Restart.Restarts, row.name)
		require.Equal(t, row.why, f.Restart.Why, row.name)
		require.Len(t, f.Restart.Delays, row.delays, row.name)
	}
	_, f := lived(t, Config{Command: []string{"sleep", "60"}, Restart: "always"})
	require.Nil(t, f.Restart, "it is not known when it ends")
	tr, _ := lived(t, Config{Command: []string{"echo"}, AutoRemove: true})
	require.NotEmpty(t, calls(tr, "engine.remove", "id"))
	require.Equal(t, 0, *tr.Outcome.ExitCode)
}

func TestRestartRefused(t *testing.T) {
	for _, row := range []struct {
		c    Config
		want string
	}{
		{Config{Restart: "a:b:c"}, "docker: invalid restart policy format."},
		{Config{Restart: "on-failure:x"}, "docker: maximum retry count must be an integer."},
		{Config{Restart: "always", AutoRemove: true}, "docker: Conflicting options: --restart and --rm."},
		{Config{Restart: "always:3"}, "docker: Error response from daemon: maximum retry count cannot be used with restart policy 'always'."},
		{Config{Restart: "sometimes"}, "docker: Error response from daemon: invalid restart policy 'sometimes'."},
		{Config{Engine: "podman", Restart: "always", AutoRemove: true}, `Error: the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"`},
	} {
		row.c.Command = []string{"sleep", "60"}
		tr, _ := lived(t, row.c)
		require.Equal(t, row.want, tr.Outcome.Message)
		require.Equal(t, 125, *tr.Outcome.ExitCode)
	}
}

// TestRedirectAsRealShellsDo compares with testdata/redirect.tsv, which redirect.sh there recorded.
func TestRedirectAsRealShellsDo(t *testing.T) {
	data, err := os.ReadFile("testdata/redirect.tsv")
	require.NoError(t, err)
	p := program()
	root := files(t, map[string]string{"bin/dash": p, "bin/bash": p, "bin/busybox": p, "srv/f": "", "srv/d/x": ""}, map[string]string{"bin/sleep": "busybox"})
	for line := range strings.Lines(string(data)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, row, 4)
		m := machine.New()
		Run(m, Config{RootFS: root, Name: "rootfs.tar", Image: conf(), ReadOnly: true, Workdir: "/srv", AutoRemove: true, Command: append(strings.Fields(row[0]), "-c", row[1])})
		tr := m.Trace()
		require.NotNil(t, tr.Outcome.ExitCode, line)
		require.Equal(t, row[2], strconv.Itoa(*tr.Outcome.ExitCode), line)
		said := strings.Join(calls(tr, "process.shell-cannot-write", "message"), "|")
		printed := strings.TrimSuffix(strings.TrimPrefix(row[3], "a|"), "|on") // what echo prints
		require.Equal(t, printed, said, line)
		if row[2] != "0" {
			require.Equal(t, printed, tr.Outcome.Message, line)
		}
	}
}

// TestTouches is the learner's statement of what the program needs, and a host of which it is not known whether it
// has swap.
func TestTouches(t *testing.T) {
	for _, row := range []struct {
		memory, swap, touches, killed string
		verdict                       trace.Verdict
	}{
		{"64m", "", "20m", "no", trace.Works},
		{"64m", "64m", "63m", "unknown", trace.Unknown}, // what the kernel needs beside it decides
		{"64m", "64m", "64m", "yes", trace.Stops},
		{"64m", "", "100m", "unknown", trace.Unknown}, // the group may have 64 MiB of swap
		{"64m", "", "200m", "yes", trace.Stops},
		{"64m", "-1", "1g", "unknown", trace.Unknown},
		{"", "", "1g", "", trace.Works},
	} {
		tr, f := lived(t, Config{Command: []string{"/bin/bash"}, Image: conf(), Memory: row.memory, MemorySwap: row.swap, Touches: row.touches})
		require.Equal(t, row.verdict, tr.Outcome.Verdict, "%+v: %s", row, tr.Outcome.Missing)
		if row.memory != "" {
			require.Equal(t, row.killed, f.Memory.Killed, "%+v", row)
		}
		if row.verdict == trace.Stops {
			require.Equal(t, 137, *tr.Outcome.ExitCode)
			require.True(t, f.Memory.OOMKilled)
			require.NotEmpty(t, calls(tr, "kernel.oom-kill", "log"))
		}
	}
}

// TestScripts has what the recordings do not reach: entry scripts that become what they were given, options that a
// shell does not know, and bounds.
func TestScripts(t *testing.T) {
	p := program()
	root := files(t, map[string]string{"bin/dash": p, "bin/busybox": p, "bin/server": p,
		"entry.sh":   "#!/bin/sh\nset -e\nif [ \"$1\" = server ] && [ \"$(id -u)\" = 0 ]; then\n  echo \"as root\"\n  export MODE=root\nfi\nexec \"$@\"\n",
		"odd.sh":     "#!/bin/sh -e -y\necho never\n",
		"forever.sh": "#!/bin/sh\nwhile :; do :; done\n", "deep.sh": "#!/bin/sh\nf() { f; }\nf\n", "self.sh": "#!/bin/sh\nexec /self.sh\n",
		"double.sh": "#!/bin/sh\nx=x; while :; do x=$x$x; done\n", "each.sh": "#!/bin/sh\nx=x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done\ncase $x in *$x*$x*y) ;; esac; while :; do y=${x%%*x*y}; done\n",
		"pipe.sh": "#!/bin/sh\nwhile :; do echo xxxxxxxx; done | cat >/dev/null\n", "subst.sh": "#!/bin/sh\nf() { x=$(f); }; f\n", "yes.sh": "#!/bin/sh\nyes | head -n 3\n"},
		map[string]string{"bin/sh": "dash", "bin/id": "busybox", "bin/echo": "busybox", "bin/cat": "busybox", "bin/yes": "busybox", "bin/head": "busybox"})
	start := func(c Config, argv ...string) *trace.Trace {
		c.RootFS, c.Name, c.Image, c.Command = root, "rootfs.tar", conf(), argv
		m := machine.New()
		Run(m, c)
		require.NoError(t, m.Trace().Check(func(string) (int64, bool) { return 1 << 40, true }))
		return m.Trace()
	}
	tr := start(Config{}, "/entry.sh", "server", "-p", "80")
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.Nil(t, tr.Outcome.ExitCode, "the server runs on")
	require.Equal(t, []string{"as root"}, calls(tr, "process.print", "text"))
	require.Equal(t, []string{"server -p 80"}, calls(tr, "process.shell-becomes", "argv"))

	tr = start(Config{User: "1000"}, "/entry.sh", "nosuch")
	require.Equal(t, "/entry.sh: 7: exec: nosuch: not found", tr.Outcome.Message)
	require.Equal(t, 127, *tr.Outcome.ExitCode)

	for _, name := range []string{"/odd.sh", "/forever.sh", "/deep.sh", "/self.sh", "/double.sh", "/each.sh", "/pipe.sh", "/subst.sh"} {
		tr = start(Config{}, name)
		require.Nil(t, tr.Outcome.ExitCode, name)
		require.Empty(t, calls(tr, "process.print", "text"), name)
	}
	start(Config{}, "/yes.sh") // ends, whatever it tells
}
