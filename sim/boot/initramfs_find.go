package boot

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
)

// maxFound bounds the files that one find looks at.
const maxFound = 20_000

// finder walks a tree for find(1).
type finder struct {
	min, max int
	tests    []findTest
	left     int
	out      []string
}

// findTest is one test of a path; all must hold.
type findTest struct {
	verb, value string
	negated     bool
}

// findProgram is find(1) with the tests that start scripts use: how deep, which type, what name or path. It
// prints the names.
func (in *shProcess) findProgram(words []string) ctl {
	f := finder{max: maxCalls, left: maxFound}
	dirs, ok := f.parse(words[1:])
	if !ok {
		return in.end("unknown.program-does", "program", "find")
	}
	in.status = 0
	for _, dir := range dirs {
		if dir == "/sys" && len(f.tests) > 0 && f.tests[0] == (findTest{verb: "-name", value: "modalias"}) {
			f.out = append(f.out, in.x.modaliasFiles()...)
			continue
		}
		if _, err := in.lstat(dir); err != nil {
			in.err("find: '%s': %s\n", dir, strerror(err))
			in.status = 1
			continue
		}
		f.walk(in, dir, 0)
	}
	in.b.commands += (maxFound - f.left) / 64 // walking costs too
	if f.left < 0 {
		return in.end("unknown.find-many", "files", strconv.Itoa(maxFound))
	}
	in.lines(f.out)
	return ctlNone
}

// parse reads the directories and the expression; ok is false when it has something that is not known here.
func (f *finder) parse(args []string) (dirs []string, ok bool) {
	for len(args) > 0 && args[0] != "!" && args[0] != "(" && !strings.HasPrefix(args[0], "-") {
		dirs, args = append(dirs, args[0]), args[1:]
	}
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	negated := false
	for i := 0; i < len(args); i++ {
		if args[i] == "!" || args[i] == "-not" {
			negated = true
			continue
		}
		verb := args[i]
		if verb == "-print" && i == len(args)-1 || verb == "-xdev" || verb == "-mount" || verb == "-a" {
			continue
		}
		if i++; i == len(args) {
			return nil, false
		}
		switch verb {
		case "-mindepth", "-maxdepth":
			n, err := strconv.Atoi(args[i])
			if err != nil {
				return nil, false
			}
			if verb == "-mindepth" {
				f.min = n
			} else {
				f.max = min(n, f.max)
			}
		case "-name", "-path", "-type":
			f.tests = append(f.tests, findTest{verb, args[i], negated})
		default:
			return nil, false
		}
		negated = false
	}
	return dirs, true
}

// walk visits a file and, when it is a directory, what is in it.
func (f *finder) walk(in *shProcess, name string, depth int) {
	fi, err := in.lstat(name)
	if f.left--; err != nil || f.left < 0 {
		return
	}
	if depth >= f.min && f.holds(name, fi) {
		f.out = append(f.out, name)
	}
	if !fi.IsDir() || depth >= f.max {
		return
	}
	for _, entry := range in.list(name) {
		f.walk(in, strings.TrimSuffix(name, "/")+"/"+entry, depth+1)
	}
}

func (f *finder) holds(name string, fi fs.FileInfo) bool {
	for _, t := range f.tests {
		hit := false
		switch t.verb {
		case "-name":
			hit = sh.Match(t.value, path.Base(name))
		case "-path":
			hit = sh.Match(t.value, name)
		case "-type":
			hit = t.value == fileType(fi.Mode())
		}
		if hit == t.negated {
			return false
		}
	}
	return true
}

// fileType is the letter that find has for a type.
func fileType(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "d"
	case m&fs.ModeSymlink != 0:
		return "l"
	case m&fs.ModeCharDevice != 0:
		return "c"
	case m&fs.ModeDevice != 0:
		return "b"
	case m&fs.ModeNamedPipe != 0:
		return "p"
	case m&fs.ModeSocket != 0:
		return "s"
	}
	return "f"
}

// maxArgs bounds the words that xargs collects.
const maxArgs = 10_000

// xargs is xargs(1): the words of the standard input as arguments of a command, all at once or with -n some at a
// time.
func (in *shProcess) xargs(words []string) ctl {
	at, size, empty, ok := xargsOptions(words)
	if !ok || in.stdin == nil {
		return in.end("unknown.program-does", "program", "xargs")
	}
	items := strings.Fields(in.stdin.rest)
	if in.stdin = (&input{}); strings.ContainsAny(strings.Join(items, ""), `'"\`) || len(items) > maxArgs {
		return in.end("unknown.program-does", "program", "xargs")
	}
	command := words[at:]
	if len(command) == 0 {
		command = []string{"echo"}
	}
	if len(items) == 0 && !empty {
		return in.ok()
	}
	worst := 0
	for {
		if in.b.commands++; in.b.commands > maxCommands {
			return in.end("unknown.many-commands", "commands", strconv.Itoa(maxCommands))
		}
		n := len(items)
		if size > 0 {
			n = min(n, size)
		}
		if c := in.program(append(command[:len(command):len(command)], items[:n]...)); c == ctlEnd {
			return c
		}
		if in.status != 0 {
			worst = 123 // "if any invocation of the command exited with status 1-125" - xargs(1)
		}
		if items = items[n:]; len(items) == 0 {
			in.status = worst
			return ctlNone
		}
	}
}

// xargsOptions finds where the command begins, how many words go to one, and whether it runs without any.
func xargsOptions(words []string) (at, size int, empty, ok bool) {
	empty = true
	for at = 1; at < len(words) && strings.HasPrefix(words[at], "-"); at++ {
		switch {
		case words[at] == "-r" || words[at] == "--no-run-if-empty":
			empty = false
		case words[at] == "-n" && at+1 < len(words):
			at++
			n, err := strconv.Atoi(words[at])
			if err != nil || n < 1 {
				return at, 0, empty, false
			}
			size = n
		default:
			return at, 0, empty, false
		}
	}
	return at, size, empty, true
}
