package kernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/trace"
)

// MountFlags are the flags of mount(2).
type MountFlags uint64

const (
	MS_RDONLY      MountFlags = 1
	MS_NOSUID      MountFlags = 2
	MS_NODEV       MountFlags = 4
	MS_NOEXEC      MountFlags = 8
	MS_SYNCHRONOUS MountFlags = 16
	MS_REMOUNT     MountFlags = 32
	MS_NOATIME     MountFlags = 1024
	MS_NODIRATIME  MountFlags = 2048
	MS_BIND        MountFlags = 4096
	MS_MOVE        MountFlags = 8192
	MS_REC         MountFlags = 16384
	MS_SILENT      MountFlags = 32768
	MS_UNBINDABLE  MountFlags = 1 << 17
	MS_PRIVATE     MountFlags = 1 << 18
	MS_SLAVE       MountFlags = 1 << 19
	MS_SHARED      MountFlags = 1 << 20
	MS_RELATIME    MountFlags = 1 << 21
	MS_STRICTATIME MountFlags = 1 << 24

	perMount    = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME
	propagation = MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED
)

// UmountFlags are the flags of umount2(2).
type UmountFlags uint64

const (
	MNT_FORCE       UmountFlags = 1
	MNT_DETACH      UmountFlags = 2
	UMOUNT_NOFOLLOW UmountFlags = 8
)

// mount is one mount: a part of a file system seen at a place of its parent. mount_namespaces(7).
type mount struct {
	id     int
	ns     *Namespace
	sb     *super
	root   string // the directory of sb that is seen
	parent *mount
	at     string // where in the parent's file system
	flags  MountFlags
	data   string // the file system's own options, as /proc/mounts shows them

	group      int // peer group when shared, else 0
	master     int // peer group that a slave receives from, else 0
	unbindable bool

	shown trace.Row // its row, until something it depends on changes
}

// showAgain has all rows of mounts made anew: the paths changed.
func (k *Kernel) showAgain() {
	for _, n := range k.spaces {
		for _, m := range n.mounts {
			m.shown = nil
		}
	}
}

// newMount makes a mount and enters it into the namespace; it hangs nowhere yet.
func (k *Kernel) newMount(sb *super, root string, ns *Namespace) *mount {
	k.ids.mount++
	m := &mount{id: k.ids.mount, ns: ns, sb: sb, root: root}
	ns.mounts = append(ns.mounts, m)
	return m
}

// mountedAt returns the mount whose place is at, nil when nothing is mounted there.
func (n *Namespace) mountedAt(at loc) *mount {
	for i := len(n.mounts) - 1; i >= 0; i-- {
		if m := n.mounts[i]; m.parent == at.mnt && m.at == at.path && m.parent != nil {
			return m
		}
	}
	return nil
}

// row is m's row of the mounts table; the path is as the namespace's root shows it.
func (m *mount) row() trace.Row {
	root := loc{m.ns.rootMnt, m.ns.rootMnt.root}
	source := m.sb.source
	if m.root != "." {
		source += "[/" + m.root + "]" // as findmnt(8) shows a part of a file system
	}
	return trace.Row{
		"ns": m.ns.ID(), "target": pathFrom(loc{m, m.root}, root), "source": source, "fstype": m.sb.fstype,
		"options": m.options(), "propagation": m.propagation(),
	}
}

// options is the fourth field of /proc/mounts.
func (m *mount) options() string {
	out := []string{"rw"}
	if m.flags&MS_RDONLY != 0 || m.sb.rdonly {
		out[0] = "ro"
	}
	for _, o := range mountOptions() {
		if o.flag != MS_RDONLY && m.flags&o.flag != 0 {
			out = append(out, o.name)
		}
	}
	if m.data != "" {
		out = append(out, m.data)
	}
	return strings.Join(out, ",")
}

func (m *mount) propagation() string {
	var out []string
	if m.group != 0 {
		out = append(out, "shared:"+strconv.Itoa(m.group))
	}
	if m.master != 0 {
		out = append(out, "master:"+strconv.Itoa(m.master))
	}
	if m.unbindable {
		out = append(out, "unbindable")
	}
	if len(out) == 0 {
		return "private"
	}
	return strings.Join(out, " ")
}

type mountOption struct {
	name string
	flag MountFlags
}

func mountOptions() []mountOption {
	return []mountOption{{"ro", MS_RDONLY}, {"nosuid", MS_NOSUID}, {"nodev", MS_NODEV}, {"noexec", MS_NOEXEC},
		{"noatime", MS_NOATIME}, {"nodiratime", MS_NODIRATIME}, {"relatime", MS_RELATIME}}
}

// ParseOptions splits options as mount(8) takes them into flags and the file system's own data.
func ParseOptions(options string) (MountFlags, string) {
	var f MountFlags
	var data []string
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "", "rw", "defaults", "suid", "dev", "exec", "async", "auto", "noauto", "nofail", "user", "nouser":
			continue
		case "strictatime":
			f |= MS_STRICTATIME
			continue
		case "bind":
			f |= MS_BIND
			continue
		case "rbind":
			f |= MS_BIND | MS_REC
			continue
		case "remount":
			f |= MS_REMOUNT
			continue
		case "sync":
			f |= MS_SYNCHRONOUS
			continue
		}
		i := slices.IndexFunc(mountOptions(), func(m mountOption) bool { return m.name == o })
		if i < 0 {
			data = append(data, o)
			continue
		}
		f |= mountOptions()[i].flag
	}
	return f, strings.Join(data, ",")
}

func (f MountFlags) String() string {
	names := []struct {
		f MountFlags
		s string
	}{
		{MS_RDONLY, "MS_RDONLY"}, {MS_NOSUID, "MS_NOSUID"}, {MS_NODEV, "MS_NODEV"}, {MS_NOEXEC, "MS_NOEXEC"}, {MS_SYNCHRONOUS, "MS_SYNCHRONOUS"},
		{MS_REMOUNT, "MS_REMOUNT"}, {MS_NOATIME, "MS_NOATIME"}, {MS_NODIRATIME, "MS_NODIRATIME"}, {MS_BIND, "MS_BIND"},
		{MS_MOVE, "MS_MOVE"}, {MS_REC, "MS_REC"}, {MS_SILENT, "MS_SILENT"}, {MS_UNBINDABLE, "MS_UNBINDABLE"},
		{MS_PRIVATE, "MS_PRIVATE"}, {MS_SLAVE, "MS_SLAVE"}, {MS_SHARED, "MS_SHARED"}, {MS_RELATIME, "MS_RELATIME"}, {MS_STRICTATIME, "MS_STRICTATIME"},
	}
	var out []string
	for _, n := range names {
		if f&n.f != 0 {
			out = append(out, n.s)
		}
	}
	if len(out) == 0 {
		return "0"
	}
	return strings.Join(out, "|")
}

func quoteOrNull(s string) string {
	if s == "" {
		return "NULL"
	}
	return strconv.Quote(s)
}

func mountCall(src, dst, fstype string, f MountFlags, data string) call {
	kind := trace.Kind("kernel.mount")
	switch {
	case f.has(MS_REMOUNT):
		kind = "kernel.remount"
	case f.has(MS_BIND):
		kind = "kernel.bind-mount"
	case f&propagation != 0:
		kind = "kernel.set-propagation"
	case f.has(MS_MOVE):
		kind = "kernel.move-mount"
	}
	return call{kind: kind,
		line: fmt.Sprintf("mount(%s, %q, %s, %s, %s)", quoteOrNull(src), dst, quoteOrNull(fstype), f, quoteOrNull(data)),
		args: map[string]string{"source": src, "target": dst, "fstype": fstype, "flags": f.String(), "data": data}}
}

func (f MountFlags) has(g MountFlags) bool { return f&g == g }

// Mount is mount(2). A block device ("/dev/vda1") must have been registered with [Kernel.AddDevice].
// The order of the checks is that of do_mount and path_mount, fs/namespace.c.
func (t *Task) Mount(src, dst, fstype string, f MountFlags, data string) error {
	c := mountCall(src, dst, fstype, f, data)
	if e := t.blocked("mount"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	at, in, err := t.lookup(dst, true)
	if err != nil {
		return t.fail(c, "mount(2)", err)
	}
	// "EPERM The caller does not have the required privileges." - mount(2)
	if !t.capable(CAP_SYS_ADMIN, t.ns[MountNS]) {
		return t.fail(c, "mount(2)", EPERM)
	}
	c.args["target"] = t.pathOf(at)
	switch {
	case f.has(MS_REMOUNT):
		err = t.remount(at, f, data)
	case f.has(MS_BIND):
		err = t.bind(src, at, in, f.has(MS_REC))
	case f&propagation != 0:
		err = t.changeType(at, f)
	case f.has(MS_MOVE):
		err = t.move(src, at, in)
	default:
		err = t.newFS(src, at, in, fstype, f, data)
	}
	if err != nil {
		return t.fail(c, "mount(2)", err)
	}
	t.done(c, "mount(2)")
	return nil
}

// MoveMount is mount(2) with MS_MOVE.
func (t *Task) MoveMount(src, dst string) error { return t.Mount(src, dst, "", MS_MOVE, "") }

// remount changes flags: of the one mount with MS_BIND, else of its file system too.
func (t *Task) remount(at loc, f MountFlags, data string) error {
	// "EINVAL A remount operation (MS_REMOUNT) was attempted, but … target is not a mount point" - mount(2)
	if at.path != at.mnt.root || at.mnt.ns != t.ns[MountNS] {
		return EINVAL
	}
	at.mnt.flags, at.mnt.shown = atime(f), nil
	if !f.has(MS_BIND) {
		at.mnt.sb.rdonly = f.has(MS_RDONLY)
		t.k.showAgain()
		if data != "" {
			at.mnt.data = data
		}
	}
	return nil
}

// atime keeps what belongs to one mount. "Since Linux 2.6.30, the kernel defaults to the behavior
// provided by [MS_RELATIME] (unless MS_NOATIME was specified)" - mount(2)
func atime(f MountFlags) MountFlags {
	out := f & perMount
	if f&(MS_NOATIME|MS_STRICTATIME) == 0 {
		out |= MS_RELATIME
	}
	return out
}

// bind mounts what src leads to a second time.
func (t *Task) bind(src string, at loc, in *inode, rec bool) error {
	if src == "" {
		return EINVAL
	}
	from, fin, err := t.lookup(src, true)
	switch {
	case err != nil:
		return err
	// "EINVAL … an attempt was made to bind-mount an unbindable mount" - mount(2)
	case from.mnt.unbindable || from.mnt.ns != t.ns[MountNS] || at.mnt.ns != t.ns[MountNS]:
		return EINVAL
	case fin.isDir() != in.isDir():
		return ENOTDIR
	}
	ns := t.ns[MountNS]
	before := slices.Clone(ns.mounts)
	m := t.k.newMount(from.mnt.sb, from.path, ns)
	m.flags, m.data, m.group, m.master = from.mnt.flags, from.mnt.data, from.mnt.group, from.mnt.master
	t.k.attach(m, at)
	if rec {
		t.k.copyBelow(before, from, m, ns)
	}
	return nil
}

// copyBelow repeats the mounts of list that lie below from under copy.
func (k *Kernel) copyBelow(list []*mount, from loc, copy *mount, ns *Namespace) {
	twin := map[*mount]*mount{from.mnt: copy}
	for grew := true; grew; {
		grew = false
		for _, m := range list {
			p := twin[m.parent]
			if m.parent == nil || p == nil || twin[m] != nil || m.unbindable {
				continue
			}
			if m.parent == from.mnt && !below(m.at, from.path) {
				continue
			}
			n := k.newMount(m.sb, m.root, ns)
			n.flags, n.data, n.group, n.master = m.flags, m.data, m.group, m.master
			n.parent, n.at = p, m.at
			twin[m], grew = n, true
		}
	}
}

// below tells whether p is dir or lies in it.
func below(p, dir string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}

// changeType sets how mount events travel.
func (t *Task) changeType(at loc, f MountFlags) error {
	kind := f & propagation
	// "EINVAL mountflags includes more than one of MS_SHARED, MS_PRIVATE, MS_SLAVE, or MS_UNBINDABLE."
	// and, as for a remount, target must be a mount point. - mount(2)
	if kind&(kind-1) != 0 || f&^(propagation|MS_REC|MS_SILENT) != 0 || at.path != at.mnt.root || at.mnt.ns != t.ns[MountNS] {
		return EINVAL
	}
	for _, m := range at.mnt.ns.mounts {
		if m != at.mnt && !(f.has(MS_REC) && m.under(at.mnt)) {
			continue
		}
		m.shown = nil
		switch kind {
		case MS_SHARED:
			if m.group == 0 {
				t.k.ids.group++
				m.group = t.k.ids.group
			}
		case MS_SLAVE:
			// A mount that was shared alone has no one to receive from and becomes private.
			if m.group != 0 && t.k.peers(m) > 1 {
				m.master = m.group
			}
			m.group = 0
		default:
			m.group, m.master = 0, 0
		}
		m.unbindable = kind == MS_UNBINDABLE
	}
	return nil
}

func (k *Kernel) peers(m *mount) int {
	n := 0
	for _, o := range k.spaces {
		for _, x := range o.mounts {
			if x.group == m.group {
				n++
			}
		}
	}
	return n
}

// under tells whether m hangs somewhere below top.
func (m *mount) under(top *mount) bool {
	for p := m.parent; p != nil; p = p.parent {
		if p == top {
			return true
		}
	}
	return false
}

// move is MS_MOVE.
func (t *Task) move(src string, at loc, in *inode) error {
	from, fin, err := t.lookup(src, true)
	if err != nil {
		return err
	}
	m := from.mnt
	switch {
	// "EINVAL A move operation (MS_MOVE) was attempted, but the mount tree under source includes
	// unbindable mounts …", "source is not a mount point, or is '/'", "the parent mount of source mount
	// has propagation type MS_SHARED" - mount(2)
	case from.path != m.root, m.parent == nil, m.ns != t.ns[MountNS], at.mnt.ns != m.ns, m.parent.group != 0, fin.isDir() != in.isDir():
		return EINVAL
	// "ELOOP A move operation was attempted, and target is a descendant of source." - mount(2)
	case at.mnt == m || at.mnt.under(m):
		return ELOOP
	}
	m.parent, m.at = nil, ""
	t.k.attach(m, at)
	t.k.showAgain()
	return nil
}

// attach hangs m at a place and repeats that where mount events of the place travel to.
// mount_namespaces(7), "Shared subtrees".
func (k *Kernel) attach(m *mount, at loc) {
	m.parent, m.at = at.mnt, at.path
	k.removed = k.removed || at.mnt == at.mnt.ns.rootMnt // it may be covered now
	group := at.mnt.group
	if group == 0 {
		return
	}
	if m.group == 0 { // "a mount made under a shared mount is shared"
		k.ids.group++
		m.group = k.ids.group
	}
	for _, ns := range k.spaces {
		for _, p := range slices.Clone(ns.mounts) {
			receives := p.group == group || p.master == group
			if p == at.mnt || !receives || p.sb != at.mnt.sb || !below(at.path, p.root) {
				continue
			}
			c := k.newMount(m.sb, m.root, ns)
			c.flags, c.data, c.parent, c.at = m.flags, m.data, p, at.path
			if p.group == group {
				c.group = m.group
			} else {
				c.master = m.group
			}
		}
	}
}

// newFS mounts a file system. The type is looked up first, then the device.
func (t *Task) newFS(src string, at loc, in *inode, fstype string, f MountFlags, data string) error {
	if fstype == "" {
		return EINVAL
	}
	sb, err := t.getSuper(src, fstype, data)
	if err != nil {
		return err
	}
	return t.mountSuper(sb, at, in, f, data)
}

func (t *Task) mountSuper(sb *super, at loc, in *inode, f MountFlags, data string) error {
	if at.mnt.ns != t.ns[MountNS] {
		return EINVAL
	}
	// "EBUSY An attempt was made to … mount … the same filesystem on the same mount point" - mount(2)
	if at.path == at.mnt.root && at.mnt.sb == sb {
		return EBUSY
	}
	top, err := sb.get(t, ".")
	if err != nil {
		return err
	}
	// "ENOTDIR target, or a prefix of source, is not a directory." - mount(2)
	if top.isDir() != in.isDir() {
		return ENOTDIR
	}
	m := t.k.newMount(sb, ".", t.ns[MountNS])
	m.flags, m.data = atime(f), data
	if f.has(MS_RDONLY) && sb.lower != nil && !sb.rdonly {
		sb.rdonly = true
		t.k.showAgain()
	}
	t.k.attach(m, at)
	return nil
}

// MountFS mounts a tree that no device stands behind: an overlay of layers, an image's root; an empty one
// when f is nil.
// options are as in /proc/mounts: "ro,nosuid,…".
func (t *Task) MountFS(f fsys.FS, dst, source, fstype, options string) error {
	flags, data := ParseOptions(options)
	c := mountCall(source, dst, fstype, flags, data)
	at, in, err := t.lookup(dst, true)
	if err == nil && !t.capable(CAP_SYS_ADMIN, t.ns[MountNS]) {
		err = EPERM
	}
	if err == nil {
		c.args["target"] = t.pathOf(at)
		err = t.mountSuper(t.k.newSuper(fstype, source, f), at, in, flags, data)
	}
	if err != nil {
		return t.fail(c, "mount(2)", err)
	}
	t.done(c, "mount(2)")
	return nil
}

// BindFS is a bind mount of a directory of the host that the simulation does not keep: src is its name and f
// what it holds.
func (t *Task) BindFS(f fsys.FS, src, dst string, flags MountFlags) error {
	c := mountCall(src, dst, "", flags|MS_BIND, "")
	at, in, err := t.lookup(dst, true)
	if err == nil && !t.capable(CAP_SYS_ADMIN, t.ns[MountNS]) {
		err = EPERM
	}
	if err == nil {
		c.args["target"] = t.pathOf(at)
		err = t.mountSuper(t.k.newSuper("ext4", src, f), at, in, 0, "")
	}
	if err != nil {
		return t.fail(c, "mount(2)", err)
	}
	t.done(c, "mount(2)")
	return nil
}

// Umount is umount2(2).
func (t *Task) Umount(name string, f UmountFlags) error {
	flag := map[bool]string{true: "MNT_DETACH", false: "0"}[f&MNT_DETACH != 0]
	c := call{kind: "kernel.umount", line: fmt.Sprintf("umount2(%q, %s)", name, flag), args: map[string]string{"target": name, "flags": flag}}
	if e := t.blocked("umount2"); e != 0 {
		return t.fail(c, "seccomp(2)", e)
	}
	at, _, err := t.lookup(name, f&UMOUNT_NOFOLLOW == 0)
	switch {
	case err != nil:
		return t.fail(c, "umount(2)", err)
	// "EPERM The caller does not have the required privileges." - umount(2)
	case !t.capable(CAP_SYS_ADMIN, t.ns[MountNS]):
		return t.fail(c, "umount(2)", EPERM)
	// "EINVAL target is not a mount point." - umount(2)
	case at.path != at.mnt.root || at.mnt.ns != t.ns[MountNS] || at.mnt.parent == nil:
		return t.fail(c, "umount(2)", EINVAL)
	// The caller's own root cannot go; Linux makes it read-only instead. do_umount_root, fs/namespace.c
	case f&MNT_DETACH == 0 && at.mnt == t.root.mnt:
		at.mnt.sb.rdonly = true
		t.k.showAgain()
		t.done(c, "umount(2), of the root")
		return nil
	// "EBUSY target could not be unmounted because it is busy." - umount(2)
	case f&MNT_DETACH == 0 && t.k.busy(at.mnt):
		return t.fail(c, "umount(2)", EBUSY)
	}
	c.args["target"] = t.pathOf(at)
	t.k.detach(at.mnt)
	t.done(c, "umount(2)")
	return nil
}

// busy tells whether a mount hangs below m or a task's root or directory lies on it.
func (k *Kernel) busy(m *mount) bool {
	for _, o := range m.ns.mounts {
		if o.parent == m {
			return true
		}
	}
	for _, t := range k.tasks {
		if t.root.mnt == m || t.cwd.mnt == m {
			return true
		}
	}
	return false
}

// detach takes m and all below it out of its namespace, and out of those that the event travels to.
func (k *Kernel) detach(m *mount) {
	k.removed = true
	gone := []*mount{m}
	if g := m.parent.group; g != 0 {
		for _, ns := range k.spaces {
			for _, o := range ns.mounts {
				if o != m && o.parent != nil && o.at == m.at && (o.parent.group == g || o.parent.master == g) && o.sb == m.sb {
					gone = append(gone, o)
				}
			}
		}
	}
	for _, g := range gone {
		g.ns.mounts = slices.DeleteFunc(g.ns.mounts, func(o *mount) bool { return o == g || o.under(g) })
	}
	m.parent, m.at = nil, ""
}

// copyMounts fills namespace n with copies of old's mounts; t's root and directory move to the copies.
// copy_mnt_ns, fs/namespace.c.
func (t *Task) copyMounts(old, n *Namespace) {
	twin := map[*mount]*mount{}
	for _, m := range old.mounts {
		c := t.k.newMount(m.sb, m.root, n)
		c.flags, c.data, c.group, c.master, c.unbindable = m.flags, m.data, m.group, m.master, m.unbindable
		twin[m] = c
		// "If the new namespace and the namespace from which the mount list was copied are owned by
		// different user namespaces, then the new mount namespace is considered less privileged":
		// shared mounts become slaves. - mount_namespaces(7)
		if n.user != old.user && c.group != 0 {
			c.master, c.group = c.group, 0
		}
	}
	for _, m := range old.mounts {
		if m.parent != nil {
			twin[m].parent, twin[m].at = twin[m.parent], m.at
		}
	}
	n.rootMnt = twin[old.rootMnt]
	if r := twin[t.root.mnt]; r != nil {
		t.root.mnt = r
	}
	if r := twin[t.cwd.mnt]; r != nil {
		t.cwd.mnt = r
	}
}
