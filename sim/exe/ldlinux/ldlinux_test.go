package ldlinux

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/decode"
)

func TestLayouts(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&BootInfo{}, 0x44))
	require.NoError(t, decode.CheckLayout(&patchArea{}, 0x18))
	require.NoError(t, decode.CheckLayout(&extPatchArea{}, 0x14))
	require.NoError(t, decode.CheckLayout(&Hybrid{}, 0x1b8))
}

const copyright = " Copyright (C) 1994-2015 H. Peter Anvin et al\r\n\x00"

// isolinux is the part of an isolinux.bin that is read, with the sum that belongs to it.
func isolinux() []byte {
	b := make([]byte, 4096)
	copy(b[0x200:], "\r\nISOLINUX 6.04 20200816 \x00"+copyright)
	le := binary.LittleEndian
	le.PutUint32(b[0x40:], HybridMagic)
	le.PutUint32(b[0x08:], 16)
	le.PutUint32(b[0x0c:], 30)
	le.PutUint32(b[0x10:], 4094)
	sum := uint32(0)
	for i := 64; i < len(b); i += 4 {
		sum += le.Uint32(b[i:])
	}
	le.PutUint32(b[0x14:], sum)
	return b
}

func TestISOLINUX(t *testing.T) {
	r := bytes.NewReader(isolinux())
	p, err := ReadISOLINUX(r)
	require.NoError(t, err)
	require.Equal(t, "ISOLINUX 6.04 20200816 ", p.Text)
	require.Equal(t, " Copyright (C) 1994-2015 H. Peter Anvin et al", p.Copyright)
	require.Equal(t, []string{"ISOLINUX", "6.04"}, []string{p.Name(), p.Version()})
	require.Equal(t, 6, p.Major())
	sum, err := p.Sum(r)
	require.NoError(t, err)
	require.Equal(t, p.Info.Checksum, sum)
	_, err = ReadISOLINUX(bytes.NewReader(make([]byte, 4096)))
	require.ErrorIs(t, err, decode.ErrFormat)
	p.Info.Length = 1 << 30
	_, err = p.Sum(r)
	require.Error(t, err)
}

// ldlinuxSys is an ldlinux.sys with a patch area, and the boot sector that loads it from sector 2255.
func ldlinuxSys() (file, boot []byte) {
	file, boot = make([]byte, 8192), make([]byte, 512)
	le := binary.LittleEndian
	copy(file, "\r\nSYSLINUX 6.04 \x00\r\n\x1a")
	le.PutUint32(file[24:], patchMagic)
	le.PutUint16(file[24+22:], 5190)
	for i, v := range []uint16{5848, 5212, 256, 5468, 256, 494, 192, 282, 288, 458} {
		le.PutUint16(file[5190+2*i:], v)
	}
	copy(file[5212:], "/boot/extlinux\x00")
	copy(file[5744:], "\r\nSYSLINUX 6.04 20210613\x00")
	copy(file[5849:], copyright)
	copy(boot, "\xeb\x58\x90SYSLINUX")
	copy(boot[400:], "Boot error\r\n")
	le.PutUint32(boot[282:], 2255)
	return file, boot
}

// The line is the one that QEMU showed of Debian 12's extlinux.
func TestLDLINUX(t *testing.T) {
	file, boot := ldlinuxSys()
	l, err := ReadLDLINUX(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, "/boot/extlinux", l.Dir)
	require.Equal(t, "SYSLINUX 6.04 EDD 20210613 Copyright (C) 1994-2015 H. Peter Anvin et al", l.Screen("EDD"))
	require.True(t, l.StartsAt(boot, 2255))
	require.False(t, l.StartsAt(boot, 2256))
	require.False(t, l.StartsAt(boot[:200], 2255))
	require.Equal(t, VBR, Identify(boot))
	for name, edit := range map[string]func(){"no patch area": func() { file[24] = 0 }, "no name": func() { file[2] = 'x'; file[5746] = 'x' }} {
		file, _ = ldlinuxSys()
		edit()
		_, err = ReadLDLINUX(bytes.NewReader(file))
		require.ErrorIs(t, err, decode.ErrFormat, name)
	}
}

// The code that Debian's packages isolinux and syslinux-common install.
func TestInstalledCode(t *testing.T) {
	for path, want := range map[string]Code{"/usr/lib/syslinux/mbr/mbr.bin": MBR, "/usr/lib/syslinux/mbr/gptmbr.bin": GPTMBR, "/usr/lib/ISOLINUX/isohdpfx.bin": IsoHybrid, "/usr/lib/ISOLINUX/isolinux.bin": Other} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Logf("%s is not installed", path)
			continue
		}
		sector := make([]byte, 512)
		copy(sector, data)
		require.Equal(t, want, Identify(sector), path)
		if want == Other {
			p, err := ReadISOLINUX(bytes.NewReader(data))
			require.NoError(t, err)
			require.GreaterOrEqual(t, p.Major(), 4)
			require.EqualValues(t, HybridMagic, p.Info.Hybrid)
		}
	}
	require.Equal(t, Other, Identify(nil))
}

func FuzzRead(f *testing.F) {
	f.Add(isolinux())
	file, boot := ldlinuxSys()
	f.Add(file)
	f.Add(boot)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		if p, err := ReadISOLINUX(r); err == nil {
			p.Sum(r)
			p.Major()
		}
		if l, err := ReadLDLINUX(r); err == nil {
			require.LessOrEqual(t, len(l.Dir), maxName)
			l.StartsAt(data, 1)
			l.Screen("EDD")
		}
		Identify(data)
		ReadHybrid(r)
	})
}
