#!/usr/bin/env bash
# How near is the working set that `xbound classify` estimates to the true one?
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/working-sets.sh [OPTION...] XBOUND DIR
Walks 24 KiB to 512 MiB, in order and at random, has `xbound classify` watch each for 10 s at its default rate,
and prints its estimate beside the truth. As user nobody where root runs it, since no right is needed. DIR, new
or empty, gets sets.csv and the scratch files.
  --time S     seconds that each is watched, 2 to 60; default 10
  --sizes LIST such as '24K 512M'; default '24K 256K 1M 16M 128M 512M'
  --help       this text
Exit codes: 0 measured, whatever came out; 1 something could not be run; 2 usage; 77 no compiler or no jq.
TEXT
}

say() { printf 'working-sets.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

time_s=10 sizes='24K 256K 1M 16M 128M 512M'
while [ $# -gt 0 ]; do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --time | --sizes)
        [ $# -ge 2 ] || refuse "$1 needs a value, see --help"
        if [ "$1" = --time ]; then time_s=$2; else sizes=$2; fi
        shift 2
        ;;
    -*) refuse "unknown option $1, see --help" ;;
    *) break ;;
    esac
done
[ $# -eq 2 ] || refuse "XBOUND and DIR are needed, see --help"
[[ $time_s =~ ^([2-9]|[1-5][0-9]|60)$ ]] || refuse "--time $time_s: 2 to 60"
[[ $sizes =~ ^([1-9][0-9]*[KMG] ?)+$ ]] || refuse "--sizes '$sizes': want such as '24K 512M'"
if [ ! -x "$1" ] || [ -d "$1" ]; then refuse "$1 cannot be executed"; fi
for tool in gcc jq; do
    command -v "$tool" >/dev/null || {
        say "skipped: no $tool here"
        exit 77
    }
done
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p -- "$2"
[ -z "$(ls -A -- "$2")" ] || refuse "$2 is not empty"
xbound=$(realpath -- "$1")
cd -- "$2"
export LC_ALL=C

gcc -O2 -o walk "$here/classify-programs/walk.c"
as=()
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    # Nobody may not be able to read where we build.
    bin=$(mktemp -d)
    trap 'rm -rf -- "$bin"' EXIT
    cp -- "$xbound" "$bin/xbound"
    cp walk "$bin/"
    mkdir "$bin/cache"
    chmod 755 "$bin"
    chown 65534 "$bin/cache"
    xbound=$bin/xbound
    as=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$bin/cache" XDG_CACHE_HOME="$bin/cache")
else
    bin=$PWD
fi

"${as[@]}" "$xbound" classify -o /dev/null --time 200ms -- true </dev/null # measures this machine first
echo 'order,bytes,estimate_bytes,class,level,confidence,samples,overhead' >sets.csv
for size in $sizes; do
    for mode in sum list; do
        if ! (cd / && "${as[@]}" "$xbound" classify --json --time "${time_s}s" --kill -- "$bin/walk" "$mode" "$size") \
            </dev/null >/dev/null 2>report.json; then
            say "$mode $size: $(head -n 1 report.json)"
            exit 1
        fi
        jq -r --arg order "$mode" --arg bytes "$(numfmt --from=iec "$size")" '
            [$order, $bytes, ([.evidence[] | select(.name == "working_set_bytes") | .value][0] // ""),
             .class, (.level // ""), .confidence, .samples, .overhead] | join(",")' report.json >>sets.csv
    done
done

awk -F, '
BEGIN { printf "%-6s %10s %12s %8s  %s\n", "order", "KiB", "estimate", "off", "verdict" }
NR > 1 {
    off = $3 > 0 ? sprintf("%+.1f %%", 100 * ($3 / $2 - 1)) : "-"
    printf "%-6s %10d %12s %8s  %s %s, confidence %.2f, %d samples, overhead %.1f %%\n",
        ($1 == "sum" ? "order" : "random"), $2 / 1024, ($3 > 0 ? sprintf("%.0f", $3 / 1024) : "-"), off, $4, $5, $6, $7, 100 * $8
}' sets.csv
