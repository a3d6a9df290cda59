#!/bin/sh
# Makes the metadata of a thin pool of two volumes with thin_restore of thin-provisioning-tools: the second has
# more chunks than a leaf holds. thin_dump tells what they are.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	echo '<superblock uuid="" time="3" transaction="2" version="2" data_block_size="128" nr_data_blocks="2048">'
	echo '<device dev_id="1" mapped_blocks="3" transaction="0" creation_time="0" snap_time="0"><range_mapping origin_begin="0" data_begin="10" length="3" time="0"/></device>'
	echo '<device dev_id="7" mapped_blocks="600" transaction="1" creation_time="1" snap_time="2">'
	seq 0 599 | awk '{ printf "<single_mapping origin_block=\"%d\" data_block=\"%d\" time=\"%d\"/>\n", $1 * 2, 1999 - $1 * 3, $1 % 3 }'
	echo '</device></superblock>'
} >"$work/pool.xml"
truncate -s 512K "$work/pool"
thin_restore -q -i "$work/pool.xml" -o "$work/pool"
thin_dump "$work/pool" >"$work/dump.xml"
zstd -q -19 -f "$work/pool" -o thin.img.zst
zstd -q -19 -f "$work/dump.xml" -o thin.xml.zst
