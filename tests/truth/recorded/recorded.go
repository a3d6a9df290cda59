// Package recorded compares simulated starts of disks with what their consoles said under QEMU.
package recorded

import (
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

// Lines are recorded starts: "== NAME MODE" and the lines of the console that decide something.
type Lines struct {
	Text     string
	Folder   string // of the disks, below $BOOTPATH_LAB: FOLDER/img/NAME.raw, .img, .iso or .qcow2; else a slice beside the test is read
	Decides  *regexp.Regexp
	Whole    bool // what the kernel says in the middle of another line is left out
	Once     bool // a line counts once, wherever it is printed again
	Settings func(mode string) scenario.RunSettings
}

// Test starts each disk that is there and compares. A line that is printed twice in a row counts once: a recording has the
// screen and the serial port in one.
func (l Lines) Test(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	for _, part := range strings.Split(l.Text, "== ")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		name, mode, _ := strings.Cut(head, " ")
		t.Run(name+" "+mode, func(t *testing.T) {
			im := Open(t, filepath.Join(lab, l.Folder, "img", name), name)
			res, err := scenario.Run(im, nil, l.Settings(mode))
			require.NoError(t, err)
			var console strings.Builder
			for _, st := range res.Trace.Steps {
				console.WriteString(st.Console)
			}
			require.Equal(t, strings.Split(strings.TrimSpace(text), "\n"), l.deciding(console.String()), "%+v", res.Trace.Outcome)
			require.NoError(t, res.Trace.Check(func(name string) (int64, bool) {
				b := res.Image.Store.Blob(name)
				if b == nil {
					return 0, false
				}
				return b.Size(), true
			}))
		})
	}
}

// Open opens a disk, or the slice of it that is kept with the test.
func Open(t *testing.T, disk, name string) *identify.Image {
	for _, file := range []string{disk + ".raw", disk + ".img", disk + ".iso", disk + ".qcow2", name + ".slice"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		t.Cleanup(func() { f.Close() })
		fi, err := f.Stat()
		require.NoError(t, err)
		store, input := blob.NewStore(), (*blob.Blob)(nil)
		if blob.IsSlice(f) {
			var origin blob.Origin
			store, origin, err = blob.OpenSlice(f, fi.Size())
			require.NoError(t, err)
			kept := store.Kept(origin.Name)
			input = store.Add(origin.Name, kept, kept.Size(), nil)
		} else {
			input = store.Add(fi.Name(), f, fi.Size(), nil)
		}
		im, err := identify.Open(store, input, nil)
		require.NoError(t, err)
		return im
	}
	t.Skip("BOOTPATH_LAB has no " + disk + " with .raw, .img, .iso or .qcow2")
	return nil
}

// escape is a terminal's colour or question.
var escape = regexp.MustCompile("\x1b\\[[0-9;=?]*[a-zA-Z]")

// stamp is the time in front of a line of the kernel.
var stamp = regexp.MustCompile(`^\[ *[0-9.]+\] `)

// between are the kernel's lines in the middle of another.
var between = regexp.MustCompile(`([^\n])(?:\[ *\d+\.\d{6}\] [^\n]*\n)+`)

// deciding keeps the lines that decide something.
func (l Lines) deciding(console string) []string {
	var out []string
	last, seen := "", map[string]bool{}
	if l.Whole {
		console = between.ReplaceAllString(console, "$1")
	}
	for line := range strings.Lines(console) {
		line = strings.TrimSpace(stamp.ReplaceAllString(escape.ReplaceAllString(line, ""), ""))
		if l.Decides.MatchString(line) && line != last && !(l.Once && seen[line]) {
			seen[line] = true
			out = append(out, line)
		}
		if line != "" {
			last = line
		}
	}
	return out
}
