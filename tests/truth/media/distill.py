"""distill.py SCREEN...: recorded.txt of what rec.sh kept: the last screen of each medium from the attempt that its code belongs to on, without blank lines."""
import sys
for path in sys.argv[1:]:
    print("==", path.split("/")[-1].removesuffix(".txt"))
    lines = [l for l in open(path).read().split("== ")[-1].split("\n")[1:] if l.strip()]
    starts = [i for i, l in enumerate(lines) if l.startswith("Booting from")]
    if starts and len(starts) > 2:  # over and over
        lines = lines[starts[0]:starts[2]]
    elif starts:
        lines = lines[starts[0]:]
    print("\n".join(lines))
