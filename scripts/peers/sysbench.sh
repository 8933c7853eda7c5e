# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: sysbench (Debian: sysbench)
# sysbench memory: reads or writes one buffer word by word, in compiled C.

# sysbench_memory read|write BYTES: GB/s.
sysbench_memory() {
    pinned sysbench memory --threads=1 --time=0 --memory-oper="$1" --memory-block-size="$2" \
        --memory-total-size="$(awk -v s="$reading_s" -v bytes="$2" \
            'BEGIN { printf "%.0f", (int(s * 30e9 / bytes) + 1) * bytes }')" run |
        awk -F '[( ]' '/transferred/ { print $5 * 1048576 / 1e9 }'
}

if [[ $quick = no ]]; then
    for way in read write; do
        kernel=memory/store
        [[ $way = write ]] || kernel=memory/load
        figure "sysbench_$way" GB/s higher 1 "$memory_bytes" 0.98
        ours_kernels gb_per_s "$kernel" "${kernel}_nt" -- --bytes "$memory_bytes"
        needs sysbench sysbench
        like "${kernel/\//_}_1"
        peer "sysbench memory $way" sysbench_memory "$way" "$memory_bytes"
    done
fi
