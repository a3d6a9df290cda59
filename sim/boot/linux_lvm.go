package boot

import (
	"fmt"
	"regexp"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/disk/lvm"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// logicalLink is the device that the links of a logical volume lead to, /dev/mapper/vg-lv and /dev/vg/lv, or of an
// array. lvm(8), mdadm(8).
func (s *start) logicalLink(name string) (device string, ok bool) {
	if node, ok := s.arrayLink(name); ok {
		return node, true
	}
	for i, v := range s.mapped {
		if name == "/dev/mapper/"+lvm.DeviceName(v.Name) || name == "/dev/"+v.Name {
			return fmt.Sprintf("dm-%d", i), true
		}
	}
	return "", false
}

// udevLVM has udev activate the group when its last physical volume was seen: 69-lvm.rules of LVM 2.03.12
// and later, on a system that systemd does not run.
func (in *shProcess) udevLVM() {
	if !in.x.udevd || len(in.x.mapped) > 0 {
		return
	}
	for _, file := range [...]string{"/lib/udev/rules.d/69-lvm.rules", "/usr/lib/udev/rules.d/69-lvm.rules", "/usr/lib/udev/rules.d/69-dm-lvm.rules"} {
		if text, ok := in.readFile(file); !ok || !strings.Contains(text, "lvm vgchange -aay") {
			continue
		}
		if _, ok := in.find("/sbin/lvm", true); ok {
			in.activateLVM("udev")
			return
		}
	}
}

// lvmSettings are settings of lvm.conf(5) that decide which volumes are activated, when they are not what
// they are without the file.
var lvmSettings = regexp.MustCompile(`(?m)^\s*(activation/|devices/|global/)?(volume_list|auto_activation_volume_list|filter|global_filter|system_id_source|event_activation\s*=\s*0|use_devicesfile\s*=\s*1)\b`)

// logicalVolumes lists what LVM would activate; or why that cannot be known. Neither when there is nothing.
func (in *shProcess) logicalVolumes() (out []lvm.Volume, group *lvm.Group, why *trace.Reason) {
	members := lvm.Members(in.x.c.Disk)
	for _, m := range members {
		switch g := m.PV.Group; {
		case g == nil:
			continue
		case group != nil && g.UUID != group.UUID:
			return nil, nil, trace.Why("unknown.lvm-order", "a", group.Name, "b", g.Name)
		case len(g.Missing(members)) > 0:
			return nil, nil, trace.Why("unknown.lvm-volume-missing", "group", g.Name, "volume", g.Missing(members)[0])
		case g.SystemID != "":
			return nil, nil, trace.Why("unknown.lvm-owner", "group", g.Name, "owner", g.SystemID)
		default:
			group = g
		}
	}
	if conf, ok := in.readFile("/etc/lvm/lvm.conf"); ok {
		if set := lvmSettings.FindString(conf); set != "" {
			return nil, nil, trace.Why("unknown.lvm-conf", "setting", strings.TrimSpace(set))
		}
	}
	for _, v := range lvm.Open(in.x.c.Disk.R, members) {
		if v.Err != nil || !v.Visible {
			return nil, nil, trace.Why("unknown.lvm-kind", "group", group.Name, "volume", v.Name)
		}
		if !v.Manual {
			out = append(out, v)
		}
	}
	return out, group, nil
}

// activateLVM makes a device of each logical volume; it tells whether it did. vgchange(8), -aay. When that
// cannot be known, a device that is not found later is in doubt.
func (in *shProcess) activateLVM(by string) bool {
	x := in.x
	vols, group, why := in.logicalVolumes()
	for _, m := range lvm.Members(x.c.Disk) {
		present := false
		for _, b := range x.blockDevices() {
			present = present || b.vol != nil && (b.vol.Name == "" || strings.HasPrefix(b.vol.Name, "md:")) && b.vol.Type == "LVM2_member" && b.vol.Off == m.Off
		}
		if !present {
			return false // the disk's driver is not there yet
		}
	}
	if why == nil && len(vols) == 0 {
		return false
	}
	tree := x.moduleTree()
	if why == nil && x.have("dm_mod") != yes && (tree == nil || !in.loadModule(tree, "dm_mod", by, 0)) {
		if x.have("dm_mod") == no {
			return false
		}
		why = trace.Why("unknown.driver-builtin", "driver", "dm_mod", "version", x.version)
	}
	if why != nil {
		if x.unsure == nil {
			x.unsure = why
		}
		return false
	}
	var rows []machine.Set
	var names []string
	var cites []blob.Cite
	for i := range x.c.Disk.Volumes {
		v := &x.c.Disk.Volumes[i]
		for _, l := range vols {
			if v.Name != l.Name {
				continue
			}
			name := fmt.Sprintf("dm-%d", len(x.mapped))
			x.mapped = append(x.mapped, v)
			x.addDevice(name, v)
			row := deviceRow(name, v.Size, "dm_mod", v)
			row.Row["name"] = lvm.DeviceName(v.Name)
			rows, names, cites = append(rows, row), append(names, name+" = "+v.Name), append(cites, v.Cites...)
		}
	}
	args := map[string]string{"group": group.Name, "volumes": strings.Join(names, ", "), "by": by}
	x.k.Emit(in.stepOf("initramfs.activate-lvm", "", args, "vgchange(8), -aay", cites...), rows...)
	return true
}

// lvmCommand is lvm(8) on a disk with physical volumes; false for what is not followed.
func (in *shProcess) lvmCommand(words []string) bool {
	if len(words) > 1 && strings.HasSuffix(words[0], "lvm") {
		words = words[1:]
	}
	name := words[0][strings.LastIndexByte(words[0], '/')+1:]
	activate := false
	for i, w := range words {
		activate = activate || w == "-ay" || w == "-aay" || w == "-a" && i+1 < len(words) && (words[i+1] == "y" || words[i+1] == "ay")
	}
	if !activate || name != "vgchange" && name != "lvchange" {
		return false
	}
	before := len(in.x.mapped)
	if before == 0 && !in.activateLVM(name) {
		return false
	}
	// lvchange activates those that it is told; with a single one that is all there is.
	if name == "lvchange" && before == 0 && len(in.x.mapped) > 1 {
		return false
	}
	if name == "vgchange" {
		vg, _, _ := strings.Cut(in.x.mapped[0].Name, "/")
		in.out("  %d logical volume(s) in volume group \"%s\" now active\n", len(in.x.mapped), vg)
	}
	return true
}

// behind says what a volume hides that is recognised and cannot be read.
func behind(device string, v *disk.Volume) *trace.Reason {
	switch v.Type {
	case "crypto_LUKS", "BitLocker":
		return trace.Why("unknown.encrypted", "device", "/dev/"+device, "type", v.Type)
	case "linux_raid_member":
		return trace.Why("unknown.array", "device", "/dev/"+device)
	}
	return trace.Why("unknown.volume-unread", "device", "/dev/"+device, "type", v.Type)
}
