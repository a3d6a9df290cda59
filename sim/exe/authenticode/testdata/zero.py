"""zero.py IN OUT: zeroes all of a program but its headers, certificate table, .vendor_cert, .sbat and .sbatlevel."""
import struct, sys
d = bytearray(open(sys.argv[1], "rb").read())
pe, = struct.unpack_from("<I", d, 0x3c)
n, = struct.unpack_from("<H", d, pe + 6)
size, = struct.unpack_from("<H", d, pe + 20)
strings = struct.unpack_from("<II", d, pe + 12)
names = strings[0] + 18 * strings[1]
for i in range(n):
    at = pe + 24 + size + 40 * i
    name, vsize, rva, raw, off = struct.unpack_from("<8sIIII", d, at)
    name = name.rstrip(b"\0").decode()
    if name.startswith("/"):
        s = names + int(name[1:])
        name = d[s:d.index(0, s)].decode()
    if name not in (".vendor_cert", ".sbat", ".sbatlevel"):
        d[off:off + raw] = bytes(raw)
open(sys.argv[2], "wb").write(d)
