package kernel

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// cgroup is a control group; with version 1 the same name in every hierarchy. cgroups(7).
type cgroup struct {
	path   string
	limits []string // "memory.max=33554432", in the order in which they were set
	killed int      // processes of it that the kernel ended for want of memory
	shown  trace.Row
}

func (k *Kernel) cgroup(p string) *cgroup {
	i := slices.IndexFunc(k.cgroups, func(c *cgroup) bool { return c.path == p })
	if i < 0 {
		return nil
	}
	return k.cgroups[i]
}

func (k *Kernel) cgroupRow(c *cgroup) trace.Row {
	var procs []string
	for _, t := range k.tasks {
		if t.cgroup == c.path {
			procs = append(procs, strconv.Itoa(t.PID))
		}
	}
	row := trace.Row{"limits": strings.Join(c.limits, " "), "procs": strings.Join(procs, ",")}
	if c.killed > 0 {
		row["events"] = "oom_kill " + strconv.Itoa(c.killed)
	}
	if !maps.Equal(row, c.shown) {
		c.shown = row
	}
	return c.shown
}

// OOMKill ends a task because its control group is out of memory, and counts that: oom_kill in memory.events of
// version 2 and memory.oom_control of version 1. mm/oom_kill.c, __oom_kill_process. The caller tells of it.
func (t *Task) OOMKill() {
	if c := t.k.cgroup(t.cgroup); c != nil {
		c.killed++
	}
	t.Quiet = true
	t.Exit(128 + 9)
}

// unified is the one cgroup2 file system.
func (k *Kernel) unified(src string) *super {
	if k.cgroup2 == nil {
		k.cgroup2 = k.newSuper("cgroup2", src, nil)
	}
	return k.cgroup2
}

// MakeCgroup makes a control group by mkdir(2) below /sys/fs/cgroup. path is from the hierarchy's root:
// "/docker/1234". hierarchy is "" for the unified one, else a version 1 controller's directory.
func (t *Task) MakeCgroup(hierarchy, p string) error {
	dir := path.Join("/sys/fs/cgroup", hierarchy, p)
	c := call{kind: "kernel.mkdir-cgroup", line: fmt.Sprintf("mkdir(%q, 0755)", dir), args: map[string]string{"path": p, "dir": dir}}
	if t.k.cgroup(p) == nil {
		t.k.cgroups = append(t.k.cgroups, &cgroup{path: p})
	}
	// The directory appears where the hierarchy is mounted.
	if at, _, err := t.lookup(path.Join("/sys/fs/cgroup", hierarchy), true); err == nil && strings.HasPrefix(at.mnt.sb.fstype, "cgroup") {
		for q := strings.TrimPrefix(p, "/"); q != "" && q != "."; q = path.Dir(q) {
			at.mnt.sb.made[q] = &node{mode: fsys.S_IFDIR | 0o755}
		}
	}
	t.done(c, "cgroups(7)")
	return nil
}

// JoinCgroup moves of into the group by writing its PID to cgroup.procs.
func (t *Task) JoinCgroup(hierarchy, p string, of *Task) error {
	file := path.Join("/sys/fs/cgroup", hierarchy, p, "cgroup.procs")
	c := call{kind: "kernel.join-cgroup", line: fmt.Sprintf("write(<%s>, %q)", file, strconv.Itoa(of.PID)), args: map[string]string{"path": p, "pid": strconv.Itoa(of.PID)}}
	if t.k.cgroup(p) == nil {
		return t.fail(c, "cgroups(7)", ENOENT)
	}
	of.cgroup = p
	t.done(c, "cgroups(7)")
	return nil
}

// SetCgroup writes one of a group's control files.
func (t *Task) SetCgroup(hierarchy, p, name, value string) error {
	file := path.Join("/sys/fs/cgroup", hierarchy, p, name)
	c := call{kind: "kernel.set-cgroup", line: fmt.Sprintf("write(<%s>, %q)", file, value), args: map[string]string{"path": p, "file": name, "value": value}}
	g := t.k.cgroup(p)
	if g == nil {
		return t.fail(c, "cgroups(7)", ENOENT)
	}
	i := slices.IndexFunc(g.limits, func(l string) bool { return strings.HasPrefix(l, name+"=") })
	if i >= 0 {
		g.limits[i] = name + "=" + value
	} else {
		g.limits = append(g.limits, name+"="+value)
	}
	t.done(c, "cgroups(7)")
	return nil
}

// Cgroup is the path of t's control group.
func (t *Task) Cgroup() string { return t.cgroup }

// pidsFull tells whether pids.max of the group or one above allows no further task.
// cgroup-v2.rst, "PID": a fork that would pass the limit fails with EAGAIN.
func (k *Kernel) pidsFull(p string) bool {
	for ; ; p = path.Dir(p) {
		if g := k.cgroup(p); g != nil {
			for _, l := range g.limits {
				v, ok := strings.CutPrefix(l, "pids.max=")
				if n, err := strconv.Atoi(v); ok && err == nil && k.tasksIn(p) >= n {
					return true
				}
			}
		}
		if p == "/" || p == "." {
			return false
		}
	}
}

func (k *Kernel) tasksIn(p string) int {
	n := 0
	for _, t := range k.tasks {
		if t.cgroup == p || strings.HasPrefix(t.cgroup, strings.TrimSuffix(p, "/")+"/") {
			n++
		}
	}
	return n
}
