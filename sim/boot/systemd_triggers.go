package boot

import (
	"fmt"
	"path"
	"strings"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// triggered is the unit that a socket, path or timer starts; when it cannot be, the trigger's start fails.
func (x *sysd) triggered(j *systemd.Job, refusal, failure string) *systemd.Unit {
	u := j.Unit
	for _, e := range u.Deps(systemd.Triggers) {
		if e.To.LoadError() == nil {
			return e.To
		}
		st := x.step("systemd.nothing-to-trigger", j, manual(u)+" Unit=")
		st.Args["needs"] = e.To.ID
		x.failedAs(systemd.Inactive, j, systemd.JobFailed, st, x.log(x.m.Now(), logErr, refusal, u.ID, e.To.ID), failure)
		return nil
	}
	return nil
}

// startSocket opens what a socket unit listens on. socket_start in socket.c.
func (x *sysd) startSocket(j *systemd.Job) {
	u := j.Unit
	if !u.Socket.Accept && x.triggered(j, "%s: Socket service %s not loaded, refusing.", "Failed to listen on %s.") == nil {
		return
	}
	for _, l := range u.Socket.Listen {
		at, ok := netAddress(l)
		if !ok {
			continue
		}
		if x.listening[at] {
			x.addressInUse(j, at)
			return
		}
		x.listening[at] = true
	}
	x.active(j, "systemd.listening", "Listening on %s.")
}

// netAddress is an address of the Internet as systemd writes it: a port alone stands for all interfaces.
func netAddress(listen string) (string, bool) {
	if listen != "" && strings.Trim(listen, "0123456789") == "" {
		return "[::]:" + listen, true
	}
	return listen, listen != "" && !strings.ContainsAny(listen[:1], "/@") && strings.Contains(listen, ":") && !strings.HasPrefix(listen, "vsock:")
}

// addressInUse is EADDRINUSE of bind(2), found by the process that PID 1 forks for sockets of the Internet.
func (x *sysd) addressInUse(j *systemd.Job, at string) {
	u := j.Unit
	st := x.step("systemd.address-in-use", j, "bind(2) EADDRINUSE")
	st.Args["address"] = at
	eio := strerror(kernel.EIO)
	words := x.logAs(fmt.Sprintf("(sd-listen[%d]", x.nextPID()), x.m.Now(), logErr, fmt.Sprintf("%s: Failed to create listening socket (%s): %s", u.ID, at, "Address already in use")) +
		x.log(x.m.Now(), logErr, "%s: Failed to receive listening socket (%s): %s", u.ID, at, eio) +
		x.log(x.m.Now(), logWarning, "%s: Failed to listen on sockets: %s", u.ID, eio)
	x.result[u] = "resources"
	x.failed(j, systemd.JobFailed, st, words+x.resultLine(u), "Failed to listen on %s.")
}

// startPath arms a path unit, and fires it when what it waits for is there already. systemd.path(5).
func (x *sysd) startPath(j *systemd.Job) {
	u := j.Unit
	if x.triggered(j, "%s: Refusing to start, unit %s to trigger not loaded.", "Failed to start %s.") == nil {
		return
	}
	if u.Flag("Path", "MakeDirectory") {
		for _, key := range [...]string{"PathChanged", "PathModified", "DirectoryNotEmpty"} { // not PathExists=
			for _, a := range u.Assignments("Path", key) {
				x.pid1.Quiet = true
				if err := x.pid1.MkdirAll(a.Value, 0o755); err != nil {
					x.doubt(trace.Why("unknown.made", "path", a.Value))
				}
				x.pid1.Quiet = false
			}
		}
	}
	x.active(j, "systemd.path", "Started %s.")
	x.checkPath(u)
}

// checkPath starts the unit of an active path unit when one of its conditions holds now.
func (x *sysd) checkPath(u *systemd.Unit) {
	if u.State != systemd.Active {
		return
	}
	for _, key := range [...]string{"PathExists", "PathExistsGlob", "DirectoryNotEmpty"} {
		for _, a := range u.Assignments("Path", key) {
			switch met, _ := x.testPath(key, path.Clean(a.Value)); met {
			case yes:
				x.fire(u, a, "systemd.path(5) "+key+"=")
				return
			case unknown:
				x.doubt(trace.Why("unknown.condition", "condition", key+"="+a.Value, "unit", u.ID))
			}
		}
	}
}

// startTimer arms a timer. systemd.timer(5).
func (x *sysd) startTimer(j *systemd.Job) {
	u := j.Unit
	if x.triggered(j, "%s: Refusing to start, unit %s to trigger not loaded.", "Failed to start %s.") == nil {
		return
	}
	x.active(j, "systemd.timer", "Started %s.")
	x.elapse(u, "OnActiveSec", x.m.Now())
	x.elapse(u, "OnBootSec", x.booted)
	x.elapse(u, "OnStartupSec", x.began)
	stamp := "/var/lib/systemd/timers/stamp-" + u.ID
	if _, err := x.pid1.Stat(stamp); err == nil && u.Flag("Timer", "Persistent") {
		x.doubt(trace.Why("unknown.timer", "unit", u.ID))
	}
}

// elapse lets a timer fire at each of the times that a setting asks for, or at once when that is over. Calendar
// events are only armed.
func (x *sysd) elapse(u *systemd.Unit, key string, since time.Duration) {
	for _, a := range u.Assignments("Timer", key) {
		at := since + max(timeSpan(a.Value, forever), 0)
		x.later(max(at-x.m.Now(), costSystemdEvent), onOther, nil, func() {
			if u.State == systemd.Active {
				x.fire(u, a, "systemd.timer(5) "+key+"=")
			}
		})
	}
}

// fire starts the unit of a trigger.
func (x *sysd) fire(u *systemd.Unit, a systemd.Assignment, rule string) {
	for _, e := range u.Deps(systemd.Triggers) {
		if e.To.State == systemd.Active || x.mgr.Job(e.To) != nil {
			continue
		}
		if x.fired[u]++; x.fired[u] > maxRestarts {
			x.doubt(trace.Why("unknown.restarts", "unit", u.ID))
			continue
		}
		if _, err := x.queue(e.To, systemd.Start, systemd.Replace); err != nil {
			x.doubt(trace.Why("unknown.unit-start", "unit", e.To.ID).For(kernel.Because(err)))
			continue
		}
		x.emit(trace.Step{Kind: "systemd.fires", Stage: trace.Userspace, Rule: rule, Cites: a.Cite(), Cause: x.steps[u],
			Args: map[string]string{"unit": u.ID, "starts": e.To.ID, "setting": a.Key + "=" + a.Value}}, unitRow(e.To, "queued"))
	}
}

// triggersOf tells the triggers of a unit that it has ended: paths look again, timers may count from now.
func (x *sysd) triggersOf(u *systemd.Unit) {
	if x.result[u] == "start-limit-hit" {
		x.triggersGiveUp(u)
		return
	}
	for _, e := range u.Deps(systemd.TriggeredBy) {
		switch t := e.To; t.Type {
		case "path":
			x.checkPath(t)
		case "timer":
			if t.State == systemd.Active {
				x.elapse(t, "OnUnitInactiveSec", x.m.Now())
				x.elapse(t, "OnUnitActiveSec", max(x.chart.bar(u).Active, x.chart.bar(u).Activating))
			}
		}
	}
}

// triggersGiveUp ends the paths and sockets of a unit that was started too often.
func (x *sysd) triggersGiveUp(u *systemd.Unit) {
	for _, e := range u.Deps(systemd.TriggeredBy) {
		t := e.To
		result := map[string]string{"path": "unit-start-limit-hit", "socket": "service-start-limit-hit"}[t.Type]
		if result == "" || t.State != systemd.Active {
			continue
		}
		x.result[t], t.State = result, systemd.Failed
		x.steps[t] = x.emit(trace.Step{Kind: "systemd.trigger-gives-up", Stage: trace.Userspace, Rule: manual(t), Cause: x.steps[u], Console: x.resultLine(t),
			Args: map[string]string{"unit": t.ID, "starts": u.ID}}, unitRow(t, "failed"))
	}
}
