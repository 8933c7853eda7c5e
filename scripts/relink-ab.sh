#!/usr/bin/env bash
# Relinks xbound with padding before its code and its objects in another order, and asks `xbound ab`
# whether the same code, elsewhere, is called a regression. It should not be.
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/relink-ab.sh BUILD_DIR OUT [N]

BUILD_DIR holds a build of xbound (cmake --build build/release). Links N variants of it (default 8) from
the same objects, each behind 20 to 134 bytes of padding and in another order, and compares each with
the build by cpu/sort_small, cpu/branch_random and cpu/gemm_blocked: N x 3 comparisons. OUT, a new folder,
gets the variants, the CSV files of each comparison and relink.csv, a row for each verdict.

Environment: CC names the compiler to link with; XB_AB holds further options of xbound ab.
Exit codes: 0 none REGRESSED; 1 some; 2 usage, or a variant could not be linked or compared.
EOT
}

refuse() {
    echo "relink-ab.sh: $*" >&2
    exit 2
}

[[ ${1:-} != --help ]] || {
    usage
    exit 0
}
(($# == 2 || $# == 3)) || refuse "want BUILD_DIR and OUT; see --help"
build=$1 out=$2 n=${3:-8}
[[ $n =~ ^[1-9][0-9]?$ ]] || refuse "N is '$n', not a number from 1 to 99"
[[ -x $build/xbound && -f $build/core_objects.txt ]] ||
    refuse "$build: no xbound built here; cmake --preset release && cmake --build --preset release"
[[ ! -e $out ]] || refuse "$out: exists; name a new folder"
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)

# How the build links: its own command, for the libraries at the end.
link=$(cat "$build/CMakeFiles/xbound.dir/link.txt") || refuse "$build: not made by CMake's Makefiles"
mapfile -t libraries < <(grep -oE '[^ ]+\.(so|a)([.0-9]*)?( |$)|-l[a-z0-9]+|-Wl,[^ ]+' <<<"$link" |
    grep -v libxbound_core | tr -d ' ')
mapfile -t objects <"$build/core_objects.txt"
main=$build/CMakeFiles/xbound.dir/harness/main.c.o
[[ -f $main ]] || refuse "$main: not there"

# Lengths as in the recordings that showed the effect without alignment.
paddings=(49 119 20 134 79 46 35 97 61 25 108 73)
failed=0
echo "variant,padding,kernel,verdict,ratio,ratio_lo,ratio_hi" >"$out/relink.csv"
for ((i = 0; i < n; i++)); do
    padding=${paddings[i % ${#paddings[@]}]}
    printf '.text\n.fill %d, 1, 0x90\n.section .note.GNU-stack,"",%%progbits\n' "$padding" \
        >"$out/pad.s"
    "${CC:-cc}" -c -o "$out/pad.o" "$out/pad.s"
    mapfile -t shuffled < <(printf '%s\n' "${objects[@]}" |
        shuf --random-source=<(yes "$i" | head -c 1000000))
    (cd "$build" && "${CC:-cc}" -o "$out/variant$i" "$out/pad.o" "${shuffled[@]}" \
        CMakeFiles/xbound.dir/harness/main.c.o "${libraries[@]}" -lm -lpthread) ||
        refuse "variant $i: cannot be linked"
    rc=0
    # shellcheck disable=SC2086
    "$build/xbound" ab --measure-unchanged ${XB_AB:-} -o "$out/ab$i" "$build/xbound" \
        "$out/variant$i" cpu/sort_small cpu/branch_random cpu/gemm_blocked >"$out/ab$i.txt" || rc=$?
    ((rc < 2)) || refuse "variant $i: xbound ab failed"
    ((rc == 0)) || failed=1
    awk -F, -v i="$i" -v padding="$padding" 'NR > 1 { print i "," padding "," $2 "," $4 "," $7 "," $8 "," $9 }' \
        "$out/ab$i/verdicts.csv" >>"$out/relink.csv"
done
rm -f -- "$out/pad.s" "$out/pad.o"
awk -F, 'NR > 1 { n++; bad += $4 == "REGRESSED"; beyond += $5 > 1.005 || $5 < 1 / 1.005 }
    END { print bad + 0 " of " n " comparisons of relinked code REGRESSED; " beyond + 0 \
        " estimates beyond 0.5 %" }' "$out/relink.csv"
exit $failed
