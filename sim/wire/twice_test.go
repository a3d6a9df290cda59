package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
)

// A learner starts an image again and again: each start is the same, in a slice too.
func TestRunsAreRepeatable(t *testing.T) {
	files, err := filepath.Glob("../../content/samples/*.slice")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		s, err := Open(filepath.Base(f), bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		first, err := s.Run(scenario.RunSettings{})
		require.NoError(t, err)
		again, err := s.Run(scenario.RunSettings{})
		require.NoError(t, err)
		require.Equal(t, first.Outcome, again.Outcome, f)
		require.Equal(t, first.Steps, again.Steps, f)
	}
}
