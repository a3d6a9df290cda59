package boot

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// systemdTree is a root file system in memory; each file is a blob of its own.
type systemdTree struct{ fstest.MapFS }

func (m systemdTree) Info() fsys.Info { return fsys.Info{Type: "ext4", UUID: "1234"} }

func (m systemdTree) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if e := m.MapFS[name]; err == nil && e != nil && e.Mode.IsRegular() {
		return systemdFile{f, blob.New(name, bytes.NewReader(e.Data), int64(len(e.Data)), nil)}, nil
	}
	return f, err
}

type systemdFile struct {
	fs.File
	*blob.Blob
}

// plant builds a tree from path → content: "-> x" is a link, a "*" behind the path makes it executable.
func plant(files map[string]string) systemdTree {
	m := fstest.MapFS{"proc": {Mode: fs.ModeDir | 0o755}, "sys": {Mode: fs.ModeDir | 0o755}, "dev": {Mode: fs.ModeDir | 0o755}, "run": {Mode: fs.ModeDir | 0o755}}
	for p, text := range files {
		e := &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			e = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
		}
		if bare, ok := strings.CutSuffix(p, "*"); ok {
			p, e.Mode = bare, 0o755
		}
		m[p] = e
	}
	return systemdTree{m}
}

// layered puts files over another root.
type layered struct {
	fsys.FS
	over systemdTree
}

func (l layered) Open(name string) (fs.File, error) {
	if l.over.MapFS[name] != nil {
		return l.over.Open(name)
	}
	return l.FS.Open(name)
}

func (l layered) Lstat(name string) (fs.FileInfo, error) {
	if l.over.MapFS[name] != nil {
		return l.over.Lstat(name)
	}
	return l.FS.Lstat(name)
}

func (l layered) Stat(name string) (fs.FileInfo, error) { return l.Lstat(name) }

func (l layered) ReadLink(name string) (string, error) {
	if l.over.MapFS[name] != nil {
		return l.over.ReadLink(name)
	}
	return l.FS.ReadLink(name)
}

func (l layered) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := l.FS.ReadDir(name)
	if err != nil {
		return nil, err
	}
	for p := range l.over.MapFS {
		if filepath.Dir(p) == name {
			fi, err := l.over.Lstat(p)
			if err != nil {
				return nil, err
			}
			list = slices.DeleteFunc(list, func(e fs.DirEntry) bool { return e.Name() == fi.Name() })
			list = append(list, fs.FileInfoToDirEntry(fi))
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// startSystemd runs systemd as PID 1 of root.
func startSystemd(t *testing.T, root fsys.FS, cmdline, version string) (*trace.Trace, Facts) {
	m := machine.New()
	s := &start{m: m, c: Config{Disk: &disk.Disk{}, Firmware: "bios", MemoryMiB: 1024}}
	s.facts.Root = "/dev/vda1"
	k := kernel.New(m, kernel.Options{Version: version, Arch: "amd64", Cmdline: cmdline})
	info := root.Info()
	k.AddDevice("vda", nil, "", "", "")
	k.AddDevice("vda1", root, "ext4", info.UUID, info.Label)
	pid1 := k.Init()
	require.NoError(t, pid1.MkdirAll("/root", 0o755))
	require.NoError(t, pid1.MountFS(root, "/root", "/dev/vda1", "ext4", "ro,relatime"))
	require.NoError(t, pid1.Chdir("/root"))
	require.NoError(t, pid1.MoveMount(".", "/"))
	require.NoError(t, pid1.Chroot("."))
	pid1.Exe = "/usr/lib/systemd/systemd"
	s.systemd(k, pid1, root)
	return m.Trace(), s.facts
}

// consoleOf joins what the run printed.
func consoleOf(tr *trace.Trace) string {
	var b strings.Builder
	for _, st := range tr.Steps {
		b.WriteString(st.Console)
	}
	return b.String()
}

func bootTruth(t *testing.T) string {
	dir := os.Getenv("BOOTPATH_TRUTH")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "../../../shared/truth")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no recordings: set BOOTPATH_TRUTH")
	}
	return filepath.Join(dir, "system/boots")
}

func labSystemd(t *testing.T) fsys.FS {
	lab := os.Getenv("BOOTPATH_LAB")
	f, err := os.Open(filepath.Join(lab, "build/base-systemd.tar"))
	if lab == "" || err != nil {
		t.Skip("no rebuilt images: set BOOTPATH_LAB")
	}
	t.Cleanup(func() { f.Close() })
	fi, err := f.Stat()
	require.NoError(t, err)
	root, err := tarfs.Open(blob.New("base-systemd.tar", f, fi.Size(), nil))
	require.NoError(t, err)
	return root
}

type uuidFS struct {
	fsys.FS
	uuid string
}

func (u uuidFS) Info() fsys.Info { return fsys.Info{Type: "ext4", UUID: u.uuid} }

const (
	debUUID    = "b0070001-0000-4000-8000-000000000001"
	debFstab   = "UUID=" + debUUID + " / ext4 errors=remount-ro 0 1\n"
	debCmdline = "BOOT_IMAGE=/boot/vmlinuz-6.1.0-50-cloud-amd64 root=UUID=" + debUUID + " ro console=ttyS0 systemd.show_status=1 systemd.log_level=info"
	debVersion = "6.1.0-50-cloud-amd64"
)

func labDebian(t *testing.T, files map[string]string) fsys.FS {
	over := map[string]string{"etc/fstab": debFstab}
	for k, v := range files {
		over[k] = v
	}
	return uuidFS{layered{labSystemd(t), plant(over)}, debUUID}
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;]*m)?")

// recordedLines are systemd's lines of a serial log, without time stamps and progress animations.
func recordedLines(t *testing.T, name string) []string {
	b, err := os.ReadFile(filepath.Join(bootTruth(t), name, "serial.log"))
	require.NoError(t, err)
	return systemdLines(string(b))
}

var stamp = regexp.MustCompile(`^\[ *[0-9.]+\] `)

func systemdLines(text string) []string {
	var out []string
	seen := false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
		line = escapes.ReplaceAllString(line, "")
		line = strings.TrimPrefix(line, "[K")
		if stamp.MatchString(line) && !strings.Contains(line, "systemd[1]:") {
			continue
		}
		line = stamp.ReplaceAllString(line, "")
		seen = seen || strings.Contains(line, "running in system mode")
		if seen && strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return out
}

// recordedFacts are the units of a recorded boot.
type recordedUnit struct {
	ID                             string `json:"Id"`
	Before, After                  string
	ActiveState, ConditionResult   string
	InactiveExitTimestampMonotonic string
}

func recordedUnits(t *testing.T, name string) []recordedUnit {
	b, err := os.ReadFile(filepath.Join(bootTruth(t), name, "units.json"))
	require.NoError(t, err)
	var out []recordedUnit
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// notPredicted: devices that nothing waits for are the hardware's, and mounts of credentials are made
// inside of a service's own set-up.
func notPredicted(id string) bool {
	return strings.HasSuffix(id, ".device") && id != "dev-ttyS0.device" && id != "dev-vda1.device" || strings.HasPrefix(id, "run-credentials-")
}

func TestSystemdStartsTheRecordedUnits(t *testing.T) {
	tr, facts := startSystemd(t, labDebian(t, nil), debCmdline, debVersion)
	require.Equal(t, "graphical.target", facts.Target)
	require.Equal(t, trace.Works, tr.Outcome.Verdict, "%+v", tr.Outcome)
	require.Equal(t, "bootpath login:", tr.Outcome.Message)
	var want []string
	units := recordedUnits(t, "deb-bios")
	for _, u := range units {
		if u.InactiveExitTimestampMonotonic != "0" && u.InactiveExitTimestampMonotonic != "" && !notPredicted(u.ID) {
			want = append(want, u.ID)
		}
	}
	require.ElementsMatch(t, want, facts.Units)

	at := map[string]int{}
	for i, id := range facts.Units {
		at[id] = i + 1
	}
	for _, u := range units {
		for other := range strings.FieldsSeq(u.Before) {
			if i, j := at[u.ID], at[other]; i > 0 && j > 0 && i > j {
				t.Errorf("%s started before %s, against its Before=", other, u.ID)
			}
		}
	}
}

// asRecorded compares what a run printed with a serial log: a line that only one of them has must be of
// a kind that is listed here. Whether a line of systemd's log still goes to the console depends on how
// soon the journal runs, and programs are not run here.
func asRecorded(t *testing.T, tr *trace.Trace, name string, accepted ...string) {
	got, want := systemdLines(consoleOf(tr)), recordedLines(t, name)
	accepted = append(accepted, `^systemd\[1\]: (Finished|Starting|Mounted|Started|modprobe@.* Consumed|.* was skipped because)`, `login: `, `ACPI: PM`,
		`^(M?\[K)?\[[ *]{6}\] (\(\d of \d\) )?Job `, `^Debian GNU`)
	ok := regexp.MustCompile(strings.Join(accepted, "|"))
	for _, line := range diffLines(got, want) {
		if !ok.MatchString(line[2:]) {
			t.Errorf("%s", line)
		}
	}
}

func TestSystemdPrintsTheRecordedLines(t *testing.T) {
	tr, _ := startSystemd(t, labDebian(t, nil), debCmdline, debVersion)
	asRecorded(t, tr, "deb-bios")
}

// diffLines lists what only got has (+), then what only want has (-).
func diffLines(got, want []string) []string {
	var out []string
	for _, g := range got {
		if !slices.Contains(want, g) {
			out = append(out, "+ "+g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, "- "+w)
		}
	}
	return out
}

func TestAnOrderingCycleIsBrokenAsRecorded(t *testing.T) {
	files := map[string]string{"etc/systemd/system/multi-user.target.wants/cyc-a.service": "-> ../cyc-a.service"}
	for _, p := range []string{"ab", "bc", "ca"} {
		files["etc/systemd/system/cyc-"+p[:1]+".service"] = "[Unit]\nDescription=cycle " + p[:1] + "\nAfter=cyc-" + p[1:] + ".service\nWants=cyc-" + p[1:] +
			".service\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
	}
	tr, _ := startSystemd(t, labDebian(t, files), debCmdline, debVersion)
	require.Equal(t, trace.Works, tr.Outcome.Verdict)
	// The kernel wrote into some of the recorded lines.
	asRecorded(t, tr, "brk-cycle", `Coldplug All udev Devices`, `Network Time Synchronization`, `Record Runlevel Change`)
	console := consoleOf(tr)
	for _, line := range recordedLines(t, "brk-cycle") {
		if strings.Contains(line, "cyc-") {
			require.Contains(t, console, line)
		}
	}
}

func TestADeviceThatNeverComesEndsInEmergencyModeAsRecorded(t *testing.T) {
	tr, _ := startSystemd(t, labDebian(t, map[string]string{"etc/fstab": debFstab + "UUID=deadbeef-1111-4000-8000-000000000000 /data ext4 defaults 0 2\n"}), debCmdline, debVersion)
	require.Equal(t, trace.Stops, tr.Outcome.Verdict)
	asRecorded(t, tr, "brk-fstab",
		`Started systemd-udevd|Found device dev-ttyS0|Timed out waiting for device`, // recorded behind the codes of an animation
		`Starting emergency.service`, // lost in the recording: taking the terminal drops what it has not sent
		// The recording ends at the prompt; these come while it waits.
		`networking.service|network.target|systemd-tmpfiles-…|systemd-timesync|systemd-update-ut|time-set.target`)
	require.True(t, strings.HasSuffix(consoleOf(tr), "Press Enter for maintenance\n(or press Control-D to continue): "))
}
