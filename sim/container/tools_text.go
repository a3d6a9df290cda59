package container

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/fsys"
)

// Programs that print something.

// echo: dash replaces backslashes, the others only with -e. XCU echo leaves both open.
func (p *process) echo() finish {
	args := p.argv[1:]
	newline, escapes := true, p.shell != nil && p.shell.kind == "dash"
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		if escapes && args[0] != "-n" {
			break
		}
		newline = newline && !strings.Contains(args[0], "n")
		if strings.Contains(args[0], "e") {
			escapes = true
		}
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		text, stop = p.escapes().Unescape(text)
		newline = newline && !stop
	}
	if newline {
		text += "\n"
	}
	p.print(p.out, text)
	return finish{}
}

// escapes are the shell's when it runs its own echo or printf. The programs know \xhh too.
func (p *process) escapes() sh.Escapes {
	if p.shell == nil {
		return sh.Escapes{Hex: true}
	}
	return sh.EscapesOf(p.shell.kind)
}

func (p *process) printf() finish {
	args := p.argv[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-v") {
		return p.lost()
	}
	for i := strings.IndexByte(args[0], '%'); i >= 0 && i+1 < len(args[0]); {
		if !strings.ContainsRune("%sdxXobc", rune(args[0][i+1])) {
			return p.lost()
		}
		if strings.ContainsRune("dxXo", rune(args[0][i+1])) && !areNumbers(args[1:]) {
			return p.lost()
		}
		next := strings.IndexByte(args[0][i+2:], '%')
		if next < 0 {
			break
		}
		i += 2 + next
	}
	p.print(p.out, p.escapes().Printf(args[0], args[1:], maxText))
	return finish{}
}

// areNumbers tells whether no argument makes printf complain where it wants a number. Words among them, for %s, are
// not told apart.
func areNumbers(args []string) bool {
	return !slices.ContainsFunc(args, func(a string) bool {
		_, err := strconv.ParseInt(a, 0, 64)
		return err != nil
	})
}

func (p *process) pwd() finish {
	p.print(p.out, p.t.Cwd()+"\n")
	return finish{}
}

func (p *process) basename() finish {
	args := p.argv[1:]
	if len(args) == 0 || len(args) > 2 || strings.HasPrefix(args[0], "-") {
		return p.lost()
	}
	name := path.Base(args[0])
	if len(args) == 2 && name != args[1] {
		name = strings.TrimSuffix(name, args[1])
	}
	p.print(p.out, name+"\n")
	return finish{}
}

func (p *process) dirname() finish {
	if len(p.argv) != 2 || strings.HasPrefix(p.argv[1], "-") {
		return p.lost()
	}
	p.print(p.out, path.Dir(strings.TrimRight(p.argv[1], "/"))+"\n")
	return finish{}
}

func (p *process) seq() finish {
	var n []int
	for _, a := range p.argv[1:] {
		v, err := strconv.Atoi(a)
		if err != nil {
			return p.lost()
		}
		n = append(n, v)
	}
	first, last := 1, 0
	switch len(n) {
	case 1:
		last = n[0]
	case 2:
		first, last = n[0], n[1]
	default:
		return p.lost()
	}
	if last-first > maxCommands {
		return p.lost()
	}
	var out strings.Builder
	for i := first; i <= last; i++ {
		out.WriteString(strconv.Itoa(i) + "\n")
	}
	p.print(p.out, out.String())
	return finish{}
}

// id knows the numbers, whoami the name that the image's own /etc/passwd has for one.
func (p *process) id() finish {
	if len(p.argv) != 2 || p.argv[1] != "-u" && p.argv[1] != "-g" {
		if len(p.argv) == 2 && p.argv[1] == "-un" {
			return p.whoami()
		}
		return p.lost()
	}
	n := p.t.Cred.EUID
	if p.argv[1] == "-g" {
		n = p.t.Cred.EGID
	}
	p.print(p.out, strconv.FormatUint(uint64(n), 10)+"\n")
	return finish{}
}

func (p *process) whoami() finish {
	n := strconv.FormatUint(uint64(p.t.Cred.EUID), 10)
	in, err := p.open("/etc/passwd")
	if err != nil || in.unknown != nil {
		return p.lost()
	}
	for line := range strings.Lines(in.text) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == n {
			p.print(p.out, f[0]+"\n")
			return finish{}
		}
	}
	if p.busybox {
		return p.fail("whoami: unknown uid "+n, 1)
	}
	return p.fail("whoami: cannot find name for user ID "+n, 1)
}

func (p *process) hostname() finish {
	if len(p.argv) != 1 {
		return p.lost()
	}
	p.print(p.out, p.t.Hostname()+"\n")
	return finish{}
}

// env starts a program with another environment, or prints its own.
func (p *process) env() finish {
	env, args := p.t.Env, p.argv[1:]
	if len(args) > 0 && (args[0] == "-i" || args[0] == "-") {
		env, args = nil, args[1:]
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name, value, _ := strings.Cut(args[0], "=")
		env, args = setenv(append([]string(nil), env...), name, value), args[1:]
	}
	switch {
	case len(args) > 0 && strings.HasPrefix(args[0], "-"):
		return p.lost()
	case len(args) > 0:
		return p.become(args, env)
	case p.started:
		p.out.unknown, p.out.size = p.here(), 1
		return finish{}
	}
	for _, v := range env {
		p.print(p.out, v+"\n")
	}
	return finish{}
}

// become is execvp(3) by a program that only prepares another one.
func (p *process) become(args, env []string) finish {
	if err := p.r.execvpe(p.t, args, env); err != nil {
		code := 126
		if err.Error() == "no such file or directory" {
			code = 127
		}
		if p.name() != "env" || code == 126 {
			return p.lost()
		}
		text := p.gnu(p.quoted(args[0])+": "+p.reason(err), "can't execute '"+args[0]+"': "+p.reason(err))
		if !p.busybox && code == 127 && strings.ContainsAny(args[0], " \t\n\v\f\r") { // coreutils env.c: it takes it for a line #!
			text += "\n" + p.called() + ": use -[v]S to pass options in shebang lines"
		}
		end := p.fail(text, code)
		p.says, _, _ = strings.Cut(text, "\n") // the hint is not the reason
		return end
	}
	if l := p.t.Load(); l.Failed || l.Unknown != "" || p.t.Died() != "" {
		return p.lost()
	}
	p.t.Actor = p.t.Comm
	if shellKind(p.t) != "" {
		return p.shells(env)
	}
	next := p.r.newProcess(p.t)
	next.in, next.out, next.err, next.started = p.in, p.out, p.err, p.started
	end := next.run()
	p.says = next.says
	return end
}

// shells plays the shell that the program has become: #!/usr/bin/env bash.
func (p *process) shells(env []string) finish {
	s := p.r.newScript(p.t, p.in, p.out, p.err)
	end := s.run(env)
	if p.says, p.ends = s.says, s.ends; end.missing != nil {
		s.note()
	}
	if s.became && end.missing == nil {
		return finish{runs: true}
	}
	return end
}

func (p *process) printenv() finish {
	if len(p.argv) != 2 || strings.HasPrefix(p.argv[1], "-") {
		return p.lost()
	}
	v, ok := getenv(p.t.Env, p.argv[1])
	if !ok {
		return finish{code: 1}
	}
	p.print(p.out, v+"\n")
	return finish{}
}

// uname knows what does not depend on how the kernel was built.
func (p *process) uname() finish {
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[p.r.c.HostArch]
	switch {
	case len(p.argv) == 1 || len(p.argv) == 2 && p.argv[1] == "-s":
		p.print(p.out, "Linux\n")
	case len(p.argv) == 2 && p.argv[1] == "-m" && machine != "":
		p.print(p.out, machine+"\n")
	case len(p.argv) == 2 && p.argv[1] == "-n":
		p.print(p.out, p.t.Hostname()+"\n")
	case len(p.argv) == 2 && strings.Trim(p.argv[1], "asnrvmpio") == "-":
		p.out.unknown, p.out.size = p.here(), 1
	default:
		return p.lost()
	}
	return finish{}
}

// wc counts lines, words or bytes of standard input.
func (p *process) wc() finish {
	flags, files := p.operands("lwc")
	in, end, ok := p.input(files)
	if !ok {
		return end
	}
	if flags == "c" && in.size != endless && in.unknown == nil && len(files) == 0 {
		p.print(p.out, strconv.FormatInt(in.size, 10)+"\n")
		return finish{}
	}
	if in.unknown != nil || in.zeros || len(flags) != 1 || len(files) > 0 {
		p.out.unknown, p.out.size = p.here(), 1
		return finish{}
	}
	n := len(in.text)
	switch flags {
	case "l":
		n = strings.Count(in.text, "\n")
	case "w":
		n = len(strings.Fields(in.text))
	}
	p.print(p.out, strconv.Itoa(n)+"\n")
	return finish{}
}

// grep finds fixed texts: a pattern of letters, digits and some signs stands for itself, with ^ and $ at its ends.
func (p *process) grep() finish {
	flags, args := p.operands("qcvEFsix")
	if len(args) == 0 || strings.ContainsAny(flags, "ix") {
		return p.lost()
	}
	pattern, start := strings.CutPrefix(args[0], "^")
	pattern, end := strings.CutSuffix(pattern, "$")
	if strings.ContainsAny(pattern, `.*[]\^$+?(){}|`) {
		return p.lost()
	}
	in, fails, ok := p.input(args[1:])
	if !ok {
		fails.code = 2
		return fails
	}
	if in.unknown != nil || in.zeros {
		return p.lost()
	}
	var out strings.Builder
	n := 0
	for line := range strings.Lines(in.text) {
		line = strings.TrimSuffix(line, "\n")
		hit := strings.Contains(line, pattern)
		switch {
		case start && end:
			hit = line == pattern
		case start:
			hit = strings.HasPrefix(line, pattern)
		case end:
			hit = strings.HasSuffix(line, pattern)
		}
		if hit != strings.Contains(flags, "v") {
			n++
			out.WriteString(line + "\n")
		}
	}
	switch {
	case strings.Contains(flags, "q"):
	case strings.Contains(flags, "c"):
		p.print(p.out, strconv.Itoa(n)+"\n")
	default:
		p.print(p.out, out.String())
	}
	if n == 0 {
		return finish{code: 1}
	}
	return finish{}
}

// stat prints mode and owner, as far as the format asks for those.
func (p *process) stat() finish {
	if len(p.argv) != 4 || p.argv[1] != "-c" {
		return p.lost()
	}
	if err := p.known(p.argv[3]); err != nil {
		return p.lackOf(err)
	}
	fi, err := p.t.Lstat(p.argv[3])
	st, ok := (*fsys.Stat)(nil), false
	if err == nil {
		st, ok = fi.Sys().(*fsys.Stat)
	}
	if !ok || p.r.attributes {
		return p.lost()
	}
	text := strings.NewReplacer("%a", strconv.FormatUint(uint64(st.Mode&0o7777), 8), "%u", strconv.FormatUint(uint64(st.UID), 10), "%g", strconv.FormatUint(uint64(st.GID), 10), "%n", p.argv[3], "%s", strconv.FormatInt(fi.Size(), 10)).Replace(p.argv[2])
	if strings.Contains(text, "%") {
		return p.lost()
	}
	p.print(p.out, text+"\n")
	return finish{}
}
