package awk

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/decode"
)

const fstab = `# comment
UUID=1 / ext4 rw,relatime 0 1
tmpfs / tmpfs size=2G 0 0
/dev/sda2 /usr btrfs ro 0 2
`

// programs are what start scripts ask awk for, and the corners of the language that they touch.
var programs = []struct {
	name, program, input string
	vars                 []Var
	want                 string
}{
	{"a field", "{print $2}", "a b c\nd e\n\n", nil, "b\ne\n\n"},
	{"two conditions", `$2 == "/" && $3 == "tmpfs" { print $4 }`, fstab, nil, "size=2G\n"},
	{"a regular expression for a field", `$4 ~ /rw/ || $4 ~ /^ro$/ { print $1 }`, fstab, nil, "UUID=1\n/dev/sda2\n"},
	{"a variable from outside", `$1==d {print $2}`, "/dev/sda1 /media x\n/dev/sdb /b y\n", []Var{{"d", "/dev/sdb"}}, "/b\n"},
	{"the last field but one, once", `{print $(NF-1); exit}`, "/sys/class/net/eth0/address\n/sys/x\n", []Var{{"FS", "/"}}, "eth0\n"},
	{"only BEGIN, replacing", "\n BEGIN {\n  gsub(/\\//, \"\\\\x2f\", value)\n  printf \"/dev/disk/by-%s/%s\\n\", tolower(tag), value\n }", "",
		[]Var{{"tag", "LABEL"}, {"value", "a/b"}}, "/dev/disk/by-label/a\\x2fb\n"},
	{"a pattern alone prints", `/usr/`, fstab, nil, "/dev/sda2 /usr btrfs ro 0 2\n"},
	{"not", `!/^#/ && NF { n++ } END { print n, NR }`, fstab, nil, "3 4\n"},
	{"numbers from the input compare as numbers", `$1 > 9 {print "big " $1}`, "10\n9\nx\n", nil, "big 10\nbig x\n"},
	{"sums", `{ s += $1 } END { print s / 2, s % 2, -s, 1 + 2 * 3 }`, "1\n2\n", nil, "1.5 1 -3 7\n"},
	{"if and else", `{ if ($1 == "a") print "A"; else print "-" }`, "a\nb\n", nil, "A\n-\n"},
	{"a loop over fields", `{ for (i = NF; i > 0; i--) printf "%s ", $i; print "" }`, "a b c\n", nil, "c b a \n"},
	{"setting a field", `{ $2 = "x"; print; print $0 }`, "a b c\n", nil, "a x c\na x c\n"},
	{"a range", `/b/,/c/`, "a\nb\nx\nc\nd\n", nil, "b\nx\nc\n"},
	{"functions", `{ print length($1), substr($1, 2, 2), index($1, "d"), toupper($1), substr($1, 0) }`, "abcd\n", nil, "4 bc 4 ABCD abcd\n"},
	{"match", `{ if (match($0, /[0-9]+/)) print RSTART, RLENGTH }`, "ab123\n", nil, "3 3\n"},
	{"formats", `{ printf "%-4s|%03d|%x|%c|%.2f%%\n", $1, $2, $2, $1, $2 }`, "ab 12\n", nil, "ab  |012|c|a|12.00%\n"},
	{"a separator that is an expression", `{ print $2 }`, "a, b;c\n", []Var{{"FS", "[,;] *"}}, "b\n"},
	{"print with parentheses", `{ print($1, $2) }`, "a b\n", nil, "a b\n"},
	{"a choice", `{ print NF > 1 ? "x" : "y" }`, "", nil, ""},
	{"while and next", `$1 == "s" { next } { while (k < 2) { k++; print k } }`, "s\nt\n", nil, "1\n2\n"},
	{"what matched", `{ sub(/[0-9]/, "<&>"); print }`, "a1b2\n", nil, "a<1>b2\n"},
}

func TestRun(t *testing.T) {
	for _, c := range programs {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.program)
			if c.name == "a choice" { // > is a redirection there
				require.ErrorIs(t, err, decode.ErrUnsupported)
				return
			}
			require.NoError(t, err)
			got, err := p.Run(c.input, c.vars)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Output)
		})
	}
}

// The awks that initramfs images carry print the same.
func TestAgainstRealAwks(t *testing.T) {
	for _, awk := range [...][]string{{"busybox", "awk"}, {"mawk"}} {
		if _, err := exec.LookPath(awk[0]); err != nil {
			t.Skip(awk[0] + " is not installed")
		}
		for _, c := range programs {
			if c.name == "a choice" {
				continue
			}
			args := awk[1:]
			for _, v := range c.vars {
				args = append(args, "-v", v.Name+"="+v.Value)
			}
			cmd := exec.Command(awk[0], append(args, c.program)...)
			cmd.Stdin = strings.NewReader(c.input)
			out, err := cmd.Output()
			require.NoError(t, err, "%v: %s", awk, c.name)
			require.Equal(t, c.want, string(out), "%v: %s", awk, c.name)
		}
	}
}

func TestStatus(t *testing.T) {
	p, err := Parse(`/b/ { exit 3 }`)
	require.NoError(t, err)
	got, err := p.Run("a\nb\n", nil)
	require.NoError(t, err)
	require.Equal(t, 3, got.Status)
}

// What is left out is said, not guessed.
func TestUnsupported(t *testing.T) {
	for _, program := range [...]string{`{ a[$1]++ }`, `function f(x) { return x } { print f(1) }`, `{ print > "/tmp/x" }`, `{ print | "sort" }`,
		`{ getline x }`, `{ print "open }`, `{ system("x") }`, `BEGIN { while (1) x++ }`, `{`, `{ for (k in a) print k }`, `/(/`, `{ print $-1 }`} {
		p, err := Parse(program)
		if err == nil {
			_, err = p.Run("line\n", nil)
		}
		require.Truef(t, errors.Is(err, decode.ErrUnsupported), "%s: %v", program, err)
	}
}

func FuzzAwk(f *testing.F) {
	for _, c := range programs {
		f.Add(c.program, c.input)
	}
	f.Fuzz(func(t *testing.T, program, input string) {
		p, err := Parse(program)
		if err != nil {
			require.ErrorIs(t, err, decode.ErrUnsupported)
			return
		}
		got, err := p.Run(input, nil)
		if err != nil {
			require.ErrorIs(t, err, decode.ErrUnsupported)
		}
		require.LessOrEqual(t, len(got.Output), maxOutput)
	})
}
