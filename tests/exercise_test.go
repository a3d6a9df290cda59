package tests

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/exercise"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

// exercises is how many seeds each sample is asked.
const exercises = 200

// Every exercise really changes how the start ends, its answer is checked with a fresh opening of the image (some), and
// no other option does: it can be solved.
func TestExercisesHaveOneAnswer(t *testing.T) {
	texts := map[string]map[string]message{"en": messages(t, "en"), "zh": messages(t, "zh")}
	for _, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			session := openSample(t, s)
			healthy, err := session.Run(s.Settings)
			require.NoError(t, err)
			answers := map[string]bool{}
			for seed := range int64(exercises) {
				e, err := session.Exercise(s.Settings, seed)
				require.NoError(t, err, "seed %d", seed)
				require.Len(t, e.Options, 4)
				require.NotEqual(t, healthy.Outcome, e.Symptom, "seed %d changes nothing", seed)
				require.NotEqual(t, trace.Unknown, e.Symptom.Verdict)
				require.NotEmpty(t, e.Proof.Others[e.Answer])
				answer := e.Options[e.Answer]
				data, err := json.Marshal(e.Settings)
				require.NoError(t, err)
				if seed < 10 {
					fresh, err := openSample(t, s).Run(e.Settings)
					require.NoError(t, err)
					require.Equal(t, e.Symptom, fresh.Outcome, "seed %d: %s %v", seed, answer.Key, answer.Args)
				}
				for i, o := range e.Options {
					same := e.Proof.Others[i].Verdict == e.Symptom.Verdict && e.Proof.Others[i].Stage == e.Symptom.Stage && e.Proof.Others[i].Message == e.Symptom.Message
					require.Equal(t, i == e.Answer, same, "seed %d: option %d, %s %v", seed, i, o.Key, o.Args)
					for lang, all := range texts {
						require.Contains(t, all, o.Key, lang)
						for name := range placeholders(all[o.Key]) {
							require.Contains(t, o.Args, name, o.Key)
						}
					}
				}
				answers[string(data)] = true
			}
			t.Logf("%d different exercises", len(answers))
			require.GreaterOrEqual(t, len(answers), 4)
		})
	}
}

func TestASeedNamesAnExercise(t *testing.T) {
	make := func(session *wire.Session, seed int64) *exercise.Exercise {
		e, err := session.Exercise(scenario.RunSettings{}, seed)
		require.NoError(t, err)
		return e
	}
	one, two := openID(t, "hello-scratch"), openID(t, "hello-scratch")
	for _, seed := range []int64{7, 1, 7, -3} {
		make(two, seed) // other exercises before do not matter
	}
	require.Equal(t, make(one, 42), make(two, 42))
	_, err := openID(t, "hello-scratch").Exercise(scenario.RunSettings{HostArch: "arm64"}, 1)
	require.ErrorContains(t, err, "does not start well")
}
