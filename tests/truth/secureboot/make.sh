#!/bin/bash
# make.sh INITRD: builds disks for Secure Boot in ./img from Debian's signed packages (shim, GRUB, kernel), and broken
# ones. INITRD is a small initramfs whose /init says "bb-init: ready". Run it in a folder with 1 GB free, on Debian 12 with mtools,
# dosfstools, e2fsprogs, fdisk, binutils; it downloads the packages and installs nothing. rec.sh boots them, ../recorded/distill.py keeps the lines
# that decide something.
set -eu
INITRD=$(readlink -f "$1"); X=x; K=6.1.0-56-cloud-amd64
if [ ! -d x ]; then mkdir deb x; (cd deb; apt-get -q download shim-signed shim-helpers-amd64-signed shim-unsigned grub-efi-amd64-signed grub-efi-amd64-bin \
  linux-image-$K sbsigntool systemd-boot-efi); for d in deb/*.deb; do n=$(basename "$d" | cut -d_ -f1); mkdir -p x/$n; dpkg-deb -x "$d" x/$n; done; fi
SHIM=$X/shim-signed/usr/lib/shim/shimx64.efi.signed; MM=$X/shim-helpers-amd64-signed/usr/lib/shim/mmx64.efi.signed
FB=$X/shim-helpers-amd64-signed/usr/lib/shim/fbx64.efi.signed
GS=$X/grub-efi-amd64-signed/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed; GU=$X/grub-efi-amd64-bin/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi
K=$X/linux-image-6.1.0-56-cloud-amd64/boot/vmlinuz-6.1.0-56-cloud-amd64; SDB=$X/systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-bootx64.efi
STUB=$X/systemd-boot-efi/usr/lib/systemd/boot/efi/linuxx64.efi.stub
mkdir -p t img
flip() { cp "$1" "$2"; printf '\xa5' | dd of="$2" bs=1 seek="$3" conv=notrunc status=none; }
flip "$K" t/vmlinuz-flip 8000000
flip "$GS" t/grub-flip 2000000
flip "$SHIM" t/shim-flip 300000
cp "$K" t/vmlinuz-unsigned; $X/sbsigntool/usr/bin/sbattach --remove t/vmlinuz-unsigned
cp "$SHIM" t/shim-unsigned; $X/sbsigntool/usr/bin/sbattach --remove t/shim-unsigned
printf 'ID=debian\nPRETTY_NAME="Debian UKI"\nVERSION_ID=12\n' >t/osrel; printf 'console=ttyS0' >t/cmdline
objcopy --add-section .osrel=t/osrel --change-section-vma .osrel=0x20000 --add-section .cmdline=t/cmdline --change-section-vma .cmdline=0x30000 --add-section .linux="$K" --change-section-vma .linux=0x2000000 --add-section .initrd=$INITRD --change-section-vma .initrd=0x3000000 "$STUB" t/uki.efi
cat >t/esp.cfg <<'E'
search.fs_uuid b0070020-0000-4000-8000-000000000002 root
set prefix=($root)'/boot/grub'
configfile $prefix/grub.cfg
E
cat >t/grub.cfg <<'E'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=1
menuentry 'Debian' {
	echo 'Loading Linux ...'
	linux /boot/vmlinuz console=ttyS0 rdinit=/init
	echo 'Loading initial ramdisk ...'
	initrd /boot/initrd.img
}
E
# disk NAME BOOTX64 GRUBX64|- KERNEL [extra "src:dst" ...]
disk() { local n=$1 b=$2 g=$3 k=$4; shift 4; local w=t/$n; rm -rf $w; mkdir -p $w/root/boot/grub
  cp "$k" $w/root/boot/vmlinuz; cp $INITRD $w/root/boot/initrd.img; cp t/grub.cfg $w/root/boot/grub/
  mke2fs -q -t ext4 -U b0070020-0000-4000-8000-000000000002 -L root -d $w/root $w/root.img 40M
  mkfs.vfat -F 32 -i B0070021 -n ESP -C $w/esp.img 49152 >/dev/null
  mmd -i $w/esp.img ::/EFI ::/EFI/BOOT ::/EFI/debian
  mcopy -i $w/esp.img "$b" ::/EFI/BOOT/BOOTX64.EFI; [ "$g" = - ] || mcopy -i $w/esp.img "$g" ::/EFI/BOOT/grubx64.efi
  mcopy -i $w/esp.img t/esp.cfg ::/EFI/debian/grub.cfg
  for e in "$@"; do d=${e#*:}; mmd -i $w/esp.img -D s "::$(dirname $d)" 2>/dev/null || :; mcopy -i $w/esp.img "${e%%:*}" "::$d"; done
  truncate -s 92M img/$n.raw
  printf 'label: gpt\nlabel-id: B0070022-0000-4000-8000-000000000001\nstart=2048,size=98304,type=U,uuid=B0070022-0000-4000-8000-000000000011\nstart=100352,size=81920,type=L,uuid=B0070022-0000-4000-8000-000000000012\n' | sfdisk -q img/$n.raw
  dd if=$w/esp.img of=img/$n.raw bs=1M seek=1 conv=notrunc,sparse status=none; dd if=$w/root.img of=img/$n.raw bs=1M seek=49 conv=notrunc,sparse status=none; rm -rf $w; }
disk sb-ok "$SHIM" "$GS" "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-kernel-flip "$SHIM" "$GS" t/vmlinuz-flip "$MM:/EFI/BOOT/mmx64.efi"
disk sb-kernel-unsigned "$SHIM" "$GS" t/vmlinuz-unsigned "$MM:/EFI/BOOT/mmx64.efi"
disk sb-grub-unsigned "$SHIM" "$GU" "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-grub-flip "$SHIM" t/grub-flip "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-grub-unsigned-nomm "$SHIM" "$GU" "$K"
disk sb-no-second "$SHIM" - "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-no-shim "$GU" - "$K"
disk sb-debian-only "$GS" - "$K"
disk sb-shim-flip t/shim-flip "$GS" "$K"
disk sb-shim-unsigned t/shim-unsigned "$GS" "$K"
disk sb-shim-uki "$SHIM" t/uki.efi "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-uki t/uki.efi - "$K"
disk sb-sdboot "$SDB" - "$K"
disk sb-shim-sdboot "$SHIM" "$SDB" "$K" "$MM:/EFI/BOOT/mmx64.efi"
disk sb-fallback "$SHIM" "$GS" "$K" "$MM:/EFI/BOOT/mmx64.efi" "$FB:/EFI/BOOT/fbx64.efi"
disk sb-fallback-csv "$SHIM" "$GS" "$K" "$MM:/EFI/BOOT/mmx64.efi" "$FB:/EFI/BOOT/fbx64.efi" "$SHIM:/EFI/debian/shimx64.efi" "$GS:/EFI/debian/grubx64.efi" "$MM:/EFI/debian/mmx64.efi" "$X/shim-unsigned/usr/lib/shim/BOOTX64.CSV:/EFI/debian/BOOTX64.CSV"
head -c 5000 /dev/urandom >t/garbage.efi
cp "$GU" t/aa64.efi; at=$(od -An -tu4 -j60 -N4 t/aa64.efi); printf '\x64\xaa' | dd of=t/aa64.efi bs=1 seek=$((at + 4)) conv=notrunc status=none
disk u-garbage t/garbage.efi - "$K"
disk u-wrongarch t/aa64.efi - "$K"
# arm64: GRUB from grub-efi-arm64-bin and linux-image-6.1.0-56-cloud-arm64, unpacked in arm/ by whoever has them
if [ -d arm ]; then eval "$(declare -f disk | sed 's|BOOTX64.EFI|BOOTAA64.EFI|; s/40M/64M/; s/81920/131072/; s/92M/116M/')"
  sed -i 's/ttyS0/ttyAMA0/; /^serial/d; /^terminal/d' t/grub.cfg
  disk arm-ok arm/grubaa64.efi - arm/vmlinuz-6.1.0-56-cloud-arm64; fi
