package boot

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/bls"
	script "bootpath/sim/conf/grub"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// blsEntry is a file of /loader/entries as Fedora's GRUB reads it: grub-core/commands/blscfg.c of Red Hat's package.
type blsEntry struct {
	id    string // the file name without ".conf"
	items []bls.Item
	file  fsys.File
	shown bool
}

// value is bls_get_val: the first value of a key; found is false without one.
func (e *blsEntry) value(key string) (value string, found bool) {
	for i := range e.items {
		if e.items[i].Key == key {
			return e.items[i].Value, true
		}
	}
	return "", false
}

func (e *blsEntry) values(key string) []string {
	var out []string
	for i := range e.items {
		if e.items[i].Key == key {
			out = append(out, e.items[i].Value)
		}
	}
	return out
}

// maxBLSEntries bounds the entries that are read of one directory.
const maxBLSEntries = 1000

// cmdBls is "blscfg", which Red Hat's GRUB brings in a module of that name and GRUB 2.14 in blsuki.
func (g *grub) cmdBls(c *grubCall) int {
	listed := g.commandModule("blscfg")
	if g.mods["blsuki"] || listed == "blsuki" {
		return g.cmdBlsuki(c)
	}
	return g.cmdBlscfg(c)
}

// cmdBlscfg is Red Hat's: it makes a menu entry of each file of the boot loader specification's directory, the newest
// first. "blscfg default" and "blscfg non-default" take only some.
func (g *grub) cmdBlscfg(c *grubCall) int {
	showDefault, showOthers, only := true, true, ""
	name := g.Value("root")
	if !isEFI(g.platform) && g.isSet("boot") {
		name = g.Value("boot")
	}
	if len(c.args) == 1 {
		switch arg := c.args[0]; {
		case arg == "default":
			showOthers = false
		case arg == "non-default":
			showDefault = false
		case strings.HasPrefix(arg, "("):
			g.giveUp(trace.Why("unknown.grub-entries", "path", arg))
			return grubFailed
		default:
			only, showDefault, showOthers = arg, false, false
		}
	}
	if name == "" {
		return g.fail(c, &grubError{msg: "variable `boot' isn't set", code: errFileNotFound})
	}
	vol, err := g.volume(name)
	if err != nil {
		return g.fail(c, err)
	}
	if g.bls == nil {
		dirs := []string{"/loader/entries", "/boot/loader/entries"}
		if d := g.Value("blsdir"); d != "" {
			dirs[0] = d
		}
		g.bls = g.readBLS(vol, dirs, func(a, b string) int {
			return bls.ComparePackages(strings.TrimSuffix(a, ".conf"), strings.TrimSuffix(b, ".conf"))
		})
	}
	g.ran(c, "grub.read-entries", map[string]string{"count": strconv.Itoa(len(g.bls))})
	def := g.Value("default")
	for i, e := range g.bls {
		title, _ := e.value("title")
		n, rest := strtol(def)
		isDefault := def != "" && (def == e.id || def == title || rest != def && int(n) == i)
		if !e.shown && (showDefault && isDefault || showOthers && !isDefault || only != "" && only == e.id) {
			e.shown = true
			g.addBLS(e, c)
		}
	}
	return grubOK
}

// readBLS is find_entry: the files of the first of the directories that is one, the newest first. Of two that compare
// equal one is left out.
func (g *grub) readBLS(vol *disk.Volume, dirs []string, compare func(a, b string) int) []*blsEntry {
	var list []fs.DirEntry
	dir := ""
	for _, d := range dirs {
		v, file, gerr := g.subvolume(vol, d)
		if gerr != nil {
			continue
		}
		at, err := lookup(v, file)
		if err != nil {
			continue
		}
		if list, err = v.FS.ReadDir(at); err == nil {
			vol, dir = v, at
			break
		}
	}
	out := []*blsEntry{}
	for _, d := range list {
		id, ok := strings.CutSuffix(d.Name(), ".conf")
		if !ok || id == "" || id[0] == '.' || len(out) >= maxBLSEntries {
			continue
		}
		f, err := fsys.OpenFile(vol.FS, path.Join(dir, d.Name()))
		if err != nil || f.Size() > maxEntryText {
			continue
		}
		data, err := blob.ReadAll(f, maxEntryText)
		if err != nil {
			continue
		}
		out = insertBLS(out, &blsEntry{id: id, items: untilBlank(bls.Parse(data, bls.Blank), data), file: f}, compare)
	}
	return out
}

// untilBlank are the assignments in front of the first line that has no key or no value: GRUB reads no further.
func untilBlank(items []bls.Item, data []byte) []bls.Item {
	at := int64(0)
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		if text == "" || text[0] != '#' && !strings.ContainsAny(text, bls.Blank) {
			n := 0
			for n < len(items) && items[n].Off < at {
				n++
			}
			return items[:n]
		}
		at += int64(len(line))
	}
	return items
}

// insertBLS is bls_add_entry.
func insertBLS(list []*blsEntry, e *blsEntry, compare func(a, b string) int) []*blsEntry {
	for i, have := range list {
		switch order := compare(e.id+".conf", have.id+".conf"); {
		case order == 0:
			return list
		case order > 0:
			return append(list[:i], append([]*blsEntry{e}, list[i:]...)...)
		}
	}
	return append(list, e)
}

// addBLS is create_entry: the commands of the entry are a script that GRUB writes.
func (g *grub) addBLS(e *blsEntry, c *grubCall) {
	kernel, ok := e.value("linux")
	if !ok || g.menu == nil {
		return
	}
	title, ok := e.value("title")
	if !ok {
		title = kernel
	}
	options, has := e.value("options")
	if !has {
		options = g.Value("default_kernelopts")
	}
	text := "load_video\nset gfxpayload=keep\ninsmod gzio\nlinux ($root)" + kernel
	if options = g.expandBLS(options); options != "" {
		text += " " + options
	}
	initrds := e.values("initrd")
	if early := g.Value("early_initrd"); early != "" {
		prefix := kernel
		if len(initrds) > 0 {
			prefix = initrds[0]
		}
		prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
		var more []string
		for _, name := range strings.Split(early, " ") {
			more = append(more, prefix+name)
		}
		initrds = append(more, initrds...)
	}
	text += "\n"
	if len(initrds) > 0 {
		text += "initrd ($root)" + strings.Join(initrds, " ($root)") + "\n"
	}
	users, _ := e.value("grub_users")
	g.addScript(e, c, title, text, g.expandBLS(users) == "", "Boot Loader Specification, Type #1; Red Hat's GRUB: blscfg.c, create_entry")
}

// addScript adds the entry whose commands are the text.
func (g *grub) addScript(e *blsEntry, c *grubCall, title, text string, unrestricted bool, rule string) {
	src := &grubSource{path: e.id + ".conf", text: text}
	entry := &grubEntry{title: title, id: e.id, args: append([]string{title}, e.values("grub_arg")...), node: c.node, src: src,
		block: &script.Block{Body: script.Parse(text)}, unrestricted: unrestricted, evidence: citeItems(e.file, e.items)}
	g.menu.entries = append(g.menu.entries, entry)
	g.emit("grub.add-entry", "", map[string]string{"title": title, "number": strconv.Itoa(len(g.menu.entries) - 1), "id": e.id},
		rule, machine.Cites(entry.evidence, c.src.cite(c.node.Span)))
}

// expandBLS is expand_val: $name is a variable of GRUB, nothing when it is not set.
func (g *grub) expandBLS(value string) string {
	var out strings.Builder
	for i := 0; i < len(value); {
		if value[i] != '$' {
			out.WriteByte(value[i])
			i++
			continue
		}
		end := i + 1
		for end < len(value) && (value[end] == '_' || value[end] >= '0' && value[end] <= '9' || value[end]|0x20 >= 'a' && value[end]|0x20 <= 'z') {
			end++
		}
		out.WriteString(g.Value(value[i+1 : end]))
		i = end
	}
	return out.String()
}

// cmdIncrement is "increment" and "decrement" of Red Hat's GRUB: a number in a variable.
func (g *grub) cmdIncrement(c *grubCall) int {
	if len(c.args) == 0 {
		return g.failf(c, "no variable specified")
	}
	n, rest := strtol(g.Value(c.args[0]))
	if rest == g.Value(c.args[0]) {
		return g.fail(c, &grubError{msg: "unrecognized number", code: errBadArgument})
	}
	if n++; c.name == "decrement" {
		n -= 2
	}
	g.setVar(c.args[0], strconv.FormatInt(n, 10), c)
	return grubOK
}
