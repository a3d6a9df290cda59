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

// cmdBlscfg is "blscfg": it makes a menu entry of each file of the boot loader specification's directory, the newest
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
			g.giveUp("which entries GRUB reads from " + arg)
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
		g.bls = g.readBLS(vol)
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

// readBLS is find_entry: the files of $blsdir, of /loader/entries, or of /boot/loader/entries when that is no
// directory, sorted like package names, newest first. Of two that compare equal one is left out.
func (g *grub) readBLS(vol *disk.Volume) []*blsEntry {
	dirs := []string{"/loader/entries", "/boot/loader/entries"}
	if d := g.Value("blsdir"); d != "" {
		dirs[0] = d
	}
	var list []fs.DirEntry
	dir := ""
	for _, d := range dirs {
		at, err := lookup(vol, d)
		if err != nil {
			continue
		}
		if list, err = vol.FS.ReadDir(at); err == nil {
			dir = at
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
		out = insertBLS(out, &blsEntry{id: id, items: bls.Parse(data, bls.Blank), file: f})
	}
	return out
}

// insertBLS is bls_add_entry.
func insertBLS(list []*blsEntry, e *blsEntry) []*blsEntry {
	for i, have := range list {
		switch bls.ComparePackages(e.id, have.id) {
		case 0:
			return list
		case 1:
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
	src := &grubSource{path: e.id + ".conf", text: text}
	entry := &grubEntry{title: title, id: e.id, args: append([]string{title}, e.values("grub_arg")...), node: c.node, src: src,
		block: &script.Block{Body: script.Parse(text)}, unrestricted: g.expandBLS(users) == "", evidence: citeItems(e.file, e.items)}
	g.menu.entries = append(g.menu.entries, entry)
	g.emit("grub.add-entry", "", map[string]string{"title": title, "number": strconv.Itoa(len(g.menu.entries) - 1), "id": e.id},
		"Boot Loader Specification, Type #1; Red Hat's GRUB: blscfg.c, create_entry", machine.Cites(entry.evidence, c.src.cite(c.node.Span)))
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
