package boot

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/disk/md"
	"bootpath/sim/exe/grubcore"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/ext4"
	"bootpath/sim/fsys/fat"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// grubError is why an operation of GRUB failed: the words that it prints, or, when what it would do
// cannot be told, what would have to be known.
type grubError struct {
	msg     string
	code    int // grub_err_t, for $?
	unknown *trace.Reason
	cites   []blob.Cite
}

// The numbers of grub_err_t that bootpath needs, include/grub/err.h.
const (
	errTestFailure   = 1
	errBadModule     = 2
	errBadFileType   = 4
	errFileNotFound  = 5
	errBadFilename   = 7
	errUnknownFS     = 8
	errOutOfRange    = 11
	errUnknownDevice = 12
	errBadArgument   = 18
	errBadOS         = 21
	errSymlinkLoop   = 23
	errAccessDenied  = 30
	errBadSignature  = 45
)

// grubDevice is a disk or partition as GRUB names it.
type grubDevice struct {
	name   string // "hd0,msdos1"
	alias  string // another name: "mduuid/…"
	module string // that makes it visible: "part_msdos"; "" for a whole disk
	number int
	vol    *disk.Volume // nil when the range holds nothing that is known
}

// devices lists what GRUB finds: the image, as the drive that firmware attached it as.
func (g *grub) devices() {
	base, _, _ := strings.Cut(g.bootDevice, ",")
	g.devs = append(g.devs, grubDevice{name: base, vol: fromTop(g.c.Disk.Volume(0))})
	defer g.addMemdisk()
	defer g.addLogical()
	defer g.addArrays()
	if g.c.Disk.Table == nil {
		return
	}
	kind := "msdos"
	if g.c.Disk.Table.Type == "gpt" {
		kind = "gpt"
	}
	for _, p := range g.c.Disk.Table.Partitions {
		g.devs = append(g.devs, grubDevice{name: fmt.Sprintf("%s,%s%d", base, kind, p.Number), module: "part_" + kind, number: p.Number, vol: fromTop(g.c.Disk.Volume(p.Number))})
	}
}

// addLogical adds the logical volumes, whose names GRUB writes like device mapper: grub-core/disk/lvm.c.
func (g *grub) addLogical() {
	for i := range g.c.Disk.Volumes {
		v := &g.c.Disk.Volumes[i]
		vg, lv, ok := strings.Cut(v.Name, "/")
		if ok {
			g.devs = append(g.devs, grubDevice{name: "lvm/" + strings.ReplaceAll(vg, "-", "--") + "-" + strings.ReplaceAll(lv, "-", "--"), module: "lvm", vol: fromTop(v)})
		}
	}
}

// addArrays adds the RAID arrays: grub-core/disk/mdraid1x_linux.c, mdraid_linux.c. A partition of which a mirror's
// data begins at the start is for GRUB a file system as well.
func (g *grub) addArrays() {
	d := g.c.Disk
	for _, a := range md.Arrays(d) {
		module, id := "mdraid1x", "mduuid/"+strings.ReplaceAll(a.UUID, ":", "")
		_, name, named := strings.Cut(a.Name, ":")
		if !named {
			name = a.Name
		}
		dev := grubDevice{name: "md/" + name, alias: id, module: module}
		if a.Version == "0.90" {
			dev.name, dev.module = fmt.Sprintf("md/md%d", a.Minor), "mdraid09"
		}
		for i := range d.Volumes {
			v := &d.Volumes[i]
			if v.Name != a.VolumeName() {
				continue
			}
			dev.vol = fromTop(v)
			for j := range g.devs {
				if have := &g.devs[j]; have.vol != nil && have.vol.Type == "linux_raid_member" && have.vol.Off == v.Off && v.R != nil {
					have.vol = dev.vol
				}
			}
		}
		g.devs = append(g.devs, dev)
	}
}

// fromTop is the volume as GRUB walks it: paths on Btrfs start at the top of the volume, whatever its default
// subvolume is (grub-core/fs/btrfs.c, find_path).
func fromTop(v *disk.Volume) *disk.Volume {
	if v == nil {
		return nil
	}
	s, ok := v.FS.(fsys.Subvolumes)
	if !ok {
		return v
	}
	out := *v
	out.FS, out.Err = nil, nil
	if top, err := s.Top(); err != nil {
		out.Err = err
	} else {
		out.FS = top
	}
	return &out
}

// addMemdisk adds the file system that grub-mkimage put into the core image, when there is one.
func (g *grub) addMemdisk() {
	r := g.core.Memdisk
	if r == nil {
		return
	}
	v := &disk.Volume{Size: r.Size(), R: r}
	if f, err := fat.Open(r, r.Size()); err == nil {
		v.FS, v.Type = f, "vfat"
	} else if f, err := ext4.Open(r, r.Size()); err == nil {
		v.FS, v.Type = f, f.Info().Type
	} else {
		v.Type, v.Err = "tarfs", errors.New("it is neither FAT nor ext4")
	}
	g.devs = append(g.devs, grubDevice{name: "memdisk", module: "memdisk", vol: v})
}

// device finds a device by a name in GRUB's syntax: "hd0", "hd0,msdos1", "hd0,1", "cd" for the drive
// that a CD was booted from.
func (g *grub) device(name string) (*grubDevice, *grubError) {
	base := g.devs[0].name
	drive, part, partitioned := strings.Cut(name, ",")
	if drive == "cd" && base == "hd96" {
		drive = base
	}
	if head, _, _ := strings.Cut(name, "/"); head == "lvm" && g.mods["lvm"] || (head == "md" || head == "mduuid") && (g.mods["mdraid1x"] || g.mods["mdraid09"]) {
		for i := range g.devs {
			// To open one of these GRUB looks at all disks: grub_diskfilter_open, scan_devices.
			g.scanned = true
			if d := &g.devs[i]; (d.name == name || d.alias == name) && g.mods[d.module] {
				return d, nil
			}
		}
		return nil, g.noDevice(name, fmt.Sprintf("disk `%s' not found", name))
	}
	for _, kind := range []string{"lvm", "lvmid", "mduuid", "md", "cryptouuid", "crypto", "ldm", "http", "tftp", "pxe", "proc", "loop"} {
		if head, _, _ := strings.Cut(drive, "/"); head == kind {
			return nil, &grubError{unknown: trace.Why("unknown.grub-device", "device", name)}
		}
	}
	if drive == "memdisk" {
		for i := range g.devs {
			if d := &g.devs[i]; d.name == drive && g.mods[d.module] {
				return d, nil
			}
		}
		return nil, g.noDevice(name, "disk `memdisk' not found")
	}
	if drive != base {
		// The BIOS driver believes in every hdN until it asks for its size.
		if n, ok := strings.CutPrefix(drive, "hd"); ok && g.platform == "i386-pc" {
			if _, err := strconv.Atoi(n); err == nil {
				return nil, &grubError{msg: drive + " cannot get C/H/S values", code: errUnknownDevice}
			}
		}
		return nil, g.noDevice(name, fmt.Sprintf("disk `%s' not found", drive))
	}
	if !partitioned {
		return &g.devs[0], nil
	}
	for i := range g.devs[1:] {
		d := &g.devs[1+i]
		_, have, _ := strings.Cut(d.name, ",")
		if have != "" && (part == have || part == strconv.Itoa(d.number)) && g.mods[d.module] {
			return d, nil
		}
	}
	return nil, g.noDevice(name, "no such partition")
}

// noDevice is grub_device_open's second try: with the net module, an unknown disk may be a server.
func (g *grub) noDevice(name, msg string) *grubError {
	if g.mods["net"] {
		if msg = "no server is specified"; strings.Contains(name, ",") {
			msg = fmt.Sprintf("disk `%s' not found", name)
		}
	}
	return &grubError{msg: msg, code: errUnknownDevice}
}

// fsModules name the module that reads a file system, by blkid's type.
func fsModule(kind string) string {
	switch kind {
	case "ext2", "ext3", "ext4":
		return "ext2"
	case "vfat":
		return "fat"
	case "squashfs":
		return "squash4"
	case "hfsplus":
		return "hfsplus"
	}
	return kind
}

// split separates "(device)/path"; without a device it is $root.
func (g *grub) split(name string) (dev, file string, err *grubError) {
	if strings.HasPrefix(name, "(") {
		end := strings.IndexByte(name, ')')
		if end < 0 {
			return "", "", &grubError{msg: fmt.Sprintf("invalid file name `%s'", name), code: errBadFilename}
		}
		return name[1:end], name[end+1:], nil
	}
	if g.Value("root") == "" {
		return "", "", &grubError{msg: "variable `root' isn't set"}
	}
	return g.Value("root"), name, nil
}

// volume returns the file system of a device, when GRUB can read it.
func (g *grub) volume(dev string) (*disk.Volume, *grubError) {
	d, err := g.device(dev)
	if err != nil {
		return nil, err
	}
	if d.vol == nil || d.vol.Type == "" {
		return nil, &grubError{msg: "unknown filesystem", code: errUnknownFS}
	}
	// In normal mode a missing file system module is loaded when the file system is met (fs.lst).
	module := fsModule(d.vol.Type)
	if !g.mods[module] {
		if !g.normal {
			return nil, &grubError{msg: "unknown filesystem", code: errUnknownFS}
		}
		if _, err := g.loadModule(module); err != nil {
			return nil, &grubError{msg: "unknown filesystem", code: errUnknownFS}
		}
	}
	if d.vol.FS == nil {
		return nil, &grubError{unknown: trace.Why("unknown.volume", "device", "("+dev+")").For(kernel.Because(d.vol.Err))}
	}
	return d.vol, nil
}

// grubFile is an open file, looked at through its compression.
type grubFile interface {
	io.ReaderAt
	blob.Locator
	Size() int64
}

// open is grub_file_open for a regular file; what a loaded filter module unpacks is unpacked.
func (g *grub) open(name string) (grubFile, *grubError) {
	f, err := g.openRaw(name)
	if err != nil {
		return nil, err
	}
	return g.unpacked(name, f), nil
}

// openRaw is grub_file_open with GRUB_FILE_TYPE_NO_DECOMPRESS.
func (g *grub) openRaw(name string) (fsys.File, *grubError) {
	vol, at, err := g.find(name)
	if err != nil {
		return nil, err
	}
	fi, e := vol.FS.Stat(at)
	if e == nil && !fi.Mode().IsRegular() {
		return nil, &grubError{msg: "not a regular file", code: errBadFileType}
	}
	f, e := fsys.OpenFile(vol.FS, at)
	if e != nil {
		return nil, &grubError{unknown: unreadable(name, e)}
	}
	return f, nil
}

// find resolves a file name to a path without links.
func (g *grub) find(name string) (*disk.Volume, string, *grubError) {
	dev, file, err := g.split(name)
	if err != nil {
		return nil, "", err
	}
	vol, err := g.volume(dev)
	if err != nil {
		return nil, "", err
	}
	if !strings.HasPrefix(file, "/") {
		if strings.ContainsAny(file, "+") && strings.Trim(file, "0123456789+,") == "" {
			return nil, "", &grubError{unknown: trace.Why("unknown.grub-blocklist", "name", name)}
		}
		return nil, "", &grubError{msg: fmt.Sprintf("invalid file name `%s'", file), code: errBadFilename}
	}
	if vol, file, err = g.subvolume(vol, file); err != nil {
		return nil, "", err
	}
	at, e := lookup(vol, file)
	if e != nil {
		return nil, "", fileError(vol, file, e)
	}
	return vol, at, nil
}

// fileError turns why a path does not resolve into GRUB's words, fshelp.c.
func fileError(vol *disk.Volume, file string, e error) *grubError {
	switch {
	case errors.Is(e, fs.ErrNotExist):
		return &grubError{msg: fmt.Sprintf("file `%s' not found", file), code: errFileNotFound, cites: dirCites(vol, file)}
	case errors.Is(e, fsys.ErrLoop):
		return &grubError{msg: "too deep nesting of symlinks", code: errSymlinkLoop}
	case strings.Contains(e.Error(), "not a directory"):
		return &grubError{msg: "not a directory", code: errBadFileType}
	}
	return &grubError{unknown: trace.Why("unknown.file-exists", "path", file).For(kernel.Because(e))}
}

// dirCites is the evidence that a file is missing: the deepest directory on its path that exists.
func dirCites(vol *disk.Volume, file string) []blob.Cite {
	for dir := path.Dir(path.Clean("/" + file)); ; dir = path.Dir(dir) {
		at, err := lookup(vol, dir)
		if err == nil {
			if fi, err := vol.FS.Stat(at); err == nil {
				return fsys.StatOf(fi).Cites
			}
		}
		if dir == "/" {
			return nil
		}
	}
}

// lookup walks a path as GRUB and firmware do: links are followed, and FAT does not tell case.
func lookup(vol *disk.Volume, file string) (string, error) {
	at, err := fsys.Resolve(vol.FS, file)
	if err == nil || vol.Type != "vfat" || !errors.Is(err, fs.ErrNotExist) {
		return at, err
	}
	here := "."
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+file), "/"), "/") {
		entries, e := vol.FS.ReadDir(here)
		if e != nil {
			return "", e
		}
		found := false
		for _, d := range entries {
			if strings.EqualFold(d.Name(), part) {
				here, found = path.Join(here, d.Name()), true
				break
			}
		}
		if !found {
			return "", err
		}
	}
	return here, nil
}

// modulePath is where a module is looked for.
func (g *grub) modulePath(name string) string {
	if g.core.Has(name) {
		return "the core image"
	}
	return g.Value("prefix") + "/" + g.platform + "/" + name + ".mod"
}

// Bounds in bytes: of a module, of which the largest in GRUB 2.06 has 200 KiB, and of any unpacked file.
const (
	maxModule   = 16 << 20
	maxUnpacked = 256 << 20
)

// loadModule is grub_dl_load: a module that is not there yet is read from $prefix with what it needs.
func (g *grub) loadModule(name string) ([]blob.Cite, *grubError) {
	return g.loadModuleAt(name, 0)
}

func (g *grub) loadModuleAt(name string, depth int) ([]blob.Cite, *grubError) {
	if g.mods[name] {
		for _, m := range g.core.List {
			if m.Name == name {
				return cite(g.img, m.Off, min(m.Size, 64), "module "+name, ""), nil
			}
		}
		return nil, nil
	}
	if g.Value("prefix") == "" {
		return nil, &grubError{msg: "variable `prefix' isn't set"}
	}
	if depth > maxGrubDepth {
		return nil, &grubError{unknown: trace.Why("unknown.grub-dependencies", "module", name)}
	}
	f, err := g.open(g.modulePath(name))
	if err != nil {
		return nil, err
	}
	if g.secure() != nil && g.platform != "i386-pc" { // shim_lock's verifier: a module carries no signature
		return nil, &grubError{msg: "prohibited by secure boot policy", code: errAccessDenied, cites: cite(f, 0, min(f.Size(), 64), "module "+name, "")}
	}
	mod, e := grubcore.ReadModule(f)
	if e != nil {
		return nil, &grubError{msg: "invalid arch-independent ELF magic", code: errBadModule, cites: cite(f, 0, min(f.Size(), 16), "module "+name, "")}
	}
	for _, dep := range mod.Deps {
		if _, err := g.loadModuleAt(dep, depth+1); err != nil {
			return nil, err
		}
	}
	g.mods[name] = true
	return cite(f, 0, min(f.Size(), 64), "module "+name, ""), nil
}

// moduleBytes returns the content of a module that can be read, nil otherwise.
func (g *grub) moduleBytes(name string) (io.ReaderAt, int64) {
	for _, m := range g.core.List {
		if m.Name == name {
			return blob.Section(g.img, m.Off, m.Size), m.Size
		}
	}
	f, err := g.open(g.modulePath(name))
	if err != nil {
		return nil, 0
	}
	return f, f.Size()
}

// unpacked looks through the compression of a file: xz with the xzio module, gzip with gzio. Modules may
// be stored so, as grub-mkrescue --compress does.
func (g *grub) unpacked(name string, f fsys.File) grubFile {
	var magic [6]byte
	f.ReadAt(magic[:], 0)
	var open blob.Open
	f.Locate(0, f.Size())
	raw := g.c.Store.Raw(f) // a slice keeps what was unpacked, not what it was unpacked from
	switch {
	case string(magic[:]) == "\xfd7zXZ\x00" && g.mods["xzio"]:
		open = func() (io.Reader, error) { return xz.NewReader(io.NewSectionReader(raw, 0, f.Size())) }
	case string(magic[:3]) == "\x1f\x8b\x08" && g.mods["gzio"]:
		open = func() (io.Reader, error) { return gzip.NewReader(io.NewSectionReader(raw, 0, f.Size())) }
	default:
		return f
	}
	blobName := strings.TrimPrefix(path.Clean("/"+name[strings.IndexByte(name, ')')+1:]), "/") + "!"
	return g.c.Store.DeriveOf(blobName, open, maxUnpacked, f, 0, f.Size())
}

// normalModule is what GRUB's module normal says of itself.
type normalModule struct {
	version  string
	cites    []blob.Cite // of the version
	features []string    // names of variables that it sets
}

func readNormal(r io.ReaderAt, size int64) *normalModule {
	m := &normalModule{features: grubFeatures(r, size)}
	m.version, m.cites = grubVersion(r, size)
	return m
}

// grubVersion finds the version in the normal module: the string behind the format that prints it.
func grubVersion(r io.ReaderAt, size int64) (string, []blob.Cite) {
	const format = "GNU GRUB  version %s\x00"
	at, ok := grubcore.Find(r, format, size)
	if !ok {
		return "", nil
	}
	at += int64(len(format))
	buf := make([]byte, 64)
	n, _ := r.ReadAt(buf, at)
	end := bytes.IndexByte(buf[:n], 0)
	if end <= 0 || buf[0] < '0' || buf[0] > '9' {
		return "", nil
	}
	version := string(buf[:end])
	return version, cite(r, at, int64(end), "version", version)
}

// grubFeatures lists the feature_… names in the normal module: grub_normal_init sets each to "y".
func grubFeatures(r io.ReaderAt, size int64) []string {
	data := make([]byte, min(size, maxModule))
	n, _ := r.ReadAt(data, 0)
	var out []string
	for _, s := range bytes.Split(data[:n], []byte{0}) {
		if name := string(s); strings.HasPrefix(name, "feature_") && len(name) < 64 && name != "feature_net_search_cfg" {
			out = append(out, name)
		}
	}
	return out
}

// command finds the module that brings a command: command.lst of the platform directory, "" when the
// list does not have it or there is no list: read_command_list.
func (g *grub) commandModule(name string) string {
	if !g.listsKnown {
		g.listsKnown = true
		g.lists = nil
		if f, err := g.open(g.Value("prefix") + "/" + g.platform + "/command.lst"); err == nil {
			if text, e := blob.ReadAll(f, 1<<20); e == nil {
				g.lists = map[string]string{}
				for line := range strings.Lines(string(text)) {
					if cmd, mod, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
						g.lists[strings.TrimPrefix(cmd, "*")] = mod
					}
				}
			}
		}
	}
	return g.lists[name]
}

// fileCites is the evidence for a file: its directory entry or inode.
func (g *grub) fileCites(name string) []blob.Cite {
	vol, at, err := g.find(name)
	if err != nil {
		return nil
	}
	fi, e := vol.FS.Stat(at)
	if e != nil {
		return nil
	}
	return machine.Cites(fsys.StatOf(fi).Cites)
}
