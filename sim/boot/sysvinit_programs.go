package boot

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"bootpath/sim/trace"
)

// assumed is what start scripts call and what is not run here. A program whose manual says what it does to
// the start has a case of its own. Any other is taken to succeed when the script asks for nothing but that;
// when the script uses its output or branches on its status, bootpath cannot go on.
func (d *initd) assumed(in *shProcess, name string, words []string) (ctl, bool) {
	switch name {
	case "run-parts":
		return d.runParts(in, words), true
	case "hostname":
		if len(words) == 2 && !strings.HasPrefix(words[1], "-") { // PID 1 may set it
			d.host = words[1]
			d.quietly(func() { _ = d.pid1.SetHostname(words[1]) })
			return in.ok(), true
		}
	case "mountpoint":
		_, _, rest := optArgs(words, "")
		return told(in, len(rest) == 1 && d.isMountPoint(path.Clean(in.abs(rest[0])))), true
	case "findmnt":
		if _, _, rest := optArgs(words, ""); len(rest) == 1 && len(words) == 2 && in.stdout.kind == "null" {
			return told(in, d.isMountPoint(path.Clean(in.abs(rest[0])))), true
		}
	case "start-stop-daemon":
		return d.startStop(in, words), true
	case "fsck", "logsave":
		return d.fsck(in, words), true
	case "setterm", "ifup", "sysctl", "swapon", "udevadm", "systemd-tmpfiles", "hwclock":
		if in.stdout.kind == "buffer" || in.stdout.kind == "file" {
			return ctlNone, false
		}
		d.doubt(trace.Why("unknown.succeeds", "program", name))
		return in.ok(), true
	}
	if known(name) {
		return ctlNone, false
	}
	if _, _, script := d.shebang(in.abs(words[0])); script {
		return ctlNone, false
	}
	if _, _, el := d.execlineScript(in.abs(words[0])); el {
		return ctlNone, false
	}
	found, ok := in.find(words[0], true)
	if !ok {
		return ctlNone, false
	}
	if _, _, script := d.shebang(found); script || in.tested > 0 || in.stdout.kind != "console" && in.stdout.kind != "null" {
		return ctlNone, false
	}
	d.doubt(trace.Why("unknown.succeeds", "program", found))
	return in.ok(), true
}

func told(in *shProcess, yes bool) ctl {
	if yes {
		return in.ok()
	}
	return in.failed()
}

// fsck is fsck(8), also when logsave runs it. It has something to say wherever it has something to check;
// with -A and -M that is what fstab lists for checking and what is not mounted.
func (d *initd) fsck(in *shProcess, words []string) ctl {
	all := slices.ContainsFunc(words, func(w string) bool { return w == "-A" })
	if !all || !slices.Contains(words, "-M") {
		return in.end("unknown.fsck", "program", "fsck")
	}
	src, err := d.text("/etc/fstab", maxRCScript)
	if err != nil {
		return in.end("unknown.fsck", "program", "fsck")
	}
	for line := range strings.SplitSeq(src.text, "\n") {
		f := strings.Fields(line)
		if len(f) > 5 && f[0][0] != '#' && f[5] != "0" && !d.isMountPoint(path.Clean(f[1])) {
			return in.end("unknown.fsck", "program", "fsck "+f[0])
		}
	}
	return in.ok()
}

// runParts is run-parts --list: the names made of letters, digits, underscores and hyphens. run-parts(8)
func (d *initd) runParts(in *shProcess, words []string) ctl {
	var rest []string
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") {
			rest = append(rest, w)
		}
	}
	if !slices.Contains(words, "--list") || len(rest) != 1 {
		return in.end("unknown.program-does", "program", "run-parts")
	}
	list, err := d.pid1.ReadDir(rest[0])
	if err != nil {
		in.err("run-parts: failed to open directory %s: %s\n", rest[0], strerror(err))
		return in.failed()
	}
	var names []string
	for _, e := range list {
		if strings.Trim(strings.ToLower(e.Name()), "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			continue
		}
		if fi, err := d.pid1.Stat(path.Join(rest[0], e.Name())); err == nil && fi.Mode().IsRegular() {
			names = append(names, path.Join(rest[0], e.Name()))
		}
	}
	slices.Sort(names)
	for _, n := range names {
		in.out("%s\n", n)
	}
	return in.ok()
}

// startStop is start-stop-daemon(8) with --start at boot, when nothing runs yet.
func (d *initd) startStop(in *shProcess, words []string) ctl {
	start := slices.ContainsFunc(words, func(w string) bool { return w == "--start" || w == "-S" })
	exe := ""
	for i, w := range words[:len(words)-1] {
		if exe == "" && slices.Contains([]string{"--exec", "-x", "--startas", "-a"}, w) {
			exe = words[i+1]
		}
	}
	if !start || exe == "" {
		return in.end("unknown.program-does", "program", "start-stop-daemon")
	}
	if slices.Contains(words, "--test") || slices.Contains(words, "-t") {
		return in.ok()
	}
	if _, err := d.executable(exe); err != nil {
		in.err("start-stop-daemon: unable to start %s (%s)\n", exe, strerror(err))
		in.status = 2
		return ctlNone
	}
	d.process(path.Base(exe))
	d.doubt(trace.Why("unknown.succeeds", "program", exe))
	return in.ok()
}

// filesystems is /proc/filesystems as far as the kernel's configuration decides it.
func (x *linux) filesystems(name string) (string, bool) {
	conf := x.kconfig()
	if name != "/proc/filesystems" || len(conf) == 0 || !x.mountedAt("/proc", "proc") {
		return "", false
	}
	out := ""
	for _, f := range [...][2]string{{"sysfs", "SYSFS"}, {"tmpfs", "TMPFS"}, {"bdev", "BLOCK"}, {"proc", "PROC_FS"}, {"cgroup", "CGROUPS"}, {"cgroup2", "CGROUPS"},
		{"cpuset", "CPUSETS"}, {"devtmpfs", "DEVTMPFS"}, {"configfs", "CONFIGFS_FS"}, {"debugfs", "DEBUG_FS"}, {"tracefs", "TRACING"}, {"securityfs", "SECURITYFS"},
		{"sockfs", "NET"}, {"bpf", "BPF_SYSCALL"}, {"pipefs", "PROC_FS"}, {"ramfs", "PROC_FS"}, {"hugetlbfs", "HUGETLBFS"}, {"devpts", "UNIX98_PTYS"},
		{"autofs", "AUTOFS_FS"}, {"mqueue", "POSIX_MQUEUE"}, {"selinuxfs", "SECURITY_SELINUX"}, {"pstore", "PSTORE"}, {"efivarfs", "EFIVAR_FS"}, {"xenfs", "XENFS"}} {
		if conf["CONFIG_"+f[1]] == "y" {
			out += "nodev\t" + f[0] + "\n"
		}
	}
	for _, b := range x.blockDevices() { // what is mounted has its driver
		if t := b.tag("TYPE"); t != "" && !strings.Contains(out, "\t"+t+"\n") {
			out += "\t" + t + "\n"
		}
	}
	return out, true
}

// alwaysThere are places of sysfs that every kernel has: Documentation/ABI/testing/sysfs-class.
func alwaysThere(name string) (fs.FileInfo, bool) {
	switch path.Clean(name) {
	case "/sys/class", "/sys/block", "/sys/class/block", "/sys/class/mem", "/sys/class/mem/null":
		return made{name: path.Base(name), mode: fs.ModeDir | 0o755}, true
	}
	return nil, false
}
