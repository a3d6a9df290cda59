#!/bin/sh
# Makes the fixtures of this directory with xorriso and genisoimage. Each image has what blkid says and
# the list of its files as Linux shows them: xorriso's for Rock Ridge, isoinfo's for the others.
set -eu
cd "$(dirname "$0")"
export TZ=UTC SOURCE_DATE_EPOCH=1700000000 LC_ALL=C.UTF-8
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/boot/grub" "$tree/isolinux" "$tree/a/b/c/d/e/f/g/h/i"
printf 'set timeout=1\n' >"$tree/boot/grub/grub.cfg"
seq 1 3000 >"$tree/boot/vmlinuz"
seq 1 700 >"$tree/boot/initrd.img"
: >"$tree/empty"
printf 'deep\n' >"$tree/a/b/c/d/e/f/g/h/i/Deep File.txt"
printf 'x\n' >"$tree/Mixed Case Name With Many Letters.conf"
chmod 640 "$tree/boot/grub/grub.cfg"
chmod 755 "$tree/boot/vmlinuz"
ln -s boot/vmlinuz "$tree/vmlinuz"
ln -s ../../a/./b/../b/c "$tree/boot/grub/link"
ln -s /absolute/$(printf 'long%.0s' $(seq 1 60)) "$tree/boot/longlink"
: >"$tree/$(printf 'n%.0s' $(seq 1 200)).name"
seq 1 100 >"$tree/isolinux/isolinux.bin"
find "$tree" -exec touch -h -d '2023-11-14 22:13:20' {} +

(cd "$tree" && find . -type f -printf '%P\n' | sort | while read -r f; do
	printf '%s %s\n' "$(sha256sum <"$f" | cut -d' ' -f1)" "$f"
done) >tree.sums
list() { xorriso -indev "$1.iso" -find / -exec lsdl -- >"$1.lsdl" 2>/dev/null; }
report() {
	blkid -p -o export "$1.iso" | grep -v ^DEVNAME >"$1.blkid"
	zstd -q -19 --rm -f "$1.iso"
}
rm -f ./*.iso
xorriso -as mkisofs -quiet -V BBISO -R -uid 0 -gid 5 -o rock.iso "$tree"
list rock
report rock
genisoimage -quiet -V MOVED -R -o moved.iso "$tree" 2>/dev/null
list moved
report moved
find "$tree" -type l -delete
genisoimage -quiet -V 'Joliet Label' -J -joliet-long -o joliet.iso "$tree" 2>/dev/null
isoinfo -J -f -i joliet.iso | sort >joliet.files
report joliet
rm -r "$tree/a"
genisoimage -quiet -V PLAIN -iso-level 2 -o plain.iso "$tree" 2>/dev/null
isoinfo -f -i plain.iso | sort >plain.files
report plain
