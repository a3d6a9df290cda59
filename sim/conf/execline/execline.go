// Package execline parses scripts of execline, the language in which the start scripts of s6 are written: execlineb(1).
// A script is one command line, read at once: each program of it runs and then becomes the next one. Blocks, which stand in
// braces, are arguments: their words begin with a space, and an empty word ends them.
//
// It does not run anything.
package execline

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds on what is believed.
const (
	maxSize  = 256 << 10 // bytes of a script, and of a command line after substitution
	maxWords = 10_000
	maxDepth = 100 // blocks inside blocks
)

// Word is one argument: for each block around it a space, then its text. The empty text ends a block.
type Word struct {
	Off, End int // bytes of the script
	Text     string
}

// SyntaxError is a script that execlineb refuses, with its words.
type SyntaxError struct {
	Off int
	Msg string // `unmatched }`, `unmatched {`, "syntax error"; else what bootpath does not take
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("offset %d: %s", e.Off, e.Msg) }

// Parse reads a script: execlineb(1), "Syntax of scripts".
func Parse(src string) ([]Word, error) {
	if len(src) > maxSize {
		return nil, &SyntaxError{0, fmt.Sprintf("a script of %d bytes, at most %d are read", len(src), maxSize)}
	}
	src, _, _ = strings.Cut(src, "\x00") // which ends it
	var words []Word
	depth := 0
	for pos := skip(src, 0); pos < len(src); pos = skip(src, pos) {
		w, err := word(src, pos)
		if err != nil {
			return nil, err
		}
		plain := src[pos:w.End]
		switch {
		case plain == "{" && w.End == len(src): // nothing may follow, but something must
			return nil, &SyntaxError{pos, "syntax error"}
		case plain == "{":
			depth++
		case plain == "}":
			if depth--; depth < 0 {
				return nil, &SyntaxError{pos, "unmatched }"}
			}
			w.Text = strings.Repeat(" ", depth)
			words = append(words, w)
		default:
			w.Text = strings.Repeat(" ", depth) + w.Text
			words = append(words, w)
		}
		if len(words) > maxWords || depth > maxDepth {
			return nil, &SyntaxError{pos, "more words or blocks than are read"}
		}
		pos = w.End
	}
	if depth > 0 {
		return nil, &SyntaxError{len(src), "unmatched {"}
	}
	return words, nil
}

// skip goes over white space, which is every character up to the space, and comments.
func skip(src string, pos int) int {
	for pos < len(src) {
		switch {
		case src[pos] <= ' ':
			pos++
		case src[pos] == '#':
			if i := strings.IndexByte(src[pos:], '\n'); i >= 0 {
				pos += i
			} else {
				return len(src)
			}
		default:
			return pos
		}
	}
	return pos
}

// word reads one word: a backslash quotes one character, quotation marks quote all but backslashes.
func word(src string, pos int) (Word, error) {
	w := Word{Off: pos}
	var text strings.Builder
	quoted := false
	for pos < len(src) && (quoted || src[pos] > ' ') {
		switch c := src[pos]; {
		case c == '"':
			quoted = !quoted
			pos++
		case c != '\\':
			text.WriteByte(c)
			pos++
		case pos+1 == len(src):
			return w, &SyntaxError{pos, "syntax error"}
		case !quoted:
			text.WriteByte(src[pos+1])
			pos += 2
		default:
			s, n := escape(src[pos+1:])
			if n == 0 {
				return w, &SyntaxError{pos, "syntax error"}
			}
			text.WriteString(s)
			pos += 1 + n
		}
	}
	if quoted {
		return w, &SyntaxError{w.Off, "syntax error"}
	}
	w.End, w.Text = pos, text.String()
	return w, nil
}

// escape reads what follows a backslash between quotation marks and returns it with its length, 0 for an error. A number is
// decimal, octal after 0 or hexadecimal after 0x.
func escape(s string) (text string, n int) {
	if i := strings.IndexByte("abtnvfr", s[0]); i >= 0 {
		return string(rune(7 + i)), 1
	}
	switch {
	case s[0] == '\n':
		return "", 1 // the line goes on
	case s[0] >= '1' && s[0] <= '9':
		return number(s, 0, 3, 10)
	case strings.HasPrefix(s, "0x"):
		return number(s, 2, 2, 16)
	case s[0] == '0':
		return number(s, 1, 3, 8)
	}
	return s[:1], 1
}

func number(s string, from, most, base int) (text string, n int) {
	digits := "0123456789abcdefABCDEF"[:map[int]int{8: 8, 10: 10, 16: 22}[base]]
	for n = from; n < len(s) && n < from+most && strings.IndexByte(digits, s[n]) >= 0; n++ {
	}
	if n == from {
		return "", 0
	}
	v, _ := strconv.ParseUint(s[from:n], base, 32)
	return string([]byte{byte(v)}), n
}

// Block takes the first block off a command line: its words with one space less, and what follows. ok is false when it has
// no end. Words that belong to no block are taken as they are, as execline does unless it is told to be strict.
func Block(argv []Word) (block, rest []Word, ok bool) {
	for i, w := range argv {
		if w.Text == "" {
			return argv[:i:i], argv[i+1:], true
		}
		if w.Text[0] == ' ' {
			argv[i].Text = w.Text[1:]
		}
	}
	return argv, nil, false
}

// Texts are the words as they are handed to a program.
func Texts(argv []Word) []string {
	out := make([]string, len(argv))
	for i, w := range argv {
		out[i] = w.Text
	}
	return out
}
