#!/bin/bash
# record.sh IMAGE.docker.tar REF > recorded.json: starts the image, which must have busybox, under podman without
# root, podman with root and docker with userns-remap, once for each line of cases.txt, and records what the
# program saw or what was said. Run it as root on Debian 12 with podman crun uidmap slirp4netns jq and a user
# "learner" that has 65536 ids in /etc/subuid and /etc/subgid from 100000 on. It sees version 2 of the control
# groups through a mount of its own, so that a host with both versions will do.
set -u
IMAGE=$(readlink -f "$1"); REF=$2; HERE=$(dirname "$(readlink -f "$0")"); U=learner; N=$(id -u $U)
PROBE='/bin/busybox id; /bin/busybox cat /proc/self/uid_map; echo; /bin/busybox cat /proc/self/gid_map; echo; /bin/busybox grep -E "^Cap(Eff|Bnd)" /proc/self/status; /bin/busybox stat -c "%u:%g" / /dev/null; echo $HOME; /bin/busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
if [ "${INSIDE:-}" = "" ]; then
  mkdir -p /run/user/$N; chown $U /run/user/$N
  exec env INSIDE=1 unshare -m --propagation private "$0" "$IMAGE" "$REF"
fi
mount --make-rshared /
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
user() { setpriv --reuid $U --regid $U --init-groups env -i HOME=/home/$U USER=$U PATH=/usr/bin:/bin:/usr/sbin:/sbin XDG_RUNTIME_DIR=/run/user/$N "$@"; }
both() { case $who in rootless) (cd /home/$U; user podman --storage-driver=overlay --cgroup-manager=cgroupfs --events-backend=file "$@");; *) podman --root /srv/rec/root --runroot /srv/rec/run --storage-driver=overlay --cgroup-manager=cgroupfs --events-backend=file "$@";; esac; }
for who in rootless root; do both load -q < "$IMAGE" > /dev/null 2>&1; done
while IFS='|' read -r who args; do
  [ -n "$who" ] || continue
  eval "set -- $args"
  out=$(mktemp); err=$(mktemp)
  both run --rm --pull=never "$@" "$REF" /bin/busybox sh -c "$PROBE" > $out 2> $err < /dev/null; rc=$?
  jq -n --arg who "$who" --arg out "$(< $out)" --arg err "$(< $err)" --argjson rc $rc '{who:$who,args:$ARGS.positional,exit_code:$rc,stdout:($out|split("\n")),stderr:($err|split("\n")|map(select(.!="")))}' --args -- "$@"
  rm -f $out $err
done < "$HERE/cases.txt" | jq -s .
