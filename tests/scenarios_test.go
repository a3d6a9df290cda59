package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/content/scenarios"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

func gallery(t testing.TB) []scenario.Named {
	all, err := scenario.Gallery(scenarios.Files)
	require.NoError(t, err)
	return all
}

// Each scenario shows on its sample what its text says: the verdict, the words of the real program, and the
// step that decides, with bytes or a rule.
func TestEveryScenarioHappens(t *testing.T) {
	for _, n := range gallery(t) {
		t.Run(n.Name, func(t *testing.T) {
			session := openID(t, n.Src)
			res, err := session.Run(n.Settings)
			require.NoError(t, err)
			require.Equal(t, n.Expect.Verdict, res.Outcome.Verdict, "%+v", res.Outcome)
			require.Equal(t, n.Expect.Stage, res.Outcome.Stage)
			require.Equal(t, n.Expect.Message, res.Outcome.Message)
			checkTrace(t, session, res)

			var kinds []string
			var decides *trace.Step
			for i, st := range res.Steps {
				kinds = append(kinds, string(st.Kind))
				if st.Kind == n.Expect.Kind && decides == nil {
					decides = &res.Steps[i]
				}
			}
			require.NotNil(t, decides, "no step %s; the outcome is step %d, %s", n.Expect.Kind, res.Outcome.Step, res.Steps[res.Outcome.Step].Kind)
			require.True(t, len(decides.Cites) > 0 || decides.Rule != "")
			if n.Step != "" && n.Step != "end" {
				require.Contains(t, kinds, n.Step, "where the page begins")
			}
			if n.Expect.Verdict == trace.Stops {
				require.NotEmpty(t, n.Errors)
				require.True(t, strings.Contains(strings.Join(append(res.Console, res.Outcome.Message), "\n"), n.Errors[0]), "the run prints %q", n.Errors[0])
			}
		})
	}
}

func TestScenariosAreWritten(t *testing.T) {
	all := gallery(t)
	require.GreaterOrEqual(t, len(all), 24)
	files, err := filepath.Glob(filepath.Join(root, "content/scenarios/*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(all)+1, "every file is in index.json, once")
	seen := map[string]bool{}
	for _, n := range all {
		require.False(t, seen[n.Name], n.Name)
		seen[n.Name] = true
		require.NotEmpty(t, n.Source, n.Name)
		for what, text := range map[string]scenario.Texts{"title": n.Title, "says": n.Says, "cause": n.Cause, "fix": n.Fix} {
			require.NotEmpty(t, text.En, "%s: %s", n.Name, what)
			require.NotEmpty(t, text.Zh, "%s: %s", n.Name, what)
			if what != "title" { // a title may be the message itself
				require.Regexp(t, `\p{Han}`, text.Zh, "%s: %s", n.Name, what)
				require.NotRegexp(t, `\p{Han}[,;:?!]|\p{Han}\.(\s|$)`, text.Zh, "%s: %s: Chinese punctuation is full-width", n.Name, what)
			}
			require.LessOrEqual(t, strings.Count(text.En, "`")%2, 0, n.Name)
			require.LessOrEqual(t, strings.Count(text.Zh, "`")%2, 0, n.Name)
		}
	}
}
