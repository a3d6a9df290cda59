package boot

import (
	"slices"
	"strconv"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// queue has the manager work out and queue a transaction, and starts the clocks of its jobs.
func (x *sysd) queue(u *systemd.Unit, typ systemd.JobType, mode systemd.JobMode) (*systemd.Txn, error) {
	txn, err := x.mgr.Queue(u, typ, mode)
	for _, j := range txn.Jobs {
		x.queuedAt[j] = x.m.Now()
		if limit := timeSpan(j.Unit.JobTimeout, -1); limit > 0 {
			x.later(limit, onOther, j, func() { x.jobTimedOut(j, "systemd.unit(5) JobTimeoutSec=") })
		}
	}
	return txn, err
}

// stopUnit ends a unit: what runs of it first, then the unit.
func (x *sysd) stopUnit(j *systemd.Job) {
	u := j.Unit
	delete(x.restarting, u)
	if u.State != systemd.Active && u.State != systemd.Activating {
		x.finish(j, systemd.Done)
		return
	}
	switch {
	case u.Type == "service" && x.procs[u] != nil:
		x.stopping(j, "systemd.stopping", "Stopping %s...", costSystemdStop, func() { x.kill(u) })
	case u.Type == "mount" && u.State == systemd.Active && x.mode.early == nil:
		x.stopping(j, "systemd.unmounting", "Unmounting %s...", costSystemdMount, func() { x.unmount(u) })
	default:
		x.stopped(j)
	}
}

// stopping tells that a stop takes a while.
func (x *sysd) stopping(j *systemd.Job, kind trace.Kind, format string, takes time.Duration, end func()) {
	u := j.Unit
	st := x.step(kind, j, "systemd.kill(5)")
	st.Console = x.say(u, wordNone, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "deactivating"))
	end()
	x.later(takes, onExit, j, func() { x.stopped(j) })
}

// unmount takes a file system out of the tree.
func (x *sysd) unmount(u *systemd.Unit) {
	delete(x.mountedUnits, u.Mount.Where)
	x.pid1.Quiet = true
	if err := x.pid1.Umount(u.Mount.Where, 0); err != nil {
		x.doubt(trace.Why("unknown.unmount", "path", u.Mount.Where).For(kernel.Because(err)))
	}
	x.pid1.Quiet = false
}

// stopped ends a stop.
func (x *sysd) stopped(j *systemd.Job) {
	u := j.Unit
	before := ""
	if u.Type == "service" || u.Type == "mount" && x.mode.early == nil {
		before = x.log(x.m.Now(), logInfo, "%s: Deactivated successfully.", u.ID)
	}
	u.State = systemd.Inactive
	st := x.step("systemd.stopped", j, "systemd.unit(5) Conflicts=")
	format := map[string]string{"target": "Stopped target %s.", "mount": "Unmounted %s.", "slice": "Removed slice %s.", "socket": "Closed %s.",
		"swap": "Deactivated swap %s.", "automount": "Unset automount %s."}[u.Type]
	if format == "" {
		format = "Stopped %s."
	}
	st.Console = before + x.say(u, wordOK, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "inactive"))
	x.finish(j, systemd.Done)
	x.trigger(u, systemd.OnSuccess)
	x.down(u)
	x.action(u, "SuccessAction")
}

// ended follows the end of a unit that nobody asked for: it is started again, or what is named for that case is.
func (x *sysd) ended(u *systemd.Unit, then systemd.Dep) {
	if !x.restartLater(u) {
		x.trigger(u, then)
	}
	for _, e := range u.Deps(systemd.PropagatesStopTo) {
		x.follows(e, systemd.Stop, "systemd.unit(5) PropagatesStopTo=")
	}
	if x.down(u); u.State == systemd.Failed {
		x.action(u, "FailureAction")
	} else if u.State == systemd.Inactive {
		x.action(u, "SuccessAction")
	}
}

// down looks at the units around one that is not active any more: the end of unit_notify in unit.c.
func (x *sysd) down(u *systemd.Unit) {
	for _, d := range [...]systemd.Dep{systemd.Requires, systemd.Requisite, systemd.Wants, systemd.BindsTo, systemd.Upholds} {
		for _, e := range u.Deps(d) {
			x.stopUnneeded(e.To)
		}
	}
	for _, e := range u.Deps(systemd.BoundBy) {
		x.stopUnbound(e.To)
	}
	x.startUpheld(u)
	x.triggersOf(u)
}

// up looks at the units around one that is active now.
func (x *sysd) up(u *systemd.Unit) {
	for _, e := range u.Deps(systemd.Upholds) {
		x.startUpheld(e.To)
	}
	x.stopUnneeded(u)
	x.stopUnbound(u)
}

// over tells whether a unit is inactive and will stay so.
func (x *sysd) over(u *systemd.Unit) bool {
	return (u.State == systemd.Inactive || u.State == systemd.Failed) && x.mgr.Job(u) == nil
}

// stopUnneeded stops a unit with StopWhenUnneeded= when no unit that is active or about to be needs it.
func (x *sysd) stopUnneeded(u *systemd.Unit) {
	if !u.StopWhenUnneeded || u.State != systemd.Active || x.mgr.Job(u) != nil {
		return
	}
	for _, d := range [...]systemd.Dep{systemd.RequiredBy, systemd.RequisiteOf, systemd.WantedBy, systemd.BoundBy, systemd.UpheldBy} {
		if slices.ContainsFunc(u.Deps(d), func(e systemd.Edge) bool { return !x.over(e.To) }) {
			return
		}
	}
	x.follows(systemd.Edge{To: u}, systemd.Stop, "systemd.unit(5) StopWhenUnneeded=")
}

// stopUnbound stops a unit when one that it is bound to is not active.
func (x *sysd) stopUnbound(u *systemd.Unit) {
	if u.State != systemd.Active || x.mgr.Job(u) != nil {
		return
	}
	for _, e := range u.Deps(systemd.BindsTo) {
		if x.over(e.To) && e.To.Type != "device" {
			x.follows(systemd.Edge{To: u, Why: e.Why}, systemd.Stop, "systemd.unit(5) BindsTo=")
			return
		}
	}
}

// startUpheld starts a unit that an active one upholds.
func (x *sysd) startUpheld(u *systemd.Unit) {
	if !x.over(u) || u.LoadError() != nil {
		return
	}
	for _, e := range u.Deps(systemd.UpheldBy) {
		if e.To.State == systemd.Active {
			x.follows(systemd.Edge{To: u, Why: e.Why}, systemd.Start, "systemd.unit(5) Upholds=")
			return
		}
	}
}

// follows queues a job for a unit because of what happened to another.
func (x *sysd) follows(e systemd.Edge, typ systemd.JobType, rule string) {
	u := e.To
	if typ == systemd.Stop && x.over(u) {
		return
	}
	if _, err := x.queue(u, typ, systemd.Fail); err != nil {
		return
	}
	kind := trace.Kind("systemd.follows-stop")
	if typ == systemd.Start {
		kind = "systemd.follows-start"
	}
	x.emit(trace.Step{Kind: kind, Stage: trace.Userspace, Rule: rule, Cites: e.Why.Cites(), Args: map[string]string{"unit": u.ID, "rule": rule}}, unitRow(u, "queued"))
}

// maxRestarts is how often one service is restarted before the run leaves it: nothing new would be seen.
const maxRestarts = 20

// restartLater puts off the restart that Restart= asks for. service_shall_restart in service.c. It tells whether
// there will be one.
func (x *sysd) restartLater(u *systemd.Unit) bool {
	if u.Service == nil || !restarts(u.Service.Restart, x.result[u]) {
		return false
	}
	if x.restarted[u] >= maxRestarts {
		x.doubt(trace.Why("unknown.restarts", "unit", u.ID))
		return false
	}
	u.State = systemd.Activating
	x.seq++
	ticket := x.seq
	x.restarting[u] = ticket
	e, _, _ := u.Setting("Service", "RestartSec")
	x.later(max(timeSpan(e.Value, 100*time.Millisecond), 0), onOther, nil, func() {
		if x.restarting[u] == ticket {
			delete(x.restarting, u)
			x.restartNow(u)
		}
	})
	return true
}

// restarts is the table of systemd.service(5) Restart=, for the results that are predicted.
func restarts(policy, result string) bool {
	switch policy {
	case "always":
		return result != "exec-condition" && result != "start-limit-hit"
	case "on-success":
		return result == "success"
	case "on-failure":
		return result != "success" && result != "exec-condition" && result != "start-limit-hit"
	case "on-abnormal":
		return result == "timeout" || result == "protocol"
	}
	return false
}

// restartNow is service_enter_restart: a job that stops what is left and starts the service anew.
func (x *sysd) restartNow(u *systemd.Unit) {
	x.restarted[u]++
	count := strconv.Itoa(x.restarted[u])
	st := trace.Step{Kind: "systemd.restart-service", Stage: trace.Userspace, Rule: "systemd.service(5) Restart=", Cites: unitCites(u), Cause: x.steps[u], Args: map[string]string{"unit": u.ID, "count": count},
		Console: x.log(x.m.Now(), logInfo, "%s: Scheduled restart job, restart counter is at %s.", u.ID, count)}
	if e, f, ok := u.Setting("Service", "Restart"); ok {
		st.Cites = f.Cite(e)
	}
	x.steps[u] = x.emit(st)
	x.again = append(x.again, u)
	if _, err := x.queue(u, systemd.Start, systemd.Replace); err != nil {
		x.doubt(trace.Why("unknown.unit-start", "unit", u.ID).For(kernel.Because(err)))
	}
}

// startRate counts starts within StartLimitIntervalSec=.
type startRate struct {
	since time.Duration
	n     int
}

// tooOften tells whether a unit was started too often already: systemd.unit(5) StartLimitBurst=.
func (x *sysd) tooOften(u *systemd.Unit) bool {
	interval, burst := timeSpan(x.conf["DefaultStartLimitIntervalSec"], 10*time.Second), 5
	if n, err := strconv.Atoi(x.conf["DefaultStartLimitBurst"]); err == nil {
		burst = n
	}
	for _, key := range [...]string{"StartLimitInterval", "StartLimitIntervalSec"} {
		for _, section := range [...]string{"Service", "Unit"} {
			if e, _, ok := u.Setting(section, key); ok {
				interval = timeSpan(e.Value, interval)
			}
		}
	}
	for _, section := range [...]string{"Service", "Unit"} {
		e, _, _ := u.Setting(section, "StartLimitBurst")
		if n, err := strconv.Atoi(e.Value); err == nil {
			burst = n
		}
	}
	if interval <= 0 || burst <= 0 {
		return false
	}
	r := x.rates[u]
	if r == nil {
		r = &startRate{}
		x.rates[u] = r
	}
	if r.n == 0 || r.since+interval < x.m.Now() {
		*r = startRate{since: x.m.Now()}
	}
	if r.n >= burst {
		return true
	}
	r.n++
	return false
}

// refuseStart fails a start because there were too many.
func (x *sysd) refuseStart(j *systemd.Job) {
	u := j.Unit
	x.stopsFirst(u)
	st := x.step("systemd.start-limit", j, "systemd.unit(5) StartLimitBurst=")
	if e, f, ok := u.Setting("Unit", "StartLimitBurst"); ok {
		st.Cites = append(f.Cite(e), st.Cites...)
	}
	words := x.log(x.m.Now(), logWarning, "%s: Start request repeated too quickly.", u.ID)
	if r := x.result[u]; r == "" || r == "success" {
		x.result[u] = "start-limit-hit"
	}
	words += x.resultLine(u)
	x.result[u] = "start-limit-hit"
	x.failed(j, systemd.JobFailed, st, words, "Failed to start %s.")
}
