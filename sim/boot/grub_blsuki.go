package boot

import (
	"strconv"
	"strings"

	"bootpath/sim/conf/bls"
	"bootpath/sim/trace"
)

// cmdBlsuki is "blscfg" of GRUB 2.14: grub-core/commands/blsuki.c. It reads the entries again each time, takes them from
// $root, and tries a second directory only when asked to.
func (g *grub) cmdBlsuki(c *grubCall) int {
	known := []option{{"path", 'p', 'r'}, {"enable-fallback", 'f', 0}, {"show-default", 'd', 0}, {"show-non-default", 'n', 0}, {"entry", 'e', 'r'}}
	set, _, bad := options(c.args, known, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	const standard = "/loader/entries/"
	dir, name := standard, g.Value("root")
	if p := set["path"]; len(p) > 0 {
		switch at := strings.IndexByte(p[0], ')'); {
		case strings.HasSuffix(p[0], ".conf"):
			g.giveUp(trace.Why("unknown.grub-entries", "path", p[0]))
			return grubFailed
		case strings.HasPrefix(p[0], "(") && at < 0:
			return g.failf(c, "invalid file name `%s'", p[0])
		case strings.HasPrefix(p[0], "("):
			name, dir = p[0][1:at], p[0][at+1:]
		case strings.HasPrefix(p[0], "/"):
			dir = p[0]
		}
	}
	if name == "" {
		return g.fail(c, &grubError{msg: "variable 'root' isn't set", code: errFileNotFound})
	}
	vol, err := g.volume(name)
	if err != nil {
		return g.fail(c, err)
	}
	list := g.readBLS(vol, []string{dir}, bls.CompareFiles)
	if len(list) == 0 && len(set["enable-fallback"]) > 0 {
		if vol, err = g.volume(g.Value("root")); err == nil {
			list = g.readBLS(vol, []string{standard}, bls.CompareFiles)
		}
	}
	g.ran(c, "grub.read-entries", map[string]string{"count": strconv.Itoa(len(list))})
	g.showBlsuki(c, list, set)
	return grubOK
}

// showBlsuki is blsuki_create_entries: all entries, or those that the options choose.
func (g *grub) showBlsuki(c *grubCall, list []*blsEntry, set map[string][]string) {
	only := ""
	if e := set["entry"]; len(e) > 0 {
		only = e[0]
	}
	showDefault, showOthers := len(set["show-default"]) > 0, len(set["show-non-default"]) > 0
	all := !showDefault && !showOthers && len(set["entry"]) == 0
	def := g.Value("default")
	for i, e := range list {
		title, _ := e.value("title")
		n, rest := strtol(def)
		isDefault := def != "" && (def == e.id+".conf" || def == title || rest == "" && n == int64(i))
		if all || isDefault && showDefault || !isDefault && showOthers || only != "" && only == e.id+".conf" {
			g.addBlsuki(e, c)
		}
	}
}

// addBlsuki is bls_create_entry: no video mode is set, and paths are those of $root.
func (g *grub) addBlsuki(e *blsEntry, c *grubCall) {
	kernel, ok := e.value("linux")
	if !ok || g.menu == nil {
		return
	}
	title, ok := e.value("title")
	if !ok {
		title = kernel
	}
	text := ""
	if v := g.Value("blsuki_save_default"); v != "" && v[0] != '0' && v[0] != 'n' && v[0] != 'f' {
		text = "savedefault\n"
	}
	text += "linux " + kernel
	options, _ := e.value("options")
	if options = g.expandBlsuki(options); options != "" {
		text += " " + options
	}
	text += "\n"
	if initrds := e.values("initrd"); len(initrds) > 0 {
		text += "initrd " + strings.Join(initrds, " ") + "\n"
	}
	if tree, ok := e.value("devicetree"); ok {
		text += "devicetree " + g.expandBlsuki(tree) + "\n"
	}
	users, _ := e.value("grub_users")
	g.addScript(e, c, title, text, g.expandBlsuki(users) == "", "Boot Loader Specification, Type #1; GRUB 2.14: blsuki.c, bls_create_entry")
}

// expandBlsuki is blsuki_expand_val: a variable that is set is followed by a space of its own and takes the place of
// its name and of one space behind it; one that is not set leaves nothing.
func (g *grub) expandBlsuki(value string) string {
	var out strings.Builder
	for value != "" {
		text, rest, found := strings.Cut(value, "$")
		out.WriteString(text)
		if !found {
			break
		}
		n := 0
		for n < len(rest) && (rest[n] == '_' || rest[n] >= '0' && rest[n] <= '9' || rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z') {
			n++
		}
		if g.isSet(rest[:n]) {
			out.WriteString(g.Value(rest[:n]) + " ")
		}
		value = strings.TrimPrefix(rest[n:], " ")
	}
	return out.String()
}
