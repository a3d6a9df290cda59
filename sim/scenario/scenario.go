// Package scenario turns an opened image and settings into a trace. What a learner breaks (bytes, files,
// the command line, the image's config) is laid over the pristine input here; the engine below does not
// know that a run is "faulty".
package scenario

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/boot"
	"bootpath/sim/container"
	"bootpath/sim/disk"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/union"
	"bootpath/sim/identify"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Result is a finished run.
type Result struct {
	Trace *trace.Trace
	Facts Facts
	Image *identify.Image // as it was run: with the patches
}

// Source opens the input afresh: an archive is patched before anything in it is read.
type Source func() (*blob.Store, *blob.Blob, error)

// Run starts im, opened from source, under the settings. An error means that the settings cannot be
// applied or that bootpath is broken; a start that fails is a result.
func Run(im *identify.Image, source Source, s RunSettings) (*Result, error) {
	patches, err := bytePatches(s.Patch)
	if err != nil {
		return nil, err
	}
	if im, err = prepare(im, source, patches, s); err != nil {
		return nil, err
	}
	m := machine.New()
	res := &Result{Image: im}
	switch kind, wrong := pathOf(im, s); {
	case wrong != nil:
		return nil, wrong
	case kind == PathSystem:
		res.Facts, err = runSystem(m, im, s)
	case kind == PathContainer && (im.Disk != nil || im.Kind == identify.Other):
		container.Load(m, container.LoadConfig{Engine: s.Engine, Name: im.Input.Name(), File: im.Stored()})
	case kind == PathContainer && im.IsWSL() && asUsual(s):
		argv, user := container.WSL(m, im.Root, im.Input.Name())
		res.Facts = Facts{Argv: argv, User: user}
	case kind == PathContainer:
		res.Facts, err = runApplication(m, im, s)
	default:
		err = fmt.Errorf("%s: %s", im.Input.Name(), im.WhyNot())
	}
	if err != nil {
		return nil, err
	}
	res.Trace = m.Trace()
	if at, ok := im.Store.Missed(); ok {
		res.Trace.Outcome = notKept(res.Trace.Outcome, at)
	}
	return res, nil
}

// prepare is the image for this run, with what the learner broke in it.
func prepare(pristine *identify.Image, source Source, patches []blob.Patch, s RunSettings) (*identify.Image, error) {
	im, ok := pristine.Fork(), true
	if len(patches) > 0 {
		im, ok = pristine.Patched(patches)
	}
	if !ok {
		store, input, err := source()
		if err != nil {
			return nil, err
		}
		if im, err = identify.Open(store, input, patches); err != nil {
			return nil, err
		}
		im.Origin = pristine.Origin
	}
	if len(s.Remove) > 0 || len(s.Write) > 0 {
		if err := im.EditFiles(func(f fsys.FS, isRoot bool) fsys.FS { return edit(f, isRoot, s) }); err != nil {
			return nil, err
		}
	}
	return im, nil
}

// asUsual tells settings that ask for no container engine and no program of their own.
func asUsual(s RunSettings) bool {
	return s.Path == "" && s.Engine == "" && len(s.Command) == 0 && s.Entrypoint == nil && len(s.Set) == 0
}

// notKept withdraws a prediction that rests on bytes which the slice does not have.
func notKept(o trace.Outcome, at blob.Span) trace.Outcome {
	return trace.Outcome{Verdict: trace.Unknown, Stage: o.Stage, Step: o.Step,
		Unknown: trace.Why("unknown.not-kept", "blob", at.Blob, "offset", fmt.Sprintf("%#x", at.Off))}
}

func bytePatches(in []BytePatch) ([]blob.Patch, error) {
	var out []blob.Patch
	for _, p := range in {
		data, err := hex.DecodeString(p.Data)
		if err != nil || p.Off < 0 {
			return nil, fmt.Errorf("patch %d=%q: want an offset and bytes in hexadecimal", p.Off, p.Data)
		}
		out = append(out, blob.Patch{Off: p.Off, Data: data})
	}
	return out, nil
}

// edit applies the file what-ifs that concern this file system.
func edit(f fsys.FS, isRoot bool, s RunSettings) fsys.FS {
	var remove []string
	for _, p := range s.Remove {
		if _, err := fsys.ResolveParent(f, p); err == nil {
			remove = append(remove, rel(f, p))
		}
	}
	write := map[string][]byte{}
	for p, content := range s.Write {
		if _, err := fsys.ResolveParent(f, p); err == nil || isRoot {
			write[rel(f, p)] = []byte(content)
		}
	}
	if len(remove)+len(write) == 0 {
		return f
	}
	return union.Edit(f, remove, write)
}

// rel is the path without the links that lead to it, as io/fs wants it.
func rel(f fsys.FS, p string) string {
	if at, err := fsys.ResolveParent(f, p); err == nil {
		return at
	}
	dir, err := fsys.Resolve(f, path.Dir(p))
	if err != nil {
		return strings.TrimPrefix(path.Clean("/"+p), "/")
	}
	return path.Join(dir, path.Base(p))
}

func runSystem(m *machine.Machine, im *identify.Image, s RunSettings) (Facts, error) {
	if s.Memory != "" && s.MemoryMiB == 0 {
		return Facts{}, fmt.Errorf("--memory %s: want a size like 512m or 2g", s.Memory)
	}
	c := boot.Config{
		Disk: attached(im), Store: im.Store, SecureBoot: s.SecureBoot, MemoryMiB: s.MemoryMiB,
		Firmware: s.Firmware, Device: s.Device, Arch: goArch(s.Arch), OpenVolume: identify.Volume, OpenDisk: identify.Disk,
	}
	if c.Arch == "" && im.Disk != nil {
		c.Arch = defaultArch(im)
	}
	switch {
	case c.Firmware != "":
	case s.SecureBoot || c.Arch == "arm64": // there is no BIOS that has it
		c.Firmware = "uefi"
	default:
		c.Firmware = DefaultFirmware(im)
	}
	if im.Kernel != nil && s.Path == "" {
		c.Kernel = &boot.Direct{Name: im.KernelBlob.Name(), R: im.KernelBlob, Size: im.KernelBlob.Size(), Image: im.Kernel}
	}
	if im.IsProgram() && s.Path == "" {
		c.Kernel = &boot.Direct{Name: im.Stored().Name(), R: im.Stored(), Size: im.Stored().Size()}
	}
	if c.Device == "" {
		c.Device = defaultDevice(im)
	}
	for key, value := range s.Set {
		if key != "cmdline" {
			return Facts{}, fmt.Errorf("--set %s: a system image has cmdline to set", key)
		}
		if json.Unmarshal([]byte(value), &c.Cmdline) != nil {
			c.Cmdline = value // plain text is taken as it is
		}
	}
	f := boot.Run(m, c)
	return Facts{Cmdline: f.Cmdline, Kernel: f.Kernel, KernelPath: f.KernelPath, Initrd: f.Initrd, Root: f.Root,
		Init: f.Init, Target: f.Target, Units: f.Units, UnitRuns: f.UnitRuns, Signed: f.Signed}, nil
}

// goArch is an architecture's name as Go spells it.
func goArch(name string) string {
	switch name {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return name
}

// DefaultFirmware is bios unless only another could start the image: a Raspberry Pi's firmware lies on it, it has an
// EFI system partition or an EFI boot entry, or what U-Boot looks for, and nothing that a BIOS would start.
func DefaultFirmware(im *identify.Image) string {
	has := map[string]bool{"uefi": im.HasESP()}
	for _, l := range im.Bootloaders() {
		has[l.Firmware] = true
	}
	switch {
	case has["bios"]:
		return "bios"
	case has["rpi"]:
		return "rpi"
	case has["uefi"]:
		return "uefi"
	case has["uboot"]:
		return "uboot"
	}
	return "bios"
}

// defaultArch is arm64 for an image whose only programs for UEFI are for that machine.
func defaultArch(im *identify.Image) string {
	arch := ""
	for _, l := range im.Bootloaders() {
		switch {
		case l.Firmware == "bios" || strings.HasSuffix(l.Path, "X64.EFI"):
			return ""
		case strings.HasSuffix(l.Path, "AA64.EFI"):
			arch = "arm64"
		}
	}
	return arch
}

// The two ways to start an image.
const (
	PathSystem    = "system"    // give it to a machine
	PathContainer = "container" // give it to a container engine
)

// pathOf is the way that the settings ask for, or the one that fits the image; "" when neither does.
func pathOf(im *identify.Image, s RunSettings) (string, error) {
	switch s.Path {
	case PathSystem, PathContainer:
		return s.Path, nil
	case "":
	default:
		return "", fmt.Errorf("--path %s: want %s or %s", s.Path, PathSystem, PathContainer)
	}
	return UsualPath(im), nil
}

// UsualPath is the way that an image is made for; "" for a file that nothing starts.
func UsualPath(im *identify.Image) string {
	switch im.Kind {
	case identify.System:
		return PathSystem
	case identify.Application, identify.RootFS:
		return PathContainer
	}
	if im.Kernel != nil || im.IsProgram() {
		return PathSystem // a machine that loads kernels itself: qemu -kernel
	}
	return ""
}

// attached is the disk that a machine gets: the one in the file, or the file itself as a raw disk when it
// is none ("can I boot my container image?").
func attached(im *identify.Image) *disk.Disk {
	if im.Disk != nil {
		return im.Disk
	}
	return &disk.Disk{Name: im.Input.Name(), Format: "raw", R: im.Input, Size: im.Input.Size()}
}

// defaultDevice is what people attach such an image as.
func defaultDevice(im *identify.Image) string {
	if im.Disk == nil {
		return "disk"
	}
	switch size := im.Disk.Size; {
	case im.Disk.Format == "iso9660":
		return "cdrom"
	case (im.Disk.Table == nil || im.Disk.Table.Type == "dos") && slices.Contains([]int64{360 << 10, 720 << 10, 1200 << 10, 1440 << 10, 2880 << 10}, size):
		return "floppy"
	}
	return "disk"
}
