"""tiny.py OUT: the smallest EFI program that sbsign takes: two sections, some data behind the last."""
import struct, sys
text, data = b"\x31\xc0\xc3" + bytes(509), b"bootpath".ljust(512, b"\0")
dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 2, 0, 0, 0, 0xf0, 0x206)
opt = struct.pack("<HBBIIIII", 0x20b, 0, 0, 512, 512, 0, 0x1000, 0x1000)
opt += struct.pack("<QIIHHHHHHIIIIHH", 0, 0x1000, 0x200, 0, 0, 0, 0, 0, 0, 0, 0x3000, 0x200, 0, 10, 0)
opt += struct.pack("<QQQQII", 0, 0, 0, 0, 0, 16) + bytes(128)
def section(name, rva, off):
    return struct.pack("<8sIIIIIIHHI", name, 512, rva, 512, off, 0, 0, 0, 0, 0x60000020)
head = (dos + coff + opt + section(b".text", 0x1000, 0x200) + section(b".data", 0x2000, 0x400)).ljust(512, b"\0")
open(sys.argv[1], "wb").write(head + text + data)
