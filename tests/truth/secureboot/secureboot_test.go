// Package secureboot compares simulated starts under UEFI, with Secure Boot and without, with recordings of the same
// disks under QEMU. make.sh builds the disks, rec.sh and distill.py made recorded.txt. The mode arm64 is QEMU's virt with AAVMF; the line
// about its missing random number generator is left out.
package secureboot

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
)

//go:embed recorded.txt
var recorded string

// decides matches the lines that distill.py keeps.
var decides = regexp.MustCompile(`^(BdsDxe: |Failed to (open|load image)|start_image|Verification failed|error: |EFI stub: |Reset System|Loading |Welcome to GRUB|bb-init|Failed to boot both|UEFI Interactive Shell)`)

func TestRecordings(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	for _, part := range strings.Split(recorded, "== ")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		name, mode, _ := strings.Cut(head, " ")
		t.Run(name+" "+mode, func(t *testing.T) {
			path := filepath.Join(lab, "secureboot", "img", name+".raw")
			f, err := os.Open(path)
			if lab == "" || err != nil {
				t.Skip("BOOTPATH_LAB has no secureboot/img/" + name + ".raw")
			}
			defer f.Close()
			fi, err := f.Stat()
			require.NoError(t, err)
			store := blob.NewStore()
			im, err := identify.Open(store, store.Add(fi.Name(), f, fi.Size(), nil), nil)
			require.NoError(t, err)
			res, err := scenario.Run(im, nil, scenario.RunSettings{Firmware: "uefi", SecureBoot: mode == "secure", Arch: map[bool]string{true: "arm64"}[mode == "arm64"]})
			require.NoError(t, err)
			var console strings.Builder
			for _, st := range res.Trace.Steps {
				console.WriteString(st.Console)
			}
			var got []string
			last := ""
			for line := range strings.Lines(console.String()) {
				line = strings.TrimSpace(line)
				if decides.MatchString(line) && line != last {
					got = append(got, line)
				}
				if line != "" {
					last = line
				}
			}
			require.Equal(t, strings.Split(strings.TrimSpace(text), "\n"), got, "%+v", res.Trace.Outcome)
			require.NoError(t, res.Trace.Check(func(name string) (int64, bool) {
				b := store.Blob(name)
				if b == nil {
					return 0, false
				}
				return b.Size(), true
			}))
		})
	}
}
