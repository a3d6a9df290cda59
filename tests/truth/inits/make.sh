#!/bin/bash
# make.sh [NAME...]: builds the disks of recorded.txt in ./img: Debian's kernel, the initramfs of layouts/tiny.sh and a root file
# system of some megabytes with an init of Debian 12 (s6, runit, sysvinit, BusyBox, tini) or one of three lines. Needs root, gcc, go,
# busybox-static, grub-pc-bin and ./kernel, the package linux-image-6.1.0-56-cloud-amd64 unpacked. rec.sh records; recorded.txt has what agrees.
set -eu; HERE=$(dirname "$(readlink -f "$0")"); cd "${LAB:-$HERE}"; export LC_ALL=C; mkdir -p img t deb
PKGS="s6 execline libexecline2.9 libs6-2.11 libskarnet2.13 runit runit-init getty-run sysvinit-core libselinux1 libpcre2-8-0 tini dumb-init dash"
[ -e t/x ] || { (cd deb; for p in $PKGS; do ls ${p}_*.deb >/dev/null 2>&1 || apt-get -qq download $p; done); mkdir t/x; for p in $PKGS; do dpkg -x deb/${p}_*.deb t/x; done; }
[ -e initrd.img ] || { cp "$HERE/../layouts/tiny.sh" t/tiny.sh; bash t/tiny.sh; }
# the initramfs hands on what the kernel gives it for init
sed -i 's/switch_root \/root $init$/& "$@"/' i/init; (cd i; find . | sort | cpio --quiet -o -H newc | gzip -9n) >initrd.img

# put ROOT FILE...: files of the packages or of this machine, with their libraries
put() { local r=$1 f s l; shift; for f; do s=t/x$f; [ -e $s ] || s=$f; [ -d $s ] && { mkdir -p $r$f; cp -a $s/. $r$f; continue; }; install -D $s $r$f
  for l in $(LD_LIBRARY_PATH=t/x/usr/lib/x86_64-linux-gnu:t/x/lib/x86_64-linux-gnu ldd $s 2>/dev/null | grep -o '/[^ ]*\|t/x[^ ]*'); do d=/${l#t/x/}; [ -e $r/${d##//} ] || install -D $l $r/${d##//}; done; done; }
script() { mkdir -p $(dirname $1); cat >$1; chmod 755 $1; }
tree() { rm -rf t/$1; cp -a root t/$1; cd t/$1; rm sbin/init; mkdir -p run tmp usr/bin usr/sbin etc/init.d root lib; for a in $(bin/busybox --list); do [ -e bin/$a ] || ln -s busybox bin/$a; done; rm bin/init bin/linuxrc
  echo box >etc/hostname; printf 'Test \\n \\l\n\n' >etc/issue; echo 'root::0:0::/root:/bin/sh' >etc/passwd; echo root:x:0: >etc/group; cd ../..; }
X='#!/usr/bin/execlineb -P'; PATHS=/usr/lib/execline/bin:/usr/bin:/bin:/usr/sbin:/sbin
GETTY='getty -L 115200 ttyS0 vt100'

s6() { tree s6; local r=t/s6; put $r /usr/lib/execline /usr/bin/execlineb; put $r $(cd t/x; ls usr/lib/execline/bin/* usr/bin/s6-* | sed 's/^/\//')
  script $r/etc/s6/service/getty/run <<<"$X
$GETTY"
  script $r/sbin/init <<<"$X
export PATH $PATHS
cd /
umask 022
if { echo \"box: starts\" }
if { mount -n -t tmpfs -o mode=0755 tmpfs /run }
if { mount -t devtmpfs dev /dev }
foreground { hostname -F /etc/hostname }
if { cp -a /etc/s6/service /run }
redirfd -r 0 /dev/null
emptyenv -p
s6-svscan -t0 /run/service"; }
# s6log: as s6-linux-init-maker lays it out: stage 2 beside s6-svscan, whose messages a logger takes
s6log() { s6; rm -rf t/s6log; mv t/s6 t/s6log; local r=t/s6log; mkdir -p $r/run $r/etc/s6/service/s6-svscan-log; mkfifo $r/etc/s6/service/s6-svscan-log/fifo
  script $r/etc/s6/service/s6-svscan-log/run <<<"$X
redirfd -w 2 /dev/console
redirfd -w 1 /dev/null
redirfd -rnb 0 fifo
s6-log -bp -- t /run/uncaught-logs"
  script $r/etc/rc.init <<<"$X
redirfd -w 1 /dev/console
fdmove -c 2 1
foreground { echo \"rc.init: first\" }
importas -uD none WHAT what
foreground { echo \"rc.init: what is \${WHAT}\" }
if -n { test -e /run/nothing }
ifelse { test -d /run/service/getty } { echo \"rc.init: last\" }
echo \"rc.init: no getty\""
  script $r/etc/s6/service/.s6-svscan/crash <<<"$X
redirfd -r 0 /dev/console
redirfd -w 1 /dev/console
fdmove -c 2 1
foreground { echo \"s6-svscan crashed. Dropping to an interactive shell.\" }
/bin/sh -i"
  script $r/sbin/init <<<"$X
export PATH $PATHS
cd /
umask 022
if { mount -n -t tmpfs -o mode=0755 tmpfs /run }
if { mount -t devtmpfs dev /dev }
if { cp -a /etc/s6/service /run }
redirfd -r 0 /dev/null
background
{
  s6-setsid --
  redirfd -w 3 /run/service/s6-svscan-log/fifo
  fdclose 3
  /etc/rc.init
}
unexport !
redirfd -wnb 1 /run/service/s6-svscan-log/fifo
fdmove -c 2 1
s6-svscan -t0 /run/service"; }
runit() { tree runit; local r=t/runit; cp -a t/x/etc/runit t/x/etc/sv t/x/etc/service $r/etc/ 2>/dev/null || :; put $r /lib/runit $(cd t/x; find sbin usr/bin usr/sbin -name 'r*unit*' -o -name 'runsv*' -o -name chpst -o -name sv -o -name svlogd -o -name utmpset | sed 's/^/\//') /bin/dash
  put $r /usr/bin/install /usr/bin/realpath; ln -sf dash $r/bin/sh; ln -sf ../lib/runit/runit-init $r/sbin/init; rm -f $r/etc/runit/runsvdir/*/getty-*; ln -s ../../../sv/getty-ttyS0 $r/etc/runit/runsvdir/default/
  script $r/etc/rcS.d/S01mount.sh <<<'#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
hostname box'; }
sysv() { tree sysv; local r=t/sysv; put $r /sbin/init; script $r/etc/init.d/rcS <<<'#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
hostname box
echo rcS: done'
  tab t/sysv id:2:initdefault: si::sysinit:/etc/init.d/rcS "T0:23:respawn:/sbin/$GETTY"; ln -s ../bin/busybox $r/sbin/getty; }
bb() { tree bb; local r=t/bb; ln -s ../bin/busybox $r/sbin/init; ln -s ../bin/busybox $r/sbin/getty; script $r/etc/init.d/rcS <<<'#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
hostname box
echo rcS: done'
  tab t/bb ::sysinit:/etc/init.d/rcS "ttyS0::respawn:/sbin/$GETTY"; }
tab() { local r=$1; shift; printf '%s\n' "$@" >$r/etc/inittab; }
min() { tree min; local r=t/min; put $r /bin/dash /usr/bin/tini /usr/bin/tini-static /usr/bin/dumb-init; printf 'int main(void){return 7;}' >t/c.c; gcc -static -Os -o $r/bin/seven t/c.c; printf 'int main(void){*(volatile int*)0=1;}' >t/c.c; gcc -static -O0 -o $r/bin/crash t/c.c
  mkdir -p t/go; printf 'package main\n\nfunc main() { println("hello of Go"); panic("no more") }\n' >t/go/main.go; (cd t/go; CGO_ENABLED=0 go build -ldflags=-s -o ../../$r/bin/gopanic main.go); }

# disk NAME TREE CMDLINE [HOOK]: one ext4 partition behind a GRUB that has all it needs in its core image
only=" $* "
disk() { [ "$only" = "  " ] || [[ $only == *" $1 "* ]] || return 0; local n=$1 r=t/d; rm -rf $r; cp -a t/$2 $r; mkdir -p $r/boot/grub; cp vmlinuz $r/boot/; cp initrd.img $r/boot/
  printf 'linux /boot/vmlinuz root=/dev/vda1 console=ttyS0 panic=-1 %s\ninitrd /boot/initrd.img\nboot\n' "$3" >$r/boot/grub/grub.cfg; [ -z "${4:-}" ] || (cd $r; eval "$4")
  local m=$(($(du -sm $r | cut -f1) + 16)); rm -f img/$n.raw t/fs.img; mke2fs -q -t ext4 -E lazy_itable_init=0 -U b0070050-0000-4000-8000-0000000000aa -d $r t/fs.img ${m}M; truncate -s $((m + 1))M img/$n.raw; printf 'label: dos\nlabel-id: 0xb0070050\nstart=2048, type=83, bootable\n' | sfdisk -q img/$n.raw; dd if=t/fs.img of=img/$n.raw bs=1M seek=1 conv=notrunc,sparse status=none
  python3 - img/$n.raw t/core.img <<'P'
import sys,struct
boot=open('/usr/lib/grub/i386-pc/boot.img','rb').read(); core=bytearray(open(sys.argv[2],'rb').read()); core+=b'\0'*(-len(core)%512)
struct.pack_into('<QHH',core,0x1f4,2,len(core)//512-1,0x820)
with open(sys.argv[1],'r+b') as f:
    old=f.read(512); b=bytearray(boot[:512]); b[0x1b8:]=old[0x1b8:]; struct.pack_into('<Q',b,0x5c,1); b[0x66:0x68]=b'\x90\x90'; f.seek(0); f.write(b+core)
P
}
grub-mkimage -O i386-pc -p '(,msdos1)/boot/grub' -o t/core.img biosdisk part_msdos ext2 normal linux
S='>etc/s6/service'
s6
disk s6-plain s6 rw; disk s6-ro s6 ro; disk s6-direct s6 'rw init=/usr/bin/s6-svscan -- /etc/s6/service' 'mknod dev/console c 5 1; mknod dev/null c 1 3; mknod dev/ttyS0 c 4 64'
disk s6-norun s6 rw 'mkdir etc/s6/service/web'; disk s6-noexec s6 rw 'mkdir etc/s6/service/web; echo "#!/bin/sh" >etc/s6/service/web/run'
disk s6-nointerp s6 rw 'script etc/s6/service/web/run <<<"#!/bin/nothing"'; disk s6-down s6 rw 'touch etc/s6/service/getty/down'
disk s6-noscandir s6 rw 'sed -i "s/\/run\/service/\/run\/services/" sbin/init'; disk s6-syntax s6 rw 'sed -i "s/starts\\\" }/starts\\\"/" sbin/init'
disk s6-notfound s6 rw 'sed -i s/emptyenv/emptienv/ sbin/init'; disk s6-iffails s6 rw 'rm -r etc/s6/service'; disk s6-nosupervise s6 rw 'rm usr/bin/s6-supervise'
disk s6-nofinish s6 rw 'script etc/s6/service/stop/run <<<"$X
foreground { echo stop: asks }
s6-svscanctl -t /run/service"'
disk s6-finish s6 rw 'script etc/s6/service/stop/run <<<"$X
s6-svscanctl -t /run/service"; script etc/s6/service/.s6-svscan/finish <<<"#!/bin/sh
echo finish: \$*
exec sh"'
disk s6-logged s6 rw 'script etc/s6/service/web/run <<<"#!/bin/sh
echo web: to the log
echo web: to the console >&2
exec sleep 1000"; script etc/s6/service/web/log/run <<<"$X
s6-log -b -- n3 /tmp/web"'
disk s6-restarts s6 rw 'script etc/s6/service/web/finish <<<"#!/bin/sh
echo finish: \$*
exit 125"; script etc/s6/service/web/run <<<"#!/bin/sh
echo web: ends
exit 3"'
s6log
disk s6-log s6log 'rw what=42'; disk s6-crash s6log rw 'script etc/s6/service/stop/run <<<"$X
s6-svscanctl -t /run/service"'; disk s6-lost s6log rw 'mkdir etc/s6/service/web'; disk s6-nologger s6log rw 'rm etc/s6/service/s6-svscan-log/run'
runit
disk runit-good runit rw; disk runit-ro runit ro; disk runit-norun runit rw 'rm etc/sv/getty-ttyS0/run'; disk runit-noexec runit rw 'chmod 644 etc/sv/getty-ttyS0/run'
disk runit-no1 runit rw 'rm etc/runit/1'; disk runit-no2 runit rw 'rm etc/runit/2'; disk runit-1noexec runit rw 'chmod 644 etc/runit/1'; disk runit-100 runit rw 'printf "#!/bin/sh\nexit 100\n" >etc/runit/1; printf "#!/bin/sh\necho stage 3\n" >etc/runit/3'
disk runit-norunit runit rw 'rm sbin/runit'; disk runit-nosh runit rw 'rm bin/sh'; disk runit-111 runit rw 'printf "#!/bin/sh\necho stage 2\nsleep 3\nexit 111\n" >etc/runit/2'; disk runit-solo runit 'rw runitdir=solo'; disk runit-2ends runit rw 'printf "#!/bin/sh\necho stage 2\n" >etc/runit/2; printf "#!/bin/sh\necho stage 3\n" >etc/runit/3'
sysv
disk sysv-good sysv rw; disk sysv-fast sysv rw 'echo "x:2:respawn:/bin/true" >>etc/inittab'; disk sysv-missing sysv rw 'echo "x:2:respawn:/bin/gone now" >>etc/inittab'; disk sysv-nomore sysv rw 'tab . id:2:initdefault: si::sysinit:/etc/init.d/rcS l2:2:wait:/bin/true'
disk sysv-notab sysv rw 'rm etc/inittab'; disk sysv-nolevel sysv rw 'sed -i s/id:2/id:4/ etc/inittab'; disk sysv-waitfails sysv rw 'echo "w:2:wait:/bin/sh -c \"echo wait: fails; exit 3\"
y:2:wait:/bin/gone
z:2:once:/bin/echo once: here" >>etc/inittab'
disk sysv-bad sysv rw 'echo "bad
toolong:2:wait:/bin/true
a:2:sometimes:/bin/true
T0:2:wait:/bin/true
q:2:wait" >>etc/inittab'; disk sysv-noinitdefault sysv rw 'sed -i 1d etc/inittab'; disk sysv-boot sysv rw 'echo "b1::boot:/bin/echo boot: here
b2::bootwait:/bin/echo bootwait: here" >>etc/inittab'; disk sysv-single sysv 'rw single'; disk sysv-halt sysv rw 'sed -i s/id:2/id:0/ etc/inittab'
bb
disk bb-good bb rw; disk bb-askfirst bb rw 'tab . ::sysinit:/etc/init.d/rcS ttyS0::askfirst:-/bin/sh'; disk bb-notab bb rw 'rm etc/inittab'; disk bb-norcs bb rw 'rm etc/inittab etc/init.d/rcS'
disk bb-missing bb rw 'tab . ::sysinit:/etc/init.d/rcS ::respawn:/bin/gone'; disk bb-waitfails bb rw 'tab . ::sysinit:/etc/init.d/rcS "::wait:/bin/sh -c \"echo wait: fails; exit 3\"" ::once:/bin/gone "::wait:/bin/echo wait: here" "ttyS0::respawn:/sbin/$GETTY"'
disk bb-bad bb rw 'tab . ::sysinit:/etc/init.d/rcS bad ::sometimes:/bin/true "tty9::wait:/bin/echo nine" "ttyS0::respawn:/sbin/$GETTY"'; disk bb-single bb 'rw single'
disk bb-shell bb rw 'tab . ::sysinit:/etc/init.d/rcS ::respawn:-/bin/sh'; disk bb-norcsexec bb rw 'chmod 644 etc/init.d/rcS'
min
I="rw init=/bin"
disk min-sh min "$I/sh"; disk min-dash min "$I/dash"; disk min-true min "$I/true"; disk min-false min "$I/false"; disk min-seven min "$I/seven"; disk min-crash min "$I/crash"; disk min-go min "$I/gopanic"
disk min-script min "$I/script" 'script bin/script <<<"#!/bin/sh
echo script: runs
exit 3"'; disk min-dashscript min "$I/script" 'script bin/script <<<"#!/bin/dash
echo script: runs as \$\$
nothing
. /etc/gone
echo script: not here"'; disk min-kill min "$I/script" 'script bin/script <<<"#!/bin/dash
kill -KILL \$\$
kill -TERM 1
echo script: lives
kill -SEGV \$\$
exit 130"'; disk min-noshebang min "$I/script" 'printf "echo script: runs\n" >bin/script; chmod 755 bin/script'; disk min-empty min "$I/script" ':>bin/script; chmod 755 bin/script'
disk min-exec min "$I/script" 'script bin/script <<<"#!/bin/sh
echo script: goes on
exec /bin/gone"'; disk min-sete min "$I/script" 'script bin/script <<<"#!/bin/sh -e
mount -t proc proc /proc
false
echo script: not here"'
T="rw init=/usr/bin/tini"
disk min-tini min "$T -- -- /bin/sh"; disk min-tininone min "$T"; disk min-tinigone min "$T -- -- /bin/gone"; disk min-tinifalse min "$T-static -- -- /bin/false"; disk min-tiniv min "$T -- -v /bin/true"; disk min-dumb min 'rw init=/usr/bin/dumb-init -- /bin/false'; disk min-dumbgone min 'rw init=/usr/bin/dumb-init -- /bin/gone'; disk min-dumbnone min 'rw init=/usr/bin/dumb-init'
