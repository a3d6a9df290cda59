package boot

import (
	"io/fs"
	"strings"
	"unicode/utf16"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/authenticode"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// shim is the small program that Microsoft signs for a distribution: it starts the distribution's own boot
// program when that is signed with the distribution's key. shim 15 and 16, shim.c: efi_main, init_grub.
func (s *start) shim(img *pe.File, vol *disk.Volume, dev, at string) {
	b := s.secure()
	args := map[string]string{"path": slash(at), "vendor": "–"}
	vendor, revoked, err := authenticode.Vendor(img)
	if err == nil && len(vendor.Certificates) > 0 {
		args["vendor"] = certificateNames(&vendor)
	}
	kind := trace.Kind("uefi.shim-start")
	if b == nil {
		kind = "uefi.shim-insecure" // secure_mode is false: nothing is checked
	} else {
		b.shim, b.vendor, b.revoked = true, vendor, revoked
		if _, checks := authenticode.SBAT(img); checks {
			b.level = authenticode.SBATLevel(img)
		}
	}
	s.emitShim(kind, "", args, "shim: efi_main", vendor.Cites)
	if err != nil && b != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.shim-keys").For(kernel.Because(err)))
		return
	}
	p := &shimRun{start: s, img: img, vol: vol, dev: dev, dir: at[:max(strings.LastIndexByte(at, '/'), 0)]}
	p.initGRUB()
}

func (s *start) emitShim(kind trace.Kind, console string, args map[string]string, rule string, cites []blob.Cite) int {
	return s.m.Emit(trace.Step{Actor: "shim", Stage: trace.Bootloader, Kind: kind, Console: console, Args: args, Rule: rule, Cites: cites})
}

// shimRun is shim in one directory.
type shimRun struct {
	*start
	img      *pe.File
	vol      *disk.Volume
	dev, dir string
	failed   int // the step of the first failure
}

// initGRUB is init_grub: the fallback program on a removable path, else the second stage, which a file that is
// not there makes shim try twice.
func (p *shimRun) initGRUB() {
	second := "grub" + p.efiMachine() + ".efi"
	fallback := "fb" + p.efiMachine() + ".efi"
	useFallback := false
	if strings.EqualFold(p.dir, "EFI/BOOT") { // should_use_fallback
		_, err := lookup(p.vol, p.dir+"/"+fallback)
		useFallback = err == nil
	}
	name := second
	if useFallback {
		name = fallback
	}
	status := p.startImage(name)
	if p.m.Ended() || status == "" {
		return
	}
	if !useFallback && status == "Not Found" {
		p.emitShim("uefi.shim-again", "start_image() returned Not Found, falling back to default loader\n", map[string]string{"path": slash(p.dir + "/" + second)}, "shim: init_grub", nil)
		if status = p.startImage(second); p.m.Ended() || status == "" {
			return
		}
	}
	p.emitShim("uefi.shim-failed", "start_image() returned "+status+"\n", map[string]string{"status": status}, "shim: init_grub", nil)
	p.m.Wait(costShimError)
	p.exit = &efiExit{status: status, step: p.failed}
}

// startImage is start_image: it reads, checks and starts a program of shim's own directory. It returns the
// status of a failure, "" when there is nothing more to do.
func (p *shimRun) startImage(name string) (status string) {
	full := p.dir + "/" + name
	text := `\` + strings.ReplaceAll(full, "/", `\`)
	at, err := lookup(p.vol, full)
	if err != nil {
		p.fail("uefi.shim-no-loader", "Failed to open "+text+" - Not Found\nFailed to load image "+text+": Not Found\n", slash(full), "shim: load_image", dirCites(p.vol, full))
		return "Not Found"
	}
	f, err := fsys.OpenFile(p.vol.FS, at)
	if err != nil {
		p.cannotKnow(trace.Bootloader, unreadable(slash(at), err))
		return ""
	}
	img, err := pe.Read(f, f.Size())
	if err != nil || img.Header.Machine != p.peMachine() {
		p.cannotKnow(trace.Bootloader, trace.Why("unknown.shim-prints", "path", slash(at)))
		return ""
	}
	if b := p.secure(); b != nil && !p.verify(b, slash(at), img) {
		if !p.m.Ended() {
			// The box waits for its button; after that shim starts MokManager, where the machine's owner could
			// enrol the key.
			p.fail("uefi.shim-violation", "ERROR\nVerification failed: "+efiSecurityViolation+"\n", slash(at), "shim: handle_image, console_error waits for a key; then init_grub starts mmx64.efi", volCites(p.vol, at))
			p.stop(trace.Bootloader, "Verification failed: "+efiSecurityViolation)
		}
		return ""
	}
	p.emitShim("uefi.shim-load", "", map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "shim: start_image", volCites(p.vol, at))
	p.m.Wait(cost(f.Size(), rateUEFI))
	if strings.HasPrefix(name, "fb") {
		p.fallback(at)
		return ""
	}
	p.m.Emit(trace.Step{Actor: "shim", Stage: trace.Bootloader, Kind: "uefi.start-image", Args: map[string]string{"path": slash(at), "option": "shim"}, Rule: "shim: start_image",
		Cites: img.OptionalRec.Cite(&img.Optional.AddressOfEntryPoint)}, p.cpu(slash(at))...)
	p.runEFI(img, p.vol, p.dev, at)
	if p.exit != nil && !p.m.Ended() {
		status, p.failed = p.exit.status, p.exit.step
		p.exit = nil
	}
	return status
}

func (p *shimRun) fail(kind trace.Kind, console, path, rule string, cites []blob.Cite) {
	n := p.emitShim(kind, console, map[string]string{"path": path}, rule, cites)
	if p.failed == 0 {
		p.failed = n
	}
}

// verify is verify_buffer: the generation first, then the signature.
func (p *shimRun) verify(b *secureBoot, path string, img *pe.File) bool {
	components, has := authenticode.SBAT(img)
	_, checks := authenticode.SBAT(p.img)
	if checks && !has {
		p.emitShim("uefi.sbat-missing", "", map[string]string{"path": path}, "shim: verify_buffer_sbat, SBAT.md", img.HeaderRec.Cite(&img.Header.NumberOfSections))
		return false
	}
	if c := authenticode.Revoked(components, b.level); checks && c != nil {
		p.emitShim("uefi.sbat-revoked", "", map[string]string{"path": path, "component": c.Name}, "shim: verify_sbat, SBAT.md", c.Cites)
		return false
	}
	if checks {
		var cites []blob.Cite
		for i := range components {
			cites = append(cites, components[i].Cites...)
		}
		for i := range b.level {
			cites = append(cites, b.level[i].Cites...)
		}
		p.emitShim("uefi.sbat-passed", "", map[string]string{"path": path}, "shim: verify_buffer_sbat, SBAT.md", cites)
	}
	return p.shimTakes("shim", path, img)
}

// fallback is fbx64.efi: it makes a boot entry of each line of \EFI\*\BOOTX64.CSV, and on a machine without a
// TPM starts the first of them at once. fallback.c of shim: find_boot_options, try_start_first_option.
func (p *shimRun) fallback(self string) {
	list, err := lookup(p.vol, "EFI")
	var dirs []fs.DirEntry
	if err == nil {
		dirs, err = p.vol.FS.ReadDir(list)
	}
	if err != nil {
		p.cannotKnow(trace.Bootloader, trace.Why("unknown.fallback-finds").For(kernel.Because(err)))
		return
	}
	for _, d := range dirs {
		if !d.IsDir() || strings.EqualFold(d.Name(), "BOOT") {
			continue
		}
		csv, err := lookup(p.vol, list+"/"+d.Name()+"/BOOT"+strings.ToUpper(p.efiMachine())+".CSV")
		if err != nil {
			if csv, err = lookup(p.vol, list+"/"+d.Name()+"/BOOT.CSV"); err != nil {
				continue
			}
		}
		file, title, cites := p.readCSV(csv)
		if file == "" {
			continue
		}
		target, err := lookup(p.vol, list+"/"+d.Name()+"/"+file)
		if err != nil {
			continue
		}
		p.emitShim("uefi.fallback-entry", "", map[string]string{"path": slash(csv), "title": title, "program": slash(target)}, "shim: fallback.c, populate_stanza", cites)
		p.startFirst(target)
		return
	}
	p.emitShim("uefi.fallback-reset", "Reset System\n", map[string]string{"path": slash(self), "file": "BOOT" + strings.ToUpper(p.efiMachine()) + ".CSV"}, "shim: fallback.c", dirCites(p.vol, list+"/x"))
	p.stop(trace.Bootloader, "Reset System")
}

// readCSV reads the first line of a file in UTF-16: program, title, options, comment.
func (p *shimRun) readCSV(at string) (file, title string, cites []blob.Cite) {
	f, err := fsys.OpenFile(p.vol.FS, at)
	if err != nil || f.Size() > 64<<10 {
		return "", "", nil
	}
	data, err := blob.ReadAll(f, 64<<10)
	if err != nil {
		return "", "", nil
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
	}
	text := strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Split(strings.TrimSpace(line), ",")
	if len(fields) < 2 {
		return "", "", nil
	}
	return fields[0], fields[1], cite(f, 0, f.Size(), "CSV", line)
}

// startFirst starts the new boot entry through the firmware.
func (p *shimRun) startFirst(at string) {
	f, err := fsys.OpenFile(p.vol.FS, at)
	if err != nil {
		p.cannotKnow(trace.Bootloader, unreadable(slash(at), err))
		return
	}
	img, _ := p.readEFI(f)
	if img == nil {
		p.cannotKnow(trace.Bootloader, trace.Why("unknown.fallback-after", "path", slash(at)))
		return
	}
	if !p.firmwareTakes(slash(at), img) {
		if !p.m.Ended() {
			p.cannotKnow(trace.Bootloader, trace.Why("unknown.fallback-after", "path", slash(at)))
		}
		return
	}
	p.bds("uefi.start-image", "", map[string]string{"path": slash(at), "option": "fallback"}, "shim: fallback.c, try_start_first_option; UEFI 2.10 §7.4.2 StartImage", machine.Cites(volCites(p.vol, at)), p.cpu(slash(at))...)
	p.runEFI(img, p.vol, p.dev, at)
	if p.exit != nil && !p.m.Ended() {
		p.cannotKnow(trace.Bootloader, trace.Why("unknown.fallback-after", "path", slash(at)))
	}
}
