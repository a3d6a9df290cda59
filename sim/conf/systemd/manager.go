package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/fsys"
)

// maxUnits bounds how many units one system may load.
const maxUnits = 10_000

// Env is what the manager finds when it starts.
type Env struct {
	Root     fsys.FS
	Cmdline  string   // of the kernel
	Host     Host     // for specifiers
	Consoles []string // /sys/class/tty/console/active: "tty0", "ttyS0"
	TTYs     []string // consoles of virtualizers that exist in /sys/class/tty: "hvc0"
	Active   []string // units that are active before the first job: mounts made by the initramfs, found devices
	EFI      bool
	Initrd   bool     // systemd runs in an initramfs: /etc/initrd-release exists
	Ran      []string // generators that were run already and have written to /run

	Partitions []Partition // of the root disk, when it has a GPT

	Version int // of systemd: 252; 0 when not known

	// Parse reads a unit file of Root; nil is [Parse]. It may know the file from an earlier run.
	Parse func(f fsys.File, path string) (*File, error)
}

// Manager holds all units and jobs.
type Manager struct {
	Env    Env
	Notes  []string // generators whose work is not modelled, and the like
	loader *Loader
	units  map[string]*Unit // by every name
	all    []*Unit          // in the order in which they were met
	queue  []*Unit          // to be loaded
	mounts []mountUse
	full   bool

	jobs  map[*Unit]*Job
	ready runQueue
	seq   int
}

// mountUse is a path that must be mounted for a unit.
type mountUse struct {
	u    *Unit
	path string
	why  Reason
}

// NewManager reads the unit directories and runs the generators. Nothing is loaded yet but the units
// that always exist.
func NewManager(env Env) *Manager {
	m := &Manager{Env: env, loader: NewLoader(env), units: map[string]*Unit{}, jobs: map[*Unit]*Job{}}
	if len(env.Ran) > 0 {
		m.loader.fillRun()
	}
	m.generate()
	for _, id := range []string{"-.slice", "system.slice", "init.scope", "-.mount"} {
		m.Get(id).perpetual = true // the manager makes these itself: systemd.special(7)
	}
	for _, id := range env.Active {
		m.Get(id)
	}
	m.load()
	for _, id := range append([]string{"-.slice", "system.slice", "init.scope"}, env.Active...) {
		if u := m.Get(id); u != nil {
			u.State = Active
		}
	}
	return m
}

// Get returns the unit of a name, nil when the name is none. Load it with [Manager.Load].
func (m *Manager) Get(name string) *Unit {
	if u := m.units[name]; u != nil {
		return u
	}
	if !ValidName(name) || IsTemplate(name) {
		return nil
	}
	if len(m.all) >= maxUnits {
		if len(m.all) == maxUnits && !m.full {
			m.full, m.Notes = true, append(m.Notes, fmt.Sprintf("units beyond the first %d", maxUnits))
		}
		return nil
	}
	f := m.loader.find(name)
	if f.id != name {
		if u := m.units[f.id]; u != nil {
			m.units[name] = u
			return u
		}
	}
	u := &Unit{ID: f.id, Type: TypeOf(f.id), Load: f.state, Links: f.links, State: Inactive, defaultDeps: true, OnFailureMode: Replace}
	u.Names = m.loader.aliases(f.id)
	if !slices.Contains(u.Names, name) {
		u.Names = append(u.Names, name)
	}
	for _, n := range u.Names {
		m.units[n] = u
	}
	m.all = append(m.all, u)
	m.queue = append(m.queue, u)
	m.read(u, f)
	return u
}

// Load returns the unit of a name with everything it refers to.
func (m *Manager) Load(name string) *Unit {
	u := m.Get(name)
	m.load()
	return u
}

// Units lists every unit that was met, sorted by name.
func (m *Manager) Units() []*Unit {
	out := slices.Clone(m.all)
	slices.SortFunc(out, func(a, b *Unit) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// read opens the files of a unit.
func (m *Manager) read(u *Unit, f found) {
	if f.err != nil {
		u.Error = f.err.Error()
	}
	if f.state == Masked || f.state == LoadError {
		return
	}
	nodes := m.loader.dropins(u.Names, u.Type)
	if f.file != nil {
		u.Fragment = "/" + f.file.path
		nodes = append([]*node{f.file}, nodes...)
	}
	for _, n := range nodes {
		file, err := m.loader.open(n)
		switch {
		case err == nil:
			u.Files = append(u.Files, file)
			for _, note := range file.Notes {
				u.Notes = append(u.Notes, fmt.Sprintf("%s:%d: %s", file.Path, note.Line, note.Text))
			}
		case n == f.file:
			u.Load, u.Error = LoadError, err.Error()
			if errors.Is(err, fs.ErrNotExist) {
				u.Load = NotFound
			}
		}
	}
	if u.Load == NotFound && m.ownUnit(u) {
		u.Load = Loaded
	}
}

// ownUnit tells whether a unit exists without a file: devices come from udev, slices need no file
// (systemd.slice(5)), the root mount and init.scope are made by the manager.
func (m *Manager) ownUnit(u *Unit) bool {
	switch u.Type {
	case "slice", "device":
		return true
	case "scope":
		return u.ID == "init.scope"
	case "mount":
		return u.ID == "-.mount" || slices.Contains(m.Env.Active, u.ID)
	}
	return false
}

// load works until nothing that was met is left to load, then adds the dependencies that need both
// ends: mounts below which units live, and targets after what they want.
func (m *Manager) load() {
	var batch []*Unit
	var below []mountEdge
	for len(m.queue) > 0 || len(m.mounts) > 0 {
		for len(m.queue) > 0 {
			u := m.queue[0]
			m.queue = m.queue[1:]
			batch = append(batch, u)
			if u.Load == Loaded {
				m.settings(u)
			}
		}
		for _, use := range m.mounts {
			below = append(below, m.mountsAbove(use)...)
		}
		m.mounts = nil
	}
	// systemd.unit(5) RequiresMountsFor=: After= in any case, Requires= when the mount unit has a file.
	for _, e := range below {
		if e.mount.Load == Loaded {
			e.u.add(After, e.mount, e.why)
			if e.mount.Fragment != "" {
				e.u.add(Requires, e.mount, e.why)
			}
		}
	}
	for _, u := range batch {
		m.targetDeps(u)
	}
}

// mountEdge is a unit that lives below a mount.
type mountEdge struct {
	mountUse
	mount *Unit
}

// mountsAbove finds the mount units on the way to a path that exist.
func (m *Manager) mountsAbove(use mountUse) []mountEdge {
	var out []mountEdge
	for p := use.path; ; p = path.Dir(p) {
		if len(p) <= maxName {
			name := NameForPath(p, "mount")
			if m.units[name] != nil || m.loader.find(name).state == Loaded {
				if mu := m.Get(name); mu != nil && mu != use.u {
					out = append(out, mountEdge{use, mu})
				}
			}
		}
		if p == "/" || p == "." {
			return out
		}
	}
}

// targetDeps orders targets after what they pull in. systemd.target(5), "Default Dependencies".
func (m *Manager) targetDeps(u *Unit) {
	for _, d := range []Dep{Requires, Requisite, Wants, BindsTo} {
		if u.Type == "target" {
			for _, e := range slices.Clone(u.deps[d]) {
				targetAfter(u, e.To)
			}
		}
		for _, e := range slices.Clone(u.deps[d.inverse()]) {
			targetAfter(e.To, u)
		}
	}
}

func targetAfter(target, u *Unit) {
	if target.Type != "target" || target.Load != Loaded || u.Load != Loaded || !target.defaultDeps || !u.defaultDeps {
		return
	}
	if _, before := target.Has(Before, u); !before {
		target.add(After, u, Reason{Rule: "systemd.target(5) default dependencies"})
	}
}

// depend adds a dependency by name.
func (m *Manager) depend(u *Unit, name string, why Reason, deps ...Dep) {
	o := m.Get(name)
	if o == nil {
		return
	}
	for _, d := range deps {
		u.add(d, o, why)
	}
}
