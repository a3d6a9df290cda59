package boot

import (
	"slices"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// UnitRun is what became of one unit: a bar of a chart as `systemd-analyze plot` draws it. Times are virtual,
// since power-on, as in the trace; one that is zero was not reached.
type UnitRun struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	State       string        `json:"state"`                // active, activating, failed, inactive, skipped
	Activating  time.Duration `json:"activating,omitempty"` // when its start began
	Active      time.Duration `json:"active,omitempty"`     // when it counted as started
	Ended       time.Duration `json:"ended,omitempty"`      // when it left that state again, failed, or was skipped
	Condition   string        `json:"condition,omitempty"`  // of a skipped unit: the one that was not met
	File        string        `json:"file,omitempty"`       // its unit file in the image
	PulledInBy  string        `json:"pulled_in_by,omitempty"`
	WaitedFor   string        `json:"waited_for,omitempty"` // of the units it is ordered after, the one that was ready last
	Initrd      bool          `json:"initrd,omitempty"`     // it ran in the initramfs
	Step        int           `json:"step"`                 // of the trace: the last one about it
}

// chart keeps a bar for each unit, in the order in which the units were first heard of.
type chart struct {
	runs  map[*systemd.Unit]*UnitRun
	order []*systemd.Unit
}

// bar is the unit's bar, a new one when it has none.
func (c *chart) bar(u *systemd.Unit) *UnitRun {
	if r := c.runs[u]; r != nil {
		return r
	}
	if c.runs == nil {
		c.runs = map[*systemd.Unit]*UnitRun{}
	}
	r := &UnitRun{Name: u.ID, Description: u.Description, File: u.Fragment}
	c.runs[u], c.order = r, append(c.order, u)
	return r
}

// follow moves bars as a step's rows say.
func (x *sysd) follow(step int, rows []machine.Set) {
	now := x.m.Now()
	for _, row := range rows {
		state := row.Row["state"]
		if row.Table != trace.Units || state == "queued" || x.mgr == nil {
			continue
		}
		u := x.mgr.Get(row.ID)
		if u == nil || x.handedOver(u) && state == "inactive" {
			continue
		}
		r := x.chart.bar(u)
		r.Step = step
		switch {
		case state == "activating":
			r.Activating = now
		case state == "active":
			r.Activating, r.Active = firstTime(r.Activating, now), now
		case state == "inactive" && r.State == "activating":
			// A oneshot service was active for no time at all, and then is inactive.
			r.Active, r.Ended = now, now
		default:
			r.Ended = now
		}
		r.State = state
	}
}

func firstTime(have, now time.Duration) time.Duration {
	if have > 0 {
		return have
	}
	return now
}

// ready is when the units that wait for this one could go on.
func (r *UnitRun) ready() time.Duration {
	if r.Active > 0 {
		return r.Active
	}
	return r.Ended
}

// draw adds the bars to the facts. What a unit waited for is found as systemd-analyze(1) critical-chain does
// it: of the units in its After=, the one that was ready last before its own start.
func (x *sysd) draw() {
	for _, u := range x.chart.order {
		r := x.chart.runs[u]
		begin := firstTime(r.Activating, r.ready())
		var last *UnitRun
		for _, e := range u.Deps(systemd.After) {
			o := x.chart.runs[e.To]
			if o == nil || o.ready() > begin || o.ready() == 0 || o.State == "skipped" {
				continue
			}
			if last == nil || o.ready() > last.ready() || o.ready() == last.ready() && o.Step > last.Step {
				last = o
			}
		}
		if last != nil {
			r.WaitedFor = last.Name
		}
		r.Initrd = x.mode.initrd
		x.facts.UnitRuns = append(x.facts.UnitRuns, *r)
	}
	slices.SortStableFunc(x.facts.UnitRuns, func(a, b UnitRun) int {
		return int(firstTime(a.Activating, a.ready()) - firstTime(b.Activating, b.ready()))
	})
}
