package boot

import (
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// end looks at what the start came to: a login prompt, a shell for repairs, or a halt on the way.
func (x *sysd) end() {
	if x.m.Ended() {
		return
	}
	if left := x.mgr.Jobs(); len(left) > 0 && !x.finished {
		x.stuck(left)
		return
	}
	if x.shell != nil {
		x.repairShell()
		return
	}
	if x.target.State != systemd.Active {
		x.conclude("Dependency failed for " + x.target.Label(x.format) + ".")
		return
	}
	x.login()
}

// stuck: jobs are left and nothing will happen any more, as with a device that no timeout ends.
func (x *sysd) stuck(left []*systemd.Job) {
	j := left[0]
	for _, o := range left {
		if o.Running {
			j = o
			break
		}
	}
	text := "Job " + j.Unit.ID + "/" + string(j.Type) + " running"
	x.emit(trace.Step{Kind: "systemd.stuck", Stage: trace.Userspace, Rule: "systemd.unit(5) JobTimeoutSec=", Args: map[string]string{"unit": j.Unit.ID, "jobs": strconv.Itoa(len(left))},
		Cites: j.Why.Cites(), Console: x.line("*     ", text, true)})
	x.conclude(text)
}

// conclude ends a start that did not come to its target, with the last words; unknown when what failed
// rests on something that the image does not say.
func (x *sysd) conclude(text string) {
	if x.unsure != nil {
		x.cannotKnow(x.stage(trace.Userspace), x.unsure)
		return
	}
	x.stop(x.stage(trace.Userspace), text)
}

// login is the prompt on the console that the run shows: the last console= of the kernel.
func (x *sysd) login() {
	all := x.consoles()
	console := all[len(all)-1]
	unit := "serial-getty@" + systemd.EscapePath(console) + ".service"
	tty := console
	if strings.HasPrefix(console, "tty") && strings.Trim(console[3:], "0123456789") == "" {
		unit, tty = "getty@tty1.service", "tty1"
	}
	g := x.mgr.Get(unit)
	if g == nil || g.State != systemd.Active {
		x.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Step: x.steps[x.target],
			Message: "Reached target " + x.target.Label(x.format) + "."})
		return
	}
	text, cites := x.issue(tty)
	prompt := x.host.Name + " login:"
	x.emit(trace.Step{Kind: "systemd.login", Stage: trace.Userspace, Rule: "agetty(8)", Cause: x.steps[g], Cites: cites,
		Args: map[string]string{"tty": tty, "unit": g.ID, "prompt": prompt}, Console: "\n" + text + prompt + " "},
		machine.Set{Table: trace.CPU, ID: "cpu0", Row: trace.Row{"mode": "long", "what": "idle"}})
	x.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Userspace, Message: prompt})
}

// repairShell is emergency or rescue mode: sulogin on the console. It ends well when that was asked for.
// An initramfs may have a script of its own for it, as dracut's has.
func (x *sysd) repairShell() {
	if start := x.shell.Service.Start; x.early() != nil && len(start) > 0 {
		if _, _, script := x.early().shebang(start[0].Path); script {
			if x.effect(x.shell, start[0]); !x.m.Ended() {
				x.conclude(emergencyMode)
			}
			return
		}
	}
	mode := strings.TrimSuffix(x.shell.ID, ".service")
	head := "You are in " + mode + " mode. After logging in, type \"journalctl -xb\" to view\n" +
		"system logs, \"systemctl reboot\" to reboot, \"systemctl default\" or \"exit\"\nto boot into default mode.\n"
	prompt, cites := x.sulogin()
	st := trace.Step{Kind: "systemd.repair-shell", Stage: trace.Userspace, Rule: "sulogin(8)", Cause: x.steps[x.shell], Cites: cites,
		Args: map[string]string{"mode": mode, "prompt": prompt}, Console: head + prompt}
	x.emit(st)
	message, _, _ := strings.Cut(head, ".")
	if x.target.ID == mode+".target" && !x.fellBack {
		x.m.End(trace.Outcome{Verdict: trace.Works, Stage: x.stage(trace.Userspace), Message: message + "."})
		return
	}
	x.conclude(message + ".")
}

// sulogin asks for root's password, or not when there is none; with a locked account nobody gets in.
func (x *sysd) sulogin() (string, []blob.Cite) {
	text, cites, err := x.small("/etc/shadow")
	if err != nil {
		return "Press Enter for maintenance\n(or press Control-D to continue): ", nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Split(line, ":")
		if len(f) < 2 || f[0] != "root" {
			continue
		}
		for i := range cites {
			cites[i].Value = "root:…" // no password hash in a trace
		}
		switch {
		case f[1] == "":
			return "Press Enter for maintenance\n(or press Control-D to continue): ", cites
		case f[1][0] == '*' || f[1][0] == '!':
			return "\nCannot open access to console, the root account is locked.\nSee sulogin(8) man page for more details.\n\nPress Enter to continue.\n", cites
		}
		return "Give root password for maintenance\n(or press Control-D to continue): ", cites
	}
	return "Press Enter for maintenance\n(or press Control-D to continue): ", nil
}
