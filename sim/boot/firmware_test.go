package boot

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/eltorito"
	"bootpath/sim/disk/gpt"
	"bootpath/sim/disk/mbr"
	"bootpath/sim/disk/qcow2"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/fsys/iso9660"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// openDisk opens a disk image as identify does, with patches laid over the disk.
func openDisk(t *testing.T, name string, r io.ReaderAt, size int64, patches ...blob.Patch) (*disk.Disk, *blob.Store) {
	t.Helper()
	store := blob.NewStore()
	return openIn(store, name, r, size, patches...), store
}

func openIn(store *blob.Store, name string, r io.ReaderAt, size int64, patches ...blob.Patch) *disk.Disk {
	b := store.Add(name, r, size, nil)
	if q, err := qcow2.Open(b, size); err == nil {
		b = store.Add("disk0", q, q.Size(), q.From)
	}
	d := &disk.Disk{Name: b.Name(), Format: "raw", R: blob.Overlay(b, patches...), Size: b.Size()}
	table, err := gpt.Read(d.R, d.Size)
	if errors.Is(err, decode.ErrFormat) {
		table, err = mbr.Read(d.R, d.Size)
	}
	if err == nil {
		d.Table = table
	}
	if entries, cites, err := eltorito.Read(d.R); err == nil {
		d.ElTorito, d.Catalog = entries, cites
	}
	d.Volumes = append(d.Volumes, openVolume(d, 0, 0, d.Size))
	if d.Table != nil {
		for _, p := range d.Table.Partitions {
			d.Volumes = append(d.Volumes, openVolume(d, p.Number, p.Start*512, min(p.Size*512, d.Size-p.Start*512)))
		}
	}
	return d
}

func openVolume(d *disk.Disk, n int, off, size int64) disk.Volume {
	r := blob.Section(d.R, off, size)
	v := disk.Volume{Partition: n, Off: off, Size: size, R: r}
	open := []func() (fsys.FS, error){
		func() (fsys.FS, error) { return iso9660.Open(r, size) },
		func() (fsys.FS, error) { return ext4.Open(r, size) },
		func() (fsys.FS, error) { return fat.Open(r, size) },
	}
	for _, o := range open {
		if f, err := o(); err == nil {
			v.FS, v.Type = f, f.Info().Type
			break
		}
	}
	return v
}

// milestone is a line of tests/truth's recordings.
type milestone struct{ Stage, What, Text, Source string }

// recorded reads a recording's milestones of firmware and bootloader; those of one source are in order.
func recorded(t *testing.T, truth, name string) []milestone {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(truth, "system", "boots", name, "milestones.json"))
	if err != nil {
		t.Skipf("no recording of %s: %v", name, err)
	}
	var file struct{ Milestones []milestone }
	require.NoError(t, json.Unmarshal(data, &file))
	var out []milestone
	for _, m := range file.Milestones {
		if m.Stage == "firmware" || m.Stage == "bootloader" || m.What == "cmdline" {
			out = append(out, m)
		}
	}
	return out
}

func truthDir() string {
	if dir := os.Getenv("BOOTPATH_TRUTH"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "truth")
}

// console is what a run printed.
func console(tr *trace.Trace) string {
	var b strings.Builder
	for _, s := range tr.Steps {
		b.WriteString(s.Console)
	}
	return b.String()
}

// debugOnly are lines of SeaBIOS's debug port, which no screen shows.
var debugOnly = regexp.MustCompile(`^(enter handle_1[89]:|Booting from 0000:7c00)$`)

// inOrder tells the first recorded line that does not follow the ones before it on our console.
func inOrder(text string, want []string) string {
	at := 0
	for _, w := range want {
		i := strings.Index(text[at:], w)
		if i < 0 {
			return w
		}
		at += i + len(w)
	}
	return ""
}

func TestRecordedBootsUpToTheKernel(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		t.Skip("BOOTPATH_LAB, the directory with the rebuilt images, is not set")
	}
	cases := []struct {
		name, file, firmware, device string
		verdict                      trace.Verdict
		stage                        trace.Stage
		message                      string
		skip                         string // lines of the recording that are accepted to be missing, and why
	}{
		{name: "deb-bios", file: "deb-bios.qcow2", firmware: "bios"},
		{name: "deb-uefi", file: "deb-uefi.qcow2", firmware: "uefi"},
		{name: "bb-iso", file: "bb-iso.iso", firmware: "bios", device: "cdrom"},
		{name: "bb-iso-uefi", file: "bb-iso.iso", firmware: "uefi", device: "cdrom"},
		{name: "deb-openrc", file: "deb-openrc.qcow2", firmware: "bios"},
		{name: "brk-initrd", file: "brk-initrd.qcow2", firmware: "bios"},
		{name: "brk-initarg", file: "brk-initarg.qcow2", firmware: "bios"},
		{name: "brk-rootuuid", file: "brk-rootuuid.qcow2", firmware: "bios"},
		{name: "brk-loopdev", file: "brk-loopdev.qcow2", firmware: "bios"},
		{name: "brk-sig", file: "brk-sig.qcow2", firmware: "bios", verdict: trace.Stops, stage: trace.Firmware, message: "No bootable device."},
		{name: "brk-stage1", file: "brk-stage1.qcow2", firmware: "bios", verdict: trace.Stops, stage: trace.Bootloader, message: "Booting from Hard Disk..."},
		{name: "brk-core", file: "brk-core.qcow2", firmware: "bios", verdict: trace.Stops, stage: trace.Bootloader, message: "GRUB GRUB GRUB GRUB",
			skip: "GRUB GRUB GRUB"}, // how often it was printed is how long the recording ran
		{name: "brk-grubcfg", file: "brk-grubcfg.qcow2", firmware: "bios", verdict: trace.Stops, stage: trace.Bootloader, message: "grub>"},
		{name: "brk-vmlinuz", file: "brk-vmlinuz.qcow2", firmware: "bios", verdict: trace.Stops, stage: trace.Bootloader,
			message: "error: file `/boot/vmlinuz-6.1.0-50-cloud-amd64' not found."},
		{name: "brk-uefi-bootx64", file: "brk-uefi-bootx64.qcow2", firmware: "uefi", verdict: trace.Stops, stage: trace.Firmware,
			message: `BdsDxe: failed to load Boot0002 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0): Not Found`},
		{name: "deb-sdboot", file: "deb-sdboot.qcow2", firmware: "uefi"},
		{name: "brk-sdboot-linux", file: "brk-sdboot-linux.qcow2", firmware: "uefi", verdict: trace.Stops, stage: trace.Bootloader, message: "Reboot Into Firmware Interface"},
		{name: "brk-sdboot-entries", file: "brk-sdboot-entries.qcow2", firmware: "uefi", verdict: trace.Stops, stage: trace.Bootloader, message: "Reboot Into Firmware Interface"},
		{name: "brk-uefi-grubcfg", file: "brk-uefi-grubcfg.qcow2", firmware: "uefi", verdict: trace.Stops, stage: trace.Bootloader, message: "grub>"},
		{name: "brk-uefi-vmlinuz", file: "brk-uefi-vmlinuz.qcow2", firmware: "uefi", verdict: trace.Stops, stage: trace.Bootloader,
			message: "error: file `/boot/vmlinuz-6.1.0-50-cloud-amd64' not found."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(lab, "images", c.file))
			if err != nil {
				t.Skip(err)
			}
			defer f.Close()
			fi, err := f.Stat()
			require.NoError(t, err)
			d, store := openDisk(t, c.file, f, fi.Size())
			m := machine.New()
			facts := Run(m, Config{Disk: d, Store: store, Firmware: c.firmware, Device: c.device})
			tr := m.Trace()
			text := console(tr)
			var want []string
			for _, r := range recorded(t, truthDir(), c.name) {
				switch {
				case r.What == "cmdline":
					_, line, _ := strings.Cut(r.Text, "Command line: ")
					require.Equal(t, line, facts.Cmdline)
				case debugOnly.MatchString(r.Text), c.skip != "" && strings.Contains(r.Text, c.skip):
				case r.Source == "screen.log" || r.Source == "serial.log":
					// GRUB's text is on both; the serial port's follows the screen's.
					if r.Source == "screen.log" && hasSerial(r.Text) {
						continue
					}
					want = append(want, r.Text)
				}
			}
			require.Empty(t, inOrder(text, want), "in\n%s", text)
			require.NoError(t, tr.Check(func(name string) (int64, bool) {
				b := store.Blob(name)
				if b == nil {
					return 0, false
				}
				return b.Size(), true
			}))
			requireSentences(t, tr)
			if c.verdict != "" {
				require.Equal(t, c.verdict, tr.Outcome.Verdict, "missing: %s", tr.Outcome.Unknown.String())
				require.Equal(t, c.stage, tr.Outcome.Stage)
				require.Equal(t, c.message, tr.Outcome.Message)
			} else {
				require.NotEmpty(t, facts.KernelPath)
			}
			if c.name == "bb-iso" || c.name == "brk-vmlinuz" || c.name == "brk-sdboot-linux" {
				requireReplay(t, store, c.file, fi.Size(), tr, Config{Firmware: c.firmware, Device: c.device})
			}
			if os.Getenv("BOOTPATH_SHOW") != "" {
				for _, s := range tr.Steps {
					t.Logf("%3d %-10s %-24s %v %q cites %d", s.Seq, s.At, s.Kind, s.Args, s.Console, len(s.Cites))
				}
				t.Logf("%+v", tr.Outcome)
			}
		})
	}
}

// requireSentences demands for every step of this file's actors a sentence in both languages whose
// requireReplay cuts a slice of what the run read and demands the same trace of it.
func requireReplay(t *testing.T, store *blob.Store, name string, size int64, want *trace.Trace, c Config) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, store.WriteSlice(&out, blob.Origin{Name: name, Size: size, Tool: "test"}))
	store2, origin, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	kept := store2.Kept(origin.Name)
	require.NotNil(t, kept)
	c.Disk, c.Store = openIn(store2, name, kept, kept.Size()), store2
	m := machine.New()
	Run(m, c)
	got := m.Trace()
	require.Equal(t, want.Outcome, got.Outcome)
	require.Equal(t, len(want.Steps), len(got.Steps))
	for i := range want.Steps {
		require.Equal(t, want.Steps[i], got.Steps[i])
	}
	t.Logf("slice: %d bytes", out.Len())
}

// placeholders the step fills.
func requireSentences(t *testing.T, tr *trace.Trace) {
	t.Helper()
	for _, lang := range []string{"en", "zh"} {
		for _, area := range []string{"bios", "uefi", "grub", "syslinux", "sdboot"} {
			data, err := os.ReadFile(filepath.Join("..", "..", "content", "messages", area+"."+lang+".json"))
			require.NoError(t, err)
			var messages map[string]struct{ Title, Text string }
			require.NoError(t, json.Unmarshal(data, &messages))
			for _, s := range tr.Steps {
				if !strings.HasPrefix(string(s.Kind), area+".") {
					continue
				}
				m, ok := messages[string(s.Kind)]
				require.True(t, ok, "%s: no %s sentence", s.Kind, lang)
				for _, p := range placeholder.FindAllStringSubmatch(m.Title+m.Text, -1) {
					require.Contains(t, s.Args, p[1], "%s %s", s.Kind, lang)
				}
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// hasSerial says which lines of the screen come again on the serial port, where the recording is complete.
func hasSerial(text string) bool {
	for _, s := range []string{"Loading ", "error: ", "Press any key"} {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return false
}
