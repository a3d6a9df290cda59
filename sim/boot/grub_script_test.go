package boot

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// mapFS is a volume in memory.
type mapFS struct {
	fstest.MapFS
	info fsys.Info
}

func (m mapFS) Info() fsys.Info { return m.info }

func (m mapFS) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if e := m.MapFS[name]; err == nil && e != nil && e.Mode.IsRegular() {
		r := bytes.NewReader(e.Data)
		return mapFile{f, blob.New(name, r, r.Size(), nil)}, nil
	}
	return f, err
}

type mapFile struct {
	fs.File
	*blob.Blob
}

// testGRUB is GRUB in normal mode with files, everything loaded that the files do not have as a module.
func testGRUB(files map[string]string, platform, device string) *grub {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	vol := disk.Volume{FS: mapFS{tree, fsys.Info{Type: "iso9660", Label: "TRUTHISO", UUID: "2026-01-02-03-04-05-00"}}, Type: "iso9660"}
	s := &start{m: machine.New(), c: Config{Disk: &disk.Disk{Name: "disk", Volumes: []disk.Volume{vol}}, Store: blob.NewStore(), MemoryMiB: 1024}}
	g := newGrub(s, platform, bytes.NewReader(nil), 0, &grubcore.Modules{})
	for _, name := range []string{"normal", "iso9660", "test", "true", "echo", "loadenv", "search", "search_fs_uuid", "search_fs_file", "search_label", "configfile",
		"linux", "boot", "net", "font", "sleep", "serial", "terminal", "chain"} {
		g.mods[name] = true
	}
	g.bootDevice, g.normal, g.version = device, true, "2.06"
	g.devices()
	cpu, kind, _ := strings.Cut(platform, "-")
	cmdpath := "(" + device + ")"
	if kind == "efi" {
		cmdpath += "/EFI/BOOT"
	}
	for name, value := range map[string]string{"grub_cpu": cpu, "grub_platform": kind, "root": device, "prefix": "(" + device + ")/boot/grub", "cmdpath": cmdpath} {
		g.put(name, value, true)
	}
	return g
}

// drawing is what the menu draws, in GRUB's frame or in ours: it is compared elsewhere.
func drawing(line string) bool {
	for _, s := range []string{"+---", "      Press enter", "      before booting", "   The highlighted"} {
		if strings.HasPrefix(line, s) {
			return true
		}
	}
	return line == `*sub menu` || line == ` first "entry" > x` || line == ""
}

func lines(text string) []string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if !drawing(l) {
			out = append(out, strings.TrimRight(l, " "))
		}
	}
	return out
}

// The expected text was recorded from GRUB itself: testdata/grub/make.sh.
func TestScriptsDoWhatGRUBDoes(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata", "grub", name))
		require.NoError(t, err)
		return string(data)
	}
	files := map[string]string{"boot/grub/grub.cfg": read("script.cfg")}
	for _, name := range []string{"mark", "empty", "sub.cfg", "myenv"} {
		files["boot/grub/"+name] = read(name)
	}
	for _, c := range []struct{ out, platform, device string }{
		{"script.out", "i386-pc", "hd96"},
		{"script-efi.out", "x86_64-efi", "cd0"},
	} {
		t.Run(c.platform, func(t *testing.T) {
			g := testGRUB(files, c.platform, c.device)
			g.enterNormal("(" + c.device + ")/boot/grub/grub.cfg")
			tr := g.m.Trace()
			want, got := lines(read(c.out)), lines(strings.ReplaceAll(console(tr), "version 2.06", "version 2.06-13+deb12u2"))
			require.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"))
			require.Equal(t, trace.Stops, tr.Outcome.Verdict)
			requireSentences(t, tr)
		})
	}
}
