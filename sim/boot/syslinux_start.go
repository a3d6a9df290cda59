package boot

import (
	"fmt"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/exe/ldlinux"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// isolinuxDirs are where ISOLINUX looks for its configuration: iso_open_config.
func isolinuxDirs() []string {
	return []string{"/boot/isolinux", "/isolinux", "/boot/syslinux", "/syslinux", "/"}
}

// isolinux is isolinux.bin with its first sectors in memory. at is its byte on the disk; drive says how
// the BIOS shows it, "ETCD" for a CD and "EHDD" for a disk. core/isolinux.asm.
func (s *start) isolinux(p *ldlinux.ISOLINUX, at int64, drive string, cause int) {
	d := s.c.Disk
	x := &sysLinux{start: s, name: "isolinux", banner: &p.Banner, vol: d.Volume(0), cwd: "/"}
	first := func(console string) {
		s.m.Emit(trace.Step{Actor: x.name, Stage: trace.Bootloader, Kind: "syslinux.start", Cause: cause, Console: console, Cites: machine.Cites(p.Cites, p.Rec.Cite(&p.Info.File, &p.Info.Length)),
			Rule: "SYSLINUX 6.04: isolinux.asm", Args: map[string]string{"name": p.Name(), "version": p.Version(), "path": isoPath(d, at)}},
			memoryRow(bootSectorAddr, uint64(p.Info.Length), "isolinux.bin", d.Name), cpuRow("real", p.Name()))
	}
	if p.Info.File == 0 {
		first("\n" + p.Text)
		x.giveUp(trace.Why("unknown.no-info-table"))
		return
	}
	file := int64(p.Info.File) * cdBlock
	if file >= d.Size {
		first("\n" + p.Text)
		x.giveUp(trace.Why("unknown.past-medium"))
		return
	}
	image := blob.Section(d.R, file, d.Size-file)
	sum, err := p.Sum(image)
	if err != nil {
		first("\n" + p.Text)
		x.giveUp(trace.Why("unknown.isolinux-loads").For(kernel.Because(err)))
		return
	}
	s.m.Wait(cost(int64(p.Info.Length), rateBIOS))
	if sum != p.Info.Checksum {
		text := p.Text + drive + "isolinux: Image checksum error, sorry...\n"
		first("\n" + text)
		n := x.emit("syslinux.bad-checksum", "", map[string]string{"want": hex(uint64(p.Info.Checksum)), "got": hex(uint64(sum))},
			"SYSLINUX 6.04: isolinux.asm, verify_image", p.Rec.Cite(&p.Info.Checksum))
		x.failed(n, "Image checksum error, sorry...")
		return
	}
	first("\n" + p.Text + drive + p.Copyright + "\n")
	x.run(isolinuxDirs(), []string{"isolinux.cfg", "syslinux.cfg"})
}

// isoPath is the name of the file that starts at that byte of the disk.
func isoPath(d *disk.Disk, at int64) string {
	if v := d.Volume(0); v != nil {
		if f, ok := v.FS.(interface{ PathAt(uint32) string }); ok {
			if p := f.PathAt(uint32(at / cdBlock)); p != "" {
				return slash(p)
			}
		}
	}
	return fmt.Sprintf("block %d", at/cdBlock)
}

// isoHybrid is the MBR that isohybrid writes: it loads isolinux.bin by its sector number. When that is not
// there it calls INT 18h, and the BIOS tries its next device. mbr/isohdpfx.S.
func (s *start) isoHybrid(cause int) {
	d := s.c.Disk
	h, rec, err := ldlinux.ReadHybrid(d.R)
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.isolinux-where").For(kernel.Because(err)))
		return
	}
	at := int64(min(h.LBA, uint64(d.Size/sector))) * sector
	head := make([]byte, 4)
	n, _ := d.R.ReadAt(head, at+64)
	cites := machine.Cites(rec.Cite(&h.LBA), cite(d.R, at+64, 4, "hybrid signature", ""))
	args := map[string]string{"sector": fmt.Sprint(h.LBA)}
	if n < 4 || uint32(head[0])|uint32(head[1])<<8|uint32(head[2])<<16|uint32(head[3])<<24 != ldlinux.HybridMagic {
		text := "isolinux.bin missing or corrupt.\n"
		s.m.Emit(trace.Step{Actor: "isohybrid", Stage: trace.Bootloader, Kind: "syslinux.no-hybrid", Cause: cause, Cites: cites, Args: args, Console: text, Rule: "SYSLINUX 6.04: isohdpfx.S, INT 18h"})
		return
	}
	jump := s.m.Emit(trace.Step{Actor: "isohybrid", Stage: trace.Bootloader, Kind: "syslinux.hybrid", Cause: cause, Cites: cites, Args: args, Rule: "SYSLINUX 6.04: isohdpfx.S"},
		memoryRow(bootSectorAddr, cdBlock, "isolinux.bin, first sectors", d.Name), cpuRow("real", "isolinux.bin"))
	p, err := ldlinux.ReadISOLINUX(blob.Section(d.R, at, d.Size-at))
	if err != nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.isolinux-code", "sector", fmt.Sprint(h.LBA)))
		return
	}
	s.isolinux(p, at, "EHDD", jump)
}

// syslinuxMBR is mbr.bin or gptmbr.bin: the one partition that is marked starts; without one the BIOS gets the
// turn back through INT 18h. mbr/mbr.S, mbr/gptmbr.S.
func (s *start) syslinuxMBR(gpt bool, drive uint8, cause int) {
	d := s.c.Disk
	var marked []disk.Partition
	var cites []blob.Cite
	if d.Table != nil && gpt == (d.Table.Type == "gpt") {
		cites = d.Table.Cites
		for _, p := range d.Table.Partitions {
			if p.Bootable {
				marked = append(marked, p)
			}
		}
	}
	text := ""
	switch {
	case len(marked) == 0 && gpt:
		text = "Missing OS\n"
	case len(marked) == 0:
		text = "Missing operating system.\n"
	case len(marked) > 1 && gpt:
		text = "Multiple active partitions\n"
	case len(marked) > 1:
		text = "Multiple active partitions.\n"
	}
	stop := func() {
		s.m.Emit(trace.Step{Actor: "mbr", Stage: trace.Bootloader, Kind: "syslinux.mbr-stops", Cause: cause, Cites: cites, Console: text, Rule: "SYSLINUX 6.04: mbr.S, gptmbr.S, INT 18h",
			Args: map[string]string{"message": strings.TrimSpace(text), "marked": fmt.Sprint(len(marked))}})
	}
	if text != "" {
		stop()
		return
	}
	p := marked[0]
	boot := make([]byte, sector)
	if n, _ := d.R.ReadAt(boot, p.Start*sector); n < sector || boot[510] != 0x55 || boot[511] != 0xaa {
		text = "Missing operating system.\n" // the signature is compared before the jump
		if gpt {
			text = "Missing OS\n"
		}
		cites = cite(d.R, p.Start*sector, sector, "boot sector of the partition", "")
		stop()
		return
	}
	jump := s.m.Emit(trace.Step{Actor: "mbr", Stage: trace.Bootloader, Kind: "syslinux.mbr", Cause: cause, Rule: "SYSLINUX 6.04: mbr.S, gptmbr.S",
		Cites: machine.Cites(p.Cites, cite(d.R, p.Start*sector, sector, "boot sector of the partition", "")),
		Args:  map[string]string{"partition": fmt.Sprint(p.Number), "sector": fmt.Sprint(p.Start)}},
		memoryRow(bootSectorAddr, sector, "boot sector", d.Name), cpuRow("real", "boot sector of partition "+fmt.Sprint(p.Number)))
	v := d.Volume(p.Number)
	if v == nil {
		v = &disk.Volume{Partition: p.Number}
	}
	s.sectorCode(v, p.Start*sector, drive, jump)
}

// Bounds of the search for ldlinux.sys.
const (
	maxSysDepth = 3
	maxSysDirs  = 256
)

// syslinuxVBR is the boot sector of a volume, which loads ldlinux.sys by its sector number: the file
// whose first sector that is. core/diskboot.inc.
func (s *start) syslinuxVBR(v *disk.Volume, boot []byte, cause int) {
	if v == nil || v.FS == nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.sys-loads").For(volumeProblem(v)))
		return
	}
	left := maxSysDirs
	l, at := findLDLINUX(v, ".", boot, 0, &left)
	if l == nil {
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.sys-sector"))
		return
	}
	name := "syslinux"
	if strings.HasPrefix(v.Type, "ext") {
		name = "extlinux" // the same program on this file system
	}
	mode := "EDD"
	if s.track > 0 {
		mode = "CHS" // INT 13h function 41h is not there
	}
	x := &sysLinux{start: s, name: name, banner: &l.Banner, vol: v, cwd: path.Join("/", l.Dir)}
	s.m.Emit(trace.Step{Actor: name, Stage: trace.Bootloader, Kind: "syslinux.start", Cause: cause, Console: "\n" + l.Screen(mode) + "\n",
		Cites: machine.Cites(volCites(v, at), l.Cites, l.Banner.Cites), Rule: "SYSLINUX 6.04: diskboot.inc, diskstart.inc", Args: map[string]string{"name": l.Name(), "version": l.Version(), "path": slash(at)}},
		cpuRow("real", l.Name()))
	x.run([]string{x.cwd, "/boot/syslinux", "/syslinux", "/"}, []string{"extlinux.conf", "syslinux.cfg"})
}

// findLDLINUX looks for the ldlinux.sys that a boot sector loads.
func findLDLINUX(v *disk.Volume, dir string, boot []byte, depth int, left *int) (*ldlinux.LDLINUX, string) {
	if *left--; *left < 0 || depth > maxSysDepth {
		return nil, ""
	}
	entries, _ := v.FS.ReadDir(dir)
	for _, e := range entries {
		if !strings.EqualFold(e.Name(), "ldlinux.sys") || e.IsDir() {
			continue
		}
		at := path.Join(dir, e.Name())
		f, err := fsys.OpenFile(v.FS, at)
		if err != nil {
			continue
		}
		l, err := ldlinux.ReadLDLINUX(f)
		first := firstByte(v, f)
		f.Close()
		if err == nil && first >= 0 && l.StartsAt(boot, first/sector) {
			return l, at
		}
	}
	for _, e := range entries {
		if e.IsDir() {
			if l, at := findLDLINUX(v, path.Join(dir, e.Name()), boot, depth+1, left); l != nil {
				return l, at
			}
		}
	}
	return nil, ""
}

// firstByte is where a file starts on its volume, -1 when that cannot be told.
func firstByte(v *disk.Volume, f fsys.File) int64 {
	file, vol := blob.Locate(f, 0, 1), blob.Locate(v.R, 0, 1)
	if len(file) == 0 || len(vol) == 0 || file[0].Blob != vol[0].Blob {
		return -1
	}
	return file[0].Off - vol[0].Off
}
