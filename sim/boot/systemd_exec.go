package boot

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// spawnError is why a process of a unit did not become its program. systemd.exec(5), "Process Exit Codes".
type spawnError struct {
	step   string // "EXEC", "CHDIR" …: the name of the exit status; "" when PID 1 did not get as far as a process
	status int
	what   string // the process's own words, before the reason
	errno  error
	pid    int
	cites  []blob.Cite // the setting that decided
}

func (e *spawnError) Error() string { return e.what + ": " + strerror(e.errno) }

// spawn starts a program of a unit and tells why that fails; a main program stays.
func (x *sysd) spawn(u *systemd.Unit, c systemd.Command, stays bool) *spawnError {
	x.pid1.Quiet = true
	defer func() { x.pid1.Quiet = false }()
	if e := x.environmentMissing(u); e != nil {
		return e
	}
	child, err := x.pid1.Clone(0)
	if err != nil {
		return &spawnError{what: "Failed to fork", errno: err}
	}
	e := x.prepare(u)
	if e == nil {
		e = x.exec(child, c)
	}
	if e != nil {
		e.pid = child.PID
		child.Exit(e.status)
		return e
	}
	if !stays {
		child.Exit(0)
		x.blocked = !x.effect(u, c)
		return nil
	}
	x.procs[u] = child
	return nil
}

// exec looks for the program and replaces the process with it.
func (x *sysd) exec(child *kernel.Task, c systemd.Command) *spawnError {
	exe := c.Path
	if !path.IsAbs(exe) {
		exe = x.inPath(exe)
	}
	e := &spawnError{step: "EXEC", status: 203, what: "Failed to execute " + exe, cites: c.File.Cite(c.Entry)}
	// find_executable: what cannot be opened for execution is not even tried.
	if fi, err := x.pid1.Stat(exe); err != nil {
		e.what, e.errno = "Failed to locate executable "+c.Path, err
		return e
	} else if fi.Mode().IsRegular() && fi.Mode()&0o111 == 0 {
		e.what, e.errno = "Failed to locate executable "+c.Path, kernel.EACCES
		return e
	}
	if e.errno = child.Execve(exe, c.Argv, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}); e.errno != nil {
		return e
	}
	return nil
}

// inPath finds a program by its name, in the directories of systemd.exec(5) "$PATH".
func (x *sysd) inPath(name string) string {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if fi, err := x.pid1.Stat(path.Join(dir, name)); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return path.Join(dir, name)
		}
	}
	return "/usr/bin/" + name
}

// environmentMissing: PID 1 itself reads EnvironmentFile= before it forks. "-" makes a missing file all right.
func (x *sysd) environmentMissing(u *systemd.Unit) *spawnError {
	for _, a := range u.Assignments("Service", "EnvironmentFile") {
		if path.IsAbs(a.Value) && !strings.ContainsAny(a.Value, "%*?[") {
			if _, err := x.pid1.Stat(a.Value); err != nil {
				return &spawnError{what: "Failed to load environment files", errno: err, cites: a.Cite()}
			}
		}
	}
	return nil
}

// prepare is what the new process does before it looks for its program, in the order of exec_child.
func (x *sysd) prepare(u *systemd.Unit) *spawnError {
	section := "Service"
	if a, ok := x.plain(u, section, "User"); ok && !u.Flag(section, "DynamicUser") && !x.account(a.Value, "passwd", "u") {
		return &spawnError{step: "USER", status: 217, what: "Failed to determine user credentials", errno: kernel.ESRCH, cites: a.Cite()}
	}
	if a, ok := x.plain(u, section, "Group"); ok && !u.Flag(section, "DynamicUser") && !x.account(a.Value, "group", "g") {
		return &spawnError{step: "GROUP", status: 216, what: "Failed to determine group credentials", errno: kernel.ESRCH, cites: a.Cite()}
	}
	if a, ok := x.plain(u, section, "StandardInput"); ok {
		if file, ok := strings.CutPrefix(a.Value, "file:"); ok {
			if _, err := x.pid1.Stat(file); err != nil {
				return &spawnError{step: "STDIN", status: 208, what: "Failed to set up standard input", errno: err, cites: a.Cite()}
			}
		}
	}
	root := "/"
	if a, ok := x.plain(u, section, "RootDirectory"); ok {
		root = a.Value
		if _, err := x.pid1.Stat(root); err != nil {
			return &spawnError{step: "NAMESPACE", status: 226, what: "Failed to set up mount namespacing", errno: err, cites: a.Cite()}
		}
	}
	for _, key := range []string{"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths"} {
		for _, a := range u.Assignments(section, key) {
			for _, p := range strings.Fields(a.Value) {
				if _, err := x.pid1.Stat(path.Join(root, p)); err != nil && path.IsAbs(p) && !strings.Contains(p, "%") {
					return &spawnError{step: "NAMESPACE", status: 226, what: "Failed to set up mount namespacing: " + p, errno: err, cites: a.Cite()}
				}
			}
		}
	}
	if a, ok := x.plain(u, section, "WorkingDirectory"); ok && path.IsAbs(a.Value) {
		if fi, err := x.pid1.Stat(path.Join(root, a.Value)); err != nil || !fi.IsDir() {
			if err == nil {
				err = kernel.ENOTDIR
			}
			return &spawnError{step: "CHDIR", status: 200, what: "Changing to the requested working directory failed", errno: err, cites: a.Cite()}
		}
	}
	return nil
}

// plain is the last assignment of a key when it is a value as it stands: with specifiers it depends on more.
func (x *sysd) plain(u *systemd.Unit, section, key string) (systemd.Assignment, bool) {
	list := u.Assignments(section, key)
	if len(list) == 0 || strings.Contains(list[len(list)-1].Value, "%") {
		return systemd.Assignment{}, false
	}
	return list[len(list)-1], true
}

// account tells whether a user or group exists: in /etc/passwd or /etc/group, or because systemd-sysusers(8)
// made it earlier in this start. Other sources of nsswitch.conf(5) cannot be asked.
func (x *sysd) account(name, file, kind string) bool {
	if _, err := strconv.Atoi(name); err == nil || name == "root" {
		return true
	}
	text, _, err := x.small("/etc/" + file)
	if err != nil || strings.HasPrefix(text, name+":") || strings.Contains(text, "\n"+name+":") {
		return true // a file too big or unreadable says nothing
	}
	if x.declared(name, kind) {
		return true
	}
	nss, _, _ := x.small("/etc/nsswitch.conf")
	for line := range strings.SplitSeq(nss, "\n") {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), file+":")
		for source := range strings.FieldsSeq(rest) {
			if ok && source != "files" && source != "systemd" && source != "compat" && !strings.HasPrefix(source, "[") {
				x.doubt(trace.Why("unknown.name-source", "source", source, "name", name))
				return true
			}
		}
	}
	return false
}

// declared tells whether a file of sysusers.d(5) makes the account and systemd-sysusers.service has run.
func (x *sysd) declared(name, kind string) bool {
	if u := x.mgr.Get("systemd-sysusers.service"); u == nil || u.State != systemd.Active || !x.writable("/etc") {
		return false
	}
	for _, dir := range []string{"/etc/sysusers.d", "/usr/local/lib/sysusers.d", "/usr/lib/sysusers.d"} {
		list, _ := x.pid1.ReadDir(dir)
		for _, e := range list {
			text, _, _ := x.small(path.Join(dir, e.Name()))
			for line := range strings.SplitSeq(text, "\n") {
				// A user gets a group of its name: "u" lines make both.
				if f := strings.Fields(line); len(f) > 1 && f[1] == name && (strings.HasPrefix(f[0], kind) || strings.HasPrefix(f[0], "u")) {
					return true
				}
			}
		}
	}
	return false
}

// childLog is what the forked process says before it is another program: its name is that of the program in
// parentheses, its last eight bytes.
func (x *sysd) childLog(u *systemd.Unit, c systemd.Command, pid, level int, text string) string {
	name := path.Base(c.Path)
	return x.logAs(fmt.Sprintf("(%s)[%d]", name[max(0, len(name)-8):], pid), x.m.Now(), level, u.ID+": "+text)
}

// spawnWords are the lines about a process that did not become its program.
func (x *sysd) spawnWords(u *systemd.Unit, c systemd.Command, e *spawnError, process string) string {
	var out strings.Builder
	if e.step == "" {
		task := "start"
		if process == "Control" {
			task = "start-pre"
		}
		out.WriteString(x.log(x.m.Now(), logErr, "%s: %s", u.ID, e.Error()))
		out.WriteString(x.log(x.m.Now(), logWarning, "%s: Failed to run '%s' task: %s", u.ID, task, strerror(e.errno)))
		out.WriteString(x.log(x.m.Now(), logWarning, "%s: Failed with result 'resources'.", u.ID))
		return out.String()
	}
	out.WriteString(x.childLog(u, c, e.pid, logErr, e.Error()))
	out.WriteString(x.childLog(u, c, e.pid, logErr, fmt.Sprintf("Failed at step %s spawning %s: %s", e.step, c.Path, strerror(e.errno))))
	out.WriteString(x.log(x.m.Now(), logNotice, "%s: %s process exited, code=exited, status=%d/%s", u.ID, process, e.status, e.step))
	out.WriteString(x.log(x.m.Now(), logWarning, "%s: Failed with result 'exit-code'.", u.ID))
	return out.String()
}

// spawnArgs fill the step of a process that did not become its program.
func (x *sysd) spawnArgs(st *trace.Step, c systemd.Command, e *spawnError) {
	st.Args["path"], st.Args["error"], st.Args["step"] = c.Path, strerror(e.errno), e.step
	st.Args["what"] = e.what
	if e.step == "" {
		st.Kind, st.Rule = "systemd.no-environment", "systemd.exec(5) EnvironmentFile="
		return
	}
	st.Args["status"] = fmt.Sprintf("%d/%s", e.status, e.step)
	st.Rule = "systemd.exec(5) " + st.Args["status"]
	if e.step != "EXEC" {
		st.Kind = "systemd.spawn-failed"
	}
}

// execFailed is the end of a start whose process did not become its program.
func (x *sysd) execFailed(j *systemd.Job, c systemd.Command, e *spawnError, process string) {
	st := x.step("systemd.exec-failed", j, "")
	st.Cites = append(e.cites, st.Cites...)
	x.spawnArgs(&st, c, e)
	if x.result[j.Unit] = "exit-code"; e.step == "" {
		x.result[j.Unit] = "resources"
	}
	x.kill(j.Unit)
	x.failed(j, systemd.JobFailed, st, x.spawnWords(j.Unit, c, e, process), "Failed to start %s.")
}

// mainFailed is a service whose program cannot be executed after it counted as started.
func (x *sysd) mainFailed(u *systemd.Unit, c systemd.Command, e *spawnError) {
	if c.IgnoreFailure {
		u.State = systemd.Inactive
		return
	}
	u.State = systemd.Failed
	st := trace.Step{Kind: "systemd.exec-failed", Stage: trace.Userspace, Cause: x.steps[u], Console: x.spawnWords(u, c, e, "Main"),
		Cites: e.cites, Args: map[string]string{"unit": u.ID, "description": u.Description}}
	x.spawnArgs(&st, c, e)
	x.steps[u] = x.emit(st, unitRow(u, "failed"))
	x.result[u] = "exit-code"
	x.ended(u, systemd.OnFailure)
}
