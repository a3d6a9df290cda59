package boot

import (
	"errors"
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// removablePath is the file that firmware starts when no boot variable names another: UEFI 2.10,
// section 3.5.1.1.
func (s *start) removablePath() string {
	return `\EFI\BOOT\BOOT` + strings.ToUpper(s.efiMachine()) + ".EFI"
}

// efiMachine is the machine type's short name in file names.
func (s *start) efiMachine() string {
	if s.c.Arch == "arm64" {
		return "aa64"
	}
	return "x64"
}

// grubPlatform is the name of GRUB's build for this machine.
func (s *start) grubPlatform() string {
	if s.c.Arch == "arm64" {
		return "arm64-efi"
	}
	return "x86_64-efi"
}

// cpu is the row of a processor in 64-bit mode; the table knows x86's modes only.
func (s *start) cpu(what string) []machine.Set {
	if s.c.Arch == "arm64" {
		return nil
	}
	return []machine.Set{cpuRow("long", what)}
}

// peMachine is the machine type in PE headers.
func (s *start) peMachine() uint16 {
	if s.c.Arch == "arm64" {
		return pe.MachineARM64
	}
	return pe.MachineAMD64
}

// The device paths of the simulated machine, QEMU's q35 as in the recordings: the disk is a virtio device,
// the CD hangs on a virtio SCSI controller, and without a CD there is an empty DVD drive on SATA.
const (
	uefiDVD  = `"UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x2,0xFFFF,0x0)`
	uefiDisk = `"UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)`
	uefiFAT  = `"UEFI Non-Block Boot Device" from PciRoot(0x0)/Pci(0x2,0x0)` // a file system without partitions: EDK II, BmGetMiscDescription
	uefiCD   = `"UEFI QEMU QEMU CD-ROM " from PciRoot(0x0)/Pci(0x2,0x0)/Scsi(0x0,0x0)`
	pciPC    = "Pci(0x2,0x0)" // q35's first free slot; virt's is the next line
	pciVirt  = "Pci(0x1,0x0)"
	uefiMenu = `"UiApp" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(462CAA21-7614-4503-836E-8AB6F4662331)`
	// The firmware volumes of OVMF and of its sister for arm64.
	volumeOVMF = "7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1"
	volumeArm  = "64074AFE-340A-4BE6-94BA-91B5B4D0F71E"
	uefiShell  = `"EFI Internal Shell" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(7C04A583-9E3E-4F1C-AD65-E05268D0B4D1)`
)

// efiVolume is a file system that firmware finds on the image.
type efiVolume struct {
	vol   *disk.Volume
	node  string // of its device path: "HD(1,GPT,…)"
	grub  string // as GRUB names it
	what  string // "EFI system partition", "El Torito image" …
	cites []blob.Cite
}

// bds emits a step of the boot manager.
func (s *start) bds(kind trace.Kind, console string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: kind, Console: console, Args: args, Rule: rule, Cites: cites}, rows...)
}

// uefi is OVMF's boot manager: the removable media path of the image, then the built-in shell. The
// variables that could name another program live in the machine's flash, not in the image.
func (s *start) uefi() {
	s.bds("uefi.start", "", map[string]string{"memory": fmt.Sprintf("%d MiB", s.c.MemoryMiB)}, "UEFI 2.10 §3.1; OVMF", nil, s.cpu("OVMF")...)
	s.m.Wait(costUEFI)
	s.bds("uefi.no-variables", "", map[string]string{"path": s.removablePath()}, "UEFI 2.10 §3.3, §3.5.1.1", nil)
	if b := s.secure(); b != nil {
		s.bds("uefi.secure-boot", "", map[string]string{"keys": certificateNames(&b.db)}, "assumption: db as in OVMF_VARS_4M.ms.fd, the keys that PCs are sold with; dbx is empty. UEFI 2.10 §32.3", nil)
	}
	option, device := 1, uefiCD
	switch {
	case s.c.Arch == "arm64" && s.c.Device == "cdrom":
		device = strings.Replace(uefiCD, pciPC, pciVirt, 1)
	case s.c.Arch == "arm64": // the machine virt has no drive but the image
		device = strings.Replace(uefiDisk, pciPC, pciVirt, 1)
	case s.c.Device != "cdrom":
		s.bds("uefi.option-failed", "BdsDxe: failed to load Boot0001 "+uefiDVD+": Not Found\n", map[string]string{"option": "Boot0001", "status": "Not Found"},
			"EDK II: EfiBootManagerBoot", nil)
		option, device = 2, uefiDisk
	}
	name := fmt.Sprintf("Boot%04d", option)
	vols := s.efiVolumes()
	if option == 2 && s.c.Disk.Table == nil && len(vols) > 0 {
		device = uefiFAT
	}
	if s.removable(name, device, vols) || s.m.Ended() {
		return
	}
	s.shell(option+1, vols)
}

// removable is a boot option without a file: the removable media path of each volume until one holds a
// program of this kind of machine, EDK II: BmExpandMediaDevicePath. name is "" when the firmware says nothing of it. It
// returns false when the firmware goes on to its next option.
func (s *start) removable(name, device string, vols []efiVolume) bool {
	for i := range vols {
		v := vols[i].vol
		s.bds("uefi.try-volume", "", map[string]string{"device": vols[i].node, "what": vols[i].what, "path": s.removablePath()}, "EDK II: BmExpandMediaDevicePath; UEFI 2.10 §13.3", vols[i].cites)
		if v.FS == nil {
			s.cannotKnow(trace.Firmware, trace.Why("unknown.volume", "device", vols[i].node).For(kernel.Because(v.Err)))
			return false
		}
		at, err := lookup(v, strings.ReplaceAll(s.removablePath(), `\`, "/"))
		if err != nil {
			continue
		}
		f, err := fsys.OpenFile(v.FS, at)
		if err != nil {
			continue
		}
		img, cites := s.readEFI(f)
		if img == nil {
			s.bds("uefi.not-a-program", "", map[string]string{"path": slash(at), "device": vols[i].node}, "EDK II: BmIsLoadOptionPeHeaderValid; UEFI 2.10 §2.1.1", machine.Cites(cites, volCites(v, at)))
			continue
		}
		return s.loadEFI(name, device, &vols[i], at, img, cites)
	}
	if name != "" {
		s.bds("uefi.option-failed", "BdsDxe: failed to load "+name+" "+device+": Not Found\n", map[string]string{"option": name, "status": "Not Found", "path": s.removablePath()},
			"EDK II: EfiBootManagerBoot", s.missingCites(vols))
	}
	return false
}

// missingCites is the evidence that no volume has the file.
func (s *start) missingCites(vols []efiVolume) []blob.Cite {
	var out []blob.Cite
	for _, v := range vols {
		out = append(out, dirCites(v.vol, strings.ReplaceAll(s.removablePath(), `\`, "/"))...)
	}
	return out
}

// efiVolumes lists the FAT file systems on the image in the order of their handles. On a disk, the
// partitions of a GPT or MBR, or the whole disk without a table; EDK II looks at every one, whatever its
// type. On a CD, the El Torito images.
func (s *start) efiVolumes() []efiVolume {
	d := s.c.Disk
	var out []efiVolume
	if s.c.Device == "cdrom" {
		for i, e := range d.ElTorito {
			if e.Emulation != "none" || !e.Bootable {
				continue
			}
			off := int64(e.LBA) * cdBlock
			if off >= d.Size {
				continue
			}
			size := min(int64(e.Sectors)*sector, d.Size-off)
			if e.Sectors <= 1 { // "0 or 1": up to the end of the medium, UEFI 2.10 §13.3.2.1
				size = d.Size - off
			}
			r := blob.Section(d.R, off, size)
			f, err := fat.Open(r, size)
			if errors.Is(err, decode.ErrFormat) {
				continue
			}
			v := &disk.Volume{Off: off, Size: size, R: r, Type: "vfat", Err: err}
			if err == nil {
				v.FS = f
			}
			out = append(out, efiVolume{v, fmt.Sprintf("CDROM(%d,0x%X,0x%X)", i, e.LBA, e.Sectors), "cd0", "El Torito image", machine.Cites(e.Cites, volumeCites(v))})
		}
		return out
	}
	if d.Table == nil {
		if v := d.Volume(0); v != nil && v.Type == "vfat" {
			out = append(out, efiVolume{v, "", "hd0", "disk without a partition table", volumeCites(v)})
		}
		return out
	}
	for _, p := range d.Table.Partitions {
		v := d.Volume(p.Number)
		if v == nil || v.Type != "vfat" {
			continue
		}
		node, grubName := fmt.Sprintf("HD(%d,MBR,%s,0x%X,0x%X)", p.Number, "0x"+strings.ToUpper(strings.TrimPrefix(d.Table.ID, "0x")), p.Start, p.Size), fmt.Sprintf("hd0,msdos%d", p.Number)
		esp := strings.EqualFold(p.Type, "ef")
		if d.Table.Type == "gpt" {
			node, grubName = fmt.Sprintf("HD(%d,GPT,%s,0x%X,0x%X)", p.Number, p.UUID, p.Start, p.Size), fmt.Sprintf("hd0,gpt%d", p.Number)
			esp = strings.EqualFold(p.Type, espType)
		}
		what := "FAT partition that is not marked as EFI system partition"
		if esp {
			what = "EFI system partition"
		}
		out = append(out, efiVolume{v, node, grubName, what, machine.Cites(p.Cites, volumeCites(v))})
	}
	return out
}

// espType is EFI_PART_TYPE_EFI_SYSTEM_PART_GUID.
const espType = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"

func volumeCites(v *disk.Volume) []blob.Cite {
	if v.FS == nil {
		return nil
	}
	return v.FS.Info().Cites
}

// readEFI reads a program and checks what the boot manager checks before it tries one; the processor is not among
// that. img is nil when the file is no program.
func (s *start) readEFI(f fsys.File) (img *pe.File, cites []blob.Cite) {
	img, err := pe.Read(f, f.Size())
	if err != nil {
		var bad *decode.Error
		if errors.As(err, &bad) {
			for _, sp := range bad.Spans {
				cites = append(cites, blob.Cite{Span: sp, Name: bad.What, Value: bad.Got})
			}
		}
		return nil, cites
	}
	cites = machine.Cites(img.HeaderRec.Cite(&img.Header.Signature, &img.Header.Machine), img.OptionalRec.Cite(&img.Optional.Magic, &img.Optional.Subsystem))
	if img.Optional.Subsystem != pe.SubsystemEFIApplication {
		return nil, cites
	}
	return img, cites
}

// loadEFI loads the program and starts it. It returns false when the firmware goes on to its next option.
func (s *start) loadEFI(name, device string, v *efiVolume, at string, img *pe.File, checks []blob.Cite) bool {
	say := func(text string) string {
		if name == "" {
			return ""
		}
		return "BdsDxe: " + text + "\n"
	}
	s.bds("uefi.load-image", say("loading "+name+" "+device), map[string]string{"path": slash(at), "size": bytesText(img.Size), "option": name},
		"UEFI 2.10 §7.4.1 LoadImage", machine.Cites(volCites(v.vol, at), checks))
	if img.Header.Machine != s.peMachine() {
		s.refused = s.bds("uefi.option-failed", say("failed to load "+name+" "+device+": Unsupported"), map[string]string{"option": name, "status": "Unsupported", "path": slash(at)},
			"UEFI 2.10 §2.1.1; EDK II: CoreLoadPeImage", checks)
		return false
	}
	if !s.firmwareTakes(slash(at), img) {
		if !s.m.Ended() {
			s.refused = s.bds("uefi.option-failed", say("failed to load "+name+" "+device+": Access Denied"), map[string]string{"option": name, "status": "Access Denied", "path": slash(at)},
				"UEFI 2.10 §32.5.3.3", checks)
		}
		return false
	}
	s.bds("uefi.start-image", say("starting "+name+" "+device), map[string]string{"path": slash(at), "option": name},
		"UEFI 2.10 §7.4.2 StartImage", img.OptionalRec.Cite(&img.Optional.AddressOfEntryPoint), s.cpu(slash(at))...)
	s.runEFI(img, v.vol, v.grub, at)
	if s.exit != nil && !s.m.Ended() {
		s.bds("uefi.option-failed", say("failed to start "+name+" "+device+": "+s.exit.status), map[string]string{"option": name, "status": s.exit.status, "path": slash(at)},
			"EDK II: EfiBootManagerBoot, StartImage", nil)
		return false
	}
	return true
}

// volCites is the evidence for a file of a volume; none for a program that comes from no volume.
func volCites(v *disk.Volume, at string) []blob.Cite {
	if v == nil {
		return nil
	}
	fi, err := v.FS.Stat(at)
	if err != nil {
		return nil
	}
	return fsys.StatOf(fi).Cites
}

// startEFI starts a program that another one loaded.
func (s *start) startEFI(vol *disk.Volume, dev, at string, f fsys.File) {
	img, _ := s.readEFI(f)
	if img == nil || img.Header.Machine != s.peMachine() {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.firmware-answers", "path", slash(at)))
		return
	}
	s.bds("uefi.start-image", "", map[string]string{"path": slash(at), "option": "chainloader"}, "UEFI 2.10 §7.4.2 StartImage", volCites(vol, at), s.cpu(slash(at))...)
	s.runEFI(img, vol, dev, at)
	if s.exit != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.starter-after", "path", slash(at)))
	}
}

// runEFI follows a boot program that bootpath knows.
func (s *start) runEFI(img *pe.File, vol *disk.Volume, dev, at string) {
	given := s.given
	s.given = efiGiven{by: "firmware"}
	if given.by == "" {
		given = efiGiven{by: "firmware", cause: s.m.Last()}
	}
	program, cites := img.Program()
	if program == "" {
		s.bds("uefi.unknown-program", "", map[string]string{"path": slash(at)}, "PE format, Section Table", volCites(vol, at))
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.program", "path", slash(at)))
		return
	}
	s.bds("uefi.recognise", "", map[string]string{"path": slash(at), "program": program}, "PE format, Section Table", machine.Cites(cites, volCites(vol, at)))
	switch program {
	case pe.GRUB:
		sec := img.Section("mods")
		mods, err := grubcore.ReadModules(img.R, sec.Off, sec.Off+sec.Size, true)
		if err != nil {
			s.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-modules").For(kernel.Because(err)))
			return
		}
		g := newGrub(s, s.grubPlatform(), img.R, img.Size, mods)
		g.bootDevice = dev
		g.devices()
		dir := at[:max(strings.LastIndexByte(at, '/'), 0)]
		g.main("(" + dev + ")" + slash(dir))
	case pe.Shim:
		s.shim(img, vol, dev, at)
	case pe.SystemdBoot:
		s.systemdBoot(img, vol, dev, at)
	case pe.SystemdStub:
		s.systemdStub(img, vol, at, given)
	case pe.Linux:
		s.efiStub(img, vol, slash(at), given)
	default:
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.program-named", "path", slash(at), "program", program))
	}
}

// shell is the last option: the shell inside the firmware. A startup.nsh on the image would be a script.
func (s *start) shell(option int, vols []efiVolume) {
	if s.m.Ended() {
		return
	}
	decided := s.m.Last()
	if s.exit != nil {
		decided = s.exit.step
	} else if s.refused != 0 {
		decided = s.refused
	}
	name := fmt.Sprintf("Boot%04d", option)
	where := uefiShell
	if s.c.Arch == "arm64" {
		where = strings.Replace(uefiShell, volumeOVMF, volumeArm, 1)
	}
	start := "BdsDxe: loading " + name + " " + where + "\nBdsDxe: starting " + name + " " + where + "\n"
	if s.secure() != nil {
		s.noShell(name, start, vols, decided)
		return
	}
	s.bds("uefi.load-shell", start, map[string]string{"option": name}, "OVMF: PlatformBootManagerLib, UEFI Shell", nil, s.cpu("UEFI Shell")...)
	var table strings.Builder
	table.WriteString("UEFI Interactive Shell v2.2\nEDK II\nUEFI v2.70 (EDK II, 0x00010000)\nMapping table\n")
	for i, v := range vols {
		fmt.Fprintf(&table, "      FS%d: %s\n", i, v.node)
	}
	s.bds("uefi.shell", table.String()+"Press ESC in 5 seconds to skip startup.nsh or any other key to continue.\n", map[string]string{"volumes": fmt.Sprint(len(vols))}, "UEFI Shell 2.2, section 2: startup.nsh", nil)
	for _, v := range vols {
		if v.vol.FS == nil {
			continue
		}
		if at, err := lookup(v.vol, "/startup.nsh"); err == nil {
			s.bds("uefi.startup-script", "", map[string]string{"path": slash(at)}, "UEFI Shell 2.2, section 2", volCites(v.vol, at))
			s.cannotKnow(trace.Firmware, trace.Why("unknown.uefi-script", "path", slash(at)))
			return
		}
	}
	s.bds("uefi.shell-prompt", "Shell> ", nil, "UEFI Shell 2.2", nil)
	stage := s.m.Step(decided).Stage
	s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: stage, Message: strings.TrimSpace(s.m.Step(decided).Console), Step: decided})
}

// noShell is the end with Secure Boot: the shell is not signed, the platform's recovery option tries the removable
// path once more and says nothing of its own, and the firmware waits for a key.
func (s *start) noShell(name, start string, vols []efiVolume, decided int) {
	s.bds("uefi.shell-refused", start+"BdsDxe: failed to start "+name+" "+uefiShell+": Security Violation\n", map[string]string{"option": name},
		"UEFI 2.10 §32.5.3.3; EDK II: DxeImageVerificationHandler", nil)
	s.exit = nil
	s.bds("uefi.recovery", "", map[string]string{"path": s.removablePath()}, "UEFI 2.10 §3.4.1.1: PlatformRecovery#### options; EDK II: BdsEntry", nil)
	if s.removable("", "", vols) || s.m.Ended() {
		return
	}
	s.bds("uefi.no-option", "BdsDxe: No bootable option or device was found.\nBdsDxe: Press any key to enter the Boot Manager Menu.\n", nil, "EDK II: BdsEntry, BdsDxe", nil)
	s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: s.m.Step(decided).Stage, Message: firstLine(s.m.Step(decided).Console), Step: decided})
}

// firstLine is the first line of a console text that says something.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
