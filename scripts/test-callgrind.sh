#!/usr/bin/env bash
# Are simulated counts the same in five runs, and does xbound compare see one instruction more in each iteration?
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/test-callgrind.sh [BUILD_DIR]
Runs kernels of each class of computing five times under valgrind, each time with another environment and
length of path, and compares all counts. Then builds cpu/mix64 and cache/chase_l2 with one
instruction more in each iteration, and wants those called more-counts, and an untouched kernel the same.
  BUILD_DIR   default build/dev; built with make and without sanitizers
Exit codes: 0 all as it should be; 1 something was not; 2 usage; 77 no valgrind here.
TEXT
}

case ${1:-} in
--help | -h)
    usage
    exit 0
    ;;
-*)
    echo "test-callgrind.sh: unknown option '$1'; see --help" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
build=${1:-build/dev}
link=$build/CMakeFiles/xbound.dir/link.txt
if [ ! -x "$build/xbound" ] || [ ! -e "$link" ] || [ ! -e "$build/compile_commands.json" ]; then
    echo "test-callgrind.sh: no build by make in $build; cmake --preset dev && cmake --build --preset dev" >&2
    exit 2
fi
if ! said=$("$build/xbound" run --counters callgrind --iters 1 --dry-run cpu/mix64 2>&1); then
    echo "test-callgrind.sh: skipped: $said" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
failed=0

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# ---- five runs ----

kernels=(cpu/mix64 cpu/sort_small cpu/branch_random cache/chase_l2 cache/copy_l2 cache/gather_l2
    memory/triad memory/load memory/gather_random)

# counts FOLDER: a line for each sample, in order.
cat >"$work/counts.awk" <<'TEXT'
measured() {
    print field("kernel") "," field("repetition") "," field("iters") "," field("instructions") "," \
        field("l1d_misses") "," field("llc_misses")
}
TEXT
counts() { awk -f scripts/csv.awk -f "$work/counts.awk" "$1/samples.csv"; }

name=r
for run in 1 2 3 4 5; do
    name=$name-and-longer
    env "NOISE=$(printf "%0$((run * 97))d" 0)" "LC_ALL=en_US.UTF-8" "$build/xbound" run --counters callgrind \
        --model threads -o "$work/$name" "${kernels[@]}" >/dev/null
    counts "$work/$name" >"$work/counts-$run"
    [ "$(wc -l <"$work/counts-$run")" -ge $((2 * ${#kernels[@]})) ] || fail "run $run lacks samples"
    cmp -s "$work/counts-1" "$work/counts-$run" ||
        fail "run $run counts otherwise: $(diff "$work/counts-1" "$work/counts-$run" | head -4)"
done
echo "kernel,repetition,iterations,instructions,L1d misses,last-level misses; the same in 5 runs:"
cat "$work/counts-1"

# ---- one instruction more ----

# plant FILE LINE: behind the first such line of a copy of the kernels.
plant() {
    grep -qF -- "$2" "$work/kernels/$1" || fail "kernels/$1 has no line '$2' any more"
    awk -v line="$2" '{ print } !done && index($0, line) { print "__asm__ volatile(\"nop\");"; done = 1 }' \
        "kernels/$1" >"$work/kernels/$1"
}

cp -r kernels "$work/kernels"
plant cpu/mix64.c 'for (uint64_t i = 0; i < iters; i++) {'
plant chase.h 'for (uint64_t i = 0; i < iters; i++) {'
mkdir "$work/objects"
top=$PWD
for kernel in cpu/mix64 cache/chase_l2; do
    command=$(sed -n 's/^ *"command": "\(.*\)",$/\1/p' "$build/compile_commands.json" | sed 's/\\"/"/g; s/\\\\/\\/g' |
        grep -F -- "-c $top/kernels/$kernel.c")
    command=$(sed -E "s| -o [^ ]+ | -o $work/objects/${kernel/\//_}.o |; s|-c $top/kernels/|-c $work/kernels/|" <<<"$command")
    (cd "$build" && eval "$command")
done
(cd "$build" && eval "$(sed "s| -o xbound | -o $work/planted $(echo "$work"/objects/*.o) |" CMakeFiles/xbound.dir/link.txt)")
"$work/planted" run --counters callgrind --model threads -o "$work/new" "${kernels[@]}" >/dev/null
rc=0
"$build/xbound" compare --all "$work/$name" "$work/new" >"$work/compared" || rc=$?
[ $rc = 1 ] || fail "compare ends with $rc instead of 1"
sed 's,/threads/.*,,' "$work/compared" | grep -E '^(more-counts|fewer-counts|same|unclear|other-work)' || true
for kernel in "${kernels[@]}"; do
    case $kernel in
    cpu/mix64 | cache/chase_l2) due='more-counts .* instructions' ;;
    *) due='same' ;;
    esac
    grep -qE "^$due .*$kernel/" "$work/compared" || fail "$kernel is not called '$due': $(grep "$kernel/" "$work/compared")"
done
rc=0
"$build/xbound" compare "$work/r-and-longer" "$work/$name" >/dev/null || rc=$?
[ $rc = 0 ] || fail "compare ends with $rc for two runs of one build"
[ $failed = 0 ] || exit 1
echo "one instruction more in each iteration is seen, and nothing where there is none"
