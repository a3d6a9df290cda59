package container

import (
	"errors"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// startInit is --init: tini (docker-init) or catatonit is process 1 and starts the program as its child. Its
// bytes are the host's: only that it runs matters. tini src/tini.c; catatonit.c.
func (r *run) startInit(t *kernel.Task, name string) {
	args := r.spec.Args[2:]
	t.Become(name, r.spec.Args)
	t.Actor, t.Stage = t.Comm, trace.Process
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.start-init", Rule: "docker run --init; tini README",
		Args: map[string]string{"exe": name, "argv": strings.Join(t.Argv, " "), "program": args[0], "stop_signal": r.facts.StopSignal}})
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
		code := 1
		switch {
		case errors.Is(err, kernel.ENOENT):
			code = 127
		case errors.Is(err, kernel.EACCES):
			code = 126
		}
		r.initFails(child, "exec "+args[0]+" failed: ", err, code)
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
	n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.init-failed", Console: text + "\n", Cites: cause.Cites, Rule: "tini src/tini.c, spawn_process",
		Args: map[string]string{"message": text, "exit_code": strconv.Itoa(code)}})
	r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: text, ExitCode: &code, Step: n})
}
