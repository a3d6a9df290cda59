#!/bin/bash
# rec.sh NAME VERSION [LIMIT]: boots img/NAME.raw on QEMU's virt with uVERSION/usr/lib/u-boot/qemu_arm64/u-boot.bin (the package u-boot-qemu,
# unpacked) and keeps the console in rec/NAME.uVERSION.log.
set -eu; cd "$(dirname "$(readlink -f "$0")")"; mkdir -p rec t; W=$(mktemp -d t/run.XXXX); trap 'rm -rf $W' EXIT
qemu-img create -q -f qcow2 -b $PWD/img/$1.raw -F raw $W/ov.qcow2
nice timeout ${3:-150} qemu-system-aarch64 -M virt -cpu cortex-a57 -m 1024 -display none -no-reboot -net none -bios u$2/usr/lib/u-boot/qemu_arm64/u-boot.bin -drive if=virtio,format=qcow2,file=$W/ov.qcow2 -serial stdio -monitor none </dev/null >rec/$1.u$2.log || :
