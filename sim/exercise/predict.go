package exercise

import (
	"slices"
	"strings"

	"bootpath/sim/trace"
)

// Follow lists the kinds of steps that came next after a kind in some run of the gallery.
type Follow struct {
	Kind trace.Kind   `json:"kind"`
	Next []trace.Kind `json:"next"`
}

// alternatives is how many wrong answers a prediction offers.
const alternatives = 3

// Predict gives kinds that a learner may hold for the next when step n is still hidden: what came at this place in
// other runs, and when that is too little, what the same
// actor or this run does elsewhere. The true kind is not among them.
func Predict(follows []Follow, steps []trace.Step, n int) []trace.Kind {
	out := []trace.Kind{}
	if n < 1 || n >= len(steps) {
		return out
	}
	truth, before := steps[n].Kind, steps[n-1].Kind
	add := func(kinds []trace.Kind) {
		for _, k := range kinds {
			if len(out) < alternatives && k != truth && k != before && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	area, _, _ := strings.Cut(string(truth), ".")
	var related []trace.Kind
	for _, f := range follows {
		if f.Kind == before {
			add(f.Next)
		}
		if strings.HasPrefix(string(f.Kind), area+".") {
			related = append(related, f.Kind)
		}
	}
	if len(related) > 0 { // begin at another place for each step, so that not the same three are wrong everywhere
		at := n % len(related)
		add(slices.Concat(related[at:], related[:at]))
	}
	for _, st := range steps { // a short area: whatever this run does
		add([]trace.Kind{st.Kind})
	}
	return out
}
