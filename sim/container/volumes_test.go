package container

import (
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

func TestImageVolumes(t *testing.T) {
	image := &v1.Config{Cmd: []string{"/srv/prog"}, Env: []string{"PATH=/bin"}, Volumes: map[string]struct{}{"/srv": {}, "/empty": {}, "/home/app": {}}}
	root := files(t, map[string]string{"srv/prog": program(), "home/app/x": "x"}, nil)
	require.NoError(t, fstest.TestFS(fsys.Sub(root, "srv"), "prog"))
	tr, f := stopped(root, Config{Image: image, Tmpfs: []string{"/home/app"}})
	require.NotEqual(t, trace.Stops, tr.Outcome.Verdict, tr.Outcome.Message) // the program lies in the volume, as in the image
	require.Len(t, f.Volumes, 3)
	require.Equal(t, "/empty", f.Volumes[0].Dest)
	require.Equal(t, "anonymous", f.Volumes[1].Kind)
	require.Equal(t, Volume{Dest: "/home/app", Kind: "tmpfs"}, f.Volumes[2])
	require.Contains(t, calls(tr, "kernel.bind-mount", "source"), f.Volumes[1].Source)
	require.Contains(t, f.Upper, "/diff")
	for _, engine := range []string{"podman", "podman-runc"} {
		tr, _ = stopped(root, Config{Image: image, Engine: engine})
		require.NotEqual(t, trace.Stops, tr.Outcome.Verdict, tr.Outcome.Message)
	}
}

func TestSecurity(t *testing.T) {
	refused := func(f Facts, call string) string {
		for _, r := range f.Security.Refused {
			for _, c := range r.Calls {
				if c == call && r.When == "" {
					return r.Errno + " " + r.Unless
				}
			}
		}
		return ""
	}
	start := func(c Config) Facts { _, f := start(t, c); return f }
	f := start(Config{Image: conf("/bin/prog")})
	require.Equal(t, "EPERM CAP_SYS_ADMIN", refused(f, "mount"))
	require.Equal(t, "ENOSYS CAP_SYS_ADMIN", refused(f, "clone3"))
	require.Equal(t, "EPERM ", refused(f, "keyctl"))
	require.Equal(t, "docker-default", f.Security.AppArmor)
	f = start(Config{Image: conf("/bin/prog"), CapAdd: []string{"SYS_ADMIN"}})
	require.Empty(t, refused(f, "mount"))
	require.Empty(t, refused(f, "clone3"))
	f = start(Config{Image: conf("/bin/prog"), Privileged: true})
	require.Equal(t, []any{"unconfined", "unconfined", 0}, []any{f.Security.Seccomp, f.Security.AppArmor, len(f.Security.Masked)})
	f = start(Config{Image: conf("/bin/prog"), SecurityOpt: []string{"seccomp=unconfined", "apparmor=mine", "no-new-privileges"}})
	require.Equal(t, []any{"unconfined", "mine", true}, []any{f.Security.Seccomp, f.Security.AppArmor, f.Security.NoNewPrivs})
}

// TestEmulation: the words are QEMU 7.2's for a program whose loader is missing.
func TestEmulation(t *testing.T) {
	arm := []byte(program())
	arm[0x12] = 183 // EM_AARCH64
	b := append([]byte(nil), arm...)
	b[0x38] = 2 // a second program header: PT_INTERP behind the headers
	b = append(b, make([]byte, 0x40)...)
	copy(b[0x78:], []byte{3, 0, 0, 0, 4, 0, 0, 0, 0xb0})
	copy(b[0x78+0x20:], []byte{9, 0, 0, 0, 0, 0, 0, 0, 9})
	copy(b[0xb0:], "/lib/ld\x00\x00")
	root := files(t, map[string]string{"static": string(arm), "dynamic": string(b)}, nil)
	run := func(flags string, argv ...string) (trace.Outcome, Facts) {
		entry, ok := kernel.QemuBinfmt("arm64", flags)
		require.True(t, ok)
		m := machine.New()
		f := Run(m, Config{RootFS: root, Name: "r", Image: conf(argv...), Binfmt: []kernel.Binfmt{entry}})
		return m.Trace().Outcome, f
	}
	o, _ := run("", "/static")
	require.Equal(t, trace.Works, o.Verdict)
	o, _ = run("", "/dynamic")
	require.Equal(t, "aarch64-binfmt-P: Could not open '/lib/ld': No such file or directory", o.Message)
	require.Equal(t, 255, *o.ExitCode)
	o, _ = run("PO", "/static") // without F the container would need the emulator
	require.Equal(t, "exec /static: no such file or directory", o.Message)
}
