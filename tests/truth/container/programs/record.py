#!/usr/bin/env python3
"""record.py IMAGES > recorded.json: gives scripts and small programs to docker and records what they print and their
exit codes. Run it as root with a dockerd 20.10 (DOCKER_HOST) on a host without swap; IMAGES has busybox.docker.tar and
debian-slim.docker.tar. Each script is run by each shell."""
import json, subprocess, sys

shells = [("busybox", ["/bin/busybox", "sh"]), ("debian-slim", ["sh"]), ("debian-slim", ["bash"])]
rows = json.load(open(__file__.replace("record.py", "cases.json")))
for image in ("busybox", "debian-slim"):
    subprocess.run(["docker", "load", "-q", "-i", f"{sys.argv[1]}/{image}.docker.tar"], stdout=subprocess.DEVNULL, check=True)

def run(image, options, command):
    p = subprocess.run(["docker", "run", "--rm", "--pull=never", "--network=none", *options, image + ":1", *command],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    text = lambda b: b.decode(errors="replace")[:600]
    return {"image": image, "options": options, "command": command, "exit_code": p.returncode, "stdout": text(p.stdout), "stderr": text(p.stderr)}

out = []
for row in rows:
    options = row.get("options", [])
    if "script" in row:
        for image, shell in shells:
            out.append(run(image, options, [*shell, *row.get("flags", []), "-c", row["script"], *row.get("args", [])]))
    else:
        for image in [row["image"]] if "image" in row else ["busybox", "debian-slim"]:
            command = (["/bin/busybox"] if image == "busybox" else []) + row["command"]
            out.append(run(image, options, command))
print("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in out) + "\n]")
