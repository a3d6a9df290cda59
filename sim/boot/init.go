package boot

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/exe/initprog"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// stage is where PID 1 is.
func (x *linux) stage() trace.Stage {
	if x.pid1.Stage == "" {
		return trace.Kernel
	}
	return x.pid1.Stage
}

// firstProgram hands over to what became PID 1 of the real root: the program that the links of name
// end at decides which init this is. asked tells whether the command line names it.
func (x *linux) firstProgram(name string, asked bool) {
	x.pid1.Stage = trace.Init
	x.unsure = nil // what was not found on the way here was not needed
	exe := x.pid1.Exe
	if exe == "" {
		exe, _ = x.pid1.RealPath(name)
	}
	x.facts.Init = exe
	root := x.rootFS()
	kind := initprog.Kind(exe, func(p string) bool { _, err := x.pid1.Stat(p); return err == nil })
	x.pid1.Actor = path.Base(name)
	st := trace.Step{Actor: x.pid1.Actor, Stage: trace.Init, Kind: "init.start", Rule: "init(8)", Args: map[string]string{"path": name, "exe": exe, "kind": kind}}
	if shell, options, script := x.shebang(name); script {
		st.Args["kind"] = initprog.Script
		x.scriptAsInit(name, shell, options, st)
		return
	}
	if _, _, ok := x.execlineScript(name); ok {
		st.Args["kind"] = initprog.Execline
		x.execlineAsInit(name, st)
		return
	}
	if applet := path.Base(name); kind == initprog.BusyBox && applet != "init" && applet != "linuxrc" && path.Base(exe) != applet {
		kind = initprog.Other // BusyBox is what its name says: another applet is no init
		if initprog.IsShell(applet) {
			kind = initprog.Shell
		}
		st.Args["kind"] = kind
	}
	switch kind {
	case initprog.Systemd:
		x.systemd(x.k, x.pid1, root)
		return
	case initprog.Shell:
		x.shellAsInit(st, name, exe, asked)
		return
	}
	x.m.Emit(st)
	switch kind {
	case initprog.Sysvinit, initprog.SysvRC:
		x.sysvinit(exe)
		return
	case initprog.BusyBox:
		x.busyboxInit(exe)
		return
	case initprog.Runit:
		x.runit(exe)
		return
	case initprog.Dinit:
		x.dinit(exe)
		return
	case initprog.S6:
		x.s6(exe)
		return
	}
	if x.endsAtOnce(trace.Init, name, exe) {
		return
	}
	x.cannotKnow(trace.Init, trace.Why("unknown.other-init", "path", exe))
}

// endsAtOnce plays programs that do nothing but print and end: true(1), false(1), echo(1), of coreutils or
// BusyBox. As process 1 they take the machine with them.
func (x *linux) endsAtOnce(stage trace.Stage, name, exe string) bool {
	applet, base := path.Base(name), path.Base(exe)
	status, text := 0, ""
	switch {
	case base != applet && base != "busybox":
		return false
	case applet == "true":
	case applet == "false":
		status = 1
	case applet == "echo":
		text = strings.Join(x.initArgs, " ") + "\n"
	default:
		return false
	}
	x.m.Emit(trace.Step{Actor: applet, Stage: stage, Kind: "init.ends", Console: text, Rule: applet + "(1); _exit(2)", Cites: x.pid1.Evidence(name),
		Args: map[string]string{"path": name, "exe": exe, "status": strconv.Itoa(status)}})
	x.pid1.Actor = "linux"
	x.panic(fmt.Sprintf("Attempted to kill init! exitcode=0x%08x", status<<8), "kernel/exit.c, do_exit")
	return true
}

// rootFS is the volume that is the root now; nil when it is the initramfs.
func (x *linux) rootFS() fsys.FS {
	if b, ok := x.device(strings.TrimPrefix(x.facts.Root, "/dev/")); ok {
		return b.volumeFS()
	}
	return x.initrd
}

// shellAsInit is a shell as PID 1. Nothing of the system is started; whoever named the shell on the
// command line wanted that, else it is the last resort of a start that found no init.
func (x *linux) shellAsInit(st trace.Step, name, exe string, asked bool) {
	st.Kind, st.Rule = "init.shell", "sh(1), interactive shell"
	prompt := "# "
	line := ""
	if path.Base(exe) == "dash" {
		// dash's jobs.c: without a controlling terminal, which PID 1 never has
		line = name + ": 0: can't access tty; job control turned off"
		st.Console = line + "\n"
	}
	if strings.HasPrefix(path.Base(exe), "busybox") {
		in := (&initd{linux: x}).newProcess(name, &budget{})
		kind := x.shellAt(name)
		greeting, cites := in.greets(kind, name)
		at := strings.Replace(greeting, "\n"+path.Base(name)+": can't", "\n"+name+": can't", 1) // it says the name that it was called by
		prompt = in.prompt(kind)
		line, st.Console, st.Cites = name+": can't access tty; job control turned off", at, append(st.Cites, cites...)
	}
	st.Console += prompt
	x.m.Emit(st, machine.Set{Table: trace.CPU, ID: "cpu0", Row: trace.Row{"mode": "long", "what": exe}})
	if asked {
		x.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Init, Message: strings.TrimSpace(line + "\n" + prompt)})
		return
	}
	if line == "" {
		line = prompt
	}
	x.stop(trace.Init, line)
}

// say appends a step of PID 1 with a line for the console.
func (x *linux) say(kind trace.Kind, line string, args map[string]string, rule string, cites []blob.Cite) {
	st := trace.Step{Actor: x.pid1.Actor, Stage: trace.Init, Kind: kind, Args: args, Rule: rule, Cites: cites}
	if line != "" {
		st.Console = line + "\n"
	}
	x.k.Emit(st)
}
