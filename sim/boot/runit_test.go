package boot

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// debianRunit is a root file system with runit as init: files of Debian 12's packages runit, runit-init and
// getty-run, and one script of /etc/rcS.d that stands for all.
func debianRunit(t *testing.T, more map[string]string) map[string]string {
	real := func(name string) string {
		data, err := os.ReadFile("testdata/runit/" + name)
		require.NoError(t, err)
		return string(data)
	}
	return initRoot(with(map[string]string{
		"sbin/init": "-> ../lib/runit/runit-init", "lib/runit/runit-init": tinyProgram + "\x00/sbin/runit\x00", "sbin/runit": tinyProgram + "\x00$Id: 25da3b86f7bed4038b8a039d2f8e8c9bbcf0822b $\x00",
		"usr/bin/runsvdir": tinyProgram, "usr/sbin/runsvchdir": tinyProgram, "usr/bin/chpst": tinyProgram, "usr/bin/install": tinyProgram, "usr/bin/pgrep": tinyProgram,
		"bin/mkdir": tinyProgram, "usr/bin/realpath": tinyProgram, "usr/bin/env": tinyProgram, "bin/cat": tinyProgram, "bin/grep": tinyProgram, "lib/runit/async-timeout": tinyProgram, "bin/mount": tinyProgram,
		"etc/runit/1": real("1"), "etc/runit/2": real("2"), "etc/runit/3": real("3"), "etc/sv/getty-tty1/run": real("getty-tty1.run"),
		"etc/runit/runsvdir/default/getty-tty1": "-> ../../../sv/getty-tty1", "etc/runit/runsvdir/current": "-> default", "etc/service": "-> runit/runsvdir/current",
		"etc/runit/runsvdir/solo/": "", "etc/rcS.d/S01mountkernfs.sh": "#!/bin/sh\nmount -t devtmpfs udev /dev\nmount -t proc proc /proc\nmount -t tmpfs tmpfs /run\n", "lib/runit/run_sysv_scripts": real("run_sysv_scripts"), "etc/rcS.d/S02hostname.sh": "#!/bin/sh\n", "etc/rc2.d/S01late": "#!/bin/sh\necho late $1\n",
	}, more))
}

// TestRunit follows runit(8), runsvdir(8) and runsv(8).
func TestRunit(t *testing.T) {
	for _, c := range []struct {
		name, cmdline string
		more          map[string]string
		verdict       trace.Verdict
		message       string
		console       string
	}{
		{"the login prompt", "", nil, trace.Works, "box login:", "- runit: $Id: 25da3b86f7bed4038b8a039d2f8e8c9bbcf0822b $: booting.\n- runit: warning: unable to open /dev/console: file does not exist\n- runit: enter stage: /etc/runit/1\n…- runit: leave stage: /etc/runit/1\n- runit: enter stage: /etc/runit/2\nrunsvchdir: default: current.\nlate start\n\nTest box tty1\n…box login: "},
		{"another set of services by the command line", "runitdir=solo", nil, trace.Stops, "- runit: enter stage: /etc/runit/2", "runsvchdir: solo: now current.\n"},
		{"a service that is down and one without a program", "", map[string]string{"etc/sv/x/run": "#!/bin/sh\nexec /bin/x\n", "etc/sv/x/down": "", "etc/runit/runsvdir/default/x": "-> ../../../sv/x",
			"etc/sv/y/note": "", "etc/runit/runsvdir/default/y": "-> ../../../sv/y"}, trace.Works, "box login:", "login: "},
		{"stage 1 gives up", "", map[string]string{"etc/runit/1": "#!/bin/sh\nexit 100\n", "etc/runit/3": "#!/bin/sh\necho down\n"}, trace.Stops, "- runit: power off...",
			"- runit: warning: child failed: /etc/runit/1\n- runit: leave stage: /etc/runit/1\n- runit: warning: skipping stage 2...\n- runit: enter stage: /etc/runit/3\ndown\n"},
		{"no stage 2", "", map[string]string{"etc/runit/2": "-", "etc/runit/3": "#!/bin/sh\necho down\n"}, trace.Stops, "- runit: power off...", "- runit: fatal: unable to start child: /etc/runit/2: file does not exist\n- runit: leave stage: /etc/runit/2\n"},
		{"stage 2 again and again", "", map[string]string{"etc/runit/2": "#!/bin/sh\nexit 111\n"}, trace.Stops, "- runit: warning: restarting.", "killing all processes in stage 2...\n"},
		{"no runit", "", map[string]string{"sbin/runit": "-"}, trace.Stops, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00006f00", "init: fatal: unable to start runit: file does not exist\n"},
		{"a login script that hangs on a program", "", map[string]string{"etc/sv/getty-tty1/run": "#!/bin/sh\nT=$(/bin/oracle)\nexec getty $T\n", "bin/oracle": tinyProgram}, trace.Unknown, "", ""},
		{"a stage 2 that hangs on a program", "", map[string]string{"etc/runit/2": "#!/bin/sh\nif /bin/oracle; then exec runsvdir /etc/service; fi\n", "bin/oracle": tinyProgram}, trace.Unknown, "", ""},
		{"a login script that ends", "", map[string]string{"etc/sv/getty-tty1/run": "#!/bin/sh\n# no getty here\nexit 1\n"}, trace.Works, "- runit: enter stage: /etc/runit/2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := debianRunit(t, c.more)
			for p, text := range c.more {
				if text == "-" {
					delete(root, p)
				}
			}
			x := started(t, "root=/dev/vda1 rw "+c.cmdline, nil, root)
			x.initArgs = x.params.InitArgs(kernelTakes)
			x.kernelInit()
			requireEnds(t, x, c.verdict, c.message, c.console)
		})
	}
}

// requireEnds checks how a start ended: its verdict, its message unless empty, and the parts of its console,
// separated by "…", in their order.
func requireEnds(t *testing.T, x *linux, verdict trace.Verdict, message, console string) {
	t.Helper()
	tr := x.m.Trace()
	require.Equal(t, verdict, tr.Outcome.Verdict, "%+v\n%s", tr.Outcome, shown(x))
	if message != "" {
		require.Equal(t, message, tr.Outcome.Message)
	}
	rest := shown(x)
	for part := range strings.SplitSeq(console, "…") {
		i := strings.Index(rest, part)
		require.GreaterOrEqual(t, i, 0, "%q is not in\n%s", part, rest)
		rest = rest[i+len(part):]
	}
	initSentences(t, tr)
}
