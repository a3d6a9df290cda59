package boot

import (
	"path"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// What nlplug-findfs waits for events of the kernel after the last one, in seconds: MAX_EVENT_TIMEOUT, and
// DEFAULT_EVENT_TIMEOUT once a medium with packages is found. nlplug-findfs.c
const (
	plugWait      = 5.0
	plugWaitFound = 0.25
)

// nlplug is Alpine's nlplug-findfs(1): it loads the modules that the devices ask for, looks for the device that its
// operand names, and with -a or -b mounts every volume to see whether it is a boot medium.
func (in *shProcess) nlplug(words []string) ctl {
	flags, values, rest := optArgs(words, "abcfHkmoptU")
	in.coldplugWith(true)
	if c := values['c']; c != "" {
		if b, ok := in.blockDevice(c); ok && b.tag("TYPE") == "crypto_LUKS" {
			if key := values['k']; key != "" {
				return in.end("unknown.key-opens", "key", key, "device", "/dev/"+b.name)
			}
			if !strings.HasPrefix(c, "/") {
				c = "/dev/" + b.name
			}
			return in.passphrase("Enter passphrase for "+c+": ", values['m'], c)
		}
	}
	found := false
	if len(rest) > 0 {
		found = in.plugDevice(rest[len(rest)-1])
	}
	if values['a'] != "" || values['b'] != "" {
		media, c := in.plugMedia(in.absOrNone(values['b']), in.absOrNone(values['a']))
		if c != ctlNone {
			return c
		}
		found = found || media
	}
	if in.status = 0; !found && len(rest)+len(values['a']+values['b']) > 0 {
		in.sleep(plugWait)
		if !strings.Contains(flags, "n") { // -n, --allow-not-found
			in.status = 1
		}
	}
	return ctlNone
}

func (in *shProcess) absOrNone(name string) string {
	if name == "" {
		return ""
	}
	return in.abs(name)
}

// plugDevice looks for a device by its name, UUID= or LABEL=.
func (in *shProcess) plugDevice(want string) bool {
	b, ok := in.blockDevice(want)
	if _, lvm := in.find("/sbin/lvm", true); !ok && lvm && in.activateLVM("nlplug-findfs") { // a physical volume makes it run vgchange
		b, ok = in.blockDevice(want)
	}
	if !ok {
		in.found(want, "none", b)
		return false
	}
	in.found(want, "/dev/"+b.name, b)
	return true
}

// plugMedia mounts every volume below /media and keeps those with a directory of packages, which holds a file
// .boot_repository, or with an overlay *.apkovl.tar.gz. Their paths go to the two files.
func (in *shProcess) plugMedia(reposFile, overlaysFile string) (bool, ctl) {
	var allRepos, allOverlays []string
	for _, b := range in.x.blockDevices() {
		dir := "/media/" + b.name
		if b.tag("TYPE") == "" || in.x.mountedDevice("/dev/"+b.name) {
			continue
		}
		ok, c := in.plugMount(b, dir)
		if c != ctlNone {
			return false, c
		}
		if !ok {
			continue
		}
		repos, overlays := in.bootMedium(dir)
		if len(repos)+len(overlays) == 0 {
			in.x.quietly(func() { _ = in.x.pid1.Umount(dir, 0) })
			continue
		}
		in.step("initramfs.find-medium", map[string]string{"device": "/dev/" + b.name, "path": dir, "repositories": strings.Join(repos, " "), "overlays": strings.Join(overlays, " ")},
			"nlplug-findfs(1), -a and -b", in.x.pid1.Evidence(dir)...)
		allRepos, allOverlays = append(allRepos, repos...), append(allOverlays, overlays...)
	}
	if len(allRepos)+len(allOverlays) == 0 {
		in.step("initramfs.no-medium", map[string]string{"devices": in.x.deviceNames()}, "nlplug-findfs(1), -a and -b")
		return false, ctlNone
	}
	in.appendLines(reposFile, allRepos)
	in.appendLines(overlaysFile, allOverlays)
	if len(allOverlays) == 0 { // an overlay may still come on another device
		in.sleep(plugWaitFound)
	}
	return true, ctlNone
}

// plugMount mounts a volume read-only, without a word when it cannot.
func (in *shProcess) plugMount(b blockDevice, dir string) (bool, ctl) {
	root, shown := in.x.facts.Root, in.stderr
	in.stderr = &sink{kind: "null"}
	in.x.quietly(func() { _ = in.x.pid1.MkdirAll(dir, 0o755) })
	c := in.mountDevice("/dev/"+b.name, dir, b.tag("TYPE"), kernel.MS_RDONLY, "")
	in.stderr, in.x.facts.Root = shown, root
	return in.status == 0, c
}

// bootMedium lists what makes a volume a boot medium, in its top directory.
func (in *shProcess) bootMedium(dir string) (repos, overlays []string) {
	for _, name := range in.list(dir) {
		at := path.Join(dir, name)
		fi, err := in.lstat(at)
		switch {
		case err != nil:
		case fi.IsDir():
			if _, err := in.stat(at + "/.boot_repository"); err == nil {
				repos = append(repos, at)
			}
		case sh.Match("*.apkovl.tar.gz*", name):
			overlays = append(overlays, at)
		}
	}
	return repos, overlays
}

// appendLines adds lines to a file.
func (in *shProcess) appendLines(name string, lines []string) {
	if name == "" || len(lines) == 0 {
		return
	}
	text, _ := in.readFile(name)
	in.x.quietly(func() { _ = in.x.pid1.WriteFile(name, []byte(text+strings.Join(lines, "\n")+"\n"), 0o644) })
}

// mountedDevice tells whether a device is mounted anywhere.
func (x *linux) mountedDevice(device string) bool {
	for _, row := range x.m.Rows(trace.Mounted) {
		if row["source"] == device {
			return true
		}
	}
	return false
}
