package bzimage

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/stream"
	"bootpath/tests/fixture"
)

const (
	banner      = "Linux version 6.1.0-56-cloud-arm64 (debian-kernel@lists.debian.org) (gcc-12) #1 SMP Debian 6.1.192-2 (2026-11-16)\n"
	earlyBanner = "Linux version 6.1.0-56-cloud-arm64 (debian-kernel@lists.debian.org) (gcc-12) # SMP Debian\n"
)

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// arm64Image is an Image with two banners, as real ones have, and a configuration.
func arm64Image() []byte {
	b := make([]byte, 0x400)
	copy(b[0x38:], "ARM\x64")
	b = append(b, "Linux version %s\x00"+earlyBanner+"\x00"+banner+"\x00"...)
	b = append(b, "IKCFG_ST"...)
	b = append(b, zip([]byte("CONFIG_VIRTIO_BLK=y\n"))...)
	return append(b, "IKCFG_ED"...)
}

// zbootImage wraps a compressed Image in an EFI program.
func zbootImage() []byte {
	payload := zip(arm64Image())
	b := make([]byte, 0x200)
	le := binary.LittleEndian
	copy(b, "MZ\x00\x00zimg")
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(len(payload)))
	copy(b[0x18:], "gzip")
	le.PutUint32(b[0x38:], 0x818223cd)
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00\x64\xaa")
	return append(b, payload...)
}

// vmlinuxFile is an ELF kernel for x86 with a PVH note.
func vmlinuxFile() []byte {
	b := make([]byte, 0x200)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[0x10:], 2)         // ET_EXEC
	le.PutUint16(b[0x12:], 62)        // EM_X86_64
	le.PutUint64(b[0x18:], 0x1000000) // entry
	le.PutUint64(b[0x20:], 0x40)
	le.PutUint16(b[0x36:], 56)
	le.PutUint16(b[0x38:], 2)
	load, note := b[0x40:], b[0x78:]
	le.PutUint32(load, 1)
	le.PutUint64(load[0x10:], 0xffffffff81000000)
	le.PutUint32(note, 4)
	le.PutUint64(note[0x08:], 0x100)
	le.PutUint64(note[0x20:], 20)
	copy(b[0x100:], "\x04\x00\x00\x00\x04\x00\x00\x00\x12\x00\x00\x00Xen\x00\x40\x12\x34\x01")
	return append(b, banner+"\x00"...)
}

func TestKernelsOfEveryFormatTellTheirVersion(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&ZbootHeader{}, 0x40))
	for name, c := range map[string]struct {
		file         []byte
		format, arch string
		stream       stream.Kind
		efi          bool
		pvh          uint64
	}{
		"Image":    {arm64Image(), Raw, "arm64", stream.None, false, 0},
		"Image.gz": {zip(arm64Image()), Raw, "arm64", stream.Gzip, false, 0},
		"zboot":    {zbootImage(), Zboot, "arm64", stream.None, true, 0},
		"vmlinux":  {vmlinuxFile(), Vmlinux, "amd64", stream.None, false, 0x1341240},
	} {
		store := blob.NewStore()
		b := store.Add(name, bytes.NewReader(c.file), int64(len(c.file)), nil)
		k, err := Read(b, b.Size())
		require.NoError(t, err, name)
		require.Equal(t, []any{c.format, c.arch, c.stream, c.efi, c.pvh}, []any{k.Format, k.Arch, k.Stream, k.EFI, k.PVH}, name)
		version, cites := k.Release(store, name)
		require.Equal(t, "6.1.0-56-cloud-arm64", version, name)
		require.NotEmpty(t, cites)
		text, _, err := k.Banner(store, name)
		require.NoError(t, err)
		require.Equal(t, banner, text, "not the early one")
		config, _, err := k.Config(store, name)
		if c.format == Vmlinux {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, "CONFIG_VIRTIO_BLK=y\n", string(config))
	}
}

func TestAProgramIsNoKernel(t *testing.T) {
	b := vmlinuxFile()
	binary.LittleEndian.PutUint64(b[0x50:], 0x400000) // user space
	_, err := Read(fixture.Blob("x", b), int64(len(b)))
	require.ErrorIs(t, err, decode.ErrFormat)
}

func FuzzFormats(f *testing.F) {
	for _, b := range [][]byte{arm64Image(), zip(arm64Image()), zbootImage(), vmlinuxFile()} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		store := blob.NewStore()
		in := store.Add("k", bytes.NewReader(b), int64(len(b)), nil)
		k, err := Read(in, in.Size())
		if err != nil {
			return
		}
		k.Release(store, "k")
		k.Config(store, "k")
		for _, c := range k.Cites() {
			if c.Off < 0 || c.Off+c.Len > int64(len(b)) {
				t.Fatalf("%v is outside the %d bytes", c.Span, len(b))
			}
		}
	})
}
