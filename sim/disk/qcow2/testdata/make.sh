#!/bin/sh
# Makes the fixtures of this directory with qemu-img and qemu-io. All hold the same virtual disk, source.raw,
# but those named in the end; each has what qemu-img prints about it (info, map).
set -eu
cd "$(dirname "$0")"
report() {
	qemu-img info --output=json "$1.qcow2" >"$1.info.json"
	qemu-img map --output=json "$1.qcow2" >"$1.map.json"
	zstd -q -19 --rm -f "$1.qcow2"
}
rm -f ./*.qcow2 ./*.raw ./*.json
# 5 MiB and three sectors: text, a hole, noise, a hole, noise at the end.
truncate -s 5244416 source.raw
seq 1 20000 | dd of=source.raw conv=notrunc status=none
noise() { # seed, bytes: the same on every machine
	i=0
	while [ "$i" -lt "$(($2 / 32))" ]; do
		printf '%s %s' "$1" "$i" | sha256sum | cut -c1-32
		i=$((i + 1))
	done
}
noise a 8192 | dd of=source.raw bs=512 seek=2100 conv=notrunc status=none
noise b 4096 | dd of=source.raw bs=512 seek=6001 conv=notrunc status=none
printf 'the last sector' | dd of=source.raw bs=512 seek=10242 conv=notrunc status=none

make() { # name, then options of qemu-img convert
	name=$1
	shift
	qemu-img convert -q -f raw -O qcow2 "$@" source.raw "$name.qcow2"
	report "$name"
}
make v2 -o compat=0.10
make v2c -c -o compat=0.10
make v3
make v3c -c
make zstd -c -o compression_type=zstd
make c512 -o cluster_size=512
make c512c -c -o cluster_size=512
make c4kz -c -o cluster_size=4k,compression_type=zstd
make c2m -o cluster_size=2M
make c2mc -c -o cluster_size=2M
make sub -o extended_l2=on,cluster_size=128k
make subc -c -o extended_l2=on,cluster_size=16k

# Clusters written as zeros over data, and a discarded one; an internal snapshot of the state before.
qemu-img convert -q -f raw -O qcow2 source.raw zero.qcow2
qemu-img snapshot -c before zero.qcow2
qemu-io -c 'write -z 64k 64k' -c 'write -z -u 1M 128k' -c 'write -P 0x5a 4M 70k' zero.qcow2 >/dev/null
qemu-img convert -q -O raw zero.qcow2 zero.raw
report zero
qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=64k subzero.qcow2 5244416
qemu-io -c 'write -P 0x11 0 256k' -c 'write -z 10k 6k' -c 'write -P 0x22 1030k 3k' -c 'write -z 130k 64k' subzero.qcow2 >/dev/null
qemu-img convert -q -O raw subzero.qcow2 subzero.raw
report subzero

# What is refused.
qemu-img create -q -f qcow2 -F raw -b source.raw backing.qcow2
report backing
qemu-img create -q -f qcow2 -o data_file=other.raw,data_file_raw=on datafile.qcow2 5244416
rm other.raw
zstd -q -19 --rm -f datafile.qcow2
qemu-img create -q -f qcow2 -o lazy_refcounts=on dirty.qcow2 1M
qemu-io -c 'write -P 1 0 64k' -c abort dirty.qcow2 >/dev/null 2>&1 || true
report dirty
zstd -q -19 --rm -f ./*.raw
