#!/bin/sh
# Makes the fixtures of this directory with qemu-img: source.raw as images of one file, with what qemu-img
# info and map print; descriptors of those of several files. QEMU writes no footer, so the stream gets one
# here, as VMware's tools write it; qemu-img reads that one too.
set -eu
cd "$(dirname "$0")"
rm -f ./*.vmdk ./*.raw ./*.json ./*.zst
# 5 MiB and three sectors: text, a hole, text, a hole, a last sector.
truncate -s 5244416 source.raw
seq 1 9000 | dd of=source.raw conv=notrunc status=none
seq 9000 12000 | dd of=source.raw bs=512 seek=2100 conv=notrunc status=none
printf 'the last sector' | dd of=source.raw bs=512 seek=10242 conv=notrunc status=none
report() {
	qemu-img info --output=json "$1.vmdk" >"$1.info.json"
	qemu-img map --output=json "$1.vmdk" >"$1.map.json"
	zstd -q -19 -f "$1.vmdk"
}
make() { # name, options of the format
	qemu-img convert -q -f raw -O vmdk -o "$2" source.raw "$1.vmdk"
	report "$1"
}
make sparse subformat=monolithicSparse
make stream subformat=streamOptimized
qemu-img convert -q -f raw -O vmdk -o subformat=monolithicSparse,zeroed_grain=on source.raw zero.vmdk
qemu-io -c 'write -z 0 64k' zero.vmdk >/dev/null
qemu-img convert -q -O raw zero.vmdk zero.raw
report zero

# footer: header with the directory's place replaced by all ones; marker, the header as it was, end marker.
le() { # number, bytes
	i=0 n=$1
	while [ "$i" -lt "$2" ]; do
		printf "\\$(printf %03o $((n % 256)))"
		n=$((n / 256)) i=$((i + 1))
	done
}
{
	head -c 56 stream.vmdk
	printf '\377\377\377\377\377\377\377\377'
	tail -c +65 stream.vmdk
	size=$(wc -c <stream.vmdk)
	head -c $(((512 - size % 512) % 512)) /dev/zero
	le 1 8 && le 0 4 && le 3 4 && head -c 496 /dev/zero
	head -c 512 stream.vmdk
	head -c 512 /dev/zero
} >footer.vmdk
report footer

qemu-img convert -q -f raw -O vmdk source.raw parent.vmdk
qemu-img create -q -f vmdk -F vmdk -b parent.vmdk child.vmdk
zstd -q -19 -f child.vmdk
for kind in monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat; do
	qemu-img create -q -f vmdk -o subformat=$kind $kind.vmdk 5G
done
zstd -q -19 -f monolithicFlat.vmdk twoGbMaxExtentSparse.vmdk twoGbMaxExtentFlat.vmdk twoGbMaxExtentSparse-s001.vmdk
zstd -q -19 -f ./*.raw
rm -f ./*.vmdk ./*.raw
