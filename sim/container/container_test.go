package container

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// program is a static ELF for x86-64: a header and one segment; it is never executed here.
func program() string {
	b := make([]byte, 0x80)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[0x10:], 2)
	le.PutUint16(b[0x12:], 62)
	le.PutUint64(b[0x20:], 0x40)
	le.PutUint16(b[0x36:], 0x38)
	le.PutUint16(b[0x38:], 1)
	le.PutUint32(b[0x40:], 1)
	le.PutUint64(b[0x60:], uint64(len(b)))
	le.PutUint64(b[0x68:], uint64(len(b)))
	return string(b)
}

// image is a small root file system: no /proc, /dev or /sys, as images from scratch have none.
func image(t *testing.T) (fsys.FS, *blob.Store) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, content string) {
		h.Size = int64(len(content))
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	file := func(name string, mode int64, content string) {
		add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "etc", Mode: 0o755}, "")
	file("etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\napp:x:1001:1001::/home/app:/bin/sh\n")
	file("etc/group", 0o644, "root:x:0:\napp:x:1001:\nstaff:x:50:app\n")
	file("bin/prog", 0o755, program())
	file("bin/tini", 0o755, program())
	file("bin/dumb-init", 0o755, program())
	file("bin/private", 0o700, program())
	file("bin/script", 0o755, "#!/bin/prog -x\n")
	file("bin/crlf", 0o755, "#!/bin/prog\r\n")
	file("bin/plain", 0o644, program())
	add(tar.Header{Typeflag: tar.TypeDir, Name: "locked", Mode: 0o700}, "")
	file("locked/prog", 0o755, program())
	add(tar.Header{Typeflag: tar.TypeDir, Name: "home/app", Mode: 0o700, Uid: 1001, Gid: 1001}, "")
	add(tar.Header{Typeflag: tar.TypeSymlink, Name: "dev", Linkname: "/../../outside", Mode: 0o777}, "")
	add(tar.Header{Typeflag: tar.TypeSymlink, Name: "sbin", Linkname: "bin", Mode: 0o777}, "")
	require.NoError(t, w.Close())
	store := blob.NewStore()
	b := store.Add("rootfs.tar", bytes.NewReader(buf.Bytes()), int64(buf.Len()), nil)
	f, err := tarfs.Open(b)
	require.NoError(t, err)
	return f, store
}

func start(t *testing.T, c Config) (*trace.Trace, Facts) {
	root, store := image(t)
	c.RootFS, c.Name = root, "rootfs.tar"
	m := machine.New()
	f := Run(m, c)
	tr := m.Trace()
	require.NoError(t, tr.Check(func(name string) (int64, bool) {
		b := store.Blob(name)
		if b == nil {
			return 0, false
		}
		return b.Size(), true
	}))
	return tr, f
}

func conf(argv ...string) *v1.Config {
	return &v1.Config{Entrypoint: argv, Env: []string{"PATH=/bin"}}
}

func empty() *string { return new(string) }

func TestWhatTheEngineRuns(t *testing.T) {
	sh := "/bin/sh"
	for name, c := range map[string]struct {
		config Config
		argv   string
	}{
		"entrypoint and cmd":                {Config{Image: &v1.Config{Entrypoint: []string{"a", "b"}, Cmd: []string{"c"}}}, "a b c"},
		"a command replaces cmd":            {Config{Image: &v1.Config{Entrypoint: []string{"a"}, Cmd: []string{"c"}}, Command: []string{"d"}}, "a d"},
		"a new entrypoint drops cmd":        {Config{Image: &v1.Config{Entrypoint: []string{"a"}, Cmd: []string{"c"}}, Entrypoint: &sh}, "/bin/sh"},
		"an empty entrypoint resets":        {Config{Image: &v1.Config{Entrypoint: []string{"a"}, Cmd: []string{"c"}}, Entrypoint: empty(), Command: []string{"d"}}, "d"},
		"an empty entrypoint drops cmd too": {Config{Image: &v1.Config{Entrypoint: []string{"a"}, Cmd: []string{"c"}}, Entrypoint: empty()}, ""},
		"cmd alone":                         {Config{Image: &v1.Config{Cmd: []string{"c", "d"}}}, "c d"},
	} {
		r := &run{c: c.config, conf: *c.config.Image}
		require.Equal(t, c.argv, strings.Join(r.argv(), " "), name)
	}
}

func TestOutcomes(t *testing.T) {
	docker := "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: "
	for name, c := range map[string]struct {
		config  Config
		verdict trace.Verdict
		stage   trace.Stage
		message string
		exit    int
	}{
		"a program":         {Config{Image: conf("/bin/prog")}, trace.Works, trace.Process, "", -1},
		"under crun":        {Config{Image: conf("/bin/prog"), Engine: "crun"}, trace.Works, trace.Process, "", -1},
		"version 1 groups":  {Config{Image: conf("/bin/prog"), Cgroup: "v1"}, trace.Works, trace.Process, "", -1},
		"podman, version 1": {Config{Image: conf("/bin/prog"), Engine: "podman", Cgroup: "v1"}, trace.Works, trace.Process, "", -1},
		"privileged":        {Config{Image: conf("/bin/prog"), Privileged: true}, trace.Works, trace.Process, "", -1},
		"found in PATH":     {Config{Image: conf("script")}, trace.Works, trace.Process, "", -1},
		"another user's program passes the look and fails execve": {Config{Image: conf("private"), User: "app"}, trace.Stops, trace.Exec, "exec /bin/private: permission denied", 1},
		"crun looks as root, execve does not":                     {Config{Image: conf("private"), User: "app", Engine: "crun"}, trace.Stops, trace.Exec, "exec container process `/bin/private`: Permission denied", 1},
		"a directory that cannot be searched":                     {Config{Image: conf("/locked/prog"), User: "app"}, trace.Stops, trace.Create, docker + `unable to start container process: exec: "/locked/prog": stat /locked/prog: permission denied: unknown.`, 126},
		"a working directory of another user":                     {Config{Image: conf("/bin/prog"), User: "app", Workdir: "/locked"}, trace.Works, trace.Process, "", -1},
		"an unknown user":                                         {Config{Image: conf("/bin/prog"), User: "nobody"}, trace.Stops, trace.Resolve, "docker: Error response from daemon: unable to find user nobody: no matching entries in passwd file.", 125},
		"an unknown group":                                        {Config{Image: conf("/bin/prog"), User: "app:none"}, trace.Stops, trace.Resolve, "docker: Error response from daemon: unable to find group none: no matching entries in group file.", 125},
		"a carriage return in the first line":                     {Config{Image: conf("/bin/crlf")}, trace.Stops, trace.Exec, "exec /bin/crlf: no such file or directory", 1},
		"a host of another architecture":                          {Config{Image: conf("/bin/prog"), HostArch: "arm64"}, trace.Stops, trace.Exec, "exec /bin/prog: exec format error", 1},
		"a seccomp profile of the host":                           {Config{Image: conf("/bin/prog"), SecurityOpt: []string{"seccomp=/etc/profile.json"}}, trace.Unknown, trace.Exec, "", -1},
		"no seccomp":                                              {Config{Image: conf("/bin/prog"), SecurityOpt: []string{"seccomp=unconfined"}}, trace.Works, trace.Process, "", -1},
		"nothing to run":                                          {Config{Image: &v1.Config{}}, trace.Stops, trace.Resolve, "docker: Error response from daemon: No command specified.", 125},
		"an empty image config under podman":                      {Config{Image: &v1.Config{}, Engine: "podman"}, trace.Stops, trace.Resolve, "Error: no command or entrypoint provided, and no CMD or ENTRYPOINT from image", 125},
	} {
		tr, _ := start(t, c.config)
		o := tr.Outcome
		require.Equal(t, []any{c.verdict, c.stage, c.message}, []any{o.Verdict, o.Stage, o.Message}, name)
		if c.exit >= 0 {
			require.NotNil(t, o.ExitCode, name)
			require.Equal(t, c.exit, *o.ExitCode, name)
		}
	}
}

func TestTheProcessThatRuns(t *testing.T) {
	tr, facts := start(t, Config{Image: conf("/bin/script", "arg"), User: "app", Workdir: "/srv/made", Hostname: "box"})
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	require.NotNil(t, facts.Security)
	require.Equal(t, &Ports{Low: "allowed", Why: "start"}, facts.Ports)
	facts.Security, facts.Upper, facts.Ports = nil, "", nil
	require.Equal(t, Facts{Argv: []string{"/bin/script", "arg"}, Env: []string{"PATH=/bin", "HOSTNAME=box", "HOME=/home/app"}, User: "1001:1001",
		Cwd: "/srv/made", Image: "rootfs.tar", Kernel: "6.1.0", StopSignal: "SIGTERM"}, facts)
	end := tr.At(len(tr.Steps))
	var row trace.Row
	for _, p := range end[trace.Processes] {
		if p["comm"] == "script" {
			row = p
		}
	}
	require.Equal(t, "/bin/prog", row["exe"], "the interpreter runs, the name is the script's")
	require.Equal(t, []string{"1001", "1001", "1"}, []string{row["uid"], row["gid"], row["ns_pid"]})
	targets := map[string]string{}
	for _, m := range end[trace.Mounted] {
		if m["ns"] == "mnt:2" {
			targets[m["target"]] = m["fstype"]
		}
	}
	require.Equal(t, "overlay", targets["/"])
	require.Equal(t, "proc", targets["/proc"])
	require.Equal(t, "tmpfs", targets["/outside"], "a link of the image cannot lead a mount out of the root")
	require.NotContains(t, targets, "/var", "the host's mounts are gone")
	for id := range end[trace.Mounted] {
		require.NotContains(t, end[trace.Mounted][id]["target"], "/run/bundle")
	}
	var execve trace.Step
	for _, st := range tr.Steps {
		if st.Kind == "kernel.execve" {
			execve = st
		}
	}
	require.Equal(t, "/bin/prog -x /bin/script arg", execve.Args["argv"])
	names := map[string]bool{}
	for _, c := range execve.Cites {
		names[c.Name] = true
	}
	for _, want := range []string{"interpreter", "argument", "Ident.Magic", "Machine"} {
		require.True(t, names[want], "execve cites %s: %v", want, names)
	}
}

var placeholder = regexp.MustCompile(`\{([a-z0-9_]+)\}`)

// Every kind has a sentence, and every value that a sentence shows is there.
func TestSentencesFindTheirValues(t *testing.T) {
	all := map[string]struct{ Title, Text string }{}
	files, err := filepath.Glob("../../content/messages/*.en.json")
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &all))
	}
	var configs []Config
	for _, e := range []string{"docker", "podman", "podman-runc", "runc", "crun"} {
		for _, argv := range [][]string{{"/bin/prog"}, {"script"}, {"/bin/crlf"}, {"/bin/plain"}, {"none"}, {"/bin"}, {}, {"private"}, {"/etc/passwd"}} {
			configs = append(configs, Config{Engine: e, Image: conf(argv...), User: "1001", ReadOnly: true, SecurityOpt: []string{"no-new-privileges"}},
				Config{Engine: e, Image: conf(argv...), Cgroup: "v1", HostArch: "arm64"})
		}
	}
	for _, c := range configs {
		tr, _ := start(t, c)
		for _, st := range tr.Steps {
			msg, ok := all[string(st.Kind)]
			require.True(t, ok, "%s has no sentence", st.Kind)
			for _, p := range placeholder.FindAllStringSubmatch(msg.Title+msg.Text, -1) {
				_, has := st.Args[p[1]]
				require.True(t, has, "%s: no value for {%s} in %v", st.Kind, p[1], st.Args)
			}
		}
	}
}
