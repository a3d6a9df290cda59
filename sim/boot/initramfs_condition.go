package boot

import (
	"io/fs"

	"bootpath/sim/conf/sh"
)

// test is test(1) and [: XCU test, by the number of arguments.
func (in *shProcess) test(words []string) ctl {
	args := words[1:]
	if words[0] == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			in.err("%s: %d: [: missing ]\n", in.name, in.src.line(in.pos.Off))
			in.status = 2
			return ctlNone
		}
		args = args[:len(args)-1]
	}
	result, ok := sh.Test(questions{in}, args)
	if !ok {
		in.err("%s: %d: [: unexpected operator\n", in.name, in.src.line(in.pos.Off))
		in.status = 2
		return ctlNone
	}
	if result {
		return in.ok()
	}
	return in.failed()
}

// questions is the shell as [sh.Test] asks it: for root.
type questions struct{ in *shProcess }

func (q questions) Stat(name string) (fs.FileInfo, error) {
	fi, err := q.in.stat(name)
	if err != nil {
		q.in.uncertain(q.in.abs(name))
	}
	return fi, err
}

func (q questions) Lstat(name string) (fs.FileInfo, error) {
	fi, err := q.in.lstat(name)
	if err != nil {
		q.in.uncertain(q.in.abs(name))
	}
	return fi, err
}

func (q questions) May(op byte, _ string, fi fs.FileInfo) bool {
	return op != 'x' || fi.IsDir() || fi.Mode().Perm()&0o111 != 0
}

func (q questions) Terminal(fd string) bool { return q.in.b.soft && q.in.terminal(fd) }
