package tests

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/wire"
)

// What a session remembers of its runs changes none: in whatever order the what-ifs of a sample are tried,
// each is what it is in a session of its own.
func TestARunDoesNotKnowTheRunsBefore(t *testing.T) {
	bySample := map[string][]scenario.RunSettings{}
	for _, n := range gallery(t) {
		bySample[n.Src] = append(bySample[n.Src], n.Settings)
	}
	for _, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			tries := append([]scenario.RunSettings{s.Settings}, bySample[s.ID]...)
			fresh := make([]string, len(tries))
			for i, settings := range tries {
				fresh[i] = runText(t, openSample(t, s), settings)
			}
			forth, back := openSample(t, s), openSample(t, s)
			order := make([]int, 0, 2*len(tries))
			for i := range tries {
				order = append(order, i, 0)
			}
			for _, i := range order {
				require.Equal(t, fresh[i], runText(t, forth, tries[i]), "%+v", tries[i])
			}
			slices.Reverse(order)
			for _, i := range order {
				require.Equal(t, fresh[i], runText(t, back, tries[i]), "%+v", tries[i])
			}
		})
	}
}

// runText is all that a run tells but for the bytes read, which a session adds up.
func runText(t *testing.T, session *wire.Session, settings scenario.RunSettings) string {
	res, err := session.Run(settings)
	if err != nil {
		return err.Error()
	}
	res.BytesRead = 0
	text, err := json.MarshalIndent(res, "", " ")
	require.NoError(t, err)
	return string(text)
}
