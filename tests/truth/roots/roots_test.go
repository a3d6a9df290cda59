// Package roots compares simulated starts with recordings under QEMU: roots on LVM, LUKS and mirrors, and what the command line
// asks of an initramfs of initramfs-tools and of dracut. A disk of make.sh serves many starts; cases.txt has their initramfs and command line.
//
// What the kernel says of its modules is left out, and so is how often the scripts of local-block ran and whether live-boot
// looked at the boot partition before the one that it found: recordings on the same disk differ.
package roots

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/tests/truth/recorded"
)

//go:embed recorded.txt
var text string

//go:embed cases.txt
var cases string

var decides = regexp.MustCompile(`^(Loading, please|Begin: ([^R]|Running /scripts/([^l]|local-(top|pre|bot)))|Gave up|ALERT!|No (root|init)|Target |Spawning|Rebooting|Halting|Warning|WARNING|Failure|Success|Failed|Please |cryptsetup: |Scanning |run-init: |mount: |` +
	`/init|/scripts|EXT4-fs .([^v]|vda[2-9])|XFS|BTRFS|FAT-fs|md/raid|md127: det|dracut|Generating|You might|after mounting|To get more|reboot with|Dropping|BusyBox v|\(initramfs\)|tiny-root: |Kernel panic|fsck|tinyroot: clean|ipconfig|` +
	`Entering emergency|Type "journalctl|Press Enter|Give root|Cannot open|Enter passphrase|switch_root|pre-mount|cmdline|[a-z-]+:/# |\[FAILED\]|\[DEPEND\]|\[ TIME \])`)

func TestRecordings(t *testing.T) {
	for _, part := range strings.Split(text, "== ")[1:] {
		head, _, _ := strings.Cut(part, "\n")
		initrd, append := arguments(t, head)
		recorded.Lines{
			Text: "== " + part, Folder: "roots", Decides: decides, Whole: true,
			Settings: func(string) scenario.RunSettings {
				return scenario.RunSettings{Firmware: "bios", Write: map[string]string{
					"/grub/grub.cfg": fmt.Sprintf("serial\nterminal_output serial\nlinux /vmlinuz %s console=ttyS0\ninitrd /%s\nboot\n", append, initrd)}}
			},
		}.Test(t)
	}
}

// arguments finds a start's initramfs and command line.
func arguments(t *testing.T, head string) (initrd, append string) {
	for line := range strings.Lines(cases) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), head+" "); ok {
			initrd, append, _ = strings.Cut(rest, " ")
			return initrd, append
		}
	}
	require.Fail(t, "cases.txt has no line "+head)
	return "", ""
}
