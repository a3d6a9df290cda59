package systemd

import (
	"path"
	"slices"
	"strings"
)

// rule makes the reason of a dependency that no setting names.
func rule(page, section string) Reason { return Reason{Rule: page + " " + section} }

// implicitDeps adds the dependencies that follow from a unit's type and settings, then the default ones.
// Each manual page lists both under "AUTOMATIC DEPENDENCIES".
func (m *Manager) implicitDeps(u *Unit) {
	switch u.Type {
	case "service":
		m.execDeps(u, "Service", "journal")
		m.serviceDeps(u)
	case "socket":
		m.socketDeps(u)
	case "target":
		if u.defaultDeps && !slices.Contains(u.Names, "shutdown.target") {
			m.depend(u, "shutdown.target", rule("systemd.target(5)", "default dependencies"), Before, Conflicts)
		}
	case "timer":
		m.timerDeps(u)
	case "path":
		m.pathDeps(u)
	case "mount":
		m.mountDeps(u)
	case "automount":
		m.automountDeps(u)
	case "swap":
		m.swapDeps(u)
	case "slice", "scope":
		if u.defaultDeps && !u.perpetual {
			m.depend(u, "shutdown.target", rule("systemd."+u.Type+"(5)", "default dependencies"), Before, Conflicts)
		}
	}
	m.sliceDeps(u)
}

// sliceDeps puts each unit with processes after the slice it lives in. systemd.slice(5).
func (m *Manager) sliceDeps(u *Unit) {
	section := map[string]string{"service": "Service", "socket": "Socket", "mount": "Mount", "swap": "Swap", "slice": "Slice", "scope": "Scope"}[u.Type]
	if section == "" || u.ID == "-.slice" {
		return
	}
	why := rule("systemd.resource-control(5)", "implicit dependencies")
	slice := ""
	if e, f, ok := u.Setting(section, "Slice"); ok && u.Type != "slice" {
		slice, _ = m.Env.Host.expand(u, e.Value)
		why = Reason{Rule: "systemd.resource-control(5) Slice=", File: f, Entry: e}
	}
	switch {
	case slice != "":
	case u.Type == "slice":
		// "foo-bar.slice is a slice that is located within foo.slice"
		slice = "-.slice"
		if i := strings.LastIndexByte(Prefix(u.ID), '-'); i > 0 {
			slice = u.ID[:i] + ".slice"
		}
		why = rule("systemd.slice(5)", "implicit dependencies")
	case u.ID == "init.scope", u.Type == "mount" && u.Mount.extrinsic():
		slice = "-.slice"
	case Instance(u.ID) != "":
		// The dash separates levels of slices, so it is escaped here.
		slice = "system-" + strings.ReplaceAll(Prefix(u.ID), "-", `\x2d`) + ".slice"
	default:
		slice = "system.slice"
	}
	u.slice = slice
	m.depend(u, slice, why, Requires, After)
}

// needMounts records that a path must be mounted.
func (m *Manager) needMounts(u *Unit, p string, why Reason) {
	if path.IsAbs(p) && len(p) < maxPath {
		m.mounts = append(m.mounts, mountUse{u, path.Clean(p), why})
	}
}

// directoryKeys are the settings of systemd.exec(5) that make directories, with their parents.
var directoryKeys = [][2]string{{"RuntimeDirectory", "/run"}, {"StateDirectory", "/var/lib"}, {"CacheDirectory", "/var/cache"},
	{"LogsDirectory", "/var/log"}, {"ConfigurationDirectory", "/etc"}}

// execDeps are the dependencies of units that run processes. systemd.exec(5) "Implicit Dependencies".
func (m *Manager) execDeps(u *Unit, section, output string) {
	reason := func(key string) Reason {
		e, f, _ := u.Setting(section, key)
		return Reason{Rule: "systemd.exec(5) " + key + "=", File: f, Entry: e}
	}
	for _, key := range []string{"WorkingDirectory", "RootDirectory", "RootImage"} {
		m.needMounts(u, m.value(u, section, key), reason(key)) // "-/path", which may be missing, needs nothing
	}
	for _, d := range directoryKeys {
		for _, a := range u.assignments(section, d[0]) {
			for _, w := range m.words(u, a.Value) {
				w, _, _ = strings.Cut(w, ":")
				m.needMounts(u, path.Join(d[1], w), reason(d[0]))
			}
			// What lies below /var has to be writable, and may be on the root file system.
			if strings.HasPrefix(d[1], "/var/") {
				m.depend(u, "systemd-remount-fs.service", reason(d[0]), After)
			}
		}
	}
	if u.setting(section, "RootImage") != "" {
		m.depend(u, "systemd-udevd.service", reason("RootImage"), After)
		m.depend(u, "modprobe@loop.service", reason("RootImage"), Wants, After)
		m.depend(u, "modprobe@dm_mod.service", reason("RootImage"), Wants, After)
	}
	private, dynamic := u.flag(section, "PrivateTmp", false), u.flag(section, "DynamicUser", false)
	if private || dynamic {
		key := "PrivateTmp"
		if !private {
			key = "DynamicUser"
		}
		m.depend(u, "tmp.mount", reason(key), Wants, After)
		m.needMounts(u, "/var/tmp", reason(key))
		m.depend(u, "systemd-tmpfiles-setup.service", reason(key), After)
	}
	// "Units whose standard output or error output is connected to journal or kmsg … automatically
	// acquire dependencies of type After= on systemd-journald.socket."
	out := u.setting(section, "StandardOutput")
	if out == "" {
		out = output
		// "If StandardInput= is set to tty or socket, the default is inherit"
		if in := u.setting(section, "StandardInput"); strings.HasPrefix(in, "tty") || in == "socket" {
			out = in
		}
	}
	err := u.setting(section, "StandardError")
	if journal(out) || journal(err) || u.setting(section, "LogNamespace") != "" {
		m.depend(u, "systemd-journald.socket", rule("systemd.exec(5)", "implicit dependencies"), After)
	}
}

func journal(output string) bool {
	return strings.HasPrefix(output, "journal") || strings.HasPrefix(output, "kmsg") || strings.HasPrefix(output, "syslog")
}

// basic are the default dependencies that services, sockets, timers and paths share.
func (m *Manager) basic(u *Unit, why Reason) {
	m.depend(u, "sysinit.target", why, Requires, After)
	m.depend(u, "shutdown.target", why, Before, Conflicts)
}

func (m *Manager) serviceDeps(u *Unit) {
	s := u.Service
	if s.Type == "dbus" {
		e, f, _ := u.Setting("Service", "BusName")
		m.depend(u, "dbus.socket", Reason{Rule: "systemd.service(5) BusName=", File: f, Entry: e}, Requires, After)
	}
	for _, name := range s.Sockets {
		e, f, _ := u.Setting("Service", "Sockets")
		m.depend(u, name, Reason{Rule: "systemd.service(5) Sockets=", File: f, Entry: e}, Wants, After, TriggeredBy)
	}
	if u.defaultDeps {
		why := rule("systemd.service(5)", "default dependencies")
		m.basic(u, why)
		m.depend(u, "basic.target", why, After)
	}
}

func (m *Manager) socketDeps(u *Unit) {
	s := u.Socket
	if s.Service != "" && !s.Accept {
		m.depend(u, s.Service, rule("systemd.socket(5)", "implicit dependencies"), Before, Triggers)
	}
	for _, l := range s.Listen {
		if path.IsAbs(l) {
			m.needMounts(u, l, rule("systemd.socket(5)", "implicit dependencies"))
		}
	}
	if dev := m.value(u, "Socket", "BindToDevice"); dev != "" && dev != "lo" {
		m.depend(u, NameForPath("/sys/subsystem/net/devices/"+dev, "device"), rule("systemd.socket(5)", "BindToDevice="), BindsTo, After)
	}
	for _, key := range []string{"ExecStartPre", "ExecStartPost", "ExecStopPre", "ExecStopPost"} {
		if u.setting("Socket", key) != "" {
			m.execDeps(u, "Socket", "journal")
			break
		}
	}
	if u.defaultDeps {
		why := rule("systemd.socket(5)", "default dependencies")
		m.depend(u, "sockets.target", why, Before)
		m.basic(u, why)
	}
}

func (m *Manager) timerDeps(u *Unit) {
	m.triggerDeps(u, "Timer", "systemd.timer(5)")
	if u.flag("Timer", "Persistent", false) {
		m.needMounts(u, "/var/lib/systemd/timers", rule("systemd.timer(5)", "Persistent="))
	}
	if u.defaultDeps {
		why := rule("systemd.timer(5)", "default dependencies")
		m.depend(u, "timers.target", why, Before)
		m.basic(u, why)
		if len(u.assignments("Timer", "OnCalendar")) > 0 {
			m.depend(u, "time-sync.target", why, After)
			m.depend(u, "time-set.target", why, After)
		}
	}
}

// triggerDeps bind a timer or path to the unit it starts.
func (m *Manager) triggerDeps(u *Unit, section, page string) {
	name := m.value(u, section, "Unit")
	if name == "" {
		name = strings.TrimSuffix(u.ID, "."+u.Type) + ".service"
	}
	m.depend(u, name, rule(page, "implicit dependencies"), Before, Triggers)
}

func (m *Manager) pathDeps(u *Unit) {
	m.triggerDeps(u, "Path", "systemd.path(5)")
	for _, key := range []string{"PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"} {
		for _, a := range u.assignments("Path", key) {
			p, _ := m.Env.Host.expand(u, a.Value)
			m.needMounts(u, p, Reason{Rule: "systemd.path(5) implicit dependencies", File: a.file, Entry: a.Entry})
		}
	}
	if u.defaultDeps {
		why := rule("systemd.path(5)", "default dependencies")
		m.depend(u, "paths.target", why, Before)
		m.basic(u, why)
	}
}

func (m *Manager) mountDeps(u *Unit) {
	mt := u.Mount
	why := Reason{Rule: "systemd.mount(5) implicit dependencies", File: mt.File, Entry: mt.Entry}
	if u.ID != "-.mount" {
		// The log of the root mount would need a socket below it.
		m.execDeps(u, "Mount", "journal")
		m.needMounts(u, path.Dir(mt.Where), rule("systemd.mount(5)", "implicit dependencies"))
	}
	_, loop := mt.Option("loop")
	if path.IsAbs(mt.What) && (mt.bind() || loop || !mt.Network()) && u.Fragment != "" {
		m.needMounts(u, mt.What, why)
	}
	if devicePath(mt.What) && !mt.bind() && mt.Where != "/" && mt.What != "/dev/root" {
		// BindsTo= only for mounts that a file asks for with x-systemd.device-bound; systemd 252 binds
		// every mount that comes from a file.
		m.depend(u, NameForPath(mt.What, "device"), why, BindsTo, After)
		m.depend(u, "blockdev@"+EscapePath(mt.What)+".target", why, After)
	}
	for _, q := range []string{"usrquota", "grpquota", "quota", "usrjquota", "grpjquota", "prjquota"} {
		if _, ok := mt.Option(q); ok && !mt.Network() && !mt.bind() {
			m.depend(u, "systemd-quotacheck.service", why, Before, Wants)
			m.depend(u, "quotaon.service", why, Before, Wants)
		}
	}
	if !u.defaultDeps || mt.extrinsic() {
		return
	}
	why = rule("systemd.mount(5)", "default dependencies")
	before, after := "local-fs.target", "local-fs-pre.target"
	if below, ok := strings.CutPrefix(path.Clean(mt.Where), "/sysroot"); m.Env.Initrd && ok && (below == "" || below[0] == '/') {
		// "All mounts under /sysroot need to happen later, at initrd-fs.target time." - mount.c
		before = "initrd-fs.target"
		if below == "" {
			before = "initrd-root-fs.target"
		}
	} else if mt.Network() {
		before, after = "remote-fs.target", "remote-fs-pre.target"
		m.depend(u, "network.target", why, After)
		m.depend(u, "network-online.target", why, Wants, After)
	}
	if _, nofail := mt.Option("nofail"); !nofail {
		m.depend(u, before, why, Before)
	}
	m.depend(u, after, why, After)
	m.depend(u, "umount.target", why, Before, Conflicts)
	if mt.FSType == "tmpfs" {
		m.depend(u, "swap.target", why, After)
	}
}

func devicePath(p string) bool { return strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/sys/") }

func (m *Manager) automountDeps(u *Unit) {
	m.depend(u, NameForPath(u.Mount.Where, "mount"), rule("systemd.automount(5)", "implicit dependencies"), Before, Triggers)
	m.needMounts(u, path.Dir(u.Mount.Where), rule("systemd.automount(5)", "implicit dependencies"))
	if u.defaultDeps {
		why := rule("systemd.automount(5)", "default dependencies")
		m.depend(u, "local-fs-pre.target", why, After)
		m.depend(u, "local-fs.target", why, Before)
		m.depend(u, "umount.target", why, Before, Conflicts)
	}
}

func (m *Manager) swapDeps(u *Unit) {
	why := Reason{Rule: "systemd.swap(5) implicit dependencies", File: u.Mount.File, Entry: u.Mount.Entry}
	if devicePath(u.Mount.What) {
		m.depend(u, NameForPath(u.Mount.What, "device"), why, BindsTo, After)
		m.depend(u, "blockdev@"+EscapePath(u.Mount.What)+".target", why, After)
	} else {
		m.needMounts(u, u.Mount.What, why)
		m.depend(u, "systemd-remount-fs.service", why, After) // a swap file has to be writable
	}
	m.execDeps(u, "Swap", "journal")
	if u.defaultDeps {
		why := rule("systemd.swap(5)", "default dependencies")
		m.depend(u, "swap.target", why, Before)
		m.depend(u, "umount.target", why, Before, Conflicts)
	}
}
