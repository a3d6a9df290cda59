#!/bin/sh
# Makes a swap area with mkswap of util-linux, and what blkid says of it.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 64K "$work/swap"
mkswap -q -U b0070013-0000-4000-8000-000000000001 -L "swap of tiny" "$work/swap"
blkid -p -o export "$work/swap" | grep -v ^DEVNAME= >swap.blkid
zstd -q -19 -f "$work/swap" -o swap.img.zst
