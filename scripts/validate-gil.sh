#!/usr/bin/env bash
# Runs like workloads in real CPython and in xbound, and compares how they scale: the speed-up of two
# and of four workers over one.
#
# gil stands beside threading, processes beside multiprocessing, loop beside asyncio. How fast either
# side computes is its own affair; the shape is what a model promises. Workers of both sides are bound
# to CPUs in turn. Python's side is validate-gil.py; the arithmetic from pairs to verdicts is that of
# peers.sh.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/validate-gil.sh [OPTION...]
Measures like work in CPython and in xbound, turn and turn about on the same CPUs, and writes
DIR/gil.csv (one row per figure: the median of the rounds' ratios of speed-ups, ours over Python's,
with its interval) and DIR/gil-pairs.csv (one row per round). Columns as in scripts/peers.sh.
  --rounds N    5 to 99; default 9
  --only GLOB   only figures of these models and works, such as 'gil-*' or '*-cpu'
  --work-ms MS  how much work a worker has in a reading; default 200
  -o DIR        a new or empty folder; default results/runs/<time>-gil
  --help        this text
$PYTHON names another interpreter than python3, $XBOUND another build than build/release/xbound.
Exit codes: 0 every speed-up is within 15 % of Python's; 1 one is not, or could not be measured;
2 usage; 77 skipped: no Python, or one without a GIL.
TEXT
}

say() { printf 'validate-gil.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

rounds=9
only='*'
work_ms=200
directory=
while (($#)); do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --rounds | --only | --work-ms | -o | --output)
        (($# > 1)) || refuse "$1 needs a value; see --help"
        case $1 in
        --rounds) rounds=$2 ;;
        --only) only=$2 ;;
        --work-ms) work_ms=$2 ;;
        *) directory=$2 ;;
        esac
        shift
        ;;
    *) refuse "unknown option '$1'; see --help" ;;
    esac
    shift
done
[[ $rounds =~ ^([5-9]|[1-9][0-9])$ ]] || refuse "--rounds: '$rounds' is not a whole number from 5 to 99"
[[ $work_ms =~ ^[1-9][0-9]{1,4}$ ]] ||
    refuse "--work-ms: '$work_ms' is not a whole number from 10 to 99999"

export LC_ALL=C.UTF-8
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
directory=${directory:-$here/../results/runs/$(date -u +%Y%m%dT%H%M%SZ)-gil}
xbound=${XBOUND:-$here/../build/release/xbound}

# name, kernel, engine and model of ours, Python's model and work
figures=(
    "gil-cpu cpu/mix64 blocking gil threading cpu"
    "processes-cpu cpu/mix64 blocking processes multiprocessing cpu"
    "loop-cpu cpu/mix64 epoll loop asyncio cpu"
    "gil-sleep io/sleep_many blocking gil threading sleep"
    "processes-sleep io/sleep_many blocking processes multiprocessing sleep"
    "loop-sleep io/sleep_many epoll loop asyncio sleep"
)
counts=(1 2 4)

# ---- what there is ----

# Debian's own, whatever else comes first in PATH.
python=${PYTHON:-$([[ -x /usr/bin/python3 ]] && echo /usr/bin/python3 || command -v python3 || true)}
if [[ -z $python ]]; then
    say "skipped: no python3 here; scripts/install-deps.sh --peers installs it"
    exit 77
fi
# sys._is_gil_enabled() is there from 3.13 on, the first that can be without.
if ! interpreter=$("$python" -c '
import platform, sys
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
if platform.python_implementation() != "CPython" or not gil:
    sys.exit(1)
print("CPython", platform.python_version(), "switch interval", sys.getswitchinterval(), "s")'); then
    say "skipped: $python does not run, is no CPython, or has no GIL"
    exit 77
fi
[[ -x $xbound ]] || refuse "no $xbound; build it: cmake --preset release && cmake --build --preset release"
known=$("$xbound" list --names)

# Both sides on the same CPUs, as many as the most workers can use.
cpus=$(awk '/^Cpus_allowed_list:/ {
    n = split($2, parts, ",")
    for (i = 1; i <= n; i++) {
        split(parts[i], ends, "-")
        for (cpu = ends[1]; cpu <= (ends[2] == "" ? ends[1] : ends[2]) && m < 4; cpu++)
            list = list (m++ ? "," : "") cpu
    }
    print list
}' /proc/self/status)
n_cpus=$(tr ',' '\n' <<<"$cpus" | wc -l)

mkdir -p -- "$directory" || exit 2
[[ -z $(ls -A -- "$directory") ]] || refuse "$directory: not empty"
work=$(mktemp -d "${TMPDIR:-/tmp}/xbound-gil.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'say "interrupted; what was finished is in $directory"; exit 130' INT TERM

# ---- one reading: items per second by number of workers, a line each ----

pinned() { timeout --foreground 120 taskset -c "$cpus" "$@"; }

read_ours() {
    local kernel=$1 engine=$2 model=$3
    rm -rf "$work/run"
    pinned "$xbound" run "$kernel" --engine "$engine" --model "$model" --bind scatter --counters none \
        --workers "$(IFS=,; echo "${counts[*]}")" --samples 1 --min-time "${work_ms}ms" \
        --seed "$round" -o "$work/run" >"$work/said" 2>&1 || return
    awk -f "$here/csv.awk" -f "$work/rates.awk" "$work/run/samples.csv"
}

read_theirs() {
    local model=$1 kind=$2 n
    for n in "${counts[@]}"; do
        printf '%s ' "$n"
        pinned "$python" "$here/validate-gil.py" "$model" "$kind" "$n" \
            "$(awk -v ms="$work_ms" 'BEGIN { print ms / 1000 }')" 2>"$work/said" || return
    done
}

cat >"$work/rates.awk" <<'AWK'
measured() { print field("workers"), 1e9 * number("items") / number("wall_ns") }
AWK

# speed_up N FILE
speed_up() {
    awk -v n="$1" '{ rate[$1] = $2 } END {
        if (!(rate[1] > 0 && rate[n] > 0)) exit 1
        printf "%.6f", rate[n] / rate[1]
    }' "$2"
}

# CPU time withheld by the hypervisor, and all CPU time, in ticks since boot.
ticks() { awk '/^cpu / { for (i = 2; i <= 9; i++) all += $i; print $9, all; exit }' /proc/stat; }

# ---- rounds ----

pairs=$directory/gil-pairs.csv
echo "schema,figure,unit,better,cpus,bytes,ours_what,peer_what,floor,ceiling,pair,first,ours,peer,steal" >"$pairs"

compare() {
    local name=$1 kernel=$2 engine=$3 model=$4 theirs=$5 kind=$6 side order steal n
    order="ours peer"
    ((round % 2)) || order="peer ours"
    read -r steal_before all_before < <(ticks)
    for side in $order; do
        if [[ $side = ours ]]; then
            read_ours "$kernel" "$engine" "$model" >"$work/ours"
        else
            read_theirs "$theirs" "$kind" >"$work/peer"
        fi || {
            say "$name: $side: $(tail -n 1 "$work/said" | cut -c 1-160)"
            return 1
        }
    done
    read -r steal_after all_after < <(ticks)
    steal=$(awk -v part=$((steal_after - steal_before)) -v all=$((all_after - all_before)) \
        'BEGIN { printf "%.4f", (all > 0 ? part / all : 0) }')
    for n in "${counts[@]:1}"; do
        printf '1,%s-%s,speed-up,higher,%s,,%s %s,%s %s,0.85,1.15,%s,%s,%s,%s,%s\n' "$name" "$n" \
            "$n_cpus" "$kernel" "$model" "$theirs" "$kind" "$round" "${order%% *}" \
            "$(speed_up "$n" "$work/ours")" "$(speed_up "$n" "$work/peer")" "$steal" >>"$pairs"
    done
}

chosen=()
skipped=()
for figure in "${figures[@]}"; do
    read -r name kernel _ <<<"$figure"
    # shellcheck disable=SC2053 # a glob is what is asked for
    [[ $name == $only ]] || continue
    if grep -qxF -- "$kernel" <<<"$known"; then
        chosen+=("$figure")
    else
        skipped+=("$name $kernel")
    fi
done
((${#chosen[@]} + ${#skipped[@]})) || refuse "--only: no figure fits '$only'"

echo "$interpreter beside $("$xbound" --version | head -n 1); CPUs $cpus, $rounds rounds"
for ((round = 1; round <= rounds; round++)); do
    for figure in "${chosen[@]}"; do
        # shellcheck disable=SC2086 # its words
        compare $figure || exit 1
    done
done

# ---- verdicts ----

awk -f "$here/csv.awk" -f "$here/peers/ratio.awk" "$pairs" >"$directory/gil.csv"
for figure in "${skipped[@]}"; do
    read -r name kernel <<<"$figure"
    for n in "${counts[@]:1}"; do
        printf '1,%s-%s,speed-up,higher,%s,,,,,,,,,,,0.85,1.15,,skipped,%s\n' "$name" "$n" "$n_cpus" \
            "this xbound has no $kernel"
    done
done >>"$directory/gil.csv"

cat >"$work/table.awk" <<'AWK'
FNR == 2 {
    printf "%-20s %8s %8s  %-22s %s\n", "figure", "xbound", "CPython", "ratio [interval]", "verdict"
}
field("verdict") == "skipped" {
    printf "%-20s skipped: %s\n", field("figure"), field("reason")
}
field("ratio") != "" {
    any = 1
    # The median decides: `unclear` has it outside too.
    if (field("verdict") != "met") differs = 1
    printf "%-20s %8.2f %8.2f  %.3f [%.3f, %.3f]   %s\n", field("figure"), number("ours"),
        number("peer"), number("ratio"), number("ratio_lo"), number("ratio_hi"), field("verdict")
}
END { exit differs ? 1 : any ? 0 : 77 }
AWK
awk -f "$here/csv.awk" -f "$work/table.awk" "$directory/gil.csv"
