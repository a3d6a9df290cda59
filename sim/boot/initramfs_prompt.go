package boot

import (
	"path"
	"strings"

	"bootpath/sim/blob"
)

// greets is what an interactive shell says before its first prompt.
func (in *shProcess) greets(kind shellKind, shell string) (string, []blob.Cite) {
	text, cites := "", []blob.Cite(nil)
	if kind.name == "busybox" {
		const help = "Enter 'help' for a list of built-in commands."
		version, at := in.x.busyboxVersion()
		if found, _ := in.x.inBusybox(help); version != "" && found != "" { // left out with FEATURE_SH_EXTRA_QUIET
			text, cites = "\n\n"+version+" built-in shell (ash)\n"+help+"\n\n", at
		}
	}
	// The console is nobody's controlling terminal (drivers/tty/tty_io.c, tty_open), and who leads no session does
	// not get one from another device: a shell without setsid goes without job control.
	if !in.leader && !in.b.soft {
		switch kind.name {
		case "busybox":
			text += path.Base(shell) + ": can't access tty; job control turned off\n"
		case "dash":
			if kind.klibc { // built without job control (klibc, usr/dash), so it has nothing to say
				break
			}
			text += shell + ": 0: can't access tty; job control turned off\n"
		}
	}
	return text, cites
}

// prompt is PS1 as a shell shows it. BusyBox replaces escapes in it: libbb/lineedit.c, parse_and_put_prompt.
func (in *shProcess) prompt(kind shellKind) string {
	ps1, given := in.vars["PS1"]
	given = given && in.exported["PS1"]
	switch {
	case kind.name != "busybox" && !given:
		return "# "
	case kind.name != "busybox":
		return in.expanded(ps1)
	case !given:
		ps1 = `\w \$ `
	}
	ps1 = in.expanded(strings.ReplaceAll(ps1, `\`, `\\`))
	dir := in.cwd
	if home := in.vars["HOME"]; home != "" && in.x.promptKnowsHome() {
		if rest, ok := strings.CutPrefix(dir, home); ok && (rest == "" || rest[0] == '/') {
			dir = "~" + rest
		}
	}
	base := dir
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		base = dir[i+1:]
	}
	return strings.NewReplacer(`\w`, dir, `\W`, base, `\$`, "#").Replace(ps1)
}

// promptKnowsHome tells whether this BusyBox takes the home directory of its prompt from $HOME, which was so in a
// recording of 1.36; in one of 1.35, without /etc/passwd, it was not.
func (x *linux) promptKnowsHome() bool {
	version, _ := x.busyboxVersion()
	return version >= "BusyBox v1.36"
}
