package tests

import (
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
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

// randomPatches is how many what-ifs are thrown at a session of a sample.
const randomPatches = 200

// Bytes that decided a step are overwritten, files that it names removed or emptied, by chance and up to three
// at once: a session that remembers all runs before says what a fresh one says.
func TestRandomPatchesRunAsInAFreshSession(t *testing.T) {
	for i, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			used := openSample(t, s)
			healthy, err := used.Run(s.Settings)
			require.NoError(t, err)
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range randomPatches/len(samples(t)) + 1 {
				settings := s.Settings
				for range 1 + r.IntN(3) {
					settings = settings.With(randomPatch(r, used.Inspect().Name, healthy.Steps))
				}
				require.Equal(t, runText(t, openSample(t, s), settings), runText(t, used, settings), "%+v", settings)
			}
		})
	}
}

// randomPatch breaks something that a step of a healthy run of the file called input used.
func randomPatch(r *rand.Rand, input string, steps []trace.Step) scenario.RunSettings {
	for {
		st := steps[r.IntN(len(steps))]
		paths := pathsOf(st)
		switch {
		case len(paths) > 0 && r.IntN(2) == 0:
			p := paths[r.IntN(len(paths))]
			if r.IntN(2) == 0 {
				return scenario.RunSettings{Remove: []string{p}}
			}
			return scenario.RunSettings{Write: map[string]string{p: "# nothing\n"}}
		case len(st.Cites) > 0:
			c := st.Cites[r.IntN(len(st.Cites))]
			data := make([]byte, min(c.Len, 1+r.Int64N(8)))
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			if c.Blob == "disk0" || c.Blob == input {
				return scenario.RunSettings{Patch: []scenario.BytePatch{{Off: c.Off + r.Int64N(c.Len-int64(len(data))+1), Data: hex.EncodeToString(data)}}}
			}
		}
	}
}

// pathsOf lists the absolute paths among a step's values.
func pathsOf(st trace.Step) []string {
	var out []string
	for _, v := range st.Args {
		if strings.HasPrefix(v, "/") && !strings.ContainsAny(v, " :") {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
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
