package boot

import (
	"fmt"
	"slices"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/conf/rpiconfig"
	"bootpath/sim/conf/syslinux"
	"bootpath/sim/disk"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/fsys"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// board is a small computer that starts from an SD card: a Raspberry Pi, whose firmware reads config.txt, or any board
// whose U-Boot follows its standard boot order.
type board struct {
	*start
	actor string
	vol   *disk.Volume
}

// maxBoardText bounds the text files that a board's firmware reads, in bytes.
const maxBoardText = 1 << 20

func (b *board) emit(kind trace.Kind, stage trace.Stage, args map[string]string, rule string, cites []blob.Cite, rows ...machine.Set) int {
	return b.m.Emit(trace.Step{Actor: b.actor, Stage: stage, Kind: kind, Args: args, Rule: rule, Cites: cites}, rows...)
}

// text reads a small file; ok is false without one.
func (b *board) text(name string) (text string, f fsys.File, ok bool) {
	at, err := lookup(b.vol, "/"+strings.TrimPrefix(name, "/"))
	if err != nil {
		return "", nil, false
	}
	f, err = fsys.OpenFile(b.vol.FS, at)
	if err != nil {
		return "", nil, false
	}
	data, err := blob.ReadAll(f, maxBoardText)
	return string(data), f, err == nil
}

// raspberryPi is a Raspberry Pi 4 B with the image on its SD card, as Raspberry Pi's documentation describes it: the boot
// ROM starts the loader in the board's EEPROM, that loads start4.elf from the first FAT partition, and that reads
// config.txt. Which EEPROM a board has, and with which settings, is not in the image.
func (s *start) raspberryPi() {
	b := &board{start: s, actor: "rpi-firmware"}
	for i := range s.c.Disk.Volumes {
		if v := &s.c.Disk.Volumes[i]; v.Type == "vfat" && v.FS != nil && v.Name == "" {
			b.vol = v
			break
		}
	}
	b.emit("rpi.start", trace.Firmware, map[string]string{"board": "Raspberry Pi 4 B"}, "Raspberry Pi documentation, Boot EEPROM", nil)
	if b.vol == nil {
		b.emit("rpi.no-partition", trace.Firmware, nil, "Raspberry Pi documentation, Boot flow: a FAT partition", nil)
		b.cannotKnow(trace.Firmware, trace.Why("unknown.board-order"))
		return
	}
	if _, err := lookup(b.vol, "/start4.elf"); err != nil {
		b.emit("rpi.no-firmware", trace.Firmware, map[string]string{"path": "/start4.elf"}, "Raspberry Pi documentation, LED warning flash codes: 4 short flashes", dirCites(b.vol, "/start4.elf"))
		b.stop(trace.Firmware, "4 short flashes: start*.elf not found")
		return
	}
	b.emit("rpi.load-firmware", trace.Firmware, map[string]string{"path": "/start4.elf"}, "Raspberry Pi documentation, Boot folder contents", volCites(b.vol, "start4.elf"))
	text, f, _ := b.text("config.txt")
	files := map[string]fsys.File{"config.txt": f}
	conf := rpiconfig.Read("config.txt", text, "pi4", func(name string) (string, bool) {
		more, file, ok := b.text(name)
		files[name] = file
		return more, ok
	})
	var cites []blob.Cite
	for _, set := range conf.Settings[:min(len(conf.Settings), maxItemCites)] {
		if file := files[set.File]; file != nil {
			cites = append(cites, cite(file, int64(set.Off), int64(set.Len), set.Key, set.Value)...)
		}
	}
	b.emit("rpi.read-config", trace.Bootloader, map[string]string{"path": "/config.txt", "settings": fmt.Sprint(len(conf.Settings)), "filter": "[pi4]"}, "Raspberry Pi documentation, config.txt, Conditional filters", cites)
	b.piKernel(conf)
}

// piKernel loads what config.txt names: os_prefix, kernel, initramfs, cmdline.
func (b *board) piKernel(conf *rpiconfig.Config) {
	prefix := conf.Value("os_prefix", "")
	kernel := conf.Value("kernel", "")
	if kernel == "" {
		kernel = "kernel7l.img"
		if _, err := lookup(b.vol, "/"+prefix+"kernel8.img"); err == nil && conf.Value("arm_64bit", "1") != "0" {
			kernel = "kernel8.img"
		}
	}
	at, f, ok := b.file(prefix + kernel)
	if !ok {
		b.emit("rpi.no-kernel", trace.Bootloader, map[string]string{"path": "/" + prefix + kernel}, "Raspberry Pi documentation, LED warning flash codes: 7 short flashes", dirCites(b.vol, "/"+prefix+kernel))
		b.stop(trace.Bootloader, "7 short flashes: kernel image not found")
		return
	}
	b.emit("rpi.load-kernel", trace.Bootloader, map[string]string{"path": slash(at), "size": bytesText(f.Size())}, "config.txt: kernel, arm_64bit", volCites(b.vol, at))
	l := loaded{by: "the Raspberry Pi's firmware", path: at, image: f, size: f.Size(), unsaid: true}
	names := conf.Value("initramfs", "")
	if names != "" {
		names, _, _ = strings.Cut(names, " ")
	} else if conf.Value("auto_initramfs", "0") == "1" { // kernel8.img has initramfs8
		names = strings.TrimSuffix(strings.Replace(kernel, "kernel", "initramfs", 1), ".img")
	}
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' }) {
		ramdisk, file, ok := b.file(prefix + name)
		if !ok {
			b.emit("rpi.no-initramfs", trace.Bootloader, map[string]string{"path": "/" + prefix + name}, "config.txt: initramfs", dirCites(b.vol, "/"+prefix+name))
			continue
		}
		b.emit("rpi.load-initramfs", trace.Bootloader, map[string]string{"path": slash(ramdisk), "size": bytesText(file.Size())}, "config.txt: initramfs, auto_initramfs", volCites(b.vol, ramdisk))
		l.initrds = append(l.initrds, initrd{path: slash(ramdisk), file: file, size: file.Size()})
	}
	line, lf, _ := b.text(prefix + conf.Value("cmdline", "cmdline.txt"))
	l.cmdline, _, _ = strings.Cut(strings.TrimSpace(line), "\n")
	var lineCites []blob.Cite
	if lf != nil {
		lineCites = cite(lf, 0, int64(len(line)), "cmdline.txt", l.cmdline)
	}
	b.emit("rpi.read-cmdline", trace.Bootloader, map[string]string{"cmdline": l.cmdline}, "config.txt: cmdline; the firmware adds words of its own in front", lineCites)
	l.cause = b.emit("rpi.jump-kernel", trace.Bootloader, map[string]string{"path": slash(at), "dtb": "bcm2711-rpi-4-b.dtb"}, "Raspberry Pi documentation, Boot flow; Documentation/arch/arm64/booting.rst", nil)
	b.boardKernel(l)
}

// boardKernel starts what was loaded, which may be another boot loader.
func (b *board) boardKernel(l loaded) {
	if _, err := bzimage.Read(l.image, l.size); err == nil {
		b.linux(l)
		return
	}
	head := make([]byte, min(l.size, 2<<20))
	n, _ := l.image.ReadAt(head, 0)
	if strings.Contains(string(head[:n]), "U-Boot 20") {
		b.uBoot()
		return
	}
	b.linux(l) // which says that it is no kernel
}

func (b *board) file(name string) (at string, f fsys.File, ok bool) {
	at, err := lookup(b.vol, "/"+strings.TrimPrefix(name, "/"))
	if err != nil {
		return "", nil, false
	}
	f, err = fsys.OpenFile(b.vol.FS, at)
	return at, f, err == nil
}

// uBoot is U-Boot's standard boot order on a card: of each partition that is marked bootable, else the first one, the
// directories / and /boot are searched for extlinux/extlinux.conf and then for a script. U-Boot
// documentation, "Generic Distro Configuration Concept"; include/config_distro_bootcmd.h.
func (s *start) uBoot() {
	b := &board{start: s, actor: "u-boot"}
	b.emit("uboot.start", trace.Bootloader, nil, "U-Boot: distro_bootcmd", nil)
	for _, v := range s.bootable() {
		b.vol = v
		for _, dir := range []string{"/", "/boot/"} {
			name := dir + "extlinux/extlinux.conf"
			if text, f, ok := b.text(name); ok {
				b.extlinux(name, text, f)
				return
			}
			for _, script := range []string{"boot.scr.uimg", "boot.scr"} {
				if at, f, ok := b.file(dir + script); ok {
					b.runScript(dir, at, f)
					return
				}
			}
		}
	}
	b.emit("uboot.nothing", trace.Bootloader, nil, "U-Boot: scan_dev_for_boot_part", nil)
	b.cannotKnow(trace.Bootloader, trace.Why("unknown.uboot-nothing"))
}

// bootable lists the partitions that "part list -bootable" names, or the first one.
func (s *start) bootable() []*disk.Volume {
	var out []*disk.Volume
	if s.c.Disk.Table != nil {
		for _, p := range s.c.Disk.Table.Partitions {
			if v := s.c.Disk.Volume(p.Number); v != nil && v.FS != nil && p.Bootable {
				out = append(out, v)
			}
		}
		if v := s.c.Disk.Volume(1); len(out) == 0 && v != nil && v.FS != nil {
			out = append(out, v)
		}
	}
	return out
}

// extlinux is U-Boot's sysboot: the default label's kernel, initramfs, device tree and command line.
func (b *board) extlinux(name, text string, f fsys.File) {
	conf := syslinux.Read(&syslinux.File{Path: name, Text: text}, func(string) (*syslinux.File, bool) { return nil, false })
	b.emit("uboot.read-config", trace.Bootloader, map[string]string{"path": name, "labels": fmt.Sprint(len(conf.Labels))}, "U-Boot documentation, Generic Distro Configuration Concept", cite(f, 0, f.Size(), name, ""))
	if len(conf.Labels) == 0 {
		b.cannotKnow(trace.Bootloader, trace.Why("unknown.uboot-empty", "path", name))
		return
	}
	// The default label first, then, while none starts, the others in their order: boot/pxe_utils.c, handle_pxe_menu.
	order := slices.Clone(conf.Labels)
	if i := slices.IndexFunc(order, func(l *syslinux.Label) bool { return l.Name == conf.Default }); i > 0 {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, conf.Labels[i])
	}
	for _, label := range order {
		if b.extlinuxLabel(name, label) || b.m.Ended() {
			return
		}
	}
	b.cannotKnow(trace.Bootloader, trace.Why("unknown.uboot-no-label", "path", name))
}

// extlinuxLabel is label_boot; it returns false when a file is missing and U-Boot skips the label.
func (b *board) extlinuxLabel(name string, label *syslinux.Label) bool {
	resolve := func(p string) string {
		if strings.HasPrefix(p, "/") {
			return p
		}
		return name[:strings.LastIndexByte(name, '/')+1] + p
	}
	at, file, ok := b.file(resolve(label.Kernel))
	if !ok {
		b.emit("uboot.no-kernel", trace.Bootloader, map[string]string{"path": resolve(label.Kernel), "label": label.Name}, "U-Boot: label_boot", dirCites(b.vol, resolve(label.Kernel)))
		return false
	}
	b.emit("uboot.load-kernel", trace.Bootloader, map[string]string{"path": slash(at), "size": bytesText(file.Size()), "label": label.Name, "cmdline": label.Append}, "U-Boot: label_boot", volCites(b.vol, at))
	l := loaded{by: "u-boot", path: at, image: file, size: file.Size(), cmdline: label.Append}
	if label.Initrd != "" {
		ramdisk, rf, ok := b.file(resolve(label.Initrd))
		if !ok {
			b.emit("uboot.no-initrd", trace.Bootloader, map[string]string{"path": resolve(label.Initrd), "label": label.Name}, "U-Boot: label_boot", dirCites(b.vol, resolve(label.Initrd)))
			return false
		}
		b.emit("uboot.load-initrd", trace.Bootloader, map[string]string{"path": slash(ramdisk), "size": bytesText(rf.Size())}, "U-Boot: label_boot", volCites(b.vol, ramdisk))
		l.initrds = []initrd{{path: slash(ramdisk), file: rf, size: rf.Size()}}
	}
	l.cause = b.emit("uboot.jump-kernel", trace.Bootloader, map[string]string{"path": slash(at), "cmdline": label.Append}, "U-Boot: booti", nil)
	b.linux(l)
	return true
}
