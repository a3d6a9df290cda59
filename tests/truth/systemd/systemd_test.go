// Package systemd compares what PID 1 does with units of every kind, as simulated, with recordings of the same
// units in the same image under QEMU. record.py made recorded/NAME.txt from variants/NAME.txt.
package systemd

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/union"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// always is what record.py adds to the command line.
const always = "BOOT_IMAGE=/boot/vmlinuz-6.1.0-50-cloud-amd64 root=UUID=b0070001-0000-4000-8000-000000000001 ro console=ttyS0 systemd.journald.forward_to_console=1"

// program is the smallest thing that Linux executes: a static ELF file with one segment. What /usr/local/bin's
// true, false and sleep do is known by their names.
const program = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00\x78\x00\x40\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00" +
	"\x80\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00" + "\x90\x90\x90\x90\x90\x90\x90\x90"

// variant reads the files and the command line of variants/NAME.txt.
func variant(t *testing.T, name string) scenario.RunSettings {
	data, err := os.ReadFile("variants/" + name + ".txt")
	require.NoError(t, err)
	set := scenario.RunSettings{Firmware: "bios", Write: map[string]string{}}
	words := always
	heads := regexp.MustCompile(`(?m)^-- (.*) --\n`).FindAllStringSubmatchIndex(string(data), -1)
	for i, h := range heads {
		end := len(data)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		f, text := strings.Fields(string(data[h[2]:h[3]])), string(data[h[1]:end])
		switch f[0] {
		case "cmdline":
			words += " " + strings.TrimSpace(text)
		case "link": // only that it is there counts
			set.Write["/"+f[1]] = "a link to " + f[2]
		default:
			set.Write["/"+f[0]] = text
		}
	}
	for _, p := range []string{"true", "false", "sleep"} {
		set.Write["/usr/local/bin/"+p] = program
	}
	set.Set = map[string]string{"cmdline": words + " systemd.show_status=1 systemd.log_level=info"}
	return set
}

// run starts the sample, or the image that it was cut from where that is at hand.
func run(t *testing.T, set scenario.RunSettings) *scenario.Result {
	file, store, name := filepath.Join(os.Getenv("BOOTPATH_LAB"), "images/deb-bios.qcow2"), blob.NewStore(), ""
	slice := "../../../content/samples/debian-bios.slice"
	if os.Getenv("BOOTPATH_LAB") == "" {
		file = slice
	}
	f, err := os.Open(file)
	if err != nil {
		f, err = os.Open(slice)
	}
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	input := io.ReaderAt(f)
	size := fi.Size()
	if blob.IsSlice(f) {
		var origin blob.Origin
		store, origin, err = blob.OpenSlice(f, size)
		require.NoError(t, err)
		kept := store.Kept(origin.Name)
		input, size, name = kept, kept.Size(), origin.Name
	} else {
		name = filepath.Base(file)
	}
	im, err := identify.Open(store, store.Add(name, input, size, nil), nil)
	require.NoError(t, err)
	files := map[string][]byte{}
	for p, text := range set.Write {
		files[p] = []byte(text)
	}
	set.Write = nil
	require.NoError(t, im.EditFiles(func(f fsys.FS, isRoot bool) fsys.FS {
		if !isRoot {
			return f
		}
		return programs{union.Edit(f, nil, files)}
	}))
	res, err := scenario.Run(im, nil, set)
	require.NoError(t, err)
	require.NoError(t, res.Trace.Check(func(name string) (int64, bool) {
		b := res.Image.Store.Blob(name)
		if b == nil {
			return 0, false
		}
		return b.Size(), true
	}))
	return res
}

// programs makes the files that were laid into /usr/local/bin executable.
type programs struct{ fsys.FS }

func (p programs) Lstat(name string) (fs.FileInfo, error) {
	fi, err := p.FS.Lstat(name)
	if err == nil && path.Dir(name) == "usr/local/bin" || name == "etc/rc.local" && err == nil {
		st := *fsys.StatOf(fi)
		st.Mode |= 0o111
		return executable{fi, &st}, nil
	}
	return fi, err
}

func (p programs) Stat(name string) (fs.FileInfo, error) { return p.Lstat(name) }

type executable struct {
	fs.FileInfo
	st *fsys.Stat
}

func (e executable) Mode() fs.FileMode { return e.FileInfo.Mode() | 0o111 }
func (e executable) Sys() any          { return e.st }

// wholeImage are variants that read more of the image than the sample keeps.
var wholeImage = []string{"failures", "command-line", "first-boot", "run", "offline-update"}

func TestUnitsGoAsRecorded(t *testing.T) {
	all, err := filepath.Glob("recorded/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, file := range all {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			lines, units, _ := strings.Cut(string(data), "-- units --\n")
			res := run(t, variant(t, name))
			if slices.Contains(wholeImage, name) && strings.Contains(res.Trace.Outcome.Unknown.String(), "unknown.not-kept") {
				t.Skip("needs the whole image: set BOOTPATH_LAB")
			}
			require.NotEqual(t, trace.Unknown, res.Trace.Outcome.Verdict, "%+v", res.Trace.Outcome)
			var console strings.Builder
			for _, st := range res.Trace.Steps {
				console.WriteString(st.Console)
			}
			sameLines(t, sort(strings.Split(lines, "\n")), sort(strings.Split(console.String(), "\n")))
			sameStates(t, strings.Split(strings.TrimSpace(units), "\n"), res)
		})
	}
}

// notPredicted are lines of the recordings that no rule gives, each with its reason.
var notPredicted = []struct{ pattern, reason string }{
	{`multiple trigger source candidates`, "which candidate is named first depends on hash tables"},
	{`^systemd\[1\]: Stopped target `, "the way down after a unit's action is not followed"},
	{`^systemd\[1\]: Startup finished in `, "a measurement"},
}

var (
	stamp   = regexp.MustCompile(`^\[ *\d+\.\d+\] `)
	pid     = regexp.MustCompile(`^(\([\w.-]*)\)?\[\d+\]?: `)
	status  = regexp.MustCompile(`^(\[[ A-Z]{6}\]| {8}) `)
	about   = regexp.MustCompile(`\b(t-|debug-shell|rc-local|kernel-command|system-update|emergency|rescue|Queued start job|Populated|Detected first|Falling|Freezing|default target)`)
	unit    = regexp.MustCompile(`\b[\w@\\.-]+\.(service|target|socket|timer|path|mount|automount)\b`)
	residue = regexp.MustCompile(`\x1b?\[?[0-9;]*m?$`)
)

// sort files the lines under the units that they are about: units run side by side. Lines of the log and of the
// console have two orders of their own.
func sort(lines []string) map[string][]string {
	out := map[string][]string{}
	for _, line := range lines {
		line = pid.ReplaceAllString(stamp.ReplaceAllString(line, ""), "$1): ")
		key := ""
		switch {
		case status.MatchString(line): // cut in the middle: only the beginning is sure to be there
			head, _, cut := strings.Cut(line, "…")
			if cut {
				head = residue.ReplaceAllString(head, "")
			}
			line, key = strings.TrimSpace(head), "console"
		case strings.HasPrefix(line, "systemd[1]: ") || strings.HasPrefix(line, "("):
			key = unit.FindString(line) + "_"
		}
		if about.MatchString(line) && !strings.Contains(line, "See 'systemctl") && key != "" && !slices.ContainsFunc(notPredicted, func(p struct{ pattern, reason string }) bool {
			return regexp.MustCompile(p.pattern).MatchString(line)
		}) {
			out[key] = append(out[key], line)
		}
	}
	slices.Sort(out["console"])
	return out
}

func sameLines(t *testing.T, want, got map[string][]string) {
	for key := range want {
		if !slices.Equal(want[key], got[key]) {
			t.Errorf("%s\nrecorded:\n  %q\nsimulated:\n  %q", key, without(want[key], got[key]), without(got[key], want[key]))
		}
	}
	for key := range got {
		if want[key] == nil {
			t.Errorf("%s, not recorded:\n  %s", key, strings.Join(got[key], "\n  "))
		}
	}
}

// without lists what only a has.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) })
}

// sameStates compares how units ended; units that nothing loaded in the simulation are inactive there too.
func sameStates(t *testing.T, want []string, res *scenario.Result) {
	state := map[string]string{}
	for _, r := range res.Facts.UnitRuns {
		state[r.Name] = r.State
	}
	for _, line := range want {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		got := state[f[0]]
		if got == "" || got == "skipped" {
			got = "inactive"
		}
		if got != f[2] {
			t.Errorf("%s is %s, recorded %s", f[0], got, strings.Join(f[1:], " "))
		}
	}
}
