package tests

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/scenario"
	"bootpath/sim/wire"
)

// Damaged images give an error or an outcome, never a panic, and the trace stays sound.
func TestDamagedSamplesEndInAnOutcome(t *testing.T) {
	for _, s := range samples(t) {
		data, err := os.ReadFile(filepath.Join(root, "content/samples", s.File))
		require.NoError(t, err)
		store, origin, err := blob.OpenSlice(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		name := "disk0"
		if store.Kept(name) == nil {
			name = origin.Name
		}
		kept := store.Kept(name).Ranges()
		chance := rand.New(rand.NewSource(int64(len(data))))
		for i := range 40 {
			settings := s.Settings
			for range 1 + i%4 {
				r := kept[chance.Intn(len(kept))]
				off := r[0] + chance.Int63n(r[1])
				settings.Patch = append(settings.Patch, scenario.BytePatch{Off: off, Data: fmt.Sprintf("%02x", chance.Intn(256))})
			}
			session := openSample(t, s)
			res, err := session.Run(settings)
			if err == nil {
				checkTrace(t, session, res)
			}
			if t.Failed() {
				t.Fatalf("%s with %v", s.ID, settings.Patch)
			}
		}
	}
}

// The same for whole files of the recordings, with bytes changed and the end cut off.
func TestDamagedFilesEndInAnOutcome(t *testing.T) {
	truth := os.Getenv("BOOTPATH_TRUTH")
	if truth == "" {
		truth = "../../shared/truth"
	}
	var files []string
	for _, pattern := range []string{"container/images/hello*.tar", "container/images/busybox*.tar", "real/*.img", "real/busybox*.tar", "system/images/*.iso"} {
		found, _ := filepath.Glob(filepath.Join(truth, pattern))
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("no recordings: set BOOTPATH_TRUTH")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		chance := rand.New(rand.NewSource(int64(len(data))))
		for i := range 12 {
			b := bytes.Clone(data)
			for range 1 << (i % 6) {
				// headers and tables lie at the start, and, in a tar, everywhere
				b[chance.Intn(min(len(b), 1<<(10+chance.Intn(12))))] = byte(chance.Intn(256))
			}
			if i%3 == 2 {
				b = b[:chance.Intn(len(b))]
			}
			session, err := wire.Open(filepath.Base(file), bytes.NewReader(b), int64(len(b)))
			if err != nil {
				require.NotEmpty(t, wire.FailureOf(err).Message)
				continue
			}
			session.Inspect()
			res, err := session.Run(scenario.RunSettings{})
			if err == nil {
				checkTrace(t, session, res)
			}
			if t.Failed() {
				t.Fatalf("%s, damage %d", file, i)
			}
		}
	}
}
