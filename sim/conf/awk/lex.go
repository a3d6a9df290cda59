package awk

import "strings"

// next reads a token.
func (p *parser) next() {
	p.after, p.before = p.tok.kind, p.tok.text
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == ' ' || c == '\t' || c == '\r':
			p.i++
			continue
		case c == '\\' && strings.HasPrefix(p.src[p.i+1:], "\n"):
			p.i += 2
			continue
		case c == '#':
			for p.i < len(p.src) && p.src[p.i] != '\n' {
				p.i++
			}
			continue
		case c == '\n':
			p.i++
			p.tok = token{tokNewline, "\n"}
		case c == '"':
			p.quoted('"', tokString)
		case c == '/' && p.regexAllowed():
			p.quoted('/', tokRegex)
		case c >= '0' && c <= '9', c == '.' && p.i+1 < len(p.src) && p.src[p.i+1] >= '0' && p.src[p.i+1] <= '9':
			n := numberPrefix(p.src[p.i:])
			p.tok = token{tokNumber, p.src[p.i : p.i+n]}
			p.i += n
		case isLetter(c):
			start := p.i
			for p.i < len(p.src) && (isLetter(p.src[p.i]) || p.src[p.i] >= '0' && p.src[p.i] <= '9') {
				p.i++
			}
			p.tok = token{tokName, p.src[start:p.i]}
		default:
			p.operator()
		}
		return
	}
	p.tok = token{kind: tokEOF}
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// regexAllowed: a slash divides after an operand and begins a regular expression elsewhere.
func (p *parser) regexAllowed() bool {
	switch p.after {
	case tokNumber, tokString, tokRegex:
		return false
	case tokName:
		return p.before == "print" || p.before == "printf"
	case tokOp:
		return p.before != ")" && p.before != "]" && p.before != "++" && p.before != "--"
	}
	return true
}

func (p *parser) operator() {
	for _, op := range [...]string{"&&", "||", "==", "!=", "<=", ">=", "!~", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", ">>"} {
		if strings.HasPrefix(p.src[p.i:], op) {
			p.tok = token{tokOp, op}
			p.i += 2
			return
		}
	}
	p.tok = token{tokOp, p.src[p.i : p.i+1]}
	p.i++
}

// quoted reads a string or a regular expression up to the mark that ends it. In a string the escapes are replaced;
// in a regular expression they stay, but that of the slash.
func (p *parser) quoted(mark byte, kind int) {
	var out strings.Builder
	for p.i++; p.i < len(p.src) && p.src[p.i] != mark && p.src[p.i] != '\n'; p.i++ {
		c := p.src[p.i]
		if c != '\\' || p.i+1 == len(p.src) {
			out.WriteByte(c)
			continue
		}
		p.i++
		switch c = p.src[p.i]; {
		case c == mark:
			out.WriteByte(c)
		case kind == tokRegex:
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteString(escape(c))
		}
	}
	if p.i >= len(p.src) || p.src[p.i] != mark {
		p.fail(unsupported("a string without an end"))
		return
	}
	p.i++
	p.tok = token{kind, out.String()}
}

func escape(c byte) string {
	const from, to = `\ntr/abfv`, "\\\n\t\r/\a\b\f\v"
	if i := strings.IndexByte(from, c); i >= 0 {
		return to[i : i+1]
	}
	return `\` + string(rune(c))
}
