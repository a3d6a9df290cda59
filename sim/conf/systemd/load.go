package systemd

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// SearchPath lists the directories of unit files of the system manager, highest priority first, as
// far as an image can have content in them. systemd.unit(5), table 1. "/lib" is the place of systems
// whose /usr is not merged.
var searchPath = [...]string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
	generatorEarly, "/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system",
	"/run/systemd/system.attached", generator, "/usr/local/lib/systemd/system", "/lib/systemd/system",
	"/usr/lib/systemd/system", generatorLate,
}

const (
	generatorEarly = "/run/systemd/generator.early"
	generator      = "/run/systemd/generator"
	generatorLate  = "/run/systemd/generator.late"

	maxUnitFiles = 20_000 // names in all directories together
)

// node is one name in a directory of unit files.
type node struct {
	name   string
	path   string // in the image, io/fs form; of a generated file, as it would lie under run/
	target string // of a symbolic link
	gen    *generated
	masks  *bool // what Loader.masks found
}

func (n *node) isLink() bool { return n.target != "" }

// generated is a unit file or link that a generator writes at boot.
type generated struct {
	text string
	from []blob.Cite
}

// unitDir is one directory of the search path.
type unitDir struct {
	path  string // resolved, io/fs form
	names map[string]*node
	links map[string]bool    // of names, those that are symbolic links
	subs  map[string][]*node // content of "x.wants", "x.service.d" …, sorted by name
}

// Loader finds unit files. It reads the directories once.
type Loader struct {
	root  fsys.FS
	parse func(f fsys.File, path string) (*File, error)
	dirs  []*unitDir
	left  int
	// What find and linksTo answered. Whoever adds a file forgets it.
	seen  map[string]found
	byEnd map[string]map[string][]string
	// owners are the units that have any directory of drop-ins or dependencies: most have none.
	owners map[string]bool
}

// NewLoader reads the directories of unit files of a system.
func NewLoader(env Env) *Loader {
	root, parse := env.Root, env.Parse
	if parse == nil {
		parse = func(f fsys.File, path string) (*File, error) { return Parse(f, path) }
	}
	l := &Loader{root: root, parse: parse, left: maxUnitFiles, owners: map[string]bool{}}
	l.forget()
	for _, p := range searchPath {
		at := strings.TrimPrefix(p, "/")
		// /run is a fresh tmpfs by the time systemd looks; what an image keeps there is covered.
		if !strings.HasPrefix(p, "/run/") {
			real, err := fsys.Resolve(root, p)
			if err != nil {
				continue
			}
			at = real
		}
		if slices.ContainsFunc(l.dirs, func(d *unitDir) bool { return d.path == at }) {
			continue // /lib is a link to /usr/lib
		}
		d := &unitDir{path: at, names: map[string]*node{}, links: map[string]bool{}, subs: map[string][]*node{}}
		l.dirs = append(l.dirs, d)
		if strings.HasPrefix(p, "/run/") {
			continue
		}
		l.fill(d)
	}
	return l
}

// fill reads one directory of the search path.
func (l *Loader) fill(d *unitDir) {
	for _, n := range l.list(d.path) {
		d.names[n.name] = n
		if n.isLink() {
			d.links[n.name] = true
		}
	}
	for name, n := range d.names {
		if isUnitSubdir(name) && !n.isLink() {
			d.subs[name] = l.list(n.path)
			l.owners[owner(name)] = true
			delete(d.names, name)
			delete(d.links, name)
		}
	}
}

// fillRun reads what generators that were run left in /run.
func (l *Loader) fillRun() {
	l.forget()
	for _, d := range l.dirs {
		if strings.HasPrefix(d.path, "run/systemd/generator") {
			l.fill(d)
		}
	}
}

// forget drops what was found: another file may lead elsewhere.
func (l *Loader) forget() {
	l.seen, l.byEnd = map[string]found{}, map[string]map[string][]string{}
}

// owner is the unit that "x.wants" or "x.d" belongs to.
func owner(dir string) string { return strings.TrimSuffix(dir, path.Ext(dir)) }

func isUnitSubdir(name string) bool {
	switch path.Ext(name) {
	case ".d", ".wants", ".requires", ".upholds":
		return true
	}
	return false
}

// list reads a directory, sorted by name.
func (l *Loader) list(dir string) []*node {
	entries, err := l.root.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []*node
	for _, e := range entries {
		if l.left--; l.left < 0 {
			break
		}
		n := &node{name: e.Name(), path: path.Join(dir, e.Name())}
		if e.Type()&fs.ModeSymlink != 0 {
			if n.target, err = l.root.ReadLink(n.path); err != nil || n.target == "" {
				continue
			}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	return out
}

// generate adds a file that a generator writes; the first one of a name stands.
func (l *Loader) generate(dir, name, text string, from []blob.Cite) {
	l.forget()
	n := &node{name: name, path: strings.TrimPrefix(path.Join(dir, name), "/"), gen: &generated{text, from}}
	for _, d := range l.dirs {
		if "/"+d.path == dir {
			if d.names[name] == nil {
				d.names[name] = n
			}
			return
		}
	}
}

// generateDropin adds "unit.d/name.conf".
func (l *Loader) generateDropin(dir, unit, name, text string, from []blob.Cite) {
	l.sub(dir, unit+".d", &node{name: name, path: strings.TrimPrefix(path.Join(dir, unit+".d", name), "/"), gen: &generated{text, from}})
}

// generateLink adds "unit.wants/name" or "unit.requires/name".
func (l *Loader) generateLink(dir, unit, kind, name string, from []blob.Cite) {
	l.sub(dir, unit+"."+kind, &node{name: name, path: strings.TrimPrefix(path.Join(dir, unit+"."+kind, name), "/"),
		target: path.Join(dir, name), gen: &generated{from: from}})
}

// generateAlias adds the link "name" to another unit file.
func (l *Loader) generateAlias(dir, name, target string, from []blob.Cite) {
	l.forget()
	for _, d := range l.dirs {
		if "/"+d.path == dir && d.names[name] == nil {
			d.names[name] = &node{name: name, path: strings.TrimPrefix(path.Join(dir, name), "/"), target: target, gen: &generated{from: from}}
			d.links[name] = true
		}
	}
}

func (l *Loader) sub(dir, name string, n *node) {
	l.owners[owner(name)] = true
	for _, d := range l.dirs {
		if "/"+d.path != dir {
			continue
		}
		list := d.subs[name]
		i, found := slices.BinarySearchFunc(list, n, func(a, b *node) int { return strings.Compare(a.name, b.name) })
		if !found {
			d.subs[name] = slices.Insert(list, i, n)
		}
	}
}

// Generated lists what the generators wrote: unit files, drop-ins and links, sorted by path.
func (m *Manager) Generated() []Link {
	var out []Link
	add := func(n *node) {
		if n.gen != nil {
			out = append(out, Link{Path: "/" + n.path, Target: n.target, Cites: n.gen.from})
		}
	}
	for _, d := range m.loader.dirs {
		for _, n := range d.names {
			add(n)
		}
		for _, list := range d.subs {
			for _, n := range list {
				add(n)
			}
		}
	}
	slices.SortFunc(out, func(a, b Link) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// exists tells whether a unit file of that very name lies in the search path.
func (l *Loader) exists(name string) bool {
	_, n := l.lookup(name)
	return n != nil
}

func (l *Loader) lookup(name string) (*unitDir, *node) {
	for _, d := range l.dirs {
		if n := d.names[name]; n != nil {
			return d, n
		}
	}
	return nil, nil
}

// cite is the evidence that a link exists.
func (l *Loader) cite(n *node) []blob.Cite {
	if n.gen != nil {
		return n.gen.from
	}
	fi, err := l.root.Lstat(n.path)
	if err != nil {
		return nil
	}
	cites := fsys.StatOf(fi).Cites
	return cites[:min(len(cites), 2)]
}

func (l *Loader) link(n *node) Link {
	return Link{Path: "/" + n.path, Target: n.target, Cites: l.cite(n)}
}

// LoadState is what systemctl shows as LoadState.
type LoadState string

const (
	Loaded     LoadState = "loaded"
	NotFound   LoadState = "not-found"
	Masked     LoadState = "masked"
	BadSetting LoadState = "bad-setting"
	LoadError  LoadState = "error"
)

// found is where a name leads.
type found struct {
	state LoadState
	id    string // the name of the file itself, instance filled in
	file  *node  // nil unless loaded
	real  string // the file's path without links, io/fs form
	links []Link // followed on the way
	err   error
}

// find follows aliases to the file of a unit: "systemd.unit(5): unit files may be aliased by symbolic
// links in one of the unit directories"; a link to /dev/null or an empty file masks.
func (l *Loader) find(name string) found {
	f, ok := l.seen[name]
	if !ok {
		f = l.follow(name)
		f.links = slices.Clip(f.links)
		l.seen[name] = f
	}
	return f
}

func (l *Loader) follow(name string) found {
	f := found{state: NotFound, id: name}
	for range fsys.MaxLinks {
		dir, n := l.lookup(f.id)
		if n == nil {
			if t := Template(f.id); t != "" {
				dir, n = l.lookup(t)
			}
		}
		if n == nil {
			return f
		}
		if !n.isLink() {
			return l.plain(f, n)
		}
		f.links = append(f.links, l.link(n))
		to := n.target
		if !path.IsAbs(to) {
			to = path.Join("/", dir.path, to)
		}
		to = path.Clean(to)
		if to == "/dev/null" {
			f.state = Masked
			return f
		}
		base, in := path.Base(to), l.inSearchPath(path.Dir(to))
		if !in || base == n.name || !ValidName(base) || TypeOf(base) != TypeOf(f.id) {
			return l.linked(f, n, to)
		}
		if IsTemplate(base) {
			if inst := Instance(f.id); inst != "" {
				base = instantiate(base, inst)
			}
		}
		f.id = base
	}
	f.state, f.err = LoadError, fsys.ErrLoop
	return f
}

func (l *Loader) inSearchPath(dir string) bool {
	if strings.HasPrefix(dir, "/run/") {
		return slices.ContainsFunc(l.dirs, func(d *unitDir) bool { return "/"+d.path == dir })
	}
	real, err := fsys.Resolve(l.root, dir)
	return err == nil && slices.ContainsFunc(l.dirs, func(d *unitDir) bool { return d.path == real })
}

// plain ends at a file in the search path.
func (l *Loader) plain(f found, n *node) found {
	f.file, f.real, f.state = n, n.path, Loaded
	if n.gen != nil {
		return f
	}
	fi, err := l.root.Lstat(n.path)
	switch {
	case err != nil:
		f.state, f.err = LoadError, err
	case fi.IsDir() || !fi.Mode().IsRegular():
		f.state, f.err = LoadError, &fs.PathError{Op: "open", Path: "/" + n.path, Err: fs.ErrInvalid}
	case fi.Size() == 0:
		f.state = Masked
	}
	return f
}

// linked ends at a file outside of the search path ("systemctl link").
func (l *Loader) linked(f found, n *node, to string) found {
	real, err := fsys.Resolve(l.root, to)
	if err != nil {
		f.state = NotFound // a dangling link is as good as none
		return f
	}
	f = l.plain(f, &node{name: n.name, path: real})
	f.file = &node{name: n.name, path: real}
	return f
}

// open parses the file of a node.
func (l *Loader) open(n *node) (*File, error) {
	shown := "/" + n.path
	if n.gen != nil {
		f, err := parseGenerated(n.gen.text, shown)
		if err == nil {
			f.from = n.gen.from
		}
		return f, err
	}
	real := n.path
	if n.isLink() {
		var err error
		if real, err = fsys.Resolve(l.root, shown); err != nil {
			return nil, err
		}
	}
	file, err := fsys.OpenFile(l.root, real)
	if err != nil {
		return nil, err
	}
	return l.parse(file, shown)
}

func parseGenerated(text, path string) (*File, error) {
	r := strings.NewReader(text)
	f, err := Parse(r, path)
	if err == nil {
		f.r = nil
	}
	return f, err
}

// aliases lists the names in the search path that lead to the file of id, id itself first, then sorted.
func (l *Loader) aliases(id string) []string {
	out := []string{id}
	template, inst := Template(id), Instance(id)
	add := func(name string) {
		if f := l.find(name); f.state == Loaded && f.id == id && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	links := l.linksTo(TypeOf(id))
	for _, name := range links[id] {
		if template == "" || !IsTemplate(name) {
			add(name)
		}
	}
	if template != "" {
		for _, name := range links[""] {
			add(instantiate(name, inst))
		}
	}
	slices.Sort(out[1:])
	return out
}

// linksTo gives the links to units of a type by the unit that they lead to; templates are also under "".
func (l *Loader) linksTo(unitType string) map[string][]string {
	ends, ok := l.byEnd[unitType]
	if ok {
		return ends
	}
	ends = map[string][]string{}
	for _, d := range l.dirs {
		for name := range d.links {
			if !ValidName(name) || TypeOf(name) != unitType {
				continue
			}
			if f := l.find(name); f.state == Loaded {
				ends[f.id] = append(ends[f.id], name)
			}
			if IsTemplate(name) {
				ends[""] = append(ends[""], name)
			}
		}
	}
	l.byEnd[unitType] = ends
	return ends
}

// search lists the names under which drop-ins and dependency directories of a unit are looked for, as far as
// there are any: its names, their templates, then names truncated at dashes; most specific first.
func (l *Loader) search(names []string) []string {
	var out []string
	add := func(s string) {
		if l.owners[s] && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, n := range names {
		add(n)
		for _, p := range dashPrefixes(n) {
			add(p)
		}
		if t := Template(n); t != "" {
			add(t)
			for _, p := range dashPrefixes(t) {
				add(p)
			}
		}
	}
	return out
}

// collect gathers the members of the directories "<name>.<kind>": sorted by their file names; of two
// with the same file name the one in the more specific or higher directory stands.
func (l *Loader) collect(owners []string, kind string, want func(name string) bool) []*node {
	var out []*node
	for _, o := range owners {
		for _, d := range l.dirs {
			for _, n := range d.subs[o+"."+kind] {
				if !want(n.name) {
					continue
				}
				i, taken := slices.BinarySearchFunc(out, n, func(a, b *node) int { return strings.Compare(a.name, b.name) })
				if !taken {
					out = slices.Insert(out, i, n)
				}
			}
		}
	}
	return slices.DeleteFunc(out, l.masks)
}

// dropins are the *.conf files that add to a unit, in the order in which they are read.
func (l *Loader) dropins(names []string, unitType string) []*node {
	owners := l.search(names)
	if l.owners[unitType] {
		owners = append(owners, unitType)
	}
	return l.collect(owners, "d", func(n string) bool { return strings.HasSuffix(n, ".conf") })
}

// wanted are the links in the ".wants" (or another kind) directories of a unit; owners is what search gave.
func (l *Loader) wanted(owners []string, kind string) []*node {
	return l.collect(owners, kind, func(n string) bool { return ValidName(n) && !IsTemplate(n) })
}

// masks tells whether a node is empty or a link to /dev/null.
func (l *Loader) masks(n *node) bool {
	if n.masks == nil {
		masks := n.gen == nil && l.empty(n)
		n.masks = &masks
	}
	return *n.masks
}

func (l *Loader) empty(n *node) bool {
	at := n.path
	if n.isLink() {
		if path.Clean(n.target) == "/dev/null" {
			return true
		}
		real, err := fsys.Resolve(l.root, "/"+n.path)
		if err != nil {
			return false // dangling: the name still counts
		}
		at = real
	}
	fi, err := l.root.Lstat(at)
	return err == nil && fi.Mode().IsRegular() && fi.Size() == 0
}
