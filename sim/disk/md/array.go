package md

import (
	"fmt"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// Array is an array that members on a disk belong to.
type Array struct {
	Member        // the newest superblock
	Present int   // members in sync that are here
	On      []int // their places in the disk's list of volumes
	At      int64 // bytes: where on the disk the data of a mirror begins
	Err     error // why the data cannot be read; wraps [decode.ErrUnsupported]
}

// VolumeName is the name of the volume that an array makes.
func (a *Array) VolumeName() string { return "md:" + strings.ReplaceAll(a.UUID, ":", "") }

// Arrays puts together what the volumes of a disk are members of, in the order of the first member of each.
func Arrays(d *disk.Disk) []Array {
	var out []Array
	for i := range d.Volumes {
		v := &d.Volumes[i]
		if v.Type != "linux_raid_member" || v.Name != "" {
			continue
		}
		m, err := Read(v.R, v.Size)
		if err != nil {
			continue
		}
		out = join(out, m, i, v)
	}
	for i := range out {
		out[i].check()
	}
	return out
}

func join(list []Array, m *Member, at int, v *disk.Volume) []Array {
	i := 0
	for i < len(list) && list[i].UUID != m.UUID {
		i++
	}
	if i == len(list) {
		list = append(list, Array{Member: *m})
	}
	a := &list[i]
	newer := m.Events > a.Events
	if newer {
		a.Member = *m
	}
	if m.InSync {
		// One that was left behind while the array went on is not taken in again: md.c, super_1_validate.
		if newer || len(a.On) == 0 {
			a.On, a.At = nil, v.Off+m.Off
		}
		if newer || m.Events+1 >= a.Events {
			a.On = append(a.On, at)
		}
	}
	a.Present = len(a.On)
	return list
}

// check says why an array's data cannot be read.
func (a *Array) check() {
	switch {
	case a.Level != "raid1":
		a.Err = fmt.Errorf("%s: only mirrors are put together: %w", &a.Member, decode.ErrUnsupported)
	case a.Present == 0:
		a.Err = fmt.Errorf("%s: no member here holds all of the data: %w", &a.Member, decode.ErrUnsupported)
	}
}

// Volume is the device that the array makes; its file system is not looked for.
func (a *Array) Volume(d *disk.Disk) disk.Volume {
	v := disk.Volume{Name: a.VolumeName(), Size: a.Size, Cites: a.Cites, Err: a.Err}
	if a.Err != nil {
		return v
	}
	if a.At < 0 || a.At > d.Size || a.Size > d.Size-a.At {
		v.Err = fmt.Errorf("%s: its data ends at %d of %d bytes: %w", &a.Member, a.At+a.Size, d.Size, decode.ErrUnsupported)
		return v
	}
	v.Off, v.R = a.At, blob.Section(d.R, a.At, a.Size)
	return v
}
