package cpio

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/stream"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&Header{}, headerLen))
}

// item is an entry of an archive that a test writes.
type item struct {
	name  string
	mode  uint32
	body  string
	ino   uint32
	nlink uint32
	rdev  [2]uint32
	uid   uint32
}

// newc writes an archive as buffer-format.rst describes it.
func newc(items ...item) []byte {
	var b bytes.Buffer
	for _, i := range append(items, item{name: "TRAILER!!!", nlink: 1}) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", i.ino, i.mode, i.uid, 0, max(i.nlink, 1), 1700000000,
			len(i.body), 8, 1, i.rdev[0], i.rdev[1], len(i.name)+1, 0)
		b.WriteString(i.name + "\x00")
		pad(&b)
		b.WriteString(i.body)
		pad(&b)
	}
	return b.Bytes()
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

func gz(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func reg(name, body string) item { return item{name: name, mode: fsys.S_IFREG | 0o644, body: body} }
func dir(name string) item       { return item{name: name, mode: fsys.S_IFDIR | 0o755} }
func symlink(name, to string) item {
	return item{name: name, mode: fsys.S_IFLNK | 0o777, body: to}
}

func unpack(b []byte) (*FS, []Segment, error) {
	s := blob.NewStore()
	return Unpack(s, "initrd", s.Add("initrd", bytes.NewReader(b), int64(len(b)), nil), int64(len(b)))
}

// tree lists what an image unpacks to: "d 755 bin", "f 644 init = text", "l bin/sh -> busybox".
func tree(t testing.TB, f *FS) []string {
	var out []string
	require.NoError(t, fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		fi, err := f.Lstat(p)
		require.NoError(t, err)
		st := fsys.StatOf(fi)
		switch {
		case p == ".":
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := f.ReadLink(p)
			require.NoError(t, err)
			out = append(out, "l "+p+" -> "+to)
		case fi.Mode().IsRegular():
			b, err := fsys.ReadFile(f, p, 1<<20)
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("f %o %s = %s", st.Mode&0o7777, p, b))
		case fi.IsDir():
			out = append(out, fmt.Sprintf("d %o %s", st.Mode&0o7777, p))
		default:
			out = append(out, fmt.Sprintf("%v %s %#x", fi.Mode(), p, st.Rdev))
		}
		return nil
	}))
	return out
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// The rows follow init/initramfs.c.
func TestWhatTheKernelUnpacks(t *testing.T) {
	hello := newc(dir("bin"), reg("bin/hello", "hello"))
	for name, c := range map[string]struct {
		image []byte
		want  []string
		err   string // the kernel's message
	}{
		"an archive":                       {hello, []string{"d 755 bin", "f 644 bin/hello = hello"}, ""},
		"nothing":                          {nil, nil, ""},
		"zeros":                            {make([]byte, 100_000), nil, ""},
		"compressed":                       {gz(hello), []string{"d 755 bin", "f 644 bin/hello = hello"}, ""},
		"microcode, zeros, compressed":     {join(newc(dir("kernel"), reg("kernel/x", "ucode")), make([]byte, 512), gz(hello)), []string{"d 755 bin", "f 644 bin/hello = hello", "d 755 kernel", "f 644 kernel/x = ucode"}, ""},
		"two compressed":                   {join(gz(hello), make([]byte, 7), gz(newc(reg("bin/two", "2")))), []string{"d 755 bin", "f 644 bin/hello = hello", "f 644 bin/two = 2"}, ""},
		"two archives in one stream":       {gz(join(hello, make([]byte, 300), newc(reg("x", "y")))), []string{"d 755 bin", "f 644 bin/hello = hello", "f 644 x = y"}, ""},
		"a later entry replaces":           {newc(reg("x", "old longer"), reg("x", "new")), []string{"f 644 x = new"}, ""},
		"of another type too":              {newc(reg("x", "old"), symlink("x", "y"), dir("y"), reg("y", "now a file")), []string{"l x -> y", "f 644 y = now a file"}, ""},
		"but not a directory in use":       {newc(dir("d"), reg("d/f", "1"), reg("d", "2")), []string{"d 755 d", "f 644 d/f = 1"}, ""},
		"no parent, no file":               {newc(reg("no/where", "1"), reg("x", "2")), []string{"f 644 x = 2"}, ""},
		"/dev exists":                      {newc(reg("dev/x", "1")), []string{"d 755 dev", "f 644 dev/x = 1"}, ""},
		"names with ./ and /":              {newc(dir("."), dir("./a"), reg("/a/b", "1"), reg("a/../c", "2")), []string{"d 755 a", "f 644 a/b = 1", "f 644 c = 2"}, ""},
		"through a link":                   {newc(dir("usr"), dir("usr/bin"), symlink("bin", "usr/bin"), reg("bin/sh", "1")), []string{"l bin -> usr/bin", "d 755 usr", "d 755 usr/bin", "f 644 usr/bin/sh = 1"}, ""},
		"through a loop":                   {newc(symlink("a", "b"), symlink("b", "a"), reg("a/x", "1")), []string{"l a -> b", "l b -> a"}, ""},
		"a link is replaced, not followed": {newc(symlink("a", "b"), reg("b", "1"), reg("a", "2")), []string{"f 644 a = 2", "f 644 b = 1"}, ""},
		"a device":                         {newc(item{name: "null", mode: fsys.S_IFCHR | 0o666, rdev: [2]uint32{1, 3}}), []string{"Dcrw-rw-rw- null 0x103"}, ""},
		"hard links, the content comes last": {newc(item{name: "a", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2}, item{name: "b", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2, body: "both"}),
			[]string{"f 600 a = both", "f 600 b = both"}, ""},
		"hard links, the content comes first": {newc(item{name: "a", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2, body: "both"}, item{name: "b", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2}),
			[]string{"f 600 a = both", "f 600 b = both"}, ""},
		"links end at the trailer": {join(newc(item{name: "a", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2, body: "1"}), newc(item{name: "b", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2})),
			[]string{"f 600 a = 1", "f 600 b = "}, ""},
		"a body on a directory is stepped over": {newc(item{name: "d", mode: fsys.S_IFDIR | 0o755, body: "??"}, reg("x", "1")), []string{"f 644 x = 1"}, ""},

		"junk":                       {[]byte("#!/bin/sh"), nil, "invalid magic at start of compressed archive"},
		"an LZ4 frame of today":      {[]byte("\x04\x22\x4d\x18abcd"), nil, "invalid magic at start of compressed archive"},
		"junk behind an archive":     {join(hello, []byte("junk")), []string{"d 755 bin", "f 644 bin/hello = hello"}, "invalid magic at start of compressed archive"},
		"junk behind, not aligned":   {join(hello, []byte("\x00junk")), []string{"d 755 bin", "f 644 bin/hello = hello"}, "broken padding"},
		"junk in a stream":           {gz(join(hello, []byte("junk"))), []string{"d 755 bin", "f 644 bin/hello = hello"}, "junk within compressed archive"},
		"no archive in a stream":     {gz([]byte(strings.Repeat("text", 100))), nil, "no cpio magic"},
		"a short text in a stream":   {gz([]byte("text")), nil, "junk at the end of compressed archive"},
		"an empty stream":            {gz(nil), nil, "junk at the end of compressed archive"},
		"an archive cut in a stream": {gz(hello[:len(hello)-100]), []string{"d 755 bin", "f 644 bin/hello = hello"}, "junk at the end of compressed archive"},
		"an archive cut in the body": {hello[:240], []string{"d 755 bin", "f 644 bin/hello = hell\x00"}, ""},
		"odc":                        {[]byte("070707" + strings.Repeat("0", 200)), nil, "incorrect cpio method used: use -H newc option"},
		"no magic":                   {[]byte("070700" + strings.Repeat("0", 200)), nil, "no cpio magic"},
		"a cut stream":               {gz(hello)[:40], nil, "read error"},
		"gzip without method":        {[]byte("\x1f\x8b\x07abcdefgh"), nil, "Not a gzip file"},
		"not quite xz":               {[]byte("\xfd7zXX\x00abcdefgh"), nil, "Input is not in the XZ format (wrong magic bytes)"},
	} {
		f, segments, err := unpack(c.image)
		require.Equal(t, c.want, tree(t, f), name)
		if c.err == "" {
			require.NoError(t, err, name)
			for _, s := range segments {
				require.NotEmpty(t, s.Cites, name)
			}
			continue
		}
		var bad *Error
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, c.err, bad.Msg, name)
	}
}

func TestSegments(t *testing.T) {
	micro := newc(dir("kernel"), reg("kernel/x", "ucode"))
	noise := make([]byte, 20000)
	rand.New(rand.NewSource(1)).Read(noise)
	z := gz(newc(reg("init", "#!/bin/sh\n"), reg("b", string(noise)), dir("c")))
	b := join(micro, make([]byte, 8), z)
	s := blob.NewStore()
	in := s.Add("initrd", bytes.NewReader(b), int64(len(b)), nil)
	f, segments, err := Unpack(s, "boot/initrd", in, in.Size())
	require.NoError(t, err)
	at := int64(len(micro) + 8)
	require.Len(t, segments, 2)
	require.Equal(t, Segment{Off: 0, Entries: 2, Cites: segments[0].Cites}, segments[0])
	require.Equal(t, Segment{Off: at, Compression: stream.Gzip, Entries: 3, Blob: "boot/initrd!", Cites: segments[1].Cites}, segments[1])
	require.Equal(t, blob.Cite{Span: blob.Span{Blob: "initrd", Off: at, Len: 2}, Name: "magic", Value: "1f 8b"}, segments[1].Cites[0])

	// Content and header are found in the unpacked stream, which comes from the image.
	init, err := fsys.OpenFile(f, "init")
	require.NoError(t, err)
	require.Equal(t, []blob.Span{{Blob: "boot/initrd!", Off: 116, Len: 10}}, init.Locate(0, 10))
	require.Equal(t, []blob.Span{{Blob: "initrd", Off: at, Len: int64(len(z))}}, s.Blob("boot/initrd!").From(0, 1))
	fi, err := init.Stat()
	require.NoError(t, err)
	require.Equal(t, `boot/initrd![0xe:+8] c_mode "000081a4"`, fmt.Sprint(fsys.StatOf(fi).Cites[0].Span, " ", fsys.StatOf(fi).Cites[0].Name, " ", fsys.StatOf(fi).Cites[0].Value))
	require.Equal(t, f.Info().Type, "cpio")

	// A slice replays it, with the same end, and does not keep the compressed bytes.
	var out bytes.Buffer
	require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: "initrd", Size: in.Size()}))
	s2, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	in2 := s2.Add(o.Name, s2.Kept(o.Name), o.Size, nil)
	_, err = in2.ReadAt(make([]byte, 1), in.Size()-1)
	require.ErrorIs(t, err, blob.ErrNotKept)
	_, again, err := Unpack(s2, "boot/initrd", in2, o.Size)
	require.NoError(t, err)
	require.Equal(t, segments, again)
}

func TestChecksums(t *testing.T) {
	b := newc(reg("x", "abc"))
	copy(b, "070702")
	sum := 'a' + 'b' + 'c'
	copy(b[102:], fmt.Sprintf("%08x", sum))
	_, _, err := unpack(b)
	require.NoError(t, err)
	copy(b[102:], fmt.Sprintf("%08x", sum+1))
	_, _, err = unpack(b)
	var bad *Error
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "bad data checksum", bad.Msg)
	require.NotEmpty(t, bad.Cites)
}

func TestAFileSystemOfGo(t *testing.T) {
	f, _, err := unpack(gz(newc(dir("a"), dir("a/b"), reg("a/b/c", "text"), symlink("a/l", "b/c"), reg("z", ""))))
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(f, "a/b/c", "z"))
	_, err = f.Open("dev")
	require.ErrorIs(t, err, fs.ErrNotExist, "the kernel's own /dev is not the image's")
}

func packWith(t testing.TB, b []byte, argv ...string) []byte {
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("%s is not installed", argv[0])
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

func TestCompressors(t *testing.T) {
	b := newc(dir("bin"), reg("bin/hello", strings.Repeat("hello ", 1000)))
	for _, argv := range [][]string{
		{"gzip", "-9"}, {"xz", "--check=crc32"}, {"zstd", "-q", "-19"}, {"lz4", "-q", "-l", "-"}, {"xz", "--format=lzma"}, {"bzip2"},
	} {
		t.Run(strings.Join(argv, " "), func(t *testing.T) {
			z := packWith(t, b, argv...)
			f, segments, err := unpack(join(z, make([]byte, (4-len(z)%4)%4), newc(reg("last", "1"))))
			require.NoError(t, err)
			require.Len(t, segments, 2, "the archive behind the stream is found")
			require.Len(t, tree(t, f), 3)
			_, _, err = unpack(z[:len(z)/2])
			require.Error(t, err)
		})
	}
	// Documentation/staging/xz.rst: "the integrity check … None and CRC32".
	_, _, err := unpack(packWith(t, b, "xz", "--check=crc64"))
	var bad *Error
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "Input was encoded with settings that are not supported by this XZ decoder", bad.Msg)
	_, _, err = unpack([]byte("\x89LZO\x00\r\n\x1a\nxxxxxxxxx"))
	require.ErrorIs(t, err, decode.ErrUnsupported)
}

// listing is cpio -t.
func listing(t testing.TB, archive []byte) []string {
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = bytes.NewReader(archive)
	out, err := cmd.Output()
	require.NoError(t, err)
	names := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(names)
	return names
}

func names(t testing.TB, f *FS) []string {
	var out []string
	require.NoError(t, fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		out = append(out, p)
		return err
	}))
	slices.Sort(out)
	return out
}

func TestARealInitramfs(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		t.Skip("BOOTPATH_LAB is not set")
	}
	for _, tool := range []string{"cpio", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	disk, err := os.Open(filepath.Join(lab, "build", "deb-bios.raw"))
	if err != nil {
		t.Skip("deb-bios.raw is not there")
	}
	defer disk.Close()
	st, err := disk.Stat()
	require.NoError(t, err)
	s := blob.NewStore()
	const start = 2048 * 512
	vol, err := ext4.Open(blob.Section(s.Add("disk0", disk, st.Size(), nil), start, st.Size()-start), st.Size()-start)
	require.NoError(t, err)
	paths, err := fs.Glob(vol, "boot/initrd.img-*")
	require.NoError(t, err)
	require.Len(t, paths, 1)
	initrd, err := fsys.OpenFile(vol, paths[0])
	require.NoError(t, err)
	f, segments, err := Unpack(s, paths[0], initrd, initrd.Size())
	require.NoError(t, err)
	last := segments[len(segments)-1]
	require.Equal(t, stream.Zstd, last.Compression)

	packed, err := blob.ReadAll(blob.Section(initrd, last.Off, initrd.Size()-last.Off), 1<<30)
	require.NoError(t, err)
	plain := packWith(t, packed, "zstd", "-dcq")
	require.Equal(t, listing(t, plain), names(t, f))
	got, err := blob.ReadAll(s.Blob(last.Blob), 1<<30)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain, got))
}

func TestArchivesOfOthers(t *testing.T) {
	truth := os.Getenv("BOOTPATH_TRUTH")
	if truth == "" {
		truth = "../../../../shared/truth"
	}
	b, err := os.ReadFile(filepath.Join(truth, "peers", "manifest.json"))
	if err != nil {
		t.Skip("peers/manifest.json is not there")
	}
	var manifest []struct {
		File, Kind string
		Expected   struct {
			File string
			N    int `json:"gnu_cpio_entries"`
		}
	}
	require.NoError(t, json.Unmarshal(b, &manifest))
	for _, m := range manifest {
		if m.Kind != "cpio" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(truth, "peers", "files", m.File))
		require.NoError(t, err)
		f, segments, err := unpack(b)
		var bad *Error
		switch {
		case strings.HasPrefix(m.Expected.File, "ASCII cpio archive (SVR4"):
			require.NoError(t, err, m.File)
			require.Len(t, segments, 1, m.File)
			require.Equal(t, m.Expected.N, segments[0].Entries, m.File)
			require.Len(t, names(t, f), m.Expected.N+1, m.File)
		case strings.HasPrefix(m.Expected.File, "ASCII cpio archive (pre-SVR4"):
			require.ErrorAs(t, err, &bad, m.File)
			require.Equal(t, "incorrect cpio method used: use -H newc option", bad.Msg)
		case strings.HasPrefix(m.Expected.File, "lzop"):
			require.ErrorIs(t, err, decode.ErrUnsupported, m.File)
		default:
			require.ErrorAs(t, err, &bad, m.File)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	hello := newc(dir("bin"), reg("bin/hello", "hello"), symlink("l", "bin/x"), item{name: "a", mode: fsys.S_IFREG | 0o600, ino: 7, nlink: 2, body: "1"})
	f.Add(hello)
	f.Add(gz(hello))
	f.Add(join(hello, make([]byte, 8), gz(hello)))
	f.Add(newc(symlink("a", strings.Repeat("a/", 2000)), reg("a/x", "1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, segments, err := unpack(b)
		_ = err
		for _, s := range segments {
			require.LessOrEqual(t, s.Off, int64(len(b)))
		}
		n := 0
		_ = fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
			if n++; n > 200 {
				return fs.SkipAll
			}
			if file, err := fsys.OpenFile(root, p); err == nil {
				_, _ = io.Copy(io.Discard, io.LimitReader(file, 10000))
				for _, s := range file.Locate(0, file.Size()) {
					if s.Blob == "initrd" {
						require.LessOrEqual(t, s.Off+s.Len, int64(len(b)))
					}
				}
			}
			return nil
		})
	})
}
