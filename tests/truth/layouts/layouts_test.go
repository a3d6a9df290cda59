// Package layouts compares simulated starts of disks that are laid out as Fedora, Ubuntu's cloud images, openSUSE and RHEL
// lay them out with recordings of the same disks under QEMU. make.sh and tiny.sh build the disks, rec.sh and ../recorded/distill.py made
// recorded.txt. GRUB is Debian's: 2.06, 2.12 or 2.14.
package layouts

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
		Text: text, Folder: "layouts",
		Decides:  regexp.MustCompile(`^(BdsDxe: |error: |EFI stub: |Booting .*'|GRUB_FORCE_PARTUUID|Loading (Linux|initial)|Failed to boot|Press any key to continue|grub> |tiny: |tiny-root: |Kernel panic|VFS: Cannot|md/raid1:|md127: |root is |Enter passphrase|Attempting to decrypt)`),
		Settings: func(mode string) scenario.RunSettings { return scenario.RunSettings{Firmware: mode} },
	}.Test(t)
}
