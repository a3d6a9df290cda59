"""distill.py LOG: the lines of a recorded serial console that decide something, once each."""
import re, sys
d = open(sys.argv[1], "rb").read().decode("latin1")
d = re.sub("\x1b\\[([0-9;]*)H", "\n", d); d = re.sub("\x1b\\[[0-9;=?]*[a-zA-Z]", "", d)
keep = re.compile(r"^(BdsDxe: |Failed to (open|load image)|start_image|Verification failed|error: |EFI stub: |Reset System|Loading |Welcome to GRUB|bb-init|Failed to boot both|UEFI Interactive Shell)")
last = None
for l in re.split("[\r\n]", d):
    l = re.sub("[^ -~]", "", l).strip()
    half = l[:len(l) // 2]
    if half and half + half == l:  # GRUB writes to the screen and to the serial port
        l = half
    if keep.match(l) and l != last:
        print(l)
    last = l if l else last
