#!/bin/sh
# make.sh: run shells as process 1 of a PID namespace, send them SIGTERM, and write stop.tsv: the shell, how it
# was started (alone, or behind tini), what process 1 was then, what became of it (an exit code, or "lives" after
# ten seconds), and the script. Needs root, unshare, dash 0.5.12, bash 5.2, busybox 1.35 and tini: Debian 12.
set -u
cd "$(dirname "$0")"
try() { # how, shell, script
	case $1 in tini) front="tini --" ;; *) front= ;; esac
	# shellcheck disable=SC2086 # a list of words
	unshare --pid --fork --kill-child --mount-proc $front $2 -c "$3" </dev/null >/dev/null 2>&1 &
	outer=$!
	sleep 0.5
	one=$(pgrep -P $outer | head -n 1)
	comm=-
	[ -n "$one" ] && comm=$(cat "/proc/$one/comm") && kill -TERM "$one"
	i=0
	while [ $i -lt 100 ] && [ -n "$one" ] && kill -0 "$one" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
	if [ $i -eq 100 ]; then
		kill -KILL "$one"
		wait $outer 2>/dev/null
		code=lives
	else
		wait $outer
		code=$?
	fi
	printf '%s\t%s\t%s\t%s\t%s\n' "$2" "$1" "$comm" "$code" "$3"
}
scripts='sleep 60
true; sleep 60
true && sleep 60
sleep 60 | sleep 60
while :; do sleep 60; done
while true; do sleep 1; done
trap "exit 3" TERM; sleep 60
trap "exit 3" TERM; sleep 60 & wait
trap "exit 3" TERM; while true; do sleep 1; done
trap "" TERM; sleep 60
trap "exit 3" INT; sleep 60
trap "exit 3" TERM; trap - TERM; sleep 60
bye() { exit 4; }; trap bye TERM; sleep 60 & wait
sleep 60 >/dev/null
if true; then sleep 60; fi
{ sleep 60; }
(sleep 60)
! sleep 60
A=1 sleep 60
exec sleep 60
true; exec sleep 60
sleep 60 &
sleep 60; true
for i in 1 2; do sleep 60; done
echo hello
nosuch
exec nosuch
exit 5'
for shell in dash bash "busybox sh"; do
	for how in alone tini; do
		printf '%s\n' "$scripts" | {
			while read -r script; do try $how "$shell" "$script" & done
			wait
		}
	done
done | LC_ALL=C sort >stop.tsv
