package eltorito

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/disk/qcow2"
	"bootpath/sim/fsys/iso9660"
	"bootpath/tests/fixture"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(bootRecord), 0x4b))
	require.NoError(t, decode.CheckLayout(new(validation), entrySize))
	require.NoError(t, decode.CheckLayout(new(bootEntry), entrySize))
	require.NoError(t, decode.CheckLayout(new(sectionHeader), entrySize))
}

// image is a line of xorriso's report.
type image struct {
	platform, emulation string
	bootable            bool
	segment             uint16
	sectors             uint16
	lba                 uint32
	path                string
}

// parse reads what "xorriso -report_el_torito plain" prints.
func parse(report string) []image {
	names := map[string]string{"BIOS": "bios", "UEFI": "uefi", "PPC": "ppc", "Mac": "mac",
		"none": "none", "fd1.2": "floppy-1.2", "fd1.4": "floppy-1.44", "fd2.8": "floppy-2.88", "hd": "hd"}
	var out []image
	for line := range strings.Lines(report) {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		switch strings.TrimSpace(key) {
		case "El Torito boot img":
			var im image
			im.platform, im.bootable, im.emulation = names[f[1]], f[2] == "y", names[f[3]]
			fmt.Sscanf(f[4], "0x%x", &im.segment)
			fmt.Sscan(f[6], &im.sectors)
			fmt.Sscan(f[7], &im.lba)
			out = append(out, im)
		case "El Torito img path":
			out[strings.TrimSpace(f[0])[0]-'1'].path = strings.TrimPrefix(f[1], "/")
		}
	}
	return out
}

// compare demands that catalog and paths are what xorriso reports.
func compare(t *testing.T, report string, b *blob.Blob) {
	want := parse(report)
	got, cites, err := Read(b)
	if len(want) == 0 {
		require.ErrorIs(t, err, decode.ErrFormat)
		return
	}
	require.NoError(t, err)
	require.NotEmpty(t, cites)
	fixture.Cited(t, b.Size(), cites...)
	f, err := iso9660.Open(b, b.Size())
	require.NoError(t, err)
	var have []image
	for _, e := range got {
		fixture.Cited(t, b.Size(), e.Cites...)
		have = append(have, image{e.Platform, e.Emulation, e.Bootable, e.LoadSegment, e.Sectors, e.LBA, f.PathAt(e.LBA)})
	}
	require.Equal(t, want, have)
}

func TestCatalogsAreWhatXorrisoReports(t *testing.T) {
	for _, name := range []string{"both", "floppy", "efi", "segment", "none"} {
		t.Run(name, func(t *testing.T) {
			report, err := os.ReadFile("testdata/" + name + ".report")
			require.NoError(t, err)
			compare(t, string(report), fixture.Blob("cd", fixture.Zst(t, "testdata/"+name+".iso.zst")))
		})
	}
}

func TestLab(t *testing.T) {
	fixture.Tool(t, "xorriso")
	for _, name := range []string{"bb-iso.iso", "isolinux-iso.iso"} {
		t.Run(name, func(t *testing.T) {
			path := fixture.Lab(t, "images", name)
			report := fixture.Run(t, filepath.Dir(path), "xorriso", "-indev", name, "-report_el_torito", "plain")
			compare(t, report, fixture.File(t, path))
		})
	}
}

// Images of QEMU's firmware tests: a plain ISO 9660 in a qcow2 file.
func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		if len(p.Expected.Xorriso) == 0 || !strings.HasSuffix(p.File, ".qcow2") {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			file := fixture.Blob("file", p.Unpack(t))
			im, err := qcow2.Open(file, file.Size())
			require.NoError(t, err)
			// xorriso shows plain names as they are stored, Linux in lower case.
			report := strings.NewReplacer("/BIOS_TAB.FAT", "/bios_tab.fat").Replace(strings.Join(p.Expected.Xorriso, "\n"))
			compare(t, report, blob.New("cd", im, im.Size(), im.From))
		})
	}
	require.NotZero(t, n)
}

func TestDamage(t *testing.T) {
	data := fixture.Zst(t, "testdata/both.iso.zst")
	good, _, err := Read(fixture.Blob("cd", data))
	require.NoError(t, err)
	catalog := int64(33 * blockSize) // as the report says
	for name, tt := range map[string]struct {
		patch   blob.Patch
		entries int
		want    string
	}{
		"no header":      {blob.Patch{Off: catalog, Data: []byte{0}}, 0, "El Torito validation entry: HeaderID: at cd[0x10800:+1]: want 1, got 0x0"},
		"no key":         {blob.Patch{Off: catalog + 0x1e, Data: []byte{0}}, 0, "El Torito validation entry: Key55: at cd[0x1081e:+1]: want 0x55, got 0x0"},
		"checksum":       {blob.Patch{Off: catalog + 4, Data: []byte{1}}, 2, "El Torito validation entry: Checksum: at cd[0x1081c:+2]: want "},
		"not an entry":   {blob.Patch{Off: catalog + 0x20, Data: []byte{0x12}}, 0, "El Torito boot entry: Indicator: at cd[0x10820:+1]: want 0x88 or 0, got 0x12"},
		"second entry":   {blob.Patch{Off: catalog + 0x60, Data: []byte{0x12}}, 1, "El Torito boot entry: Indicator: at cd[0x10860:+1]: want 0x88 or 0, got 0x12"},
		"beyond the end": {blob.Patch{Off: 17*blockSize + 0x47, Data: []byte{0, 0, 0, 0x7f}}, 0, "El Torito validation entry: at offset"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := Read(blob.Overlay(fixture.Blob("cd", data), tt.patch))
			require.ErrorContains(t, err, tt.want)
			var bad *decode.Error
			require.ErrorAs(t, err, &bad)
			require.False(t, errors.Is(err, decode.ErrFormat))
			require.Equal(t, good[:tt.entries], append([]disk.BootEntry{}, got...))
		})
	}
	got, _, err := Read(blob.Overlay(fixture.Blob("cd", data), blob.Patch{Off: catalog + 0x20, Data: []byte{0}}))
	require.NoError(t, err)
	require.False(t, got[0].Bootable)
	require.True(t, got[1].Bootable)
}

func FuzzRead(f *testing.F) {
	data := fixture.Zst(f, "testdata/floppy.iso.zst")
	f.Add(data[33*blockSize:][:160])
	f.Fuzz(func(t *testing.T, catalog []byte) {
		if len(catalog) > 4096 {
			return
		}
		img := make([]byte, 64<<10)
		copy(img, data[:40<<10])
		img[17*blockSize+0x47], img[17*blockSize+0x48] = 20, 0
		for off := 20 * blockSize; off < len(img) && len(catalog) > 0; off += len(catalog) {
			copy(img[off:], catalog)
		}
		b := fixture.Blob("cd", img)
		got, cites, _ := Read(b)
		require.LessOrEqual(t, len(got), catalogMax)
		fixture.Cited(t, b.Size(), cites...)
		for _, e := range got {
			fixture.Cited(t, b.Size(), e.Cites...)
		}
	})
}
