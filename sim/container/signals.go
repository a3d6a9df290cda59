package container

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// What a program does with a signal is in its code. It is known here for programs whose manual says it, and
// for those whose file shows that they cannot ask for signals.

// handling tells whether a process has a handler for a signal, and what comes of it.
type handling struct {
	known   bool // false: unknown says what would have to be known
	handled bool
	forward bool   // to its child: an init
	ends    bool   // handled: the process ends
	exit    int    // its exit code; -1 when it is not known
	why     string // whose rule it is, in few words
	unknown *trace.Reason
	rule    string
	cites   []blob.Cite
}

// signalNames are Linux's signals 1 to 31 on x86 and ARM. signal(7)
func signalNames() []string {
	return strings.Fields("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS")
}

const rtMin = 34 // glibc keeps two real-time signals for itself; musl three, and says the same

// signalNumber reads "SIGTERM", "TERM", "15" or "SIGRTMIN+3"; 0 when it is none.
func signalNumber(s string) int {
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return n
	}
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		n, _ := strconv.Atoi(rest)
		return rtMin + n
	}
	if rest, ok := strings.CutPrefix(name, "RTMAX"); ok {
		n, _ := strconv.Atoi(rest)
		return 64 + n
	}
	switch name {
	case "CLD":
		name = "CHLD"
	case "IOT":
		name = "ABRT"
	case "POLL":
		name = "IO"
	}
	return slices.Index(signalNames(), name) + 1
}

// signalName is "SIGTERM" or "SIGRTMIN+3".
func signalName(n int) string {
	if list := signalNames(); n >= 1 && n <= len(list) {
		return "SIG" + list[n-1]
	}
	if n == rtMin {
		return "SIGRTMIN"
	}
	return "SIGRTMIN+" + strconv.Itoa(n-rtMin)
}

// harmless tells whether a signal without a handler leaves a process as it is: it is ignored or only stops
// it. signal(7), "Standard signals".
func harmless(sig int) bool {
	return slices.Contains([]string{"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"}, signalName(sig))
}

// manual is a program whose manual says what it does with signals.
type manual struct {
	programs string // names
	signals  string
	exit     int // -1: not said
	rule     string
}

func manuals() []manual {
	return []manual{
		{"nginx", "TERM INT QUIT", 0, "nginx.org, Controlling nginx: TERM, INT fast shutdown, QUIT graceful shutdown"},
		{"redis-server valkey-server", "TERM INT", 0, "redis.io, Redis signal handling: a graceful shutdown"},
		{"memcached", "TERM INT", 0, "memcached(1), SIGNALS"},
		{"postgres", "TERM INT", 0, "PostgreSQL manual, Shutting Down the Server: smart and fast shutdown"},
		{"mysqld mariadbd", "TERM", 0, "MySQL manual, Unix Signal Handling in MySQL: SIGTERM causes the server to shut down"},
		{"apache2 httpd", "TERM WINCH", 0, "httpd.apache.org, Stopping and Restarting: TERM stops, WINCH stops gracefully"},
		{"sshd", "TERM", 0, "OpenSSH sshd.c, server_accept_loop"},
		{"runsvdir", "TERM", 0, "runsvdir(8), SIGNALS"},
		{"supervisord", "TERM INT QUIT", 0, "supervisord.org, Signals"},
		{"s6-svscan", "TERM INT QUIT HUP", -1, "skarnet.org, s6-svscan: signals"},
		{"java", "TERM", 143, "Java Troubleshooting Guide, Signals Used by the JVM: shutdown hooks, then 128 + 15"},
		{"java", "INT", 130, "Java Troubleshooting Guide, Signals Used by the JVM"},
		{"java", "HUP", 129, "Java Troubleshooting Guide, Signals Used by the JVM"},
	}
}

// forwarders are inits that pass each signal on to the child they started and end with its exit code, or
// with 128 and the signal's number.
func forwarder(name string) bool {
	return slices.Contains([]string{"tini", "docker-init", "catatonit", "dumb-init", "tini-static", "tini-ng"}, name)
}

// handlingOf tells what the program that runs in t does with a signal.
func (r *run) handlingOf(t *kernel.Task, sig int) handling {
	name, short := programName(t), strings.TrimPrefix(signalName(sig), "SIG")
	if forwarder(name) {
		return handling{known: true, handled: true, forward: true, exit: -1, rule: name + "(1)", why: name}
	}
	for _, m := range manuals() {
		if slices.Contains(strings.Fields(m.programs), name) && slices.Contains(strings.Fields(m.signals), short) {
			return handling{known: true, handled: true, ends: true, exit: m.exit, rule: m.rule, why: name}
		}
	}
	switch {
	case name == "systemd":
		return systemdHandling(sig, r.spec.Effective)
	case applet(name) && isBusybox(t):
		return handling{known: true, rule: "busybox coreutils/" + name + ".c", why: name}
	case t.Static():
		return goHandling(t, sig)
	}
	return importHandling(t)
}

// applet names those of busybox that run on and ask for no signals.
func applet(name string) bool {
	return slices.Contains([]string{"sleep", "tail", "cat", "yes", "usleep"}, name)
}

func isBusybox(t *kernel.Task) bool { return strings.HasPrefix(path.Base(t.Exe), "busybox") }

// programName is what a program is known by: of a busybox the applet, of a Python or Perl program the
// script.
func programName(t *kernel.Task) string {
	base := path.Base(t.Exe)
	switch {
	case isBusybox(t) && len(t.Argv) > 0:
		name := strings.TrimPrefix(path.Base(t.Argv[0]), "-")
		if strings.HasPrefix(name, "busybox") && len(t.Argv) > 1 {
			return path.Base(t.Argv[1])
		}
		return name
	case strings.HasPrefix(base, "python") && len(t.Argv) > 1:
		return path.Base(t.Argv[1])
	case strings.HasPrefix(base, "node") || strings.HasPrefix(base, "perl") || strings.HasPrefix(base, "ruby") || strings.HasPrefix(base, "php"):
		return base
	}
	return base
}

// systemdHandling is the manager's list of signals: SIGTERM makes it execute itself again, and what halts
// it is SIGRTMIN+3. systemd(1), SIGNALS. Without CAP_SYS_BOOT its last step, reboot(2), fails and it exits
// with 0; with it, the kernel ends the init of a PID namespace with SIGINT, or SIGHUP to restart. reboot(2)
func systemdHandling(sig int, caps kernel.Caps) handling {
	h := handling{known: true, handled: true, exit: -1, rule: "systemd(1), SIGNALS", why: "systemd"}
	end := 0
	switch signalName(sig) {
	case "SIGRTMIN+3", "SIGRTMIN+4", "SIGRTMIN+13", "SIGRTMIN+14":
		end = 130
	case "SIGRTMIN+5", "SIGRTMIN+15", "SIGINT":
		end = 129
	case "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH":
		return h
	default:
		return handling{known: true, rule: h.rule, why: h.why}
	}
	h.ends, h.exit = true, end
	if !caps.Has(kernel.CAP_SYS_BOOT) {
		h.exit = 0
	}
	return h
}

// maxProgram bounds how much of a program is searched, in bytes.
const maxProgram = 256 << 20

// goHandling knows programs made by Go without os/signal: "A SIGHUP, SIGINT, or SIGTERM signal causes the
// program to exit. A SIGQUIT, SIGILL, … causes the program to exit with a stack dump." - os/signal. Its
// runtime has a handler for them, and when the signal's default does not end it, as for process 1, it exits
// with 2: runtime/signal_unix.go dieFromSignal.
func goHandling(t *kernel.Task, sig int) handling {
	f, err := t.Program()
	if err != nil {
		return handling{unknown: trace.Why("unknown.signal", "path", t.Exe, "signal", signalName(sig))}
	}
	info, at := find(f, []byte("\xff Go buildinf:"), maxProgram)
	if !info {
		return handling{unknown: trace.Why("unknown.signal", "path", t.Exe, "signal", signalName(sig))}
	}
	var cites []blob.Cite
	for _, s := range blob.Locate(f, at, 14) {
		cites = append(cites, blob.Cite{Span: s, Name: "Go build information", Value: "Go buildinf"})
	}
	if notifies, _ := find(f, []byte("os/signal.Notify"), maxProgram); notifies {
		return handling{unknown: trace.Why("unknown.signal-go", "path", t.Exe, "signal", signalName(sig)), cites: cites}
	}
	switch signalName(sig) {
	case "SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT":
		return handling{known: true, handled: true, ends: true, exit: 2, rule: "Go os/signal, Default behavior of signals in Go programs", why: "Go runtime", cites: cites}
	}
	return handling{unknown: trace.Why("unknown.signal", "path", t.Exe, "signal", signalName(sig)), cites: cites}
}

// find looks for a text in the first limit bytes of f and tells where it is.
func find(f io.ReaderAt, text []byte, limit int64) (bool, int64) {
	const piece = 1 << 20
	buf := make([]byte, piece+len(text)-1)
	for off := int64(0); off < limit; off += piece {
		n, err := f.ReadAt(buf, off)
		if i := bytes.Index(buf[:n], text); i >= 0 {
			return true, off + int64(i)
		}
		if err != nil || n < len(buf) {
			break
		}
	}
	return false, 0
}

// importHandling looks at what a dynamic program takes from libraries: without any function that sets a
// handler, takes signals in another way, or brings other code into the process, none is set.
func importHandling(t *kernel.Task) handling {
	catching := []string{"sigaction", "__sigaction", "signal", "__sysv_signal", "sysv_signal", "bsd_signal", "ssignal", "sigset", "sigvec",
		"sigwait", "sigwaitinfo", "sigtimedwait", "signalfd", "syscall", "dlopen", "__dlopen", "dlsym",
		"execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "execveat", "fexecve"}
	unknown := handling{unknown: trace.Why("unknown.handler", "path", t.Exe)}
	var cites []blob.Cite
	for _, o := range t.Imports() {
		if o.Err != nil {
			return unknown
		}
		for _, name := range o.Names {
			if slices.Contains(catching, name) {
				unknown.unknown = trace.Why("unknown.handler-uses", "path", t.Exe, "file", path.Base(o.Path), "function", name+"()")
				unknown.cites = o.Cites
				return unknown
			}
		}
		cites = append(cites, o.Cites...)
	}
	if len(cites) == 0 && t.Imports() == nil {
		return unknown
	}
	return handling{known: true, rule: "sigaction(2)", why: t.Exe, cites: cites}
}
