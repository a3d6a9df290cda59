package sh

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scripts are whole inputs; each is also given to the real dash, which must agree on whether it parses.
var scripts = []struct {
	name, src string
	ok        bool
}{
	{"straight lines", "mount -t proc proc /proc; mount -t sysfs sys /sys\nexec setsid cttyhack sh\n", true},
	{"case with patterns and alternatives", "case $x in\nquiet)\n q=y\n;;\n(a|b) ;;\n*[![:digit:].]*) x= ;;\nesac\n", true},
	{"case without the last ;;", "case a in a) echo b\nesac", true},
	{"if, elif, else", "if [ a = b ]; then c; elif d; then e; else f; fi >/dev/null 2>&1", true},
	{"loops", "while read -r m; do continue; done </conf/modules\nuntil false; do break; done\nfor x in a b; do :; done\nfor y do :; done", true},
	{"functions", "f()\n{\n echo \"$@\"\n}\ng() ( exit 1 )\nf a && g || ! f b", true},
	{"expansions", `echo ${x:-$y} "${x#*=}" ${x%%.*} ${#x} $((1 + $a)) $(cat /proc/cmdline) ` + "`uname -r`" + ` "${ROOTDELAY:-0}" $1 $@ $$`, true},
	{"here-document", "cat <<E\na $x\nE\ncat <<-'F'\n\tb $y\n\tF\necho c", true},
	{"nested substitution", `if ! a=$(b "$(c "${d}")") || e; then f; fi`, true},
	{"subshell inside $((", `x=$( (a; b) )`, true},
	{"background and pipe", "a | b &\n{ c; d; } | e", true},
	{"comment and continuation", "a # b ' \" \nc \\\n d", true},
	{"quotes", `echo 'a"b' "a'b" a\ b "\$x \n"`, true},
	{"no fi", "if a; then b", false},
	{"stray done", "a; done", false},
	{"open quote", "echo 'a", false},
	{"empty then", "if a; then", false},
	{"operator first", "| a", false},
	{"missing )", "( a", false},
}

func TestParse(t *testing.T) {
	for _, s := range scripts {
		_, err := Parse(s.src)
		if got := err == nil; got != s.ok {
			t.Errorf("%s: Parse = %v, want ok %v", s.name, err, s.ok)
		}
	}
}

func TestDashAgrees(t *testing.T) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("dash is not installed")
	}
	for _, s := range scripts {
		file := filepath.Join(t.TempDir(), "s")
		require.NoError(t, os.WriteFile(file, []byte(s.src), 0o600))
		err := exec.Command(dash, "-n", file).Run()
		require.Equal(t, s.ok, err == nil, s.name)
	}
}

// The shell scripts of the machine that runs the test were written by others: what dash parses, we parse.
func TestScriptsOfThisMachine(t *testing.T) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("dash is not installed")
	}
	var files []string
	for _, pattern := range []string{"/usr/bin/*", "/etc/init.d/*", "/usr/share/initramfs-tools/*", "/usr/share/initramfs-tools/*/*/*"} {
		got, _ := filepath.Glob(pattern)
		files = append(files, got...)
	}
	n := 0
	for _, file := range files {
		if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() || st.Size() > maxSize {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(src), "#!/bin/sh") {
			continue
		}
		if exec.Command(dash, "-n", file).Run() != nil {
			continue
		}
		_, err = Parse(string(src))
		require.NoError(t, err, file)
		n++
	}
	t.Logf("%d scripts", n)
}

func TestTree(t *testing.T) {
	s, err := Parse("A=1 mount -t proc \"$dev\" /proc >/dev/null 2>&1 &\n")
	require.NoError(t, err)
	require.Equal(t, []Stmt{{
		Pos: Pos{0, 47}, Background: true,
		Node: &Simple{
			Pos:     Pos{0, 46},
			Assigns: []Assign{{"A", Word{Lit{"1", false}}}},
			Words:   []Word{{Lit{"mount", false}}, {Lit{"-t", false}}, {Lit{"proc", false}}, {&Param{Name: "dev", Quoted: true}}, {Lit{"/proc", false}}},
			Redirs:  []*Redir{{-1, ">", Word{Lit{"/dev/null", false}}}, {2, ">&", Word{Lit{"1", false}}}},
		},
	}}, s.Body)
	s, err = Parse("cat <<E\na $x\nE\n")
	require.NoError(t, err)
	require.Equal(t, Word{Lit{"a ", true}, &Param{Name: "x", Quoted: true}, Lit{"\n", true}}, s.Body[0].Node.(*Simple).Redirs[0].Target)
}

// A command keeps its place in the script however deep it is quoted.
func TestPlacesInsideQuotes(t *testing.T) {
	for _, src := range []string{
		"x=`one two`\n", "x=\"a `one \\`two\\`` b\"\n", "x=$((1 + $(one two)))\n", "cat <<E\nsome $(one two) text\nE\n", "x=$(one `one two`)\n",
	} {
		s, err := Parse(src)
		require.NoError(t, err, src)
		seen := 0
		var visit func([]Stmt)
		inside := func(w Word) {
			for _, part := range w {
				switch part := part.(type) {
				case *CmdSub:
					visit(part.Body)
				case *Arith:
					for _, p := range part.Expr {
						if sub, ok := p.(*CmdSub); ok {
							visit(sub.Body)
						}
					}
				}
			}
		}
		visit = func(body []Stmt) {
			Walk(body, func(c *Simple) {
				for _, a := range c.Assigns {
					inside(a.Value)
				}
				for _, r := range c.Redirs {
					inside(r.Target)
				}
				for _, w := range c.Words {
					inside(w)
				}
				if len(c.Words) > 0 {
					name := c.Words[0][0].(Lit).Text
					require.Equal(t, name, src[c.Off:c.Off+len(name)], src)
					seen++
				}
			})
		}
		visit(s.Body)
		require.NotZero(t, seen, src)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	_, err := Parse("a\nb\nif [[ x ]]; then y; fi\n")
	require.EqualError(t, err, `line 3: "[[" is not of the POSIX shell language`)
}

func FuzzParse(f *testing.F) {
	for _, s := range scripts {
		f.Add(s.src)
	}
	f.Add(strings.Repeat("$(", 200))
	f.Add(strings.Repeat("if a; then ", 200))
	f.Fuzz(func(t *testing.T, src string) {
		s, err := Parse(src)
		if err != nil {
			require.LessOrEqual(t, err.(*SyntaxError).Off, len(src))
			return
		}
		Walk(s.Body, func(c *Simple) {})
	})
}

var matches = []struct {
	pattern, name string
	want          bool
}{
	{"*", "", true},
	{"a*c", "abbc", true},
	{"a*c", "abbd", false},
	{"*=*", "root=x", true},
	{"root=*", "root=", true},
	{"?[!a-c]*", "xd", true},
	{"?[!a-c]*", "xb", false},
	{"*[![:digit:].]*", "3.5", false},
	{"*[![:digit:].]*", "3s", true},
	{"[]x]", "]", true},
	{"[a", "[a", true},
	{`\*`, "*", true},
	{`\*`, "a", false},
	{"virtio:d00000002v*", "virtio:d00000002v00001AF4", true},
	{"pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00", true},
	{"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
}

func TestMatch(t *testing.T) {
	dash, _ := exec.LookPath("dash")
	for _, m := range matches {
		if got := Match(m.pattern, m.name); got != m.want {
			t.Errorf("Match(%q, %q) = %v, want %v", m.pattern, m.name, got, m.want)
		}
		if dash != "" {
			out, err := exec.Command(dash, "-c", "case $1 in "+m.pattern+") echo y;; *) echo n;; esac", "x", m.name).Output()
			require.NoError(t, err)
			require.Equal(t, m.want, string(out) == "y\n", "dash: %q %q", m.pattern, m.name)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, m := range matches {
		f.Add(m.pattern, m.name)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		Match(pattern, name)
		require.True(t, Match(Quote(name), name))
	})
}

// The texts are what dash 0.5.12, BusyBox 1.36 and bash 5.2 print for echo -e (dash: echo) and printf.
func TestEscapesOfShells(t *testing.T) {
	for shell, want := range map[string][2]string{
		"dash":    {`dev\x2fvda`, `\x2fa|\x41b|\"`},
		"busybox": {"dev/vda", "/a|Ab|\\\""},
		"bash":    {"dev/vda", `/a|Ab|"`},
	} {
		text, _ := EscapesOf(shell).Unescape(`dev\x2fvda`)
		require.Equal(t, want[0], text, shell)
		require.Equal(t, want[1], EscapesOf(shell).Printf(`\x2fa|%b|\"`, []string{`\x41b`}, 100), shell)
	}
}
