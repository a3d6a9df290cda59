package container

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// hostile is an image whose one layer write makes.
func hostile(t *testing.T, squeeze bool, write func(*tar.Writer)) []byte {
	t.Helper()
	var layer bytes.Buffer
	var out io.Writer = &layer
	if squeeze {
		z := gzip.NewWriter(&layer)
		defer z.Close()
		out = z
	}
	sum := sha256.New()
	w := tar.NewWriter(io.MultiWriter(out, sum))
	write(w)
	w.Close() // one that lies about a size cannot be closed properly
	if z, ok := out.(*gzip.Writer); ok {
		require.NoError(t, z.Close())
	}
	return savedAs(t, layer.Bytes(), [sha256.Size]byte(sum.Sum(nil)))
}

func header(t *testing.T, w *tar.Writer, h tar.Header) {
	t.Helper()
	require.NoError(t, w.WriteHeader(&h))
}

// An archive that was made to hurt is read within bounds, and what is said of it names the reason.
func TestHostileArchives(t *testing.T) {
	const allocMax = 256 << 20 // bytes, all that is allocated on the way
	for _, c := range []struct {
		name    string
		squeeze bool
		write   func(*tar.Writer)
		verdict trace.Verdict
		says    string // in the message or in what is missing
	}{
		{"a file of zeros that is squeezed a thousandfold", true, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: "a", Mode: 0o755, Size: 192 << 20})
			zeros := make([]byte, 1<<20)
			for range 192 {
				w.Write(zeros)
			}
		}, trace.Stops, "exec format error"},
		{"a file that claims a tebibyte", false, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: "a", Mode: 0o755, Size: 1 << 40, Format: tar.FormatGNU})
			w.Write([]byte("#!"))
		}, trace.Stops, "Error processing tar file(exit status 1): unexpected EOF"},
		{"names that climb out of the root", false, func(w *tar.Writer) {
			for _, name := range []string{"../../../../etc/passwd", "/etc/shadow", "b/../../c", "d/./../../../e"} {
				header(t, w, tar.Header{Name: name, Mode: 0o644})
			}
			header(t, w, tar.Header{Name: "up", Typeflag: tar.TypeSymlink, Linkname: "../../../../.."})
			header(t, w, tar.Header{Name: "up/a", Mode: 0o755})
			header(t, w, tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../../../etc/hostname"})
		}, trace.Stops, "link /etc/hostname /hard: no such file or directory"},
		{"a file below a link that leads nowhere", false, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: "up", Typeflag: tar.TypeSymlink, Linkname: "/tmp"})
			header(t, w, tar.Header{Name: "up/a", Mode: 0o755})
		}, trace.Stops, "Error processing tar file(exit status 1): open /up/a: no such file or directory"},
		{"a name that is too long", false, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: strings.Repeat("n", 300), Mode: 0o755})
		}, trace.Stops, ": file name too long"},
		{"ten thousand directories in each other", true, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: strings.Repeat("d/", 10000), Typeflag: tar.TypeDir, Mode: 0o755})
		}, trace.Unknown, `unknown.layers because unknown.bad-bytes got="size 0, names of 20000 and 0 bytes" want="a size and names up to 4096 bytes" what="tar header of \"d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/…\"" where=layer:4981bb278f2d[0x5200:+512]`},
		{"two thousand directories in each other, the deepest that a path can name", true, func(w *tar.Writer) {
			for n := 1; n <= 2000; n += 50 {
				header(t, w, tar.Header{Name: strings.Repeat("d/", n), Typeflag: tar.TypeDir, Mode: 0o755})
			}
		}, trace.Stops, "/a: no such file or directory"},
		{"a file with ten thousand extended attributes", true, func(w *tar.Writer) {
			x := map[string]string{}
			for i := range 10000 {
				x[fmt.Sprintf("SCHILY.xattr.user.n%d", i)] = strings.Repeat("v", 60)
			}
			header(t, w, tar.Header{Name: "a", Mode: 0o755, PAXRecords: x})
		}, trace.Stops, "exec format error"},
		{"links that lead to each other", false, func(w *tar.Writer) {
			header(t, w, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"})
			header(t, w, tar.Header{Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"})
		}, trace.Stops, "too many levels of symbolic links"},
	} {
		data := hostile(t, c.squeeze, c.write)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		store := blob.NewStore()
		a, err := oci.Open(store, store.Add("a.tar", bytes.NewReader(data), int64(len(data)), nil))
		require.NoError(t, err, c.name)
		m := machine.New()
		Run(m, Config{Archive: a, Name: "a.tar"})
		runtime.ReadMemStats(&after)
		o := m.Trace().Outcome
		require.Equal(t, c.verdict, o.Verdict, "%s: %s%s", c.name, o.Message, o.Unknown.String())
		require.Contains(t, o.Message+o.Unknown.String(), c.says, c.name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(allocMax), c.name)
		a.Images[0].Stack() // an error at most
	}
}
