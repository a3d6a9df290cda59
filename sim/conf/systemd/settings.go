package systemd

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// depKeys are the settings of [Unit] that name other units, with the dependencies each one makes.
var depKeys = []struct {
	key  string
	deps []Dep
}{
	{"Requires", []Dep{Requires}}, {"Requisite", []Dep{Requisite}}, {"Wants", []Dep{Wants}}, {"BindsTo", []Dep{BindsTo}},
	{"PartOf", []Dep{PartOf}}, {"Upholds", []Dep{Upholds}}, {"Conflicts", []Dep{Conflicts}},
	{"Before", []Dep{Before}}, {"After", []Dep{After}}, {"OnFailure", []Dep{OnFailure}}, {"OnSuccess", []Dep{OnSuccess}},
	{"PropagatesReloadTo", []Dep{PropagatesReloadTo}}, {"PropagateReloadTo", []Dep{PropagatesReloadTo}},
	{"ReloadPropagatedFrom", []Dep{ReloadPropagatedFrom}}, {"PropagateReloadFrom", []Dep{ReloadPropagatedFrom}},
	{"PropagatesStopTo", []Dep{PropagatesStopTo}}, {"StopPropagatedFrom", []Dep{StopPropagatedFrom}},
	{"RequiresOverridable", []Dep{Requires}}, {"RequisiteOverridable", []Dep{Requisite}}, {"BindTo", []Dep{BindsTo}},
}

// settings reads what the files of a unit say and adds the dependencies that follow from it.
func (m *Manager) settings(u *Unit) {
	u.defaultDeps = u.flag("Unit", "DefaultDependencies", true)
	u.IgnoreOnIsolate = u.flag("Unit", "IgnoreOnIsolate", u.Type == "mount" || u.Type == "device" || u.Type == "slice" || u.Type == "scope" || u.Type == "swap")
	u.AllowIsolate = u.flag("Unit", "AllowIsolate", false)
	u.RefuseManualStart = u.flag("Unit", "RefuseManualStart", false)
	u.StopWhenUnneeded = u.flag("Unit", "StopWhenUnneeded", false)
	u.SourcePath = u.setting("Unit", "SourcePath")
	u.Description, _ = m.Env.Host.expand(u, u.setting("Unit", "Description"))
	u.JobTimeout = u.setting("Unit", "JobTimeoutSec")
	u.JobRunningTimeout = cmp.Or(u.setting("Unit", "JobRunningTimeoutSec"), u.JobTimeout)
	u.OnSuccessMode = JobMode(cmp.Or(u.setting("Unit", "OnSuccessJobMode"), string(Fail)))
	if v := u.setting("Unit", "OnFailureJobMode"); v != "" {
		u.OnFailureMode = JobMode(v)
	}
	if u.flag("Unit", "OnFailureIsolate", false) {
		u.OnFailureMode = Isolate
	}
	m.conditions(u)

	m.typeSettings(u)
	if u.Load != Loaded {
		return
	}
	m.fileDeps(u)
	m.linkDeps(u)
	m.implicitDeps(u)
}

// fileDeps adds what the assignments in [Unit] name.
func (m *Manager) fileDeps(u *Unit) {
	for _, f := range u.Files {
		for _, e := range f.Entries {
			if e.Section != "Unit" {
				continue
			}
			why := Reason{Rule: "systemd.unit(5) " + e.Key + "=", File: f, Entry: e}
			if e.Key == "RequiresMountsFor" || e.Key == "WantsMountsFor" {
				for _, p := range m.words(u, e.Value) {
					m.needMounts(u, p, why)
				}
				continue
			}
			for _, k := range depKeys {
				if k.key == e.Key {
					for _, name := range m.words(u, e.Value) {
						m.depend(u, name, why, k.deps...)
					}
				}
			}
		}
	}
}

// words splits a value and resolves specifiers; words with unknown ones are left out and noted.
func (m *Manager) words(u *Unit, value string) []string {
	words, err := splitWords(value, retainEscapes)
	if err != nil {
		u.Notes = append(u.Notes, "Invalid syntax, ignoring: "+value)
	}
	var out []string
	for _, w := range words {
		w, ok := m.Env.Host.expand(u, w)
		if !ok {
			u.Notes = append(u.Notes, "specifier of unknown value: "+w)
			continue
		}
		out = append(out, w)
	}
	return out
}

// linkDeps adds what lies in the unit's .wants, .requires and .upholds directories.
func (m *Manager) linkDeps(u *Unit) {
	owners := m.loader.search(u.Names)
	for _, k := range [...]struct {
		kind string
		dep  Dep
	}{{"wants", Wants}, {"requires", Requires}, {"upholds", Upholds}} {
		for _, n := range m.loader.wanted(owners, k.kind) {
			l := m.loader.link(n)
			m.depend(u, n.name, Reason{Rule: "systemd.unit(5) ." + k.kind + "/ directory", Link: &l}, k.dep)
		}
	}
}

// conditions reads Condition…= and Assert…=. "If … assigned the empty string, the list of conditions
// is reset completely."
func (m *Manager) conditions(u *Unit) {
	for _, f := range u.Files {
		for _, e := range f.Entries {
			if e.Section != "Unit" {
				continue
			}
			list, kind, ok := &u.Conditions, "", false
			if kind, ok = strings.CutPrefix(e.Key, "Condition"); !ok {
				if kind, ok = strings.CutPrefix(e.Key, "Assert"); !ok {
					continue
				}
				list = &u.Asserts
			}
			if e.Value == "" {
				*list = nil
				continue
			}
			c := Condition{Assert: list == &u.Asserts, Kind: kind, File: f, Entry: e}
			v := e.Value
			if v, c.Trigger = strings.CutPrefix(v, "|"); c.Trigger {
				v = strings.TrimLeft(v, blanks)
			}
			if v, c.Negate = strings.CutPrefix(v, "!"); c.Negate {
				v = strings.TrimLeft(v, blanks)
			}
			c.Param, _ = m.Env.Host.expand(u, v)
			if strings.HasPrefix(c.Param, "/") && pathCondition(kind) {
				c.Param = path.Clean(c.Param)
			}
			*list = append(*list, c)
		}
	}
}

func pathCondition(kind string) bool {
	return strings.HasPrefix(kind, "Path") || strings.HasPrefix(kind, "Directory") || strings.HasPrefix(kind, "File") || kind == "NeedsUpdate"
}

// typeSettings reads the section of the unit's type and checks what that type demands.
func (m *Manager) typeSettings(u *Unit) {
	switch u.Type {
	case "service":
		m.service(u)
	case "socket":
		m.socket(u)
	case "mount":
		m.mount(u)
	case "automount":
		u.Mount = &Mount{Where: m.value(u, "Automount", "Where")}
		if u.Mount.Where == "" {
			u.Mount.Where = UnescapePath(Prefix(u.ID))
		}
	case "swap":
		e, f, _ := u.Setting("Swap", "What")
		u.Mount = &Mount{What: m.value(u, "Swap", "What"), File: f, Entry: e}
		if u.Description == "" {
			u.Description = u.Mount.What
		}
	case "slice":
		if u.Description == "" {
			u.Description = sliceDescription(u.ID)
		}
	case "device":
		if u.Description == "" {
			u.Description = UnescapePath(Prefix(u.ID))
		}
	case "scope":
		if u.ID == "init.scope" && u.Description == "" {
			u.Description = "System and Service Manager"
		}
	}
}

// sliceDescription is what slices without a file are called: "Slice /system/getty".
func sliceDescription(id string) string {
	switch id {
	case "-.slice":
		return "Root Slice"
	case "system.slice":
		return "System Slice"
	}
	stem := strings.TrimSuffix(id, ".slice")
	return "Slice " + UnescapePath(stem)
}

// value is a setting with its specifiers resolved.
func (m *Manager) value(u *Unit, section, key string) string {
	v, _ := m.Env.Host.expand(u, u.setting(section, key))
	return v
}

func (m *Manager) service(u *Unit) {
	s := &Service{
		Type: u.setting("Service", "Type"), BusName: m.value(u, "Service", "BusName"), Restart: u.setting("Service", "Restart"),
		RemainAfterExit: u.flag("Service", "RemainAfterExit", false), TimeoutStart: u.setting("Service", "TimeoutStartSec"),
		TTYPath: m.value(u, "Service", "TTYPath"), StandardInput: u.setting("Service", "StandardInput"), User: m.value(u, "Service", "User"),
	}
	u.Service = s
	s.Condition, s.Pre = m.commands(u, "ExecCondition"), m.commands(u, "ExecStartPre")
	s.Start, s.Post = m.commands(u, "ExecStart"), m.commands(u, "ExecStartPost")
	for _, a := range u.assignments("Service", "Sockets") {
		s.Sockets = append(s.Sockets, m.words(u, a.Value)...)
	}
	if s.Type == "" {
		// "Type=simple is the default if ExecStart= is specified but neither Type= nor BusName= are.
		// Type=dbus is the default if BusName= is specified. Type=oneshot is implied when neither Type=
		// nor ExecStart= are specified." systemd.service(5)
		switch {
		case s.BusName != "":
			s.Type = "dbus"
		case len(s.Start) == 0:
			s.Type = "oneshot"
		default:
			s.Type = "simple"
		}
	}
	bad := func(text string) { u.Load, u.Error = BadSetting, u.ID+": "+text+" Refusing." }
	switch {
	case len(s.Start) == 0 && len(m.commands(u, "ExecStop")) == 0 && u.setting("Unit", "SuccessAction") == "":
		bad("Service has no ExecStart=, ExecStop=, or SuccessAction=.")
	case len(s.Start) == 0 && s.Type != "oneshot":
		bad("Service has no ExecStart= setting, which is only allowed for Type=oneshot services.")
	case len(s.Start) == 0 && !s.RemainAfterExit && u.setting("Unit", "SuccessAction") == "":
		bad("Service has no ExecStart= setting, which is only allowed for RemainAfterExit=yes services.")
	case len(s.Start) > 1 && s.Type != "oneshot":
		bad("Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services.")
	case s.Type == "oneshot" && (s.Restart == "always" || s.Restart == "on-success"):
		bad("Service has Restart= set to either always or on-success, which isn't allowed for Type=oneshot services.")
	case s.Type == "dbus" && s.BusName == "":
		bad("Service is of type D-Bus but no D-Bus service name has been specified.")
	}
}

// commands reads an Exec…= list. systemd.service(5) "COMMAND LINES".
func (m *Manager) commands(u *Unit, key string) []Command {
	var out []Command
	for _, a := range u.assignments("Service", key) {
		words, err := splitWords(a.Value, cUnescape)
		if err != nil {
			u.Notes = append(u.Notes, a.file.Path+": "+err.Error()+", ignoring: "+a.Value)
			continue
		}
		for len(words) > 0 {
			end := slices.Index(words, ";")
			if end < 0 {
				end = len(words)
			}
			if c, ok := m.command(u, words[:end], a); ok {
				out = append(out, c)
			}
			words = words[min(end+1, len(words)):]
		}
	}
	return out
}

func (m *Manager) command(u *Unit, words []string, a Assignment) (Command, bool) {
	if len(words) == 0 {
		return Command{}, false
	}
	c := Command{File: a.file, Entry: a.Entry}
	first := words[0]
	argv0 := false
	for first != "" && strings.IndexByte("-@:+!|", first[0]) >= 0 {
		c.IgnoreFailure = c.IgnoreFailure || first[0] == '-'
		argv0 = argv0 || first[0] == '@'
		first = first[1:]
	}
	words = slices.Clone(words)
	for i := range words {
		words[i], _ = m.Env.Host.expand(u, words[i])
		if words[i] == `\;` {
			words[i] = ";"
		}
	}
	c.Path, _ = m.Env.Host.expand(u, first)
	c.Argv = append([]string{c.Path}, words[1:]...)
	if argv0 && len(words) > 1 {
		c.Argv = words[1:]
	}
	// "The first argument must be either an absolute path or a simple file name without any slashes."
	if c.Path == "" || strings.HasSuffix(c.Path, "/") || (!strings.HasPrefix(c.Path, "/") && strings.Contains(c.Path, "/")) {
		u.Notes = append(u.Notes, a.file.Path+": Neither a valid executable name nor an absolute path: "+c.Path)
		return Command{}, false
	}
	return c, true
}

// socketKeys are the settings of [Socket] that listen.
var socketKeys = []string{"ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial",
	"ListenNetlink", "ListenMessageQueue", "ListenUSBFunction"}

func (m *Manager) socket(u *Unit) {
	s := &Socket{Accept: u.flag("Socket", "Accept", false), Service: m.value(u, "Socket", "Service")}
	u.Socket = s
	for _, key := range socketKeys {
		for _, a := range u.assignments("Socket", key) {
			v, _ := m.Env.Host.expand(u, a.Value)
			s.Listen = append(s.Listen, v)
		}
	}
	if s.Service == "" && !s.Accept {
		s.Service = strings.TrimSuffix(u.ID, ".socket") + ".service"
	}
	if len(s.Listen) == 0 {
		u.Load, u.Error = BadSetting, u.ID+": Unit has no Listen setting (ListenStream=, ListenDatagram=, ListenFIFO=, ...). Refusing."
	}
}

func (m *Manager) mount(u *Unit) {
	e, f, _ := u.Setting("Mount", "What")
	mt := &Mount{What: m.value(u, "Mount", "What"), Where: m.value(u, "Mount", "Where"), FSType: u.setting("Mount", "Type"),
		Options: m.value(u, "Mount", "Options"), File: f, Entry: e}
	u.Mount = mt
	if mt.Where == "" {
		mt.Where = UnescapePath(Prefix(u.ID))
	}
	mt.Where = path.Clean(mt.Where)
	if u.Description == "" {
		u.Description = mt.Where
		if u.ID == "-.mount" {
			u.Description = "Root Mount"
		}
	}
	if u.Fragment == "" {
		return
	}
	switch {
	case NameForPath(mt.Where, "mount") != u.ID:
		u.Load, u.Error = BadSetting, u.ID+": Where= setting doesn't match unit name. Refusing."
	case mt.What == "":
		u.Load, u.Error = BadSetting, u.ID+": What= setting is missing. Refusing."
	}
}

// Option returns the value of a mount option ("" for one without) and whether it is there.
func (mt *Mount) Option(name string) (string, bool) {
	for o := range strings.SplitSeq(mt.Options, ",") {
		if k, v, _ := strings.Cut(o, "="); k == name {
			return v, true
		}
	}
	return "", false
}

// networkTypes are file systems that need the network: mount.c fstype_is_network.
var networkTypes = []string{"afs", "ceph", "cifs", "smb3", "smbfs", "sshfs", "ncpfs", "ncp", "nfs", "nfs4", "gfs", "gfs2", "glusterfs",
	"pvfs2", "ocfs2", "lustre", "davfs", "fuse.sshfs", "fuse.glusterfs"}

// Network tells whether the mount needs the network first: by type or by _netdev.
func (mt *Mount) Network() bool {
	_, netdev := mt.Option("_netdev")
	return netdev || slices.Contains(networkTypes, mt.FSType)
}

func (mt *Mount) bind() bool {
	_, b := mt.Option("bind")
	_, r := mt.Option("rbind")
	return b || r || mt.FSType == "bind" || mt.FSType == "rbind"
}

// extrinsic mounts are outside of start-up and shutdown: the operating system itself and the kernel's
// own file systems. systemd.mount(5) "Default Dependencies", "API File Systems".
func (mt *Mount) extrinsic() bool {
	if mt.Where == "/" || mt.Where == "/usr" {
		return true
	}
	for _, p := range []string{"/run/initramfs", "/run/nextroot", "/proc", "/sys", "/dev"} {
		if mt.Where == p || strings.HasPrefix(mt.Where, p+"/") {
			return true
		}
	}
	return false
}
