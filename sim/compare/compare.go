// Package compare puts two images, or one image under two settings, beside each other. The table has a row
// for each dimension in which system and application images differ, filled with facts of these two files,
// each with its evidence; a fact that nothing in the file decides says what would have to be known. Two runs
// of one kind are aligned step by step, and the place where they part is named.
//
// No sentence for people is made here: a finding names a key of content/messages/compare.*.json and values.
package compare

import (
	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Side is one image as it was opened and as it started.
type Side struct {
	Image    *identify.Image
	Run      *trace.Trace // nil when nothing starts such a file
	Facts    scenario.Facts
	Settings scenario.RunSettings
}

// ComparedRow is one dimension of the table.
type ComparedRow struct {
	Dimension string  `json:"dimension"` // purpose | outcome | kernel | start | init | process | isolation | size | portability | architecture | persistence | format | length
	Left      Finding `json:"left"`
	Right     Finding `json:"right"`
}

// Finding is one cell: a fact about one file.
type Finding struct {
	Key     string            `json:"key"`               // of its sentence: "compare.kernel-inside"
	Value   string            `json:"value"`             // the fact in few characters and no language; "" when there is none
	Args    map[string]string `json:"args,omitempty"`    // values for the sentence
	Unknown *trace.Reason     `json:"unknown,omitempty"` // what would have to be known, when the fact cannot be
	Missing string            `json:"missing,omitempty"` // the same in English, as in [trace.Outcome]
	Step    *int              `json:"step,omitempty"`    // of this side's run, where it shows
	Rule    string            `json:"rule,omitempty"`
	Cites   []blob.Cite       `json:"cites,omitempty"` // the bytes that say so
}

// dimension is a row's name and how a side is asked.
type dimension struct {
	name string
	find func(Side) Finding
}

// Table compares two images.
func Table(left, right Side) []ComparedRow {
	rows := []ComparedRow{}
	for _, d := range []dimension{
		{"purpose", purpose}, {"outcome", outcome}, {"kernel", kernel}, {"start", start}, {"init", initProgram},
		{"process", firstProcess}, {"isolation", isolation}, {"size", size}, {"portability", portability},
		{"architecture", architecture}, {"persistence", persistence}, {"format", format}, {"length", length},
	} {
		rows = append(rows, ComparedRow{d.name, d.find(left), d.find(right)})
	}
	return rows
}

// CommonStep is where both paths meet: the execve that makes the first process what it stays.
type CommonStep struct {
	LeftStep  int `json:"left_step"`
	RightStep int `json:"right_step"`
}

// Meet finds the execve of both sides, one function of the simulated kernel; nil when a run does not get there.
func Meet(left, right Side) *CommonStep {
	l, r := Execve(left.Run), Execve(right.Run)
	if l < 0 || r < 0 {
		return nil
	}
	return &CommonStep{l, r}
}

// Execve is the last successful execve of the process that is number 1 of the machine or of the container;
// -1 when there is none.
func Execve(t *trace.Trace) int {
	found := -1
	if t == nil {
		return found
	}
	// The host of a container has a process 1 of its own, which never calls execve in a run.
	for _, st := range t.Steps {
		if st.Kind != "kernel.execve" || st.Args["result"] != "0" {
			continue
		}
		for _, c := range st.Changes {
			if c.Table == trace.Processes && c.After["ns_pid"] == "1" {
				found = st.Seq
			}
		}
	}
	return found
}

// OneKind tells whether both runs go the same way, so that their steps can be aligned.
func OneKind(left, right Side) bool {
	return left.Run != nil && right.Run != nil && left.onHost() == right.onHost()
}

// FileSystems lists what can hold files: the volumes of a disk, or the tree that the run started from.
func (s Side) FileSystems() []fsys.FS {
	if s.Image.Disk == nil {
		if root := s.root(); root != nil {
			return []fsys.FS{root}
		}
		return nil
	}
	var out []fsys.FS
	for _, v := range s.Image.Disk.Volumes {
		if v.FS != nil {
			out = append(out, v.FS)
		}
	}
	return out
}

// Patchable names the blob that byte patches of settings apply to.
func (s Side) Patchable() string {
	if s.Image.Disk != nil {
		return s.Image.Disk.Name
	}
	return s.Image.Stored().Name()
}
