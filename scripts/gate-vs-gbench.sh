#!/usr/bin/env bash
# How often does Google Benchmark's compare.py call the same code slower, and how often does it miss
# 2 % or 5 % more work? And `xbound ab`, turn and turn about, on the same machine?
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/gate-vs-gbench.sh [--report] XBOUND OUT [SECONDS]

Compiles one loop of dependent multiplications several times: OLD, the same again, and with 2 % and 5 %
more rounds. Then compares OLD with each, in rounds that begin for SECONDS (default 75):
  compare.py  two Google Benchmark programs, one after the other, 20 repetitions of 0.03 s each; its U test
  ab command  xbound ab --command: two plain programs that call the same loop for some 30 ms; their CPU
              time has starting a shell and a program in it, which makes 5 % less
  ab kernel   xbound ab of XBOUND with itself by cpu/mix64, slices prolonged by --slowdown
All on the last CPU. OUT/comparisons.csv gets a row for each comparison, and rounds of later calls are
added to it, as long as OUT holds programs made by this script; the table is of all rows.
  --report    measures nothing: the table of what OUT holds

A false alarm is the same code called slower or faster; a miss is more work not called slower. What
compare.py calls slower: p < 0.05, and the median is larger; in one row by more than 0.5 %, the least
that xbound ab calls a regression.
Exit codes: 0 measured; 2 usage, or a program failed; 77 Google Benchmark or scipy is not here.
EOT
}

refuse() {
    echo "gate-vs-gbench.sh: $*" >&2
    exit 2
}

# lo and hi of each count are Clopper-Pearson's 95 % interval, by bisection of the binomial.
report() {
    awk -F, '
    function at_most(k, n, p,    sum, term, i) { # P(X <= k)
        term = exp(n * log(1 - p)); sum = term
        for (i = 1; i <= k; i++) { term *= (n - i + 1) / i * p / (1 - p); sum += term }
        return sum
    }
    function bound(k, n, share,    lo, hi, p, i) {
        lo = 1e-9; hi = 1 - 1e-9
        for (i = 0; i < 60; i++) { p = (lo + hi) / 2; if (at_most(k, n, p) > share) lo = p; else hi = p }
        return p
    }
    function cell(rule, added,    n, k) {
        n = all[rule, added]; k = n - alarms[rule, added]
        if (added == 0) k = alarms[rule, added]
        if (!n) return "-"
        return sprintf("%d of %d [%.0f, %.0f %%]", k, n, k ? 100 * bound(k - 1, n, 0.975) : 0,
            k < n ? 100 * bound(k, n, 0.025) : 100)
    }
    # Of the same code "faster" is as false.
    function slower(change, least, added) { return change > least || (added == 0 && -change > least) }
    function count(rule, added, alarm, s) {
        if (!(rule in seen)) { seen[rule] = 1; order[++rules] = rule }
        all[rule, added]++; alarms[rule, added] += alarm
        seconds[rule] += s; runs[rule]++
    }
    NR > 1 && $1 ~ /^ab / {
        count("xbound " $1, $3, $6 == "REGRESSED" || ($3 == 0 && $6 == "IMPROVED"), $4)
        unsure[$3] += $6 == "INCONCLUSIVE"
    }
    NR > 1 && $1 == "compare.py" {
        count("compare.py: wall, p < 0.05", $3, $8 < 0.05 && slower($7, 0, $3), $4)
        count("compare.py: CPU, p < 0.05", $3, $6 < 0.05 && slower($5, 0, $3), $4)
        count("compare.py: CPU, p < 0.05, > 0.5 %", $3, $6 < 0.05 && slower($5, 0.005, $3), $4)
    }
    END {
        if (!rules) exit
        print "| rule | false alarms | misses at +2 % | misses at +5 % | seconds each |"
        print "|---|---|---|---|---:|"
        for (i = 1; i <= rules; i++)
            printf "| %s | %s | %s | %s | %.1f |\n", order[i], cell(order[i], 0), cell(order[i], 2),
                cell(order[i], 5), seconds[order[i]] / runs[order[i]]
        printf "xbound ab INCONCLUSIVE: same code %d, +2 %% %d, +5 %% %d\n", unsure[0], unsure[2], unsure[5]
    }' "$1"
}

only=no
case ${1:-} in
--help | -h)
    usage
    exit 0
    ;;
--report)
    only=yes
    shift
    ;;
esac
(($# == 2 || $# == 3)) || refuse "want XBOUND and OUT; see --help"
xbound=$(realpath -m -- "$1") out=$2 seconds=${3:-75}
[[ $seconds =~ ^[1-9][0-9]{0,4}$ ]] || refuse "SECONDS is '$seconds', not a whole number"
table=$out/comparisons.csv
header='tool,round,added_percent,seconds,change_cpu,p_cpu_or_verdict,change_wall,p_wall'
[[ ! -e $table || $(head -n 1 -- "$table") == "$header" ]] || refuse "$table: not made by this script"
if [[ $only == yes ]]; then
    [[ -f $table ]] || refuse "$table: not there"
    report "$table"
    exit 0
fi
[[ -x $xbound ]] || refuse "$1: no program; cmake --preset release && cmake --build --preset release"
compare=(/usr/bin/python3 -B /usr/share/benchmark/compare.py --no-color)
if ! { echo '#include <benchmark/benchmark.h>' | c++ -E -x c++ - && "${compare[@]}" --help; } \
    >/dev/null 2>&1; then
    echo "gate-vs-gbench.sh: skipped: needs libbenchmark-dev, libbenchmark-tools and python3-scipy"
    exit 77
fi

# ---- the programs ----

mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)
cat >"$out/loop.c" <<'EOT'
/* The loop: a chain of multiplications, each of which waits for the one before. */
#include <stdint.h>

uint64_t chain(uint64_t x)
{
    for (int i = 0; i < ROUNDS; i++)
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb) + 1;
    return x;
}
EOT
cat >"$out/plain.c" <<'EOT'
#include <stdint.h>

uint64_t chain(uint64_t x);

int main(void)
{
    uint64_t x = 1;
    for (int i = 0; i < 900; i++)
        x = chain(x);
    return x == 0;
}
EOT
cat >"$out/bench.cc" <<'EOT'
#include <benchmark/benchmark.h>

extern "C" uint64_t chain(uint64_t x);

static void BM_chain(benchmark::State &state)
{
    uint64_t x = 1;
    for (auto _ : state)
        benchmark::DoNotOptimize(x = chain(x));
}
BENCHMARK(BM_chain);
BENCHMARK_MAIN();
EOT
# Aligned, lest the place of the loop differs between programs: that would be a difference.
flags=(-O2 -falign-functions=64 -falign-loops=64)
for program in old:20000 new0:20000 new2:20400 new5:21000; do
    name=${program%:*}
    { cc "${flags[@]}" -DROUNDS="${program#*:}" -c -o "$out/$name.o" "$out/loop.c" &&
        cc "${flags[@]}" -static -o "$out/$name.plain" "$out/plain.c" "$out/$name.o" &&
        c++ "${flags[@]}" -o "$out/$name.bench" "$out/bench.cc" "$out/$name.o" -lbenchmark -lpthread; } ||
        refuse "$name: does not compile"
done

# ---- comparisons ----

cpu=$(taskset -cp $$ | sed 's/.*[^0-9]//')
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ printf "%.2f", $1 - $2 }'; }
# Not in the way of who pipes the table.
say() { echo "gate-vs-gbench.sh: $*" >&2; }

by_gbench() { # ROUND ADDED
    local began p change side
    began=$(now)
    for side in old "new$2"; do
        taskset -c "$cpu" "$out/$side.bench" --benchmark_repetitions=20 --benchmark_min_time=0.03 \
            --benchmark_out="$out/$side.json" --benchmark_out_format=json >"$out/bench.log" 2>&1 ||
            refuse "$side.bench failed; see $out/bench.log"
    done
    "${compare[@]}" benchmarks "$out/old.json" "$out/new$2.json" >"$out/compare.txt" 2>&1 ||
        refuse "compare.py failed; see $out/compare.txt"
    # Each line is Time first, then CPU.
    p=$(awk '$1 == "BM_chain_pvalue" { print $2, $3; exit }' "$out/compare.txt")
    change=$(awk '$1 == "BM_chain_median" { print $2, $3; exit }' "$out/compare.txt")
    [[ -n $p && -n $change ]] || refuse "no U test in $out/compare.txt"
    echo "compare.py,$1,$2,$(since "$began"),${change#* },${p#* },${change% *},${p% *}" >>"$table"
}

by_ab() { # command|kernel ROUND ADDED OPERAND...
    local began rc=0 head="ab $1,$2,$3"
    shift 3
    began=$(now)
    rm -rf -- "$out/ab"
    "$xbound" ab --cpu "$cpu" -o "$out/ab" "$@" >"$out/ab.txt" || rc=$?
    ((rc < 2)) || refuse "xbound ab failed"
    awk -F, -v head="$head,$(since "$began")" \
        'NR == 2 { printf "%s,%.6f,%s,%.6f,\n", head, $7 - 1, $4, $10 - 1 }' \
        "$out/ab/verdicts.csv" >>"$table"
}

trap 'say "interrupted; what was compared is kept"; report "$table"; exit 130' INT TERM
[[ -e $table ]] || echo "$header" >"$table"
SECONDS=0
first=$(($(awk -F, 'NR > 1 && $2 > n { n = $2 } END { print n + 0 }' "$table") + 1))
for ((round = first; SECONDS < seconds; round++)); do
    # Twice the same code: false alarms are rarer than misses.
    for added in 0 2 0 5; do
        by_gbench $round $added
        by_ab command $round $added --command "$(printf %q "$out/old.plain")" "$(printf %q "$out/new$added.plain")"
        by_ab kernel $round $added --measure-unchanged --slowdown $added "$xbound" "$xbound" cpu/mix64
    done
done
say "$((round - first)) rounds in $SECONDS s, $table"
report "$table"
