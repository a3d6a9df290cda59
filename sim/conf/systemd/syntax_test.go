package systemd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
)

func parseText(t *testing.T, text string) *File {
	f, err := Parse(blob.New("u", strings.NewReader(text), int64(len(text)), nil), "/u.service")
	require.NoError(t, err)
	return f
}

func TestUnitFilesAreReadAsTheManualSays(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Entry // without spans
	}{
		"sections and keys":                     {"[A]\nk=v\n[B]\nk = w \n", []Entry{{Section: "A", Key: "k", Value: "v", Line: 2}, {Section: "B", Key: "k", Value: "w", Line: 4}}},
		"comments and blank lines":              {"# c\n\n[A]\n; c\nk=v\n  # indented\n", []Entry{{Section: "A", Key: "k", Value: "v", Line: 5}}},
		"a backslash continues with one space":  {"[A]\nk=a\\\nb \\\n c\n", []Entry{{Section: "A", Key: "k", Value: "a b  c", Line: 2}}},
		"a comment inside a continuation":       {"[A]\nk=a \\\n# no\n; no\nb\n", []Entry{{Section: "A", Key: "k", Value: "a  b", Line: 2}}},
		"an escaped backslash does not":         {"[A]\nk=a\\\\\nl=b\n", []Entry{{Section: "A", Key: "k", Value: `a\\`, Line: 2}, {Section: "A", Key: "l", Value: "b", Line: 3}}},
		"an empty value":                        {"[A]\nk=\n", []Entry{{Section: "A", Key: "k", Line: 2}}},
		"the value keeps later equal signs":     {"[A]\nk=a=b\n", []Entry{{Section: "A", Key: "k", Value: "a=b", Line: 2}}},
		"no newline at the end":                 {"[A]\nk=v", []Entry{{Section: "A", Key: "k", Value: "v", Line: 2}}},
		"a byte order mark and carriage return": {"\ufeff[A]\r\nk=v\r\n", []Entry{{Section: "A", Key: "k", Value: "v", Line: 2}}},
		"a file that ends in a continuation":    {"[A]\nk=v\\", []Entry{{Section: "A", Key: "k", Value: "v", Line: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := parseText(t, c.text)
			for i := range f.Entries {
				e := &f.Entries[i]
				require.True(t, strings.HasPrefix(c.text[e.Off:], e.Key), "the span begins at the key")
				require.LessOrEqual(t, e.Off+e.Len, int64(len(c.text)))
				e.Off, e.Len = 0, 0
			}
			require.Equal(t, c.want, f.Entries)
			require.Empty(t, f.Notes)
		})
	}
}

func TestLinesThatSystemdSkipsAreNoted(t *testing.T) {
	f := parseText(t, "x=1\n[A\n[A]\nno assignment\n=v\nbad=\xff\nk=v\n")
	require.Len(t, f.Entries, 1)
	var notes []string
	for _, n := range f.Notes {
		notes = append(notes, n.Text)
	}
	require.Equal(t, []string{"Assignment outside of section. Ignoring.", "Invalid section header '[A'", "Missing '=', ignoring line.",
		"Missing key name before '=', ignoring line.", "Invalid UTF-8 string, ignoring line."}, notes)
	_, err := Parse(blob.New("u", strings.NewReader("[A]\n\x00"), 5, nil), "/u")
	require.ErrorContains(t, err, "NUL")
}

func TestAnAssignmentKnowsItsBytes(t *testing.T) {
	text := "[A]\n  k = a \\\n   b\nl=c\n"
	f := parseText(t, text)
	c := f.Cite(f.Entries[0])
	require.Len(t, c, 1)
	require.Equal(t, "k = a \\\n   b", text[c[0].Off:c[0].Off+c[0].Len])
	require.Equal(t, "/u.service: k", c[0].Name)
}

func TestWordsAreSplitAsQuotingSays(t *testing.T) {
	for in, want := range map[string][]string{
		`a  b`: {"a", "b"}, `"a b" 'c d'`: {"a b", "c d"}, `a"b c"d`: {"ab cd"}, `dev-disk-by\x2duuid.device`: {`dev-disk-by\x2duuid.device`}, "": nil,
	} {
		got, err := splitWords(in, retainEscapes)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	got, err := splitWords(`/bin/echo "a\tb" \x41\101\u00e9 \s`, cUnescape)
	require.NoError(t, err)
	require.Equal(t, []string{"/bin/echo", "a\tb", "AAé", " "}, got)
	_, err = splitWords(`"open`, cUnescape)
	require.ErrorIs(t, err, errQuote)
	_, err = splitWords(`\q`, cUnescape)
	require.ErrorIs(t, err, errEscape)
}

func TestNames(t *testing.T) {
	require.Equal(t, `dev-disk-by\x2duuid-1234\x2dAB`, EscapePath("/dev/disk/by-uuid/1234-AB"))
	require.Equal(t, "/dev/disk/by-uuid/1234-AB", UnescapePath(EscapePath("/dev/disk/by-uuid/1234-AB")))
	require.Equal(t, "-.mount", NameForPath("/", "mount"))
	require.Equal(t, `\x2efoo`, Escape(".foo"))
	for name, valid := range map[string]bool{"a.service": true, "a@.service": true, "a@b.mount": true, "a": false, ".service": false, "a.txt": false,
		"a b.service": false, "@x.service": false, strings.Repeat("a", 250) + ".service": false} {
		require.Equal(t, valid, ValidName(name), name)
	}
	require.Equal(t, "getty@.service", Template("getty@tty1.service"))
	require.Equal(t, "tty1", Instance("getty@tty1.service"))
	require.True(t, IsTemplate("getty@.service"))
	require.Equal(t, []string{"foo-bar-.service", "foo-.service"}, dashPrefixes("foo-bar-baz.service"))
}

func TestSpecifiers(t *testing.T) {
	h := Host{Name: "h.example", Kernel: "6.1", Arch: "x86-64", OS: map[string]string{"ID": "debian"}}
	u := &Unit{ID: `a-b@c\x2dd.service`}
	got, ok := h.expand(u, "%n %N %p %P %i %I %j %H %l %v %a %o %t %S %% %f")
	require.True(t, ok)
	require.Equal(t, `a-b@c\x2dd.service a-b@c\x2dd a-b a/b c\x2dd c-d b h.example h 6.1 x86-64 debian /run /var/lib % /c-d`, got)
	got, ok = h.expand(u, "/var/log/%m")
	require.False(t, ok, "the machine ID is not known")
	require.Equal(t, "/var/log/%m", got)
}

func FuzzParse(f *testing.F) {
	f.Add("[Unit]\nAfter=a.service \\\n b.service\n[Service]\nExecStart=-/bin/x \"a b\" ; /bin/y\nType=oneshot\n")
	f.Add("[Service]\nBusName=%i%%\nExecStart=@/a \\x\n[Unit]\nConditionPathExists=|!/a/../b\nRequiresMountsFor=/a//b/..\n")
	f.Add("[Socket]\nListenStream=/run/x\n[Mount]\nWhat=/dev/%x\nWhere=/\n[Slice]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		file, err := Parse(blob.New("u", strings.NewReader(text), int64(len(text)), nil), "/u")
		if err == nil {
			for _, e := range file.Entries {
				for _, c := range file.Cite(e) {
					require.True(t, c.Off >= 0 && c.Len > 0 && c.Off+c.Len <= int64(len(text)), "%v of %d", c.Span, len(text))
				}
			}
		}
		files := map[string]string{"etc/fstab": text, "etc/init.d/z*": text}
		for _, typ := range unitTypes {
			files["etc/systemd/system/a-b@."+typ] = text
			files["etc/systemd/system/x."+typ] = text
		}
		m := NewManager(Env{Root: tree(files), Cmdline: text})
		for _, typ := range unitTypes {
			for _, name := range []string{"x." + typ, `a-b@c\x2dd.` + typ} {
				if u := m.Load(name); u != nil {
					if _, err := m.Queue(u, Start, Replace); err == nil {
						for j := m.Next(); j != nil; j = m.Next() {
							m.Finish(j, Done)
						}
					}
				}
			}
		}
	})
}

func TestUnitFilesOfOthersAreRead(t *testing.T) {
	root := filepath.Join(truthDir(t), "peers/files/systemd")
	n := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		f, err := Parse(blob.New(d.Name(), strings.NewReader(string(data)), int64(len(data)), nil), path)
		if strings.Contains(path, "/units/") {
			require.NoError(t, err)
			require.NotEmpty(t, f.Entries, path)
			require.Empty(t, f.Notes, path)
		}
		m := NewManager(Env{Root: tree(map[string]string{"etc/systemd/system/x.service": string(data)})})
		m.Load("x.service")
		n++
		return nil
	})
	if err != nil {
		t.Skip("no unit files of others: set BOOTPATH_TRUTH")
	}
	require.NotZero(t, n)
}
