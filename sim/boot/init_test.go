package boot

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bootpath/sim/trace"
)

// sysvProgram is a program with the texts of sysvinit's init.
func sysvProgram() string {
	return tinyProgram + "\x00version 3.06 %s\x00No inittab.d directory found\x00"
}

// initRoot is a root file system that a kernel without an initramfs can start.
func initRoot(files map[string]string) map[string]string {
	return with(map[string]string{"etc/": "", "dev/": "", "proc/": "", "sys/": "", "run/": "", "etc/issue": "Test \\n \\l\n\n", "etc/hostname": "box\n",
		"bin/sh": tinyProgram, "sbin/getty": tinyProgram, "sbin/sulogin": tinyProgram, "bin/true": tinyProgram}, builtin610, files)
}

const lsbScript = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: NAME\n# Required-Start: NEED\n# Default-Start: S\n# Short-Description: test\n### END INIT INFO\necho \"NAME $1 in $RUNLEVEL\"\n"

func lsbService(name, need string) string {
	return strings.NewReplacer("NAME", name, "NEED", need).Replace(lsbScript)
}

// initSentences checks that every step of these actors has a sentence in English.
func initSentences(t *testing.T, tr *trace.Trace) {
	for _, area := range []string{"init", "sysvinit", "openrc", "runit", "dinit", "s6"} {
		data, err := os.ReadFile("../../content/messages/" + area + ".en.json")
		require.NoError(t, err)
		var all map[string]struct{ Title, Text string }
		require.NoError(t, json.Unmarshal(data, &all))
		for _, st := range tr.Steps {
			if !strings.HasPrefix(string(st.Kind), area+".") {
				continue
			}
			m, ok := all[string(st.Kind)]
			require.True(t, ok, "%s has no sentence", st.Kind)
			for _, p := range slot.FindAllStringSubmatch(m.Title+m.Text, -1) {
				require.Contains(t, st.Args, p[1], "%s", st.Kind)
			}
		}
	}
}

// TestInits runs inits whose tables are written after inittab(5), openrc-run(8), Debian policy 9.3 and
// BusyBox's examples/inittab.
func TestInits(t *testing.T) {
	sysv := func(inittab string, more ...map[string]string) map[string]string {
		return initRoot(with(append(more, map[string]string{"sbin/init": sysvProgram(), "etc/inittab": inittab})...))
	}
	busyboxInit := func(more map[string]string) map[string]string {
		return initRoot(with(map[string]string{"bin/busybox": tinyProgram, "sbin/init": "-> ../bin/busybox", "bin/sh": "-> busybox"}, more))
	}
	rc := "#!/bin/sh\nfor s in /etc/rc$runlevel.d/S*; do $s start; done\n"
	for _, c := range []struct {
		name, cmdline string
		root          map[string]string
		verdict       trace.Verdict
		message       string
		console       string // "…" between parts that must stand in this order
	}{
		{"sysvinit comes to the login prompt", "", sysv("id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl2:2:wait:/etc/init.d/rc 2\nl3:3:wait:/etc/init.d/rc 3\n1:23:respawn:/sbin/getty 38400 tty1\n", map[string]string{
			"etc/init.d/rcS": "#!/bin/sh\nexec /etc/init.d/rc S\n", "etc/init.d/rc": rc, "etc/init.d/b": lsbService("b", ""), "etc/init.d/a": lsbService("a", "b"), "etc/init.d/hostname.sh": "#!/bin/sh\n",
			"etc/rcS.d/S01hostname.sh": "-> ../init.d/hostname.sh", "etc/rcS.d/S02b": "-> ../init.d/b", "etc/rcS.d/K03x": "-> ../init.d/a", "etc/rc2.d/S01a": "-> ../init.d/a", "etc/rc2.d/S01b": "-> ../init.d/b",
			"etc/rc3.d/S01no": "-> ../init.d/a"}),
			trace.Works, "box login:", "INIT: version 3.06 booting\nINIT: No inittab.d directory found\n…b start in S\n…INIT: Entering runlevel: 2\n…a start in 2\n…Test box tty1\n…box login: "},
		{"without initdefault sysvinit asks", "", sysv("si::sysinit:/bin/true\n"), trace.Stops, "Enter runlevel:", "Enter runlevel: "},
		{"the command line names a runlevel", "3", sysv("id:2:initdefault:\nx:2:wait:/bin/nothing\n1:23:respawn:/sbin/getty 38400 tty1\n"), trace.Works, "(none) login:", "INIT: Entering runlevel: 3\n"},
		{"single user was asked for", "single", sysv("id:2:initdefault:\n~~:S:wait:/sbin/sulogin\n"), trace.Works, "Press Enter for maintenance", "INIT: Entering runlevel: S\n"},
		{"a bad line and a missing getty", "", sysv("id:2:initdefault:\nbad line\n1:23:respawn:/sbin/gone 38400 tty1\n2:2:respawn:/sbin/agetty tty1\n"), trace.Stops, "INIT: Entering runlevel: 2",
			"INIT: /etc/inittab[2]: missing runlevel field\n…INIT: cannot execute \"/sbin/gone\"\nINIT: Id \"1\" respawning too fast: disabled for 5 minutes\n"},
		{"a script that waits for a program's answer is left", "", sysv("id:2:initdefault:\nsi::sysinit:/etc/rc\n1:2:respawn:/sbin/getty 38400 tty1\n", map[string]string{"etc/rc": "#!/bin/sh\necho before\nx=$(/bin/oracle)\necho after $x\n", "bin/oracle": tinyProgram}),
			trace.Works, "(none) login:", "before\n…INIT: Entering runlevel: 2\n"},
		{"BusyBox without a table offers a shell", "", busyboxInit(map[string]string{"etc/init.d/rcS": "#!/bin/sh\necho up\n"}), trace.Works, "Please press Enter to activate this console.", "up\n…\nPlease press Enter to activate this console. "},
		{"BusyBox without a table and without rcS", "", busyboxInit(nil), trace.Works, "Please press Enter to activate this console.", "can't run '/etc/init.d/rcS': No such file or directory\n"},
		{"BusyBox runs sysinit before once, whatever the order", "", busyboxInit(map[string]string{"etc/inittab": "::wait:/etc/w\n::sysinit:/etc/s\nnot a line\ntty1::respawn:/sbin/getty 38400 tty1\n",
			"etc/w": "#!/bin/sh\necho second\n", "etc/s": "#!/bin/sh\necho first\n"}), trace.Works, "(none) login:", "Bad inittab entry at line 3\nfirst\nsecond\n"},
		{"OpenRC under BusyBox orders by what services need", "", busyboxInit(map[string]string{
			"etc/inittab": "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\ntty1::respawn:/sbin/getty 38400 tty1\n",
			"sbin/openrc": tinyProgram + "\x00   %sOpenRC %s0.48%s is starting up %s\x00", "lib/rc/sh/functions.sh": "", "lib/rc/sh/rc-functions.sh": "",
			"lib/rc/sh/init.sh": "#!/bin/sh\neinfo \"/proc is already mounted\"\nebegin \"Mounting /proc\"\nebegin \"Mounting /run\"\ncheckpath -d \"$RC_SVCDIR\"\n",
			"lib/rc/bin/ebegin": tinyProgram, "lib/rc/bin/eend": tinyProgram,
			"etc/init.d/hostname": "#!/sbin/openrc-run\ndepend() {\n\tprovide name\n}\nstart() {\n\tebegin \"Setting hostname\"\n\teend 0\n}\n",
			"etc/init.d/net":      "#!/sbin/openrc-run\ndepend() {\n\tneed name lo\n}\ncommand=/bin/true\n", "etc/init.d/lo": "#!/sbin/openrc-run\ncommand=/bin/lo\n",
			"etc/init.d/web": "#!/sbin/openrc-run\nname=network\ncommand=/bin/true\n", "etc/runlevels/default/web": "-> /etc/init.d/web",
			"etc/init.d/lost":        "#!/sbin/openrc-run\ndepend() { need nowhere; }\ncommand=/bin/true\n",
			"etc/runlevels/sysinit/": "", "etc/runlevels/boot/": "", "etc/runlevels/default/net": "-> /etc/init.d/net", "etc/runlevels/boot/hostname": "-> /etc/init.d/hostname", "etc/runlevels/default/lost": "-> /etc/init.d/lost"}),
			trace.Works, "box login:", "   OpenRC 0.48 is starting up Linux 6.1.0 (x86_64)\n…Mounting /proc ...\n [ ok ]\n…/run/openrc: creating directory\n…Caching service dependencies ...\n [ ok ]\n" +
				"… * Setting hostname ...\n [ ok ]\n… * ERROR: lost needs service(s) nowhere\n * Starting lo ...\n * start-stop-daemon: /bin/lo does not exist\n…ERROR: cannot start net as lo would not start\n… * Starting network ...\n [ ok ]\n…box login: "},
		// as a boot of Alpine's busybox and OpenRC on a serial line showed it
		{"OpenRC on a serial line has no colours and one line for a service", "console=ttyS0", busyboxInit(map[string]string{
			"etc/inittab": "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n", "sbin/getty": "-> ../bin/busybox",
			"sbin/openrc": tinyProgram + "\x00   %sOpenRC %s0.45.2%s is starting up %s\x00", "lib/librc.so.1": tinyProgram + "\x00Service `%s' needs non existent service `%s'\n\x00",
			"lib/rc/sh/functions.sh": "", "lib/rc/sh/rc-functions.sh": "", "lib/rc/bin/ebegin": tinyProgram, "lib/rc/bin/eend": tinyProgram, "lib/rc/bin/fstabinfo": tinyProgram,
			"lib/rc/sh/init.sh":   "#!/bin/sh\nebegin \"Mounting /proc\"\nebegin \"Mounting /run\"\ncheckpath -d \"$RC_SVCDIR\"\n",
			"etc/init.d/hostname": "#!/sbin/openrc-run\nstart() {\n\tfstabinfo -q /dev && einfo no\n\tebegin \"Setting hostname to alpbox\"\n\thostname alpbox\n\teend $?\n}\n", "bin/hostname": "-> busybox",
			"etc/init.d/crond": "#!/sbin/openrc-run\ndepend() { need localmount; }\ncommand=/bin/true\n", "etc/runlevels/sysinit/": "", "etc/runlevels/boot/hostname": "-> /etc/init.d/hostname"}),
			trace.Works, "alpbox login:", "Mounting /run ... * /run/openrc: creating directory\nService `crond' needs non existent service `localmount'\n * Caching service dependencies ... [ ok ]\n" +
				"… * Setting hostname to alpbox ... [ ok ]\n…Test alpbox /dev/ttyS0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, "root=/dev/vda1 rw "+c.cmdline, nil, c.root)
			x.initArgs = x.params.InitArgs(kernelTakes)
			x.kernelInit()
			tr := x.m.Trace()
			require.Equal(t, c.verdict, tr.Outcome.Verdict, "%+v\n%s", tr.Outcome, shown(x))
			require.Equal(t, c.message, tr.Outcome.Message)
			rest := shown(x)
			for part := range strings.SplitSeq(c.console, "…") {
				i := strings.Index(rest, part)
				require.GreaterOrEqual(t, i, 0, "%q is not in\n%s", part, rest)
				rest = rest[i+len(part):]
			}
			require.NotContains(t, shown(x), "after", "nothing is said that hangs on an unknown program")
			initSentences(t, tr)
		})
	}
}
