package boot

import "time"

// The cost model of firmware and GRUB. All values are modelled, from the same recordings as in cost.go.
const (
	// From power-on to the first attempt to boot: 2.8 s until GRUB's menu (deb-bios).
	costPOST = 2 * time.Second
	// From power-on to the first BdsDxe line: 12 s (deb-uefi).
	costUEFI = 12 * time.Second
	// How long systemd-boot shows an error: 3 s, log_error_stall of systemd 252.
	costSdError   = 3 * time.Second
	costShimError = 2 * time.Second // usleep(2000000) in init_grub of shim
	// Bytes per second that GRUB reads through the BIOS: a kernel of 13.5 MiB in 8.4 s (deb-bios).
	rateBIOS = 1600 << 10
	// Bytes per second that GRUB reads through UEFI: the same kernel in 1.8 s (deb-uefi).
	rateUEFI = 7500 << 10
)

func rateGRUB(platform string) int64 {
	if isEFI(platform) {
		return rateUEFI
	}
	return rateBIOS
}
