#!/bin/sh
# Makes the test volumes with xfsprogs (6.1.0 was used) from one tree, and records what the tree itself and
# xfs_db say: NAME.img.zst, tree.tsv, v5.db. Needs zstd, xxd.
set -eu
export TZ=UTC LC_ALL=C.UTF-8 TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 # these three let mkfs.xfs make small volumes
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
src=$tmp/src
mkdir "$src"
: > "$src/empty"
printf 'hello\n' > "$src/hello"
seq 1 1200 > "$src/numbers"
seq -f 'line %.0f of a file with some blocks' 1 2000 > "$src/long"
# Written over with xfs_db: extents are moved and marked, see below.
head -c 8192 "$src/long" > "$src/unwritten"
cp "$src/unwritten" "$src/moved"

proto=$tmp/proto list=$tmp/list
: > "$list"
row() { # type, mode, uid, gid, size, sum or target or -, path
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >> "$list"
}
file() { # path, name of the source, flags and mode of a protofile, mode, uid, gid
  printf '%s %s %s %s %s\n' "${1##*/}" "$3" "$5" "$6" "$src/$2" >> "$proto"
  row f "$4" "$5" "$6" "$(stat -c %s "$src/$2")" "$(sha256sum "$src/$2" | cut -c1-64)" "$1"
}
dir() { # path
  printf '%s d--755 0 0\n' "${1##*/}" >> "$proto"
  row d 755 0 0 - - "$1"
}
up() { printf '$\n' >> "$proto"; }
link() { # path, target
  printf '%s l--777 0 0 %s\n' "${1##*/}" "$2" >> "$proto"
  row l 777 0 0 "$(printf %s "$2" | wc -c)" "$2" "$1"
}
node() { # path, type, mode, major, minor
  printf '%s %s--%s 0 6 %s %s\n' "${1##*/}" "$2" "$3" "$4" "$5" >> "$proto"
  row "$2" "$3" 0 6 0 "$4:$5" "$1"
}
printf 'boot\n0 0\nd--755 0 0\n' > "$proto"
file empty empty ---644 644 0 0
file hello hello ---644 644 1000 70000
file numbers numbers ---600 600 70000 80000
file long long ---644 644 0 0
file suid hello -ug755 6755 0 0
file cap hello ---755 755 0 0
file capleaf hello ---755 755 0 0
file unwritten unwritten ---644 644 0 0
file moved moved ---644 644 0 0
link fast hello
slow=$(printf 'long/%.0s' $(seq 1 120))end slower=$(printf 'much/%.0s' $(seq 1 190))longer
link slow "$slow"
link slower "$slower"
node null c 666 1 3
node disk b 660 259 70000
printf 'fifo p--644 0 0\n' >> "$proto"; row p 644 0 0 0 - fifo
dir dir; file dir/Grüße-世界 hello ---644 644 0 0; dir dir/sub; up; up
names() { # path, how many: entries with a block of content between the blocks of the directory
  dir "$1"
  i=0; while [ $i -lt "$2" ]; do
    name=$1/a-name-that-is-long-enough-to-fill-blocks-$i
    if [ $((i % 50)) = 7 ]; then file "$name" "$3" ---644 644 0 0
    else printf '%s ---644 0 0 %s\n' "${name##*/}" "$src/$3" >> "$proto"; fi # not in tree.tsv
    i=$((i + 1))
  done
  up
}
names block 12 empty
names leaf 100 empty
names tree 700 hello
up
sort -t "$(printf '\t')" -k7 "$list" > tree.tsv

hex() { printf "%0$2x" "$1" | xxd -r -p; } # number, digits
# mkfs.xfs 6.1 leaves out the header that version 5 has before a target in a block of its own; xfs_repair
# checks what is put there.
header() { # path, target, sectors of 512 bytes per file system block
  ino=$(xfs_db -r -c "path /$1" -c 'p v3.inumber' "$tmp/vol" | sed 's/.*= //')
  block=$(xfs_db -r -c "path /$1" -c 'bmap' "$tmp/vol" | sed -n 's/.*startblock \([0-9]*\) .*/\1/p')
  { printf XSLM; hex 0 8; hex ${#2} 8; hex 0 8; printf '\001\043\253\315\000\000\100\000\200\000\000\000\000\000\000\377'
    hex "$ino" 16; hex $((block * $3)) 16; hex 0 16; printf %s "$2"; } | dd of="$tmp/vol" bs=1 seek=$((block * $3 * 512)) conv=notrunc status=none
  xfs_db -x -c "path /$1" -c 'dblock 0' -c 'crc -r' "$tmp/vol" > "$tmp/out"
}
make() { # name, options of mkfs.xfs
  name=$1; shift
  rm -f "$tmp/vol"; truncate -s 40M "$tmp/vol"
  mkfs.xfs -q -f -p "$proto" -m uuid=0123abcd-0000-4000-8000-0000000000ff -L "l-$name" "$@" "$tmp/vol" 2>&1 | grep -v deprecated || :
}
finish() {
  xfs_repair -n "$tmp/vol" > "$tmp/repair" 2>&1 || { cat "$tmp/repair"; exit 1; }
  zstd -q -f -22 --ultra "$tmp/vol" -o "$name.img.zst"
}
db() { xfs_db -x "$@" "$tmp/vol"; }

make v5 -m crc=1,bigtime=1 -i nrext64=1
db -c 'path /cap' -c 'attr_set -s -v 20 capability'
for i in 1 2 3 4 5; do db -c 'path /capleaf' -c "attr_set -r -v 60 other$i"; done
db -c 'path /capleaf' -c 'attr_set -s -v 20 capability'
db -c 'path /unwritten' -c 'write u3.bmx[0].extentflag 1' > "$tmp/out"
db -c 'path /moved' -c 'write u3.bmx[0].startoff 5' -c 'write core.size 32000' > "$tmp/out"
xfs_db -r -c 'path /hello' -c p -c 'path /capleaf' -c 'p core.aformat' "$tmp/vol" > v5.db
header slow "$slow" 8; header slower "$slower" 8
finish
make small -m crc=1,bigtime=0 -b size=1024 -n size=4096
db -c 'logformat -c 7'
db -c 'path /tree' -c 'attr_set -r -v 140 big' # its extents no longer fit the inode
header slow "$slow" 2; header slower "$slower" 2
finish
make v4 -m crc=0 -b size=512 -i size=256 -n size=4096,ftype=0
finish
make v4ftype -m crc=0 -b size=2048 -n size=8192,ftype=1
finish
