#!/bin/bash
# rec.sh NAME...: boots img/NAME.raw in QEMU and keeps the serial console in rec/NAME.bios.log. The end is the machine's own, a prompt,
# or half a minute in which the machine wrote nothing and was idle, however busy the host is.
set -u; cd "${LAB:-$(dirname "$(readlink -f "$0")")}"; mkdir -p rec
for n; do
  [ -e rec/$n.done ] && continue
  qemu-system-x86_64 -accel tcg,tb-size=256 -cpu Nehalem -m 512 -display none -net none -no-reboot -serial file:rec/$n.bios.log -monitor none -drive if=virtio,format=raw,snapshot=on,file=img/$n.raw </dev/null 2>rec/$n.err & q=$!
  old=0; cpu=0; idle=0; for ((i = 0; i < 300; i++)); do sleep 2; kill -0 $q 2>/dev/null || break
    new=$(stat -c %s rec/$n.bios.log 2>/dev/null || echo 0); now=$(awk '{print $14 + $15}' /proc/$q/stat 2>/dev/null || echo 0)
    [ $new = $old ] && [ $((now - cpu)) -lt 12 ] && idle=$((idle + 1)) || idle=0; old=$new; cpu=$now
    grep -aq 'tiny: mounting' rec/$n.bios.log || continue
    [ $idle -ge 15 ] || { [ $idle -ge 3 ] && tail -c 60 rec/$n.bios.log | tr -d '\r\n' | grep -aqE '(login: |[#$] |runlevel: )$'; } && break; done
  kill $q 2>/dev/null; wait $q; touch rec/$n.done
done
