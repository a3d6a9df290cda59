package boot

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// systemdInitramfs is systemd as /init of an initramfs: dracut's and mkinitcpio's images, when they are made
// that way. It mounts the root, gives it the place of the initramfs, and systemd of the root goes on as the
// same process. bootup(7), "Bootup in the initrd".
func (x *linux) systemdInitramfs() {
	_, err := x.pid1.Stat("/etc/initrd-release")
	x.systemdIn(x.k, x.pid1, x.initrd, sysdMode{initrd: err == nil, early: x, switchRoot: x.switchedRoot})
	if !x.m.Ended() {
		x.cannotKnow(x.stage(), trace.Why("unknown.after-initramfs"))
	}
}

// early is the initramfs that systemd runs in, nil when it runs in the real root.
func (x *sysd) early() *linux {
	if x.mode.initrd {
		return x.mode.early
	}
	return nil
}

// stage is where systemd's steps belong.
func (x *sysd) stage(otherwise trace.Stage) trace.Stage {
	if x.mode.initrd {
		return trace.Initramfs
	}
	return otherwise
}

// runGenerators runs those generators that are scripts, as systemd does before it reads units.
// systemd.generator(7): the three arguments are the directories for what they write.
func (x *sysd) runGenerators(env systemd.Env) []string {
	if x.early() == nil {
		return nil
	}
	var ran []string
	for _, name := range systemd.OtherGenerators(env) {
		for _, dir := range [...]string{"/etc", "/usr/local/lib", "/lib", "/usr/lib"} {
			file := dir + "/systemd/system-generators/" + name
			if _, _, script := x.early().shebang(file); !script {
				continue
			}
			for _, d := range [...]string{"", ".early", ".late"} {
				x.early().quietly(func() { x.pid1.MkdirAll("/run/systemd/generator"+d, 0o755) })
			}
			s := x.script(nil, &sink{kind: "null"}, &sink{kind: "kmsg"})
			s.program([]string{file, "/run/systemd/generator", "/run/systemd/generator.early", "/run/systemd/generator.late"})
			if s.b.gaveUp == nil {
				ran = append(ran, name)
			} else {
				x.doubt(s.b.gaveUp)
			}
			break
		}
	}
	return ran
}

// script is a shell for a program of the initramfs that is a script. When a line of it cannot be known, the
// script is left there and counts as having succeeded.
func (x *sysd) script(u *systemd.Unit, stdout, stderr *sink) *shProcess {
	in := &shProcess{x: x.early(), b: &budget{soft: true, early: true, hook: x.scriptHook}, kind: shellKind{path: "/bin/sh", name: "dash"}, name: "systemd", cwd: "/",
		vars: map[string]string{"IFS": " \t\n", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "OPTIND": "1", "PWD": "/"}, exported: map[string]bool{"PATH": true},
		funcs: map[string]function{}, stdout: stdout, stderr: stderr, stdin: &input{}}
	if u != nil {
		for _, e := range u.Environment() {
			if name, value, ok := strings.Cut(e, "="); ok {
				in.vars[name], in.exported[name] = value, true
			}
		}
	}
	return in
}

// output is where a service's standard output or error goes. systemd.exec(5) StandardOutput=.
func (x *sysd) output(u *systemd.Unit, key, otherwise string, words []string) *sink {
	e, _, ok := u.Setting("Service", key)
	value := e.Value
	if !ok || value == "" {
		value = otherwise
	}
	switch {
	case value == "tty" || value == "inherit" && u.Service.StandardInput != "" && u.Service.StandardInput != "null":
		return &sink{kind: "console"}
	case strings.HasSuffix(value, "+console"):
		// journald-console.c: the identifier and the process, with the kernel's time before it
		return &sink{kind: "console", tag: path.Base(words[0]) + "[" + strconv.Itoa(x.nextPID()) + "]: "}
	}
	return &sink{kind: "null"} // the journal
}

func (x *sysd) nextPID() int { return 100 + len(x.facts.Units) }

// effect is what a program of a unit does to the start, where that is known: scripts are followed, of
// programs it is what their manuals say. It tells whether the program ends.
func (x *sysd) effect(u *systemd.Unit, c systemd.Command) (ends bool) {
	if x.early() == nil {
		return true
	}
	if len(c.Argv) > 0 && path.Base(c.Path) == "systemctl" {
		x.systemctl(u, c.Argv)
		return true
	}
	if _, _, script := x.early().shebang(c.Path); !script {
		return true
	}
	in := x.script(u, x.output(u, "StandardOutput", "journal", c.Argv), x.output(u, "StandardError", "inherit", c.Argv))
	was := x.pid1.Actor
	x.pid1.Actor, x.pid1.Quiet = path.Base(c.Path), true
	in.program(append([]string{c.Path}, c.Argv[1:]...))
	x.pid1.Actor, x.pid1.Quiet = was, false
	if in.b.blocked {
		return false
	}
	if in.b.gaveUp != nil && !x.m.Ended() {
		x.doubt(in.b.gaveUp)
		x.emit(trace.Step{Kind: "systemd.script-assumed", Rule: "systemd.service(5) ExecStart=", Cites: c.File.Cite(c.Entry),
			Args: map[string]string{"unit": u.ID, "path": c.Path}, Assumed: []*trace.Reason{in.b.gaveUp}})
	}
	return true
}

// scriptHook answers for programs that speak to PID 1 or that mean something else under systemd.
func (x *sysd) scriptHook(in *shProcess, found string, words []string) (ctl, bool) {
	switch path.Base(words[0]) {
	case "systemctl":
		if blocks := x.systemctl(nil, words); blocks {
			in.b.blocked = true
			return in.end("unknown.happens-after", "command", strings.Join(words, " ")), true
		}
		return in.ok(), true
	case "systemd-escape":
		return x.escape(in, words[1:]), true
	case "sulogin":
		x.initrdShell(in)
		return ctlEnd, true
	}
	return ctlNone, false
}

// escape is systemd-escape(1).
func (x *sysd) escape(in *shProcess, args []string) ctl {
	isPath, suffix := false, ""
	for _, a := range args {
		switch {
		case a == "-p" || a == "--path":
			isPath = true
		case strings.HasPrefix(a, "--suffix="):
			suffix = "." + strings.TrimPrefix(a, "--suffix=")
		case strings.HasPrefix(a, "-"):
		case isPath:
			in.out("%s\n", systemd.EscapePath(a)+suffix)
		default:
			in.out("%s\n", systemd.Escape(a)+suffix)
		}
	}
	return in.ok()
}

// systemctl does what systemctl(1) asks of PID 1. It tells whether the caller waits.
func (x *sysd) systemctl(by *systemd.Unit, argv []string) (waits bool) {
	var words []string
	waits = true
	for _, w := range argv[1:] {
		if w == "--no-block" {
			waits = false
		} else if !strings.HasPrefix(w, "-") {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return false
	}
	switch verb := words[0]; verb {
	case "daemon-reload":
		x.reload()
		return false
	case "switch-root":
		x.askSwitch(by, words[1:])
		return false
	case "start", "isolate", "stop":
		for _, name := range words[1:] {
			x.request(by, verb, name)
		}
		return waits
	}
	return false
}

// request queues what somebody asks PID 1 for over D-Bus.
func (x *sysd) request(by *systemd.Unit, verb, name string) {
	u := x.mgr.Load(name)
	if u == nil {
		return
	}
	typ, mode := systemd.Start, systemd.Replace
	if verb == "isolate" {
		mode = systemd.Isolate
	} else if verb == "stop" {
		typ = systemd.Stop
	}
	txn, err := x.queue(u, typ, mode)
	st := trace.Step{Kind: "systemd.request", Rule: "systemctl(1)", Args: map[string]string{"unit": u.ID, "verb": verb}}
	if by != nil {
		st.Args["by"], st.Cause = by.ID, x.steps[by]
	}
	if err != nil {
		st.Kind, st.Args["error"] = "systemd.request-refused", err.Error()
	} else {
		st.Args["jobs"] = strconv.Itoa(len(txn.Jobs))
	}
	st.Cites = unitCites(u)
	x.emit(st)
}

// reload is systemctl daemon-reload. In an initramfs its purpose is that /etc/fstab of the real root counts.
func (x *sysd) reload() {
	if x.early() == nil {
		return
	}
	var names []string
	for _, u := range x.mgr.SysrootFstab() {
		names = append(names, u.ID)
	}
	x.emit(trace.Step{Kind: "systemd.reload", Rule: "initrd-parse-etc.service", Args: map[string]string{"made": strings.Join(names, " "), "count": strconv.Itoa(len(names))}})
}

// askSwitch is systemctl switch-root ROOT [INIT]: the init of the command line counts when none is named.
func (x *sysd) askSwitch(by *systemd.Unit, args []string) {
	root, init := "/sysroot", ""
	if len(args) > 0 {
		root = args[0]
	}
	if len(args) > 1 {
		init = args[1]
	} else if v, ok := x.params.Get("init"); ok {
		init = v
	}
	if real, err := x.pid1.RealPath(path.Join(root, init)); init != "" && err == nil && path.Base(real) == "systemd" {
		init = "" // "If the passed init is actually the same as the systemd binary, then let's suppress it."
	}
	if !x.isSystem(root) {
		st := trace.Step{Kind: "systemd.request-refused", Rule: "systemd src/core/dbus-manager.c, method_switch_root",
			Args: map[string]string{"unit": root, "verb": "switch-root", "error": "Specified switch root path '" + root + "' does not seem to be an OS tree. os-release file is missing."}}
		if by != nil {
			st.Args["by"], st.Cause, st.Cites = by.ID, x.steps[by], unitCites(by)
		}
		x.emit(st)
		x.refused = true
		return
	}
	x.newRoot, x.newInit = root, init
	x.later(costSystemdEvent, onOther, nil, func() { x.leave(by) })
}

// isSystem tells whether a tree holds an operating system: one of its os-release files is the flag. os-release(5);
// systemd src/basic/os-util.c, path_is_os_tree
func (x *sysd) isSystem(root string) bool {
	for _, file := range [...]string{"/etc/os-release", "/usr/lib/os-release"} {
		if _, err := x.pid1.Stat(root + file); err == nil {
			return true
		}
	}
	return false
}

// leave gives the real root the place of the initramfs, with the kernel's file systems that are mounted.
// switch-root.c, then manager_send_reload's counterpart in main.c: "--switched-root --deserialize".
func (x *sysd) leave(by *systemd.Unit) {
	t := x.pid1
	st := trace.Step{Kind: "systemd.switch-root", Rule: "systemctl(1) switch-root", Args: map[string]string{"root": x.newRoot, "init": x.newInit}}
	if by != nil {
		st.Cause, st.Cites = x.steps[by], unitCites(by)
	}
	x.emit(st)
	x.left = true
	x.killAll()
	for _, dir := range [...]string{"/dev", "/proc", "/sys", "/run"} {
		if x.mountPoint(dir) {
			if _, err := t.Stat(x.newRoot + dir); err == nil {
				t.MoveMount(dir, x.newRoot+dir)
			}
		}
	}
	t.Chdir(x.newRoot)
	if err := t.MoveMount(".", "/"); err != nil {
		x.doubt(trace.Why("unknown.root-move").For(kernel.Because(err)))
	}
	t.Chroot(".")
	t.Chdir("/")
}

// killAll ends the processes of the initramfs: "everything that is not marked with an @ gets SIGTERM".
func (x *sysd) killAll() {
	x.early().quietly(func() {
		for _, u := range x.chart.order {
			if p := x.procs[u]; p != nil {
				p.Exit(0)
			}
		}
	})
}

// switchedRoot goes on in the real root: systemd is executed again and told what was running.
func (x *linux) switchedRoot(old *sysd, _ string) {
	mode := sysdMode{early: x}
	for _, u := range old.mgr.Units() {
		if u.ID == "sysroot.mount" || u.ID == "-.mount" || u.Type == "slice" {
			continue
		}
		switch p := old.procs[u]; {
		case p != nil && u.Service != nil && u.Service.Restart == "always":
			mode.restart = append(mode.restart, u.ID)
		case p != nil:
		case u.State == systemd.Active:
			mode.carried = append(mode.carried, u.ID)
		case u.State == systemd.Activating:
			mode.finishing = append(mode.finishing, u.ID)
		}
	}
	x.pid1.Stage = trace.Init
	next := func(name string, argv ...string) bool {
		return x.pid1.Execve(name, append([]string{name}, argv...), initEnv()) == nil
	}
	if old.newInit != "" {
		if next(old.newInit) {
			x.firstProgram(old.newInit, true)
			return
		}
	} else if x.access("/lib/systemd/systemd") == nil || x.access("/usr/lib/systemd/systemd") == nil {
		// The program is the one that runs already, by its compiled-in name.
		name := "/lib/systemd/systemd"
		if x.access(name) != nil {
			name = "/usr/lib/systemd/systemd"
		}
		if next(name, "--switched-root", "--system", "--deserialize") {
			x.facts.Init = x.pid1.Exe
			x.systemdIn(x.k, x.pid1, x.rootFS(), mode)
			return
		}
	}
	for _, name := range [...]string{"/sbin/init", "/bin/init", "/bin/sh"} {
		if next(name) {
			x.firstProgram(name, false)
			return
		}
	}
	x.panic("Attempted to kill init! exitcode=0x00000100", "kernel/exit.c, do_exit")
}

// emergencyMode is what dracut's emergency shell says first.
const emergencyMode = "Entering emergency mode. Exit the shell to continue."

// initrdShell is the shell of the emergency mode of an initramfs.
func (x *sysd) initrdShell(in *shProcess) {
	prompt := strings.ReplaceAll(in.vars["PS1"], "${PWD}", in.cwd)
	if prompt == "" {
		prompt = "# "
	}
	text, cites := x.sulogin()
	x.emit(trace.Step{Kind: "systemd.initrd-shell", Rule: "sulogin(8)", Cites: cites, Args: map[string]string{"prompt": prompt}, Console: text})
	x.m.End(x.shellOutcome(in))
}

func (x *sysd) shellOutcome(in *shProcess) trace.Outcome {
	if _, asked := x.params.Get("rd.break"); asked || x.params.Has("rd.break") {
		return trace.Outcome{Verdict: trace.Works, Stage: trace.Initramfs, Message: emergencyMode}
	}
	if x.unsure != nil || in.x.unsure != nil {
		return trace.Outcome{Verdict: trace.Unknown, Stage: trace.Initramfs, Unknown: cmp.Or(x.unsure, in.x.unsure)}
	}
	return trace.Outcome{Verdict: trace.Stops, Stage: trace.Initramfs, Message: emergencyMode}
}

// coldplugInitrd has the modules of the devices loaded that udev is told of.
func (x *sysd) coldplugInitrd() {
	if l := x.early(); l != nil {
		l.udevd = true
		x.later(costSystemdDevice/2, onOther, nil, func() {
			s := x.script(nil, &sink{kind: "null"}, &sink{kind: "null"})
			s.coldplug()
			if s.b.gaveUp != nil { // in a program that a rule runs
				x.doubt(s.b.gaveUp)
			}
			x.announce()
		})
	}
}

// mountDriver has the kernel load the driver of a file system from the initramfs; it tells whether it is there.
func (x *sysd) mountDriver(fstype string) error {
	l := x.early()
	if l == nil || fstype == "" {
		return nil
	}
	switch x.script(nil, &sink{kind: "null"}, &sink{kind: "null"}).needFS(fstype) {
	case no:
		return kernel.ENODEV
	case unknown:
		x.doubt(trace.Why("unknown.fs-builtin", "fstype", fstype, "version", x.early().version))
	}
	return nil
}

// mountedRoot notes the root file system, and has the driver say what it says.
func (x *sysd) mountedRoot(where, device, fstype string, readOnly bool, options string) {
	l := x.early()
	if l == nil {
		return
	}
	name := strings.TrimPrefix(device, "/dev/")
	if b, ok := l.device(name); ok {
		l.mounted(b, fstype, readOnly, options)
		if where == "/sysroot" {
			x.facts.Root = device
		}
	}
}

// resume brings back what the systemd before the switch of roots handed over.
func (x *sysd) resume() {
	for _, id := range x.mode.finishing {
		if u := x.mgr.Load(id); u != nil && u.LoadError() == nil {
			u.State = systemd.Activating
		}
	}
	for _, id := range x.mode.carried {
		if u := x.mgr.Get(id); u != nil && u.LoadError() == nil {
			x.started[u] = true
		}
	}
}

// handedOver tells whether a unit was started in the initramfs and not since: its bar is there.
func (x *sysd) handedOver(u *systemd.Unit) bool {
	return x.chart.runs[u] == nil && (slices.Contains(x.mode.carried, u.ID) || slices.Contains(x.mode.finishing, u.ID))
}

// restarts tells of the services that ended with the initramfs and are started anew: Restart=always.
func (x *sysd) restarts() {
	for _, id := range x.mode.finishing { // their programs have ended meanwhile: the first thing that PID 1 learns
		if u := x.mgr.Get(id); u != nil {
			if j := x.mgr.Job(u); j != nil && j.Type == systemd.Stop && !j.Running {
				j.Running = true
				x.perform(j)
			}
		}
	}
	for _, id := range x.mode.restart {
		u := x.mgr.Get(id)
		if u == nil || u.LoadError() != nil {
			continue
		}
		x.again = append(x.again, u)
		x.emit(trace.Step{Kind: "systemd.restart", Rule: "systemd.service(5) Restart=", Cites: unitCites(u), Args: map[string]string{"unit": u.ID},
			Console: x.log(x.m.Now(), logInfo, "%s: Scheduled restart job, restart counter is at 1.", u.ID)})
	}
}

// stopsFirst says that a service that is started anew was stopped before.
func (x *sysd) stopsFirst(u *systemd.Unit) {
	if i := slices.Index(x.again, u); i >= 0 {
		x.again = slices.Delete(x.again, i, i+1)
		x.emit(trace.Step{Kind: "systemd.stopped", Stage: trace.Userspace, Rule: "systemd.service(5) Restart=", Args: map[string]string{"unit": u.ID, "description": u.Description},
			Console: x.say(u, wordOK, "Stopped %s.", logInfo)})
	}
}

const (
	// From SIGTERM to the end of a daemon that has little to do: 100 ms (deb-dracut).
	costSystemdStop = 100 * time.Millisecond
	// From a request of systemctl --no-block to the end of the program: 160 ms (deb-dracut, initrd-cleanup).
	costSystemctl = 160 * time.Millisecond
)
