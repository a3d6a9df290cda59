// Package openrc reads OpenRC's services and works out in which order a runlevel starts them: openrc-run(8),
// rc(8), and Debian's addition that init scripts of the LSB count as services too.
//
// A service is a shell script. What it says of itself stands in a function depend() and in assignments;
// both are read here without running anything. What hangs on a condition is reported, not decided.
package openrc

import (
	"path"
	"slices"
	"strings"

	"bootpath/sim/conf/lsb"
	"bootpath/sim/conf/sh"
)

// Service is one script of /etc/init.d.
type Service struct {
	Name        string
	Off, End    int    // the bytes that say what it depends on: depend() or the LSB block
	LSB         bool   // an init script with an LSB block, which openrc-run calls with "start"
	Description string // from description= or Short-Description
	Label       string // name=, else the service's name
	Command     string // command=, which start() would run when the script has no start() of its own
	Start       *sh.Func
	Need        []string
	Use         []string
	Want        []string
	After       []string
	Before      []string
	Provide     []string
	Keyword     []string
	Unsure      []string // calls in depend() whose arguments or conditions only a run decides
}

// Parse reads a script. ok is false when it is neither OpenRC's nor has an LSB block; err is a script
// that cannot be read as shell.
func Parse(name, text string, f lsb.Facilities) (s *Service, ok bool, err error) {
	if h, ok := lsb.Parse(text); ok {
		return fromLSB(name, h, f), true, nil
	}
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 || path.Base(words[0]) != "openrc-run" && path.Base(words[0]) != "runscript" {
		return nil, false, nil
	}
	s = &Service{Name: name, Label: name}
	script, err := sh.Parse(text)
	if err != nil {
		return nil, true, err
	}
	for _, st := range script.Body {
		switch n := st.Node.(type) {
		case *sh.Func:
			s.function(n)
		case *sh.Simple:
			s.assign(n)
		}
	}
	return s, true, nil
}

func (s *Service) function(n *sh.Func) {
	switch n.Name {
	case "start":
		s.Start = n
	case "depend":
		s.Off, s.End = n.Off, n.End
		if g, ok := n.Body.(*sh.Group); ok {
			for _, st := range g.Body {
				s.depend(st.Node, true)
			}
		}
	}
}

func (s *Service) assign(n *sh.Simple) {
	if len(n.Words) > 0 {
		return
	}
	for _, a := range n.Assigns {
		v, ok := a.Value.Literal()
		if !ok {
			continue
		}
		switch a.Name {
		case "description":
			s.Description = v
		case "name":
			s.Label = v
		case "command":
			s.Command = v
		}
	}
}

// depend takes one command of depend(); only what runs in any case and is literal counts.
func (s *Service) depend(n sh.Node, always bool) {
	c, ok := n.(*sh.Simple)
	if !ok {
		sh.Walk([]sh.Stmt{{Node: n}}, func(c *sh.Simple) { s.depend(c, false) })
		return
	}
	if len(c.Words) == 0 {
		return
	}
	kind, _ := c.Words[0].Literal()
	to := map[string]*[]string{"need": &s.Need, "use": &s.Use, "want": &s.Want, "after": &s.After, "before": &s.Before, "provide": &s.Provide, "keyword": &s.Keyword}[kind]
	if to == nil {
		return
	}
	for _, w := range c.Words[1:] {
		text, literal := w.Literal()
		if !literal || !always {
			s.Unsure = append(s.Unsure, strings.TrimSpace(kind+" "+text))
			continue
		}
		*to = append(*to, strings.Fields(text)...)
	}
}

// fromLSB is Debian's lsb2rcconf: Provides, Required-Start, Should-Start, X-Start-Before.
func fromLSB(name string, h lsb.Header, f lsb.Facilities) *Service {
	s := &Service{Name: name, Label: name, LSB: true, Off: h.Off, End: h.End, Description: h.ShortDescription}
	for _, p := range h.Provides {
		if p != name {
			s.Provide = append(s.Provide, p)
		}
	}
	for _, w := range h.RequiredStart {
		if w == "$all" {
			s.After = append(s.After, "*")
			continue
		}
		for _, m := range f.Expand(w) {
			if m.Optional {
				s.Use = append(s.Use, m.Name)
			} else {
				s.Need = append(s.Need, m.Name)
			}
		}
	}
	for _, w := range h.ShouldStart {
		for _, m := range f.Expand(w) {
			s.Use = append(s.Use, m.Name)
		}
	}
	for _, w := range h.StartBefore {
		for _, m := range f.Expand(w) {
			s.Before = append(s.Before, m.Name)
		}
	}
	return s
}

// Has tells whether a keyword excludes the service on this kind of system, as "keyword -docker" does.
func (s *Service) Has(keyword string) bool { return slices.Contains(s.Keyword, keyword) }

// Settings are the literal top-level assignments of rc.conf or of a file in conf.d.
func Settings(text string) (map[string]string, error) {
	script, err := sh.Parse(text)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, st := range script.Body {
		if c, ok := st.Node.(*sh.Simple); ok && len(c.Words) == 0 {
			for _, a := range c.Assigns {
				if v, ok := a.Value.Literal(); ok {
					out[a.Name] = v
				}
			}
		}
	}
	return out, nil
}

// Yes is rc_conf_yesno.
func Yes(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "y", "true", "on", "1":
		return true
	}
	return false
}

// Tree is the dependency tree of all services.
type Tree struct {
	services map[string]*Service
	before   map[string][]string // who must come before a service, from others' before lists
	names    []string
}

// NewTree links the services of /etc/init.d.
func NewTree(list []*Service) *Tree {
	t := &Tree{services: map[string]*Service{}, before: map[string][]string{}}
	for _, s := range list {
		t.services[s.Name] = s
		t.names = append(t.names, s.Name)
	}
	slices.Sort(t.names)
	for _, n := range t.names {
		for _, b := range t.services[n].Before {
			for _, p := range t.Providers(b) {
				t.before[p] = append(t.before[p], n)
			}
		}
	}
	return t
}

// Service finds a service by its own name.
func (t *Tree) Service(name string) *Service { return t.services[name] }

// Providers are the services that a name in a dependency stands for: the service itself or all that
// provide it.
func (t *Tree) Providers(name string) []string {
	if t.services[name] != nil {
		return []string{name}
	}
	var out []string
	for _, n := range t.names {
		if slices.Contains(t.services[n].Provide, name) {
			out = append(out, n)
		}
	}
	return out
}

// Start is a service that a runlevel starts.
type Start struct {
	*Service
	By      string   // who needs or wants it when the runlevel does not list it
	Missing []string // what it needs that nothing provides
}

// Order lists what a runlevel starts, each after what it depends on: rc_deptree_order. listed are the
// services of the runlevel, running those that already run. What is needed or wanted is started too; use
// and after only order what is started anyway. Services that do not depend on one another keep the order
// of listed.
func (t *Tree) Order(listed, running []string) []Start {
	var out []Start
	state := map[string]int{} // 1 being visited, 2 done
	for _, r := range running {
		state[r] = 2
	}
	var visit func(name, by string)
	visit = func(name, by string) {
		s := t.services[name]
		if s == nil || state[name] != 0 {
			return
		}
		state[name] = 1
		st := Start{Service: s}
		if !slices.Contains(listed, name) {
			st.By = by
		}
		for i, deps := range [...][]string{s.Need, s.Want, s.Use, s.After, t.before[name]} {
			for _, d := range deps {
				if d == "*" {
					t.others(listed, name, visit)
					continue
				}
				providers := t.prefer(t.Providers(d), listed, running)
				if i == 0 && len(providers) == 0 {
					st.Missing = append(st.Missing, d)
				}
				for _, p := range providers {
					if i < 2 || slices.Contains(listed, p) {
						visit(p, name)
					}
				}
			}
		}
		state[name] = 2
		out = append(out, st)
	}
	for _, name := range listed {
		visit(name, "")
	}
	return out
}

// others visits all listed services that do not come after everything themselves: "after *".
func (t *Tree) others(listed []string, name string, visit func(name, by string)) {
	for _, o := range listed {
		if s := t.services[o]; o != name && s != nil && !slices.Contains(s.After, "*") {
			visit(o, name)
		}
	}
}

// prefer keeps, of several providers, those that the runlevel lists or that run already: get_provided.
func (t *Tree) prefer(providers, listed, running []string) []string {
	if len(providers) < 2 {
		return providers
	}
	var out []string
	for _, p := range providers {
		if slices.Contains(listed, p) || slices.Contains(running, p) {
			out = append(out, p)
		}
	}
	if len(out) > 0 {
		return out
	}
	return providers[:1]
}
