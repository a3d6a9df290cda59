package systemd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bootpath/sim/conf/cmdline"
)

// sysrootMount turns root= of the kernel command line into sysroot.mount, with a check of the file system
// before it and the device that it waits for. systemd-fstab-generator(8), "KERNEL COMMAND LINE".
func (m *Manager) sysrootMount(cmd cmdline.Line) {
	what, ok := cmd.Get("root")
	if !ok || what == "" || what == "gpt-auto" || what == "/dev/nfs" || what == "tmpfs" {
		return
	}
	what = NodePath(what)
	if !path.IsAbs(what) {
		return // "root=nfs:…", "root=zfs:…": other programs read those
	}
	mode := "rw"
	if cmd.ReadOnly() {
		mode = "ro"
	}
	opts, _ := cmd.Get("rootflags")
	switch o := options(strings.Split(opts, ",")); {
	case opts == "":
		opts = mode
	case cmd.Has("ro") || cmd.Has("rw") || !o.has("ro", "rw"):
		opts += "," + mode
	}
	fstype, _ := cmd.Get("rootfstype")
	dev := NameForPath(what, "device")
	extra := ""
	if devicePath(what) {
		m.loader.generateDropin(generator, "initrd-root-device.target", "50-root-device.conf", fmt.Sprintf("[Unit]\nRequires=%[1]s\nAfter=%[1]s\n", dev), nil)
		if fstype == "" || fstype == "auto" || m.inPath("fsck."+fstype) {
			m.fsckSysroot(what, dev)
			extra = "Requires=systemd-fsck-root.service\nAfter=systemd-fsck-root.service\n"
		}
		extra += fmt.Sprintf("After=blockdev@%s.target\n", EscapePath(what))
	}
	text := "[Unit]\nSourcePath=/proc/cmdline\nBefore=initrd-root-fs.target\n" + extra +
		fmt.Sprintf("[Mount]\nWhat=%s\nWhere=/sysroot\nOptions=%s\n", percent(what), percent(opts))
	if fstype != "" && fstype != "auto" {
		text += "Type=" + fstype + "\n"
	}
	m.loader.generate(generator, "sysroot.mount", text, nil)
	m.loader.generateLink(generator, "initrd-root-fs.target", "requires", "sysroot.mount", nil)
}

// fsckSysroot writes the service that checks the root's file system in an initramfs:
// systemd-fsck-root.service(8); the text is that of shared/generator.c.
func (m *Manager) fsckSysroot(what, dev string) {
	m.loader.generate(generator, "systemd-fsck-root.service", fmt.Sprintf(`[Unit]
Description=File System Check on %[1]s
DefaultDependencies=no
BindsTo=%[2]s
Conflicts=shutdown.target
After=initrd-root-device.target local-fs-pre.target %[2]s
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/lib/systemd/systemd-fsck %[1]s
TimeoutSec=0
`, percent(what), dev), nil)
}

// resumeGenerator has the kernel look for a hibernated system first: systemd-hibernate-resume-generator(8).
func (m *Manager) resumeGenerator(cmd cmdline.Line) {
	what, ok := cmd.Get("resume")
	if !ok || what == "" || cmd.Has("noresume") || !m.Env.Initrd {
		return
	}
	m.loader.generateLink(generator, "sysinit.target", "wants", "systemd-hibernate-resume@"+EscapePath(NodePath(what))+".service", nil)
}

// SysrootFstab is what reloading the manager adds once the real root is mounted: mounts of its /etc/fstab
// that the initramfs makes already, which are /usr and those marked x-initrd.mount. It returns the units.
// systemd.mount(5), "x-initrd.mount".
func (m *Manager) SysrootFstab() []*Unit {
	target := m.Get("initrd-fs.target")
	if target == nil {
		return nil
	}
	var out []*Unit
	for _, e := range m.fstabOf("/sysroot/etc/fstab") {
		o := options(strings.Split(e.opts, ","))
		if !strings.HasPrefix(e.file, "/") || e.fstype == "swap" || path.Clean(e.file) == "/" || path.Clean(e.file) != "/usr" && !o.has("x-initrd.mount") {
			continue
		}
		what, where := NodePath(e.spec), path.Join("/sysroot", e.file)
		name := NameForPath(where, "mount")
		m.loader.generate(generator, name, m.initrdMount(e, what, where), e.cites)
		u := m.Load(name)
		if u == nil {
			continue
		}
		m.depend(target, name, Reason{Rule: "systemd.mount(5) x-initrd.mount"}, Requires, After)
		out = append(out, u)
	}
	return out
}

func (m *Manager) initrdMount(e mountEntry, what, where string) string {
	text := "[Unit]\nSourcePath=/sysroot/etc/fstab\nBefore=initrd-fs.target\n"
	if e.passno != 0 {
		text += m.fstabFsck(e, what, where)
	}
	text += fmt.Sprintf("[Mount]\nWhat=%s\nWhere=%s\nOptions=%s\n", percent(what), percent(where), percent(e.opts))
	if e.fstype != "auto" && e.fstype != "none" {
		text += "Type=" + e.fstype + "\n"
	}
	return text
}

// OtherGenerators lists the generators whose rules are not built in: those that are scripts can be run
// before the manager reads units, and are then named in [Env].Ran.
func OtherGenerators(env Env) []string {
	m := &Manager{Env: env, loader: &Loader{root: env.Root, left: maxUnitFiles}}
	known := m.knownGenerators()
	return slices.DeleteFunc(m.generators(), func(name string) bool { return known[name] != nil })
}
