package boot

import (
	"path"
	"slices"
	"strings"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/disk"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// deviceTimeout is DefaultDeviceTimeoutSec=, 90 seconds. systemd-system.conf(5).
const deviceTimeout = 90 * time.Second

// startDevice waits for a device: device units cannot be started, udev announces them. systemd.device(5).
func (x *sysd) startDevice(j *systemd.Job) {
	u := j.Unit
	st := x.step("systemd.expect-device", j, "systemd.device(5)")
	st.Console = x.say(u, wordNone, "Expecting device %s...", logInfo)
	x.steps[u] = x.emit(st, unitRow(u, "activating"))
	x.waitingDevices = append(x.waitingDevices, j)
	if limit := timeSpan(u.JobRunningTimeout, deviceTimeout); limit > 0 {
		x.later(limit, onOther, j, func() { x.jobTimedOut(j, "systemd.unit(5) JobRunningTimeoutSec=") })
	}
	if x.devicesDone {
		x.announce()
	}
}

// deviceCheck lets the devices appear once udev runs and was told of all of them.
func (x *sysd) deviceCheck() {
	if x.devicesDone || !x.udevd || !x.coldplug {
		return
	}
	x.devicesDone = true
	x.later(costSystemdDevice, onOther, nil, x.announce)
}

// announce ends the waiting for the devices that are there.
func (x *sysd) announce() {
	waiting := x.waitingDevices
	x.waitingDevices = nil
	for _, j := range waiting {
		u := j.Unit
		if x.mgr.Job(u) != j {
			continue
		}
		p := systemd.UnescapePath(systemd.Prefix(u.ID))
		here, known := x.devicePresent(p)
		if !known {
			x.doubt(trace.Why("unknown.device-there", "device", p))
			if !here && x.unsure == nil {
				x.unsure = trace.Why("unknown.device-there", "device", p)
			}
		}
		if !here {
			x.waitingDevices = append(x.waitingDevices, j)
			continue
		}
		u.State = systemd.Active
		x.markStarted(u)
		st := x.step("systemd.found-device", j, "systemd.device(5)")
		st.Args["path"] = p
		if d, ok := x.deviceFor(p); ok && d.FS != nil {
			st.Cites = append(d.FS.Info().Cites, st.Cites...)
		}
		st.Console = x.say(u, wordOK, "Found device %s.", logInfo)
		x.steps[u] = x.emit(st, unitRow(u, "active"))
		x.finish(j, systemd.Done)
	}
}

// devicePresent tells whether udev announces a device of that path. Network interfaces and others that
// the image says nothing of cannot be known; they are taken to be there.
func (x *sysd) devicePresent(p string) (here, known bool) {
	if x.deviceHere(p) {
		return true, true
	}
	name, ok := strings.CutPrefix(p, "/dev/")
	switch {
	case !ok:
		return true, false
	case strings.HasPrefix(name, "disk/by-path/"), strings.HasPrefix(name, "disk/by-id/"):
		return false, false
	case strings.HasPrefix(name, "mapper/"), strings.HasPrefix(name, "md"), strings.HasPrefix(name, "dm-"), strings.Count(name, "/") == 1 && !strings.HasPrefix(name, "disk/"):
		// Made by LVM, LUKS or RAID from what is on the disk.
		return false, !slices.ContainsFunc(x.k.Devices(), func(d kernel.Device) bool {
			return strings.HasPrefix(d.FSType, "LVM") || strings.HasPrefix(d.FSType, "crypto") || strings.Contains(d.FSType, "raid")
		})
	}
	return false, true
}

// deviceHere tells whether the machine has a device node that udev tags for systemd: serial lines and
// block devices. 99-systemd.rules.
func (x *sysd) deviceHere(p string) bool {
	switch strings.TrimPrefix(p, "/dev/") {
	case "ttyS0", "ttyS1", "ttyS2", "ttyS3":
		return true
	}
	_, ok := x.deviceFor(p)
	return ok
}

// deviceFor finds the block device behind a node or one of the links that udev makes for it.
func (x *sysd) deviceFor(p string) (kernel.Device, bool) {
	p = systemd.NodePath(p)
	if dev, ok := x.logicalLink(p); ok {
		p = "/dev/" + dev
	}
	for _, d := range x.k.Devices() {
		if p == "/dev/"+d.Name {
			return d, true
		}
		tag, value := path.Split(strings.TrimPrefix(p, "/dev/disk/"))
		if value == "" || !strings.HasPrefix(p, "/dev/disk/") {
			continue
		}
		part := x.partition(d.Name)
		match := false
		switch strings.TrimSuffix(tag, "/") {
		case "by-uuid":
			match = d.UUID != "" && systemd.NodePath("UUID="+d.UUID) == p
		case "by-label":
			match = d.Label != "" && systemd.NodePath("LABEL="+d.Label) == p
		case "by-partuuid":
			match = part != nil && part.UUID != "" && strings.EqualFold(systemd.NodePath("PARTUUID="+part.UUID), p)
		case "by-partlabel":
			match = part != nil && part.Name != "" && systemd.NodePath("PARTLABEL="+part.Name) == p
		}
		if match {
			return d, true
		}
	}
	return kernel.Device{}, false
}

// partition is the entry of the partition table behind a device name like "vda1".
func (x *sysd) partition(name string) *disk.Partition {
	if x.c.Disk == nil || strings.HasPrefix(name, "dm-") {
		return nil
	}
	i := len(name)
	for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	n := 0
	if !scanInt(name[i:], &n) {
		return nil
	}
	return x.c.Disk.Partition(n)
}
