#!/bin/bash
# record.sh BUSYBOX.oci.tar BUSYBOX.docker.tar DIR > recorded.json: breaks the images (mkbroken.py) into DIR and gives each to
# podman load, docker load and ctr image import. Run it as root with podman 4.3, a dockerd 20.10 and its containerd (DOCKER_HOST,
# CONTAINERD_ADDRESS), python3 and jq. What comes after "Loaded" is not looked at.
set -u
HERE=$(dirname "$(readlink -f "$0")"); mkdir -p "$3"; python3 "$HERE/mkbroken.py" "$(readlink -f "$1")" "$(readlink -f "$2")" "$3"; cd "$3"
T=$(mktemp -d); P="podman --root $T/root --runroot $T/run --storage-driver=overlay --cgroup-manager=cgroupfs --events-backend=file"
row() { # NAME COMMAND...: {"NAME": {exit_code, output}}
  local name=$1 out rc; shift; out=$("$@" 2>&1); rc=$?
  jq -n --arg n $name --arg o "$out" --argjson rc $rc '{($n):{exit_code:$rc,output:($o|split("\n")|map(select(.!="" and (startswith("time=")|not))|sub("^unpacking .*?[.]{3}(?=ctr:)";""))|map(select(startswith("unpacking")|not)))}}'; }
for f in *.tar; do
  { jq -n --arg f "$f" '{file:$f}'; row podman $P load -q -i $f; row docker docker load -q -i $f; row ctr ctr -n broken image import $f; } | jq -s add
  $P rmi -af > /dev/null 2>&1; docker rmi -f busybox:1 > /dev/null 2>&1; for i in $(ctr -n broken image ls -q); do ctr -n broken image rm --sync $i > /dev/null; done
done | jq -s .
rm -rf $T
