package boot

import (
	"strings"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// action does what a unit asks for when it ends well or fails: SuccessAction=, FailureAction= of systemd.unit(5).
// The way down is not followed: the run ends there.
func (x *sysd) action(u *systemd.Unit, key string) {
	e, f, ok := u.Setting("Unit", key)
	if !ok || e.Value == "none" || x.m.Ended() {
		return
	}
	verb, _, forced := strings.Cut(e.Value, "-")
	said := ""
	if verb == "exit" {
		verb = "poweroff" // only containers and the managers of users exit
		said = x.log(x.m.Now(), logNotice, "Doing \"poweroff\" action instead of an \"exit\" emergency action.")
	}
	last := map[string]string{"poweroff": "reboot: Power down", "reboot": "reboot: Restarting system", "halt": "reboot: System halted"}[verb]
	if last == "" {
		x.doubt(trace.Why("unknown.setting", "setting", key+"="+e.Value, "unit", u.ID))
		return
	}
	st := trace.Step{Kind: "systemd.action", Stage: trace.Userspace, Rule: "systemd.unit(5) " + key + "=", Cites: f.Cite(e), Cause: x.steps[u], Console: said,
		Args: map[string]string{"unit": u.ID, "setting": key + "=" + e.Value, "action": verb}}
	if target := x.mgr.Load(verb + ".target"); !forced && target != nil {
		if _, err := x.queue(target, systemd.Start, systemd.ReplaceIrreversibly); err != nil {
			x.doubt(trace.Why("unknown.unit-start", "unit", target.ID).For(kernel.Because(err)))
		}
	}
	n := x.emit(st)
	if key == "SuccessAction" {
		x.m.End(trace.Outcome{Verdict: trace.Works, Stage: x.stage(trace.Userspace), Step: n, Message: last})
		return
	}
	x.conclude(last)
}
