#!/bin/bash
# rec.sh NAME [SECONDS]: boots images/NAME.iso or .qcow2 in QEMU with the machine that starts are simulated on and keeps the
# serial console in rec/NAME.bios.log.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; mkdir -p rec
a=(-accel tcg,tb-size=256 -cpu Nehalem -m 1024 -display none -no-reboot -net none -monitor none -serial "file:rec/$1.bios.log")
if [ -e "images/$1.iso" ]; then a+=(-device virtio-scsi-pci -drive "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=images/$1.iso" -device scsi-cd,drive=cd,bootindex=1)
else a+=(-snapshot -drive "if=virtio,format=qcow2,file=images/$1.qcow2"); fi
timeout "${2:-900}" qemu-system-x86_64 "${a[@]}" </dev/null || :
