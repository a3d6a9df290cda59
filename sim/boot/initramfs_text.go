package boot

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/conf/sh"
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
	valued := map[string]string{"cut": "dfc", "head": "nc", "tail": "nc", "grep": "em", "egrep": "em", "fgrep": "em", "sort": "kt", "sed": "e", "fold": "w"}[name]
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
		return in.grep(name, flags, pattern, values['m'], lines)
	case "sed":
		return in.sed(flags, sed, lines)
	case "cut":
		return in.cut(values, lines)
	case "head", "tail":
		return in.ends(name, flags, values, lines)
	case "wc":
		switch flags {
		case "l":
			in.out("%d\n", strings.Count(text, "\n"))
		case "w":
			in.out("%d\n", len(strings.Fields(text)))
		case "c":
			in.out("%d\n", len(text))
		default:
			return in.end("unknown.program-prints", "program", "wc")
		}
	case "sort":
		if strings.Trim(flags, "ur") != "" || len(values) > 0 {
			return in.end("unknown.program-prints", "program", "sort")
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
	case "fold":
		in.lines(folded(lines, values['w'], strings.Contains(flags, "s")))
	}
	return ctlNone
}

// ends prints the first or the last lines: ten, N of -n N or -N, for head all but the last N of -n -N, for tail
// those from line N on of -n +N. XCU, head and tail; BusyBox, coreutils/head.c
func (in *shProcess) ends(name, flags string, values map[byte]string, lines []string) ctl {
	count := cmp.Or(values['n'], flags, "10")
	n, err := strconv.Atoi(strings.TrimLeft(count, "-+"))
	if err != nil || values['c'] != "" {
		return in.end("unknown.program-prints", "program", name)
	}
	switch all := len(lines); {
	case name == "tail" && count[0] == '+':
		lines = lines[min(max(n-1, 0), all):]
	case name == "tail":
		lines = lines[all-min(n, all):]
	case count[0] == '-':
		lines = lines[:all-min(n, all)]
	default:
		lines = lines[:min(n, all)]
	}
	in.lines(lines)
	return ctlNone
}

// folded breaks lines that are longer than the width, 80 unless it is given; with -s behind a blank when there is one.
// XCU, fold
func folded(lines []string, width string, blanks bool) (out []string) {
	n, err := strconv.Atoi(width)
	if err != nil || n < 1 {
		n = 80
	}
	for _, l := range lines {
		for len(l) > n {
			at := n
			if i := strings.LastIndexAny(l[:n], " \t"); blanks && i >= 0 {
				at = i + 1
			}
			out, l = append(out, l[:at]), l[at:]
		}
		out = append(out, l)
	}
	return out
}

// inputOf is what a filter reads: its files or the standard input.
func (in *shProcess) inputOf(name string, files []string) (string, ctl) {
	in.status = 0
	if len(files) == 0 {
		if in.stdin == nil {
			return "", in.end("unknown.console-input")
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
				return "", in.end("unknown.kernel-says", "path", f)
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

// grep prints the lines that match; most is the value of -m: after so many of them it stops.
func (in *shProcess) grep(name, flags, pattern, most string, lines []string) ctl {
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
	re, err := regexp.Compile(wordEdges(expr))
	if err != nil {
		return in.end("unknown.program-prints", "program", "grep "+strconv.Quote(pattern))
	}
	var hits []string
	for _, l := range lines {
		if re.MatchString(l) == strings.Contains(flags, "v") {
			continue
		}
		if n, err := strconv.Atoi(most); err == nil && len(hits) >= n {
			break
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
		s, _ = sh.Escapes{}.Unescape(s)
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
		return in.end("unknown.program-prints", "program", "tr")
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
			return in.end("unknown.program-prints", "program", "seq")
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

// tail is a tail -f in the background: what is written to its file is shown.
type tail struct {
	to      *sink
	started time.Duration
	polls   bool // it looks at its file once a second and is not told when that grows
	unseen  []written
}

// written is text in a file that tail has not seen yet.
type written struct {
	text string
	at   time.Duration
}

// tailFollow starts one. GNU tail is woken by inotify; BusyBox's sleeps a second between its looks: tail.c,
// DEFAULT_SLEEP.
func (in *shProcess) tailFollow(name string) ctl {
	if in.b.tails == nil {
		in.b.tails = map[string]*tail{}
	}
	if in.stdout.kind == "console" {
		in.b.tails[in.abs(name)] = &tail{to: in.stdout, started: in.x.m.Now(), polls: in.programIs("tail", "busybox")}
	}
	return in.ok()
}

// follow shows text that was written to the file.
func (in *shProcess) follow(t *tail, text string) {
	if !t.polls {
		in.print(t.to, text)
		return
	}
	in.poll(t)
	t.unseen = append(t.unseen, written{text, in.x.m.Now()})
}

func (in *shProcess) pollTails() {
	for _, name := range slices.Sorted(maps.Keys(in.b.tails)) {
		in.poll(in.b.tails[name])
	}
}

// poll shows what a tail has seen in its latest look. What came later is lost when it is killed before the next.
func (in *shProcess) poll(t *tail) {
	looked := in.x.m.Now() - (in.x.m.Now()-t.started)%time.Second
	text, n := "", 0
	for n < len(t.unseen) && t.unseen[n].at < looked {
		text += t.unseen[n].text
		n++
	}
	t.unseen = t.unseen[n:]
	in.print(t.to, text)
}
