// Package exercise makes questions out of an image: it breaks it in one place that matters, shows how the start
// ends, and asks what was broken. The places come from the image's own healthy run: files that it read, bytes
// that decided a step, values that it was given. So every image that starts has exercises, and each one has its
// proof in the two runs.
package exercise

import (
	"fmt"
	"slices"

	"bootpath/sim/compare"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Exercise is one question with its answer.
type Exercise struct {
	Seed     int64                `json:"seed"`
	Symptom  trace.Outcome        `json:"symptom"`  // how the broken image's start ends: what is shown
	Console  []string             `json:"console"`  // the last lines on the screen
	Options  []Breakage           `json:"options"`  // four diagnoses
	Answer   int                  `json:"answer"`   // which of them is right
	Settings scenario.RunSettings `json:"settings"` // a run with these shows it
	Proof    Proof                `json:"proof"`
}

// Breakage is one way to break the image, derived from a step of its healthy run.
type Breakage struct {
	Key      string               `json:"key"` // of its sentence: "exercise.remove"
	Args     map[string]string    `json:"args"`
	Settings scenario.RunSettings `json:"-"`
	Stage    trace.Stage          `json:"stage"` // of the step that it is derived from
	Step     int                  `json:"step"`  // its number in the healthy run
}

// Proof shows that the answer is right: where the healthy and the broken run part, and how the others would end.
type Proof struct {
	Parting  *compare.Parting `json:"parting,omitempty"`
	Deciding int              `json:"deciding"` // step of the broken run that decided
	Others   []trace.Outcome  `json:"others"`   // what each option leads to, in the order of options
}

// Runner starts the image under settings.
type Runner func(scenario.RunSettings) (compare.Side, error)

// Maker makes exercises of one image. It remembers the runs that it made.
type Maker struct {
	run     Runner
	usual   scenario.RunSettings
	healthy compare.Side
	places  []Breakage
	known   map[string]ending // by id of the breakage
}

// ending is what is remembered of a broken run.
type ending struct {
	outcome trace.Outcome
	console []string
	parting *compare.Parting // from the healthy run
	sure    bool             // it is known how it ends
}

// consoleTail is how many lines of the screen a question shows.
const consoleTail = 12

// options is how many diagnoses a question offers.
const options = 4

// NewMaker starts the image as it usually starts. An image that does not start well has no exercises.
func NewMaker(run Runner, usual scenario.RunSettings) (*Maker, error) {
	healthy, err := run(usual)
	if err != nil {
		return nil, err
	}
	if healthy.Run == nil || healthy.Run.Outcome.Verdict != trace.Works {
		return nil, fmt.Errorf("exercise: this image does not start well, so there is nothing to break")
	}
	m := &Maker{run: run, usual: usual, healthy: healthy, known: map[string]ending{}}
	m.places = places(healthy)
	return m, nil
}

// Places lists what may be broken.
func (m *Maker) Places() []Breakage { return slices.Clone(m.places) }

// Make makes the exercise of a seed: the same seed and image give the same exercise.
func (m *Maker) Make(seed int64) (*Exercise, error) {
	r := newRandom(seed)
	order := m.shuffle(r)
	for i, b := range order {
		broken := m.end(b)
		if !broken.sure || sameEnd(broken.outcome, m.healthy.Run.Outcome) {
			continue
		}
		wrong := m.distractors(slices.Concat(order[i+1:], order[:i]), b, broken)
		if len(wrong) < options-1 {
			continue
		}
		return m.question(seed, r, b, broken, wrong), nil
	}
	return nil, fmt.Errorf("exercise: nothing in this image can be broken so that its end is known")
}

// shuffle orders the places: a stage by chance, then a place in it, so that the few bytes of a boot sector come
// as often as the many files of an init.
func (m *Maker) shuffle(r *random) []Breakage {
	var stages []trace.Stage
	by := map[trace.Stage][]Breakage{}
	for _, b := range m.places {
		if !slices.Contains(stages, b.Stage) {
			stages = append(stages, b.Stage)
		}
		by[b.Stage] = append(by[b.Stage], b)
	}
	var out []Breakage
	for len(stages) > 0 {
		i := r.below(len(stages))
		list := by[stages[i]]
		j := r.below(len(list))
		out = append(out, list[j])
		by[stages[i]] = slices.Delete(slices.Clone(list), j, j+1)
		if len(by[stages[i]]) == 0 {
			stages = slices.Delete(stages, i, i+1)
		}
	}
	return out
}

// end runs a breakage and tells how it ends.
func (m *Maker) end(b Breakage) ending {
	id := b.id()
	if e, ok := m.known[id]; ok {
		return e
	}
	var e ending
	side, err := m.run(b.Settings)
	if err == nil && side.Run != nil { // otherwise the input no longer opens: no start to ask about
		e = ending{outcome: side.Run.Outcome, console: tail(side.Run.Steps), sure: side.Run.Outcome.Verdict != trace.Unknown}
		if compare.OneKind(m.healthy, side) {
			e.parting = compare.Diff(m.healthy, side).Parting
		}
	}
	m.known[id] = e
	return e
}

// sameEnd tells whether nobody could tell two runs apart by how they end.
func sameEnd(a, b trace.Outcome) bool {
	return a.Verdict == b.Verdict && a.Stage == b.Stage && a.Message == b.Message
}

// distractors are other breakages that would end in another way, so that the symptom rules them out.
func (m *Maker) distractors(order []Breakage, answer Breakage, broken ending) []Breakage {
	var out []Breakage
	for _, b := range order {
		if b.says(answer) || slices.ContainsFunc(out, b.says) {
			continue
		}
		if e := m.end(b); !e.sure || sameEnd(e.outcome, broken.outcome) {
			continue
		}
		if out = append(out, b); len(out) == options-1 {
			break
		}
	}
	return out
}

func (m *Maker) question(seed int64, r *random, answer Breakage, broken ending, wrong []Breakage) *Exercise {
	at := r.below(options)
	e := &Exercise{Seed: seed, Symptom: broken.outcome, Console: broken.console, Answer: at, Settings: answer.Settings,
		Options: slices.Insert(slices.Clone(wrong), at, answer), Proof: Proof{Parting: broken.parting, Deciding: broken.outcome.Step}}
	for _, o := range e.Options {
		e.Proof.Others = append(e.Proof.Others, m.end(o).outcome)
	}
	return e
}
