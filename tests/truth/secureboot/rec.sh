#!/bin/bash
# rec.sh NAME secure|plain [SECONDS]: boots img/NAME.raw in QEMU (OVMF, with Microsoft's keys or without Secure Boot) and keeps the
# serial console in rec/NAME.MODE.log. Nobody presses a key.
set -eu; N=$1; M=$2; L=${3:-120}; mkdir -p rec; W=$(mktemp -d t/run.XXXX)
case $M in secure) C=OVMF_CODE_4M.ms.fd V=OVMF_VARS_4M.ms.fd S=on;; *) C=OVMF_CODE_4M.fd V=OVMF_VARS_4M.fd S=off;; esac
cp /usr/share/OVMF/$V $W/vars.fd; qemu-img create -q -f qcow2 -b $PWD/img/$N.raw -F raw $W/ov.qcow2
timeout $L qemu-system-x86_64 -accel tcg,tb-size=256 -cpu Nehalem -m 1024 -display none -no-reboot -net none -machine q35,smm=$S -global ICH9-LPC.disable_s3=1 \
 $( [ $S = on ] && echo -global driver=cfi.pflash01,property=secure,value=on ) \
 -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/$C -drive if=pflash,format=raw,unit=1,file=$W/vars.fd \
 -drive if=virtio,format=qcow2,file=$W/ov.qcow2 -serial stdio -monitor none </dev/null >rec/$N.$M.log 2>rec/$N.$M.err || :
rm -rf $W
