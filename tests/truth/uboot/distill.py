"""distill.py LOG...: what U-Boot decided, from recorded consoles called NAME.VERSION.log."""
import re, sys
for path in sys.argv[1:]:
    name, version, _ = path.split("/")[-1].rsplit(".", 2)
    d = re.sub("\x1b\\[[0-9;=?]*[a-zA-Z]", "", open(path, "rb").read().decode("latin1"))
    print("==", name, version)
    seen, out = set(), []
    def say(line):
        if line not in seen:
            seen.add(line); out.append(line)
    for l in re.split("[\r\n]+", d):
        if m := re.search(r"(?:ready .*? |Found )(/\S*extlinux\.conf)", l): say("config " + m[1])
        elif m := re.search(r"(?:script +ready .*? |Found U-Boot script )(/\S+)", l): say("script " + m[1])
        elif m := re.match(r"Retrieving file: (\S+)", l):
            if not m[1].endswith("extlinux.conf"): say("file " + m[1])
        elif m := re.match(r"Skipping (\S+) for failure", l): say("skip " + m[1])
        elif m := re.search(r"Kernel command line: (.*)", l): say("cmdline " + m[1].strip())
    print("\n".join(sorted(out)))
