package boot

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/sh"
	"bootpath/sim/exe/initprog"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Bounds of a script's run.
const (
	maxScript   = 1 << 20          // bytes of one script
	maxCommands = 100_000          // commands that are followed
	maxCalls    = 60               // functions, sourced files and scripts inside one another
	maxValue    = 1 << 16          // bytes of a variable or of a command's output
	maxSleep    = 30 * time.Minute // of waiting in loops: who waits longer waits for ever
)

// shellKind is which program reads the script; they differ in small things.
type shellKind struct {
	path string // as the #! line names it
	name string // of the program that it leads to: "dash", "busybox", "bash"
	// klibc's dash is an older one, which says a script's name a second time before what went wrong.
	klibc bool
}

// escapes tells whether echo understands backslashes without being asked (dash does, XSI).
func (k shellKind) escapes() bool { return k.name == "dash" }

// source is a script's text and where it lies.
type source struct {
	path string
	text string
	file io.ReaderAt
}

// cite names the bytes of a piece of the script.
func (s *source) cite(p sh.Pos) []blob.Cite {
	if s.file == nil || p.End <= p.Off {
		return nil
	}
	return cite(s.file, int64(p.Off), int64(p.End-p.Off), s.path, strings.TrimSpace(s.text[p.Off:p.End]))
}

func (s *source) line(off int) int { return 1 + strings.Count(s.text[:min(off, len(s.text))], "\n") }

// ctl is how a command ends apart from its status.
type ctl int

const (
	ctlNone ctl = iota
	ctlBreak
	ctlContinue
	ctlReturn
	ctlExit
	ctlEnd // the run is over
)

// function is a defined function with the script that defines it.
type function struct {
	body sh.Node
	src  *source
}

// caller is a command that called a function or sourced a file.
type caller struct {
	src *source
	pos sh.Pos
}

// sink is where output goes: the console, a file, another command, nowhere.
type sink struct {
	kind string // "console", "buffer", "null", "kmsg", "file"
	path string
	tag  string // of "console": what the journal writes before each line
	buf  strings.Builder
}

// input is what a command reads.
type input struct{ rest string }

// budget is what all scripts of a start share.
type budget struct {
	commands int
	expanded int // work of expansions, up to [sh.MaxWork]
	slept    time.Duration
	switches bool // a script that was read can go over to another root

	// For scripts that init runs from the real root. A script of which not all can be known is left there,
	// and gaveUp says why; the run goes on. hook may take over a program.
	// Once one was left, later ones find files changed that bootpath knows nothing of: doubtful.
	soft     bool
	doubtful bool
	gaveUp   *trace.Reason
	tails    map[string]*tail // files that a tail -f in the background shows
	stays    bool             // what the process became goes on by itself
	later    func(func())     // keeps what a process in the background does once somebody reads the fifo that it opens
	behind   bool             // it runs in the background
	blocked  bool             // it waits for something that does not come
	early    bool             // it runs in the initramfs, where bootpath knows of every file and device
	hook     func(in *shProcess, found string, words []string) (ctl, bool)
}

// shProcess follows one shell: a process that reads a script, or a subshell of it.
type shProcess struct {
	x        *linux
	b        *budget
	kind     shellKind
	vars     map[string]string
	exported map[string]bool
	locals   []map[string]*string // of the functions that run, outermost first
	funcs    map[string]function
	name     string   // $0
	args     []string // $1 …
	src      *source
	pos      sh.Pos // of the command that runs
	status   int
	count    int // for break N and continue N
	stdout   *sink
	stderr   *sink
	stdin    *input        // nil: the console
	kept     map[int]*sink // file descriptors above 2 that exec has opened
	cwd      string
	errexit  bool
	tested   int // inside a condition, where -e does not count
	calls    int
	callers  []caller
	replaced bool   // the program that runs now took the shell's place
	atExit   string // the action of trap ACTION EXIT
	leader   bool   // it leads a session, so the terminal that it opens is its own
}

// child is a copy for a subshell or for another script: it cannot change its parent.
func (in *shProcess) child() *shProcess {
	c := *in
	c.kept = maps.Clone(in.kept)
	c.vars, c.exported, c.funcs = maps.Clone(in.vars), maps.Clone(in.exported), maps.Clone(in.funcs)
	c.locals, c.replaced, c.atExit = nil, false, ""
	c.callers = slices.Clone(in.callers)
	c.calls++
	return &c
}

// end ends the run at the present line: what comes next cannot be known. The reason gets the line as {where}.
func (in *shProcess) end(kind trace.Kind, args ...string) ctl {
	return in.endFor(trace.Why(kind, append(args, "where", in.where())...))
}

// endFor ends it for a reason that is not of this line.
func (in *shProcess) endFor(why *trace.Reason) ctl {
	x := in.x
	if in.b.soft {
		in.b.gaveUp = why
		return ctlEnd
	}
	if x.unsure != nil {
		why = x.unsure
	}
	x.cannotKnow(x.stage(), why)
	return ctlEnd
}

// where says which line is running, for messages about what is not known.
func (in *shProcess) where() string {
	text := ""
	if in.src != nil && in.pos.End <= len(in.src.text) {
		text = strings.TrimSpace(in.src.text[in.pos.Off:in.pos.End])
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			text = text[:i]
		}
		return fmt.Sprintf("%s:%d: %s", in.src.path, in.src.line(in.pos.Off), text)
	}
	return in.name
}

// step appends a step that the running command explains.
func (in *shProcess) step(kind trace.Kind, args map[string]string, rule string, cites ...blob.Cite) {
	in.emit(kind, "", args, rule, cites...)
}

func (in *shProcess) emit(kind trace.Kind, console string, args map[string]string, rule string, cites ...blob.Cite) {
	in.x.k.Emit(in.stepOf(kind, console, args, rule, cites...))
}

// stepOf is a step that the running command explains.
func (in *shProcess) stepOf(kind trace.Kind, console string, args map[string]string, rule string, cites ...blob.Cite) trace.Step {
	if rule == "" {
		rule = "POSIX.1-2017 XCU 2, shell command language"
	}
	st := trace.Step{Actor: in.x.pid1.Actor, Stage: in.x.stage(), Kind: kind, Args: args, Rule: rule, Console: console}
	if in.src != nil {
		st.Cites = in.src.cite(in.pos)
		args["script"], args["line"] = in.src.path, strconv.Itoa(in.src.line(in.pos.Off))
	}
	for i := len(in.callers) - 1; i >= max(0, len(in.callers)-3); i-- { // who called the function, and who that
		if c := in.callers[i]; c.src != nil {
			st.Cites = append(st.Cites, c.src.cite(c.pos)...)
		}
	}
	st.Cites = append(st.Cites, cites...)
	return st
}

// print writes to a sink; text for the console is a step.
func (in *shProcess) print(to *sink, text string) {
	if text == "" || in.b.gaveUp != nil {
		return
	}
	if to.tag != "" {
		text = in.x.tagged(to.tag, text)
	}
	switch to.kind {
	case "console", "kmsg":
		x := in.x
		shown, level, marked := text, kernInfo, false
		if to.kind == "kmsg" {
			level, text, marked = kmsg(text)
			shown = x.printk(level, strings.TrimSuffix(text, "\n"))
		}
		if marked {
			x.warning(level, strings.TrimSpace(text))
		}
		x.showed(shown)
		kind := trace.Kind("initramfs.print")
		if in.b.soft && !in.b.early {
			kind = "init.print"
		}
		in.emit(kind, shown, map[string]string{"text": strings.TrimSpace(text)}, "")
	case "buffer":
		if to.buf.Len()+len(text) <= maxValue {
			to.buf.WriteString(text)
		}
	case "file":
		if t := in.b.tails[to.path]; t != nil {
			in.follow(t, text)
		}
		if before, err := in.x.pid1.ReadFile(to.path); err == nil && len(before)+len(text) <= maxValue {
			in.write(to.path, string(before)+text)
		}
	}
}

// kmsg takes the priority off a line for /dev/kmsg, when it is marked with one: "<30>" is facility 3, level 6.
// Documentation/ABI/testing/dev-kmsg
func kmsg(text string) (level int, rest string, marked bool) {
	number, after, ok := strings.Cut(strings.TrimPrefix(text, "<"), ">")
	if n, err := strconv.Atoi(number); ok && err == nil && text[0] == '<' && n >= 0 {
		return n & 7, after, true
	}
	return kernWarn, text, false
}

func (in *shProcess) out(format string, args ...any) {
	in.print(in.stdout, fmt.Sprintf(format, args...))
}
func (in *shProcess) err(format string, args ...any) {
	if in.b.doubtful && in.b.gaveUp == nil {
		in.end("unknown.fails")
		return
	}
	in.print(in.stderr, fmt.Sprintf(format, args...))
}

// load reads and parses a script.
func (in *shProcess) load(name string) (*source, []sh.Stmt, error) {
	file, err := in.x.pid1.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	data, err := blob.ReadAll(file, maxScript)
	if err != nil {
		return nil, nil, err
	}
	s := &source{path: slash(name), text: string(data), file: file}
	tree, err := in.x.parse(s.text)
	if err != nil {
		return s, nil, err
	}
	sh.Walk(tree.Body, func(c *sh.Simple) {
		for _, w := range c.Words {
			if t, ok := w.Literal(); ok && slices.Contains([]string{"switch_root", "run-init", "pivot_root"}, path.Base(t)) {
				in.b.switches = true
			}
		}
	})
	return s, tree.Body, nil
}

// parse is [sh.Parse]; runs of one image have the same scripts.
func (s *start) parse(text string) (*sh.Script, error) {
	type parsed struct {
		script *sh.Script
		err    error
	}
	p := blob.RememberText(s.store(), "sh", text, func() parsed {
		script, err := sh.Parse(text)
		return parsed{script, err}
	})
	return p.script, p.err
}

// run follows statements in turn.
func (in *shProcess) run(body []sh.Stmt) ctl {
	for _, st := range body {
		if c := in.node(st.Node); c != ctlNone {
			return c
		}
		if in.status != 0 && in.errexit && in.tested == 0 && exits(st.Node) {
			return ctlExit
		}
	}
	return ctlNone
}

// exits tells whether a failing command ends a shell with -e: not in && and || lists, not after "!".
func exits(n sh.Node) bool {
	switch n := n.(type) {
	case *sh.AndOr:
		return false
	case *sh.Pipe:
		return !n.Negated
	}
	return true
}

func (in *shProcess) cond(body []sh.Stmt) ctl {
	in.tested++
	c := in.run(body)
	in.tested--
	return c
}

func (in *shProcess) node(n sh.Node) ctl {
	if in.x.m.Ended() || in.b.gaveUp != nil {
		return ctlEnd
	}
	if in.b.commands++; in.b.commands > maxCommands {
		return in.end("unknown.many-commands", "commands", strconv.Itoa(maxCommands))
	}
	switch n := n.(type) {
	case *sh.Simple:
		return in.simple(n)
	case *sh.AndOr:
		in.tested++
		c := in.node(n.Left)
		in.tested--
		if c != ctlNone || (in.status == 0) != n.And {
			return c
		}
		return in.node(n.Right)
	case *sh.Pipe:
		return in.pipe(n)
	case *sh.Func:
		in.funcs[n.Name] = function{n.Body, in.src}
		in.status = 0
		return ctlNone
	}
	return in.compound(n)
}

// compound runs what may have redirections of its own.
func (in *shProcess) compound(n sh.Node) ctl {
	var redirs []*sh.Redir
	switch n := n.(type) {
	case *sh.If:
		redirs = n.Redirs
	case *sh.Loop:
		redirs = n.Redirs
	case *sh.For:
		redirs = n.Redirs
	case *sh.Case:
		redirs = n.Redirs
	case *sh.Group:
		redirs = n.Redirs
	}
	restore, c := in.redirect(redirs)
	if c != ctlNone {
		return c
	}
	if restore == nil {
		return ctlNone
	}
	defer restore()
	switch n := n.(type) {
	case *sh.If:
		if c := in.cond(n.Cond); c != ctlNone {
			return c
		}
		if in.status == 0 {
			return in.run(n.Then)
		}
		in.status = 0
		return in.run(n.Else)
	case *sh.Loop:
		return in.loop(n)
	case *sh.For:
		return in.forLoop(n)
	case *sh.Case:
		return in.caseOf(n)
	case *sh.Group:
		if !n.Subshell {
			return in.run(n.Body)
		}
		child := in.child()
		c := child.run(n.Body)
		if c != ctlEnd {
			c = child.exitTrap()
		}
		in.status = child.status
		if c == ctlEnd {
			return c
		}
		return ctlNone
	}
	return ctlNone
}

// next tells what a loop does after its body ended with c.
func (in *shProcess) next(c ctl) (stop bool, result ctl) {
	switch c {
	case ctlBreak, ctlContinue:
		if in.count > 1 {
			in.count--
			return true, c
		}
		return c == ctlBreak, ctlNone
	case ctlNone:
		return false, ctlNone
	}
	return true, c
}

func (in *shProcess) loop(n *sh.Loop) ctl {
	last := 0
	for {
		if c := in.cond(n.Cond); c != ctlNone {
			if stop, c := in.next(c); stop {
				return c
			}
			continue
		}
		if (in.status == 0) == n.Until {
			in.status = last
			return ctlNone
		}
		c := in.run(n.Body)
		last = in.status
		if stop, c := in.next(c); stop {
			return c
		}
		if in.b.slept > maxSleep {
			return in.forever()
		}
	}
}

// forever ends a run whose script waits for what does not come.
func (in *shProcess) forever() ctl {
	if in.b.soft {
		return in.end("unknown.waits", "program", in.name)
	}
	in.step("initramfs.wait-forever", map[string]string{"seconds": strconv.Itoa(int(in.b.slept / time.Second))}, "")
	in.x.deviceMissing(in.x.lastLine())
	return ctlEnd
}

func (in *shProcess) forLoop(n *sh.For) ctl {
	words := in.args
	if n.In {
		var c ctl
		if words, c = in.words(n.Words); c != ctlNone {
			return c
		}
	}
	in.status = 0
	for _, w := range words {
		in.set(n.Name, w)
		if stop, c := in.next(in.run(n.Body)); stop {
			return c
		}
	}
	return ctlNone
}

func (in *shProcess) caseOf(n *sh.Case) ctl {
	word, c := in.text(n.Word)
	if c != ctlNone {
		return c
	}
	for _, it := range n.Items {
		for _, p := range it.Patterns {
			pat, c := in.pattern(p)
			if c != ctlNone {
				return c
			}
			ok, err := sh.Matches(expansion{in}, pat, word)
			if err != nil {
				return ctlOf(err)
			}
			if ok {
				in.status = 0
				return in.run(it.Body)
			}
		}
	}
	in.status = 0
	return ctlNone
}

// pipe runs the commands of a pipeline one after another, each with the output of the one before.
func (in *shProcess) pipe(n *sh.Pipe) ctl {
	if n.Negated {
		in.tested++
		defer func() { in.tested-- }()
	}
	if len(n.Cmds) == 1 {
		c := in.node(n.Cmds[0])
		in.negate(n)
		return c
	}
	feed := in.stdin
	for i, cmd := range n.Cmds {
		child := in.child()
		child.stdin = feed
		var buf *sink
		if i < len(n.Cmds)-1 {
			buf = &sink{kind: "buffer"}
			child.stdout = buf
		}
		if c := child.node(cmd); c == ctlEnd {
			return c
		}
		in.status = child.status
		if buf != nil {
			feed = &input{buf.buf.String()}
		}
	}
	in.negate(n)
	return ctlNone
}

func (in *shProcess) negate(n *sh.Pipe) {
	if !n.Negated {
		return
	}
	if in.status == 0 {
		in.status = 1
	} else {
		in.status = 0
	}
}

// redirect applies redirections and returns what undoes them; nil when one failed, which makes the
// command fail.
func (in *shProcess) redirect(redirs []*sh.Redir) (func(), ctl) {
	stdin, stdout, stderr := in.stdin, in.stdout, in.stderr
	restore := func() { in.stdin, in.stdout, in.stderr = stdin, stdout, stderr }
	for _, r := range redirs {
		target, c := in.text(r.Target)
		if c != ctlNone {
			return nil, c
		}
		switch r.Op {
		case "<", "<>":
			if !in.input(target) {
				restore()
				in.cannot("open", target, kernel.ENOENT)
				return nil, ctlNone
			}
			if s, err := in.output(target, true); r.Op == "<>" && r.FD > 0 && err == nil {
				in.assign(r.FD, s)
			}
		case "<<":
			in.stdin = &input{target}
		case ">", ">>", ">|":
			s, err := in.output(target, r.Op == ">>")
			if err != nil {
				restore()
				in.cannot("create", target, err)
				return nil, ctlNone
			}
			in.assign(r.FD, s)
		case ">&", "<&":
			if s := in.sinkOf(target); s != nil && r.Op == ">&" {
				in.assign(r.FD, s)
			}
		}
	}
	return restore, ctlNone
}

// assign makes a file descriptor write to s; without a number it is standard output.
func (in *shProcess) assign(fd int, s *sink) {
	switch {
	case fd == 2:
		in.stderr = s
	case fd <= 1:
		in.stdout = s
	default:
		if in.kept == nil {
			in.kept = map[int]*sink{}
		}
		in.kept[fd] = s
	}
}

// sinkOf is where a file descriptor writes to, nil when it is closed or not known.
func (in *shProcess) sinkOf(fd string) *sink {
	switch fd {
	case "1":
		return in.stdout
	case "2":
		return in.stderr
	}
	n, err := strconv.Atoi(fd)
	if err != nil {
		return nil
	}
	return in.kept[n]
}

// output is where a file name leads. A file is made, and unless it is to be continued, emptied.
func (in *shProcess) output(name string, more bool) (*sink, error) {
	name = in.abs(name)
	switch base := path.Base(name); {
	case strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/"):
		return &sink{kind: "null"}, nil // a setting of the kernel; those that matter here have a command
	case !in.isDevice(name):
		if _, err := in.stat(name); err == nil && more {
			return &sink{kind: "file", path: name}, nil
		}
		err := in.write(name, "")
		return &sink{kind: "file", path: name}, err
	case base == "null":
		return &sink{kind: "null"}, nil
	case base == "kmsg":
		return &sink{kind: "kmsg"}, nil
	}
	return &sink{kind: "console"}, nil
}

// write replaces a file's content.
func (in *shProcess) write(name, text string) (err error) {
	in.x.quietly(func() { err = in.x.pid1.WriteFile(name, []byte(text), 0o644) })
	return err
}

// cannot is what shells say when a redirection fails. dash: redir.c, openredirect; BusyBox: ash.c.
func (in *shProcess) cannot(do, name string, err error) {
	why := strerror(err)
	in.status = 2
	if in.kind.name == "busybox" || in.kind.name == "bash" {
		if kernel.Errno(errno(err)) == kernel.ENOENT {
			why = map[string]string{"open": "no such file", "create": "nonexistent directory"}[do]
		}
		in.status = 1
		in.err("%s: line %d: can't %s %s: %s\n", in.name, in.src.line(in.pos.Off), do, name, why)
		return
	}
	if kernel.Errno(errno(err)) == kernel.ENOENT {
		why = map[string]string{"open": "No such file", "create": "Directory nonexistent"}[do]
	}
	in.err("%s: %d: %scannot %s %s: %s\n", in.name, in.src.line(in.pos.Off), in.twice(), do, name, why)
}

// isDevice tells whether a name leads to a character device. /dev/null and /dev/console count before
// devtmpfs is mounted too: what is written there is lost or seen either way.
func (in *shProcess) isDevice(name string) bool {
	fi, err := in.stat(name)
	if err != nil {
		dir, err := in.x.pid1.RealPath(path.Dir(name)) // a link after a script has moved /dev to the new root
		return name == "/dev/null" || name == "/dev/console" || name == "/dev/"+in.x.consoles() && err == nil && in.x.mountedAt(dir, "devtmpfs")
	}
	return fi.Mode()&fs.ModeCharDevice != 0
}

// input makes a file the standard input.
func (in *shProcess) input(name string) bool {
	name = in.abs(name)
	if in.isDevice(name) {
		in.stdin = nil
		if path.Base(name) == "null" {
			in.stdin = &input{}
		}
		return true
	}
	data, ok := in.readFile(name)
	in.stdin = &input{data}
	return ok
}

// twice is what klibc's shell puts before a message that belongs to no built-in.
func (in *shProcess) twice() string {
	if in.kind.klibc {
		return in.name + ": "
	}
	return ""
}

func (in *shProcess) abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(in.cwd, name)
}

// simple runs a simple command: 2.9.1.
func (in *shProcess) simple(n *sh.Simple) ctl {
	in.pos = n.Pos
	words, c := in.commandWords(n.Words)
	if c != ctlNone {
		return c
	}
	if len(words) == 0 {
		in.status = 0 // a command substitution below sets it
	}
	values := make([]string, len(n.Assigns))
	for i, a := range n.Assigns {
		if values[i], c = in.text(a.Value); c != ctlNone {
			return c
		}
	}
	in.pos = n.Pos
	if len(words) > 0 && words[0] == "exec" {
		return in.exec(n, words[1:])
	}
	restore, c := in.redirect(n.Redirs)
	if c != ctlNone || restore == nil {
		return c
	}
	defer restore()
	if len(words) == 0 {
		for i, a := range n.Assigns {
			in.set(a.Name, values[i])
		}
		return ctlNone
	}
	if !special(words[0]) {
		defer in.temporarily(n.Assigns, values)()
	} else {
		for i, a := range n.Assigns {
			in.set(a.Name, values[i])
		}
	}
	return in.command(words)
}

// commandWords expands the words of a simple command. After export, local and their like BusyBox's ash and bash take
// NAME=VALUE for an assignment, which is not split; dash has that from 0.5.13 on.
func (in *shProcess) commandWords(list []sh.Word) ([]string, ctl) {
	if len(list) < 2 || in.kind.name == "dash" {
		return in.words(list)
	}
	if name, _ := list[0].Literal(); !slices.Contains([]string{"export", "readonly", "local", "declare", "typeset"}, name) {
		return in.words(list)
	}
	var out []string
	for _, w := range list {
		if l, ok := w[0].(sh.Lit); ok && !l.Quoted && assignment(l.Text) {
			text, c := in.text(w)
			if c != ctlNone {
				return nil, c
			}
			out = append(out, text)
			continue
		}
		words, c := in.words([]sh.Word{w})
		if c != ctlNone {
			return nil, c
		}
		out = append(out, words...)
	}
	return out, ctlNone
}

// assignment tells whether a word begins with NAME=.
func assignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
}

// special built-ins keep the assignments before them: 2.14.
func special(name string) bool {
	return slices.Contains([]string{":", ".", "eval", "export", "set", "shift", "unset", "readonly", "return", "exit", "break", "continue"}, name)
}

// temporarily sets and exports variables for one command.
func (in *shProcess) temporarily(assigns []sh.Assign, values []string) (undo func()) {
	type old struct {
		value         string
		set, exported bool
	}
	olds := make([]old, len(assigns))
	for i, a := range assigns {
		v, ok := in.vars[a.Name]
		olds[i] = old{v, ok, in.exported[a.Name]}
		in.vars[a.Name], in.exported[a.Name] = values[i], true
	}
	return func() {
		for i := len(assigns) - 1; i >= 0; i-- {
			name := assigns[i].Name
			if in.vars[name] = olds[i].value; !olds[i].set {
				delete(in.vars, name)
			}
			in.exported[name] = olds[i].exported
		}
	}
}

// command finds a command by its name: a function, a built-in, a program (2.9.1.1).
func (in *shProcess) command(words []string) ctl {
	name := words[0]
	if f, ok := in.funcs[name]; ok && !strings.Contains(name, "/") {
		return in.call(f, words)
	}
	if run, ok := builtin(name); ok {
		return run(in, words)
	}
	return in.program(words)
}

func (in *shProcess) call(f function, words []string) ctl {
	if in.calls++; in.calls > maxCalls {
		return in.end("unknown.deep-calls", "depth", strconv.Itoa(maxCalls))
	}
	args, src, pos := in.args, in.src, in.pos
	in.args, in.src = words[1:], f.src
	in.callers = append(in.callers, caller{src, pos})
	in.locals = append(in.locals, map[string]*string{})
	c := in.node(f.body)
	top := in.locals[len(in.locals)-1]
	in.locals = in.locals[:len(in.locals)-1]
	for _, name := range slices.Sorted(maps.Keys(top)) {
		if old := top[name]; old != nil {
			in.vars[name] = *old
		} else {
			delete(in.vars, name)
		}
	}
	in.args, in.src, in.pos = args, src, pos
	in.callers = in.callers[:len(in.callers)-1]
	in.calls--
	if c == ctlReturn {
		return ctlNone
	}
	return c
}

// sourced runs a file in this shell: the dot command.
func (in *shProcess) sourced(name string) ctl {
	src, body, err := in.load(name)
	if err != nil {
		if src != nil {
			return in.endFor(trace.Why("unknown.script-text", "path", name, "error", err.Error()))
		}
		in.err("%s: %d: .: cannot open %s: No such file\n", in.name, in.src.line(in.pos.Off), name)
		in.status = 2
		return ctlExit // a special built-in that fails ends the shell: 2.8.1
	}
	if in.calls++; in.calls > maxCalls {
		return in.end("unknown.deep-calls", "depth", strconv.Itoa(maxCalls))
	}
	old, pos := in.src, in.pos
	in.src, in.status = src, 0
	c := in.run(body)
	in.src, in.pos = old, pos
	in.calls--
	if c == ctlReturn {
		return ctlNone
	}
	return c
}

// runFile runs a file in a shell of its own.
func (in *shProcess) runFile(name string, args []string, kind shellKind, options string) ctl {
	child := in.child()
	if child.calls > maxCalls {
		return in.end("unknown.deep-calls", "depth", strconv.Itoa(maxCalls))
	}
	for v := range child.vars {
		if !child.exported[v] {
			delete(child.vars, v)
		}
	}
	child.funcs = map[string]function{}
	child.kind, child.name, child.args = kind, name, args
	child.errexit, child.tested = strings.Contains(options, "e"), 0
	src, body, err := child.load(name)
	if err != nil {
		if src == nil {
			in.err("%s: 0: cannot open %s: No such file\n", in.name, name)
			in.status = 127
			return ctlNone
		}
		return in.endFor(trace.Why("unknown.script-text", "path", name, "error", err.Error()))
	}
	child.src, child.pos = src, sh.Pos{}
	c := child.run(body)
	if c != ctlEnd {
		c = child.exitTrap()
	}
	in.status = child.status
	if c == ctlEnd {
		return c
	}
	return ctlNone
}

// exec replaces the shell, or changes its redirections for good.
func (in *shProcess) exec(n *sh.Simple, words []string) ctl {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	restore, c := in.redirect(n.Redirs)
	if c != ctlNone || restore == nil {
		return c
	}
	if len(words) == 0 {
		return ctlNone
	}
	in.replaced = true
	if c := in.program(words); c == ctlEnd {
		return c
	}
	return ctlExit
}

// environ is what a program started from here gets.
func (in *shProcess) environ() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(in.vars)) {
		if in.exported[name] {
			out = append(out, name+"="+in.vars[name])
		}
	}
	return out
}

func (in *shProcess) set(name, value string) {
	if len(value) > maxValue {
		in.endFor(trace.Why("unknown.long-text", "size", bytesText(maxValue)))
		return
	}
	in.vars[name] = value
}

// initramfs follows the program that the kernel started from the initramfs: when it is a shell script,
// its lines decide what happens next.
func (x *linux) initramfs(rdinit string) {
	x.pid1.Stage, x.pid1.Actor = trace.Initramfs, path.Base(rdinit)
	if kind, options, ok := x.shebang(rdinit); ok {
		x.scriptAsInit(rdinit, kind, options, trace.Step{Kind: "initramfs.start", Rule: "execve(2), interpreter scripts",
			Args: map[string]string{"path": rdinit, "shell": kind.path, "flavour": x.flavour()}})
		return
	}
	x.compiledInit(rdinit)
}

// scriptAsInit follows a script as process 1, of the initramfs or of the real root; first is the step that says so.
func (x *linux) scriptAsInit(rdinit string, kind shellKind, options string, first trace.Step) {
	in := &shProcess{
		x: x, b: &budget{}, kind: kind, name: rdinit, args: x.initArgs, cwd: "/",
		vars:     map[string]string{"IFS": " \t\n", "PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "OPTIND": "1", "PWD": "/", "HOME": "/", "TERM": "linux"},
		exported: map[string]bool{"HOME": true, "TERM": true}, funcs: map[string]function{},
		stdout: &sink{kind: "console"}, stderr: &sink{kind: "console"}, errexit: strings.Contains(options, "e"),
	}
	for _, p := range x.params.Params { // the kernel's envp_init: what it does not know itself
		if p.HasValue && !strings.Contains(p.Name, ".") && !kernelKnows(p.Name) {
			in.vars[p.Name], in.exported[p.Name] = p.Value, true
		}
	}
	src, body, err := in.load(rdinit)
	if err != nil {
		in.step(first.Kind, first.Args, first.Rule)
		in.endFor(trace.Why("unknown.script-text", "path", rdinit, "error", err.Error()))
		return
	}
	in.src = src
	in.pos = sh.Pos{Off: 0, End: strings.IndexByte(src.text+"\n", '\n')}
	in.step(first.Kind, first.Args, first.Rule)
	if in.run(body) != ctlEnd {
		in.exitTrap()
	}
	if !x.m.Ended() {
		in.initExits()
	}
}

// initExits is the end of PID 1: the kernel cannot go on without it (kernel/exit.c, do_exit).
func (in *shProcess) initExits() {
	x := in.x
	x.pid1.Actor = "linux"
	msg := fmt.Sprintf("Attempted to kill init! exitcode=0x%08x", (in.status&0xff)<<8)
	if x.unsure != nil && in.status != 0 {
		x.cannotKnow(x.pid1.Stage, x.unsure)
		return
	}
	x.panic(msg, "kernel/exit.c, do_exit")
}

// shebang reads the #! line.
func (x *linux) shebang(name string) (kind shellKind, options string, ok bool) {
	file, err := x.pid1.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	head := make([]byte, 256)
	n, _ := file.ReadAt(head, 0)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	if !strings.HasPrefix(line, "#!") {
		return
	}
	words := strings.Fields(line[2:])
	if len(words) == 0 {
		return
	}
	if path.Base(words[0]) == "env" && len(words) > 1 {
		words = words[1:]
	}
	if path.Base(words[0]) == "busybox" && len(words) > 1 {
		words[0], words = "/bin/"+words[1], append(words[:1], words[2:]...)
	}
	if !initprog.IsShell(path.Base(words[0])) {
		return
	}
	if len(words) > 1 {
		options = words[1]
	}
	return x.shellAt(words[0]), options, true
}

// shellAt tells which shell a path leads to. initramfs-tools without BusyBox has klibc's, which is dash.
func (x *linux) shellAt(name string) shellKind {
	k := shellKind{path: name, name: path.Base(name)}
	if real, err := x.pid1.RealPath(name); err == nil {
		k.name = path.Base(real)
	}
	switch {
	case x.isLinkTo(name, "busybox"):
		k.name = "busybox"
	case k.name == "sh" || k.name == "sh.shared":
		k.name, k.klibc = "dash", true
	}
	return k
}

// kernelKnows lists parameters with values that the kernel or its drivers take; others become init's
// environment. Only names that scripts use as variables matter.
func kernelKnows(name string) bool {
	return slices.Contains([]string{"root", "rootfstype", "rootflags", "rootdelay", "init", "rdinit", "console", "loglevel", "panic", "initrd", "ip", "nfsroot", "mem", "resume"}, name)
}

// quietly makes system calls without a step for each.
func (x *linux) quietly(fn func()) {
	was := x.pid1.Quiet
	x.pid1.Quiet = true
	fn()
	x.pid1.Quiet = was
}

// lastLine is the last line on the console that is not blank.
func (x *linux) lastLine() string { return strings.TrimSpace(x.line) }

// warning keeps the message that counts of those which scripts write to the kernel's log: the first that is worse than
// a warning, else the last warning.
func (x *linux) warning(level int, text string) {
	if first := x.warned.text == ""; level <= kernWarn && (first || level < x.warned.level || level == kernWarn && x.warned.level == kernWarn) {
		x.warned.level, x.warned.text = level, text
	}
}

// showed keeps what a program wrote to the console last.
func (x *linux) showed(text string) {
	text = x.line + text
	x.line = text[strings.LastIndexByte(strings.TrimRight(text, " \n"), '\n')+1:]
}

// tagged gives lines the form in which the journal forwards them to the console.
func (x *linux) tagged(tag, text string) string {
	t := x.m.Now() - x.started
	var out strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&out, "[%5d.%06d] %s%s\n", t/time.Second, t%time.Second/time.Microsecond, tag, strings.TrimSuffix(line, "\n"))
	}
	return out.String()
}
