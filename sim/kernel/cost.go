package kernel

import (
	"strings"
	"time"
)

// callCost is the modelled time of a system call: the median distance to the call before it in the eleven
// recorded starts of runc, crun and podman. They ran under strace on a busy machine, so these are upper
// bounds; the order of magnitude between calls is what they show. See docs/rationale.md on modelled time.
func callCost(line string) time.Duration {
	name, _, _ := strings.Cut(line, "(")
	switch name {
	case "execve", "execveat":
		return 1500 * time.Microsecond
	case "clone", "clone3", "vfork":
		return 1000 * time.Microsecond
	case "setgroups", "setsid":
		return 800 * time.Microsecond
	case "unshare", "mkdir":
		return 340 * time.Microsecond
	case "write", "mknod", "open":
		return 240 * time.Microsecond
	case "mount", "keyctl", "setuid", "fchdir":
		return 110 * time.Microsecond
	}
	return 50 * time.Microsecond // prctl, symlink, umount2, pivot_root, sethostname, capset …
}
