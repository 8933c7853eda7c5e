#!/usr/bin/env bash
# One command: installs what is missing, builds, measures this machine and draws the charts.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/run-all.sh [--quick] [-o DIR] [XBOUND RUN OPTION...]
Installs what is missing, builds, measures every kernel under every model, has probes say what bounds
each, sweeps the caches, and draws the charts into DIR/charts.
  --quick   a shorter look: fewer numbers of workers, shorter cells, no probes
  -o DIR    a new or empty folder; default results/runs/<time>
Anything else goes to 'xbound run'.
TEXT
}

quick=()
directory=
rest=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --quick) quick=(--quick) ;;
    -o | --output)
        [ $# -gt 1 ] || {
            echo "run-all.sh: $1 needs a folder" >&2
            exit 2
        }
        directory=$2
        shift
        ;;
    --dry-run)
        echo "run-all.sh: to see the cells: build/release/xbound run --dry-run" >&2
        exit 2
        ;;
    *) rest+=("$1") ;;
    esac
    shift
done
directory=${directory:-results/runs/$(date -u +%Y%m%dT%H%M%SZ)}

# Without a network or the right to install, what is here may do: optional libraries are skipped with
# a reason, and a build without a compiler says so itself.
scripts/install-deps.sh || echo "run-all.sh: going on with what is installed" >&2
build=build/release
[ -e $build/CMakeCache.txt ] || cmake --preset release >/dev/null
log=$(mktemp)
if ! cmake --build --preset release -j "$(nproc)" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "run-all.sh: the build failed" >&2
    exit 1
fi
rm -f "$log"

$build/xbound doctor
echo

# A cell that failed must not keep the others from their charts; its exit code comes last.
code=0
observe=(--observe 400ms)
[ ${#quick[@]} -eq 0 ] || observe=()
$build/xbound run "${quick[@]}" "${observe[@]}" -o "$directory" "${rest[@]}" || code=$?
[ $code -le 1 ] || exit $code

# The staircase: time per load against working set. Four sizes for each doubling, or two.
if [ ${#quick[@]} -gt 0 ]; then
    sweep=(--sweep bytes=4K:256M:2 --min-time 2ms --max-time 60ms)
else
    sweep=(--sweep bytes=4K:1G:4 --min-time 5ms --max-time 200ms)
fi
$build/xbound run cache/chase_l2 --model threads --workers 1 "${sweep[@]}" -o "$directory/sweep" ||
    code=$?

scripts/plot.sh --optional "$directory"
exit $code
