package container

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Stopped is what docker stop did.
type Stopped struct {
	Signal   string // that was sent first
	To       string // the program that is process 1; "" when a shell may have become another
	Handled  string // yes | no | unknown
	Seconds  int    // from the signal to the end, whole ones
	Killed   bool   // SIGKILL had to follow
	ExitCode *int   // of the container, when it is known
}

const stopTimeout = 10 // seconds; moby container/container.go, DefaultStopTimeout

// stop is docker stop: a signal to process 1, ten seconds, SIGKILL. "main" is process 1, "app" the program,
// which differs with --init.
func (r *run) stop(main, app *kernel.Task) {
	sig := signalNumber(r.facts.StopSignal)
	s := &Stopped{Signal: signalName(sig), Handled: "unknown"}
	r.facts.Stop = s
	if main == app && forwarder(programName(main)) {
		if app = r.behind(main); app == nil {
			return
		}
	}
	end, ended := r.ending(app, sig, main == app)
	if ended {
		return
	}
	if !end.vague {
		s.To = main.Exe
	}
	_, _, actor := r.names()
	r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.stop", Rule: "docker stop; moby daemon/stop.go", Cites: r.cite("config.StopSignal"),
		Args: map[string]string{"signal": s.Signal, "pid": strconv.Itoa(main.PID), "exe": main.Exe, "timeout": r.timeoutText()}})
	main.Stage, app.Stage = trace.Process, trace.Process
	switch {
	case sig == signalNumber("SIGKILL"):
		r.kill(main, s, 0)
	case !end.known:
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: end.missing})
	case main != app:
		r.forward(main, app, end, s)
	default:
		r.answer(main, main, end, s)
	}
}

// behind starts the program that an init of the image has on its command line; nil when that ends the run.
// tini README, dumb-init(1), catatonit(1).
func (r *run) behind(main *kernel.Task) *kernel.Task {
	args := main.Argv[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option := args[0]
		args = args[1:]
		if option == "--" {
			break
		}
		if (option == "-p" || option == "-e" || option == "-r") && len(args) > 0 {
			args = args[1:]
		}
	}
	child, err := main.Clone(0)
	if err == nil && len(args) > 0 {
		child.Actor, child.Stage = main.Actor, trace.Process
		err = r.execvp(child, args)
	}
	if err != nil || len(args) == 0 {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.init-alone", "path", main.Exe)})
		return nil
	}
	child.Actor = child.Comm
	child.Load()
	return child
}

// ending is how process 1 or the program behind an init answers the signal.
type ending struct {
	known   bool
	handled bool    // there is a handler
	seconds float64 // until the process ends; +Inf when the signal does not end it
	exit    int     // -1 when not known
	missing *trace.Reason
	vague   bool // the script may have become another program
	h       handling
}

// answer plays what a process does with the signal that it got.
func (r *run) answer(main, t *kernel.Task, e ending, s *Stopped) {
	args := map[string]string{"signal": s.Signal, "exe": t.Exe, "pid": strconv.Itoa(t.NSPID), "exit_code": strconv.Itoa(e.exit), "why": e.h.why, "seconds": seconds(e.seconds)}
	st := trace.Step{Actor: t.Actor, Stage: trace.Process, Args: args, Cites: e.h.cites, Rule: cmp.Or(e.h.rule, "signal(7)")}
	s.Handled = "no"
	switch {
	case e.handled:
		s.Handled = "yes"
		st.Kind = "process.handle-signal"
		if math.IsInf(e.seconds, 1) {
			st.Kind = "process.survive-signal"
		}
	case t.NSPID == 1:
		st.Kind = "kernel.drop-signal"
		st.Rule = "pid_namespaces(7)"
	default:
		st.Kind = "process.die-of-signal"
	}
	if limit := r.timeout(); math.IsInf(e.seconds, 1) || e.seconds > limit {
		r.emit(st)
		r.kill(main, s, limit)
		return
	}
	if !e.handled {
		r.emit(st) // and the program goes on to its own end
	}
	r.m.Wait(time.Duration(e.seconds * float64(time.Second)))
	s.Seconds = int(e.seconds)
	if e.handled {
		r.emit(st)
	}
	if e.exit < 0 {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.exit-code", "path", t.Exe, "signal", s.Signal)})
		return
	}
	r.gone(main, s, e.exit, "")
}

// forward is an init passing the signal on: the child has no protection, the signal's default ends it.
func (r *run) forward(main, app *kernel.Task, e ending, s *Stopped) {
	r.emit(trace.Step{Actor: main.Actor, Stage: trace.Process, Kind: "process.forward-signal", Rule: "tini README, Subreaping and signals; catatonit(1)",
		Args: map[string]string{"signal": s.Signal, "exe": main.Exe, "child": app.Exe, "pid": strconv.Itoa(app.NSPID)}})
	r.answer(main, app, e, s)
}

// kill is what follows when the container has not ended in time.
func (r *run) kill(main *kernel.Task, s *Stopped, after float64) {
	_, _, actor := r.names()
	if math.IsInf(after, 1) {
		n := r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.stop-waits", Rule: "docker stop --time -1", Args: map[string]string{"exe": main.Exe}})
		r.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Process, Step: n})
		return
	}
	message := ""
	if s.Signal == "SIGKILL" {
		s.Handled = "no" // nobody can
	} else {
		r.m.Wait(time.Duration(after * float64(time.Second)))
		message = r.outOfPatience(s.Signal, int(after))
		r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.kill", Rule: "docker stop; moby daemon/stop.go",
			Args: map[string]string{"signal": s.Signal, "timeout": r.timeoutText(), "pid": strconv.Itoa(main.PID), "message": message}})
	}
	s.Killed, s.Seconds = true, int(after)
	r.gone(main, s, 137, message)
}

// outOfPatience is what the engine writes: docker into its log, podman on the terminal.
func (r *run) outOfPatience(signal string, seconds int) string {
	switch r.engine() {
	case "docker":
		return fmt.Sprintf("Container %s failed to exit within %d seconds of signal %d - using the force", r.id, seconds, signalNumber(signal))
	case "podman":
		return fmt.Sprintf("StopSignal %s failed to stop container %s in %d seconds, resorting to SIGKILL", signal, r.id, seconds)
	}
	return ""
}

// gone is the container without its process 1: the kernel ends the rest of the namespace.
func (r *run) gone(main *kernel.Task, s *Stopped, code int, message string) {
	main.Quiet = true
	main.Exit(code)
	s.ExitCode = &code
	_, _, actor := r.names()
	n := r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.stopped", Rule: "pid_namespaces(7); docker run, exit status",
		Args: map[string]string{"exit_code": strconv.Itoa(code), "id": r.id}})
	r.end(trace.Outcome{Verdict: trace.Works, Stage: trace.Process, Message: message, ExitCode: &code, Step: n})
}

func (r *run) timeout() float64 {
	n, err := strconv.Atoi(cmp.Or(r.c.StopTimeout, strconv.Itoa(stopTimeout)))
	if err != nil || n < 0 {
		return math.Inf(1)
	}
	return float64(n)
}

func (r *run) timeoutText() string { return seconds(r.timeout()) }

func seconds(n float64) string {
	if math.IsInf(n, 1) {
		return "∞"
	}
	return strconv.FormatFloat(n, 'g', 4, 64)
}

// ending finds out how the program answers the signal. A shell's script is followed to the program that
// runs; ended tells that the container's life is over before anyone could stop it.
func (r *run) ending(t *kernel.Task, sig int, first bool) (e ending, ended bool) {
	kind := shellKind(t)
	if kind == "" {
		return r.direct(t, sig, first)
	}
	spots, code, why := r.shellSpots(t, sig)
	switch {
	case readsInput(why) && r.c.TTY:
		return interactive(sig, kind, first), false
	case readsInput(why) && !r.c.Interactive:
		// Without -i standard input is /dev/null: the shell reads its end and exits.
		return e, r.endsItself(t, 0, endsInput)
	case readsInput(why):
		return r.plain(sig, first), false
	case why != nil:
		return ending{missing: why}, false
	case len(spots) == 0 && code >= 0:
		return e, r.endsItself(t, code, endsScript)
	case len(spots) == 0:
		return ending{missing: trace.Why("unknown.script-runs", "path", t.Exe)}, false
	}
	return r.script(t, spots, code, sig, first)
}

// direct is the ending of a program that is no shell. Some are done before anyone could stop them.
func (r *run) direct(t *kernel.Task, sig int, first bool) (ending, bool) {
	argv := append([]string{programName(t)}, t.Argv[min(1, len(t.Argv)):]...)
	if code, why, over := r.doneAtOnce(t); over {
		return ending{}, r.endsItself(t, code, why)
	}
	e := r.answerTo(r.handlingOf(t, sig), sig, first)
	if left := lasts(argv); e.known && !e.handled && math.IsInf(e.seconds, 1) && left >= 0 && left <= r.timeout() {
		e.seconds, e.exit = left, 0 // sleep ends by itself before SIGKILL
	}
	return e, false
}

// endsItself is a program that is done before anyone stops it.
func (r *run) endsItself(t *kernel.Task, code int, how trace.Kind) bool {
	r.facts.Stop.To = t.Exe
	t.Quiet = true
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: how, Rule: "sh(1); _exit(2)", Args: map[string]string{"exe": t.Exe, "exit_code": strconv.Itoa(code)}})
	r.gone(t, r.facts.Stop, code, "")
	return true
}

// plain is a process without a handler.
func (r *run) plain(sig int, first bool) ending {
	return r.answerTo(handling{known: true}, sig, first)
}

// interactive is a shell at a terminal: it ignores SIGTERM and SIGQUIT, SIGINT only interrupts a command.
// POSIX sh, "INTERACTIVE"; bash(1), SIGNALS; on SIGHUP bash exits.
func interactive(sig int, kind string, first bool) ending {
	e := ending{known: true, handled: true, seconds: math.Inf(1), h: handling{why: kind + " -i", rule: "sh(1p), signal actions of an interactive shell"}}
	switch name := signalName(sig); {
	case name == "SIGTERM" || name == "SIGQUIT" || name == "SIGINT":
		return e
	case name == "SIGHUP" && kind == "bash":
		e.seconds, e.exit = 0, 129
		return e
	}
	return ending{missing: trace.Why("unknown.interactive-shell", "shell", kind, "signal", signalName(sig))}
}

// answerTo turns a handling into an ending. Without a handler process 1 does not get the signal; any other
// process meets the default.
func (r *run) answerTo(h handling, sig int, first bool) ending {
	e := ending{known: h.known, handled: h.handled, h: h, exit: h.exit}
	switch {
	case !h.known:
		e.missing = h.unknown
	case h.forward:
		return ending{missing: trace.Why("unknown.program-behind", "path", h.why, "signal", signalName(sig))}
	case h.handled && !h.ends, !h.handled && (first || harmless(sig)):
		e.seconds = math.Inf(1)
	case !h.handled:
		e.exit = 128 + sig
	}
	return e
}

// script decides by the places where the script may be: they must agree. One place alone is played; code is
// what the script ends with behind it.
func (r *run) script(t *kernel.Task, spots []spot, code, sig int, first bool) (ending, bool) {
	if len(spots) == 1 {
		p := spots[0]
		e, ended := r.play(t, p, sig, first)
		if !ended && e.known && !e.handled && !p.again && math.IsInf(e.seconds, 1) && p.seconds >= 0 && p.seconds <= r.timeout() && code >= 0 {
			e.seconds, e.exit = p.seconds, code // the script is over before SIGKILL
		}
		return e, ended
	}
	var all ending
	for i, p := range spots {
		e := r.at(t, p, sig, first)
		switch {
		case !e.known:
			return e, false
		case i == 0:
			all = e
		case e.handled != all.handled || e.seconds != all.seconds || e.exit != all.exit:
			return ending{missing: trace.Why("unknown.script-place", "path", t.Exe, "signal", signalName(sig))}, false
		}
	}
	all.vague = slices.ContainsFunc(spots, func(p spot) bool { return p.exec })
	return all, false
}

// at is the ending when the script is at p, without playing it.
func (r *run) at(t *kernel.Task, p spot, sig int, first bool) ending {
	if !p.exec {
		return r.trapped(p, sig, first)
	}
	if len(p.argv) == 0 {
		return ending{missing: p.why}
	}
	t.Quiet = true
	defer func() { t.Quiet = false }()
	child, err := t.Clone(0)
	if err != nil {
		return ending{missing: trace.Why("unknown.shell-starts", "program", p.argv[0])}
	}
	child.Quiet = true
	defer child.Exit(0)
	if r.execvp(child, p.argv) != nil {
		return ending{missing: trace.Why("unknown.shell-goes-on", "program", p.argv[0])}
	}
	child.Load()
	return r.answerTo(r.handlingOf(child, sig), sig, first)
}

// play starts the program that the script starts, so that it is seen who is process 1.
func (r *run) play(t *kernel.Task, p spot, sig int, first bool) (ending, bool) {
	if len(p.argv) == 0 || p.wait || p.why != nil {
		if p.exec {
			return ending{missing: p.why}, false
		}
		return r.trapped(p, sig, first), false
	}
	shell, name := t.Exe, p.argv[0]
	runs := t
	if !p.exec {
		child, err := t.Clone(0)
		if err != nil {
			return e0(r.cannotFork(t, p))
		}
		runs = child
		runs.Actor, runs.Stage = t.Actor, trace.Process
	}
	if err := r.execvp(runs, p.argv); err != nil {
		if r.hidden(name, r.m.Step(r.m.Last()).Args["missing"]) {
			return ending{}, true
		}
		if !p.last && !p.exec {
			return ending{missing: trace.Why("unknown.shell-goes-on", "program", name)}, false
		}
		return e0(r.shellFails(t, p, err))
	}
	runs.Actor = runs.Comm
	switch l := runs.Load(); {
	case l.Failed && (p.last || p.exec):
		return e0(r.shellSays(t, "", l.Message, l.Exit))
	case l.Failed || l.Unknown != "" || runs.Died() != "":
		return ending{missing: trace.Why("unknown.shell-after", "program", name)}, false
	}
	kind := trace.Kind("process.shell-waits")
	if p.exec {
		kind = "process.shell-becomes"
	}
	r.emit(trace.Step{Actor: runs.Actor, Stage: trace.Process, Kind: kind, Rule: "sh(1p), exec; fork(2)", Cites: t.Evidence(shell),
		Args: map[string]string{"shell": shell, "program": runs.Exe, "argv": strings.Join(runs.Argv, " "), "pid": strconv.Itoa(runs.NSPID), "signal": signalName(sig)}})
	if !p.exec {
		return r.trapped(p, sig, first), false
	}
	if shellKind(runs) != "" { // a script that starts a script
		return r.ending(runs, sig, first)
	}
	return r.answerTo(r.handlingOf(runs, sig), sig, first), false
}

// e0 is the end of the container's life, or of what is known of it.
func e0(ended bool) (ending, bool) { return ending{}, ended }

// cannotFork is a shell that gets no child, because pids.max of the group is reached: cgroup-v2.rst, PID.
// The words are those of dash 0.5.12, bash 5.2, which tries again for a while, and busybox 1.35.
func (r *run) cannotFork(t *kernel.Task, p spot) bool {
	again := kernel.EAGAIN.Strerror()
	switch shellKind(t) {
	case "bash":
		retry := strings.Repeat(p.zero+": fork: retry: "+again+"\n", 4)
		return r.shellSays(t, retry, p.zero+": fork: "+again, 254)
	case "busybox":
		return r.shellSays(t, "", p.zero+": can't fork: "+again, 2)
	}
	return r.shellSays(t, "", p.zero+": "+strconv.Itoa(p.line)+": Cannot fork", 2)
}

// shellFails ends the run with what the shell says of a command that it cannot start.
func (r *run) shellFails(t *kernel.Task, p spot, err error) bool {
	before, text, code, known := shellWords(shellKind(t), p, err)
	if !known {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.shell-says", "program", p.argv[0]).For(kernel.Because(err))})
		return true
	}
	return r.shellSays(t, before, text, code)
}

// shellWords is what a shell says of a command that is not found or cannot be executed, in the words of the same
// versions. The codes are those of sh(1p), 2.8.2.
func shellWords(kind string, p spot, err error) (before, text string, code int, known bool) {
	name, line := p.argv[0], strconv.Itoa(p.line)
	missing := errors.Is(err, kernel.ENOENT)
	code, what := 126, kernel.EACCES.Strerror()
	if missing {
		code, what = 127, "not found"
	} else if !errors.Is(err, kernel.EACCES) {
		return "", "", 0, false
	}
	exec := ""
	if p.builtin {
		exec = "exec: "
	}
	text = p.zero + ": " + line + ": " + exec + name + ": " + what
	switch kind {
	case "bash":
		zero := p.zero + ": line " + line + ": "
		switch {
		case p.builtin && !missing:
			before, what = zero+name+": "+what+"\n", "cannot execute: "+what
		case missing && !p.builtin && strings.Contains(name, "/"):
			what = kernel.ENOENT.Strerror()
		case missing && !p.builtin:
			what = "command not found"
		}
		text = zero + exec + name + ": " + what
	case "busybox":
		where := ""
		if !p.inline {
			where = "line " + line + ": "
		} else if p.builtin {
			where = "line 0: "
		}
		text = p.zero + ": " + exec + where + name + ": " + what
	}
	return before, text, code, true
}

// shellSays ends the run with the words of the shell, or of what it started.
func (r *run) shellSays(t *kernel.Task, before, text string, code int) bool {
	t.Actor, r.facts.Stop = t.Comm, nil
	cause := r.m.Step(r.m.Last())
	n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.shell-fails", Console: before + text + "\n", Cites: cause.Cites, Rule: "sh(1p), 2.8.2 Exit Status for Commands",
		Args: map[string]string{"message": text, "exit_code": strconv.Itoa(code)}})
	r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: text, ExitCode: &code, Step: n})
	return true
}

// trapped is the ending of a shell that waits for a command. "If a signal for which a trap has been set
// arrives while the shell is waiting for a foreground command, the trap is executed after the command has
// completed"; the wait builtin is left at once. sh(1p), 2.11 Signals and Error Handling.
func (r *run) trapped(p spot, sig int, first bool) ending {
	switch {
	case p.unclear != nil:
		return ending{missing: p.unclear}
	case p.trap == nil:
		return r.plain(sig, first)
	case *p.trap == "":
		return ending{known: true, handled: true, seconds: math.Inf(1), h: handling{why: "trap ''", rule: "trap(1p)"}}
	}
	e := ending{known: true, handled: true, h: handling{why: "trap", rule: "sh(1p), 2.11 Signals and Error Handling"}}
	switch {
	case p.wait:
	case p.seconds < 0:
		return ending{missing: trace.Why("unknown.trap-waits")}
	default:
		e.seconds = p.seconds
	}
	if !p.ends && e.seconds <= r.timeout() {
		return ending{missing: trace.Why("unknown.after-trap", "signal", signalName(sig))}
	}
	e.exit = p.exit
	return e
}
