package boot

import (
	"bootpath/sim/exe/initprog"
	"bootpath/sim/trace"
)

// flavour names the tool that made the initramfs, by the files that only it puts there.
func (x *linux) flavour() string {
	exists := func(name string) bool { _, err := x.pid1.Lstat(name); return err == nil }
	switch {
	case exists("/conf/initramfs.conf") && exists("/scripts/functions"):
		return "initramfs-tools" // initramfs-tools(7)
	case exists("/usr/lib/dracut-lib.sh") || exists("/lib/dracut-lib.sh") || exists("/lib/dracut") || exists("/usr/lib/dracut"):
		return "dracut" // dracut(8)
	case exists("/init_functions") && exists("/hooks"), exists("/buildconfig") && exists("/config"):
		return "mkinitcpio" // mkinitcpio(8)
	case exists("/sbin/nlplug-findfs") || exists("/usr/sbin/nlplug-findfs"):
		return "mkinitfs" // Alpine's
	}
	return "custom"
}

// compiledInit is an initramfs whose first program is not a script that can be read: systemd in the
// images of dracut and mkinitcpio, u-root's init, a static program.
func (x *linux) compiledInit(rdinit string) {
	exe := x.pid1.Exe
	if exe == "" {
		exe, _ = x.pid1.RealPath(rdinit)
	}
	x.facts.Init = exe
	kind := initprog.Kind(exe, func(p string) bool { _, err := x.pid1.Stat(p); return err == nil })
	flavour := x.flavour()
	x.m.Emit(trace.Step{Actor: x.pid1.Actor, Stage: trace.Initramfs, Kind: "initramfs.start", Rule: "execve(2)",
		Args: map[string]string{"path": rdinit, "shell": exe, "flavour": flavour}})
	if x.endsAtOnce(trace.Initramfs, rdinit, exe) {
		return
	}
	switch kind {
	case initprog.Systemd:
		x.systemdInitramfs()
	case initprog.Shell, initprog.BusyBox:
		x.cannotKnow(trace.Initramfs, trace.Why("unknown.shell-init", "path", exe))
	default:
		x.cannotKnow(trace.Initramfs, trace.Why("unknown.machine-code", "path", exe))
	}
}
