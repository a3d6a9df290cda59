#!/bin/sh
# Makes the fixtures of this directory with mkfs.erofs 1.5 of erofs-utils (as root: attributes, owners,
# devices). What they hold is listed by find (*.list: mode, owner, size, links, time, name, target) and
# summed up (*.sums) from the source; fsck.erofs unpacks each volume, the result is compared with the
# source. Needs setcap and openssl.
set -eu
cd "$(dirname "$0")"
here=$PWD
export TZ=UTC LC_ALL=C.UTF-8
umask 022
work=$(mktemp -d)
tree=$work/tree
trap 'rm -rf "$work"' EXIT
mkdir "$tree"
cd "$tree"
noise() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000; }
mkdir -p empty.d many "etc/deep/er" bin "ünïcode 根"
: >empty
printf 'hello\n' >etc/hello
ln etc/hello etc/deep/er/hard
ln -s ../etc/hello bin/link
ln -s "$(printf '%0200d' 7)" dangling
seq -f 'line %.0f of a file that fills more than one block' 1 3000 >numbers
(noise 9000; seq 1 2000; head -c 300000 /dev/zero; noise 5000) >mixed
noise 9000 >noise
cp noise bin/tool && chown 1000:70000 bin/tool && chmod 4755 bin/tool
printf 'capable\n' >bin/ping && setcap cap_net_raw+ep bin/ping
for p in ping6 arping traceroute; do printf '%s\n' $p >bin/$p && setcap cap_net_raw+ep bin/$p; done
setfattr -n user.note -v 'not it' bin/ping
printf 'x' >"ünïcode 根/Mixed Case.txt"
head -c 4096 numbers >block
mkfifo -m 600 fifo
mknod -m 666 null c 1 3
mknod -m 660 disk b 259 70000
chmod 1777 empty.d && chmod 755 .
seq 1 120 | while read -r i; do printf '%s\n' "$i" >"many/a name so long that the directory needs more than one block $i"; done
find . -exec touch -h -d '2023-11-14 22:13:20' {} +
touch -d '2001-02-03 04:05:06' numbers
find . -printf '%#m %y %U %G %s %n %TY-%Tm-%Td %TH:%TM %P -> %l\n' | sort >"$here/tree.list"
find . -type f -printf '%P\n' | sort | while read -r f; do
	printf '%s %s\n' "$(sha256sum <"$f" | cut -d' ' -f1)" "$f"
done | grep -v ' many/.*[1-9][0-9]' >"$here/tree.sums"
make() { # name, options
	name=$1
	shift
	rm -f "$here/$name.erofs"
	mkfs.erofs -U 0b00700e-0000-4000-8000-00000000e0f5 "$@" "$here/$name.erofs" . >/dev/null
	rm -rf "$work/out"
	fsck.erofs --extract="$work/out" "$here/$name.erofs" >/dev/null 2>&1
	diff -r --no-dereference -x fifo -x null -x disk . "$work/out"
	blkid -p -o export "$here/$name.erofs" | grep -v ^DEVNAME >"$here/blkid"
	zstd -q -19 --rm -f "$here/$name.erofs"
}
make plain -x 2
make compact -T 1700000000 --all-root -E force-inode-compact
make shared -x 1
make chunks --chunksize=4096 -E force-inode-extended
make lz4 -z lz4hc
make big -z lz4hc -C 65536
make tails -z lz4hc -E ztailpacking
make legacy -z lz4 -E legacy-compress
