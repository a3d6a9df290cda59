package bls

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseLines(t *testing.T) {
	text := "# a comment\n\n  title \t Fedora 36  \r\noptions \"a b\"\nnothing\nlinux /a/b\x00efi /c\n"
	items := Parse([]byte(text), Blank)
	require.Len(t, items, 3)
	require.Equal(t, "title", items[0].Key)
	require.Equal(t, "Fedora 36", items[0].Value)
	require.Equal(t, "a b", items[1].Value)
	for _, it := range items {
		require.Equal(t, it.Value, text[it.ValueOff:it.ValueOff+it.ValueLen])
		require.True(t, strings.HasPrefix(text[it.Off:], it.Key))
	}
}

// The settings and defaults of loader.conf(5).
func TestConfig(t *testing.T) {
	c := ParseConfig(nil)
	require.Equal(t, uint32(TimeoutHidden), c.Timeout)
	require.True(t, c.AutoEntries && c.AutoFirmware && c.Editor)

	c = ParseConfig([]byte("timeout menu-force\ndefault Arch-*.conf\neditor no\nauto-entries 0\nauto-firmware off\n"))
	require.Equal(t, uint32(TimeoutForce), c.Timeout)
	require.Equal(t, "arch-*.conf", c.Default)
	require.False(t, c.AutoEntries || c.AutoFirmware || c.Editor)
	require.Empty(t, c.Bad)

	c = ParseConfig([]byte("timeout 3\ntimeout soon\ndefault @last\nconsole-mode huge\nbeep maybe\nunknown key\n"))
	require.Equal(t, uint32(3), c.Timeout)
	require.Empty(t, c.Default)
	require.Len(t, c.Bad, 4)
	require.True(t, ParseConfig([]byte("default @SAVED\n")).Saved)
}

// The example of the Boot Loader Specification, type #1.
func TestEntry(t *testing.T) {
	e := ParseEntry([]byte(`# /boot/loader/entries/6a9857a393724b7a981ebb5b8495b9ea-3.8.0-2.fc19.x86_64.conf
title        Fedora 19 (Rawhide)
sort-key     fedora
machine-id   6a9857a393724b7a981ebb5b8495b9ea
version      3.8.0-2.fc19.x86_64
options      root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet
options      rhgb
architecture x64
linux        /6a98//3.8.0-2.fc19.x86_64/linux
initrd       /6a98/a
initrd       /6a98/b
`), "6A-3.8.conf", "x64", "")
	require.Equal(t, Linux, e.Kind)
	require.Equal(t, "6a-3.8.conf", e.ID)
	require.Equal(t, `\6a98\3.8.0-2.fc19.x86_64\linux`, e.Loader)
	require.Equal(t, []string{`\6a98\a`, `\6a98\b`}, e.Initrd)
	require.Equal(t, "root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet rhgb", e.Options)

	require.Equal(t, "architecture", ParseEntry([]byte("linux /a\narchitecture aa64\n"), "a.conf", "x64", "").Why)
	self := `\EFI\BOOT\BOOTX64.EFI`
	require.Equal(t, "efi", ParseEntry([]byte("efi /EFI/Boot/bootx64.efi\n"), "a.conf", "x64", self).Why)
	require.Equal(t, EFI, ParseEntry([]byte("efi /shellx64.efi\n"), "a.conf", "x64", self).Kind)
	require.Equal(t, None, ParseEntry([]byte("title nothing\n"), "a.conf", "x64", self).Kind)
}

func TestUnified(t *testing.T) {
	e, ok := ParseUnified([]byte("ID=debian\nNAME=Debian\nPRETTY_NAME=\"Debian 12\"\nVERSION_ID=\"12\"\n"), []byte("ro\nquiet\x00junk"), "Linux+3.efi")
	require.True(t, ok)
	require.Equal(t, []string{"Debian 12", "12", "debian", "ro quiet", `\EFI\Linux\Linux+3.efi`}, []string{e.Title, e.Version, e.SortKey, e.Options, e.Loader})
	require.Equal(t, "Linux+2-1.efi", e.Tries.Next)
	_, ok = ParseUnified([]byte("VERSION=1\n"), nil, "a.efi")
	require.False(t, ok)
}

// The series of systemd-boot(7), "Boot counting".
func TestTries(t *testing.T) {
	for _, series := range [][]string{
		{"foobar+3.efi", "foobar+2-1.efi", "foobar+1-2.efi", "foobar+0-3.efi"},
		{"foobar+4-0.efi", "foobar+3-1.efi", "foobar+2-2.efi", "foobar+1-3.efi", "foobar+0-4.efi"},
	} {
		for i, name := range series[:len(series)-1] {
			require.Equal(t, series[i+1], ParseTries(name, ".efi").Next)
		}
	}
	require.True(t, ParseTries("a+1+5-2.conf", ".conf").Left == 5)
	for _, name := range []string{"foobar.efi", "foobar+.efi", "foobar+3", "foobar+3-.efi", "foobar+3x.efi", "foobar+99999999999.efi", "a+3.conf"} {
		require.False(t, ParseTries(name, ".efi").Counting, name)
	}
}

// The examples of the Version Format Specification.
func TestCompareVersions(t *testing.T) {
	rising := []string{"", "~1", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123", "123-a", "123-a.1", "123-a1", "123-3", "123-3.1", "123^patch1", "123^1", "123.a-1", "123.1-1", "123a-1", "124"}
	require.Equal(t, "~1", slices.MinFunc(rising, CompareVersions))
	for i, a := range rising[2:] {
		require.Zero(t, CompareVersions(a, a))
		for _, b := range rising[3+i:] {
			require.Equal(t, -1, CompareVersions(a, b), "%s < %s", a, b)
			require.Equal(t, 1, CompareVersions(b, a), "%s > %s", b, a)
		}
	}
	require.Zero(t, CompareVersions("123_aa2-67.89", "123aa+2-67.89"))
	require.Zero(t, CompareVersions("0001", "1"))
	require.Equal(t, 1, CompareVersions("6.1.0-50", "6.1.0-9"))
}

// Boot Loader Specification, "Sorting".
func TestCompare(t *testing.T) {
	entry := func(id, key, machine, version string) *Entry {
		return &Entry{ID: id, SortKey: key, MachineID: machine, Version: version, Tries: ParseTries(id, ".conf")}
	}
	want := []*Entry{
		entry("z.conf", "arch", "b", "1"),
		entry("a.conf", "debian", "a", "6.10"),
		entry("b.conf", "debian", "a", "6.9"),
		entry("c.conf", "debian", "b", "7"),
		entry("old-10.conf", "", "", "1"),
		entry("old-9.conf", "", "", "2"),
		entry("bad+0-3.conf", "arch", "a", "9"),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortStableFunc(got, Compare)
	require.Equal(t, want, got)
	require.Negative(t, Compare(entry("x+2-1.conf", "k", "", ""), entry("x+1-2.conf", "k", "", "")))
}

func TestTitles(t *testing.T) {
	require.Equal(t, []string{"A (1)", "A (2)", "B (b1.conf)", "B (b2.conf)", "c.conf", "D (m1) (d.conf)", "D (m1) (e.conf)"}, Titles([]*Entry{
		{ID: "1", Title: "A", Version: "1"}, {ID: "2", Title: "A", Version: "2"},
		{ID: "b1.conf", Title: "B"}, {ID: "b2.conf", Title: "B"}, {ID: "c.conf"},
		{ID: "d.conf", Title: "D", MachineID: "m1"}, {ID: "e.conf", Title: "D", MachineID: "m1"}}))
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"debian.conf", "debian.conf", true}, {"debian", "debian.conf", false}, {"debian*", "debian.conf", true},
		{"*-6.?.conf", "a-6.1.conf", true}, {"*-6.?.conf", "a-6.10.conf", false}, {"*a*b*c", "xxaxxbxxbc", true},
		{"[a-c]*", "b", true}, {"[a-c]*", "d", false}, {"[]x]", "]", true}, {"[x-]", "-", true}, {"[a", "a", false},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\`, "a", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"a?", "a", false},
	} {
		require.Equal(t, c.want, Match(c.pattern, c.s), "%q %q", c.pattern, c.s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("title A\nlinux /a\ninitrd \"/b\"\noptions x\n"), "a+3-1.conf")
	f.Add([]byte("timeout 5\ndefault [a-b]*\\\n"), "*.efi")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		for _, sep := range []string{Blank, Equals} {
			end := int64(0)
			for _, it := range Parse(data, sep) {
				if it.Off < end || it.ValueOff < it.Off || it.ValueOff+it.ValueLen > it.Off+it.Len || it.Off+it.Len > int64(len(data)) {
					t.Fatalf("%+v of %d bytes", it, len(data))
				}
				end = it.Off + it.Len
			}
		}
		c, e := ParseConfig(data), ParseEntry(data, name, "x64", name)
		u, _ := ParseUnified(data, data, name)
		Match(c.Default, e.ID)
		if Compare(&e, &u) != -Compare(&u, &e) || Compare(&e, &e) != 0 {
			t.Fatalf("the order of %+v and %+v depends on who asks", e, u)
		}
		Titles([]*Entry{&e, &u, &e})
	})
}
