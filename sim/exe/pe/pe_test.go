package pe

import (
	"bytes"
	stdpe "debug/pe"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

func TestLayouts(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&DOSHeader{}, 0x40))
	require.NoError(t, decode.CheckLayout(&FileHeader{}, 0x18))
	require.NoError(t, decode.CheckLayout(&OptionalHeader{}, 0x48))
	require.NoError(t, decode.CheckLayout(&DataDirectory{}, 8))
	require.NoError(t, decode.CheckLayout(&SectionHeader{}, 0x28))
}

// image builds a PE32+ image with empty sections of the given names.
func image(names ...string) []byte {
	b := make([]byte, 0x600)
	copy(b, "MZ")
	le := binary.LittleEndian
	le.PutUint32(b[0x3c:], 0x80)
	copy(b[0x80:], "PE\x00\x00")
	le.PutUint16(b[0x84:], MachineAMD64)
	le.PutUint16(b[0x86:], uint16(len(names)))
	le.PutUint16(b[0x94:], 0xf0)
	opt := b[0x98:]
	le.PutUint16(opt, PE32Plus)
	le.PutUint16(opt[0x44:], SubsystemEFIApplication)
	le.PutUint32(opt[0x6c:], 16)
	for i, name := range names {
		h := b[0x98+0xf0+40*i:]
		copy(h[:8], name)
		le.PutUint32(h[8:], 64)
		le.PutUint32(h[16:], 64)
		le.PutUint32(h[20:], uint32(0x400+64*i))
	}
	return b
}

// shim has a section name that lies in the string table.
func shim() []byte {
	b := image(".text", "/4")
	binary.LittleEndian.PutUint32(b[0x8c:], 0x500)
	copy(b[0x504:], ".vendor_cert\x00")
	return b
}

func read(b []byte) (*File, error) {
	return Read(blob.New("x.efi", bytes.NewReader(b), int64(len(b)), nil), int64(len(b)))
}

func TestPrograms(t *testing.T) {
	put := func(b []byte, off int, text string) []byte { copy(b[off:], text); return b }
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing known", image(".text"), ""},
		{"GRUB has its modules in a section", put(image(".text", "mods"), 0x440, "mimg"), GRUB},
		{"a section of that name is not enough", image(".text", "mods"), ""},
		{"systemd-boot says its name", put(image(".sdmagic"), 0x400, "#### LoaderInfo: systemd-boot 252 ####"), SystemdBoot},
		{"a unified kernel has the kernel in a section", image(".text", ".linux", ".cmdline"), SystemdStub},
		{"shim carries a key", shim(), Shim},
		{"a kernel with its stub", put(image(".text"), 0x202, "HdrS"), Linux},
	} {
		f, err := read(c.b)
		require.NoError(t, err, c.name)
		got, cites := f.Program()
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.want != "", len(cites) > 0, c.name)
	}
}

func TestErrorsNameTheBytes(t *testing.T) {
	_, err := read([]byte("#!/bin/sh\n" + string(make([]byte, 100))))
	require.ErrorIs(t, err, decode.ErrFormat)
	b := image(".text")
	b[0x81] = 'X'
	_, err = read(b)
	require.ErrorIs(t, err, decode.ErrFormat)
	var bad *decode.Error
	require.True(t, errors.As(err, &bad))
	require.Equal(t, []blob.Span{{Blob: "x.efi", Off: 0x80, Len: 4}}, bad.Spans)
	b = image(".text")
	b[0x86], b[0x87] = 0xff, 0xff
	_, err = read(b)
	require.True(t, errors.As(err, &bad))
}

// The standard library reads the same files: GRUB's own, made by grub-mkimage.
func TestLikeTheStandardLibrary(t *testing.T) {
	tool, err := exec.LookPath("grub-mkimage")
	if err != nil {
		t.Skip("grub-mkimage is not installed")
	}
	name := filepath.Join(t.TempDir(), "grub.efi")
	if out, err := exec.Command(tool, "-O", "x86_64-efi", "-p", "/boot/grub", "-o", name, "part_gpt", "ext2").CombinedOutput(); err != nil {
		t.Skipf("grub-mkimage: %s", out)
	}
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	want, err := stdpe.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	got, err := read(b)
	require.NoError(t, err)
	require.Equal(t, want.Machine, got.Header.Machine)
	opt := want.OptionalHeader.(*stdpe.OptionalHeader64)
	require.Equal(t, opt.AddressOfEntryPoint, got.Optional.AddressOfEntryPoint)
	require.Equal(t, opt.Subsystem, got.Optional.Subsystem)
	require.Equal(t, opt.DataDirectory[4].Size, got.Certificate.Size)
	require.False(t, got.Signed())
	require.Len(t, got.Sections, len(want.Sections))
	for i, s := range want.Sections {
		require.Equal(t, s.Name, got.Sections[i].Name)
		require.Equal(t, int64(s.Offset), got.Sections[i].Off)
	}
	program, _ := got.Program()
	require.Equal(t, GRUB, program)
}

func FuzzRead(f *testing.F) {
	f.Add(image(".text", "mods", ".sdmagic", ".linux"))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := read(b)
		if err != nil {
			return
		}
		_, cites := img.Program()
		for _, s := range img.Sections {
			if s.Off < 0 || s.Size < 0 || s.Off+s.Size > int64(len(b)) {
				t.Fatalf("section %+v of %d bytes", s, len(b))
			}
		}
		for _, c := range cites {
			if c.Off < 0 || c.Off+c.Len > int64(len(b)) {
				t.Fatalf("cite %+v of %d bytes", c, len(b))
			}
		}
	})
}
