package identify

import (
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/disk/mbr"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/exe/pe"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/fsys/iso9660"
)

// Bootloader is code that firmware would start.
type Bootloader struct {
	Firmware string // "bios", "uefi", "rpi" or "uboot"
	Name     string // "grub", "isolinux", "systemd-boot", …; "unknown" when the code is not recognised
	Path     string // of the file, "" for boot sectors
}

// bootCodeBytes is the part of the first sector that is code, before the disk signature.
const bootCodeBytes = 440

// Bootloaders lists what each firmware would start. An EFI program that two boot entries reach is listed
// once.
func (im *Image) Bootloaders() []Bootloader {
	d := im.Disk
	if d == nil {
		return nil
	}
	var out []Bootloader
	if l, ok := bootSector(d); ok {
		out = append(out, l)
	}
	for _, e := range d.ElTorito {
		if e.Platform == "bios" && e.Bootable {
			out = append(out, Bootloader{"bios", im.elToritoName(e), im.ElToritoPath(e)})
		}
	}
	out = append(out, boardLoaders(d)...)
	for _, v := range d.Volumes {
		if v.FS != nil && v.Type == "vfat" && v.Name == "" {
			out = append(out, efiPrograms(v.FS)...)
		}
	}
	if len(out) > 0 && out[len(out)-1].Firmware == "uefi" {
		return out
	}
	for _, e := range d.ElTorito {
		if e.Platform == "uefi" && e.Bootable {
			off := int64(e.LBA) * iso9660BlockSize
			if f, err := fat.Open(blob.Section(d.R, off, d.Size-off), d.Size-off); err == nil {
				out = append(out, efiPrograms(f)...)
			}
		}
	}
	return out
}

const iso9660BlockSize = 2048

// boardLoaders lists what small boards start: a Raspberry Pi's firmware on the first FAT volume, and what U-Boot looks
// for on the volumes.
func boardLoaders(d *disk.Disk) []Bootloader {
	var out []Bootloader
	for _, v := range d.Volumes {
		if v.FS == nil || v.Name != "" {
			continue
		}
		if v.Type == "vfat" && len(out) == 0 {
			for _, name := range []string{"start4.elf", "start.elf", "bootcode.bin"} {
				if _, err := fsys.OpenFile(v.FS, name); err == nil {
					out = append(out, Bootloader{"rpi", "raspberrypi", abs(name)})
					break
				}
			}
		}
		for _, name := range []string{"extlinux/extlinux.conf", "boot/extlinux/extlinux.conf", "boot.scr", "boot/boot.scr"} {
			if at, err := fsys.Resolve(v.FS, name); err == nil {
				out = append(out, Bootloader{"uboot", "u-boot", abs(at)})
				break
			}
		}
	}
	return out
}

// bootSector names the code of the first sector; false when a BIOS would not run it.
func bootSector(d *disk.Disk) (Bootloader, bool) {
	sector, _, err := mbr.ReadBootSector(d.R)
	if err != nil || sector.Signature != mbr.Signature {
		return Bootloader{}, false
	}
	if _, err := grubcore.ReadBootSector(d.R); err == nil {
		return Bootloader{"bios", "grub", ""}, true
	}
	code := make([]byte, bootCodeBytes)
	d.R.ReadAt(code, 0)
	if len(strings.Trim(string(code), "\x00")) == 0 {
		return Bootloader{}, false // no code: a data disk, or a disk for UEFI only
	}
	return Bootloader{"bios", codeName(string(code)), ""}, true
}

// codeName recognises boot code by the texts in it.
func codeName(code string) string {
	for _, known := range [...]struct{ text, name string }{
		{"isolinux.bin missing or corrupt", "isohybrid"}, {"SYSLINUX", "syslinux"}, {"Missing operating system.", "syslinux"},
		{"BOOTMGR", "windows"}, {"FreeDOS", "freedos"}, {"FDOS", "freedos"}, {"OpenBSD", "openbsd"},
	} {
		if strings.Contains(code, known.text) {
			return known.name
		}
	}
	return "unknown"
}

func (im *Image) elToritoName(e disk.BootEntry) string {
	r := blob.Section(im.Disk.R, int64(e.LBA)*iso9660BlockSize, im.Disk.Size-int64(e.LBA)*iso9660BlockSize)
	if _, _, err := grubcore.ReadCDBoot(r); err == nil {
		return "grub"
	}
	if _, ok := grubcore.Find(r, "ISOLINUX", 64<<10); ok {
		return "isolinux"
	}
	return "unknown"
}

// ElToritoPath is the path of the file that the entry loads, "" when no file starts there.
func (im *Image) ElToritoPath(e disk.BootEntry) string {
	for _, v := range im.Disk.Volumes {
		if f, ok := v.FS.(*iso9660.FS); ok {
			if p := f.PathAt(e.LBA); p != "" {
				return abs(p)
			}
		}
	}
	return ""
}

// efiPrograms lists the default boot programs of an EFI system partition, UEFI 2.10 section 3.5.1.1
// (\EFI\BOOT\BOOT{machine type}.EFI), and what each is.
func efiPrograms(f fsys.FS) []Bootloader {
	var out []Bootloader
	for _, machine := range []string{"X64", "AA64", "IA32", "ARM", "RISCV64", "LOONGARCH64"} {
		name := path.Join("EFI", "BOOT", "BOOT"+machine+".EFI")
		file, err := fsys.OpenFile(f, name)
		if err != nil {
			continue
		}
		program := "unknown"
		if p, err := pe.Read(file, file.Size()); err == nil {
			if found, _ := p.Program(); found != "" {
				program = found
			}
		}
		file.Close()
		out = append(out, Bootloader{"uefi", program, abs(name)})
	}
	return out
}

// espTypes are the partition types of an EFI system partition: UEFI 2.10, section 5.3.3 (GPT) and table 5.3
// (MBR).
var espTypes = [...]string{"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EF"}

// HasESP tells whether the disk has an EFI system partition, whatever is on it.
func (im *Image) HasESP() bool {
	if im.Disk == nil || im.Disk.Table == nil {
		return false
	}
	for _, p := range im.Disk.Table.Partitions {
		for _, t := range espTypes {
			if strings.EqualFold(p.Type, t) {
				return true
			}
		}
	}
	return false
}
