package wire

import (
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/identify"
)

// Inspect says what the opened file is.
func (s *Session) Inspect() *Inspection {
	im := s.image
	in := &Inspection{
		Name: im.Input.Name(), Kind: string(im.Kind), Formats: im.Formats, Size: im.Input.Size(), VirtualSize: im.Input.Size(),
		Filesystems: []Filesystem{}, ElTorito: []BootEntry{}, Bootloaders: []Bootloader{}, Kernels: []KernelImage{},
		Initrds: []Initrd{}, Images: []AppImage{}, Origin: im.Origin, KernelSearched: im.Searched(),
		Notes: append([]string{}, im.Notes...),
	}
	for _, k := range im.Kernels() {
		in.Kernels = append(in.Kernels, KernelImage{Path: k.Path, Version: k.Version, Arch: k.Arch, Format: k.Format, Size: k.Size, Cites: k.Cites})
	}
	for _, r := range im.Initrds() {
		in.Initrds = append(in.Initrds, Initrd{Path: r.Path, Compression: r.Compression, Entries: r.Entries})
		if r.Err != nil {
			in.Notes = append(in.Notes, r.Path+": "+r.Err.Error())
		}
	}
	if im.Disk != nil {
		describeDisk(in, im)
	}
	if root := im.Root; root != nil {
		describeRoot(in, root)
	}
	if im.Archive != nil {
		for i := range im.Archive.Images {
			in.Images = append(in.Images, describeApp(&im.Archive.Images[i])...)
		}
		if len(im.Archive.Images) > 0 {
			if root, err := im.Archive.Images[0].RootFS(); err == nil {
				describeRoot(in, root)
			} else {
				in.Notes = append(in.Notes, err.Error())
			}
		}
	}
	in.KernelFrom = im.KernelFrom()
	if in.KernelFrom == identify.KernelInside && len(in.Kernels) > 0 {
		in.KernelCites = in.Kernels[0].Cites
	}
	in.BytesRead = s.bytesRead(im)
	return in
}

func describeRoot(in *Inspection, root fsys.FS) {
	if o := identify.OSRelease(root); o != nil {
		in.OS = &OSRelease{ID: o.ID, VersionID: o.VersionID, PrettyName: o.PrettyName}
	}
	if p := identify.Init(root); p != nil {
		in.Init = &InitProgram{Path: p.Path, Kind: p.Kind}
	}
}

func describeDisk(in *Inspection, im *identify.Image) {
	d := im.Disk
	in.VirtualSize = d.Size
	if t := d.Table; t != nil {
		in.PartitionTable = &PartitionTable{Type: t.Type, ID: t.ID, Partitions: []Partition{}}
		for _, p := range t.Partitions {
			in.PartitionTable.Partitions = append(in.PartitionTable.Partitions, Partition{
				Number: p.Number, Start: p.Start, Size: p.Size, Type: p.Type, UUID: p.UUID, Name: p.Name, Bootable: p.Bootable, Cites: p.Cites,
			})
		}
	}
	for _, v := range d.Volumes {
		in.Filesystems = append(in.Filesystems, describeVolume(v))
	}
	for _, e := range d.ElTorito {
		in.ElTorito = append(in.ElTorito, BootEntry{Platform: e.Platform, Emulation: e.Emulation, Path: im.ElToritoPath(e)})
	}
	for _, l := range im.Bootloaders() {
		in.Bootloaders = append(in.Bootloaders, Bootloader{Firmware: l.Firmware, Name: l.Name, Path: l.Path})
	}
}

func describeVolume(v disk.Volume) Filesystem {
	out := Filesystem{Partition: v.Partition, Name: v.Name, Type: v.Type, UUID: v.UUID, Label: v.Label, Cites: v.Cites}
	if v.FS != nil {
		info := v.FS.Info()
		out.Label, out.UUID, out.Notes = info.Label, info.UUID, info.Notes
		out.Cites = append(v.Cites[:len(v.Cites):len(v.Cites)], info.Cites...)
	} else if v.Err != nil {
		out.Notes = []string{v.Err.Error()}
	}
	return out
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
