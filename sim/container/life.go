package container

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// What is known of a container's life once its program runs, as far as rules say it: ports, memory, health
// checks, and what the engine does when it ends.

// Ports tells whether the program may listen below 1024.
type Ports struct {
	Low     string // allowed | refused | unknown
	From    int    // the first port that needs no capability; -1 when only the host knows it
	Why     string // start: every port is free; capability: CAP_NET_BIND_SERVICE; none: neither
	Exposed []string
}

// ports applies bind(2): "EACCES The address is protected, and the user is not the superuser", which is
// CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace, for ports below
// net.ipv4.ip_unprivileged_port_start. ip(7)
func (r *run) ports(t *kernel.Task) *Ports {
	p := &Ports{From: 1024, Low: "refused", Why: "none"}
	for v := range r.conf.ExposedPorts {
		p.Exposed = append(p.Exposed, v)
	}
	slices.Sort(p.Exposed)
	if v, ok := getenv(r.spec.Sysctl, "net.ipv4.ip_unprivileged_port_start"); ok {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			n = -1
		}
		p.From = n
	} else if !r.spec.Namespaces.Has(kernel.CLONE_NEWNET) {
		p.From = -1 // the host's own setting
	}
	owned := !r.inUserNS() || r.spec.Namespaces.Has(kernel.CLONE_NEWNET)
	switch {
	case p.From == 0:
		p.Low, p.Why = "allowed", "start"
	case owned && t.Cred.Effective.Has(kernel.CAP_NET_BIND_SERVICE):
		p.Low, p.Why = "allowed", "capability"
	case p.From < 0:
		p.Low, p.Why = "unknown", ""
	}
	return p
}

// Memory is what a limit of memory means for the program.
type Memory struct {
	Limit    int64 // bytes; what is more is first taken back, then swapped
	Swap     int64 // bytes of swap in addition; -1 without limit
	Mapped   int64 // bytes that the program and its libraries map when they start; their pages count when touched
	Writable int64 // bytes of those that belong to the process alone
	ExitCode int   // when the kernel has to kill process 1

	Need      int64  // bytes that a program touches, as far as it is known; -1 without end
	Killed    string // yes | no | unknown: whether the kernel ends a process for it; "" when no need is known
	Log       string // what the kernel's log says of it
	OOMKilled bool   // State.OOMKilled of docker inspect: a process of the group was killed, not always the first
}

// memory is known of a limited container. How much a program touches is not in its file: that is decided only for
// programs whose ways are known, and for what the learner says. cgroup-v2.rst, memory.max.
func (r *run) memory(t *kernel.Task) *Memory {
	s := &r.spec
	if s.Memory <= 0 {
		return nil
	}
	m := &Memory{Limit: s.Memory, Swap: max(s.Swap-s.Memory, 0), ExitCode: 128 + signalNumber("SIGKILL")}
	if s.Swap == -1 {
		m.Swap = -1
	}
	var cites []blob.Cite
	m.Mapped, m.Writable, cites = t.Mapped()
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Process, Kind: "kernel.limit-memory", Cites: cites, Rule: "cgroup-v2.rst, memory.max; docker run, exit status 137",
		Args: map[string]string{"limit": bytesText(m.Limit), "exe": t.Exe, "mapped": bytesText(m.Mapped), "writable": bytesText(m.Writable), "exit_code": strconv.Itoa(m.ExitCode)}})
	return m
}

// bytesText is a size as people read it.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(u.size), 'f', 1, 64), ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

// Health is the health check of the image or of the command line.
type Health struct {
	Command     []string
	Interval    string // of time, as Go writes it
	Timeout     string
	StartPeriod string
	Retries     int
	Program     string // the file that is executed for each check; "" when there is none
	Status      string // unhealthy: it can never succeed | unknown
	Seconds     int    // until then
	Message     string // the runtime's words
}

// healthDefaults are those of moby daemon/health.go.
const (
	healthTime    = 30 * time.Second
	healthRetries = 3
)

// health reads HEALTHCHECK. The engine executes it in the container, the first time after one interval; that
// is docker exec. moby daemon/health.go; podman does the same with systemd timers.
func (r *run) health(t *kernel.Task) *Health {
	c := r.conf.Healthcheck
	h := &Health{}
	var test []string
	if c != nil {
		test, h.Retries = c.Test, c.Retries
		h.Interval, h.Timeout, h.StartPeriod = c.Interval.String(), c.Timeout.String(), c.StartPeriod.String()
	}
	if r.c.HealthCmd != "" {
		test = []string{"CMD-SHELL", r.c.HealthCmd}
	}
	if r.engine() == "" || r.c.NoHealth || len(test) == 0 || test[0] == "NONE" {
		return nil
	}
	interval := healthTime
	if c != nil && c.Interval > 0 {
		interval = c.Interval
	}
	h.Interval = interval.String()
	if c == nil || c.Timeout == 0 {
		h.Timeout = healthTime.String()
	}
	if h.Retries <= 0 {
		h.Retries = healthRetries
	}
	switch h.Command = test[1:]; test[0] {
	case "CMD-SHELL":
		shell := []string{"/bin/sh", "-c"}
		if len(r.conf.Shell) > 0 {
			shell = r.conf.Shell
		}
		h.Command = append(slices.Clone(shell), test[1:]...)
	case "CMD":
	default:
		h.Command, h.Status = nil, "unknown"
		return h
	}
	r.probe(t, h, interval)
	return h
}

// probe tries to start the check's program, without steps.
func (r *run) probe(t *kernel.Task, h *Health, interval time.Duration) {
	h.Status = "unknown"
	if len(h.Command) == 0 {
		return
	}
	at, text := r.lookUp(t, h.Command[0], r.spec.Env)
	kind := trace.Kind("engine.health-check")
	if h.Program = at; text != "" {
		if r.hidden(h.Command[0]) {
			return
		}
		h.Status, h.Message, h.Seconds = "unhealthy", execFailed(text), int((interval * time.Duration(h.Retries)).Seconds())
		kind = "engine.health-impossible"
	}
	_, _, actor := r.names()
	r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: kind, Cites: r.cite("config.Healthcheck"), Rule: "moby daemon/health.go; image-spec config.md, Healthcheck",
		Args: map[string]string{"command": strings.Join(h.Command, " "), "interval": h.Interval, "retries": strconv.Itoa(h.Retries), "program": cmp.Or(at, h.Command[0]), "message": h.Message, "seconds": strconv.Itoa(h.Seconds)}})
}

// Restart is what the engine does when the container has ended.
type Restart struct {
	Policy   string   // no | on-failure | always | unless-stopped
	Max      int      // attempts of on-failure; 0 without limit
	Restarts string   // yes | no; "" when it is not known how the container ends
	Delays   []string // before each attempt; the last one goes on
	Why      string   // policy | exit-code | stopped
}

// readRestart reads --restart. docker/cli opts/parse.go ParseRestartPolicy, moby daemon/container.go
// validateRestartPolicy; podman pkg/specgenutil, cmd/podman/containers validate.
func (r *run) readRestart(o *options) *failure {
	v := r.c.Restart
	name, count, counted := strings.Cut(v, ":")
	o.restart = name
	if r.engine() == "podman" {
		return r.podmanRestart(o, name, count, counted)
	}
	client := func(text string) *failure {
		return &failure{text: "docker: " + text + ".", early: true, client: true, usage: true}
	}
	n, err := strconv.Atoi(count)
	switch {
	case v == "":
		return nil
	case strings.Count(v, ":") > 1:
		return client("invalid restart policy format")
	case counted && err != nil:
		return client("maximum retry count must be an integer")
	case r.c.AutoRemove && name != "no":
		return client("Conflicting options: --restart and --rm")
	}
	o.retries = n
	switch {
	case slices.Contains([]string{"always", "unless-stopped", "no"}, name) && n != 0:
		return refused("maximum retry count cannot be used with restart policy '%s'", name)
	case name == "on-failure" && n < 0:
		return refused("maximum retry count cannot be negative")
	case !slices.Contains([]string{"always", "unless-stopped", "no", "on-failure", ""}, name):
		return refused("invalid restart policy '%s'", name)
	}
	return nil
}

func (r *run) podmanRestart(o *options, name, count string, counted bool) *failure {
	switch {
	case strings.Count(r.c.Restart, ":") > 1:
		return refused("invalid restart policy: may specify retries at most once")
	case r.c.AutoRemove && !slices.Contains([]string{"", "no", "on-failure"}, r.c.Restart):
		return refused(`the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"`)
	case !counted:
	case !strings.EqualFold(name, "on-failure"):
		return refused("restart policy retries can only be specified with on-failure restart policy")
	default:
		n, err := strconv.Atoi(count)
		if err != nil {
			return refused("parsing restart policy retry count: %v", err)
		}
		if n < 0 {
			return refused("must specify restart policy retry count as a number greater than 0")
		}
		o.retries = n
	}
	if !slices.Contains([]string{"", "no", "on-failure", "always", "unless-stopped"}, name) {
		return refused("%q is not a valid restart policy: invalid argument", name)
	}
	return nil
}

// end records the outcome, and before it what the engine does about a container that has ended by itself.
func (r *run) end(o trace.Outcome) {
	ended := o.ExitCode != nil && (o.Stage == trace.Process || o.Stage == trace.Exec) && r.spec.Args != nil
	if ended && !r.m.Ended() && o.Step == 0 {
		o.Step = r.m.Last()
	}
	if ended && !r.m.Ended() && r.facts.Exec == nil {
		r.afterwards(*o.ExitCode)
	}
	r.m.End(o)
}

// afterwards restarts or removes. moby restartmanager/restartmanager.go: 100 ms, twice as long each time, a
// minute at most, from the start again when the program ran for ten seconds. Podman does not wait.
func (r *run) afterwards(code int) {
	_, _, actor := r.names()
	o := &r.options
	args := map[string]string{"policy": r.c.Restart, "exit_code": strconv.Itoa(code), "id": r.id, "upper": r.facts.Upper, "max": strconv.Itoa(o.retries)}
	st := trace.Step{Actor: actor, Stage: trace.Process, Args: args, Rule: "docker run --restart; moby restartmanager/restartmanager.go"}
	if r.c.Restart != "" && r.engine() != "" {
		f := &Restart{Policy: o.restart, Max: o.retries, Restarts: "no", Why: "policy"}
		r.facts.Restart = f
		switch {
		case o.restart == "no" || o.restart == "":
		case r.c.Stop:
			f.Why = "stopped" // docker stop cancels every policy: moby container.ExitOnNext
		case o.restart == "on-failure" && code == 0:
			f.Why = "exit-code"
		default:
			f.Restarts, f.Why = "yes", ""
		}
		st.Kind = "engine.no-restart"
		if f.Why == "stopped" {
			st.Kind = "engine.no-restart-after-stop"
		}
		if f.Restarts == "yes" {
			st.Kind = "engine.restart"
			f.Delays = r.delays()
			args["delays"] = strings.Join(f.Delays, ", ")
			if o.restart == "on-failure" && o.retries > 0 {
				st.Kind = "engine.restart-limited"
			}
		}
		r.emit(st)
		if f.Restarts == "yes" {
			return
		}
	}
	if r.c.AutoRemove && r.engine() != "" {
		st.Kind, st.Rule = "engine.remove", "docker run --rm; moby daemon/delete.go"
		r.emit(st)
	}
}

// delays are the pauses before the attempts.
func (r *run) delays() []string {
	if r.engine() == "podman" {
		return []string{"0s"}
	}
	var out []string
	for d := 100 * time.Millisecond; ; d = min(2*d, time.Minute) {
		if out = append(out, d.String()); d == time.Minute || len(out) == r.options.retries {
			return out
		}
	}
}

// knownEnd tells whether the program is done at once, as far as its command line shows.
func (r *run) knownEnd(t *kernel.Task) (code int, how trace.Kind, yes bool) {
	if shellKind(t) == "" {
		return r.doneAtOnce(t)
	}
	spots, code, why := r.shellSpots(t, signalNumber("SIGTERM"))
	switch {
	case readsInput(why) && !r.c.TTY && !r.c.Interactive:
		return 0, endsInput, true
	case why == nil && len(spots) == 0 && code >= 0:
		return code, endsScript, true
	}
	return 0, "", false
}

// doneAtOnce knows programs of the system that only print something.
func (r *run) doneAtOnce(t *kernel.Task) (code int, how trace.Kind, yes bool) {
	if !isBusybox(t) && !slices.Contains([]string{"/usr/bin", "/bin"}, path.Dir(t.Exe)) {
		return 0, "", false
	}
	argv := append([]string{programName(t)}, t.Argv[min(1, len(t.Argv)):]...)
	if code, brief := briefly(argv, nil); brief && code >= 0 {
		return code, endsItself, true
	}
	if argv[0] == "cat" && len(argv) == 1 && !r.c.Interactive && !r.c.TTY {
		return 0, endsInput, true
	}
	return 0, "", false
}

// How a program ends before anyone stops it: it has done what it does; its script is at its end; its standard
// input, /dev/null without --interactive, is.
const (
	endsItself trace.Kind = "process.ends-itself"
	endsScript trace.Kind = "process.ends-script"
	endsInput  trace.Kind = "process.ends-input"
)

// readsInput tells that a shell has its commands from standard input.
func readsInput(why *trace.Reason) bool { return why.Equal(trace.Why("unknown.standard-input")) }

// execFailed is how runc exec says that the program could not be started.
func execFailed(text string) string {
	return fmt.Sprintf("OCI runtime exec failed: exec failed: unable to start container process: %s: unknown", text)
}
