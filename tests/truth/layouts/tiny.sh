#!/bin/bash
# tiny.sh: vmlinuz, initrd.img and root/ for the disks of make.sh, from Debian's kernel and busybox.
set -eu; K=6.1.0-56-cloud-amd64; X=$(readlink -f "${X:-kernel}") # the package linux-image-$K, unpacked; modinfo gives absolute names
M=lib/modules/$K
rm -rf i root; mkdir -p i/{bin,proc,sys,dev,root,$M} root/{bin,sbin,dev,proc,sys,etc,boot,home,var}
cp $X/boot/vmlinuz-$K vmlinuz
cp $X/$M/modules.{builtin,order} i/$M/; cp $X/$M/modules.builtin.modinfo i/$M/
depmod -b $X $K 2>/dev/null || :
add() { local m=$1 f; f=$(modinfo -b $X -k $K -n $m 2>/dev/null) || return 0; case $f in *builtin*) return;; esac; [ -e i/${f#$X/} ] && return; install -D $f i/${f#$X/}
  local d; for d in $(modinfo -b $X -k $K -F depends $m | tr , ' ') $(modinfo -b $X -k $K -F softdep $m | grep -o 'pre: .*' | sed 's/pre: //'); do add $d; done; }
for m in virtio_pci virtio_blk xfs btrfs crc32c_generic ext4; do add $m; done
depmod -b i $K
cp /bin/busybox i/bin/; cp /bin/busybox root/bin/
for a in sh mount mkdir echo cat modprobe findfs switch_root sleep poweroff reboot blkid umount; do ln -s busybox i/bin/$a; ln -s busybox root/bin/$a; done
cat >i/init <<'E'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "tiny: command line $(cat /proc/cmdline)"
for m in virtio_pci virtio_blk xfs btrfs; do modprobe $m; done
root= flags= type= init=/sbin/init mode=ro
for w in $(cat /proc/cmdline); do
	case $w in
	root=*) root=${w#root=} ;;
	rootflags=*) flags=,${w#rootflags=} ;;
	rootfstype=*) type="-t ${w#rootfstype=}" ;;
	init=*) init=${w#init=} ;;
	rw) mode=rw ;;
	esac
done
case $root in
UUID=* | LABEL=* | PARTUUID=*) dev=$(findfs $root) ;;
*) dev=$root ;;
esac
if [ -z "$dev" ]; then
	echo "tiny: no device has $root"
	sleep 1
	poweroff -f
fi
echo "tiny: mounting $dev"
mount $type -o $mode$flags $dev /root || { echo "tiny: cannot mount $dev"; sleep 1; poweroff -f; }
exec switch_root /root $init
E
chmod +x i/init
(cd i; find . | LC_ALL=C sort | cpio --quiet -o -H newc | gzip -9n) >initrd.img
printf '#!/bin/sh\necho "tiny-root: $0 of $(cat /etc/hostname) runs"\nsleep 1\npoweroff -f\n' >root/sbin/init; chmod +x root/sbin/init; mkdir -p root/$M; cp $X/$M/modules.builtin* $X/$M/modules.order root/$M/; ls -la vmlinuz initrd.img; find i -name '*.ko' | wc -l
