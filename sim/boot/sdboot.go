package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/bls"
	"bootpath/sim/disk"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// sdboot is systemd-boot from its first instruction to the start of an entry: systemd 252,
// src/boot/efi/boot.c; systemd-boot(7), loader.conf(5). The variables LoaderEntryDefault,
// LoaderEntryOneShot and LoaderConfigTimeout, which come before loader.conf, lie in the machine's flash
// memory; a machine that starts the image for the first time has none.
type sdboot struct {
	*start
	vol     *disk.Volume
	dev, at string // the volume as GRUB names it, the program's own path
	version string // "252.39-1~deb12u2"
	conf    bls.Config
	file    fsys.File // loader.conf, nil without one
	entries []*sdEntry
	chosen  int
	read    int64 // bytes of text so far
}

// sdEntry is a line of the menu.
type sdEntry struct {
	bls.Entry
	title    string // as the menu shows it
	vol      *disk.Volume
	dev      string
	path     string // the .conf or .efi file; "" for entries of systemd-boot's own
	auto     bool   // found by systemd-boot itself
	firmware bool   // reboots into the firmware's menu
	cites    []blob.Cite
}

const (
	xbootldrType = "BC13C2FF-59E6-4262-A352-B275FD6F7172" // Discoverable Partitions Specification
	sdMachine    = "x64"                                  // EFI_MACHINE_TYPE_NAME
	maxEntries   = 1000                                   // entries read, of files that one volume can hold by the thousand
	maxEntryText = 1 << 20                                // bytes of all entries and loader.conf that are read
	maxSection   = 64 << 10                               // bytes of a section with text; a command line ends at 2 KiB
	maxItemCites = 100                                    // lines of a file that are evidence
	maxCountdown = 60                                     // seconds of a countdown that are written out
)

// systemdBoot starts systemd-boot from a volume.
func (s *start) systemdBoot(img *pe.File, vol *disk.Volume, dev, at string) {
	b := &sdboot{start: s, vol: vol, dev: dev, at: at}
	sec := img.Section(".sdmagic")
	text, err := img.Data(sec, 256)
	if _, v, ok := strings.Cut(string(text), "systemd-boot "); err == nil && ok {
		b.version, _, _ = strings.Cut(v, " ")
	}
	b.emit("sdboot.start", "", map[string]string{"version": b.version, "path": slash(at)}, "systemd-boot(7)", cite(img.R, sec.Off, min(sec.Size, 64), ".sdmagic", b.version))
	b.readConfig()
	b.addUnified(vol, dev)
	b.addEntries(vol, dev, `\`+strings.ReplaceAll(at, "/", `\`))
	if !s.m.Ended() {
		b.addXBOOTLDR()
	}
	if s.m.Ended() {
		return
	}
	slices.SortStableFunc(b.entries, func(a, c *sdEntry) int { return bls.Compare(&a.Entry, &c.Entry) })
	if len(b.entries) > 1 {
		b.emit("sdboot.sort-entries", "", map[string]string{"entries": strconv.Itoa(len(b.entries)), "first": b.entries[0].ID}, "Boot Loader Specification, Sorting", b.entries[0].cites)
	}
	b.addOwn()
	if len(b.entries) == 0 {
		n := b.emit("sdboot.no-loader", `No loader found. Configuration files in \loader\entries\*.conf are needed.`+"\n", nil, "systemd-boot 252: real_main", dirCites(vol, "/loader/entries/x"))
		s.m.Wait(costSdError)
		// It returns success, and firmware takes that as a program that is done.
		s.bds("sdboot.firmware-menu", "BdsDxe: loading Boot0000 "+uefiMenu+"\nBdsDxe: starting Boot0000 "+uefiMenu+"\n", nil, "EDK II: BootBootOptions", nil, cpuRow("long", "OVMF"))
		s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Bootloader, Message: strings.TrimSpace(s.m.Step(n).Console), Step: n})
		return
	}
	b.makeTitles()
	b.choose()
	b.menu()
	if !s.m.Ended() {
		b.boot(b.entries[b.chosen])
	}
}

func (b *sdboot) emit(kind trace.Kind, console string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return b.m.Emit(trace.Step{Actor: "systemd-boot", Stage: trace.Bootloader, Kind: kind, Console: console, Args: args, Rule: rule, Cites: cites}, rows...)
}

// newer tells whether this is that version of systemd or a later one.
func (b *sdboot) newer(than int64) bool {
	major, _ := strtol(b.version)
	return int64(major) >= than
}

// status is how this version spells a status: up to 252 gnu-efi prints it, later systemd's own table.
func (b *sdboot) status(name string) string {
	if b.newer(253) {
		return name[:1] + strings.ToLower(name[1:])
	}
	return name
}

// open opens a path as firmware does: from the root, whatever the case.
func openEFI(vol *disk.Volume, name string) (fsys.File, string, error) {
	at, err := lookup(vol, "/"+strings.ReplaceAll(name, `\`, "/"))
	if err != nil {
		return nil, "", err
	}
	f, err := fsys.OpenFile(vol.FS, at)
	return f, at, err
}

// readText reads a small file whole. It returns false, with an outcome, when the files together are more
// than anybody writes.
func (b *sdboot) readText(f fsys.File, at string) ([]byte, bool) {
	b.read += f.Size()
	if b.read > maxEntryText {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.entries-too-long", "path", slash(at)))
		return nil, false
	}
	data := make([]byte, f.Size())
	n, _ := f.ReadAt(data, 0)
	return data[:n], true
}

// citeItems is the evidence for the first lines of a file.
func citeItems(f fsys.File, items []bls.Item) []blob.Cite {
	var out []blob.Cite
	for i := range items[:min(len(items), maxItemCites)] {
		out = append(out, citeItem(f, &items[i])...)
	}
	return out
}

// citeItem is the evidence for an assignment.
func citeItem(f fsys.File, it *bls.Item) []blob.Cite {
	if f == nil || it == nil {
		return nil
	}
	return cite(f, it.Off, it.Len, it.Key, it.Value)
}

// readConfig is config_load_defaults.
func (b *sdboot) readConfig() {
	f, at, err := openEFI(b.vol, `\loader\loader.conf`)
	if err != nil {
		b.conf = bls.ParseConfig(nil)
		b.emit("sdboot.no-config", "", map[string]string{"path": "/loader/loader.conf"}, "loader.conf(5); systemd-boot 252: config_load_defaults", dirCites(b.vol, "/loader/loader.conf"))
		return
	}
	text, ok := b.readText(f, at)
	if !ok {
		return
	}
	b.file, b.conf = f, bls.ParseConfig(text)
	args := map[string]string{"path": slash(at), "timeout": "0", "default": "–"}
	if it := b.conf.TimeoutItem; it != nil {
		args["timeout"] = it.Value
	}
	if it := b.conf.DefaultItem; it != nil {
		args["default"] = it.Value
	}
	b.emit("sdboot.read-config", "", args, "loader.conf(5)", machine.Cites(citeItems(f, b.conf.Items), volCites(b.vol, at)))
	for i := range b.conf.Bad {
		it := &b.conf.Bad[i]
		text := "Error parsing '" + it.Key + "' config option: " + it.Value + "\n"
		if it.Key == "default" {
			text = "Unsupported special entry identifier: " + it.Value + "\n"
		}
		b.emit("sdboot.bad-setting", text, map[string]string{"key": it.Key, "value": it.Value}, "systemd-boot 252: config_defaults_load_from_file", citeItem(f, it))
		b.m.Wait(costSdError)
	}
}

// names lists the files of a directory that may be entries, in lower case "auto-…" and hidden ones left out.
func (b *sdboot) names(vol *disk.Volume, dir, suffix string) (string, []string) {
	at, err := lookup(vol, dir)
	if err != nil {
		return "", nil
	}
	list, err := vol.FS.ReadDir(at)
	if err != nil {
		return at, nil
	}
	var out []string
	for _, d := range list {
		name := d.Name()
		if !d.IsDir() && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "auto-") && strings.HasSuffix(bls.Lower(name), suffix) && len(out) < maxEntries {
			out = append(out, name)
		}
	}
	return at, out
}

// addEntries is config_load_entries: type #1 entries. One whose program is missing is left out without a
// word.
func (b *sdboot) addEntries(vol *disk.Volume, dev, self string) {
	dir, names := b.names(vol, "/loader/entries", ".conf")
	for _, name := range names {
		at := path.Join(dir, name)
		f, err := fsys.OpenFile(vol.FS, at)
		if err != nil {
			continue
		}
		text, ok := b.readText(f, at)
		if !ok {
			return
		}
		e := &sdEntry{Entry: bls.ParseEntry(text, name, sdMachine, self), vol: vol, dev: dev, path: at}
		e.cites = machine.Cites(citeItems(f, e.Items), volCites(vol, at))
		args := map[string]string{"path": slash(at), "title": e.Title, "loader": e.Loader}
		const rule = "systemd-boot 252: config_entry_add_type1"
		switch {
		case e.Kind == bls.None && e.Why == "architecture":
			args["architecture"] = e.LoaderItem.Value
			b.emit("sdboot.entry-other-machine", "", args, rule+"; Boot Loader Specification, architecture", citeItem(f, e.LoaderItem))
			continue
		case e.Kind == bls.None && e.Why == "efi":
			b.emit("sdboot.entry-self", "", args, rule, citeItem(f, e.LoaderItem))
			continue
		case e.Kind == bls.None:
			b.emit("sdboot.entry-without-loader", "", args, rule, e.cites)
			continue
		}
		if _, err := lookup(vol, "/"+strings.ReplaceAll(e.Loader, `\`, "/")); err != nil {
			b.emit("sdboot.entry-dropped", "", args, rule+`: "check existence"`, machine.Cites(citeItem(f, e.LoaderItem), dirCites(vol, "/"+strings.ReplaceAll(e.Loader, `\`, "/"))))
			continue
		}
		b.emit("sdboot.read-entry", "", args, "Boot Loader Specification, Type #1", e.cites)
		b.entries = append(b.entries, e)
	}
}

// addUnified is config_entry_add_unified: type #2 entries, recognised by the os-release file inside.
func (b *sdboot) addUnified(vol *disk.Volume, dev string) {
	dir, names := b.names(vol, "/EFI/Linux", ".efi")
	for _, name := range names {
		at := path.Join(dir, name)
		f, err := fsys.OpenFile(vol.FS, at)
		if err != nil {
			continue
		}
		img, err := pe.Read(f, f.Size())
		var osrel, options []byte
		var cites []blob.Cite
		if err == nil {
			osrel, cites = section(img, ".osrel")
			options, _ = section(img, ".cmdline")
		}
		e, ok := bls.ParseUnified(osrel, options, name)
		if !ok {
			b.emit("sdboot.unified-without-osrel", "", map[string]string{"path": slash(at)}, "systemd-boot 252: config_entry_add_unified", volCites(vol, at))
			continue
		}
		e.Items = nil // of a thousand files they would be many
		b.emit("sdboot.read-unified", "", map[string]string{"path": slash(at), "title": e.Title, "version": e.Version}, "Boot Loader Specification, Type #2", machine.Cites(cites, volCites(vol, at)))
		b.entries = append(b.entries, &sdEntry{Entry: e, vol: vol, dev: dev, path: at, cites: cites})
	}
}

// section reads a text section; nil without one.
func section(img *pe.File, name string) ([]byte, []blob.Cite) {
	s := img.Section(name)
	if s == nil || s.Size == 0 {
		return nil, nil
	}
	data, err := img.Data(s, maxSection)
	if err != nil {
		return nil, nil
	}
	return data, cite(img.R, s.Off, int64(len(data)), name, "")
}

// addXBOOTLDR is config_load_xbootldr: the first partition of that type on the same disk is looked
// through as well, when the firmware can read it.
func (b *sdboot) addXBOOTLDR() {
	t := b.c.Disk.Table
	if t == nil || t.Type != "gpt" || b.c.Device == "cdrom" {
		return
	}
	for _, p := range t.Partitions {
		if !strings.EqualFold(p.Type, xbootldrType) {
			continue
		}
		args := map[string]string{"partition": strconv.Itoa(p.Number)}
		v := b.c.Disk.Volume(p.Number)
		if v == nil || v.Type != "vfat" {
			b.emit("sdboot.xbootldr-unreadable", "", args, "UEFI 2.10 §13.3", p.Cites)
			if _, drivers := b.names(b.vol, "/EFI/systemd/drivers", sdMachine+".efi"); len(drivers) > 0 {
				b.cannotKnow(trace.Bootloader, trace.Why("unknown.efi-drivers", "path", "/EFI/systemd/drivers"))
			}
			return
		}
		if v.FS == nil {
			b.cannotKnow(trace.Bootloader, trace.Why("unknown.volume", "device", fmt.Sprintf("%s (LBA %d)", b.c.Disk.Name, p.Start)).For(kernel.Because(v.Err)))
			return
		}
		b.emit("sdboot.open-xbootldr", "", args, "Boot Loader Specification, XBOOTLDR", machine.Cites(p.Cites, volumeCites(v)))
		dev := "hd0,gpt" + strconv.Itoa(p.Number)
		b.addUnified(v, dev)
		b.addEntries(v, dev, "")
		return
	}
}

// addOwn adds what systemd-boot finds by itself, behind the configured entries: config_load_all_entries.
func (b *sdboot) addOwn() {
	if b.conf.AutoEntries {
		for _, v := range b.efiVolumes() {
			if v.vol.FS != nil && b.addLoader(v.vol, v.grub, "auto-osx", "macOS", `\System\Library\CoreServices\boot.efi`) {
				break
			}
		}
		// Windows' boot configuration may give its entry another title; bootpath does not read that file.
		b.addLoader(b.vol, b.dev, "auto-windows", "Windows Boot Manager", `\EFI\Microsoft\Boot\bootmgfw.efi`)
		b.addLoader(b.vol, b.dev, "auto-efi-shell", "EFI Shell", `\shell`+sdMachine+".efi")
		if !strings.EqualFold(slash(b.at), "/EFI/BOOT/BOOT"+sdMachine+".efi") && !b.isSelf(`\EFI\BOOT\BOOT`+sdMachine+".efi") && !b.isSelf(`\EFI\BOOT\GRUB`+sdMachine+".EFI") {
			b.addLoader(b.vol, b.dev, "auto-efi-default", "EFI Default Loader", `\EFI\BOOT\BOOT`+sdMachine+".efi")
		}
	}
	if b.conf.AutoFirmware { // OVMF offers EFI_OS_INDICATIONS_BOOT_TO_FW_UI
		e := &sdEntry{Entry: bls.Entry{ID: "auto-reboot-to-firmware-setup", Title: "Reboot Into Firmware Interface"}, auto: true, firmware: true}
		b.emit("sdboot.add-firmware", "", map[string]string{"title": e.Title}, "loader.conf(5), auto-firmware", nil)
		b.entries = append(b.entries, e)
	}
}

// addLoader is config_entry_add_loader_auto.
func (b *sdboot) addLoader(vol *disk.Volume, dev, id, title, loader string) bool {
	_, at, err := openEFI(vol, loader)
	if err != nil {
		return false
	}
	e := &sdEntry{Entry: bls.Entry{ID: id, Title: title, Loader: loader}, vol: vol, dev: dev, auto: true, cites: volCites(vol, at)}
	b.emit("sdboot.add-loader", "", map[string]string{"title": title, "path": slash(at)}, "loader.conf(5), auto-entries", e.cites)
	b.entries = append(b.entries, e)
	return true
}

// isSelf tells whether a program is systemd-boot.
func (b *sdboot) isSelf(name string) bool {
	f, _, err := openEFI(b.vol, name)
	if err != nil {
		return false
	}
	img, err := pe.Read(f, f.Size())
	if err != nil {
		return false
	}
	program, _ := img.Program()
	return program == pe.SystemdBoot
}

func (b *sdboot) makeTitles() {
	list := make([]*bls.Entry, len(b.entries))
	for i, e := range b.entries {
		list[i] = &e.Entry
	}
	for i, title := range bls.Titles(list) {
		b.entries[i].title = title
	}
}

// choose is config_default_entry_select without the variables.
func (b *sdboot) choose() {
	const rule = "systemd-boot 252: config_default_entry_select"
	if b.conf.DefaultItem != nil && !b.conf.Saved {
		for i, e := range b.entries {
			if bls.Match(b.conf.Default, e.ID) {
				b.chosen = i
				b.emit("sdboot.choose-default", "", map[string]string{"title": e.title, "id": e.ID, "pattern": b.conf.DefaultItem.Value}, rule+"; loader.conf(5), default", machine.Cites(citeItem(b.file, b.conf.DefaultItem), e.cites))
				return
			}
		}
	}
	for i, e := range b.entries {
		if !e.auto {
			b.chosen = i
			b.emit("sdboot.choose-first", "", map[string]string{"title": e.title, "id": e.ID}, rule, machine.Cites(citeItem(b.file, b.conf.DefaultItem), e.cites))
			return
		}
	}
	if b.conf.Timeout == 0 {
		b.conf.Timeout = 10 // "If no configured entry to select from was found, enable the menu."
	}
	b.emit("sdboot.nothing-configured", "", map[string]string{"title": b.entries[0].title, "timeout": strconv.Itoa(int(b.conf.Timeout))}, rule, dirCites(b.vol, "/loader/entries/x"))
}

// menu is menu_run with nobody at the keyboard. Without a time it is not shown at all.
func (b *sdboot) menu() {
	if b.conf.Timeout == bls.TimeoutHidden {
		b.m.Wait(100 * time.Millisecond) // a key may be held down
		return
	}
	width := 0
	for _, e := range b.entries {
		width = max(width, len([]rune(e.title)))
	}
	var text strings.Builder
	for i, e := range b.entries {
		free := width + 6 - len([]rune(e.title))
		line := strings.Repeat(" ", free/2) + e.title + strings.Repeat(" ", free-free/2)
		if i == b.chosen {
			line = "\x1b[30;47m" + line + "\x1b[0m"
		}
		text.WriteString(line + "\n")
	}
	e := b.entries[b.chosen]
	args := map[string]string{"entries": strconv.Itoa(len(b.entries)), "default": e.title, "timeout": strconv.Itoa(int(b.conf.Timeout))}
	if b.conf.Timeout == bls.TimeoutForce {
		args["timeout"] = "∞"
		b.emit("sdboot.show-menu", text.String(), args, "loader.conf(5), timeout menu-force", citeItem(b.file, b.conf.TimeoutItem))
		b.emit("sdboot.press-enter", "", map[string]string{"title": e.title}, "systemd-boot 252: menu_run waits for a key; bootpath presses Enter", e.cites)
		return
	}
	b.emit("sdboot.show-menu", text.String(), args, "systemd-boot 252: menu_run", citeItem(b.file, b.conf.TimeoutItem))
	n := int(b.conf.Timeout)
	var count strings.Builder
	for i := n; i > 0; i-- {
		if n > maxCountdown && i == n-maxCountdown/2 { // the same line over and over
			i = maxCountdown / 2
		}
		fmt.Fprintf(&count, "Boot in %d s.\n", i)
	}
	b.emit("sdboot.count-down", count.String(), map[string]string{"timeout": strconv.Itoa(n), "title": e.title}, "systemd-boot 252: menu_run", e.cites)
	b.m.Wait(time.Duration(n) * time.Second)
}

// boot starts an entry: the second half of real_main, and image_start.
func (b *sdboot) boot(e *sdEntry) {
	b.emit("sdboot.boot-entry", "", map[string]string{"title": e.title, "id": e.ID}, "systemd-boot 252: real_main", e.cites)
	if e.firmware {
		b.emit("sdboot.reboot-firmware", "", map[string]string{"title": e.title}, "systemd-boot 252: reboot_into_firmware", nil)
		b.stop(trace.Bootloader, e.title)
		return
	}
	if t := e.Tries; t.Counting {
		b.emit("sdboot.count-boot", "", map[string]string{"path": slash(e.path), "next": t.Next, "left": strconv.FormatInt(max(t.Left-1, 0), 10)}, "systemd-boot(7), Boot counting", volCites(e.vol, e.path))
		if e.Kind == bls.Unified && e.Loader != "" { // the file itself is the program; its content stays
			e.Loader = `\` + strings.ReplaceAll(e.path, "/", `\`)
		}
	}
	options := e.Options
	initrds, ok := b.readInitrds(e)
	if !ok {
		return
	}
	if e.Kind == bls.Linux && len(e.Initrd) > 0 {
		options = "initrd=" + strings.Join(e.Initrd, " initrd=")
		if e.Options != "" {
			options += " " + e.Options
		}
	}
	f, at, err := openEFI(e.vol, e.Loader)
	if err != nil {
		b.failed("sdboot.load-failed", "Error loading "+e.Loader+": ", fileStatus(err), e.Loader, e.cites)
		return
	}
	b.m.Wait(cost(f.Size(), rateUEFI))
	img, status, cites := loadPE(f)
	if status != "" {
		b.failed("sdboot.load-failed", "Error loading "+e.Loader+": ", status, e.Loader, cites)
		return
	}
	if !b.startable("systemd-boot", slash(at), img) {
		if !b.m.Ended() {
			b.failed("sdboot.load-failed", "Error loading "+e.Loader+": ", "Access Denied", e.Loader, cites)
		}
		return
	}
	if e.Devicetree != "" {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.devicetree", "path", e.Devicetree))
		return
	}
	n := b.emit("sdboot.load-image", "", map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "systemd-boot 252: image_start; UEFI 2.10 §7.4.1 LoadImage", machine.Cites(cites, volCites(e.vol, at)))
	b.emit("sdboot.start-image", "", map[string]string{"path": slash(at), "cmdline": options}, "systemd-boot 252: image_start; UEFI 2.10 §7.4.2 StartImage", machine.Cites(e.cites, img.OptionalRec.Cite(&img.Optional.AddressOfEntryPoint)), cpuRow("long", slash(at)))
	b.given = efiGiven{by: "systemd-boot", options: options, initrds: initrds, cause: n}
	b.runEFI(img, e.vol, e.dev, at)
	if b.exit != nil && !b.m.Ended() {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.menu-choice", "program", "systemd-boot", "entry", slash(at)))
	}
}

// readInitrds is initrd_prepare: all files become one piece of memory, one behind the other. Versions
// before 251 leave it to the kernel to load what initrd= names.
func (b *sdboot) readInitrds(e *sdEntry) ([]initrd, bool) {
	if e.Kind != bls.Linux || !b.newer(251) {
		return nil, true
	}
	var out []initrd
	for _, name := range e.Initrd {
		f, at, err := openEFI(e.vol, name)
		if err != nil {
			b.failed("sdboot.initrd-failed", "Error preparing initrd: ", fileStatus(err), name, machine.Cites(e.cites, dirCites(e.vol, "/"+strings.ReplaceAll(name, `\`, "/"))))
			return nil, false
		}
		b.m.Wait(cost(f.Size(), rateUEFI))
		b.emit("sdboot.load-initrd", "", map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "systemd-boot 252: initrd_prepare, LINUX_EFI_INITRD_MEDIA_GUID", volCites(e.vol, at))
		if f.Size() > 0 {
			out = append(out, initrd{path: slash(at), file: f, size: f.Size()})
		}
	}
	return out, true
}

// fileStatus is what firmware answers when a file cannot be opened; "" when the image does not tell.
func fileStatus(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "Not Found"
	}
	return ""
}

// failed prints an error and gives control back to the firmware.
func (b *sdboot) failed(kind trace.Kind, text, status, name string, cites []blob.Cite) {
	if status == "" {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.firmware-unreadable", "path", name))
		return
	}
	n := b.emit(kind, text+b.status(status)+"\n", map[string]string{"path": name, "status": status}, "systemd-boot 252: image_start", cites)
	b.m.Wait(costSdError)
	b.exit = &efiExit{status: status, step: n}
}
