package container

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Programs that make or remove one file, where that fails: on a read-only root, without the right to it. The
// words are those of GNU coreutils 9.1 and busybox 1.35; recorded in tests/truth/container/writes_test.go.

// writes plays touch, mkdir and rm with one operand, and ends the run when they fail. What they do in a volume
// is not known.
func (r *run) writes(t *kernel.Task) {
	name, operand, flag := oneOperand(t)
	if operand == "" || !r.isTool(t) {
		return
	}
	at := operand
	if !path.IsAbs(at) {
		at = path.Join(t.Cwd(), at)
	}
	if r.under(path.Clean(at)) != "" {
		return
	}
	var err error
	switch name {
	case "touch":
		err = t.MayWrite(operand)
	case "mkdir":
		if err = t.Mkdir(operand, 0o777); flag == "-p" && !errors.Is(err, kernel.EROFS) && !errors.Is(err, kernel.EACCES) {
			return
		}
	case "rm":
		_, err = t.Lstat(operand)
		if err == nil {
			err = t.Unlink(operand)
		}
		if flag == "-f" && errors.Is(err, kernel.ENOENT) {
			return
		}
	}
	e, failed := err.(kernel.Errno)
	if !failed || !slices.Contains([]kernel.Errno{kernel.EROFS, kernel.EACCES, kernel.ENOENT, kernel.EEXIST}, e) {
		return
	}
	text, code := toolSays(isBusybox(t), name, operand, e), 1
	n := r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "process.cannot-write", Console: text + "\n", Cites: t.Evidence(t.Exe), Rule: name + "(1); path_resolution(7)",
		Args: map[string]string{"exe": t.Exe, "path": operand, "error": e.Strerror(), "message": text, "exit_code": strconv.Itoa(code)}})
	r.end(trace.Outcome{Verdict: trace.Stops, Stage: trace.Process, Message: text, ExitCode: &code, Step: n})
}

// isTool tells whether the program is one of the system's own.
func (r *run) isTool(t *kernel.Task) bool {
	return isBusybox(t) || slices.Contains([]string{"/usr/bin", "/bin"}, path.Dir(t.Exe))
}

// oneOperand takes a command line with one operand apart; -p and -f are the only options that are known.
func oneOperand(t *kernel.Task) (name, operand, flag string) {
	name = programName(t)
	args := t.Argv[min(1, len(t.Argv)):]
	if isBusybox(t) && strings.HasPrefix(path.Base(t.Argv[0]), "busybox") {
		args = args[min(1, len(args)):]
	}
	option := map[string]string{"mkdir": "-p", "rm": "-f", "touch": ""}
	allowed, known := option[name]
	if len(args) == 2 && allowed != "" && args[0] == allowed {
		flag, args = allowed, args[1:]
	}
	if !known || len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return name, "", ""
	}
	// Of a path with -p the first directory that is missing is named: only one level is played.
	if flag == "-p" && strings.Count(strings.Trim(args[0], "/"), "/") > 0 {
		return name, "", ""
	}
	return name, args[0], flag
}

// toolSays is the message of the program.
func toolSays(busybox bool, name, operand string, e kernel.Errno) string {
	what := map[string]string{"touch": "cannot touch", "mkdir": "cannot create directory", "rm": "cannot remove"}[name]
	quoted := " '" + operand + "'"
	if busybox {
		what = map[string]string{"mkdir": "can't create directory", "rm": "can't remove"}[name]
		if name == "touch" {
			return "touch: " + operand + ": " + e.Strerror()
		}
	}
	return name + ": " + what + quoted + ": " + e.Strerror()
}
