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
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// removablePath is the file that firmware starts when no boot variable names another: UEFI 2.10,
// section 3.5.1.1, table for x64.
const removablePath = `\EFI\BOOT\BOOTX64.EFI`

// The device paths of the simulated machine, QEMU's q35 as in the recordings: the disk is a virtio device,
// the CD hangs on a virtio SCSI controller, and without a CD there is an empty DVD drive on SATA.
const (
	uefiDVD   = `"UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x2,0xFFFF,0x0)`
	uefiDisk  = `"UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)`
	uefiFAT   = `"UEFI Non-Block Boot Device" from PciRoot(0x0)/Pci(0x2,0x0)` // a file system without partitions: EDK II, BmGetMiscDescription
	uefiCD    = `"UEFI QEMU QEMU CD-ROM " from PciRoot(0x0)/Pci(0x2,0x0)/Scsi(0x0,0x0)`
	uefiMenu  = `"UiApp" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(462CAA21-7614-4503-836E-8AB6F4662331)`
	uefiShell = `"EFI Internal Shell" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(7C04A583-9E3E-4F1C-AD65-E05268D0B4D1)`
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
	s.bds("uefi.start", "", map[string]string{"memory": fmt.Sprintf("%d MiB", s.c.MemoryMiB)}, "UEFI 2.10 §3.1; OVMF", nil, cpuRow("long", "OVMF"))
	s.m.Wait(costUEFI)
	s.bds("uefi.no-variables", "", map[string]string{"path": removablePath}, "UEFI 2.10 §3.3: BootOrder and Boot#### are variables of the machine; without them §3.5.1.1 applies", nil)
	option, device := 1, uefiCD
	if s.c.Device != "cdrom" {
		s.bds("uefi.option-failed", "BdsDxe: failed to load Boot0001 "+uefiDVD+": Not Found\n", map[string]string{"option": "Boot0001", "status": "Not Found"},
			"EDK II: EfiBootManagerBoot; the machine's DVD drive is empty", nil)
		option, device = 2, uefiDisk
	}
	name := fmt.Sprintf("Boot%04d", option)
	vols := s.efiVolumes()
	if option == 2 && s.c.Disk.Table == nil && len(vols) > 0 {
		device = uefiFAT
	}
	for i := range vols {
		s.bds("uefi.try-volume", "", map[string]string{"device": vols[i].node, "what": vols[i].what, "path": removablePath}, "EDK II: BmExpandMediaDevicePath; UEFI 2.10 §13.3", vols[i].cites)
		v := vols[i].vol
		if v.FS == nil {
			s.unknown(trace.Firmware, fmt.Sprintf("what the FAT volume %s holds: %v", vols[i].node, v.Err))
			return
		}
		at, err := lookup(v, "/EFI/BOOT/BOOTX64.EFI")
		if err != nil {
			continue
		}
		f, err := fsys.OpenFile(v.FS, at)
		if err != nil {
			continue
		}
		if s.loadEFI(name, device, &vols[i], at, f) || s.m.Ended() {
			return
		}
		s.shell(option+1, vols)
		return
	}
	s.bds("uefi.option-failed", "BdsDxe: failed to load "+name+" "+device+": Not Found\n", map[string]string{"option": name, "status": "Not Found", "path": removablePath},
		"EDK II: EfiBootManagerBoot", s.missingCites(vols))
	s.shell(option+1, vols)
}

// missingCites is the evidence that no volume has the file.
func (s *start) missingCites(vols []efiVolume) []blob.Cite {
	var out []blob.Cite
	for _, v := range vols {
		out = append(out, dirCites(v.vol, "/EFI/BOOT/BOOTX64.EFI")...)
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

// loadEFI checks the program as LoadImage does and starts it. It returns false when the firmware goes on
// to its next option.
func (s *start) loadEFI(name, device string, v *efiVolume, at string, f fsys.File) bool {
	refuse := func(status string, rule string, cites []blob.Cite) bool {
		s.bds("uefi.option-failed", "BdsDxe: failed to load "+name+" "+device+": "+status+"\n", map[string]string{"option": name, "status": status, "path": slash(at)}, rule, cites)
		return false
	}
	img, err := pe.Read(f, f.Size())
	if err != nil {
		var bad *decode.Error
		var cites []blob.Cite
		if errors.As(err, &bad) {
			for _, sp := range bad.Spans {
				cites = append(cites, blob.Cite{Span: sp, Name: bad.What, Value: bad.Got})
			}
		}
		return refuse("Unsupported", "UEFI 2.10 §7.4.1 LoadImage; EDK II: CoreLoadPeImage", cites)
	}
	checks := img.HeaderRec.Cite(&img.Header.Signature, &img.Header.Machine)
	if img.Header.Machine != pe.MachineAMD64 {
		return refuse("Unsupported", "UEFI 2.10 §2.1.1: the machine type is that of the processor", checks)
	}
	checks = machine.Cites(checks, img.OptionalRec.Cite(&img.Optional.Magic, &img.Optional.Subsystem))
	if img.Optional.Subsystem < pe.SubsystemEFIApplication || img.Optional.Subsystem > 13 {
		return refuse("Unsupported", "UEFI 2.10 §2.1.1: subsystem 10 is an EFI application", checks)
	}
	if s.c.SecureBoot && !img.Signed() {
		var cites []blob.Cite
		if img.CertificateRec != nil {
			cites = img.CertificateRec.CiteAll()
		}
		return refuse("Access Denied", "UEFI 2.10 §32.5.3.3: the image has no certificate table", cites)
	}
	if s.c.SecureBoot {
		s.bds("uefi.signed", "", map[string]string{"path": slash(at)}, "UEFI 2.10 §32.5.3.3", img.CertificateRec.CiteAll())
		s.unknown(trace.Firmware, "whether the machine's keys (db, dbx) accept the signature of "+slash(at))
		return true
	}
	rows := []machine.Set{cpuRow("long", slash(at))}
	s.bds("uefi.load-image", "BdsDxe: loading "+name+" "+device+"\n", map[string]string{"path": slash(at), "size": bytesText(f.Size()), "option": name},
		"UEFI 2.10 §7.4.1 LoadImage", machine.Cites(volCites(v.vol, at), checks))
	s.bds("uefi.start-image", "BdsDxe: starting "+name+" "+device+"\n", map[string]string{"path": slash(at), "option": name},
		"UEFI 2.10 §7.4.2 StartImage", img.OptionalRec.Cite(&img.Optional.AddressOfEntryPoint), rows...)
	s.runEFI(img, v.vol, v.grub, at)
	if s.exit != nil && !s.m.Ended() {
		s.bds("uefi.option-failed", "BdsDxe: failed to start "+name+" "+device+": "+s.exit.status+"\n", map[string]string{"option": name, "status": s.exit.status, "path": slash(at)},
			"EDK II: EfiBootManagerBoot; the program returned an error", nil)
		return false
	}
	return true
}

func volCites(v *disk.Volume, at string) []blob.Cite {
	fi, err := v.FS.Stat(at)
	if err != nil {
		return nil
	}
	return fsys.StatOf(fi).Cites
}

// startEFI starts a program that another one loaded.
func (s *start) startEFI(vol *disk.Volume, dev, at string, f fsys.File) {
	img, err := pe.Read(f, f.Size())
	if err != nil || img.Header.Machine != pe.MachineAMD64 {
		s.unknown(trace.Bootloader, "what the firmware answers to "+slash(at)+", which is no program for x86-64")
		return
	}
	s.bds("uefi.start-image", "", map[string]string{"path": slash(at), "option": "chainloader"}, "UEFI 2.10 §7.4.2 StartImage", volCites(vol, at), cpuRow("long", slash(at)))
	s.runEFI(img, vol, dev, at)
	if s.exit != nil {
		s.unknown(trace.Bootloader, "what the program that started "+slash(at)+" does after that failed")
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
		s.bds("uefi.unknown-program", "", map[string]string{"path": slash(at)}, "the sections of the image", volCites(vol, at))
		s.unknown(trace.Bootloader, "what "+slash(at)+" does: it is not a boot program that bootpath knows")
		return
	}
	s.bds("uefi.recognise", "", map[string]string{"path": slash(at), "program": program}, "the sections of the image", machine.Cites(cites, volCites(vol, at)))
	switch program {
	case pe.GRUB:
		sec := img.Section("mods")
		mods, err := grubcore.ReadModules(img.R, sec.Off, sec.Off+sec.Size, true)
		if err != nil {
			s.unknown(trace.Bootloader, "which modules GRUB's image holds: "+err.Error())
			return
		}
		g := newGrub(s, "x86_64-efi", img.R, img.Size, mods)
		g.bootDevice = dev
		g.devices()
		dir := at[:max(strings.LastIndexByte(at, '/'), 0)]
		g.main("(" + dev + ")" + slash(dir))
	case pe.Shim:
		s.shim(vol, dev, at)
	case pe.SystemdBoot:
		s.systemdBoot(img, vol, dev, at)
	case pe.SystemdStub:
		s.systemdStub(img, vol, at, given)
	case pe.Linux:
		s.efiStub(img, vol, slash(at), given)
	default:
		s.unknown(trace.Bootloader, "what "+slash(at)+" ("+program+") does: bootpath does not follow it")
	}
}

// shim starts the second stage beside itself, grubx64.efi: shim(1), DEFAULT_LOADER. Without Secure Boot it
// checks nothing. A fallback program (fbx64.efi) may write boot variables instead.
func (s *start) shim(vol *disk.Volume, dev, at string) {
	dir := at[:max(strings.LastIndexByte(at, '/'), 0)]
	if _, err := lookup(vol, dir+"/fbx64.efi"); err == nil && strings.EqualFold(dir, "EFI/BOOT") {
		s.unknown(trace.Bootloader, "which boot entries shim's fallback program makes: it writes the machine's variables")
		return
	}
	next, err := lookup(vol, dir+"/grubx64.efi")
	if err != nil {
		s.bds("uefi.shim-no-loader", "Failed to open \\"+strings.ReplaceAll(dir, "/", `\`)+"\\grubx64.efi - Not Found\nFailed to load image: Not Found\n", map[string]string{"path": slash(dir) + "/grubx64.efi"},
			"shim: start_image", dirCites(vol, dir+"/grubx64.efi"))
		s.unknown(trace.Bootloader, "what the firmware does after shim failed: /"+dir+"/grubx64.efi is missing")
		return
	}
	f, err := fsys.OpenFile(vol.FS, next)
	if err != nil {
		s.unknown(trace.Bootloader, "what "+slash(next)+" holds: "+err.Error())
		return
	}
	s.startEFI(vol, dev, next, f)
}

// shell is the last option: the shell inside the firmware. A startup.nsh on the image would be a script.
func (s *start) shell(option int, vols []efiVolume) {
	if s.m.Ended() {
		return
	}
	decided := s.m.Last()
	if s.exit != nil {
		decided = s.exit.step
	}
	name := fmt.Sprintf("Boot%04d", option)
	s.bds("uefi.load-shell", "BdsDxe: loading "+name+" "+uefiShell+"\nBdsDxe: starting "+name+" "+uefiShell+"\n", map[string]string{"option": name}, "EDK II: the shell is OVMF's last boot option", nil, cpuRow("long", "UEFI Shell"))
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
			s.unknown(trace.Firmware, "what the script "+slash(at)+" does: bootpath does not follow the UEFI shell")
			return
		}
	}
	s.bds("uefi.shell-prompt", "Shell> ", nil, "UEFI Shell 2.2", nil)
	stage := s.m.Step(decided).Stage
	s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: stage, Message: strings.TrimSpace(s.m.Step(decided).Console), Step: decided})
}
