#!/bin/bash
# rec.sh NAME bios|uefi [LIMIT]: boots img/NAME.raw in QEMU and keeps the serial console in rec/NAME.MODE.log. A second reset of the machine ends it.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; N=$1; M=$2; L=${3:-400}; mkdir -p rec t; W=$(mktemp -d t/run.XXXX); trap 'rm -rf $W' EXIT
qemu-img create -q -f qcow2 -b $PWD/img/$N.raw -F raw $W/ov.qcow2
a=(-accel tcg,tb-size=256 -cpu Nehalem -m 1024 -display none -net none -serial stdio -monitor none ${REBOOT:--no-reboot}); for f in $W/ov.qcow2 ${EXTRA:-}; do a+=(-drive "if=virtio,format=qcow2,file=$f"); done
case $M in uefi) cp /usr/share/OVMF/OVMF_VARS_4M.fd $W/v.fd; a+=(-machine q35,smm=off -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd -drive if=pflash,format=raw,unit=1,file=$W/v.fd);; esac
printf '\xe8\x03\0\0\0\0\0\0' >$W/sercon; [ $M = bios ] && a+=(-serial null -serial file:rec/$N.screen -fw_cfg name=etc/sercon-port,file=$W/sercon)
nice timeout $L qemu-system-x86_64 "${a[@]}" </dev/null >rec/$N.$M.log 2>rec/$N.$M.err & q=$!
old=0; quiet=0 # the end is the machine's own, or half a minute of silence
while kill -0 $q 2>/dev/null; do sleep 2; new=$(cat rec/$N.$M.log rec/$N.screen 2>/dev/null | wc -c); [ $new = $old ] && quiet=$((quiet + 2)) || quiet=0; old=$new; [ $quiet -lt ${QUIET:-100} ] && ! { [ $quiet -ge 4 ] && tail -c 300 rec/$N.$M.log | tr -d "\r" | grep -aqE "grub(> | rescue> )$|grub> .{0,12}$"; } || { kill $q; break; }; done; wait $q || :
