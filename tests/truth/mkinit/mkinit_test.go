// Package mkinit compares simulated starts of Alpine's and Arch's initramfs with recordings of the same ones under QEMU.
//
// The images were put together by hand, for neither distribution could be installed: mkinitfs 3.13's initramfs-init with
// the busybox and apk of Alpine 3.20, and mkinitcpio's init, init_functions and hook udev with Debian's busybox,
// util-linux, kmod and udev, each on Debian's kernel 6.1. nlplug-findfs was a stand-in written after its source, so its
// search is not among what is compared, only what init makes of its result. alp-openrc goes on to Debian's OpenRC 0.45
// under Alpine's inittab. make.sh builds the disks.
package mkinit

import (
	_ "embed"
	"regexp"
	"testing"

	"bootpath/sim/scenario"
	"bootpath/tests/truth/recorded"
)

//go:embed recorded.txt
var text string

func TestRecordings(t *testing.T) {
	recorded.Lines{
		Text: text, Folder: "mkinit",
		// Not the beginnings of lines that the kernel writes into, nor apk's progress bar.
		Decides:  regexp.MustCompile(`^(ok\.|failed\.|:: |ERROR: |Waiting |mount: /|You are |Bailing |Launching |/sbin/init not|Type exit|Starting |sh: can't|root: clean|Service |can't run|\* (Remounting|Caching|Mounting /|Setting|Starting|Configuring)|.* login:|\[rootfs |~ #)`),
		Settings: func(string) scenario.RunSettings { return scenario.RunSettings{} },
	}.Test(t)
}
