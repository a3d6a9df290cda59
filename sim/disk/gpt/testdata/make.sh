#!/bin/sh
# Makes the fixtures of this directory with util-linux; each image has sfdisk's report.
set -eu
cd "$(dirname "$0")"
report() { sfdisk -J "$1.img" >"$1.json" 2>/dev/null; zstd -q -19 --rm -f "$1.img"; }
table() {
	truncate -s 64M "$1.img"
	sfdisk -q "$1.img" <<'T'
label: gpt
label-id: B0070002-0000-4000-8000-0000000000FF
1: start=2048, size=40960, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=B0070003-0000-4000-8000-0000000000E5, name="ESP"
2: start=43008, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=B0070003-0000-4000-8000-0000000000B5, attrs="LegacyBIOSBootable RequiredPartition GUID:60"
5: start=45056, size=81920, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=B0070003-0000-4000-8000-000000000003, name="rööt 根"
T
}
table plain
report plain

table backup # the primary header is damaged
printf 'X' | dd of=backup.img bs=1 seek=600 conv=notrunc status=none
report backup

table entries # the primary entries are damaged, their CRC does not match
printf 'X' | dd of=entries.img bs=1 seek=1060 conv=notrunc status=none
report entries

table noback # the backup header is gone
dd if=/dev/zero of=noback.img bs=512 seek=131071 count=1 conv=notrunc status=none
report noback
