#!/bin/sh
# Makes the fixtures of this directory: members of arrays with a superblock of each version, written here
# by md_p.h because mdadm writes none without the kernel's driver, and what mdadm --examine reads in them
# (it checks the checksum too).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work" <<'PY'
import struct, sys, uuid
size = 1 << 20
array = uuid.UUID("b0070012-0000-4000-8000-000000000001").bytes
member = uuid.UUID("b0070012-0000-4000-8000-000000000002").bytes
def fold(b, at):
    s = sum(w for i, w in enumerate(struct.unpack("<%dI" % (len(b) // 4), b[:len(b) & ~3])) if i * 4 != at)
    if len(b) % 4: s += struct.unpack("<H", b[-2:])[0]
    return (s + (s >> 32)) & 0xffffffff
def one(off, level, disks, data_offset, roles):
    b = bytearray(256 + 2 * roles)
    struct.pack_into("<IIII16s32sQiIQII", b, 0, 0xa92b4efc, 1, 0, 0, array, b"host:boot", 1700000000, level, 0, 1024, 0, disks)
    struct.pack_into("<QQQQII16s", b, 128, data_offset, 1024, off // 512, 0, 0, 0, member)
    struct.pack_into("<QQQII", b, 192, 1700000000, 7, 2**64 - 1, 0, roles)
    struct.pack_into("<%dH" % roles, b, 256, *[i if i < disks else 0xffff for i in range(roles)])
    struct.pack_into("<I", b, 216, fold(bytes(b), 216))
    return off, b
def zero(off):
    b = bytearray(4096)
    w = struct.unpack(">4I", array)
    struct.pack_into("<IIIIIIIiIIIIIIII", b, 0, 0xa92b4efc, 0, 90, 0, 1024, w[0], 1700000000, 1, 960, 2, 2, 0, 0, *w[1:])
    struct.pack_into("<IIIIII", b, 128, 1700000000, 1, 2, 2, 0, 0)
    struct.pack_into("<IIIII", b, 512, 0, 8, 1, 0, 6)
    struct.pack_into("<IIIII", b, 512 + 128, 1, 8, 17, 1, 6)
    struct.pack_into("<IIIII", b, 4096 - 128, 0, 8, 1, 0, 6)
    struct.pack_into("<I", b, 152, fold(bytes(b), 152))
    return off, b
for name, (off, b) in {
    "v1.0": one((size // 512 - 16) // 8 * 8 * 512, 1, 2, 0, 2),
    "v1.1": one(0, -1, 3, 16, 3),
    "v1.2": one(4096, 5, 3, 16, 128),
    "v0.90": zero(size // 65536 * 65536 - 65536),
}.items():
    img = bytearray(size)
    img[off:off + len(b)] = b
    open(sys.argv[1] + "/" + name, "wb").write(img)
PY
for v in v0.90 v1.0 v1.1 v1.2; do
	mdadm --examine "$work/$v" | sed "s|$work/||" >"$v.examine"
	zstd -q -19 -f "$work/$v" -o "$v.img.zst"
done
