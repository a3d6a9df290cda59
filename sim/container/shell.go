package container

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// A shell as a container's program: what it is told to run is read, so that it is known who gets the signal
// when the container is stopped. Commands are not run: where one might end or go on, both are kept.

// spot is a place in a script where the container may be when it is stopped.
type spot struct {
	argv    []string // the program that runs; nil when its name is not known
	exec    bool     // the shell has become it
	wait    bool     // the shell is in its wait builtin
	builtin bool     // by its exec builtin
	last    bool     // the script ends behind it
	again   bool     // it is in a loop that nothing ends
	inline  bool     // the script is an argument of -c
	zero    string   // $0
	line    int
	seconds float64       // how long the program takes; +Inf for ever, -1 when not known
	trap    *string       // the shell's action for the signal; nil for none
	ends    bool          // the action ends the shell
	exit    int           // and its exit code; -1 when not known
	unclear *trace.Reason // what would have to be known of the trap
	why     *trace.Reason // what would have to be known of argv
}

// reader walks a script.
type reader struct {
	shell  string // dash | bash | busybox
	sig    int
	args   []string // positional parameters
	inline bool     // sh -c
	zero   string
	text   string
	funcs  map[string]sh.Node
	depth  int
	nested int  // braces around the command
	walked int  // commands so far
	unsure int  // conditions around the command
	moved  bool // cd was called: relative paths are not known

	mayWrite func(name string) error // open(2) for writing; nil when that is not known either
	errexit  bool                    // set -e
	nounset  bool                    // set -u
	prints   string                  // the option that has it print its commands, or only read them
	says     []complaint
	failed   bool // the latest command is the latest complaint's

	trap    *string
	unclear *trace.Reason
	behind  bool // something runs in the background
	spots   []spot
	code    int // exit code so far; -1 when not known
	over    bool
}

// complaint is a redirection that the shell cannot make.
type complaint struct {
	path, text string
	err        kernel.Errno
}

// Bounds on what of a script is followed.
const (
	maxCalls    = 32    // functions inside functions
	maxCommands = 10000 // commands, those of functions each time that they are called
)

// shellSpots reads what the shell in t was told to run. waits tells that it reads its commands from standard
// input; why says what would have to be known.
func (r *run) shellSpots(t *kernel.Task, sig int) (spots []spot, code int, why *trace.Reason) {
	s := &reader{shell: shellKind(t), sig: sig, funcs: map[string]sh.Node{}, mayWrite: func(name string) error {
		if r.under(path.Join(t.Cwd(), name)) != "" && !path.IsAbs(name) || r.under(path.Clean(name)) != "" {
			return nil // what lies there is not known
		}
		return t.MayWrite(name)
	}}
	if why := s.told(t); why != nil {
		return nil, 0, why
	}
	script, err := sh.Parse(s.text)
	if err != nil {
		return nil, 0, trace.Why("unknown.script-text", "path", t.Exe, "error", err.Error())
	}
	s.list(script.Body, true)
	if s.walked > maxCommands {
		return nil, 0, s.unclear
	}
	return s.spots, s.code, nil
}

// shellKind tells the shells apart whose ways are known; "" for others.
func shellKind(t *kernel.Task) string {
	base := path.Base(t.Exe)
	name := programName(t)
	switch {
	case base == "dash" || base == "bash":
		return base
	case isBusybox(t) && (name == "sh" || name == "ash"):
		return "busybox"
	}
	return ""
}

// told finds the script: the argument of -c or a file.
func (s *reader) told(t *kernel.Task) (why *trace.Reason) {
	s.zero = t.Argv[0]
	args := t.Argv[1:]
	if isBusybox(t) && strings.HasPrefix(path.Base(t.Argv[0]), "busybox") {
		s.zero, args = args[0], args[1:]
	}
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		option := args[0]
		args = args[1:]
		if option == "--" {
			break
		}
		if strings.HasPrefix(option, "--") || strings.Trim(option[1:], "abcefhmnuvxBCEHPT") != "" {
			return trace.Why("unknown.shell-option", "option", option)
		}
		s.inline = s.inline || strings.Contains(option, "c")
		s.errexit = s.errexit || option[0] == '-' && strings.Contains(option, "e")
		if s.prints == "" && strings.ContainsAny(option, "xvn") {
			s.prints = option
		}
		s.nounset = s.nounset || option[0] == '-' && strings.Contains(option, "u")
	}
	if len(args) == 0 && s.inline {
		return trace.Why("unknown.shell-option", "option", "-c")
	}
	if len(args) == 0 {
		return trace.Why("unknown.standard-input")
	}
	s.args = args[1:]
	if s.inline {
		if s.text = args[0]; len(s.args) > 0 {
			s.zero, s.args = s.args[0], s.args[1:]
		}
		return nil
	}
	b, err := t.ReadFile(args[0])
	if err != nil {
		return trace.Why("unknown.file-content", "path", args[0]).For(kernel.Because(err))
	}
	s.zero, s.text = args[0], string(b)
	return nil
}

// lineOf is the line of the script in which a command stands, from 1.
func (s *reader) lineOf(n *sh.Simple) int {
	return 1 + strings.Count(s.text[:min(n.Off, len(s.text))], "\n")
}

// list walks statements in turn; last tells that the shell ends behind them.
func (s *reader) list(body []sh.Stmt, last bool) {
	for i, st := range body {
		if s.walked++; s.walked > maxCommands {
			s.unclear, s.over = trace.Why("unknown.script-long"), true
		}
		if s.over {
			return
		}
		if st.Background {
			s.behind, s.code = true, 0
			continue
		}
		s.node(st.Node, last && i == len(body)-1, len(body) == 1)
	}
}

// node walks a command. last: the shell has nothing to do behind it; alone: nor before it.
func (s *reader) node(n sh.Node, last, alone bool) {
	switch n := n.(type) {
	case *sh.Simple:
		s.simple(n, last, alone)
	case *sh.Pipe:
		s.add(spot{seconds: -1})
	case *sh.AndOr:
		s.unsure++
		s.node(n.Left, false, false)
		s.unsure--
		s.maybe(func() { s.node(n.Right, last, false) })
	case *sh.Group:
		if n.Subshell {
			s.add(spot{seconds: -1}) // the shell waits for its copy
			return
		}
		s.nested++
		s.list(n.Body, last)
		s.nested--
	case *sh.If:
		s.unsure++
		s.list(n.Cond, false)
		s.unsure--
		s.maybe(func() { s.list(n.Then, false) })
		s.maybe(func() { s.list(n.Else, false) })
	case *sh.Loop:
		s.loop(n)
	case *sh.For:
		s.maybe(func() { s.list(n.Body, false) })
	case *sh.Case:
		for _, item := range n.Items {
			s.maybe(func() { s.list(item.Body, false) })
		}
	case *sh.Func:
		s.funcs[n.Name] = n.Body
	}
}

// maybe walks what may be skipped: afterwards the script may go on either way.
func (s *reader) maybe(walk func()) {
	trap := s.trap
	s.unsure++
	walk()
	s.unsure--
	if s.trap != trap {
		s.unclear = trace.Why("unknown.gets-to-trap")
	}
	s.over, s.code = false, -1
}

// loop is for ever when its condition is true or : and nothing leaves it.
func (s *reader) loop(n *sh.Loop) {
	forever := false
	if len(n.Cond) == 1 {
		if c, ok := n.Cond[0].Node.(*sh.Simple); ok && len(c.Words) == 1 {
			name, _ := c.Words[0].Literal()
			forever = !n.Until && (name == "true" || name == ":") || n.Until && name == "false"
		}
	}
	sh.Walk(n.Body, func(c *sh.Simple) {
		if len(c.Words) > 0 {
			name, _ := c.Words[0].Literal()
			if name == "break" || name == "exit" || name == "return" {
				forever = false
			}
		}
	})
	before := len(s.spots)
	if !forever {
		s.maybe(func() { s.list(n.Cond, false); s.list(n.Body, false) })
		return
	}
	s.list(n.Body, false)
	for i := range s.spots[before:] {
		s.spots[before+i].again = true
	}
	if len(s.spots) == before { // it only runs builtins: at any moment the shell itself is there
		s.add(spot{seconds: 0, again: true})
	}
	s.over = true
}

// add keeps a place where the script may be.
func (s *reader) add(p spot) {
	p.trap, p.unclear, p.zero, p.inline = s.trap, s.unclear, s.zero, s.inline
	if p.trap != nil {
		if action, err := sh.Parse(*p.trap); err == nil {
			p.exit, p.ends = s.trapExit(action.Body, 0)
		}
	}
	s.spots = append(s.spots, p)
	if s.code = -1; p.seconds >= 0 {
		s.code = 0 // sleep(1) ends well
	}
	if math.IsInf(p.seconds, 1) {
		s.over = true
	}
}

// simple walks a simple command.
func (s *reader) simple(n *sh.Simple, last, alone bool) {
	argv, why := s.expand(n.Words)
	if s.failed = s.redirects(n, argv); s.failed {
		return
	}
	if len(argv) == 0 && why == nil {
		s.code = 0
		return
	}
	name := ""
	if len(argv) > 0 {
		name = argv[0]
	}
	if body, ok := s.funcs[name]; ok {
		if s.depth++; s.depth > maxCalls {
			s.over = true
			return
		}
		s.node(body, false, false)
		s.depth--
		return
	}
	switch name {
	case "exec":
		if len(argv) > 1 || why != nil {
			s.add(spot{argv: argv[1:], exec: true, builtin: true, line: s.lineOf(n), seconds: math.Inf(1), why: why})
		}
		return
	case "trap":
		s.setTrap(argv[1:], why)
		return
	case "exit", "return":
		s.exit(argv[1:])
		return
	case "wait":
		if s.behind {
			s.add(spot{argv: argv, wait: true, seconds: math.Inf(1)})
		}
		return
	}
	if name == "cd" {
		s.moved = true
	}
	if name == "set" && len(argv) > 1 && len(argv[1]) > 1 && argv[1][0] == '-' && strings.Contains(argv[1], "e") {
		s.errexit = true
	}
	if code, brief := briefly(argv, why); brief {
		s.code = code
		return
	}
	p := spot{argv: argv, seconds: lasts(argv), why: why, last: last, line: s.lineOf(n)}
	becomes, sure := s.optimised(n, last, alone)
	if becomes && !sure {
		s.add(spot{argv: argv, seconds: -1, why: why}) // the other possibility
	}
	p.exec = becomes
	s.add(p)
}

// redirects tells whether the command is not run because a file cannot be opened for writing. sh(1p), 2.7
// Redirection, 2.8.1 Consequences of Shell Errors: a special builtin's ends the shell, but not bash's unless
// it is called sh.
func (s *reader) redirects(n *sh.Simple, argv []string) bool {
	if s.unsure > 0 || s.unclear != nil {
		return false
	}
	for _, r := range n.Redirs {
		name, ok := r.Target.Literal()
		if !ok || name == "" || !strings.HasPrefix(r.Op, ">") || strings.HasSuffix(r.Op, "&") {
			continue
		}
		system := strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/")
		if system || s.moved && !path.IsAbs(name) {
			continue
		}
		e, failed := s.mayWrite(name).(kernel.Errno)
		if !failed || !slices.Contains([]kernel.Errno{kernel.EROFS, kernel.EACCES, kernel.EISDIR, kernel.ENOENT}, e) {
			continue
		}
		s.says = append(s.says, complaint{path: name, text: s.cannotCreate(s.lineOf(n), name, e), err: e})
		s.code = 1
		if s.shell == "dash" {
			s.code = 2
		}
		special := len(argv) > 0 && slices.Contains(strings.Fields(": . break continue eval exec exit export readonly return set shift times trap unset"), argv[0])
		if s.errexit || special && (s.shell != "bash" || path.Base(s.zero) == "sh") {
			s.over = true
		}
		return true
	}
	return false
}

// cannotCreate is the shell's message: dash 0.5.12, bash 5.2, busybox 1.35.
func (s *reader) cannotCreate(line int, name string, e kernel.Errno) string {
	what, at := e.Strerror(), strconv.Itoa(line)
	switch s.shell {
	case "bash":
		return s.zero + ": line " + at + ": " + name + ": " + what
	case "busybox":
		if e == kernel.ENOENT {
			what = "nonexistent directory"
		}
		if at = "line " + at + ": "; s.inline {
			at = ""
		}
		return s.zero + ": " + at + "can't create " + name + ": " + what
	}
	if e == kernel.ENOENT {
		what = "Directory nonexistent"
	}
	return s.zero + ": " + at + ": cannot create " + name + ": " + what
}

// optimised tells whether the shell, given its commands by -c, becomes its last one instead of waiting for
// it. Seen with dash 0.5.12, bash 5.2 and busybox 1.35; which versions do so for a list is not known.
func (s *reader) optimised(n *sh.Simple, last, alone bool) (becomes, sure bool) {
	if !s.inline || !last || s.trap != nil || s.unclear != nil {
		return false, true
	}
	switch s.shell {
	case "bash":
		return len(n.Redirs) == 0 && s.nested == 0, alone
	case "busybox":
		return true, alone
	}
	return false, true
}

// setTrap is the trap builtin: action and signals, or only a signal to reset.
func (s *reader) setTrap(args []string, why *trace.Reason) {
	if why != nil {
		s.unclear = why
		return
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	action, signals := &args[0], args[1:]
	if len(args) == 1 || args[0] == "-" || signalNumber(args[0]) > 0 && args[0][0] >= '0' && args[0][0] <= '9' {
		if action = nil; args[0] != "-" {
			signals = args
		}
	}
	for _, name := range signals {
		if signalNumber(name) == s.sig {
			s.trap = action
		}
	}
	s.code = 0
}

func (s *reader) exit(args []string) {
	if len(args) > 0 {
		if n, err := strconv.Atoi(args[0]); err == nil {
			s.code = n & 0xff
		} else {
			s.code = -1
		}
	}
	s.over = true
}

// expand gives a command's words when they are known without running anything.
func (s *reader) expand(words []sh.Word) (argv []string, why *trace.Reason) {
	for _, w := range words {
		if len(w) == 1 {
			if p, ok := w[0].(*sh.Param); ok && p.Name == "@" && p.Op == "" && p.Quoted {
				argv = append(argv, s.args...)
				continue
			}
		}
		text, ok := w.Literal()
		if !ok {
			return argv, trace.Why("unknown.shell-variable")
		}
		argv = append(argv, text)
	}
	return argv, nil
}

// briefly knows commands that end at once, with their exit code; -1 when that is not known.
func briefly(argv []string, why *trace.Reason) (code int, ok bool) {
	if len(argv) == 0 {
		return 0, false
	}
	switch argv[0] {
	case "true", ":", "echo", "printf", "pwd", "export", "set", "umask", "id", "whoami", "uname", "date", "unset", "readonly":
		return 0, true
	case "false":
		return 1, true
	case "cd", "test", "[", "mkdir", "chmod", "chown", "ln", "ls", "hostname", "touch", "rm", "ulimit", "env", "printenv", "shift", "local", "command", "type":
		return -1, why == nil && argv[0] != "env" && argv[0] != "command"
	}
	return 0, false
}

// lasts is how many seconds a program takes that runs until it is told otherwise; -1 when not known.
func lasts(argv []string) float64 {
	if len(argv) == 0 {
		return -1
	}
	switch path.Base(argv[0]) {
	case "sleep":
		return sleepSeconds(argv[1:])
	case "tail":
		if slices.ContainsFunc(argv[1:], func(a string) bool { return a == "-f" || a == "-F" || a == "--follow" }) {
			return math.Inf(1)
		}
	case "yes":
		return math.Inf(1)
	}
	return -1
}

// sleepSeconds is sleep(1): numbers with s, m, h or d are added.
func sleepSeconds(args []string) float64 {
	total := 0.0
	for _, a := range args {
		unit := 1.0
		if n := len(a); n > 0 {
			if u := map[byte]float64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[a[n-1]]; u > 0 {
				unit, a = u, a[:n-1]
			}
		}
		n, err := strconv.ParseFloat(a, 64)
		if err != nil || n < 0 || math.IsNaN(n) {
			return -1
		}
		total += n * unit
	}
	return total
}

// trapExit tells the exit code with which a trap's action ends the shell, through the functions that it
// calls; -1 for one that is not known.
func (s *reader) trapExit(body []sh.Stmt, depth int) (code int, ends bool) {
	for _, st := range body {
		if s.walked++; s.walked > maxCommands {
			return -1, true
		}
		c, ok := st.Node.(*sh.Simple)
		if g, group := st.Node.(*sh.Group); group && !g.Subshell && depth < maxCalls {
			if code, ends := s.trapExit(g.Body, depth+1); ends {
				return code, ends
			}
		}
		if !ok || len(c.Words) == 0 || st.Background {
			continue
		}
		name, _ := c.Words[0].Literal()
		if f := s.funcs[name]; f != nil && depth < maxCalls {
			if code, ends := s.trapExit([]sh.Stmt{{Node: f}}, depth+1); ends {
				return code, ends
			}
		}
		if name != "exit" {
			continue
		}
		if len(c.Words) == 1 {
			return -1, true
		}
		text, _ := c.Words[1].Literal()
		if n, err := strconv.Atoi(text); err == nil {
			return n & 0xff, true
		}
		return -1, true
	}
	return -1, false
}
