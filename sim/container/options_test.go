package container

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// TestRefusedOptions: the words are those of docker 20.10's client and daemon (docker/cli and moby source) and
// of podman 4.3.
func TestRefusedOptions(t *testing.T) {
	const daemon = "docker: Error response from daemon: "
	for _, c := range []struct {
		name, want string
		c          Config
	}{
		{"size", `invalid argument "lots" for "-m, --memory" flag: invalid size: 'lots'`, Config{Memory: "lots"}},
		{"size, podman", "Error: invalid value for memory: invalid size: 'lots'", Config{Memory: "lots", Engine: "podman"}},
		{"minimum", daemon + "Minimum memory limit allowed is 6MB.", Config{Memory: "4m"}},
		{"swap below memory", daemon + "Minimum memoryswap limit should be larger than memory limit, see usage.", Config{Memory: "64m", MemorySwap: "32m"}},
		{"swap alone", daemon + "You should always set the Memory limit when using Memoryswap limit, see usage.", Config{MemorySwap: "32m"}},
		{"pids", `invalid argument "few" for "--pids-limit" flag: strconv.ParseInt: parsing "few": invalid syntax`, Config{PidsLimit: "few"}},
		{"ulimit form", `invalid argument "nofile" for "--ulimit" flag: invalid ulimit argument: nofile`, Config{Ulimit: []string{"nofile"}}},
		{"ulimit name", `invalid argument "files=1" for "--ulimit" flag: invalid ulimit type: files`, Config{Ulimit: []string{"files=1"}}},
		{"ulimit order", `invalid argument "nofile=9:8" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 9 > 8`, Config{Ulimit: []string{"nofile=9:8"}}},
		{"ulimit, podman", `Error: ulimit option "nofile" requires name=SOFT:HARD, failed to be parsed: invalid ulimit argument: nofile`, Config{Engine: "podman", Ulimit: []string{"nofile"}}},
		{"sysctl", `invalid argument "vm.swappiness=1" for "--sysctl" flag: sysctl 'vm.swappiness=1' is not allowed`, Config{Sysctl: []string{"vm.swappiness=1"}}},
		{"sysctl, podman", "Error: sysctl 'vm.swappiness' is not allowed", Config{Engine: "podman", Sysctl: []string{"vm.swappiness=1"}}},
		{"sysctl of the host's network, podman", "Error: sysctl net.core.somaxconn=9 can't be set since Network Namespace set to host: invalid argument", Config{Engine: "podman", Network: "host", Sysctl: []string{"net.core.somaxconn=9"}}},
		{"signal", daemon + "Invalid signal: SIGFOO.", Config{StopSignal: "SIGFOO"}},
		{"host name", daemon + "conflicting options: hostname and the network mode.", Config{Network: "container:db", Hostname: "x"}},
		{"tmpfs place", daemon + "invalid mount path: 'run' mount path must be absolute.", Config{Tmpfs: []string{"run"}}},
		{"tmpfs option", daemon + `invalid tmpfs option ["colour" "red"].`, Config{Tmpfs: []string{"/run:colour=red"}}},
		{"volume at /", daemon + `invalid volume specification: '/srv:/': invalid mount config for type "bind": invalid specification: destination can't be '/'.`, Config{Volume: []string{"/srv:/"}}},
		{"volume mode", daemon + "invalid mode: often.", Config{Volume: []string{"/srv:/data:often"}}},
		{"volume without a place", daemon + "invalid volume specification: '/data:ro'.", Config{Volume: []string{"/data:ro"}}},
		{"the same place", daemon + "Duplicate mount point: /data.", Config{Volume: []string{"/srv:/data", "/opt:/data/"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.c.Image = conf("/bin/prog")
			tr, _ := start(t, c.c)
			require.Equal(t, c.want, tr.Outcome.Message)
			require.Equal(t, trace.Resolve, tr.Outcome.Stage)
			require.Equal(t, 125, *tr.Outcome.ExitCode)
		})
	}
}

// calls are the arguments of the steps of a kind, in order.
func calls(tr *trace.Trace, kind trace.Kind, key string) []string {
	var out []string
	for _, s := range tr.Steps {
		if s.Kind == kind {
			out = append(out, s.Args[key])
		}
	}
	return out
}

func setTo(tr *trace.Trace) []string {
	var out []string
	for _, s := range tr.Steps {
		if s.Kind == "kernel.set-cgroup" {
			out = append(out, s.Args["file"]+"="+s.Args["value"])
		}
	}
	return out
}

func TestLimitsOfTheGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Config
		want []string
	}{
		{"runc v2", Config{Memory: "6m", PidsLimit: "1"}, []string{"pids.max=1", "memory.swap.max=6291456", "memory.max=6291456"}},
		{"no swap", Config{Memory: "32m", MemorySwap: "32m"}, []string{"memory.swap.max=0", "memory.max=33554432"}},
		{"runc v1", Config{Memory: "6m", PidsLimit: "-1", Cgroup: "v1"}, []string{"memory.limit_in_bytes=6291456", "memory.memsw.limit_in_bytes=12582912", "pids.max=max"}},
		{"crun v2", Config{Memory: "64m", MemorySwap: "-1", Engine: "podman"}, []string{"memory.max=67108864", "memory.swap.max=max", "pids.max=2048"}},
		{"none", Config{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.c.Image = conf("/bin/prog")
			tr, _ := start(t, c.c)
			require.Equal(t, c.want, setTo(tr))
			require.Equal(t, trace.Works, tr.Outcome.Verdict, "a first process needs no fork and fits")
		})
	}
}

func TestUlimit(t *testing.T) {
	tr, _ := start(t, Config{Image: conf("/bin/prog"), Ulimit: []string{"nofile=16:32", "core=-1"}})
	require.Equal(t, []string{"NOFILE", "CORE"}, calls(tr, "kernel.prlimit", "limit"))
	require.Equal(t, []string{"16", "-1"}, calls(tr, "kernel.prlimit", "soft"))
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Engine: "podman", Ulimit: []string{"nofile=16"}})
	require.Equal(t, []string{"NOFILE", "NPROC"}, calls(tr, "kernel.prlimit", "limit"), "podman's default stays for the other")
	require.Equal(t, []string{"16", "4194304"}, calls(tr, "kernel.prlimit", "hard"))
}

// targets are the places inside the container that are mounted at, in order.
func targets(tr *trace.Trace) string {
	var out []string
	for _, s := range tr.Steps {
		if s.Kind == "kernel.mount" || s.Kind == "kernel.bind-mount" {
			if _, at, ok := strings.Cut(s.Args["target"], "/merged/"); ok {
				out = append(out, at)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestMountsOfTheUser(t *testing.T) {
	c := Config{Image: conf("/bin/prog"), Tmpfs: []string{"/tmp:exec,size=64m"}, Volume: []string{"/srv/data:/var/lib/data:ro", "cache:/cache"}, Init: true}
	tr, _ := start(t, c)
	require.Contains(t, targets(tr), "bin/docker-init cache tmp etc/resolv.conf etc/hostname etc/hosts var/lib/data")
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	var options []string
	for _, s := range tr.Steps {
		if strings.HasSuffix(s.Args["target"], "/merged/tmp") {
			options = append(options, s.Args["flags"]+" "+s.Args["call"])
		}
	}
	require.Contains(t, options[0], "size=64m")
	require.NotContains(t, options[0], "MS_NOEXEC")
}

// TestHiddenByVolume: what a directory of the host holds is not in the image.
func TestHiddenByVolume(t *testing.T) {
	for _, volume := range []string{"/opt/tools:/bin", "tools:/bin", "/bin"} {
		for _, engine := range []string{"docker", "podman"} {
			for _, init := range []bool{false, true} {
				tr, _ := start(t, Config{Image: conf("/bin/prog"), Engine: engine, Volume: []string{volume}, Init: init})
				require.Equal(t, trace.Unknown, tr.Outcome.Verdict, "%s %s", engine, volume)
				require.Contains(t, tr.Outcome.Unknown.String(), "unknown.volume-at path=/bin")
			}
		}
	}
	tr, _ := start(t, Config{Image: conf("/sbin/prog"), Volume: []string{"tools:/bin"}})
	require.Contains(t, tr.Outcome.Unknown.String(), "unknown.volume-at path=/bin", "/sbin is a link")
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Tmpfs: []string{"/bin"}})
	require.Equal(t, trace.Stops, tr.Outcome.Verdict, "docker's tmpfs is empty")
	require.Contains(t, tr.Outcome.Message, `exec: "/bin/prog": stat /bin/prog: no such file or directory`)
}

func TestNetwork(t *testing.T) {
	unshared := func(tr *trace.Trace) string { return strings.Join(calls(tr, "kernel.unshare", "namespaces"), " ") }
	tr, _ := start(t, Config{Image: conf("/bin/prog")})
	require.Contains(t, unshared(tr), "net")
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Network: "host"})
	require.NotContains(t, unshared(tr), "net")
	require.Equal(t, []string{"CLONE_NEWNET"}, calls(tr, "kernel.setns", "flags"))
	require.Empty(t, calls(tr, "runc.write-sysctl", "key"))
	require.Equal(t, []string{"host"}, calls(tr, "kernel.sethostname", "hostname"))
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Network: "none"})
	require.Contains(t, unshared(tr), "net")
	require.Len(t, calls(tr, "engine.network-none", "network"), 1)
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Network: "host", Sysctl: []string{"net.core.somaxconn=9"}})
	require.Equal(t, `docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: sysctl "net.core.somaxconn" is not allowed in the hosts network namespace: unknown.`, tr.Outcome.Message)
	for _, name := range []string{"container:db", "backend"} {
		tr, _ = start(t, Config{Image: conf("/bin/prog"), Network: name})
		require.Equal(t, trace.Unknown, tr.Outcome.Verdict)
	}
}

func TestSysctlOverDefault(t *testing.T) {
	tr, _ := start(t, Config{Image: conf("/bin/prog"), Sysctl: []string{"net.ipv4.ip_unprivileged_port_start=1024", "kernel.shmmax=1"}})
	require.Equal(t, []string{"1024", "0 2147483647", "1"}, calls(tr, "runc.write-sysctl", "value"))
}

func TestInit(t *testing.T) {
	tr, f := start(t, Config{Image: conf("prog", "a"), Init: true, StopSignal: "int"})
	require.Equal(t, []string{"/sbin/docker-init", "--", "prog", "a"}, f.Argv)
	require.Equal(t, "SIGINT", f.StopSignal)
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.Equal(t, []string{"2"}, calls(tr, "process.run", "pid"))
	tr, f = start(t, Config{Image: conf("/bin/prog"), Init: true, Engine: "podman"})
	require.Equal(t, []string{"/run/podman-init", "--", "/bin/prog"}, f.Argv)
	require.Equal(t, trace.Works, tr.Outcome.Verdict)

	for _, c := range []struct {
		c    Config
		want string
		code int
	}{
		{Config{Image: conf("nope"), Init: true}, "exec nope failed: No such file or directory", 127},
		{Config{Image: conf("/bin/plain"), Init: true}, "exec /bin/plain failed: Permission denied", 126},
		{Config{Image: conf("/bin/prog"), Init: true, PidsLimit: "1"}, "fork failed: Resource temporarily unavailable", 1},
	} {
		tr, _ := start(t, c.c)
		require.Equal(t, c.want, tr.Outcome.Message)
		require.Equal(t, c.code, *tr.Outcome.ExitCode)
	}
}

// TestInitOfTheImage: an image's own entrypoint may be a small init; tini 0.19 and dumb-init 1.2.5 end like this.
func TestInitOfTheImage(t *testing.T) {
	tr, _ := start(t, Config{Image: conf("tini", "-g", "-e", "143", "--", "prog", "a")})
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.Equal(t, []string{"1", "2"}, calls(tr, "process.run", "pid"))
	require.Equal(t, []string{"tini -g -e 143 -- prog a", "prog a"}, calls(tr, "process.run", "argv"))
	for _, c := range []struct {
		argv []string
		want string
		code int
	}{
		{[]string{"tini", "--", "nope"}, "exec nope failed: No such file or directory", 127},
		{[]string{"tini", "-gs", "/bin/plain"}, "exec /bin/plain failed: Permission denied", 126},
		{[]string{"dumb-init", "-r", "15:2", "/nope"}, "[dumb-init] /nope: No such file or directory", 2},
	} {
		tr, _ := start(t, Config{Image: conf(c.argv...)})
		require.Equal(t, c.want, tr.Outcome.Message)
		require.Equal(t, c.code, *tr.Outcome.ExitCode)
	}
	tr, _ = start(t, Config{Image: conf("tini", "--version")})
	require.EqualValues(t, "process.run", tr.Steps[tr.Outcome.Step].Kind)
}

// TestSwapThatTheRuntimeRefuses: podman leaves the check to the runtime. crun cgroup-resources.c; runc
// libcontainer/cgroups/utils.go.
func TestSwapThatTheRuntimeRefuses(t *testing.T) {
	tr, _ := start(t, Config{Image: conf("/bin/prog"), Engine: "podman", MemorySwap: "64m"})
	require.Equal(t, "Error: OCI runtime error: crun: cannot set swap limit without the memory limit", tr.Outcome.Message)
	tr, _ = start(t, Config{Image: conf("/bin/prog"), Engine: "podman-runc", Memory: "64m", MemorySwap: "32m"})
	require.Equal(t, "Error: OCI runtime error: /usr/sbin/runc: runc create failed: unable to start container process: error during container init: error setting cgroup config for procHooks process: memory+swap limit should be >= memory limit", tr.Outcome.Message)
}

// FuzzOptions: whatever is typed, the start ends with an outcome and a trace that holds together.
func FuzzOptions(f *testing.F) {
	f.Add("6m", "-1", "10", "nofile=1:2", "/run:size=1m", "/srv:/data:ro", "host", "net.a=1", "SIGINT", true)
	f.Add("1.5 GiB", "9p", "0x10", "core=-1", "tmp", "a:/b/../c", "container:", "kernel.sem", "RTMIN+3", false)
	f.Fuzz(func(t *testing.T, memory, swap, pids, ulimit, tmpfs, volume, network, sysctl, signal string, init bool) {
		for _, engine := range []string{"docker", "podman", "runc"} {
			tr, _ := start(t, Config{Image: conf("/bin/prog"), Engine: engine, Memory: memory, MemorySwap: swap, PidsLimit: pids, Ulimit: []string{ulimit},
				Tmpfs: []string{tmpfs}, Volume: []string{volume, volume}, Network: network, Sysctl: []string{sysctl}, StopSignal: signal, Init: init})
			require.NotEmpty(t, tr.Outcome.Verdict)
		}
		for _, read := range []func(*run) *failure{
			func(r *run) *failure { r.c.Memory, r.c.MemorySwap = memory, swap; return r.readMemory(&r.options) },
			func(r *run) *failure { r.c.Ulimit = []string{ulimit}; return r.readLimits(&r.options) },
			func(r *run) *failure { r.c.Tmpfs = []string{tmpfs}; return r.readTmpfs(&r.options) },
			func(r *run) *failure { r.c.Volume = []string{volume}; return r.readVolumes(&r.options) },
			func(r *run) *failure { r.c.StopSignal = signal; return r.readSignal(&r.options) },
		} {
			r := &run{c: Config{Engine: "docker"}}
			if f := read(r); f == nil {
				for _, m := range append(r.options.tmpfs, r.options.volumes...) {
					require.Equal(t, "/", m.dest[:1])
				}
			}
		}
	})
}
