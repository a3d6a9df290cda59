package osrelease

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const debian = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
`

func TestDebian(t *testing.T) {
	r := Parse([]byte(debian))
	require.Equal(t, "debian", r.ID)
	require.Equal(t, "12", r.VersionID)
	require.Equal(t, "Debian GNU/Linux 12 (bookworm)", r.PrettyName)
	require.Equal(t, "Debian GNU/Linux", r.Name)
	require.Equal(t, "bookworm", r.Codename)
	require.Len(t, r.Fields, 7)
	require.Empty(t, r.Bad)
	f, ok := r.Get("VERSION_ID")
	require.True(t, ok)
	require.Equal(t, `VERSION_ID="12"`, debian[f.Off:f.Off+f.Len])
	require.Equal(t, `"12"`, debian[f.ValueOff:f.ValueOff+f.ValueLen])
	_, ok = r.Get("BUILD_ID")
	require.False(t, ok)
}

// Values are those that sh assigns: the file is "shell-compatible" by os-release(5).
var quoting = []string{
	`A=plain`, `A=`, `A=""`, `A=''`, `A='single "quoted" $x \n'`, `A="double 'quoted' \" \\ \$ \` + "`" + ` \n"`,
	`A=a\ b`, `A=a"b c"'d e'f`, "A=\"two\nlines\"", "A=con\\\ntinued", `A="con\` + "\n" + `tinued"`, "# comment\nA=1", "\n\n  A=indented\n",
	"A=1\nA=2", `A="ünï 世界"`, `A=trailing  `,
}

func TestQuotingIsThatOfTheShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("sh is not installed")
	}
	for _, text := range quoting {
		file := filepath.Join(t.TempDir(), "os-release")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		out, err := exec.Command(sh, "-c", `. "$0"; printf %s "$A"`, file).Output()
		require.NoError(t, err, text)
		r := Parse([]byte(text))
		f, ok := r.Get("A")
		require.True(t, ok, text)
		require.Equal(t, string(out), f.Value, "%q", text)
		require.Empty(t, r.Bad, text)
	}
}

func TestBadLinesAreSkipped(t *testing.T) {
	r := Parse([]byte("no assignment\n=x\n1A=x\nID=ok\n; comment\nNAME='never closed\nID=lost"))
	require.Equal(t, "ok", r.ID)
	require.Equal(t, "never closed\nID=lost", r.Name)
	require.Len(t, r.Bad, 3)
	require.Equal(t, "no assignment", r.Bad[0].Key)
}

func FuzzParse(f *testing.F) {
	f.Add(debian)
	for _, q := range quoting {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := Parse([]byte(s))
		end := int64(0)
		for _, x := range r.Fields {
			require.GreaterOrEqual(t, x.Off, end)
			require.LessOrEqual(t, x.Off+x.Len, int64(len(s)))
			require.LessOrEqual(t, x.ValueOff+x.ValueLen, int64(len(s)))
			require.Equal(t, strings.TrimSpace(x.Key), x.Key)
			end = x.Off + x.Len
		}
	})
}
