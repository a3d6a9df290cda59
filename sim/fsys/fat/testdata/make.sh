#!/bin/sh
# Makes the fixtures of this directory with dosfstools and mtools; each image has the list of its files
# with sums (from mtools) and what blkid says.
set -eu
cd "$(dirname "$0")"
export MTOOLS_SKIP_CHECK=1 TZ=UTC SOURCE_DATE_EPOCH=1700000000
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/EFI/BOOT" "$tree/loader/entries" "$tree/a directory with a long name/ünïcode 根"
seq 1 4000 >"$tree/EFI/BOOT/BOOTX64.EFI"
printf 'timeout 3\n' >"$tree/loader/loader.conf"
printf 'title one\n' >"$tree/loader/entries/a very long name of an entry, longer than thirteen units.conf"
printf 'x' >"$tree/a directory with a long name/ünïcode 根/Mixed Case.Txt"
: >"$tree/EMPTY"
seq 1 60 | while read -r i; do printf '%s\n' "$i" >"$tree/loader/entries/file number $i.conf"; done
find "$tree" -exec touch -d '2023-11-14 22:13:20' {} +

make() { # name, KiB, options
	name=$1 kib=$2
	shift 2
	rm -f "$name.img"
	mkfs.fat -C "$@" "$name.img" "$kib" >/dev/null
	# Two files one after the other, a hole between them: the second file is in pieces.
	seq 1 2200 >"$tree/gap"
	mcopy -i "$name.img" "$tree/gap" ::gap
	mcopy -i "$name.img" "$tree/loader/loader.conf" ::behind.txt
	mdel -i "$name.img" ::gap
	rm "$tree/gap"
	LC_ALL=C.UTF-8 mcopy -i "$name.img" -s -m "$tree"/* ::
	(cd "$tree" && find . -type f -printf '%P\n' | sort | while read -r f; do
		printf '%s %s\n' "$(LC_ALL=C.UTF-8 mcopy -i "$OLDPWD/$name.img" -n "::$f" - | sha256sum | cut -d' ' -f1)" "$f"
	done) >"$name.files"
	blkid -p -o export "$name.img" | grep -v ^DEVNAME >"$name.blkid"
	zstd -q -19 --rm -f "$name.img"
}
make fat12 1440 -F 12 -i B0070E12 -n FLOPPY
make fat16 16384 -F 16 -i B0070E16 -n 'Sixteen x'
make fat32 66592 -F 32 -s 2 -i B0070E51 -n ESP
make nolabel 4096 -i B0070E00
