package lvm

import (
	"fmt"
	"io"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/disk"
)

// Group is a volume group as one metadata text describes it.
type Group struct {
	Name       string
	UUID       string
	SystemID   string // of the host that owns the group, "" for anyone's: lvmsystemid(7)
	Seqno      int64  // the highest of several texts is the newest
	ExtentSize int64  // bytes
	Members    []GroupMember
	Logical    []Logical
	Cites      []blob.Cite
}

// GroupMember is a physical volume that the group is made of.
type GroupMember struct {
	Name    string // within the text: "pv0"
	UUID    string
	Start   int64 // of the first extent, in bytes
	Extents int64
}

// Logical is a logical volume as the text describes it.
type Logical struct {
	Name     string
	UUID     string
	Visible  bool // false for the parts of others
	Manual   bool // not activated with the rest: lvchange(8), --setactivationskip and --setautoactivation
	Segments []Segment
	Cites    []blob.Cite
}

// Segment is a run of extents of a logical volume.
type Segment struct {
	Start, Count int64 // extents
	Type         string
	Stripes      int64
	Member       string // of a segment with one stripe
	First        int64  // extent of the member

	Parts    []string // volumes that it is made of: of "raid1" metadata and image in turn, of "thin-pool" metadata and data, of "thin" its pool
	Device   int64    // of "thin": its number in the pool's metadata
	Chunk    int64    // of "thin-pool": bytes that are given out at a time
	Creating bool     // of "thin-pool" and "thin": the pool's metadata is not yet what the text says
}

// maxExtents bounds counts of extents; LVM stores them in 32 bits.
const maxExtents = 1 << 32

// maxExtentSize bounds the size of an extent, in sectors: 1 TiB.
const maxExtentSize = 1 << 31

func parseGroup(r io.ReaderAt, text []byte) (*Group, error) {
	root, err := parse(r, text)
	if err != nil {
		return nil, err
	}
	for _, n := range root.children {
		if n.section {
			return group(r, n)
		}
	}
	return nil, decode.Errorf(r, 0, 1, "LVM2 metadata text", "a volume group", "none")
}

func group(r io.ReaderAt, n *node) (*Group, error) {
	cites := func(what string, n *node) []blob.Cite {
		var out []blob.Cite
		if n != nil && !n.section && len(n.values) == 1 {
			v := n.values[0].text
			if !n.values[0].isText {
				v = fmt.Sprint(n.values[0].number)
			}
			for _, s := range blob.Locate(r, int64(n.off), int64(n.end-n.off)) {
				out = append(out, blob.Cite{Span: s, Name: what + "." + n.key, Value: v})
			}
		}
		return out
	}
	g := &Group{Name: n.key, UUID: n.text("id"), SystemID: n.text("system_id")}
	g.Seqno, _ = n.number("seqno")
	size, ok := n.number("extent_size")
	if !ok || size == 0 || size > maxExtentSize {
		return nil, decode.Errorf(r, int64(n.off), 1, "LVM2 metadata text: extent_size of "+n.key, "a number of sectors", "%d", size)
	}
	g.ExtentSize = size * disk.SectorSize
	g.Cites = append(cites(g.Name, n.child("id")), append(cites(g.Name, n.child("seqno")), cites(g.Name, n.child("extent_size"))...)...)
	if pvs := n.child("physical_volumes"); pvs != nil {
		for _, p := range pvs.children {
			m := GroupMember{Name: p.key, UUID: p.text("id")}
			start, ok := p.number("pe_start")
			count, ok2 := p.number("pe_count")
			if !ok || !ok2 || start > 1<<52 || count > maxExtents {
				return nil, decode.Errorf(r, int64(p.off), 1, "LVM2 metadata text: "+p.key, "pe_start and pe_count", "%d and %d", start, count)
			}
			m.Start, m.Extents = start*disk.SectorSize, count
			g.Members = append(g.Members, m)
		}
	}
	if lvs := n.child("logical_volumes"); lvs != nil {
		for _, l := range lvs.children {
			out := Logical{Name: l.key, UUID: l.text("id"), Visible: l.has("status", "VISIBLE"), Manual: l.has("flags", "ACTIVATION_SKIP") || l.has("status", "NOAUTOACTIVATE") || l.has("flags", "NOAUTOACTIVATE"), Cites: cites(l.key, l.child("id"))}
			for _, s := range l.children {
				if !s.section || !strings.HasPrefix(s.key, "segment") {
					continue
				}
				seg, err := segment(r, s)
				if err != nil {
					return nil, err
				}
				out.Segments = append(out.Segments, seg)
				for _, span := range blob.Locate(r, int64(s.off), int64(s.end-s.off)) {
					out.Cites = append(out.Cites, blob.Cite{Span: span, Name: l.key + "." + s.key, Value: seg.String()})
				}
			}
			g.Logical = append(g.Logical, out)
		}
	}
	return g, nil
}

func segment(r io.ReaderAt, n *node) (Segment, error) {
	s := Segment{Type: n.text("type")}
	var ok, ok2 bool
	s.Start, ok = n.number("start_extent")
	s.Count, ok2 = n.number("extent_count")
	if !ok || !ok2 || s.Count == 0 || s.Start > maxExtents || s.Count > maxExtents {
		return s, decode.Errorf(r, int64(n.off), 1, "LVM2 metadata text: "+n.key, "start_extent and extent_count", "%d and %d", s.Start, s.Count)
	}
	s.Stripes, _ = n.number("stripe_count")
	if list := n.child("stripes"); s.Type == "striped" && s.Stripes == 1 {
		if list == nil || len(list.values) != 2 || !list.values[0].isText || list.values[1].isText || list.values[1].number < 0 || list.values[1].number > maxExtents {
			return s, decode.Errorf(r, int64(n.off), 1, "LVM2 metadata text: "+n.key, "a physical volume and an extent", "other stripes")
		}
		s.Member, s.First = list.values[0].text, list.values[1].number
	}
	return s, s.stacked(r, n)
}

// String says what the segment is: "extents 0-7 at pv0:8".
func (s Segment) String() string {
	where := s.Type
	if s.Member != "" {
		where = fmt.Sprintf("%s:%d", s.Member, s.First)
	} else if s.Type == "striped" {
		where = fmt.Sprintf("striped over %d", s.Stripes)
	}
	return fmt.Sprintf("extents %d-%d at %s", s.Start, s.Start+s.Count-1, where)
}

// Member is a physical volume with its place on the disk.
type Member struct {
	PV  *PV
	Off int64 // bytes
}

// Members lists the physical volumes on a disk whose volumes were found.
func Members(d *disk.Disk) []Member {
	var out []Member
	for _, v := range d.Volumes {
		if v.Type != "LVM2_member" || v.Name != "" && !strings.HasPrefix(v.Name, "md:") || v.Err != nil {
			continue
		}
		if pv, err := ReadPV(v.R, v.Size); err == nil {
			out = append(out, Member{PV: pv, Off: v.Off})
		}
	}
	return out
}

// Volume is a logical volume.
type Volume struct {
	Name    string // "vg/lv"
	UUID    string
	Visible bool
	Manual  bool               // see [Logical]
	Size    int64              // bytes
	R       *blob.MappedReader // nil when it cannot be read
	Err     error              // why R is nil; wraps [decode.ErrUnsupported]
	Under   []string           // devices that device-mapper makes before it, of a volume that is made of others
	Type    string             // of its segments: "striped", "raid1", "thin", "thin-pool" …; "" when they differ
	Cites   []blob.Cite
}

// DeviceName is what device-mapper calls the volume "vg/lv": hyphens within the names are doubled.
func DeviceName(name string) string {
	vg, lv, _ := strings.Cut(name, "/")
	return strings.ReplaceAll(vg, "-", "--") + "-" + strings.ReplaceAll(lv, "-", "--")
}

// Open lists the logical volumes of the groups that the members belong to, which all lie on disk, in the
// order of the metadata. A volume that cannot be read says why: a physical volume that is not among the
// members, or a segment type that is not followed.
func Open(r io.ReaderAt, members []Member) []Volume {
	var out []Volume
	done := map[string]bool{}
	for _, m := range members {
		if m.PV.Group == nil || done[m.PV.Group.UUID] {
			continue
		}
		done[m.PV.Group.UUID] = true
		g := newest(members, m.PV.Group.UUID)
		for i := range g.Logical {
			out = append(out, g.volume(r, members, &g.Logical[i]))
		}
	}
	return out
}

func newest(members []Member, uuid string) *Group {
	var best *Group
	for _, m := range members {
		if g := m.PV.Group; g != nil && g.UUID == uuid && (best == nil || g.Seqno > best.Seqno) {
			best = g
		}
	}
	return best
}

func (g *Group) volume(r io.ReaderAt, members []Member, l *Logical) Volume {
	v := Volume{Name: g.Name + "/" + l.Name, UUID: l.UUID, Visible: l.Visible, Manual: l.Manual, Cites: append(g.Cites[:len(g.Cites):len(g.Cites)], l.Cites...)}
	var extents []blob.Extent
	var end int64
	v.Under = g.under(l)
	for _, s := range l.Segments {
		if v.Type = s.Type; s.Type != l.Segments[0].Type {
			v.Type = ""
		}
		if v.Err == nil && s.Start != end {
			v.Err = fmt.Errorf("LVM2 volume %s: a segment starts at extent %d, the one before ends at %d: %w", v.Name, s.Start, end, decode.ErrUnsupported)
		}
		end = max(end, s.Start+s.Count)
		if v.Err != nil {
			continue
		}
		found, err := g.extents(r, members, s)
		if err != nil {
			v.Err = fmt.Errorf("LVM2 volume %s: %w: %w", v.Name, err, decode.ErrUnsupported)
			continue
		}
		extents = append(extents, found...)
	}
	if v.Err == nil && (len(l.Segments) == 0 || end > 1<<62/g.ExtentSize) {
		v.Err = fmt.Errorf("LVM2 volume %s: %d extents of %d bytes: %w", v.Name, end, g.ExtentSize, decode.ErrUnsupported)
	}
	v.Size = min(end, 1<<62/g.ExtentSize) * g.ExtentSize
	if v.Err == nil {
		v.R = blob.Mapped(r, v.Size, extents)
	}
	return v
}

// place is where a segment's first byte lies on the disk.
func (g *Group) place(members []Member, s Segment) (int64, error) {
	switch {
	case s.Type == "striped" && s.Stripes > 1:
		return 0, fmt.Errorf("a segment is striped over %d physical volumes, which bootpath does not follow", s.Stripes)
	case s.Member == "":
		return 0, fmt.Errorf("a segment is of type %q, which bootpath does not follow", s.Type)
	}
	for _, m := range g.Members {
		if m.Name != s.Member {
			continue
		}
		if s.First+s.Count > m.Extents || s.First+s.Count > 1<<61/g.ExtentSize {
			return 0, fmt.Errorf("a segment ends at extent %d of %s, which has %d", s.First+s.Count, m.Name, m.Extents)
		}
		for _, have := range members {
			if have.PV.UUID == m.UUID {
				return have.Off + m.Start + s.First*g.ExtentSize, nil
			}
		}
		return 0, fmt.Errorf("the physical volume %s (%s) is not on this disk", m.Name, m.UUID)
	}
	return 0, fmt.Errorf("the group has no physical volume %s", s.Member)
}

// Missing lists the physical volumes of the group that are not among the members.
func (g *Group) Missing(members []Member) []string {
	var out []string
	for _, m := range g.Members {
		found := false
		for _, have := range members {
			found = found || have.PV.UUID == m.UUID
		}
		if !found {
			out = append(out, m.UUID)
		}
	}
	return out
}
