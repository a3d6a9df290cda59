#!/bin/bash
# make-dracut.sh: deb-dracutsh.qcow2, a Debian 12 disk with an initramfs that dracut made without systemd, and
# brk-dracutsh-uuid.qcow2, whose root= names no volume. Root; wants images/deb-dracut.qcow2, a disk with dracut and GRUB
# (MBR, one ext4 partition at sector 2048), and build/initrd-sh, made in that disk's system with
#   dracut --no-hostonly --gzip --omit "systemd systemd-initrd dracut-systemd systemd-udevd systemd-tmpfiles systemd-sysusers systemd-journald systemd-modules-load systemd-sysctl dbus dbus-daemon dbus-broker" initrd-sh KERNEL
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"; B=build I=images
M=$(mktemp -d); L=; trap 'umount $M 2>/dev/null; [ -z "$L" ] || losetup -d $L' EXIT
raw() { qemu-img convert -O raw $I/deb-dracut.qcow2 $B/$1.raw; L=$(losetup -f --show -o $((2048*512)) $B/$1.raw); mount $L $M; cp $B/initrd-sh $M/boot/initrd.img-*; }
done_() { umount $M; losetup -d $L; L=; qemu-img convert -c -O qcow2 $B/$1.raw $I/$1.qcow2; rm $B/$1.raw; }
raw deb-dracutsh; done_ deb-dracutsh
raw brk-dracutsh-uuid; sed -i '/^[[:space:]]*linux/s/root=UUID=[^ ]*/root=UUID=deadbeef-0000-4000-8000-000000000000 rd.retry=8/' $M/boot/grub/grub.cfg; done_ brk-dracutsh-uuid
