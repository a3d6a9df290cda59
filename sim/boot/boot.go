// Package boot starts a system image: firmware, bootloader, kernel, initramfs, init. Each actor is
// straight-line code in its own file and hands over to the next as the real one does.
package boot

import (
	"io"

	"bootpath/sim/blob"
	"bootpath/sim/disk"
	"bootpath/sim/kernel"
	"bootpath/sim/machine"
	"bootpath/sim/trace"
)

// Config is the machine to start and what is put into it.
type Config struct {
	Disk       *disk.Disk
	Store      *blob.Store // where unpacked streams (an initramfs) get their names
	Firmware   string      // "bios", "uefi", "rpi" (a Raspberry Pi) or "uboot"
	SecureBoot bool
	MemoryMiB  int     // 1024 when zero
	Arch       string  // "amd64" or "arm64"; "" is amd64
	Device     string  // "disk", "cdrom" or "floppy": what the image is attached as
	Kernel     *Direct // started without firmware; Disk is not looked at then
	Cmdline    string  // what-if: replaces the kernel command line when not empty

	// OpenVolume finds the file system of a device that appears only in the run: a file behind a loop device.
	OpenVolume func(r io.ReaderAt, size int64) disk.Volume

	// OpenDisk opens what firmware shows as a disk and is a part of the image: the boot image of a CD.
	OpenDisk func(name string, r io.ReaderAt, size int64) *disk.Disk
}

// Facts are what a run established.
type Facts struct {
	Cmdline, Kernel, KernelPath string
	Initrd                      []string
	Root                        string // "/dev/vda1"
	Init                        string
	Target                      string
	Units                       []string // in start order
	UnitRuns                    []UnitRun
	Signed                      []Signed // with Secure Boot: who signed what, in the order of the checks
}

// Run starts the machine and follows it to its outcome, which is in m's trace. A machine that fails to
// start is a result.
func Run(m *machine.Machine, c Config) Facts {
	if c.MemoryMiB == 0 {
		c.MemoryMiB = 1024
	}
	s := &start{m: m, c: c}
	switch {
	case c.Kernel != nil && c.Kernel.Image == nil:
		s.directProgram()
	case c.Kernel != nil:
		s.direct()
	case c.Arch != "" && c.Arch != "amd64" && c.Arch != "arm64":
		s.noMachine()
	case c.Firmware == "rpi":
		s.raspberryPi()
	case c.Firmware == "uboot":
		s.uBoot()
	case c.Firmware == "uefi":
		s.uefi()
	default:
		s.bios()
	}
	return s.facts
}

// start is one run: the machine, what it was given, what is known so far.
type start struct {
	m     *machine.Machine
	c     Config
	facts Facts
	given efiGiven    // for the EFI program that starts next
	exit  *efiExit    // an EFI program that gave up
	keys  *secureBoot // see secure

	medium *disk.Disk // the CD, as long as c.Disk is the drive that the BIOS makes of its boot image
	track  int        // sectors on a track, when the BIOS reads the boot drive by cylinder, head and sector; else 0

	chained []int64 // where boot sectors lie that GRUB started, in bytes

	refused int // the step in which firmware refused a program, 0 for none

	saved  []string       // variables that GRUB wrote to the disk for the next start
	arrays []*mdArray     // RAID arrays with a member that the kernel was given
	mapped []*disk.Volume // logical volumes that were activated: dm-0, dm-1 …
	loops  []*loop        // loop0, loop1 …; none before their driver is there
}

// loaded is what a bootloader leaves in memory for the kernel.
type loaded struct {
	by      string      // "grub", "systemd-boot", "isolinux"
	path    string      // of the kernel
	image   io.ReaderAt // the kernel file
	size    int64
	initrds []initrd // in the order given
	cmdline string   // as the kernel will print it
	files   []string // the names behind initrds, when a loader joined several to one
	cause   int      // the step that jumped to the kernel
	unsaid  bool     // the loader adds words to cmdline that nobody knows
}

type initrd struct {
	path string
	file io.ReaderAt
	size int64
	addr uint64 // physical address that the loader chose; 0 when firmware chose one
}

// stop ends the run: the machine stands still with these words.
func (s *start) stop(stage trace.Stage, message string) {
	s.m.End(trace.Outcome{Verdict: trace.Stops, Stage: stage, Message: message})
}

// cannotKnow ends the run: what would come next depends on something the image does not say.
func (s *start) cannotKnow(stage trace.Stage, why *trace.Reason) {
	s.m.End(trace.Outcome{Verdict: trace.Unknown, Stage: stage, Unknown: why})
}

// unreadable is a file that is there and whose content cannot be had.
func unreadable(path string, err error) *trace.Reason {
	return trace.Why("unknown.file-content", "path", path).For(kernel.Because(err))
}

// noMachine is an architecture whose firmware bootpath does not know.
func (s *start) noMachine() {
	s.m.Emit(trace.Step{Actor: "firmware", Stage: trace.Firmware, Kind: "uefi.other-machine", Args: map[string]string{"arch": s.c.Arch}, Rule: "UEFI 2.10 §3.5.1.1"})
	s.cannotKnow(trace.Firmware, trace.Why("unknown.firmware-arch", "arch", s.c.Arch))
}
