package container

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// A shell script as a container's program, played line by line until it becomes another program (exec "$@"), ends,
// or meets what is not known. Where [reader] asks what may run when the container is stopped, script tells what
// does run. POSIX.1-2017 XCU 2; dash 0.5.12, bash 5.2 and busybox 1.35, recorded in tests/truth/container.

// script is one shell.
type script struct {
	r    *run
	t    *kernel.Task
	kind string // dash | bash | busybox

	vars     map[string]string
	exported map[string]bool
	funcs    map[string]sh.Node
	zero     string
	args     []string
	text     string
	inline   bool // the script is an argument of -c
	pos      sh.Pos
	file     string // of the script

	status, tested, calls, loops       int
	count                              int // of break and continue
	errexit, nounset, noglob, pipefail bool
	trap                               string // of EXIT

	from     string // of a subshell: the directory of the shell that made it, which stays there
	fromMask uint32

	in       *flow
	out, err *sink
	commands *int // of all shells of the run

	says    string        // what the latest command said on standard error
	ends    trace.Kind    // how the shell ends
	missing *trace.Reason // why the run cannot be followed further
	became  bool          // exec has put another program in the shell's place
}

// control is how a command ends: as the shell sees it, not with which exit code.
type control int

const (
	goOn control = iota
	leave
	breakOut
	nextRound
	backFrom
	stopHere // what comes next is not known, or the run has ended
)

func (r *run) newScript(t *kernel.Task, in *flow, out, err *sink) *script {
	return &script{r: r, t: t, kind: shellKind(t), vars: map[string]string{}, exported: map[string]bool{}, funcs: map[string]sh.Node{}, in: in, out: out, err: err, commands: new(int)}
}

// scripted plays the script that the shell in t was given, as far as it is known; over tells that the run has ended.
func (r *run) scripted(t *kernel.Task) {
	p := r.newProcess(t)
	s := r.newScript(t, p.in, p.out, p.err)
	end := s.run(r.spec.Env)
	p.says, p.ends = s.says, s.ends
	switch {
	case s.became || r.m.Ended():
	case end.missing != nil:
		s.note()
		if r.decides() {
			r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: end.missing})
		}
	case end.runs:
	default:
		r.concluded(p, end)
	}
}

// note says where the script can be followed no further.
func (s *script) note() {
	if s.source() == "" {
		return // nothing of it was read
	}
	s.r.emit(trace.Step{Actor: s.t.Actor, Stage: trace.Process, Kind: "process.script-unknown", Rule: "POSIX.1-2017 XCU 2", Cites: s.cites(),
		Args: map[string]string{"shell": s.t.Exe, "line": s.line(), "command": s.source()}})
}

// source is the first line of the command that runs.
func (s *script) source() string {
	text := s.text[min(s.pos.Off, len(s.text)):min(s.pos.End, len(s.text))]
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// cites are the bytes of the script's file.
func (s *script) cites() []blob.Cite {
	if s.inline {
		return s.t.Evidence(s.t.Exe)
	}
	return s.t.Evidence(s.file)
}

// run reads the script and plays it.
func (s *script) run(env []string) finish {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		s.vars[name], s.exported[name] = value, true
	}
	s.vars["IFS"], s.vars["PWD"], s.vars["OPTIND"] = " \t\n", s.t.Cwd(), "1"
	told := &reader{shell: s.kind}
	if why := told.told(s.t); why != nil {
		if readsInput(why) && s.in.unknown == nil && s.in.size == 0 {
			s.ends = endsInput
			return finish{}
		}
		return finish{missing: why}
	}
	if told.prints != "" {
		return finish{missing: trace.Why("unknown.shell-option", "option", told.prints)}
	}
	s.ends = endsScript
	s.text, s.zero, s.args, s.inline, s.errexit = told.text, told.zero, told.args, told.inline, told.errexit
	s.nounset = told.nounset
	if s.file = s.zero; s.inline {
		s.file = ""
	}
	body, err := sh.Parse(s.text)
	if err != nil {
		return finish{missing: trace.Why("unknown.script-text", "path", s.t.Exe, "error", err.Error())}
	}
	c := s.list(body.Body)
	if c != stopHere {
		c = s.leaves()
	}
	if c == stopHere && (s.missing != nil || s.became) {
		return finish{missing: s.missing}
	}
	return finish{code: s.status}
}

// leaves runs the action of trap … EXIT.
func (s *script) leaves() control {
	if s.trap == "" || s.became {
		return leave
	}
	status, action := s.status, s.trap
	s.trap = ""
	c := s.eval(action)
	if c != leave {
		s.status = status
	}
	return c
}

// eval runs a text as commands.
func (s *script) eval(text string) control {
	body, err := sh.Parse(text)
	if err != nil {
		return s.lost()
	}
	old := s.text
	s.text = text
	c := s.list(body.Body)
	s.text = old
	return c
}

// lack ends what is known.
func (s *script) lack(missing *trace.Reason) control {
	if s.missing == nil {
		s.missing = missing
	}
	return stopHere
}

// lost is lack of what the command that runs does.
func (s *script) lost() control { return s.lack(s.here()) }

func (s *script) here() *trace.Reason { return trace.Why("unknown.tool-does", "command", s.source()) }

// copy is a subshell, which cannot change the shell.
func (s *script) copy() *script {
	c := *s
	c.vars, c.exported, c.funcs = maps.Clone(s.vars), maps.Clone(s.exported), maps.Clone(s.funcs)
	c.trap, c.from, c.fromMask = "", s.t.Cwd(), s.r.umask
	return &c
}

// back takes over from a subshell what it found out.
func (s *script) back(c *script, how control) control {
	s.status, s.says = c.status, c.says
	if how == stopHere {
		s.missing, s.pos, s.text = c.missing, c.pos, c.text
		return stopHere
	}
	s.r.umask = c.fromMask
	if s.t.Cwd() != c.from {
		var err error
		if quietly(s.t, func() { err = s.t.Chdir(c.from) }); err != nil {
			return s.lost()
		}
	}
	return goOn
}

func (s *script) list(body []sh.Stmt) control {
	for _, st := range body {
		if st.Background {
			s.pos = st.Pos
			return s.lost()
		}
		if c := s.node(st.Node); c != goOn {
			return c
		}
		_, list := st.Node.(*sh.AndOr)
		pipe, _ := st.Node.(*sh.Pipe)
		if s.status != 0 && s.errexit && s.tested == 0 && !list && (pipe == nil || !pipe.Negated) {
			return leave
		}
	}
	return goOn
}

func (s *script) cond(body []sh.Stmt) control {
	s.tested++
	c := s.list(body)
	s.tested--
	return c
}

func (s *script) node(n sh.Node) control {
	if *s.commands++; *s.commands > maxCommands {
		return s.lost()
	}
	switch n := n.(type) {
	case *sh.Simple:
		return s.simple(n)
	case *sh.AndOr:
		s.tested++
		c := s.node(n.Left)
		s.tested--
		if c != goOn || (s.status == 0) != n.And {
			return c
		}
		return s.node(n.Right)
	case *sh.Pipe:
		return s.pipe(n)
	case *sh.Func:
		s.funcs[n.Name], s.status = n.Body, 0
	case *sh.If:
		return s.redirected(n.Redirs, func() control { return s.branch(n) })
	case *sh.Loop:
		return s.redirected(n.Redirs, func() control { return s.loop(n) })
	case *sh.For:
		return s.redirected(n.Redirs, func() control { return s.each(n) })
	case *sh.Case:
		return s.redirected(n.Redirs, func() control { return s.choose(n) })
	case *sh.Group:
		return s.redirected(n.Redirs, func() control { return s.group(n) })
	}
	return goOn
}

func (s *script) branch(n *sh.If) control {
	if c := s.cond(n.Cond); c != goOn {
		return c
	}
	if s.status == 0 {
		return s.list(n.Then)
	}
	s.status = 0
	return s.list(n.Else)
}

// round tells what a loop does behind its body.
func (s *script) round(c control) (done bool, result control) {
	switch c {
	case breakOut, nextRound:
		if s.count > 1 {
			s.count--
			return true, c
		}
		return c == breakOut, goOn
	case goOn:
		return false, goOn
	}
	return true, c
}

func (s *script) loop(n *sh.Loop) control {
	s.loops++
	defer func() { s.loops-- }()
	for last := 0; ; last = s.status {
		c := s.cond(n.Cond)
		if done, c := s.round(c); done {
			return c
		}
		if c == goOn && (s.status == 0) == n.Until {
			s.status = last
			return goOn
		}
		if done, c := s.round(s.list(n.Body)); done {
			return c
		}
	}
}

func (s *script) each(n *sh.For) control {
	words := s.args
	if n.In {
		var err error
		if slices.ContainsFunc(n.Words, atHome) {
			return s.lost()
		}
		if words, err = sh.Words(asked{s}, n.Words); err != nil {
			return s.stopped(err)
		}
	}
	s.status = 0
	s.loops++
	defer func() { s.loops-- }()
	for _, w := range words {
		s.vars[n.Name] = w
		if done, c := s.round(s.list(n.Body)); done {
			return c
		}
	}
	return goOn
}

func (s *script) choose(n *sh.Case) control {
	word, err := sh.Text(asked{s}, n.Word)
	if err != nil {
		return s.stopped(err)
	}
	s.status = 0
	for _, item := range n.Items {
		for _, w := range item.Patterns {
			pattern, err := sh.Pattern(asked{s}, w)
			if err != nil {
				return s.stopped(err)
			}
			ok, err := sh.Matches(asked{s}, pattern, word)
			if err != nil {
				return s.stopped(err)
			}
			if ok {
				return s.list(item.Body)
			}
		}
	}
	return goOn
}

func (s *script) group(n *sh.Group) control {
	if !n.Subshell {
		return s.list(n.Body)
	}
	c := s.copy()
	how := c.list(n.Body)
	if how != stopHere {
		how = c.leaves()
	}
	return s.back(c, how)
}

// pipe plays the commands of a pipeline in turn, each with what the one before has written.
func (s *script) pipe(n *sh.Pipe) control {
	if n.Negated {
		s.tested++
		defer func() { s.tested-- }()
	}
	failed, feed := 0, s.in
	for i, cmd := range n.Cmds {
		if len(n.Cmds) == 1 {
			if c := s.node(cmd); c != goOn {
				return c
			}
			break
		}
		c := s.copy()
		c.in = feed
		if i < len(n.Cmds)-1 {
			c.out = &sink{kind: "pipe"}
		}
		if how := s.back(c, c.node(cmd)); how != goOn {
			return how
		}
		if feed = c.out.flow(); s.status != 0 {
			failed = s.status
		}
	}
	if s.pipefail && failed != 0 {
		s.status = failed
	}
	if n.Negated {
		if s.status == 0 {
			s.status = 1
		} else {
			s.status = 0
		}
	}
	return goOn
}

// simple is a simple command: 2.9.1.
func (s *script) simple(n *sh.Simple) control {
	s.pos = n.Pos
	if slices.ContainsFunc(n.Words, atHome) || slices.ContainsFunc(n.Assigns, func(a sh.Assign) bool { return atHome(a.Value) }) {
		return s.lost()
	}
	argv, err := sh.Words(asked{s}, n.Words)
	if err != nil {
		return s.stopped(err)
	}
	if s.missing != nil {
		return stopHere // met by an expansion
	}
	values := make([]string, len(n.Assigns))
	if len(argv) == 0 && !substitutes(n.Assigns) {
		s.status = 0
	}
	for i, a := range n.Assigns {
		if values[i], err = sh.Text(asked{s}, a.Value); err != nil {
			return s.stopped(err)
		}
	}
	s.pos = n.Pos
	if len(argv) > 0 && argv[0] == "exec" {
		return s.exec(n, argv[1:], values)
	}
	special := len(argv) == 0 || specialBuiltin(argv[0])
	return s.redirectedFor(n.Redirs, special && len(argv) > 0, func() control {
		if special {
			for i, a := range n.Assigns {
				if err := s.set(a.Name, values[i]); err != nil {
					return s.stopped(err)
				}
			}
			if len(argv) == 0 {
				return goOn
			}
			return s.command(argv)
		}
		vars, exported := maps.Clone(s.vars), maps.Clone(s.exported)
		for i, a := range n.Assigns {
			s.vars[a.Name], s.exported[a.Name] = values[i], true
		}
		c := s.command(argv)
		if len(n.Assigns) > 0 {
			s.vars, s.exported = vars, exported
		}
		return c
	})
}

// atHome tells whether a word begins with ~, which stands for somebody's home directory.
func atHome(w sh.Word) bool {
	if len(w) == 0 {
		return false
	}
	lit, ok := w[0].(sh.Lit)
	return ok && !lit.Quoted && strings.HasPrefix(lit.Text, "~")
}

// substitutes tells whether the value of an assignment is what a command prints: its status then counts.
func substitutes(list []sh.Assign) bool {
	return slices.ContainsFunc(list, func(a sh.Assign) bool {
		return slices.ContainsFunc(a.Value, func(p sh.Part) bool { _, ok := p.(*sh.CmdSub); return ok })
	})
}

// specialBuiltin tells whether assignments before it stay, and a failing redirection ends the shell: 2.14.
func specialBuiltin(name string) bool {
	return slices.Contains(strings.Fields(": . break continue eval exec exit export readonly return set shift times trap unset"), name)
}

// set gives a variable its value.
func (s *script) set(name, value string) error {
	if len(value) > maxText {
		return unknown{s.here()}
	}
	s.vars[name] = value
	return nil
}

// stopped is an expansion that could not be made: the command, and in most shells the script, ends with it.
func (s *script) stopped(err error) control {
	var u unknown
	if errors.As(err, &u) {
		return s.lack(u.why)
	}
	return leave
}

// command finds a command: a function, a built-in, a program. 2.9.1.1
func (s *script) command(argv []string) control {
	if f, ok := s.funcs[argv[0]]; ok {
		return s.call(f, argv[1:])
	}
	if argv[0] != "exit" && argv[0] != "return" {
		s.says = ""
	}
	if b, ok := builtins()[argv[0]]; ok {
		return b(s, argv)
	}
	if isTextBuiltin(argv[0]) {
		return s.inShell(argv)
	}
	if slices.Contains(strings.Fields("alias bg builtin caller compgen complete declare dirs disown enable fc fg getopts hash help history jobs kill let local mapfile newgrp popd pushd readarray shopt source suspend times type typeset ulimit unalias wait"), argv[0]) {
		return s.lost()
	}
	return s.external(argv)
}

// call runs a function.
func (s *script) call(body sh.Node, args []string) control {
	if s.calls++; s.calls > maxCalls {
		return s.lost()
	}
	old := s.args
	s.args = args
	c := s.node(body)
	s.args = old
	if s.calls--; c == backFrom {
		return goOn
	}
	return c
}

// isTextBuiltin names built-ins that do what the program of that name does.
func isTextBuiltin(name string) bool {
	return slices.Contains([]string{"echo", "printf", "pwd", "test", "[", "true", "false"}, name)
}

// inShell plays a program's work within the shell.
func (s *script) inShell(argv []string) control {
	p := &process{r: s.r, t: s.t, argv: argv, busybox: s.kind == "busybox", shell: s, in: s.in, out: s.out, err: s.err}
	return s.ended(p, tools()[argv[0]](p))
}

// ended takes over how a program ended.
func (s *script) ended(p *process, end finish) control {
	if p.says != "" {
		s.says = p.says
	}
	switch {
	case p.missing != nil:
		return s.lack(p.missing)
	case end.missing != nil:
		return s.lack(end.missing)
	case end.runs:
		return s.lack(nil)
	}
	s.status = end.code
	return goOn
}

// external starts a program and waits for it.
func (s *script) external(argv []string) control {
	r := s.r
	if r.runs++; r.runs > maxRuns {
		return s.lost()
	}
	at := spot{argv: argv, zero: s.zero, line: s.lineNumber(), inline: s.inline}
	child, err := s.t.Clone(0)
	if err != nil {
		r.cannotFork(s.t, at)
		return stopHere
	}
	child.Actor, child.Stage = s.t.Actor, trace.Process
	if err := r.execvpe(child, argv, s.environ()); err != nil {
		if r.hidden(argv[0], r.m.Step(r.m.Last()).Args["missing"]) {
			return stopHere
		}
		quietly(child, func() { child.Exit(127) })
		if r.attributes && errors.Is(err, kernel.EACCES) {
			return s.lost() // chmod may have made it executable
		}
		before, text, code, known := shellWords(s.kind, at, err)
		if fi, gone := s.t.Stat(argv[0]); !known || s.kind == "bash" && gone == nil && fi.IsDir() { // bash looks itself
			return s.lost()
		}
		s.fails(before, text, code)
		return goOn
	}
	child.Actor = child.Comm
	switch l := child.Load(); {
	case l.Unknown != "":
		return s.lost()
	case l.Failed:
		s.tell(firstOf(l.Console, l.Message))
		s.status = l.Exit
	case child.Died() != "":
		return s.lost()
	default:
		return s.waits(child, at)
	}
	quietly(child, func() { child.Exit(s.status) })
	return goOn
}

func quietly(t *kernel.Task, f func()) {
	old := t.Quiet
	t.Quiet = true
	f()
	t.Quiet = old
}

// waits plays the child and takes its exit code.
func (s *script) waits(child *kernel.Task, at spot) control {
	r := s.r
	if shellKind(child) != "" {
		c := r.newScript(child, s.in, s.out, s.err)
		c.commands = s.commands
		end := c.run(s.environ())
		if s.says = c.says; end.missing != nil || c.missing != nil || c.became {
			s.missing, s.pos, s.text = c.missing, c.pos, c.text
			return stopHere
		}
		s.status = end.code
		quietly(child, func() { child.Exit(end.code) })
		return goOn
	}
	p := r.newProcess(child)
	p.in, p.out, p.err, p.started = s.in, s.out, s.err, true
	end := p.run()
	if end.missing == nil && !end.runs && end.signal == "" {
		quietly(child, func() { child.Exit(end.code) })
	}
	if end.missing != nil || end.runs {
		r.emit(trace.Step{Actor: child.Actor, Stage: trace.Process, Kind: "process.shell-waits", Rule: "sh(1p), exec; fork(2)", Cites: s.t.Evidence(s.t.Exe),
			Args: map[string]string{"shell": s.t.Exe, "program": child.Exe, "argv": strings.Join(at.argv, " "), "pid": strconv.Itoa(child.NSPID), "signal": r.facts.StopSignal}})
	}
	c := s.ended(p, end)
	if end.signal != "" && c == goOn && s.kind != "bash" { // bash names the process's number, which is not known
		s.tell("Killed")
	}
	return c
}

// tell prints a message of the shell's own.
func (s *script) tell(text string) {
	p := &process{r: s.r, t: s.t, argv: []string{path.Base(s.t.Exe)}, out: s.out, err: s.err}
	p.print(s.err, text+"\n")
	s.says = p.says
}

// fails is a command that the shell cannot start.
func (s *script) fails(before, text string, code int) {
	s.status = code
	s.complain(trace.Step{Kind: "process.shell-fails", Rule: "sh(1p), 2.8.2 Exit Status for Commands", Cites: s.r.m.Step(s.r.m.Last()).Cites,
		Args: map[string]string{"exit_code": strconv.Itoa(code)}}, before, text)
}

// complain prints a message, as a step of its own where it is seen.
func (s *script) complain(st trace.Step, before, text string) {
	if s.err.kind != "console" {
		s.tell(before + text)
		return
	}
	st.Actor, st.Stage, st.Console = s.t.Actor, trace.Process, before+text+"\n"
	st.Args["message"] = text
	s.r.emit(st)
	s.says = text
}

// exec puts another program in the shell's place, or keeps redirections.
func (s *script) exec(n *sh.Simple, argv []string, values []string) control {
	if len(argv) == 0 {
		return s.redirectsItself(n.Redirs)
	}
	for i, a := range n.Assigns {
		s.vars[a.Name], s.exported[a.Name] = values[i], true
	}
	return s.redirectedFor(n.Redirs, true, func() control { return s.becomes(argv) })
}

func (s *script) becomes(argv []string) control {
	r, shell := s.r, s.t.Exe
	if r.runs++; r.runs > maxRuns {
		return s.lost()
	}
	at := spot{argv: argv, zero: s.zero, line: s.lineNumber(), inline: s.inline, builtin: true}
	if err := r.execvpe(s.t, argv, s.environ()); err != nil {
		if r.hidden(argv[0], r.m.Step(r.m.Last()).Args["missing"]) {
			return stopHere
		}
		if r.attributes && errors.Is(err, kernel.EACCES) {
			return s.lost() // chmod may have made it executable
		}
		before, text, code, known := shellWords(s.kind, at, err)
		if fi, gone := s.t.Stat(argv[0]); !known || s.kind == "bash" && gone == nil && fi.IsDir() {
			return s.lost()
		}
		s.fails(before, text, code)
		return leave
	}
	t := s.t
	t.Actor = t.Comm
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.shell-becomes", Rule: "sh(1p), exec; fork(2)", Cites: t.Evidence(shell),
		Args: map[string]string{"shell": shell, "program": t.Exe, "argv": strings.Join(t.Argv, " "), "pid": strconv.Itoa(t.NSPID), "signal": r.facts.StopSignal}})
	switch l := t.Load(); {
	case l.Unknown != "":
		return s.lost()
	case l.Failed:
		s.tell(firstOf(l.Console, l.Message))
		s.status = l.Exit
		return leave
	case t.Died() != "":
		return s.lost()
	}
	if shellKind(t) != "" {
		c := &script{r: r, t: t, kind: shellKind(t), vars: map[string]string{}, exported: map[string]bool{}, funcs: map[string]sh.Node{}, in: s.in, out: s.out, err: s.err, commands: s.commands}
		end := c.run(s.environ())
		s.missing, s.status, s.says, s.pos, s.text, s.trap, s.became = c.missing, end.code, c.says, c.pos, c.text, "", c.became
		if end.missing != nil || c.became {
			return stopHere
		}
		return leave
	}
	p := r.newProcess(t)
	p.in, p.out, p.err, p.started = s.in, s.out, s.err, true
	end := p.run()
	s.trap = ""
	if end.missing != nil || end.runs {
		s.became = !s.r.decides()
		return s.lack(end.missing)
	}
	s.ended(p, end)
	return leave
}

// environ is what programs get: sorted, for in which order a shell hands it on does not matter.
func (s *script) environ() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.exported)) {
		if s.exported[name] {
			if v, ok := s.vars[name]; ok {
				out = append(out, name+"="+v)
			}
		}
	}
	return out
}

func (s *script) lineNumber() int {
	return 1 + strings.Count(s.text[:min(s.pos.Off, len(s.text))], "\n")
}
func (s *script) line() string { return strconv.Itoa(s.lineNumber()) }

// asked is the script as [sh.Words] asks it.
type asked struct{ s *script }

func (a asked) Set(name, value string) { a.s.set(name, value) }
func (a asked) Args() []string         { return a.s.args }
func (a asked) Globs() bool            { return !a.s.noglob }
func (a asked) Extended() bool         { return a.s.kind != "dash" }
func (a asked) Strict() bool           { return a.s.nounset }

// Spend counts for all shells of the run.
func (a asked) Spend(work int) error {
	if a.s.r.expanded += work; a.s.r.expanded > sh.MaxWork {
		return unknown{trace.Why("unknown.long-expansion", "where", a.s.source())}
	}
	return nil
}

func (a asked) Value(name string) (string, bool) {
	s := a.s
	switch name {
	case "@", "*":
		between := " "
		if ifs := s.vars["IFS"]; name == "*" && ifs != "" {
			between = ifs[:1]
		} else if name == "*" {
			s.lost()
		}
		return strings.Join(s.args, between), len(s.args) > 0
	case "#":
		return strconv.Itoa(len(s.args)), true
	case "?":
		return strconv.Itoa(s.status), true
	case "$":
		return strconv.Itoa(s.t.NSPID), true
	case "0":
		return s.zero, true
	case "-", "!":
		s.lost()
		return "", false
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(s.args) {
			return s.args[n-1], true
		}
		return "", false
	}
	v, ok := s.vars[name]
	return v, ok
}

func (a asked) Output(body []sh.Stmt) (string, error) {
	s := a.s
	c := s.copy()
	c.out = &sink{kind: "pipe"}
	pos := s.pos
	how := c.list(body)
	if how != stopHere {
		how = c.leaves()
	}
	if s.back(c, how) == stopHere {
		return "", unknown{s.missing}
	}
	s.pos = pos
	if f := c.out.flow(); f.unknown != nil || f.zeros || f.size != int64(len(f.text)) {
		return "", unknown{cmp.Or(f.unknown, s.here())}
	}
	return strings.TrimRight(c.out.text.String(), "\n"), nil
}

func (a asked) Names(dir string) []string {
	p := &process{r: a.s.r, t: a.s.t}
	if err := p.known(dir); err != nil {
		a.s.lost()
		return nil
	}
	entries, err := a.s.t.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (a asked) Exists(name string) bool {
	_, err := a.s.t.Lstat(name)
	return err == nil
}

// Refuse prints what the shell says; the script ends.
func (a asked) Refuse(why sh.Refusal, name, text string) error {
	s := a.s
	if why != sh.Unset {
		return unknown{s.here()}
	}
	at := s.zero + ": " + s.line() + ": "
	s.status = 2
	switch s.kind {
	case "bash":
		at = s.zero + ": line " + s.line() + ": "
		if s.status = 1; text == "parameter not set" {
			text = "unbound variable"
		}
		if s.inline {
			s.status = 127
		}
	case "busybox":
		if at = s.zero + ": "; !s.inline {
			at = s.zero + ": line " + s.line() + ": "
		}
	}
	s.tell(at + name + ": " + text)
	return errors.New(text)
}

// access asks for the rights of the program's user. test(1), access(2)
func (p *process) access(op byte, name string, fi fs.FileInfo) bool {
	if p.r.attributes && (op == 'x' && !fi.IsDir() || !p.t.Cred.Effective.Has(kernel.CAP_DAC_OVERRIDE)) {
		p.lost() // modes and owners have changed
	}
	if op == 'w' {
		return p.writable(name) == nil || fi.IsDir() && p.writable(path.Join(name, "."+strconv.Itoa(p.t.PID))) == nil
	}
	if p.t.Cred.Effective.Has(kernel.CAP_DAC_OVERRIDE) {
		return op != 'x' || fi.IsDir() || fi.Mode().Perm()&0o111 != 0
	}
	if op == 'x' {
		return p.t.Executable(name) == nil || fi.IsDir()
	}
	if fi.IsDir() {
		_, err := p.t.ReadDir(name)
		return err == nil
	}
	_, err := p.t.Open(name)
	return err == nil
}
