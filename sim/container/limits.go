package container

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// applyOptions puts the options of the command line into the runtime config. A bare bundle is edited to say
// the same.
func (r *run) applyOptions(s *spec) {
	o := &r.options
	s.Memory, s.Swap = o.memory, o.swap
	if o.pids != 0 {
		s.PidsLimit = o.pids
	}
	// Podman puts its defaults behind what was asked for. libpod/container_internal_linux.go
	limits := slices.Clone(o.limits)
	for _, l := range s.Limits {
		if !slices.ContainsFunc(limits, func(x rlimit) bool { return x.name == l.name }) {
			limits = append(limits, l)
		}
	}
	s.Limits = limits
	r.applyNetwork(s)
	for _, v := range r.c.Sysctl {
		key, value, _ := strings.Cut(v, "=")
		s.Sysctl = setenv(s.Sysctl, key, value)
	}
	if r.c.Init {
		r.applyInit(s)
	}
	r.applyMounts(s)
}

// applyNetwork leaves out the network namespace for host. Docker names the host's, which the runtime then
// enters; podman takes the entry away.
func (r *run) applyNetwork(s *spec) {
	if r.c.Network != "host" {
		return
	}
	s.Namespaces &^= kernel.CLONE_NEWNET
	s.SharedNet = r.engine() == "docker"
	if r.engine() != "" && r.c.Hostname == "" {
		s.Hostname = r.host.Hostname() // moby daemon/container_operations.go; podman pkg/specgen/generate
	}
	if r.engine() == "docker" {
		s.Sysctl = nil // its defaults are for a network of the container's own
	}
}

// applyInit puts a small init in front of the program. moby daemon/oci_linux.go WithCommonOptions; podman
// pkg/specgen/generate, libpod/define ContainerInitPath.
func (r *run) applyInit(s *spec) {
	m := specMount{"/sbin/docker-init", "bind", "/usr/bin/docker-init", "bind,ro"}
	if r.engine() == "podman" {
		m = specMount{"/run/podman-init", "bind", "/usr/libexec/podman/catatonit", "bind,ro"}
	}
	if len(s.Args) == 0 {
		return // refused below
	}
	s.Args = append([]string{m.dest, "--"}, s.Args...)
	s.Mounts = slices.Insert(s.Mounts, r.ownMounts(s), m)
}

// ownMounts is the place in the list of mounts where those of the command line begin: behind the default
// ones, before the engine's files.
func (r *run) ownMounts(s *spec) int {
	i := slices.IndexFunc(s.Mounts, func(m specMount) bool {
		return m.fstype == "bind" && m.dest != "/sbin/docker-init"
	})
	if i < 0 {
		return len(s.Mounts)
	}
	return i
}

// applyMounts adds tmpfs and volumes: a mount of the user's takes the place of a default one, and those
// with fewer components come first. moby daemon/oci_linux.go WithMounts.
func (r *run) applyMounts(s *spec) {
	volumes := slices.Concat(r.options.volumes, r.options.anonymous)
	user := slices.Concat(volumes, r.options.tmpfs)
	if len(user) == 0 {
		return
	}
	at := r.ownMounts(s)
	first, files := slices.Clone(s.Mounts[:at]), slices.Clone(s.Mounts[at:])
	taken := func(m specMount) bool {
		return slices.ContainsFunc(user, func(u specMount) bool { return u.dest == m.dest })
	}
	first, files = slices.DeleteFunc(first, taken), slices.DeleteFunc(files, taken)
	list := slices.Concat(volumes, files, r.options.tmpfs)
	if r.engine() == "podman" {
		list, first = slices.Concat(first, user, files), nil // all are sorted: pkg/util SortMounts
	}
	slices.SortStableFunc(list, func(a, b specMount) int {
		return cmp.Compare(strings.Count(a.dest, "/"), strings.Count(b.dest, "/"))
	})
	s.Mounts = append(first, list...)
}

// isVolume tells whether a volume is mounted there: what it holds lies outside the image.
func (r *run) isVolume(dest string) bool {
	return slices.ContainsFunc(r.options.volumes, func(m specMount) bool { return m.dest == dest })
}

// under is the volume that a path of the container leads into; "" when the image decides. Podman copies
// what the image has into a tmpfs, which is not played here.
func (r *run) under(name string) string {
	for _, m := range slices.Concat(r.options.volumes, r.copiedTmpfs()) {
		for _, dest := range r.spellings(m.dest) {
			for _, at := range r.spellings(name) {
				if at == dest || strings.HasPrefix(at, dest+"/") {
					return m.dest
				}
			}
		}
	}
	return ""
}

// spellings are a path as written and where links of the image lead it; what is missing there stays.
func (r *run) spellings(name string) []string {
	out := []string{name}
	if at, err := fsys.Resolve(r.root, name); err == nil {
		out = append(out, "/"+at)
	}
	for dir, rest := path.Split(name); ; {
		at, err := fsys.Resolve(r.root, dir)
		if err == nil {
			return append(out, path.Join("/", at, rest))
		}
		if dir = path.Clean(dir); dir == "/" || dir == "." {
			return out
		}
		rest = path.Join(path.Base(dir), rest)
		dir = path.Dir(dir)
	}
}

func (r *run) copiedTmpfs() []specMount {
	if r.engine() == "podman" {
		return r.options.tmpfs
	}
	return nil
}

// hidden tells whether one of the names, as they are written or found by PATH, leads into a volume; the
// run then ends: whether the start goes on depends on what lies there.
func (r *run) hidden(names ...string) bool {
	for _, name := range names {
		at := ""
		switch {
		case name == "":
		case path.IsAbs(name):
			at = r.under(path.Clean(name))
		case strings.Contains(name, "/"):
			at = r.under(path.Join(r.spec.Cwd, name))
		default:
			list, _ := getenv(r.spec.Env, "PATH")
			for dir := range strings.SplitSeq(list, ":") {
				at = cmp.Or(at, r.under(path.Clean(dir)))
			}
		}
		if at != "" {
			r.m.End(trace.Outcome{Verdict: trace.Unknown, Unknown: trace.Why("unknown.volume-at", "path", at)})
			return true
		}
	}
	return false
}

// cgroupLimits writes the limits: runc sets pids and memory before the devices in version 2 and in the order
// of its hierarchies in version 1; crun devices, memory, pids. libcontainer/cgroups fs2/fs2.go Set, fs/fs.go;
// crun src/libcrun/cgroup-resources.c.
func (r *run) cgroupLimits(main *kernel.Task) error {
	order := []func(*kernel.Task) error{r.deviceRules, r.memoryLimit, r.pidsLimit}
	if r.runtime() == "runc" && !r.cgroupV1() {
		order = []func(*kernel.Task) error{r.pidsLimit, r.memoryLimit, r.deviceRules}
	}
	for _, set := range order {
		if err := set(main); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pidsLimit(main *kernel.Task) error {
	value := strconv.FormatInt(r.spec.PidsLimit, 10)
	switch {
	case r.spec.PidsLimit == 0:
		return nil
	case r.spec.PidsLimit < 0:
		value = "max"
	}
	return main.SetCgroup(r.hierarchy("pids"), r.spec.CgroupPath, "pids.max", value)
}

// hierarchy is the controller's directory in version 1; version 2 has one tree.
func (r *run) hierarchy(name string) string {
	if r.cgroupV1() {
		return name
	}
	return ""
}

// memoryLimit writes the limit of memory and that of swap. Version 1 counts both together, version 2 apart.
// cgroup-v1/memory.rst 2.4; cgroup-v2.rst, memory.max, memory.swap.max.
func (r *run) memoryLimit(main *kernel.Task) error {
	s := &r.spec
	if s.Memory == 0 && s.Swap == 0 {
		return nil
	}
	memory, swap := [2]string{"memory.limit_in_bytes", strconv.FormatInt(s.Memory, 10)}, [2]string{"memory.memsw.limit_in_bytes", strconv.FormatInt(s.Swap, 10)}
	swapFirst := r.runtime() == "runc" && s.Swap == -1 // the sum may not be below the limit of memory
	if !r.cgroupV1() {
		text, err := r.swapOnly()
		if err != nil {
			return err
		}
		memory[0], swap = "memory.max", [2]string{"memory.swap.max", text}
		swapFirst = r.runtime() == "runc"
	}
	writes := [][2]string{memory, swap}
	if swapFirst {
		writes = [][2]string{swap, memory}
	}
	for _, w := range writes {
		if w[1] == "0" && w[0] != "memory.swap.max" {
			continue
		}
		if err := main.SetCgroup(r.hierarchy("memory"), s.CgroupPath, w[0], w[1]); err != nil {
			return err
		}
	}
	return nil
}

// swapOnly is what version 2 counts as swap. libcontainer/cgroups/utils.go ConvertMemorySwapToCgroupV2Value;
// crun src/libcrun/cgroup-resources.c write_memory_swap.
func (r *run) swapOnly() (string, error) {
	memory, both := r.spec.Memory, r.spec.Swap
	without, below := "unable to set swap limit without memory limit", "memory+swap limit should be >= memory limit"
	if r.runtime() == "crun" {
		without, below = "cannot set swap limit without the memory limit", "cannot set memory+swap limit less than the memory limit"
	}
	switch {
	case both == -1:
		return "max", nil
	case memory == 0:
		return "", &failure{text: without}
	case both < memory:
		return "", &failure{text: below}
	}
	return strconv.FormatInt(both-memory, 10), nil
}

// describeNetwork says what of the network the container will see.
func (r *run) describeNetwork() bool {
	if what := r.elsewhere(); what != nil {
		r.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Resolve, Unknown: what})
		return false
	}
	_, _, actor := r.names()
	kind := trace.Kind("engine.network-" + r.c.Network)
	switch r.c.Network {
	case "", "default", "private", "slirp4netns":
		if !r.c.Rootless {
			return true
		}
		kind = "engine.network-slirp"
	case "host", "none":
	default:
		kind = "engine.network-bridge"
	}
	r.emit(trace.Step{Actor: actor, Stage: trace.Create, Kind: kind, Rule: "docker run --network; network_namespaces(7)",
		Args: map[string]string{"engine": actor, "network": r.c.Network, "hostname": r.spec.Hostname}})
	return true
}
