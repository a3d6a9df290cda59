package bls

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// Tries is the boot counter in a file name: "+LEFT-DONE" before the suffix.
type Tries struct {
	Counting   bool
	Left, Done int64
	Next       string // the name that systemd-boot gives the file before it starts the entry
}

// ParseTries reads the counter of a file name. A name without one does not count. Boot Loader
// Specification, "Boot counting"; systemd-boot(7), "Boot counting".
func ParseTries(file, suffix string) Tries {
	plus := strings.LastIndexByte(file, '+')
	if plus < 0 {
		return Tries{}
	}
	left, rest, ok := number(file[plus+1:])
	done := int64(0)
	if ok && strings.HasPrefix(rest, "-") {
		done, rest, ok = number(rest[1:])
	}
	if !ok || rest != suffix {
		return Tries{}
	}
	return Tries{true, left, done,
		file[:plus+1] + strconv.FormatInt(max(left-1, 0), 10) + "-" + strconv.FormatInt(min(done+1, math.MaxInt32), 10) + suffix}
}

// number reads decimal digits that make an int.
func number(s string) (int64, string, bool) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	v, err := strconv.ParseInt(s[:n], 10, 32)
	return v, s[n:], err == nil
}

// CompareVersions orders version strings: UAPI Version Format Specification. Parts of digits and of
// letters are compared one after the other; "~" makes a part older than nothing, "-", "^" and "." start
// parts that are older than one that follows without them.
func CompareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, notVersion), strings.TrimLeftFunc(b, notVersion)
		if c := separator(&a, &b, '~'); c != 0 {
			return c
		}
		if a == "" || b == "" {
			return compareBool(a != "", b != "")
		}
		for _, sep := range []byte("-^.") {
			if c := separator(&a, &b, sep); c != 0 {
				return c
			}
		}
		part := isLetter
		digits := a != "" && isDigit(a[0]) || b != "" && isDigit(b[0])
		if digits {
			part = isDigit
		}
		x, y := lead(&a, part), lead(&b, part)
		if c := compareParts(x, y, digits); c != 0 {
			return c
		}
	}
}

func compareParts(x, y string, digits bool) int {
	if !digits { // of two that begin alike the longer is newer, which is how strings compare
		return cmp.Compare(x, y)
	}
	if c := compareBool(x != "", y != ""); c != 0 {
		return c // a number is newer than letters
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

// separator takes sep off both; if one alone has it, that one is older.
func separator(a, b *string, sep byte) int {
	x, y := strings.HasPrefix(*a, string(sep)), strings.HasPrefix(*b, string(sep))
	if x && y {
		*a, *b = (*a)[1:], (*b)[1:]
	}
	return compareBool(!x, !y)
}

// lead cuts the run of characters of one kind from the front.
func lead(s *string, is func(byte) bool) string {
	n := 0
	for n < len(*s) && is((*s)[n]) {
		n++
	}
	out := (*s)[:n]
	*s = (*s)[n:]
	return out
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func notVersion(r rune) bool {
	return r > 0x7f || !isDigit(byte(r)) && !isLetter(byte(r)) && !strings.ContainsRune("~-^.", r)
}

// Match tells whether a glob fits the whole of s: "?", "*", "[set]" with ranges, and a backslash before a
// character that is meant. loader.conf(5), default.
func Match(pattern, s string) bool {
	p, h := []rune(pattern), []rune(s)
	star, from := -1, 0 // where to go on after a part behind the last "*" did not fit
	i, k := 0, 0
	for k < len(h) || i < len(p) {
		if i < len(p) && p[i] == '*' {
			star, from = i+1, k
			i++
			continue
		}
		if i < len(p) && k < len(h) {
			if n := matchOne(p[i:], h[k]); n > 0 {
				i, k = i+n, k+1
				continue
			}
		}
		if star < 0 || from >= len(h) {
			return false
		}
		from++
		i, k = star, from
	}
	return true
}

// matchOne matches one character that is no "*" and returns how much of the pattern that took, 0 when it
// does not fit.
func matchOne(p []rune, c rune) int {
	switch p[0] {
	case '?':
		return 1
	case '\\':
		if len(p) > 1 && p[1] == c {
			return 2
		}
		return 0
	case '[':
		return matchSet(p, c)
	}
	if p[0] == c {
		return 1
	}
	return 0
}

func matchSet(p []rune, c rune) int {
	match, canRange := false, true
	for i := 1; i < len(p); i++ {
		switch {
		case p[i] == ']' && i > 1:
			if match {
				return i + 1
			}
			return 0
		case p[i] == '\\':
			if i++; i == len(p) {
				return 0
			}
			match, canRange = match || p[i] == c, true
		case p[i] == '-' && canRange && i > 1 && i+1 < len(p) && p[i+1] != ']':
			low := p[i-1]
			if i++; p[i] == '\\' {
				if i++; i == len(p) {
					return 0
				}
			}
			match, canRange = match || low <= c && c <= p[i], false
		default:
			match, canRange = match || p[i] == c, true
		}
	}
	return 0 // the set does not end
}
