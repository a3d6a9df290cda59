package boot

import (
	"fmt"
	"regexp"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/disk/luks"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Distributions add to GRUB. Whether an image's GRUB has an addition is read from the module that would bring it: the
// names of its options and variables are strings there.

// says tells whether a module contains a text.
func (g *grub) says(module, text string) bool {
	key := module + "\x00" + text
	have, known := g.said[key]
	if !known {
		if r, size := g.moduleBytes(module); r != nil {
			_, have = grubcore.Find(r, text, size)
		}
		g.said[key] = have
	}
	return have
}

// grubSubvolume is a mount that "btrfs-mount-subvol" made: paths that begin like this lead into a subvolume.
type grubSubvolume struct{ path, subvolume string }

// relativePaths tells whether paths on Btrfs start in a subvolume and not at the top of the volume: SUSE's
// btrfs_relative_path, which Red Hat's GRUB has too.
func (g *grub) relativePaths() bool {
	v := g.Value("btrfs_relative_path")
	return v != "" && (v[0] == '1' || v[0] == 'y') && g.says("btrfs", "btrfs_relative_path")
}

// subvolume is where a path on a volume starts, and what is left of the path: grub-core/fs/btrfs.c with SUSE's
// additions, find_mtab_subvol_tree and btrfs_handle_subvol.
func (g *grub) subvolume(vol *disk.Volume, file string) (*disk.Volume, string, *grubError) {
	tree, ok := vol.FS.(fsys.Subvolumes)
	if !ok {
		return vol, file, nil
	}
	var mount *grubSubvolume
	for i := range g.subvolumes {
		if m := &g.subvolumes[i]; strings.HasPrefix(file, m.path) && (mount == nil || m.path > mount.path) {
			mount = m
		}
	}
	if mount != nil {
		if file = strings.TrimPrefix(file, mount.path); file == "" {
			file = "/"
		}
	}
	if !g.relativePaths() {
		return vol, file, nil
	}
	options := ""
	switch {
	case mount != nil:
		options = "subvol=" + mount.subvolume
	case g.Value("btrfs_subvol") != "":
		options = "subvol=" + g.Value("btrfs_subvol")
	case g.Value("btrfs_subvolid") != "":
		options = "subvolid=" + g.Value("btrfs_subvolid")
	}
	f, err := tree.Select(options)
	if err != nil {
		if mount == nil && g.Value("btrfs_subvol") != "" {
			return nil, "", &grubError{msg: "couldn't locate " + g.Value("btrfs_subvol") + "\n", code: errFileNotFound}
		}
		return nil, "", &grubError{unknown: trace.Why("unknown.grub-subvolume", "options", options).For(kernel.Because(err))}
	}
	out := *vol
	out.FS = f
	return &out, file, nil
}

// cmdBtrfs is the commands that SUSE's Btrfs module brings.
func (g *grub) cmdBtrfs(c *grubCall) int {
	if c.name != "btrfs-mount-subvol" {
		g.ran(c, "grub.command", nil)
		g.giveUp(trace.Why("unknown.grub-command", "command", c.name))
		return grubFailed
	}
	if len(c.args) < 3 {
		return g.failf(c, "required <dev> <dir> and <subvol>")
	}
	vol, err := g.volume(strings.Trim(c.args[0], "()"))
	if err != nil {
		return g.fail(c, err)
	}
	tree, ok := vol.FS.(fsys.Subvolumes)
	if !ok {
		return g.fail(c, &grubError{msg: "not a Btrfs filesystem", code: errUnknownFS})
	}
	if at, err := g.subvolumeDir(vol, c.args[1]); err != nil {
		return g.fail(c, err)
	} else if !at {
		return g.fail(c, &grubError{msg: "not a directory", code: errBadFileType})
	}
	if _, e := tree.Select("subvol=" + c.args[2]); e != nil {
		return g.fail(c, &grubError{msg: fmt.Sprintf("%s: not a subvolume\n", c.args[2]), code: errBadFileType})
	}
	g.subvolumes = append(g.subvolumes, grubSubvolume{c.args[1], c.args[2]})
	return g.ran(c, "grub.command", nil)
}

func (g *grub) subvolumeDir(vol *disk.Volume, dir string) (bool, *grubError) {
	v, file, err := g.subvolume(vol, dir)
	if err != nil {
		return false, err
	}
	at, e := lookup(v, file)
	if e != nil {
		return false, fileError(v, file, e)
	}
	fi, e := v.FS.Stat(at)
	return e == nil && fi.IsDir(), nil
}

// cmdFirmware is "fwsetup": it asks the firmware to show its menu after a reset. "--is-supported", from GRUB 2.12 on,
// only asks whether it could; older versions take no arguments and reset. OVMF can.
func (g *grub) cmdFirmware(c *grubCall) int {
	if len(c.args) > 0 && c.args[0] == "--is-supported" && g.says("efifwsetup", "is-supported") {
		return g.ran(c, "grub.command", nil)
	}
	g.ran(c, "grub.command", nil)
	g.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Bootloader, Message: c.text(), Step: g.m.Last()})
	return grubOK
}

// displayID is QEMU's standard VGA adapter as hwmatch writes a PCI device.
const displayID, displayClass = "v1234d1111sv1af4sd1100bc03sc00", 3

// cmdHwmatch is Ubuntu's "hwmatch FILE CLASS": whether an expression of the file matches a device of the class.
func (g *grub) cmdHwmatch(c *grubCall) int {
	if len(c.args) < 2 {
		return g.failf(c, "list file and class required")
	}
	f, err := g.open(c.args[0])
	if err != nil {
		return g.fail(c, err)
	}
	text, e := blob.ReadAll(f, maxGrubConfig)
	if e != nil {
		return g.fail(c, &grubError{unknown: unreadable(c.args[0], e)})
	}
	class, _ := strtol(c.args[1])
	match := "0"
	if class != displayClass {
		g.giveUp(trace.Why("unknown.grub-hardware", "class", c.args[1]))
		return grubFailed
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if re, err := regexp.CompilePOSIX("^" + line + "$"); err == nil && re.MatchString(displayID) {
			match = "1"
			break
		}
	}
	g.put("match", match, false)
	g.emit("grub.set-variable", "", map[string]string{"name": "match", "value": match, "command": c.text()},
		"Ubuntu's GRUB: hwmatch.c; assumption: the display adapter is QEMU's standard VGA", machine.Cites(c.src.cite(c.node.Span), g.fileCites(c.args[0])), g.varRow("match"))
	return grubOK
}

// cmdCryptomount is "cryptomount": it asks for the passphrase of an encrypted volume, which nobody but its owner knows.
// grub-core/disk/cryptodisk.c; modules luks and luks2 know the two formats.
func (g *grub) cmdCryptomount(c *grubCall) int {
	known := []option{{"uuid", 'u', 0}, {"all", 'a', 0}, {"boot", 'b', 0}, {"password", 'p', 'r'}, {"key-file", 'k', 'r'}, {"keyfile-offset", 'O', 'r'}, {"keyfile-size", 'S', 'r'}, {"header", 'H', 'r'}}
	set, args, bad := options(c.args, known, false)
	if bad != "" {
		return g.failf(c, "unknown argument `%s'", bad)
	}
	plain := func(uuid string) string { return strings.ToLower(strings.ReplaceAll(uuid, "-", "")) }
	byUUID := len(set["uuid"]) > 0
	if len(args) == 0 && len(set["all"])+len(set["boot"]) == 0 {
		return g.failf(c, "no device name")
	}
	for i := range g.devs {
		d := &g.devs[i]
		if d.vol == nil || d.vol.Type != "crypto_LUKS" || d.module != "" && !g.mods[d.module] {
			continue
		}
		switch {
		case byUUID && plain(args[0]) != plain(d.vol.UUID), !byUUID && len(args) > 0 && strings.Trim(args[0], "()") != d.name:
			continue
		}
		h, err := luks.Read(d.vol.R)
		if err != nil || h.Version == 1 && !g.mods["luks"] || h.Version == 2 && !g.mods["luks2"] {
			continue
		}
		const prompt = "Enter passphrase for %s%s%s (%s): "
		text := fmt.Sprintf("Enter passphrase for %s (%s): ", d.name, d.vol.UUID)
		if !g.says("cryptodisk", prompt) { // up to 2.06 the format's module asks, after it said what for, and knows UUIDs without dashes
			text = fmt.Sprintf("Attempting to decrypt master key...\nEnter passphrase for %s (%s): ", d.name, plain(d.vol.UUID))
		}
		g.emit("grub.passphrase", text, map[string]string{"uuid": d.vol.UUID, "device": d.name, "command": c.text()}, "GRUB manual, cryptomount", machine.Cites(c.src.cite(c.node.Span), h.Cites))
		g.giveUp(trace.Why("unknown.passphrase", "device", d.vol.UUID+" ("+d.name+")"))
		return grubFailed
	}
	if byUUID || len(args) > 0 {
		if byUUID && g.platform == "i386-pc" && g.bootDevice == "hd0" && !g.says("cryptodisk", "Enter passphrase for") {
			// It asks the drives with removable media last, and QEMU's PC has a floppy drive, which is empty.
			g.printError("failure reading sector 0x0 from `fd0'", c.src.cite(c.node.Span))
		}
		msg := "no such cryptodisk found"
		if more := ", perhaps a needed disk or cryptodisk module is not loaded"; g.says("cryptodisk", more) {
			msg += more
		}
		return g.failf(c, "%s", msg)
	}
	return grubOK
}
