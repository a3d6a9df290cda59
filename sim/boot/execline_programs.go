package boot

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/execline"
	"bootpath/sim/kernel"
)

// elPart is a program of execline: it changes the process and returns the command line that it becomes. done tells that the
// process has ended instead, with c.
type elPart func(e *elRun, argv []execline.Word) (next []execline.Word, c ctl, done bool)

// elPrograms finds the program of execline or s6 that a file is, by its name: execline's and s6's documentation, one page
// each. Those that only change what nobody sees here, as the umask or limits, go on.
func elPrograms(file string) (elPart, bool) {
	switch path.Base(file) {
	case "foreground":
		return (*elRun).foreground, true
	case "background":
		return (*elRun).background, true
	case "if":
		return (*elRun).ifBlock, true
	case "ifelse":
		return (*elRun).ifElse, true
	case "ifte":
		return (*elRun).ifTe, true
	case "ifthenelse":
		return (*elRun).ifThenElse, true
	case "loopwhilex":
		return (*elRun).loop, true
	case "forx":
		return (*elRun).forX, true
	case "backtick":
		return (*elRun).backtick, true
	case "multidefine":
		return (*elRun).multidefine, true
	case "define", "importas", "multisubstitute":
		return (*elRun).substitution, true
	case "export":
		return (*elRun).export, true
	case "unexport":
		return (*elRun).unexport, true
	case "emptyenv":
		return (*elRun).emptyEnv, true
	case "redirfd":
		return (*elRun).redirfd, true
	case "fdmove":
		return (*elRun).fdmove, true
	case "fdclose":
		return (*elRun).fdclose, true
	case "cd", "execline-cd":
		return (*elRun).cd, true
	case "umask", "execline-umask", "fdblock", "fdswap":
		return skipWords(map[string]int{"fdblock": 1, "fdswap": 2, "umask": 1, "execline-umask": 1}[path.Base(file)], "nb", ""), true
	case "exec":
		return (*elRun).exec, true
	case "exit":
		return (*elRun).exit, true
	case "execlineb":
		return (*elRun).execlineb, true
	case "wait":
		return (*elRun).waitFor, true
	case "s6-setsid":
		return skipWords(0, "sbfgiIqd", "d"), true
	case "s6-softlimit":
		return skipWords(0, "hH", "acdflmoprst"), true
	case "s6-applyuidgid":
		return skipWords(0, "zU", "ugG"), true
	case "s6-setuidgid", "s6-envuidgid":
		return skipWords(1, "inBDug", "t"), true
	case "s6-envdir":
		return (*elRun).envDir, true
	}
	return nil, false
}

// skipWords is a program that takes words of its own and does nothing that shows.
func skipWords(n int, flags, valued string) elPart {
	return func(e *elRun, argv []execline.Word) ([]execline.Word, ctl, bool) {
		_, rest, bad := elOptions(argv, flags, valued)
		if bad || len(rest) < n {
			return e.usage()
		}
		return rest[n:], ctlNone, false
	}
}

// block takes one block off, or ends the process as execline's programs do.
func (e *elRun) block(argv []execline.Word, what string) (block, rest []execline.Word, ok bool) {
	block, rest, ok = execline.Block(argv)
	if !ok {
		e.die(100, "unterminated "+what+"block")
	}
	return block, rest, ok
}

// usage ends what is known: the program was called in a way that is not followed.
func (e *elRun) usage() ([]execline.Word, ctl, bool) {
	return nil, e.in.end("unknown.program-does", "program", e.prog), true
}

func (e *elRun) foreground(argv []execline.Word) ([]execline.Word, ctl, bool) {
	block, rest, ok := e.block(argv[1:], "")
	if !ok {
		return nil, ctlNone, true
	}
	status, started, c := e.spawn(block, nil)
	if c == ctlEnd {
		return nil, c, true
	}
	if !started {
		_, err := e.find(block[0].Text)
		e.say("warning", "unable to spawn "+block[0].Text+": "+strerror(err))
	}
	e.setenv("?", strconv.Itoa(status))
	return rest, ctlNone, false
}

func (e *elRun) background(argv []execline.Word) ([]execline.Word, ctl, bool) {
	_, rest, bad := elOptions(argv, "d", "")
	if bad {
		return e.usage()
	}
	block, rest, ok := e.block(rest, "")
	if !ok {
		return nil, ctlNone, true
	}
	if len(block) == 0 {
		return nil, e.die(100, "empty block"), true
	}
	if _, err := e.find(block[0].Text); err != nil {
		return nil, e.unable(block), true
	}
	e.inBackground(block)
	if e.in.x.m.Ended() {
		return nil, ctlEnd, true
	}
	e.setenv("!", "2") // a process id, of which only that it is there matters
	return rest, ctlNone, false
}

// ifBlock goes on when the block succeeds, else exits 1, or with -t 0, with -x as told.
func (e *elRun) ifBlock(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "nXt", "x")
	if bad {
		return e.usage()
	}
	block, rest, ok := e.block(rest, "")
	if !ok {
		return nil, ctlNone, true
	}
	status, started, c := e.spawn(block, nil)
	if c == ctlEnd {
		return nil, c, true
	}
	if !started {
		return nil, e.unable(block), true
	}
	if _, not := set['n']; not == (status == 0) {
		e.in.status = 1
		if code, ok := set['x']; ok {
			e.in.status, _ = strconv.Atoi(code)
		} else if _, ok := set['t']; ok {
			e.in.status = 0
		}
		return nil, ctlNone, true
	}
	return rest, ctlNone, false
}

// branches takes the blocks off and runs the one that decides.
func (e *elRun) branches(argv []execline.Word, names []string, decides int) (blocks [][]execline.Word, yes bool, c ctl, done bool) {
	set, rest, bad := elOptions(argv, "nX", "")
	if bad {
		_, c, done = e.usage()
		return nil, false, c, done
	}
	for _, name := range names {
		block, after, ok := e.block(rest, name+" ")
		if !ok {
			return nil, false, ctlNone, true
		}
		blocks, rest = append(blocks, block), after
	}
	blocks = append(blocks, rest)
	if len(blocks[decides]) == 0 {
		return nil, false, e.in.end("unknown.program-does", "program", e.prog), true
	}
	status, started, c := e.spawn(blocks[decides], nil)
	if c == ctlEnd {
		return nil, false, c, true
	}
	if !started {
		return nil, false, e.unable(blocks[decides]), true
	}
	_, not := set['n']
	return blocks, not != (status == 0), ctlNone, false
}

func (e *elRun) ifElse(argv []execline.Word) ([]execline.Word, ctl, bool) {
	b, yes, c, done := e.branches(argv, []string{"if", "then"}, 0)
	if done {
		return nil, c, true
	}
	if yes {
		return b[1], ctlNone, false
	}
	return b[2], ctlNone, false
}

func (e *elRun) ifTe(argv []execline.Word) ([]execline.Word, ctl, bool) {
	b, yes, c, done := e.branches(argv, []string{"then", "else"}, 2)
	if done {
		return nil, c, true
	}
	if yes {
		return b[0], ctlNone, false
	}
	return b[1], ctlNone, false
}

func (e *elRun) ifThenElse(argv []execline.Word) ([]execline.Word, ctl, bool) {
	b, yes, c, done := e.branches(argv, []string{"if", "then", "else"}, 0)
	if done {
		return nil, c, true
	}
	block := b[2]
	if yes {
		block = b[1]
	}
	status, started, c := e.spawn(block, nil)
	if c == ctlEnd {
		return nil, c, true
	}
	if !started {
		_, err := e.find(block[0].Text)
		e.say("warning", "unable to spawn "+block[0].Text+": "+strerror(err))
	}
	e.setenv("?", strconv.Itoa(status))
	return b[3], ctlNone, false
}

// loop runs the rest again while it succeeds.
func (e *elRun) loop(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "n", "ox")
	if bad || len(rest) == 0 {
		return e.usage()
	}
	_, not := set['n']
	codes, only := set['o']
	if x, ok := set['x']; ok {
		codes, only, not = x, true, !not
	}
	for {
		status, started, c := e.spawn(rest, nil)
		switch {
		case c == ctlEnd:
			return nil, c, true
		case !started:
			return nil, e.unable(rest), true
		}
		good := status == 0
		if only {
			good = slices.Contains(strings.Split(codes, ","), strconv.Itoa(status))
		}
		if not == good {
			e.in.status = status
			return nil, ctlNone, true
		}
		e.in.sleep(0.001) // what runs takes its time
	}
}

func (e *elRun) forX(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "pEe", "Pox")
	if bad || len(rest) < 2 {
		return e.usage()
	}
	name := rest[0].Text
	values, rest, ok := e.block(rest[1:], "")
	if !ok {
		return nil, ctlNone, true
	}
	_, imports := set['E']
	codes, breaks := set['x']
	for _, v := range values {
		body, c, done := rest, ctlNone, false
		e.setenv(name, v.Text)
		if imports {
			if body, c, done = e.put(rest, []execline.Variable{{Name: name, Values: []string{v.Text}}}); done {
				return nil, c, true
			}
		}
		status, started, c := e.spawn(body, nil)
		switch {
		case c == ctlEnd:
			return nil, c, true
		case !started:
			return nil, e.unable(body), true
		case breaks && slices.Contains(strings.Split(codes, ","), strconv.Itoa(status)):
			e.in.status = status
			return nil, ctlNone, true
		}
	}
	e.in.status = 0
	return nil, ctlNone, true
}

// backtick runs a block and keeps what it writes in a variable.
func (e *elRun) backtick(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "iInNxEe", "D")
	if bad || len(rest) < 2 {
		return e.usage()
	}
	name := rest[0].Text
	block, rest, ok := e.block(rest[1:], "")
	if !ok {
		return nil, ctlNone, true
	}
	out := &sink{kind: "buffer"}
	status, started, c := e.spawn(block, out)
	if c == ctlEnd {
		return nil, c, true
	}
	value := strings.TrimSuffix(out.buf.String(), "\n")
	if !started || status != 0 {
		instead, has := set['D']
		if !has {
			return nil, e.in.end("unknown.program-does", "program", e.prog), true
		}
		value = instead
	}
	if _, imports := set['E']; imports {
		return e.put(rest, []execline.Variable{{Name: name, Values: []string{value}}})
	}
	e.setenv(name, value)
	return rest, ctlNone, false
}

// substitution is define, importas, or several of them at once in the block of multisubstitute.
func (e *elRun) substitution(argv []execline.Word) ([]execline.Word, ctl, bool) {
	block, rest, many := argv, []execline.Word(nil), false
	if e.prog == "multisubstitute" {
		var ok bool
		if block, rest, ok = e.block(argv[1:], ""); !ok {
			return nil, ctlNone, true
		}
		many = true
	}
	var vars []execline.Variable
	for len(block) > 0 {
		v, after, done := e.variable(block)
		if done {
			return nil, ctlNone, true
		}
		if after == nil && v == nil {
			return e.usage()
		}
		vars, block = append(vars, v...), after
		if !many {
			rest = after
			break
		}
	}
	return e.put(rest, vars)
}

// multidefine cuts a value into pieces and gives each a name; an empty name skips one, and a name without a piece is empty.
func (e *elRun) multidefine(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "rnCc", "d")
	if bad || len(rest) < 2 {
		return e.usage()
	}
	set['s'] = ""
	values := transformed(set, rest[0].Text)
	names, rest, ok := e.block(rest[1:], "")
	if !ok {
		return nil, ctlNone, true
	}
	var vars []execline.Variable
	for i, n := range names {
		v := execline.Variable{Name: n.Text, Values: []string{""}}
		if _, all := set['r']; all && i == len(names)-1 {
			v.Values = values[min(i, len(values)):]
		} else if i < len(values) {
			v.Values = values[i : i+1]
		}
		vars = append(vars, v)
	}
	return e.put(rest, vars)
}

// put substitutes variables in what follows.
func (e *elRun) put(rest []execline.Word, vars []execline.Variable) ([]execline.Word, ctl, bool) {
	next, ok := execline.Substitute(rest, vars)
	if !ok {
		return nil, e.in.end("unknown.script-grows", "path", e.in.name), true
	}
	return next, ctlNone, false
}

// variable reads one define or importas and leaves what follows it.
func (e *elRun) variable(argv []execline.Word) (vars []execline.Variable, rest []execline.Word, done bool) {
	what := path.Base(argv[0].Text)
	set, rest, bad := elOptions(argv, "iunNsCcr", "Dd")
	if bad || len(rest) < 2 || rest[0].Text == "" || what != "define" && what != "importas" {
		return nil, nil, false
	}
	name, value, there := rest[0].Text, rest[1].Text, true
	rest = rest[2:]
	switch what {
	case "importas":
		key := value
		if value, there = e.in.vars[key]; !there {
			if _, insist := set['i']; insist {
				e.die(100, key+" not set")
				return nil, nil, true
			}
			value, there = set['D']
		} else if _, u := set['u']; u {
			delete(e.in.vars, key)
		}
	}
	if !there {
		return []execline.Variable{{Name: name}}, rest, false
	}
	return []execline.Variable{{Name: name, Values: transformed(set, value)}}, rest, false
}

// transformed applies -n, -C and -s with -d to a value: execline, "Transforming variables".
func transformed(set map[byte]string, value string) []string {
	delim, ok := set['d']
	if !ok {
		delim = " \n\r\t"
	}
	_, chomp := set['n']
	_, crunch := set['C']
	if _, split := set['s']; split {
		return execline.Split(value, delim, crunch, chomp)
	}
	return []string{execline.Chomp(value, delim, crunch, chomp)}
}

// export sets a variable for what comes; the next program is still looked for with the old PATH.
func (e *elRun) export(argv []execline.Word) ([]execline.Word, ctl, bool) {
	if len(argv) < 3 {
		return e.usage()
	}
	name, value, rest := argv[1].Text, argv[2].Text, argv[3:]
	if name == "PATH" && len(rest) > 0 {
		if found, err := e.find(rest[0].Text); err == nil {
			rest = append([]execline.Word{{Off: rest[0].Off, End: rest[0].End, Text: found}}, rest[1:]...)
		}
	}
	e.setenv(name, value)
	return rest, ctlNone, false
}

func (e *elRun) unexport(argv []execline.Word) ([]execline.Word, ctl, bool) {
	if len(argv) < 2 {
		return e.usage()
	}
	delete(e.in.vars, argv[1].Text)
	return argv[2:], ctlNone, false
}

// emptyEnv empties the environment; -p leaves PATH, -c takes only execline's own variables away.
func (e *elRun) emptyEnv(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "pcoP", "")
	if bad {
		return e.usage()
	}
	_, keep := set['p']
	_, clean := set['c']
	for name := range e.in.vars { // deleting: the order changes nothing
		own := strings.ContainsAny(name[:min(1, len(name))], "!?#0123456789") || strings.HasPrefix(name, "ELGETOPT_") || strings.HasPrefix(name, "EXECLINE_") || strings.HasPrefix(name, "FD")
		if clean && !own || keep && name == "PATH" {
			continue
		}
		delete(e.in.vars, name)
	}
	if !keep && !clean && len(rest) > 0 {
		e.in.vars["PATH"] = defaultPath
		delete(e.in.exported, "PATH")
	}
	return rest, ctlNone, false
}

// redirfd opens a file as a file descriptor.
func (e *elRun) redirfd(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "rwuacxnb", "")
	if bad || len(rest) < 3 {
		return e.usage()
	}
	fd, err := strconv.Atoi(rest[0].Text)
	if err != nil {
		return e.usage()
	}
	name, rest := rest[1].Text, rest[2:]
	fi, ferr := e.in.stat(e.in.abs(name))
	_, reads := set['r']
	_, appends := set['a']
	if _, now := set['n']; ferr == nil && fi.Mode()&fs.ModeNamedPipe != 0 {
		return e.fifo(fd, name, reads, now, rest)
	}
	if reads {
		if ferr != nil && !e.in.isDevice(e.in.abs(name)) {
			return nil, e.die(111, "unable to open "+name+": "+strerror(ferr)), true
		}
		if fd == 0 {
			e.in.input(name)
		}
		return rest, ctlNone, false
	}
	to, werr := e.in.output(name, appends)
	if werr != nil {
		return nil, e.die(111, "unable to open "+name+": "+strerror(werr)), true
	}
	e.in.assign(fd, to)
	return rest, ctlNone, false
}

// fifo opens a named pipe. Who opens one to write waits until somebody reads it, unless told not to: fifo(7).
func (e *elRun) fifo(fd int, name string, reads, now bool, rest []execline.Word) ([]execline.Word, ctl, bool) {
	if reads {
		e.in.stdin = &input{}
		return rest, ctlNone, false
	}
	goOn := func() ctl {
		e.in.assign(fd, &sink{kind: "null"}) // whoever reads it keeps it: a log
		return e.run(rest)
	}
	if e.in.b.later == nil || !e.in.b.behind || now {
		return nil, goOn(), true
	}
	e.in.b.later(func() { goOn() })
	e.in.status = 0
	return nil, ctlNone, true
}

func (e *elRun) fdmove(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "c", "")
	if bad || len(rest) < 3 {
		return e.usage()
	}
	to, err := strconv.Atoi(rest[0].Text)
	if err != nil {
		return e.usage()
	}
	if rest[1].Text != "0" && to != 0 {
		from := e.in.sinkOf(rest[1].Text)
		if from == nil {
			return nil, e.die(111, "unable to move fd "+rest[1].Text+" to fd "+rest[0].Text+": Bad file descriptor"), true
		}
		e.in.assign(to, from)
		if n, err := strconv.Atoi(rest[1].Text); err == nil && n > 2 {
			if _, copies := set['c']; !copies {
				delete(e.in.kept, n)
			}
		}
	}
	return rest[2:], ctlNone, false
}

func (e *elRun) fdclose(argv []execline.Word) ([]execline.Word, ctl, bool) {
	if len(argv) < 2 {
		return e.usage()
	}
	if n, err := strconv.Atoi(argv[1].Text); err == nil && n > 0 {
		e.in.assign(n, &sink{kind: "null"})
	}
	return argv[2:], ctlNone, false
}

func (e *elRun) cd(argv []execline.Word) ([]execline.Word, ctl, bool) {
	if len(argv) < 2 {
		return e.usage()
	}
	dir := e.in.abs(argv[1].Text)
	fi, err := e.in.stat(dir)
	if err == nil && !fi.IsDir() {
		err = kernel.ENOTDIR
	}
	if err != nil {
		return nil, e.die(111, "unable to chdir to "+argv[1].Text+": "+strerror(err)), true
	}
	e.in.cwd = dir
	return argv[2:], ctlNone, false
}

// exec becomes a program under another name; with -c without an environment.
func (e *elRun) exec(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "cl", "a")
	if bad || len(rest) == 0 {
		return e.usage()
	}
	if _, empty := set['c']; empty {
		clear(e.in.vars)
	}
	return rest, ctlNone, false
}

// execlineb reads a script, which the process goes on with.
func (e *elRun) execlineb(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "pPqwW", "cSs")
	if _, line := set['c']; bad || line || len(rest) == 0 {
		return e.usage()
	}
	options := "-"
	for _, o := range [...]byte{'p', 'P', 'S', 's'} {
		if v, ok := set[o]; ok {
			options = "-" + string(o) + v
		}
	}
	return nil, e.file(rest[0].Text, options, execline.Texts(rest[1:])), true
}

func (e *elRun) exit(argv []execline.Word) ([]execline.Word, ctl, bool) {
	e.in.status = 0
	if len(argv) > 1 {
		n, err := strconv.Atoi(argv[1].Text)
		if err != nil {
			return e.usage()
		}
		e.in.status = n & 0xff
	}
	return nil, ctlNone, true
}

// waitFor waits for processes in the background, which here have ended or never will.
func (e *elRun) waitFor(argv []execline.Word) ([]execline.Word, ctl, bool) {
	_, rest, bad := elOptions(argv, "Iiroa", "t")
	if bad {
		return e.usage()
	}
	_, rest, ok := e.block(rest, "")
	if !ok {
		return nil, ctlNone, true
	}
	return rest, ctlNone, false
}

// envDir sets a variable for each file of a directory: s6-envdir. The value is the first line without blanks at its end; an
// empty file takes the variable away.
func (e *elRun) envDir(argv []execline.Word) ([]execline.Word, ctl, bool) {
	set, rest, bad := elOptions(argv, "IinfL", "c")
	if bad || len(rest) == 0 {
		return e.usage()
	}
	dir := e.in.abs(rest[0].Text)
	list, err := e.in.x.pid1.ReadDir(dir)
	if err != nil {
		if _, lenient := set['I']; !lenient {
			return nil, e.die(111, "unable to envdir "+rest[0].Text+": "+strerror(err)), true
		}
	}
	whole, _ := set['f']
	for _, entry := range list {
		name := entry.Name()
		text, ok := e.in.readFile(path.Join(dir, name))
		switch {
		case strings.HasPrefix(name, ".") || !ok || strings.Contains(name, "="):
		case text == "":
			delete(e.in.vars, name)
		default:
			if whole == "" {
				text, _, _ = strings.Cut(text, "\n")
			}
			e.setenv(name, strings.ReplaceAll(strings.TrimRight(text, " \t\n"), "\x00", "\n"))
		}
	}
	return rest[1:], ctlNone, false
}
