package container

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// A container in a user namespace of its own: its root is nobody on the host. Docker's daemon does so with
// userns-remap, podman with --uidmap and --userns, a bundle with uidMappings. The engines give the image's
// files to the mapped users when they unpack it (or mount them so), which is why owners inside are those of
// the image.

// userNS tells whether the container has one.
func (r *run) userNS() bool { return r.spec.Namespaces.Has(kernel.CLONE_NEWUSER) }

// idMaps are the maps of a container and what its mode changes besides.
type idMaps struct {
	uid, gid []kernel.IDMap
	user     string   // "UID:GID" in place of root, when neither the image nor the command line names one
	groups   []uint32 // in addition
	auto     uint32   // with --userns=auto: the size, 0 when the image decides
	isAuto   bool
}

// readUserNS reads --userns and --uidmap. docker/cli cli/command/container/opts.go; podman pkg/specgen
// namespaces.go ParseUserNamespace, pkg/util/utils.go GetKeepIDMapping and GetNoMapMapping.
func (r *run) readUserNS(o *options) *failure {
	mode, value, _ := strings.Cut(r.c.UserNS, ":")
	if r.engine() != "podman" {
		return r.dockerUserNS(o)
	}
	if len(r.c.UserMaps) > 0 && r.c.UserNS != "" {
		return refused("--userns and --uidmap/--gidmap/--subuidname/--subgidname are mutually exclusive")
	}
	o.maps = idMaps{uid: r.c.UserMaps, gid: r.c.UserMaps}
	for _, m := range r.c.UserMaps { // podman gives its directories to the container's root
		if root := m.Outside; m.Inside == 0 && r.c.Rootless && root > r.c.HostUser.Count {
			return refused("%s", insufficient(root, root, "chown", r.c.HostUser.runDir()+"/containers/overlay"))
		}
	}
	switch mode {
	case "", "host":
		return nil
	case "private":
		return refused("must provide at least one UID or GID mapping to configure a user namespace")
	case "keep-id", "nomap":
		if !r.c.Rootless {
			return refused("%s is only supported in rootless mode", mode)
		}
		if r.c.HostUser.Count == 0 { // its own words: pkg/util/utils.go wraps a nil error
			return refused("%s requires additional UIDs or GIDs defined in /etc/subuid and /etc/subgid to function correctly: %%!w(<nil>)", mode)
		}
		if mode == "nomap" {
			all := []kernel.IDMap{{Inside: 0, Outside: 1, Size: r.c.HostUser.Count}}
			o.maps = idMaps{uid: all, gid: all, groups: []uint32{0}}
			return nil
		}
		return r.keepID(o, value)
	case "auto":
		return r.readAuto(o, value)
	case "container", "ns":
		return nil // see elsewhere
	}
	return refused("unrecognized namespace mode %s passed", r.c.UserNS)
}

// dockerUserNS: a daemon with userns-remap gives every container the maps of one user of the host, and
// --userns=host makes an exception. moby daemon/daemon_unix.go, verifyPlatformContainerSettings.
func (r *run) dockerUserNS(o *options) *failure {
	o.maps = idMaps{uid: r.c.UserMaps, gid: r.c.UserMaps}
	switch {
	case r.engine() == "":
		return nil
	case r.c.UserNS != "" && r.c.UserNS != "host":
		return &failure{text: "docker: --userns: invalid USER mode.", early: true, client: true, usage: true}
	case !r.c.UsernsRemap || r.c.UserNS == "host":
		return nil
	case r.c.Privileged:
		return refused("privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode")
	case r.c.Network == "host":
		return refused("cannot share the host's network namespace when user namespaces are enabled")
	}
	u := firstUser() // dockremap, with the first range that is free
	all := []kernel.IDMap{{Inside: 0, Outside: u.First, Size: u.Count}}
	o.maps = idMaps{uid: all, gid: all}
	return nil
}

// keepID lets the caller keep the number in the container; the numbers around come from the range.
func (r *run) keepID(o *options, value string) *failure {
	u := r.c.HostUser
	uid, gid := u.UID, u.UID
	for option := range strings.SplitSeq(value, ",") {
		key, number, _ := strings.Cut(option, "=")
		into := map[string]*uint32{"uid": &uid, "gid": &gid}[key]
		switch {
		case value == "":
			continue
		case into == nil:
			return refused("unknown option specified: %q", key)
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return refused("%v", err)
		}
		*into = uint32(n)
	}
	o.maps = idMaps{uid: around(uid, u.Count), gid: around(gid, u.Count), user: fmt.Sprintf("%d:%d", uid, gid), groups: []uint32{gid}}
	return nil
}

// around maps the outer 0 to id, and count further numbers below and above it.
func around(id, count uint32) []kernel.IDMap {
	below := min(id, count)
	out := []kernel.IDMap{{Inside: 0, Outside: 1, Size: below}, {Inside: id, Outside: 0, Size: 1}, {Inside: id + 1, Outside: id + 1, Size: count - below}}
	return slices.DeleteFunc(out, func(m kernel.IDMap) bool { return m.Size == 0 })
}

// readAuto is --userns=auto[:size=N]; the other options name maps of the host's files.
func (r *run) readAuto(o *options, value string) *failure {
	o.maps.isAuto = true
	for option := range strings.SplitSeq(value, ",") {
		key, number, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "size":
			n, err := strconv.ParseUint(number, 10, 32)
			if err != nil {
				return refused("%v", err)
			}
			o.maps.auto = uint32(n)
		case "uidmapping", "gidmapping":
		default:
			return refused("unknown option specified: %q", key)
		}
	}
	return nil
}

// autoMin is the least size of a namespace that is made automatically. containers-storage.conf(5),
// auto-userns-min-size.
const autoMin = 1024

// makeAuto chooses how many numbers the container gets: as many as its users need. containers/storage
// userns.go, getAutoUserNSIDMappings.
func (r *run) makeAuto() *failure {
	o := &r.options.maps
	if !o.isAuto {
		return nil
	}
	size := o.auto
	if size == 0 {
		size = autoMin
		for _, file := range []string{"etc/passwd", "etc/group"} {
			for _, e := range entries(r.root, file) {
				if n, ok := e.number(2); ok && e.field(0) != "nobody" && e.field(0) != "nogroup" {
					size = max(size, n+1)
				}
			}
		}
		if uid, _, ok := ids(firstOf(r.c.User, r.conf.User)); ok {
			size = max(size, uid+1)
		}
	}
	// With root, podman takes from the range of a user "containers", which Debian does not have.
	if !r.c.Rootless || size > r.c.HostUser.Count {
		return &failure{text: "creating container storage: could not find enough available IDs", early: true}
	}
	o.uid = []kernel.IDMap{{Inside: 0, Outside: 1, Size: size}}
	o.gid = o.uid
	return nil
}

// applyUserNS adds it to the runtime config. As "runc spec --rootless" writes it there is a cgroup namespace
// and no mount of the control groups.
func (r *run) applyUserNS(s *spec) {
	m := &r.options.maps
	if len(m.uid) == 0 {
		return
	}
	s.UIDMap, s.GIDMap = m.uid, m.gid
	s.Namespaces |= kernel.CLONE_NEWUSER
	if r.engine() != "" {
		return
	}
	s.Namespaces |= kernel.CLONE_NEWCGROUP
	for i, m := range s.Mounts {
		if m.fstype == "cgroup" {
			s.Mounts = append(s.Mounts[:i:i], s.Mounts[i+1:]...)
			return
		}
	}
}

// checkMapped refuses a user that the container's maps leave out. libpod container_internal_linux.go,
// generateSpec.
func (r *run) checkMapped(s *spec) error {
	inside := func(m kernel.IDMap) bool { return s.UID >= m.Inside && s.UID-m.Inside < m.Size }
	if r.engine() != "podman" || len(s.UIDMap) == 0 || slices.ContainsFunc(s.UIDMap, inside) {
		return nil
	}
	var list []string
	for _, m := range s.UIDMap {
		list = append(list, fmt.Sprintf("specs.LinuxIDMapping{ContainerID:%#x, HostID:%#x, Size:%#x}", m.Inside, m.Outside, m.Size))
	}
	return &failure{text: fmt.Sprintf("container uses ID mappings ([]specs.LinuxIDMapping{%s}), but doesn't map UID %d", strings.Join(list, ", "), s.UID), early: true, code: 126}
}

// ownLayers gives the image's files to the users of the container's maps: docker when it unpacks them, podman
// by mounts that map the owners, where the kernel can do that for overlay (Linux 5.19, with root), else by a
// copy of the layers with other owners. containers/storage drivers/overlay, supportsIDmappedMounts.
func (r *run) ownLayers() {
	if len(r.spec.UIDMap) == 0 || r.engine() == "" {
		return
	}
	_, _, actor := r.names()
	st := trace.Step{Actor: actor, Stage: trace.Create, Kind: "engine.chown-layers", Rule: "containers/storage drivers/overlay; moby pkg/idtools",
		Args: map[string]string{"engine": actor, "map": mapText(r.spec.UIDMap)}}
	if r.engine() == "podman" && !r.c.Rootless && !olderThan(r.c.HostKernel, 5, 19) {
		st.Kind, st.Rule = "engine.map-layers", "mount_setattr(2), MOUNT_ATTR_IDMAP"
	}
	r.emit(st)
}

// mapText is a map on one line.
func mapText(list []kernel.IDMap) string {
	var out []string
	for _, m := range list {
		out = append(out, m.String())
	}
	return strings.Join(out, ", ")
}

// olderThan tells whether a kernel's version is below major.minor.
func olderThan(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n < 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// UserNS are the users of a container that are not the host's.
type UserNS struct {
	UIDMap, GIDMap []kernel.IDMap // of the innermost namespace, as /proc/self/uid_map shows it inside
	Root           uint32         // the host's user behind uid 0, 65534 when there is none
	User           uint32         // the host's user behind the program
}

// describeUserNS says who the program is for the host.
func (r *run) describeUserNS(t *kernel.Task) *UserNS {
	if !r.inUserNS() {
		return nil
	}
	u := &UserNS{UIDMap: r.spec.UIDMap, GIDMap: r.spec.GIDMap, User: t.HostUID(), Root: t.HostID(0)}
	if !r.userNS() {
		u.UIDMap, u.GIDMap = r.c.HostUser.maps(), r.c.HostUser.maps()
	}
	return u
}

// userStage is what the stages of runc do about it: the child leaves for a new user namespace and asks its
// parent, who has rights on the host, for the maps; then it becomes root there. nsexec.c.
func (r *run) userStage(parent, child *kernel.Task) error {
	if !r.userNS() {
		return nil
	}
	if err := child.Unshare(kernel.CLONE_NEWUSER); err != nil {
		return err
	}
	if err := parent.WriteIDMap(child, "uid_map", r.spec.UIDMap); err != nil {
		return err
	}
	if err := parent.WriteIDMap(child, "gid_map", r.spec.GIDMap); err != nil {
		return err
	}
	return child.Setuid(0)
}

// bindDevice shows a device of the host where mknod(2) is not allowed: "EPERM … the caller is not in the
// initial user namespace". flags are those that crun adds.
func (r *run) bindDevice(t *kernel.Task, name, at string, flags kernel.MountFlags) {
	t.Quiet = true
	t.WriteFile(at, nil, 0o644)
	t.Quiet = false
	t.Mount("/dev/"+name, at, "", flags|kernel.MS_BIND, "")
	if flags != 0 {
		t.Mount("", at, "", kernel.MS_PRIVATE, "")
		t.Mount("", at, "", flags|kernel.MS_BIND|kernel.MS_REMOUNT, "")
	}
}
