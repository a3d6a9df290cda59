package boot

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/lsb"
	"bootpath/sim/conf/openrc"
	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// openrcRun is what openrc-run shows when a service has no start() of its own: start-stop-daemon.sh.
const openrcRun = "openrc-run(8), default_start"

// libexec is OpenRC's own directory.
func (d *initd) libexec() string {
	for _, dir := range [...]string{"/lib/rc", "/usr/lib/rc", "/usr/libexec/rc", "/libexec/rc"} {
		if _, err := d.pid1.Stat(dir + "/sh/functions.sh"); err == nil {
			return dir
		}
	}
	return "/lib/rc"
}

// openrc is openrc(8): it brings the system into a runlevel.
func (d *initd) openrc(args []string) {
	d.readRC()
	level := ""
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			level = a
			break
		}
	}
	if level == "" {
		if level = d.rc["rc_default_runlevel"]; level == "" {
			level = "default"
		}
	}
	was := d.pid1.Actor
	d.pid1.Actor = "openrc"
	defer func() { d.pid1.Actor = was }()
	if level == "sysinit" {
		d.openrcSysinit()
	}
	if d.tree == nil {
		d.deptree()
	}
	listed, cites, ok := d.runlevel(level, 0)
	if !ok {
		d.say("openrc.no-runlevel", "", map[string]string{"runlevel": level}, "openrc(8)", nil)
		d.doubt(trace.Why("unknown.runlevel", "level", level))
		return
	}
	// A runlevel keeps the services of the two before it.
	all := slices.Clone(listed)
	if level != "sysinit" && level != "shutdown" {
		for _, base := range [...]string{"sysinit", "boot"} {
			if base != level {
				more, _, _ := d.runlevel(base, 0)
				all = append(all, more...)
			}
		}
	}
	order := d.tree.Order(all, d.running)
	var names []string
	for _, s := range order {
		names = append(names, s.Name)
	}
	d.say("openrc.order-services", "", map[string]string{"runlevel": level, "count": strconv.Itoa(len(order)), "services": strings.Join(names, " ")}, "openrc-run(8), DEPENDENCIES", cites)
	for _, s := range order {
		if d.m.Ended() {
			return
		}
		d.openrcService(s)
	}
	if openrc.Yes(d.rc["rc_parallel"]) {
		d.doubt(trace.Why("unknown.rc-parallel"))
	}
}

// readRC reads rc.conf and its drop-ins.
func (d *initd) readRC() {
	if d.rc != nil {
		return
	}
	d.rc = map[string]string{}
	files := []string{"/etc/rc.conf"}
	list, _ := d.pid1.ReadDir("/etc/rc.conf.d")
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".conf") && len(files) < maxServices {
			files = append(files, "/etc/rc.conf.d/"+e.Name())
		}
	}
	slices.Sort(files[1:])
	for _, f := range files {
		src, err := d.text(f, maxRCScript)
		if err != nil {
			continue
		}
		set, err := openrc.Settings(src.text)
		if err != nil {
			d.doubt(unreadable(f, err))
		}
		for k, v := range set {
			d.rc[k] = v
		}
	}
}

// machineName is uname -m for a GOARCH.
func machineName(goarch string) string {
	if m, ok := map[string]string{"amd64": "x86_64", "386": "i686", "arm64": "aarch64", "arm": "armv7l"}[goarch]; ok {
		return m
	}
	return goarch
}

// openrcSysinit is do_sysinit of openrc's rc.c: the banner, then init.sh, which readies /proc and /run.
func (d *initd) openrcSysinit() {
	var version string
	var cites []blob.Cite
	for _, exe := range [...]string{"/sbin/openrc", "/usr/sbin/openrc"} {
		if text, c := d.textIn(exe, "   %sOpenRC %s"); text != "" {
			version, _, _ = strings.Cut(strings.TrimPrefix(text, "   %sOpenRC %s"), "%s")
			cites = c
			break
		}
	}
	if version == "" || strings.Contains(version, "%") {
		src, err := d.text(d.libexec()+"/version", 256)
		if err == nil {
			version, cites = strings.TrimSpace(src.text), src.cite(sh.Pos{Off: 0, End: len(src.text)})
		}
	}
	args := map[string]string{"version": version, "kernel": d.version}
	if version == "" {
		d.doubt(trace.Why("unknown.openrc-version"))
		d.say("openrc.start", "", args, "openrc(8)", cites)
	} else {
		line := "OpenRC " + version + " is starting up Linux " + d.version + " (" + machineName(d.k.Options().Arch) + ")"
		d.say("openrc.start", "\n   "+line+"\n", args, "openrc rc.c, do_sysinit", cites)
	}
	src, err := d.text(d.libexec()+"/sh/init.sh", maxRCScript)
	if err != nil {
		d.doubt(trace.Why("unknown.openrc-init", "path", d.libexec()+"/sh/init.sh"))
		return
	}
	d.openrcMount(src, "/proc", "proc", "proc", "/proc is already mounted")
	d.openrcMount(src, "/run", "tmpfs", "tmpfs", "")
	d.openrcPaths(src)
}

// begin is how OpenRC announces what it starts to do: on a line of its own where the terminal has colours, because
// it can go back up for the result. libeinfo.c, ebegin and color_terms
func (d *initd) begin(text string) string {
	if d.term() == "vt102" {
		return " * " + text + " ..."
	}
	return " * " + text + " ...\n"
}

// term is what init makes of TERM. BusyBox takes no serial line for the kernel's "linux": init.c, console_init.
func (d *initd) term() string {
	if term, given := d.params.Get("TERM"); given {
		return term
	}
	if tty := d.terminal(); d.busybox && strings.Trim(strings.TrimPrefix(tty, "tty"), "0123456789") != "" {
		return "vt102"
	}
	return "linux"
}

// openrcMount is a part of init.sh: it mounts what is not mounted yet.
func (d *initd) openrcMount(src *source, dir, source, fstype, already string) {
	args := map[string]string{"path": dir, "fstype": fstype}
	if d.mountedAt(dir, fstype) {
		if i := strings.Index(src.text, already); already != "" && i >= 0 {
			d.say("openrc.already-mounted", " * "+already, args, "openrc, sh/init.sh", src.cite(sh.Pos{Off: i, End: i + len(already)}))
		}
		return
	}
	what := "Mounting " + dir
	i := strings.Index(src.text, what)
	if i < 0 {
		d.doubt(trace.Why("unknown.mounted", "path", dir))
		return
	}
	var err error
	d.quietly(func() { err = d.pid1.Mount(source, dir, fstype, kernel.MS_NOSUID|kernel.MS_NODEV, "") })
	end := " [ ok ]"
	if err != nil {
		end = " [ !! ]"
	}
	if dir == "/run" {
		end = "" // init.sh ends the line for /proc alone
	}
	step := trace.Step{Actor: d.pid1.Actor, Stage: trace.Init, Kind: "openrc.mount", Args: args, Rule: "openrc, sh/init.sh", Cites: src.cite(sh.Pos{Off: i, End: i + len(what)})}
	if step.Console = d.begin(what) + end; end != "" {
		step.Console += "\n"
	}
	d.k.Emit(step)
}

// openrcPaths follows the checkpath commands of init.sh that run in any case.
func (d *initd) openrcPaths(src *source) {
	script, err := sh.Parse(src.text)
	if err != nil {
		d.doubt(trace.Why("unknown.openrc-dirs").For(kernel.Because(err)))
		return
	}
	for _, st := range script.Body {
		c, ok := st.Node.(*sh.Simple)
		if !ok || len(c.Words) == 0 {
			continue
		}
		if name, _ := c.Words[0].Literal(); name != "checkpath" {
			continue
		}
		var words []string
		for _, w := range c.Words {
			words = append(words, svcdir(w))
		}
		if text := d.checkpath(words); text != "" {
			d.say("openrc.make-path", strings.TrimSuffix(text, "\n"), map[string]string{"command": strings.Join(words, " ")}, "openrc, checkpath", src.cite(c.Pos))
		}
	}
}

// svcdir is a word of init.sh, whose only variable in these places is RC_SVCDIR.
func svcdir(w sh.Word) string {
	out := ""
	for _, p := range w {
		switch p := p.(type) {
		case sh.Lit:
			out += p.Text
		case *sh.Param:
			if p.Name == "RC_SVCDIR" {
				out += "/run/openrc"
			}
		}
	}
	return out
}

// checkpath makes a directory or file as OpenRC's checkpath does, and returns what it says.
func (d *initd) checkpath(words []string) string {
	_, values, rest := optArgs(words, "mo")
	dir := slices.ContainsFunc(words, func(w string) bool { return w == "-d" || w == "-D" || w == "--directory" })
	out := ""
	for _, name := range rest {
		if _, err := d.pid1.Stat(name); err == nil || name == "" {
			continue
		}
		mode := uint32(0o755)
		if n, err := strconv.ParseUint(values['m'], 8, 12); err == nil {
			mode = uint32(n)
		}
		var err error
		what := "creating directory"
		d.quietly(func() {
			if dir {
				err = d.pid1.MkdirAll(name, mode)
			} else {
				what = "creating file"
				err = d.pid1.WriteFile(name, nil, mode)
			}
		})
		out += " * " + name + ": " + what + "\n"
		if err == nil && values['o'] != "" && d.otherOwner(values['o']) {
			out += " * " + name + ": correcting owner\n"
		}
	}
	return out
}

// otherOwner tells whether user:group is not root's, who has made the file.
func (d *initd) otherOwner(owner string) bool {
	user, group, _ := strings.Cut(owner, ":")
	id := func(file, name string) string {
		src, err := d.text(file, maxRCScript)
		if err != nil || name == "" {
			return "0"
		}
		for line := range strings.SplitSeq(src.text, "\n") {
			if f := strings.Split(line, ":"); len(f) > 2 && f[0] == name {
				return f[2]
			}
		}
		return "0"
	}
	return id("/etc/passwd", user) != "0" || id("/etc/group", group) != "0"
}

// deptree reads all services: rc_deptree_update, which keeps its result in /run/openrc.
func (d *initd) deptree() {
	facilities := lsb.Facilities{}
	files := []string{"/etc/insserv.conf"}
	list, _ := d.pid1.ReadDir("/etc/insserv.conf.d")
	for _, e := range list {
		files = append(files, "/etc/insserv.conf.d/"+e.Name())
	}
	slices.Sort(files[1:])
	for _, f := range files[:min(len(files), maxServices)] {
		if src, err := d.text(f, maxRCScript); err == nil {
			facilities.Parse(src.text)
		}
	}
	var all []*openrc.Service
	for _, name := range d.scripts("/etc/init.d", func(n string) bool { return !strings.Contains(n, ".dpkg") }) {
		src, err := d.text("/etc/init.d/"+name, maxRCScript)
		if err != nil {
			continue
		}
		s, ok, err := openrc.Parse(name, src.text, facilities)
		if err != nil {
			d.doubt(unreadable("/etc/init.d/"+name, err))
			s, ok = &openrc.Service{Name: name, Label: name}, true
		}
		if !ok {
			continue
		}
		for _, u := range s.Unsure {
			d.doubt(trace.Why("unknown.depends", "service", name, "text", u))
		}
		d.configured(s)
		all = append(all, s)
	}
	d.tree = openrc.NewTree(all)
	begin, unmet := d.begin("Caching service dependencies"), d.unmet(all)
	console := begin + unmet + " [ ok ]"
	if !strings.HasSuffix(begin, "\n") { // the line is not written before it ends
		console = unmet + begin + " [ ok ]"
	}
	if _, err := d.pid1.Stat(d.libexec() + "/cache/softlevel"); err == nil {
		d.doubt(trace.Why("unknown.openrc-tree"))
		console = ""
	}
	d.say("openrc.read-services", console, map[string]string{"count": strconv.Itoa(len(all))}, "openrc, librc-depend.c", nil)
}

// unmet is what OpenRC says of services that need what nothing provides, whether they are to start or not:
// librc-depend.c, rc_deptree_update.
func (d *initd) unmet(all []*openrc.Service) string {
	var pairs [][2]string
	for _, s := range all {
		for _, need := range s.Need {
			if len(d.tree.Providers(need)) == 0 && !s.LSB {
				pairs = append(pairs, [2]string{s.Name, need})
			}
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	format := ""
	for _, lib := range [...]string{"/lib/librc.so.1", "/usr/lib/librc.so.1", "/lib/x86_64-linux-gnu/librc.so.1", "/lib64/librc.so.1"} {
		if format, _ = d.textIn(lib, "Service "); strings.Count(format, "%s") == 2 {
			break
		}
	}
	out := ""
	for _, p := range pairs {
		if line := strings.Replace(strings.Replace(format, "%s", p[0], 1), "%s", p[1], 1); line != "" {
			out += line + "\n"
		}
	}
	return out
}

// configured adds the dependencies that conf.d gives a service: "rc_need", "rc_use" and so on.
func (d *initd) configured(s *openrc.Service) {
	src, err := d.text("/etc/conf.d/"+s.Name, maxRCScript)
	if err != nil {
		return
	}
	set, err := openrc.Settings(src.text)
	if err != nil {
		d.doubt(unreadable("/etc/conf.d/"+s.Name, err))
		return
	}
	for _, o := range [...]struct {
		key string
		to  *[]string
	}{{"rc_need", &s.Need}, {"rc_use", &s.Use}, {"rc_want", &s.Want}, {"rc_after", &s.After}, {"rc_before", &s.Before}, {"rc_provide", &s.Provide}} {
		for _, w := range strings.Fields(set[o.key]) {
			if name, not := strings.CutPrefix(w, "!"); not {
				*o.to = slices.DeleteFunc(*o.to, func(n string) bool { return n == name })
				continue
			}
			*o.to = append(*o.to, w)
		}
	}
}

// runlevel lists the services of a runlevel: the links in its directory. A directory in it is another
// runlevel on which it is stacked.
func (d *initd) runlevel(level string, depth int) (names []string, cites []blob.Cite, ok bool) {
	dir := "/etc/runlevels/" + level
	list, err := d.pid1.ReadDir(dir)
	if err != nil || strings.Contains(level, "/") {
		return nil, nil, false
	}
	cites = d.pid1.Evidence(dir)
	for _, e := range list {
		fi, err := d.pid1.Stat(path.Join(dir, e.Name()))
		switch {
		case err != nil || len(names) >= maxServices: // a link to nothing is no service
		case fi.IsDir() && depth < 5:
			more, _, _ := d.runlevel(e.Name(), depth+1)
			names = append(names, more...)
		default:
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, cites, true
}

// openrcService starts one service.
func (d *initd) openrcService(s openrc.Start) {
	script := "/etc/init.d/" + s.Name
	args := map[string]string{"service": s.Name, "script": script, "description": s.Description, "by": s.By}
	if s.Description == "" {
		args["description"] = s.Name
	}
	st := trace.Step{Actor: "openrc", Stage: trace.Init, Kind: "openrc.start-service", Rule: "openrc-run(8)", Args: args}
	if src, err := d.text(script, maxRCScript); err == nil {
		st.Cites = citeHead(src, s.Off, min(s.End, len(src.text)))
	}
	if len(s.Missing) > 0 && !s.LSB {
		st.Kind, args["missing"] = "openrc.cannot-start", strings.Join(s.Missing, " ")
		d.fail(s, st, " * ERROR: "+s.Name+" needs service(s) "+strings.Join(s.Missing, ", ")+"\n")
		return
	}
	if by := d.failedNeed(s); by != "" {
		st.Kind, args["missing"] = "openrc.cannot-start", by
		d.fail(s, st, " * ERROR: cannot start "+s.Name+" as "+by+" would not start\n")
		return
	}
	switch {
	case s.LSB:
		d.k.Emit(st, serviceRow(s.Name, args["description"], "started"))
		d.serviceBody(s.Name, []string{script, "start"})
	case s.Start == nil && s.Command != "":
		d.openrcDaemon(s, st)
	default:
		d.k.Emit(st, serviceRow(s.Name, args["description"], "started"))
		if s.Start != nil {
			d.serviceBody(s.Name, []string{"/bin/sh", "-c", d.openrcScript(s.Name, script)})
			return
		}
		d.running = append(d.running, s.Name)
		d.facts.Units = append(d.facts.Units, s.Name)
	}
}

// fail is a service that does not come up.
func (d *initd) fail(s openrc.Start, st trace.Step, console string) {
	st.Console = console
	d.failed = append(d.failed, s.Name)
	d.k.Emit(st, serviceRow(s.Name, st.Args["description"], "failed"))
}

// failedNeed names what a service needs and what has not come up.
func (d *initd) failedNeed(s openrc.Start) string {
	for _, need := range s.Need {
		for _, p := range d.tree.Providers(need) {
			if slices.Contains(d.failed, p) {
				return p
			}
		}
	}
	return ""
}

// openrcDaemon is default_start: it starts the program that command= names.
func (d *initd) openrcDaemon(s openrc.Start, st trace.Step) {
	d.m.Wait(costInitService)
	if tty, ok := strings.CutPrefix(s.Name, path.Base(s.Command)+"."); ok && isGetty(path.Base(s.Command)) {
		// Its start_pre sets EINFO_QUIET
		step := d.k.Emit(st, serviceRow(s.Name, st.Args["description"], "started"))
		d.gettys = append(d.gettys, getty{tty: tty, process: s.Command, step: step})
		d.running = append(d.running, s.Name)
		d.process(path.Base(s.Command))
		return
	}
	st.Rule = openrcRun
	if _, err := d.executable(s.Command); err != nil {
		st.Kind, st.Args["missing"] = "openrc.cannot-start", s.Command
		d.fail(s, st, d.begin("Starting "+s.Label)+" * start-stop-daemon: "+s.Command+" does not exist\n * Failed to start "+s.Label+"\n [ !! ]\n * ERROR: "+s.Name+" failed to start\n")
		return
	}
	st.Console = d.begin("Starting "+s.Label) + " [ ok ]\n"
	d.k.Emit(st, serviceRow(s.Name, st.Args["description"], "started"))
	d.process(path.Base(s.Command))
	d.running = append(d.running, s.Name)
	d.facts.Units = append(d.facts.Units, s.Name)
}

// openrcScript is the part of openrc-run.sh that matters for a service with a start() of its own.
func (d *initd) openrcScript(name, script string) string {
	lib := d.libexec()
	text := "export RC_SVCNAME=" + sh.Quote(name) + " RC_LIBEXECDIR=" + lib + " RC_SVCDIR=/run/openrc RC_UNAME=Linux RC_RUNLEVEL=sysinit\n" +
		"PATH=" + lib + "/bin:" + lib + "/sbin:$PATH\n. " + lib + "/sh/functions.sh\n. " + lib + "/sh/rc-functions.sh\n"
	for _, f := range [...]string{lib + "/sh/rc-cgroup.sh", "/etc/rc.conf", "/etc/conf.d/" + name} {
		if _, err := d.pid1.Stat(f); err == nil {
			text += ". " + f + "\n"
		}
	}
	return text + ". " + script + "\nif command -v start_pre >/dev/null; then start_pre || exit $?; fi\nstart\n"
}

// applet is one of OpenRC's small programs, which its scripts call: sh/functions.sh and rc-misc.
func (d *initd) applet(in *shProcess, words []string) (ctl, bool) {
	name := path.Base(words[0])
	quiet := in.vars["EINFO_QUIET"] != "" && openrc.Yes(in.vars["EINFO_QUIET"])
	if base, verbose := strings.CutPrefix(name, "v"); verbose && strings.HasPrefix(base, "e") {
		name, quiet = base, quiet || !openrc.Yes(in.vars["EINFO_VERBOSE"])
	}
	n, _ := strconv.Atoi(in.vars["EINFO_INDENT"])
	head := " * " + strings.Repeat(" ", max(0, min(n, 40)))
	text := strings.Join(words[1:], " ")
	show := func(s string) {
		if !quiet {
			in.out("%s", s)
		}
	}
	in.status = 0
	switch name {
	case "einfo", "ewarn", "eerror":
		quiet = quiet && name == "einfo"
		show(head + text + "\n")
	case "einfon", "ewarnn", "eerrorn":
		show(head + text)
	case "ebegin":
		show(head + strings.TrimPrefix(d.begin(text), " * "))
	case "eend", "ewend":
		code := 0
		if len(words) > 1 {
			code, _ = strconv.Atoi(words[1])
		}
		if code == 0 {
			show(" [ ok ]\n")
		} else {
			if len(words) > 2 {
				in.out("%s%s\n", head, strings.Join(words[2:], " "))
			}
			in.out(" [ !! ]\n")
		}
		in.status = code
	case "eindent", "eoutdent", "eval_ecolors", "esyslog":
	case "checkpath":
		show(d.checkpath(words))
	case "fstabinfo":
		return d.fstabinfo(in, words), true
	case "mountinfo":
		_, _, rest := optArgs(words, "")
		if len(rest) != 1 || !slices.Contains(words, "-q") && !slices.Contains(words, "--quiet") {
			return in.end("unknown.program-prints", "program", "mountinfo"), true
		}
		if !d.isMountPoint(rest[0]) {
			in.status = 1
		}
	default:
		return in.end("unknown.program-does", "program", name), true
	}
	return ctlNone, true
}

// fstabinfo is OpenRC's query of /etc/fstab: with -q whether an entry is there for each path. An entry that it is
// to mount is not followed; where there is none it fails. rc-misc/fstabinfo.c
func (d *initd) fstabinfo(in *shProcess, words []string) ctl {
	_, _, paths := optArgs(words, "btpm")
	paths = slices.DeleteFunc(paths, func(w string) bool { return strings.HasPrefix(w, "--") })
	src, err := d.text("/etc/fstab", maxRCScript)
	for _, p := range paths {
		listed := false
		if err == nil {
			for line := range strings.Lines(src.text) {
				f := strings.Fields(line)
				listed = listed || len(f) > 2 && f[0][0] != '#' && (f[1] == p || f[0] == p)
			}
		}
		if !listed {
			return in.failed()
		}
	}
	if len(paths) == 0 || len(paths) != len(words)-2 || words[1] != "-q" && words[1] != "--quiet" {
		return in.end("unknown.program-does", "program", "fstabinfo")
	}
	return in.ok()
}

// isMountPoint tells whether anything is mounted at a place.
func (d *initd) isMountPoint(dir string) bool {
	data, err := d.pid1.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[1] == dir {
			return true
		}
	}
	return false
}
