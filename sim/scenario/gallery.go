package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"bootpath/sim/trace"
)

// Named is a prepared what-if of content/scenarios: a question that people really ask, with the sample and
// the settings that show the answer.
type Named struct {
	Name     string      `json:"-"`     // of its file
	Theme    string      `json:"theme"` // of index.json
	Src      string      `json:"src"`   // a sample's id
	Settings RunSettings `json:"settings"`
	Step     string      `json:"step,omitempty"` // where the page begins: a kind of step, or "end"
	Expect   Expected    `json:"expect"`
	Errors   []string    `json:"errors,omitempty"` // what people see on a terminal, the deciding line first
	Title    Texts       `json:"title"`
	Says     Texts       `json:"says"`  // what learners say or ask
	Cause    Texts       `json:"cause"` // what happens, and in which bytes it lies
	Fix      Texts       `json:"fix"`
	Source   string      `json:"source"` // where the expectation comes from: a recording, a specification
}

// Expected is what the run must show.
type Expected struct {
	Verdict trace.Verdict `json:"verdict"`
	Stage   trace.Stage   `json:"stage"`
	Message string        `json:"message,omitempty"` // the real program's words
	Kind    trace.Kind    `json:"kind"`              // a step that must be there: the one that decides
}

// Texts is a text in the site's languages.
type Texts struct {
	En string `json:"en"`
	Zh string `json:"zh"`
}

// Theme groups scenarios; index.json is a list of them.
type Theme struct {
	Theme     string   `json:"theme"`
	Title     Texts    `json:"title"`
	Scenarios []string `json:"scenarios"` // names, in their order
}

// Gallery reads the scenarios of a directory in the order of its index.json.
func Gallery(dir fs.FS) ([]Named, error) {
	var themes []Theme
	if err := readStrict(dir, "index.json", &themes); err != nil {
		return nil, err
	}
	var out []Named
	for _, t := range themes {
		for _, name := range t.Scenarios {
			n, err := Find(dir, name)
			if err != nil {
				return nil, err
			}
			if n.Theme != t.Theme {
				return nil, fmt.Errorf("scenario %s: its theme is %q, index.json has it under %q", name, n.Theme, t.Theme)
			}
			out = append(out, n)
		}
	}
	return out, nil
}

// Find reads one scenario by its name.
func Find(dir fs.FS, name string) (Named, error) {
	n := Named{Name: name}
	if strings.ContainsAny(name, "/.") || name == "index" || name == "printed" || name == "follows" {
		return n, fmt.Errorf("scenario %q: a name has letters, digits and hyphens", name)
	}
	return n, readStrict(dir, name+".json", &n)
}

// readStrict refuses keys that nobody reads: in a file written by hand they are typing mistakes.
func readStrict(dir fs.FS, file string, v any) error {
	data, err := fs.ReadFile(dir, file)
	if err != nil {
		return fmt.Errorf("scenario: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("scenario %s: %w", file, err)
	}
	return nil
}

// With lays the switches that more sets over s.
func (s RunSettings) With(more RunSettings) RunSettings {
	data, err := json.Marshal(more) // what is empty is left out, so it does not replace anything
	if err == nil {
		var copied []byte
		if copied, err = json.Marshal(s); err == nil {
			s = RunSettings{}
			err = json.Unmarshal(copied, &s) // maps of its own
		}
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		panic(err) // settings are plain data
	}
	return s
}

// ReadPrinted reads printed.json of the gallery's directory.
func ReadPrinted(dir fs.FS) ([]Printed, error) {
	var out []Printed
	return out, readStrict(dir, "printed.json", &out)
}
