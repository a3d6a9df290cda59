#!/bin/bash
# raid.sh ROOT: disks with the root on mirrors (md12: metadata 1.2, both members; md10: 1.0, made with one member; md09: 0.90, one of two
# members) and with an encrypted volume that GRUB asks for (luks1: GRUB 2.06; luks2: 2.12). ROOT is an unpacked Debian 12 with linux-image-cloud-amd64,
# initramfs-tools, mdadm and udev. The arrays are made by mdadm under Linux in QEMU, since most machines that build lack the driver.
# Run it beside make.sh, after tiny.sh; it needs what that needs, and cryptsetup.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; R=$(readlink -f "$1"); GRUB=${GRUB:-..}; export LC_ALL=C; K=6.1.0-56-cloud-amd64; X=kernel
V=$(cd "$R/lib/modules"; ls | head -1); U=b0070040-0000-4000-8000-0000000000aa
mkdir -p t img; rm -rf t/g t/tree; mkdir -p t/g/{bin,sbin,proc,sys,dev,run/mdadm,etc,lib/modules/$K}
cp /bin/busybox t/g/bin; for a in sh mount modprobe dd sleep poweroff sync cat; do ln -s busybox t/g/bin/$a; done
cp i/lib/modules/$K/modules.{builtin,order,builtin.modinfo} t/g/lib/modules/$K/
add() { local f; f=$(modinfo -b $X -k $K -n $1 2>/dev/null) || return 0; case $f in *builtin*) return;; esac; [ -e t/g/${f#$X/} ] && return; install -D $f t/g/${f#$X/}; local d; for d in $(modinfo -b $X -k $K -F depends $1 | tr , ' '); do add $d; done; }
for m in virtio_pci virtio_blk raid1 md_mod; do add $m; done; depmod -b t/g $K
cp "$R/sbin/mdadm" t/g/sbin/; for l in $(ldd "$R/sbin/mdadm" | grep -o '/[^ ]*'); do install -D $l t/g$l; done
cat >t/g/init <<'E'
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in virtio_pci virtio_blk raid1; do modprobe $m; done
export PATH=/bin:/sbin
make() { mdadm --create "$@" --run --level=1 --raid-devices=2; }
make /dev/md0 --metadata=1.2 --name=box:0 --homehost=box --bitmap=none --assume-clean --uuid=b0070040:00004000:80000000:00000012 /dev/vda2 /dev/vda3
make /dev/md1 --metadata=1.0 --name=box:1 --homehost=box --bitmap=none --uuid=b0070040:00004000:80000000:00000010 /dev/vdc2 missing
make /dev/md2 --metadata=0.90 --assume-clean --uuid=b0070040:00004000:80000000:00000009 /dev/vdd2 /dev/vde
for n in 0 1 2; do dd if=/dev/vdb of=/dev/md$n bs=1M; done
sync; mdadm --stop /dev/md0 /dev/md1 /dev/md2; sync; echo "guest: done"; sleep 1; poweroff -f
E
chmod +x t/g/init; (cd t/g; find . | cpio --quiet -o -H newc | gzip -1 >../g.img)
cp -a root t/tree; echo md >t/tree/etc/hostname; rm -rf t/tree/lib; mkdir -p t/tree/boot/grub/i386-pc; cp "$R/boot/vmlinuz-$V" "$R/boot/initrd.img-$V" t/tree/boot/; cp /usr/lib/grub/i386-pc/*.mod /usr/lib/grub/i386-pc/*.lst t/tree/boot/grub/i386-pc/
sed "s/@U@/$U/g; s/@V@/$V/g" configs/raid.cfg >t/tree/boot/grub/grub.cfg
rm -f t/fs.img; mke2fs -q -t ext4 -E lazy_itable_init=0 -U $U -L mdroot -d t/tree t/fs.img 90M
for n in md12 md10 md09; do rm -f img/$n.raw; truncate -s 260M img/$n.raw; printf 'label: dos\nlabel-id: 0xb0070040\nstart=2048, size=8192, type=83\nstart=10240, size=245760, type=fd\nstart=256000, size=245760, type=fd\n' | sfdisk -q img/$n.raw; done
truncate -s 125829120 t/other.raw; a=(); for f in img/md12.raw t/fs.img img/md10.raw img/md09.raw t/other.raw; do a+=(-drive "if=virtio,format=raw,file=$f"); done
nice timeout 500 qemu-system-x86_64 -accel tcg -cpu Nehalem -m 700 -display none -no-reboot -net none -kernel vmlinuz -initrd t/g.img -append "console=ttyS0 quiet" "${a[@]}" -serial file:t/guest.log -monitor none </dev/null
# bios NAME DIRECTORY MKIMAGE-ARGUMENT...: GRUB in front of the first partition
bios() { local n=$1 d=$2; shift 2; $MK -d $d -O i386-pc -o t/core.img "$@"; python3 - img/$n.raw $d <<'P'
import sys,struct
boot=open(sys.argv[2]+'/boot.img','rb').read(); core=bytearray(open('t/core.img','rb').read()); core+=b'\0'*(-len(core)%512)
struct.pack_into('<QHH',core,0x1f4,2,len(core)//512-1,0x820)
with open(sys.argv[1],'r+b') as f:
    old=f.read(512); b=bytearray(boot[:512]); b[0x1b8:]=old[0x1b8:]; struct.pack_into('<Q',b,0x5c,1); b[0x66:0x68]=b'\x90\x90'; f.seek(0); f.write(b+core)
P
}
MK=grub-mkimage; L=/usr/lib/grub/i386-pc
bios md12 $L -p '(mduuid/b0070040000040008000000000000012)/boot/grub' biosdisk part_msdos diskfilter mdraid1x ext2
bios md10 $L -p '(,msdos2)/boot/grub' biosdisk part_msdos ext2
bios md09 $L -p '(mduuid/b0070040000040008000000000000009)/boot/grub' biosdisk part_msdos diskfilter mdraid09 ext2
luks() { rm -f img/$1.raw t/c.img; truncate -s 40M img/$1.raw; printf 'label: dos\nlabel-id: 0xb0070050\nstart=2048, size=8192, type=83\nstart=10240, type=83\n' | sfdisk -q img/$1.raw; truncate -s 30M t/c.img
  printf secret | cryptsetup luksFormat -q --type $1 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid b0070050-0000-4000-8000-000000000001 t/c.img -; dd if=t/c.img of=img/$1.raw bs=512 seek=10240 conv=notrunc,sparse status=none
  bios $1 $2 -c configs/luks.cfg -p /boot/grub biosdisk part_msdos cryptodisk ${1%1} gcry_rijndael gcry_sha256 gcry_sha512 ext2 serial terminal; }
luks luks1 $L; MK="$GRUB/run214 212 grub-mkimage"; luks luks2 $GRUB/grub212/x/usr/lib/grub/i386-pc
