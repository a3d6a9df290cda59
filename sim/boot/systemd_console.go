package boot

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"bootpath/sim/conf/systemd"
)

// showStatus is whether systemd writes status lines to the console. systemd-system.conf(5) ShowStatus=.
type showStatus int

const (
	statusNo    showStatus = iota
	statusError            // failures only
	statusAuto             // nothing until something fails or takes long
	statusOn
)

// sysdConsole is where systemd's lines go.
type sysdConsole struct {
	status   showStatus
	format   string // StatusUnitFormat=: name, description, combined
	logLevel int    // systemd.log_level=, as in syslog
	printk   int    // the kernel's console log level
	journald bool   // from now on the journal takes the log, not the kernel's ring buffer
	forward  int    // the level up to which the journal writes to the console, -1 for nothing
	silent   bool   // no status lines any more
	version  int
	booted   time.Duration // when the kernel started
}

// Levels of syslog(3).
const (
	logErr     = 3
	logWarning = 4
	logNotice  = 5
	logInfo    = 6
)

// log is a line that systemd logs. Before the journal runs it goes to the kernel's ring buffer, and
// from there to the console when the kernel's console log level lets it through.
func (c *sysdConsole) log(now time.Duration, level int, format string, args ...any) string {
	return c.logAs("systemd[1]", now, level, fmt.Sprintf(format, args...))
}

// logAs is log for another process.
func (c *sysdConsole) logAs(who string, now time.Duration, level int, text string) string {
	switch {
	case level > c.logLevel:
		return ""
	case c.journald && level > c.forward: // journald-console.c writes lines as the kernel does
		return ""
	case !c.journald && level >= c.printk:
		return ""
	}
	t := now - c.booted
	return fmt.Sprintf("[%5d.%06d] %s: %s\n", t/time.Second, t%time.Second/time.Microsecond, who, text)
}

// Status words of the lines on the console, job.c.
const (
	wordOK     = "  OK  "
	wordFailed = "FAILED"
	wordDepend = "DEPEND"
	wordTime   = " TIME "
	wordSkip   = " SKIP "
	wordAssert = "ASSERT"
	wordNone   = "" // indented as the others
)

// line is a status line. important ones are failures: they show unless status is off altogether.
func (c *sysdConsole) line(word, text string, important bool) string {
	if c.silent || c.status != statusOn && (!important || c.status == statusNo) {
		return ""
	}
	head := "         "
	if word != wordNone {
		head = "[" + word + "] "
	}
	return head + stripEscapes(c.fit(text)) + "\n"
}

// statusColumns is the width that systemd assumes of a console that does not tell, less the room for
// the status word and one column.
const statusColumns = 80 - 9 - 1

// bold and normal are the escape sequences around a unit's name.
const (
	bold   = "\x1b[0;1;39m"
	normal = "\x1b[0m"
)

// label is a unit's name in a status line, with its escape sequences.
func (c *sysdConsole) label(u *systemd.Unit) string {
	l := u.Label(c.format)
	if c.format == "combined" {
		if id, rest, ok := strings.Cut(l, " - "); ok && id == u.ID {
			return bold + id + normal + " - " + rest
		}
	}
	return bold + l + normal
}

// fit shortens a line in its middle. Up to systemd 253 the escape sequences count as columns and may be
// cut apart, as the recordings show.
func (c *sysdConsole) fit(s string) string {
	if c.version >= 254 {
		return ellipsize(s, statusColumns, true)
	}
	return ellipsize(s, statusColumns, false)
}

// ellipsize keeps n columns of s: half of them before "…", the rest after it. With ansi, escape
// sequences take no columns and are all kept.
func ellipsize(s string, n int, ansi bool) string {
	width := func(s string) int { return utf8.RuneCountInString(s) }
	if ansi {
		width = func(s string) int { return utf8.RuneCountInString(stripEscapes(s)) }
	}
	if width(s) <= n {
		return s
	}
	before := (n + 1) / 2 // (n*50+50)/100
	if ansi || utf8.RuneCountInString(s) != len(s) {
		before = (n - 1) / 2
	}
	after := n - before - 1
	if !ansi {
		r := []rune(s)
		return string(r[:before]) + "…" + string(r[len(r)-after:])
	}
	r := []rune(stripEscapes(s))
	return string(r[:before]) + "…" + string(r[len(r)-after:])
}

// stripEscapes takes the escape sequences out that a terminal would obey and not show.
func stripEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b {
			b.WriteByte(s[i])
			continue
		}
		j := i + 1
		if j < len(s) && s[j] == '[' {
			for j++; j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == ';'); j++ {
			}
			if j < len(s) && s[j] == 'm' {
				i = j
			}
		}
	}
	return b.String()
}
