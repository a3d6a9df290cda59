package boot

import (
	"io"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/sh"
	"bootpath/sim/fsys"
)

// answer is what the image says about the kernel's configuration.
type answer int

const (
	unknown answer = iota
	yes
	no // not built in: a module, or not there at all
)

// Bounds of the module lists that are read, in bytes.
const (
	maxModuleList = 8 << 20
	maxKconfig    = 1 << 20
)

// modules knows which drivers the running kernel has built in. kmod(8), modules.builtin(5).
type modules struct {
	known  bool // a list was found
	names  map[string]bool
	config map[string]string // of the kernel's .config
	cites  []blob.Cite
}

// moduleName is the name of a module's file: no directory, no suffix, "-" as "_".
func moduleName(file string) string {
	name := path.Base(file)
	if i := strings.Index(name, ".ko"); i >= 0 {
		name = name[:i]
	}
	return strings.ReplaceAll(name, "-", "_")
}

// trees are the places of the image that may hold what belongs to the kernel: its initramfs, then the
// volumes of the disk.
func (x *linux) trees() []fsys.FS {
	var out []fsys.FS
	if x.initrd != nil {
		out = append(out, x.initrd)
	}
	for _, v := range x.c.Disk.Volumes {
		if v.FS != nil {
			out = append(out, v.FS)
		}
	}
	return out
}

// readAny reads the first of the files of that name that any tree has.
func (x *linux) readAny(name string, limit int64) ([]byte, []blob.Cite) {
	file, at := x.openAny(name)
	if file == nil {
		return nil, nil
	}
	data, err := blob.ReadAll(file, limit)
	if err != nil {
		return nil, nil
	}
	return data, cite(file, 0, min(file.Size(), 64), "/"+at, "")
}

// openAny opens the first of the files of that name that any tree has, nil when none does.
func (x *linux) openAny(name string) (file fsys.File, at string) {
	for _, f := range x.trees() {
		at, err := fsys.Resolve(f, name)
		if err != nil {
			continue
		}
		if file, err := fsys.OpenFile(f, at); err == nil {
			return file, at
		}
	}
	return nil, ""
}

// findModules reads which drivers are built in, where the image says so.
func (x *linux) findModules() *modules {
	m := &modules{names: map[string]bool{}, config: x.kconfig()}
	data, cites := x.readAny("lib/modules/"+x.version+"/modules.builtin", maxModuleList)
	if data != nil {
		m.known, m.cites = true, cites
		for line := range strings.SplitSeq(string(data), "\n") {
			if line != "" {
				m.names[moduleName(line)] = true
			}
		}
	}
	return m
}

// hasModuleList tells whether the image lists the drivers that are built in.
func (x *linux) hasModuleList() bool {
	for _, f := range x.trees() {
		if _, err := fsys.Resolve(f, "lib/modules/"+x.version+"/modules.builtin"); err == nil {
			return true
		}
	}
	return false
}

// kconfig reads the configuration that distributions put beside the kernel.
// Scripts ask for it again and again, so it is parsed once for each text.
func (x *linux) kconfig() map[string]string {
	if file, _ := x.openAny("boot/config-" + x.version); file != nil {
		return x.readKconfig(file)
	}
	if file, _ := x.openAny("config-" + x.version); file != nil { // on a boot partition
		return x.readKconfig(file)
	}
	// Without an initramfs it depends on what is built in; when nothing else tells, the kernel itself may.
	if x.img != nil && x.c.Kernel == nil && len(x.l.initrds) == 0 && !x.hasModuleList() {
		data, _, _ := x.img.Config(x.store(), x.l.path)
		return parseKconfig(data)
	}
	return map[string]string{}
}

// readKconfig reads a configuration that distributions put beside the kernel. It is not changed.
func (s *start) readKconfig(f fsys.File) map[string]string {
	return blob.Remember(s.store(), "kconfig", f, 0, f.Size(), func() map[string]string {
		data, err := blob.ReadAll(f, maxKconfig)
		if err != nil {
			return map[string]string{}
		}
		return parseKconfig(data)
	})
}

func parseKconfig(data []byte) map[string]string {
	config := map[string]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "CONFIG_") {
			config[name] = value
		}
	}
	return config
}

// builtin answers whether a driver is part of the kernel itself.
func (m *modules) builtin(name string) answer {
	switch {
	case m.names[name]:
		return yes
	case m.known:
		return no
	case len(m.config) > 0 && kconfigOf(name) != "":
		if m.config[kconfigOf(name)] == "y" {
			return yes
		}
		return no
	}
	return unknown
}

// kconfigOf is the option that builds a driver, for those that matter here; from the Kconfig files.
func kconfigOf(module string) string {
	for _, p := range [...][2]string{
		{"virtio_pci", "CONFIG_VIRTIO_PCI"}, {"virtio_blk", "CONFIG_VIRTIO_BLK"}, {"virtio_scsi", "CONFIG_SCSI_VIRTIO"},
		{"sr_mod", "CONFIG_BLK_DEV_SR"}, {"sd_mod", "CONFIG_BLK_DEV_SD"}, {"floppy", "CONFIG_BLK_DEV_FD"}, {"loop", "CONFIG_BLK_DEV_LOOP"},
		{"ext4", "CONFIG_EXT4_FS"}, {"ext3", "CONFIG_EXT3_FS"}, {"ext2", "CONFIG_EXT2_FS"}, {"xfs", "CONFIG_XFS_FS"}, {"btrfs", "CONFIG_BTRFS_FS"},
		{"vfat", "CONFIG_VFAT_FS"}, {"isofs", "CONFIG_ISO9660_FS"}, {"squashfs", "CONFIG_SQUASHFS"}, {"erofs", "CONFIG_EROFS_FS"},
		{"f2fs", "CONFIG_F2FS_FS"}, {"overlay", "CONFIG_OVERLAY_FS"},
	} {
		if p[0] == module {
			return p[1]
		}
	}
	return ""
}

// maxModules bounds the lists of modules, in bytes.
const maxModules = 16 << 20

// moduleTree is what modprobe reads below /lib/modules/VERSION: of the root that the program sees.
type moduleTree struct {
	dir   string
	files map[string]string   // module: path below dir
	deps  map[string][]string // module: modules to load before
	alias [][2]string         // pattern, module
}

// moduleTree reads modules.dep and modules.alias through PID 1's eyes; nil when there are none.
func (x *linux) moduleTree() *moduleTree {
	dir := "/lib/modules/" + x.version
	dep, err := x.pid1.Open(dir + "/modules.dep")
	if err != nil {
		return nil
	}
	t := blob.Remember(x.store(), "modules.dep in "+dir, dep, 0, dep.Size(), func() moduleTree { return readModulesDep(dir, dep) })
	if alias, err := x.pid1.Open(dir + "/modules.alias"); err == nil {
		t.alias = blob.Remember(x.store(), "modules.alias", alias, 0, alias.Size(), func() [][2]string { return readModulesAlias(alias) })
	}
	return &t
}

func readModulesDep(dir string, r io.ReaderAt) moduleTree {
	data, _ := blob.ReadAll(r, maxModules)
	t := moduleTree{dir: dir, files: map[string]string{}, deps: map[string][]string{}}
	for line := range strings.SplitSeq(string(data), "\n") {
		file, deps, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name := moduleName(file)
		t.files[name] = file
		t.deps[name] = strings.Fields(deps)
	}
	return t
}

func readModulesAlias(r io.ReaderAt) [][2]string {
	data, _ := blob.ReadAll(r, maxModules)
	var out [][2]string
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "alias" {
			out = append(out, [2]string{f[1], strings.ReplaceAll(f[2], "-", "_")})
		}
	}
	return out
}

// match lists the modules for a name or a device's modalias. modprobe(8).
func (t *moduleTree) match(name string) []string {
	if t == nil {
		return nil
	}
	plain := strings.ReplaceAll(name, "-", "_")
	if _, ok := t.files[plain]; ok {
		return []string{plain}
	}
	var out []string
	for _, a := range t.alias {
		if sh.Match(a[0], name) {
			out = append(out, a[1])
		}
	}
	return out
}
