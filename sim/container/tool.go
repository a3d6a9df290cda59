package container

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// The small programs that every system has, as programs of a container: what they print, which files they make
// and how they end follows from their manuals and from the container's files. The words are those of GNU
// coreutils 9.1 and busybox 1.35, recorded in tests/truth/container. What is not known is said, never guessed.

// endless is a size without end: that of /dev/zero.
const endless = math.MaxInt64

// Bounds on what is played of a program.
const (
	maxText = 1 << 20 // bytes of a file or a pipe that are kept
	maxRuns = 200     // processes of a script
)

// unknown is an error of ours: what would have to be known to go on.
type unknown struct{ why *trace.Reason }

func (u unknown) Error() string { return u.why.String() }

// flow is what a program can read: a text, or so and so many zeros or random bytes.
type flow struct {
	text    string
	size    int64         // of all; the text is all there is when they agree
	zeros   bool          // the bytes are not kept and hold no newline
	unknown *trace.Reason // why the content is not known
}

func textFlow(s string) *flow { return &flow{text: s, size: int64(len(s))} }

// sink is where a file descriptor writes to.
type sink struct {
	kind    string // console | null | pipe | file
	path    string // of a file
	text    bytes.Buffer
	size    int64
	zeros   bool
	unknown *trace.Reason // why what was written is not known
	fresh   bool          // a file that was made, and is empty, when it was opened
}

// flow is what a reader of the pipe or of the file gets.
func (s *sink) flow() *flow {
	return &flow{text: s.text.String(), size: s.size, zeros: s.zeros, unknown: s.unknown}
}

// finish is how a program ends.
type finish struct {
	code    int
	signal  string        // that ended it; code is then 128 and its number
	missing *trace.Reason // what would have to be known: code is not known
	runs    bool          // it goes on until someone stops it
}

// process is a small program that is played.
type process struct {
	r        *run
	t        *kernel.Task
	argv     []string // without busybox's own name
	busybox  bool
	in       *flow // standard input
	out, err *sink
	says     string     // the last line on standard error
	ends     trace.Kind // how it ends, when not because it is done
	held     int64      // bytes of memory that it has touched
	steps    int        // files that it has come to
	shell    *script    // whose built-in it is, else nil
	started  bool       // by a shell

	missing *trace.Reason // set when something was met that is not known
}

// newProcess is the program that t has executed.
func (r *run) newProcess(t *kernel.Task) *process {
	p := &process{r: r, t: t, busybox: isBusybox(t), in: textFlow(""), out: &sink{kind: "console"}, err: &sink{kind: "console"}}
	if r.c.TTY || r.c.Interactive {
		p.in = &flow{unknown: trace.Why("unknown.standard-input")}
	}
	p.argv = t.Argv
	if p.busybox && len(p.argv) > 1 && strings.HasPrefix(path.Base(p.argv[0]), "busybox") {
		p.argv = p.argv[1:]
	}
	return p
}

// tools are the programs that are known.
func tools() map[string]func(*process) finish {
	return map[string]func(*process) finish{
		"true": func(*process) finish { return finish{} }, "false": func(*process) finish { return finish{code: 1} },
		"tail": (*process).tail, "head": (*process).head, "dd": (*process).dd, "cat": (*process).cat, "sort": (*process).sort,
		"fallocate": (*process).fallocate, "yes": (*process).yes, "sleep": (*process).sleep,
		"touch": (*process).touchFiles, "mkdir": (*process).mkdir, "rmdir": (*process).rmdir, "rm": (*process).rm, "cp": (*process).cp, "mv": (*process).mv,
		"ln": (*process).ln, "chmod": (*process).setMode, "chown": (*process).setOwner, "ls": (*process).ls, "readlink": (*process).readlink,
		"truncate": (*process).truncate, "test": (*process).test, "[": (*process).test, "echo": (*process).echo, "printf": (*process).printf,
		"pwd": (*process).pwd, "basename": (*process).basename, "dirname": (*process).dirname, "seq": (*process).seq, "id": (*process).id,
		"whoami": (*process).whoami, "hostname": (*process).hostname, "env": (*process).env, "printenv": (*process).printenv, "uname": (*process).uname,
		"wc": (*process).wc, "grep": (*process).grep, "stat": (*process).stat,
	}
}

// run plays the program; a name that is not known, or a file of that name from elsewhere, is missing.
func (p *process) run() finish {
	if len(p.argv) == 0 {
		return finish{missing: trace.Why("unknown.machine-code", "path", p.t.Exe)}
	}
	f, ok := tools()[path.Base(p.argv[0])]
	if !ok || !p.r.isTool(p.t) {
		return finish{missing: trace.Why("unknown.machine-code", "path", p.t.Exe)}
	}
	if p.lacksApplet() {
		return p.fail(p.argv[0]+": applet not found", 127)
	}
	end := f(p)
	if p.missing != nil {
		return finish{missing: p.missing}
	}
	return end
}

// lacksApplet tells whether the busybox that was called by its own name was built without the program: its names
// are in it, as is the message. libbb/appletlib.c.
func (p *process) lacksApplet() bool {
	if !p.busybox || len(p.argv) == len(p.t.Argv) {
		return false
	}
	f, err := p.t.Program()
	if err != nil {
		return false
	}
	said, _ := find(f, []byte("applet not found"), maxProgram)
	named, _ := find(f, []byte("\x00"+p.argv[0]+"\x00"), maxProgram)
	return said && !named
}

// lost is lack of what the program does with what it was told.
func (p *process) lost() finish { return p.lack(p.here()) }

func (p *process) here() *trace.Reason {
	return trace.Why("unknown.tool-does", "command", strings.Join(p.argv, " "))
}

// lackOf is lack of what the error says.
func (p *process) lackOf(err error) finish {
	p.reason(err)
	return p.lost()
}

// name is the program's own name in its messages.
func (p *process) name() string { return path.Base(p.argv[0]) }

// called is the program's name in its messages: GNU's programs say what they were called as, with the path.
// gnulib error(3), program_invocation_name; libbb/appletlib.c, applet_name.
func (p *process) called() string {
	if p.busybox || p.shell != nil {
		return p.name()
	}
	return p.argv[0]
}

// quotes tells whether a message of GNU's has a word in it that is not printed as it is: one with characters that
// a shell would not take as they are. gnulib quotearg.c
func (p *process) quotes(text string) bool {
	return !p.busybox && p.shell == nil && p.name() != "env" && slices.ContainsFunc(p.argv[1:], func(a string) bool {
		return strings.Trim(a, plainLetters) != "" && strings.Contains(text, a)
	})
}

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%"

// quoted is a word between the quotation marks of the locale. C.UTF-8 is built into glibc; others have to be
// installed, and have messages of their own. gnulib quotearg.c, gettext_quote
func (p *process) quoted(word string) string {
	locale := ""
	for _, name := range []string{"LANG", "LC_CTYPE", "LC_ALL"} {
		if v, _ := getenv(p.t.Env, name); v != "" {
			locale = v
		}
	}
	word = strings.NewReplacer(`\`, `\\`, "\r", `\r`, "\n", `\n`, "\t", `\t`).Replace(word)
	if strings.ContainsFunc(word, func(c rune) bool { return c < ' ' || c > '~' }) {
		p.lost()
	}
	switch locale {
	case "", "C", "POSIX":
		return "'" + strings.ReplaceAll(word, "'", `\'`) + "'"
	case "C.UTF-8", "C.utf8":
		return "‘" + word + "’"
	}
	p.lost()
	return "'" + word + "'"
}

// lack notes what is not known; the result of the program is then missing.
func (p *process) lack(why *trace.Reason) finish {
	if p.missing == nil {
		p.missing = why
	}
	return finish{missing: p.missing}
}

// print writes a text. On the console it is a step.
func (p *process) print(to *sink, text string) {
	if text == "" {
		return
	}
	if to == p.err && p.quotes(text) {
		p.lost()
	}
	if p.missing != nil {
		return
	}
	if to == p.err {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		p.says = lines[len(lines)-1]
	}
	to.size += int64(len(text))
	switch {
	case to.kind == "console":
		p.r.emit(trace.Step{Actor: p.t.Actor, Stage: trace.Process, Kind: "process.print", Console: text, Rule: p.argv[0] + "(1)", Cites: p.t.Evidence(p.t.Exe),
			Args: map[string]string{"exe": p.t.Exe, "text": strings.TrimSuffix(text, "\n"), "pid": strconv.Itoa(p.t.NSPID)}})
	case to.kind != "null" && to.text.Len()+len(text) <= maxText:
		to.text.WriteString(text)
	case to.kind != "null":
		to.unknown = trace.Why("unknown.long-text", "size", bytesText(maxText))
	}
}

// fail prints a message and ends the program with code.
func (p *process) fail(text string, code int) finish {
	p.print(p.err, text+"\n")
	return finish{code: code}
}

// reason is an error in the words of strerror(3); what is not known is kept.
func (p *process) reason(err error) string {
	var u unknown
	if errors.As(err, &u) {
		p.lack(u.why)
	}
	var e kernel.Errno
	if errors.As(err, &e) {
		return e.Strerror()
	}
	return err.Error()
}

// known tells whether the rules say what lies at a path: not in a volume, not in a file system of the kernel's.
func (p *process) known(name string) error {
	at := path.Clean(name)
	if !path.IsAbs(at) {
		at = path.Join(p.t.Cwd(), at)
	}
	if dest := p.r.under(at); dest != "" {
		return unknown{trace.Why("unknown.volume-at", "path", dest)}
	}
	for _, dir := range []string{"/proc/", "/sys/"} {
		if strings.HasPrefix(at+"/", dir) {
			return unknown{trace.Why("unknown.host-kernel-says", "path", at)}
		}
	}
	return nil
}

// open is open(2) for reading: what comes of a device is known for those that every container has.
func (p *process) open(name string) (*flow, error) {
	switch path.Clean(name) {
	case "-":
		return p.in, nil
	case "/dev/null":
		return textFlow(""), nil
	case "/dev/zero", "/dev/urandom", "/dev/random":
		if _, err := p.t.Stat(name); err != nil {
			return nil, err
		}
		if path.Base(name) == "zero" {
			return &flow{size: endless, zeros: true}, nil
		}
		return &flow{size: endless, unknown: trace.Why("unknown.random")}, nil
	}
	if err := p.known(name); err != nil {
		return nil, err
	}
	fi, err := p.t.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case fi.IsDir():
		return nil, kernel.EISDIR
	case !fi.Mode().IsRegular():
		return nil, unknown{trace.Why("unknown.comes-out", "path", name)}
	case fi.Size() > maxText || p.r.big[name] > 0:
		return &flow{size: max(fi.Size(), p.r.big[name]), unknown: trace.Why("unknown.long-text", "size", bytesText(fi.Size()))}, nil
	}
	data, err := p.t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return textFlow(string(data)), nil
}

// writable is what open(2) for writing answers. In a volume the kernel's answer is known for its own directory, when
// the program may write anywhere.
func (p *process) writable(name string) error {
	at := path.Clean(name)
	if !path.IsAbs(at) {
		at = path.Join(p.t.Cwd(), at)
	}
	if dest := p.r.under(at); dest != "" {
		if path.Dir(at) != dest || !p.t.Cred.Effective.Has(kernel.CAP_DAC_OVERRIDE) {
			return unknown{trace.Why("unknown.volume-at", "path", dest)}
		}
	} else if err := p.known(name); err != nil {
		return err
	}
	return p.t.MayWrite(name)
}

// keep gives a file its new content, which the step says, and where it lies.
func (p *process) keep(name string, f *flow, mode uint32) finish {
	if p.missing != nil {
		return finish{missing: p.missing}
	}
	var data []byte
	if f.size == int64(len(f.text)) {
		data = []byte(f.text)
	}
	p.t.Quiet = true
	err := p.t.WriteFile(name, data, mode)
	p.t.Quiet = false
	if err != nil {
		return p.lack(trace.Why("unknown.tool-says", "program", p.name(), "path", name, "error", p.reason(err)))
	}
	if data == nil {
		p.r.big[name] = f.size
	}
	at := name
	if !path.IsAbs(at) {
		at = path.Join(p.t.Cwd(), at)
	}
	fstype, _, place, _ := p.t.FilesystemAt(name)
	kind, where := trace.Kind("process.write-upper"), p.r.facts.Upper
	i := slices.IndexFunc(p.r.facts.Volumes, func(v Volume) bool { return v.Dest == place })
	switch {
	case fstype == "tmpfs":
		kind, where = "process.write-memory", place
	case i >= 0:
		kind, where = "process.write-volume", p.r.facts.Volumes[i].Source
	case where == "":
		kind, where = "process.write-file", p.r.dir
	}
	p.r.emit(trace.Step{Actor: p.t.Actor, Stage: trace.Process, Kind: kind, Rule: "open(2), write(2); overlayfs.rst, Upper and Lower", Cites: p.t.Evidence(p.t.Exe),
		Args: map[string]string{"exe": p.t.Exe, "path": at, "size": bytesText(f.size), "where": where, "user": strconv.FormatUint(uint64(p.t.Cred.FSUID), 10)}})
	return finish{}
}

// operands separates options from the rest; an option that is not allowed makes the result missing.
func (p *process) operands(allowed string) (flags string, rest []string) {
	for i, a := range p.argv[1:] {
		if a == "--" {
			return flags, append(rest, p.argv[i+2:]...)
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		for _, c := range a[1:] {
			if a[1] == '-' || !strings.ContainsRune(allowed, c) {
				p.lack(trace.Why("unknown.tool-option", "program", p.name(), "option", a))
				return flags, rest
			}
			flags += string(c)
		}
	}
	return flags, rest
}

// size reads a number with a suffix: GNU's xstrtol of coreutils, or busybox's table for the program.
func (p *process) size(text, busybox string) (int64, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit := text[len(digits):]
	if err != nil || n < 0 {
		return 0, false
	}
	units := map[string]int64{"": 1, "c": 1, "w": 2, "b": 512, "K": 1 << 10, "k": 1 << 10, "KiB": 1 << 10, "kB": 1000, "M": 1 << 20, "MiB": 1 << 20, "MB": 1e6, "G": 1 << 30, "GiB": 1 << 30, "GB": 1e9}
	f, ok := units[unit]
	if p.busybox && unit != "" {
		ok = ok && slices.Contains(strings.Fields(busybox), unit)
		if unit == "m" && slices.Contains(strings.Fields(busybox), "m") {
			f, ok = 1<<20, true
		}
	}
	if !ok || f > 0 && n > endless/f {
		return 0, false
	}
	return n * f, true
}

// plays is the program as far as it is one of the small ones.
func (r *run) plays(t *kernel.Task) {
	if shellKind(t) != "" {
		r.scripted(t)
		return
	}
	p := r.newProcess(t)
	r.concluded(p, p.run())
}

// concluded ends the run with the end of process 1, or of the program behind an init, when that is known.
func (r *run) concluded(p *process, end finish) {
	if r.m.Ended() || end.runs {
		return
	}
	code := end.code
	st := trace.Step{Actor: p.t.Actor, Stage: trace.Process, Kind: cmp.Or(p.ends, endsItself), Rule: "_exit(2)", Cites: p.t.Evidence(p.t.Exe),
		Args: map[string]string{"exe": p.t.Exe, "exit_code": strconv.Itoa(code)}}
	o := trace.Outcome{Verdict: trace.Works, Stage: trace.Process, ExitCode: &code}
	switch {
	case end.missing != nil && r.decides():
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: end.missing})
		return
	case end.missing != nil:
		return
	case end.signal != "":
		o.Verdict, o.Message, o.Step = trace.Stops, end.signal, r.m.Last()
		r.end(o)
		return
	case code != 0 && p.says != "":
		o.Verdict, o.Message = trace.Stops, p.says
		st.Kind = "process.fails"
		st.Args["message"] = p.says
	}
	o.Step = r.emit(st)
	r.end(o)
}

// decides tells whether what is missing is the answer to a question that the learner asked: one about memory.
func (r *run) decides() bool {
	m := r.facts.Memory
	return m != nil && m.Killed == "unknown"
}

// isTool tells whether the program is one of the system's own.
func (r *run) isTool(t *kernel.Task) bool {
	return isBusybox(t) || slices.Contains([]string{"/usr/bin", "/bin"}, path.Dir(t.Exe))
}
