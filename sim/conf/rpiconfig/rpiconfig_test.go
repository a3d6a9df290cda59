package rpiconfig

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiltersAndIncludes(t *testing.T) {
	text := "# comment\narm_64bit=1\n[pi3]\nkernel=three.img\n[pi4]\nkernel=four.img\n[gpio4=1]\nkernel=pin.img\n[all]\ninitramfs initrd.gz followkernel\ninclude extra.txt\n[none]\nkernel=none.img\n"
	open := func(name string) (string, bool) {
		return "cmdline=other.txt\n[cm4]\ncmdline=cm.txt\n", name == "extra.txt"
	}
	c := Read("config.txt", text, "pi4", open)
	require.Equal(t, "four.img", c.Value("kernel", ""))
	require.Equal(t, "initrd.gz followkernel", c.Value("initramfs", ""))
	require.Equal(t, "other.txt", c.Value("cmdline", "cmdline.txt"))
	require.Equal(t, "1", c.Value("arm_64bit", "0"))
	require.Equal(t, "x", c.Value("os_prefix", "x"))
	require.Equal(t, []string{"gpio4=1"}, c.Doubt)
	s := c.Last("kernel")
	require.Equal(t, "kernel=four.img", text[s.Off:s.Off+s.Len])
	require.Equal(t, "three.img", Read("config.txt", text, "pi3", open).Value("kernel", ""))
}

func FuzzRead(f *testing.F) {
	f.Add("[pi4]\nkernel=a\ninclude config.txt\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := Read("config.txt", text, "pi4", func(string) (string, bool) { return text, len(text) < 100 })
		for _, s := range c.Settings {
			if s.Off < 0 || s.Off+s.Len > len(text) {
				t.Fatalf("%+v is outside the %d bytes", s, len(text))
			}
		}
	})
}
