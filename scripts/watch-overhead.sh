#!/usr/bin/env bash
# How much slower is a program while `xbound classify` watches it?
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/watch-overhead.sh [OPTION...] XBOUND DIR
Runs programs that do the same small work again and again, some 50 ms each time, and lets `xbound classify -p`
watch each for 5 s, its default time, in every other of two windows, in random order: the same process, watched
and alone. Prints for each program the median over pairs of the ratio of the two mean times of a work (watched over
alone), with its 95 % interval from order statistics. DIR, new or empty, gets pairs.csv and the scratch files.
  --pairs N    of each program, 6 to 100; default 15 (some 20 minutes in all)
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
function told(values, n,    k, middle) {
    sorted(values, n)
    k = interval(n)
    middle = n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
    if (k < 1) return sprintf("%6.3f, too few pairs for an interval", middle)
    return sprintf("%6.3f [%.3f, %.3f]", middle, values[k], values[n + 1 - k])
}
function close_one(    i) {
    if (!last) return
    for (i = 1; i <= n; i++) ratio[i] = t["watched", i] / t["alone", i]
    printf "%-12s %5d  %9.1f  %s\n", last, n, alone / n, told(ratio, n)
    alone = 0
}
BEGIN { printf "%-12s %5s  %9s  %s\n", "program", "pairs", "ms alone", "watched over alone" }
NR > 1 {
    if ($1 != last) { close_one(); last = $1 }
    t[$3, $2] = $5; n = $2
    if ($3 == "alone") alone += $5
}
END { close_one() }' "$1"
}

pairs=15 only='*' seconds=5
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
        [ "$(head -n 1 -- "$2")" = program,pair,how,works,mean_ms ] || refuse "$2 is no pairs.csv"
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
# Name, what has to be there, and a command that writes a line after each work, and ends only when it is killed
# or its reader leaves.
# shellcheck disable=SC2016 # awk's and sh's own dollars
programs=(
    'compute|awk|exec awk "BEGIN { for (;;) { for (i = 0; i < 400000; i++) s += i * i % 7; print; fflush() } }"'
    'compress|gzip|while gzip -9 -c text >/dev/null; do echo; done'
    'sort|sort|while sort -S 64M --parallel=2 numbers >/dev/null; do echo; done'
    'list|python3|exec python3 -u -c "
n = 1 << 21
p = list(range(1, n)) + [0]
import random; random.seed(1); random.shuffle(p)
i = 0
while True:
    for k in range(200000): i = p[i]
    print()"'
    'pipe|dd|while dd if=/dev/zero bs=512 count=40000 status=none | cat >/dev/null; do echo; done'
    'locks|python3|exec python3 -u -c "
import threading
a, b = threading.Lock(), threading.Lock()
b.acquire()
def other():
    while True: a.acquire(); b.release()
a.acquire()
threading.Thread(target=other, daemon=True).start()
while True:
    for k in range(3000): a.release(); b.acquire()
    print()"'
    'forks|sh|i=0; while :; do (:); i=$((i + 1)); [ $((i % 30)) -gt 0 ] || echo; done'
    'threads-500|python3|exec python3 -u -c "
import threading, time
for k in range(500): threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
s = 0
while True:
    for k in range(400000): s += k
    print()"'
)
awk 'BEGIN { srand(1); for (i = 0; i < 100000; i++) print int(rand() * 1e9) }' >numbers
head -c 600000 numbers >text

mkfifo works
running=
stop() {
    [ -n "$running" ] || return 0
    kill "$running" 2>/dev/null || true # its reader ends with it, as does what it started, by the pipe
    wait 2>/dev/null || true
    running=
}
trap stop EXIT

start() { # a line
    : >stamps
    bash -c "$1" </dev/null >works 2>program.err &
    running=$!
    while read -r; do echo "$EPOCHREALTIME"; done <works >stamps &
    until [ "$(wc -l <stamps)" -ge 20 ]; do # it has got going
        sleep 0.2
        kill -0 "$running" 2>/dev/null || fail_program
    done
}

fail_program() {
    say "$name: the program failed: $(head -n 1 program.err)"
    exit 1
}

# A window, and a row for the works that began and ended in it.
window() { # how
    local from=$EPOCHREALTIME
    if [ "$1" = watched ]; then
        "$xbound" classify -o /dev/null --time "$seconds" -p "$running" </dev/null >/dev/null 2>watched.err || fail_program
    else
        sleep "$seconds"
    fi
    awk -v from="$from" -v to="$EPOCHREALTIME" -v row="$name,$pair,$1" '
        $1 >= from && $1 <= to { if (!n++) first = $1; last = $1 }
        END {
            if (n < 5) exit 1
            printf "%s,%d,%.3f\n", row, n - 1, 1000 * (last - first) / (n - 1)
        }' stamps >>pairs.csv || fail_program
}

"$xbound" classify -o /dev/null --time 200ms -- true </dev/null # measures this machine first, if nobody has
echo 'program,pair,how,works,mean_ms' >pairs.csv
ran=0
for program in "${programs[@]}"; do
    IFS='|' read -r -d '' name needs line <<<"$program" || true
    # shellcheck disable=SC2053 # a pattern
    [[ $name == $only ]] || continue
    if ! command -v "$needs" >/dev/null; then
        say "$name is left out: $needs is not installed"
        continue
    fi
    start "$line"
    for ((pair = 1; pair <= pairs; pair++)); do
        if ((RANDOM % 2)); then order='alone watched'; else order='watched alone'; fi
        for how in $order; do window "$how"; done
    done
    stop
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || exit 77

report pairs.csv
