package boot

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

var (
	anyTime = regexp.MustCompile(`(?m)^\[ *\d+\.\d+\] `)
	anyPID  = regexp.MustCompile(`\)\[\d+\]:`)
)

// TestWhatAUnitSaysWhenItsProcessCannotStart quotes Debian 12's systemd 252 as it started units with these
// settings under QEMU.
func TestWhatAUnitSaysWhenItsProcessCannotStart(t *testing.T) {
	for _, c := range []struct{ name, setting, want, kind string }{
		{"a program that is missing", "ExecStart=/usr/bin/no-such", `(no-such)[]: t.service: Failed to locate executable /usr/bin/no-such: No such file or directory
(no-such)[]: t.service: Failed at step EXEC spawning /usr/bin/no-such: No such file or directory
systemd[1]: t.service: Main process exited, code=exited, status=203/EXEC
systemd[1]: t.service: Failed with result 'exit-code'.
systemd[1]: Failed to start t.service - The T.
[FAILED] Failed to start t.service - The T.
         See 'systemctl status t.service' for details.
`, "exec-failed"},
		{"a program that is in no directory of the path", "ExecStart=no-such-name", `(uch-name)[]: t.service: Failed to locate executable no-such-name: No such file or directory
(uch-name)[]: t.service: Failed at step EXEC spawning no-such-name: No such file or directory
`, "exec-failed"},
		{"a program before the program", "ExecStartPre=/usr/bin/no-such\nExecStart=/bin/prog", `systemd[1]: t.service: Control process exited, code=exited, status=203/EXEC
`, "exec-failed"},
		{"a program without format", "ExecStart=/bin/data", `(data)[]: t.service: Failed to execute /bin/data: Exec format error
(data)[]: t.service: Failed at step EXEC spawning /bin/data: Exec format error
`, "exec-failed"},
		{"a directory that is missing", "WorkingDirectory=/nowhere\nExecStart=/bin/prog", `(prog)[]: t.service: Changing to the requested working directory failed: No such file or directory
(prog)[]: t.service: Failed at step CHDIR spawning /bin/prog: No such file or directory
systemd[1]: t.service: Main process exited, code=exited, status=200/CHDIR
`, "spawn-failed"},
		{"a user who is not known", "User=nosuch\nExecStart=/bin/prog", `(prog)[]: t.service: Failed to determine user credentials: No such process
(prog)[]: t.service: Failed at step USER spawning /bin/prog: No such process
systemd[1]: t.service: Main process exited, code=exited, status=217/USER
`, "spawn-failed"},
		{"a group that is not known", "Group=nosuch\nExecStart=/bin/prog", `(prog)[]: t.service: Failed to determine group credentials: No such process
(prog)[]: t.service: Failed at step GROUP spawning /bin/prog: No such process
systemd[1]: t.service: Main process exited, code=exited, status=216/GROUP
`, "spawn-failed"},
		{"an input that is missing", "StandardInput=file:/nowhere\nExecStart=/bin/prog", `(prog)[]: t.service: Failed to set up standard input: No such file or directory
(prog)[]: t.service: Failed at step STDIN spawning /bin/prog: No such file or directory
systemd[1]: t.service: Main process exited, code=exited, status=208/STDIN
`, "spawn-failed"},
		{"a root that is missing", "RootDirectory=/nowhere\nExecStart=/bin/prog", `(prog)[]: t.service: Failed to set up mount namespacing: No such file or directory
(prog)[]: t.service: Failed at step NAMESPACE spawning /bin/prog: No such file or directory
systemd[1]: t.service: Main process exited, code=exited, status=226/NAMESPACE
`, "spawn-failed"},
		{"an environment file that is missing", "EnvironmentFile=/nowhere\nExecStart=/bin/prog", `systemd[1]: t.service: Failed to load environment files: No such file or directory
systemd[1]: t.service: Failed to run 'start' task: No such file or directory
systemd[1]: t.service: Failed with result 'resources'.
systemd[1]: Failed to start t.service - The T.
[FAILED] Failed to start t.service - The T.
`, "no-environment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, _, out := runSmall(t, "", map[string]string{"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n", "bin/data*": "no program",
				unitDir + "t.service":                         "[Unit]\nDescription=The T\n[Service]\nType=oneshot\n" + c.setting + "\n",
				unitDir + "multi-user.target.wants/t.service": "-> ../t.service"})
			require.Contains(t, anyPID.ReplaceAllString(anyTime.ReplaceAllString(out, ""), ")[]:"), c.want)
			require.Equal(t, c.kind == "no-environment", !strings.Contains(out, "Starting t.service"))
			require.NotEmpty(t, stepOf(t, tr, trace.Kind("systemd."+c.kind), "t.service").Cites)
			require.Equal(t, trace.Works, tr.Outcome.Verdict)
		})
	}
}

func TestSettingsThatForgiveWhatIsMissing(t *testing.T) {
	for _, setting := range []string{"EnvironmentFile=-/nowhere", "WorkingDirectory=-/nowhere", "User=nosuch\nDynamicUser=yes", "User=0", "ReadWritePaths=-/nowhere", "WorkingDirectory=~"} {
		_, _, out := runSmall(t, "", map[string]string{"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
			unitDir + "t.service":                         "[Unit]\nDescription=The T\n[Service]\nType=oneshot\n" + setting + "\nExecStart=/bin/prog\n",
			unitDir + "multi-user.target.wants/t.service": "-> ../t.service"})
		require.Contains(t, out, "Finished t.service - The T.", setting)
	}
}
