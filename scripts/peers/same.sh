# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# The chase of kernels/chase.h against a loop written by hand over the same lines: with the pages the
# same, what is left is the loop. The harness is not in it; overhead_* and latency_* have that.

# same ours|peer BYTES: one program measures both sides, so the second to be asked for a reading gets
# what was left for it.
same() {
    local program readings left=$work/same.$2.$1
    if [[ ! -s $left ]]; then
        program=$(compiled same.c) && readings=$(pinned "$program" "$2" "$reading_s") || return 1
        echo "${readings% *}" >"$work/same.$2.ours"
        echo "${readings#* }" >"$work/same.$2.peer"
    fi
    cat "$left" && rm "$left"
}

for size in 24576 1048576 16777216; do
    figure "same_pages_$((size >> 10))kib" ns lower 1 "$size" 0.98 1.02
    pairs 15
    ours "kernels/chase.h" same ours "$size"
    peer "hand-written chase" same peer "$size"
done
