package systemd

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// JobMode says how a new job deals with those that are queued. systemctl(1) --job-mode=.
type JobMode string

// The job modes that starting a system uses.
const (
	Replace             JobMode = "replace"
	ReplaceIrreversibly JobMode = "replace-irreversibly"
	Isolate             JobMode = "isolate"
	Fail                JobMode = "fail"
)

// JobType is what a job does to its unit.
type JobType string

// The types of jobs that appear while a system starts.
const (
	Start        JobType = "start"
	Stop         JobType = "stop"
	VerifyActive JobType = "verify-active"
)

// JobResult is how a job ended.
type JobResult string

// The results, as the journal's JOB_RESULT= names them.
const (
	Done        JobResult = "done"
	Canceled    JobResult = "canceled"
	TimedOut    JobResult = "timeout"
	JobFailed   JobResult = "failed"
	Dependency  JobResult = "dependency"
	Skipped     JobResult = "skipped" // verify-active of an inactive unit
	AssertFail  JobResult = "assert"
	Unsupported JobResult = "unsupported"
)

// Job is a queued change.
type Job struct {
	Unit         *Unit
	Type         JobType
	Irreversible bool
	Running      bool
	Cause        *Unit  // who pulled it in first, nil for the job that was asked for
	Why          Reason // the dependency by which it did
	seq          int
	behind       *Unit // what blocker found last, and by which dependency
	behindBy     Dep
}

// Txn is a set of jobs that is worked out as a whole before any of them is queued.
type Txn struct {
	Anchor *Unit
	Jobs   []*Job   // what was queued, in the order in which it was added
	Events []string // what systemd logs about it
	Cycles []Cycle
	Orphan []Ignored // wanted units that could not be loaded
}

// Cycle is an ordering cycle that was broken by deleting a job.
type Cycle struct {
	Start   *Unit   // where the walk came upon the cycle
	Path    []*Unit // back to Start
	Types   []JobType
	Deleted *Unit // nil when no job could be deleted
	// Others lists the units whose jobs could as well have been deleted: which one systemd comes
	// upon first depends on its hash tables.
	Others []*Unit
	Why    []Reason // the ordering settings that make the cycle
}

// Ignored is a dependency that a transaction left out.
type Ignored struct {
	Unit *Unit
	By   *Unit
	Why  Reason
	Text string
}

// TxnError is why a transaction was not queued.
type TxnError struct {
	Text string
	Unit *Unit // the unit that cannot be started
}

func (e *TxnError) Error() string { return e.Text }

// tjob is a job of a transaction that is being built.
type tjob struct {
	Job
	needs    []*tlink // what this job pulled in
	neededBy []*tlink
	matters  bool
	gone     bool
	on       *tjob // marker of the cycle search
	gen      int
	irr      bool
}

type tlink struct {
	by, to             *tjob
	matters, conflicts bool
}

// txn is the transaction while it is built.
type txn struct {
	m      *Manager
	out    *Txn
	jobs   map[*Unit][]*tjob
	order  []*tjob // in the order in which they were added
	anchor *tjob
	gen    int
	irr    bool
	steps  int
}

// LoadError is what systemd says about a unit that cannot be started, nil when it can.
func (u *Unit) LoadError() error {
	switch u.Load {
	case Loaded:
		return nil
	case NotFound:
		return &TxnError{fmt.Sprintf("Unit %s not found.", u.ID), u}
	case Masked:
		return &TxnError{fmt.Sprintf("Unit %s is masked.", u.ID), u}
	case BadSetting:
		return &TxnError{fmt.Sprintf("Unit %s has a bad unit file setting.", u.ID), u}
	}
	return &TxnError{fmt.Sprintf("Unit %s failed to load properly, please adjust/correct and reload service manager: %s", u.ID, u.Error), u}
}

// Queue builds the transaction that starts (or stops) u and queues its jobs.
func (m *Manager) Queue(u *Unit, typ JobType, mode JobMode) (*Txn, error) {
	if mode == Isolate && u.Load == Loaded && !u.AllowIsolate {
		return &Txn{Anchor: u}, &TxnError{"Operation refused, unit may not be isolated.", u}
	}
	t := &txn{m: m, out: &Txn{Anchor: u}, jobs: map[*Unit][]*tjob{}, irr: mode == ReplaceIrreversibly}
	if err := t.add(typ, u, nil, Reason{}, true, false); err != nil {
		return t.out, err
	}
	if mode == Isolate {
		t.isolate()
	}
	if err := t.activate(mode); err != nil {
		return t.out, err
	}
	t.apply(mode)
	return t.out, nil
}

// add adds the job and, recursively, what it needs. Why each dependency counts or is ignored is in
// systemd.unit(5) under its name.
func (t *txn) add(typ JobType, u *Unit, by *tjob, why Reason, matters, conflicts bool) error {
	if t.steps++; t.steps > 50*maxUnits {
		return &TxnError{"transaction too large", u}
	}
	if typ != Stop {
		if err := u.LoadError(); err != nil {
			return err
		}
	}
	var j *tjob
	for _, have := range t.jobs[u] {
		if have.Type == typ {
			j = have
		}
	}
	fresh := j == nil
	if fresh {
		j = &tjob{Job: Job{Unit: u, Type: typ, Why: why, Irreversible: t.irr}}
		if by != nil {
			j.Cause = by.Unit
		}
		t.jobs[u] = append([]*tjob{j}, t.jobs[u]...)
		t.order = append(t.order, j)
	}
	if by == nil {
		t.anchor = j
	} else {
		l := &tlink{by, j, matters, conflicts}
		by.needs, j.neededBy = append(by.needs, l), append(j.neededBy, l)
	}
	if !fresh {
		return nil
	}
	switch typ {
	case Start:
		return t.addStart(j)
	case Stop:
		// A stop takes everything along that requires the unit.
		for _, d := range []Dep{RequiredBy, RequisiteOf, BoundBy, ConsistsOf, PropagatesStopTo} {
			for _, e := range j.Unit.Deps(d) {
				if err := t.add(Stop, e.To, j, *e.Why, true, false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (t *txn) addStart(j *tjob) error {
	for _, x := range [...]struct {
		dep       Dep
		typ       JobType
		must      bool
		conflicts bool
	}{
		{Requires, Start, true, false}, {BindsTo, Start, true, false}, {Wants, Start, false, false}, {Upholds, Start, false, false},
		{Requisite, VerifyActive, true, false}, {Conflicts, Stop, true, true}, {ConflictedBy, Stop, false, false},
	} {
		for _, e := range j.Unit.Deps(x.dep) {
			err := t.add(x.typ, e.To, j, *e.Why, x.must, x.conflicts)
			if err == nil {
				continue
			}
			if x.must {
				return err
			}
			t.out.Orphan = append(t.out.Orphan, Ignored{e.To, j.Unit, *e.Why, err.Error()})
		}
	}
	return nil
}

// isolate adds stops for what is active and not part of the transaction.
func (t *txn) isolate() {
	for _, u := range t.m.Units() {
		if u.IgnoreOnIsolate || u.perpetual || (u.State != Active && u.State != Activating && t.m.jobs[u] == nil) || len(t.jobs[u]) > 0 {
			continue
		}
		// A unit that cannot be stopped is left alone.
		_ = t.add(Stop, u, t.anchor, rule("systemctl(1)", "isolate"), true, false)
	}
}

// activate makes the transaction consistent: the steps are those that systemd takes, in its order.
func (t *txn) activate(mode JobMode) error {
	t.mark(t.anchor)
	if mode == Fail {
		t.spare()
	}
	t.dropRedundant()
	for {
		if mode != Isolate {
			t.collect()
		}
		again, err := t.breakCycle()
		if err != nil {
			return err
		}
		if !again {
			break
		}
	}
	for {
		again, err := t.merge()
		if err != nil {
			return err
		}
		if !again {
			break
		}
		if mode != Isolate {
			t.collect()
		}
	}
	t.dropRedundant()
	return t.destructive(mode)
}

// mark finds the jobs that the anchor cannot do without.
func (t *txn) mark(j *tjob) {
	todo := []*tjob{j}
	for len(todo) > 0 {
		j, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if j.matters {
			continue
		}
		j.matters = true
		for _, l := range j.needs {
			if l.matters {
				todo = append(todo, l.to)
			}
		}
	}
}

// spare drops what is not needed and would stop something that runs, or change a job that is queued:
// transaction_minimize_impact.
func (t *txn) spare() {
	for _, j := range t.live() {
		if j.gone || j.matters {
			continue
		}
		have := t.m.jobs[j.Unit]
		running := j.Unit.State == Active || j.Unit.State == Activating
		if j.Type == Stop && running || have != nil && conflicting(j.Type, have.Type) {
			t.remove(j, true)
		}
	}
}

// live lists the jobs that are still part of the transaction.
func (t *txn) live() []*tjob {
	return slices.DeleteFunc(slices.Clone(t.order), func(j *tjob) bool { return j.gone })
}

// remove deletes a job; with deps also the jobs that cannot do without it.
func (t *txn) remove(j *tjob, deps bool) {
	todo := []*tjob{j}
	for len(todo) > 0 {
		j, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if j.gone {
			continue
		}
		j.gone = true
		t.jobs[j.Unit] = slices.DeleteFunc(t.jobs[j.Unit], func(k *tjob) bool { return k == j })
		if len(t.jobs[j.Unit]) == 0 {
			delete(t.jobs, j.Unit)
		}
		for _, l := range j.needs {
			l.to.neededBy = slices.DeleteFunc(l.to.neededBy, func(x *tlink) bool { return x == l })
		}
		for _, l := range j.neededBy {
			l.by.needs = slices.DeleteFunc(l.by.needs, func(x *tlink) bool { return x == l })
			if deps && l.matters {
				todo = append(todo, l.by)
			}
		}
		j.needs, j.neededBy = nil, nil
	}
}

// redundant tells whether a job would change nothing.
func redundant(typ JobType, s State) bool {
	switch typ {
	case Start, VerifyActive:
		return s == Active
	case Stop:
		return s == Inactive || s == Failed
	}
	return false
}

func (t *txn) dropRedundant() {
	for _, j := range t.live() {
		if j.gone {
			continue
		}
		keep := slices.ContainsFunc(t.jobs[j.Unit], func(k *tjob) bool {
			have := t.m.jobs[k.Unit]
			return k == t.anchor || !redundant(k.Type, k.Unit.State) || (have != nil && conflicting(k.Type, have.Type))
		})
		if !keep {
			t.remove(j, false)
		}
	}
}

// conflicting tells whether two jobs of one unit exclude each other.
func conflicting(a, b JobType) bool { return a != b && (a == Stop || b == Stop) }

// collect drops jobs that no other job needs any more.
func (t *txn) collect() {
	for again := true; again; {
		again = false
		for _, j := range t.live() {
			if j != t.anchor && !j.gone && len(j.neededBy) == 0 {
				t.remove(j, true)
				again = true
			}
		}
	}
}

// breakCycle looks for jobs that wait for each other in a circle and deletes one that is only wanted.
// systemd.unit(5) Before=; the walk is that of systemd's transaction_verify_order.
func (t *txn) breakCycle() (again bool, err error) {
	t.gen++
	for _, j := range t.live() {
		if j.gone || t.jobs[j.Unit][0] != j {
			continue
		}
		if again, err = t.walk(j); again || err != nil {
			return again, err
		}
	}
	return false, nil
}

// frame is one level of the walk: a job and the jobs that run after it.
type frame struct {
	j    *tjob
	next []*tjob
}

// walk goes along "runs before" depth first, without recursion.
func (t *txn) walk(first *tjob) (bool, error) {
	if first.gen == t.gen {
		return false, nil
	}
	stack := []frame{{first, t.after(first)}}
	first.gen, first.on = t.gen, first
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.next) == 0 {
			top.j.on = nil // loop-free from here
			stack = stack[:len(stack)-1]
			continue
		}
		k := top.next[0]
		top.next = top.next[1:]
		if k.gen == t.gen {
			if k.on != nil {
				return t.foundCycle(k, top.j)
			}
			continue
		}
		k.gen, k.on = t.gen, top.j
		stack = append(stack, frame{k, t.after(k)})
	}
	return false, nil
}

// after lists the jobs of the transaction that run after j.
func (t *txn) after(j *tjob) []*tjob {
	var out []*tjob
	for _, d := range []Dep{Before, After} {
		for _, e := range j.Unit.Deps(d) {
			if o := t.jobs[e.To]; len(o) > 0 && runsFirst(j.Type, o[0].Type, d) {
				out = append(out, o[0])
			}
		}
	}
	return out
}

// runsFirst tells whether a job of type a runs before one of type b when a's unit has the dependency d
// on b's: stops come first, otherwise the order is that of the units. systemd.unit(5) Before=.
func runsFirst(a, b JobType, d Dep) bool {
	if d == Before {
		return b != Stop
	}
	return a == Stop
}

func (t *txn) foundCycle(j, from *tjob) (bool, error) {
	c := Cycle{Start: j.Unit}
	var del *tjob
	for k := from; k != nil; k = k.on {
		c.Path, c.Types = append(c.Path, k.Unit), append(c.Types, k.Type)
		if !slices.ContainsFunc(t.jobs[k.Unit], func(x *tjob) bool { return x.matters }) {
			if del == nil {
				del = k
			} else {
				c.Others = append(c.Others, k.Unit)
			}
		}
		if k == j {
			break
		}
	}
	for i, u := range c.Path {
		next := c.Start
		if i > 0 {
			next = c.Path[i-1]
		}
		if why, ok := next.Has(After, u); ok {
			c.Why = append(c.Why, why)
		} else if why, ok := u.Has(After, next); ok {
			c.Why = append(c.Why, why)
		}
	}
	if del != nil {
		c.Deleted = del.Unit
	}
	t.out.Cycles = append(t.out.Cycles, c)
	if del == nil {
		return false, &TxnError{"Transaction order is cyclic. See system logs for details.", j.Unit}
	}
	for len(t.jobs[del.Unit]) > 0 {
		t.remove(t.jobs[del.Unit][0], true)
	}
	return true, nil
}

// merge leaves one job for each unit; of two that exclude each other one goes if it may.
func (t *txn) merge() (again bool, err error) {
	for _, j := range t.live() {
		if j.gone {
			continue
		}
		list := t.jobs[j.Unit]
		for i, a := range list {
			for _, b := range list[i+1:] {
				if !conflicting(a.Type, b.Type) {
					continue
				}
				d := loser(a, b)
				if d == nil {
					return false, &TxnError{fmt.Sprintf("Transaction contains conflicting jobs '%s' and '%s' for %s. "+
						"Probably contradicting requirement dependencies configured.", a.Type, b.Type, j.Unit.ID), j.Unit}
				}
				t.remove(d, true)
				return true, nil
			}
		}
	}
	for _, j := range t.live() {
		for !j.gone && len(t.jobs[j.Unit]) > 1 {
			list := t.jobs[j.Unit]
			keep, drop := list[0], list[1]
			if drop == t.anchor {
				keep, drop = drop, keep
			}
			t.fuse(keep, drop)
		}
	}
	return false, nil
}

// loser picks the job of two that is deleted; nil when the anchor needs both.
func loser(a, b *tjob) *tjob {
	conflicted := func(j *tjob) bool {
		return slices.ContainsFunc(j.neededBy, func(l *tlink) bool { return l.conflicts })
	}
	switch {
	case a.matters && b.matters:
		return nil
	case a.matters:
		return b
	case b.matters:
		return a
	case a.Type == Stop:
		if conflicted(a) {
			return b
		}
		return a
	case b.Type == Stop:
		if conflicted(b) {
			return a
		}
		return b
	}
	return a
}

// fuse puts drop's links on keep: start and verify-active become start.
func (t *txn) fuse(keep, drop *tjob) {
	if drop.Type == Start {
		keep.Type = Start
	}
	keep.matters = keep.matters || drop.matters
	for _, l := range drop.needs {
		l.by = keep
		keep.needs = append(keep.needs, l)
	}
	for _, l := range drop.neededBy {
		l.to = keep
		keep.neededBy = append(keep.neededBy, l)
	}
	drop.needs, drop.neededBy = nil, nil
	t.remove(drop, false)
}

// destructive refuses a transaction that would undo an irreversible job.
func (t *txn) destructive(mode JobMode) error {
	for _, j := range t.live() {
		have := t.m.jobs[j.Unit]
		if have != nil && (mode == Fail || have.Irreversible) && conflicting(have.Type, j.Type) {
			return &TxnError{fmt.Sprintf("Transaction for %s/%s is destructive (%s has '%s' job queued, but '%s' is included in transaction).",
				t.anchor.Unit.ID, t.anchor.Type, j.Unit.ID, have.Type, j.Type), j.Unit}
		}
	}
	return nil
}

// apply queues the jobs. A queued job that excludes the new one is canceled; one of the same kind
// stays.
func (t *txn) apply(mode JobMode) {
	if mode == Isolate {
		for _, j := range t.m.Jobs() {
			if !j.Unit.IgnoreOnIsolate && len(t.jobs[j.Unit]) == 0 {
				delete(t.m.jobs, j.Unit)
				t.m.wake(j.Unit)
			}
		}
	}
	for _, j := range t.live() {
		if have := t.m.jobs[j.Unit]; have != nil && !conflicting(have.Type, j.Type) {
			have.Irreversible = have.Irreversible || j.Irreversible
			if j.Type == Start {
				have.Type = Start
			}
			continue
		}
		t.m.seq++
		job := j.Job
		job.seq = t.m.seq
		t.m.jobs[j.Unit] = &job
		heap.Push(&t.m.ready, &job)
		t.out.Jobs = append(t.out.Jobs, &job)
	}
}

// Jobs lists the queued jobs, sorted by unit.
func (m *Manager) Jobs() []*Job {
	out := make([]*Job, 0, len(m.jobs))
	for _, j := range m.jobs {
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b *Job) int { return strings.Compare(a.Unit.ID, b.Unit.ID) })
	return out
}

// Job is the job that is queued for u, nil when there is none.
func (m *Manager) Job(u *Unit) *Job { return m.jobs[u] }

// Next takes the job that runs next and marks it running; nil when every job that is left waits for
// another one. Of several that could run, units of later types come first, then names decide:
// unit_compare_priority in systemd's unit.c.
func (m *Manager) Next() *Job {
	for m.ready.Len() > 0 {
		j := heap.Pop(&m.ready).(*Job)
		// What still waits comes back when the job that it waits for ends.
		if m.jobs[j.Unit] == j && !j.Running && m.runnable(j) {
			j.Running = true
			return j
		}
	}
	return nil
}

// runQueue holds the jobs that may have become runnable.
type runQueue []*Job

func (q runQueue) Len() int           { return len(q) }
func (q runQueue) Less(a, b int) bool { return priority(q[a].Unit, q[b].Unit) < 0 }
func (q runQueue) Swap(a, b int)      { q[a], q[b] = q[b], q[a] }
func (q *runQueue) Push(j any)        { *q = append(*q, j.(*Job)) }
func (q *runQueue) Pop() any {
	old := *q
	j := old[len(old)-1]
	*q = old[:len(old)-1]
	return j
}

// wake puts the jobs of all units that are ordered against u into the run queue.
func (m *Manager) wake(u *Unit) {
	for _, d := range []Dep{Before, After} {
		for _, e := range u.Deps(d) {
			if o := m.jobs[e.To]; o != nil && !o.Running {
				heap.Push(&m.ready, o)
			}
		}
	}
}

func priority(a, b *Unit) int {
	rank := func(u *Unit) int { return slices.Index(unitTypes[:], u.Type) }
	if c := cmp.Compare(rank(b), rank(a)); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// runnable tells whether nothing that must come first is still queued.
func (m *Manager) runnable(j *Job) bool { return m.blocker(j) == nil }

// blocker finds a job that j waits for. A target is asked each time that one of its many units is done, so
// the unit that was in its way the last time is looked at first.
func (m *Manager) blocker(j *Job) *Job {
	blocks := func(u *Unit, d Dep) *Job {
		if o := m.jobs[u]; o != nil && !runsFirst(j.Type, o.Type, d) {
			return o
		}
		return nil
	}
	if j.behind != nil {
		if o := blocks(j.behind, j.behindBy); o != nil {
			return o
		}
	}
	for _, d := range [...]Dep{After, Before} {
		for _, e := range slices.Backward(j.Unit.Deps(d)) {
			if o := blocks(e.To, d); o != nil {
				j.behind, j.behindBy = e.To, d
				return o
			}
		}
	}
	return nil
}

// Ended is a job that ended, with what it led to.
type Ended struct {
	Job    *Job
	Result JobResult
	Cause  *Unit  // the unit whose failure failed this job; nil for the first
	Why    Reason // the dependency by which it did
	Depth  int    // how many failures lie between the first job and this one
}

// Finish ends a job. When it did not work, jobs that depend on it fail too; all that ended are
// returned in order, the first is j itself. The caller has set the unit's state.
func (m *Manager) Finish(j *Job, r JobResult) []Ended {
	return m.finish(j, r, Ended{})
}

func (m *Manager) finish(j *Job, r JobResult, by Ended) []Ended {
	if m.jobs[j.Unit] == j {
		delete(m.jobs, j.Unit)
		m.wake(j.Unit)
	}
	by.Job, by.Result = j, r
	out := []Ended{by}
	if r == Done || r == Canceled {
		return out
	}
	deps := []Dep{RequiredBy, RequisiteOf, BoundBy}
	if j.Type == Stop {
		deps = []Dep{ConflictedBy}
	}
	for _, d := range deps {
		for _, e := range j.Unit.Deps(d) {
			if o := m.jobs[e.To]; o != nil && o.Type != Stop {
				out = append(out, m.finish(o, Dependency, Ended{Cause: j.Unit, Why: *e.Why, Depth: by.Depth + 1})...)
			}
		}
	}
	return out
}
