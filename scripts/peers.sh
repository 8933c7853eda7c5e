#!/usr/bin/env bash
# Runs the specialists beside xbound: same figure, same cores, same sizes, turn and turn about.
#
# scripts/peers/*.sh say what is compared, each with the words defined below under "what a peer's
# file says"; adding a peer is adding one such file. All arithmetic is in scripts/peers/ratio.awk.
#
# Columns: `bytes` are those of one CPU; `ours` and `peer` are medians in `unit`, `ours_what` and
# `peer_what` the candidates they are of; `ratio`, `ratio_lo` and `ratio_hi` are the median of the
# pairs' ratios and its interval, which encloses it with `level` percent; `steal` is the share of the
# machine's CPU time that the hypervisor withheld meanwhile. In peers-pairs.csv `first` says whose
# turn came first in that pair: they take turns at that too, so that a drift favours neither.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/peers.sh [OPTION...]
Installs the specialists that are missing, runs each beside xbound and writes DIR/peers.csv (one row
per figure), DIR/peers-pairs.csv (one per pair of readings), DIR/provenance.csv and the chart.
  --pairs N     pairs of readings per figure, 5 to 99; default 7, fewer or more where a figure takes
                long or is noisy
  --only GLOB   only figures whose name fits; may be given again
  --quick       5 pairs, shorter readings, one core, and only figures that are quickly had
  -o DIR        a new or empty folder; default results/runs/<time>-peers
  --list        shows the figures and measures nothing
  --help        this text

A ratio of 1 means as good as the peer, more means better. Verdicts: met (the median of the ratios
is at least the floor, and at most the ceiling where there is one), missed (their whole interval lies
outside), unclear (the median lies outside, the interval reaches in: take more pairs on a quieter
machine), skipped (the reason says why).
Exit codes: 0 measured, whatever the verdicts; 1 could not be measured; 2 usage; 77 everything was
skipped; 130 interrupted, and what was finished is kept.
TEXT
}

say() { printf 'peers.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

# ---- what a peer's file says ----
#
# First, for scripts/install-deps.sh, a line for each program or header it needs:
#     # xb-peer: COMMAND|HEADER (Debian: PACKAGE)
# Then figures, each begun by the first of these words and filled by the others.

declare -a figures=()
declare -A unit better cpus bytes floor ceiling skip ours_of peer_of tried_in pairs_of remark_of
declare -A grade # how near the best a candidate came when a figure chose, by "figure/candidate"

# figure NAME UNIT higher|lower CPUS BYTES FLOOR [CEILING]: begins a figure. `higher` and `lower` say
# which reading is better. CPUS is how many; BYTES is the working set of one CPU, or - for none.
figure() {
    now=$1
    figures+=("$now")
    unit[$now]=$2 better[$now]=$3 cpus[$now]=$4 bytes[$now]=${5#-} floor[$now]=$6
    ceiling[$now]=${7:-} skip[$now]='' ours_of[$now]='' peer_of[$now]='' tried_in[$now]=''
    pairs_of[$now]=$pairs remark_of[$now]=''
}

# ours WHAT COMMAND..., peer WHAT COMMAND...: a candidate of the figure just begun. The command takes
# one reading: it prints one number in the figure's unit, or says why not and fails. It finds
# $cpu_list and $n_cpus (where to run), $reading_s (how long to measure, in seconds) and $work (a
# scratch folder, on a disk unless the user's TMPDIR is not). Of several candidates a first round picks
# the best.
ours() {
    local line
    printf -v line '%q ' "${@:2}"
    ours_of[$now]+=$1$'\t'$line$'\n'
}
peer() {
    local line
    printf -v line '%q ' "${@:2}"
    peer_of[$now]+=$1$'\t'$line$'\n'
}

# like FIGURE: candidates that fell far behind when that figure chose are left out, and the rest get
# one trial only.
like() { tried_in[$now]=$1; }

# pairs N: what this figure takes instead of 7 unless the user says, as it takes long or is noisy.
pairs() { [[ $asked != auto || $quick = yes ]] || pairs_of[$now]=$1; }

# remark TEXT: what to know of the comparison; it becomes the row's reason.
remark() { remark_of[$now]=$1; }

# needs PROGRAM|HEADER PACKAGE: the figure is skipped where that is missing.
needs() {
    [[ -z ${skip[$now]} ]] || return 0
    case $1 in
    *.h) echo "#include <$1>" | ${CC:-cc} -E - >/dev/null 2>&1 && return ;;
    *) command -v "$1" >/dev/null && return ;;
    esac
    skip[$now]="$1 is not here; Debian package $2"
}

# has KERNEL: this xbound has it.
has() { [[ $'\n'$known$'\n' = *$'\n'"$1"$'\n'* ]]; }

# ours_kernels METRIC KERNEL... [-- OPTION...]: candidates from these kernels, in every instruction set
# variant that can run here. Kernels that this xbound does not have are left out.
ours_kernels() {
    local metric=$1 kernel isa kernels=()
    shift
    while (($#)) && [[ $1 != -- ]]; do
        kernels+=("$1")
        shift
    done
    for kernel in "${kernels[@]}"; do
        for isa in ${isas_of[$kernel]:-}; do
            ours "$kernel $isa" xbound_reads "$metric" "$kernel" --isa "$isa" "${@:2}"
        done
    done
    [[ -n ${ours_of[$now]} || -n ${skip[$now]} ]] || skip[$now]="xbound has no ${kernels[*]}"
}

# pinned COMMAND...: on the figure's CPUs, and not for ever.
pinned() { timeout --foreground 60 taskset -c "$cpu_list" "$@"; }

# xbound_reads METRIC KERNEL OPTION...: one reading of ours, of the model $under where that is set, else
# of threads. Work and time of all samples are summed up, as the peers do, but cpu_ns_per_item is the
# median of more, shorter ones.
xbound_reads() {
    local metric=$1 kernel=$2 out=$work/ours samples=3
    [[ $metric != cpu_ns_per_item ]] || samples=15
    rm -rf "$out"
    pinned "$xbound" run "$kernel" --model "${under:-threads}" --workers "$n_cpus" \
        --samples "$samples" --min-time "$(awk -v s="$reading_s" -v n="$samples" 'BEGIN { printf "%.0f", s * 1e6 / n }')us" \
        -o "$out" "${@:3}" >"$work/xbound.log" 2>&1 || true
    [[ -e $out/samples.csv ]] || {
        tail -n 1 "$work/xbound.log" >&2
        return 1
    }
    awk -f "$here/csv.awk" -f "$here/peers/reading.awk" -v metric="$metric" \
        "$out/samples.csv" "$out/summary.csv"
}

# compiled SOURCE [LIBRARY...]: the path of that program of scripts/peers/, built when first wanted
# with the flags that xbound is built with.
compiled() {
    local program=$work/${1%.c}
    [[ -x $program ]] ||
        ${CC:-cc} -std=gnu11 -O3 -falign-functions=64 -falign-loops=64 -o "$program" \
            "$here/peers/$1" "${@:2}" -lm >&2 || return 1
    echo "$program"
}

# ---- the command line ----

pairs=auto
quick=no
list=no
globs=()
directory=
while (($#)); do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --quick) quick=yes ;;
    --list) list=yes ;;
    --pairs | --only | -o | --output)
        (($# > 1)) || refuse "$1 needs a value; see --help"
        case $1 in
        --pairs) pairs=$2 ;;
        --only) globs+=("$2") ;;
        *) directory=$2 ;;
        esac
        shift
        ;;
    *) refuse "unknown option '$1'; see --help" ;;
    esac
    shift
done
asked=$pairs
[[ $pairs != auto ]] || pairs=$([[ $quick = yes ]] && echo 5 || echo 7)
[[ $pairs =~ ^0*([5-9]|[1-9][0-9])$ ]] ||
    refuse "--pairs: '$pairs' is not a whole number from 5 to 99"
pairs=$((10#$pairs))

export LC_ALL=C.UTF-8
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
here=$top/scripts
xbound=$top/build/release/xbound
[[ ${directory:-/} = /* ]] || directory=$PWD/$directory
cd "$top"

if [[ $list = no ]]; then
    [[ ! -e $directory || (-d $directory && -z $(ls -A -- "$directory")) ]] ||
        refuse "-o: $directory is not an empty folder"
    scripts/install-deps.sh --peers
    cmake --preset release >/dev/null
    cmake --build --preset release -j "$(nproc)" | grep -i warning || true
fi
known=
declare -A isas_of=() # by kernel
if [[ -x $xbound ]]; then
    known=$("$xbound" list --names)
    # A dry run for all: one for each kernel and variant took most of --list's five seconds.
    while read -r kernel isa; do
        isas_of[$kernel]+=" $isa"
    done < <("$xbound" run --isa base,avx2,avx512 --model threads --workers 1 --dry-run |
        awk -f "$here/csv.awk" -f <(echo 'field("skipped") == "" { print field("kernel"), field("isa") }'))
fi

# The CPUs that we may run on, one by one.
mapfile -t allowed < <(awk '/^Cpus_allowed_list:/ {
    n = split($2, parts, ",")
    for (i = 1; i <= n; i++) {
        split(parts[i], ends, "-")
        for (cpu = ends[1]; cpu <= (ends[2] == "" ? ends[1] : ends[2]); cpu++) print cpu
    }
}' /proc/self/status)
all_cpus=${#allowed[@]}
reading_s=0.1
core_counts=(1)
((all_cpus == 1)) || core_counts+=("$all_cpus")
memory_mib=256
if [[ $quick = yes ]]; then
    reading_s=0.06
    core_counts=(1)
    memory_mib=128
fi
# shellcheck disable=SC2034 # for the files below
memory_bytes=$((memory_mib << 20))

for file in "$here"/peers/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done

wanted() {
    local glob
    ((${#globs[@]})) || return 0
    for glob in "${globs[@]}"; do
        # shellcheck disable=SC2053 # a glob is what is asked for
        [[ $1 == $glob ]] && return 0
    done
    return 1
}
chosen=()
for name in "${figures[@]}"; do
    wanted "$name" && chosen+=("$name")
done
((${#chosen[@]})) || refuse "--only: no figure fits '${globs[*]}'; see --list"

if [[ $list = yes ]]; then
    for name in "${chosen[@]}"; do
        printf '%-24s %-8s %-6s %2s CPU  floor %s%s%s\n' "$name" "${unit[$name]}" \
            "${better[$name]}" "${cpus[$name]}" "${floor[$name]}" \
            "${ceiling[$name]:+, ceiling ${ceiling[$name]}}" "${skip[$name]:+  (${skip[$name]})}"
    done
    exit 0
fi

# ---- measuring ----

# One reading: prints the number, or leaves why not in $work/said.
take() {
    local value
    value=$(eval "$1" </dev/null 2>"$work/said" | tail -n 1)
    if [[ $value =~ ^[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$ && ! $value =~ ^[0.]+$ ]]; then
        echo "$value"
        return
    fi
    [[ -s $work/said ]] || echo "no reading: '${value:0:60}'" >"$work/said"
    return 1
}

last_words() { tail -n 1 "$work/said" | cut -c 1-160; }

# Sets best_what and best_command from a figure's candidates of one side, or fails with what was
# said. One reading each, and a second for those near the best, as the first may have met a noise.
choose() {
    local name=$1 side=$2 what command value round table=$work/table
    local -n of=${side}_of
    : >"$work/said"
    : >"$table"
    if (($(printf '%s' "${of[$name]}" | wc -l) == 1)); then
        IFS=$'\t' read -r best_what best_command <<<"${of[$name]}"
        return
    fi
    for round in 1 2; do
        while IFS=$'\t' read -r what command; do
            if ((round == 1)); then
                left_behind "${tried_in[$name]}/$what" && continue
            else
                awk -v grade="${grade[$name/$what]:-0}" 'BEGIN { exit !(grade >= 0.97) }' || continue
            fi
            value=$(take "$command") || continue
            printf '%s\t%s\t%s\n' "$what" "$value" "$command" >>"$table"
        done <<<"${of[$name]%$'\n'}"
        [[ -s $table ]] || return 1
        while IFS=$'\t' read -r what value command; do
            grade[$name/$what]=$value
            # The best comes first.
            [[ $value != 1 ]] || best_what=$what best_command=$command
        done < <(best_of "${better[$name]}" "$table")
        [[ $quick = no && -z ${tried_in[$name]} ]] || break
    done
}

# WHAT, its best reading relative to the best of all (1, or less), COMMAND.
best_of() {
    awk -F '\t' -v better="$1" '
        { rate = better == "higher" ? $2 : 1 / $2 }
        rate > most[$1] { most[$1] = rate; command[$1] = $3 }
        rate > best { best = rate; first = $1 }
        END {
            for (what in most)
                printf "%s\t%.6g\t%s\n", what,
                    what == first ? 1 : most[what] / best * 0.999999, command[what]
        }' "$2"
}

left_behind() {
    [[ -n ${grade[$1]:-} ]] && awk -v grade="${grade[$1]}" 'BEGIN { exit !(grade < 0.85) }'
}

csv() {
    local text=${1//$'\n'/ }
    if [[ $text == *[,\"]* ]]; then
        printf '"%s"' "${text//\"/\"\"}"
    else
        printf '%s' "$text"
    fi
}

row() {
    local text line
    line=$(csv "$1")
    for text in "${@:2}"; do line+=,$(csv "$text"); done
    printf '%s\n' "$line"
}

# CPU time withheld by the hypervisor, and all CPU time, in ticks since boot.
ticks() { awk '/^cpu / { for (i = 2; i <= 9; i++) all += $i; print $9, all; exit }' /proc/stat; }

skipped() {
    local name=$1
    row 1 "$name" "${unit[$name]}" "${better[$name]}" "${cpus[$name]}" "${bytes[$name]}" '' '' '' '' \
        '' '' '' '' '' "${floor[$name]}" "${ceiling[$name]}" '' skipped "$2" >>"$directory/peers.csv"
    printf '%-24s skipped: %s\n' "$name" "$2"
}

measure() {
    local name=$1 pair n_pairs=${pairs_of[$1]} side first steal_before all_before steal_after all_after steal
    local -A what command reading
    if [[ -n ${skip[$name]} ]]; then
        skipped "$name" "${skip[$name]}"
        return
    fi
    n_cpus=${cpus[$name]}
    cpu_list=$(
        IFS=,
        echo "${allowed[*]:0:n_cpus}"
    )
    for side in peer ours; do
        if ! choose "$name" "$side"; then
            skipped "$name" "${side/peer/the peer}: $(last_words)"
            return
        fi
        what[$side]=$best_what
        command[$side]=$best_command
    done
    for ((pair = 1; pair <= n_pairs; pair++)); do
        first=ours
        ((pair % 2)) || first=peer
        read -r steal_before all_before < <(ticks)
        for side in $first "$([[ $first = ours ]] && echo peer || echo ours)"; do
            if ! reading[$side]=$(take "${command[$side]}"); then
                skipped "$name" "${side/peer/the peer} (${what[$side]}): $(last_words)"
                return
            fi
        done
        read -r steal_after all_after < <(ticks)
        steal=$(awk -v part=$((steal_after - steal_before)) -v all=$((all_after - all_before)) \
            'BEGIN { printf "%.4f", (all > 0 ? part / all : 0) }')
        row 1 "$name" "${unit[$name]}" "${better[$name]}" "$n_cpus" "${bytes[$name]}" \
            "${what[ours]}" "${what[peer]}" "${floor[$name]}" "${ceiling[$name]}" "$pair" "$first" \
            "${reading[ours]}" "${reading[peer]}" "$steal" >>"$directory/peers-pairs.csv"
    done
    awk -f "$here/csv.awk" -f "$here/peers/ratio.awk" -v only="$name" \
        -v remark="${remark_of[$name]}" "$directory/peers-pairs.csv" | tail -n 1 \
        >>"$directory/peers.csv"
    awk -f "$here/csv.awk" -f "$work/line.awk" -v name="$name" "$directory/peers.csv"
}

directory=${directory:-$top/results/runs/$(date -u +%Y%m%dT%H%M%SZ)-peers}
said=$(mkdir -p -- "$directory" 2>&1) || refuse "-o: ${said#mkdir: }"
# Not /tmp, which is memory on many machines: files to read from a disk lie here too.
mkdir -p -- "$top/results/runs"
work=$(mktemp -d "${TMPDIR:-$top/results/runs}/xbound-peers.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'say "interrupted; what was finished is in $directory"; exit 130' INT TERM

cat >"$work/line.awk" <<'AWK'
field("figure") == name {
    printf "%-24s %.3f  [%.3f, %.3f]  %-8s %.4g against %.4g %s: %s, %s\n", name, number("ratio"),
        number("ratio_lo"), number("ratio_hi"), field("verdict"), number("ours"), number("peer"),
        field("unit"), field("ours_what"), field("peer_what")
}
AWK
cat >"$work/any.awk" <<'AWK'
field("verdict") != "skipped" { any = 1 }
END { exit !any }
AWK

load() { cut -d ' ' -f 1 /proc/loadavg; }
note() { row "$@" >>"$directory/provenance.csv"; }

# What machine and build: asked of the program itself, by measuring something small.
"$xbound" run cpu/mix64 --model threads --workers 1 --samples 1 --min-time 1ms -o "$work/facts" \
    >/dev/null
sed "s/^run_id,.*/run_id,$(basename "$directory" | tr -cd 'A-Za-z0-9._-')/" \
    "$work/facts/provenance.csv" >"$directory/provenance.csv"
note peers_pairs "$pairs"
note peers_reading_s "$reading_s"
note peers_load_before "$(load)"
note peers_packages "$(dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' likwid \
    'libopenblas0-*' libisal2 linux-perf stress-ng sysbench 2>/dev/null |
    sed -n 's/^ii *//p' | paste -sd ';')"
read -r steal_start all_start < <(ticks)

row schema figure unit better cpus bytes ours_what ours peer_what peer pairs ratio ratio_lo ratio_hi \
    level floor ceiling steal verdict reason >"$directory/peers.csv"
row schema figure unit better cpus bytes ours_what peer_what floor ceiling pair first ours peer steal \
    >"$directory/peers-pairs.csv"
for name in "${chosen[@]}"; do
    measure "$name"
done

read -r steal_end all_end < <(ticks)
note peers_load_after "$(load)"
note peers_steal "$(awk -v part=$((steal_end - steal_start)) -v all=$((all_end - all_start)) \
    'BEGIN { printf "%.4f", (all > 0 ? part / all : 0) }')"
scripts/plot.sh --optional "$directory"
awk -f "$here/csv.awk" -f "$work/any.awk" "$directory/peers.csv" || exit 77
