package boot

import (
	"fmt"
	"regexp"
	"slices"
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
		if v.Partition == underVolume {
			continue
		}
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

// underVolume marks a device that a logical volume is made of: nothing is looked for on it.
const underVolume = -1

// logicalVolumes lists what LVM would activate; or why that cannot be known. Neither when there is nothing. Of a group that
// lacks a physical volume an event activates nothing (pvscan(8), --checkcomplete), a command those volumes that are whole:
// lvm.conf(5), activation_mode "degraded".
func (in *shProcess) logicalVolumes(by string) (out []lvm.Volume, group *lvm.Group, why *trace.Reason) {
	members := lvm.Members(in.x.c.Disk)
	incomplete := false
	for _, m := range members {
		switch g := m.PV.Group; {
		case g == nil:
			continue
		case group != nil && g.UUID != group.UUID:
			return nil, nil, trace.Why("unknown.lvm-order", "a", group.Name, "b", g.Name)
		case g.SystemID != "":
			return nil, nil, trace.Why("unknown.lvm-owner", "group", g.Name, "owner", g.SystemID)
		default:
			group, incomplete = g, len(g.Missing(members)) > 0
		}
	}
	if incomplete {
		in.incompleteGroup(group, group.Missing(members)[0])
		if by == "udev" {
			return nil, group, nil
		}
	}
	if conf, ok := in.readFile("/etc/lvm/lvm.conf"); ok {
		if set := lvmSettings.FindString(conf); set != "" {
			return nil, nil, trace.Why("unknown.lvm-conf", "setting", strings.TrimSpace(set))
		}
	}
	for _, v := range lvm.Open(in.x.c.Disk.R, members) {
		switch {
		case !v.Visible || v.Manual:
		case v.Err != nil && incomplete:
			return nil, nil, trace.Why("unknown.lvm-volume-missing", "group", group.Name, "volume", group.Missing(members)[0])
		case v.Err != nil:
			return nil, nil, trace.Why("unknown.lvm-kind", "group", group.Name, "volume", v.Name)
		default:
			out = append(out, v)
		}
	}
	return out, group, nil
}

// activateLVM makes a device of each logical volume; it tells whether it did. vgchange(8), -aay. When that
// cannot be known, a device that is not found later is in doubt.
func (in *shProcess) activateLVM(by string) bool {
	x := in.x
	if len(lvm.Members(x.c.Disk)) == 0 {
		return false
	}
	for _, m := range lvm.Members(x.c.Disk) {
		present := false
		for _, b := range x.blockDevices() {
			present = present || b.vol != nil && (b.vol.Name == "" || strings.HasPrefix(b.vol.Name, "md:")) && b.vol.Type == "LVM2_member" && b.vol.Off == m.Off
		}
		if !present {
			return false // the disk's driver is not there yet
		}
	}
	vols, group, why := in.logicalVolumes(by)
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
			if !in.makeUnder(group, &l, by) {
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

// makeUnder makes the devices that a mirror or a thin volume lies on, once each; it tells whether the driver for it is there.
// Of a pool LVM has thin_check look first: lvm.conf(5), thin_check_executable.
func (in *shProcess) makeUnder(group *lvm.Group, l *lvm.Volume, by string) bool {
	x := in.x
	driver := map[string]string{"raid1": "dm_raid", "thin": "dm_thin_pool", "thin-pool": "dm_thin_pool"}[l.Type]
	if tree := x.moduleTree(); driver != "" && x.have(driver) != yes && (tree == nil || !in.loadModule(tree, driver, by, 0)) {
		return false
	}
	if _, ok := in.find("thin_check", true); strings.HasPrefix(l.Type, "thin") && !ok {
		if x.unsure == nil {
			x.unsure = trace.Why("unknown.lvm-thin-check", "volume", l.Name)
		}
		return false
	}
	for _, part := range l.Under {
		name := group.Name + "/" + part
		if slices.ContainsFunc(x.mapped, func(v *disk.Volume) bool { return v.Name == name }) {
			continue
		}
		v := &disk.Volume{Name: name, Partition: underVolume}
		x.addDevice(fmt.Sprintf("dm-%d", len(x.mapped)), v)
		x.mapped = append(x.mapped, v)
	}
	if images := len(l.Under) / 2; l.Type == "raid1" {
		x.emit("linux.start-array", kernInfo, fmt.Sprintf("md/raid1:mdX: active with %d out of %[1]d mirrors", images),
			map[string]string{"array": l.Name, "members": fmt.Sprintf("%d of %[1]d", images)}, "drivers/md/raid1.c, raid1_run", l.Cites)
	}
	return true
}

// incompleteGroup says, once, that a group lacks a physical volume.
func (in *shProcess) incompleteGroup(group *lvm.Group, lacks string) {
	if in.x.searched == nil {
		in.x.searched = map[string]string{}
	}
	if in.x.searched[group.UUID] == "" {
		in.x.searched[group.UUID] = lacks
		in.step("initramfs.group-incomplete", map[string]string{"group": group.Name, "missing": lacks}, "pvscan(8), --checkcomplete", group.Cites...)
	}
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
