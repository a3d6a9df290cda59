package boot

import (
	"fmt"
	"io"
	"strings"

	"bootpath/sim/disk"
	"bootpath/sim/exe/bzimage"
	"bootpath/sim/exe/pe"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Direct is a kernel that the machine itself loads, without firmware's help and without a boot loader: qemu -kernel,
// Firecracker's kernel_image_path, a hypervisor's PV guest. There is no disk and no initramfs.
type Direct struct {
	Name  string
	R     io.ReaderAt
	Size  int64
	Image *bzimage.Image // nil for a UEFI program: a unified kernel image
}

// directProgram is a UEFI program that firmware starts from memory: qemu -kernel with OVMF, or UEFI HTTP boot. It comes from no
// volume and the machine has no disk, so what it brings along is all that there is. OVMF: TryRunningQemuKernel; UEFI 2.10 §24.7.
func (s *start) directProgram() {
	k := s.c.Kernel
	s.c.Disk = &disk.Disk{Name: k.Name, R: k.R}
	s.bds("uefi.direct-load", "", map[string]string{"path": slash(k.Name), "size": bytesText(k.Size)}, "OVMF: TryRunningQemuKernel; UEFI 2.10 §7.4.1 LoadImage", cite(k.R, 0, min(k.Size, 64), "DOS header", ""))
	img, err := pe.Read(k.R, k.Size)
	if err != nil {
		s.cannotKnow(trace.Firmware, unreadable(slash(k.Name), err))
		return
	}
	if s.c.Arch == "" && img.Header.Machine == pe.MachineARM64 {
		s.c.Arch = "arm64"
	}
	if img.Header.Machine != s.peMachine() {
		s.cannotKnow(trace.Firmware, trace.Why("unknown.other-machine", "machine", s.c.Arch, "arch", fmt.Sprintf("%#x", img.Header.Machine)))
		return
	}
	if !s.firmwareTakes(slash(k.Name), img) {
		if !s.m.Ended() {
			s.cannotKnow(trace.Firmware, trace.Why("unknown.firmware-answers", "path", slash(k.Name)))
		}
		return
	}
	n := s.bds("uefi.start-image", "", map[string]string{"path": slash(k.Name), "option": "direct"}, "UEFI 2.10 §7.4.2 StartImage", img.OptionalRec.Cite(&img.Optional.AddressOfEntryPoint), s.cpu(slash(k.Name))...)
	switch program, _ := img.Program(); program {
	case pe.GRUB, pe.Shim, pe.SystemdBoot:
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.program-alone", "path", slash(k.Name), "program", program))
	default:
		s.given = efiGiven{by: "firmware", cause: n}
		s.runEFI(img, nil, "", strings.TrimPrefix(k.Name, "/"))
	}
}

// Where QEMU puts the pieces of a bzImage: x86_load_linux of hw/i386/x86.c, boot protocol 2.02 and newer.
const (
	directSetup   = 0x10000
	directCmdline = 0x20000
	directKernel  = 0x100000
)

// direct loads the kernel as its format asks for.
func (s *start) direct() {
	k := s.c.Kernel
	img := k.Image
	s.c.Disk = &disk.Disk{Name: k.Name, R: k.R}
	args := map[string]string{"path": slash(k.Name), "size": bytesText(k.Size), "format": img.Format, "arch": img.Arch, "protocol": ""}
	if s.c.Arch != "" && s.c.Arch != img.Arch {
		s.m.Emit(trace.Step{Actor: "machine", Stage: trace.Bootloader, Kind: "linux.direct-other-machine", Args: args, Cites: img.Cites(), Rule: "Linux boot protocol, image header"})
		s.cannotKnow(trace.Bootloader, trace.Why("unknown.other-machine", "machine", s.c.Arch, "arch", img.Arch))
		return
	}
	mode, rule := "protected", "Linux x86 boot protocol; QEMU: x86_load_linux"
	var rows []machine.Set
	switch {
	case img.Format == bzimage.Vmlinux && img.PVH != 0:
		args["protocol"], rule = "PVH", "x86/HVM direct boot ABI (PVH); the ELF note XEN_ELFNOTE_PHYS32_ENTRY names the entry point"
	case img.Format == bzimage.Vmlinux && img.Arch == "amd64":
		// QEMU refuses it; Firecracker and Cloud Hypervisor enter it by the 64-bit protocol.
		args["protocol"], mode, rule = "64-bit", "long", "Linux x86 boot protocol, 64-bit entry; ELF, e_entry"
	case img.Format == bzimage.BzImage:
		v := img.Header.Version
		args["protocol"] = fmt.Sprintf("%d.%02d", v>>8, v&0xff)
		rows = append(rows, memoryRow(directSetup, uint64(img.SetupSize()), "kernel setup (real-mode part)", k.Name),
			memoryRow(directCmdline, uint64(len(s.c.Cmdline))+1, whatCmdline, ""),
			memoryRow(directKernel, uint64(k.Size-img.SetupSize()), "Linux kernel, compressed", k.Name))
	case img.Format == bzimage.Zboot:
		s.m.Emit(trace.Step{Actor: "machine", Stage: trace.Bootloader, Kind: "linux.direct-zboot", Args: args, Cites: img.Cites(), Rule: "QEMU 8.2: unpack_efi_zboot_image"})
		mode = ""
	default:
		args["protocol"], mode, rule = "Image", "", "Documentation/arch/arm64/booting.rst"
	}
	if img.Arch == "386" || img.Arch == "amd64" {
		rows = append(rows, cpuRow(mode, "Linux, "+slash(k.Name)))
	}
	n := s.m.Emit(trace.Step{Actor: "machine", Stage: trace.Bootloader, Kind: "linux.direct-load", Args: args, Rule: rule, Cites: img.Cites()}, rows...)
	s.linux(loaded{by: "the machine", path: strings.TrimPrefix(k.Name, "/"), image: k.R, size: k.Size, cmdline: s.c.Cmdline, cause: n})
}
