"""packages.py OUT.tar [MB]: a docker save archive of packages that this Debian has, a layer each, until there are MB
megabytes (300 unless told): a shell, then the largest of those that are at most a tenth of it."""
import hashlib, json, os, subprocess, sys, tarfile, tempfile

out, most = sys.argv[1], int(sys.argv[2]) << 20 if len(sys.argv) > 2 else 300 << 20
rows = subprocess.check_output(["dpkg-query", "-W", "-f", "${Installed-Size} ${binary:Package}\n"], text=True).split("\n")
sizes = {name: int(kib) << 10 for kib, name in (r.split() for r in rows if len(r.split()) == 2)}
packages = ["libc6:amd64", "dash"] + sorted((n for n in sizes if sizes[n] < most // 10), key=lambda n: -sizes[n])
config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["dash"]},
          "rootfs": {"type": "layers", "diff_ids": []}}
layers, total = [], 0
with tempfile.TemporaryDirectory() as work, tarfile.open(out, "w") as archive:
    for name in dict.fromkeys(packages):
        files = subprocess.check_output(["dpkg", "-L", name], text=True).split("\n")
        layer = os.path.join(work, "layer.tar")
        wanted = "".join(f"{f}\0" for f in files if f.startswith("/") and os.path.lexists(f))
        subprocess.run(["tar", "--no-recursion", "--null", "-C", "/", "-cf", layer, "-T", "-"],
                       input=wanted.encode(), stderr=subprocess.DEVNULL, check=True)
        if total + os.path.getsize(layer) > most:
            continue
        total += os.path.getsize(layer)
        with open(layer, "rb") as f:
            diff = hashlib.file_digest(f, "sha256").hexdigest()
        config["rootfs"]["diff_ids"].append("sha256:" + diff)
        layers.append(diff + "/layer.tar")
        archive.add(layer, layers[-1])
        if total > most * 9 // 10 or len(layers) == 40:
            break
    for name, value in ("config.json", config), ("manifest.json", [{"Config": "config.json", "RepoTags": ["packages:1"], "Layers": layers}]):
        path = os.path.join(work, name)
        with open(path, "w") as f:
            json.dump(value, f)
        archive.add(path, name)
print(f"{len(layers)} layers, {total >> 20} MB")
