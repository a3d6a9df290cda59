#!/bin/sh
# Makes the test volumes with e2fsprogs (1.47.0 was used) from one tree, and records what the tools and the
# tree itself say: NAME.img.xz, NAME.dumpe2fs, tree.tsv. Needs root (device nodes, owners), xz, setcap.
set -eu
export TZ=UTC LC_ALL=C E2FSPROGS_FAKE_TIME=1700000000 MKE2FS_CONFIG=/dev/null
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
t=$tmp/tree
mkdir -p "$t/dir/sub/deep" "$t/many"
: > "$t/empty"
printf 'hello\n' > "$t/hello"
seq 1 40 > "$t/dir/inline-size"                    # 111 bytes: i_block and the attribute behind it
seq 1 3000 > "$t/dir/numbers"
printf 'x' > "$t/dir/Grüße 世界"
ln "$t/hello" "$t/dir/hard"
ln -s hello "$t/fast"
ln -s "$(printf 'long/%.0s' $(seq 1 30))end" "$t/slow"
ln -s "$(printf 'a%.0s' $(seq 1 59))" "$t/fast59"
ln -s "$(printf 'b%.0s' $(seq 1 60))" "$t/slow60"
mknod "$t/null" c 1 3; mknod "$t/disk" b 259 70000; mkfifo "$t/fifo"
printf '#!/bin/sh\n' > "$t/suid"; chmod 4755 "$t/suid"
chmod 1777 "$t/dir/sub"; chown 70000:80000 "$t/dir/numbers"
printf cap > "$t/cap"; setcap cap_net_raw+ep "$t/cap"
# Holes: one at the start, blocks every 8 KiB (many extents), one block where only a triple indirect block reaches.
truncate -s 300000 "$t/sparse"; printf middle | dd of="$t/sparse" bs=1 seek=200000 conv=notrunc status=none
i=0; while [ $i -lt 400 ]; do printf "block %03d" $i | dd of="$t/holes" bs=1 seek=$((i * 8192 + 4096)) conv=notrunc status=none; i=$((i + 1)); done
truncate -s 70000000 "$t/triple"; printf far | dd of="$t/triple" bs=1 seek=69000000 conv=notrunc status=none
i=0; while [ $i -lt 300 ]; do : > "$t/many/file-$i"; i=$((i + 1)); done
find "$t" -exec touch -h -d '2023-05-06 07:08:09' {} +

listing() { # type, mode, uid, gid, links, size, sha256 or target or -, path
  (cd "$1" && find . -mindepth 1 -printf '%y|%m|%U|%G|%n|%s|%l|%P\n' | sort -t '|' -k8 | while IFS='|' read -r y m u g n s l p; do
    [ "$y" = f ] && l=$(sha256sum "./$p" | cut -c1-64)
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$y" "$m" "$u" "$g" "$n" "$s" "${l:--}" "$p"
  done)
}
listing "$t" > tree.tsv

image() { # name, size, options of mke2fs
  name=$1 size=$2; shift 2
  rm -f "$tmp/$name.img"
  mke2fs -q -F -U 0123abcd-0000-4000-8000-0000000000ff -L "label-$name" -E hash_seed=0123abcd-0000-4000-8000-000000000001,lazy_itable_init=0 \
    -d "$t" "$@" "$tmp/$name.img" "$size"
}
finish() { # name
  dumpe2fs -h "$tmp/$1.img" 2>/dev/null > "$1.dumpe2fs"
  xz -9e --check=crc32 -c "$tmp/$1.img" > "$1.img.xz"
}
old=^metadata_csum,^64bit,^flex_bg,^extents,^huge_file,^dir_nlink,^extra_isize,^uninit_bg
ext3=dir_index,filetype,sparse_super,large_file,resize_inode,ext_attr
ext4=$ext3,extents,huge_file,flex_bg,dir_nlink,extra_isize,has_journal

image ext2 24M -t ext2 -b 1024 -I 128 -O $old,$ext3,^has_journal; finish ext2
image ext3 24M -t ext3 -b 4096 -I 128 -O $old,$ext3,has_journal -J size=4; finish ext3
image ext4 24M -t ext4 -b 4096 -I 256 -O $ext4,metadata_csum,64bit -J size=4
debugfs -w -R 'sif /hello mtime_extra 0x3ade68b1' "$tmp/ext4.img" 2>/dev/null   # 246913068 ns, one more bit of seconds
debugfs -w -R 'fallocate /empty 2 5' "$tmp/ext4.img" 2>/dev/null
debugfs -w -R 'sif /empty size 24576' "$tmp/ext4.img" 2>/dev/null               # unwritten blocks within the size
debugfs -R 'stat /hello' "$tmp/ext4.img" 2>/dev/null | grep 'mtime:' > ext4.stat
finish ext4
image inline 24M -t ext4 -b 1024 -I 256 -O $ext4,metadata_csum,64bit,inline_data -J size=1; finish inline
image uninitbg 24M -t ext4 -b 1024 -I 256 -O $ext4,^metadata_csum,^64bit,uninit_bg -J size=1; finish uninitbg
image metabg 24M -t ext4 -b 1024 -I 256 -g 256 -O $ext4,^resize_inode,meta_bg,metadata_csum,64bit,^flex_bg,metadata_csum_seed -J size=1; finish metabg
image bigalloc 24M -t ext4 -b 1024 -C 8192 -I 256 -O $ext4,^resize_inode,bigalloc,metadata_csum,64bit -J size=1; finish bigalloc
image rev0 24M -r 0 -b 1024 -O none; finish rev0

# A directory of 6000 names with a hash tree of two levels, for each hash and signedness of char.
d=$tmp/names; mkdir -p "$d/d"; : > "$d/d/name-0"
i=1; while [ $i -lt 6000 ]; do ln "$d/d/name-0" "$d/d/name-$i"; i=$((i + 1)); done
for c in é ÿ-Ünïcödé a ''; do ln "$d/d/name-0" "$d/d/$c-end"; done
t=$d
for hash in half_md4 tea legacy; do
  for sign in signed unsigned; do
    image hash 4M -t ext4 -b 1024 -I 128 -O $ext4,^has_journal,^metadata_csum,^64bit
    tune2fs -E hash_alg=$hash "$tmp/hash.img" > /dev/null 2>&1
    debugfs -w -R "ssv flags $([ $sign = signed ] && echo 1 || echo 2)" "$tmp/hash.img" 2>/dev/null
    e2fsck -fyD "$tmp/hash.img" > /dev/null 2>&1 || [ $? -lt 4 ]
    debugfs -R 'htree_dump /d' "$tmp/hash.img" 2>/dev/null | grep -E 'Hash Version|Indirect levels' > hash-$hash-$sign.htree
    mv "$tmp/hash.img" "$tmp/hash-$hash-$sign.img"
    xz -9e --check=crc32 -c "$tmp/hash-$hash-$sign.img" > hash-$hash-$sign.img.xz
  done
done
