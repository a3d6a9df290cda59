package sh

import (
	"fmt"
	"strconv"
	"strings"
)

// Arithmetic evaluates an arithmetic expression: 2.6.4, the integers of C.
func Arithmetic(s Shell, expr string) (int64, error) {
	a := &arith{sh: s, s: expr}
	n := a.ternary(0)
	a.blank()
	if a.err == nil && a.i < len(a.s) {
		a.fail("expecting EOF")
	}
	return n, a.err
}

type arith struct {
	sh  Shell
	s   string
	i   int
	err error
}

func (a *arith) fail(msg string) {
	if a.err == nil {
		a.err = fmt.Errorf("%s", msg)
	}
	a.i = len(a.s)
}

func (a *arith) blank() {
	for a.i < len(a.s) && strings.IndexByte(" \t\n", a.s[a.i]) >= 0 {
		a.i++
	}
}

func (a *arith) take(op string) bool {
	a.blank()
	if !strings.HasPrefix(a.s[a.i:], op) {
		return false
	}
	a.i += len(op)
	return true
}

func (a *arith) ternary(depth int) int64 {
	if depth > 60 {
		a.fail("nested too deep")
		return 0
	}
	c := a.binary(0, depth)
	if !a.take("?") {
		return c
	}
	x := a.ternary(depth + 1)
	if !a.take(":") {
		a.fail("expecting ':'")
	}
	y := a.ternary(depth + 1)
	if c != 0 {
		return x
	}
	return y
}

// levels are the binary operators from the weakest on; longer ones come before their prefixes.
var levels = [...][]string{{"||"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

func (a *arith) binary(level, depth int) int64 {
	if level == len(levels) {
		return a.unary(depth)
	}
	x := a.binary(level+1, depth)
	for a.err == nil {
		op := a.operator(level)
		if op == "" {
			break
		}
		x = a.apply(op, x, a.binary(level+1, depth))
	}
	return x
}

func (a *arith) operator(level int) string {
	a.blank()
	rest := a.s[a.i:]
	for _, op := range levels[level] {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if len(op) == 1 && len(rest) > 1 {
			if next := rest[1]; next == op[0] && strings.Contains("|&<>", op) || next == '=' && strings.Contains("<>=!", op) {
				continue
			}
		}
		a.i += len(op)
		return op
	}
	return ""
}

func (a *arith) apply(op string, x, y int64) int64 {
	truth := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	switch op {
	case "||":
		return truth(x != 0 || y != 0)
	case "&&":
		return truth(x != 0 && y != 0)
	case "|":
		return x | y
	case "^":
		return x ^ y
	case "&":
		return x & y
	case "==":
		return truth(x == y)
	case "!=":
		return truth(x != y)
	case "<=":
		return truth(x <= y)
	case ">=":
		return truth(x >= y)
	case "<":
		return truth(x < y)
	case ">":
		return truth(x > y)
	case "<<":
		return x << uint64(y&63)
	case ">>":
		return x >> uint64(y&63)
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		a.fail("division by zero")
		return 0
	}
	if y == -1 { // the one quotient that does not fit
		if op == "/" {
			return -x
		}
		return 0
	}
	if op == "/" {
		return x / y
	}
	return x % y
}

func (a *arith) unary(depth int) int64 {
	if depth > 60 {
		a.fail("nested too deep")
		return 0
	}
	switch {
	case a.take("!"):
		if a.unary(depth+1) == 0 {
			return 1
		}
		return 0
	case a.take("~"):
		return ^a.unary(depth + 1)
	case a.take("-"):
		return -a.unary(depth + 1)
	case a.take("+"):
		return a.unary(depth + 1)
	case a.take("("):
		n := a.ternary(depth + 1)
		if !a.take(")") {
			a.fail("expecting ')'")
		}
		return n
	}
	start := a.i
	for a.i < len(a.s) && (a.s[a.i] == '_' || a.s[a.i] >= '0' && a.s[a.i] <= '9' || a.s[a.i]|0x20 >= 'a' && a.s[a.i]|0x20 <= 'z') {
		a.i++
	}
	word := a.s[start:a.i]
	if word == "" {
		a.fail("expecting primary")
		return 0
	}
	if word[0] <= '9' {
		n, err := strconv.ParseInt(word, 0, 64)
		if err != nil {
			a.fail("bad number")
		}
		return n
	}
	return a.variable(word, depth)
}

// variable reads or assigns a variable.
func (a *arith) variable(name string, depth int) int64 {
	v, _ := a.sh.Value(name)
	n, _ := strconv.ParseInt(strings.TrimSpace(v), 0, 64)
	a.blank()
	for _, op := range [...]string{"+=", "-=", "*=", "/=", "%=", "="} {
		if strings.HasPrefix(a.s[a.i:], op) && !strings.HasPrefix(a.s[a.i:], "==") {
			a.i += len(op)
			y := a.ternary(depth + 1)
			if op != "=" {
				y = a.apply(op[:1], n, y)
			}
			a.sh.Set(name, strconv.FormatInt(y, 10))
			return y
		}
	}
	return n
}
