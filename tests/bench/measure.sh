# Sourced by the benches. measure NAME COMMAND… runs the command RUNS times and sets NAME_cpu and NAME_mb to
# the median CPU seconds (user and system) and the largest resident memory in MB; it prints a row.
runs=${RUNS:-5}

measure() {
	name=$1
	shift
	row=$(python3 - "$runs" "$@" <<'PY'
import os, statistics, subprocess, sys
cpu, mb = [], 0
for _ in range(int(sys.argv[1])):
    p = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, u = os.wait4(p.pid, 0)
    if status:
        sys.exit(f"{sys.argv[2]} failed: status {status}")
    cpu.append(u.ru_utime + u.ru_stime)
    mb = max(mb, u.ru_maxrss / 1024)
print(f"{statistics.median(cpu):.3f} {mb:.0f}")
PY
	) || return 1
	eval "${name}_cpu=${row% *} ${name}_mb=${row#* }"
	printf '%-28s %8s s CPU %6s MB\n' "$name" "${row% *}" "${row#* }"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.1f", a / b; else printf "?" }'; }

have() { command -v "$1" >/dev/null || { echo "$1 is not installed: left out"; return 1; }; }
