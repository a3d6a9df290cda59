package tests

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

var update = flag.Bool("update", false, "rewrite tests/golden from what the engine says now; review the difference")

// sample is an entry of content/samples/index.json.
type sample struct {
	ID       string               `json:"id"`
	File     string               `json:"file"`
	Kind     string               `json:"kind"`
	Title    map[string]string    `json:"title"`
	Text     map[string]string    `json:"text"`
	Settings scenario.RunSettings `json:"settings"`
}

func samples(t testing.TB) []sample {
	data, err := os.ReadFile(filepath.Join(root, "content/samples/index.json"))
	require.NoError(t, err)
	var all []sample
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all)
	return all
}

func openSample(t testing.TB, s sample) *wire.Session {
	data, err := os.ReadFile(filepath.Join(root, "content/samples", s.File))
	require.NoError(t, err)
	session, err := wire.Open(s.File, bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	return session
}

// A sample is a slice of a real image; its trace is text that a person can review.
func TestGoldenTraces(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			session := openSample(t, s)
			in := session.Inspect()
			require.Equal(t, s.Kind, in.Kind)
			require.NotEmpty(t, in.Origin.SHA256, "a sample says what it was cut from")
			require.NotEmpty(t, in.Origin.Note, "and where that came from")
			res, err := session.Run(s.Settings)
			require.NoError(t, err)
			checkTrace(t, session, res)

			var got bytes.Buffer
			for _, st := range res.Steps {
				fmt.Fprintln(&got, trace.Line(st))
			}
			fmt.Fprintf(&got, "\n%s %s: %s%s\n\n", res.Outcome.Verdict, res.Outcome.Stage, res.Outcome.Message, res.Outcome.Unknown)
			for _, line := range res.Console {
				fmt.Fprintln(&got, "|", line)
			}
			file := filepath.Join("golden", s.ID+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("golden", 0o755))
				require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

// checkTrace states what holds for every run: the trace is sound, and each step has its sentence in both
// languages with every value that the sentence wants.
func checkTrace(t *testing.T, session *wire.Session, res *wire.RunResult) {
	tr := &trace.Trace{Steps: res.Steps, Outcome: res.Outcome}
	require.NoError(t, tr.Check(func(name string) (int64, bool) {
		if b := session.Store().Blob(name); b != nil {
			return b.Size(), true
		}
		return 0, false
	}))
	for _, lang := range []string{"en", "zh"} {
		all := messages(t, lang)
		said := func(at string, r *trace.Reason) {
			for ; r != nil; r = r.Because {
				m, ok := all[string(r.Kind)]
				require.True(t, ok, "%s: no %s sentence for %s", at, lang, r.Kind)
				for _, name := range slices.Sorted(maps.Keys(placeholders(m))) {
					_, ok := r.Args[name]
					require.True(t, ok || name == "because" && r.Because != nil, "%s: %s wants {%s}", at, r, name)
				}
			}
		}
		said("the outcome", res.Outcome.Unknown)
		for _, st := range res.Steps {
			for _, r := range st.Assumed {
				said(fmt.Sprint("step ", st.Seq), r)
			}
			m, ok := all[string(st.Kind)]
			if !ok {
				t.Errorf("step %d: no %s sentence for %s", st.Seq, lang, st.Kind)
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(placeholders(m))) {
				if _, ok := st.Args[name]; !ok {
					t.Errorf("step %d: %s wants {%s}, the step has %v", st.Seq, st.Kind, name, st.Args)
				}
			}
		}
	}
}

// A slice read twice, and read after a JSON round trip, gives the same run.
func TestTheSameInputGivesTheSameTrace(t *testing.T) {
	s := samples(t)[0]
	a, err := openSample(t, s).Run(s.Settings)
	require.NoError(t, err)
	session := openSample(t, s)
	_, err = session.Run(s.Settings)
	require.NoError(t, err)
	b, err := session.Run(s.Settings)
	require.NoError(t, err)
	ja, err := json.Marshal(a.Steps)
	require.NoError(t, err)
	jb, err := json.Marshal(b.Steps)
	require.NoError(t, err)
	require.Equal(t, string(ja), string(jb))
}

func TestSamplesAreSmall(t *testing.T) {
	for _, s := range samples(t) {
		st, err := os.Stat(filepath.Join(root, "content/samples", s.File))
		require.NoError(t, err)
		require.Less(t, st.Size(), int64(1<<20), s.File)
		for _, lang := range []string{"en", "zh"} {
			require.NotEmpty(t, s.Title[lang], s.ID)
			require.NotEmpty(t, s.Text[lang], s.ID)
		}
	}
}
