package boot

import (
	"fmt"
	"strconv"
	"strings"

	"bootpath/sim/conf/inittab"
	"bootpath/sim/conf/sh"
	"bootpath/sim/exe/initprog"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// busyboxDefaults is the table without /etc/inittab: init/init.c, parse_inittab; examples/inittab.
func busyboxDefaults() []inittab.Entry {
	shell := func(tty string) inittab.Entry {
		return inittab.Entry{ID: tty, Action: "askfirst", Process: "-/bin/sh"}
	}
	return []inittab.Entry{{Action: "sysinit", Process: "/etc/init.d/rcS"}, shell(""), shell("tty2"), shell("tty3"), shell("tty4")}
}

// busyboxInit is BusyBox's init. It knows no runlevels: sysinit entries run first, then wait, then once,
// then it keeps respawn and askfirst entries alive.
func (x *linux) busyboxInit(exe string) {
	d := &initd{linux: x, exe: exe, busybox: true, prev: "N", level: "S"}
	table := busyboxDefaults()
	tab, err := x.text("/etc/inittab", maxInittab)
	if err != nil {
		x.say("init.default-inittab", "", map[string]string{"error": strerror(err)}, "BusyBox init, parse_inittab", nil)
	} else {
		var bad []inittab.Problem
		d.tab = tab
		table, bad = inittab.ParseBusybox(tab.text)
		for _, p := range bad {
			x.say("init.bad-entry", fmt.Sprintf("Bad inittab entry at line %d", p.Line), map[string]string{"line": strconv.Itoa(p.Line), "problem": p.Text},
				"BusyBox init, parse_inittab", tab.cite(sh.Pos{Off: p.Off, End: p.End}))
		}
	}
	for _, word := range x.initArgs {
		// "init single" or "init -s": a shell on the console instead of the table
		if word == "single" || word == "-s" || word == "1" {
			d.shellOnConsole("single", true)
			return
		}
	}
	for _, action := range [...]string{"sysinit", "wait", "once", "respawn"} {
		d.entries(table, func(e inittab.Entry) bool { return e.Action == action && !(action == "respawn" && isPlainShell(e)) })
		if d.m.Ended() {
			return
		}
	}
	d.consoleEntries(table)
}

// isPlainShell tells whether an entry keeps a shell running, which is a prompt like a getty's.
func isPlainShell(e inittab.Entry) bool {
	f := strings.Fields(strings.TrimLeft(e.Process, "-"))
	return len(f) > 0 && initprog.IsShell(f[0][strings.LastIndexByte(f[0], '/')+1:])
}

// consoleEntries is what the console shows in the end: a login prompt, a shell, or the offer of one.
func (d *initd) consoleEntries(table []inittab.Entry) {
	console := d.consoles()
	for _, g := range d.gettys {
		if g.tty == console || g.tty == "console" || console == "tty0" && g.tty == "tty1" {
			d.finish("")
			return
		}
	}
	for _, e := range table {
		if e.ID != "" && e.ID != console && e.ID != "console" && !(console == "tty0" && e.ID == "tty1") {
			continue
		}
		switch {
		case e.Action == "askfirst":
			d.askFirst(e)
			return
		case e.Action == "respawn" && isPlainShell(e):
			d.shellOnConsole(strings.TrimLeft(e.Process, "-"), true)
			return
		}
	}
	d.finish("")
}

// askFirst: "askfirst is just like respawn, except that before running the specified process it displays
// the line 'Please press Enter to activate this console.' and then waits for the user to press enter".
func (d *initd) askFirst(e inittab.Entry) {
	text := "Please press Enter to activate this console. "
	words := strings.Fields(strings.TrimLeft(e.Process, "-"))
	if _, err := d.executable(words[0]); err != nil {
		d.doubt(trace.Why("unknown.program-start", "path", words[0]).For(kernel.Because(err)))
	}
	st := trace.Step{Actor: d.pid1.Actor, Stage: trace.Userspace, Kind: "init.ask-first", Rule: "BusyBox init, askfirst",
		Args: map[string]string{"process": e.Process}, Assumed: d.doubts, Console: "\n" + text}
	if found, cites := d.textIn(d.exe, "Please press Enter to activate this console."); found != "" {
		st.Cites = cites
	}
	if d.tab != nil {
		st.Cites = append(st.Cites, d.tab.cite(sh.Pos{Off: e.Off, End: e.End})...)
	}
	d.k.Emit(st)
	d.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Message: strings.TrimSpace(text)})
}

// shellOnConsole is a shell that waits for commands.
func (d *initd) shellOnConsole(what string, asked bool) {
	prompt := "/ # "
	d.k.Emit(trace.Step{Actor: d.pid1.Actor, Stage: trace.Userspace, Kind: "init.console-shell", Rule: "BusyBox init",
		Args: map[string]string{"process": what, "prompt": strings.TrimSpace(prompt)}, Console: prompt})
	if asked {
		d.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Message: strings.TrimSpace(prompt)})
		return
	}
	d.stop(trace.Userspace, strings.TrimSpace(prompt))
}
