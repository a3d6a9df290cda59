// Package initramfs compares simulated starts of live systems (live-boot, dracut) and of disks whose initramfs dracut made
// without systemd with recordings of the same images under QEMU. make-live.sh, make-dracut.sh and make-dracutlive.sh build the images,
// rec.sh recorded them, ../recorded/distill.py made recorded.txt.
//
// What the kernel says between the lines of live-boot is left out: BusyBox's tail shows those once a second.
package initramfs

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
		Text: text, Folder: "initramfs",
		Decides: regexp.MustCompile(`^(Loading, please|Starting systemd-udevd version|Begin: (Loading|Running|Configuring|Preconf|Mounting root)|BOOT FAILED|This Live|live-boot will|Can not|Unable to|\(initramfs\)|` +
			`dracut|Generating|You might|after mounting|To get more|reboot with|Dropping|EXT4-fs .*mounting|EXT4-fs .*mounted filesystem|BusyBox v|Welcome to Debian|Kernel panic)`),
		Settings: func(mode string) scenario.RunSettings { return scenario.RunSettings{Firmware: mode} },
	}.Test(t)
}
