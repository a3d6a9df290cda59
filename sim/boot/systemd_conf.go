package boot

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/fsys"
)

// managerConf reads system.conf(5) and its drop-ins. "Entries in this file show the compile time
// defaults": commented-out lines count where no line says otherwise.
func (x *sysd) managerConf() map[string]string {
	out, found := x.daemonConf("system.conf", "Manager")
	if l := x.early(); !found && l != nil { // the same program, built with the same defaults, is in the real root
		text, _ := l.readAny("etc/systemd/system.conf", 1<<20)
		if v := defaults(string(text))["StatusUnitFormat"]; v != "" && out["StatusUnitFormat"] == "" {
			out["StatusUnitFormat"] = v
		}
	}
	return out
}

// daemonConf reads the configuration file of one of systemd's programs with its drop-ins; it tells whether the
// file itself is there.
func (x *sysd) daemonConf(name, section string) (out map[string]string, found bool) {
	out = map[string]string{}
	for _, dir := range []string{"etc/systemd/", "usr/lib/systemd/"} {
		if real, err := fsys.Resolve(x.fs, dir+name); err == nil {
			x.readConf(out, real, section)
			found = true
			break
		}
	}
	byName := map[string]string{}
	for _, dir := range []string{"usr/lib", "usr/local/lib", "etc"} {
		d := dir + "/systemd/" + name + ".d"
		list, _ := x.fs.ReadDir(d)
		for _, e := range list {
			if strings.HasSuffix(e.Name(), ".conf") {
				byName[e.Name()] = path.Join(d, e.Name())
			}
		}
	}
	var names []string
	for n := range byName {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if real, err := fsys.Resolve(x.fs, byName[n]); err == nil {
			x.readConf(out, real, section)
		}
	}
	return out, found
}

// readConf adds what one file says.
func (x *sysd) readConf(out map[string]string, name, section string) {
	file, err := fsys.OpenFile(x.fs, name)
	if err != nil {
		return
	}
	defer file.Close()
	text, err := blob.ReadAll(file, 1<<20)
	if err != nil {
		return
	}
	for k, v := range defaults(string(text)) {
		if _, set := out[k]; !set {
			out[k] = v
		}
	}
	if f, err := systemd.Parse(file, "/"+name); err == nil {
		for _, e := range f.Entries {
			if e.Section == section && e.Value != "" {
				out[e.Key] = e.Value
			}
		}
	}
}

// defaults are the settings that are commented out.
func defaults(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		k, v, ok := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if ok && strings.HasPrefix(line, "#") && !strings.ContainsAny(k, " \t#") && v != "" {
			out[k] = v
		}
	}
	return out
}

// syslogLevel is a level by its name or number; otherwise when it is none.
func syslogLevel(s string, otherwise int) int {
	for i, name := range []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"} {
		if s == name || s == strconv.Itoa(i) {
			return i
		}
	}
	return otherwise
}

// journalRuns has the log go to the journal, which may write it to the console: journald.conf(5)
// ForwardToConsole=, systemd-journald.service(8), "KERNEL COMMAND LINE".
func (x *sysd) journalRuns() {
	x.journald, x.forward = true, -1
	conf, _ := x.daemonConf("journald.conf", "Journal")
	on, level := conf["ForwardToConsole"], conf["MaxLevelConsole"]
	for _, p := range x.params.Params {
		switch strings.ReplaceAll(p.Name, "-", "_") {
		case "systemd.journald.forward_to_console":
			if on = p.Value; !p.HasValue {
				on = "yes"
			}
		case "systemd.journald.max_level_console":
			level = p.Value
		}
	}
	if yes, ok := systemd.ParseBool(on); ok && yes {
		x.forward = syslogLevel(level, logInfo)
	}
}
