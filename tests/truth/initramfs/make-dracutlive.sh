#!/bin/bash
# make-dracutlive.sh: dracut-live.iso, a live system as Fedora's are built: LiveOS/squashfs.img, dracut's module dmsquash-live
# in an initramfs without systemd (build/initrd-live, made as initrd-sh of make-dracut.sh with --add dmsquash-live), isolinux.
# Without systemd dracut mounts it only when overlayfs is asked for, as in dracut-live-overlayfs.iso. The squashfs and the kernel are those of make-live.sh.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"; B=build I=images
iso() { local d=$B/tree-$1; rm -rf "$d"; mkdir -p "$d/LiveOS" "$d/isolinux"
  cp $B/filesystem.squashfs "$d/LiveOS/squashfs.img"; cp chroot/live/boot/vmlinuz-* "$d/isolinux/vmlinuz"; cp $B/initrd-live "$d/isolinux/initrd.img"
  cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$d/isolinux/"
  printf 'SERIAL 0 115200\nDEFAULT live\nPROMPT 0\nLABEL live\n  KERNEL vmlinuz\n  APPEND initrd=initrd.img root=live:CDLABEL=%s rd.live.image %s console=ttyS0 systemd.show_status=1 systemd.log_level=info\n' "$2" "${3:-}" >"$d/isolinux/isolinux.cfg"
  xorriso -as mkisofs -quiet -V LIVE -J -R -o "$I/$1.iso" -c isolinux/boot.cat -b isolinux/isolinux.bin -no-emul-boot -boot-load-size 4 -boot-info-table "$d"; rm -rf "$d"; }
iso dracut-live LIVE
iso dracut-live-overlayfs LIVE rd.live.overlay.overlayfs=1
