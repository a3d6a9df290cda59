#!/bin/sh
# Makes the fixtures of this directory with util-linux and dosfstools; each image has sfdisk's report.
set -eu
cd "$(dirname "$0")"
report() { sfdisk -J "$1.img" >"$1.json"; zstd -q -19 --rm -f "$1.img"; }

truncate -s 64M primary.img
sfdisk -q primary.img <<'T'
label: dos
label-id: 0xb0070001
start=2048, size=20480, type=83, bootable
start=22528, size=4096, type=c
start=40960, size=8192, type=82
T
report primary

truncate -s 64M logical.img
sfdisk -q logical.img <<'T'
label: dos
label-id: 0x1234abcd
1: start=2048, size=20480, type=83
2: start=22528, size=81920, type=5
4: start=110592, size=2048, type=7, bootable
5: start=24576, size=4096, type=83
6: start=30720, size=8192, type=82
7: start=40960, size=2048, type=8e
T
report logical

# A table without identifier and without partitions.
truncate -s 1M empty.img
printf '\125\252' | dd of=empty.img bs=1 seek=510 conv=notrunc status=none
report empty

# A protective table whose GPT is gone: sfdisk shows the protective entry.
truncate -s 8M protective.img
sfdisk -q protective.img <<'T'
label: gpt
start=2048, size=4096
T
dd if=/dev/zero of=protective.img bs=512 seek=1 count=1 conv=notrunc status=none
dd if=/dev/zero of=protective.img bs=512 seek=16383 count=1 conv=notrunc status=none
report protective
