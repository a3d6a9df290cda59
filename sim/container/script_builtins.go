package container

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// builtins are the commands that change the shell itself. XCU 2.14, and cd, command, read, umask.
func builtins() map[string]func(*script, []string) control {
	ok := func(s *script, _ []string) control { s.status = 0; return goOn }
	return map[string]func(*script, []string) control{
		":": ok, "cd": (*script).cd, "chdir": (*script).cd, "set": (*script).options, "shift": (*script).shift, "export": (*script).export,
		"unset": (*script).unset, "exit": (*script).exit, "return": (*script).returns, "break": (*script).breaks, "continue": (*script).breaks,
		"trap": (*script).traps, "eval": (*script).evals, ".": (*script).dot, "command": (*script).commandWord,
		"umask": (*script).umask, "read": (*script).read, "readonly": (*script).readonly,
	}
}

func (s *script) exit(argv []string) control {
	if len(argv) > 1 {
		n, err := strconv.Atoi(argv[1])
		if err != nil || n < 0 {
			return s.lost() // dash and bash differ
		}
		s.status = n & 0xff
	}
	return leave
}

func (s *script) returns(argv []string) control {
	if s.calls == 0 && s.kind == "bash" {
		return s.lost() // an error there, and the script goes on
	}
	if c := s.exit(argv); c != leave || s.calls == 0 {
		return c
	}
	return backFrom
}

func (s *script) breaks(argv []string) control {
	if s.loops == 0 {
		return s.lost()
	}
	if s.count = 1; len(argv) > 1 {
		s.count, _ = strconv.Atoi(argv[1])
	}
	if s.status = 0; argv[0] == "break" {
		return breakOut
	}
	return nextRound
}

// cd changes the directory of the shell's process.
func (s *script) cd(argv []string) control {
	to := s.vars["HOME"]
	if len(argv) > 1 {
		to = argv[1]
	}
	p := s.process(argv)
	if len(argv) > 2 || to == "-" || to == "" || s.vars["CDPATH"] != "" {
		return s.lost()
	}
	if err := p.known(to); err != nil && s.r.under(path.Clean(to)) == "" {
		return s.lost()
	}
	var err error
	quietly(s.t, func() { err = s.t.Chdir(to) })
	if err == nil {
		s.vars["OLDPWD"], s.vars["PWD"], s.status = s.vars["PWD"], s.t.Cwd(), 0
		return goOn
	}
	why := p.reason(err)
	s.status = 2
	switch s.kind {
	case "bash":
		s.status = 1
		s.tell(s.zero + ": line " + s.line() + ": cd: " + to + ": " + why)
	case "busybox":
		line := "0"
		if !s.inline {
			line = s.line()
		}
		s.tell(s.zero + ": cd: line " + line + ": can't cd to " + to + ": " + why)
	default:
		s.tell(s.zero + ": " + s.line() + ": cd: can't cd to " + to)
	}
	return goOn
}

// process is the shell as a program among the others.
func (s *script) process(argv []string) *process {
	return &process{r: s.r, t: s.t, argv: argv, busybox: s.kind == "busybox", shell: s, in: s.in, out: s.out, err: s.err}
}

// options is set: options, or new positional parameters.
func (s *script) options(argv []string) control {
	s.status = 0
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if a == "--" || a == "-" {
			s.args = argv[i+1:]
			return goOn
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			s.args = argv[i:]
			return goOn
		}
		on := a[0] == '-'
		for _, c := range a[1:] {
			switch c {
			case 'e':
				s.errexit = on
			case 'u':
				s.nounset = on
			case 'f':
				s.noglob = on
			case 'E', 'h', 'B', 'm', 'T':
			case 'o':
				i++
				if i >= len(argv) || !s.named(argv[i], on) {
					return s.lost()
				}
			default:
				return s.lost()
			}
		}
	}
	return goOn
}

func (s *script) named(name string, on bool) bool {
	switch name {
	case "errexit":
		s.errexit = on
	case "nounset":
		s.nounset = on
	case "noglob":
		s.noglob = on
	case "pipefail":
		s.pipefail = on
		return s.kind != "dash"
	case "errtrace", "functrace", "posix":
	default:
		return false
	}
	return true
}

func (s *script) shift(argv []string) control {
	n := 1
	if len(argv) > 1 {
		n, _ = strconv.Atoi(argv[1])
	}
	if n > len(s.args) {
		return s.lost()
	}
	s.args, s.status = s.args[n:], 0
	return goOn
}

func (s *script) export(argv []string) control {
	s.status = 0
	for _, a := range argv[1:] {
		name, value, given := strings.Cut(a, "=")
		if strings.HasPrefix(a, "-") {
			return s.lost()
		}
		if given {
			s.vars[name] = value
		}
		s.exported[name] = true
	}
	if len(argv) == 1 {
		return s.lost()
	}
	return goOn
}

// readonly keeps values only; that a later change fails is not played.
func (s *script) readonly(argv []string) control {
	return s.lost()
}

func (s *script) unset(argv []string) control {
	s.status = 0
	for _, a := range argv[1:] {
		switch a {
		case "-f", "-v":
			continue
		}
		delete(s.vars, a)
		delete(s.exported, a)
		if argv[1] == "-f" {
			delete(s.funcs, a)
		}
	}
	return goOn
}

// traps knows the action for the end of the shell; those for signals matter only when one comes.
func (s *script) traps(argv []string) control {
	s.status = 0
	args := argv[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) < 2 {
		return goOn
	}
	for _, name := range args[1:] {
		if name == "EXIT" || name == "0" {
			if s.trap = args[0]; s.trap == "-" {
				s.trap = ""
			}
		}
		if name == "ERR" || name == "DEBUG" {
			return s.lost()
		}
	}
	return goOn
}

func (s *script) evals(argv []string) control { return s.eval(strings.Join(argv[1:], " ")) }

// dot runs a file in this shell.
func (s *script) dot(argv []string) control {
	if len(argv) < 2 || !strings.Contains(argv[1], "/") || len(argv) > 2 {
		return s.lost()
	}
	in, err := s.process(argv).open(argv[1])
	if err != nil || in.unknown != nil || in.zeros {
		return s.lost()
	}
	body, err := sh.Parse(in.text)
	if err != nil {
		return s.lost()
	}
	if s.calls++; s.calls > maxCalls {
		return s.lost()
	}
	text, file, inline, pos := s.text, s.file, s.inline, s.pos
	s.text, s.file, s.inline, s.status = in.text, argv[1], false, 0
	c := s.list(body.Body)
	if c == stopHere {
		return c
	}
	s.text, s.file, s.inline, s.pos = text, file, inline, pos
	if s.calls--; c == backFrom {
		return goOn
	}
	return c
}

// commandWord is command: with -v it tells where a name leads, else functions do not count.
func (s *script) commandWord(argv []string) control {
	if len(argv) < 2 {
		s.status = 0
		return goOn
	}
	if argv[1] != "-v" {
		if strings.HasPrefix(argv[1], "-") {
			return s.lost()
		}
		funcs := s.funcs
		s.funcs = nil
		c := s.command(argv[1:])
		s.funcs = funcs
		return c
	}
	if len(argv) != 3 {
		return s.lost()
	}
	name := argv[2]
	_, f := s.funcs[name]
	_, b := builtins()[name]
	p := s.process(argv)
	if f || b || isTextBuiltin(name) || name == "exec" {
		s.status = 0
		p.print(s.out, name+"\n")
		return goOn
	}
	at, err := s.find(name)
	if err != nil {
		return s.stopped(err)
	}
	if s.status = 0; at == "" {
		s.status = 127
		if s.kind == "bash" {
			s.status = 1
		}
		return goOn
	}
	p.print(s.out, at+"\n")
	return goOn
}

// find looks a program up in PATH; "" when there is none.
func (s *script) find(name string) (string, error) {
	dirs := strings.Split(s.vars["PATH"], ":")
	if strings.Contains(name, "/") {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		at := path.Join(dir, name)
		if dir == "" {
			at = name
		}
		if dest := s.r.under(path.Clean(at)); dest != "" {
			return "", unknown{trace.Why("unknown.volume-at", "path", dest)}
		}
		if s.t.Executable(at) == nil {
			return at, nil
		}
	}
	return "", nil
}

// umask prints the mask, which no runtime changes from 022.
func (s *script) umask(argv []string) control {
	s.status = 0
	if len(argv) > 1 {
		if len(argv) > 2 || strings.Trim(argv[1], "01234567") != "" {
			return s.lost()
		}
		n, _ := strconv.ParseUint(argv[1], 8, 16)
		s.r.umask = uint32(n)
		return goOn
	}
	s.process(argv).print(s.out, "0"+strconv.FormatUint(uint64(0o1000|s.r.umask), 8)[1:]+"\n")
	return goOn
}

// read takes one line of standard input: XCU read.
func (s *script) read(argv []string) control {
	names, raw := []string{}, false
	for _, a := range argv[1:] {
		switch {
		case a == "-r":
			raw = true
		case strings.HasPrefix(a, "-"):
			return s.lost()
		default:
			names = append(names, a)
		}
	}
	if s.in.unknown != nil || s.in.zeros || s.in.size != int64(len(s.in.text)) || len(names) == 0 {
		return s.lost()
	}
	line, rest, whole := strings.Cut(s.in.text, "\n")
	s.in.text, s.in.size = rest, int64(len(rest)) // in place: the loop around it goes on behind the line
	if !raw && strings.Contains(line, "\\") {
		return s.lost()
	}
	if s.status = 0; !whole {
		s.status = 1
	}
	ifs, set := s.vars["IFS"]
	if !set {
		ifs = " \t\n"
	}
	if strings.Trim(ifs, " \t\n") != "" {
		return s.lost()
	}
	line = strings.Trim(line, ifs)
	for i, name := range names {
		word := line
		if cut := strings.IndexAny(line, ifs); ifs != "" && cut >= 0 && i < len(names)-1 {
			word, line = line[:cut], strings.TrimLeft(line[cut:], ifs)
		} else {
			line = ""
		}
		s.vars[name] = word
	}
	return goOn
}

// redirected plays a command with redirections; a compound command that fails at them is only not run.
func (s *script) redirected(list []*sh.Redir, f func() control) control {
	return s.redirectedFor(list, false, f)
}

// redirectedFor applies redirections in turn, runs f, and closes what they opened. special: a failure ends the shell,
// but not bash unless it is called sh. 2.7, 2.8.1
func (s *script) redirectedFor(list []*sh.Redir, special bool, f func() control) control {
	in, out, errs := s.in, s.out, s.err
	restore := func() { s.in, s.out, s.err = in, out, errs }
	opened, c, ok := s.apply(list, special, restore)
	if !ok {
		return c
	}
	c = f()
	restore()
	for _, o := range opened {
		if c == stopHere && !s.became {
			break
		}
		if o.size == 0 && o.fresh {
			continue
		}
		if end := s.process([]string{s.kind}).keep(o.path, o.flow(), 0o666); end.missing != nil {
			return s.lack(end.missing)
		}
	}
	return c
}

// apply makes the redirections; when one fails, restore undoes them and c says how the command ends.
func (s *script) apply(list []*sh.Redir, special bool, restore func()) (opened []*sink, c control, ok bool) {
	for _, r := range list {
		target, err := sh.Text(asked{s}, r.Target)
		var n *sink
		var text string
		var e kernel.Errno
		if err == nil {
			n, text, e, err = s.redirect(r, target)
		}
		switch {
		case err != nil:
			restore()
			return nil, s.stopped(err), false
		case text != "":
			restore()
			s.complain(trace.Step{Kind: "process.shell-cannot-write", Rule: "open(2) " + e.Name() + "; sh(1p), 2.7 Redirection", Cites: s.t.Evidence(s.t.Exe),
				Args: map[string]string{"path": target, "error": e.Strerror(), "shell": s.t.Exe}}, "", text)
			if s.status = 1; s.kind == "dash" {
				s.status = 2
			}
			if special && (s.kind != "bash" || path.Base(s.zero) == "sh") {
				return nil, leave, false
			}
			return nil, goOn, false
		case n != nil:
			opened = append(opened, n)
		}
	}
	return opened, goOn, true
}

// redirectsItself is exec without a command: the redirections stay.
func (s *script) redirectsItself(list []*sh.Redir) control {
	in, out, errs := s.in, s.out, s.err
	opened, c, ok := s.apply(list, true, func() { s.in, s.out, s.err = in, out, errs })
	if ok && len(opened) > 0 {
		return s.lost()
	}
	return c
}

// redirect applies one redirection; text is what the shell says when it cannot.
func (s *script) redirect(r *sh.Redir, target string) (opened *sink, text string, e kernel.Errno, err error) {
	switch r.Op {
	case "<<":
		s.in = textFlow(target)
		return nil, "", 0, nil
	case "<":
		if r.FD > 0 {
			break
		}
		p := s.process([]string{s.kind})
		in, err := p.open(target)
		if err == nil {
			s.in = in
			return nil, "", 0, nil
		}
		e, ok := err.(kernel.Errno)
		if !ok {
			return nil, "", 0, err
		}
		return nil, s.cannotOpen(target, e), e, nil
	case ">&":
		switch {
		case target == "1" && r.FD == 2:
			s.err = s.out
			return nil, "", 0, nil
		case target == "2" && r.FD <= 1:
			s.out = s.err
			return nil, "", 0, nil
		}
	case ">", ">>", ">|":
		if r.FD > 2 {
			break
		}
		return s.openOut(r, target)
	}
	return nil, "", 0, unknown{s.here()}
}

// openOut opens a file for writing.
func (s *script) openOut(r *sh.Redir, target string) (*sink, string, kernel.Errno, error) {
	o := &sink{kind: "file", path: target}
	fresh := false
	switch path.Clean(target) {
	case "/dev/null":
		o = &sink{kind: "null"}
	case "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1":
		o = s.out
	case "/dev/stderr", "/proc/self/fd/2", "/dev/fd/2":
		o = s.err
	default:
		if strings.HasPrefix(path.Clean(target), "/dev/") && !strings.HasPrefix(path.Clean(target), "/dev/shm/") {
			return nil, "", 0, unknown{s.here()}
		}
		p := s.process([]string{s.kind})
		if err := p.writable(target); err != nil {
			e, ok := err.(kernel.Errno)
			if !ok {
				return nil, "", 0, err
			}
			if !slices.Contains([]kernel.Errno{kernel.EROFS, kernel.EACCES, kernel.EISDIR, kernel.ENOENT}, e) {
				return nil, "", 0, unknown{s.here()}
			}
			words := &reader{shell: s.kind, zero: s.zero, inline: s.inline}
			return nil, words.cannotCreate(s.lineNumber(), target, e), e, nil
		}
		if r.Op == ">>" {
			if before, err := p.open(target); err == nil {
				if before.unknown != nil || before.zeros {
					return nil, "", 0, unknown{s.here()}
				}
				o.text.WriteString(before.text)
				o.size = before.size
			}
		}
		if o.size == 0 { // the file is there, and empty, before the command runs
			if end := p.keep(target, textFlow(""), 0o666&^s.r.umask); end.missing != nil {
				return nil, "", 0, unknown{end.missing}
			}
			fresh = true
		}
	}
	if r.FD == 2 {
		s.err = o
	} else {
		s.out = o
	}
	if o.kind != "file" || o.path != target {
		return nil, "", 0, nil
	}
	o.fresh = fresh
	return o, "", 0, nil
}

// cannotOpen is what the shell says of a file that it cannot read.
func (s *script) cannotOpen(name string, e kernel.Errno) string {
	what := e.Strerror()
	switch s.kind {
	case "bash":
		return s.zero + ": line " + s.line() + ": " + name + ": " + what
	case "busybox":
		if e == kernel.ENOENT {
			what = "no such file"
		}
		at := s.zero + ": "
		if !s.inline {
			at += "line " + s.line() + ": "
		}
		return at + "can't open " + name + ": " + what
	}
	if e == kernel.ENOENT {
		what = "No such file"
	}
	return s.zero + ": " + s.line() + ": cannot open " + name + ": " + what
}
