#!/bin/sh
# Makes the fixtures of this directory with cryptsetup: the header of a LUKS1 and a LUKS2 volume, and what
# luksDump prints. The passphrase is thrown away; only the start of the headers is kept.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -c 32 /dev/urandom >"$work/key"
for v in 1 2; do
	truncate -s 20M "$work/disk"
	extra=
	[ $v = 2 ] && extra='--label secret --pbkdf pbkdf2 --pbkdf-force-iterations 1000'
	[ $v = 1 ] && extra='--pbkdf-force-iterations 1000'
	cryptsetup luksFormat -q --type luks$v --uuid b0070011-0000-4000-8000-00000000000$v $extra "$work/disk" "$work/key"
	cryptsetup luksDump "$work/disk" | sed "s,$work/,," >luks$v.dump
	blkid -p -o export "$work/disk" | sed "s|$work/||" >luks$v.blkid
	truncate -s 16K "$work/disk"
	zstd -q -19 -f "$work/disk" -o luks$v.img.zst
	rm "$work/disk"
done
