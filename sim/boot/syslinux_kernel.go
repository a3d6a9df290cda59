package boot

import (
	"encoding/binary"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Where SYSLINUX puts a kernel: com32/lib/syslinux/load_linux.c.
const (
	sysRealModeAddr   = 0x10000
	sysProtModeAddr   = 0x100000
	sysOldInitrdMax   = 0x37ffffff
	sysMinKernel      = 2 * sector
	sysDefaultCmdline = 256
)

// seabiosTop is what SeaBIOS keeps at the end of memory for its tables, in bytes: a property of the
// simulated machine. Every recording with a BIOS and 1 GiB of memory has the line
// "BIOS-e820: [mem 0x0000000000100000-0x000000003ffdcfff] usable".
const seabiosTop = 0x23000

// lowMemoryMax is where memory below 4 GiB ends on QEMU's i440fx machine when there is more of it.
const lowMemoryMax = 0xc0000000

// kernel is new_linux_kernel: the kernel, then what the first "initrd=" of the command line names.
func (x *sysLinux) kernel(name, args string, cites []blob.Cite) {
	cmdline := "BOOT_IMAGE=" + name + " " + args
	quiet := strings.Contains(cmdline, "quiet")
	f, at, err := x.open(name)
	if err != nil {
		if !x.missing(name, err) {
			dots := "... "
			if quiet {
				dots = " "
			}
			x.cannotLoad("syslinux.no-kernel", name, dots, machine.Cites(cites, x.noFile(name)))
		}
		return
	}
	k := &sysKernel{path: slash(at), size: f.Size(), cmdline: cmdline}
	k.rec, err = decode.Read(f, 0, binary.LittleEndian, "setup_header", &k.header)
	if k.size >= sysMinKernel && err != nil {
		x.giveUp(unreadable(slash(at), err))
		return
	}
	x.m.Wait(cost(k.size, rateBIOS))
	loadCites := machine.Cites(cites, volCites(x.vol, at))
	x.emit("syslinux.load-kernel", loading(name, "... ", quiet), map[string]string{"path": k.path, "size": bytesText(k.size), "cmdline": cmdline},
		"SYSLINUX 6.04: new_linux_kernel, loadfile", loadCites)
	initrds, ok := x.initrds(cmdline, quiet)
	if !ok {
		return
	}
	if k.size < sysMinKernel || k.header.BootFlag != 0xaa55 {
		text := "Booting kernel failed: Invalid argument\n"
		n := x.emit("syslinux.bad-kernel", text+"boot: \n", map[string]string{"path": k.path}, "SYSLINUX 6.04: bios_boot_linux, boot_flag", cite(f, 0x1fe, 2, "boot_flag", ""))
		x.failed(n, strings.TrimSpace(text))
		return
	}
	x.jump(k, loaded{by: x.name, path: k.path, image: f, size: k.size, initrds: initrds})
}

// sysKernel is a kernel that was read.
type sysKernel struct {
	path    string
	size    int64
	header  setupHeader
	rec     *decode.Record
	cmdline string
}

// loading is the line about a file that was loaded.
func loading(name, dots string, quiet bool) string {
	if quiet {
		return ""
	}
	return "Loading " + name + dots + "ok\n"
}

// cannotLoad ends the run at a file that is not there.
func (x *sysLinux) cannotLoad(kind trace.Kind, name, dots string, cites []blob.Cite) {
	text := "Loading " + name + dots + "failed: No such file or directory\n"
	n := x.emit(kind, text+"boot: \n", map[string]string{"path": name}, "SYSLINUX 6.04: new_linux_kernel", cites)
	if x.conf.OnError != "" {
		x.giveUp(trace.Why("unknown.sys-onerror", "command", x.conf.OnError))
		return
	}
	x.failed(n, strings.TrimSpace(text))
}

// initrds loads what the first "initrd=" names. It is found anywhere in the line, as strstr finds it.
func (x *sysLinux) initrds(cmdline string, quiet bool) ([]initrd, bool) {
	_, list, ok := strings.Cut(cmdline, "initrd=")
	if !ok {
		return nil, true
	}
	if end := strings.IndexByte(list, ' '); end >= 0 {
		list = list[:end]
	}
	var out []initrd
	for name := range strings.SplitSeq(list, ",") {
		f, at, err := x.open(name)
		if err != nil {
			if !x.missing(name, err) {
				dots := "..."
				if quiet {
					dots = " "
				}
				x.cannotLoad("syslinux.no-initrd", name, dots, x.noFile(name))
			}
			return nil, false
		}
		x.m.Wait(cost(f.Size(), rateBIOS))
		x.emit("syslinux.load-initrd", loading(name, "...", quiet), map[string]string{"path": slash(at), "size": bytesText(f.Size())},
			"SYSLINUX 6.04: initramfs_load_archive", volCites(x.vol, at))
		out = append(out, initrd{path: slash(at), file: f, size: f.Size()})
	}
	return out, true
}

// jump is bios_boot_linux: the parts move to their places and the kernel's own setup code is called in
// real mode.
func (x *sysLinux) jump(k *sysKernel, l loaded) {
	h := &k.header
	version := h.Version
	if string(h.Header[:]) != "HdrS" {
		x.giveUp(trace.Why("unknown.no-linux-header", "path", k.path))
		return
	}
	limit := int(h.CmdlineSize)
	if version < 0x206 {
		limit = sysDefaultCmdline
	}
	if len(k.cmdline)+1 > limit && limit > 0 {
		k.cmdline = k.cmdline[:limit-1]
	}
	l.cmdline = k.cmdline
	if mem := syslinuxMem(k.cmdline); mem != "" {
		x.giveUp(trace.Why("unknown.mem-option", "option", "mem="+mem))
		return
	}
	rows := []machine.Set{memoryRow(sysRealModeAddr, uint64(max(h.SetupSects, 4)+1)*sector, "kernel's setup code", k.path),
		memoryRow(sysProtModeAddr, uint64(k.size), "Linux kernel, compressed", k.path), cpuRow("real", "Linux, "+k.path)}
	total := int64(0)
	for _, i := range l.initrds {
		total = (total+3)&^3 + i.size
	}
	address := "-"
	if total > 0 {
		at, ok := sysInitrdAddr(h, total, uint64(x.c.MemoryMiB)<<20)
		if !ok || at < sysProtModeAddr+uint64(max(int64(h.InitSize), k.size)) {
			text := "Booting kernel failed: Invalid argument\n"
			n := x.emit("syslinux.no-room", text+"boot: \n", map[string]string{"size": bytesText(total)}, "SYSLINUX 6.04: bios_boot_linux, insufficient memory for initramfs", k.rec.Cite(&h.InitrdAddrMax))
			x.failed(n, strings.TrimSpace(text))
			return
		}
		address = hex(at)
		for i := range l.initrds {
			at = (at + 3) &^ 3
			l.initrds[i].addr = at
			rows = append(rows, memoryRow(at, uint64(l.initrds[i].size), whatInitramfs, l.initrds[i].path))
			at += uint64(l.initrds[i].size)
		}
	}
	l.cause = x.emit("syslinux.jump-kernel", "", map[string]string{"path": k.path, "address": hex(sysProtModeAddr), "initrd": address, "cmdline": k.cmdline},
		"SYSLINUX 6.04: bios_boot_linux; Linux boot protocol", k.rec.Cite(&h.BootFlag, &h.Header, &h.Version, &h.InitrdAddrMax), rows...)
	x.linux(l)
}

// syslinuxMem is the value of the last mem= of the line, "" without one.
func syslinuxMem(line string) string {
	out := ""
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "mem="); ok {
			out = v
		}
	}
	return out
}

// sysInitrdAddr is the highest place for n bytes: at the end of memory, below initrd_addr_max.
func sysInitrdAddr(h *setupHeader, n int64, memory uint64) (uint64, bool) {
	if n > int64(memory) {
		return 0, false
	}
	highest := uint64(h.InitrdAddrMax)
	if h.Version < 0x203 || highest == 0 {
		highest = sysOldInitrdMax
	}
	top := min(memory, lowMemoryMax)
	top -= min(top, seabiosTop)
	top = min(top, highest+1) &^ (pageSize - 1)
	if top < uint64(n) {
		return 0, false
	}
	return (top - uint64(n)) &^ (pageSize - 1), true
}
