package boot

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/conf/sh"
)

// builtin finds a command that the shell itself has: XCU 2.14 and the built-ins of dash and ash.
func builtin(name string) (func(*shProcess, []string) ctl, bool) {
	switch name {
	case ":", "true":
		return status(0), true
	case "false":
		return status(1), true
	case "echo":
		return (*shProcess).echo, true
	case "printf":
		return (*shProcess).printf, true
	case "test", "[":
		return (*shProcess).test, true
	case "set":
		return (*shProcess).setOptions, true
	case "export", "readonly":
		return (*shProcess).export, true
	case "local", "typeset", "declare":
		return (*shProcess).local, true
	case "unset":
		return (*shProcess).unset, true
	case "shift":
		return (*shProcess).shift, true
	case "read":
		return (*shProcess).read, true
	case ".", "source":
		return (*shProcess).dot, true
	case "eval":
		return (*shProcess).eval, true
	case "break", "continue", "return", "exit":
		return (*shProcess).leave, true
	case "cd":
		return (*shProcess).cd, true
	case "pwd":
		return func(in *shProcess, _ []string) ctl { in.out("%s\n", in.cwd); return in.ok() }, true
	case "command", "type", "which", "hash":
		return (*shProcess).commandWord, true
	case "trap":
		return (*shProcess).trap, true
	case "umask", "wait", "ulimit", "alias", "unalias", "times", "jobs", "bg", "fg":
		return status(0), true
	case "getopts":
		return (*shProcess).getopts, true
	}
	return nil, false
}

func status(n int) func(*shProcess, []string) ctl {
	return func(in *shProcess, _ []string) ctl { in.status = n; return ctlNone }
}

func (in *shProcess) ok() ctl { in.status = 0; return ctlNone }

func (in *shProcess) failed() ctl { in.status = 1; return ctlNone }

func (in *shProcess) echo(words []string) ctl {
	words = words[1:]
	newline, escapes := true, in.kind.escapes()
	for len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' && strings.Trim(words[0][1:], "neE") == "" {
		if in.kind.name == "dash" && words[0] != "-n" { // dash's echo has only -n
			break
		}
		newline = newline && !strings.Contains(words[0], "n")
		escapes = escapes || strings.Contains(words[0], "e")
		words = words[1:]
	}
	text := strings.Join(words, " ")
	if escapes {
		var stop bool
		if text, stop = sh.EscapesOf(in.kind.name).Unescape(text); stop {
			newline = false
		}
	}
	if newline {
		text += "\n"
	}
	in.print(in.stdout, text)
	return in.ok()
}

// printf is sh.Printf.
func (in *shProcess) printf(words []string) ctl {
	words = words[1:]
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		return in.failed()
	}
	format, args := words[0], words[1:]
	in.print(in.stdout, sh.EscapesOf(in.kind.name).Printf(format, args, maxValue))
	return in.ok()
}

func (in *shProcess) setOptions(words []string) ctl {
	words = words[1:]
	for len(words) > 0 && len(words[0]) > 1 && (words[0][0] == '-' || words[0][0] == '+') {
		w := words[0]
		words = words[1:]
		if w == "--" {
			in.args = slices.Clone(words)
			return in.ok()
		}
		for _, o := range w[1:] {
			switch o {
			case 'e':
				in.errexit = w[0] == '-'
			case 'f':
				in.vars["-"] = map[bool]string{true: "f"}[w[0] == '-']
			case 'o':
				if len(words) > 0 {
					words = words[1:]
				}
			}
		}
	}
	if len(words) > 0 {
		in.args = slices.Clone(words)
	}
	return in.ok()
}

func (in *shProcess) export(words []string) ctl {
	if len(words) == 2 && words[1] == "-p" && words[0] == "export" {
		return in.exportList()
	}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if strings.HasPrefix(name, "-") {
			continue
		}
		if ok {
			in.set(name, value)
		}
		if words[0] == "export" {
			in.exported[name] = true
		}
	}
	return in.ok()
}

func (in *shProcess) local(words []string) ctl {
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if strings.HasPrefix(name, "-") || len(in.locals) == 0 {
			continue
		}
		top := in.locals[len(in.locals)-1]
		if _, seen := top[name]; !seen {
			top[name] = nil
			if old, set := in.vars[name]; set {
				top[name] = &old
			}
		}
		if ok {
			in.set(name, value)
		} else if in.kind.name != "dash" {
			delete(in.vars, name)
		}
	}
	return in.ok()
}

func (in *shProcess) unset(words []string) ctl {
	for _, w := range words[1:] {
		switch {
		case w == "-f" || w == "-v":
		case len(words) > 2 && words[1] == "-f":
			delete(in.funcs, w)
		default:
			delete(in.vars, w)
			delete(in.exported, w)
		}
	}
	return in.ok()
}

func (in *shProcess) shift(words []string) ctl {
	n := 1
	if len(words) > 1 {
		n, _ = strconv.Atoi(words[1])
	}
	if n < 0 || n > len(in.args) {
		return in.failed()
	}
	in.args = in.args[n:]
	return in.ok()
}

// read takes a line of the standard input. At the console nobody types: who waits there waits for a
// person.
func (in *shProcess) read(words []string) ctl {
	raw, names := false, []string(nil)
	timeout := ""
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-r":
			raw = true
		case (w == "-p" || w == "-t" || w == "-n" || w == "-d") && i+1 < len(words):
			i++
			if w == "-t" {
				timeout = words[i]
			} else if w == "-p" {
				in.print(in.stderr, words[i])
			}
		case strings.HasPrefix(w, "-"):
		default:
			names = append(names, w)
		}
	}
	if in.stdin == nil {
		if n, err := strconv.ParseFloat(timeout, 64); err == nil {
			in.sleep(n)
			return in.failed()
		}
		return in.end("unknown.console-input")
	}
	if in.stdin.rest == "" {
		for _, n := range names {
			in.set(n, "")
		}
		return in.failed()
	}
	line, rest, found := strings.Cut(in.stdin.rest, "\n")
	in.stdin.rest = rest
	if !raw {
		for strings.HasSuffix(line, "\\") && found {
			var more string
			more, in.stdin.rest, found = strings.Cut(in.stdin.rest, "\n")
			line = line[:len(line)-1] + more
		}
		line = strings.ReplaceAll(line, "\\", "")
	}
	in.assignFields(names, line)
	if !found {
		return in.failed() // the last line has no newline: its text counts, its status does not
	}
	return in.ok()
}

func (in *shProcess) assignFields(names []string, line string) {
	ifs, ok := in.vars["IFS"]
	if !ok {
		ifs = " \t\n"
	}
	blanks := strings.Map(func(r rune) rune {
		if strings.ContainsRune(ifs, r) {
			return r
		}
		return -1
	}, " \t\n")
	if len(names) == 0 {
		in.set("REPLY", line)
	}
	for i, n := range names {
		line = strings.TrimLeft(line, blanks)
		if i == len(names)-1 {
			in.set(n, strings.TrimRight(line, blanks))
			return
		}
		end := strings.IndexAny(line, ifs)
		if ifs == "" || end < 0 {
			end = len(line)
		}
		in.set(n, line[:end])
		line = strings.TrimLeft(line[end:], blanks)
		if line != "" && strings.IndexByte(ifs, line[0]) >= 0 {
			line = line[1:]
		}
	}
}

func (in *shProcess) dot(words []string) ctl {
	if len(words) < 2 {
		return in.ok()
	}
	name := words[1]
	if !strings.Contains(name, "/") {
		if found, ok := in.find(name, false); ok {
			name = found
		}
	}
	return in.sourced(in.abs(name))
}

func (in *shProcess) eval(words []string) ctl {
	text := strings.Join(words[1:], " ")
	tree, err := sh.Parse(text)
	if err != nil {
		return in.end("unknown.shell-text", "program", "eval", "text", text, "error", err.Error())
	}
	in.status = 0
	pos, src := in.pos, in.src
	in.src = nil
	if src != nil {
		in.src = &source{path: src.path, text: text}
	}
	c := in.run(tree.Body)
	in.pos, in.src = pos, src
	return c
}

// trap keeps the action for the shell's end; signals do not come.
func (in *shProcess) trap(words []string) ctl {
	if len(words) > 2 && words[1] == "--" {
		words = words[1:]
	}
	if len(words) > 2 && (slices.Contains(words[2:], "0") || slices.Contains(words[2:], "EXIT")) {
		if in.atExit = words[1]; in.atExit == "-" {
			in.atExit = ""
		}
	}
	return in.ok()
}

// exitTrap runs the action that trap has kept for the shell's end. The exit status stays what it was: 2.14.
func (in *shProcess) exitTrap() ctl {
	action, status := in.atExit, in.status
	if in.atExit = ""; action == "" || in.replaced {
		return ctlNone
	}
	c := in.eval([]string{"eval", action})
	if c != ctlExit {
		in.status = status
	}
	return c
}

// leave is break, continue, return and exit.
func (in *shProcess) leave(words []string) ctl {
	n, given := 0, len(words) > 1
	if given {
		n, _ = strconv.Atoi(words[1])
	}
	switch words[0] {
	case "break":
		in.count = max(1, n)
		return ctlBreak
	case "continue":
		in.count = max(1, n)
		return ctlContinue
	}
	if given {
		in.status = n & 0xff
	}
	if words[0] == "return" {
		return ctlReturn
	}
	return ctlExit
}

func (in *shProcess) cd(words []string) ctl {
	to := in.vars["HOME"]
	if len(words) > 1 {
		to = words[1]
	}
	if fi, err := in.stat(to); err != nil || !fi.IsDir() {
		in.err("%s: %d: cd: can't cd to %s\n", in.name, in.src.line(in.pos.Off), to)
		in.status = 2
		return ctlNone
	}
	in.cwd = in.abs(to)
	in.set("PWD", in.cwd)
	return in.ok()
}

// commandWord is command, type, which and hash.
func (in *shProcess) commandWord(words []string) ctl {
	args := words[1:]
	look := words[0] != "command"
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		look = look || strings.ContainsAny(args[0], "vV")
		args = args[1:]
	}
	if len(args) == 0 {
		return in.ok()
	}
	if !look {
		if run, ok := builtin(args[0]); ok {
			return run(in, args)
		}
		return in.program(args)
	}
	if _, ok := in.funcs[args[0]]; ok {
		in.out("%s\n", args[0])
		return in.ok()
	}
	if _, ok := builtin(args[0]); ok && words[0] != "which" {
		in.out("%s\n", args[0])
		return in.ok()
	}
	found, ok := in.find(args[0], true)
	if !ok {
		in.status = 127
		return ctlNone
	}
	in.out("%s\n", found)
	return in.ok()
}

// find searches PATH for a program.
func (in *shProcess) find(name string, executable bool) (string, bool) {
	try := func(p string) bool {
		fi, err := in.x.pid1.Stat(p)
		return err == nil && !fi.IsDir() && (!executable || fi.Mode().Perm()&0o111 != 0)
	}
	if strings.Contains(name, "/") {
		return name, try(in.abs(name)) || in.x.installed && known(path.Base(name))
	}
	for dir := range strings.SplitSeq(in.vars["PATH"], ":") {
		if p := path.Join("/", in.abs(dir), name); try(p) {
			return p, true
		}
	}
	if in.x.installed && known(name) {
		return "/bin/" + name, true
	}
	return "", false
}

func (in *shProcess) getopts(words []string) ctl {
	if len(words) < 3 {
		return in.failed()
	}
	ind, _ := strconv.Atoi(in.vars["OPTIND"])
	args := in.args
	if len(words) > 3 {
		args = words[3:]
	}
	if ind < 1 || ind > len(args) {
		in.set(words[2], "?")
		return in.failed()
	}
	arg := args[ind-1]
	if len(arg) != 2 || arg[0] != '-' || arg == "--" {
		in.set(words[2], "?")
		return in.failed()
	}
	ind++
	i := strings.IndexByte(words[1], arg[1])
	if i < 0 {
		in.set(words[2], "?")
	} else {
		in.set(words[2], arg[1:])
		if i+1 < len(words[1]) && words[1][i+1] == ':' && ind <= len(args) {
			in.set("OPTARG", args[ind-1])
			ind++
		}
	}
	in.set("OPTIND", strconv.Itoa(ind))
	return in.ok()
}

// sleep lets time pass; scripts wait so for devices.
func (in *shProcess) sleep(n float64) {
	d := seconds(n)
	in.b.slept += d
	in.step("initramfs.sleep", map[string]string{"seconds": strconv.FormatFloat(n, 'g', -1, 64)}, "sleep(1)")
	in.x.m.Wait(d)
}

// seconds turns a script's number into time; more than a day is a day.
func seconds(n float64) time.Duration {
	return time.Duration(max(0, min(n, 86400)) * float64(time.Second))
}
