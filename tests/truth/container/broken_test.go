package container

import (
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/blob"
	"bootpath/sim/container"
	"bootpath/sim/machine"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// recordedBroken is what broken/record.sh recorded.
//
//go:embed broken/recorded.json
var recordedBroken []byte

// notRead are archives that bootpath does not take for an image at all: it says why, and no engine is asked.
var notRead = []string{"archive-cut", "config-missing", "index-empty", "index-json-broken", "manifest-json-broken", "manifest-missing", "no-archive"}

// acceptedBroken are rows that stay different, with the reason.
var acceptedBroken = map[string]string{
	"manifest-media-type.oci.tar":   "the media type of a descriptor is only a claim here",
	"manifest-changed.oci.tar":      "podman loads an image without layers: it has no program then",
	"config-changed.docker.tar":     "docker refuses the system \"linuy\" of the config; here the platform only warns",
	"layer-gzip-cut.docker.tar":     "docker unpacks by a program of the host when it has one",
	"layer-gzip-flipped.docker.tar": "docker unpacks by a program of the host when it has one",
}

func TestRecordedBroken(t *testing.T) {
	dir := filepath.Join(os.Getenv("BOOTPATH_LAB"), "broken")
	if _, err := os.Stat(dir); err != nil || os.Getenv("BOOTPATH_LAB") == "" {
		t.Skip("BOOTPATH_LAB has no broken/; see broken/record.sh")
	}
	type said struct {
		ExitCode int      `json:"exit_code"`
		Output   []string `json:"output"`
	}
	var rows []struct {
		File   string `json:"file"`
		Podman said   `json:"podman"`
		Docker said   `json:"docker"`
	}
	require.NoError(t, json.Unmarshal(recordedBroken, &rows))
	agree := 0
	for _, row := range rows {
		for engine, want := range map[string]said{"podman": row.Podman, "docker": row.Docker} {
			if engine == "docker" && strings.HasSuffix(row.File, ".oci.tar") {
				continue // docker 20.10 knows no such archive; here the image counts as pulled
			}
			tr := startBroken(t, filepath.Join(dir, row.File), engine)
			name, _, _ := strings.Cut(row.File, ".")
			switch diff := brokenDiff(tr, want.ExitCode, want.Output); {
			case tr == nil:
				require.Contains(t, notRead, name)
			case diff == "":
				agree++
			case acceptedBroken[row.File] == "":
				t.Errorf("%s under %s: %s", row.File, engine, diff)
			}
		}
	}
	t.Logf("%d loads agree", agree)
}

// startBroken starts the image; nil when the archive is not taken for one.
func startBroken(t *testing.T, file, engine string) *trace.Trace {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	fi, err := f.Stat()
	require.NoError(t, err)
	store := blob.NewStore()
	a, err := oci.Open(store, store.Add(filepath.Base(file), f, fi.Size(), nil))
	if err != nil {
		return nil
	}
	m := machine.New()
	container.Run(m, container.Config{Archive: a, Engine: engine, Name: filepath.Base(file), Command: []string{"/bin/busybox", "true"}})
	tr := m.Trace()
	require.NoError(t, tr.Check((&opened{a, store}).size), file)
	return tr
}

// brokenDiff compares with the recorded lines; the loader's line among podman's decides.
func brokenDiff(tr *trace.Trace, code int, output []string) string {
	if tr == nil {
		return ""
	}
	o := tr.Outcome
	switch {
	case code == 0 && o.Verdict == trace.Stops && o.Stage == trace.Resolve:
		return "is loaded; simulated: " + o.Message
	case code == 0:
		return ""
	case o.Verdict != trace.Stops:
		return "is refused: " + strings.Join(output, " / ") + "; simulated " + string(o.Verdict) + " " + o.Unknown.String()
	}
	number := regexp.MustCompile(`(storage|oci|docker-import-)(\d{4,}|NNNNNNNNN)`)
	console := ""
	for _, st := range tr.Steps {
		console += st.Console
	}
	want, got := number.ReplaceAllString(strings.Join(output, "\n"), "$1"), number.ReplaceAllString(strings.TrimSpace(console), "$1")
	if want != got {
		return "\n" + got + "\nrecorded\n" + want
	}
	return ""
}
