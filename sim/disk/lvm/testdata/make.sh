#!/bin/sh
# Makes the fixtures of this directory with LVM's own tools on loop devices: a volume group on two
# physical volumes with a linear volume (ext4), one on both, a striped one, one of another type.
# The volumes are not activated; the file system is written to where the metadata says. Needs root.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
one='' two='' three=''
undo() {
	for l in $one $two $three; do losetup -d "$l"; done
	rm -rf "$work"
}
trap undo EXIT
truncate -s 20M "$work/pv0"
truncate -s 12M "$work/pv1"
one=$(losetup -f --show "$work/pv0")
two=$(losetup -f --show "$work/pv1")
truncate -s 8M "$work/plain"
three=$(losetup -f --show "$work/plain")
conf="devices{filter=[\"a|^$one\$|\",\"a|^$two\$|\",\"a|^$three\$|\",\"r|.*|\"] use_devicesfile=0} activation{udev_sync=0 udev_rules=0} backup{backup=0 archive=0} global{locking_type=1 event_activation=0}"
lv() { command=$1; shift; "$command" --driverloaded n --config "$conf" -q "$@" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }; }
lv pvcreate -y --uuid B00700-0001-0001-0001-0001-0001-B00701 --norestorefile "$one"
lv pvcreate -y --uuid B00700-0001-0001-0001-0001-0001-B00702 --norestorefile "$two"
lv vgcreate -s 1M vg-a "$one" "$two"
lv lvcreate -an -Zn -Wn -y -L 8M -n root vg-a "$one"
lv lvcreate -an -Zn -Wn -y -l 4 -n data_1 vg-a "$one"
lv lvextend -l 8 vg-a/data_1 "$two"
lv lvcreate -an -Zn -Wn -y -i 2 -I 64k -l 2 -n fast vg-a
lv lvcreate -an -Zn -Wn -y --type zero -l 1 -n nothing vg-a
truncate -s 8M "$work/root"
mkdir -p "$work/tree/sbin" "$work/tree/etc"
echo hello >"$work/tree/sbin/init"
mkfs.ext4 -q -O '^has_journal' -U b0070010-0000-4000-8000-000000000001 -L lvroot -E hash_seed=b0070010-0000-4000-8000-000000000002 -d "$work/tree" "$work/root"
dump() { # the file system into the first extents of a physical volume
	at=$(lv pvs --noheadings --nosuffix --units b -o pe_start "$1")
	dd if="$2" of="$1" bs=512 seek=$((at / 512)) conv=notrunc,fsync status=none
}
dump "$one" "$work/root"
# A group that is read whole: its volume is the root of a system without anything in it but an init.
lv pvcreate -y --uuid B00700-0001-0001-0001-0001-0001-B00703 --norestorefile "$three"
lv vgcreate -s 1M sys-tem "$three"
lv lvcreate -an -Zn -Wn -y -L 4M -n root sys-tem
truncate -s 4M "$work/system"
mkdir -p "$work/tree/dev" "$work/tree/proc" "$work/tree/sys" "$work/tree/run"
printf '#!/bin/sh\nexit 3\n' >"$work/tree/sbin/init"
chmod 755 "$work/tree/sbin/init"
mkfs.ext4 -q -O '^has_journal' -U b0070010-0000-4000-8000-000000000003 -L sysroot -E hash_seed=b0070010-0000-4000-8000-000000000002 -d "$work/tree" "$work/system"
dump "$three" "$work/system"
lv pvs --reportformat json --units b --nosuffix -o pv_uuid,pv_size,pe_start,vg_name,vg_uuid,vg_extent_size,pv_mda_count "$one" "$two" >pvs.json
lv lvs --reportformat json --units b --nosuffix --segments -a -o lv_full_name,lv_uuid,lv_size,segtype,stripes,seg_start,seg_size,seg_pe_ranges vg-a | sed "s|$one|pv0|g; s|$two|pv1|g" >lvs.json
blkid -p -o export "$one" | sed "s|$one|pv0|" >pv0.blkid
sync
for f in pv0 pv1 plain; do zstd -q -19 -f "$work/$f" -o "$f.img.zst"; done
