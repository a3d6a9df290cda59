package syslinux

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree is a configuration of several files.
type tree map[string]string

func (t tree) read(main string) *Config {
	open := func(name string) (*File, bool) {
		text, ok := t[name]
		return &File{Path: name, Text: text}, ok
	}
	f, _ := open(main)
	return Read(f, open)
}

func TestDirectives(t *testing.T) {
	text := "# comment\r\n\n  Default  linux opt \nLABEL linux\n\tMENU LABEL ^Start\r\n  say\nSAY   two\ntext help\n label x\nEndText\nKERNEL a\nEMPTY"
	var got []string
	for _, d := range Parse(&File{Text: text}) {
		got = append(got, d.Key+"="+d.Value+"|"+text[d.Off:d.Off+d.Len])
	}
	require.Equal(t, []string{"default=linux opt |Default  linux opt", "label=linux|LABEL linux", "menu label=^Start|MENU LABEL ^Start",
		"say=|say", "say=  two|SAY   two", "text=help|text help", "kernel=a|KERNEL a", "empty=|EMPTY"}, got)
}

// fgets cuts a line at 4095 bytes; the rest is a line of its own.
func TestALongLineIsSeveral(t *testing.T) {
	all := Parse(&File{Text: "say " + strings.Repeat("x", 5000) + "\nprompt 1\n"})
	require.Len(t, all, 3)
	require.Equal(t, "say", all[0].Key)
	require.Len(t, all[0].Value, 4091)
	require.Equal(t, strings.Repeat("x", 909), all[1].Key)
	require.Equal(t, "prompt", all[2].Key)
}

// The second command line was recorded in QEMU with SYSLINUX 6.04:
// "BOOT_IMAGE=vmlinuz console=ttyS0 global=1 initrd=m.txt,m2.txt opt=1".
func TestCommands(t *testing.T) {
	c := tree{"c": "append early\nappend console=ttyS0 global=1\nlabel none\nlabel l2\nLINUX vmlinuz\n  INITRD m.txt,m2.txt\nlabel reset\nlinux nosuch\nappend -\n" +
		"label own\nkernel k\nappend a  b \nlabel mod\ncom32 chain.c32\nappend hd0\nipappend 0x3\nlabel Own\nlocalboot 0x80\nappend -\n"}.read("c")
	for name, want := range map[string]string{"none": "none console=ttyS0 global=1", "l2": ".linux vmlinuz console=ttyS0 global=1 initrd=m.txt,m2.txt",
		"reset": ".linux nosuch", "own": "k a  b ", "mod": ".com32 chain.c32 hd0", "Own": ".localboot 0x80"} {
		require.Equal(t, want, c.Find(name+" opt=1").Command(), name)
	}
	require.Nil(t, c.Find("OWN"), "names of labels have a case")
	require.Nil(t, c.Find(""))
	require.EqualValues(t, 3, c.Find("mod").IPAppend)
}

func TestGlobals(t *testing.T) {
	c := tree{"c": "PROMPT 1\nTIMEOUT 50\nTotalTimeout 9000\nontimeout other x\nONERROR fix\nNoEscape 1\nimplicit 0\nallowoptions 0\npath /a:/b::c\nui menu.c32\ndefault linux\ndefault last\nmenu hidden\nmenu title T\nsysappend 1\n"}.read("c")
	require.True(t, c.Prompt && c.NoEscape && c.NoImplicit && c.NoOptions && c.MenuHidden)
	require.Equal(t, []int{50, 9000}, []int{c.Timeout, c.Total})
	require.Equal(t, []string{"other x", "fix", "last", "T"}, []string{c.OnTimeout, c.OnError, c.Default, c.Root.Title})
	require.Equal(t, []string{"/a", "/b", "c"}, c.Path)
	line, ok := c.Boot()
	require.True(t, ok)
	require.Equal(t, "menu.c32", line, "UI goes before DEFAULT")
	_, ok = tree{"c": "label a\n"}.read("c").Boot()
	require.False(t, ok)
}

func TestMenus(t *testing.T) {
	c := tree{"c": "menu title Top\nmenu separator\nlabel a\nmenu label ^First\nlabel hid\nmenu hide\nlabel b\nmenu default\nmenu begin more\nmenu title More\nlabel c\nmenu default\nlabel back\nmenu exit\nmenu end\nlabel off\nmenu disable\ninclude sub\n",
		"sub": "label d\nmenu passwd x\n"}.read("c")
	var got []string
	for _, e := range c.Root.Entries {
		got = append(got, e.Display)
	}
	require.Equal(t, []string{"", "^First", "b", "more", "off", "d"}, got)
	require.Equal(t, 2, c.Root.Default)
	sub := c.Root.Entries[3].Submenu
	require.Equal(t, "More", sub.Title)
	require.Equal(t, []string{"c", "back"}, []string{sub.Entries[0].Name, sub.Entries[1].Name})
	require.True(t, sub.Entries[1].Goto)
	require.NotNil(t, c.Find("hid"), "a hidden label can be asked for")
	require.Nil(t, c.Find("off"))
	require.True(t, c.Find("d").Password)
	require.Same(t, c.Root, c.Start)
}

func TestTheDefaultLabelMarksItsMenu(t *testing.T) {
	c := tree{"c": "default c x=1\nlabel a\nlabel b\nmenu default\nmenu begin\nlabel x\nlabel c\nmenu end\n"}.read("c")
	require.NotSame(t, c.Root, c.Start)
	require.Equal(t, 1, c.Start.Default)
}

func TestIncludes(t *testing.T) {
	c := tree{"c": "include sub/a\ninclude nowhere\nlabel z\n", "sub/a": "label y\nkernel ky\ninclude sub/b\n", "sub/b": "append of=y\n"}.read("c")
	require.Empty(t, c.Problem)
	require.Len(t, c.Files, 3)
	require.Equal(t, "ky of=y", c.Find("y").Command(), "a label goes on in the next file")
	require.Equal(t, "sub/b", c.Find("y").Set[2].File.Path)
	require.NotEmpty(t, tree{"c": "include c\n"}.read("c").Problem)
	require.NotEmpty(t, tree{"c": "include d\ninclude d\n", "d": "include c\ninclude c\n"}.read("c").Problem)
}

// extlinux.conf as U-Boot reads it (doc/README.pxe): the same words and those of the device tree.
func TestUBoot(t *testing.T) {
	c := tree{"c": "TIMEOUT 30\nDEFAULT primary\nMENU TITLE options\nLABEL primary\n  MENU LABEL primary kernel\n  LINUX /boot/Image\n  FDT /boot/board.dtb\n  FDTOVERLAYS /boot/a.dtbo\n  INITRD /boot/initrd\n  APPEND ${cbootargs} root=/dev/mmcblk0p1 rw\n"}.read("c")
	l := c.Find("primary")
	require.Equal(t, ".linux /boot/Image ${cbootargs} root=/dev/mmcblk0p1 rw initrd=/boot/initrd", l.Command())
	keys := []string{}
	for _, d := range l.Set {
		keys = append(keys, d.Key+" "+d.Value)
	}
	require.Contains(t, keys, "fdt /boot/board.dtb")
	require.Contains(t, keys, "fdtoverlays /boot/a.dtbo")
}

// Configurations of published installation media. Each label that they write stands for something, and
// spans are inside the file.
func TestPublishedConfigurations(t *testing.T) {
	dir := os.Getenv("BOOTPATH_TRUTH")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "truth")
	}
	root := os.DirFS(filepath.Join(dir, "peers", "files", "syslinux"))
	n := 0
	fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		n++
		open := func(file string) (*File, bool) {
			data, err := fs.ReadFile(root, path.Join(path.Dir(name), file))
			return &File{Path: file, Text: string(data)}, err == nil
		}
		f, ok := open(path.Base(name))
		require.True(t, ok)
		c := Read(f, open)
		require.Empty(t, c.Problem, name)
		require.NotEmpty(t, c.Directives, name)
		want := strings.Count("\n"+strings.ToLower(f.Text), "\nlabel ") + strings.Count(strings.ToLower(f.Text), "\tlabel ")
		require.GreaterOrEqual(t, len(c.Labels), want, name)
		requireSound(t, c)
		if strings.HasSuffix(name, "fedora_27_install/isolinux/isolinux.cfg") {
			line, _ := c.Boot()
			require.Equal(t, "vesamenu.c32", line)
			require.Equal(t, 600, c.Timeout)
			e := c.Start.Entries[c.Start.Default]
			require.Equal(t, "vmlinuz initrd=initrd.img root=live:CDLABEL=Fedora-WS-Live-27-1-6 rd.live.image rd.live.check quiet", e.Command())
		}
		return nil
	})
	if n == 0 {
		t.Skip("no published configurations: set BOOTPATH_TRUTH")
	}
}

func requireSound(t *testing.T, c *Config) {
	t.Helper()
	for _, d := range c.Directives {
		require.True(t, d.Off >= 0 && d.Len >= 0 && d.Off+d.Len <= len(d.File.Text))
		require.NotEmpty(t, d.Key)
	}
	for _, l := range c.Labels {
		require.NotNil(t, l.Menu)
		l.Command()
	}
	for m := c.Start; m != nil; m = m.Parent {
		require.True(t, m.Default == 0 || m.Default < len(m.Entries))
	}
}

func FuzzRead(f *testing.F) {
	f.Add("default linux\nlabel linux\nkernel vmlinuz\nappend initrd=x\n", "menu begin\nmenu label x\nmenu end\n")
	f.Add("include b\nmenu include b tag\nmenu separator\nlabel\n", "text\nlabel\nendtext\nmenu default\nmenu exit\n")
	f.Add("\x00say\r\nsay", "include b\nui\nappend\nserial 0 9600\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		requireSound(t, tree{"a": a, "b": b}.read("a"))
	})
}
