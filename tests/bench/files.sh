#!/bin/sh
# files.sh DISK.raw [FILES…]: what a start costs when the disk has more files: FILES symbolic links (100000 and
# 1000000 unless told) are put beside the others of a copy of the disk, whose first partition is the ext4 root.
# A start reads what it needs, so that neither time nor memory should follow their number.
set -eu
disk=$(realpath "${1:?usage: tests/bench/files.sh DISK.raw [FILES...]}")
shift
cd "$(dirname "$0")/../.."
. tests/bench/measure.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bootpath" ./sim/cmd/bootpath
start=$(sfdisk -J "$disk" | python3 -c 'import json, sys; print(json.load(sys.stdin)["partitiontable"]["partitions"][0]["start"])')

# links N: the commands for debugfs that make them, 500 in a directory.
links() {
	python3 - "$1" <<'PY'
import sys
print("mkdir /usr/share/many")
for i in range(int(sys.argv[1])):
    if i % 500 == 0:
        print(f"mkdir /usr/share/many/{i // 500}\ncd /usr/share/many/{i // 500}")
    print(f"symlink file-{i} /etc/hostname")
PY
}

measure run_as_it_is "$work/bootpath" run --json "$disk"
for files in "${@:-100000 1000000}"; do
	for n in $files; do
		dd if="$disk" of="$work/part" bs=512 skip="$start" conv=sparse status=none
		truncate -s $((4 << 30)) "$work/part"
		[ "$n" -le 200000 ] || truncate -s $((20 << 30)) "$work/part" # inodes come with blocks
		e2fsck -fp "$work/part" >/dev/null || true
		resize2fs "$work/part" >/dev/null 2>&1
		links "$n" | debugfs -w -f - "$work/part" >/dev/null 2>&1
		head -c $((start * 512)) "$disk" >"$work/big.raw"
		dd if="$work/part" of="$work/big.raw" bs=1M seek=$((start * 512)) oflag=seek_bytes conv=sparse,notrunc status=none
		echo ", +" | sfdisk -q -N 1 "$work/big.raw" >/dev/null 2>&1
		measure "run_$n" "$work/bootpath" run --json "$work/big.raw"
		echo "CPU with $n files more / as it is: $(ratio "$(eval echo "\$run_${n}_cpu")" "$run_as_it_is_cpu")"
		measure "list_one_$n" debugfs -R "ls -l /usr/share/many/0" "$work/part"
	done
done
