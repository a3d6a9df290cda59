package systemd

import (
	"fmt"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/cmdline"
)

// cryptEntry is one line of /etc/crypttab. crypttab(5).
type cryptEntry struct {
	name, device, key, opts string
	cites                   []blob.Cite
}

// readCrypttab reads /etc/crypttab; the key and the options may be left out.
func (m *Manager) readCrypttab() []cryptEntry {
	var out []cryptEntry
	m.eachLine("/etc/crypttab", func(f []string, cite func(value string) []blob.Cite) {
		cites := cite(strings.Join(f, " "))
		f = append(f, "", "")
		out = append(out, cryptEntry{name: f[0], device: NodePath(f[1]), key: f[2], opts: f[3], cites: cites})
	})
	return out
}

// cryptsetupGenerator makes a service of each line of /etc/crypttab. systemd-cryptsetup-generator(8).
func (m *Manager) cryptsetupGenerator(cmd cmdline.Line) {
	key := "luks"
	if m.Env.Initrd {
		key = "rd.luks"
	}
	for _, k := range []string{"luks", key} {
		if v, ok := cmd.Get(k); ok {
			if on, ok := ParseBool(v); ok && !on {
				return
			}
		}
	}
	for _, k := range []string{key + ".uuid", key + ".name"} {
		if _, ok := cmd.Get(k); ok {
			m.Notes = append(m.Notes, "systemd-cryptsetup-generator") // which lines they select is not followed
		}
	}
	for _, k := range []string{key + ".crypttab", "luks.crypttab"} {
		if v, ok := cmd.Get(k); ok {
			if on, ok := ParseBool(v); ok && !on {
				return
			}
		}
	}
	for _, e := range m.readCrypttab() {
		m.cryptService(e)
	}
}

// cryptService writes the service of one line with its links.
func (m *Manager) cryptService(e cryptEntry) {
	o := options(strings.Split(e.opts, ","))
	noauto, nofail := o.last("noauto", "auto"), o.last("nofail", "fail")
	unit, mapped := "systemd-cryptsetup@"+Escape(e.name)+".service", "/dev/mapper/"+e.name
	target := "cryptsetup.target"
	if o.has("_netdev") {
		target = "remote-cryptsetup.target"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=Cryptography Setup for %%I\nSourcePath=/etc/crypttab\nDefaultDependencies=no\nIgnoreOnIsolate=true\n"+
		"After=cryptsetup-pre.target systemd-udevd-kernel.socket\nBefore=blockdev@%[1]s.target\nWants=blockdev@%[1]s.target\nConflicts=umount.target\nBefore=umount.target\n", EscapePath(mapped))
	if !nofail {
		fmt.Fprintf(&b, "Before=%s\n", target)
	}
	switch {
	case devicePath(e.key) && e.key != "/dev/urandom" && e.key != "/dev/random":
		fmt.Fprintf(&b, "After=%[1]s\nRequires=%[1]s\n", NameForPath(e.key, "device"))
	case path.IsAbs(e.key) && !devicePath(e.key):
		fmt.Fprintf(&b, "RequiresMountsFor=%s\n", percent(e.key))
	}
	if devicePath(e.device) {
		fmt.Fprintf(&b, "BindsTo=%[1]s\nAfter=%[1]s\n", NameForPath(e.device, "device"))
	} else {
		fmt.Fprintf(&b, "RequiresMountsFor=%s\n", percent(e.device))
	}
	program := "/usr/lib/systemd/systemd-cryptsetup"
	for _, p := range []string{"/usr/bin/systemd-cryptsetup", "/lib/systemd/systemd-cryptsetup"} {
		if m.executable(p) {
			program = p
		}
	}
	fmt.Fprintf(&b, "[Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutSec=infinity\nExecStart=%s attach '%s' '%s' '%s' '%s'\n",
		program, percent(e.name), percent(e.device), percent(e.key), percent(e.opts))
	m.loader.generate(generator, unit, b.String(), e.cites)
	m.deviceTimeout(o, e.device, mountEntry{cites: e.cites})
	if noauto {
		return
	}
	m.loader.generateLink(generator, target, pull(o), unit, e.cites)
	m.loader.generateLink(generator, NameForPath(mapped, "device"), "requires", unit, e.cites)
	if !nofail {
		m.loader.generateDropin(generator, NameForPath(mapped, "device"), "40-device-timeout.conf", "[Unit]\nJobTimeoutSec=infinity\n", e.cites)
	}
}
