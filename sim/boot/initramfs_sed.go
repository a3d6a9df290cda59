package boot

import (
	"regexp"
	"strconv"
	"strings"
)

// sedCommand is one command of a script for sed(1): s, d, p or q, for the lines that it is meant for.
type sedCommand struct {
	verb   byte
	line   int            // an address: this line; -1 is the last
	match  *regexp.Regexp // an address: lines that match
	re     *regexp.Regexp
	with   string // for [regexp.Regexp.Expand]
	all    bool
	print  bool
	invert bool // the address is followed by !
}

// sed edits lines as sed(1) does; XCU sed. A script with other commands is not followed.
func (in *shProcess) sed(flags, script string, lines []string) ctl {
	commands, ok := sedScript(script, strings.ContainsAny(flags, "rE"))
	if !ok || strings.Trim(flags, "nrE") != "" {
		return in.end("unknown.program-does", "program", "sed")
	}
	quiet := strings.Contains(flags, "n")
	var out []string
	quit := false
	for i, line := range lines {
		deleted := false
		for _, c := range commands {
			if !c.selects(line, i+1, i == len(lines)-1) {
				continue
			}
			switch c.verb {
			case 's':
				changed := c.substitute(&line)
				if changed && c.print {
					out = append(out, line)
				}
			case 'p':
				out = append(out, line)
			case 'd':
				deleted = true
			case 'q':
				quit = true
			}
			if deleted || quit {
				break
			}
		}
		if !deleted && !quiet {
			out = append(out, line)
		}
		if quit {
			break
		}
	}
	in.lines(out)
	return in.ok()
}

func (c *sedCommand) selects(line string, number int, last bool) bool {
	hit := true
	switch {
	case c.match != nil:
		hit = c.match.MatchString(line)
	case c.line == -1:
		hit = last
	case c.line > 0:
		hit = number == c.line
	}
	return hit != c.invert
}

// substitute replaces the first match, or with the flag g all.
func (c *sedCommand) substitute(line *string) bool {
	var out []byte
	rest, found := 0, false
	for _, at := range c.re.FindAllStringSubmatchIndex(*line, -1) {
		out = append(out, (*line)[rest:at[0]]...)
		out = c.re.ExpandString(out, c.with, *line, at)
		rest, found = at[1], true
		if !c.all {
			break
		}
	}
	if len(out)+len(*line) <= maxValue {
		*line = string(out) + (*line)[rest:]
	}
	return found
}

// sedScript parses a script; ok is false when it has a command that is not known here.
func sedScript(script string, extended bool) (out []sedCommand, ok bool) {
	rest := strings.TrimLeft(script, " \t\n;")
	for rest != "" {
		var c sedCommand
		var good bool
		if c, rest, good = sedOne(rest, extended); !good {
			return nil, false
		}
		out = append(out, c)
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ';' && rest[0] != '\n' {
			return nil, false
		}
		rest = strings.TrimLeft(rest, " \t\n;")
	}
	return out, len(out) > 0
}

func sedOne(s string, extended bool) (c sedCommand, rest string, ok bool) {
	switch {
	case s[0] == '$':
		c.line, s = -1, s[1:]
	case s[0] >= '0' && s[0] <= '9':
		end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			return c, "", false
		}
		c.line, _ = strconv.Atoi(s[:end])
		s = s[end:]
	case s[0] == '/':
		pattern, after, found := sedUntil(s[1:], '/')
		if c.match = sedRegexp(pattern, extended); !found || c.match == nil {
			return c, "", false
		}
		s = after
	}
	if s = strings.TrimLeft(s, " \t"); strings.HasPrefix(s, "!") {
		c.invert, s = true, strings.TrimLeft(s[1:], " \t")
	}
	if s == "" || strings.IndexByte("sdpq", s[0]) < 0 {
		return c, "", false
	}
	c.verb, s = s[0], s[1:]
	if c.verb != 's' {
		return c, s, true
	}
	return sedSubstitution(c, s, extended)
}

// sedSubstitution parses what follows an s: a delimiter, the pattern, the replacement, flags.
func sedSubstitution(c sedCommand, s string, extended bool) (sedCommand, string, bool) {
	if len(s) < 3 {
		return c, "", false
	}
	delim := s[0]
	pattern, s, ok1 := sedUntil(s[1:], delim)
	with, s, ok2 := sedUntil(s, delim)
	if c.re = sedRegexp(pattern, extended); !ok1 || !ok2 || c.re == nil {
		return c, "", false
	}
	c.with = sedReplacement(with)
	for s != "" && strings.IndexByte("gp", s[0]) >= 0 {
		c.all, c.print = c.all || s[0] == 'g', c.print || s[0] == 'p'
		s = s[1:]
	}
	return c, s, true
}

// sedUntil cuts at a delimiter that has no backslash before it and does not stand between brackets; a delimiter
// with one loses it.
func sedUntil(s string, delim byte) (text, rest string, ok bool) {
	var out strings.Builder
	bracket := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == delim && !bracket:
			return out.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && !bracket:
			if i++; s[i] != delim {
				out.WriteByte('\\')
			}
		case s[i] == '[' && strings.IndexByte(s[i:], ']') > 0:
			bracket = true
		case s[i] == ']':
			bracket = false
		}
		out.WriteByte(s[i])
	}
	return "", "", false
}

func sedRegexp(pattern string, extended bool) *regexp.Regexp {
	if !extended {
		pattern = basicToExtended(pattern)
	}
	re, err := regexp.Compile(wordEdges(pattern))
	if err != nil {
		return nil // as with a back reference, which matches what no automaton can
	}
	return re
}

// sedReplacement turns & and \1 into what Expand knows.
func sedReplacement(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$':
			out.WriteString("$$")
		case s[i] == '&':
			out.WriteString("${0}")
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch {
			case s[i] >= '0' && s[i] <= '9':
				out.WriteString("${" + s[i:i+1] + "}")
			case s[i] == 'n':
				out.WriteByte('\n') // GNU sed and BusyBox
			case s[i] == '$':
				out.WriteString("$$")
			default:
				out.WriteByte(s[i])
			}
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

// wordEdges writes \< and \> of GNU and BusyBox as what Go has.
func wordEdges(pattern string) string {
	return strings.NewReplacer(`\\`, `\\`, `\<`, `\b`, `\>`, `\b`).Replace(pattern)
}
