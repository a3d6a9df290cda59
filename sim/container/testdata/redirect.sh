#!/bin/sh
# redirect.sh: run shells in a read-only directory that has a file f and a directory d, and write redirect.tsv:
# the shell, the script, its exit code, and what it printed with | for newlines. Needs root, unshare, dash
# 0.5.12, bash 5.2 and busybox 1.35: Debian 12.
set -u
cd "$(dirname "$0")"
at=$(mktemp -d)
inside='mount --make-rprivate / && mount -t tmpfs none "$0" && mkdir "$0/d" && echo >"$0/f" &&
	mount -o remount,ro "$0" && cd "$0" && exec "$@"'
scripts='echo x > new
echo x > f
echo x >> f
echo x > d
echo x > no/f
echo x > new; echo on
echo a; echo x > new
: > new; echo on
true > new; echo on
sleep 0 > new; true
sleep 0 > new
exec > new; echo on
export A=1 > new; echo on
> new; true
set -e; echo x > new; echo on'
for shell in dash bash "busybox sh"; do
	printf '%s\n' "$scripts" | while read -r script; do
		# shellcheck disable=SC2086 # a list of words
		out=$(unshare --mount sh -c "$inside" "$at" $shell -c "$script" 2>&1 </dev/null)
		printf '%s\t%s\t%s\t%s\n' "$shell" "$script" $? "$(printf %s "$out" | tr '\n' '|')"
	done
done >redirect.tsv
rmdir "$at"
