#!/bin/sh
# Makes the fixtures of this directory with qemu-img: source.raw as a dynamic and a static image, with what
# qemu-img info and map print. QEMU knows no differencing image; the test patches the type.
set -eu
cd "$(dirname "$0")"
rm -f ./*.vdi ./*.raw ./*.json ./*.zst
# 5 MiB and three sectors: text, a hole, text, a hole, a last sector.
truncate -s 5244416 source.raw
seq 1 9000 | dd of=source.raw conv=notrunc status=none
seq 9000 12000 | dd of=source.raw bs=512 seek=2100 conv=notrunc status=none
printf 'the last sector' | dd of=source.raw bs=512 seek=10242 conv=notrunc status=none
make() { # name, then options of qemu-img convert
	name=$1
	shift
	qemu-img convert -q -f raw -O vdi "$@" source.raw "$name.vdi"
	qemu-img info --output=json "$name.vdi" >"$name.info.json"
	qemu-img map --output=json "$name.vdi" >"$name.map.json"
	zstd -q -19 --rm -f "$name.vdi"
}
make dynamic
make static -o static=on
zstd -q -19 --rm -f source.raw
