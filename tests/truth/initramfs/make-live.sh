#!/bin/bash
# make-live.sh: live-debian.iso (live-boot and live-config from Debian 12 packages, isolinux) and broken variants of it.
# Root, Debian 12; apt-get install -y mmdebstrap squashfs-tools xorriso isolinux syslinux-common. The root file system was made with
#   mmdebstrap --variant=minbase --include=linux-image-cloud-amd64,udev,kmod,e2fsprogs,mount,procps,iproute2,ifupdown,cron,zstd,systemd-sysv,dbus,initramfs-tools \
#     --customize-hook='echo bootpath >$1/etc/hostname; chroot $1 passwd -d root' bookworm build/base-systemd.tar
# usage: make-live.sh [NAME…]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"; TOP=$PWD; export LC_ALL=C DEBIAN_FRONTEND=noninteractive
B=$TOP/build IMG=$TOP/images R=$TOP/chroot/live
mkdir -p "$B" "$IMG"
CMDLINE="boot=live components console=ttyS0 systemd.show_status=1 systemd.log_level=info"

# inside ROOT PACKAGE…: apt-get install in a chroot, services held back
inside() { local r=$1; shift
  cp /etc/resolv.conf "$r/etc/resolv.conf"; mount --bind /dev "$r/dev"; mount -t proc proc "$r/proc"; mount -t sysfs sys "$r/sys"
  printf '#!/bin/sh\nexit 101\n' >"$r/usr/sbin/policy-rc.d"; chmod +x "$r/usr/sbin/policy-rc.d"
  mkdir -p "$r/var/lib/apt/lists/partial" "$r/var/cache/apt/archives/partial"
  chroot "$r" apt-get -qq update; chroot "$r" apt-get -y -qq --no-install-recommends install "$@"; chroot "$r" apt-get clean
  rm "$r/usr/sbin/policy-rc.d"; umount "$r/dev" "$r/proc" "$r/sys"; rm -rf "$r"/var/lib/apt/lists/*; : >"$r/etc/resolv.conf"; }

root() { [ -e "$R/bin/live-boot" ] && [ -e "$R/bin/busybox" ] && return
  mkdir -p "$R"; [ -d "$R/etc" ] || tar -xf "$B/base-systemd.tar" -C "$R"
  inside "$R" busybox rsync live-boot live-boot-initramfs-tools live-config live-config-systemd user-setup sudo; : >"$R/etc/fstab"; }

# tree DIR: what the ISO holds
tree() { root; rm -rf "$1"; mkdir -p "$1/live" "$1/isolinux"
  cp "$R"/boot/vmlinuz-* "$1/live/vmlinuz"; cp "$R"/boot/initrd.img-* "$1/live/initrd.img"
  [ -s "$B/filesystem.squashfs" ] || mksquashfs "$R" "$B/filesystem.squashfs" -comp xz -processors 1 -noappend -no-progress -quiet -e boot
  cp "$B/filesystem.squashfs" "$1/live/"
  cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$1/isolinux/"
  printf 'SERIAL 0 115200\nDEFAULT live\nPROMPT 0\nLABEL live\n  KERNEL /live/vmlinuz\n  APPEND initrd=/live/initrd.img %s\n' "$CMDLINE ${2:-}" >"$1/isolinux/isolinux.cfg"; }
iso() { xorriso -as mkisofs -quiet -V LIVE -J -R -o "$IMG/$1.iso" -isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin -c isolinux/boot.cat \
  -b isolinux/isolinux.bin -no-emul-boot -boot-load-size 4 -boot-info-table "$2"; rm -rf "$2"; }

for n in ${*:-live-debian live-nosquash live-mediapath live-truncated}; do
  D=$B/tree-$n
  case $n in
  live-debian)    tree "$D" ;;
  live-nosquash)  tree "$D"; rm "$D/live/filesystem.squashfs" ;;
  live-mediapath) tree "$D" live-media-path=/nowhere ;;
  live-truncated) tree "$D"; truncate -s 20M "$D/live/filesystem.squashfs" ;;
  *) echo "unknown image: $n" >&2; exit 1 ;;
  esac
  iso "$n" "$D"; echo "== $n: $(stat -c %s "$IMG/$n.iso") bytes"
done
