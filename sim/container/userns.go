package container

import "bootpath/sim/kernel"

// A container in a user namespace of its own: its root is nobody on the host. Docker's daemon does so with
// userns-remap, podman with --uidmap, a bundle with uidMappings. The engines give the image's files to the
// mapped users when they unpack it (or mount them so), which is why owners inside are those of the image.

// userNS tells whether the container has one.
func (r *run) userNS() bool { return r.spec.Namespaces.Has(kernel.CLONE_NEWUSER) }

// applyUserNS adds it to the runtime config. As "runc spec --rootless" writes it there is a cgroup namespace
// and no mount of the control groups.
func (r *run) applyUserNS(s *spec) {
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

// userStage is what the stages of runc do about it: the child leaves for a new user namespace and asks its
// parent, who has rights on the host, for the maps; then it becomes root there. nsexec.c.
func (r *run) userStage(parent, child *kernel.Task) error {
	if !r.userNS() {
		return nil
	}
	if err := child.Unshare(kernel.CLONE_NEWUSER); err != nil {
		return err
	}
	for _, file := range []string{"uid_map", "gid_map"} {
		if err := parent.WriteIDMap(child, file, r.c.UserMaps); err != nil {
			return err
		}
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
