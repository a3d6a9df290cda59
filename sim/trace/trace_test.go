package trace

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
)

func good() *Trace {
	row := func(s string) Row { return Row{"state": s} }
	return &Trace{
		Steps: []Step{
			{Seq: 0, At: 0, Actor: "a", Stage: Firmware, Kind: "a.b", Cause: -1, Rule: "r", Changes: []Change{{CPU, "cpu0", nil, row("real")}}},
			{Seq: 1, At: 5, Actor: "a", Stage: Firmware, Kind: "a.c", Cause: 0, Cites: []blob.Cite{{Span: blob.Span{Blob: "d", Off: 510, Len: 2}}}, Changes: []Change{{CPU, "cpu0", row("real"), row("long")}}},
			{Seq: 2, At: 5, Actor: "a", Stage: Kernel, Kind: "a.d", Cause: 0, Rule: "r", Changes: []Change{{CPU, "cpu0", row("long"), nil}}},
		},
		Outcome: Outcome{Verdict: Works, Stage: Kernel, Step: 2},
	}
}

func sizes(name string) (int64, bool) { return 512, name == "d" }

func TestStepsGoForwardAndBack(t *testing.T) {
	tr := good()
	require.NoError(t, tr.Check(sizes))
	s := tr.At(1)
	require.Equal(t, Row{"state": "long"}, s[CPU]["cpu0"])
	s.Apply(tr.Steps[2])
	require.Empty(t, s[CPU])
	s.Revert(tr.Steps[2])
	s.Revert(tr.Steps[1])
	require.Equal(t, tr.At(0), s)
}

func TestCheckFindsWhatMustNotBe(t *testing.T) {
	for name, break_ := range map[string]func(*Trace){
		"time goes back":           func(tr *Trace) { tr.Steps[2].At = 1 },
		"wrong number":             func(tr *Trace) { tr.Steps[1].Seq = 7 },
		"cause after effect":       func(tr *Trace) { tr.Steps[1].Cause = 1 },
		"second step has no cause": func(tr *Trace) { tr.Steps[1].Cause = -1 },
		"no evidence and no rule":  func(tr *Trace) { tr.Steps[2].Rule = "" },
		"cites outside the blob":   func(tr *Trace) { tr.Steps[1].Cites[0].Off = 511 },
		"cites an unknown blob":    func(tr *Trace) { tr.Steps[1].Cites[0].Blob = "x" },
		"before is not what was":   func(tr *Trace) { tr.Steps[1].Changes[0].Before = Row{"state": "x"} },
		"outcome names no step":    func(tr *Trace) { tr.Outcome.Step = 3 },
		"unknown without a reason": func(tr *Trace) { tr.Outcome.Verdict = Unknown },
		"reason without unknown":   func(tr *Trace) { tr.Outcome.Unknown = Why("unknown.passphrase") },
	} {
		tr := good()
		break_(tr)
		require.Error(t, tr.Check(sizes), name)
	}
}
