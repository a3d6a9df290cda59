package tarfs_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/tarfs"
)

// entry is one line of an archive made for a test: a path and what it is.
func entry(typ byte, name, content string, mode int64) tar.Header {
	h := tar.Header{Typeflag: typ, Name: name, Mode: mode, ModTime: time.Unix(1700000000, 0), Uid: 7, Gid: 8}
	switch typ {
	case tar.TypeLink, tar.TypeSymlink:
		h.Linkname = content
	case tar.TypeReg:
		h.PAXRecords = map[string]string{"BOOTPATH.content": content}
	}
	return h
}

func archive(t testing.TB, format tar.Format, headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.PAXRecords["BOOTPATH.content"]
		delete(h.PAXRecords, "BOOTPATH.content")
		h.Size, h.Format = int64(len(content)), format
		require.NoError(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func blobOf(data []byte) *blob.Blob {
	return blob.NewStore().Add("t.tar", bytes.NewReader(data), int64(len(data)), nil)
}

func open(t testing.TB, headers ...tar.Header) *tarfs.FS {
	f, err := tarfs.Open(blobOf(archive(t, tar.FormatUnknown, headers...)))
	require.NoError(t, err)
	return f
}

// list writes a tree one file a line: path, mode, content or target.
func list(t testing.TB, f fsys.FS) string {
	var out strings.Builder
	require.NoError(t, fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if p == "." {
			return nil
		}
		fi, err := d.Info()
		require.NoError(t, err)
		fmt.Fprintf(&out, "%s %v", p, fi.Mode())
		if fi.Mode().IsRegular() {
			data, err := fsys.ReadFile(f, p, 1<<20)
			require.NoError(t, err)
			fmt.Fprintf(&out, " %q", data)
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			target, err := f.ReadLink(p)
			require.NoError(t, err)
			out.WriteString(" " + target)
		}
		out.WriteString("\n")
		return nil
	}))
	return out.String()
}

func TestHeaderLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&tarfs.Header{}, 512))
	for _, h := range tarfs.PrivateLayouts() {
		require.NoError(t, decode.CheckLayout(h.Value, h.Size))
	}
}

func TestCitesAreTheHeaderFields(t *testing.T) {
	e := entry(tar.TypeReg, "etc/passwd", "root\n", 0o644)
	e.Linkname = ""
	b := blobOf(archive(t, tar.FormatUSTAR, entry(tar.TypeDir, "etc/", "", 0o755), e, entry(tar.TypeSymlink, "l", "etc", 0o777)))
	f, err := tarfs.Open(b)
	require.NoError(t, err)
	require.NoError(t, tarfs.Scan(b, func(e *tarfs.Entry) bool {
		var h tarfs.Header
		rec, err := decode.Read(b, e.HeaderOff, binary.LittleEndian, "tar header", &h)
		require.NoError(t, err)
		want := map[string]blob.Span{}
		for _, f := range rec.Fields() {
			want[f.Name] = blob.Span{Blob: "t.tar", Off: f.Off, Len: f.Len}
		}
		cites := e.Cites(b)
		require.GreaterOrEqual(t, len(cites), 7)
		for _, c := range cites {
			require.Equal(t, want[c.Name], c.Span, c.Name)
		}
		return true
	}))
	fi, err := f.Stat("etc/passwd")
	require.NoError(t, err)
	s := fsys.StatOf(fi)
	require.Equal(t, "0644", s.Cites[2].Value)
	require.Equal(t, uint32(7), s.UID)
	file, err := fsys.OpenFile(f, "etc/passwd")
	require.NoError(t, err)
	require.Equal(t, []blob.Span{{Blob: "t.tar", Off: 1024, Len: 5}}, file.Locate(0, 5))
}

func TestALongNameIsCitedWhereItStands(t *testing.T) {
	long := strings.Repeat("0123456789/", 30) + "end"
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		data := archive(t, format, entry(tar.TypeReg, long, "x", 0o600))
		f, err := tarfs.Open(blobOf(data))
		require.NoError(t, err)
		fi, err := f.Stat(long)
		require.NoError(t, err)
		c := fsys.StatOf(fi).Cites[0]
		require.Equal(t, long, string(data[c.Off:c.Off+c.Len]))
	}
}

func TestUnpackingRules(t *testing.T) {
	const reg, dir, link, sym = tar.TypeReg, tar.TypeDir, tar.TypeLink, tar.TypeSymlink
	for _, c := range []struct {
		name    string
		entries []tar.Header
		want    string
		note    string
	}{
		{"a later file replaces an earlier one",
			[]tar.Header{entry(reg, "a", "1", 0o600), entry(reg, "./a", "2", 0o644)}, "a -rw-r--r-- \"2\"\n", ""},
		{"a directory again keeps its files and takes the new attributes",
			[]tar.Header{entry(dir, "d/", "", 0o700), entry(reg, "d/a", "1", 0o600), entry(dir, "d", "", 0o755)},
			"d drwxr-xr-x\nd/a -rw------- \"1\"\n", ""},
		{"a file over a directory removes the tree",
			[]tar.Header{entry(reg, "d/e/a", "1", 0o600), entry(reg, "d", "2", 0o600)}, "d -rw------- \"2\"\n", ""},
		{"a directory over a file",
			[]tar.Header{entry(reg, "d", "2", 0o600), entry(dir, "d", "", 0o755), entry(reg, "d/a", "1", 0o600)},
			"d drwxr-xr-x\nd/a -rw------- \"1\"\n", ""},
		{"missing parents are root's, 0755",
			[]tar.Header{entry(reg, "x/y/z", "1", 0o600)}, "x drwxr-xr-x\nx/y drwxr-xr-x\nx/y/z -rw------- \"1\"\n", ""},
		{"names stay below the root",
			[]tar.Header{entry(reg, "../../etc/passwd", "1", 0o600), entry(reg, "/abs", "2", 0o600), entry(reg, "a/../b", "3", 0o600)},
			"abs -rw------- \"2\"\nb -rw------- \"3\"\netc drwxr-xr-x\netc/passwd -rw------- \"1\"\n", "leads upwards"},
		{"a path through a link follows it inside the root",
			[]tar.Header{entry(dir, "usr/bin", "", 0o755), entry(sym, "bin", "/usr/bin", 0o777), entry(reg, "bin/sh", "1", 0o755)},
			"bin Lrwxrwxrwx /usr/bin\nusr drwxr-xr-x\nusr/bin drwxr-xr-x\nusr/bin/sh -rwxr-xr-x \"1\"\n", ""},
		{"a link upwards ends at the root",
			[]tar.Header{entry(sym, "up", "../../..", 0o777), entry(reg, "up/f", "1", 0o600)},
			"f -rw------- \"1\"\nup Lrwxrwxrwx ../../..\n", ""},
		{"links in a circle",
			[]tar.Header{entry(sym, "a", "b", 0o777), entry(sym, "b", "a", 0o777), entry(reg, "a/f", "1", 0o600)},
			"a Lrwxrwxrwx b\nb Lrwxrwxrwx a\n", "Too many levels of symbolic links"},
		{"a file is no parent",
			[]tar.Header{entry(reg, "a", "1", 0o600), entry(reg, "a/f", "2", 0o600)}, "a -rw------- \"1\"\n", "Not a directory"},
		{"a hard link keeps the content when the first name goes",
			[]tar.Header{entry(reg, "a", "1", 0o600), entry(link, "b", "a", 0o600), entry(reg, "a", "2", 0o600)},
			"a -rw------- \"2\"\nb -rw------- \"1\"\n", ""},
		{"a link to itself stops an unpacker",
			[]tar.Header{entry(reg, "a", "1", 0o600), entry(link, "a", "./a", 0o600)}, "a -rw------- \"1\"\n", "stops here: No such file or directory"},
		{"devices and a fifo",
			[]tar.Header{entry(tar.TypeChar, "c", "", 0o666), entry(tar.TypeBlock, "b", "", 0o660), entry(tar.TypeFifo, "p", "", 0o600)},
			"b Drw-rw----\nc Dcrw-rw-rw-\np prw-------\n", ""},
		{"a name that no file system takes",
			[]tar.Header{entry(reg, strings.Repeat("n", 256), "1", 0o600)}, "", "File name too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, c.entries...)
			require.Equal(t, c.want, list(t, f))
			require.Equal(t, len(c.entries), f.Len())
			notes := strings.Join(f.Info().Notes, "\n")
			if c.note == "" {
				require.Empty(t, notes)
			} else {
				require.Contains(t, notes, c.note)
			}
			var expected []string
			for _, line := range strings.Split(strings.TrimSpace(c.want), "\n") {
				if name, _, _ := strings.Cut(line, " "); name != "" {
					expected = append(expected, name)
				}
			}
			require.NoError(t, fstest.TestFS(f, expected...))
		})
	}
}

func TestHardLinksShareAnInode(t *testing.T) {
	f := open(t, entry(tar.TypeReg, "a", "1", 0o600), entry(tar.TypeLink, "b", "a", 0o600), entry(tar.TypeLink, "c", "gone", 0o600))
	a, err := f.Stat("a")
	require.NoError(t, err)
	b, err := f.Stat("b")
	require.NoError(t, err)
	require.Equal(t, fsys.StatOf(a).Ino, fsys.StatOf(b).Ino)
	require.EqualValues(t, 2, fsys.StatOf(b).Nlink)
	require.Equal(t, "b", b.Name())
	require.Len(t, slices.Collect(f.Orphans()), 1)
	_, err = f.Stat("c")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestFileCapabilities(t *testing.T) {
	h := entry(tar.TypeReg, "ping", "x", 0o755)
	value := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	h.PAXRecords["SCHILY.xattr.security.capability"] = value
	f := open(t, h)
	fi, err := f.Stat("ping")
	require.NoError(t, err)
	require.Equal(t, value, string(fsys.StatOf(fi).Capability))
}

// TestAgainstGo reads the archives that Go tests archive/tar with: v7, ustar, star, pax, GNU, sparse in all
// forms, damaged. Go's reader says what is in them.
func TestAgainstGo(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(runtime.GOROOT(), "src", "archive", "tar", "testdata", "*.tar"))
	if len(files) == 0 {
		t.Skip("no Go sources")
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			want, wantErr := goList(data)
			var got []string
			b := blobOf(data)
			gotErr := tarfs.Scan(b, func(e *tarfs.Entry) bool {
				got = append(got, describe(e.Name, e.Linkname, e.Type, e.Size, e.UID, e.GID, e.ModTime(), e.Content(b)))
				return true
			})
			require.Equal(t, want, got)
			if len(want) == 0 && errors.Is(gotErr, decode.ErrFormat) { // empty for Go, no evidence of a tar for us
				return
			}
			require.Equal(t, wantErr == nil, gotErr == nil, "Go: %v, here: %v", wantErr, gotErr)
		})
	}
}

func goList(data []byte) ([]string, error) {
	var out []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		typ := h.Typeflag
		if typ == tar.TypeGNUSparse || typ == tar.TypeCont {
			typ = tar.TypeReg
		}
		size := h.Size
		if typ >= tar.TypeLink && typ <= tar.TypeFifo {
			size = 0
		}
		out = append(out, describe(h.Name, h.Linkname, typ, size, uint32(h.Uid), uint32(h.Gid), h.ModTime, r))
	}
}

func describe(name, link string, typ byte, size int64, uid, gid uint32, at time.Time, content any) string {
	var head []byte
	switch r := content.(type) {
	case *tar.Reader:
		head, _ = io.ReadAll(io.LimitReader(r, 1<<16))
	case io.ReaderAt:
		head, _ = io.ReadAll(io.NewSectionReader(r, 0, min(size, 1<<16)))
	}
	if typ != tar.TypeReg {
		head = nil
	}
	return fmt.Sprintf("%c %q %q %d %d:%d %d %x", typ, name, link, size, uid, gid, at.UnixNano(), head)
}

func TestATruncatedArchiveSaysWhere(t *testing.T) {
	data := archive(t, tar.FormatUSTAR, entry(tar.TypeReg, "a", strings.Repeat("x", 700), 0o600), entry(tar.TypeReg, "b", strings.Repeat("y", 600), 0o600))
	var bad *decode.Error
	for _, c := range []struct {
		n          int
		what, want string
	}{
		{100, "", ""},
		{1000, `tar entry "a": content`, "700 bytes"},
		{1700, `tar header after "a"`, "512 bytes"},
		{2100, `tar entry "b": content`, "600 bytes"},
	} {
		_, err := tarfs.Open(blobOf(data[:c.n]))
		require.Error(t, err)
		if c.what == "" {
			require.ErrorIs(t, err, decode.ErrFormat)
			continue
		}
		require.ErrorAs(t, err, &bad)
		require.Equal(t, c.what, bad.What)
		require.Equal(t, c.want, bad.Want)
		require.NotEmpty(t, bad.Spans)
	}
	_, err := tarfs.Open(blobOf(data[:len(data)-1024]))
	require.NoError(t, err, "no end marker: GNU tar and Go accept it")
	broken := bytes.Clone(data)
	broken[1536] ^= 1
	_, err = tarfs.Open(blobOf(broken))
	require.ErrorAs(t, err, &bad)
	require.Contains(t, bad.What, "Chksum")
	require.EqualValues(t, 1536+148, bad.Off)
}

func FuzzOpen(f *testing.F) {
	f.Add(archive(f, tar.FormatGNU, entry(tar.TypeReg, strings.Repeat("long/", 30)+"f", "x", 0o600), entry(tar.TypeLink, "l", "long", 0)))
	f.Add(archive(f, tar.FormatPAX, entry(tar.TypeReg, strings.Repeat("lang/", 30)+"f", "x", 0o600), entry(tar.TypeSymlink, "s", "..", 0)))
	f.Add(archive(f, tar.FormatUSTAR, entry(tar.TypeDir, "a/b", "", 0o700), entry(tar.TypeReg, "a", "x", 0o600)))
	for _, name := range []string{"sparse-formats.tar", "gnu-multi-hdrs.tar", "pax-nil-sparse-hole.tar"} {
		if data, err := os.ReadFile(filepath.Join(runtime.GOROOT(), "src", "archive", "tar", "testdata", name)); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := tarfs.Open(blobOf(data))
		if err != nil {
			return
		}
		fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			fi, err := d.Info()
			require.NoError(t, err)
			for _, c := range fsys.StatOf(fi).Cites {
				require.LessOrEqual(t, c.Off+c.Len, int64(len(data)))
			}
			if fi.Mode().IsRegular() {
				file, err := fsys.OpenFile(tree, p)
				require.NoError(t, err)
				file.ReadAt(make([]byte, 64), max(0, fi.Size()-64))
				for _, s := range file.Locate(0, 1<<40) {
					require.LessOrEqual(t, s.Off+s.Len, int64(len(data)))
				}
			}
			return nil
		})
	})
}
