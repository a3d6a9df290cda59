#!/bin/bash
# make.sh: builds in ./boot the initramfs images and in ./img the disks of cases.txt. Root; QEMU, Debian 12 systems in chroot:
# chroot/store, Debian 12 with linux-image-cloud-amd64, initramfs-tools, busybox, lvm2, cryptsetup-initramfs, thin-provisioning-tools, overlayroot, xfsprogs,
# btrfs-progs; chroot/dracut, the same with dracut, lvm2, cryptsetup, mdadm, btrfs-progs; chroot/live, with live-boot. ROOT is the small system of
# ../layouts/tiny.sh without its modules. boot/vmlinuz is their kernel.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; ROOT=${ROOT:-../layouts/root}; mkdir -p boot img t
inside() { local r=$1 rc; shift
mount --bind /dev "$r/dev"; mount -t proc proc "$r/proc"; mount -t sysfs sys "$r/sys"
printf '#!/bin/sh\nexit 101\n' >"$r/usr/sbin/policy-rc.d"; chmod +x "$r/usr/sbin/policy-rc.d"
DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$r" "$@"; rc=$?
umount "$r/dev" "$r/proc" "$r/sys"; return $rc; }
# from here on: initrds
# initrds.sh: boot/initrd-*.img, from the Debian 12 systems in chroot/store (initramfs-tools) and chroot/dracut.
K=6.1.0-50-cloud-amd64; U=b0070060-0000-4000-8000
R=chroot/store
make() { inside $R mkinitramfs -o /tmp/i.img $K 2>&1 | grep -v setupcon || :; mv $R/tmp/i.img boot/initrd-$1.img; ls -l boot/initrd-$1.img; }
mkdir -p $R/etc/keys; printf secret >$R/etc/keys/root.key; chmod 600 $R/etc/keys/root.key
C=$R/etc/cryptsetup-initramfs/conf-hook; M=$R/usr/share/initramfs-tools
echo 'CRYPTSETUP=y' >$C; : >$R/etc/crypttab
make lvm
echo "root_crypt UUID=$U-0000000000c1 none luks,initramfs" >$R/etc/crypttab; make luks
echo "root_crypt UUID=$U-00000000dead none luks,initramfs" >$R/etc/crypttab; make luksbad
printf 'CRYPTSETUP=y\nKEYFILE_PATTERN="/etc/keys/*.key"\n' >$C
echo "root_crypt UUID=$U-0000000000c1 /etc/keys/root.key luks,initramfs" >$R/etc/crypttab; make lukskey
echo 'CRYPTSETUP=n' >$C; : >$R/etc/crypttab
mkdir -p t/hooks; for h in cryptroot cryptroot-unlock cryptkeyctl cryptgnupg cryptopensc cryptpassdev cryptgnupg-sc lvm2 thin-provisioning-tools; do mv $M/hooks/$h t/hooks/; done
mkdir -p t/scripts; for d in local-top local-block local-bottom; do mkdir -p t/scripts/$d; mv $M/scripts/$d/crypt* t/scripts/$d/; done
make plain
mv t/hooks/* $M/hooks/; for d in local-top local-block local-bottom; do mv t/scripts/$d/* $M/scripts/$d/; done
# from here on: dracuts
# dracuts.sh: boot/initrd-dracut.img (without systemd) and initrd-dracutsd.img (with it)
K=6.1.0-50-cloud-amd64; R=chroot/dracut
D="virtio_pci virtio_blk ext4 crc32c_generic dm_mod dm_crypt dm_raid raid1 md_mod dm_mirror dm_log dm_region_hash aes_generic cbc xts sha256_generic algif_skcipher algif_hash ecb cryptd aesni_intel overlay"
inside $R dracut -f --no-hostonly --zstd --drivers "$D" --add "lvm crypt mdraid dm" --omit "systemd systemd-initrd dracut-systemd systemd-udevd systemd-tmpfiles systemd-sysusers systemd-journald systemd-modules-load systemd-sysctl dbus dbus-daemon dbus-broker multipath qemu dmraid dmsquash-live nvmf pollcdrom" /tmp/d.img $K; mv $R/tmp/d.img boot/initrd-dracut.img
inside $R dracut -f --no-hostonly --zstd --drivers "$D" --add "lvm crypt mdraid dm" --omit "multipath qemu dmraid dmsquash-live nvmf pollcdrom" /tmp/d.img $K; mv $R/tmp/d.img boot/initrd-dracutsd.img; chmod 644 boot/*; ls -l boot
# from here on: disks
# disks.sh: img/*.raw: a boot partition and a root in LVM, LUKS, RAID or a plain partition. LVM, cryptsetup and mdadm run in QEMU, in the initramfs
# boot/initrd-lvm.img with an /init of this script. Root.
export LC_ALL=C; U=b0070060-0000-4000-8000; K=6.1.0-50-cloud-amd64; mkdir -p img t
rm -rf t/root t/g; cp -a $ROOT t/root; rm -rf t/root/lib; mkdir -p t/root/{run,usr,tmp,mnt}; echo store >t/root/etc/hostname; printf 'ID=tiny\nNAME=Tiny\nVERSION_ID=1\nPRETTY_NAME="Tiny 1"\n' >t/root/etc/os-release
rm -f t/fs.img; mke2fs -q -t ext4 -E lazy_itable_init=0 -U $U-000000000001 -L tinyroot -d t/root t/fs.img 40M
disk() { rm -f img/$1.raw; truncate -s ${3:-420M} img/$1.raw; printf 'label: dos\nlabel-id: 0xb0070060\nstart=2048, size=409600, type=83, bootable\nstart=411648, size=%s, type=%s\n%s' "${4:-204800}" "$2" "${5:-}" | sfdisk -q img/$1.raw; }
P3='start=616448, size=204800, type=8e
'
disk lvm 8e; disk lvmmiss 8e 420M 204800 "$P3"; disk lvmpart 8e 420M 204800 "$P3"; disk lvmraid 8e 420M 204800 "$P3"; disk lvmthin 8e; disk luks 83; disk lukslvm 83; disk md fd 420M 204800 "${P3/8e/fd}"
mkdir -p t/g; cat >t/g/init <<'I'
#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
mkdir -p /proc /sys /dev /run; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /run/lock/lvm /run/lvm
for m in virtio_pci virtio_blk dm_mod dm_crypt dm_raid raid1 dm_thin_pool aes_generic xts sha256_generic algif_skcipher algif_hash; do modprobe $m; done
L() { c=$1; shift; lvm $c --config 'activation{udev_sync=0 udev_rules=0 monitoring=0} devices{use_devicesfile=0} backup{backup=0 archive=0}' -y "$@"; }
set -x
put() { dd if=/dev/vdi of=$1 bs=1M; sync; }
L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00701 --norestorefile /dev/vda2
L vgcreate vg0 /dev/vda2; L lvcreate -L 48M -n root vg0; L lvcreate -L 16M -n swap vg0; L lvcreate -L 8M -n home vg0; put /dev/vg0/root; mkswap /dev/vg0/swap; L vgchange -an vg0
L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00702 --norestorefile /dev/vdb2; L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00703 --norestorefile /dev/vdb3
L vgcreate vg1 /dev/vdb2 /dev/vdb3; L lvcreate -L 48M -n root vg1 /dev/vdb2; L lvcreate -L 48M -n data vg1 /dev/vdb3; put /dev/vg1/root; L vgchange -an vg1
dd if=/dev/zero of=/dev/vdb3 bs=1M count=2; sync
L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00704 --norestorefile /dev/vdc2; L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00705 --norestorefile /dev/vdc3
L vgcreate vg2 /dev/vdc2 /dev/vdc3; L lvcreate -l 6 -n root vg2 /dev/vdc2; L lvextend -l 12 vg2/root /dev/vdc3; put /dev/vg2/root; L vgchange -an vg2
dd if=/dev/zero of=/dev/vdc3 bs=1M count=2; sync
L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00706 --norestorefile /dev/vdd2; L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00707 --norestorefile /dev/vdd3
L vgcreate vg3 /dev/vdd2 /dev/vdd3; L lvcreate --type raid1 -m1 --nosync -L 48M -n root vg3; put /dev/vg3/root; L vgchange -an vg3
L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00708 --norestorefile /dev/vde2
L vgcreate vg4 /dev/vde2; L lvcreate --type thin-pool -L 60M -n pool vg4; L lvcreate --type thin -V 100M --thinpool pool -n root vg4; put /dev/vg4/root; L vgchange -an vg4
crypt() { printf secret >/k; cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid $2 $1 /k; cryptsetup open --key-file /k $1 c; }
crypt /dev/vdf2 b0070060-0000-4000-8000-0000000000c1; put /dev/mapper/c; cryptsetup close c
crypt /dev/vdg2 b0070060-0000-4000-8000-0000000000c1; L pvcreate --uuid B00760-0001-0001-0001-0001-0001-B00709 --norestorefile /dev/mapper/c; L vgcreate vg5 /dev/mapper/c; L lvcreate -L 48M -n root vg5; put /dev/vg5/root; L vgchange -an vg5; cryptsetup close c
mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 --name=box:0 --homehost=box --bitmap=none --assume-clean --uuid=b0070060:00004000:80000000:00000012 /dev/vdh2 /dev/vdh3; put /dev/md0; mdadm --stop /dev/md0; sync
L pvs; L lvs -a
echo guest: done; poweroff -f
I
chmod +x t/g/init; mkdir -p t/g/sbin; cp chroot/dracut/sbin/mdadm t/g/sbin/
cp boot/initrd-lvm.img t/g.img; (cd t/g; find . | cpio --quiet -o -H newc) >>t/g.img
a=(); for f in img/{lvm,lvmmiss,lvmpart,lvmraid,lvmthin,luks,lukslvm,md}.raw t/fs.img; do a+=(-drive "if=virtio,format=raw,file=$f"); done
timeout 600 qemu-system-x86_64 -accel tcg -cpu Nehalem -m 1024 -display none -no-reboot -net none -kernel boot/vmlinuz -initrd t/g.img -append "console=ttyS0 quiet" "${a[@]}" -serial file:t/guest.log -monitor none </dev/null
tail -30 t/guest.log
disk ext 83; dd if=t/fs.img of=img/ext.raw bs=512 seek=411648 conv=notrunc,sparse status=none
# from here on: livedisk
# livedisk.sh: img/live.raw: the boot partition, a partition LIVE with live/filesystem.squashfs and iso/live.iso, one with persistence.conf
export LC_ALL=C; U=b0070060-0000-4000-8000; rm -rf t/lv t/ps; mkdir -p t/lv/live t/lv/iso t/ps t/iso/live
rm -f t/l.squashfs; mksquashfs t/root t/l.squashfs -comp gzip -noappend -no-progress -quiet -all-root; cp t/l.squashfs t/iso/live/filesystem.squashfs; cp t/l.squashfs t/lv/live/filesystem.squashfs; mkdir -p t/lv/other; cp t/l.squashfs t/lv/other/
xorriso -as mkisofs -quiet -V LIVEISO -J -R -o t/lv/iso/live.iso t/iso
echo '/ union' >t/ps/persistence.conf; rm -f img/live.raw t/p2 t/p3; truncate -s 420M img/live.raw
printf 'label: dos\nlabel-id: 0xb0070061\nstart=2048, size=409600, type=83, bootable\nstart=411648, size=204800, type=83\nstart=616448, size=204800, type=83\n' | sfdisk -q img/live.raw
mke2fs -q -t ext4 -E lazy_itable_init=0 -U $U-0000000000d1 -L LIVE -d t/lv t/p2 100M; mke2fs -q -t ext4 -E lazy_itable_init=0 -U $U-0000000000d2 -L persistence -d t/ps t/p3 100M
dd if=t/p2 of=img/live.raw bs=512 seek=411648 conv=notrunc,sparse status=none; dd if=t/p3 of=img/live.raw bs=512 seek=616448 conv=notrunc,sparse status=none
# from here on: boot
# boot.sh: fills the first partition of img/*.raw: kernel, initramfs, GRUB, and GRUB's core image in front of it
 rm -rf t/b t/boot.img; mkdir -p t/b/grub/i386-pc; cp boot/* t/b/; cp /usr/lib/grub/i386-pc/*.mod /usr/lib/grub/i386-pc/*.lst t/b/grub/i386-pc/
printf 'serial\nterminal_output serial\nlinux /vmlinuz root=/dev/vda2 ro console=ttyS0\ninitrd /initrd-plain.img\nboot\n' >t/b/grub/grub.cfg
mke2fs -q -t ext4 -E lazy_itable_init=0 -U b0070060-0000-4000-8000-0000000000b0 -L boot -d t/b t/boot.img 200M
grub-mkimage -d /usr/lib/grub/i386-pc -O i386-pc -o t/core.img -p '(,msdos1)/grub' biosdisk part_msdos ext2
for f in img/*.raw; do [ $(stat -c %s $f) -gt 300000000 ] || continue; dd if=t/boot.img of=$f bs=1M seek=1 conv=notrunc,sparse status=none; python3 - $f <<'P'
import sys,struct
boot=open('/usr/lib/grub/i386-pc/boot.img','rb').read(); core=bytearray(open('t/core.img','rb').read()); core+=b'\0'*(-len(core)%512)
struct.pack_into('<QHH',core,0x1f4,2,len(core)//512-1,0x820)
with open(sys.argv[1],'r+b') as f:
    old=f.read(512); b=bytearray(boot[:512]); b[0x1b8:]=old[0x1b8:]; struct.pack_into('<Q',b,0x5c,1); b[0x66:0x68]=b'\x90\x90'; f.seek(0); f.write(b+core)
P
done
