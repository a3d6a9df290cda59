package boot

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	script "bootpath/sim/conf/grub"
	"bootpath/sim/trace"
)

// grubMenu is what the entries of a configuration make.
type grubMenu struct {
	entries []*grubEntry
}

// grubEntry is a menuentry or a submenu.
type grubEntry struct {
	title, id    string
	submenu      bool
	unrestricted bool
	args         []string // $1 is the title
	block        *script.Block
	node         *script.Command
	src          *grubSource
	evidence     []blob.Cite // of an entry that comes from a file of its own
}

func (e *grubEntry) cites() []blob.Cite {
	if e.evidence != nil {
		return e.evidence
	}
	at := e.node.Span
	at.Len = e.block.Off - at.Off
	return e.src.cite(at)
}

// cmdMenuentry adds an entry to the menu.
func (g *grub) cmdMenuentry(c *grubCall) int {
	known := []option{{"class", 0, 'r'}, {"users", 0, 'r'}, {"hotkey", 0, 'r'}, {"source", 0, 'r'}, {"id", 0, 'r'}, {"unrestricted", 0, 0}}
	set, args, bad := options(c.args, known, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	if len(args) == 0 {
		return g.failf(c, "missing arguments")
	}
	var block *script.Block
	for _, w := range c.node.Words {
		if w.Block != nil {
			block = w.Block
		}
	}
	if block == nil {
		return g.failf(c, "no menuentry definition")
	}
	e := &grubEntry{title: args[0], id: args[0], submenu: c.name == "submenu", args: args, block: block, node: c.node, src: c.src,
		unrestricted: len(set["unrestricted"]) > 0 || len(set["users"]) == 0 && g.Value("superusers") == ""}
	if id := set["id"]; len(id) > 0 {
		e.id = id[len(id)-1]
	}
	if g.menu == nil {
		return g.failf(c, "no menu to add to")
	}
	g.menu.entries = append(g.menu.entries, e)
	args2 := map[string]string{"title": e.title, "number": strconv.Itoa(len(g.menu.entries) - 1), "id": e.id}
	kind := trace.Kind("grub.add-entry")
	if e.submenu {
		kind = "grub.add-submenu"
	}
	g.emit(kind, "", args2, "GRUB manual, "+c.name, e.cites())
	return grubOK
}

// entryNumber is get_entry_number: a variable holds a number, a title or an id, maybe with ">" and an
// entry of the submenu behind it.
func (g *grub) entryNumber(name string) int {
	if !g.isSet(name) {
		return -1
	}
	val := g.Value(name)
	n, rest := strtol(val)
	if rest != strings.TrimLeft(val, " \t") {
		return int(n)
	}
	for i, e := range g.menu.entries {
		if entryEq(e.title, val) || entryEq(e.id, val) {
			return i
		}
	}
	return -1
}

// entryEq is menuentry_eq: in spec, ">" ends the name and ">>" is a ">" of it.
func entryEq(name, spec string) bool {
	first, _ := cutEntry(spec)
	return name == first
}

// cutEntry separates the first name of a path of entries.
func cutEntry(spec string) (first, rest string) {
	var b strings.Builder
	for i := 0; i < len(spec); i++ {
		if spec[i] == '>' {
			if i+1 >= len(spec) || spec[i+1] != '>' {
				return b.String(), spec[i+1:]
			}
			i++
		}
		b.WriteByte(spec[i])
	}
	return b.String(), ""
}

// timeout is grub_menu_get_timeout: -1 when there is none.
func (g *grub) timeout() int {
	val := g.Value("timeout")
	n, rest := strtol(val)
	if val == "" || rest == strings.TrimLeft(val, " \t") {
		return -1
	}
	return int(n)
}

// showMenu is show_menu with run_menu: the default entry starts when the time is over; a menu without a
// time waits for a person. A second pass after a failure finds no time left and waits.
func (g *grub) showMenu(nested, autobooted bool) {
	for pass := 0; !g.m.Ended(); pass++ {
		number := g.entryNumber("default")
		if number < 0 || number >= len(g.menu.entries) {
			number = 0
		}
		timeout, style := g.timeout(), g.Value("timeout_style")
		if timeout < 0 {
			style = ""
		}
		e := g.menu.entries[number]
		if timeout != 0 {
			g.drawMenu(number, timeout, style)
		}
		auto := timeout >= 0
		if !auto && pass > 0 {
			// The entry failed and the menu is back: nobody is there to choose.
			g.failed()
			return
		}
		if auto {
			g.m.Wait(time.Duration(min(timeout, 3600)) * time.Second)
			if timeout > 0 { // one that was 0 from the start stays for the entry to see
				g.unset("timeout")
			}
		} else {
			g.emit("grub.press-enter", "", map[string]string{"title": e.title}, "GRUB 2.06: run_menu waits for a key; bootpath presses Enter", e.cites())
		}
		g.firstErr = -1
		if auto {
			// From 2.12 on a hidden menu keeps quiet about what it starts: run_menu, notify_boot.
			g.executeWithFallback(e, autobooted, style != "hidden" || strings.HasPrefix(g.version, "2.0"))
		} else {
			g.executeEntry(e, false)
		}
		if autobooted {
			return
		}
	}
}

// failed ends a run that came back to the menu.
func (g *grub) failed() {
	o := trace.Outcome{Verdict: trace.Stops, Stage: trace.Bootloader, Message: "Failed to boot both default and fallback entries."}
	if g.firstErr >= 0 {
		o.Step, o.Message = g.firstErr, strings.TrimSpace(g.m.Step(g.firstErr).Console)
	}
	g.m.End(o)
}

// drawMenu is what the text menu shows, without its frame.
func (g *grub) drawMenu(number, timeout int, style string) {
	var b strings.Builder
	if style == "hidden" || style == "countdown" {
		if style == "countdown" && timeout > 0 {
			b.WriteString(strconv.Itoa(timeout))
		}
	} else {
		fmt.Fprintf(&b, "GNU GRUB  version %s\n\n", g.version)
		for i, e := range g.menu.entries {
			mark := " "
			if i == number {
				mark = "*"
			}
			b.WriteString(mark + e.title + "\n")
		}
		if timeout > 0 {
			fmt.Fprintf(&b, "\n   The highlighted entry will be executed automatically in %ds.\n", timeout)
		}
	}
	e := g.menu.entries[number]
	wait := strconv.Itoa(timeout)
	if timeout < 0 {
		wait = "∞"
	}
	g.emit("grub.show-menu", b.String(), map[string]string{"entries": strconv.Itoa(len(g.menu.entries)), "default": e.title, "timeout": wait, "version": g.version},
		"GRUB 2.06: run_menu", e.cites())
}

// executeWithFallback is grub_menu_execute_with_fallback.
func (g *grub) executeWithFallback(e *grubEntry, autobooted, notify bool) {
	booting := ""
	if notify && !e.submenu {
		booting = "  Booting `" + e.title + "'\n\n"
	}
	g.emit("grub.boot-entry", booting, map[string]string{"title": e.title, "id": e.id}, "GRUB 2.06: grub_menu_execute_with_fallback", e.cites())
	g.executeEntry(e, true)
	for !g.m.Ended() {
		n, rest := strtol(g.Value("fallback"))
		if rest == g.Value("fallback") {
			break
		}
		g.put("fallback", strings.TrimLeft(rest, " "), false)
		if n < 0 || int(n) >= len(g.menu.entries) {
			break
		}
		e = g.menu.entries[n]
		g.emit("grub.fall-back", "\n   Falling back to `"+e.title+"'\n\n", map[string]string{"title": e.title}, "GRUB 2.06: grub_menu_execute_with_fallback", e.cites(), g.varRow("fallback"))
		g.m.Wait(2500 * time.Millisecond)
		g.executeEntry(e, true)
	}
	if !autobooted && !g.m.Ended() {
		g.emit("grub.entries-failed", "\n  Failed to boot both default and fallback entries.\n", nil, "GRUB 2.06: notify_execution_failure", nil)
		g.pressAnyKey()
	}
}

// executeEntry is grub_menu_execute_entry: the entry's commands in a scope of their own, then boot when
// something was loaded. Errors on the way do not stop it.
func (g *grub) executeEntry(e *grubEntry, auto bool) {
	if !e.unrestricted && g.isSet("superusers") {
		g.emit("grub.ask-user", "Enter username:\n", map[string]string{"title": e.title}, "GRUB 2.06: grub_auth_check_authentication; the variable superusers is set", e.cites())
		g.giveUp(trace.Why("unknown.grub-password", "title", e.title))
		return
	}
	if g.depth += 4; g.depth > maxGrubDepth*4 {
		g.giveUp(trace.Why("unknown.config-circle", "program", "GRUB"))
		return
	}
	defer func() { g.depth -= 4 }()
	before := g.printed
	def, chosen := g.Value("default"), g.Value("chosen")
	saved := g.menu
	if e.submenu {
		g.openContext()
		g.menu = &grubMenu{}
		if auto {
			g.put("timeout", "0", false)
		}
	}
	id := strings.ReplaceAll(e.id, ">", ">>")
	if chosen != "" {
		id = chosen + ">" + id
	}
	g.put("chosen", id, true)
	if _, rest := cutEntry(def); rest != "" {
		g.put("default", rest, false)
	} else {
		g.unset("default")
	}
	g.emit("grub.run-entry", "", map[string]string{"title": e.title}, "GRUB 2.06: grub_menu_execute_entry", e.cites(), g.varRow("chosen"), g.varRow("default"))

	g.params = append(g.params, e.args)
	g.run(e.block.Body, e.src)
	g.params = g.params[:len(g.params)-1]
	g.returning, g.breaks = false, 0
	if g.m.Ended() {
		return
	}
	if before != g.printed {
		g.pressAnyKey()
	}
	if g.os != nil {
		g.boot(e.cites())
	}
	if e.submenu {
		if !g.m.Ended() && len(g.menu.entries) > 0 {
			g.showMenu(true, auto)
		}
		g.closeContext()
		g.menu = saved
	}
	if g.m.Ended() {
		return
	}
	g.restore("chosen", chosen)
	g.restore("default", def)
	g.unset("timeout")
	g.emit("grub.leave-entry", "", map[string]string{"title": e.title}, "GRUB 2.06: grub_menu_execute_entry returns", e.cites(), g.contextRows()...)
}

func (g *grub) restore(name, value string) {
	if value == "" {
		g.unset(name)
		return
	}
	g.put(name, value, false)
}
