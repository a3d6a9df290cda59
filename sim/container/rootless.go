package container

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// An engine without root: it makes itself root of a user namespace first, and does all the rest in there.
// podman executes itself again (pkg/rootless/rootless_linux.c); docker's daemon is started by rootlesskit.
// The order was recorded with podman 4.3.1: tests/truth/container/rootless.

// HostUser is who calls the engine: the user, and the range that /etc/subuid and /etc/subgid give it.
// subuid(5). The zero value means the first user of a Debian.
type HostUser struct{ UID, First, Count uint32 }

// firstUser is what useradd(8) makes: UID_MIN, and SUB_UID_MIN with SUB_UID_COUNT of login.defs(5).
func firstUser() HostUser { return HostUser{UID: 1000, First: 100000, Count: 65536} }

// home is where the user's files lie; the name is the one that command lines are read with.
const userName, home = "you", "/home/you"

func (u HostUser) runDir() string { return fmt.Sprintf("/run/user/%d", u.UID) }

// maps make the user root and give it its range as the numbers from 1 on.
func (u HostUser) maps() []kernel.IDMap {
	out := []kernel.IDMap{{Inside: 0, Outside: u.UID, Size: 1}}
	if u.Count > 0 {
		out = append(out, kernel.IDMap{Inside: 1, Outside: u.First, Size: u.Count})
	}
	return out
}

// inUserNS tells whether the container's root is not the host's: by a user namespace of its own, or because
// the engine itself lives in one.
func (r *run) inUserNS() bool { return r.userNS() || r.c.Rootless }

// rootless makes the user root of a new user namespace; what follows happens in there.
func (r *run) rootless() {
	t, u := r.host, r.c.HostUser
	t.Quiet = true
	// What a user may have; podman asks for as much. systemd-system.conf(5), DefaultLimitNOFILE=.
	t.Setrlimit(t, "NOFILE", kernel.Limit{Soft: 1024, Hard: userFiles})
	t.Setgid(u.UID)
	t.Setuid(u.UID)
	t.Quiet = false
	t.Stage = trace.Resolve
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Resolve, Kind: "engine.rootless", Rule: "user_namespaces(7); podman(1), Rootless mode",
		Args: map[string]string{"engine": t.Actor, "uid": strconv.Itoa(int(u.UID)), "user": userName, "first": strconv.Itoa(int(u.First)), "count": strconv.Itoa(int(u.Count))}})
	child, err := t.Clone(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
	if err != nil {
		return
	}
	if u.Count > 0 {
		for _, file := range []string{"uid_map", "gid_map"} {
			if r.engine() == "podman" {
				t.WriteIDMap(child, file, everyone()) // it might be allowed to
			}
			r.newIDMap(t, child, file)
		}
	} else {
		r.singleMap(t, child)
	}
	child.Setgid(0)
	child.Setuid(0)
	if r.engine() == "podman" {
		r.pause(child)
		child.Become("/usr/bin/podman", []string{"podman"})
	} else {
		child = r.program(child, "shim.start-daemon", "/usr/bin/dockerd", "--rootless")
	}
	r.emit(trace.Step{Actor: child.Actor, Stage: trace.Resolve, Kind: "engine.again", Rule: "podman pkg/rootless/rootless_linux.c; rootlesskit pkg/child",
		Args: map[string]string{"engine": child.Actor, "pid": strconv.Itoa(child.PID), "uid": strconv.Itoa(int(child.HostUID()))}})
	r.host = child
}

// userFiles is how many files a user's process may have open at most.
const userFiles = 524288

// everyone maps each number to itself.
func everyone() []kernel.IDMap {
	return []kernel.IDMap{{Inside: 0, Outside: 0, Size: 1}, {Inside: 1, Outside: 1, Size: 1<<32 - 2}}
}

// newIDMap has newuidmap(1) or newgidmap(1) write the map. Only someone privileged on the host may map what
// is not the writer's own; the two are setuid root and look the range up.
func (r *run) newIDMap(t, child *kernel.Task, file string) {
	u := r.c.HostUser
	name := "new" + strings.Replace(file, "_", "", 1)
	num := func(n uint32) string { return strconv.Itoa(int(n)) }
	helper := r.program(t, "shim.map-ids", "/usr/bin/"+name, strconv.Itoa(child.PID), "0", num(u.UID), "1", "1", num(u.First), num(u.Count))
	helper.Cred = kernel.RootCred()
	helper.WriteIDMap(child, file, u.maps())
	helper.Exit(0)
}

// singleMap is what is left without a range: the user alone, as root. The image may have no other owners.
func (r *run) singleMap(t, child *kernel.Task) {
	t.WriteIDMap(child, "uid_map", r.c.HostUser.maps())
	t.WriteIDMap(child, "gid_map", r.c.HostUser.maps())
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Resolve, Kind: "engine.no-subids", Rule: "subuid(5); podman(1), Rootless mode",
		Console: fmt.Sprintf("ERRO[0000] cannot find UID/GID for user %s: no subuid ranges found for user %q in /etc/subuid - check rootless mode in man pages. \n"+
			"WARN[0000] Using rootless single mapping into the namespace. This might break some images. Check /etc/subuid and /etc/subgid for adding sub*ids if not using a network user \n", userName, userName),
		Args: map[string]string{"user": userName}})
}

// pause leaves a process behind that does nothing and so keeps the namespaces: the next podman joins them and
// finds what this one has mounted.
func (r *run) pause(podman *kernel.Task) {
	first, err := podman.Clone(0)
	if err != nil {
		return
	}
	first.Setsid()
	t, err := first.Clone(0)
	if err != nil {
		return
	}
	first.Exit(0)
	t.Become("/usr/libexec/podman/catatonit", []string{"catatonit", "-P"})
	t.Actor = t.Comm
	r.emit(trace.Step{Actor: t.Actor, Stage: trace.Resolve, Kind: "shim.start-pause", Rule: "catatonit(1) -P; podman pkg/rootless",
		Args: map[string]string{"exe": t.Exe, "pid": strconv.Itoa(t.PID)}})
}

// unowned is what unpacking says of the first file of the image whose owner the user namespace does not have;
// "" when it has them all. containers/storage pkg/idtools/idtools_unix.go, checkChownErr.
func (r *run) unowned() string {
	if !r.c.Rootless || r.image == nil || r.engine() != "podman" {
		return ""
	}
	for i := range r.image.Layers {
		layer, err := r.image.Layers[i].Reader()
		if err != nil {
			return ""
		}
		text := ""
		tarfs.Scan(layer, func(e *tarfs.Entry) bool {
			if max(e.UID, e.GID) > r.c.HostUser.Count {
				name := "/" + tarfs.Clean(e.Name)
				text = "processing tar file(" + insufficient(e.UID, e.GID, "lchown", name) + "): exit status 1"
			}
			return text == ""
		})
		if text != "" {
			return fmt.Sprintf("writing blob: adding layer with blob %q: %s", r.image.Layers[i].Digest, text)
		}
	}
	return ""
}

func insufficient(uid, gid uint32, call, name string) string {
	return fmt.Sprintf("potentially insufficient UIDs or GIDs available in user namespace (requested %d:%d for %s): "+
		"Check /etc/subuid and /etc/subgid if configured locally and run podman-system-migrate: %s %s: invalid argument", uid, gid, name, call, name)
}

// checkPublish: a port of the host below 1024 is not for a user. podman opens it before the container is made.
func (r *run) checkPublish(*options) *failure {
	for _, v := range r.c.Publish {
		host, ok := hostPort(v)
		if !ok || host == 0 || host >= 1024 || !r.c.Rootless || r.engine() != "podman" || r.c.Network == "none" || r.c.Network == "host" {
			continue
		}
		// rootless-containers/rootlesskit pkg/port/builtin/parent: the port is opened on the host, by a user.
		return &failure{early: true, code: 126, text: fmt.Sprintf("rootlessport cannot expose privileged port %d, you can add 'net.ipv4.ip_unprivileged_port_start=%d' to /etc/sysctl.conf (currently 1024), "+
			"or choose a larger port number (>= 1024): listen tcp %s:%d: bind: permission denied", host, host, cmp.Or(hostAddress(v), "0.0.0.0"), host)}
	}
	return nil
}

// hostPort is the host's port of [IP:]HOST:CONTAINER[/PROTOCOL]; 0 when the engine chooses one, false when it
// is a range or no number.
func hostPort(v string) (port int, ok bool) {
	v, _, _ = strings.Cut(v, "/")
	parts := strings.Split(v[strings.LastIndex(v, "]")+1:], ":")
	if len(parts) < 2 || parts[len(parts)-2] == "" {
		return 0, true
	}
	n, err := strconv.Atoi(parts[len(parts)-2])
	return n, err == nil
}

func hostAddress(v string) string {
	if parts := strings.Split(v, ":"); len(parts) == 3 {
		return parts[0]
	}
	return ""
}

// stateDir is where a runtime keeps what it knows of a container.
func (r *run) stateDir(runtime string) string {
	dir := "/run/" + runtime
	if r.c.Rootless {
		dir = r.c.HostUser.runDir() + "/" + runtime
	}
	return dir + "/" + r.id
}

// delegate is how a group of the user's comes about: its systemd owns a part of the tree, to which the
// controllers memory and pids are delegated, and makes a scope in it when it is asked over D-Bus.
// systemd.resource-control(5), Delegate=; user@.service.
func (r *run) delegate(main, init *kernel.Task) {
	r.emit(trace.Step{Actor: main.Actor, Stage: trace.Create, Kind: "runc.ask-systemd", Rule: "org.freedesktop.systemd1(5), StartTransientUnit; Delegate= of user@.service",
		Args: map[string]string{"cgroup": r.spec.CgroupPath, "pid": strconv.Itoa(init.PID)}})
	main.Quiet = true
	main.MakeCgroup("", r.spec.CgroupPath)
	main.Quiet = false
	main.JoinCgroup("", r.spec.CgroupPath, init)
}

// rootlessSpec is what an engine writes otherwise without root. podman pkg/specgen/generate; moby
// rootless/specconv.
func (r *run) rootlessSpec(s *spec) {
	u := r.c.HostUser
	if r.cgroupV1() {
		s.CgroupPath = "" // nobody delegates anything in version 1
	} else {
		s.CgroupPath = fmt.Sprintf("/user.slice/user-%d.slice/user@%d.service/user.slice/libpod-%s.scope/container", u.UID, u.UID, r.id)
	}
	s.Limits = []rlimit{{"NOFILE", kernel.Limit{Soft: userFiles, Hard: userFiles}}}
	if r.engine() == "docker" {
		s.Limits = nil
		s.CgroupPath = strings.Replace(s.CgroupPath, "libpod-"+r.id+".scope/container", "docker-"+r.id+".scope", 1)
		// moby daemon/oci_linux.go: not inside of a user namespace.
		s.Sysctl = slices.DeleteFunc(s.Sysctl, func(v string) bool { return strings.HasPrefix(v, "net.ipv4.ping_group_range") })
	}
}

// ignoreLimits leaves out what nobody can set: in version 1 a user has no control groups.
func (r *run) ignoreLimits(s *spec) {
	if !r.c.Rootless || !r.cgroupV1() || s.Memory == 0 && s.Swap == 0 && s.PidsLimit == 0 {
		return
	}
	asked := r.options.memory != 0 || r.options.swap != 0 || r.options.pids != 0
	s.Memory, s.Swap, s.PidsLimit = 0, 0, 0
	if asked && r.engine() == "podman" {
		_, _, actor := r.names()
		r.emit(trace.Step{Actor: actor, Stage: trace.Create, Kind: "engine.limits-ignored", Rule: "podman pkg/specgen/generate, verifyContainerResources",
			Console: "Resource limits are not supported and ignored on cgroups V1 rootless systems\n", Args: map[string]string{"engine": actor}})
	}
}
