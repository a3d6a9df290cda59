package systemd

import (
	"slices"
	"strings"

	"bootpath/sim/blob"
)

// Dep is a kind of dependency between two units. Each has an inverse that the other unit gets.
type Dep uint8

// The dependencies of systemd.unit(5), then their inverses.
const (
	Requires Dep = iota
	Requisite
	Wants
	BindsTo
	PartOf
	Upholds
	Conflicts
	Before
	OnFailure
	OnSuccess
	Triggers
	PropagatesReloadTo
	PropagatesStopTo

	RequiredBy
	RequisiteOf
	WantedBy
	BoundBy
	ConsistsOf
	UpheldBy
	ConflictedBy
	After
	OnFailureOf
	OnSuccessOf
	TriggeredBy
	ReloadPropagatedFrom
	StopPropagatedFrom

	nDeps
)

var depNames = [nDeps]string{
	"Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "Conflicts", "Before", "OnFailure", "OnSuccess",
	"Triggers", "PropagatesReloadTo", "PropagatesStopTo",
	"RequiredBy", "RequisiteOf", "WantedBy", "BoundBy", "ConsistsOf", "UpheldBy", "ConflictedBy", "After", "OnFailureOf",
	"OnSuccessOf", "TriggeredBy", "ReloadPropagatedFrom", "StopPropagatedFrom",
}

func (d Dep) String() string { return depNames[d] }

func (d Dep) inverse() Dep { return (d + nDeps/2) % nDeps }

// Reason is why a dependency or a job is there: an assignment, a link, or a rule of a manual page.
type Reason struct {
	Rule  string // "systemd.unit(5) Wants=", "systemd.service(5) default dependencies"
	File  *File  // where the assignment stands
	Entry Entry
	Link  *Link
}

// Cites returns the bytes behind the reason; none for a rule that needs no setting, and for no reason.
func (r *Reason) Cites() []blob.Cite {
	switch {
	case r == nil:
	case r.Link != nil:
		return r.Link.Cites
	case r.File != nil:
		return r.File.Cite(r.Entry)
	}
	return nil
}

// String is "Wants=cron.service in /etc/…", a link, or the rule.
func (r *Reason) String() string {
	switch {
	case r.Link != nil:
		return r.Link.Path + " → " + r.Link.Target
	case r.File != nil:
		return r.File.Path + ": " + r.Entry.Key + "=" + r.Entry.Value
	}
	return r.Rule
}

// Edge is one dependency.
type Edge struct {
	To  *Unit
	Why *Reason // nil where nothing is to be cited
}

// Unit is a unit that some name led to, whether or not a file was found.
type Unit struct {
	ID    string   // the primary name
	Names []string // all names, ID first
	Type  string   // "service"
	Load  LoadState
	Error string // for bad-setting: systemd's words

	Description string
	Fragment    string // path of the main file, "" when there is none
	SourcePath  string // SourcePath=: what a generator made it from
	Files       []*File
	Links       []Link // aliases that led here
	Notes       []string

	Conditions, Asserts []Condition
	JobTimeout          string // JobTimeoutSec=, since the job was queued
	JobRunningTimeout   string // JobRunningTimeoutSec=, since it runs; "" for the type's default
	OnFailureMode       JobMode
	OnSuccessMode       JobMode
	RefuseManualStart   bool
	StopWhenUnneeded    bool
	IgnoreOnIsolate     bool
	AllowIsolate        bool

	Service *Service
	Socket  *Socket
	Mount   *Mount

	State State // what it is doing, kept by the manager

	defaultDeps bool
	slice       string
	perpetual   bool
	deps        [nDeps][]Edge
	job         *Job
}

// State is a unit's active state.
type State string

// The active states of systemctl.
const (
	Inactive   State = "inactive"
	Activating State = "activating"
	Active     State = "active"
	Failed     State = "failed"
)

// Service holds what systemd.service(5) adds.
type Service struct {
	Type            string // simple exec forking oneshot dbus notify notify-reload idle
	RemainAfterExit bool
	BusName         string
	Restart         string
	TimeoutStart    string
	Condition, Pre  []Command // ExecCondition=, ExecStartPre=
	Start, Post     []Command
	TTYPath         string
	StandardInput   string
	Sockets         []string
	User            string
}

// Command is one ExecStart= line.
type Command struct {
	Path          string
	Argv          []string
	IgnoreFailure bool // prefix "-"
	File          *File
	Entry         Entry
}

// Socket holds what systemd.socket(5) adds.
type Socket struct {
	Accept  bool
	Service string // the unit that is started by traffic
	Listen  []string
}

// Mount holds what systemd.mount(5), systemd.automount(5) and systemd.swap(5) add.
type Mount struct {
	What, Where, FSType, Options string
	LazyUnmount                  bool
	File                         *File // where What= stands
	Entry                        Entry
}

// Condition is one Condition…= or Assert…= line. systemd.unit(5), "CONDITIONS AND ASSERTS".
type Condition struct {
	Assert          bool
	Kind            string // "PathExists"
	Param           string // specifiers resolved
	Trigger, Negate bool
	File            *File
	Entry           Entry
}

// String is the form in which systemd names it: "ConditionPathExists=!/x".
func (c Condition) String() string {
	s := "Condition"
	if c.Assert {
		s = "Assert"
	}
	s += c.Kind + "="
	if c.Trigger {
		s += "|"
	}
	if c.Negate {
		s += "!"
	}
	return s + c.Param
}

// Deps lists the dependencies of one kind, sorted by name.
func (u *Unit) Deps(d Dep) []Edge { return u.deps[d] }

// Has tells whether u has the dependency on other, and why.
func (u *Unit) Has(d Dep, other *Unit) (Reason, bool) {
	i, ok := u.search(d, other.ID)
	if !ok {
		return Reason{}, false
	}
	return *u.deps[d][i].Why, true
}

func (u *Unit) search(d Dep, id string) (int, bool) {
	return slices.BinarySearchFunc(u.deps[d], id, func(e Edge, id string) int { return strings.Compare(e.To.ID, id) })
}

// add makes a dependency and its inverse; the first reason stands.
func (u *Unit) add(d Dep, other *Unit, why Reason) {
	if other == u {
		return // "Dependency … dropped" on itself
	}
	for _, x := range [2]struct {
		u, o *Unit
		d    Dep
	}{{u, other, d}, {other, u, d.inverse()}} {
		if i, ok := x.u.search(x.d, x.o.ID); !ok {
			x.u.deps[x.d] = slices.Insert(x.u.deps[x.d], i, Edge{x.o, &why})
		}
	}
}

// Setting returns the last assignment of a key, with the file it stands in.
func (u *Unit) Setting(section, key string) (Entry, *File, bool) {
	for _, f := range slices.Backward(u.Files) {
		for _, e := range slices.Backward(f.Entries) {
			if e.Section == section && e.Key == key {
				return e, f, true
			}
		}
	}
	return Entry{}, nil, false
}

// setting is the last value of a key, "" when there is none.
func (u *Unit) setting(section, key string) string {
	e, _, _ := u.Setting(section, key)
	return e.Value
}

// flag is a boolean setting; a value that is no boolean is ignored.
func (u *Unit) flag(section, key string, otherwise bool) bool {
	if v, ok := ParseBool(u.setting(section, key)); ok {
		return v
	}
	return otherwise
}

// Flag is a boolean setting that is off where it is not set.
func (u *Unit) Flag(section, key string) bool { return u.flag(section, key, false) }

// Assignments lists the assignments of a key in order; an empty one drops those before.
func (u *Unit) Assignments(section, key string) []Assignment { return u.assignments(section, key) }

// assignments lists the assignments of a key in order; an empty one drops those before.
func (u *Unit) assignments(section, key string) []Assignment {
	var out []Assignment
	for _, f := range u.Files {
		for _, e := range f.Entries {
			if e.Section != section || e.Key != key {
				continue
			}
			if e.Value == "" {
				out = nil
				continue
			}
			out = append(out, Assignment{e, f})
		}
	}
	return out
}

// Assignment is one line of a unit file with the file it stands in.
type Assignment struct {
	Entry
	file *File
}

// Cite returns the bytes of the assignment.
func (a Assignment) Cite() []blob.Cite { return a.file.Cite(a.Entry) }

// Label is the unit as status lines name it; format is StatusUnitFormat= of systemd-system.conf(5).
func (u *Unit) Label(format string) string {
	switch {
	case format == "name" || u.Description == "" || u.Description == u.ID:
		return u.ID
	case format == "combined":
		return u.ID + " - " + u.Description
	}
	return u.Description
}

// Environment lists NAME=VALUE pairs that a service's programs get. systemd.exec(5) Environment=.
func (u *Unit) Environment() []string {
	var out []string
	for _, a := range u.assignments("Service", "Environment") {
		words, err := splitWords(a.Value, cUnescape)
		if err == nil {
			out = append(out, words...)
		}
	}
	return out
}
