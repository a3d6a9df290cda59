#!/bin/sh
# system.sh DISK.qcow2: what a whole simulated start costs beside tools that look at the same disk. Ratios
# count, measured side by side in one run; the recorded Debian disk is the one that docs speak of.
set -eu
disk=$(realpath "${1:?usage: tests/bench/system.sh DISK.qcow2}")
cd "$(dirname "$0")/../.."
. tests/bench/measure.sh
bootpath=$(mktemp)
trap 'rm -f "$bootpath"' EXIT
go build -o "$bootpath" ./sim/cmd/bootpath
measure bootpath_run "$bootpath" run --json "$disk"
measure bootpath_inspect "$bootpath" inspect --json "$disk"
"$bootpath" run --json "$disk" | python3 -c 'import json,sys,os
r = json.load(sys.stdin)
print("outcome", r["outcome"]["verdict"], "steps", len(r["steps"]), "read %.1f MiB" % (r["bytes_read"] / 2**20))'
if have 7zz; then
	measure sevenzip 7zz l "$disk"
	echo "CPU of bootpath run / 7zz l: $(ratio "$bootpath_run_cpu" "$sevenzip_cpu")"
fi
if have virt-inspector; then
	measure virt_inspector virt-inspector -a "$disk"
	echo "CPU of virt-inspector / bootpath run: $(ratio "$virt_inspector_cpu" "$bootpath_run_cpu")"
fi
