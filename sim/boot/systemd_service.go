package boot

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// startService is service_start: ExecCondition=, ExecStartPre=, ExecStart= as its Type= says, ExecStartPost=.
func (x *sysd) startService(j *systemd.Job) {
	u := j.Unit
	sv := u.Service
	x.stopsFirst(u)
	// Type=idle counts as active whatever it still does: state_translation_table_idle in service.c.
	alone := len(sv.Condition)+len(sv.Pre)+len(sv.Post) == 0
	if sv.Type == "idle" || alone && (sv.Type == "simple" || sv.Type == "oneshot" && len(sv.Start) == 0) {
		x.m.Wait(costSystemdFork)
		x.serviceUp(j)
		return
	}
	if x.passphrase(j) {
		return
	}
	if x.environmentMissing(u) != nil {
		x.serviceUp(j) // fails before it counts as starting
		return
	}
	x.begin(j, "systemd.starting", "Starting %s...", commandCites(sv.Start))
	x.m.Wait(costSystemdFork)
	prio := onExit
	switch sv.Type {
	case "notify", "notify-reload":
		prio = onNotify
	case "dbus":
		prio = onOther
	}
	if len(sv.Start) > 0 && path.Base(sv.Start[0].Path) == "systemd-fsck" {
		x.later(costSystemdFork, onOther, j, func() { x.traffic("systemd-fsckd.socket", u) })
	}
	if takes, late := x.course(u); late != "" {
		x.later(takes, onOther, j, func() { x.startTimedOut(j, late) })
	} else {
		x.later(takes, prio, j, func() { x.serviceUp(j) })
	}
}

// course is how long a start takes as far as the ends of its programs are known, up to the first that fails.
// late names the operation, as systemd does, that does not end within TimeoutStartSec=: each program has that
// much time for itself.
func (x *sysd) course(u *systemd.Unit) (takes time.Duration, late string) {
	sv := u.Service
	limit := x.startLimit(u)
	waits := sv.Type != "simple" && sv.Type != "idle" && sv.Type != "exec"
	for _, part := range []struct {
		operation string
		list      []systemd.Command
	}{{"condition", sv.Condition}, {"start-pre", sv.Pre}, {"start", sv.Start}, {"start-post", sv.Post}} {
		for _, c := range part.list {
			d := timeOf(c)
			if part.operation == "start" && !waits {
				d = costSystemdFork
			}
			if limit > 0 && d > limit {
				return takes + limit, part.operation
			}
			takes += d
			if f, ok := fateOf(c); ok && f.status != 0 && !c.IgnoreFailure && (waits || part.operation != "start") {
				return takes, ""
			}
		}
	}
	return takes, ""
}

// startLimit is TimeoutStartSec=, negative when there is none: DefaultTimeoutStartSec= is 90 seconds and does
// not concern Type=oneshot. systemd.service(5).
func (x *sysd) startLimit(u *systemd.Unit) time.Duration {
	if e, _, ok := u.Setting("Service", "TimeoutSec"); ok && u.Service.TimeoutStart == "" {
		return timeSpan(e.Value, -1)
	}
	if u.Service.Type == "oneshot" {
		return timeSpan(u.Service.TimeoutStart, -1)
	}
	return timeSpan(u.Service.TimeoutStart, timeSpan(x.conf["DefaultTimeoutStartSec"], 90*time.Second))
}

// traffic starts the service of a socket that a program connects to: systemd.socket(5). Which programs
// do is known where it is documented: systemd-fsck(8) reports to systemd-fsckd.service(8).
func (x *sysd) traffic(socket string, by *systemd.Unit) {
	u := x.mgr.Get(socket)
	if u == nil || u.State != systemd.Active || u.Socket == nil || u.Socket.Accept {
		return
	}
	service := x.mgr.Load(u.Socket.Service)
	if service == nil || service.State != systemd.Inactive || x.mgr.Job(service) != nil {
		return
	}
	if _, err := x.queue(service, systemd.Start, systemd.Replace); err != nil {
		return
	}
	x.emit(trace.Step{Kind: "systemd.traffic", Stage: trace.Userspace, Rule: "systemd.socket(5)", Cites: unitCites(u), Cause: x.steps[by],
		Args: map[string]string{"unit": service.ID, "socket": u.ID, "by": by.ID}}, unitRow(service, "queued"))
}

func commandCites(list []systemd.Command) []blob.Cite {
	var out []blob.Cite
	for _, c := range list {
		out = append(out, c.File.Cite(c.Entry)...)
	}
	return out
}

// serviceUp runs the service's programs and sees whether its type's promise is kept. What a program does is
// known of few; one that can be executed is taken to succeed.
func (x *sysd) serviceUp(j *systemd.Job) {
	u := j.Unit
	sv := u.Service
	for _, c := range slices.Concat(sv.Condition, sv.Pre) {
		if !x.control(j, c) {
			return
		}
	}
	asked := false
	for _, c := range sv.Start {
		err := x.spawn(u, c, sv.Type != "oneshot")
		if x.blocked || x.m.Ended() {
			x.blocked = false
			return // the program waits for somebody: its unit stays as it is
		}
		switch {
		case err != nil && (sv.Type == "simple" || sv.Type == "idle"):
			// These count as started once the process exists, before its program runs.
			x.serviceActive(j, false)
			x.mainFailed(u, c, err)
			return
		case err != nil && !c.IgnoreFailure:
			x.execFailed(j, c, err, "Main")
			return
		case err != nil:
			x.forgiven(u, c, err)
		}
		if x.refused {
			x.refused = false
			x.statusFailed(j, c, "Main", 1)
			return
		}
		asked = asked || x.early() != nil && path.Base(c.Path) == "systemctl"
		if f, ok := fateOf(c); ok && err == nil && !x.keepsPromise(j, c, f) {
			return
		}
	}
	for _, c := range sv.Post {
		if !x.control(j, c) {
			return
		}
	}
	if asked { // what PID 1 was asked for begins before the program that asked has ended
		x.later(costSystemctl, onExit, j, func() { x.serviceActive(j, false) })
		return
	}
	x.serviceActive(j, false)
}

// control runs a program beside the main one. It tells whether the start goes on.
func (x *sysd) control(j *systemd.Job, c systemd.Command) bool {
	u := j.Unit
	err := x.spawn(u, c, false)
	if c.IgnoreFailure {
		x.forgiven(u, c, err)
		return true
	}
	isCondition := slices.ContainsFunc(u.Service.Condition, func(o systemd.Command) bool { return o.Entry == c.Entry && o.File == c.File })
	f, _ := fateOf(c)
	switch {
	case err == nil && x.succeeds(u, f.status):
		return true
	case isCondition:
		// "exit code 1 through 254 (inclusive): the remaining commands are skipped and the unit is not marked
		// as failed" - systemd.service(5); that a program is missing is status 203.
		x.conditionSkips(j, c)
	case err != nil:
		x.execFailed(j, c, err, "Control")
	default:
		x.kill(u)
		x.statusFailed(j, c, "Control", f.status)
	}
	return false
}

// forgiven says that a program is missing which may be: its name has the prefix "-".
func (x *sysd) forgiven(u *systemd.Unit, c systemd.Command, e *spawnError) {
	if e == nil || e.step != "EXEC" || e.errno != kernel.ENOENT {
		return
	}
	x.later(costSystemdEvent, onOther, nil, func() {
		x.emit(trace.Step{Kind: "systemd.program-skipped", Stage: trace.Userspace, Rule: "systemd.service(5), COMMAND LINES", Cites: e.cites, Cause: x.steps[u],
			Args:    map[string]string{"unit": u.ID, "path": c.Path},
			Console: x.childLog(u, c, e.pid, logInfo, fmt.Sprintf("Executable %s missing, skipping: %s", c.Path, strerror(e.errno)))})
	})
}

// conditionSkips ends a start whose ExecCondition= says no.
func (x *sysd) conditionSkips(j *systemd.Job, c systemd.Command) {
	u := j.Unit
	st := x.step("systemd.exec-condition", j, "systemd.service(5) ExecCondition=")
	st.Args["path"] = c.Path
	st.Cites = append(c.File.Cite(c.Entry), st.Cites...)
	st.Console = x.log(x.m.Now(), logInfo, "%s: Skipped due to 'exec-condition'.", u.ID) +
		x.log(x.m.Now(), logInfo, "Condition check resulted in %s being skipped.", u.Label(x.format))
	u.State = systemd.Inactive
	x.steps[u] = x.emit(st, unitRow(u, "skipped"))
	x.finish(j, systemd.Done)
	x.down(u)
}

// keepsPromise looks at a main program whose end is known. It tells whether the start goes on.
func (x *sysd) keepsPromise(j *systemd.Job, c systemd.Command, f fate) bool {
	u := j.Unit
	sv := u.Service
	good := c.IgnoreFailure || x.succeeds(u, f.status)
	switch sv.Type {
	case "simple", "idle", "exec":
		x.mainEndsLater(u, c, f)
		return true
	case "oneshot":
		if good {
			return true
		}
	case "forking", "dbus":
		x.kill(u)
		if pidFile, _, ok := u.Setting("Service", "PIDFile"); ok && sv.Type == "forking" && good {
			if _, err := x.pid1.Stat(pidFile.Value); err != nil {
				x.protocolFailed(j, c, x.log(x.m.Now(), logNotice, "%s: Can't open PID file %s (yet?) after start: %s", u.ID, pidFile.Value, strerror(err)))
				return false
			}
		}
		if good { // its processes have ended, and well: that is no failure
			x.serviceActive(j, true)
			return false
		}
	default:
		x.kill(u)
		if good {
			x.protocolFailed(j, c, "")
			return false
		}
	}
	x.statusFailed(j, c, "Main", f.status)
	return false
}

// succeeds tells whether an exit status is a success. systemd.service(5) SuccessExitStatus=.
func (x *sysd) succeeds(u *systemd.Unit, status int) bool {
	for _, a := range u.Assignments("Service", "SuccessExitStatus") {
		if slices.Contains(strings.Fields(a.Value), strconv.Itoa(status)) {
			return true
		}
	}
	return status == 0
}

// statusFailed is the end of a start one of whose programs says that it failed.
func (x *sysd) statusFailed(j *systemd.Job, c systemd.Command, process string, status int) {
	st := x.step("systemd.process-failed", j, "systemd.service(5) SuccessExitStatus=")
	st.Args["path"], st.Args["status"] = c.Path, exitStatus(status)
	st.Cites = append(c.File.Cite(c.Entry), st.Cites...)
	x.result[j.Unit] = "exit-code"
	x.failed(j, systemd.JobFailed, st, x.processFailed(j.Unit, process, exitStatus(status)), "Failed to start %s.")
}

// protocolFailed is the end of a start whose program ended well and did not do what the type asks for.
func (x *sysd) protocolFailed(j *systemd.Job, c systemd.Command, before string) {
	u := j.Unit
	st := x.step("systemd.protocol-failed", j, "systemd.service(5) Type="+u.Service.Type)
	st.Args["path"], st.Args["type"] = c.Path, u.Service.Type
	st.Cites = append(c.File.Cite(c.Entry), st.Cites...)
	x.result[u] = "protocol"
	x.failed(j, systemd.JobFailed, st, before+x.resultLine(u), "Failed to start %s.")
}

// startTimedOut ends a start that takes too long. service_dispatch_timer in service.c.
func (x *sysd) startTimedOut(j *systemd.Job, operation string) {
	u := j.Unit
	st := x.step("systemd.start-timeout", j, "systemd.service(5) TimeoutStartSec=")
	st.Args["operation"], st.Args["limit"] = operation, span(x.startLimit(u))
	if e, f, ok := u.Setting("Service", "TimeoutStartSec"); ok {
		st.Cites = append(f.Cite(e), st.Cites...)
	}
	words := x.log(x.m.Now(), logWarning, "%s: %s operation timed out. Terminating.", u.ID, operation)
	switch { // SIGTERM is no clean end for a program that was to do something
	case operation != "start":
		words += x.log(x.m.Now(), logNotice, "%s: Control process exited, code=killed, status=15/TERM", u.ID)
	case u.Service.Type == "oneshot":
		words += x.log(x.m.Now(), logNotice, "%s: Main process exited, code=killed, status=15/TERM", u.ID)
	}
	x.kill(u)
	x.result[u] = "timeout"
	x.failed(j, systemd.JobFailed, st, words+x.resultLine(u), "Failed to start %s.")
}

// resultLine says why a unit failed.
func (x *sysd) resultLine(u *systemd.Unit) string {
	return x.log(x.m.Now(), logWarning, "%s: Failed with result '%s'.", u.ID, x.result[u])
}

// exitStatus is a status with its name: systemd.exec(5), "Process Exit Codes".
func exitStatus(status int) string {
	names := [...]string{"SUCCESS", "FAILURE", "INVALIDARGUMENT", "NOTIMPLEMENTED", "NOPERMISSION", "NOTINSTALLED", "NOTCONFIGURED", "NOTRUNNING"}
	if status < len(names) {
		return fmt.Sprintf("%d/%s", status, names[status])
	}
	return fmt.Sprintf("%d/n/a", status)
}

// serviceActive ends a start that worked. ended says that no process of it is left.
func (x *sysd) serviceActive(j *systemd.Job, ended bool) {
	u := j.Unit
	sv := u.Service
	u.State = systemd.Active
	x.markStarted(u)
	x.serviceEffects(u)
	kind, format, state := trace.Kind("systemd.started"), "Started %s.", "active"
	before := ""
	if sv.Type == "oneshot" {
		kind, format, ended = "systemd.finished", "Finished %s.", true
	}
	if ended && !sv.RemainAfterExit {
		u.State, state = systemd.Inactive, "inactive"
		before = x.log(x.m.Now(), logInfo, "%s: Deactivated successfully.", u.ID)
	}
	st := x.step(kind, j, "systemd.service(5) Type="+sv.Type)
	st.Cites = append(commandCites(sv.Start), st.Cites...)
	if len(sv.Start) > 0 {
		st.Args["command"] = strings.Join(sv.Start[0].Argv, " ")
	}
	st.Console = before + x.say(u, wordOK, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, state))
	if u.ID == "systemd-journald.service" {
		x.journalRuns()
	}
	if sv.Type == "idle" && x.onConsole(u) && x.silentAt == 0 {
		x.silentAt = x.m.Now() + idleTimeout
	}
	if u.ID == "emergency.service" || u.ID == "rescue.service" {
		x.shell = u
	}
	x.finish(j, systemd.Done)
	if u.State == systemd.Inactive {
		x.ended(u, systemd.OnSuccess)
	} else {
		x.up(u)
	}
	x.deviceCheck()
}

// idleTimeout is how long a program of Type=idle waits for all jobs to be done: "this delay is at most 5s". Then
// its terminal is its own. systemd.service(5).
const idleTimeout = 5 * time.Second

// onConsole tells whether a service talks to the terminal that the console is.
func (x *sysd) onConsole(u *systemd.Unit) bool {
	if !strings.HasPrefix(u.Service.StandardInput, "tty") {
		return false
	}
	all := x.consoles()
	tty := strings.TrimPrefix(u.Service.TTYPath, "/dev/")
	return tty == "" || tty == "console" || tty == all[len(all)-1] || tty == "tty1" && all[len(all)-1] == "tty0"
}

// serviceEffects are what services of systemd itself change that later conditions look at.
func (x *sysd) serviceEffects(u *systemd.Unit) {
	if module, ok := strings.CutPrefix(systemd.Template(u.ID), "modprobe@"); ok && module == ".service" {
		x.modules[systemd.Instance(u.ID)] = true
	}
	switch u.ID {
	case "systemd-remount-fs.service":
		x.remountRoot()
	case "systemd-udevd.service":
		x.udevd = true
	case "systemd-udev-trigger.service":
		x.coldplug = true
		x.coldplugInitrd()
	case "systemd-machine-id-commit.service":
		if x.transientID {
			x.pid1.Quiet = true
			if x.pid1.Umount("/etc/machine-id", kernel.MNT_DETACH) == nil {
				x.transientID = false
			}
			x.pid1.Quiet = false
		}
	}
}

// mainEndsLater puts off the end of a main process, which may be stopped before.
func (x *sysd) mainEndsLater(u *systemd.Unit, c systemd.Command, f fate) {
	p := x.procs[u]
	if f.after >= forever || p == nil {
		return
	}
	x.later(costSystemdEvent+f.after, onExit, nil, func() {
		if x.procs[u] == p {
			x.mainEnded(u, c, f.status)
		}
	})
}

// mainEnded is the end of the main process of a service that counts as started: service_sigchld_event in
// service.c.
func (x *sysd) mainEnded(u *systemd.Unit, c systemd.Command, status int) {
	x.kill(u)
	st := trace.Step{Kind: "systemd.service-ended", Stage: trace.Userspace, Rule: "systemd.service(5) SuccessExitStatus=", Cause: x.steps[u],
		Cites: c.File.Cite(c.Entry), Args: map[string]string{"unit": u.ID, "description": u.Description, "path": c.Path, "status": exitStatus(status)}}
	good := c.IgnoreFailure || x.succeeds(u, status)
	switch {
	case good && u.Service.RemainAfterExit:
		return // active, with the state "exited"
	case good:
		x.result[u] = "success"
		u.State, st.Console = systemd.Inactive, x.log(x.m.Now(), logInfo, "%s: Deactivated successfully.", u.ID)
		x.steps[u] = x.emit(st, unitRow(u, "inactive"))
		x.ended(u, systemd.OnSuccess)
	default:
		x.result[u] = "exit-code"
		st.Kind = "systemd.service-failed"
		u.State, st.Console = systemd.Failed, x.processFailed(u, "Main", exitStatus(status))
		x.steps[u] = x.emit(st, unitRow(u, "failed"))
		x.ended(u, systemd.OnFailure)
	}
}

// kill ends the main process of a unit, without a step of its own.
func (x *sysd) kill(u *systemd.Unit) {
	if p := x.procs[u]; p != nil {
		quiet := x.pid1.Quiet
		x.pid1.Quiet = true
		p.Exit(0)
		x.pid1.Quiet = quiet
		delete(x.procs, u)
	}
}
