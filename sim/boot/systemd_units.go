package boot

import (
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// perform runs one job. job_run_and_invalidate in job.c.
func (x *sysd) perform(j *systemd.Job) {
	u := j.Unit
	x.runningAt[j] = x.m.Now()
	if by, _ := pulledIn(j); by != "" && j.Type == systemd.Start {
		x.chart.bar(u).PulledInBy = by
	}
	switch j.Type {
	case systemd.Stop:
		x.stopUnit(j)
	case systemd.VerifyActive:
		if u.State == systemd.Active {
			x.finish(j, systemd.Done)
		} else if u.State == systemd.Activating {
			x.later(costSystemdEvent, onOther, j, func() { x.perform(j) })
		} else {
			x.finish(j, systemd.Skipped)
		}
	default:
		if limit := timeSpan(u.JobRunningTimeout, -1); limit > 0 && u.JobTimeout == "" && u.Type != "device" {
			x.later(limit, onOther, j, func() { x.jobTimedOut(j, "systemd.unit(5) JobRunningTimeoutSec=") })
		}
		x.startUnit(j)
	}
}

// startUnit is unit_start: conditions, then asserts, then what the type does.
func (x *sysd) startUnit(j *systemd.Job) {
	u := j.Unit
	if u.Service != nil && x.tooOften(u) {
		x.refuseStart(j)
		return
	}
	if u.State == systemd.Active {
		x.finish(j, systemd.Done)
		return
	}
	if u.Type == "device" {
		x.startDevice(j)
		return
	}
	if v := x.judge(u.Conditions); v.a != yes {
		if v.a == no {
			x.skip(j, v)
			return
		}
		x.assume(u, v)
	}
	if v := x.judge(u.Asserts); v.a == no {
		x.assertFailed(j, v)
		return
	} else if v.a == unknown {
		x.assume(u, v)
	}
	// "BindsTo= … used in conjunction with After= on the same unit … the unit bound to strictly has to
	// be in active state" - systemd.unit(5)
	for _, e := range u.Deps(systemd.BindsTo) {
		if _, after := u.Has(systemd.After, e.To); after && e.To.State != systemd.Active {
			x.finishFor(j, systemd.Dependency, e, x.log(x.m.Now(), logNotice, "%s: Bound to unit %s, but unit isn't active.", u.ID, e.To.ID))
			return
		}
	}
	switch u.Type {
	case "service":
		x.startService(j)
	case "mount":
		x.startMount(j)
	case "swap":
		x.startSwap(j)
	case "socket":
		x.startSocket(j)
	case "target":
		x.active(j, "systemd.reached", "Reached target %s.")
	case "slice":
		x.active(j, "systemd.slice", "Created slice %s.")
	case "automount":
		x.active(j, "systemd.automount", "Set up automount %s.")
	case "timer":
		x.startTimer(j)
	case "path":
		x.startPath(j)
	default:
		x.active(j, "systemd.started", "Started %s.")
	}
}

// pulledIn names what pulled a unit in, and its evidence.
func pulledIn(j *systemd.Job) (string, []blob.Cite) {
	if j.Cause == nil {
		return "", nil
	}
	return j.Cause.ID, j.Why.Cites()
}

// step begins a step about a unit's job.
func (x *sysd) step(kind trace.Kind, j *systemd.Job, rule string) trace.Step {
	u := j.Unit
	st := trace.Step{Kind: kind, Stage: trace.Userspace, Rule: rule, Args: map[string]string{"unit": u.ID, "description": u.Description}}
	if u.Fragment != "" {
		st.Args["file"] = u.Fragment
	}
	if by, cites := pulledIn(j); by != "" {
		st.Args["by"], st.Args["why"], st.Cites = by, j.Why.String(), cites
	}
	if n, ok := x.steps[u]; ok {
		st.Cause = n
	}
	return st
}

// say gives a unit's line its two forms: in the log, then on the console.
func (x *sysd) say(u *systemd.Unit, word, format string, level int) string {
	return x.log(x.m.Now(), level, format, u.Label(x.format)) + x.line(word, fmt.Sprintf(format, x.label(u)), level <= logWarning)
}

// begin tells that a start takes a while.
func (x *sysd) begin(j *systemd.Job, kind trace.Kind, format string, cites []blob.Cite) {
	u := j.Unit
	u.State = systemd.Activating
	x.markStarted(u)
	st := x.step(kind, j, manual(u))
	st.Cites = append(cites, st.Cites...)
	st.Console = x.say(u, wordNone, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "activating"))
}

// active tells that a unit is up, and ends its job.
func (x *sysd) active(j *systemd.Job, kind trace.Kind, format string) {
	u := j.Unit
	u.State = systemd.Active
	x.markStarted(u)
	st := x.step(kind, j, manual(u))
	st.Console = x.say(u, wordOK, format, logInfo)
	if len(st.Cites) == 0 {
		st.Cites = unitCites(u)
	}
	x.steps[u] = x.emit(st, unitRow(u, "active"))
	x.finish(j, systemd.Done)
	x.up(u)
}

func manual(u *systemd.Unit) string { return "systemd." + u.Type + "(5)" }

// markStarted keeps the order in which units left the inactive state.
func (x *sysd) markStarted(u *systemd.Unit) {
	if !x.started[u] {
		x.started[u] = true
		x.facts.Units = append(x.facts.Units, u.ID)
	}
}

// skip ends a job whose unit is not meant for this machine or moment. That is no failure.
func (x *sysd) skip(j *systemd.Job, v verdict) {
	u := j.Unit
	st := x.step("systemd.skipped", j, "systemd.unit(5), CONDITIONS AND ASSERTS")
	st.Args["condition"] = v.first.String()
	st.Cites = append(v.cites, st.Cites...)
	if because := v.because(x.version); because != "" {
		st.Console = x.log(x.m.Now(), logInfo, "%s was skipped because %s", u.Label(x.format), because)
	} else {
		st.Console = x.log(x.m.Now(), logInfo, "Condition check resulted in %s being skipped.", u.Label(x.format))
	}
	x.steps[u] = x.emit(st, unitRow(u, "skipped"))
	x.chart.bar(u).Condition = v.first.String()
	x.finish(j, systemd.Done)
}

// assume says that a condition cannot be known; the start goes on as if it were met.
func (x *sysd) assume(u *systemd.Unit, v verdict) {
	x.doubt(trace.Why("unknown.condition", "condition", v.first.String(), "unit", u.ID))
	x.emit(trace.Step{Kind: "systemd.condition-unknown", Stage: trace.Userspace, Rule: "systemd.unit(5), CONDITIONS AND ASSERTS",
		Args: map[string]string{"unit": u.ID, "condition": v.first.String()}, Cites: v.cites})
}

func (x *sysd) assertFailed(j *systemd.Job, v verdict) {
	u := j.Unit
	st := x.step("systemd.assert-failed", j, "systemd.unit(5), CONDITIONS AND ASSERTS")
	st.Args["condition"] = v.first.String()
	st.Cites = append(v.cites, st.Cites...)
	st.Console = x.log(x.m.Now(), logNotice, "%s: Starting requested but asserts failed.", u.ID) + x.say(u, wordAssert, "Assertion failed for %s.", logWarning)
	x.flip()
	x.steps[u] = x.emit(st, unitRow(u, "inactive"))
	x.finish(j, systemd.AssertFail)
}

// finish ends a job and tells what else ends with it.
func (x *sysd) finish(j *systemd.Job, r systemd.JobResult) {
	x.finishFor(j, r, systemd.Edge{}, "")
}

// finishFor is finish with the dependency that decided, and what was said about it before.
func (x *sysd) finishFor(j *systemd.Job, r systemd.JobResult, because systemd.Edge, before string) {
	ended := x.mgr.Finish(j, r)
	if ended[0].Cause = because.To; because.Why != nil {
		ended[0].Why = *because.Why
	}
	if r == systemd.Dependency || r == systemd.Skipped {
		x.dependencyFailed(ended[0], before, x.jobsFailed(ended, 0))
	}
	x.fallout(ended)
}

// fallout tells what failed because the first of the ended jobs did.
func (x *sysd) fallout(ended []systemd.Ended) {
	for i, e := range ended {
		if i > 0 {
			x.dependencyFailed(e, "", x.jobsFailed(ended, i))
		}
	}
	for _, e := range ended {
		if failsByJob(e.Result) {
			x.trigger(e.Job.Unit, systemd.OnFailure)
		}
	}
}

// failsByJob: these results are failures of the job; others are those of the unit, which tells itself.
func failsByJob(r systemd.JobResult) bool { return r == systemd.TimedOut || r == systemd.Dependency }

// jobsFailed are the lines about the jobs that are through with their dependents once ended[i] is:
// job_finish_and_invalidate fails those that need a job before it tells of the job itself.
func (x *sysd) jobsFailed(ended []systemd.Ended, i int) string {
	next := 0
	if i+1 < len(ended) {
		next = ended[i+1].Depth
	}
	var out strings.Builder
	depth := ended[i].Depth + 1
	for k := i; k >= 0; k-- {
		e := ended[k]
		if e.Depth >= depth || i+1 < len(ended) && e.Depth < next {
			continue
		}
		depth = e.Depth
		if failsByJob(e.Result) {
			out.WriteString(x.log(x.m.Now(), logNotice, "%[1]s: Job %[1]s/%s failed with result '%s'.", e.Job.Unit.ID, e.Job.Type, e.Result))
		}
	}
	return out.String()
}

func (x *sysd) dependencyFailed(e systemd.Ended, before, after string) {
	u := e.Job.Unit
	st := x.step("systemd.dependency-failed", e.Job, "systemd.unit(5) Requires=")
	word, format := wordDepend, "Dependency failed for %s."
	if e.Result == systemd.Skipped {
		st.Kind, st.Rule, word, format = "systemd.requisite-inactive", "systemd.unit(5) Requisite=", " INFO ", "%s is inactive."
	}
	if e.Cause != nil {
		st.Args["needs"], st.Args["why"] = e.Cause.ID, e.Why.String()
		st.Cites = append(e.Why.Cites(), st.Cites...)
		if n, ok := x.steps[e.Cause]; ok {
			st.Cause = n
		}
	}
	st.Console = before + x.say(u, word, format, logWarning) + after
	x.flip()
	x.steps[e.Job.Unit] = x.emit(st, unitRow(e.Job.Unit, "inactive"))
}

// trigger starts what a unit names for the case that it failed, or that it ended well. systemd.unit(5)
// OnFailure=, OnSuccess=.
func (x *sysd) trigger(u *systemd.Unit, d systemd.Dep) {
	kind, mode := trace.Kind("systemd.on-failure"), u.OnFailureMode
	if d == systemd.OnSuccess {
		kind, mode = "systemd.on-success", u.OnSuccessMode
	}
	for i, e := range u.Deps(d) {
		said := ""
		if i == 0 {
			said = x.log(x.m.Now(), logInfo, "%s: Triggering %s= dependencies.", u.ID, d)
		}
		st := trace.Step{Console: said, Kind: kind, Stage: trace.Userspace, Rule: "systemd.unit(5) " + d.String() + "=", Cites: e.Why.Cites(),
			Args: map[string]string{"unit": u.ID, "starts": e.To.ID}}
		if n, ok := x.steps[u]; ok {
			st.Cause = n
		}
		txn, err := x.queue(e.To, systemd.Start, mode)
		if err != nil {
			st.Kind, st.Args["error"] = kind+"-refused", err.Error()
			x.emit(st)
			continue
		}
		var rows []machine.Set
		for _, j := range txn.Jobs {
			rows = append(rows, unitRow(j.Unit, "queued"))
		}
		st.Args["jobs"] = fmt.Sprint(len(txn.Jobs))
		x.emit(st, rows...)
	}
}

// jobTimedOut ends a job that takes too long; what it waits for goes on. job_dispatch_timer in job.c.
func (x *sysd) jobTimedOut(j *systemd.Job, rule string) {
	u := j.Unit
	kind, format := trace.Kind("systemd.job-timeout"), "Timed out starting %s."
	switch u.Type {
	case "device":
		kind, format = "systemd.device-timeout", "Timed out waiting for device %s."
	case "mount":
		format = "Timed out mounting %s."
	case "swap":
		format = "Timed out activating swap %s."
	}
	st := x.step(kind, j, rule)
	st.Args["path"] = u.Description
	x.flip()
	ended := x.mgr.Finish(j, systemd.TimedOut)
	st.Console = x.log(x.m.Now(), logWarning, "%s: Job %s/%s timed out.", u.ID, u.ID, j.Type) + x.say(u, wordTime, format, logErr) + x.jobsFailed(ended, 0)
	x.steps[u] = x.emit(st, unitRow(u, string(u.State)))
	x.fallout(ended)
}

// failed tells that a unit did not start, and ends its job.
func (x *sysd) failed(j *systemd.Job, r systemd.JobResult, st trace.Step, detail string, format string) {
	x.failedAs(systemd.Failed, j, r, st, detail, format)
}

// failedAs is failed for a unit that is in another state then: one that was never begun is inactive.
func (x *sysd) failedAs(state systemd.State, j *systemd.Job, r systemd.JobResult, st trace.Step, detail string, format string) {
	u := j.Unit
	u.State = state
	var out strings.Builder
	out.WriteString(detail)
	x.flip()
	word := wordFailed
	if r == systemd.TimedOut {
		word = wordTime
	}
	out.WriteString(x.say(u, word, format, logErr))
	if r == systemd.JobFailed {
		out.WriteString(x.line(wordNone, "See 'systemctl status "+u.ID+"' for details.", false))
	}
	st.Console = out.String()
	x.steps[u] = x.emit(st, unitRow(u, string(state)))
	if state == systemd.Failed && r == systemd.JobFailed && !x.restartLater(u) {
		x.trigger(u, systemd.OnFailure)
	}
	x.finish(j, r)
	if x.down(u); u.State == systemd.Failed {
		x.action(u, "FailureAction")
	}
}
