# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# A hand-written pointer chase over the same permutation: latency, and what the harness adds to it.

# chase wall|cpu BYTES: nanoseconds per load, by that clock.
chase() {
    local program
    program=$(compiled chase.c) && pinned "$program" "$1" "$2" "$reading_s"
}

# The kernel does not matter, as all chases share one body; the size does.
chases=()
for kernel in cache/chase_l1 cache/chase_l2 memory/chase_dram; do
    has "$kernel" && chases=("$kernel") && break
done

sizes=(24576 1048576 16777216 1073741824)
[[ $quick = no ]] || sizes=(24576 1048576 16777216)
for size in "${sizes[@]}"; do
    case $size in
    24576) name=latency_24kib ;;
    1048576) name=latency_1mib ;;
    16777216) name=latency_16mib ;;
    *) name=latency_1gib ;;
    esac
    # Within 2 % on either side: one that is faster does not do the same.
    figure "$name" ns lower 1 "$size" 0.98 1.02
    ours_kernels ns_per_item "${chases[@]:-cache/chase_l2}" -- --bytes "$size"
    peer "hand-written chase" chase wall "$size"
    remark "the two processes have different pages; same_pages_* is over the same"
    # Where the pages lie decides how well a set of its size fits an L2, and what the neighbours do
    # decides what a shared cache gives: many readings, each a process with other pages.
    pairs $((size < 1 << 30 ? 25 : 5))
done

figure overhead_chase ns lower 1 24576 0.995
pairs 25
ours_kernels cpu_ns_per_item_overall "${chases[@]:-cache/chase_l2}" -- --bytes 24576
peer "hand-written chase" chase cpu 24576
