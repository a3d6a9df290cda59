#!/bin/bash
# rec.sh NAME KIND FILE [SECONDS]: boots FILE as KIND (cdrom, floppy, disk) under SeaBIOS and keeps the text screen in rec/NAME.txt
set -u; cd "$(dirname "$(readlink -f "$0")")"; n=$1; f=$3; mkdir -p rec t; L=${4:-15}
case $2 in cdrom) d=(-cdrom $f -boot d);; floppy) d=(-drive file=$f,format=raw,if=floppy,readonly=on -boot a);; disk) d=(-drive file=$f,format=raw,if=ide,snapshot=on);; esac
( for i in $(seq $L); do sleep 1; echo "pmemsave 0xb8000 4000 \"t/$n.vga.$i\""; done; sleep 0.5; echo "pmemsave 0x410 2 \"t/$n.equip\""; echo quit ) | timeout --foreground $((L+30)) qemu-system-x86_64 -accel tcg,tb-size=128 -m ${MEM:-256} -display none -net none -serial file:rec/$n.ser -chardev file,id=s,path=rec/$n.bios -device isa-debugcon,iobase=0x402,chardev=s -monitor stdio "${d[@]}" ${EXTRA:-} >/dev/null 2>rec/$n.err
python3 - $n $L <<'P'
import sys,re
n,L=sys.argv[1],int(sys.argv[2])
last=None
with open('rec/%s.txt'%n,'w') as o:
    for i in range(1,L+1):
        try: b=open('t/%s.vga.%d'%(n,i),'rb').read()
        except OSError: continue
        t='\n'.join(b[r*160:(r+1)*160:2].decode('cp437').replace('\0',' ').rstrip() for r in range(25)).rstrip()
        if t!=last: o.write('== %d\n%s\n'%(i,t)); last=t
P
rm -f t/$n.vga.*; awk '/^==/{s=""} {s=s $0 "\n"} END{printf "%s",s}' rec/$n.txt
