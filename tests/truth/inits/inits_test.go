// Package inits compares simulated starts with recordings of the same ones under QEMU: s6, runit, sysvinit, BusyBox's init and
// processes of a few lines as PID 1, each with what breaks them. make.sh builds the disks; they are Debian 12's programs.
package inits

import (
	_ "embed"
	"regexp"
	"testing"

	"bootpath/sim/scenario"
	"bootpath/tests/truth/recorded"
)

//go:embed recorded.txt
var text string

// decides are the lines that programs write, and the kernel's panic. What is printed again and again counts once.
var decides = regexp.MustCompile(`^(box: |rc\.init: |s6-|if: |redirfd: |execlineb: |cp: |web: |finish:|stop: |- runit: |init: fatal|runsv|stage [23]|runsvchdir|INIT: |wait: |once: |boot: |bootwait: |Id |rcS: |can't run |Please press|Bad inittab|nine|Enter runlevel|script: |hello of|panic: |/bin/|\[dumb-init|\[FATAL|\[WARN|Usage: /usr|switch_root: can't|Kernel panic|# |.* login:|login: )`)

func TestRecordings(t *testing.T) {
	recorded.Lines{
		Text: text, Folder: "inits", Decides: decides, Once: true,
		Settings: func(string) scenario.RunSettings { return scenario.RunSettings{} },
	}.Test(t)
}
