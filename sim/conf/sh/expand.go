package sh

import (
	"strconv"
	"strings"
)

// Shell is what the expansion of words asks a shell for.
type Shell interface {
	Value(name string) (v string, set bool) // a variable, or one of the special parameters
	Set(name, value string)
	Args() []string                     // the positional parameters
	Output(body []Stmt) (string, error) // what a command substitution prints
	Names(dir string) []string          // of a directory, sorted; "." is the working directory
	Exists(name string) bool
	Globs() bool    // unless set -f
	Strict() bool   // set -u: a variable that is not set is an error
	Extended() bool // it knows ${x:1:2} and ${x/a/b}
	// Spend counts the work of a run's expansions; its error, once that is more than [MaxWork], ends the expansion.
	Spend(work int) error
	// Refuse tells of an expansion that fails; the error ends it, and the command.
	Refuse(why Refusal, name, text string) error
}

// MaxWork bounds the work of all expansions of a run: one for a character that a pattern is compared with, perByte
// for a byte that is made. A value that doubles, a pattern that is tried at each place of a long text end there.
const (
	MaxWork = 1 << 27
	perByte = 2
)

// Refusal is why an expansion fails.
type Refusal int

const (
	BadArithmetic   Refusal = iota // text is "error: expression"
	BadSubstitution                // ${ } that this shell does not know
	Unset                          // ${name?text}
)

// Words expands words to fields: parameters, commands and arithmetic; splitting; path names (2.6).
func Words(s Shell, list []Word) ([]string, error) {
	in := expander{s}
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
			if l, ok := p.(Lit); ok {
				if err := in.made(l.Text); err != nil {
					return nil, err
				}
				cur.add(l.Text, l.Quoted)
				continue
			}
			if v, ok := p.(*Param); ok && v.Name == "@" && v.Quoted && v.Op == "" {
				for i, a := range in.Args() {
					if i > 0 {
						flush()
					}
					if err := in.made(a); err != nil {
						return nil, err
					}
					cur.add(a, true)
				}
				continue
			}
			s, quoted, err := in.part(p)
			if err != nil {
				return nil, err
			}
			if quoted {
				cur.add(s, true)
				continue
			}
			in.split(s, &cur, flush)
		}
		flush()
	}
	return out, nil
}

// split cuts the result of an unquoted expansion at IFS: 2.6.5.
func (in expander) split(s string, cur *field, flush func()) {
	ifs, ok := in.Value("IFS")
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

// expander is a shell during an expansion.
type expander struct{ Shell }

// made counts text that an expansion makes.
func (in expander) made(s string) error { return in.Spend(perByte * (1 + len(s))) }

// Matches is [Match] whose work is counted.
func Matches(s Shell, pattern, name string) (bool, error) {
	ok, work := match(pattern, name, MaxWork)
	return ok, s.Spend(work)
}

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
		f.pattern.WriteString(Quote(s))
		f.open = true
		return
	}
	f.pattern.WriteString(s)
	f.open = f.open || s != ""
	f.glob = f.glob || strings.ContainsAny(s, "*?[")
}

// glob replaces a field with the names that it matches; without a match it stays: 2.6.6.
func (in expander) glob(f *field) []string {
	text := f.text.String()
	if !f.glob || !in.Globs() {
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
func (in expander) globIn(dir, pattern string, first, last bool) []string {
	join := func(name string) string {
		if first {
			return name
		}
		return dir + "/" + name
	}
	if pattern == "" || !strings.ContainsAny(pattern, "*?[") {
		name := join(strings.ReplaceAll(pattern, "\\", ""))
		if last && pattern != "" {
			if !in.Exists(name) {
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
	for _, name := range in.Names(where) {
		if (name[0] != '.' || pattern[0] == '.') && Match(pattern, name) {
			out = append(out, join(name))
		}
	}
	return out
}

// Text expands a word without splitting: an assignment's value, a case word, a redirection's target.
func Text(s Shell, w Word) (string, error) {
	in := expander{s}
	var out strings.Builder
	for _, p := range w {
		s, _, err := in.part(p)
		if err != nil {
			return "", err
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

// Pattern expands a word to a pattern in which quoted characters stand for themselves.
func Pattern(s Shell, w Word) (string, error) {
	in := expander{s}
	var out strings.Builder
	for _, p := range w {
		s, quoted, err := in.part(p)
		if err != nil {
			return "", err
		}
		if quoted {
			s = Quote(s)
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

// part expands one piece of a word.
func (in expander) part(p Part) (s string, quoted bool, err error) {
	if s, quoted, err = in.piece(p); err == nil {
		err = in.made(s)
	}
	return s, quoted, err
}

func (in expander) piece(p Part) (s string, quoted bool, err error) {
	switch p := p.(type) {
	case Lit:
		return p.Text, p.Quoted, nil
	case *Param:
		s, err = in.param(p)
		return s, p.Quoted, err
	case *CmdSub:
		s, err = in.Output(p.Body)
		return s, p.Quoted, err
	case *Arith:
		expr, err := Text(in, p.Expr)
		if err != nil {
			return "", false, err
		}
		n, err := Arithmetic(in, expr)
		if err != nil {
			return "", false, in.Refuse(BadArithmetic, "", err.Error()+": "+strconv.Quote(expr))
		}
		return strconv.FormatInt(n, 10), p.Quoted, nil
	}
	return "", false, nil
}

// param is parameter expansion: 2.6.2.
func (in expander) param(p *Param) (string, error) {
	v, set := in.Value(p.Name)
	if p.Length {
		return strconv.Itoa(len([]rune(v))), nil
	}
	null := !set || v == ""
	missing := !set
	if strings.HasPrefix(p.Op, ":") && p.Op != ":" {
		missing = null
	}
	switch strings.TrimPrefix(p.Op, ":") {
	case "-":
		if missing {
			return Text(in, p.Arg)
		}
		return v, nil
	case "=":
		if missing {
			s, err := Text(in, p.Arg)
			in.Set(p.Name, s)
			return s, err
		}
		return v, nil
	case "+":
		if missing {
			return "", nil
		}
		return Text(in, p.Arg)
	case "?":
		if missing {
			msg, err := Text(in, p.Arg)
			if err != nil {
				return "", err
			}
			if msg == "" {
				msg = "parameter not set"
			}
			return "", in.Refuse(Unset, p.Name, msg)
		}
		return v, nil
	case "#", "##", "%", "%%":
		pat, err := Pattern(in, p.Arg)
		if err != nil {
			return "", err
		}
		return in.trim(v, p.Op, pat)
	case "/", "//", "":
		if p.Op == "" {
			break
		}
		return in.extended(p, v)
	}
	if !set && in.Strict() && p.Name != "@" && p.Name != "*" {
		return "", in.Refuse(Unset, p.Name, "parameter not set")
	}
	return v, nil
}

// trim takes the smallest or largest match off an end.
func (in expander) trim(v, op, pat string) (string, error) {
	for i := 0; i <= len(v); i++ {
		cut := i // where what is compared ends, or starts
		if op == "##" || op == "%" {
			cut = len(v) - i
		}
		part, rest := v[:cut], v[cut:]
		if op[0] == '%' {
			part, rest = rest, part
		}
		if ok, err := Matches(in, pat, part); ok || err != nil {
			return rest, err
		}
	}
	return v, nil
}

// extended are ${x:off:len} and ${x/pattern/text}, which BusyBox and bash have and dash has not.
func (in expander) extended(p *Param, v string) (string, error) {
	if !in.Extended() {
		return "", in.Refuse(BadSubstitution, p.Name, "")
	}
	arg, err := Pattern(in, p.Arg)
	if err != nil {
		return "", err
	}
	if p.Op == ":" {
		offText, lenText, hasLen := strings.Cut(strings.ReplaceAll(arg, "\\", ""), ":")
		off, err := Arithmetic(in, offText)
		if err != nil {
			off = 0
		}
		if off < 0 {
			off += int64(len(v))
		}
		off = max(0, min(off, int64(len(v))))
		end := int64(len(v))
		if hasLen {
			if n, err := Arithmetic(in, lenText); err == nil && n >= 0 {
				end = min(end, off+n)
			}
		}
		return v[off:end], nil
	}
	pat, with, _ := strings.Cut(arg, "/")
	var out strings.Builder
	for i := 0; i < len(v); {
		n := -1
		for j := len(v); j > i; j-- {
			ok, err := Matches(in, pat, v[i:j])
			if err != nil {
				return "", err
			}
			if ok {
				n = j - i
				break
			}
		}
		if n < 0 {
			out.WriteByte(v[i])
			i++
			continue
		}
		if err := in.made(with); err != nil {
			return "", err
		}
		out.WriteString(strings.ReplaceAll(with, "\\", ""))
		if i += n; p.Op == "/" {
			out.WriteString(v[i:])
			break
		}
	}
	return out.String(), nil
}
