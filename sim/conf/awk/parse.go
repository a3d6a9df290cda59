package awk

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// token kinds.
const (
	tokEOF = iota
	tokNewline
	tokNumber
	tokString
	tokRegex
	tokName
	tokOp
)

type token struct {
	kind int
	text string
}

// functions are the built-in ones that are known; others are refused by name.
var functions = [...]string{"length", "substr", "index", "tolower", "toupper", "sub", "gsub", "sprintf", "match", "int"}

type parser struct {
	src    string
	i      int
	tok    token
	after  int // the kind of the token before, which tells a division from a regular expression
	before string
	depth  int
	noGT   bool // inside print: > is a redirection
	err    error
}

// Parse reads a program.
func Parse(src string) (*Program, error) {
	p := &parser{src: src}
	p.next()
	prog := &Program{}
	for p.skipNewlines(); p.err == nil && p.tok.kind != tokEOF; p.skipNewlines() {
		p.item(prog)
	}
	if p.err != nil {
		return nil, p.err
	}
	return prog, nil
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.tok = token{kind: tokEOF}
	p.i = len(p.src)
}

func (p *parser) unexpected() {
	if p.err == nil {
		p.fail(unsupported(fmt.Sprintf("%q is not understood here", p.tok.text)))
	}
}

// item is one rule of the program.
func (p *parser) item(prog *Program) {
	switch {
	case p.is(tokName, "BEGIN"):
		p.next()
		prog.begin = append(prog.begin, p.block()...)
	case p.is(tokName, "END"):
		p.next()
		prog.end = append(prog.end, p.block()...)
	case p.is(tokName, "function"), p.is(tokName, "func"):
		p.fail(unsupported("functions of the program"))
	default:
		r := rule{prints: true}
		if !p.is(tokOp, "{") {
			r.pattern = p.expression()
			if p.take(",") {
				p.skipNewlines()
				r.to = p.expression()
			}
		}
		if p.is(tokOp, "{") {
			r.prints, r.action = false, p.block()
		}
		prog.rules = append(prog.rules, r)
	}
}

// block is { statements }.
func (p *parser) block() []stmt {
	if p.depth++; p.depth > maxDepth {
		p.fail(unsupported("nested too deep"))
	}
	defer func() { p.depth-- }()
	if !p.take("{") {
		p.unexpected()
	}
	var out []stmt
	for p.skipTerminators(); p.err == nil && !p.is(tokOp, "}"); p.skipTerminators() {
		if p.tok.kind == tokEOF {
			p.unexpected()
			return nil
		}
		out = append(out, p.statement())
	}
	p.take("}")
	return out
}

// body is a block or one statement.
func (p *parser) body() []stmt {
	p.skipNewlines()
	if p.is(tokOp, "{") {
		return p.block()
	}
	if p.take(";") {
		return nil
	}
	if p.depth++; p.depth > maxDepth {
		p.fail(unsupported("nested too deep"))
	}
	defer func() { p.depth-- }()
	return []stmt{p.statement()}
}

func (p *parser) statement() stmt {
	switch word := p.tok.text; {
	case p.tok.kind != tokName:
	case word == "print" || word == "printf":
		return p.print(word)
	case word == "next":
		p.next()
		return stmt{op: "next"}
	case word == "exit":
		p.next()
		st := stmt{op: "exit"}
		if !p.ends() {
			st.args = []expr{p.expression()}
		}
		return st
	case word == "if":
		p.next()
		st := stmt{op: "if", args: []expr{p.group()}, body: p.body()}
		save, tok, after, before := p.i, p.tok, p.after, p.before
		p.skipTerminators()
		if !p.is(tokName, "else") {
			p.i, p.tok, p.after, p.before = save, tok, after, before
			return st
		}
		p.next()
		st.more = p.body()
		return st
	case word == "while":
		p.next()
		return stmt{op: "while", args: []expr{p.group()}, body: p.body()}
	case word == "for":
		return p.forLoop()
	case slices.Contains([]string{"getline", "delete", "do", "break", "continue", "return", "in"}, word):
		p.fail(unsupported(word))
		return stmt{}
	}
	return stmt{op: "expr", args: []expr{p.expression()}}
}

func (p *parser) forLoop() stmt {
	p.next()
	st := stmt{op: "for"}
	if !p.take("(") {
		p.unexpected()
	}
	if !p.is(tokOp, ";") {
		st.init = []stmt{p.statement()}
	}
	if !p.take(";") { // also for (key in array)
		p.unexpected()
	}
	if !p.is(tokOp, ";") {
		st.args = []expr{p.expression()}
	}
	if !p.take(";") {
		p.unexpected()
	}
	if !p.is(tokOp, ")") {
		st.step = []stmt{p.statement()}
	}
	if !p.take(")") {
		p.unexpected()
	}
	st.body = p.body()
	return st
}

// print is print or printf with its list, in parentheses or not.
func (p *parser) print(word string) stmt {
	p.next()
	st := stmt{op: word}
	p.noGT = true
	for !p.ends() && p.err == nil {
		st.args = append(st.args, p.expression())
		if !p.take(",") {
			break
		}
		p.skipNewlines()
	}
	p.noGT = false
	if len(st.args) == 1 {
		if list, ok := st.args[0].(call); ok && list.name == "" {
			st.args = list.args
		}
	}
	switch {
	case p.is(tokOp, ">"), p.is(tokOp, ">>"), p.is(tokOp, "|"):
		p.fail(unsupported("output to " + p.tok.text))
	case word == "printf" && len(st.args) == 0:
		p.unexpected()
	case !p.ends():
		p.unexpected()
	}
	return st
}

func (p *parser) group() expr {
	if !p.take("(") {
		p.unexpected()
	}
	e := p.expression()
	if !p.take(")") {
		p.unexpected()
	}
	return e
}

// expression is an assignment or what binds stronger.
func (p *parser) expression() expr {
	if p.depth++; p.depth > maxDepth {
		p.fail(unsupported("nested too deep"))
		return number(0)
	}
	defer func() { p.depth-- }()
	cond := p.binary(0)
	if p.take("?") {
		p.skipNewlines()
		yes := p.expression()
		p.skipNewlines()
		if !p.take(":") {
			p.unexpected()
		}
		p.skipNewlines()
		return ternary{cond, yes, p.expression()}
	}
	for _, op := range [...]string{"=", "+=", "-=", "*=", "/=", "%=", "^="} {
		if p.is(tokOp, op) && assignable(cond) {
			p.next()
			return assign{op: strings.TrimSuffix(op, "="), to: cond, value: p.expression()}
		}
	}
	return cond
}

func assignable(e expr) bool {
	switch e.(type) {
	case name, field:
		return true
	}
	return false
}

// levels are the operators from the weakest on; concatenation, which has none, lies after the comparisons.
var levels = [...][]string{{"||"}, {"&&"}, {"~", "!~"}, {"<", "<=", "==", "!=", ">", ">="}, nil, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) binary(level int) expr {
	if level == len(levels) {
		return p.unary()
	}
	a := p.binary(level + 1)
	for p.err == nil {
		if levels[level] == nil {
			if !p.startsOperand() {
				return a
			}
			a = binary{"", a, p.binary(level + 1)}
			continue
		}
		op := p.tok.text
		if p.tok.kind != tokOp || !slices.Contains(levels[level], op) || op == ">" && p.noGT {
			return a
		}
		p.next()
		if op == "||" || op == "&&" {
			p.skipNewlines()
		}
		a = binary{op, a, p.binary(level + 1)}
	}
	return a
}

// startsOperand tells whether what follows is concatenated.
func (p *parser) startsOperand() bool {
	switch p.tok.kind {
	case tokNumber, tokString, tokName:
		return p.tok.text != "in" && p.tok.text != "getline" || p.tok.kind != tokName
	case tokOp:
		return p.tok.text == "$" || p.tok.text == "(" || p.tok.text == "!"
	}
	return false
}

func (p *parser) unary() expr {
	if p.depth++; p.depth > maxDepth {
		p.fail(unsupported("nested too deep"))
		return number(0)
	}
	defer func() { p.depth-- }()
	for _, op := range [...]string{"!", "-", "+"} {
		if p.take(op) {
			return unary{op, p.unary()}
		}
	}
	for _, op := range [...]string{"++", "--"} {
		if p.take(op) {
			to := p.unary()
			if !assignable(to) {
				p.unexpected()
			}
			return assign{op: op[:1], to: to, value: number(1)}
		}
	}
	e := p.postfix()
	if p.take("^") {
		return binary{"^", e, p.unary()}
	}
	return e
}

func (p *parser) postfix() expr {
	e := p.primary()
	for _, op := range [...]string{"++", "--"} {
		if assignable(e) && p.take(op) {
			return assign{op: op[:1], to: e, value: number(1), before: true}
		}
	}
	return e
}

func (p *parser) primary() expr {
	tok := p.tok
	switch tok.kind {
	case tokNumber:
		p.next()
		n, _ := strconv.ParseFloat(tok.text, 64)
		return number(n)
	case tokString:
		p.next()
		return text(tok.text)
	case tokRegex:
		p.next()
		return p.compile(tok.text)
	case tokName:
		return p.named(tok.text)
	}
	switch {
	case p.take("$"):
		return field{p.operandOfField()}
	case p.take("("):
		gt := p.noGT
		p.noGT = false
		e := p.expression()
		list := []expr{e}
		for p.take(",") {
			p.skipNewlines()
			list = append(list, p.expression())
		}
		if !p.take(")") {
			p.unexpected()
		}
		p.noGT = gt
		if len(list) > 1 {
			return call{args: list} // print's list in parentheses; nothing else evaluates it
		}
		return e
	}
	p.unexpected()
	return number(0)
}

// operandOfField is what $ binds to: $NF, $(NF-1), $++i.
func (p *parser) operandOfField() expr {
	if p.depth++; p.depth > maxDepth {
		p.fail(unsupported("nested too deep"))
		return number(0)
	}
	defer func() { p.depth-- }()
	for _, op := range [...]string{"-", "+"} {
		if p.take(op) {
			return unary{op, p.operandOfField()}
		}
	}
	return p.primary()
}

// named is a variable or a call of a function.
func (p *parser) named(word string) expr {
	p.next()
	if !slices.Contains(functions[:], word) {
		switch {
		case p.is(tokOp, "["):
			p.fail(unsupported("arrays"))
		case p.is(tokOp, "(") && p.src[p.i-2:p.i-1] != " ":
			p.fail(unsupported("the function " + word))
		case slices.Contains([]string{"getline", "in", "function", "delete", "print", "printf", "if", "else", "while", "for", "do", "next", "exit", "BEGIN", "END"}, word):
			p.tok.text = word
			p.unexpected()
		}
		return name(word)
	}
	c := call{name: word}
	if !p.take("(") {
		if word != "length" {
			p.unexpected()
		}
		return c
	}
	gt := p.noGT
	p.noGT = false
	for p.skipNewlines(); p.err == nil && !p.is(tokOp, ")"); {
		c.args = append(c.args, p.expression())
		if !p.take(",") {
			break
		}
		p.skipNewlines()
	}
	if !p.take(")") {
		p.unexpected()
	}
	p.noGT = gt
	if (word == "sub" || word == "gsub") && len(c.args) == 3 && !assignable(c.args[2]) {
		p.unexpected()
	}
	return c
}

// compile reads an extended regular expression: XBD 9.4, the leftmost-longest match.
func (p *parser) compile(ere string) expr {
	re, err := regexp.CompilePOSIX(ere)
	if err != nil {
		p.fail(unsupported("the regular expression " + strconv.Quote(ere)))
		return number(0)
	}
	return regex{re}
}

func (p *parser) is(kind int, text string) bool { return p.tok.kind == kind && p.tok.text == text }

func (p *parser) take(op string) bool {
	if !p.is(tokOp, op) {
		return false
	}
	p.next()
	return true
}

// ends tells whether a statement is over.
func (p *parser) ends() bool {
	return p.tok.kind == tokEOF || p.tok.kind == tokNewline || p.is(tokOp, ";") || p.is(tokOp, "}") ||
		p.is(tokOp, ">") || p.is(tokOp, ">>") || p.is(tokOp, "|")
}

func (p *parser) skipNewlines() {
	for p.tok.kind == tokNewline && p.err == nil {
		p.next()
	}
}

func (p *parser) skipTerminators() {
	for (p.tok.kind == tokNewline || p.is(tokOp, ";")) && p.err == nil {
		p.next()
	}
}
