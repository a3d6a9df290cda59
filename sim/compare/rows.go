package compare

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/exe/elf"
	"bootpath/sim/fsys"
	"bootpath/sim/identify"
	"bootpath/sim/oci"
	"bootpath/sim/trace"
)

// chosen is the image of an archive that the run took, or the first.
func (s Side) chosen() *oci.Image {
	a := s.Image.Archive
	if a == nil || len(a.Images) == 0 {
		return nil
	}
	platform := cmp.Or(s.Settings.Platform, "linux/"+cmp.Or(s.Settings.HostArch, "amd64"))
	if im, err := a.Select(platform, s.Settings.Ref); err == nil {
		return im
	}
	return &a.Images[0]
}

// root is the user space, nil when there is none.
func (s Side) root() fsys.FS {
	if im := s.chosen(); im != nil {
		if root, err := im.RootFS(); err == nil {
			return root
		}
		return nil
	}
	return s.Image.Root
}

// fileCites is the evidence for what a small text file says: its bytes.
func fileCites(root fsys.FS, name string) []blob.Cite {
	at, err := fsys.Resolve(root, name)
	if err != nil {
		return nil
	}
	file, err := fsys.OpenFile(root, at)
	if err != nil {
		return nil
	}
	defer file.Close()
	var out []blob.Cite
	for _, span := range blob.Locate(file, 0, min(file.Size(), 4096)) {
		out = append(out, blob.Cite{Span: span, Name: path.Join("/", at)})
	}
	return out
}

// at is a step's number as a finding has it.
func at(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

func purpose(s Side) Finding {
	var name string
	var cites []blob.Cite
	if root := s.root(); root != nil {
		if o := identify.OSRelease(root); o != nil {
			name = cmp.Or(o.PrettyName, o.ID)
			cites = fileCites(root, "etc/os-release")
		}
	}
	switch s.Image.Kind {
	case identify.System:
		f := Finding{Key: "compare.purpose-system", Value: name, Args: map[string]string{"os": cmp.Or(name, "?"), "target": s.Facts.Target}, Cites: cites}
		if name == "" {
			f.Key = "compare.purpose-machine"
		} else if s.Facts.Target == "" {
			f.Key = "compare.purpose-system-unreached"
		}
		return f
	case identify.Application:
		f := Finding{Key: "compare.purpose-application", Rule: "image-spec config.md, Entrypoint and Cmd"}
		if im := s.chosen(); im != nil {
			argv := append(slices.Clone(im.Config.Config.Entrypoint), im.Config.Config.Cmd...)
			f.Value, f.Cites = strings.Join(argv, " "), im.Cite("config.Entrypoint", "config.Cmd")
		}
		f.Args = map[string]string{"argv": f.Value}
		if f.Value == "" {
			f.Key = "compare.purpose-base"
		}
		return f
	case identify.RootFS:
		return Finding{Key: "compare.purpose-rootfs", Value: name, Args: map[string]string{"os": cmp.Or(name, "?")}, Cites: cites}
	}
	return Finding{Key: "compare.purpose-part", Value: last(s.Image.Formats), Args: map[string]string{"format": last(s.Image.Formats)}}
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func outcome(s Side) Finding {
	if s.Run == nil {
		return Finding{Key: "compare.outcome-none", Unknown: trace.Why("unknown.starts-nothing")}
	}
	o := s.Run.Outcome
	f := Finding{Key: "compare.outcome-" + string(o.Verdict), Value: string(o.Verdict), Step: at(o.Step), Unknown: o.Unknown,
		Args: map[string]string{"stage": string(o.Stage), "message": o.Message}}
	if o.Step < len(s.Run.Steps) {
		f.Rule, f.Cites = s.Run.Steps[o.Step].Rule, s.Run.Steps[o.Step].Cites
	}
	return f
}

func kernel(s Side) Finding {
	im := s.Image
	switch from := im.KernelFrom(); from {
	case identify.KernelInside:
		k := im.Kernels()[0]
		for _, other := range im.Kernels() {
			if other.Path == s.Facts.KernelPath {
				k = other
			}
		}
		return Finding{Key: "compare.kernel-inside", Value: "Linux " + k.Version, Args: map[string]string{"version": k.Version, "path": k.Path}, Cites: k.Cites}
	case identify.KernelHost:
		if s.Run != nil && !s.onHost() { // a machine was given the image: there is no host
			break
		}
		f := Finding{Key: "compare.kernel-host", Value: strings.TrimSpace("Linux " + s.Facts.Kernel), Args: map[string]string{"version": s.Facts.Kernel, "searched": searched(im)},
			Rule: "image-spec config.md"}
		if ks := im.Kernels(); len(ks) > 0 {
			f.Key, f.Cites, f.Args["path"] = "compare.kernel-unused", ks[0].Cites, ks[0].Path
		}
		return f
	case identify.KernelPlatform:
		return Finding{Key: "compare.kernel-platform", Args: map[string]string{"searched": searched(im)}, Unknown: trace.Why("unknown.platform-kernel")}
	}
	f := Finding{Key: "compare.kernel-none", Args: map[string]string{"searched": searched(im)}}
	if im.Disk != nil {
		for _, v := range im.Disk.Volumes {
			if v.FS == nil && v.Type != "" && v.Type != "swap" {
				f.Key, f.Unknown, f.Cites = "compare.kernel-hidden", trace.Why("unknown.volume-content", "type", v.Type), v.Cites
				f.Args["volume"] = v.Type
			}
		}
	}
	return f
}

func searched(im *identify.Image) string { return strings.Join(im.Searched(), " ") }

// start is the chain of programs that hand over to each other, as the run met them.
func start(s Side) Finding {
	if s.Run == nil {
		return Finding{Key: "compare.start-none", Unknown: trace.Why("unknown.starts-nothing")}
	}
	var chain []string
	for _, st := range s.Run.Steps {
		name, _, _ := strings.Cut(st.Actor, ":")
		name, _, _ = strings.Cut(name, "[")
		if name != "host" && !slices.Contains(chain, name) {
			chain = append(chain, name)
		}
	}
	f := Finding{Key: "compare.start-machine", Value: strings.Join(chain, " → "), Step: at(0), Rule: s.Run.Steps[0].Rule}
	if s.onHost() {
		f.Key = "compare.start-container"
	}
	f.Args = map[string]string{"chain": f.Value}
	return f
}

// onHost tells a run on a container host from one on a machine of its own.
func (s Side) onHost() bool {
	return s.Run != nil && len(s.Run.Steps) > 0 && s.Run.Steps[0].Stage == trace.Resolve
}

func initProgram(s Side) Finding {
	root := s.root()
	if root == nil {
		if e := Execve(s.Run); e >= 0 && !s.onHost() {
			return Finding{Key: "compare.init-initramfs", Value: s.Run.Steps[e].Args["exe"], Args: map[string]string{"exe": s.Run.Steps[e].Args["exe"]}, Step: at(e), Cites: s.Run.Steps[e].Cites}
		}
		return Finding{Key: "compare.init-none", Unknown: trace.Why("unknown.no-root")}
	}
	p := identify.Init(root)
	switch {
	case p == nil:
		return Finding{Key: "compare.init-none", Rule: "init(8)"}
	case s.Image.Kind == identify.Application:
		return Finding{Key: "compare.init-unused", Value: p.Path, Args: map[string]string{"path": p.Path, "kind": p.Kind}, Cites: statCites(root, p.Path)}
	}
	return Finding{Key: "compare.init-" + string(s.Image.Kind), Value: p.Path, Args: map[string]string{"path": p.Path, "kind": p.Kind}, Cites: statCites(root, p.Path)}
}

func statCites(root fsys.FS, name string) []blob.Cite {
	fi, err := root.Stat(strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil
	}
	if st := fsys.StatOf(fi); st != nil {
		return st.Cites
	}
	return nil
}

func firstProcess(s Side) Finding {
	e := Execve(s.Run)
	if e < 0 {
		return Finding{Key: "compare.process-none", Unknown: trace.Why("unknown.ends-before-process")}
	}
	st := s.Run.Steps[e]
	f := Finding{Key: "compare.process-machine", Value: st.Args["exe"], Args: map[string]string{"exe": st.Args["exe"], "argv": st.Args["argv"]}, Step: at(e), Rule: st.Rule, Cites: st.Cites}
	if s.onHost() {
		f.Key = "compare.process-container"
		for _, c := range st.Changes {
			if c.Table == trace.Processes {
				f.Args["pid"] = c.ID
			}
		}
	}
	return f
}

func isolation(s Side) Finding {
	if s.Run == nil || !s.onHost() {
		f := Finding{Key: "compare.isolation-machine", Unknown: trace.Why("unknown.hardware")}
		if s.Run == nil {
			f.Key = "compare.isolation-none"
		}
		return f
	}
	e := Execve(s.Run)
	if e < 0 {
		return Finding{Key: "compare.isolation-early", Unknown: trace.Why("unknown.ends-before-namespaces")}
	}
	pid := ""
	for _, c := range s.Run.Steps[e].Changes {
		if c.Table == trace.Processes {
			pid = c.ID
		}
	}
	var own []string
	unshared := -1
	namespaces := s.Run.At(e)[trace.Namespaces]
	for _, id := range slices.Sorted(maps.Keys(namespaces)) {
		row := namespaces[id]
		if !strings.HasSuffix(id, ":1") && slices.Contains(strings.Split(row["members"], ","), pid) {
			own = append(own, row["type"])
		}
	}
	for _, st := range s.Run.Steps[:e] {
		if st.Kind == "kernel.unshare" && unshared < 0 {
			unshared = st.Seq
		}
	}
	f := Finding{Key: "compare.isolation-container", Value: strings.Join(own, " "), Step: at(unshared), Rule: "namespaces(7)", Args: map[string]string{"namespaces": strings.Join(own, ", ")}}
	if len(own) == 0 {
		f.Key = "compare.isolation-shared"
	}
	return f
}

func size(s Side) Finding {
	im := s.Image
	file := bytesText(im.Input.Size())
	if im.Origin != nil {
		file = bytesText(im.Origin.Size)
	}
	switch {
	case im.Disk != nil:
		f := Finding{Key: "compare.size-disk", Value: file, Args: map[string]string{"file": file, "disk": bytesText(im.Disk.Size)}}
		if im.Disk.Table != nil {
			f.Cites = im.Disk.Table.Cites
		}
		if f.Args["file"] != f.Args["disk"] {
			f.Value += " / " + f.Args["disk"]
		}
		return f
	case s.chosen() != nil:
		a := s.chosen()
		var stored, unpacked int64
		for i := range a.Layers {
			stored += a.Layers[i].Size
			if r, err := a.Layers[i].Reader(); err == nil {
				unpacked += sizeOf(r)
			}
		}
		return Finding{Key: "compare.size-layers", Value: bytesText(stored) + " / " + bytesText(unpacked), Cites: a.CiteManifest("layers", "Layers"),
			Args: map[string]string{"file": file, "layers": strconv.Itoa(len(a.Layers)), "stored": bytesText(stored), "unpacked": bytesText(unpacked)}}
	}
	return Finding{Key: "compare.size-file", Value: file, Args: map[string]string{"file": file}}
}

func sizeOf(r any) int64 {
	if s, ok := r.(interface{ Size() int64 }); ok {
		return s.Size()
	}
	return 0
}

// bytesText writes a size with a binary unit.
func bytesText(n int64) string {
	f, unit := float64(n), 0
	for f >= 1024 && unit < 4 {
		f, unit = f/1024, unit+1
	}
	name := []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
	if unit == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, name)
	}
	return fmt.Sprintf("%.1f %s", f, name)
}

func portability(s Side) Finding {
	im := s.Image
	switch {
	case im.Disk != nil:
		var firmware []string
		for _, l := range im.Bootloaders() {
			if !slices.Contains(firmware, l.Firmware) {
				firmware = append(firmware, l.Firmware)
			}
		}
		slices.Sort(firmware)
		f := Finding{Key: "compare.portability-system", Value: strings.Join(append(slices.Clone(firmware), arches(im)...), ", "),
			Args: map[string]string{"firmware": strings.Join(firmware, ", "), "arch": strings.Join(arches(im), ", ")}}
		if len(firmware) == 0 {
			f.Key = "compare.portability-unbootable"
		}
		return f
	case s.chosen() != nil:
		var platforms []string
		for i := range im.Archive.Images {
			if p := im.Archive.Images[i].Platform; !slices.Contains(platforms, p) {
				platforms = append(platforms, p)
			}
		}
		f := Finding{Key: "compare.portability-application", Value: strings.Join(platforms, ", "), Args: map[string]string{"platforms": strings.Join(platforms, ", ")},
			Cites: s.chosen().Cite("os", "architecture", "variant"), Rule: "image-spec config.md, os and architecture"}
		if oldest, cites := s.oldestKernel(); oldest != "" {
			f.Key, f.Args["oldest"] = "compare.portability-floor", oldest
			f.Value += ", Linux ≥ " + oldest
			f.Cites = append(f.Cites, cites...)
		}
		return f
	}
	if machine, cites := s.machineCode(); machine != "" {
		return Finding{Key: "compare.portability-rootfs", Value: machine, Args: map[string]string{"arch": machine}, Step: at(Execve(s.Run)), Rule: "execve(2) ENOEXEC", Cites: cites}
	}
	return Finding{Key: "compare.portability-unknown", Unknown: trace.Why("unknown.processor")}
}

// machineCode is the ELF machine of the program that became process 1, "EM_X86_64".
func (s Side) machineCode() (string, []blob.Cite) {
	if e := Execve(s.Run); e >= 0 {
		for _, word := range strings.Fields(s.Run.Steps[e].Args["format"]) {
			if strings.HasPrefix(word, "EM_") {
				return strings.TrimSuffix(word, ","), s.Run.Steps[e].Cites
			}
		}
	}
	return "", nil
}

// oldestKernel is what the program that starts asks of a kernel: the note of its C library or of itself.
func (s Side) oldestKernel() (string, []blob.Cite) {
	root, e := s.root(), Execve(s.Run)
	if root == nil || e < 0 {
		return "", nil
	}
	args := s.Run.Steps[e].Args
	for _, name := range []string{args["exe"], args["loader"]} {
		if name == "" {
			continue
		}
		at, err := fsys.Resolve(root, strings.TrimPrefix(name, "/"))
		if err != nil {
			continue
		}
		file, err := fsys.OpenFile(root, at)
		if err != nil {
			continue
		}
		if v, cites, ok := kernelABI(file); ok {
			file.Close()
			return v, cites
		}
		file.Close()
	}
	return "", nil
}

func kernelABI(file fsys.File) (string, []blob.Cite, bool) {
	exe, err := elf.Read(file)
	if err != nil {
		return "", nil, false
	}
	segments, err := exe.Segments()
	if err != nil {
		return "", nil, false
	}
	v, cites, ok := exe.KernelABI(segments)
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]), cites, ok
}

func arches(im *identify.Image) []string {
	var out []string
	for _, k := range im.Kernels() {
		if k.Arch != "" && !slices.Contains(out, k.Arch) {
			out = append(out, k.Arch)
		}
	}
	return out
}

func architecture(s Side) Finding {
	if im := s.chosen(); im != nil {
		_, arch, _ := strings.Cut(im.Platform, "/")
		return Finding{Key: "compare.architecture-config", Value: arch, Args: map[string]string{"arch": arch}, Cites: im.Cite("architecture", "variant")}
	}
	if found := arches(s.Image); len(found) > 0 {
		return Finding{Key: "compare.architecture-kernel", Value: strings.Join(found, ", "), Args: map[string]string{"arch": strings.Join(found, ", ")}, Cites: s.Image.Kernels()[0].Cites}
	}
	if machine, cites := s.machineCode(); machine != "" {
		return Finding{Key: "compare.architecture-program", Value: machine, Args: map[string]string{"arch": machine}, Step: at(Execve(s.Run)), Rule: "execve(2) ENOEXEC", Cites: cites}
	}
	return Finding{Key: "compare.architecture-unknown", Unknown: trace.Why("unknown.processor")}
}

// persistence asks where a write to / goes when everything runs.
func persistence(s Side) Finding {
	if s.Run == nil {
		return Finding{Key: "compare.persistence-unknown", Unknown: trace.Why("unknown.starts-nothing")}
	}
	if s.onHost() {
		return s.containerWrites()
	}
	row, step := s.rootMount("mnt:1")
	if row == nil || Execve(s.Run) < 0 {
		return Finding{Key: "compare.persistence-unknown", Unknown: trace.Why("unknown.ends-before-root")}
	}
	f := Finding{Key: "compare.persistence-disk", Value: row["source"] + " " + row["fstype"], Step: at(step),
		Args: map[string]string{"source": row["source"], "fstype": row["fstype"], "options": row["options"]}, Cites: s.Run.Steps[step].Cites, Rule: s.Run.Steps[step].Rule}
	readOnly := slices.Contains(strings.Split(row["options"], ","), "ro")
	switch {
	case slices.Contains([]string{"rootfs", "tmpfs", "ramfs", "overlay"}, row["fstype"]):
		f.Key = "compare.persistence-memory"
	case readOnly || slices.Contains([]string{"iso9660", "squashfs", "erofs", "cramfs"}, row["fstype"]):
		f.Key = "compare.persistence-readonly"
	}
	return f
}

func (s Side) containerWrites() Finding {
	var volumes []string
	var cites []blob.Cite
	if im := s.chosen(); im != nil {
		volumes = slices.Sorted(maps.Keys(im.Config.Config.Volumes))
		cites = im.Cite("config.Volumes")
	}
	step := -1
	for _, st := range s.Run.Steps {
		if st.Kind == "kernel.mount" && st.Args["fstype"] == "overlay" && step < 0 {
			step = st.Seq
		}
	}
	f := Finding{Key: "compare.persistence-upper", Value: "overlay upperdir", Step: at(step), Cites: cites, Rule: "overlayfs.rst, Upper and Lower", Args: map[string]string{"volumes": strings.Join(volumes, " ")}}
	switch {
	case step < 0 && Execve(s.Run) < 0:
		return Finding{Key: "compare.persistence-unknown", Unknown: trace.Why("unknown.ends-before-root")}
	case s.Settings.ReadOnly:
		f.Key, f.Value = "compare.persistence-container-readonly", "ro"
	case len(volumes) > 0:
		f.Key = "compare.persistence-volumes"
	}
	return f
}

// rootMount is what is mounted at / of a mount namespace at the end, the topmost, and the step that put it there.
func (s Side) rootMount(ns string) (trace.Row, int) {
	state := s.Run.At(len(s.Run.Steps) - 1)
	var row trace.Row
	best := -1
	for _, id := range slices.Sorted(maps.Keys(state[trace.Mounted])) {
		r := state[trace.Mounted][id]
		if n, err := strconv.Atoi(id); err == nil && r["ns"] == ns && r["target"] == "/" && n > best {
			row, best = r, n
		}
	}
	step := -1
	for _, st := range s.Run.Steps {
		for _, c := range st.Changes {
			if c.Table == trace.Mounted && c.ID == strconv.Itoa(best) && c.After != nil {
				step = st.Seq
			}
		}
	}
	return row, max(step, 0)
}

func format(s Side) Finding {
	chain := strings.Join(s.Image.Formats, " > ")
	f := Finding{Key: "compare.format-file", Value: chain, Args: map[string]string{"formats": chain}}
	switch im := s.Image; {
	case im.Disk != nil:
		f.Key = "compare.format-disk"
		f.Args["table"], f.Args["volumes"] = "-", volumeTypes(im)
		if t := im.Disk.Table; t != nil {
			f.Args["table"], f.Cites = t.Type, t.Cites
			f.Value += ", " + t.Type
		}
		f.Cites = append(slices.Clone(f.Cites), im.Disk.Catalog...)
	case s.chosen() != nil:
		a := s.chosen()
		f.Key, f.Args["layers"] = "compare.format-archive", strconv.Itoa(len(a.Layers))
		f.Cites = a.CiteManifest("config", "Config", "layers", "Layers")
	}
	return f
}

func volumeTypes(im *identify.Image) string {
	var out []string
	for _, v := range im.Disk.Volumes {
		if v.Type != "" {
			out = append(out, v.Type)
		}
	}
	return strings.Join(out, " ")
}

// length is how many steps it takes to the program, and how long in modelled time.
func length(s Side) Finding {
	if s.Run == nil || len(s.Run.Steps) == 0 {
		return Finding{Key: "compare.length-none", Unknown: trace.Why("unknown.starts-nothing")}
	}
	steps := s.Run.Steps
	f := Finding{Key: "compare.length", Value: fmt.Sprintf("%d, %s", len(steps), duration(steps[len(steps)-1].At)),
		Args: map[string]string{"steps": strconv.Itoa(len(steps)), "time": duration(steps[len(steps)-1].At)}}
	if e := Execve(s.Run); e >= 0 {
		f.Key, f.Step = "compare.length-execve", at(e)
		f.Args["execve"], f.Args["execve_time"] = strconv.Itoa(e), duration(steps[e].At)
	}
	return f
}

// duration writes virtual time with two or three digits.
func duration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
