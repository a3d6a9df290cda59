package boot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/disk"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// chainBIOS is chainloader on a BIOS: one sector, of a block list ("+1") or of a file, is checked for the signature of a boot
// sector and later started at 0000:7c00 with the number of its drive. GRUB 2.06, loader/i386/pc/chainloader.c.
func (g *grub) chainBIOS(c *grubCall, name string, force bool) int {
	vol, off, err := g.chainSector(name)
	if err != nil {
		return g.fail(c, err)
	}
	d := g.c.Disk
	first := make([]byte, sector)
	if n, _ := d.R.ReadAt(first, off); n < sector {
		return g.fail(c, &grubError{msg: "premature end of file " + name, code: errBadOS})
	}
	signature := cite(d.R, off+510, 2, "boot signature", fmt.Sprintf("%02x %02x", first[510], first[511]))
	if !force && (first[510] != 0x55 || first[511] != 0xaa) {
		return g.fail(c, &grubError{msg: "invalid signature", code: errBadOS, cites: signature})
	}
	g.emit("grub.chain-sector", "", map[string]string{"path": name, "sector": fmt.Sprint(off / sector)}, "GRUB 2.06: loader/i386/pc/chainloader.c", machine.Cites(c.src.cite(c.node.Span), signature))
	drive := uint8(0x80)
	if strings.HasPrefix(g.devs[0].name, "fd") {
		drive = 0
	}
	g.os = &grubOS{path: name, chain: func(cause int) { g.startSector(vol, off, drive) }}
	return grubOK
}

// chainSector is where the first sector of a file or of a block list lies on the disk.
func (g *grub) chainSector(name string) (*disk.Volume, int64, *grubError) {
	dev, file, err := g.split(name)
	if err != nil {
		return nil, 0, err
	}
	start, _, list := strings.Cut(file, "+")
	if strings.HasPrefix(file, "/") || !list {
		f, err := g.openRaw(name)
		if err != nil {
			return nil, 0, err
		}
		vol, _, err := g.find(name)
		if err != nil {
			return nil, 0, err
		}
		if at := firstByte(vol, f); at >= 0 {
			return vol, vol.Off + at, nil
		}
		return nil, 0, &grubError{unknown: trace.Why("unknown.grub-blocklist", "name", name)}
	}
	d, err := g.device(dev)
	if err != nil {
		return nil, 0, err
	}
	at, bad := strconv.ParseInt("0"+start, 10, 32)
	switch p := g.c.Disk.Partition(d.number); {
	case bad != nil || strings.ContainsAny(d.name, "/") || d.name == "memdisk":
		return nil, 0, &grubError{unknown: trace.Why("unknown.grub-blocklist", "name", name)}
	case d.number == 0:
		return g.c.Disk.Volume(0), at * sector, nil
	case p == nil:
		return nil, 0, g.noDevice(dev, "no such partition")
	default:
		vol := g.c.Disk.Volume(d.number)
		if vol == nil {
			vol = &disk.Volume{Partition: d.number}
		}
		return vol, (p.Start + at) * sector, nil
	}
}

// startSector jumps to a boot sector. One that was started before by GRUB comes to the same again; nobody ends that.
func (g *grub) startSector(vol *disk.Volume, off int64, drive uint8) {
	args := map[string]string{"sector": fmt.Sprint(off / sector), "drive": fmt.Sprintf("%#02x", drive)}
	kind, again := trace.Kind("grub.jump-sector"), slices.Contains(g.chained, off)
	if again {
		kind = "grub.jump-again"
	}
	n := g.emit(kind, "", args, "GRUB 2.06: grub_chainloader_boot, DL is the drive", nil,
		memoryRow(bootSectorAddr, sector, "boot sector", g.c.Disk.Name), cpuRow("real", "boot sector at 0000:7c00"))
	switch {
	case again && len(g.saved) > 0: // the next time it reads another grubenv
		g.cannotKnow(trace.Bootloader, trace.Why("unknown.grub-chain"))
	case again:
		g.start.stop(trace.Bootloader, g.lastLine())
	default:
		g.chained = append(g.chained, off)
		g.sectorCode(vol, off, drive, n)
	}
}
