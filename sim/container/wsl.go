package container

import (
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/wsl"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// WSL plays what happens when Windows starts a distribution for WSL 2 the first time: its kernel and its init
// come from Windows, so the image only decides which program comes next and for whom. Both belong to nobody's
// image and are not played; the prediction ends before them. program is that next one.
func WSL(m *machine.Machine, root fsys.FS, name string) (program []string, user string) {
	file, cites := settingsOf(root, wsl.DistributionPath)
	conf, more := settingsOf(root, wsl.ConfPath)
	cites = append(cites, more...)
	m.Emit(trace.Step{Actor: "wsl", Stage: trace.Resolve, Kind: "engine.wsl-install", Cites: cites, Rule: "learn.microsoft.com, Build a custom Linux distribution for WSL",
		Args: map[string]string{"file": name, "command": "wsl --install --from-file " + name}})

	user, shell, login := wslUser(root, conf, file)
	program, why := []string{shell}, "login"
	if s, ok := wsl.Get(conf, "boot.systemd"); ok && strings.EqualFold(s.Value, "true") {
		program, why = []string{"/sbin/init"}, "boot.systemd=true"
	} else if s, ok := wsl.Get(file, "oobe.command"); ok && s.Value != "" {
		program, why = strings.Fields(s.Value), "oobe.command"
	}
	kind := trace.Kind("engine.wsl-missing")
	if at, err := fsys.Resolve(root, strings.TrimPrefix(program[0], "/")); err == nil {
		if fi, err := root.Stat(at); err == nil && fi.Mode().IsRegular() {
			kind = "engine.wsl-next"
		}
	}
	m.Emit(trace.Step{Actor: "wsl", Stage: trace.Create, Kind: kind, Cites: append(cites, login...), Rule: "learn.microsoft.com, Advanced settings configuration in WSL",
		Args: map[string]string{"program": strings.Join(program, " "), "user": user, "why": why}})
	m.End(trace.Outcome{Verdict: trace.Unknown, Stage: trace.Create,
		Unknown: trace.Why("unknown.wsl", "program", program[0], "file", name)})
	return program, user
}

// settingsOf reads one of WSL's files; each line that sets something is evidence.
func settingsOf(root fsys.FS, name string) ([]wsl.Setting, []blob.Cite) {
	at, err := fsys.Resolve(root, name)
	if err != nil {
		return nil, nil
	}
	f, err := fsys.OpenFile(root, at)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	data, err := blob.ReadAll(f, maxUsers)
	if err != nil {
		return nil, nil
	}
	all := wsl.Parse(data)
	var cites []blob.Cite
	for _, s := range all {
		for _, at := range f.Locate(s.Off, s.Len) {
			cites = append(cites, blob.Cite{Span: at, Name: s.Section + "." + s.Key, Value: s.Value})
		}
	}
	return all, cites
}

// wslUser is for whom the shell is started: as wsl.conf says, else by the number that the distribution names,
// else root; shell is the last field of the user's line, /bin/sh when it is empty (passwd(5)).
func wslUser(root fsys.FS, conf, file []wsl.Setting) (user, shell string, cites []blob.Cite) {
	uid := "0"
	if s, ok := wsl.Get(file, "oobe.defaultUid"); ok {
		uid = s.Value
	}
	name, named := wsl.Get(conf, "user.default")
	for _, e := range entries(root, "etc/passwd") {
		n, ok := e.number(2)
		if named && e.field(0) == name.Value || !named && ok && strconv.FormatUint(uint64(n), 10) == uid {
			user, shell = e.field(0), e.field(6)
			cites = e.cites
			break
		}
	}
	if user == "" { // the first start makes it
		if user = "uid " + uid; named {
			user = name.Value
		}
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	return user, shell, cites
}
