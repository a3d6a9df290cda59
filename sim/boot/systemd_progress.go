package boot

import (
	"fmt"
	"slices"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/trace"
)

// How long nothing has to happen before systemd says what it waits for: manager.c. 252 was seen to wait for two
// seconds. With status lines held back ("quiet") it is longer, and they show from then on.
const (
	progressWait      = 2 * time.Second
	progressWaitQuiet = 25 * time.Second
	// Shorter waits are left out: whether there is one depends on how fast the machine is.
	longWait = 10 * time.Second
)

// showWaiting has systemd say what it waits for when nothing happens until then. What it shows is one of the
// running jobs in turn, three times a second; here the first of them, once.
func (x *sysd) showWaiting(until time.Duration) {
	wait := progressWait
	if x.status == statusAuto {
		wait = progressWaitQuiet
	}
	running := slices.DeleteFunc(x.mgr.Jobs(), func(j *systemd.Job) bool { return !j.Running })
	if until-x.m.Now() < max(wait, longWait) || x.silent || x.silentAt > 0 || len(running) == 0 {
		return
	}
	x.m.Wait(wait)
	x.flip()
	j := running[0]
	took, limit := span(x.m.Now()-x.queuedAt[j]), "no limit"
	if d := x.jobLimit(j); d > 0 {
		limit = span(x.runningAt[j] + d - x.queuedAt[j])
	}
	count := ""
	if len(running) > 1 {
		count = fmt.Sprintf("(1 of %d) ", len(running))
	}
	text := fmt.Sprintf("%sJob %s/%s running (%s / %s)", count, j.Unit.Label(x.shortFormat()), j.Type, took, limit)
	if x.format == "description" {
		text = fmt.Sprintf("%sA %s job is running for %s (%s / %s)", count, j.Type, j.Unit.Label(x.format), took, limit)
	}
	x.emit(trace.Step{Kind: "systemd.waits", Stage: trace.Userspace, Rule: "systemd.unit(5) JobRunningTimeoutSec=", Cause: x.steps[j.Unit], Cites: j.Why.Cites(),
		Args: map[string]string{"unit": j.Unit.ID, "time": took, "limit": limit}, Console: x.line("*     ", text, false)})
}

// jobLimit is how long a job may run, negative when there is no limit.
func (x *sysd) jobLimit(j *systemd.Job) time.Duration {
	switch u := j.Unit; {
	case u.Type == "device":
		return timeSpan(u.JobRunningTimeout, deviceTimeout)
	case u.Service != nil:
		return x.startLimit(u)
	}
	return timeSpan(j.Unit.JobRunningTimeout, -1)
}
