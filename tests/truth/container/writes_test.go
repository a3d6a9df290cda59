package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/container"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// TestRecordedWrites are runs of docker 20.10.24, with --read-only or as user 1000: what the program said and
// its exit code.
func TestRecordedWrites(t *testing.T) {
	busybox := openImage(t, filepath.Join(truthDir(), "container/images/busybox.docker.tar"))
	var debian *opened
	if file := filepath.Join(os.Getenv("BOOTPATH_LAB"), "images/debian-slim.docker.tar"); os.Getenv("BOOTPATH_LAB") != "" {
		if _, err := os.Stat(file); err == nil {
			debian = openImage(t, file)
		}
	}
	for _, row := range []struct {
		from             *opened
		user, line, says string
		code             int
	}{
		{busybox, "", "/bin/busybox touch /x", "touch: /x: Read-only file system", 1},
		{busybox, "", "/bin/busybox touch /bin/busybox", "touch: /bin/busybox: Read-only file system", 1},
		{busybox, "", "/bin/busybox touch /nodir/x", "touch: /nodir/x: No such file or directory", 1},
		{busybox, "", "/bin/busybox mkdir /x", "mkdir: can't create directory '/x': Read-only file system", 1},
		{busybox, "", "/bin/busybox mkdir /tmp", "mkdir: can't create directory '/tmp': File exists", 1},
		{busybox, "", "/bin/busybox mkdir -p /tmp", "", 0},
		{busybox, "", "/bin/busybox rm /bin/busybox", "rm: can't remove '/bin/busybox': Read-only file system", 1},
		{busybox, "", "/bin/busybox rm /nope", "rm: can't remove '/nope': No such file or directory", 1},
		{busybox, "", "/bin/busybox rm -f /nope", "", 0},
		{busybox, "1000", "/bin/busybox touch /x", "touch: /x: Permission denied", 1},
		{busybox, "1000", "/bin/busybox mkdir /x", "mkdir: can't create directory '/x': Permission denied", 1},
		{busybox, "1000", "/bin/busybox rm /bin/busybox", "rm: can't remove '/bin/busybox': Permission denied", 1},
		{debian, "", "touch /x", "touch: cannot touch '/x': Read-only file system", 1},
		{debian, "", "touch /nodir/x", "touch: cannot touch '/nodir/x': No such file or directory", 1},
		{debian, "", "mkdir /x", "mkdir: cannot create directory '/x': Read-only file system", 1},
		{debian, "", "mkdir /tmp", "mkdir: cannot create directory '/tmp': File exists", 1},
		{debian, "", "rm /bin/true", "rm: cannot remove '/bin/true': Read-only file system", 1},
		{debian, "", "rm /nope", "rm: cannot remove '/nope': No such file or directory", 1},
		{debian, "", "rm -f /nope", "", 0},
		{debian, "1000", "touch /x", "touch: cannot touch '/x': Permission denied", 1},
		{debian, "1000", "mkdir /x", "mkdir: cannot create directory '/x': Permission denied", 1},
		{debian, "1000", "rm /bin/true", "rm: cannot remove '/bin/true': Permission denied", 1},
	} {
		if row.from == nil {
			continue // BOOTPATH_LAB has no image of Debian
		}
		m := machine.New()
		container.Run(m, container.Config{Archive: row.from.Archive, Command: strings.Fields(row.line), User: row.user, ReadOnly: row.user == "", Network: "none"})
		tr := m.Trace()
		require.NoError(t, tr.Check(row.from.size), row.line)
		require.Equal(t, row.says, tr.Outcome.Message, row.line)
		if row.code == 0 {
			require.Equal(t, trace.Works, tr.Outcome.Verdict, row.line)
			continue
		}
		require.Equal(t, row.code, *tr.Outcome.ExitCode, row.line)
	}
}
