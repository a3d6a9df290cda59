package scenario

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bootpath/sim/trace"
)

// Candidate is something that could have printed a message.
type Candidate struct {
	Scenario string     `json:"scenario,omitempty"` // its name; "" for a message that belongs to none
	Kind     trace.Kind `json:"kind"`               // the step that prints it
	Known    string     `json:"known"`              // the message as it is known here
	Line     string     `json:"line"`               // the line of the text that is like it
	Score    int        `json:"score"`              // 100 for word by word the same
}

// Printed are lines that steps of a kind print: content/scenarios/printed.json, made from all runs of the gallery.
type Printed struct {
	Kind  trace.Kind `json:"kind"`
	Lines []string   `json:"lines"`
}

// Bounds of Recognise.
const (
	pasteMax      = 64 << 10 // bytes of a pasted text that are looked at, from its end
	candidatesMax = 8
	scoreMin      = 55 // less is chance
)

// known is one message of the index.
type known struct {
	Candidate
	words []string
}

// Recognise ranks what could have printed the text that someone pasted from a terminal: the scenarios of the
// gallery first, then kinds of steps. Times, numbers, paths, names in quotation marks and identifiers may differ.
func Recognise(gallery []Named, printed []Printed, text string) []Candidate {
	r := newReader()
	index := r.index(gallery, printed)
	weight := weights(index)
	if len(text) > pasteMax {
		text = text[len(text)-pasteMax:]
	}
	best := make([]Candidate, len(index))
	for _, line := range strings.Split(text, "\n") {
		have := r.words(line)
		if len(have) == 0 {
			continue
		}
		for i, k := range index {
			score := similarity(k.words, have, weight)
			if score == 99 && strings.Contains(line, strings.TrimSpace(k.Known)) {
				score = 100
			}
			if score > best[i].Score {
				best[i] = k.Candidate
				best[i].Line, best[i].Score = strings.TrimSpace(line), score
			}
		}
	}
	return rank(best)
}

// rank keeps the best message of each scenario and of each kind, best first; equal ones stay in the order of
// the gallery.
func rank(best []Candidate) []Candidate {
	slices.SortStableFunc(best, func(a, b Candidate) int { return b.Score - a.Score })
	out := []Candidate{}
	for _, c := range best {
		same := func(o Candidate) bool {
			if c.Scenario == "" {
				return o.Kind == c.Kind
			}
			return o.Scenario == c.Scenario
		}
		if c.Score >= scoreMin && len(out) < candidatesMax && !slices.ContainsFunc(out, same) {
			out = append(out, c)
		}
	}
	return out
}

func (r reader) index(gallery []Named, printed []Printed) []known {
	var out []known
	add := func(scenario string, kind trace.Kind, message string) {
		if w := r.words(message); len(w) > 0 {
			out = append(out, known{Candidate{Scenario: scenario, Kind: kind, Known: message}, w})
		}
	}
	for _, n := range gallery {
		if len(n.Errors) == 0 {
			continue // what works prints nothing that anyone asks about
		}
		for _, e := range n.Errors {
			add(n.Name, n.Expect.Kind, e)
		}
		add(n.Name, n.Expect.Kind, n.Expect.Message)
	}
	for _, p := range printed {
		for _, line := range p.Lines {
			add("", p.Kind, line)
		}
	}
	return out
}

// reader turns lines into words.
type reader []variable

// variable is something that differs from machine to machine, and what stands for it.
type variable struct {
	pattern *regexp.Regexp
	stand   string
}

func newReader() reader {
	var r reader
	for _, v := range [][2]string{
		{"\x1b\\[[0-9;?]*[A-Za-z]", ""},                                        // colours
		{`^\s*\[\s*\d+\.\d+\]\s*`, ""},                                         // the kernel's clock
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*`, ""},                           // dates
		{`(?i)\b[0-9a-f]{4,8}(-[0-9a-f]{4}){1,3}(-[0-9a-f]{12})?\b`, " <id> "}, // UUIDs
		{`(?i)\b(0x)?[0-9a-f]{7,}\b`, " <id> "},                                // digests, addresses
		{`PciRoot\S+`, " <device> "},                                           // UEFI device paths
		{"[\"'`‘“][^\"'`’”]{1,80}[\"'’”]", " <name> "},                         // quoted names
		{`\(?(hd|cd|vd|sd)[a-z0-9]*(,\w+)?\)?(/\S*)?|(\.{0,2}/[\w.@+%-]+)+/?`, " <path> "},
		{`linux/[\w/]+`, " <platform> "},
		{`\d+(\.\d+)*`, " <n> "},
	} {
		r = append(r, variable{regexp.MustCompile(v[0]), v[1]})
	}
	return r
}

// words are a message's words in lower case, with placeholders for what differs.
func (r reader) words(line string) []string {
	for _, v := range r {
		line = v.pattern.ReplaceAllString(line, v.stand)
	}
	return strings.FieldsFunc(strings.ToLower(line), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '<' && r != '>'
	})
}

// weights makes a word count the more the fewer messages have it; placeholders hardly count.
func weights(index []known) map[string]int {
	in := map[string]int{}
	for _, k := range index {
		for _, w := range slices.Compact(slices.Sorted(slices.Values(k.words))) {
			in[w]++
		}
	}
	out := map[string]int{}
	for w, n := range in { // order does not matter: each word by itself
		switch {
		case strings.HasPrefix(w, "<"):
			out[w] = 1
		default:
			out[w] = max(2, 12-2*log2(n))
		}
	}
	return out
}

func log2(n int) int {
	l := 0
	for ; n > 1; n /= 2 {
		l++
	}
	return l
}

// similarity is how much of the message's weight occurs in the line, in order: 0 to 99.
func similarity(message, line []string, weight map[string]int) int {
	if len(message) > 200 || len(line) > 400 {
		message, line = message[:min(len(message), 200)], line[:min(len(line), 400)]
	}
	total := 0
	for _, w := range message {
		total += weight[w]
	}
	// The heaviest common subsequence; row[j] is the best with the first j words of the line.
	row := make([]int, len(line)+1)
	for _, w := range message {
		diagonal := 0
		for j, have := range line {
			up := row[j+1]
			here := max(up, row[j])
			if w == have {
				here = max(here, diagonal+weight[w])
			}
			row[j+1], diagonal = here, up
		}
	}
	if total < 8 { // a word or two say nothing unless they are the whole line
		if !slices.Equal(message, line) {
			return 0
		}
	}
	return 99 * row[len(line)] / max(total, 1)
}
