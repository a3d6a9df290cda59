#!/bin/bash
# record.sh DIR > recorded.json: gives each line of cases.txt (image, options of docker run, command; ~ is a space
# within a word) to docker and records what was printed, the exit code, what inspect says of the state and what the
# kernel said. Run it as root with a dockerd 20.10 (DOCKER_HOST) and no swap; DIR has the images' docker.tar files.
set -u
HERE=$(dirname "$(readlink -f "$0")")
for f in busybox debian-slim; do docker load -q -i "$1/$f.docker.tar" > /dev/null; done
while IFS='|' read -r image options command; do
  read -ra options <<< "$options"; read -ra command <<< "$command"; command=("${command[@]//\~/ }")
  before=$(dmesg | wc -l); out=$(mktemp); err=$(mktemp)
  timeout -s KILL 20 docker run --name recorded --pull=never --network=none "${options[@]}" "$image:1" "${command[@]}" > "$out" 2> "$err" < /dev/null; rc=$?
  sleep 1; id=$(docker inspect -f '{{.Id}}' recorded 2>/dev/null)
  [ $rc = 137 ] && [ "$(docker inspect -f '{{.State.Running}}' recorded)" = true ] && rc=running
  jq -n --arg image "$image" --arg rc "$rc" --arg out "$(head -c 1000 "$out" | tr -d '\000')" --arg err "$(< "$err")" \
    --argjson state "$(docker inspect recorded 2>/dev/null | jq -c '.[0]//{}|{oom_killed:.State.OOMKilled,restarts:.RestartCount,status:.State.Status}')" \
    --arg dmesg "$(dmesg | tail -n +$((before + 1)) | sed -E "s/^\[[^]]*\] //; s/${id:-none}/ID/g" | grep -E 'oom-kill|Memory cgroup|invoked|limit|oom_reaper|killable')" \
    '{image:$image,options:$ARGS.positional[:($n|tonumber)],command:$ARGS.positional[($n|tonumber):],exit_code:($rc|tonumber? // $rc),stdout:$out,stderr:($err|split("\n")|map(select(.!=""))),dmesg:($dmesg|split("\n")|map(select(.!="")))} + $state' \
    --arg n "${#options[@]}" --args -- "${options[@]}" "${command[@]}"
  docker rm -f -v recorded > /dev/null 2>&1; rm -f "$out" "$err"
done < "$HERE/cases.txt" | jq -s .
