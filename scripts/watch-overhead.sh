#!/usr/bin/env bash
# How much slower is a program while `xbound classify` watches it?
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/watch-overhead.sh [OPTION...] XBOUND DIR
Runs programs of a fixed amount of work, alone and watched at the default rate, in pairs in random order, and
prints for each the median ratio of their own wall and CPU times (watched over alone; without xbound's) with
its 95 % interval from order statistics. DIR, new or empty, gets pairs.csv and the scratch files.
  --pairs N    of each program, 6 to 100; default 15 (some 6 minutes in all)
  --only GLOB  only programs whose name fits
  --report CSV prints the table of a pairs.csv again, and runs nothing
  --help       this text
Programs that are not installed are left out, and said. Exit codes: 0 measured, whatever came out; 1 a program
failed; 2 usage; 77 nothing could be run.
TEXT
}

say() { printf 'watch-overhead.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

report() {
awk -F, '
function interval(n,    k, below, term) { # the largest k of which n choose below k, twice, is at most 5 %
    term = below = 0.5 ^ n
    for (k = 1; 2 * below <= 0.05; k++) {
        term *= (n - k + 1) / k
        below += term
    }
    return k - 1
}
function sorted(values, n,    i, j, held) {
    for (i = 2; i <= n; i++) {
        held = values[i]
        for (j = i - 1; j >= 1 && values[j] > held; j--) values[j + 1] = values[j]
        values[j + 1] = held
    }
}
function told(values, n,    k) {
    sorted(values, n)
    k = interval(n)
    return sprintf("%6.3f [%.3f, %.3f]", n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2, values[k], values[n + 1 - k])
}
function close_one(    i) {
    if (!last) return
    for (i = 1; i <= n; i++) {
        wall[i] = w["watched", i] / w["alone", i]
        cpu[i] = c["watched", i] / c["alone", i]
    }
    printf "%-12s %5d  %s  %s\n", last, n, told(wall, n), told(cpu, n)
}
BEGIN { printf "%-12s %5s  %-22s  %s\n", "program", "pairs", "wall time", "CPU time" }
NR > 1 {
    if ($1 != last) { close_one(); last = $1 }
    w[$3, $2] = $4; c[$3, $2] = $5; n = $2
}
END { close_one() }' "$1"
}

pairs=15 only='*'
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --pairs | --only)
        [ $# -ge 2 ] || refuse "$1 needs a value, see --help"
        if [ "$1" = --pairs ]; then pairs=$2; else only=$2; fi
        shift 2
        ;;
    --report)
        [ -r "${2:-}" ] || refuse "--report ${2:-}: no such file"
        [ "$(head -n 1 -- "$2")" = program,pair,how,wall_s,cpu_s ] || refuse "$2 is no pairs.csv"
        report "$2"
        exit 0
        ;;
    -*) refuse "unknown option $1, see --help" ;;
    *) break ;;
    esac
done
[ $# -eq 2 ] || refuse "XBOUND and DIR are needed, see --help"
[[ $pairs =~ ^(6|7|8|9|[1-9][0-9]|100)$ ]] || refuse "--pairs $pairs: 6 to 100"
xbound=$(realpath -- "$1")
[ -x "$xbound" ] || refuse "$1 cannot be executed"
mkdir -p -- "$2"
[ -z "$(ls -A -- "$2")" ] || refuse "$2 is not empty"
cd -- "$2"

export LC_ALL=C
# Name, what has to be there, and a command line of one to three seconds.
# shellcheck disable=SC2016 # awk's own dollars
programs=(
    'compute|awk|awk "BEGIN { for (i = 0; i < 12000000; i++) s += i * i % 7 }"'
    'compress|gzip|gzip -9 -c text'
    'sort|sort|sort -S 512M --parallel=2 numbers'
    'list|python3|python3 -c "
n = 1 << 21
p = list(range(1, n)) + [0]
import random; random.seed(1); random.shuffle(p)
i = 0
for k in range(6000000): i = p[i]"'
    'pipe|dd|dd if=/dev/zero bs=512 count=1200000 status=none | cat'
    'locks|stress-ng|stress-ng --mutex 2 --mutex-ops 400000 --quiet'
    'forks|sh|sh -c "i=0; while [ \$i -lt 1500 ]; do (:); i=\$((i + 1)); done"'
    'threads-500|python3|python3 -c "
import threading, time
for k in range(500): threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
s = 0
for k in range(20000000): s += k"'
)
awk 'BEGIN { srand(1); for (i = 0; i < 3000000; i++) print int(rand() * 1e9) }' >numbers
head -c 24000000 numbers >text

# Runs a line in a shell that writes what it took to `took`: seconds of wall, user and system time.
cat >timed.sh <<'TEXT'
TIMEFORMAT='%R %U %S'
{ time eval "$1" >/dev/null 2>&1; } 2>took || exit 1
TEXT

refuse_program() {
    say "$name: the command failed when run $1"
    exit 1
}

once() { # how, line
    rm -f took
    if [ "$1" = watched ]; then
        "$xbound" classify -o /dev/null -- bash timed.sh "$2" </dev/null >/dev/null 2>watched.err
    else
        bash timed.sh "$2" </dev/null
    fi || refuse_program "$1"
    awk -v how="$1" -v name="$name" -v pair="$pair" '{ printf "%s,%d,%s,%s,%.3f\n", name, pair, how, $1, $2 + $3 }' took >>pairs.csv
}

"$xbound" classify -o /dev/null --time 200ms -- true </dev/null # measures this machine first, if nobody has
echo 'program,pair,how,wall_s,cpu_s' >pairs.csv
ran=0
for program in "${programs[@]}"; do
    IFS='|' read -r -d '' name needs line <<<"$program" || true
    # shellcheck disable=SC2053 # a pattern
    [[ $name == $only ]] || continue
    if ! command -v "$needs" >/dev/null; then
        say "$name is left out: $needs is not installed"
        continue
    fi
    for ((pair = 1; pair <= pairs; pair++)); do
        if ((RANDOM % 2)); then order='alone watched'; else order='watched alone'; fi
        for how in $order; do once "$how" "$line"; done
    done
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || exit 77

report pairs.csv
