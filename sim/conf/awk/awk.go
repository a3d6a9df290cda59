// Package awk parses and runs awk programs: POSIX.1-2017, Shell & Utilities, awk. The scripts of an initramfs
// cut lines into fields with it, so what it prints decides what they do next.
//
// Left out are arrays, functions of the program's own, getline, pipes and redirections: a program with one of
// these is refused, never half understood. BusyBox's awk and mawk agree with POSIX on the rest.
package awk

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"bootpath/sim/decode"
)

// Bounds of a run.
const (
	maxSteps  = 100_000 // expressions and statements
	maxOutput = 1 << 16 // bytes; of a variable as well
	maxDepth  = 100     // of nesting in a program
)

// Program is a parsed program.
type Program struct {
	begin, end []stmt
	rules      []rule
}

// rule is pattern { action }; a rule without an action prints the record.
type rule struct {
	pattern expr // nil: every record
	to      expr // the second pattern of a range
	action  []stmt
	prints  bool
}

// stmt is a statement: POSIX awk, "Actions".
type stmt struct {
	op   string // print printf expr if while for next exit
	args []expr // of print and printf; the condition of the others first
	body []stmt
	more []stmt // else
	init []stmt // of for
	step []stmt
}

// expr is an expression.
type expr interface{}

type (
	number float64
	text   string
	regex  struct{ re *regexp.Regexp }
	field  struct{ index expr }
	name   string
	unary  struct {
		op string
		x  expr
	}
	binary struct {
		op   string
		a, b expr
	}
	ternary struct{ cond, yes, no expr }
	assign  struct {
		op     string // "" or + - * / % ^
		to     expr
		value  expr
		before bool // x++: the value is the old one
	}
	call struct {
		name string
		args []expr
	}
)

// unsupported says what this package leaves out.
func unsupported(what string) error {
	return fmt.Errorf("awk: %s: %w", what, decode.ErrUnsupported)
}

// value is a value with the two faces that awk gives it: a number, a string, or a string from the input that looks
// like a number and then compares as one.
type value struct {
	s      string
	n      float64
	isNum  bool
	strnum bool
}

func str(s string) value      { return value{s: s} }
func num(n float64) value     { return value{n: n, isNum: true} }
func truth(b bool) value      { return num(map[bool]float64{true: 1}[b]) }
func input(s string) value    { return value{s: s, strnum: looksNumeric(s)} }
func (v value) numeric() bool { return v.isNum || v.strnum }

// looksNumeric: optional blanks around a decimal number.
func looksNumeric(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil && !strings.ContainsAny(s, "xXpP_nN")
}

func (v value) String() string {
	switch {
	case !v.isNum:
		return v.s
	case v.n == float64(int64(v.n)):
		return strconv.FormatInt(int64(v.n), 10)
	}
	return strconv.FormatFloat(v.n, 'g', 6, 64) // CONVFMT and OFMT are "%.6g"
}

// number is the value of the longest prefix that is a number, else 0.
func (v value) number() float64 {
	if v.isNum {
		return v.n
	}
	s := strings.TrimLeft(v.s, " \t\n")
	end := numberPrefix(s)
	n, _ := strconv.ParseFloat(s[:end], 64)
	return n
}

func numberPrefix(s string) int {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for ; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.'); i++ {
		if s[i] != '.' {
			digits++
		}
	}
	if digits == 0 {
		return 0
	}
	if strings.Count(s[:i], ".") > 1 {
		first := strings.IndexByte(s, '.')
		i = first + 1 + strings.IndexByte(s[first+1:], '.')
	}
	return i
}

func (v value) truth() bool {
	if v.numeric() {
		return v.number() != 0
	}
	return v.s != ""
}
