package container

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
)

// account is a line of /etc/passwd or /etc/group that matched.
type account struct {
	uid, gid uint32
	home     string
	groups   []uint32
	cites    []blob.Cite
}

// maxUsers bounds what is read of passwd and group, in bytes.
const maxUsers = 1 << 20

// entry is one line of passwd(5) or group(5), split at colons.
type entry struct {
	fields []string
	cites  []blob.Cite
}

// entries reads the lines of a colon-separated file of the image; a file that is not there has none.
func entries(root fsys.FS, name string) []entry {
	at, err := fsys.Resolve(root, name)
	if err != nil {
		return nil
	}
	f, err := fsys.OpenFile(root, at)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := blob.ReadAll(f, maxUsers)
	if err != nil {
		return nil
	}
	var out []entry
	off := 0
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text != "" && text[0] != '#' {
			e := entry{fields: strings.Split(text, ":")}
			for _, s := range f.Locate(int64(off), int64(len(line))) {
				e.cites = append(e.cites, blob.Cite{Span: s, Name: name, Value: text})
			}
			out = append(out, e)
		}
		off += len(line) + 1
	}
	return out
}

func (e entry) field(i int) string {
	if i < len(e.fields) {
		return e.fields[i]
	}
	return ""
}

func (e entry) number(i int) (uint32, bool) {
	n, err := strconv.ParseUint(e.field(i), 10, 31)
	return uint32(n), err == nil
}

// lookupUser turns a "user", "uid", "user:group" or "uid:gid" into numbers with the image's own files.
// github.com/opencontainers/runc/libcontainer/user, GetExecUser: the library that docker, podman and
// buildah share. A name that is missing is an error, a number is not.
func lookupUser(root fsys.FS, spec string) (account, error) {
	a := account{home: "/"}
	user, group, hasGroup := strings.Cut(spec, ":")
	uid, numeric := number(user)
	name := ""
	for _, e := range entries(root, "etc/passwd") {
		n, ok := e.number(2)
		if !ok {
			continue
		}
		if e.field(0) == user || user == "" && n == 0 || numeric && n == uid {
			gid, _ := e.number(3)
			a.uid, a.gid, a.home, name = n, gid, e.field(5), e.field(0)
			a.cites = append(a.cites, e.cites...)
			break
		}
	}
	if name == "" {
		if user != "" && !numeric {
			return a, fmt.Errorf("unable to find user %s: no matching entries in passwd file", user)
		}
		a.uid = uid
	}
	if err := a.addGroups(entries(root, "etc/group"), name, group, hasGroup); err != nil {
		return a, err
	}
	return a, nil
}

func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return uint32(n), err == nil
}

// addGroups finds the group that was asked for, or else the supplementary groups that list the user.
func (a *account) addGroups(list []entry, name, group string, explicit bool) error {
	if explicit && group != "" {
		gid, numeric := number(group)
		for _, e := range list {
			n, ok := e.number(2)
			if ok && (e.field(0) == group || numeric && n == gid) {
				a.gid = n
				a.cites = append(a.cites, e.cites...)
				return nil
			}
		}
		if !numeric {
			return fmt.Errorf("unable to find group %s: no matching entries in group file", group)
		}
		a.gid = gid
		return nil
	}
	if name == "" {
		return nil
	}
	for _, e := range list {
		if n, ok := e.number(2); ok && slices.Contains(strings.Split(e.field(3), ","), name) {
			a.groups = append(a.groups, n)
			a.cites = append(a.cites, e.cites...)
		}
	}
	return nil
}

// homeOf is the home directory that /etc/passwd gives a number, "/" when it has none.
func homeOf(root fsys.FS, uid uint32) string {
	for _, e := range entries(root, "etc/passwd") {
		if n, ok := e.number(2); ok && n == uid {
			return e.field(5)
		}
	}
	return "/"
}
