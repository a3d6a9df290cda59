package compare

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

func TestAlign(t *testing.T) {
	for _, tt := range []struct {
		name, left, right string
		want              []Stretch
	}{
		{"the same", "abc", "abc", []Stretch{{0, 0, 3}}},
		{"nothing alike", "abc", "xyz", []Stretch{}},
		{"one is empty", "", "abc", []Stretch{}},
		{"one more on the right", "abcd", "abXcd", []Stretch{{0, 0, 2}, {2, 3, 2}}},
		{"one replaced", "abcd", "abXd", []Stretch{{0, 0, 2}, {3, 3, 1}}},
		{"the left goes on", "abc", "ab", []Stretch{{0, 0, 2}}},
		{"exchanged: the longer order wins", "abcXdef", "aXbcdef", []Stretch{{0, 0, 1}, {1, 2, 2}, {4, 4, 3}}},
		{"what repeats is not an anchor", "aaaab", "aab", []Stretch{{0, 0, 2}, {4, 2, 1}}},
	} {
		require.Equal(t, tt.want, align(split(tt.left), split(tt.right)), tt.name)
	}
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "")
}

// Stretches rise on both sides, do not overlap, and are alike.
func FuzzAlign(f *testing.F) {
	f.Add("abcabcxyz", "abxcabyz")
	f.Add("aaaa", "aa")
	f.Fuzz(func(t *testing.T, left, right string) {
		l, r := split(left), split(right)
		i, j := 0, 0
		for _, s := range align(l, r) {
			require.True(t, s.N > 0 && s.Left >= i && s.Right >= j, "%+v", s)
			require.Equal(t, l[s.Left:s.Left+s.N], r[s.Right:s.Right+s.N])
			i, j = s.Left+s.N, s.Right+s.N
		}
		require.True(t, i <= len(l) && j <= len(r))
	})
}

func TestDiff(t *testing.T) {
	step := func(kind string, args ...string) trace.Step {
		st := trace.Step{Kind: trace.Kind(kind), Args: map[string]string{}}
		for i := 0; i+1 < len(args); i += 2 {
			st.Args[args[i]] = args[i+1]
		}
		return st
	}
	side := func(steps ...trace.Step) Side {
		for i := range steps {
			steps[i].Seq = i
		}
		return Side{Run: &trace.Trace{Steps: steps, Outcome: trace.Outcome{Verdict: trace.Works}}}
	}
	left := side(step("a"), step("b", "path", "/x", "id", "0123456789abcdef"), step("c"), step("d"))
	t.Run("identifiers and times do not count", func(t *testing.T) {
		right := side(step("a"), step("b", "path", "/x", "id", "fedcba9876543210"), step("c"), step("d"))
		right.Run.Steps[3].At = 7
		require.True(t, Diff(left, right).Same)
	})
	t.Run("other values, then another step because of them", func(t *testing.T) {
		d := Diff(left, side(step("a"), step("b", "path", "/y", "id", "0"), step("e")))
		require.Equal(t, 1, d.Values.Left)
		require.Equal(t, []Differing{{"id", "0123456789abcdef", "0"}, {"path", "/x", "/y"}}, d.Values.Differs)
		require.Equal(t, "compare.part-kinds", d.Parting.Key)
		require.Equal(t, "e", d.Parting.Args["right"])
		require.Equal(t, 1, d.Parting.Because.Left)
	})
	t.Run("one run ends", func(t *testing.T) {
		d := Diff(left, side(step("a")))
		require.Equal(t, "compare.part-right-ended", d.Parting.Key)
		require.Equal(t, -1, d.Parting.Right)
	})
	t.Run("a step that only one makes", func(t *testing.T) {
		d := Diff(left, side(step("a"), step("b", "path", "/x", "id", "0123456789abcdef"), step("n"), step("c"), step("d")))
		require.Equal(t, "compare.part-right-only", d.Parting.Key)
		require.Equal(t, []Stretch{{0, 0, 2}, {2, 3, 2}}, d.Common)
	})
}
