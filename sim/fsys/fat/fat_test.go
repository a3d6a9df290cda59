package fat

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/tests/fixture"
)

var _ fsys.FS = (*FS)(nil)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(BPB), 0x24))
	require.NoError(t, decode.CheckLayout(new(ext16), 0x3e))
	require.NoError(t, decode.CheckLayout(new(ext32), 0x5a))
	require.NoError(t, decode.CheckLayout(new(dirent), 32))
	require.NoError(t, decode.CheckLayout(new(longent), 32))
	require.Len(t, []rune(cp437), 128)
}

func open(t testing.TB, name string) (*FS, *blob.Blob) {
	b := fixture.Blob("esp", fixture.Zst(t, "testdata/"+name+".img.zst"))
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return f, b
}

// report reads KEY=VALUE lines of blkid.
func report(t *testing.T, path string) map[string]string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		out[k] = strings.ReplaceAll(v, `\ `, " ")
	}
	return out
}

func TestVolumesAreWhatMtoolsAndBlkidSay(t *testing.T) {
	for name, kind := range map[string]int{"fat12": 12, "fat16": 16, "fat32": 32, "nolabel": 12} {
		t.Run(name, func(t *testing.T) {
			f, b := open(t, name)
			want := report(t, "testdata/"+name+".blkid")
			require.Equal(t, kind, f.Kind())
			require.Equal(t, want["VERSION"], fmt.Sprintf("FAT%d", f.Kind()))
			info := f.Info()
			require.Equal(t, []string{want["TYPE"], want["UUID"], want["LABEL"]}, []string{info.Type, info.UUID, info.Label})
			require.Equal(t, b.Size(), info.Size)
			require.Empty(t, info.Notes)
			fixture.Cited(t, b.Size(), info.Cites...)

			files, err := os.Open("testdata/" + name + ".files")
			require.NoError(t, err)
			defer files.Close()
			listed := []string{"behind.txt"}
			for s := bufio.NewScanner(files); s.Scan(); {
				sum, file, _ := strings.Cut(s.Text(), " ")
				listed = append(listed, file)
				data, err := fsys.ReadFile(f, file, 1<<20)
				require.NoError(t, err)
				require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256(data)), file)
			}
			var walked []string
			require.NoError(t, fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
				require.NoError(t, err)
				if !d.IsDir() {
					walked = append(walked, path)
				}
				return nil
			}))
			require.ElementsMatch(t, listed, walked)
			require.NoError(t, fstest.TestFS(f, listed...))
		})
	}
}

func TestAFileInPiecesKnowsItsBytes(t *testing.T) {
	f, b := open(t, "fat16")
	file, err := fsys.OpenFile(f, "EFI/BOOT/BOOTX64.EFI")
	require.NoError(t, err)
	spans := file.Locate(0, file.Size())
	require.Greater(t, len(spans), 1, "the fixture left a hole that the file does not fit in")
	var joined []byte
	for _, s := range spans {
		part := make([]byte, s.Len)
		_, err := b.ReadAt(part, s.Off)
		require.NoError(t, err)
		joined = append(joined, part...)
	}
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	require.Equal(t, data, joined)
}

func TestNamesAreFoundWhateverTheirCase(t *testing.T) {
	f, _ := open(t, "fat32")
	for _, name := range []string{"EFI/BOOT/BOOTX64.EFI", "efi/boot/bootx64.efi", "Efi/Boot/BootX64.efi", "LOADER/LOADER.CONF",
		"loader/entries/FILE NUMBER 7.CONF", "loader/entries/FILENU~1.CON", "A DIRECTORY WITH A LONG NAME/ÜNÏCODE 根/mixed case.txt"} {
		fi, err := f.Stat(name)
		require.NoError(t, err, name)
		require.True(t, fi.Mode().IsRegular())
	}
	fi, err := f.Stat("efi/boot/bootx64.efi")
	require.NoError(t, err)
	require.Equal(t, "BOOTX64.EFI", fi.Name(), "the name is the one on the disk")
	for _, name := range []string{"efi/boot/bootx64", "gap", "ESP"} {
		_, err := f.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	_, err = f.Open("efi/boot/bootx64.efi/x")
	require.ErrorIs(t, err, fsys.ErrNotDir)
	_, err = f.Open("/EFI")
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestAttributes(t *testing.T) {
	f, b := open(t, "fat12")
	fi, err := f.Stat("loader/loader.conf")
	require.NoError(t, err)
	require.Equal(t, time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC), fi.ModTime())
	st := fsys.StatOf(fi)
	require.Equal(t, uint32(fsys.S_IFREG|0o755), st.Mode)
	fixture.Cited(t, b.Size(), st.Cites...)
	require.Equal(t, `"LOADER~1CON"`, st.Cites[0].Value)
	require.Equal(t, `"loader.conf"`, st.Cites[1].Value)
	root, err := f.Stat(".")
	require.NoError(t, err)
	require.True(t, root.IsDir())
	require.Equal(t, fs.ModeDir|0o755, root.Mode())
}

// NT and Linux write a name in lower case without a long entry.
func TestCaseFlags(t *testing.T) {
	d := &dirent{Name: [11]byte([]byte("README  TXT")), NTRes: lowerBase}
	require.Equal(t, "readme.TXT", shortName(d, true))
	d.NTRes |= lowerExt
	require.Equal(t, "readme.txt", shortName(d, true))
	require.Equal(t, "README.TXT", shortName(d, false))
	require.Equal(t, "σ1", shortName(&dirent{Name: [11]byte([]byte("\x051         "))}, true))
}

func TestDamage(t *testing.T) {
	f, b := open(t, "fat16")
	bs := f.fatOff
	e, err := f.Find("EFI/BOOT/BOOTX64.EFI")
	require.NoError(t, err)
	dir, err := f.Find("loader/entries")
	require.NoError(t, err)
	boot, err := f.Find("EFI/BOOT")
	require.NoError(t, err)
	efi, err := f.Find("EFI")
	require.NoError(t, err)
	fatEntry := func(c uint32) int64 { return bs + int64(c)*2 }
	patched := func(p ...blob.Patch) *FS {
		f, err := Open(blob.Overlay(b, p...), b.Size())
		require.NoError(t, err)
		return f
	}
	var bad *decode.Error

	g := patched(blob.Patch{Off: fatEntry(e.first), Data: []byte{byte(e.first), byte(e.first >> 8)}})
	_, err = fsys.ReadFile(g, "EFI/BOOT/BOOTX64.EFI", 1<<20)
	require.NoError(t, err, "a chain that leads to itself is long enough for this file, as in Linux")

	g = patched(blob.Patch{Off: fatEntry(e.first), Data: []byte{0, 0}})
	data, err := fsys.ReadFile(g, "EFI/BOOT/BOOTX64.EFI", 1<<20)
	require.ErrorAs(t, err, &bad)
	require.ErrorContains(t, err, "got a free cluster")
	require.Len(t, data, int(g.cluster), "what precedes the damage is read")

	g = patched(blob.Patch{Off: fatEntry(dir.first), Data: []byte{byte(dir.first), byte(dir.first >> 8)}})
	_, err = g.ReadDir("loader/entries")
	require.ErrorAs(t, err, &bad)

	// EFI/BOOT starts where EFI does.
	off := f.entryOff(t, boot)
	g = patched(blob.Patch{Off: off + 0x1a, Data: []byte{byte(efi.first), byte(efi.first >> 8)}})
	_, err = g.Stat("EFI/BOOT")
	require.ErrorContains(t, err, "which is that of a directory above")

	// A long name whose checksum is wrong is an orphan: the short name shows.
	entry, err := f.Find("loader/loader.conf")
	require.NoError(t, err)
	g = patched(blob.Patch{Off: f.entryOff(t, entry), Data: []byte("XOADER")})
	list, err := g.ReadDir("loader")
	require.NoError(t, err)
	require.Equal(t, "XOADER~1.CON", list[0].Name())

	for name, p := range map[string]blob.Patch{
		"no FAT":                 {Off: 0x10, Data: []byte{0}},
		"media":                  {Off: 0x15, Data: []byte{0x12}},
		"three sectors":          {Off: 0x0d, Data: []byte{3}},
		"sectors of 100 bytes":   {Off: 0x0b, Data: []byte{100, 0}},
		"more FAT than sectors":  {Off: 0x16, Data: []byte{0xff, 0xff}},
		"neither name nor 55 aa": {Off: 0x36, Data: append([]byte("whatever"), make([]byte, 0x1c2)...)},
	} {
		_, err := Open(blob.Overlay(b, p), b.Size())
		require.ErrorIs(t, err, decode.ErrFormat, name)
		require.ErrorAs(t, err, &bad, name)
	}
}

// entryOff is where the short entry lies.
func (f *FS) entryOff(t *testing.T, e *entry) int64 { return e.stat.Cites[0].Off }

func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		if p.Blkid("TYPE") != "vfat" {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			b := fixture.Blob("disk0", p.Unpack(t))
			f, err := Open(b, b.Size())
			require.NoError(t, err)
			require.Equal(t, []string{"vfat", p.Blkid("UUID"), p.Blkid("LABEL"), p.Blkid("VERSION")},
				[]string{f.Info().Type, f.Info().UUID, f.Info().Label, fmt.Sprintf("FAT%d", f.Kind())})
			var names []string
			require.NoError(t, fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
				names = append(names, path)
				return err
			}))
			require.NoError(t, fstest.TestFS(f, names[1:]...))
		})
	}
	require.NotZero(t, n)
}

func TestOthersAreNotFAT(t *testing.T) {
	for _, p := range fixture.Peers(t) {
		if kind := p.Blkid("TYPE"); p.Kind != "fs" || kind == "vfat" || p.UnpackedSize > 20<<20 {
			continue
		}
		data := p.Unpack(t)
		_, err := Open(fixture.Blob("disk0", data), int64(len(data)))
		require.ErrorIs(t, err, decode.ErrFormat, p.File)
	}
}

// The EFI system partition of a rebuilt disk, listed and read by mtools.
func TestLab(t *testing.T) {
	fixture.Tool(t, "mdir", "mcopy")
	raw := fixture.Lab(t, "build", "deb-uefi.raw")
	b := fixture.File(t, raw)
	f, err := Open(blob.Section(b, 1<<20, 200<<20), 200<<20)
	require.NoError(t, err)
	require.Equal(t, "B007-0E51", f.Info().UUID)
	var want, got []string
	at := raw + "@@1M"
	for line := range strings.Lines(fixture.Run(t, ".", "mdir", "-/", "-b", "-i", at)) {
		if name := strings.TrimPrefix(strings.TrimSpace(line), "::/"); !strings.HasSuffix(name, "/") {
			want = append(want, name)
		}
	}
	require.NoError(t, fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	}))
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)
	for _, name := range got {
		data, err := fsys.ReadFile(f, name, 1<<26)
		require.NoError(t, err)
		out := filepath.Join(t.TempDir(), "out")
		fixture.Run(t, ".", "mcopy", "-i", at, "::"+name, out)
		file, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(file, data), name)
	}
}

func FuzzOpen(f *testing.F) {
	small, _ := open(f, "fat12")
	img := make([]byte, 64<<10)
	small.r.ReadAt(img, 0)
	f.Add(img[:512], img[512:1024], img[small.dataOff-int64(small.bpb.RootEntries)*32:][:1024])
	big, _ := open(f, "fat32")
	big.r.ReadAt(img, 0)
	f.Add(img[:512], img[512:1024], img[1024:2048])
	f.Fuzz(func(t *testing.T, boot, table, dirs []byte) {
		if len(boot) > 4096 || len(table) > 8192 || len(dirs) > 8192 {
			return
		}
		data := make([]byte, 128<<10)
		copy(data, boot)
		for off := 512; off < 32<<10 && len(table) > 0; off += len(table) {
			copy(data[off:], table)
		}
		for off := 32 << 10; off < len(data) && len(dirs) > 0; off += len(dirs) {
			copy(data[off:], dirs)
		}
		b := fixture.Blob("disk0", data)
		v, err := Open(b, b.Size())
		if err != nil {
			require.True(t, errors.Is(err, decode.ErrFormat))
			return
		}
		fixture.Cited(t, b.Size(), v.Info().Cites...)
		left := 200
		fs.WalkDir(v, ".", func(path string, d fs.DirEntry, err error) error {
			if left--; left < 0 || strings.Count(path, "/") > 8 {
				return fs.SkipAll
			}
			if err == nil && d.Type().IsRegular() {
				if file, err := v.Open(path); err == nil {
					r := file.(fsys.File)
					r.ReadAt(make([]byte, 4096), 0)
					r.ReadAt(make([]byte, 4096), r.Size()-10)
					fixture.Inside(t, b.Size(), r.Locate(0, 1<<16)...)
				}
			}
			return nil
		})
	})
}

// A floppy that others published, listed by mtools.
func TestFreeDOS(t *testing.T) {
	fixture.Tool(t, "mdir", "mtype")
	path := fixture.Truth(t, "real", "freedos722.img")
	b := fixture.File(t, path)
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	require.Equal(t, []string{"FREEDOS", "E4C9-5CE8"}, []string{f.Info().Label, f.Info().UUID})
	n := 0
	for line := range strings.Lines(fixture.Run(t, ".", "mdir", "-/", "-b", "-a", "-i", path)) {
		name := strings.TrimPrefix(strings.TrimSpace(line), "::/")
		if strings.HasSuffix(name, "/") {
			continue
		}
		n++
		data, err := fsys.ReadFile(f, name, 1<<20)
		require.NoError(t, err, name)
		require.Equal(t, fixture.Run(t, ".", "mtype", "-i", path, "::"+name), string(data), name)
	}
	require.NotZero(t, n)
}
