package boot

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// sysdMode is where systemd runs as PID 1.
type sysdMode struct {
	// initrd: /etc/initrd-release makes systemd start initrd.target and leave by switching the root.
	// systemd(1), bootup(7) "Bootup in the initrd".
	initrd bool
	// target replaces the target that the command line asks for.
	target string
	// switchRoot goes on after `systemctl switch-root`, with the new root; nil ends the run there.
	switchRoot func(x *sysd, newRoot string)
	// early is the initramfs; in the real root, the one before it. nil without one.
	early *linux
	// What the systemd of the initramfs hands over: active units, services to start anew, and those whose
	// program still ran.
	carried, restart, finishing []string
}

// sysd is systemd as PID 1.
type sysd struct {
	*start
	sysdConsole
	mode    sysdMode
	chart   chart
	left    bool // PID 1 is another program now: the root was switched
	newRoot string
	newInit string // "" is systemd again
	again   []*systemd.Unit
	blocked bool              // the program that ran last waits for ever
	conf    map[string]string // system.conf(5)
	k       *kernel.Kernel
	pid1    *kernel.Task
	fs      fsys.FS
	mgr     *systemd.Manager
	params  cmdline.Line
	host    systemd.Host
	kconfig map[string]string
	efi     bool

	firstBoot   bool
	transientID bool // /etc/machine-id is covered by one that was made up
	features    string
	versionText string

	pending  []pending
	began    time.Duration // when PID 1 began
	finished bool          // no job was left: the start is over
	silentAt time.Duration // when a prompt takes the console whether or not jobs are left; 0 for never
	horizon  time.Duration // what happens later than this is not followed
	seq      int
	target   *systemd.Unit
	fellBack bool          // to rescue.target, because the default target cannot be loaded
	shell    *systemd.Unit // the emergency or rescue shell that took the console
	refused  bool          // a program that asked PID 1 for something got an error

	procs   map[*systemd.Unit]*kernel.Task // main processes
	steps   map[*systemd.Unit]int          // the unit's last step
	started map[*systemd.Unit]bool

	queuedAt   map[*systemd.Job]time.Duration
	runningAt  map[*systemd.Job]time.Duration
	result     map[*systemd.Unit]string // of services, as systemctl shows it
	restarting map[*systemd.Unit]int    // those that wait for RestartSec= to pass
	restarted  map[*systemd.Unit]int    // how often
	rates      map[*systemd.Unit]*startRate
	fired      map[*systemd.Unit]int // how often a path or timer started its unit
	listening  map[string]bool       // addresses of the Internet that a socket unit has

	doubts []*trace.Reason // what was assumed because it cannot be known
	unsure *trace.Reason   // why a failure may be none on the real machine; nil when nothing is in doubt

	modules      map[string]bool // that modprobe@ units loaded
	mountedUnits map[string]bool // places of mount units that are active

	udevd, coldplug, devicesDone bool
	waitingDevices               []*systemd.Job
}

// pending is something that happens later.
type pending struct {
	at   time.Duration
	prio priority
	seq  int
	job  *systemd.Job // it is dropped when this job has ended before; nil for what happens anyway
	do   func()
}

// priority is the order in which PID 1 attends to what has happened. manager.c gives its event sources
// these ranks; jobs that can run come last of all.
type priority int

const (
	onNotify priority = iota // sd_notify(3) messages: before the end of the process that sent one
	onExit                   // processes that ended, oldest first, as waitid(2) returns them
	onOther                  // D-Bus, devices, timers
)

// systemd is PID 1 of the real root, from its first line to the login prompt.
func (s *start) systemd(k *kernel.Kernel, pid1 *kernel.Task, root fsys.FS) {
	s.systemdIn(k, pid1, root, sysdMode{})
}

// systemdIn is systemd as PID 1 of any root. root is the volume below the root mount, nil when there is none.
func (s *start) systemdIn(k *kernel.Kernel, pid1 *kernel.Task, root fsys.FS, mode sysdMode) {
	x := &sysd{start: s, mode: mode, k: k, pid1: pid1, fs: taskFS{pid1, root}, params: cmdline.Parse(k.Options().Cmdline),
		procs: map[*systemd.Unit]*kernel.Task{}, steps: map[*systemd.Unit]int{}, started: map[*systemd.Unit]bool{},
		modules: map[string]bool{}, mountedUnits: map[string]bool{}, queuedAt: map[*systemd.Job]time.Duration{}, runningAt: map[*systemd.Job]time.Duration{}, result: map[*systemd.Unit]string{},
		restarting: map[*systemd.Unit]int{}, restarted: map[*systemd.Unit]int{}, rates: map[*systemd.Unit]*startRate{},
		fired: map[*systemd.Unit]int{}, listening: map[string]bool{}, began: s.m.Now(),
		efi: s.c.Firmware == "uefi", horizon: 1 << 62,
	}
	x.host = systemd.Host{Kernel: k.Options().Version, Arch: unitArch(k.Options().Arch)}
	x.pid1.Actor, x.pid1.Stage, x.pid1.Comm = "systemd[1]", x.stage(trace.Init), "systemd"
	if x.findKconfig(); len(x.kconfig) == 0 && x.early() != nil {
		x.kconfig = x.early().kconfig()
	}
	x.setupConsole()
	x.mountAPI()
	if mode.early == nil || mode.initrd {
		x.insertModules()
	}
	x.hello()
	x.load()
	if !x.queueDefault() {
		return
	}
	x.run()
	x.draw()
	if x.left && x.mode.switchRoot != nil {
		x.mode.switchRoot(x, x.newRoot)
	} else if !x.left {
		x.end()
	}
}

// unitArch is ConditionArchitecture='s name for a GOARCH.
func unitArch(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	}
	return goarch
}

// emit appends a step of systemd with what changed in the kernel's tables.
func (x *sysd) emit(st trace.Step, rows ...machine.Set) int {
	st.Actor = "systemd[1]"
	if st.Stage == "" {
		st.Stage = trace.Init
	}
	st.Stage = x.stage(st.Stage)
	n := x.k.Emit(st, rows...)
	x.follow(n, rows)
	return n
}

// unitRow is a unit's row of the units table.
func unitRow(u *systemd.Unit, state string) machine.Set {
	return machine.Set{Table: trace.Units, ID: u.ID, Row: trace.Row{"state": state, "description": u.Description}}
}

// setupConsole reads what decides how much is shown: the command line and system.conf.
func (x *sysd) setupConsole() {
	x.sysdConsole = sysdConsole{status: statusOn, format: "description", logLevel: logInfo, printk: x.params.LogLevel(), booted: x.kernelStart()}
	x.conf = x.managerConf()
	conf := x.conf
	if v := conf["StatusUnitFormat"]; v != "" {
		x.format = v
	}
	if v, ok := conf["ShowStatus"]; ok {
		x.status = parseStatus(v, x.status)
	}
	quiet := x.params.Has("quiet")
	if quiet {
		x.status = statusAuto
	}
	if v, ok := x.params.Get("systemd.show_status"); ok {
		x.status = parseStatus(v, x.status)
	}
	if v, ok := x.params.Get("systemd.status_unit_format"); ok {
		x.format = v
	}
	level := conf["LogLevel"]
	if v, ok := x.params.Get("systemd.log_level"); ok {
		level = v
	}
	x.logLevel = syslogLevel(level, x.logLevel)
}

func parseStatus(v string, otherwise showStatus) showStatus {
	if on, ok := systemd.ParseBool(v); ok {
		if on {
			return statusOn
		}
		return statusNo
	}
	switch v {
	case "auto":
		return statusAuto
	case "error":
		return statusError
	}
	return otherwise
}

// kernelStart is when the kernel's clock began: at its first step.
func (x *sysd) kernelStart() time.Duration {
	for i := x.m.Last(); i >= 0; i-- {
		if st := x.m.Step(i); st.Kind == "linux.decompress" || st.Kind == "linux.banner" && i == 0 {
			return st.At
		}
	}
	return 0
}

// apiMounts are the file systems that systemd mounts before it loads a unit, where the initramfs has not:
// mount-setup.c.
func apiMounts(efi bool) [][4]string {
	list := [][4]string{
		{"proc", "/proc", "proc", ""}, {"sysfs", "/sys", "sysfs", ""}, {"devtmpfs", "/dev", "devtmpfs", "mode=755"},
		{"securityfs", "/sys/kernel/security", "securityfs", ""}, {"tmpfs", "/dev/shm", "tmpfs", "mode=1777"},
		{"devpts", "/dev/pts", "devpts", "mode=620,gid=5"}, {"tmpfs", "/run", "tmpfs", "mode=755"},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", "nsdelegate,memory_recursiveprot"}, {"pstore", "/sys/fs/pstore", "pstore", ""},
		{"bpf", "/sys/fs/bpf", "bpf", "mode=700"},
	}
	if efi {
		list = append(list, [4]string{"efivarfs", "/sys/firmware/efi/efivars", "efivarfs", ""})
	}
	return list
}

// mountAPI mounts the kernel's file systems: "various parts of user space depend on them".
func (x *sysd) mountAPI() {
	var done []string
	x.pid1.Quiet = true
	for _, m := range apiMounts(x.efi) {
		if x.mountPoint(m[1]) {
			continue
		}
		if _, err := x.pid1.Stat(m[1]); err != nil {
			if err := x.pid1.MkdirAll(m[1], 0o755); err != nil {
				continue // systemd goes on without
			}
		}
		if x.pid1.Mount(m[0], m[1], m[2], kernel.MS_NOSUID, m[3]) == nil {
			done = append(done, m[1])
		}
	}
	x.pid1.Quiet = false
	if len(done) > 0 {
		x.emit(trace.Step{Kind: "systemd.mount-api", Rule: "systemd, API File Systems", Args: map[string]string{"paths": strings.Join(done, " "), "count": strconv.Itoa(len(done))}})
	}
}

// insertModules loads the module that automount units need, when the kernel has not got it built in:
// kmod-setup.c.
func (x *sysd) insertModules() {
	if x.kconfig["CONFIG_AUTOFS_FS"] != "m" && x.kconfig["CONFIG_AUTOFS4_FS"] != "m" {
		return
	}
	x.emit(trace.Step{Kind: "systemd.insert-module", Rule: "systemd.automount(5)", Args: map[string]string{"module": "autofs4"},
		Console: x.log(x.m.Now(), logInfo, "Inserted module 'autofs4'")})
}

// load reads all units: generators first, then what the default target leads to.
func (x *sysd) load() {
	env := systemd.Env{Root: x.fs, Cmdline: x.k.Options().Cmdline, Host: x.host, EFI: x.efi, Version: x.version, Consoles: x.consoles(), Initrd: x.mode.initrd}
	env.Parse = x.parseUnit
	env.Active = []string{"-.mount"}
	if dev := x.facts.Root; strings.HasPrefix(dev, "/dev/") {
		env.Active = append(env.Active, systemd.NameForPath(dev, "device"))
	}
	env.Active = append(env.Active, slices.DeleteFunc(slices.Clone(x.mode.carried), func(id string) bool { return slices.Contains(env.Active, id) })...)
	env.Partitions = x.gptPartitions()
	env.Ran = x.runGenerators(env)
	x.presets(env)
	x.mgr = systemd.NewManager(env)
	x.m.Wait(costSystemdLoad)
	for _, id := range []string{"-.slice", "init.scope", "system.slice"} {
		x.facts.Units = append(x.facts.Units, id)
	}
	fresh := slices.DeleteFunc(slices.Clone(env.Active), func(id string) bool { return slices.Contains(x.mode.carried, id) })
	x.facts.Units = append(x.facts.Units, fresh...)
	var rows []machine.Set
	for _, id := range append([]string{"-.slice", "init.scope", "system.slice"}, fresh...) {
		if u := x.mgr.Get(id); u != nil {
			rows = append(rows, unitRow(u, "active"))
		}
	}
	made := x.mgr.Generated()
	args := map[string]string{"made": strings.Join(linkNames(made), " "), "count": strconv.Itoa(len(made)), "unknown": strings.Join(x.mgr.Notes, " ")}
	var cites []blob.Cite
	for _, g := range made {
		cites = append(cites, g.Cites...)
	}
	kind := trace.Kind("systemd.generators")
	if len(x.mgr.Notes) > 0 {
		kind = "systemd.generators-unknown"
		x.doubt(trace.Why("unknown.generators", "generators", strings.Join(x.mgr.Notes, ", ")))
	}
	x.emit(trace.Step{Kind: kind, Rule: "systemd.generator(7)", Args: args, Cites: cites}, rows...)
}

// parseUnit reads a unit file, once for all runs in which it is the same.
func (x *sysd) parseUnit(f fsys.File, path string) (*systemd.File, error) {
	type parsed struct {
		file *systemd.File
		err  error
	}
	p := blob.Remember(x.store(), "unit "+path, f, 0, f.Size(), func() parsed {
		file, err := systemd.Parse(f, path)
		return parsed{file, err}
	})
	return p.file, p.err
}

// gptPartitions are the entries of the disk's GPT; none when it has another table.
func (x *sysd) gptPartitions() []systemd.Partition {
	if x.c.Disk == nil || x.c.Disk.Table == nil || x.c.Disk.Table.Type != "gpt" {
		return nil
	}
	var out []systemd.Partition
	for _, d := range x.k.Devices() {
		if p := x.partition(d.Name); p != nil {
			out = append(out, systemd.Partition{Node: "/dev/" + d.Name, Type: p.Type, FSType: d.FSType, Attributes: p.Attributes, Cites: p.Cites})
		}
	}
	return out
}

func linkNames(list []systemd.Link) []string {
	var out []string
	for _, l := range list {
		out = append(out, path.Base(l.Path))
	}
	return out
}

// consoles is /sys/class/tty/console/active: the console= parameters, or the screen when there is none.
func (x *sysd) consoles() []string {
	var out []string
	for _, p := range x.params.Params {
		if p.Name == "console" && p.HasValue {
			name, _, _ := strings.Cut(p.Value, ",")
			if name == "tty" {
				name = "tty0"
			}
			if name != "" && name != "null" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	if len(out) == 0 {
		out = []string{"tty0"}
	}
	return out
}

// queueDefault queues the start of the default target; it tells whether there is anything to run.
func (x *sysd) queueDefault() bool {
	want := cmp.Or(x.mode.target, systemd.DefaultUnit(x.params, x.mode.initrd))
	u := x.mgr.Load(want)
	if u == nil {
		return x.freeze("Failed to load default target.")
	}
	st := trace.Step{Kind: "systemd.default-target", Rule: "systemd.special(7) default.target", Args: map[string]string{"asked": want, "target": u.ID}}
	for _, l := range u.Links {
		st.Cites = append(st.Cites, l.Cites...)
		st.Args["link"] = l.Path + " → " + l.Target
	}
	if x.mode.initrd && want == "initrd.target" {
		st.Rule = "bootup(7), Bootup in the initrd"
	} else if want != "default.target" {
		st.Rule = "systemd(1), KERNEL COMMAND LINE"
	}
	if err := u.LoadError(); err != nil {
		// "If the default target cannot be loaded, rescue.target is started."
		st.Kind, st.Args["error"] = "systemd.no-default-target", err.Error()
		st.Console = x.log(x.m.Now(), logErr, "%s", err) + x.log(x.m.Now(), logInfo, "Falling back to rescue.target.")
		x.emit(st)
		x.fellBack = true
		if u = x.mgr.Load("rescue.target"); u == nil {
			return x.freeze("Failed to load rescue.target.") // more units than are followed
		} else if u.LoadError() != nil {
			text := "Failed to load rescue.target."
			if u.Load == systemd.Masked {
				text = "rescue.target masked."
			}
			return x.freezeAfter(x.log(x.m.Now(), logErr, "%s", u.LoadError()), text)
		}
	} else {
		x.emit(st)
	}
	x.target = u
	x.facts.Target = u.ID
	x.resume()
	txn, err := x.queue(u, systemd.Start, systemd.Isolate)
	isolated := true
	if err != nil && err.Error() == "Operation refused, unit may not be isolated." {
		isolated = false
		txn, err = x.queue(u, systemd.Start, systemd.Replace)
	}
	x.cycles(txn)
	if err != nil {
		x.emit(trace.Step{Kind: "systemd.cannot-queue", Rule: "systemd.unit(5) Requires=", Args: map[string]string{"target": u.ID, "error": err.Error()}, Cites: txnCites(txn, err),
			Console: x.log(x.m.Now(), 0, "Failed to isolate default target: %s", err)})
		return x.freeze("Failed to isolate default target.")
	}
	x.queued(txn, isolated)
	x.restarts()
	return true
}

// txnCites finds the setting that pulls in the unit which cannot be started.
func txnCites(t *systemd.Txn, err error) []blob.Cite {
	e, ok := err.(*systemd.TxnError)
	if !ok || e.Unit == nil {
		return nil
	}
	var out []blob.Cite
	for _, d := range []systemd.Dep{systemd.RequiredBy, systemd.BoundBy} {
		for _, edge := range e.Unit.Deps(d) {
			out = append(out, edge.Why.Cites()...)
		}
	}
	return out[:min(len(out), 4)]
}

// queued tells what the transaction holds. Of a target that could not be isolated systemd does not say that it
// is queued: do_queue_default_job in main.c.
func (x *sysd) queued(t *systemd.Txn, isolated bool) {
	var rows []machine.Set
	count := map[systemd.JobType]int{}
	for _, j := range t.Jobs {
		rows = append(rows, unitRow(j.Unit, "queued"))
		count[j.Type]++
	}
	var missing []string
	var cites []blob.Cite
	for _, o := range t.Orphan {
		if o.Why.Link != nil || o.Why.File != nil {
			missing = append(missing, o.Unit.ID)
		}
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	cites = append(cites, unitCites(x.target)...)
	said := x.badUnits(t)
	if isolated {
		said += x.log(x.m.Now(), logInfo, "Queued start job for default target %s.", x.target.Label(x.shortFormat()))
	}
	x.emit(trace.Step{Kind: "systemd.queue", Rule: "systemd.unit(5)", Cites: cites,
		Args:    map[string]string{"target": x.target.ID, "jobs": strconv.Itoa(len(t.Jobs)), "missing": strings.Join(missing, " ")},
		Console: said}, rows...)
}

// badUnits are the lines about wanted units whose files cannot be used. Those that are masked or not there are
// passed over in silence: transaction.c.
func (x *sysd) badUnits(t *systemd.Txn) string {
	var out strings.Builder
	said := map[*systemd.Unit]bool{}
	for _, o := range t.Orphan {
		u := o.Unit
		if said[u] || u.Load == systemd.Masked || u.Load == systemd.NotFound || u.Load == systemd.Loaded {
			continue
		}
		said[u] = true
		out.WriteString(x.log(x.m.Now(), logErr, "%s", u.Error))
		out.WriteString(x.log(x.m.Now(), logWarning, "%s: Cannot add dependency job, ignoring: %s", u.ID, o.Text))
	}
	return out.String()
}

// shortFormat: in some lines the combined form is the name alone.
func (x *sysd) shortFormat() string {
	if x.format == "combined" {
		return "name"
	}
	return x.format
}

// unitCites is the evidence that a unit's file is what it is: its first assignment.
func unitCites(u *systemd.Unit) []blob.Cite {
	if len(u.Files) == 0 || len(u.Files[0].Entries) == 0 {
		return nil
	}
	return u.Files[0].Cite(u.Files[0].Entries[0])
}

// cycles tells of ordering cycles and which job was given up.
func (x *sysd) cycles(t *systemd.Txn) {
	for _, c := range t.Cycles {
		var out strings.Builder
		for i, u := range c.Path {
			what := "dependency"
			if i == 0 {
				what = "ordering cycle"
			}
			out.WriteString(x.log(x.m.Now(), logWarning, "%s: Found %s on %s/%s", c.Start.ID, what, u.ID, c.Types[i]))
		}
		st := trace.Step{Kind: "systemd.cycle", Rule: "systemd.unit(5) Before=", Args: map[string]string{"unit": c.Start.ID, "path": unitList(c.Path)}}
		for _, why := range c.Why {
			st.Cites = append(st.Cites, why.Cites()...)
		}
		var rows []machine.Set
		if c.Deleted == nil {
			st.Kind = "systemd.cycle-unbreakable"
			out.WriteString(x.log(x.m.Now(), logErr, "%s: Unable to break cycle starting with %s/%s", c.Start.ID, c.Start.ID, c.Types[len(c.Types)-1]))
		} else {
			st.Args["deleted"], st.Args["others"] = c.Deleted.ID, unitList(c.Others)
			out.WriteString(x.log(x.m.Now(), logErr, "%s: Job %s/%s deleted to break ordering cycle starting with %s/%s", c.Start.ID, c.Deleted.ID,
				systemd.Start, c.Start.ID, c.Types[len(c.Types)-1]))
			out.WriteString(x.line(wordSkip, "Ordering cycle found, skipping "+bold+c.Deleted.Label(x.shortFormat())+normal, true))
			x.flip()
			rows = append(rows, unitRow(c.Deleted, "skipped"))
		}
		st.Console = out.String()
		x.emit(st, rows...)
	}
}

func unitList(list []*systemd.Unit) string {
	var out []string
	for _, u := range list {
		out = append(out, u.ID)
	}
	return strings.Join(out, " ")
}

// flip shows status lines from now on when they were only held back: ShowStatus=auto.
func (x *sysd) flip() {
	if x.status == statusAuto {
		x.status = statusOn
	}
}

// freeze is PID 1 giving up: it stays and does nothing.
func (x *sysd) freeze(text string) bool { return x.freezeAfter("", text) }

// freezeAfter is freeze with what was said before.
func (x *sysd) freezeAfter(said, text string) bool {
	x.emit(trace.Step{Kind: "systemd.freeze", Rule: "systemd(1)", Args: map[string]string{"message": text},
		Console: said + "[!!!!!!] " + text + "\n" + x.log(x.m.Now(), 0, "Freezing execution.")})
	x.stop(trace.Init, text)
	return false
}

// later puts something off; it is dropped when j ends before.
func (x *sysd) later(d time.Duration, prio priority, j *systemd.Job, do func()) {
	x.seq++
	x.pending = append(x.pending, pending{x.m.Now() + d, prio, x.seq, j, do})
}

// run is PID 1's loop. It starts every job that can run before it looks at anything else, then attends to
// all that has happened meanwhile, and only then starts the jobs that can run because of it:
// manager_dispatch_run_queue is idle work.
func (x *sysd) run() {
	for !x.m.Ended() && !x.left {
		for j := x.mgr.Next(); j != nil && !x.m.Ended(); j = x.mgr.Next() {
			x.perform(j)
		}
		if !x.finished && len(x.mgr.Jobs()) == 0 && !x.m.Ended() && !x.left {
			x.startupFinished()
		}
		p, ok := x.next()
		if !ok {
			return
		}
		x.showWaiting(p.at)
		for x.m.WaitUntil(p.at); ok && !x.m.Ended() && !x.left; p, ok = x.due() {
			x.silent = x.silent || x.silentAt > 0 && x.m.Now() >= x.silentAt
			p.do()
			x.m.Wait(costSystemdEvent)
		}
	}
}

// afterwards is how long the run follows what the start has set off, once it is over.
const afterwards = 30 * time.Second

// startupFinished is manager_check_finished: no job is left. From now on the console gets no status lines.
func (x *sysd) startupFinished() {
	x.finished, x.silent, x.horizon = true, true, x.m.Now()+afterwards
	x.emit(trace.Step{Kind: "systemd.startup-finished", Stage: trace.Userspace, Rule: "systemd(1)",
		Args: map[string]string{"target": x.target.ID, "state": string(x.target.State), "units": strconv.Itoa(len(x.facts.Units))}, Assumed: x.doubts})
}

// next takes what happens next.
func (x *sysd) next() (pending, bool) {
	return x.take(func(a, b pending) bool {
		if a.at != b.at {
			return a.at < b.at
		}
		return a.prio < b.prio || a.prio == b.prio && a.seq < b.seq
	}, x.horizon)
}

// due takes one of the things that have happened by now, the most urgent first.
func (x *sysd) due() (pending, bool) {
	return x.take(func(a, b pending) bool { return a.prio < b.prio || a.prio == b.prio && a.seq < b.seq }, x.m.Now())
}

func (x *sysd) take(before func(a, b pending) bool, limit time.Duration) (pending, bool) {
	x.pending = slices.DeleteFunc(x.pending, func(p pending) bool { return p.job != nil && x.mgr.Job(p.job.Unit) != p.job })
	first := -1
	for i, p := range x.pending {
		if p.at <= limit && (first < 0 || before(p, x.pending[first])) {
			first = i
		}
	}
	if first < 0 {
		return pending{}, false
	}
	p := x.pending[first]
	x.pending = slices.Delete(x.pending, first, first+1)
	return p, true
}

// doubt notes an assumption once.
func (x *sysd) doubt(why *trace.Reason) { x.doubts = addReason(x.doubts, why) }

// addReason adds a reason to some, once; there are never more than a hundred.
func addReason(list []*trace.Reason, why *trace.Reason) []*trace.Reason {
	if len(list) == 100 || slices.ContainsFunc(list, why.Equal) {
		return list
	}
	return append(list, why)
}
