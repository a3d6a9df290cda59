#!/bin/sh
# Makes the fixtures of this directory with mksquashfs 4.5.1 of squashfs-tools (as root: attributes and
# owners); what the volumes hold is listed by unsquashfs (*.list), the contents are summed up from the
# source (tree.sums). Needs setcap and openssl.
set -eu
cd "$(dirname "$0")"
here=$PWD
export TZ=UTC LC_ALL=C.UTF-8
umask 022
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
noise() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000; }
mkdir -p empty.d many "etc/deep/er" bin "ünïcode 根"
: >empty
printf 'hello\n' >etc/hello
ln etc/hello etc/deep/er/hard
ln -s ../etc/hello bin/link
ln -s "$(printf '%0200d' 7)" dangling
seq -f 'line %.0f of a file that fills more than one block' 1 6000 >numbers
noise 9000 >noise
cp noise bin/tool && chown 1000:70000 bin/tool && chmod 4755 bin/tool
printf 'capable\n' >bin/ping && setcap cap_net_raw+ep bin/ping
printf 'x' >"ünïcode 根/Mixed Case.txt"
truncate -s 600000 sparse && printf end >>sparse
printf 'three whole blocks' | dd of=holes bs=1 seek=$((4096 * 3 - 18)) status=none
mkfifo -m 600 fifo
chmod 1777 empty.d && chmod 755 .
seq 1 150 | while read -r i; do printf '%s\n' "$i" >"many/a name so long that the directory needs more than one block $i"; done
find . -exec touch -h -d '2023-11-14 22:13:20' {} +
find . -type f -printf '%P\n' | sort | while read -r f; do
	printf '%s %s\n' "$(sha256sum <"$f" | cut -d' ' -f1)" "$f"
done | grep -v ' many/.*[1-9][0-9]' >"$here/tree.sums"
make() { # name, what it holds, options
	name=$1 held=$2
	shift 2
	rm -f "$here/$name.sqfs"
	mksquashfs . "$here/$name.sqfs" -quiet -no-progress -mkfs-time 1700000000 -all-time 1700000000 -nopad \
		-p 'null c 666 0 0 1 3' -p 'disk b 660 0 6 259 70000' "$@" >/dev/null
	cd "$here"
	unsquashfs -UTC -lln -d '' "$name.sqfs" >"$name.list"
	[ -e "$held.list" ] || cp "$name.list" "$held.list"
	cmp "$name.list" "$held.list"
	blkid -p -o export "$name.sqfs" | grep -v ^DEVNAME >blkid
	zstd -q -19 --rm -f "$name.sqfs"
	rm "$name.list"
	cd "$tree"
}
rm -f "$here"/*.list
make gzip tree
make small tree -b 4096 -comp zstd
make xz tree -comp xz -Xbcj x86
make zstd tree -comp zstd
make lz4 tree -comp lz4
rm -r many numbers
grep -v -e ' many/' -e ' numbers' "$here/tree.sums" >"$here/few.sums"
make plain few -noI -noD -noF -noX -noId -no-fragments
make lzo few -comp lzo
