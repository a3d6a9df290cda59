package compare

import (
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/fsys"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Need is something that a file lacks for the other way to start.
type Need struct {
	What    string            `json:"what"` // partition-table | bootloader | kernel | initramfs | init | fstab | archive | layers | config | entrypoint
	Key     string            `json:"key"`  // of its sentence, which says what to add
	Have    bool              `json:"have"` // it is there already
	Args    map[string]string `json:"args,omitempty"`
	Unknown *trace.Reason     `json:"unknown,omitempty"`
	Missing string            `json:"missing,omitempty"`
	Cites   []blob.Cite       `json:"cites,omitempty"`
}

// Needs lists what the way to start wants from a file and whether this one has it.
func Needs(im *identify.Image, way string) []Need {
	if way == scenario.PathSystem {
		return machineNeeds(im)
	}
	return containerNeeds(im)
}

// machineNeeds goes along the start of a machine.
func machineNeeds(im *identify.Image) []Need {
	s := Side{Image: im}
	root := s.root()
	table := Need{What: "partition-table", Key: "compare.need-partition-table"}
	if im.Disk != nil && im.Disk.Table != nil {
		table.Have, table.Cites = true, im.Disk.Table.Cites
	}
	loader := Need{What: "bootloader", Key: "compare.need-bootloader"}
	if im.Disk != nil {
		loader.Have = len(im.Bootloaders()) > 0
	}
	kernel := Need{What: "kernel", Key: "compare.need-kernel", Args: map[string]string{"searched": searched(im)}}
	if ks := im.Kernels(); len(ks) > 0 {
		kernel.Have, kernel.Cites = true, ks[0].Cites
		kernel.Args["path"] = ks[0].Path
	}
	ramfs := Need{What: "initramfs", Key: "compare.need-initramfs", Have: len(im.Initrds()) > 0}
	init := Need{What: "init", Key: "compare.need-init"}
	fstab := Need{What: "fstab", Key: "compare.need-fstab"}
	switch {
	case root == nil:
		init.Unknown = trace.Why("unknown.no-root")
		fstab.Unknown = init.Unknown
	default:
		if p := identify.Init(root); p != nil {
			init.Have, init.Args, init.Cites = true, map[string]string{"path": p.Path, "kind": p.Kind}, statCites(root, p.Path)
		}
		fstab.Cites = fileCites(root, "etc/fstab")
		_, err := fsys.Resolve(root, "etc/fstab")
		fstab.Have = err == nil
	}
	needs := []Need{table, loader, kernel, ramfs, init, fstab}
	if a := s.chosen(); a != nil { // a conversion keeps files; what the config says is lost
		argv := append(slices.Clone(a.Config.Config.Entrypoint), a.Config.Config.Cmd...)
		needs = append(needs, Need{What: "entrypoint", Key: "compare.need-service", Args: map[string]string{"argv": strings.Join(argv, " ")}, Cites: a.Cite("config.Entrypoint", "config.Cmd")})
	}
	return needs
}

// containerNeeds goes along the start of a container.
func containerNeeds(im *identify.Image) []Need {
	archive := Need{What: "archive", Key: "compare.need-archive", Have: im.Archive != nil, Args: map[string]string{"formats": strings.Join(im.Formats, " > ")}}
	layers := Need{What: "layers", Key: "compare.need-layers", Have: im.Archive != nil, Args: map[string]string{"root": rootName(im)}}
	if im.Archive == nil && im.Root == nil {
		layers.Unknown = trace.Why("unknown.no-root")
	}
	config := Need{What: "config", Key: "compare.need-config", Have: im.Archive != nil}
	entry := Need{What: "entrypoint", Key: "compare.need-entrypoint", Args: map[string]string{"init": "-"}}
	if im.Root != nil {
		if p := identify.Init(im.Root); p != nil {
			entry.Args["init"] = p.Path
		}
	}
	if a := (Side{Image: im}).chosen(); a != nil {
		entry.Have, entry.Cites = len(a.Config.Config.Entrypoint)+len(a.Config.Config.Cmd) > 0, a.Cite("config.Entrypoint", "config.Cmd")
	}
	kernel := Need{What: "kernel", Key: "compare.need-no-kernel", Have: true}
	return []Need{archive, layers, config, entry, kernel}
}

func rootName(im *identify.Image) string {
	if im.RootVol == nil {
		return "-"
	}
	return im.RootVol.Type
}
