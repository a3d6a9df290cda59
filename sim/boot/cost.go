package boot

import "time"

// The cost model of the path from the kernel on: how much virtual time passes. All values are modelled.
// They come from the recorded QEMU boots (TCG, one processor) that the recipes in tests/truth make; of
// the recordings of one thing the fastest counts, because the recording machine was busy.
const (
	// From the kernel's first line to "Trying to unpack rootfs image": 1.3 s (brk-init).
	costKernelEarly = 1300 * time.Millisecond
	// Bytes of compressed initramfs that the kernel unpacks per second: 13 MB in 1.3 s (brk-init).
	rateUnpack = 10 << 20
	// From there to "Run /init as init process": 1.4 s (isolinux-iso).
	costKernelLate = 1400 * time.Millisecond
	// Mounting a root file system: 50 ms between the shell's mount and the EXT4-fs line (brk-init).
	costMount = 50 * time.Millisecond
	// A program that a script runs, fork and exec included: 40 ms (bb-iso, three programs in 110 ms).
	costProgram = 40 * time.Millisecond
	// udev's replay of all devices until it is settled: 6.7 s (deb-bios).
	costColdplug = 6700 * time.Millisecond
	// One kernel module, with its reading and linking: 25 ms (deb-bios, ata and virtio modules).
	costModule = 25 * time.Millisecond
)

// cost returns how long n bytes take at rate bytes per second.
func cost(n, rate int64) time.Duration {
	if n < 0 || rate <= 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}
