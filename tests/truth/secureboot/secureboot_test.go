// Package secureboot compares simulated starts under UEFI, with Secure Boot and without, with recordings of the same
// disks under QEMU. make.sh builds the disks, rec.sh and ../recorded/distill.py made recorded.txt. The mode arm64 is QEMU's virt with AAVMF; the line
// about its missing random number generator is left out.
package secureboot

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
		Text: text, Folder: "secureboot",
		// The lines that distill.py keeps.
		Decides: regexp.MustCompile(`^(BdsDxe: |Failed to (open|load image)|start_image|Verification failed|error: |EFI stub: |Reset System|Loading |Welcome to GRUB|bb-init|Failed to boot both|UEFI Interactive Shell)`),
		Settings: func(mode string) scenario.RunSettings {
			return scenario.RunSettings{Firmware: "uefi", SecureBoot: mode == "secure", Arch: map[bool]string{true: "arm64"}[mode == "arm64"]}
		},
	}.Test(t)
}
