package bzimage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"bootpath/sim/blob"
)

// Bounds of the search for the banner, in bytes of the unpacked kernel, and of the banner itself.
const (
	bannerSearch = 256 << 20
	bannerMax    = 1024
)

// counted is the number of the build in a banner that is complete.
var counted = regexp.MustCompile(`\) #[0-9]`)

// Banner returns the first line that the kernel logs, "Linux version 6.1.0-50-cloud-amd64 (…) #1 SMP …\n":
// linux_banner of init/version-timestamp.c. It lies in the compressed kernel, so that is unpacked up to it.
// The result is a small blob of the store, named after the file; a slice keeps that instead of the kernel.
func (k *Image) Banner(store *blob.Store, name string) (string, []blob.Cite, error) {
	off, n := k.packed()
	open := func() (io.Reader, error) {
		z, err := k.unpacked(store.Raw(k.r))
		if err != nil {
			return nil, err
		}
		line, err := findBanner(z, k.Full)
		if err != nil {
			return nil, err
		}
		return strings.NewReader(line), nil
	}
	b := store.DeriveOf(strings.TrimPrefix(name, "/")+"!banner", open, bannerMax, k.r, off, n)
	buf := make([]byte, bannerMax)
	got, err := b.ReadAt(buf, 0)
	if got == 0 {
		if err == nil || err == io.EOF {
			err = errors.New("kernel: no banner")
		}
		return "", nil, err
	}
	line := string(buf[:got])
	cite := blob.Cite{Span: blob.Span{Blob: b.Name(), Off: 0, Len: int64(got)}, Name: "linux_banner", Value: strings.TrimSpace(line)}
	return line, []blob.Cite{cite}, nil
}

// findBanner searches the unpacked kernel for "Linux version " RELEASE " (" … UTS_VERSION "\n", where full is
// the header's version string: RELEASE " (" BY "@" HOST ") " UTS_VERSION. Kernels hold another banner of an
// early stage of their build too, with an incomplete UTS_VERSION. Without such a header any banner that counts a build
// ("#1") will do.
func findBanner(r io.Reader, full string) (string, error) {
	start, end := []byte("Linux version "), []byte("\n")
	release, rest, _ := strings.Cut(full, " ")
	if full != "" {
		_, utsVersion, ok := strings.Cut(rest, ") ")
		if !ok {
			return "", fmt.Errorf("kernel banner: the header's version string is %q", full)
		}
		start, end = []byte("Linux version "+release+" ("), []byte(" "+utsVersion+"\n")
	}
	complete := func(line []byte) bool {
		return full != "" || bannerRelease(string(line)) != "" && counted.Match(line)
	}
	buf := make([]byte, 0, 256<<10)
	for total := 0; total < bannerSearch; {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf, total = buf[:len(buf)+n], total+n
		for rest := buf; ; rest = rest[len(start):] {
			i := bytes.Index(rest, start)
			if i < 0 {
				break
			}
			rest = rest[i:]
			if line, _, ok := bytes.Cut(rest[:min(len(rest), bannerMax)], []byte("\n")); ok && bytes.HasSuffix(rest[:len(line)+1], end) && complete(line) {
				return string(rest[:len(line)+1]), nil
			}
		}
		if err != nil {
			if err == io.EOF {
				err = errors.New("not found")
			}
			return "", fmt.Errorf("kernel banner: %w", err)
		}
		if len(buf) > cap(buf)/2 { // keep what a banner that is not complete may start in
			buf = append(buf[:0], buf[len(buf)-bannerMax:]...)
		}
	}
	return "", fmt.Errorf("kernel banner: not in the first %d bytes", bannerSearch)
}
