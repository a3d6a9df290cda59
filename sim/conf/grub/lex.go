package grub

import "strings"

type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokNewline           // end of line
	tokSemi              // ;
	tokOpen              // {
	tokClose             // }
	tokWord
	tokBad // what no rule of the grammar accepts: | & < > or an unclosed quote
)

type token struct {
	kind tokenKind
	word Word
	bare string // the text of a word that is one unquoted piece: may be reserved
	Span
}

type lexer struct {
	src string
	pos int
}

// special ends a word: CHAR of yylex.l is anything but these.
const special = "{}|&$;<> \t\n'\"\\"

func (l *lexer) next() token {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			l.pos++
		case c == '\\' && strings.HasPrefix(l.src[l.pos:], "\\\n"):
			l.pos += 2 // a line that goes on
		case c == '#': // only at the start of a token; inside a word it is text
			if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
				l.pos += i
			} else {
				l.pos = len(l.src)
			}
		default:
			return l.token(c)
		}
	}
	return token{kind: tokEOF, Span: Span{l.pos, 0}}
}

func (l *lexer) token(c byte) token {
	kind := tokBad
	switch c {
	case '\n':
		kind = tokNewline
	case ';':
		kind = tokSemi
	case '{':
		kind = tokOpen
	case '}':
		kind = tokClose
	case '|', '&', '<', '>':
	default:
		return l.word()
	}
	l.pos++
	if kind == tokSemi && l.pos < len(l.src) && l.src[l.pos] == ';' { // ";;" is a token of its own
		l.pos++
		return token{kind: tokBad, Span: Span{l.pos - 2, 2}}
	}
	return token{kind: kind, Span: Span{l.pos - 1, 1}}
}

// word reads a WORD: characters, quoted strings, escapes and variables without space between.
func (l *lexer) word() token {
	start := l.pos
	t := token{kind: tokWord}
	add := func(k PartKind, text string, from int) {
		t.word.Parts = append(t.word.Parts, Part{k, text, Span{from, l.pos - from}})
	}
	for l.pos < len(l.src) {
		from := l.pos
		switch c := l.src[l.pos]; {
		case c == '\'':
			end := strings.IndexByte(l.src[l.pos+1:], '\'')
			if end < 0 {
				return l.bad(start)
			}
			text := l.src[l.pos+1 : l.pos+1+end]
			l.pos += end + 2
			add(Quoted, text, from)
		case c == '"':
			if !l.double(&t.word) {
				return l.bad(start)
			}
		case c == '\\':
			if l.pos+1 >= len(l.src) {
				return l.bad(start)
			}
			esc := l.src[l.pos+1]
			l.pos += 2
			if esc != '\n' {
				add(Quoted, string(esc), from)
			}
		case c == '$':
			name := variable(l.src[l.pos:])
			if name == "" {
				return l.bad(start)
			}
			l.pos += len(name)
			add(Var, strings.Trim(name, "${}"), from)
		case strings.IndexByte(special, c) >= 0:
			return l.done(t, start)
		default:
			for l.pos < len(l.src) && strings.IndexByte(special, l.src[l.pos]) < 0 && l.src[l.pos] != '\r' {
				l.pos++
			}
			if l.pos == from { // a carriage return ends a word here
				return l.done(t, start)
			}
			add(Text, l.src[from:l.pos], from)
		}
	}
	return l.done(t, start)
}

func (l *lexer) done(t token, start int) token {
	t.Span = Span{start, l.pos - start}
	t.word.Span = t.Span
	if len(t.word.Parts) == 1 && t.word.Parts[0].Kind == Text {
		t.bare = t.word.Parts[0].Text
	}
	return t
}

// bad is an unclosed quote or a lone $: the rest of the line is lost.
func (l *lexer) bad(start int) token {
	if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
		l.pos += i
	} else {
		l.pos = len(l.src)
	}
	return token{kind: tokBad, Span: Span{start, l.pos - start}}
}

// double reads a double-quoted string; inside, \ quotes only $ \ " and a line end.
func (l *lexer) double(w *Word) bool {
	open := l.pos
	l.pos++
	from := l.pos
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			w.Parts = append(w.Parts, Part{Quoted, text.String(), Span{from, l.pos - from}})
			text.Reset()
		}
	}
	parts := len(w.Parts)
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '"':
			flush()
			l.pos++
			if len(w.Parts) == parts { // "" is an argument, empty
				w.Parts = append(w.Parts, Part{Quoted, "", Span{open, l.pos - open}})
			}
			return true
		case c == '\\' && l.pos+1 < len(l.src):
			if esc := l.src[l.pos+1]; strings.IndexByte("$\\\"", esc) >= 0 {
				text.WriteByte(esc)
			} else if esc != '\n' {
				text.WriteByte('\\')
				text.WriteByte(esc)
			}
			l.pos += 2
		case c == '$':
			name := variable(l.src[l.pos:])
			if name == "" {
				return false
			}
			flush()
			at := l.pos
			l.pos += len(name)
			w.Parts = append(w.Parts, Part{QuotedVar, strings.Trim(name, "${}"), Span{at, len(name)}})
			from = l.pos
		default:
			text.WriteByte(c)
			l.pos++
		}
	}
	return false
}

// variable returns the VARIABLE at the start of s with its $ and braces, "" when there is none.
func variable(s string) string {
	i, braced := 1, len(s) > 1 && s[1] == '{'
	if braced {
		i++
	}
	if i >= len(s) {
		return ""
	}
	end := i
	switch c := s[i]; {
	case strings.IndexByte("?#*@", c) >= 0:
		end = i + 1
	case isDigit(c):
		for end < len(s) && isDigit(s[end]) {
			end++
		}
	case isName(c):
		for end < len(s) && (isName(s[end]) || isDigit(s[end])) {
			end++
		}
	default:
		return ""
	}
	if braced {
		if end >= len(s) || s[end] != '}' {
			return ""
		}
		end++
	}
	return s[:end]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isName(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
