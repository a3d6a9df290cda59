package kernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// IDMap is one line of /proc/PID/uid_map or gid_map: Size numbers from Inside on are those from Outside on in
// the parent user namespace. user_namespaces(7), "User and group ID mappings".
type IDMap struct{ Inside, Outside, Size uint32 }

func (m IDMap) String() string { return fmt.Sprintf("%d %d %d", m.Inside, m.Outside, m.Size) }

// maxMaps is how many lines a map may have. user_namespaces(7), "340 since Linux 4.15".
const maxMaps = 340

// WriteIDMap writes the map of the user namespace that of lives in; file is "uid_map" or "gid_map".
func (t *Task) WriteIDMap(of *Task, file string, maps []IDMap) error {
	n := of.ns[UserNS]
	text := idMapText(maps)
	c := call{kind: "kernel.write-id-map", line: fmt.Sprintf("write(</proc/%d/%s>, %q)", of.PID, file, text+"\n"), args: map[string]string{"file": file, "pid": strconv.Itoa(of.PID), "map": text}}
	into, need := &n.uidMap, CAP_SETUID
	if file == "gid_map" {
		into, need = &n.gidMap, CAP_SETGID
	}
	switch {
	// "EINVAL … the lines overlap, are too many, or empty" - user_namespaces(7)
	case len(maps) == 0 || len(maps) > maxMaps || overlap(maps):
		return t.fail(c, "user_namespaces(7)", EINVAL)
	// "A process in the user namespace … may write to the uid_map file only once" and "The writing process
	// must have the CAP_SETUID capability in the user namespace of the process pid" - user_namespaces(7)
	case n.parent == nil || len(*into) > 0 || !t.capable(need, n):
		return t.fail(c, "user_namespaces(7)", EPERM)
	// "the mapped user IDs must in turn have a mapping in the parent user namespace" - user_namespaces(7)
	case !t.capable(need, n.parent) && !onlyMyself(maps, t, file), !allMapped(maps, n.parent, file):
		return t.fail(c, "user_namespaces(7)", EPERM)
	}
	*into = maps
	t.done(c, "user_namespaces(7)")
	return nil
}

func overlap(maps []IDMap) bool {
	for i, a := range maps {
		if a.Size == 0 || a.Inside+a.Size < a.Inside || a.Outside+a.Size < a.Outside {
			return true
		}
		for _, b := range maps[:i] {
			if a.Inside < b.Inside+b.Size && b.Inside < a.Inside+a.Size || a.Outside < b.Outside+b.Size && b.Outside < a.Outside+a.Size {
				return true
			}
		}
	}
	return false
}

// onlyMyself tells whether the map is the one that needs no privilege: "The data written to uid_map must
// consist of a single line that maps the writing process's effective user ID in the parent user namespace to
// a user ID in the user namespace". user_namespaces(7)
func onlyMyself(list []IDMap, t *Task, file string) bool {
	own := t.Cred.EUID
	if file == "gid_map" {
		own = t.Cred.EGID
	}
	return len(list) == 1 && list[0].Size == 1 && list[0].Outside == own
}

// allMapped tells whether the parent has every number that the maps name outside.
func allMapped(list []IDMap, parent *Namespace, file string) bool {
	of := (*Namespace).uids
	if file == "gid_map" {
		of = (*Namespace).gids
	}
	for _, m := range list {
		for rest, at := m.Size, m.Outside; rest > 0 && parent.parent != nil; {
			i := slices.IndexFunc(of(parent), func(o IDMap) bool { return at >= o.Inside && at-o.Inside < o.Size })
			if i < 0 {
				return false
			}
			o := of(parent)[i]
			n := min(rest, o.Size-(at-o.Inside))
			at, rest = at+n, rest-n
		}
	}
	return true
}

func idMapText(maps []IDMap) string {
	var out []string
	for _, m := range maps {
		out = append(out, m.String())
	}
	return strings.Join(out, "\n")
}

// hostID is the number that the first user namespace has for id; false when it has none: then the kernel
// shows 65534.
func (n *Namespace) hostID(id uint32, maps func(*Namespace) []IDMap) (uint32, bool) {
	for ; n != nil && n.parent != nil; n = n.parent {
		found := false
		for _, m := range maps(n) {
			if id >= m.Inside && id-m.Inside < m.Size {
				id, found = m.Outside+id-m.Inside, true
				break
			}
		}
		if !found {
			return 65534, false
		}
	}
	return id, true
}

func (n *Namespace) uids() []IDMap { return n.uidMap }
func (n *Namespace) gids() []IDMap { return n.gidMap }

// maps tells whether id exists in the user namespace n.
func (n *Namespace) maps(id uint32, maps func(*Namespace) []IDMap) bool {
	_, ok := n.hostID(id, maps)
	return ok
}

// HostUID is the user that t is for the host.
func (t *Task) HostUID() uint32 { return t.HostID(t.Cred.EUID) }

// HostID is the user that uid of t's user namespace is for the host, 65534 when it is none.
func (t *Task) HostID(uid uint32) uint32 {
	id, _ := t.ns[UserNS].hostID(uid, (*Namespace).uids)
	return id
}
