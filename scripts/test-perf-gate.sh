#!/usr/bin/env bash
# Does perf-gate.sh turn red for a slower kernel, stay green for the same code, and leave nothing behind?
# In a clone, with a slowdown planted in cpu/mix64 that changes neither work nor checksum.
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/test-perf-gate.sh [--five-percent]

Builds xbound three times (the base, slower, the same), which takes minutes; not part of scripts/test.sh.
Planted is about a third more time, which 10 blocks find on any machine.
  --five-percent   plants about 5 % instead, with up to 48 blocks: what the gate is for, but on a machine
                   that is noisy enough it may be inconclusive
Exit codes: 0 all as it should be; 1 something was not; 2 usage.
EOT
}

case ${1:-} in
--help | -h)
    usage
    exit 0
    ;;
'') extra='int extra = 0; extra < 10' blocks=10 ;;
--five-percent) extra='unsigned extra = i % 2; extra < 2' blocks=48 ;;
*)
    echo "test-perf-gate.sh: unknown option '$1'; see --help" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
repo=$work/repo
export TMPDIR=$work/tmp
unset GITHUB_STEP_SUMMARY
mkdir -- "$TMPDIR"
failed=0

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# expect CODE TEXT ARGUMENT...: so perf-gate.sh ends, and says TEXT; nothing of it is left.
expect() {
    local code=$1 text=$2 rc=0
    shift 2
    "$repo/scripts/perf-gate.sh" "$@" >"$work/out" 2>"$work/err" || rc=$?
    [[ $rc == "$code" ]] || fail "'$*' ends with $rc instead of $code: $(cat "$work/out" "$work/err")"
    grep -qF -- "$text" "$work/out" "$work/err" || fail "'$*' does not say '$text': $(cat "$work/err")"
    # What is compared is said first; an error is one line.
    ((rc != 2)) || [[ $(grep -vc 'OLD is' "$work/err") == 1 ]] || fail "'$*' has not one line: $(cat "$work/err")"
    clean "$*"
}

clean() {
    [[ -z $(ls -A -- "$TMPDIR") ]] || fail "'$1' leaves $(ls -A -- "$TMPDIR")"
    [[ $(git -C "$repo" worktree list | wc -l) == 1 ]] || fail "'$1' leaves a worktree"
}

# commit MESSAGE: everything, by nobody in particular; prints what it is.
commit() {
    git -C "$repo" add -A
    git -C "$repo" -c user.name=test -c user.email=test@localhost -c commit.gpgsign=false \
        commit --quiet --allow-empty -m "$1"
    git -C "$repo" rev-parse HEAD
}

# The tree as it stands, not only what is committed of it.
git clone --quiet --no-hardlinks . "$repo"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -cf - -T - 2>/dev/null |
    tar -xf - -C "$repo"
base=$(commit base)
gate=(-o "$work/gate" --builds "$work/builds")
kernels=(cpu/mix64 cpu/div_chain -- --blocks "$blocks")

# ---- what cannot be compared ----

expect 2 "want BASE_REF" -o "$work/gate"
expect 2 "unknown option '--fast'" --fast "$base"
expect 2 "nowhere: no such commit here" -o "$work/gate" nowhere
expect 2 "-o $repo/scripts: exists and is not an empty folder" -o "$repo/scripts" "$base"
git -C "$repo" rm --quiet harness/commands/ab.c
old=$(commit 'before ab')
git -C "$repo" reset --quiet --hard "$base"
expect 2 "has no xbound ab" -o "$work/gate" "$old"

# ---- red ----

file=$repo/kernels/cpu/mix64.c
# There and back: the same value, later.
sed -i "s|^        sum += x;|        for ($extra; extra++)\n            x = unmix(xb_mix64(x));\n&|" "$file"
grep -q 'unmix(xb_mix64(x))' "$file" || fail "nothing was planted in mix64.c"
GITHUB_STEP_SUMMARY=$work/summary expect 1 "with uncommitted changes" "${gate[@]}" "$base" "${kernels[@]}"
grep -E 'cpu/' "$work/out" || true
grep -qE '^cpu/mix64 .*REGRESSED' "$work/out" || fail "the planted slowdown is not REGRESSED"
grep -qE '^cpu/div_chain .*UNCHANGED' "$work/out" || fail "what was not touched is not UNCHANGED"
grep -qF '| cpu/mix64 | **REGRESSED** |' "$work/summary" || fail "the job summary does not say so"
grep -qE 'name="cpu/mix64".*<failure ' "$work/gate/junit.xml" || fail "junit.xml does not say so"
for name in verdicts.md ab.txt verdicts.csv ab.csv slices.csv provenance.csv; do
    [[ -s $work/gate/$name ]] || fail "no $name"
done
rm -rf -- "$work/gate"

# ---- green: the same code from another folder, at another commit ----

git -C "$repo" checkout --quiet -- .
echo >>"$repo/README.md"
commit 'an empty line' >/dev/null
expect 0 "2 of 2 UNCHANGED" "${gate[@]}" "$base" "${kernels[@]}"
rm -rf -- "$work/gate"
# Both programs are kept by now. A base that does not speak the protocol:
printf '#!/bin/sh\necho no command ab\nexit 2\n' >"$work/builds/$base/xbound"
expect 2 "instead of speaking" "${gate[@]}" "$base" "${kernels[@]}"

# ---- interrupted ----

"$repo/scripts/perf-gate.sh" -o "$work/late" "$base" >"$work/out" 2>&1 &
pid=$!
for ((i = 0; i < 100; i++)); do
    [[ -z $(compgen -G "$TMPDIR/*/old.log") ]] || break
    sleep 0.1
done
rc=0
kill -TERM "$pid"
wait "$pid" || rc=$?
[[ $rc == 143 ]] || fail "interrupted, it ends with $rc"
clean "interrupted"

((failed)) || echo "perf-gate.sh: red for the planted slowdown, green for the same code, nothing left behind"
exit $failed
