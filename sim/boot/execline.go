package boot

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/execline"
	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
)

// maxExecline is how many programs one execline script may go through: a loop ends there.
const maxExecline = 20_000

// defaultPath is where skalibs looks for programs when there is no PATH.
const defaultPath = "/usr/bin:/bin"

// elRun is a process that goes through an execline command line: it becomes one program after the other.
type elRun struct {
	in     *shProcess // its directory, environment and file descriptors
	prog   string     // the program that it is, which says what goes wrong
	nested int        // blocks around it
}

// execlineScript tells whether a file is a script of execline: by which program and with which options.
func (x *linux) execlineScript(name string) (by, options string, ok bool) {
	line := x.firstLine(name)
	if !strings.HasPrefix(line, "#!") {
		return "", "", false
	}
	by, options, _ = strings.Cut(strings.TrimSpace(line[2:]), " ")
	if path.Base(by) == "env" {
		by, options, _ = strings.Cut(strings.TrimSpace(options), " ")
	}
	return by, strings.TrimSpace(options), path.Base(by) == "execlineb"
}

// firstLine is the line of a file that execve(2) looks at.
func (x *linux) firstLine(name string) string {
	file, err := x.pid1.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	head := make([]byte, 256)
	n, _ := file.ReadAt(head, 0)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	return line
}

// execline runs a script of execline in a process of its own. Where execlineb is itself a script, as Debian's is, that one
// runs with the first as its argument: execve(2).
func (in *shProcess) execline(name string, args []string, depth int) ctl {
	by, options, _ := in.x.execlineScript(in.abs(name))
	if _, _, nested := in.x.execlineScript(in.abs(by)); nested && depth < 4 {
		args = append([]string{name}, args...)
		if options != "" {
			args = append([]string{options}, args...)
		}
		return in.execline(by, args, depth+1)
	}
	child := in.child()
	if child.calls > maxCalls {
		return in.end("unknown.script-calls-itself", "path", name)
	}
	for v := range child.vars {
		if !child.exported[v] {
			delete(child.vars, v)
		}
	}
	c := (&elRun{in: child, prog: "execlineb"}).file(name, options, args)
	in.status = child.status
	return c
}

// file reads and begins a script.
func (e *elRun) file(name, options string, args []string) ctl {
	src, err := e.in.x.text(e.in.abs(name), maxScript)
	if err != nil {
		return e.die(111, "unable to open "+name+" for reading: "+strerror(err))
	}
	e.in.src, e.in.name = src, name
	e.in.pos = sh.Pos{Off: 0, End: strings.IndexByte(src.text+"\n", '\n')}
	return e.script(name, options, args)
}

// elCommand runs a program of execline that no script of execline has started.
func (in *shProcess) elCommand(words []string) ctl {
	child := in.child()
	argv := make([]execline.Word, len(words))
	for i, w := range words {
		argv[i] = execline.Word{Off: in.pos.Off, End: in.pos.End, Text: w}
	}
	e := &elRun{in: child, prog: path.Base(words[0])}
	c := e.run(argv)
	in.status = child.status
	return c
}

// ofExecline tells whether a program with the name of one of execline's or s6's is that: a program beside execlineb, where
// they are installed together, or one named after s6.
func (x *linux) ofExecline(name string) bool {
	if strings.HasPrefix(path.Base(name), "s6-") {
		return true
	}
	_, err := x.pid1.Stat(path.Join(path.Dir(name), "execlineb"))
	return err == nil
}

// script parses and begins a script.
func (e *elRun) script(name, options string, args []string) ctl {
	words, err := execline.Parse(e.in.src.text)
	var bad *execline.SyntaxError
	switch {
	case errors.As(err, &bad) && (strings.HasPrefix(bad.Msg, "unmatched") || bad.Msg == "syntax error"):
		e.in.pos = sh.Pos{Off: bad.Off, End: min(bad.Off+1, len(e.in.src.text))}
		return e.die(100, bad.Msg)
	case err != nil:
		return e.in.end("unknown.script-text", "path", name, "error", err.Error())
	}
	least, positional := 0, ""
	for i, c := range options {
		if strings.ContainsRune("PpSs", c) {
			positional = string(c)
			least, _ = strconv.Atoi(strings.Trim(options[i+1:], "-PpqwWsS "))
		}
	}
	switch positional {
	case "P":
	case "S", "s":
		if len(args) < least {
			e.say("warning", "too few arguments: expecting at least "+strconv.Itoa(least)+" but got "+strconv.Itoa(len(args)))
		}
		return e.substituted(words, positionals(name, args, least, positional == "s"))
	default: // -p, and what is done without an option: they go into the environment
		e.setenv("#", strconv.Itoa(len(args)))
		e.setenv("0", name)
		for i, a := range args {
			e.setenv(strconv.Itoa(i+1), a)
		}
	}
	return e.run(words)
}

// positionals are what execlineb -S puts in place of $#, $0, $@ and $1 …; with shift $@ leaves out the first ones.
func positionals(name string, args []string, least int, shift bool) []execline.Variable {
	rest := args
	if shift {
		rest = args[min(least, len(args)):]
	}
	vars := []execline.Variable{{Name: "#", Values: []string{strconv.Itoa(len(args))}}, {Name: "0", Values: []string{name}}, {Name: "@", Values: rest}}
	for i := range max(least, len(args)) {
		value := ""
		if i < len(args) {
			value = args[i]
		}
		vars = append(vars, execline.Variable{Name: strconv.Itoa(i + 1), Values: []string{value}})
	}
	return vars
}

func (e *elRun) substituted(argv []execline.Word, vars []execline.Variable) ctl {
	next, ok := execline.Substitute(argv, vars)
	if !ok {
		return e.in.end("unknown.script-grows", "path", e.in.name)
	}
	return e.run(next)
}

// say writes a line in the form of skalibs: who, what kind, what.
func (e *elRun) say(kind, text string) { e.in.err("%s: %s: %s\n", e.prog, kind, text) }

// die ends the process with a message.
func (e *elRun) die(status int, text string) ctl {
	e.say("fatal", text)
	e.in.status = status
	return ctlNone
}

func (e *elRun) setenv(name, value string) {
	e.in.set(name, value)
	e.in.exported[name] = true
}

// run becomes one program after the other, until one is no program of execline.
func (e *elRun) run(argv []execline.Word) ctl {
	for {
		in := e.in
		if len(argv) == 0 {
			in.status = 0
			return ctlNone
		}
		if in.b.commands++; in.b.commands > maxExecline {
			return in.end("unknown.script-end", "path", in.name)
		}
		if in.b.gaveUp != nil || in.x.m.Ended() {
			return ctlEnd
		}
		in.pos = sh.Pos{Off: argv[0].Off, End: argv[0].End}
		words := execline.Texts(argv)
		found, err := e.find(words[0])
		if err != nil {
			status := 126
			if errors.Is(err, kernel.ENOENT) {
				status = 127
			}
			return e.die(status, "unable to exec "+words[0]+": "+strerror(err))
		}
		part, ok := elPrograms(found)
		if !ok || !in.x.ofExecline(in.abs(found)) {
			in.replaced = e.nested == 0
			return in.program(append([]string{found}, words[1:]...))
		}
		in.x.m.Wait(costProgram)
		e.prog = path.Base(found)
		next, c, done := part(e, argv)
		if done {
			return c
		}
		argv = next
	}
}

// find looks for a program as execvp(3) does, in the PATH of the process.
func (e *elRun) find(name string) (string, error) {
	dirs := []string{""}
	if !strings.Contains(name, "/") {
		list, ok := e.in.vars["PATH"]
		if !ok {
			list = defaultPath
		}
		dirs = strings.Split(list, ":")
	}
	var err error = kernel.ENOENT
	for _, dir := range dirs {
		at := name
		if dir != "" {
			at = path.Join(dir, name)
		}
		fi, ferr := e.in.x.pid1.Stat(e.in.abs(at))
		switch {
		case ferr != nil && !errors.Is(ferr, fs.ErrNotExist):
			err = ferr
		case ferr != nil:
		case !fi.Mode().IsRegular() || fi.Mode().Perm()&0o111 == 0:
			err = kernel.EACCES
		default:
			return at, e.interpreted(at, 0)
		}
	}
	return "", err
}

// interpreted tells what execve(2) says about a script whose interpreter is not there.
func (e *elRun) interpreted(name string, depth int) error {
	line := e.in.x.firstLine(e.in.abs(name))
	if !strings.HasPrefix(line, "#!") || depth > 4 {
		return nil
	}
	f := strings.Fields(line[2:])
	if len(f) == 0 {
		return kernel.ENOEXEC
	}
	if _, err := e.in.x.pid1.Stat(e.in.abs(f[0])); err != nil {
		return err
	}
	return e.interpreted(f[0], depth+1)
}

// spawn runs a block in a process of its own and tells its status; ok is false when it could not be started.
func (e *elRun) spawn(block []execline.Word, out *sink) (status int, ok bool, c ctl) {
	if len(block) == 0 {
		return 0, true, ctlNone
	}
	if _, err := e.find(block[0].Text); err != nil {
		return 127, false, ctlNone
	}
	child := &elRun{in: e.in.child(), prog: e.prog, nested: e.nested + 1}
	if child.nested > maxCalls {
		return 0, true, e.in.end("unknown.script-calls-itself", "path", e.in.name)
	}
	if out != nil {
		child.in.stdout = out
	}
	c = child.run(slices.Clone(block))
	return child.in.status, true, c
}

// unable is the end of a program that could not start a block.
func (e *elRun) unable(block []execline.Word) ctl {
	_, err := e.find(block[0].Text)
	return e.die(111, "unable to spawn "+block[0].Text+": "+strerror(err))
}

// inBackground runs a block that nobody waits for.
func (e *elRun) inBackground(block []execline.Word) {
	in := e.in.child()
	in.b = &budget{soft: true, doubtful: in.b.doubtful, hook: in.b.hook, commands: in.b.commands, later: in.b.later, behind: true}
	child := &elRun{in: in, prog: e.prog, nested: e.nested + 1}
	if child.run(slices.Clone(block)); in.b.gaveUp != nil && !in.x.m.Ended() {
		in.x.elLeft(in.b.gaveUp)
	}
}

// elOptions reads options as getopt(3) does: letters of flags, and letters of valued with an argument. bad is set when there
// is another one.
func elOptions(argv []execline.Word, flags, valued string) (set map[byte]string, rest []execline.Word, bad bool) {
	set = map[byte]string{}
	rest = argv[1:]
	for len(rest) > 0 {
		w := rest[0].Text
		if len(w) < 2 || w[0] != '-' {
			break
		}
		rest = rest[1:]
		if w == "--" {
			break
		}
		for i := 1; i < len(w); i++ {
			switch {
			case strings.IndexByte(flags, w[i]) >= 0:
				set[w[i]] = ""
				continue
			case strings.IndexByte(valued, w[i]) < 0, i+1 == len(w) && len(rest) == 0:
				return set, rest, true
			case i+1 < len(w):
				set[w[i]] = w[i+1:]
			default:
				set[w[i]], rest = rest[0].Text, rest[1:]
			}
			break
		}
	}
	return set, rest, false
}
