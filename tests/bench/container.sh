#!/bin/sh
# container.sh [ARCHIVE.tar]: what layers hold and a whole simulated start, beside tools that look at the same
# archive; then the same archive compressed, and the curve from 10 to 127 layers and from 10³ to 10⁶ files.
# ARCHIVE is a docker save archive of one image, 200 to 500 MB to be worth it; without one it is made of the
# packages that this Debian has. For dive: go install github.com/wagoodman/dive@latest
set -eu
archive=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
. tests/bench/measure.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bootpath=$work/bootpath
go build -o "$bootpath" ./sim/cmd/bootpath
if [ -z "$archive" ]; then
	archive=$work/packages.tar
	python3 tests/bench/packages.py "$archive"
fi
PATH=$PATH:$(go env GOPATH)/bin
measure bootpath_run "$bootpath" run --json "$archive"
measure bootpath_inspect "$bootpath" inspect --json "$archive"
measure sha256sum sha256sum "$archive"
if have dive; then
	CI=true measure dive dive --json "$work/dive.json" "docker-archive://$archive"
	echo "CPU of bootpath run / dive: $(ratio "$bootpath_run_cpu" "$dive_cpu")"
	echo "CPU of bootpath inspect / dive: $(ratio "$bootpath_inspect_cpu" "$dive_cpu")"
	"$bootpath" inspect --json "$archive" >"$work/bootpath.json"
	python3 - "$work/dive.json" "$work/bootpath.json" <<'PY'
import json, sys
d, b = (json.load(open(f)) for f in sys.argv[1:])
im, di = b["images"][0], d["image"]
print("dive and bootpath agree" if (di["efficiencyScore"], di["inefficientBytes"]) == (im["efficiency"], im["wasted_bytes"])
      else f"dive: {di['efficiencyScore']}, {di['inefficientBytes']}; bootpath: {im['efficiency']}, {im['wasted_bytes']}")
PY
fi
if have skopeo; then
	measure skopeo skopeo inspect "docker-archive:$archive"
	echo "CPU of bootpath inspect / skopeo inspect: $(ratio "$bootpath_inspect_cpu" "$skopeo_cpu")"
fi
echo "CPU of bootpath run / sha256sum: $(ratio "$bootpath_run_cpu" "$sha256sum_cpu")"

gzip -1 -c "$archive" >"$work/image.tar.gz"
measure bootpath_run_gzip "$bootpath" run --json "$work/image.tar.gz"
measure gzip_test gzip -t "$work/image.tar.gz"
echo "CPU of bootpath run of the compressed archive / gzip -t: $(ratio "$bootpath_run_gzip_cpu" "$gzip_test_cpu")"

go build -o "$work/many" ./tests/bench/manylayers
runs=1
for size in "127 1000" "127 10000" "10 100000" "127 100000" "127 1000000"; do
	"$work/many" $size >"$work/many.tar"
	measure "inspect_$(echo $size | tr ' ' _)" "$bootpath" inspect --json "$work/many.tar"
	measure "run_$(echo $size | tr ' ' _)" "$bootpath" run --json "$work/many.tar"
done
