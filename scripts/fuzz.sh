#!/usr/bin/env bash
# Builds the fuzzers in harness/tests/fuzz/ and runs each for a while, from its stored corpus.
#
# Usage: scripts/fuzz.sh [SECONDS [SEED]]   seconds for each fuzzer, default 30; the same seed, default 1, tries
#                                          the same inputs: take another to find something new
# Exit codes: 0 nothing found; 1 something was, and the input is in build/fuzz/; 77 no libFuzzer here.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-30} in
--help | -h)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*[!0-9]* | 0*)
    echo "fuzz.sh: want a number of seconds, not '$1'" >&2
    exit 2
    ;;
esac
seconds=${1:-30}
seed=${2:-1}
case $seed in
*[!0-9]* | 0*)
    echo "fuzz.sh: want a seed, a number, not '$seed'" >&2
    exit 2
    ;;
esac

# shellcheck disable=SC2016 # a C program, not the shell's
if ! command -v clang >/dev/null ||
    ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }' |
        clang -x c -fsanitize=fuzzer - -o /dev/null 2>/dev/null; then
    echo "fuzz.sh: skipped: no clang with libFuzzer here (Debian: clang libclang-rt-dev)"
    exit 77
fi
log=$(mktemp)
finds=$(mktemp -d)
trap 'rm -rf -- "$log" "$finds"' EXIT
{ cmake --preset fuzz && cmake --build --preset fuzz -j "$(nproc)"; } >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
}

rc=0
for target in harness/tests/fuzz/*.c; do
    name=$(basename "$target" .c)
    mkdir -p "$finds/$name"
    # What is found grows a folder of its own: the stored corpus stays as it is.
    if build/fuzz/fuzz_"$name" -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -max_len=16384 -artifact_prefix=build/fuzz/ "$finds/$name" "harness/tests/fuzz/corpus/$name" \
        >"$log" 2>&1; then
        printf '%s: nothing found; %s\n' "$name" "$(grep '^Done' "$log")"
    else
        cat "$log" >&2
        rc=1
    fi
done
exit $rc
