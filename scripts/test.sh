#!/usr/bin/env bash
# One command: installs what is missing, then checks style and layers, builds and passes the tests.
#
# Usage: scripts/test.sh [PRESET...]   presets of CMakePresets.json; all of them when none is named
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

case ${1:-} in
--help | -h)
    sed -n '2,4s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
presets=("$@")
[ $# -gt 0 ] || presets=(dev clang bare asan tsan)

# Shows what a command says only if it fails, or warns.
quiet() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    grep -i 'warning' "$log" >&2 || true
    rm -f "$log"
}

step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

step "packages"
scripts/install-deps.sh --test

step "style"
mapfile -t sources < <(find kernels harness scripts/peers scripts/classify-programs -name '*.[ch]' -o -name '*.cc' | sort)
clang-format --dry-run --Werror "${sources[@]}"
shellcheck scripts/*.sh scripts/peers/*.sh scripts/classify-programs/*.sh .ci/run
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
    --suppress=missingIncludeSystem -j "$(nproc)" -D__x86_64__ -DXB_HAVE_LIBRARY \
    '-DXB_LIBRARY_VERSION=""' kernels harness/base harness/commands harness/core harness/counters \
    harness/engines harness/exports harness/models harness/probes harness/stats
scripts/check-layers.sh

# The preset dev leaves out a size between two others. What the whole matrix of kernels, sizes and workers, a
# test of scripts, or one of arithmetic would find again under another compiler or a sanitizer is left out
# there: each kernel is met under each model once, with two workers. Races are looked for where there are threads.
matrix=('*__64_KiB*' '*__1024_KiB*' '*_KiB_1_workers' '*_KiB_5_workers')
scripts=('ClassifyPrograms.*' 'Peers.*' 'ReadmeTable.*')
slow=('Cli.TooFewOpenFiles*' 'Pollute.*' 'Thp.*' 'Verdict.*' 'Ab.SelfTest*' 'Cli.*Doctor*')
one_thread=('Ab.*' 'Compare.*' 'Csv.*' 'Export.*' 'History.*' 'Summary.*' 'Cli.*Refused*' 'Cli.*Named*' 'Cli.*Option*')
for preset in "${presets[@]}"; do
    leave=()
    case $preset in
    dev) leave=('*__64_KiB*') ;;
    clang | bare) leave=("${matrix[@]}" "${scripts[@]}") ;;
    asan) leave=("${matrix[@]}" "${scripts[@]}" "${slow[@]}") ;;
    tsan) leave=("${matrix[@]}" "${scripts[@]}" "${slow[@]}" "${one_thread[@]}") ;;
    esac
    # ctest wants a regular expression, and a process that runs many tests GoogleTest's patterns.
    regex=$(IFS='|' && printf '%s' "${leave[*]//\*/.*}")
    pattern=$(IFS=: && printf '%s' "-${leave[*]}")
    step "preset $preset"
    quiet cmake --preset "$preset"
    quiet cmake --build --preset "$preset" -j "$(nproc)"
    log=$(mktemp)
    # A neighbour who takes the CPU for half of a test can fail it; what fails twice is ours.
    if ! GTEST_FILTER=$pattern ctest --preset "$preset" -j 2 --repeat until-pass:2 ${regex:+-E "^($regex)\$"} \
        >"$log" 2>&1; then
        cat "$log"
        exit 1
    fi
    rm -f "$log"
    all=build/$preset/Testing/Temporary/LastTest.log
    printf '%d tests passed, %d skipped here, each with a reason in %s\n' \
        "$(grep -c '^\[ *OK \]' "$all")" "$(grep -c '^\[  SKIPPED \].* ms)$' "$all")" "$all"
    [ "$preset" != dev ] || scripts/check-layers.sh build/dev
done

# 77: no libFuzzer here, as it says.
if [ $# -eq 0 ]; then
    step "fuzzing the readers and exports"
    rc=0
    scripts/fuzz.sh 20 || rc=$? # three of them: a minute
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || exit 1
fi

# 77: no valgrind, as it says; and only dev's build is one that valgrind runs.
case " ${presets[*]} " in *' dev '*)
    step "simulated counts"
    rc=0
    scripts/test-callgrind.sh build/dev || rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || exit 1
    ;;
esac

# 77: the packages that it needs are out of reach, as it says.
if [ $# -eq 0 ]; then
    step "PAPI on an emulated PMU"
    rc=0
    scripts/test-papi-emulated.sh || rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || exit 1
fi

step "all passed"
