#!/bin/bash
# rec.sh DISK CASE [LIMIT]: boots img/DISK.raw or .iso in QEMU with the initramfs and the command line of that line of cases.txt, and keeps the
# serial console in rec/DISK.CASE.log. It ends when a prompt stays, when the machine powers off, or after LIMIT seconds.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; D=$1 C=$2; mkdir -p rec
line=$(grep -E "^$D[[:space:]]+$C[[:space:]]" cases.txt | head -1); read -r _ _ initrd append <<<"$line"
L=rec/$D.$C.log; rm -f "$L"
a=(-accel tcg,tb-size=256 -cpu Nehalem -m 1024 -display none -no-reboot -net none -monitor none -serial "file:$L" -kernel boot/vmlinuz -initrd "boot/$initrd" -append "$append console=ttyS0 no_timer_check")
if [ -e "img/$D.iso" ]; then a+=(-device virtio-scsi-pci -drive "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=img/$D.iso" -device scsi-cd,drive=cd)
else a+=(-snapshot -drive "if=virtio,format=raw,file=img/$D.raw"); fi
qemu-system-x86_64 "${a[@]}" </dev/null 2>"rec/$D.$C.err" & q=$!
old=-1 still=0 t=0
while kill -0 $q 2>/dev/null && [ $t -lt "${3:-400}" ]; do sleep 2; t=$((t + 2)); n=$(stat -c %s "$L" 2>/dev/null || echo 0); [ "$n" = $old ] && still=$((still + 2)) || still=0; old=$n
  [ $still -ge 6 ] && tail -c 400 "$L" | tr -d '\r' | grep -aqE '\(initramfs\) (.\[6n)?$|dracut:.*# $|(disk|passphrase for) [^\n]*: ?$|press (Enter|Control-D)|end Kernel panic|Press Enter for maintenance|login: $' && break; done
kill $q 2>/dev/null || :; wait $q 2>/dev/null || :; touch rec/$D.$C.done; echo "$D.$C: $t s"
