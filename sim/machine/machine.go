// Package machine is the computer that a start happens on: its clock, its tables and its console.
// Emit is the only way state changes, so every change is a step of the trace.
package machine

import (
	"maps"
	"reflect"
	"strconv"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/trace"
)

// maxSteps bounds a trace: no image makes a run longer.
const maxSteps = 20_000

// Machine collects a run. The zero value is not usable; see [New].
type Machine struct {
	now   time.Duration
	state trace.State
	steps []trace.Step
	out   *trace.Outcome
	over  bool
}

// New returns a machine at virtual time zero with empty tables.
func New() *Machine { return &Machine{state: trace.State{}} }

// Set describes one row that the next step writes; a nil row removes it.
type Set struct {
	Table trace.Table
	ID    string
	Row   trace.Row
}

// Is tells whether s is o and no copy of it: the same row, not looked into.
func (s Set) Is(o Set) bool { return s.Table == o.Table && s.ID == o.ID && is(s.Row, o.Row) }

func is(a, b trace.Row) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// Emit appends a step: it numbers it, stamps it with virtual time, and turns rows into changes that
// remember what they replaced. A step without a cause was led to by the one before. It returns the
// step's number.
func (m *Machine) Emit(st trace.Step, rows ...Set) int {
	if len(m.steps) >= maxSteps {
		m.over = true
		return len(m.steps) - 1
	}
	st.Seq, st.At = len(m.steps), m.now
	if st.Cause == 0 {
		st.Cause = st.Seq - 1
	}
	for _, r := range rows {
		before := m.state[r.Table][r.ID]
		if same(before, r.Row) {
			continue
		}
		st.Changes = append(st.Changes, trace.Change{Table: r.Table, ID: r.ID, Before: before, After: r.Row})
		m.state.Apply(trace.Step{Changes: st.Changes[len(st.Changes)-1:]})
	}
	m.steps = append(m.steps, st)
	return st.Seq
}

// same tells whether a row is what it was; mostly it is the very map that was emitted before.
func same(a, b trace.Row) bool {
	if is(a, b) {
		return true
	}
	return a != nil && b != nil && maps.Equal(a, b)
}

// Row returns the present row, nil when there is none. It must not be changed.
func (m *Machine) Row(t trace.Table, id string) trace.Row { return m.state[t][id] }

// Rows returns the present rows of a table by id. They must not be changed.
func (m *Machine) Rows(t trace.Table) map[string]trace.Row { return m.state[t] }

// Wait lets virtual time pass.
func (m *Machine) Wait(d time.Duration) {
	if d > 0 {
		m.now += d
	}
}

// WaitUntil lets virtual time pass up to t, when that is not past already.
func (m *Machine) WaitUntil(t time.Duration) { m.now = max(m.now, t) }

// Now is the virtual time.
func (m *Machine) Now() time.Duration { return m.now }

// Last is the number of the latest step, -1 before the first.
func (m *Machine) Last() int { return len(m.steps) - 1 }

// Step returns step n.
func (m *Machine) Step(n int) trace.Step { return m.steps[n] }

// End records the outcome; the first one stands. A zero Step means the latest.
func (m *Machine) End(o trace.Outcome) {
	if m.out != nil {
		return
	}
	if o.Step == 0 {
		o.Step = m.Last()
	}
	if o.Stage == "" && o.Step >= 0 {
		o.Stage = m.steps[o.Step].Stage
	}
	m.out = &o
}

// Ended tells whether the run has an outcome: actors stop then.
func (m *Machine) Ended() bool { return m.out != nil || m.over }

// Trace returns what was collected.
func (m *Machine) Trace() *trace.Trace {
	t := &trace.Trace{Steps: m.steps}
	switch {
	case m.out != nil:
		t.Outcome = *m.out
	case m.over:
		t.Outcome = trace.Outcome{Verdict: trace.Unknown, Step: m.Last(), Unknown: trace.Why("unknown.long-run", "steps", strconv.Itoa(maxSteps))}
	default:
		t.Outcome = trace.Outcome{Verdict: trace.Unknown, Step: m.Last(), Unknown: trace.Why("unknown.no-ending")}
	}
	return t
}

// Cites gathers evidence.
func Cites(lists ...[]blob.Cite) []blob.Cite {
	var out []blob.Cite
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
