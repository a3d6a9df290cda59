package grub

// maxDepth bounds nested statements; GRUB's parser has a bound of its own (YYMAXDEPTH).
const maxDepth = 200

// Parse reads a script. A statement that GRUB cannot parse becomes a [*SyntaxError] among the nodes; the
// rest follows from the next line on, as GRUB goes on there.
func Parse(src string) []Node {
	p := &parser{lexer: lexer{src: src}}
	p.advance()
	var out []Node
	for p.tok.kind != tokEOF {
		if p.separator() {
			continue
		}
		n := p.statement(0)
		if p.err != nil {
			out = append(out, p.err)
			p.resync()
			continue
		}
		out = append(out, n)
		if !p.separator() && p.tok.kind != tokEOF {
			p.fail("the end of the statement")
			out[len(out)-1] = p.err
			p.resync()
		}
	}
	return out
}

type parser struct {
	lexer
	tok  token
	last int // where the token before ended
	err  *SyntaxError
}

func (p *parser) advance() {
	p.last = p.tok.End()
	p.tok = p.next()
}

// fail records the first error of the statement.
func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = &SyntaxError{want, p.tok.Span}
	}
}

// resync drops the rest of the line.
func (p *parser) resync() {
	p.err = nil
	for p.tok.kind != tokNewline && p.tok.kind != tokEOF {
		p.advance()
	}
}

// separator eats one ; or line end.
func (p *parser) separator() bool {
	if p.tok.kind == tokNewline || p.tok.kind == tokSemi {
		p.advance()
		return true
	}
	return false
}

// keyword eats the reserved word.
func (p *parser) keyword(w string) bool {
	if p.tok.kind != tokWord || p.tok.bare != w {
		p.fail(w)
		return false
	}
	p.advance()
	return true
}

func (p *parser) is(words ...string) bool {
	for _, w := range words {
		if p.tok.kind == tokWord && p.tok.bare == w {
			return true
		}
	}
	return false
}

// commands reads statements up to a word of stop or a closing brace.
func (p *parser) commands(depth int, stop ...string) []Node {
	var out []Node
	for p.err == nil {
		if p.separator() {
			continue
		}
		if p.tok.kind == tokEOF || p.tok.kind == tokClose || p.is(stop...) {
			return out
		}
		n := p.statement(depth)
		if p.err == nil {
			out = append(out, n)
		}
		if p.err == nil && p.tok.kind != tokClose && p.tok.kind != tokEOF && !p.separator() {
			p.fail("the end of the statement")
		}
	}
	return out
}

// statement reads a command, a compound command or a function definition.
func (p *parser) statement(depth int) Node {
	if depth > maxDepth {
		p.fail("fewer nested statements")
		return nil
	}
	start := p.tok.Off
	span := func() Span { return Span{start, max(p.last-start, 0)} }
	switch {
	case p.is("if"):
		p.advance()
		n := p.ifTail(start, depth)
		p.keyword("fi")
		n.Span = span()
		return n
	case p.is("while", "until"):
		n := &While{Until: p.tok.bare == "until"}
		p.advance()
		n.Cond = p.commands(depth+1, "do")
		p.keyword("do")
		n.Body = p.commands(depth+1, "done")
		p.keyword("done")
		n.Span = span()
		return n
	case p.is("for"):
		p.advance()
		n := &For{Name: p.name()}
		p.keyword("in")
		for p.err == nil && p.tok.kind == tokWord {
			n.Words = append(n.Words, p.tok.word)
			p.advance()
		}
		for p.separator() {
		}
		p.keyword("do")
		n.Body = p.commands(depth+1, "done")
		p.keyword("done")
		n.Span = span()
		return n
	case p.is("function"):
		p.advance()
		n := &Function{Name: p.name()}
		for p.tok.kind == tokNewline {
			p.advance()
		}
		if b := p.block(depth); b != nil {
			n.Body = b.Body
		}
		n.Span = span()
		return n
	}
	return p.command(start, depth)
}

// ifTail reads what follows "if" or "elif", without the final "fi".
func (p *parser) ifTail(start, depth int) *If {
	n := &If{}
	if depth > maxDepth {
		p.fail("fewer nested statements")
		return n
	}
	n.Cond = p.commands(depth+1, "then")
	n.Head = Span{start, max(p.last-start, 0)}
	p.keyword("then")
	n.Then = p.commands(depth+1, "else", "elif", "fi")
	switch {
	case p.err != nil:
	case p.is("else"):
		p.advance()
		n.Else = p.commands(depth+1, "fi")
	case p.is("elif"):
		at := p.tok.Off
		p.advance()
		e := p.ifTail(at, depth+1)
		e.Span = Span{at, max(p.last-at, 0)}
		n.Else = []Node{e}
	}
	n.Span = Span{start, max(p.last-start, 0)}
	return n
}

// name reads a NAME token.
func (p *parser) name() string {
	if p.tok.kind != tokWord || p.tok.bare == "" {
		p.fail("a name")
		return ""
	}
	name := p.tok.bare
	p.advance()
	return name
}

// block reads "{ … }".
func (p *parser) block(depth int) *Block {
	if p.tok.kind != tokOpen {
		p.fail("{")
		return nil
	}
	start := p.tok.Off
	p.advance()
	b := &Block{Body: p.commands(depth + 1)}
	if p.tok.kind != tokClose {
		p.fail("}")
		return nil
	}
	p.advance()
	b.Span = Span{start, p.last - start}
	return b
}

// reserved words cannot start a command; as arguments they are plain words.
func (p *parser) reserved() bool {
	return p.is("time", "case", "do", "done", "elif", "else", "esac", "fi", "in", "select", "then", "[[", "]]")
}

func (p *parser) command(start, depth int) Node {
	n := &Command{}
	if p.tok.kind != tokWord || p.reserved() {
		p.fail("a command")
		return n
	}
	for p.err == nil {
		switch p.tok.kind {
		case tokWord:
			n.Words = append(n.Words, p.tok.word)
			p.advance()
			continue
		case tokOpen:
			at := p.tok.Off
			if b := p.block(depth); b != nil {
				n.Words = append(n.Words, Word{Block: b, Span: Span{at, p.last - at}})
			}
		case tokBad:
			p.fail("a word")
		}
		break
	}
	n.Span = Span{start, max(p.last-start, 0)}
	return n
}
