package awk

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Var is a variable that is set before the program starts: -v NAME=VALUE.
type Var struct{ Name, Value string }

// Result is what a run leaves.
type Result struct {
	Output string
	Status int // of exit
}

// Run reads the records of input, which are lines, and gives what the program prints. An error says why that is not
// known: it wraps decode.ErrUnsupported, also for a program that does not come to an end within bounds.
func (p *Program) Run(input string, vars []Var) (Result, error) {
	r := &run{vars: map[string]value{"FS": str(" "), "OFS": str(" "), "ORS": str("\n"), "SUBSEP": str("\x1c")}}
	for _, v := range vars {
		r.vars[v.Name] = inputVar(v.Value)
	}
	r.block(p.begin)
	if p.Reads() {
		r.records(p, input)
	}
	if r.over == "exit" {
		r.over = ""
	}
	if r.err == nil && !r.exited {
		r.block(p.end)
	} else if r.exited && r.err == nil && len(p.end) > 0 {
		r.err = unsupported("exit before END")
	}
	return Result{r.out.String(), r.status}, r.err
}

// Reads tells whether the program takes any input: one with only BEGIN does not.
func (p *Program) Reads() bool { return len(p.rules)+len(p.end) > 0 }

// inputVar is the value of an assignment on the command line, in which escapes count as in a string.
func inputVar(s string) value {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			out.WriteString(escape(s[i]))
			continue
		}
		out.WriteByte(s[i])
	}
	return input(out.String())
}

type run struct {
	vars   map[string]value
	record string
	fields []string
	nr     int
	active []bool // of range patterns
	out    strings.Builder
	steps  int
	over   string // "next" or "exit"
	exited bool
	status int
	err    error
}

func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *run) done() bool { return r.err != nil || r.over != "" }

func (r *run) records(p *Program, input string) {
	r.active = make([]bool, len(p.rules))
	for line := range strings.Lines(input) {
		if r.done() {
			return
		}
		r.nr++
		r.setRecord(strings.TrimSuffix(line, "\n"))
		for i := range p.rules {
			if r.done() {
				break
			}
			if r.matches(&p.rules[i], i) {
				if p.rules[i].prints {
					r.print(r.record + r.vars["ORS"].String())
				}
				r.block(p.rules[i].action)
			}
		}
		if r.over == "next" {
			r.over = ""
		}
	}
}

func (r *run) matches(rule *rule, i int) bool {
	switch {
	case rule.pattern == nil:
		return true
	case rule.to == nil:
		return r.eval(rule.pattern).truth()
	}
	if !r.active[i] && !r.eval(rule.pattern).truth() {
		return false
	}
	r.active[i] = !r.eval(rule.to).truth()
	return true
}

func (r *run) setRecord(s string) {
	r.record = s
	fs := r.vars["FS"].String()
	switch {
	case fs == " ":
		r.fields = strings.Fields(s)
	case s == "":
		r.fields = nil
	case len(fs) == 1:
		r.fields = strings.Split(s, fs)
	default:
		re, err := regexp.CompilePOSIX(fs)
		if err != nil {
			r.fail(unsupported("the field separator " + fs))
			return
		}
		r.fields = re.Split(s, -1)
	}
}

func (r *run) print(s string) {
	if r.out.Len()+len(s) > maxOutput {
		r.fail(unsupported("output of more than 64 KiB"))
		return
	}
	r.out.WriteString(s)
}

func (r *run) block(body []stmt) {
	for i := range body {
		if r.done() {
			return
		}
		r.statement(&body[i])
	}
}

func (r *run) statement(st *stmt) {
	if r.steps++; r.steps > maxSteps {
		r.fail(unsupported("a program that runs on and on"))
		return
	}
	switch st.op {
	case "expr":
		r.eval(st.args[0])
	case "print":
		words := make([]string, len(st.args))
		for i, a := range st.args {
			words[i] = r.eval(a).String()
		}
		line := strings.Join(words, r.vars["OFS"].String())
		if len(st.args) == 0 {
			line = r.record
		}
		r.print(line + r.vars["ORS"].String())
	case "printf":
		r.print(r.format(st.args))
	case "if":
		if r.eval(st.args[0]).truth() {
			r.block(st.body)
		} else {
			r.block(st.more)
		}
	case "while", "for":
		r.block(st.init)
		for !r.done() && (len(st.args) == 0 || r.eval(st.args[0]).truth()) {
			if r.steps++; r.steps > maxSteps {
				r.fail(unsupported("a program that runs on and on"))
			}
			r.block(st.body)
			r.block(st.step)
		}
	case "next":
		r.over = "next"
	case "exit":
		r.over, r.exited = "exit", true
		if len(st.args) > 0 {
			r.status = int(r.eval(st.args[0]).number()) & 0xff
		}
	}
}

func (r *run) eval(e expr) value {
	if r.steps++; r.steps > maxSteps {
		r.fail(unsupported("a program that runs on and on"))
	}
	if r.err != nil {
		return str("")
	}
	switch e := e.(type) {
	case number:
		return num(float64(e))
	case text:
		return str(string(e))
	case regex:
		return truth(e.re.MatchString(r.record))
	case field:
		return r.field(int(r.eval(e.index).number()))
	case name:
		return r.variable(string(e))
	case unary:
		v := r.eval(e.x)
		switch e.op {
		case "!":
			return truth(!v.truth())
		case "-":
			return num(-v.number())
		}
		return num(v.number())
	case ternary:
		if r.eval(e.cond).truth() {
			return r.eval(e.yes)
		}
		return r.eval(e.no)
	case assign:
		return r.assign(e)
	case binary:
		return r.binary(e)
	case call:
		return r.call(e)
	}
	return str("")
}

func (r *run) variable(n string) value {
	switch n {
	case "NF":
		return num(float64(len(r.fields)))
	case "NR", "FNR":
		return num(float64(r.nr))
	}
	return r.vars[n]
}

func (r *run) field(n int) value {
	switch {
	case n == 0:
		return input(r.record)
	case n > 0 && n <= len(r.fields):
		return input(r.fields[n-1])
	case n < 0:
		r.fail(unsupported("a field with a negative number"))
	}
	return str("")
}

func (r *run) assign(e assign) value {
	v := r.eval(e.value)
	old := value{}
	if e.op != "" {
		old = num(r.eval(e.to).number())
		v = num(arithmetic(e.op, old.n, v.number()))
	}
	r.set(e.to, v)
	if e.before {
		return old
	}
	return v
}

func (r *run) set(to expr, v value) {
	if len(v.s) > maxOutput {
		r.fail(unsupported("a value of more than 64 KiB"))
		return
	}
	switch to := to.(type) {
	case name:
		if to == "NF" || to == "NR" || to == "FNR" || to == "RS" || to == "CONVFMT" || to == "OFMT" {
			r.fail(unsupported("setting " + string(to)))
			return
		}
		r.vars[string(to)] = v
	case field:
		n := int(r.eval(to.index).number())
		if n == 0 {
			r.setRecord(v.String())
			return
		}
		if n < 0 || n > 1000 {
			r.fail(unsupported("a field with that number"))
			return
		}
		for len(r.fields) < n {
			r.fields = append(r.fields, "")
		}
		r.fields[n-1] = v.String()
		r.record = strings.Join(r.fields, r.vars["OFS"].String())
	}
}

func arithmetic(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "%":
		return math.Mod(a, b)
	}
	return math.Pow(a, b)
}

func (r *run) binary(e binary) value {
	switch e.op {
	case "&&":
		return truth(r.eval(e.a).truth() && r.eval(e.b).truth())
	case "||":
		return truth(r.eval(e.a).truth() || r.eval(e.b).truth())
	case "~", "!~":
		s := r.eval(e.a).String()
		re := r.pattern(e.b)
		return truth(re != nil && re.MatchString(s) == (e.op == "~"))
	}
	a, b := r.eval(e.a), r.eval(e.b)
	switch e.op {
	case "":
		if s := a.String() + b.String(); len(s) <= maxOutput {
			return str(s)
		}
		r.fail(unsupported("a value of more than 64 KiB"))
		return str("")
	case "<", "<=", "==", "!=", ">", ">=":
		return truth(compare(e.op, a, b))
	}
	if n := b.number(); n == 0 && (e.op == "/" || e.op == "%") {
		r.fail(unsupported("a division by zero"))
	}
	return num(arithmetic(e.op, a.number(), b.number()))
}

// compare: as numbers when both look like numbers, else as strings.
func compare(op string, a, b value) bool {
	order := strings.Compare(a.String(), b.String())
	blank := value{}
	if (a.numeric() || a == blank) && (b.numeric() || b == blank) && (a.numeric() || b.numeric()) {
		x, y := a.number(), b.number()
		order = 0
		if x < y {
			order = -1
		} else if x > y {
			order = 1
		}
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// pattern is an expression used as a regular expression.
func (r *run) pattern(e expr) *regexp.Regexp {
	if re, ok := e.(regex); ok {
		return re.re
	}
	s := r.eval(e).String()
	re, err := regexp.CompilePOSIX(s)
	if err != nil {
		r.fail(unsupported("the regular expression " + s))
		return nil
	}
	return re
}

func (r *run) call(c call) value {
	switch c.name {
	case "sub", "gsub":
		return r.substitute(c)
	case "match":
		if len(c.args) == 2 {
			s := r.eval(c.args[0]).String()
			at, length := -1, -1
			if re := r.pattern(c.args[1]); re != nil {
				if loc := re.FindStringIndex(s); loc != nil {
					at, length = loc[0], loc[1]-loc[0]
				}
			}
			r.vars["RSTART"], r.vars["RLENGTH"] = num(float64(at+1)), num(float64(length))
			return r.vars["RSTART"]
		}
	case "sprintf":
		return str(r.format(c.args))
	}
	args := make([]value, len(c.args))
	for i, a := range c.args {
		args[i] = r.eval(a)
	}
	switch {
	case c.name == "length" && len(args) == 0:
		return num(float64(len(r.record)))
	case c.name == "length" && len(args) == 1:
		return num(float64(len(args[0].String())))
	case c.name == "tolower" && len(args) == 1:
		return str(strings.ToLower(args[0].String()))
	case c.name == "toupper" && len(args) == 1:
		return str(strings.ToUpper(args[0].String()))
	case c.name == "int" && len(args) == 1:
		return num(math.Trunc(args[0].number()))
	case c.name == "index" && len(args) == 2:
		return num(float64(strings.Index(args[0].String(), args[1].String()) + 1))
	case c.name == "substr" && len(args) >= 2:
		return str(substr(args))
	}
	r.fail(unsupported(c.name + " with these arguments"))
	return str("")
}

// substr(s, m[, n]): the characters from m on, at most n, where m and n are rounded and may lie outside.
func substr(args []value) string {
	s := args[0].String()
	from := math.RoundToEven(args[1].number())
	to := math.Inf(1)
	if len(args) > 2 {
		to = from + math.RoundToEven(args[2].number())
	}
	from, to = max(from, 1), min(to, float64(len(s)+1))
	if !(from < to) {
		return ""
	}
	return s[int(from)-1 : int(to)-1]
}

// substitute is sub and gsub: & in the replacement is what matched.
func (r *run) substitute(c call) value {
	if len(c.args) < 2 || len(c.args) > 3 {
		r.fail(unsupported(c.name + " with these arguments"))
		return str("")
	}
	re := r.pattern(c.args[0])
	with := r.eval(c.args[1]).String()
	var to expr = field{number(0)}
	if len(c.args) == 3 {
		to = c.args[2]
	}
	s, limit := r.eval(to).String(), -1
	if c.name == "sub" {
		limit = 1
	}
	if re == nil || r.err != nil {
		return str("")
	}
	if strings.Contains(with, `\\`) || strings.Contains(with, "&") && strings.Contains(with, `\`) {
		r.fail(unsupported("a backslash before & in a replacement")) // awks differ in it
		return str("")
	}
	var out strings.Builder
	at := 0
	hits := re.FindAllStringIndex(s, limit)
	for _, h := range hits {
		out.WriteString(s[at:h[0]])
		out.WriteString(strings.ReplaceAll(with, "&", s[h[0]:h[1]]))
		if at = h[1]; out.Len() > maxOutput {
			r.fail(unsupported("a value of more than 64 KiB"))
			return str("")
		}
	}
	out.WriteString(s[at:])
	if len(hits) > 0 {
		r.set(to, str(out.String()))
	}
	return num(float64(len(hits)))
}

// format is printf: the conversions of XBD 5 with flags, width and precision.
func (r *run) format(args []expr) string {
	if len(args) == 0 {
		r.fail(unsupported("printf without a format"))
		return ""
	}
	format := r.eval(args[0]).String()
	args = args[1:]
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		start := i
		for i++; i < len(format) && strings.IndexByte("-+ #0123456789.", format[i]) >= 0; i++ {
		}
		if i == len(format) || i-start > 6 {
			r.fail(unsupported("the format " + format))
			return ""
		}
		verb := format[i]
		if verb == '%' {
			out.WriteByte('%')
			continue
		}
		v := str("")
		if len(args) > 0 {
			v, args = r.eval(args[0]), args[1:]
		}
		out.WriteString(r.convert(format[start:i], verb, v))
	}
	return out.String()
}

func (r *run) convert(spec string, verb byte, v value) string {
	switch verb {
	case 's':
		return fmt.Sprintf(spec+"s", v.String())
	case 'c':
		if v.isNum {
			return string(rune(int(v.n)))
		}
		return fmt.Sprintf(spec+".1s", v.String())
	case 'd', 'i':
		return fmt.Sprintf(spec+"d", int64(v.number()))
	case 'o', 'x', 'X':
		return fmt.Sprintf(spec+string(verb), int64(v.number()))
	case 'e', 'f', 'g', 'E', 'G':
		return fmt.Sprintf(spec+string(verb), v.number())
	}
	r.fail(unsupported("the conversion %" + string(verb)))
	return ""
}
