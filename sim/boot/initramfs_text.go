package boot

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// patterns gives grep's pattern and sed's script, from -e or the first operand, and the operands that remain.
func patterns(name string, values map[byte]string, rest []string) (pattern, sed string, left []string) {
	first := func(given string) string {
		if given == "" && len(rest) > 0 {
			given, rest = rest[0], rest[1:]
		}
		return given
	}
	if strings.HasSuffix(name, "grep") {
		pattern = first(values['e'])
	}
	if sed = values['e']; name == "sed" {
		sed = first(sed)
	}
	return pattern, sed, rest
}

// textProgram filters lines: grep, cut, head, tail, tr, wc, sort, seq and tee of XCU, with the options that
// start scripts use.
func (in *shProcess) textProgram(words []string) ctl {
	name := path.Base(words[0])
	if name == "tail" && len(words) == 3 && words[1] == "-f" {
		return in.tailFollow(words[2])
	}
	if name == "seq" {
		return in.seq(words[1:])
	}
	valued := map[string]string{"cut": "dfc", "head": "nc", "tail": "nc", "grep": "em", "egrep": "em", "fgrep": "em", "sort": "kt", "sed": "e"}[name]
	flags, values, rest := optArgs(words, valued)
	pattern, sed, rest := patterns(name, values, rest)
	sets := rest
	if name == "tr" || name == "tee" {
		rest = nil
	}
	shown := in.stderr
	if strings.Contains(name, "grep") && strings.Contains(flags, "s") {
		in.stderr = &sink{kind: "null"} // not a word about files that cannot be read
	}
	text, c := in.inputOf(name, rest)
	in.stderr = shown
	if c != ctlNone || in.status != 0 && text == "" && len(rest) > 0 {
		return c
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	in.status = 0
	switch name {
	case "grep", "egrep", "fgrep":
		return in.grep(name, flags, pattern, lines)
	case "sed":
		return in.sed(flags, sed, lines)
	case "cut":
		return in.cut(values, lines)
	case "head", "tail":
		n := 10
		if v, err := strconv.Atoi(strings.TrimLeft(values['n'], "-+")); err == nil {
			n = v
		} else if v, err := strconv.Atoi(flags); err == nil {
			n = v
		}
		n = min(n, len(lines))
		if name == "tail" {
			lines = lines[len(lines)-n:]
		} else {
			lines = lines[:n]
		}
		in.lines(lines)
	case "wc":
		if flags != "l" {
			return in.end("what wc counts (" + in.where() + ")")
		}
		in.out("%d\n", strings.Count(text, "\n"))
	case "sort":
		if strings.Trim(flags, "ur") != "" || len(values) > 0 {
			return in.end("how sort orders these lines (" + in.where() + ")")
		}
		slices.Sort(lines)
		if strings.Contains(flags, "u") {
			lines = slices.Compact(lines)
		}
		if strings.Contains(flags, "r") {
			slices.Reverse(lines)
		}
		in.lines(lines)
	case "tr":
		return in.tr(flags, sets, text)
	case "tee":
		in.print(in.stdout, text)
	}
	return ctlNone
}

// inputOf is what a filter reads: its files or the standard input.
func (in *shProcess) inputOf(name string, files []string) (string, ctl) {
	in.status = 0
	if len(files) == 0 {
		if in.stdin == nil {
			return "", in.end("what is typed at the console: the start waits for it (" + in.where() + ")")
		}
		text := in.stdin.rest
		in.stdin = &input{}
		return text, ctlNone
	}
	var out strings.Builder
	for _, f := range files {
		text, ok := in.readFile(f)
		if !ok {
			if strings.HasPrefix(in.abs(f), "/proc/") {
				return "", in.end("what the kernel says in " + f + " (" + in.where() + ")")
			}
			in.err("%s: %s: No such file or directory\n", name, f)
			in.status = 2
			continue
		}
		out.WriteString(text)
	}
	return out.String(), ctlNone
}

func (in *shProcess) lines(lines []string) {
	if len(lines) > 0 {
		in.print(in.stdout, strings.Join(lines, "\n")+"\n")
	}
}

func (in *shProcess) grep(name, flags, pattern string, lines []string) ctl {
	expr := pattern
	switch {
	case name == "fgrep" || strings.Contains(flags, "F"):
		expr = regexp.QuoteMeta(pattern)
	case name != "egrep" && !strings.Contains(flags, "E"):
		expr = basicToExtended(pattern)
	}
	if strings.Contains(flags, "w") {
		expr = `\b(?:` + expr + `)\b`
	}
	if strings.Contains(flags, "x") {
		expr = `^(?:` + expr + `)$`
	}
	if strings.Contains(flags, "i") {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return in.end("what grep finds with " + strconv.Quote(pattern) + " (" + in.where() + ")")
	}
	var hits []string
	for _, l := range lines {
		if re.MatchString(l) == strings.Contains(flags, "v") {
			continue
		}
		if strings.Contains(flags, "o") {
			hits = append(hits, re.FindAllString(l, -1)...)
		} else {
			hits = append(hits, l)
		}
	}
	switch {
	case strings.Contains(flags, "q"):
	case strings.Contains(flags, "c"):
		in.out("%d\n", len(hits))
	default:
		in.lines(hits)
	}
	if len(hits) == 0 {
		return in.failed()
	}
	return in.ok()
}

// basicToExtended turns a basic regular expression (XBD 9.3) into an extended one.
func basicToExtended(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '[':
			end := strings.IndexByte(s[min(i+2, len(s)):], ']')
			if end < 0 {
				out.WriteString(`\[`)
				continue
			}
			out.WriteString(s[i : i+2+end+1])
			i += 2 + end
		case c == '\\' && i+1 < len(s):
			i++
			if strings.IndexByte("(){}|+?", s[i]) < 0 {
				out.WriteByte('\\')
			}
			out.WriteByte(s[i])
		case strings.IndexByte("(){}|+?", c) >= 0:
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// sed substitutes: s commands with the flag g, one after another. Of other commands nothing is known.
func (in *shProcess) sed(flags, script string, lines []string) ctl {
	type command struct {
		re   *regexp.Regexp
		with string
		all  bool
	}
	var commands []command
	rest := strings.TrimSpace(script)
	for rest != "" && flags == "" {
		if rest[0] != 's' || len(rest) < 4 {
			break
		}
		parts := strings.SplitN(rest[2:], rest[1:2], 3)
		if len(parts) == 3 {
			parts[1] = strings.ReplaceAll(parts[1], `\n`, "\x00") // a newline: GNU sed and BusyBox
		}
		if len(parts) != 3 || strings.ContainsAny(parts[0]+parts[1], "\n") || strings.HasSuffix(parts[0], `\`) || strings.ContainsAny(parts[1], `\&$`) {
			break
		}
		re, err := regexp.Compile(basicToExtended(parts[0]))
		if err != nil {
			break
		}
		all := strings.HasPrefix(parts[2], "g")
		commands = append(commands, command{re, strings.ReplaceAll(parts[1], "\x00", "\n"), all})
		rest = strings.TrimPrefix(parts[2], "g")
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != ';' {
			break
		}
		rest = strings.TrimLeft(rest, "; ")
	}
	if rest != "" || flags != "" || script == "" {
		return in.end("what sed makes of its input (" + in.where() + ")")
	}
	for i := range lines {
		for _, c := range commands {
			if c.all {
				lines[i] = c.re.ReplaceAllLiteralString(lines[i], c.with)
			} else if at := c.re.FindStringIndex(lines[i]); at != nil {
				lines[i] = lines[i][:at[0]] + c.with + lines[i][at[1]:]
			}
		}
	}
	in.lines(lines)
	return in.ok()
}

func (in *shProcess) cut(values map[byte]string, lines []string) ctl {
	list := values['f']
	if list == "" {
		list = values['c']
	}
	delim := values['d']
	if delim == "" {
		delim = "\t"
	}
	var out []string
	for _, l := range lines {
		fields := strings.Split(l, delim)
		sep := delim
		if values['f'] == "" {
			fields, sep = strings.Split(l, ""), ""
		} else if len(fields) == 1 {
			out = append(out, l)
			continue
		}
		var take []string
		for part := range strings.SplitSeq(list, ",") {
			lo, hi, isRange := strings.Cut(part, "-")
			from, err := strconv.Atoi(lo)
			if err != nil {
				from = 1
			}
			to := from
			if isRange {
				if to, err = strconv.Atoi(hi); err != nil {
					to = len(fields)
				}
			}
			if from >= 1 && from <= len(fields) {
				take = append(take, fields[from-1:max(from-1, min(to, len(fields)))]...)
			}
		}
		out = append(out, strings.Join(take, sep))
	}
	in.lines(out)
	return in.ok()
}

func (in *shProcess) tr(flags string, sets []string, text string) ctl {
	expand := func(s string) string {
		s, _ = unescape(s)
		for _, p := range [...][2]string{{"[:upper:]", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, {"[:lower:]", "abcdefghijklmnopqrstuvwxyz"}, {"[:space:]", " \t\n\r\v\f"}, {"[:digit:]", "0123456789"}} {
			s = strings.ReplaceAll(s, p[0], p[1])
		}
		var out strings.Builder
		for i := 0; i < len(s); i++ {
			if i+2 < len(s) && s[i+1] == '-' && s[i] <= s[i+2] {
				for c := int(s[i]); c <= int(s[i+2]); c++ {
					out.WriteByte(byte(c))
				}
				i += 2
				continue
			}
			out.WriteByte(s[i])
		}
		return out.String()
	}
	if len(sets) == 0 || strings.ContainsAny(flags, "csC") {
		return in.end("what tr makes of its input (" + in.where() + ")")
	}
	from := expand(sets[0])
	if strings.Contains(flags, "d") {
		in.print(in.stdout, strings.Map(func(r rune) rune {
			if strings.ContainsRune(from, r) {
				return -1
			}
			return r
		}, text))
		return in.ok()
	}
	if len(sets) < 2 || sets[1] == "" {
		return in.failed()
	}
	to := expand(sets[1])
	in.print(in.stdout, strings.Map(func(r rune) rune {
		if i := strings.IndexRune(from, r); i >= 0 {
			return rune(to[min(i, len(to)-1)])
		}
		return r
	}, text))
	return in.ok()
}

func (in *shProcess) seq(args []string) ctl {
	var n []int
	for _, a := range args {
		v, err := strconv.Atoi(a)
		if err != nil {
			return in.end("what seq counts (" + in.where() + ")")
		}
		n = append(n, v)
	}
	first, step, last := 1, 1, 0
	switch len(n) {
	case 1:
		last = n[0]
	case 2:
		first, last = n[0], n[1]
	case 3:
		first, step, last = n[0], n[1], n[2]
	}
	var out []string
	for i := first; step != 0 && len(out) < 10_000 && (step > 0 && i <= last || step < 0 && i >= last); i += step {
		out = append(out, strconv.Itoa(i))
	}
	in.lines(out)
	return in.ok()
}

// tailFollow is tail -f in the background: from now on what is written to the file is shown.
func (in *shProcess) tailFollow(name string) ctl {
	if in.b.tails == nil {
		in.b.tails = map[string]*sink{}
	}
	if in.stdout.kind == "console" {
		in.b.tails[in.abs(name)] = in.stdout
	}
	return in.ok()
}
