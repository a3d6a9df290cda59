"""distill.py PATTERN LOG...: of recorded serial consoles the lines that decide something, as recorded.txt has them. A log is called NAME.MODE.log."""
import re, sys
keep = re.compile(sys.argv[1])
for path in sys.argv[2:]:
    name, mode, _ = path.split("/")[-1].rsplit(".", 2)
    print("==", name, mode)
    d = open(path, "rb").read().decode("latin1")
    d = re.sub("\x1b\\[([0-9;]*)H", "\n", d); d = re.sub("\x1b\\[[0-9;=?]*[a-zA-Z]", "", d)
    d = re.sub(r"(error: [^\r\n]{73})[\r\n]+(?=\S)", r"\1", d)  # GRUB breaks lines behind column 79
    last = None
    for l in re.split("[\r\n]", d):
        l = re.sub(r"^\[ *[0-9.]+\] ", "", re.sub("[^ -~]", "", l)).strip()
        half = l[:len(l) // 2]
        if half and half + half == l:  # GRUB writes to the screen and to the serial port
            l = half
        if keep.match(l) and l != last:
            print(l)
        last = l if l else last
