#!/bin/bash
# make.sh [NAME...]: builds the disks in ./img: partitions, file systems and GRUB configurations as Fedora, Ubuntu's cloud images, openSUSE and
# RHEL lay them out, with a kernel and a small initramfs of tiny.sh. Needs root, loop devices, mtools, btrfs-progs, xfsprogs and GRUB packages
# unpacked in $GRUB/grubVERSION (2.06 = installed, 2.12 = trixie, 2.14 = sid).
set -eu; cd "$(dirname "$(readlink -f "$0")")"; GRUB=${GRUB:-..}; export LC_ALL=C
mkdir -p img t; P=(); MNT=$PWD/t/mnt; mkdir -p $MNT
V=6.1.0-56-cloud-amd64; VM=vmlinuz-$V; IR=initrd.img-$V
cleanup() { set +e; while mountpoint -q $MNT; do umount -R $MNT || break; done; for l in "${P[@]}"; do losetup -d $l; done; P=(); set -e; }
trap cleanup EXIT
mods() { case $1 in 2.06) echo /usr/lib/grub;; *) echo $GRUB/grub${1/./}/x/usr/lib/grub;; esac; }
mkimage() { local v=$1; shift; case $v in 2.06) grub-mkimage "$@";; *) $GRUB/run214 ${v/./} grub-mkimage "$@";; esac; }
# table NAME SIZE: partition table from standard input
table() { rm -f img/$1.raw; truncate -s $2 img/$1.raw; sfdisk -q img/$1.raw; RAW=img/$1.raw; P=(); local n at size
  while read -r n at size; do P[$n]=$(losetup -f --show -o $((at*512)) --sizelimit $((size*512)) $RAW); done < <(sfdisk -J $RAW | python3 -c 'import json,sys,re
for p in json.load(sys.stdin)["partitiontable"]["partitions"]: print(re.search(r"([0-9]+)$",p["node"]).group(1),p["start"],p["size"])'); }
# bios VERSION CORE_AT PREFIX MODULE...: boot.img in sector 0, the core image at sector CORE_AT, as grub-bios-setup places them
bios() { local v=$1 at=$2 p=$3; shift 3; local d=$(mods $v)/i386-pc; mkimage $v -d $d -O i386-pc -p "$p" -o t/core.img "$@"
  python3 - $RAW $d/boot.img t/core.img $at <<'P'
import sys,struct
dev,boot,core,at=sys.argv[1],open(sys.argv[2],'rb').read(),bytearray(open(sys.argv[3],'rb').read()),int(sys.argv[4])
core+=b'\0'*(-len(core)%512)
struct.pack_into('<QHH',core,0x1f4,at+1,len(core)//512-1,0x820)
with open(dev,'r+b') as f:
    f.seek(0); old=bytearray(f.read(512)); b=bytearray(boot[:512]); b[0x1b8:]=old[0x1b8:]; struct.pack_into('<Q',b,0x5c,at); b[0x66:0x68]=b'\x90\x90'
    b[0x3:0x5a]=boot[0x3:0x5a]; f.seek(0); f.write(b); f.seek(at*512); f.write(core)
P
}
# modules VERSION DIRECTORY PLATFORM
modules() { mkdir -p $2/$3; cp $(mods $1)/$3/*.mod $(mods $1)/$3/*.lst $2/$3/; }
# efi VERSION PARTITION PREFIX STUB-DIRECTORY STUB MODULE...
efi() { local v=$1 part=$2 p=$3 dir=$4 stub=$5; shift 5; mkimage $v -d $(mods $v)/x86_64-efi -O x86_64-efi -p "$p" -o t/grubx64.efi "$@"
  mkfs.vfat -F 32 -n ESP -i B0070031 $part >/dev/null; mmd -i $part ::/EFI ::/EFI/BOOT ::/EFI/$dir; mcopy -i $part t/grubx64.efi ::/EFI/BOOT/BOOTX64.EFI; mcopy -i $part t/grubx64.efi ::/EFI/$dir/grubx64.efi
  printf '%s\n' "$stub" >t/stub.cfg; mcopy -i $part t/stub.cfg ::/EFI/$dir/grub.cfg; }
root() { cp -a root/. $1/; echo $2 >$1/etc/hostname; }
BOOT=b0070030-0000-4000-8000-000000000001 ROOT=b0070030-0000-4000-8000-000000000002 ESP=B007-0031 PU=b0070030-0000-4000-8000-000000000003
fill() { sed "s/@BOOT@/$BOOT/g; s/@ROOT@/$ROOT/g; s/@PU@/$PU/g; s/@V@/$V/g" configs/$1; }
EFIMODS="part_gpt part_msdos fat ext2 xfs btrfs lvm normal configfile search search_fs_uuid search_label search_fs_file linux echo test true loadenv all_video gzio boot minicmd sleep regexp probe font gfxterm terminal serial reboot halt"

# fedora NAME FSTYPE VERSION: BIOS boot partition, ESP, /boot, Btrfs with the subvolumes root and home
fedora() { table $1 900M <<'T'
label: gpt
label-id: B0070030-0000-4000-8000-0000000000F1
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649
start=4096, size=81920, type=U
size=614400, type=BC13C2FF-59E6-4262-A352-B275FD6F7172
type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
T
  case $2 in xfs) mkfs.xfs -q -L boot -m uuid=$BOOT ${P[3]};; *) mkfs.ext4 -q -E lazy_itable_init=0 -L boot -U $BOOT ${P[3]};; esac
  mkfs.btrfs -q -L fedora -U $ROOT ${P[4]}
  mount ${P[4]} $MNT; btrfs -q subvolume create $MNT/root; btrfs -q subvolume create $MNT/home; root $MNT/root $1; umount $MNT
  mount ${P[3]} $MNT; mkdir -p $MNT/grub2 $MNT/loader/entries; cp vmlinuz $MNT/$VM; cp initrd.img $MNT/initramfs-$V.img
  fill fedora.cfg >$MNT/grub2/grub.cfg; fill fedora.conf >$MNT/loader/entries/b0070030aaaa4bbb8ccc000000000001-$V.conf; fill fedora-rescue.conf >$MNT/loader/entries/b0070030aaaa4bbb8ccc000000000001-0-rescue.conf
  grub-editenv $MNT/grub2/grubenv create; grub-editenv $MNT/grub2/grubenv set "saved_entry=b0070030aaaa4bbb8ccc000000000001-$V" menu_auto_hide=1 boot_success=0 boot_indeterminate=0 "kernelopts=root=UUID=$ROOT ro rootflags=subvol=root console=ttyS0"
  modules $3 $MNT/grub2 i386-pc; umount $MNT
  bios $3 2048 '(,gpt3)/grub2' biosdisk part_gpt ext2 xfs
  local bls=; [ $3 = 2.14 ] && bls=blsuki
  local only=--root-dev-only; [ $2 = ext4 ] || only= # an option of Fedora's GRUB: others take it for the key
  efi $3 ${P[2]} /EFI/fedora fedora "search --no-floppy $only --fs-uuid --set=dev $BOOT
set prefix=(\$dev)/grub2

export \$prefix
configfile \$prefix/grub.cfg" $EFIMODS $bls
  cleanup; }

# ubuntu NAME VERSION INITRDFAIL: partitions 1, 14, 15 and 16 as in the cloud images of 24.04
ubuntu() { table $1 500M <<T
label: gpt
label-id: B0070030-0000-4000-8000-0000000000F2
1: start=411648, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=$PU
14: start=2048, size=8192, type=21686148-6449-6E6F-744E-656564454649
15: start=10240, size=81920, type=U
16: start=92160, size=319488, type=BC13C2FF-59E6-4262-A352-B275FD6F7172
T
  mkfs.ext4 -q -E lazy_itable_init=0 -L cloudimg-rootfs -U $ROOT ${P[1]}; mkfs.ext4 -q -E lazy_itable_init=0 -L BOOT -U $BOOT ${P[16]}
  mount ${P[1]} $MNT; root $MNT $1; mkdir -p $MNT/boot; mount ${P[16]} $MNT/boot; mkdir -p $MNT/boot/grub/fonts; cp vmlinuz $MNT/boot/$VM; cp initrd.img $MNT/boot/$IR
  fill ubuntu.cfg >$MNT/boot/grub/grub.cfg; grub-editenv $MNT/boot/grub/grubenv create; [ -z "$3" ] || grub-editenv $MNT/boot/grub/grubenv set initrdfail=$3
  modules $2 $MNT/boot/grub i386-pc; modules $2 $MNT/boot/grub x86_64-efi; umount -R $MNT
  bios $2 2048 '(,gpt16)/grub' biosdisk part_gpt ext2
  efi $2 ${P[15]} /EFI/ubuntu ubuntu "search.fs_uuid $BOOT root hd0,gpt16 
set prefix=(\$root)'/grub'
configfile \$prefix/grub.cfg" $EFIMODS
  cleanup; }

# suse NAME VERSION: one Btrfs with @, a snapshot as its default subvolume, and GRUB's modules in a subvolume of their own
suse() { table $1 700M <<'T'
label: gpt
label-id: B0070030-0000-4000-8000-0000000000F3
start=2048, size=16384, type=21686148-6449-6E6F-744E-656564454649
start=18432, size=81920, type=U
type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
T
  mkfs.btrfs -q -L ROOT -U $ROOT ${P[3]}; mount ${P[3]} $MNT
  btrfs -q subvolume create $MNT/@; mkdir -p $MNT/@/boot/grub2; for s in boot/grub2/i386-pc boot/grub2/x86_64-efi home var .snapshots; do btrfs -q subvolume create $MNT/@/$s; done
  mkdir $MNT/@/.snapshots/1; btrfs -q subvolume create $MNT/@/.snapshots/1/snapshot; local S=$MNT/@/.snapshots/1/snapshot
  root $S $1; mkdir -p $S/boot/grub2/i386-pc $S/boot/grub2/x86_64-efi $S/.snapshots; cp vmlinuz $S/boot/$VM; cp initrd.img $S/boot/initrd-$V; ln -s $VM $S/boot/vmlinuz; ln -s initrd-$V $S/boot/initrd
  fill suse.cfg >$S/boot/grub2/grub.cfg; grub-editenv $S/boot/grub2/grubenv create
  modules $2 $MNT/@/boot/grub2 i386-pc
  btrfs subvolume set-default $S; umount $MNT
  bios $2 2048 '(,gpt3)/@/boot/grub2' biosdisk part_gpt btrfs
  efi $2 ${P[2]} /EFI/opensuse opensuse "set btrfs_relative_path=\"yes\"
search --fs-uuid --set=root $ROOT
set prefix=(\$root)/@/.snapshots/1/snapshot/boot/grub2
source \"\${prefix}/grub.cfg\"" $EFIMODS
  cleanup; }

# rhel NAME VERSION: MBR, /boot on XFS, root on XFS in a partition
rhel() { table $1 1200M <<'T'
label: dos
label-id: 0xb0070034
start=2048, size=819200, type=83, bootable
type=83
T
  mkfs.xfs -q -L boot -m uuid=$BOOT ${P[1]}; mkfs.xfs -q -L root -m uuid=$ROOT ${P[2]}
  mount ${P[2]} $MNT; root $MNT $1; mkdir -p $MNT/boot; mount ${P[1]} $MNT/boot; mkdir -p $MNT/boot/grub2 $MNT/boot/loader/entries; cp vmlinuz $MNT/boot/$VM; cp initrd.img $MNT/boot/initramfs-$V.img
  fill rhel7.cfg >$MNT/boot/grub2/grub.cfg; grub-editenv $MNT/boot/grub2/grubenv create; grub-editenv $MNT/boot/grub2/grubenv set "saved_entry=CentOS Linux ($V) 7 (Core)"
  modules $2 $MNT/boot/grub2 i386-pc; umount -R $MNT
  bios $2 1 '(,msdos1)/grub2' biosdisk part_msdos xfs
  cleanup; }

one() { case $1 in
  fedora) fedora $1 ext4 2.14;;
  fedora-xfs) fedora $1 xfs 2.14;;
  ubuntu) ubuntu $1 2.12 '';;
  ubuntu-fail) ubuntu $1 2.12 1;;
  suse) suse $1 2.12;;
  rhel) rhel $1 2.06;;
  esac; ls -sh img/$1.raw; }
[ $# -gt 0 ] || set -- fedora fedora-xfs ubuntu ubuntu-fail suse rhel
for n in "$@"; do one $n; done
