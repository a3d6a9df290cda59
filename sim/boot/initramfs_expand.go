package boot

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
)

// field collects one field of a word's expansion: its text, and its text as a pattern, in which what was
// quoted stands for itself.
type field struct {
	text, pattern strings.Builder
	open          bool // the field exists even when it is empty
	glob          bool
}

func (f *field) add(s string, quoted bool) {
	f.text.WriteString(s)
	if quoted {
		f.pattern.WriteString(sh.Quote(s))
		f.open = true
		return
	}
	f.pattern.WriteString(s)
	f.open = f.open || s != ""
	f.glob = f.glob || strings.ContainsAny(s, "*?[")
}

// words expands words to fields: parameters, commands and arithmetic; splitting; path names (2.6).
func (in *shProcess) words(list []sh.Word) ([]string, ctl) {
	var out []string
	for _, w := range list {
		var cur field
		flush := func() {
			if cur.open {
				out = append(out, in.glob(&cur)...)
			}
			cur = field{}
		}
		for _, p := range w {
			if l, ok := p.(sh.Lit); ok {
				cur.add(l.Text, l.Quoted)
				continue
			}
			if v, ok := p.(*sh.Param); ok && v.Name == "@" && v.Quoted && v.Op == "" {
				for i, a := range in.args {
					if i > 0 {
						flush()
					}
					cur.add(a, true)
				}
				continue
			}
			s, quoted, c := in.part(p)
			if c != ctlNone {
				return nil, c
			}
			if quoted {
				cur.add(s, true)
				continue
			}
			in.split(s, &cur, flush)
		}
		flush()
	}
	return out, ctlNone
}

// split cuts the result of an unquoted expansion at IFS: 2.6.5.
func (in *shProcess) split(s string, cur *field, flush func()) {
	ifs, ok := in.vars["IFS"]
	if !ok {
		ifs = " \t\n"
	}
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && strings.IndexByte(ifs, s[j]) < 0 {
			j++
		}
		cur.add(s[i:j], false)
		if j == len(s) {
			return
		}
		if !strings.ContainsRune(" \t\n", rune(s[j])) {
			cur.open = true // a separator that is not a blank ends even an empty field
		}
		flush()
		for i = j + 1; i < len(s) && strings.IndexByte(ifs, s[i]) >= 0 && strings.ContainsRune(" \t\n", rune(s[i])); i++ {
		}
	}
}

// glob replaces a field with the names that it matches; without a match it stays: 2.6.6.
func (in *shProcess) glob(f *field) []string {
	text := f.text.String()
	if !f.glob || in.vars["-"] == "f" {
		return []string{text}
	}
	dirs := []string{""}
	parts := strings.Split(f.pattern.String(), "/")
	for i, p := range parts {
		var next []string
		for _, d := range dirs {
			next = append(next, in.globIn(d, p, i == 0, i == len(parts)-1)...)
			if len(next) > 4096 {
				return []string{text}
			}
		}
		dirs = next
	}
	if len(dirs) == 0 {
		return []string{text}
	}
	return dirs
}

// globIn extends one directory by one component of a pattern.
func (in *shProcess) globIn(dir, pattern string, first, last bool) []string {
	join := func(name string) string {
		if first {
			return name
		}
		return dir + "/" + name
	}
	if pattern == "" || !strings.ContainsAny(pattern, "*?[") {
		name := join(strings.ReplaceAll(pattern, "\\", ""))
		if last && pattern != "" {
			if _, err := in.lstat(name); err != nil {
				return nil
			}
		}
		return []string{name}
	}
	where := dir
	if first {
		where = "."
	} else if where == "" {
		where = "/"
	}
	var out []string
	for _, name := range in.list(where) {
		if (name[0] != '.' || pattern[0] == '.') && sh.Match(pattern, name) {
			out = append(out, join(name))
		}
	}
	return out
}

// list is what a directory holds, by name.
func (in *shProcess) list(dir string) []string {
	dir = in.abs(dir)
	if names, ok := in.x.virtualDir(dir); ok {
		return names
	}
	in.uncertain(dir + "/*")
	entries, err := in.x.pid1.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.Name() != "" {
			out = append(out, e.Name())
		}
	}
	return out
}

// text expands a word without splitting: an assignment's value, a case word, a redirection's target.
func (in *shProcess) text(w sh.Word) (string, ctl) {
	var out strings.Builder
	for _, p := range w {
		if l, ok := p.(sh.Lit); ok {
			out.WriteString(l.Text)
			continue
		}
		s, _, c := in.part(p)
		if c != ctlNone {
			return "", c
		}
		out.WriteString(s)
	}
	return out.String(), ctlNone
}

// pattern expands a word to a pattern in which quoted characters stand for themselves.
func (in *shProcess) pattern(w sh.Word) (string, ctl) {
	var out strings.Builder
	for _, p := range w {
		s, quoted, c := in.part(p)
		if c != ctlNone {
			return "", c
		}
		if quoted {
			s = sh.Quote(s)
		}
		out.WriteString(s)
	}
	return out.String(), ctlNone
}

// part expands one piece of a word.
func (in *shProcess) part(p sh.Part) (s string, quoted bool, c ctl) {
	switch p := p.(type) {
	case sh.Lit:
		return p.Text, p.Quoted, ctlNone
	case *sh.Param:
		s, c = in.param(p)
		return s, p.Quoted, c
	case *sh.CmdSub:
		s, c = in.substitute(p.Body)
		return s, p.Quoted, c
	case *sh.Arith:
		expr, c := in.text(p.Expr)
		if c != ctlNone {
			return "", false, c
		}
		n, err := in.arith(expr)
		if err != nil {
			in.err("%s: %d: arithmetic expression: %v: %q\n", in.name, in.src.line(in.pos.Off), err, expr)
			in.status = 2
			return "", false, ctlExit
		}
		return strconv.FormatInt(n, 10), p.Quoted, ctlNone
	}
	return "", false, ctlNone
}

// substitute is a command's output without the newlines at its end: 2.6.3.
func (in *shProcess) substitute(body []sh.Stmt) (string, ctl) {
	child := in.child()
	child.stdout = &sink{kind: "buffer"}
	pos := in.pos
	c := child.run(body)
	in.pos = pos
	in.status = child.status
	if c == ctlEnd {
		return "", c
	}
	return strings.TrimRight(child.stdout.buf.String(), "\n"), ctlNone
}

// value looks a parameter up.
func (in *shProcess) value(name string) (string, bool) {
	switch name {
	case "@", "*":
		return strings.Join(in.args, " "), len(in.args) > 0
	case "#":
		return strconv.Itoa(len(in.args)), true
	case "?":
		return strconv.Itoa(in.status), true
	case "$":
		return strconv.Itoa(in.x.pid1.PID), true
	case "!":
		return "", false
	case "-":
		if in.errexit {
			return "e", true
		}
		return "", true
	case "0":
		return in.name, true
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(in.args) {
			return in.args[n-1], true
		}
		return "", false
	}
	v, ok := in.vars[name]
	return v, ok
}

// param is parameter expansion: 2.6.2.
func (in *shProcess) param(p *sh.Param) (string, ctl) {
	v, set := in.value(p.Name)
	if p.Length {
		return strconv.Itoa(len([]rune(v))), ctlNone
	}
	null := !set || v == ""
	missing := !set
	if strings.HasPrefix(p.Op, ":") && p.Op != ":" {
		missing = null
	}
	switch strings.TrimPrefix(p.Op, ":") {
	case "-":
		if missing {
			return in.text(p.Arg)
		}
	case "=":
		if missing {
			s, c := in.text(p.Arg)
			in.set(p.Name, s)
			return s, c
		}
	case "+":
		if missing {
			return "", ctlNone
		}
		return in.text(p.Arg)
	case "?":
		if missing {
			msg, c := in.text(p.Arg)
			if c != ctlNone {
				return "", c
			}
			if msg == "" {
				msg = "parameter not set"
			}
			in.err("%s: %d: %s: %s\n", in.name, in.src.line(in.pos.Off), p.Name, msg)
			in.status = 2
			return "", ctlExit
		}
	case "#", "##", "%", "%%":
		pat, c := in.pattern(p.Arg)
		return trim(v, p.Op, pat), c
	case "/", "//", "":
		if p.Op == "" {
			break
		}
		return in.extended(p, v)
	}
	return v, ctlNone
}

// trim takes the smallest or largest match off an end.
func trim(v, op, pat string) string {
	for i := 0; i <= len(v); i++ {
		switch op {
		case "#":
			if sh.Match(pat, v[:i]) {
				return v[i:]
			}
		case "##":
			if j := len(v) - i; sh.Match(pat, v[:j]) {
				return v[j:]
			}
		case "%":
			if j := len(v) - i; sh.Match(pat, v[j:]) {
				return v[:j]
			}
		case "%%":
			if sh.Match(pat, v[i:]) {
				return v[:i]
			}
		}
	}
	return v
}

// extended are ${x:off:len} and ${x/pattern/text}, which BusyBox and bash have and dash has not.
func (in *shProcess) extended(p *sh.Param, v string) (string, ctl) {
	if in.kind.name == "dash" {
		in.err("%s: %d: Bad substitution\n", in.name, in.src.line(in.pos.Off))
		in.status = 2
		return "", ctlExit
	}
	arg, c := in.pattern(p.Arg)
	if c != ctlNone {
		return "", c
	}
	if p.Op == ":" {
		offText, lenText, hasLen := strings.Cut(strings.ReplaceAll(arg, "\\", ""), ":")
		off, err := in.arith(offText)
		if err != nil {
			off = 0
		}
		if off < 0 {
			off += int64(len(v))
		}
		off = max(0, min(off, int64(len(v))))
		end := int64(len(v))
		if hasLen {
			if n, err := in.arith(lenText); err == nil && n >= 0 {
				end = min(end, off+n)
			}
		}
		return v[off:end], ctlNone
	}
	pat, with, _ := strings.Cut(arg, "/")
	var out strings.Builder
	for i := 0; i < len(v); {
		n := -1
		for j := len(v); j > i; j-- {
			if sh.Match(pat, v[i:j]) {
				n = j - i
				break
			}
		}
		if n < 0 {
			out.WriteByte(v[i])
			i++
			continue
		}
		out.WriteString(strings.ReplaceAll(with, "\\", ""))
		if i += n; p.Op == "/" {
			out.WriteString(v[i:])
			break
		}
	}
	return out.String(), ctlNone
}

// lstat is lstat(2) of a path that may lie in a file system that the kernel makes up.
func (in *shProcess) lstat(name string) (fs.FileInfo, error) {
	name = in.abs(name)
	if fi, ok := in.x.virtual(name); ok {
		return fi, nil
	}
	if in.b.soft && name == "/sys/class/mem/null" && in.x.mountedAt("/sys", "sysfs") {
		return made{name: "null", mode: fs.ModeSymlink | 0o777}, nil // since CONFIG_SYSFS_DEPRECATED is gone
	}
	return in.x.pid1.Lstat(name)
}

// terminal tells whether a file descriptor is the console.
func (in *shProcess) terminal(fd string) bool {
	switch fd {
	case "0":
		return in.stdin == nil
	case "1":
		return in.stdout.kind == "console"
	case "2":
		return in.stderr.kind == "console"
	}
	return false
}

// stat follows links.
func (in *shProcess) stat(name string) (fs.FileInfo, error) {
	name = in.abs(name)
	if fi, ok := in.x.virtual(name); ok {
		return fi, nil
	}
	if fi, ok := alwaysThere(name); ok && in.b.soft && in.x.mountedAt("/sys", "sysfs") {
		return fi, nil
	}
	if in.b.soft && name == "/proc/kcore" && in.x.kconfig()["CONFIG_PROC_KCORE"] == "y" && in.x.mountedAt("/proc", "proc") {
		return made{name: "kcore", mode: 0o400}, nil
	}
	if in.b.soft && in.x.udevd && strings.TrimSuffix(name, "/") == "/run/udev" {
		return made{name: "udev", mode: fs.ModeDir | 0o755}, nil // the initramfs's udev has made it
	}
	if in.b.soft && name == "/dev/"+in.x.terminal() && in.x.mountedAt("/dev", "devtmpfs") {
		return made{name: in.x.terminal(), mode: fs.ModeDevice | fs.ModeCharDevice | 0o620}, nil // the run shows this console
	}
	fi, err := in.x.pid1.Stat(name)
	if err != nil && strings.HasPrefix(name, "/dev/") {
		in.x.doubt("")
	}
	return fi, err
}

// notDevice tells of names in /dev that no driver makes: links of udevd's, mount points of scripts.
func (x *linux) notDevice(name string) bool {
	switch name {
	case "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/core":
		return !x.udevd
	}
	return name == "/dev/shm" || name == "/dev/mqueue"
}

// uncertain leaves a script of the real root that asks for a file which bootpath does not have and the
// machine may: what the kernel makes up, and what earlier scripts that were not followed have made.
func (in *shProcess) uncertain(name string) {
	if !in.b.soft || in.b.early || in.b.gaveUp != "" || name == "/dev/null" || name == "/dev/console" || name == "/run/systemd/system" {
		return // the last is systemd's alone: sd_booted(3)
	}
	if conf := in.x.kconfig(); name == "/sys/kernel/uevent_helper" && len(conf) > 0 && conf["CONFIG_UEVENT_HELPER"] != "y" {
		return
	}
	if in.x.notDevice(name) && !in.b.doubtful {
		return
	}
	if name == "/proc/kcore" && in.x.kconfig()["CONFIG_PROC_KCORE"] == "n" {
		return
	}
	made := []string{"/proc", "/sys", "/dev"}
	if in.b.doubtful {
		made = append(made, "/run", "/var", "/tmp", "/media", "/mnt")
	}
	for _, dir := range made {
		if strings.HasPrefix(name, dir+"/") {
			in.end("whether there is " + name + " (" + in.where() + ")")
			return
		}
	}
}

// readFile reads a file, made up by the kernel or not.
func (in *shProcess) readFile(name string) (string, bool) {
	name = in.abs(name)
	if text, ok := in.x.virtualFile(name); ok {
		return text, true
	}
	if name == "/proc/filesystems" && !in.b.soft && in.x.mountedAt("/proc", "proc") {
		return in.x.registered(), true
	}
	data, err := in.x.pid1.ReadFile(name)
	if text, ok := in.x.filesystems(name); ok && in.b.soft {
		return text, true
	}
	if in.b.soft && (strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/")) && !strings.HasSuffix(name, "/mounts") {
		in.end("what the kernel says in " + name + " (" + in.where() + ")") // modules and hardware decide it
		return "", false
	}
	if err != nil {
		in.uncertain(name)
		return "", false
	}
	return string(data), true
}

// arith evaluates an arithmetic expression: 2.6.4, the integers of C.
func (in *shProcess) arith(expr string) (int64, error) {
	a := &arith{in: in, s: expr}
	n := a.ternary(0)
	a.blank()
	if a.err == nil && a.i < len(a.s) {
		a.fail("expecting EOF")
	}
	return n, a.err
}

type arith struct {
	in  *shProcess
	s   string
	i   int
	err error
}

func (a *arith) fail(msg string) {
	if a.err == nil {
		a.err = fmt.Errorf("%s", msg)
	}
	a.i = len(a.s)
}

func (a *arith) blank() {
	for a.i < len(a.s) && strings.IndexByte(" \t\n", a.s[a.i]) >= 0 {
		a.i++
	}
}

func (a *arith) take(op string) bool {
	a.blank()
	if !strings.HasPrefix(a.s[a.i:], op) {
		return false
	}
	a.i += len(op)
	return true
}

func (a *arith) ternary(depth int) int64 {
	if depth > 60 {
		a.fail("nested too deep")
		return 0
	}
	c := a.binary(0, depth)
	if !a.take("?") {
		return c
	}
	x := a.ternary(depth + 1)
	if !a.take(":") {
		a.fail("expecting ':'")
	}
	y := a.ternary(depth + 1)
	if c != 0 {
		return x
	}
	return y
}

// levels are the binary operators from the weakest on; longer ones come before their prefixes.
var levels = [...][]string{{"||"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

func (a *arith) binary(level, depth int) int64 {
	if level == len(levels) {
		return a.unary(depth)
	}
	x := a.binary(level+1, depth)
	for a.err == nil {
		op := a.operator(level)
		if op == "" {
			break
		}
		x = a.apply(op, x, a.binary(level+1, depth))
	}
	return x
}

func (a *arith) operator(level int) string {
	a.blank()
	rest := a.s[a.i:]
	for _, op := range levels[level] {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if len(op) == 1 && len(rest) > 1 {
			if next := rest[1]; next == op[0] && strings.Contains("|&<>", op) || next == '=' && strings.Contains("<>=!", op) {
				continue
			}
		}
		a.i += len(op)
		return op
	}
	return ""
}

func (a *arith) apply(op string, x, y int64) int64 {
	truth := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	switch op {
	case "||":
		return truth(x != 0 || y != 0)
	case "&&":
		return truth(x != 0 && y != 0)
	case "|":
		return x | y
	case "^":
		return x ^ y
	case "&":
		return x & y
	case "==":
		return truth(x == y)
	case "!=":
		return truth(x != y)
	case "<=":
		return truth(x <= y)
	case ">=":
		return truth(x >= y)
	case "<":
		return truth(x < y)
	case ">":
		return truth(x > y)
	case "<<":
		return x << uint64(y&63)
	case ">>":
		return x >> uint64(y&63)
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		a.fail("division by zero")
		return 0
	}
	if y == -1 { // the one quotient that does not fit
		if op == "/" {
			return -x
		}
		return 0
	}
	if op == "/" {
		return x / y
	}
	return x % y
}

func (a *arith) unary(depth int) int64 {
	if depth > 60 {
		a.fail("nested too deep")
		return 0
	}
	switch {
	case a.take("!"):
		if a.unary(depth+1) == 0 {
			return 1
		}
		return 0
	case a.take("~"):
		return ^a.unary(depth + 1)
	case a.take("-"):
		return -a.unary(depth + 1)
	case a.take("+"):
		return a.unary(depth + 1)
	case a.take("("):
		n := a.ternary(depth + 1)
		if !a.take(")") {
			a.fail("expecting ')'")
		}
		return n
	}
	start := a.i
	for a.i < len(a.s) && (a.s[a.i] == '_' || a.s[a.i] >= '0' && a.s[a.i] <= '9' || a.s[a.i]|0x20 >= 'a' && a.s[a.i]|0x20 <= 'z') {
		a.i++
	}
	word := a.s[start:a.i]
	if word == "" {
		a.fail("expecting primary")
		return 0
	}
	if word[0] <= '9' {
		n, err := strconv.ParseInt(word, 0, 64)
		if err != nil {
			a.fail("bad number")
		}
		return n
	}
	return a.variable(word)
}

// variable reads or assigns a variable.
func (a *arith) variable(name string) int64 {
	v, _ := a.in.value(name)
	n, _ := strconv.ParseInt(strings.TrimSpace(v), 0, 64)
	a.blank()
	for _, op := range [...]string{"+=", "-=", "*=", "/=", "%=", "="} {
		if strings.HasPrefix(a.s[a.i:], op) && !strings.HasPrefix(a.s[a.i:], "==") {
			a.i += len(op)
			y := a.ternary(1)
			if op != "=" {
				y = a.apply(op[:1], n, y)
			}
			a.in.set(name, strconv.FormatInt(y, 10))
			return y
		}
	}
	return n
}
