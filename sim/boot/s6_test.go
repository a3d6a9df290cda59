package boot

import (
	"testing"

	"bootpath/sim/trace"
)

// s6Root is a root file system whose init is a script that ends in s6-svscan.
func s6Root(script string, more ...map[string]string) map[string]string {
	root := map[string]string{"sbin/init": "#!/bin/execlineb -P\n" + script, "bin/execlineb": tinyProgram, "bin/s6-svscan": tinyProgram + "\x00/bin/s6-supervise\x00", "bin/s6-supervise": tinyProgram,
		"bin/echo": tinyProgram, "bin/s6-svscanctl": tinyProgram, "bin/s6-log": tinyProgram, "bin/false": tinyProgram, "bin/daemon": tinyProgram, "bin/mount": tinyProgram, "bin/mkdir": tinyProgram, "bin/getty": tinyProgram,
		"etc/sv/tty1/run": "#!/bin/execlineb -P\ngetty 38400 tty1\n"}
	for _, name := range []string{"foreground", "background", "if", "ifelse", "importas", "define", "export", "redirfd", "fdmove", "backtick", "forx", "multisubstitute", "exit", "exec", "cd", "ifthenelse", "emptyenv", "loopwhilex"} {
		root["bin/"+name] = tinyProgram
	}
	return initRoot(with(append([]map[string]string{root}, more...)...))
}

// TestS6 follows the documentation of s6 and execline; tests/truth/inits compares with recordings.
func TestS6(t *testing.T) {
	svscan := "export PATH /bin\ns6-svscan /etc/sv\n"
	service := func(run string) map[string]string { return map[string]string{"etc/sv/web/run": run} }
	for _, c := range []struct {
		name, cmdline string
		root          map[string]string
		verdict       trace.Verdict
		message       string
		console       string
	}{
		{"the login prompt", "", s6Root(svscan), trace.Works, "(none) login:", "Test (none) tty1\n"},
		{"a service that cannot be started", "", s6Root(svscan, service("#!/bin/nothing\n")), trace.Works, "(none) login:",
			"s6-supervise web: warning: unable to spawn ./run - waiting 10 seconds\ns6-supervise web (child): fatal: unable to exec run: No such file or directory\n"},
		{"blocks, variables and loops", "what=42", s6Root("define -s a \"1 2\" importas -D none w what multisubstitute { define b x importas -i p PATH } foreground { forx i { $a } importas j i echo ${j}${b}-${w} }\n" +
			"ifelse { false } { echo never } backtick -E out { echo inner } if { echo \"${out} is \\\"it\\\"\" } foreground { ifthenelse { false } { echo never } { echo else } } " + svscan),
			trace.Works, "(none) login:", "1x-42\n2x-42\n…inner is \"it\"\n…else\n"},
		{"a block that fails ends PID 1", "", s6Root("if -x 7 { false } " + svscan), trace.Stops, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000700", ""},
		{"a program that is not there", "", s6Root("foreground { nothing } importas s ? foreground { echo ${s} } gone now"), trace.Stops, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00",
			"foreground: warning: unable to spawn nothing: No such file or directory\n127\nforeground: fatal: unable to exec gone: No such file or directory\n"},
		{"a brace too few", "", s6Root("if { false echo"), trace.Stops, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00006400", "execlineb: fatal: unmatched {\n"},
		{"no scan directory", "", s6Root("s6-svscan /etc/no"), trace.Stops, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00006f00", "s6-svscan: fatal: unable to chdir: No such file or directory\n"},
		{"a service that ends for good", "", s6Root(svscan, service("#!/bin/sh\necho up\nexit 3\n"), map[string]string{"etc/sv/web/finish": "#!/bin/sh\necho down $1 $2 $3\nexit 125\n"}), trace.Works, "(none) login:", "up\ndown 3 0 web\n"},
		{"s6-svscan is told to end", "", s6Root(svscan, service("#!/bin/execlineb -P\ns6-svscanctl -t /etc/sv\n"), map[string]string{"etc/sv/.s6-svscan/finish": "#!/bin/sh\necho finish\nexit 1\n"}), trace.Stops,
			"Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100", "finish\n"},
		{"a logger takes what a service writes", "", s6Root(svscan, service("#!/bin/sh\necho hidden\necho seen >&2\nexec daemon\n"), map[string]string{"etc/sv/web/log/run": "#!/bin/execlineb -P\ns6-log /tmp/x\n"}), trace.Works, "(none) login:", "seen\n"},
		{"a login script that hangs on a program", "", s6Root(svscan, map[string]string{"etc/sv/tty1/run": "#!/bin/execlineb -P\nbacktick -E t { daemon } getty $t\n"}), trace.Unknown, "", ""},
		{"PID 1 hangs on a program", "", s6Root("backtick -E t { daemon } s6-svscan $t\n"), trace.Unknown, "", ""},
		{"an endless loop", "", s6Root("loopwhilex echo again\n"), trace.Unknown, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, "root=/dev/vda1 rw "+c.cmdline, nil, c.root)
			x.initArgs = x.params.InitArgs(kernelTakes)
			x.kernelInit()
			requireEnds(t, x, c.verdict, c.message, c.console)
		})
	}
}
