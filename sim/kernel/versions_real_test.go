package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bootpath/sim/machine"

	"github.com/stretchr/testify/require"
)

// TestVersionsAsTheLoaderChecksThem takes versions out of a library and compares with what this machine's
// own loader says then.
func TestVersionsAsTheLoaderChecksThem(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) { require.NoError(t, os.WriteFile(at(name), []byte(text), 0o644)) }
	build := func(args ...string) {
		cmd := exec.Command(gcc, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	write("v.c", "int getpid(void); int f(void){return getpid() < 0;} int g(void){return 0;}")
	write("m.c", "int f(void); int g(void); int main(void){return f()+g();}")
	write("two.map", "ONE { global: f; }; TWO { global: g; } ONE;")
	write("one.map", "ONE { global: f; g; };")
	lib := func(script ...string) {
		build(append([]string{"-shared", "-fPIC", "-Wl,-soname,libv.so", "-o", "libv.so", "v.c"}, script...)...)
	}
	lib("-Wl,--version-script=two.map")
	build("-o", "m", "m.c", "-L.", "-lv", "-Wl,-rpath,"+dir)
	for _, row := range []struct {
		name   string
		script []string
	}{
		{"as it was linked", []string{"-Wl,--version-script=two.map"}},
		{"an older library", []string{"-Wl,--version-script=one.map"}},
		{"a library without versions", nil},
	} {
		lib(row.script...)
		cmd := exec.Command(at("m"))
		cmd.Env = []string{}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		cmd.Run()
		task := hostTask(t)
		require.NoError(t, task.Execve(at("m"), []string{at("m")}, nil))
		l := task.Load()
		require.Equal(t, strings.TrimSuffix(stderr.String(), "\n"), l.Console, row.name)
		require.Equal(t, cmd.ProcessState.ExitCode() != 0, l.Failed, row.name)
		if l.Failed {
			require.Equal(t, cmd.ProcessState.ExitCode(), l.Exit, row.name)
		}
	}
}

func TestKernelVersion(t *testing.T) {
	for release, want := range map[string][3]uint32{
		"6.1.0": {6, 1, 0}, "4.19.0-27-amd64": {4, 19, 0}, "2.6.32-754.el6": {2, 6, 32}, "5.15": {5, 15, 0}, "6.1-rc3": {6, 1, 0}, "": {},
	} {
		require.Equal(t, want, kernelVersion(release), release)
	}
}

// A loader that does not have the message does not look at the kernel.
func TestKernelTooOldOnlyWhenTheLoaderSaysSo(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh")
	}
	k := New(machine.New(), Options{Version: "2.6.18", Arch: "amd64"})
	k.UnpackRootfs(hostFS{})
	task := k.Init()
	if task.Execve(sh, []string{sh}, nil) != nil || task.exe.interp == "" {
		t.Skip("needs a dynamic sh")
	}
	loader, err := os.ReadFile(task.exe.interp)
	require.NoError(t, err)
	failed := task.Load().Failed
	require.Equal(t, strings.Contains(string(loader), tooOld), failed)
	qemu, err := exec.LookPath("qemu-x86_64-static") // which tells its program that the kernel is what -r says
	if err != nil {
		t.Skip("needs qemu-x86_64-static to ask the loader")
	}
	out, err := exec.Command(qemu, "-r", "2.6.18", sh, "-c", ":").CombinedOutput()
	require.Equal(t, failed, err != nil, "%s", out)
}
