package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/syslinux"
	"bootpath/sim/disk"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// sysLinux is a loader of SYSLINUX's family from the moment when it knows its file system to the jump
// into a kernel: SYSLINUX 6.04, core/elflink/load_env32.c and com32/elflink/ldlinux.
type sysLinux struct {
	*start
	name    string // "isolinux", "syslinux" or "extlinux": the actor
	banner  *ldlinux.Banner
	vol     *disk.Volume
	cwd     string // that relative names are looked up in
	conf    *syslinux.Config
	path    string // of the configuration
	opened  map[string]bool
	noticed bool // the serial port got the loader's name
	configs int  // that CONFIG led to
}

// Bounds of a configuration: SYSLINUX has none but its memory.
const (
	maxSysConfig  = 1 << 20
	maxSysConfigs = 16
	maxSysLines   = 2000 // that do something while they are read
	maxSysCites   = 32   // lines that are shown as the evidence for one step
)

// emit appends a step of the loader.
func (x *sysLinux) emit(kind trace.Kind, console string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return x.m.Emit(trace.Step{Actor: x.name, Stage: trace.Bootloader, Kind: kind, Console: console, Args: args, Rule: rule, Cites: cites}, rows...)
}

// giveUp ends the run: what the loader does next cannot be told.
func (x *sysLinux) giveUp(why *trace.Reason) { x.cannotKnow(trace.Bootloader, why) }

// failed ends the run at a step that printed why: the loader is back at its prompt, and trying again
// comes to the same.
func (x *sysLinux) failed(step int, message string) {
	x.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Bootloader, Step: step, Message: message})
}

// run is load_env32: ldlinux.c32, which reads the configuration and runs it. dirs are where both are
// looked for; names are those of the configuration.
func (x *sysLinux) run(dirs, names []string) {
	if major := x.banner.Major(); major != 5 && major != 6 {
		x.giveUp(trace.Why("unknown.loader-version", "program", strings.ToUpper(x.name), "version", x.banner.Version(), "known", "5, 6"))
		return
	}
	if x.vol == nil || x.vol.FS == nil {
		x.giveUp(trace.Why("unknown.volume-of", "program", strings.ToUpper(x.name)).For(volumeProblem(x.vol)))
		return
	}
	if !x.loadCore(dirs) {
		return
	}
	for _, dir := range dirs {
		for _, name := range names {
			f, at, err := x.open(path.Join("/", dir, name))
			if err == nil {
				f.Close()
				x.cwd = path.Join("/", dir)
				x.config(at)
				return
			}
		}
	}
	text := "WARNING: No configuration file found\n"
	n := x.emit("syslinux.no-config", text+"boot: \n", map[string]string{"name": strings.Join(names, ", ")}, "SYSLINUX 6.04: parse_configs", dirCites(x.vol, "/"))
	x.failed(n, strings.TrimSpace(text))
}

func volumeProblem(v *disk.Volume) *trace.Reason {
	if v != nil && v.Err != nil {
		return kernel.Because(v.Err)
	}
	return trace.Why("unknown.no-filesystem")
}

// loadCore loads ldlinux.c32: of the directory that the loader starts in, else of the first that has it.
func (x *sysLinux) loadCore(dirs []string) bool {
	for _, dir := range append([]string{x.cwd}, dirs...) {
		f, at, err := x.open(path.Join("/", dir, "ldlinux.c32"))
		if err != nil {
			continue
		}
		defer f.Close()
		x.m.Wait(cost(f.Size(), rateBIOS))
		x.emit("syslinux.load-core", "", map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "SYSLINUX 6.04: load_env32", volCites(x.vol, at))
		return true
	}
	n := x.emit("syslinux.no-core", "\nFailed to load ldlinux.c32\nBoot failed: press a key to retry...", nil, "SYSLINUX 6.04: load_env32", dirCites(x.vol, x.cwd))
	x.failed(n, "Failed to load ldlinux.c32")
	return false
}

// open opens a file by a name as the configuration gives it.
func (x *sysLinux) open(name string) (fsys.File, string, error) {
	if !strings.HasPrefix(name, "/") {
		name = path.Join("/", x.cwd, name)
	}
	at, err := lookup(x.vol, name)
	if err != nil && x.vol.Type == "iso9660" && errors.Is(err, fs.ErrNotExist) {
		// A name matches as Rock Ridge has it, or in any case as ISO 9660 has it.
		at, err = lookup(&disk.Volume{FS: x.vol.FS, Type: "vfat"}, name)
	}
	if err != nil {
		return nil, "", err
	}
	f, err := fsys.OpenFile(x.vol.FS, at)
	return f, at, err
}

// missing ends the run unless the file that could not be opened is simply not there.
func (x *sysLinux) missing(name string, err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	x.giveUp(unreadable(name, err))
	return true
}

// noFile is the evidence for a file that is not there: the directory that does not list it.
func (x *sysLinux) noFile(name string) []blob.Cite {
	if !strings.HasPrefix(name, "/") {
		name = path.Join("/", x.cwd, name)
	}
	return dirCites(x.vol, name)
}

// config reads the configuration and does what it says: what is printed while it is read, then the
// automatic start or the prompt. main of com32/elflink/ldlinux/ldlinux.c.
func (x *sysLinux) config(at string) {
	if x.configs++; x.configs > maxSysConfigs {
		x.giveUp(trace.Why("unknown.config-circle", "program", strings.ToUpper(x.name)))
		return
	}
	x.path, x.opened = at, map[string]bool{}
	main, ok := x.text(slash(at))
	if !ok {
		x.giveUp(trace.Why("unknown.unreadable", "path", slash(at)))
		return
	}
	x.conf = syslinux.Read(main, x.text)
	x.emit("syslinux.read-config", "", map[string]string{"path": slash(at), "labels": fmt.Sprint(len(x.conf.Labels))}, "SYSLINUX 6.04: parse_configs", volCites(x.vol, at))
	before := x.m.Last()
	for _, d := range x.conf.Directives {
		if x.directive(d); x.m.Last()-before > maxSysLines {
			x.giveUp(trace.Why("unknown.too-many-lines", "path", slash(at)))
			return
		}
	}
	if x.conf.Problem != "" {
		x.giveUp(trace.Why("unknown.sys-problem", "path", slash(at)))
		return
	}
	_, auto := x.conf.Boot()
	if x.conf.Prompt && !x.conf.HasUI || !auto && x.conf.NoEscape {
		x.prompt()
		return
	}
	x.autoBoot()
}

// text reads a file that the configuration names.
func (x *sysLinux) text(name string) (*syslinux.File, bool) {
	f, at, err := x.open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data, err := blob.ReadAll(f, maxSysConfig)
	if err != nil {
		return nil, false
	}
	x.opened[name] = true
	return &syslinux.File{Path: slash(at), Text: string(data)}, true
}

// cite is the evidence for lines of the configuration.
func (x *sysLinux) cite(lines ...syslinux.Directive) []blob.Cite {
	var out []blob.Cite
	for _, d := range lines[:min(len(lines), maxSysCites)] {
		if d.File == nil {
			continue
		}
		if f, err := fsys.OpenFile(x.vol.FS, strings.TrimPrefix(d.File.Path, "/")); err == nil {
			out = append(out, cite(f, int64(d.Off), int64(d.Len), d.File.Path, oneLine(d.File.Text[d.Off:d.Off+d.Len]))...)
			f.Close()
		}
	}
	return out
}

// last is the evidence for the directive of that name that counts.
func (x *sysLinux) last(key string) []blob.Cite {
	d, _ := x.conf.Last(key)
	return x.cite(d)
}

// directive is what a line does at the moment when it is read.
func (x *sysLinux) directive(d syslinux.Directive) {
	const rule = "SYSLINUX 6.04: parse_config_file"
	word, rest := syslinux.Cut(d.Value)
	switch d.Key {
	case "say":
		x.emit("syslinux.say", d.Value+"\n", map[string]string{"text": d.Value}, rule, x.cite(d))
	case "include", "menu include":
		kind := trace.Kind("syslinux.include")
		if !x.opened[word] {
			kind = "syslinux.no-include"
		}
		x.emit(kind, "", map[string]string{"path": word}, rule, x.cite(d))
	case "display":
		opened := x.opened[word]
		text, ok := x.text(word)
		x.opened[word] = opened
		if !ok {
			return // nothing is shown and nothing is said
		}
		x.emit("syslinux.display", screenText(text.Text), map[string]string{"path": text.Path}, "SYSLINUX 6.04: get_msg_file", x.cite(d))
	case "serial":
		baud := 9600
		if rest != "" {
			baud = syslinux.Number(rest)
		}
		if baud < 75 {
			return
		}
		text := ""
		if !x.noticed { // "Show some life"
			text, x.noticed = x.banner.Text+x.banner.Copyright+"\n", true
		}
		x.emit("syslinux.serial", text, map[string]string{"port": word, "speed": fmt.Sprint(baud)}, rule, machine.Cites(x.cite(d), x.banner.Cites))
	}
}

// screenText is a message file on a text screen: colours (SI and two digits), pictures and mode switches
// show no letters of their own. doc/syslinux.txt, DISPLAY FILE FORMAT.
func screenText(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0x1a: // DOS end of file
			i = len(s)
		case c == 0x0f: // SI: two digits of colour follow
			i += 2
		case c == 0x18: // CAN: the name of a picture, up to the end of the line
			for i < len(s) && s[i] != '\n' {
				i++
			}
		case c == '\n' || c >= ' ' && c < 0x7f || c == '\t':
			b.WriteByte(c)
		}
	}
	return b.String()
}

// prompt is edit_cmdline with nobody at the keyboard: the time runs out, or bootpath presses Enter.
func (x *sysLinux) prompt() {
	c := x.conf
	ticks := c.Timeout
	if c.Total > 0 && (ticks <= 0 || c.Total < ticks) {
		ticks = c.Total
	}
	if c.NoEscape {
		ticks = 0
	}
	if !c.NoEscape {
		args := map[string]string{"timeout": fmt.Sprintf("%.1f s", float64(ticks)/10)}
		kind, rule := trace.Kind("syslinux.prompt"), "SYSLINUX 6.04: edit_cmdline, TIMEOUT"
		if ticks <= 0 {
			kind, rule = "syslinux.press-enter", "SYSLINUX 6.04: edit_cmdline waits for a key; bootpath presses Enter"
			args = nil
		}
		x.emit(kind, "boot: \n", args, rule, machine.Cites(x.last("prompt"), x.last("timeout"), x.last("totaltimeout")))
		x.m.Wait(time.Duration(min(max(ticks, 0), 36000)) * 100 * time.Millisecond)
	}
	if ticks > 0 && c.OnTimeout != "" {
		x.load(c.OnTimeout, x.last("ontimeout"))
		return
	}
	x.autoBoot()
}

// autoBoot is ldlinux_auto_boot.
func (x *sysLinux) autoBoot() {
	line, ok := x.conf.Boot()
	if !ok {
		text := "No DEFAULT or UI configuration directive found!\n"
		n := x.emit("syslinux.no-default", text+"boot: \n", map[string]string{"path": slash(x.path)}, "SYSLINUX 6.04: ldlinux_auto_boot", volCites(x.vol, x.path))
		x.failed(n, strings.TrimSpace(text))
		return
	}
	key := "default"
	if x.conf.HasUI {
		key = "ui"
	}
	if line == "" {
		x.giveUp(trace.Why("unknown.sys-empty", "key", strings.ToUpper(key)))
		return
	}
	x.load(line, x.last(key))
}

// load is load_kernel: a label, or a file by its name.
func (x *sysLinux) load(line string, cites []blob.Cite) {
	word, options := syslinux.Cut(line)
	if l := x.conf.Find(line); l != nil {
		command := l.Command()
		if options != "" {
			command += " " + options
		}
		x.choose(l, command, cites)
		return
	}
	if x.conf.NoImplicit {
		x.giveUp(trace.Why("unknown.sys-implicit", "word", word))
		return
	}
	if x.conf.SysAppend&^3 != 0 {
		x.giveUp(trace.Why("unknown.sys-append"))
		return
	}
	if x.conf.NoOptions {
		line, options = word, ""
	}
	if imageType(word) == "kernel" {
		for _, e := range imageTypes() {
			if f, _, err := x.open(word + e.ext); err == nil {
				f.Close()
				word += e.ext
				line = strings.TrimSpace(word + " " + options)
				break
			}
		}
	}
	x.execute(line, imageType(word), cites)
}

// choose starts a label.
func (x *sysLinux) choose(l *syslinux.Label, command string, cites []blob.Cite) {
	x.emit("syslinux.choose-label", "", map[string]string{"label": l.Name, "command": command}, "SYSLINUX 6.04: load_kernel, find_label", machine.Cites(cites, x.cite(l.Set...)))
	if l.IPAppend&^3 != 0 { // the first two say where a network start came from: nothing here
		x.giveUp(trace.Why("unknown.sys-append"))
		return
	}
	word, _ := syslinux.Cut(command)
	x.execute(command, imageType(word), x.cite(l.Set...))
}

type imageExt struct{ ext, kind string }

// imageTypes is file_extensions of ldlinux.c, in its order.
func imageTypes() []imageExt {
	return []imageExt{{".c32", "com32"}, {".img", "fdimage"}, {".bss", "bss"}, {".bin", "boot"}, {".bs", "boot"}, {".0", "pxe"}}
}

// imageType is parse_image_type.
func imageType(name string) string {
	for _, e := range imageTypes() {
		if strings.HasSuffix(name, e.ext) {
			return e.kind
		}
	}
	return "kernel"
}

// execute is execute of execute.c: ".type" in front of a command says what it is.
func (x *sysLinux) execute(line, kind string, cites []blob.Cite) {
	word, args := syslinux.Cut(line)
	for range 4 {
		t, ok := strings.CutPrefix(word, ".")
		if !ok {
			break
		}
		switch t {
		case "localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "com32", "config":
			kind = t
			word, args = syslinux.Cut(args)
			if kind == "com32" && !strings.HasSuffix(word, ".c32") {
				word += ".c32"
			}
			continue
		}
		break
	}
	switch kind {
	case "com32":
		x.module(word, args, cites)
	case "config":
		x.nextConfig(word, args, cites)
	case "localboot":
		x.giveUp(trace.Why("unknown.next-drive", "word", word))
	case "kernel", "linux":
		x.kernel(word, args, cites)
	default:
		x.giveUp(trace.Why("unknown.sys-image", "path", word, "type", kind))
	}
}

// nextConfig is CONFIG: another configuration, maybe in another directory.
func (x *sysLinux) nextConfig(name, dir string, cites []blob.Cite) {
	f, at, err := x.open(name)
	if err != nil {
		x.giveUp(trace.Why("unknown.sys-no-config", "path", name))
		return
	}
	f.Close()
	if dir, _ = syslinux.Cut(dir); dir != "" {
		x.cwd = path.Join("/", x.cwd, dir)
		if strings.HasPrefix(dir, "/") {
			x.cwd = path.Clean(dir)
		}
	}
	x.emit("syslinux.next-config", "", map[string]string{"path": slash(at)}, "SYSLINUX 6.04: execute, IMAGE_TYPE_CONFIG", cites)
	x.config(at)
}

// module is a program for SYSLINUX. Two are followed: the menus.
func (x *sysLinux) module(name, args string, cites []blob.Cite) {
	missing := ""
	var needs []string
	switch path.Base(name) {
	case "menu.c32":
		needs = []string{"libutil.c32"}
	case "vesamenu.c32":
		needs = []string{"libcom32.c32", "libutil.c32"}
	}
	at, ok := x.findModule(name)
	for _, lib := range needs {
		if _, have := x.findModule(lib); ok && !have {
			missing, ok = "Failed to load "+lib+"\n", false
		}
	}
	if !ok {
		text := missing + "Failed to load COM32 file " + name + "\n"
		n := x.emit("syslinux.no-module", text+"boot: \n", map[string]string{"path": name}, "SYSLINUX 6.04: execute, spawn_load", machine.Cites(cites, x.noFile(name)))
		x.failed(n, strings.TrimSpace(text[strings.LastIndexByte(strings.TrimSpace(text), '\n')+1:]))
		return
	}
	x.emit("syslinux.load-module", "", map[string]string{"path": slash(at)}, "SYSLINUX 6.04: execute, spawn_load", machine.Cites(cites, volCites(x.vol, at)))
	switch {
	case needs == nil:
		x.giveUp(trace.Why("unknown.sys-module", "path", slash(at)))
	case args != "":
		x.giveUp(trace.Why("unknown.sys-menu", "args", args))
	default:
		x.menu(path.Base(name))
	}
}

// findModule looks where findpath does: beside the configuration, then in PATH.
func (x *sysLinux) findModule(name string) (string, bool) {
	names := []string{name}
	if !strings.HasPrefix(name, "/") {
		for _, dir := range x.conf.Path {
			names = append(names, strings.TrimSuffix(dir, "/")+"/"+name)
		}
	}
	for _, n := range names {
		if f, at, err := x.open(n); err == nil {
			f.Close()
			return at, true
		}
	}
	return "", false
}

// menu is run_menu of com32/menu/menumain.c with nobody at the keyboard.
func (x *sysLinux) menu(module string) {
	c := x.conf
	m := c.Start
	if len(m.Entries) == 0 {
		text := "Initial menu has no LABEL entries!\n"
		n := x.emit("syslinux.empty-menu", text+"boot: \n", map[string]string{"module": module}, "SYSLINUX 6.04: menumain.c, main", volCites(x.vol, x.path))
		x.failed(n, strings.TrimSpace(text))
		return
	}
	entry := menuEntry(m)
	e := m.Entries[entry]
	ticks := c.Timeout
	if c.Total > 0 && (ticks <= 0 || c.Total < ticks) {
		ticks = c.Total
	}
	if entry != m.Default {
		ticks = 0 // "Cursor movement cancels timeout"
	}
	x.showMenu(module, m, entry, ticks)
	switch {
	case c.MenuSave:
		x.giveUp(trace.Why("unknown.sys-menu-save"))
	case ticks > 0 && c.OnTimeout != "":
		x.execute(c.OnTimeout, imageType(c.OnTimeout), x.last("ontimeout"))
	case e.Submenu != nil || e.Goto || e.Disabled || e.Password && ticks <= 0:
		x.giveUp(trace.Why("unknown.menu-choice", "program", strings.ToUpper(x.name), "entry", plainTitle(e)))
	default:
		x.choose(e, e.Command(), nil)
	}
}

// menuEntry is the entry that is marked when the menu comes up: the default, moved off what cannot be
// chosen at the ends of the list.
func menuEntry(m *syslinux.Menu) int {
	entry := m.Default
	if entry <= 0 {
		entry = 0
		for entry < len(m.Entries) && m.Entries[entry].Disabled {
			entry++
		}
	}
	if entry >= len(m.Entries)-1 {
		entry = len(m.Entries) - 1
		for entry > 0 && m.Entries[entry].Disabled {
			entry--
		}
	}
	return entry
}

// plainTitle is an entry's text without the mark of its key.
func plainTitle(l *syslinux.Label) string { return strings.Replace(l.Display, "^", "", 1) }

// showMenu is what the screen shows, without its frame.
func (x *sysLinux) showMenu(module string, m *syslinux.Menu, entry, ticks int) {
	var b strings.Builder
	if x.conf.MenuHidden {
		if ticks > 0 {
			fmt.Fprintf(&b, "Automatic boot in %s...\n", menuSeconds(ticks))
		}
	} else {
		if m.Title != "" {
			b.WriteString(m.Title + "\n\n")
		}
		for _, e := range m.Entries {
			b.WriteString(plainTitle(e) + "\n")
		}
		b.WriteString("\nPress [Tab] to edit options\n")
		if ticks > 0 {
			fmt.Fprintf(&b, "Automatic boot in %s...\n", menuSeconds(ticks))
		}
	}
	wait, rule := "∞", "SYSLINUX 6.04: run_menu waits for a key; bootpath presses Enter"
	if ticks > 0 {
		wait, rule = fmt.Sprintf("%.1f s", float64(ticks)/10), "SYSLINUX 6.04: run_menu"
	}
	e := m.Entries[entry]
	x.emit("syslinux.show-menu", b.String(), map[string]string{"module": module, "entries": fmt.Sprint(len(m.Entries)), "default": plainTitle(e), "timeout": wait},
		rule, machine.Cites(x.last("timeout"), x.cite(e.Set...)))
	x.m.Wait(time.Duration(min(max(ticks, 0), 36000)) * 100 * time.Millisecond)
}

// menuSeconds is a number of tenths as the menu's message says it.
func menuSeconds(ticks int) string {
	n := ticks / 10
	if n == 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", n)
}
