package container

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// execute finds the program, waits for the start, and calls execve. A program that is not found fails the
// creation; an execve that fails comes after it, when the engine has reported success.
func (r *run) execute(t *kernel.Task) {
	var name string
	var f *failure
	if r.runtime() == "runc" {
		name, f = r.lookPath(t)
	} else {
		name = r.found
	}
	if f != nil {
		r.refuse(f, trace.Create)
		return
	}
	if r.runtime() == "crun" {
		if err := r.dropPrivileges(t); err != nil {
			r.refuse(err, trace.Create)
			return
		}
	}
	r.startFifo(t)
	if r.spec.Seccomp != nil && r.spec.NoNewPrivs {
		// With no_new_privs the filter can come last and does not have to allow what is done before.
		r.filter(t)
	}
	if r.m.Ended() {
		return
	}
	if r.c.Init {
		r.startInit(t, name)
		return
	}
	if err := t.Execve(name, r.spec.Args, r.spec.Env); err != nil {
		r.execFailed(t, name, err)
		return
	}
	r.running(t, t)
}

// startFifo is "create" ending and "start" coming: init hangs in open(2) of the fifo until someone reads.
func (r *run) startFifo(t *kernel.Task) {
	if r.c.Engine == "crun" {
		return // "crun run" does both in one
	}
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Exec, Kind: "runc.wait-start", Rule: "fifo(7); runtime-spec runtime.md, start",
		Args: map[string]string{"fifo": r.stateDir(r.runtime()) + "/exec.fifo"}})
}

// lookPath finds the program as runc's init does, with the user and the capabilities of the container already.
func (r *run) lookPath(t *kernel.Task) (string, *failure) {
	file := r.spec.Args[0]
	at, text := r.lookUp(t, file, r.spec.Env)
	switch {
	case text != "" && strings.Contains(file, "/"):
		return "", r.notFound(t, file, text, nil)
	case text != "":
		list, _ := getenv(r.spec.Env, "PATH")
		return "", r.notFound(t, file, text, slices.DeleteFunc(strings.Split(list, ":"), func(s string) bool { return list == "" }))
	case !strings.Contains(file, "/"):
		r.foundStep(t, file, at)
	}
	return at, nil
}

// lookUp is Go's exec.LookPath, Go 1.19: the file, or why there is none.
func (r *run) lookUp(t *kernel.Task, file string, env []string) (at, text string) {
	text = "exec: " + strconv.Quote(file) + ": "
	if strings.Contains(file, "/") {
		err := findExecutable(t, file)
		switch {
		case err == nil:
			return file, ""
		case !errors.Is(err, fs.ErrPermission):
			text += "stat " + file + ": "
		}
		return "", text + err.Error()
	}
	list, _ := getenv(env, "PATH")
	for dir := range strings.SplitSeq(list, ":") {
		if list == "" {
			break
		}
		if dir == "" {
			dir = "." // "Unix shell semantics: path element "" means "."" - os/exec
		}
		at := path.Join(dir, file)
		if findExecutable(t, at) != nil {
			continue
		}
		if !path.IsAbs(at) {
			return "", text + "cannot run executable found relative to current directory"
		}
		return at, ""
	}
	return "", text + "executable file not found in $PATH"
}

// findExecutable looks at the mode only: whether this user may execute the file, execve will say.
func findExecutable(t *kernel.Task, file string) error {
	fi, err := t.Stat(file)
	if err != nil {
		return err
	}
	if !fi.IsDir() && fi.Mode()&0o111 != 0 {
		return nil
	}
	return fs.ErrPermission
}

func (r *run) foundStep(t *kernel.Task, file, at string) {
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Exec, Kind: "runc.find-program", Args: map[string]string{"name": file, "path": at},
		Cites: t.Evidence(at), Rule: "execvp(3), PATH"})
}

// notFound emits what was looked for where.
func (r *run) notFound(t *kernel.Task, file, text string, searched []string) *failure {
	cites := append(r.cite("config.Entrypoint", "config.Cmd", "config.Env"), t.Evidence(file)...)
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Create, Kind: "runc.program-not-found", Cites: cites, Rule: "runtime-spec runtime.md, create",
		Args: map[string]string{"name": file, "searched": strings.Join(searched, ":"), "error": text}})
	r.hidden(file)
	return &failure{text: text, cites: cites}
}

// execFailed is what init prints when execve returns; it then exits with 1.
func (r *run) execFailed(t *kernel.Task, name string, err error) {
	text := "exec " + name + ": " + err.Error()
	var e kernel.Errno
	if r.runtime() == "crun" && errors.As(err, &e) {
		text = "exec container process "
		if e == kernel.ENOENT {
			text += "(missing dynamic library?) "
		}
		text += "`" + name + "`: " + e.Strerror()
	}
	step := r.m.Last()
	cause := r.m.Step(step)
	if r.hidden(name, cause.Args["missing"]) {
		return
	}
	code := 1
	t.Actor = cause.Actor
	st := trace.Step{Actor: t.Actor, Stage: trace.Exec, Kind: "runc.exec-failed", Console: text + "\n", Cites: cause.Cites, Rule: cause.Rule,
		Args: map[string]string{"message": text, "exit_code": "1"}}
	n := r.emit(st)
	r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Exec, Message: text, ExitCode: &code, Step: n})
}

// running is what is known of the first moments of the program in t; main is process 1.
func (r *run) running(main, t *kernel.Task) {
	t.Actor, t.Stage = t.Comm, trace.Process
	if sig := t.Died(); sig != "" {
		code := 139
		n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.killed", Rule: "execve(2); signal(7)", Cites: r.m.Step(r.m.Last()).Cites,
			Args: map[string]string{"signal": sig, "exit_code": "139"}})
		r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: sig, ExitCode: &code, Step: n})
		return
	}
	switch l := t.Load(); {
	case l.Failed && r.hidden(strings.Split(r.m.Step(r.m.Last()).Args["searched"], ":")...):
	case l.Failed:
		code := l.Exit
		n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.exit", Console: firstOf(l.Console, l.Message) + "\n", Cites: l.Cites, Rule: firstOf(l.Rule, "ld.so(8)"),
			Args: map[string]string{"message": l.Message, "exit_code": strconv.Itoa(code)}})
		r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: l.Message, ExitCode: &code, Step: n})
	case l.Unknown != "":
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Process, Unknown: trace.Why("unknown.loader", "loader", l.Unknown)})
	default:
		n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.run", Console: lines(l.Console), Rule: "execve(2)", Cites: t.Evidence(t.Exe),
			Args: map[string]string{"exe": t.Exe, "argv": strings.Join(t.Argv, " "), "user": r.facts.User, "effective": t.Cred.Effective.String(), "pid": strconv.Itoa(t.NSPID)}})
		if args := ownCommand(t); len(args) > 0 {
			r.startChild(t, args)
			return
		}
		r.lives(main, t, n)
	}
}

// lives is the program's life, as far as it was asked for; n is the step that says that it runs.
func (r *run) lives(main, t *kernel.Task, n int) {
	r.facts.Ports, r.facts.Memory, r.facts.Health, r.facts.UserNS = r.ports(t), r.memory(t), r.health(main), r.describeUserNS(t)
	if len(r.c.Exec) > 0 {
		if r.exec(main); r.m.Ended() {
			return
		}
	}
	if r.c.Stop {
		r.stop(main, t)
		return
	}
	if r.wants(t); r.m.Ended() {
		return
	}
	if r.plays(t); r.m.Ended() {
		return
	}
	if code, why, over := r.knownEnd(t); over && (r.c.Restart != "" || r.c.AutoRemove) {
		last := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: why, Rule: "_exit(2)", Args: map[string]string{"exe": t.Exe, "exit_code": strconv.Itoa(code)}})
		r.end(trace.Outcome{Verdict: trace.Works, Stage: trace.Process, ExitCode: &code, Step: last})
		return
	}
	r.end(trace.Outcome{Verdict: trace.Works, Stage: trace.Process, Step: n})
}

// lines ends a text with a newline, when there is one.
func lines(text string) string {
	if text == "" {
		return ""
	}
	return text + "\n"
}

// crunFind is crun's find_executable: it asks for execute permission and for a regular file, and stops at
// the first hit in PATH that fails for another reason than that it is not there.
func (r *run) crunFind(t *kernel.Task) (string, *failure) {
	if len(r.spec.Args) == 0 || r.spec.Args[0] == "" {
		return "", r.notFound(t, "", "open executable: "+kernel.EINVAL.Strerror(), nil)
	}
	file := r.spec.Args[0]
	full := file
	if file[0] == '.' {
		full = path.Join(r.spec.Cwd, file)
	}
	var err error
	var searched []string
	if full[0] == '/' {
		if err = t.Executable(full); err == nil {
			return full, nil
		}
	} else {
		list, _ := getenv(r.spec.Env, "PATH")
		searched = slices.DeleteFunc(strings.Split(list, ":"), func(s string) bool { return s == "" })
		err = kernel.ENOENT
		for _, dir := range searched {
			at := dir + "/" + file
			if err = t.Executable(at); err == nil {
				r.foundStep(t, file, at)
				return at, nil
			}
			if !errors.Is(err, kernel.ENOENT) {
				break
			}
		}
	}
	var e kernel.Errno
	errors.As(err, &e)
	text := "open executable: " + e.Strerror()
	if e == kernel.ENOENT {
		text = "executable file `" + file + "` not found in $PATH: " + e.Strerror()
	}
	return "", r.notFound(t, file, text, searched)
}
