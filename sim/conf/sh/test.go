package sh

import (
	"io/fs"
	"strconv"
	"strings"
)

// Files is what test asks of files and file descriptors.
type Files interface {
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	May(op byte, name string, fi fs.FileInfo) bool // 'r', 'w' or 'x'
	Terminal(fd string) bool
}

// Test is test(1) without its name and a closing bracket, by the number of arguments: XCU test. ok is false
// for what is no expression.
func Test(f Files, args []string) (result, ok bool) {
	t := &tester{in: f, args: args}
	result = len(args) > 0 && t.or()
	return result, !t.bad && t.i >= len(args)
}

type tester struct {
	in    Files
	args  []string
	i     int
	depth int
	bad   bool
}

func (t *tester) peek(n int) string {
	if t.i+n < len(t.args) {
		return t.args[t.i+n]
	}
	return ""
}

func (t *tester) or() bool {
	v := t.and()
	for t.i < len(t.args) && t.peek(0) == "-o" {
		t.i++
		w := t.and()
		v = v || w
	}
	return v
}

func (t *tester) and() bool {
	v := t.not()
	for t.i < len(t.args) && t.peek(0) == "-a" {
		t.i++
		w := t.not()
		v = v && w
	}
	return v
}

func (t *tester) not() bool {
	negated := false
	for left := len(t.args) - t.i; t.peek(0) == "!" && left > 1 && !(left == 3 && binaryTest(t.peek(1))); left-- {
		t.i++
		negated = !negated
	}
	return t.primary() != negated
}

func binaryTest(op string) bool {
	switch op {
	case "=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "<", ">":
		return true
	}
	return false
}

func (t *tester) primary() bool {
	left := len(t.args) - t.i
	switch {
	case left <= 0:
		t.bad = true
		return false
	case left >= 3 && binaryTest(t.peek(1)):
		a, op, b := t.peek(0), t.peek(1), t.peek(2)
		t.i += 3
		return t.binary(a, op, b)
	case t.peek(0) == "(" && left >= 3:
		if t.depth++; t.depth > 50 {
			t.bad = true
			return false
		}
		t.i++
		v := t.or()
		if t.peek(0) != ")" {
			t.bad = true
		}
		t.i++
		return v
	case left >= 2 && len(t.peek(0)) == 2 && t.peek(0)[0] == '-':
		op, a := t.peek(0), t.peek(1)
		if v, ok := t.unary(op[1], a); ok {
			t.i += 2
			return v
		}
	}
	t.i++
	return t.args[t.i-1] != ""
}

func (t *tester) binary(a, op, b string) bool {
	switch op {
	case "=", "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case ">":
		return a > b
	case "-nt", "-ot", "-ef":
		x, errX := t.in.Stat(a)
		y, errY := t.in.Stat(b)
		if errX != nil || errY != nil {
			return false
		}
		return op == "-nt" && x.ModTime().After(y.ModTime()) || op == "-ot" && x.ModTime().Before(y.ModTime())
	}
	x, errX := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	y, errY := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	if errX != nil || errY != nil {
		t.bad = true
		return false
	}
	switch op {
	case "-eq":
		return x == y
	case "-ne":
		return x != y
	case "-lt":
		return x < y
	case "-le":
		return x <= y
	case "-gt":
		return x > y
	}
	return x >= y
}

func (t *tester) unary(op byte, a string) (result, ok bool) {
	switch op {
	case 'n':
		return a != "", true
	case 'z':
		return a == "", true
	case 't':
		return t.in.Terminal(a), true
	case 'h', 'L':
		fi, err := t.in.Lstat(a)
		return err == nil && fi.Mode()&fs.ModeSymlink != 0, true
	}
	if strings.IndexByte("abcdefgkprsuwxS", op) < 0 {
		return false, false
	}
	fi, err := t.in.Stat(a)
	if err != nil {
		return false, true
	}
	m := fi.Mode()
	switch op {
	case 'b':
		return m&fs.ModeDevice != 0 && m&fs.ModeCharDevice == 0, true
	case 'c':
		return m&fs.ModeCharDevice != 0, true
	case 'd':
		return m.IsDir(), true
	case 'f':
		return m.IsRegular(), true
	case 'p':
		return m&fs.ModeNamedPipe != 0, true
	case 'S':
		return m&fs.ModeSocket != 0, true
	case 's':
		return fi.Size() > 0, true
	case 'x', 'r', 'w':
		return t.in.May(op, a, fi), true
	}
	return true, true // -a -e
}
