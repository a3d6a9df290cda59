package boot

import (
	"io"
	"slices"
	"strings"
	"time"

	"bootpath/sim/blob"
	script "bootpath/sim/conf/grub"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// grub is GRUB from its kernel's main function to the jump into an operating system: GRUB 2.06,
// grub-core/kern/main.c, grub-core/normal.
type grub struct {
	*start
	platform   string // "i386-pc", "x86_64-efi"
	img        io.ReaderAt
	imgSize    int64
	core       *grubcore.Modules
	bootDevice string // as firmware names what it booted from
	devs       []grubDevice
	mods       map[string]bool // loaded
	normal     bool            // the normal module runs
	version    string
	contexts   []map[string]grubVar
	params     [][]string // $1… of the running functions and entries
	funcs      map[string]grubFunc
	menu       *grubMenu
	lists      map[string]string // command.lst: command → module
	listsKnown bool
	bls        []*blsEntry     // of the boot loader specification; nil before blscfg
	said       map[string]bool // texts looked for in modules
	subvolumes []grubSubvolume
	scanned    bool // disks were looked at for arrays and logical volumes

	printed   int // errors that were printed, grub_err_printed_errors
	firstErr  int // the step of the first error that the running entry printed, -1 without
	os        *grubOS
	budget    int // commands that may still run
	depth     int
	loops     int
	breaks    int
	goOn      bool // the break is a continue
	returning bool
}

type grubVar struct {
	value    string
	exported bool
}

type grubFunc struct {
	node *script.Function
	src  *grubSource
}

// grubSource is a script and where its text lies.
type grubSource struct {
	path string
	text string
	file io.ReaderAt
	base int64 // of the text in file
}

func (s *grubSource) cite(at script.Span) []blob.Cite {
	if at.Off < 0 || at.End() > len(s.text) {
		return nil
	}
	n := int64(at.Len)
	return cite(s.file, s.base+int64(at.Off), n, s.path, oneLine(s.text[at.Off:at.End()]))
}

// oneLine is a command as a list shows it.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 160 {
		cut := 157
		for cut > 0 && text[cut]&0xc0 == 0x80 {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}

// Bounds of a script: GRUB itself has none but its memory.
const (
	maxGrubCommands = 20_000
	maxGrubDepth    = 64
	maxGrubConfig   = 4 << 20 // bytes of a configuration file
)

func newGrub(s *start, platform string, img io.ReaderAt, size int64, core *grubcore.Modules) *grub {
	g := &grub{start: s, platform: platform, img: img, imgSize: size, core: core, mods: map[string]bool{},
		contexts: []map[string]grubVar{{}}, funcs: map[string]grubFunc{}, said: map[string]bool{}, budget: maxGrubCommands, firstErr: -1}
	for _, m := range core.List {
		g.mods[m.Name] = true
	}
	return g
}

// emit appends a step of GRUB.
func (g *grub) emit(kind trace.Kind, console string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return g.m.Emit(trace.Step{Actor: "grub", Stage: trace.Bootloader, Kind: kind, Console: console, Args: args, Rule: rule, Cites: cites}, rows...)
}

// giveUp ends the run: what GRUB does next cannot be told.
func (g *grub) giveUp(why *trace.Reason) { g.cannotKnow(trace.Bootloader, why) }

// main is grub_main: the modules that lie behind the kernel, prefix and root, the embedded
// configuration, then the normal module; when that cannot be had, the rescue prompt.
func (g *grub) main(cmdpath string) {
	names := make([]string, 0, len(g.core.List))
	for _, m := range g.core.List {
		names = append(names, m.Name)
	}
	welcome, cites := "", g.core.InfoCite
	if at, ok := grubcore.Find(g.img, "Welcome to GRUB!\n\n", g.imgSize); ok {
		welcome = "Welcome to GRUB!\n\n"
		cites = machine.Cites(cite(g.img, at, int64(len(welcome)), "message", `"Welcome to GRUB!"`), cites)
	}
	g.emit("grub.start", welcome, map[string]string{"modules": strings.Join(names, ", "), "platform": g.platform}, "GRUB 2.06: grub_main, grub_load_modules", cites)
	if len(g.core.Unknown) > 0 && slices.Contains(g.core.Unknown, 4) {
		g.giveUp(trace.Why("unknown.grub-signatures"))
		return
	}
	g.setPrefix(cmdpath)
	if g.core.Config.Set {
		src := &grubSource{path: "embedded configuration", text: g.core.Config.Value, file: g.img, base: g.core.Config.Off}
		g.emit("grub.embedded-config", "", map[string]string{"size": bytesText(int64(len(src.text)))}, "GRUB 2.06: grub_load_config",
			src.cite(script.Span{Off: 0, Len: len(src.text)}))
		g.run(script.Parse(src.text), src)
	}
	if g.m.Ended() {
		return
	}
	if msg := g.loadNormal(); msg != "" {
		g.rescue(msg)
		return
	}
	if g.m.Ended() {
		return
	}
	// "normal" without arguments reads $prefix/grub.cfg.
	g.enterNormal(g.Value("prefix") + "/grub.cfg")
}

// setPrefix is grub_set_prefix_and_root.
func (g *grub) setPrefix(cmdpath string) {
	prefix := g.core.Prefix.Value
	device, path := g.bootDevice, prefix
	if strings.HasPrefix(prefix, "(") {
		if end := strings.LastIndexByte(prefix, ')'); end > 0 {
			device, path = prefix[1:end], prefix[end+1:]
		}
	}
	// "We have a partition, but still need to fill in the drive": the drive is the one that was booted.
	if device == "" {
		device = g.bootDevice
	} else if device[0] == ',' {
		drive, _, _ := strings.Cut(g.bootDevice, ",")
		device = drive + device
	}
	value := "(" + device + ")" + path
	g.put("cmdpath", cmdpath, true)
	g.put("prefix", value, true)
	g.put("root", device, true)
	cites := cite(g.img, g.core.Prefix.Off, int64(len(prefix)), "prefix", prefix)
	g.emit("grub.set-prefix", "", map[string]string{"prefix": value, "root": device, "embedded": prefix}, "GRUB 2.06: grub_set_prefix_and_root", cites,
		g.varRow("cmdpath"), g.varRow("prefix"), g.varRow("root"))
}

// rescue is grub_rescue_run: GRUB waits for commands that nobody types.
func (g *grub) rescue(msg string) {
	g.emit("grub.rescue", "Entering rescue mode...\ngrub rescue> ", map[string]string{"error": msg}, "GRUB 2.06: grub_rescue_run", nil)
	g.stop(trace.Bootloader, "error: "+msg+".")
}

// loadNormal loads the normal module, "" when it runs then. The error is printed.
func (g *grub) loadNormal() string {
	if g.normal {
		return ""
	}
	cites, err := g.loadModule("normal")
	if err != nil {
		if err.unknown != nil {
			g.giveUp(err.unknown)
			return ""
		}
		g.printError(err.msg, nil)
		return err.msg
	}
	g.initNormal(cites)
	return ""
}

// initNormal is grub_normal_init: what the module says of itself becomes known.
func (g *grub) initNormal(cites []blob.Cite) {
	g.normal = true
	r, size := g.moduleBytes("normal")
	g.version, g.listsKnown = "", false
	if r != nil {
		mod := blob.Remember(g.c.Store, "GRUB's normal module", r, 0, size, func() *normalModule { return readNormal(r, size) })
		g.version = mod.version
		cites = machine.Cites(mod.cites, cites)
		for _, name := range mod.features {
			g.put(name, "y", true)
		}
	}
	cpu, platform, _ := strings.Cut(g.platform, "-")
	g.put("grub_cpu", cpu, true)
	g.put("grub_platform", platform, true)
	g.emit("grub.load-normal", "", map[string]string{"version": g.version, "path": g.modulePath("normal")}, "GRUB 2.06: grub_load_normal_mode, grub_normal_init", cites,
		g.varRow("grub_cpu"), g.varRow("grub_platform"))
}

// enterNormal is grub_enter_normal_mode: the configuration, then its menu, then the command line.
func (g *grub) enterNormal(config string) {
	if g.depth++; g.depth > maxGrubDepth {
		g.giveUp(trace.Why("unknown.config-circle", "program", "GRUB"))
		return
	}
	defer func() { g.depth-- }()
	g.execConfig(config, false)
	if g.m.Ended() {
		return
	}
	g.emit("grub.shell", "GNU GRUB  version "+g.version+"\n\n"+shellHelp+"\n\ngrub> ", map[string]string{"version": g.version, "config": config},
		"GRUB 2.06: grub_normal_execute without a menu, grub_cmdline_run", nil)
	g.stop(trace.Bootloader, "grub>")
}

// shellHelp is what grub_normal_reader_init prints, at the width of an 80-column screen.
const shellHelp = "   Minimal BASH-like line editing is supported. For the first word, TAB\n" +
	"   lists possible command completions. Anywhere else TAB lists possible\n" +
	"   device or file completions.\n"

// execConfig is grub_normal_execute: read the file, then show the menu that it built.
func (g *grub) execConfig(config string, nested bool) {
	saved := g.menu
	g.menu = &grubMenu{}
	g.readScript(config)
	if !g.m.Ended() && len(g.menu.entries) > 0 {
		g.showMenu(nested, false)
	}
	g.menu = saved
}

// readScript is read_config_file: it runs a file's commands. A file that cannot be read is passed over
// in silence ("Ignore any error."), by "source" and "configfile" too.
func (g *grub) readScript(config string) int {
	src, err := g.readConfig(config)
	switch {
	case err != nil && err.unknown != nil:
		g.giveUp(err.unknown)
		return grubFailed
	case err != nil:
		g.emit("grub.no-config", "", map[string]string{"path": config, "error": err.msg}, "GRUB 2.06: grub_normal_execute", err.cites)
		return grubOK
	}
	if strings.HasPrefix(config, "/") {
		config = "(" + g.Value("root") + ")" + config
	}
	file, dir := g.Value("config_file"), g.Value("config_directory")
	g.put("config_file", config, true)
	g.put("config_directory", config[:max(strings.LastIndexByte(config, '/'), 0)], true)
	g.emit("grub.read-config", "", map[string]string{"path": config, "size": bytesText(int64(len(src.text)))}, "GRUB 2.06: read_config_file",
		cite(src.file, 0, int64(len(src.text)), config, ""), g.varRow("config_file"), g.varRow("config_directory"))
	g.run(script.Parse(src.text), src)
	g.restore("config_file", file)
	g.restore("config_directory", dir)
	return grubOK
}

// readConfig opens a script.
func (g *grub) readConfig(path string) (*grubSource, *grubError) {
	f, err := g.open(path)
	if err != nil {
		return nil, err
	}
	if f.Size() > maxGrubConfig {
		return nil, &grubError{unknown: trace.Why("unknown.file-too-long", "path", path, "size", bytesText(f.Size()))}
	}
	text, e := blob.ReadAll(f, maxGrubConfig)
	if e != nil {
		return nil, &grubError{unknown: unreadable(path, e)}
	}
	return &grubSource{path: path, text: string(text), file: f}, nil
}

// printError is grub_print_error.
func (g *grub) printError(msg string, cites []blob.Cite) {
	g.printed++
	n := g.emit("grub.error", "error: "+msg+".\n", map[string]string{"error": msg}, "GRUB 2.06: grub_print_error", cites)
	if g.firstErr < 0 {
		g.firstErr = n
	}
}

// pressAnyKey is grub_wait_after_message: nobody presses one, ten seconds pass.
func (g *grub) pressAnyKey() {
	g.emit("grub.press-any-key", "\nPress any key to continue...\n", nil, "GRUB 2.06: grub_wait_after_message, 10 s", nil)
	g.m.Wait(10 * time.Second)
}

// Value implements [script.Env].
func (g *grub) Value(name string) string { return g.contexts[len(g.contexts)-1][name].value }

// Params implements [script.Env].
func (g *grub) Params() []string {
	if len(g.params) == 0 {
		return nil
	}
	return g.params[len(g.params)-1]
}

func (g *grub) isSet(name string) bool {
	_, ok := g.contexts[len(g.contexts)-1][name]
	return ok
}

// put sets a variable of the present context; one that is exported stays so.
func (g *grub) put(name, value string, export bool) {
	if n := len(value); name == "root" && n > 1 && value[0] == '(' && value[n-1] == ')' {
		value = value[1 : n-1] // grub_env_write_root
	}
	ctx := g.contexts[len(g.contexts)-1]
	ctx[name] = grubVar{value, export || ctx[name].exported}
}

func (g *grub) unset(name string) { delete(g.contexts[len(g.contexts)-1], name) }

// varRow is the row that shows a variable as it is now.
func (g *grub) varRow(name string) machine.Set {
	if !g.isSet(name) {
		return machine.Set{Table: trace.Variables, ID: name}
	}
	return machine.Set{Table: trace.Variables, ID: name, Row: trace.Row{"name": name, "value": g.Value(name)}}
}

// openContext is grub_env_context_open: the new context knows the exported variables only.
func (g *grub) openContext() {
	ctx := map[string]grubVar{}
	for name, v := range g.contexts[len(g.contexts)-1] {
		if v.exported {
			ctx[name] = v
		}
	}
	g.contexts = append(g.contexts, ctx)
}

func (g *grub) closeContext() { g.contexts = g.contexts[:len(g.contexts)-1] }
