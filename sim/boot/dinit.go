package boot

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/dinit"
	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// dinitDirs are the directories where a system's dinit looks for descriptions of services: dinit(8), FILES.
func dinitDirs() []string {
	return []string{"/etc/dinit.d", "/run/dinit.d", "/usr/local/lib/dinit.d", "/lib/dinit.d"}
}

// dinitd follows dinit(8): it starts the service "boot" and all that this depends on. Services that do not
// wait for one another come up side by side; here one comes after the other.
type dinitd struct {
	*initd
	state   map[string]dinitState
	unsure  []*trace.Reason // services whose start cannot be known, and which may show a login prompt
	blocked bool            // the start cannot be followed any further
}

type dinitState int

const (
	dinitNew dinitState = iota
	dinitStarting
	dinitStarted
	dinitFailed
)

// dinit starts "boot", or "single" when the command line has that word: dinit(8), "OPTIONS".
func (x *linux) dinit(exe string) {
	x.pid1.Actor = "dinit"
	d := &dinitd{initd: &initd{linux: x, exe: exe, args: x.initArgs, env: map[string]string{}}, state: map[string]dinitState{}}
	d.own = d.programs
	target := "boot"
	if slices.Contains(x.initArgs, "single") {
		target = "single"
	}
	x.facts.Target = target
	x.say("dinit.start", "", map[string]string{"service": target}, "dinit(8)", nil)
	if missing := d.missing(target, map[string]bool{}); missing != "" {
		line := "dinit: " + missing + ": could not find service description."
		x.say("dinit.no-description", line, map[string]string{"service": missing, "target": target}, "dinit(8), dinit-service(5)", nil)
		x.stop(trace.Userspace, line)
		return
	}
	ok := d.service(target, 0)
	switch {
	case d.m.Ended():
	case d.blocked:
		d.cannotKnow(trace.Userspace, d.unsure[len(d.unsure)-1])
	case !ok:
		d.stop(trace.Userspace, "[FAILED] "+target)
	default:
		d.settle(target)
	}
}

// settle ends a start whose services are up.
func (d *dinitd) settle(target string) {
	console := d.terminal()
	shown := slices.ContainsFunc(d.gettys, func(g getty) bool { return g.tty == console || g.tty == "console" })
	if !shown && len(d.unsure) > 0 {
		d.cannotKnow(trace.Userspace, trace.Why("unknown.login", "console", console).For(d.unsure[0]))
		return
	}
	d.finish("[  OK  ] " + target)
}

// describe finds a service's description. A name with "@" is that of a description with an argument.
func (d *dinitd) describe(name string) (*dinit.Service, *source) {
	file, arg, instance := strings.Cut(name, "@")
	if name == "" || strings.Contains(name, "/") {
		return nil, nil
	}
	for _, dir := range dinitDirs() {
		if src, err := d.text(dir+"/"+file, maxRCScript); err == nil {
			s := dinit.Parse(src.text)
			if instance || strings.Contains(src.text, "$") {
				s.Unsure = append(s.Unsure, "the argument "+strconv.Quote(arg)+" and variables")
			}
			return s, src
		}
	}
	return nil, nil
}

// needs are the services that must have started before one, and those that it waits for. directories are
// beside the description: dinit-service(5), waits-for.d.
func (d *dinitd) needs(s *dinit.Service, src *source) (hard, soft []string) {
	hard, soft = append(slices.Clone(s.DependsOn), s.Milestone...), slices.Clone(s.WaitsFor)
	list := func(dirs []string) (out []string) {
		for _, dir := range dirs {
			if !path.IsAbs(dir) {
				dir = path.Join(path.Dir(src.path), dir)
			}
			entries, err := d.pid1.ReadDir(dir)
			if err != nil {
				d.doubt(trace.Why("unknown.dinit-dir", "path", dir).For(kernel.Because(err)))
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), ".") && len(out) < maxServices {
					out = append(out, e.Name())
				}
			}
		}
		slices.Sort(out)
		return out
	}
	return append(hard, list(s.NeedsDir)...), append(soft, list(s.WaitsDir)...)
}

// missing names a service without a description that one needs, directly or not: none of them can be loaded.
func (d *dinitd) missing(name string, seen map[string]bool) string {
	if seen[name] || len(seen) >= maxServices {
		return ""
	}
	seen[name] = true
	s, src := d.describe(name)
	if s == nil {
		return name
	}
	hard, _ := d.needs(s, src)
	for _, n := range hard {
		if m := d.missing(n, seen); m != "" {
			return m
		}
	}
	return ""
}

// service starts a service after what it depends on, and tells whether it came up.
func (d *dinitd) service(name string, depth int) bool {
	switch d.state[name] {
	case dinitStarted:
		return true
	case dinitFailed:
		return false
	case dinitStarting:
		return d.block(trace.Why("unknown.dinit-circle", "service", name))
	}
	if d.m.Ended() || d.blocked || depth > 200 {
		return false
	}
	s, src := d.describe(name)
	if s == nil {
		return d.block(trace.Why("unknown.dinit-waits", "service", name))
	}
	if len(s.Unsure) > 0 {
		return d.block(trace.Why("unknown.dinit-text", "path", src.path, "text", s.Unsure[0]))
	}
	d.state[name] = dinitStarting
	hard, soft := d.needs(s, src)
	for _, n := range soft {
		d.service(n, depth+1)
	}
	for _, n := range hard {
		if !d.service(n, depth+1) {
			if d.blocked || d.m.Ended() {
				return false
			}
			return d.fail(name, src, n)
		}
	}
	if d.blocked || d.m.Ended() {
		return false
	}
	return d.run(name, s, src)
}

// block says that the start cannot be followed beyond here.
func (d *dinitd) block(why *trace.Reason) bool {
	d.unsure, d.blocked = append(d.unsure, why), true
	return false
}

// fail is a service that does not come up because of one that it depends on.
func (d *dinitd) fail(name string, src *source, by string) bool {
	d.state[name] = dinitFailed
	d.k.Emit(trace.Step{Actor: "dinit", Stage: trace.Userspace, Kind: "dinit.dependency-failed", Rule: "dinit-service(5), depends-on", Cites: d.line(src, "depends-on"),
		Args: map[string]string{"service": name, "by": by}, Console: "[FAILED] " + name + "\n"}, serviceRow(name, name, "failed"))
	return false
}

// line cites a setting of a description, or its first line.
func (d *dinitd) line(src *source, name string) []blob.Cite {
	for _, v := range dinit.Parse(src.text).Settings {
		if v.Name == name {
			return src.cite(sh.Pos{Off: v.Off, End: v.End})
		}
	}
	return nil
}

// run starts one service. What is scripted has started when its command has ended well, a process as soon
// as it runs. dinit-service(5), type
func (d *dinitd) run(name string, s *dinit.Service, src *source) bool {
	st := trace.Step{Actor: "dinit", Stage: trace.Userspace, Kind: "dinit.start-service", Rule: "dinit-service(5), type", Cites: d.line(src, "command"),
		Args: map[string]string{"service": name, "type": s.Type, "command": strings.Join(s.Command, " ")}}
	status := 0
	switch {
	case s.Type == "internal":
		st.Cites = d.line(src, "type")
	case s.Type == "triggered":
		return d.block(trace.Why("unknown.dinit-triggered", "service", name))
	case s.Type != "process" && s.Type != "bgprocess" && s.Type != "scripted" || len(s.Command) == 0:
		return d.block(trace.Why("unknown.dinit-type", "path", src.path, "type", s.Type, "command", strings.Join(s.Command, " ")))
	default:
		d.m.Wait(costInitProgram)
		if _, err := d.executable(s.Command[0]); err != nil {
			status = 127
			st.Args["error"] = strerror(err)
		}
	}
	step := d.k.Emit(st, serviceRow(name, name, "starting"))
	if status == 0 && s.Type != "internal" {
		status = d.command(name, s, step)
	}
	if d.blocked || d.m.Ended() {
		return false
	}
	d.state[name] = dinitStarted
	result, state := "[  OK  ] ", "started"
	if status != 0 {
		d.state[name], result, state = dinitFailed, "[FAILED] ", "failed"
	} else {
		d.running = append(d.running, name)
		d.facts.Units = append(d.facts.Units, name)
	}
	d.k.Emit(trace.Step{Actor: "dinit", Stage: trace.Userspace, Kind: trace.Kind("dinit." + state), Rule: "dinit-service(5)", Cause: step, Console: result + name + "\n",
		Args: map[string]string{"service": name, "status": strconv.Itoa(status)}}, serviceRow(name, name, state))
	return status == 0
}

// command runs a service's command as far as the start depends on it.
func (d *dinitd) command(name string, s *dinit.Service, step int) int {
	base := path.Base(s.Command[0])
	switch {
	case isGetty(base):
		d.gettys = append(d.gettys, getty{tty: gettyTTY(s.Command[1:], name), process: strings.Join(s.Command, " "), step: step})
		return 0
	case s.Type == "scripted":
		return d.follow(name, s.Command)
	}
	if src, err := d.text(s.Command[0], maxRCScript); err == nil && strings.HasPrefix(src.text, "#!") && strings.Contains(src.text, "getty") {
		d.unsure = append(d.unsure, trace.Why("unknown.service-starts", "path", s.Command[0], "service", name))
	}
	d.process(base)
	return 0
}

// programs are those that come with dinit.
func (d *dinitd) programs(in *shProcess, found string, words []string) (ctl, bool) {
	if path.Base(found) == "hostname" && len(words) == 2 && !strings.HasPrefix(words[1], "-") {
		d.host = words[1]
		d.quietly(func() { _ = d.pid1.SetHostname(words[1]) }) // PID 1 may
		return in.ok(), true
	}
	return ctlNone, false
}
