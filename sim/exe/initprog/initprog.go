// Package initprog tells which init a program is: by the name that the links end at, and by what is
// configured beside it. What an init then does is the business of its actor.
package initprog

import (
	"path"
	"strings"
)

// The inits that are told apart.
const (
	Systemd  = "systemd"
	Sysvinit = "sysvinit"
	OpenRC   = "openrc"               // openrc-init itself
	SysvRC   = "sysvinit with openrc" // sysvinit, whose inittab runs openrc
	BusyBox  = "busybox"
	Runit    = "runit"
	S6       = "s6"
	Dinit    = "dinit"
	Shell    = "shell"
	Script   = "a shell script"     // that a shell runs; told by its first line, not by its name
	Execline = "an execline script" // as s6-linux-init-maker writes one
	Other    = "a program of its own"
)

// Kind names the init that exe is. exists tells whether a path is there in its root file system.
func Kind(exe string, exists func(path string) bool) string {
	switch base := path.Base(exe); {
	case base == "systemd":
		return Systemd
	case IsShell(base):
		return Shell
	case base == "busybox":
		return BusyBox
	case strings.HasPrefix(base, "openrc"):
		return OpenRC
	case strings.HasPrefix(base, "runit"):
		return Runit
	case base == "dinit":
		return Dinit
	case strings.HasPrefix(base, "s6"):
		return S6
	case base == "init" && exists("/etc/inittab") && exists("/sbin/openrc"):
		return SysvRC
	case base == "init" && exists("/etc/inittab"):
		return Sysvinit
	}
	return Other
}

// IsShell tells whether a shell is installed under that name.
func IsShell(base string) bool {
	switch base {
	case "sh", "dash", "bash", "ash", "busybox.sh", "zsh", "ksh", "mksh":
		return true
	}
	return false
}
