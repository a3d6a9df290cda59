package sh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what is believed: no script of an initramfs comes near.
const (
	maxSize  = 1 << 20 // bytes of a script
	maxDepth = 120     // commands inside commands
)

// SyntaxError is a script that does not parse, or uses what only other shells understand.
type SyntaxError struct {
	Off  int // bytes into the script
	Line int
	Msg  string // what was expected or is not supported
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Parse reads a script.
func Parse(src string) (s *Script, err error) {
	p := &parser{src: src}
	if len(src) > maxSize {
		return nil, p.errorf("script of %d bytes, at most %d are read", len(src), maxSize)
	}
	body, err := p.list()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.src) {
		return nil, p.errorf("unexpected %q", p.peekOp())
	}
	return &Script{Body: body}, nil
}

type parser struct {
	src   string
	pos   int
	depth int
	here  []*pending // here-documents whose text begins at the next line

	// where has the place in the whole script of each byte of src and of its end, when src was taken out
	// of quotes; nil when it is the script itself.
	where []int
}

// script turns an offset in src into one in the whole script.
func (p *parser) script(off int) int {
	if p.where == nil {
		return off
	}
	return p.where[min(off, len(p.where)-1)]
}

type pending struct {
	redir  *Redir
	end    string
	strip  bool // <<-
	expand bool // the delimiter was not quoted
}

// places lists where the bytes from start up to end of src lie in the whole script.
func (p *parser) places(start, end int) []int {
	out := make([]int, 0, end-start)
	for i := start; i < end; i++ {
		out = append(out, p.script(i))
	}
	return out
}

func (p *parser) errorf(format string, args ...any) error {
	off := min(p.pos, len(p.src))
	return &SyntaxError{off, 1 + strings.Count(p.src[:off], "\n"), fmt.Sprintf(format, args...)}
}

func (p *parser) at(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

func (p *parser) eof() bool { return p.pos >= len(p.src) }

// blanks skips spaces, line continuations and a comment.
func (p *parser) blanks() {
	for !p.eof() {
		switch {
		case p.src[p.pos] == ' ' || p.src[p.pos] == '\t' || p.src[p.pos] == '\r':
			p.pos++
		case p.at("\\\n"):
			p.pos += 2
		case p.src[p.pos] == '#':
			for !p.eof() && p.src[p.pos] != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

// newline passes the end of a line and reads the here-documents announced on it.
func (p *parser) newline() error {
	p.pos++
	here := p.here
	p.here = nil
	for _, h := range here {
		if err := p.hereDoc(h); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) hereDoc(h *pending) error {
	var text strings.Builder
	var where []int
	for !p.eof() {
		line := p.src[p.pos:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		p.pos += len(line)
		if h.strip {
			line = strings.TrimLeft(line, "\t")
		}
		if strings.TrimSuffix(line, "\n") == h.end {
			break
		}
		text.WriteString(line)
		where = append(where, p.places(p.pos-len(line), p.pos)...)
	}
	if !h.expand {
		h.redir.Target = Word{Lit{text.String(), true}}
		return nil
	}
	sub := &parser{src: text.String(), depth: p.depth, where: append(where, p.script(p.pos))}
	w, err := sub.quoted("")
	h.redir.Target = w
	return err
}

func (p *parser) blankLines() error {
	for {
		p.blanks()
		if p.eof() || p.src[p.pos] != '\n' {
			return nil
		}
		if err := p.newline(); err != nil {
			return err
		}
	}
}

// operators, the longest first.
var operators = [...]string{"<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">", "|", "&", ";", "(", ")", "\n"}

func (p *parser) peekOp() string {
	for _, op := range operators {
		if p.at(op) {
			return op
		}
	}
	return p.peekWord()
}

// peekWord is the unquoted word ahead, for reserved words.
func (p *parser) peekWord() string {
	i := p.pos
	for i < len(p.src) && !strings.ContainsRune(" \t\r\n;&|<>()", rune(p.src[i])) {
		if strings.IndexByte("'\"\\$`", p.src[i]) >= 0 {
			return ""
		}
		i++
	}
	return p.src[p.pos:i]
}

var closers = [...]string{"then", "else", "elif", "fi", "do", "done", "esac", "}"}

// list reads statements until a closing word, operator or the end.
func (p *parser) list() ([]Stmt, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("commands nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	var out []Stmt
	for {
		if err := p.blankLines(); err != nil {
			return nil, err
		}
		if p.eof() || p.at(")") || p.at(";;") || slices.Contains(closers[:], p.peekWord()) {
			return out, nil
		}
		start := p.pos
		n, err := p.andOr()
		if err != nil {
			return nil, err
		}
		st := Stmt{Node: n, Pos: Pos{p.script(start), p.script(p.pos)}}
		p.blanks()
		switch {
		case p.at(";;"):
		case p.at(";"):
			p.pos++
		case p.at("&") && !p.at("&&"):
			p.pos++
			st.Background = true
		case p.eof(), p.at("\n"), p.at(")"):
		default:
			return nil, p.errorf("unexpected %q", p.peekOp())
		}
		out = append(out, st)
	}
}

func (p *parser) andOr() (Node, error) {
	left, err := p.pipeline()
	for err == nil {
		p.blanks()
		and := p.at("&&")
		if !and && !p.at("||") {
			return left, nil
		}
		p.pos += 2
		if err = p.blankLines(); err != nil {
			return nil, err
		}
		var right Node
		if right, err = p.pipeline(); err == nil {
			left = &AndOr{and, left, right}
		}
	}
	return nil, err
}

func (p *parser) pipeline() (Node, error) {
	p.blanks()
	out := &Pipe{}
	for p.peekWord() == "!" {
		out.Negated = !out.Negated
		p.pos++
		p.blanks()
	}
	for {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		out.Cmds = append(out.Cmds, c)
		p.blanks()
		if !p.at("|") || p.at("||") {
			break
		}
		p.pos++
		if err := p.blankLines(); err != nil {
			return nil, err
		}
	}
	if len(out.Cmds) == 1 && !out.Negated {
		return out.Cmds[0], nil
	}
	return out, nil
}

func (p *parser) command() (Node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("commands nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	var n Node
	var redirs *[]*Redir
	var err error
	switch w := p.peekWord(); {
	case p.at("("):
		p.pos++
		g := &Group{Subshell: true}
		g.Body, err = p.until(")")
		n, redirs = g, &g.Redirs
	case w == "{":
		p.pos++
		g := &Group{}
		g.Body, err = p.until("}")
		n, redirs = g, &g.Redirs
	case w == "if":
		p.pos += 2
		var i *If
		i, err = p.ifRest()
		if err == nil {
			n, redirs = i, &i.Redirs
		}
	case w == "while" || w == "until":
		p.pos += 5
		l := &Loop{Until: w == "until"}
		if l.Cond, err = p.until("do"); err == nil {
			l.Body, err = p.until("done")
		}
		n, redirs = l, &l.Redirs
	case w == "for":
		p.pos += 3
		f := &For{}
		err = p.forRest(f)
		n, redirs = f, &f.Redirs
	case w == "case":
		p.pos += 4
		c := &Case{}
		err = p.caseRest(c)
		n, redirs = c, &c.Redirs
	case w == "[[" || w == "function" || w == "select":
		return nil, p.errorf("%q is not of the POSIX shell language", w)
	default:
		return p.simple()
	}
	if err != nil {
		return nil, err
	}
	for {
		r, ok, err := p.redir()
		if err != nil || !ok {
			return n, err
		}
		*redirs = append(*redirs, r)
	}
}

// until reads a list that the word or operator end closes.
func (p *parser) until(end string) ([]Stmt, error) {
	body, err := p.list()
	if err != nil {
		return nil, err
	}
	if !p.at(end) || (end != ")" && p.peekWord() != end) {
		return nil, p.errorf("expected %q, found %q", end, p.peekOp())
	}
	p.pos += len(end)
	return body, nil
}

func (p *parser) ifRest() (*If, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("commands nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	n := &If{}
	var err error
	if n.Cond, err = p.until("then"); err != nil {
		return nil, err
	}
	if n.Then, err = p.list(); err != nil {
		return nil, err
	}
	switch w := p.peekWord(); w {
	case "elif":
		start := p.pos
		p.pos += 4
		rest, err := p.ifRest()
		if err != nil {
			return nil, err
		}
		n.Else = []Stmt{{Node: rest, Pos: Pos{p.script(start), p.script(p.pos)}}}
		return n, nil
	case "else":
		p.pos += 4
		n.Else, err = p.until("fi")
		return n, err
	case "fi":
		p.pos += 2
		return n, nil
	default:
		return nil, p.errorf("expected \"fi\", found %q", p.peekOp())
	}
}

func (p *parser) forRest(f *For) error {
	p.blanks()
	f.Name = p.peekWord()
	if !isName(f.Name) {
		return p.errorf("expected a variable name, found %q", p.peekOp())
	}
	p.pos += len(f.Name)
	if err := p.blankLines(); err != nil {
		return err
	}
	if p.peekWord() == "in" {
		p.pos += 2
		f.In = true
		for {
			p.blanks()
			w, err := p.word()
			if err != nil {
				return err
			}
			if w == nil {
				break
			}
			f.Words = append(f.Words, w)
		}
	}
	p.blanks()
	if p.at(";") {
		p.pos++
	}
	if err := p.blankLines(); err != nil {
		return err
	}
	if p.peekWord() != "do" {
		return p.errorf("expected \"do\", found %q", p.peekOp())
	}
	p.pos += 2
	var err error
	f.Body, err = p.until("done")
	return err
}

func (p *parser) caseRest(c *Case) error {
	p.blanks()
	var err error
	if c.Word, err = p.word(); err != nil || c.Word == nil {
		return p.errorf("expected a word after \"case\"")
	}
	if err := p.blankLines(); err != nil {
		return err
	}
	if p.peekWord() != "in" {
		return p.errorf("expected \"in\", found %q", p.peekOp())
	}
	p.pos += 2
	for {
		if err := p.blankLines(); err != nil {
			return err
		}
		if p.peekWord() == "esac" {
			p.pos += 4
			return nil
		}
		item, err := p.caseItem()
		if err != nil {
			return err
		}
		c.Items = append(c.Items, item)
		if p.at(";;") {
			p.pos += 2
		} else if p.peekWord() != "esac" {
			return p.errorf("expected \";;\", found %q", p.peekOp())
		}
	}
}

func (p *parser) caseItem() (CaseItem, error) {
	var item CaseItem
	if p.at("(") {
		p.pos++
	}
	for {
		p.blanks()
		w, err := p.word()
		if err != nil || w == nil {
			return item, p.errorf("expected a pattern, found %q", p.peekOp())
		}
		item.Patterns = append(item.Patterns, w)
		p.blanks()
		if p.at("|") {
			p.pos++
			continue
		}
		if !p.at(")") {
			return item, p.errorf("expected \")\", found %q", p.peekOp())
		}
		p.pos++
		var errBody error
		item.Body, errBody = p.list()
		return item, errBody
	}
}

func (p *parser) simple() (Node, error) {
	c := &Simple{Pos: Pos{Off: p.script(p.pos)}}
	for {
		p.blanks()
		if r, ok, err := p.redir(); err != nil {
			return nil, err
		} else if ok {
			c.Redirs = append(c.Redirs, r)
			c.End = p.script(p.pos)
			continue
		}
		if len(c.Words) == 0 {
			if name, ok := p.assignment(); ok {
				p.pos += len(name) + 1
				if p.at("(") {
					return nil, p.errorf("arrays are not of the POSIX shell language")
				}
				v, err := p.word()
				if err != nil {
					return nil, err
				}
				c.Assigns = append(c.Assigns, Assign{name, v})
				c.End = p.script(p.pos)
				continue
			}
		}
		start := p.pos
		w, err := p.word()
		if err != nil {
			return nil, err
		}
		if w == nil {
			if p.at("(") && len(c.Words) == 1 && len(c.Assigns)+len(c.Redirs) == 0 {
				return p.function(c)
			}
			if len(c.Words)+len(c.Assigns)+len(c.Redirs) == 0 {
				return nil, p.errorf("expected a command, found %q", p.peekOp())
			}
			return c, nil
		}
		if p.pos == start {
			return nil, p.errorf("unexpected %q", p.peekOp())
		}
		c.Words = append(c.Words, w)
		c.End = p.script(p.pos)
	}
}

func (p *parser) function(c *Simple) (Node, error) {
	name, ok := c.Words[0].Literal()
	p.pos++
	p.blanks()
	if !ok || !p.at(")") {
		return nil, p.errorf("expected \")\", found %q", p.peekOp())
	}
	p.pos++
	if err := p.blankLines(); err != nil {
		return nil, err
	}
	body, err := p.command()
	if err != nil {
		return nil, err
	}
	return &Func{Pos{c.Off, p.script(p.pos)}, name, body}, nil
}

// assignment tells whether NAME= is ahead.
func (p *parser) assignment() (string, bool) {
	i := p.pos
	for i < len(p.src) && isNameByte(p.src[i], i == p.pos) {
		i++
	}
	if i == p.pos || i >= len(p.src) || p.src[i] != '=' {
		return "", false
	}
	return p.src[p.pos:i], true
}

func (p *parser) redir() (*Redir, bool, error) {
	p.blanks()
	start := p.pos
	i := p.pos
	for i < len(p.src) && p.src[i] >= '0' && p.src[i] <= '9' {
		i++
	}
	r := &Redir{FD: -1}
	if i > p.pos && i < len(p.src) && (p.src[i] == '<' || p.src[i] == '>') {
		r.FD, _ = strconv.Atoi(p.src[p.pos:min(i, p.pos+3)])
		p.pos = i
	}
	strip := false
	switch op := p.peekOp(); op {
	case "<", ">", ">>", "<>", ">|", "<&", ">&", "<<":
		r.Op = op
		p.pos += len(op)
	case "<<-":
		r.Op, strip = "<<", true
		p.pos += 3
	default:
		p.pos = start
		return nil, false, nil
	}
	if p.at("(") {
		return nil, false, p.errorf("process substitution is not of the POSIX shell language")
	}
	p.blanks()
	w, err := p.word()
	if err != nil {
		return nil, false, err
	}
	if w == nil {
		return nil, false, p.errorf("expected a file name, found %q", p.peekOp())
	}
	r.Target = w
	if r.Op == "<<" {
		h := &pending{redir: r, strip: strip, expand: true}
		for _, part := range w {
			l, ok := part.(Lit)
			if !ok {
				return nil, false, p.errorf("expansion in the delimiter of a here-document")
			}
			h.end += l.Text
			h.expand = h.expand && !l.Quoted
		}
		p.here = append(p.here, h)
	}
	return r, true, nil
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i], i == 0) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}
