package container

import (
	"cmp"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// What happens when the programs of a container want more memory than its control group may have. Pages of a
// program and of a tmpfs stay; pages of files are taken back. So a big file on a disk is no danger, the same
// file in /dev/shm is. Documentation/admin-guide/cgroup-v2.rst, "Memory"; mm/memcontrol.c; mm/oom_kill.c.

// spare is what a group has beside the pages that are counted here: stacks and tables of the kernel, libraries that
// were touched. Measured starts stay below half of it; what lies between is not decided.
const spare = 4 << 20 // bytes

// touch is p using n more bytes of its own at once; end is set when it does not survive that.
func (p *process) touch(n int64) (end finish, over bool) {
	return p.charge(n, 0)
}

// charge holds what is wanted against the limit: own bytes of the process, shared ones in a tmpfs.
func (p *process) charge(own, shared int64) (end finish, over bool) {
	r, limit, swap := p.r, p.r.spec.Memory, int64(0)
	total := add(add(own, shared), r.shared)
	if limit <= 0 {
		if total == endless {
			return p.lack(trace.Why("unknown.host-memory", "program", p.name())), true
		}
		r.shared = add(r.shared, shared)
		return finish{}, false
	}
	if r.spec.Swap == -1 {
		swap = endless
	} else {
		swap = max(r.spec.Swap-limit, 0)
	}
	m := r.facts.Memory
	if m == nil || m.Killed == "yes" {
		m = &Memory{} // of a second program: the facts stay those of the first
	}
	if m.Need, m.Killed = total, "unknown"; total == endless {
		m.Need = -1
	}
	switch {
	case add(total, spare+total/64) <= limit:
		m.Killed = "no"
		r.shared = add(r.shared, shared)
		return finish{}, false
	case total < limit:
		return p.lack(trace.Why("unknown.fits", "need", bytesText(total), "limit", bytesText(limit))), true
	case total != endless && total <= add(limit, swap) && swap > 0:
		return p.lack(trace.Why("unknown.host-swap", "swap", swapText(swap))), true
	case !p.largest(min(own, limit-r.shared)):
		return p.lack(trace.Why("unknown.oom-victim")), true
	}
	if why := r.killable(); why != nil {
		return p.lack(why), true
	}
	m.Killed, m.Log = "yes", r.oomLog(p.t)
	p.kill(total, m.Log)
	return finish{code: 137, signal: "SIGKILL"}, true
}

// add does not pass the end.
func add(a, b int64) int64 {
	if a > endless-b {
		return endless
	}
	return a + b
}

func swapText(n int64) string {
	if n == endless {
		return "any amount"
	}
	return bytesText(n)
}

// largest tells whether the kernel would choose p: the process of the group with the most pages, those of
// files that it maps among them. Others have at most what they map. oom_badness of mm/oom_kill.c.
func (p *process) largest(own int64) bool {
	for _, t := range p.r.inside() {
		if t == p.t {
			continue
		}
		if mapped, _, _ := t.Mapped(); own < mapped+1<<20 {
			return false
		}
	}
	return true
}

// inside are the container's processes.
func (r *run) inside() []*kernel.Task {
	var out []*kernel.Task
	for _, t := range r.k.Tasks() {
		if t.Cgroup() == r.spec.CgroupPath || strings.HasPrefix(t.Cgroup(), r.spec.CgroupPath+"/") {
			out = append(out, t)
		}
	}
	return out
}

// killable is why it is not known whether the kernel kills.
func (r *run) killable() *trace.Reason {
	if r.c.OOMKillDisable && r.cgroupV1() {
		return trace.Why("unknown.oom-disabled")
	}
	if n, err := strconv.Atoi(r.c.OOMScoreAdj); err == nil && n == -1000 {
		return trace.Why("unknown.oom-adj")
	}
	return nil
}

// oomLog is the line of the kernel's log up to what was measured. Since 5.4 it begins with the kind of limit.
func (r *run) oomLog(t *kernel.Task) string {
	line := "Killed process " + strconv.Itoa(t.PID) + " (" + t.Comm + ")"
	if !olderThan(r.c.HostKernel, 5, 4) {
		line = "Memory cgroup out of memory: " + line
	}
	return line
}

// kill is the out-of-memory killer at work.
func (p *process) kill(need int64, log string) {
	r, t := p.r, p.t
	kind := trace.Kind("kernel.oom-kill")
	if need == endless {
		kind = "kernel.oom-kill-endless"
	}
	if r.facts.Memory != nil {
		r.facts.Memory.OOMKilled = true
	}
	file := "memory.events"
	if r.cgroupV1() {
		file = "memory.oom_control"
	}
	args := map[string]string{"exe": t.Exe, "argv": strings.Join(t.Argv, " "), "need": bytesText(need), "limit": bytesText(r.spec.Memory), "log": log, "pid": strconv.Itoa(t.NSPID), "host_pid": strconv.Itoa(t.PID), "file": file}
	actor := cmp.Or(t.Actor, t.Comm)
	t.OOMKill()
	r.emit(trace.Step{Actor: actor, Stage: trace.Process, Kind: kind, Cites: t.Evidence(t.Exe), Rule: "cgroup-v2.rst, memory.max; mm/oom_kill.c", Args: args})
}

// fill is p writing n bytes to a file of that name, from pieces of at most buffer bytes. What a disk gets is taken
// back from memory again; whether the host's disk has room is not known.
func (p *process) fill(name string, n int64) (written int64, err error, end finish, over bool) {
	fstype, options, place, err := p.t.FilesystemAt(name)
	if err != nil {
		return 0, err, finish{}, false
	}
	if fstype != "tmpfs" {
		if n == endless {
			return 0, nil, p.lack(trace.Why("unknown.host-disk")), true
		}
		if p.r.spec.Memory > 0 && n >= p.r.spec.Memory {
			p.r.emit(trace.Step{Actor: p.t.Actor, Stage: trace.Process, Kind: "kernel.reclaim-cache", Rule: "cgroup-v2.rst, Memory Ownership, memory.max",
				Args: map[string]string{"path": name, "size": bytesText(n), "limit": bytesText(p.r.spec.Memory), "fstype": fstype}})
		}
		return n, nil, finish{}, false
	}
	room, known := tmpfsSize(options)
	if known {
		if room -= p.r.filled[place]; n > room {
			n, err = room, kernel.ENOSPC
		}
	} else if p.r.spec.Memory <= 0 {
		return 0, nil, p.lack(trace.Why("unknown.host-memory-tmpfs")), true
	}
	if end, over := p.charge(p.held, n); over {
		return 0, nil, end, true
	}
	p.r.filled[place] += n
	return n, err, finish{}, false
}

// tmpfsSize reads size= of a tmpfs: bytes, with k, m or g. tmpfs(5)
func tmpfsSize(options string) (int64, bool) {
	for o := range strings.SplitSeq(options, ",") {
		if v, ok := strings.CutPrefix(o, "size="); ok {
			n, err := ramInBytes(v)
			return n, err == nil && n > 0
		}
	}
	return 0, false
}

// wants plays the learner's own statement: the program will touch so much memory.
func (r *run) wants(t *kernel.Task) {
	n, err := ramInBytes(r.c.Touches)
	if err != nil || n <= 0 {
		return
	}
	p := r.newProcess(t)
	end, over := p.touch(n)
	if !over {
		return
	}
	r.concluded(p, end)
}
