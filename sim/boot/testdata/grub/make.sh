#!/bin/sh
# Records what GRUB itself does with script.cfg: builds a CD with grub-mkrescue (GRUB 2.06-13+deb12u2), starts it
# in QEMU with SeaBIOS and with OVMF, and keeps the text on the serial port.
# Needs grub-common, grub-pc-bin, grub-efi-amd64-bin, xorriso, mtools, ovmf, qemu-system-x86.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/boot/grub"
cp mark empty sub.cfg myenv "$work/root/boot/grub/"
cp script.cfg "$work/root/boot/grub/grub.cfg"
grub-mkrescue -o "$work/truth.iso" "$work/root" -- -volid TRUTHISO >/dev/null 2>&1
run() { # OUTPUT QEMU-ARGUMENT...
	out=$1; shift
	timeout 80 qemu-system-x86_64 -m 256 -display none -net none -cdrom "$work/truth.iso" -serial "file:$work/serial" "$@" || true
	# Keep GRUB's part; the menu's frame is a matter of the terminal.
	sed 's/\x1b\[[0-9;?=]*[a-zA-Z]//g' "$work/serial" | tr -d '\r' | tr -cd '\n -~' | sed -n '/^== start/,$p' |
		grep -v -e '^+--' -e '^      Press' -e '^      before' -e '^   The highlighted' -e 'Use the ^ and v' -e '^      a command-line' >"$out"
}
run script.out
cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars"
run script-efi.out -machine q35,smm=off -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd -drive "if=pflash,format=raw,unit=1,file=$work/vars"
