// Package system compares simulated starts of whole images with recordings of the same images under QEMU.
package system

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/boot"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

var update = flag.Bool("update", false, "rewrite tests/truth/REPORT-system.md from this run; review the difference")

// milestone is one recorded line that says how far a start got.
type milestone struct {
	Stage  string
	What   string
	Text   string
	Source string
}

type recording struct {
	Name       string
	Outcome    string
	Milestones []milestone
}

// notPredicted are kinds of recorded lines that no rule over an image can give, each with its reason.
var notPredicted = []struct{ pattern, reason string }{
	{`^DMI: `, "names the machine and its firmware, not the image"},
	{`^VFS: Disk quotas`, "a constant inside the kernel's code"},
	{`^VFS: Dquot-cache`, "a size that the kernel works out from the machine's memory"},
	{`^tsc: `, "a measurement of the processor's clock"},
	{`^Freeing unused kernel image`, "the size of a section of the unpacked kernel, which is not read"},
	{`^(bootpath )?login: |reboot: Power down|ACPI: PM: `, "the recorder shuts the machine down"},
	{`^systemd\[1\]: \S+: Consumed .* CPU time\.$`, "a measurement: the processor time that a unit took"},
	{`^(GRUB ){12}`, "printed without end; how often by then is when the recorder stopped"},
	{`^enter handle_1[89]:$|^Booting from 0000:7c00$`, "SeaBIOS says it to its debug port, not to the screen"},
}

// accepted are differences in single images, each with its reason; the key is image and the line.
var accepted = map[[2]string]string{
	{"deb-openrc", "EXT4-fs (vda1): re-mounted. Quota mode: none."}:                                      "checkroot.sh remounts twice; it is followed up to its check, and its result is one remount",
	{"deb-openrc", "Checking root file system...bootroot: clean, 8934/65536 files, 90301/261888 blocks"}: "words of fsck, which is not run",
	{"deb-openrc", "done."}:                                                  "the rest of a line that a message of the kernel cut in two",
	{"deb-openrc", "Cleaning up temporary files... /tmp."}:                   "whether an earlier script left a mark in /tmp is not known",
	{"deb-openrc", "Cleaning up temporary files...."}:                        "whether an earlier script left a mark in /tmp is not known",
	{"deb-openrc", "Mounting local filesystems...done."}:                     "mountall.sh asks first how much memory the kernel counts",
	{"deb-openrc", "Activating swapfile swap, if any...done."}:               "mountall.sh asks first how much memory the kernel counts",
	{"deb-openrc", "Configuring network interfaces...done."}:                 "networking asks first for a directory in /run that an earlier script may have made",
	{"live-debian", "squashfs: version 4.0 (2009/01/31) Phillip Lougher"}:    "BusyBox's tail shows /boot.log once a second: which lines of the kernel come first is a race",
	{"live-truncated", "squashfs: version 4.0 (2009/01/31) Phillip Lougher"}: "BusyBox's tail shows /boot.log once a second: which lines of the kernel come first is a race",
	{"deb-sdboot", "RAMDISK: [mem 0x3c8ce000-0x3d581fff]"}:                   "the kernel's EFI stub asks the firmware for memory; where that lies depends on the firmware, not on the image",
}

// unknownIs are images whose start cannot be known to its end, with what would have to be known.
var unknownIs = map[string]string{
	"stock-grub-rescue-cdrom": "the image is not rebuilt here",
}

// strict are the stages whose recorded lines must all be predicted; the others are reported.
var strict = []string{"kernel", "initramfs"}

func TestRecordedBoots(t *testing.T) {
	boots := filepath.Join(truthDir(), "system", "boots")
	recordings, err := filepath.Glob(filepath.Join(boots, "*"))
	require.NoError(t, err)
	if len(recordings) == 0 {
		t.Skipf("no recordings in %s", boots)
	}
	recordings = append(recordings, ownRecordings()...)
	firmware := firmwareOf(t)
	var report []string
	ran := 0
	for _, dir := range recordings {
		boots, name := filepath.Split(dir)
		image := imageOf(name)
		if image == "" {
			report = append(report, row(name, "", "", "image not rebuilt here", ""))
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			report = append(report, compare(t, boots, name, image, firmware[name])...)
		})
	}
	if ran == 0 {
		t.Skip("no images: set BOOTPATH_LAB to a directory with those that the recipes beside the recordings build")
	}
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(repoRoot(), "tests/truth/REPORT-system.md"), []byte(page(report)), 0o644))
	}
}

func compare(t *testing.T, boots, name, image, firmware string) []string {
	var rec recording
	data, err := os.ReadFile(filepath.Join(boots, name, "milestones.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &rec))
	res := run(t, image, firmware)
	var console strings.Builder
	for _, st := range res.Trace.Steps {
		console.WriteString(st.Console)
	}
	shown := normal(console.String())
	screens := map[string]*screen{} // the sources show the same text, in part
	kept := orderKept(t, boots, name, res.Facts.UnitRuns)
	sameUnits(t, filepath.Join(boots, name), res.Facts)

	var report []string
	next := map[string]int{} // per source, because the sources are not ordered among each other
	for _, m := range rec.Milestones {
		text := strings.Join(normal(interrupted.ReplaceAllString(m.Text, "")), " ")
		if text == "" {
			continue
		}
		lines := screens[m.Source]
		if lines == nil {
			lines = &screen{lines: shown, used: map[int]bool{}}
			screens[m.Source] = lines
		}
		verdict, reason := "predicted", ""
		if i := lines.find(next[m.Source], text); i >= 0 {
			next[m.Source] = i + 1
		} else if reason = whyNot(name, text); reason != "" {
			verdict = "not predicted"
		} else if lines.find(0, text) >= 0 && (!slices.Contains(strict, m.Stage) || strings.Contains(text, "re-mounted")) {
			verdict, reason = "other order", fmt.Sprintf("parallel jobs: none of the %d orderings by After= and Before= is broken", kept)
		} else if inJournal(text, res.Trace.Steps) {
			verdict, reason = "not predicted", "a race: here the journal runs before this job ends, so the line goes there and not to the console"
		} else {
			verdict = "missing"
			if slices.Contains(strict, m.Stage) && !elsewhere(m, res.Trace.Outcome) {
				t.Errorf("%s %s: %q is not in the console", m.Stage, m.What, text)
			}
		}
		report = append(report, row(name, m.Stage, text, verdict, reason))
	}
	got := res.Trace.Outcome
	want, message := expected(rec.Outcome)
	reason := unknownIs[name]
	switch {
	case got.Verdict == trace.Unknown && reason != "":
	case got.Verdict != want:
		t.Errorf("outcome %s at %s: %q%s, recorded %q", got.Verdict, got.Stage, got.Message, got.Unknown.String(), rec.Outcome)
	case message != "" && got.Message != message:
		t.Errorf("outcome says %q, recorded %q", got.Message, message)
	}
	return append(report, row(name, "outcome", rec.Outcome, fmt.Sprintf("%s at %s: %s", got.Verdict, got.Stage, cmp.Or(got.Message, got.Unknown.String())), reason))
}

// elsewhere tells whether a line belongs to a part of the start that the run did not get to, or that the
// distiller filed under another stage: after init took over, or before the kernel ran.
func elsewhere(m milestone, o trace.Outcome) bool {
	return o.Verdict == trace.Unknown || o.Stage == trace.Bootloader || o.Stage == trace.Firmware ||
		m.What == "initramfs-tools" && m.Text == "done." || strings.Contains(m.Text, "re-mounted")
}

// orderKept checks that no unit started before one that it is ordered after was ready, in the run as in the
// recording, and counts the orderings. What is left to differ is the order of jobs that run side by side.
func orderKept(t *testing.T, boots, name string, runs []boot.UnitRun) int {
	if len(runs) == 0 {
		return 0
	}
	bars := map[string]boot.UnitRun{}
	for _, r := range runs {
		if !r.Initrd {
			bars[r.Name] = r
		}
	}
	data, err := os.ReadFile(filepath.Join(boots, name, "units.json"))
	if err != nil { // recordings that stop early have none; the image is that of deb-bios
		data, err = os.ReadFile(filepath.Join(boots, "deb-bios", "units.json"))
	}
	require.NoError(t, err)
	var units []struct{ Id, After string }
	require.NoError(t, json.Unmarshal(data, &units))
	kept := 0
	for _, u := range units {
		for after := range strings.FieldsSeq(u.After) {
			mine, other := bars[u.Id], bars[strings.ReplaceAll(strings.Trim(after, `"`), `\\`, `\`)]
			begin, ready := cmp.Or(mine.Activating, mine.Active, mine.Ended), cmp.Or(other.Active, other.Ended)
			if begin == 0 || other.Name == "" || mine.Activating == 0 && mine.Condition == "" { // its job was deleted, or failed by its dependencies
				continue
			}
			if kept++; ready == 0 || ready > begin {
				t.Errorf("%s began at %s, before %s was ready at %s", u.Id, begin, after, ready)
			}
		}
	}
	return kept
}

// sameUnits checks that the units that started are the recorded ones, and that those that were passed over
// because of a condition are too.
func sameUnits(t *testing.T, dir string, facts scenario.Facts) {
	if !exists(filepath.Join(dir, "units.json")) {
		return
	}
	data, err := os.ReadFile(filepath.Join(dir, "facts.json"))
	require.NoError(t, err)
	var recorded struct {
		Started []struct{ Unit string } `json:"units_started_in_order"`
	}
	require.NoError(t, json.Unmarshal(data, &recorded))
	if len(recorded.Started) == 0 {
		return
	}
	data, err = os.ReadFile(filepath.Join(dir, "units.json"))
	require.NoError(t, err)
	var units []struct{ Id, ConditionResult, ConditionTimestampMonotonic string }
	require.NoError(t, json.Unmarshal(data, &units))
	want, got, loaded := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, u := range units {
		loaded[u.Id] = true
		if u.ConditionResult == "no" && u.ConditionTimestampMonotonic != "0" {
			want[u.Id] = "skipped"
		}
	}
	for _, u := range recorded.Started {
		want[u.Unit] = "started"
	}
	for _, r := range facts.UnitRuns {
		if r.Condition != "" && (loaded[r.Name] || !r.Initrd) {
			got[r.Name] = "skipped"
		}
	}
	for _, name := range facts.Units {
		got[name] = "started"
	}
	for name, state := range want {
		if got[name] != state && !ofTheMachine.MatchString(name) {
			t.Errorf("%s: %q, recorded %q", name, got[name], state)
		}
	}
	for name, state := range got {
		if want[name] == "" && name != "sysroot.mount" && name != "-.mount" { // the manager of an initramfs has their times
			t.Errorf("%s: %q, not recorded", name, state)
		}
	}
}

// ofTheMachine are units that no image decides: devices (one that a unit waits for has its line), and the mounts
// that a service's own process makes for its credentials.
var ofTheMachine = regexp.MustCompile(`\.device$|^run-credentials-.*\.mount$`)

// inJournal tells whether PID 1 says text after the journal runs: then it is in the journal alone. Its
// twin, the status line, or the step of a skipped unit shows that it is said.
func inJournal(text string, steps []trace.Step) bool {
	said, ok := strings.CutPrefix(text, "systemd[1]: ")
	journal := false
	for _, st := range steps {
		if ok && journal && st.Actor == "systemd[1]" {
			if st.Kind == "systemd.skipped" && strings.HasPrefix(said, st.Args["unit"]+" ") {
				return true
			}
			for _, line := range normal(st.Console) {
				if same(said, strings.TrimPrefix(line, "[  OK  ] ")) {
					return true
				}
			}
		}
		journal = journal || st.Kind == "systemd.started" && st.Args["unit"] == "systemd-journald.service"
	}
	return false
}

func run(t *testing.T, image, firmware string) *scenario.Result {
	source := func() (*blob.Store, *blob.Blob, error) {
		f, err := os.Open(image)
		if err != nil {
			return nil, nil, err
		}
		t.Cleanup(func() { f.Close() })
		st, err := f.Stat()
		if err != nil {
			return nil, nil, err
		}
		store := blob.NewStore()
		return store, store.Add(filepath.Base(image), f, st.Size(), nil), nil
	}
	store, input, err := source()
	require.NoError(t, err)
	im, err := identify.Open(store, input, nil)
	require.NoError(t, err)
	res, err := scenario.Run(im, source, scenario.RunSettings{Firmware: firmware})
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

// expected turns a recorded outcome into the verdict that a prediction must have, and its words where
// the recording has them.
func expected(outcome string) (trace.Verdict, string) {
	for _, prefix := range []string{"panic: ", "initramfs shell: ", "firmware: "} {
		if message, ok := strings.CutPrefix(outcome, prefix); ok {
			return trace.Stops, message
		}
	}
	if strings.HasPrefix(outcome, "reaches end of boot") || strings.HasPrefix(outcome, "busybox shell") {
		return trace.Works, ""
	}
	return trace.Stops, ""
}

var (
	// interrupted is a line of the kernel's that got into the middle of another writer's line.
	interrupted = regexp.MustCompile(`\[ *\d+\.\d{6}\] (clocksource|virtio_blk|ata\d|audit): .*$`)

	escape = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]|\x1b[()][0-9A-B]")
	stamp  = regexp.MustCompile(`^\[ *\d+\.\d+\] ?`)
)

// normal cuts text into lines without time stamps, colours and blanks at the ends.
func normal(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		line = stamp.ReplaceAllString(strings.TrimSpace(escape.ReplaceAllString(line, "")), "")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// screen is the simulated console; each of its lines answers for one recorded line.
type screen struct {
	lines []string
	used  map[int]bool
}

// find returns the first unused line from on that has the text.
func (s *screen) find(from int, text string) int {
	for i := from; i < len(s.lines); i++ {
		if !s.used[i] && same(s.lines[i], text) {
			s.used[i] = true
			return i
		}
	}
	return -1
}

// same compares a line with a recorded text. systemd shortens status lines in the middle, and the cut may
// go through a colour's escape sequence: what is left of that does not count.
func same(line, text string) bool {
	if line == text {
		return true
	}
	if head, tail, ok := strings.Cut(text, "…"); ok {
		head = strings.TrimRight(cutEscape.ReplaceAllString(head, ""), "[")
		tail = strings.TrimSpace(cutTail.ReplaceAllString(tail, ""))
		return strings.HasPrefix(line, head) && strings.HasSuffix(line, tail)
	}
	return len(text) > 8 && strings.Contains(line, text)
}

var (
	cutEscape = regexp.MustCompile(`\x1b?(\[[0-9;]*)?$`)
	cutTail   = regexp.MustCompile(`^(\[?[0-9;]*m)`)
)

func whyNot(name, text string) string {
	if reason := accepted[[2]string{name, text}]; reason != "" {
		return reason
	}
	for _, p := range notPredicted {
		if regexp.MustCompile(p.pattern).MatchString(text) {
			return p.reason
		}
	}
	return ""
}

func firmwareOf(t *testing.T) map[string]string {
	data, err := os.ReadFile(filepath.Join(truthDir(), "system", "SUMMARY.tsv"))
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Split(line, "\t"); len(f) >= 2 {
			out[f[0]] = f[1]
		}
	}
	return out
}

// ownRecordings are the starts that were recorded beside the rebuilt images and are in no collection: of images
// that only this machine has.
func ownRecordings() []string {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		return nil
	}
	all, _ := filepath.Glob(filepath.Join(lab, "truth", "*"))
	return slices.DeleteFunc(all, func(dir string) bool {
		return exists(filepath.Join(truthDir(), "system", "boots", filepath.Base(dir)))
	})
}

// imageOf finds the rebuilt image of a recording; a recording with other firmware has its name behind it.
func imageOf(name string) string {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		return ""
	}
	for _, n := range []string{name, strings.TrimSuffix(name, "-uefi")} {
		for _, dir := range []string{"", "images", "sysmake/images"} {
			for _, ext := range []string{".qcow2", ".iso", ".img"} {
				if file := filepath.Join(lab, dir, n+ext); exists(file) {
					return file
				}
			}
		}
	}
	return ""
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

func repoRoot() string {
	dir, _ := os.Getwd()
	return filepath.Join(dir, "../../..")
}

func truthDir() string {
	return cmp.Or(os.Getenv("BOOTPATH_TRUTH"), filepath.Join(repoRoot(), "../shared/truth"))
}

func row(image, stage, recorded, predicted, reason string) string {
	cell := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", cell(image), cell(stage), cell(recorded), cell(predicted), cell(reason))
}

func page(rows []string) string {
	count := func(what string) int {
		n := 0
		for _, r := range rows {
			if strings.Contains(r, "| "+what+" |") {
				n++
			}
		}
		return n
	}
	return fmt.Sprintf(`# Simulated starts against recorded ones

Each recorded line must appear in the simulated console, in the same order; time stamps and colours do
not count. Written by `+"`go test ./tests/truth/system -update`"+` with BOOTPATH_LAB set.

predicted: %d, in another order: %d, not predicted for a reason: %d, missing: %d

| image | stage | recorded | simulated | reason |
|---|---|---|---|---|
%s
`, count("predicted"), count("other order"), count("not predicted"), count("missing"), strings.Join(rows, "\n"))
}
