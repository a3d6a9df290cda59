#!/bin/sh
# Makes the fixtures of this directory with qemu-img: source.raw as dynamic and fixed images, with what
# qemu-img info and map print. log.vhdx is what a crash leaves behind: the log holds the last change of the
# block allocation table, the table does not, and the headers name the log; log.raw is what qemu-img reads
# after its own replay.
set -eu
cd "$(dirname "$0")"
rm -f ./*.vhdx ./*.raw ./*.json ./*.zst
# 5 MiB and three sectors: text, a hole, text, a hole, a last sector.
truncate -s 5244416 source.raw
seq 1 9000 | dd of=source.raw conv=notrunc status=none
seq 9000 12000 | dd of=source.raw bs=512 seek=2100 conv=notrunc status=none
printf 'the last sector' | dd of=source.raw bs=512 seek=10242 conv=notrunc status=none
make() { # name, options of the format
	qemu-img convert -q -f raw -O vhdx -o "$2" source.raw "$1.vhdx"
	qemu-img info --output=json "$1.vhdx" >"$1.info.json"
	qemu-img map --output=json "$1.vhdx" >"$1.map.json"
	zstd -q -19 --rm -f "$1.vhdx"
}
make dynamic subformat=dynamic,block_size=1M
make fixed subformat=fixed,block_size=1M
make default subformat=dynamic

qemu-img create -q -f vhdx -o block_size=1M log.vhdx 20M
qemu-io -c 'write -P 0x5a 0 64k' log.vhdx >/dev/null
python3 - <<'PY'
import struct
table = []
for i in range(256):
    c = i
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    table.append(c)
def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = table[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF
d = bytearray(open("log.vhdx", "rb").read())
assert d[0x100000:0x100004] == b"loge"
for at in (0x10000, 0x20000):
    d[at + 0x30 : at + 0x40] = d[0x100020:0x100030]
    d[at + 4 : at + 8] = bytes(4)
    d[at + 4 : at + 8] = struct.pack("<I", crc32c(d[at : at + 4096]))
d[0x200000:0x200008] = struct.pack("<Q", 2)
open("log.vhdx", "wb").write(d)
PY
cp log.vhdx replayed.vhdx
qemu-img check -q -r all replayed.vhdx
qemu-img convert -q -O raw replayed.vhdx log.raw
rm replayed.vhdx
zstd -q -19 --rm -f log.vhdx ./*.raw
