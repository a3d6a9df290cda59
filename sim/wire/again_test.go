package wire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/scenario"
)

// On whole images, whose streams are unpacked and lent: a run in a used session is the run of a fresh one.
func TestRunsOfWholeImagesAreRepeatable(t *testing.T) {
	lab := os.Getenv("BOOTPATH_LAB")
	if lab == "" {
		t.Skip("BOOTPATH_LAB is not set: the rebuilt images of the truth recipes")
	}
	tries := []scenario.RunSettings{
		{},
		{Remove: []string{"/etc/hostname", "/etc/fstab"}},
		{Write: map[string]string{"/etc/fstab": "/dev/vdz9 /data ext4 defaults 0 2\n"}},
		{Remove: []string{"/sbin/init"}, MemoryMiB: 2048},
		{Write: map[string]string{"/boot/initrd.img-6.1.0-50-cloud-amd64": "no archive", "/initrd.img": "no archive"}},
		{Set: map[string]string{"cmdline": "root=/dev/vdz quiet"}},
		{Patch: []scenario.BytePatch{{Off: 0x1fe, Data: "0000"}}},
	}
	for _, name := range []string{"deb-bios.qcow2", "deb-openrc.qcow2"} {
		file := filepath.Join(lab, "images", name)
		run := func(s *Session, settings scenario.RunSettings) string {
			res, err := s.Run(settings)
			require.NoError(t, err)
			t.Log(name, res.Outcome.Verdict, len(res.Steps), res.BytesRead)
			res.BytesRead = 0
			text, err := json.MarshalIndent(res, "", " ")
			require.NoError(t, err)
			return string(text)
		}
		used, backwards := benchSession(t, file), benchSession(t, file)
		fresh := make([]string, len(tries))
		for i, settings := range tries {
			fresh[i] = run(benchSession(t, file), settings)
			require.Equal(t, fresh[i], run(used, settings), "%s %+v", name, settings)
		}
		for i := len(tries) - 1; i >= 0; i-- {
			require.Equal(t, fresh[i], run(backwards, tries[i]), "%s %+v", name, tries[i])
		}
	}
}
