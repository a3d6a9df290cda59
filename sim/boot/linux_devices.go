package boot

import (
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// hardware is one device of the machine that holds the image: the drivers between it and a block
// device, outermost bus first.
type hardware struct {
	name  string // of the block device: "vda"
	chain []driver
	bound int // how many drivers of the chain are bound
}

// driver is a kernel driver and the modalias by which udev finds its module.
type driver struct {
	module, modalias string
}

// attach is the machine that images are started on, the one that the recordings were made with: a disk
// behind virtio-blk, a CD-ROM behind virtio-scsi, or a floppy. The aliases are those of QEMU's devices:
// PCI 1af4:1001 and 1af4:1004 (Virtio 1.2, section 5), SCSI type 5, PNP0700.
func (x *linux) attach() []*hardware {
	if x.c.Kernel != nil {
		return nil // a machine without drives
	}
	if x.c.Firmware == "rpi" || x.c.Firmware == "uboot" { // a card in the slot of a Raspberry Pi 4, or of a board like it
		return []*hardware{{name: "mmcblk0", chain: []driver{
			{"sdhci_iproc", "of:NmmcT(null)Cbrcm,bcm2711-emmc2"},
			{"mmc_block", "mmc:block"},
		}}}
	}
	switch x.c.Device {
	case "cdrom":
		return []*hardware{{name: "sr0", chain: []driver{
			{"virtio_pci", "pci:v00001AF4d00001004sv00001AF4sd00000008bc01sc00i00"},
			{"virtio_scsi", "virtio:d00000008v00001AF4"},
			{"sr_mod", "scsi:t-0x05"},
		}}}
	case "floppy":
		return []*hardware{{name: "fd0", chain: []driver{{"floppy", "acpi:PNP0700:"}}}}
	}
	return []*hardware{{name: "vda", chain: []driver{
		{"virtio_pci", "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00"},
		{"virtio_blk", "virtio:d00000002v00001AF4"},
	}}}
}

// probe binds the drivers that have says are there and makes the block devices that result.
func (x *linux) probe(have func(module string) answer, by string) {
	for _, h := range x.hw {
		for h.bound < len(h.chain) {
			a := have(h.chain[h.bound].module)
			if a == unknown && x.noDriver == nil {
				x.noDriver = trace.Why("unknown.driver-builtin", "driver", h.chain[h.bound].module, "version", x.version)
			}
			if a != yes {
				break
			}
			if h.bound++; h.bound == len(h.chain) {
				x.appear(h, by)
			}
		}
	}
}

// appear makes a whole disk and its partitions known: the kernel reads the partition table and names
// what it found in one line (block/partitions/core.c).
func (x *linux) appear(h *hardware, by string) {
	d := x.c.Disk
	last := h.chain[len(h.chain)-1].module
	rows := []machine.Set{deviceRow(h.name, d.Size, last, d.Volume(0))}
	x.addDevice(h.name, d.Volume(0))
	line, cites := " "+h.name+":", []blob.Cite(nil)
	if partitioned := h.name == "vda" || h.name == "mmcblk0"; d.Table != nil && partitioned {
		cites = d.Table.Cites
		for i := range d.Table.Partitions {
			p := &d.Table.Partitions[i]
			if p.Start < 0 || p.Start*disk.SectorSize >= d.Size {
				continue
			}
			name := fmt.Sprintf("%s%d", h.name, p.Number)
			if h.name == "mmcblk0" { // a name that ends with a digit: block/partitions/core.c
				name = fmt.Sprintf("%sp%d", h.name, p.Number)
			}
			v := d.Volume(p.Number)
			if v == nil && p.Number > 4 {
				v = &disk.Volume{Partition: p.Number, Size: p.Size * disk.SectorSize}
			}
			line += " " + name
			rows = append(rows, deviceRow(name, p.Size*disk.SectorSize, last, v))
			cites = append(cites, p.Cites...)
			x.addDevice(name, v)
		}
	}
	if h.name != "vda" && h.name != "mmcblk0" || d.Table == nil {
		line = ""
	}
	x.emit("linux.find-disk", kernInfo, line, map[string]string{"device": h.name, "size": bytesText(d.Size), "driver": last, "partitions": strings.TrimSpace(strings.TrimPrefix(line, " "+h.name+":")), "by": by},
		"block/partitions/core.c, bdev_disk_changed", cites, rows...)
}

func (x *linux) addDevice(name string, v *disk.Volume) {
	if v == nil {
		x.k.AddDevice(name, nil, "", "", "")
		return
	}
	uuid, label := v.UUID, v.Label
	if v.FS != nil {
		info := v.FS.Info()
		uuid, label = info.UUID, info.Label
	}
	x.k.AddDevice(name, v.FS, v.Type, uuid, label)
}

func deviceRow(name string, size int64, driver string, v *disk.Volume) machine.Set {
	row := trace.Row{"size": bytesText(size), "driver": driver}
	if v != nil {
		if v.Type != "" {
			row["type"] = v.Type
		}
		if v.FS != nil {
			if i := v.FS.Info(); i.UUID != "" {
				row["uuid"] = i.UUID
			}
			if i := v.FS.Info(); i.Label != "" {
				row["label"] = i.Label
			}
		}
	}
	return machine.Set{Table: trace.Devices, ID: name, Row: row}
}

// blockDevice is what can be asked about a block device that exists.
type blockDevice struct {
	name     string // "vda1"
	vol      *disk.Volume
	part     *disk.Partition
	diskUUID string
}

// blockDevices lists those that exist now and have a size: a loop device without a file has none.
func (x *linux) blockDevices() []blockDevice {
	var out []blockDevice
	for _, d := range x.k.Devices() {
		b := blockDevice{name: d.Name}
		base := x.hw[0].name
		if n := 0; strings.HasPrefix(d.Name, "dm-") && scanInt(d.Name[3:], &n) && n < len(x.mapped) {
			b.vol = x.mapped[n]
		} else if v := x.arrayVolume(d.Name); v != nil {
			b.vol = v
		} else if l := x.loopNamed(d.Name); l != nil {
			if l.file == "" {
				continue
			}
			b.vol = l.vol
		} else if d.Name == base {
			b.vol = x.c.Disk.Volume(0)
		} else if n := 0; scanInt(strings.TrimPrefix(d.Name, base), &n) {
			b.vol, b.part = x.c.Disk.Volume(n), x.c.Disk.Partition(n)
		}
		out = append(out, b)
	}
	return out
}

func scanInt(s string, n *int) bool {
	_, err := fmt.Sscanf(s, "%d", n)
	return err == nil
}

// tag gives what blkid(8) reports under a name; "" when it has none.
func (b blockDevice) tag(name string) string {
	switch {
	case name == "PARTUUID" && b.part != nil:
		return strings.ToLower(b.part.UUID)
	case name == "PARTLABEL" && b.part != nil:
		return b.part.Name
	case b.vol == nil:
		return ""
	case name == "TYPE":
		return b.vol.Type
	case b.vol.FS == nil && name == "UUID":
		return b.vol.UUID
	case b.vol.FS == nil && name == "LABEL":
		return b.vol.Label
	case b.vol.FS == nil:
		return ""
	case name == "UUID":
		return b.vol.FS.Info().UUID
	case name == "LABEL":
		return b.vol.FS.Info().Label
	}
	return ""
}

// lookup finds the device with NAME=VALUE, by blkid's rules: the value must be the same.
func (x *linux) lookup(name, value string) (blockDevice, bool) {
	for _, b := range x.blockDevices() {
		if got := b.tag(name); got != "" && got == value {
			return b, true
		}
	}
	x.doubt(name)
	return blockDevice{}, false
}

// doubt notes, when a search found nothing, that the device may be there all the same: a driver may be
// built in of which the image does not say so, or a volume has names that cannot be read.
func (x *linux) doubt(tag string) {
	if x.unsure != nil {
		return
	}
	if x.noDriver != nil && len(x.blockDevices()) == 0 {
		x.unsure = x.noDriver
		return
	}
	if tag == "PARTUUID" || tag == "PARTLABEL" {
		return
	}
	for _, b := range x.blockDevices() {
		if b.vol != nil && b.vol.Type != "" && b.vol.FS == nil && x.hides(b.vol, tag) {
			x.unsure = behind(b.name, b.vol)
			return
		}
	}
}

// hides tells whether a volume that is not read may be, or hold, the device that a search for a tag did not find; without
// a tag the search was for the name of a device. What is encrypted stays closed until a program opens it, and that program's
// run is followed.
func (x *linux) hides(v *disk.Volume, tag string) bool {
	switch v.Type {
	case "linux_raid_member":
		return !x.inMirror(v)
	case "LVM2_member":
		return v.Err != nil
	case "crypto_LUKS", "BitLocker":
		return false
	}
	return tag != "" && v.UUID == "" && !damagedSquashfs(v) // blkid may read a name that bootpath does not
}

// device finds a block device by its node's name, "vda1".
func (x *linux) device(name string) (blockDevice, bool) {
	for _, b := range x.blockDevices() {
		if b.name == name {
			return b, true
		}
	}
	return blockDevice{}, false
}

// volumeFS is the file system of a device, nil when none is readable.
func (b blockDevice) volumeFS() fsys.FS {
	if b.vol == nil {
		return nil
	}
	return b.vol.FS
}
