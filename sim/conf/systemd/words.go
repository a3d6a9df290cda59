package systemd

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errQuote and errEscape are why a value cannot be split; systemd then ignores the assignment.
var (
	errQuote  = errors.New("unbalanced quoting")
	errEscape = errors.New("invalid escape sequence")
)

// wordFlags choose how [splitWords] treats backslashes.
type wordFlags int

const (
	retainEscapes wordFlags = iota // "\x2d" stays as it is: unit names
	cUnescape                      // C-style escapes are resolved: command lines
)

// splitWords splits at whitespace; quotes group and are removed. systemd.syntax(7) "Quoting" and
// systemd.service(5) "COMMAND LINES".
func splitWords(s string, flags wordFlags) ([]string, error) {
	var out []string
	for {
		w, rest, ok, err := firstWord(s, flags)
		if err != nil {
			return out, err
		}
		if !ok {
			return out, nil
		}
		out, s = append(out, w), rest
	}
}

func firstWord(s string, flags wordFlags) (word, rest string, ok bool, err error) {
	const space = " \t\n\r"
	s = strings.TrimLeft(s, space)
	if s == "" {
		return "", "", false, nil
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\' && flags == cUnescape:
			if i+1 >= len(s) {
				return "", "", false, errEscape
			}
			text, n, err := unescapeOne(s[i+1:])
			if err != nil {
				return "", "", false, err
			}
			b.WriteString(text)
			i += 1 + n
			continue
		case c == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i += 2
			continue
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				b.WriteByte(c)
			}
		case c == '"' || c == '\'':
			quote = c
		case strings.IndexByte(space, c) >= 0:
			return b.String(), s[i:], true, nil
		default:
			b.WriteByte(c)
		}
		i++
	}
	if quote != 0 {
		return "", "", false, errQuote
	}
	return b.String(), "", true, nil
}

// unescapeOne resolves one C-style escape after its backslash; n is what it consumed. The list is that
// of systemd.syntax(7) "Supported escapes".
func unescapeOne(s string) (text string, n int, err error) {
	simple := map[byte]string{'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
		'\\': "\\", '"': "\"", '\'': "'", 's': " "}
	if t, ok := simple[s[0]]; ok {
		return t, 1, nil
	}
	number := func(from, digits, base int) (uint64, bool) {
		if len(s) < from+digits {
			return 0, false
		}
		v, err := strconv.ParseUint(s[from:from+digits], base, 32)
		return v, err == nil && v != 0
	}
	switch s[0] {
	case 'x':
		if v, ok := number(1, 2, 16); ok {
			return string([]byte{byte(v)}), 3, nil
		}
	case 'u':
		if v, ok := number(1, 4, 16); ok && utf8.ValidRune(rune(v)) {
			return string(rune(v)), 5, nil
		}
	case 'U':
		if v, ok := number(1, 8, 16); ok && utf8.ValidRune(rune(v)) {
			return string(rune(v)), 9, nil
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		if v, ok := number(0, 3, 8); ok && v < 256 {
			return string([]byte{byte(v)}), 3, nil
		}
	}
	return "", 0, errEscape
}
