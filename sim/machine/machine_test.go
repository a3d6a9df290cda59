package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

func TestEmitRecordsWhatAStepReplaced(t *testing.T) {
	m := New()
	st := func(kind trace.Kind) trace.Step {
		return trace.Step{Actor: "a", Stage: trace.Kernel, Kind: kind, Rule: "r"}
	}
	m.Emit(st("a.one"), Set{trace.CPU, "cpu0", trace.Row{"mode": "real"}})
	m.Wait(time.Second)
	m.Emit(st("a.two"), Set{trace.CPU, "cpu0", trace.Row{"mode": "long"}}, Set{trace.CPU, "cpu1", nil})
	m.Emit(st("a.three"), Set{trace.CPU, "cpu0", trace.Row{"mode": "long"}})
	m.End(trace.Outcome{Verdict: trace.Works})
	m.End(trace.Outcome{Verdict: trace.Stops, Message: "too late"})

	tr := m.Trace()
	require.NoError(t, tr.Check(func(string) (int64, bool) { return 0, false }))
	require.Equal(t, []trace.Change{{Table: trace.CPU, ID: "cpu0", Before: trace.Row{"mode": "real"}, After: trace.Row{"mode": "long"}}}, tr.Steps[1].Changes)
	require.Empty(t, tr.Steps[2].Changes, "a row that stays as it was is no change")
	require.Equal(t, time.Second, tr.Steps[1].At)
	require.Equal(t, trace.Outcome{Verdict: trace.Works, Stage: trace.Kernel, Step: 2}, tr.Outcome)
}

func TestARunWithoutOutcomeIsUnknown(t *testing.T) {
	m := New()
	m.Emit(trace.Step{Actor: "a", Stage: trace.Kernel, Kind: "a.one", Rule: "r"})
	require.Equal(t, trace.Unknown, m.Trace().Outcome.Verdict)
	require.NotNil(t, m.Trace().Outcome.Unknown)
}

func TestATraceIsBounded(t *testing.T) {
	m := New()
	for range maxSteps + 10 {
		m.Emit(trace.Step{Actor: "a", Stage: trace.Kernel, Kind: "a.one", Rule: "r"})
	}
	require.True(t, m.Ended())
	require.Len(t, m.Trace().Steps, maxSteps)
	require.Equal(t, trace.Unknown, m.Trace().Outcome.Verdict)
}
