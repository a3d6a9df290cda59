package systemd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/fsys"
)

// maxScript bounds what is read of an init script: only its head comments matter.
const maxScript = 256 << 10

// sysvScript is what an init script says of itself. LSB 5.0, "Comment Conventions for Init Scripts".
type sysvScript struct {
	unit          string
	path          string
	lsb           bool
	description   string
	after, before []string
	wants         []string
	pidFile       string
	cites         []blob.Cite
}

// sysvGenerator makes units of the init scripts that have no unit of their own. systemd-sysv-generator(8).
func (m *Manager) sysvGenerator(cmdline.Line) {
	dir, err := fsys.Resolve(m.Env.Root, "/etc/init.d")
	if err != nil {
		return
	}
	for _, n := range m.loader.list(dir) {
		name := strings.TrimSuffix(n.name, ".sh")
		if strings.HasPrefix(n.name, ".") || strings.HasSuffix(n.name, "~") || !m.executable("/"+n.path) {
			continue
		}
		unit := mangle(name, "service")
		if !ValidName(unit) || m.loader.exists(unit) {
			continue
		}
		s := m.readScript(unit, "/"+n.path)
		m.loader.generate(generatorLate, unit, s.text(), s.cites)
		for _, target := range m.sysvTargets(n.name) {
			m.loader.generateLink(generatorLate, target, "wants", unit, s.cites)
		}
	}
}

// sysvTargets are the targets whose runlevel directories hold a start link to the script.
func (m *Manager) sysvTargets(script string) []string {
	levels := [...][2]string{{"rc1.d", "rescue.target"}, {"rc2.d", "multi-user.target"}, {"rc3.d", "multi-user.target"},
		{"rc4.d", "multi-user.target"}, {"rc5.d", "graphical.target"}}
	var out []string
	for _, l := range levels {
		for _, base := range []string{"/etc", "/etc/rc.d"} {
			dir, err := fsys.Resolve(m.Env.Root, path.Join(base, l[0]))
			if err != nil {
				continue
			}
			for _, n := range m.loader.list(dir) {
				if len(n.name) > 3 && n.name[0] == 'S' && n.name[3:] == script && !slices.Contains(out, l[1]) {
					out = append(out, l[1])
				}
			}
		}
	}
	return out
}

func (m *Manager) readScript(unit, at string) sysvScript {
	s := sysvScript{unit: unit, path: at}
	real, err := fsys.Resolve(m.Env.Root, at)
	if err != nil {
		return s
	}
	file, err := fsys.OpenFile(m.Env.Root, real)
	if err != nil {
		return s
	}
	defer file.Close()
	buf := make([]byte, min(file.Size(), maxScript))
	n, _ := file.ReadAt(buf, 0)
	key, start, end, off, inside := "", int64(-1), int64(0), int64(0), false
	for line := range strings.Lines(string(buf[:n])) {
		at := off
		off += int64(len(line))
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "#")
		switch {
		case strings.TrimSpace(text) == "## BEGIN INIT INFO":
			inside, s.lsb, start = true, true, at
		case strings.TrimSpace(text) == "## END INIT INFO":
			inside, end = false, off
		case !ok && off > 4096 && !s.lsb:
			continue
		case inside && ok:
			key = s.header(key, text)
		case ok && !inside:
			if v, ok := strings.CutPrefix(strings.TrimSpace(text), "pidfile:"); ok {
				s.pidFile = strings.TrimSpace(v)
			}
		}
	}
	if start >= 0 && end > start {
		for _, sp := range file.Locate(start, end-start) {
			s.cites = append(s.cites, blob.Cite{Span: sp, Name: at, Value: "INIT INFO"})
		}
	}
	return s
}

// header reads one line of the INIT INFO block and returns the key that a following line may continue.
func (s *sysvScript) header(key, line string) string {
	k, v, ok := strings.Cut(strings.TrimSpace(line), ":")
	if strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t") || !ok {
		return key // only Description is continued, and it is not used
	}
	v = strings.TrimSpace(v)
	switch strings.ToLower(k) {
	case "short-description":
		s.description = v
	case "required-start", "should-start":
		s.depend(v, false)
	case "x-start-before":
		s.depend(v, true)
	case "provides":
		for _, w := range strings.Fields(v) {
			// Providing a facility puts the script before the target that stands for it.
			if t, ok := facility(w); ok && t != "" && strings.HasPrefix(w, "$") {
				s.before, s.wants = append(s.before, t), append(s.wants, t)
			}
		}
	}
	return k
}

// facility translates what init scripts depend on. The empty name stands for what is there anyway.
func facility(w string) (string, bool) {
	known := map[string]string{"$local_fs": "", "$network": "network-online.target", "$named": "nss-lookup.target",
		"$portmap": "rpcbind.target", "$remote_fs": "remote-fs.target", "$syslog": "", "$time": "time-sync.target"}
	if strings.HasPrefix(w, "$") {
		t, ok := known[w]
		return t, ok
	}
	return mangle(strings.TrimSuffix(w, ".sh"), "service"), true
}

func (s *sysvScript) depend(list string, before bool) {
	for _, w := range strings.Fields(list) {
		t, ok := facility(w)
		if !ok || t == "" || t == s.unit {
			continue
		}
		if before {
			s.before = append(s.before, t)
			continue
		}
		s.after = append(s.after, t)
		if t == "network-online.target" {
			s.wants = append(s.wants, t)
		}
	}
}

// text is the unit file.
func (s *sysvScript) text() string {
	var b strings.Builder
	kind, about := "SYSV", s.description
	if s.lsb {
		kind = "LSB"
	}
	if about == "" {
		about = Prefix(s.unit)
	}
	fmt.Fprintf(&b, "[Unit]\nSourcePath=%s\nDescription=%s: %s\n", percent(s.path), kind, percent(about))
	for _, d := range [...]struct {
		key  string
		list []string
	}{{"Before", s.before}, {"After", s.after}, {"Wants", s.wants}} {
		if len(d.list) > 0 {
			fmt.Fprintf(&b, "%s=%s\n", d.key, strings.Join(d.list, " "))
		}
	}
	remain := "yes"
	if s.pidFile != "" {
		remain = "no"
	}
	fmt.Fprintf(&b, "[Service]\nType=forking\nRestart=no\nTimeoutSec=5min\nGuessMainPID=no\nRemainAfterExit=%s\nExecStart=%s start\n", remain, percent(s.path))
	return b.String()
}
