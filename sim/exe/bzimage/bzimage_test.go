package bzimage

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/stream"
)

func TestLayout(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&SetupHeader{}, 0x26c))
	require.NoError(t, decode.CheckLayout(&Arm64Header{}, 64))
	require.NoError(t, decode.CheckLayout(&peHeader{}, 6))
}

const (
	versionText = "6.9.0-test (me@here) #7 SMP Debian"
	bannerText  = "Linux version 6.9.0-test (me@here) (gcc 12) #7 SMP Debian\n"
)

// kernel makes a file with a setup header as the build of Linux does: two setup sectors, the version string
// behind the header, a payload.
func kernel(t testing.TB, change func(h []byte)) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	// The banner of an early stage of the build comes first.
	_, err := w.Write([]byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\x3e\x00" + strings.Repeat("code", 50000) +
		"Linux version 6.9.0-test (me@here) (gcc 12) # SMP Debian\n\x00" + strings.Repeat("data", 40000) + bannerText + "\x00rest"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	b := make([]byte, 3*512)
	le := binary.LittleEndian
	b[0x1f1] = 2
	le.PutUint16(b[0x1fe:], 0xaa55)
	copy(b[0x200:], "\xebjHdrS")
	le.PutUint16(b[0x206:], 0x20f)
	le.PutUint16(b[0x20e:], 0x100)
	b[0x211] = 1
	le.PutUint16(b[0x236:], 0x3f)
	le.PutUint32(b[0x238:], 2047)
	le.PutUint32(b[0x248:], 64)
	le.PutUint32(b[0x24c:], uint32(z.Len()))
	le.PutUint64(b[0x258:], 0x1000000)
	copy(b[0x300:], versionText+"\x00")
	if change != nil {
		change(b)
	}
	return append(append(b, make([]byte, 64)...), z.Bytes()...)
}

func read(t testing.TB, b []byte) (*Image, *blob.Store, error) {
	s := blob.NewStore()
	k, err := Read(s.Add("vmlinuz", bytes.NewReader(b), int64(len(b)), nil), int64(len(b)))
	return k, s, err
}

func TestAKernelSaysWhatItIs(t *testing.T) {
	k, s, err := read(t, kernel(t, nil))
	require.NoError(t, err)
	require.Equal(t, "6.9.0-test", k.Version())
	require.Equal(t, versionText, k.FullVersion())
	require.Equal(t, "amd64", k.Arch)
	require.False(t, k.EFI)
	require.Equal(t, int64(1536), k.SetupSize())
	require.Equal(t, int64(1600), k.PayloadOff())
	require.Equal(t, uint32(2047), k.Header.Cmdline_size)
	last := k.Cites()[len(k.Cites())-1]
	require.Equal(t, blob.Cite{Span: blob.Span{Blob: "vmlinuz", Off: 0x300, Len: int64(len(versionText))}, Name: "kernel version", Value: versionText}, last)

	banner, cites, err := k.Banner(s, "/boot/vmlinuz")
	require.NoError(t, err)
	require.Equal(t, bannerText, banner, "and not that of the early stage")
	require.Equal(t, "boot/vmlinuz!banner[0x0:+58]", cites[0].String())
	require.Equal(t, int64(1600), s.Blob("boot/vmlinuz!banner").From(0, 5)[0].Off)

	// A slice replays the banner without the kernel.
	var out bytes.Buffer
	require.NoError(t, s.WriteSlice(&out, blob.Origin{Name: "vmlinuz", Size: s.Blob("vmlinuz").Size()}))
	s2, o, err := blob.OpenSlice(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	k2, err := Read(s2.Add(o.Name, s2.Kept(o.Name), o.Size, nil), o.Size)
	require.NoError(t, err)
	banner, _, err = k2.Banner(s2, "/boot/vmlinuz")
	require.NoError(t, err)
	require.Equal(t, bannerText, banner)
}

func TestOldProtocolsHaveFewerFields(t *testing.T) {
	le := binary.LittleEndian
	k, _, err := read(t, kernel(t, func(b []byte) { le.PutUint16(b[0x206:], 0x20b) }))
	require.NoError(t, err)
	require.Zero(t, k.Header.Xloadflags, "2.12 has it first")
	require.Equal(t, "amd64", k.Arch, "as the ELF header of the kernel inside says")
	k, _, err = read(t, kernel(t, func(b []byte) { le.PutUint16(b[0x206:], 0x202); b[0x1f1] = 0 }))
	require.NoError(t, err)
	require.Equal(t, uint32(0x37ffffff), k.Header.Initrd_addr_max)
	require.Equal(t, uint32(255), k.Header.Cmdline_size)
	require.Zero(t, k.PayloadOff())
	require.Equal(t, int64(5*512), k.SetupSize(), "0 setup sectors mean 4")
	require.Equal(t, "", k.Arch)
	k, _, err = read(t, kernel(t, func(b []byte) { b[0x236] = 0 }))
	require.NoError(t, err)
	require.Equal(t, "386", k.Arch)
}

func TestWhatGRUBSays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte)
		want   string
	}{
		"a kernel":          {nil, ""},
		"no boot flag":      {func(b []byte) { b[0x1fe] = 0 }, "invalid magic number"},
		"65 setup sectors":  {func(b []byte) { b[0x1f1] = 65 }, "too many setup sectors"},
		"no HdrS":           {func(b []byte) { b[0x202] = 'X' }, "version too old for 32-bit boot (try with `linux16')"},
		"protocol 2.02":     {func(b []byte) { b[0x206] = 2 }, "version too old for 32-bit boot (try with `linux16')"},
		"a zImage":          {func(b []byte) { b[0x211] = 0 }, "zImage doesn't support 32-bit boot (try with `linux16')"},
		"the flag is first": {func(b []byte) { b[0x1fe], b[0x202] = 0, 'X' }, "invalid magic number"},
	} {
		b := kernel(t, c.change)
		msg, cites := CheckGRUB(blob.New("k", bytes.NewReader(b), int64(len(b)), nil), int64(len(b)), "/k", true)
		require.Equal(t, c.want, msg, name)
		require.NotEmpty(t, cites, name)
	}
	msg, _ := CheckGRUB(strings.NewReader("short"), 5, "/k", false)
	require.Equal(t, "premature end of file /k", msg)
}

func TestOtherFiles(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte(strings.Repeat("text ", 500)),
		"a boot sector": append(append(make([]byte, 510), 0x55, 0xaa), make([]byte, 1024)...),
	} {
		_, _, err := read(t, b)
		require.ErrorIs(t, err, decode.ErrFormat, name)
		var bad *decode.Error
		require.ErrorAs(t, err, &bad, name)
	}
}

func TestArm64(t *testing.T) {
	b := make([]byte, 4096)
	copy(b, "MZ\x00\x91")
	copy(b[56:], "ARM\x64")
	k, _, err := read(t, b)
	require.NoError(t, err)
	require.Equal(t, "arm64", k.Arch)
	require.True(t, k.EFI)
	require.Len(t, k.Cites(), 1)

	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err = w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	k, _, err = read(t, z.Bytes())
	require.NoError(t, err)
	require.Equal(t, "arm64", k.Arch)
	require.Equal(t, stream.Gzip, k.Stream)
}

// The real kernel of the rebuilt images: its header against file(1), its banner against the recorded boot.
func TestARealKernel(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		t.Skip("BOOTPATH_LAB is not set")
	}
	path := filepath.Join(lab, "build", "iso-vmlinuz")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip("iso-vmlinuz is not there")
	}
	k, s, err := read(t, b)
	require.NoError(t, err)
	require.Equal(t, "amd64", k.Arch)
	require.True(t, k.EFI)
	if _, err := exec.LookPath("file"); err == nil {
		out, err := exec.Command("file", "-b", path).Output()
		require.NoError(t, err)
		m := regexp.MustCompile(`bzImage, version (.*), RO-rootFS`).FindStringSubmatch(string(out))
		require.NotNil(t, m)
		require.Equal(t, m[1], k.FullVersion())
	}
	banner, _, err := k.Banner(s, "vmlinuz")
	require.NoError(t, err)
	truth := os.Getenv("BOOTPATH_TRUTH")
	if truth == "" {
		truth = "../../../../shared/truth"
	}
	log, err := os.ReadFile(filepath.Join(truth, "system", "boots", "deb-bios", "serial.log"))
	if err != nil {
		t.Skip("no recorded boot")
	}
	require.Contains(t, string(log), strings.TrimSpace(banner))
}

func FuzzRead(f *testing.F) {
	f.Add(kernel(f, nil))
	f.Add(kernel(f, func(b []byte) { b[0x206] = 8 }))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, s, err := read(t, b)
		_, cites := CheckGRUB(s.Blob("vmlinuz"), int64(len(b)), "k", false)
		if err == nil {
			cites = append(cites, k.Cites()...)
			_, _, _ = k.Banner(s, "k")
		}
		for _, c := range cites {
			require.GreaterOrEqual(t, c.Off, int64(0))
			require.LessOrEqual(t, c.Off+c.Len, int64(len(b)))
		}
	})
}
