package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/fsys"
	"bootpath/sim/fsys/cpio"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Log levels of printk, include/linux/kern_levels.h.
const (
	kernEmerg  = 0
	kernErr    = 3
	kernWarn   = 4 // also of a printk without a level: CONFIG_MESSAGE_LOGLEVEL_DEFAULT
	kernNotice = 5
	kernInfo   = 6
)

// pageSize is that of x86.
const pageSize = 4096

// maxInitramfs bounds what is read of all initramfs images of one start together, in bytes.
const maxInitramfs = 1 << 30

// linux is a Linux kernel from its first instruction to the first program.
type linux struct {
	*start
	l         loaded
	img       *bzimage.Image
	k         *kernel.Kernel
	pid1      *kernel.Task
	params    cmdline.Line
	version   string // "6.1.0-50-cloud-amd64"
	banner    string // "Linux version 6.1.0-50-cloud-amd64 (…) … Debian 6.1.176-1 (2026-07-02)"
	started   time.Duration
	mods      *modules
	hw        []*hardware
	initrd    fsys.FS           // what was unpacked, nil without an initramfs
	noDriver  *trace.Reason     // why a driver may be built in that the run did without; nil when nothing is in doubt
	unsure    *trace.Reason     // why a device may exist that the run did not find; nil when nothing is in doubt
	searched  map[string]string // what blkid was asked, and its answer
	installed bool              // BusyBox has made links for its applets
	udevd     bool              // runs
	inRules   bool              // it runs the programs of its rules
	// udevProperties are what scripts gave udevd for every event: udevadm control --property.
	udevProperties map[string]string
	loaded         []string // modules, in the order in which they were loaded
	initArgs       []string
	line           string   // the last line of the console that a program wrote
	warned         struct { // see warning
		level int
		text  string
	}
}

// linux runs the kernel that a bootloader left in memory.
func (s *start) linux(l loaded) {
	if s.medium != nil {
		s.c.Disk = s.medium // drivers see the CD, no BIOS stands between
	}
	img, err := bzimage.Read(l.image, l.size)
	if err != nil {
		s.m.Emit(trace.Step{Actor: "linux", Stage: trace.Kernel, Kind: "linux.not-a-kernel", Rule: "x86 boot protocol, The real-mode kernel header",
			Args: map[string]string{"path": l.path, "error": err.Error()}, Cites: cite(l.image, 0, min(l.size, 16), "kernel file", "")})
		s.cannotKnow(trace.Kernel, trace.Why("unknown.not-a-kernel", "path", slash(l.path)).For(kernel.Because(err)))
		return
	}
	if !img.IsLinux() {
		s.m.Emit(trace.Step{Actor: "program", Stage: trace.Kernel, Kind: "linux.other-program", Rule: "x86 boot protocol, kernel_version", Cites: img.Cites(), Cause: l.cause,
			Args: map[string]string{"path": slash(l.path), "program": img.FullVersion()}})
		s.cannotKnow(trace.Kernel, trace.Why("unknown.program-named", "path", slash(l.path), "program", img.FullVersion()))
		return
	}
	if s.c.Cmdline != "" {
		l.cmdline = s.c.Cmdline
	}
	version, _ := img.Release(s.store(), l.path)
	x := &linux{start: s, l: l, img: img, params: cmdline.Parse(l.cmdline), version: version, started: s.m.Now()}
	s.facts.Cmdline, s.facts.Kernel, s.facts.KernelPath = l.cmdline, x.version, l.path
	for _, i := range l.initrds {
		s.facts.Initrd = append(s.facts.Initrd, i.path)
	}
	if len(l.files) > 0 {
		s.facts.Initrd = l.files
	}
	x.k = kernel.New(s.m, kernel.Options{Version: x.version, Arch: img.Arch, Cmdline: l.cmdline, Store: s.store()})
	x.pid1 = x.k.Init()
	x.initArgs = x.params.InitArgs(kernelTakes)

	x.enter(img)
	if x.version == "" {
		x.cannotKnow(trace.Kernel, trace.Why("unknown.kernel-version", "path", slash(l.path)))
		return
	}
	if !x.unpackInitramfs() {
		return
	}
	x.mods = x.findModules()
	x.hw = x.attach()
	x.probe(x.mods.builtin, "linux")
	if x.mods.builtin("loop") == yes {
		x.startLoops()
	}
	s.m.Wait(costKernelLate)
	x.kernelInit()
}

// emit appends a step of the kernel. text is what it prints, "" for nothing.
func (x *linux) emit(kind trace.Kind, level int, text string, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return x.m.Emit(trace.Step{Actor: "linux", Stage: trace.Kernel, Kind: kind, Args: args, Rule: rule, Cites: cites,
		Console: x.printk(level, text)}, rows...)
}

// printk gives lines the form that they have on the console, or nothing when the console's log level
// keeps them back: a message is shown when its level is below (Documentation/core-api/printk-basics.rst).
func (x *linux) printk(level int, text string) string {
	if text == "" || level >= x.params.LogLevel() {
		return ""
	}
	var out strings.Builder
	t := x.m.Now() - x.started
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(&out, "[%5d.%06d] %s\n", t/time.Second, t%time.Second/time.Microsecond, line)
	}
	return out.String()
}

// enter is the kernel's way to its own C code: it unpacks itself and says who it is.
func (x *linux) enter(img *bzimage.Image) {
	args := map[string]string{"path": slash(x.l.path), "size": bytesText(x.l.size), "version": x.version, "address": "random"}
	rows := []machine.Set{cpuRow("long", "Linux "+x.version)}
	if img.Arch == "386" {
		rows = []machine.Set{cpuRow("protected", "Linux "+x.version)}
	}
	// "pref_address: This field, if nonzero, represents a preferred load address for the kernel." With KASLR
	// the decompressor picks another at random (CONFIG_RANDOMIZE_BASE), unless the command line forbids it.
	h := img.Header
	if h.Pref_address != 0 && (x.params.Has("nokaslr") || x.noKASLR()) {
		args["address"] = hex(h.Pref_address)
		rows = append(rows, memoryRow(h.Pref_address, uint64(h.Init_size), whatKernel, x.l.path))
	}
	kind, rule := trace.Kind("linux.decompress"), "Documentation/arch/x86/boot.rst, 64-bit boot protocol"
	if img.Format == bzimage.Vmlinux || img.Format == bzimage.Raw { // as it lies in memory already
		kind, rule = "linux.enter", "head_64.S, head.S: the kernel runs where it was loaded, or moves itself"
	}
	if img.Entry > 0 && img.Entry < 1<<40 {
		args["address"] = hex(img.Entry)
		rows = append(rows, memoryRow(img.Entry, uint64(x.l.size), whatKernel, x.l.path))
	}
	if img.Arch == "arm64" {
		rows = nil
	}
	// First what goes: the kernel may come to lie where a boot loader was.
	x.emit(kind, 0, "", args, rule, img.Cites(), append(x.leftBehind(), rows...)...)

	banner, cites, err := img.Banner(x.store(), x.l.path)
	text := ""
	if err == nil {
		text = strings.TrimSuffix(banner, "\n")
		x.banner = text
	}
	x.emit("linux.banner", kernNotice, text, map[string]string{"version": x.version, "banner": text}, "init/version-timestamp.c, linux_banner", append(cites, img.Cites()...))
	x.commandLine(img.Arch)
	if start, end, ok := x.ramdisk(); ok && start > 0 {
		x.emit("linux.find-ramdisk", kernInfo, fmt.Sprintf("RAMDISK: [mem 0x%08x-0x%08x]", start, end-1),
			map[string]string{"start": hex(start), "end": hex(end - 1), "size": bytesText(int64(end - start))},
			"arch/x86/kernel/setup.c, early_reserve_initrd", nil)
	}
	x.m.Wait(costKernelEarly)
}

// commandLine is the line by which the kernel says what it was told: x86 in setup_arch, the others in start_kernel.
func (x *linux) commandLine(arch string) {
	text, rule := "Command line: ", "arch/x86/kernel/setup.c, setup_arch"
	if arch != "386" && arch != "amd64" {
		text, rule = "Kernel command line: ", "init/main.c, print_kernel_cmdline"
	}
	if text += x.l.cmdline; x.l.unsaid {
		text = ""
	}
	x.emit("linux.command-line", kernInfo, text, map[string]string{"cmdline": x.l.cmdline, "by": x.l.by}, rule, nil, x.copied()...)
}

// noKASLR tells whether the kernel's configuration says that it was built without.
func (x *linux) noKASLR() bool {
	config := x.kconfig()
	return len(config) > 0 && config["CONFIG_RANDOMIZE_BASE"] != "y"
}

func (s *start) store() *blob.Store {
	if s.c.Store == nil {
		s.c.Store = blob.NewStore()
	}
	return s.c.Store
}

// ramdisk is the physical memory that the initramfs images lie in, up to the end of its last page.
func (x *linux) ramdisk() (start, end uint64, ok bool) {
	for i, r := range x.l.initrds {
		if r.size <= 0 {
			continue
		}
		if i == 0 || r.addr < start || !ok {
			start = r.addr
		}
		end, ok = max(end, r.addr+uint64(r.size)), true
	}
	return start, (end + pageSize - 1) &^ (pageSize - 1), ok
}

// unpackInitramfs is do_populate_rootfs of init/initramfs.c. It returns false when the run cannot go on.
func (x *linux) unpackInitramfs() bool {
	start, end, ok := x.ramdisk()
	if !ok || x.params.Has("noinitrd") {
		return true
	}
	r, size := x.joined()
	// The wording depends on the kernel's configuration, and on its version.
	text := "Trying to unpack rootfs image as initramfs..."
	ram, enabled := x.ramDisk()
	if enabled == no {
		text = "Unpacking initramfs..."
	}
	args := map[string]string{"path": "/" + strings.TrimPrefix(x.l.initrds[0].path, "/"), "size": bytesText(size)}
	x.emit("linux.unpack-initramfs", kernInfo, text, args, "init/initramfs.c, do_populate_rootfs", cite(r, 0, min(size, 6), "initramfs", ""))
	x.m.Wait(cost(size, rateUnpack))

	root, segments, err := cpio.Unpack(x.store(), strings.TrimPrefix(x.l.initrds[0].path, "/"), r, size)
	for _, seg := range segments {
		x.emit("linux.unpack-archive", 0, "", map[string]string{"offset": hex(uint64(seg.Off)), "compression": compression(seg), "entries": fmt.Sprint(seg.Entries)},
			"Documentation/driver-api/early-userspace/buffer-format.rst", seg.Cites)
	}
	if err != nil && !x.unpackFailed(err, ram) {
		return false
	}
	if root != nil && len(segments) > 0 {
		x.initrd = root
		x.k.UnpackRootfs(root)
	}
	x.emit("linux.free-initrd", kernInfo, fmt.Sprintf("Freeing initrd memory: %dK", (end-start)>>10),
		map[string]string{"size": bytesText(int64(end - start))}, "arch/x86/mm/init.c, free_initrd_mem", nil, x.freed()...)
	return true
}

// ramDisk tells whether the RAM disk driver is built in, and whether it exists at all (IS_ENABLED).
func (x *linux) ramDisk() (builtin, enabled answer) {
	m := x.findModules()
	switch value, ok := m.config["CONFIG_BLK_DEV_RAM"]; {
	case ok && value == "y":
		return yes, yes
	case ok:
		return no, yes
	case len(m.config) > 0:
		return no, no
	}
	return m.builtin("brd"), unknown
}

// unpackFailed prints what the kernel says when the archive is not one. What was unpacked before the
// fault stays. It returns false when it is we who cannot unpack it.
func (x *linux) unpackFailed(err error, ram answer) bool {
	var bad *cpio.Error
	if !errors.As(err, &bad) {
		x.cannotKnow(trace.Kernel, unreadable(slash(x.l.initrds[0].path), err))
		return false
	}
	msg, cites := bad.Msg, bad.Cites
	level, text := kernEmerg, "Initramfs unpacking failed: "+msg
	if ram == yes { // the image may be that of a RAM disk, the older kind of initrd
		level, text = kernInfo, "rootfs image is not initramfs ("+msg+"); looks like an initrd"
	}
	x.emit("linux.unpack-failed", level, text, map[string]string{"error": msg}, "init/initramfs.c, do_populate_rootfs", cites)
	return true
}

// freed are the memory rows of the initramfs images, removed.
func (x *linux) freed() []machine.Set {
	var out []machine.Set
	for _, r := range x.l.initrds {
		id := hex(r.addr)
		if x.m.Row(trace.Memory, id) != nil {
			out = append(out, machine.Set{Table: trace.Memory, ID: id})
		}
	}
	return out
}

func compression(s cpio.Segment) string {
	if s.Compression == "" {
		return "none"
	}
	return string(s.Compression)
}

// joined is the memory with all initramfs images, in order. Loaders align each to 4 bytes, and the
// kernel skips the zeros between.
func (x *linux) joined() (io.ReaderAt, int64) {
	var parts []initrd
	for _, r := range x.l.initrds {
		if r.size > 0 {
			parts = append(parts, r)
		}
	}
	if len(parts) == 1 {
		return parts[0].file, min(parts[0].size, maxInitramfs)
	}
	c := &concat{}
	for _, r := range parts {
		c.add(r.file, r.size)
	}
	return c, min(c.Size(), maxInitramfs)
}

// kernelInit is kernel_init of init/main.c: find the first program and become it.
func (x *linux) kernelInit() {
	x.pid1.Actor, x.pid1.Stage = "linux", trace.Kernel
	rdinit, ok := x.params.Get("rdinit")
	if !ok {
		rdinit = "/init"
	}
	// "check if there is an early userspace init. If yes, let it do all the work" - init/main.c
	if err := x.access(rdinit); err == nil {
		x.runEarly(rdinit)
		return
	} else if ok && x.newer(6, 11) {
		x.emit("linux.no-rdinit", kernWarn, fmt.Sprintf("check access for rdinit=%s failed: -%d, ignoring", rdinit, errno(err)),
			map[string]string{"path": rdinit, "error": strerror(err)}, "init/main.c, kernel_init_freeable", nil)
	} else {
		x.emit("linux.no-early-init", 0, "", map[string]string{"path": rdinit, "error": strerror(err)}, "init/main.c, kernel_init_freeable", nil)
	}
	if !x.prepareNamespace() {
		return
	}
	x.runInit()
}

// access is init_eaccess: may PID 1 execute the file?
func (x *linux) access(name string) error {
	fi, err := x.pid1.Stat(name)
	if err != nil {
		return err
	}
	if fi.IsDir() || fi.Mode().Perm()&0o111 == 0 {
		return kernel.EACCES
	}
	return nil
}

// runEarly starts the initramfs's own program.
func (x *linux) runEarly(rdinit string) {
	x.pid1.Actor = "linux"
	x.emit("linux.run-init", kernInfo, "Run "+rdinit+" as init process", map[string]string{"path": rdinit}, "init/main.c, run_init_process", nil)
	err := x.pid1.Execve(rdinit, append([]string{rdinit}, x.initArgs...), initEnv())
	if err == nil {
		x.initramfs(rdinit)
		return
	}
	x.emit("linux.exec-failed", kernErr, fmt.Sprintf("Failed to execute %s (error -%d)", rdinit, errno(err)),
		map[string]string{"path": rdinit, "error": strerror(err)}, "init/main.c, kernel_init", nil)
	x.runInit()
}

// initEnv is envp_init of init/main.c.
func initEnv() []string { return []string{"HOME=/", "TERM=linux"} }

// runInit is the second half of kernel_init: init= or the four places that the kernel tries.
func (x *linux) runInit() {
	try := func(name string) error {
		x.emit("linux.run-init", kernInfo, "Run "+name+" as init process", map[string]string{"path": name}, "init/main.c, run_init_process", nil)
		return x.pid1.Execve(name, append([]string{name}, x.initArgs...), initEnv())
	}
	if name, ok := x.params.Get("init"); ok {
		err := try(name)
		if err == nil {
			x.firstProgram(name, true)
			return
		}
		// "panic("Requested init %s failed (error %d).")": init= has no fallback in the kernel
		x.panic(fmt.Sprintf("Requested init %s failed (error -%d).", name, errno(err)), "init/main.c, kernel_init")
		return
	}
	for _, name := range [...]string{"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"} {
		err := try(name)
		if err == nil {
			x.firstProgram(name, false)
			return
		}
		if e := errno(err); e != int(kernel.ENOENT) {
			x.emit("linux.exec-failed", kernErr, fmt.Sprintf("Starting init: %s exists but couldn't execute it (error -%d)", name, e),
				map[string]string{"path": name, "error": strerror(err)}, "init/main.c, try_to_run_init_process", nil)
		}
	}
	x.panic("No working init found.  Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.", "init/main.c, kernel_init")
}

// panic stops the machine with the kernel's last words.
func (x *linux) panic(msg, rule string) {
	text := "Kernel panic - not syncing: " + msg
	x.emit("linux.panic", kernEmerg, text, map[string]string{"message": msg}, rule, nil,
		machine.Set{Table: trace.CPU, ID: "cpu0", Row: trace.Row{"mode": "long", "what": "panic"}})
	x.m.Wait(5 * time.Millisecond)
	wait, restarts := x.panicTimeout()
	if !restarts {
		x.emit("linux.panic-end", kernEmerg, "---[ end "+text+" ]---", map[string]string{"message": msg}, "kernel/panic.c, panic", nil)
		x.stop(trace.Kernel, text)
		return
	}
	line := ""
	if wait > 0 {
		line = fmt.Sprintf("Rebooting in %d seconds..", wait)
	}
	decided := x.m.Last()
	x.emit("linux.panic-restart", kernEmerg, line, map[string]string{"seconds": strconv.Itoa(wait)}, "kernel/panic.c, panic; kernel-parameters: panic=", nil)
	if len(x.saved) > 0 {
		x.cannotKnow(trace.Kernel, trace.Why("unknown.next-start", "message", msg, "saved", strings.Join(x.saved, ", ")))
		return
	}
	x.m.End(trace.Outcome{Verdict: trace.Stops, Stage: trace.Kernel, Message: text, Step: decided}) // again and again
}

// panicTimeout is panic= of the command line: the kernel restarts the machine after as many seconds, at once when it is
// negative, and not at all when it is 0, which it is without a word.
func (x *linux) panicTimeout() (seconds int, restarts bool) {
	v, _ := x.params.Get("panic")
	n, _ := strtol(v)
	return int(max(min(n, 1<<20), -1)), n != 0
}

// newer tells whether the kernel is of that version or a later one.
func (x *linux) newer(major, minor int) bool {
	var a, b int
	fmt.Sscanf(x.version, "%d.%d", &a, &b)
	return a > major || a == major && b >= minor
}

// kernelTakes lists words without a value that the kernel or its early code takes for itself; the
// others go to init. Documentation/admin-guide/kernel-parameters.txt.
func kernelTakes(name string) bool {
	return slices.Contains([]string{"ro", "rw", "quiet", "debug", "rootwait", "nokaslr", "nosmp", "noapic", "nolapic", "nomodeset",
		"ignore_loglevel", "noinitrd", "nopti", "nosmt", "nohz", "noresume", "nomce", "keep_bootcon", "retain_initrd", "skip_duplicates"}, name)
}

// errno is the number behind an error of the kernel package.
func errno(err error) int {
	var e kernel.Errno
	if errors.As(err, &e) {
		return int(e)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return int(kernel.ENOENT)
	}
	return int(kernel.EIO)
}

func strerror(err error) string { return kernel.Errno(errno(err)).Strerror() }

// cite names n bytes at off of r.
func cite(r io.ReaderAt, off, n int64, name, value string) []blob.Cite {
	var out []blob.Cite
	for _, s := range blob.Locate(r, off, n) {
		out = append(out, blob.Cite{Span: s, Name: name, Value: value})
	}
	return out
}

// hex is an address as rows of the memory table are named.
func hex(n uint64) string { return fmt.Sprintf("0x%08x", n) }

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

func slash(name string) string { return path.Join("/", name) }

// concat reads several readers behind one another.
type concat struct {
	parts []io.ReaderAt
	ends  []int64
}

func (c *concat) add(r io.ReaderAt, size int64) {
	at := c.Size()
	c.parts = append(c.parts, blob.Section(r, 0, size))
	c.ends = append(c.ends, at+size)
	if pad := -size & 3; pad > 0 {
		c.parts = append(c.parts, zeros(pad))
		c.ends = append(c.ends, at+size+pad)
	}
}

// Size is the length in bytes.
func (c *concat) Size() int64 {
	if len(c.ends) == 0 {
		return 0
	}
	return c.ends[len(c.ends)-1]
}

func (c *concat) each(off, n int64, fn func(r io.ReaderAt, off, n int64) error) error {
	start := int64(0)
	for i, end := range c.ends {
		if off < end && n > 0 {
			run := min(n, end-off)
			if err := fn(c.parts[i], off-start, run); err != nil {
				return err
			}
			off, n = off+run, n-run
		}
		start = end
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (c *concat) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	err := c.each(off, int64(len(p)), func(r io.ReaderAt, off, n int64) error {
		got, err := r.ReadAt(p[done:done+int(n)], off)
		done += got
		if int64(got) == n {
			return nil
		}
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	if err == nil && done < len(p) {
		err = io.EOF
	}
	return done, err
}

// Locate implements [blob.Locator].
func (c *concat) Locate(off, n int64) []blob.Span {
	var out []blob.Span
	c.each(off, n, func(r io.ReaderAt, off, n int64) error {
		out = append(out, blob.Locate(r, off, n)...)
		return nil
	})
	return out
}

// zeros is that many zero bytes.
type zeros int64

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), int64(z)-off)
	if n <= 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	return int(n), nil
}
