package compare

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Difference says how two runs of one kind go apart.
type Difference struct {
	Same     bool        `json:"same"`              // the runs have the same steps and the same outcome
	Settings []Differing `json:"settings"`          // the switches that differ
	Values   *Parting    `json:"values,omitempty"`  // the first step that both make with other values
	Parting  *Parting    `json:"parting,omitempty"` // the first step that only one of them makes: here they part
	Common   []Stretch   `json:"common"`            // the steps that both make alike
}

// Parting is a place where two runs are no longer the same.
type Parting struct {
	Key     string            `json:"key"`   // of its sentence: "compare.part-kinds"
	Left    int               `json:"left"`  // step of the left run, -1 when it has ended
	Right   int               `json:"right"` // step of the right run, -1 when it has ended
	Args    map[string]string `json:"args"`  // the kinds and rules of both steps
	Differs []Differing       `json:"differs"`
	Because *Parting          `json:"because,omitempty"` // the latest step before that both make with other values
}

// Differing is one value on both sides; a missing one is empty.
type Differing struct {
	Name  string `json:"name"`
	Left  string `json:"left"`
	Right string `json:"right"`
}

// Stretch is n steps that both runs make alike, from these numbers on.
type Stretch struct {
	Left  int `json:"left"`
	Right int `json:"right"`
	N     int `json:"n"`
}

// Diff aligns two runs by what their steps do and with which values; times, numbers and identifiers made of
// twelve or more hexadecimal digits (containers, digests) do not count.
func Diff(left, right Side) Difference {
	l, r := left.Run, right.Run
	d := Difference{Settings: settingsApart(left.Settings, right.Settings), Common: align(keys(l.Steps), keys(r.Steps))}
	i, j := 0, 0
	var because *Parting
	for _, c := range append(slices.Clone(d.Common), Stretch{len(l.Steps), len(r.Steps), 0}) {
		for ; d.Parting == nil && (i < c.Left || j < c.Right); i, j = i+1, j+1 {
			p := partAt(l.Steps, r.Steps, i, j, c)
			if p.Key != "compare.part-values" {
				p.Because = because
				d.Parting = p
				break
			}
			because = p
			if d.Values == nil {
				d.Values = p
			}
		}
		i, j = c.Left+c.N, c.Right+c.N
	}
	d.Same = d.Values == nil && d.Parting == nil && l.Outcome.Verdict == r.Outcome.Verdict && l.Outcome.Message == r.Outcome.Message
	return d
}

// partAt describes steps i and j, which lie before the next common stretch.
func partAt(l, r []trace.Step, i, j int, next Stretch) *Parting {
	p := &Parting{Left: i, Right: j, Args: map[string]string{}, Differs: []Differing{}}
	if i < len(l) {
		p.Args["left"], p.Args["left_rule"] = string(l[i].Kind), l[i].Rule
	}
	if j < len(r) {
		p.Args["right"], p.Args["right_rule"] = string(r[j].Kind), r[j].Rule
	}
	switch {
	case i >= len(l):
		p.Key, p.Left = "compare.part-left-ended", -1
	case j >= len(r):
		p.Key, p.Right = "compare.part-right-ended", -1
	case i >= next.Left: // the left run goes on with what both do later
		p.Key = "compare.part-right-only"
	case j >= next.Right:
		p.Key = "compare.part-left-only"
	case l[i].Kind != r[j].Kind:
		p.Key = "compare.part-kinds"
	default:
		p.Key, p.Differs = "compare.part-values", apart(l[i].Args, r[j].Args)
		var names, lefts, rights []string
		for _, d := range p.Differs {
			names, lefts, rights = append(names, d.Name), append(lefts, d.Left), append(rights, d.Right)
		}
		p.Args["names"], p.Args["left_values"], p.Args["right_values"] = strings.Join(names, ", "), strings.Join(lefts, ", "), strings.Join(rights, ", ")
	}
	return p
}

// apart lists the values that differ.
func apart(l, r map[string]string) []Differing {
	both := maps.Clone(l)
	if both == nil {
		both = map[string]string{}
	}
	maps.Copy(both, r)
	out := []Differing{}
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if l[name] != r[name] {
			out = append(out, Differing{name, l[name], r[name]})
		}
	}
	return out
}

// settingsApart lists the switches that differ, as JSON values.
func settingsApart(l, r scenario.RunSettings) []Differing {
	return apart(flat(l), flat(r))
}

func flat(s scenario.RunSettings) map[string]string {
	data, err := json.Marshal(s)
	fields := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		panic(err) // settings are plain data
	}
	out := map[string]string{}
	for name, raw := range fields {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		out[name] = text
	}
	return out
}

// keys are what makes steps alike.
func keys(steps []trace.Step) []string {
	out := make([]string, len(steps))
	for i, st := range steps {
		var b strings.Builder
		b.WriteString(string(st.Kind))
		for _, name := range slices.Sorted(maps.Keys(st.Args)) {
			b.WriteString("\x00" + name + "=" + blur(st.Args[name]))
		}
		out[i] = b.String()
	}
	return out
}

// blurred is how many hexadecimal digits in a row are an identifier.
const blurred = 12

// blur replaces identifiers, which differ with the least change of what they are computed from.
func blur(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := i
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'f') {
			n++
		}
		switch {
		case n-i >= blurred:
			b.WriteByte('#')
		case n == i:
			n++
			b.WriteString(s[i:n])
		default:
			b.WriteString(s[i:n])
		}
		i = n
	}
	return b.String()
}

// align finds stretches that both lists have alike, in order: the common beginning, then around what occurs
// once in both (patience), then the common end.
func align(l, r []string) []Stretch {
	var out []Stretch
	add := func(i, j, n int) {
		if n == 0 {
			return
		}
		if k := len(out) - 1; k >= 0 && out[k].Left+out[k].N == i && out[k].Right+out[k].N == j {
			out[k].N += n
			return
		}
		out = append(out, Stretch{i, j, n})
	}
	i, j := 0, 0
	for _, anchor := range append(anchors(l, r), [2]int{len(l), len(r)}) {
		if anchor[0] < i || anchor[1] < j { // taken by the stretch before
			continue
		}
		head := 0
		for i+head < anchor[0] && j+head < anchor[1] && l[i+head] == r[j+head] {
			head++
		}
		add(i, j, head)
		tail := 0
		for anchor[0]-tail > i+head && anchor[1]-tail > j+head && l[anchor[0]-tail-1] == r[anchor[1]-tail-1] {
			tail++
		}
		add(anchor[0]-tail, anchor[1]-tail, tail)
		i, j = anchor[0], anchor[1]
		if i < len(l) && j < len(r) {
			add(i, j, 1)
			i, j = i+1, j+1
		}
	}
	if out == nil {
		return []Stretch{}
	}
	return out
}

// anchors are the pairs of equal elements that occur once on each side, the longest list of them in which
// both numbers rise.
func anchors(l, r []string) [][2]int {
	count := map[string][2]int{}
	where := map[string]int{}
	for _, k := range l {
		n := count[k]
		count[k] = [2]int{n[0] + 1, n[1]}
	}
	for j, k := range r {
		n := count[k]
		count[k] = [2]int{n[0], n[1] + 1}
		where[k] = j
	}
	var pairs [][2]int
	for i, k := range l {
		if count[k] == [2]int{1, 1} {
			pairs = append(pairs, [2]int{i, where[k]})
		}
	}
	// Longest rising sequence: tops[n] is the pair that ends the best sequence of n+1 pairs.
	var tops []int
	from := make([]int, len(pairs))
	for p := range pairs {
		n, _ := slices.BinarySearchFunc(tops, pairs[p][1], func(t, want int) int { return pairs[t][1] - want })
		from[p] = -1
		if n > 0 {
			from[p] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, p)
		} else {
			tops[n] = p
		}
	}
	var out [][2]int
	if len(tops) > 0 {
		for p := tops[len(tops)-1]; p >= 0; p = from[p] {
			out = append(out, pairs[p])
		}
	}
	slices.Reverse(out)
	return out
}
