package boot

import (
	"testing"

	"bootpath/sim/trace"
)

// TestDinit follows dinit(8) and dinit-service(5).
func TestDinit(t *testing.T) {
	base := map[string]string{
		"sbin/init": "-> dinit", "sbin/dinit": tinyProgram, "bin/hostname": tinyProgram,
		"etc/dinit.d/boot":   "type = internal\ndepends-on = early\nwaits-for.d = boot.d\n",
		"etc/dinit.d/early":  "type = scripted\ncommand = /etc/early.sh start\n",
		"etc/dinit.d/tty1":   "type = process\ncommand = /sbin/getty tty1\ndepends-on = early\nrestart = true\n",
		"etc/dinit.d/broken": "type = process\ncommand = /bin/gone\n", "etc/dinit.d/after": "command = /bin/true\ndepends-on = broken\n",
		"etc/dinit.d/boot.d/tty1": "-> ../tty1", "etc/dinit.d/boot.d/after": "-> ../after", "etc/early.sh": "#!/bin/sh\nhostname cell\necho early $1\n",
	}
	for _, c := range []struct {
		name    string
		more    map[string]string
		verdict trace.Verdict
		message string
		console string
	}{
		{"the login prompt", nil, trace.Works, "cell login:", "[FAILED] broken\n[FAILED] after\nearly start\n[  OK  ] early\n[  OK  ] tty1\n[  OK  ] boot\n…cell login: "},
		{"what boot needs fails", map[string]string{"etc/early.sh": "#!/bin/sh\nexit 3\n"}, trace.Stops, "[FAILED] boot", "[FAILED] early\n"},
		{"what boot needs has no description", map[string]string{"etc/dinit.d/boot": "type = internal\ndepends-on = nowhere\n"}, trace.Stops, "dinit: nowhere: could not find service description.", ""},
		{"a line that is not understood", map[string]string{"etc/dinit.d/early": "@include x\n"}, trace.Unknown, "", ""},
		{"a service that waits for itself", map[string]string{"etc/dinit.d/early": "type = internal\ndepends-on = boot\n"}, trace.Unknown, "", ""},
		{"a script that hangs on a program", map[string]string{"etc/dinit.d/tty1": "command = /etc/login.sh\n", "etc/login.sh": "#!/bin/sh\nexec getty $(oracle)\n"}, trace.Unknown, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := started(t, "root=/dev/vda1 rw", nil, initRoot(with(base, c.more)))
			x.kernelInit()
			requireEnds(t, x, c.verdict, c.message, c.console)
		})
	}
}
