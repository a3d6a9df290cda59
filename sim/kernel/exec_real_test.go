package kernel

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"bootpath/sim/fsys"
	"bootpath/sim/machine"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tinyELF is a static program for x86-64 that exits with 0: a header, one PT_LOAD, nine bytes of code.
func tinyELF(change ...func([]byte) []byte) []byte {
	b := make([]byte, 0x78)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[0x10:], 2)
	le.PutUint16(b[0x12:], 62)
	le.PutUint32(b[0x14:], 1)
	le.PutUint64(b[0x18:], 0x400078)
	le.PutUint64(b[0x20:], 0x40)
	le.PutUint16(b[0x34:], 0x40)
	le.PutUint16(b[0x36:], 0x38)
	le.PutUint16(b[0x38:], 1)
	le.PutUint32(b[0x40:], 1)
	le.PutUint32(b[0x44:], 5)
	le.PutUint64(b[0x50:], 0x400000)
	code := []byte{0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}
	le.PutUint64(b[0x60:], uint64(len(b)+len(code)))
	le.PutUint64(b[0x68:], uint64(len(b)+len(code)))
	le.PutUint64(b[0x70:], 0x1000)
	b = append(b, code...)
	for _, c := range change {
		b = c(b)
	}
	return b
}

func set(off int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte { copy(b[off:], v); return b }
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

// withInterp makes the program header table two entries long, the second a PT_INTERP.
func withInterp(path string) func([]byte) []byte {
	return func(b []byte) []byte {
		le := binary.LittleEndian
		at := len(b)
		b = append(b, make([]byte, 2*0x38)...)
		copy(b[at:], b[0x40:0x78])
		le.PutUint64(b[0x20:], uint64(at))
		le.PutUint16(b[0x38:], 2)
		p := b[at+0x38:]
		le.PutUint32(p, 3)
		le.PutUint64(p[0x08:], uint64(len(b)))
		le.PutUint64(p[0x20:], uint64(len(path)))
		return append(b, path...)
	}
}

// bss makes the segment reach past the end of the file with something to clear there.
func bss(filesz, memsz uint64) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint64(b[0x60:], filesz)
		binary.LittleEndian.PutUint64(b[0x68:], memsz)
		b[0x44] = 7
		return b
	}
}

type sample struct {
	name    string
	content string
	mode    os.FileMode
}

func samples(dir string) []sample {
	tiny := string(tinyELF())
	x := func(name, content string) sample { return sample{name, content, 0o755} }
	elf := func(name string, change ...func([]byte) []byte) sample { return x(name, string(tinyELF(change...))) }
	sh := "#!" + dir + "/"
	out := []sample{
		x("tiny", tiny), {"noexec", tiny, 0o644}, {"xonly", tiny, 0o711}, {"rootonly", tiny, 0o700}, x("empty", ""), x("text", "echo hi\n"),
		x("zeros", strings.Repeat("\x00", 300)), x("bom", "\xef\xbb\xbf"+sh+"tiny\n"),
		// scripts
		x("s-ok", sh+"tiny\n"), x("s-arg", sh+"tiny a b\n"), x("s-blank", "#! \t"+dir+"/tiny \t\n"), x("s-crlf", sh+"tiny\r\n"),
		x("s-none", "#!\n"), x("s-two-bytes", "#!"), x("s-blanks", "#!  \t \n"), x("s-blanks-no-newline", "#!   "), x("s-nul", "#!\x00\n"),
		x("s-no-newline", sh+"tiny"), x("s-missing", sh+"nothing\n"), x("s-noexec", sh+"noexec\n"), x("s-dir", "#!"+dir+"\n"),
		x("s-relative", "#!tiny\n"), x("s-nul-behind", sh+"tiny\x00more\n"),
		x("s-long", "#!/"+strings.Repeat("a", 300)+"\n"), x("s-long-blank", sh+"tiny "+strings.Repeat("a", 300)+"\n"),
		x("s-254", sh+strings.Repeat("/", 254-len(sh)-4)+"tiny\n"), x("s-255", sh+strings.Repeat("/", 255-len(sh)-4)+"tiny\n"),
		x("s-256", sh+strings.Repeat("/", 256-len(sh)-4)+"tiny\n"), x("s-blanks-256", "#!"+strings.Repeat(" ", 256)+dir+"/tiny\n"),
		x("s-self", sh+"s-self\n"), x("s-text", sh+"text\n"),
		x("s-n1", sh+"s-ok\n"), x("s-n2", sh+"s-n1\n"), x("s-n3", sh+"s-n2\n"), x("s-n4", sh+"s-n3\n"), x("s-n5", sh+"s-n4\n"), x("s-n6", sh+"s-n5\n"),
		{"s-suid-dir/x", sh + "tiny\n", 0o755},
		// ELF
		elf("e-cut16", cut(16)), elf("e-cut63", cut(63)), elf("e-cut64", cut(64)), elf("e-cut100", cut(100)),
		elf("e-class0", set(4, 0)), elf("e-class1", set(4, 1)), elf("e-data2", set(5, 2)), elf("e-version9", set(6, 9)), elf("e-osabi9", set(7, 9)),
		elf("e-rel", set(0x10, 1)), elf("e-core", set(0x10, 4)), elf("e-dyn", set(0x10, 3)), elf("e-arm64", set(0x12, 183)), elf("e-386", set(0x12, 3)),
		elf("e-phentsize", set(0x36, 0x20)), elf("e-phnum0", set(0x38, 0)), elf("e-phnum-many", set(0x38, 100)),
		elf("e-phoff-far", set(0x20, 0, 0, 0, 0x7f)), elf("e-phoff-negative", set(0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
		elf("e-noload", set(0x40, 6)),
		elf("e-bss-here", bss(0x81, 0x3000)), elf("e-bss-past", bss(0x1800, 0x3000)), elf("e-bss-aligned", bss(0x2000, 0x3000)),
		elf("i-missing", withInterp("/nonexistent/ld.so\x00")), elf("i-ok", withInterp(dir+"/e-dyn\x00")),
		elf("i-unterminated", withInterp(dir+"/e-dyn")), elf("i-one", withInterp("\x00")), elf("i-empty", withInterp("\x00\x00")),
		elf("i-text", withInterp(dir+"/text\x00")), elf("i-longtext", withInterp(dir+"/longtext\x00")), x("longtext", strings.Repeat("text ", 50)),
		elf("i-noexec", withInterp(dir+"/noexec\x00")), elf("i-dir", withInterp(dir+"\x00")), elf("i-arm64", withInterp(dir+"/e-arm64\x00")),
		elf("i-386", withInterp(dir+"/e-386\x00")), elf("i-rel", withInterp(dir+"/e-rel\x00")), elf("i-noload", withInterp(dir+"/e-noload\x00")), elf("i-bss", withInterp(dir+"/e-bss-past\x00")), elf("i-cut", withInterp(dir+"/e-cut100\x00")),
		elf("i-relative", withInterp("tiny\x00")),
		elf("i-long", withInterp("/"+strings.Repeat("a", 300)+"\x00")), elf("i-5000", withInterp("/"+strings.Repeat("a/", 2500)+"\x00")),
		elf("i-past-end", withInterp(dir+"/e-dyn\x00"), func(b []byte) []byte { return b[:len(b)-4] }),
	}
	return out
}

// TestExecveAsLinuxDoes asks this machine's kernel and the simulated one about the same files.
func TestExecveAsLinuxDoes(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs Linux on x86-64")
	}
	dir, err := os.MkdirTemp("", "execve")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))

	task := New(machine.New(), Options{Version: "6.1.0", Arch: "amd64"}).Init()
	require.NoError(t, task.MkdirAll(dir, 0o755))
	require.NoError(t, task.Chdir(dir))
	names := []string{}
	for _, s := range samples(dir) {
		p := filepath.Join(dir, s.name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(s.content), s.mode))
		require.NoError(t, os.Chmod(p, s.mode))
		require.NoError(t, task.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, task.WriteFile(p, []byte(s.content), uint32(s.mode)))
		names = append(names, p)
	}
	link := func(target, name string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.Symlink(target, p))
		require.NoError(t, task.Symlink(target, p))
		return p
	}
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o755))
	require.NoError(t, task.Mknod(fifo, fsys.S_IFIFO|0o755, 0))
	names = append(names, fifo, link("tiny", "l-good"), link("loop2", "loop1"), link("loop1", "loop2"), link("nowhere", "dangling"),
		link(dir+"/tiny/", "l-slash"), link(".", "l-dot"), dir, dir+"/", dir+"/tiny/", dir+"/tiny/x", dir+"/none", dir+"/none/x", dir+"/l-dot/l-dot/tiny",
		dir+"/../"+filepath.Base(dir)+"/tiny", dir+"/"+strings.Repeat("n", 255), dir+"/"+strings.Repeat("n", 256), dir+"/"+strings.Repeat("n", 256)+"/x",
		dir+strings.Repeat("/.", 2100), dir+"/"+strings.Repeat("./", 1000)+"tiny", "")
	chain := "tiny"
	for i := range 45 {
		chain = filepath.Base(link(chain, "c"+strings.Repeat("i", i+1)))
		if i >= 38 && i <= 41 {
			names = append(names, filepath.Join(dir, chain))
		}
	}
	for _, uid := range []uint32{0, 1000} {
		for _, name := range names {
			want := realExec(t, dir, name, uid)
			if want == "skip" {
				continue
			}
			assert.Equal(t, want, simExec(task, name, uid), "uid %d: %s", uid, strings.ReplaceAll(name, dir, "DIR"))
		}
	}
}

func realExec(t *testing.T, dir, name string, uid uint32) string {
	attr := &syscall.ProcAttr{Dir: dir, Env: []string{}, Files: []uintptr{0, 1, 2}}
	if uid != uint32(os.Geteuid()) {
		if os.Geteuid() != 0 {
			return "skip"
		}
		attr.Sys = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	pid, err := syscall.ForkExec(name, []string{"argv0"}, attr)
	if err != nil {
		var e syscall.Errno
		require.ErrorAs(t, err, &e)
		return Errno(e).Name()
	}
	var ws syscall.WaitStatus
	_, err = syscall.Wait4(pid, &ws, 0, nil)
	require.NoError(t, err)
	if ws.Signaled() {
		return map[syscall.Signal]string{syscall.SIGSEGV: "SIGSEGV", syscall.SIGKILL: "SIGKILL", syscall.SIGBUS: "SIGBUS"}[ws.Signal()]
	}
	return "runs"
}

func simExec(task *Task, name string, uid uint32) string {
	c, err := task.Clone(0)
	if err != nil {
		return err.Error()
	}
	defer c.Exit(0)
	if uid != 0 {
		c.Cred = Cred{UID: uid, EUID: uid, SUID: uid, FSUID: uid, GID: uid, EGID: uid, SGID: uid, FSGID: uid, Bounding: AllCaps}
	}
	var e Errno
	if err := c.Execve(name, []string{"argv0"}, nil); errors.As(err, &e) {
		return e.Name()
	}
	if c.Died() != "" {
		return c.Died()
	}
	return "runs"
}
