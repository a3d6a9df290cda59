package sh

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Match tells whether a pattern of the shell (2.13: * ? [set] [!set] and \ before a character that
// means itself) matches all of name. It takes time of at most the product of the lengths.
func Match(pattern, name string) bool {
	ok, _ := match(pattern, name, math.MaxInt)
	return ok
}

// match tells also how many characters were compared; with more than most it gives up.
func match(pattern, name string, most int) (ok bool, work int) {
	star, back := -1, 0
	p, n := 0, 0
	for work = 1; n < len(name); work++ {
		if work > most {
			return false, work
		}
		if p < len(pattern) && pattern[p] == '[' {
			work += len(pattern) - p // where the set ends, if it does, is looked for each time
		}
		if p < len(pattern) && pattern[p] == '*' {
			star, back = p, n
			p++
			continue
		}
		if pw, nw, ok := one(pattern[p:], name[n:]); ok {
			p, n = p+pw, n+nw
			continue
		}
		if star < 0 {
			return false, work
		}
		_, w := utf8.DecodeRuneInString(name[back:])
		back += w
		p, n = star+1, back
	}
	return strings.Trim(pattern[p:], "*") == "", work
}

// one matches one character and returns the widths of the pattern's element and the character.
func one(pattern, name string) (pw, nw int, ok bool) {
	if pattern == "" {
		return 0, 0, false
	}
	r, nw := utf8.DecodeRuneInString(name)
	switch pattern[0] {
	case '?':
		return 1, nw, true
	case '[':
		if w, in, isSet := set(pattern, r); isSet {
			return w, nw, in
		}
	case '\\':
		if len(pattern) > 1 {
			q, w := utf8.DecodeRuneInString(pattern[1:])
			return 1 + w, nw, q == r
		}
	}
	q, w := utf8.DecodeRuneInString(pattern)
	return w, nw, q == r
}

// set reads a bracket expression; not a set when it is not closed.
func set(pattern string, r rune) (width int, in, ok bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != negated, true
		}
		if strings.HasPrefix(pattern[i:], "[:") {
			if end := strings.Index(pattern[i:], ":]"); end > 0 {
				in = in || class(pattern[i+2:i+end], r)
				i += end + 2
				continue
			}
		}
		lo, w := char(pattern[i:])
		i += w
		hi := lo
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, w = char(pattern[i+1:])
			i += 1 + w
		}
		in = in || lo <= r && r <= hi
	}
	return 0, false, false
}

func char(s string) (rune, int) {
	if s[0] == '\\' && len(s) > 1 {
		r, w := utf8.DecodeRuneInString(s[1:])
		return r, w + 1
	}
	return utf8.DecodeRuneInString(s)
}

// class is a character class of the POSIX locale.
func class(name string, r rune) bool {
	lower, upper, digit := r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9'
	switch name {
	case "alpha":
		return lower || upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "lower":
		return lower
	case "upper":
		return upper
	case "space":
		return r == ' ' || r >= '\t' && r <= '\r'
	case "blank":
		return r == ' ' || r == '\t'
	case "xdigit":
		return digit || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
	case "punct":
		return r > ' ' && r < 0x7f && !lower && !upper && !digit
	case "print":
		return r >= ' ' && r < 0x7f
	case "graph":
		return r > ' ' && r < 0x7f
	case "cntrl":
		return r < ' ' || r == 0x7f
	}
	return false
}

// Quote puts a \ before the characters that a pattern gives a meaning to.
func Quote(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\-!^`, s[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
