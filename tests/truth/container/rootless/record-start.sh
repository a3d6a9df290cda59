#!/bin/bash
# record-start.sh IMAGE.docker.tar REF PROGRAM: records the system calls of a start under podman without root, from the
# first podman to the execve of PROGRAM, into start*.txt here. Needs what record.sh needs, strace and python3.
set -u
IMAGE=$(readlink -f "$1"); REF=$2; PROGRAM=$3; HERE=$(dirname "$(readlink -f "$0")"); U=learner; N=$(id -u $U)
if [ "${INSIDE:-}" = "" ]; then
  mkdir -p /run/user/$N; chown $U /run/user/$N
  exec env INSIDE=1 unshare -m --propagation private "$0" "$IMAGE" "$REF" "$PROGRAM"
fi
mount --make-rshared /
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
cd /home/$U; T=$(mktemp -d)
# The pause process stays; it is ended so that strace can end, and so that the next podman makes its namespaces anew.
unpause() { for p in $(pgrep -u $U catatonit); do kill -9 $p; done; }
PODMAN="setpriv --reuid $U --regid $U --init-groups env -i HOME=/home/$U USER=$U PATH=/usr/bin:/bin:/usr/sbin:/sbin XDG_RUNTIME_DIR=/run/user/$N podman --storage-driver=overlay --cgroup-manager=cgroupfs --events-backend=file"
$PODMAN load -q < "$IMAGE"
rec() { # NAME ARG...
  local name=$1; shift; unpause
  strace -f -ttt -y -s 200 -e signal=none -e trace=process,unshare,setns,move_mount,mount,umount2,pivot_root,setuid,setgid,setresuid,setresgid,setgroups,setsid,sethostname,capset,prctl,seccomp,prlimit64,mknod,mknodat,symlink,symlinkat,open_tree,mount_setattr,keyctl,write -o $T/$name $PODMAN run --rm --pull=never "$@" "$REF" "$PROGRAM" a b < /dev/null > $T/$name.out & local s=$!
  until [ -s $T/$name.out ]; do sleep .2; done; sleep 4; unpause; wait $s
  # The recording begins with podman, not with what became the user.
  sed -n '/execve("[^"]*podman", /,$p' $T/$name > $T/$name.cut; python3 "$HERE/distil.py" $T/$name.cut "$PROGRAM" > "$HERE/$name.txt"; }
rec start --network none
rec start-keep-id --network none --userns keep-id
rec start-slirp
rm -rf $T
