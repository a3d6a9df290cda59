package container

import (
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Exec is a second program in a running container.
type Exec struct {
	Argv     []string
	Started  bool
	Message  string // why not
	ExitCode *int   // of docker exec, when it is known
	PID      string // in the container
}

// exec is docker exec: runc starts a process that enters the namespaces of process 1 and then goes the same
// way as the first: user, capabilities, execve. libcontainer/setns_init_linux.go; nsexec.c. The order was
// recorded with runc 1.1.5.
func (r *run) exec(main *kernel.Task) {
	e := &Exec{Argv: r.c.Exec}
	r.facts.Exec = e
	if code, why, over := r.knownEnd(main); over {
		r.emit(trace.Step{Actor: main.Actor, Stage: trace.Process, Kind: why, Rule: "_exit(2)", Args: map[string]string{"exe": main.Exe, "exit_code": strconv.Itoa(code)}})
		r.execRefused(e, "Error response from daemon: Container "+r.id+" is not running", 1)
		return
	}
	if r.runtime() == "crun" {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.crun-exec")})
		return
	}
	_, _, actor := r.names()
	r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.exec", Rule: "docker exec; runc-exec(8)",
		Args: map[string]string{"argv": strings.Join(r.c.Exec, " "), "id": r.id, "pid": strconv.Itoa(main.PID)}})
	t, err := r.enter(main)
	if err != nil {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.enter-container").For(kernel.Because(err))})
		return
	}
	at, text := r.lookUp(t, r.c.Exec[0], r.spec.Env)
	if text != "" {
		if r.hidden(r.c.Exec[0]) {
			return
		}
		r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "runc.program-not-found", Rule: "runc-exec(8)", Cites: t.Evidence(r.c.Exec[0]),
			Args: map[string]string{"name": r.c.Exec[0], "searched": r.searched(r.c.Exec[0]), "error": text}})
		r.execRefused(e, r.execText(text), r.execCode())
		return
	}
	if err := t.Execve(at, r.c.Exec, r.spec.Env); err != nil {
		r.execRefused(e, "exec "+at+": "+err.Error(), 1)
		return
	}
	r.execRuns(e, t)
}

// enter makes the process and moves it into the container.
func (r *run) enter(main *kernel.Task) (*kernel.Task, error) {
	parent, err := r.host.Clone(kernel.CLONE_VM | kernel.CLONE_VFORK)
	if err != nil {
		return nil, err
	}
	parent.Become("/usr/bin/runc", []string{"runc", "init"})
	parent.Comm, parent.Actor, parent.Stage = "runc:[0:PARENT]", "runc:[0:PARENT]", trace.Process
	r.host.Quiet = true
	r.host.JoinCgroup("", r.spec.CgroupPath, parent)
	r.host.Quiet = false
	seal(parent, r.stateDir("runc")+"/runc."+r.id[6:12])
	child, err := parent.Clone(kernel.CLONE_PARENT)
	if err != nil {
		return nil, err
	}
	child.Comm, child.Actor = "runc:[1:CHILD]", "runc:[1:CHILD]"
	for _, ns := range []kernel.Flags{kernel.CLONE_NEWUSER, kernel.CLONE_NEWIPC, kernel.CLONE_NEWUTS, kernel.CLONE_NEWNET, kernel.CLONE_NEWPID, kernel.CLONE_NEWNS, kernel.CLONE_NEWCGROUP} {
		if !r.spec.Namespaces.Has(ns) {
			continue
		}
		if err := child.Setns(main, ns); err != nil {
			return nil, err
		}
	}
	t, err := child.Clone(kernel.CLONE_PARENT)
	if err != nil {
		return nil, err
	}
	t.Comm, t.Actor = "runc:[2:INIT]", "runc:[2:INIT]"
	child.Exit(0)
	parent.Exit(0)
	t.Setsid()
	t.Setuid(0)
	t.Setgid(0)
	if r.spec.NoNewPrivs {
		t.SetNoNewPrivs()
	}
	return t, r.finalizeNamespace(r.host, t)
}

// execText is how the layers around runc pass its words on.
func (r *run) execText(text string) string {
	if r.engine() == "docker" {
		return execFailed(text)
	}
	return "exec failed: unable to start container process: " + text
}

// execCode is the exit code when the program was not started: docker's daemon sets 126 whatever the reason
// (moby daemon/exec.go, 20.10), runc exits with 255.
func (r *run) execCode() int {
	if r.engine() == "docker" {
		return 126
	}
	return 255
}

// execRefused ends the run: the container goes on, the second program does not.
func (r *run) execRefused(e *Exec, text string, code int) {
	_, _, actor := r.names()
	e.Message, e.ExitCode = text, &code
	cause := r.m.Step(r.m.Last())
	n := r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: "engine.exec-failed", Console: text + "\n", Cites: cause.Cites, Rule: "docker exec; moby daemon/exec.go",
		Args: map[string]string{"message": text, "exit_code": strconv.Itoa(code), "argv": strings.Join(e.Argv, " ")}})
	r.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: text, ExitCode: &code, Step: n})
}

// execRuns is the second program in its first moments.
func (r *run) execRuns(e *Exec, t *kernel.Task) {
	t.Actor, t.Stage = t.Comm, trace.Process
	e.Started, e.PID = true, strconv.Itoa(t.NSPID)
	if l := t.Load(); l.Failed {
		r.execRefused(e, l.Message, l.Exit)
		return
	}
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.run-second", Rule: "docker exec", Cites: t.Evidence(t.Exe),
		Args: map[string]string{"exe": t.Exe, "argv": strings.Join(t.Argv, " "), "user": r.facts.User, "pid": e.PID}})
	if code, _, over := r.knownEnd(t); over {
		e.ExitCode = &code
	}
}

// searched are the directories of PATH when the name is looked for there.
func (r *run) searched(name string) string {
	if strings.Contains(name, "/") {
		return ""
	}
	list, _ := getenv(r.spec.Env, "PATH")
	return list
}
