#!/bin/sh
# Makes the volumes and the reports that the tests compare with: mkfs.btrfs, btrfs and blkid of btrfs-progs
# and util-linux, and what the kernel shows when it mounts them. Wants root, a loop device and btrfs in the
# kernel.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
mnt=$tmp/mnt
mkdir "$mnt"
trap 'umount "$mnt" 2>/dev/null || true; rm -rf "$tmp"' EXIT
report() { # NAME IMAGE: what the tools say of it
	blkid -p -o export "$2" | grep -v DEVNAME >"$here/$1.blkid"
	btrfs inspect-internal dump-super "$2" | grep -v '^superblock:' >"$here/$1.super"
	zstd -q -19 -f "$2" -o "$here/$1.btrfs.zst"
}
listing() { # NAME DIR: every file of a mounted tree
	(cd "$2" && find . -printf '%#m %y %U %G %s %n %TY-%Tm-%Td %TH:%TM %P -> %l\n' | sort >"$here/$1.list"
	find . -type f -size +0 -printf '%P\n' | sort | xargs -d '\n' sha256sum >"$here/$1.sums")
}
export TZ=UTC LC_ALL=C

# plain: made from a directory, never mounted.
mkdir "$tmp/src" && cd "$tmp/src"
mkdir -p boot/grub etc many
printf 'root:x:0:0::/root:/bin/sh\n' >etc/passwd
ln -s passwd etc/link
seq 1 20000 >boot/vmlinuz
: >empty
for i in $(seq 1 120); do echo "$i" >"many/file $i"; done
ln etc/passwd etc/passwd2
chmod 4755 boot/vmlinuz
find . -exec touch -h -d '2024-02-29 12:34:56 UTC' {} +
(find . -type f -printf '%P\n' | sort | xargs -d '\n' sha256sum) >"$here/plain.sums"
cd "$here"
truncate -s 110M "$tmp/plain"
mkfs.btrfs -q -L 'plain root' -U 11111111-2222-3333-4444-555555555555 --rootdir "$tmp/src" "$tmp/plain" >/dev/null
report plain "$tmp/plain"

# full: subvolumes, a default one, every compression, holes, preallocated space, a snapshot.
truncate -s 128M "$tmp/full"
mkfs.btrfs -q -L full -U 66666666-2222-3333-4444-555555555555 "$tmp/full" >/dev/null
mount -o loop,max_inline=2048 "$tmp/full" "$mnt"
cd "$mnt"
btrfs -q subvolume create @ && btrfs -q subvolume create @home && btrfs -q subvolume create @/nested
for alg in zlib lzo zstd; do
	mkdir "@/$alg" && btrfs property set "@/$alg" compression $alg
	seq 1 20000 >"@/$alg/numbers"
	printf 'a small file, small file, small file, small file, small file that repeats, repeats, repeats\n' >"@/$alg/inline"
	head -c 300000 /dev/zero | tr '\0' x >"@/$alg/x"
done
truncate -s 1M @/holes && printf 'in the middle' | dd of=@/holes bs=1 seek=500000 conv=notrunc status=none
printf head >@/prealloc && fallocate -l 200000 @/prealloc && printf tail | dd of=@/prealloc bs=1 seek=100000 conv=notrunc status=none
seq 1 40000 >@home/big
printf 'inside\n' >@/nested/file
mkfifo @/pipe && mknod @/null c 1 3 && mknod @/disk b 254 300 && ln -s "$(printf '%0900d' 7)" @/long
mkdir @/many && for i in $(seq 1 250); do : >"@/many/$i"; done
cp /bin/true @/lzo/program && echo able >@/able && setcap cap_net_raw+ep @/able
btrfs -q subvolume snapshot -r @ @snap
find . -exec touch -h -d '2024-02-29 12:34:56 UTC' {} + 2>/dev/null || true
btrfs subvolume set-default @home
sync
cd "$here"
btrfs subvolume list "$mnt" | awk '{print $2, $7, $NF}' >"$here/full.subvolumes"
listing full "$mnt"
umount "$mnt"
mount -o loop,ro "$tmp/full" "$mnt" && ls "$mnt" >"$here/full.default" && umount "$mnt"
report full "$tmp/full"

# Volumes of two devices, of which one is kept.
for p in raid1 raid0; do
	truncate -s 128M "$tmp/$p" "$tmp/$p.2"
	mkfs.btrfs -q -d $p -m raid1 -L $p "$tmp/$p" "$tmp/$p.2" >/dev/null
	one=$(losetup -f --show "$tmp/$p"); two=$(losetup -f --show "$tmp/$p.2")
	btrfs -q device scan "$one" "$two"
	mount "$one" "$mnt" && seq 1 50000 >"$mnt/numbers" && printf 'few\n' >"$mnt/few"
	umount "$mnt"; losetup -d "$one"; losetup -d "$two"; btrfs -q device scan -u || true
	report $p "$tmp/$p"
done
seq 1 50000 | sha256sum | sed 's/-/numbers/' >"$here/raid1.sums"

# The other checksums.
for c in xxhash sha256 blake2; do
	truncate -s 110M "$tmp/$c"
	mkfs.btrfs -q --csum $c --shrink --rootdir "$tmp/src/etc" "$tmp/$c" >/dev/null
	report $c "$tmp/$c"
done
