package container

import (
	"maps"
	"path"
	"slices"

	"bootpath/sim/fsys"
)

// Volume is a place whose content outlives the container, or never was on a disk.
type Volume struct {
	Dest   string // in the container
	Source string // on the host; "" for memory
	Kind   string // bind | volume | anonymous | tmpfs
}

// imageVolumes are the places that the image declares (VOLUME). Each becomes a volume without a name, unless
// the command line mounts something there; what the image has there is copied into it once. moby
// daemon/create_unix.go, createContainerOSSpecificSettings; podman pkg/specgen/generate/storage.go,
// getImageVolumes.
func (r *run) imageVolumes() {
	if r.engine() == "" {
		return // a bundle's config has only what someone wrote into it
	}
	taken := func(dest string) bool {
		return slices.ContainsFunc(slices.Concat(r.options.volumes, r.options.tmpfs), func(m specMount) bool { return m.dest == dest })
	}
	r.copied = map[string]fsys.FS{}
	for _, v := range slices.Sorted(maps.Keys(r.conf.Volumes)) {
		dest := path.Clean("/" + v)
		if dest == "/" || taken(dest) {
			continue
		}
		at, err := fsys.Resolve(r.root, dest)
		if err != nil {
			at = ""
		} else if fi, err := r.root.Lstat(at); err != nil || !fi.IsDir() {
			continue
		}
		options := "rbind,rprivate"
		if r.engine() == "podman" {
			options = "rbind,rprivate,nosuid,nodev"
		}
		store, _, _ := r.names()
		source := path.Join(store, "volumes", shortSum(r.id+"\x00"+dest), "_data")
		r.options.anonymous = append(r.options.anonymous, specMount{dest, "bind", source, options})
		if at != "" {
			r.copied[dest] = fsys.Sub(r.root, at)
		}
	}
}

// storage says where what the container writes will lie.
func (r *run) storage() {
	if r.engine() != "" {
		r.facts.Upper = path.Dir(r.dir) + "/diff"
	}
	add := func(list []specMount, kind string) {
		for _, m := range list {
			v := Volume{Dest: m.dest, Source: m.source, Kind: kind}
			switch {
			case kind == "tmpfs":
				v.Source = ""
			case kind == "volume" && path.Base(m.source) != "_data":
				v.Kind = "bind"
			}
			r.facts.Volumes = append(r.facts.Volumes, v)
		}
	}
	add(r.options.volumes, "volume")
	add(r.options.anonymous, "anonymous")
	add(r.options.tmpfs, "tmpfs")
}
