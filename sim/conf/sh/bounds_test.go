package sh

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	errWork    = errors.New("too much work")
	errRefused = errors.New("refused")
)

// bare is a shell with variables and nothing else.
type bare struct {
	vars  map[string]string
	args  []string
	left  int // of work
	depth int
}

func (b *bare) Value(name string) (string, bool) { v, ok := b.vars[name]; return v, ok }
func (b *bare) Set(name, value string)           { b.vars[name] = value }
func (b *bare) Args() []string                   { return b.args }
func (b *bare) Names(string) []string            { return []string{"a", "b*"} }
func (b *bare) Exists(string) bool               { return true }
func (b *bare) Globs() bool                      { return true }
func (b *bare) Strict() bool                     { return false }
func (b *bare) Extended() bool                   { return true }

func (b *bare) Output(body []Stmt) (string, error) { return "out\n", b.run(body) }

func (b *bare) Refuse(Refusal, string, string) error { return errRefused }

func (b *bare) Spend(work int) error {
	if b.left -= work; b.left < 0 {
		return errWork
	}
	return nil
}

// run expands the simple commands of a list, each once.
func (b *bare) run(body []Stmt) (err error) {
	Walk(body, func(c *Simple) {
		for _, a := range c.Assigns {
			var v string
			if v, err = firstError(err, func() (string, error) { return Text(b, a.Value) }); err == nil {
				b.vars[a.Name] = v
			}
		}
		if err == nil {
			_, err = Words(b, c.Words)
		}
	})
	return err
}

func firstError(err error, f func() (string, error)) (string, error) {
	if err != nil {
		return "", err
	}
	return f()
}

func TestExpansionsAreBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for name, script := range map[string]string{
		"a value that doubles":             strings.Repeat("x=$x$x;", 40),
		"one word of many values":          ": " + strings.Repeat("$l", 1000),
		"many arguments many times":        `: "` + strings.Repeat("$@", 1000) + `"`,
		"a text in the place of each byte": ": ${l//a/$l}",
		"a pattern at each place":          "${l%%*b*b}",
		"a pattern that no place matches":  "${l##*[ab]*c}",
		"a set that does not end":          "${l#*[" + strings.Repeat("b", 1000) + "}",
		"a replacement that is not found":  ": ${l//a*b/}",
	} {
		body, err := Parse(script)
		require.NoError(t, err, name)
		b := &bare{vars: map[string]string{"x": "xx", "l": long}, args: []string{long, long}, left: 1 << 22}
		require.ErrorIs(t, b.run(body.Body), errWork, name)
	}
	for _, pattern := range []string{strings.Repeat("a", 1<<19) + "b", strings.Repeat("[a", 1<<10)} {
		ok, work := match("*"+pattern, long, 1<<20)
		require.False(t, ok)
		require.Greater(t, work, 1<<20, "told by its work that it gave up")
		require.Less(t, work, 1<<21)
	}
}

func TestArithmeticIsBounded(t *testing.T) {
	b := &bare{vars: map[string]string{}}
	for _, expr := range []string{strings.Repeat("a=", 1<<20), strings.Repeat("(", 1<<20), strings.Repeat("-", 1<<20), strings.Repeat("1?", 1<<20), strings.Repeat("1?1:", 1<<20)} {
		_, err := Arithmetic(b, expr+"1")
		require.EqualError(t, err, "nested too deep", expr[:4])
	}
	n, err := Arithmetic(b, strings.Repeat("1+", 1<<16)+"1")
	require.NoError(t, err)
	require.EqualValues(t, 1<<16+1, n)
}

func TestPrintfIsBounded(t *testing.T) {
	many := strings.Split(strings.Repeat("x ", 1<<16), " ")
	require.Less(t, len(Escapes{}.Printf("%s"+strings.Repeat("y", 1000), many, 1<<16)), 1<<16+2000)
	require.Equal(t, "y", Escapes{}.Printf("y", many, 1<<16))
	require.Less(t, len(Escapes{}.Printf("%999999999d", []string{"1"}, 1<<16)), 1<<16)
	require.Less(t, len(Escapes{}.Printf("%.*s", []string{"999999999", "1"}, 1<<16)), 1<<16)
}

// nothing is a system without files.
type nothing struct{}

func (nothing) Stat(string) (fs.FileInfo, error)   { return nil, fs.ErrNotExist }
func (nothing) Lstat(string) (fs.FileInfo, error)  { return nil, fs.ErrNotExist }
func (nothing) May(byte, string, fs.FileInfo) bool { return false }
func (nothing) Terminal(string) bool               { return false }

func TestTestIsBounded(t *testing.T) {
	result, ok := Test(nothing{}, append(strings.Split(strings.Repeat("!", 1<<20), ""), "a"))
	require.True(t, result && ok)
	result, ok = Test(nothing{}, strings.Fields("! ! ! a = b"))
	require.True(t, result && ok)
	_, ok = Test(nothing{}, strings.Split(strings.Repeat("(", 1<<20)+"a", ""))
	require.False(t, ok)
}

func FuzzExpand(f *testing.F) {
	for _, s := range scripts {
		f.Add(s.src, "a b*c")
	}
	f.Add("x=$x$x; y=${x#*a} z=${y//b/$x}; : $((x=x+1)) \"$@\" $z", "a b")
	f.Fuzz(func(t *testing.T, src, value string) {
		body, err := Parse(src)
		if err != nil {
			return
		}
		b := &bare{vars: map[string]string{"x": value, "IFS": " a"}, args: strings.Fields(value), left: 1 << 22}
		b.run(body.Body)
		for _, v := range b.vars {
			require.LessOrEqual(t, len(v), 1<<22)
		}
	})
}

func FuzzArithmetic(f *testing.F) {
	f.Add("a=b=(1+2)*-3 ? ~4 : !5 % a<<2")
	f.Fuzz(func(t *testing.T, expr string) {
		Arithmetic(&bare{vars: map[string]string{"b": "0x7f"}}, expr)
	})
}

func FuzzPrintf(f *testing.F) {
	f.Add(`%s\n\0101\x4%b%05d`, "a b\\c", "bash")
	f.Fuzz(func(t *testing.T, format, args string, shell string) {
		text := EscapesOf(shell).Printf(format, strings.Fields(args), 1<<12)
		require.LessOrEqual(t, len(text), 1<<12+20*len(format)+len(args)+1)
	})
}

func FuzzTest(f *testing.F) {
	f.Add("! ( a = b -o -n c ) -a 1 -lt 2")
	f.Fuzz(func(t *testing.T, args string) { Test(nothing{}, strings.Fields(args)) })
}
