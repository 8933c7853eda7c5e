# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: likwid-bench (Debian: likwid)
# likwid-bench: peak floating-point rate, and bandwidth of caches and memory.
#
# Hand-written assembly, one test per instruction set and way of storing; the best of them for this
# CPU is the peer. The scalar ones are left out, as they have never been it.

# likwid FIELD TEST BYTES GUESS: one reading of that line of its output, in units of 1e9 per second.
# BYTES are those of one CPU, GUESS is what it may move in a second on one. A run begins with a
# second's sleep, so the number of iterations is not left to -s, which would add at least another,
# but follows from the last run.
likwid() {
    local field=$1 test=$2 bytes=$3 guess=$4 iterations plan=$work/likwid.$2.$3.$n_cpus log=$work/likwid.log
    [[ -e $plan ]] || awk -v s="$reading_s" -v rate="$guess" -v bytes="$bytes" \
        'BEGIN { n = int(s * rate / bytes); print n < 2 ? 2 : n }' >"$plan"
    iterations=$(<"$plan")
    # It sorts out its own places within the CPUs that it may use.
    if ! pinned likwid-bench -t "$test" -i "$iterations" \
        -W "N:$((bytes * n_cpus / 1000))kB:$n_cpus" >"$log" 2>&1; then
        echo "likwid-bench -t $test: $(tail -n 1 "$log")" >&2
        return 1
    fi
    awk -v s="$reading_s" -v n="$iterations" \
        '/^Time:/ && $2 > 0 { n = int(n * s / $2); print n < 2 ? 2 : n }' "$log" >"$plan.next"
    [[ ! -s $plan.next ]] || mv "$plan.next" "$plan"
    awk -v field="$field:" '$1 == field { print $2 / 1000 }' "$log"
}

likwid_tests=$(likwid-bench -a 2>/dev/null | awk '{ print $1 }' || true)

# likwid_peers FIELD REGEX BYTES GUESS: candidates from all tests whose names fit.
likwid_peers() {
    local test
    needs likwid-bench likwid
    while read -r test; do
        peer "likwid $test" likwid "$1" "$test" "$3" "$4"
    done < <(grep -E "^($2)$" <<<"$likwid_tests")
}

for n in "${core_counts[@]}"; do
    [[ $n = 1 ]] && where=1 || where=all
    figure "flops_dp_$where" GFLOP/s higher "$n" - 0.99
    ours_kernels gflop_per_s cpu/fma_peak
    likwid_peers MFlops/s 'peakflops_(sse|avx|neon|sve).*' 24000 4e10
    [[ $n = 1 ]] || like flops_dp_1

    figure "flops_sp_$where" GFLOP/s higher "$n" - 0.99
    ours_kernels gflop_per_s cpu/fma_peak_sp
    likwid_peers MFlops/s 'peakflops_sp_(sse|avx|neon|sve).*' 24000 4e10
    [[ $n = 1 ]] || like flops_sp_1
done

figure load_l1 GB/s higher 1 24576 0.98
ours_kernels gb_per_s cache/load_l1 -- --bytes 24576
likwid_peers MByte/s 'load_(sse|avx|mem|neon|sve).*' 24576 2e11

# Decimal for likwid-bench: 1 MB, which an L2 of 1 MiB just holds.
figure load_l2 GB/s higher 1 1000000 0.98
ours_kernels gb_per_s cache/load_l2 cache/load_l1 -- --bytes 1000000
likwid_peers MByte/s 'load_(sse|avx|mem|neon|sve).*' 1000000 1e11

# A likwid-bench size is that of all arrays together, as ours is. Variants with fused multiply-adds
# are left out: memory does not wait for a multiplication.
for n in "${core_counts[@]}"; do
    [[ $n = 1 ]] && where=1 || where=all
    for pattern in load store copy stream; do
        name=memory_${pattern}_$where
        kernel=memory/${pattern/stream/triad}
        figure "$name" GB/s higher "$n" "$memory_bytes" 0.98
        ours_kernels gb_per_s "$kernel" "${kernel}_nt" -- --bytes "$memory_bytes"
        likwid_peers MByte/s "${pattern}_(mem|(mem_)?(sse|avx|avx512|neon|sve))" "$memory_bytes" 2e10
        ((n == 1)) || {
            like "memory_${pattern}_1"
            pairs 5
        }
    done
done
