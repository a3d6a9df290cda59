package systemd

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
	"bootpath/sim/fsys"
)

// mountEntry is one line of /etc/fstab. fstab(5).
type mountEntry struct {
	spec, file, fstype, opts string
	passno                   int
	cites                    []blob.Cite
}

// readFstab reads /etc/fstab; lines with fewer than four fields get getmntent(3)'s defaults.
func (m *Manager) readFstab() []mountEntry { return m.fstabOf("/etc/fstab") }

func (m *Manager) fstabOf(name string) []mountEntry {
	var out []mountEntry
	m.eachLine(name, func(f []string, cite func(value string) []blob.Cite) {
		for i := range f {
			f[i] = unoctal(f[i])
		}
		e := mountEntry{spec: f[0], file: f[1], fstype: "auto", opts: "defaults"}
		if len(f) > 2 {
			e.fstype = f[2]
		}
		if len(f) > 3 {
			e.opts = f[3]
		}
		if len(f) > 5 {
			e.passno, _ = strconv.Atoi(f[5])
		}
		e.cites = cite(strings.Join(f, " "))
		out = append(out, e)
	})
	return out
}

// eachLine calls fn for the lines of a table such as fstab(5) and crypttab(5): its fields, at least two, and how
// to cite it with a value. A table that is not there has no lines; one that cannot be read is noted.
func (m *Manager) eachLine(name string, fn func(fields []string, cite func(value string) []blob.Cite)) {
	real, err := fsys.Resolve(m.Env.Root, name)
	if err != nil {
		return
	}
	file, err := fsys.OpenFile(m.Env.Root, real)
	if err != nil {
		return
	}
	defer file.Close()
	text, err := blob.ReadAll(file, maxFile)
	if err != nil {
		m.Notes = append(m.Notes, name+": "+err.Error())
		return
	}
	off := 0
	for line := range strings.Lines(string(text)) {
		at := off
		off += len(line)
		f := strings.Fields(line)
		if len(f) < 2 || f[0][0] == '#' {
			continue
		}
		fn(f, func(value string) (cites []blob.Cite) {
			for _, s := range blob.Locate(file, int64(at), int64(len(strings.TrimRight(line, "\r\n")))) {
				cites = append(cites, blob.Cite{Span: s, Name: name, Value: value})
			}
			return cites
		})
	}
}

// unoctal resolves the escapes of fstab: \040 for a space.
func unoctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// NodePath turns UUID=, LABEL=, PARTUUID= and PARTLABEL= into the link that udev makes for it.
func NodePath(spec string) string {
	for _, k := range [...][2]string{{"UUID=", "uuid"}, {"LABEL=", "label"}, {"PARTUUID=", "partuuid"}, {"PARTLABEL=", "partlabel"}} {
		if v, ok := strings.CutPrefix(spec, k[0]); ok {
			return "/dev/disk/by-" + k[1] + "/" + encodeNode(strings.Trim(v, `"'`))
		}
	}
	return spec
}

// encodeNode writes what a device name cannot hold as \xNN, as udev does.
func encodeNode(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 0x80 || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("#+-.:=@_", r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x%02x`, r)
		}
	}
	return b.String()
}

// apiMounts are what systemd mounts by itself before anything else; fstab entries for them only
// change options (systemd-remount-fs.service(8)).
var apiMounts = []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/sys/fs/cgroup", "/sys/kernel/security",
	"/sys/fs/pstore", "/sys/firmware/efi/efivars", "/sys/fs/bpf", "/sys/fs/smackfs", "/sys/fs/selinux"}

// fstabGenerator turns /etc/fstab into mount and swap units. systemd-fstab-generator(8), and
// systemd.mount(5) "FSTAB" for the x-systemd options.
func (m *Manager) fstabGenerator(cmd cmdline.Line) {
	for _, key := range []string{"fstab", "systemd.fstab"} {
		if v, ok := cmd.Get(key); ok {
			if on, ok := ParseBool(v); ok && !on {
				return
			}
		}
	}
	if m.Env.Initrd {
		m.sysrootMount(cmd)
	}
	for _, e := range m.readFstab() {
		what := NodePath(e.spec)
		if e.fstype == "swap" {
			m.fstabSwap(e, what)
			continue
		}
		if !strings.HasPrefix(e.file, "/") || e.fstype == "autofs" {
			continue
		}
		where := path.Clean(e.file)
		if where == "/" || where == "/usr" || slices.Contains(apiMounts, where) {
			m.loader.generateLink(generator, "local-fs.target", "wants", "systemd-remount-fs.service", e.cites)
		}
		if !slices.Contains(apiMounts, where) {
			m.fstabMount(e, what, where)
		}
	}
}

// options looks at a comma-separated list.
type options []string

func (o options) has(names ...string) bool {
	return slices.ContainsFunc(o, func(s string) bool {
		k, _, _ := strings.Cut(s, "=")
		return slices.Contains(names, k)
	})
}

// last tells which of two opposite options comes last; yes is the first of them.
func (o options) last(yes, no string) bool {
	v := false
	for _, s := range o {
		if s == yes || s == no {
			v = s == yes
		}
	}
	return v
}

func (o options) values(key string) []string {
	var out []string
	for _, s := range o {
		if v, ok := strings.CutPrefix(s, key+"="); ok && v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (m *Manager) fstabSwap(e mountEntry, what string) {
	o := options(strings.Split(e.opts, ","))
	name := NameForPath(what, "swap")
	m.loader.generate(generator, name, "[Unit]\nSourcePath=/etc/fstab\n"+fmt.Sprintf("After=blockdev@%s.target\n", EscapePath(what))+
		"[Swap]\nWhat="+what+"\n", e.cites)
	m.deviceTimeout(o, what, e)
	if !o.last("noauto", "auto") {
		m.loader.generateLink(generator, "swap.target", pull(o), name, e.cites)
	}
}

func pull(o options) string {
	if o.last("nofail", "fail") {
		return "wants"
	}
	return "requires"
}

func (m *Manager) deviceTimeout(o options, what string, e mountEntry) {
	if v := o.values("x-systemd.device-timeout"); len(v) > 0 && devicePath(what) {
		m.loader.generateDropin(generator, NameForPath(what, "device"), "50-device-timeout.conf",
			"[Unit]\nJobRunningTimeoutSec="+v[len(v)-1]+"\n", e.cites)
	}
}

func (m *Manager) fstabMount(e mountEntry, what, where string) {
	o := options(strings.Split(e.opts, ","))
	noauto, nofail := o.last("noauto", "auto"), o.last("nofail", "fail")
	automount := o.has("x-systemd.automount") || slices.Contains(o, "comment=systemd.automount")
	if where == "/" {
		noauto, nofail, automount = false, false, false
	}
	target := "local-fs.target"
	if (&Mount{FSType: e.fstype, Options: e.opts}).Network() {
		target = "remote-fs.target"
	}
	var unit strings.Builder
	unit.WriteString("[Unit]\nSourcePath=/etc/fstab\n")
	if !noauto && !nofail && !automount {
		fmt.Fprintf(&unit, "Before=%s\n", target)
	}
	extra := fstabDeps(o)
	if !automount {
		unit.WriteString(extra)
	}
	if e.passno != 0 {
		unit.WriteString(m.fstabFsck(e, what, where))
	}
	if devicePath(what) {
		fmt.Fprintf(&unit, "After=blockdev@%s.target\n", EscapePath(what))
	}
	fmt.Fprintf(&unit, "[Mount]\nWhat=%s\nWhere=%s\nOptions=%s\n", percent(what), percent(where), percent(e.opts))
	if e.fstype != "auto" && e.fstype != "none" {
		fmt.Fprintf(&unit, "Type=%s\n", e.fstype)
	}
	name := NameForPath(where, "mount")
	m.loader.generate(generator, name, unit.String(), e.cites)
	m.deviceTimeout(o, what, e)
	if automount {
		name = NameForPath(where, "automount")
		m.loader.generate(generator, name, "[Unit]\nSourcePath=/etc/fstab\n"+extra+"[Automount]\nWhere="+percent(where)+"\n", e.cites)
	}
	if noauto && !automount {
		return
	}
	hooks := 0
	for kind, key := range map[string]string{"wants": "x-systemd.wanted-by", "requires": "x-systemd.required-by"} {
		for _, t := range o.values(key) {
			m.loader.generateLink(generator, mangle(t, "target"), kind, name, e.cites)
			hooks++
		}
	}
	if hooks == 0 {
		kind := "requires"
		if nofail {
			kind = "wants"
		}
		m.loader.generateLink(generator, target, kind, name, e.cites)
	}
}

// percent keeps a text from being read as specifiers.
func percent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// fstabDeps are the x-systemd options that name units or paths.
func fstabDeps(o options) string {
	var b strings.Builder
	for _, v := range o.values("x-systemd.requires") {
		fmt.Fprintf(&b, "After=%[1]s\nRequires=%[1]s\n", mangle(v, "mount"))
	}
	for _, v := range o.values("x-systemd.after") {
		fmt.Fprintf(&b, "After=%s\n", mangle(v, "mount"))
	}
	for _, v := range o.values("x-systemd.before") {
		fmt.Fprintf(&b, "Before=%s\n", mangle(v, "mount"))
	}
	for _, v := range o.values("x-systemd.requires-mounts-for") {
		fmt.Fprintf(&b, "RequiresMountsFor=%s\n", percent(v))
	}
	return b.String()
}

// fstabFsck orders a file system check before the mount: for the root a service of its own, for others
// an instance per device. There must be a checker for the type.
func (m *Manager) fstabFsck(e mountEntry, what, where string) string {
	if !devicePath(what) {
		return ""
	}
	if checker := "fsck." + e.fstype; e.fstype != "auto" && !m.inPath(checker) {
		return ""
	}
	if where == "/" {
		m.loader.generateLink(generator, "local-fs.target", "wants", "systemd-fsck-root.service", e.cites)
		return ""
	}
	return fmt.Sprintf("Requires=systemd-fsck@%[1]s.service\nAfter=systemd-fsck@%[1]s.service\n", EscapePath(what))
}

func (m *Manager) inPath(name string) bool {
	return slices.ContainsFunc([]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"},
		func(dir string) bool { return m.executable(path.Join(dir, name)) })
}
