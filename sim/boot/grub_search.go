package boot

import (
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// contextRows are the rows that bring the variables table to the present context.
func (g *grub) contextRows() []machine.Set {
	var names []string
	for name := range g.m.Rows(trace.Variables) {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []machine.Set
	for _, name := range names {
		out = append(out, g.varRow(name))
	}
	return out
}

// cmdSearch is "search" and its three plain forms: grub-core/commands/search.c and search_wrap.c. The
// first device that fits becomes the value of a variable; "no such device" is an error like any other.
func (g *grub) cmdSearch(c *grubCall) int {
	key, name, by, hints, ok := g.searchArgs(c)
	if !ok {
		return grubFailed
	}
	var order []*grubDevice
	for _, h := range hints {
		base := strings.TrimSuffix(h, ",")
		if d, err := g.device(base); err == nil {
			order = append(order, d)
			if base != h { // "hd0," asks for the drive's partitions too
				order = append(order, g.partitions()...)
			}
		}
	}
	// The driver of arrays and logical volumes was loaded last and is asked first; it names what it has seen so far.
	if g.scanned {
		for i := range g.devs {
			if d := &g.devs[i]; strings.Contains(d.name, "/") {
				order = append(order, d)
			}
		}
	}
	for i := range g.devs {
		order = append(order, &g.devs[i])
	}
	for _, d := range order {
		if d.module != "" && !g.mods[d.module] {
			continue
		}
		cites, found, err := g.matches(d, by, key)
		if err != nil && err.unknown != nil {
			g.giveUp(err.unknown)
			return grubFailed
		}
		if !found {
			continue
		}
		listed := d.name
		if listed == "hd96" {
			listed = "cd" // the BIOS driver lists the drive that a CD was booted from by this name
		}
		if name == "" {
			g.emit("grub.echo", " "+listed+"\n", map[string]string{"text": listed}, "GRUB manual, search", c.src.cite(c.node.Span))
			return grubOK
		}
		g.put(name, listed, false)
		g.emit("grub.search", "", map[string]string{"by": by, "key": key, "name": name, "device": listed}, "GRUB manual, search",
			machine.Cites(c.src.cite(c.node.Span), cites), g.varRow(name))
		return grubOK
	}
	return g.fail(c, &grubError{msg: "no such device: " + key, code: errFileNotFound})
}

func (g *grub) partitions() []*grubDevice {
	var out []*grubDevice
	for i := range g.devs {
		if strings.Contains(g.devs[i].name, ",") {
			out = append(out, &g.devs[i])
		}
	}
	return out
}

// searchArgs reads the arguments. by is "uuid", "label" or "file"; name is "" when the result is printed.
func (g *grub) searchArgs(c *grubCall) (key, name, by string, hints []string, ok bool) {
	if kind, plain := strings.CutPrefix(c.name, "search."); plain {
		if len(c.args) == 0 {
			g.failf(c, "one argument expected")
			return
		}
		if len(c.args) > 1 {
			name, hints = c.args[1], c.args[2:]
		}
		return c.args[0], name, strings.TrimPrefix(kind, "fs_"), hints, true
	}
	known := []option{{"file", 'f', 0}, {"label", 'l', 0}, {"fs-uuid", 'u', 0}, {"set", 's', 'o'}, {"no-floppy", 'n', 0}, {"efidisk-only", 0, 0},
		{"cryptodisk-only", 0, 0}, {"hint", 'h', 'r'}, {"hint-ieee1275", 0, 'r'}, {"hint-bios", 0, 'r'}, {"hint-baremetal", 0, 'r'}, {"hint-efi", 0, 'r'}, {"hint-arc", 0, 'r'}}
	if slices.Contains(c.args, "--root-dev-only") && g.says("search", "root-dev-only") { // Red Hat's: only devices of the disk that $root is on; to others it is no option
		known = append(known, option{"root-dev-only", 'r', 0})
	}
	set, args, _ := options(c.args, known, true)
	hints = append(hints, set["hint"]...)
	if isEFI(g.platform) {
		hints = append(hints, set["hint-efi"]...)
	} else {
		hints = append(hints, set["hint-bios"]...)
	}
	args = slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "--hint-") }) // "hints for future platforms"
	if s := set["set"]; len(s) > 0 {
		if name = s[len(s)-1]; len(args) == 0 {
			args, name = []string{name}, ""
		}
		if name == "" {
			name = "root"
		}
	}
	if len(args) == 0 || args[0] == "" && name == "" {
		g.failf(c, "one argument expected")
		return
	}
	hints = append(hints, args[1:]...)
	switch {
	case len(set["label"]) > 0:
		by = "label"
	case len(set["fs-uuid"]) > 0:
		by = "uuid"
	case len(set["file"]) > 0:
		by = "file"
	default:
		g.failf(c, "unspecified search type")
		return
	}
	return args[0], name, by, hints, true
}

// matches asks one device. A file system that GRUB reads and bootpath does not leaves the answer open.
func (g *grub) matches(d *grubDevice, by, key string) ([]blob.Cite, bool, *grubError) {
	if by == "file" {
		name := "(" + d.name + ")" + key
		if _, err := g.openRaw(name); err != nil {
			return nil, false, err
		}
		return g.fileCites(name), true, nil
	}
	vol, err := g.volume(d.name)
	if err != nil {
		return nil, false, err
	}
	info := vol.FS.Info()
	if by == "label" {
		return info.Cites, info.Label == key, nil
	}
	return info.Cites, strings.EqualFold(info.UUID, key), nil
}
