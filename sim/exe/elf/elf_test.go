package elf

import (
	"bytes"
	stdelf "debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"bootpath/sim/blob"
	"bootpath/sim/decode"

	"github.com/stretchr/testify/require"
)

func TestLayouts(t *testing.T) {
	for v, size := range map[any]int64{
		&Ident{}: 16, &Header64{}: 64, &Header32{}: 52, &Phdr64{}: 56, &Phdr32{}: 32, &Dyn64{}: 16, &Dyn32{}: 8,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

// programs are ELF files of this machine, with and without libraries, and this test itself.
func programs(t *testing.T) []string {
	self, err := os.Executable()
	require.NoError(t, err)
	out := []string{self}
	for _, name := range []string{"sh", "ls", "git", "busybox", "openssl"} {
		if p, err := exec.LookPath(name); err == nil {
			out = append(out, p)
		}
	}
	libs, _ := filepath.Glob("/lib*/ld-*.so*")
	return append(out, libs...)
}

func TestHeadersAndDynamicAsTheStandardLibraryReadsThem(t *testing.T) {
	for _, p := range programs(t) {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		want, err := stdelf.NewFile(bytes.NewReader(data))
		require.NoError(t, err, p)
		b := blob.New("b", bytes.NewReader(data), int64(len(data)), nil)
		f, err := Read(b)
		require.NoError(t, err, p)
		require.Equal(t, int(want.Type), int(f.Type), p)
		require.Equal(t, int(want.Machine), int(f.Machine), p)
		require.Equal(t, want.Entry, f.Entry, p)
		require.Equal(t, want.Class == stdelf.ELFCLASS64, f.Is64(), p)
		segs, err := f.Segments()
		require.NoError(t, err, p)
		require.Len(t, segs, len(want.Progs), p)
		for i, s := range segs {
			w := want.Progs[i].ProgHeader
			require.Equal(t, w, stdelf.ProgHeader{Type: stdelf.ProgType(s.Type), Flags: stdelf.ProgFlag(s.Flags), Off: s.Offset, Vaddr: s.Vaddr, Paddr: w.Paddr, Filesz: s.Filesz, Memsz: s.Memsz, Align: s.Align}, p)
		}
		compareDynamic(t, p, want, f, segs)
	}
}

func compareDynamic(t *testing.T, p string, want *stdelf.File, f *File, segs []Segment) {
	d, err := f.Dynamic(segs)
	require.NoError(t, err, p)
	if d == nil {
		return
	}
	for tag, got := range map[stdelf.DynTag][]String{stdelf.DT_NEEDED: d.Needed, stdelf.DT_RUNPATH: one(d.RunPath), stdelf.DT_RPATH: one(d.RPath), stdelf.DT_SONAME: one(d.Soname)} {
		names, err := want.DynString(tag)
		require.NoError(t, err)
		var values []string
		for _, s := range got {
			values = append(values, s.Value)
			require.NotEmpty(t, s.Cites, p)
			require.Equal(t, int64(len(s.Value)+1), s.Cites[0].Len, p)
		}
		require.ElementsMatch(t, names, values, "%s %v", p, tag)
	}
}

func one(s String) []String {
	if s.Cites == nil {
		return nil
	}
	return []String{s}
}

func TestInterpreterAndKernelVersionAsReadelfPrintsThem(t *testing.T) {
	tool, err := exec.LookPath("readelf")
	if err != nil {
		t.Skip("needs readelf")
	}
	interp := regexp.MustCompile(`program interpreter: (\S+)\]`)
	abi := regexp.MustCompile(`OS: Linux, ABI: (\d+)\.(\d+)\.(\d+)`)
	for _, p := range programs(t) {
		out, err := exec.Command(tool, "-lnW", p).Output()
		require.NoError(t, err, p)
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		f, err := Read(bytes.NewReader(data))
		require.NoError(t, err)
		segs, err := f.Segments()
		require.NoError(t, err)
		got := ""
		for _, s := range segs {
			if s.Type == PT_INTERP {
				got, _, err = f.Interp(s)
				require.NoError(t, err)
			}
		}
		want := ""
		if m := interp.FindSubmatch(out); m != nil {
			want = string(m[1])
		}
		require.Equal(t, want, got, p)
		v, _, ok := f.KernelABI(segs)
		m := abi.FindSubmatch(out)
		require.Equal(t, m != nil, ok, p)
		if m != nil {
			require.Regexp(t, `ABI: `+string(m[1])+`\.`+string(m[2]), string(out))
			require.Equal(t, string(m[1]), itoa(v[0]), p)
			require.Equal(t, string(m[2]), itoa(v[1]), p)
		}
	}
}

func itoa(n uint32) string { return string(appendInt(nil, n)) }

func appendInt(b []byte, n uint32) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

func TestWhatIsNoELFIsSaidSo(t *testing.T) {
	for name, data := range map[string]string{"empty": "", "text": "#!/bin/sh\necho hello world\n", "magic cut": "\x7fEL"} {
		_, err := Read(bytes.NewReader([]byte(data)))
		require.ErrorIs(t, err, decode.ErrFormat, name)
	}
	var bad *decode.Error
	_, err := Read(bytes.NewReader(append([]byte("\x7fELF\x03\x01"), make([]byte, 60)...)))
	require.True(t, errors.As(err, &bad), "%v", err)
	_, err = Read(bytes.NewReader([]byte("\x7fELF\x02\x01\x01" + string(make([]byte, 20)))))
	require.True(t, errors.As(err, &bad), "%v", err)
}

func FuzzELF(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01" + string(make([]byte, 57))))
	f.Add([]byte("\x7fELF\x01\x02\x01" + string(make([]byte, 200))))
	if self, err := os.Open("/bin/true"); err == nil {
		head := make([]byte, 4096)
		n, _ := io.ReadFull(self, head)
		f.Add(head[:n])
		self.Close()
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := blob.New("b", bytes.NewReader(data), int64(len(data)), nil)
		e, err := Read(b)
		if err != nil {
			return
		}
		segs, err := e.Segments()
		if err != nil {
			return
		}
		check := func(cites []blob.Cite) {
			for _, c := range cites {
				if c.Off < 0 || c.Len <= 0 || c.Off+c.Len > int64(len(data)) {
					t.Fatalf("cites %v of %d bytes", c.Span, len(data))
				}
			}
		}
		check(e.Cites)
		for _, s := range segs {
			if s.Type == PT_INTERP {
				_, c, _ := e.Interp(s)
				check(c)
			}
		}
		_, c, _ := e.KernelABI(segs)
		check(c)
		if d, _ := e.Dynamic(segs); d != nil {
			for _, n := range d.Needed {
				check(n.Cites)
			}
			check(d.Soname.Cites)
			e.Needs(d)
			e.Defines(d)
			_, c, _ := e.Imports(d)
			check(c)
		}
	})
}
