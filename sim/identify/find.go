package identify

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/osrelease"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/exe/initprog"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/cpio"
)

// KernelFile is a Linux kernel found as a file.
type KernelFile struct {
	Path    string // absolute, as people write it
	Version string
	Arch    string // as GOARCH
	Format  string // of package bzimage
	Size    int64
	Cites   []blob.Cite
}

// InitrdFile is an initramfs found as a file.
type InitrdFile struct {
	Path        string
	Compression string // of its last archive; "" for none
	Entries     int
	Err         error // why unpacking stopped
}

// InitProgram is what /sbin/init leads to.
type InitProgram struct {
	Path string
	Kind string
}

type findings struct {
	kernels  []KernelFile
	initrds  []InitrdFile
	searched []string
}

// Bounds of the search for kernels: directories opened per volume, and their depth.
const (
	searchDirs  = 256
	searchDepth = 5
)

// kernelDirs are where kernels and initramfs images lie: what Linux distributions and their install
// media use, and systemd's boot loader specification. On a medium that is not a root file system every
// directory is looked at.
var kernelDirs = []string{"boot", "efi", "EFI", "isolinux", "live", "casper", "images", "install", "install.amd", "arch", "loader", "kernel", "debian"}

// Kernels lists the Linux kernels in the image. The files are told by the setup header, not by name;
// the name only says which files are worth a look.
func (im *Image) Kernels() []KernelFile { return im.find().kernels }

// Initrds lists the initramfs images; each is unpacked to count its entries.
func (im *Image) Initrds() []InitrdFile { return im.find().initrds }

// Searched lists the directories that were looked through for kernels.
func (im *Image) Searched() []string { return im.find().searched }

// Where the kernel comes from that would run.
const (
	KernelInside   = "inside"
	KernelHost     = "host"
	KernelPlatform = "platform" // WSL and the like bring it
	KernelNone     = "none"
)

// KernelFrom tells where the kernel that would run comes from. A kernel file inside an application image
// changes nothing: no runtime ever starts it.
func (im *Image) KernelFrom() string {
	switch im.Kind {
	case Application:
		return KernelHost
	case RootFS:
		return KernelPlatform
	}
	switch {
	case len(im.Kernels()) > 0:
		return KernelInside
	case im.Formats[len(im.Formats)-1] == FormatBPF || im.Formats[len(im.Formats)-1] == FormatFlatpak:
		return KernelHost
	}
	return KernelNone
}

func (im *Image) find() *findings {
	if im.found != nil {
		return im.found
	}
	im.found = &findings{}
	if im.Kernel != nil {
		im.addKernel(im.Kernel, im.KernelBlob.Name(), im.KernelBlob.Size())
	}
	for _, f := range im.fileSystems() {
		im.search(f, ".", 0, new(int))
	}
	slices.Sort(im.found.searched)
	im.found.searched = slices.Compact(im.found.searched)
	return im.found
}

// fileSystems lists what can hold files: the volumes of a disk, the root of a rootfs, the merged layers of
// the first image of an archive.
func (im *Image) fileSystems() []fsys.FS {
	if im.Disk != nil {
		var out []fsys.FS
		for _, v := range im.Disk.Volumes {
			if v.FS != nil {
				out = append(out, v.FS)
			}
		}
		return out
	}
	if im.Root != nil {
		return []fsys.FS{im.Root}
	}
	if im.Archive != nil && len(im.Archive.Images) > 0 {
		if root, err := im.Archive.Images[0].RootFS(); err == nil {
			return []fsys.FS{root}
		}
	}
	return nil
}

func (im *Image) search(f fsys.FS, dir string, depth int, opened *int) {
	if *opened++; *opened > searchDirs || depth > searchDepth {
		return
	}
	entries, err := f.ReadDir(dir)
	if err != nil {
		return
	}
	im.found.searched = append(im.found.searched, abs(dir))
	isRoot := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "etc" || e.Name() == "usr" })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			if depth > 0 || !isRoot || slices.Contains(kernelDirs, e.Name()) {
				im.search(f, name, depth+1, opened)
			}
			continue
		}
		if e.Type().IsRegular() {
			im.look(f, name, strings.ToLower(e.Name()))
		}
	}
}

func (im *Image) look(f fsys.FS, name, lower string) {
	switch {
	case hasPrefix(lower, "vmlinu", "bzimage", "kernel", "linux", "image"):
		file, err := fsys.OpenFile(f, name)
		if err != nil {
			return
		}
		defer file.Close()
		k, err := bzimage.Read(file, file.Size())
		if err != nil {
			return
		}
		im.addKernel(k, name, file.Size())
	case hasPrefix(lower, "initrd", "initramfs") && !strings.HasSuffix(lower, ".cfg"):
		file, err := fsys.OpenFile(f, name)
		if err != nil {
			return
		}
		defer file.Close()
		im.found.initrds = append(im.found.initrds, im.unpack(name, file))
	}
}

func (im *Image) addKernel(k *bzimage.Image, name string, size int64) {
	if !k.IsLinux() {
		return
	}
	version, cites := k.Release(im.Store, name)
	if version == "" {
		cites = k.Cites()
	}
	im.found.kernels = append(im.found.kernels, KernelFile{abs(name), version, k.Arch, k.Format, size, append(k.Cites(), cites...)})
}

func (im *Image) unpack(name string, file fsys.File) InitrdFile {
	out := InitrdFile{Path: abs(name)}
	_, segments, err := cpio.Unpack(im.Store, name, file, file.Size())
	out.Err = err
	for _, s := range segments {
		out.Entries += s.Entries
		out.Compression = string(s.Compression)
	}
	return out
}

func hasPrefix(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func abs(name string) string { return path.Join("/", name) }

// OSRelease reads os-release(5) of a root file system; nil when there is none.
func OSRelease(root fsys.FS) *osrelease.Release {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		at, err := fsys.Resolve(root, name)
		if err != nil {
			continue
		}
		if data, err := fsys.ReadFile(root, at, 64<<10); err == nil {
			r := osrelease.Parse(data)
			return &r
		}
	}
	return nil
}

// Init follows /sbin/init of a root file system; nil when it leads nowhere.
func Init(root fsys.FS) *InitProgram {
	at, err := fsys.Resolve(root, "sbin/init")
	if err != nil {
		return nil
	}
	return &InitProgram{Path: abs(at), Kind: initKind(root, at)}
}

// initKind is the init's kind in the words of the JSON contract.
func initKind(root fsys.FS, at string) string {
	switch kind := initprog.Kind(at, func(p string) bool { _, err := fsys.Resolve(root, p); return err == nil }); kind {
	case initprog.SysvRC:
		return initprog.OpenRC // sysvinit only reads inittab, whose lines run openrc
	case initprog.Other, initprog.Shell:
		return "other"
	default:
		return kind
	}
}
