#!/usr/bin/env bash
# Checks that arrows between rooms run one way: who includes whom, and what kernels link against.
#
# Usage: scripts/check-layers.sh [BUILD_DIR]   with a build folder, kernel objects are checked too.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-}
faults=0

fault() {
    echo "check-layers.sh: $*" >&2
    faults=$((faults + 1))
}

# allow FILES_GLOB REGEX...: every #include "..." of these files, seen from the top, must fit one.
allow() {
    local glob=$1 file included target pattern fits
    shift
    for file in $glob; do
        [ -e "$file" ] || continue
        while read -r included; do
            target=$(realpath -m --relative-to=. "$(dirname "$file")/$included")
            fits=no
            for pattern in "$@"; do
                [[ $target =~ ^$pattern$ ]] && fits=yes
            done
            [ $fits = yes ] || fault "$file includes $target, which its room may not"
        done < <(sed -n 's/^# *include "\(.*\)".*/\1/p' "$file")
    done
}

kernel='kernels/[a-z0-9_]+\.h'
base='harness/base/[a-z0-9_]+\.h'
stats='harness/stats/[a-z0-9_]+\.h'
core='harness/core/[a-z0-9_]+\.h'
source='harness/counters/source\.h'
engine='harness/engines/engine\.h'
probe='harness/probes/probe\.h'
model='harness/models/(model|preemptive)\.h'
export='harness/exports/export\.h'
command='harness/commands/command\.h'

allow 'kernels/*.[ch]' "$kernel"
allow 'kernels/*/*.[ch]' "$kernel"
allow 'harness/base/*.[ch]' "$base"
allow 'harness/stats/*.[ch]' "$stats" "$base"
allow 'harness/counters/*.[ch]' "$source" "$base"
allow 'harness/probes/*.[ch]' "$probe" "$stats" "$base"
allow 'harness/engines/*.[ch]' "$engine" "$base" "$kernel"
allow 'harness/models/*.[ch]' "$model" "$engine" "$base" "$kernel"
allow 'harness/core/*.[ch]' "$core" "$model" "$engine" "$source" "$probe" "$stats" "$base" \
    "$kernel"
allow 'harness/exports/*.[ch]' "$export" "$core" "$source" "$stats" "$base"
allow 'harness/commands/*.[ch]' "$command" "$export" "$core" "$model" "$engine" "$source" "$probe" "$stats" \
    "$base" "$kernel"
allow 'harness/main.c' "$command" "$core"

# Each library's header is seen by one file, the one with the library's tag. Its name may lack the
# "lib" of the library's: libuv has <uv.h>. libpfm4 has <perfmon/pfmlib.h>.
while IFS=: read -r tagged library; do
    users=$(grep -lE "^ *# *include <(perfmon/)?($library|${library#lib})(/[a-z]+|lib[a-z_]*)?\.h>" -r kernels harness --include='*.[ch]' || true)
    [ "$users" = "$tagged" ] || fault "<$library.h> belongs to $tagged, and is included by: $users"
done < <(grep -roE 'xb-(library|header|required): [a-z0-9]+' harness kernels --include='*.c' |
    sed -E 's/: ?xb-(library|header|required): /:/')
for file in $(grep -rl 'XB_HAVE_LIBRARY' kernels harness --include='*.[ch]' || true); do
    grep -qE 'xb-(library|header):' "$file" ||
        fault "$file asks for XB_HAVE_LIBRARY without an xb-library or xb-header tag"
done

# No kernel knows a model or an engine.
if grep -nE '\b(threads|processes|loop|blocking|epoll|uring|uv)\b' -r kernels --include='*.c' |
    grep -E '#if|strcmp' >&2; then
    fault "a kernel asks for a model or engine by name"
fi

# All kernels together link against libc and libm, and nothing else.
if [ -n "$build" ]; then
    mapfile -t objects < <(find "$build" -path '*xbound_core.dir/kernels/*' -name '*.o')
    if [ ${#objects[@]} -eq 0 ]; then
        fault "no kernel objects below $build"
    elif ! ${CC:-cc} -nostartfiles -nodefaultlibs -pie -Wl,-e,0 -Wl,--no-undefined -o /dev/null \
        "${objects[@]}" -lm -lc >&2; then
        fault "kernels need more than libc and libm"
    fi
fi

[ $faults -eq 0 ] || exit 1
echo "layers: every include arrow runs down${build:+, kernels need libc and libm only}"
