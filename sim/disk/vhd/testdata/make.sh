#!/bin/sh
# Makes the fixtures of this directory with qemu-img: source.raw as dynamic and fixed images, with what
# qemu-img info and map print. Without force_size QEMU rounds the size up to a geometry. QEMU makes no
# differencing image; the test patches the type.
set -eu
cd "$(dirname "$0")"
rm -f ./*.vhd ./*.raw ./*.json ./*.zst
# 5 MiB and three sectors: text, a hole, text, a hole, a last sector.
truncate -s 5244416 source.raw
seq 1 9000 | dd of=source.raw conv=notrunc status=none
seq 9000 12000 | dd of=source.raw bs=512 seek=2100 conv=notrunc status=none
printf 'the last sector' | dd of=source.raw bs=512 seek=10242 conv=notrunc status=none
make() { # name, options of the format
	qemu-img convert -q -f raw -O vpc -o "$2" source.raw "$1.vhd"
	qemu-img info -f vpc --output=json "$1.vhd" >"$1.info.json"
	qemu-img map -f vpc --output=json "$1.vhd" >"$1.map.json"
	zstd -q -19 --rm -f "$1.vhd"
}
make dynamic subformat=dynamic,force_size=on
make rounded subformat=dynamic
make fixed subformat=fixed,force_size=on
zstd -q -19 --rm -f source.raw
