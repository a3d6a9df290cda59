package grubcore

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz/lzma"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

func TestLayouts(t *testing.T) {
	require.NoError(t, decode.CheckLayout(&BootSector{}, 512))
	require.NoError(t, decode.CheckLayout(&Block{}, 12))
	require.NoError(t, decode.CheckLayout(&BootInfo{}, 0x18))
	require.NoError(t, decode.CheckLayout(&Decompressor{}, 0x1c))
	require.NoError(t, decode.CheckLayout(&ModuleHeader{}, 8))
	require.NoError(t, decode.CheckLayout(&info32{}, 12))
	require.NoError(t, decode.CheckLayout(&info64{}, 24))
}

func of(b []byte) *blob.Blob { return blob.New("b", bytes.NewReader(b), int64(len(b)), nil) }

// module builds a 64-bit ELF object with a name and dependencies.
func module(name, deps string) []byte {
	names := "\x00.modname\x00.moddeps\x00.shstrtab\x00"
	data := name + "\x00" + deps + names
	b := make([]byte, 64+len(data)+4*64)
	copy(b, "\x7fELF\x02\x01\x01")
	copy(b[64:], data)
	le := binary.LittleEndian
	at := 64 + len(data)
	le.PutUint64(b[0x28:], uint64(at))
	le.PutUint16(b[0x3a:], 64)
	le.PutUint16(b[0x3c:], 4)
	le.PutUint16(b[0x3e:], 3)
	section := func(i, nameAt, off, size int) {
		h := b[at+64*i:]
		le.PutUint32(h, uint32(nameAt))
		le.PutUint64(h[0x18:], uint64(off))
		le.PutUint64(h[0x20:], uint64(size))
	}
	section(1, 1, 64, len(name)+1)
	section(2, 10, 64+len(name)+1, len(deps))
	section(3, 19, 64+len(name)+1+len(deps), len(names))
	return b
}

// objects puts objects behind a module info header.
func objects(wide bool, list ...any) []byte {
	var body []byte
	for i := 0; i < len(list); i += 2 {
		data := list[i+1].([]byte)
		body = binary.LittleEndian.AppendUint32(body, uint32(list[i].(int)))
		body = binary.LittleEndian.AppendUint32(body, uint32(len(data)+8))
		body = append(body, data...)
	}
	out := []byte("mimg")
	if !wide {
		out = binary.LittleEndian.AppendUint32(out, 12)
		out = binary.LittleEndian.AppendUint32(out, uint32(12+len(body)))
		return append(out, body...)
	}
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = binary.LittleEndian.AppendUint64(out, 24)
	out = binary.LittleEndian.AppendUint64(out, uint64(24+len(body)))
	return append(out, body...)
}

func TestModules(t *testing.T) {
	for _, wide := range []bool{false, true} {
		code := []byte("code mimg in an operand \x00\x00\x00\x00mimg....")
		b := append(code[:len(code):len(code)], objects(wide, typeELF, module("ext2", "fshelp\x00"), typeConfig, []byte("insmod x\n\x00\x00"), typePrefix, []byte("(,gpt2)/boot/grub\x00"), 4, []byte("key."))...)
		m, err := ReadModules(of(b), 0, int64(len(b)), wide)
		require.NoError(t, err)
		require.Equal(t, "ext2", m.List[0].Name)
		require.Equal(t, []string{"fshelp"}, m.List[0].Deps)
		require.True(t, m.Has("ext2") && !m.Has("fat"))
		require.Equal(t, "insmod x\n", m.Config.Value)
		require.Equal(t, "(,gpt2)/boot/grub", m.Prefix.Value)
		require.Equal(t, "(,gpt2)", string(b[m.Prefix.Off:][:7]))
		require.Equal(t, []uint32{4}, m.Unknown)
		require.NotEmpty(t, m.InfoCite)
	}
	_, err := ReadModules(of(make([]byte, 1000)), 0, 1000, true)
	require.ErrorIs(t, err, decode.ErrFormat)
	b := objects(true, typePrefix, []byte("abc"))
	b[24+4] = 200 // larger than what is there
	_, err = ReadModules(of(b), 0, int64(len(b)), true)
	require.ErrorContains(t, err, "module header: Size")
}

func TestBlockList(t *testing.T) {
	disk := make([]byte, 20*512)
	for i := range disk {
		disk[i] = byte(i / 512)
	}
	first := disk[512:1024]
	clear(first)
	put := func(i int, start uint64, n, segment uint16) {
		e := first[firstBlock-12*i:]
		binary.LittleEndian.PutUint64(e, start)
		binary.LittleEndian.PutUint16(e[8:], n)
		binary.LittleEndian.PutUint16(e[10:], segment)
	}
	put(0, 2, 3, 0x820)
	put(1, 10, 2, 0x880)
	b, err := ReadBlocks(of(disk), 512)
	require.NoError(t, err)
	require.Equal(t, []Block{{2, 3, 0x820}, {10, 2, 0x880}}, b.List)
	require.Equal(t, int64(5), b.Sectors())
	require.Equal(t, "b[0x3f4:+8]", b.Recs[0].CiteAll()[0].Span.String())
	r, err := b.Reader(of(disk), int64(len(disk)))
	require.NoError(t, err)
	got, err := blob.ReadAll(r, 1<<20)
	require.NoError(t, err)
	require.Equal(t, []byte{2, 3, 4, 10, 11}, []byte{got[0], got[512], got[1024], got[1536], got[2048]})
	require.Equal(t, "b[0x1400:+4]", blob.Locate(r, 1536, 4)[0].String())
	_, err = b.Reader(of(disk), 11*512)
	require.ErrorContains(t, err, "block list")
}

func TestCoreIsFoundByItsOwnCode(t *testing.T) {
	kernel := append(bytes.Repeat([]byte("kernel code "), 100), objects(false, typePrefix, []byte("/boot/grub\x00\x00"))...)
	var z bytes.Buffer
	w, err := lzma.WriterConfig{Properties: &lzma.Properties{LC: 3, LP: 0, PB: 2}, DictCap: 1 << 16, SizeInHeader: true, Size: int64(len(kernel))}.NewWriter(&z)
	require.NoError(t, err)
	w.Write(kernel)
	require.NoError(t, w.Close())
	packed := z.Bytes()[13:]
	b := make([]byte, 0x100)
	b[0] = 0xea
	le := binary.LittleEndian
	le.PutUint32(b[8:], uint32(len(packed)))
	le.PutUint32(b[12:], uint32(len(kernel)))
	le.PutUint16(b[0x14:], 0xc0)
	copy(b[0x40:], "\x8b\x15\x08\x82\x00\x00\x81\xc2\x40\x00\x00\x00")
	b = append(b, packed...)
	c, err := ReadCore(of(b), int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, int64(0x100), c.Off)
	r, err := c.Open(of(b))
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, kernel, got)
	le.PutUint32(b[8:], 1<<30)
	_, err = ReadCore(of(b), int64(len(b)))
	require.ErrorContains(t, err, "CompressedSize")
}

// grub-mkimage writes what this package reads.
func TestLikeGrubMkimage(t *testing.T) {
	tool, err := exec.LookPath("grub-mkimage")
	if err != nil {
		t.Skip("grub-mkimage is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "load.cfg")
	require.NoError(t, os.WriteFile(config, []byte("search.file /x root\n"), 0o644))
	for _, format := range []string{"i386-pc", "i386-pc-eltorito"} {
		name := filepath.Join(dir, format)
		if out, err := exec.Command(tool, "-O", format, "-c", config, "-p", "(,msdos3)/grub", "-o", name, "biosdisk", "part_msdos", "ext2", "search_fs_file").CombinedOutput(); err != nil {
			t.Skipf("grub-mkimage: %s", out)
		}
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		skip := int64(512)
		if format == "i386-pc-eltorito" {
			_, _, err := ReadCDBoot(of(b))
			require.NoError(t, err)
			skip += CDBootSize
		}
		core := blob.Section(of(b), skip, int64(len(b))-skip)
		c, err := ReadCore(core, core.Size())
		require.NoError(t, err)
		r, err := c.Open(core)
		require.NoError(t, err)
		k, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, c.Limit(), int64(len(k)))
		m, err := ReadModules(of(k), 0, int64(len(k)), false)
		require.NoError(t, err)
		require.Equal(t, "(,msdos3)/grub", m.Prefix.Value)
		require.Equal(t, "search.file /x root\n", m.Config.Value)
		for _, mod := range []string{"biosdisk", "part_msdos", "ext2", "fshelp", "search_fs_file"} {
			require.True(t, m.Has(mod), mod)
		}
	}
}

func TestBootImg(t *testing.T) {
	b, err := os.ReadFile("/usr/lib/grub/i386-pc/boot.img")
	if err != nil {
		t.Skip("GRUB's boot.img (package grub-pc-bin) is not installed")
	}
	bs, err := ReadBootSector(of(b))
	require.NoError(t, err)
	require.Equal(t, uint64(1), bs.Kernel.LBA)
	require.Equal(t, uint8(0xff), bs.Sector.BootDrive)
	require.Equal(t, "b[0x5c:+8]", bs.Cites()[0].Span.String())
	b[0x5b] = 0
	_, err = ReadBootSector(of(b))
	require.ErrorIs(t, err, decode.ErrFormat)

	b, err = os.ReadFile("/usr/lib/grub/i386-pc/boot_hybrid.img")
	require.NoError(t, err)
	bs, err = ReadBootSector(of(b))
	require.NoError(t, err)
	require.Equal(t, "b[0x1b0:+8]", bs.Cites()[0].Span.String())
}

func TestFind(t *testing.T) {
	b := make([]byte, 200<<10)
	copy(b[64<<10-3:], "needle")
	at, ok := Find(of(b), "needle", int64(len(b)))
	require.True(t, ok)
	require.Equal(t, int64(64<<10-3), at)
	_, ok = Find(of(b), "needle", 64<<10)
	require.False(t, ok, "it ends behind the limit")
	_, ok = Find(of(b), "no such", 1<<40)
	require.False(t, ok)
}

func FuzzRead(f *testing.F) {
	f.Add(objects(true, typeELF, module("ext2", "fshelp\x00"), typePrefix, []byte("/x\x00\x00")))
	f.Add(objects(false, typeELF, module("ext2", "fshelp\x00"), typeConfig, []byte("/x\x00\x00")))
	f.Add(bytes.Repeat([]byte("mimg"), 300))
	f.Add(module("a", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := int64(len(b))
		for _, wide := range []bool{false, true} {
			if m, err := ReadModules(of(b), 0, size, wide); err == nil {
				for _, e := range m.List {
					if e.Off < 0 || e.Off+e.Size > size {
						t.Fatalf("module %+v of %d bytes", e, size)
					}
				}
			}
		}
		ReadModule(of(b))
		ReadBootSector(of(b))
		ReadCDBoot(of(b))
		if l, err := ReadBlocks(of(b), 0); err == nil {
			l.Reader(of(b), size)
		}
		if c, err := ReadCore(of(b), size); err == nil {
			if r, err := c.Open(of(b)); err == nil {
				io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			}
		}
	})
}
