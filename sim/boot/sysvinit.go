package boot

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/inittab"
	"bootpath/sim/conf/lsb"
	"bootpath/sim/conf/openrc"
	"bootpath/sim/conf/sh"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

const (
	maxInittab  = 64 << 10  // bytes of /etc/inittab
	maxRCScript = 256 << 10 // bytes of a service's script
	maxServices = 1000      // scripts in /etc/init.d, links in one runlevel
)

// Virtual time of a program that init starts and of a service's script. Both are modelled: programs are
// not run, so each takes the same (deb-openrc: some 3 s for each script, TCG).
const (
	costInitProgram = 100 * time.Millisecond
	costInitService = time.Second
)

// initd is an init that follows /etc/inittab: sysvinit or BusyBox's.
type initd struct {
	*linux
	busybox bool
	exe     string
	args    []string // what the kernel's command line gives init
	level   string   // the runlevel: "2", "S"
	prev    string
	tab     *source // /etc/inittab
	gettys  []getty
	running []string // services, in the order in which they were started
	failed  []string // OpenRC services that did not come up
	rc      map[string]string
	tree    *openrc.Tree
	doubts  []*trace.Reason
	host    string // the name that a service has set, "" for none
	depth   int    // of scripts that init follows inside one another
	used    int    // commands that were followed
	left    bool   // a script was not followed to its end
	own     ownPrograms
	env     map[string]string // of what PID 1 starts; nil under sysvinit, which sets its own
	cwd     string            // of what PID 1 starts; "" for /
}

// ownPrograms takes over the programs that come with an init: found is a program's real path, words its
// command. ok tells whether it was one of them.
type ownPrograms func(in *shProcess, found string, words []string) (c ctl, ok bool)

// getty is a login prompt that init keeps running.
type getty struct {
	tty, process string
	broken       bool // its program cannot be executed
	step         int
}

// text reads a small file of the running system.
func (x *linux) text(name string, limit int64) (*source, error) {
	file, err := x.pid1.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := blob.ReadAll(file, limit)
	if err != nil {
		return nil, err
	}
	return &source{path: slash(name), text: string(data), file: file}, nil
}

// sysvinit is the init of inittab(5).
func (x *linux) sysvinit(exe string) {
	if text, cites := x.textIn(exe, "version "); strings.HasSuffix(text, " %s") {
		// bootmsg of init.c: its version stands in the program
		x.say("init.greeting", "INIT: "+strings.Replace(text, "%s", "booting", 1), map[string]string{"version": text}, "init(8)", cites)
	}
	d := &initd{linux: x, exe: exe, args: x.initArgs, prev: "N"}
	tab, err := x.text("/etc/inittab", maxInittab)
	if err != nil {
		x.say("init.no-inittab", "INIT: No inittab file found", map[string]string{"error": strerror(err)}, "init(8)", nil)
		d.askLevel()
		return
	}
	d.tab = tab
	if text, cites := x.textIn(exe, "No inittab.d directory found"); text != "" {
		if _, err := x.pid1.Stat("/etc/inittab.d"); err != nil {
			x.say("init.no-inittab-d", "INIT: "+text, map[string]string{}, "init(8)", cites)
		} else {
			d.doubt(trace.Why("unknown.inittab-d"))
		}
	}
	table, bad := inittab.Parse(tab.text)
	for _, p := range bad {
		x.say("init.bad-entry", fmt.Sprintf("INIT: /etc/inittab[%d]: %s", p.Line, p.Text), map[string]string{"line": strconv.Itoa(p.Line), "problem": p.Text},
			"inittab(5)", tab.cite(sh.Pos{Off: p.Off, End: p.End}))
	}
	d.sysv(table)
}

// sysv goes through the phases of a start: sysinit, boot, the runlevel.
func (d *initd) sysv(table []inittab.Entry) {
	asked, emergency := d.arguments()
	if emergency {
		d.sulogin("emergency", true)
		return
	}
	// "sysinit: The process will be executed during system boot. It will be executed before any boot or
	// bootwait entries." - inittab(5)
	d.level = "S" // RUNLEVEL of what runs now
	d.entries(table, func(e inittab.Entry) bool { return e.Action == "sysinit" })
	if d.m.Ended() {
		return
	}
	level, entry, ok := inittab.Default(table)
	cites := d.tab.cite(sh.Pos{Off: entry.Off, End: entry.End})
	if asked != "" {
		level, cites = asked, nil
	} else if !ok {
		d.askLevel()
		return
	}
	if level != "S" {
		d.entries(table, func(e inittab.Entry) bool { return e.Action == "boot" || e.Action == "bootwait" })
		if d.m.Ended() {
			return
		}
	}
	d.level, d.facts.Target = level, level
	d.say("sysvinit.enter-runlevel", "INIT: Entering runlevel: "+level, map[string]string{"runlevel": level}, "inittab(5) initdefault", cites)
	d.entries(table, func(e inittab.Entry) bool {
		return e.In(level) && (e.Action == "wait" || e.Action == "once" || e.Action == "respawn")
	})
	if d.m.Ended() {
		return
	}
	last := "INIT: Entering runlevel: " + level
	if level == "0" || level == "6" {
		d.stop(trace.Userspace, last)
		return
	}
	d.finish(last)
}

// arguments are the words of the kernel's command line that init understands: init(8), BOOTFLAGS.
func (d *initd) arguments() (level string, emergency bool) {
	for _, a := range d.args {
		switch {
		case a == "single" || a == "-s":
			level = "S"
		case a == "emergency" || a == "-b":
			emergency = true
		case len(a) == 1 && strings.Contains("0123456789sS", a):
			level = strings.ToUpper(a)
		}
	}
	return level, emergency
}

// askLevel: "If no such entry exists, init will ask for a runlevel on the system console." - inittab(5)
func (d *initd) askLevel() {
	d.say("sysvinit.ask-runlevel", "\nEnter runlevel: ", map[string]string{}, "inittab(5) initdefault", nil)
	d.stop(trace.Init, "Enter runlevel:")
}

// entries runs the entries that match, in the order of the table.
func (d *initd) entries(table []inittab.Entry, match func(inittab.Entry) bool) {
	for _, e := range table {
		if d.m.Ended() {
			return
		}
		if match(e) {
			d.entry(e, "inittab(5) "+e.Action)
		}
	}
}

// entry runs one line of the table. What it waits for ends before the next entry runs.
func (d *initd) entry(e inittab.Entry, rule string) {
	d.m.Wait(costInitProgram)
	process := strings.TrimLeft(e.Process, "+@-")
	words := strings.Fields(strings.TrimPrefix(process, "exec "))
	args := map[string]string{"id": e.ID, "action": e.Action, "process": process, "runlevel": d.level}
	var cites []blob.Cite
	if d.tab != nil {
		cites = d.tab.cite(sh.Pos{Off: e.Off, End: e.End})
	}
	st := trace.Step{Actor: d.pid1.Actor, Stage: trace.Init, Kind: "init.run-entry", Rule: rule, Args: args, Cites: cites}
	if len(words) == 0 {
		return
	}
	exe, err := d.executable(words[0])
	switch name := path.Base(words[0]); {
	case strings.ContainsAny(process, "~`!$^&*()=|\\{}[];\"'<>?"):
		d.k.Emit(st) // a shell takes it apart
		d.follow("init", []string{"/bin/sh", "-c", process})
	case err != nil:
		d.cannotRun(st, e, words[0], err)
	case isGetty(name) || isGetty(path.Base(exe)):
		st.Kind, st.Stage = "init.keep-getty", trace.Userspace
		st.Args["tty"] = gettyTTY(words[1:], e.ID)
		d.process(name)
		d.gettys = append(d.gettys, getty{tty: st.Args["tty"], process: process, step: d.k.Emit(st)})
	case name == "sulogin":
		d.k.Emit(st)
		if e.Action != "respawn" && e.Action != "once" {
			d.sulogin("single", d.level == "S")
		}
	case e.Action == "wait" || e.Action == "sysinit" || e.Action == "bootwait":
		d.k.Emit(st)
		d.follow("init", words)
	default:
		// it runs beside everything else, so what it does does not hold up the start
		st.Kind = "init.start-program"
		d.process(name)
		d.k.Emit(st)
	}
}

// executable finds a program as execvp(3) with init's PATH does.
func (d *initd) executable(name string) (string, error) {
	dirs := []string{"/sbin", "/usr/sbin", "/bin", "/usr/bin"}
	if strings.Contains(name, "/") {
		dirs = []string{""}
	}
	var err error
	for _, dir := range dirs {
		var fi fs.FileInfo
		at := slash(path.Join(dir, name))
		if fi, err = d.pid1.Stat(at); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return d.pid1.RealPath(at)
		}
	}
	if err == nil {
		err = kernel.EACCES
	}
	return "", err
}

// cannotRun is an entry whose program is not there.
func (d *initd) cannotRun(st trace.Step, e inittab.Entry, name string, err error) {
	st.Kind, st.Args["error"] = "init.cannot-execute", strerror(err)
	st.Args["program"] = name
	if d.busybox {
		st.Console = fmt.Sprintf("can't run '%s': %s\n", name, strerror(err)) // init_exec
	} else {
		st.Console = fmt.Sprintf("INIT: cannot execute %q\n", name)
		if e.Action == "respawn" {
			// init(8): "if init finds out that it is continuously respawning an entry more than 10 times in
			// 2 minutes, it will assume that there is an error in the command string"
			st.Console += fmt.Sprintf("INIT: Id %q respawning too fast: disabled for 5 minutes\n", e.ID)
		}
	}
	step := d.k.Emit(st)
	if words := strings.Fields(e.Process); e.Action == "respawn" && isGetty(path.Base(words[0])) {
		d.gettys = append(d.gettys, getty{tty: gettyTTY(words[1:], e.ID), process: e.Process, broken: true, step: step})
	}
}

func isGetty(name string) bool {
	return slices.Contains([]string{"getty", "agetty", "mingetty", "fgetty", "mgetty", "ngetty", "uugetty"}, name)
}

// gettyTTY finds the terminal among a getty's arguments; by custom the entry's id is its end.
func gettyTTY(args []string, id string) string {
	for _, a := range args {
		a = strings.TrimPrefix(a, "/dev/")
		for _, p := range [...]string{"tty", "console", "hvc"} {
			if strings.HasPrefix(a, p) {
				return a
			}
		}
	}
	if strings.HasPrefix(id, "tty") {
		return id
	}
	return "tty" + id
}

// process makes the row of a program that stays.
func (d *initd) process(name string) {
	d.quietly(func() {
		if child, err := d.pid1.Clone(0); err == nil {
			child.Comm, child.Actor = name, name
		}
	})
}

// doubt notes once what was assumed.
func (d *initd) doubt(why *trace.Reason) { d.doubts = addReason(d.doubts, why) }

// follow runs a program for init as far as it can be known, and returns its status. Where that ends, it is
// taken to succeed, and the step says so.
func (d *initd) follow(actor string, words []string) int {
	if d.depth++; d.depth > 20 {
		d.depth--
		return 0
	}
	defer func() { d.depth-- }()
	b := &budget{soft: true, doubtful: d.left, hook: d.hook, commands: d.used}
	in := d.newProcess(actor, b)
	was := d.pid1.Actor
	d.pid1.Actor = actor
	in.program(words)
	d.used = b.commands
	if b.gaveUp != nil && !d.m.Ended() {
		d.leave(words, b.gaveUp)
		in.status = 0
	}
	d.pid1.Actor = was
	return in.status
}

// newProcess is a process that init starts.
func (d *initd) newProcess(name string, b *budget) *shProcess {
	in := &shProcess{
		x: d.linux, b: b, kind: d.shellAt("/bin/sh"), name: name, cwd: "/",
		vars: map[string]string{"IFS": " \t\n", "PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "OPTIND": "1", "PWD": "/", "HOME": "/", "TERM": d.term(),
			"RUNLEVEL": d.level, "PREVLEVEL": d.prev, "CONSOLE": "/dev/console", "INIT_VERSION": "sysvinit"},
		exported: map[string]bool{"HOME": true, "TERM": true, "PATH": true, "RUNLEVEL": true, "PREVLEVEL": true, "CONSOLE": true, "INIT_VERSION": true},
		funcs:    map[string]function{}, stdout: &sink{kind: "console"}, stderr: &sink{kind: "console"},
	}
	d.environment(in)
	return in
}

// environment sets what an init other than sysvinit gives to its scripts.
func (d *initd) environment(in *shProcess) {
	if d.cwd != "" {
		in.cwd, in.vars["PWD"] = d.cwd, d.cwd
	}
	if d.env == nil {
		return
	}
	for _, name := range [...]string{"RUNLEVEL", "PREVLEVEL", "CONSOLE", "INIT_VERSION"} {
		delete(in.vars, name)
		delete(in.exported, name)
	}
	for name, value := range d.env { // into a map: the order changes nothing
		in.vars[name], in.exported[name] = value, true
	}
}

// leave says that a script is not followed further.
func (d *initd) leave(words []string, why *trace.Reason) {
	d.doubt(why)
	d.left = true
	script := words[0]
	if len(words) > 1 && words[1] == "-c" {
		script = d.pid1.Actor
	}
	console := ""
	if d.line != "" && !strings.HasSuffix(d.line, "\n") {
		console, d.line = "\n", ""
	}
	d.k.Emit(trace.Step{Actor: d.pid1.Actor, Stage: trace.Init, Kind: "init.assume-success", Rule: "init(8)", Console: console,
		Args: map[string]string{"script": script}, Assumed: []*trace.Reason{why}})
}

// hook takes over what bootpath has a rule for: openrc, sysv-rc's rc, services.
func (d *initd) hook(in *shProcess, found string, words []string) (ctl, bool) {
	done := func() (ctl, bool) {
		if in.status = 0; d.m.Ended() {
			return ctlEnd, true
		}
		return ctlNone, true
	}
	dir, base := path.Split(found)
	real, _ := d.pid1.RealPath(in.abs(found))
	if d.own != nil {
		if c, ok := d.own(in, real, words); ok {
			return c, true
		}
	}
	switch {
	case strings.HasSuffix(dir, "/rc/bin/"):
		return d.applet(in, words)
	case path.Base(real) == "openrc":
		d.openrc(words[1:])
		return done()
	case base == "rc" && len(words) > 1 && len(words[1]) == 1:
		if src, err := d.text(found, maxRCScript); err == nil && startsLinks(src.text) {
			d.links(words[1], src)
			return done()
		}
	case base != "rc" && base != "rcS" && len(words) == 2 && words[1] == "start" && isServiceDir(dir) && d.depth < 4 && in.src != nil:
		d.service(base, found)
		return done()
	}
	return d.assumed(in, base, words)
}

func isServiceDir(dir string) bool {
	return strings.HasPrefix(dir, "/etc/init.d/") || strings.HasPrefix(dir, "/etc/rc")
}

// startsLinks tells whether a script called rc walks the links of a runlevel, as sysv-rc's does.
func startsLinks(text string) bool {
	for _, sign := range [...]string{"/etc/rc$runlevel.d", "/etc/rc${runlevel}.d", "/etc/rc.d/rc${runlevel}.d", "startpar"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// links starts the services of a runlevel by its links, in the order of their names: "S" and two digits.
// Debian policy 9.3.1.
func (d *initd) links(level string, rc *source) {
	dir := "/etc/rc" + level + ".d"
	names := d.scripts(dir, func(n string) bool { return len(n) > 3 && n[0] == 'S' && strings.Trim(n[1:3], "0123456789") == "" })
	d.say("sysvinit.runlevel-links", "", map[string]string{"dir": dir, "count": strconv.Itoa(len(names)), "runlevel": level, "services": strings.Join(names, " ")},
		"Debian policy 9.3.1", rc.cite(sh.Pos{Off: 0, End: strings.IndexByte(rc.text+"\n", '\n')}))
	for _, n := range names {
		if d.m.Ended() {
			return
		}
		if base := n[3:]; !slices.Contains(d.running, base) {
			d.service(base, path.Join(dir, n))
		}
	}
}

// scripts are the executable files of a directory that match, in the order of their names.
func (d *initd) scripts(dir string, match func(string) bool) []string {
	list, _ := d.pid1.ReadDir(dir)
	var out []string
	for _, e := range list {
		fi, err := d.pid1.Stat(path.Join(dir, e.Name()))
		if match(e.Name()) && err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 && len(out) < maxServices {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out
}

// service starts one init script, as rc does: with "start".
func (d *initd) service(name, script string) {
	st := trace.Step{Actor: d.pid1.Actor, Stage: trace.Init, Kind: "sysvinit.start-service", Rule: "LSB 5.0, init scripts",
		Args: map[string]string{"service": name, "script": script, "description": name}}
	if src, err := d.text(script, maxRCScript); err == nil {
		if h, ok := lsb.Parse(src.text); ok {
			st.Cites = citeHead(src, h.Off, h.End)
			if h.ShortDescription != "" {
				st.Args["description"] = h.ShortDescription
			}
		}
	}
	d.k.Emit(st, serviceRow(name, st.Args["description"], "started"))
	d.serviceBody(name, []string{script, "start"})
}

// serviceBody follows a service's script and what all services of that name do.
func (d *initd) serviceBody(name string, words []string) {
	d.m.Wait(costInitService)
	was := d.host
	d.follow(name, words)
	d.running = append(d.running, name)
	d.facts.Units = append(d.facts.Units, name)
	if strings.TrimSuffix(name, ".sh") == "hostname" {
		d.setHostname(d.host != was)
	}
	if n := strings.TrimSuffix(name, ".sh"); n == "checkroot" || n == "root" {
		d.remountRoot()
	}
}

// remountRoot is what the service "checkroot" (sysv-rc) or "root" (OpenRC) comes to when it succeeds: the
// root has the options that fstab gives it. fstab(5)
func (d *initd) remountRoot() {
	src, err := d.text("/etc/fstab", maxRCScript)
	if err != nil {
		return
	}
	off := 0
	for line := range strings.Lines(src.text) {
		at := sh.Pos{Off: off, End: off + len(strings.TrimRight(line, "\n"))}
		off += len(line)
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") || f[1] != "/" {
			continue
		}
		flags, mode := kernel.MS_REMOUNT, "r/w"
		if slices.Contains(strings.Split(f[3], ","), "ro") {
			flags, mode = flags|kernel.MS_RDONLY, "ro"
		}
		d.quietly(func() { err = d.pid1.Mount("", "/", "", flags, "") })
		if err != nil {
			d.doubt(trace.Why("unknown.root-remount").For(kernel.Because(err)))
			return
		}
		s := d.texts()
		root, _ := s.mountRow("/")
		d.say("init.remount-root", strings.TrimSuffix(s.ext4Remounted(root, mode), "\n"), map[string]string{"device": root["source"], "mode": mode}, "fstab(5)", src.cite(at))
		return
	}
}

// citeHead cites a range by its first line.
func citeHead(src *source, off, end int) []blob.Cite {
	if src.file == nil || end <= off {
		return nil
	}
	value, _, _ := strings.Cut(src.text[off:end], "\n")
	return cite(src.file, int64(off), int64(end-off), src.path, value)
}

func serviceRow(name, description, state string) machine.Set {
	return machine.Set{Table: trace.Units, ID: name, Row: trace.Row{"state": state, "description": description}}
}

// setHostname is what the service "hostname" does: hostname(5). When its script was seen to set another name, that
// one stays.
func (d *initd) setHostname(seen bool) {
	src, err := d.text("/etc/hostname", 4096)
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(src.text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if seen && d.host != line {
			return
		}
		d.host = line
		d.quietly(func() { err = d.pid1.SetHostname(line) })
		d.say("init.hostname", "", map[string]string{"name": line}, "hostname(5)", src.cite(sh.Pos{Off: 0, End: len(src.text)}))
		return
	}
}

// texts gives access to what login programs show, which is the same under every init.
func (d *initd) texts() *sysd {
	s := &sysd{start: d.start, k: d.k, pid1: d.pid1, fs: taskFS{d.pid1, d.rootFS()}, params: d.params}
	s.sysdConsole = sysdConsole{printk: d.params.LogLevel(), booted: s.kernelStart()}
	s.host = systemd.Host{Kernel: d.k.Options().Version, Arch: unitArch(d.k.Options().Arch), Name: d.hostName()}
	text, _, err := s.small("/etc/os-release")
	if err != nil {
		text, _, _ = s.small("/usr/lib/os-release")
	}
	s.host.OS = osRelease(text)
	return s
}

// hostName is the name of the machine; the kernel's own is "(none)".
func (d *initd) hostName() string {
	if d.host == "" {
		return "(none)"
	}
	return d.host
}

// sulogin is single-user or emergency mode. It ends well when that was asked for.
func (d *initd) sulogin(mode string, asked bool) {
	prompt, cites := d.texts().sulogin()
	d.k.Emit(trace.Step{Actor: "sulogin", Stage: trace.Init, Kind: "sysvinit.repair-shell", Rule: "sulogin(8)", Cites: cites, Console: prompt,
		Args: map[string]string{"mode": mode, "prompt": strings.TrimSpace(prompt)}})
	line, _, _ := strings.Cut(strings.TrimSpace(prompt), "\n")
	if asked {
		d.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Init, Message: line})
		return
	}
	d.stop(trace.Init, line)
}

// finish ends a start that came through: at the login prompt of the console that the run shows.
func (d *initd) finish(last string) {
	d.k.Emit(trace.Step{Actor: d.pid1.Actor, Stage: trace.Init, Kind: "init.finished", Rule: "init(8)", Args: map[string]string{"services": strconv.Itoa(len(d.running))}, Assumed: d.doubts})
	console := d.terminal()
	for _, g := range d.gettys {
		if g.tty != console && g.tty != "console" {
			continue
		}
		if g.broken {
			d.stop(trace.Userspace, last)
			return
		}
		s := d.texts()
		tty := console
		if real, err := d.pid1.RealPath(strings.Fields(g.process + " -")[0]); err == nil && strings.HasPrefix(path.Base(real), "busybox") {
			tty = "/dev/" + console // what \l is for BusyBox: loginutils/getty.c
		}
		text, cites := s.issue(tty)
		prompt := s.host.Name + " login:"
		d.k.Emit(trace.Step{Actor: "getty", Stage: trace.Userspace, Kind: "init.login", Rule: "agetty(8)", Cause: g.step, Cites: cites,
			Args: map[string]string{"tty": console, "prompt": prompt}, Console: "\n" + text + prompt + " "},
			machine.Set{Table: trace.CPU, ID: "cpu0", Row: trace.Row{"mode": "long", "what": "idle"}})
		d.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Message: prompt})
		return
	}
	if last == "" || len(d.gettys) == 0 && len(d.running) == 0 {
		d.cannotKnow(trace.Userspace, trace.Why("unknown.purpose"))
		return
	}
	d.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Message: last})
}
