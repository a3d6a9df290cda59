package boot

import (
	"fmt"
	"path"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// perform runs one job. job_run_and_invalidate in job.c.
func (x *sysd) perform(j *systemd.Job) {
	u := j.Unit
	if by, _ := pulledIn(j); by != "" && j.Type == systemd.Start {
		x.chart.bar(u).PulledInBy = by
	}
	switch j.Type {
	case systemd.Stop:
		x.stopUnit(j)
	case systemd.VerifyActive:
		if u.State == systemd.Active {
			x.finish(j, systemd.Done)
		} else if u.State == systemd.Activating {
			x.later(costSystemdEvent, onOther, j, func() { x.perform(j) })
		} else {
			x.finish(j, systemd.Skipped)
		}
	default:
		x.startUnit(j)
	}
}

// startUnit is unit_start: conditions, then asserts, then what the type does.
func (x *sysd) startUnit(j *systemd.Job) {
	u := j.Unit
	if u.State == systemd.Active {
		x.finish(j, systemd.Done)
		return
	}
	if u.Type == "device" {
		x.startDevice(j)
		return
	}
	if v := x.judge(u.Conditions); v.a != yes {
		if v.a == no {
			x.skip(j, v)
			return
		}
		x.assume(u, v)
	}
	if v := x.judge(u.Asserts); v.a == no {
		x.assertFailed(j, v)
		return
	} else if v.a == unknown {
		x.assume(u, v)
	}
	// "BindsTo= … used in conjunction with After= on the same unit … the unit bound to strictly has to
	// be in active state" - systemd.unit(5)
	for _, e := range u.Deps(systemd.BindsTo) {
		if _, after := u.Has(systemd.After, e.To); after && e.To.State != systemd.Active {
			x.finishFor(j, systemd.Dependency, e)
			return
		}
	}
	switch u.Type {
	case "service":
		x.startService(j)
	case "mount":
		x.startMount(j)
	case "swap":
		x.startSwap(j)
	case "socket":
		x.active(j, "systemd.listening", "Listening on %s.")
	case "target":
		x.active(j, "systemd.reached", "Reached target %s.")
	case "slice":
		x.active(j, "systemd.slice", "Created slice %s.")
	case "automount":
		x.active(j, "systemd.automount", "Set up automount %s.")
	case "timer":
		x.active(j, "systemd.timer", "Started %s.")
	default:
		x.active(j, "systemd.started", "Started %s.")
	}
}

// pulledIn names what pulled a unit in, and its evidence.
func pulledIn(j *systemd.Job) (string, []blob.Cite) {
	if j.Cause == nil {
		return "", nil
	}
	return j.Cause.ID, j.Why.Cites()
}

// step begins a step about a unit's job.
func (x *sysd) step(kind trace.Kind, j *systemd.Job, rule string) trace.Step {
	u := j.Unit
	st := trace.Step{Kind: kind, Stage: trace.Userspace, Rule: rule, Args: map[string]string{"unit": u.ID, "description": u.Description}}
	if u.Fragment != "" {
		st.Args["file"] = u.Fragment
	}
	if by, cites := pulledIn(j); by != "" {
		st.Args["by"], st.Args["why"], st.Cites = by, j.Why.String(), cites
	}
	if n, ok := x.steps[u]; ok {
		st.Cause = n
	}
	return st
}

// say gives a unit's line its two forms: in the log, then on the console.
func (x *sysd) say(u *systemd.Unit, word, format string, level int) string {
	return x.log(x.m.Now(), level, format, u.Label(x.format)) + x.line(word, fmt.Sprintf(format, x.label(u)), level <= logWarning)
}

// begin tells that a start takes a while.
func (x *sysd) begin(j *systemd.Job, kind trace.Kind, format string, cites []blob.Cite) {
	u := j.Unit
	u.State = systemd.Activating
	x.markStarted(u)
	st := x.step(kind, j, manual(u))
	st.Cites = append(cites, st.Cites...)
	st.Console = x.say(u, wordNone, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "activating"))
}

// active tells that a unit is up, and ends its job.
func (x *sysd) active(j *systemd.Job, kind trace.Kind, format string) {
	u := j.Unit
	u.State = systemd.Active
	x.markStarted(u)
	st := x.step(kind, j, manual(u))
	st.Console = x.say(u, wordOK, format, logInfo)
	if len(st.Cites) == 0 {
		st.Cites = unitCites(u)
	}
	x.steps[u] = x.emit(st, unitRow(u, "active"))
	x.finish(j, systemd.Done)
}

func manual(u *systemd.Unit) string { return "systemd." + u.Type + "(5)" }

// markStarted keeps the order in which units left the inactive state.
func (x *sysd) markStarted(u *systemd.Unit) {
	if !x.started[u] {
		x.started[u] = true
		x.facts.Units = append(x.facts.Units, u.ID)
	}
}

// skip ends a job whose unit is not meant for this machine or moment. That is no failure.
func (x *sysd) skip(j *systemd.Job, v verdict) {
	u := j.Unit
	st := x.step("systemd.skipped", j, "systemd.unit(5), CONDITIONS AND ASSERTS")
	st.Args["condition"] = v.first.String()
	st.Cites = append(v.cites, st.Cites...)
	if because := v.because(x.version); because != "" {
		st.Console = x.log(x.m.Now(), logInfo, "%s was skipped because %s", u.Label(x.format), because)
	} else {
		st.Console = x.log(x.m.Now(), logInfo, "Condition check resulted in %s being skipped.", u.Label(x.format))
	}
	x.steps[u] = x.emit(st, unitRow(u, "skipped"))
	x.chart.bar(u).Condition = v.first.String()
	x.finish(j, systemd.Done)
}

// assume says that a condition cannot be known; the start goes on as if it were met.
func (x *sysd) assume(u *systemd.Unit, v verdict) {
	x.doubt("whether %s holds for %s", v.first, u.ID)
	x.emit(trace.Step{Kind: "systemd.condition-unknown", Stage: trace.Userspace, Rule: "systemd.unit(5), CONDITIONS AND ASSERTS",
		Args: map[string]string{"unit": u.ID, "condition": v.first.String()}, Cites: v.cites})
}

func (x *sysd) assertFailed(j *systemd.Job, v verdict) {
	u := j.Unit
	st := x.step("systemd.assert-failed", j, "systemd.unit(5), CONDITIONS AND ASSERTS")
	st.Args["condition"] = v.first.String()
	st.Cites = append(v.cites, st.Cites...)
	st.Console = x.log(x.m.Now(), logNotice, "%s: Starting requested but asserts failed.", u.ID) + x.say(u, wordAssert, "Assertion failed for %s.", logWarning)
	x.flip()
	x.steps[u] = x.emit(st, unitRow(u, "inactive"))
	x.finish(j, systemd.AssertFail)
}

// finish ends a job and tells what else ends with it.
func (x *sysd) finish(j *systemd.Job, r systemd.JobResult) {
	x.finishFor(j, r, systemd.Edge{})
}

// finishFor is finish with the dependency that decided.
func (x *sysd) finishFor(j *systemd.Job, r systemd.JobResult, because systemd.Edge) {
	ended := x.mgr.Finish(j, r)
	ended[0].Cause, ended[0].Why = because.To, because.Why
	if r == systemd.Dependency || r == systemd.Skipped {
		x.dependencyFailed(ended[0], x.jobsFailed(ended, 0))
	}
	x.fallout(ended)
}

// fallout tells what failed because the first of the ended jobs did.
func (x *sysd) fallout(ended []systemd.Ended) {
	for i, e := range ended {
		if i > 0 {
			x.dependencyFailed(e, x.jobsFailed(ended, i))
		}
	}
	for _, e := range ended {
		if failsByJob(e.Result) {
			x.onFailure(e.Job.Unit)
		}
	}
}

// failsByJob: these results are failures of the job; others are those of the unit, which tells itself.
func failsByJob(r systemd.JobResult) bool { return r == systemd.TimedOut || r == systemd.Dependency }

// jobsFailed are the lines about the jobs that are through with their dependents once ended[i] is:
// job_finish_and_invalidate fails those that need a job before it tells of the job itself.
func (x *sysd) jobsFailed(ended []systemd.Ended, i int) string {
	next := 0
	if i+1 < len(ended) {
		next = ended[i+1].Depth
	}
	var out strings.Builder
	depth := ended[i].Depth + 1
	for k := i; k >= 0; k-- {
		e := ended[k]
		if e.Depth >= depth || i+1 < len(ended) && e.Depth < next {
			continue
		}
		depth = e.Depth
		if failsByJob(e.Result) {
			out.WriteString(x.log(x.m.Now(), logNotice, "%[1]s: Job %[1]s/%s failed with result '%s'.", e.Job.Unit.ID, e.Job.Type, e.Result))
		}
	}
	return out.String()
}

func (x *sysd) dependencyFailed(e systemd.Ended, after string) {
	u := e.Job.Unit
	st := x.step("systemd.dependency-failed", e.Job, "systemd.unit(5) Requires=")
	word, format := wordDepend, "Dependency failed for %s."
	if e.Result == systemd.Skipped {
		st.Kind, st.Rule, word, format = "systemd.requisite-inactive", "systemd.unit(5) Requisite=", " INFO ", "%s is inactive."
	}
	if e.Cause != nil {
		st.Args["needs"], st.Args["why"] = e.Cause.ID, e.Why.String()
		st.Cites = append(e.Why.Cites(), st.Cites...)
		if n, ok := x.steps[e.Cause]; ok {
			st.Cause = n
		}
	}
	st.Console = x.say(u, word, format, logWarning) + after
	x.flip()
	x.steps[e.Job.Unit] = x.emit(st, unitRow(e.Job.Unit, "inactive"))
}

// onFailure starts what a failed unit names for that case. systemd.unit(5) OnFailure=.
func (x *sysd) onFailure(u *systemd.Unit) {
	for i, e := range u.Deps(systemd.OnFailure) {
		said := ""
		if i == 0 {
			said = x.log(x.m.Now(), logInfo, "%s: Triggering OnFailure= dependencies.", u.ID)
		}
		st := trace.Step{Console: said, Kind: "systemd.on-failure", Stage: trace.Userspace, Rule: "systemd.unit(5) OnFailure=", Cites: e.Why.Cites(),
			Args: map[string]string{"unit": u.ID, "starts": e.To.ID}}
		if n, ok := x.steps[u]; ok {
			st.Cause = n
		}
		txn, err := x.mgr.Queue(e.To, systemd.Start, u.OnFailureMode)
		if err != nil {
			st.Kind, st.Args["error"] = "systemd.on-failure-refused", err.Error()
			x.emit(st)
			continue
		}
		var rows []machine.Set
		for _, j := range txn.Jobs {
			rows = append(rows, unitRow(j.Unit, "queued"))
		}
		st.Args["jobs"] = fmt.Sprint(len(txn.Jobs))
		x.emit(st, rows...)
	}
}

// failed tells that a unit did not start, and ends its job.
func (x *sysd) failed(j *systemd.Job, r systemd.JobResult, st trace.Step, detail string, format string) {
	u := j.Unit
	u.State = systemd.Failed
	var out strings.Builder
	out.WriteString(detail)
	x.flip()
	word := wordFailed
	if r == systemd.TimedOut {
		word = wordTime
	}
	out.WriteString(x.say(u, word, format, logErr))
	if r == systemd.JobFailed {
		out.WriteString(x.line(wordNone, "See 'systemctl status "+u.ID+"' for details.", false))
	}
	st.Console = out.String()
	x.steps[u] = x.emit(st, unitRow(u, "failed"))
	if r == systemd.JobFailed {
		x.onFailure(u)
	}
	x.finish(j, r)
}

// startService is service_start: ExecCondition=, ExecStartPre=, then ExecStart= as its Type= says.
func (x *sysd) startService(j *systemd.Job) {
	u := j.Unit
	sv := u.Service
	x.stopsFirst(u)
	instant := (sv.Type == "simple" || sv.Type == "idle") && len(sv.Pre) == 0 && len(sv.Condition) == 0
	if instant || len(sv.Start) == 0 && sv.Type == "oneshot" && len(sv.Pre) == 0 {
		x.m.Wait(costSystemdFork)
		x.serviceUp(j)
		return
	}
	if x.passphrase(j) {
		return
	}
	if x.environmentMissing(u) != nil {
		x.serviceUp(j) // fails before it counts as starting
		return
	}
	x.begin(j, "systemd.starting", "Starting %s...", commandCites(sv.Start))
	x.m.Wait(costSystemdFork)
	takes, prio := time.Duration(0), onExit
	for _, list := range [][]systemd.Command{sv.Condition, sv.Pre, sv.Start} {
		for _, c := range list {
			takes += programCost(c.Path)
		}
	}
	switch sv.Type {
	case "notify", "notify-reload":
		prio = onNotify
	case "dbus":
		prio = onOther
	}
	if len(sv.Start) > 0 && path.Base(sv.Start[0].Path) == "systemd-fsck" {
		x.later(costSystemdFork, onOther, j, func() { x.traffic("systemd-fsckd.socket", u) })
	}
	x.later(takes, prio, j, func() { x.serviceUp(j) })
}

// traffic starts the service of a socket that a program connects to: systemd.socket(5). Which programs
// do is known where it is documented: systemd-fsck(8) reports to systemd-fsckd.service(8).
func (x *sysd) traffic(socket string, by *systemd.Unit) {
	u := x.mgr.Get(socket)
	if u == nil || u.State != systemd.Active || u.Socket == nil || u.Socket.Accept {
		return
	}
	service := x.mgr.Load(u.Socket.Service)
	if service == nil || service.State != systemd.Inactive || x.mgr.Job(service) != nil {
		return
	}
	if _, err := x.mgr.Queue(service, systemd.Start, systemd.Replace); err != nil {
		return
	}
	x.emit(trace.Step{Kind: "systemd.traffic", Stage: trace.Userspace, Rule: "systemd.socket(5)", Cites: unitCites(u), Cause: x.steps[by],
		Args: map[string]string{"unit": service.ID, "socket": u.ID, "by": by.ID}}, unitRow(service, "queued"))
}

func commandCites(list []systemd.Command) []blob.Cite {
	var out []blob.Cite
	for _, c := range list {
		out = append(out, c.File.Cite(c.Entry)...)
	}
	return out
}

// serviceUp tries the service's programs. What a program does is not known; one that can be executed is
// taken to succeed.
func (x *sysd) serviceUp(j *systemd.Job) {
	u := j.Unit
	sv := u.Service
	for _, list := range [][]systemd.Command{sv.Condition, sv.Pre} {
		for _, c := range list {
			if err := x.spawn(u, c, false); err != nil && !c.IgnoreFailure {
				x.execFailed(j, c, err, "Control")
				return
			}
		}
	}
	waits, asked := sv.Type != "simple" && sv.Type != "idle", false
	for _, c := range sv.Start {
		err := x.spawn(u, c, sv.Type != "oneshot")
		if x.blocked || x.m.Ended() {
			x.blocked = false
			return // the program waits for somebody: its unit stays as it is
		}
		if err == nil {
			asked = asked || x.early() != nil && path.Base(c.Path) == "systemctl"
			continue
		}
		if waits && !c.IgnoreFailure {
			x.execFailed(j, c, err, "Main")
			return
		}
		if !waits {
			// Type=simple counts as started once the process exists, before its program runs.
			x.serviceActive(j)
			x.mainFailed(u, c, err)
			return
		}
	}
	if asked { // what PID 1 was asked for begins before the program that asked has ended
		x.later(costSystemctl, onExit, j, func() { x.serviceActive(j) })
		return
	}
	x.serviceActive(j)
}

// serviceActive ends a start that worked.
func (x *sysd) serviceActive(j *systemd.Job) {
	u := j.Unit
	sv := u.Service
	u.State = systemd.Active
	x.markStarted(u)
	x.serviceEffects(u)
	kind, format, state := trace.Kind("systemd.started"), "Started %s.", "active"
	before := ""
	if sv.Type == "oneshot" {
		kind, format = "systemd.finished", "Finished %s."
		if !sv.RemainAfterExit {
			u.State, state = systemd.Inactive, "inactive"
			before = x.log(x.m.Now(), logInfo, "%s: Deactivated successfully.", u.ID)
		}
	}
	st := x.step(kind, j, "systemd.service(5) Type="+sv.Type)
	st.Cites = append(commandCites(sv.Start), st.Cites...)
	if len(sv.Start) > 0 {
		st.Args["command"] = strings.Join(sv.Start[0].Argv, " ")
	}
	st.Console = before + x.say(u, wordOK, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, state))
	if u.ID == "systemd-journald.service" {
		x.journald = true
	}
	if u.ID == "emergency.service" || u.ID == "rescue.service" {
		x.shell = u
	}
	x.finish(j, systemd.Done)
	x.deviceCheck()
}

// serviceEffects are what services of systemd itself change that later conditions look at.
func (x *sysd) serviceEffects(u *systemd.Unit) {
	if module, ok := strings.CutPrefix(systemd.Template(u.ID), "modprobe@"); ok && module == ".service" {
		x.modules[systemd.Instance(u.ID)] = true
	}
	switch u.ID {
	case "systemd-remount-fs.service":
		x.remountRoot()
	case "systemd-udevd.service":
		x.udevd = true
	case "systemd-udev-trigger.service":
		x.coldplug = true
		x.coldplugInitrd()
	case "systemd-machine-id-commit.service":
		if x.transientID {
			x.pid1.Quiet = true
			if x.pid1.Umount("/etc/machine-id", kernel.MNT_DETACH) == nil {
				x.transientID = false
			}
			x.pid1.Quiet = false
		}
	}
}

// remountRoot applies the root's options of /etc/fstab. systemd-remount-fs.service(8).
func (x *sysd) remountRoot() {
	u := x.mgr.Get("-.mount")
	if u == nil || u.Fragment == "" || u.Mount == nil {
		return
	}
	flags := kernel.MS_REMOUNT
	if _, ro := u.Mount.Option("ro"); ro {
		flags |= kernel.MS_RDONLY
	}
	x.pid1.Quiet = true
	err := x.pid1.Mount("", "/", "", flags, "")
	x.pid1.Quiet = false
	if err != nil {
		x.doubt("whether the root file system can be remounted: %v", err)
		return
	}
	mode := "r/w"
	if flags&kernel.MS_RDONLY != 0 {
		mode = "ro"
	}
	root, _ := x.mountRow("/")
	x.emit(trace.Step{Kind: "systemd.remount-root", Stage: trace.Userspace, Rule: "systemd-remount-fs.service(8)", Cites: u.Files[0].Cite(u.Mount.Entry),
		Args: map[string]string{"device": root["source"], "mode": mode}, Console: x.ext4Remounted(root, mode)})
}

// ext4Remounted is the kernel's line about it, fs/ext4/super.c: since 6.3 with the UUID, since 6.5 with
// the mode, before 5.12 with the options.
func (x *sysd) ext4Remounted(root trace.Row, mode string) string {
	var major, minor int
	if _, err := fmt.Sscanf(x.host.Kernel, "%d.%d", &major, &minor); err != nil || root["fstype"] != "ext4" || x.printk <= logInfo {
		return ""
	}
	version, uuid := major*1000+minor, ""
	if d, ok := x.deviceFor(root["source"]); ok {
		uuid = strings.ToLower(d.UUID)
	}
	text := "re-mounted. Quota mode: none."
	switch {
	case version < 5012:
		return "" // the options there are the driver's own wording
	case version >= 6005:
		text = fmt.Sprintf("re-mounted %s %s. Quota mode: none.", uuid, mode)
	case version >= 6003:
		text = fmt.Sprintf("re-mounted %s. Quota mode: none.", uuid)
	}
	t := x.m.Now() - x.booted
	return fmt.Sprintf("[%5d.%06d] EXT4-fs (%s): %s\n", t/time.Second, t%time.Second/time.Microsecond, path.Base(root["source"]), text)
}

// startMount mounts a file system where bytes for it are in the image, or the kernel makes it.
func (x *sysd) startMount(j *systemd.Job) {
	u := j.Unit
	x.begin(j, "systemd.mounting", "Mounting %s...", u.Mount.File.Cite(u.Mount.Entry))
	x.m.Wait(costSystemdFork)
	x.later(costSystemdMount, onExit, j, func() {
		if err := x.mountNow(u); err != nil {
			st := x.step("systemd.mount-failed", j, "mount(8) exit status 32")
			st.Cites = append(u.Mount.File.Cite(u.Mount.Entry), st.Cites...)
			st.Args["what"], st.Args["where"], st.Args["error"] = u.Mount.What, u.Mount.Where, strerror(err)
			x.failed(j, systemd.JobFailed, st, x.processFailed(u, "Mount", "32/n/a"), "Failed to mount %s.")
			return
		}
		x.mountedUnits[u.Mount.Where] = true
		x.active(j, "systemd.mounted", "Mounted %s.")
	})
}

// mountNow makes the mount in the simulated kernel. Network file systems are taken to be there.
func (x *sysd) mountNow(u *systemd.Unit) error {
	mt := u.Mount
	if mt.Network() {
		x.doubt("whether %s can be reached over the network", mt.What)
		return nil
	}
	x.pid1.Quiet = true
	defer func() { x.pid1.Quiet = false }()
	if _, err := x.pid1.Stat(mt.Where); err != nil {
		if err := x.pid1.MkdirAll(mt.Where, 0o755); err != nil {
			return err
		}
	}
	what, fstype := mt.What, mt.FSType
	if d, ok := x.deviceFor(mt.What); ok {
		what = "/dev/" + d.Name
		if fstype == "" || fstype == "auto" {
			fstype = d.FSType
		}
		if d.FS == nil && d.FSType != "" {
			x.doubt("what is on %s, which bootpath does not read (%s)", what, d.FSType)
			return nil
		}
	}
	flags := kernel.MountFlags(0)
	for name, f := range map[string]kernel.MountFlags{"ro": kernel.MS_RDONLY, "nosuid": kernel.MS_NOSUID, "nodev": kernel.MS_NODEV, "noexec": kernel.MS_NOEXEC, "bind": kernel.MS_BIND} {
		if _, ok := mt.Option(name); ok {
			flags |= f
		}
	}
	if err := x.mountDriver(fstype); err != nil {
		return err
	}
	data := ""
	if fstype == "btrfs" { // of the options for a driver only those choose what is seen
		_, data = kernel.ParseOptions(mt.Options)
	}
	err := x.pid1.Mount(what, mt.Where, fstype, flags, data)
	if err == nil {
		x.mountedRoot(mt.Where, what, fstype, flags&kernel.MS_RDONLY != 0, data)
	}
	if err == kernel.ENODEV && !strings.HasPrefix(what, "/dev/") {
		x.doubt("whether the kernel has the file system %s", fstype)
		return nil
	}
	return err
}

// processFailed are the lines about a process that ended with an exit status that is no success.
func (x *sysd) processFailed(u *systemd.Unit, process, status string) string {
	return x.log(x.m.Now(), logNotice, "%s: %s process exited, code=exited, status=%s", u.ID, process, status) +
		x.log(x.m.Now(), logWarning, "%s: Failed with result 'exit-code'.", u.ID)
}

// startSwap activates a swap area. swapon(8) ends with 255 when there is none.
func (x *sysd) startSwap(j *systemd.Job) {
	x.begin(j, "systemd.activating-swap", "Activating swap %s...", j.Unit.Mount.File.Cite(j.Unit.Mount.Entry))
	x.m.Wait(costSystemdFork)
	x.later(costSystemdMount, onExit, j, func() {
		u := j.Unit
		if why := x.noSwap(u.Mount.What); why != "" {
			st := x.step("systemd.swap-failed", j, "swapon(8)")
			st.Cites = append(u.Mount.File.Cite(u.Mount.Entry), st.Cites...)
			st.Args["what"], st.Args["error"] = u.Mount.What, why
			x.failed(j, systemd.JobFailed, st, x.processFailed(u, "Swap", "255/EXCEPTION"), "Failed to activate swap %s.")
			return
		}
		x.active(j, "systemd.swap", "Activated swap %s.")
	})
}

// noSwap tells what is wrong with a swap file; "" when nothing is, or the device cannot be looked into.
func (x *sysd) noSwap(what string) string {
	if strings.HasPrefix(what, "/dev/") {
		return ""
	}
	file, err := x.pid1.Open(what)
	if err != nil {
		return strerror(err)
	}
	defer file.Close()
	const at = 4096 - 10 // the last ten bytes of the first page: include/linux/swap.h
	var magic [10]byte
	if _, err := file.ReadAt(magic[:], at); err != nil || string(magic[:]) != "SWAPSPACE2" {
		return "read swap header failed"
	}
	return ""
}

// stopUnit ends a unit that conflicts with what is to start.
func (x *sysd) stopUnit(j *systemd.Job) {
	u := j.Unit
	if u.State != systemd.Active && u.State != systemd.Activating {
		x.finish(j, systemd.Done)
		return
	}
	if x.stopping(j) {
		return
	}
	before := ""
	if u.State == systemd.Activating && u.Type == "service" {
		before = x.log(x.m.Now(), logInfo, "%s: Deactivated successfully.", u.ID)
	}
	x.pid1.Quiet = true
	if p := x.procs[u]; p != nil {
		p.Exit(0)
		delete(x.procs, u)
	}
	x.pid1.Quiet = false
	u.State = systemd.Inactive
	st := x.step("systemd.stopped", j, "systemd.unit(5) Conflicts=")
	format := "Stopped %s."
	switch u.Type {
	case "target":
		format = "Stopped target %s."
	case "mount":
		format = "Unmounted %s."
	case "slice":
		format = "Removed slice %s."
	case "socket":
		format = "Closed %s."
	case "swap":
		format = "Deactivated swap %s."
	case "automount":
		format = "Unset automount %s."
	}
	st.Console = before + x.say(u, wordOK, format, logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "inactive"))
	x.finish(j, systemd.Done)
}

// timeSpan is a time span of systemd.time(7); otherwise when it cannot be read. "infinity" and 0 are
// negative: no limit.
func timeSpan(s string, otherwise time.Duration) time.Duration {
	s = strings.TrimSpace(s)
	switch s {
	case "":
		return otherwise
	case "infinity", "0":
		return -1
	}
	units := []struct {
		name string
		d    time.Duration
	}{{"minutes", time.Minute}, {"minute", time.Minute}, {"min", time.Minute}, {"seconds", time.Second}, {"second", time.Second}, {"sec", time.Second},
		{"hours", time.Hour}, {"hour", time.Hour}, {"hr", time.Hour}, {"msec", time.Millisecond}, {"ms", time.Millisecond}, {"usec", time.Microsecond},
		{"us", time.Microsecond}, {"days", 24 * time.Hour}, {"day", 24 * time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"h", time.Hour}, {"d", 24 * time.Hour}}
	total := time.Duration(0)
	for s != "" {
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		var n float64
		if _, err := fmt.Sscanf(s[:i], "%g", &n); err != nil || n > 1e9 {
			return otherwise
		}
		s = strings.TrimLeft(s[i:], " ")
		unit := time.Second
		for _, u := range units {
			if rest, ok := strings.CutPrefix(s, u.name); ok {
				unit, s = u.d, strings.TrimLeft(rest, " ")
				break
			}
		}
		if s != "" && (s[0] < '0' || s[0] > '9') {
			return otherwise
		}
		total += time.Duration(n * float64(unit))
	}
	return total
}
