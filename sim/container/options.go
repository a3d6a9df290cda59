package container

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// The options of docker run that limit or connect the container: read and refused as docker 20.10's client
// and daemon, or podman 4.3, do it.

// options are the options of the command line after reading.
type options struct {
	memory, swap int64 // bytes; swap is memory and swap together, -1 without limit
	pids         int64 // -1 without limit, 0 when not given
	limits       []rlimit
	tmpfs        []specMount
	volumes      []specMount
	anonymous    []specMount // of the image's VOLUME
	maps         idMaps
	stopSignal   string
	restart      string // the policy's name
	retries      int
}

// rlimit is an entry of process.rlimits.
type rlimit struct {
	name string // without RLIMIT_
	kernel.Limit
}

// rlimitType is Linux's number of a limit that --ulimit takes. go-units ulimit.go; asm-generic/resource.h.
func rlimitType(name string) (int, bool) {
	names := []string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"}
	i := slices.Index(names, name)
	return i, i >= 0 && name != ""
}

const minMemory = 6 << 20 // bytes; moby daemon/daemon_unix.go, linuxMinMemory

// readOptions reads the options in the order client, daemon; the first that is wrong ends the start before
// the image is looked for.
func (r *run) readOptions() *failure {
	o := &r.options
	for _, read := range []func(*options) *failure{r.readMemory, r.readPids, r.readLimits, r.readSysctls, r.readOOM, r.readSignal, r.readRestart, r.checkMemory, r.checkOOM, r.checkNetwork, r.readTmpfs, r.readVolumes, r.readUserNS, r.checkPublish} {
		if f := read(o); f != nil {
			return f
		}
	}
	return nil
}

// badFlag is an argument that the client refuses: pflag's words under docker, podman's own.
func (r *run) badFlag(value, flag, why, podman string) *failure {
	if r.engine() == "podman" {
		return &failure{text: podman, early: true}
	}
	return &failure{text: fmt.Sprintf("invalid argument %q for %q flag: %s", value, flag, why), early: true, client: true, usage: true}
}

// refused is what the daemon refuses while it creates the container.
func refused(format string, args ...any) *failure {
	return &failure{text: fmt.Sprintf(format, args...), early: true, usage: true}
}

func (r *run) readMemory(o *options) *failure {
	size := func(value, flag string) (int64, *failure) {
		n, err := ramInBytes(value)
		if err != nil {
			return 0, r.badFlag(value, flag, err.Error(), "invalid value for memory: "+err.Error())
		}
		return n, nil
	}
	var f *failure
	if r.c.Memory != "" {
		if o.memory, f = size(r.c.Memory, "-m, --memory"); f != nil {
			return f
		}
	}
	switch r.c.MemorySwap {
	case "":
		o.swap = 2 * o.memory // moby daemon_unix.go adaptContainerSettings; podman-run(1) --memory-swap
	case "-1":
		o.swap = -1
	default:
		if o.swap, f = size(r.c.MemorySwap, "--memory-swap"); f != nil {
			return f
		}
		if o.swap == 0 {
			o.swap = 2 * o.memory
		}
	}
	return nil
}

// ramInBytes reads "512m", "1.5 GiB", "64kb". go-units size.go, RAMInBytes.
func ramInBytes(s string) (int64, error) {
	m := ramSize().FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("invalid size: '%s'", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, err
	}
	if m[2] != "" {
		n *= float64(int64(1) << (10 * (1 + strings.Index("kmgtp", strings.ToLower(m[2])))))
	}
	if n >= 1<<62 {
		return 0, fmt.Errorf("invalid size: '%s'", s)
	}
	return int64(n), nil
}

func ramSize() *regexp.Regexp {
	return regexp.MustCompile(`^(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?$`)
}

// checkMemory is moby daemon_unix.go, verifyPlatformContainerResources. Podman leaves it to the kernel in
// version 2.
func (r *run) checkMemory(o *options) *failure {
	switch {
	case r.engine() != "docker":
		return nil
	case o.memory != 0 && o.memory < minMemory:
		return refused("Minimum memory limit allowed is 6MB")
	case o.memory > 0 && o.swap > 0 && o.swap < o.memory:
		return refused("Minimum memoryswap limit should be larger than memory limit, see usage")
	case o.memory == 0 && o.swap > 0:
		return refused("You should always set the Memory limit when using Memoryswap limit, see usage")
	}
	return nil
}

// readOOM reads --oom-score-adj, which is a number for the client, and what the learner says of the program.
func (r *run) readOOM(*options) *failure {
	if _, err := strconv.ParseInt(r.c.OOMScoreAdj, 0, 64); r.c.OOMScoreAdj != "" && err != nil {
		return r.badFlag(r.c.OOMScoreAdj, "--oom-score-adj", err.Error(), fmt.Sprintf("invalid argument %q for %q flag: %s", r.c.OOMScoreAdj, "--oom-score-adj", err))
	}
	return nil
}

// checkOOM is moby daemon_unix.go, verifyPlatformContainerSettings.
func (r *run) checkOOM(*options) *failure {
	n, err := strconv.ParseInt(r.c.OOMScoreAdj, 0, 64)
	if r.engine() == "docker" && err == nil && (n < -1000 || n > 1000) {
		return refused("Invalid value %d, range for oom score adj is [-1000, 1000]", n)
	}
	return nil
}

func (r *run) readPids(o *options) *failure {
	if r.c.PidsLimit == "" {
		return nil
	}
	n, err := strconv.ParseInt(r.c.PidsLimit, 0, 64)
	if err != nil {
		return r.badFlag(r.c.PidsLimit, "--pids-limit", err.Error(), fmt.Sprintf("invalid argument %q for %q flag: %s", r.c.PidsLimit, "--pids-limit", err))
	}
	o.pids = max(n, -1)
	return nil
}

// readLimits is go-units ulimit.go, ParseUlimit: NAME=SOFT[:HARD], -1 without limit.
func (r *run) readLimits(o *options) *failure {
	for _, value := range r.c.Ulimit {
		l, err := parseUlimit(value)
		if err != nil {
			return r.badFlag(value, "--ulimit", err.Error(), fmt.Sprintf("ulimit option %q requires name=SOFT:HARD, failed to be parsed: %s", value, err))
		}
		o.limits = setLimit(o.limits, l)
	}
	return nil
}

func parseUlimit(value string) (rlimit, error) {
	name, limits, ok := strings.Cut(value, "=")
	if !ok {
		return rlimit{}, fmt.Errorf("invalid ulimit argument: %s", value)
	}
	l := rlimit{name: strings.ToUpper(name)}
	if _, known := rlimitType(l.name); !known || name != strings.ToLower(name) {
		return l, fmt.Errorf("invalid ulimit type: %s", name)
	}
	parts := strings.Split(limits, ":")
	if len(parts) > 2 {
		return l, fmt.Errorf("too many limit value arguments - %s, can only have up to two, `soft[:hard]`", limits)
	}
	var err error
	if l.Hard, err = strconv.ParseInt(parts[len(parts)-1], 10, 64); err != nil {
		return l, err
	}
	if l.Soft, err = strconv.ParseInt(parts[0], 10, 64); err != nil {
		return l, err
	}
	switch {
	case l.Hard != -1 && l.Soft == -1:
		return l, fmt.Errorf("ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: %d", l.Hard)
	case l.Hard != -1 && l.Soft > l.Hard:
		return l, fmt.Errorf("ulimit soft limit must be less than or equal to hard limit: %d > %d", l.Soft, l.Hard)
	}
	return l, nil
}

// setLimit adds or replaces a limit at its place.
func setLimit(list []rlimit, l rlimit) []rlimit {
	if i := slices.IndexFunc(list, func(x rlimit) bool { return x.name == l.name }); i >= 0 {
		list[i] = l
		return list
	}
	return append(list, l)
}

// readSysctls lets pass what belongs to a namespace of the container. docker/cli opts.ValidateSysctl, podman
// pkg/util ValidateSysctls.
func (r *run) readSysctls(*options) *failure {
	for _, v := range r.c.Sysctl {
		key, value, ok := strings.Cut(v, "=")
		podman := fmt.Sprintf("sysctl '%s' is not allowed", key)
		switch {
		case !ok:
			podman = v + " is invalid, sysctl values must be in the form of KEY=VALUE"
		case strings.TrimSpace(key) != key || strings.TrimSpace(value) != value:
			if r.engine() == "podman" {
				return refused("'%s' is invalid, extra spaces found", v)
			}
		}
		if !ok || !namespaced(key) {
			return r.badFlag(v, "--sysctl", fmt.Sprintf("sysctl '%s' is not allowed", v), podman)
		}
		if r.engine() == "podman" && r.c.Network == "host" && strings.HasPrefix(key, "net.") {
			return refused("sysctl %s=%s can't be set since Network Namespace set to host: invalid argument", key, value)
		}
	}
	return nil
}

func namespaced(key string) bool {
	return strings.HasPrefix(key, "net.") || strings.HasPrefix(key, "fs.mqueue.") ||
		slices.Contains([]string{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"}, key)
}

// readSignal takes a number or a name with or without SIG. moby pkg/signal ParseSignal.
func (r *run) readSignal(o *options) *failure {
	if v := r.c.StopTimeout; v != "" {
		if _, err := strconv.ParseInt(v, 0, 64); err != nil {
			return r.badFlag(v, "--stop-timeout", err.Error(), fmt.Sprintf("invalid argument %q for %q flag: %s", v, "--stop-timeout", err))
		}
	}
	o.stopSignal = r.c.StopSignal
	if o.stopSignal == "" {
		return nil
	}
	name := strings.TrimPrefix(strings.ToUpper(o.stopSignal), "SIG")
	n, err := strconv.Atoi(o.stopSignal)
	if err == nil && n != 0 || err != nil && knownSignal(name) {
		if err != nil {
			o.stopSignal = "SIG" + name
		}
		return nil
	}
	if r.engine() == "podman" {
		return refused("invalid signal: %s", r.c.StopSignal)
	}
	return refused("Invalid signal: %s", r.c.StopSignal)
}

// knownSignal tells whether Linux has a signal of that name. signal(7).
func knownSignal(name string) bool {
	for _, end := range []string{"RTMIN", "RTMAX"} {
		rest, ok := strings.CutPrefix(name, end)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(rest)
		return rest == "" || err == nil && (end == "RTMIN" && n > 0 && n <= 15 || end == "RTMAX" && n < 0 && n >= -14)
	}
	return slices.Contains(strings.Fields("ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"), name)
}

// checkNetwork knows bridge, host and none; other containers and networks are the host's. moby
// runconfig/hostconfig_unix.go.
func (r *run) checkNetwork(*options) *failure {
	name, joined := strings.CutPrefix(r.c.Network, "container:")
	switch {
	case !joined:
		return nil
	case name == "":
		return refused("Invalid network mode: invalid container format container:<name|id>")
	case r.engine() == "docker" && r.c.Hostname != "":
		return refused("conflicting options: hostname and the network mode")
	}
	return nil
}

// elsewhere is what the network needs from the host and is not known here; nil when nothing.
func (r *run) elsewhere() *trace.Reason {
	switch kind, of, _ := strings.Cut(r.c.UserNS, ":"); {
	case r.engine() == "podman" && kind == "container":
		return trace.Why("unknown.other-container", "container", of)
	case r.engine() == "podman" && kind == "ns":
		return trace.Why("unknown.host-namespace", "path", of)
	}
	switch n := r.c.Network; {
	case n == "" || n == "default" || n == "bridge" || n == "host" || n == "none":
		return nil
	case r.engine() == "podman" && (n == "private" || strings.HasPrefix(n, "slirp4netns")):
		return nil
	case strings.HasPrefix(n, "container:"):
		return trace.Why("unknown.other-container", "container", strings.TrimPrefix(n, "container:"))
	default:
		return trace.Why("unknown.host-network", "network", n)
	}
}

// readTmpfs is --tmpfs DIR[:OPTIONS]. moby daemon/oci_linux.go WithMounts; podman pkg/util mountOpts.go.
func (r *run) readTmpfs(o *options) *failure {
	for _, v := range r.c.Tmpfs {
		dest, data, _ := strings.Cut(v, ":")
		if f := r.checkTarget(dest); f != nil {
			return f
		}
		list := []string{"noexec", "nosuid", "nodev", "rprivate"}
		if r.engine() == "podman" {
			list = []string{"nosuid", "nodev", "rprivate"}
		}
		for x := range strings.SplitSeq(data, ",") {
			if x == "" {
				continue
			}
			if r.engine() != "podman" && !tmpfsOption(x) {
				return &failure{text: fmt.Sprintf("invalid tmpfs option %q", strings.SplitN(x, "=", 2)), early: true}
			}
			list = append(slices.DeleteFunc(list, func(old string) bool { return opposite(old, x) }), x)
		}
		o.tmpfs = append(o.tmpfs, specMount{path.Clean(dest), "tmpfs", "tmpfs", strings.Join(list, ",")})
	}
	return nil
}

func opposite(a, b string) bool {
	key := func(s string) string { k, _, _ := strings.Cut(s, "="); return k }
	return key(a) == key(b) || strings.TrimPrefix(a, "no") == strings.TrimPrefix(b, "no") || a == "ro" && b == "rw" || a == "rw" && b == "ro"
}

// tmpfsOption tells whether tmpfs takes the option. moby/sys/mount flags_linux.go, MergeTmpfsOptions.
func tmpfsOption(o string) bool {
	key, _, hasValue := strings.Cut(o, "=")
	if hasValue {
		return slices.Contains([]string{"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"}, key)
	}
	return slices.Contains(strings.Fields("defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime strictatime nostrictatime"), o)
}

// checkTarget refuses a place in the container that nothing can be mounted at. moby volume/mounts
// linux_parser.go.
func (r *run) checkTarget(dest string) *failure {
	switch {
	case r.engine() == "podman" && !path.IsAbs(dest):
		return refused("invalid container path %q, must be an absolute path", dest)
	case path.Clean(dest) == "/":
		return refused("invalid specification: destination can't be '/'")
	case !path.IsAbs(dest):
		return refused("invalid mount path: '%s' mount path must be absolute", dest)
	}
	return nil
}

// readVolumes is --volume [SOURCE:]DIR[:MODE]. moby volume/mounts linux_parser.go, ParseMountRaw. What the
// directories of the host hold is not known; see [run.under].
func (r *run) readVolumes(o *options) *failure {
	for _, v := range r.c.Volume {
		m, err := r.volume(v)
		if err != nil {
			return refused("%v", err)
		}
		if r.isVolume(m.dest) {
			if r.engine() == "podman" {
				return refused("%s: duplicate mount destination", m.dest)
			}
			return refused("Duplicate mount point: %s", m.dest)
		}
		o.volumes = append(o.volumes, m)
	}
	return nil
}

func (r *run) volume(v string) (specMount, error) {
	parts := strings.SplitN(v, ":", 4)
	invalid := fmt.Errorf("invalid volume specification: '%s'", v)
	source, dest, mode := "", parts[0], ""
	switch len(parts) {
	case 2:
		if volumeMode(parts[1]) {
			return specMount{}, invalid
		}
		source, dest = parts[0], parts[1]
	case 3:
		source, dest, mode = parts[0], parts[1], parts[2]
		if !volumeMode(mode) {
			return specMount{}, fmt.Errorf("invalid mode: %s", mode)
		}
	case 4:
		return specMount{}, invalid
	}
	if parts[0] == "" {
		return specMount{}, invalid
	}
	kind := "volume"
	if path.IsAbs(source) {
		kind = "bind"
	} else {
		if source == "" {
			source = shortSum(r.c.Name + "\x00" + dest)
		}
		store, _, _ := r.names()
		if r.engine() == "" {
			store = "/var/lib/docker"
		}
		source = path.Join(store, "volumes", source, "_data")
	}
	if f := r.checkTarget(dest); f != nil {
		if strings.HasPrefix(f.text, "invalid container path") {
			return specMount{}, errors.New(f.text)
		}
		return specMount{}, fmt.Errorf("%w: invalid mount config for type %q: %s", invalid, kind, f.text)
	}
	options := []string{"rbind"}
	prop := "rprivate"
	for x := range strings.SplitSeq(mode, ",") {
		switch x {
		case "ro":
			options = append(options, "ro")
		case "private", "rprivate", "slave", "rslave", "shared", "rshared":
			prop = x
		}
	}
	return specMount{path.Clean(dest), "bind", path.Clean(source), strings.Join(append(options, prop), ",")}, nil
}

// volumeMode is linux_parser.go, linuxValidMountMode, with the options that podman adds.
func volumeMode(mode string) bool {
	for o := range strings.SplitSeq(mode, ",") {
		if !slices.Contains([]string{"", "ro", "rw", "z", "Z", "nocopy", "private", "rprivate", "slave", "rslave", "shared", "rshared", "consistent", "cached", "delegated"}, o) {
			return false
		}
	}
	return true
}
