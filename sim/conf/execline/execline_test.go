package execline

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cases are scripts with the arguments that execlineb 2.9.3 made of them, found by letting a program print its arguments.
var cases = []struct{ script, want string }{
	{"a b", "a|b"},
	{"a # no\n b#c d", "a|b#c|d"},
	{`"a b" c"d e"f`, "a b|cd ef"},
	{`"\t\n\0x41\65\0101" \n \  "\q\
x"`, "\t\nAAA|n| |qx"},
	{`"\0x414" "\0658" "\1234"`, "A4|58|{4"},
	{"if { a b } c", "if| a| b||c"},
	{"x { y { z } } w", "x| y|  z| ||w"},
	{"x { } {a} }b \"{\" \\}", "x||{a}|}b|{|}"},
	{"", ""},
}

func TestParse(t *testing.T) {
	for _, c := range cases {
		words, err := Parse(c.script)
		require.NoError(t, err, c.script)
		require.Equal(t, c.want, strings.Join(Texts(words), "|"), c.script)
	}
	for script, want := range map[string]string{"a }": "unmatched }", "a { b": "unmatched {", `a "b`: "syntax error", `a \`: "syntax error", `a "\0g"`: "syntax error", "a {": "syntax error"} {
		_, err := Parse(script)
		var bad *SyntaxError
		require.True(t, errors.As(err, &bad), script)
		require.Equal(t, want, bad.Msg, script)
	}
}

// TestParseAgainstExeclineb compares with the real program.
func TestParseAgainstExeclineb(t *testing.T) {
	real, err := exec.LookPath("execlineb")
	if err != nil {
		t.Skip("execlineb is not installed")
	}
	dir := t.TempDir()
	for _, c := range cases[:len(cases)-1] {
		file := filepath.Join(dir, "s")
		require.NoError(t, os.WriteFile(file, []byte("printf %s| "+c.script), 0o644))
		out, err := exec.Command(real, "-P", file).CombinedOutput()
		require.NoError(t, err, "%s: %s", c.script, out)
		words, err := Parse(c.script)
		require.NoError(t, err)
		require.Equal(t, string(out), strings.Join(Texts(words), "|")+"|", c.script)
	}
}

func TestSubstitute(t *testing.T) {
	vars := []Variable{{"a", []string{"x", "y"}}, {"b", []string{"1"}}, {"none", nil}, {"@", []string{"p", "q"}}}
	for word, want := range map[string]string{
		"$a": "x y", "-${a}-": "-x- -y-", "$a$b": "x1 y1", "${a}${a}": "xx xy yx yy", `\$a`: "$a", `\\$b`: `\1`, `\\\${b}`: `\${b}`, "$c": "$c", "$ab": "$ab",
		"${none}": "", "a$none": "", "$@": "p q", "${b": "${b", "$": "$", `\n$b`: `\n1`, "$a/c": "$a/c", "$b{": "1{", " $b": " 1",
	} {
		out, ok := Substitute([]Word{{Text: word}}, vars)
		require.True(t, ok)
		require.Equal(t, want, strings.Join(Texts(out), " "), word)
	}
	big := Variable{"v", []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000)}}
	_, ok := Substitute([]Word{{Text: strings.Repeat("${v}", 60)}}, []Variable{big})
	require.False(t, ok)
}

func TestTransform(t *testing.T) {
	require.Equal(t, []string{"a", "", "b"}, Split("a  b", " ", false, false))
	require.Equal(t, []string{"a", "b"}, Split("a  b", " ", true, false))
	require.Equal(t, []string{"a", "b"}, Split("a b ", " ", false, true))
	require.Equal(t, "a", Chomp("a\n", " \n", false, true))
}

func TestBlock(t *testing.T) {
	words, err := Parse("{ a { b } } c { d")
	require.Error(t, err)
	words, err = Parse("{ a { b } } c")
	require.NoError(t, err)
	block, rest, ok := Block(words)
	require.True(t, ok)
	require.Equal(t, []string{"a", " b", ""}, Texts(block))
	require.Equal(t, []string{"c"}, Texts(rest))
	_, _, ok = Block(rest)
	require.False(t, ok)
}

func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add(c.script, "a b")
	}
	f.Fuzz(func(t *testing.T, script, value string) {
		words, err := Parse(script)
		if err != nil {
			return
		}
		for _, w := range words {
			require.True(t, w.Off >= 0 && w.Off <= w.End && w.End <= len(script))
		}
		out, ok := Substitute(words, []Variable{{"a", Split(value, " ", true, true)}})
		require.True(t, !ok || len(out) <= maxWords)
		Block(out)
	})
}
