package systemd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/fsys"
)

// generatorDirs is where generators lie, highest priority first. systemd.generator(7).
var generatorDirs = [...]string{"/run/systemd/system-generators", "/etc/systemd/system-generators",
	"/usr/local/lib/systemd/system-generators", "/lib/systemd/system-generators", "/usr/lib/systemd/system-generators"}

// generate does what the generators in the image do before units are loaded: those whose rules are
// documented. A generator that is known to write nothing on the machines simulated here is passed over,
// one that is not known is noted.
func (m *Manager) generate() {
	cmd := cmdline.Parse(m.Env.Cmdline)
	known := m.knownGenerators()
	for _, name := range m.generators() {
		if run, ok := known[name]; ok {
			run(cmd)
		} else if !slices.Contains(m.Env.Ran, name) {
			m.Notes = append(m.Notes, name)
		}
	}
}

func (m *Manager) knownGenerators() map[string]func(cmdline.Line) {
	return map[string]func(cmdline.Line){
		"systemd-fstab-generator":            m.fstabGenerator,
		"systemd-getty-generator":            m.gettyGenerator,
		"systemd-debug-generator":            m.debugGenerator,
		"systemd-rc-local-generator":         m.rcLocalGenerator,
		"systemd-system-update-generator":    m.systemUpdateGenerator,
		"systemd-sysv-generator":             m.sysvGenerator,
		"systemd-cryptsetup-generator":       m.cryptsetupGenerator,
		"systemd-veritysetup-generator":      m.needsFile("systemd-veritysetup-generator", "/etc/veritytab"),
		"systemd-integritysetup-generator":   m.needsFile("systemd-integritysetup-generator", "/etc/integritytab"),
		"systemd-run-generator":              m.runGenerator,
		"systemd-gpt-auto-generator":         m.gptAutoGenerator,
		"systemd-hibernate-resume-generator": m.resumeGenerator,
		"systemd-bless-boot-generator":       func(cmdline.Line) {},
	}
}

// generators lists the names of the generators that systemd would run, sorted: an executable of a name
// in a higher directory stands for those in lower ones, a link to /dev/null removes it.
func (m *Manager) generators() []string {
	var names []string
	seen := map[string]bool{}
	for _, dir := range generatorDirs[1:] {
		real, err := fsys.Resolve(m.Env.Root, dir)
		if err != nil {
			continue
		}
		for _, n := range m.loader.list(real) {
			if seen[n.name] {
				continue
			}
			seen[n.name] = true
			if m.executable("/" + n.path) {
				names = append(names, n.name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// executable tells whether p leads to a regular file with an execute bit.
func (m *Manager) executable(p string) bool {
	real, err := fsys.Resolve(m.Env.Root, p)
	if err != nil {
		return false
	}
	fi, err := m.Env.Root.Lstat(real)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

func (m *Manager) present(p string) bool {
	_, err := fsys.Resolve(m.Env.Root, p)
	return err == nil
}

// needsFile passes over a generator whose configuration is absent and notes it otherwise.
func (m *Manager) needsFile(name, file string) func(cmdline.Line) {
	return func(cmdline.Line) {
		if m.present(file) {
			m.Notes = append(m.Notes, name)
		}
	}
}

// runGenerator replaces the default target by one that runs commands and then leaves. systemd-run-generator(8).
func (m *Manager) runGenerator(cmd cmdline.Line) {
	var commands strings.Builder
	actions := map[string]string{"systemd.run_success_action": "exit", "systemd.run_failure_action": "exit"}
	for _, p := range cmd.Params {
		name := strings.ReplaceAll(p.Name, "-", "_")
		if name == "systemd.run" && p.HasValue {
			commands.WriteString("ExecStart=" + p.Value + "\n")
		} else if actions[name] != "" && p.HasValue {
			actions[name] = p.Value
		}
	}
	if commands.Len() == 0 {
		return
	}
	const service, target, head = "kernel-command-line.service", "kernel-command-line.target", "[Unit]\nDescription=Command from Kernel Command Line\nSourcePath=/proc/cmdline\n"
	m.loader.generate(generatorEarly, service, head+"SuccessAction="+actions["systemd.run_success_action"]+"\nFailureAction="+actions["systemd.run_failure_action"]+
		"\n[Service]\nType=oneshot\nStandardOutput=journal+console\n"+commands.String(), nil)
	m.loader.generate(generatorEarly, target, head+"Requires="+service+"\nAfter="+service+"\n", nil)
	m.loader.generateAlias(generatorEarly, "default.target", path.Join(generatorEarly, target), nil)
}

// gettyGenerator puts a login prompt on serial kernel consoles. systemd-getty-generator(8).
func (m *Manager) gettyGenerator(cmd cmdline.Line) {
	if v, ok := cmd.Get("systemd.getty_auto"); ok {
		if on, ok := ParseBool(v); ok && !on {
			return
		}
	}
	add := func(tty string) {
		m.loader.generateLink(generator, "getty.target", "wants", "serial-getty@"+EscapePath(tty)+".service", nil)
	}
	for _, tty := range m.Env.Consoles {
		// Prompts on virtual terminals are getty@.service, which is enabled by a link.
		if !virtualTerminal(tty) {
			add(tty)
		}
	}
	for _, tty := range m.Env.TTYs {
		if slices.Contains([]string{"hvc0", "xvc0", "hvsi0", "sclp_line0", "ttysclp0", "3270!tty1"}, tty) {
			add(tty)
		}
	}
}

func virtualTerminal(tty string) bool {
	n, ok := strings.CutPrefix(tty, "tty")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// debugGenerator obeys systemd.mask=, systemd.wants= and systemd.debug_shell. systemd-debug-generator(8).
func (m *Manager) debugGenerator(cmd cmdline.Line) {
	target := DefaultUnit(cmd, m.Env.Initrd)
	for _, p := range cmd.Params {
		name, rd := strings.CutPrefix(strings.ReplaceAll(p.Name, "-", "_"), "rd.")
		if rd != m.Env.Initrd {
			continue // "Parameters prefixed with "rd." are honored only in the initrd"
		}
		switch {
		case name == "systemd.mask" && p.HasValue:
			m.loader.generateAlias(generatorEarly, mangle(p.Value, "service"), "/dev/null", nil)
		case name == "systemd.wants" && p.HasValue:
			m.loader.generateLink(generatorEarly, target, "wants", mangle(p.Value, "service"), nil)
		case name == "systemd.debug_shell":
			if on, ok := ParseBool(p.Value); !p.HasValue || !ok || on {
				m.loader.generateLink(generatorEarly, target, "wants", "debug-shell.service", nil)
			}
		}
	}
}

// mangle completes a unit name that people abbreviate; a path becomes a mount unit.
func mangle(name, suffix string) string {
	switch {
	case ValidName(name):
		return name
	case strings.HasPrefix(name, "/dev/"):
		return NameForPath(name, "device")
	case strings.HasPrefix(name, "/"):
		return NameForPath(name, "mount")
	}
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/':
			b.WriteByte('-')
		case nameByte(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String() + "." + suffix
}

// DefaultUnit is the unit that the kernel command line asks for; default.target when it asks for none.
// In an initramfs it is initrd.target, only rd.systemd.unit= counts, and runlevel words are for the system
// that comes after it. systemd(1), "KERNEL COMMAND LINE".
func DefaultUnit(cmd cmdline.Line, initrd bool) string {
	unit, key := "default.target", "systemd.unit"
	if initrd {
		unit, key = "initrd.target", "rd.systemd.unit"
	}
	for _, p := range cmd.Params {
		switch {
		case p.HasValue && p.Name == key && ValidName(p.Value):
			unit = p.Value
		case !p.HasValue && !initrd:
			unit = runlevel(p.Name, unit)
		}
	}
	if initrd {
		return unit
	}
	for _, w := range cmd.Init {
		unit = runlevel(w, unit)
	}
	return unit
}

func runlevel(word, otherwise string) string {
	switch word {
	case "emergency", "-b":
		return "emergency.target"
	case "rescue", "single", "-s", "s", "S", "1":
		return "rescue.target"
	case "2", "3", "4":
		return "multi-user.target"
	case "5":
		return "graphical.target"
	}
	return otherwise
}

// rcLocalGenerator starts /etc/rc.local when it is executable. systemd-rc-local-generator(8).
func (m *Manager) rcLocalGenerator(cmdline.Line) {
	if m.executable("/etc/rc.local") {
		m.loader.generateLink(generatorLate, "multi-user.target", "wants", "rc-local.service", m.fileCite("/etc/rc.local"))
	}
}

// systemUpdateGenerator turns the start into an offline update. systemd-system-update-generator(8).
func (m *Manager) systemUpdateGenerator(cmdline.Line) {
	for _, p := range []string{"system-update", "etc/system-update"} {
		if _, err := m.Env.Root.Lstat(p); err == nil {
			m.loader.generateAlias(generatorEarly, "default.target", "/usr/lib/systemd/system/system-update.target", m.fileCite("/"+p))
			return
		}
	}
}

// fileCite is the evidence that a file exists.
func (m *Manager) fileCite(p string) []blob.Cite {
	fi, err := m.Env.Root.Lstat(strings.TrimPrefix(path.Clean(p), "/"))
	if err != nil {
		return nil
	}
	c := fsys.StatOf(fi).Cites
	return c[:min(len(c), 2)]
}
