package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reason says what would have to be known and why it is not: the kind is the key of its sentence in
// content/messages/unknown.*.json, the arguments are the sentence's values. Nil is no reason.
type Reason struct {
	Kind    Kind              `json:"kind"` // "unknown.passphrase"
	Args    map[string]string `json:"args,omitempty"`
	Because *Reason           `json:"because,omitempty"` // what lies behind it: the sentence's {because}
}

// Why makes a reason; args are names and values in turn.
//
//	trace.Why("unknown.passphrase", "device", "/dev/vda2")
func Why(kind Kind, args ...string) *Reason {
	r := &Reason{Kind: kind}
	for i := 0; i+1 < len(args); i += 2 {
		if r.Args == nil {
			r.Args = map[string]string{}
		}
		r.Args[args[i]] = args[i+1]
	}
	return r
}

// For returns the reason with the one that lies behind it.
func (r *Reason) For(because *Reason) *Reason {
	return &Reason{Kind: r.Kind, Args: r.Args, Because: because}
}

// Equal tells whether two reasons say the same.
func (r *Reason) Equal(o *Reason) bool {
	if r == nil || o == nil {
		return r == o
	}
	return r.Kind == o.Kind && maps.Equal(r.Args, o.Args) && r.Because.Equal(o.Because)
}

// String is the reason in a form for tests and golden traces, in no language.
func (r *Reason) String() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(string(r.Kind))
	for _, k := range slices.Sorted(maps.Keys(r.Args)) {
		fmt.Fprintf(&b, " %s=%s", k, quoteIfNeeded(r.Args[k]))
	}
	if r.Because != nil {
		fmt.Fprintf(&b, " because %s", r.Because)
	}
	return b.String()
}

// Sentence is what content/messages says of a kind, with {names} for values.
type Sentence struct {
	Title string `json:"title"` // of a reason: what would have to be known
	Text  string `json:"text"`  // and why it is not
}

// Sentences are those of one language.
type Sentences map[Kind]Sentence

// Reason puts a reason into words: "what the module foo does: …".
func (s Sentences) Reason(r *Reason) string {
	if r == nil {
		return ""
	}
	said, ok := s[r.Kind]
	if !ok {
		return r.String()
	}
	values := []string{"{because}", s.Reason(r.Because)}
	for _, k := range slices.Sorted(maps.Keys(r.Args)) {
		values = append(values, "{"+k+"}", r.Args[k])
	}
	fill := strings.NewReplacer(values...)
	return fill.Replace(said.Title) + ": " + fill.Replace(said.Text)
}
