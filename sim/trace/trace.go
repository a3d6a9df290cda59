// Package trace is what a simulated start leaves behind: an ordered list of steps, each with the rows
// it changed in a few small tables, and one outcome. A player folds the changes forward and back and
// never repeats a rule of the engine.
package trace

import (
	"fmt"
	"maps"
	"time"

	"bootpath/sim/blob"
)

// Kind names what happened, "area.verb-object": "grub.load-kernel". It is also the key of the step's
// sentence in content/.
type Kind string

// Stage groups steps; it is the only thing that has a colour on the page.
type Stage string

// The stages of the system path, then those of the container path. Execve is one function on both.
const (
	Firmware   Stage = "firmware"
	Bootloader Stage = "bootloader"
	Kernel     Stage = "kernel"
	Initramfs  Stage = "initramfs"
	Init       Stage = "init"
	Userspace  Stage = "userspace" // services

	Resolve Stage = "resolve" // which image, which platform, which layers
	Create  Stage = "create"  // runtime config, clone, unshare, cgroup
	Mounts  Stage = "mounts"  // mounts, pivot_root
	Exec    Stage = "exec"    // credentials, seccomp, execve
	Process Stage = "process" // the program runs
)

// Step is one thing that happened.
type Step struct {
	Seq     int               `json:"seq"`
	At      time.Duration     `json:"at"`    // virtual time since power-on or `docker run`, nanoseconds
	Actor   string            `json:"actor"` // "firmware", "grub", "linux", "systemd[1]", "runc:[2:INIT]"
	Stage   Stage             `json:"stage"`
	Kind    Kind              `json:"kind"`
	Args    map[string]string `json:"args,omitempty"`    // values for the sentence
	Console string            `json:"console,omitempty"` // what a real screen or serial port would show, with its newlines
	Cause   int               `json:"cause"`             // the step that led here; -1 at the start
	Cites   []blob.Cite       `json:"cites,omitempty"`   // the bytes that decided it
	Rule    string            `json:"rule,omitempty"`    // and the clause: "pivot_root(2) EINVAL"
	Assumed []*Reason         `json:"assumed,omitempty"` // what cannot be known and was taken to be well on the way here
	Changes []Change          `json:"changes,omitempty"`
}

// Table names one of the state tables.
type Table string

// The tables. A row's fields are named in docs/json.md.
const (
	Processes  Table = "processes"
	Mounted    Table = "mounts"
	Namespaces Table = "namespaces"
	Memory     Table = "memory"
	Devices    Table = "devices"
	CPU        Table = "cpu"
	Cgroups    Table = "cgroups"
	Units      Table = "units"
	Variables  Table = "variables" // of the bootloader
)

// Row holds a row's fields.
type Row map[string]string

// Change replaces one row of a table: Before is nil when the row is new, After when it goes.
type Change struct {
	Table  Table  `json:"table"`
	ID     string `json:"id"`
	Before Row    `json:"before,omitempty"`
	After  Row    `json:"after,omitempty"`
}

// Verdict is the three-valued answer.
type Verdict string

const (
	Works   Verdict = "works"
	Stops   Verdict = "stops"
	Unknown Verdict = "unknown"
)

// Outcome is how a run ended.
type Outcome struct {
	Verdict  Verdict `json:"verdict"`
	Stage    Stage   `json:"stage"`
	Message  string  `json:"message"`             // the real program's words
	Step     int     `json:"step"`                // the step that decided it
	ExitCode *int    `json:"exit_code,omitempty"` // what the engine's command exits with, where it does
	Unknown  *Reason `json:"unknown,omitempty"`   // for Unknown: what would have to be known
	Missing  string  `json:"missing,omitempty"`   // the same in English: the command writes it, the engine knows no language
}

// Trace is a whole run.
type Trace struct {
	Steps   []Step  `json:"steps"`
	Outcome Outcome `json:"outcome"`
}

// State is the tables at one moment.
type State map[Table]map[string]Row

// Apply makes the changes of a step.
func (s State) Apply(st Step) {
	for _, c := range st.Changes {
		t := s[c.Table]
		if t == nil {
			t = map[string]Row{}
			s[c.Table] = t
		}
		if c.After == nil {
			delete(t, c.ID)
		} else {
			t[c.ID] = c.After
		}
	}
}

// Revert undoes the changes of a step.
func (s State) Revert(st Step) {
	for i := len(st.Changes) - 1; i >= 0; i-- {
		c := st.Changes[i]
		if c.Before == nil {
			delete(s[c.Table], c.ID)
		} else {
			s[c.Table][c.ID] = c.Before
		}
	}
}

// At folds the state after step n.
func (t *Trace) At(n int) State {
	s := State{}
	for i := 0; i <= n && i < len(t.Steps); i++ {
		s.Apply(t.Steps[i])
	}
	return s
}

// Check states what holds for every trace: numbers run on, time never goes back, causes precede,
// Before is what the tables held, citations lie inside their blobs, and the outcome names a step.
func (t *Trace) Check(size func(blob string) (int64, bool)) error {
	state := State{}
	var at time.Duration
	for i, st := range t.Steps {
		switch {
		case st.Seq != i:
			return fmt.Errorf("step %d: numbered %d", i, st.Seq)
		case st.At < at:
			return fmt.Errorf("step %d %s: at %v, before step %d", i, st.Kind, st.At, i-1)
		case st.Cause >= i || st.Cause < -1 || (i > 0 && st.Cause < 0):
			return fmt.Errorf("step %d %s: cause %d", i, st.Kind, st.Cause)
		case len(st.Cites) == 0 && st.Rule == "":
			return fmt.Errorf("step %d %s: cites no bytes and names no rule", i, st.Kind)
		case st.Stage == "" || st.Actor == "" || st.Kind == "":
			return fmt.Errorf("step %d %q: stage %q, actor %q", i, st.Kind, st.Stage, st.Actor)
		}
		at = st.At
		for _, c := range st.Cites {
			n, ok := size(c.Blob)
			if !ok || c.Off < 0 || c.Len <= 0 || c.Off > n-c.Len {
				return fmt.Errorf("step %d %s: cites %v, outside its blob of %d bytes", i, st.Kind, c.Span, n)
			}
		}
		for _, c := range st.Changes {
			if have := state[c.Table][c.ID]; !maps.Equal(have, c.Before) {
				return fmt.Errorf("step %d %s: %s %s was %v, step says %v", i, st.Kind, c.Table, c.ID, have, c.Before)
			}
			state.Apply(Step{Changes: []Change{c}})
		}
	}
	if o := t.Outcome; o.Step < 0 || o.Step >= len(t.Steps) || o.Verdict == "" || (o.Verdict == Unknown) != (o.Unknown != nil) {
		return fmt.Errorf("outcome %+v of %d steps", o, len(t.Steps))
	}
	return nil
}
