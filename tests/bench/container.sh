#!/bin/sh
# container.sh ARCHIVE.tar: a whole simulated start beside tools that look at the same archive.
set -eu
archive=$(realpath "${1:?usage: tests/bench/container.sh ARCHIVE.tar}")
cd "$(dirname "$0")/../.."
. tests/bench/measure.sh
bootpath=$(mktemp)
trap 'rm -f "$bootpath"' EXIT
go build -o "$bootpath" ./sim/cmd/bootpath
measure bootpath_run "$bootpath" run --json "$archive"
measure bootpath_inspect "$bootpath" inspect --json "$archive"
measure sha256sum sha256sum "$archive"
if have dive; then
	report=$(mktemp)
	measure dive dive --json "$report" "docker-archive://$archive"
	rm -f "$report"
	echo "CPU of bootpath run / dive: $(ratio "$bootpath_run_cpu" "$dive_cpu")"
fi
if have skopeo; then
	measure skopeo skopeo inspect "docker-archive:$archive"
	echo "CPU of bootpath inspect / skopeo inspect: $(ratio "$bootpath_inspect_cpu" "$skopeo_cpu")"
fi
echo "CPU of bootpath run / sha256sum: $(ratio "$bootpath_run_cpu" "$sha256sum_cpu")"
