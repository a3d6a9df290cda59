package boot

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/disk/lvm"
	"bootpath/sim/exe/elf"
	"bootpath/sim/exe/initprog"
	"bootpath/sim/fsys"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// program runs what a command word names: a script is followed, a known program does what its manual
// says, of another nothing is known.
func (in *shProcess) program(words []string) ctl {
	found, ok := in.find(words[0], true)
	if !ok {
		return in.notFound(words[0])
	}
	if in.b.gaveUp != nil {
		return ctlEnd
	}
	in.x.m.Wait(costProgram)
	in.pollTails()
	if in.b.hook != nil {
		if c, ok := in.b.hook(in, found, words); ok {
			return c
		}
	}
	if path.Base(words[0]) == "rdsosreport" {
		return in.dracutReport()
	}
	if kind, options, ok := in.x.shebang(found); ok {
		return in.runFile(found, words[1:], kind, options)
	}
	if _, _, ok := in.x.execlineScript(in.abs(found)); ok {
		return in.execline(found, words[1:], 0)
	}
	if _, ok := elPrograms(found); ok && in.x.ofExecline(in.abs(found)) {
		return in.elCommand(words)
	}
	name := path.Base(words[0])
	if name == "busybox" && len(words) > 1 {
		if words[1] == "--install" { // a link for every applet
			in.x.installed = true
			return in.ok()
		}
		words, name = words[1:], path.Base(words[1])
	}
	if run, ok := program(name); ok {
		return run(in, words)
	}
	return in.unknownProgram(found)
}

// unknownProgram ends the run, or, for what was started to be PID 1 itself, says so.
func (in *shProcess) unknownProgram(found string) ctl {
	return in.end("unknown.program-does", "program", found)
}

func (in *shProcess) notFound(name string) ctl {
	if !strings.Contains(name, "/") && in.kind.name == "busybox" && known(name) {
		// "CONFIG_FEATURE_SH_STANDALONE: make the shell prefer its applets" - a build option of BusyBox
		return in.end("unknown.applet", "name", name)
	}
	line := 0
	if in.src != nil {
		line = in.src.line(in.pos.Off)
	}
	switch {
	case in.kind.name == "busybox" && in.replaced: // by exec
		in.err("%s: exec: line %d: %s: not found\n", in.name, line, name)
	case in.kind.name == "busybox" || in.kind.name == "bash":
		in.err("%s: line %d: %s: not found\n", in.name, line, name)
	default:
		in.err("%s: %d: %s%s: not found\n", in.name, line, in.twice(), name)
	}
	in.status = 127
	return ctlNone
}

func known(name string) bool { _, ok := program(name); return ok }

// program finds what is known about a program by its name; those that only change what is shown or set
// succeed and do nothing here.
func program(name string) (func(*shProcess, []string) ctl, bool) {
	switch name {
	case "mount":
		return (*shProcess).mount, true
	case "umount":
		return (*shProcess).umount, true
	case "mkdir", "rmdir", "ln", "mknod", "rm", "touch", "cp", "mv":
		return (*shProcess).fileProgram, true
	case "chmod", "chown", "chgrp", "sync", "clear", "reset", "chvt", "setfont", "loadkeys", "kbd_mode", "stty", "setterm", "plymouth", "plymouthd", "hwclock",
		"setupcon", "hostname", "dmesg", "true", "usleep", "mkfifo", "depmod", "fbsplash", "splash", "psplash", "klogd", "syslogd",
		"swapon", "sysctl", "loadkmap", "ulimit", "tune2fs", "logger", "date", "systemd-tmpfiles", "kmod", "ifconfig", "rngd", "haveged", "flock":
		return (*shProcess).nothing, true
	case "kill", "killall":
		return (*shProcess).kill, true
	case "false":
		return status(1), true
	case "echo", "printf", "test", "[", "pwd":
		return builtin(name)
	case "cat":
		return (*shProcess).cat, true
	case "sleep":
		return (*shProcess).sleepProgram, true
	case "uname":
		return (*shProcess).uname, true
	case "basename", "dirname", "readlink", "realpath":
		return (*shProcess).pathProgram, true
	case "stat":
		return (*shProcess).statProgram, true
	case "lvm", "vgchange", "vgscan", "lvchange", "mdadm", "raidautorun", "dmsetup", "dmraid", "multipath", "multipathd", "zpool", "bcache-register":
		return (*shProcess).stacked, true
	case "cryptsetup":
		return (*shProcess).cryptsetup, true
	case "btrfs":
		return (*shProcess).btrfs, true
	case "losetup":
		return (*shProcess).losetup, true
	case "cdrom_id":
		return (*shProcess).cdromID, true
	case "fsck":
		return (*shProcess).fsck, true
	case "logsave":
		return (*shProcess).logsave, true
	case "e2fsck", "fsck.ext2", "fsck.ext3", "fsck.ext4":
		return (*shProcess).e2fsckProgram, true
	case "grep", "egrep", "fgrep", "cut", "head", "tail", "tr", "wc", "sort", "seq", "tee", "sed", "fold":
		return (*shProcess).textProgram, true
	case "find":
		return (*shProcess).findProgram, true
	case "tar":
		return (*shProcess).untar, true
	case "awk", "mawk", "gawk":
		return (*shProcess).awk, true
	case "xargs":
		return (*shProcess).xargs, true
	case "env":
		return (*shProcess).env, true
	case "which":
		return (*shProcess).commandWord, true
	case "modprobe", "insmod":
		return (*shProcess).modprobe, true
	case "systemd-udevd", "udevd":
		return (*shProcess).startUdev, true
	case "udevadm", "mdev", "udevstart", "udevsettle", "udevtrigger":
		return (*shProcess).udevadm, true
	case "blkid":
		return (*shProcess).blkid, true
	case "ls":
		return (*shProcess).ls, true
	case "findmnt":
		return (*shProcess).findmnt, true
	case "findfs":
		return (*shProcess).findfs, true
	case "run-init", "switch_root":
		return (*shProcess).switchRoot, true
	case "sh", "ash", "dash", "bash", "setsid", "cttyhack":
		return (*shProcess).shell, true
	case "reboot", "poweroff", "halt":
		return (*shProcess).powerOff, true
	}
	return ofDistribution(name)
}

// ofDistribution finds the programs that one distribution's initramfs brings along.
func ofDistribution(name string) (func(*shProcess, []string) ctl, bool) {
	switch name {
	case "nuke":
		return (*shProcess).nuke, true
	case "askpass":
		return (*shProcess).askpass, true
	case "nlplug-findfs":
		return (*shProcess).nlplug, true
	case "apk":
		return (*shProcess).apk, true
	case "dracut-getarg", "dracut-getargs":
		return (*shProcess).getarg, true
	case "fstype":
		return (*shProcess).fstype, true
	}
	return nil, false
}

// kill ends what scripts have in the background, of which only tail -f matters here.
func (in *shProcess) kill([]string) ctl {
	in.pollTails()
	in.b.tails = nil
	return in.ok()
}

// nothing is for programs without an effect on how the start goes on.
func (in *shProcess) nothing([]string) ctl { return in.ok() }

// optArgs splits a program's arguments: flags without a value, flags with one (named in valued), operands.
func optArgs(words []string, valued string) (flags string, values map[byte]string, rest []string) {
	values = map[byte]string{}
	for i := 1; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			return flags, values, append(rest, words[i+1:]...)
		}
		if len(w) < 2 || w[0] != '-' || w[1] == '-' {
			rest = append(rest, w)
			continue
		}
		for j := 1; j < len(w); j++ {
			if strings.IndexByte(valued, w[j]) < 0 {
				flags += w[j : j+1]
				continue
			}
			if j+1 < len(w) {
				values[w[j]] = w[j+1:]
			} else if i+1 < len(words) {
				i++
				values[w[j]] = words[i]
			}
			break
		}
	}
	return flags, values, rest
}

// mount is mount(8): klibc's, BusyBox's and util-linux's agree on what start scripts use.
func (in *shProcess) mount(words []string) ctl {
	x := in.x
	flags, values, rest := optArgs(words, "toLUO")
	opts := values['o']
	f, data := kernel.ParseOptions(opts)
	fstype := values['t']
	for _, o := range strings.Split(opts, ",") {
		if o == "move" {
			f |= kernel.MS_MOVE
		}
	}
	if strings.Contains(flags, "r") {
		f |= kernel.MS_RDONLY
	}
	var operands []string
	for _, w := range rest {
		switch w {
		case "--move":
			f |= kernel.MS_MOVE
		case "--bind":
			f |= kernel.MS_BIND
		case "--rbind":
			f |= kernel.MS_BIND | kernel.MS_REC
		case "--make-rshared", "--make-shared":
			f |= kernel.MS_SHARED
		case "--make-rprivate", "--make-private":
			f |= kernel.MS_PRIVATE
		default:
			operands = append(operands, w)
		}
	}
	switch {
	case strings.Contains(flags, "a"):
		return in.end("unknown.initramfs-fstab")
	case len(operands) == 0:
		return in.ok()
	case len(operands) == 1:
		return in.mountListed(words, operands[0], opts)
	}
	src, dst := operands[0], in.abs(operands[1])
	data = strings.Join(slices.DeleteFunc(strings.Split(data, ","), func(s string) bool { return s == "move" || s == "" }), ",")
	if v := values['U']; v != "" {
		src = "UUID=" + v
	}
	if f&(kernel.MS_MOVE|kernel.MS_BIND|kernel.MS_REMOUNT|kernel.MS_SHARED|kernel.MS_PRIVATE) != 0 || noDevice(fstype) {
		if f&kernel.MS_MOVE != 0 {
			src = in.abs(src)
		}
		err := x.pid1.Mount(src, dst, fstype, f, data)
		if said := x.k.Refusal(); said != "" {
			x.emit("linux.mount-refused", kernErr, said, map[string]string{"device": src, "type": fstype, "options": data, "reason": said}, "mount(2)", nil)
		}
		return in.mounted(err, src, dst)
	}
	return in.mountDevice(src, dst, fstype, f, data)
}

// mountListed mounts what /etc/fstab has for a mount point or a device: the other half of its line and, before those
// of the command line, its options. A remount names what is mounted already.
func (in *shProcess) mountListed(words []string, name, opts string) ctl {
	text, _ := in.readFile("/etc/fstab")
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0][0] == '#' || f[0] != name && path.Clean(f[1]) != path.Clean(in.abs(name)) {
			continue
		}
		if len(f) > 3 {
			opts = strings.Trim(f[3]+","+opts, ",")
		}
		return in.mount([]string{words[0], "-t", f[2], "-o", cmp.Or(opts, "defaults"), f[0], f[1]})
	}
	if f, _ := kernel.ParseOptions(opts); f&kernel.MS_REMOUNT != 0 && in.x.isMountPoint(in.abs(name)) {
		return in.mount([]string{words[0], "-o", opts, "none", name})
	}
	in.err("mount: %s: can't find in /etc/fstab.\n", name) // libmount, MNT_ERR_NOFSTAB
	return in.failed()
}

// noDevice are file systems without a block device.
func noDevice(fstype string) bool {
	return slices.Contains([]string{"proc", "sysfs", "devtmpfs", "tmpfs", "ramfs", "devpts", "securityfs", "debugfs", "tracefs", "configfs", "cgroup", "cgroup2",
		"pstore", "bpf", "efivarfs", "mqueue", "hugetlbfs", "overlay", "none"}, fstype)
}

// mountDevice mounts a block device. Without -t the type is what the device's content says.
func (in *shProcess) mountDevice(src, dst, fstype string, f kernel.MountFlags, data string) ctl {
	x := in.x
	if fstype == "nfs" || fstype == "nfs4" || fstype == "9p" || fstype == "virtiofs" || fstype == "cifs" {
		return in.end("unknown.outside", "what", src)
	}
	if fi, err := x.pid1.Stat(in.abs(src)); err == nil && fi.Mode().IsRegular() {
		return in.mountFile(src, dst, fstype, f, data)
	}
	dev, ok := in.blockDevice(src)
	if !ok {
		x.doubt("")
		return in.mountFailed(src, dst, kernel.ENOENT)
	}
	have := dev.tag("TYPE")
	if fstype == "" || fstype == "auto" {
		fstype = have
	}
	if holdsNoFiles(fstype) {
		return in.mountFailed(src, dst, kernel.ENODEV) // no driver registers it
	}
	if dev.vol != nil && dev.vol.FS == nil && have != "" && have == fstype && !damagedSquashfs(dev.vol) {
		return in.endFor(behind(dev.name, dev.vol))
	}
	for _, want := range strings.Split(fstype, ",") {
		if a := in.needFS(want); a == unknown {
			return in.endFor(trace.Why("unknown.fs-builtin", "fstype", want, "version", x.version))
		} else if a == yes {
			fstype = want
			break
		} else {
			fstype = ""
		}
	}
	if fstype == "" {
		return in.mountFailed(src, dst, kernel.ENODEV)
	}
	x.m.Wait(costMount)
	if x.refusesOptions(dev, fstype, data) {
		return in.mountFailed(src, dst, kernel.EINVAL)
	}
	x.refused(dev, fstype, data)
	if err := x.pid1.Mount("/dev/"+dev.name, dst, fstype, f, data); err != nil {
		return in.mounted(err, src, dst)
	}
	x.mounted(dev, fstype, f&kernel.MS_RDONLY != 0, data)
	if x.facts.Root == "" {
		x.facts.Root = "/dev/" + dev.name
	}
	return in.ok()
}

// holdsNoFiles tells of blkid's types that are no file systems.
func holdsNoFiles(kind string) bool {
	return slices.Contains([]string{"crypto_LUKS", "BitLocker", "swap", "LVM2_member", "linux_raid_member"}, kind)
}

// blockDevice finds the device that a source names.
func (in *shProcess) blockDevice(src string) (blockDevice, bool) {
	if tag, value, ok := strings.Cut(src, "="); ok && strings.ToUpper(tag) == tag {
		return in.x.lookup(tag, strings.Trim(value, `"`))
	}
	name := in.abs(src)
	if dev, ok := in.x.logicalLink(name); ok {
		return in.x.device(dev)
	}
	if tag, value, ok := diskLink(name); ok {
		return in.x.linkTarget(tag, value)
	}
	if real, err := in.x.pid1.RealPath(name); err == nil {
		name = real
	} else {
		return blockDevice{}, false
	}
	return in.x.device(strings.TrimPrefix(name, "/dev/"))
}

// needFS makes sure that the kernel knows a file system: built in, loaded, or as the module that
// request_module("fs-TYPE") has modprobe load.
func (in *shProcess) needFS(fstype string) answer {
	x := in.x
	mod := fsDriver(fstype)
	switch a := x.mods.builtin(mod); {
	case a == yes || x.isLoaded(mod):
		return yes
	default:
		tree := x.moduleTree()
		names := tree.match(mod)
		if len(names) == 0 {
			names = tree.match("fs-" + fstype)
		}
		if len(names) > 0 && in.loadModule(tree, names[0], "mount", 0) {
			return yes
		}
		return a
	}
}

// mounted reports how a mount went in mount's own words.
func (in *shProcess) mounted(err error, src, dst string) ctl {
	if err == nil {
		return in.ok()
	}
	return in.mountFailed(src, dst, kernel.Errno(errno(err)))
}

func (in *shProcess) mountFailed(src, dst string, e kernel.Errno) ctl {
	in.status = 255
	switch {
	case in.programIs("mount", "busybox"):
		in.err("mount: mounting %s on %s failed: %s\n", src, dst, e.Strerror())
	case in.klibc("mount"):
		in.err("mount: %s\n", e.Strerror()) // perror("mount") of klibc
	default:
		in.mountWords(src, dst, e)
	}
	return ctlNone
}

// mountWords are those of util-linux: libmount/src/context_mount.c, mnt_context_get_mount_excode.
func (in *shProcess) mountWords(src, dst string, e kernel.Errno) {
	in.status = 32
	why := ""
	switch tag, _, isTag := strings.Cut(src, "="); {
	case isTag && strings.ToUpper(tag) == tag && e == kernel.ENOENT:
		in.status = 1 // mount(2) was not called
		in.err("mount: %s: can't find %s.\n", dst, src)
		return
	case e == kernel.ENOENT:
		if _, err := in.stat(dst); err != nil {
			why = "mount point does not exist"
		} else {
			why = "special device " + src + " does not exist"
		}
	case e == kernel.ENODEV:
		why = "unknown filesystem type"
		if b, ok := in.blockDevice(src); ok {
			why += " '" + b.tag("TYPE") + "'"
		}
	case e == kernel.EINVAL:
		why = "wrong fs type, bad option, bad superblock on " + src + ", missing codepage or helper program, or other error"
	case e == kernel.EBUSY && src != "none" && src != dst:
		why = src + " already mounted on " + dst
	default:
		why = "mount(2) system call failed: " + e.Strerror()
	}
	in.err("mount: %s: %s.\n       dmesg(1) may have more information after failed mount system call.\n", dst, why)
}

// klibc tells whether a program is one of klibc's, or cannot be read.
func (in *shProcess) klibc(name string) bool {
	found, _ := in.find(name, true)
	file, err := in.x.pid1.Open(found)
	if err != nil {
		return true
	}
	defer file.Close()
	f, err := elf.Read(file)
	if err != nil {
		return true
	}
	segments, err := f.Segments()
	if err != nil {
		return true
	}
	for _, s := range segments {
		if s.Type == elf.PT_INTERP {
			interp, _, _ := f.Interp(s)
			return strings.HasPrefix(path.Base(interp), "klibc-")
		}
	}
	return false
}

// programIs tells whether a command is an applet of that program.
func (in *shProcess) programIs(name, of string) bool {
	found, ok := in.find(name, true)
	return ok && in.x.isLinkTo(in.abs(found), of)
}

// isLinkTo tells whether a file is another name of that program: a symbolic link to it, or a hard link, as
// initramfs-tools makes them for BusyBox.
func (x *linux) isLinkTo(name, program string) bool {
	if real, err := x.pid1.RealPath(name); err == nil && strings.HasPrefix(path.Base(real), program) {
		return true
	}
	fi, err := x.pid1.Stat(name)
	if err != nil {
		return x.installed && program == "busybox" // busybox --install has made the link
	}
	for _, dir := range [...]string{"/bin/", "/usr/bin/", "/sbin/"} {
		other, err := x.pid1.Stat(dir + program)
		if err != nil {
			continue
		}
		a, b := fsys.StatOf(fi), fsys.StatOf(other)
		return a.Nlink > 1 && a.Nlink == b.Nlink && a.Ino == b.Ino && fi.Size() == other.Size()
	}
	return false
}

func (in *shProcess) umount(words []string) ctl {
	_, _, rest := optArgs(words, "tO")
	in.status = 0
	for _, w := range rest {
		source := in.x.sourceOf(in.abs(w))
		if err := in.x.pid1.Umount(in.abs(w), 0); err != nil {
			in.err("umount: can't unmount %s: %s\n", w, strerror(err))
			in.status = 1
			continue
		}
		in.x.unmounted(source)
	}
	return ctlNone
}

// fileProgram changes the tree: the programs of XCU that start scripts use, with their common options.
func (in *shProcess) fileProgram(words []string) ctl {
	t := in.x.pid1
	name := path.Base(words[0])
	flags, values, rest := optArgs(words, map[string]string{"mkdir": "m", "mknod": "m", "ln": "", "cp": "t", "mv": ""}[name])
	rest = slices.DeleteFunc(rest, func(s string) bool { return strings.HasPrefix(s, "--") })
	in.status = 0
	fail := func(what string, err error) {
		if err != nil && !(strings.Contains(flags, "f") && name == "rm") {
			in.err("%s: %s: %s\n", name, what, strerror(err))
			in.status = 1
		}
	}
	switch name {
	case "mkdir":
		mode := uint64(0o755)
		if n, err := strconv.ParseUint(values['m'], 8, 12); err == nil {
			mode = n
		}
		for _, w := range rest {
			if strings.Contains(flags, "p") {
				fail("can't create directory '"+w+"'", t.MkdirAll(in.abs(w), uint32(mode)))
			} else {
				fail("can't create directory '"+w+"'", t.Mkdir(in.abs(w), uint32(mode)))
			}
		}
	case "rmdir":
		for _, w := range rest {
			fail(w, t.Rmdir(in.abs(w)))
		}
	case "rm":
		for _, w := range rest {
			in.remove(w, strings.ContainsAny(flags, "rR"), fail)
		}
	case "mknod":
		if len(rest) >= 4 {
			major, _ := strconv.ParseUint(rest[2], 0, 12)
			minor, _ := strconv.ParseUint(rest[3], 0, 8)
			mode := uint32(fsys.S_IFCHR)
			if rest[1] == "b" {
				mode = fsys.S_IFBLK
			}
			fail(rest[0], t.Mknod(in.abs(rest[0]), mode|0o600, uint32(major<<8|minor)))
		}
	case "ln":
		if len(rest) == 2 && strings.Contains(flags, "s") {
			in.symlink(rest[0], rest[1], strings.Contains(flags, "f"), fail)
		} else if len(rest) >= 2 {
			in.copy(rest, false, fail)
		}
	case "touch":
		for _, w := range rest {
			if _, err := in.stat(w); err != nil {
				fail(w, t.WriteFile(in.abs(w), nil, 0o644))
			}
		}
	case "cp", "mv":
		in.copy(rest, name == "mv" || strings.ContainsAny(flags, "aRr"), fail)
		if name == "mv" && in.status == 0 && len(rest) >= 2 {
			for _, w := range rest[:len(rest)-1] {
				t.Unlink(in.abs(w))
			}
		}
	}
	return ctlNone
}

func (in *shProcess) remove(w string, recursive bool, fail func(string, error)) {
	fi, err := in.lstat(w)
	if err != nil {
		fail(w, err)
		return
	}
	if !fi.IsDir() {
		fail(w, in.x.pid1.Unlink(in.abs(w)))
		return
	}
	if !recursive {
		fail(w, kernel.EISDIR)
		return
	}
	left := maxRemoved
	in.x.quietly(func() { err = in.removeTree(in.abs(w), 0, &left) })
	fail(w, err)
}

// maxRemoved bounds the files that one command removes.
const maxRemoved = 20_000

// removeTree removes a directory and what is below; other file systems mounted there stay.
func (in *shProcess) removeTree(dir string, depth int, left *int) error {
	t := in.x.pid1
	entries, err := t.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if *left--; *left < 0 || depth > 60 {
			return kernel.EBUSY
		}
		name := path.Join(dir, e.Name())
		switch {
		case !e.IsDir():
			t.Unlink(name)
		case !in.x.isMountPoint(name):
			in.removeTree(name, depth+1, left)
		}
	}
	return t.Rmdir(dir)
}

// nuke is klibc's rm -rf.
func (in *shProcess) nuke(words []string) ctl {
	in.status = 0
	for _, w := range words[1:] {
		in.remove(w, true, func(what string, err error) {
			if err != nil {
				in.err("nuke: %s: %s\n", what, strerror(err))
				in.status = 1
			}
		})
	}
	return ctlNone
}

func (in *shProcess) symlink(target, at string, force bool, fail func(string, error)) {
	if fi, err := in.stat(at); err == nil && fi.IsDir() {
		at = path.Join(at, path.Base(target))
	}
	if _, err := in.lstat(at); err == nil && force {
		in.x.pid1.Unlink(in.abs(at))
	}
	fail(at, in.x.pid1.Symlink(target, in.abs(at)))
}

// copy copies files, and directories with what is in them when it is recursive.
func (in *shProcess) copy(rest []string, recursive bool, fail func(string, error)) {
	if len(rest) < 2 {
		in.status = 1
		return
	}
	dst := rest[len(rest)-1]
	fi, err := in.stat(dst)
	left := maxRemoved
	for _, w := range rest[:len(rest)-1] {
		to := dst
		if err == nil && fi.IsDir() {
			to = path.Join(dst, path.Base(w))
		}
		in.copyTree(w, to, recursive, &left, fail)
	}
}

// copyTree copies one file or directory.
func (in *shProcess) copyTree(from, to string, recursive bool, left *int, fail func(string, error)) {
	t := in.x.pid1
	fi, err := in.stat(from)
	if *left--; *left < 0 {
		fail(from, kernel.ENOSPC)
		return
	}
	if err == nil && fi.IsDir() {
		if !recursive {
			in.err("cp: omitting directory '%s'\n", from)
			in.status = 1
			return
		}
		in.x.quietly(func() { err = t.MkdirAll(in.abs(to), uint32(fi.Mode().Perm())) })
		for _, name := range in.list(from) {
			in.copyTree(path.Join(from, name), path.Join(to, name), recursive, left, fail)
		}
		return
	}
	if err == nil && fi.Mode()&fs.ModeNamedPipe != 0 && recursive {
		in.x.quietly(func() { err = t.Mknod(in.abs(to), fsys.S_IFIFO|uint32(fi.Mode().Perm()), 0) })
		if err != nil {
			fail(to, err)
		}
		return
	}
	if err != nil && in.programIs("cp", "busybox") {
		in.err("cp: can't stat '%s': %s\n", from, strerror(err))
		in.status = 1
		return
	}
	text, ok := in.readFile(from)
	if !ok {
		fail(from, kernel.ENOENT)
		return
	}
	mode := uint32(0o644)
	if err == nil {
		mode = uint32(fi.Mode().Perm())
	}
	fail(to, t.WriteFile(in.abs(to), []byte(text), mode))
}

func (in *shProcess) cat(words []string) ctl {
	_, _, rest := optArgs(words, "")
	if len(rest) == 0 {
		if in.stdin == nil {
			return in.end("unknown.console-input")
		}
		in.print(in.stdout, in.stdin.rest)
		in.stdin = &input{}
		return in.ok()
	}
	in.status = 0
	for _, w := range rest {
		if w == "-" {
			if in.stdin != nil {
				in.print(in.stdout, in.stdin.rest)
			}
			continue
		}
		text, ok := in.readFile(w)
		if !ok {
			if _, err := in.stat(w); err == nil && (strings.HasPrefix(in.abs(w), "/proc/") || strings.HasPrefix(in.abs(w), "/sys/")) {
				return in.end("unknown.kernel-says", "path", w)
			}
			in.err("cat: can't open '%s': No such file or directory\n", w)
			in.status = 1
			continue
		}
		in.print(in.stdout, text)
	}
	return ctlNone
}

func (in *shProcess) sleepProgram(words []string) ctl {
	for _, w := range words[1:] {
		n, err := strconv.ParseFloat(strings.TrimRight(w, "smhd"), 64)
		if err != nil {
			continue
		}
		switch w[len(w)-1] {
		case 'm':
			n *= 60
		case 'h':
			n *= 3600
		case 'd':
			n *= 86400
		}
		in.sleep(n)
	}
	return in.ok()
}

func (in *shProcess) uname(words []string) ctl {
	flags, _, _ := optArgs(words, "")
	if flags == "" {
		flags = "s"
	}
	if strings.ContainsAny(flags, "av") {
		return in.end("unknown.program-prints", "program", "uname")
	}
	var out []string
	for _, f := range "snrm" {
		if !strings.ContainsRune(flags, f) {
			continue
		}
		switch f {
		case 's':
			out = append(out, "Linux")
		case 'n':
			out = append(out, "(none)")
		case 'r':
			out = append(out, in.x.version)
		case 'm':
			out = append(out, "x86_64")
		}
	}
	in.out("%s\n", strings.Join(out, " "))
	return in.ok()
}

func (in *shProcess) pathProgram(words []string) ctl {
	flags, _, rest := optArgs(words, "")
	if len(rest) == 0 {
		return in.failed()
	}
	switch path.Base(words[0]) {
	case "basename":
		base := path.Base(rest[0])
		if len(rest) > 1 && base != rest[1] {
			base = strings.TrimSuffix(base, rest[1])
		}
		in.out("%s\n", base)
		return in.ok()
	case "dirname":
		in.out("%s\n", path.Dir(rest[0]))
		return in.ok()
	}
	name := in.abs(rest[0])
	if dev, ok := in.x.logicalLink(name); ok {
		in.out("/dev/%s\n", dev)
		return in.ok()
	}
	if tag, value, ok := diskLink(name); ok {
		b, found := in.x.linkTarget(tag, value)
		if !found {
			return in.failed()
		}
		in.out("/dev/%s\n", b.name)
		return in.ok()
	}
	if strings.ContainsAny(flags, "fem") || path.Base(words[0]) == "realpath" {
		real, err := in.x.pid1.RealPath(name)
		if err != nil {
			return in.failed()
		}
		in.out("%s\n", real)
		return in.ok()
	}
	target, err := in.x.pid1.ReadLink(name)
	if err != nil {
		return in.failed()
	}
	in.out("%s\n", target)
	return in.ok()
}

func (in *shProcess) env(words []string) ctl {
	words = words[1:]
	for len(words) > 0 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 {
		return in.ok()
	}
	return in.program(words)
}

// statProgram is stat(1), as far as scripts ask whether two directories lie on the same file system.
func (in *shProcess) statProgram(words []string) ctl {
	_, values, rest := optArgs(words, "c")
	if values['c'] != "%D" && values['c'] != "%d" || len(rest) != 1 {
		return in.end("unknown.program-prints", "program", "stat")
	}
	if _, err := in.stat(rest[0]); err != nil {
		return in.failed()
	}
	in.out("%s\n", in.x.mountOf(in.abs(rest[0])))
	return in.ok()
}

// sourceOf is what is mounted on a directory, "" when nothing is.
func (x *linux) sourceOf(dir string) string {
	return x.m.Rows(trace.Mounted)[x.mountOf(dir)]["source"]
}

// mountOf names the mount that a path lies on, by its number.
func (x *linux) mountOf(name string) string {
	best, id := "", "1"
	rows := x.m.Rows(trace.Mounted)
	for _, n := range slices.Sorted(maps.Keys(rows)) {
		if t := rows[n]["target"]; len(t) >= len(best) && (t == "/" || name == t || strings.HasPrefix(name, t+"/")) {
			best, id = t, n
		}
	}
	return id
}

// stacked are the tools for volumes on volumes (LVM, RAID, encryption, multipath). On devices that hold
// nothing of their kind they have nothing to do; else what they find is not followed.
func (in *shProcess) stacked(words []string) ctl {
	name := path.Base(words[0])
	types := map[string]string{"mdadm": "linux_raid_member", "raidautorun": "linux_raid_member", "dmraid": "raid_member", "cryptsetup": "crypto_LUKS", "zpool": "zfs_member", "bcache-register": "bcache"}
	want := types[name]
	if name == "mdadm" {
		return in.mdadm(words)
	}
	if want == "" {
		want = "LVM2_member"
		if len(lvm.Members(in.x.c.Disk)) > 0 && in.lvmCommand(words) {
			return in.ok()
		}
	}
	for _, b := range in.x.blockDevices() {
		if strings.HasSuffix(b.tag("TYPE"), want) {
			if want == "crypto_LUKS" || want == "linux_raid_member" {
				return in.endFor(behind(b.name, b.vol))
			}
			return in.end("unknown.program-volume", "program", name, "type", b.tag("TYPE"), "device", "/dev/"+b.name)
		}
	}
	return in.ok()
}

// btrfs is btrfs(8), of which start scripts use "device scan": it tells the kernel of volumes with several devices, and
// before 6.11 said so. cmds/device.c, cmd_device_scan
func (in *shProcess) btrfs(words []string) ctl {
	if len(words) < 3 || words[1] != "device" || words[2] != "scan" {
		return in.end("unknown.program-does", "program", "btrfs")
	}
	found, _ := in.find(words[0], true)
	for _, text := range [...]string{"Scanning for Btrfs filesystems", "Scanning for btrfs filesystems"} {
		if said, _ := in.x.textIn(found, text); said == text && len(words) == 3 {
			in.out("%s\n", said)
			break
		}
	}
	return in.ok()
}

// powerOff ends the machine. systemctl under one of these names asks the running systemd to do so, unless it is
// forced; where none runs it fails: systemctl.c, halt_main, and sd_booted(3).
func (in *shProcess) powerOff(words []string) ctl {
	name := path.Base(words[0])
	flags, _, rest := optArgs(words, "")
	if _, err := in.stat("/run/systemd/system"); err != nil && in.programIs(words[0], "systemctl") && !strings.Contains(flags, "f") && !slices.Contains(rest, "--force") {
		in.err("System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\nFailed to talk to init daemon.\n")
		return in.failed()
	}
	in.step("initramfs.power-off", map[string]string{"command": strings.Join(words, " ")}, name+"(8)")
	in.x.deviceMissing(in.x.lastLine())
	return ctlEnd
}

// shell is sh(1) as a program, and what starts it in a session of its own.
func (in *shProcess) shell(words []string) ctl {
	defer func(was bool) { in.leader = was }(in.leader)
	for len(words) > 0 {
		switch name := path.Base(words[0]); {
		case name == "setsid" || name == "cttyhack":
			words, in.leader = words[1:], true
			for len(words) > 0 && strings.HasPrefix(words[0], "-") {
				words = words[1:]
			}
			continue
		case initprog.IsShell(name):
			return in.shellWith(words)
		}
		return in.program(words)
	}
	return in.ok()
}

func (in *shProcess) shellWith(words []string) ctl {
	interactive := false
	args := words[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if strings.Contains(args[0], "c") && len(args) > 1 {
			return in.shellText(args[1], args[2:])
		}
		interactive = interactive || strings.Contains(args[0], "i") || strings.Contains(args[0], "l")
		args = args[1:]
	}
	if len(args) > 0 && !interactive {
		return in.runFile(in.abs(args[0]), args[1:], in.x.shellAt("/bin/"+path.Base(words[0])), "")
	}
	if in.stdin != nil && !interactive {
		return in.shellText(in.stdin.rest, nil)
	}
	return in.interactive(words[0])
}

// expanded is a prompt with its parameters expanded: XCU 2.5.3, PS1.
func (in *shProcess) expanded(prompt string) string {
	tree, err := sh.Parse("prompt=\"" + prompt + "\"")
	if err != nil || len(tree.Body) != 1 {
		return prompt
	}
	assign, ok := tree.Body[0].Node.(*sh.Simple)
	if !ok || len(assign.Assigns) != 1 {
		return prompt
	}
	text, c := in.child().text(assign.Assigns[0].Value)
	if c != ctlNone {
		return prompt
	}
	return text
}

// shellText is sh -c.
func (in *shProcess) shellText(text string, args []string) ctl {
	tree, err := sh.Parse(text)
	if err != nil {
		return in.end("unknown.shell-text", "program", "sh -c", "text", text, "error", err.Error())
	}
	child := in.child()
	if len(args) > 0 {
		child.name, args = args[0], args[1:]
	}
	child.args, child.funcs = args, map[string]function{}
	child.src = &source{path: in.name, text: text}
	if in.src != nil {
		child.src.path = in.src.path
	}
	c := child.run(tree.Body)
	in.status = child.status
	if c == ctlEnd {
		return c
	}
	return ctlNone
}

// interactive is a shell that asks for commands: the start goes no further by itself. Where the scripts
// could have gone over to another root and did not, the shell is what is left of a failed start; where
// nothing else was meant, it is the purpose.
func (in *shProcess) interactive(shell string) ctl {
	x := in.x
	if in.b.soft && in.stdin != nil && in.stdin.rest == "" {
		return in.ok() // it reads the end of its input at once
	}
	last := cmp.Or(x.warned.text, x.lastLine())
	kind := x.shellAt("/bin/" + path.Base(shell))
	if found, ok := in.find(shell, true); ok && in.replaced {
		kind = x.shellAt(found)
		x.pid1.Execve(found, []string{shell}, in.environ())
	}
	greeting, cites := in.greets(kind, shell)
	prompt := in.prompt(kind)
	in.step("initramfs.shell", map[string]string{"shell": kind.path, "prompt": strings.TrimSpace(prompt)}, "sh(1), interactive shell", cites...)
	x.console(greeting + prompt)
	if in.b.switches {
		x.deviceMissing(last)
	} else {
		x.works(last)
	}
	return ctlEnd
}
