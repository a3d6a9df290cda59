// Package uboot compares simulated starts by U-Boot with recordings of two releases of Debian's u-boot-qemu (2023.01 and 2025.01)
// on QEMU's arm64 machine virt. make.sh builds the disks, rec.sh and distill.py made recorded.txt. U-Boot's own words differ from
// release to release, so what it decided is compared: which files it took, which labels it skipped, which command line it gave. Files that it asked for and
// that are missing count as asked for.
package uboot

import (
	_ "embed"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

//go:embed recorded.txt
var recorded string

func TestRecordings(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	for _, part := range strings.Split(recorded, "== ")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		name, _, _ := strings.Cut(head, " ")
		t.Run(head, func(t *testing.T) {
			f, err := os.Open(filepath.Join(lab, "uboot", "img", name+".raw"))
			if lab == "" || err != nil {
				t.Skip("BOOTPATH_LAB has no uboot/img/" + name + ".raw")
			}
			defer f.Close()
			fi, err := f.Stat()
			require.NoError(t, err)
			store := blob.NewStore()
			im, err := identify.Open(store, store.Add(fi.Name(), f, fi.Size(), nil), nil)
			require.NoError(t, err)
			res, err := scenario.Run(im, nil, scenario.RunSettings{Firmware: "uboot"})
			require.NoError(t, err)
			require.Equal(t, strings.Split(strings.TrimSpace(text), "\n"), decisions(res.Trace), "%+v", res.Trace.Outcome)
		})
	}
}

func decisions(tr *trace.Trace) []string {
	var out []string
	say := func(line string) {
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	for _, st := range tr.Steps {
		switch st.Kind {
		case "uboot.read-config":
			say("config " + st.Args["path"])
		case "uboot.script":
			say("script " + st.Args["path"])
		case "uboot.load-kernel", "uboot.load-initrd":
			say("file " + st.Args["path"])
		case "uboot.no-kernel", "uboot.no-initrd":
			say("file " + st.Args["path"])
			say("skip " + st.Args["label"])
		}
		if _, line, ok := strings.Cut(st.Console, "Kernel command line: "); ok {
			line, _, _ = strings.Cut(line, "\n")
			say("cmdline " + strings.TrimSpace(line))
		}
	}
	slices.Sort(out)
	return out
}
