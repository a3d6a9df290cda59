package boot

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/systemd"
	"bootpath/sim/exe/elf"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// Bounds of what is searched for systemd's own texts, in bytes.
const (
	maxProgram   = 16 << 20
	scanBlock    = 64 << 10
	scanOverlap  = 4 << 10
	maxSmallFile = 64 << 10
)

// hello is what systemd says before it looks at units: main.c.
func (x *sysd) hello() {
	x.identify()
	x.welcome()
	x.m.Wait(costSystemdHello)
	x.hostname()
	x.machineID()
}

// identify finds the version and the compiled-in features in the program's own bytes: the text of the
// line that it prints first.
func (x *sysd) identify() {
	var cites []blob.Cite
	head := []byte("systemd ")
	if text, c := x.scan(x.pid1.Exe, head, func(s string) bool { return strings.Contains(s, " running in ") }); text != "" {
		rest := strings.TrimPrefix(text, "systemd ")
		x.versionText, _, _ = strings.Cut(rest, " running in ")
		cites = append(cites, c...)
	}
	number, _, _ := strings.Cut(x.versionText, ".")
	number = strings.TrimFunc(number, func(r rune) bool { return r < '0' || r > '9' })
	x.version, _ = strconv.Atoi(number)
	for _, p := range append(x.sharedLibrary(), x.pid1.Exe) {
		text, c := x.scan(p, []byte("+PAM "), nil)
		if text == "" {
			text, c = x.scan(p, []byte("-PAM "), nil)
		}
		if text != "" {
			x.features = text
			cites = append(cites, c...)
			break
		}
	}
	var out strings.Builder
	version := x.versionText
	if version != "" {
		line := "systemd " + version + " running in system mode"
		if x.features != "" {
			line += " (" + x.features + ")"
		}
		out.WriteString(x.log(x.m.Now(), logInfo, "%s", line))
	}
	out.WriteString(x.log(x.m.Now(), logInfo, "Detected virtualization qemu."))
	out.WriteString(x.log(x.m.Now(), logInfo, "Detected architecture %s.", x.host.Arch))
	if x.mode.initrd {
		out.WriteString(x.log(x.m.Now(), logInfo, "Running in initrd."))
	} else {
		out.WriteString(x.detectFirstBoot())
	}
	kind := trace.Kind("systemd.start")
	if version == "" {
		kind = "systemd.start-no-version"
	}
	x.emit(trace.Step{Kind: kind, Rule: "systemd(1)", Cites: cites, Console: out.String(),
		Args: map[string]string{"version": version, "exe": x.pid1.Exe, "features": x.features}})
}

// sharedLibrary lists the places of systemd's private library, where the features are since 209.
func (x *sysd) sharedLibrary() []string {
	var out []string
	dirs := []string{"/usr/lib/systemd", "/lib/systemd"}
	for _, base := range []string{"/usr/lib", "/lib"} {
		list, _ := x.pid1.ReadNames(base)
		for _, name := range list {
			if strings.Contains(name, "-linux-gnu") {
				dirs = append(dirs, path.Join(base, name, "systemd"))
			}
		}
	}
	dirs = append(dirs, "/usr/lib64/systemd")
	for _, d := range dirs {
		list, _ := x.pid1.ReadNames(d)
		for _, name := range list {
			if strings.HasPrefix(name, "libsystemd-shared-") && strings.HasSuffix(name, ".so") {
				out = append(out, path.Join(d, name))
			}
		}
	}
	return out
}

// scan looks for a text that begins with head in a program, up to its NUL. ok may refuse a hit.
func (x *sysd) scan(name string, head []byte, ok func(string) bool) (string, []blob.Cite) {
	file, err := x.pid1.Open(name)
	if err != nil {
		return "", nil
	}
	defer file.Close()
	at, n := x.c.Store.Find("find:"+name+":"+string(head), file, func(raw io.ReaderAt) (int64, int64) {
		for _, part := range constants(file) {
			if at, n := scanPart(raw, part, head, ok); n > 0 {
				return at, n
			}
		}
		return 0, 0
	})
	text := make([]byte, n)
	if got, _ := file.ReadAt(text, at); n == 0 || int64(got) < n {
		return "", nil
	}
	return string(text), cite(file, at, n, name, string(text))
}

// constants are the parts of a program that hold its constant data, last first: read-only segments, or
// everything where code and constants share one.
func constants(file fsys.File) []blob.Span {
	all := []blob.Span{{Len: min(file.Size(), maxProgram)}}
	f, err := elf.Read(file)
	if err != nil {
		return all
	}
	segs, err := f.Segments()
	if err != nil {
		return all
	}
	var out []blob.Span
	for _, s := range slices.Backward(segs) {
		const readable = 4 // PF_R alone
		if s.Type == elf.PT_LOAD && s.Flags == readable && s.Offset < maxProgram && s.Filesz < maxProgram {
			out = append(out, blob.Span{Off: int64(s.Offset), Len: min(int64(s.Filesz), file.Size()-int64(s.Offset))})
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

func scanPart(file io.ReaderAt, part blob.Span, head []byte, ok func(string) bool) (off, n int64) {
	buf := make([]byte, scanBlock+scanOverlap)
	for off := part.Off; off < part.Off+part.Len; off += scanBlock {
		n, err := file.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return 0, 0
		}
		for at := 0; at < min(n, scanBlock); at++ {
			i := bytes.Index(buf[at:n], head)
			if i < 0 {
				break
			}
			at += i
			end := bytes.IndexByte(buf[at:n], 0)
			if end <= 0 || at > 0 && buf[at-1] != 0 {
				continue
			}
			text := string(buf[at : at+end])
			if !printable(text) || ok != nil && !ok(text) {
				continue
			}
			return off + int64(at), int64(end)
		}
	}
	return 0, 0
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// small reads a small text file with evidence for its content.
func (x *sysd) small(name string) (string, []blob.Cite, error) {
	real, err := fsys.Resolve(x.fs, name)
	if err != nil {
		return "", nil, err
	}
	file, err := fsys.OpenFile(x.fs, real)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	text, err := blob.ReadAll(file, maxSmallFile)
	if err != nil {
		return "", nil, err
	}
	var cites []blob.Cite
	for _, s := range blob.Locate(file, 0, int64(len(text))) {
		value := strings.TrimSpace(string(text))
		if len(value) > 200 {
			value = value[:200]
		}
		cites = append(cites, blob.Cite{Span: s, Name: name, Value: value})
	}
	return string(text), cites, nil
}

// welcome greets with the name of the operating system. os-release(5).
func (x *sysd) welcome() {
	release := "/etc/os-release"
	if x.mode.initrd {
		release = "/etc/initrd-release"
	}
	text, cites, err := x.small(release)
	if err != nil {
		text, cites, _ = x.small("/usr/lib/os-release")
	}
	x.host.OS = osRelease(text)
	name := x.host.OS["PRETTY_NAME"]
	if name == "" {
		name = "Linux"
	}
	out := ""
	if x.status == statusOn {
		out = "\nWelcome to " + name + "!\n\n"
	}
	x.emit(trace.Step{Kind: "systemd.welcome", Rule: "os-release(5) PRETTY_NAME", Args: map[string]string{"name": name}, Cites: cites, Console: out})
}

// hostname sets the machine's name. hostname(5); "localhost" is the name of last resort.
func (x *sysd) hostname() {
	st := trace.Step{Kind: "systemd.hostname", Rule: "hostname(5)"}
	name := ""
	if v, ok := x.params.Get("systemd.hostname"); ok {
		name, st.Rule = v, "systemd(1), KERNEL COMMAND LINE"
	} else if text, cites, err := x.small("/etc/hostname"); err == nil {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				name, st.Cites = line, cites
				break
			}
		}
	}
	var out strings.Builder
	if name == "" {
		if name = x.host.OS["DEFAULT_HOSTNAME"]; name == "" {
			name = "localhost"
		}
		st.Kind = "systemd.hostname-default"
		out.WriteString(x.log(x.m.Now(), logInfo, "No hostname configured, using default hostname."))
	}
	x.host.Name = name
	x.pid1.Quiet = true
	if err := x.pid1.SetHostname(name); err != nil {
		x.doubt(trace.Why("unknown.hostname").For(kernel.Because(err)))
	}
	x.pid1.Quiet = false
	out.WriteString(x.log(x.m.Now(), logInfo, "Hostname set to <%s>.", name))
	st.Args, st.Console = map[string]string{"name": name}, out.String()
	x.emit(st)
}

// detectFirstBoot looks whether this system was started before: a /etc/machine-id that is missing or says
// "uninitialized" is the sign, unless the command line knows better. machine-id(5), "FIRST BOOT SEMANTICS".
func (x *sysd) detectFirstBoot() string {
	if v, ok := x.params.Get("systemd.condition_first_boot"); ok {
		if x.firstBoot, _ = systemd.ParseBool(v); x.firstBoot {
			return x.log(x.m.Now(), logInfo, "Kernel command line argument says we are in first boot.")
		}
		return ""
	}
	text, _, err := x.small("/etc/machine-id")
	if x.firstBoot = err != nil || strings.TrimSpace(text) == "uninitialized"; x.firstBoot {
		return x.log(x.m.Now(), logInfo, "Detected first boot.")
	}
	return ""
}

// presets enables units on a first boot: manager_preset_all in manager.c.
func (x *sysd) presets(env systemd.Env) {
	if !x.firstBoot || x.mode.initrd {
		return
	}
	links := systemd.Presets(env)
	st := trace.Step{Kind: "systemd.presets", Rule: "systemd.preset(5)", Args: map[string]string{"made": strings.Join(linkNames(links), " "), "count": strconv.Itoa(len(links))},
		Console: x.log(x.m.Now(), logInfo, "Populated /etc with preset unit settings.")}
	x.pid1.Quiet = true
	defer func() { x.pid1.Quiet = false }()
	for _, l := range links {
		if _, err := x.pid1.Lstat(l.Path); err == nil {
			continue
		}
		err := x.pid1.MkdirAll(path.Dir(l.Path), 0o755)
		if err == nil {
			err = x.pid1.Symlink(l.Target, l.Path)
		}
		if err != nil {
			st.Kind, st.Args["error"] = "systemd.presets-failed", strerror(err)
			st.Console = x.log(x.m.Now(), logWarning, "Failed to populate /etc with preset unit settings, ignoring: %s", strerror(err))
			break
		}
		st.Cites = append(st.Cites, l.Cites...)
	}
	x.emit(st)
}

// machineID is machine_id_setup. machine-id(5): a file that is empty gets a transient identifier, a
// file that is missing or says "uninitialized" means first boot.
func (x *sysd) machineID() {
	text, cites, err := x.small("/etc/machine-id")
	id := strings.TrimSpace(text)
	st := trace.Step{Kind: "systemd.machine-id", Rule: "machine-id(5)", Cites: cites, Args: map[string]string{"id": id}}
	if err == nil && len(cites) == 0 {
		st.Cites = x.pid1.Evidence("/etc/machine-id")
	}
	if err == nil && validID(id) {
		x.host.MachineID = id
		x.emit(st)
		return
	}
	st.Kind = "systemd.machine-id-new"
	var out strings.Builder
	source := "random generator"
	if dbus, c, err := x.small("/var/lib/dbus/machine-id"); err == nil && validID(strings.TrimSpace(dbus)) {
		source, st.Cites = "D-Bus machine ID", append(st.Cites, c...)
		x.host.MachineID = strings.TrimSpace(dbus)
	}
	st.Args["source"] = source
	if err != nil && !x.writable("/etc") {
		st.Kind = "systemd.machine-id-missing"
		out.WriteString(x.log(x.m.Now(), logErr, "System cannot boot: Missing /etc/machine-id and /etc is mounted read-only."))
		st.Console = out.String()
		x.emit(st)
		return
	}
	out.WriteString(x.log(x.m.Now(), logInfo, "Initializing machine ID from %s.", source))
	if !x.writable("/etc") {
		x.transientID = true
		st.Kind = "systemd.machine-id-transient"
		out.WriteString(x.log(x.m.Now(), logInfo, "Installed transient /etc/machine-id file."))
		x.coverMachineID()
	}
	st.Console = out.String()
	x.emit(st)
}

func validID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" && strings.Trim(s, "0") != ""
}

// coverMachineID binds a file of /run over /etc/machine-id. Its content is random and so left out.
func (x *sysd) coverMachineID() {
	x.pid1.Quiet = true
	defer func() { x.pid1.Quiet = false }()
	if x.pid1.WriteFile("/run/machine-id", nil, 0o444) != nil {
		return
	}
	if x.pid1.Mount("/run/machine-id", "/etc/machine-id", "", kernel.MS_BIND, "") != nil {
		x.doubt(trace.Why("unknown.machine-id"))
	}
}

// issue is what agetty(8) prints before its prompt: /etc/issue with its escapes.
func (x *sysd) issue(tty string) (string, []blob.Cite) {
	text, cites, err := x.small("/etc/issue")
	if err != nil {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		c := text[i]
		arg := ""
		if i+1 < len(text) && text[i+1] == '{' {
			if end := strings.IndexByte(text[i+1:], '}'); end > 0 {
				arg = text[i+2 : i+1+end]
				i += 1 + end
			}
		}
		b.WriteString(x.issueEscape(c, arg, tty))
	}
	return b.String(), cites
}

func (x *sysd) issueEscape(c byte, arg, tty string) string {
	switch c {
	case 'n':
		return x.host.Name
	case 'l':
		return tty
	case 's':
		return "Linux"
	case 'r':
		return x.host.Kernel
	case 'm':
		return map[string]string{"x86-64": "x86_64", "x86": "i686", "arm64": "aarch64"}[x.host.Arch]
	case 'o':
		return "(none)"
	case 'S':
		if arg != "" {
			return x.host.OS[arg]
		}
		return x.host.OS["PRETTY_NAME"]
	case 'e':
		if arg == "" {
			return "\x1b"
		}
		return "" // a colour
	case '\\':
		return `\`
	}
	return "" // dates, addresses and users cannot be known
}

// isDir tells whether p is a directory now.
func (x *sysd) isDir(p string) bool {
	fi, err := x.pid1.Stat(p)
	return err == nil && fi.IsDir()
}
