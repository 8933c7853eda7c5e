#!/usr/bin/env bash
# Did the working tree make a kernel slower than BASE_REF? Builds both, runs `xbound ab` on them, and
# leaves what a CI job shows.
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/perf-gate.sh [OPTION...] BASE_REF [KERNEL...] [-- AB_OPTION...]

Compares the working tree, uncommitted changes included, with the commit BASE_REF by `xbound ab`: by all
kernels of cpu, cache and memory, or by those named (names or globs). Both are built with the same
flags in a temporary folder, BASE_REF from a git worktree; neither the tree nor its builds are touched.
Working sets have the sizes that BASE_REF's build gives them, on both sides.

  -o DIR         what is left there: verdicts.md, junit.xml, ab.txt, verdicts.csv, ab.csv, slices.csv and
                 provenance.csv; a new or empty folder; default build/perf-gate/<time>
  --builds DIR   keeps the two programs there, by commit, and takes one that is there already;
                 a tree with uncommitted changes is always built
  --help         this text
  -- AB_OPTION   passed on, such as --blocks 22, --margin 5 or --strict; see xbound ab --help

Environment: GITHUB_STEP_SUMMARY, where set, is a file that verdicts.md is appended to; CC and CFLAGS
hold for both builds.
Exit codes: 0 nothing regressed; 1 a kernel regressed or is missing; 3 inconclusive (only with
--strict); 2 usage, a BASE_REF that cannot be compared, or a failed build; 130 or 143 interrupted.
EOT
}

refuse() {
    echo "perf-gate.sh: $*" >&2
    exit 2
}

base_ref='' out='' builds='' kernels=() ab_options=()
while (($#)); do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    -o | --builds)
        [[ -n ${2:-} ]] || refuse "$1 needs a folder; see --help"
        [[ $1 == -o ]] && out=$2 || builds=$2
        shift
        ;;
    --)
        shift
        ab_options=("$@")
        break
        ;;
    -*) refuse "unknown option '$1'; options of xbound ab go behind --" ;;
    *) [[ -z $base_ref ]] && base_ref=$1 || kernels+=("$1") ;;
    esac
    shift
done
[[ -n $base_ref ]] || refuse "want BASE_REF; see --help"

# Paths that the user gave are from where he stands.
out=$(realpath -m -- "${out:-$(dirname "$0")/../build/perf-gate/$(date -u +%Y%m%dT%H%M%SZ)}")
[[ -z $builds ]] || builds=$(realpath -m -- "$builds")
cd "$(dirname "$0")/.."
for tool in git cmake make; do
    command -v "$tool" >/dev/null || refuse "no $tool; scripts/install-deps.sh installs it"
done
git rev-parse --git-dir >/dev/null 2>&1 || refuse "$PWD: no git repository"
base=$(git rev-parse --verify --quiet --end-of-options "$base_ref^{commit}") ||
    refuse "$base_ref: no such commit here; a shallow clone lacks it (fetch-depth: 0)"
git cat-file -e "$base:harness/commands/ab.c" 2>/dev/null ||
    refuse "$base_ref (${base:0:12}) has no xbound ab, so it cannot be measured beside this tree; choose a later base"
[[ ! -e $out || (-d $out && -z $(ls -A -- "$out")) ]] ||
    refuse "-o $out: exists and is not an empty folder"
head=$(git rev-parse HEAD) dirty=''
[[ -z $(git status --porcelain) ]] || dirty=' with uncommitted changes'

work=$(mktemp -d)
step=0
# shellcheck disable=SC2317 # the trap calls it
leave() {
    local rc=$?
    trap - EXIT INT TERM HUP
    ((step == 0)) || { kill -- "-$step" && wait "$step"; } 2>/dev/null || true
    git worktree remove --force "$work/base" >/dev/null 2>&1 || true
    # A compiler that was told to end may still write its last file.
    for ((i = 0; i < 50; i++)); do
        rm -rf -- "$work" 2>/dev/null && break
        sleep 0.1
    done
    git worktree prune
    exit "$rc"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Runs a command that a signal to this shell ends too, with all of its children: bash would wait for it.
set -m # a process group for each
run() {
    local rc=0
    "$@" </dev/null &
    step=$!
    wait "$step" || rc=$?
    step=0
    return $rc
}

# build SOURCE NAME: into $work/NAME/xbound, with flags that are those of neither side's presets.
build() {
    local log=$work/$2.log
    { run cmake -S "$1" -B "$work/$2-build" -DCMAKE_BUILD_TYPE=Release -DXB_TESTS=OFF >"$log" 2>&1 &&
        run make -C "$work/$2-build" -j "$(nproc)" xbound >>"$log" 2>&1; } || {
        tail -n 20 -- "$log" >&2
        refuse "$2 does not build; above is the end of its log"
    }
    mkdir -p -- "$work/$2"
    mv -- "$work/$2-build/xbound" "$work/$2/xbound"
    rm -rf -- "$work/$2-build"
}

# get SOURCE NAME COMMIT: the same, or from --builds; COMMIT is empty where there is none.
get() {
    local kept=$builds/$3/xbound
    if [[ -n $builds && -n $3 && -x $kept ]]; then
        mkdir -p -- "$work/$2"
        cp -- "$kept" "$work/$2/xbound"
        return
    fi
    build "$1" "$2"
    [[ -n $builds && -n $3 ]] || return 0
    mkdir -p -- "$builds/$3"
    cp -- "$work/$2/xbound" "$kept.$$" # whole, or not there
    mv -- "$kept.$$" "$kept"
}

echo "perf-gate.sh: OLD is $base_ref (${base:0:12}), NEW the working tree at ${head:0:12}$dirty" >&2
git worktree add --quiet --detach "$work/base" "$base" ||
    refuse "$base_ref: git cannot check it out beside this tree"
# Not named base: that is the worktree's folder.
get "$work/base" old "$base"
get "$PWD" new "$([[ -n $dirty ]] || echo "$head")"

rc=0
run "$work/new/xbound" ab -o "$out" "${ab_options[@]}" "$work/old/xbound" "$work/new/xbound" \
    "${kernels[@]}" >"$work/ab.txt" || rc=$?
cat -- "$work/ab.txt"
case $rc in
0 | 1 | 3) ;;
2 | 130) exit $rc ;; # it has said why
*) refuse "xbound ab ended with $rc and no verdict" ;;
esac
cp -- "$work/ab.txt" "$out/ab.txt"
for format in markdown:verdicts.md junit:junit.xml; do
    "$work/new/xbound" export "${format%:*}" "$out" >"$out/${format#*:}" ||
        refuse "the verdicts cannot be written as ${format%:*}"
done
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    cat -- "$out/verdicts.md" >>"$GITHUB_STEP_SUMMARY" ||
        refuse "$GITHUB_STEP_SUMMARY: cannot be appended to"
fi
echo "perf-gate.sh: $out holds verdicts.md, junit.xml and the CSV files" >&2
exit $rc
