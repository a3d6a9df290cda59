package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// benchInputs are the samples, and the rebuilt images of the truth recipes when $BOOTPATH_LAB has them.
func benchInputs(b *testing.B) []string {
	files, err := filepath.Glob("../../content/samples/*.slice")
	require.NoError(b, err)
	if lab := os.Getenv("BOOTPATH_LAB"); lab != "" {
		real, err := filepath.Glob(filepath.Join(lab, "images", "deb-*.qcow2"))
		require.NoError(b, err)
		files = append(files, real...)
	}
	return files
}

func benchSession(b testing.TB, file string) *Session {
	if strings.HasSuffix(file, ".slice") {
		data, err := os.ReadFile(file)
		require.NoError(b, err)
		s, err := Open(filepath.Base(file), bytes.NewReader(data), int64(len(data)))
		require.NoError(b, err)
		return s
	}
	f, err := os.Open(file)
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	require.NoError(b, err)
	s, err := Open(filepath.Base(file), f, info.Size())
	require.NoError(b, err)
	return s
}

// The first run of a session that was just opened.
func BenchmarkRunFirst(b *testing.B) {
	for _, file := range benchInputs(b) {
		b.Run(filepath.Base(file), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := benchSession(b, file)
				b.StartTimer()
				_, err := s.Run(scenario.RunSettings{})
				require.NoError(b, err)
			}
		})
	}
}

// benchAgain times runs in a session that has run already.
func benchAgain(b *testing.B, settings func(i int) scenario.RunSettings) {
	for _, file := range benchInputs(b) {
		b.Run(filepath.Base(file), func(b *testing.B) {
			s := benchSession(b, file)
			_, err := s.Run(scenario.RunSettings{})
			require.NoError(b, err)
			b.ResetTimer()
			for i := range b.N {
				_, err := s.Run(settings(i))
				require.NoError(b, err)
			}
		})
	}
}

// Other memory at each run.
func BenchmarkRunAgain(b *testing.B) {
	benchAgain(b, func(i int) scenario.RunSettings { return scenario.RunSettings{MemoryMiB: 2048 + i%2} })
}

// A file removed.
func BenchmarkRunEdited(b *testing.B) {
	benchAgain(b, func(int) scenario.RunSettings { return scenario.RunSettings{Remove: []string{"/etc/hostname"}} })
}

// A run with bytes of a file replaced, in a session that has run already.
func BenchmarkRunPatched(b *testing.B) {
	for _, file := range benchInputs(b) {
		b.Run(filepath.Base(file), func(b *testing.B) {
			s := benchSession(b, file)
			res, err := s.Run(scenario.RunSettings{})
			require.NoError(b, err)
			at := int64(-1)
			for _, st := range res.Steps {
				for _, c := range st.Cites {
					if st.Stage == trace.Init && strings.HasPrefix(c.Blob, "disk") {
						at = c.Off
					}
				}
			}
			if at < 0 {
				b.Skip("nothing of the disk decides after the kernel")
			}
			b.ResetTimer()
			for range b.N {
				_, err := s.Run(scenario.RunSettings{Patch: []scenario.BytePatch{{Off: at, Data: "23"}}})
				require.NoError(b, err)
			}
		})
	}
}
