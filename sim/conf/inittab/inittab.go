// Package inittab reads /etc/inittab: the table of inittab(5) that sysvinit follows, and the smaller one
// of BusyBox's init, which has the same four fields and gives the first two another meaning.
package inittab

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of sysvinit's init.c; a longer table than maxEntries is cut.
const (
	maxEntries = 1000
	maxID      = 4 // of utmp(5) ut_id
	maxLevels  = 11
	maxProcess = 127
)

// Entry is one line. Off and End are its bytes, without the newline.
type Entry struct {
	Off, End int
	ID       string // BusyBox: the terminal, "" for the console
	Levels   string // as written; BusyBox ignores it
	Action   string
	Process  string
}

// Problem is a line that init refuses, with its words.
type Problem struct {
	Off, End int
	Line     int // from 1
	Text     string
}

var sysvActions = [...]string{"respawn", "wait", "once", "boot", "bootwait", "powerfail", "powerfailnow", "powerwait", "powerokwait",
	"ctrlaltdel", "off", "ondemand", "initdefault", "sysinit", "kbrequest"}

var busyboxActions = [...]string{"sysinit", "wait", "once", "respawn", "askfirst", "ctrlaltdel", "shutdown", "restart"}

// Parse reads a table as sysvinit does: inittab(5), read_inittab of init.c.
func Parse(text string) ([]Entry, []Problem) {
	return each(text, func(e *Entry, f []string) string {
		for i, what := range [...]string{"missing id field", "missing runlevel field", "missing action field", "missing process field"} {
			if i >= len(f) || i == 0 && f[0] == "" {
				return what
			}
		}
		switch {
		case len(e.ID) > maxID:
			return fmt.Sprintf("id field too long (max %d characters)", maxID)
		case len(e.Levels) > maxLevels:
			return fmt.Sprintf("rlevel field too long (max %d characters)", maxLevels)
		case len(e.Process) > maxProcess:
			return fmt.Sprintf("process field too long (max %d characters)", maxProcess)
		case !slices.Contains(sysvActions[:], e.Action):
			return "unknown action field"
		}
		return ""
	}, true)
}

// ParseBusybox reads a table as BusyBox's init does: parse_inittab of init/init.c.
func ParseBusybox(text string) ([]Entry, []Problem) {
	return each(text, func(e *Entry, f []string) string {
		if len(f) < 4 || e.Process == "" || !slices.Contains(busyboxActions[:], e.Action) {
			return "Bad inittab entry"
		}
		e.ID = strings.TrimPrefix(e.ID, "/dev/")
		return ""
	}, false)
}

// each cuts the text into lines of four fields; check says what is wrong with one, or "".
func each(text string, check func(*Entry, []string) string, unique bool) (list []Entry, bad []Problem) {
	off := 0
	seen := map[string]bool{}
	for n := 1; off < len(text) && len(list)+len(bad) < maxEntries; n++ {
		end := len(text)
		if i := strings.IndexByte(text[off:], '\n'); i >= 0 {
			end = off + i
		}
		start := off
		off = end + 1
		line := strings.TrimLeft(text[start:end], " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, ":", 4)
		e := Entry{Off: start, End: end}
		for i, to := range [...]*string{&e.ID, &e.Levels, &e.Action, &e.Process} {
			if i < len(f) {
				*to = strings.TrimSpace(f[i])
			}
		}
		why := check(&e, f)
		if why == "" && unique && seen[e.ID] {
			why = fmt.Sprintf("duplicate ID field %q", e.ID)
		}
		if why != "" {
			bad = append(bad, Problem{start, end, n, why})
			continue
		}
		seen[e.ID] = true
		list = append(list, e)
	}
	return list, bad
}

// In tells whether sysvinit runs the entry in a runlevel. "If no runlevel is specified, then the process
// is to be run in every runlevel" (0 to 9).
func (e Entry) In(level string) bool {
	switch e.Action {
	case "sysinit", "boot", "bootwait", "initdefault":
		return false // not by runlevel
	}
	if e.Levels == "" {
		return strings.Contains("0123456789", level)
	}
	return strings.Contains(strings.ToUpper(e.Levels), strings.ToUpper(level))
}

// Default is the runlevel of the initdefault entry: of several the one with the highest character, of an
// empty field 9, because such an entry counts for all of 0 to 9 (get_init_default of init.c). ok is false
// when there is none that is valid and init asks.
func Default(list []Entry) (level string, e Entry, ok bool) {
	for _, e := range list {
		if e.Action != "initdefault" {
			continue
		}
		if e.Levels == "" {
			return "9", e, true
		}
		var top rune
		for _, c := range strings.ToUpper(e.Levels) {
			top = max(top, c)
		}
		return string(top), e, strings.ContainsRune("0123456789S", top)
	}
	return "", Entry{}, false
}
