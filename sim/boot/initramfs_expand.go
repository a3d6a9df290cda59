package boot

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
)

// words expands words to fields: 2.6.
func (in *shProcess) words(list []sh.Word) ([]string, ctl) {
	out, err := sh.Words(expansion{in}, list)
	return out, ctlOf(err)
}

// text expands a word without splitting.
func (in *shProcess) text(w sh.Word) (string, ctl) {
	s, err := sh.Text(expansion{in}, w)
	return s, ctlOf(err)
}

// pattern expands a word to a pattern.
func (in *shProcess) pattern(w sh.Word) (string, ctl) {
	s, err := sh.Pattern(expansion{in}, w)
	return s, ctlOf(err)
}

// arith evaluates an arithmetic expression.
func (in *shProcess) arith(expr string) (int64, error) { return sh.Arithmetic(expansion{in}, expr) }

// stopped is an expansion that ends more than itself.
type stopped struct{ ctl ctl }

func (s stopped) Error() string { return "the expansion ends the command" }

func ctlOf(err error) ctl {
	if s, ok := err.(stopped); ok {
		return s.ctl
	}
	return ctlNone
}

// expansion is the shell as [sh.Words] asks it.
type expansion struct{ in *shProcess }

func (e expansion) Value(name string) (string, bool) { return e.in.value(name) }
func (e expansion) Set(name, value string)           { e.in.set(name, value) }
func (e expansion) Args() []string                   { return e.in.args }
func (e expansion) Names(dir string) []string        { return e.in.list(dir) }
func (e expansion) Globs() bool                      { return e.in.vars["-"] != "f" }
func (e expansion) Strict() bool                     { return false }
func (e expansion) Extended() bool                   { return e.in.kind.name != "dash" }

func (e expansion) Spend(work int) error {
	if e.in.b.expanded += work; e.in.b.expanded > sh.MaxWork {
		return stopped{e.in.end("unknown.long-expansion")}
	}
	return nil
}

func (e expansion) Exists(name string) bool {
	_, err := e.in.lstat(name)
	return err == nil
}

func (e expansion) Output(body []sh.Stmt) (string, error) {
	s, c := e.in.substitute(body)
	if c != ctlNone {
		return "", stopped{c}
	}
	return s, nil
}

// Refuse prints what the shell says; it ends then: 2.8.1.
func (e expansion) Refuse(why sh.Refusal, name, text string) error {
	in := e.in
	switch why {
	case sh.BadArithmetic:
		text = "arithmetic expression: " + text
	case sh.BadSubstitution:
		text = "Bad substitution"
	default:
		text = name + ": " + text
	}
	in.err("%s: %d: %s\n", in.name, in.src.line(in.pos.Off), text)
	in.status = 2
	return stopped{ctlExit}
}

// list is what a directory holds, by name.
func (in *shProcess) list(dir string) []string {
	dir = in.abs(dir)
	if names, ok := in.x.virtualDir(dir); ok {
		return names
	}
	in.uncertain(dir + "/*")
	names, err := in.x.pid1.ReadNames(dir)
	if err != nil || slices.Contains(names, "") {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	}
	return names
}

// substitute is a command's output without the newlines at its end: 2.6.3.
func (in *shProcess) substitute(body []sh.Stmt) (string, ctl) {
	child := in.child()
	child.stdout = &sink{kind: "buffer"}
	pos := in.pos
	c := child.run(body)
	in.pos = pos
	in.status = child.status
	if c == ctlEnd {
		return "", c
	}
	return strings.TrimRight(child.stdout.buf.String(), "\n"), ctlNone
}

// value looks a parameter up.
func (in *shProcess) value(name string) (string, bool) {
	switch name {
	case "@", "*":
		return strings.Join(in.args, " "), len(in.args) > 0
	case "#":
		return strconv.Itoa(len(in.args)), true
	case "?":
		return strconv.Itoa(in.status), true
	case "$":
		return strconv.Itoa(in.x.pid1.PID), true
	case "!":
		return "", false
	case "-":
		if in.errexit {
			return "e", true
		}
		return "", true
	case "0":
		return in.name, true
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(in.args) {
			return in.args[n-1], true
		}
		return "", false
	}
	v, ok := in.vars[name]
	return v, ok
}

// lstat is lstat(2) of a path that may lie in a file system that the kernel makes up.
func (in *shProcess) lstat(name string) (fs.FileInfo, error) {
	name = in.abs(name)
	if fi, ok := in.x.virtual(name); ok {
		return fi, nil
	}
	if in.b.soft && name == "/sys/class/mem/null" && in.x.mountedAt("/sys", "sysfs") {
		return made{name: "null", mode: fs.ModeSymlink | 0o777}, nil // since CONFIG_SYSFS_DEPRECATED is gone
	}
	return in.x.pid1.Lstat(name)
}

// terminal tells whether a file descriptor is the console.
func (in *shProcess) terminal(fd string) bool {
	switch fd {
	case "0":
		return in.stdin == nil
	case "1":
		return in.stdout.kind == "console"
	case "2":
		return in.stderr.kind == "console"
	}
	return false
}

// stat follows links.
func (in *shProcess) stat(name string) (fs.FileInfo, error) {
	name = in.abs(name)
	if fi, ok := in.x.virtual(name); ok {
		return fi, nil
	}
	if fi, ok := alwaysThere(name); ok && in.b.soft && in.x.mountedAt("/sys", "sysfs") {
		return fi, nil
	}
	if in.b.soft && name == "/proc/kcore" && in.x.kconfig()["CONFIG_PROC_KCORE"] == "y" && in.x.mountedAt("/proc", "proc") {
		return made{name: "kcore", mode: 0o400}, nil
	}
	if in.b.soft && in.x.udevd && strings.TrimSuffix(name, "/") == "/run/udev" {
		return made{name: "udev", mode: fs.ModeDir | 0o755}, nil // the initramfs's udev has made it
	}
	if in.b.soft && name == "/dev/"+in.x.terminal() && in.x.mountedAt("/dev", "devtmpfs") {
		return made{name: in.x.terminal(), mode: fs.ModeDevice | fs.ModeCharDevice | 0o620}, nil // the run shows this console
	}
	fi, err := in.x.pid1.Stat(name)
	if err != nil && strings.HasPrefix(name, "/dev/") {
		in.x.doubt("")
	}
	return fi, err
}

// notDevice tells of names in /dev that no driver makes: links of udevd's, mount points of scripts.
func (x *linux) notDevice(name string) bool {
	switch name {
	case "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/core":
		return !x.udevd
	}
	return name == "/dev/shm" || name == "/dev/mqueue"
}

// uncertain leaves a script of the real root that asks for a file which bootpath does not have and the
// machine may: what the kernel makes up, and what earlier scripts that were not followed have made.
func (in *shProcess) uncertain(name string) {
	if !in.b.soft || in.b.early || in.b.gaveUp != nil || name == "/dev/null" || name == "/dev/console" || name == "/run/systemd/system" {
		return // the last is systemd's alone: sd_booted(3)
	}
	if conf := in.x.kconfig(); name == "/sys/kernel/uevent_helper" && len(conf) > 0 && conf["CONFIG_UEVENT_HELPER"] != "y" {
		return
	}
	if in.x.notDevice(name) && !in.b.doubtful {
		return
	}
	if name == "/proc/kcore" && in.x.kconfig()["CONFIG_PROC_KCORE"] == "n" {
		return
	}
	made := []string{"/proc", "/sys", "/dev"}
	if in.b.doubtful {
		made = append(made, "/run", "/var", "/tmp", "/media", "/mnt")
	}
	for _, dir := range made {
		if strings.HasPrefix(name, dir+"/") {
			in.end("unknown.file-there", "path", name)
			return
		}
	}
}

// readFile reads a file, made up by the kernel or not.
func (in *shProcess) readFile(name string) (string, bool) {
	name = in.abs(name)
	if text, ok := in.x.virtualFile(name); ok {
		return text, true
	}
	if name == "/proc/filesystems" && !in.b.soft && in.x.mountedAt("/proc", "proc") {
		return in.x.registered(), true
	}
	data, err := in.x.pid1.ReadFile(name)
	if text, ok := in.x.filesystems(name); ok && in.b.soft {
		return text, true
	}
	if in.b.soft && (strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/")) && !strings.HasSuffix(name, "/mounts") {
		in.end("unknown.kernel-says", "path", name) // modules and hardware decide it
		return "", false
	}
	if err != nil {
		in.uncertain(name)
		return "", false
	}
	return string(data), true
}
