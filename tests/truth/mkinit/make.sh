#!/bin/bash
# make.sh: builds the images of recorded.txt in $BOOTPATH_LAB/mkinit. Expects there: mkinitfs/init.1 (mkinitfs's
# initramfs-init), mkinitcpio/{init,init_functions,hooks/udev}, alp (Alpine 3.20's mini root file system, unpacked), base (a
# Debian 12 with linux-image-cloud-amd64, udev, kmod, e2fsprogs), bbdyn (Debian's package busybox, unpacked), bbroot (a
# busybox as /sbin/init with a getty on ttyS0) and ort (alp with Debian's openrc and upstream's init.d scripts).
set -e; cd "$BOOTPATH_LAB/mkinit"; LAB=$PWD; K=$(basename base/lib/modules/*)
cat > nlplug.c <<'C'
/* Stand-in for Alpine's nlplug-findfs: hands its arguments to a script that does what its manual and source say. */
#include <unistd.h>
#include <stdlib.h>
int main(int c, char **v){ char **a=calloc(c+3,sizeof *a); a[0]="sh"; a[1]="/lib/nlplug.sh"; for(int i=1;i<c;i++)a[i+1]=v[i]; execv("/bin/busybox",a); return 127; }
C
gcc -static -Os -o nlplug-findfs nlplug.c
cat > nlplug.sh <<'N'
exec 2>/dev/null
ap= br= nf= 
while getopts a:b:c:hH:k:m:no:Ddf:p:t:U: o; do case $o in a) ap=$OPTARG;; b) br=$OPTARG;; n) nf=1;; esac; done
shift $((OPTIND-1)); want=$1
for i in 1 2 3 4; do find /sys -name modalias | xargs sort -u | xargs modprobe -a; done
n=0
while [ $n -lt 5 ]; do
  case $want in UUID=*|LABEL=*) findfs "$want" >/dev/null && exit 0;; /dev/*) [ -b "$want" ] && exit 0;; esac
  if [ -n "$ap$br" ]; then
    f=
    for d in /sys/class/block/*; do d=${d##*/}; t=$(blkid /dev/$d | sed -n 's/.* TYPE="\([^"]*\)".*/\1/p'); [ -n "$t" ] || continue
      grep -q "^/dev/$d " /proc/mounts && continue
      mkdir -p /media/$d; mount -t $t -o ro /dev/$d /media/$d || continue; k=
      for e in /media/$d/*; do [ -d $e ] && [ -e $e/.boot_repository ] && { echo $e >>$br; k=1; }; case $e in *.apkovl.tar.gz*) [ -f $e ] && { echo $e >>$ap; k=1; };; esac; done
      [ -n "$k" ] && f=1 || umount /media/$d
    done
    [ -n "$f" ] && exit 0
  fi
  sleep 1; n=$((n+1))
done
[ -n "$nf" ]
N
mods() (
# mods.sh DEST MODULE... : copy modules with what they need
D=$1; shift; K=$K; S=$LAB/base
mkdir -p $D/lib/modules/$K
for m in "$@"; do modprobe -d $S -S $K --show-depends $m 2>/dev/null | sed -n 's/^insmod //p'; done | awk '{print $1}' | sort -u | while read f; do r=${f#$S}; r=${r#/}; r=${r#usr/}; mkdir -p $D/$(dirname $r); cp $f $D/$r; done
cp $S/lib/modules/$K/modules.{builtin,builtin.modinfo,order} $D/lib/modules/$K/ 2>/dev/null
depmod -b $D $K
)
alpine() (
# alpine.sh OUT MODULES... : initramfs of mkinitfs's script, Alpine's busybox and apk
set -e; cd "$LAB"; OUT=$1; shift; D=$(mktemp -d)
mkdir -p $D/{bin,sbin,lib,etc/apk/keys,usr/lib,newroot,dev}
cp -a alp/bin/busybox $D/bin/; ln -s /bin/busybox $D/bin/sh; cp -a alp/lib/ld-musl-x86_64.so.1 $D/lib/; cp -a alp/lib/libc.musl* $D/lib/ 2>/dev/null || :
cp -a alp/sbin/apk $D/sbin/; cp -a alp/lib/*.so* $D/lib/; cp -a alp/usr/lib/*.so* $D/usr/lib/ 2>/dev/null || :
cp -a alp/etc/apk/keys/* $D/etc/apk/keys/
install -m755 nlplug-findfs $D/sbin/nlplug-findfs; cp nlplug.sh $D/lib/nlplug.sh; install -m755 mkinitfs/init.1 $D/init
[ $# -gt 0 ] && mods $D "$@" || { mkdir -p $D/lib/modules/$K; cp base/lib/modules/*/modules.{builtin,builtin.modinfo,order} $D/lib/modules/*/; depmod -b $D $K; }
(cd $D && find . | sort | cpio -o -H newc -R 0:0 --quiet | gzip -9) > $OUT; rm -rf $D; ls -la $OUT
)
archird() (
# archird.sh OUT MODULES... : initramfs as mkinitcpio makes it (base udev autodetect modconf block filesystems fsck), with Debian's programs
set -e; cd "$LAB"; OUT=$1; shift; D=$(mktemp -d); B=base
mkdir -p $D/usr/{bin,lib} $D/{proc,sys,dev,run,tmp,etc,new_root,hooks} $D/usr/local; for l in bin sbin; do ln -s usr/bin $D/$l; done; ln -s bin $D/usr/sbin; ln -s usr/lib $D/lib; ln -s usr/lib $D/lib64; ln -s lib $D/usr/lib64; ln -s ../bin $D/usr/local/bin; ln -s bin $D/usr/local/sbin
install -m755 bbdyn/bin/busybox $D/usr/bin/busybox
for a in ash sh sleep awk cat chmod cp cut dd df dirname echo env fgrep grep egrep head kill killall ln ls mkdir mkfifo mknod mv nc printf ps pwd readlink reboot poweroff halt rm sed seq setsid sort stat stty sync tail tee test touch tr true false tty uname vi wc which yes '[' basename clear cmp loadkmap loadfont; do ln -s busybox $D/usr/bin/$a; done
for p in mount umount switch_root blkid fsck e2fsck udevadm kmod systemd-tmpfiles findmnt; do s=$(ls $B/{usr/bin,usr/sbin,bin,sbin}/$p 2>/dev/null | head -1); install -m755 $s $D/usr/bin/; done
ln -s e2fsck $D/usr/bin/fsck.ext4; for m in modprobe lsmod insmod rmmod modinfo depmod; do ln -sf kmod $D/usr/bin/$m; done
mkdir -p $D/usr/lib/systemd $D/usr/lib/udev/rules.d; ln -s ../../bin/udevadm $D/usr/lib/systemd/systemd-udevd
cp $B/usr/lib/udev/rules.d/{50-udev-default,60-persistent-storage,64-btrfs,80-drivers}.rules $D/usr/lib/udev/rules.d/; cp $B/usr/lib/udev/{ata_id,scsi_id} $D/usr/lib/udev/ 2>/dev/null || :
cp mkinitcpio/{init,init_functions} $D/; chmod 755 $D/init; cp mkinitcpio/hooks/udev $D/hooks/; chmod 755 $D/hooks/*
printf 'MODULES="%s"\nEARLYHOOKS="udev"\nHOOKS="udev"\nLATEHOOKS=""\nCLEANUPHOOKS="udev"\n' "$MODS" > $D/config
printf '# version: 32\nHOOKS=(base udev)\n' > $D/buildconfig; cp $B/etc/os-release $D/etc/initrd-release 2>/dev/null || :
printf 'root:x:0:0:root:/root:/bin/sh\n' > $D/etc/passwd; printf 'root:x:0:root\n' >$D/etc/group; ln -s /proc/self/mounts $D/etc/mtab
chrootlibs() { for f in $D/usr/bin/* ; do [ -L $f ] || ldd $B/../$f 2>/dev/null || chroot $B /lib64/ld-linux-x86-64.so.2 --list ${1} 2>/dev/null; done; }
for p in mount umount switch_root blkid fsck e2fsck udevadm kmod systemd-tmpfiles findmnt; do s=$(cd $B; ls {usr/bin,usr/sbin,bin,sbin}/$p 2>/dev/null | head -1); chroot $B /lib64/ld-linux-x86-64.so.2 --list /$s; done | grep -o '/[^ ]*\.so[^ ]*' | sort -u > arch-libs; echo /lib/x86_64-linux-gnu/libresolv.so.2 >>arch-libs
sort -u arch-libs | while read l; do mkdir -p $D/$(dirname $l); cp -L $B$l $D$l; done
mkdir -p $D/usr/lib/modules/$K
[ $# -gt 0 ] && mods $D "$@" || { cp $B/lib/modules/*/modules.{builtin,builtin.modinfo,order} $D/lib/modules/*/; depmod -b $D $K; }
(cd $D && find . | sort | cpio -o -H newc -R 0:0 --quiet | zstd -q -9) > $OUT; rm -rf $D; ls -la $OUT
)
disk() (
# disk.sh OUT UUID TREE INITRAMFS "CMDLINE" [HOOK] : raw disk, MBR, one ext4 partition, GRUB, kernel and initramfs in /boot
set -e; cd "$LAB"; OUT=$1; UUID=$2; TREE=$3; IR=$4; CMD=$5
T=$(mktemp -d); cp -a $TREE/. $T/; mkdir -p $T/boot/grub; cp base/boot/vmlinuz-$K $T/boot/vmlinuz; cp $IR $T/boot/initramfs
printf 'set timeout=0\nserial --unit=0 --speed=115200\nterminal_output console serial\nlinux /boot/vmlinuz %s\ninitrd /boot/initramfs\nboot\n' "$CMD" > $T/boot/grub/grub.cfg
[ -n "$6" ] && (cd $T && eval "$6")
S=$(( $(du -sm $T | cut -f1) + 40 )); rm -f $OUT; truncate -s ${S}M $OUT; printf 'label: dos\nlabel-id: 0xb0070011\nstart=2048, type=83, bootable\n' | sfdisk -q $OUT
L=$(losetup -f --show -o 1048576 $OUT); mkfs.ext4 -q -U $UUID -L root -E lazy_itable_init=0 -d $T $L; losetup -d $L
LP=$(losetup -fP --show $OUT); sleep 1; partx -u $LP || :; M=$(mktemp -d); mount ${LP}p1 $M; grub-install --target=i386-pc --boot-directory=$M/boot $LP 2>&1 | tail -1; umount $M; losetup -d $LP; rm -rf $T $M
)
iso() (
# iso.sh OUT INITRAMFS "CMDLINE" [HOOK] : Alpine's live medium layout
set -e; cd "$LAB"; OUT=$1; T=$(mktemp -d); mkdir -p $T/apks/x86_64 $T/boot/grub
touch $T/apks/.boot_repository; echo "alpine-virt 3.20.3 240906" > $T/.alpine-release
cp base/boot/vmlinuz-$K $T/boot/vmlinuz-virt; cp $2 $T/boot/initramfs-virt; echo modloop > $T/boot/modloop-virt
printf 'set timeout=0\nserial --unit=0 --speed=115200\nterminal_output console serial\nmenuentry "Linux virt" {\nlinux /boot/vmlinuz-virt %s\ninitrd /boot/initramfs-virt\n}\n' "$3" > $T/boot/grub/grub.cfg
[ -n "$4" ] && (cd $T && eval "$4")
grub-mkrescue -d /usr/lib/grub/i386-pc -o $OUT $T -volid "alpine-virt 3.20.3 x86_64" >/dev/null 2>&1; rm -rf $T; ls -la $OUT
)
A=a1b2c3d4-0000-4000-8000-0000000000a1 B=a1b2c3d4-0000-4000-8000-0000000000b1 NO=00000000-0000-4000-8000-0000000000a1
AC="console=ttyS0 rootfstype=ext4 modules=virtio_blk,ext4" LC="modules=loop,squashfs,sd-mod,usb-storage console=ttyS0" BC="rw console=ttyS0"
TTY='sed -i "s/^tty[1-6]::.*//; s/^#ttyS0/ttyS0/" etc/inittab'; mkdir -p img
alpine alpine.img virtio_pci virtio_blk virtio_scsi sr_mod isofs squashfs loop overlay ext4 sd_mod; alpine alpine-nomods.img
archird arch.img virtio_pci virtio_blk ext4; archird arch-nomods.img
disk img/alp-good.raw $A alp alpine.img "root=UUID=$A $AC" "$TTY"; disk img/alp-noroot.raw $A alp alpine.img "root=UUID=$NO $AC" "$TTY"
disk img/alp-nomods.raw $A alp alpine-nomods.img "root=UUID=$A $AC" "$TTY"; disk img/alp-noinit.raw $A alp alpine.img "root=UUID=$A $AC" "rm sbin/init"
disk img/alp-openrc.raw $A ort alpine.img "root=UUID=$A $AC"
disk img/arch-good.raw $B bbroot arch.img "root=UUID=$B $BC"; disk img/arch-noroot.raw $B bbroot arch.img "root=UUID=${NO%a1}b1 $BC"
disk img/arch-noinit.raw $B bbroot arch.img "root=UUID=$B $BC" "rm sbin/init"; disk img/arch-nomods.raw $B bbroot arch-nomods.img "root=UUID=$B $BC"
mkdir -p ovl/etc/apk; echo alpine-base >ovl/etc/apk/world; echo ovlhost >ovl/etc/hostname; tar -C ovl -czf localhost.apkovl.tar.gz etc
iso img/alp-live.iso alpine.img "$LC"; iso img/alp-nomedium.iso alpine.img "$LC" "rm apks/.boot_repository"; iso img/alp-ovl.iso alpine.img "$LC" "cp $LAB/localhost.apkovl.tar.gz ."
