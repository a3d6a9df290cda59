package boot

import (
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/bls"
	"bootpath/sim/disk"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// efiGiven is what the starter of an EFI program hands it.
type efiGiven struct {
	by      string   // who started it
	options string   // LoadOptions
	initrds []initrd // behind LINUX_EFI_INITRD_MEDIA_GUID, in the order of memory
	cause   int      // the step that started it
}

// efiExit is an EFI program's return to the firmware with an error.
type efiExit struct {
	status string // "Not Found"
	step   int    // that decided it
}

// loadPE checks a program as LoadImage does. status is "" when the firmware takes it.
func loadPE(f fsys.File) (img *pe.File, status string, cites []blob.Cite) {
	img, err := pe.Read(f, f.Size())
	if err != nil {
		return nil, "Unsupported", cite(f, 0, min(f.Size(), 64), "no PE program", "")
	}
	cites = machine.Cites(img.HeaderRec.Cite(&img.Header.Signature, &img.Header.Machine), img.OptionalRec.Cite(&img.Optional.Magic, &img.Optional.Subsystem))
	if img.Header.Machine != pe.MachineAMD64 || img.Optional.Subsystem < pe.SubsystemEFIApplication || img.Optional.Subsystem > 13 {
		return img, "Unsupported", cites
	}
	return img, "", cites
}

// systemdStub is a unified kernel image: systemd's stub finds the kernel, its command line and its
// initramfs in sections of its own file. systemd-stub(7); systemd 252, src/boot/efi/stub.c. Given options
// replace the command line, unless Secure Boot is on and the file has one.
func (s *start) systemdStub(img *pe.File, vol *disk.Volume, at string, given efiGiven) {
	emit := func(kind trace.Kind, args map[string]string, rule string, cites []blob.Cite) int {
		return s.m.Emit(trace.Step{Actor: "systemd-stub", Stage: trace.Bootloader, Kind: kind, Args: args, Rule: rule, Cites: cites})
	}
	kernel := img.Section(".linux")
	var names []string
	var cites []blob.Cite
	for i := range img.Sections {
		if sec := &img.Sections[i]; strings.HasPrefix(sec.Name, ".") && stubSection(sec.Name) {
			names = append(names, sec.Name)
			cites = append(cites, sec.Rec.Cite(&sec.Header.Name, &sec.Header.SizeOfRawData, &sec.Header.PointerToRawData)...)
		}
	}
	emit("sdboot.stub-start", map[string]string{"path": slash(at), "sections": strings.Join(names, " ")}, "systemd-stub(7)", cites)
	cmdline := bls.StubOptions([]byte(given.options))
	if text, where := section(img, ".cmdline"); given.options == "" || s.secure() != nil && len(text) > 0 {
		cmdline = bls.StubOptions(text)
		emit("sdboot.stub-cmdline", map[string]string{"cmdline": cmdline}, "systemd-stub(7), .cmdline", where)
	}
	if extra := stubExtras(img, vol, at); extra != "" {
		emit("sdboot.stub-extra", map[string]string{"path": extra}, "systemd-stub(7), companion files", nil)
	}
	initrds := given.initrds
	if sec := img.Section(".initrd"); sec != nil && sec.Size > 0 {
		if len(initrds) > 0 {
			s.cannotKnow(trace.Bootloader, trace.Why("unknown.stub-initrd", "path", slash(at)))
			return
		}
		initrds = []initrd{{path: slash(at) + ":.initrd", file: blob.Section(img.R, sec.Off, sec.Size), size: sec.Size}}
	}
	s.m.Wait(cost(kernel.Size, rateUEFI))
	r := blob.Section(img.R, kernel.Off, kernel.Size)
	inner, err := pe.Read(r, kernel.Size)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.stub-linux"))
		return
	}
	n := emit("sdboot.stub-kernel", map[string]string{"path": slash(at), "size": bytesText(kernel.Size), "cmdline": cmdline}, "systemd-stub(7), .linux", kernel.Rec.Cite(&kernel.Header.Name, &kernel.Header.PointerToRawData))
	s.efiStub(inner, vol, slash(at)+":.linux", efiGiven{by: "systemd-stub", options: cmdline, initrds: initrds, cause: n})
}

// stubSection tells whether the stub knows a section: systemd-stub(7).
func stubSection(name string) bool {
	switch name {
	case ".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".pcrsig", ".pcrpkey":
		return true
	}
	return false
}

// stubExtras names what else the stub would pack into an initramfs; "" for nothing.
func stubExtras(img *pe.File, vol *disk.Volume, at string) string {
	for _, dir := range []string{"/" + at + ".extra.d", "/loader/credentials"} {
		if vol == nil {
			break
		}
		found, err := lookup(vol, dir)
		if err != nil {
			continue
		}
		list, _ := vol.FS.ReadDir(found)
		for _, d := range list {
			if name := strings.ToLower(d.Name()); strings.HasSuffix(name, ".cred") || strings.HasSuffix(name, ".raw") {
				return slash(found)
			}
		}
	}
	for _, name := range []string{".pcrsig", ".pcrpkey"} {
		if sec := img.Section(name); sec != nil && sec.Size > 0 {
			return name
		}
	}
	return ""
}

// efiStub is a Linux kernel that firmware starts as a program: Documentation/admin-guide/efi-stub.rst;
// drivers/firmware/efi/libstub. It fetches the initramfs itself, from whoever started it or, by initrd=,
// from the volume that it came from; where the firmware puts that nobody knows before.
func (s *start) efiStub(img *pe.File, vol *disk.Volume, name string, given efiGiven) {
	l := loaded{by: given.by, path: name, image: img.R, size: img.Size, initrds: given.initrds, cmdline: given.options, cause: given.cause}
	// include/linux/pe.h: from version 1.0 on the stub takes an initramfs from its starter.
	modern := img.Optional.MajorImageVersion >= 1
	from, source := "LINUX_EFI_INITRD_MEDIA_GUID device path", given.by
	if !modern || len(l.initrds) == 0 {
		from, source = "command line option", "initrd="
		l.initrds = nil
		for word := range strings.FieldsSeq(given.options) {
			file, ok := strings.CutPrefix(word, "initrd=")
			if !ok {
				continue
			}
			if vol == nil { // a program that its starter had in memory comes from no volume
				s.cannotKnow(trace.Bootloader, trace.Why("unknown.stub-volume", "path", file))
				return
			}
			f, at, err := openEFI(vol, file)
			if err != nil {
				s.cannotKnow(trace.Bootloader, trace.Why("unknown.stub-missing", "path", file))
				return
			}
			s.m.Wait(cost(f.Size(), rateUEFI))
			l.initrds = append(l.initrds, initrd{path: slash(at), file: f, size: f.Size()})
		}
	}
	if len(l.initrds) > 0 {
		for _, r := range l.initrds {
			l.files = append(l.files, r.path)
		}
		l.initrds = onePiece(l.initrds)
		text := ""
		if modern {
			text = efiStubText(given.options, "Loaded initrd from "+from)
		}
		l.cause = s.m.Emit(trace.Step{Actor: "linux", Stage: trace.Bootloader, Kind: "sdboot.efistub-initrd", Console: text,
			Args: map[string]string{"path": strings.Join(l.files, ", "), "size": bytesText(l.initrds[0].size), "source": source},
			Rule: "drivers/firmware/efi/libstub: efi_load_initrd", Cites: img.OptionalRec.Cite(&img.Optional.MajorImageVersion)})
	}
	if s.secure() != nil { // efi_get_secureboot, after the initramfs: drivers/firmware/efi/libstub/x86-stub.c
		l.cause = s.m.Emit(trace.Step{Actor: "linux", Stage: trace.Bootloader, Kind: "linux.efi-secure-boot", Console: efiStubText(given.options, "UEFI Secure Boot is enabled."),
			Rule: "drivers/firmware/efi/libstub: efi_get_secureboot"})
	}
	s.linux(l)
}

// efiStubText is a line of the kernel's EFI stub, which "quiet" keeps back.
func efiStubText(options, text string) string {
	if strings.Contains(" "+options+" ", " quiet ") {
		return ""
	}
	return "EFI stub: " + text + "\n"
}

// onePiece joins initramfs files without a gap, as systemd-boot and the stub lay them in memory.
func onePiece(list []initrd) []initrd {
	c := &concat{}
	for _, r := range list {
		c.parts = append(c.parts, blob.Section(r.file, 0, r.size))
		c.ends = append(c.ends, c.Size()+r.size)
	}
	if len(list) == 1 {
		return list
	}
	return []initrd{{path: list[0].path, file: c, size: c.Size()}}
}
