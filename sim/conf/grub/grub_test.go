package grub

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dump writes a tree in a form that a person can compare.
func dump(nodes []Node) string {
	var out []string
	for _, n := range nodes {
		switch n := n.(type) {
		case *Command:
			var words []string
			for _, w := range n.Words {
				words = append(words, dumpWord(w))
			}
			out = append(out, strings.Join(words, " "))
		case *If:
			s := "if{" + dump(n.Cond) + "}then{" + dump(n.Then) + "}"
			if n.Else != nil {
				s += "else{" + dump(n.Else) + "}"
			}
			out = append(out, s)
		case *While:
			out = append(out, map[bool]string{false: "while", true: "until"}[n.Until]+"{"+dump(n.Cond)+"}do{"+dump(n.Body)+"}")
		case *For:
			var words []string
			for _, w := range n.Words {
				words = append(words, dumpWord(w))
			}
			out = append(out, "for "+n.Name+" in "+strings.Join(words, " ")+" do{"+dump(n.Body)+"}")
		case *Function:
			out = append(out, "function "+n.Name+"{"+dump(n.Body)+"}")
		case *SyntaxError:
			out = append(out, "ERROR:"+n.Want)
		}
	}
	return strings.Join(out, "; ")
}

func dumpWord(w Word) string {
	if w.Block != nil {
		return "{" + dump(w.Block.Body) + "}"
	}
	var parts []string
	for _, p := range w.Parts {
		parts = append(parts, map[PartKind]string{Text: "", Quoted: "q:", Var: "$", QuotedVar: "q$"}[p.Kind]+p.Text)
	}
	return strings.Join(parts, "+")
}

var parseTests = []struct{ name, src, want string }{
	{"words", "echo a b\t c", "echo a b c"},
	{"single quotes hold everything", `echo 'a $b "c" \n'`, `echo q:a $b "c" \n`},
	{"double quotes hold variables", `echo "a $b ${c}d"`, `echo q:a +q$b+q: +q$c+q:d`},
	{"an empty string is a word", `echo "" ''`, `echo q: q:`},
	{"a backslash quotes one character", `echo a\ b \$c`, `echo a+q: +b q:$+c`},
	{"inside double quotes it quotes three", `echo "\$ \" \\ \n"`, `echo q:$ " \ \n`},
	{"a variable ends where its name does", `echo $a-$1x${10}$?$@`, `echo $a+-+$1+x+$10+$?+$@`},
	{"# starts a comment only at the start of a word", "echo a#b #c\necho d", "echo a#b; echo d"},
	{"a line goes on after a backslash", "echo a \\\n  b\necho c\\\nd", "echo a b; echo c+d"},
	{"semicolons", "a; b ;c", "a; b; c"},
	{"carriage returns are white space", "set a=b\r\necho c\r\n", "set a=b; echo c"},
	{"if", "if a; then b; fi", "if{a}then{b}"},
	{"if over lines", "if a\nthen\nb\nelse\nc\nfi", "if{a}then{b}else{c}"},
	{"elif", "if a; then b; elif c; then d; else e; fi", "if{a}then{b}else{if{c}then{d}else{e}}"},
	{"reserved words are plain arguments", "echo if then fi in do", "echo if then fi in do"},
	{"quoted reserved words are commands", `'if' a`, "q:if a"},
	{"while and until", "while a; do b; done; until c\ndo d\ndone", "while{a}do{b}; until{c}do{d}"},
	{"for", "for x in a $b 'c d'; do echo $x; done", "for x in a $b q:c d do{echo $x}"},
	{"function", "function f {\n a $1\n}", "function f{a $1}"},
	{"menu entry", "menuentry 'T' --id t {\n linux /l a=b\n initrd /i }", "menuentry q:T --id t {linux /l a=b; initrd /i}"},
	{"submenu", "submenu s { menuentry m { boot } }", "submenu s {menuentry m {boot}}"},
	{"a statement that fails costs its line", "echo (a | b\necho c", "ERROR:a word; echo c"},
	{"a stray brace", "}\necho a", "ERROR:a command; echo a"},
	{"an open quote", "echo 'a\nb", "ERROR:a word; b"},
	{"a lone fi", "fi\necho a", "ERROR:a command; echo a"},
	{"&& is no operator", "true && echo", "ERROR:a word"},
	{"a function without braces", "function f\necho a", "ERROR:{"},
	{"an if that never ends", "if a; then b", "ERROR:fi"},
}

func TestParse(t *testing.T) {
	for _, c := range parseTests {
		require.Equal(t, c.want, dump(Parse(c.src)), c.name)
	}
}

// grub-script-check is GRUB's own parser: it must agree about what is a script.
func TestGRUBAgreesAboutSyntax(t *testing.T) {
	tool, err := exec.LookPath("grub-script-check")
	if err != nil {
		t.Skip("grub-script-check is not installed")
	}
	check := func(name, src string) {
		cmd := exec.Command(tool)
		cmd.Stdin = strings.NewReader(src + "\ntrue\n") // a script without commands is refused
		valid := cmd.Run() == nil
		require.Equal(t, valid, !strings.Contains(dump(Parse(src)), "ERROR:"), "%s: GRUB says valid=%v\n%s", name, valid, src)
	}
	for _, c := range parseTests {
		check(c.name, c.src)
	}
	for name, src := range configs(t) {
		check(name, src)
	}
}

// configs are real configurations: the recordings' and those of published ISO images.
func configs(t *testing.T) map[string]string {
	dir := os.Getenv("BOOTPATH_TRUTH")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "truth")
	}
	out := map[string]string{}
	for _, sub := range []string{"grub-iso", "grub", "grubby"} {
		filepath.WalkDir(filepath.Join(dir, "peers", "files", sub), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			out[name] = string(data)
			return nil
		})
	}
	if len(out) == 0 {
		t.Log("no real configurations: BOOTPATH_TRUTH")
	}
	return out
}

func TestRealConfigurations(t *testing.T) {
	for name, src := range configs(t) {
		nodes := Parse(src)
		requireSpans(t, name, nodes, len(src))
		entries := 0
		walk(nodes, func(n Node) {
			if c, ok := n.(*Command); ok {
				if first, _ := c.Words[0].Literal(); first == "menuentry" {
					entries++
					require.True(t, strings.HasPrefix(src[c.Off:], "menuentry"), name)
					require.Equal(t, "}", src[c.End()-1:c.End()], name)
				}
			}
		})
		want := 0
		for _, line := range strings.Split(src, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "menuentry ") {
				want++
			}
		}
		require.Equal(t, want, entries, name)
	}
}

func walk(nodes []Node, fn func(Node)) {
	for _, n := range nodes {
		fn(n)
		switch n := n.(type) {
		case *If:
			walk(n.Cond, fn)
			walk(n.Then, fn)
			walk(n.Else, fn)
		case *While:
			walk(n.Cond, fn)
			walk(n.Body, fn)
		case *For:
			walk(n.Body, fn)
		case *Function:
			walk(n.Body, fn)
		case *Command:
			for _, w := range n.Words {
				if w.Block != nil {
					walk(w.Block.Body, fn)
				}
			}
		}
	}
}

func requireSpans(t *testing.T, name string, nodes []Node, size int) {
	walk(nodes, func(n Node) {
		at := n.Where()
		require.True(t, at.Off >= 0 && at.Len >= 0 && at.End() <= size, "%s: %T at %+v", name, n, at)
		switch n := n.(type) {
		case *If:
			require.True(t, n.Head.Off >= 0 && n.Head.Len >= 0 && n.Head.End() <= size, "%s: head %+v", name, n.Head)
		case *Command:
			for _, w := range n.Words {
				require.True(t, w.Off >= at.Off && w.End() <= at.End(), "%s: word %+v in %+v", name, w.Span, at)
			}
		}
	})
}

type testEnv struct {
	vars   map[string]string
	params []string
}

func (e testEnv) Value(name string) string { return e.vars[name] }
func (e testEnv) Params() []string         { return e.params }

func TestExpand(t *testing.T) {
	env := testEnv{map[string]string{"a": "x  y", "s": " p ", "?": "3"}, []string{"one", "t w o"}}
	for _, c := range []struct {
		src  string
		want []string
	}{
		{`$a`, []string{"x", "y"}},
		{`"$a"`, []string{"x  y"}},
		{`1${a}2`, []string{"1x", "y2"}},
		{`1${s}2`, []string{"1", "p2"}},
		{`$none`, nil},
		{`"$none"`, []string{""}},
		{`'' ""`, []string{"", ""}},
		{`$# $? $2 $9`, []string{"2", "3", "t", "w", "o"}},
		{`"$@"`, []string{"one", "t w o"}},
		{`"$*"`, []string{"one t w o"}},
		{`$@`, []string{"one", "t", "w", "o"}},
	} {
		nodes := Parse("echo " + c.src)
		require.Len(t, nodes, 1)
		got, glob := Expand(nodes[0].(*Command).Words[1:], env)
		require.Equal(t, c.want, got, c.src)
		require.False(t, glob, c.src)
	}
	_, glob := Expand(Parse("echo a*")[0].(*Command).Words, env)
	require.True(t, glob)
	_, glob = Expand(Parse("echo 'a*'")[0].(*Command).Words, env)
	require.False(t, glob)
}

func FuzzParse(f *testing.F) {
	for _, c := range parseTests {
		f.Add(c.src)
	}
	f.Add(strings.Repeat("if a; then ", 500))
	f.Add(strings.Repeat("if a; then b; elif c; then ", 300))
	f.Add(strings.Repeat("menuentry { ", 500))
	f.Fuzz(func(t *testing.T, src string) {
		nodes := Parse(src)
		requireSpans(t, "fuzz", nodes, len(src))
		walk(nodes, func(n Node) {
			if c, ok := n.(*Command); ok {
				args, _ := Expand(c.Words, testEnv{params: []string{"a", "b c"}})
				_ = fmt.Sprint(args)
			}
		})
	})
}
