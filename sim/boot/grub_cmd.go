package boot

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// grubCommand is a command that bootpath knows: the module that brings it ("" for GRUB's kernel), as
// GRUB's own command.lst says, and what it does.
type grubCommand struct {
	module string
	run    func(*grub, *grubCall) int
}

// findCommand returns what a name means in GRUB 2.06.
func findCommand(name string) (grubCommand, bool) {
	switch name {
	case "set":
		return grubCommand{"", (*grub).cmdSet}, true
	case "unset":
		return grubCommand{"", (*grub).cmdUnset}, true
	case "insmod":
		return grubCommand{"", (*grub).cmdInsmod}, true
	case "ls":
		return grubCommand{"", (*grub).cmdHarmless}, true
	case "export", "setparams", "break", "continue", "shift", "return", "menuentry", "submenu", "normal", "clear", "normal_exit":
		return grubCommand{"normal", (*grub).cmdNormal}, true
	case "[", "test":
		return grubCommand{"test", (*grub).cmdTest}, true
	case "true":
		return grubCommand{"true", func(*grub, *grubCall) int { return grubOK }}, true
	case "false":
		return grubCommand{"true", func(*grub, *grubCall) int { return grubFalse }}, true
	case "echo":
		return grubCommand{"echo", (*grub).cmdEcho}, true
	case "load_env":
		return grubCommand{"loadenv", (*grub).cmdLoadEnv}, true
	case "save_env":
		return grubCommand{"loadenv", (*grub).cmdSaveEnv}, true
	case "search":
		return grubCommand{"search", (*grub).cmdSearch}, true
	case "search.fs_uuid":
		return grubCommand{"search_fs_uuid", (*grub).cmdSearch}, true
	case "search.file":
		return grubCommand{"search_fs_file", (*grub).cmdSearch}, true
	case "search.fs_label":
		return grubCommand{"search_label", (*grub).cmdSearch}, true
	case "configfile", "source", ".", "extract_entries_configfile", "extract_entries_source":
		return grubCommand{"configfile", (*grub).cmdConfigfile}, true
	case "linux", "initrd", "linuxefi", "initrdefi":
		return grubCommand{"linux", (*grub).cmdLinux}, true
	case "linux16", "initrd16":
		return grubCommand{"linux16", (*grub).cmdLinux}, true
	case "boot":
		return grubCommand{"boot", (*grub).cmdBoot}, true
	case "chainloader":
		return grubCommand{"chain", (*grub).cmdChainloader}, true
	case "loadfont":
		return grubCommand{"font", (*grub).cmdLoadfont}, true
	case "sleep":
		return grubCommand{"sleep", (*grub).cmdSleep}, true
	case "keystatus":
		return grubCommand{"keystatus", (*grub).cmdKeystatus}, true
	case "regexp":
		return grubCommand{"regexp", (*grub).cmdRegexp}, true
	case "probe":
		return grubCommand{"probe", (*grub).cmdProbe}, true
	case "cpuid":
		return grubCommand{"cpuid", (*grub).cmdCPUID}, true
	case "blscfg", "bls_import":
		return grubCommand{"blscfg", (*grub).cmdBls}, true
	case "increment", "decrement":
		return grubCommand{"increment", (*grub).cmdIncrement}, true
	case "btrfs-mount-subvol", "btrfs-info", "btrfs-list-subvols", "btrfs-get-default-subvol":
		return grubCommand{"btrfs", (*grub).cmdBtrfs}, true
	case "cryptomount":
		return grubCommand{"cryptodisk", (*grub).cmdCryptomount}, true
	case "fwsetup":
		return grubCommand{"efifwsetup", (*grub).cmdFirmware}, true
	case "hwmatch":
		return grubCommand{"hwmatch", (*grub).cmdHwmatch}, true
	case "halt":
		return grubCommand{"halt", (*grub).cmdPower}, true
	case "reboot":
		return grubCommand{"reboot", (*grub).cmdPower}, true
	}
	if module, ok := harmless(name); ok {
		return grubCommand{module, (*grub).cmdHarmless}, true
	}
	return grubCommand{}, false
}

// harmless lists commands that set up screens, keyboards and passwords, or print: they succeed on the
// simulated machine and decide nothing about what starts.
func harmless(name string) (module string, ok bool) {
	switch name {
	case "terminal_input", "terminal_output":
		return "terminal", true
	case "serial":
		return "serial", true
	case "background_image", "background_color":
		return "gfxterm_background", true
	case "password":
		return "password", true
	case "password_pbkdf2":
		return "password_pbkdf2", true
	case "play":
		return "play", true
	case "cat":
		return "cat", true
	case "videoinfo", "vbeinfo":
		return "videoinfo", true
	case "date":
		return "date", true
	case "keymap":
		return "keylayouts", true
	case "gettext":
		return "gettext", true
	}
	return "", false
}

// builtin runs a command of GRUB's kernel or of a module; found is false when no module brings it.
func (g *grub) builtin(c *grubCall) (status int, found bool) {
	cmd, known := findCommand(c.name)
	module := cmd.module
	if c.name == "blscfg" && g.mods["blsuki"] { // GRUB 2.14's, built into the image
		module = "blsuki"
	}
	if known && module == "normal" && !g.normal || known && c.name == "normal" {
		if c.name != "normal" {
			return 0, false
		}
		return g.cmdNormalMode(c), true
	}
	if !known || module != "" && !g.mods[module] {
		// What is not loaded is looked up in command.lst, in normal mode, and loaded.
		if !g.normal {
			return 0, false
		}
		if module = g.commandModule(c.name); module == "" {
			return 0, false
		}
		if !g.mods[module] {
			if _, err := g.loadModule(module); err != nil {
				if err.unknown != nil {
					g.giveUp(err.unknown)
					return grubFailed, true
				}
				// The autoload's error is printed, then the command is looked for in vain.
				g.printError(err.msg, append(c.src.cite(c.node.Span), err.cites...))
				return 0, false
			}
		}
	}
	if !known {
		g.ran(c, "grub.command-unknown", nil)
		g.giveUp(trace.Why("unknown.grub-command", "command", c.name))
		return grubFailed, true
	}
	return cmd.run(g, c), true
}

func (g *grub) cmdSet(c *grubCall) int {
	if len(c.args) == 0 {
		return grubOK // lists the variables
	}
	name, value, ok := strings.Cut(c.args[0], "=")
	if !ok {
		return g.failf(c, "not an assignment")
	}
	g.setVar(name, value, c)
	return grubOK
}

func (g *grub) cmdUnset(c *grubCall) int {
	if len(c.args) == 0 {
		return g.failf(c, "one argument expected")
	}
	g.unset(c.args[0])
	g.emit("grub.unset-variable", "", map[string]string{"name": c.args[0]}, "GRUB manual, unset", c.src.cite(c.node.Span), g.varRow(c.args[0]))
	return grubOK
}

func (g *grub) cmdInsmod(c *grubCall) int {
	if len(c.args) == 0 {
		return g.failf(c, "one argument expected")
	}
	name := c.args[0]
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "(") {
		g.giveUp(trace.Why("unknown.grub-module", "module", name))
		return grubFailed
	}
	had := g.mods[name]
	cites, err := g.loadModule(name)
	if err != nil {
		return g.fail(c, err)
	}
	if name == "normal" && !g.normal {
		g.initNormal(cites)
		return grubOK
	}
	kind := trace.Kind("grub.load-module")
	if had {
		kind = "grub.module-present"
	}
	g.emit(kind, "", map[string]string{"module": name, "command": c.text()}, "GRUB manual, insmod", machine.Cites(c.src.cite(c.node.Span), cites))
	return grubOK
}

// cmdNormal is the commands that the normal module itself brings.
func (g *grub) cmdNormal(c *grubCall) int {
	switch c.name {
	case "menuentry", "submenu":
		return g.cmdMenuentry(c)
	case "export":
		for _, name := range c.args {
			g.put(name, g.Value(name), true)
		}
	case "setparams":
		if len(g.params) > 0 {
			g.params[len(g.params)-1] = c.args
		}
	case "shift":
		n := 1
		if len(c.args) == 1 {
			n, _ = strconv.Atoi(c.args[0])
		}
		if p := g.Params(); n >= 0 && n <= len(p) && len(g.params) > 0 {
			g.params[len(g.params)-1] = p[n:]
		} else {
			return grubFailed
		}
	case "break", "continue":
		n := 1
		if len(c.args) == 1 {
			n, _ = strconv.Atoi(c.args[0])
		}
		g.goOn, g.breaks = c.name == "continue", min(max(n, 0), g.loops)
	case "return":
		if len(g.params) == 0 {
			return g.failf(c, "not in function body")
		}
		g.returning = true
		if len(c.args) == 0 {
			n, _ := strconv.Atoi(g.Value("?"))
			return n
		}
		n, err := strconv.Atoi(c.args[0])
		if err != nil {
			return g.failf(c, "unrecognized number")
		}
		if n != 0 {
			return grubFalse
		}
	}
	return grubOK
}

// cmdNormalMode is the command "normal": from the rescue parser it enters normal mode.
func (g *grub) cmdNormalMode(c *grubCall) int {
	if msg := g.loadNormal(); msg != "" || g.m.Ended() {
		return grubFailed
	}
	config := g.Value("prefix") + "/grub.cfg"
	if len(c.args) > 0 {
		config = c.args[0]
	}
	g.enterNormal(config)
	return grubOK
}

func (g *grub) cmdEcho(c *grubCall) int {
	args, newline, escapes := c.args, true, false
	for len(args) > 0 && (args[0] == "-n" || args[0] == "-e") {
		newline = newline && args[0] != "-n"
		escapes = escapes || args[0] == "-e"
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		text = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(text)
	}
	if newline {
		text += "\n"
	}
	g.emit("grub.echo", text, map[string]string{"text": strings.TrimSpace(text)}, "GRUB manual, echo", c.src.cite(c.node.Span))
	return grubOK
}

// cmdConfigfile is "configfile" (a menu of its own) and "source" (as if the text stood here).
func (g *grub) cmdConfigfile(c *grubCall) int {
	if len(c.args) != 1 {
		return g.failf(c, "filename expected")
	}
	if strings.HasPrefix(c.name, "extract") {
		g.giveUp(trace.Why("unknown.grub-extract", "command", c.name))
		return grubFailed
	}
	if g.depth += 4; g.depth > maxGrubDepth*4 {
		g.giveUp(trace.Why("unknown.config-circle", "program", "GRUB"))
		return grubFailed
	}
	defer func() { g.depth -= 4 }()
	if msg := g.loadNormal(); msg != "" || g.m.Ended() {
		return grubFailed
	}
	if c.name == "configfile" {
		g.openContext()
		g.execConfig(c.args[0], true)
		g.closeContext()
		return grubOK
	}
	return g.readScript(c.args[0])
}

// envHeader starts an environment block: include/grub/lib/envblk.h.
const envHeader = "# GRUB Environment Block\n"

func (g *grub) envFile(set map[string][]string) string {
	if f := set["file"]; len(f) > 0 {
		if strings.HasPrefix(f[0], "(") || strings.HasPrefix(f[0], "/") {
			return f[0]
		}
		return g.Value("prefix") + "/" + f[0]
	}
	return g.Value("prefix") + "/grubenv"
}

func (g *grub) cmdLoadEnv(c *grubCall) int {
	set, names, bad := options(c.args, []option{{"file", 'f', 'r'}, {"skip-sig", 's', 0}}, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	file := g.envFile(set)
	f, err := g.open(file)
	if err != nil {
		return g.fail(c, err)
	}
	data, e := blob.ReadAll(f, 1<<20)
	if e != nil {
		g.giveUp(unreadable(file, e))
		return grubFailed
	}
	body, ok := strings.CutPrefix(string(data), envHeader)
	if !ok {
		return g.failf(c, "invalid environment block")
	}
	var rows []machine.Set
	var cites []blob.Cite
	at := int64(len(envHeader))
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if ok && !strings.HasPrefix(line, "#") && (len(names) == 0 || contains(names, name)) {
			value = strings.ReplaceAll(value, `\\`, `\`)
			g.put(name, value, false)
			rows = append(rows, g.varRow(name))
			cites = append(cites, cite(f, at, int64(len(line)), name, value)...)
		}
		at += int64(len(line))
	}
	if len(cites) == 0 {
		cites = cite(f, 0, int64(len(envHeader)), "environment block", "no variables")
	}
	g.emit("grub.load-env", "", map[string]string{"path": file, "count": strconv.Itoa(len(rows))}, "GRUB manual, load_env", cites, rows...)
	return grubOK
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (g *grub) cmdSaveEnv(c *grubCall) int {
	set, names, bad := options(c.args, []option{{"file", 'f', 'r'}}, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	if len(names) == 0 {
		return g.failf(c, "no variable is specified")
	}
	file := g.envFile(set)
	f, err := g.open(file)
	if err != nil {
		return g.fail(c, err)
	}
	have, _ := blob.ReadAll(f, 1<<20)
	for _, name := range names {
		if line := "\n" + name + "=" + strings.ReplaceAll(g.Value(name), `\`, `\\`) + "\n"; !strings.Contains(string(have), line) && !contains(g.saved, name) {
			g.saved = append(g.saved, name)
		}
	}
	return g.ran(c, "grub.save-env", map[string]string{"path": file, "names": strings.Join(names, ", ")})
}

func (g *grub) cmdLoadfont(c *grubCall) int {
	if len(c.args) == 0 {
		return g.failf(c, "font name expected")
	}
	for _, name := range c.args {
		file := name
		if !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "(") {
			file = g.Value("prefix") + "/fonts/" + name + ".pf2"
		}
		if _, err := g.open(file); err != nil {
			if err.unknown == nil && err.msg == "" {
				return grubFailed
			}
			return g.fail(c, err)
		}
	}
	return g.ran(c, "grub.command", nil)
}

func (g *grub) cmdSleep(c *grubCall) int {
	_, args, bad := options(c.args, []option{{"verbose", 'v', 0}, {"interruptible", 'i', 0}}, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	if len(args) == 0 {
		return g.failf(c, "missing operand")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return g.failf(c, "unrecognized number")
	}
	g.ran(c, "grub.command", nil)
	g.m.Wait(time.Duration(min(max(n, 0), 3600)) * time.Second)
	return grubOK
}

// cmdKeystatus asks for a modifier key: nobody holds one down.
func (g *grub) cmdKeystatus(c *grubCall) int {
	if len(c.args) == 0 {
		return grubOK
	}
	return grubFalse
}

// cmdCPUID asks what the processor can: the simulated one is an x86-64 with PAE.
func (g *grub) cmdCPUID(*grubCall) int { return grubOK }

func (g *grub) cmdRegexp(c *grubCall) int {
	set, args, bad := options(c.args, []option{{"set", 's', 'r'}}, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	if len(args) != 2 {
		return g.failf(c, "two arguments expected")
	}
	re, err := regexp.CompilePOSIX(args[0])
	if err != nil {
		g.giveUp(trace.Why("unknown.grub-pattern", "pattern", args[0]))
		return grubFailed
	}
	m := re.FindStringSubmatch(args[1])
	if m == nil {
		return grubFalse
	}
	for _, s := range set["set"] {
		index, name := 1, s
		if a, b, ok := strings.Cut(s, ":"); ok {
			index, _ = strconv.Atoi(a)
			name = b
		}
		if index >= 0 && index < len(m) {
			g.setVar(name, m[index], c)
		}
	}
	return grubOK
}

func (g *grub) cmdProbe(c *grubCall) int {
	known := []option{{"set", 's', 'r'}, {"driver", 'd', 0}, {"partmap", 'p', 0}, {"fs", 'f', 0}, {"fs-uuid", 'u', 0}, {"label", 'l', 0}, {"part-uuid", 0, 0}}
	set, args, bad := options(c.args, known, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	if len(args) != 1 {
		return g.failf(c, "one argument expected")
	}
	vol, err := g.volume(strings.Trim(args[0], "()"))
	if err != nil {
		return g.fail(c, err)
	}
	info, value := vol.FS.Info(), ""
	switch {
	case len(set["fs-uuid"]) > 0:
		value = info.UUID
	case len(set["label"]) > 0:
		value = info.Label
	case len(set["fs"]) > 0:
		value = fsModule(info.Type)
	default:
		g.giveUp(trace.Why("unknown.grub-probe", "command", c.text()))
		return grubFailed
	}
	if name := set["set"]; len(name) > 0 {
		g.setVar(name[0], value, c)
		return grubOK
	}
	g.emit("grub.echo", value+"\n", map[string]string{"text": value}, "GRUB manual, probe", c.src.cite(c.node.Span))
	return grubOK
}

func (g *grub) cmdPower(c *grubCall) int {
	g.ran(c, "grub.command", nil)
	g.stop(trace.Bootloader, c.text())
	return grubOK
}

// cmdHarmless shows a command that succeeds and decides nothing.
func (g *grub) cmdHarmless(c *grubCall) int { return g.ran(c, "grub.command", nil) }

// cmdTest is "[" and "test": grub-core/commands/test.c.
func (g *grub) cmdTest(c *grubCall) int {
	args := c.args
	if n := len(args); n > 0 && args[n-1] == "]" {
		args = args[:n-1]
	}
	t := &grubTest{g: g, args: args}
	if ok := t.parse(0); ok {
		return grubOK
	}
	return grubFalse
}

// grubTest is an expression under evaluation.
type grubTest struct {
	g    *grub
	args []string
	at   int
}

// parse evaluates up to the end or a closing parenthesis: terms are joined by -a or nothing, -o separates.
func (t *grubTest) parse(depth int) bool {
	or, and, invert := false, true, false
	update := func(v bool) { and, invert = and && v != invert, false }
	for t.at < len(t.args) && depth < maxGrubDepth {
		a := t.args[t.at:]
		if len(a) > 2 {
			if v, ok := t.binary(a[0], a[1], a[2]); ok {
				update(v)
				t.at += 3
				continue
			}
		}
		if len(a) > 1 {
			if v, ok := t.unary(a[0], a[1]); ok {
				update(v)
				t.at += 2
				continue
			}
		}
		t.at++
		switch a[0] {
		case ")":
			return or || and
		case "(":
			update(t.parse(depth + 1))
		case "!":
			invert = !invert
		case "-a":
		case "-o":
			or, and = or || and, true
		default:
			update(a[0] != "")
		}
	}
	return or || and
}

func (t *grubTest) binary(a, op, b string) (value, ok bool) {
	n := func(s string) int64 { v, _ := strtol(s); return v }
	switch op {
	case "=", "==":
		return a == b, true
	case "!=":
		return a != b, true
	case "<":
		return a < b, true
	case "<=":
		return a <= b, true
	case ">":
		return a > b, true
	case ">=":
		return a >= b, true
	case "-eq":
		return n(a) == n(b), true
	case "-ge":
		return n(a) >= n(b), true
	case "-gt":
		return n(a) > n(b), true
	case "-le":
		return n(a) <= n(b), true
	case "-lt":
		return n(a) < n(b), true
	case "-ne":
		return n(a) != n(b), true
	case "-pgt", "-plt":
		i := 0
		for i < len(a) && i < len(b) && a[i] == b[i] {
			i++
		}
		for i > 0 && a[i-1] >= '0' && a[i-1] <= '9' {
			i--
		}
		return (op == "-pgt") == (n(a[i:]) > n(b[i:])) && n(a[i:]) != n(b[i:]), true
	}
	if strings.HasPrefix(op, "-nt") || strings.HasPrefix(op, "-ot") {
		t.g.giveUp(trace.Why("unknown.grub-newer", "a", a, "b", b))
		return false, true
	}
	return false, false
}

func (t *grubTest) unary(op, arg string) (value, ok bool) {
	switch op {
	case "-n":
		return arg != "", true
	case "-z":
		return arg == "", true
	case "-s":
		f, err := t.g.openRaw(arg)
		t.note(err)
		return err == nil && f.Size() > 0, true
	case "-d", "-e", "-f":
		dir, exists := t.stat(arg)
		return exists && (op == "-e" || (op == "-d") == dir), true
	}
	return false, false
}

// stat looks a name up in its directory, without following a link in the last place.
func (t *grubTest) stat(name string) (dir, exists bool) {
	devName, file, err := t.g.split(name)
	if err != nil {
		return false, false
	}
	vol, err := t.g.volume(devName)
	if err != nil {
		t.note(err)
		return false, false
	}
	if vol, file, err = t.g.subvolume(vol, file); err != nil {
		t.note(err)
		return false, false
	}
	if file = strings.TrimRight(file, "/"); file == "" {
		return true, true
	}
	at, e := fsys.ResolveParent(vol.FS, file)
	if e != nil {
		if at, e = lookup(vol, file); e != nil {
			return false, false
		}
	}
	fi, e := vol.FS.Lstat(at)
	if e != nil {
		return false, false
	}
	return fi.IsDir(), true
}

// note ends the run when a test's answer cannot be known.
func (t *grubTest) note(err *grubError) {
	if err != nil && err.unknown != nil {
		t.g.giveUp(err.unknown)
	}
}

// strtol is grub_strtoul with base 0 and a sign: what is no number is 0; rest is what follows.
func strtol(s string) (n int64, rest string) {
	t := strings.TrimLeft(s, " \t")
	sign := int64(1)
	if strings.HasPrefix(t, "-") {
		sign, t = -1, t[1:]
	}
	base := 10
	if strings.HasPrefix(t, "0x") || strings.HasPrefix(t, "0X") {
		base, t = 16, t[2:]
	} else if strings.HasPrefix(t, "0") && len(t) > 1 {
		base = 8
	}
	i := 0
	for i < len(t) && i < 15 {
		d := strings.IndexByte("0123456789abcdef"[:base], t[i]|0x20)
		if t[i] >= '0' && t[i] <= '9' {
			d = int(t[i] - '0')
		}
		if d < 0 || d >= base {
			break
		}
		n = n*int64(base) + int64(d)
		i++
	}
	return sign * n, t[i:]
}
