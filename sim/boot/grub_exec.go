package boot

import (
	"fmt"
	"strconv"
	"strings"

	script "bootpath/sim/conf/grub"
	"bootpath/sim/trace"
)

// Results of commands: GRUB keeps the number of the error in $?; only zero or not decides anything.
const (
	grubOK     = 0
	grubFalse  = errTestFailure // no error is printed
	grubFailed = errBadArgument
)

// run executes statements in order: grub_script_execute_cmdlist. It returns the last result.
func (g *grub) run(nodes []script.Node, src *grubSource) int {
	status := grubOK
	for _, n := range nodes {
		if g.m.Ended() || g.breaks > 0 {
			break
		}
		if g.depth++; g.depth > maxGrubDepth*4 {
			g.giveUp(trace.Why("unknown.script-end", "path", src.path))
			return grubFailed
		}
		status = g.statement(n, src)
		g.depth--
		if g.m.Ended() {
			break
		}
		g.put("?", strconv.Itoa(status), false)
		if g.returning {
			break
		}
	}
	return status
}

func (g *grub) statement(n script.Node, src *grubSource) int {
	switch n := n.(type) {
	case *script.Command:
		return g.command(n, src)
	case *script.If:
		return g.ifStatement(n, src)
	case *script.While:
		return g.whileStatement(n, src)
	case *script.For:
		return g.forStatement(n, src)
	case *script.Function:
		g.funcs[n.Name] = grubFunc{n, src}
		return grubOK
	case *script.SyntaxError:
		g.printed++
		g.emit("grub.syntax-error", "error: syntax error.\n", map[string]string{"want": n.Want, "path": src.path}, "GRUB 2.06: grub_script_yyerror", src.cite(n.Span))
		return grubFailed
	}
	panic(fmt.Sprintf("boot: GRUB statement %T", n))
}

// ifStatement runs the branch that $? chooses.
func (g *grub) ifStatement(n *script.If, src *grubSource) int {
	g.run(n.Cond, src)
	if g.m.Ended() || g.returning {
		return grubOK
	}
	yes := g.Value("?") == "0"
	if len(n.Cond) == 0 {
		yes = true
	}
	g.emit("grub.decide", "", map[string]string{"condition": oneLine(src.text[n.Head.Off:n.Head.End()]), "result": map[bool]string{true: "true", false: "false"}[yes]},
		"GRUB 2.06: grub_script_execute_cmdif", src.cite(n.Head))
	if yes {
		return g.run(n.Then, src)
	}
	return g.run(n.Else, src)
}

func (g *grub) whileStatement(n *script.While, src *grubSource) int {
	g.loops++
	defer func() { g.loops-- }()
	status := grubOK
	for !g.m.Ended() {
		if status = g.run(n.Cond, src); g.returning || g.m.Ended() || (status == grubOK) == n.Until {
			break
		}
		if status = g.run(n.Body, src); g.returning {
			break
		}
		if g.breaks == 1 && g.goOn {
			g.breaks = 0
		}
		if g.breaks > 0 {
			g.breaks--
			break
		}
		if g.budget--; g.budget < 0 {
			g.giveUp(trace.Why("unknown.script-end", "path", src.path))
		}
	}
	return status
}

func (g *grub) forStatement(n *script.For, src *grubSource) int {
	words, ok := g.expand(n.Words, src)
	if !ok {
		return grubFailed
	}
	g.loops++
	defer func() { g.loops-- }()
	status := grubOK
	for _, w := range words {
		g.put(n.Name, w, false)
		status = g.run(n.Body, src)
		if g.returning || g.m.Ended() {
			break
		}
		if g.breaks == 1 && g.goOn {
			g.breaks = 0
		}
		if g.breaks > 0 {
			break
		}
	}
	if g.breaks > 0 {
		g.breaks--
	}
	return status
}

// expand gives a command its arguments. Patterns are only matched when the regexp module is there.
func (g *grub) expand(words []script.Word, src *grubSource) ([]string, bool) {
	args, glob := script.Expand(words, g)
	if glob && g.mods["regexp"] {
		g.giveUp(trace.Why("unknown.grub-glob", "path", src.path))
		return nil, false
	}
	return args, true
}

// grubCall is a command that is to run.
type grubCall struct {
	name string
	args []string
	node *script.Command
	src  *grubSource
}

func (c *grubCall) text() string { return oneLine(c.src.text[c.node.Off:c.node.End()]) }

// command is grub_script_execute_cmdline: a command of a module, a function, or an assignment.
func (g *grub) command(n *script.Command, src *grubSource) int {
	if g.budget--; g.budget < 0 {
		g.giveUp(trace.Why("unknown.script-end", "path", src.path))
		return grubFailed
	}
	argv, ok := g.expand(n.Words, src)
	if !ok || len(argv) == 0 {
		return grubOK
	}
	invert := argv[0] == "!"
	if invert {
		if argv = argv[1:]; len(argv) == 0 {
			g.printError("no command is specified", src.cite(n.Span))
			return grubFailed
		}
	}
	c := &grubCall{argv[0], argv[1:], n, src}
	status, found := g.builtin(c)
	if !found && !g.m.Ended() {
		f, isFunc := g.funcs[c.name]
		if !isFunc {
			return g.assign(c)
		}
		status = g.call(f, c.args)
	}
	if invert {
		if status == grubOK {
			return grubFalse
		}
		return grubOK
	}
	return status
}

// assign is the last resort for a word that names no command: "name=value". Another word is an error
// that leaves $? at 0, as GRUB returns no error here.
func (g *grub) assign(c *grubCall) int {
	name, value, ok := strings.Cut(c.name, "=")
	if !ok {
		g.printError(fmt.Sprintf("can't find command `%s'", c.name), c.src.cite(c.node.Span))
		return grubOK
	}
	g.setVar(name, value, c)
	return grubOK
}

// setVar gives a variable a value and shows it.
func (g *grub) setVar(name, value string, c *grubCall) {
	g.put(name, value, false)
	g.emit("grub.set-variable", "", map[string]string{"name": name, "value": value, "command": c.text()}, "GRUB manual, set", c.src.cite(c.node.Span), g.varRow(name))
}

// call is grub_script_function_call.
func (g *grub) call(f grubFunc, args []string) int {
	loops := g.loops
	g.loops = 0
	g.params = append(g.params, args)
	status := g.run(f.node.Body, f.src)
	g.params = g.params[:len(g.params)-1]
	g.returning, g.loops = false, loops
	return status
}

// fail prints why a command failed, or ends the run when that is not known.
func (g *grub) fail(c *grubCall, err *grubError) int {
	if err.unknown != nil {
		g.giveUp(err.unknown)
		return grubFailed
	}
	g.printError(err.msg, append(c.src.cite(c.node.Span), err.cites...))
	if err.code == 0 {
		return grubFailed
	}
	return err.code
}

// failf is fail with the command's own words.
func (g *grub) failf(c *grubCall, format string, args ...any) int {
	return g.fail(c, &grubError{msg: fmt.Sprintf(format, args...)})
}

// ran shows a command whose effect is not one of the tables'.
func (g *grub) ran(c *grubCall, kind trace.Kind, args map[string]string) int {
	if args == nil {
		args = map[string]string{}
	}
	args["command"] = c.text()
	g.emit(kind, "", args, "GRUB manual, "+c.name, c.src.cite(c.node.Span))
	return grubOK
}

// option is one that a command takes.
type option struct {
	long  string
	short byte
	value byte // 0 none, 'r' required, 'o' optional
}

// options separates options from arguments: grub_arg_parse. Options may stand anywhere. lenient keeps
// what looks like an unknown option as an argument (GRUB_COMMAND_ACCEPT_DASH).
func options(args []string, known []option, lenient bool) (set map[string][]string, rest []string, bad string) {
	set = map[string][]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		if a == "--" {
			return set, append(rest, args[i+1:]...), ""
		}
		var opt *option
		value, has := "", false
		if strings.HasPrefix(a, "--") {
			name, v, eq := strings.Cut(a[2:], "=")
			opt, value, has = findOption(known, func(o *option) bool { return o.long == name }), v, eq
		} else {
			opt = findOption(known, func(o *option) bool { return o.short != 0 && o.short == a[len(a)-1] })
			for j := 1; j < len(a)-1 && opt != nil; j++ {
				more := findOption(known, func(o *option) bool { return o.short != 0 && o.short == a[j] })
				if more == nil {
					opt = nil
					break
				}
				set[more.long] = append(set[more.long], "")
			}
		}
		if opt == nil {
			if !lenient {
				return set, rest, a
			}
			rest = append(rest, a)
			continue
		}
		if opt.value != 0 && !has && i+1 < len(args) && (!strings.HasPrefix(args[i+1], "-") || opt.value == 'r' && !strings.HasPrefix(a, "--")) {
			i++
			value = args[i]
		}
		set[opt.long] = append(set[opt.long], value)
	}
	return set, rest, ""
}

func findOption(known []option, match func(*option) bool) *option {
	for i := range known {
		if match(&known[i]) {
			return &known[i]
		}
	}
	return nil
}
