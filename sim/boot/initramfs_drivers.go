package boot

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// maxBinary bounds what is searched of a program for a text, in bytes.
const maxBinary = 8 << 20

// modprobe loads modules and what they depend on. modprobe(8).
func (in *shProcess) modprobe(words []string) ctl {
	x := in.x
	flags, _, rest := optArgs(words, "dCS")
	if strings.Contains(flags, "r") || len(rest) == 0 {
		return in.ok()
	}
	if !strings.Contains(flags, "a") {
		rest = rest[:1]
	}
	tree := x.moduleTree()
	in.status = 0
	for _, w := range rest {
		name := moduleName(w)
		if path.Base(words[0]) == "modprobe" {
			name = w
		}
		if x.mods.builtin(moduleName(w)) == yes || x.isLoaded(moduleName(w)) {
			continue
		}
		names := tree.match(name)
		if len(names) > 0 {
			for _, n := range names {
				in.loadModule(tree, n, "modprobe", 0)
			}
			continue
		}
		if x.mods.builtin(moduleName(w)) == unknown && x.noDriver == nil {
			x.noDriver = trace.Why("unknown.driver-builtin", "driver", w, "version", x.version)
		}
		in.status = 1
		if !strings.Contains(flags, "q") && !strings.Contains(in.vars["MODPROBE_OPTIONS"], "q") {
			if in.programIs(words[0], "busybox") {
				in.err("modprobe: module %s not found in modules.dep\n", w)
			} else {
				in.err("modprobe: FATAL: Module %s not found in directory /lib/modules/%s\n", w, x.version)
			}
		}
	}
	x.probe(x.have, "modprobe")
	return ctlNone
}

// have answers whether a driver is in the kernel now.
func (x *linux) have(module string) answer {
	if x.isLoaded(module) {
		return yes
	}
	return x.mods.builtin(module)
}

// loadModule loads a module after those that it needs; not when its file is missing.
func (in *shProcess) loadModule(t *moduleTree, name, by string, depth int) bool {
	x := in.x
	if x.isLoaded(name) || x.mods.builtin(name) == yes {
		return true
	}
	file, ok := t.files[name]
	if !ok || depth > 20 {
		return false
	}
	for i := len(t.deps[name]) - 1; i >= 0; i-- {
		in.loadModule(t, moduleName(t.deps[name][i]), by, depth+1)
	}
	at := t.dir + "/" + file
	f, err := x.pid1.Open(at)
	if err != nil {
		return false
	}
	x.m.Wait(costModule)
	x.loaded = append(x.loaded, name)
	x.m.Emit(trace.Step{Actor: "linux", Stage: x.stage(), Kind: "linux.load-module", Rule: "init_module(2)",
		Args:  map[string]string{"module": name, "path": at, "by": by},
		Cites: cite(f, 0, min(f.Size(), 64), at, ""), Console: x.printk(kernInfo, moduleSays(name))})
	f.Close()
	if name == "loop" {
		x.startLoops()
	}
	return true
}

// moduleSays is what a module writes to the log when it is loaded, of those that say the same everywhere.
func moduleSays(name string) string {
	switch name {
	case "loop":
		return "loop: module loaded" // drivers/block/loop.c
	case "squashfs":
		return "squashfs: version 4.0 (2009/01/31) Phillip Lougher" // fs/squashfs/super.c
	}
	return ""
}

// startUdev starts udev's daemon, which from now on loads the modules that devices ask for.
func (in *shProcess) startUdev(words []string) ctl {
	x := in.x
	if len(words) > 1 && (words[1] == "--version" || words[1] == "--help") {
		return in.ok()
	}
	line, cites := "", []blob.Cite(nil)
	if found, ok := in.find(words[0], true); ok {
		line, cites = x.greeting(found)
	}
	if in.udevIsQuiet() || in.stderr.kind != "console" {
		line = ""
	}
	if in.daemon("systemd-udevd") != nil {
		return in.failed()
	}
	x.udevd = true
	version := line[strings.LastIndexByte(line, ' ')+1:]
	in.step("initramfs.start-udev", map[string]string{"version": version}, "systemd-udevd.service(8)", cites...)
	if line != "" {
		x.console(line + "\n")
	}
	return in.ok()
}

// udevIsQuiet tells whether the log level is above info, which is what udevd has without being told. systemd-udevd(8),
// systemd(1) $SYSTEMD_LOG_LEVEL; the kernel's command line counts more.
func (in *shProcess) udevIsQuiet() bool {
	level := in.vars["SYSTEMD_LOG_LEVEL"]
	for _, p := range in.x.params.Params {
		switch strings.TrimPrefix(p.Name, "rd.") {
		case "udev.log_level", "udev.log_priority", "udev.log-priority":
			level = p.Value
		}
	}
	switch level {
	case "notice", "warning", "warn", "err", "crit", "alert", "emerg", "5", "4", "3", "2", "1", "0":
		return true
	}
	return false
}

// daemon makes the process of a program that stays.
func (in *shProcess) daemon(comm string) (err error) {
	in.x.quietly(func() {
		child, failed := in.x.pid1.Clone(0)
		if err = failed; err == nil {
			child.Comm, child.Actor = comm, comm
		}
	})
	return err
}

// greeting finds the line that udev logs when it starts; it is in the program, with the version.
func (x *linux) greeting(name string) (string, []blob.Cite) {
	for _, prefix := range [...]string{"Starting systemd-udevd version ", "Starting version "} {
		if text, cites := x.textIn(name, prefix); text != "" && !strings.ContainsRune(text, '%') {
			return text, cites
		}
	}
	return "", nil
}

// busyboxVersion finds BusyBox's name for itself: "BusyBox v1.35.0 (Debian …)".
func (x *linux) busyboxVersion() (string, []blob.Cite) { return x.inBusybox("BusyBox v") }

// inBusybox finds a text of BusyBox that starts with prefix.
func (x *linux) inBusybox(prefix string) (string, []blob.Cite) {
	for _, name := range [...]string{"/bin/busybox", "/usr/bin/busybox", "/bin/sh"} {
		if text, cites := x.textIn(name, prefix); text != "" {
			return text, cites
		}
	}
	return "", nil
}

// textIn finds a text in a program, from a prefix on up to its NUL or newline.
func (x *linux) textIn(name, prefix string) (string, []blob.Cite) {
	f, err := x.pid1.Open(name)
	if err != nil {
		return "", nil
	}
	defer f.Close()
	at, n := x.c.Store.Find("find:"+name+":"+prefix, f, func(raw io.ReaderAt) (int64, int64) {
		return findText(raw, min(f.Size(), maxBinary), prefix)
	})
	text := make([]byte, n)
	if got, _ := f.ReadAt(text, at); n == 0 || int64(got) < n {
		return "", nil
	}
	return string(text), cite(f, at, n, name, string(text))
}

// findText finds a line or C string that starts with prefix.
func findText(r io.ReaderAt, size int64, prefix string) (off, n int64) {
	data := make([]byte, size)
	got, _ := r.ReadAt(data, 0)
	data = data[:got]
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(prefix))
		if i < 0 {
			return 0, 0
		}
		i += from
		end := bytes.IndexAny(data[i:], "\x00\n")
		if end < 0 || end > 300 {
			return 0, 0
		}
		if end >= len(prefix) && (i == 0 || data[i-1] == 0 || data[i-1] == '\n') {
			return int64(i), int64(end)
		}
		from = i + len(prefix)
	}
}

// udevadm replays the devices that are there (trigger) and waits for the rules (settle). mdev -s only
// makes nodes, which devtmpfs has made already.
func (in *shProcess) udevadm(words []string) ctl {
	name := path.Base(words[0])
	sub := ""
	if len(words) > 1 {
		sub = words[1]
	}
	switch {
	case name == "udevadm" && sub == "trigger" && in.x.udevd, name == "udevtrigger", name == "udevstart":
		if strings.Contains(strings.Join(words, " "), "subsystems") {
			return in.ok()
		}
		in.coldplug()
	case name == "udevadm" && sub == "info":
		return in.udevInfo(words[2:])
	case name == "udevadm" && sub == "control":
		in.udevControl(words[2:])
	case name == "mdev":
		in.step("initramfs.mdev", map[string]string{"command": strings.Join(words, " ")}, "mdev(8)")
		if text, ok := in.readFile("/etc/mdev.conf"); ok && strings.Contains(text, "MODALIAS") {
			in.coldplug()
		}
	}
	return in.ok()
}

// denied are the modules that udev does not load for a device: the lines "blacklist NAME", modprobe.d(5), of the file that
// dracut writes for rd.driver.blacklist. 99base/parse-kernel.sh
func (in *shProcess) denied() (out []string) {
	for _, dir := range [...]string{"/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"} {
		name := dir + "/initramfsblacklist.conf"
		if _, err := in.stat(name); err != nil {
			continue
		}
		text, _ := in.readFile(name)
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "blacklist" {
				out = append(out, strings.ReplaceAll(words[1], "-", "_"))
			}
		}
	}
	return out
}

// udevControl keeps the properties that udevadm control gives udevd for its events; an empty value takes one back.
func (in *shProcess) udevControl(words []string) {
	for i, w := range words {
		option, value, joined := strings.Cut(w, "=")
		if option != "-p" && option != "--property" {
			continue
		}
		if option == "-p" || !joined {
			value = strings.Join(words[min(i+1, len(words)):min(i+2, len(words))], "")
		}
		if name, v, ok := strings.Cut(value, "="); ok {
			if in.x.udevProperties == nil {
				in.x.udevProperties = map[string]string{}
			}
			in.x.udevProperties[name] = v
		}
	}
}

// udevInfo is udevadm info about one block device: its name, or as much of its properties as the kernel's event
// and blkid give. A script searches the properties; a person would see more of them.
func (in *shProcess) udevInfo(words []string) ctl {
	query, name := "all", ""
	for i, w := range words {
		option, value, joined := strings.Cut(w, "=")
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		switch option {
		case "-q", "--query":
			query = value
		case "-p", "--path", "-n", "--name":
			name = value
		case "--cleanup-db", "-c":
			return in.ok()
		}
	}
	b, ok := in.x.device(path.Base(name))
	if !ok && strings.HasPrefix(name, "/dev/") {
		b, ok = in.blockDevice(name)
	}
	if !ok {
		in.err("Unknown device \"%s\": No such device\n", name)
		return in.failed()
	}
	if query == "name" {
		in.out("%s\n", b.name)
		return in.ok()
	}
	if query == "path" && in.stdout.kind != "console" { // of the busses between, which scripts cut off, nothing is told
		in.out("/devices/pci0000:00/block/%s\n", in.x.inSysBlock(b))
		return in.ok()
	}
	if query != "all" && query != "property" || in.stdout.kind == "console" {
		return in.end("unknown.program-prints", "program", "udevadm info")
	}
	prefix := ""
	if query == "all" {
		prefix = "E: "
		in.out("N: %s\n", b.name)
	}
	kind := "disk"
	if b.part != nil {
		kind = "partition"
	}
	in.out("%[1]sDEVNAME=/dev/%[2]s\n%[1]sDEVTYPE=%[3]s\n%[1]sSUBSYSTEM=block\n", prefix, b.name, kind)
	for _, tag := range [...]string{"TYPE", "UUID", "LABEL"} {
		if v := b.tag(tag); v != "" {
			in.out("%sID_FS_%s=%s\n", prefix, tag, v)
		}
	}
	return in.ok()
}

// inSysBlock is a device's place below its driver: a partition lies in its disk's directory.
func (x *linux) inSysBlock(b blockDevice) string {
	if b.part != nil {
		return x.hw[0].name + "/" + b.name
	}
	return b.name
}

// coldplug has every device's module loaded: 80-drivers.rules runs kmod for each MODALIAS. A driver
// that is bound can show devices of its own, which are served in turn.
func (in *shProcess) coldplug() {
	rules := false
	for _, file := range [...]string{"/lib/udev/rules.d/80-drivers.rules", "/usr/lib/udev/rules.d/80-drivers.rules", "/etc/mdev.conf"} {
		if _, err := in.x.pid1.Stat(file); err == nil {
			rules = true
		}
	}
	in.coldplugWith(rules)
}

func (in *shProcess) coldplugWith(rules bool) {
	x := in.x
	in.step("initramfs.coldplug", map[string]string{"devices": itoa(len(x.hw))}, "udevadm(8), trigger")
	x.m.Wait(costColdplug)
	tree, denied := x.moduleTree(), in.denied()
	for range 8 { // a chain of drivers is shorter
		before := len(x.loaded)
		if rules && tree != nil {
			for _, h := range x.hw {
				if h.bound < len(h.chain) {
					for _, m := range tree.match(h.chain[h.bound].modalias) {
						if !strings.Contains(in.vars["blacklist"], m) && !slices.Contains(denied, strings.ReplaceAll(m, "-", "_")) {
							in.loadModule(tree, m, "udev", 0)
						}
					}
				}
			}
		}
		x.probe(x.have, "udev")
		if len(x.loaded) == before {
			break
		}
	}
	in.udevMD()
	in.udevLVM()
	in.applyRules()
}

// blkid prints what it finds on devices. blkid(8).
func (in *shProcess) blkid(words []string) ctl {
	x := in.x
	_, values, rest := optArgs(words, "tosLUcnup")
	var hits []blockDevice
	switch want := values['t']; {
	case values['U'] != "":
		want = "UUID=" + values['U']
		fallthrough
	case values['L'] != "" || want != "":
		if values['L'] != "" {
			want = "LABEL=" + values['L']
		}
		tag, value, _ := strings.Cut(want, "=")
		value = strings.Trim(value, `"`)
		b, ok := x.lookup(tag, value)
		result := "none"
		if ok {
			hits, result = append(hits, b), "/dev/"+b.name
		}
		in.found(tag+"="+value, result, b)
		if values['U'] != "" || values['L'] != "" {
			values['o'] = "device"
		}
	case len(rest) > 0:
		for _, w := range rest {
			if b, ok := in.blockDevice(w); ok {
				hits = append(hits, b)
			}
		}
	default:
		hits = x.blockDevices()
	}
	printed := false
	for _, b := range hits {
		if b.tag("TYPE") == "" && b.tag("PARTUUID") == "" {
			continue
		}
		printed = true
		switch {
		case values['o'] == "device":
			in.out("/dev/%s\n", b.name)
		case values['o'] == "value":
			in.out("%s\n", b.tag(values['s']))
		default:
			line := "/dev/" + b.name + ":"
			for _, tag := range [...]string{"LABEL", "UUID", "TYPE", "PARTLABEL", "PARTUUID"} {
				if v := b.tag(tag); v != "" && (values['s'] == "" || values['s'] == tag) {
					line += " " + tag + `="` + v + `"`
				}
			}
			in.out("%s\n", line)
		}
	}
	if !printed {
		x.doubt(values['s'])
		in.status = 2
		return ctlNone
	}
	return in.ok()
}

// found tells what a search for a device ended with, once for each result.
func (in *shProcess) found(what, result string, b blockDevice) {
	x := in.x
	if x.searched == nil {
		x.searched = map[string]string{}
	}
	if x.searched[what] == result {
		return
	}
	x.searched[what] = result
	var cites []blob.Cite
	if b.vol != nil && b.vol.FS != nil {
		cites = b.vol.FS.Info().Cites
	}
	if b.part != nil {
		cites = append(cites, b.part.Cites...)
	}
	kind := trace.Kind("initramfs.find-device")
	if result == "none" {
		kind = "initramfs.no-device"
		var have []string
		for _, d := range x.blockDevices() {
			tag, _, _ := strings.Cut(what, "=")
			if v := d.tag(tag); v != "" {
				have = append(have, d.name+" has "+v)
			}
			if d.vol != nil && d.vol.FS != nil {
				cites = append(cites, d.vol.FS.Info().Cites...)
			}
		}
		in.step(kind, map[string]string{"tag": what, "have": strings.Join(have, ", "), "devices": x.deviceNames()}, "blkid(8)", cites...)
		return
	}
	in.step(kind, map[string]string{"tag": what, "device": result}, "blkid(8)", cites...)
}

func (in *shProcess) findfs(words []string) ctl {
	if len(words) < 2 {
		return in.failed()
	}
	tag, _, _ := strings.Cut(words[1], "=")
	if found, ok := in.find(words[0], true); ok && !strings.HasPrefix(words[1], "/dev/") && tag != "LABEL" && tag != "UUID" {
		// "handle LABEL=xxx and UUID=xxx, fail on anything else" - BusyBox's findfs; util-linux's knows more
		if real, err := in.x.pid1.RealPath(found); err == nil && strings.HasPrefix(path.Base(real), "busybox") {
			version, _ := in.x.busyboxVersion()
			in.found(words[1], "none", blockDevice{})
			in.err("%s multi-call binary.\n\nUsage: findfs LABEL=label or UUID=uuid\n\nFind a filesystem device based on a label or UUID\n", version)
			return in.failed()
		}
	}
	b, ok := in.blockDevice(words[1])
	if !ok {
		in.found(words[1], "none", b)
		in.err("findfs: unable to resolve '%s'\n", words[1])
		return in.failed()
	}
	in.found(words[1], "/dev/"+b.name, b)
	in.out("/dev/%s\n", b.name)
	return in.ok()
}

// fstype is klibc's: shell assignments that name the type.
func (in *shProcess) fstype(words []string) ctl {
	kind := "unknown"
	if len(words) > 1 {
		if b, ok := in.blockDevice(words[1]); ok && b.tag("TYPE") != "" {
			switch t := b.tag("TYPE"); t {
			case "ext2", "ext3", "ext4", "xfs", "btrfs", "squashfs", "iso9660", "swap", "crypto_LUKS", "reiserfs", "jfs", "minix", "romfs", "cramfs", "gfs2", "nilfs2":
				kind = map[string]string{"crypto_LUKS": "luks"}[t]
				if kind == "" {
					kind = t
				}
			}
		} else if !ok {
			in.err("fstype: %s: No such file or directory\n", words[1])
			return in.failed()
		}
	}
	in.out("FSTYPE=%s\nFSSIZE=0\n", kind)
	return in.ok()
}

// switchRoot gives the root to the real file system and becomes its init: run-init of klibc and
// switch_root of BusyBox and util-linux.
func (in *shProcess) switchRoot(words []string) ctl {
	x := in.x
	name := path.Base(words[0])
	flags, _, rest := optArgs(words[:min(len(words), optionEnd(words))], "dc")
	rest = append(rest, words[min(len(words), optionEnd(words)):]...)
	if len(rest) < 2 {
		in.err("Usage: %s NEW_ROOT NEW_INIT [ARGS]\n", name)
		return in.failed()
	}
	root, init := in.abs(rest[0]), rest[1]
	fail := func(what, why string) ctl {
		in.err("%s: %s: %s\n", name, what, why)
		in.status = 1
		return ctlNone
	}
	fi, err := x.pid1.Stat(root)
	switch {
	case err != nil || !fi.IsDir():
		return fail("chdir to new root", strerror(err))
	case !x.isMountPoint(root) && name == "run-init":
		return fail("current directory on the same filesystem as the root", "error 0")
	case !x.isMountPoint(root):
		in.err("switch_root: failed to mount moving %s to /: Invalid argument\n", root)
		return in.failed()
	}
	if strings.Contains(flags, "n") { // a dry run: is the init there?
		if err := x.accessBelow(root, init); err != nil {
			if in.programIs(words[0], "busybox") {
				init = "can't execute '" + init + "'" // util-linux/switch_root.c of BusyBox
			}
			return fail(init, strerror(err))
		}
		return in.ok()
	}
	return in.overmount(name, root, init, rest[1:])
}

// optionEnd is where a program's own options end: those of init follow.
func optionEnd(words []string) int {
	for i := 1; i < len(words); i++ {
		if words[i] == "-c" || words[i] == "-d" {
			i++
			continue
		}
		if !strings.HasPrefix(words[i], "-") {
			return i
		}
	}
	return len(words)
}

func (in *shProcess) overmount(name, root, init string, argv []string) ctl {
	x := in.x
	t := x.pid1
	x.k.Emit(trace.Step{Actor: t.Actor, Stage: x.stage(), Kind: "initramfs.switch-root", Rule: name + "(8)",
		Args: map[string]string{"root": root, "init": init, "command": name}, Cites: in.src.cite(in.pos)})
	if name == "switch_root" && !in.programIs("switch_root", "busybox") {
		// util-linux moves the mounts of the initramfs along
		for _, dir := range [...]string{"/dev", "/proc", "/sys", "/run"} {
			if x.isMountPoint(dir) {
				if _, err := t.Stat(root + dir); err == nil {
					t.MoveMount(dir, root+dir)
				}
			}
		}
	}
	for _, row := range x.m.Rows(trace.Mounted) {
		if row["target"] == path.Clean(root) && row["fstype"] == "overlay" {
			x.facts.Root = "overlay"
		}
	}
	t.Chdir(root)
	if err := t.MoveMount(".", "/"); err != nil {
		in.err("%s: overmounting root: %s\n", name, strerror(err))
		return in.failed()
	}
	t.Chroot(".")
	t.Chdir("/")
	if err := t.Execve(init, argv, in.environ()); err != nil {
		if name == "switch_root" {
			in.err("switch_root: can't execute '%s': %s\n", init, strerror(err))
		} else {
			in.err("%s: %s: %s\n", name, init, strerror(err))
		}
		in.status = 1
		return ctlNone
	}
	asked, _ := x.params.Get("init")
	x.firstProgram(init, asked == init)
	return ctlEnd
}

// isMountPoint tells whether something is mounted on a directory.
func (x *linux) isMountPoint(dir string) bool {
	for _, row := range x.m.Rows(trace.Mounted) {
		if row["target"] == path.Clean(dir) {
			return true
		}
	}
	return false
}

// accessBelow asks whether a program below a directory can be run once that is the root: links are
// followed as they will be then.
func (x *linux) accessBelow(root, name string) error {
	t := x.pid1
	var child *kernel.Task
	var err error
	x.quietly(func() { child, err = t.Clone(0) })
	if err != nil {
		return err
	}
	defer child.Exit(0)
	if err := child.Chroot(root); err != nil {
		return err
	}
	fi, err := child.Stat(name)
	if err != nil {
		return err
	}
	if fi.IsDir() || fi.Mode().Perm()&0o111 == 0 {
		return kernel.EACCES
	}
	return nil
}

// console is text that a program writes to the console.
func (x *linux) console(text string) {
	x.showed(text)
	x.m.Emit(trace.Step{Actor: x.pid1.Actor, Stage: x.stage(), Kind: "initramfs.print", Rule: "write(2)",
		Args: map[string]string{"text": strings.TrimSpace(text)}, Console: text})
}

// works ends the run at a shell that the image is made for.
func (x *linux) works(message string) {
	x.m.End(trace.Outcome{Verdict: trace.Works, Stage: trace.Init, Message: message})
}

// cdromID is udev's cdrom_id, which succeeds for a drive whose media it can ask about and prints what they are.
func (in *shProcess) cdromID(words []string) ctl {
	_, _, rest := optArgs(words, "")
	if len(rest) != 1 {
		return in.failed()
	}
	b, ok := in.blockDevice(rest[0])
	if !ok || !strings.HasPrefix(b.name, "sr") {
		return in.failed() // the ioctl CDROM_GET_CAPABILITY is for drives
	}
	if in.stdout.kind != "null" {
		return in.end("unknown.program-prints", "program", "cdrom_id")
	}
	return in.ok()
}
