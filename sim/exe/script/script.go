// Package script parses the first line of a script as Linux does: "#!interpreter [optional-arg]".
// fs/binfmt_script.c, load_script; execve(2), "Interpreter scripts".
package script

import (
	"bytes"
	"fmt"
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// BufSize is BINPRM_BUF_SIZE: how much of a file the kernel looks at (128 before Linux 5.1).
const BufSize = 256

// Line is what a script's first line says.
type Line struct {
	Interp string
	Arg    string // the rest of the line is one argument, blanks inside it included
	HasArg bool
	Cites  []blob.Cite // "#!", the interpreter, the argument
}

// Read parses the first line of r. It wraps [decode.ErrFormat] when r does not start with "#!"; a line
// that does and still names no interpreter is a [*decode.Error]: the kernel says ENOEXEC to both.
func Read(r io.ReaderAt) (*Line, error) {
	buf := make([]byte, BufSize)
	n, err := r.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if n < 2 || buf[0] != '#' || buf[1] != '!' {
		return nil, fmt.Errorf("script: %w", decode.ErrFormat)
	}
	name, arg, end, ok := parse(buf)
	if !ok {
		return nil, decode.Errorf(r, 0, int64(n), "script: first line", "#! and a whole interpreter name", "%q", clip(buf[:n]))
	}
	l := &Line{Interp: text(buf[name[0]:name[1]])}
	l.Cites = cite(r, 0, 2, "magic", "#!")
	l.Cites = append(l.Cites, cite(r, int64(name[0]), int64(len(l.Interp)), "interpreter", l.Interp)...)
	if arg >= 0 {
		l.HasArg, l.Arg = true, text(buf[arg:end])
		l.Cites = append(l.Cites, cite(r, int64(arg), int64(len(l.Arg)), "argument", l.Arg)...)
	}
	return l, nil
}

func clip(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return b[:min(len(b), 40)]
}

// text is a C string: up to the first NUL.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func cite(r io.ReaderAt, off, n int64, name, value string) []blob.Cite {
	var out []blob.Cite
	for _, s := range blob.Locate(r, off, n) {
		out = append(out, blob.Cite{Span: s, Name: name, Value: value})
	}
	return out
}

// parse follows load_script step by step; the buffer is padded with NUL behind a short file. Positions
// are in buf; arg is negative without an argument.
func parse(buf []byte) (name [2]int, arg, end int, ok bool) {
	last := len(buf) - 1
	end = bytes.IndexByte(buf, '\n')
	if end < 0 {
		// Without a newline the name may be cut off: it counts only when a blank or NUL comes behind it.
		start := nextNonBlank(buf, 2, last)
		if start < 0 || nextTerminator(buf, start, last) < 0 {
			return name, -1, 0, false
		}
		end = last
	}
	for blank(buf[end-1]) {
		end--
	}
	start := nextNonBlank(buf, 2, end)
	if start < 0 || start == end {
		return name, -1, 0, false
	}
	arg = -1
	sep := nextTerminator(buf, start, end)
	if sep >= 0 && buf[sep] != 0 {
		arg = nextNonBlank(buf, sep, end)
	}
	if sep < 0 {
		sep = end
	}
	return [2]int{start, sep}, arg, end, true
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func nextNonBlank(b []byte, from, last int) int {
	for ; from <= last; from++ {
		if !blank(b[from]) {
			return from
		}
	}
	return -1
}

func nextTerminator(b []byte, from, last int) int {
	for ; from <= last; from++ {
		if blank(b[from]) || b[from] == 0 {
			return from
		}
	}
	return -1
}
