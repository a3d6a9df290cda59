package identify_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

// tool runs a program; the test skips without it.
func tool(t *testing.T, dir, name string, args ...string) {
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(name + " is not installed")
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, name+": "+string(out))
}

func write(t *testing.T, dir string, files ...string) {
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(files[i+1]), 0o755))
	}
}

func session(t *testing.T, name string, data []byte) *wire.Session {
	s, err := wire.Open(name, bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	return s
}

// A distribution as learn.microsoft.com has it made: "tar --numeric-owner --absolute-names -c * | gzip".
func TestADistributionForWSL(t *testing.T) {
	passwd := "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/bash\n"
	for _, c := range []struct {
		conf, distribution, name string
		program, user, kind      string
	}{
		{"[boot]\nsystemd=true\n", "", "d.wsl", "/sbin/init", "root", "engine.wsl-next"},
		{"[user]\ndefault=ann\n", "", "d.tar.gz", "/bin/bash", "ann", "engine.wsl-missing"},
		{"", "[oobe]\ncommand = /etc/oobe.sh\ndefaultUid = 1000\n", "d.wsl", "/etc/oobe.sh", "ann", "engine.wsl-missing"},
		{"", "", "d.wsl", "/bin/sh", "root", "engine.wsl-next"},
	} {
		dir := t.TempDir()
		root := filepath.Join(dir, "root")
		write(t, root, "etc/passwd", passwd, "bin/sh", "x", "sbin/init", "x", "usr/bin/true", "x")
		if c.conf != "" {
			write(t, root, "etc/wsl.conf", c.conf)
		}
		if c.distribution != "" {
			write(t, root, "etc/wsl-distribution.conf", c.distribution)
		}
		tool(t, root, "sh", "-c", "tar --numeric-owner --absolute-names -c * | gzip --best > ../d")
		data, err := os.ReadFile(filepath.Join(dir, "d"))
		require.NoError(t, err)
		s := session(t, c.name, data)
		in := s.Inspect()
		require.Equal(t, []string{"gzip", "tar", "wsl"}, in.Formats)
		require.Equal(t, []string{"rootfs", "platform"}, []string{in.Kind, in.KernelFrom})
		run, err := s.Run(scenario.RunSettings{})
		require.NoError(t, err)
		require.Equal(t, trace.Unknown, run.Outcome.Verdict)
		last := run.Steps[len(run.Steps)-1]
		require.Equal(t, []string{c.kind, c.program, c.user}, []string{string(last.Kind), last.Args["program"], last.Args["user"]})
		command, err := s.Run(scenario.RunSettings{Command: []string{"/bin/sh"}})
		require.NoError(t, err)
		require.NotEqual(t, "wsl", command.Steps[0].Actor, "a command is for a container engine")
	}
}

func TestImagesOfAPurpose(t *testing.T) {
	for label, format := range map[string]string{
		"org.flatpak.ref=app/org.example.Hello/x86_64/stable": "flatpak",
		`io.ebpf.programs={"pass":"xdp"}`:                     "ebpf",
		"io.ebpf.program_name=pass":                           "ebpf",
		"io.buildpacks.lifecycle.metadata={}":                 "buildpack",
		"org.opencontainers.image.title=x":                    "",
	} {
		dir := t.TempDir()
		tool(t, dir, "umoci", "init", "--layout", "image")
		tool(t, dir, "umoci", "new", "--image", "image:a")
		tool(t, dir, "umoci", "config", "--image", "image:a", "--config.label", label)
		tool(t, filepath.Join(dir, "image"), "tar", "-cf", "../image.tar", ".")
		data, err := os.ReadFile(filepath.Join(dir, "image.tar"))
		require.NoError(t, err)
		in := session(t, "image.tar", data).Inspect()
		require.Equal(t, []string{"application", "host"}, []string{in.Kind, in.KernelFrom})
		require.Equal(t, strings.Fields("oci-archive "+format), in.Formats, label)
		if format != "" {
			require.NotEmpty(t, in.Notes)
		}
	}
}

func TestAFlatpakBundle(t *testing.T) {
	// The first key of the delta's metadata, as flatpak build-bundle writes it; shared MIME database, application/vnd.flatpak.
	data := append([]byte("flatpak\x00\x01\x00\x89\xe5\x00u"), make([]byte, 500)...)
	store := blob.NewStore()
	im, err := identify.Open(store, store.Add("a.flatpak", bytes.NewReader(data), int64(len(data)), nil), nil)
	require.NoError(t, err)
	require.Equal(t, identify.Other, im.Kind)
	require.Equal(t, []string{"flatpak"}, im.Formats)
	require.Equal(t, identify.KernelHost, im.KernelFrom())
	_, err = session(t, "a.flatpak", data).Run(scenario.RunSettings{})
	require.ErrorContains(t, err, "an OSTree delta")
}
