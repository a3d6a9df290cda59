package systemd

import (
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// presetDirs is where presets lie, highest priority first. systemd.preset(5).
var presetDirs = [...]string{"/etc/systemd/system-preset", "/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset", "/lib/systemd/system-preset"}

// presetRule is one line of a preset file.
type presetRule struct {
	enable    bool
	pattern   string
	instances []string
}

// Presets lists the links that a first boot makes: every unit file that the presets enable is enabled as its
// [Install] section says. What they disable is left as it is, which is how systemd is built by default.
func Presets(env Env) []Link {
	l := NewLoader(env)
	p := presets{l: l, host: env.Host, seen: map[string]bool{}}
	rules := l.presetRules()
	var names []string
	for _, d := range l.dirs {
		for name := range d.names {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !ValidName(name) {
			continue
		}
		rule := matching(rules, name)
		if f := l.find(name); !rule.enable || f.state != Loaded || f.id != name {
			continue
		}
		if !IsTemplate(name) || len(rule.instances) == 0 {
			p.enable(name)
			continue
		}
		for _, i := range rule.instances {
			p.enable(instantiate(name, i))
		}
	}
	return p.out
}

// matching is the first rule for a name; "if no rule matches, enable".
func matching(rules []presetRule, name string) presetRule {
	for _, r := range rules {
		if ok, err := path.Match(r.pattern, name); ok && err == nil {
			return r
		}
	}
	return presetRule{enable: true}
}

// presetRules reads all preset files in the order of their names; of two with one name the higher one stands.
func (l *Loader) presetRules() []presetRule {
	byName := map[string]*node{}
	for _, dir := range presetDirs {
		real, err := fsys.Resolve(l.root, dir)
		if err != nil {
			continue
		}
		for _, n := range l.list(real) {
			if strings.HasSuffix(n.name, ".preset") && byName[n.name] == nil {
				byName[n.name] = n
			}
		}
	}
	var files []string
	for name := range byName {
		files = append(files, name)
	}
	slices.Sort(files)
	var out []presetRule
	for _, name := range files {
		for line := range strings.SplitSeq(l.text("/"+byName[name].path), "\n") {
			f := strings.Fields(line)
			if len(f) >= 2 && (f[0] == "enable" || f[0] == "disable") {
				out = append(out, presetRule{f[0] == "enable", f[1], f[2:]})
			}
		}
	}
	return out
}

// text is the content of a small file, "" when it cannot be read.
func (l *Loader) text(p string) string {
	real, err := fsys.Resolve(l.root, p)
	if err != nil {
		return ""
	}
	file, err := fsys.OpenFile(l.root, real)
	if err != nil {
		return ""
	}
	defer file.Close()
	data, err := blob.ReadAll(file, maxFile)
	if err != nil {
		return ""
	}
	return string(data)
}

// presets enables units.
type presets struct {
	l    *Loader
	host Host
	seen map[string]bool
	out  []Link
}

// enable makes the links that the [Install] section of a unit asks for. systemd.unit(5), "[INSTALL] SECTION
// OPTIONS".
func (p *presets) enable(name string) {
	f := p.l.find(name)
	if p.seen[name] || len(p.seen) > maxUnits || f.state != Loaded {
		return
	}
	p.seen[name] = true
	u := &Unit{ID: name, Type: TypeOf(name)}
	for _, n := range append([]*node{f.file}, p.l.dropins([]string{name}, u.Type)...) {
		if file, err := p.l.open(n); err == nil {
			u.Files = append(u.Files, file)
		}
	}
	linked := name
	if IsTemplate(name) {
		// A template is enabled by the instance that it names itself.
		if i := u.setting("Install", "DefaultInstance"); i != "" {
			linked = instantiate(name, i)
		} else {
			linked = ""
		}
	}
	for _, k := range [...]struct{ key, kind string }{{"WantedBy", "wants"}, {"RequiredBy", "requires"}, {"UpheldBy", "upholds"}} {
		p.each(u, k.key, func(by string, cites []blob.Cite) {
			if linked != "" {
				p.link(path.Join(by+"."+k.kind, linked), f.real, cites)
			}
		})
	}
	p.each(u, "Alias", func(alias string, cites []blob.Cite) { p.link(alias, f.real, cites) })
	p.each(u, "Also", func(other string, _ []blob.Cite) { p.enable(other) })
}

// each goes over the unit names of a setting of [Install].
func (p *presets) each(u *Unit, key string, do func(name string, cites []blob.Cite)) {
	for _, a := range u.assignments("Install", key) {
		words, err := splitWords(a.Value, retainEscapes)
		if err != nil {
			continue
		}
		for _, w := range words {
			if w, ok := p.host.expand(u, w); ok && ValidName(w) {
				do(w, a.Cite())
			}
		}
	}
}

func (p *presets) link(name, file string, cites []blob.Cite) {
	p.out = append(p.out, Link{Path: "/etc/systemd/system/" + name, Target: "/" + file, Cites: cites})
}
