#!/bin/bash
# make.sh: boot media for tests of El Torito emulation and of loaders that are not Linux's
set -eu; cd "$(dirname "$(readlink -f "$0")")"; R=${R:?the folder with freedos722.img and openbsd.img}; M=/usr/lib/syslinux/modules/bios; export MTOOLS_SKIP_CHECK=1
mkdir -p img t
iso() { rm -rf t/$1; mkdir -p t/$1; cp img/$2 t/$1/; xorriso -as mkisofs -quiet -o img/$1.iso -V EMUL -c boot.cat -b $2 "${@:3}" t/$1 2>&1 | grep -v '^xorriso : UPD' || :; }
cp $R/freedos722.img img/freedos.img; cp $R/openbsd.img img/openbsd.img; chmod u+w img/*
# FreeDOS on 1.44 MB: its boot sector with the volume's own BPB
mformat -C -f 1440 -i img/fd144.img ::; mcopy -o -i img/freedos.img ::KERNEL.SYS ::COMMAND.COM t/ -n 2>/dev/null || :; mcopy -o -i img/fd144.img t/KERNEL.SYS ::KERNEL.SYS; mcopy -o -i img/fd144.img t/COMMAND.COM ::COMMAND.COM
python3 - <<'P'
a=bytearray(open('img/fd144.img','rb').read()); b=open('img/freedos.img','rb').read(512)
a[0:3]=b[0:3]; a[62:512]=b[62:512]; open('img/fd144.img','wb').write(a)
P
# the same without its kernel
cp img/fd144.img img/fdnokernel.img; mdel -i img/fdnokernel.img ::KERNEL.SYS
# SYSLINUX floppies
sl() { mformat -C -f $2 -i img/$1.img ::; syslinux -i img/$1.img; mcopy -o -i img/$1.img $M/ldlinux.c32 ::; printf 'SAY syslinux.cfg is read\nDEFAULT nosuch\n' >t/s.cfg; mcopy -o -i img/$1.img t/s.cfg ::syslinux.cfg; }
sl sl12 1200; sl sl144 1440; sl sl288 2880
# no system: mkfs.fat's message
rm -f img/fatmsg.img; mkfs.fat -C img/fatmsg.img 1440 >/dev/null
head -c 1474560 /dev/zero >img/zero.img
# no signature, code that works (prints X, halts)
python3 -c "
b=bytearray(1474560); b[0:9]=bytes([0xb8,0x58,0x0e,0xcd,0x10,0xfa,0xf4,0xeb,0xfc]); open('img/nosig.img','wb').write(b)"
# GRUB on a floppy
printf 'set timeout=0\nmenuentry x { linux /nosuch }\n' >t/e.cfg
grub-mkimage -O i386-pc -c t/e.cfg -p '(fd0)/boot/grub' -o t/core.img biosdisk fat normal linux echo configfile
python3 - <<'P'
import struct
b=bytearray(open('/usr/lib/grub/i386-pc/boot.img','rb').read()[:512]); c=bytearray(open('t/core.img','rb').read()); c+=b'\0'*(-len(c)%512)
struct.pack_into('<QHH',c,0x1f4,2,len(c)//512-1,0x820); struct.pack_into('<Q',b,0x5c,1)
o=b+c; o+=b'\0'*(1474560-len(o)); open('img/grubfd.img','wb').write(o)
P
# a disk: MBR of syslinux, FAT16 with SYSLINUX
rm -f img/hd.img t/p.img; truncate -s 16M img/hd.img; printf 'label: dos\nstart=63, size=32193, type=6, bootable\n' | sfdisk -q img/hd.img; dd if=/usr/lib/syslinux/mbr/mbr.bin of=img/hd.img conv=notrunc bs=440 count=1 status=none
truncate -s $((32193*512)) t/p.img; mkfs.fat -F 16 -h 63 t/p.img >/dev/null; syslinux -i t/p.img; mcopy -o -i t/p.img $M/ldlinux.c32 ::; mcopy -o -i t/p.img t/s.cfg ::syslinux.cfg; dd if=t/p.img of=img/hd.img bs=512 seek=63 conv=notrunc status=none
iso emu-freedos fd144.img; iso emu-fdnokernel fdnokernel.img; iso emu-openbsd openbsd.img; for s in sl12 sl144 sl288 fatmsg zero nosig grubfd; do iso emu-$s $s.img; done
iso emu-hd hd.img -hard-disk-boot
ls -la img
# the same with the geometry that its partition table names: 32 cylinders, 16 heads, 63 sectors
cp img/hd.img img/hdgeo.img
truncate -s $((32193*512)) t/p.img; rm t/p.img; truncate -s $((32193*512)) t/p.img; mkfs.fat -F 16 -h 63 -g 16/63 t/p.img >/dev/null; syslinux -i t/p.img; mcopy -o -i t/p.img $M/ldlinux.c32 ::; mcopy -o -i t/p.img t/s.cfg ::syslinux.cfg; dd if=t/p.img of=img/hdgeo.img bs=512 seek=63 conv=notrunc status=none
printf '\x80\x01\x01\x00\x06\x0f\x3f\x1f' | dd of=img/hdgeo.img bs=1 seek=446 conv=notrunc status=none
iso emu-hdgeo hdgeo.img -hard-disk-boot
