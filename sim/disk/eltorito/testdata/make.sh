#!/bin/sh
# Makes the fixtures of this directory with xorriso; each image has xorriso's report on its boot catalog.
set -eu
cd "$(dirname "$0")"
export TZ=UTC SOURCE_DATE_EPOCH=1700000000
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/boot" "$tree/isolinux"
seq 1 1500 >"$tree/isolinux/isolinux.bin"
seq 1 3000 >"$tree/boot/efi.img"
seq 1 10 >"$tree/boot/vmlinuz"
truncate -s 1440K "$tree/floppy.img"
report() {
	xorriso -indev "$1.iso" -report_el_torito plain >"$1.report" 2>/dev/null
	zstd -q -19 --rm -f "$1.iso"
}
rm -f ./*.iso
xorriso -as mkisofs -quiet -R -o both.iso -b isolinux/isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
	-eltorito-alt-boot -e boot/efi.img -no-emul-boot "$tree"
report both
xorriso -as mkisofs -quiet -R -o floppy.iso -b floppy.img -c boot.cat -eltorito-alt-boot -e boot/efi.img -no-emul-boot \
	-eltorito-alt-boot -b isolinux/isolinux.bin -no-emul-boot -boot-load-size 8 "$tree"
report floppy
xorriso -as mkisofs -quiet -R -o efi.iso -e boot/efi.img -c boot.cat -no-emul-boot "$tree"
report efi
genisoimage -quiet -R -o segment.iso -b isolinux/isolinux.bin -c boot.cat -no-emul-boot -boot-load-seg 0x2000 -boot-load-size 8 "$tree" 2>/dev/null
report segment
xorriso -as mkisofs -quiet -R -o none.iso "$tree"
report none
