package boot

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/execline"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// s6d is a start with s6: s6-svscan watches a directory of service directories and keeps an s6-supervise running for each,
// which keeps the service's program "run" running. What stands before it is a script, of execline or a shell, that ends in
// s6-svscan: s6's documentation, "How to run s6-svscan as process 1".
type s6d struct {
	*initd
	scandir   string
	up        int             // services that were started
	unsure    []*trace.Reason // services that may show a login prompt
	waiting   []func()        // processes in the background that wait for a reader of their fifo
	reads     bool            // a service reads a fifo
	service   bool            // what runs now is the program of a service
	asked     string          // what s6-svscanctl asked of s6-svscan
	protected string          // a service that does not end when it is asked to
	first     *budget         // of PID 1
}

// s6 is a program of s6 as PID 1.
func (x *linux) s6(exe string) {
	s := x.newS6(exe)
	s.process1(append([]string{exe}, x.initArgs...))
}

func (x *linux) newS6(exe string) *s6d {
	s := &s6d{initd: &initd{linux: x, exe: exe, args: x.initArgs, env: map[string]string{}}}
	for _, e := range x.params.InitEnv(kernelTakes) {
		name, value, _ := strings.Cut(e, "=")
		s.env[name] = value
	}
	s.own = s.programs
	return s
}

// execlineAsInit is a script of execline as PID 1; st says that it starts.
func (x *linux) execlineAsInit(name string, st trace.Step) {
	st.Kind, st.Rule = "s6.script", "execlineb(1)"
	if src, err := x.text(name, maxScript); err == nil {
		st.Cites = citeHead(src, 0, len(src.text))
	}
	x.m.Emit(st)
	x.newS6(name).process1(append([]string{name}, x.initArgs...))
}

// process1 runs a program as PID 1, which must not end.
func (s *s6d) process1(words []string) {
	s.first = &budget{soft: true, hook: s.hook, later: func(goOn func()) { s.waiting = append(s.waiting, goOn) }}
	in := s.newProcess("init", s.first)
	in.replaced = true
	in.program(words)
	switch {
	case s.m.Ended():
	case in.b.gaveUp != nil:
		s.cannotKnow(trace.Init, in.b.gaveUp)
	default:
		in.initExits()
	}
}

// elLeft notes a process in the background that is not followed further.
func (x *linux) elLeft(why *trace.Reason) {
	x.k.Emit(trace.Step{Actor: x.pid1.Actor, Stage: trace.Init, Kind: "init.assume-success", Rule: "background", Args: map[string]string{"script": x.pid1.Actor}, Assumed: []*trace.Reason{why}})
}

// programs are those that come with s6, and getty.
func (s *s6d) programs(in *shProcess, found string, words []string) (ctl, bool) {
	name := path.Base(found)
	if strings.HasPrefix(name, "busybox") {
		name = path.Base(words[0])
	}
	switch {
	case name == "s6-svscan":
		return s.svscan(in, found, words), true
	case name == "s6-svscanctl":
		return s.control(in, words), true
	case s.service && in.replaced && (name == "s6-log" || name == "sleep"):
		if name == "s6-log" && len(words) > 1 && strings.HasPrefix(words[1], "-") && strings.Contains(words[1], "p") {
			s.protected = path.Base(in.cwd) // s6-log -p: "protected mode … ignores SIGTERM"
		}
		return stays(in)
	case name == "s6-rc-init" || name == "s6-rc":
		return s.s6rc(in, words), true
	case name == "hostname" && len(words) > 1:
		return s.hostname(in, words)
	case name == "s6-svwait" || name == "s6-svc" || name == "s6-svok":
		return in.ok(), true
	case isGetty(name) || isGetty(path.Base(words[0])):
		s.gettys = append(s.gettys, getty{tty: gettyTTY(words[1:], path.Base(in.cwd)), process: strings.Join(words, " ")})
		return stays(in)
	case name == "s6-linux-init":
		return in.end("unknown.s6-linux-init", "path", found), true
	case s.service && in.replaced && !known(name) && s.machineCode(found):
		return stays(in)
	case in.b == s.first && in.replaced && !known(name) && s.machineCode(found):
		return in.end("unknown.program-does", "program", found), true // PID 1 becomes it
	}
	return ctlNone, false
}

// stays is a process that goes on by itself.
func stays(in *shProcess) (ctl, bool) {
	in.b.stays = true
	return ctlEnd, true
}

// machineCode tells whether a program is no script.
func (s *s6d) machineCode(name string) bool {
	_, ours := elPrograms(name)
	return !ours && !strings.HasPrefix(s.firstLine(name), "#!")
}

// hostname sets the name of the machine, from a file with -F. hostname(1)
func (s *s6d) hostname(in *shProcess, words []string) (ctl, bool) {
	name := words[1]
	if name == "-F" && len(words) == 3 {
		text, ok := in.readFile(words[2])
		if !ok {
			return ctlNone, false
		}
		name = strings.TrimSpace(text)
	}
	if strings.HasPrefix(name, "-") || name == "" {
		return ctlNone, false
	}
	s.host = name
	s.quietly(func() { _ = s.pid1.SetHostname(name) }) // PID 1 may
	return in.ok(), true
}

// s6rc is s6-rc, which brings up services from a database that s6-rc-compile has made.
func (s *s6d) s6rc(in *shProcess, words []string) ctl {
	database := "/etc/s6-rc/compiled"
	for i, w := range words[:len(words)-1] {
		if w == "-c" {
			database = words[i+1]
		}
	}
	why := trace.Why("unknown.s6-database", "path", database)
	s.doubt(why)
	s.unsure = append(s.unsure, why)
	return in.ok()
}

// control is s6-svscanctl: -t and its like tell s6-svscan to end.
func (s *s6d) control(in *shProcess, words []string) ctl {
	for _, w := range words[1:] {
		if strings.HasPrefix(w, "-") && strings.ContainsAny(w, "tbqi0678") {
			s.asked = w
		}
	}
	return in.ok()
}

// svscan is s6-svscan: it changes to the scan directory, makes .s6-svscan there and starts an s6-supervise for each directory
// whose name does not begin with a dot.
func (s *s6d) svscan(in *shProcess, exe string, words []string) ctl {
	e := &elRun{in: in, prog: "s6-svscan"}
	set, rest, bad := elOptions(execlineWords(words), "sS", "tcdX")
	if bad || len(rest) > 1 {
		return in.end("unknown.program-does", "program", "s6-svscan")
	}
	_ = set
	dir := in.cwd
	if len(rest) == 1 {
		dir = in.abs(rest[0].Text)
	}
	if fi, err := s.pid1.Stat(dir); err != nil || !fi.IsDir() {
		if err == nil {
			err = kernel.ENOTDIR
		}
		return e.die(111, "unable to chdir: "+strerror(err))
	}
	if err := s.lock(dir + "/.s6-svscan"); err != nil {
		return e.die(111, "unable to mkdir "+".s6-svscan: "+strerror(err))
	}
	s.pid1.Actor, s.scandir = "s6-svscan", dir
	s.facts.Target = dir
	names := s.directories(dir)
	s.say("s6.scan", "", map[string]string{"dir": dir, "count": strconv.Itoa(len(names)), "services": strings.Join(names, " ")}, "s6-svscan", s.pid1.Evidence(dir))
	for _, n := range names {
		if s.m.Ended() {
			return ctlEnd
		}
		s.supervise(in, exe, n, path.Join(dir, n))
	}
	s.stage2()
	if s.m.Ended() || in.b != s.first {
		return ctlEnd
	}
	if s.asked != "" {
		return s.finishScan(in, exe, dir)
	}
	s.settle()
	return ctlEnd
}

func execlineWords(words []string) []execline.Word {
	out := make([]execline.Word, len(words))
	for i, w := range words {
		out[i].Text = w
	}
	return out
}

// lock makes the directory in which s6-svscan and s6-supervise keep their state.
func (s *s6d) lock(dir string) (err error) {
	s.quietly(func() { err = s.pid1.Mkdir(dir, 0o700) })
	if errors.Is(err, kernel.EEXIST) {
		return nil
	}
	return err
}

// directories are the service directories, in the order of their names; s6-svscan takes them as they come and starts all at
// the same time.
func (s *s6d) directories(dir string) (names []string) {
	list, _ := s.pid1.ReadDir(dir)
	for _, entry := range list {
		fi, err := s.pid1.Stat(path.Join(dir, entry.Name()))
		if !strings.HasPrefix(entry.Name(), ".") && err == nil && fi.IsDir() && len(names) < maxServices {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}

// stage2 goes on with what waits for the reader of its fifo.
func (s *s6d) stage2() {
	waiting := s.waiting
	s.waiting = nil
	for _, goOn := range waiting {
		if !s.reads {
			s.unsure = append(s.unsure, trace.Why("unknown.fifo-reader"))
			return
		}
		was := s.pid1.Actor
		goOn()
		s.pid1.Actor = was
	}
}

// supervise is s6-supervise for one service and, when the directory has one, for its logger in log.
func (s *s6d) supervise(in *shProcess, svscan, name, dir string) {
	helper := s.supervisor(svscan)
	if _, err := s.executable(helper); err != nil {
		s.k.Emit(trace.Step{Actor: "s6-svscan", Stage: trace.Userspace, Kind: "s6.no-supervise", Rule: "s6-svscan", Args: map[string]string{"path": helper, "service": name, "error": strerror(err)},
			Console: s.shown(in.stderr, "s6-svscan (child): fatal: unable to exec "+helper+": "+strerror(err)+"\n")})
		return
	}
	out := in.stdout
	if fi, err := s.pid1.Stat(dir + "/log"); err == nil && fi.IsDir() {
		s.run(in, in.stdout, svscan, name+"/log", dir+"/log")
		out = &sink{kind: "null"} // a pipe to the logger
	}
	s.run(in, out, svscan, name, dir)
}

// supervisor is where s6-svscan looks for s6-supervise: its own text says it.
func (s *s6d) supervisor(svscan string) string {
	for _, prefix := range [...]string{"/usr/bin/", "/bin/", "/command/"} {
		if text, _ := s.textIn(svscan, prefix+"s6-supervise"); text != "" {
			return text
		}
	}
	return path.Join(path.Dir(svscan), "s6-supervise")
}

// shown is a text for the console, empty when it goes elsewhere.
func (s *s6d) shown(to *sink, text string) string {
	if to.kind != "console" {
		return ""
	}
	s.showed(text)
	return text
}

// run starts the program of a service, unless the directory has a file "down".
func (s *s6d) run(in *shProcess, out *sink, svscan, name, dir string) {
	st := trace.Step{Actor: "s6-supervise", Stage: trace.Userspace, Kind: "s6.start-service", Rule: "s6-supervise", Cites: s.pid1.Evidence(dir + "/run"),
		Args: map[string]string{"service": name, "path": dir + "/run"}}
	if _, err := s.pid1.Stat(dir + "/down"); err == nil {
		st.Kind = "s6.service-down"
		s.k.Emit(st, serviceRow(name, name, "down"))
		return
	}
	s.m.Wait(costInitProgram)
	if err := s.startable(in, dir+"/run"); err != nil {
		st.Kind, st.Args["error"] = "s6.cannot-start", strerror(err)
		who := "s6-supervise " + name + " (child)"
		if old, _ := s.textIn(s.supervisor(svscan), "s6-supervise (child)"); old != "" { // before s6 2.11
			who = "s6-supervise (child)"
		}
		st.Console = s.shown(in.stderr, "s6-supervise "+name+": warning: unable to spawn ./run - waiting 10 seconds\n"+who+": fatal: unable to exec run: "+strerror(err)+"\n")
		s.k.Emit(st, serviceRow(name, name, "failed"))
		return
	}
	step := s.k.Emit(st, serviceRow(name, name, "up"))
	s.up++
	s.running = append(s.running, name)
	s.facts.Units = append(s.facts.Units, name)
	s.program(in, out, name, dir, step)
}

// startable tells why execve(2) refuses a program.
func (s *s6d) startable(in *shProcess, name string) error {
	fi, err := s.pid1.Stat(name)
	switch {
	case err != nil:
		return err
	case !fi.Mode().IsRegular() || fi.Mode().Perm()&0o111 == 0:
		return kernel.EACCES
	}
	return (&elRun{in: in}).interpreted(name, 0)
}

// program follows a service's run script until it becomes a program that stays. One that ends is started again, after its
// script "finish" was run with the status: s6-supervise, "Detailed operation".
func (s *s6d) program(in *shProcess, out *sink, name, dir string, step int) {
	before := len(s.gettys)
	text := ""
	if src, err := s.text(dir+"/run", maxRCScript); err == nil {
		text = src.text
	}
	if strings.HasPrefix(text, "#!") && strings.Contains(text, "fifo") {
		s.reads = true
	}
	status, why := s.child(in, out, name, dir, []string{dir + "/run"})
	switch {
	case s.m.Ended():
	case len(s.gettys) > before:
		s.gettys[before].step = step
	case why != nil && *why != nil && strings.Contains(text, "getty"):
		s.unsure = append(s.unsure, *why)
	case why != nil:
		s.process(path.Base(name))
	default:
		s.ended(in, out, name, dir, status)
	}
}

// child runs a program in a service directory; why is nil when it has ended, else what it became or why it is not known.
func (s *s6d) child(in *shProcess, out *sink, name, dir string, words []string) (status int, why **trace.Reason) {
	c := in.child()
	c.b = &budget{soft: true, hook: s.hook, commands: s.used}
	c.cwd, c.vars["PWD"], c.name, c.stdout, c.src = dir, dir, name, out, nil
	was, wasService := s.pid1.Actor, s.service
	s.pid1.Actor, s.service = path.Base(name), true
	c.replaced = true // the child of s6-supervise becomes it
	c.program(words)
	s.pid1.Actor, s.service = was, wasService
	s.used = c.b.commands
	if c.b.gaveUp != nil || c.b.stays {
		return 0, &c.b.gaveUp
	}
	return c.status, nil
}

// ended is a service whose program has ended. A finish script that exits 125 asks not to start it again.
func (s *s6d) ended(in *shProcess, out *sink, name, dir string, status int) {
	s.k.Emit(trace.Step{Actor: "s6-supervise", Stage: trace.Userspace, Kind: "s6.service-ended", Rule: "s6-supervise", Args: map[string]string{"service": name, "status": strconv.Itoa(status)}})
	if s.startable(in, dir+"/finish") != nil {
		return
	}
	code, why := s.child(in, out, name, dir, []string{dir + "/finish", strconv.Itoa(status), "0", path.Base(name)})
	if why == nil && code == 125 {
		s.k.Emit(trace.Step{Actor: "s6-supervise", Stage: trace.Userspace, Kind: "s6.failed-for-good", Rule: "s6-supervise", Args: map[string]string{"service": name}}, serviceRow(name, name, "failed"))
	}
}

// finishScan ends s6-svscan, which waits for all of s6-supervise first: it becomes .s6-svscan/finish. Without one it exits 0;
// before s6 2.11 it took that for a crash too, and became .s6-svscan/crash.
func (s *s6d) finishScan(in *shProcess, exe, dir string) ctl {
	if s.protected != "" {
		s.say("s6.waits", "", map[string]string{"service": s.protected, "asked": s.asked}, "s6-svscan; s6-log, -p", nil)
		s.stop(trace.Userspace, s.lastLine())
		return ctlEnd
	}
	in.cwd, in.b.gaveUp = dir, nil
	old, _ := s.textIn(exe, "s6-svscan [ -S | -s ]")
	e := &elRun{in: in, prog: "s6-svscan"}
	for _, name := range [...]string{".s6-svscan/finish", ".s6-svscan/crash"} {
		err := s.startable(in, dir+"/"+name)
		switch {
		case err == nil:
			s.say("s6.becomes", "", map[string]string{"path": dir + "/" + name, "asked": s.asked}, "s6-svscan", s.pid1.Evidence(dir+"/"+name))
			words := []string{dir + "/" + name}
			if old != "" && path.Base(name) == "finish" {
				words = append(words, "reboot")
			}
			return in.program(words)
		case old == "" && errors.Is(err, kernel.ENOENT) && path.Base(name) == "finish":
			return in.ok()
		case path.Base(name) == "crash":
			return e.die(111, "unable to exec "+name+": "+strerror(err))
		}
		e.say("warning", "unable to exec finish script "+name+": "+strerror(err))
		e.say("warning", "executing into .s6-svscan/crash")
	}
	return ctlNone
}

// settle ends a start whose services run.
func (s *s6d) settle() {
	console := s.terminal()
	shown := slices.ContainsFunc(s.gettys, func(g getty) bool { return g.tty == console || g.tty == "console" })
	switch {
	case !shown && len(s.unsure) > 0:
		s.cannotKnow(trace.Userspace, trace.Why("unknown.login", "console", console).For(s.unsure[0]))
	case s.up == 0:
		s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Userspace, Message: s.lastLine()})
	default:
		s.finish("s6-svscan " + s.scandir)
	}
}
