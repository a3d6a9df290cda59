package boot

import (
	"fmt"
	"path"
	"strings"
	"time"

	"bootpath/sim/conf/systemd"
)

// Virtual time of systemd. All values are modelled. They come from the recorded QEMU boots (TCG, one
// processor): of deb-bios, the least disturbed one, where nothing else is said.
const (
	// From the first line to "Hostname set": 14 ms (brk-initarg).
	costSystemdHello = 14 * time.Millisecond
	// Generators and loading of units, up to "Queued start job": 5.5 s (deb-uefi).
	costSystemdLoad = 5500 * time.Millisecond
	// One fork of PID 1 for a unit: 400 ms between "Starting" lines.
	costSystemdFork = 400 * time.Millisecond
	// PID 1 takes note that a process ended, or that one says it is ready: 45 ms between lines of ended processes.
	costSystemdEvent = 45 * time.Millisecond
	// From when udev runs and was told of all devices to "Found device", while PID 1 does nothing else: 1.8 s.
	costSystemdDevice = 1800 * time.Millisecond
	// A mount(8) process: 900 ms (sys-fs-fuse-connections.mount).
	costSystemdMount = 900 * time.Millisecond
)

// fate is how a program ends once it runs.
type fate struct {
	after  time.Duration
	status int
}

// fateOf tells how a program ends. Programs are not run; POSIX says it of a few, whatever their bytes.
func fateOf(c systemd.Command) (fate, bool) {
	switch path.Base(c.Path) {
	case "true":
		return fate{}, true
	case "false":
		return fate{status: 1}, true
	case "sleep":
		if len(c.Argv) == 2 {
			if d := timeSpan(c.Argv[1], 0); d > 0 {
				return fate{after: d}, true
			} else if c.Argv[1] == "infinity" {
				return fate{after: forever}, true
			}
		}
	}
	return fate{}, false
}

// forever is longer than any start that is followed.
const forever = 1000 * time.Hour

// timeOf is how long a program runs that somebody waits for.
func timeOf(c systemd.Command) time.Duration {
	if f, ok := fateOf(c); ok {
		return costSystemdFork + f.after
	}
	return programCost(c.Path)
}

// programCost is how long a program takes that a unit waits for. Programs are not run: these are the times
// between "Starting" and "Started" or "Finished"; those that were not recorded are taken to be short.
func programCost(exe string) time.Duration {
	ms := time.Duration(800)
	switch path.Base(exe) {
	case "systemd-journald":
		ms = 4500
	case "systemd-fsck":
		ms = 2900
	case "dracut-cmdline":
		ms = 12000
	case "dracut-initqueue": // it settles: its end comes after the devices
		ms = 9000
	case "dracut-pre-udev":
		ms = 3000
	case "udevadm": // trigger, for every device there is
		ms = 7000
	case "systemd-udevd":
		ms = 5200
	case "ifup": // networking.service
		ms = 5600
	case "systemd-timesyncd":
		ms = 4700
	case "systemd-logind":
		ms = 4400
	case "e2scrub_all":
		ms = 4600
	case "journalctl": // --flush
		ms = 3200
	case "systemd-random-seed":
		ms = 2600
	case "dbus-daemon":
		ms = 2400
	case "systemd-tmpfiles":
		ms = 2400
	case "systemd-update-utmp", "systemd-user-sessions":
		ms = 1700
	case "systemd-sysusers", "systemd-machine-id-setup":
		ms = 1300
	case "systemd-sysctl", "systemd-remount-fs":
		ms = 920
	}
	return ms * time.Millisecond
}

// timeSpan is a time span of systemd.time(7); otherwise when it cannot be read. "infinity" and 0 are
// negative: no limit.
func timeSpan(s string, otherwise time.Duration) time.Duration {
	s = strings.TrimSpace(s)
	switch s {
	case "":
		return otherwise
	case "infinity", "0":
		return -1
	}
	units := []struct {
		name string
		d    time.Duration
	}{{"minutes", time.Minute}, {"minute", time.Minute}, {"min", time.Minute}, {"seconds", time.Second}, {"second", time.Second}, {"sec", time.Second},
		{"hours", time.Hour}, {"hour", time.Hour}, {"hr", time.Hour}, {"msec", time.Millisecond}, {"ms", time.Millisecond}, {"usec", time.Microsecond},
		{"us", time.Microsecond}, {"days", 24 * time.Hour}, {"day", 24 * time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"h", time.Hour}, {"d", 24 * time.Hour}}
	total := time.Duration(0)
	for s != "" {
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		var n float64
		if _, err := fmt.Sscanf(s[:i], "%g", &n); err != nil || n > 1e9 {
			return otherwise
		}
		s = strings.TrimLeft(s[i:], " ")
		unit := time.Second
		for _, u := range units {
			if rest, ok := strings.CutPrefix(s, u.name); ok {
				unit, s = u.d, strings.TrimLeft(rest, " ")
				break
			}
		}
		if s != "" && (s[0] < '0' || s[0] > '9') {
			return otherwise
		}
		total += time.Duration(n * float64(unit))
	}
	return total
}

// span writes a time as systemd shows it: two units at most are needed here.
func span(d time.Duration) string {
	if d < 0 {
		return "no limit"
	}
	d = d.Truncate(time.Second)
	switch {
	case d >= time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%dh %dmin", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute > 0:
		return fmt.Sprintf("%dmin %ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Minute:
		return fmt.Sprintf("%dmin", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
