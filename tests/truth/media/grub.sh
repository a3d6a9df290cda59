#!/bin/bash
# grub.sh: disks with GRUB 2.06 for the BIOS whose configurations come back to the menu, fall back or ask for a password
set -eu; cd "$(dirname "$(readlink -f "$0")")"; mkdir -p img t
one() { # NAME, configuration on standard input
  rm -f img/g-$1.img t/g.img; truncate -s 8M img/g-$1.img; printf 'label: dos\nlabel-id: 0xb0070099\nstart=2048, type=c, bootable\n' | sfdisk -q img/g-$1.img
  truncate -s 7M t/g.img; mkfs.fat -i B0070099 t/g.img >/dev/null; mmd -i t/g.img ::boot ::boot/grub; cat >t/grub.cfg; mcopy -i t/g.img t/grub.cfg ::boot/grub/
  [ -z "${2:-}" ] || { rm -f t/env; grub-editenv t/env create; grub-editenv t/env set $2; mcopy -i t/g.img t/env ::boot/grub/grubenv; }
  grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o t/core.img biosdisk part_msdos fat normal linux echo test configfile sleep password loadenv halt reboot minicmd search search_fs_uuid chain
  python3 - img/g-$1.img t/core.img t/g.img <<'P'
import struct,sys
d,c,p=sys.argv[1:]
b=bytearray(open('/usr/lib/grub/i386-pc/boot.img','rb').read()[:512]); c=bytearray(open(c,'rb').read()); c+=b'\0'*(-len(c)%512)
struct.pack_into('<QHH',c,0x1f4,2,len(c)//512-1,0x820)
with open(d,'r+b') as f:
    old=f.read(512); b[0x1b8:]=old[0x1b8:]; struct.pack_into('<Q',b,0x5c,1); b[0x66:0x68]=b'\x90\x90'; f.seek(0); f.write(b); f.write(c); f.seek(2048*512); f.write(open(p,'rb').read())
P
}
BAD='menuentry "bad" { linux /nosuch quiet
initrd /nosuch2
}'
STOP='menuentry "good" --id good { echo good entry runs
sleep 3600
}'
one one <<<"set timeout=0
$BAD"
one two <<<"set timeout=1
$BAD
$STOP"
one fallback <<<"set timeout=0
set fallback=1
$BAD
$STOP"
one bothfail <<<"set timeout=0
set fallback=1
$BAD
menuentry other { chainloader /nosuch
}"
one hidden <<<"set timeout=1
set timeout_style=hidden
$BAD
$STOP"
one saved "saved_entry=good" <<<'load_env
set default="${saved_entry}"
set timeout=0
'"$BAD
$STOP"
one next "next_entry=good saved_entry=0" <<<'load_env
if [ "${next_entry}" ] ; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
else
  set default="${saved_entry}"
fi
set timeout=0
'"$BAD
$STOP"
one noid <<<"set default=nosuch
set timeout=0
$STOP
$BAD"
one minus <<<"set timeout=-1
set default=1
$BAD
$STOP"
one password <<<"set superusers=root
password root secret
set timeout=0
$STOP
$BAD"
one unrestricted <<<"set superusers=root
password root secret
set timeout=0
menuentry open --unrestricted { echo open entry runs
sleep 3600
}
$BAD"
one submenu <<<"set timeout=0
set default='1>1'
$BAD
submenu sub { $BAD
$STOP
}"
one subbad <<<"set timeout=0
set default='1>0'
$BAD
submenu sub { $BAD
$STOP
}"
one empty <<<"set timeout=5"
one syntax <<<"set timeout=0
menuentry 'good' { echo hi; sleep 3600
}
if [ x = x; then echo yes"
one recordfail "recordfail=1" <<<'load_env
if [ "${recordfail}" = 1 ] ; then
  set timeout=30
else
  set timeout=0
fi
'"$STOP"
one unsetdefault <<<"set timeout=0
set fallback='1 2'
$BAD
menuentry second { false
}
$STOP"
one hid0 <<<"set timeout=0
set timeout_style=hidden
$STOP"
one cnt1 <<<"set timeout=1
set timeout_style=countdown
$STOP"
one cnt0 <<<"set timeout=0
set timeout_style=countdown
$STOP"
one hid2 <<<"set timeout=2
set timeout_style=hidden
$STOP"
one chainself <<<"set timeout=0
menuentry chain { set root=hd0
chainloader +1
}"
one chainpart <<<"set timeout=0
menuentry chain { set root=(hd0,msdos1)
chainloader +1
}"
one chainempty <<<"set timeout=0
menuentry chain { chainloader (hd0)1+1
}"
