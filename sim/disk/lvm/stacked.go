package lvm

import (
	"encoding/binary"
	"fmt"
	"io"
	"sort"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// maxParts bounds the volumes that one is made of; LVM's RAID has at most 64 images.
const maxParts = 128

// stacked reads what a segment of volumes says.
func (s *Segment) stacked(r io.ReaderAt, n *node) error {
	switch s.Type {
	case "raid1":
		list := n.child("raids")
		if list == nil || len(list.values) == 0 || len(list.values)%2 != 0 || len(list.values) > maxParts {
			return decode.Errorf(r, int64(n.off), 1, "LVM2 metadata text: "+n.key, "pairs of volumes in raids", "others")
		}
		for _, v := range list.values {
			s.Parts = append(s.Parts, v.text)
		}
	case "thin-pool":
		chunk, _ := n.number("chunk_size")
		if chunk <= 0 || chunk > maxExtentSize {
			return decode.Errorf(r, int64(n.off), 1, "LVM2 metadata text: "+n.key, "chunk_size", "%d", chunk)
		}
		s.Parts, s.Chunk = []string{n.text("metadata"), n.text("pool")}, chunk*disk.SectorSize
		s.Creating = n.child("message1") != nil
	case "thin":
		s.Parts = []string{n.text("thin_pool")}
		s.Device, _ = n.number("device_id")
		s.Creating = n.child("external_origin") != nil || n.child("merge") != nil
	}
	return nil
}

// logical finds a volume by its name.
func (g *Group) logical(name string) *Logical {
	for i := range g.Logical {
		if g.Logical[i].Name == name {
			return &g.Logical[i]
		}
	}
	return nil
}

// under lists the devices that are made before that of a volume, lowest first: _add_new_lv_to_dtree of LVM's
// lib/activate/dev_manager.c.
func (g *Group) under(l *Logical) []string {
	if len(l.Segments) != 1 {
		return nil
	}
	switch s := l.Segments[0]; s.Type {
	case "raid1":
		return s.Parts
	case "thin-pool":
		return append(s.Parts[:2:2], l.Name+"-tpool")
	case "thin":
		if pool := g.logical(s.Parts[0]); pool != nil && len(pool.Segments) == 1 && pool.Segments[0].Type == "thin-pool" {
			return g.under(pool)
		}
	}
	return nil
}

// extents says where the bytes of a segment lie on the disk.
func (g *Group) extents(r io.ReaderAt, members []Member, s Segment) ([]blob.Extent, error) {
	base := s.Start * g.ExtentSize
	switch s.Type {
	case "raid1":
		leg, err := g.leg(r, members, s)
		if err != nil {
			return nil, err
		}
		return shifted(leg, base, 0, s.Count*g.ExtentSize), nil
	case "thin":
		return g.thin(r, members, s)
	case "thin-pool":
		return nil, nil // its data belong to the volumes in it
	}
	at, err := g.place(members, s)
	if err != nil {
		return nil, err
	}
	return []blob.Extent{{Off: base, Len: s.Count * g.ExtentSize, Phys: at}}, nil
}

// part is where a volume lies of which another is made; such volumes are linear.
func (g *Group) part(members []Member, name string) ([]blob.Extent, int64, error) {
	l := g.logical(name)
	if l == nil {
		return nil, 0, fmt.Errorf("the group has no volume %s", name)
	}
	var out []blob.Extent
	var end int64
	for _, s := range l.Segments {
		at, err := g.place(members, s)
		if err != nil {
			return nil, 0, err
		}
		if s.Start*g.ExtentSize != end {
			return nil, 0, fmt.Errorf("the volume %s has a gap before extent %d", name, s.Start)
		}
		out = append(out, blob.Extent{Off: end, Len: s.Count * g.ExtentSize, Phys: at})
		end += s.Count * g.ExtentSize
	}
	return out, end, nil
}

// shifted are the extents that hold n bytes from off on, moved to base. The extents are in order.
func shifted(ext []blob.Extent, base, off, n int64) (out []blob.Extent) {
	first := sort.Search(len(ext), func(i int) bool { return ext[i].Off+ext[i].Len > off })
	for _, e := range ext[first:] {
		from, to := max(e.Off, off), min(e.Off+e.Len, off+n)
		if e.Off >= off+n {
			break
		}
		if from < to {
			out = append(out, blob.Extent{Off: base + from - off, Len: to - from, Phys: e.Phys + from - e.Off})
		}
	}
	return out
}

// RaidSuperblock is what dm-raid keeps at the start of a metadata volume: drivers/md/dm-raid.c, dm_raid_superblock.
type RaidSuperblock struct {
	Magic          [4]byte `at:"0x00"` // "DmRd"
	CompatFeatures uint32  `at:"0x04"`
	NumDevices     uint32  `at:"0x08"`
	ArrayPosition  uint32  `at:"0x0c"`
	Events         uint64  `at:"0x10"`
	FailedDevices  uint64  `at:"0x18"` // a bit for each
	RecoveryOffset uint64  `at:"0x20"` // how far this image was rebuilt; all ones when it is whole
	ResyncOffset   uint64  `at:"0x28"`
}

const whole = 1<<64 - 1

// leg is an image of a mirror that is whole, the one that was written to last.
func (g *Group) leg(r io.ReaderAt, members []Member, s Segment) ([]blob.Extent, error) {
	var best []blob.Extent
	var events uint64
	why := fmt.Errorf("no image of the mirror is whole")
	for i := 0; i+1 < len(s.Parts); i += 2 {
		meta, size, err := g.part(members, s.Parts[i])
		if err != nil {
			why = err
			continue
		}
		image, length, err := g.part(members, s.Parts[i+1])
		if err != nil || length < s.Count*g.ExtentSize {
			why = fmt.Errorf("the image %s is not whole", s.Parts[i+1])
			continue
		}
		var sb RaidSuperblock
		if _, err := decode.Read(blob.Mapped(r, size, meta), 0, binary.LittleEndian, "dm-raid superblock", &sb); err != nil || string(sb.Magic[:]) != "DmRd" {
			why = fmt.Errorf("%s has no superblock of dm-raid", s.Parts[i])
			continue
		}
		if sb.RecoveryOffset == whole && sb.FailedDevices>>(i/2)&1 == 0 && (best == nil || sb.Events > events) {
			best, events = image, sb.Events
		}
	}
	if best == nil {
		return nil, why
	}
	return best, nil
}
