package container

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// startInit is --init: tini (docker-init) or catatonit is process 1 and starts the program as its child. Its
// bytes are the host's: only that it runs matters. tini src/tini.c; catatonit.c.
func (r *run) startInit(t *kernel.Task, name string) {
	t.Become(name, r.spec.Args)
	r.startChild(t, r.spec.Args[2:])
}

// ownCommand is what an image's own small init starts as its child; nil when the program is none, or prints
// something and ends. tini src/tini.c, parse_args; dumb-init dumb-init.c, parse_command
func ownCommand(t *kernel.Task) []string {
	var alone, valued string // the letters of options
	switch path.Base(t.Exe) {
	case "tini", "tini-static", "docker-init":
		alone, valued = "svwg", "pe"
	case "dumb-init":
		alone, valued = "cv", "r"
	default:
		return nil
	}
	for args := t.Argv[1:]; len(args) > 0; args = args[1:] {
		switch a := args[0]; {
		case a == "--":
			return args[1:]
		case len(a) < 2 || a[0] != '-':
			return args
		case len(a) == 2 && strings.Contains(valued, a[1:]) && len(args) > 1:
			args = args[1:]
		case strings.Trim(a[1:], alone) != "":
			return nil
		}
	}
	return nil
}

// startChild is a small init as process 1 that starts a program and waits for it.
func (r *run) startChild(t *kernel.Task, args []string) {
	t.Actor, t.Stage = t.Comm, trace.Process
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.start-init", Rule: "docker run --init; tini README",
		Args: map[string]string{"exe": t.Exe, "argv": strings.Join(t.Argv, " "), "program": args[0], "stop_signal": r.facts.StopSignal}})
	child, err := t.Clone(0)
	if err != nil {
		r.initFails(t, "fork failed: ", err, 1)
		return
	}
	child.Actor, child.Stage = t.Actor, trace.Process
	if err := r.execvp(child, args); err != nil {
		if r.hidden(args[0], r.m.Step(r.m.Last()).Args["missing"]) {
			return
		}
		code, what := 1, "exec "+args[0]+" failed: "
		switch {
		case path.Base(t.Exe) == "dumb-init":
			code, what = 2, "[dumb-init] "+args[0]+": "
		case errors.Is(err, kernel.ENOENT):
			code = 127
		case errors.Is(err, kernel.EACCES):
			code = 126
		}
		r.initFails(child, what, err, code)
		return
	}
	r.running(t, child)
}

// execvp calls execve for each directory of PATH until one does not say that there is nothing, and gives a
// file in no known format to the shell. execvp(3)
func (r *run) execvp(t *kernel.Task, args []string) error { return r.execvpe(t, args, r.spec.Env) }

// execvpe is execvp with an environment of its own.
func (r *run) execvpe(t *kernel.Task, args, env []string) error {
	list, ok := getenv(env, "PATH")
	if !ok {
		list = "/bin:/usr/bin"
	}
	dirs := strings.Split(list, ":")
	if strings.Contains(args[0], "/") {
		dirs = []string{""}
	}
	denied := false
	var err error = kernel.ENOENT
	for _, dir := range dirs {
		file := args[0]
		if dir != "" {
			file = dir + "/" + file
		}
		if len(dirs) > 1 {
			if _, missing := t.Stat(file); errors.Is(missing, kernel.ENOENT) {
				continue // the same answer as execve's, without a step for each directory
			}
		}
		if err = t.Execve(file, args, env); errors.Is(err, kernel.ENOEXEC) {
			err = t.Execve("/bin/sh", append([]string{"/bin/sh", file}, args[1:]...), env)
		}
		switch {
		case errors.Is(err, kernel.EACCES):
			denied = true
		case !errors.Is(err, kernel.ENOENT) && !errors.Is(err, kernel.ENOTDIR):
			return err
		}
	}
	if denied {
		return kernel.EACCES
	}
	return err
}

// initFails ends the container with the init's words and exit code. Tini puts its process number in front,
// which depends on how many threads the runtime had.
func (r *run) initFails(t *kernel.Task, what string, err error, code int) {
	text := what + err.Error()
	var e kernel.Errno
	if errors.As(err, &e) {
		text = what + e.Strerror()
	}
	cause := r.m.Step(r.m.Last())
	n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.init-failed", Console: text + "\n", Cites: cause.Cites, Rule: "tini src/tini.c, spawn_process; dumb-init.c, main",
		Args: map[string]string{"message": text, "exit_code": strconv.Itoa(code)}})
	r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: text, ExitCode: &code, Step: n})
}
