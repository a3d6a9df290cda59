package iso9660

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk/qcow2"
	"bootpath/sim/fsys"
	"bootpath/tests/fixture"
)

var _ fsys.FS = (*FS)(nil)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(new(VolumeDescriptor), 0x372))
	require.NoError(t, decode.CheckLayout(new(dirRecord), recordSize))
}

func open(t testing.TB, name string) (*FS, *blob.Blob) {
	b := fixture.Blob("cd", fixture.Zst(t, "testdata/"+name+".iso.zst"))
	f, err := Open(b, b.Size())
	require.NoError(t, err)
	return f, b
}

func lines(t testing.TB, path string) []string {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

// lsdl writes a tree as xorriso's lsdl does, without the times and without the count of links, which
// xorriso makes up.
func lsdl(t *testing.T, f *FS) []string {
	var out []string
	require.NoError(t, fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		fi, err := f.Lstat(name)
		require.NoError(t, err)
		st := fsys.StatOf(fi)
		kind := map[uint32]string{fsys.S_IFDIR: "d", fsys.S_IFREG: "-", fsys.S_IFLNK: "l"}[st.Mode&fsys.S_IFMT]
		size, arrow := fi.Size(), ""
		if kind != "-" {
			size = 0
		}
		if kind == "l" {
			target, err := f.ReadLink(name)
			require.NoError(t, err)
			require.Equal(t, int64(len(target)), fi.Size())
			arrow = " -> '" + target + "'"
		}
		if name == "." {
			name = ""
		}
		out = append(out, fmt.Sprintf("%s%s %d %d %d '/%s'%s", kind, fs.FileMode(st.Mode & 0o777).String()[1:], st.UID, st.GID, size, name, arrow))
		return nil
	}))
	return out
}

// normal drops what lsdl leaves out from a line of xorriso, which shows the boot catalog as type e.
func normal(line string) string {
	head, tail, _ := strings.Cut(line, "'")
	f := strings.Fields(head)
	if f[0][0] == 'e' {
		f[0] = "-" + f[0][1:]
	}
	return strings.Join([]string{f[0], f[2], f[3], f[4]}, " ") + " '" + tail
}

func TestRockRidgeIsWhatXorrisoShows(t *testing.T) {
	for _, name := range []string{"rock", "moved"} {
		t.Run(name, func(t *testing.T) {
			f, b := open(t, name)
			require.Equal(t, "Rock Ridge", f.Names())
			var want []string
			for _, line := range lines(t, "testdata/"+name+".lsdl") {
				want = append(want, normal(line))
			}
			require.ElementsMatch(t, want, lsdl(t, f))
			sums(t, f)
			require.NoError(t, fstest.TestFS(f, "boot/grub/grub.cfg", "a/b/c/d/e/f/g/h/i/Deep File.txt"))

			fi, err := f.Stat("boot/grub/grub.cfg")
			require.NoError(t, err)
			require.Equal(t, time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC), fi.ModTime())
			fixture.Cited(t, b.Size(), fsys.StatOf(fi).Cites...)
			at, err := fsys.Resolve(f, "vmlinuz")
			require.NoError(t, err)
			require.Equal(t, "boot/vmlinuz", at)
			_, err = fsys.OpenFile(f, "vmlinuz")
			require.Error(t, err, "a link is no regular file")
		})
	}
}

// sums compares the content of all files with the tree that the image was made from.
func sums(t *testing.T, f *FS) {
	for _, line := range lines(t, "testdata/tree.sums") {
		sum, name, _ := strings.Cut(line, " ")
		if f.names == joliet && (strings.HasPrefix(name, "a/") || len(name) > 103) {
			continue // too deep for genisoimage without Rock Ridge, or cut to 103 characters
		}
		data, err := fsys.ReadFile(f, name, 1<<20)
		require.NoError(t, err)
		require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256(data)), name)
	}
}

// isoinfo -f prints what is stored; Linux hides versions and shows plain names in lower case.
func TestOtherNamesAreThoseOfIsoinfo(t *testing.T) {
	for name, names := range map[string]string{"joliet": "Joliet", "plain": "ISO 9660"} {
		t.Run(name, func(t *testing.T) {
			f, _ := open(t, name)
			require.Equal(t, names, f.Names())
			var want, got []string
			for _, line := range lines(t, "testdata/"+name+".files") {
				line = strings.TrimPrefix(line, "/")
				if names == "ISO 9660" {
					line = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(line), ";1"), ".")
				}
				want = append(want, line)
			}
			require.NoError(t, fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
				if name != "." {
					got = append(got, name)
				}
				return err
			}))
			require.ElementsMatch(t, want, got)
			require.NoError(t, fstest.TestFS(f, got...))
			fi, err := f.Stat("boot")
			require.NoError(t, err)
			require.Equal(t, fs.ModeDir|0o555, fi.Mode())
			fi, err = f.Stat("boot/vmlinuz")
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o555), fi.Mode())
		})
	}
	f, _ := open(t, "joliet")
	sums(t, f)
	_, err := f.Stat("BOOT/Grub/grub.CFG")
	require.NoError(t, err, "Linux finds Joliet names whatever their case")
	f, _ = open(t, "plain")
	_, err = f.Stat("BOOT")
	require.ErrorIs(t, err, fs.ErrNotExist, "and plain ones only in lower case")
	f, _ = open(t, "rock")
	_, err = f.Stat("BOOT")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestVolumesAreWhatBlkidSays(t *testing.T) {
	for _, name := range []string{"rock", "moved", "joliet", "plain"} {
		f, b := open(t, name)
		want := map[string]string{}
		for _, line := range lines(t, "testdata/"+name+".blkid") {
			k, v, _ := strings.Cut(line, "=")
			want[k] = strings.ReplaceAll(v, `\ `, " ")
		}
		info := f.Info()
		require.Equal(t, []string{want["TYPE"], want["UUID"], want["LABEL"]}, []string{info.Type, info.UUID, info.Label})
		require.Empty(t, info.Notes)
		fixture.Cited(t, b.Size(), info.Cites...)
	}
}

func TestAFileKnowsItsBytesAndItsPath(t *testing.T) {
	f, b := open(t, "rock")
	file, err := fsys.OpenFile(f, "boot/initrd.img")
	require.NoError(t, err)
	spans := file.Locate(0, file.Size())
	require.Len(t, spans, 1)
	got := make([]byte, spans[0].Len)
	_, err = b.ReadAt(got, spans[0].Off)
	require.NoError(t, err)
	want, err := fsys.ReadFile(f, "boot/initrd.img", 1<<20)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, "boot/initrd.img", f.PathAt(uint32(spans[0].Off/2048)))
	require.Equal(t, "", f.PathAt(uint32(spans[0].Off/2048)+1))
	require.Equal(t, "", f.PathAt(1<<31))
}

func TestDamage(t *testing.T) {
	f, b := open(t, "rock")
	var bad *decode.Error
	for name, tt := range map[string]struct {
		patch blob.Patch
		want  error
	}{
		"no CD001":             {blob.Patch{Off: 0x8001, Data: []byte("XD001")}, decode.ErrFormat},
		"High Sierra":          {blob.Patch{Off: 0x8009, Data: []byte("CDROM")}, decode.ErrUnsupported},
		"no primary":           {blob.Patch{Off: 0x8000, Data: []byte{3}}, decode.ErrFormat},
		"blocks of 3000 bytes": {blob.Patch{Off: 0x8080, Data: []byte{0xb8, 0x0b}}, nil},
	} {
		_, err := Open(blob.Overlay(b, tt.patch), b.Size())
		require.Error(t, err, name)
		if tt.want != nil {
			require.ErrorIs(t, err, tt.want, name)
		} else {
			require.ErrorAs(t, err, &bad, name)
		}
	}
	// The root behind the end of the medium.
	g, err := Open(blob.Overlay(b, blob.Patch{Off: 0x809c + 2, Data: []byte{0, 0, 0, 0x10}}), b.Size())
	require.NoError(t, err)
	_, err = g.ReadDir(".")
	require.ErrorAs(t, err, &bad)
	require.False(t, errors.Is(err, fs.ErrNotExist))

	// boot/grub leads back to boot.
	boot, err := f.lookup("", "boot")
	require.NoError(t, err)
	grub, err := f.lookup("", "boot/grub")
	require.NoError(t, err)
	block := boot.start() / 2048
	at := grub.stat.Cites[0].Off
	g, err = Open(blob.Overlay(b, blob.Patch{Off: at, Data: []byte{byte(block), byte(block >> 8)}}), b.Size())
	require.NoError(t, err)
	_, err = g.Stat("boot/grub/grub.cfg")
	require.ErrorContains(t, err, "that of a directory above")
	require.Equal(t, "", g.PathAt(1<<30), "the walk ends")

	// A medium that was cut reads up to there.
	size := b.Size() - 100<<10
	_, err = Open(blob.Section(b, 0, size), size)
	require.NoError(t, err)
}

// Thousands of records that share a continuation, which leads to itself, must not be parsed without end.
func TestSharedContinuationsAreBounded(t *testing.T) {
	const dirBlock, dirSize, ceBlock = 100, 1 << 20, 50
	_, b := open(t, "rock")
	data := make([]byte, 2<<20)
	_, err := b.ReadAt(data[:dirBlock*sectorSize], 0)
	require.NoError(t, err)
	le := binary.LittleEndian
	root := data[0x809c:]
	dot := data[le.Uint32(root[2:])*sectorSize:]
	copy(data[dirBlock*sectorSize:], dot[:dot[0]]) // the first record announces Rock Ridge
	le.PutUint32(root[2:], dirBlock)
	le.PutUint32(root[10:], dirSize)

	ce := append([]byte("CE\x1c\x01"), make([]byte, 24)...)
	le.PutUint32(ce[4:], ceBlock)
	le.PutUint32(ce[20:], sectorSize)
	rec := append(make([]byte, recordSize), 'A')
	rec = append(rec, ce...)
	rec[0], rec[32] = byte(len(rec)), 1
	for sector := 1; sector < dirSize/sectorSize; sector++ {
		for at := 0; at+len(rec) <= sectorSize; at += len(rec) {
			copy(data[(dirBlock+sector)*sectorSize+at:], rec)
		}
	}
	area := data[ceBlock*sectorSize:][:sectorSize]
	for at := 0; at < sectorSize-len(ce); at += 4 {
		copy(area[at:], "XX\x04\x01")
	}
	copy(area[sectorSize-len(ce):], ce)

	f, err := Open(fixture.Blob("cd", data), int64(len(data)))
	require.NoError(t, err)
	require.Equal(t, "Rock Ridge", f.Names())
	entries := f.directory(f.root).entries
	require.Greater(t, len(entries), 10000)
	require.ErrorContains(t, entries[0].err, "more than 32 continuations")
	require.ErrorContains(t, entries[len(entries)-1].err, "less in continuations than eight times the directory")
}

func TestPeers(t *testing.T) {
	n := 0
	for _, p := range fixture.Peers(t) {
		if p.Blkid("TYPE") != "iso9660" {
			continue
		}
		n++
		t.Run(p.File, func(t *testing.T) {
			b := fixture.Blob("cd", p.Unpack(t))
			if strings.HasSuffix(p.File, ".qcow2") {
				im, err := qcow2.Open(b, b.Size())
				require.NoError(t, err)
				b = blob.New("cd", im, im.Size(), im.From)
			}
			f, err := Open(b, b.Size())
			require.NoError(t, err)
			label := p.Blkid("LABEL")
			if strings.Contains(label, "M-") {
				label = "新建" // blkid -o export writes M-fM-^VM-0M-eM-;M-: for it
			}
			require.Equal(t, []string{p.Blkid("UUID"), label}, []string{f.Info().UUID, f.Info().Label})
			var got []string
			broken := false
			fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
				broken = broken || err != nil
				if name != "." && err == nil {
					got = append(got, "/"+name)
				}
				return nil
			})
			for _, want := range p.Expected.ISOInfo {
				if f.Names() != "Rock Ridge" {
					want = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(want), ";1"), ".")
				}
				if f.Names() == "Joliet" { // the list is of the primary tree
					continue
				}
				if want == "/rr_moved" { // marked RE by this mkisofs, so Linux hides it
					continue
				}
				// What was moved for its depth shows where it belongs, not below rr_moved.
				if rest, ok := strings.CutPrefix(want, "/rr_moved/"); ok {
					want = "/dir1/dir2/dir3/dir4/dir5/dir6/dir7/" + rest
				}
				require.Contains(t, got, want)
			}
			if !broken && !strings.Contains(p.File, "zisofs") {
				require.NoError(t, fstest.TestFS(f, trimmed(got)...))
			}
		})
	}
	require.NotZero(t, n)
}

func trimmed(names []string) (out []string) {
	for _, n := range names {
		out = append(out, strings.TrimPrefix(n, "/"))
	}
	return out
}

func TestZisofsIsNamed(t *testing.T) {
	for _, p := range fixture.Peers(t) {
		if !strings.Contains(p.File, "zisofs") {
			continue
		}
		data := p.Unpack(t)
		f, err := Open(fixture.Blob("cd", data), int64(len(data)))
		require.NoError(t, err)
		fi, err := f.Stat("file")
		require.NoError(t, err)
		require.Equal(t, int64(12345684), fi.Size(), "the size of the unpacked file, as libarchive's test has it")
		_, err = fsys.ReadFile(f, "file", 1<<24)
		require.ErrorIs(t, err, decode.ErrUnsupported)
	}
}

func TestOthersAreNotISO9660(t *testing.T) {
	for _, p := range fixture.Peers(t) {
		if kind := p.Blkid("TYPE"); p.Kind != "fs" || kind == "iso9660" || kind == "udf" || p.UnpackedSize > 20<<20 {
			continue
		}
		data := p.Unpack(t)
		_, err := Open(fixture.Blob("disk0", data), int64(len(data)))
		require.ErrorIs(t, err, decode.ErrFormat, p.File)
	}
}

// The rebuilt boot media, listed by xorriso.
func TestLab(t *testing.T) {
	fixture.Tool(t, "xorriso")
	for name, uuid := range map[string]string{"bb-iso.iso": "", "isolinux-iso.iso": ""} {
		t.Run(name, func(t *testing.T) {
			file := fixture.Lab(t, "images", name)
			b := fixture.File(t, file)
			f, err := Open(b, b.Size())
			require.NoError(t, err)
			uuid = strings.TrimSpace(fixture.Run(t, ".", "blkid", "-p", "-s", "UUID", "-o", "value", file))
			require.Equal(t, uuid, f.Info().UUID)
			var want []string
			list := fixture.Run(t, filepath.Dir(file), "xorriso", "-indev", path.Base(file), "-find", "/", "-exec", "lsdl", "--")
			for line := range strings.Lines(list) {
				want = append(want, normal(strings.TrimSpace(line)))
			}
			require.ElementsMatch(t, want, lsdl(t, f))
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"rock", "moved", "joliet"} {
		_, b := open(f, name)
		data := make([]byte, 96<<10)
		b.ReadAt(data, 0)
		f.Add(data[0x8000:0x9800], data[20*2048:40*2048])
	}
	f.Fuzz(func(t *testing.T, descriptors, rest []byte) {
		if len(descriptors) > 1<<14 || len(rest) > 1<<16 {
			return
		}
		data := make([]byte, 128<<10)
		copy(data[0x8000:], descriptors)
		copy(data[20*2048:], rest)
		b := fixture.Blob("cd", data)
		v, err := Open(b, b.Size())
		if err != nil {
			return
		}
		v.PathAt(30)
		fixture.FuzzVolume(t, v, b, 200)
	})
}
