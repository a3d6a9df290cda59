package boot

import (
	"fmt"
	"path"
	"strings"
	"time"

	"bootpath/sim/conf/systemd"
	"bootpath/sim/kernel"
	"bootpath/sim/trace"
)

// remountRoot applies the root's options of /etc/fstab. systemd-remount-fs.service(8).
func (x *sysd) remountRoot() {
	u := x.mgr.Get("-.mount")
	if u == nil || u.Fragment == "" || u.Mount == nil {
		return
	}
	flags := kernel.MS_REMOUNT
	if _, ro := u.Mount.Option("ro"); ro {
		flags |= kernel.MS_RDONLY
	}
	x.pid1.Quiet = true
	err := x.pid1.Mount("", "/", "", flags, "")
	x.pid1.Quiet = false
	if err != nil {
		x.doubt(trace.Why("unknown.root-remount").For(kernel.Because(err)))
		return
	}
	mode := "r/w"
	if flags&kernel.MS_RDONLY != 0 {
		mode = "ro"
	}
	root, _ := x.mountRow("/")
	x.emit(trace.Step{Kind: "systemd.remount-root", Stage: trace.Userspace, Rule: "systemd-remount-fs.service(8)", Cites: u.Files[0].Cite(u.Mount.Entry),
		Args: map[string]string{"device": root["source"], "mode": mode}, Console: x.ext4Remounted(root, mode)})
}

// ext4Remounted is the kernel's line about it, fs/ext4/super.c: since 6.3 with the UUID, since 6.5 with
// the mode, before 5.12 with the options.
func (x *sysd) ext4Remounted(root trace.Row, mode string) string {
	var major, minor int
	if _, err := fmt.Sscanf(x.host.Kernel, "%d.%d", &major, &minor); err != nil || root["fstype"] != "ext4" || x.printk <= logInfo {
		return ""
	}
	version, uuid := major*1000+minor, ""
	if d, ok := x.deviceFor(root["source"]); ok {
		uuid = strings.ToLower(d.UUID)
	}
	text := "re-mounted. Quota mode: none."
	switch {
	case version < 5012:
		return "" // the options there are the driver's own wording
	case version >= 6005:
		text = fmt.Sprintf("re-mounted %s %s. Quota mode: none.", uuid, mode)
	case version >= 6003:
		text = fmt.Sprintf("re-mounted %s. Quota mode: none.", uuid)
	}
	t := x.m.Now() - x.booted
	return fmt.Sprintf("[%5d.%06d] EXT4-fs (%s): %s\n", t/time.Second, t%time.Second/time.Microsecond, path.Base(root["source"]), text)
}

// startMount mounts a file system where bytes for it are in the image, or the kernel makes it.
func (x *sysd) startMount(j *systemd.Job) {
	u := j.Unit
	x.begin(j, "systemd.mounting", "Mounting %s...", u.Mount.File.Cite(u.Mount.Entry))
	x.m.Wait(costSystemdFork)
	x.later(costSystemdMount, onExit, j, func() {
		if err := x.mountNow(u); err != nil {
			st := x.step("systemd.mount-failed", j, "mount(8) exit status 32")
			st.Cites = append(u.Mount.File.Cite(u.Mount.Entry), st.Cites...)
			st.Args["what"], st.Args["where"], st.Args["error"] = u.Mount.What, u.Mount.Where, strerror(err)
			x.failed(j, systemd.JobFailed, st, x.processFailed(u, "Mount", "32/n/a"), "Failed to mount %s.")
			return
		}
		x.mountedUnits[u.Mount.Where] = true
		x.active(j, "systemd.mounted", "Mounted %s.")
	})
}

// mountNow makes the mount in the simulated kernel. Network file systems are taken to be there.
func (x *sysd) mountNow(u *systemd.Unit) error {
	mt := u.Mount
	if mt.Network() {
		x.doubt(trace.Why("unknown.network", "what", mt.What))
		return nil
	}
	x.pid1.Quiet = true
	defer func() { x.pid1.Quiet = false }()
	if _, err := x.pid1.Stat(mt.Where); err != nil {
		if err := x.pid1.MkdirAll(mt.Where, 0o755); err != nil {
			return err
		}
	}
	what, fstype := mt.What, mt.FSType
	if d, ok := x.deviceFor(mt.What); ok {
		what = "/dev/" + d.Name
		if fstype == "" || fstype == "auto" {
			fstype = d.FSType
		}
		if d.FS == nil && d.FSType != "" {
			x.doubt(trace.Why("unknown.volume-unread", "device", what, "type", d.FSType))
			return nil
		}
	}
	flags := kernel.MountFlags(0)
	for name, f := range map[string]kernel.MountFlags{"ro": kernel.MS_RDONLY, "nosuid": kernel.MS_NOSUID, "nodev": kernel.MS_NODEV, "noexec": kernel.MS_NOEXEC, "bind": kernel.MS_BIND} {
		if _, ok := mt.Option(name); ok {
			flags |= f
		}
	}
	if err := x.mountDriver(fstype); err != nil {
		return err
	}
	if d, ok := x.deviceFor(mt.What); ok && x.mode.early != nil {
		_, own := kernel.ParseOptions(mt.Options)
		if x.mode.early.refusesOptions(blockDevice{name: d.Name}, fstype, own) {
			return kernel.EINVAL
		}
	}
	data := ""
	if fstype == "btrfs" { // of the options for a driver only those choose what is seen
		_, data = kernel.ParseOptions(mt.Options)
	}
	err := x.pid1.Mount(what, mt.Where, fstype, flags, data)
	if err == nil {
		x.mountedRoot(mt.Where, what, fstype, flags&kernel.MS_RDONLY != 0, data)
	}
	if err == kernel.ENODEV && !strings.HasPrefix(what, "/dev/") {
		x.doubt(trace.Why("unknown.fs-builtin", "fstype", fstype, "version", x.k.Options().Version))
		return nil
	}
	return err
}

// processFailed are the lines about a process that ended with an exit status that is no success.
func (x *sysd) processFailed(u *systemd.Unit, process, status string) string {
	return x.log(x.m.Now(), logNotice, "%s: %s process exited, code=exited, status=%s", u.ID, process, status) +
		x.log(x.m.Now(), logWarning, "%s: Failed with result 'exit-code'.", u.ID)
}

// startSwap activates a swap area. swapon(8) ends with 255 when there is none.
func (x *sysd) startSwap(j *systemd.Job) {
	x.begin(j, "systemd.activating-swap", "Activating swap %s...", j.Unit.Mount.File.Cite(j.Unit.Mount.Entry))
	x.m.Wait(costSystemdFork)
	x.later(costSystemdMount, onExit, j, func() {
		u := j.Unit
		if why := x.noSwap(u.Mount.What); why != "" {
			st := x.step("systemd.swap-failed", j, "swapon(8)")
			st.Cites = append(u.Mount.File.Cite(u.Mount.Entry), st.Cites...)
			st.Args["what"], st.Args["error"] = u.Mount.What, why
			x.failed(j, systemd.JobFailed, st, x.processFailed(u, "Swap", "255/EXCEPTION"), "Failed to activate swap %s.")
			return
		}
		x.active(j, "systemd.swap", "Activated swap %s.")
	})
}

// noSwap tells what is wrong with a swap file; "" when nothing is, or the device cannot be looked into.
func (x *sysd) noSwap(what string) string {
	if strings.HasPrefix(what, "/dev/") {
		return ""
	}
	file, err := x.pid1.Open(what)
	if err != nil {
		return strerror(err)
	}
	defer file.Close()
	const at = 4096 - 10 // the last ten bytes of the first page: include/linux/swap.h
	var magic [10]byte
	if _, err := file.ReadAt(magic[:], at); err != nil || string(magic[:]) != "SWAPSPACE2" {
		return "read swap header failed"
	}
	return ""
}
