package scenario

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseCommand(t *testing.T) {
	empty := ""
	sh := "/bin/sh"
	for _, row := range []struct {
		line    string
		image   string
		want    RunSettings
		ignored []string
		assumed []string
	}{
		{"docker run alpine", "alpine", RunSettings{}, nil, nil},
		{"$ sudo docker container run -it --rm alpine:3 sh -c 'echo \"hi\"; ls'", "alpine:3",
			RunSettings{Interactive: true, TTY: true, AutoRemove: true, Command: []string{"sh", "-c", `echo "hi"; ls`}}, nil, nil},
		{"docker run -d --name web -p 80:80 --restart=always \\\n  -m 512m -eA=1 -e 'B=x y' -u=0 nginx -g 'daemon off;'", "nginx",
			RunSettings{Memory: "512m", Publish: []string{"80:80"}, Restart: "always", Env: []string{"A=1", "B=x y"}, User: "0", Command: []string{"-g", "daemon off;"}},
			[]string{"-d", "--name web"}, nil},
		{`docker run -v "$PWD":/app -v ~/x:/x:ro -w /app --init=true --read-only=false node`, "node",
			RunSettings{Volume: []string{"/home/you:/app", "/home/you/x:/x:ro"}, Workdir: "/app", Init: true}, nil,
			[]string{"$PWD=/home/you", "~=/home/you"}},
		{"docker run --entrypoint '' --net host a", "a", RunSettings{Entrypoint: &empty, Network: "host"}, nil, nil},
		{"docker run --entrypoint=/bin/sh -- a -x", "a", RunSettings{Entrypoint: &sh, Command: []string{"-x"}}, nil, nil},
		{"docker run --mount type=bind,source=/a,target=/b,readonly --mount type=tmpfs,dst=/t,tmpfs-size=1m a", "a",
			RunSettings{Volume: []string{"/a:/b:ro"}, Tmpfs: []string{"/t:size=1m"}}, nil, nil},
		{"podman run --stop-signal SIGINT --stop-timeout 3 a", "a", RunSettings{Engine: "podman", StopSignal: "SIGINT", StopTimeout: "3"}, nil, nil},
	} {
		got, err := ParseCommand(row.line)
		require.NoError(t, err, row.line)
		if row.want.Engine == "" {
			row.want.Engine = "docker"
		}
		require.Equal(t, row.want, got.Settings, row.line)
		require.Equal(t, row.image, got.Image, row.line)
		require.ElementsMatch(t, row.ignored, got.Ignored, row.line)
		require.ElementsMatch(t, row.assumed, got.Assumed, row.line)
	}
}

func TestParseCommandRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "a command line is expected",
		"docker ps":                          "docker ps: docker run is expected",
		"ls":                                 `"ls": docker run or podman run is expected`,
		"docker run":                         `"docker run" requires at least 1 argument`,
		"docker run --frobnicate a":          "unknown flag: --frobnicate",
		"docker run --uidmap 0:1:2 a":        "unknown flag: --uidmap",
		"docker run -itx a":                  "unknown shorthand flag: 'x' in -itx",
		"docker run --name":                  "flag needs an argument: --name",
		"docker run -e":                      "flag needs an argument: 'e' in -e",
		"docker run --init=maybe a":          `invalid argument "maybe" for "--init" flag`,
		"docker run a | grep b":              "one command is expected",
		"docker run -e X=$TOKEN a":           "$TOKEN: only your shell knows",
		"docker run -e X=$(id -u) a":         "only your shell knows what the command prints",
		"docker run a ls *":                  `"*": your shell replaces this`,
		"docker run --env-file f a":          "--env-file: a file of your machine",
		"docker run 'a":                      "no closing quote",
		"docker run --mount type=x,dst=/a b": `invalid mount type "x"`,
	} {
		_, err := ParseCommand(line)
		require.ErrorContains(t, err, want, line)
	}
}

// TestCommandLineReadsBack writes settings as a command line and reads them again, by our parser and by a
// real shell.
func TestCommandLineReadsBack(t *testing.T) {
	entry := "it's"
	s := RunSettings{
		Engine: "podman", Platform: "linux/arm64", TTY: true, Interactive: true, Init: true, User: "1000:50", Workdir: "/a b",
		Env: []string{"A=$HOME", "B=*", "C="}, Hostname: "h", Network: "none", Volume: []string{"v:/d"}, Tmpfs: []string{"/t:size=1m"},
		ReadOnly: true, Memory: "1g", MemorySwap: "-1", PidsLimit: "5", Ulimit: []string{"nofile=1:2"}, Sysctl: []string{"net.a=1"},
		Privileged: true, CapAdd: []string{"ALL"}, CapDrop: []string{"CHOWN"}, SecurityOpt: []string{"no-new-privileges"},
		StopSignal: "SIGINT", StopTimeout: "0", UIDMap: []string{"0:100000:65536"}, Entrypoint: &entry, Command: []string{"", "a\nb", "~", "--x", "`id`"},
	}
	line := CommandLine(s, "image:1")
	got, err := ParseCommand(line)
	require.NoError(t, err)
	require.Equal(t, s, got.Settings)
	require.Equal(t, "image:1", got.Image)
	require.Empty(t, got.Ignored)
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("dash is not installed")
	}
	cmd := exec.Command(dash, "-c", `podman() { for a; do printf '%s\0' "$a"; done; }; `+line)
	cmd.Env = os.Environ()
	out, err := cmd.Output()
	require.NoError(t, err)
	words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	require.Equal(t, append([]string{"image:1"}, s.Command...), words[len(words)-1-len(s.Command):])
}

func FuzzParseCommand(f *testing.F) {
	f.Add("docker run -it --rm -v $PWD:/a alpine:3 sh -c 'echo hi'")
	f.Add("podman run --mount type=bind,src=/a,dst=/b,ro x")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseCommand(line)
		if err != nil {
			return
		}
		again, err := ParseCommand(CommandLine(c.Settings, c.Image))
		require.NoError(t, err)
		require.Equal(t, c.Image, again.Image)
		require.Equal(t, CommandLine(c.Settings, c.Image), CommandLine(again.Settings, again.Image))
	})
}
